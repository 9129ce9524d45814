//! One node: the real [`Payments`] over simulated ports, its workers, and its deaths.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use paymux_core::clock::Clock;
use paymux_core::payments::Ports;
use paymux_core::{CatalogHandle, Payments, Rng};
use tokio::time::Instant;

use super::dice::Dice;
use super::faults::Fault;
use super::network::NodeTransport;
use super::store::NodeStore;
use super::time::{Gate, NodeClock};
use super::world::World;

/// How many rounds of one worker run at once, as in the service.
const ROUNDS_MAX: usize = 512;
/// Of rounds that would find nothing, how many are made all the same, in a million: the others only cost time.
const IDLE_ROUNDS_PPM: u32 = 50_000;
/// How long a worker rests after a round that found something, in milliseconds.
const REST_MS: i64 = 1_000;
/// How long it may rest after idle rounds.
const REST_MS_MAX: i64 = 16_000;
/// How long it may rest once nothing goes wrong any more and nothing is left to do.
const REST_CALM_MS_MAX: i64 = 900_000;

/// One node.
pub(super) struct Node {
    /// Its number.
    pub(super) id: usize,
    /// Its clock, which outlives its process.
    pub(super) clock: Arc<NodeClock>,
    gate: Arc<Gate>,
    rng: Arc<NodeRng>,
    live: Mutex<Option<Live>>,
}

/// A process that runs.
#[derive(Clone)]
pub(super) struct Live {
    /// The use cases.
    pub(super) payments: Payments,
    /// Which life of the node it is.
    pub(super) life: Arc<Life>,
}

/// One life of a node: what its ports know of it.
#[derive(Debug)]
pub(super) struct Life {
    /// Which node.
    pub(super) node: usize,
    gate: Arc<Gate>,
    dead: AtomicBool,
}

/// Randomness of a node, from the seed.
struct NodeRng(Dice);

impl Rng for NodeRng {
    fn bits(&self) -> u64 {
        self.0.bits()
    }
}

impl Life {
    /// Waits until the node is run.
    pub(super) async fn pass(&self) {
        self.gate.pass().await;
    }

    /// Whether its process has ended.
    pub(super) fn is_dead(&self) -> bool {
        self.dead.load(Ordering::Relaxed)
    }

    /// A place at which the node may die. Whether it is dead then.
    pub(super) fn dies(&self, world: &Arc<World>, place: &str, what: &str) -> bool {
        if !self.is_dead() && world.faults.strikes(Fault::Crash) {
            world.count(&format!("crash {place}"));
            world.trace.line(world.ms(), || format!("node {}: dies {place} ({what})", self.node));
            world.crash(self.node);
        }
        self.is_dead()
    }

    /// A place of the node's own tasks at which it may die, or stand still.
    pub(super) async fn may_crash(&self, world: &Arc<World>, place: &str, what: &str) {
        if self.dies(world, place, what) {
            // Nothing of a dead process takes another step.
            std::future::pending::<()>().await;
        }
        if world.faults.strikes(Fault::Pause) {
            world.pause(self.node, Stop::Paused);
        } else if world.faults.strikes(Fault::Freeze) {
            world.pause(self.node, Stop::Frozen);
        }
        if world.faults.strikes(Fault::Jump) {
            world.jump(self.node);
        }
        self.pass().await;
    }
}

/// How a node stands still.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// It is not run, and its clock goes on.
    Paused,
    /// Its clock stands still too.
    Frozen,
}

impl Node {
    /// A node that does not run yet.
    pub(super) fn new(id: usize, seed: u64, origin: Instant) -> Self {
        let gate = Arc::new(Gate::default());
        Self {
            id,
            clock: Arc::new(NodeClock::new(origin, gate.clone())),
            gate,
            rng: Arc::new(NodeRng(Dice::stream(seed, &format!("node {id}")))),
            live: Mutex::default(),
        }
    }

    /// The process, if one runs.
    pub(super) fn live(&self) -> Option<Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Starts a process over the store as it is.
    pub(super) fn start(&self, world: &Arc<World>, catalog: CatalogHandle) {
        let life = Arc::new(Life { node: self.id, gate: self.gate.clone(), dead: AtomicBool::new(false) });
        let clock: Arc<dyn Clock> = self.clock.clone();
        let ports = Ports {
            store: Arc::new(NodeStore::new(world.clone(), life.clone())),
            transport: Arc::new(NodeTransport::new(world.clone(), life.clone(), self.clock.clone())),
            clock,
            rng: self.rng.clone(),
        };
        let live = Live { payments: Payments::new(ports, catalog), life };
        *self.live.lock().unwrap_or_else(PoisonError::into_inner) = Some(live.clone());
        for worker in [Worker::Sweeper, Worker::Notices] {
            tokio::spawn(work(world.clone(), live.clone(), worker));
        }
    }

    /// Ends the process where it stands. False when none ran.
    pub(super) fn die(&self) -> bool {
        let live = self.live.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(live) = live else { return false };
        live.life.dead.store(true, Ordering::Relaxed);
        live.payments.halt();
        true
    }

    /// Stands still from now on. False when it did.
    pub(super) fn stop(&self, how: Stop) -> bool {
        let stops = self.gate.close();
        if stops && how == Stop::Frozen {
            self.clock.freeze();
        }
        stops
    }

    /// Goes on.
    pub(super) fn go_on(&self) {
        self.clock.thaw();
        self.gate.open();
    }
}

/// The work that nobody calls for.
#[derive(Debug, Clone, Copy)]
enum Worker {
    Sweeper,
    Notices,
}

impl Worker {
    /// Whether a round would find something to do now.
    fn finds_work(self, world: &World, live: &Live) -> bool {
        let now = world.nodes[live.life.node].clock.now();
        match self {
            Self::Sweeper => world.disk.store.has_due_looks(now),
            Self::Notices => world.disk.store.has_due_notices(now),
        }
    }
}

/// Rounds of one worker for as long as its process lives, several at once, since one lasts as long as its
/// slowest call.
async fn work(world: Arc<World>, live: Live, worker: Worker) {
    let running = Arc::new(());
    let mut rest = REST_MS;
    loop {
        live.life.pass().await;
        if live.life.is_dead() {
            return;
        }
        let mut busy = true;
        if !worker.finds_work(&world, &live) && !world.dice.chance(IDLE_ROUNDS_PPM) {
            busy = false;
        } else if Arc::strong_count(&running) <= ROUNDS_MAX {
            let (round, token) = (live.payments.clone(), running.clone());
            let found = tokio::spawn(async move {
                let found = match worker {
                    Worker::Sweeper => round.sweep().await,
                    Worker::Notices => round.deliver().await,
                };
                drop(token);
                found.map_or(true, |count| count > 0)
            });
            // A short round is waited for: an idle one says how long to rest.
            let patience = tokio::time::timeout(Duration::from_millis(50), found);
            busy = patience.await.map_or(true, |found| found.unwrap_or(true));
        }
        let is_idle = !busy && Arc::strong_count(&running) == 1;
        let most = if world.faults.is_calm() { REST_CALM_MS_MAX } else { REST_MS_MAX };
        rest = if is_idle { (rest * 2).min(most) } else { REST_MS };
        world.nap(rest / 2, rest).await;
    }
}
