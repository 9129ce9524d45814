//! Slow stores, lost commits and crashes at each step of a refund: never two calls, and everything
//! ends or waits for a person.

use std::collections::BTreeMap;
use std::time::Duration;

use paymux_core::Money;
use paymux_core::channel::{Can, OutflowAnswer};
use paymux_core::outflow::OutflowState as S;
use paymux_core::payment::Payment;
use paymux_core::store::RefundLedger as _;
use paymux_testkit::Outgo;
use paymux_testkit::memory_store::Trouble;
use serde_json::json;

use super::workers::returned_underpaid;
use super::{counters, paid, refund, request, world};
use crate::world::{Setting, World, app};

const NO_TROUBLE: Trouble = Trouble::Delayed(Duration::ZERO);
/// Long enough for three looks at an unknown refund.
const AFTERWARDS: Duration = Duration::from_mins(20);

fn troubles() -> Vec<Trouble> {
    let mut troubles = vec![Trouble::AnswerLost, Trouble::Lost];
    // Shorter than a call may take; longer, but while its sender still counts; longer than that.
    for seconds in [3, 17, 60] {
        troubles.push(Trouble::Delayed(Duration::from_secs(seconds)));
        troubles.push(Trouble::AnsweredLate(Duration::from_secs(seconds)));
    }
    troubles
}

const OUTGOES: [Outgo; 5] =
    [Outgo::Done, Outgo::Pending, Outgo::Refuse, Outgo::NotSent, Outgo::Slow(Duration::from_secs(5))];

/// Who begins the refund.
#[derive(Debug, Clone, Copy)]
enum Origin {
    Merchant,
    Queued,
}

/// A payment whose refund is about to begin: the merchant's by `begin`, a queued one by the next sweep.
async fn prepared(world: &World, origin: Origin) -> Payment {
    match origin {
        Origin::Merchant => paid(world).await,
        Origin::Queued => returned_underpaid(world, "A1001").await,
    }
}

fn begin(world: &World, payment: &Payment, origin: Origin) -> tokio::task::JoinHandle<()> {
    let (payments, id) = (world.payments.clone(), payment.id);
    tokio::spawn(async move {
        match origin {
            Origin::Merchant => drop(payments.refund(app(), id, request(json!({"amount": 1000}))).await),
            Origin::Queued => drop(payments.sweep().await),
        }
    })
}

/// Compares what the provider saw with what is stored, for every refund of a payment.
async fn judge(world: &World, payment: &Payment, case: &str) {
    let mut calls: BTreeMap<String, u32> = BTreeMap::new();
    for order in world.a.refunds() {
        *calls.entry(order.number).or_default() += 1;
    }
    let refunds = world.store.refunds_of(payment.id, None, u32::MAX).await.unwrap();
    assert!(
        calls.keys().all(|number| refunds.iter().any(|r| r.number == *number)),
        "{case}: sent, not stored"
    );
    let waiting = world.waiting().await;
    let (mut refunding, mut refunded) = (0, 0);
    for refund in &refunds {
        assert!(calls.get(&refund.number).copied().unwrap_or(0) <= 1, "{case}: sent twice");
        let is_done = matches!(world.a.outgone(&refund.number), Some(OutflowAnswer::Done { .. }));
        let is_pending = matches!(world.a.outgone(&refund.number), Some(OutflowAnswer::Pending { .. }));
        match refund.state {
            S::Succeeded => assert!(is_done, "{case}: booked, not done"),
            S::Failed => assert!(!is_done && !is_pending, "{case}: given back, and done"),
            S::Pending => assert!(is_pending && refund.check_at.is_some(), "{case}"),
            S::Unknown => {
                assert!(!is_done && refund.check_at.is_some(), "{case}: nobody asked");
                assert!(waiting.iter().any(|(_, id)| *id == refund.id.to_string()), "{case}: nobody knows");
            }
            S::Queued | S::Sending | S::NeedsAction => panic!("{case}: parked: {refund:?}"),
        }
        refunding += if refund.state.reserves() { refund.amount.minor() } else { 0 };
        refunded += if refund.state == S::Succeeded { refund.amount.minor() } else { 0 };
        let ended = usize::from(refund.state.is_over());
        let needle = refund.id.to_string();
        let events = world.store.events();
        assert_eq!(events.iter().filter(|e| e.body.contains(&needle)).count(), ended, "{case}: told");
    }
    assert_eq!(counters(world, payment).await, (refunding, refunded), "{case}");
    assert_eq!(super::books(world).iter().map(|line| line.2).sum::<i64>(), refunded, "{case}");
}

#[tokio::test(start_paused = true)]
async fn a_slow_or_lossy_store_at_any_step_costs_no_second_call() {
    for origin in [Origin::Merchant, Origin::Queued] {
        for (before, trouble) in (0..3).flat_map(|step| troubles().into_iter().map(move |t| (step, t))) {
            for outgo in OUTGOES {
                let world = world();
                let payment = prepared(&world, origin).await;
                world.a.on_outgo(outgo);
                (0..before).for_each(|_| world.store.trouble(NO_TROUBLE));
                world.store.trouble(trouble);
                let begun = begin(&world, &payment, origin);
                world.pass(AFTERWARDS).await;
                begun.await.unwrap();
                judge(&world, &payment, &format!("{origin:?} {before} {trouble:?} {outgo:?}")).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_crash_at_any_step_costs_no_second_call() {
    let late = [Trouble::Delayed(Duration::from_secs(2)), Trouble::AnsweredLate(Duration::from_secs(2))];
    for origin in [Origin::Merchant, Origin::Queued] {
        // The first write takes two seconds, the call the next two, the second write two more.
        for (first, second) in late.iter().flat_map(|first| late.iter().map(move |second| (*first, *second)))
        {
            for tenths in [0, 5, 15, 20, 25, 35, 40, 45, 55, 60, 65, 80] {
                let mut world = world();
                let payment = prepared(&world, origin).await;
                world.a.on_outgo(Outgo::Slow(Duration::from_secs(2)));
                world.store.trouble(first);
                world.store.trouble(second);
                let begun = begin(&world, &payment, origin);
                world.clock.advance(Duration::from_millis(tenths * 100)).await;
                world.crash();
                begun.await.unwrap();
                let case = format!("{origin:?} {first:?} {second:?} at {tenths}");
                world.pass(AFTERWARDS).await;
                judge(&world, &payment, &case).await;
                again(&world, &payment, origin, &case).await;
            }
        }
    }
}

/// A merchant who heard nothing asks again, and the money goes back once in all.
async fn again(world: &World, payment: &Payment, origin: Origin, case: &str) {
    if matches!(origin, Origin::Merchant) {
        refund(world, payment, json!({"amount": 1000})).await.unwrap();
        judge(world, payment, case).await;
        assert!(world.a.refunds().len() <= 1, "{case}: {}", world.a.refunds().len());
    }
}

#[tokio::test(start_paused = true)]
async fn a_refund_that_was_surely_not_stored_is_not_sent() {
    let world = world();
    let payment = paid(&world).await;
    world.store.trouble(Trouble::Lost);
    let error = refund(&world, &payment, json!({})).await.unwrap_err();
    assert_eq!(error.code(), "overloaded");
    assert!(world.a.refunds().is_empty() && world.store.refunds().is_empty());
    // The answer was lost, the refund was not.
    world.store.trouble(Trouble::AnswerLost);
    let answer = refund(&world, &payment, json!({})).await.unwrap();
    assert_eq!((answer.is_new, answer.refund.state, world.a.refunds().len()), (true, S::Succeeded, 1));
}

#[tokio::test(start_paused = true)]
async fn a_sender_held_up_past_its_time_sends_nothing() {
    for trouble in [Trouble::Delayed, Trouble::AnsweredLate] {
        let world = world();
        let payment = paid(&world).await;
        world.store.trouble(trouble(Duration::from_secs(16)));
        let refund = refund(&world, &payment, json!({})).await.unwrap().refund;
        assert_eq!((refund.state, refund.failure.unwrap().code.as_str()), (S::Failed, "not_sent"));
        assert!(world.a.refunds().is_empty());
        assert_eq!(counters(&world, &payment).await, (0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn an_outcome_waits_for_a_store_that_is_away() {
    let world = world();
    let payment = paid(&world).await;
    world.a.on_outgo(Outgo::Slow(Duration::from_secs(1)));
    let asking = begin(&world, &payment, Origin::Merchant);
    world.clock.advance(Duration::from_millis(500)).await;
    world.store.go_away();
    world.clock.advance(Duration::from_secs(5)).await;
    world.store.come_back();
    asking.await.unwrap();
    let refund = world.store.refunds().remove(0);
    assert_eq!((refund.state, world.a.asked_outgoes()), (S::Succeeded, 0));
}

/// Where nobody can be asked, nobody else may ever say that the money has left.
#[tokio::test(start_paused = true)]
async fn that_money_has_left_is_stored_however_late_the_store_takes_it() {
    let world = World::with(&Setting { a: |a| a.that_can(Can::QUERY | Can::REFUND), ..Setting::default() });
    let payment = paid(&world).await;
    world.a.on_outgo(Outgo::Slow(Duration::from_secs(1)));
    let asking = begin(&world, &payment, Origin::Merchant);
    world.clock.advance(Duration::from_millis(500)).await;
    world.store.go_away();
    world.clock.advance(Duration::from_mins(3)).await;
    world.store.come_back();
    world.payments.sweep().await.unwrap();
    assert_eq!(world.store.refunds()[0].state, S::Unknown);
    world.clock.advance(Duration::from_secs(1)).await;
    asking.await.unwrap();
    assert_eq!(world.store.refunds()[0].state, S::Succeeded);
    assert_eq!(counters(&world, &payment).await, (0, 1000));
}

#[tokio::test(start_paused = true)]
async fn outcomes_that_meet_are_all_stored() {
    let world = world();
    let payment = paid(&world).await;
    for seconds in [1, 2, 3] {
        world.a.on_outgo(Outgo::Slow(Duration::from_secs(seconds)));
    }
    (0..3).for_each(|_| world.store.trouble(NO_TROUBLE));
    // The first outcome reaches the books after the others have changed the payment.
    world.store.trouble(Trouble::Delayed(Duration::from_secs(5)));
    let ask = |no: &str| {
        let patch = json!({"refund_no": no, "amount": 100});
        let (world, payment) = (&world, &payment);
        async move { refund(world, payment, patch).await.unwrap().refund }
    };
    let done = futures_util::future::join3(ask("R1"), ask("R2"), ask("R3")).await;
    assert_eq!([done.0.state, done.1.state, done.2.state], [S::Succeeded; 3]);
    assert_eq!((counters(&world, &payment).await, world.a.asked_outgoes()), ((0, 300), 0));
    assert_eq!(world.stored(&payment).await.amount_refunded, Money::fen(300));
    let sequence: Vec<_> = world.store.events().iter().map(|event| event.sequence).collect();
    assert_eq!(sequence, [1, 2, 3, 4]);
}
