//! Money that is not the payment's plain success: late, twice, or beside what was booked.

use std::time::Duration;

use paymux_core::catalog::{DuplicatePaid, Late};
use paymux_core::channel::{Can, ClaimKind, QueryAnswer, Receipt};
use paymux_core::outflow::OutflowState;
use paymux_core::payment::{AttemptState as S, Held, Payment, SecondSum, Status};
use paymux_core::payments::desk::{Operator, Outcome, Resolution};
use paymux_core::posting::PostingKind;
use paymux_core::refund::RefundOrigin;
use paymux_core::store::CallbackVerdict as V;
use paymux_core::{App, Currency, Money, WireRequest};
use paymux_testkit::Script;
use paymux_testkit::channel::{Outgo, UNSIGNED_NUMBER, callback, outgo_callback};
use serde_json::json;

use crate::world::{Setting, World, app, channel};

async fn take(world: &World, request: WireRequest) {
    let answer = world.payments.take_callback(channel("a"), request).await.unwrap();
    assert_eq!(answer.status, 200);
}

fn paid(payment: &Payment, fen: i64, trade_no: &str) -> WireRequest {
    callback(payment.attempts[0].number.as_str(), Money::fen(fen), trade_no)
}

fn verdicts(world: &World) -> Vec<V> {
    world.store.callbacks().iter().map(|row| row.verdict).collect()
}

/// What was booked, sorted: why, from where, to where, how much.
pub(crate) fn books(world: &World) -> Vec<(PostingKind, String, String, i64)> {
    let line = |posting: &paymux_core::posting::Posting| {
        (posting.kind, posting.credit.to_string(), posting.debit.to_string(), posting.amount.minor())
    };
    let mut lines: Vec<_> = world.store.postings().iter().map(line).collect();
    lines.sort();
    lines
}

pub(crate) fn line(
    kind: PostingKind,
    from: &str,
    to: &str,
    minor: i64,
) -> (PostingKind, String, String, i64) {
    (kind, from.to_owned(), to.to_owned(), minor)
}

#[tokio::test(start_paused = true)]
async fn money_is_booked_to_the_merchant_once() {
    let world = World::new();
    let payment = world.created(json!({})).await;
    take(&world, paid(&payment, 1999, "T1")).await;
    take(&world, paid(&payment, 1999, "T1")).await;
    assert_eq!(books(&world), [line(PostingKind::Received, "app:shop", "channel:a", 1999)]);
}

#[tokio::test(start_paused = true)]
async fn money_for_a_canceled_payment_waits_for_a_person() {
    let world = World::new();
    let payment = world.created(json!({})).await;
    world.payments.cancel(app(), payment.id).await.unwrap();
    world.a.on_query(Ok(QueryAnswer::Paid(Receipt::of(Money::fen(1999)))));
    take(&world, paid(&payment, 1999, "T1")).await;
    let stored = world.stored(&payment).await;
    assert_eq!((stored.status, stored.held), (Status::Canceled, Some(Held::Late)));
    assert_eq!((stored.attempts[0].state, stored.attempts[0].received), (S::Closed, Some(Money::fen(1999))));
    assert_eq!(books(&world), [line(PostingKind::Held, "held:shop", "channel:a", 1999)]);
    assert_eq!(world.told().await, ["payment.canceled", "payment.held"]);
}

#[tokio::test(start_paused = true)]
async fn the_app_says_what_late_money_is_worth() {
    let accept: fn(&mut App) = |app| app.late_success.canceled = Late::Accept;
    let hold: fn(&mut App) = |app| app.late_success.expired = Late::Hold;
    check(accept, true, (Status::Succeeded, None)).await;
    check(|_| {}, true, (Status::Canceled, Some(Held::Late))).await;
    check(hold, false, (Status::Expired, Some(Held::Late))).await;
    check(|_| {}, false, (Status::Succeeded, None)).await;

    async fn check(policy: fn(&mut App), cancels: bool, want: (Status, Option<Held>)) {
        let world = World::with(&Setting { app: policy, ..Setting::default() });
        let payment = world.created(json!({"expires_in": 60})).await;
        if cancels {
            world.payments.cancel(app(), payment.id).await.unwrap();
        } else {
            world.pass(Duration::from_secs(90)).await;
        }
        world.a.on_query(Ok(QueryAnswer::Paid(Receipt::of(Money::fen(1999)))));
        take(&world, paid(&payment, 1999, "T1")).await;
        let stored = world.stored(&payment).await;
        assert_eq!((stored.status, stored.held), want);
    }
}

async fn duplicate(policy: DuplicatePaid, can: Can) -> (World, Payment) {
    let setting = Setting {
        app: match policy {
            DuplicatePaid::Hold => |_| {},
            DuplicatePaid::Refund => |app| app.duplicate_paid = DuplicatePaid::Refund,
        },
        a: if can.has(Can::REFUND) { |a| a.that_can(Can::QUERY | Can::CANCEL | Can::REFUND) } else { |a| a },
        ..Setting::default()
    };
    let world = World::with(&setting);
    world.a.on_create(Script::Lose);
    let payment = world.created(json!({})).await;
    let second = callback(payment.attempts[1].number.as_str(), Money::fen(1999), "T2");
    world.payments.take_callback(channel("b"), second).await.unwrap();
    take(&world, paid(&payment, 1999, "T1")).await;
    (world, payment)
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_goes_back_where_the_app_and_the_provider_allow_it() {
    let (world, payment) = duplicate(DuplicatePaid::Refund, Can::REFUND).await;
    let refunds = world.store.refunds();
    let [refund] = refunds.as_slice() else { panic!("{refunds:?}") };
    let attempt = &world.stored(&payment).await.attempts[0];
    assert_eq!((refund.id, refund.attempt), (attempt.id.return_id(), attempt.id));
    assert_eq!((refund.origin, refund.state), (RefundOrigin::Duplicate, OutflowState::Queued));
    assert_eq!((refund.amount, attempt.refunding, attempt.refunded), (Money::fen(1999), 1999, 0));
    assert_eq!(attempt.state, S::DuplicatePaid);
}

#[tokio::test(start_paused = true)]
async fn a_duplicate_waits_where_the_app_or_the_provider_does_not() {
    for (policy, can) in [(DuplicatePaid::Hold, Can::REFUND), (DuplicatePaid::Refund, Can::nothing_more())] {
        let (world, payment) = duplicate(policy, can).await;
        assert!(world.store.refunds().is_empty(), "{policy}");
        let stored = world.stored(&payment).await;
        assert!(stored.attempts[0].holds_money() && !stored.attempts[1].holds_money());
        assert!(books(&world).contains(&line(PostingKind::Held, "held:shop", "channel:a", 1999)));
        assert_eq!(stored.amount_received, Money::fen(1999));
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_sum_for_a_paid_order_is_booked_and_held() {
    let world = World::new();
    let payment = world.created(json!({})).await;
    take(&world, paid(&payment, 1999, "T1")).await;
    take(&world, paid(&payment, 1999, "T2")).await;
    take(&world, paid(&payment, 1999, "T2")).await;
    let stored = world.stored(&payment).await;
    assert_eq!((stored.status, stored.held), (Status::Succeeded, Some(Held::SecondPayment)));
    assert_eq!(
        (stored.amount_received, stored.attempts[0].trade_no.as_deref()),
        (Money::fen(1999), Some("T1"))
    );
    let more: Vec<_> =
        stored.attempts[0].more.iter().map(|sum| (sum.trade_no.as_str(), sum.amount)).collect();
    assert_eq!(more, [("T2", 1999)]);
    assert_eq!(verdicts(&world), [V::Applied, V::Applied, V::Duplicate]);
    let want = [
        line(PostingKind::Received, "app:shop", "channel:a", 1999),
        line(PostingKind::Held, "held:shop", "channel:a", 1999),
    ];
    assert_eq!(books(&world), want);
    assert_eq!(world.told().await, ["payment.succeeded", "payment.held"]);
}

/// What is held beside a success keeps nobody from paying an order that can still be closed.
#[tokio::test(start_paused = true)]
async fn a_sibling_is_closed_although_the_paid_one_holds_a_second_sum() {
    let world = World::new();
    world.a.on_create(Script::Lose);
    let payment = world.created(json!({})).await;
    for trade_no in ["T1", "T2"] {
        let text = callback(payment.attempts[1].number.as_str(), Money::fen(1999), trade_no);
        world.payments.take_callback(channel("b"), text).await.unwrap();
    }
    assert_eq!(world.stored(&payment).await.held, Some(Held::SecondPayment));
    world.pass(Duration::from_mins(5)).await;
    assert_eq!(world.stored(&payment).await.attempts[0].state, S::Closed);
}

#[tokio::test(start_paused = true)]
async fn an_unsigned_trade_number_makes_no_second_payment_unless_the_provider_says_so() {
    let named = |no: &str, fen| {
        QueryAnswer::Paid(Receipt { trade_no: Some(no.to_owned()), ..Receipt::of(Money::fen(fen)) })
    };
    check(Some(named("T2", 1999)), V::Applied, 1).await;
    check(Some(named("T1", 1999)), V::Duplicate, 0).await;
    // More came in than is booked, and nobody can say under which number.
    check(Some(named("T1", 3998)), V::Quarantined, 0).await;
    check(Some(named("T2", 3998)), V::Quarantined, 0).await;
    check(Some(QueryAnswer::NotFound), V::Duplicate, 0).await;
    check(None, V::Quarantined, 0).await;

    async fn check(answer: Option<QueryAnswer>, verdict: V, sums: usize) {
        let world = World::new();
        let payment = world.created(json!({})).await;
        take(&world, paid(&payment, 1999, "T1")).await;
        match &answer {
            Some(answer) => world.a.on_query(Ok(answer.clone())),
            None => world.a.on_query(Err(paymux_core::ChannelError::unknown("cut"))),
        }
        let mut request = paid(&payment, 1999, "T2");
        request.path = UNSIGNED_NUMBER.to_owned();
        take(&world, request).await;
        assert_eq!(verdicts(&world)[1], verdict, "{answer:?}");
        assert_eq!(world.stored(&payment).await.attempts[0].more.len(), sums, "{answer:?}");
    }
}

/// A provider may name all that came in, or the part that it was asked about first.
#[tokio::test(start_paused = true)]
async fn all_that_is_booked_is_no_second_payment_whatever_its_number() {
    for (fen, verdict) in [(1999, V::Duplicate), (3998, V::Duplicate), (5997, V::Quarantined)] {
        let world = World::new();
        let payment = world.created(json!({})).await;
        take(&world, paid(&payment, 1999, "T1")).await;
        take(&world, paid(&payment, 1999, "T2")).await;
        let told = Receipt { trade_no: Some("T1".to_owned()), ..Receipt::of(Money::fen(fen)) };
        world.a.on_query(Ok(QueryAnswer::Paid(told)));
        let mut request = paid(&payment, 1999, "T3");
        request.path = UNSIGNED_NUMBER.to_owned();
        take(&world, request).await;
        assert_eq!(verdicts(&world)[2..], [verdict], "{fen}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_short_sum_is_held_and_what_makes_it_whole_is_booked_as_the_difference() {
    let world = World::new();
    let payment = world.created(json!({})).await;
    take(&world, paid(&payment, 1000, "T1")).await;
    take(&world, paid(&payment, 1999, "T1")).await;
    assert_eq!(world.stored(&payment).await.status, Status::Succeeded);
    let want = [
        line(PostingKind::Received, "app:shop", "channel:a", 999),
        line(PostingKind::Held, "held:shop", "channel:a", 1000),
        line(PostingKind::Released, "app:shop", "held:shop", 1000),
    ];
    assert_eq!(books(&world), want);
}

#[tokio::test(start_paused = true)]
async fn a_full_second_sum_settles_and_the_short_first_one_stays_held() {
    let world = World::new();
    let payment = world.created(json!({})).await;
    take(&world, paid(&payment, 1000, "T1")).await;
    take(&world, paid(&payment, 1999, "T2")).await;
    let stored = world.stored(&payment).await;
    assert_eq!((stored.status, stored.held), (Status::Succeeded, Some(Held::SecondPayment)));
    assert_eq!((stored.attempts[0].received, stored.attempts[0].more.len()), (Some(Money::fen(1999)), 1));
    let want = [
        line(PostingKind::Received, "app:shop", "channel:a", 1999),
        line(PostingKind::Held, "held:shop", "channel:a", 1000),
    ];
    assert_eq!(books(&world), want);
}

/// Money in another currency is other money, even under the same trade number.
#[tokio::test(start_paused = true)]
async fn money_in_another_currency_is_not_replaced_by_what_comes_next() {
    let yen = Money::new(1999, Currency::from_code("JPY").unwrap());
    for trade_no in ["T1", "T2"] {
        let world = World::new();
        let payment = world.created(json!({})).await;
        take(&world, callback(payment.attempts[0].number.as_str(), yen, "T1")).await;
        take(&world, paid(&payment, 1999, trade_no)).await;
        let stored = world.stored(&payment).await;
        assert_eq!(
            (stored.status, stored.held),
            (Status::Succeeded, Some(Held::SecondPayment)),
            "{trade_no}"
        );
        assert_eq!(stored.attempts[0].received, Some(Money::fen(1999)));
        assert_eq!(stored.attempts[0].more[0].money(), Some(yen), "{trade_no}");
        let want = [
            line(PostingKind::Received, "app:shop", "channel:a", 1999),
            line(PostingKind::Held, "held:shop", "channel:a", 1999),
        ];
        assert_eq!(books(&world), want, "{trade_no}");
    }
}

/// Without a trade number only its currency and its sum tell it from other money.
#[tokio::test(start_paused = true)]
async fn money_in_another_currency_without_a_number_is_booked_once() {
    let yen = |minor| Money::new(minor, Currency::from_code("JPY").unwrap());
    let world = World::new();
    let payment = world.created(json!({})).await;
    take(&world, paid(&payment, 1000, "T1")).await;
    for minor in [800, 800, 500, 900] {
        world.a.on_query(Ok(QueryAnswer::Paid(Receipt::of(yen(minor)))));
        world.payments.sync(app(), payment.id).await.unwrap();
    }
    let stored = world.stored(&payment).await;
    let more: Vec<_> = stored.attempts[0].more.iter().filter_map(SecondSum::money).collect();
    assert_eq!((stored.held, more), (Some(Held::SecondPayment), vec![yen(800), yen(100)]));
    let want = [
        line(PostingKind::Held, "held:shop", "channel:a", 100),
        line(PostingKind::Held, "held:shop", "channel:a", 800),
        line(PostingKind::Held, "held:shop", "channel:a", 1000),
    ];
    assert_eq!(books(&world), want);
}

/// An operator sends a short sum back; before that is done the rest comes in.
async fn made_whole_while_a_refund_is_under_way() -> (World, Payment) {
    let setting =
        Setting { a: |a| a.that_can(Can::QUERY | Can::REFUND | Can::QUERY_REFUND), ..Setting::default() };
    let world = World::with(&setting);
    let payment = world.created(json!({})).await;
    take(&world, paid(&payment, 1000, "T1")).await;
    let by = Operator { id: "root".to_owned(), request_id: "req".to_owned() };
    let word =
        Resolution { outcome: Outcome::Refund, amount: None, provider_trade_no: None, note: "no".to_owned() };
    world.payments.resolve_attempt(by, payment.attempts[0].id, word).await.unwrap();
    world.a.on_outgo(Outgo::Pending);
    world.payments.sweep().await.unwrap();
    take(&world, paid(&payment, 1999, "T1")).await;
    let payment = world.stored(&payment).await;
    assert_eq!((payment.status, payment.attempts[0].refunding), (Status::Succeeded, 1000));
    (world, payment)
}

async fn says_of_the_refund(world: &World, kind: ClaimKind) {
    let refund = world.store.refunds().remove(0);
    take(world, outgo_callback(kind, &refund.number, refund.amount)).await;
}

#[tokio::test(start_paused = true)]
async fn what_was_to_go_back_before_the_success_is_the_merchants_if_it_stays() {
    let (world, payment) = made_whole_while_a_refund_is_under_way().await;
    says_of_the_refund(&world, ClaimKind::RefundFailed).await;
    assert_eq!(world.stored(&payment).await.attempts[0].refundable(), Some(Money::fen(1999)));
    let mut want = vec![
        line(PostingKind::Received, "app:shop", "channel:a", 999),
        line(PostingKind::Held, "held:shop", "channel:a", 1000),
        line(PostingKind::Released, "app:shop", "held:shop", 1000),
    ];
    assert_eq!(books(&world), want);
    // The word of failure was wrong: what is the merchant's has gone back.
    says_of_the_refund(&world, ClaimKind::Refunded).await;
    want.push(line(PostingKind::Refunded, "channel:a", "app:shop", 1000));
    assert_eq!(books(&world), want);
}

#[tokio::test(start_paused = true)]
async fn what_goes_back_after_the_success_was_never_the_merchants() {
    let (world, payment) = made_whole_while_a_refund_is_under_way().await;
    says_of_the_refund(&world, ClaimKind::Refunded).await;
    assert_eq!(world.stored(&payment).await.attempts[0].refundable(), Some(Money::fen(999)));
    let want = [
        line(PostingKind::Received, "app:shop", "channel:a", 999),
        line(PostingKind::Held, "held:shop", "channel:a", 1000),
        line(PostingKind::Refunded, "channel:a", "held:shop", 1000),
    ];
    assert_eq!(books(&world), want);
}
