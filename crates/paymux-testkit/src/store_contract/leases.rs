//! Attempts that workers look at.

use std::time::Duration;

use paymux_core::clock::Timestamp;
use paymux_core::ids::{AttemptId, ChannelId};
use paymux_core::payment::{AttemptState, Payment};
use paymux_core::store::{Applied, DueAttempt};

use super::Subject;
use crate::fixtures::{Fixtures, add_attempt, change_of, channel, edit_attempt, opening_of};

const LEASE: Duration = Duration::from_millis(100);

/// Opens a payment whose attempt is due at that moment.
async fn due_at(subject: &Subject, fixtures: &Fixtures, order_no: &str, ms: Option<i64>) -> Payment {
    let mut payment = fixtures.payment("shop", order_no);
    payment.attempts[0].check_at = ms.map(Timestamp::from_ms);
    subject.opened(opening_of(payment)).await
}

async fn take(subject: &Subject, ms: i64, limit: u32) -> Vec<DueAttempt> {
    subject.store.take_due_attempts(Timestamp::from_ms(ms), LEASE, limit, &[]).await.unwrap()
}

fn ids(taken: &[DueAttempt]) -> Vec<AttemptId> {
    taken.iter().map(|due| due.attempt).collect()
}

pub async fn takes_the_earliest_first(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let mut payments = Vec::new();
    for (order_no, ms) in [("A1", 300), ("A2", 100), ("A3", 200), ("A4", 100)] {
        payments.push(due_at(subject, &fixtures, order_no, Some(ms)).await);
    }
    let [first, second, third, fourth] = [1, 3, 2, 0].map(|place: usize| payments[place].attempts[0].id);
    assert_eq!(ids(&take(subject, 1000, 3).await), [first, second, third]);
    assert_eq!(ids(&take(subject, 1000, 3).await), [fourth]);
    assert_eq!(ids(&take(subject, 1000, 3).await), []);
}

pub async fn takes_what_is_due_and_no_more(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let payment = due_at(subject, &fixtures, "A1", Some(100)).await;
    assert_eq!(ids(&take(subject, 99, 9).await), []);
    assert_eq!(ids(&take(subject, 100, 0).await), []);
    let taken = take(subject, 100, 9).await;
    assert_eq!(ids(&taken), [payment.attempts[0].id]);
    let mut want = payment;
    want.attempts[0].fence += 1;
    want.attempts[0].check_at = Some(Timestamp::from_ms(200));
    assert_eq!(taken[0].payment, want);
    assert_eq!(subject.stored(&want.id).await, want);
}

pub async fn takes_again_after_the_lease(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let payment = due_at(subject, &fixtures, "A1", Some(100)).await;
    assert_eq!(take(subject, 150, 9).await.len(), 1);
    assert_eq!(take(subject, 249, 9).await.len(), 0);
    let again = take(subject, 250, 9).await;
    assert_eq!(again[0].payment.attempts[0].fence, payment.attempts[0].fence + 2);
}

pub async fn refuses_an_old_fence_after_a_taking(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = due_at(subject, &fixtures, "A1", Some(100)).await;
    let taken = take(subject, 100, 9).await.remove(0).payment;
    let refuse = |seen: &Payment| {
        let mut change = change_of(seen);
        edit_attempt(&mut change, 0, |attempt| attempt.state = AttemptState::Refused);
        change
    };
    subject.writes_nothing(refuse(&seen), Ok(Applied::Stale)).await;
    subject.done(refuse(&taken)).await;
}

pub async fn takes_without_a_new_version(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = due_at(subject, &fixtures, "A1", Some(100)).await;
    assert_eq!(take(subject, 100, 9).await[0].payment.version, seen.version);
    // A writer that touches no attempt is not disturbed.
    subject.done(change_of(&seen)).await;
}

pub async fn takes_two_attempts_of_one_payment(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = due_at(subject, &fixtures, "A1", Some(100)).await;
    let mut change = change_of(&seen);
    edit_attempt(&mut change, 0, |attempt| attempt.state = AttemptState::Abandoned);
    let mut second = fixtures.attempt("second");
    second.check_at = Some(Timestamp::from_ms(90));
    add_attempt(&mut change, second);
    let seen = subject.done(change).await;
    let taken = take(subject, 100, 9).await;
    assert_eq!(ids(&taken), [seen.attempts[1].id, seen.attempts[0].id]);
    let stored = subject.stored(&seen.id).await;
    assert!(taken.iter().all(|due| due.payment == stored));
    assert!(stored.attempts.iter().all(|attempt| attempt.fence == 2));
}

pub async fn takes_nothing_without_a_time(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    due_at(subject, &fixtures, "A1", None).await;
    assert_eq!(ids(&take(subject, i64::MAX, 9).await), []);
}

pub async fn passes_over_busy_channels(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    for place in 0..3 {
        due_at(subject, &fixtures, &format!("A{place}"), Some(100)).await;
    }
    let mut other = fixtures.payment("shop", "B1");
    other.attempts[0].channel = channel("other");
    other.attempts[0].check_at = Some(Timestamp::from_ms(900));
    let other = subject.opened(opening_of(other)).await.attempts[0].id;
    let now = Timestamp::from_ms(1000);
    let take = async |limit, busy: &[ChannelId]| {
        ids(&subject.store.take_due_attempts(now, LEASE, limit, busy).await.unwrap())
    };
    assert_eq!(take(9, &[channel("main"), channel("other")]).await, []);
    assert_eq!(take(1, &[channel("main")]).await, [other]);
    assert_eq!(take(9, &[channel("nobody"), channel("other")]).await.len(), 3);
}
