//! The router as its callers see it, over the ledger in memory and scripted channels. What needs a
//! real socket is in `tests/sockets`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

mod world;

mod admin;
mod admin_lists;
mod authorisation;
mod bad_input;
mod callbacks;
mod cancel;
mod cashier;
mod channels;
mod contract;
mod create;
mod documented;
mod envelope;
mod events;
mod explain;
mod gauges;
mod health;
mod keys;
mod list;
mod matrix;
mod origins;
mod refunds;
mod returns;
mod transfers;
mod verdicts;
