//! What surrounds every request: its id, its span, its line in the access log and the metrics, the
//! header fields that every answer has, and the net under a handler that panics.
//!
//! Neither query, body nor `authorization` is ever logged: keys and signs travel there.

use std::any::Any;
use std::time::Duration;

use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use paymux_core::Payments;
use paymux_core::clock::Mono;
use paymux_core::ids::RequestId;
use serde::Serialize;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::Instrument as _;

use crate::auth::refuse;
use crate::openapi::Described;
use crate::problem::Problem;

/// Where a request's id travels, in and out.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// What the log and the metrics call a path that is none of ours.
const UNMATCHED: &str = "unmatched";
/// The status in the log of a request whose client did not wait for the answer.
const CLIENT_LEFT: u16 = 499;

/// Puts every route of `router` into its envelope, and answers the paths that it does not have.
pub(crate) fn wrap(router: Router, payments: Payments) -> Router {
    // Panics inside, so that what comes of one is named, logged and counted like any answer.
    router
        .fallback(async |request| refuse(Problem::not_found("no such path"), request).await)
        .method_not_allowed_fallback(async |request| refuse(Problem::method_not_allowed(), request).await)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(payments, envelop))
}

/// What a panic said may hold values, so it is not repeated: the process's own panic hook has told
/// the place.
fn panicked(_payload: Box<dyn Any + Send + 'static>) -> Response {
    tracing::error!("a handler panicked");
    Problem::internal().into_response()
}

async fn envelop(State(payments): State<Payments>, mut request: Request, next: Next) -> Response {
    let name = RequestName::of(request.headers(), || payments.request_id());
    request.extensions_mut().insert(name.clone());
    let mut entry = Entry::begin(&payments, &request, &name);
    let span = tracing::info_span!("request", id = name.as_str(), method = entry.method, route = entry.route);
    let mut response = next.run(request).instrument(span).await;
    finish(&name, &mut response);
    entry.status = response.status().as_u16();
    response
}

/// Writes what only the envelope can: the problem's body, the id, and the standing header fields.
fn finish(name: &RequestName, response: &mut Response) {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        problem.write(name.as_str(), response);
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(value) = HeaderValue::from_str(name.as_str()) {
        headers.insert(REQUEST_ID, value);
    }
}

/// The name under which a request is found again: the client's own, or one that was made here. Every
/// handler can ask for it.
#[derive(Debug, Clone)]
pub(crate) struct RequestName(Box<str>);

impl RequestName {
    fn of(headers: &HeaderMap, make: impl FnOnce() -> RequestId) -> Self {
        headers.get(REQUEST_ID).and_then(Self::given).unwrap_or_else(|| Self(make().to_string().into()))
    }

    /// The client's name if it is 1 to 64 letters, digits, `-` or `_`.
    fn given(value: &HeaderValue) -> Option<Self> {
        let text = value.to_str().ok()?;
        let good = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        ((1..=64).contains(&text.len()) && text.bytes().all(good)).then(|| Self(text.into()))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// One line of the access log, written when it is dropped: also when the client hangs up and the
/// handler's future is dropped with it.
struct Entry<'a> {
    payments: &'a Payments,
    name: &'a RequestName,
    method: &'static str,
    route: String,
    began: Mono,
    status: u16,
}

impl<'a> Entry<'a> {
    fn begin(payments: &'a Payments, request: &Request, name: &'a RequestName) -> Self {
        let route = request.extensions().get::<MatchedPath>().map_or(UNMATCHED, MatchedPath::as_str);
        Self {
            payments,
            name,
            method: method_word(request.method()),
            route: route.to_owned(),
            began: payments.clock().mono(),
            status: CLIENT_LEFT,
        }
    }
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        let took = self.payments.clock().mono().0.saturating_sub(self.began.0);
        let (method, route, status) = (self.method, self.route.as_str(), self.status);
        metrics::counter!("paymux_http_requests_total", "method" => method, "route" => self.route.clone(), "status" => status.to_string())
            .increment(1);
        metrics::histogram!("paymux_http_request_seconds", "route" => self.route.clone()).record(took);
        tracing::info!(target: "paymux_http::access", request_id = self.name.as_str(), method, route, status, took = took_class(took), "answered");
    }
}

/// How long an answer took, as one of a few words: enough for a log, and no timing to learn from.
fn took_class(took: Duration) -> &'static str {
    match took.as_millis() {
        0..10 => "<10ms",
        10..100 => "<100ms",
        100..1_000 => "<1s",
        1_000..10_000 => "<10s",
        _ => ">=10s",
    }
}

/// A closed set of words: a method may be any token, and would be a label.
fn method_word(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::HEAD => "HEAD",
        Method::PUT => "PUT",
        Method::DELETE => "DELETE",
        Method::PATCH => "PATCH",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

/// An answer in JSON that nobody may keep; the documentation knows its form.
pub(crate) fn json(status: StatusCode, body: &(impl Serialize + Described)) -> Response {
    written(status, body)
}

/// The same for what holds others.
pub(crate) fn written(status: StatusCode, body: &impl Serialize) -> Response {
    let Ok(bytes) = serde_json::to_vec(body) else { return Problem::internal().into_response() };
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/json")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (status, headers, bytes).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_a_clients_request_id_only_if_it_is_plain() {
        for good in ["a", "Req_1-2", &"x".repeat(64)] {
            assert_eq!(given(good).as_deref(), Some(good));
        }
        for bad in ["", "a b", "a.b", "a\"b", "a{}", &"x".repeat(65)] {
            assert_eq!(given(bad), None, "{bad}");
        }

        fn given(text: &str) -> Option<String> {
            RequestName::given(&HeaderValue::from_str(text).unwrap()).map(|name| name.as_str().to_owned())
        }
    }

    #[test]
    fn classes_have_no_gaps() {
        let class = |ms| took_class(Duration::from_millis(ms));
        let seen = [0, 9, 10, 99, 100, 999, 1_000, 9_999, 10_000].map(class);
        let want = ["<10ms", "<10ms", "<100ms", "<100ms", "<1s", "<1s", "<10s", "<10s", ">=10s"];
        assert_eq!(seen, want);
    }
}
