//! The way out of paymux: the only crate that dials another host.
//!
//! [`Dialler`] implements [`paymux_core::transport::Transport`]. What it adds to "an HTTP client" is exactness
//! about one question, on which a payment hangs: *had a byte of this request left us?*
//!
//! # How the answer is known
//! Every connection is one socket with a gate (`socket.rs`). Before a request is handed to HTTP, the
//! gate is armed with the request's dispatch deadline; the first write that the kernel would take
//! passes the gate only before that deadline; from then on the gate counts. So after any failure:
//! - the count did not move: [`NotSent`](paymux_core::transport::NotSent), whatever else went wrong;
//! - it moved: [`NoAnswer`](paymux_core::transport::NoAnswer), and the provider must be asked.
//!
//! The gate stands **below** TLS. Above it a failed write would not tell: the TLS stream may have put
//! some records on the wire before the write that failed. Handshake bytes do not count, because the
//! gate is armed after the handshake.
//!
//! A connection is driven by the call that uses it, not by a task of its own: a dropped or timed-out
//! `send` drops the socket with it, so nothing can leave afterwards and nothing half used is pooled.
//!
//! # What never happens
//! No redirect is followed, nothing is sent twice, no proxy variable is read, no compression is asked
//! for, no TLS error is passed over, no HTTP version but 1.1 is spoken.
//!
//! Not here: what an answer means (plugins), whether to try another channel (core), and any retry.

mod clock;
mod connect;
mod dialler;
mod guard;
mod line;
mod measure;
mod message;
mod names;
mod pool;
mod socket;

pub use clock::SystemClock;
pub use connect::Roots;
pub use dialler::{CallsMax, Dialler, Settings, SetupError};
pub use guard::{Guard, Refusal};
pub use names::{Names, SystemNames};
pub use pool::{IDLE_MAX, IDLE_PER_ORIGIN_MAX};
