//! The ledger in memory: core's [`Store`] in its plainest form, with one lock around everything.
//!
//! It is the model that the real stores are compared with, and what tests of use cases run on. It
//! forgets everything when it is dropped.

mod apply;
mod outbox;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use paymux_core::clock::Timestamp;
use paymux_core::ids::{AppId, AttemptId, CallbackId, ChannelId, EventId, OrderNo, PaymentId};
use paymux_core::payment::{Attempt, Payment};
use paymux_core::store::{
    Applied, CallbackRow, CallbackVerdict, Change, DeliveryReport, DueAttempt, DueDelivery, Event, Opened,
    Opening, PaymentFilter, Ring, Store, StoreError,
};

pub use self::outbox::{Delivery, DeliveryState};

/// A ledger that lives as long as its value.
#[derive(Debug, Default)]
pub struct MemoryStore {
    books: Mutex<Books>,
    troubles: Mutex<VecDeque<Trouble>>,
}

/// What befalls one opening or change.
#[derive(Debug, Clone, Copy)]
pub enum Trouble {
    /// It reaches the books only after that time.
    Delayed(Duration),
    /// It is done at once, and answered only after that time.
    AnsweredLate(Duration),
    /// It is done, and its answer is lost.
    AnswerLost,
    /// It is not done, and nobody says so.
    Lost,
}

/// Everything that the ledger holds.
#[derive(Debug, Default)]
struct Books {
    is_away: bool,
    payments: BTreeMap<PaymentId, Payment>,
    orders: BTreeMap<(AppId, OrderNo), PaymentId>,
    numbers: BTreeMap<(ChannelId, String), PaymentId>,
    decisions: BTreeMap<AttemptId, serde_json::Value>,
    callbacks: Vec<CallbackRow>,
    applied: BTreeSet<(ChannelId, String)>,
    events: BTreeMap<EventId, Event>,
    deliveries: BTreeMap<EventId, Delivery>,
}

fn corrupt<T>(what: &str) -> Result<T, StoreError> {
    Err(StoreError::Corrupt(what.to_owned()))
}

impl MemoryStore {
    /// An empty one.
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

    /// The next opening or change has that trouble; those after it, the next ones.
    pub fn trouble(&self, trouble: Trouble) {
        self.troubles.lock().unwrap_or_else(PoisonError::into_inner).push_back(trouble);
    }

    /// Does a write, with the trouble that awaits it.
    async fn troubled<T>(
        &self,
        write: impl FnOnce(&mut Books) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let trouble = self.troubles.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
        if let Some(Trouble::Delayed(span)) = trouble {
            tokio::time::sleep(span).await;
        }
        if let Some(Trouble::Lost) = trouble {
            return Err(StoreError::Unconfirmed("the test lost the write".to_owned()));
        }
        let answer = write(&mut *self.books()?);
        match trouble {
            Some(Trouble::AnsweredLate(span)) => tokio::time::sleep(span).await,
            Some(Trouble::AnswerLost) => {
                return Err(StoreError::Unconfirmed("the test lost the answer".to_owned()));
            }
            Some(Trouble::Delayed(_) | Trouble::Lost) | None => {}
        }
        answer
    }

    /// Every callback that is kept, in the order of their coming.
    pub fn callbacks(&self) -> Vec<CallbackRow> {
        self.locked().callbacks.clone()
    }

    /// Every event, in the order of their ids.
    pub fn events(&self) -> Vec<Event> {
        self.locked().events.values().cloned().collect()
    }

    /// Every delivery, in the order of their events' ids.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.locked().deliveries.values().cloned().collect()
    }

    /// The routing decision of an attempt.
    pub fn decision(&self, attempt: AttemptId) -> Option<serde_json::Value> {
        self.locked().decisions.get(&attempt).cloned()
    }

    /// A panic inside a write is a bug of this file; the books before it are as good as any.
    fn locked(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn books(&self) -> Result<MutexGuard<'_, Books>, StoreError> {
        let books = self.locked();
        if books.is_away {
            return Err(StoreError::Unavailable("the test sent it away".to_owned()));
        }
        Ok(books)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn open(&self, opening: Opening) -> Result<Opened, StoreError> {
        self.troubled(|books| books.open(opening)).await
    }

    async fn apply(&self, change: Change) -> Result<Applied, StoreError> {
        self.troubled(|books| books.apply(change)).await
    }

    async fn payment(&self, id: PaymentId) -> Result<Option<Payment>, StoreError> {
        Ok(self.books()?.payments.get(&id).cloned())
    }

    async fn payment_by_order(&self, app: &AppId, order_no: &OrderNo) -> Result<Option<Payment>, StoreError> {
        let books = self.books()?;
        let id = books.orders.get(&(app.clone(), order_no.clone()));
        Ok(id.and_then(|id| books.payments.get(id)).cloned())
    }

    async fn payment_by_number(
        &self,
        channel: &ChannelId,
        number: &str,
    ) -> Result<Option<Payment>, StoreError> {
        let books = self.books()?;
        let id = books.numbers.get(&(channel.clone(), number.to_owned()));
        Ok(id.and_then(|id| books.payments.get(id)).cloned())
    }

    async fn payments(&self, filter: &PaymentFilter) -> Result<Vec<Payment>, StoreError> {
        let books = self.books()?;
        let matching = books.payments.values().rev().filter(|payment| matches(payment, filter));
        Ok(matching.take(places(filter.limit)).cloned().collect())
    }

    async fn keep_callback(&self, row: CallbackRow, ring: Ring) -> Result<(), StoreError> {
        self.books()?.keep_callback(row, ring)
    }

    async fn take_due_attempts(
        &self,
        now: Timestamp,
        lease: Duration,
        limit: u32,
    ) -> Result<Vec<DueAttempt>, StoreError> {
        Ok(self.books()?.take_due_attempts(now, lease, limit))
    }

    async fn take_due_deliveries(
        &self,
        now: Timestamp,
        lease: Duration,
        limit: u32,
        per_app: u32,
    ) -> Result<Vec<DueDelivery>, StoreError> {
        Ok(self.books()?.take_due_deliveries(now, lease, limit, per_app))
    }

    async fn report_deliveries(&self, reports: Vec<DeliveryReport>) -> Result<(), StoreError> {
        self.books()?.report_deliveries(&reports);
        Ok(())
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.books().map(drop)
    }
}

fn matches(payment: &Payment, filter: &PaymentFilter) -> bool {
    payment.app == filter.app
        && filter.order_no.as_ref().is_none_or(|order_no| payment.order_no == *order_no)
        && filter.status.is_none_or(|status| payment.status == status)
        && filter.from.is_none_or(|from| payment.created_at >= from)
        && filter.to.is_none_or(|to| payment.created_at < to)
        && filter.after.is_none_or(|after| payment.id < after)
}

fn places(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

impl Books {
    fn open(&mut self, opening: Opening) -> Result<Opened, StoreError> {
        let Opening { mut payment, decision } = opening;
        plain_payment(&mut payment);
        check_numbers(&payment)?;
        let [attempt] = payment.attempts.as_slice() else {
            return corrupt("a new payment that has not exactly one attempt");
        };
        let (attempt, number) = (attempt.id, (attempt.channel.clone(), attempt.number.as_str().to_owned()));
        let order = (payment.app.clone(), payment.order_no.clone());
        if let Some(stored) = self.orders.get(&order).and_then(|id| self.payments.get(id)) {
            return Ok(Opened::Exists(Box::new(stored.clone())));
        }
        let in_use = self.payments.contains_key(&payment.id) || self.decisions.contains_key(&attempt);
        if in_use || self.numbers.contains_key(&number) {
            return corrupt("an id or a number is in use");
        }
        self.orders.insert(order, payment.id);
        self.numbers.insert(number, payment.id);
        self.decisions.insert(attempt, decision);
        self.payments.insert(payment.id, payment);
        Ok(Opened::New)
    }

    fn keep_callback(&mut self, mut row: CallbackRow, ring: Ring) -> Result<(), StoreError> {
        if row.verdict == CallbackVerdict::Applied {
            return corrupt("an applied callback without its change");
        }
        plain_callback(&mut row);
        self.check_callback(&row)?;
        let channel = row.channel.clone();
        let is_verified = row.verdict.is_verified();
        self.callbacks.push(row);
        if !is_verified {
            self.trim(&channel, ring);
        }
        Ok(())
    }

    fn check_callback(&self, row: &CallbackRow) -> Result<(), StoreError> {
        if self.callbacks.iter().any(|kept| kept.id == row.id) {
            return corrupt("a callback's id is in use");
        }
        if row.payment.is_some_and(|payment| !self.payments.contains_key(&payment)) {
            return corrupt("a callback of a payment that is not there");
        }
        Ok(())
    }

    /// Forgets the oldest unverified rows of a channel beyond the bounds.
    fn trim(&mut self, channel: &ChannelId, ring: Ring) {
        let in_ring = |row: &&CallbackRow| row.channel == *channel && !row.verdict.is_verified();
        let mut unverified: Vec<&CallbackRow> = self.callbacks.iter().filter(in_ring).collect();
        unverified.sort_by_key(|row| std::cmp::Reverse((row.received_at, row.id)));
        let (mut rows, mut bytes) = (0_u32, 0_u64);
        unverified.retain(|row| {
            rows = rows.saturating_add(1);
            bytes = bytes.saturating_add(u64::try_from(row.request.body.len()).unwrap_or(u64::MAX));
            rows > ring.rows || bytes > ring.bytes
        });
        let beyond: BTreeSet<CallbackId> = unverified.iter().map(|row| row.id).collect();
        self.callbacks.retain(|row| !beyond.contains(&row.id));
    }

    fn take_due_attempts(&mut self, now: Timestamp, lease: Duration, limit: u32) -> Vec<DueAttempt> {
        let mut due: Vec<(Timestamp, AttemptId, PaymentId)> = Vec::new();
        for payment in self.payments.values() {
            let at = |attempt: &Attempt| attempt.check_at.filter(|at| *at <= now);
            due.extend(payment.attempts.iter().filter_map(|a| at(a).map(|at| (at, a.id, payment.id))));
        }
        due.sort_unstable();
        due.truncate(places(limit));
        for (_, attempt, payment) in &due {
            let payment = self.payments.get_mut(payment);
            let found = payment.and_then(|payment| payment.attempts.iter_mut().find(|a| a.id == *attempt));
            if let Some(found) = found {
                found.fence += 1;
                found.check_at = Some(now.plus(lease));
            }
        }
        let with_payment = |(_, attempt, id): (Timestamp, AttemptId, PaymentId)| {
            self.payments.get(&id).map(|payment| DueAttempt { payment: payment.clone(), attempt })
        };
        due.into_iter().filter_map(with_payment).collect()
    }
}

/// What the schema of a database checks. The amounts of one payment share its currency, which is
/// written once.
fn check_numbers(payment: &Payment) -> Result<(), StoreError> {
    let others = [payment.amount_received, payment.amount_discount, payment.amount_refunded];
    if others.iter().any(|other| other.currency() != payment.amount.currency()) {
        return corrupt("the amounts of one payment are in two currencies");
    }
    if payment.amount.minor() <= 0 || others.iter().any(|other| other.minor() < 0) {
        return corrupt("an amount that cannot be");
    }
    if payment.version < 0 || payment.events < 0 {
        return corrupt("a count below zero");
    }
    payment.attempts.iter().try_for_each(check_attempt)
}

fn check_attempt(attempt: &Attempt) -> Result<(), StoreError> {
    let is_negative = attempt.received.is_some_and(|received| received.minor() < 0);
    if is_negative || attempt.fence < 0 || attempt.checks < 0 {
        return corrupt("an attempt's number below zero");
    }
    Ok(())
}

/// Free text without U+0000, which not every database can hold: kept as U+FFFD.
fn plain(text: &mut String) {
    if text.contains('\0') {
        *text = text.replace('\0', "\u{fffd}");
    }
}

fn plain_payment(payment: &mut Payment) {
    plain(&mut payment.subject);
    plain(&mut payment.fingerprint);
    [&mut payment.return_url, &mut payment.notify_url].into_iter().flatten().for_each(plain);
    for attempt in &mut payment.attempts {
        plain(&mut attempt.provider);
        plain(&mut attempt.memo);
        [&mut attempt.reference, &mut attempt.trade_no].into_iter().flatten().for_each(plain);
    }
}

fn plain_callback(row: &mut CallbackRow) {
    plain(&mut row.request.path);
    [&mut row.request.query, &mut row.event_key, &mut row.detail].into_iter().flatten().for_each(plain);
}
