//! One running paymux: listeners, workers and ledger, put together, started and stopped in order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use paymux::SystemRng;
use paymux::witness::{Witness, Witnessed};
use paymux::workers::{self, Intervals, Workers};
use paymux_core::catalog::CatalogHandle;
use paymux_core::payments::{Obstacle, Ports};
use paymux_core::store::PaymentLedger as _;
use paymux_core::wire::PlainHttp;
use paymux_core::{Clock, Endpoint, PaymentError, Payments, Store, Transport};
use paymux_http::admin::Reload as _;
use paymux_http::{Front, FrontConfig, MetricsPage, Readiness, Ready, Tls, admin};
use paymux_store::{ConnectError, Ledger, Options};
use paymux_transport::{Dialler, Guard, Settings as DialSettings, SetupError, SystemClock};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::config::{Config, PublicUrl, Settings, scheme};
use crate::reload::{InForce, Reloader, Source};

/// Why a node could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address is taken or not ours.
    #[error("cannot listen on `{address}` ({key}): {error}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Its key in the configuration.
        key: &'static str,
        /// What the system says.
        error: std::io::Error,
    },
    /// The ledger does not open.
    #[error("the ledger (store.url) does not open")]
    Store(#[from] ConnectError),
    /// The way out could not be made.
    #[error("calls to providers cannot be made")]
    Outbound(#[from] SetupError),
    /// The ledger did not take the channels.
    #[error("the ledger (store.url) does not take the channels of the configuration: {0}")]
    Unbound(PaymentError),
    /// Ids or accounts of channels are bound otherwise.
    #[error("{}", lines(.0))]
    Bound(Vec<Obstacle>),
}

fn lines(obstacles: &[Obstacle]) -> String {
    obstacles.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// What a node is given beside its configuration.
pub struct Surroundings {
    /// Writes the metrics of this moment.
    pub metrics: MetricsPage,
    /// Who sees what was stored.
    pub witnesses: Vec<Arc<dyn Witness>>,
    /// Where the configuration is read from again; `None` where it never is.
    pub source: Option<Source>,
}

/// How a node ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stopped {
    /// All that was under way has ended.
    Drained,
    /// Patience ended first. What was under way is taken up again by the next start.
    Cut,
}

/// One running paymux. Dropping it stops nothing: call [`Node::stop`].
pub struct Node {
    http: SocketAddr,
    admin: Option<SocketAddr>,
    payments: Payments,
    ledger: Arc<Ledger>,
    reloader: Arc<Reloader>,
    /// Listeners and workers.
    tasks: TaskTracker,
    shutdown: CancellationToken,
    drain: Duration,
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Node").field("http", &self.http).field("admin", &self.admin).finish_non_exhaustive()
    }
}

impl Node {
    /// Starts all of it. The addresses are taken first: what cannot serve opens no ledger.
    ///
    /// # Errors
    /// When an address, the ledger or the way out cannot be had; nothing runs then.
    pub async fn start(config: Config, surroundings: Surroundings) -> Result<Self, StartError> {
        let Config { settings, mut catalog, hash, .. } = config;
        let listeners = Listeners::bind(&settings).await?;
        let tls = settings.tls.clone().map(Tls::new);
        let own_address = own_address(listeners.http.address, tls.is_some());
        if settings.public_url == PublicUrl::OfListener
            && let Some(own) = &own_address
        {
            catalog.public_url = own.clone();
        }
        let ledger = Arc::new(Ledger::connect(settings.store_url.expose(), Options::default()).await?);
        let wake = Arc::new(Notify::new());
        let mut witnesses = surroundings.witnesses;
        witnesses.push(wake.clone());
        let ports = ports(&settings, Witnessed::new(ledger.clone(), witnesses))?;
        let payments = Payments::new(ports, CatalogHandle::new(catalog));
        for overruled in
            payments.bind_channels().await.map_err(StartError::Unbound)?.map_err(StartError::Bound)?
        {
            tracing::warn!("{overruled}");
        }
        let in_force = InForce::new(hash);
        let reloader = Arc::new(Reloader {
            source: surroundings.source,
            payments: payments.clone(),
            settings: settings.clone(),
            own_address,
            tls: tls.clone(),
            in_force: in_force.clone(),
            turn: tokio::sync::Mutex::default(),
        });

        let node = Self {
            http: listeners.http.address,
            admin: listeners.admin.as_ref().map(|admin| admin.address),
            payments: payments.clone(),
            ledger: ledger.clone(),
            reloader,
            tasks: TaskTracker::new(),
            shutdown: CancellationToken::new(),
            drain: settings.limits.drain,
        };
        workers::read_figures(&payments).await;
        let intervals = Intervals { sweep: settings.sweep_interval, snapshot: settings.snapshot_interval };
        node.tasks.spawn(Workers::new(payments, intervals, wake).run(node.shutdown.clone()));
        let ready = Arc::new(Look { ledger, in_force });
        node.serve(listeners, tls, settings, ready, surroundings.metrics);
        Ok(node)
    }

    /// Where the main listener stands.
    pub fn http(&self) -> SocketAddr {
        self.http
    }

    /// Where the operators' listener stands.
    pub fn admin(&self) -> Option<SocketAddr> {
        self.admin
    }

    /// Its payments, for whoever has it in the same process.
    pub(crate) fn payments(&self) -> &Payments {
        &self.payments
    }

    /// Cancelled when the ledger's disk failed and the process must end.
    pub fn fatal(&self) -> CancellationToken {
        self.ledger.fatal()
    }

    /// Reads the configuration again, and puts it in force if it is right. What came of it is logged.
    pub async fn reload(&self) {
        // The answer is for whoever asks over HTTP.
        let _ = self.reloader.reload().await;
    }

    /// Takes nothing new, lets what is under way end within the drain limit, then closes the ledger.
    pub async fn stop(self) -> Stopped {
        self.shutdown.cancel();
        self.tasks.close();
        let all = async {
            self.tasks.wait().await;
            self.payments.drain().await;
        };
        let drained = timeout(self.drain, all).await.is_ok();
        self.ledger.close().await;
        if drained { Stopped::Drained } else { Stopped::Cut }
    }

    fn serve(
        &self,
        listeners: Listeners,
        tls: Option<Tls>,
        settings: Settings,
        ready: Arc<dyn Ready>,
        metrics: MetricsPage,
    ) {
        let limits = settings.limits;
        let config = FrontConfig {
            limits: limits.clone(),
            metrics: settings.metrics,
            proxies: settings.proxies,
            fronts_in_the_open: settings.fronts_in_the_open,
        };
        let front = Front::new(config, self.payments.clone(), ready, metrics.clone());
        self.listen(listeners.http.listener, tls, front.router(), limits.clone());
        if let (Some(bound), Some(admin)) = (listeners.admin, settings.admin) {
            let payments = self.payments.clone();
            let reload = self.reloader.clone();
            let admin =
                admin::Admin { limits: limits.clone(), payments, token: admin.token, metrics, reload };
            self.listen(bound.listener, None, admin::router(admin), limits);
        }
    }

    fn listen(
        &self,
        listener: TcpListener,
        tls: Option<Tls>,
        router: axum::Router,
        limits: paymux_http::Limits,
    ) {
        let shutdown = self.shutdown.clone();
        match tls {
            Some(tls) => self.tasks.spawn(paymux_http::serve_tls(listener, tls, router, limits, shutdown)),
            None => self.tasks.spawn(paymux_http::serve(listener, router, limits, shutdown)),
        };
    }
}

/// A listener and where it really stands: port 0 took a free one.
struct Bound {
    listener: TcpListener,
    address: SocketAddr,
}

struct Listeners {
    http: Bound,
    admin: Option<Bound>,
}

impl Listeners {
    async fn bind(settings: &Settings) -> Result<Self, StartError> {
        let http = Bound::at(settings.http, "server.http").await?;
        let admin = match &settings.admin {
            Some(admin) => Some(Bound::at(admin.address, "server.admin").await?),
            None => None,
        };
        Ok(Self { http, admin })
    }
}

impl Bound {
    async fn at(address: SocketAddr, key: &'static str) -> Result<Self, StartError> {
        let failed = |error| StartError::Listen { address, key, error };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }
}

fn own_address(http: SocketAddr, is_tls: bool) -> Option<Endpoint> {
    Endpoint::parse(&format!("{}://{http}", scheme(is_tls)), PlainHttp::LoopbackOnly).ok()
}

/// What the use cases need, over that store.
pub(crate) fn ports(settings: &Settings, store: impl Store) -> Result<Ports, SetupError> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let dial = DialSettings {
        connect_max: settings.connect,
        guard: Guard {
            allow_private_addresses: settings.allow_private_addresses,
            allow_plain_http: settings.allow_plain_http,
        },
        ..DialSettings::default()
    };
    let transport: Arc<dyn Transport> = Arc::new(Dialler::new(&dial, clock.clone())?);
    Ok(Ports { store: Arc::new(store), transport, clock, rng: Arc::new(SystemRng) })
}

/// What `/readyz` looks at.
struct Look {
    ledger: Arc<Ledger>,
    in_force: InForce,
}

#[async_trait]
impl Ready for Look {
    async fn look(&self) -> Readiness {
        let store = self.ledger.ping().await.map_err(|error| error.to_string());
        Readiness { store, config: self.in_force.hash() }
    }
}
