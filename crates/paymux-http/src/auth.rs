//! Who calls: the bearer key of an app, or of the operator.

use axum::extract::{Extension, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, header};
use paymux_core::bearer::{KeyError, bearer};
use paymux_core::catalog::Scope;
use paymux_core::{AppId, Secret};

use crate::body;
use crate::front::Shared;
use crate::problem::Problem;

/// What a client without a key is told (RFC 6750, section 3).
const CHALLENGE: &str = "Bearer realm=\"paymux\"";
/// What a client with a wrong one is told.
const CHALLENGE_WRONG: &str = "Bearer realm=\"paymux\", error=\"invalid_token\"";

/// The app whose key came with the request. Put there by [`app`] and by nothing else.
#[derive(Debug, Clone)]
pub(crate) struct Caller(pub(crate) AppId);

/// Lets only requests with an app's key through, and of one app no more than it may send; says whose they are.
pub(crate) async fn app(State(shared): State<Shared>, mut request: Request, next: Next) -> Response {
    let payments = shared.payments();
    let admitted = payments.caller(fields(request.headers())).map_err(Problem::from).and_then(|caller| {
        let admission = payments.admit(&caller)?;
        Ok((caller, admission))
    });
    match admitted {
        Ok((caller, _admission)) => {
            request.extensions_mut().insert(Caller(caller));
            next.run(request).await
        }
        Err(problem) => refuse(problem, request).await,
    }
}

/// Lets only requests of apps through whose `scopes` list that part of the API. Stands inside of [`app`].
pub(crate) async fn scope(
    State((shared, scope)): State<(Shared, Scope)>,
    Extension(Caller(id)): Extension<Caller>,
    request: Request,
    next: Next,
) -> Response {
    match shared.payments().check_scope(&id, scope) {
        Ok(()) => next.run(request).await,
        Err(error) => refuse(error.into(), request).await,
    }
}

/// The refused body is read and thrown away without a copy, so that the client can read why.
pub(crate) async fn refuse(problem: Problem, request: Request) -> Response {
    body::discard(request.into_body()).await;
    problem.into_response()
}

/// Whether the request carries that token; compared in constant time.
pub(crate) fn check_token(headers: &HeaderMap, token: &Secret) -> Result<(), Problem> {
    let given = bearer(fields(headers))?;
    if !token.is_empty() && token.matches(given) { Ok(()) } else { Err(KeyError::Wrong.into()) }
}

impl From<KeyError> for Problem {
    fn from(error: KeyError) -> Self {
        let challenge = match error {
            KeyError::Missing | KeyError::Several => CHALLENGE,
            KeyError::Wrong => CHALLENGE_WRONG,
        };
        Self::unauthorized(error.to_string(), challenge)
    }
}

fn fields(headers: &HeaderMap) -> impl Iterator<Item = Option<&str>> {
    headers.get_all(header::AUTHORIZATION).iter().map(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn an_empty_token_opens_nothing() {
        assert!(check_token(&with(&["Bearer "]), &Secret::new("")).is_err());
        assert!(check_token(&with(&["Bearer t"]), &Secret::new("t")).is_ok());
        assert!(check_token(&with(&["Bearer u"]), &Secret::new("t")).is_err());
    }

    fn with(values: &[&str]) -> HeaderMap {
        let pairs = values.iter().map(|v| (header::AUTHORIZATION, HeaderValue::from_str(v).unwrap()));
        pairs.collect()
    }
}
