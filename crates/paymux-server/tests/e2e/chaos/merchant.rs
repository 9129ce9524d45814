//! The line to the merchant: an endpoint that hangs is told later, and delays nobody else.

use std::collections::BTreeSet;
use std::time::Duration;

use paymux_sim::SimConfig;
use paymux_testkit::chaos::{Direction, Toxic};
use tokio::time::{Instant, sleep, timeout};

use crate::database::Kind;
use crate::merchant::Merchant;
use crate::process::PATIENCE;
use crate::world::{NOTIFY_SECRET, OTHER, World, order};

/// How many payments of the app whose endpoint hangs are told at once: far more than may be under way.
const HANGING: usize = 240;
/// How long another app waits for its notice meanwhile, at the most: far less than a call may hang.
const WAIT_MAX: Duration = Duration::from_secs(3);

#[tokio::test]
async fn a_hanging_endpoint_delays_nobody_else_and_is_told_in_the_end() {
    let other = Merchant::open(NOTIFY_SECRET).await;
    let own =
        format!("id = \"other\"\nnotify_url = \"{}\"\nnotify_secret = \"{NOTIFY_SECRET}\"", other.url());
    let shape = |text: &str| {
        let text = text.replace("id = \"other\"", &own).replace("notice_ms = 2000", "notice_ms = 15000");
        format!("{text}[notices]\nretry_ms = [1000, 1000, 1000, 1000, 1000, 1000, 1000, 1000]\n")
    };
    let (world, lines) = World::start_frail(Kind::Sqlite, SimConfig::default(), shape).await;
    lines.merchant.set(Direction::Up, Toxic::Stall { after: 0 });
    for place in 0..HANGING {
        let created = world.create(&order(&format!("A{place}"))).await.body;
        world.bank().pay(created["provider_order_no"].as_str().unwrap()).unwrap();
    }
    // All that may hang at once does by then: no other call begins.
    let mut hanging = 0;
    while hanging == 0 || hanging < lines.merchant.struck() {
        hanging = lines.merchant.struck();
        sleep(Duration::from_secs(1)).await;
    }
    let created = world.http.post(OTHER, "/v1/payments", order("B1")).await.body;
    world.bank().pay(created["provider_order_no"].as_str().unwrap()).unwrap();
    let begun = Instant::now();
    let told = other.notices_once(1).await;
    assert!(hanging < 32, "{hanging} calls to one endpoint");
    assert!(begun.elapsed() < WAIT_MAX, "told after {:?}", begun.elapsed());
    assert_eq!(told[0].body["data"]["order_no"], "B1");
    assert!(world.merchant.notices().is_empty(), "the other app was told while this one hangs");

    lines.merchant.heal();
    let told = || -> BTreeSet<String> {
        let notices = world.merchant.notices();
        notices.iter().map(|notice| notice.body["data"]["order_no"].as_str().unwrap().to_owned()).collect()
    };
    let all = async {
        while told().len() < HANGING {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, all).await.expect("each payment is told in the end");
    world.end().await;
}
