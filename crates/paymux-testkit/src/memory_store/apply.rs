//! A change of one payment: every reason against it is found before anything is written.

use paymux_core::payment::{Attempt, Payment};
use paymux_core::store::{Applied, CallbackRow, CallbackVerdict, Change, Event, StoreError};

use super::outbox::Delivery;
use super::{Books, check_numbers, corrupt, plain, plain_callback, plain_payment};

impl Books {
    pub(super) fn apply(&mut self, mut change: Change) -> Result<Applied, StoreError> {
        if change.seen_version.checked_add(1) != Some(change.payment.version) {
            return corrupt("a change whose version does not follow the one it saw");
        }
        make_plain(&mut change);
        check_numbers(&change.payment)?;
        let has = |id| change.payment.attempt(id).is_some();
        let added = change.added.as_ref().map(|(id, _)| *id);
        if !change.touched.iter().map(|touched| touched.id).chain(added).all(has) {
            return corrupt("an attempt that is not there");
        }
        let Some(next) = self.next(&change) else { return Ok(Applied::Stale) };
        if next.attempts.iter().filter(|attempt| attempt.state.is_live()).count() > 1 {
            return Ok(Applied::Stale);
        }
        self.check_added(&change)?;
        if change.callback.as_ref().and_then(applied_key).is_some_and(|key| self.applied.contains(&key)) {
            return Ok(Applied::CallbackKnown);
        }
        change.callback.iter().try_for_each(|row| self.check_callback(row))?;
        self.check_events(&change.events)?;
        self.write(next, change);
        Ok(Applied::Done)
    }

    /// The payment as it will be; `None` when somebody was faster.
    fn next(&self, change: &Change) -> Option<Payment> {
        let mut next =
            self.payments.get(&change.payment.id).filter(|p| p.version == change.seen_version)?.clone();
        for seen in &change.touched {
            let stored = next.attempts.iter_mut().find(|attempt| attempt.id == seen.id)?;
            if stored.state != seen.seen_state || stored.fence != seen.seen_fence {
                return None;
            }
            write_attempt(stored, change.payment.attempt(seen.id)?);
        }
        write_payment(&mut next, &change.payment);
        let added = change.added.as_ref().and_then(|(id, _)| change.payment.attempt(*id));
        next.attempts.extend(added.cloned());
        Some(next)
    }

    fn check_added(&self, change: &Change) -> Result<(), StoreError> {
        let Some(added) = change.added.as_ref().and_then(|(id, _)| change.payment.attempt(*id)) else {
            return Ok(());
        };
        let number = (added.channel.clone(), added.number.as_str().to_owned());
        if self.decisions.contains_key(&added.id) || self.numbers.contains_key(&number) {
            return corrupt("an attempt's id or number is in use");
        }
        Ok(())
    }

    fn check_events(&self, events: &[Event]) -> Result<(), StoreError> {
        for (place, event) in events.iter().enumerate() {
            let others = || self.events.values().chain(&events[..place]);
            let is_taken = |other: &Event| other.payment == event.payment && other.sequence == event.sequence;
            if others().any(|other| other.id == event.id || is_taken(other)) || event.sequence <= 0 {
                return corrupt("an event's id or sequence is in use");
            }
            if !self.payments.contains_key(&event.payment) {
                return corrupt("an event of a payment that is not there");
            }
        }
        Ok(())
    }

    fn write(&mut self, next: Payment, change: Change) {
        if let Some((id, decision)) = change.added {
            if let Some(added) = next.attempt(id) {
                self.numbers.insert((added.channel.clone(), added.number.as_str().to_owned()), next.id);
            }
            self.decisions.insert(id, decision);
        }
        self.payments.insert(next.id, next);
        if let Some(row) = change.callback {
            self.applied.extend(applied_key(&row));
            self.callbacks.push(row);
        }
        for event in change.events {
            if event.url.is_some() {
                self.deliveries.insert(event.id, Delivery::due(&event));
            }
            self.events.insert(event.id, event);
        }
    }
}

fn make_plain(change: &mut Change) {
    plain_payment(&mut change.payment);
    change.callback.iter_mut().for_each(plain_callback);
    for event in &mut change.events {
        plain(&mut event.body);
        event.url.iter_mut().for_each(plain);
    }
}

fn applied_key(row: &CallbackRow) -> Option<(paymux_core::ids::ChannelId, String)> {
    let is_applied = row.verdict == CallbackVerdict::Applied;
    row.event_key.clone().filter(|_| is_applied).map(|key| (row.channel.clone(), key))
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

/// What a change may write of an attempt. Its channel and its number never change.
fn write_attempt(stored: &mut Attempt, wanted: &Attempt) {
    stored.state = wanted.state;
    stored.fence = wanted.fence;
    stored.memo.clone_from(&wanted.memo);
    stored.reference.clone_from(&wanted.reference);
    stored.trade_no.clone_from(&wanted.trade_no);
    stored.received = wanted.received;
    stored.failure.clone_from(&wanted.failure);
    stored.ends_at = wanted.ends_at;
    stored.check_at = wanted.check_at;
    stored.checks = wanted.checks;
}
