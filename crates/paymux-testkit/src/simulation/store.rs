//! The ledger as one node sees it: a store somewhere else, whose writes wait in a queue, commit together
//! and are answered later, so that a crash in between loses a write, or only its answer.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use paymux_core::catalog::Lifecycle;
use paymux_core::clock::Timestamp;
use paymux_core::day::Day;
use paymux_core::ids::{
    AppId, AttemptId, AuditId, CallbackId, ChannelId, OrderNo, PaymentId, RefundId, RefundNo, TransferId,
    TransferNo,
};
use paymux_core::payment::Payment;
use paymux_core::refund::Refund;
use paymux_core::router::VersionDigest;
use paymux_core::secret::Secret;
use paymux_core::store::{
    Applied, AuditRow, CallbackFilter, CallbackRow, CapacityFigure, Change, ChannelBook, ChannelRecord,
    ChannelUse, Claim, Claimed, ConfigVersion, DayBook, DayFigure, DayLimit, DecisionBook, DeliveryReport,
    Desk, DueAttempt, DueDelivery, EventFilter, KeptDecision, ListedEvent, Opened, Opening, OrderLine,
    Outbox, Patience, PaymentFilter, PaymentLedger, QueueCounts, QueueFilter, QueueItem, Redelivery,
    RefundLedger, RefundLine, RefundOpened, Ring, StoreError, TransferChange, TransferLedger, TransferOpened,
    Window,
};
use paymux_core::transfer::Transfer;
use tokio::sync::oneshot;

use super::calls::{RecordedCall, StoreAnswer as A, StoreCall as C, StoreOutcome, brief, told};
use super::faults::Fault;
use super::node::Life;
use super::world::World;
use crate::MemoryStore;

/// How long a commit takes where nothing is wrong, in milliseconds.
const COMMIT_MS_MAX: i64 = 4;
/// How long it takes where the disk or the network is slow.
const SLOW_MS_MAX: i64 = 8_000;
/// How long the store can be away.
const AWAY_MS_MAX: i64 = 40_000;

/// The store itself: it outlives every node.
#[derive(Debug)]
pub(super) struct Disk {
    /// What is durable.
    pub(super) store: MemoryStore,
    record: Option<Mutex<Vec<RecordedCall>>>,
    away_until: Mutex<i64>,
}

impl Disk {
    /// An empty one that notes its calls, or not.
    pub(super) fn new(records: bool) -> Self {
        Self {
            store: MemoryStore::new(),
            record: records.then(Mutex::default),
            away_until: Mutex::new(i64::MIN),
        }
    }

    /// The calls so far, in the order in which they took effect.
    pub(super) fn recorded(&self) -> Vec<RecordedCall> {
        let calls = self.record.as_ref();
        calls.map_or_else(Vec::new, |calls| calls.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }

    /// Nobody reaches it until then.
    fn go_away(&self, until: i64) {
        *self.away_until.lock().unwrap_or_else(PoisonError::into_inner) = until;
    }

    fn is_away(&self, now: i64) -> bool {
        now < *self.away_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a call take effect. Boxed, since every method of the ledger has room for one.
    async fn perform(&self, call: C) -> StoreOutcome {
        let Some(record) = &self.record else { return Box::pin(call.perform(&self.store)).await };
        let copy = call.clone();
        let outcome = Box::pin(call.perform(&self.store)).await;
        let recorded = RecordedCall { call: copy, answer: told(&outcome) };
        record.lock().unwrap_or_else(PoisonError::into_inner).push(recorded);
        outcome
    }
}

/// One node's way to the store, for one life of its process.
pub(super) struct NodeStore {
    world: Arc<World>,
    life: Arc<Life>,
    batch: Arc<Mutex<Batch>>,
}

/// Writes that wait for their commit.
type Batch = Vec<(C, oneshot::Sender<StoreOutcome>)>;

impl NodeStore {
    /// The way of that life.
    pub(super) fn new(world: Arc<World>, life: Arc<Life>) -> Self {
        Self { world, life, batch: Arc::default() }
    }

    async fn ask(&self, call: C) -> StoreOutcome {
        self.life.pass().await;
        if !call.is_write() {
            let outcome = self.read(call).await;
            self.life.pass().await;
            return outcome;
        }
        let told = self.world.trace.writes().then(|| (call.word(), call.gist(), call.is_look()));
        let outcome = self.write(call).await;
        self.life.pass().await;
        if let Ok(A::Applied(Applied::Stale)) = &outcome {
            self.world.count("state: change stale");
        }
        if let Ok(A::DueAttempts(due)) = &outcome {
            self.note_looks(due);
        }
        if let Some((word, gist, is_look)) = told {
            let brief = brief(&outcome);
            if !is_look || brief != "0 " {
                let node = self.life.node;
                self.world.trace.line(self.world.ms(), || format!("node {node}: {word} {gist} -> {brief}"));
            }
        }
        outcome
    }

    /// A worker of this node looks at those.
    fn note_looks(&self, due: &[DueAttempt]) {
        for DueAttempt { payment, attempt } in due {
            let state = payment.attempt(*attempt).map_or("", |attempt| attempt.state.word());
            self.world.judge.looked(&self.world, &attempt.to_string(), state);
        }
    }

    async fn read(&self, call: C) -> StoreOutcome {
        if self.world.dice.chance(250_000) {
            self.world.nap(1, COMMIT_MS_MAX).await;
        }
        if self.world.disk.is_away(self.world.ms()) {
            return Err(away());
        }
        self.world.disk.perform(call).await
    }

    async fn write(&self, call: C) -> StoreOutcome {
        let world = &self.world;
        if world.faults.is_calm() {
            return world.disk.perform(call).await;
        }
        let word = call.word();
        // Looks that find nothing would draw nearly all of the lightning.
        let may = !call.is_look() || world.dice.chance(50_000);
        if may {
            self.life.may_crash(world, "before a store write", word).await;
        }
        if may && world.faults.strikes(Fault::StoreAway) {
            world.disk.go_away(world.ms() + world.dice.between(100, AWAY_MS_MAX));
        }
        if world.disk.is_away(world.ms()) {
            world.nap(1, COMMIT_MS_MAX).await;
            return Err(away());
        }
        let (sender, receiver) = oneshot::channel();
        self.enqueue(call, sender);
        if may {
            self.life.may_crash(world, "while a store write waits", word).await;
        }
        let Ok(outcome) = receiver.await else {
            // Its node died with the write in the queue, and nobody waits here any more.
            return std::future::pending().await;
        };
        if may {
            self.life.may_crash(world, "after a store write, before its answer", word).await;
        }
        outcome
    }

    /// Puts a write into the batch that commits next.
    fn enqueue(&self, call: C, sender: oneshot::Sender<StoreOutcome>) {
        let mut batch = self.batch.lock().unwrap_or_else(PoisonError::into_inner);
        batch.push((call, sender));
        if batch.len() == 1 {
            let (world, life, batch) = (self.world.clone(), self.life.clone(), self.batch.clone());
            self.world.spawn(async move { commit(&world, &life, &batch).await });
        }
    }
}

/// Commits one batch: all of it, or nothing where its node has died meanwhile.
async fn commit(world: &Arc<World>, life: &Life, batch: &Mutex<Batch>) {
    let slow = world.faults.strikes(Fault::StoreSlow);
    world.nap(0, if slow { SLOW_MS_MAX } else { COMMIT_MS_MAX }).await;
    let writes = std::mem::take(&mut *batch.lock().unwrap_or_else(PoisonError::into_inner));
    // A process on SQLite takes its queue with it; a server may have had the statement already.
    if life.is_dead() && (world.is_single() || world.dice.chance(500_000)) {
        world.count_many("state: store write lost in a crash", writes.len());
        return;
    }
    if life.is_dead() {
        world.count_many("state: store write done after its node died", writes.len());
    }
    let unconfirmed = world.faults.strikes(Fault::StoreUnconfirmed);
    if unconfirmed && world.dice.chance(500_000) {
        return answer(writes.into_iter().map(|(_, sender)| (Err(unconfirmed_error()), sender)).collect());
    }
    let mut answers = Vec::new();
    for (call, sender) in writes {
        let outcome = world.disk.perform(call).await;
        answers.push((if unconfirmed { Err(unconfirmed_error()) } else { outcome }, sender));
    }
    world.nap(0, COMMIT_MS_MAX).await;
    answer(answers);
}

fn answer(answers: Vec<(StoreOutcome, oneshot::Sender<StoreOutcome>)>) {
    for (outcome, sender) in answers {
        // Whoever asked may be gone.
        let _ = sender.send(outcome);
    }
}

fn away() -> StoreError {
    StoreError::Unavailable("it is away".to_owned())
}

fn unconfirmed_error() -> StoreError {
    StoreError::Unconfirmed("the answer to the commit was lost".to_owned())
}

/// The answer of one kind, or an error that cannot be.
macro_rules! want {
    ($outcome:expr, $kind:path) => {
        match $outcome? {
            $kind(answer) => Ok(answer),
            other => Err(StoreError::Corrupt(format!("another kind of answer: {other:?}"))),
        }
    };
}

#[async_trait]
impl PaymentLedger for NodeStore {
    async fn open(&self, opening: Opening) -> Result<Opened, StoreError> {
        want!(self.ask(C::Open(opening)).await, A::Opened)
    }

    async fn apply(&self, change: Change) -> Result<Applied, StoreError> {
        want!(self.ask(C::Apply(change)).await, A::Applied)
    }

    async fn payment(&self, id: PaymentId) -> Result<Option<Payment>, StoreError> {
        want!(self.ask(C::Payment(id)).await, A::Payment)
    }

    async fn payment_by_order(&self, app: &AppId, no: &OrderNo) -> Result<Option<Payment>, StoreError> {
        want!(self.ask(C::PaymentByOrder(app.clone(), no.clone())).await, A::Payment)
    }

    async fn payment_by_number(&self, channel: &ChannelId, no: &str) -> Result<Option<Payment>, StoreError> {
        want!(self.ask(C::PaymentByNumber(channel.clone(), no.to_owned())).await, A::Payment)
    }

    async fn payment_by_attempt(&self, id: AttemptId) -> Result<Option<Payment>, StoreError> {
        want!(self.ask(C::PaymentByAttempt(id)).await, A::Payment)
    }

    async fn payments(&self, filter: &PaymentFilter) -> Result<Vec<Payment>, StoreError> {
        want!(self.ask(C::Payments(filter.clone())).await, A::Payments)
    }

    async fn keep_callback(&self, row: CallbackRow, ring: Ring) -> Result<(), StoreError> {
        want!(self.ask(C::KeepCallback(row, ring)).await, A::Nothing)
    }

    async fn take_due_attempts(
        &self,
        now: Timestamp,
        lease: Duration,
        limit: u32,
        busy: &[ChannelId],
    ) -> Result<Vec<DueAttempt>, StoreError> {
        want!(self.ask(C::TakeDueAttempts(now, lease, limit, busy.to_vec())).await, A::DueAttempts)
    }

    async fn claim(&self, claim: Claim) -> Result<Claimed, StoreError> {
        want!(self.ask(C::Claim(claim)).await, A::Claimed)
    }

    /// Not written down: each store has a key of its own.
    async fn digest_key(&self) -> Result<Secret, StoreError> {
        self.life.pass().await;
        if self.world.disk.is_away(self.world.ms()) {
            return Err(away());
        }
        self.world.disk.store.digest_key().await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        want!(self.ask(C::Ping).await, A::Nothing)
    }
}

#[async_trait]
impl RefundLedger for NodeStore {
    async fn open_refund(&self, refund: Refund) -> Result<RefundOpened, StoreError> {
        want!(self.ask(C::OpenRefund(refund)).await, A::RefundOpened)
    }

    async fn refund(&self, id: RefundId) -> Result<Option<Refund>, StoreError> {
        want!(self.ask(C::Refund(id)).await, A::Refund)
    }

    async fn refund_by_no(&self, app: &AppId, no: &RefundNo) -> Result<Option<Refund>, StoreError> {
        want!(self.ask(C::RefundByNo(app.clone(), no.clone())).await, A::Refund)
    }

    async fn refund_by_number(&self, channel: &ChannelId, no: &str) -> Result<Option<Refund>, StoreError> {
        want!(self.ask(C::RefundByNumber(channel.clone(), no.to_owned())).await, A::Refund)
    }

    async fn refunds_of(
        &self,
        payment: PaymentId,
        after: Option<RefundId>,
        limit: u32,
    ) -> Result<Vec<Refund>, StoreError> {
        want!(self.ask(C::RefundsOf(payment, after, limit)).await, A::Refunds)
    }

    async fn refunds_of_app(
        &self,
        app: &AppId,
        after: Option<RefundId>,
        limit: u32,
    ) -> Result<Vec<Refund>, StoreError> {
        want!(self.ask(C::RefundsOfApp(app.clone(), after, limit)).await, A::Refunds)
    }

    async fn take_due_refunds(
        &self,
        now: Timestamp,
        lease: Duration,
        limit: u32,
    ) -> Result<Vec<Refund>, StoreError> {
        want!(self.ask(C::TakeDueRefunds(now, lease, limit)).await, A::Refunds)
    }
}

#[async_trait]
impl TransferLedger for NodeStore {
    async fn open_transfer(&self, transfer: Transfer, limit: DayLimit) -> Result<TransferOpened, StoreError> {
        want!(self.ask(C::OpenTransfer(transfer, limit)).await, A::TransferOpened)
    }

    async fn apply_transfer(&self, change: TransferChange) -> Result<Applied, StoreError> {
        want!(self.ask(C::ApplyTransfer(change)).await, A::Applied)
    }

    async fn transfer(&self, id: TransferId) -> Result<Option<Transfer>, StoreError> {
        want!(self.ask(C::Transfer(id)).await, A::Transfer)
    }

    async fn transfer_by_no(&self, app: &AppId, no: &TransferNo) -> Result<Option<Transfer>, StoreError> {
        want!(self.ask(C::TransferByNo(app.clone(), no.clone())).await, A::Transfer)
    }

    async fn transfer_by_number(
        &self,
        channel: &ChannelId,
        number: &str,
    ) -> Result<Option<Transfer>, StoreError> {
        want!(self.ask(C::TransferByNumber(channel.clone(), number.to_owned())).await, A::Transfer)
    }

    async fn transfers_of_app(
        &self,
        app: &AppId,
        after: Option<TransferId>,
        limit: u32,
    ) -> Result<Vec<Transfer>, StoreError> {
        want!(self.ask(C::TransfersOfApp(app.clone(), after, limit)).await, A::Transfers)
    }

    async fn take_due_transfers(
        &self,
        now: Timestamp,
        lease: Duration,
        limit: u32,
    ) -> Result<Vec<Transfer>, StoreError> {
        want!(self.ask(C::TakeDueTransfers(now, lease, limit)).await, A::Transfers)
    }
}

#[async_trait]
impl Outbox for NodeStore {
    async fn take_due_deliveries(
        &self,
        now: Timestamp,
        lease: Duration,
        limit: u32,
        per_app: u32,
        busy: &[AppId],
    ) -> Result<Vec<DueDelivery>, StoreError> {
        want!(
            self.ask(C::TakeDueDeliveries(now, lease, limit, per_app, busy.to_vec())).await,
            A::DueDeliveries
        )
    }

    async fn report_deliveries(&self, reports: Vec<DeliveryReport>) -> Result<(), StoreError> {
        want!(self.ask(C::ReportDeliveries(reports)).await, A::Nothing)
    }

    async fn events(&self, filter: &EventFilter) -> Result<Vec<ListedEvent>, StoreError> {
        want!(self.ask(C::Events(filter.clone())).await, A::Events)
    }

    async fn redeliver(&self, app: &AppId, which: Redelivery, now: Timestamp) -> Result<u64, StoreError> {
        want!(self.ask(C::Redeliver(app.clone(), which, now)).await, A::Count)
    }
}

#[async_trait]
impl Desk for NodeStore {
    async fn queue(&self, filter: &QueueFilter) -> Result<Vec<QueueItem>, StoreError> {
        want!(self.ask(C::Queue(filter.clone())).await, A::Queue)
    }

    async fn queue_counts(&self, patience: Patience) -> Result<QueueCounts, StoreError> {
        want!(self.ask(C::QueueCounts(patience)).await, A::QueueCounts)
    }

    async fn callbacks(&self, filter: &CallbackFilter) -> Result<Vec<CallbackRow>, StoreError> {
        want!(self.ask(C::Callbacks(filter.clone())).await, A::Callbacks)
    }

    async fn settle_callback(&self, id: CallbackId, audit: AuditRow) -> Result<bool, StoreError> {
        want!(self.ask(C::SettleCallback(id, audit)).await, A::Settled)
    }

    async fn audit(&self, before: Option<AuditId>, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
        want!(self.ask(C::Audit(before, limit)).await, A::Audit)
    }

    async fn order_lines(&self, window: &Window) -> Result<Vec<OrderLine>, StoreError> {
        want!(self.ask(C::OrderLines(window.clone())).await, A::OrderLines)
    }

    async fn refund_lines(&self, window: &Window) -> Result<Vec<RefundLine>, StoreError> {
        want!(self.ask(C::RefundLines(window.clone())).await, A::RefundLines)
    }

    async fn channel_use(&self, channel: &ChannelId) -> Result<ChannelUse, StoreError> {
        want!(self.ask(C::ChannelUse(channel.clone())).await, A::ChannelUse)
    }
}

#[async_trait]
impl DayBook for NodeStore {
    async fn day_figures(&self, day: Day) -> Result<Vec<DayFigure>, StoreError> {
        want!(self.ask(C::DayFigures(day)).await, A::DayFigures)
    }

    async fn last_completed(&self) -> Result<Vec<(ChannelId, Timestamp)>, StoreError> {
        want!(self.ask(C::LastCompleted).await, A::LastCompleted)
    }

    async fn capacity_figures(&self, day: Day) -> Result<Vec<CapacityFigure>, StoreError> {
        want!(self.ask(C::CapacityFigures(day)).await, A::CapacityFigures)
    }
}

#[async_trait]
impl DecisionBook for NodeStore {
    async fn keep_version(&self, version: ConfigVersion) -> Result<(), StoreError> {
        want!(self.ask(C::KeepVersion(version)).await, A::Nothing)
    }

    async fn version(&self, digest: &VersionDigest) -> Result<Option<ConfigVersion>, StoreError> {
        want!(self.ask(C::Version(digest.clone())).await, A::Version)
    }

    async fn decision(&self, attempt: AttemptId) -> Result<Option<KeptDecision>, StoreError> {
        want!(self.ask(C::Decision(attempt)).await, A::Decision)
    }
}

#[async_trait]
impl ChannelBook for NodeStore {
    async fn channel_records(&self) -> Result<Vec<ChannelRecord>, StoreError> {
        want!(self.ask(C::ChannelRecords).await, A::ChannelRecords)
    }

    async fn bind_channels(&self, new: Vec<ChannelRecord>) -> Result<bool, StoreError> {
        want!(self.ask(C::BindChannels(new)).await, A::Bound)
    }

    async fn move_channel(
        &self,
        id: &ChannelId,
        seen_version: i64,
        state: Lifecycle,
        audit: AuditRow,
    ) -> Result<bool, StoreError> {
        want!(self.ask(C::MoveChannel(id.clone(), seen_version, state, audit)).await, A::Moved)
    }
}
