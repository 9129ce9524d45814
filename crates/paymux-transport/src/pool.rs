//! Connections that rest between calls, and how many calls each origin may have at once.
//!
//! Not here: opening connections (`connect.rs`) and using them (`line.rs`).

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use paymux_core::clock::{Clock, Mono};
use paymux_core::wire::Endpoint;

use crate::line::Line;

/// How long a connection may rest before it is closed.
///
/// Shorter than the 5 s after which common servers (Apache, Node) close theirs: a connection that the
/// other side closes while our request is on its way turns a payment into an unknown one.
pub const IDLE_MAX: Duration = Duration::from_secs(4);

/// The most connections that rest for one origin.
pub const IDLE_PER_ORIGIN_MAX: usize = 32;

/// The most connections that rest in one pool.
const IDLE_TOTAL_MAX: usize = 512;

/// How often resting connections are looked through.
const SWEEP_EVERY: Duration = Duration::from_secs(1);

/// Scheme, host and port, as one text.
type Origin = String;

/// The resting connections of one kind of destination.
pub(crate) struct Pool {
    clock: Arc<dyn Clock>,
    calls_per_origin_max: usize,
    shelves: Mutex<Shelves>,
}

#[derive(Default)]
struct Shelves {
    by_origin: BTreeMap<Origin, Shelf>,
    idle_total: usize,
    is_swept: bool,
}

#[derive(Default)]
struct Shelf {
    /// The longest resting first.
    idle: Vec<Resting>,
    calls: usize,
}

struct Resting {
    line: Box<Line>,
    since: Mono,
}

/// One call's place at its origin; dropping it gives the place back.
pub(crate) struct Seat {
    pool: Arc<Pool>,
    origin: Origin,
}

impl Pool {
    pub(crate) fn new(clock: Arc<dyn Clock>, calls_per_origin_max: usize) -> Self {
        Self { clock, calls_per_origin_max, shelves: Mutex::default() }
    }

    /// A place for one more call; `None` when the origin has all that it may have.
    pub(crate) fn seat(self: &Arc<Self>, endpoint: &Endpoint) -> Option<Seat> {
        let scheme = if endpoint.is_tls() { "https" } else { "http" };
        let origin = format!("{scheme}://{}:{}", endpoint.host(), endpoint.port());
        let mut shelves = self.shelves();
        let shelf = shelves.by_origin.entry(origin.clone()).or_default();
        if shelf.calls >= self.calls_per_origin_max {
            return None;
        }
        shelf.calls += 1;
        Some(Seat { pool: self.clone(), origin })
    }

    fn shelves(&self) -> MutexGuard<'_, Shelves> {
        // Nothing in this file can panic between two changes that belong together.
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_fresh(&self, resting: &Resting) -> bool {
        self.clock.mono() < resting.since.plus(IDLE_MAX) && resting.line.is_quiet()
    }

    /// Closes what rested too long or was closed by the other side; whether anything rests still.
    fn sweep(&self) -> bool {
        let mut shelves = self.shelves();
        for shelf in shelves.by_origin.values_mut() {
            shelf.idle.retain(|resting| self.is_fresh(resting));
        }
        shelves.by_origin.retain(|_, shelf| shelf.is_used());
        shelves.idle_total = shelves.by_origin.values().map(|shelf| shelf.idle.len()).sum();
        shelves.is_swept = shelves.idle_total > 0;
        shelves.is_swept
    }

    fn start_sweeping(self: &Arc<Self>) {
        let (pool, clock) = (Arc::downgrade(self), self.clock.clone());
        tokio::spawn(async move {
            loop {
                clock.sleep(SWEEP_EVERY).await;
                // Ends with the last resting connection, or with the pool.
                if !pool.upgrade().is_some_and(|pool| pool.sweep()) {
                    return;
                }
            }
        });
    }
}

impl Shelf {
    fn is_used(&self) -> bool {
        self.calls > 0 || !self.idle.is_empty()
    }
}

impl Seat {
    /// The connection that rested least and is still good; worse ones are closed on the way.
    pub(crate) fn take(&self) -> Option<Box<Line>> {
        let mut shelves = self.pool.shelves();
        loop {
            let resting = shelves.by_origin.get_mut(&self.origin)?.idle.pop()?;
            shelves.idle_total -= 1;
            if self.pool.is_fresh(&resting) {
                return Some(resting.line);
            }
        }
    }

    /// Lets a settled connection rest; with enough of them it is closed instead.
    pub(crate) fn give_back(&self, line: Box<Line>) {
        let mut shelves = self.pool.shelves();
        let has_room = shelves.idle_total < IDLE_TOTAL_MAX;
        match shelves.by_origin.get_mut(&self.origin) {
            Some(shelf) if has_room && shelf.idle.len() < IDLE_PER_ORIGIN_MAX => {
                shelf.idle.push(Resting { line, since: self.pool.clock.mono() });
            }
            _ => return,
        }
        shelves.idle_total += 1;
        if !std::mem::replace(&mut shelves.is_swept, true) {
            self.pool.start_sweeping();
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut shelves = self.pool.shelves();
        if let Some(shelf) = shelves.by_origin.get_mut(&self.origin) {
            shelf.calls = shelf.calls.saturating_sub(1);
            if !shelf.is_used() {
                shelves.by_origin.remove(&self.origin);
            }
        }
    }
}
