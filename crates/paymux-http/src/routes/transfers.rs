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
use crate::openapi::{Body, Described as _, Group, Operation, Param, Reply, samples, schema};
use crate::page;
use crate::posted::Posted;
use crate::problem::Refusal;
use crate::query::Query;
use crate::routes::{Answer, InPath, created};

impl Shape for TransferRequest {
    const FREE: &'static [&'static str] = &["extra"];
}

/// Which transfer a path is about.
const ID: Param =
    Param::needed("id", || schema::id(TransferId::PREFIX), "The transfer's id.", samples::TRANSFER);

/// `POST /v1/transfers`
pub(crate) const CREATE: Operation = Operation {
    title: "Pay out",
    says: "On the channel that you name: a transfer is never routed, and never sent again. `unknown` means that it \
           may have been done.",
    body: Body::Json(TransferRequest::object),
    is_keyed: true,
    replies: &[
        Reply::json(201, "The new transfer; `Location` is its path.", TransferView::object),
        Reply::json(
            200,
            "The transfer that this number made before, as it stands now.",
            TransferView::object,
        ),
    ],
    refusals: &[
        Refusal::InFlight,
        Refusal::TransferMismatch,
        Refusal::TransferTooLarge,
        Refusal::Unsupported,
    ],
    ..Operation::post("/v1/transfers", "createTransfer", Group::Transfers)
};

/// See [`CREATE`].
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

/// `GET /v1/transfers`
pub(crate) const BY_NUMBER: Operation = Operation {
    title: "Find a transfer by its number",
    query: &[Param::needed("transfer_no", schema::name, "Your number of it.", "T1001")],
    replies: &[Reply::list("The one that has it, or none.", TransferView::object)],
    ..Operation::get("/v1/transfers", "findTransfer", Group::Transfers)
};

/// See [`BY_NUMBER`].
pub(crate) async fn by_number(
    State(shared): State<Shared>,
    Extension(Caller(app)): Extension<Caller>,
    uri: Uri,
) -> Answer {
    let query = Query::read(&uri, BY_NUMBER.query)?;
    let no = query.value("transfer_no", |text| TransferNo::new(text).map_err(|e| e.rule.to_owned()))?;
    let no = no.ok_or_else(|| InvalidField::new("transfer_no", "is missing"))?;
    match shared.payments().find_transfer_by_no(&app, &no).await {
        Ok(transfer) => Ok(page::whole(vec![TransferView::of(&transfer)])),
        Err(PaymentError::NotFound(_)) => Ok(page::whole::<TransferView<'_>>(Vec::new())),
        Err(error) => Err(error.into()),
    }
}

/// `GET /v1/transfers/{id}`
pub(crate) const FIND: Operation = Operation {
    title: "Look a transfer up",
    places: &[ID],
    replies: &[Reply::json(200, "The transfer.", TransferView::object)],
    refusals: &[Refusal::NotFound],
    ..Operation::get("/v1/transfers/{id}", "getTransfer", Group::Transfers)
};

/// See [`FIND`].
pub(crate) async fn find(
    State(shared): State<Shared>,
    Extension(Caller(app)): Extension<Caller>,
    InPath(id): InPath<String>,
    uri: Uri,
) -> Answer {
    Query::read(&uri, FIND.query)?;
    let transfer = shared.payments().find_transfer(&app, transfer_id(&id)?).await?;
    Ok(envelope::json(StatusCode::OK, &TransferView::of(&transfer)))
}

/// `POST /v1/transfers/{id}/sync`
pub(crate) const SYNC: Operation = Operation {
    title: "Ask the provider about a transfer",
    says: "Nothing is sent again: what the provider says of it is booked, and told here.",
    places: &[ID],
    is_keyed: true,
    replies: &[Reply::json(200, "The transfer as it stands now.", TransferView::object)],
    refusals: &[Refusal::NotFound, Refusal::InFlight, Refusal::Unsupported],
    ..Operation::post("/v1/transfers/{id}/sync", "syncTransfer", Group::Transfers)
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
    let (payments, owner, id) = (shared.payments().clone(), app.clone(), transfer_id(&id)?);
    let work = Box::pin(async move { payments.sync_transfer(owner, id).await });
    let transfer = posted.carry_out(shared.payments(), app, work).await?;
    Ok(envelope::json(StatusCode::OK, &TransferView::of(&transfer)))
}

/// An id of another form is an id that nobody has.
fn transfer_id(text: &str) -> Result<TransferId, PaymentError> {
    text.parse().map_err(|_| PaymentError::NotFound("transfer"))
}
