//! Bodies of answers: whole ones, and ones that break off halfway.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

/// The connection is closed here, on purpose.
#[derive(Debug, thiserror::Error)]
#[error("cut by a fault")]
pub(crate) struct Cut;

impl From<Infallible> for Cut {
    fn from(never: Infallible) -> Self {
        match never {}
    }
}

/// A body of a declared length.
#[derive(Debug)]
pub(crate) struct SimBody {
    /// What is sent.
    bytes: Option<Bytes>,
    /// What `content-length` says.
    declared: u64,
    ending: Ending,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// After the bytes.
    Proper,
    /// The bytes must reach the socket before the cut: one more turn.
    CutAfterFlush,
    Cut,
}

impl SimBody {
    pub(crate) fn whole(bytes: Bytes) -> Self {
        Self { declared: bytes.len() as u64, bytes: Some(bytes), ending: Ending::Proper }
    }

    /// The first half; the length says the whole.
    pub(crate) fn truncated(bytes: &Bytes) -> Self {
        let half = bytes.slice(..bytes.len() / 2);
        Self { declared: bytes.len() as u64, bytes: Some(half), ending: Ending::CutAfterFlush }
    }
}

impl Body for SimBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if let Some(bytes) = self.bytes.take().filter(|bytes| !bytes.is_empty()) {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        match self.ending {
            Ending::Proper => Poll::Ready(None),
            Ending::CutAfterFlush => {
                // hyper flushes when a body has nothing more for now.
                self.ending = Ending::Cut;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Ending::Cut => Poll::Ready(Some(Err(Cut))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.ending == Ending::Proper && self.bytes.as_ref().is_none_or(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.declared)
    }
}
