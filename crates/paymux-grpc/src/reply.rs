//! From what the core answers to messages. Every field is named and filled as its namesake in [`paymux_core::view`].

use paymux_core::outflow::OutflowState;
use paymux_core::payment::{Attempt, AttemptState, Failure, Held, NextAction, Status};
use paymux_core::payments::Explained;
use paymux_core::router::{Candidate, Decision};
use paymux_core::{Catalog, Money, Payment, Refund, Timestamp, Transfer};

use crate::{json, v1};

/// The payment as it is now, with the page on which its payer pays.
pub(crate) fn payment(catalog: &Catalog, payment: &Payment) -> v1::Payment {
    let face = payment.face();
    let trade_no = face.filter(|a| a.state == AttemptState::Paid).and_then(|a| a.trade_no.clone());
    v1::Payment {
        id: payment.id.to_string(),
        object: "payment".to_owned(),
        app: payment.app.to_string(),
        order_no: payment.order_no.to_string(),
        status: payment_status(payment.status).into(),
        amount: payment.amount.minor(),
        amount_received: payment.amount_received.minor(),
        amount_discount: payment.amount_discount.minor(),
        amount_refunded: payment.amount_refunded.minor(),
        currency: payment.amount.currency().code().to_owned(),
        method: payment.method.to_string(),
        subject: payment.subject.clone(),
        livemode: payment.livemode,
        held: payment.held.map(Held::word).map(str::to_owned),
        channel: face.map(|a| a.channel.to_string()),
        provider: face.map(|a| a.provider.clone()),
        provider_order_no: face.map(|a| a.number.to_string()),
        provider_trade_no: trade_no,
        next_action: payment.next_action.as_ref().map(next_action),
        cashier_url: Some(catalog.cashier_url(payment.id)),
        created_at: Some(moment(payment.created_at)),
        expires_at: Some(moment(payment.expires_at)),
        paid_at: payment.paid_at.map(moment),
        failure: payment.failure.as_ref().map(failure),
        metadata: payment.metadata.clone(),
        attempts: payment.attempts.iter().map(attempt).collect(),
    }
}

const fn payment_status(status: Status) -> v1::PaymentStatus {
    match status {
        Status::Processing => v1::PaymentStatus::Processing,
        Status::Pending => v1::PaymentStatus::Pending,
        Status::Succeeded => v1::PaymentStatus::Succeeded,
        Status::Failed => v1::PaymentStatus::Failed,
        Status::Canceled => v1::PaymentStatus::Canceled,
        Status::Expired => v1::PaymentStatus::Expired,
    }
}

fn next_action(action: &NextAction) -> v1::NextAction {
    use v1::next_action::{App, Html, Jsapi, Qr, Redirect, Type};
    let r#type = match action {
        NextAction::Redirect { url } => Type::Redirect(Redirect { url: url.clone() }),
        NextAction::Qr { qr } => Type::Qr(Qr { qr: qr.clone() }),
        NextAction::Html { html } => Type::Html(Html { html: html.clone() }),
        NextAction::App { params } => Type::App(App { params: Some(json::value(params)) }),
        NextAction::Jsapi { params } => Type::Jsapi(Jsapi { params: Some(json::value(params)) }),
    };
    v1::NextAction { r#type: Some(r#type) }
}

fn failure(failure: &Failure) -> v1::Failure {
    let Failure { code, message, provider_code } = failure.clone();
    v1::Failure { code, message, provider_code }
}

fn attempt(attempt: &Attempt) -> v1::Attempt {
    v1::Attempt {
        id: attempt.id.to_string(),
        channel: attempt.channel.to_string(),
        provider_order_no: attempt.number.to_string(),
        state: attempt.state.word().to_owned(),
        outcome: attempt.failure.as_ref().map(failure),
        received: attempt.received.map(Money::minor),
        received_currency: attempt.received.map(|received| received.currency().code().to_owned()),
        refunded: attempt.refunded,
        created_at: Some(moment(attempt.created_at)),
    }
}

/// The refund as it is now.
pub(crate) fn refund(refund: &Refund) -> v1::Refund {
    v1::Refund {
        id: refund.id.to_string(),
        object: "refund".to_owned(),
        payment: refund.payment.to_string(),
        attempt: refund.attempt.to_string(),
        refund_no: refund.refund_no.as_ref().map(ToString::to_string),
        origin: refund.origin.word().to_owned(),
        amount: refund.amount.minor(),
        currency: refund.amount.currency().code().to_owned(),
        reason: refund.reason.clone(),
        status: refund_status(refund.state).into(),
        action_url: refund.action_url.clone(),
        failure: refund.failure.as_ref().map(failure),
        channel: refund.channel.to_string(),
        provider_refund_no: refund.was_taken().then(|| refund.number.clone()),
        created_at: Some(moment(refund.created_at)),
        ended_at: refund.ended_at.map(moment),
    }
}

const fn refund_status(state: OutflowState) -> v1::RefundStatus {
    match state {
        OutflowState::Queued | OutflowState::Sending | OutflowState::Pending => v1::RefundStatus::Pending,
        OutflowState::NeedsAction => v1::RefundStatus::NeedsAction,
        OutflowState::Unknown => v1::RefundStatus::Unknown,
        OutflowState::Succeeded => v1::RefundStatus::Succeeded,
        OutflowState::Failed => v1::RefundStatus::Failed,
    }
}

/// The transfer as it is now; of its payee only what is not masked.
pub(crate) fn transfer(transfer: &Transfer) -> v1::Transfer {
    v1::Transfer {
        id: transfer.id.to_string(),
        object: "transfer".to_owned(),
        transfer_no: transfer.transfer_no.to_string(),
        amount: transfer.amount.minor(),
        currency: transfer.amount.currency().code().to_owned(),
        product: transfer.product.clone(),
        payee: transfer.payee_masked.clone(),
        reason: transfer.reason.clone(),
        livemode: transfer.livemode,
        status: transfer_status(transfer.state).into(),
        action_url: transfer.action_url.clone(),
        failure: transfer.failure.as_ref().map(failure),
        channel: transfer.channel.to_string(),
        provider: transfer.provider.clone(),
        provider_transfer_no: transfer.number.clone(),
        created_at: Some(moment(transfer.created_at)),
        ended_at: transfer.ended_at.map(moment),
    }
}

const fn transfer_status(state: OutflowState) -> v1::TransferStatus {
    match state {
        OutflowState::Queued | OutflowState::Sending | OutflowState::Pending => {
            v1::TransferStatus::Processing
        }
        OutflowState::NeedsAction => v1::TransferStatus::NeedsAction,
        OutflowState::Unknown => v1::TransferStatus::Unknown,
        OutflowState::Succeeded => v1::TransferStatus::Succeeded,
        OutflowState::Failed => v1::TransferStatus::Failed,
    }
}

/// The record of a choice that nobody acts on.
pub(crate) fn explained(explained: Explained) -> v1::ExplainResponse {
    let Explained { decision, spread } = explained;
    let Decision { route, strategy, seed, turn, sticks_to, probe_percent, picked, candidates } = decision;
    let spread = spread.unwrap_or_default();
    v1::ExplainResponse {
        route: route.map(|route| route.to_string()),
        strategy: strategy.map(|strategy| strategy.to_string()),
        seed: seed.to_string(),
        turn,
        sticks_to: sticks_to.map(|tie| tie.to_string()),
        probe_percent: probe_percent.map(u32::from),
        picked: picked.map(|channel| channel.to_string()),
        candidates: candidates.into_iter().map(candidate).collect(),
        spread: spread.into_iter().map(|(channel, count)| (channel.to_string(), count)).collect(),
    }
}

fn candidate(candidate: Candidate) -> v1::Candidate {
    v1::Candidate {
        channel: candidate.channel.to_string(),
        eligible: candidate.eligible,
        removed_by: candidate
            .removed_by
            .map(|removal| v1::Removal { rule: removal.rule.to_string(), detail: removal.detail }),
        weight: candidate.weight,
        fee_bp: candidate.fee_bp,
        collected_today: candidate.collected_today,
        last_completed: candidate.last_completed,
        success_ppm: candidate.success_ppm,
    }
}

fn moment(at: Timestamp) -> prost_types::Timestamp {
    let nanos = i32::try_from(at.ms().rem_euclid(1000) * 1_000_000).unwrap_or_default();
    prost_types::Timestamp { seconds: at.seconds(), nanos }
}

#[cfg(test)]
mod tests {
    use paymux_core::view::{PaymentView, RefundView, TransferView};
    use paymux_testkit::Fixtures;
    use prost::Message as _;
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn every_field_has_its_namesake_over_http() {
        let made = Fixtures::new(1);
        let payment = made.payment("shop", "A1");
        let view = json!(PaymentView::of(&payment));
        check("Attempt", &view["attempts"][0]);
        check("Payment", &view);
        check("Refund", &json!(RefundView::of(&made.refund(&payment, "R1", 5))));
        check("Transfer", &json!(TransferView::of(&made.transfer("shop", "T1", 5))));

        #[track_caller]
        fn check(message: &str, view: &Value) {
            let all = prost_types::FileDescriptorSet::decode(crate::DESCRIPTORS).unwrap();
            let ours = all.file.iter().find(|file| file.package() == "paymux.v1").unwrap();
            let message = ours.message_type.iter().find(|found| found.name() == message).unwrap();
            let mut told: Vec<&str> =
                message.field.iter().map(prost_types::FieldDescriptorProto::name).collect();
            told.sort_unstable();
            let mut by_http: Vec<&str> = view.as_object().unwrap().keys().map(String::as_str).collect();
            by_http.sort_unstable();
            assert_eq!(told, by_http);
        }
    }

    #[test]
    fn a_moment_before_1970_counts_upwards_too() {
        assert_eq!(
            moment(Timestamp::from_ms(-1)),
            prost_types::Timestamp { seconds: -1, nanos: 999_000_000 }
        );
        assert_eq!(
            moment(Timestamp::from_ms(1500)),
            prost_types::Timestamp { seconds: 1, nanos: 500_000_000 }
        );
    }
}
