//! The listener and its connections. HTTP/1.1 only, as the providers' clients speak it.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::header::{CONTENT_TYPE, DATE};
use http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use paymux_core::clock::within;
use paymux_core::wire::Headers;
use paymux_core::{Timestamp, Verb, WireRequest, WireResponse};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

use super::body::{Cut, SimBody};
use super::control;
use crate::call::{self, Reply};
use crate::engine::Engine;

/// The largest body that is read, in bytes: twice of what an acceptor takes, so that a body somewhat
/// too large is refused in the protocol's own words.
const REQUEST_BYTES_MAX: usize = 128 * 1024;
/// The most connections at once; further ones wait in the system's queue.
const CONNECTIONS_MAX: usize = 4096;
/// How long a client may take for the head of a request.
const HEAD_MAX: Duration = Duration::from_secs(30);
/// How long a connection may take to end when the simulator stops.
const FAREWELL_MAX: Duration = Duration::from_millis(250);
/// How long to wait when the system gives no more connections.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Serves until the simulator stops.
pub(crate) async fn serve(engine: Arc<Engine>, listener: TcpListener) {
    let stopping = engine.stopping.clone();
    stopping.run_until_cancelled(accept(engine, listener)).await;
}

async fn accept(engine: Arc<Engine>, listener: TcpListener) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    // The semaphore is never closed, so the loop ends with the simulator only.
    while let Ok(place) = places.clone().acquire_owned().await {
        match listener.accept().await {
            Ok((stream, _)) => {
                let connection = connection(engine.clone(), stream);
                engine.tasks.spawn(async move {
                    connection.await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "no connection could be accepted");
                engine.clock.sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn connection(engine: Arc<Engine>, stream: TcpStream) {
    // Small answers leave at once; without it a webhook's client would wait for the next packet.
    let _ = stream.set_nodelay(true);
    let (clock, stopping) = (engine.clock.clone(), engine.stopping.clone());
    let service = service_fn(move |request| handle(engine.clone(), request));
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_MAX)
        // The date is the provider's, which may be wrong on purpose.
        .auto_date_header(false)
        .serve_connection(TokioIo::new(stream), service);
    let mut served = pin!(served);
    // A connection's error is the client's departure or our own cut: nothing to report.
    if stopping.run_until_cancelled(served.as_mut()).await.is_none() {
        served.as_mut().graceful_shutdown();
        let _ = within(&*clock, FAREWELL_MAX, served).await;
    }
}

/// An error closes the connection without a byte.
async fn handle(engine: Arc<Engine>, request: Request<Incoming>) -> Result<Response<SimBody>, Cut> {
    let reply = match read(request).await {
        Err(unread) => unread,
        Ok(request) => work(&engine, request).await,
    };
    let now = engine.now();
    match reply {
        Reply::Whole(answer) => Ok(written(&answer, SimBody::whole(answer.body.clone()), now)),
        Reply::Truncated(answer) => Ok(written(&answer, SimBody::truncated(&answer.body), now)),
        Reply::Closed => Err(Cut),
    }
}

/// In a task of its own: a client that goes away does not undo what it asked for.
async fn work(engine: &Arc<Engine>, request: WireRequest) -> Reply {
    let own = engine.clone();
    let is_control = request.path == "/sim" || request.path.starts_with("/sim/");
    let task = engine.spawn(async move {
        if is_control {
            Reply::Whole(control::answer(&own, &request))
        } else {
            call::answer(own, request).await
        }
    });
    task.await.ok().flatten().unwrap_or(Reply::Closed)
}

/// The whole request. One whose body breaks off was never asked: it has no effect.
async fn read(request: Request<Incoming>) -> Result<WireRequest, Reply> {
    let (head, body) = request.into_parts();
    let refused =
        |status: StatusCode| Reply::Whole(WireResponse::with_status(status.as_u16(), "text/plain", ""));
    let verb =
        Verb::from_word(head.method.as_str()).ok_or_else(|| refused(StatusCode::METHOD_NOT_ALLOWED))?;
    let body = match Limited::new(body, REQUEST_BYTES_MAX).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Err(refused(StatusCode::PAYLOAD_TOO_LARGE)),
        Err(_) => return Err(Reply::Closed),
    };
    let mut headers = Headers::new();
    for (name, value) in &head.headers {
        headers.push(name, String::from_utf8_lossy(value.as_bytes()));
    }
    let query = head.uri.query().map(str::to_owned);
    Ok(WireRequest { verb, path: head.uri.path().to_owned(), query, headers, body, sender: None })
}

fn written(answer: &WireResponse, body: SimBody, now: Timestamp) -> Response<SimBody> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    for (name, value) in answer.headers.iter() {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.append(name, value);
        }
    }
    headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/octet-stream"));
    if let Some(date) = http_date(now) {
        headers.insert(DATE, date);
    }
    response
}

/// RFC 9110: `Fri, 01 Mar 2024 00:00:00 GMT`.
fn http_date(now: Timestamp) -> Option<HeaderValue> {
    let at = jiff::Timestamp::from_millisecond(now.ms()).ok()?;
    let text = jiff::fmt::rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&at).ok()?;
    HeaderValue::try_from(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_written_as_http_wants_them() {
        let date = http_date(Timestamp::from_ms(1_709_251_200_999)).unwrap();
        assert_eq!(date, "Fri, 01 Mar 2024 00:00:00 GMT");
        assert_eq!(http_date(Timestamp::from_ms(i64::MAX)), None);
    }
}
