//! `POST /v1/routes/explain`: a payment's body, and the decision on it as an answer.

use axum::body::Body;
use http::Request;
use serde_json::{Value, json};

use crate::world::{SHOP, Seen, World, order, order_with};

/// A front that is asked about the payment `A1`.
async fn explain(world: &World, query: &str, patch: Value) -> Seen {
    world.post(SHOP, &format!("/v1/routes/explain{query}"), &order_with("A1", patch)).await
}

#[tokio::test(start_paused = true)]
async fn answers_200_with_the_record_and_does_nothing() {
    let world = World::new();
    let seen = explain(&world, "?seed=7", json!({})).await;
    assert_eq!((seen.status.as_u16(), seen.header("content-type")), (200, "application/json"));
    let off = json!({"rule": "state", "detail": "the channel is off"});
    let want = json!({
        "route": "default", "strategy": "priority", "seed": "0000000000000007", "picked": "main",
        "candidates": [
            {"channel": "main", "eligible": true, "removed_by": null, "weight": 1, "fee_bp": null},
            {"channel": "gone", "eligible": false, "removed_by": off, "weight": 1, "fee_bp": null},
        ],
    });
    assert_eq!(seen.json(), want);
    assert_eq!((world.count().await, world.main.orders().len()), (0, 0));
    assert_eq!(world.post(SHOP, "/v1/payments", &order("A1")).await.status, 201, "the number is free");
}

#[tokio::test(start_paused = true)]
async fn a_payment_that_nobody_takes_is_explained_too() {
    let world = World::new();
    let told = explain(&world, "", json!({"currency": "USD"})).await;
    assert_eq!(told.status, 200, "{told:?}");
    let told = told.json();
    assert_eq!(
        (&told["route"], &told["picked"], &told["candidates"]),
        (&Value::Null, &Value::Null, &json!([]))
    );

    let told = explain(&world, "", json!({"channel": "gone"})).await.json();
    let refused = world.post(SHOP, "/v1/payments", &order_with("A1", json!({"channel": "gone"}))).await;
    let channels = refused.problem(422, "no_channel")["channels"].clone();
    let removed = told["candidates"].as_array().unwrap().iter().map(|candidate| {
        let by = &candidate["removed_by"];
        json!({"channel": candidate["channel"], "rule": by["rule"], "detail": by["detail"]})
    });
    assert_eq!(channels, removed.collect::<Value>());
}

#[tokio::test(start_paused = true)]
async fn tells_the_spread_of_many_picks() {
    let world = World::new();
    let told = explain(&world, "?times=1000000&seed=00000000000000ff", json!({})).await.json();
    assert_eq!((&told["spread"], &told["seed"]), (&json!({"main": 1_000_000}), &json!("00000000000000ff")));
    assert!(explain(&world, "", json!({})).await.json().get("spread").is_none());
    let (one, other) =
        (explain(&world, "", json!({})).await.json(), explain(&world, "", json!({})).await.json());
    assert_ne!(one["seed"], other["seed"], "each has a seed of its own");
}

#[tokio::test(start_paused = true)]
async fn bad_queries_are_named() {
    let world = World::new();
    for (query, param, says) in [
        ("?at=12:00", "at", "unknown query key; known: times, seed"),
        ("?times=0", "times", "1 to 1000000"),
        ("?times=1000001", "times", "1 to 1000000"),
        ("?times=1.5", "times", "1 to 1000000"),
        ("?times=", "times", "is empty"),
        ("?times=1&times=2", "times", "twice"),
        ("?seed=x", "seed", "16 hexadecimal digits"),
        ("?seed=-1", "seed", "whole number below 2^64"),
    ] {
        explain(&world, query, json!({})).await.invalid(param, says);
    }
}

/// The same body gets the same refusal as where it would make a payment.
#[tokio::test(start_paused = true)]
async fn bodies_are_checked_as_those_of_payments() {
    let world = World::new();
    let barcode = json!({"method": "wechat.barcode"});
    for body in [
        "{".to_owned(),
        "[]".to_owned(),
        json!({"order_no": "A1"}).to_string(),
        order_with("A1", json!({"amount": 0})).to_string(),
        order_with("A1", json!({"amuont": 1})).to_string(),
        order_with("A1", barcode).to_string(),
        order_with("A1", json!({"extra": {"unknown": "x"}})).to_string(),
        order_with("A1", json!({"notify_url": "https://shop.example/hook"})).to_string(),
        format!("\"{}\"", "x".repeat(70_000)),
    ] {
        let told = world.post_text(SHOP, "/v1/routes/explain", body.clone()).await;
        let refused = world.post_text(SHOP, "/v1/payments", body.clone()).await;
        assert!(told.status.is_client_error(), "{body}: {told:?}");
        assert_eq!(without_id(&told), without_id(&refused), "{body}");
    }
    let request = Request::post("/v1/routes/explain").header("authorization", format!("Bearer {SHOP}"));
    let seen = world.call(request.body(Body::from(order("A1").to_string())).unwrap()).await;
    seen.problem(400, "invalid_request");

    fn without_id(seen: &Seen) -> Value {
        let mut problem = seen.json();
        problem.as_object_mut().unwrap().remove("request_id");
        problem
    }
}

/// What has no effect has nothing to stand for.
#[tokio::test(start_paused = true)]
async fn claims_no_idempotency_key() {
    let world = World::new();
    let body = order("A1").to_string();
    assert_eq!(world.post_keyed(SHOP, "/v1/routes/explain", "k1", &body).await.status, 200);
    assert_eq!(world.post_keyed(SHOP, "/v1/payments", "k1", &body).await.status, 201);
}
