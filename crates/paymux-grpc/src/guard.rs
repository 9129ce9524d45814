//! What stands before every method of ours: a key that opens something, a pace that is kept, and a message that is
//! whole, no larger than the limit, here in time, and has no field that we do not know.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use http::header;
use http_body_util::BodyExt as _;
use paymux_core::payment::request::InvalidField;
use paymux_core::payments::{IdempotencyKey, RequestDigest};
use paymux_core::{AppId, PaymentError, Payments};
use prost::Message;
use tokio::time::timeout;
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};

use crate::known::Known;
use crate::refusal;

/// Where a merchant's key for one call travels.
const IDEMPOTENCY_KEY: &str = "idempotency-key";
/// What stands before a message: whether it is compressed, and its length.
const FRAME_HEAD: usize = 5;

/// The app whose key came with the call. Put there by [`check`] and by nothing else.
#[derive(Debug, Clone)]
struct Caller(AppId);

/// What a message may be.
#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) payments: Payments,
    /// At most so many bytes.
    pub(crate) bytes_max: usize,
    /// All of it within this.
    pub(crate) within: Duration,
    /// What may stand in it.
    pub(crate) known: Known,
}

/// Lets a call through, or answers it.
pub(crate) async fn check(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    match guard.passed(request).await {
        // The admission counts the call until its answer begins.
        Ok((request, _admission)) => told(next.run(request).await),
        Err(status) => status.into_http(),
    }
}

impl Guard {
    async fn passed(&self, request: Request) -> Result<(Request, paymux_core::throttle::Admission), Status> {
        let (mut head, body) = request.into_parts();
        let fields = head.headers.get_all(header::AUTHORIZATION).iter().map(|value| value.to_str().ok());
        let app = self.payments.caller(fields).map_err(refusal::unauthorized)?;
        let admission = self.payments.admit(&app).map_err(|error| refusal::of(&error))?;
        let read = timeout(self.within, read_whole(body, self.bytes_max)).await;
        let message = read.unwrap_or_else(|_late| Err(refusal::body_too_slow()))?;
        self.known.check(head.uri.path(), message.get(FRAME_HEAD..).unwrap_or_default())?;
        head.extensions.insert(Caller(app));
        Ok((Request::from_parts(head, Body::from(message)), admission))
    }
}

async fn read_whole(mut body: Body, bytes_max: usize) -> Result<Bytes, Status> {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| refusal::body_broke_off())?;
        let Ok(data) = frame.into_data() else { continue };
        if data.len() > bytes_max + FRAME_HEAD - whole.len() {
            return Err(refusal::body_too_large(bytes_max));
        }
        whole.extend_from_slice(&data);
    }
    check_frame(&whole)?;
    Ok(whole.freeze())
}

/// One message, not compressed, and nothing after it.
fn check_frame(whole: &[u8]) -> Result<(), Status> {
    let wrong = |rule: &str| Err(refusal::unreadable(rule));
    let Some((head, message)) = whole.split_first_chunk::<FRAME_HEAD>() else {
        return wrong("a call sends one message");
    };
    let [is_compressed, length @ ..] = *head;
    if is_compressed != 0 {
        return wrong("a message must not be compressed");
    }
    if usize::try_from(u32::from_be_bytes(length)) != Ok(message.len()) {
        return wrong("a call sends one message, as long as it says and with nothing after it");
    }
    Ok(())
}

/// Every refusal of ours has details. One that has none comes from what reads messages, which calls a message that it
/// cannot read a fault of its own.
fn told(answer: Response) -> Response {
    let code = answer.headers().get(Status::GRPC_STATUS).map(|value| Code::from_bytes(value.as_bytes()));
    if code == Some(Code::Internal) && !answer.headers().contains_key(Status::GRPC_STATUS_DETAILS) {
        return refusal::unreadable("its bytes are not those of this call's request").into_http();
    }
    answer
}

/// Whose call it is.
pub(crate) fn caller<T>(request: &tonic::Request<T>) -> Result<AppId, Status> {
    match request.extensions().get::<Caller>() {
        Some(Caller(app)) => Ok(app.clone()),
        None => {
            tracing::error!("a call came past its guard");
            Err(refusal::internal())
        }
    }
}

/// A call that changes something: its key, and by what the same call is known again.
pub(crate) struct Keyed {
    key: Option<IdempotencyKey>,
    digest: RequestDigest,
}

impl Keyed {
    /// Reads the call of `method`. What a message says is what counts, not how its bytes were ordered.
    pub(crate) fn of<T: Message>(method: &str, request: &tonic::Request<T>) -> Result<Self, InvalidField> {
        let digest = RequestDigest::of("grpc", method, &request.get_ref().encode_to_vec());
        Ok(Self { key: key(request.metadata())?, digest })
    }

    /// The same without its key where the call breaks a rule and so claims none.
    pub(crate) fn claiming_if(self, keeps_rules: bool) -> Self {
        Self { key: self.key.filter(|_| keeps_rules), ..self }
    }

    /// Does what it asks, under the merchant's key where it names one.
    pub(crate) async fn carry_out<T: Send + 'static>(
        self,
        payments: &Payments,
        app: AppId,
        work: impl Future<Output = Result<T, PaymentError>> + Send + 'static,
    ) -> Result<T, Status> {
        // Boxed, since every handler's future has room for one.
        let work = Box::pin(work);
        let done = match self.key {
            Some(key) => payments.under_key(app, key, self.digest, work).await,
            None => work.await,
        };
        done.map_err(|error| refusal::of(&error))
    }
}

fn key(metadata: &MetadataMap) -> Result<Option<IdempotencyKey>, InvalidField> {
    let mut values = metadata.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(InvalidField::new("Idempotency-Key", "stands there twice; send one key"));
    }
    // What is no text has no character of a key.
    IdempotencyKey::new(value.to_str().unwrap_or_default()).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_one_whole_message() {
        check(&[0, 0, 0, 0, 0], true);
        check(&[0, 0, 0, 0, 2, 8, 1], true);
        check(&[], false);
        check(&[0, 0, 0, 0], false);
        check(&[1, 0, 0, 0, 2, 8, 1], false);
        check(&[0, 0, 0, 0, 3, 8, 1], false);
        check(&[0, 0, 0, 0, 2, 8, 1, 0, 0, 0, 0, 0], false);
        check(&[0, 255, 255, 255, 255, 8, 1], false);

        #[track_caller]
        fn check(bytes: &[u8], is_good: bool) {
            assert_eq!(check_frame(bytes).is_ok(), is_good, "{bytes:?}");
        }
    }

    fn fields(pairs: &[(&'static str, &'static str)]) -> http::HeaderMap {
        let pair = |(name, value): &(&'static str, &'static str)| {
            (http::HeaderName::from_static(name), http::HeaderValue::from_static(value))
        };
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn there_is_one_key_or_none() {
        let key = |pairs: &[_]| key(&MetadataMap::from_headers(fields(pairs)));
        assert!(key(&[]).is_ok_and(|key| key.is_none()));
        assert!(key(&[("idempotency-key", "k1")]).is_ok_and(|key| key.is_some()));
        for bad in [&[("idempotency-key", "")][..], &[("idempotency-key", "k"), ("idempotency-key", "k")]] {
            assert_eq!(key(bad).unwrap_err().param, "Idempotency-Key", "{bad:?}");
        }
    }

    #[test]
    fn the_same_call_is_known_again_however_its_map_was_written() {
        let told = |metadata: &[(&str, &str)]| {
            let metadata = metadata.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            let message = crate::v1::CreatePaymentRequest { metadata, ..Default::default() };
            Keyed::of("m", &tonic::Request::new(message)).unwrap().digest
        };
        assert_eq!(told(&[("a", "1"), ("b", "2")]), told(&[("b", "2"), ("a", "1")]));
        assert_ne!(told(&[("a", "1")]), told(&[("a", "2")]));
    }
}
