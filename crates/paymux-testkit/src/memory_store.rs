//! The ledger in memory: core's [`Store`](paymux_core::store::Store) in its plainest form, with one
//! lock around everything.
//!
//! It is the model that the real stores are compared with, and what tests of use cases run on. It
//! forgets everything when it is dropped. One file a part of the port; here is what they share.

mod apply;
mod attached;
mod callbacks;
mod capacity;
mod channel_book;
mod day_book;
mod decisions;
mod desk;
mod outbox;
mod payments;
mod plain;
mod refunds;
mod register;
mod transfers;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use paymux_core::clock::Timestamp;
use paymux_core::day::Day;
use paymux_core::ids::{
    AppId, AttemptId, AuditId, ChannelId, EventId, OrderNo, PaymentId, PostingId, RefundId, TransferId,
};
use paymux_core::payment::Payment;
use paymux_core::posting::Posting;
use paymux_core::refund::Refund;
use paymux_core::router::VersionDigest;
use paymux_core::store::{
    AuditRow, CallbackRow, CapacityFigure, ChannelRecord, Claim, ConfigVersion, DayFigure, Event,
    KeptDecision, StoreError, Subject,
};
use paymux_core::transfer::Transfer;

pub use self::outbox::{Delivery, DeliveryState};
use self::register::Register;

/// A ledger that lives as long as its value.
#[derive(Debug, Default)]
pub struct MemoryStore {
    books: Mutex<Books>,
    troubles: Mutex<VecDeque<Trouble>>,
}

/// What befalls one opening or change, of a payment, a refund or a transfer.
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
    of_app: BTreeMap<AppId, BTreeSet<PaymentId>>,
    orders: BTreeMap<(AppId, OrderNo), PaymentId>,
    numbers: BTreeMap<(ChannelId, String), AttemptId>,
    attempts: BTreeMap<AttemptId, Home>,
    due_attempts: Due<AttemptId>,
    claims: BTreeMap<(String, String), Claim>,
    /// Stands for the key of digests.
    digest_key: u64,
    refunds: Register<Refund>,
    refunds_of: BTreeMap<PaymentId, BTreeSet<(Timestamp, RefundId)>>,
    transfers: Register<Transfer>,
    transfers_of: BTreeMap<AppId, BTreeSet<(Timestamp, TransferId)>>,
    callbacks: callbacks::Shelf,
    applied: BTreeSet<(ChannelId, String)>,
    events: BTreeMap<EventId, Event>,
    events_of: BTreeMap<AppId, BTreeSet<EventId>>,
    sequences: BTreeSet<(Subject, i64)>,
    deliveries: BTreeMap<EventId, Delivery>,
    due_deliveries: Due<EventId>,
    gone: BTreeSet<(AppId, String)>,
    postings: BTreeMap<PostingId, Posting>,
    audits: BTreeMap<AuditId, AuditRow>,
    days: day_book::Days,
    capacity: capacity::Uses,
    channels: BTreeMap<ChannelId, ChannelRecord>,
    versions: BTreeMap<VersionDigest, ConfigVersion>,
}

/// Where an attempt belongs, and why it was made.
#[derive(Debug)]
struct Home {
    payment: PaymentId,
    decision: KeptDecision,
}

/// What must be looked at, by the moment at which it must be.
#[derive(Debug)]
struct Due<K>(BTreeSet<(Timestamp, K)>);

impl<K> Default for Due<K> {
    fn default() -> Self {
        Self(BTreeSet::new())
    }
}

impl<K: Copy + Ord> Due<K> {
    /// That it was due then is no longer so; it is due now at another moment, or never.
    fn moves(&mut self, key: K, from: Option<Timestamp>, to: Option<Timestamp>) {
        if let Some(from) = from {
            self.0.remove(&(from, key));
        }
        if let Some(to) = to {
            self.0.insert((to, key));
        }
    }

    /// Those that are due, earliest first.
    fn by(&self, now: Timestamp) -> impl Iterator<Item = K> {
        self.0.iter().take_while(move |(at, _)| *at <= now).map(|(_, key)| *key)
    }

    fn first(&self, now: Timestamp, limit: u32) -> Vec<K> {
        self.by(now).take(places(limit)).collect()
    }
}

fn corrupt<T>(what: &str) -> Result<T, StoreError> {
    Err(StoreError::Corrupt(what.to_owned()))
}

fn places(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
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

    /// Another key of digests lies there from now on, as after the loss of the one before.
    pub fn lose_digest_key(&self) {
        self.locked().digest_key += 1;
    }

    /// What every claimed key stands for.
    pub fn claimed_digests(&self) -> Vec<String> {
        self.locked().claims.values().map(|claim| claim.digest.clone()).collect()
    }

    /// Every payment, in the order of their ids.
    pub fn payments(&self) -> Vec<Payment> {
        self.locked().payments.values().cloned().collect()
    }

    /// Every refund, in the order of their ids.
    pub fn refunds(&self) -> Vec<Refund> {
        self.locked().refunds.all().cloned().collect()
    }

    /// Every transfer, in the order of their ids.
    pub fn transfers(&self) -> Vec<Transfer> {
        self.locked().transfers.all().cloned().collect()
    }

    /// Every movement of money, in the order of their ids.
    pub fn postings(&self) -> Vec<Posting> {
        self.locked().postings.values().cloned().collect()
    }

    /// What every channel has collected on every day, by day, channel and currency.
    pub fn days(&self) -> Vec<(Day, DayFigure)> {
        self.locked().days.iter().map(|((day, ..), figure)| (*day, figure.clone())).collect()
    }

    /// How much of every channel's limits is used, by day, channel and currency, where it is anything.
    pub fn capacity(&self) -> Vec<CapacityFigure> {
        self.locked().whole_capacity()
    }

    /// Every line of the audit trail, oldest first.
    pub fn audits(&self) -> Vec<AuditRow> {
        self.locked().audits.values().cloned().collect()
    }

    /// Every callback that is kept, in the order of their coming.
    pub fn callbacks(&self) -> Vec<CallbackRow> {
        self.locked().callbacks.all().cloned().collect()
    }

    /// Every event, in the order of their ids.
    pub fn events(&self) -> Vec<Event> {
        self.locked().events.values().cloned().collect()
    }

    /// Every delivery, in the order of their events' ids.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.locked().deliveries.values().cloned().collect()
    }

    /// Every address of an app that is gone for good.
    pub fn gone_endpoints(&self) -> Vec<(AppId, String)> {
        self.locked().gone.iter().cloned().collect()
    }

    /// Every version of the configuration, by digest.
    pub fn versions(&self) -> Vec<ConfigVersion> {
        self.locked().versions.values().cloned().collect()
    }

    /// Whether an attempt, a refund or a transfer is to be looked at by then.
    pub fn has_due_looks(&self, now: Timestamp) -> bool {
        let books = self.locked();
        let attempt = books.due_attempts.by(now).next().is_some();
        attempt || books.refunds.has_due(now) || books.transfers.has_due(now)
    }

    /// Whether a notice is to be sent by then.
    pub fn has_due_notices(&self, now: Timestamp) -> bool {
        self.locked().due_deliveries.by(now).next().is_some()
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
