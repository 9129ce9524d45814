//! Refunds in a change: what happens to one, what its attempt has set aside, and the books.

use super::{Draft, Entry, Notice};
use crate::channel::Can;
use crate::clock::Timestamp;
use crate::money::Money;
use crate::outflow::{Cell, Effect, OutflowState, is_idle, step};
use crate::payment::AttemptState;
use crate::payments::outflows::{News, next_look};
use crate::posting::{Account, Cause, PostingKind};
use crate::refund::{Refund, RefundOrigin};
use crate::store::{EventKind, RefundWrite};
use crate::view::RefundView;

/// What news do to a refund.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum RefundTurn {
    /// Nothing: they were known, or do not count in its state.
    Nothing,
    /// Nothing: they contradict what is booked.
    Contradicts,
    /// Nothing: it is done although it counted as failed, and others have taken its room meanwhile.
    NoRoom,
    /// It becomes this.
    Moves(Box<Refund>),
}

impl Draft<'_> {
    /// Lets something happen to a refund, by the table of [`crate::outflow`].
    pub(crate) fn refund_happens(&mut self, refund: &Refund, news: &News) -> RefundTurn {
        let Some(place) = self.after.attempts.iter().position(|a| a.id == refund.attempt) else {
            tracing::error!(refund = %refund.id, "a refund of an attempt that its payment does not have");
            return RefundTurn::Nothing;
        };
        let cell = step(refund.state, news.happening);
        match cell.1 {
            _ if is_idle(cell, refund.check_at.is_some()) => return RefundTurn::Nothing,
            Effect::Contradict => return RefundTurn::Contradicts,
            Effect::Reclaim if !self.has_room(place, refund.amount) => return RefundTurn::NoRoom,
            _ => {}
        }
        let Some(after) = self.refund_after(refund, cell, news) else { return RefundTurn::Nothing };
        self.move_refund(place, refund, &after);
        self.finish_refund(place, cell.1, &after);
        self.tell_of_refund(cell.1, &after, refund.state);
        if let Some(callback) = news.bearer.callback() {
            self.caused_by(callback);
        }
        let as_json = |refund| serde_json::to_value(RefundView::of(refund)).unwrap_or_default();
        if let Some(audit) = news.bearer.audit(as_json(refund), as_json(&after)) {
            self.audited(audit);
        }
        RefundTurn::Moves(Box::new(after))
    }

    /// Sets the next look at a refund, if there is one, and changes nothing else of it.
    pub(crate) fn put_off_refund(&mut self, refund: &Refund, until: Option<Timestamp>) {
        let after = Refund { check_at: until, checks: refund.checks.saturating_add(1), ..refund.clone() };
        self.write_refund(RefundWrite::Step {
            refund: after,
            seen_state: refund.state,
            seen_fence: refund.fence,
        });
    }

    fn has_room(&self, place: usize, amount: Money) -> bool {
        let left = self.after.attempts[place].refundable();
        left.is_some_and(|left| left.checked_sub(amount).is_ok_and(|rest| rest.minor() >= 0))
    }

    /// As the news make it; `None` where it was to be sent and its channel is gone.
    fn refund_after(&self, refund: &Refund, cell: Cell, news: &News) -> Option<Refund> {
        let mut after = refund.clone();
        let entry = self.catalog.open_channel(&refund.channel);
        if cell.1 == Effect::Send {
            // Now, since it can carry the day; and never again, whatever becomes of the call.
            after.number = entry?.channel.refund_number(refund.id, self.now);
            after.sent_at = Some(self.now);
        }
        let look = |checks, ended_at| next_look(entry, Can::QUERY_REFUND, (checks, ended_at), self.now);
        after.course().go(cell, &news.facts, self.now, look);
        Some(after)
    }

    /// Writes the refund, and what its attempt has set aside and given back with it.
    fn move_refund(&mut self, place: usize, before: &Refund, after: &Refund) {
        let write =
            RefundWrite::Step { refund: after.clone(), seen_state: before.state, seen_fence: before.fence };
        let (refunding, refunded) = write.shift();
        let attempt = &mut self.after.attempts[place];
        attempt.refunding += refunding * after.amount.minor();
        attempt.refunded += refunded * after.amount.minor();
        self.write_refund(write);
    }

    /// Books what has left. What a merchant asked back was the merchant's; all else waited for a person.
    fn finish_refund(&mut self, place: usize, effect: Effect, refund: &Refund) {
        let app = refund.app.clone();
        let debit = match (effect, refund.origin) {
            (Effect::Book | Effect::Reclaim, RefundOrigin::Merchant) => Account::App(app),
            // It counted as failed, and so became the merchant's with the payment's success.
            (Effect::Reclaim, _) if self.is_success(place) => Account::App(app),
            (Effect::Book | Effect::Reclaim, _) => Account::Held(app),
            (
                Effect::Release | Effect::Trust,
                RefundOrigin::Duplicate | RefundOrigin::Operator | RefundOrigin::Reversal,
            ) => {
                return self.release_what_stays(place, refund);
            }
            _ => return,
        };
        self.post(Entry {
            kind: PostingKind::Refunded,
            debit,
            credit: Account::Channel(self.after.attempts[place].channel.clone()),
            amount: refund.amount,
            cause: Cause::Refund(refund.payment, refund.attempt, refund.id),
        });
        match refund.origin {
            RefundOrigin::Merchant => self.note_refunded(refund.amount),
            RefundOrigin::Duplicate | RefundOrigin::Operator | RefundOrigin::Reversal => {
                self.clear_if_nothing_waits();
            }
        }
    }

    /// What was to go back when the payment succeeded was left out of the merchant's money. It stays
    /// after all, and so it is the merchant's.
    fn release_what_stays(&mut self, place: usize, refund: &Refund) {
        if self.is_success(place) {
            self.post(Entry {
                kind: PostingKind::Released,
                debit: Account::Held(refund.app.clone()),
                credit: Account::App(refund.app.clone()),
                amount: refund.amount,
                cause: Cause::Attempt(refund.payment, refund.attempt),
            });
        }
    }

    fn is_success(&self, place: usize) -> bool {
        self.after.attempts[place].state == AttemptState::Paid
    }

    fn tell_of_refund(&mut self, effect: Effect, refund: &Refund, before: OutflowState) {
        let kind = match effect {
            Effect::Book | Effect::Reclaim => EventKind::RefundSucceeded,
            Effect::Release | Effect::Trust => EventKind::RefundFailed,
            Effect::Act => EventKind::RefundNeedsAction,
            Effect::Ignore | Effect::Send | Effect::Ask | Effect::Rest | Effect::Contradict => return,
        };
        self.tell(Notice::Refund(kind, Box::new(refund.clone()), before));
    }
}
