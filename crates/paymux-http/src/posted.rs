//! A request that changes something, read whole before anything of it is believed.

use std::pin::Pin;

use axum::extract::Request;
use bytes::Bytes;
use http::HeaderName;
use http::request::Parts;
use paymux_core::payment::request::InvalidField;
use paymux_core::payments::{IdempotencyKey, RequestDigest};
use paymux_core::{AppId, PaymentError, Payments};

use crate::body::{self, Measure};
use crate::json::{self, Shape};
use crate::openapi::Param;
use crate::problem::Problem;
use crate::query::Query;

/// Where a merchant's key for one request travels.
const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// What a request asks for. Boxed, since every handler's future has room for one.
pub(crate) type Work<T> = Pin<Box<dyn Future<Output = Result<T, PaymentError>> + Send>>;

/// Such a request: its head, and its body byte for byte.
pub(crate) struct Posted {
    head: Parts,
    body: Bytes,
}

impl Posted {
    /// Reads it. A query is refused: what stands there would be ignored, and its sender would not know.
    pub(crate) async fn read(request: Request, measure: Measure) -> Result<Self, Problem> {
        Self::read_asking(request, measure, &[]).await.map(|(posted, _empty)| posted)
    }

    /// Reads one whose query may say more, by these keys.
    pub(crate) async fn read_asking(
        request: Request,
        measure: Measure,
        known: &[Param],
    ) -> Result<(Self, Query), Problem> {
        let (head, content) = request.into_parts();
        let body = body::read(&head.headers, content, measure).await?;
        let query = Query::read(&head.uri, known)?;
        Ok((Self { head, body }, query))
    }

    /// Its body, which must be there.
    pub(crate) fn object<T: Shape>(&self) -> Result<T, Problem> {
        json::read(&self.head.headers, &self.body)
    }

    /// Checks that its body has nothing to say.
    pub(crate) fn nothing(&self) -> Result<(), Problem> {
        json::read_nothing(&self.head.headers, &self.body)
    }

    /// The same without its key, for one that breaks a rule and so claims none. What was made under its
    /// number before is found all the same.
    pub(crate) fn that_claims_nothing(mut self) -> Self {
        self.head.headers.remove(IDEMPOTENCY_KEY);
        self
    }

    /// Does what it asks, under the merchant's key where it names one. To be called once all that the
    /// request itself can break has been checked: what is refused before claims no key.
    pub(crate) async fn carry_out<T: Send + 'static>(
        &self,
        payments: &Payments,
        app: AppId,
        work: Work<T>,
    ) -> Result<T, Problem> {
        let Some(key) = self.key()? else { return Ok(work.await?) };
        let digest = RequestDigest::of(self.head.method.as_str(), self.head.uri.path(), &self.body);
        Ok(payments.under_key(app, key, digest, work).await?)
    }

    fn key(&self) -> Result<Option<IdempotencyKey>, InvalidField> {
        let mut fields = self.head.headers.get_all(IDEMPOTENCY_KEY).iter();
        let Some(field) = fields.next() else { return Ok(None) };
        if fields.next().is_some() {
            return Err(InvalidField::new("Idempotency-Key", "stands there twice; send one key"));
        }
        // What is no text has no character of a key.
        IdempotencyKey::new(field.to_str().unwrap_or_default()).map(Some)
    }
}
