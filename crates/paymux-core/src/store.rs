//! The ledger, as a port.
//!
//! Every write is one transaction and compares what its writer saw: [`PaymentLedger::apply`] names the
//! payment's version and each touched attempt's state and fencing number. If any differs, nothing
//! is written, and the caller reads again and decides anew.

mod capacity;
mod channel_book;
mod day_book;
mod decisions;
mod desk;
mod outbox;
mod refunds;
mod transfers;

use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::ids::{AppId, AttemptId, CallbackId, ChannelId, EventId, OrderNo, PaymentId, TransferId};
use crate::payment::{AttemptState, Payment, Status};
use crate::posting::Posting;
use crate::secret::Secret;
use crate::wire::WireRequest;
use crate::words::words;

pub use capacity::{CapacityFigure, CapacityLimits, CapacityMove, CapacitySpan, CapacityUse};
pub use channel_book::{BOUND_AT_ONCE, ChannelBook, ChannelRecord};
pub use day_book::{DayBook, DayFigure, Income};
pub use decisions::{ConfigVersion, DecisionBook, KeptDecision};
pub use desk::{
    AuditRow, CallbackFilter, ChannelUse, Desk, OrderLine, Patience, QueueCounts, QueueFilter, QueueItem,
    QueueKind, RefundLine, Window,
};
pub use outbox::{
    DeliveryOutcome, DeliveryReport, DeliveryState, DueDelivery, EventFilter, ListedEvent, Outbox, Redelivery,
};
pub use refunds::{RefundLedger, RefundOpened, RefundWrite};
pub use transfers::{DayLimit, TransferChange, TransferLedger, TransferOpened};

/// A store that did not do what was asked. Says nothing of the values involved.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Surely nothing was written.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// The answer to a commit was lost: "not durable" for what is shown, "maybe durable" for what
    /// is done. Read by id before doing anything again.
    #[error("the store did not confirm: {0}")]
    Unconfirmed(String),
    /// A row that this version cannot read, or a broken invariant.
    #[error("the store holds something unexpected: {0}")]
    Corrupt(String),
}

/// A payment with its first attempt, before anything is sent.
#[derive(Debug, Clone)]
pub struct Opening {
    /// The payment; exactly one attempt, in state `sending`.
    pub payment: Payment,
    /// The routing decision of that attempt. Its version is kept already.
    pub decision: KeptDecision,
    /// What it takes of its channel's limits; each within them, and one for each limit.
    pub capacity: Vec<CapacityMove>,
    /// Movements of money, where it is there already: of an order that was made and paid elsewhere.
    pub postings: Vec<Posting>,
    /// What channels have collected by that.
    pub incomes: Vec<Income>,
}

impl Opening {
    /// Of a payment whose money is yet to come.
    pub fn new(payment: Payment, decision: KeptDecision, capacity: Vec<CapacityMove>) -> Self {
        Self { payment, decision, capacity, postings: Vec::new(), incomes: Vec::new() }
    }
}

/// What became of an [`Opening`].
#[derive(Debug, Clone)]
pub enum Opened {
    /// Stored and durable.
    New,
    /// The app has this order number already: the stored payment, untouched.
    Exists(Box<Payment>),
    /// A limit of its channel has no room for it: nothing was written.
    Full,
}

/// A change of one payment, with all that belongs to it.
#[derive(Debug, Clone)]
pub struct Change {
    /// The payment as it shall be; its version is one above `seen_version`.
    pub payment: Payment,
    /// The version that the writer saw.
    pub seen_version: i64,
    /// The attempts that differ from what the writer saw. New ones are in `added` only.
    pub touched: Vec<Touched>,
    /// A new attempt of the payment and its routing decision, whose version is kept already.
    pub added: Option<(AttemptId, KeptDecision)>,
    /// A refund that begins, moves or ends with it.
    pub refund: Option<RefundWrite>,
    /// Movements of money.
    pub postings: Vec<Posting>,
    /// What channels have collected by it: one for each channel and currency, in that order.
    pub incomes: Vec<Income>,
    /// What it takes and gives back of channels' limits: one for each limit, by channel.
    pub capacity: Vec<CapacityMove>,
    /// What the merchant is told; stored with the change, delivered later.
    pub events: Vec<Event>,
    /// The callback that caused it.
    pub callback: Option<CallbackRow>,
    /// The operator's action that caused it.
    pub audit: Option<AuditRow>,
}

/// An attempt that a change writes, and how the writer saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Touched {
    /// Which.
    pub id: AttemptId,
    /// The state that the writer saw.
    pub seen_state: AttemptState,
    /// The fencing number that the writer saw.
    pub seen_fence: i64,
}

/// What became of a [`Change`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Applied {
    /// Stored and durable.
    Done,
    /// Somebody was faster: nothing was written.
    Stale,
    /// A callback with this event key was applied before: nothing was written.
    CallbackKnown,
    /// A limit of a channel has no room for the new attempt: nothing was written.
    Full,
}

words! {
    /// What an event tells.
    EventKind {
        /// The money is there.
        PaymentSucceeded = "payment.succeeded",
        /// Every attempt was definitely refused.
        PaymentFailed = "payment.failed",
        /// Closed at the merchant's word.
        PaymentCanceled = "payment.canceled",
        /// Its time ran out unpaid.
        PaymentExpired = "payment.expired",
        /// A second attempt took money.
        PaymentDuplicatePaid = "payment.duplicate_paid",
        /// Less came in than was asked.
        PaymentUnderpaid = "payment.underpaid",
        /// Money came in that a person must look at.
        PaymentHeld = "payment.held",
        /// A refund is done.
        RefundSucceeded = "refund.succeeded",
        /// A refund was definitely not done.
        RefundFailed = "refund.failed",
        /// A refund waits for a person.
        RefundNeedsAction = "refund.needs_action",
        /// A transfer is done.
        TransferSucceeded = "transfer.succeeded",
        /// A transfer was definitely not done.
        TransferFailed = "transfer.failed",
        /// A transfer waits for a person.
        TransferNeedsAction = "transfer.needs_action",
    }
}

/// Something that a merchant is told: at least once, with this id each time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Stable over all deliveries.
    pub id: EventId,
    /// Whom it is for.
    pub app: AppId,
    /// What it tells of.
    pub subject: Subject,
    /// What it tells.
    pub kind: EventKind,
    /// Counts the events of one subject, from 1.
    pub sequence: i64,
    /// When it happened.
    pub created_at: Timestamp,
    /// The body that is delivered, byte for byte.
    pub body: String,
    /// Where to; `None` where the app has no address: stored, never delivered.
    pub url: Option<String>,
}

/// What an event tells of. A refund's events are its payment's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A payment, or a refund of it.
    Payment(PaymentId),
    /// A transfer.
    Transfer(TransferId),
}

words! {
    /// What was made of a callback.
    CallbackVerdict {
        /// It changed a payment.
        Applied = "applied",
        /// It told what was known.
        Duplicate = "duplicate",
        /// Verified, but no order of ours has that number.
        Orphan = "orphan",
        /// Verified, but it contradicts the order, or concerns nothing of ours: kept for a person.
        Quarantined = "quarantined",
        /// Its sign is wrong.
        Forged = "forged",
        /// It is not a message of this protocol.
        Unreadable = "unreadable",
    }
}

impl CallbackVerdict {
    /// Whether its sign was right. Rows that were not verified live in a bounded ring.
    pub const fn is_verified(self) -> bool {
        !matches!(self, Self::Forged | Self::Unreadable)
    }
}

/// A provider's callback as it was received. No row is unique, save that `(channel, event_key)` is
/// so among the applied ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallbackRow {
    /// Ours.
    pub id: CallbackId,
    /// The channel whose address was called.
    pub channel: ChannelId,
    /// When.
    pub received_at: Timestamp,
    /// What was sent, byte for byte.
    pub request: WireRequest,
    /// What was made of it.
    pub verdict: CallbackVerdict,
    /// What makes it the same message when it comes again; verified ones only.
    pub event_key: Option<String>,
    /// The payment it belongs to.
    pub payment: Option<PaymentId>,
    /// Why it was not applied.
    pub detail: Option<String>,
    /// How often it came, where it was verified and changed nothing: the same again is counted here.
    pub times: u32,
}

/// How many unverified callbacks a channel keeps; the oldest go first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ring {
    /// Rows.
    pub rows: u32,
    /// Bytes of all their bodies.
    pub bytes: u64,
}

/// Which payments to list, newest first.
#[derive(Debug, Clone)]
pub struct PaymentFilter {
    /// Whose.
    pub app: AppId,
    /// Only that order number.
    pub order_no: Option<OrderNo>,
    /// Only in that status.
    pub status: Option<Status>,
    /// Only made at this moment or later.
    pub from: Option<Timestamp>,
    /// Only made before this moment.
    pub to: Option<Timestamp>,
    /// Only those that come after this one in the list.
    pub after: Option<PaymentId>,
    /// At most so many.
    pub limit: u32,
}

/// An attempt that a worker has taken for a while. Its fencing number was raised by the taking.
#[derive(Debug, Clone)]
pub struct DueAttempt {
    /// Its payment, with the attempt as it is now.
    pub payment: Payment,
    /// Which attempt.
    pub attempt: AttemptId,
}

/// A key that was used for a request: the same key with another request is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Whose keys: an app and a kind of key.
    pub scope: String,
    /// The key, 1 to 255 characters.
    pub key: String,
    /// A keyed digest of the request that it stands for.
    pub digest: String,
    /// When it was claimed.
    pub at: Timestamp,
    /// Until when it must be remembered: one that is made at this moment or later finds the key free.
    pub until: Timestamp,
}

/// What became of a [`Claim`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claimed {
    /// The key was free.
    New,
    /// It stands for the same request.
    Same,
    /// It stands for another request.
    Other,
}

/// The ledger: all of it.
///
/// # Behaviour
/// - What a method has answered is durable: it survives `SIGKILL` and loss of power.
/// - A row of money is never deleted.
/// - At most one attempt of a payment is live ([`AttemptState::is_live`]); the database refuses
///   a second, whatever the code did.
/// - What of an attempt's money is set aside and has gone back is never more than it received; the
///   database refuses more, whatever the code did.
/// - A cancelled call (its future dropped) is done wholly or not at all.
pub trait Store:
    PaymentLedger + DecisionBook + RefundLedger + TransferLedger + Outbox + Desk + DayBook + ChannelBook
{
}

impl<T> Store for T where
    T: PaymentLedger + DecisionBook + RefundLedger + TransferLedger + Outbox + Desk + DayBook + ChannelBook
{
}

/// Payments, their attempts, and callbacks.
#[async_trait]
pub trait PaymentLedger: Send + Sync + 'static {
    /// Stores a payment with its first attempt, or finds the one that has its order number. An order number that is
    /// taken is found also where the channel's limits have no room.
    async fn open(&self, opening: Opening) -> Result<Opened, StoreError>;

    /// Applies a change if nobody was faster. It is stale too where it would leave an attempt with less
    /// money, or in another currency, than what is set aside and has gone back of it. A new attempt
    /// begins with neither.
    async fn apply(&self, change: Change) -> Result<Applied, StoreError>;

    /// A payment with its attempts.
    async fn payment(&self, id: PaymentId) -> Result<Option<Payment>, StoreError>;

    /// The payment that has that order number in that app.
    async fn payment_by_order(&self, app: &AppId, order_no: &OrderNo) -> Result<Option<Payment>, StoreError>;

    /// The payment that has an attempt with that number on that channel.
    async fn payment_by_number(
        &self,
        channel: &ChannelId,
        number: &str,
    ) -> Result<Option<Payment>, StoreError>;

    /// The payment of that attempt.
    async fn payment_by_attempt(&self, id: AttemptId) -> Result<Option<Payment>, StoreError>;

    /// Payments, newest first. Attempts included.
    async fn payments(&self, filter: &PaymentFilter) -> Result<Vec<Payment>, StoreError>;

    /// Keeps a callback that changes nothing. Unverified ones push out the oldest beyond `ring`, and so do,
    /// for themselves, duplicates and those of no payment that are not the first of their event key. A verified
    /// one that is kept already under that key and verdict, byte for byte but for its headers, is only counted
    /// there.
    async fn keep_callback(&self, row: CallbackRow, ring: Ring) -> Result<(), StoreError>;

    /// Takes attempts whose `check_at` has come, earliest first: raises their fencing number and
    /// moves `check_at` to `now + lease`, so that nobody else takes them meanwhile. Passes over the
    /// channels that are `busy`.
    async fn take_due_attempts(
        &self,
        now: Timestamp,
        lease: Duration,
        limit: u32,
        busy: &[ChannelId],
    ) -> Result<Vec<DueAttempt>, StoreError>;

    /// Claims a key for what was asked with it, if nobody has. Claims whose time is over count no
    /// more, and may be deleted.
    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError>;

    /// The key under which digests of requests are made: 64 characters that were drawn when the ledger
    /// was made, the same for every node and for ever. It lies apart from what is digested with it.
    async fn digest_key(&self) -> Result<Secret, StoreError>;

    /// Whether it answers and would take a write.
    async fn ping(&self) -> Result<(), StoreError>;
}
