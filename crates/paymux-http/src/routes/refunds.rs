//! The merchant API's refunds: create, find, list, sync. Parse, ask the core, answer.

use axum::extract::{Extension, Request, State};
use http::{StatusCode, Uri};
use paymux_core::ids::{NAME_CHARS_MAX, RefundNo};
use paymux_core::payment::request::InvalidField;
use paymux_core::refund::{NewRefund, RefundRequest};
use paymux_core::view::RefundView;
use paymux_core::{PaymentError, RefundId};

use crate::auth::Caller;
use crate::envelope;
use crate::front::Shared;
use crate::json::Shape;
use crate::openapi::{Body, Described as _, Group, Operation, Param, Reply, samples, schema};
use crate::page::{self, CURSOR, LIMIT, PageSize};
use crate::posted::Posted;
use crate::problem::Refusal;
use crate::query::Query;
use crate::routes::payments::{self, payment_id};
use crate::routes::{Answer, InPath, created};

impl Shape for RefundRequest {
    const FREE: &'static [&'static str] = &[];
}

/// Which refund a path is about.
const ID: Param = Param::needed("id", || schema::id(RefundId::PREFIX), "The refund's id.", samples::REFUND);

/// `POST /v1/payments/{id}/refunds`
pub(crate) const CREATE: Operation = Operation {
    title: "Send money back",
    says: "Sets the amount aside, asks the provider once, and answers with what became of it. `unknown` keeps the \
           amount aside until a query, a callback or a person says more.",
    places: &[payments::ID],
    body: Body::Json(RefundRequest::object),
    is_keyed: true,
    replies: &[
        Reply::json(201, "The new refund; `Location` is its path.", RefundView::object),
        Reply::json(200, "The refund that this number made before, as it stands now.", RefundView::object),
    ],
    refusals: &[
        Refusal::NotFound,
        Refusal::NotRefundable,
        Refusal::InFlight,
        Refusal::RefundMismatch,
        Refusal::RefundTooLarge,
        Refusal::Unsupported,
    ],
    ..Operation::post("/v1/payments/{id}/refunds", "createRefund", Group::Refunds)
};

/// See [`CREATE`].
pub(crate) async fn create(
    State(shared): State<Shared>,
    Extension(Caller(app)): Extension<Caller>,
    InPath(payment): InPath<String>,
    request: Request,
) -> Answer {
    let posted = Posted::read(request, shared.api_body()).await?;
    let new = NewRefund::check(&posted.object::<RefundRequest>()?)?;
    let (payments, owner, payment) = (shared.payments().clone(), app.clone(), payment_id(&payment)?);
    let work = Box::pin(async move { payments.refund(owner, payment, new).await });
    let answer = posted.carry_out(shared.payments(), app, work).await?;
    let place = format!("/v1/refunds/{}", answer.refund.id);
    Ok(created(answer.is_new, &place, &RefundView::of(&answer.refund)))
}

/// `GET /v1/payments/{id}/refunds`
pub(crate) const OF_PAYMENT: Operation = Operation {
    title: "List a payment's refunds",
    says: "Oldest first.",
    places: &[payments::ID],
    query: &[LIMIT, CURSOR],
    replies: &[Reply::list("A page of them.", RefundView::object)],
    refusals: &[Refusal::NotFound],
    ..Operation::get("/v1/payments/{id}/refunds", "listRefunds", Group::Refunds)
};

/// See [`OF_PAYMENT`].
pub(crate) async fn of_payment(
    State(shared): State<Shared>,
    Extension(Caller(app)): Extension<Caller>,
    InPath(payment): InPath<String>,
    uri: Uri,
) -> Answer {
    let query = Query::read(&uri, OF_PAYMENT.query)?;
    let size = PageSize::of(&query)?;
    let after: Option<RefundId> = query.value("cursor", page::after)?;
    let refunds = shared.payments().refunds(&app, payment_id(&payment)?, after, size.to_read()).await?;
    Ok(page::page(&refunds, size, RefundView::of, |last| page::cursor_at(last.id)))
}

/// `GET /v1/refunds`
pub(crate) const BY_NUMBER: Operation = Operation {
    title: "Find a refund by its number",
    query: &[Param::needed("refund_no", || schema::printable(NAME_CHARS_MAX), "Your number of it.", "R1001")],
    replies: &[Reply::list("The one that has it, or none.", RefundView::object)],
    ..Operation::get("/v1/refunds", "findRefund", Group::Refunds)
};

/// See [`BY_NUMBER`].
pub(crate) async fn by_number(
    State(shared): State<Shared>,
    Extension(Caller(app)): Extension<Caller>,
    uri: Uri,
) -> Answer {
    let query = Query::read(&uri, BY_NUMBER.query)?;
    let no = query.value("refund_no", |text| RefundNo::given(text).map_err(|e| e.rule.to_owned()))?;
    let no = no.ok_or_else(|| InvalidField::new("refund_no", "is missing"))?;
    match shared.payments().find_refund_by_no(&app, &no).await {
        Ok(refund) => Ok(page::whole(vec![RefundView::of(&refund)])),
        Err(PaymentError::NotFound(_)) => Ok(page::whole::<RefundView<'_>>(Vec::new())),
        Err(error) => Err(error.into()),
    }
}

/// `GET /v1/refunds/{id}`
pub(crate) const FIND: Operation = Operation {
    title: "Look a refund up",
    places: &[ID],
    replies: &[Reply::json(200, "The refund.", RefundView::object)],
    refusals: &[Refusal::NotFound],
    ..Operation::get("/v1/refunds/{id}", "getRefund", Group::Refunds)
};

/// See [`FIND`].
pub(crate) async fn find(
    State(shared): State<Shared>,
    Extension(Caller(app)): Extension<Caller>,
    InPath(id): InPath<String>,
    uri: Uri,
) -> Answer {
    Query::read(&uri, FIND.query)?;
    let refund = shared.payments().find_refund(&app, refund_id(&id)?).await?;
    Ok(envelope::json(StatusCode::OK, &RefundView::of(&refund)))
}

/// `POST /v1/refunds/{id}/sync`
pub(crate) const SYNC: Operation = Operation {
    title: "Ask the provider about a refund",
    says: "Nothing is sent again: what the provider says of it is booked, and told here.",
    places: &[ID],
    is_keyed: true,
    replies: &[Reply::json(200, "The refund as it stands now.", RefundView::object)],
    refusals: &[Refusal::NotFound, Refusal::InFlight, Refusal::Unsupported],
    ..Operation::post("/v1/refunds/{id}/sync", "syncRefund", Group::Refunds)
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
    let (payments, owner, id) = (shared.payments().clone(), app.clone(), refund_id(&id)?);
    let work = Box::pin(async move { payments.sync_refund(owner, id).await });
    let refund = posted.carry_out(shared.payments(), app, work).await?;
    Ok(envelope::json(StatusCode::OK, &RefundView::of(&refund)))
}

/// An id of another form is an id that nobody has.
fn refund_id(text: &str) -> Result<RefundId, PaymentError> {
    text.parse().map_err(|_| PaymentError::NotFound("refund"))
}
