//! The dialler against real servers on loopback: what it says of each call, and what the servers saw.
//!
//! Not here: addresses and gates alone; those are tested beside their code.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking, its servers and calls too")]

mod answers;
mod cuts;
mod guard;
mod limits;
mod pool;
mod proxy;
mod support;
mod times;
mod tls;
