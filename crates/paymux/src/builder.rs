//! The set-up of an embedder: apps, channels, routes and ports, put together and judged as one.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use paymux_core::catalog::{Catalog, CatalogHandle};
use paymux_core::payments::Ports;
use paymux_core::wire::{Endpoint, PlainHttp};
use paymux_core::{App, Clock, Payments, Rng, Store, Transport};
use tokio::sync::Notify;

use crate::check;
use crate::mistake::{Mistakes, OpenError};
use crate::node::{Closer, Paymux};
use crate::observer::{Ears, Observer};
use crate::plan::{ChannelPlan, RoutePlan};
use crate::random::SystemRng;
use crate::witness::{Witness, Witnessed};
use crate::workers::{self, Intervals, Workers};

/// What callback addresses are built on where no money is real and nobody said anything.
const LOCAL: &str = "http://127.0.0.1:8080";
/// How long stopping may take.
const DRAIN: Duration = Duration::from_secs(30);

/// A change of what the catalog is made with.
type Tuning = Box<dyn FnOnce(&mut Catalog) + Send>;

/// Puts paymux together. [`Builder::catalog`] ends with what a [`Router`](crate::Router) picks by,
/// [`Builder::open`] with payments over a ledger.
#[derive(Default)]
pub struct Builder {
    pub(crate) apps: Vec<Result<App, String>>,
    pub(crate) channels: Vec<ChannelPlan>,
    pub(crate) routes: Vec<RoutePlan>,
    pub(crate) test_mode: bool,
    public_url: Option<String>,
    tune: Vec<Tuning>,
    store: Option<Arc<dyn Store>>,
    closer: Closer,
    clock: Option<Arc<dyn Clock>>,
    rng: Option<Arc<dyn Rng>>,
    transport: Option<Arc<dyn Transport>>,
    observers: Vec<Arc<dyn Witness>>,
    intervals: Intervals,
    drain: Option<Duration>,
}

impl Builder {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// An app of that name: whose payments, refunds and notices they are. Without keys, since nobody calls over HTTP.
    pub fn app(mut self, id: &str) -> Self {
        let app = id.parse().map(|id| App::new(id, &[]));
        self.apps.push(app.map_err(|error| error.to_string()));
        self
    }

    /// An app with addresses, secrets and scopes of its own.
    pub fn app_with(mut self, app: App) -> Self {
        self.apps.push(Ok(app));
        self
    }

    /// A channel.
    pub fn channel(mut self, channel: ChannelPlan) -> Self {
        self.channels.push(channel);
        self
    }

    /// A route. The first that takes a payment has it.
    pub fn route(mut self, route: RoutePlan) -> Self {
        self.routes.push(route);
        self
    }

    /// Lets channels in that move no real money. Without it they are a mistake, so that test money never passes for
    /// real.
    pub fn test_mode(mut self) -> Self {
        self.test_mode = true;
        self
    }

    /// What providers reach this service under: callbacks come to `/notify/{channel}` below it, payers come back to
    /// `/return/{channel}/{number}`. Payments over a channel that moves real money need it.
    pub fn public_url(mut self, url: impl Into<String>) -> Self {
        self.public_url = Some(url.into());
        self
    }

    /// Changes what else a catalog says: timing, health, day zone, the schedule of notices.
    pub fn tune(mut self, tune: impl FnOnce(&mut Catalog) + Send + 'static) -> Self {
        self.tune.push(Box::new(tune));
        self
    }

    /// The ledger, behind core's port. For `paymux::store::Ledger` there is `ledger`, which also closes it.
    pub fn store(mut self, store: Arc<dyn Store>) -> Self {
        self.store = Some(store);
        self.closer = Closer::default();
        self
    }

    /// The ledger on SQLite or PostgreSQL. It is closed where [`Paymux::run`] ends.
    #[cfg(feature = "sql")]
    pub fn ledger(mut self, ledger: paymux_store::Ledger) -> Self {
        let ledger = Arc::new(ledger);
        self.store = Some(ledger.clone());
        self.closer = Closer::of(ledger);
        self
    }

    /// Time; the machine's where the feature `transport` is on.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Randomness, of which ids and choices are made; the operating system's where nothing is said. Whoever can
    /// foresee it can guess ids.
    pub fn rng(mut self, rng: Arc<dyn Rng>) -> Self {
        self.rng = Some(rng);
        self
    }

    /// The way out; the one dialler of paymux where the feature `transport` is on.
    pub fn transport(mut self, transport: Arc<dyn Transport>) -> Self {
        self.transport = Some(transport);
        self
    }

    /// Somebody who hears of decisions, attempts and events.
    pub fn observer(mut self, observer: impl Observer) -> Self {
        self.observers.push(Arc::new(Ears(Arc::new(observer))));
        self
    }

    /// How often workers look.
    pub fn intervals(mut self, intervals: Intervals) -> Self {
        self.intervals = intervals;
        self
    }

    /// How long [`Paymux::run`] waits in the end for what is under way; 30 s where nothing is said.
    pub fn drain(mut self, limit: Duration) -> Self {
        self.drain = Some(limit);
        self
    }

    /// What a router picks by; also what [`Payments::replace_catalog`] takes.
    ///
    /// # Errors
    /// Every rule that the set-up breaks.
    pub fn catalog(mut self) -> Result<Catalog, Mistakes> {
        self.take_catalog()
    }

    /// Payments over the ledger: has it know the channels, and reads what strategies look at. Nothing runs by itself
    /// after that until [`Paymux::run`].
    ///
    /// # Errors
    /// One variant of [`OpenError`] a cause.
    pub async fn open(mut self) -> Result<Paymux, OpenError> {
        let catalog = self.take_catalog()?;
        self.check_public_url(&catalog)?;
        let wake = Arc::new(Notify::new());
        let mut witnesses = std::mem::take(&mut self.observers);
        witnesses.push(wake.clone());
        let ports = self.ports(witnesses)?;
        let payments = Payments::new(ports, CatalogHandle::new(catalog));
        let bound = payments.bind_channels().await.map_err(OpenError::Ledger)?;
        for overruled in bound.map_err(OpenError::Bound)? {
            tracing::warn!("{overruled}");
        }
        workers::read_figures(&payments).await;
        let workers = Workers::new(payments.clone(), self.intervals, wake);
        Ok(Paymux::new(payments, workers, self.closer, self.drain.unwrap_or(DRAIN)))
    }

    fn take_catalog(&mut self) -> Result<Catalog, Mistakes> {
        let mut mistakes = Mistakes::none();
        let url = self.public_url.as_deref().unwrap_or(LOCAL);
        let url = mistakes.good("public_url", Endpoint::parse(url, PlainHttp::LoopbackOnly));
        let parts = check::parts(self, &mut mistakes);
        let Some(url) = url else { return Err(mistakes) };
        let check::Parts { apps, channels, routes, own } = mistakes.unless_any(parts)?;
        let mut catalog = Catalog::new(apps, channels, routes, url);
        for (route, strategy) in own {
            catalog.pick_by(&route, strategy);
        }
        for tune in std::mem::take(&mut self.tune) {
            tune(&mut catalog);
        }
        Ok(catalog)
    }

    /// A provider must know where to call.
    fn check_public_url(&self, catalog: &Catalog) -> Result<(), Mistakes> {
        let mut mistakes = Mistakes::none();
        let is_live = |channel: &&paymux_core::catalog::ChannelEntry| channel.channel.descriptor().livemode;
        if self.public_url.is_none()
            && let Some(live) = catalog.channels().iter().find(is_live)
        {
            let rule = format!("required: `{}` moves real money, and its provider sends callbacks", live.id);
            mistakes.add("public_url", rule);
        }
        mistakes.unless_any(())
    }

    fn ports(&mut self, witnesses: Vec<Arc<dyn Witness>>) -> Result<Ports, OpenError> {
        let store = self.store.take().ok_or(OpenError::Missing {
            what: "a store",
            how: "give one with `store`, or turn on the feature `sqlite` or `postgres` and give it with `ledger`",
        })?;
        let clock = self.clock.take().or_else(machine_clock).ok_or(OpenError::Missing {
            what: "a clock",
            how: "give one with `clock`, or turn on the feature `transport`",
        })?;
        let transport = match self.transport.take() {
            Some(transport) => transport,
            None => dialler(&clock)?,
        };
        let rng = self.rng.take().unwrap_or_else(|| Arc::new(SystemRng));
        Ok(Ports { store: Arc::new(Witnessed::new(store, witnesses)), transport, clock, rng })
    }
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (channels, routes) = (&self.channels, &self.routes);
        f.debug_struct("Builder").field("channels", channels).field("routes", routes).finish_non_exhaustive()
    }
}

#[cfg(feature = "transport")]
#[expect(clippy::unnecessary_wraps, reason = "the other build has none")]
fn machine_clock() -> Option<Arc<dyn Clock>> {
    Some(Arc::new(paymux_transport::SystemClock::new()))
}

#[cfg(not(feature = "transport"))]
fn machine_clock() -> Option<Arc<dyn Clock>> {
    None
}

#[cfg(feature = "transport")]
fn dialler(clock: &Arc<dyn Clock>) -> Result<Arc<dyn Transport>, OpenError> {
    let settings = paymux_transport::Settings::default();
    Ok(Arc::new(paymux_transport::Dialler::new(&settings, Arc::clone(clock))?))
}

#[cfg(not(feature = "transport"))]
fn dialler(_: &Arc<dyn Clock>) -> Result<Arc<dyn Transport>, OpenError> {
    Err(OpenError::Missing {
        what: "a way out",
        how: "give one with `transport`, or turn on the feature `transport`",
    })
}
