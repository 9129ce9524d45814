//! Transfers.

use std::time::Duration;

use async_trait::async_trait;
use paymux_core::clock::Timestamp;
use paymux_core::ids::{AppId, ChannelId, TransferId, TransferNo};
use paymux_core::store::{Applied, DayLimit, StoreError, TransferChange, TransferLedger, TransferOpened};
use paymux_core::transfer::Transfer;

use super::Ledger;
use crate::ops::outflows::{self, TakeOutflows};
use crate::ops::transfers::{ApplyTransfer, OpenTransfer};

#[async_trait]
impl TransferLedger for Ledger {
    async fn open_transfer(&self, transfer: Transfer, limit: DayLimit) -> Result<TransferOpened, StoreError> {
        self.write(OpenTransfer { transfer, limit }).await
    }

    async fn apply_transfer(&self, change: TransferChange) -> Result<Applied, StoreError> {
        self.write(ApplyTransfer(change)).await
    }

    async fn transfer(&self, id: TransferId) -> Result<Option<Transfer>, StoreError> {
        self.read("transfer", async |db| outflows::by_id(db, id.to_string()).await).await
    }

    async fn transfer_by_no(&self, app: &AppId, no: &TransferNo) -> Result<Option<Transfer>, StoreError> {
        self.read("transfer_by_no", async |db| outflows::by_no(db, app, no.as_str()).await).await
    }

    async fn transfer_by_number(
        &self,
        channel: &ChannelId,
        number: &str,
    ) -> Result<Option<Transfer>, StoreError> {
        self.read("transfer_by_number", async |db| outflows::by_number(db, channel, number).await).await
    }

    async fn transfers_of_app(
        &self,
        app: &AppId,
        after: Option<TransferId>,
        limit: u32,
    ) -> Result<Vec<Transfer>, StoreError> {
        let after = after.map(|after| after.to_string());
        self.read("transfers_of_app", async |db| outflows::of_app(db, app, after.clone(), limit).await).await
    }

    async fn take_due_transfers(
        &self,
        now: Timestamp,
        lease: Duration,
        limit: u32,
    ) -> Result<Vec<Transfer>, StoreError> {
        self.write(TakeOutflows::new(now, lease, limit)).await
    }
}
