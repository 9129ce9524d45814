//! The ledger from outside: the contract of all stores on both databases, and what is each one's
//! own.

#![expect(clippy::unwrap_used, reason = "helpers of tests, and a test's own values")]

mod contract_postgres;
mod contract_sqlite;
mod postgres;
mod sqlite;
mod support;
