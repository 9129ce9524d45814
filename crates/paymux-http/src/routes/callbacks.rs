//! Providers' callbacks in: raw bytes to the core, the provider's own words back.

use axum::extract::{Request, State};
use axum::response::Response;
use paymux_core::ChannelId;

use crate::front::Shared;
use crate::openapi::{Body, Content, Group, Operation, Param, Reply, Verb, schema};
use crate::problem::{Problem, Refusal};
use crate::routes::InPath;
use crate::{body, wire};

/// `POST /notify/{channel}`
pub(crate) const TAKE: Operation = Operation {
    title: "Take a provider's callback",
    says: "Verified as it was received, compared with the ledger, and acknowledged in the provider's own words once \
           all of it is durable. What was made of it is for operators to see.",
    places: &[Param::needed("channel", schema::name, "The channel.", "bee-main")],
    body: Body::Raw,
    replies: &[Reply { status: None, says: "What that provider expects.", content: Content::None }],
    refusals: &[
        Refusal::InvalidRequest,
        Refusal::NotFound,
        Refusal::RequestTimeout,
        Refusal::BodyTooLarge,
        Refusal::Overloaded,
    ],
    ..Operation::post("/notify/{channel}", "takeCallback", Group::Providers)
};

/// `GET /notify/{channel}`, for providers that call so.
pub(crate) const TAKE_BY_GET: Operation = Operation {
    verb: Verb::Get,
    id: "takeCallbackByGet",
    title: "Take a provider's callback by GET",
    body: Body::None,
    ..TAKE
};

/// See [`TAKE`].
pub(crate) async fn take(
    State(shared): State<Shared>,
    InPath(channel): InPath<String>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, content) = request.into_parts();
    let bytes = body::read(&parts.headers, content, shared.callback_body()).await?;
    let channel = ChannelId::new(&channel).map_err(|_| Problem::not_found("no channel has such an id"))?;
    let request = wire::request_of(&parts, bytes, None).ok_or_else(Problem::method_not_allowed)?;
    // Another node may have the channel, or this one soon: an error makes the provider try again,
    // where "not found" might make it stop.
    let answer = shared.payments().take_callback(channel, request).await;
    answer.map(wire::response_of).ok_or_else(|| Problem::overloaded("this node does not run that channel"))
}
