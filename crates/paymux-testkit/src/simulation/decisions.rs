//! Every attempt's decision, read back from the ledger: it is there, its version is there, and it makes its choice
//! again.

use std::collections::BTreeMap;

use paymux_core::payment::{Attempt, Payment};
use paymux_core::router::{Past, VersionDigest, replay};
use paymux_core::store::{DecisionBook, KeptDecision};

use super::world::World;

/// Looks at all of them; each that is wrong is a broken promise.
pub(super) async fn check(world: &World) {
    let store = &world.disk.store;
    let read = |content: &str| Past::read(content).map_err(|error| error.to_string());
    let versions = store.versions().into_iter().map(|row| (row.digest, read(&row.content))).collect();
    for payment in store.payments() {
        for attempt in &payment.attempts {
            let kept = store.decision(attempt.id).await;
            if let Err(what) = picks(&versions, &payment, attempt, kept.ok().flatten()) {
                world.judge.object(world, format!("the decision of {}: {what}", attempt.id));
            }
        }
    }
}

/// That decision picks the attempt's channel.
fn picks(
    versions: &BTreeMap<VersionDigest, Result<Past, String>>,
    payment: &Payment,
    attempt: &Attempt,
    kept: Option<KeptDecision>,
) -> Result<(), String> {
    let Some(KeptDecision::Compact { version, record }) = kept else {
        return Err(format!("it is not there as it should be: {kept:?}"));
    };
    let past = versions.get(&version).ok_or("its version is not there")?.as_ref()?;
    let told = past.tell(&record, payment.amount, payment.method).map_err(|error| error.to_string())?;
    let words = serde_json::to_value(&told).map_err(|error| error.to_string())?;
    let picked = replay(&words).map_err(|error| error.to_string())?;
    if picked.as_ref() != Some(&attempt.channel) || told.picked != picked {
        return Err(format!("it picks {picked:?}, told as {words}"));
    }
    Ok(())
}
