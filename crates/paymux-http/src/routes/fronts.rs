//! Clients of other protocols: raw bytes to the core, the protocol's own words back, also for what went wrong on the
//! way. What a client sends is logged nowhere: secrets stand in it that it should not have sent.

use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::any;
use http::request::Parts;
use http::{HeaderValue, header};
use paymux_core::acceptor::Acceptor;
use paymux_core::{Payments, Verb, WireRequest};

use crate::front::Shared;
use crate::peer::Peer;
use crate::problem::Problem;
use crate::{auth, body, wire};

/// A sign that went over an open line is known to whoever listened.
const IN_THE_OPEN: &str = "this call came by plain http, which anybody on the way can read; call by https";

/// All that lies in the trees of each protocol, whether it is served just now or not: a reload may switch it on.
pub(crate) fn routes(payments: &Payments) -> Router<Shared> {
    let catalog = payments.catalog();
    let mut router = Router::new();
    for front in catalog.fronts.iter() {
        let slug = front.acceptor().slug();
        let serve = move |State(shared): State<Shared>, request: Request| take(shared, slug, request);
        for tree in front.acceptor().trees() {
            router = router.route(tree, any(serve)).route(&format!("{tree}{{*rest}}"), any(serve));
        }
    }
    router
}

async fn take(shared: Shared, slug: &'static str, request: Request) -> Response {
    let catalog = shared.payments().catalog();
    let front = catalog.fronts.of(slug).filter(|front| front.is_served());
    let Some(acceptor) = front.map(|front| front.acceptor().clone()) else {
        return auth::refuse(Problem::not_found("no such path"), request).await;
    };
    let (parts, content) = request.into_parts();
    let bytes = match body::read(&parts.headers, content, shared.api_body()).await {
        Ok(bytes) => bytes,
        Err(problem) => return unread(acceptor.as_ref(), &parts, problem.detail()),
    };
    let origin = shared.origin(&parts.headers, parts.extensions.get::<Peer>().copied());
    if shared.refuses(origin) {
        return unread(acceptor.as_ref(), &parts, IN_THE_OPEN);
    }
    let Some(request) = wire::request_of(&parts, bytes, origin.ip) else {
        return unread(acceptor.as_ref(), &parts, "no call has this verb");
    };
    match shared.payments().serve_front(slug, &request).await {
        Some(answer) => unkept(wire::response_of(answer)),
        // It was switched off just now.
        None => unkept(wire::response_of(acceptor.not_found(&request))),
    }
}

/// In the protocol's words too: a client that reads no other loses the answer, and what it stands for.
fn unread(acceptor: &dyn Acceptor, parts: &Parts, what: &str) -> Response {
    let request = WireRequest::new(Verb::Post, parts.uri.path());
    unkept(wire::response_of(acceptor.unread(&request, what)))
}

fn unkept(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
