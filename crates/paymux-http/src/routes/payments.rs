//! The merchant API's payments: create, find, list, cancel, sync. Parse, ask the core, answer.

use axum::extract::{Extension, Request, State};
use axum::response::Response;
use http::{StatusCode, Uri};
use paymux_core::ids::NAME_CHARS_MAX;
use paymux_core::payment::{NewPayment, PaymentRequest, Status};
use paymux_core::store::PaymentFilter;
use paymux_core::view::PaymentView;
use paymux_core::{OrderNo, Payment, PaymentError, PaymentId, Payments};

use crate::auth::Caller;
use crate::envelope;
use crate::front::Shared;
use crate::openapi::{Body, Described as _, Group, Operation, Param, Reply, samples, schema};
use crate::page::{self, CURSOR, LIMIT, PageSize};
use crate::posted::Posted;
use crate::problem::{Problem, Refusal};
use crate::query::{self, Query};
use crate::routes::{Answer, InPath, created};

/// Which payment a path is about.
pub(crate) const ID: Param =
    Param::needed("id", || schema::id(PaymentId::PREFIX), "The payment's id.", samples::PAYMENT);

/// `POST /v1/payments`
pub(crate) const CREATE: Operation = Operation {
    title: "Take a payment",
    says: "Chooses a channel, makes the order there, and answers with what the payer must do, which is durable by \
           then. A payment whose every attempt was definitely refused is stored too, as `failed`; one that no channel \
           may take is not.",
    body: Body::Json(PaymentRequest::object),
    is_keyed: true,
    replies: &[
        Reply::json(201, "The new payment; `Location` is its path.", PaymentView::object),
        Reply::json(
            200,
            "The payment that this order number made before, as it stands now.",
            PaymentView::object,
        ),
    ],
    refusals: &[Refusal::OrderMismatch, Refusal::NoChannel, Refusal::NoChannelNow, Refusal::InFlight],
    ..Operation::post("/v1/payments", "createPayment", Group::Payments)
};

/// See [`CREATE`].
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
pub(crate) const FIND: Operation = Operation {
    title: "Look a payment up",
    places: &[ID],
    replies: &[Reply::json(200, "The payment.", PaymentView::object)],
    refusals: &[Refusal::NotFound],
    ..Operation::get("/v1/payments/{id}", "getPayment", Group::Payments)
};

/// See [`FIND`].
pub(crate) async fn find(
    State(shared): State<Shared>,
    Extension(Caller(app)): Extension<Caller>,
    InPath(id): InPath<String>,
    uri: Uri,
) -> Answer {
    Query::read(&uri, FIND.query)?;
    let payment = shared.payments().find(&app, payment_id(&id)?).await?;
    Ok(shown(shared.payments(), &payment))
}

/// `GET /v1/payments`
pub(crate) const LIST: Operation = Operation {
    title: "List payments",
    says: "Your app's payments, newest first.",
    query: &[
        Param::asked("order_no", || schema::printable(NAME_CHARS_MAX), "Only that order number."),
        Param::asked("status", || schema::words(Status::ALL, Status::word), "Only in that status."),
        Param::asked("from", schema::moment, "Only made at this moment or later."),
        Param::asked("to", schema::moment, "Only made before this moment."),
        LIMIT,
        CURSOR,
    ],
    replies: &[Reply::list("A page of them.", PaymentView::object)],
    ..Operation::get("/v1/payments", "listPayments", Group::Payments)
};

/// See [`LIST`].
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
pub(crate) const CANCEL: Operation = Operation {
    title: "Cancel a payment",
    says: "Closes the order at its provider first. Where the provider cannot do that, the payment ends by its time.",
    places: &[ID],
    is_keyed: true,
    replies: &[Reply::json(200, "The payment as it stands now.", PaymentView::object)],
    refusals: &[
        Refusal::NotFound,
        Refusal::AlreadyPaid,
        Refusal::InFlight,
        Refusal::NotCancelable,
        Refusal::Unsupported,
    ],
    ..Operation::post("/v1/payments/{id}/cancel", "cancelPayment", Group::Payments)
};

/// See [`CANCEL`].
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
pub(crate) const SYNC: Operation = Operation {
    title: "Ask the provider now",
    says: "What the provider says of the payment's order is booked, and told here.",
    places: &[ID],
    is_keyed: true,
    replies: &[Reply::json(200, "The payment as it stands now.", PaymentView::object)],
    refusals: &[Refusal::NotFound, Refusal::InFlight, Refusal::Unsupported],
    ..Operation::post("/v1/payments/{id}/sync", "syncPayment", Group::Payments)
};

/// See [`SYNC`].
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
    let query = Query::read(uri, LIST.query)?;
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
