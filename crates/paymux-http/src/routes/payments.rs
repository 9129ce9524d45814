//! The merchant API's payments: create, find, list, cancel, sync. Parse, ask the core, answer.

use axum::extract::{Extension, Request, State};
use axum::response::Response;
use http::{StatusCode, Uri};
use paymux_core::payment::{NewPayment, PaymentRequest, Status};
use paymux_core::store::PaymentFilter;
use paymux_core::view::PaymentView;
use paymux_core::{OrderNo, Payment, PaymentError, PaymentId, Payments};

use crate::auth::Caller;
use crate::envelope;
use crate::front::Shared;
use crate::page::{self, PageSize};
use crate::posted::Posted;
use crate::problem::Problem;
use crate::query::{self, Query};
use crate::routes::{Answer, InPath, created};

/// `POST /v1/payments`
pub(crate) async fn create(
    State(shared): State<Shared>,
    Extension(Caller(app)): Extension<Caller>,
    request: Request,
) -> Answer {
    let posted = Posted::read(request, shared.api_body()).await?;
    let new = NewPayment::check(&posted.object::<PaymentRequest>()?)?;
    let keeps_rules = shared.payments().check_payment(&app, &new).is_ok();
    let posted = if keeps_rules { posted } else { posted.that_claims_nothing() };
    let (payments, owner) = (shared.payments().clone(), app.clone());
    let work = Box::pin(async move { payments.create(owner, new).await });
    let answer = posted.carry_out(shared.payments(), app, work).await?;
    let place = format!("/v1/payments/{}", answer.payment.id);
    Ok(created(answer.is_new, &place, &view(shared.payments(), &answer.payment)))
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
    Ok(shown(shared.payments(), &payment))
}

/// `GET /v1/payments`
pub(crate) async fn list(
    State(shared): State<Shared>,
    Extension(Caller(app)): Extension<Caller>,
    uri: Uri,
) -> Answer {
    let (filter, size) = filter(app, &uri)?;
    let payments = shared.payments().list(&filter).await?;
    Ok(page::page(
        &payments,
        size,
        |payment| view(shared.payments(), payment),
        |last| page::cursor_at(last.id),
    ))
}

/// `POST /v1/payments/{id}/cancel`
pub(crate) async fn cancel(
    State(shared): State<Shared>,
    Extension(Caller(app)): Extension<Caller>,
    InPath(id): InPath<String>,
    request: Request,
) -> Answer {
    let posted = Posted::read(request, shared.api_body()).await?;
    posted.nothing()?;
    let (payments, owner, id) = (shared.payments().clone(), app.clone(), payment_id(&id)?);
    let work = Box::pin(async move { payments.cancel(owner, id).await });
    Ok(shown(shared.payments(), &posted.carry_out(shared.payments(), app, work).await?))
}

/// `POST /v1/payments/{id}/sync`
pub(crate) async fn sync(
    State(shared): State<Shared>,
    Extension(Caller(app)): Extension<Caller>,
    InPath(id): InPath<String>,
    request: Request,
) -> Answer {
    let posted = Posted::read(request, shared.api_body()).await?;
    posted.nothing()?;
    let (payments, owner, id) = (shared.payments().clone(), app.clone(), payment_id(&id)?);
    let work = Box::pin(async move { payments.sync(owner, id).await });
    Ok(shown(shared.payments(), &posted.carry_out(shared.payments(), app, work).await?))
}

pub(crate) fn shown(payments: &Payments, payment: &Payment) -> Response {
    envelope::json(StatusCode::OK, &view(payments, payment))
}

/// The payment with the page on which its payer pays.
fn view<'a>(payments: &Payments, payment: &'a Payment) -> PaymentView<'a> {
    PaymentView::of(payment).with_cashier(payments.catalog().cashier_url(payment.id))
}

/// An id of another form is an id that nobody has.
pub(crate) fn payment_id(text: &str) -> Result<PaymentId, PaymentError> {
    text.parse().map_err(|_| PaymentError::NotFound("payment"))
}

/// What is asked for, and how much of it is shown.
fn filter(app: paymux_core::AppId, uri: &Uri) -> Result<(PaymentFilter, PageSize), Problem> {
    let query = Query::read(uri, &["order_no", "status", "from", "to", "limit", "cursor"])?;
    let size = PageSize::of(&query)?;
    let filter = PaymentFilter {
        app,
        order_no: query.value("order_no", |text| OrderNo::given(text).map_err(|e| e.rule.to_owned()))?,
        status: query.value("status", |text| query::one_of(Status::ALL, Status::word, text))?,
        from: query.value("from", query::moment)?,
        to: query.value("to", query::moment)?,
        after: query.value("cursor", page::after)?,
        limit: size.to_read(),
    };
    Ok((filter, size))
}
