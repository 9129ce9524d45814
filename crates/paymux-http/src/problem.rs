//! How a refusal looks: RFC 9457 problem details with the contract's `code` and `param`.
//!
//! A handler returns a [`Problem`]; the envelope writes its body, since only it knows the request's
//! id. The one table from core's errors to statuses is [`Problem::from`].

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use paymux_core::ids::ChannelId;
use paymux_core::payment::request::InvalidField;
use paymux_core::router::{NoChannel, Removal};
use paymux_core::{Money, PaymentError};
use serde::Serialize;

/// The media type of every refusal.
const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/problem+json");
/// Seconds until a client may try again when too much came at once or the ledger was away.
const RETRY_OVERLOADED: u32 = 1;
/// Seconds until a client may try again when every channel was out for now.
const RETRY_NO_CHANNEL: u32 = 30;

/// A refusal on its way out. Boxed, since every handler's result has room for one.
#[derive(Debug, Clone)]
pub(crate) struct Problem(Box<Content>);

#[derive(Debug, Clone)]
struct Content {
    status: StatusCode,
    code: &'static str,
    title: &'static str,
    detail: String,
    param: Option<String>,
    channels: Option<Vec<(ChannelId, Removal)>>,
    amount_left: Option<i64>,
    mistakes: Option<Vec<String>>,
    headers: HeaderMap,
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, title: &'static str, detail: impl Into<String>) -> Self {
        let headers = HeaderMap::new();
        let detail = detail.into();
        Self(Box::new(Content {
            status,
            code,
            title,
            detail,
            param: None,
            channels: None,
            amount_left: None,
            mistakes: None,
            headers,
        }))
    }

    /// For a person.
    pub(crate) fn detail(&self) -> &str {
        &self.0.detail
    }

    /// The request as a whole breaks a rule.
    pub(crate) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", "The request is not valid", detail)
    }

    /// One field or query key breaks its rule.
    pub(crate) fn invalid_field(field: InvalidField) -> Self {
        Self::invalid(field.to_string()).param(field.param)
    }

    /// No key, or one that opens nothing.
    pub(crate) fn unauthorized(detail: &'static str, challenge: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", "The API key is missing or wrong", detail)
            .header(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
    }

    /// No such thing here, or none that the caller may see.
    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", "There is no such thing here", detail)
    }

    /// The path is known, the method is not. Axum adds the `Allow` field.
    pub(crate) fn method_not_allowed() -> Self {
        let detail = "this path does not take that method; `Allow` lists those that it takes";
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "The method is not allowed", detail)
    }

    /// More bytes than the limit.
    pub(crate) fn body_too_large(bytes_max: usize) -> Self {
        let detail = format!("the body may have at most {bytes_max} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "The body is too large", detail)
    }

    /// The body came too slowly.
    pub(crate) fn body_too_slow() -> Self {
        let detail = "the body did not arrive in time; send it again";
        Self::new(StatusCode::REQUEST_TIMEOUT, "request_timeout", "The request took too long", detail)
            .header(header::CONNECTION, HeaderValue::from_static("close"))
    }

    /// Not now; the same request may be taken in a moment.
    pub(crate) fn overloaded(detail: impl Into<String>) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self::new(status, "overloaded", "Not possible just now", detail).retry_after(RETRY_OVERLOADED)
    }

    /// A sandbox order that takes no money.
    pub(crate) fn not_payable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "not_payable", "The order takes no money", detail)
    }

    /// A configuration that is not put in force.
    pub(crate) fn not_reloaded(mistakes: Vec<String>) -> Self {
        let detail = "the configuration in force stays; `mistakes` tells what to mend";
        let title = "The configuration is not taken";
        let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, "not_reloaded", title, detail);
        problem.0.mistakes = Some(mistakes);
        problem
    }

    /// Something is broken here; what, stands in the log under the request's id.
    pub(crate) fn internal() -> Self {
        let detail = "something that must not happen has happened; it was logged under this request's id";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", "paymux is at fault", detail)
    }

    fn no_channel(nobody: NoChannel, detail: String) -> Self {
        let temporary = nobody.is_temporary();
        let status =
            if temporary { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::UNPROCESSABLE_ENTITY };
        let mut problem = Self::new(status, "no_channel", "No channel can take this payment", detail);
        problem.0.channels = Some(nobody.removed);
        if temporary { problem.retry_after(RETRY_NO_CHANNEL) } else { problem }
    }

    fn too_large(left: Money, detail: String) -> Self {
        let title = "More than is left cannot go back";
        let mut problem =
            Self::new(StatusCode::UNPROCESSABLE_ENTITY, "refund_too_large", title, detail).param("amount");
        problem.0.amount_left = Some(left.minor());
        problem
    }

    fn param(mut self, name: impl Into<String>) -> Self {
        self.0.param = Some(name.into());
        self
    }

    fn header(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.0.headers.insert(name, value);
        self
    }

    fn retry_after(self, seconds: u32) -> Self {
        self.header(header::RETRY_AFTER, HeaderValue::from(seconds))
    }

    /// Writes the body into the answer that carries this problem.
    pub(crate) fn write(&self, request_id: &str, response: &mut Response) {
        *response.body_mut() = Body::from(serde_json::to_vec(&self.view(request_id)).unwrap_or_default());
        response.headers_mut().insert(header::CONTENT_TYPE, MEDIA_TYPE);
    }

    fn view<'a>(&'a self, request_id: &'a str) -> ProblemView<'a> {
        let Content { status, code, title, detail, param, channels, amount_left, mistakes, headers: _ } =
            &*self.0;
        ProblemView {
            r#type: format!("urn:paymux:error:{code}"),
            title,
            status: status.as_u16(),
            detail,
            code,
            param: param.as_deref(),
            request_id,
            amount_left: *amount_left,
            mistakes: mistakes.as_deref(),
            channels: channels.as_ref().map(|removed| removed.iter().map(RemovedView::of).collect()),
        }
    }
}

impl From<PaymentError> for Problem {
    /// The one table from core's errors to statuses.
    fn from(error: PaymentError) -> Self {
        let detail = error.to_string();
        let code = error.code();
        let of = |status, title| Self::new(status, code, title, detail.clone());
        let conflict = |title| of(StatusCode::CONFLICT, title);
        let unfit = |title| of(StatusCode::UNPROCESSABLE_ENTITY, title);
        match error {
            PaymentError::Invalid(field) => Self::invalid_field(field),
            PaymentError::NotFound(_) => of(StatusCode::NOT_FOUND, "There is no such thing here"),
            PaymentError::OrderMismatch(_) => {
                unfit("The order number belongs to another request").param("order_no")
            }
            PaymentError::RefundMismatch(_) => {
                unfit("The refund number belongs to another request").param("refund_no")
            }
            PaymentError::TransferMismatch(_) => {
                unfit("The transfer number belongs to another request").param("transfer_no")
            }
            PaymentError::KeyMismatch => unfit("The key belongs to another request").param("Idempotency-Key"),
            PaymentError::NoChannel(nobody) => Self::no_channel(nobody, detail),
            PaymentError::AlreadyPaid => conflict("The payment is paid"),
            PaymentError::InFlight => conflict("Another request is under way"),
            PaymentError::NotCancelable(_) => conflict("The payment cannot be canceled"),
            PaymentError::NotAdopted(_) => conflict("The order cannot be taken over"),
            PaymentError::NotRefundable(_) => conflict("The payment cannot be refunded"),
            PaymentError::NotResolvable(_) => conflict("That word does not fit"),
            PaymentError::ChannelNeeded { .. } => conflict("The channel is still needed"),
            PaymentError::RefundTooLarge { left } => Self::too_large(left, detail),
            PaymentError::TransferTooLarge { .. } => unfit("The app may not pay out so much").param("amount"),
            PaymentError::Forbidden(_) => of(StatusCode::FORBIDDEN, "The app may not do that"),
            PaymentError::Unsupported { .. } => unfit("The provider cannot do that"),
            // What a database said may hold values: it goes to the log and no further.
            PaymentError::Overloaded(why) => {
                tracing::error!(%why, "a request was not taken");
                Self::overloaded(
                    "the ledger does not answer just now; send the same request again in a moment",
                )
            }
            PaymentError::Internal(why) => {
                tracing::error!(%why, "a broken invariant");
                Self::internal()
            }
        }
    }
}

impl From<InvalidField> for Problem {
    fn from(field: InvalidField) -> Self {
        Self::invalid_field(field)
    }
}

impl IntoResponse for Problem {
    /// An empty answer that carries the problem: the envelope writes the body.
    fn into_response(mut self) -> Response {
        let mut response = self.0.status.into_response();
        *response.headers_mut() = std::mem::take(&mut self.0.headers);
        response.extensions_mut().insert(self);
        response
    }
}

/// A problem as it is written.
#[derive(Serialize)]
struct ProblemView<'a> {
    r#type: String,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: &'static str,
    param: Option<&'a str>,
    request_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    amount_left: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mistakes: Option<&'a [String]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channels: Option<Vec<RemovedView<'a>>>,
}

/// A channel that could not take a payment.
#[derive(Serialize)]
struct RemovedView<'a> {
    channel: &'a ChannelId,
    rule: &'static str,
    detail: &'a str,
}

impl<'a> RemovedView<'a> {
    fn of((channel, removal): &'a (ChannelId, Removal)) -> Self {
        Self { channel, rule: removal.rule, detail: &removal.detail }
    }
}

#[cfg(test)]
mod tests {
    use paymux_core::OrderNo;
    use paymux_core::catalog::Scope;

    use super::*;

    #[test]
    fn every_refusal_of_the_core_has_its_status_and_code() {
        let main = || ChannelId::new("main").unwrap();
        let removed = |temporary| {
            let removal = Removal { rule: "state", detail: "why".to_owned(), temporary };
            NoChannel { route: None, removed: vec![(main(), removal)] }
        };
        let field = InvalidField::new("payer.ip", "write it well");
        check(PaymentError::Invalid(field), 400, "invalid_request", None);
        check(PaymentError::NotFound("payment"), 404, "not_found", None);
        check(PaymentError::OrderMismatch("A1".to_owned()), 422, "order_mismatch", None);
        check(PaymentError::NoChannel(removed(false)), 422, "no_channel", None);
        check(PaymentError::NoChannel(removed(true)), 503, "no_channel", Some("30"));
        check(PaymentError::AlreadyPaid, 409, "already_paid", None);
        check(PaymentError::InFlight, 409, "in_flight", None);
        check(PaymentError::NotCancelable("why".to_owned()), 409, "not_cancelable", None);
        check(PaymentError::NotAdopted("why"), 409, "not_adopted", None);
        check(PaymentError::NotRefundable("why".to_owned()), 409, "not_refundable", None);
        check(PaymentError::RefundTooLarge { left: Money::fen(7) }, 422, "refund_too_large", None);
        check(PaymentError::RefundMismatch("R1".to_owned()), 422, "refund_mismatch", None);
        check(PaymentError::TransferMismatch("T1".to_owned()), 422, "transfer_mismatch", None);
        let too_much = PaymentError::TransferTooLarge { max_minor: 7, per: "a day".to_owned() };
        check(too_much, 422, "transfer_too_large", None);
        check(PaymentError::KeyMismatch, 422, "idempotency_mismatch", None);
        check(PaymentError::Forbidden(Scope::Transfers), 403, "forbidden", None);
        check(PaymentError::NotResolvable("why".to_owned()), 409, "not_resolvable", None);
        let needed = PaymentError::ChannelNeeded { channel: main(), why: "why".to_owned() };
        check(needed, 409, "channel_needed", None);
        let unsupported = PaymentError::Unsupported { channel: main(), operation: "cancel" };
        check(unsupported, 422, "unsupported", None);
        check(PaymentError::Overloaded("secret".to_owned()), 503, "overloaded", Some("1"));
        check(PaymentError::Internal("secret".to_owned()), 500, "internal", None);

        #[track_caller]
        fn check(error: PaymentError, status: u16, code: &str, retry_after: Option<&str>) {
            assert_eq!(error.code(), code, "the core's own word");
            let body = written(&Problem::from(error), status, retry_after);
            assert_eq!(body["code"], code);
            assert!(!body.to_string().contains("secret"), "{body}");
        }
    }

    #[test]
    fn every_refusal_of_the_front_has_its_status_and_code() {
        check(&Problem::invalid("x"), 400, "invalid_request", None);
        check(&Problem::unauthorized("x", "Bearer"), 401, "unauthorized", None);
        check(&Problem::not_found("x"), 404, "not_found", None);
        check(&Problem::method_not_allowed(), 405, "method_not_allowed", None);
        check(&Problem::body_too_slow(), 408, "request_timeout", None);
        check(&Problem::not_payable("x"), 409, "not_payable", None);
        check(&Problem::body_too_large(7), 413, "body_too_large", None);
        check(&Problem::internal(), 500, "internal", None);
        check(&Problem::overloaded("x"), 503, "overloaded", Some("1"));

        #[track_caller]
        fn check(problem: &Problem, status: u16, code: &str, retry_after: Option<&str>) {
            assert_eq!(written(problem, status, retry_after)["code"], code);
        }
    }

    #[test]
    fn a_problem_shows_all_of_its_members() {
        let field = InvalidField::new("payer.ip", "write it well");
        let body = written(&Problem::from(field), 400, None);
        let want = serde_json::json!({
            "type": "urn:paymux:error:invalid_request",
            "title": "The request is not valid",
            "status": 400,
            "detail": "`payer.ip`: write it well",
            "code": "invalid_request",
            "param": "payer.ip",
            "request_id": "r1",
        });
        assert_eq!(body, want);

        let order_no = OrderNo::new("A1").unwrap();
        let body = written(&Problem::from(PaymentError::OrderMismatch(order_no.to_string())), 422, None);
        assert_eq!(body["param"], "order_no");

        for (error, param) in [
            (PaymentError::RefundMismatch("R1".to_owned()), "refund_no"),
            (PaymentError::TransferMismatch("T1".to_owned()), "transfer_no"),
            (PaymentError::TransferTooLarge { max_minor: 7, per: "a day".to_owned() }, "amount"),
            (PaymentError::KeyMismatch, "Idempotency-Key"),
        ] {
            assert_eq!(written(&Problem::from(error), 422, None)["param"], param);
        }
        let too_large = PaymentError::RefundTooLarge { left: Money::fen(7) };
        let body = written(&Problem::from(too_large), 422, None);
        assert_eq!((&body["param"], &body["amount_left"]), (&"amount".into(), &7.into()));

        let removal = Removal { rule: "amount", detail: "too much".to_owned(), temporary: false };
        let nobody = NoChannel { route: None, removed: vec![(ChannelId::new("main").unwrap(), removal)] };
        let body = written(&Problem::from(PaymentError::NoChannel(nobody)), 422, None);
        let want = serde_json::json!([{"channel": "main", "rule": "amount", "detail": "too much"}]);
        assert_eq!(body["channels"], want);
    }

    /// The body that goes out, once its head is what it should be.
    #[track_caller]
    fn written(problem: &Problem, status: u16, retry_after: Option<&str>) -> serde_json::Value {
        let response = problem.clone().into_response();
        assert_eq!(response.status(), status);
        let seen = response.headers().get(header::RETRY_AFTER).map(|value| value.to_str().unwrap());
        assert_eq!(seen, retry_after);
        let body = serde_json::to_value(problem.view("r1")).unwrap();
        assert_eq!(body["status"], status);
        body
    }
}
