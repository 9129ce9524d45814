//! What paymux speaks over gRPC: the merchant API's payments, refunds and transfers, routing's reasons, and the
//! standard services for health and reflection.
//!
//! Nothing is decided here: a message becomes the same request as a body over HTTP, is checked by the same code,
//! [`paymux_core::Payments`] answers, and its answer becomes a message. Start at [`Grpc`] for what is served; what it
//! is served on is the host's: what [`Grpc::open`] gives is a router like any
//! other.

mod entry;
mod guard;
mod health;
mod json;
mod known;
mod payments;
mod refusal;
mod reply;
mod request;
mod routing;
mod server;
mod watch;

include!(concat!(env!("OUT_DIR"), "/v1.rs"));

pub use health::Health;
pub use server::{Grpc, GrpcConfig, Reflection, Undescribed};
pub use watch::{Lasting, Nudges};

/// The proto files with all that they build on, for clients that ask what there is.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
