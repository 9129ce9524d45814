//! The accept loop: takes connections, gives up on those that waste them, and ends in order.
//!
//! `axum::serve` sets no timer, so hyper's own limits would be off; and hyper itself waits for ever
//! for the first byte of a connection. Both are kept here, by [`Watch`]. A handshake of TLS is part of the wait for the
//! first byte: it gets no time of its own.

mod line;
mod watch;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt as _;

use crate::limits::{HEADER_BYTES, HEADERS, Limits, STREAMS};
use crate::peer::Peer;
use crate::tls::Tls;

use line::Line;
use watch::{Watch, Watched};

/// How long the loop rests when the system has no file descriptor or memory left for a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How often an HTTP/2 connection is asked whether its client is still there, and how long that
/// may take to answer.
const PING_EVERY: Duration = Duration::from_secs(20);
const PING_WITHIN: Duration = Duration::from_secs(10);

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Served {
    /// Every request under way had its answer.
    Drained,
    /// So many connections were cut when the drain limit was over. What their requests do runs on
    /// in the core: wait for [`paymux_core::Payments::drain`] too.
    Cut(usize),
}

/// Serves `router` on `listener` until `shutdown` is cancelled, then ends: no new connection,
/// connections without a request under way at once, the others within `limits.drain`.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    shutdown: CancellationToken,
) -> Served {
    serve_over(listener, None, router, limits, shutdown).await
}

/// The same over TLS. Whoever speaks none is hung up on.
pub async fn serve_tls(
    listener: TcpListener,
    tls: Tls,
    router: Router,
    limits: Limits,
    shutdown: CancellationToken,
) -> Served {
    serve_over(listener, Some(tls), router, limits, shutdown).await
}

async fn serve_over(
    listener: TcpListener,
    tls: Option<Tls>,
    router: Router,
    limits: Limits,
    shutdown: CancellationToken,
) -> Served {
    let server = Arc::new(Server {
        router,
        tls,
        builder: builder(&limits),
        limits,
        shutdown,
        cut: CancellationToken::new(),
    });
    let connections = TaskTracker::new();
    accept_until_shutdown(listener, &server, &connections).await;
    connections.close();
    if timeout(server.limits.drain, connections.wait()).await.is_ok() {
        return Served::Drained;
    }
    let left = connections.len();
    server.cut.cancel();
    connections.wait().await;
    tracing::warn!(left, "connections were cut: their requests did not end within the drain limit");
    Served::Cut(left)
}

/// What every connection works by.
struct Server {
    router: Router,
    /// `None` where plain HTTP is spoken.
    tls: Option<Tls>,
    builder: Builder<TokioExecutor>,
    limits: Limits,
    shutdown: CancellationToken,
    /// Cancelled when patience with a shutdown is over.
    cut: CancellationToken,
}

fn builder(limits: &Limits) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        // hyper starts this clock when the answer before is out, so it also bounds the pause
        // between two requests. The limit on a header that has begun is the watch's.
        .header_read_timeout(limits.idle.max(limits.header))
        .max_headers(HEADERS)
        .max_buf_size(HEADER_BYTES);
    builder
        .http2()
        .timer(TokioTimer::new())
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_WITHIN)
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(u32::try_from(HEADER_BYTES).unwrap_or(u32::MAX));
    builder
}

async fn accept_until_shutdown(listener: TcpListener, server: &Arc<Server>, connections: &TaskTracker) {
    let places = Arc::new(Semaphore::new(server.limits.connections));
    loop {
        let accepted = tokio::select! {
            biased;
            () = server.shutdown.cancelled() => return,
            accepted = accept(&listener, &places) => accepted,
        };
        match accepted {
            Ok((stream, from, place)) => {
                let server = Arc::clone(server);
                connections.spawn(async move {
                    server.connection(stream, from).await;
                    drop(place);
                });
            }
            Err(error) => rest_after(&error).await,
        }
    }
}

/// The next connection, once there is a place for it. Until then it waits in the kernel's queue.
async fn accept(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> io::Result<(TcpStream, SocketAddr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, from) = listener.accept().await?;
    Ok((stream, from, place))
}

/// A client that left before it was accepted is its own affair; anything else will not be better
/// at once.
async fn rest_after(error: &io::Error) {
    use io::ErrorKind as K;
    if matches!(error.kind(), K::ConnectionAborted | K::ConnectionReset | K::ConnectionRefused) {
        return;
    }
    tracing::error!(%error, "a connection could not be accepted");
    sleep(ACCEPT_PAUSE).await;
}

impl Server {
    async fn connection(&self, stream: TcpStream, from: SocketAddr) {
        // Without it the last bytes of an answer may wait for an acknowledgement. Failing to set
        // it costs only time.
        let _ = stream.set_nodelay(true);
        let watch = Arc::new(Watch::begin());
        let Some(line) = self.line(stream, &watch).await else { return };
        let peer = Peer { ip: from.ip(), is_tls: self.tls.is_some() };
        let io = TokioIo::new(Watched::new(line, Arc::clone(&watch)));
        let service = service_fn(|mut request: Request<Incoming>| {
            request.extensions_mut().insert(peer);
            let under_way = watch.request_begins(request.version());
            let answer = self.router.clone().oneshot(request);
            async move {
                let answer = answer.await;
                drop(under_way);
                answer
            }
        });
        let mut connection = std::pin::pin!(self.builder.serve_connection(io, service));
        loop {
            tokio::select! {
                biased;
                ended = connection.as_mut() => {
                    if let Err(error) = ended {
                        tracing::debug!(%error, "a connection broke");
                    }
                    return;
                }
                () = self.shutdown.cancelled(), if !watch.is_draining() => {
                    watch.drain();
                    connection.as_mut().graceful_shutdown();
                }
                () = self.cut.cancelled() => return,
                () = watch.wasted(&self.limits) => {
                    tracing::debug!("a connection was closed: nothing of use came within its limits");
                    return;
                }
            }
        }
    }
    /// What requests come over, after the handshake where there is one; `None` where nothing came of it.
    async fn line(&self, stream: TcpStream, watch: &Watch) -> Option<Line> {
        let Some(tls) = &self.tls else { return Some(Line::Plain(stream)) };
        let shaken = tokio::select! {
            biased;
            shaken = tls.accept(stream) => shaken,
            () = self.shutdown.cancelled() => return None,
            () = watch.wasted(&self.limits) => {
                tracing::debug!("a connection was closed: its handshake did not end within the first byte's limit");
                return None;
            }
        };
        match shaken {
            Ok(stream) => Some(Line::Tls(Box::new(stream))),
            Err(error) => {
                tracing::debug!(%error, "a handshake failed");
                None
            }
        }
    }
}
