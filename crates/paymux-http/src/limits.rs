//! How much one client may ask of this process. Every number has a default and a reason.

use std::time::Duration;

/// The largest body of an API request, in bytes: `[limits] body_bytes`.
pub const BODY_BYTES: usize = 65_536;
/// The largest body of a provider's callback, in bytes: `[limits] callback_bytes`.
pub const CALLBACK_BYTES: usize = 262_144;
/// How deep arrays and objects may stand in each other in a JSON body; the outermost counts.
pub const JSON_DEPTH: usize = 32;
/// How many entries one page of a list holds when the client names no number.
pub const PAGE_DEFAULT: u32 = 20;
/// The most entries of one page.
pub const PAGE_MAX: u32 = 100;

/// The longest note of an operator, in characters.
pub const NOTE_CHARS: usize = 500;
/// The longest trade number that an operator may write, in characters.
pub const TRADE_NO_CHARS: usize = 128;
/// How often, at most, the ledger is asked how much waits for a person, however often the metrics are
/// read: their address may be open to all.
pub const QUEUE_LOOK_EVERY: Duration = Duration::from_secs(5);

/// The most header fields of one request.
pub const HEADERS: usize = 64;
/// The most bytes of a request's line and header fields together.
pub const HEADER_BYTES: usize = 16 * 1024;
/// The most requests at once on one HTTP/2 connection.
pub const STREAMS: u32 = 100;
/// How much of a refused body is read and thrown away, so that the client gets to read the
/// refusal instead of a reset.
pub const DISCARD_BYTES: usize = 1024 * 1024;
/// How long that may take.
pub const DISCARD_WITHIN: Duration = Duration::from_secs(5);

/// What one client may ask of this process, and how long it may take about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// See [`BODY_BYTES`].
    pub body_bytes: usize,
    /// See [`CALLBACK_BYTES`].
    pub callback_bytes: usize,
    /// Connections at once; further ones wait in the kernel's queue until one ends.
    pub connections: usize,
    /// A new connection must send its first byte within this.
    pub first_byte: Duration,
    /// The line and header fields of a request must be here within this.
    pub header: Duration,
    /// A body must be here within this.
    pub body: Duration,
    /// A connection on which no request is under way is closed after this.
    pub idle: Duration,
    /// After the word to stop, requests under way get this long to end.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: BODY_BYTES,
            callback_bytes: CALLBACK_BYTES,
            connections: 4096,
            first_byte: Duration::from_secs(10),
            header: Duration::from_secs(10),
            body: Duration::from_secs(30),
            idle: Duration::from_mins(1),
            drain: Duration::from_secs(30),
        }
    }
}
