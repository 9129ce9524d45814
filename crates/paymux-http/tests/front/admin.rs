//! The admin listener: an operator pays a sandbox order.

use axum::body::Body;
use http::Request;
use paymux_core::store::EventKind;
use serde_json::{Value, json};

use crate::world::{OPERATOR, SHOP, Seen, World, order_with};

#[tokio::test(start_paused = true)]
async fn a_paid_sandbox_order_succeeds_and_the_merchant_is_told() {
    let world = World::new();
    let payment = sandbox_payment(&world).await;
    assert_eq!((&payment["status"], &payment["livemode"]), (&json!("pending"), &json!(false)));
    for _ in 0..2 {
        let seen = pay(&world, "sand", &payment, "").await;
        assert_eq!((seen.status.as_u16(), &seen.json()["status"]), (200, &json!("succeeded")));
        assert_eq!(seen.json()["amount_received"], 777);
    }
    let kinds: Vec<EventKind> = world.store.events().iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::PaymentSucceeded]);
}

#[tokio::test(start_paused = true)]
async fn only_sandbox_channels_are_paid_so() {
    let world = World::new();
    let real = world.created("A1").await;
    let sandbox = sandbox_payment(&world).await;
    pay(&world, "main", &real, "").await.problem(404, "not_found");
    pay(&world, "main", &sandbox, "").await.problem(404, "not_found");
    pay(&world, "nobody", &sandbox, "").await.problem(404, "not_found");
    pay(&world, "sand", &real, "").await.problem(404, "not_found");
    let page = world.get(SHOP, "/v1/payments?status=pending").await.json();
    assert_eq!(page["data"].as_array().unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn an_order_that_ended_takes_no_money() {
    let world = World::new();
    let payment = sandbox_payment(&world).await;
    let cancel = format!("/v1/payments/{}/cancel", payment["id"].as_str().unwrap());
    assert_eq!(world.post_text(SHOP, &cancel, "").await.status, 200);
    pay(&world, "sand", &payment, "").await.problem(409, "not_payable");
}

#[tokio::test(start_paused = true)]
async fn what_would_be_ignored_is_refused() {
    let world = World::new();
    let payment = sandbox_payment(&world).await;
    let problem = pay(&world, "sand", &payment, "{\"amount\": 1}").await.problem(400, "invalid_request");
    assert_eq!(problem["param"], "amount");
    assert_eq!(world.get(SHOP, "/v1/payments").await.json()["data"][0]["status"], "pending");
}

async fn sandbox_payment(world: &World) -> Value {
    let body = order_with("S1", json!({"amount": 777}));
    world.post(SHOP, "/v1/payments", &body).await.json()
}

async fn pay(world: &World, channel: &str, payment: &Value, body: &'static str) -> Seen {
    let path = format!("/sandbox/{channel}/pay/{}", payment["provider_order_no"].as_str().unwrap());
    let request = Request::post(path)
        .header("authorization", format!("Bearer {OPERATOR}"))
        .header("content-type", "application/json");
    world.call_admin(request.body(Body::from(body)).unwrap()).await
}
