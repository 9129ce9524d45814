//! The ledger in memory: the same contract as the real stores, as plainly as it can be written.
//!
//! Tests of use cases run on it, and the contract suite holds it to the same answers as SQLite and
//! PostgreSQL. It forgets everything when it is dropped.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use paymux_core::clock::Timestamp;
use paymux_core::ids::{AppId, AttemptId, ChannelId, EventId, OrderNo, PaymentId};
use paymux_core::payment::{Attempt, Payment};
use paymux_core::store::{
    Applied, CallbackRow, CallbackVerdict, Change, DeliveryOutcome, DeliveryReport, DueAttempt, DueDelivery,
    Event, Opened, Opening, PaymentFilter, Ring, Store, StoreError, Touched,
};

/// A ledger that lives as long as the process.
#[derive(Debug, Default)]
pub struct MemoryStore(Mutex<Books>);

#[derive(Debug, Default)]
struct Books {
    is_away: bool,
    payments: BTreeMap<PaymentId, Payment>,
    decisions: BTreeMap<AttemptId, serde_json::Value>,
    callbacks: Vec<CallbackRow>,
    events: BTreeMap<EventId, Event>,
    deliveries: BTreeMap<EventId, Delivery>,
}

/// A delivery in the outbox.
#[derive(Debug)]
struct Delivery {
    /// When it is due; `None` once it was delivered or is dead.
    due_at: Option<Timestamp>,
    tries: u32,
    fence: i64,
}

impl MemoryStore {
    /// An empty ledger.
    pub fn new() -> Self {
        Self::default()
    }

    /// From now on every call fails, as when a database is down.
    pub fn go_away(&self) {
        self.locked().is_away = true;
    }

    /// Ends [`MemoryStore::go_away`].
    pub fn come_back(&self) {
        self.locked().is_away = false;
    }

    /// Every callback that was kept, in order.
    pub fn callbacks(&self) -> Vec<CallbackRow> {
        self.locked().callbacks.clone()
    }

    /// Every event, in the order of their ids.
    pub fn events(&self) -> Vec<Event> {
        self.locked().events.values().cloned().collect()
    }

    /// The routing decision of an attempt.
    pub fn decision(&self, attempt: AttemptId) -> Option<serde_json::Value> {
        self.locked().decisions.get(&attempt).cloned()
    }

    fn locked(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn books(&self) -> Result<MutexGuard<'_, Books>, StoreError> {
        let books = self.locked();
        if books.is_away {
            Err(StoreError::Unavailable("the test sent it away".to_owned()))
        } else {
            Ok(books)
        }
    }
}

impl Books {
    fn by_order(&self, app: &AppId, order_no: &OrderNo) -> Option<&Payment> {
        self.payments.values().find(|p| p.app == *app && p.order_no == *order_no)
    }

    /// Whether the payment is as the writer saw it, attempts included.
    fn is_as_seen(&self, change: &Change) -> bool {
        let Some(stored) = self.payments.get(&change.payment.id) else { return false };
        let as_seen = |touched: &Touched| {
            stored
                .attempt(touched.id)
                .is_some_and(|a| a.state == touched.seen_state && a.fence == touched.seen_fence)
        };
        stored.version == change.seen_version && change.touched.iter().all(as_seen)
    }

    fn is_applied(&self, row: &CallbackRow) -> bool {
        let same = |old: &CallbackRow| {
            old.verdict == CallbackVerdict::Applied
                && old.channel == row.channel
                && old.event_key == row.event_key
        };
        row.verdict == CallbackVerdict::Applied && row.event_key.is_some() && self.callbacks.iter().any(same)
    }

    /// Writes the payment; of its attempts only those that the change touched or added.
    fn write(&mut self, change: Change) {
        let mut payment = change.payment;
        let touched: Vec<AttemptId> = change.touched.iter().map(|t| t.id).collect();
        if let Some(stored) = self.payments.get(&payment.id) {
            for attempt in &mut payment.attempts {
                if let Some(old) = stored.attempt(attempt.id).filter(|old| !touched.contains(&old.id)) {
                    *attempt = old.clone();
                }
            }
        }
        if let Some((attempt, decision)) = change.added {
            self.decisions.insert(attempt, decision);
        }
        self.payments.insert(payment.id, payment);
        for event in change.events {
            self.queue(event);
        }
        self.callbacks.extend(change.callback);
    }

    fn queue(&mut self, event: Event) {
        if event.url.is_some() {
            self.deliveries.insert(event.id, Delivery { due_at: Some(event.created_at), tries: 0, fence: 0 });
        }
        self.events.insert(event.id, event);
    }

    /// The oldest unverified callbacks of that channel go until the rest fit the ring.
    fn trim(&mut self, channel: &ChannelId, ring: Ring) {
        let (mut rows, mut bytes) = (0_u32, 0_u64);
        let mut kept: Vec<CallbackRow> = Vec::with_capacity(self.callbacks.len());
        for row in std::mem::take(&mut self.callbacks).into_iter().rev() {
            if row.channel == *channel && !row.verdict.is_verified() {
                rows = rows.saturating_add(1);
                bytes = bytes.saturating_add(row.request.body.len() as u64);
                if rows > ring.rows || bytes > ring.bytes {
                    continue;
                }
            }
            kept.push(row);
        }
        kept.reverse();
        self.callbacks = kept;
    }
}

/// Whether at most one attempt of a payment is live.
fn has_one_live(attempts: &[Attempt]) -> bool {
    attempts.iter().filter(|a| a.state.is_live()).count() <= 1
}

#[async_trait]
impl Store for MemoryStore {
    async fn open(&self, opening: Opening) -> Result<Opened, StoreError> {
        let mut books = self.books()?;
        let payment = opening.payment;
        if let Some(stored) = books.by_order(&payment.app, &payment.order_no) {
            return Ok(Opened::Exists(Box::new(stored.clone())));
        }
        for attempt in &payment.attempts {
            books.decisions.insert(attempt.id, opening.decision.clone());
        }
        books.payments.insert(payment.id, payment);
        Ok(Opened::New)
    }

    async fn apply(&self, change: Change) -> Result<Applied, StoreError> {
        let mut books = self.books()?;
        if !books.is_as_seen(&change) || !has_one_live(&change.payment.attempts) {
            return Ok(Applied::Stale);
        }
        if change.callback.as_ref().is_some_and(|row| books.is_applied(row)) {
            return Ok(Applied::CallbackKnown);
        }
        books.write(change);
        Ok(Applied::Done)
    }

    async fn payment(&self, id: PaymentId) -> Result<Option<Payment>, StoreError> {
        Ok(self.books()?.payments.get(&id).cloned())
    }

    async fn payment_by_order(&self, app: &AppId, order_no: &OrderNo) -> Result<Option<Payment>, StoreError> {
        Ok(self.books()?.by_order(app, order_no).cloned())
    }

    async fn payment_by_number(
        &self,
        channel: &ChannelId,
        number: &str,
    ) -> Result<Option<Payment>, StoreError> {
        let books = self.books()?;
        Ok(books.payments.values().find(|p| p.attempt_by_number(channel, number).is_some()).cloned())
    }

    async fn payments(&self, filter: &PaymentFilter) -> Result<Vec<Payment>, StoreError> {
        let books = self.books()?;
        let fits = |p: &&Payment| {
            p.app == filter.app
                && filter.order_no.as_ref().is_none_or(|no| p.order_no == *no)
                && filter.status.is_none_or(|status| p.status == status)
                && filter.from.is_none_or(|from| p.created_at >= from)
                && filter.to.is_none_or(|to| p.created_at < to)
                && filter.after.is_none_or(|after| p.id < after)
        };
        let limit = usize::try_from(filter.limit).unwrap_or(usize::MAX);
        Ok(books.payments.values().rev().filter(fits).take(limit).cloned().collect())
    }

    async fn keep_callback(&self, row: CallbackRow, ring: Ring) -> Result<(), StoreError> {
        let mut books = self.books()?;
        let (channel, is_verified) = (row.channel.clone(), row.verdict.is_verified());
        books.callbacks.push(row);
        if !is_verified {
            books.trim(&channel, ring);
        }
        Ok(())
    }

    async fn take_due_attempts(
        &self,
        now: Timestamp,
        lease: Duration,
        limit: u32,
    ) -> Result<Vec<DueAttempt>, StoreError> {
        let mut books = self.books()?;
        let attempts =
            books.payments.values().flat_map(|p| p.attempts.iter().map(|a| (a.check_at, a.id, p.id)));
        let mut due: Vec<(Timestamp, AttemptId, PaymentId)> = attempts
            .filter_map(|(check_at, attempt, payment)| Some((check_at?, attempt, payment)))
            .filter(|(check_at, ..)| *check_at <= now)
            .collect();
        due.sort_unstable();
        due.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        for (_, attempt, payment) in &due {
            let payment = books.payments.get_mut(payment);
            if let Some(a) = payment.and_then(|p| p.attempts.iter_mut().find(|a| a.id == *attempt)) {
                a.fence += 1;
                a.check_at = Some(now.plus(lease));
            }
        }
        let with_payment = |(_, attempt, payment): (Timestamp, AttemptId, PaymentId)| {
            Some(DueAttempt { payment: books.payments.get(&payment)?.clone(), attempt })
        };
        Ok(due.into_iter().filter_map(with_payment).collect())
    }

    async fn take_due_deliveries(
        &self,
        now: Timestamp,
        lease: Duration,
        limit: u32,
        per_app: u32,
    ) -> Result<Vec<DueDelivery>, StoreError> {
        let mut books = self.books()?;
        let Books { deliveries, events, .. } = &mut *books;
        let mut due: Vec<(Timestamp, EventId)> = deliveries
            .iter()
            .filter_map(|(id, d)| Some((d.due_at?, *id)))
            .filter(|(at, _)| *at <= now)
            .collect();
        due.sort_unstable();
        let mut of_app: BTreeMap<AppId, u32> = BTreeMap::new();
        let mut taken = Vec::new();
        for (_, id) in due {
            let (Some(event), Some(delivery)) = (events.get(&id), deliveries.get_mut(&id)) else { continue };
            let count = of_app.entry(event.app.clone()).or_default();
            if taken.len() >= usize::try_from(limit).unwrap_or(usize::MAX) || *count >= per_app {
                continue;
            }
            *count += 1;
            delivery.fence += 1;
            delivery.due_at = Some(now.plus(lease));
            taken.push(DueDelivery { event: event.clone(), tries: delivery.tries, fence: delivery.fence });
        }
        Ok(taken)
    }

    async fn report_deliveries(&self, reports: Vec<DeliveryReport>) -> Result<(), StoreError> {
        let mut books = self.books()?;
        for report in reports {
            let delivery = books.deliveries.get_mut(&report.event).filter(|d| d.fence == report.fence);
            if let Some(delivery) = delivery.filter(|d| d.due_at.is_some()) {
                delivery.tries += 1;
                delivery.due_at = match report.outcome {
                    DeliveryOutcome::Again(at) => Some(at),
                    DeliveryOutcome::Delivered(_) | DeliveryOutcome::Dead => None,
                };
            }
        }
        Ok(())
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.books().map(|_| ())
    }
}
