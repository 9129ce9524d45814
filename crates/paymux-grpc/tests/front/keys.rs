//! `idempotency-key`: one key, one call.

use paymux_grpc::v1::CreatePaymentRequest;
use tonic::Code;

use crate::world::{RIVAL, SHOP, World, by, keyed, order, refused};

#[tokio::test(start_paused = true)]
async fn a_key_stands_for_one_call() {
    let world = World::new();
    let create = async |key, request| world.client().create_payment(keyed(SHOP, key, request)).await;
    let first = create("k1", order("A1")).await.unwrap().into_inner();
    let again = create("k1", order("A1")).await.unwrap().into_inner();
    assert_eq!((first.created, again.created, &first.payment), (true, false, &again.payment));
    let details = refused(create("k1", order("A2")).await, Code::AlreadyExists, "idempotency_mismatch");
    assert_eq!(details.error_info().unwrap().metadata["param"], "Idempotency-Key");
    // Another app has keys of its own.
    assert!(world.client().create_payment(keyed(RIVAL, "k1", order("A2"))).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_for_itself_claims_no_key() {
    let world = World::new();
    let wrong = CreatePaymentRequest { amount: 0, ..order("A1") };
    let answer = world.client().create_payment(keyed(SHOP, "k1", wrong)).await;
    refused(answer, Code::InvalidArgument, "invalid_request");
    assert!(world.client().create_payment(keyed(SHOP, "k1", order("A1"))).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_key_has_a_form_and_stands_once() {
    let world = World::new();
    let answer = world.client().create_payment(keyed(SHOP, &"x".repeat(256), order("A1"))).await;
    refused(answer, Code::InvalidArgument, "invalid_request");
    let mut twice = by(SHOP, order("A1"));
    twice.metadata_mut().append("idempotency-key", "a".parse().unwrap());
    twice.metadata_mut().append("idempotency-key", "a".parse().unwrap());
    refused(world.client().create_payment(twice).await, Code::InvalidArgument, "invalid_request");
}
