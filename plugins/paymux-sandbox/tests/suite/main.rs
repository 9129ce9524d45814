//! The sandbox through the door that everybody uses: its provider, its channels, its acceptor.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::needless_pass_by_value, reason = "rows read better with values")]

mod callback;
mod diagnosis;
mod front;
mod orders;
mod outflow;
mod rig;
