//! What operators say: once, on what they saw, and with a line in the audit trail.

use std::time::Duration;

use paymux_core::channel::{Can, CancelAnswer, QueryAnswer, Receipt};
use paymux_core::ids::RefundNo;
use paymux_core::outflow::OutflowState;
use paymux_core::payment::{AttemptState as S, Held, Payment, Status};
use paymux_core::payments::desk::{Operator, Outcome, Resolution};
use paymux_core::refund::{NewRefund, RefundOrigin};
use paymux_core::store::{PaymentLedger as _, QueueKind};
use paymux_core::{Money, PaymentError};
use paymux_testkit::Script;
use paymux_testkit::channel::{Outgo, callback};
use serde_json::json;

use crate::world::{Setting, World, app, channel};

fn root() -> Operator {
    Operator { id: "root".to_owned(), request_id: "req".to_owned() }
}

fn says(outcome: Outcome) -> Resolution {
    Resolution { outcome, amount: None, provider_trade_no: None, note: "seen at the bank".to_owned() }
}

fn paid(minor: i64) -> Resolution {
    Resolution { amount: Some(minor), provider_trade_no: Some("T9".to_owned()), ..says(Outcome::Paid) }
}

async fn resolve(world: &World, payment: &Payment, word: Resolution) -> Result<Payment, PaymentError> {
    world.payments.resolve_attempt(root(), payment.attempts[0].id, word).await
}

async fn confirm(world: &World, payment: &Payment, word: Resolution) -> Result<Payment, PaymentError> {
    world.payments.confirm(root(), payment.id, None, word).await
}

/// A payment whose attempt on `a` has received so much under `T1`.
async fn received(world: &World, fen: i64) -> Payment {
    let payment = world.created(json!({})).await;
    let text = callback(payment.attempts[0].number.as_str(), Money::fen(fen), "T1");
    world.payments.take_callback(channel("a"), text).await.unwrap();
    world.stored(&payment).await
}

/// A barcode payment of which nobody knows anything.
async fn unknown_barcode(world: &World) -> Payment {
    world.a.on_create(Script::Lose);
    let payer = json!({"auth_code": "134567890123456789"});
    let payment = world.created(json!({"method": "wechat.barcode", "payer": payer})).await;
    assert_eq!(payment.attempts[0].state, S::Unknown);
    payment
}

#[tokio::test(start_paused = true)]
async fn a_confirmed_payment_succeeds_once() {
    let world = World::new();
    let payment = world.created(json!({})).await;
    for _ in 0..3 {
        let confirmed = confirm(&world, &payment, paid(1999)).await.unwrap();
        assert_eq!((confirmed.status, confirmed.amount_received), (Status::Succeeded, Money::fen(1999)));
    }
    assert_eq!(world.told().await, ["payment.succeeded"]);
    let audits = world.store.audits();
    let [audit] = audits.as_slice() else { panic!("{audits:?}") };
    assert_eq!((audit.operator.as_str(), audit.action.as_str()), ("root", "attempt.resolve"));
    assert_eq!((&audit.before["status"], &audit.after["status"]), (&json!("pending"), &json!("succeeded")));
    assert_eq!(world.store.postings().len(), 1);
    // The provider's own word comes later and is known.
    let text = callback(payment.attempts[0].number.as_str(), Money::fen(1999), "T9");
    world.payments.take_callback(channel("a"), text).await.unwrap();
    assert_eq!(world.stored(&payment).await.attempts[0].more, []);
}

#[tokio::test(start_paused = true)]
async fn two_words_at_once_have_one_effect() {
    let world = World::new();
    let payment = world.created(json!({})).await;
    let words = (0..32).map(|_| confirm(&world, &payment, paid(1999)));
    let answers = futures_util::future::join_all(words).await;
    assert!(answers.iter().all(|answer| answer.as_ref().is_ok_and(|p| p.status == Status::Succeeded)));
    assert_eq!((world.store.audits().len(), world.store.postings().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn another_amount_is_refused() {
    let world = World::new();
    let payment = world.created(json!({})).await;
    for word in [paid(1998), paid(2000), paid(0)] {
        let error = confirm(&world, &payment, word).await.unwrap_err();
        assert_eq!(error.code(), "not_resolvable", "{error}");
    }
    let error = confirm(&world, &payment, says(Outcome::Paid)).await.unwrap_err();
    assert_eq!(error.code(), "invalid_request", "{error}");
    confirm(&world, &payment, paid(1999)).await.unwrap();
    assert_eq!(confirm(&world, &payment, paid(1)).await.unwrap_err().code(), "not_resolvable");
    assert_eq!(world.store.audits().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn of_several_attempts_one_must_be_named() {
    let world = World::new();
    world.a.on_create(Script::Lose);
    let payment = world.created(json!({})).await;
    assert_eq!(confirm(&world, &payment, paid(1999)).await.unwrap_err().code(), "invalid_request");
    let named = Some(payment.attempts[1].id);
    let confirmed = world.payments.confirm(root(), payment.id, named, paid(1999)).await.unwrap();
    assert_eq!((confirmed.status, confirmed.attempts[1].state), (Status::Succeeded, S::Paid));
}

#[tokio::test(start_paused = true)]
async fn nobody_can_say_not_paid_while_money_may_be_on_its_way() {
    let world = World::new();
    let payment = unknown_barcode(&world).await;
    let error = resolve(&world, &payment, says(Outcome::NotPaid)).await.unwrap_err();
    assert!(error.to_string().contains("on its way"), "{error}");
    world.clock.advance(Duration::from_mins(11)).await;
    let resolved = resolve(&world, &payment, says(Outcome::NotPaid)).await.unwrap();
    assert_eq!((resolved.status, resolved.attempts[0].state), (Status::Failed, S::Closed));
    assert_eq!(resolve(&world, &payment, says(Outcome::NotPaid)).await.unwrap_err().code(), "not_resolvable");
    // It stays reversible: money that comes all the same, and that the provider still has, is booked.
    world.a.on_query(Ok(QueryAnswer::Paid(Receipt::of(Money::fen(1999)))));
    let text = callback(payment.attempts[0].number.as_str(), Money::fen(1999), "T1");
    world.payments.take_callback(channel("a"), text).await.unwrap();
    assert_eq!(world.stored(&payment).await.status, Status::Succeeded);
    assert_eq!(world.told().await, ["payment.failed", "payment.succeeded"]);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_barcode_payment_ends_by_a_persons_word() {
    let world = World::new();
    let payment = unknown_barcode(&world).await;
    let resolved = resolve(&world, &payment, paid(1999)).await.unwrap();
    assert_eq!((resolved.status, resolved.attempts[0].state), (Status::Succeeded, S::Paid));
}

#[tokio::test(start_paused = true)]
async fn too_little_can_be_enough() {
    let world = World::new();
    let payment = received(&world, 1000).await;
    let wrong = Resolution { amount: Some(999), ..says(Outcome::AcceptUnderpaid) };
    assert_eq!(resolve(&world, &payment, wrong).await.unwrap_err().code(), "not_resolvable");
    let resolved = resolve(&world, &payment, says(Outcome::AcceptUnderpaid)).await.unwrap();
    assert_eq!((resolved.status, resolved.held), (Status::Succeeded, None));
    assert_eq!(resolved.amount_received, Money::fen(1000));
    assert_eq!(world.told().await, ["payment.underpaid", "payment.succeeded"]);
    let again = resolve(&world, &payment, says(Outcome::AcceptUnderpaid)).await.unwrap_err();
    assert_eq!(again.code(), "not_resolvable");
}

#[tokio::test(start_paused = true)]
async fn accepting_too_little_needs_too_little() {
    let world = World::new();
    let payment = world.created(json!({})).await;
    let error = resolve(&world, &payment, says(Outcome::AcceptUnderpaid)).await.unwrap_err();
    assert_eq!(error.code(), "not_resolvable");
}

#[tokio::test(start_paused = true)]
async fn what_went_back_by_another_way_is_booked_and_waits_no_more() {
    let world = World::new();
    let payment = received(&world, 1000).await;
    let resolved = resolve(&world, &payment, says(Outcome::ReturnedOutside)).await.unwrap();
    assert_eq!((resolved.status, resolved.held), (Status::Pending, None));
    let stored = world.stored(&payment).await;
    assert_eq!((stored.attempts[0].refunding, stored.attempts[0].refunded), (0, 1000));
    let refunds = world.store.refunds();
    assert_eq!((refunds.len(), refunds[0].origin), (1, RefundOrigin::Operator));
    let error = resolve(&world, &payment, says(Outcome::ReturnedOutside)).await.unwrap_err();
    assert_eq!(error.code(), "not_resolvable");
    // Nothing holds it open any more: it ends by its clock.
    world.pass(Duration::from_mins(40)).await;
    assert_eq!(world.stored(&payment).await.status, Status::Expired);
}

/// A provider does not close an order that somebody has paid too little on, twice, and says so for ever.
#[tokio::test(start_paused = true)]
async fn a_payment_ends_although_its_provider_calls_what_went_back_paid() {
    let world = World::new();
    let payment = received(&world, 1000).await;
    let text = callback(payment.attempts[0].number.as_str(), Money::fen(1000), "T2");
    world.payments.take_callback(channel("a"), text).await.unwrap();
    for _ in 0..5_000 {
        let receipt = Receipt { trade_no: Some("T2".to_owned()), ..Receipt::of(Money::fen(1000)) };
        world.a.on_query(Ok(QueryAnswer::Paid(receipt.clone())));
        world.a.on_cancel(Ok(CancelAnswer::Paid(receipt)));
    }
    resolve(&world, &payment, says(Outcome::ReturnedOutside)).await.unwrap();
    world.pass(Duration::from_mins(40)).await;
    let stored = world.stored(&payment).await;
    assert_eq!((stored.status, stored.attempts[0].state), (Status::Expired, S::Closed));
    assert_eq!((stored.held, stored.attempts[0].received), (None, Some(Money::fen(1000))));
}

#[tokio::test(start_paused = true)]
async fn a_second_sum_that_went_back_waits_no_more() {
    let world = World::new();
    let payment = received(&world, 1999).await;
    let text = callback(payment.attempts[0].number.as_str(), Money::fen(1999), "T2");
    world.payments.take_callback(channel("a"), text).await.unwrap();
    assert_eq!(world.stored(&payment).await.held, Some(Held::SecondPayment));
    let resolved = resolve(&world, &payment, says(Outcome::ReturnedOutside)).await.unwrap();
    assert_eq!((resolved.status, resolved.held), (Status::Succeeded, None));
    assert!(world.stored(&payment).await.attempts[0].more[0].settled);
    assert_eq!(world.store.refunds(), []);
}

#[tokio::test(start_paused = true)]
async fn a_payments_success_is_not_returned_by_a_word() {
    let world = World::new();
    let payment = received(&world, 1999).await;
    for outcome in [Outcome::ReturnedOutside, Outcome::Refund, Outcome::NotPaid] {
        let error = resolve(&world, &payment, says(outcome)).await.unwrap_err();
        assert_eq!(error.code(), "not_resolvable", "{outcome}");
    }
}

#[tokio::test(start_paused = true)]
async fn held_money_goes_back_through_its_provider_where_that_can() {
    let can: fn(paymux_testkit::ScriptedChannel) -> paymux_testkit::ScriptedChannel =
        |a| a.that_can(Can::QUERY | Can::CANCEL | Can::REFUND);
    let world = World::with(&Setting { a: can, ..Setting::default() });
    let payment = received(&world, 1000).await;
    let resolved = resolve(&world, &payment, says(Outcome::Refund)).await.unwrap();
    assert_eq!((resolved.held, resolved.attempts[0].refunding), (Some(Held::Underpaid), 1000));
    let error = resolve(&world, &payment, says(Outcome::Refund)).await.unwrap_err();
    assert_eq!(error.code(), "not_resolvable", "it is on its way");
    let plain = World::new();
    let payment = received(&plain, 1000).await;
    let error = resolve(&plain, &payment, says(Outcome::Refund)).await.unwrap_err();
    assert_eq!(error.code(), "unsupported");
}

#[tokio::test(start_paused = true)]
async fn late_money_is_taken_by_a_persons_word() {
    let world = World::new();
    let payment = world.created(json!({})).await;
    world.payments.cancel(app(), payment.id).await.unwrap();
    world.a.on_query(Ok(QueryAnswer::Paid(Receipt::of(Money::fen(1999)))));
    let text = callback(payment.attempts[0].number.as_str(), Money::fen(1999), "T1");
    world.payments.take_callback(channel("a"), text).await.unwrap();
    let resolved = resolve(&world, &payment, paid(1999)).await.unwrap();
    assert_eq!((resolved.status, resolved.held), (Status::Succeeded, None));
    assert_eq!(world.told().await, ["payment.canceled", "payment.held", "payment.succeeded"]);
}

#[tokio::test(start_paused = true)]
async fn nothing_can_be_said_while_it_is_being_sent() {
    let world = World::new();
    world.a.on_create(Script::Slow(Duration::from_secs(5)));
    let creating = tokio::spawn({
        let payments = world.payments.clone();
        async move { payments.create(app(), crate::world::request(json!({}))).await }
    });
    world.clock.advance(Duration::from_secs(1)).await;
    let filter = paymux_core::store::PaymentFilter {
        app: app(),
        order_no: None,
        status: None,
        from: None,
        to: None,
        after: None,
        limit: 1,
    };
    let payment = world.payments.list(&filter).await.unwrap().remove(0);
    for word in [paid(1999), says(Outcome::NotPaid)] {
        assert_eq!(resolve(&world, &payment, word).await.unwrap_err().code(), "in_flight");
    }
    creating.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_cannot_be_resolved() {
    let world = World::new();
    let elsewhere = World::new().created(json!({"order_no": "B1"})).await;
    assert_eq!(resolve(&world, &elsewhere, paid(1999)).await.unwrap_err().code(), "not_found");
    assert_eq!(confirm(&world, &elsewhere, paid(1999)).await.unwrap_err().code(), "not_found");
}

#[tokio::test(start_paused = true)]
async fn an_order_that_nobody_was_shown_is_given_up_as_soon_as_it_is_found() {
    let world = World::with(&Setting { failover: 0, ..Setting::default() });
    world.a.on_create(Script::Lose);
    let payment = world.created(json!({})).await;
    assert_eq!((payment.status, payment.attempts[0].state), (Status::Processing, S::Unknown));
    world.a.on_query(Ok(QueryAnswer::Open));
    world.pass(Duration::from_secs(20)).await;
    let stored = world.stored(&payment).await;
    assert_eq!(stored.status, Status::Failed);
    assert!(matches!(stored.attempts[0].state, S::Abandoned | S::Closed));
    assert!(world.a.canceled() > 0, "it is closed where that can be done");
}

/// A paid payment with a refund of which nobody knows anything.
async fn unknown_refund(world: &World) -> paymux_core::Refund {
    let payment = received(world, 1999).await;
    world.a.on_outgo(Outgo::Lose);
    let request = NewRefund {
        refund_no: RefundNo::new("R1").unwrap(),
        amount: 500,
        reason: String::new(),
        front: None,
    };
    let refund = world.payments.refund(app(), payment.id, request).await.unwrap().refund;
    assert_eq!(refund.state, OutflowState::Unknown);
    refund
}

fn with_refunds() -> World {
    World::with(&Setting { a: |a| a.that_can(Can::CANCEL | Can::REFUND), ..Setting::default() })
}

#[tokio::test(start_paused = true)]
async fn an_unknown_refund_ends_by_a_persons_word() {
    check(says(Outcome::Paid), OutflowState::Succeeded, (0, 500), "refund.succeeded").await;
    check(says(Outcome::NotPaid), OutflowState::Failed, (0, 0), "refund.failed").await;

    async fn check(word: Resolution, state: OutflowState, counters: (i64, i64), told: &str) {
        let world = with_refunds();
        let refund = unknown_refund(&world).await;
        if word.outcome == Outcome::NotPaid {
            let early = world.payments.resolve_refund(root(), refund.id, word.clone()).await;
            assert_eq!(early.unwrap_err().code(), "not_resolvable");
            world.clock.advance(Duration::from_mins(11)).await;
        }
        for _ in 0..2 {
            let resolved = world.payments.resolve_refund(root(), refund.id, word.clone()).await.unwrap();
            assert_eq!(resolved.state, state);
        }
        let payment = world.store.payment(refund.payment).await.unwrap().unwrap();
        assert_eq!((payment.attempts[0].refunding, payment.attempts[0].refunded), counters);
        assert_eq!(world.store.audits().len(), 1);
        assert_eq!(world.told().await, ["payment.succeeded", told]);
        assert_eq!(world.a.refunds().len(), 1, "it was sent once");
    }
}

#[tokio::test(start_paused = true)]
async fn a_word_on_a_refund_fits_its_amount_and_its_kind() {
    let world = with_refunds();
    let refund = unknown_refund(&world).await;
    for word in
        [paid(499), says(Outcome::AcceptUnderpaid), says(Outcome::ReturnedOutside), says(Outcome::Refund)]
    {
        let error = world.payments.resolve_refund(root(), refund.id, word).await.unwrap_err();
        assert_eq!(error.code(), "not_resolvable");
    }
    world.payments.resolve_refund(root(), refund.id, says(Outcome::Paid)).await.unwrap();
    world.clock.advance(Duration::from_mins(11)).await;
    let error = world.payments.resolve_refund(root(), refund.id, says(Outcome::NotPaid)).await.unwrap_err();
    assert_eq!(error.code(), "not_resolvable", "what is booked stays booked");
}

#[tokio::test(start_paused = true)]
async fn held_money_that_went_back_waits_no_more() {
    let world = with_refunds();
    let payment = received(&world, 1000).await;
    resolve(&world, &payment, says(Outcome::Refund)).await.unwrap();
    world.pass(Duration::from_secs(5)).await;
    let stored = world.stored(&payment).await;
    assert_eq!((stored.held, stored.attempts[0].refunded), (None, 1000));
    assert_eq!((stored.amount_refunded, world.a.refunds().len()), (Money::fen(0), 1));
}

#[tokio::test(start_paused = true)]
async fn money_that_went_back_is_not_held_again() {
    let shows_it = |world: &World| {
        let receipt = Receipt { trade_no: Some("T1".to_owned()), ..Receipt::of(Money::fen(1000)) };
        world.a.on_query(Ok(QueryAnswer::Paid(receipt)));
    };
    let can = |a: paymux_testkit::ScriptedChannel| a.that_can(Can::QUERY | Can::CANCEL | Can::REFUND);
    for outcome in [Outcome::Refund, Outcome::ReturnedOutside] {
        let world = World::with(&Setting { a: can, ..Setting::default() });
        let payment = received(&world, 1000).await;
        resolve(&world, &payment, says(outcome)).await.unwrap();
        world.pass(Duration::from_secs(2)).await;
        // The provider goes on showing what came in: the order is over, and the payment with it.
        shows_it(&world);
        world.payments.sync(app(), payment.id).await.unwrap();
        let stored = world.stored(&payment).await;
        assert_eq!(
            (stored.status, stored.held, stored.attempts[0].state),
            (Status::Expired, None, S::Closed)
        );
        assert_eq!(stored.attempts[0].refunded, 1000);
        // A callback that comes again changes nothing either.
        let again = callback(payment.attempts[0].number.as_str(), Money::fen(1000), "T1");
        world.payments.take_callback(channel("a"), again).await.unwrap();
        assert_eq!(world.stored(&payment).await.held, None);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_unknown_for_long_waits_for_a_person() {
    let world = with_refunds();
    let payment = unknown_barcode(&world).await;
    assert_eq!(world.payments.queue(None, None, 10).await.unwrap(), []);
    world.a.on_cancel(Err(paymux_core::ChannelError::unknown("cut")));
    world.clock.advance(Duration::from_mins(6)).await;
    let queue = world.payments.queue(None, None, 10).await.unwrap();
    let [item] = queue.as_slice() else { panic!("{queue:?}") };
    assert_eq!((item.kind, item.id.clone()), (QueueKind::AttemptUnknown, payment.attempts[0].id.to_string()));
    assert_eq!(world.payments.queue_counts().await.unwrap()[&QueueKind::AttemptUnknown], 1);
}

/// Its provider does not find an order, or will not close it, for ever: somebody is told.
#[tokio::test(start_paused = true)]
async fn an_order_that_nothing_ends_waits_for_a_person() {
    check("alipay.web", Duration::from_mins(10 + 10)).await;
    check("wechat.native", Duration::from_mins(10)).await;

    async fn check(method: &str, ended_after: Duration) {
        let world = World::new();
        let payment = world.created(json!({"method": method, "expires_in": 600})).await;
        world.a.finds(QueryAnswer::NotFound);
        for _ in 0..5_000 {
            world.a.on_cancel(Ok(CancelAnswer::Refused("unknown order".to_owned())));
        }
        world.pass(ended_after + Duration::from_secs(299)).await;
        assert_eq!(world.waiting().await, [], "{method}: it may end by itself");
        world.pass(Duration::from_mins(11)).await;
        let waits = (QueueKind::AttemptUnknown, payment.attempts[0].id.to_string());
        assert_eq!(world.waiting().await, [waits], "{method}");
        assert_eq!(world.payments.unknown_attempts(None, 9).await.unwrap(), [], "it is open");
        let resolved = resolve(&world, &payment, says(Outcome::NotPaid)).await.unwrap();
        assert_eq!((resolved.status, resolved.attempts[0].state), (Status::Expired, S::Closed), "{method}");
        assert_eq!(world.waiting().await, []);
    }
}

/// Its provider takes a refund in, and nobody says what became of it.
#[tokio::test(start_paused = true)]
async fn a_refund_that_is_under_way_for_days_waits_for_a_person() {
    let world = with_refunds();
    let payment = received(&world, 1999).await;
    world.a.on_outgo(Outgo::Pending);
    let request =
        NewRefund { refund_no: RefundNo::new("R1").unwrap(), amount: 5, reason: String::new(), front: None };
    let refund = world.payments.refund(app(), payment.id, request).await.unwrap().refund;
    assert_eq!(refund.state, OutflowState::Pending);
    world.clock.advance(Duration::from_hours(72)).await;
    assert_eq!(world.waiting().await, []);
    world.clock.advance(Duration::from_secs(1)).await;
    assert_eq!(world.waiting().await, [(QueueKind::RefundUnknown, refund.id.to_string())]);
    world.payments.resolve_refund(root(), refund.id, says(Outcome::Paid)).await.unwrap();
    assert_eq!(world.waiting().await, []);
}
