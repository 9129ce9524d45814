//! Reading a body: never more bytes than the limit, never longer than patience lasts.

use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::BodyExt as _;
use tokio::time::timeout;

use crate::limits::{DISCARD_BYTES, DISCARD_WITHIN};
use crate::problem::Problem;

/// How much one body may be, and how long it may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measure {
    /// At most so many bytes.
    pub(crate) bytes_max: usize,
    /// All of it within this.
    pub(crate) within: Duration,
}

/// The whole body, byte for byte.
pub(crate) async fn read(headers: &HeaderMap, body: Body, measure: Measure) -> Result<Bytes, Problem> {
    let read = timeout(measure.within, read_whole(headers, body, measure.bytes_max));
    read.await.unwrap_or_else(|_late| Err(Problem::body_too_slow()))
}

/// Reads a body that nobody wants, up to a bound: closing at once would reset the connection, and
/// the client might never see the answer.
pub(crate) async fn discard(body: Body) {
    // Late or broken: the answer goes out all the same.
    let _ = timeout(DISCARD_WITHIN, pass_over(body, 0)).await;
}

/// What a body says of its length is only a reason to refuse it sooner: the bytes are counted.
async fn read_whole(headers: &HeaderMap, mut body: Body, bytes_max: usize) -> Result<Bytes, Problem> {
    if said_length(headers).is_some_and(|said| said > bytes_max) {
        pass_over(body, 0).await;
        return Err(Problem::body_too_large(bytes_max));
    }
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Problem::invalid("the body broke off; send the request again"))?;
        let Ok(data) = frame.into_data() else { continue };
        if data.len() > bytes_max - whole.len() {
            pass_over(body, whole.len() + data.len()).await;
            return Err(Problem::body_too_large(bytes_max));
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

async fn pass_over(mut body: Body, mut seen: usize) {
    while seen < DISCARD_BYTES {
        let Some(Ok(frame)) = body.frame().await else { return };
        seen += frame.data_ref().map_or(0, Bytes::len);
    }
}

/// Too many digits for a number are too many bytes too.
fn said_length(headers: &HeaderMap) -> Option<usize> {
    let text = headers.get(header::CONTENT_LENGTH)?.to_str().ok()?;
    Some(text.trim().parse().unwrap_or(usize::MAX))
}
