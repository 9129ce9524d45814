//! Events: what an app was told, in order, how its notices fare, and telling them again.

use std::time::Duration;

use paymux_core::Timestamp;
use paymux_core::store::{DeliveryOutcome, DeliveryReport, Outbox as _};
use serde_json::{Value, json};

use crate::world::{RIVAL, SHOP, World, order};

#[tokio::test(start_paused = true)]
async fn an_event_shows_what_was_told_and_how_its_notice_fares() {
    let world = World::new();
    let payment = world.paid("A1").await;
    let page = world.get(SHOP, "/v1/events").await;
    assert_eq!((page.status.as_u16(), page.header("cache-control")), (200, "no-store"));
    let event = page.json()["data"][0].clone();
    assert!(event["id"].as_str().unwrap().starts_with("evt_"));
    assert_eq!((&event["object"], &event["type"]), (&json!("event"), &json!("payment.succeeded")));
    assert_eq!((&event["sequence"], &event["created_at"]), (&json!(1), &json!("2024-03-01T00:00:00.000Z")));
    assert_eq!(event["delivery"], json!({"state": "pending", "tries": 0, "detail": null}));
    let told: Value = serde_json::from_str(&world.store.events()[0].body).unwrap();
    assert_eq!(event["data"], told["data"]);
    assert_eq!((&event["data"]["id"], &event["data"]["sequence"]), (&payment["id"], &json!(1)));

    report(&world, DeliveryOutcome::Dead).await;
    let page = world.get(SHOP, "/v1/events").await.json();
    let dead = json!({"state": "dead", "tries": 1, "detail": "status 500"});
    assert_eq!(page["data"][0]["delivery"], dead);
}

#[tokio::test(start_paused = true)]
async fn events_are_listed_oldest_first_and_in_pages() {
    let world = World::new();
    let payment = world.paid("A1").await;
    let id = payment["id"].as_str().unwrap();
    for number in ["R1", "R2"] {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let body = json!({"refund_no": number, "amount": 10});
        world.post(SHOP, &format!("/v1/payments/{id}/refunds"), &body).await;
    }
    tokio::time::sleep(Duration::from_millis(1)).await;
    let other = world.paid("A2").await;
    let all = ["payment.succeeded", "refund.succeeded", "refund.succeeded", "payment.succeeded"];
    let (mut seen, mut cursor, mut pages) = (Vec::new(), String::new(), 0);
    loop {
        let page = world.get(SHOP, &format!("/v1/events?limit=2{cursor}")).await.json();
        seen.extend(types(&page));
        pages += 1;
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!((seen, pages), (all.map(str::to_owned).to_vec(), 2));

    let page = world.get(SHOP, &format!("/v1/events?payment={id}")).await.json();
    assert_eq!(types(&page), all[..3]);
    let sequences: Vec<&Value> = page["data"].as_array().unwrap().iter().map(|e| &e["sequence"]).collect();
    assert_eq!(sequences, [1, 2, 3]);
    let other = other["id"].as_str().unwrap();
    assert_eq!(types(&world.get(SHOP, &format!("/v1/events?payment={other}")).await.json()), all[3..]);
}

#[tokio::test(start_paused = true)]
async fn another_apps_events_are_neither_shown_nor_told_again() {
    let world = World::new();
    let payment = world.paid("A1").await;
    let event = world.store.events()[0].id;
    for query in [String::new(), format!("?payment={}", payment["id"].as_str().unwrap())] {
        assert_eq!(world.get(RIVAL, &format!("/v1/events{query}")).await.json()["data"], json!([]));
    }
    let redeliver = format!("/v1/events/{event}/redeliver");
    world.post_text(RIVAL, &redeliver, "").await.problem(404, "not_found");
    let all = range("2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z");
    assert_eq!(world.post(RIVAL, "/v1/events/redeliver", &all).await.json(), json!({"redelivered": 0}));
    assert_eq!(world.store.deliveries()[0].fence, 0);
}

#[tokio::test(start_paused = true)]
async fn one_event_is_told_again_whatever_became_of_it() {
    let world = World::new();
    world.paid("A1").await;
    let path = format!("/v1/events/{}/redeliver", world.store.events()[0].id);
    for outcome in [DeliveryOutcome::Delivered(Timestamp::from_ms(0)), DeliveryOutcome::Dead] {
        report(&world, outcome).await;
        for body in ["", "{}"] {
            let seen = world.post_text(SHOP, &path, body).await;
            assert_eq!((seen.status.as_u16(), seen.json()), (200, json!({"redelivered": 1})));
        }
        let page = world.get(SHOP, "/v1/events").await.json();
        assert_eq!(page["data"][0]["delivery"]["state"], "pending");
    }
    for id in ["x", "evt_00000000000070008000000000000000", "pay_00000000000070008000000000000000"] {
        let path = format!("/v1/events/{id}/redeliver");
        world.post_text(SHOP, &path, "").await.problem(404, "not_found");
    }
    world.post_text(SHOP, &path, "{\"now\": true}").await.invalid("now", "this request has none");
}

#[tokio::test(start_paused = true)]
async fn an_event_without_an_address_has_nothing_to_be_told_again() {
    let world = World::new();
    world.main.on_create(paymux_testkit::Script::Paid(paymux_core::Money::fen(1999)));
    assert_eq!(world.post(RIVAL, "/v1/payments", &order("A1")).await.status, 201);
    let page = world.get(RIVAL, "/v1/events").await.json();
    assert_eq!(page["data"][0]["delivery"], json!({"state": null, "tries": 0, "detail": null}));
    let path = format!("/v1/events/{}/redeliver", page["data"][0]["id"].as_str().unwrap());
    world.post_text(RIVAL, &path, "").await.problem(404, "not_found");
}

#[tokio::test(start_paused = true)]
async fn what_was_not_delivered_in_a_while_is_told_again() {
    let world = World::new();
    world.paid("A1").await;
    report(&world, DeliveryOutcome::Delivered(Timestamp::from_ms(0))).await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    world.paid("A2").await;
    report(&world, DeliveryOutcome::Dead).await;
    for (from, to, count) in [
        ("2024-03-01T00:00:00Z", "2024-03-01T00:01:00Z", 0),
        ("2024-03-01T00:01:01Z", "2025-01-01T00:00:00Z", 0),
        ("2024-03-01T00:00:00Z", "2024-03-01T08:01:01+08:00", 1),
    ] {
        let seen = world.post(SHOP, "/v1/events/redeliver", &range(from, to)).await;
        assert_eq!((seen.status.as_u16(), seen.json()), (200, json!({"redelivered": count})), "{from}");
    }
    let states: Vec<Value> = world.get(SHOP, "/v1/events").await.json()["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| event["delivery"]["state"].clone())
        .collect();
    assert_eq!(states, ["delivered", "pending"]);
}

#[tokio::test(start_paused = true)]
async fn bad_requests_are_named() {
    let world = World::new();
    for (query, param, says) in [
        ("type=x", "type", "known: payment, limit, cursor"),
        ("limit=0", "limit", "1 to 100"),
        ("limit=101", "limit", "1 to 100"),
        ("payment=A1", "payment", "`pay_`"),
        ("payment=", "payment", "is empty"),
        ("cursor=c1x", "cursor", "next_cursor"),
        ("cursor=c1pay_00000000000070008000000000000000", "cursor", "next_cursor"),
    ] {
        world.get(SHOP, &format!("/v1/events?{query}")).await.invalid(param, says);
    }
    let (early, late) = ("2024-01-01T00:00:00Z", "2025-01-01T00:00:00Z");
    for (body, param, says) in [
        (json!({"from": early}), "to", "is missing"),
        (json!({"to": late}), "from", "is missing"),
        (json!({"from": late, "to": early}), "to", "later than"),
        (json!({"from": early, "to": early}), "to", "later than"),
        (json!({"from": "yesterday", "to": late}), "from", "RFC 3339"),
        (json!({"from": early, "to": 1}), "to", "text in quotes"),
        (json!({"from": early, "to": late, "app": "rival"}), "app", "known: from, to"),
    ] {
        world.post(SHOP, "/v1/events/redeliver", &body).await.invalid(param, says);
    }
}

fn range(from: &str, to: &str) -> Value {
    json!({"from": from, "to": to})
}

fn types(page: &Value) -> Vec<String> {
    let data = page["data"].as_array().unwrap();
    data.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
}

/// What is due now was tried, and went so.
async fn report(world: &World, outcome: DeliveryOutcome) {
    let now = world.store.events().last().unwrap().created_at.plus(Duration::from_secs(1));
    let due = world.store.take_due_deliveries(now, Duration::from_mins(1), 10, 10, &[]).await.unwrap();
    let detail = "status 500".to_owned();
    let told = |due: paymux_core::store::DueDelivery| DeliveryReport {
        event: due.event.id,
        fence: due.fence,
        outcome,
        detail: detail.clone(),
    };
    assert!(!due.is_empty());
    world.store.report_deliveries(due.into_iter().map(told).collect()).await.unwrap();
}
