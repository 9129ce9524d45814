//! Who hears of decisions, attempts and events. Fed by what was stored, so that nobody hears of what did not come
//! to be; the way of a payment itself is not touched.

use std::sync::Arc;

use paymux_core::payment::{Attempt, AttemptState, Payment};
use paymux_core::store::{Change, DeliveryReport, Event, Opening, TransferChange};

use crate::witness::Witness;

/// Hears of what has just become durable, in this process. Must return at once: it stands on the way of payments.
///
/// Nothing is told twice here, and what other nodes do is not told at all: whoever needs to hear of everything, also
/// after a crash, takes notices.
pub trait Observer: Send + Sync + 'static {
    /// A channel was chosen, for a payment's first attempt or a further one. Why that one, the record says:
    /// [`Payments::decision`](crate::Payments::decision).
    fn decided(&self, payment: &Payment, attempt: &Attempt) {
        let _ = (payment, attempt);
    }

    /// An attempt has come to another state than `before`.
    fn moved(&self, payment: &Payment, attempt: &Attempt, before: AttemptState) {
        let _ = (payment, attempt, before);
    }

    /// Something happened that its app is told of: of a payment, a refund or a transfer.
    fn happened(&self, event: &Event) {
        let _ = event;
    }

    /// An app was told of an event, or not; its notice is tried again by itself.
    fn notified(&self, report: &DeliveryReport) {
        let _ = report;
    }
}

/// Tells an observer what a store's witness sees.
pub(crate) struct Ears(pub(crate) Arc<dyn Observer>);

impl Ears {
    fn happened(&self, events: &[Event]) {
        for event in events {
            self.0.happened(event);
        }
    }
}

impl Witness for Ears {
    fn opened(&self, opening: &Opening) {
        if let Some(attempt) = opening.payment.attempts.first() {
            self.0.decided(&opening.payment, attempt);
        }
    }

    fn applied(&self, change: &Change) {
        let payment = &change.payment;
        for touched in &change.touched {
            let moved = payment.attempt(touched.id).filter(|attempt| attempt.state != touched.seen_state);
            if let Some(attempt) = moved {
                self.0.moved(payment, attempt, touched.seen_state);
            }
        }
        if let Some((id, _)) = &change.added
            && let Some(attempt) = payment.attempt(*id)
        {
            self.0.decided(payment, attempt);
        }
        self.happened(&change.events);
    }

    fn transferred(&self, change: &TransferChange) {
        self.happened(&change.events);
    }

    fn delivered(&self, reports: &[DeliveryReport]) {
        for report in reports {
            self.0.notified(report);
        }
    }
}
