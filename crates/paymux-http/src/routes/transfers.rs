//! The merchant API's transfers: create, find, sync. Parse, ask the core, answer.

use axum::extract::{Extension, Request, State};
use http::{StatusCode, Uri};
use paymux_core::ids::TransferNo;
use paymux_core::payment::request::InvalidField;
use paymux_core::transfer::{NewTransfer, TransferRequest};
use paymux_core::view::TransferView;
use paymux_core::{PaymentError, TransferId};

use crate::auth::Caller;
use crate::envelope;
use crate::front::Shared;
use crate::json::Shape;
use crate::page;
use crate::posted::Posted;
use crate::query::Query;
use crate::routes::{Answer, InPath, created};

impl Shape for TransferRequest {
    const FREE: &'static [&'static str] = &["extra"];
}

/// `POST /v1/transfers`
pub(crate) async fn create(
    State(shared): State<Shared>,
    Extension(Caller(app)): Extension<Caller>,
    request: Request,
) -> Answer {
    let posted = Posted::read(request, shared.api_body()).await?;
    let new = NewTransfer::check(&posted.object::<TransferRequest>()?)?;
    let keeps_rules = shared.payments().check_transfer(&app, &new).is_ok();
    let posted = if keeps_rules { posted } else { posted.that_claims_nothing() };
    let (payments, owner) = (shared.payments().clone(), app.clone());
    let work = Box::pin(async move { payments.transfer(owner, new).await });
    let answer = posted.carry_out(shared.payments(), app, work).await?;
    let place = format!("/v1/transfers/{}", answer.transfer.id);
    Ok(created(answer.is_new, &place, &TransferView::of(&answer.transfer)))
}

/// `GET /v1/transfers?transfer_no=`
pub(crate) async fn by_number(
    State(shared): State<Shared>,
    Extension(Caller(app)): Extension<Caller>,
    uri: Uri,
) -> Answer {
    let query = Query::read(&uri, &["transfer_no"])?;
    let no = query.value("transfer_no", |text| TransferNo::new(text).map_err(|e| e.rule.to_owned()))?;
    let no = no.ok_or_else(|| InvalidField::new("transfer_no", "is missing"))?;
    match shared.payments().find_transfer_by_no(&app, &no).await {
        Ok(transfer) => Ok(page::whole(vec![TransferView::of(&transfer)])),
        Err(PaymentError::NotFound(_)) => Ok(page::whole::<TransferView<'_>>(Vec::new())),
        Err(error) => Err(error.into()),
    }
}

/// `GET /v1/transfers/{id}`
pub(crate) async fn find(
    State(shared): State<Shared>,
    Extension(Caller(app)): Extension<Caller>,
    InPath(id): InPath<String>,
    uri: Uri,
) -> Answer {
    Query::none(&uri)?;
    let transfer = shared.payments().find_transfer(&app, transfer_id(&id)?).await?;
    Ok(envelope::json(StatusCode::OK, &TransferView::of(&transfer)))
}

/// `POST /v1/transfers/{id}/sync`
pub(crate) async fn sync(
    State(shared): State<Shared>,
    Extension(Caller(app)): Extension<Caller>,
    InPath(id): InPath<String>,
    request: Request,
) -> Answer {
    let posted = Posted::read(request, shared.api_body()).await?;
    posted.nothing()?;
    let (payments, owner, id) = (shared.payments().clone(), app.clone(), transfer_id(&id)?);
    let work = Box::pin(async move { payments.sync_transfer(owner, id).await });
    let transfer = posted.carry_out(shared.payments(), app, work).await?;
    Ok(envelope::json(StatusCode::OK, &TransferView::of(&transfer)))
}

/// An id of another form is an id that nobody has.
fn transfer_id(text: &str) -> Result<TransferId, PaymentError> {
    text.parse().map_err(|_| PaymentError::NotFound("transfer"))
}
