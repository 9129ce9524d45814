//! What operators see.

use async_trait::async_trait;
use paymux_core::ids::{AuditId, CallbackId, ChannelId};
use paymux_core::store::{
    AuditRow, CallbackFilter, CallbackRow, ChannelUse, Desk, OrderLine, Patience, QueueCounts, QueueFilter,
    QueueItem, RefundLine, StoreError, Window,
};

use super::Ledger;
use crate::ops::desk::{self, SettleCallback};
use crate::ops::queue;

#[async_trait]
impl Desk for Ledger {
    async fn queue(&self, filter: &QueueFilter) -> Result<Vec<QueueItem>, StoreError> {
        self.read("queue", async |db| queue::list(db, filter).await).await
    }

    async fn queue_counts(&self, patience: Patience) -> Result<QueueCounts, StoreError> {
        self.read("queue_counts", async |db| queue::counts(db, patience).await).await
    }

    async fn callbacks(&self, filter: &CallbackFilter) -> Result<Vec<CallbackRow>, StoreError> {
        self.read("callbacks", async |db| desk::callbacks(db, filter).await).await
    }

    async fn settle_callback(&self, id: CallbackId, audit: AuditRow) -> Result<bool, StoreError> {
        self.write(SettleCallback { id, audit }).await
    }

    async fn audit(&self, before: Option<AuditId>, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
        self.read("audit", async |db| desk::audit(db, before, limit).await).await
    }

    async fn order_lines(&self, window: &Window) -> Result<Vec<OrderLine>, StoreError> {
        self.read("order_lines", async |db| desk::order_lines(db, window).await).await
    }

    async fn refund_lines(&self, window: &Window) -> Result<Vec<RefundLine>, StoreError> {
        self.read("refund_lines", async |db| desk::refund_lines(db, window).await).await
    }

    async fn channel_use(&self, channel: &ChannelId) -> Result<ChannelUse, StoreError> {
        self.read("channel_use", async |db| desk::channel_use(db, channel).await).await
    }
}
