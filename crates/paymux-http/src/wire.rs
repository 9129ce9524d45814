//! Between the HTTP library's messages and the core's plain ones. Bytes stay as they were.

use std::net::IpAddr;

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderName, HeaderValue, StatusCode};
use paymux_core::wire::Headers;
use paymux_core::{Verb, WireRequest, WireResponse};

use crate::problem::Problem;

/// A request as the core reads it, from that sender; `None` for a verb that no provider uses.
pub(crate) fn request_of(parts: &Parts, body: Bytes, sender: Option<IpAddr>) -> Option<WireRequest> {
    let verb = Verb::from_word(parts.method.as_str())?;
    let mut headers = Headers::new();
    for (name, value) in &parts.headers {
        headers.push(name.as_str(), String::from_utf8_lossy(value.as_bytes()));
    }
    let path = parts.uri.path().to_owned();
    let query = parts.uri.query().map(str::to_owned);
    Some(WireRequest { verb, path, query, headers, body, sender })
}

/// The answer that a provider expects, byte for byte.
pub(crate) fn response_of(answer: WireResponse) -> Response {
    match answered(answer) {
        Ok(response) => response,
        Err(error) => {
            tracing::error!(%error, "a plugin's answer is not valid HTTP");
            Problem::internal().into_response()
        }
    }
}

fn answered(answer: WireResponse) -> Result<Response, http::Error> {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status)?;
    for (name, value) in answer.headers.iter() {
        let name = HeaderName::from_bytes(name.as_bytes())?;
        response.headers_mut().append(name, HeaderValue::from_str(value)?);
    }
    Ok(response)
}
