//! Providers' callbacks in: raw bytes to the core, the provider's own words back.

use axum::extract::{Request, State};
use axum::response::Response;
use paymux_core::ChannelId;

use crate::front::Shared;
use crate::problem::Problem;
use crate::routes::InPath;
use crate::{body, wire};

/// `GET|POST /notify/{channel_id}`
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
