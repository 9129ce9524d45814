//! The handlers, one file for each kind of caller: merchants, providers, payers, probes.

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};

use crate::problem::Problem;

pub(crate) mod callbacks;
pub(crate) mod health;
pub(crate) mod payments;
pub(crate) mod returns;

/// What stands in the path. A segment that is not UTF-8 is the name of nothing.
#[derive(FromRequestParts)]
#[from_request(via(Path), rejection(Problem))]
pub(crate) struct InPath<T>(pub(crate) T);

impl From<PathRejection> for Problem {
    fn from(_rejection: PathRejection) -> Self {
        Self::not_found("no such path")
    }
}
