//! How a refusal looks: RFC 9457 problem details with the contract's `code` and `param`.
//!
//! A handler returns a [`Problem`]; the envelope writes its body, since only it knows the request's
//! id. The one table of statuses and codes is [`Refusal`]; core's errors become rows of it in [`Problem::from`].

mod refusal;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, header};
use paymux_core::ids::ChannelId;
use paymux_core::payment::request::InvalidField;
use paymux_core::router::{NoChannel, Removal};
use paymux_core::{Money, PaymentError};
use serde::Serialize;
use serde_json::Value;

use crate::openapi::{Described, Field, Kind, Object, samples, schema};

pub(crate) use self::refusal::{Refusal, Row};

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
    refusal: Refusal,
    detail: String,
    param: Option<String>,
    channels: Option<Vec<(ChannelId, Removal)>>,
    amount_left: Option<i64>,
    mistakes: Option<Vec<String>>,
    headers: HeaderMap,
}

impl Problem {
    fn new(refusal: Refusal, detail: impl Into<String>) -> Self {
        let headers = HeaderMap::new();
        let detail = detail.into();
        Self(Box::new(Content {
            refusal,
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
        Self::new(Refusal::InvalidRequest, detail)
    }

    /// One field or query key breaks its rule.
    pub(crate) fn invalid_field(field: InvalidField) -> Self {
        Self::invalid(field.to_string()).param(field.param)
    }

    /// No key, or one that opens nothing.
    pub(crate) fn unauthorized(detail: &'static str, challenge: &'static str) -> Self {
        Self::new(Refusal::Unauthorized, detail)
            .header(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge))
    }

    /// No such thing here, or none that the caller may see.
    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(Refusal::NotFound, detail)
    }

    /// The path is known, the method is not. Axum adds the `Allow` field.
    pub(crate) fn method_not_allowed() -> Self {
        let detail = "this path does not take that method; `Allow` lists those that it takes";
        Self::new(Refusal::MethodNotAllowed, detail)
    }

    /// More bytes than the limit.
    pub(crate) fn body_too_large(bytes_max: usize) -> Self {
        let detail = format!("the body may have at most {bytes_max} bytes");
        Self::new(Refusal::BodyTooLarge, detail)
    }

    /// The body came too slowly.
    pub(crate) fn body_too_slow() -> Self {
        let detail = "the body did not arrive in time; send it again";
        Self::new(Refusal::RequestTimeout, detail)
            .header(header::CONNECTION, HeaderValue::from_static("close"))
    }

    /// Not now; the same request may be taken in a moment.
    pub(crate) fn overloaded(detail: impl Into<String>) -> Self {
        Self::new(Refusal::Overloaded, detail).retry_after(RETRY_OVERLOADED)
    }

    /// A sandbox order that takes no money.
    pub(crate) fn not_payable(detail: impl Into<String>) -> Self {
        Self::new(Refusal::NotPayable, detail)
    }

    /// A configuration that is not put in force.
    pub(crate) fn not_reloaded(mistakes: Vec<String>) -> Self {
        let detail = "the configuration in force stays; `mistakes` tells what to mend";
        let mut problem = Self::new(Refusal::NotReloaded, detail);
        problem.0.mistakes = Some(mistakes);
        problem
    }

    /// Something is broken here; what, stands in the log under the request's id.
    pub(crate) fn internal() -> Self {
        let detail = "something that must not happen has happened; it was logged under this request's id";
        Self::new(Refusal::Internal, detail)
    }

    fn no_channel(nobody: NoChannel, detail: String) -> Self {
        let temporary = nobody.is_temporary();
        let refusal = if temporary { Refusal::NoChannelNow } else { Refusal::NoChannel };
        let mut problem = Self::new(refusal, detail);
        problem.0.channels = Some(nobody.removed);
        if temporary { problem.retry_after(RETRY_NO_CHANNEL) } else { problem }
    }

    fn too_large(left: Money, detail: String) -> Self {
        let mut problem = Self::new(Refusal::RefundTooLarge, detail).param("amount");
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

    /// As the body of the answer to that request.
    pub(crate) fn view<'a>(&'a self, request_id: &'a str) -> ProblemView<'a> {
        let Content { refusal, detail, param, channels, amount_left, mistakes, headers: _ } = &*self.0;
        let Row { status, code, title, when: _ } = refusal.row();
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
    /// The one table from core's errors to refusals.
    fn from(error: PaymentError) -> Self {
        let detail = error.to_string();
        let of = |refusal| Self::new(refusal, detail.clone());
        match error {
            PaymentError::Invalid(field) => Self::invalid_field(field),
            PaymentError::NotFound(_) => of(Refusal::NotFound),
            PaymentError::OrderMismatch(_) => of(Refusal::OrderMismatch).param("order_no"),
            PaymentError::RefundMismatch(_) => of(Refusal::RefundMismatch).param("refund_no"),
            PaymentError::TransferMismatch(_) => of(Refusal::TransferMismatch).param("transfer_no"),
            PaymentError::KeyMismatch => of(Refusal::KeyMismatch).param("Idempotency-Key"),
            PaymentError::NoChannel(nobody) => Self::no_channel(nobody, detail),
            PaymentError::AlreadyPaid => of(Refusal::AlreadyPaid),
            PaymentError::InFlight => of(Refusal::InFlight),
            PaymentError::NotCancelable(_) => of(Refusal::NotCancelable),
            PaymentError::NotAdopted(_) => of(Refusal::NotAdopted),
            PaymentError::NotRefundable(_) => of(Refusal::NotRefundable),
            PaymentError::NotResolvable(_) => of(Refusal::NotResolvable),
            PaymentError::ChannelNeeded { .. } => of(Refusal::ChannelNeeded),
            PaymentError::RefundTooLarge { left } => Self::too_large(left, detail),
            PaymentError::TransferTooLarge { .. } => of(Refusal::TransferTooLarge).param("amount"),
            PaymentError::Forbidden(_) => of(Refusal::Forbidden),
            PaymentError::Unsupported { .. } => of(Refusal::Unsupported),
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
        let mut response = self.0.refusal.row().status.into_response();
        *response.headers_mut() = std::mem::take(&mut self.0.headers);
        response.extensions_mut().insert(self);
        response
    }
}

/// A problem as it is written.
#[derive(Serialize)]
pub(crate) struct ProblemView<'a> {
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

impl Described for ProblemView<'_> {
    fn object() -> Object {
        Object::of::<Self>(
            "Problem",
            "Why a request was refused, by RFC 9457.",
            vec![
                Field::new("type", schema::text(), "`urn:paymux:error:` and the code."),
                Field::new("title", schema::text(), "The kind of problem, for a person."),
                Field::new("status", schema::whole(400..=599), "The status of the answer."),
                Field::new("detail", schema::text(), "What is wrong and what to do, for a person."),
                Field::new("code", schema::text(), "What programs read."),
                Field::new("param", schema::text(), "The field, query key or header field at fault.")
                    .or_null(),
                Field::new("request_id", schema::text(), "The request, as the log names it: `x-request-id`."),
                Field::new(
                    "amount_left",
                    schema::number(),
                    "Of `refund_too_large`: how much can still go back.",
                )
                .optional(),
                Field::new("mistakes", schema::list(schema::text()), "Of `not_reloaded`: every mistake.")
                    .optional(),
                Field::new(
                    "channels",
                    schema::list(Kind::Of(removed)),
                    "Of `no_channel`: why not, for each.",
                )
                .optional(),
            ],
        )
    }

    fn sample() -> Option<Value> {
        samples::problem(Refusal::InvalidRequest)
    }
}

fn removed() -> Object {
    Object::part(
        "RemovedChannel",
        "A channel that could not take a payment.",
        vec![
            Field::new("channel", schema::name(), "Which."),
            Field::new("rule", schema::text(), "The rule that removed it."),
            Field::new("detail", schema::text(), "What was seen, for a person."),
        ],
    )
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
