//! Which channels there are, and where each stands in its life.

use async_trait::async_trait;
use paymux_core::catalog::Lifecycle;
use paymux_core::ids::ChannelId;
use paymux_core::store::{AuditRow, ChannelBook, ChannelRecord, StoreError};

use super::Ledger;
use crate::ops::channels::{self, Bind, Move};

#[async_trait]
impl ChannelBook for Ledger {
    async fn channel_records(&self) -> Result<Vec<ChannelRecord>, StoreError> {
        self.read("channel_records", async |db| channels::list(db).await).await
    }

    async fn bind_channels(&self, new: Vec<ChannelRecord>) -> Result<bool, StoreError> {
        self.write(Bind(new)).await
    }

    async fn move_channel(
        &self,
        id: &ChannelId,
        seen_version: i64,
        state: Lifecycle,
        audit: AuditRow,
    ) -> Result<bool, StoreError> {
        self.write(Move { id: id.clone(), seen_version, state, audit }).await
    }
}
