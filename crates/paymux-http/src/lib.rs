//! What paymux speaks over HTTP: the merchant API, providers' callbacks in, the page on which payers pay and those to
//! which they come back, health and metrics, and the accept loop under all of it.
//!
//! Nothing is decided here: bytes become a checked request, [`paymux_core::Payments`] answers, and
//! its answer becomes bytes. No provider's protocol is known here, and nothing dials out.
//!
//! Start at [`Front`] for what is served, at [`serve`] for how.

pub mod admin;
mod auth;
mod body;
mod cashier;
mod envelope;
mod front;
mod gauges;
mod html;
mod json;
pub mod limits;
mod openapi;
mod page;
mod peer;
mod posted;
mod problem;
mod query;
mod routes;
mod serve;
mod tls;
mod wire;

pub use front::{Front, FrontConfig, FrontsInTheOpen, MetricsPage, MetricsPlace, Readiness, Ready};
pub use limits::Limits;
pub use peer::{Network, NoNetwork, Peer, Proxies};
pub use serve::{Served, serve, serve_tls};
pub use tls::{Identity, IdentityError, Tls};
