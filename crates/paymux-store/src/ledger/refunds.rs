//! Refunds.

use std::time::Duration;

use async_trait::async_trait;
use paymux_core::clock::Timestamp;
use paymux_core::ids::{AppId, ChannelId, PaymentId, RefundId, RefundNo};
use paymux_core::refund::Refund;
use paymux_core::store::{RefundLedger, RefundOpened, StoreError};

use super::Ledger;
use crate::ops::outflows::{self, TakeOutflows};
use crate::ops::refunds::OpenRefund;

#[async_trait]
impl RefundLedger for Ledger {
    async fn open_refund(&self, refund: Refund) -> Result<RefundOpened, StoreError> {
        self.write(OpenRefund::new(refund)).await
    }

    async fn refund(&self, id: RefundId) -> Result<Option<Refund>, StoreError> {
        self.read("refund", async |db| outflows::by_id(db, id.to_string()).await).await
    }

    async fn refund_by_no(&self, app: &AppId, refund_no: &RefundNo) -> Result<Option<Refund>, StoreError> {
        self.read("refund_by_no", async |db| outflows::by_no(db, app, refund_no.as_str()).await).await
    }

    async fn refund_by_number(
        &self,
        channel: &ChannelId,
        number: &str,
    ) -> Result<Option<Refund>, StoreError> {
        self.read("refund_by_number", async |db| outflows::by_number(db, channel, number).await).await
    }

    async fn refunds_of(
        &self,
        payment: PaymentId,
        after: Option<RefundId>,
        limit: u32,
    ) -> Result<Vec<Refund>, StoreError> {
        self.read("refunds_of", async |db| outflows::of_payment(db, payment, after, limit).await).await
    }

    async fn refunds_of_app(
        &self,
        app: &AppId,
        after: Option<RefundId>,
        limit: u32,
    ) -> Result<Vec<Refund>, StoreError> {
        let after = after.map(|after| after.to_string());
        self.read("refunds_of_app", async |db| outflows::of_app(db, app, after.clone(), limit).await).await
    }

    async fn take_due_refunds(
        &self,
        now: Timestamp,
        lease: Duration,
        limit: u32,
    ) -> Result<Vec<Refund>, StoreError> {
        self.write(TakeOutflows::new(now, lease, limit)).await
    }
}
