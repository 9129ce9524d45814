//! Every way to be refused, with what programs and people are told of it.

use std::time::Duration;

use axum::body::Body;
use http::{Request as HttpRequest, Version};
use paymux_core::throttle::Allowance;
use paymux_grpc::v1::{self, CreatePaymentRequest};
use paymux_testkit::Script;
use tonic::{Code, Request, Response, Status};
use tower::ServiceExt as _;

use crate::world::{BODY_BYTES, NARROW, RIVAL, SHOP, World, by, order, refused, transfer};

#[tokio::test(start_paused = true)]
async fn nobody_calls_without_a_key() {
    let world = World::new();
    let bare = world.client().create_payment(Request::new(order("A1"))).await;
    refused(bare, Code::Unauthenticated, "unauthorized");
    let wrong = world.client().create_payment(by("no-such-key", order("A1"))).await;
    refused(wrong, Code::Unauthenticated, "unauthorized");
    let mut twice = by(SHOP, order("A1"));
    twice.metadata_mut().append("authorization", format!("Bearer {SHOP}").parse().unwrap());
    refused(world.client().create_payment(twice).await, Code::Unauthenticated, "unauthorized");
    let explain = world.routing().explain(Request::new(v1::ExplainRequest::default())).await;
    refused(explain, Code::Unauthenticated, "unauthorized");
}

#[tokio::test(start_paused = true)]
async fn an_app_does_what_its_scopes_list() {
    let world = World::new();
    let (mut client, id) = (world.client(), String::new);
    denied(client.create_payment(by(NARROW, order("A1"))).await);
    denied(client.get_payment(by(NARROW, v1::GetPaymentRequest { id: id() })).await);
    denied(client.list_payments(by(NARROW, v1::ListPaymentsRequest::default())).await);
    denied(client.cancel_payment(by(NARROW, v1::CancelPaymentRequest { id: id() })).await);
    denied(client.sync_payment(by(NARROW, v1::SyncPaymentRequest { id: id() })).await);
    denied(client.watch_payment(by(NARROW, v1::WatchPaymentRequest { id: id() })).await);
    denied(client.create_refund(by(NARROW, v1::CreateRefundRequest::default())).await);
    denied(client.get_refund(by(NARROW, v1::GetRefundRequest { id: id() })).await);
    denied(client.create_transfer(by(NARROW, transfer("T1"))).await);
    denied(client.get_transfer(by(NARROW, v1::GetTransferRequest { id: id() })).await);
    let explain = v1::ExplainRequest { payment: Some(order("A1")), ..Default::default() };
    denied(world.routing().explain(by(NARROW, explain)).await);
}

#[tokio::test(start_paused = true)]
async fn another_apps_things_are_not_there() {
    let world = World::new();
    let payment = world.paid("A1").await;
    let refund = v1::CreateRefundRequest {
        payment: payment.id.clone(),
        refund_no: "R1".to_owned(),
        amount: 500,
        reason: None,
    };
    let made = world.client().create_refund(by(SHOP, refund.clone())).await.unwrap().into_inner();
    let paid_out = world.client().create_transfer(by(SHOP, transfer("T1"))).await.unwrap().into_inner();
    let mut client = world.client();
    for (key, id) in [(RIVAL, payment.id.as_str()), (SHOP, "pay_1"), (SHOP, "")] {
        let id = || id.to_owned();
        missing(client.get_payment(by(key, v1::GetPaymentRequest { id: id() })).await);
        missing(client.cancel_payment(by(key, v1::CancelPaymentRequest { id: id() })).await);
        missing(client.sync_payment(by(key, v1::SyncPaymentRequest { id: id() })).await);
        missing(client.watch_payment(by(key, v1::WatchPaymentRequest { id: id() })).await);
        let refund = v1::CreateRefundRequest { payment: id(), refund_no: "R9".to_owned(), ..refund.clone() };
        missing(client.create_refund(by(key, refund)).await);
    }
    let id = made.refund.unwrap().id;
    missing(client.get_refund(by(RIVAL, v1::GetRefundRequest { id })).await);
    let id = paid_out.transfer.unwrap().id;
    missing(client.get_transfer(by(RIVAL, v1::GetTransferRequest { id })).await);
}

#[tokio::test(start_paused = true)]
async fn a_field_that_breaks_its_rule_is_named() {
    let world = World::new();
    let cases = [
        (CreatePaymentRequest { order_no: String::new(), ..order("A1") }, "order_no"),
        (CreatePaymentRequest { amount: 0, ..order("A1") }, "amount"),
        (CreatePaymentRequest { currency: "cny".to_owned(), ..order("A1") }, "currency"),
        (CreatePaymentRequest { method: "wechat.qr".to_owned(), ..order("A1") }, "method"),
        (CreatePaymentRequest { subject: String::new(), ..order("A1") }, "subject"),
        (CreatePaymentRequest { expires_in: Some(0), ..order("A1") }, "expires_in"),
        (CreatePaymentRequest { return_url: Some(String::new()), ..order("A1") }, "return_url"),
        (CreatePaymentRequest { channel: Some(String::new()), ..order("A1") }, "channel"),
        (
            CreatePaymentRequest {
                payer: Some(v1::Payer { ip: Some("1.2.3".to_owned()), ..Default::default() }),
                ..order("A1")
            },
            "payer.ip",
        ),
    ];
    for (request, param) in cases {
        let answer = world.client().create_payment(by(SHOP, request)).await;
        let details = refused(answer, Code::InvalidArgument, "invalid_request");
        assert_eq!(details.error_info().unwrap().metadata["param"], param);
        assert_eq!(details.bad_request().unwrap().field_violations[0].field, param);
    }
    let list = v1::ListPaymentsRequest { status: Some(99), ..Default::default() };
    let details =
        refused(world.client().list_payments(by(SHOP, list)).await, Code::InvalidArgument, "invalid_request");
    assert_eq!(details.error_info().unwrap().metadata["param"], "status");
    let nothing = world.routing().explain(by(SHOP, v1::ExplainRequest::default())).await;
    let details = refused(nothing, Code::InvalidArgument, "invalid_request");
    assert_eq!(details.error_info().unwrap().metadata["param"], "payment");
}

#[tokio::test(start_paused = true)]
async fn a_number_stands_for_one_request() {
    let world = World::new();
    world.created("A1").await;
    let other = CreatePaymentRequest { amount: 2000, ..order("A1") };
    let details =
        refused(world.client().create_payment(by(SHOP, other)).await, Code::AlreadyExists, "order_mismatch");
    assert_eq!(details.error_info().unwrap().metadata["param"], "order_no");
}

#[tokio::test(start_paused = true)]
async fn each_channel_that_may_not_take_it_is_named() {
    let world = World::new();
    let request = CreatePaymentRequest { method: "paypal.web".to_owned(), ..order("A1") };
    let answer = world.client().create_payment(by(SHOP, request)).await;
    let details = refused(answer, Code::FailedPrecondition, "no_channel");
    let violation = &details.precondition_failure().unwrap().violations[0];
    assert_eq!((violation.r#type.as_str(), violation.subject.as_str()), ("method", "main"));
    assert!(!violation.description.is_empty() && details.retry_info().is_none());
}

#[tokio::test(start_paused = true)]
async fn what_a_payments_state_forbids_says_so() {
    let world = World::new();
    let paid = world.paid("A1").await;
    let request = v1::CancelPaymentRequest { id: paid.id.clone() };
    let answer = world.client().cancel_payment(by(SHOP, request)).await;
    refused(answer, Code::FailedPrecondition, "already_paid");
    let refund = |amount| v1::CreateRefundRequest {
        payment: paid.id.clone(),
        refund_no: "R1".to_owned(),
        amount,
        reason: None,
    };
    let answer = world.client().create_refund(by(SHOP, refund(2000))).await;
    let details = refused(answer, Code::FailedPrecondition, "refund_too_large");
    assert_eq!(details.error_info().unwrap().metadata["amount_left"], "1999");
    let open = world.created("A2").await;
    let refund = v1::CreateRefundRequest { payment: open.id, ..refund(1) };
    let answer = world.client().create_refund(by(SHOP, refund)).await;
    refused(answer, Code::FailedPrecondition, "not_refundable");
    let bare =
        world.client().create_payment(by(SHOP, CreatePaymentRequest { amount: 555, ..order("A3") })).await;
    let id = bare.unwrap().into_inner().payment.unwrap().id;
    let answer = world.client().cancel_payment(by(SHOP, v1::CancelPaymentRequest { id })).await;
    refused(answer, Code::FailedPrecondition, "unsupported");
}

#[tokio::test(start_paused = true)]
async fn an_app_that_sends_too_much_waits() {
    let world = World::that_allows(Allowance { per_second: 2, at_once: 0 });
    let list = async |key| world.client().list_payments(by(key, v1::ListPaymentsRequest::default())).await;
    assert!(list(SHOP).await.is_ok() && list(SHOP).await.is_ok());
    let details = refused(list(SHOP).await, Code::ResourceExhausted, "rate_limited");
    assert_eq!(details.retry_info().unwrap().retry_delay, Some(Duration::from_secs(1)));
    assert!(list(RIVAL).await.is_ok(), "each app has its own pace");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(list(SHOP).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn only_so_many_calls_of_an_app_run_at_once() {
    let world = World::that_allows(Allowance { per_second: 0, at_once: 1 });
    world.main.on_create(Script::Slow(Duration::from_secs(3)));
    let mut client = world.client();
    let slow = tokio::spawn(async move { client.create_payment(by(SHOP, order("A1"))).await });
    tokio::time::sleep(Duration::from_secs(1)).await;
    let answer = world.client().list_payments(by(SHOP, v1::ListPaymentsRequest::default())).await;
    refused(answer, Code::ResourceExhausted, "rate_limited");
    assert!(slow.await.unwrap().is_ok());
    assert!(world.client().list_payments(by(SHOP, v1::ListPaymentsRequest::default())).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_message_has_a_size() {
    let world = World::new();
    let large = CreatePaymentRequest { subject: "x".repeat(BODY_BYTES), ..order("A1") };
    let answer = world.client().create_payment(by(SHOP, large)).await;
    refused(answer, Code::ResourceExhausted, "body_too_large");
}

#[tokio::test(start_paused = true)]
async fn a_message_that_cannot_be_read_is_the_clients_fault() {
    let world = World::new();
    for bytes in [&[][..], &[0, 0, 0, 0, 9, 1], &[1, 0, 0, 0, 0], &[0, 0, 0, 0, 3, 10, 255, 1]] {
        assert_eq!(raw(&world, Body::from(bytes.to_vec())).await, Code::InvalidArgument, "{bytes:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_field_that_is_not_known_is_not_passed_over() {
    let world = World::new();
    assert_eq!(raw(&world, Body::from(vec![0, 0, 0, 0, 3, 0x98, 0x06, 1])).await, Code::InvalidArgument);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_does_not_come_is_not_waited_for() {
    let world = World::new();
    let never = Body::from_stream(futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>());
    assert_eq!(raw(&world, never).await, Code::DeadlineExceeded);
}

#[track_caller]
fn denied<T: std::fmt::Debug>(answer: Result<Response<T>, Status>) {
    refused(answer, Code::PermissionDenied, "forbidden");
}

#[track_caller]
fn missing<T: std::fmt::Debug>(answer: Result<Response<T>, Status>) {
    refused(answer, Code::NotFound, "not_found");
}

/// Sends these bytes as a create of `shop`; gives the code of the answer.
async fn raw(world: &World, body: Body) -> Code {
    let request = HttpRequest::post("/paymux.v1.PaymentService/CreatePayment")
        .version(Version::HTTP_2)
        .header("content-type", "application/grpc")
        .header("authorization", format!("Bearer {SHOP}"))
        .body(body)
        .unwrap();
    let answer = world.router.clone().oneshot(request).await.unwrap();
    Code::from_bytes(answer.headers()["grpc-status"].as_bytes())
}
