//! A change of one payment: every reason against it is found before anything is written.

use paymux_core::money::Money;
use paymux_core::payment::{Attempt, Payment};
use paymux_core::refund::Refund;
use paymux_core::store::{Applied, Change, RefundWrite, StoreError};

use super::attached::Attached;
use super::day_book::check_income;
use super::payments::{begin, check_numbers};
use super::plain::{plain_payment, plain_refund};
use super::refunds::{check_refund, move_money, write_refund};
use super::{Books, corrupt};

impl Books {
    pub(super) fn apply(&mut self, mut change: Change) -> Result<Applied, StoreError> {
        plain_payment(&mut change.payment);
        if let Some(RefundWrite::Begin(refund) | RefundWrite::Step { refund, .. }) = &mut change.refund {
            plain_refund(refund);
        }
        check_change(&change)?;
        let Some((next, refund)) = self.next(&change) else { return Ok(Applied::Stale) };
        if !self.has_room(&change.capacity) {
            return Ok(Applied::Full);
        }
        let Change {
            payment,
            added,
            refund: write,
            postings,
            incomes,
            capacity,
            events,
            callback,
            audit,
            ..
        } = change;
        let mut attached = Attached { postings, events, callback, audit };
        attached.make_plain();
        let new = added.and_then(|(id, decision)| Some((payment.attempt(id)?, decision)));
        new.iter().try_for_each(|(attempt, _)| self.check_new(attempt))?;
        match (&refund, &write) {
            (Some(refund), Some(RefundWrite::Begin(_))) => self.refunds.check_new(refund)?,
            (Some(refund), Some(RefundWrite::Step { .. })) => self.refunds.check_number(refund)?,
            _ => {}
        }
        let applied = self.check_attached(&attached)?;
        if applied == Applied::Done {
            self.use_capacity(&capacity);
            if let Some((attempt, decision)) = new {
                self.add(next.id, attempt, decision);
            }
            self.put(next);
            if let Some(refund) = refund {
                self.put_refund(refund);
            }
            self.write_attached(attached);
            for income in incomes {
                self.add_income(income);
            }
        }
        Ok(applied)
    }

    /// The payment and its refund as they will be; `None` when somebody was faster.
    fn next(&self, change: &Change) -> Option<(Payment, Option<Refund>)> {
        let stored = self.payments.get(&change.payment.id).filter(|p| p.version == change.seen_version)?;
        let mut next = stored.clone();
        for seen in &change.touched {
            let attempt = next.attempts.iter_mut().find(|attempt| attempt.id == seen.id)?;
            if attempt.state != seen.seen_state || attempt.fence != seen.seen_fence {
                return None;
            }
            let money = attempt.received;
            write_attempt(attempt, change.payment.attempt(seen.id)?);
            let is_spent = attempt.refunding + attempt.refunded > 0;
            if is_spent && money.map(Money::currency) != attempt.received.map(Money::currency) {
                return None;
            }
        }
        write_payment(&mut next, &change.payment);
        let added = change.added.as_ref().and_then(|(id, _)| change.payment.attempt(*id));
        next.attempts.extend(added.cloned().map(|mut attempt| {
            begin(&mut attempt);
            attempt
        }));
        let refund = change.refund.as_ref().map(|write| self.next_refund(&mut next, write));
        let refund = if let Some(refund) = refund { Some(refund?) } else { None };
        let is_one = next.attempts.iter().filter(|attempt| attempt.state.is_live()).count() <= 1;
        (is_one && next.attempts.iter().all(keeps_its_bound)).then_some((next, refund))
    }

    /// The refund as it will be; `None` when somebody was faster or its amount does not fit.
    fn next_refund(&self, payment: &mut Payment, write: &RefundWrite) -> Option<Refund> {
        let next = match write {
            RefundWrite::Begin(refund) => refund.clone(),
            RefundWrite::Step { refund, seen_state, seen_fence } => {
                let mut stored =
                    self.refunds.one(refund.id).filter(|stored| stored.payment == payment.id)?.clone();
                if stored.state != *seen_state || stored.fence != *seen_fence {
                    return None;
                }
                write_refund(&mut stored, refund);
                stored
            }
        };
        let attempt = payment.attempts.iter_mut().find(|attempt| attempt.id == next.attempt)?;
        let fits = write.shift() == (0, 0) || move_money(attempt, next.amount, write.shift());
        fits.then_some(next)
    }
}

/// What is wrong with a change, whatever is stored.
fn check_change(change: &Change) -> Result<(), StoreError> {
    if change.seen_version.checked_add(1) != Some(change.payment.version) {
        return corrupt("a change whose version does not follow the one it saw");
    }
    check_numbers(&change.payment)?;
    change.incomes.iter().try_for_each(check_income)?;
    let has = |id| change.payment.attempt(id).is_some();
    let added = change.added.as_ref().map(|(id, _)| *id);
    let refund = change.refund.as_ref().map(RefundWrite::refund);
    let named = change.touched.iter().map(|touched| touched.id).chain(added);
    if !named.chain(refund.map(|refund| refund.attempt)).all(has) {
        return corrupt("an attempt that is not there");
    }
    if refund.is_some_and(|refund| refund.payment != change.payment.id) {
        return corrupt("a refund of another payment");
    }
    refund.map_or(Ok(()), check_refund)
}

pub(super) fn keeps_its_bound(attempt: &Attempt) -> bool {
    let received = attempt.received.map_or(0, Money::minor);
    attempt.refunding + attempt.refunded + attempt.contested <= received
}

/// What a change may write of a payment. What was agreed at the start never changes.
fn write_payment(stored: &mut Payment, wanted: &Payment) {
    stored.status = wanted.status;
    stored.amount_received = wanted.amount_received;
    stored.amount_discount = wanted.amount_discount;
    stored.amount_refunded = wanted.amount_refunded;
    stored.held = wanted.held;
    stored.next_action.clone_from(&wanted.next_action);
    stored.expires_at = wanted.expires_at;
    stored.paid_at = wanted.paid_at;
    stored.failure.clone_from(&wanted.failure);
    stored.version = wanted.version;
    stored.events = wanted.events;
    stored.cancel_requested = wanted.cancel_requested;
}

/// What a change may write of an attempt. Its channel and its number never change, and what of its
/// money is set aside or has gone back moves with refunds alone.
fn write_attempt(stored: &mut Attempt, wanted: &Attempt) {
    stored.state = wanted.state;
    stored.fence = wanted.fence;
    stored.memo.clone_from(&wanted.memo);
    stored.reference.clone_from(&wanted.reference);
    stored.trade_no.clone_from(&wanted.trade_no);
    stored.received = wanted.received;
    stored.more.clone_from(&wanted.more);
    stored.failure.clone_from(&wanted.failure);
    stored.ends_at = wanted.ends_at;
    stored.check_at = wanted.check_at;
    stored.checks = wanted.checks;
    stored.closing_until = wanted.closing_until;
    stored.contested = wanted.contested;
    stored.said_paid_at = wanted.said_paid_at;
    stored.capacity.reserved = wanted.capacity.reserved;
    stored.capacity.in_flight = wanted.capacity.in_flight;
}
