//! What operators look at: what waits for them, why an attempt went where it went, what providers sent, and who did
//! what.

use std::sync::Arc;

use axum::extract::State;
use http::{StatusCode, Uri};
use paymux_core::payment::request::InvalidField;
use paymux_core::payments::Explained;
use paymux_core::store::{AuditRow, CallbackFilter, CallbackVerdict, QueueKind};
use paymux_core::{AttemptId, ChannelId, PaymentError, PaymentId};
use serde::Serialize;

use super::Admin;
use super::views::{AttemptView, CallbackView, QueueItemView};
use crate::envelope;
use crate::openapi::{Described, Group, Object, Operation, Param, Reply, samples, schema};
use crate::page::{self, CURSOR, LIMIT, PageSize};
use crate::problem::Refusal;
use crate::query::{self, Query};
use crate::routes::{Answer, InPath};

/// The one state in which an attempt is listed by itself.
const UNKNOWN: &str = "unknown";

/// `GET /admin/api/queue`
pub(super) const QUEUE: Operation = Operation {
    title: "List what waits for a person",
    says: "Oldest first. Nothing waits under two kinds at once.",
    query: &[
        Param::asked("kind", || schema::words(QueueKind::ALL, QueueKind::word), "Only of that kind."),
        LIMIT,
        CURSOR,
    ],
    replies: &[Reply::list("A page of them.", QueueItemView::object)],
    ..Operation::get("/admin/api/queue", "listQueue", Group::Desk)
};

/// See [`QUEUE`].
pub(super) async fn queue(State(admin): State<Arc<Admin>>, uri: Uri) -> Answer {
    let query = Query::read(&uri, QUEUE.query)?;
    let size = PageSize::of(&query)?;
    let kind = query.value("kind", |text| query::one_of(QueueKind::ALL, QueueKind::word, text))?;
    let after = query.value("cursor", page::after_moment)?;
    let items = admin.payments.queue(kind, after, size.to_read()).await?;
    Ok(page::page(&items, size, QueueItemView::of, |last| page::cursor_at_moment(last.since, &last.id)))
}

/// `GET /admin/api/attempts`
pub(super) const ATTEMPTS: Operation = Operation {
    title: "List attempts of which nobody knows what became",
    says: "Oldest first.",
    query: &[
        Param::needed(
            "state",
            || schema::words(&[UNKNOWN], |word| word),
            "The one state in which they are listed.",
            UNKNOWN,
        ),
        LIMIT,
        CURSOR,
    ],
    replies: &[Reply::list("A page of them.", AttemptView::object)],
    ..Operation::get("/admin/api/attempts", "listAttempts", Group::Desk)
};

/// See [`ATTEMPTS`].
pub(super) async fn attempts(State(admin): State<Arc<Admin>>, uri: Uri) -> Answer {
    let query = Query::read(&uri, ATTEMPTS.query)?;
    let size = PageSize::of(&query)?;
    let state = query.value("state", |text| query::one_of(&[UNKNOWN], |word| word, text))?;
    let state = state.ok_or_else(|| InvalidField::new("state", "is missing; known: unknown"))?;
    let after = query.value("cursor", page::after_moment)?;
    let items = admin.payments.unknown_attempts(after, size.to_read()).await?;
    let view = |item| AttemptView::of(state, item);
    Ok(page::page(&items, size, view, |last| page::cursor_at_moment(last.since, &last.id)))
}

/// `GET /admin/api/attempts/{id}/decision`
pub(super) const DECISION: Operation = Operation {
    title: "Tell why an attempt went where it went",
    says: "The record of its choice of channel, as that was told then.",
    places: &[Param::needed("id", || schema::id(AttemptId::PREFIX), "The attempt's id.", samples::ATTEMPT)],
    replies: &[Reply::json(200, "The record.", ToldDecision::object)],
    refusals: &[Refusal::NotFound],
    ..Operation::get("/admin/api/attempts/{id}/decision", "getDecision", Group::Desk)
};

/// See [`DECISION`].
pub(super) async fn decision(State(admin): State<Arc<Admin>>, InPath(id): InPath<String>) -> Answer {
    let unknown = || PaymentError::NotFound("attempt");
    let id: AttemptId = id.parse().map_err(|_| unknown())?;
    let told = admin.payments.decision(id).await?.ok_or_else(unknown)?;
    Ok(envelope::json(StatusCode::OK, &ToldDecision(told)))
}

/// A record as it was told, perhaps by an earlier version of this code.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct ToldDecision(serde_json::Value);

impl Described for ToldDecision {
    fn object() -> Object {
        Explained::object()
    }

    fn sample() -> Option<serde_json::Value> {
        Explained::sample()
    }
}

/// `GET /admin/api/callbacks`
pub(super) const CALLBACKS: Operation = Operation {
    title: "List what providers sent",
    says: "Newest first, byte for byte.",
    query: &[
        Param::asked("payment", || schema::id(PaymentId::PREFIX), "Only of that payment."),
        Param::asked("channel", schema::name, "Only of that channel."),
        Param::asked(
            "verdict",
            || schema::words(CallbackVerdict::ALL, CallbackVerdict::word),
            "Only those of which that was made.",
        ),
        LIMIT,
        CURSOR,
    ],
    replies: &[Reply::list("A page of them.", CallbackView::object)],
    ..Operation::get("/admin/api/callbacks", "listCallbacks", Group::Desk)
};

/// See [`CALLBACKS`].
pub(super) async fn callbacks(State(admin): State<Arc<Admin>>, uri: Uri) -> Answer {
    let query = Query::read(&uri, CALLBACKS.query)?;
    let size = PageSize::of(&query)?;
    let filter = CallbackFilter {
        payment: query.value("payment", query::id)?,
        channel: query.value("channel", |text| ChannelId::new(text).map_err(|e| e.rule.to_owned()))?,
        verdict: query
            .value("verdict", |text| query::one_of(CallbackVerdict::ALL, CallbackVerdict::word, text))?,
        after: query.value("cursor", page::after_moment)?,
        limit: size.to_read(),
    };
    let rows = admin.payments.callbacks(&filter).await?;
    Ok(page::page(&rows, size, CallbackView::of, |last| page::cursor_at_moment(last.received_at, last.id)))
}

/// `GET /admin/api/audit`
pub(super) const AUDIT: Operation = Operation {
    title: "List who said what",
    says: "Newest first.",
    query: &[LIMIT, CURSOR],
    replies: &[Reply::list("A page of it.", AuditRow::object)],
    ..Operation::get("/admin/api/audit", "listAudit", Group::Desk)
};

/// See [`AUDIT`].
pub(super) async fn audit(State(admin): State<Arc<Admin>>, uri: Uri) -> Answer {
    let query = Query::read(&uri, AUDIT.query)?;
    let size = PageSize::of(&query)?;
    let before = query.value("cursor", page::after)?;
    let rows = admin.payments.audit(before, size.to_read()).await?;
    Ok(page::page(&rows, size, |row| row, |last| page::cursor_at(last.id)))
}
