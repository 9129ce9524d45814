//! The line to PostgreSQL: it breaks in the middle of writes, is away for seconds, falls silent for as
//! long. Nothing acknowledged is lost, and the service comes back by itself.

use std::sync::Arc;
use std::time::Duration;

use paymux_core::{Verb, WireRequest};
use paymux_sim::SimConfig;
use paymux_testkit::chaos::{Direction, End, Toxic};
use tokio::time::{sleep, timeout};

use crate::crash::{Customers, judge};
use crate::database::Kind;
use crate::http::Http;
use crate::lines::Lines;
use crate::process::PATIENCE;
use crate::world::{SHOP, World, order};

/// How often the line breaks while customers order and pay, at the least; it goes on until so many of their
/// payments were acknowledged, however slow the machine is, but not for ever.
const BREAKS: u64 = 40;
const BREAKS_MAX: u64 = 600;
const PAYMENTS_MIN: usize = 40;
/// How far apart, at the most.
const PAUSE_MS_MAX: u64 = 80;
/// How long the database is away at a stretch.
const AWAY: Duration = Duration::from_secs(2);
/// How long everything may take to settle afterwards.
const SETTLE_MAX: Duration = Duration::from_mins(1);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_line_that_breaks_in_the_middle_of_writes_loses_nothing() {
    let seed = fastrand::u64(..);
    let mut dice = fastrand::Rng::with_seed(seed);
    let sim = SimConfig { seed, time_scale: 100.try_into().unwrap(), ..SimConfig::default() };
    let (world, mut lines) = World::start_frail(Kind::Postgres, sim, str::to_owned).await;
    let base = format!("http://{}", world.address());
    let customers = Arc::new(Customers::new(&base, world.bank().clone(), dice.u64(..)));
    let working = tokio::spawn(customers.clone().work());
    for turn in 0..BREAKS_MAX {
        if turn >= BREAKS && customers.acknowledged() >= PAYMENTS_MIN {
            break;
        }
        sleep(Duration::from_millis(dice.u64(0..=PAUSE_MS_MAX))).await;
        let (line, after) = (lines.database(), dice.u64(0..4000));
        match turn % 4 {
            0 => line.once(Direction::Up, Toxic::Cut { after, end: End::Reset }),
            1 => line.once(Direction::Down, Toxic::Cut { after, end: End::Reset }),
            2 => line.once(Direction::Down, Toxic::Cut { after, end: End::Close }),
            _ => line.sever(End::Reset),
        }
    }
    lines.database().heal();
    assert!(lines.database().struck() > BREAKS / 4, "{} cuts struck", lines.database().struck());
    away(&world, &mut lines).await;
    customers.stop();
    working.await.unwrap();
    let verdict = judge::settle(&customers, &world, SETTLE_MAX).await;
    assert!(verdict.faults.is_empty(), "seed {seed}: {:#?}", verdict.faults);
    assert!(verdict.payments >= PAYMENTS_MIN as u64, "too little work: {verdict:?}");
    verdict.has_seen_all();
    world.end().await;
}

/// The server is gone for a while: the service says so, acknowledges nothing, and comes back by itself.
async fn away(world: &World, lines: &mut Lines) {
    lines.database().refuse().await;
    lines.database().sever(End::Reset);
    ready_once(world, 503).await;
    let refused = world.create(&order("while-away")).await;
    assert_eq!(refused.status, 503, "{}", refused.text);
    let callback = WireRequest::new(Verb::Post, "/notify/bee").body("application/json", "{}");
    let kept = world.http.send("", callback).await.unwrap();
    assert_ne!((kept.status, kept.text.as_str()), (200, "success"), "what is not stored is not acknowledged");
    sleep(AWAY).await;
    lines.database().welcome().await.unwrap();
    ready_once(world, 200).await;
}

async fn ready_once(world: &World, status: u16) {
    let asking = async {
        while world.http.get("", "/readyz").await.status != status {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, asking).await.unwrap_or_else(|_| panic!("/readyz never answered {status}"));
}

#[tokio::test]
async fn a_line_that_falls_silent_for_seconds_goes_on() {
    let (world, mut lines) = World::start_frail(Kind::Postgres, SimConfig::default(), str::to_owned).await;
    let before = world.create(&order("A1001")).await.body;
    for direction in [Direction::Up, Direction::Down] {
        lines.database().set(direction, Toxic::Stall { after: 0 });
    }
    let base = format!("http://{}", world.address());
    let waiting = tokio::spawn(async move { Http::new(&base).post(SHOP, "/v1/payments", order("B1")).await });
    ready_once(&world, 503).await;
    let paid = before["provider_order_no"].as_str().unwrap();
    world.bank().pay(paid).unwrap();
    sleep(AWAY).await;
    let told = world.bank().order(paid).unwrap();
    assert!(!told.is_acknowledged(), "nothing can be stored, and yet: {:?}", told.notices);
    lines.database().heal();

    ready_once(&world, 200).await;
    let waited = waiting.await.unwrap();
    assert!(matches!(waited.status, 201 | 503), "{}", waited.text);
    let again = world.create(&order("B1")).await;
    assert!(matches!(again.status, 200 | 201), "{}", again.text);
    let id = before["id"].as_str().unwrap();
    world.payment_once(id, |payment| payment["status"] == "succeeded").await;
    let number = again.body["provider_order_no"].as_str().unwrap();
    assert!(world.bank().stats().creates(number) <= 1, "{}", again.text);
    world.end().await;
}
