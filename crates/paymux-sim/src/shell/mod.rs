//! The HTTP around the bank: the listener, the connections with a say over their sockets, and the
//! paths under `/sim` for whoever runs a test.
//!
//! The provider's own paths are `crate::call`'s.

mod body;
mod control;
pub(crate) mod page;
mod server;

pub(crate) use server::serve;
