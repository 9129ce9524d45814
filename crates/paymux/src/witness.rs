//! A store that lets somebody see what was stored: the worker that delivers notices is woken by it, and
//! the demo tells of it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use paymux_core::catalog::Lifecycle;
use paymux_core::clock::Timestamp;
use paymux_core::day::Day;
use paymux_core::ids::{AuditId, CallbackId, RefundNo, TransferNo};
use paymux_core::payment::Payment;
use paymux_core::router::VersionDigest;
use paymux_core::store::{
    Applied, AuditRow, CallbackFilter, CallbackRow, CapacityFigure, Change, ChannelBook, ChannelRecord,
    ChannelUse, Claim, Claimed, ConfigVersion, DayBook, DayFigure, DayLimit, DecisionBook, DeliveryReport,
    Desk, DueAttempt, DueDelivery, EventFilter, KeptDecision, ListedEvent, Opened, Opening, OrderLine,
    Outbox, Patience, PaymentFilter, PaymentLedger, QueueCounts, QueueFilter, QueueItem, Redelivery,
    RefundLedger, RefundLine, RefundOpened, Ring, StoreError, TransferChange, TransferLedger, TransferOpened,
    Window,
};
use paymux_core::{
    AppId, AttemptId, ChannelId, OrderNo, PaymentId, Refund, RefundId, Secret, Store, Transfer, TransferId,
};
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

    /// A transfer was changed.
    fn transferred(&self, change: &TransferChange) {
        let _ = change;
    }

    /// Somebody asked for notices once more.
    fn asked_again(&self) {}

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

    fn transferred(&self, change: &TransferChange) {
        if !change.events.is_empty() {
            self.notify_one();
        }
    }

    fn asked_again(&self) {
        self.notify_one();
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

    fn tell(&self, tell: impl FnMut(&Arc<dyn Witness>)) {
        self.witnesses.iter().for_each(tell);
    }
}

#[async_trait]
impl PaymentLedger for Witnessed {
    async fn open(&self, opening: Opening) -> Result<Opened, StoreError> {
        let seen = opening.clone();
        let opened = self.store.open(opening).await?;
        if matches!(opened, Opened::New) {
            self.tell(|witness| witness.opened(&seen));
        }
        Ok(opened)
    }

    async fn apply(&self, change: Change) -> Result<Applied, StoreError> {
        let seen = change.clone();
        let applied = self.store.apply(change).await?;
        if applied == Applied::Done {
            self.tell(|witness| witness.applied(&seen));
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

    async fn payment_by_attempt(&self, id: AttemptId) -> Result<Option<Payment>, StoreError> {
        self.store.payment_by_attempt(id).await
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
        busy: &[ChannelId],
    ) -> Result<Vec<DueAttempt>, StoreError> {
        self.store.take_due_attempts(now, lease, limit, busy).await
    }

    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
        self.store.claim(claim).await
    }

    async fn digest_key(&self) -> Result<Secret, StoreError> {
        self.store.digest_key().await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.store.ping().await
    }
}

#[async_trait]
impl RefundLedger for Witnessed {
    async fn open_refund(&self, refund: Refund) -> Result<RefundOpened, StoreError> {
        self.store.open_refund(refund).await
    }

    async fn refund(&self, id: RefundId) -> Result<Option<Refund>, StoreError> {
        self.store.refund(id).await
    }

    async fn refund_by_no(&self, app: &AppId, refund_no: &RefundNo) -> Result<Option<Refund>, StoreError> {
        self.store.refund_by_no(app, refund_no).await
    }

    async fn refund_by_number(
        &self,
        channel: &ChannelId,
        number: &str,
    ) -> Result<Option<Refund>, StoreError> {
        self.store.refund_by_number(channel, number).await
    }

    async fn refunds_of(
        &self,
        payment: PaymentId,
        after: Option<RefundId>,
        limit: u32,
    ) -> Result<Vec<Refund>, StoreError> {
        self.store.refunds_of(payment, after, limit).await
    }

    async fn refunds_of_app(
        &self,
        app: &AppId,
        after: Option<RefundId>,
        limit: u32,
    ) -> Result<Vec<Refund>, StoreError> {
        self.store.refunds_of_app(app, after, limit).await
    }

    async fn take_due_refunds(
        &self,
        now: Timestamp,
        lease: Duration,
        limit: u32,
    ) -> Result<Vec<Refund>, StoreError> {
        self.store.take_due_refunds(now, lease, limit).await
    }
}

#[async_trait]
impl TransferLedger for Witnessed {
    async fn open_transfer(&self, transfer: Transfer, limit: DayLimit) -> Result<TransferOpened, StoreError> {
        self.store.open_transfer(transfer, limit).await
    }

    async fn apply_transfer(&self, change: TransferChange) -> Result<Applied, StoreError> {
        let seen = change.clone();
        let applied = self.store.apply_transfer(change).await?;
        if applied == Applied::Done {
            self.tell(|witness| witness.transferred(&seen));
        }
        Ok(applied)
    }

    async fn transfer(&self, id: TransferId) -> Result<Option<Transfer>, StoreError> {
        self.store.transfer(id).await
    }

    async fn transfer_by_no(&self, app: &AppId, no: &TransferNo) -> Result<Option<Transfer>, StoreError> {
        self.store.transfer_by_no(app, no).await
    }

    async fn transfer_by_number(
        &self,
        channel: &ChannelId,
        number: &str,
    ) -> Result<Option<Transfer>, StoreError> {
        self.store.transfer_by_number(channel, number).await
    }

    async fn transfers_of_app(
        &self,
        app: &AppId,
        after: Option<TransferId>,
        limit: u32,
    ) -> Result<Vec<Transfer>, StoreError> {
        self.store.transfers_of_app(app, after, limit).await
    }

    async fn take_due_transfers(
        &self,
        now: Timestamp,
        lease: Duration,
        limit: u32,
    ) -> Result<Vec<Transfer>, StoreError> {
        self.store.take_due_transfers(now, lease, limit).await
    }
}

#[async_trait]
impl Outbox for Witnessed {
    async fn take_due_deliveries(
        &self,
        now: Timestamp,
        lease: Duration,
        limit: u32,
        per_app: u32,
        busy: &[AppId],
    ) -> Result<Vec<DueDelivery>, StoreError> {
        self.store.take_due_deliveries(now, lease, limit, per_app, busy).await
    }

    async fn report_deliveries(&self, reports: Vec<DeliveryReport>) -> Result<(), StoreError> {
        let seen = reports.clone();
        self.store.report_deliveries(reports).await?;
        self.tell(|witness| witness.delivered(&seen));
        Ok(())
    }

    async fn events(&self, filter: &EventFilter) -> Result<Vec<ListedEvent>, StoreError> {
        self.store.events(filter).await
    }

    async fn redeliver(&self, app: &AppId, which: Redelivery, now: Timestamp) -> Result<u64, StoreError> {
        let count = self.store.redeliver(app, which, now).await?;
        if count > 0 {
            self.tell(|witness| witness.asked_again());
        }
        Ok(count)
    }
}

#[async_trait]
impl DecisionBook for Witnessed {
    async fn keep_version(&self, version: ConfigVersion) -> Result<(), StoreError> {
        self.store.keep_version(version).await
    }

    async fn version(&self, digest: &VersionDigest) -> Result<Option<ConfigVersion>, StoreError> {
        self.store.version(digest).await
    }

    async fn decision(&self, attempt: AttemptId) -> Result<Option<KeptDecision>, StoreError> {
        self.store.decision(attempt).await
    }
}

#[async_trait]
impl ChannelBook for Witnessed {
    async fn channel_records(&self) -> Result<Vec<ChannelRecord>, StoreError> {
        self.store.channel_records().await
    }

    async fn bind_channels(&self, new: Vec<ChannelRecord>) -> Result<bool, StoreError> {
        self.store.bind_channels(new).await
    }

    async fn move_channel(
        &self,
        id: &ChannelId,
        seen_version: i64,
        state: Lifecycle,
        audit: AuditRow,
    ) -> Result<bool, StoreError> {
        self.store.move_channel(id, seen_version, state, audit).await
    }
}

#[async_trait]
impl DayBook for Witnessed {
    async fn day_figures(&self, day: Day) -> Result<Vec<DayFigure>, StoreError> {
        self.store.day_figures(day).await
    }

    async fn last_completed(&self) -> Result<Vec<(ChannelId, Timestamp)>, StoreError> {
        self.store.last_completed().await
    }

    async fn capacity_figures(&self, day: Day) -> Result<Vec<CapacityFigure>, StoreError> {
        self.store.capacity_figures(day).await
    }
}

#[async_trait]
impl Desk for Witnessed {
    async fn queue(&self, filter: &QueueFilter) -> Result<Vec<QueueItem>, StoreError> {
        self.store.queue(filter).await
    }

    async fn queue_counts(&self, patience: Patience) -> Result<QueueCounts, StoreError> {
        self.store.queue_counts(patience).await
    }

    async fn callbacks(&self, filter: &CallbackFilter) -> Result<Vec<CallbackRow>, StoreError> {
        self.store.callbacks(filter).await
    }

    async fn settle_callback(&self, id: CallbackId, audit: AuditRow) -> Result<bool, StoreError> {
        self.store.settle_callback(id, audit).await
    }

    async fn audit(&self, before: Option<AuditId>, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
        self.store.audit(before, limit).await
    }

    async fn order_lines(&self, window: &Window) -> Result<Vec<OrderLine>, StoreError> {
        self.store.order_lines(window).await
    }

    async fn refund_lines(&self, window: &Window) -> Result<Vec<RefundLine>, StoreError> {
        self.store.refund_lines(window).await
    }

    async fn channel_use(&self, channel: &ChannelId) -> Result<ChannelUse, StoreError> {
        self.store.channel_use(channel).await
    }
}
