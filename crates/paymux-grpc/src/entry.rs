//! What surrounds every call: its id, its span, its line in the access log and the metrics, and the net under a
//! handler that panics. Neither message nor `authorization` is ever logged: keys and a payer's data travel there.

use std::any::Any;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue};
use paymux_core::Payments;
use paymux_core::clock::Mono;
use paymux_core::ids::RequestName;
use tonic::{Code, Status};
use tracing::Instrument as _;

use crate::refusal;

/// Where a call's id travels, in and out.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// What the log and the metrics call a path that is none of ours.
const UNMATCHED: &str = "unmatched";
/// All paths that have a name there: a closed set, since a path may be any text.
const PATHS: [&str; 13] = [
    "/paymux.v1.PaymentService/CreatePayment",
    "/paymux.v1.PaymentService/GetPayment",
    "/paymux.v1.PaymentService/ListPayments",
    "/paymux.v1.PaymentService/CancelPayment",
    "/paymux.v1.PaymentService/SyncPayment",
    "/paymux.v1.PaymentService/CreateRefund",
    "/paymux.v1.PaymentService/GetRefund",
    "/paymux.v1.PaymentService/CreateTransfer",
    "/paymux.v1.PaymentService/GetTransfer",
    "/paymux.v1.PaymentService/WatchPayment",
    "/paymux.v1.RoutingService/Explain",
    "/grpc.health.v1.Health/Check",
    "/grpc.health.v1.Health/Watch",
];

/// Answers a call and writes down that it did.
pub(crate) async fn enter(State(payments): State<Payments>, request: Request, next: Next) -> Response {
    let given = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let name = RequestName::of(given, || payments.request_id());
    let path = request.uri().path();
    let method = PATHS.iter().find(|known| **known == path).map_or(UNMATCHED, |known| &known[1..]);
    let mut entry =
        Entry { payments: &payments, name: &name, method, began: payments.clock().mono(), code: None };
    let span = tracing::info_span!("call", id = name.as_str(), method);
    let mut response = next.run(request).instrument(span).await;
    entry.code = Some(code_of(response.headers()));
    if let Ok(value) = HeaderValue::from_str(name.as_str()) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response
}

/// A stream that has begun is well so far: how it ends stands in its trailers.
fn code_of(headers: &HeaderMap) -> Code {
    headers.get(Status::GRPC_STATUS).map_or(Code::Ok, |value| Code::from_bytes(value.as_bytes()))
}

/// What a panic said may hold values, so it is not repeated: the process's own panic hook has told the place.
pub(crate) fn panicked(_payload: Box<dyn Any + Send + 'static>) -> Response {
    tracing::error!("a handler panicked");
    refusal::internal().into_http()
}

/// One line of the access log, written when it is dropped: also when the client gives up and the handler's future is
/// dropped with it.
struct Entry<'a> {
    payments: &'a Payments,
    name: &'a RequestName,
    method: &'static str,
    began: Mono,
    /// `None` where the client did not wait for the answer.
    code: Option<Code>,
}

impl Drop for Entry<'_> {
    fn drop(&mut self) {
        let took = self.payments.clock().mono().0.saturating_sub(self.began.0);
        let (method, code) = (self.method, word(self.code.unwrap_or(Code::Cancelled)));
        metrics::counter!("paymux_grpc_requests_total", "method" => method, "code" => code).increment(1);
        metrics::histogram!("paymux_grpc_request_seconds", "method" => method).record(took);
        tracing::info!(target: "paymux_grpc::access", request_id = self.name.as_str(), method, code, "answered");
    }
}

/// The code's name as the protocol writes it.
const fn word(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use prost::Message as _;

    use super::*;

    #[test]
    fn every_method_has_its_name() {
        let descriptors = prost_types::FileDescriptorSet::decode(crate::DESCRIPTORS).unwrap();
        let ours = descriptors.file.iter().filter(|file| file.package() == "paymux.v1");
        let services = ours.flat_map(|file| &file.service);
        let paths = services.flat_map(|service| {
            service.method.iter().map(|method| format!("/paymux.v1.{}/{}", service.name(), method.name()))
        });
        let paths: Vec<String> = paths.collect();
        assert_eq!(paths, PATHS[..paths.len()]);
    }
}
