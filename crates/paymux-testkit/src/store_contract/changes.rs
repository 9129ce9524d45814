//! Changes of one payment: whole, or nothing.

use paymux_core::clock::Timestamp;
use paymux_core::ids::OrderNo;
use paymux_core::money::{Currency, Money};
use paymux_core::payment::{AttemptState, Failure, Held, NextAction, Payment, SecondSum, Status};
use paymux_core::store::{Applied, CallbackRow, CallbackVerdict, Change, EventKind, KeptDecision, Touched};

use super::Subject;
use crate::fixtures::{
    Fixtures, add_attempt, add_event, app_id, change_of, channel, edit_attempt, number, paid, route,
};
use crate::memory_store::{Delivery, DeliveryState};

pub async fn writes_all_of_it(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = subject.opened(fixtures.opening("shop", "A1")).await;
    let mut change = change_of(&seen);
    edit_payment(&mut change.payment);
    edit_attempt(&mut change, 0, |attempt| {
        attempt.state = AttemptState::Refused;
        attempt.fence = 9;
        attempt.memo = "memo".to_owned();
        attempt.reference = Some("reference".to_owned());
        attempt.trade_no = Some("trade".to_owned());
        attempt.received = Some(Money::fen(1));
        attempt.failure = Some(failure());
        attempt.ends_at = Timestamp::from_ms(2);
        attempt.check_at = None;
        attempt.checks = 3;
        attempt.closing_until = Some(Timestamp::from_ms(4));
        attempt.said_paid_at = Some(Timestamp::from_ms(5));
        attempt.contested = 1;
    });
    add_attempt(&mut change, fixtures.attempt("second"));
    for kind in [EventKind::PaymentUnderpaid, EventKind::PaymentHeld] {
        let event = fixtures.event(&change.payment, kind);
        add_event(&mut change, event);
    }
    change.callback = Some(fixtures.applied(&seen, "key"));
    let want = change.clone();
    assert_eq!(subject.done(change).await, want.payment);
    assert_eq!(subject.look.events().await, want.events);
    assert_eq!(subject.look.callbacks().await, Vec::from_iter(want.callback));
    let (added, decision) = want.added.unwrap();
    assert_eq!(subject.look.decision(added).await, Some(decision));
    let due = want.events.iter().map(|event| Delivery {
        event: event.id,
        app: app_id("shop"),
        state: DeliveryState::Pending,
        next_at: event.created_at,
        tries: 0,
        fence: 0,
        detail: None,
    });
    assert_eq!(subject.look.deliveries().await, due.collect::<Vec<_>>());
    let found =
        subject.store.payment_by_number(&channel("second"), want.payment.attempts[1].number.as_str()).await;
    assert_eq!(found, Ok(Some(want.payment)));
}

fn edit_payment(payment: &mut Payment) {
    payment.status = Status::Pending;
    payment.amount_received = Money::fen(11);
    payment.amount_discount = Money::fen(12);
    payment.amount_refunded = Money::fen(13);
    payment.held = Some(Held::Underpaid);
    payment.next_action = Some(NextAction::Qr { qr: "weixin://x".to_owned() });
    payment.expires_at = Timestamp::from_ms(14);
    payment.paid_at = Some(Timestamp::from_ms(15));
    payment.failure = Some(failure());
    payment.cancel_requested = true;
}

fn failure() -> Failure {
    Failure { code: "refused".to_owned(), message: "no".to_owned(), provider_code: None }
}

pub async fn leaves_what_was_agreed(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = subject.opened(fixtures.opening("shop", "A1")).await;
    let mut change = change_of(&seen);
    let payment = &mut change.payment;
    payment.app = app_id("market");
    payment.order_no = OrderNo::new("B1").unwrap();
    payment.amount = Money::fen(1);
    payment.subject = "coffee".to_owned();
    payment.livemode = true;
    payment.created_at = Timestamp::from_ms(1);
    payment.route = route("another");
    payment.fingerprint = "another".to_owned();
    payment.metadata.insert("a".to_owned(), "b".to_owned());
    edit_attempt(&mut change, 0, |attempt| {
        attempt.channel = channel("another");
        attempt.number = number("another");
        attempt.created_at = Timestamp::from_ms(1);
        attempt.memo = "changes".to_owned();
    });
    let stored = subject.done(change).await;
    let mut want = Payment { version: seen.version + 1, ..seen };
    want.attempts[0].memo = "changes".to_owned();
    assert_eq!(stored, want);
}

/// A writer's copy of an attempt that it did not touch may be old.
pub async fn leaves_attempts_that_it_does_not_touch(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = subject.opened(fixtures.opening("shop", "A1")).await;
    let far = Timestamp::from_ms(i64::MAX);
    let taken = subject.store.take_due_attempts(far, std::time::Duration::ZERO, 9, &[]).await.unwrap();
    assert_eq!(taken.len(), 1);
    let stored = subject.done(change_of(&seen)).await;
    assert_eq!(stored.version, seen.version + 1);
    assert_eq!(stored.attempts, taken[0].payment.attempts);
}

pub async fn is_stale_by_version(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = subject.opened(fixtures.opening("shop", "A1")).await;
    let now = subject.done(change_of(&seen)).await;
    subject.writes_nothing(full(&fixtures, &seen, "k1"), Ok(Applied::Stale)).await;
    let ahead = Payment { version: now.version + 1, ..now.clone() };
    subject.writes_nothing(full(&fixtures, &ahead, "k2"), Ok(Applied::Stale)).await;
    subject.done(full(&fixtures, &now, "k3")).await;
}

pub async fn is_stale_by_state(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = subject.opened(fixtures.opening("shop", "A1")).await;
    let mut change = full(&fixtures, &seen, "key");
    change.touched[0].seen_state = AttemptState::Open;
    subject.writes_nothing(change, Ok(Applied::Stale)).await;
}

pub async fn is_stale_by_fence(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = subject.opened(fixtures.opening("shop", "A1")).await;
    for fence in [seen.attempts[0].fence - 1, seen.attempts[0].fence + 1] {
        let mut change = full(&fixtures, &seen, "key");
        change.touched[0].seen_fence = fence;
        subject.writes_nothing(change, Ok(Applied::Stale)).await;
    }
}

pub async fn is_stale_without_a_payment(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let never = fixtures.payment("shop", "A1");
    subject.writes_nothing(full(&fixtures, &never, "key"), Ok(Applied::Stale)).await;
}

pub async fn is_stale_for_an_attempt_of_another_payment(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let one = subject.opened(fixtures.opening("shop", "A1")).await;
    let two = subject.opened(fixtures.opening("shop", "A2")).await;
    let mut change = change_of(&one);
    change.payment.attempts.push(two.attempts[0].clone());
    edit_attempt(&mut change, 1, |attempt| attempt.state = AttemptState::Refused);
    subject.writes_nothing(change, Ok(Applied::Stale)).await;
    assert_eq!(subject.stored(&two.id).await, two);
}

/// A change of everything: paid by a callback, and told.
fn full(fixtures: &Fixtures, seen: &Payment, key: &str) -> Change {
    let mut change = paid(fixtures, seen);
    change.callback = Some(fixtures.applied(seen, key));
    change
}

pub async fn ends_one_attempt_and_begins_the_next(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let mut seen = subject.opened(fixtures.opening("shop", "A1")).await;
    for on in ["second", "third", "main"] {
        let mut change = change_of(&seen);
        let last = seen.attempts.len() - 1;
        edit_attempt(&mut change, last, |attempt| attempt.state = AttemptState::Refused);
        add_attempt(&mut change, fixtures.attempt(on));
        let want = change.payment.clone();
        seen = subject.done(change).await;
        assert_eq!(seen, want);
    }
    let order: Vec<&str> = seen.attempts.iter().map(|attempt| attempt.channel.as_str()).collect();
    assert_eq!(order, ["main", "second", "third", "main"]);
}

pub async fn refuses_a_second_live_attempt(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    for state in AttemptState::ALL.iter().copied().filter(|state| state.is_live()) {
        let mut seen = subject.opened(fixtures.opening("shop", &format!("live-{state}"))).await;
        let mut first = change_of(&seen);
        edit_attempt(&mut first, 0, |attempt| attempt.state = state);
        seen = subject.done(first).await;
        for second in AttemptState::ALL.iter().copied().filter(|second| second.is_live()) {
            let mut change = full_event(&fixtures, &seen);
            let attempt = fixtures.attempt("second");
            add_attempt(&mut change, paymux_core::payment::Attempt { state: second, ..attempt });
            subject.writes_nothing(change, Ok(Applied::Stale)).await;
        }
    }
}

fn full_event(fixtures: &Fixtures, seen: &Payment) -> Change {
    let mut change = change_of(seen);
    let event = fixtures.event(seen, EventKind::PaymentHeld);
    add_event(&mut change, event);
    change.callback = Some(fixtures.applied(seen, "never"));
    change
}

/// Late money: the lapsed one is paid, and the live one is no longer so. Told in either order.
pub async fn moves_life_from_one_attempt_to_another(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    for order in [[0, 1], [1, 0]] {
        let seen = subject.opened(fixtures.opening("shop", &format!("A{}", order[0]))).await;
        let mut lapse = change_of(&seen);
        edit_attempt(&mut lapse, 0, |attempt| attempt.state = AttemptState::Lapsed);
        add_attempt(&mut lapse, fixtures.attempt("second"));
        let seen = subject.done(lapse).await;
        let mut change = change_of(&seen);
        for place in order {
            let state = if place == 0 { AttemptState::Paid } else { AttemptState::Lapsed };
            edit_attempt(&mut change, place, |attempt| attempt.state = state);
        }
        let want = change.payment.clone();
        assert_eq!(subject.done(change).await, want);
    }
}

pub async fn refuses_a_known_event_key(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let one = subject.opened(fixtures.opening("shop", "A1")).await;
    let two = subject.opened(fixtures.opening("shop", "A2")).await;
    let one = subject.done(full(&fixtures, &one, "key")).await;
    subject.writes_nothing(full(&fixtures, &two, "key"), Ok(Applied::CallbackKnown)).await;
    let mut again = change_of(&one);
    again.callback = Some(fixtures.applied(&one, "key"));
    subject.writes_nothing(again, Ok(Applied::CallbackKnown)).await;
    subject.done(full(&fixtures, &two, "KEY")).await;
}

/// Nothing would tell that it comes again.
pub async fn refuses_a_callback_that_claims_no_event(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = subject.opened(fixtures.opening("shop", "A1")).await;
    let check = async |edit: &dyn Fn(&mut CallbackRow)| {
        let mut change = full(&fixtures, &seen, "key");
        change.callback.iter_mut().for_each(edit);
        subject.writes_nothing(change, Err("corrupt")).await;
    };
    check(&|row| row.event_key = None).await;
    for verdict in CallbackVerdict::ALL.iter().filter(|verdict| **verdict != CallbackVerdict::Applied) {
        check(&|row| row.verdict = *verdict).await;
    }
    subject.done(full(&fixtures, &seen, "key")).await;
}

pub async fn keys_are_of_a_channel_and_of_applied_ones(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = subject.opened(fixtures.opening("shop", "A1")).await;
    let ring = paymux_core::store::Ring { rows: 9, bytes: 999 };
    for verdict in [CallbackVerdict::Duplicate, CallbackVerdict::Quarantined, CallbackVerdict::Forged] {
        let mut row = fixtures.callback(verdict);
        row.event_key = Some("key".to_owned());
        subject.store.keep_callback(row, ring).await.unwrap();
    }
    let seen = subject.done(full(&fixtures, &seen, "key")).await;
    let mut change = change_of(&seen);
    let mut row = fixtures.applied(&seen, "key");
    row.channel = channel("other");
    change.callback = Some(row);
    subject.done(change).await;
}

pub async fn keeps_every_word(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let mut seen = subject.opened(fixtures.opening("shop", "A1")).await;
    for state in AttemptState::ALL {
        let mut change = change_of(&seen);
        edit_attempt(&mut change, 0, |attempt| attempt.state = *state);
        seen = subject.done(change).await;
        assert_eq!(seen.attempts[0].state, *state);
    }
    for status in Status::ALL {
        let mut change = change_of(&seen);
        change.payment.status = *status;
        seen = subject.done(change).await;
        assert_eq!(seen.status, *status);
    }
    for held in Held::ALL.iter().copied().map(Some).chain([None]) {
        let mut change = change_of(&seen);
        change.payment.held = held;
        seen = subject.done(change).await;
        assert_eq!(seen.held, held);
    }
    for kind in EventKind::ALL {
        let mut change = change_of(&seen);
        let event = fixtures.event(&seen, *kind);
        add_event(&mut change, event);
        seen = subject.done(change).await;
    }
    let kinds: Vec<EventKind> = subject.look.events().await.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, EventKind::ALL);
}

pub async fn keeps_foreign_money(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = subject.opened(fixtures.opening("shop", "A1")).await;
    let dollars = Money::new(7, Currency::from_code("USD").unwrap());
    let mut change = change_of(&seen);
    change.payment.held = Some(Held::Mismatch);
    edit_attempt(&mut change, 0, |attempt| attempt.received = Some(dollars));
    assert_eq!(subject.done(change).await.attempts[0].received, Some(dollars));
}

pub async fn refuses_a_version_that_does_not_follow(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = subject.opened(fixtures.opening("shop", "A1")).await;
    for version in [seen.version - 1, seen.version, seen.version + 2] {
        let mut change = full(&fixtures, &seen, "key");
        change.payment.version = version;
        subject.writes_nothing(change, Err("corrupt")).await;
    }
}

pub async fn refuses_attempts_that_are_not_there(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = subject.opened(fixtures.opening("shop", "A1")).await;
    let stranger = fixtures.attempt("main");
    let mut touches = change_of(&seen);
    touches.touched.push(Touched { id: stranger.id, seen_state: stranger.state, seen_fence: stranger.fence });
    subject.writes_nothing(touches, Err("corrupt")).await;
    let mut adds = change_of(&seen);
    adds.added = Some((stranger.id, KeptDecision::Told(serde_json::Value::Null)));
    subject.writes_nothing(adds, Err("corrupt")).await;
}

pub async fn refuses_a_used_event_id(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = subject.opened(fixtures.opening("shop", "A1")).await;
    let first = paid(&fixtures, &seen);
    let used = first.events[0].clone();
    let seen = subject.done(first).await;
    let mut change = change_of(&seen);
    add_event(&mut change, paymux_core::store::Event { sequence: 2, ..used });
    subject.writes_nothing(change, Err("corrupt")).await;
}

pub async fn refuses_a_used_sequence(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = subject.opened(fixtures.opening("shop", "A1")).await;
    let seen = subject.done(paid(&fixtures, &seen)).await;
    for sequence in [1, 0, -1] {
        let mut change = change_of(&seen);
        let event = fixtures.event(&seen, EventKind::PaymentHeld);
        add_event(&mut change, paymux_core::store::Event { sequence, ..event });
        subject.writes_nothing(change, Err("corrupt")).await;
    }
}

pub async fn refuses_a_number_in_use(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let other = subject.opened(fixtures.opening("shop", "A0")).await;
    let seen = subject.opened(fixtures.opening("shop", "A1")).await;
    let mut change = change_of(&seen);
    edit_attempt(&mut change, 0, |attempt| attempt.state = AttemptState::Refused);
    let mut attempt = fixtures.attempt("main");
    attempt.number = other.attempts[0].number.clone();
    add_attempt(&mut change, attempt);
    subject.writes_nothing(change, Err("corrupt")).await;
}

/// A provider that sends U+0000 must not keep money from being booked.
pub async fn keeps_no_nul(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = subject.opened(fixtures.opening("shop", "A1")).await;
    let mut change = full(&fixtures, &seen, "a\0b");
    change.payment.attempts[0].trade_no = Some("4\x002".to_owned());
    change.payment.attempts[0].reference = Some("\0".to_owned());
    change.payment.attempts[0].more = vec![SecondSum::of(Some("5\x002".to_owned()), Money::fen(1))];
    let stored = subject.done(change).await;
    assert_eq!(stored.attempts[0].trade_no.as_deref(), Some("4\u{fffd}2"));
    assert_eq!(stored.attempts[0].reference.as_deref(), Some("\u{fffd}"));
    assert_eq!(stored.attempts[0].more[0].trade_no, "5\u{fffd}2");
    assert_eq!(subject.look.callbacks().await[0].event_key.as_deref(), Some("a\u{fffd}b"));
}
