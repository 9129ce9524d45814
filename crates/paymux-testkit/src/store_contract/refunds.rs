//! New refunds: what they set aside, how they are found, and how workers take them.

use std::time::Duration;

use paymux_core::clock::Timestamp;
use paymux_core::ids::{RefundId, RefundNo};
use paymux_core::money::{Currency, Money};
use paymux_core::outflow::OutflowState;
use paymux_core::payment::{AttemptState, Failure, FrontNote, Payment};
use paymux_core::refund::{Refund, RefundOrigin};
use paymux_core::store::{Applied, RefundOpened, StoreError};

use super::openings::ODD;
use super::{Subject, kind};
use crate::fixtures::{
    Fixtures, add_attempt, app_id, change_of, channel, edit_attempt, paid, refund, refund_change, step_to,
};

const LEASE: Duration = Duration::from_millis(100);

/// A payment whose first attempt took 19.99 CNY.
pub(super) async fn paid_one(subject: &Subject, fixtures: &Fixtures, order_no: &str) -> Payment {
    let seen = subject.opened(fixtures.opening("shop", order_no)).await;
    subject.done(paid(fixtures, &seen)).await
}

/// Opens a refund that must be new.
pub(super) async fn begun(subject: &Subject, refund: Refund) -> Refund {
    let opened = subject.store.open_refund(refund.clone()).await.unwrap();
    assert!(matches!(opened, RefundOpened::New), "{opened:?}");
    refund
}

/// What the first attempt of a payment has set aside and given back.
pub(super) async fn counters(subject: &Subject, payment: &Payment) -> (i64, i64) {
    let attempt = subject.stored(&payment.id).await.attempts.remove(0);
    (attempt.refunding, attempt.refunded)
}

/// Makes a call that must write nothing, and whose answer is that nothing of the amount is left.
async fn too_large(subject: &Subject, refund: Refund) {
    let opened = subject.unchanged(subject.store.open_refund(refund)).await.unwrap();
    assert!(matches!(opened, RefundOpened::TooLarge), "{opened:?}");
}

async fn is_corrupt(subject: &Subject, refund: Refund) {
    let refused = subject.unchanged(subject.store.open_refund(refund)).await.unwrap_err();
    assert_eq!(kind(&refused), "corrupt");
}

/// A refund in which no field is what it is by default, and no two are alike.
pub(super) fn full(fixtures: &Fixtures, payment: &Payment) -> Refund {
    Refund {
        refund_no: Some(RefundNo::given("~R-1_z/?").unwrap()),
        origin: RefundOrigin::Operator,
        number: format!("~number {ODD}"),
        amount: Money::fen(1001),
        reason: format!("reason {ODD}"),
        state: OutflowState::NeedsAction,
        fence: 1002,
        action_url: Some(format!("https://a.example/{ODD}")),
        failure: Some(failure()),
        reference: Some(format!("reference {ODD}")),
        fingerprint: format!("fingerprint {ODD}"),
        created_at: Timestamp::from_ms(1003),
        sent_at: Some(Timestamp::from_ms(1007)),
        ended_at: Some(Timestamp::from_ms(1004)),
        check_at: Some(Timestamp::from_ms(1005)),
        checks: 1006,
        front: Some(Box::new(FrontNote {
            notify_url: Some(format!("https://n.example/{ODD}")),
            ..FrontNote::new("hive", ODD, &serde_json::json!({ ODD: [1, null, "\0"] }))
        })),
        ..fixtures.refund(payment, "R-1_z", 1)
    }
}

pub(super) fn failure() -> Failure {
    Failure { code: "unknown".to_owned(), message: format!("why {ODD}"), provider_code: Some(ODD.to_owned()) }
}

pub async fn keeps_every_field(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let payment = paid_one(subject, &fixtures, "A1").await;
    for refund in [full(&fixtures, &payment), fixtures.refund(&payment, "R2", 1)] {
        let refund = begun(subject, refund).await;
        assert_eq!(subject.store.refund(refund.id).await, Ok(Some(refund)));
    }
}

pub async fn keeps_extreme_values(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let payment = paid_one(subject, &fixtures, "A1").await;
    for (place, edge) in [i64::MIN, -1, 0, i64::MAX].into_iter().enumerate() {
        let at = Timestamp::from_ms(edge);
        let refund = Refund {
            created_at: at,
            ended_at: Some(at),
            check_at: Some(at),
            fence: edge.max(0),
            checks: if edge > 0 { i32::MAX } else { 0 },
            refund_no: Some(refund(&"Z".repeat(60 + place))),
            ..fixtures.refund(&payment, "R", 1)
        };
        let refund = begun(subject, refund).await;
        assert_eq!(subject.store.refund(refund.id).await, Ok(Some(refund)));
    }
}

/// PostgreSQL cannot hold U+0000 in text; what came with it must be kept all the same.
pub async fn keeps_no_nul(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let payment = paid_one(subject, &fixtures, "A1").await;
    let refund = Refund {
        reason: "a\0b".to_owned(),
        reference: Some("\0".to_owned()),
        failure: Some(Failure { message: "a\0b".to_owned(), ..failure() }),
        ..fixtures.refund(&payment, "R1", 1)
    };
    let refund = begun(subject, refund).await;
    let stored = subject.store.refund(refund.id).await.unwrap().unwrap();
    assert_eq!(stored.reason, "a\u{fffd}b");
    assert_eq!(stored.reference.as_deref(), Some("\u{fffd}"));
    assert_eq!(stored.failure, refund.failure);
}

pub async fn sets_its_amount_aside(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let payment = paid_one(subject, &fixtures, "A1").await;
    begun(subject, fixtures.refund(&payment, "R1", 500)).await;
    begun(subject, fixtures.refund(&payment, "R2", 700)).await;
    let mut want = payment;
    want.attempts[0].refunding = 1200;
    assert_eq!(subject.stored(&want.id).await, want, "and all else stays, the version too");
}

/// Of a success whose money a close may have sent back nothing more goes back. That a close is over by the
/// clock of whoever asks proves nothing: only a look at the money takes the mark away.
pub async fn wants_money_that_no_close_may_have_sent_back(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let mut payment = paid_one(subject, &fixtures, "A1").await;
    let refund = fixtures.refund(&payment, "R1", 1);
    let until = |until| move |attempt: &mut paymux_core::payment::Attempt| attempt.closing_until = until;
    let now = refund.created_at;
    let (past, future) = (Timestamp::from_ms(0), now.plus(Duration::from_millis(1)));
    for (closing_until, contested) in [(Some(future), 0), (Some(past), 0), (None, 1)] {
        let mut change = change_of(&payment);
        edit_attempt(&mut change, 0, until(closing_until));
        change.payment.attempts[0].contested = contested;
        payment = subject.done(change).await;
        too_large(subject, refund.clone()).await;
    }
    let mut change = change_of(&payment);
    edit_attempt(&mut change, 0, until(None));
    change.payment.attempts[0].contested = 0;
    subject.done(change).await;
    begun(subject, refund).await;
}

/// Whoever saw the payment before may still change it: its version did not move.
pub async fn disturbs_no_writer_of_its_payment(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = paid_one(subject, &fixtures, "A1").await;
    begun(subject, fixtures.refund(&seen, "R1", 500)).await;
    let mut change = change_of(&seen);
    edit_attempt(&mut change, 0, |attempt| attempt.checks = 7);
    let attempt = subject.done(change).await.attempts.remove(0);
    assert_eq!((attempt.checks, attempt.refunding, attempt.refunded), (7, 500, 0));
}

pub async fn takes_all_that_is_left_and_no_more(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = paid_one(subject, &fixtures, "A1").await;
    too_large(subject, fixtures.refund(&seen, "R1", 2000)).await;
    let one = begun(subject, fixtures.refund(&seen, "R1", 999)).await;
    too_large(subject, fixtures.refund(&seen, "R2", 1001)).await;
    let two = begun(subject, fixtures.refund(&seen, "R2", 1000)).await;
    too_large(subject, fixtures.refund(&seen, "R3", 1)).await;
    // What is done is gone for good; what failed is left again.
    let seen = subject.done(refund_change(&seen, step_to(&one, OutflowState::Succeeded))).await;
    too_large(subject, fixtures.refund(&seen, "R3", 1)).await;
    let seen = subject.done(refund_change(&seen, step_to(&two, OutflowState::Failed))).await;
    too_large(subject, fixtures.refund(&seen, "R3", 1001)).await;
    begun(subject, fixtures.refund(&seen, "R3", 1000)).await;
    assert_eq!(counters(subject, &seen).await, (1000, 999));
    too_large(subject, fixtures.refund(&seen, "R4", i64::MAX)).await;
}

pub async fn wants_an_attempt_that_is_paid(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    for state in AttemptState::ALL.iter().copied().filter(|state| *state != AttemptState::Paid) {
        let seen = paid_one(subject, &fixtures, &format!("A-{state}")).await;
        let mut change = change_of(&seen);
        edit_attempt(&mut change, 0, |attempt| attempt.state = state);
        let seen = subject.done(change).await;
        too_large(subject, fixtures.refund(&seen, &format!("R-{state}"), 1)).await;
    }
    let one = paid_one(subject, &fixtures, "A1").await;
    let two = paid_one(subject, &fixtures, "A2").await;
    let never = fixtures.payment("shop", "A3");
    too_large(subject, fixtures.refund(&never, "R1", 1)).await;
    let refund = fixtures.refund(&one, "R1", 1);
    too_large(subject, Refund { attempt: never.attempts[0].id, ..refund.clone() }).await;
    too_large(subject, Refund { attempt: two.attempts[0].id, ..refund.clone() }).await;
    too_large(subject, Refund { payment: two.id, ..refund }).await;
}

pub async fn wants_money_of_its_currency(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = paid_one(subject, &fixtures, "A1").await;
    let dollars = Money::new(1, Currency::from_code("USD").unwrap());
    too_large(subject, Refund { amount: dollars, ..fixtures.refund(&seen, "R1", 1) }).await;
    let mut change = change_of(&seen);
    edit_attempt(&mut change, 0, |attempt| attempt.received = None);
    let seen = subject.done(change).await;
    too_large(subject, fixtures.refund(&seen, "R1", 1)).await;
}

/// Each attempt has its own money.
pub async fn keeps_attempts_apart(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = subject.opened(fixtures.opening("shop", "A1")).await;
    let mut change = change_of(&seen);
    edit_attempt(&mut change, 0, |attempt| attempt.state = AttemptState::DuplicatePaid);
    edit_attempt(&mut change, 0, |attempt| attempt.received = Some(Money::fen(5000)));
    change.touched.truncate(1);
    let mut second = fixtures.attempt("second");
    second.state = AttemptState::Paid;
    second.received = Some(Money::fen(30));
    add_attempt(&mut change, second.clone());
    let seen = subject.done(change).await;
    let of_second = |no: &str, minor| Refund {
        attempt: second.id,
        channel: channel("second"),
        ..fixtures.refund(&seen, no, minor)
    };
    too_large(subject, of_second("R1", 31)).await;
    begun(subject, of_second("R1", 30)).await;
    let stored = subject.stored(&seen.id).await;
    assert_eq!(stored.attempts.iter().map(|a| a.refunding).collect::<Vec<_>>(), [0, 30]);
}

pub async fn refuses_amounts_that_cannot_be(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let payment = paid_one(subject, &fixtures, "A1").await;
    for minor in [0, -1, i64::MIN] {
        is_corrupt(subject, fixtures.refund(&payment, "R1", minor)).await;
    }
}

pub async fn finds_the_stored_one_by_its_number(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let payment = paid_one(subject, &fixtures, "A1").await;
    let other = paid_one(subject, &fixtures, "A2").await;
    let stored = begun(subject, fixtures.refund(&payment, "R1", 1999)).await;
    // The first would not fit any more, and the last is of another payment.
    let again = [
        stored.clone(),
        fixtures.refund(&payment, "R1", 1),
        fixtures.refund(&payment, "R1", 5000),
        fixtures.refund(&other, "R1", 7),
    ];
    for again in again {
        match subject.unchanged(subject.store.open_refund(again)).await.unwrap() {
            RefundOpened::Exists(found) => assert_eq!(*found, stored),
            other => panic!("one refund number, two refunds: {other:?}"),
        }
    }
    // Also as it is now.
    subject.done(refund_change(&payment, step_to(&stored, OutflowState::Failed))).await;
    match subject.store.open_refund(stored.clone()).await.unwrap() {
        RefundOpened::Exists(found) => assert_eq!(found.state, OutflowState::Failed),
        other => panic!("{other:?}"),
    }
}

pub async fn takes_one_refund_number_once_an_app(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let ours = paid_one(subject, &fixtures, "A1").await;
    let seen = subject.opened(fixtures.opening("market", "A1")).await;
    let theirs = subject.done(paid(&fixtures, &seen)).await;
    let one = begun(subject, fixtures.refund(&ours, "R1", 1)).await;
    let two = begun(subject, fixtures.refund(&theirs, "R1", 1)).await;
    let lower = begun(subject, fixtures.refund(&ours, "r1", 1)).await;
    for _ in 0..2 {
        // What nobody asked for has no number, as often as it comes.
        begun(subject, Refund { refund_no: None, ..fixtures.refund(&ours, "none", 1) }).await;
    }
    let by_no = async |app: &str, no: &str| {
        subject.store.refund_by_no(&app_id(app), &refund(no)).await.unwrap().map(|refund| refund.id)
    };
    assert_eq!(by_no("shop", "R1").await, Some(one.id));
    assert_eq!(by_no("market", "R1").await, Some(two.id));
    assert_eq!(by_no("shop", "r1").await, Some(lower.id));
    assert_eq!(by_no("shop", "R2").await, None);
    assert_eq!(by_no("Shop", "R1").await, None);
}

pub async fn finds_by_the_providers_number(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let payment = paid_one(subject, &fixtures, "A1").await;
    let one = begun(subject, full(&fixtures, &payment)).await;
    let elsewhere = Refund { channel: channel("other"), ..fixtures.refund(&payment, "R2", 1) };
    let two = begun(subject, Refund { number: one.number.clone(), ..elsewhere }).await;
    let by_number = async |on: &str, number: &str| {
        subject.store.refund_by_number(&channel(on), number).await.unwrap().map(|refund| refund.id)
    };
    assert_eq!(by_number("main", &one.number).await, Some(one.id));
    assert_eq!(by_number("other", &one.number).await, Some(two.id));
    assert_eq!(by_number("main", &one.number.to_uppercase()).await, None);
    assert_eq!(by_number("main", "").await, None);
    assert_eq!(subject.store.refund(fixtures.id(RefundId::make)).await, Ok(None));
}

pub async fn refuses_an_id_or_a_number_in_use(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let payment = paid_one(subject, &fixtures, "A1").await;
    let first = begun(subject, fixtures.refund(&payment, "R1", 1)).await;
    is_corrupt(subject, Refund { id: first.id, ..fixtures.refund(&payment, "R2", 1) }).await;
    // Also where there is another reason against it.
    for minor in [1, 5000] {
        let number = first.number.clone();
        is_corrupt(subject, Refund { number, ..fixtures.refund(&payment, "R2", minor) }).await;
    }
    assert_eq!(counters(subject, &payment).await, (1, 0));
}

pub async fn shows_those_of_a_payment_oldest_first(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let payment = paid_one(subject, &fixtures, "A1").await;
    let other = paid_one(subject, &fixtures, "A2").await;
    assert_eq!(subject.store.refunds_of(payment.id, None, u32::MAX).await, Ok(vec![]));
    let mut want = Vec::new();
    for (place, ms) in [300, 100, 200, 100].into_iter().enumerate() {
        let refund = fixtures.refund(&payment, &format!("R{place}"), 1);
        want.push(begun(subject, Refund { created_at: Timestamp::from_ms(ms), ..refund }).await);
        begun(subject, fixtures.refund(&other, &format!("S{place}"), 1)).await;
    }
    want.sort_by_key(|refund| (refund.created_at, refund.id));
    let all = |after, limit| subject.store.refunds_of(payment.id, after, limit);
    assert_eq!(all(None, u32::MAX).await, Ok(want.clone()));
    for (place, refund) in want.iter().enumerate() {
        let rest = want[place + 1..].to_vec();
        assert_eq!(all(Some(refund.id), 9).await, Ok(rest.clone()));
        assert_eq!(all(Some(refund.id), 1).await, Ok(rest.into_iter().take(1).collect()));
    }
    assert_eq!(all(None, 2).await, Ok(want[..2].to_vec()));
    let nobody = fixtures.refund(&payment, "never", 1).id;
    assert_eq!(all(Some(nobody), 9).await, Ok(vec![]));
}

pub async fn shows_those_of_an_app_newest_first(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let payments = [paid_one(subject, &fixtures, "A1").await, paid_one(subject, &fixtures, "A2").await];
    let app = payments[0].app.clone();
    assert_eq!(subject.store.refunds_of_app(&app, None, u32::MAX).await, Ok(vec![]));
    let mut want = Vec::new();
    for place in 0..4 {
        let payment = &payments[place % 2];
        want.insert(0, begun(subject, fixtures.refund(payment, &format!("R{place}"), 1)).await);
    }
    let all = |after, limit| subject.store.refunds_of_app(&app, after, limit);
    assert_eq!(all(None, u32::MAX).await, Ok(want.clone()));
    for (place, refund) in want.iter().enumerate() {
        let rest = want[place + 1..].to_vec();
        assert_eq!(all(Some(refund.id), 9).await, Ok(rest.clone()));
        assert_eq!(all(Some(refund.id), 1).await, Ok(rest.into_iter().take(1).collect()));
    }
    let nobody = app_id("nobody");
    assert_eq!(subject.store.refunds_of_app(&nobody, None, 9).await, Ok(vec![]));
}

/// Opens a refund that is due at that moment.
async fn due_at(
    subject: &Subject,
    fixtures: &Fixtures,
    payment: &Payment,
    no: &str,
    ms: Option<i64>,
) -> Refund {
    let check_at = ms.map(Timestamp::from_ms);
    begun(subject, Refund { check_at, ..fixtures.refund(payment, no, 1) }).await
}

async fn take(subject: &Subject, ms: i64, limit: u32) -> Vec<Refund> {
    subject.store.take_due_refunds(Timestamp::from_ms(ms), LEASE, limit).await.unwrap()
}

pub async fn takes_the_earliest_first(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let payment = paid_one(subject, &fixtures, "A1").await;
    let mut due = Vec::new();
    for (no, ms) in [("R1", Some(300)), ("R2", Some(100)), ("R3", None), ("R4", Some(200)), ("R5", Some(100))]
    {
        due.push(due_at(subject, &fixtures, &payment, no, ms).await.id);
    }
    let ids =
        async |limit| take(subject, 1000, limit).await.iter().map(|refund| refund.id).collect::<Vec<_>>();
    assert_eq!(ids(0).await, []);
    assert_eq!(ids(3).await, [due[1], due[4], due[3]]);
    assert_eq!(ids(3).await, [due[0]]);
    assert_eq!(ids(3).await, []);
}

pub async fn takes_under_a_lease(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let payment = paid_one(subject, &fixtures, "A1").await;
    let mut want = due_at(subject, &fixtures, &payment, "R1", Some(100)).await;
    assert_eq!(take(subject, 99, 9).await, []);
    for (now, until) in [(100, 200), (200, 300), (450, 550)] {
        want.fence += 1;
        want.check_at = Some(Timestamp::from_ms(until));
        assert_eq!(take(subject, now, 9).await, [want.clone()]);
        assert_eq!(subject.store.refund(want.id).await, Ok(Some(want.clone())));
        assert_eq!(take(subject, until - 1, 9).await, []);
    }
    let never = Timestamp::from_ms(i64::MAX);
    let taken = subject.store.take_due_refunds(never, LEASE, 9).await.unwrap();
    assert_eq!(taken[0].check_at, Some(never), "a lease stays at the last moment");
}

pub async fn refuses_an_old_fence_after_a_taking(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let payment = paid_one(subject, &fixtures, "A1").await;
    let late = due_at(subject, &fixtures, &payment, "R1", Some(100)).await;
    let current = take(subject, 100, 9).await.remove(0);
    let step = |refund: &Refund| refund_change(&payment, step_to(refund, OutflowState::Sending));
    subject.writes_nothing(step(&late), Ok(Applied::Stale)).await;
    subject.done(step(&current)).await;
}

/// An equal call after a lost answer finds what the first one did.
pub async fn the_same_call_again_changes_nothing(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let payment = paid_one(subject, &fixtures, "A1").await;
    let refund = begun(subject, fixtures.refund(&payment, "R1", 1000)).await;
    let again: Result<RefundOpened, StoreError> =
        subject.unchanged(subject.store.open_refund(refund.clone())).await;
    assert!(matches!(again, Ok(RefundOpened::Exists(found)) if *found == refund));
}
