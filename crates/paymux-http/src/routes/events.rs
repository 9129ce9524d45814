//! What an app was told: its events with how their notices fare, and telling one again.

use axum::extract::{Extension, Request, State};
use axum::response::Response;
use http::{StatusCode, Uri};
use paymux_core::payment::request::InvalidField;
use paymux_core::store::{Redelivery, Subject};
use paymux_core::view::EventView;
use paymux_core::{AppId, EventId, PaymentError, PaymentId, Timestamp};
use serde::{Deserialize, Serialize};

use crate::auth::Caller;
use crate::envelope;
use crate::front::Shared;
use crate::json::Shape;
use crate::page::{self, PageSize};
use crate::posted::Posted;
use crate::problem::Problem;
use crate::query::{self, Query};
use crate::routes::{Answer, InPath};

/// `GET /v1/events`
pub(crate) async fn list(
    State(shared): State<Shared>,
    Extension(Caller(app)): Extension<Caller>,
    uri: Uri,
) -> Answer {
    let query = Query::read(&uri, &["payment", "limit", "cursor"])?;
    let size = PageSize::of(&query)?;
    let subject = query.value("payment", query::id::<PaymentId>)?.map(Subject::Payment);
    let after = query.value("cursor", page::after::<EventId>)?;
    let events = shared.payments().events(&app, subject, after, size.to_read()).await?;
    Ok(page::page(&events, size, EventView::of, |last| page::cursor_at(last.event.id)))
}

/// `POST /v1/events/{id}/redeliver`
pub(crate) async fn redeliver_one(
    State(shared): State<Shared>,
    Extension(Caller(app)): Extension<Caller>,
    InPath(id): InPath<String>,
    request: Request,
) -> Answer {
    let posted = Posted::read(request, shared.api_body()).await?;
    posted.nothing()?;
    let id = id.parse().map_err(|_| PaymentError::NotFound("event with an address"))?;
    redeliver(&shared, app, &posted, Redelivery::One(id)).await
}

/// `POST /v1/events/redeliver`
pub(crate) async fn redeliver_range(
    State(shared): State<Shared>,
    Extension(Caller(app)): Extension<Caller>,
    request: Request,
) -> Answer {
    let posted = Posted::read(request, shared.api_body()).await?;
    let RangeRequest { from, to } = posted.object()?;
    let (from, to) = (moment("from", &from)?, moment("to", &to)?);
    if from >= to {
        return Err(InvalidField::new("to", "must be later than `from`").into());
    }
    redeliver(&shared, app, &posted, Redelivery::Undelivered { from, to }).await
}

async fn redeliver(shared: &Shared, app: AppId, posted: &Posted, which: Redelivery) -> Answer {
    let (payments, owner) = (shared.payments().clone(), app.clone());
    let work = Box::pin(async move { payments.redeliver(&owner, which).await });
    let redelivered = posted.carry_out(shared.payments(), app, work).await?;
    Ok(counted(redelivered))
}

fn counted(redelivered: u64) -> Response {
    envelope::json(StatusCode::OK, &RedeliveredView { redelivered })
}

fn moment(param: &'static str, text: &str) -> Result<Timestamp, Problem> {
    let rule = "write RFC 3339, like 2024-03-01T00:00:00Z";
    text.parse().map_err(|_| InvalidField::new(param, rule).into())
}

/// Which notices shall go out again: all that were not delivered of what happened in a while.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RangeRequest {
    /// From this moment.
    from: String,
    /// Before this one.
    to: String,
}

impl Shape for RangeRequest {
    const FREE: &'static [&'static str] = &[];
}

/// How many notices go out again.
#[derive(Serialize)]
struct RedeliveredView {
    redelivered: u64,
}
