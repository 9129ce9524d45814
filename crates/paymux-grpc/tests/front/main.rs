//! The services as a client of theirs sees them, over the ledger in memory and scripted channels. What needs a real
//! socket is tried with the real binary, in paymux-server.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod world;

mod calls;
mod keys;
mod refused;
mod standard;
mod watching;
