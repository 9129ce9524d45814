//! Every call, when it goes well.

use paymux_core::channel::CancelAnswer;
use paymux_grpc::v1::{self, PaymentStatus, RefundStatus, TransferStatus, next_action};
use prost_types::value::Kind;
use prost_types::{Struct, Value};
use tonic::Code;

use crate::world::{RIVAL, SHOP, World, by, order, refused, transfer};

#[tokio::test(start_paused = true)]
async fn a_payment_is_made_once_and_found() {
    let world = World::new();
    let request = v1::CreatePaymentRequest {
        metadata: [("table".to_owned(), "7".to_owned())].into(),
        payer: Some(v1::Payer { ip: Some("203.0.113.7".to_owned()), ..Default::default() }),
        ..order("A1")
    };
    let first = world.client().create_payment(by(SHOP, request.clone())).await.unwrap();
    assert!(first.metadata().get("x-request-id").is_some());
    let first = first.into_inner();
    let payment = first.payment.clone().unwrap();
    assert!(first.created);
    assert_eq!((payment.object.as_str(), payment.app.as_str(), payment.amount), ("payment", "shop", 1999));
    assert_eq!(payment.status(), PaymentStatus::Pending);
    assert_eq!(payment.metadata["table"], "7");
    assert_eq!(payment.cashier_url, Some(format!("https://pay.example/pay/{}", payment.id)));
    assert_eq!(payment.channel.as_deref(), Some("main"));
    assert_eq!((payment.attempts.len(), payment.attempts[0].state.as_str()), (1, "open"));
    let next = payment.next_action.clone().unwrap().r#type.unwrap();
    assert!(matches!(next, next_action::Type::Qr(next_action::Qr { qr }) if !qr.is_empty()));
    assert!(payment.paid_at.is_none() && payment.failure.is_none() && payment.held.is_none());

    let again = world.client().create_payment(by(SHOP, request)).await.unwrap().into_inner();
    assert_eq!((again.created, again.payment.as_ref()), (false, Some(&payment)));
    let get = v1::GetPaymentRequest { id: payment.id.clone() };
    assert_eq!(world.client().get_payment(by(SHOP, get)).await.unwrap().into_inner(), payment);
}

#[tokio::test(start_paused = true)]
async fn a_client_names_its_own_call() {
    let world = World::new();
    let mut request = by(SHOP, order("A1"));
    request.metadata_mut().insert("x-request-id", "mine-1".parse().unwrap());
    let answer = world.client().create_payment(request).await.unwrap();
    assert_eq!(answer.metadata().get("x-request-id").unwrap(), "mine-1");
}

#[tokio::test(start_paused = true)]
async fn a_list_comes_in_pages_and_by_status() {
    let world = World::new();
    for n in 0..3 {
        world.created(&format!("A{n}")).await;
    }
    world.paid("A3").await;
    let list = async |request| world.client().list_payments(by(SHOP, request)).await.unwrap().into_inner();
    let first = list(v1::ListPaymentsRequest { limit: Some(3), ..Default::default() }).await;
    let numbers = |page: &v1::ListPaymentsResponse| -> Vec<String> {
        page.data.iter().map(|payment| payment.order_no.clone()).collect()
    };
    assert_eq!(numbers(&first), ["A3", "A2", "A1"]);
    let cursor = first.next_cursor.clone();
    assert!(cursor.is_some());
    let rest = list(v1::ListPaymentsRequest { limit: Some(3), cursor, ..Default::default() }).await;
    assert_eq!((numbers(&rest), rest.next_cursor), (vec!["A0".to_owned()], None));
    let paid = Some(PaymentStatus::Succeeded.into());
    assert_eq!(numbers(&list(v1::ListPaymentsRequest { status: paid, ..Default::default() }).await), ["A3"]);
    let none = world.client().list_payments(by(RIVAL, v1::ListPaymentsRequest::default())).await.unwrap();
    assert!(none.into_inner().data.is_empty(), "another app's are not shown");
}

#[tokio::test(start_paused = true)]
async fn a_payment_is_closed() {
    let world = World::new();
    let payment = world.created("A1").await;
    world.main.on_cancel(Ok(CancelAnswer::Closed));
    let request = v1::CancelPaymentRequest { id: payment.id };
    let canceled = world.client().cancel_payment(by(SHOP, request)).await.unwrap().into_inner();
    assert_eq!(canceled.status(), PaymentStatus::Canceled);
}

#[tokio::test(start_paused = true)]
async fn a_provider_is_asked_now() {
    let world = World::new();
    let payment = world.created("A1").await;
    world.finds_money();
    let paid = world.sync(&payment.id).await;
    assert_eq!((paid.status(), paid.amount_received), (PaymentStatus::Succeeded, 1999));
    assert!(paid.paid_at.is_some() && paid.next_action.is_none());
}

#[tokio::test(start_paused = true)]
async fn money_goes_back_once() {
    let world = World::new();
    let payment = world.paid("A1").await;
    let request = v1::CreateRefundRequest {
        payment: payment.id.clone(),
        refund_no: "R1".to_owned(),
        amount: 500,
        reason: Some("too sweet".to_owned()),
    };
    let first = world.client().create_refund(by(SHOP, request.clone())).await.unwrap().into_inner();
    let refund = first.refund.clone().unwrap();
    assert!(first.created);
    assert_eq!(
        (refund.status(), refund.amount, refund.payment),
        (RefundStatus::Succeeded, 500, payment.id.clone())
    );
    assert_eq!((refund.origin.as_str(), refund.reason.as_str()), ("merchant", "too sweet"));
    let again = world.client().create_refund(by(SHOP, request)).await.unwrap().into_inner();
    assert!(!again.created);
    let get = v1::GetRefundRequest { id: refund.id.clone() };
    let found = world.client().get_refund(by(SHOP, get)).await.unwrap().into_inner();
    assert_eq!(Some(&found), first.refund.as_ref());
    let get = v1::GetPaymentRequest { id: payment.id };
    let payment = world.client().get_payment(by(SHOP, get)).await.unwrap().into_inner();
    assert_eq!(payment.amount_refunded, 500);
}

#[tokio::test(start_paused = true)]
async fn money_is_paid_out_once() {
    let world = World::new();
    let first = world.client().create_transfer(by(SHOP, transfer("T1"))).await.unwrap().into_inner();
    let made = first.transfer.clone().unwrap();
    assert!(first.created);
    assert_eq!((made.status(), made.amount), (TransferStatus::Succeeded, 500));
    assert_eq!(made.payee["card_no"], "****0123", "who receives is masked");
    let again = world.client().create_transfer(by(SHOP, transfer("T1"))).await.unwrap().into_inner();
    assert!(!again.created);
    let get = v1::GetTransferRequest { id: made.id.clone() };
    assert_eq!(world.client().get_transfer(by(SHOP, get)).await.unwrap().into_inner(), made);
}

#[tokio::test(start_paused = true)]
async fn a_choice_is_explained_without_being_made() {
    let world = World::new();
    let request =
        v1::ExplainRequest { payment: Some(order("A1")), seed: Some("7".to_owned()), times: Some(5) };
    let told = world.routing().explain(by(SHOP, request)).await.unwrap().into_inner();
    assert_eq!((told.route.as_deref(), told.strategy.as_deref()), (Some("default"), Some("priority")));
    assert_eq!((told.seed.as_str(), told.picked.as_deref()), ("0000000000000007", Some("main")));
    assert_eq!(told.spread, [("main".to_owned(), 5)].into());
    assert!(told.candidates[0].eligible && told.candidates[0].removed_by.is_none());
    let list = world.client().list_payments(by(SHOP, v1::ListPaymentsRequest::default())).await.unwrap();
    assert!(list.into_inner().data.is_empty());

    let request = v1::ExplainRequest {
        payment: Some(v1::CreatePaymentRequest { method: "paypal.web".to_owned(), ..order("A1") }),
        ..Default::default()
    };
    let told = world.routing().explain(by(SHOP, request)).await.unwrap().into_inner();
    assert_eq!(told.picked, None);
    assert_eq!(told.candidates[0].removed_by.as_ref().unwrap().rule, "method");
}

#[tokio::test(start_paused = true)]
async fn provider_fields_are_taken_by_their_names() {
    let world = World::new();
    let extra = |kind| {
        let field = ("bank_name".to_owned(), Value { kind: Some(kind) });
        Some(Struct { fields: [field].into() })
    };
    let bank = Kind::StringValue("ICBC".to_owned());
    let request = v1::CreateTransferRequest { extra: extra(bank), ..transfer("T1") };
    assert!(world.client().create_transfer(by(SHOP, request)).await.is_ok());
    let order = &world.main.transfers()[0];
    assert_eq!(order.extra["bank_name"], "ICBC");

    let fraction = Kind::NumberValue("1.5".parse().unwrap());
    let request = v1::CreateTransferRequest { extra: extra(fraction), ..transfer("T2") };
    let answer = world.client().create_transfer(by(SHOP, request)).await;
    let details = refused(answer, Code::InvalidArgument, "invalid_request");
    assert_eq!(details.error_info().unwrap().metadata["param"], "extra.bank_name");
}
