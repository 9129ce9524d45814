//! What is written together with a payment or a transfer: movements of money, events, the callback
//! that caused the change, the operator's line.

use paymux_core::ids::{AuditId, ChannelId};
use paymux_core::posting::Posting;
use paymux_core::store::{Applied, AuditRow, CallbackRow, CallbackVerdict, Event, StoreError, Subject};

use super::outbox::Delivery;
use super::plain::{plain_audit, plain_callback, plain_event};
use super::{Books, corrupt};

/// All that belongs to a change beside what it changes.
#[derive(Debug)]
pub(super) struct Attached {
    pub(super) postings: Vec<Posting>,
    pub(super) events: Vec<Event>,
    pub(super) callback: Option<CallbackRow>,
    pub(super) audit: Option<AuditRow>,
}

impl Attached {
    pub(super) fn make_plain(&mut self) {
        self.callback.iter_mut().for_each(plain_callback);
        self.events.iter_mut().for_each(plain_event);
        self.audit.iter_mut().for_each(plain_audit);
    }
}

fn applied_key(row: &CallbackRow) -> Option<(ChannelId, String)> {
    let is_applied = row.verdict == CallbackVerdict::Applied;
    row.event_key.clone().filter(|_| is_applied).map(|key| (row.channel.clone(), key))
}

impl Books {
    /// Every reason against it; [`Applied::Done`] where there is none.
    pub(super) fn check_attached(&self, attached: &Attached) -> Result<Applied, StoreError> {
        if let Some(row) = &attached.callback {
            let Some(key) = applied_key(row) else {
                return corrupt("a change by a callback that claims no event");
            };
            if self.applied.contains(&key) {
                return Ok(Applied::CallbackKnown);
            }
        }
        attached.callback.iter().try_for_each(|row| self.check_callback(row))?;
        self.check_events(&attached.events)?;
        self.check_postings(&attached.postings)?;
        attached.audit.iter().try_for_each(|row| self.check_audit(row.id))?;
        Ok(Applied::Done)
    }

    fn check_events(&self, events: &[Event]) -> Result<(), StoreError> {
        for (place, event) in events.iter().enumerate() {
            let taken = |other: &Event| other.subject == event.subject && other.sequence == event.sequence;
            let among = events[..place].iter().any(|other| other.id == event.id || taken(other));
            let before = self.events.contains_key(&event.id)
                || self.sequences.contains(&(event.subject, event.sequence));
            if among || before || event.sequence <= 0 {
                return corrupt("an event's id or sequence is in use");
            }
            let is_there = match event.subject {
                Subject::Payment(id) => self.payments.contains_key(&id),
                Subject::Transfer(id) => self.transfers.one(id).is_some(),
            };
            if !is_there {
                return corrupt("an event of nothing that is there");
            }
        }
        Ok(())
    }

    pub(super) fn check_postings(&self, postings: &[Posting]) -> Result<(), StoreError> {
        for (place, posting) in postings.iter().enumerate() {
            let among = postings[..place].iter().any(|other| other.id == posting.id);
            if among || self.postings.contains_key(&posting.id) {
                return corrupt("a posting's id is in use");
            }
            if posting.amount.minor() <= 0 {
                return corrupt("a posting of no money");
            }
        }
        Ok(())
    }

    pub(super) fn post(&mut self, postings: Vec<Posting>) {
        self.postings.extend(postings.into_iter().map(|posting| (posting.id, posting)));
    }

    pub(super) fn check_audit(&self, id: AuditId) -> Result<(), StoreError> {
        if self.audits.contains_key(&id) { corrupt("an audit line's id is in use") } else { Ok(()) }
    }

    /// Writes what was checked.
    pub(super) fn write_attached(&mut self, attached: Attached) {
        if let Some(row) = attached.callback {
            self.applied.extend(applied_key(&row));
            self.callbacks.put(row);
        }
        for event in attached.events {
            if let Some(delivery) = Delivery::due(&event) {
                self.due_deliveries.moves(event.id, None, Some(delivery.next_at));
                self.deliveries.insert(event.id, delivery);
            }
            self.sequences.insert((event.subject, event.sequence));
            self.events_of.entry(event.app.clone()).or_default().insert(event.id);
            self.events.insert(event.id, event);
        }
        self.post(attached.postings);
        self.audits.extend(attached.audit.map(|row| (row.id, row)));
    }
}
