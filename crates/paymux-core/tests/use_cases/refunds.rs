//! Refunds: what may go back, that each is sent once, and what is told of it.

mod callbacks;
mod count;
mod faults;
mod workers;

use std::time::Duration;

use paymux_core::catalog::Lifecycle;
use paymux_core::channel::{Can, OutflowAnswer};
use paymux_core::outflow::OutflowState as S;
use paymux_core::payment::{Payment, Status};
use paymux_core::payments::RefundAnswer;
use paymux_core::posting::PostingKind;
use paymux_core::refund::{RefundOrigin, RefundRequest};
use paymux_core::store::RefundLedger as _;
use paymux_core::{AppId, Clock as _, Money, NewRefund, PaymentError, Refund};
use paymux_testkit::Outgo;
use paymux_testkit::channel::callback;
use serde_json::{Value, json};

use crate::world::{Setting, World, app, channel};

/// A channel that can refund and be asked about it, and one that cannot.
fn setting() -> Setting {
    Setting {
        a: |a| a.that_can(Can::QUERY | Can::CANCEL | Can::REFUND | Can::QUERY_REFUND),
        ..Setting::default()
    }
}

fn world() -> World {
    World::with(&setting())
}

/// A payment that has received 19.99 CNY on channel `a`.
async fn paid(world: &World) -> Payment {
    paid_as(world, "A1001").await
}

async fn paid_as(world: &World, order_no: &str) -> Payment {
    let payment = world.created(json!({"order_no": order_no})).await;
    let text = callback(payment.attempts[0].number.as_str(), Money::fen(1999), "T1");
    world.payments.take_callback(channel("a"), text).await.unwrap();
    let payment = world.stored(&payment).await;
    assert_eq!(payment.status, Status::Succeeded);
    payment
}

#[expect(clippy::needless_pass_by_value, reason = "its callers write the patch in place")]
pub(crate) fn request(patch: Value) -> NewRefund {
    let mut body = json!({"refund_no": "R1", "amount": 500, "reason": "too sweet"});
    body.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
    let request: RefundRequest = serde_json::from_value(body).unwrap();
    NewRefund::check(&request).unwrap()
}

async fn refund(world: &World, payment: &Payment, patch: Value) -> Result<RefundAnswer, PaymentError> {
    world.payments.refund(app(), payment.id, request(patch)).await
}

/// Asks for a refund and expects one.
async fn refunded(world: &World, payment: &Payment, patch: Value) -> Refund {
    refund(world, payment, patch).await.unwrap().refund
}

async fn stored(world: &World, refund: &Refund) -> Refund {
    world.store.refund(refund.id).await.unwrap().unwrap()
}

/// What of the money on the payment's first attempt is set aside, and what has gone back.
async fn counters(world: &World, payment: &Payment) -> (i64, i64) {
    let attempt = world.stored(payment).await.attempts.remove(0);
    (attempt.refunding, attempt.refunded)
}

/// What was booked for refunds: from where, to where, how much.
fn books(world: &World) -> Vec<(String, String, i64)> {
    let postings = world.store.postings();
    let refunds = postings.iter().filter(|posting| posting.kind == PostingKind::Refunded);
    refunds.map(|line| (line.credit.to_string(), line.debit.to_string(), line.amount.minor())).collect()
}

fn line(from: &str, to: &str, minor: i64) -> (String, String, i64) {
    (from.to_owned(), to.to_owned(), minor)
}

#[tokio::test(start_paused = true)]
async fn money_goes_back_and_is_booked_and_told() {
    let world = world();
    let payment = paid(&world).await;
    let answer = refund(&world, &payment, json!({})).await.unwrap();
    assert!(answer.is_new);
    let refund = answer.refund;
    assert_eq!(
        (refund.state, refund.origin, refund.amount),
        (S::Succeeded, RefundOrigin::Merchant, Money::fen(500))
    );
    assert_eq!((refund.check_at, refund.ended_at), (None, Some(world.clock.now())));
    assert_eq!(refund.reference, Some(format!("ref-{}", refund.number)));
    assert_eq!(stored(&world, &refund).await, refund);
    let payment = world.stored(&payment).await;
    assert_eq!((payment.status, payment.amount_refunded), (Status::Succeeded, Money::fen(500)));
    assert_eq!(counters(&world, &payment).await, (0, 500));
    assert_eq!(books(&world), [line("channel:a", "app:shop", 500)]);
    assert_eq!(world.told().await, ["payment.succeeded", "refund.succeeded"]);
}

#[tokio::test(start_paused = true)]
async fn the_provider_is_told_what_it_needs() {
    let world = world();
    let payment = paid(&world).await;
    let refund = refunded(&world, &payment, json!({})).await;
    let orders = world.a.refunds();
    let [order] = orders.as_slice() else { panic!("{orders:?}") };
    assert_eq!(
        (order.number.as_str(), order.number.as_str()),
        (refund.number.as_str(), &*refund.id.digits())
    );
    assert_eq!(order.order.number, payment.attempts[0].number);
    assert_eq!((order.amount, order.received), (Money::fen(500), Money::fen(1999)));
    assert_eq!((order.trade_no.as_deref(), order.reason.as_str()), (Some("T1"), "too sweet"));
    assert_eq!(order.notify_url, "https://pay.example/notify/a");
    assert_eq!(order.created_at, refund.created_at);
}

#[tokio::test(start_paused = true)]
async fn it_is_stored_and_its_amount_set_aside_before_a_byte_leaves() {
    let world = world();
    let payment = paid(&world).await;
    world.a.on_outgo(Outgo::Slow(Duration::from_secs(3)));
    let sent = world.transport.sent().len();
    let asking = tokio::spawn({
        let (payments, id) = (world.payments.clone(), payment.id);
        async move { payments.refund(app(), id, request(json!({}))).await }
    });
    world.clock.advance(Duration::from_secs(1)).await;
    assert_eq!(world.transport.sent().len(), sent + 1);
    let refund = world.store.refunds().remove(0);
    assert_eq!((refund.state, counters(&world, &payment).await), (S::Sending, (500, 0)));
    assert_eq!(asking.await.unwrap().unwrap().refund.state, S::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn many_refunds_return_all_of_it_and_no_more() {
    let world = world();
    let payment = paid(&world).await;
    for (no, amount) in [("R1", 1000), ("R2", 998)] {
        refunded(&world, &payment, json!({"refund_no": no, "amount": amount})).await;
        world.clock.advance(Duration::from_millis(1)).await;
    }
    let error = refund(&world, &payment, json!({"refund_no": "R3", "amount": 2})).await.unwrap_err();
    assert!(matches!(error, PaymentError::RefundTooLarge { left } if left == Money::fen(1)), "{error}");
    refunded(&world, &payment, json!({"refund_no": "R3", "amount": 1})).await;
    let error = refund(&world, &payment, json!({"refund_no": "R4", "amount": 1})).await.unwrap_err();
    assert!(matches!(error, PaymentError::RefundTooLarge { left } if left == Money::fen(0)), "{error}");
    assert_eq!(world.stored(&payment).await.amount_refunded, Money::fen(1999));
    let refunds = world.payments.refunds(&app(), payment.id, None, 100).await.unwrap();
    let numbers: Vec<_> = refunds.iter().map(|r| r.refund_no.as_ref().unwrap().as_str()).collect();
    assert_eq!(numbers, ["R1", "R2", "R3"]);
}

#[tokio::test(start_paused = true)]
async fn only_the_money_of_a_paid_payment_goes_back() {
    let world = world();
    let open = world.created(json!({})).await;
    check(&world, &open, "pending").await;
    let text = callback(open.attempts[0].number.as_str(), Money::fen(5), "T1");
    world.payments.take_callback(channel("a"), text).await.unwrap();
    check(&world, &open, "underpaid").await;
    let canceled = world.created(json!({"order_no": "A1002"})).await;
    world.payments.cancel(app(), canceled.id).await.unwrap();
    check(&world, &canceled, "canceled").await;
    assert!(world.a.refunds().is_empty() && world.store.refunds().is_empty());

    async fn check(world: &World, payment: &Payment, why: &str) {
        let error = refund(world, payment, json!({"amount": 1})).await.unwrap_err();
        assert_eq!(error.code(), "not_refundable");
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_cannot_send_money_back_says_so() {
    let plain = World::new();
    let payment = paid(&plain).await;
    check(&plain, &payment).await;

    let world = world();
    let payment = paid(&world).await;
    world.reconfigure(&setting(), |catalog| catalog.edit().0[0].state = Lifecycle::Off);
    check(&world, &payment).await;
    world.reconfigure(&setting(), |catalog| {
        catalog.edit().1.clear();
        catalog.edit().0.remove(0);
    });
    check(&world, &payment).await;
    for state in [Lifecycle::Draining, Lifecycle::VerifyOnly] {
        world.reconfigure(&setting(), |catalog| catalog.edit().0[0].state = state);
        refunded(&world, &payment, json!({"refund_no": state.word(), "amount": 1})).await;
    }

    async fn check(world: &World, payment: &Payment) {
        let error = refund(world, payment, json!({})).await.unwrap_err();
        let PaymentError::Unsupported { channel, operation } = &error else { panic!("{error}") };
        assert_eq!((channel.as_str(), *operation), ("a", "refund"));
        assert!(world.store.refunds().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn an_app_needs_the_scope_and_sees_its_own_refunds_only() {
    let world = world();
    let payment = paid(&world).await;
    let refund = refunded(&world, &payment, json!({})).await;
    let no = refund.refund_no.clone().unwrap();
    let found = world.payments.find_refund(&app(), refund.id).await.unwrap();
    assert_eq!(found, world.payments.find_refund_by_no(&app(), &no).await.unwrap());
    assert_eq!(found, refund);
    check(&world, "other", &payment, &refund, "not_found").await;
    world.reconfigure(&Setting { app: |app| app.scopes.clear(), ..setting() }, |_| {});
    check(&world, "shop", &payment, &refund, "forbidden").await;
    check(&world, "nobody", &payment, &refund, "forbidden").await;

    async fn check(world: &World, app: &str, payment: &Payment, refund: &Refund, code: &str) {
        let (app, payments) = (AppId::new(app).unwrap(), &world.payments);
        let no = refund.refund_no.clone().unwrap();
        let errors = [
            payments.refund(app.clone(), payment.id, request(json!({}))).await.map(drop).unwrap_err(),
            payments.find_refund(&app, refund.id).await.map(drop).unwrap_err(),
            payments.find_refund_by_no(&app, &no).await.map(drop).unwrap_err(),
            payments.refunds(&app, payment.id, None, 100).await.map(drop).unwrap_err(),
            payments.sync_refund(app.clone(), refund.id).await.map(drop).unwrap_err(),
        ];
        assert!(errors.iter().all(|error| error.code() == code), "{app}: {errors:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_request_again_finds_the_same_refund() {
    let world = world();
    let payment = paid(&world).await;
    let first = refund(&world, &payment, json!({"amount": 1999})).await.unwrap();
    let again = refund(&world, &payment, json!({"amount": 1999})).await.unwrap();
    assert!(first.is_new && !again.is_new, "although nothing is left");
    assert_eq!(first.refund, again.refund);
    world.reconfigure(&setting(), |catalog| catalog.edit().0[0].state = Lifecycle::Off);
    let again = refund(&world, &payment, json!({"amount": 1999})).await.unwrap();
    assert_eq!(first.refund, again.refund, "although the channel is off");
    assert_eq!(world.a.refunds().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_same_number_with_another_field_or_payment_is_refused() {
    let world = world();
    let payment = paid(&world).await;
    let other = paid_as(&world, "A1002").await;
    refunded(&world, &payment, json!({})).await;
    world.reconfigure(&setting(), |catalog| catalog.edit().0[0].state = Lifecycle::Off);
    let gone = Payment { id: "pay_00000000000000000000000000000000".parse().unwrap(), ..payment.clone() };
    for (payment, patch) in [
        (&payment, json!({"amount": 501})),
        (&payment, json!({"amount": 1999})),
        (&payment, json!({"reason": "too bitter"})),
        (&payment, json!({"reason": null})),
        (&other, json!({})),
        (&gone, json!({})),
    ] {
        let error = refund(&world, payment, patch.clone()).await.unwrap_err();
        assert_eq!(error.code(), "refund_mismatch", "{patch}: {error}");
    }
    assert_eq!(world.a.refunds().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn many_equal_requests_at_once_make_one_call() {
    let world = world();
    let payment = paid(&world).await;
    world.a.on_outgo(Outgo::Slow(Duration::from_secs(2)));
    let requests = (0..64).map(|_| refund(&world, &payment, json!({"amount": 1999})));
    let answers = futures_util::future::join_all(requests).await;
    let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers.iter().filter(|answer| answer.is_new).count(), 1);
    assert!(answers.iter().all(|answer| answer.refund == answers[0].refund));
    assert_eq!((answers[0].refund.state, world.a.refunds().len()), (S::Succeeded, 1));
}

#[tokio::test(start_paused = true)]
async fn many_refunds_at_once_never_return_more_than_came_in() {
    let world = world();
    let payment = paid(&world).await;
    for _ in 0..64 {
        world.a.on_outgo(Outgo::Slow(Duration::from_secs(1)));
    }
    let ask = |n: usize| refund(&world, &payment, json!({"refund_no": format!("R{n}"), "amount": 100}));
    let answers = futures_util::future::join_all((0..64).map(ask)).await;
    let done = answers.iter().flatten().filter(|answer| answer.refund.state == S::Succeeded).count();
    let too_large = answers.iter().filter(|a| a.as_ref().is_err_and(|e| e.code() == "refund_too_large"));
    assert_eq!((done, too_large.count()), (19, 45));
    assert_eq!((world.a.refunds().len(), counters(&world, &payment).await), (19, (0, 1900)));
    assert_eq!(world.stored(&payment).await.amount_refunded, Money::fen(1900));
    assert_eq!(world.told().await.iter().filter(|kind| *kind == "refund.succeeded").count(), 19);
}

#[tokio::test(start_paused = true)]
async fn a_call_is_judged_by_what_may_have_happened() {
    check(Outgo::Done, S::Succeeded, None, (0, 500), &["refund.succeeded"]).await;
    check(Outgo::Pending, S::Pending, None, (500, 0), &[]).await;
    check(Outgo::NeedsAction, S::NeedsAction, Some("needs_action"), (500, 0), &["refund.needs_action"]).await;
    check(Outgo::Refuse, S::Failed, Some("refused"), (0, 0), &["refund.failed"]).await;
    check(Outgo::NotSent, S::Failed, Some("not_sent"), (0, 0), &["refund.failed"]).await;
    check(Outgo::Lose, S::Unknown, Some("unknown"), (500, 0), &[]).await;
    check(Outgo::Panic, S::Unknown, Some("unknown"), (500, 0), &[]).await;
    check(Outgo::Slow(Duration::from_mins(1)), S::Unknown, Some("unknown"), (500, 0), &[]).await;

    async fn check(outgo: Outgo, state: S, code: Option<&str>, money: (i64, i64), told: &[&str]) {
        let world = world();
        let payment = paid(&world).await;
        world.a.on_outgo(outgo);
        let refund = refunded(&world, &payment, json!({})).await;
        let failure = refund.failure.as_ref().map(|failure| failure.code.as_str());
        assert_eq!((refund.state, failure), (state, code), "{outgo:?}");
        assert_eq!(counters(&world, &payment).await, money, "{outgo:?}");
        assert_eq!(world.stored(&payment).await.amount_refunded, Money::fen(money.1), "{outgo:?}");
        assert_eq!(world.told().await[1..], *told, "{outgo:?}");
        assert_eq!(world.a.refunds().len(), 1, "{outgo:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_refused_leaves_its_room_to_others() {
    let world = world();
    let payment = paid(&world).await;
    world.a.on_outgo(Outgo::Refuse);
    refunded(&world, &payment, json!({"amount": 1999})).await;
    let refund = refunded(&world, &payment, json!({"refund_no": "R2", "amount": 1999})).await;
    assert_eq!(refund.state, S::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn the_answer_comes_in_time_and_the_call_runs_on() {
    let world = World::with(&Setting { answer: Duration::from_secs(5), ..setting() });
    let payment = paid(&world).await;
    world.a.on_outgo(Outgo::Slow(Duration::from_secs(9)));
    let begun = world.clock.mono();
    let answer = refund(&world, &payment, json!({})).await.unwrap();
    assert_eq!(world.clock.mono().0.checked_sub(begun.0), Some(Duration::from_secs(5)));
    assert_eq!((answer.is_new, answer.refund.state), (true, S::Sending));
    let shown = serde_json::to_value(paymux_core::view::RefundView::of(&answer.refund)).unwrap();
    assert_eq!(shown["status"], "pending");
    world.clock.advance(Duration::from_secs(5)).await;
    assert_eq!(stored(&world, &answer.refund).await.state, S::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_repeat_waits_for_the_first_call_and_then_says_that_it_is_in_flight() {
    let world = World::with(&Setting { answer: Duration::from_secs(5), ..setting() });
    let payment = paid(&world).await;
    world.a.on_outgo(Outgo::Slow(Duration::from_secs(9)));
    refunded(&world, &payment, json!({})).await;
    // The first has been sending for five seconds; four more are less than a repeat waits.
    let again = refund(&world, &payment, json!({})).await.unwrap();
    assert_eq!((again.is_new, again.refund.state), (false, S::Succeeded));

    world.a.on_outgo(Outgo::Slow(Duration::from_secs(14)));
    refunded(&world, &payment, json!({"refund_no": "R2"})).await;
    let begun = world.clock.mono();
    let error = refund(&world, &payment, json!({"refund_no": "R2"})).await.unwrap_err();
    assert_eq!(error.code(), "in_flight");
    assert!(world.clock.mono().0.checked_sub(begun.0).unwrap() >= Duration::from_secs(5));
    assert_eq!(world.a.refunds().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn sync_asks_the_provider_now() {
    let world = world();
    let payment = paid(&world).await;
    world.a.on_outgo(Outgo::Pending);
    let refund = refunded(&world, &payment, json!({})).await;
    let sync = || world.payments.sync_refund(app(), refund.id);
    assert_eq!(sync().await.unwrap().state, S::Pending);
    world.a.settle_outgo(&refund.number, OutflowAnswer::Done { reference: None });
    assert_eq!(sync().await.unwrap().state, S::Succeeded);
    assert_eq!(sync().await.unwrap().state, S::Succeeded);
    assert_eq!(world.a.asked_outgoes(), 2, "what has ended is not asked about");
}

#[tokio::test(start_paused = true)]
async fn sync_says_where_nobody_can_be_asked() {
    let world = World::with(&Setting { a: |a| a.that_can(Can::QUERY | Can::REFUND), ..Setting::default() });
    let payment = paid(&world).await;
    world.a.on_outgo(Outgo::Pending);
    let refund = refunded(&world, &payment, json!({})).await;
    let error = world.payments.sync_refund(app(), refund.id).await.unwrap_err();
    let PaymentError::Unsupported { operation, .. } = &error else { panic!("{error}") };
    assert_eq!(*operation, "query_refund");
}
