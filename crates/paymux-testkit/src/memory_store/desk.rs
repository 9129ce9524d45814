//! What operators see. Nothing here is on a payment's way, so it looks through everything.

use async_trait::async_trait;
use paymux_core::clock::Timestamp;
use paymux_core::ids::{AttemptId, AuditId, CallbackId, ChannelId};
use paymux_core::outflow::OutflowState;
use paymux_core::payment::{Attempt, AttemptState, Payment};
use paymux_core::refund::{Refund, RefundOrigin};
use paymux_core::store::{
    AuditRow, CallbackFilter, CallbackRow, ChannelUse, Desk, Event, OrderLine, Patience, QueueCounts,
    QueueFilter, QueueItem, QueueKind, RefundLine, StoreError, Subject, Window,
};
use paymux_core::transfer::Transfer;

use super::outbox::{Delivery, DeliveryState};
use super::plain::plain_audit;
use super::{Books, MemoryStore, places};

#[async_trait]
impl Desk for MemoryStore {
    async fn queue(&self, filter: &QueueFilter) -> Result<Vec<QueueItem>, StoreError> {
        let mut items = self.books()?.queue(filter.patience);
        items.retain(|item| {
            filter.kind.is_none_or(|kind| item.kind == kind)
                && filter.after.as_ref().is_none_or(|(since, id)| (item.since, &item.id) > (*since, id))
        });
        items.truncate(places(filter.limit));
        Ok(items)
    }

    async fn queue_counts(&self, patience: Patience) -> Result<QueueCounts, StoreError> {
        let mut counts = QueueCounts::new();
        for item in self.books()?.queue(patience) {
            *counts.entry(item.kind).or_default() += 1;
        }
        Ok(counts)
    }

    async fn callbacks(&self, filter: &CallbackFilter) -> Result<Vec<CallbackRow>, StoreError> {
        Ok(self.books()?.list_callbacks(filter))
    }

    async fn settle_callback(&self, id: CallbackId, audit: AuditRow) -> Result<bool, StoreError> {
        self.books()?.settle_callback(id, audit)
    }

    async fn audit(&self, before: Option<AuditId>, limit: u32) -> Result<Vec<AuditRow>, StoreError> {
        let books = self.books()?;
        let lines = books.audits.values().rev().filter(|row| before.is_none_or(|before| row.id < before));
        Ok(lines.take(places(limit)).cloned().collect())
    }

    async fn order_lines(&self, window: &Window) -> Result<Vec<OrderLine>, StoreError> {
        Ok(self.books()?.order_lines(window))
    }

    async fn refund_lines(&self, window: &Window) -> Result<Vec<RefundLine>, StoreError> {
        let books = self.books()?;
        let after = window.after.as_deref().unwrap_or_default();
        let refunds = books.refunds.after(&window.channel, after);
        let lines = refunds.filter(|refund| is_inside(window, &refund.number, refund.created_at));
        Ok(lines.take(places(window.limit)).map(refund_line).collect())
    }

    async fn channel_use(&self, channel: &ChannelId) -> Result<ChannelUse, StoreError> {
        let books = self.books()?;
        let attempts = || {
            let all = books.payments.values().flat_map(|payment| &payment.attempts);
            all.filter(|attempt| attempt.channel == *channel)
        };
        let is_unended = books.is_unended(channel);
        Ok(ChannelUse { is_unended, last_end: attempts().map(|attempt| attempt.ends_at).max() })
    }
}

fn is_inside(window: &Window, number: &str, at: Timestamp) -> bool {
    let is_after = window.after.as_deref().is_none_or(|after| number > after);
    is_after && (window.from..window.to).contains(&at)
}

fn refund_line(refund: &Refund) -> RefundLine {
    RefundLine {
        number: refund.number.clone(),
        payment: refund.payment,
        state: refund.state,
        amount: refund.amount,
        created_at: refund.created_at,
    }
}

fn order_line(payment: &Payment, attempt: &Attempt, reversed: bool) -> OrderLine {
    OrderLine {
        number: attempt.number.as_str().to_owned(),
        payment: payment.id,
        state: attempt.state,
        status: payment.status,
        amount: payment.amount,
        received: attempt.received,
        reversed,
        created_at: attempt.created_at,
    }
}

impl Books {
    /// Whether money of that attempt has gone back with a close.
    fn was_reversed(&self, attempt: AttemptId) -> bool {
        self.refunds.all().any(|refund| refund.attempt == attempt && refund.origin == RefundOrigin::Reversal)
    }

    /// All that waits for a person, oldest first.
    fn queue(&self, patience: Patience) -> Vec<QueueItem> {
        let attempts = self.payments.values().flat_map(|payment| {
            payment.attempts.iter().filter_map(move |attempt| attempt_item(payment, attempt, patience))
        });
        let refunds = self.refunds.all().filter_map(|refund| refund_item(refund, patience));
        let transfers = self.transfers.all().filter_map(|transfer| transfer_item(transfer, patience));
        let waiting = self.callbacks.all().filter(|row| self.callbacks.waits(row));
        let callbacks = waiting.map(|row| self.callback_item(row));
        let dead = self.deliveries.values().filter(|delivery| delivery.state == DeliveryState::Dead);
        let notices =
            dead.filter_map(|delivery| Some(notice_item(delivery, self.events.get(&delivery.event)?)));
        let mut items: Vec<QueueItem> =
            attempts.chain(refunds).chain(transfers).chain(callbacks).chain(notices).collect();
        items.sort_by(|one, other| (one.since, &one.id).cmp(&(other.since, &other.id)));
        items
    }

    fn callback_item(&self, row: &CallbackRow) -> QueueItem {
        let payment = row.payment.and_then(|id| self.payments.get(&id));
        QueueItem {
            kind: QueueKind::CallbackUnmatched,
            id: row.id.to_string(),
            app: payment.map(|payment| payment.app.clone()),
            payment: row.payment,
            channel: Some(row.channel.clone()),
            amount: None,
            since: row.received_at,
            detail: row.detail.clone(),
        }
    }

    fn list_callbacks(&self, filter: &CallbackFilter) -> Vec<CallbackRow> {
        let mut rows: Vec<&CallbackRow> = self.callbacks.all().filter(|row| listed(row, filter)).collect();
        rows.sort_by_key(|row| std::cmp::Reverse((row.received_at, row.id)));
        rows.into_iter().take(places(filter.limit)).cloned().collect()
    }

    fn settle_callback(&mut self, id: CallbackId, mut audit: AuditRow) -> Result<bool, StoreError> {
        plain_audit(&mut audit);
        self.check_audit(audit.id)?;
        let waited = self.callbacks.settle(id);
        if waited {
            self.audits.insert(audit.id, audit);
        }
        Ok(waited)
    }

    /// Whether an attempt, a refund or a transfer of that channel is still to be looked at.
    pub(super) fn is_unended(&self, channel: &ChannelId) -> bool {
        let mut attempts = self.payments.values().flat_map(|payment| &payment.attempts);
        attempts.any(|attempt| attempt.channel == *channel && attempt.check_at.is_some())
            || self.refunds.all().any(|refund| refund.channel == *channel && refund.check_at.is_some())
            || self
                .transfers
                .all()
                .any(|transfer| transfer.channel == *channel && transfer.check_at.is_some())
    }

    fn order_lines(&self, window: &Window) -> Vec<OrderLine> {
        let from = (window.channel.clone(), window.after.clone().unwrap_or_default());
        let numbers = self.numbers.range(from..).take_while(|((channel, _), _)| *channel == window.channel);
        let found = numbers.filter_map(|(_, id)| {
            let payment = self.payments.get(&self.attempts.get(id)?.payment)?;
            Some((payment, payment.attempt(*id)?))
        });
        let inside = found.filter(|(_, a)| is_inside(window, a.number.as_str(), a.created_at));
        inside
            .take(places(window.limit))
            .map(|(payment, attempt)| order_line(payment, attempt, self.was_reversed(attempt.id)))
            .collect()
    }
}

fn listed(row: &CallbackRow, filter: &CallbackFilter) -> bool {
    filter.payment.is_none_or(|payment| row.payment == Some(payment))
        && filter.channel.as_ref().is_none_or(|channel| row.channel == *channel)
        && filter.verdict.is_none_or(|verdict| row.verdict == verdict)
        && filter.after.is_none_or(|after| (row.received_at, row.id) < after)
}

/// An attempt that is unknown and holds money waits as unknown alone.
fn attempt_item(payment: &Payment, attempt: &Attempt, patience: Patience) -> Option<QueueItem> {
    let is_unknown = attempt.state == AttemptState::Unknown || attempt.is_said_paid();
    let waits = is_unknown && attempt.created_at < patience.unknown_before;
    let kind = if waits || attempt.is_overdue(patience.ended_before) {
        QueueKind::AttemptUnknown
    } else if attempt.holds_money() {
        QueueKind::MoneyHeld
    } else {
        return None;
    };
    Some(QueueItem {
        kind,
        id: attempt.id.to_string(),
        app: Some(payment.app.clone()),
        payment: Some(payment.id),
        channel: Some(attempt.channel.clone()),
        amount: attempt.held().or(Some(payment.amount)),
        since: attempt.created_at,
        detail: attempt.failure.as_ref().map(|failure| failure.message.clone()),
    })
}

/// Why a refund or a transfer waits that was made, and sent, at those moments.
fn outflow_kind(
    state: OutflowState,
    (created_at, sent_at): (Timestamp, Timestamp),
    patience: Patience,
    kinds: [QueueKind; 2],
) -> Option<QueueKind> {
    let [unknown, needs_action] = kinds;
    match state {
        OutflowState::NeedsAction => Some(needs_action),
        OutflowState::Unknown => (created_at < patience.unknown_before).then_some(unknown),
        OutflowState::Pending => (sent_at < patience.sent_before).then_some(unknown),
        OutflowState::Queued | OutflowState::Sending | OutflowState::Succeeded | OutflowState::Failed => None,
    }
}

fn refund_item(refund: &Refund, patience: Patience) -> Option<QueueItem> {
    let created_at = refund.created_at;
    let moments = (created_at, refund.sent_at.map_or(created_at, |sent_at| sent_at.max(created_at)));
    let kinds = [QueueKind::RefundUnknown, QueueKind::RefundNeedsAction];
    Some(QueueItem {
        kind: outflow_kind(refund.state, moments, patience, kinds)?,
        id: refund.id.to_string(),
        app: Some(refund.app.clone()),
        payment: Some(refund.payment),
        channel: Some(refund.channel.clone()),
        amount: Some(refund.amount),
        since: refund.created_at,
        detail: refund.failure.as_ref().map(|failure| failure.message.clone()),
    })
}

fn transfer_item(transfer: &Transfer, patience: Patience) -> Option<QueueItem> {
    // It is sent as soon as it is stored.
    let moments = (transfer.created_at, transfer.created_at);
    let kinds = [QueueKind::TransferUnknown, QueueKind::TransferNeedsAction];
    Some(QueueItem {
        kind: outflow_kind(transfer.state, moments, patience, kinds)?,
        id: transfer.id.to_string(),
        app: Some(transfer.app.clone()),
        payment: None,
        channel: Some(transfer.channel.clone()),
        amount: Some(transfer.amount),
        since: transfer.created_at,
        detail: transfer.failure.as_ref().map(|failure| failure.message.clone()),
    })
}

fn notice_item(delivery: &Delivery, event: &Event) -> QueueItem {
    let payment = match event.subject {
        Subject::Payment(id) => Some(id),
        Subject::Transfer(_) => None,
    };
    QueueItem {
        kind: QueueKind::NoticeDead,
        id: event.id.to_string(),
        app: Some(event.app.clone()),
        payment,
        channel: None,
        amount: None,
        since: event.created_at,
        detail: delivery.detail.clone(),
    }
}
