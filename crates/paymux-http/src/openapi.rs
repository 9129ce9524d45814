//! The documentation that the process serves of itself, made from what it serves: each route stands beside its
//! [`Operation`], each body's type beside its form ([`Described`]), and each refusal in one table. A route without an
//! operation has no way into a router ([`Paths`]), and an answer without a form no way out ([`crate::envelope::json`]).
//!
//! Written when it is first asked for, and then kept.

mod document;
pub(crate) mod operation;
mod page;
pub(crate) mod paths;
#[cfg(test)]
pub(crate) mod proof;
pub(crate) mod samples;
pub(crate) mod schema;
mod views;

use std::sync::{Arc, OnceLock};

use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};

pub(crate) use self::operation::{Access, Body, Content, Group, Operation, Param, Reply, Verb};
pub(crate) use self::paths::Paths;
pub(crate) use self::schema::{Described, Field, Kind, Object};
pub(crate) use self::views::amount;

/// `GET /openapi.json`
const DOCUMENT: Operation = Operation {
    title: "Read this as an OpenAPI document",
    says: "OpenAPI 3.1, made from the code that serves it.",
    replies: &[Reply::media(200, "The document.", "application/json")],
    ..Operation::get("/openapi.json", "openapi", Group::Manual)
};

/// `GET /docs`
const PAGE: Operation = Operation {
    title: "Read this as a page",
    says: "One page of our own: no script, and nothing from elsewhere.",
    replies: &[Reply::media(200, "The page.", "text/html; charset=utf-8")],
    ..Operation::get("/docs", "docs", Group::Manual)
};

/// `GET /docs/docs.css`
const STYLE: Operation = Operation {
    title: "How that page looks",
    replies: &[Reply::media(200, "The style sheet.", "text/css; charset=utf-8")],
    ..Operation::get("/docs/docs.css", "docsStyle", Group::Manual)
};

/// `GET /admin/openapi.json`
const ADMIN_DOCUMENT: Operation = Operation {
    title: "Read this as an OpenAPI document",
    says: "OpenAPI 3.1 of the admin listener, made from the code that serves it.",
    body: Body::Unread,
    replies: &[Reply::media(200, "The document.", "application/json")],
    ..Operation::get("/admin/openapi.json", "adminOpenapi", Group::Manual)
};

/// What is documented: one listener.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Book {
    /// The main one.
    Merchant,
    /// The admin one.
    Admin,
}

impl Book {
    const fn title(self) -> &'static str {
        match self {
            Self::Merchant => "paymux",
            Self::Admin => "paymux admin",
        }
    }

    const fn says(self) -> &'static str {
        match self {
            Self::Merchant => {
                "A payment router: one kind of request in, one of your accounts at a payment provider out.\n\n\
                 Amounts are whole minor units (1999 is 19.99 CNY), moments RFC 3339 in UTC, ids have a prefix. \
                 A field that a request does not know is refused with its name; answers may get further fields. \
                 A list is a page of `data` with a `next_cursor`. Errors are `application/problem+json` (RFC 9457): \
                 programs read `code`, people read `detail`. The same order number with the same body finds the same \
                 payment, so that a request may be sent again whenever its answer did not arrive."
            }
            Self::Admin => {
                "What operators say and see. This listener is not for merchants, and none of their keys opens it."
            }
        }
    }

    /// What the key is called.
    const fn scheme(self) -> &'static str {
        match self {
            Self::Merchant => "apiKey",
            Self::Admin => "adminToken",
        }
    }

    /// What the key is.
    const fn key(self) -> &'static str {
        match self {
            Self::Merchant => "The key of your app, `[[apps]] api_key`. Roles are the app's `scopes`.",
            Self::Admin => "The operator's token, `[server] admin_token`.",
        }
    }
}

/// The documentation of one listener.
#[derive(Clone)]
pub(crate) struct Manual(Arc<Pages>);

struct Pages {
    book: Book,
    /// Where examples of calls go.
    base: String,
    operations: OnceLock<Vec<Operation>>,
    document: OnceLock<Bytes>,
    page: OnceLock<Bytes>,
}

impl Manual {
    /// Of that listener, which is found at `base`.
    pub(crate) fn new(book: Book, base: String) -> Self {
        let (operations, document, page) = (OnceLock::new(), OnceLock::new(), OnceLock::new());
        Self(Arc::new(Pages { book, base, operations, document, page }))
    }

    /// Its routes on the main listener.
    pub(crate) fn for_all<S: Clone + Send + Sync + 'static>(&self) -> Paths<S> {
        let (document, page) = (self.clone(), self.clone());
        Paths::new()
            .at(&DOCUMENT, async move || document.document())
            .at(&PAGE, async move || page.page())
            .at(&STYLE, async || style())
    }

    /// Its route on the admin listener.
    pub(crate) fn for_operators<S: Clone + Send + Sync + 'static>(&self) -> Paths<S> {
        let document = self.clone();
        Paths::new().at(&ADMIN_DOCUMENT, async move || document.document())
    }

    /// Tells it what is served, once all of it is known.
    pub(crate) fn of(&self, operations: &[Operation]) {
        // Only the first word counts, and a router is put together once.
        let _ = self.0.operations.set(operations.to_vec());
    }

    fn operations(&self) -> &[Operation] {
        self.0.operations.get().map_or(&[], Vec::as_slice)
    }

    fn document(&self) -> Response {
        let write = || {
            let document = document::document(self.0.book, self.operations());
            Bytes::from(serde_json::to_vec(&document).unwrap_or_default())
        };
        kept(HeaderValue::from_static("application/json"), self.0.document.get_or_init(write), None)
    }

    fn page(&self) -> Response {
        let write = || Bytes::from(page::page(self.0.book, &self.0.base, self.operations()));
        let policy = (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(page::POLICY));
        kept(
            HeaderValue::from_static("text/html; charset=utf-8"),
            self.0.page.get_or_init(write),
            Some(policy),
        )
    }
}

fn style() -> Response {
    let bytes = Bytes::from_static(include_bytes!("openapi/docs.css"));
    kept(HeaderValue::from_static("text/css; charset=utf-8"), &bytes, None)
}

/// An answer that is the same until another binary serves.
fn kept(media_type: HeaderValue, bytes: &Bytes, policy: Option<(HeaderName, HeaderValue)>) -> Response {
    let headers = [
        (header::CONTENT_TYPE, media_type),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    ];
    let mut response = (headers, bytes.clone()).into_response();
    response.headers_mut().extend(policy);
    response
}
