//! Refunds that begin, move or end with a change of their payment.

use paymux_core::clock::Timestamp;
use paymux_core::ids::{AttemptId, RefundId};
use paymux_core::money::{Currency, Money};
use paymux_core::outflow::OutflowState;
use paymux_core::payment::{AttemptState, Payment};
use paymux_core::posting::Cause;
use paymux_core::refund::{Refund, RefundOrigin};
use paymux_core::store::{Applied, Change, EventKind, RefundWrite};

use super::Subject;
use super::refunds::{begun, counters, failure, full, paid_one};
use crate::fixtures::{
    Fixtures, add_attempt, add_event, app_id, change_of, channel, edit_attempt, opening_of, paid, refund,
    refund_change, step_to,
};

/// A refund of a merchant's payment, and all that is told and booked with its end.
fn ended(fixtures: &Fixtures, seen: &Payment, refund: &Refund) -> Change {
    let mut change = refund_change(seen, step_to(refund, OutflowState::Succeeded));
    change.payment.amount_refunded = refund.amount;
    change.postings.push(fixtures.posting(Cause::Refund(seen.id, refund.attempt, refund.id)));
    let event = fixtures.event(seen, EventKind::RefundSucceeded);
    add_event(&mut change, event);
    change.callback = Some(fixtures.applied(seen, "refund:1"));
    change.audit = Some(fixtures.audit("refund.resolve"));
    change
}

pub async fn writes_all_of_it(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = paid_one(subject, &fixtures, "A1").await;
    let begun = begun(subject, fixtures.refund(&seen, "R1", 500)).await;
    let mut change = ended(&fixtures, &seen, &begun);
    let want = Refund {
        state: OutflowState::Succeeded,
        fence: 9,
        action_url: Some("https://a.example/".to_owned()),
        failure: Some(failure()),
        reference: Some("reference".to_owned()),
        sent_at: Some(Timestamp::from_ms(2)),
        ended_at: Some(Timestamp::from_ms(1)),
        check_at: None,
        checks: 3,
        ..begun.clone()
    };
    let seen_state = begun.state;
    change.refund = Some(RefundWrite::Step { refund: want.clone(), seen_state, seen_fence: begun.fence });
    let told = change.clone();
    let stored = subject.done(change).await;
    assert_eq!(stored.amount_refunded, Money::fen(500));
    assert_eq!(subject.store.refund(begun.id).await, Ok(Some(want)));
    assert_eq!(counters(subject, &seen).await, (0, 500));
    assert_eq!(subject.look.postings().await, told.postings);
    assert_eq!(subject.look.events().await.last(), told.events.last());
    assert_eq!(subject.look.callbacks().await, Vec::from_iter(told.callback));
    assert_eq!(subject.store.audit(None, 9).await, Ok(Vec::from_iter(told.audit)));
}

pub async fn leaves_what_was_agreed(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = paid_one(subject, &fixtures, "A1").await;
    let sent = Refund { state: OutflowState::Sending, ..fixtures.refund(&seen, "R1", 500) };
    let begun = begun(subject, sent).await;
    let wrong = Refund {
        app: app_id("market"),
        refund_no: Some(refund("R9")),
        origin: RefundOrigin::Duplicate,
        channel: channel("another"),
        number: "another".to_owned(),
        reason: "another".to_owned(),
        fingerprint: "another".to_owned(),
        created_at: Timestamp::from_ms(1),
        state: OutflowState::Pending,
        ..begun.clone()
    };
    let step = RefundWrite::Step { refund: wrong, seen_state: begun.state, seen_fence: begun.fence };
    subject.done(refund_change(&seen, step)).await;
    let want = Refund { state: OutflowState::Pending, ..begun };
    assert_eq!(subject.store.refund(want.id).await, Ok(Some(want.clone())));
    assert_eq!(subject.store.refund_by_no(&want.app, &refund("R9")).await, Ok(None));
    assert_eq!(subject.store.refund_by_number(&want.channel, &want.number).await, Ok(Some(want)));
}

/// Whoever sends a queued refund gives it its number. From then on it keeps it, whatever is written.
pub async fn gives_a_queued_refund_its_number_once(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = paid_one(subject, &fixtures, "A1").await;
    let queued = begun(subject, fixtures.refund(&seen, "R1", 500)).await;
    let other = begun(subject, fixtures.refund(&seen, "R2", 500)).await;
    let step = |from: &Refund, state, number: &str| {
        let refund = Refund { state, number: number.to_owned(), ..from.clone() };
        RefundWrite::Step { refund, seen_state: from.state, seen_fence: from.fence }
    };
    let taken_no = refund_change(&seen, step(&queued, OutflowState::Sending, &other.number));
    assert!(subject.unchanged(subject.store.apply(taken_no)).await.is_err(), "it is another's");
    let taking = refund_change(&seen, step(&queued, OutflowState::Sending, "new"));
    let seen = subject.done(taking).await;
    let sent = Refund { state: OutflowState::Sending, number: "new".to_owned(), ..queued.clone() };
    assert_eq!(subject.store.refund(sent.id).await, Ok(Some(sent.clone())));
    assert_eq!(subject.store.refund_by_number(&sent.channel, "new").await, Ok(Some(sent.clone())));
    assert_eq!(subject.store.refund_by_number(&sent.channel, &queued.number).await, Ok(None));
    for state in [OutflowState::Sending, OutflowState::Unknown, OutflowState::Failed] {
        let stored = subject.store.refund(sent.id).await.unwrap().unwrap();
        let payment = subject.store.payment(seen.id).await.unwrap().unwrap();
        subject.done(refund_change(&payment, step(&stored, state, "another"))).await;
        let want = Refund { state, ..sent.clone() };
        assert_eq!(subject.store.refund(sent.id).await, Ok(Some(want)), "{state}");
    }
}

/// From each state to each: what is set aside and has gone back is what the refund's state says.
pub async fn moves_money_with_every_step(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let sums = |state: OutflowState| match state {
        OutflowState::Succeeded => (0, 500),
        OutflowState::Failed => (0, 0),
        _ => (500, 0),
    };
    for from in OutflowState::ALL {
        for to in OutflowState::ALL {
            let seen = paid_one(subject, &fixtures, &format!("{from}-{to}")).await;
            let mut refund = begun(subject, fixtures.refund(&seen, &format!("{from}-{to}"), 500)).await;
            let seen = subject.done(refund_change(&seen, step_to(&refund, *from))).await;
            assert_eq!(counters(subject, &seen).await, sums(*from), "{from}");
            refund.state = *from;
            let seen = subject.done(refund_change(&seen, step_to(&refund, *to))).await;
            assert_eq!(counters(subject, &seen).await, sums(*to), "{from} to {to}");
            let stored = subject.store.refund(refund.id).await.unwrap().unwrap();
            assert_eq!(stored.state, *to);
        }
    }
}

pub async fn is_stale_by_state(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = paid_one(subject, &fixtures, "A1").await;
    let refund = begun(subject, fixtures.refund(&seen, "R1", 500)).await;
    for state in OutflowState::ALL.iter().copied().filter(|state| *state != refund.state) {
        let old = Refund { state, ..refund.clone() };
        subject.writes_nothing(ended(&fixtures, &seen, &old), Ok(Applied::Stale)).await;
    }
}

pub async fn is_stale_by_fence_or_version(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let old = paid_one(subject, &fixtures, "A1").await;
    let refund = begun(subject, Refund { fence: 5, ..fixtures.refund(&old, "R1", 500) }).await;
    for fence in [4, 6] {
        let other = Refund { fence, ..refund.clone() };
        subject.writes_nothing(ended(&fixtures, &old, &other), Ok(Applied::Stale)).await;
    }
    let seen = subject.done(change_of(&old)).await;
    subject.writes_nothing(ended(&fixtures, &old, &refund), Ok(Applied::Stale)).await;
    let begin = RefundWrite::Begin(fixtures.refund(&old, "R2", 1));
    subject.writes_nothing(refund_change(&old, begin), Ok(Applied::Stale)).await;
    subject.done(ended(&fixtures, &seen, &refund)).await;
}

/// A change whose attempt is stale takes its refund down with it.
pub async fn is_stale_with_its_attempt(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = paid_one(subject, &fixtures, "A1").await;
    let refund = begun(subject, fixtures.refund(&seen, "R1", 500)).await;
    let mut change = ended(&fixtures, &seen, &refund);
    edit_attempt(&mut change, 0, |attempt| attempt.checks += 1);
    change.touched[0].seen_fence += 1;
    subject.writes_nothing(change, Ok(Applied::Stale)).await;
}

pub async fn is_stale_for_a_refund_that_is_not_its_own(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let one = paid_one(subject, &fixtures, "A1").await;
    let two = paid_one(subject, &fixtures, "A2").await;
    let never = fixtures.refund(&one, "R1", 500);
    subject.writes_nothing(ended(&fixtures, &one, &never), Ok(Applied::Stale)).await;
    let theirs = begun(subject, fixtures.refund(&two, "R2", 500)).await;
    let stolen = Refund { payment: one.id, attempt: one.attempts[0].id, ..theirs.clone() };
    subject.writes_nothing(ended(&fixtures, &one, &stolen), Ok(Applied::Stale)).await;
    let foreign = refund_change(&one, step_to(&theirs, OutflowState::Failed));
    subject.writes_nothing(foreign, Err("corrupt")).await;
}

/// The money of a duplicate comes in and its refund begins in one change.
pub async fn begins_with_the_money_that_comes_with_it(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = subject.opened(fixtures.opening("shop", "A1")).await;
    let mut change = change_of(&seen);
    edit_attempt(&mut change, 0, |attempt| {
        attempt.state = AttemptState::DuplicatePaid;
        attempt.received = Some(Money::fen(40));
    });
    let id = seen.attempts[0].id.return_id();
    let back =
        Refund { id, refund_no: None, origin: RefundOrigin::Duplicate, ..fixtures.refund(&seen, "none", 40) };
    // What the writer says of the counters is not asked.
    change.payment.attempts[0].refunding = 9999;
    change.refund = Some(RefundWrite::Begin(back.clone()));
    subject.done(change).await;
    assert_eq!(counters(subject, &seen).await, (40, 0));
    assert_eq!(subject.store.refunds_of(seen.id, None, u32::MAX).await, Ok(vec![back]));
}

/// A new attempt that is paid at once, and money of it that went back outside: all in one change.
pub async fn begins_as_done_on_a_new_attempt(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = subject.opened(fixtures.opening("shop", "A1")).await;
    let mut change = change_of(&seen);
    edit_attempt(&mut change, 0, |attempt| attempt.state = AttemptState::Refused);
    let mut attempt = fixtures.attempt("second");
    attempt.received = Some(Money::fen(40));
    attempt.refunding = 77;
    attempt.refunded = 78;
    let done = Refund {
        attempt: attempt.id,
        channel: channel("second"),
        state: OutflowState::Succeeded,
        check_at: None,
        ..fixtures.refund(&seen, "R1", 30)
    };
    change.refund = Some(RefundWrite::Begin(done));
    add_attempt(&mut change, attempt);
    let stored = subject.done(change).await;
    assert_eq!((stored.attempts[1].refunding, stored.attempts[1].refunded), (0, 30));
}

pub async fn begins_in_any_state_of_its_attempt(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    for state in AttemptState::ALL {
        let seen = paid_one(subject, &fixtures, &format!("A-{state}")).await;
        let mut change = change_of(&seen);
        edit_attempt(&mut change, 0, |attempt| attempt.state = *state);
        let seen = subject.done(change).await;
        let whole = Refund { refund_no: None, ..fixtures.refund(&seen, "none", 1999) };
        subject.done(refund_change(&seen, RefundWrite::Begin(whole))).await;
        assert_eq!(counters(subject, &seen).await, (1999, 0));
    }
}

pub async fn is_stale_where_its_amount_does_not_fit(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = paid_one(subject, &fixtures, "A1").await;
    begun(subject, fixtures.refund(&seen, "R1", 1500)).await;
    let begin = |refund: Refund| refund_change(&seen, RefundWrite::Begin(refund));
    for minor in [500, 1999, i64::MAX] {
        let change = begin(fixtures.refund(&seen, "R2", minor));
        subject.writes_nothing(change, Ok(Applied::Stale)).await;
    }
    let dollars = Money::new(1, Currency::from_code("USD").unwrap());
    let change = begin(Refund { amount: dollars, ..fixtures.refund(&seen, "R2", 1) });
    subject.writes_nothing(change, Ok(Applied::Stale)).await;
    let unpaid = subject.opened(fixtures.opening("shop", "A2")).await;
    let change = refund_change(&unpaid, RefundWrite::Begin(fixtures.refund(&unpaid, "R2", 1)));
    subject.writes_nothing(change, Ok(Applied::Stale)).await;
    subject.done(begin(fixtures.refund(&seen, "R2", 499))).await;
}

/// What may have gone back is no money that a refund can send; said to be gone, it is one that is done.
pub async fn begins_with_what_is_contested_no_more(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = paid_one(subject, &fixtures, "A1").await;
    let contest = |seen: &Payment, contested| {
        let mut change = change_of(seen);
        edit_attempt(&mut change, 0, |attempt| attempt.contested = contested);
        change
    };
    let seen = subject.done(contest(&seen, 1999)).await;
    let state = OutflowState::Succeeded;
    let gone = Refund { refund_no: None, state, ..fixtures.refund(&seen, "none", 1999) };
    let write = RefundWrite::Begin(gone);
    subject.writes_nothing(refund_change(&seen, write.clone()), Ok(Applied::Stale)).await;
    for (contested, want) in [(1, Applied::Stale), (0, Applied::Done)] {
        let change = Change { refund: Some(write.clone()), ..contest(&seen, contested) };
        if want == Applied::Done {
            subject.done(change).await;
        } else {
            subject.writes_nothing(change, Ok(want)).await;
        }
    }
    assert_eq!(counters(subject, &seen).await, (0, 1999));
}

/// What a change releases is free for what it says is contested.
pub async fn a_change_fits_by_what_it_leaves(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = paid_one(subject, &fixtures, "A1").await;
    let begun = begun(subject, fixtures.refund(&seen, "R1", 1999)).await;
    let contest = |state| {
        let mut change = refund_change(&seen, step_to(&begun, state));
        edit_attempt(&mut change, 0, |attempt| attempt.contested = 1999);
        change
    };
    subject.writes_nothing(contest(OutflowState::Succeeded), Ok(Applied::Stale)).await;
    subject.done(contest(OutflowState::Failed)).await;
    assert_eq!(counters(subject, &seen).await, (0, 0));
}

/// It was said to have failed, its amount went back by another refund, and now it is said to be done.
pub async fn a_late_success_that_does_not_fit_is_stale(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = paid_one(subject, &fixtures, "A1").await;
    let mut first = begun(subject, fixtures.refund(&seen, "R1", 1000)).await;
    let seen = subject.done(refund_change(&seen, step_to(&first, OutflowState::Failed))).await;
    first.state = OutflowState::Failed;
    let second = begun(subject, fixtures.refund(&seen, "R2", 1000)).await;
    subject.writes_nothing(ended(&fixtures, &seen, &first), Ok(Applied::Stale)).await;
    let seen = subject.done(refund_change(&seen, step_to(&second, OutflowState::Failed))).await;
    subject.done(ended(&fixtures, &seen, &first)).await;
    assert_eq!(counters(subject, &seen).await, (0, 1000));
}

/// A step between states that mean the same for money needs none.
pub async fn a_step_that_moves_no_money_needs_none(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = paid_one(subject, &fixtures, "A1").await;
    let mut refund = begun(subject, fixtures.refund(&seen, "R1", 1000)).await;
    let seen = subject.done(refund_change(&seen, step_to(&refund, OutflowState::Failed))).await;
    refund.state = OutflowState::Failed;
    let mut change = refund_change(&seen, step_to(&refund, OutflowState::Failed));
    edit_attempt(&mut change, 0, |attempt| attempt.received = None);
    subject.done(change).await;
}

pub async fn refuses_what_no_refund_can_be(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = paid_one(subject, &fixtures, "A1").await;
    let other = paid_one(subject, &fixtures, "A2").await;
    let good = fixtures.refund(&seen, "R1", 1);
    let wrong = [
        Refund { amount: Money::fen(0), ..good.clone() },
        Refund { amount: Money::fen(-1), ..good.clone() },
        Refund { attempt: fixtures.id(AttemptId::make), ..good.clone() },
        Refund { payment: other.id, ..good.clone() },
        Refund { attempt: other.attempts[0].id, ..good.clone() },
    ];
    for wrong in wrong {
        subject.writes_nothing(refund_change(&seen, RefundWrite::Begin(wrong)), Err("corrupt")).await;
    }
    subject.done(refund_change(&seen, RefundWrite::Begin(good))).await;
}

pub async fn refuses_what_is_in_use(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = paid_one(subject, &fixtures, "A1").await;
    let first = begun(subject, fixtures.refund(&seen, "R1", 1)).await;
    let new = || fixtures.refund(&seen, "R2", 1);
    let used = [
        Refund { id: first.id, ..new() },
        Refund { number: first.number.clone(), ..new() },
        Refund { refund_no: first.refund_no.clone(), ..new() },
    ];
    for used in used {
        subject.writes_nothing(refund_change(&seen, RefundWrite::Begin(used)), Err("corrupt")).await;
    }
    assert_eq!(subject.store.refund(fixtures.id(RefundId::make)).await, Ok(None));
}

pub async fn keeps_every_field_of_a_beginning(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let mut seen = paid_one(subject, &fixtures, "A1").await;
    let whole = full(&fixtures, &seen);
    seen = subject.done(refund_change(&seen, RefundWrite::Begin(whole.clone()))).await;
    assert_eq!(subject.store.refund(whole.id).await, Ok(Some(whole)));
    for origin in RefundOrigin::ALL {
        let begin = Refund { origin: *origin, refund_no: None, ..fixtures.refund(&seen, "none", 1) };
        seen = subject.done(refund_change(&seen, RefundWrite::Begin(begin.clone()))).await;
        assert_eq!(subject.store.refund(begin.id).await, Ok(Some(begin)));
    }
}

/// Only refunds move what is set aside and what has gone back.
pub async fn a_change_leaves_what_is_set_aside(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let mut payment = fixtures.payment("shop", "A1");
    payment.attempts[0].refunding = 3;
    payment.attempts[0].refunded = 4;
    let seen = subject.opened(opening_of(payment)).await;
    assert_eq!(counters(subject, &seen).await, (0, 0), "a new attempt begins with neither");
    let seen = subject.stored(&seen.id).await;
    let seen = subject.done(paid(&fixtures, &seen)).await;
    begun(subject, fixtures.refund(&seen, "R1", 500)).await;
    let mut change = change_of(&seen);
    edit_attempt(&mut change, 0, |attempt| {
        attempt.refunding = 0;
        attempt.refunded = 1999;
        attempt.checks = 5;
    });
    let stored = subject.done(change).await.attempts.remove(0);
    assert_eq!((stored.refunding, stored.refunded, stored.checks), (500, 0, 5));
}

/// Less money than is set aside and has gone back is what a writer saw who did not see the refund.
pub async fn a_change_takes_no_money_from_refunds(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = paid_one(subject, &fixtures, "A1").await;
    let refund = begun(subject, fixtures.refund(&seen, "R1", 300)).await;
    begun(subject, fixtures.refund(&seen, "R2", 200)).await;
    let seen = subject.done(refund_change(&seen, step_to(&refund, OutflowState::Succeeded))).await;
    let receive = |seen: &Payment, received: Option<Money>| {
        let mut change = change_of(seen);
        edit_attempt(&mut change, 0, |attempt| attempt.received = received);
        let event = fixtures.event(seen, EventKind::PaymentHeld);
        add_event(&mut change, event);
        change
    };
    let dollars = Money::new(9999, Currency::from_code("USD").unwrap());
    for received in [None, Some(Money::fen(0)), Some(Money::fen(499)), Some(dollars)] {
        subject.writes_nothing(receive(&seen, received), Ok(Applied::Stale)).await;
    }
    let mut contest = receive(&seen, Some(Money::fen(1999)));
    contest.payment.attempts[0].contested = 1500;
    subject.writes_nothing(contest, Ok(Applied::Stale)).await;
    let stored = subject.done(receive(&seen, Some(Money::fen(500)))).await;
    assert_eq!(stored.attempts[0].refundable(), Some(Money::fen(0)));
}
