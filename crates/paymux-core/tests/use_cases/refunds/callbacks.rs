//! Callbacks about refunds: what is believed, what is kept for a person.

use std::time::Duration;

use paymux_core::channel::{Can, ClaimKind, OutflowAnswer};
use paymux_core::outflow::OutflowState as S;
use paymux_core::payment::Payment;
use paymux_core::store::CallbackVerdict as V;
use paymux_core::{ChannelError, Currency, Money, Refund, WireRequest};
use paymux_testkit::Outgo;
use paymux_testkit::channel::{UNSIGNED, outgo_callback};
use serde_json::json;

use super::{books, counters, line, paid, refunded, stored, world};
use crate::world::{Setting, World, channel};

/// Takes a callback in on channel `a` and returns the status of the answer.
async fn take(world: &World, request: WireRequest) -> u16 {
    world.payments.take_callback(channel("a"), request).await.unwrap().status
}

fn about(kind: ClaimKind, refund: &Refund) -> WireRequest {
    outgo_callback(kind, &refund.number, refund.amount)
}

fn done(refund: &Refund) -> WireRequest {
    about(ClaimKind::Refunded, refund)
}

fn failed(refund: &Refund) -> WireRequest {
    about(ClaimKind::RefundFailed, refund)
}

fn unsigned(request: WireRequest) -> WireRequest {
    WireRequest { path: UNSIGNED.to_owned(), ..request }
}

/// The verdicts on all callbacks but the first, which paid the payment.
fn verdicts(world: &World) -> Vec<V> {
    world.store.callbacks().iter().skip(1).map(|row| row.verdict).collect()
}

fn last_detail(world: &World) -> String {
    world.store.callbacks().pop().unwrap().detail.unwrap_or_default()
}

async fn asked(world: &World, outgo: Outgo) -> (Payment, Refund) {
    let payment = paid(world).await;
    world.a.on_outgo(outgo);
    let refund = refunded(world, &payment, json!({})).await;
    (payment, refund)
}

#[tokio::test(start_paused = true)]
async fn a_good_callback_ends_a_refund_once() {
    let world = world();
    let (payment, refund) = asked(&world, Outgo::Pending).await;
    for _ in 0..3 {
        assert_eq!(take(&world, done(&refund)).await, 200);
    }
    assert_eq!(stored(&world, &refund).await.state, S::Succeeded);
    assert_eq!(counters(&world, &payment).await, (0, 500));
    let times: Vec<_> = world.store.callbacks().iter().map(|row| row.times).collect();
    assert_eq!((verdicts(&world), times), (vec![V::Applied, V::Duplicate], vec![1, 1, 2]));
    let applied = world.store.callbacks().remove(1);
    assert_eq!(applied.payment, Some(payment.id));
    assert!(applied.event_key.unwrap().starts_with(&format!("Refunded:{}", refund.number)));
    assert_eq!(books(&world), [line("channel:a", "app:shop", 500)]);
    assert_eq!(world.told().await, ["payment.succeeded", "refund.succeeded"]);
}

#[tokio::test(start_paused = true)]
async fn many_copies_at_once_end_it_once() {
    let world = world();
    let (payment, refund) = asked(&world, Outgo::Lose).await;
    let copies = (0..64).map(|_| take(&world, done(&refund)));
    assert!(futures_util::future::join_all(copies).await.iter().all(|status| *status == 200));
    assert_eq!(verdicts(&world).iter().filter(|v| **v == V::Applied).count(), 1);
    let repeats = world.store.callbacks().last().map(|row| row.times);
    assert_eq!((repeats, counters(&world, &payment).await), (Some(63), (0, 500)));
    assert_eq!(world.told().await, ["payment.succeeded", "refund.succeeded"]);
}

#[tokio::test(start_paused = true)]
async fn a_failure_gives_the_money_back_to_the_payment() {
    let world = world();
    let (payment, refund) = asked(&world, Outgo::Pending).await;
    take(&world, failed(&refund)).await;
    take(&world, failed(&refund)).await;
    assert_eq!(stored(&world, &refund).await.state, S::Failed);
    assert_eq!(counters(&world, &payment).await, (0, 0));
    assert_eq!(verdicts(&world), [V::Applied, V::Duplicate]);
    assert_eq!(world.told().await, ["payment.succeeded", "refund.failed"]);
}

#[tokio::test(start_paused = true)]
async fn another_amount_or_currency_is_kept_for_a_person() {
    let usd = Currency::from_code("USD").unwrap();
    for money in [Money::fen(499), Money::fen(501), Money::new(500, usd)] {
        for kind in [ClaimKind::Refunded, ClaimKind::RefundFailed] {
            let world = world();
            let (payment, refund) = asked(&world, Outgo::Pending).await;
            assert_eq!(take(&world, outgo_callback(kind, &refund.number, money)).await, 200);
            assert_eq!((stored(&world, &refund).await, verdicts(&world)), (refund, vec![V::Quarantined]));
            assert!(last_detail(&world).contains("stands for"), "{}", last_detail(&world));
            assert_eq!(world.store.callbacks()[1].payment, Some(payment.id));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_number_that_is_not_ours_is_an_orphan() {
    let world = world();
    let (_, refund) = asked(&world, Outgo::Pending).await;
    take(&world, outgo_callback(ClaimKind::Refunded, "nobody", Money::fen(500))).await;
    // The right number on the wrong channel, or for a payout, is not ours either.
    world.payments.take_callback(channel("b"), done(&refund)).await.unwrap();
    take(&world, about(ClaimKind::Transferred, &refund)).await;
    assert_eq!(verdicts(&world), [V::Orphan, V::Orphan, V::Orphan]);
    assert_eq!(stored(&world, &refund).await.state, S::Pending);
}

#[tokio::test(start_paused = true)]
async fn booked_money_is_not_taken_back_by_a_word_of_failure() {
    let world = world();
    let (payment, refund) = asked(&world, Outgo::Done).await;
    take(&world, failed(&refund)).await;
    assert_eq!((stored(&world, &refund).await, verdicts(&world)), (refund, vec![V::Quarantined]));
    assert_eq!(counters(&world, &payment).await, (0, 500));
    assert_eq!(last_detail(&world), "it says failed, and here it is succeeded");
    assert_eq!(world.told().await, ["payment.succeeded", "refund.succeeded"]);
}

#[tokio::test(start_paused = true)]
async fn a_word_of_failure_that_was_wrong_is_corrected_where_there_is_room() {
    let world = world();
    let (payment, refund) = asked(&world, Outgo::Refuse).await;
    take(&world, done(&refund)).await;
    assert_eq!((stored(&world, &refund).await.state, verdicts(&world)), (S::Succeeded, vec![V::Applied]));
    assert_eq!(counters(&world, &payment).await, (0, 500));
    assert_eq!(books(&world), [line("channel:a", "app:shop", 500)]);
    let told = world.delivered().await;
    let kinds: Vec<_> = told.iter().map(|(kind, _)| kind.as_str()).collect();
    assert_eq!(kinds, ["payment.succeeded", "refund.failed", "refund.succeeded"]);
    let data = &told[2].1["data"];
    assert_eq!((&data["late"], &data["previous_status"]), (&json!(true), &json!("failed")));
}

#[tokio::test(start_paused = true)]
async fn what_has_no_room_any_more_is_kept_for_a_person() {
    let world = world();
    let payment = paid(&world).await;
    world.a.on_outgo(Outgo::Refuse);
    let refund = refunded(&world, &payment, json!({"amount": 1999})).await;
    world.a.on_outgo(Outgo::Pending);
    refunded(&world, &payment, json!({"refund_no": "R2", "amount": 1})).await;
    take(&world, done(&refund)).await;
    assert_eq!((stored(&world, &refund).await.state, verdicts(&world)), (S::Failed, vec![V::Quarantined]));
    assert!(last_detail(&world).contains("taken its room"), "{}", last_detail(&world));
    assert_eq!((counters(&world, &payment).await, books(&world)), ((1, 0), vec![]));
}

#[tokio::test(start_paused = true)]
async fn a_callback_can_overtake_the_answer() {
    for outgo in [Outgo::Slow(Duration::from_secs(5)), Outgo::Slow(Duration::from_mins(1))] {
        let world = world();
        let payment = paid(&world).await;
        world.a.on_outgo(outgo);
        let asking = tokio::spawn({
            let (payments, id) = (world.payments.clone(), payment.id);
            async move { payments.refund(crate::world::app(), id, super::request(json!({}))).await }
        });
        world.clock.advance(Duration::from_secs(1)).await;
        let refund = world.store.refunds().remove(0);
        take(&world, done(&refund)).await;
        let ended = stored(&world, &refund).await;
        assert_eq!((ended.state, verdicts(&world)), (S::Succeeded, vec![V::Applied]));
        assert_eq!(asking.await.unwrap().unwrap().refund, ended, "what the call says then is dropped");
        world.pass(Duration::from_mins(2)).await;
        assert_eq!((counters(&world, &payment).await, world.a.asked_outgoes()), ((0, 500), 0));
        assert_eq!(world.told().await, ["payment.succeeded", "refund.succeeded"]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_signed_counts_only_as_the_provider_says_when_asked() {
    let ok = |answer: OutflowAnswer| Some(Ok(answer));
    let fail = OutflowAnswer::Failed { code: "E1".to_owned(), message: "no".to_owned() };
    let pending = OutflowAnswer::Pending { reference: None };
    check(ClaimKind::Refunded, ok(OutflowAnswer::Done { reference: None }), 200, &[V::Applied], S::Succeeded)
        .await;
    check(ClaimKind::Refunded, ok(fail.clone()), 200, &[V::Applied], S::Failed).await;
    check(ClaimKind::RefundFailed, ok(fail), 200, &[V::Applied], S::Failed).await;
    check(
        ClaimKind::RefundFailed,
        ok(OutflowAnswer::Done { reference: None }),
        200,
        &[V::Applied],
        S::Succeeded,
    )
    .await;
    check(ClaimKind::Refunded, ok(pending), 200, &[V::Quarantined], S::Pending).await;
    check(ClaimKind::RefundFailed, ok(OutflowAnswer::NotFound), 200, &[V::Quarantined], S::Pending).await;
    let cut = Some(Err(ChannelError::unknown("cut")));
    check(ClaimKind::Refunded, cut, 503, &[], S::Pending).await;
    check(ClaimKind::Refunded, None, 200, &[V::Quarantined], S::Pending).await;

    /// `None` = a provider that cannot be asked.
    async fn check(
        kind: ClaimKind,
        answer: Option<Result<OutflowAnswer, ChannelError>>,
        status: u16,
        want: &[V],
        state: S,
    ) {
        let world = match &answer {
            Some(_) => world(),
            None => {
                World::with(&Setting { a: |a| a.that_can(Can::QUERY | Can::REFUND), ..Setting::default() })
            }
        };
        let (_, refund) = asked(&world, Outgo::Pending).await;
        if let Some(answer) = answer.clone() {
            world.a.on_outgo_query(answer);
        }
        assert_eq!(take(&world, unsigned(about(kind, &refund))).await, status, "{kind:?} {answer:?}");
        assert_eq!(
            (verdicts(&world).as_slice(), stored(&world, &refund).await.state),
            (want, state),
            "{answer:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_callback_that_the_store_does_not_take_is_not_acknowledged() {
    let world = world();
    let (_, refund) = asked(&world, Outgo::Pending).await;
    world.store.go_away();
    assert_eq!(take(&world, done(&refund)).await, 503);
    world.store.come_back();
    assert_eq!(take(&world, done(&refund)).await, 200);
    assert_eq!((stored(&world, &refund).await.state, verdicts(&world)), (S::Succeeded, vec![V::Applied]));
}
