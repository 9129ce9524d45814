//! Every call of the ledger as a value: it can wait in a queue, be written down, and be made again on
//! another store.

use std::time::Duration;

use paymux_core::Store;
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
use paymux_core::store::{
    Applied, AuditRow, CallbackFilter, CallbackRow, CapacityFigure, Change, ChannelRecord, ChannelUse, Claim,
    Claimed, ConfigVersion, DayFigure, DayLimit, DeliveryReport, DueAttempt, DueDelivery, EventFilter,
    KeptDecision, ListedEvent, Opened, Opening, OrderLine, Patience, PaymentFilter, QueueCounts, QueueFilter,
    QueueItem, Redelivery, RefundLine, RefundOpened, Ring, StoreError, TransferChange, TransferOpened,
    Window,
};
use paymux_core::transfer::Transfer;

/// One call with all that goes with it.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each is the method of its name")]
#[expect(clippy::large_enum_variant, reason = "a call is made once and then gone")]
pub enum StoreCall {
    Open(Opening),
    Apply(Change),
    Payment(PaymentId),
    PaymentByOrder(AppId, OrderNo),
    PaymentByNumber(ChannelId, String),
    PaymentByAttempt(AttemptId),
    Payments(PaymentFilter),
    KeepCallback(CallbackRow, Ring),
    TakeDueAttempts(Timestamp, Duration, u32, Vec<ChannelId>),
    Claim(Claim),
    Ping,
    OpenRefund(Refund),
    Refund(RefundId),
    RefundByNo(AppId, RefundNo),
    RefundByNumber(ChannelId, String),
    RefundsOf(PaymentId, Option<RefundId>, u32),
    RefundsOfApp(AppId, Option<RefundId>, u32),
    TakeDueRefunds(Timestamp, Duration, u32),
    OpenTransfer(Transfer, DayLimit),
    ApplyTransfer(TransferChange),
    Transfer(TransferId),
    TransferByNo(AppId, TransferNo),
    TransferByNumber(ChannelId, String),
    TransfersOfApp(AppId, Option<TransferId>, u32),
    TakeDueTransfers(Timestamp, Duration, u32),
    TakeDueDeliveries(Timestamp, Duration, u32, u32, Vec<AppId>),
    ReportDeliveries(Vec<DeliveryReport>),
    Events(EventFilter),
    Redeliver(AppId, Redelivery, Timestamp),
    Queue(QueueFilter),
    QueueCounts(Patience),
    Callbacks(CallbackFilter),
    SettleCallback(CallbackId, AuditRow),
    Audit(Option<AuditId>, u32),
    OrderLines(Window),
    RefundLines(Window),
    ChannelUse(ChannelId),
    DayFigures(Day),
    LastCompleted,
    CapacityFigures(Day),
    ChannelRecords,
    BindChannels(Vec<ChannelRecord>),
    MoveChannel(ChannelId, i64, Lifecycle, AuditRow),
    KeepVersion(ConfigVersion),
    Version(VersionDigest),
    Decision(AttemptId),
}

/// What a call is answered.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each holds what the methods of that answer give")]
pub enum StoreAnswer {
    Opened(Opened),
    Applied(Applied),
    Payment(Option<Payment>),
    Payments(Vec<Payment>),
    Nothing(()),
    DueAttempts(Vec<DueAttempt>),
    Claimed(Claimed),
    RefundOpened(RefundOpened),
    Refund(Option<Refund>),
    Refunds(Vec<Refund>),
    TransferOpened(TransferOpened),
    Transfer(Option<Transfer>),
    Transfers(Vec<Transfer>),
    DueDeliveries(Vec<DueDelivery>),
    Events(Vec<ListedEvent>),
    Count(u64),
    Queue(Vec<QueueItem>),
    QueueCounts(QueueCounts),
    Callbacks(Vec<CallbackRow>),
    Settled(bool),
    Audit(Vec<AuditRow>),
    OrderLines(Vec<OrderLine>),
    RefundLines(Vec<RefundLine>),
    ChannelUse(ChannelUse),
    DayFigures(Vec<DayFigure>),
    LastCompleted(Vec<(ChannelId, Timestamp)>),
    CapacityFigures(Vec<CapacityFigure>),
    ChannelRecords(Vec<ChannelRecord>),
    Bound(bool),
    Moved(bool),
    Version(Option<ConfigVersion>),
    Decision(Option<KeptDecision>),
}

/// What came of a call.
pub type StoreOutcome = Result<StoreAnswer, StoreError>;

/// A call and what it came to, in the order in which calls took effect.
#[derive(Debug, Clone)]
pub struct RecordedCall {
    /// The call.
    pub call: StoreCall,
    /// What the store in memory answered, as [`told`] writes it.
    pub answer: String,
}

/// An outcome as text: equal for equal answers, and of an error only its kind.
pub fn told(outcome: &StoreOutcome) -> String {
    match outcome {
        Ok(answer) => format!("{answer:?}"),
        Err(StoreError::Unavailable(_)) => "unavailable".to_owned(),
        Err(StoreError::Unconfirmed(_)) => "unconfirmed".to_owned(),
        Err(StoreError::Corrupt(_)) => "corrupt".to_owned(),
    }
}

impl StoreCall {
    /// A word for the trace and the counts.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Open(_) => "open",
            Self::Apply(_) => "apply",
            Self::KeepCallback(..) => "keep_callback",
            Self::TakeDueAttempts(..) => "take_due_attempts",
            Self::Claim(_) => "claim",
            Self::OpenRefund(_) => "open_refund",
            Self::TakeDueRefunds(..) => "take_due_refunds",
            Self::OpenTransfer(..) => "open_transfer",
            Self::ApplyTransfer(_) => "apply_transfer",
            Self::TakeDueTransfers(..) => "take_due_transfers",
            Self::TakeDueDeliveries(..) => "take_due_deliveries",
            Self::ReportDeliveries(_) => "report_deliveries",
            Self::Redeliver(..) => "redeliver",
            Self::SettleCallback(..) => "settle_callback",
            Self::BindChannels(_) => "bind_channels",
            Self::MoveChannel(..) => "move_channel",
            Self::KeepVersion(_) => "keep_version",
            _ => "read",
        }
    }

    /// Whether it can change what is stored.
    pub fn is_write(&self) -> bool {
        self.word() != "read"
    }

    /// Whether it is a worker's look for something to do, which mostly finds nothing.
    pub(super) fn is_look(&self) -> bool {
        self.word().starts_with("take_")
    }

    /// What it would write, in few words.
    pub(super) fn gist(&self) -> String {
        match self {
            Self::Open(opening) => payment_gist(&opening.payment),
            Self::Apply(change) => change_gist(change),
            Self::KeepCallback(row, _) => format!("{} {}", row.channel, row.verdict),
            Self::OpenRefund(refund) => format!("{} of {}: {}", refund.id, refund.attempt, refund.amount),
            Self::OpenTransfer(transfer, _) => format!("{}: {}", transfer.id, transfer.amount),
            Self::ApplyTransfer(change) => {
                format!("{}: {} to {}", change.transfer.id, change.seen_state, change.transfer.state)
            }
            Self::ReportDeliveries(reports) => {
                let lines = reports.iter().map(|r| format!("{}: {:?}", r.event, r.outcome));
                lines.collect::<Vec<_>>().join(" ")
            }
            _ => String::new(),
        }
    }

    /// Makes the call.
    pub async fn perform(self, store: &dyn Store) -> StoreOutcome {
        use StoreAnswer as A;
        Ok(match self {
            Self::Open(opening) => A::Opened(store.open(opening).await?),
            Self::Apply(change) => A::Applied(store.apply(change).await?),
            Self::Payment(id) => A::Payment(store.payment(id).await?),
            Self::PaymentByOrder(app, no) => A::Payment(store.payment_by_order(&app, &no).await?),
            Self::PaymentByNumber(channel, number) => {
                A::Payment(store.payment_by_number(&channel, &number).await?)
            }
            Self::PaymentByAttempt(id) => A::Payment(store.payment_by_attempt(id).await?),
            Self::Payments(filter) => A::Payments(store.payments(&filter).await?),
            Self::KeepCallback(row, ring) => A::Nothing(store.keep_callback(row, ring).await?),
            Self::TakeDueAttempts(now, lease, limit, busy) => {
                A::DueAttempts(store.take_due_attempts(now, lease, limit, &busy).await?)
            }
            Self::Claim(claim) => A::Claimed(store.claim(claim).await?),
            Self::Ping => A::Nothing(store.ping().await?),
            Self::TakeDueDeliveries(now, lease, limit, per_app, busy) => {
                A::DueDeliveries(store.take_due_deliveries(now, lease, limit, per_app, &busy).await?)
            }
            Self::ReportDeliveries(reports) => A::Nothing(store.report_deliveries(reports).await?),
            Self::Events(filter) => A::Events(store.events(&filter).await?),
            Self::Redeliver(app, which, now) => A::Count(store.redeliver(&app, which, now).await?),
            other => return other.perform_beside(store).await,
        })
    }

    /// The calls about money on its way out, and those of the desk.
    async fn perform_beside(self, store: &dyn Store) -> StoreOutcome {
        use StoreAnswer as A;
        Ok(match self {
            Self::OpenRefund(refund) => A::RefundOpened(store.open_refund(refund).await?),
            Self::Refund(id) => A::Refund(store.refund(id).await?),
            Self::RefundByNo(app, no) => A::Refund(store.refund_by_no(&app, &no).await?),
            Self::RefundByNumber(channel, number) => {
                A::Refund(store.refund_by_number(&channel, &number).await?)
            }
            Self::RefundsOf(payment, after, limit) => {
                A::Refunds(store.refunds_of(payment, after, limit).await?)
            }
            Self::RefundsOfApp(app, after, limit) => {
                A::Refunds(store.refunds_of_app(&app, after, limit).await?)
            }
            Self::TakeDueRefunds(now, lease, limit) => {
                A::Refunds(store.take_due_refunds(now, lease, limit).await?)
            }
            Self::OpenTransfer(transfer, limit) => {
                A::TransferOpened(store.open_transfer(transfer, limit).await?)
            }
            Self::ApplyTransfer(change) => A::Applied(store.apply_transfer(change).await?),
            Self::Transfer(id) => A::Transfer(store.transfer(id).await?),
            Self::TransferByNo(app, no) => A::Transfer(store.transfer_by_no(&app, &no).await?),
            Self::TransferByNumber(channel, number) => {
                A::Transfer(store.transfer_by_number(&channel, &number).await?)
            }
            Self::TransfersOfApp(app, after, limit) => {
                A::Transfers(store.transfers_of_app(&app, after, limit).await?)
            }
            Self::TakeDueTransfers(now, lease, limit) => {
                A::Transfers(store.take_due_transfers(now, lease, limit).await?)
            }
            Self::Queue(filter) => A::Queue(store.queue(&filter).await?),
            Self::QueueCounts(patience) => A::QueueCounts(store.queue_counts(patience).await?),
            Self::Callbacks(filter) => A::Callbacks(store.callbacks(&filter).await?),
            Self::SettleCallback(id, audit) => A::Settled(store.settle_callback(id, audit).await?),
            Self::Audit(before, limit) => A::Audit(store.audit(before, limit).await?),
            Self::OrderLines(window) => A::OrderLines(store.order_lines(&window).await?),
            Self::RefundLines(window) => A::RefundLines(store.refund_lines(&window).await?),
            Self::ChannelUse(channel) => A::ChannelUse(store.channel_use(&channel).await?),
            Self::DayFigures(day) => A::DayFigures(store.day_figures(day).await?),
            Self::LastCompleted => A::LastCompleted(store.last_completed().await?),
            Self::CapacityFigures(day) => A::CapacityFigures(store.capacity_figures(day).await?),
            Self::ChannelRecords => A::ChannelRecords(store.channel_records().await?),
            Self::BindChannels(new) => A::Bound(store.bind_channels(new).await?),
            Self::MoveChannel(id, version, state, audit) => {
                A::Moved(store.move_channel(&id, version, state, audit).await?)
            }
            Self::KeepVersion(version) => A::Nothing(store.keep_version(version).await?),
            Self::Version(digest) => A::Version(store.version(&digest).await?),
            Self::Decision(attempt) => A::Decision(store.decision(attempt).await?),
            _ => return Err(StoreError::Corrupt("a call that is made nowhere".to_owned())),
        })
    }
}

fn payment_gist(payment: &Payment) -> String {
    let attempts = payment.attempts.iter().map(|a| {
        let received = a.received.map_or_else(String::new, |received| format!(" {received}"));
        let look = a.check_at.map_or_else(String::new, |at| format!(" look {at}"));
        format!("{} {} {}{received} fence {}{look}", a.id, a.channel, a.state, a.fence)
    });
    let attempts: Vec<String> = attempts.collect();
    let held = payment.held.map_or_else(String::new, |held| format!(" held {held}"));
    let (id, no, status, version) = (payment.id, &payment.order_no, payment.status, payment.version);
    format!("{id} {} {no} v{version} {status}{held} [{}]", payment.app, attempts.join("; "))
}

fn change_gist(change: &Change) -> String {
    let refund = change.refund.iter().map(|write| {
        let refund = write.refund();
        format!("refund {} {} {}", refund.id, refund.amount, refund.state)
    });
    let events = change.events.iter().map(|event| format!("event {}", event.kind));
    let postings = change.postings.iter().map(|line| format!("posting {} {}", line.kind, line.amount));
    let callback = change.callback.iter().map(|callback| format!("by callback {}", callback.id));
    let parts = std::iter::once(payment_gist(&change.payment));
    parts.chain(refund).chain(events).chain(postings).chain(callback).collect::<Vec<_>>().join(" ")
}

/// How many things a look found, or what a write came to.
pub(super) fn brief(outcome: &StoreOutcome) -> String {
    let ids = |ids: Vec<String>| format!("{} {}", ids.len(), ids.join(" "));
    match outcome {
        Ok(StoreAnswer::Opened(Opened::New)) => "new".to_owned(),
        Ok(StoreAnswer::Opened(Opened::Exists(stored))) => format!("exists: {}", stored.id),
        Ok(StoreAnswer::Opened(Opened::Full)) => "full".to_owned(),
        Ok(StoreAnswer::Applied(applied)) => format!("{applied:?}"),
        Ok(StoreAnswer::RefundOpened(RefundOpened::Exists(stored))) => format!("exists: {}", stored.id),
        Ok(StoreAnswer::TransferOpened(TransferOpened::Exists(stored))) => format!("exists: {}", stored.id),
        Ok(StoreAnswer::DueAttempts(due)) => {
            ids(due.iter().map(|due| format!("{} {}", due.attempt, due.payment.order_no)).collect())
        }
        Ok(StoreAnswer::Refunds(due)) => ids(due.iter().map(|due| due.id.to_string()).collect()),
        Ok(StoreAnswer::Transfers(due)) => ids(due.iter().map(|due| due.id.to_string()).collect()),
        Ok(StoreAnswer::DueDeliveries(due)) => ids(due.iter().map(|due| due.event.id.to_string()).collect()),
        outcome => told(outcome),
    }
}
