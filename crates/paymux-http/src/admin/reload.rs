//! The configuration, read again while everything runs.

use std::sync::Arc;

use async_trait::async_trait;
use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use serde_json::Value;

use super::Admin;
use crate::envelope;
use crate::openapi::{Body, Described, Field, Group, Object, Operation, Reply, schema};
use crate::problem::{Problem, Refusal};
use crate::routes::Answer;

/// Reads the configuration again and puts it in the place of the one in force.
#[async_trait]
pub trait Reload: Send + Sync + 'static {
    /// Does it; where it is refused, the one in force stays.
    async fn reload(&self) -> Result<Reloaded, NotReloaded>;
}

/// Another configuration is in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reloaded {
    /// Tells it from others, as `/readyz` does.
    pub config: String,
    /// What is allowed and yet looks like an oversight.
    pub remarks: Vec<String>,
    /// Keys that have changed and count only from the next start on.
    pub at_next_start: Vec<&'static str>,
}

/// Why the configuration in force stays.
#[derive(Debug)]
pub enum NotReloaded {
    /// Each mistake, with its place; or each channel that must stay, and why.
    Refused(Vec<String>),
    /// The ledger could not be asked whether channels may go.
    Failed(paymux_core::PaymentError),
}

impl Described for Reloaded {
    fn object() -> Object {
        Object::of::<Self>(
            "Reloaded",
            "Another configuration is in force.",
            vec![
                Field::new("config", schema::text(), "Its hash, as `/readyz` tells it."),
                Field::new(
                    "remarks",
                    schema::list(schema::text()),
                    "What is allowed and yet looks like an oversight.",
                ),
                Field::new(
                    "at_next_start",
                    schema::list(schema::text()),
                    "Keys that have changed and count only from the next start on.",
                ),
            ],
        )
    }

    fn sample() -> Option<Value> {
        schema::written(&Self { config: "c0ffee".to_owned(), remarks: Vec::new(), at_next_start: Vec::new() })
    }
}

/// `POST /admin/api/reload`
pub(super) const RELOAD: Operation = Operation {
    title: "Read the configuration again",
    says: "As `SIGHUP` does. With a mistake in it, the one in force stays.",
    body: Body::Unread,
    replies: &[Reply::json(200, "It is in force.", Reloaded::object)],
    refusals: &[Refusal::InFlight, Refusal::NotReloaded],
    ..Operation::post("/admin/api/reload", "reload", Group::Configuration)
};

/// See [`RELOAD`].
pub(super) async fn reload(State(admin): State<Arc<Admin>>) -> Answer {
    match admin.reload.reload().await {
        Ok(done) => Ok(envelope::json(StatusCode::OK, &done)),
        Err(NotReloaded::Refused(mistakes)) => Err(Problem::not_reloaded(mistakes)),
        Err(NotReloaded::Failed(error)) => Err(error.into()),
    }
}
