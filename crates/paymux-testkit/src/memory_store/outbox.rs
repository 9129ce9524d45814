//! Deliveries: taken under a lease, reported under a fencing number, asked for again.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;

use async_trait::async_trait;
use paymux_core::clock::Timestamp;
use paymux_core::ids::{AppId, EventId};
use paymux_core::store::{
    DeliveryOutcome, DeliveryReport, DueDelivery, Event, EventFilter, ListedEvent, Outbox, Redelivery,
    StoreError,
};

use super::plain::plain;
use super::{Books, MemoryStore, places};

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// To be tried, or being tried, or waiting until its endpoint is asked for again.
    Pending,
    /// The merchant took it.
    Delivered(Timestamp),
    /// No more tries by itself.
    Dead,
}

impl DeliveryState {
    /// As the port lists it.
    pub fn listed(self) -> paymux_core::store::DeliveryState {
        use paymux_core::store::DeliveryState as Listed;
        match self {
            Self::Pending => Listed::Pending,
            Self::Delivered(_) => Listed::Delivered,
            Self::Dead => Listed::Dead,
        }
    }
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
    /// Raised by each taking, each report and each request to deliver it again.
    pub fence: i64,
    /// What the last try saw.
    pub detail: Option<String>,
}

impl Delivery {
    /// Due at once, never tried; `None` for an event without an address.
    pub(super) fn due(event: &Event) -> Option<Self> {
        event.url.as_ref()?;
        Some(Self {
            event: event.id,
            app: event.app.clone(),
            state: DeliveryState::Pending,
            next_at: event.created_at,
            tries: 0,
            fence: 0,
            detail: None,
        })
    }

    /// When it is due; `None` once it is over.
    fn due_at(&self) -> Option<Timestamp> {
        (self.state == DeliveryState::Pending).then_some(self.next_at)
    }

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
            DeliveryOutcome::Dead | DeliveryOutcome::Gone => self.state = DeliveryState::Dead,
        }
    }

    /// As if it were new, but for what the last try saw. Who still tries it has lost its lease.
    fn begin_anew(&mut self, now: Timestamp) {
        self.fence += 1;
        self.tries = 0;
        self.state = DeliveryState::Pending;
        self.next_at = now;
    }
}

#[async_trait]
impl Outbox for MemoryStore {
    async fn take_due_deliveries(
        &self,
        now: Timestamp,
        lease: Duration,
        limit: u32,
        per_app: u32,
        busy: &[AppId],
    ) -> Result<Vec<DueDelivery>, StoreError> {
        Ok(self.books()?.take_due_deliveries(now, lease, limit, per_app, busy))
    }

    async fn report_deliveries(&self, reports: Vec<DeliveryReport>) -> Result<(), StoreError> {
        self.books()?.report_deliveries(&reports);
        Ok(())
    }

    async fn events(&self, filter: &EventFilter) -> Result<Vec<ListedEvent>, StoreError> {
        Ok(self.books()?.list_events(filter))
    }

    async fn redeliver(&self, app: &AppId, which: Redelivery, now: Timestamp) -> Result<u64, StoreError> {
        Ok(self.books()?.redeliver(app, &which, now))
    }
}

impl Books {
    fn take_due_deliveries(
        &mut self,
        now: Timestamp,
        lease: Duration,
        limit: u32,
        per_app: u32,
        busy: &[AppId],
    ) -> Vec<DueDelivery> {
        let mut taken = Vec::new();
        for id in self.due(now, limit, per_app, busy) {
            self.edit(id, |delivery| {
                delivery.fence += 1;
                delivery.next_at = now.plus(lease);
            });
            if let Some((delivery, event)) = self.deliveries.get(&id).zip(self.events.get(&id)) {
                taken.push(DueDelivery {
                    event: event.clone(),
                    tries: delivery.tries,
                    fence: delivery.fence,
                });
            }
        }
        taken
    }

    fn due(&self, now: Timestamp, limit: u32, per_app: u32, busy: &[AppId]) -> Vec<EventId> {
        let mut of_app: BTreeMap<&AppId, u32> = BTreeMap::new();
        let due = self.due_deliveries.by(now).filter_map(|id| self.events.get(&id));
        let chosen = due.filter(|event| !busy.contains(&event.app) && !self.is_gone(event)).filter(|event| {
            let count = of_app.entry(&event.app).or_default();
            *count += 1;
            *count <= per_app
        });
        chosen.take(places(limit)).map(|event| event.id).collect()
    }

    fn is_gone(&self, event: &Event) -> bool {
        let endpoint = || event.url.clone().map(|url| (event.app.clone(), url));
        !self.gone.is_empty() && endpoint().is_some_and(|endpoint| self.gone.contains(&endpoint))
    }

    fn edit(&mut self, id: EventId, edit: impl FnOnce(&mut Delivery)) {
        if let Some(delivery) = self.deliveries.get_mut(&id) {
            let before = delivery.due_at();
            edit(delivery);
            self.due_deliveries.moves(id, before, delivery.due_at());
        }
    }

    fn report_deliveries(&mut self, reports: &[DeliveryReport]) {
        for report in reports {
            let current = |d: &Delivery| d.fence == report.fence && d.state == DeliveryState::Pending;
            if !self.deliveries.get(&report.event).is_some_and(current) {
                continue;
            }
            self.edit(report.event, |delivery| delivery.note(report));
            if report.outcome == DeliveryOutcome::Gone
                && let Some(endpoint) = self.endpoint(report.event)
            {
                self.gone.insert(endpoint);
            }
        }
    }

    fn endpoint(&self, id: EventId) -> Option<(AppId, String)> {
        let event = self.events.get(&id)?;
        Some((event.app.clone(), event.url.clone()?))
    }

    fn list_events(&self, filter: &EventFilter) -> Vec<ListedEvent> {
        let Some(of_app) = self.events_of.get(&filter.app) else { return Vec::new() };
        let after = filter.after.map_or(Bound::Unbounded, Bound::Excluded);
        let events = of_app.range((after, Bound::Unbounded)).filter_map(|id| self.events.get(id));
        let of_subject = events.filter(|event| filter.subject.is_none_or(|subject| event.subject == subject));
        of_subject.take(places(filter.limit)).map(|event| self.listed(event)).collect()
    }

    fn listed(&self, event: &Event) -> ListedEvent {
        let delivery = self.deliveries.get(&event.id);
        ListedEvent {
            event: event.clone(),
            state: delivery.map(|delivery| delivery.state.listed()),
            tries: delivery.map_or(0, |delivery| delivery.tries),
            detail: delivery.and_then(|delivery| delivery.detail.clone()),
        }
    }

    fn redeliver(&mut self, app: &AppId, which: &Redelivery, now: Timestamp) -> u64 {
        let Some(of_app) = self.events_of.get(app) else { return 0 };
        let wanted = |id: &&EventId| match which {
            Redelivery::One(one) => *id == one && self.deliveries.contains_key(one),
            Redelivery::Undelivered { from, to } => self.is_undelivered(**id, *from, *to),
        };
        let ids: Vec<EventId> = of_app.iter().filter(wanted).copied().collect();
        for id in &ids {
            self.edit(*id, |delivery| delivery.begin_anew(now));
            if let Some(endpoint) = self.endpoint(*id) {
                self.gone.remove(&endpoint);
            }
        }
        u64::try_from(ids.len()).unwrap_or(u64::MAX)
    }

    fn is_undelivered(&self, id: EventId, from: Timestamp, to: Timestamp) -> bool {
        let delivery = self.deliveries.get(&id);
        let waits = delivery.is_some_and(|d| !matches!(d.state, DeliveryState::Delivered(_)));
        waits && self.events.get(&id).is_some_and(|event| (from..to).contains(&event.created_at))
    }
}
