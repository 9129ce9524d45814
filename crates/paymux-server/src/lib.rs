//! The parts of the `paymux` binary: configuration, the list of plugins, start-up and shutdown, and the
//! commands. It only puts the other crates together; what they do lives there.

pub mod commands;
pub mod config;
mod crash;
pub mod environment;
pub mod logs;
pub mod metrics;
pub mod node;
pub mod plugins;
pub mod reload;
pub mod rng;
pub mod stop;
