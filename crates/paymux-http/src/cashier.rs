//! The page on which a payer pays, whatever provider stands behind: its code, its button or its form, how much time is
//! left, and where the browser goes in the end. Whoever knows a payment's id may see its page. Nothing on it comes from
//! elsewhere, and nothing that is done there is believed: how a payment stands is read from the ledger.
//!
//! How the page is written is in [`page`], how its code is drawn in [`qr`], in which language it speaks in [`language`].

mod language;
mod page;
mod qr;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use paymux_core::payment::{NextAction, Payment, Status};
use paymux_core::{PaymentError, PaymentId, Timestamp};
use serde::Serialize;
use serde_json::Value;

use self::language::Language;
use crate::envelope;
use crate::front::Shared;
use crate::openapi::{Described, Field, Group, Object, Operation, Param, Reply, samples, schema};
use crate::problem::{Problem, Refusal};

/// What a payer's browser asks for.
type Asked = Result<Path<String>, PathRejection>;

/// Of a page that a provider wrote: it runs apart from everything of ours.
const APART: &str = "sandbox allow-forms allow-scripts allow-top-navigation";

const PAYMENT: Param =
    Param::needed("payment", || schema::id(PaymentId::PREFIX), "The payment's id.", samples::PAYMENT);
const HTML: &str = "text/html; charset=utf-8";

/// `GET /pay/{payment}`
pub(crate) const SHOW: Operation = Operation {
    title: "Show the page on which a payment is paid",
    says: "`cashier_url`: its code, its button or its form, and how much time is left; Chinese or English.",
    places: &[PAYMENT],
    replies: &[
        Reply::media(200, "The page.", HTML),
        Reply::elsewhere("The payment has ended: on to the shop."),
        Reply::media(404, "A page that says that there is no such payment.", HTML),
        Reply::media(503, "A page that says that the ledger is away.", HTML),
    ],
    ..Operation::get("/pay/{payment}", "showCashier", Group::Payers)
};

/// `GET /pay/{payment}/state`
pub(crate) const STATE: Operation = Operation {
    title: "Ask how a payment stands",
    says: "For the page's own script.",
    places: &[PAYMENT],
    replies: &[Reply::json(200, "How it stands.", StateView::object)],
    refusals: &[Refusal::NotFound, Refusal::Overloaded],
    ..Operation::get("/pay/{payment}/state", "cashierState", Group::Payers)
};

/// `GET /pay/{payment}/qr.svg`
pub(crate) const PICTURE: Operation = Operation {
    title: "Draw the page's own address as a code",
    says: "For whoever shows that instead of a link.",
    places: &[PAYMENT],
    replies: &[Reply::media(200, "The code.", "image/svg+xml")],
    refusals: &[Refusal::NotFound, Refusal::Overloaded],
    ..Operation::get("/pay/{payment}/qr.svg", "cashierCode", Group::Payers)
};

/// `GET /pay/{payment}/form`
pub(crate) const FORM: Operation = Operation {
    title: "Show the page that the provider wrote",
    says: "Apart from everything of ours.",
    places: &[PAYMENT],
    replies: &[
        Reply::media(200, "That page.", HTML),
        Reply::elsewhere("There is none now: back to our page."),
    ],
    refusals: &[Refusal::NotFound, Refusal::Overloaded],
    ..Operation::get("/pay/{payment}/form", "cashierForm", Group::Payers)
};

/// `GET /pay/cashier.css`
pub(crate) const CSS: Operation = Operation {
    title: "How the payers' page looks",
    replies: &[Reply::media(200, "The style sheet.", "text/css; charset=utf-8")],
    ..Operation::get("/pay/cashier.css", "cashierStyle", Group::Payers)
};

/// `GET /pay/cashier.js`
pub(crate) const JS: Operation = Operation {
    title: "What the payers' page does",
    replies: &[Reply::media(200, "The script.", "text/javascript; charset=utf-8")],
    ..Operation::get("/pay/cashier.js", "cashierScript", Group::Payers)
};

/// See [`SHOW`]: the page, or the way on once the payment has ended.
pub(crate) async fn show(State(shared): State<Shared>, asked: Asked, headers: HeaderMap) -> Response {
    let language = Language::of(&headers);
    match found(&shared, asked).await {
        Ok(payment) => {
            let onward = onward(&shared, &payment);
            onward.unwrap_or_else(|| page::of(&payment, shared.payments().clock().now(), language))
        }
        Err(PaymentError::NotFound(_)) => page::missing(language),
        Err(error) => {
            tracing::error!(%error, "a payer's page could not be shown");
            page::away(language)
        }
    }
}

/// How a payment stands, for the page's script.
#[derive(Serialize)]
struct StateView {
    stage: &'static str,
    step: usize,
    seconds_left: u64,
}

impl Described for StateView {
    fn object() -> Object {
        Object::of::<Self>(
            "CashierState",
            "How a payment stands, for the page's script.",
            vec![
                Field::new("stage", schema::words(Stage::ALL, Stage::word), "What the page shows."),
                Field::new(
                    "step",
                    schema::count(),
                    "Another number where there is another thing to do than before.",
                ),
                Field::new("seconds_left", schema::count(), "How much time is left."),
            ],
        )
    }

    fn sample() -> Option<Value> {
        schema::written(&Self { stage: Stage::Waiting.word(), step: 3, seconds_left: 1758 })
    }
}

/// See [`STATE`].
pub(crate) async fn state(State(shared): State<Shared>, asked: Asked) -> Result<Response, Problem> {
    let payment = found(&shared, asked).await?;
    let view = StateView {
        stage: Stage::of(&payment).word(),
        step: step(&payment),
        seconds_left: seconds_left(&payment, shared.payments().clock().now()),
    };
    Ok(envelope::json(StatusCode::OK, &view))
}

/// See [`PICTURE`].
pub(crate) async fn picture(State(shared): State<Shared>, asked: Asked) -> Result<Response, Problem> {
    let payment = found(&shared, asked).await?;
    let url = shared.payments().catalog().cashier_url(payment.id);
    let picture =
        qr::picture(&url).ok_or_else(|| Problem::not_found("the address is too long for a code"))?;
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("image/svg+xml")),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("default-src 'none'")),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    Ok((headers, picture).into_response())
}

/// See [`FORM`]: the page that the provider wrote, while it takes money; else the way back to ours.
pub(crate) async fn form(State(shared): State<Shared>, asked: Asked) -> Result<Response, Problem> {
    let payment = found(&shared, asked).await?;
    match &payment.next_action {
        Some(NextAction::Html { html }) if Stage::of(&payment) == Stage::Waiting => {
            let headers = [
                (header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
                (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(APART)),
                (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
                // A bank may look where its payers come from; which payment it is, it learns from the form.
                (header::REFERRER_POLICY, HeaderValue::from_static("origin")),
            ];
            Ok((headers, html.clone()).into_response())
        }
        _ => Ok(to(&format!("../{}", payment.id)).unwrap_or_else(|| Problem::internal().into_response())),
    }
}

/// See [`CSS`].
pub(crate) async fn style() -> Response {
    asset("text/css; charset=utf-8", include_str!("cashier/cashier.css"))
}

/// See [`JS`].
pub(crate) async fn script() -> Response {
    asset("text/javascript; charset=utf-8", include_str!("cashier/cashier.js"))
}

fn asset(media_type: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
    ];
    (headers, text).into_response()
}

/// An id of another form is an id that nobody has.
async fn found(shared: &Shared, asked: Asked) -> Result<Payment, PaymentError> {
    let none = || PaymentError::NotFound("payment");
    let Path(id) = asked.map_err(|_| none())?;
    shared.payments().find_for_payer(id.parse().map_err(|_| none())?).await
}

/// What a payer is to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Nothing yet: the order is being made.
    Preparing,
    /// How to pay.
    Waiting,
    /// That money came which somebody has to look at.
    Checking,
    /// That it is paid.
    Paid,
    /// That it has ended without money.
    Unpaid,
}

impl Stage {
    /// All of them.
    const ALL: &'static [Self] = &[Self::Preparing, Self::Waiting, Self::Checking, Self::Paid, Self::Unpaid];

    fn of(payment: &Payment) -> Self {
        match payment.status {
            Status::Succeeded => Self::Paid,
            _ if payment.held.is_some() => Self::Checking,
            Status::Failed | Status::Canceled | Status::Expired => Self::Unpaid,
            Status::Processing | Status::Pending if payment.next_action.is_some() => Self::Waiting,
            Status::Processing | Status::Pending => Self::Preparing,
        }
    }

    const fn word(self) -> &'static str {
        match self {
            Self::Preparing => "preparing",
            Self::Waiting => "waiting",
            Self::Checking => "checking",
            Self::Paid => "paid",
            Self::Unpaid => "unpaid",
        }
    }
}

/// Another number where there is another thing to do than before.
fn step(payment: &Payment) -> usize {
    2 * payment.attempts.len() + usize::from(payment.next_action.is_some())
}

/// Rounded up, so that it is over when nothing is left.
fn seconds_left(payment: &Payment, now: Timestamp) -> u64 {
    let left = payment.expires_at.since(now);
    left.as_secs() + u64::from(left.subsec_nanos() > 0)
}

/// Where the browser goes once the payment has ended: where it is paid, to the payment's own address; unpaid, to the
/// app's.
fn onward(shared: &Shared, payment: &Payment) -> Option<Response> {
    match Stage::of(payment) {
        Stage::Paid => to(&shared.payments().way_on(payment)?),
        Stage::Unpaid => to(&shared.payments().way_out(payment)?),
        Stage::Preparing | Stage::Waiting | Stage::Checking => None,
    }
}

fn to(place: &str) -> Option<Response> {
    let headers = [
        (header::LOCATION, HeaderValue::from_str(place).ok()?),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    Some((StatusCode::SEE_OTHER, headers).into_response())
}
