//! The crash harness: the real binary under work, killed with `SIGKILL` again and again.
//!
//! The parent process holds the provider (simulated, with its own books), the merchant's endpoint
//! and the customers; it writes down every answer that acknowledged something. After the last kill
//! the books are compared: see [`judge`]. `PAYMUX_CRASH_KILLS` says how many kills at random moments
//! there are on each store (default 100), `PAYMUX_CRASH_SEED` replays a run's choices.
//!
//! In a build with the feature `crash-points`, as `cargo xtask crash` makes it, the process also dies
//! once at each crash point: see `points`.
//!
//! A kill is not a power cut: what the operating system has taken survives it. That the disk has
//! it is read back from the database's settings at start.

mod customers;
mod errands;
pub(crate) mod judge;
mod operator;
#[cfg(feature = "crash-points")]
mod points;
mod refunds;
mod transfers;

use std::sync::Arc;
use std::time::Duration;

use paymux_sim::{CallFault, NoticeFault, Rule, SimConfig};

use crate::database::Kind;
use crate::process::ended;
use crate::told::number;
use crate::world::World;

pub(crate) use customers::Customers;
use judge::Verdict;
use operator::Operator;

/// How long after a start the kill comes, at the most.
const LIFE_MS_MAX: u64 = 250;
/// How long everything may take to settle after the last kill.
const SETTLE_MAX: Duration = Duration::from_mins(2);
/// Every so manieth notice is refused once.
const REFUSED_EACH: usize = 17;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_on_sqlite() {
    crash(Kind::Sqlite, kills()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_on_postgresql() {
    crash(Kind::Postgres, kills()).await;
}

fn kills() -> u32 {
    number("PAYMUX_CRASH_KILLS", 100).try_into().unwrap()
}

async fn crash(kind: Kind, kills: u32) {
    let seed = number("PAYMUX_CRASH_SEED", 1);
    let mut dice = fastrand::Rng::with_seed(seed);
    // A repeat after 2 s comes after 20 ms, so that kills and repeats meet often. Only money bounds refunds.
    let sim = SimConfig {
        seed,
        time_scale: 100.try_into().unwrap(),
        refunds_per_order: 100,
        ..SimConfig::default()
    };
    let mut world = World::start_with_failover(kind, sim).await;
    world.merchant.refuse_each(REFUSED_EACH);
    // Calls of different length, so that a kill finds payments in every step.
    for ms in [5, 40] {
        world.bank().strike_call(Rule::chance(300_000, CallFault::Latency { ms })).unwrap();
    }
    world.bank().strike_notice(Rule::chance(200_000, NoticeFault::Duplicate)).unwrap();
    let base = format!("http://{}", world.address());
    let customers = Arc::new(Customers::new(&base, world.bank().clone(), dice.u64(..)));
    let working = tokio::spawn(customers.clone().work());
    let operator = Arc::new(Operator::beside(&world));
    let operating = tokio::spawn(operator.clone().work());
    for kill in 1..=kills {
        tokio::time::sleep(Duration::from_millis(dice.u64(0..=LIFE_MS_MAX))).await;
        world.kill().await;
        world.up().await;
        if kill.is_multiple_of(20) {
            println!("{kind:?}: {kill} of {kills} kills, {} payments acknowledged", customers.acknowledged());
        }
    }
    let points = strike_points(kind, &mut world, &mut dice).await;
    world.bank().clear_faults();
    customers.stop();
    working.await.unwrap();
    operator.stop();
    operating.await.unwrap();
    let mut verdict = judge::settle(&customers, &world, SETTLE_MAX).await;
    verdict.faults.extend(judge::lost_words(&operator.said(), &world).await);
    let doctor = ended(["doctor", "-c", world.file().to_str().unwrap()]).await;
    verdict.faults.extend((doctor.code != Some(0)).then(|| format!("doctor: {}{}", doctor.out, doctor.err)));
    println!("{} of an operator's words acknowledged", operator.said().transfers.len());
    report(kind, seed, [kills, points], &verdict);
    assert!(verdict.faults.is_empty(), "seed {seed}: {:#?}", verdict.faults);
    assert!(verdict.payments >= u64::from(kills), "too little work: {verdict:?}");
    verdict.has_seen_all();
    assert!(verdict.failed_over > 0, "no failover: {verdict:?}");
    let is_silent = operator.said().transfers.is_empty();
    assert!(!is_silent || cfg!(not(feature = "crash-points")), "no operator's word: {verdict:?}");
    world.end().await;
}

/// Dies at each crash point once; how many there were.
#[cfg(feature = "crash-points")]
async fn strike_points(kind: Kind, world: &mut World, dice: &mut fastrand::Rng) -> u32 {
    let names = points::on(kind);
    for name in &names {
        points::strike(world, name, dice).await;
    }
    println!("{kind:?}: died at each of {} crash points", names.len());
    u32::try_from(names.len()).unwrap()
}

/// This build has none.
#[cfg(not(feature = "crash-points"))]
#[expect(clippy::unused_async, reason = "the other build waits")]
async fn strike_points(_: Kind, _: &mut World, _: &mut fastrand::Rng) -> u32 {
    0
}

fn report(kind: Kind, seed: u64, [kills, points]: [u32; 2], verdict: &Verdict) {
    println!(
        "crash harness, {kind:?}, seed {seed}: {kills} kills and {points} crash points, {} payments acknowledged, \
         {} failed over, {} paid, {} canceled, {} refunds acknowledged, {} of all refunds unknown, {} transfers \
         acknowledged, {} of all transfers done, {} callbacks acknowledged, {} notices taken, {} repeats of them, \
         {} lost or doubled",
        verdict.payments,
        verdict.failed_over,
        verdict.paid,
        verdict.canceled,
        verdict.refunds,
        verdict.refunds_unknown,
        verdict.transfers,
        verdict.paid_out,
        verdict.callbacks,
        verdict.notices,
        verdict.repeats,
        verdict.faults.len(),
    );
}
