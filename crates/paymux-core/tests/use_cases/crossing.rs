//! Closes that cross money: what is booked meanwhile may be gone, and is looked at again.

use std::time::Duration;

use paymux_core::catalog::DuplicatePaid;
use paymux_core::channel::{Can, CancelAnswer, ChannelError, QueryAnswer, Receipt};
use paymux_core::payment::{AttemptState as S, Held, Payment, Status};
use paymux_core::payments::desk::{Outcome, Resolution};
use paymux_core::posting::PostingKind;
use paymux_core::refund::RefundOrigin;
use paymux_core::store::QueueKind;
use paymux_core::{Money, PaymentError};
use paymux_testkit::Script;
use paymux_testkit::channel::callback;
use paymux_testkit::memory_store::Trouble;
use serde_json::json;

use crate::late_money::{books, line};
use crate::refunds::request as refund_request;
use crate::world::{Setting, World, app, channel, root, says};

/// How long a close may act: the time of its call and what a provider may take beyond it.
const ACTS: Duration = Duration::from_secs(615);
/// How far clocks may be apart.
const APART: Duration = Duration::from_hours(2);

fn paid() -> QueryAnswer {
    QueryAnswer::Paid(Receipt { trade_no: Some("T1".to_owned()), ..Receipt::of(Money::fen(1999)) })
}

async fn tell(world: &World, id: &str, payment: &Payment, place: usize) {
    let told = callback(payment.attempts[place].number.as_str(), Money::fen(1999), "T1");
    world.payments.take_callback(channel(id), told).await.unwrap();
}

fn refunding() -> Setting {
    Setting {
        a: |a| a.that_can(Can::QUERY | Can::CANCEL | Can::REFUND),
        app: |app| app.duplicate_paid = DuplicatePaid::Refund,
        ..Setting::default()
    }
}

/// A payment at a till whose create was lost: nobody knows whether it took the money. A cancel closes it,
/// and a callback tells of money meanwhile; the close's answer is lost.
async fn crossed(setting: &Setting) -> (World, Payment) {
    let world = World::with(setting);
    world.a.on_create(Script::Lose);
    let payer = json!({"auth_code": "134567890123456789"});
    let payment = world.created(json!({"method": "wechat.barcode", "payer": payer})).await;
    world.a.on_slow_cancel(Duration::from_secs(3), Err(ChannelError::unknown("cut")));
    let cancel = spawn_cancel(&world.payments, &payment);
    world.clock.advance(Duration::from_secs(1)).await;
    world.a.on_query(Ok(paid()));
    tell(&world, "a", &payment, 0).await;
    world.clock.advance(Duration::from_secs(5)).await;
    assert_eq!(cancel.await.unwrap().unwrap_err().code(), "already_paid");
    let stored = world.stored(&payment).await;
    assert_eq!((stored.status, stored.attempts[0].state, stored.held), (Status::Succeeded, S::Paid, None));
    (world, stored)
}

/// The same, and a look has found the order closed.
async fn contested() -> (World, Payment) {
    let (world, payment) = crossed(&refunding()).await;
    world.a.on_query(Ok(QueryAnswer::Closed));
    world.pass(ACTS).await;
    let stored = world.stored(&payment).await;
    (world, stored)
}

fn spawn_cancel(
    payments: &paymux_core::Payments,
    payment: &Payment,
) -> tokio::task::JoinHandle<Result<Payment, PaymentError>> {
    let (payments, id) = (payments.clone(), payment.id);
    tokio::spawn(async move { payments.cancel(app(), id).await })
}

async fn resolve(world: &World, payment: &Payment, word: Resolution) -> Result<Payment, PaymentError> {
    world.payments.resolve_attempt(root(), payment.attempts[0].id, word).await
}

async fn refund(world: &World, payment: &Payment) -> Result<(), String> {
    let answer = world.payments.refund(app(), payment.id, refund_request(json!({"amount": 1999}))).await;
    answer.map(drop).map_err(|error| format!("{}: {error}", error.code()))
}

fn waits(payment: &Payment) -> [(QueueKind, String); 1] {
    [(QueueKind::MoneyHeld, payment.attempts[0].id.to_string())]
}

#[tokio::test(start_paused = true)]
async fn a_close_that_crosses_a_paid_booking_is_looked_at_once_more() {
    let (world, payment) = contested().await;
    assert_eq!((payment.status, payment.held), (Status::Succeeded, Some(Held::Reversed)));
    let attempt = &payment.attempts[0];
    assert_eq!((attempt.contested, attempt.check_at, attempt.closing_until), (1999, None, None));
    assert_eq!(world.waiting().await, waits(&payment));
    assert_eq!(world.told().await, ["payment.succeeded", "payment.held"]);
    let want = [
        line(PostingKind::Received, "app:shop", "channel:a", 1999),
        line(PostingKind::Contested, "held:shop", "app:shop", 1999),
    ];
    assert_eq!(books(&world), want);
    assert!(refund(&world, &payment).await.unwrap_err().starts_with("not_refundable: "));
}

#[tokio::test(start_paused = true)]
async fn money_that_a_close_left_alone_stays_the_payments_success() {
    let (world, payment) = crossed(&refunding()).await;
    for span in [ACTS, APART] {
        assert!(world.stored(&payment).await.attempts[0].check_at.is_some());
        world.clock.advance(span).await;
        // Whatever any clock says: nobody has seen yet that the money is there.
        let refused = refund(&world, &payment).await.unwrap_err();
        assert!(refused.contains("may have sent the money back"), "{refused}");
        world.a.on_query(Ok(paid()));
        world.pass(Duration::from_secs(2)).await;
    }
    let stored = world.stored(&payment).await;
    let attempt = &stored.attempts[0];
    assert_eq!((stored.held, attempt.closing_until, attempt.check_at), (None, None, None));
    assert_eq!(refund(&world, &payment).await, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn money_that_nobody_confirms_for_long_waits_for_a_person() {
    let (world, payment) = crossed(&Setting::default()).await;
    world.a.on_query(Ok(QueryAnswer::NotFound));
    world.a.on_query(Err(ChannelError::unknown("cut")));
    world.pass(ACTS + Duration::from_mins(1)).await;
    assert!(world.waiting().await.is_empty());
    world.clock.advance(APART + Duration::from_hours(24)).await;
    world.pass(Duration::from_secs(2)).await;
    assert_eq!(world.waiting().await, waits(&payment));
}

#[tokio::test(start_paused = true)]
async fn money_of_a_provider_that_cannot_be_asked_waits_for_a_person_at_once() {
    let setting = Setting { a: |a| a.that_can(Can::CANCEL), ..Setting::default() };
    let (world, payment) = crossed(&setting).await;
    world.pass(ACTS).await;
    assert_eq!(world.waiting().await, waits(&payment));
}

#[tokio::test(start_paused = true)]
async fn a_close_that_comes_back_done_contests_at_once() {
    let world = World::new();
    let payment = world.created(json!({})).await;
    world.a.on_slow_cancel(Duration::from_secs(3), Ok(CancelAnswer::Closed));
    let cancel = spawn_cancel(&world.payments, &payment);
    world.clock.advance(Duration::from_secs(1)).await;
    world.a.on_query(Ok(paid()));
    tell(&world, "a", &payment, 0).await;
    world.clock.advance(Duration::from_secs(5)).await;
    assert_eq!(cancel.await.unwrap().unwrap_err().code(), "already_paid");
    assert_eq!(world.waiting().await, waits(&payment));
}

#[tokio::test(start_paused = true)]
async fn a_person_says_what_became_of_contested_money() {
    let (world, payment) = contested().await;
    let refused = resolve(&world, &payment, says(Outcome::Refund)).await.unwrap_err().to_string();
    assert!(refused.contains("say `paid` or `returned_outside`"), "{refused}");
    let gone = resolve(&world, &payment, says(Outcome::ReturnedOutside)).await.unwrap();
    assert_eq!((gone.status, gone.held, gone.amount_refunded), (Status::Succeeded, None, Money::fen(1999)));
    assert_eq!((gone.attempts[0].contested, gone.attempts[0].refunded), (0, 1999));
    assert_eq!(world.store.refunds()[0].origin, RefundOrigin::Reversal);
    assert_eq!(world.told().await, ["payment.succeeded", "payment.held", "refund.succeeded"]);
    assert!(world.waiting().await.is_empty());
    let last = line(PostingKind::ReturnedOutside, "channel:a", "held:shop", 1999);
    assert!(books(&world).contains(&last));

    let (world, payment) = contested().await;
    let word = |amount| Resolution { amount: Some(amount), ..says(Outcome::Paid) };
    assert_eq!(resolve(&world, &payment, word(1)).await.unwrap_err().code(), "not_resolvable");
    let there = resolve(&world, &payment, word(1999)).await.unwrap();
    assert_eq!((there.held, there.attempts[0].contested, &there.attempts[0].failure), (None, 0, &None));
    assert!(books(&world).contains(&line(PostingKind::Released, "app:shop", "held:shop", 1999)));
    assert_eq!(resolve(&world, &payment, word(1999)).await.unwrap(), there);
    assert_eq!(refund(&world, &payment).await, Ok(()));
}

/// A first attempt that nobody was shown and whose close is in doubt, and a second one that waits.
async fn begun_twice(setting: &Setting) -> (World, Payment) {
    let world = World::with(setting);
    world.a.on_create(Script::Lose);
    let payment = world.created(json!({})).await;
    world.a.on_cancel(Err(ChannelError::unknown("cut")));
    world.pass(Duration::from_secs(6)).await;
    let stored = world.stored(&payment).await;
    assert_eq!((stored.attempts[0].state, world.a.canceled()), (S::Abandoned, 1));
    (world, stored)
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_goes_back_only_once_no_close_can_have_sent_it_back() {
    for is_there in [true, false] {
        let (world, payment) = begun_twice(&refunding()).await;
        tell(&world, "b", &payment, 1).await;
        world.a.on_query(Ok(paid()));
        tell(&world, "a", &payment, 0).await;
        assert_eq!(world.stored(&payment).await.attempts[0].state, S::DuplicatePaid);
        for span in [ACTS, APART] {
            assert!(world.store.refunds().is_empty());
            world.a.on_query(Ok(if is_there { paid() } else { QueryAnswer::Closed }));
            world.clock.advance(span).await;
            world.pass(Duration::from_secs(2)).await;
        }
        let stored = world.stored(&payment).await;
        assert_eq!(world.store.refunds().len(), usize::from(is_there));
        assert_eq!(stored.attempts[0].contested, if is_there { 0 } else { 1999 });
        assert_eq!(stored.held, None, "the payment's success is another attempt's");
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_sum_beside_money_in_doubt_is_held() {
    let (world, payment) = begun_twice(&refunding()).await;
    world.a.on_query(Ok(paid()));
    tell(&world, "a", &payment, 0).await;
    // Also once the close is over: no look has shown yet that the first is there.
    world.clock.advance(ACTS).await;
    tell(&world, "b", &payment, 1).await;
    let stored = world.stored(&payment).await;
    let states: Vec<_> = stored.attempts.iter().map(|a| (a.state, a.received)).collect();
    let sum = Some(Money::fen(1999));
    assert_eq!(states, [(S::Paid, sum), (S::Lapsed, sum)]);
    assert_eq!(stored.held, Some(Held::SecondPayment));
    assert!(world.store.refunds().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_goes_back_at_an_operators_word_only_after_a_look() {
    let (world, payment) = begun_twice(&Setting { app: |_| {}, ..refunding() }).await;
    tell(&world, "b", &payment, 1).await;
    world.a.on_query(Ok(paid()));
    tell(&world, "a", &payment, 0).await;
    for span in [ACTS, APART] {
        world.clock.advance(span).await;
        let refused = resolve(&world, &payment, says(Outcome::Refund)).await.unwrap_err().to_string();
        assert!(refused.contains("may have sent it back"), "{refused}");
        world.a.on_query(Ok(paid()));
        world.pass(Duration::from_secs(2)).await;
    }
    resolve(&world, &payment, says(Outcome::Refund)).await.unwrap();
    assert_eq!(world.store.refunds().len(), 1);
}

/// Late money is looked at by nobody once a person has to: there only time says that no close can act.
#[tokio::test(start_paused = true)]
async fn held_money_goes_back_only_once_no_close_can_act_by_any_clock() {
    let world = World::with(&refunding());
    let payment = world.created(json!({})).await;
    world.payments.cancel(app(), payment.id).await.unwrap();
    world.a.on_query(Ok(paid()));
    tell(&world, "a", &payment, 0).await;
    assert_eq!(world.stored(&payment).await.held, Some(Held::Late));
    world.clock.advance(ACTS).await;
    let refused = resolve(&world, &payment, says(Outcome::Refund)).await.unwrap_err().to_string();
    assert!(refused.contains("may still send it back"), "{refused}");
    world.clock.advance(APART).await;
    resolve(&world, &payment, says(Outcome::Refund)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_closer_that_stood_still_sends_nothing() {
    let world = World::new();
    let payment = world.created(json!({})).await;
    // The wish is stored; then the node stands still for longer than its call may take.
    world.store.trouble(Trouble::Delayed(Duration::ZERO));
    world.store.trouble(Trouble::Delayed(Duration::from_mins(1)));
    let cancel = spawn_cancel(&world.payments, &payment);
    world.clock.advance(Duration::from_mins(3)).await;
    assert_eq!(cancel.await.unwrap().unwrap_err().code(), "in_flight");
    assert_eq!(world.a.canceled(), 0);
    world.pass(Duration::from_mins(1)).await;
    assert_eq!((world.stored(&payment).await.status, world.a.canceled()), (Status::Canceled, 1));
}

#[tokio::test(start_paused = true)]
async fn a_close_is_not_called_on_what_has_changed() {
    let world = World::new();
    let payment = world.created(json!({"expires_in": 60})).await;
    world.clock.advance(Duration::from_secs(62)).await;
    // What the query told is stored; then a callback is faster than the mark of the close.
    world.store.trouble(Trouble::Delayed(Duration::ZERO));
    world.store.trouble(Trouble::Delayed(Duration::from_secs(2)));
    let sweep = tokio::spawn({
        let payments = world.payments.clone();
        async move { payments.sweep().await }
    });
    world.clock.advance(Duration::from_secs(1)).await;
    world.a.on_query(Ok(paid()));
    tell(&world, "a", &payment, 0).await;
    world.clock.advance(Duration::from_secs(5)).await;
    sweep.await.unwrap().unwrap();
    assert_eq!((world.stored(&payment).await.status, world.a.canceled()), (Status::Succeeded, 0));
}

#[tokio::test(start_paused = true)]
async fn a_mark_that_is_not_surely_stored_lets_nothing_out() {
    let world = World::new();
    let payment = world.created(json!({})).await;
    world.store.trouble(Trouble::Delayed(Duration::ZERO));
    world.store.trouble(Trouble::AnswerLost);
    assert!(world.payments.cancel(app(), payment.id).await.is_err());
    assert_eq!(world.a.canceled(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_refused_cancel_takes_back_nobody_elses_wish() {
    let world = World::new();
    let payment = world.created(json!({})).await;
    world.a.on_slow_cancel(Duration::from_secs(3), Ok(CancelAnswer::Refused("busy".to_owned())));
    world.a.on_slow_cancel(Duration::from_secs(6), Ok(CancelAnswer::Closed));
    let first = spawn_cancel(&world.payments, &payment);
    world.clock.advance(Duration::from_secs(1)).await;
    let second = spawn_cancel(&world.another_node(), &payment);
    world.clock.advance(Duration::from_secs(10)).await;
    assert_eq!(first.await.unwrap().unwrap_err().code(), "not_cancelable");
    assert_eq!(second.await.unwrap().unwrap().status, Status::Canceled);
}
