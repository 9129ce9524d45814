//! The main listener's router: which paths there are, and what they share.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use http::HeaderMap;
use paymux_core::Payments;
use paymux_core::catalog::Scope;

use crate::body::Measure;
use crate::limits::Limits;
use crate::peer::{Origin, Peer, Proxies};
use crate::routes::{callbacks, events, explain, fronts, health, payments, refunds, returns, transfers};
use crate::{auth, cashier, envelope};

/// How the front behaves.
#[derive(Debug, Clone, Default)]
pub struct FrontConfig {
    /// What one client may ask.
    pub limits: Limits,
    /// Which listener serves the metrics: `[server] metrics`.
    pub metrics: MetricsPlace,
    /// Whose word is believed of who calls, and how: `[server] trusted_proxies`.
    pub proxies: Proxies,
    /// Whether other protocols are spoken to clients whose line anybody on the way can read.
    pub fronts_in_the_open: FrontsInTheOpen,
}

/// Whether other protocols are spoken over plain HTTP beyond this machine: `[compat] allow_plain_http`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum FrontsInTheOpen {
    /// Only where a trusted proxy has it from its client by https.
    #[default]
    Refused,
    /// To everybody.
    Allowed,
}

/// Which listener serves `/metrics`. The admin listener always does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MetricsPlace {
    /// The main one too.
    #[default]
    Main,
    /// The admin one only.
    Admin,
}

/// Writes the metrics of this moment in Prometheus' text format.
pub type MetricsPage = Arc<dyn Fn() -> String + Send + Sync>;

/// Whether this process can do its work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Readiness {
    /// Whether the store answers and would take a write; the text goes to the log only.
    pub store: Result<(), String>,
    /// The hash of the configuration in force, to compare nodes by.
    pub config: String,
}

/// Finds out whether this process can do its work. Asked for each `/readyz`.
#[async_trait]
pub trait Ready: Send + Sync + 'static {
    /// Looks now.
    async fn look(&self) -> Readiness;
}

/// Everything that the main listener serves.
#[derive(Clone)]
pub struct Front {
    config: FrontConfig,
    payments: Payments,
    ready: Arc<dyn Ready>,
    metrics: MetricsPage,
}

impl std::fmt::Debug for Front {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Front").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Front {
    /// A front over those payments.
    pub fn new(config: FrontConfig, payments: Payments, ready: Arc<dyn Ready>, metrics: MetricsPage) -> Self {
        Self { config, payments, ready, metrics }
    }

    /// The router, for [`crate::serve`] or for a host's own.
    pub fn router(self) -> Router {
        let payments = self.payments.clone();
        let metrics = match self.config.metrics {
            MetricsPlace::Main => health::metrics(&self.metrics, &payments),
            MetricsPlace::Admin => Router::new(),
        };
        let fronts = fronts::routes(&payments);
        let shared = Shared(Arc::new(self));
        let router = merchant(&shared).merge(open()).merge(fronts).with_state(shared).merge(metrics);
        envelope::wrap(router, payments)
    }
}

/// What needs an app's key. A path that is added here cannot be reached without one.
fn merchant(shared: &Shared) -> Router<Shared> {
    let in_scope = |router: Router<Shared>, scope| {
        router.route_layer(from_fn_with_state((shared.clone(), scope), auth::scope))
    };
    in_scope(payments_api(), Scope::Payments)
        .merge(in_scope(refunds_api(), Scope::Refunds))
        .merge(in_scope(transfers_api(), Scope::Transfers))
        .merge(events_api())
        .route_layer(from_fn_with_state(shared.clone(), auth::app))
}

fn payments_api() -> Router<Shared> {
    Router::new()
        .route("/v1/payments", get(payments::list).post(payments::create))
        .route("/v1/payments/{id}", get(payments::find))
        .route("/v1/payments/{id}/cancel", post(payments::cancel))
        .route("/v1/payments/{id}/sync", post(payments::sync))
        .route("/v1/routes/explain", post(explain::explain))
}

fn refunds_api() -> Router<Shared> {
    Router::new()
        .route("/v1/payments/{id}/refunds", get(refunds::of_payment).post(refunds::create))
        .route("/v1/refunds", get(refunds::by_number))
        .route("/v1/refunds/{id}", get(refunds::find))
        .route("/v1/refunds/{id}/sync", post(refunds::sync))
}

fn transfers_api() -> Router<Shared> {
    Router::new()
        .route("/v1/transfers", get(transfers::by_number).post(transfers::create))
        .route("/v1/transfers/{id}", get(transfers::find))
        .route("/v1/transfers/{id}/sync", post(transfers::sync))
}

/// Whatever an app may do, it may know what it was told.
fn events_api() -> Router<Shared> {
    Router::new()
        .route("/v1/events", get(events::list))
        .route("/v1/events/{id}/redeliver", post(events::redeliver_one))
        .route("/v1/events/redeliver", post(events::redeliver_range))
}

/// What needs no key: providers, payers' browsers and probes come here.
fn open() -> Router<Shared> {
    Router::new()
        .route("/notify/{channel}", get(callbacks::take).post(callbacks::take))
        .route("/return/{channel}", get(returns::without_number).post(returns::without_number))
        .route("/return/{channel}/{number}", get(returns::with_number).post(returns::with_number))
        .route("/pay/cashier.css", get(cashier::style))
        .route("/pay/cashier.js", get(cashier::script))
        .route("/pay/{payment}", get(cashier::show))
        .route("/pay/{payment}/state", get(cashier::state))
        .route("/pay/{payment}/qr.svg", get(cashier::picture))
        .route("/pay/{payment}/form", get(cashier::form))
        .route("/healthz", get(health::alive))
        .route("/readyz", get(health::ready))
}

/// What the handlers share.
#[derive(Debug, Clone)]
pub(crate) struct Shared(Arc<Front>);

impl Shared {
    pub(crate) fn payments(&self) -> &Payments {
        &self.0.payments
    }

    pub(crate) fn limits(&self) -> &Limits {
        &self.0.config.limits
    }

    pub(crate) fn ready(&self) -> &dyn Ready {
        self.0.ready.as_ref()
    }

    /// Who sent a request.
    pub(crate) fn origin(&self, headers: &HeaderMap, peer: Option<Peer>) -> Origin {
        Origin::of(headers, peer, &self.0.config.proxies)
    }

    /// Whether a client of another protocol that came so is refused.
    pub(crate) fn refuses(&self, origin: Origin) -> bool {
        origin.came_in_the_open && self.0.config.fronts_in_the_open == FrontsInTheOpen::Refused
    }

    /// How much an API request's body may be.
    pub(crate) fn api_body(&self) -> Measure {
        Measure { bytes_max: self.limits().body_bytes, within: self.limits().body }
    }

    /// How much a callback's body may be.
    pub(crate) fn callback_body(&self) -> Measure {
        Measure { bytes_max: self.limits().callback_bytes, within: self.limits().body }
    }
}
