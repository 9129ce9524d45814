//! The merchant API's question which channel would take a payment, and why. Parse, ask the core, answer.

use axum::extract::{Extension, Request, State};
use http::StatusCode;
use paymux_core::payment::{NewPayment, PaymentRequest};
use tokio::task::spawn_blocking;

use crate::auth::Caller;
use crate::envelope;
use crate::front::Shared;
use crate::posted::Posted;
use crate::problem::Problem;
use crate::query;
use crate::routes::Answer;

/// `POST /v1/routes/explain`
pub(crate) async fn explain(
    State(shared): State<Shared>,
    Extension(Caller(app)): Extension<Caller>,
    request: Request,
) -> Answer {
    let (posted, query) = Posted::read_asking(request, shared.api_body(), &["times", "seed"]).await?;
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
