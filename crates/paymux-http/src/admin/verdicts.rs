//! Operators' words: that money is there, what became of it, and that a callback was seen to. Each needs
//! a note, and leaves a line in the audit trail.

use std::sync::Arc;

use axum::extract::{Extension, Request, State};
use http::StatusCode;
use paymux_core::money::AMOUNT_MAX;
use paymux_core::payment::request::InvalidField;
use paymux_core::payments::desk::{Operator, Outcome, Resolution};
use paymux_core::view::{RefundView, TransferView};
use paymux_core::{AttemptId, PaymentError};
use serde::{Deserialize, Serialize};

use super::Admin;
use crate::envelope;
use crate::json::Shape;
use crate::limits::{NOTE_CHARS, TRADE_NO_CHARS};
use crate::posted::Posted;
use crate::problem::Problem;
use crate::query;
use crate::routes::{Answer, InPath, payments::payment_id, payments::shown};

/// `POST /admin/api/payments/{id}/confirm`
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
pub(super) async fn settle_callback(
    State(admin): State<Arc<Admin>>,
    Extension(by): Extension<Operator>,
    InPath(id): InPath<String>,
    request: Request,
) -> Answer {
    let posted = Posted::read(request, admin.body()).await?;
    let note = note(&posted.object::<SettleRequest>()?.note)?;
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

/// That a person has seen to something.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SettleRequest {
    note: String,
}

impl Shape for SettleRequest {
    const FREE: &'static [&'static str] = &[];
}

/// A callback that no longer waits.
#[derive(Serialize)]
struct SettledView {
    id: String,
    object: &'static str,
    settled: bool,
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
