//! One run: start, work, kill, again and again; then settle and judge.

use std::sync::Arc;
use std::time::Duration;

use paymux_sim::{BeeCloudSim, CallFault, PayerHabit, Rule, SimConfig};

use crate::child::{Child, Site};
use crate::customers::Customers;
use crate::database::Database;
use crate::judge::{self, Verdict};
use crate::merchant::Merchant;

/// How long after a start the kill comes, at the most.
const LIFE_MS_MAX: u64 = 250;
/// How long everything may take to settle after the last kill.
const SETTLE_MAX: Duration = Duration::from_mins(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_on_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}", folder.path().join("ledger.db").display());
    crash("sqlite", &url, kills()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_on_postgresql() {
    let database = Database::create().await;
    crash("postgresql", &database.url(), kills().div_ceil(5)).await;
    database.drop().await;
}

fn kills() -> u32 {
    number("PAYMUX_CRASH_KILLS", 100).try_into().unwrap()
}

#[expect(clippy::disallowed_methods, reason = "a harness is told how long to run by its environment")]
fn number(name: &str, default: u64) -> u64 {
    match std::env::var(name) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{name}=`{text}`: write a number")),
        Err(_) => default,
    }
}

async fn crash(store: &str, store_url: &str, kills: u32) {
    let seed = number("PAYMUX_CRASH_SEED", 1);
    let mut dice = fastrand::Rng::with_seed(seed);
    let merchant = Merchant::start().await;
    let account = BeeCloudSim::account("main", seed, None);
    let settings = account.settings.clone();
    let sim = BeeCloudSim::start(SimConfig {
        accounts: vec![account],
        seed,
        // A repeat after 2 s comes after 20 ms, so that kills and repeats meet often.
        time_scale: 100.try_into().unwrap(),
        payer: PayerHabit::Waits,
        ..SimConfig::default()
    })
    .await
    .unwrap();
    // Calls of different length, so that a kill finds payments in every step.
    let slow = |ms, per_million| Rule::chance(per_million, CallFault::Latency { ms });
    sim.bank().strike_call(slow(5, 300_000)).unwrap();
    sim.bank().strike_call(slow(40, 300_000)).unwrap();

    let site = Site::new(store_url, &sim.base_url(), &settings, &merchant.url()).await;
    let customers = Arc::new(Customers::new(&site.base_url(), sim.bank().clone(), dice.u64(..)));
    let working = tokio::spawn(customers.clone().work());
    for kill in 1..=kills {
        let child = Child::start(&site).await;
        tokio::time::sleep(Duration::from_millis(dice.u64(0..=LIFE_MS_MAX))).await;
        child.kill().await;
        if kill.is_multiple_of(20) {
            println!("{store}: {kill} of {kills} kills, {} payments acknowledged", customers.acknowledged());
        }
    }
    sim.bank().clear_faults();
    let child = Child::start(&site).await;
    customers.stop();
    working.await.unwrap();
    let verdict = judge::settle(&customers, &merchant, sim.bank(), SETTLE_MAX).await;
    child.terminate().await;
    report(store, seed, kills, &verdict);
    assert!(verdict.faults.is_empty(), "seed {seed}: {:#?}", verdict.faults);
    // A run in which nothing happened proves nothing.
    assert!(verdict.payments >= u64::from(kills) && verdict.paid > 0, "too little work: {verdict:?}");
    sim.stop().await;
}

fn report(store: &str, seed: u64, kills: u32, verdict: &Verdict) {
    println!(
        "crash harness, {store}, seed {seed}: {kills} kills, {} payments acknowledged, {} paid, {} notices taken, \
         {} repeats of them, {} lost or doubled",
        verdict.payments,
        verdict.paid,
        verdict.notices,
        verdict.repeats,
        verdict.faults.len(),
    );
}
