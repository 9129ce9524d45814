//! One TCP connection and the gate on its way out: whether a byte may leave, and how many did.
//!
//! Not here: TLS and HTTP. They run on top, so what passes the gate is what the kernel took.

use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use paymux_core::clock::{Clock, Mono};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// What the gate lets pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gate {
    /// Before the first request: the TLS handshake passes and is not counted.
    Opening,
    /// Between requests nothing may leave.
    Idle,
    /// A request is about to go; its first byte passes only before this moment.
    Armed { dispatch_by: Mono },
    /// The request has begun to leave.
    Sending { bytes: u64 },
    /// The request came too late. Nothing passes any more, so that what TLS still holds in its
    /// buffer cannot slip out when the connection is shut down.
    Late,
}

/// What became of a request at the gate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Departure {
    /// At least one byte was taken by the kernel.
    Begun,
    /// No byte left.
    None,
    /// No byte left, because the first one came too late.
    TooLate,
}

/// A TCP connection with its gate.
pub(crate) struct Socket {
    tcp: TcpStream,
    clock: Arc<dyn Clock>,
    gate: Mutex<Gate>,
}

impl Socket {
    pub(crate) fn new(tcp: TcpStream, clock: Arc<dyn Clock>) -> Self {
        Self { tcp, clock, gate: Mutex::new(Gate::Opening) }
    }

    /// Makes way for one request, whose count starts at zero.
    pub(crate) fn arm(&self, dispatch_by: Mono) {
        *self.gate() = Gate::Armed { dispatch_by };
    }

    /// Shuts the gate until the next request.
    pub(crate) fn rest(&self) {
        *self.gate() = Gate::Idle;
    }

    /// What left since the gate was armed.
    pub(crate) fn departure(&self) -> Departure {
        match *self.gate() {
            Gate::Sending { .. } => Departure::Begun,
            Gate::Late => Departure::TooLate,
            Gate::Opening | Gate::Idle | Gate::Armed { .. } => Departure::None,
        }
    }

    /// Whether the connection is open and nothing waits to be read.
    ///
    /// Asks the kernel, since tokio learns of a close only when its reactor runs next. Between two
    /// requests the other side has nothing to say: an end, an alert or stray bytes all mean that
    /// this connection must not carry another request.
    pub(crate) fn is_quiet(&self) -> bool {
        let mut byte = [MaybeUninit::uninit()];
        match SockRef::from(&self.tcp).peek(&mut byte) {
            Ok(_) => false,
            Err(error) => error.kind() == io::ErrorKind::WouldBlock,
        }
    }

    fn gate(&self) -> MutexGuard<'_, Gate> {
        // The value is one word that is written whole: a panic elsewhere cannot leave it half set.
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll_send(
        &self,
        cx: &mut Context<'_>,
        write: impl Fn(&TcpStream) -> io::Result<usize>,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.tcp.poll_write_ready(cx))?;
            // Right before the system call, and again on each try: the first byte may have to wait.
            self.pass()?;
            match write(&self.tcp) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
                Ok(bytes) => {
                    self.count(bytes);
                    return Poll::Ready(Ok(bytes));
                }
            }
        }
    }

    fn pass(&self) -> io::Result<()> {
        let mut gate = self.gate();
        match *gate {
            Gate::Opening | Gate::Sending { .. } => Ok(()),
            Gate::Armed { dispatch_by } if self.clock.mono() < dispatch_by => Ok(()),
            Gate::Armed { .. } => {
                *gate = Gate::Late;
                Err(io::Error::other("too late to send"))
            }
            Gate::Late => Err(io::Error::other("too late to send")),
            Gate::Idle => Err(io::Error::other("no request is on its way")),
        }
    }

    fn count(&self, written: usize) {
        let written = u64::try_from(written).unwrap_or(u64::MAX);
        let mut gate = self.gate();
        match &mut *gate {
            Gate::Armed { .. } if written > 0 => *gate = Gate::Sending { bytes: written },
            Gate::Sending { bytes } => *bytes = bytes.saturating_add(written),
            Gate::Opening | Gate::Idle | Gate::Armed { .. } | Gate::Late => {}
        }
    }
}

/// The reading and writing end of a [`Socket`].
pub(crate) struct Wire(pub(crate) Arc<Socket>);

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let tcp = &self.0.tcp;
        loop {
            ready!(tcp.poll_read_ready(cx))?;
            match tcp.try_read_buf(buf) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                read => return Poll::Ready(read.map(drop)),
            }
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_send(cx, |tcp| tcp.try_write(buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.poll_send(cx, |tcp| tcp.try_write_vectored(bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A TCP stream holds nothing back.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(SockRef::from(&self.0.tcp).shutdown(std::net::Shutdown::Write))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use async_trait::async_trait;
    use paymux_core::clock::Timestamp;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    const LATER: Duration = Duration::from_hours(1);

    #[tokio::test]
    async fn counts_from_the_first_byte_after_arming() {
        let (mut wire, mut peer) = pair().await;
        wire.write_all(b"handshake").await.unwrap();
        assert_eq!(wire.0.departure(), Departure::None, "a handshake is no request");
        wire.0.arm(in_time(&wire));
        assert_eq!(wire.0.departure(), Departure::None, "armed is not sent");
        wire.write_all(b"GET").await.unwrap();
        wire.write_all(b" /").await.unwrap();
        assert_eq!(wire.0.departure(), Departure::Begun);
        assert_eq!(*wire.0.gate(), Gate::Sending { bytes: 5 });
        wire.0.arm(in_time(&wire));
        assert_eq!(wire.0.departure(), Departure::None, "each request has its own count");
        drop(wire);
        assert_eq!(all(&mut peer).await, "handshakeGET /");
    }

    #[tokio::test]
    async fn nothing_leaves_at_or_after_the_dispatch_deadline() {
        let (mut wire, mut peer) = pair().await;
        wire.0.arm(wire.0.clock.mono());
        assert!(wire.write_all(b"GET").await.is_err());
        assert!(wire.write_all(b"GET").await.is_err(), "a refused request stays refused");
        assert_eq!(wire.0.departure(), Departure::TooLate);
        drop(wire);
        assert_eq!(all(&mut peer).await, "");
    }

    #[tokio::test]
    async fn a_request_that_began_in_time_may_end_after_the_deadline() {
        let (mut wire, mut peer) = pair().await;
        wire.0.arm(Mono(Duration::from_millis(2)));
        wire.write_all(b"GET").await.unwrap();
        wire.0.clock.sleep(LATER).await;
        wire.write_all(b" /").await.unwrap();
        assert_eq!(*wire.0.gate(), Gate::Sending { bytes: 5 });
        drop(wire);
        assert_eq!(all(&mut peer).await, "GET /");
    }

    #[tokio::test]
    async fn nothing_leaves_between_requests() {
        let (mut wire, mut peer) = pair().await;
        wire.0.rest();
        assert!(wire.write_all(b"x").await.is_err());
        assert_eq!(wire.0.departure(), Departure::None);
        drop(wire);
        assert_eq!(all(&mut peer).await, "");
    }

    #[tokio::test]
    async fn a_vectored_write_is_counted_and_held_back_too() {
        let (mut wire, mut peer) = pair().await;
        let parts = [IoSlice::new(b"GET"), IoSlice::new(b" /")];
        wire.0.arm(in_time(&wire));
        assert_eq!(wire.write_vectored(&parts).await.unwrap(), 5);
        assert_eq!(*wire.0.gate(), Gate::Sending { bytes: 5 });
        wire.0.arm(wire.0.clock.mono());
        assert!(wire.write_vectored(&parts).await.is_err());
        drop(wire);
        assert_eq!(all(&mut peer).await, "GET /");
    }

    #[tokio::test]
    async fn quiet_is_open_with_nothing_to_read() {
        let (wire, peer) = pair().await;
        assert!(wire.0.is_quiet());
        drop(peer);
        assert!(!wire.0.is_quiet(), "closed");

        let (wire, mut peer) = pair().await;
        peer.write_all(b"HTTP/1.1 200 OK\r\n").await.unwrap();
        assert!(!wire.0.is_quiet(), "stray bytes");

        let (wire, peer) = pair().await;
        SockRef::from(&peer).set_linger(Some(Duration::ZERO)).unwrap();
        drop(peer);
        assert!(!wire.0.is_quiet(), "reset");
    }

    async fn pair() -> (Wire, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (theirs, _) = listener.accept().await.unwrap();
        (Wire(Arc::new(Socket::new(ours, Arc::new(Sleepless::default())))), theirs)
    }

    fn in_time(wire: &Wire) -> Mono {
        wire.0.clock.mono().plus(LATER)
    }

    async fn all(peer: &mut TcpStream) -> String {
        let mut text = String::new();
        peer.read_to_string(&mut text).await.unwrap();
        text
    }

    /// Time moves only by sleeping, and sleeping takes no time.
    #[derive(Default)]
    struct Sleepless(Mutex<Duration>);

    #[async_trait]
    impl Clock for Sleepless {
        fn now(&self) -> Timestamp {
            Timestamp::from_ms(0)
        }

        fn mono(&self) -> Mono {
            Mono(*self.0.lock().unwrap())
        }

        async fn sleep(&self, span: Duration) {
            *self.0.lock().unwrap() += span;
        }
    }
}
