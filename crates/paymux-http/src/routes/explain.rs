//! The merchant API's question which channel would take a payment, and why. Parse, ask the core, answer.

use axum::extract::{Extension, Request, State};
use http::StatusCode;
use paymux_core::payment::{NewPayment, PaymentRequest};
use paymux_core::payments::Explained;
use paymux_core::payments::explain::TIMES_MAX;
use tokio::task::spawn_blocking;

use crate::auth::Caller;
use crate::envelope;
use crate::front::Shared;
use crate::openapi::{Body, Described as _, Group, Operation, Param, Reply, schema};
use crate::posted::Posted;
use crate::problem::Problem;
use crate::query;
use crate::routes::Answer;

/// `POST /v1/routes/explain`
pub(crate) const EXPLAIN: Operation = Operation {
    title: "Tell which channel would take a payment",
    says: "The body of a payment: the record of the choice that a create would make now. It has no effect.",
    query: &[
        Param::asked(
            "times",
            || schema::whole(1..=TIMES_MAX.into()),
            "Also how often each channel takes so many.",
        ),
        Param::asked(
            "seed",
            || schema::pattern("^([0-9a-f]{16}|[0-9]{1,15})$"),
            "What the choice draws from: a number, or the `seed` of a record.",
        ),
    ],
    body: Body::Json(PaymentRequest::object),
    replies: &[Reply::json(200, "The record, also where no channel may take it.", Explained::object)],
    ..Operation::post("/v1/routes/explain", "explainRoute", Group::Routing)
};

/// See [`EXPLAIN`].
pub(crate) async fn explain(
    State(shared): State<Shared>,
    Extension(Caller(app)): Extension<Caller>,
    request: Request,
) -> Answer {
    let (posted, query) = Posted::read_asking(request, shared.api_body(), EXPLAIN.query).await?;
    let new = NewPayment::check(&posted.object::<PaymentRequest>()?)?;
    let (times, seed) = (query.value("times", query::id)?, query.value("seed", query::id)?);
    let payments = shared.payments().clone();
    // A million picks take a while, and the thread of a request is not theirs alone.
    let explained = spawn_blocking(move || payments.explain(&app, &new, seed, times)).await;
    let explained = explained.map_err(|error| {
        tracing::error!(%error, "explaining a route died");
        Problem::internal()
    })??;
    Ok(envelope::json(StatusCode::OK, &explained))
}
