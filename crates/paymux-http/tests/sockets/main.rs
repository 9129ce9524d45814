//! The accept loop on real sockets: limits on time and size, clients that hang up, and the end.
//!
//! Time is real here: kernel sockets do not follow a paused clock. The limits are short instead.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on fails")]

mod peer;

mod bodies;
mod encrypted;
mod hang_up;
mod patience;
mod shutdown;
