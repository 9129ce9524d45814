//! A provider that takes so many refunds of one order: one more is refused before a byte leaves.

use std::time::Duration;

use futures_util::future::join_all;
use paymux_core::PaymentError;
use paymux_core::channel::Can;
use paymux_core::outflow::OutflowState as S;
use paymux_core::payment::Payment;
use paymux_testkit::memory_store::Trouble;
use paymux_testkit::{Outgo, ScriptedChannel};
use serde_json::json;

use super::workers::returned_underpaid;
use super::{counters, paid, paid_as, refund, refunded, stored};
use crate::world::{Setting, World};

/// A world whose channel takes one refund of an order.
fn single() -> World {
    let a = |a: ScriptedChannel| {
        a.that_can(Can::QUERY | Can::CANCEL | Can::REFUND | Can::QUERY_REFUND).that_refunds_at_most(1)
    };
    World::with(&Setting { a, ..Setting::default() })
}

async fn is_refused(world: &World, payment: &Payment, refund_no: &str) {
    let sent = world.transport.sent().len();
    let error = refund(world, payment, json!({"refund_no": refund_no, "amount": 1})).await.unwrap_err();
    assert!(matches!(error, PaymentError::NotRefundable(_)), "{error}");
    let told = error.to_string();
    assert!(told.contains("channel `a` takes at most 1 refund of one order, and it has 1"), "{told}");
    assert_eq!(world.transport.sent().len(), sent, "no byte left");
}

#[tokio::test(start_paused = true)]
async fn a_second_refund_is_refused_whatever_became_of_the_first_unless_it_failed() {
    for first in [Outgo::Done, Outgo::Pending, Outgo::NeedsAction, Outgo::Lose] {
        let world = single();
        let payment = paid(&world).await;
        world.a.on_outgo(first);
        let taken = refunded(&world, &payment, json!({})).await;
        is_refused(&world, &payment, "R2").await;
        assert_eq!((world.a.refunds().len(), world.store.refunds().len()), (1, 1), "{first:?}");
        let again = refunded(&world, &payment, json!({})).await;
        assert_eq!(again, stored(&world, &taken).await, "a repeat is answered as before");
    }
    for first in [Outgo::Refuse, Outgo::NotSent] {
        let world = single();
        let payment = paid(&world).await;
        world.a.on_outgo(first);
        refunded(&world, &payment, json!({})).await;
        assert_eq!(refunded(&world, &payment, json!({"refund_no": "R2"})).await.state, S::Succeeded);
        is_refused(&world, &payment, "R3").await;
    }
}

#[tokio::test(start_paused = true)]
async fn each_order_has_its_own_count_and_a_provider_may_take_more() {
    let world = single();
    for order_no in ["A1", "A2"] {
        let payment = paid_as(&world, order_no).await;
        refunded(&world, &payment, json!({"refund_no": order_no})).await;
    }
    let a = |a: ScriptedChannel| a.that_can(Can::REFUND).that_refunds_at_most(3);
    let world = World::with(&Setting { a, ..Setting::default() });
    let payment = paid(&world).await;
    for refund_no in ["R1", "R2", "R3"] {
        refunded(&world, &payment, json!({"refund_no": refund_no, "amount": 1})).await;
    }
    let error = refund(&world, &payment, json!({"refund_no": "R4", "amount": 1})).await.unwrap_err();
    assert!(error.to_string().contains("at most 3 refunds of one order, and it has 3"), "{error}");
}

/// Each looks before the other is stored; what is stored is looked at once more before it is sent.
#[tokio::test(start_paused = true)]
async fn of_refunds_asked_for_at_once_one_is_sent() {
    let delayed = |ms| Trouble::Delayed(Duration::from_millis(ms));
    let late = |ms| Trouble::AnsweredLate(Duration::from_millis(ms));
    // The second is stored while the first is sent; each is stored before the other looks again, and the one
    // that gives way needs a second to say so.
    for troubles in [vec![delayed(100), delayed(200)], vec![delayed(100), late(150), delayed(1000)]] {
        let world = single();
        let payment = paid(&world).await;
        let states = asked_at_once(&world, &payment, 2, troubles).await;
        assert!(states.contains(&S::Succeeded) && states.contains(&S::Failed), "{states:?}");
        assert_eq!((world.a.refunds().len(), counters(&world, &payment).await), (1, (0, 1)));
        let failed = world.store.refunds().into_iter().find(|refund| refund.state == S::Failed).unwrap();
        let failure = failed.failure.unwrap();
        assert_eq!(failure.code, "not_sent");
        assert!(failure.message.contains("at most 1 refund"), "{}", failure.message);
    }
    // Many at once, as a client with a bug asks.
    for seed in 0..20 {
        let world = single();
        let payment = paid_as(&world, &format!("A{seed}")).await;
        let troubles = (0..8).map(|n| delayed((n * 37 + seed * 11) % 60)).collect();
        let states = asked_at_once(&world, &payment, 8, troubles).await;
        assert_eq!(states.iter().filter(|state| **state == S::Succeeded).count(), 1, "{states:?}");
        assert_eq!(world.a.refunds().len(), 1);
    }
}

/// One that does not say in time that it gives way may have been sent.
#[tokio::test(start_paused = true)]
async fn nobody_waits_for_ever_for_one_that_is_being_sent() {
    let world = single();
    let payment = paid(&world).await;
    let (delayed, late) = (Duration::from_millis(100), Duration::from_millis(150));
    let hour = Duration::from_hours(1);
    let troubles = vec![Trouble::Delayed(delayed), Trouble::AnsweredLate(late), Trouble::Delayed(hour)];
    let states = asked_at_once(&world, &payment, 2, troubles).await;
    assert_eq!((world.a.refunds().len(), states.contains(&S::Failed)), (0, true), "{states:?}");
    let messages: Vec<_> = world.store.refunds().into_iter().filter_map(|refund| refund.failure).collect();
    assert!(messages[0].message.contains("another one is being sent"), "{messages:?}");
}

/// Asks for so many refunds at once, with that trouble in the store; what became of each that was stored.
async fn asked_at_once(world: &World, payment: &Payment, count: usize, troubles: Vec<Trouble>) -> Vec<S> {
    for trouble in troubles {
        world.store.trouble(trouble);
    }
    let ask = |n: usize| refund(world, payment, json!({"refund_no": format!("R{n}"), "amount": 1}));
    let answers = join_all((0..count).map(ask)).await;
    answers.into_iter().flatten().map(|answer| answer.refund.state).collect()
}

#[tokio::test(start_paused = true)]
async fn what_an_operator_sends_back_is_the_one() {
    let world = single();
    let payment = returned_underpaid(&world, "A1001").await;
    world.pass(Duration::from_secs(2)).await;
    assert_eq!((world.a.refunds().len(), counters(&world, &payment).await), (1, (0, 1000)));
}
