//! Notices out: signed, told at least once, on the schedule, and nobody holds another up.

use std::time::Duration;

use crate::world::{NOTIFY_KEY, OLD_NOTIFY_KEY, World, channel};
use paymux_core::notices::SCHEDULE;
use paymux_core::transport::{NoAnswer, Outgoing, Undelivered};
use paymux_core::wire::WireResponse;
use paymux_core::{Clock, Money, Payment};
use paymux_sign::{ReceivedWebhook, WebhookSecret};
use paymux_testkit::channel::callback;
use serde_json::json;

async fn paid_payment(world: &World, patch: serde_json::Value) -> Payment {
    let payment = world.created(patch).await;
    let request = callback(payment.attempts[0].number.as_str(), Money::fen(1999), "T1");
    world.payments.take_callback(channel("a"), request).await.unwrap();
    payment
}

fn verify(world: &World, call: &Outgoing, key: &str) -> bool {
    let header = |name| call.request.headers.first(name).unwrap();
    let received = ReceivedWebhook {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
        body: &call.request.body,
    };
    received.verify(&[WebhookSecret::parse(key).unwrap()], world.clock.now().seconds()).is_ok()
}

#[tokio::test(start_paused = true)]
async fn a_notice_is_signed_with_the_current_and_the_previous_secret() {
    let world = World::new();
    let payment = paid_payment(&world, json!({})).await;
    world.told().await;
    let call = &world.transport.notices()[0];
    assert_eq!(call.endpoint.as_str(), "https://shop.example/");
    assert_eq!((call.request.path.as_str(), call.request.query.as_deref()), ("/hook", Some("from=paymux")));
    assert_eq!(call.request.headers.first("content-type"), Some("application/json"));
    assert!(verify(&world, call, NOTIFY_KEY) && verify(&world, call, OLD_NOTIFY_KEY));
    assert!(!verify(&world, call, "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="));
    let body: serde_json::Value = serde_json::from_slice(&call.request.body).unwrap();
    assert_eq!(body["type"], "payment.succeeded");
    let data = &body["data"];
    assert_eq!(data["id"], payment.id.to_string());
    assert_eq!((&data["status"], &data["amount_received"]), (&json!("succeeded"), &json!(1999)));
    assert_eq!(
        (&data["sequence"], &data["late"], &data["previous_status"]),
        (&json!(1), &json!(false), &json!("pending"))
    );
}

#[tokio::test(start_paused = true)]
async fn a_failed_notice_is_told_again_by_the_schedule_with_the_same_id_and_body() {
    let world = World::new();
    paid_payment(&world, json!({})).await;
    for _ in 0..=SCHEDULE.len() {
        world.transport.answer(Err(Undelivered::NoAnswer(NoAnswer::TimedOut)));
    }
    assert_eq!(world.payments.deliver().await.unwrap(), 1);
    for pause in SCHEDULE {
        assert_eq!(world.payments.deliver().await.unwrap(), 0, "not before its time");
        world.clock.advance(pause + pause / 10 + Duration::from_millis(1)).await;
        assert_eq!(world.payments.deliver().await.unwrap(), 1);
    }
    world.clock.advance(Duration::from_hours(24 * 30)).await;
    assert_eq!(world.payments.deliver().await.unwrap(), 0, "dead after the last");
    let calls = world.transport.notices();
    assert_eq!(calls.len(), SCHEDULE.len() + 1);
    let ids: std::collections::BTreeSet<_> =
        calls.iter().map(|c| c.request.headers.first("webhook-id")).collect();
    let bodies: std::collections::BTreeSet<_> = calls.iter().map(|c| c.request.body.clone()).collect();
    assert_eq!((ids.len(), bodies.len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_merchant_can_ask_for_patience_and_for_silence() {
    let world = World::new();
    paid_payment(&world, json!({})).await;
    let mut later = WireResponse::with_status(429, "text/plain", "");
    later.headers.push("retry-after", "120");
    world.transport.answer(Ok(later));
    world.transport.answer(Ok(WireResponse::with_status(410, "text/plain", "")));
    assert_eq!(world.payments.deliver().await.unwrap(), 1);
    world.clock.advance(Duration::from_secs(119)).await;
    assert_eq!(world.payments.deliver().await.unwrap(), 0);
    world.clock.advance(Duration::from_secs(2)).await;
    assert_eq!(world.payments.deliver().await.unwrap(), 1);
    world.clock.advance(Duration::from_hours(100)).await;
    assert_eq!(world.payments.deliver().await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_merchant_can_name_the_moment_of_the_next_try() {
    // The clock of a test starts at 2024-03-01 00:00:00.
    check("Fri, 01 Mar 2024 00:02:00 GMT", 119, 2).await;
    check("Fri, 01 Mar 2024 00:00:00 GMT", 4, 2).await;
    check("Thu, 01 Jan 1970 00:00:00 GMT", 4, 2).await;
    check("Sat, 01 Mar 2025 00:00:00 GMT", 24 * 3600 - 1, 2).await;
    check("soon", 4, 2).await;

    async fn check(wish: &str, not_before: u64, then: u64) {
        let world = World::new();
        paid_payment(&world, json!({})).await;
        let mut later = WireResponse::with_status(503, "text/plain", "");
        later.headers.push("retry-after", wish);
        world.transport.answer(Ok(later));
        assert_eq!(world.payments.deliver().await.unwrap(), 1);
        world.clock.advance(Duration::from_secs(not_before)).await;
        assert_eq!(world.payments.deliver().await.unwrap(), 0, "{wish}");
        world.clock.advance(Duration::from_secs(then)).await;
        assert_eq!(world.payments.deliver().await.unwrap(), 1, "{wish}");
    }
}

#[tokio::test(start_paused = true)]
async fn redirects_and_errors_are_not_taken_for_a_yes() {
    for status in [199, 301, 307, 400, 404, 500, 503] {
        let world = World::new();
        paid_payment(&world, json!({})).await;
        world.transport.answer(Ok(WireResponse::with_status(status, "text/plain", "ok")));
        assert_eq!(world.payments.deliver().await.unwrap(), 1);
        world.clock.advance(Duration::from_secs(6)).await;
        assert_eq!(world.payments.deliver().await.unwrap(), 1, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_payment_can_name_its_own_address() {
    let world = World::new();
    paid_payment(&world, json!({"notify_url": "https://elsewhere.example/x"})).await;
    world.told().await;
    assert_eq!(world.transport.notices()[0].endpoint.host(), "elsewhere.example");
}

#[tokio::test(start_paused = true)]
async fn a_crashed_worker_loses_no_notice() {
    let world = World::new();
    paid_payment(&world, json!({})).await;
    // Taken and never reported: the lease runs out and somebody else tells it.
    use paymux_core::store::Outbox as _;
    let now = world.clock.now();
    let taken = world.store.take_due_deliveries(now, Duration::from_secs(90), 10, 10, &[]).await.unwrap();
    assert_eq!(taken.len(), 1);
    assert_eq!(world.payments.deliver().await.unwrap(), 0);
    world.clock.advance(Duration::from_secs(91)).await;
    assert_eq!(world.payments.deliver().await.unwrap(), 1);
}

/// What one dead endpoint has due takes few of the places, however many rounds there are, and another app
/// is told at once.
#[tokio::test(start_paused = true)]
async fn a_dead_endpoint_with_a_backlog_keeps_few_calls_under_way() {
    const ROUNDS: usize = 40;
    let world = World::new();
    world.transport.hang("shop.example");
    for place in 0..240 {
        paid_payment(&world, json!({"order_no": format!("A{place}")})).await;
    }
    for _ in 0..ROUNDS {
        let payments = world.payments.clone();
        tokio::spawn(async move { payments.deliver().await });
        world.clock.advance(Duration::from_millis(200)).await;
    }
    let hanging = world.transport.notices().len();
    assert!((16..32).contains(&hanging), "{hanging} calls to one endpoint at once");
    paid_payment(&world, json!({"order_no": "B1", "notify_url": "https://live.example/"})).await;
    world.clock.advance(Duration::from_secs(15)).await;
    assert!(world.payments.deliver().await.unwrap() > 0, "what is over makes room");
}

/// What has its answer is reported while another call of its round hangs.
#[tokio::test(start_paused = true)]
async fn a_call_that_hangs_keeps_no_report_of_another_back() {
    use paymux_core::store::{DeliveryState, EventFilter, Outbox};
    let world = World::new();
    world.transport.hang("dead.example");
    paid_payment(&world, json!({"order_no": "A1", "notify_url": "https://dead.example/"})).await;
    paid_payment(&world, json!({"order_no": "A2"})).await;
    let payments = world.payments.clone();
    tokio::spawn(async move { payments.deliver().await });
    world.clock.advance(Duration::from_secs(1)).await;
    let filter = EventFilter { app: crate::world::app(), subject: None, after: None, limit: 9 };
    let events = Outbox::events(world.store.as_ref(), &filter).await.unwrap();
    let states: Vec<_> = events.iter().map(|event| event.state).collect();
    assert_eq!(states, [Some(DeliveryState::Pending), Some(DeliveryState::Delivered)]);
}

/// A provider that answers no query holds up no look at another's attempts.
#[tokio::test(start_paused = true)]
async fn a_provider_that_hangs_keeps_few_looks_under_way() {
    let world = World::new();
    for place in 0..400 {
        world.created(json!({"order_no": format!("A{place}"), "channel": "a"})).await;
    }
    world.created(json!({"order_no": "B1", "channel": "b"})).await;
    world.a.hang();
    world.clock.advance(Duration::from_secs(6)).await;
    for _ in 0..5 {
        let payments = world.payments.clone();
        tokio::spawn(async move { payments.sweep().await });
        world.clock.advance(Duration::from_secs(1)).await;
    }
    assert_eq!(world.b.asked(), 1);
    assert!((64..=96).contains(&world.a.asked()), "{}", world.a.asked());
}
