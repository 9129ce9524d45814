//! The handlers, one file for each kind of caller: merchants, providers, payers, probes.

use axum::extract::rejection::PathRejection;
use axum::extract::{FromRequestParts, Path};
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::envelope;
use crate::openapi::Described;
use crate::problem::Problem;

pub(crate) mod callbacks;
pub(crate) mod events;
pub(crate) mod explain;
pub(crate) mod fronts;
pub(crate) mod health;
pub(crate) mod payments;
pub(crate) mod refunds;
pub(crate) mod returns;
pub(crate) mod transfers;

/// How a handler ends.
pub(crate) type Answer = Result<Response, Problem>;

/// What a request has made, or had made before, and where it stands.
pub(crate) fn created(is_new: bool, place: &str, view: &(impl Serialize + Described)) -> Response {
    let status = if is_new { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = envelope::json(status, view);
    if let Ok(place) = HeaderValue::from_str(place) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    response
}

/// What stands in the path. A segment that is not UTF-8 is the name of nothing.
#[derive(FromRequestParts)]
#[from_request(via(Path), rejection(Problem))]
pub(crate) struct InPath<T>(pub(crate) T);

impl From<PathRejection> for Problem {
    fn from(_rejection: PathRejection) -> Self {
        Self::not_found("no such path")
    }
}
