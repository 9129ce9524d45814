//! Who calls: the bearer key of an app, or of the operator.

use axum::extract::{Extension, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, header};
use paymux_core::catalog::Scope;
use paymux_core::{AppId, PaymentError, Secret};

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

/// Lets only requests with an app's key through, and says whose.
pub(crate) async fn app(State(shared): State<Shared>, mut request: Request, next: Next) -> Response {
    match app_of(&shared, request.headers()) {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
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
    let catalog = shared.payments().catalog();
    if catalog.app(&id).is_some_and(|app| app.scopes.contains(&scope)) {
        return next.run(request).await;
    }
    refuse(PaymentError::Forbidden(scope).into(), request).await
}

/// The refused body is read and thrown away without a copy, so that the client can read why.
pub(crate) async fn refuse(problem: Problem, request: Request) -> Response {
    body::discard(request.into_body()).await;
    problem.into_response()
}

/// The key is looked up by its digest: how long that takes tells nothing about any key.
fn app_of(shared: &Shared, headers: &HeaderMap) -> Result<Caller, Problem> {
    let key = bearer(headers)?;
    let catalog = shared.payments().catalog();
    catalog.app_by_key(key).map(|app| Caller(app.id.clone())).ok_or_else(wrong)
}

/// Whether the request carries that token; compared in constant time.
pub(crate) fn check_token(headers: &HeaderMap, token: &Secret) -> Result<(), Problem> {
    let given = bearer(headers)?;
    if !token.is_empty() && token.matches(given) { Ok(()) } else { Err(wrong()) }
}

fn wrong() -> Problem {
    Problem::unauthorized("this key opens nothing here", CHALLENGE_WRONG)
}

fn bearer(headers: &HeaderMap) -> Result<&str, Problem> {
    let missing = || Problem::unauthorized("send `authorization: Bearer <key>`", CHALLENGE);
    let mut fields = headers.get_all(header::AUTHORIZATION).iter();
    let field = fields.next().ok_or_else(missing)?;
    if fields.next().is_some() {
        return Err(Problem::unauthorized("send one `authorization` field, not several", CHALLENGE));
    }
    let (scheme, key) = field.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(missing)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(key.trim()) } else { Err(missing()) }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn reads_one_bearer_field_and_nothing_else() {
        assert_eq!(bearer(&fields(&["Bearer k1"])).ok(), Some("k1"));
        assert_eq!(bearer(&fields(&["bearer  k1 "])).ok(), Some("k1"));
        for bad in [&[][..], &["k1"], &["Basic k1"], &["Bearer"], &["Bearer k1", "Bearer k1"]] {
            assert!(bearer(&fields(bad)).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn an_empty_token_opens_nothing() {
        assert!(check_token(&fields(&["Bearer "]), &Secret::new("")).is_err());
        assert!(check_token(&fields(&["Bearer t"]), &Secret::new("t")).is_ok());
        assert!(check_token(&fields(&["Bearer u"]), &Secret::new("t")).is_err());
    }

    fn fields(values: &[&str]) -> HeaderMap {
        let pairs = values.iter().map(|v| (header::AUTHORIZATION, HeaderValue::from_str(v).unwrap()));
        pairs.collect()
    }
}
