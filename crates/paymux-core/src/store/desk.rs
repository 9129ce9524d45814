//! What operators see: what waits for a person, what providers sent, who did what, and the ledger's
//! own lines for a comparison with a provider's.

use std::collections::BTreeMap;

use async_trait::async_trait;
use serde::Serialize;

use super::{CallbackRow, CallbackVerdict, StoreError};
use crate::clock::Timestamp;
use crate::ids::{AppId, AuditId, CallbackId, ChannelId, PaymentId};
use crate::money::Money;
use crate::outflow::OutflowState;
use crate::payment::{AttemptState, Status};
use crate::words::words;

words! {
    /// Why something waits for a person.
    QueueKind {
        /// Nobody knows what became of an attempt, for longer than usual, or its order is long over and
        /// nobody could end it. What is unknown and holds money waits as this alone.
        AttemptUnknown = "attempt_unknown",
        /// Money came in that is not its payment's success, or a close may have sent it back although it
        /// is, and nothing is being done about it
        /// ([`crate::payment::Attempt::holds_money`]).
        MoneyHeld = "money_held",
        /// Nobody knows what became of a refund, or its provider has had it under way, for longer than
        /// usual.
        RefundUnknown = "refund_unknown",
        /// A refund waits for a person.
        RefundNeedsAction = "refund_needs_action",
        /// Nobody knows what became of a transfer, or its provider has had it under way, for longer than
        /// usual.
        TransferUnknown = "transfer_unknown",
        /// A transfer waits for a person.
        TransferNeedsAction = "transfer_needs_action",
        /// A verified callback that fits nothing of ours, or contradicts it, and that nobody has settled.
        CallbackUnmatched = "callback_unmatched",
        /// A notice that no merchant took, and that nothing tries any more.
        NoticeDead = "notice_dead",
    }
}

/// Something that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueItem {
    /// Why.
    pub kind: QueueKind,
    /// The attempt, refund, transfer, callback or event.
    pub id: String,
    /// Whose it is.
    pub app: Option<AppId>,
    /// The payment that it belongs to.
    pub payment: Option<PaymentId>,
    /// The account.
    pub channel: Option<ChannelId>,
    /// How much it is about: of an attempt what it holds ([`crate::payment::Attempt::held`]), else what
    /// was asked. `None` for callbacks and notices.
    pub amount: Option<Money>,
    /// When it was made; of a callback, when it came.
    pub since: Timestamp,
    /// What was seen last, for a person: how the last answer read, why a callback was not applied, what
    /// the last delivery saw.
    pub detail: Option<String>,
}

/// From when on what may still end by itself waits for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    /// What is unknown waits if it was made before this moment.
    pub unknown_before: Timestamp,
    /// An attempt that is open waits if its order was to end before this moment
    /// ([`crate::payment::Attempt::is_overdue`]).
    pub ended_before: Timestamp,
    /// What a provider has under way on its way out waits if it was sent before this moment.
    pub sent_before: Timestamp,
}

/// Which items to list, oldest first, and by id, byte by byte, where two are as old.
#[derive(Debug, Clone)]
pub struct QueueFilter {
    /// Only of this kind.
    pub kind: Option<QueueKind>,
    /// From when on what may still end by itself counts.
    pub patience: Patience,
    /// Only those that come after this moment and id.
    pub after: Option<(Timestamp, String)>,
    /// At most so many.
    pub limit: u32,
}

/// How many items wait, by kind; kinds without any are absent.
pub type QueueCounts = BTreeMap<QueueKind, u64>;

/// One line of the audit trail: never changed, never deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditRow {
    /// Ours; later ones sort later.
    pub id: AuditId,
    /// When.
    pub at: Timestamp,
    /// Which operator.
    pub operator: String,
    /// What was done, such as `attempt.resolve`.
    pub action: String,
    /// To what: an id.
    pub target: String,
    /// As it was, as JSON.
    pub before: serde_json::Value,
    /// As it is, as JSON.
    pub after: serde_json::Value,
    /// The operator's words.
    pub note: String,
    /// The request.
    pub request_id: String,
}

/// Which callbacks to list, newest first.
#[derive(Debug, Clone)]
pub struct CallbackFilter {
    /// Only of this payment.
    pub payment: Option<PaymentId>,
    /// Only of this channel.
    pub channel: Option<ChannelId>,
    /// Only with this verdict.
    pub verdict: Option<CallbackVerdict>,
    /// Only those that come after this one in the list.
    pub after: Option<(Timestamp, CallbackId)>,
    /// At most so many.
    pub limit: u32,
}

/// A while on one channel.
#[derive(Debug, Clone)]
pub struct Window {
    /// The channel.
    pub channel: ChannelId,
    /// From this moment.
    pub from: Timestamp,
    /// Before this one.
    pub to: Timestamp,
    /// Only those whose number sorts after this one, byte by byte.
    pub after: Option<String>,
    /// At most so many.
    pub limit: u32,
}

/// One attempt, for a comparison with the provider's records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderLine {
    /// Its number there.
    pub number: String,
    /// The payment.
    pub payment: PaymentId,
    /// Where the attempt stands.
    pub state: AttemptState,
    /// Where the payment stands.
    pub status: Status,
    /// What was asked.
    pub amount: Money,
    /// What came in.
    pub received: Option<Money>,
    /// Whether a person has found that a close had sent that back.
    pub reversed: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

/// One refund, for a comparison with the provider's records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundLine {
    /// Its number there.
    pub number: String,
    /// The payment.
    pub payment: PaymentId,
    /// Where it stands.
    pub state: OutflowState,
    /// How much.
    pub amount: Money,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What a channel has had to do with money, for whoever wants to take it away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ChannelUse {
    /// Whether an attempt, a refund or a transfer of it is still to be looked at.
    pub is_unended: bool,
    /// When the last of its orders ends, or ended.
    pub last_end: Option<Timestamp>,
}

/// What operators see.
#[async_trait]
pub trait Desk: Send + Sync + 'static {
    /// What waits for a person, oldest first. Nothing waits under two kinds at once.
    async fn queue(&self, filter: &QueueFilter) -> Result<Vec<QueueItem>, StoreError>;

    /// How much waits for a person.
    async fn queue_counts(&self, patience: Patience) -> Result<QueueCounts, StoreError>;

    /// What providers sent, newest first.
    async fn callbacks(&self, filter: &CallbackFilter) -> Result<Vec<CallbackRow>, StoreError>;

    /// Notes that a person has seen to a callback that waited, with the audit line that says so.
    /// `false` where there is none of that id that waits; nothing is written then.
    async fn settle_callback(&self, id: CallbackId, audit: AuditRow) -> Result<bool, StoreError>;

    /// The audit trail, newest first, only lines before `before`.
    async fn audit(&self, before: Option<AuditId>, limit: u32) -> Result<Vec<AuditRow>, StoreError>;

    /// The attempts that were made on a channel in a while, by number.
    async fn order_lines(&self, window: &Window) -> Result<Vec<OrderLine>, StoreError>;

    /// The refunds that were made on a channel in a while, by number.
    async fn refund_lines(&self, window: &Window) -> Result<Vec<RefundLine>, StoreError>;

    /// What a channel has had to do with money. Looks through all of its orders.
    async fn channel_use(&self, channel: &ChannelId) -> Result<ChannelUse, StoreError>;
}
