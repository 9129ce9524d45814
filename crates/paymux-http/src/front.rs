//! The main listener's router: which paths there are, and what they share.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::middleware::from_fn_with_state;
use http::HeaderMap;
use paymux_core::Payments;
use paymux_core::catalog::Scope;

use crate::body::Measure;
use crate::limits::Limits;
use crate::openapi::{Access, Book, Manual, Paths};
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
            MetricsPlace::Admin => Paths::new(),
        };
        let fronts = fronts::routes(&payments);
        let manual = Manual::new(Book::Merchant, payments.catalog().public_url.join("", None));
        let shared = Shared(Arc::new(self));
        let paths = merchant(&shared).merge(open()).merge(metrics).merge(manual.for_all());
        manual.of(paths.operations());
        envelope::wrap(paths.into_router().merge(fronts).with_state(shared), payments)
    }
}

/// What needs an app's key. A path that is added here cannot be reached without one.
fn merchant(shared: &Shared) -> Paths<Shared> {
    let in_scope = |paths: Paths<Shared>, scope| {
        let guard = from_fn_with_state((shared.clone(), scope), auth::scope);
        paths.behind(Access::Scope(scope), |router| router.route_layer(guard))
    };
    in_scope(payments_api(), Scope::Payments)
        .merge(in_scope(refunds_api(), Scope::Refunds))
        .merge(in_scope(transfers_api(), Scope::Transfers))
        .merge(events_api())
        .behind(Access::App, |router| router.route_layer(from_fn_with_state(shared.clone(), auth::app)))
}

fn payments_api() -> Paths<Shared> {
    Paths::new()
        .at(&payments::LIST, payments::list)
        .at(&payments::CREATE, payments::create)
        .at(&payments::FIND, payments::find)
        .at(&payments::CANCEL, payments::cancel)
        .at(&payments::SYNC, payments::sync)
        .at(&explain::EXPLAIN, explain::explain)
}

fn refunds_api() -> Paths<Shared> {
    Paths::new()
        .at(&refunds::OF_PAYMENT, refunds::of_payment)
        .at(&refunds::CREATE, refunds::create)
        .at(&refunds::BY_NUMBER, refunds::by_number)
        .at(&refunds::FIND, refunds::find)
        .at(&refunds::SYNC, refunds::sync)
}

fn transfers_api() -> Paths<Shared> {
    Paths::new()
        .at(&transfers::BY_NUMBER, transfers::by_number)
        .at(&transfers::CREATE, transfers::create)
        .at(&transfers::FIND, transfers::find)
        .at(&transfers::SYNC, transfers::sync)
}

/// Whatever an app may do, it may know what it was told.
fn events_api() -> Paths<Shared> {
    Paths::new()
        .at(&events::LIST, events::list)
        .at(&events::REDELIVER_ONE, events::redeliver_one)
        .at(&events::REDELIVER_RANGE, events::redeliver_range)
}

/// What needs no key: providers, payers' browsers and probes come here.
fn open() -> Paths<Shared> {
    Paths::new()
        .at(&callbacks::TAKE_BY_GET, callbacks::take)
        .at(&callbacks::TAKE, callbacks::take)
        .at(&returns::WITHOUT_NUMBER, returns::without_number)
        .at(&returns::WITHOUT_NUMBER_BY_POST, returns::without_number)
        .at(&returns::WITH_NUMBER, returns::with_number)
        .at(&returns::WITH_NUMBER_BY_POST, returns::with_number)
        .at(&cashier::CSS, cashier::style)
        .at(&cashier::JS, cashier::script)
        .at(&cashier::SHOW, cashier::show)
        .at(&cashier::STATE, cashier::state)
        .at(&cashier::PICTURE, cashier::picture)
        .at(&cashier::FORM, cashier::form)
        .at(&health::ALIVE, health::alive)
        .at(&health::READY, health::ready)
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
