//! Payments, refunds and transfers as acceptors tell of them.

use serde_json::Value;

use crate::acceptor::{
    Acceptor, FrontOrder, FrontPayoutRecord, FrontRefundRecord, FrontRefundState, FrontStanding,
};
use crate::outflow::OutflowState;
use crate::payment::{AttemptState, Payment, Status};
use crate::refund::Refund;
use crate::transfer::Transfer;

/// A payment as an order. What the native API made has neither a memo nor an echo.
pub(crate) fn order_of(payment: &Payment, acceptor: &dyn Acceptor) -> FrontOrder {
    let is_paid = payment.status == Status::Succeeded;
    let paid = payment.attempts.iter().find(|attempt| attempt.state == AttemptState::Paid);
    let note = payment.front.as_deref();
    FrontOrder {
        id: payment.id.to_string(),
        number: payment.order_no.to_string(),
        amount: payment.amount,
        received: is_paid.then_some(payment.amount_received),
        discount: payment.amount_discount,
        refunded: payment.amount_refunded,
        method: payment.method,
        memo: note.map(|note| note.memo.clone()).unwrap_or_default(),
        subject: payment.subject.clone(),
        trade_no: paid.and_then(|attempt| attempt.trade_no.clone()),
        closed: is_closed(payment.status, acceptor),
        created_at: payment.created_at,
        paid_at: payment.paid_at,
        echo: note.map_or(Value::Null, |note| note.echo.clone()),
    }
}

fn is_closed(status: Status, acceptor: &dyn Acceptor) -> bool {
    match status {
        Status::Canceled => true,
        Status::Failed | Status::Expired => acceptor.tells_ended_as_closed(),
        Status::Processing | Status::Pending | Status::Succeeded => false,
    }
}

/// A refund as a record of its order's.
pub(crate) fn refund_of(refund: &Refund, payment: &Payment, acceptor: &dyn Acceptor) -> FrontRefundRecord {
    let id = refund.id.to_string();
    FrontRefundRecord {
        number: refund.refund_no.as_ref().map_or_else(|| id.clone(), ToString::to_string),
        id,
        order: order_of(payment, acceptor),
        amount: refund.amount,
        state: state(refund),
        created_at: refund.created_at,
        ended_at: refund.ended_at,
        echo: refund.front.as_deref().map_or(Value::Null, |note| note.echo.clone()),
    }
}

/// A transfer as a record.
pub(crate) fn payout_of(transfer: &Transfer) -> FrontPayoutRecord {
    let note = transfer.front.as_deref();
    FrontPayoutRecord {
        id: transfer.id.to_string(),
        number: transfer.transfer_no.to_string(),
        amount: transfer.amount,
        memo: note.map(|note| note.memo.clone()).unwrap_or_default(),
        reason: transfer.reason.clone(),
        payee: transfer.payee_masked.clone(),
        trade_no: transfer.reference.clone(),
        action_url: transfer.action_url.clone(),
        standing: standing(transfer.state),
        created_at: transfer.created_at,
        ended_at: transfer.ended_at,
        echo: note.map_or(Value::Null, |note| note.echo.clone()),
    }
}

/// What may still be done is under way, also where nobody knows.
pub(super) const fn standing(state: OutflowState) -> FrontStanding {
    match state {
        OutflowState::Succeeded => FrontStanding::Done,
        OutflowState::Failed => FrontStanding::Failed,
        OutflowState::Queued
        | OutflowState::Sending
        | OutflowState::Pending
        | OutflowState::NeedsAction
        | OutflowState::Unknown => FrontStanding::UnderWay,
    }
}

/// The same of a refund, with what it waits for.
fn state(refund: &Refund) -> FrontRefundState {
    if refund.awaits_approval() {
        return FrontRefundState::AwaitsApproval;
    }
    match (refund.state, &refund.action_url) {
        (OutflowState::Succeeded, _) => FrontRefundState::Done,
        (OutflowState::Failed, _) => FrontRefundState::Failed,
        (OutflowState::NeedsAction, Some(url)) => FrontRefundState::NeedsAction { url: url.clone() },
        (
            OutflowState::NeedsAction
            | OutflowState::Queued
            | OutflowState::Sending
            | OutflowState::Pending
            | OutflowState::Unknown,
            _,
        ) => FrontRefundState::Pending,
    }
}
