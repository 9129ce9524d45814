//! What an app was told: its events with how their notices fare, and telling one again.

use axum::extract::{Extension, Request, State};
use axum::response::Response;
use http::{StatusCode, Uri};
use paymux_core::payment::request::InvalidField;
use paymux_core::store::{Redelivery, Subject};
use paymux_core::view::EventView;
use paymux_core::{AppId, EventId, PaymentError, PaymentId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::auth::Caller;
use crate::envelope;
use crate::front::Shared;
use crate::json::Shape;
use crate::openapi::{Body, Described, Field, Group, Object, Operation, Param, Reply, samples, schema};
use crate::page::{self, CURSOR, LIMIT, PageSize};
use crate::posted::Posted;
use crate::problem::Refusal;
use crate::query::{self, Query};
use crate::routes::{Answer, InPath};

/// `GET /v1/events`
pub(crate) const LIST: Operation = Operation {
    title: "List what your app was told",
    says: "Oldest first, with how the notice of each fares.",
    query: &[
        Param::asked("payment", || schema::id(PaymentId::PREFIX), "Only of that payment and its refunds."),
        LIMIT,
        CURSOR,
    ],
    replies: &[Reply::list("A page of them.", EventView::object)],
    ..Operation::get("/v1/events", "listEvents", Group::Events)
};

/// See [`LIST`].
pub(crate) async fn list(
    State(shared): State<Shared>,
    Extension(Caller(app)): Extension<Caller>,
    uri: Uri,
) -> Answer {
    let query = Query::read(&uri, LIST.query)?;
    let size = PageSize::of(&query)?;
    let subject = query.value("payment", query::id::<PaymentId>)?.map(Subject::Payment);
    let after = query.value("cursor", page::after::<EventId>)?;
    let events = shared.payments().events(&app, subject, after, size.to_read()).await?;
    Ok(page::page(&events, size, EventView::of, |last| page::cursor_at(last.event.id)))
}

/// `POST /v1/events/{id}/redeliver`
pub(crate) const REDELIVER_ONE: Operation = Operation {
    title: "Have an event told again",
    says: "Whatever became of its notice, it goes out again, with all its tries before it.",
    places: &[Param::needed("id", || schema::id(EventId::PREFIX), "The event's id.", samples::EVENT)],
    is_keyed: true,
    replies: &[Reply::json(200, "How many notices go out again.", RedeliveredView::object)],
    refusals: &[Refusal::NotFound],
    ..Operation::post("/v1/events/{id}/redeliver", "redeliverEvent", Group::Events)
};

/// See [`REDELIVER_ONE`].
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
pub(crate) const REDELIVER_RANGE: Operation = Operation {
    title: "Have all events of a while told again",
    says: "All that happened from `from` on and before `to`, and whose notices were not delivered.",
    body: Body::Json(RangeRequest::object),
    is_keyed: true,
    replies: &[Reply::json(200, "How many notices go out again.", RedeliveredView::object)],
    ..Operation::post("/v1/events/redeliver", "redeliverEvents", Group::Events)
};

/// See [`REDELIVER_RANGE`].
pub(crate) async fn redeliver_range(
    State(shared): State<Shared>,
    Extension(Caller(app)): Extension<Caller>,
    request: Request,
) -> Answer {
    let posted = Posted::read(request, shared.api_body()).await?;
    let (from, to) = posted.object::<RangeRequest>()?.check()?;
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

fn moment(param: &'static str, text: &str) -> Result<Timestamp, InvalidField> {
    let rule = "write RFC 3339, like 2024-03-01T00:00:00Z";
    text.parse().map_err(|_| InvalidField::new(param, rule))
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

impl RangeRequest {
    fn check(&self) -> Result<(Timestamp, Timestamp), InvalidField> {
        let (from, to) = (moment("from", &self.from)?, moment("to", &self.to)?);
        if from >= to {
            return Err(InvalidField::new("to", "must be later than `from`"));
        }
        Ok((from, to))
    }
}

impl Described for RangeRequest {
    fn object() -> Object {
        Object::of::<Self>(
            "RangeRequest",
            "A while.",
            vec![
                Field::new("from", schema::moment(), "From this moment."),
                Field::new("to", schema::moment(), "Before this one."),
            ],
        )
    }

    fn sample() -> Option<Value> {
        Some(json!({"from": samples::BEGAN, "to": samples::after(86_400)}))
    }
}

/// How many notices go out again.
#[derive(Serialize)]
struct RedeliveredView {
    redelivered: u64,
}

impl Described for RedeliveredView {
    fn object() -> Object {
        let says = "How many notices go out again.";
        Object::of::<Self>("Redelivered", says, vec![Field::new("redelivered", schema::count(), says)])
    }

    fn sample() -> Option<Value> {
        schema::written(&Self { redelivered: 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openapi::proof;

    #[test]
    fn what_is_told_of_the_request_holds() {
        proof::request(|request: RangeRequest| request.check().map(drop));
    }
}
