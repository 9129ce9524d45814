//! `WatchPayment`: each state once, from the present one to the last.

use std::time::Duration;

use paymux_grpc::v1::{self, PaymentStatus};
use paymux_testkit::Script;
use tokio::time::{sleep, timeout};
use tonic::{Code, Streaming};
use tonic_types::StatusExt as _;

use crate::world::{SHOP, World, by, order};

async fn watched(world: &World, id: &str) -> Streaming<v1::Payment> {
    let request = by(SHOP, v1::WatchPaymentRequest { id: id.to_owned() });
    world.client().watch_payment(request).await.unwrap().into_inner()
}

/// All that a stream still tells.
async fn rest(mut states: Streaming<v1::Payment>) -> Vec<PaymentStatus> {
    let mut told = Vec::new();
    while let Some(state) = states.message().await.unwrap() {
        told.push(state.status());
    }
    told
}

#[tokio::test(start_paused = true)]
async fn each_state_is_told_once_up_to_the_last() {
    let world = World::new();
    let payment = world.created("A1").await;
    let mut states = watched(&world, &payment.id).await;
    assert_eq!(states.message().await.unwrap().unwrap(), payment);
    assert!(timeout(Duration::from_mins(1), states.message()).await.is_err(), "nothing has changed");
    world.finds_money();
    let paid = world.sync(&payment.id).await;
    let told = states.message().await.unwrap().unwrap();
    assert_eq!(told, paid);
    assert_eq!(told.status(), PaymentStatus::Succeeded);
    assert!(states.message().await.unwrap().is_none(), "the stream ends with the payment");
}

#[tokio::test(start_paused = true)]
async fn one_that_has_ended_is_told_once() {
    let world = World::new();
    let payment = world.paid("A1").await;
    assert_eq!(rest(watched(&world, &payment.id).await).await, [PaymentStatus::Succeeded]);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_being_placed_is_told_when_it_stands() {
    let world = World::new();
    world.main.on_create(Script::Slow(Duration::from_secs(5)));
    let mut client = world.client();
    let placing = tokio::spawn(async move { client.create_payment(by(SHOP, order("A1"))).await });
    sleep(Duration::from_secs(1)).await;
    let list = world.client().list_payments(by(SHOP, v1::ListPaymentsRequest::default())).await.unwrap();
    let id = list.into_inner().data[0].id.clone();
    let mut states = watched(&world, &id).await;
    assert_eq!(states.message().await.unwrap().unwrap().status(), PaymentStatus::Processing);
    let placed = states.message().await.unwrap().unwrap();
    assert_eq!(placed.status(), PaymentStatus::Pending);
    assert!(placed.next_action.is_some());
    assert!(placing.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_change_of_this_node_is_told_at_once() {
    let world = World::new();
    let payment = world.created("A1").await;
    let mut states = watched(&world, &payment.id).await;
    states.message().await.unwrap();
    world.finds_money();
    world.sync(&payment.id).await;
    world.nudges.changed(payment.id.parse().unwrap());
    let told = timeout(Duration::from_millis(100), states.message()).await.unwrap();
    assert_eq!(told.unwrap().unwrap().status(), PaymentStatus::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn many_watch_one_payment() {
    let world = World::new();
    let payment = world.created("A1").await;
    let mut all = Vec::new();
    for _ in 0..100 {
        all.push(watched(&world, &payment.id).await);
    }
    let request = by(SHOP, v1::WatchPaymentRequest { id: payment.id.clone() });
    let status = world.client().watch_payment(request).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.get_error_details().retry_info().is_some());
    // One that hangs up gives its place to another, and ends nothing for the rest.
    all.pop();
    all.push(watched(&world, &payment.id).await);
    world.finds_money();
    world.sync(&payment.id).await;
    for states in all {
        assert_eq!(rest(states).await.last(), Some(&PaymentStatus::Succeeded));
    }
    assert_eq!(rest(watched(&world, &payment.id).await).await, [PaymentStatus::Succeeded]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_has_a_life() {
    let world = World::new();
    let payment = world.created("A1").await;
    let mut states = watched(&world, &payment.id).await;
    states.message().await.unwrap();
    let status = timeout(Duration::from_mins(31), states.message()).await.unwrap().unwrap_err();
    assert_eq!(status.code(), Code::Aborted);
    assert_eq!(status.get_error_details().error_info().unwrap().reason, "watch_ended");
}

#[tokio::test(start_paused = true)]
async fn streams_end_when_the_node_stops() {
    let world = World::new();
    let payment = world.created("A1").await;
    let mut states = watched(&world, &payment.id).await;
    states.message().await.unwrap();
    world.shutdown.cancel();
    let status = timeout(Duration::from_secs(1), states.message()).await.unwrap().unwrap_err();
    assert_eq!((status.code(), status.message()), (Code::Unavailable, "this node is stopping; call again"));
}
