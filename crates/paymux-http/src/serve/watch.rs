//! How one connection uses its time: when its first byte came, since when a header is being read,
//! and whether a request is under way.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use http::Version;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::limits::Limits;

use super::line::Line;

/// After the word to stop, a connection without a request under way gets this long to say goodbye.
const GOODBYE: Duration = Duration::from_millis(250);

/// One connection's times.
#[derive(Debug)]
pub(super) struct Watch {
    state: Mutex<State>,
    /// Told when a shorter limit than the one that is being waited for has begun.
    header_began: Notify,
}

#[derive(Debug)]
struct State {
    /// Since when the connection is in its present phase.
    since: Instant,
    phase: Phase,
    /// How many requests are under way: over HTTP/2 there may be several.
    under_way: usize,
    is_draining: bool,
}

/// What a connection without a request under way is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// It is open, and nothing has come.
    Silent,
    /// A request's line and header fields are coming in.
    Header,
    /// It has had an answer. Over HTTP/1 the next byte begins a header.
    IdleHttp1,
    /// It has had an answer. Bytes may be pings and window updates, so they begin nothing.
    IdleHttp2,
}

/// A request is under way as long as this lives.
#[derive(Debug)]
pub(super) struct UnderWay {
    watch: Arc<Watch>,
    phase_after: Phase,
}

impl Watch {
    /// A connection that was just opened.
    pub(super) fn begin() -> Self {
        let state = State { since: Instant::now(), phase: Phase::Silent, under_way: 0, is_draining: false };
        Self { state: Mutex::new(state), header_began: Notify::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A request's header is complete.
    pub(super) fn request_begins(self: &Arc<Self>, version: Version) -> UnderWay {
        self.state().under_way += 1;
        let phase_after = if version == Version::HTTP_2 { Phase::IdleHttp2 } else { Phase::IdleHttp1 };
        UnderWay { watch: Arc::clone(self), phase_after }
    }

    /// From now on the connection only ends what is under way.
    pub(super) fn drain(&self) {
        let mut state = self.state();
        state.is_draining = true;
        state.since = Instant::now();
    }

    /// Whether it only ends what is under way.
    pub(super) fn is_draining(&self) -> bool {
        self.state().is_draining
    }

    /// Returns when the connection has used its time up without a request under way.
    pub(super) async fn wasted(&self, limits: &Limits) {
        loop {
            let left = self.state().left(limits);
            if left.is_zero() {
                return;
            }
            tokio::select! {
                () = sleep(left) => {}
                () = self.header_began.notified() => {}
            }
        }
    }

    fn bytes_came(&self) {
        let mut state = self.state();
        if state.under_way == 0 && matches!(state.phase, Phase::Silent | Phase::IdleHttp1) {
            state.enter(Phase::Header);
            self.header_began.notify_one();
        }
    }

    /// While draining, an answer that is still going out is progress.
    fn bytes_went(&self) {
        let mut state = self.state();
        if state.is_draining {
            state.since = Instant::now();
        }
    }
}

impl State {
    fn enter(&mut self, phase: Phase) {
        self.phase = phase;
        self.since = Instant::now();
    }

    /// How much of the limit is left. While a request is under way it is the whole idle limit: the
    /// handler's own limits hold then, and the watch only looks again later.
    fn left(&self, limits: &Limits) -> Duration {
        if self.under_way > 0 {
            return if self.is_draining { GOODBYE } else { limits.idle };
        }
        let limit = match self.phase {
            _ if self.is_draining => GOODBYE,
            Phase::Silent => limits.first_byte,
            Phase::Header => limits.header,
            Phase::IdleHttp1 | Phase::IdleHttp2 => limits.idle,
        };
        limit.saturating_sub(self.since.elapsed())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut state = self.watch.state();
        state.under_way -= 1;
        if state.under_way == 0 {
            state.enter(self.phase_after);
        }
    }
}

/// A line that tells its watch when bytes of requests and answers come and go.
#[derive(Debug)]
pub(super) struct Watched {
    line: Line,
    watch: Arc<Watch>,
}

impl Watched {
    pub(super) fn new(line: Line, watch: Arc<Watch>) -> Self {
        Self { line, watch }
    }

    fn note_write(&self, polled: &Poll<io::Result<usize>>) {
        if matches!(polled, Poll::Ready(Ok(1..))) {
            self.watch.bytes_went();
        }
    }
}

impl AsyncRead for Watched {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.line).poll_read(cx, buf);
        if buf.filled().len() > before {
            self.watch.bytes_came();
        }
        polled
    }
}

impl AsyncWrite for Watched {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.line).poll_write(cx, buf);
        self.note_write(&polled);
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.line).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.line).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.line).poll_write_vectored(cx, bufs);
        self.note_write(&polled);
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.line.is_write_vectored()
    }
}
