//! What probes and Prometheus look at.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use axum::routing::get;
use http::{StatusCode, header};
use paymux_core::Payments;
use serde::Serialize;

use crate::envelope;
use crate::front::{MetricsPage, Readiness, Shared};
use crate::gauges::WaitingGauges;

/// How long the store may take before it counts as away.
const LOOK: Duration = Duration::from_secs(2);

#[derive(Serialize)]
struct AliveView {
    status: &'static str,
}

#[derive(Serialize)]
struct ReadyView {
    status: &'static str,
    store: &'static str,
    config: String,
}

/// `GET /healthz`: the process answers.
pub(crate) async fn alive() -> Response {
    envelope::json(StatusCode::OK, &AliveView { status: "ok" })
}

/// `GET /readyz`: the store answers too.
pub(crate) async fn ready(State(shared): State<Shared>) -> Response {
    let late = || Readiness { store: Err("no answer in time".to_owned()), config: String::new() };
    let seen = tokio::time::timeout(LOOK, shared.ready().look()).await.unwrap_or_else(|_| late());
    match seen.store {
        Ok(()) => {
            let view = ReadyView { status: "ready", store: "ok", config: seen.config };
            envelope::json(StatusCode::OK, &view)
        }
        Err(why) => {
            tracing::warn!(%why, "not ready: the store does not answer");
            let view = ReadyView { status: "not_ready", store: "away", config: seen.config };
            envelope::json(StatusCode::SERVICE_UNAVAILABLE, &view)
        }
    }
}

/// `GET /metrics`, as a router of its own: it may stand on either listener.
pub(crate) fn metrics(page: &MetricsPage, payments: &Payments) -> Router {
    let page = Arc::clone(page);
    let waiting = Arc::new(WaitingGauges::new(payments.clone()));
    let media_type = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    let scrape = async move || {
        waiting.refresh(LOOK).await;
        (media_type, page())
    };
    Router::new().route("/metrics", get(scrape))
}
