//! The merchant API's refunds: create, find, list, sync. Parse, ask the core, answer.

use axum::extract::{Extension, Request, State};
use http::{StatusCode, Uri};
use paymux_core::ids::RefundNo;
use paymux_core::payment::request::InvalidField;
use paymux_core::refund::{NewRefund, RefundRequest};
use paymux_core::view::RefundView;
use paymux_core::{PaymentError, RefundId};

use crate::auth::Caller;
use crate::envelope;
use crate::front::Shared;
use crate::json::Shape;
use crate::page::{self, PageSize};
use crate::posted::Posted;
use crate::query::Query;
use crate::routes::payments::payment_id;
use crate::routes::{Answer, InPath, created};

impl Shape for RefundRequest {
    const FREE: &'static [&'static str] = &[];
}

/// `POST /v1/payments/{id}/refunds`
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

/// `GET /v1/payments/{id}/refunds`, oldest first.
pub(crate) async fn of_payment(
    State(shared): State<Shared>,
    Extension(Caller(app)): Extension<Caller>,
    InPath(payment): InPath<String>,
    uri: Uri,
) -> Answer {
    let query = Query::read(&uri, &["limit", "cursor"])?;
    let size = PageSize::of(&query)?;
    let after: Option<RefundId> = query.value("cursor", page::after)?;
    let refunds = shared.payments().refunds(&app, payment_id(&payment)?, after, size.to_read()).await?;
    Ok(page::page(&refunds, size, RefundView::of, |last| page::cursor_at(last.id)))
}

/// `GET /v1/refunds?refund_no=`
pub(crate) async fn by_number(
    State(shared): State<Shared>,
    Extension(Caller(app)): Extension<Caller>,
    uri: Uri,
) -> Answer {
    let query = Query::read(&uri, &["refund_no"])?;
    let no = query.value("refund_no", |text| RefundNo::given(text).map_err(|e| e.rule.to_owned()))?;
    let no = no.ok_or_else(|| InvalidField::new("refund_no", "is missing"))?;
    match shared.payments().find_refund_by_no(&app, &no).await {
        Ok(refund) => Ok(page::whole(vec![RefundView::of(&refund)])),
        Err(PaymentError::NotFound(_)) => Ok(page::whole::<RefundView<'_>>(Vec::new())),
        Err(error) => Err(error.into()),
    }
}

/// `GET /v1/refunds/{id}`
pub(crate) async fn find(
    State(shared): State<Shared>,
    Extension(Caller(app)): Extension<Caller>,
    InPath(id): InPath<String>,
    uri: Uri,
) -> Answer {
    Query::none(&uri)?;
    let refund = shared.payments().find_refund(&app, refund_id(&id)?).await?;
    Ok(envelope::json(StatusCode::OK, &RefundView::of(&refund)))
}

/// `POST /v1/refunds/{id}/sync`
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
