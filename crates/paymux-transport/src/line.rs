//! One HTTP/1.1 connection that carries one exchange after the other.
//!
//! Not here: opening it (`connect.rs`), keeping it between calls (`pool.rs`).

use std::future::poll_fn;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use paymux_core::clock::Mono;
use paymux_core::transport::NoAnswer;
use paymux_core::wire::WireResponse;

use crate::connect::Stream;
use crate::message;
use crate::socket::{Departure, Socket};

/// The largest answer head, in bytes; also the bound of the read buffer.
const ANSWER_HEAD_BYTES_MAX: usize = 64 * 1024;

/// The most header fields in an answer.
const ANSWER_HEADERS_MAX: usize = 100;

type Connection = http1::Connection<TokioIo<Box<dyn Stream>>, Full<Bytes>>;

/// Why an exchange did not end with a whole answer, whatever had left before.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The connection or the protocol broke.
    #[error(transparent)]
    Http(#[from] hyper::Error),
    /// The body is larger than the caller reads.
    #[error("the answer is too large")]
    TooLarge,
    /// The answer is none to an HTTP/1.1 request.
    #[error("the answer is not HTTP")]
    Unreadable,
}

/// An open connection.
///
/// Nothing drives it but [`Line::exchange`]: dropping that future and the line closes the socket, and
/// between exchanges no byte moves.
pub(crate) struct Line {
    sender: SendRequest<Full<Bytes>>,
    /// `None` once it has ended.
    connection: Option<Connection>,
    socket: Arc<Socket>,
}

impl Line {
    /// Speaks HTTP/1.1 over an open stream. No byte is sent.
    pub(crate) async fn over(stream: TokioIo<Box<dyn Stream>>, socket: Arc<Socket>) -> hyper::Result<Self> {
        let (sender, connection) = http1::Builder::new()
            .max_buf_size(ANSWER_HEAD_BYTES_MAX)
            .max_header_size(ANSWER_HEAD_BYTES_MAX)
            .max_headers(ANSWER_HEADERS_MAX)
            .handshake(stream)
            .await?;
        Ok(Self { sender, connection: Some(connection), socket })
    }

    /// Sends one request, whose first byte leaves before `dispatch_by` or never, and reads its answer.
    pub(crate) async fn exchange(
        &mut self,
        request: Request<Full<Bytes>>,
        dispatch_by: Mono,
        bytes_max: usize,
    ) -> Result<WireResponse, Fault> {
        let Self { sender, connection, socket } = self;
        socket.arm(dispatch_by);
        let mut answer = pin!(async {
            let response = sender.send_request(request).await?;
            message::answer(response, bytes_max).await
        });
        poll_fn(|cx| {
            // The answer first: its first poll hands the request to the connection, later ones take
            // what the connection has read, and both wake this task for the other's next step.
            if let Poll::Ready(end) = answer.as_mut().poll(cx) {
                return Poll::Ready(end);
            }
            drive(connection, cx);
            Poll::Pending
        })
        .await
    }

    /// What has left of the last exchange's request.
    pub(crate) fn departure(&self) -> Departure {
        self.socket.departure()
    }

    /// After an answer: whether another request may follow. If so, nothing leaves until then.
    pub(crate) fn settle(&mut self) -> bool {
        // One step is enough to see the end of the exchange. An other side that wants to close, still
        // reads our request, or said more than its answer leaves the sender not ready.
        drive(&mut self.connection, &mut Context::from_waker(Waker::noop()));
        self.socket.rest();
        self.connection.is_some() && self.sender.is_ready()
    }

    /// Whether a connection that has rested can carry a request.
    pub(crate) fn is_quiet(&self) -> bool {
        self.socket.is_quiet()
    }
}

/// Reads and writes what can be, and drops the connection at its end. How it ended reaches the
/// answer's future by itself.
fn drive(connection: &mut Option<Connection>, cx: &mut Context<'_>) {
    if let Some(open) = connection
        && let Poll::Ready(end) = Pin::new(open).poll(cx)
    {
        *connection = None;
        if let Err(error) = end {
            tracing::trace!(%error, "a connection ended");
        }
    }
}

impl From<&Fault> for NoAnswer {
    fn from(fault: &Fault) -> Self {
        match fault {
            Fault::TooLarge => Self::TooLarge,
            Fault::Unreadable => Self::Unreadable,
            Fault::Http(error) if error.is_parse_too_large() => Self::TooLarge,
            Fault::Http(error) if error.is_parse() || is_bad_body(error) => Self::Unreadable,
            Fault::Http(_) => Self::Broken,
        }
    }
}

/// Whether a body's chunks could not be read. TLS reports its own troubles with the same kinds of
/// error, but with its error inside.
fn is_bad_body(error: &hyper::Error) -> bool {
    let cause = std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| {
        let is_tls = matches!(cause.get_ref(), Some(inner) if inner.is::<rustls::Error>());
        !is_tls && matches!(cause.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput)
    })
}
