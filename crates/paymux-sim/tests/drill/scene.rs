//! The drill itself: tills that scan at drawn moments, ask again, cancel and wait for the end; a paymux that looks
//! after them and dies now and then; and FuFu.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use paymux_core::catalog::{App, Catalog, ChannelEntry, FailoverUnknown, Route, Strategy, When};
use paymux_core::ids::RouteName;
use paymux_core::payment::PaymentRequest;
use paymux_core::payments::Ports;
use paymux_core::provider::ChannelSite;
use paymux_core::wire::PlainHttp;
use paymux_core::{
    AppId, CatalogHandle, ChannelId, Clock as _, Endpoint, NewPayment, Payment, PaymentId, Payments, Status,
    Timestamp,
};
use paymux_sim::{
    CallFault, FaultEffect, FaultPlan, FufuSim, OrderState, OrderView, Rule, Running, SimConfig, Stats,
};
use paymux_testkit::{MemoryStore, SeededRng, TestClock};
use serde_json::json;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::line::{Call, FAULTS, Line, Payers};
use crate::plants::{Plant, Planted};

const SECOND: Duration = Duration::from_secs(1);
/// How long after the last till everything is read once more.
const AFTERMATH: Duration = Duration::from_mins(20);
/// FuFu's codes, by their place in the document's table.
const UNREGISTERED_BUSI: i64 = 7;
const EXCEPTION: i64 = 8;
const SERVICE_UNAVAILABLE: i64 = 10;

/// One drill.
pub(crate) struct Plan {
    pub(crate) seed: u64,
    /// One after the other; the groups of one at once.
    pub(crate) waves: Vec<Vec<Group>>,
    /// How often paymux dies in each.
    pub(crate) deaths: u32,
    pub(crate) plant: Plant,
    /// How long a till waits for an end before it gives up, and the judge is told that there was none.
    pub(crate) patience: Duration,
}

/// So many tills, at drawn moments from one moment on.
pub(crate) struct Group {
    from: Timestamp,
    lasts: Duration,
    tills: u32,
}

impl Group {
    pub(crate) fn new(from: &str, seconds: u64, tills: u32) -> Self {
        Self { from: from.parse().unwrap(), lasts: Duration::from_secs(seconds), tills }
    }
}

/// What one till was told.
#[derive(Debug, Clone)]
pub(crate) struct Purchase {
    /// The till's own number, which FuFu sees as what is sold.
    pub(crate) order_no: String,
    pub(crate) amount: i64,
    pub(crate) began: Timestamp,
    /// How long the till waited for its first answer.
    pub(crate) answered_in: Duration,
    /// When it was first told of an end, and of which.
    pub(crate) ended: Option<(Timestamp, Status)>,
    /// How the payment stands long afterwards.
    pub(crate) status: Status,
    pub(crate) received: i64,
    /// The answer to a cancel, if it asked for one.
    pub(crate) canceled: Option<String>,
}

/// All that the judge looks at.
pub(crate) struct Record {
    pub(crate) purchases: Vec<Purchase>,
    pub(crate) orders: Vec<OrderView>,
    pub(crate) stats: Stats,
    pub(crate) calls: Vec<Call>,
    pub(crate) deaths: Vec<Timestamp>,
    payers: Payers,
}

/// One till's plan.
struct Till {
    order_no: String,
    amount: i64,
    method: &'static str,
    auth_code: String,
    starts: Timestamp,
    /// How long after that it scans once more, and cancels.
    repeats: Option<Duration>,
    cancels: Option<Duration>,
}

struct Scene {
    ports: Ports,
    catalog: CatalogHandle,
    clock: Arc<TestClock>,
    node: Mutex<Payments>,
    deaths: Mutex<Vec<Timestamp>>,
    patience: Duration,
}

/// Plays a drill to its end.
pub(crate) async fn run(plan: &Plan) -> Record {
    let clock = Arc::new(TestClock::new());
    let accounts = ["fufu-a", "fufu-b"];
    let sim = fufu(plan, accounts, clock.clone()).await;
    let line = Line::new(sim.bank().clone(), clock.clone(), plan.seed);
    let scene = Arc::new(Scene::new(plan, &sim, accounts, &line, clock));
    let mut rng = fastrand::Rng::with_seed(plan.seed ^ 0x7111);
    let mut purchases = Vec::new();
    for wave in &plan.waves {
        let tills = draw_wave(&mut rng, wave, purchases.len());
        purchases.extend(scene.play(&mut rng, tills, plan.deaths).await);
    }
    scene.read_again(&mut purchases).await;
    let record = Record {
        purchases,
        orders: sim.bank().orders(),
        stats: sim.bank().stats(),
        calls: line.calls(),
        deaths: scene.deaths.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        payers: line.payers(),
    };
    sim.stop().await;
    record
}

/// FuFu with two accounts, and with faults of its own: codes that say nothing of what was done, and orders that do
/// not end by themselves.
async fn fufu(plan: &Plan, accounts: [&str; 2], clock: Arc<TestClock>) -> Running {
    let code =
        |per_million, code, effect| Rule::chance(per_million, CallFault::Code { code, effect }).on("pay");
    let calls = vec![
        code(30_000, EXCEPTION, FaultEffect::Done),
        code(20_000, EXCEPTION, FaultEffect::None),
        code(20_000, SERVICE_UNAVAILABLE, FaultEffect::Done),
        code(30_000, UNREGISTERED_BUSI, FaultEffect::None),
        Rule::chance(250_000, CallFault::NeverEnds).on("pay"),
    ];
    let config = SimConfig {
        accounts: accounts.iter().zip(1..).map(|(key, seed)| FufuSim::account(key, seed, None)).collect(),
        seed: plan.seed,
        clock,
        faults: FaultPlan { calls, notices: Vec::new() },
        ..SimConfig::default()
    };
    FufuSim::start(config).await.unwrap()
}

impl Scene {
    fn new(plan: &Plan, sim: &Running, accounts: [&str; 2], line: &Line, clock: Arc<TestClock>) -> Self {
        let ports = Ports {
            store: Arc::new(MemoryStore::new()),
            transport: Arc::new(line.clone()),
            clock: clock.clone(),
            rng: Arc::new(SeededRng::new(plan.seed)),
        };
        let channels =
            accounts.iter().zip(1..).map(|(key, seed)| channel(plan.plant, sim, key, seed)).collect();
        let catalog = CatalogHandle::new(catalog(channels));
        let node = Mutex::new(Payments::new(ports.clone(), catalog.clone()));
        Self { ports, catalog, clock, node, deaths: Mutex::default(), patience: plan.patience }
    }

    /// The paymux that lives now.
    fn node(&self) -> Payments {
        self.node.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// It dies wherever it stands, and another takes its place.
    fn die(&self) {
        let mut node = self.node.lock().unwrap_or_else(PoisonError::into_inner);
        node.halt();
        *node = Payments::new(self.ports.clone(), self.catalog.clone());
        self.deaths.lock().unwrap_or_else(PoisonError::into_inner).push(self.clock.now());
    }

    async fn until(&self, moment: Timestamp) {
        self.clock.sleep(moment.since(self.clock.now())).await;
    }

    /// One wave: its tills, the workers, and the deaths.
    async fn play(self: &Arc<Self>, rng: &mut fastrand::Rng, tills: Vec<Till>, deaths: u32) -> Vec<Purchase> {
        let (first, last) = (tills[0].starts, tills[tills.len() - 1].starts);
        self.until(first).await;
        let sweeper = tokio::spawn(self.clone().sweep());
        let mut dying = JoinSet::new();
        for _ in 0..deaths {
            let (scene, after) = (self.clone(), within(rng, last.since(first)));
            dying.spawn(async move {
                sleep(after).await;
                scene.die();
            });
        }
        let mut running = JoinSet::new();
        for till in tills {
            running.spawn(self.clone().serve(till));
        }
        let purchases = running.join_all().await;
        sweeper.abort();
        purchases
    }

    /// The worker, a round each second, none of which waits for another.
    async fn sweep(self: Arc<Self>) {
        loop {
            let node = self.node();
            tokio::spawn(async move { node.sweep().await });
            sleep(SECOND).await;
        }
    }

    /// A till from its scan to the end.
    async fn serve(self: Arc<Self>, till: Till) -> Purchase {
        self.until(till.starts).await;
        let repeat = till.repeats.map(|after| tokio::spawn(self.clone().repeat(till.request(), after)));
        let waited = self.clock.mono();
        let payment = self.ask(&till).await;
        let answered_in = self.clock.mono().0.saturating_sub(waited.0);
        let cancel = till.cancels.map(|after| tokio::spawn(self.clone().cancel(payment.id, after)));
        let ended = self.end_of(payment.id).await;
        let same = match repeat {
            Some(repeat) => repeat.await.unwrap(),
            None => None,
        };
        assert!(same.is_none_or(|id| id == payment.id), "a repeat is the same payment");
        let canceled = match cancel {
            Some(cancel) => Some(cancel.await.unwrap()),
            None => None,
        };
        Purchase {
            order_no: till.order_no,
            amount: till.amount,
            began: till.starts,
            answered_in,
            ended,
            status: payment.status,
            received: 0,
            canceled,
        }
    }

    /// Scans, and where paymux dies meanwhile, looks whether it knows of the scan, or scans again.
    async fn ask(&self, till: &Till) -> Payment {
        let request = till.request();
        loop {
            if let Ok(answer) = self.node().create(app(), request.clone()).await {
                return answer.payment;
            }
            sleep(SECOND).await;
            if let Ok(payment) = self.node().find_by_order(&app(), &request.order_no).await {
                return payment;
            }
        }
    }

    async fn repeat(self: Arc<Self>, request: NewPayment, after: Duration) -> Option<PaymentId> {
        sleep(after).await;
        self.node().create(app(), request).await.ok().map(|answer| answer.payment.id)
    }

    async fn cancel(self: Arc<Self>, id: PaymentId, after: Duration) -> String {
        sleep(after).await;
        match self.node().cancel(app(), id).await {
            Ok(payment) => payment.status.word().to_owned(),
            Err(error) => error.code().to_owned(),
        }
    }

    /// Looks each second.
    async fn end_of(&self, id: PaymentId) -> Option<(Timestamp, Status)> {
        let until = self.clock.mono().plus(self.patience);
        while self.clock.mono() < until {
            let payment = self.node().find(&app(), id).await.unwrap();
            if payment.status.is_over() {
                return Some((self.clock.now(), payment.status));
            }
            sleep(SECOND).await;
        }
        None
    }

    /// How all payments stand long afterwards.
    async fn read_again(self: &Arc<Self>, purchases: &mut [Purchase]) {
        let sweeper = tokio::spawn(self.clone().sweep());
        sleep(AFTERMATH).await;
        sweeper.abort();
        for purchase in purchases {
            let order_no = purchase.order_no.parse().unwrap();
            let payment = self.node().find_by_order(&app(), &order_no).await.unwrap();
            purchase.status = payment.status;
            purchase.received = payment.amount_received.minor();
        }
    }
}

impl Till {
    fn request(&self) -> NewPayment {
        let request: PaymentRequest = serde_json::from_value(json!({
            "order_no": self.order_no, "amount": self.amount, "currency": "CNY", "method": self.method,
            "subject": self.order_no, "payer": {"auth_code": self.auth_code},
        }))
        .unwrap();
        NewPayment::check(&request).unwrap()
    }
}

/// Tills at drawn moments, the earliest first.
fn draw_wave(rng: &mut fastrand::Rng, wave: &[Group], before: usize) -> Vec<Till> {
    let mut moments: Vec<Timestamp> = Vec::new();
    for group in wave {
        moments.extend((0..group.tills).map(|_| group.from.plus(within(rng, group.lasts))));
    }
    moments.sort_unstable();
    moments.into_iter().zip(before..).map(|(starts, place)| draw_till(rng, starts, place)).collect()
}

/// Four in ten payers pay at once, four are asked to wait; of the others some have too little money, and of some the
/// scan itself stays in doubt.
fn draw_till(rng: &mut fastrand::Rng, starts: Timestamp, place: usize) -> Till {
    let script = match rng.u32(0..100) {
        0..40 => '8',
        40..70 => '7',
        70..80 => '9',
        80..88 => '1',
        88..94 => '3',
        _ => '5',
    };
    let digits: String = (0..17).map(|_| rng.digit(10)).collect();
    let method = ["any.barcode", "alipay.barcode", "wechat.barcode"][rng.usize(0..3)];
    let seconds =
        |rng: &mut fastrand::Rng, from: u64, to: u64| Duration::from_millis(rng.u64(from * 1000..to * 1000));
    let repeats = (rng.u32(0..100) < 15).then(|| seconds(rng, 0, 30));
    let cancels = (rng.u32(0..100) < 20).then(|| seconds(rng, 5, 75));
    Till {
        order_no: format!("till-{place:04}"),
        amount: 100 + i64::try_from(place).unwrap(),
        method,
        auth_code: format!("{digits}{script}"),
        starts,
        repeats,
        cancels,
    }
}

fn within(rng: &mut fastrand::Rng, span: Duration) -> Duration {
    Duration::from_millis(rng.u64(0..u64::try_from(span.as_millis()).unwrap().max(1)))
}

fn app() -> AppId {
    AppId::new("shop").unwrap()
}

fn channel(plant: Plant, sim: &Running, key: &str, seed: u64) -> ChannelEntry {
    let mut settings = FufuSim::account(key, seed, None).settings;
    settings.insert("base_url".to_owned(), json!(sim.base_url()));
    let id = ChannelId::new(key).unwrap();
    let channel = paymux_fufu::provider().channel(ChannelSite { id: id.clone() }, settings).unwrap();
    match plant {
        Plant::None => ChannelEntry::new(id, channel),
        plant => ChannelEntry::new(id, Arc::new(Planted { channel, plant })),
    }
}

fn catalog(channels: Vec<ChannelEntry>) -> Catalog {
    let route = Route {
        name: RouteName::new("tills").unwrap(),
        when: When::default(),
        strategy: Strategy::Random,
        channels: (0..channels.len()).collect(),
        failover: 1,
        failover_unknown: FailoverUnknown::Abandon,
    };
    let public_url = Endpoint::parse("https://pay.example", PlainHttp::LoopbackOnly).unwrap();
    Catalog::new(vec![App::new(app(), &[])], channels, vec![route], public_url)
}

impl Record {
    /// Provider orders by the till's number.
    pub(crate) fn orders_of(&self) -> BTreeMap<&str, Vec<&OrderView>> {
        let mut by: BTreeMap<&str, Vec<&OrderView>> = BTreeMap::new();
        for order in &self.orders {
            by.entry(order.subject.as_str()).or_default().push(order);
        }
        by
    }

    /// What was told to whom and when, and what FuFu has of it, as one text.
    pub(crate) fn trace(&self) -> String {
        let mut text = String::new();
        for purchase in &self.purchases {
            writeln!(text, "{purchase:?}").unwrap();
        }
        for call in &self.calls {
            writeln!(text, "{call:?}").unwrap();
        }
        for order in &self.orders {
            writeln!(text, "{} {:?} {:?}", order.number, order.state, order.paid_at).unwrap();
        }
        text
    }

    /// How often each fault was hit, and how the payments ended.
    pub(crate) fn told(&self) -> String {
        let mut text = String::new();
        for (what, count, least) in self.floors() {
            writeln!(text, "{count:6} {what} (at least {least})").unwrap();
        }
        let mut took: Vec<u64> = self.purchases.iter().filter_map(Purchase::took).collect();
        took.sort_unstable();
        let at = |percent: usize| took.get((took.len() * percent / 100).min(took.len().saturating_sub(1)));
        let (half, most, longest) = (at(50), at(99), took.last());
        writeln!(text, "ended after {half:?} s (half), {most:?} s (99 in 100), {longest:?} s (the last)")
            .unwrap();
        text
    }

    /// What happened, how often, and how often it must for the drill to mean something.
    pub(crate) fn floors(&self) -> Vec<(String, usize, usize)> {
        let mut floors = Vec::new();
        for (fault, word, of_scans, of_others) in FAULTS {
            let hit = |is_scan| {
                self.calls.iter().filter(|c| c.fault == Some(fault) && c.is_scan() == is_scan).count()
            };
            floors.push((format!("scans: {word}"), hit(true), at_least(of_scans, 2)));
            floors.push((format!("other calls: {word}"), hit(false), usize::from(of_others > 0) * 8));
        }
        let stat = |word: &str| usize::try_from(self.stats.faults.get(word).copied().unwrap_or(0)).unwrap();
        let status = |status: Status| self.purchases.iter().filter(|p| p.status == status).count();
        let told = |code: &str| self.purchases.iter().filter(|p| p.canceled.as_deref() == Some(code)).count();
        let cancels = self.calls.iter().filter(|call| call.operation == "cancel").count();
        let closed =
            self.orders.iter().filter(|o| o.state == OrderState::Closed && o.expires_at.is_none()).count();
        for (what, count, least) in [
            ("scans answered with a code of FuFu's own", stat("code"), 50),
            ("orders that do not end by themselves", stat("never_ends"), 100),
            ("of those, closed unpaid", closed, 30),
            ("cancels sent", cancels, 30),
            ("cancels that a till asked for and got", told("canceled"), 10),
            ("cancels that came too early, at night or too late", told("not_cancelable"), 8),
            ("payers who paid after a while", self.payers.paid as usize, 60),
            ("payers who came too late", self.payers.too_late as usize, 10),
            ("payers who left", self.payers.left as usize, 50),
            ("money found although the scan's answer was lost", self.found_after_loss(), 40),
            ("deaths of paymux", self.deaths.len(), 18),
            ("payments that succeeded", status(Status::Succeeded), 400),
            ("payments that failed", status(Status::Failed), 80),
            ("payments that expired", status(Status::Expired), 30),
        ] {
            floors.push((what.to_owned(), count, least));
        }
        floors
    }

    /// Payments that succeeded although paymux got no whole answer to their scan.
    fn found_after_loss(&self) -> usize {
        let lost = |purchase: &&Purchase| {
            let mut scans =
                self.calls.iter().filter(|c| c.is_scan() && c.left && c.subject == purchase.order_no);
            scans.any(|call| call.told.is_none())
        };
        self.purchases.iter().filter(|p| p.status == Status::Succeeded).filter(lost).count()
    }
}

/// Of a thousand scans, half of what is to be expected.
fn at_least(per_mille: u32, parts: u32) -> usize {
    (per_mille / parts) as usize
}

impl Purchase {
    /// How many seconds after its scan it ended.
    fn took(&self) -> Option<u64> {
        self.ended.map(|(at, _)| at.since(self.began).as_secs())
    }
}
