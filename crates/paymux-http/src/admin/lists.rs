//! What operators look at: what waits for them, why an attempt went where it went, what providers sent, and who did
//! what.

use std::sync::Arc;

use axum::extract::State;
use http::{StatusCode, Uri};
use paymux_core::payment::request::InvalidField;
use paymux_core::store::{CallbackFilter, CallbackVerdict, QueueKind};
use paymux_core::{AttemptId, ChannelId, PaymentError};

use super::Admin;
use super::views::{AttemptView, CallbackView, QueueItemView};
use crate::envelope;
use crate::page::{self, PageSize};
use crate::query::{self, Query};
use crate::routes::{Answer, InPath};

/// The one state in which an attempt is listed by itself.
const UNKNOWN: &str = "unknown";

/// `GET /admin/api/queue`
pub(super) async fn queue(State(admin): State<Arc<Admin>>, uri: Uri) -> Answer {
    let query = Query::read(&uri, &["kind", "limit", "cursor"])?;
    let size = PageSize::of(&query)?;
    let kind = query.value("kind", |text| query::one_of(QueueKind::ALL, QueueKind::word, text))?;
    let after = query.value("cursor", page::after_moment)?;
    let items = admin.payments.queue(kind, after, size.to_read()).await?;
    Ok(page::page(&items, size, QueueItemView::of, |last| page::cursor_at_moment(last.since, &last.id)))
}

/// `GET /admin/api/attempts?state=unknown`
pub(super) async fn attempts(State(admin): State<Arc<Admin>>, uri: Uri) -> Answer {
    let query = Query::read(&uri, &["state", "limit", "cursor"])?;
    let size = PageSize::of(&query)?;
    let state = query.value("state", |text| query::one_of(&[UNKNOWN], |word| word, text))?;
    let state = state.ok_or_else(|| InvalidField::new("state", "is missing; known: unknown"))?;
    let after = query.value("cursor", page::after_moment)?;
    let items = admin.payments.unknown_attempts(after, size.to_read()).await?;
    let view = |item| AttemptView::of(state, item);
    Ok(page::page(&items, size, view, |last| page::cursor_at_moment(last.since, &last.id)))
}

/// `GET /admin/api/attempts/{id}/decision`
pub(super) async fn decision(State(admin): State<Arc<Admin>>, InPath(id): InPath<String>) -> Answer {
    let unknown = || PaymentError::NotFound("attempt");
    let id: AttemptId = id.parse().map_err(|_| unknown())?;
    let told = admin.payments.decision(id).await?.ok_or_else(unknown)?;
    Ok(envelope::json(StatusCode::OK, &told))
}

/// `GET /admin/api/callbacks`
pub(super) async fn callbacks(State(admin): State<Arc<Admin>>, uri: Uri) -> Answer {
    let query = Query::read(&uri, &["payment", "channel", "verdict", "limit", "cursor"])?;
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
pub(super) async fn audit(State(admin): State<Arc<Admin>>, uri: Uri) -> Answer {
    let query = Query::read(&uri, &["limit", "cursor"])?;
    let size = PageSize::of(&query)?;
    let before = query.value("cursor", page::after)?;
    let rows = admin.payments.audit(before, size.to_read()).await?;
    Ok(page::page(&rows, size, |row| row, |last| page::cursor_at(last.id)))
}
