//! How what waits for operators looks to them.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paymux_core::ids::{AttemptId, AuditId, CallbackId};
use paymux_core::store::{AuditRow, CallbackRow, CallbackVerdict, QueueItem, QueueKind};
use paymux_core::{AppId, ChannelId, Money, PaymentId, Timestamp, Verb, WireRequest};
use serde::Serialize;
use serde_json::{Value, json};

use crate::openapi::{Described, Field, Kind, Object, samples, schema};

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
            amount: item.amount.map(Money::minor),
            currency: item.amount.map(|amount| amount.currency().code()),
            since: item.since,
            detail: item.detail.as_deref(),
        }
    }
}

impl About<'_> {
    /// Its fields, after those of what it is about.
    fn after(fields: Vec<Field>) -> Vec<Field> {
        let about = [
            Field::new("app", schema::name(), "Whose it is.").or_null(),
            Field::new("payment", schema::id(PaymentId::PREFIX), "The payment that it belongs to.").or_null(),
            Field::new("channel", schema::name(), "The account.").or_null(),
            Field::new("amount", schema::number(), "How much it is about, in minor units.").or_null(),
            Field::new("currency", schema::currency(), "ISO 4217.").or_null(),
            Field::new("since", schema::moment(), "Since when."),
            Field::new("detail", schema::text(), "What was seen last.").or_null(),
        ];
        fields.into_iter().chain(about).collect()
    }
}

impl Described for QueueItemView<'_> {
    fn object() -> Object {
        Object::of::<Self>(
            "QueueItem",
            "Something that waits for a person.",
            About::after(vec![
                Field::new("kind", schema::words(QueueKind::ALL, QueueKind::word), "Why."),
                Field::new("id", schema::text(), "The attempt, refund, transfer, callback or event."),
            ]),
        )
    }

    fn sample() -> Option<Value> {
        schema::written(&QueueItemView::of(&unknown()?))
    }
}

impl Described for AttemptView<'_> {
    fn object() -> Object {
        Object::of::<Self>(
            "AttemptItem",
            "An attempt of which nobody knows what became.",
            About::after(vec![
                Field::new("id", schema::id(AttemptId::PREFIX), "The attempt."),
                Field::new("object", schema::word("attempt"), "What this is."),
                Field::new("state", schema::word("unknown"), "Where it stands."),
            ]),
        )
    }

    fn sample() -> Option<Value> {
        schema::written(&AttemptView::of("unknown", &unknown()?))
    }
}

fn unknown() -> Option<QueueItem> {
    Some(QueueItem {
        kind: QueueKind::AttemptUnknown,
        id: samples::ATTEMPT.to_owned(),
        app: "shop".parse().ok(),
        payment: samples::PAYMENT.parse().ok(),
        channel: Some(samples::channel()?),
        amount: Some(Money::fen(1999)),
        since: samples::BEGAN,
        detail: Some("the connection was reset".to_owned()),
    })
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

impl Described for CallbackView<'_> {
    fn object() -> Object {
        Object::of::<Self>(
            "Callback",
            "What a provider sent, as it came, and what was made of it.",
            vec![
                Field::new("id", schema::id(CallbackId::PREFIX), "Ours."),
                Field::new("object", schema::word("callback"), "What this is."),
                Field::new("channel", schema::name(), "The channel whose address was called."),
                Field::new("received_at", schema::moment(), "When."),
                Field::new("times", schema::count(), "How often it came, where it changed nothing."),
                Field::new(
                    "verdict",
                    schema::words(CallbackVerdict::ALL, CallbackVerdict::word),
                    "What was made of it.",
                ),
                Field::new("payment", schema::id(PaymentId::PREFIX), "The payment that it belongs to.")
                    .or_null(),
                Field::new(
                    "event_key",
                    schema::text(),
                    "What makes it the same message when it comes again.",
                )
                .or_null(),
                Field::new("detail", schema::text(), "Why it was not applied.").or_null(),
                Field::new("request", Kind::Of(message), "What was sent, byte for byte."),
            ],
        )
    }

    fn sample() -> Option<Value> {
        let body = r#"{"channel_type":"WX","transaction_id":"019968d0c5007a1b8c2d3e4f50617283"}"#;
        let row = CallbackRow {
            id: samples::CALLBACK.parse().ok()?,
            channel: samples::channel()?,
            received_at: samples::after(42),
            request: WireRequest::new(Verb::Post, "/notify/bee-main").body("application/json", body),
            verdict: CallbackVerdict::Applied,
            event_key: Some("4200001234202609210000000001".to_owned()),
            payment: samples::PAYMENT.parse().ok(),
            detail: None,
            times: 1,
        };
        schema::written(&CallbackView::of(&row))
    }
}

fn message() -> Object {
    Object::part(
        "Message",
        "An HTTP request.",
        vec![
            Field::new("method", schema::text(), "Its verb."),
            Field::new("path", schema::text(), "Its path."),
            Field::new("query", schema::text(), "Its query, as it travelled.").or_null(),
            Field::new(
                "headers",
                schema::list(schema::list(schema::text())),
                "Pairs of name and value: a name may come twice.",
            ),
            Field::new("body", schema::text(), "Its body."),
            Field::new(
                "body_encoding",
                schema::words(&["utf-8", "base64"], |word| word),
                "How that is written.",
            ),
        ],
    )
}

impl Described for AuditRow {
    fn object() -> Object {
        Object::of::<Self>(
            "AuditLine",
            "One line of the audit trail.",
            vec![
                Field::new("id", schema::id(AuditId::PREFIX), "Ours."),
                Field::new("at", schema::moment(), "When."),
                Field::new("operator", schema::text(), "Which operator."),
                Field::new("action", schema::text(), "What was done, such as `attempt.resolve`."),
                Field::new("target", schema::text(), "To what: an id."),
                Field::new("before", schema::anything(), "As it was."),
                Field::new("after", schema::anything(), "As it is."),
                Field::new("note", schema::text(), "The operator's words."),
                Field::new("request_id", schema::text(), "The request."),
            ],
        )
    }

    fn sample() -> Option<Value> {
        schema::written(&Self {
            id: samples::AUDIT.parse().ok()?,
            at: samples::after(900),
            operator: "root".to_owned(),
            action: "attempt.resolve".to_owned(),
            target: samples::ATTEMPT.to_owned(),
            before: json!({"state": "unknown"}),
            after: json!({"state": "paid"}),
            note: "Seen in the provider's back office".to_owned(),
            request_id: samples::REQUEST.to_owned(),
        })
    }
}
