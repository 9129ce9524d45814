//! The way out, as a port: one call to another host, and what became of it.

use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Mono;
use crate::wire::{Endpoint, WireRequest, WireResponse};

/// Whom a call goes to; decides which addresses it may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Destination {
    /// A payment provider, at an address that an operator wrote down.
    Provider,
    /// A merchant's notice URL: guarded against private and special addresses.
    Merchant,
}

impl Destination {
    /// The metric label.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Merchant => "merchant",
        }
    }
}

/// How long one call may take.
#[derive(Debug, Clone, Copy)]
pub struct Deadline {
    /// The first byte must leave before this moment; later, nothing is sent any more.
    pub dispatch_by: Mono,
    /// The whole answer must be here by this moment.
    pub answer_by: Mono,
}

impl Deadline {
    /// Both ends at `now` plus `span`.
    pub fn after(now: Mono, span: Duration) -> Self {
        Self { dispatch_by: now.plus(span), answer_by: now.plus(span) }
    }
}

/// One call.
#[derive(Debug, Clone)]
pub struct Outgoing {
    /// Whom it goes to.
    pub destination: Destination,
    /// Scheme, host, port and base path.
    pub endpoint: Endpoint,
    /// Verb, path, query, headers and body.
    pub request: WireRequest,
    /// Until when.
    pub deadline: Deadline,
    /// The largest answer body that is read, in bytes.
    pub response_bytes_max: usize,
}

/// Why no answer came, split by the only question that matters: had a byte left?
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Undelivered {
    /// No byte of the request was written: whatever was asked has surely not happened.
    #[error("not sent: {0}")]
    NotSent(NotSent),
    /// Bytes left us and no whole answer came back: anything may have happened.
    #[error("sent, but no answer: {0}")]
    NoAnswer(NoAnswer),
}

/// Why nothing was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSent {
    /// Name resolution, TCP or TLS failed.
    #[error("could not connect")]
    Connect,
    /// A pooled connection was closed by the other side before the first byte.
    #[error("the connection was closed before the first byte")]
    Closed,
    /// The dispatch deadline was over.
    #[error("too late to send")]
    TooLate,
    /// The address is not one that may be called.
    #[error("the address is not allowed")]
    AddressRefused,
    /// The request is not valid HTTP.
    #[error("the request could not be built")]
    Unbuildable,
    /// Too many calls were waiting.
    #[error("too many calls at once")]
    Overloaded,
}

/// Why no whole answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// The answer deadline was over.
    #[error("no answer in time")]
    TimedOut,
    /// The connection broke.
    #[error("the connection broke")]
    Broken,
    /// More bytes than the limit.
    #[error("the answer is too large")]
    TooLarge,
    /// Not HTTP.
    #[error("the answer is not HTTP")]
    Unreadable,
}

/// The only way out of paymux.
///
/// # Behaviour
/// - One `send` is at most one request on the wire: no redirect is followed, nothing is resent.
/// - [`Undelivered::NotSent`] only if no byte of the request was written.
/// - Any HTTP status is an answer; what it means is the caller's business.
/// - Ends by `deadline.answer_by`.
#[async_trait]
pub trait Transport: Send + Sync + 'static {
    /// Whether that address may be called at all, as far as its text tells; the reason if not.
    /// A name that resolves to a forbidden address is found out only when it is called.
    fn check(&self, destination: Destination, endpoint: &Endpoint) -> Result<(), String>;

    /// Sends one request and waits for its answer.
    async fn send(&self, call: Outgoing) -> Result<WireResponse, Undelivered>;
}
