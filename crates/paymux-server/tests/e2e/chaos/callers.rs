//! The line from the merchant who calls: it breaks anywhere in a request or its answer, while paymux is told
//! to stop and starts again. What was begun is ended, once, whoever still listens.

use std::sync::Arc;
use std::time::Duration;

use paymux_sim::{CallFault, Rule, SimConfig};
use paymux_testkit::chaos::{ChaosProxy, Direction, End, Toxic};
use tokio::time::{sleep, timeout};

use crate::crash::{Customers, judge};
use crate::database::Kind;
use crate::world::World;

/// How often paymux is told to stop, and how often the line is made to break before each.
const STOPS: u64 = 10;
const BREAKS: u64 = 25;
/// How far apart the breaks are, at the most, and how long each may take to strike.
const PAUSE_MS_MAX: u64 = 10;
const STRIKE_MAX: Duration = Duration::from_millis(250);
/// Where a connection breaks, at the latest: it carries some requests and answers of a few hundred bytes.
const BYTES_MAX: u64 = 3000;
/// How long everything may take to settle afterwards.
const SETTLE_MAX: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_hang_up_and_stops_under_load_leave_nothing_half() {
    let seed = fastrand::u64(..);
    let mut dice = fastrand::Rng::with_seed(seed);
    let sim = SimConfig { seed, time_scale: 100.try_into().unwrap(), ..SimConfig::default() };
    let mut world = World::start_hasty(Kind::Sqlite, sim).await;
    // So that whoever hangs up, and whatever stops, does so in the middle of calls too.
    world.bank().strike_call(Rule::chance(300_000, CallFault::Latency { ms: 40 })).unwrap();
    let line = ChaosProxy::start(world.address(), seed).await.unwrap();
    let base = format!("http://{}", line.address());
    let customers = Arc::new(Customers::new(&base, world.bank().clone(), dice.u64(..)));
    let working = tokio::spawn(customers.clone().work());
    for _ in 0..STOPS {
        for _ in 0..BREAKS {
            sleep(Duration::from_millis(dice.u64(0..=PAUSE_MS_MAX))).await;
            let direction = if dice.bool() { Direction::Up } else { Direction::Down };
            let end = if dice.bool() { End::Reset } else { End::Close };
            strike(&line, direction, Toxic::Cut { after: dice.u64(0..BYTES_MAX), end }).await;
        }
        // It must end in order and in good time.
        world.restart().await;
    }
    line.heal();
    assert!(line.struck() > STOPS * BREAKS / 4, "{} cuts struck", line.struck());
    world.bank().clear_faults();
    customers.stop();
    working.await.unwrap();
    let verdict = judge::settle(&customers, &world, SETTLE_MAX).await;
    assert!(verdict.faults.is_empty(), "seed {seed}: {:#?}", verdict.faults);
    assert!(verdict.payments > STOPS * 2 && verdict.paid > STOPS, "too little work: {verdict:?}");
    world.end().await;
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
