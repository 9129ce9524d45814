//! How a payment looks from outside: the JSON of the merchant API and of notices.
//!
//! Field names and order are a contract: extend, never rename.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::ids::{AttemptId, ChannelId, EventId, PaymentId, RefundId, RefundNo, TransferId, TransferNo};
use crate::outflow::OutflowState;
use crate::payment::{Attempt, AttemptState, Failure, NextAction, Origin, Payment};
use crate::refund::Refund;
use crate::store::{DeliveryState, EventKind, ListedEvent};
use crate::transfer::Transfer;

/// A payment as a merchant sees it.
#[derive(Debug, Serialize)]
pub struct PaymentView<'a> {
    id: PaymentId,
    object: &'static str,
    app: &'a str,
    order_no: &'a str,
    status: &'static str,
    amount: i64,
    amount_received: i64,
    amount_discount: i64,
    amount_refunded: i64,
    currency: &'static str,
    method: String,
    subject: &'a str,
    livemode: bool,
    held: Option<&'static str>,
    channel: Option<&'a ChannelId>,
    provider: Option<&'a str>,
    provider_order_no: Option<&'a str>,
    provider_trade_no: Option<&'a str>,
    next_action: Option<&'a NextAction>,
    cashier_url: Option<String>,
    created_at: Timestamp,
    expires_at: Timestamp,
    paid_at: Option<Timestamp>,
    failure: Option<&'a Failure>,
    metadata: &'a BTreeMap<String, String>,
    /// Where the order was not made here.
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<&'static str>,
    attempts: Vec<AttemptView<'a>>,
}

/// One attempt as a merchant sees it.
#[derive(Debug, Serialize)]
struct AttemptView<'a> {
    id: AttemptId,
    channel: &'a ChannelId,
    provider_order_no: &'a str,
    state: &'static str,
    outcome: Option<&'a Failure>,
    received: Option<i64>,
    received_currency: Option<&'static str>,
    refunded: i64,
    created_at: Timestamp,
}

impl<'a> PaymentView<'a> {
    /// The payment as it is now.
    pub fn of(payment: &'a Payment) -> Self {
        let face = payment.face();
        let trade_no = face.filter(|a| a.state == AttemptState::Paid).and_then(|a| a.trade_no.as_deref());
        Self {
            id: payment.id,
            object: "payment",
            app: payment.app.as_str(),
            order_no: payment.order_no.as_str(),
            status: payment.status.word(),
            amount: payment.amount.minor(),
            amount_received: payment.amount_received.minor(),
            amount_discount: payment.amount_discount.minor(),
            amount_refunded: payment.amount_refunded.minor(),
            currency: payment.amount.currency().code(),
            method: payment.method.to_string(),
            subject: &payment.subject,
            livemode: payment.livemode,
            held: payment.held.map(crate::payment::Held::word),
            channel: face.map(|a| &a.channel),
            provider: face.map(|a| a.provider.as_str()),
            provider_order_no: face.map(|a| a.number.as_str()),
            provider_trade_no: trade_no,
            next_action: payment.next_action.as_ref(),
            cashier_url: None,
            created_at: payment.created_at,
            expires_at: payment.expires_at,
            paid_at: payment.paid_at,
            failure: payment.failure.as_ref(),
            metadata: &payment.metadata,
            origin: Some(payment.origin).filter(|origin| *origin != Origin::Created).map(Origin::word),
            attempts: payment.attempts.iter().map(AttemptView::of).collect(),
        }
    }
}

impl PaymentView<'_> {
    /// The same with the page on which its payer pays.
    #[must_use]
    pub fn with_cashier(mut self, url: String) -> Self {
        self.cashier_url = Some(url);
        self
    }
}

impl<'a> AttemptView<'a> {
    fn of(attempt: &'a Attempt) -> Self {
        Self {
            id: attempt.id,
            channel: &attempt.channel,
            provider_order_no: attempt.number.as_str(),
            state: attempt.state.word(),
            outcome: attempt.failure.as_ref(),
            received: attempt.received.map(crate::money::Money::minor),
            received_currency: attempt.received.map(|received| received.currency().code()),
            refunded: attempt.refunded,
            created_at: attempt.created_at,
        }
    }
}

/// A refund as a merchant sees it.
#[derive(Debug, Serialize)]
pub struct RefundView<'a> {
    id: RefundId,
    object: &'static str,
    payment: PaymentId,
    attempt: AttemptId,
    refund_no: Option<&'a RefundNo>,
    origin: &'static str,
    amount: i64,
    currency: &'static str,
    reason: &'a str,
    status: &'static str,
    action_url: Option<&'a str>,
    failure: Option<&'a Failure>,
    channel: &'a ChannelId,
    provider_refund_no: Option<&'a str>,
    created_at: Timestamp,
    ended_at: Option<Timestamp>,
}

impl<'a> RefundView<'a> {
    /// The refund as it is now.
    pub fn of(refund: &'a Refund) -> Self {
        Self {
            id: refund.id,
            object: "refund",
            payment: refund.payment,
            attempt: refund.attempt,
            refund_no: refund.refund_no.as_ref(),
            origin: refund.origin.word(),
            amount: refund.amount.minor(),
            currency: refund.amount.currency().code(),
            reason: &refund.reason,
            // Its merchant is the person that it waits for.
            status: if refund.awaits_approval() {
                OutflowState::NeedsAction.word()
            } else {
                refund_status(refund.state)
            },
            action_url: refund.action_url.as_deref(),
            failure: refund.failure.as_ref(),
            channel: &refund.channel,
            provider_refund_no: refund.was_taken().then_some(refund.number.as_str()),
            created_at: refund.created_at,
            ended_at: refund.ended_at,
        }
    }
}

/// The word for a refund's state: `pending` while it is being sent.
pub const fn refund_status(state: OutflowState) -> &'static str {
    match state {
        OutflowState::Queued | OutflowState::Sending => OutflowState::Pending.word(),
        other => other.word(),
    }
}

/// A transfer as a merchant sees it.
#[derive(Debug, Serialize)]
pub struct TransferView<'a> {
    id: TransferId,
    object: &'static str,
    transfer_no: &'a TransferNo,
    amount: i64,
    currency: &'static str,
    product: &'a str,
    payee: &'a BTreeMap<String, String>,
    reason: &'a str,
    livemode: bool,
    status: &'static str,
    action_url: Option<&'a str>,
    failure: Option<&'a Failure>,
    channel: &'a ChannelId,
    provider: &'a str,
    provider_transfer_no: &'a str,
    created_at: Timestamp,
    ended_at: Option<Timestamp>,
}

impl<'a> TransferView<'a> {
    /// The transfer as it is now; of its payee only what is not masked.
    pub fn of(transfer: &'a Transfer) -> Self {
        Self {
            id: transfer.id,
            object: "transfer",
            transfer_no: &transfer.transfer_no,
            amount: transfer.amount.minor(),
            currency: transfer.amount.currency().code(),
            product: &transfer.product,
            payee: &transfer.payee_masked,
            reason: &transfer.reason,
            livemode: transfer.livemode,
            status: transfer_status(transfer.state),
            action_url: transfer.action_url.as_deref(),
            failure: transfer.failure.as_ref(),
            channel: &transfer.channel,
            provider: &transfer.provider,
            provider_transfer_no: &transfer.number,
            created_at: transfer.created_at,
            ended_at: transfer.ended_at,
        }
    }
}

/// The word for a transfer's state: `processing` until the provider says more.
pub const fn transfer_status(state: OutflowState) -> &'static str {
    match state {
        OutflowState::Queued | OutflowState::Sending | OutflowState::Pending => "processing",
        other => other.word(),
    }
}

/// An event as a merchant sees it.
#[derive(Debug, Serialize)]
pub struct EventView<'a> {
    id: EventId,
    object: &'static str,
    r#type: &'static str,
    created_at: Timestamp,
    sequence: i64,
    delivery: DeliveryView<'a>,
    data: serde_json::Value,
}

/// How an event's notice fares; no state where the app has no address.
#[derive(Debug, Serialize)]
struct DeliveryView<'a> {
    state: Option<&'static str>,
    tries: u32,
    detail: Option<&'a str>,
}

impl<'a> EventView<'a> {
    /// The event and its delivery as it is now.
    pub fn of(listed: &'a ListedEvent) -> Self {
        let ListedEvent { event, state, tries, detail } = listed;
        Self {
            id: event.id,
            object: "event",
            r#type: event.kind.word(),
            created_at: event.created_at,
            sequence: event.sequence,
            delivery: DeliveryView {
                state: state.map(DeliveryState::word),
                tries: *tries,
                detail: detail.as_deref(),
            },
            data: notice_data(&event.body),
        }
    }
}

/// The `data` of a notice's body; null in a body of another form.
fn notice_data(body: &str) -> serde_json::Value {
    let body: Option<serde_json::Value> = serde_json::from_str(body).ok();
    body.and_then(|mut body| body.get_mut("data").map(serde_json::Value::take)).unwrap_or_default()
}

/// What every notice tells beside its object.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Told {
    /// Counts the events of one payment or transfer, from 1: notices may arrive in another order.
    pub sequence: i64,
    /// Whether the object had ended before.
    pub late: bool,
    /// The object's status before the change.
    pub previous_status: &'static str,
}

/// The body of a notice: Standard Webhooks' `type`, `timestamp` and `data`, where `data` is the
/// object after the change with what this event adds.
pub fn notice_body(kind: EventKind, now: Timestamp, object: impl Serialize, told: Told) -> String {
    #[derive(Serialize)]
    struct Notice<T> {
        r#type: &'static str,
        timestamp: Timestamp,
        data: Data<T>,
    }
    #[derive(Serialize)]
    struct Data<T> {
        #[serde(flatten)]
        object: T,
        #[serde(flatten)]
        told: Told,
    }
    let notice = Notice { r#type: kind.word(), timestamp: now, data: Data { object, told } };
    serde_json::to_string(&notice).unwrap_or_default()
}
