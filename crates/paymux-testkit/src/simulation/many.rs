//! Many runs, on several threads: each seed has a runtime of its own, so what one thread does is nothing to
//! another.

use std::panic::catch_unwind;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::run::{Run, run};
use super::stats::Stats;
use super::world::Keep;

/// How many broken seeds are kept; the others are only counted.
const BROKEN_MAX: usize = 10;

/// What came of many runs.
#[derive(Debug, Default)]
pub struct Summary {
    /// How many seeds there were.
    pub seeds: u64,
    /// What was hit how often.
    pub stats: Stats,
    /// How many seeds broke a promise.
    pub broken_count: u64,
    /// The first of them by number, with what they broke.
    pub broken: Vec<(u64, Vec<String>)>,
}

impl Summary {
    fn note(&mut self, run: Run) {
        self.seeds += 1;
        self.stats.join(&run.stats);
        if run.violations.is_empty() {
            return;
        }
        self.broken_count += 1;
        self.broken.push((run.seed, run.violations));
        self.broken.sort();
        self.broken.truncate(BROKEN_MAX);
    }
}

/// Runs `count` seeds from `first` on, on so many threads. `progress` is called with the summary so far
/// after each seed.
pub fn run_many(first: u64, count: u64, threads: usize, progress: impl Fn(&Summary) + Sync) -> Summary {
    let next = AtomicU64::new(first);
    let end = first.saturating_add(count);
    let summary = Mutex::new(Summary::default());
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        return;
                    }
                    let run = run_caught(seed);
                    let mut summary = summary.lock().unwrap_or_else(PoisonError::into_inner);
                    summary.note(run);
                    progress(&summary);
                }
            });
        }
    });
    summary.into_inner().unwrap_or_else(PoisonError::into_inner)
}

/// A run that panics is a broken one, with its seed.
fn run_caught(seed: u64) -> Run {
    catch_unwind(|| run(seed, Keep::default())).unwrap_or_else(|_| Run {
        seed,
        violations: vec!["the run panicked; its message stands above".to_owned()],
        stats: Stats::default(),
        trace: None,
        calls: Vec::new(),
    })
}
