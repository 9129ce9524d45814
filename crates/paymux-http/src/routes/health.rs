//! What probes and Prometheus look at.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use http::{StatusCode, header};
use paymux_core::Payments;
use serde::Serialize;
use serde_json::Value;

use crate::envelope;
use crate::front::{MetricsPage, Readiness, Shared};
use crate::gauges::WaitingGauges;
use crate::openapi::{Described, Field, Group, Object, Operation, Paths, Reply, schema};

/// How long the store may take before it counts as away.
const LOOK: Duration = Duration::from_secs(2);

#[derive(Serialize)]
struct AliveView {
    status: &'static str,
}

impl Described for AliveView {
    fn object() -> Object {
        let says = "The process answers.";
        Object::of::<Self>("Alive", says, vec![Field::new("status", schema::word("ok"), says)])
    }

    fn sample() -> Option<Value> {
        schema::written(&Self { status: "ok" })
    }
}

#[derive(Serialize)]
struct ReadyView {
    status: &'static str,
    store: &'static str,
    config: String,
}

impl Described for ReadyView {
    fn object() -> Object {
        let words = |all: &[&'static str]| schema::words(all, |word| word);
        Object::of::<Self>(
            "Ready",
            "Whether the process can do its work.",
            vec![
                Field::new("status", words(&["ready", "not_ready"]), "Whether it can."),
                Field::new("store", words(&["ok", "away"]), "Whether the ledger answers and takes writes."),
                Field::new(
                    "config",
                    schema::text(),
                    "The hash of the configuration in force, to compare nodes by.",
                ),
            ],
        )
    }

    fn sample() -> Option<Value> {
        schema::written(&Self { status: "ready", store: "ok", config: "c0ffee".to_owned() })
    }
}

/// `GET /healthz`
pub(crate) const ALIVE: Operation = Operation {
    title: "Ask whether the process answers",
    replies: &[Reply::json(200, "It does.", AliveView::object)],
    ..Operation::get("/healthz", "healthz", Group::Probes)
};

/// `GET /readyz`
pub(crate) const READY: Operation = Operation {
    title: "Ask whether the process can do its work",
    replies: &[
        Reply::json(200, "It can.", ReadyView::object),
        Reply::json(503, "The ledger is away.", ReadyView::object),
    ],
    ..Operation::get("/readyz", "readyz", Group::Probes)
};

/// `GET /metrics`
const METRICS: Operation = Operation {
    title: "Read the metrics",
    says: "In Prometheus' text format.",
    replies: &[Reply::media(200, "The metrics.", "text/plain; version=0.0.4; charset=utf-8")],
    ..Operation::get("/metrics", "metrics", Group::Probes)
};

/// See [`ALIVE`].
pub(crate) async fn alive() -> Response {
    envelope::json(StatusCode::OK, &AliveView { status: "ok" })
}

/// See [`READY`].
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

/// The metrics as a path of their own: they may stand on either listener.
pub(crate) fn metrics<S: Clone + Send + Sync + 'static>(page: &MetricsPage, payments: &Payments) -> Paths<S> {
    let page = Arc::clone(page);
    let waiting = Arc::new(WaitingGauges::new(payments.clone()));
    let media_type = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    let scrape = async move || {
        waiting.refresh(LOOK).await;
        (media_type, page())
    };
    Paths::new().at(&METRICS, scrape)
}
