//! Two nodes on one PostgreSQL. One stands still, in the middle of what it does, for longer than others
//! wait for it, and then goes on: nothing is sent twice, and what it knows by then counts for nothing.
//! `PAYMUX_NODE_PAUSES` says how often it stands still (default 3).

use std::sync::Arc;
use std::time::Duration;

use paymux_sim::{CallFault, Rule, SimConfig};
use tokio::time::sleep;

use crate::crash::{Customers, judge};
use crate::database::Kind;
use crate::told::number;
use crate::world::World;

/// Where it stands still, in a build with crash points, and for how long: beyond the deadline of a
/// sender and its margin (6 s here), and once beyond the lease of a worker (18 s).
const PAUSES: [(&str, Duration); 3] = [
    ("create.before_call:delay-900:20", Duration::from_secs(7)),
    ("create.before_outcome:delay-900:20", Duration::from_secs(7)),
    ("sweep.after_take:delay-900:1", Duration::from_secs(19)),
];
/// How long after its start it stands still.
const RUN_UP: Duration = Duration::from_millis(500);
/// How long everything may take to settle afterwards, and how much longer for each pause.
const SETTLE_MAX: Duration = Duration::from_mins(1);
const SETTLE_PER_PAUSE: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_stood_still_sends_nothing_twice() {
    let seed = fastrand::u64(..);
    let sim = SimConfig { seed, time_scale: 100.try_into().unwrap(), ..SimConfig::default() };
    let mut world = World::start_hasty(Kind::Postgres, sim).await;
    // So that some calls are on their way when it stops.
    world.bank().strike_call(Rule::chance(500_000, CallFault::Latency { ms: 50 })).unwrap();
    let other = world.another().await;
    let base = format!("http://{}", world.address());
    let customers = Arc::new(Customers::new(&base, world.bank().clone(), seed));
    let working = tokio::spawn(customers.clone().work());
    let pauses = u32::try_from(number("PAYMUX_NODE_PAUSES", PAUSES.len() as u64)).unwrap();
    for (point, span) in PAUSES.into_iter().cycle().take(pauses as usize) {
        world.down().await;
        world.up_armed(point).await;
        sleep(RUN_UP).await;
        world.process().send("STOP").await;
        sleep(span).await;
        world.process().send("CONT").await;
    }
    world.bank().clear_faults();
    customers.stop();
    working.await.unwrap();
    let verdict = judge::settle(&customers, &world, SETTLE_MAX + SETTLE_PER_PAUSE * pauses).await;
    println!(
        "nodes, seed {seed}: {pauses} pauses, {} payments acknowledged, {} paid, {} transfers, {} sent twice or lost",
        verdict.payments,
        verdict.paid,
        verdict.transfers,
        verdict.faults.len()
    );
    assert!(verdict.faults.is_empty(), "seed {seed}: {:#?}", verdict.faults);
    assert!(verdict.payments > 40, "too little work: {verdict:?}");
    verdict.has_seen_all();
    assert_eq!(other.signal("TERM").await, Some(0), "an orderly end");
    world.end().await;
}
