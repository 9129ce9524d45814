//! Money that a provider shows as paid and gone again: booked, told, and kept for a person.

use std::time::Duration;

use paymux_core::catalog::DuplicatePaid;
use paymux_core::channel::{Can, QueryAnswer, Receipt};
use paymux_core::payment::{AttemptState as S, Held, Payment, Status};
use paymux_core::payments::desk::Outcome;
use paymux_core::posting::PostingKind;
use paymux_core::store::QueueKind;
use paymux_core::{Money, PaymentError};
use paymux_testkit::Script;
use paymux_testkit::channel::callback;
use serde_json::json;

use crate::late_money::{books, line};
use crate::refunds::request as refund_request;
use crate::world::{Setting, World, app, channel, root, says};

/// Says which way money went that came in as this.
type Gone = fn(Receipt) -> QueryAnswer;
const BOTH: [Gone; 2] = [QueryAnswer::Returned, QueryAnswer::Returning];

fn receipt() -> Receipt {
    Receipt { trade_no: Some("T1".to_owned()), ..Receipt::of(Money::fen(1999)) }
}

async fn sync(world: &World, payment: &Payment, answer: QueryAnswer) -> Payment {
    world.a.on_query(Ok(answer));
    world.payments.sync(app(), payment.id).await.unwrap()
}

async fn refund(world: &World, payment: &Payment) -> Result<(), PaymentError> {
    world.payments.refund(app(), payment.id, refund_request(json!({"amount": 1999}))).await.map(drop)
}

fn refunding() -> Setting {
    Setting { a: |a| a.that_can(Can::QUERY | Can::CANCEL | Can::REFUND), ..Setting::default() }
}

#[tokio::test(start_paused = true)]
async fn what_came_in_and_went_back_unseen_is_a_success_that_a_person_looks_at() {
    for gone in BOTH {
        let world = World::with(&refunding());
        let payment = world.created(json!({})).await;
        let held = sync(&world, &payment, gone(receipt())).await;
        assert_eq!((held.status, held.held), (Status::Succeeded, Some(Held::Reversed)));
        assert_eq!((held.attempts[0].state, held.attempts[0].contested), (S::Paid, 1999));
        let failure = held.attempts[0].failure.as_ref().unwrap();
        assert!(failure.message.contains("its provider shows that the money has gone back"), "{failure:?}");
        assert_eq!(world.told().await, ["payment.succeeded", "payment.held"]);
        assert_eq!(world.waiting().await, [(QueueKind::MoneyHeld, payment.attempts[0].id.to_string())]);
        assert_eq!(refund(&world, &payment).await.unwrap_err().code(), "not_refundable");
        let want = [
            line(PostingKind::Received, "app:shop", "channel:a", 1999),
            line(PostingKind::Contested, "held:shop", "app:shop", 1999),
        ];
        assert_eq!(books(&world), want);
        let attempt = payment.attempts[0].id;
        let seen =
            world.payments.resolve_attempt(root(), attempt, says(Outcome::ReturnedOutside)).await.unwrap();
        assert_eq!((seen.held, seen.amount_refunded), (None, Money::fen(1999)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_callback_that_is_asked_about_learns_it_too() {
    let world = World::with(&refunding());
    world.a.on_create(Script::Lose);
    let payer = json!({"auth_code": "134567890123456789"});
    let payment = world.created(json!({"method": "wechat.barcode", "payer": payer})).await;
    world.a.on_query(Ok(QueryAnswer::Returned(receipt())));
    let told = callback(payment.attempts[0].number.as_str(), Money::fen(1999), "T1");
    world.payments.take_callback(channel("a"), told).await.unwrap();
    world.pass(Duration::from_mins(2)).await;
    let stored = world.stored(&payment).await;
    assert_eq!((stored.status, stored.held), (Status::Succeeded, Some(Held::Reversed)));
}

#[tokio::test(start_paused = true)]
async fn of_booked_money_only_what_is_gone_is_held() {
    let booked = async || {
        let world = World::with(&refunding());
        let payment = world.created(json!({})).await;
        let paid = sync(&world, &payment, QueryAnswer::Paid(receipt())).await;
        assert_eq!((paid.status, paid.held), (Status::Succeeded, None));
        (world, paid)
    };
    // On its way back, perhaps by a refund of ours: nothing is known yet.
    let (world, paid) = booked().await;
    refund(&world, &paid).await.unwrap();
    let before = world.stored(&paid).await;
    let after = sync(&world, &paid, QueryAnswer::Returning(receipt())).await;
    assert_eq!((after.held, after.attempts[0].contested), (None, 0));
    assert_eq!(after.amount_refunded, before.amount_refunded);
}

#[tokio::test(start_paused = true)]
async fn too_little_that_went_back_waits_as_too_little() {
    let world = World::with(&refunding());
    let payment = world.created(json!({})).await;
    let short = Receipt::of(Money::fen(1000));
    let held = sync(&world, &payment, QueryAnswer::Returned(short)).await;
    assert_eq!(held.held, Some(Held::Underpaid));
    assert_eq!(held.attempts[0].contested, 0);
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_that_went_back_is_not_sent_back_again() {
    let setting = Setting { app: |app| app.duplicate_paid = DuplicatePaid::Refund, ..refunding() };
    let world = World::with(&setting);
    world.a.on_create(Script::Lose);
    let payment = world.created(json!({})).await;
    let second = callback(payment.attempts[1].number.as_str(), Money::fen(1999), "T2");
    world.payments.take_callback(channel("b"), second).await.unwrap();
    world.a.on_query(Ok(QueryAnswer::Returned(receipt())));
    world.pass(Duration::from_mins(10)).await;
    let stored = world.stored(&payment).await;
    assert_eq!((stored.attempts[0].state, stored.attempts[0].contested), (S::DuplicatePaid, 1999));
    assert!(world.store.refunds().is_empty());
}
