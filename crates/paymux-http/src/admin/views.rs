//! How what waits for operators looks to them.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paymux_core::ids::CallbackId;
use paymux_core::store::{CallbackRow, QueueItem};
use paymux_core::{AppId, ChannelId, PaymentId, Timestamp, WireRequest};
use serde::Serialize;

/// Something that waits for a person.
#[derive(Serialize)]
pub(super) struct QueueItemView<'a> {
    kind: &'static str,
    id: &'a str,
    #[serde(flatten)]
    about: About<'a>,
}

impl<'a> QueueItemView<'a> {
    pub(super) fn of(item: &'a QueueItem) -> Self {
        Self { kind: item.kind.word(), id: &item.id, about: About::of(item) }
    }
}

/// An attempt in a state that an operator asked for.
#[derive(Serialize)]
pub(super) struct AttemptView<'a> {
    id: &'a str,
    object: &'static str,
    state: &'static str,
    #[serde(flatten)]
    about: About<'a>,
}

impl<'a> AttemptView<'a> {
    pub(super) fn of(state: &'static str, item: &'a QueueItem) -> Self {
        Self { id: &item.id, object: "attempt", state, about: About::of(item) }
    }
}

/// Whose it is, where the money lies, and since when.
#[derive(Serialize)]
struct About<'a> {
    app: Option<&'a AppId>,
    payment: Option<PaymentId>,
    channel: Option<&'a ChannelId>,
    amount: Option<i64>,
    currency: Option<&'static str>,
    since: Timestamp,
    detail: Option<&'a str>,
}

impl<'a> About<'a> {
    fn of(item: &'a QueueItem) -> Self {
        Self {
            app: item.app.as_ref(),
            payment: item.payment,
            channel: item.channel.as_ref(),
            amount: item.amount.map(paymux_core::Money::minor),
            currency: item.amount.map(|amount| amount.currency().code()),
            since: item.since,
            detail: item.detail.as_deref(),
        }
    }
}

/// What a provider sent, as it came, and what was made of it.
#[derive(Serialize)]
pub(super) struct CallbackView<'a> {
    id: CallbackId,
    object: &'static str,
    channel: &'a ChannelId,
    received_at: Timestamp,
    times: u32,
    verdict: &'static str,
    payment: Option<PaymentId>,
    event_key: Option<&'a str>,
    detail: Option<&'a str>,
    request: RequestView<'a>,
}

/// The message, byte for byte. A list of fields and not an object: a name may come twice.
#[derive(Serialize)]
struct RequestView<'a> {
    method: &'static str,
    path: &'a str,
    query: Option<&'a str>,
    headers: Vec<[&'a str; 2]>,
    body: Cow<'a, str>,
    body_encoding: &'static str,
}

impl<'a> CallbackView<'a> {
    pub(super) fn of(row: &'a CallbackRow) -> Self {
        Self {
            id: row.id,
            object: "callback",
            channel: &row.channel,
            received_at: row.received_at,
            times: row.times,
            verdict: row.verdict.word(),
            payment: row.payment,
            event_key: row.event_key.as_deref(),
            detail: row.detail.as_deref(),
            request: RequestView::of(&row.request),
        }
    }
}

impl<'a> RequestView<'a> {
    fn of(request: &'a WireRequest) -> Self {
        let (body, body_encoding) = match std::str::from_utf8(&request.body) {
            Ok(text) => (Cow::Borrowed(text), "utf-8"),
            Err(_) => (Cow::Owned(STANDARD.encode(&request.body)), "base64"),
        };
        Self {
            method: request.verb.as_str(),
            path: &request.path,
            query: request.query.as_deref(),
            headers: request.headers.iter().map(|(name, value)| [name, value]).collect(),
            body,
            body_encoding,
        }
    }
}
