//! What tests of paymux need: a clock that nobody waits for, randomness that a seed replays, a
//! transport and a channel that do as told, a proxy that breaks connections; and the suites that every
//! channel and every store must pass.
//!
//! Nothing here is used by the running service.

pub mod channel;
pub mod chaos;
pub mod clock;
pub mod conformance;
pub mod fixtures;
pub mod memory_store;
pub mod rng;
pub mod simulation;
pub mod store_contract;
pub mod transport;
pub mod want;

pub use channel::{Outgo, Script, ScriptedChannel};
pub use chaos::ChaosProxy;
pub use clock::TestClock;
pub use fixtures::Fixtures;
pub use memory_store::MemoryStore;
pub use rng::SeededRng;
pub use transport::ScriptedTransport;
pub use want::Want;
