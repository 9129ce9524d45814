//! The ledger from outside: the contract of all stores on both databases, and what is each one's
//! own.

#![expect(clippy::unwrap_used, reason = "helpers of tests, and a test's own values")]

mod contract_postgres;
mod contract_sqlite;
mod doctor;
mod postgres;
mod refund_race;
mod replay;
mod sqlite;
mod support;
