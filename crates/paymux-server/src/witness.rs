//! A store that lets somebody see what was stored: the worker that delivers notices is woken by it, and
//! the demo tells of it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use paymux_core::clock::Timestamp;
use paymux_core::payment::Payment;
use paymux_core::store::{
    Applied, CallbackRow, Change, DeliveryReport, DueAttempt, DueDelivery, Opened, Opening, PaymentFilter,
    Ring, StoreError,
};
use paymux_core::{AppId, ChannelId, OrderNo, PaymentId, Store};
use tokio::sync::Notify;

/// Sees what has just become durable. Must return at once.
pub trait Witness: Send + Sync + 'static {
    /// A payment was opened with its first attempt.
    fn opened(&self, opening: &Opening) {
        let _ = opening;
    }

    /// A payment was changed.
    fn applied(&self, change: &Change) {
        let _ = change;
    }

    /// A notice was tried.
    fn delivered(&self, reports: &[DeliveryReport]) {
        let _ = reports;
    }
}

/// Wakes whoever waits for notices to deliver.
impl Witness for Notify {
    fn applied(&self, change: &Change) {
        if !change.events.is_empty() {
            self.notify_one();
        }
    }
}

/// The store, with witnesses.
pub struct Witnessed {
    store: Arc<dyn Store>,
    witnesses: Vec<Arc<dyn Witness>>,
}

impl Witnessed {
    /// That store before those witnesses.
    pub fn new(store: Arc<dyn Store>, witnesses: Vec<Arc<dyn Witness>>) -> Self {
        Self { store, witnesses }
    }
}

#[async_trait]
impl Store for Witnessed {
    async fn open(&self, opening: Opening) -> Result<Opened, StoreError> {
        let seen = opening.clone();
        let opened = self.store.open(opening).await?;
        if matches!(opened, Opened::New) {
            self.witnesses.iter().for_each(|witness| witness.opened(&seen));
        }
        Ok(opened)
    }

    async fn apply(&self, change: Change) -> Result<Applied, StoreError> {
        let seen = change.clone();
        let applied = self.store.apply(change).await?;
        if applied == Applied::Done {
            self.witnesses.iter().for_each(|witness| witness.applied(&seen));
        }
        Ok(applied)
    }

    async fn payment(&self, id: PaymentId) -> Result<Option<Payment>, StoreError> {
        self.store.payment(id).await
    }

    async fn payment_by_order(&self, app: &AppId, order_no: &OrderNo) -> Result<Option<Payment>, StoreError> {
        self.store.payment_by_order(app, order_no).await
    }

    async fn payment_by_number(
        &self,
        channel: &ChannelId,
        number: &str,
    ) -> Result<Option<Payment>, StoreError> {
        self.store.payment_by_number(channel, number).await
    }

    async fn payments(&self, filter: &PaymentFilter) -> Result<Vec<Payment>, StoreError> {
        self.store.payments(filter).await
    }

    async fn keep_callback(&self, row: CallbackRow, ring: Ring) -> Result<(), StoreError> {
        self.store.keep_callback(row, ring).await
    }

    async fn take_due_attempts(
        &self,
        now: Timestamp,
        lease: Duration,
        limit: u32,
    ) -> Result<Vec<DueAttempt>, StoreError> {
        self.store.take_due_attempts(now, lease, limit).await
    }

    async fn take_due_deliveries(
        &self,
        now: Timestamp,
        lease: Duration,
        limit: u32,
        per_app: u32,
    ) -> Result<Vec<DueDelivery>, StoreError> {
        self.store.take_due_deliveries(now, lease, limit, per_app).await
    }

    async fn report_deliveries(&self, reports: Vec<DeliveryReport>) -> Result<(), StoreError> {
        let seen = reports.clone();
        self.store.report_deliveries(reports).await?;
        self.witnesses.iter().for_each(|witness| witness.delivered(&seen));
        Ok(())
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.store.ping().await
    }
}
