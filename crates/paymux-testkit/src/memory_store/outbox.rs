//! Deliveries: taken under a lease, reported under a fencing number.

use std::collections::BTreeMap;
use std::time::Duration;

use paymux_core::clock::Timestamp;
use paymux_core::ids::{AppId, EventId};
use paymux_core::store::{DeliveryOutcome, DeliveryReport, DueDelivery, Event};

use super::{Books, places, plain};

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// To be tried, or being tried.
    Pending,
    /// The merchant took it.
    Delivered(Timestamp),
    /// No more tries by itself.
    Dead,
}

/// One row of the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// What is told.
    pub event: EventId,
    /// Whom it is for.
    pub app: AppId,
    /// Where it stands.
    pub state: DeliveryState,
    /// When it may be taken: the next try, or the end of a lease.
    pub next_at: Timestamp,
    /// How often it was tried.
    pub tries: u32,
    /// Raised by each taking and each report.
    pub fence: i64,
    /// What the last try saw.
    pub detail: Option<String>,
}

impl Delivery {
    /// Due at once, never tried.
    pub(super) fn due(event: &Event) -> Self {
        Self {
            event: event.id,
            app: event.app.clone(),
            state: DeliveryState::Pending,
            next_at: event.created_at,
            tries: 0,
            fence: 0,
            detail: None,
        }
    }
}

impl Books {
    pub(super) fn take_due_deliveries(
        &mut self,
        now: Timestamp,
        lease: Duration,
        limit: u32,
        per_app: u32,
    ) -> Vec<DueDelivery> {
        let mut taken = Vec::new();
        for id in self.due(now, limit, per_app) {
            let delivery = self.deliveries.get_mut(&id).zip(self.events.get(&id));
            if let Some((delivery, event)) = delivery {
                delivery.fence += 1;
                delivery.next_at = now.plus(lease);
                taken.push(DueDelivery {
                    event: event.clone(),
                    tries: delivery.tries,
                    fence: delivery.fence,
                });
            }
        }
        taken
    }

    fn due(&self, now: Timestamp, limit: u32, per_app: u32) -> Vec<EventId> {
        let pending = |d: &&Delivery| d.state == DeliveryState::Pending && d.next_at <= now;
        let mut due: Vec<&Delivery> = self.deliveries.values().filter(pending).collect();
        due.sort_by_key(|delivery| (delivery.next_at, delivery.event));
        let mut of_app: BTreeMap<&AppId, u32> = BTreeMap::new();
        due.retain(|delivery| {
            let count = of_app.entry(&delivery.app).or_default();
            *count += 1;
            *count <= per_app
        });
        due.iter().take(places(limit)).map(|delivery| delivery.event).collect()
    }

    pub(super) fn report_deliveries(&mut self, reports: &[DeliveryReport]) {
        for report in reports {
            let delivery = self.deliveries.get_mut(&report.event);
            let current = |d: &&mut Delivery| d.fence == report.fence && d.state == DeliveryState::Pending;
            if let Some(delivery) = delivery.filter(current) {
                delivery.note(report);
            }
        }
    }
}

impl Delivery {
    /// The fence rises once more, so that the same report again is passed over.
    fn note(&mut self, report: &DeliveryReport) {
        self.fence += 1;
        self.tries += 1;
        let mut detail = report.detail.clone();
        plain(&mut detail);
        self.detail = Some(detail);
        match report.outcome {
            DeliveryOutcome::Delivered(at) => self.state = DeliveryState::Delivered(at),
            DeliveryOutcome::Again(at) => self.next_at = at,
            DeliveryOutcome::Dead => self.state = DeliveryState::Dead,
        }
    }
}
