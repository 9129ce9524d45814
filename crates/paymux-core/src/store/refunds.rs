//! Refunds.

use std::time::Duration;

use async_trait::async_trait;

use super::StoreError;
use crate::clock::Timestamp;
use crate::ids::{AppId, ChannelId, PaymentId, RefundId, RefundNo};
use crate::outflow::OutflowState;
use crate::refund::Refund;

/// What a change of a payment does to one refund of it. In each case the amount that the attempt has
/// set aside and given back follows the refund's state, in the same transaction.
#[derive(Debug, Clone)]
pub enum RefundWrite {
    /// A new one, whatever the state of its attempt, which may be new too. If its amount does not fit any
    /// more, the change is stale; what was received in another currency holds nothing of it.
    Begin(Refund),
    /// One that moves on, as it shall be; what was agreed at its beginning stays. If its attempt has not
    /// received so much, the change is stale; a step that moves no money asks nothing of the attempt.
    Step {
        /// The refund.
        refund: Refund,
        /// The state that the writer saw.
        seen_state: OutflowState,
        /// The fencing number that the writer saw.
        seen_fence: i64,
    },
}

impl RefundWrite {
    /// The refund as it shall be.
    pub fn refund(&self) -> &Refund {
        match self {
            Self::Begin(refund) | Self::Step { refund, .. } => refund,
        }
    }

    /// By how much of the refund's amount its attempt's `refunding` and `refunded` change: -1, 0 or 1.
    pub fn shift(&self) -> (i64, i64) {
        let seen = match self {
            Self::Begin(_) => None,
            Self::Step { seen_state, .. } => Some(*seen_state),
        };
        let reserves = |state: OutflowState| i64::from(state.reserves());
        let is_done = |state: OutflowState| i64::from(state == OutflowState::Succeeded);
        let now = self.refund().state;
        (reserves(now) - seen.map_or(0, reserves), is_done(now) - seen.map_or(0, is_done))
    }
}

/// What became of a new refund.
#[derive(Debug, Clone)]
pub enum RefundOpened {
    /// Stored and durable, its amount set aside.
    New,
    /// The app has this refund number already: the stored refund, untouched.
    Exists(Box<Refund>),
    /// The attempt is not there or not paid, or less than its amount is left in its currency. Nothing
    /// was written.
    TooLarge,
}

/// Refunds. They move on by [`super::PaymentLedger::apply`], with their payment.
#[async_trait]
pub trait RefundLedger: Send + Sync + 'static {
    /// Stores a new refund and sets its amount aside on its attempt, if the attempt is `paid`, the amount
    /// is left, nothing of it is contested and no close may act on it when the refund is made, in one statement that no other can come between; or finds the one that has
    /// its number. The payment's version stays as it is.
    async fn open_refund(&self, refund: Refund) -> Result<RefundOpened, StoreError>;

    /// A refund.
    async fn refund(&self, id: RefundId) -> Result<Option<Refund>, StoreError>;

    /// The refund that has that number in that app.
    async fn refund_by_no(&self, app: &AppId, refund_no: &RefundNo) -> Result<Option<Refund>, StoreError>;

    /// The refund that has that number on that channel.
    async fn refund_by_number(&self, channel: &ChannelId, number: &str)
    -> Result<Option<Refund>, StoreError>;

    /// Refunds of a payment, oldest first: `limit` at the most, and only those that come after `after` in
    /// the list. After one that is not there comes none.
    async fn refunds_of(
        &self,
        payment: PaymentId,
        after: Option<RefundId>,
        limit: u32,
    ) -> Result<Vec<Refund>, StoreError>;

    /// Refunds of an app, by their ids, the greatest first: `limit` at the most, and only those whose ids come after
    /// `after` in the list.
    async fn refunds_of_app(
        &self,
        app: &AppId,
        after: Option<RefundId>,
        limit: u32,
    ) -> Result<Vec<Refund>, StoreError>;

    /// Takes refunds whose `check_at` has come, as [`super::PaymentLedger::take_due_attempts`].
    async fn take_due_refunds(
        &self,
        now: Timestamp,
        lease: Duration,
        limit: u32,
    ) -> Result<Vec<Refund>, StoreError>;
}
