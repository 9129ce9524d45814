//! Cancel: every way it can end.

use std::time::Duration;

use paymux_core::Money;
use paymux_core::channel::{CancelAnswer, ChannelError, Receipt};
use paymux_testkit::Script;
use serde_json::{Value, json};

use crate::world::{SHOP, World, order, order_with};

#[tokio::test(start_paused = true)]
async fn closes_at_the_provider_and_says_canceled_twice_the_same() {
    let world = World::new();
    let path = cancel_path(&world.created("A1").await);
    for _ in 0..2 {
        let seen = world.post_text(SHOP, &path, "").await;
        assert_eq!((seen.status.as_u16(), &seen.json()["status"]), (200, &json!("canceled")));
        assert_eq!(seen.json()["next_action"], Value::Null);
    }
    assert_eq!(world.main.canceled(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_paid_payment_answers_already_paid() {
    let world = World::new();
    world.main.on_create(Script::Paid(Money::fen(1999)));
    let path = cancel_path(&world.created("A1").await);
    world.post_text(SHOP, &path, "").await.problem(409, "already_paid");
    assert_eq!(world.main.canceled(), 0);
}

#[tokio::test(start_paused = true)]
async fn money_that_came_just_before_the_close_answers_already_paid() {
    let world = World::new();
    let payment = world.created("A1").await;
    world.main.on_cancel(Ok(CancelAnswer::Paid(Receipt::of(Money::fen(1999)))));
    world.post_text(SHOP, &cancel_path(&payment), "").await.problem(409, "already_paid");
    assert_eq!(status(&world, &payment).await, "succeeded");
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_would_not_answers_not_cancelable() {
    let world = World::new();
    let payment = world.created("A1").await;
    world.main.on_cancel(Ok(CancelAnswer::Refused("closed hours".to_owned())));
    let problem = world.post_text(SHOP, &cancel_path(&payment), "").await.problem(409, "not_cancelable");
    assert!(problem["detail"].as_str().unwrap().contains("closed hours"), "{problem}");
    assert_eq!(status(&world, &payment).await, "pending");
}

#[tokio::test(start_paused = true)]
async fn a_failed_payment_answers_not_cancelable() {
    let world = World::new();
    world.main.on_create(Script::Refuse(paymux_core::channel::Blame::Request));
    let path = cancel_path(&world.created("A1").await);
    world.post_text(SHOP, &path, "").await.problem(409, "not_cancelable");
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_cannot_answers_unsupported() {
    let world = World::new();
    let bare = world.post(SHOP, "/v1/payments", &order_with("A1", json!({"amount": 555}))).await.json();
    world.post_text(SHOP, &cancel_path(&bare), "").await.problem(422, "unsupported");
    assert_eq!(status(&world, &bare).await, "pending");
}

#[tokio::test(start_paused = true)]
async fn a_close_that_nobody_confirmed_answers_in_flight() {
    let world = World::new();
    let payment = world.created("A1").await;
    world.main.on_cancel(Err(ChannelError::unknown("lost")));
    world.post_text(SHOP, &cancel_path(&payment), "").await.problem(409, "in_flight");
}

#[tokio::test(start_paused = true)]
async fn a_payment_that_is_being_placed_answers_in_flight() {
    let world = World::new();
    world.main.on_create(Script::Slow(Duration::from_secs(5)));
    let body = order("A1");
    let creating = world.post(SHOP, "/v1/payments", &body);
    let canceling = async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let page = world.get(SHOP, "/v1/payments?order_no=A1").await.json();
        world.post_text(SHOP, &cancel_path(&page["data"][0]), "").await.problem(409, "in_flight")
    };
    let (created, _) = tokio::join!(creating, canceling);
    assert_eq!((created.status.as_u16(), &created.json()["status"]), (201, &json!("pending")));
}

fn cancel_path(payment: &Value) -> String {
    format!("/v1/payments/{}/cancel", payment["id"].as_str().unwrap())
}

async fn status(world: &World, payment: &Value) -> String {
    let path = format!("/v1/payments/{}", payment["id"].as_str().unwrap());
    world.get(SHOP, &path).await.json()["status"].as_str().unwrap().to_owned()
}
