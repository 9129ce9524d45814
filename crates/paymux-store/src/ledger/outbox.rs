//! Events and their deliveries.

use std::time::Duration;

use async_trait::async_trait;
use paymux_core::clock::Timestamp;
use paymux_core::ids::AppId;
use paymux_core::store::{
    DeliveryReport, DueDelivery, EventFilter, ListedEvent, Outbox, Redelivery, StoreError,
};

use super::Ledger;
use crate::ops::deliveries::{Report, TakeDeliveries};
use crate::ops::events::{self, Redeliver};

#[async_trait]
impl Outbox for Ledger {
    async fn take_due_deliveries(
        &self,
        now: Timestamp,
        lease: Duration,
        limit: u32,
        per_app: u32,
        busy: &[AppId],
    ) -> Result<Vec<DueDelivery>, StoreError> {
        self.write(TakeDeliveries { now, lease, limit, per_app, busy: busy.to_vec() }).await
    }

    async fn report_deliveries(&self, reports: Vec<DeliveryReport>) -> Result<(), StoreError> {
        if reports.is_empty() {
            return Ok(());
        }
        self.write(Report(reports)).await
    }

    async fn events(&self, filter: &EventFilter) -> Result<Vec<ListedEvent>, StoreError> {
        self.read("events", async |db| events::list(db, filter).await).await
    }

    async fn redeliver(&self, app: &AppId, which: Redelivery, now: Timestamp) -> Result<u64, StoreError> {
        self.write(Redeliver { app: app.clone(), which, now }).await
    }
}
