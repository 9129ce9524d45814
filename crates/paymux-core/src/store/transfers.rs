//! Transfers.

use std::time::Duration;

use async_trait::async_trait;

use super::{Applied, AuditRow, CallbackRow, Event, StoreError};
use crate::clock::Timestamp;
use crate::ids::{AppId, ChannelId, TransferId, TransferNo};
use crate::outflow::OutflowState;
use crate::posting::Posting;
use crate::transfer::Transfer;

/// How much an app's transfers in one currency may come to in a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayLimit {
    /// Those made at this moment or later count, unless they have failed.
    pub from: Timestamp,
    /// The most, in minor units, the new one included, whenever that is made.
    pub amount_max: i64,
}

/// What became of a new transfer.
#[derive(Debug, Clone)]
pub enum TransferOpened {
    /// Stored and durable.
    New,
    /// The app has this transfer number already: the stored transfer, untouched.
    Exists(Box<Transfer>),
    /// The day's limit would be passed. Nothing was written.
    OverLimit,
}

/// A change of one transfer, with all that belongs to it.
#[derive(Debug, Clone)]
pub struct TransferChange {
    /// As it shall be.
    pub transfer: Transfer,
    /// The state that the writer saw.
    pub seen_state: OutflowState,
    /// The fencing number that the writer saw.
    pub seen_fence: i64,
    /// Movements of money.
    pub postings: Vec<Posting>,
    /// What the merchant is told.
    pub events: Vec<Event>,
    /// The callback that caused it.
    pub callback: Option<CallbackRow>,
    /// The operator's action that caused it.
    pub audit: Option<AuditRow>,
}

/// Transfers.
#[async_trait]
pub trait TransferLedger: Send + Sync + 'static {
    /// Stores a new transfer if the day's limit is kept, or finds the one that has its number. Two at
    /// once never pass the limit together.
    async fn open_transfer(&self, transfer: Transfer, limit: DayLimit) -> Result<TransferOpened, StoreError>;

    /// Applies a change if nobody was faster. What was agreed at the beginning stays.
    async fn apply_transfer(&self, change: TransferChange) -> Result<Applied, StoreError>;

    /// A transfer.
    async fn transfer(&self, id: TransferId) -> Result<Option<Transfer>, StoreError>;

    /// The transfer that has that number in that app.
    async fn transfer_by_no(&self, app: &AppId, no: &TransferNo) -> Result<Option<Transfer>, StoreError>;

    /// The transfer that has that number on that channel.
    async fn transfer_by_number(
        &self,
        channel: &ChannelId,
        number: &str,
    ) -> Result<Option<Transfer>, StoreError>;

    /// Transfers of an app, by their ids, the greatest first: `limit` at the most, and only those whose ids come after
    /// `after` in the list.
    async fn transfers_of_app(
        &self,
        app: &AppId,
        after: Option<TransferId>,
        limit: u32,
    ) -> Result<Vec<Transfer>, StoreError>;

    /// Takes transfers whose `check_at` has come, as [`super::PaymentLedger::take_due_attempts`].
    async fn take_due_transfers(
        &self,
        now: Timestamp,
        lease: Duration,
        limit: u32,
    ) -> Result<Vec<Transfer>, StoreError>;
}
