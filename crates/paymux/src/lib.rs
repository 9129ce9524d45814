#![doc = include_str!("../README.md")]

mod builder;
mod check;
mod mistake;
mod node;
mod observer;
mod plan;
mod random;
mod service;
pub mod witness;
pub mod workers;

use std::sync::Arc;

pub use async_trait::async_trait;
pub use builder::Builder;
pub use mistake::{Mistake, Mistakes, OpenError};
pub use node::{Ended, Paymux};
pub use observer::Observer;
pub use plan::{ChannelPlan, RoutePlan};
pub use random::SystemRng;
pub use serde_json::json;
pub use service::PaymentService;
pub use tokio_util::sync::CancellationToken;

/// All of the heart: whatever is not named here itself.
pub use paymux_core as core;
pub use paymux_core::catalog::{FailoverUnknown, Lifecycle, Rules, Scope, Strategy, When};
pub use paymux_core::payment::PaymentRequest;
pub use paymux_core::payment::request::PayerRequest;
pub use paymux_core::payments::{CreateAnswer, Explained};
pub use paymux_core::provider::Settings;
pub use paymux_core::router::{Ask, Contenders, Decision, NoChannel, OwnStrategy, Picked};
pub use paymux_core::{
    App, AppId, Attempt, AttemptState, Catalog, Channel, ChannelId, Clock, Currency, Endpoint, Method, Money,
    NewPayment, NewRefund, NextAction, OrderNo, Payment, PaymentError, PaymentId, Payments, Provider, Refund,
    Rng, Router, Secret, Status, Store, Timestamp, Transport, Verb, WireRequest, WireResponse,
};

/// BeeCloud.
#[cfg(feature = "beecloud")]
pub use paymux_beecloud as beecloud;
/// cloudpay.
#[cfg(feature = "cloudpay")]
pub use paymux_cloudpay as cloudpay;
/// FuFu.
#[cfg(feature = "fufu")]
pub use paymux_fufu as fufu;
/// A provider in memory.
#[cfg(feature = "sandbox")]
pub use paymux_sandbox as sandbox;
/// The ledger on SQLite and PostgreSQL.
#[cfg(feature = "sql")]
pub use paymux_store as store;
/// The way out, and the machine's clock.
#[cfg(feature = "transport")]
pub use paymux_transport as transport;

/// Every provider that this build has, by the features that are on. A sandbox keeps its books in the provider, so
/// a process makes this list once.
pub fn providers() -> Vec<Arc<dyn Provider>> {
    vec![
        #[cfg(feature = "beecloud")]
        paymux_beecloud::provider(),
        #[cfg(feature = "cloudpay")]
        paymux_cloudpay::provider(),
        #[cfg(feature = "fufu")]
        paymux_fufu::provider(),
        #[cfg(feature = "sandbox")]
        paymux_sandbox::provider(),
    ]
}
