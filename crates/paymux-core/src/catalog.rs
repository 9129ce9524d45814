//! What is configured, as one immutable value that is swapped whole.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use paymux_sign::WebhookSecret;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::channel::Channel;
use crate::day::DayZone;
use crate::fronts::Fronts;
use crate::hours::Hours;
use crate::ids::{AppId, ChannelId, PaymentId, RouteName};
use crate::method::{Method, MethodPattern};
use crate::money::Currency;
use crate::notices::SCHEDULE;
use crate::region::Region;
use crate::router::{Ask, HealthRules, Live, OwnStrategy, Table, Version};
use crate::secret::Secret;
use crate::store::{CapacityLimits, Ring};
use crate::wire::Endpoint;
use crate::words::words;

/// The largest weight of a channel.
pub const WEIGHT_MAX: u32 = 10_000;
/// A fee of the whole payment, in hundredths of a percent.
pub const FEE_BP_MAX: u32 = 10_000;
/// The most further channels that one payment tries.
pub const FAILOVER_MAX: u32 = 16;

/// The catalog behind its swap: readers take a whole one and keep it for one piece of work.
#[derive(Clone)]
pub struct CatalogHandle(Arc<ArcSwap<Catalog>>);

impl CatalogHandle {
    /// A handle on that catalog.
    pub fn new(catalog: Catalog) -> Self {
        catalog.compile();
        Self(Arc::new(ArcSwap::from_pointee(catalog)))
    }

    /// The catalog of this moment.
    pub fn load(&self) -> Arc<Catalog> {
        self.0.load_full()
    }

    /// Puts another in its place; work under way keeps the old one.
    pub fn replace(&self, mut catalog: Catalog) {
        let old = self.0.load();
        catalog.live = old.live.clone();
        catalog.forget_compiled();
        // Compiled before the swap: no payment waits for it.
        catalog.compile();
        if old.version().digest() == catalog.version().digest() {
            // It is in the ledger already, where the old one is.
            catalog.version.clone_from(&old.version);
        }
        self.0.store(Arc::new(catalog));
    }
}

impl fmt::Debug for CatalogHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CatalogHandle(..)")
    }
}

/// Apps, channels, routes and the numbers that the core works by.
#[derive(Debug)]
pub struct Catalog {
    apps: BTreeMap<AppId, App>,
    keys: BTreeMap<KeyDigest, AppId>,
    channels: Vec<ChannelEntry>,
    routes: Vec<Route>,
    /// Strategies of an embedder's own, by the routes that pick by them.
    own_strategies: BTreeMap<RouteName, Arc<dyn OwnStrategy>>,
    /// Routes and channels as the router reads them; made from both when it is first asked for.
    table: OnceLock<Table>,
    /// What of it the records of decisions are read with; made like `table`.
    version: OnceLock<Arc<Version>>,
    /// What changes while payments are routed; shared with the catalog that takes this one's place.
    live: Arc<Live>,
    /// How long things may take.
    pub timing: Timing,
    /// When a channel that does not work is left out for a while.
    pub health: HealthRules,
    /// By whose days limits of a day count.
    pub day_zone: DayZone,
    /// How long after each failed try of a notice the next one comes; after the last it is dead.
    pub notice_schedule: Vec<Duration>,
    /// What callback and return addresses are built on.
    pub public_url: Endpoint,
    /// How many unverified callbacks a channel keeps.
    pub callback_ring: Ring,
    /// The protocols that are spoken to apps beside the native API.
    pub fronts: Fronts,
}

/// SHA-256 of an API key: looking a digest up tells an attacker nothing about the key.
type KeyDigest = [u8; 32];

fn digest(key: &str) -> KeyDigest {
    Sha256::digest(key.as_bytes()).into()
}

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// One call to a provider.
    pub request: Duration,
    /// A create answers by then, with `processing` if it must.
    pub answer: Duration,
    /// Another channel is tried only so long after the first call began.
    pub failover_budget: Duration,
    /// One call to a merchant.
    pub notice: Duration,
    /// How long after a call's deadline a provider may still be working on it: before that, nobody can
    /// say that no money came.
    pub settle: Duration,
    /// How long something may be unknown before it waits for a person.
    pub patience: Duration,
    /// How long an `Idempotency-Key` stands for its request.
    pub key_life: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            request: Duration::from_secs(15),
            answer: Duration::from_secs(20),
            failover_budget: Duration::from_secs(10),
            notice: Duration::from_secs(15),
            settle: Duration::from_mins(10),
            patience: Duration::from_mins(5),
            key_life: Duration::from_hours(30 * 24),
        }
    }
}

impl Catalog {
    /// Puts a catalog together.
    pub fn new(
        apps: Vec<App>,
        channels: Vec<ChannelEntry>,
        routes: Vec<Route>,
        public_url: Endpoint,
    ) -> Self {
        let keys =
            apps.iter().flat_map(|app| app.key_digests.iter().map(|key| (*key, app.id.clone()))).collect();
        Self {
            apps: in_slots(apps),
            keys,
            channels,
            routes,
            own_strategies: BTreeMap::new(),
            table: OnceLock::new(),
            version: OnceLock::new(),
            live: Arc::default(),
            timing: Timing::default(),
            health: HealthRules::default(),
            day_zone: DayZone::default(),
            notice_schedule: SCHEDULE.to_vec(),
            public_url,
            callback_ring: Ring { rows: 1000, bytes: 16 * 1024 * 1024 },
            fronts: Fronts::default(),
        }
    }

    /// The channels, in the order of the configuration.
    pub fn channels(&self) -> &[ChannelEntry] {
        &self.channels
    }

    /// The routes, in the order of the configuration: the first that matches takes the payment.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// The channels and the routes, to be changed before the catalog is used.
    pub fn edit(&mut self) -> (&mut Vec<ChannelEntry>, &mut Vec<Route>) {
        self.forget_compiled();
        (&mut self.channels, &mut self.routes)
    }

    /// Has that route pick by a strategy of the embedder's own instead of its [`Route::strategy`]. A catalog that takes
    /// this one's place is told anew.
    pub fn pick_by(&mut self, route: &RouteName, strategy: Arc<dyn OwnStrategy>) {
        self.forget_compiled();
        self.own_strategies.insert(route.clone(), strategy);
    }

    /// The strategy of the embedder's own that the route picks by, if it does.
    pub(crate) fn own_strategy(&self, route: &RouteName) -> Option<&Arc<dyn OwnStrategy>> {
        self.own_strategies.get(route)
    }

    /// Routes and channels as the router reads them.
    pub(crate) fn table(&self) -> &Table {
        self.table.get_or_init(|| Table::new(self))
    }

    /// What of it the records of decisions are read with.
    pub fn version(&self) -> &Version {
        self.version.get_or_init(|| Arc::new(Version::of(self)))
    }

    /// Makes what is made of it when it is first asked for.
    fn compile(&self) {
        self.table();
        self.version();
    }

    fn forget_compiled(&mut self) {
        self.table.take();
        self.version.take();
    }

    /// What changes while payments are routed.
    pub fn live(&self) -> &Arc<Live> {
        &self.live
    }

    /// How many apps there are.
    pub(crate) fn app_count(&self) -> usize {
        self.apps.len()
    }

    /// Where the router finds that app; an app that the catalog does not have is in no list of a route.
    pub fn app_slot(&self, id: &AppId) -> AppSlot {
        self.app(id).map_or(AppSlot::UNKNOWN, |app| app.slot)
    }

    /// The apps, by their ids.
    pub fn apps(&self) -> impl Iterator<Item = &App> {
        self.apps.values()
    }

    /// The app of that id.
    pub fn app(&self, id: &AppId) -> Option<&App> {
        self.apps.get(id)
    }

    /// The app whose key, current or previous, this is.
    pub fn app_by_key(&self, key: &str) -> Option<&App> {
        self.keys.get(&digest(key)).and_then(|id| self.apps.get(id))
    }

    /// The channel of that id.
    pub fn channel(&self, id: &ChannelId) -> Option<&ChannelEntry> {
        self.channels.iter().find(|entry| entry.id == *id)
    }

    /// Where a channel stands in its life: what the ledger says, or where it has said nothing, the configuration.
    pub fn state(&self, entry: &ChannelEntry) -> Lifecycle {
        self.live.state(&entry.id).unwrap_or(entry.state)
    }

    /// The channel of that id, unless it is off.
    pub(crate) fn open_channel(&self, id: &ChannelId) -> Option<&ChannelEntry> {
        self.channel(id).filter(|entry| self.state(entry) != Lifecycle::Off)
    }

    /// Where that channel's provider sends its callbacks. No query: some providers cannot carry one.
    pub fn notify_url(&self, channel: &ChannelId) -> String {
        self.public_url.join(&format!("/notify/{channel}"), None)
    }

    /// The page on which that payment's payer pays.
    pub fn cashier_url(&self, payment: PaymentId) -> String {
        self.public_url.join(&format!("/pay/{payment}"), None)
    }

    /// The route of that name.
    pub fn route(&self, name: &RouteName) -> Option<&Route> {
        self.routes.iter().find(|route| route.name == *name)
    }

    /// Where a payer's browser comes back from that order.
    pub fn return_url(&self, channel: &ChannelId, number: &str) -> String {
        self.public_url.join(&format!("/return/{channel}/{number}"), None)
    }
}

/// Gives each app its slot.
fn in_slots(apps: Vec<App>) -> BTreeMap<AppId, App> {
    let mut apps: BTreeMap<AppId, App> = apps.into_iter().map(|app| (app.id.clone(), app)).collect();
    for (place, app) in apps.values_mut().enumerate() {
        app.slot = AppSlot::of(place);
    }
    apps
}

/// Where one catalog keeps an app: instead of its name, on the way of a routing decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AppSlot(usize);

impl AppSlot {
    /// No app of the catalog.
    pub(crate) const UNKNOWN: Self = Self(usize::MAX);

    pub(crate) const fn of(place: usize) -> Self {
        Self(place)
    }

    /// The place among `count` apps; `count` itself for an unknown one.
    pub(crate) fn place(self, count: usize) -> usize {
        self.0.min(count)
    }
}

/// A merchant application.
#[derive(Debug)]
pub struct App {
    /// Its id.
    pub id: AppId,
    slot: AppSlot,
    /// SHA-256 of its API keys, current and previous.
    key_digests: Vec<KeyDigest>,
    /// Where its notices go.
    pub notify_url: Option<Endpoint>,
    /// Where a payer's browser goes from our page once the payment has ended unpaid.
    pub timeout_url: Option<Endpoint>,
    /// What its notices are signed with, the current one first; a previous one signs too.
    pub notify_secrets: Vec<WebhookSecret>,
    /// Whether a payment may name a plain http address for its notices. The transport's own rules
    /// hold besides.
    pub allow_http_notify: bool,
    /// What it may do.
    pub scopes: Vec<Scope>,
    /// What is done with money that a second attempt took.
    pub duplicate_paid: DuplicatePaid,
    /// What is done with money that comes after its payment had ended.
    pub late_success: LateSuccess,
    /// The most that one transfer, and that all transfers of one day ([`Catalog::day_zone`]), may pay out, in minor
    /// units of each currency. `None` = none may.
    pub transfer_amount_max: Option<i64>,
}

words! {
    /// A part of the API that an app may use.
    Scope {
        /// Payments.
        Payments = "payments",
        /// Refunds of its payments.
        Refunds = "refunds",
        /// Paying out.
        Transfers = "transfers",
    }
}

words! {
    /// What is done with money that a second attempt of a payment took.
    DuplicatePaid {
        /// It waits for a person.
        Hold = "hold",
        /// It goes back where the provider can do that; else it waits for a person.
        Refund = "refund",
    }
}

words! {
    /// What is done with the whole money of a payment that had ended unpaid.
    Late {
        /// The payment has succeeded.
        Accept = "accept",
        /// It waits for a person.
        Hold = "hold",
    }
}

/// What is done with late money, by how the payment had ended. After `failed` it is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LateSuccess {
    /// After its time had run out.
    pub expired: Late,
    /// After the merchant had canceled it.
    pub canceled: Late,
}

impl Default for LateSuccess {
    fn default() -> Self {
        Self { expired: Late::Accept, canceled: Late::Hold }
    }
}

impl App {
    /// An app with those API keys.
    pub fn new(id: AppId, api_keys: &[Secret]) -> Self {
        let key_digests = api_keys.iter().map(|key| digest(key.expose())).collect();
        Self {
            id,
            slot: AppSlot::UNKNOWN,
            key_digests,
            notify_url: None,
            timeout_url: None,
            notify_secrets: Vec::new(),
            allow_http_notify: false,
            scopes: vec![Scope::Payments, Scope::Refunds],
            duplicate_paid: DuplicatePaid::Hold,
            late_success: LateSuccess::default(),
            transfer_amount_max: None,
        }
    }
}

words! {
    /// Where a channel stands in its life.
    Lifecycle {
        /// Everything.
        Active = "active",
        /// Everything but new payments.
        Draining = "draining",
        /// Callbacks, queries, closes and refunds; nothing is paid out.
        VerifyOnly = "verify-only",
        /// Nothing.
        Off = "off",
    }
}

/// One configured account.
#[derive(Clone)]
pub struct ChannelEntry {
    /// Its id.
    pub id: ChannelId,
    /// The account itself.
    pub channel: Arc<dyn Channel>,
    /// Where it stands in its life while the ledger does not know it yet: see [`Catalog::state`].
    pub state: Lifecycle,
    /// Only these methods; `None` = all that the provider can.
    pub methods: Option<Vec<MethodPattern>>,
    /// What it may collect.
    pub rules: Rules,
    /// For strategies that weigh; at least 1.
    pub weight: u32,
    /// What the provider takes of each payment, in hundredths of a percent.
    pub fee_bp: Option<u32>,
    /// Its own limit for one call, instead of the general one.
    pub request: Option<Duration>,
}

impl fmt::Debug for ChannelEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChannelEntry")
            .field("id", &self.id)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

impl ChannelEntry {
    /// An active channel without rules.
    pub fn new(id: ChannelId, channel: Arc<dyn Channel>) -> Self {
        Self {
            id,
            channel,
            state: Lifecycle::Active,
            methods: None,
            rules: Rules::default(),
            weight: 1,
            fee_bp: None,
            request: None,
        }
    }

    /// How long one create of that method may take here.
    pub fn request_limit(&self, method: Method, timing: &Timing) -> Duration {
        let floor = self.channel.descriptor().method(method).and_then(|spec| spec.request_min);
        self.request.unwrap_or(timing.request).max(floor.unwrap_or_default())
    }
}

/// What a channel may collect (收款规则): all that is set must hold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// The currency that the amounts and days below are of. A payment in another one is not taken where one of them
    /// stands.
    pub currency: Currency,
    /// The least amount, in minor units of the payment's currency.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_min: Option<i64>,
    /// The largest amount.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub amount_max: Option<i64>,
    /// The most that attempts of one day may come to, paid or still payable. Late money is booked all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day_amount_max: Option<i64>,
    /// The most attempts of one day that were paid or are still payable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub day_count_max: Option<i64>,
    /// The most attempts that are under way at once: being placed, waiting for their payers, or unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_flight_max: Option<i64>,
    /// In one of these times of day, in the day zone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hours: Option<Vec<Hours>>,
    /// From payers in one of these regions; a payer whose region is unknown is in none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub regions: Option<Vec<Region>>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            currency: Currency::CNY,
            amount_min: None,
            amount_max: None,
            day_amount_max: None,
            day_count_max: None,
            in_flight_max: None,
            hours: None,
            regions: None,
        }
    }
}

impl Rules {
    /// Whether they say anything about amounts or days, and so let only payments in their currency pass.
    pub const fn are_of_one_currency(&self) -> bool {
        self.amount_min.is_some() || self.amount_max.is_some() || self.has_day()
    }

    /// Whether a day has a limit.
    pub(crate) const fn has_day(&self) -> bool {
        self.day_amount_max.is_some() || self.day_count_max.is_some()
    }

    /// Whether what was taken before can leave no room.
    pub const fn has_limits(&self) -> bool {
        self.has_day() || self.in_flight_max.is_some()
    }

    /// The limits of a day.
    pub(crate) const fn day_limits(&self) -> CapacityLimits {
        CapacityLimits { amount: self.day_amount_max, count: self.day_count_max }
    }

    /// The limit of what is under way.
    pub(crate) const fn flight_limits(&self) -> CapacityLimits {
        CapacityLimits { amount: None, count: self.in_flight_max }
    }
}

words! {
    /// How a route picks among the channels that are left.
    Strategy {
        /// Uniform (普通随机).
        Random = "random",
        /// Uniform, without the channel of the last completed payment (智能随机).
        SmartRandom = "smart-random",
        /// Uniform, without the channel that has collected most today (均匀收款).
        Even = "even",
        /// In proportion to the channels' weights.
        Weighted = "weighted",
        /// In turns, by the channels' weights; each node takes turns of its own.
        RoundRobin = "round-robin",
        /// The first in the order of the route.
        Priority = "priority",
        /// The channel that has collected least today.
        LeastCollected = "least-collected",
        /// The lowest `fee_bp`.
        Cheapest = "cheapest",
        /// Where calls go well most often, and now and then anywhere, so that a channel that is well again is found.
        Adaptive = "adaptive",
        /// The same channel for the same payer, or else for the same order.
        Sticky = "sticky",
    }
}

impl Strategy {
    /// Whether it looks at what channels have collected today.
    pub const fn looks_at_collected(self) -> bool {
        matches!(self, Self::Even | Self::LeastCollected)
    }

    /// Whether it looks at how often calls go well.
    pub const fn looks_at_rates(self) -> bool {
        matches!(self, Self::Adaptive)
    }

    /// Whether it looks at anything that the ledger knows.
    pub const fn looks_at_figures(self) -> bool {
        self.looks_at_collected() || self.looks_at_last_completed()
    }

    /// Whether it looks at which channel completed the last payment.
    pub const fn looks_at_last_completed(self) -> bool {
        matches!(self, Self::SmartRandom)
    }
}

words! {
    /// What a route does after an unknown create that nobody can pay.
    FailoverUnknown {
        /// Gives the attempt up, watches it, and tries the next channel.
        Abandon = "abandon",
        /// Waits for a definite end.
        Never = "never",
    }
}

/// A rule that maps payments to channels.
#[derive(Debug, Clone)]
pub struct Route {
    /// Its name.
    pub name: RouteName,
    /// Which payments it takes.
    pub when: When,
    /// How it picks.
    pub strategy: Strategy,
    /// Its channels in order, as places in [`Catalog::channels`].
    pub channels: Vec<usize>,
    /// How many further channels may be tried after a definite refusal.
    pub failover: u32,
    /// What happens after an unknown create that nobody can pay.
    pub failover_unknown: FailoverUnknown,
}

/// Which payments a route takes: all that is set must hold.
#[derive(Debug, Clone, Default)]
pub struct When {
    /// One of these apps.
    pub apps: Option<Vec<AppId>>,
    /// One of these methods.
    pub methods: Option<Vec<MethodPattern>>,
    /// At least this, in minor units.
    pub amount_min: Option<i64>,
    /// At most this.
    pub amount_max: Option<i64>,
    /// This currency; where only amounts are given they are CNY.
    pub currency: Option<Currency>,
    /// For each of these names, one of the values.
    pub metadata: BTreeMap<String, Vec<String>>,
    /// A payer with one of these ids of the merchant.
    pub payers: Option<Vec<String>>,
    /// A payer in one of these regions; a payer whose region is unknown is in none.
    pub regions: Option<Vec<Region>>,
}

impl When {
    /// Whether it asks for what only this one payment can tell.
    pub(crate) fn is_particular(&self) -> bool {
        !self.metadata.is_empty() || self.payers.is_some()
    }

    /// Whether that holds.
    pub(crate) fn holds_particulars(&self, ask: &Ask<'_>) -> bool {
        let has = |(name, values): (&String, &Vec<String>)| {
            ask.metadata.get(name).is_some_and(|value| values.contains(value))
        };
        let is_payer = |ids: &Vec<String>| ask.payer.id.as_ref().is_some_and(|id| ids.contains(id));
        self.metadata.iter().all(has) && self.payers.as_ref().is_none_or(is_payer)
    }

    /// The currency that must be: the one named, or CNY where an amount stands without one.
    pub fn currency(&self) -> Option<Currency> {
        let amounts = self.amount_min.or(self.amount_max).map(|_| Currency::CNY);
        self.currency.or(amounts)
    }
}
