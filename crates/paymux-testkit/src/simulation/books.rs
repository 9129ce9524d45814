//! paymux's own books as plain rows of numbers and texts, for a judge that shares no type with it.

use std::time::Duration;

use paymux_core::clock::Timestamp;
use paymux_core::payment::{Attempt, Payment};
use paymux_core::posting::{Account, Cause};
use paymux_core::store::{
    CallbackVerdict, CapacityFigure, CapacitySpan, Desk, Patience, QueueFilter, Subject,
};

use crate::MemoryStore;
use crate::memory_store::DeliveryState;

/// Everything that the ledger says.
#[derive(Debug, Clone, Default)]
pub(super) struct Ledger {
    pub(super) payments: Vec<PaymentRow>,
    pub(super) refunds: Vec<OutflowRow>,
    pub(super) transfers: Vec<OutflowRow>,
    pub(super) postings: Vec<PostingRow>,
    pub(super) events: Vec<EventRow>,
    pub(super) callbacks: Vec<CallbackRow>,
    pub(super) queue: Vec<QueueRow>,
    /// How many wait by kind, as the metric has it.
    pub(super) waiting: Vec<(&'static str, u64)>,
    pub(super) limits: Vec<LimitRow>,
}

impl Ledger {
    /// Whether that very thing waits for a person.
    pub(super) fn is_queued(&self, id: &str) -> bool {
        self.queue.iter().any(|row| row.id == id)
    }

    /// Whether a person has to say what becomes of that payment: of an attempt of it, or of money that goes
    /// back from one. A callback or a notice that waits holds up no payment.
    pub(super) fn waits(&self, payment: &PaymentRow) -> bool {
        let is_its = |id: &str| {
            let mut attempts = payment.attempts.iter();
            attempts.any(|attempt| {
                let is_refund = |refund: &OutflowRow| refund.id == id && refund.attempt == attempt.id;
                attempt.id == id || self.refunds.iter().any(is_refund)
            })
        };
        self.queue.iter().any(|row| row.payment == payment.id && is_its(&row.id))
    }

    /// Whether that attempt may be live for as long as somebody waits for a person: nobody knows what became
    /// of it and it is said so of itself, or its payment's money waits.
    pub(super) fn may_stay(&self, payment: &PaymentRow, attempt: &AttemptRow) -> bool {
        match attempt.state {
            "unknown" => self.is_queued(&attempt.id),
            "open" => self.waits(payment),
            _ => false,
        }
    }
}

/// A payment.
#[derive(Debug, Clone)]
pub(super) struct PaymentRow {
    pub(super) id: String,
    pub(super) app: String,
    pub(super) order_no: String,
    pub(super) status: &'static str,
    pub(super) held: Option<&'static str>,
    pub(super) amount: i64,
    pub(super) received: i64,
    pub(super) refunded: i64,
    pub(super) events: i64,
    pub(super) attempts: Vec<AttemptRow>,
}

/// What is used of an account's limit.
#[derive(Debug, Clone)]
pub(super) struct LimitRow {
    pub(super) channel: String,
    /// Of a day; else of what is under way at once.
    pub(super) is_of_day: bool,
    /// What is set aside.
    pub(super) reserved: i64,
    /// How many orders there are.
    pub(super) count: i64,
}

/// An attempt.
#[derive(Debug, Clone)]
pub(super) struct AttemptRow {
    pub(super) id: String,
    pub(super) channel: String,
    pub(super) number: String,
    pub(super) state: &'static str,
    pub(super) received: i64,
    /// The currency of that; empty where nothing came in.
    pub(super) currency: &'static str,
    /// Sums beside that one, and whether somebody has dealt with each.
    pub(super) more: Vec<(i64, bool)>,
    pub(super) refunding: i64,
    pub(super) refunded: i64,
    /// What may have gone back with a close.
    pub(super) contested: i64,
    /// Whether somebody still looks whether a close has sent it back.
    pub(super) is_crossed: bool,
    /// Whether a worker will look at it again.
    pub(super) is_looked_at: bool,
}

impl AttemptRow {
    /// Whether it is not at its end.
    pub(super) fn is_live(&self) -> bool {
        is_live(self.state)
    }
}

/// Whether an attempt in that state is not at its end.
pub(super) fn is_live(state: &str) -> bool {
    matches!(state, "sending" | "open" | "unknown")
}

/// Whether an attempt in that state has its money in the books.
pub(super) fn is_booked(state: &str) -> bool {
    matches!(state, "paid" | "duplicate_paid")
}

/// A refund or a transfer.
#[derive(Debug, Clone)]
pub(super) struct OutflowRow {
    pub(super) id: String,
    /// The merchant's number; empty where no merchant asked.
    pub(super) own_no: String,
    pub(super) app: String,
    pub(super) channel: String,
    pub(super) number: String,
    /// The attempt that a refund is of.
    pub(super) attempt: String,
    pub(super) amount: i64,
    pub(super) state: &'static str,
    pub(super) origin: &'static str,
    /// Whether a worker will look at it again.
    pub(super) is_looked_at: bool,
}

/// A movement of money.
#[derive(Debug, Clone)]
pub(super) struct PostingRow {
    pub(super) kind: &'static str,
    pub(super) debit: String,
    pub(super) credit: String,
    pub(super) amount: i64,
    /// The attempt that it belongs to; empty for a payout.
    pub(super) attempt: String,
}

/// An event and what became of it.
#[derive(Debug, Clone)]
pub(super) struct EventRow {
    pub(super) id: String,
    pub(super) app: String,
    pub(super) subject: String,
    pub(super) sequence: i64,
    pub(super) kind: &'static str,
    pub(super) body: String,
    pub(super) delivery: &'static str,
}

/// A callback that was kept.
#[derive(Debug, Clone)]
pub(super) struct CallbackRow {
    pub(super) id: String,
    pub(super) channel: String,
    pub(super) verdict: &'static str,
    pub(super) body: String,
}

/// Something that waits for a person.
#[derive(Debug, Clone)]
pub(super) struct QueueRow {
    pub(super) kind: &'static str,
    pub(super) id: String,
    pub(super) app: String,
    pub(super) channel: String,
    pub(super) payment: String,
    pub(super) since_ms: i64,
}

/// How long a bank's timer may go on after an order's end.
const MARGIN: Duration = Duration::from_mins(2);
/// How long a bank may have money under way.
const UNDER_WAY: Duration = Duration::from_hours(3 * 24);

/// Where the attempt with that number stands in what is durable, and its payment.
pub(super) fn state_of(store: &MemoryStore, number: &str) -> Option<(&'static str, &'static str)> {
    store.payments().iter().find_map(|payment| {
        let attempt = payment.attempts.iter().find(|attempt| attempt.number.as_str() == number)?;
        Some((attempt.state.word(), payment.status.word()))
    })
}

/// Reads all of it; what is unknown counts as waiting if it is older than that moment, and the rest by that.
pub(super) async fn read(store: &MemoryStore, unknown_before: Timestamp) -> Ledger {
    let patience = Patience {
        unknown_before,
        ended_before: unknown_before.minus(MARGIN),
        sent_before: unknown_before.minus(UNDER_WAY),
    };
    Ledger {
        payments: store.payments().iter().map(payment).collect(),
        refunds: store.refunds().iter().map(refund).collect(),
        transfers: store.transfers().iter().map(transfer).collect(),
        postings: postings(store),
        events: events(store),
        callbacks: callbacks(store),
        queue: queue(store, patience).await,
        waiting: waiting(store, patience).await,
        limits: store.capacity().iter().map(limit).collect(),
    }
}

fn payment(payment: &Payment) -> PaymentRow {
    PaymentRow {
        id: payment.id.to_string(),
        app: payment.app.to_string(),
        order_no: payment.order_no.to_string(),
        status: payment.status.word(),
        held: payment.held.map(paymux_core::payment::Held::word),
        amount: payment.amount.minor(),
        received: payment.amount_received.minor(),
        refunded: payment.amount_refunded.minor(),
        events: payment.events,
        attempts: payment.attempts.iter().map(attempt).collect(),
    }
}

fn attempt(attempt: &Attempt) -> AttemptRow {
    AttemptRow {
        id: attempt.id.to_string(),
        channel: attempt.channel.to_string(),
        number: attempt.number.to_string(),
        state: attempt.state.word(),
        received: attempt.received.map_or(0, paymux_core::Money::minor),
        currency: attempt.received.map_or("", |received| received.currency().code()),
        more: attempt.more.iter().map(|sum| (sum.amount, sum.settled)).collect(),
        refunding: attempt.refunding,
        refunded: attempt.refunded,
        contested: attempt.contested,
        is_crossed: attempt.crossing().is_some(),
        is_looked_at: attempt.check_at.is_some(),
    }
}

fn limit(figure: &CapacityFigure) -> LimitRow {
    LimitRow {
        channel: figure.channel.to_string(),
        is_of_day: matches!(figure.span, CapacitySpan::Day(..)),
        reserved: figure.used.reserved,
        count: figure.used.count,
    }
}

fn refund(refund: &paymux_core::Refund) -> OutflowRow {
    OutflowRow {
        id: refund.id.to_string(),
        own_no: refund.refund_no.as_ref().map(ToString::to_string).unwrap_or_default(),
        app: refund.app.to_string(),
        channel: refund.channel.to_string(),
        number: refund.number.clone(),
        attempt: refund.attempt.to_string(),
        amount: refund.amount.minor(),
        state: refund.state.word(),
        origin: refund.origin.word(),
        is_looked_at: refund.check_at.is_some(),
    }
}

fn transfer(transfer: &paymux_core::Transfer) -> OutflowRow {
    OutflowRow {
        id: transfer.id.to_string(),
        own_no: transfer.transfer_no.to_string(),
        app: transfer.app.to_string(),
        channel: transfer.channel.to_string(),
        number: transfer.number.clone(),
        attempt: String::new(),
        amount: transfer.amount.minor(),
        state: transfer.state.word(),
        origin: "merchant",
        is_looked_at: transfer.check_at.is_some(),
    }
}

fn postings(store: &MemoryStore) -> Vec<PostingRow> {
    let row = |posting: &paymux_core::posting::Posting| PostingRow {
        kind: posting.kind.word(),
        debit: account(&posting.debit),
        credit: account(&posting.credit),
        amount: posting.amount.minor(),
        attempt: match posting.cause {
            Cause::Attempt(_, attempt) | Cause::Refund(_, attempt, _) => attempt.to_string(),
            Cause::Transfer(_) => String::new(),
        },
    };
    store.postings().iter().map(row).collect()
}

fn account(account: &Account) -> String {
    account.to_string()
}

fn events(store: &MemoryStore) -> Vec<EventRow> {
    let deliveries = store.deliveries();
    let row = |event: &paymux_core::store::Event| EventRow {
        id: event.id.to_string(),
        app: event.app.to_string(),
        subject: match event.subject {
            Subject::Payment(id) => id.to_string(),
            Subject::Transfer(id) => id.to_string(),
        },
        sequence: event.sequence,
        kind: event.kind.word(),
        body: event.body.clone(),
        delivery: match deliveries.iter().find(|delivery| delivery.event == event.id).map(|d| d.state) {
            Some(DeliveryState::Pending) => "pending",
            Some(DeliveryState::Delivered(_)) => "delivered",
            Some(DeliveryState::Dead) => "dead",
            None => "none",
        },
    };
    store.events().iter().map(row).collect()
}

fn callbacks(store: &MemoryStore) -> Vec<CallbackRow> {
    let row = |row: &paymux_core::store::CallbackRow| CallbackRow {
        id: row.id.to_string(),
        channel: row.channel.to_string(),
        verdict: verdict(row.verdict),
        body: String::from_utf8_lossy(&row.request.body).into_owned(),
    };
    store.callbacks().iter().map(row).collect()
}

fn verdict(verdict: CallbackVerdict) -> &'static str {
    verdict.word()
}

async fn waiting(store: &MemoryStore, patience: Patience) -> Vec<(&'static str, u64)> {
    let counts = store.queue_counts(patience).await.unwrap_or_default();
    counts.into_iter().filter(|(_, count)| *count > 0).map(|(kind, count)| (kind.word(), count)).collect()
}

async fn queue(store: &MemoryStore, patience: Patience) -> Vec<QueueRow> {
    let filter = QueueFilter { kind: None, patience, after: None, limit: u32::MAX };
    // The store in memory always answers while nobody sends it away.
    let items = store.queue(&filter).await.unwrap_or_default();
    let text = |value: Option<String>| value.unwrap_or_default();
    let row = |item: &paymux_core::store::QueueItem| QueueRow {
        kind: item.kind.word(),
        id: item.id.clone(),
        app: text(item.app.as_ref().map(ToString::to_string)),
        channel: text(item.channel.as_ref().map(ToString::to_string)),
        payment: text(item.payment.as_ref().map(ToString::to_string)),
        since_ms: item.since.ms(),
    };
    items.iter().map(row).collect()
}
