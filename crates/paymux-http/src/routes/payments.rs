//! The merchant API's payments: create, find, list, cancel, sync. Parse, ask the core, answer.

use axum::extract::{Extension, Request, State};
use axum::response::Response;
use http::{HeaderValue, StatusCode, Uri, header};
use paymux_core::payment::{NewPayment, PaymentRequest, Status};
use paymux_core::store::PaymentFilter;
use paymux_core::view::PaymentView;
use paymux_core::{OrderNo, Payment, PaymentError, PaymentId, Timestamp};
use serde::Serialize;

use crate::auth::Caller;
use crate::front::Shared;
use crate::limits::{PAGE_DEFAULT, PAGE_MAX};
use crate::problem::Problem;
use crate::query::Query;
use crate::routes::InPath;
use crate::{body, envelope, json};

type Answer = Result<Response, Problem>;

/// `POST /v1/payments`
pub(crate) async fn create(
    State(shared): State<Shared>,
    Extension(Caller(app)): Extension<Caller>,
    request: Request,
) -> Answer {
    let (parts, content) = request.into_parts();
    let bytes = body::read(&parts.headers, content, shared.api_body()).await?;
    Query::none(&parts.uri)?;
    let request: PaymentRequest = json::read(&parts.headers, &bytes)?;
    let answer = shared.payments().create(app, NewPayment::check(&request)?).await?;
    let status = if answer.is_new { StatusCode::CREATED } else { StatusCode::OK };
    let mut response = shown(status, &answer.payment);
    if let Ok(place) = HeaderValue::from_str(&format!("/v1/payments/{}", answer.payment.id)) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

/// `GET /v1/payments/{id}`
pub(crate) async fn find(
    State(shared): State<Shared>,
    Extension(Caller(app)): Extension<Caller>,
    InPath(id): InPath<String>,
    uri: Uri,
) -> Answer {
    Query::none(&uri)?;
    let payment = shared.payments().find(&app, payment_id(&id)?).await?;
    Ok(shown(StatusCode::OK, &payment))
}

/// `GET /v1/payments`
pub(crate) async fn list(
    State(shared): State<Shared>,
    Extension(Caller(app)): Extension<Caller>,
    uri: Uri,
) -> Answer {
    let (filter, page) = filter(app, &uri)?;
    let mut payments = shared.payments().list(&filter).await?;
    let has_more = payments.len() > page;
    payments.truncate(page);
    let next_cursor = payments.last().filter(|_| has_more).map(|last| cursor_after(last.id));
    let data = payments.iter().map(PaymentView::of).collect();
    Ok(envelope::json(StatusCode::OK, &ListView { data, next_cursor }))
}

/// `POST /v1/payments/{id}/cancel`
pub(crate) async fn cancel(
    State(shared): State<Shared>,
    Extension(Caller(app)): Extension<Caller>,
    InPath(id): InPath<String>,
    request: Request,
) -> Answer {
    take_nothing(&shared, request).await?;
    let payment = shared.payments().cancel(app, payment_id(&id)?).await?;
    Ok(shown(StatusCode::OK, &payment))
}

/// `POST /v1/payments/{id}/sync`
pub(crate) async fn sync(
    State(shared): State<Shared>,
    Extension(Caller(app)): Extension<Caller>,
    InPath(id): InPath<String>,
    request: Request,
) -> Answer {
    take_nothing(&shared, request).await?;
    let payment = shared.payments().sync(app, payment_id(&id)?).await?;
    Ok(shown(StatusCode::OK, &payment))
}

/// Neither query nor body: what stands there would be ignored, and its sender would not know.
async fn take_nothing(shared: &Shared, request: Request) -> Result<(), Problem> {
    let (parts, content) = request.into_parts();
    let bytes = body::read(&parts.headers, content, shared.api_body()).await?;
    Query::none(&parts.uri)?;
    json::read_nothing(&parts.headers, &bytes)
}

pub(crate) fn shown(status: StatusCode, payment: &Payment) -> Response {
    envelope::json(status, &PaymentView::of(payment))
}

/// An id of another form is an id that nobody has.
fn payment_id(text: &str) -> Result<PaymentId, PaymentError> {
    text.parse().map_err(|_| PaymentError::NotFound("payment"))
}

/// One page of a list.
#[derive(Serialize)]
struct ListView<'a> {
    data: Vec<PaymentView<'a>>,
    next_cursor: Option<String>,
}

/// What is asked for, and how much of it is shown: one more is read, to know whether there is more.
fn filter(app: paymux_core::AppId, uri: &Uri) -> Result<(PaymentFilter, usize), Problem> {
    let query = Query::read(uri, &["order_no", "status", "from", "to", "limit", "cursor"])?;
    let limit = query.value("limit", page_size)?.unwrap_or(PAGE_DEFAULT);
    let filter = PaymentFilter {
        app,
        order_no: query.value("order_no", |text| OrderNo::new(text).map_err(|e| e.rule.to_owned()))?,
        status: query.value("status", status)?,
        from: query.value("from", moment)?,
        to: query.value("to", moment)?,
        after: query.value("cursor", cursor)?,
        limit: limit + 1,
    };
    Ok((filter, usize::try_from(limit).unwrap_or(usize::MAX)))
}

fn page_size(text: &str) -> Result<u32, String> {
    let size = text.parse().ok().filter(|size| (1..=PAGE_MAX).contains(size));
    size.ok_or_else(|| format!("write a number from 1 to {PAGE_MAX}"))
}

fn status(text: &str) -> Result<Status, String> {
    let known = || Status::ALL.iter().map(|status| status.word()).collect::<Vec<_>>().join(", ");
    Status::from_word(text).ok_or_else(|| format!("unknown status; known: {}", known()))
}

fn moment(text: &str) -> Result<Timestamp, String> {
    let rule = "write RFC 3339, like 2024-03-01T00:00:00Z; a `+` must be written %2B";
    text.parse().map_err(|_| rule.to_owned())
}

/// A cursor names the last payment that was shown. Its form is ours alone.
fn cursor_after(id: PaymentId) -> String {
    format!("c1{}", id.digits())
}

fn cursor(text: &str) -> Result<PaymentId, String> {
    let id = text.strip_prefix("c1").map(|digits| format!("{}{digits}", PaymentId::PREFIX));
    let id = id.and_then(|id| id.parse().ok());
    id.ok_or_else(|| "send the `next_cursor` of the page before, unchanged".to_owned())
}
