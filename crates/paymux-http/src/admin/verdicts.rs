//! Operators' words: that money is there, what became of it, and that a callback was seen to. Each needs
//! a note, and leaves a line in the audit trail.

use std::sync::Arc;

use axum::extract::{Extension, Request, State};
use http::StatusCode;
use paymux_core::ids::CallbackId;
use paymux_core::money::AMOUNT_MAX;
use paymux_core::payment::request::InvalidField;
use paymux_core::payments::desk::{Operator, Outcome, Resolution};
use paymux_core::view::{PaymentView, RefundView, TransferView};
use paymux_core::{AttemptId, PaymentError, RefundId, TransferId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Admin;
use crate::envelope;
use crate::json::Shape;
use crate::limits::{NOTE_CHARS, TRADE_NO_CHARS};
use crate::openapi::{self, Body, Described, Field, Group, Object, Operation, Param, Reply, samples, schema};
use crate::posted::Posted;
use crate::problem::{Problem, Refusal};
use crate::query;
use crate::routes::{Answer, InPath, payments, payments::payment_id, payments::shown};

/// What the word of an operator may come to.
const REFUSED: &[Refusal] =
    &[Refusal::NotFound, Refusal::InFlight, Refusal::NotResolvable, Refusal::Unsupported];

/// `POST /admin/api/payments/{id}/confirm`
pub(super) const CONFIRM: Operation = Operation {
    title: "Say that a payment's money is there",
    says: "The ordinary success follows, once: the same word again changes nothing, and another amount is refused.",
    places: &[payments::ID],
    body: Body::Json(ConfirmRequest::object),
    replies: &[Reply::json(200, "The payment as it stands now.", PaymentView::object)],
    refusals: REFUSED,
    ..Operation::post("/admin/api/payments/{id}/confirm", "confirmPayment", Group::Desk)
};

/// See [`CONFIRM`].
pub(super) async fn confirm(
    State(admin): State<Arc<Admin>>,
    Extension(by): Extension<Operator>,
    InPath(id): InPath<String>,
    request: Request,
) -> Answer {
    let posted = Posted::read(request, admin.body()).await?;
    let (attempt, resolution) = posted.object::<ConfirmRequest>()?.check()?;
    let payment = admin.payments.confirm(by, payment_id(&id)?, attempt, resolution).await?;
    Ok(shown(&admin.payments, &payment))
}

/// `POST /admin/api/attempts/{id}/resolve`
pub(super) const RESOLVE_ATTEMPT: Operation = Operation {
    title: "Say what became of an attempt",
    says: "A payment that is held as `reversed` (a close may have sent its money back) is `paid` or \
           `returned_outside`.",
    places: &[Param::needed("id", || schema::id(AttemptId::PREFIX), "The attempt's id.", samples::ATTEMPT)],
    body: Body::Json(ResolveRequest::object),
    replies: &[Reply::json(200, "Its payment as it stands now.", PaymentView::object)],
    refusals: REFUSED,
    ..Operation::post("/admin/api/attempts/{id}/resolve", "resolveAttempt", Group::Desk)
};

/// See [`RESOLVE_ATTEMPT`].
pub(super) async fn resolve_attempt(
    State(admin): State<Arc<Admin>>,
    Extension(by): Extension<Operator>,
    InPath(id): InPath<String>,
    request: Request,
) -> Answer {
    let resolution = resolution(&admin, request).await?;
    let id = id.parse().map_err(|_| PaymentError::NotFound("attempt"))?;
    Ok(shown(&admin.payments, &admin.payments.resolve_attempt(by, id, resolution).await?))
}

/// `POST /admin/api/refunds/{id}/resolve`
pub(super) const RESOLVE_REFUND: Operation = Operation {
    title: "Say what became of a refund",
    says: "`paid` or `not_paid`.",
    places: &[Param::needed("id", || schema::id(RefundId::PREFIX), "The refund's id.", samples::REFUND)],
    body: Body::Json(ResolveRequest::object),
    replies: &[Reply::json(200, "The refund as it stands now.", RefundView::object)],
    refusals: REFUSED,
    ..Operation::post("/admin/api/refunds/{id}/resolve", "resolveRefund", Group::Desk)
};

/// See [`RESOLVE_REFUND`].
pub(super) async fn resolve_refund(
    State(admin): State<Arc<Admin>>,
    Extension(by): Extension<Operator>,
    InPath(id): InPath<String>,
    request: Request,
) -> Answer {
    let resolution = resolution(&admin, request).await?;
    let id = id.parse().map_err(|_| PaymentError::NotFound("refund"))?;
    let refund = admin.payments.resolve_refund(by, id, resolution).await?;
    Ok(envelope::json(StatusCode::OK, &RefundView::of(&refund)))
}

/// `POST /admin/api/transfers/{id}/resolve`
pub(super) const RESOLVE_TRANSFER: Operation = Operation {
    title: "Say what became of a transfer",
    says: "`paid` or `not_paid`.",
    places: &[Param::needed(
        "id",
        || schema::id(TransferId::PREFIX),
        "The transfer's id.",
        samples::TRANSFER,
    )],
    body: Body::Json(ResolveRequest::object),
    replies: &[Reply::json(200, "The transfer as it stands now.", TransferView::object)],
    refusals: REFUSED,
    ..Operation::post("/admin/api/transfers/{id}/resolve", "resolveTransfer", Group::Desk)
};

/// See [`RESOLVE_TRANSFER`].
pub(super) async fn resolve_transfer(
    State(admin): State<Arc<Admin>>,
    Extension(by): Extension<Operator>,
    InPath(id): InPath<String>,
    request: Request,
) -> Answer {
    let resolution = resolution(&admin, request).await?;
    let id = id.parse().map_err(|_| PaymentError::NotFound("transfer"))?;
    let transfer = admin.payments.resolve_transfer(by, id, resolution).await?;
    Ok(envelope::json(StatusCode::OK, &TransferView::of(&transfer)))
}

/// `POST /admin/api/callbacks/{id}/settle`
pub(super) const SETTLE_CALLBACK: Operation = Operation {
    title: "Say that a callback was seen to",
    places: &[Param::needed(
        "id",
        || schema::id(CallbackId::PREFIX),
        "The callback's id.",
        samples::CALLBACK,
    )],
    body: Body::Json(SettleRequest::object),
    replies: &[Reply::json(200, "It waits no longer.", SettledView::object)],
    refusals: &[Refusal::NotFound],
    ..Operation::post("/admin/api/callbacks/{id}/settle", "settleCallback", Group::Desk)
};

/// See [`SETTLE_CALLBACK`].
pub(super) async fn settle_callback(
    State(admin): State<Arc<Admin>>,
    Extension(by): Extension<Operator>,
    InPath(id): InPath<String>,
    request: Request,
) -> Answer {
    let posted = Posted::read(request, admin.body()).await?;
    let note = posted.object::<SettleRequest>()?.check()?;
    let id = id.parse().map_err(|_| PaymentError::NotFound("callback that waits"))?;
    admin.payments.settle_callback(by, id, note).await?;
    Ok(envelope::json(StatusCode::OK, &SettledView { id: id.to_string(), object: "callback", settled: true }))
}

async fn resolution(admin: &Admin, request: Request) -> Result<Resolution, Problem> {
    let posted = Posted::read(request, admin.body()).await?;
    Ok(posted.object::<ResolveRequest>()?.check()?)
}

/// An operator's word that a payment's money is there.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfirmRequest {
    amount: i64,
    #[serde(default)]
    provider_trade_no: Option<String>,
    note: String,
    /// Which attempt took the money, where several can have done so.
    #[serde(default)]
    attempt: Option<String>,
}

impl Shape for ConfirmRequest {
    const FREE: &'static [&'static str] = &[];
}

impl ConfirmRequest {
    fn check(self) -> Result<(Option<AttemptId>, Resolution), InvalidField> {
        let attempt = self.attempt.as_deref().map(query::id).transpose();
        let attempt = attempt.map_err(|rule| InvalidField::new("attempt", rule))?;
        let word = ResolveRequest {
            outcome: Outcome::Paid.word().to_owned(),
            amount: Some(self.amount),
            provider_trade_no: self.provider_trade_no,
            note: self.note,
        };
        Ok((attempt, word.check()?))
    }
}

impl Described for ConfirmRequest {
    fn object() -> Object {
        let says = "Which attempt took the money, where several can have done so.";
        Object::of::<Self>(
            "ConfirmRequest",
            "An operator's word that a payment's money is there.",
            vec![
                Field::new("amount", openapi::amount(), "How much came in, in minor units."),
                trade_no_field(),
                note_field(),
                Field::new("attempt", schema::id(AttemptId::PREFIX), says).may_be_left_out(),
            ],
        )
    }

    fn sample() -> Option<Value> {
        Some(json!({
            "amount": 1999, "provider_trade_no": "4200001234202609210000000001",
            "note": "Seen in the provider's back office",
        }))
    }
}

fn trade_no_field() -> Field {
    let says = "The wallet's or bank's number of the money.";
    Field::new("provider_trade_no", schema::line(TRADE_NO_CHARS), says).may_be_left_out()
}

fn note_field() -> Field {
    Field::new("note", schema::line(NOTE_CHARS), "Why, for the audit trail.")
}

/// An operator's word on what became of an attempt, a refund or a transfer.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResolveRequest {
    outcome: String,
    #[serde(default)]
    amount: Option<i64>,
    #[serde(default)]
    provider_trade_no: Option<String>,
    note: String,
}

impl Shape for ResolveRequest {
    const FREE: &'static [&'static str] = &[];
}

impl ResolveRequest {
    fn check(self) -> Result<Resolution, InvalidField> {
        let outcome = query::one_of(Outcome::ALL, Outcome::word, &self.outcome);
        let trade_no = |text: String| line("provider_trade_no", &text, TRADE_NO_CHARS);
        Ok(Resolution {
            outcome: outcome.map_err(|rule| InvalidField::new("outcome", rule))?,
            amount: self.amount.map(amount).transpose()?,
            provider_trade_no: self.provider_trade_no.map(trade_no).transpose()?,
            note: note(&self.note)?,
        })
    }
}

impl Described for ResolveRequest {
    fn object() -> Object {
        let says = "How much, in minor units, where money is said to be there.";
        Object::of::<Self>(
            "ResolveRequest",
            "An operator's word on what became of something.",
            vec![
                Field::new("outcome", schema::words(Outcome::ALL, Outcome::word), "What became of it."),
                Field::new("amount", openapi::amount(), says).may_be_left_out(),
                trade_no_field(),
                note_field(),
            ],
        )
    }

    fn sample() -> Option<Value> {
        Some(json!({"outcome": "not_paid", "note": "The provider has no such order"}))
    }
}

/// That a person has seen to something.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SettleRequest {
    note: String,
}

impl Shape for SettleRequest {
    const FREE: &'static [&'static str] = &[];
}

impl SettleRequest {
    fn check(&self) -> Result<String, InvalidField> {
        note(&self.note)
    }
}

impl Described for SettleRequest {
    fn object() -> Object {
        Object::of::<Self>("SettleRequest", "That a person has seen to something.", vec![note_field()])
    }

    fn sample() -> Option<Value> {
        Some(json!({"note": "The shop was told"}))
    }
}

/// A callback that no longer waits.
#[derive(Serialize)]
struct SettledView {
    id: String,
    object: &'static str,
    settled: bool,
}

impl Described for SettledView {
    fn object() -> Object {
        Object::of::<Self>(
            "Settled",
            "A callback that no longer waits.",
            vec![
                Field::new("id", schema::id(CallbackId::PREFIX), "The callback."),
                Field::new("object", schema::word("callback"), "What this is."),
                Field::new("settled", schema::flag(), "That it was seen to."),
            ],
        )
    }

    fn sample() -> Option<Value> {
        schema::written(&Self { id: samples::CALLBACK.to_owned(), object: "callback", settled: true })
    }
}

fn amount(minor: i64) -> Result<i64, InvalidField> {
    if (1..=AMOUNT_MAX).contains(&minor) {
        return Ok(minor);
    }
    let rule = format!("write minor units from 1 to {AMOUNT_MAX}, like 1999 for 19.99 CNY");
    Err(InvalidField::new("amount", rule))
}

pub(super) fn note(text: &str) -> Result<String, InvalidField> {
    line("note", text, NOTE_CHARS)
}

fn line(param: &str, text: &str, chars_max: usize) -> Result<String, InvalidField> {
    let text = text.trim();
    if (1..=chars_max).contains(&text.chars().count()) && !text.chars().any(char::is_control) {
        return Ok(text.to_owned());
    }
    let rule = format!("write one line of 1 to {chars_max} characters without control characters");
    Err(InvalidField::new(param, rule))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openapi::proof;

    #[test]
    fn what_is_told_of_the_requests_holds() {
        proof::request(|request: ConfirmRequest| request.check().map(drop));
        proof::request(|request: ResolveRequest| request.check().map(drop));
        proof::request(|request: SettleRequest| request.check().map(drop));
    }
}
