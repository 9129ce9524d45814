//! The seeded simulation: core's real use cases over a store, pretend banks and merchants, on one thread
//! with paused time, driven by one seed.
//!
//! A run makes a `world`, lets merchants, payers and operators do what they do while everything goes
//! wrong that its seed has turned on, then lets days of calm pass, and has the `judge` compare what the
//! banks' own books say with what merchants saw and what the ledger holds. The same seed makes the same
//! run, byte for byte.

mod accounts;
mod bank;
mod books;
mod calls;
mod courier;
mod decisions;
mod dice;
mod faults;
mod floors;
mod front;
mod judge;
mod limits;
mod many;
mod merchant;
mod network;
mod node;
mod operator;
mod payer;
mod run;
mod setup;
mod stats;
mod store;
mod stories;
mod time;
mod trace;
mod wire;
mod world;

pub use calls::{RecordedCall, StoreAnswer, StoreCall, StoreOutcome, told};
pub use floors::{FLOORS, floor_of};
pub use many::{Summary, run_many};
pub use run::{Run, run};
pub use stats::Stats;
pub use world::Keep;
