//! The ledger: payments, attempts, callbacks and the outbox of notices, on SQLite or PostgreSQL.
//!
//! Start at [`Ledger`], which is core's `Store`. What it does is in `ops`, written once for both
//! databases; how that becomes durable is in `sqlite` (one writer with group commit) and `postgres`
//! (a pool). The schema is in `migration`.
//!
//! No rule of payments is here: the core decides what changes, this crate sees to it that a change
//! happens wholly, once, and only if nobody was faster.

mod address;
mod cache;
pub mod doctor;
mod entity;
mod error;
mod fault;
mod ledger;
mod migration;
mod ops;
mod postgres;
mod reader;
mod rows;
mod script;
mod sqlite;

#[cfg(test)]
#[expect(dead_code, reason = "not all of these helpers are used here")]
#[path = "../tests/ledger/support/postgres.rs"]
mod test_postgres;

pub use error::ConnectError;
pub use ledger::{Ledger, Options};
