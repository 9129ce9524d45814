//! A stored record alone makes its pick again, whatever the strategy looked at.

use std::collections::BTreeMap;
use std::time::Duration;

use super::agreement::Dice;
use crate::world::channel;
use paymux_core::catalog::{Catalog, Strategy};
use paymux_core::clock::{Mono, Timestamp};
use paymux_core::day::Day;
use paymux_core::ids::ChannelId;
use paymux_core::router::{Decision, Pulse, Router, replay};
use paymux_core::store::Income;
use paymux_core::{Currency, Money};
use serde_json::Value;

/// The record as it lies in the ledger, without what it picked.
fn stored(decision: &Decision) -> Value {
    let mut record: Value = serde_json::from_str(&serde_json::to_string(decision).unwrap()).unwrap();
    record.as_object_mut().unwrap().remove("picked").unwrap();
    record
}

/// Some channels have collected something, several of them as much, some have completed a payment, and calls of some
/// have gone wrong, so that some are out.
pub(super) fn book(dice: &mut Dice, catalog: &Catalog) {
    let income = |entry: &paymux_core::catalog::ChannelEntry| Income {
        channel: entry.id.clone(),
        day: Day::from_number(20_000),
        money: Money::new(dice.0.i64(0..4), Currency::CNY),
        completed_at: dice.0.bool().then(|| Timestamp::from_ms(dice.0.i64(0..1000))),
    };
    let incomes: Vec<Income> = catalog.channels().iter().map(income).collect();
    catalog.live().book(&incomes);
    for entry in catalog.channels() {
        for _ in 0..dice.0.u32(..6) {
            catalog.live().hear(&entry.id, Pulse::Ill, Mono(Duration::ZERO), &catalog.health);
        }
    }
    if dice.0.bool() {
        catalog.live().turn(Mono(catalog.health.cooldown));
    }
}

#[test]
fn a_record_makes_its_pick_again_for_every_strategy() {
    let mut dice = Dice(fastrand::Rng::with_seed(6));
    let mut choices: BTreeMap<&str, u32> = BTreeMap::new();
    for _ in 0..400 {
        let catalog = dice.catalog();
        book(&mut dice, &catalog);
        for _ in 0..40 {
            let want = dice.want();
            let tried: Vec<ChannelId> =
                (0..dice.0.usize(..2)).map(|_| channel(&format!("c{}", dice.0.usize(..5)))).collect();
            let picked = Router::new(&catalog).pick(&want.ask(&catalog), &tried, dice.0.u64(..));
            let Ok(picked) = picked else { continue };
            let record = stored(&picked.decision);
            assert_eq!(replay(&record), Ok(Some(picked.channel.id.clone())), "{record}");
            if picked.decision.candidates.iter().filter(|candidate| candidate.eligible).count() > 1 {
                *choices.entry(picked.route.strategy.word()).or_default() += 1;
            }
        }
    }
    for strategy in Strategy::ALL {
        let count = choices.get(strategy.word()).copied().unwrap_or(0);
        assert!(count > 100, "{strategy}: {count} choices among several");
    }
}

#[test]
fn a_record_of_a_refusal_picks_nobody_again() {
    let mut dice = Dice(fastrand::Rng::with_seed(7));
    let mut refusals = 0;
    for _ in 0..100 {
        let (catalog, want) = (dice.catalog(), dice.want());
        let decision = Router::new(&catalog).explain(&want.ask(&catalog), dice.0.u64(..));
        if decision.picked.is_none() {
            assert_eq!(replay(&stored(&decision)), Ok(None));
            refusals += 1;
        }
    }
    assert!(refusals > 20, "{refusals}");
}
