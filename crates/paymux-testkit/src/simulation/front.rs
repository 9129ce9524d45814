//! The merchants' door to a node: requests as JSON texts in, answers as JSON texts out, as over HTTP but
//! without it. What comes out is all that merchants and the judge see.

use std::sync::Arc;

use paymux_core::error::PaymentError;
use paymux_core::payment::{NewPayment, PaymentRequest};
use paymux_core::payments::desk::Operator;
use paymux_core::payments::{IdempotencyKey, RequestDigest};
use paymux_core::refund::{NewRefund, RefundRequest};
use paymux_core::router::Removal;
use paymux_core::store::Redelivery;
use paymux_core::transfer::{NewTransfer, TransferRequest};
use paymux_core::view::{PaymentView, RefundView, TransferView};
use paymux_core::wire::{Verb, WireRequest};
use paymux_core::{AppId, ChannelId, Payments, Timestamp};

use super::node::Node;
use super::operator::{Word, resolve};
use super::world::World;

/// What is asked of a node.
#[derive(Debug, Clone)]
pub(super) enum Ask {
    /// A new payment, as JSON.
    Create(String),
    /// As that, under that `Idempotency-Key`.
    CreateUnder(String, String),
    /// A payment by id.
    Find(String),
    /// Cancel that payment.
    Cancel(String),
    /// Ask the provider about that payment.
    Sync(String),
    /// Money back on that payment, as JSON.
    Refund(String, String),
    /// A refund by id.
    FindRefund(String),
    /// Ask the provider about that refund.
    SyncRefund(String),
    /// A payout, as JSON.
    Transfer(String),
    /// A payout by id.
    FindTransfer(String),
    /// Ask the provider about that payout.
    SyncTransfer(String),
    /// Tell again what was not taken.
    Redeliver,
    /// An operator's word.
    Resolve(Word),
}

/// What it answers.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    /// As in HTTP.
    pub(super) status: u16,
    /// JSON.
    pub(super) text: String,
}

impl Answer {
    fn json(status: u16, body: &impl serde::Serialize) -> Self {
        Self { status, text: serde_json::to_string(body).unwrap_or_default() }
    }

    fn made(is_new: bool, body: &impl serde::Serialize) -> Self {
        Self::json(if is_new { 201 } else { 200 }, body)
    }

    fn refusal(error: &PaymentError) -> Self {
        let status = match error.code() {
            "no_channel" if is_temporary(error) => 503,
            "invalid_request" => 400,
            "not_found" => 404,
            "order_mismatch"
            | "refund_mismatch"
            | "transfer_mismatch"
            | "refund_too_large"
            | "transfer_too_large"
            | "no_channel"
            | "unsupported"
            | "idempotency_mismatch" => 422,
            "overloaded" => 503,
            "internal" => 500,
            _ => 409,
        };
        let body = serde_json::json!({
            "code": error.code(),
            "detail": error.to_string(),
            "is_full": removals(error).iter().any(|(_, removal)| removal.rule == "cap"),
        });
        Self { status, text: body.to_string() }
    }
}

/// Each channel that a route was left without, and why.
fn removals(error: &PaymentError) -> &[(ChannelId, Removal)] {
    match error {
        PaymentError::NoChannel(no) => &no.removed,
        _ => &[],
    }
}

fn is_temporary(error: &PaymentError) -> bool {
    removals(error).iter().any(|(_, removal)| removal.temporary)
}

/// Asks a node; `None` when nobody answers: no process, or it died meanwhile.
pub(super) async fn ask(node: &Node, app: &AppId, ask: Ask) -> Option<Answer> {
    let live = node.live()?;
    live.life.pass().await;
    let answer = serve(&live.payments, app.clone(), ask).await;
    live.life.pass().await;
    if live.life.is_dead() {
        return None;
    }
    Some(answer.unwrap_or_else(|error| Answer::refusal(&error)))
}

async fn serve(payments: &Payments, app: AppId, ask: Ask) -> Result<Answer, PaymentError> {
    Ok(match ask {
        Ask::Create(body) => create(payments, app, &body).await?,
        Ask::CreateUnder(key, body) => {
            let (key, of) = (IdempotencyKey::new(&key)?, app.clone());
            let digest = RequestDigest::of("POST", "/v1/payments", body.as_bytes());
            let this = payments.clone();
            let work = Box::pin(async move { create(&this, of, &body).await });
            payments.under_key(app, key, digest, work).await?
        }
        Ask::Find(id) => Answer::json(200, &PaymentView::of(&payments.find(&app, id_of(&id)?).await?)),
        Ask::Cancel(id) => Answer::json(200, &PaymentView::of(&payments.cancel(app, id_of(&id)?).await?)),
        Ask::Sync(id) => Answer::json(200, &PaymentView::of(&payments.sync(app, id_of(&id)?).await?)),
        Ask::Refund(id, body) => {
            let request: RefundRequest = read(&body)?;
            let made = payments.refund(app, id_of(&id)?, NewRefund::check(&request)?).await?;
            Answer::made(made.is_new, &RefundView::of(&made.refund))
        }
        Ask::FindRefund(id) => {
            Answer::json(200, &RefundView::of(&payments.find_refund(&app, id_of(&id)?).await?))
        }
        Ask::SyncRefund(id) => {
            Answer::json(200, &RefundView::of(&payments.sync_refund(app, id_of(&id)?).await?))
        }
        Ask::SyncTransfer(id) => {
            Answer::json(200, &TransferView::of(&payments.sync_transfer(app, id_of(&id)?).await?))
        }
        Ask::Transfer(body) => {
            let request: TransferRequest = read(&body)?;
            let made = payments.transfer(app, NewTransfer::check(&request)?).await?;
            Answer::made(made.is_new, &TransferView::of(&made.transfer))
        }
        Ask::FindTransfer(id) => {
            Answer::json(200, &TransferView::of(&payments.find_transfer(&app, id_of(&id)?).await?))
        }
        Ask::Redeliver => {
            let (from, to) = (Timestamp::from_ms(0), Timestamp::from_ms(i64::MAX));
            let count = payments.redeliver(&app, Redelivery::Undelivered { from, to }).await?;
            Answer::json(200, &count)
        }
        Ask::Resolve(word) => {
            let by = Operator { id: "ada".to_owned(), request_id: "req_1".to_owned() };
            resolve(payments, by, word).await?;
            Answer::json(200, &())
        }
    })
}

async fn create(payments: &Payments, app: AppId, body: &str) -> Result<Answer, PaymentError> {
    let request: PaymentRequest = read(body)?;
    let made = payments.create(app, NewPayment::check(&request)?).await?;
    Ok(Answer::made(made.is_new, &PaymentView::of(&made.payment)))
}

fn read<T: serde::de::DeserializeOwned>(body: &str) -> Result<T, PaymentError> {
    serde_json::from_str(body).map_err(|error| PaymentError::Internal(format!("the request: {error}")))
}

fn id_of<T: std::str::FromStr>(text: &str) -> Result<T, PaymentError> {
    text.parse().map_err(|_| PaymentError::NotFound("object"))
}

/// Hands a callback to a node. Whether it was acknowledged; `None` when nobody answers.
pub(super) async fn hand_callback(
    world: &Arc<World>,
    node: &Node,
    account: &str,
    body: String,
) -> Option<bool> {
    let live = node.live()?;
    live.life.pass().await;
    let channel = ChannelId::new(account).ok()?;
    let request = WireRequest::new(Verb::Post, format!("/notify/{account}"))
        .body("application/x-www-form-urlencoded", body);
    let answer = live.payments.take_callback(channel, request).await?;
    live.life.pass().await;
    if live.life.dies(world, "after a callback was taken, before the bank knows", account) {
        return None;
    }
    Some(answer.status == 200 && answer.body.as_ref() == b"success")
}
