//! The line from the merchant who calls: it breaks anywhere in a request or its answer, while paymux is told
//! to stop and starts again. What was begun is ended, once, whoever still listens.
//!
//! `PAYMUX_CHAOS_STOPS` says how often it is told to stop (default 10), `PAYMUX_CHAOS_CUTS` how many connections
//! are cut in all (default 250), and `PAYMUX_CHAOS_SEED` replays a run's choices.

use std::sync::Arc;
use std::time::Duration;

use paymux_sim::{CallFault, Rule, SimConfig};
use paymux_testkit::chaos::{ChaosProxy, Direction, End, Toxic};
use tokio::time::{sleep, timeout};

use crate::crash::{Customers, judge};
use crate::database::Kind;
use crate::told::number;
use crate::world::World;

/// How often the line is made to break for each connection that is to be cut, at the most: not every break
/// strikes.
const BREAKS_MAX: u64 = 20;
/// How far apart the breaks are, at the most, and how long each may take to strike.
const PAUSE_MS_MAX: u64 = 10;
const STRIKE_MAX: Duration = Duration::from_millis(250);
/// Where a connection breaks, at the latest: it carries some requests and answers of a few hundred bytes.
const BYTES_MAX: u64 = 3000;
/// How long everything may take to settle afterwards, and how much longer for each connection that was cut.
const SETTLE_MAX: Duration = Duration::from_mins(1);
const SETTLE_PER_CUT: Duration = Duration::from_millis(20);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_hang_up_and_stops_under_load_leave_nothing_half() {
    let (stops, cuts) = (number("PAYMUX_CHAOS_STOPS", 10), number("PAYMUX_CHAOS_CUTS", 250));
    let seed = number("PAYMUX_CHAOS_SEED", fastrand::u64(..));
    let mut dice = fastrand::Rng::with_seed(seed);
    let sim = SimConfig { seed, time_scale: 100.try_into().unwrap(), ..SimConfig::default() };
    let mut world = World::start_hasty(Kind::Sqlite, sim).await;
    // So that whoever hangs up, and whatever stops, does so in the middle of calls too.
    world.bank().strike_call(Rule::chance(300_000, CallFault::Latency { ms: 40 })).unwrap();
    let line = ChaosProxy::start(world.address(), seed).await.unwrap();
    let base = format!("http://{}", line.address());
    let customers = Arc::new(Customers::new(&base, world.bank().clone(), dice.u64(..)));
    let working = tokio::spawn(customers.clone().work());
    for stop in 1..=stops {
        cut(&line, cuts * stop / stops, &mut dice).await;
        // It must end in order and in good time.
        world.restart().await;
        if stop.is_multiple_of(10) {
            println!("{stop} of {stops} stops, {} of {cuts} cuts", line.struck());
        }
    }
    line.heal();
    assert!(line.struck() >= cuts, "seed {seed}: {} of {cuts} cuts struck", line.struck());
    world.bank().clear_faults();
    customers.stop();
    working.await.unwrap();
    let span = SETTLE_MAX + SETTLE_PER_CUT * u32::try_from(cuts).unwrap();
    let verdict = judge::settle(&customers, &world, span).await;
    println!(
        "chaos, seed {seed}: {stops} stops and {} cuts, {} payments acknowledged, {} paid, {} refunds, {} half",
        line.struck(),
        verdict.payments,
        verdict.paid,
        verdict.refunds,
        verdict.faults.len()
    );
    assert!(verdict.faults.is_empty(), "seed {seed}: {:#?}", verdict.faults);
    assert!(verdict.payments > stops * 2 && verdict.paid > stops, "too little work: {verdict:?}");
    verdict.has_seen_all();
    world.end().await;
}

/// Breaks the line again and again until so many connections were cut since it was laid.
async fn cut(line: &ChaosProxy, goal: u64, dice: &mut fastrand::Rng) {
    for _ in 0..goal.saturating_sub(line.struck()) * BREAKS_MAX {
        if line.struck() >= goal {
            return;
        }
        sleep(Duration::from_millis(dice.u64(0..=PAUSE_MS_MAX))).await;
        let direction = if dice.bool() { Direction::Up } else { Direction::Down };
        let end = if dice.bool() { End::Reset } else { End::Close };
        strike(line, direction, Toxic::Cut { after: dice.u64(0..BYTES_MAX), end }).await;
    }
}

/// Sets the toxic and waits until it has struck, if it does so in good time: the callers may have nothing
/// to say just now.
async fn strike(line: &ChaosProxy, direction: Direction, toxic: Toxic) {
    let before = line.struck();
    line.once(direction, toxic);
    let struck = async {
        while line.struck() == before {
            sleep(Duration::from_millis(1)).await;
        }
    };
    let _ = timeout(STRIKE_MAX, struck).await;
}
