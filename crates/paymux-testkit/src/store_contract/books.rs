//! Movements of money: one line each, written with the change that they belong to.

use paymux_core::clock::Timestamp;
use paymux_core::money::{Currency, Money};
use paymux_core::posting::{Account, Cause, Posting, PostingKind};
use paymux_core::refund::Refund;
use paymux_core::store::{Change, RefundWrite};

use super::refunds::paid_one;
use super::{Subject, transfers};
use crate::fixtures::{Fixtures, app_id, change_of, channel, refund_change, transfer_to};

pub async fn keeps_every_field(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = paid_one(subject, &fixtures, "A1").await;
    let transfer = transfers::begun(subject, fixtures.transfer("shop", "T1", 1)).await;
    let back = fixtures.refund(&seen, "R1", 1);
    let attempt = seen.attempts[0].id;
    let mut want = Vec::new();
    let mut change = refund_change(&seen, RefundWrite::Begin(back.clone()));
    for (place, kind) in PostingKind::ALL.iter().enumerate() {
        let causes = [Cause::Attempt(seen.id, attempt), Cause::Refund(seen.id, attempt, back.id)];
        let posting = Posting {
            kind: *kind,
            at: Timestamp::from_ms([i64::MIN, 0, i64::MAX][place % 3]),
            debit: Account::Held(app_id("market")),
            credit: Account::Channel(channel("bee-main_1")),
            amount: Money::new(i64::MAX, Currency::from_code(["CNY", "KWD"][place % 2]).unwrap()),
            ..fixtures.posting(causes[place % 2])
        };
        change.postings.push(posting.clone());
        want.push(posting);
    }
    subject.done(change).await;
    let mut change = transfer_to(&transfer, paymux_core::outflow::OutflowState::Succeeded);
    let out =
        Posting { debit: Account::App(app_id("shop")), ..fixtures.posting(Cause::Transfer(transfer.id)) };
    change.postings.push(out.clone());
    transfers::done(subject, change).await;
    want.push(out);
    assert_eq!(subject.look.postings().await, want);
}

pub async fn refuses_lines_that_cannot_be(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = paid_one(subject, &fixtures, "A1").await;
    let cause = Cause::Attempt(seen.id, seen.attempts[0].id);
    let book = |postings: &[Posting]| Change { postings: postings.to_vec(), ..change_of(&seen) };
    for minor in [0, -1] {
        let posting = Posting { amount: Money::fen(minor), ..fixtures.posting(cause) };
        subject.writes_nothing(book(&[posting]), Err("corrupt")).await;
    }
    let posting = fixtures.posting(cause);
    subject.writes_nothing(book(&[posting.clone(), posting.clone()]), Err("corrupt")).await;
    let seen = subject.done(book(std::slice::from_ref(&posting))).await;
    let again = Change { postings: vec![fixtures.posting(cause), posting], ..change_of(&seen) };
    subject.writes_nothing(again, Err("corrupt")).await;
}

/// A stale change books nothing, with or without a refund.
pub async fn books_nothing_with_a_stale_change(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let old = paid_one(subject, &fixtures, "A1").await;
    let cause = Cause::Attempt(old.id, old.attempts[0].id);
    let too_much: Refund = fixtures.refund(&old, "R1", 2000);
    let mut change = refund_change(&old, RefundWrite::Begin(too_much));
    change.postings.push(fixtures.posting(cause));
    change.audit = Some(fixtures.audit("attempt.resolve"));
    subject.writes_nothing(change, Ok(paymux_core::store::Applied::Stale)).await;
    subject.done(change_of(&old)).await;
    let stale = Change { postings: vec![fixtures.posting(cause)], ..change_of(&old) };
    subject.writes_nothing(stale, Ok(paymux_core::store::Applied::Stale)).await;
}
