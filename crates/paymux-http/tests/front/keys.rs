//! `Idempotency-Key`: one key stands for one request, in one app.

use std::time::Duration;

use axum::body::Body;
use http::Request;
use paymux_testkit::Script;
use serde_json::{Value, json};

use crate::world::{RIVAL, SHOP, Seen, World, order, order_with, patched, transfer};

#[tokio::test(start_paused = true)]
async fn the_same_request_under_its_key_finds_what_it_made() {
    let world = World::new();
    let first = create(&world, "k1", &order("A1")).await;
    let again = create(&world, "k1", &order("A1")).await;
    assert_eq!((first.status.as_u16(), again.status.as_u16()), (201, 200));
    assert_eq!(first.json(), again.json());
    assert_eq!((world.count().await, world.main.orders().len()), (1, 1));
    assert_eq!(create(&world, "k2", &order("A1")).await.json()["id"], first.json()["id"]);
}

#[tokio::test(start_paused = true)]
async fn another_request_under_the_key_is_a_mismatch_and_does_nothing() {
    let world = World::new();
    let payment = create(&world, "k1", &order("A1")).await.json();
    for body in [order("A2").to_string(), format!("{} ", order("A1"))] {
        let problem = world.post_keyed(SHOP, "/v1/payments", "k1", &body).await;
        assert_eq!(problem.problem(422, "idempotency_mismatch")["param"], "Idempotency-Key");
    }
    let id = payment["id"].as_str().unwrap();
    for path in ["cancel", "sync"] {
        let path = format!("/v1/payments/{id}/{path}");
        world.post_keyed(SHOP, &path, "k1", "").await.problem(422, "idempotency_mismatch");
    }
    assert_eq!((world.count().await, world.main.canceled(), world.main.asked()), (1, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn every_post_of_the_merchant_api_minds_the_key() {
    let world = World::new();
    let payment = world.paid("A1").await;
    let id = payment["id"].as_str().unwrap();
    let refund = json!({"refund_no": "R0", "amount": 1});
    let refund = world.post(SHOP, &format!("/v1/payments/{id}/refunds"), &refund).await.json();
    let payout = world.post(SHOP, "/v1/transfers", &transfer("T0")).await.json();
    let event = world.store.events()[0].id;
    let (refund, payout) = (refund["id"].as_str().unwrap(), payout["id"].as_str().unwrap());
    let range = json!({"from": "2024-01-01T00:00:00Z", "to": "2025-01-01T00:00:00Z"}).to_string();
    for (number, (path, body)) in [
        ("/v1/payments".to_owned(), order("A2").to_string()),
        (format!("/v1/payments/{id}/sync"), String::new()),
        (format!("/v1/payments/{id}/refunds"), json!({"refund_no": "R1", "amount": 1}).to_string()),
        (format!("/v1/refunds/{refund}/sync"), "{}".to_owned()),
        ("/v1/transfers".to_owned(), transfer("T1").to_string()),
        (format!("/v1/transfers/{payout}/sync"), String::new()),
        (format!("/v1/events/{event}/redeliver"), String::new()),
        ("/v1/events/redeliver".to_owned(), range),
    ]
    .into_iter()
    .enumerate()
    {
        let key = format!("key {number}");
        let first = world.post_keyed(SHOP, &path, &key, &body).await;
        assert!(first.status.is_success(), "{path}: {first:?}");
        let again = world.post_keyed(SHOP, &path, &key, &body).await;
        assert_eq!((again.status.as_u16(), again.json()["id"].clone()), (200, first.json()["id"].clone()));
        let other = if body.is_empty() { "{}".to_owned() } else { format!(" {body}") };
        world.post_keyed(SHOP, &path, &key, &other).await.problem(422, "idempotency_mismatch");
        world.post_keyed(SHOP, &path, "", &body).await.problem(400, "invalid_request");
    }
    let cancel = format!("/v1/payments/{id}/cancel");
    world.post_keyed(SHOP, &cancel, "key 0", "").await.problem(422, "idempotency_mismatch");
    world.post_keyed(SHOP, &cancel, "key c", "").await.problem(409, "already_paid");
}

#[tokio::test(start_paused = true)]
async fn a_key_belongs_to_one_app() {
    let world = World::new();
    assert_eq!(create(&world, "k1", &order("A1")).await.status, 201);
    let theirs = world.post_keyed(RIVAL, "/v1/payments", "k1", &order("B1").to_string()).await;
    assert_eq!(theirs.status, 201);
}

#[tokio::test(start_paused = true)]
async fn while_the_first_runs_a_repeat_is_in_flight_even_if_its_client_left() {
    let world = World::new();
    world.main.on_create(Script::Slow(Duration::from_secs(5)));
    let body = order("A1");
    let gone = tokio::time::timeout(Duration::from_secs(1), create(&world, "k1", &body)).await;
    assert!(gone.is_err());
    create(&world, "k1", &body).await.problem(409, "in_flight");
    create(&world, "k1", &order("A2")).await.problem(422, "idempotency_mismatch");
    tokio::time::sleep(Duration::from_secs(5)).await;
    let seen = create(&world, "k1", &body).await;
    assert_eq!((seen.status.as_u16(), &seen.json()["status"]), (200, &json!("pending")));
    assert_eq!(world.main.orders().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_breaks_a_rule_claims_nothing() {
    let world = World::new();
    for bad in ["{", "{\"amount\": 1}", "[]"] {
        world.post_keyed(SHOP, "/v1/payments", "k1", bad).await.problem(400, "invalid_request");
    }
    let mut wrong = order("A1");
    wrong["amount"] = json!(0);
    create(&world, "k1", &wrong).await.problem(400, "invalid_request");
    let extra = order_with("A1", json!({"extra": {"unknown": "x"}}));
    create(&world, "k1", &extra).await.problem(400, "invalid_request");
    let payout = patched(transfer("T1"), json!({"product": "cash"})).to_string();
    world.post_keyed(SHOP, "/v1/transfers", "k1", &payout).await.problem(400, "invalid_request");
    world.post_keyed(SHOP, "/v1/payments?x=1", "k1", "{}").await.problem(400, "invalid_request");
    world.post_keyed("nobody", "/v1/payments", "k1", "{}").await.problem(401, "unauthorized");
    assert_eq!(create(&world, "k1", &order("A1")).await.status, 201);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_could_not_be_claimed_lets_nothing_happen() {
    let world = World::new();
    world.store.go_away();
    create(&world, "k1", &order("A1")).await.problem(503, "overloaded");
    world.store.come_back();
    assert_eq!((world.count().await, world.main.orders().len()), (0, 0));
    assert_eq!(create(&world, "k1", &order("A1")).await.status, 201);
}

#[tokio::test(start_paused = true)]
async fn keys_of_another_form_are_named() {
    let world = World::new();
    let body = order("A1").to_string();
    for bad in ["", "\u{e9}", &"x".repeat(256)] {
        let problem =
            world.post_keyed(SHOP, "/v1/payments", bad, &body).await.problem(400, "invalid_request");
        assert_eq!(problem["param"], "Idempotency-Key", "{bad}");
    }
    let request = Request::post("/v1/payments")
        .header("authorization", format!("Bearer {SHOP}"))
        .header("content-type", "application/json")
        .header("idempotency-key", "k1")
        .header("idempotency-key", "k2");
    let problem = world.call(request.body(Body::from(body)).unwrap()).await.problem(400, "invalid_request");
    assert!(problem["detail"].as_str().unwrap().contains("twice"), "{problem}");
    assert_eq!(world.count().await, 0);
    assert_eq!(create(&world, &"x".repeat(255), &order("A1")).await.status, 201);
}

async fn create(world: &World, key: &str, body: &Value) -> Seen {
    world.post_keyed(SHOP, "/v1/payments", key, &body.to_string()).await
}
