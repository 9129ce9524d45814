//! Events and their deliveries.

use std::time::Duration;

use async_trait::async_trait;

use super::{Event, StoreError, Subject};
use crate::clock::Timestamp;
use crate::ids::{AppId, EventId};
use crate::words::words;

/// A delivery that a worker has taken for a while.
#[derive(Debug, Clone)]
pub struct DueDelivery {
    /// What is to be told.
    pub event: Event,
    /// How often it was tried before.
    pub tries: u32,
    /// Raised by the taking; a worker that lost its lease is refused by it.
    pub fence: i64,
}

/// What became of one delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryReport {
    /// Which event.
    pub event: EventId,
    /// The fencing number under which it was tried.
    pub fence: i64,
    /// How it went.
    pub outcome: DeliveryOutcome,
    /// What was seen, for a person: a status or a fault, no content.
    pub detail: String,
}

/// How a delivery went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryOutcome {
    /// The merchant took it.
    Delivered(Timestamp),
    /// Not yet: try again then.
    Again(Timestamp),
    /// No more tries by itself.
    Dead,
    /// The endpoint is gone for good: no more tries, and none for whatever else goes to this address
    /// of this app, until somebody asks for a delivery there again.
    Gone,
}

words! {
    /// Where a delivery stands.
    DeliveryState {
        /// It will be tried, or waits until its endpoint is asked for again.
        Pending = "pending",
        /// The merchant took it.
        Delivered = "delivered",
        /// No more tries by itself.
        Dead = "dead",
    }
}

/// Which events to list, oldest first.
#[derive(Debug, Clone)]
pub struct EventFilter {
    /// Whose.
    pub app: AppId,
    /// Only of that payment or transfer.
    pub subject: Option<Subject>,
    /// Only those that come after this one in the list, which is by id.
    pub after: Option<EventId>,
    /// At most so many.
    pub limit: u32,
}

/// An event and what became of its delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedEvent {
    /// The event.
    pub event: Event,
    /// How its delivery stands; `None` where it has no address.
    pub state: Option<DeliveryState>,
    /// How often it was tried.
    pub tries: u32,
    /// What was seen last.
    pub detail: Option<String>,
}

/// Which events to deliver once more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Redelivery {
    /// This one, whatever became of it.
    One(EventId),
    /// All of the app that happened in `from..to` and were not delivered, also those that will be tried
    /// by themselves.
    Undelivered {
        /// From this moment.
        from: Timestamp,
        /// Before this one.
        to: Timestamp,
    },
}

/// Events and their deliveries.
#[async_trait]
pub trait Outbox: Send + Sync + 'static {
    /// Takes deliveries whose time has come, earliest first, at most `per_app` of one app so that
    /// a dead endpoint holds nobody else up. Passes over endpoints that are gone, and apps that are
    /// `busy`.
    async fn take_due_deliveries(
        &self,
        now: Timestamp,
        lease: Duration,
        limit: u32,
        per_app: u32,
        busy: &[AppId],
    ) -> Result<Vec<DueDelivery>, StoreError>;

    /// Notes how deliveries went. Those whose fencing number has moved on are passed over.
    async fn report_deliveries(&self, reports: Vec<DeliveryReport>) -> Result<(), StoreError>;

    /// Events, oldest first.
    async fn events(&self, filter: &EventFilter) -> Result<Vec<ListedEvent>, StoreError>;

    /// Makes deliveries due now, with all their tries before them, and lets their endpoints be called
    /// again. Whoever is trying one has lost its lease. Returns how many there are; an event without an
    /// address has none, and another app's is not there.
    async fn redeliver(&self, app: &AppId, which: Redelivery, now: Timestamp) -> Result<u64, StoreError>;
}
