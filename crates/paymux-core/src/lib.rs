//! The heart of paymux: money, channels, routing, and the life of a payment.
//!
//! Everything here is pure or goes through a port. This crate opens no socket, file or database,
//! and reads no clock: [`Store`], [`Transport`], [`Clock`] and [`Rng`] come in from outside.
//! No provider's name appears here, in code or in tests.
//!
//! Start at [`Payments`], the one door for every front.

pub mod acceptor;
pub mod callbacks;
pub mod catalog;
pub mod channel;
pub mod clock;
pub mod crash;
pub mod day;
pub mod error;
mod flight;
pub mod fronts;
pub mod hours;
pub mod ids;
pub mod method;
pub mod money;
pub mod notices;
pub mod outflow;
pub mod payment;
pub mod payments;
pub mod posting;
pub mod provider;
pub mod random;
pub mod reconcile;
pub mod refund;
pub mod region;
pub mod router;
pub mod secret;
pub mod state;
pub mod store;
pub mod sweeper;
mod sync;
pub mod transfer;
pub mod transport;
pub mod view;
pub mod wire;
mod words;

pub use catalog::{App, Catalog, CatalogHandle};
pub use channel::{Channel, ChannelError, Created, Cx, Descriptor, Order, OrderRef};
pub use clock::{Clock, Timestamp};
pub use day::DayZone;
pub use error::PaymentError;
pub use hours::Hours;
pub use ids::{
    AppId, AttemptId, ChannelId, EventId, OrderNo, PaymentId, ProviderOrderNo, RefundId, TransferId,
};
pub use method::{Method, MethodPattern, Product, Wallet};
pub use money::{Currency, Money};
pub use payment::{Attempt, AttemptState, NewPayment, NextAction, Payer, Payment, Status};
pub use payments::Payments;
pub use provider::Provider;
pub use random::Rng;
pub use refund::{NewRefund, Refund};
pub use region::Region;
pub use router::Router;
pub use secret::Secret;
pub use store::Store;
pub use transfer::{NewTransfer, Transfer};
pub use transport::Transport;
pub use wire::{Endpoint, Verb, WireRequest, WireResponse};
