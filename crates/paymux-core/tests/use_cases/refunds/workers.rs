//! What workers do with refunds: send what is queued, once; give lost senders up; ask about the rest.

use std::time::Duration;

use paymux_core::catalog::{DuplicatePaid, Lifecycle};
use paymux_core::channel::{Can, OutflowAnswer};
use paymux_core::outflow::OutflowState as S;
use paymux_core::payment::{AttemptState, Held, Payment};
use paymux_core::payments::desk::Outcome;
use paymux_core::refund::RefundOrigin;
use paymux_core::store::{PaymentLedger as _, QueueKind, RefundLedger as _};
use paymux_core::{Clock as _, Money, Refund};
use paymux_testkit::channel::{callback, outgo_callback};
use paymux_testkit::memory_store::Trouble;
use paymux_testkit::{Outgo, Script};
use serde_json::json;

use super::{books, counters, line, paid, refunded, request, setting, stored, world};
use crate::world::{Setting, World, app, channel, root, says};

/// A payment of which 10.00 CNY came in, which an operator sends back: the refund is queued.
pub(super) async fn returned_underpaid(world: &World, order_no: &str) -> Payment {
    let payment = world.created(json!({"order_no": order_no})).await;
    let text = callback(payment.attempts[0].number.as_str(), Money::fen(1000), "T1");
    world.payments.take_callback(channel("a"), text).await.unwrap();
    let word = says(Outcome::Refund);
    let payment = world.payments.resolve_attempt(root(), payment.attempts[0].id, word).await.unwrap();
    assert_eq!(payment.held, Some(Held::Underpaid));
    payment
}

async fn refund_of(world: &World, payment: &Payment) -> Refund {
    world.store.refunds_of(payment.id, None, u32::MAX).await.unwrap().remove(0)
}

#[tokio::test(start_paused = true)]
async fn an_unknown_refund_is_asked_about_on_a_schedule_and_never_sent_again() {
    let world = world();
    let payment = paid(&world).await;
    world.a.on_outgo(Outgo::Lose);
    let refund = refunded(&world, &payment, json!({})).await;
    world.a.settle_outgo(&refund.number, OutflowAnswer::NotFound);
    // 30 s, then 2, 10 and 30 min, 1, 3, 6 and 12 h after the one before; then once a day.
    for (pass, asked) in [(29, 0), (2, 1), (118, 1), (2, 2), (598, 2), (2, 3), (1798, 3), (2, 4), (3600, 5)] {
        world.pass(Duration::from_secs(pass)).await;
        assert_eq!(world.a.asked_outgoes(), asked, "after {pass} s more");
    }
    world.pass(Duration::from_hours(22)).await;
    assert_eq!(world.a.asked_outgoes(), 8);
    world.pass(Duration::from_hours(48)).await;
    assert_eq!(world.a.asked_outgoes(), 10);
    assert_eq!((stored(&world, &refund).await.state, world.a.refunds().len()), (S::Unknown, 1));
    assert_eq!(counters(&world, &payment).await, (500, 0), "it keeps its room");
    assert_eq!(world.waiting().await, [(QueueKind::RefundUnknown, refund.id.to_string())]);
    world.a.settle_outgo(&refund.number, OutflowAnswer::Done { reference: Some("X".to_owned()) });
    world.pass(Duration::from_hours(25)).await;
    let refund = stored(&world, &refund).await;
    assert_eq!((refund.state, refund.reference.as_deref()), (S::Succeeded, Some("X")));
    assert_eq!((refund.failure, refund.check_at), (None, None));
    assert_eq!(world.told().await, ["payment.succeeded", "refund.succeeded"]);
    assert!(world.waiting().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_provider_can_have_its_own_schedule() {
    const LOOKS: &[Duration] = &[Duration::from_secs(5), Duration::from_mins(1)];
    let world = World::with(&Setting {
        a: |a| a.that_can(Can::QUERY | Can::REFUND | Can::QUERY_REFUND).that_is_looked_at(LOOKS),
        ..Setting::default()
    });
    let payment = paid(&world).await;
    world.a.on_outgo(Outgo::Pending);
    refunded(&world, &payment, json!({})).await;
    for (pass, asked) in [(4, 0), (2, 1), (58, 1), (2, 2), (58, 2), (2, 3)] {
        world.pass(Duration::from_secs(pass)).await;
        assert_eq!(world.a.asked_outgoes(), asked, "after {pass} s more");
    }
}

#[tokio::test(start_paused = true)]
async fn a_query_that_is_not_answered_ends_nothing() {
    let world = world();
    let payment = paid(&world).await;
    world.a.on_outgo(Outgo::Pending);
    let refund = refunded(&world, &payment, json!({})).await;
    world.a.on_outgo_query(Err(paymux_core::ChannelError::unknown("cut")));
    world
        .a
        .on_outgo_query(Ok(OutflowAnswer::Failed { code: "E1".to_owned(), message: "no funds".to_owned() }));
    world.pass(Duration::from_secs(31)).await;
    assert_eq!((stored(&world, &refund).await.state, world.a.asked_outgoes()), (S::Pending, 1));
    world.pass(Duration::from_secs(121)).await;
    let refund = stored(&world, &refund).await;
    let failure = refund.failure.unwrap();
    assert_eq!((refund.state, failure.provider_code.as_deref()), (S::Failed, Some("E1")));
    assert_eq!(counters(&world, &payment).await, (0, 0));
    assert_eq!(world.told().await, ["payment.succeeded", "refund.failed"]);
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_person_shows_the_address_until_it_ends() {
    let world = world();
    let payment = paid(&world).await;
    world.a.on_outgo(Outgo::NeedsAction);
    let refund = refunded(&world, &payment, json!({})).await;
    let url = refund.action_url.clone().unwrap();
    assert_eq!(url, format!("https://provider.example/approve/{}", refund.number));
    assert_eq!(world.waiting().await, [(QueueKind::RefundNeedsAction, refund.id.to_string())]);
    world.a.on_outgo_query(Ok(OutflowAnswer::Pending { reference: None }));
    world.pass(Duration::from_secs(32)).await;
    let waiting = stored(&world, &refund).await;
    assert_eq!((waiting.state, waiting.action_url), (S::NeedsAction, Some(url)));
    world.a.settle_outgo(&refund.number, OutflowAnswer::Done { reference: None });
    world.pass(Duration::from_mins(3)).await;
    let done = stored(&world, &refund).await;
    assert_eq!((done.state, done.action_url, done.failure), (S::Succeeded, None, None));
    let want = ["payment.succeeded", "refund.needs_action", "refund.succeeded"];
    assert_eq!(world.told().await, want);
}

#[tokio::test(start_paused = true)]
async fn where_nobody_can_be_asked_a_person_is_and_no_worker_looks() {
    let world = World::with(&Setting { a: |a| a.that_can(Can::QUERY | Can::REFUND), ..Setting::default() });
    let payment = paid(&world).await;
    world.a.on_outgo(Outgo::Lose);
    let refund = refunded(&world, &payment, json!({})).await;
    assert_eq!((refund.state, refund.check_at), (S::Unknown, None));
    world.pass(Duration::from_mins(6)).await;
    assert_eq!(world.a.asked_outgoes(), 0);
    assert_eq!(world.waiting().await, [(QueueKind::RefundUnknown, refund.id.to_string())]);
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_the_configuration_lost_is_looked_for_hourly() {
    let world = world();
    let payment = paid(&world).await;
    world.a.on_outgo(Outgo::Pending);
    let refund = refunded(&world, &payment, json!({})).await;
    world.reconfigure(&setting(), |catalog| {
        catalog.edit().1.clear();
        catalog.edit().0.remove(0);
    });
    world.pass(Duration::from_secs(40)).await;
    check(&world, &refund).await;
    world.pass(Duration::from_hours(1)).await;
    check(&world, &refund).await;
    // One that is off is asked nothing either.
    world.reconfigure(&setting(), |catalog| catalog.edit().0[0].state = Lifecycle::Off);
    world.pass(Duration::from_hours(1)).await;
    check(&world, &refund).await;
    assert_eq!(world.a.asked_outgoes(), 0);
    // One that came back without the ability is not looked at any more.
    let cannot = Setting { a: |a| a.that_can(Can::QUERY | Can::REFUND), ..Setting::default() };
    let poorer = World::with(&cannot);
    world.reconfigure(&setting(), |catalog| catalog.edit().0[0].channel = poorer.a.clone());
    world.pass(Duration::from_hours(1)).await;
    assert_eq!((stored(&world, &refund).await.check_at, poorer.a.asked_outgoes()), (None, 0));

    async fn check(world: &World, refund: &Refund) {
        let refund = stored(world, refund).await;
        let wait = refund.check_at.unwrap().since(world.clock.now());
        assert!(wait > Duration::from_mins(58) && wait <= Duration::from_hours(1), "{wait:?}");
        assert_eq!(refund.state, S::Pending);
    }
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_goes_back_by_itself_and_counts_in_no_payment_total() {
    let refunds: fn(&mut paymux_core::App) = |app| app.duplicate_paid = DuplicatePaid::Refund;
    let world = World::with(&Setting { app: refunds, ..setting() });
    world.a.on_create(Script::Lose);
    let payment = world.created(json!({})).await;
    for (place, id) in [(1, "b"), (0, "a")] {
        let text = callback(payment.attempts[place].number.as_str(), Money::fen(1999), "T1");
        world.payments.take_callback(channel(id), text).await.unwrap();
    }
    assert_eq!(refund_of(&world, &payment).await.state, S::Queued);
    world.pass(Duration::from_secs(2)).await;
    let refund = refund_of(&world, &payment).await;
    assert_eq!((refund.state, refund.origin), (S::Succeeded, RefundOrigin::Duplicate));
    assert_eq!((world.a.refunds().len(), world.b.refunds().len()), (1, 0));
    let payment = world.stored(&payment).await;
    assert_eq!((payment.amount_refunded, payment.amount_received), (Money::fen(0), Money::fen(1999)));
    let attempt = &payment.attempts[0];
    assert_eq!((attempt.state, attempt.refunding, attempt.refunded), (AttemptState::DuplicatePaid, 0, 1999));
    assert_eq!(books(&world), [line("channel:a", "held:shop", 1999)]);
    assert_eq!(world.told().await, ["payment.succeeded", "payment.duplicate_paid", "refund.succeeded"]);
    assert!(world.waiting().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_operators_refund_ends_the_hold_when_it_is_done_and_not_before() {
    let world = world();
    let payment = returned_underpaid(&world, "A1001").await;
    world.a.on_outgo(Outgo::Pending);
    world.pass(Duration::from_secs(2)).await;
    let refund = refund_of(&world, &payment).await;
    assert_eq!((refund.state, refund.origin), (S::Pending, RefundOrigin::Operator));
    assert_eq!(world.stored(&payment).await.held, Some(Held::Underpaid));
    world.a.settle_outgo(&refund.number, OutflowAnswer::Done { reference: None });
    world.pass(Duration::from_secs(31)).await;
    assert_eq!(refund_of(&world, &payment).await.state, S::Succeeded);
    let payment = world.stored(&payment).await;
    assert_eq!((payment.held, payment.amount_refunded), (None, Money::fen(0)));
    assert_eq!(books(&world), [line("channel:a", "held:shop", 1000)]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_return_leaves_the_money_waiting() {
    let world = world();
    let payment = returned_underpaid(&world, "A1001").await;
    world.a.on_outgo(Outgo::Refuse);
    world.pass(Duration::from_secs(2)).await;
    assert_eq!(refund_of(&world, &payment).await.state, S::Failed);
    let payment = world.stored(&payment).await;
    assert_eq!((payment.held, payment.attempts[0].holds_money()), (Some(Held::Underpaid), true));
    assert_eq!(world.waiting().await, [(QueueKind::MoneyHeld, payment.attempts[0].id.to_string())]);
    assert!(books(&world).is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_queued_for_a_channel_that_is_gone_waits_for_its_return() {
    let world = world();
    let payment = returned_underpaid(&world, "A1001").await;
    world.reconfigure(&setting(), |catalog| catalog.edit().0[0].state = Lifecycle::Off);
    world.pass(Duration::from_secs(5)).await;
    let refund = refund_of(&world, &payment).await;
    let wait = refund.check_at.unwrap().since(world.clock.now());
    assert!(refund.state == S::Queued && wait > Duration::from_mins(59), "{refund:?}");
    world.reconfigure(&setting(), |_| {});
    world.pass(Duration::from_hours(1)).await;
    assert_eq!(refund_of(&world, &payment).await.state, S::Succeeded);
    assert_eq!(world.a.refunds().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn many_nodes_send_a_queued_refund_once() {
    let world = world();
    let payment = returned_underpaid(&world, "A1001").await;
    let nodes: Vec<_> = (0..16).map(|_| world.another_node()).collect();
    for _ in 0..3 {
        futures_util::future::join_all(nodes.iter().map(paymux_core::Payments::sweep)).await;
        world.clock.advance(Duration::from_secs(1)).await;
    }
    assert_eq!((world.a.refunds().len(), refund_of(&world, &payment).await.state), (1, S::Succeeded));
}

#[tokio::test(start_paused = true)]
async fn a_worker_that_lost_its_lease_sends_nothing() {
    let world = world();
    let payment = returned_underpaid(&world, "A1001").await;
    // The first worker's taking reaches the books only after its lease is over and another has taken
    // and sent the refund.
    world.store.trouble(Trouble::Delayed(Duration::from_secs(45)));
    let slow = tokio::spawn({
        let node = world.another_node();
        async move { node.sweep().await }
    });
    world.pass(Duration::from_secs(40)).await;
    assert_eq!((world.a.refunds().len(), refund_of(&world, &payment).await.state), (1, S::Succeeded));
    world.clock.advance(Duration::from_secs(10)).await;
    slow.await.unwrap().unwrap();
    assert_eq!(world.a.refunds().len(), 1);
    assert_eq!(counters(&world, &payment).await, (0, 1000));
}

#[tokio::test(start_paused = true)]
async fn a_hung_call_holds_no_other_refund_up() {
    let world = world();
    let first = returned_underpaid(&world, "A1001").await;
    let second = returned_underpaid(&world, "A1002").await;
    world.a.on_outgo(Outgo::Slow(Duration::from_hours(1)));
    let sweeping = tokio::spawn({
        let payments = world.payments.clone();
        async move { payments.sweep().await }
    });
    world.clock.advance(Duration::from_secs(1)).await;
    let states = [refund_of(&world, &first).await.state, refund_of(&world, &second).await.state];
    assert!(states.contains(&S::Sending) && states.contains(&S::Succeeded), "{states:?}");
    sweeping.await.unwrap().unwrap();
    world.pass(Duration::from_mins(1)).await;
    let states = [refund_of(&world, &first).await.state, refund_of(&world, &second).await.state];
    assert_eq!((states, world.a.refunds().len()), ([S::Succeeded; 2], 2));
}

#[tokio::test(start_paused = true)]
async fn a_lost_sender_is_given_up_after_its_time_and_its_refund_asked_about() {
    let mut world = world();
    let payment = paid(&world).await;
    world.a.on_outgo(Outgo::Slow(Duration::from_secs(10)));
    let asking = tokio::spawn({
        let (payments, id) = (world.payments.clone(), payment.id);
        async move { payments.refund(app(), id, request(json!({}))).await }
    });
    world.clock.advance(Duration::from_secs(1)).await;
    world.crash();
    assert!(asking.await.unwrap().is_err());
    world.pass(Duration::from_secs(18)).await;
    assert_eq!(refund_of(&world, &payment).await.state, S::Sending, "its sender may still be there");
    world.pass(Duration::from_secs(3)).await;
    let refund = refund_of(&world, &payment).await;
    assert_eq!((refund.state, refund.failure.unwrap().code.as_str()), (S::Unknown, "unknown"));
    world.pass(Duration::from_secs(31)).await;
    assert_eq!((refund_of(&world, &payment).await.state, world.a.refunds().len()), (S::Succeeded, 1));
}

#[tokio::test(start_paused = true)]
async fn an_operator_ends_what_nobody_else_can_and_says_it_once() {
    check(Outcome::Paid, S::Succeeded, (0, 500), "refund.succeeded").await;
    check(Outcome::NotPaid, S::Failed, (0, 0), "refund.failed").await;

    async fn check(word: Outcome, state: S, money: (i64, i64), told: &str) {
        let world = world();
        let payment = paid(&world).await;
        world.a.on_outgo(Outgo::Lose);
        let refund = refunded(&world, &payment, json!({})).await;
        world.a.settle_outgo(&refund.number, OutflowAnswer::NotFound);
        world.pass(Duration::from_mins(11)).await;
        for _ in 0..2 {
            let resolved = world.payments.resolve_refund(root(), refund.id, says(word)).await.unwrap();
            // A wrong "not done" is found, since its provider is still asked.
            assert_eq!((resolved.state, resolved.check_at.is_some()), (state, word == Outcome::NotPaid));
        }
        assert_eq!(counters(&world, &payment).await, money);
        let audits = world.store.audits();
        let [audit] = audits.as_slice() else { panic!("{audits:?}") };
        assert_eq!(
            (&audit.before["status"], &audit.after["status"]),
            (&json!("unknown"), &json!(state.word()))
        );
        assert_eq!(
            (audit.target.as_str(), audit.note.as_str()),
            (&*refund.id.to_string(), "seen at the bank")
        );
        assert_eq!(world.told().await, ["payment.succeeded", told]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_operators_word_counts_only_where_it_can_be_true() {
    let world = world();
    let payment = paid(&world).await;
    let done = refunded(&world, &payment, json!({})).await;
    world.pass(Duration::from_mins(11)).await;
    let error = world.payments.resolve_refund(root(), done.id, says(Outcome::NotPaid)).await.unwrap_err();
    assert_eq!(error.code(), "not_resolvable", "what is booked is not taken back");
    world.a.on_outgo(Outgo::Slow(Duration::from_secs(5)));
    let asking = tokio::spawn({
        let (payments, id) = (world.payments.clone(), payment.id);
        async move { payments.refund(app(), id, request(json!({"refund_no": "R2"}))).await }
    });
    world.clock.advance(Duration::from_secs(1)).await;
    let sending = world.store.refunds_of(payment.id, None, u32::MAX).await.unwrap().remove(1);
    let error = world.payments.resolve_refund(root(), sending.id, says(Outcome::Paid)).await.unwrap_err();
    assert_eq!(error.code(), "in_flight", "the call is under way");
    asking.await.unwrap().unwrap();
    assert!(world.store.audits().is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_operator_cannot_give_a_room_away_twice() {
    let world = world();
    let payment = paid(&world).await;
    world.a.on_outgo(Outgo::Refuse);
    let refund = refunded(&world, &payment, json!({"amount": 1999})).await;
    let taken = refunded(&world, &payment, json!({"refund_no": "R2"})).await;
    assert_eq!(taken.state, S::Succeeded);
    let error = world.payments.resolve_refund(root(), refund.id, says(Outcome::Paid)).await.unwrap_err();
    assert_eq!(error.code(), "not_resolvable", "{error}");
    assert_eq!(counters(&world, &payment).await, (0, 500));
    let text = outgo_callback(paymux_core::channel::ClaimKind::Refunded, &refund.number, Money::fen(1999));
    world.payments.take_callback(channel("a"), text).await.unwrap();
    assert_eq!(counters(&world, &payment).await, (0, 500));
}

/// A refund that was queued while its channel was off, and has left hours later with its answer lost.
async fn late_sender(world: &World) -> Refund {
    let payment = returned_underpaid(world, "A1001").await;
    world.reconfigure(&setting(), |catalog| catalog.edit().0[0].state = Lifecycle::Off);
    world.pass(Duration::from_secs(5)).await;
    world.reconfigure(&setting(), |_| {});
    world.a.on_outgo(Outgo::Lose);
    world.pass(Duration::from_hours(1)).await;
    let refund = refund_of(world, &payment).await;
    assert_eq!((refund.state, world.a.refunds().len()), (S::Unknown, 1));
    refund
}

#[tokio::test(start_paused = true)]
async fn not_paid_counts_from_the_moment_of_sending() {
    let world = world();
    let refund = late_sender(&world).await;
    world.a.settle_outgo(&refund.number, OutflowAnswer::NotFound);
    let say = || world.payments.resolve_refund(root(), refund.id, says(Outcome::NotPaid));
    let early = say().await.unwrap_err();
    assert_eq!(early.code(), "not_resolvable", "it may still be under way: {early}");
    world.pass(Duration::from_mins(11)).await;
    assert_eq!(say().await.unwrap().state, S::Failed);
}

#[tokio::test(start_paused = true)]
async fn what_has_not_left_yet_is_called_off_by_a_word_at_any_time() {
    let world = world();
    let payment = returned_underpaid(&world, "A1001").await;
    let refund = refund_of(&world, &payment).await;
    let word = says(Outcome::NotPaid);
    let off = world.payments.resolve_refund(root(), refund.id, word).await.unwrap();
    assert_eq!((off.state, off.check_at), (S::Failed, None), "no provider has heard of it");
    world.pass(Duration::from_mins(2)).await;
    assert!(world.a.refunds().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_word_about_what_had_not_left_does_not_count_once_it_has() {
    let world = world();
    let payment = returned_underpaid(&world, "A1001").await;
    let refund = refund_of(&world, &payment).await;
    world.a.on_outgo(Outgo::Lose);
    // The word is on its way to the books while a worker sends the refund.
    world.store.trouble(Trouble::Delayed(Duration::from_secs(20)));
    let saying = tokio::spawn({
        let (payments, id) = (world.payments.clone(), refund.id);
        async move { payments.resolve_refund(root(), id, says(Outcome::NotPaid)).await }
    });
    world.pass(Duration::from_secs(10)).await;
    assert_eq!(refund_of(&world, &payment).await.state, S::Unknown);
    world.pass(Duration::from_secs(12)).await;
    assert_eq!(saying.await.unwrap().unwrap_err().code(), "in_flight");
    assert_eq!(refund_of(&world, &payment).await.state, S::Unknown);
}

/// A refund that an operator has called not done, wrongly or not.
async fn doubted(world: &World) -> Refund {
    let payment = paid(world).await;
    world.a.on_outgo(Outgo::Lose);
    let refund = refunded(world, &payment, json!({})).await;
    world.a.settle_outgo(&refund.number, OutflowAnswer::NotFound);
    world.pass(Duration::from_mins(11)).await;
    world.payments.resolve_refund(root(), refund.id, says(Outcome::NotPaid)).await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn money_that_went_back_in_spite_of_the_word_is_booked() {
    let world = world();
    let refund = doubted(&world).await;
    world.pass(Duration::from_hours(2)).await;
    world.a.settle_outgo(&refund.number, OutflowAnswer::Done { reference: None });
    world.pass(Duration::from_hours(4)).await;
    let done = stored(&world, &refund).await;
    assert_eq!((done.state, done.failure, done.check_at), (S::Succeeded, None, None));
    assert_eq!(books(&world), [line("channel:a", "app:shop", 500)]);
    assert_eq!(world.told().await, ["payment.succeeded", "refund.failed", "refund.succeeded"]);
}

#[tokio::test(start_paused = true)]
async fn after_a_word_its_provider_is_asked_for_a_week_and_the_word_stands() {
    let world = world();
    let refund = doubted(&world).await;
    for answer in [
        OutflowAnswer::Pending { reference: None },
        OutflowAnswer::NeedsAction { url: None, message: "open".to_owned() },
    ] {
        world.a.on_outgo_query(Ok(answer));
    }
    let before = world.a.asked_outgoes();
    world.pass(Duration::from_hours(6 * 24)).await;
    let looks = world.a.asked_outgoes() - before;
    assert!((10..16).contains(&looks), "{looks} looks in six days");
    world.pass(Duration::from_hours(3 * 24)).await;
    let last = world.a.asked_outgoes();
    world.pass(Duration::from_hours(2 * 24)).await;
    assert_eq!(world.a.asked_outgoes(), last, "it is not asked about for ever");
    let rest = stored(&world, &refund).await;
    let told = (rest.state, rest.ended_at, rest.failure, rest.action_url);
    assert_eq!(told, (S::Failed, refund.ended_at, refund.failure, None));
    assert_eq!(rest.check_at, None);
    assert_eq!(world.told().await, ["payment.succeeded", "refund.failed"]);
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_says_failed_too_is_asked_no_more() {
    let world = world();
    let refund = doubted(&world).await;
    let failed = OutflowAnswer::Failed { code: "E1".to_owned(), message: "no funds".to_owned() };
    world.a.settle_outgo(&refund.number, failed);
    let before = world.a.asked_outgoes();
    world.pass(Duration::from_mins(5)).await;
    assert_eq!(world.a.asked_outgoes(), before + 1);
    let rest = stored(&world, &refund).await;
    assert_eq!((rest.state, rest.check_at, rest.failure), (S::Failed, None, refund.failure));
}

#[tokio::test(start_paused = true)]
async fn a_wrong_word_whose_room_was_taken_is_looked_at_on_the_schedule_alone() {
    let world = world();
    let refund = doubted(&world).await;
    let payment = world.store.payment(refund.payment).await.unwrap().unwrap();
    refunded(&world, &payment, json!({"refund_no": "R2", "amount": 1999})).await;
    world.a.settle_outgo(&refund.number, OutflowAnswer::Done { reference: None });
    let before = world.a.asked_outgoes();
    world.pass(Duration::from_hours(1)).await;
    let looks = world.a.asked_outgoes() - before;
    assert!((3..6).contains(&looks), "{looks} looks in an hour");
    assert_eq!(counters(&world, &payment).await, (0, 1999));
}

#[tokio::test(start_paused = true)]
async fn sync_asks_about_what_counts_as_failed_too() {
    let world = world();
    let payment = paid(&world).await;
    world.a.on_outgo(Outgo::Refuse);
    let refund = refunded(&world, &payment, json!({})).await;
    let sync = || world.payments.sync_refund(app(), refund.id);
    assert_eq!((sync().await.unwrap().state, world.a.asked_outgoes()), (S::Failed, 1));
    world.pass(Duration::from_hours(2)).await;
    assert_eq!(world.a.asked_outgoes(), 1, "a refusal is believed, and nobody looks by himself");
    world.a.settle_outgo(&refund.number, OutflowAnswer::Done { reference: None });
    assert_eq!(sync().await.unwrap().state, S::Succeeded);
    assert_eq!(counters(&world, &payment).await, (0, 500));
}

/// A world whose channel numbers refunds by the day, at so many minutes to midnight.
async fn before_midnight(minutes: u64) -> World {
    let world = World::with(&Setting {
        a: |a| {
            a.that_can(Can::QUERY | Can::REFUND | Can::QUERY_REFUND)
                .that_numbers_by_day(Duration::from_mins(2))
        },
        ..setting()
    });
    let day = Duration::from_hours(24);
    let left = day.as_millis() - u128::try_from(world.clock.now().ms()).unwrap() % day.as_millis();
    let left = Duration::from_millis(u64::try_from(left).unwrap());
    world.clock.advance(left.saturating_sub(Duration::from_mins(minutes))).await;
    world
}

#[tokio::test(start_paused = true)]
async fn what_is_queued_before_midnight_leaves_after_it_under_a_number_of_its_day() {
    let world = before_midnight(1).await;
    let payment = returned_underpaid(&world, "A1001").await;
    let queued = refund_of(&world, &payment).await;
    assert_eq!((queued.number, queued.sent_at), (queued.id.to_string(), None));
    world.pass(Duration::from_secs(170)).await;
    assert!(world.a.refunds().is_empty(), "not within two minutes of midnight");
    world.pass(Duration::from_secs(20)).await;
    let done = refund_of(&world, &payment).await;
    assert_eq!((done.state, done.number == world.a.refunds()[0].number), (S::Succeeded, true));
    let sent_at = done.sent_at.unwrap();
    assert_eq!(done.number, format!("20240302{}", done.id.digits()), "sent at {sent_at}");
    assert!(sent_at.since(queued.created_at) > Duration::from_secs(170));
}

#[tokio::test(start_paused = true)]
async fn what_was_put_off_for_a_day_leaves_under_a_number_of_its_day() {
    let world = before_midnight(30).await;
    let payment = returned_underpaid(&world, "A1001").await;
    world.reconfigure(&setting(), |catalog| catalog.edit().0[0].state = Lifecycle::Off);
    world.pass(Duration::from_secs(5)).await;
    world.reconfigure(&setting(), |_| {});
    world.pass(Duration::from_hours(1)).await;
    assert_eq!(refund_of(&world, &payment).await.state, S::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_refund_keeps_the_number_that_it_was_sent_under() {
    let world = before_midnight(5).await;
    let payment = returned_underpaid(&world, "A1001").await;
    world.a.on_outgo(Outgo::Lose);
    world.pass(Duration::from_secs(2)).await;
    let unknown = refund_of(&world, &payment).await;
    assert_eq!(unknown.state, S::Unknown);
    world.a.settle_outgo(&unknown.number, OutflowAnswer::NotFound);
    world.pass(Duration::from_hours(2)).await;
    let later = refund_of(&world, &payment).await;
    assert_eq!((later.state, &later.number, later.sent_at), (S::Unknown, &unknown.number, unknown.sent_at));
    assert_eq!(world.a.refunds().len(), 1);
}
