//! One run's world: banks, nodes, merchants, the store and the judge, on one thread with paused time.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use paymux_core::CatalogHandle;
use tokio::time::Instant;

use super::accounts::ACCOUNTS;
use super::bank::{Bank, Followup, OutgoKind};
use super::courier;
use super::dice::Dice;
use super::faults::{Fault, Faults};
use super::front::{Answer, Ask, ask, hand_callback};
use super::judge::Judge;
use super::limits::{Limit, limits};
use super::merchant::Merchant;
use super::network::span;
use super::node::{Node, Stop};
use super::payer;
use super::setup;
use super::stats::Stats;
use super::store::Disk;
use super::trace::Trace;

/// Everything of one run.
pub(super) struct World {
    /// Chance that belongs to no other room.
    pub(super) dice: Dice,
    /// What goes wrong.
    pub(super) faults: Faults,
    /// What happened.
    pub(super) trace: Trace,
    /// What is durable.
    pub(super) disk: Disk,
    /// The accounts.
    pub(super) banks: Vec<Arc<Bank>>,
    /// The nodes.
    pub(super) nodes: Vec<Node>,
    /// The merchants.
    pub(super) merchants: Vec<Arc<Merchant>>,
    /// Who watches.
    pub(super) judge: Judge,
    /// How much each account may take, in the order of the accounts.
    limits: Vec<Limit>,
    catalog: CatalogHandle,
    origin: Instant,
    stats: Mutex<Stats>,
    pending: AtomicUsize,
    a_clock_was_wrong: AtomicBool,
}

/// What a run is to keep.
#[derive(Debug, Clone, Copy, Default)]
pub struct Keep {
    /// Its trace.
    pub trace: bool,
    /// The calls that the store took.
    pub calls: bool,
}

impl World {
    /// The world of that seed, in which nothing runs yet. Needs a runtime with paused time.
    pub(super) fn new(seed: u64, keep: Keep) -> Arc<Self> {
        let origin = Instant::now();
        let banks: Vec<Arc<Bank>> =
            ACCOUNTS.iter().map(|account| Arc::new(Bank::new(account, seed))).collect();
        let dice = Dice::stream(seed, "world");
        let count = if dice.chance(500_000) { 1 } else { 2 };
        let setup = Dice::stream(seed, "setup");
        let merchants: Vec<Arc<Merchant>> = setup::merchants(seed);
        let limits = limits(seed);
        let catalog = CatalogHandle::new(setup::catalog(&setup, &banks, &limits, &merchants));
        Arc::new(Self {
            dice,
            faults: Faults::of(seed),
            trace: Trace::new(keep.trace),
            disk: Disk::new(keep.calls),
            banks,
            nodes: (0..count).map(|id| Node::new(id, seed, origin)).collect(),
            merchants,
            judge: Judge::default(),
            limits,
            catalog,
            origin,
            stats: Mutex::default(),
            pending: AtomicUsize::new(0),
            a_clock_was_wrong: AtomicBool::new(false),
        })
    }

    /// Milliseconds since the beginning.
    pub(super) fn ms(&self) -> i64 {
        i64::try_from(self.origin.elapsed().as_millis()).unwrap_or(i64::MAX)
    }

    /// Lets between `least` and `most` milliseconds pass.
    pub(super) async fn nap(&self, least: i64, most: i64) {
        tokio::time::sleep(span(self.dice.between(least, most))).await;
    }

    /// How much that account may take.
    pub(super) fn limit(&self, bank: &Bank) -> Limit {
        let place = self.banks.iter().position(|one| one.account.id == bank.account.id);
        place.and_then(|place| self.limits.get(place)).copied().unwrap_or_default()
    }

    /// Whether there is one node only, with the store in its own process.
    pub(super) fn is_single(&self) -> bool {
        self.nodes.len() == 1
    }

    /// Counts something.
    pub(super) fn count(&self, name: &str) {
        self.count_many(name, 1);
    }

    /// Counts something several times.
    pub(super) fn count_many(&self, name: &str, count: usize) {
        self.stats().add_many(name, u64::try_from(count).unwrap_or(u64::MAX));
    }

    /// What was counted, with the faults.
    pub(super) fn counted(&self) -> Stats {
        let mut stats = self.stats().clone();
        self.faults.count_into(&mut stats);
        stats
    }

    fn stats(&self) -> std::sync::MutexGuard<'_, Stats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets something go on beside everything else. It belongs to no node, and no crash ends it.
    pub(super) fn spawn(self: &Arc<Self>, work: impl Future<Output = ()> + Send + 'static) {
        self.pending.fetch_add(1, Ordering::Relaxed);
        let world = self.clone();
        tokio::spawn(async move {
            work.await;
            world.pending.fetch_sub(1, Ordering::Relaxed);
        });
    }

    /// How many such things are going on.
    pub(super) fn pending(&self) -> usize {
        self.pending.load(Ordering::Relaxed)
    }

    /// Starts every node.
    pub(super) fn start(self: &Arc<Self>) {
        for node in &self.nodes {
            if self.faults.strikes(Fault::Skew) {
                self.jump(node.id);
            }
            node.start(self, self.catalog.clone());
        }
    }

    /// A node dies, and is started again after a while.
    pub(super) fn crash(self: &Arc<Self>, node: usize) {
        if !self.nodes[node].die() {
            return;
        }
        let world = self.clone();
        self.spawn(async move {
            let most = world.dice.one_of(&[500, 5_000, 90_000]);
            world.nap(200, most).await;
            world.trace.line(world.ms(), || format!("node {node}: starts again"));
            world.nodes[node].start(&world, world.catalog.clone());
        });
    }

    /// A node stands still for a while.
    pub(super) fn pause(self: &Arc<Self>, node: usize, how: Stop) {
        if !self.nodes[node].stop(how) {
            return;
        }
        if how == Stop::Frozen {
            self.a_clock_was_wrong.store(true, Ordering::Relaxed);
        }
        let ms = self.dice.between(500, self.dice.one_of(&[3_000, 30_000, 300_000]));
        self.trace.line(self.ms(), || format!("node {node}: {how:?} for {ms} ms"));
        let world = self.clone();
        self.spawn(async move {
            world.nap(ms, ms).await;
            world.nodes[node].go_on();
            // Wall time of a machine that stood is behind until somebody sets it.
            if how == Stop::Frozen && world.dice.chance(300_000) && !world.faults.is_calm() {
                world.nodes[node].clock.jump(-ms);
            }
            world.trace.line(world.ms(), || format!("node {node}: goes on"));
        });
    }

    /// Whether some node's clock did not show the time at some moment.
    pub(super) fn a_clock_was_wrong(&self) -> bool {
        self.a_clock_was_wrong.load(Ordering::Relaxed)
    }

    /// A node's wall clock jumps.
    pub(super) fn jump(&self, node: usize) {
        self.a_clock_was_wrong.store(true, Ordering::Relaxed);
        let ms = self.dice.between(-3_600_000, 3_600_000);
        self.trace.line(self.ms(), || format!("node {node}: its clock jumps by {ms} ms"));
        self.nodes[node].clock.jump(ms);
    }

    /// From now on nothing goes wrong any more: nodes run, clocks are right.
    pub(super) fn calm(&self) {
        self.faults.calm();
        self.judge.expect_looks(self.ms());
        for node in &self.nodes {
            node.go_on();
            node.clock.set_right();
        }
        for merchant in &self.merchants {
            merchant.come_back();
        }
    }

    /// Ends every node for good, so that nothing of the run outlives it.
    pub(super) fn close(&self) {
        for node in &self.nodes {
            node.die();
        }
    }

    /// The account that answers at that host.
    pub(super) fn bank_at(&self, host: &str) -> Option<Arc<Bank>> {
        self.banks.iter().find(|bank| bank.host() == host).cloned()
    }

    /// The account of that name.
    pub(super) fn bank(&self, id: &str) -> Option<Arc<Bank>> {
        self.banks.iter().find(|bank| bank.account.id == id).cloned()
    }

    /// The merchant whose endpoint is at that host.
    pub(super) fn merchant_at(&self, host: &str) -> Option<Arc<Merchant>> {
        self.merchants.iter().find(|merchant| merchant.host() == host).cloned()
    }

    /// Asks some node for that merchant.
    pub(super) async fn ask(self: &Arc<Self>, merchant: &Merchant, what: Ask) -> Option<Answer> {
        let node = &self.nodes[self.dice.place(self.nodes.len())];
        self.nap(1, 30).await;
        let answer = ask(node, &merchant.app, what.clone()).await;
        self.nap(1, 30).await;
        self.trace.line(self.ms(), || {
            let told = answer.as_ref().map_or("nothing", |answer| answer.text.as_str());
            format!("{} asks node {}: {what:?} -> {told}", merchant.app, node.id)
        });
        answer
    }

    /// Hands a callback to some node. `None` when nobody took it.
    pub(super) async fn hand_callback(self: &Arc<Self>, bank: &Bank, text: String) -> Option<bool> {
        let node = &self.nodes[self.dice.place(self.nodes.len())];
        self.nap(1, 60).await;
        let taken = hand_callback(self, node, bank.account.id, text.clone()).await;
        self.trace
            .line(self.ms(), || format!("{} tells node {}: {text} -> {taken:?}", bank.account.id, node.id));
        taken
    }

    /// Does what follows of something at a bank.
    pub(super) fn follow_up(self: &Arc<Self>, bank: &Arc<Bank>, next: Followup) {
        match next {
            Followup::Opened(number) => {
                courier::forge_paid(self, bank, &number);
                payer::find_unseen(self, bank, &number);
                payer::pay_beside(self, bank, &number);
                self.judge.check_exposure(self, bank, &number);
                self.judge.check_limits(self, bank);
            }
            Followup::Took(number) => {
                courier::tell_paid(self, bank, &number);
                payer::pay_beside(self, bank, &number);
                self.judge.check_exposure(self, bank, &number);
            }
            Followup::Types(number) => payer::type_at_till(self, bank, number),
            Followup::Pends(OutgoKind::Back, number) => {
                self.settle_later(bank, OutgoKind::Back, number, 900_000);
            }
            Followup::Pends(OutgoKind::Payout, number) => {
                self.settle_later(bank, OutgoKind::Payout, number, 3_600_000);
            }
            Followup::Waits(of, number) => {
                // Some are never opened; an operator sees to those in the end.
                if self.dice.chance(700_000) {
                    self.settle_later(bank, of, number, 7_200_000);
                }
            }
            Followup::Ended(of, number) => courier::tell_outgo(self, bank, of, &number),
        }
    }

    fn settle_later(self: &Arc<Self>, bank: &Arc<Bank>, of: OutgoKind, number: String, most_ms: i64) {
        let (world, bank) = (self.clone(), bank.clone());
        let most = self.dice.one_of(&[5_000, 60_000, most_ms]);
        self.spawn(async move {
            world.nap(1_000, most).await;
            let fails = world.faults.strikes(Fault::OutflowFails);
            if bank.settle(of, &number, fails, world.ms()).is_some() {
                world.trace.line(world.ms(), || {
                    format!("{}: {of:?} {number} ended, fails: {fails}", bank.account.id)
                });
                courier::tell_outgo(&world, &bank, of, &number);
            }
        });
    }
}
