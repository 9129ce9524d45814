//! How a payment looks from outside: the JSON of the merchant API and of notices.
//!
//! Field names and order are a contract: extend, never rename.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::clock::Timestamp;
use crate::ids::{AttemptId, ChannelId, PaymentId};
use crate::payment::{Attempt, AttemptState, Failure, NextAction, Payment};

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
    cashier_url: Option<&'a str>,
    created_at: Timestamp,
    expires_at: Timestamp,
    paid_at: Option<Timestamp>,
    failure: Option<&'a Failure>,
    metadata: &'a BTreeMap<String, String>,
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
            attempts: payment.attempts.iter().map(AttemptView::of).collect(),
        }
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
            created_at: attempt.created_at,
        }
    }
}

/// The body of a notice: Standard Webhooks' `type`, `timestamp` and `data`, where `data` is the
/// payment with what this event adds.
#[derive(Debug, Serialize)]
pub struct NoticeView<'a> {
    /// The event's kind.
    pub r#type: &'static str,
    /// When it happened.
    pub timestamp: Timestamp,
    /// The payment at that moment.
    pub data: NoticeData<'a>,
}

/// The payment, and what this event adds.
#[derive(Debug, Serialize)]
pub struct NoticeData<'a> {
    /// The payment after the change.
    #[serde(flatten)]
    pub payment: PaymentView<'a>,
    /// Counts the events of this payment, from 1: notices may arrive in another order.
    pub sequence: i64,
    /// Whether the payment had ended before.
    pub late: bool,
    /// The status before the change.
    pub previous_status: &'static str,
}
