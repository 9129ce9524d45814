//! The line to the provider: a create that is cut anywhere makes one order at the most, and what
//! became of it is asked for, never guessed.

use std::time::Duration;

use paymux_server::plugins::Simulated;
use paymux_sim::SimConfig;
use paymux_testkit::chaos::{ChaosProxy, Direction, End, Toxic};
use serde_json::{Value, json};

use crate::database::Kind;
use crate::http::Answer;
use crate::lines::Lines;
use crate::world::{SHOP, World, order, settings};

/// A paymux that could turn to a second account, and must not where the first may have an order.
async fn frail_world() -> (World, Lines) {
    let spare = Simulated::BeeCloud.account("spare", fastrand::u64(..), None);
    let sim = SimConfig { accounts: vec![spare.clone()], ..SimConfig::default() };
    World::start_frail(Kind::Sqlite, sim, |text| with_spare(text, &settings(&spare))).await
}

fn with_spare(text: &str, settings: &str) -> String {
    let base_url = text.lines().find(|line| line.starts_with("base_url")).unwrap();
    text.replace(
        "channels = [\"bee\"]",
        "channels = [\"bee\", \"spare\"]\nfailover = 1\nfailover_unknown = \"never\"",
    ) + &format!(
        "[[channels]]\nid = \"spare\"\nprovider = \"beecloud\"\n[channels.settings]\n{base_url}\n{settings}\n"
    )
}

#[tokio::test]
async fn a_create_cut_anywhere_makes_one_order_and_the_truth_comes_out() {
    let (world, lines) = frail_world().await;
    let mut cuts = 0;
    for direction in [Direction::Up, Direction::Down] {
        for end in [End::Close, End::Reset] {
            let mut after = 0;
            while cut_create(&world, &lines.provider, direction, Toxic::Cut { after, end }).await {
                // Each byte where a message begins, then in steps that meet every part of it.
                after += if after < 4 { 1 } else { 19 };
                cuts += 1;
            }
        }
    }
    // A create and its answer are a few hundred bytes each; fewer cuts than this met only a part.
    assert!(cuts > 40, "{cuts} cuts");
    world.end().await;
}

/// One payment whose create call meets that toxic; whether the toxic struck.
async fn cut_create(world: &World, proxy: &ChaosProxy, direction: Direction, toxic: Toxic) -> bool {
    let case = format!("{direction:?} {toxic:?}");
    let struck_before = proxy.struck();
    let orders_before = world.bank().orders().len();
    proxy.once(direction, toxic);
    let body = order(&format!("A{}", fastrand::u64(..)));
    let created = world.create(&body).await;
    let struck = proxy.struck() > struck_before;
    proxy.heal();
    assert_eq!(created.status, 201, "{case}: {}", created.text);
    let orders = world.bank().orders().len() - orders_before;
    assert!(orders <= 1, "{case}: {orders} orders");
    if !struck || direction == Direction::Down {
        assert_eq!(orders, 1, "{case}: the request had come whole");
    }
    check_shown(&case, &created.body, orders);
    check_repeat(world, &case, &body, &created.body).await;
    check_truth(world, &case, &created.body, orders).await;
    struck
}

/// A code is shown only for an order that exists; what is not known is `processing`, and no failure.
fn check_shown(case: &str, payment: &Value, orders: usize) {
    let is_shown = payment["next_action"]["qr"].is_string();
    let want = if is_shown { ("pending", "open") } else { ("processing", "unknown") };
    let state = &payment["attempts"][0]["state"];
    assert_eq!((&payment["status"], state), (&json!(want.0), &json!(want.1)), "{case}: {payment}");
    assert!(!is_shown || orders == 1, "{case}: a code for no order");
    assert_eq!(payment["attempts"].as_array().unwrap().len(), 1, "{case}: {payment}");
}

/// A merchant that asks again gets the same payment, and the provider no second order.
async fn check_repeat(world: &World, case: &str, body: &Value, payment: &Value) {
    let orders = world.bank().orders().len();
    let again = world.create(body).await;
    assert_eq!((again.status, &again.body["id"]), (200, &payment["id"]), "{case}: {}", again.text);
    assert_eq!(world.bank().orders().len(), orders, "{case}: a second order");
}

/// The provider is asked: what exists can be paid and is then booked, what does not stays in doubt.
async fn check_truth(world: &World, case: &str, payment: &Value, orders: usize) {
    let path = format!("/v1/payments/{}", payment["id"].as_str().unwrap());
    let Answer { status, body: asked, .. } = world.http.post(SHOP, &format!("{path}/sync"), "").await;
    assert_eq!(status, 200, "{case}: {asked}");
    let number = payment["provider_order_no"].as_str().unwrap();
    if orders == 0 {
        assert_eq!(asked["status"], "processing", "{case}: {asked}");
        assert_eq!(asked["attempts"][0]["state"], "unknown", "{case}: {asked}");
        return;
    }
    assert_eq!(asked["attempts"][0]["state"], "open", "{case}: {asked}");
    world.bank().pay(number).unwrap();
    let id = payment["id"].as_str().unwrap();
    let paid = world.payment_once(id, |payment| payment["status"] == "succeeded").await;
    assert_eq!(paid["amount_received"], 1999, "{case}: {paid}");
    assert_eq!(world.bank().stats().creates(number), 1, "{case}");
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_by_itself() {
    let (world, lines) = frail_world().await;
    lines.provider.once(Direction::Down, Toxic::Cut { after: 0, end: End::Reset });
    let created = world.create(&order("A1001")).await.body;
    assert_eq!((&created["status"], lines.provider.struck()), (&json!("processing"), 1), "{created}");
    let number = created["provider_order_no"].as_str().unwrap();
    // Nobody tells: the callback is lost too.
    world.bank().strike_notice(paymux_sim::Rule::chance(1_000_000, paymux_sim::NoticeFault::Lost)).unwrap();
    world.bank().pay(number).unwrap();
    let id = created["id"].as_str().unwrap();
    let paid = world.payment_once(id, |payment| payment["status"] == "succeeded").await;
    assert_eq!((&paid["amount_received"], &paid["attempts"][0]["state"]), (&json!(1999), &json!("paid")));
    assert_eq!(world.notices_once(1).await[0].body["type"], "payment.succeeded");
    world.end().await;
}

#[tokio::test]
async fn a_line_that_goes_dead_is_an_unknown_and_no_failure() {
    let (world, lines) = frail_world().await;
    for direction in [Direction::Up, Direction::Down] {
        lines.provider.set(direction, Toxic::Stall { after: 0 });
        let created = world.create(&order(&format!("A-{direction:?}"))).await.body;
        assert_eq!(created["status"], "processing", "{direction:?}: {created}");
        assert_eq!(created["attempts"][0]["state"], "unknown", "{direction:?}: {created}");
        lines.provider.heal();
        let path = format!("/v1/payments/{}/sync", created["id"].as_str().unwrap());
        let asked = world.http.post(SHOP, &path, "").await.body;
        let number = created["provider_order_no"].as_str().unwrap();
        // Bytes that lay in the dead line arrive when it lives again, as they may in earnest: the order
        // is there or not, and both are told as they are.
        let state = if world.bank().order(number).is_some() { "open" } else { "unknown" };
        assert!(asked["attempts"][0]["state"] == state || asked["status"] == "processing", "{asked}");
    }
    assert!(world.bank().orders().len() <= 2);
    world.end().await;
}

#[tokio::test]
async fn a_provider_that_nobody_reaches_is_a_definite_failure() {
    let (world, mut lines) = frail_world().await;
    lines.provider.refuse().await;
    lines.provider.sever(End::Close);
    let created = world.create(&order("A1001")).await;
    assert_eq!((created.status, &created.body["status"]), (201, &json!("failed")), "{}", created.text);
    let states: Vec<&Value> =
        created.body["attempts"].as_array().unwrap().iter().map(|attempt| &attempt["state"]).collect();
    assert_eq!(states, ["not_sent", "not_sent"], "both accounts were tried");
    lines.provider.welcome().await.unwrap();
    let created = world.create(&order("A1002")).await;
    assert_eq!(created.body["status"], "pending", "{}", created.text);
    assert_eq!(world.bank().orders().len(), 1);
    world.end().await;
}

#[tokio::test]
async fn a_slow_line_is_only_slow() {
    let (world, lines) = frail_world().await;
    let least = Duration::from_millis(100);
    lines.provider.set(Direction::Up, Toxic::Latency { least, jitter: least });
    lines.provider.set(Direction::Down, Toxic::Bandwidth { bytes_per_second: 4000 });
    let created = world.create(&order("A1001")).await;
    assert_eq!((created.status, &created.body["status"]), (201, &json!("pending")), "{}", created.text);
    world.end().await;
}
