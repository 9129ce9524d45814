//! The simulation's store is a faithful model: all that it was asked in the first seeds, in that order, gets
//! the same answers from both databases, and leaves the same rows.

use std::future::Future;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use paymux_testkit::simulation::{Keep, RecordedCall, run, told};
use paymux_testkit::store_contract::Subject;
use tokio::runtime::Builder;

use crate::support::{postgres, sqlite};

/// The seeds from 1 on.
const SEEDS: u64 = 200;
/// How many are replayed at once, each on a database of its own.
const AT_ONCE: usize = 4;
/// How many calls of a seed there must be, so that it proves something.
const CALLS_MIN: usize = 100;

#[test]
fn sqlite_answers_as_the_simulation_did() {
    replay_all(sqlite);
}

#[test]
fn postgres_answers_as_the_simulation_did() {
    replay_all(postgres);
}

fn replay_all<F: Future<Output = Subject>>(fresh: fn() -> F) {
    let (next, calls) = (AtomicU64::new(1), AtomicUsize::new(0));
    let lane = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed > SEEDS {
                return;
            }
            let recorded = run(seed, Keep { trace: false, calls: true }).calls;
            calls.fetch_add(recorded.len(), Ordering::Relaxed);
            let runtime = Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async { replay(seed, recorded, fresh().await).await });
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(lane);
        }
    });
    let calls = calls.into_inner();
    assert!(calls > usize::try_from(SEEDS).unwrap() * CALLS_MIN, "only {calls} calls in {SEEDS} seeds");
}

async fn replay(seed: u64, calls: Vec<RecordedCall>, subject: Subject) {
    let model = Subject::memory();
    for (place, RecordedCall { call, answer }) in calls.into_iter().enumerate() {
        let here = told(&call.clone().perform(subject.store.as_ref()).await);
        assert_eq!(here, answer, "seed {seed}, call {place}: {call:?}");
        // The same calls make the model once more, with the rows that the run left.
        let again = told(&call.clone().perform(model.store.as_ref()).await);
        assert_eq!(again, answer, "seed {seed}, call {place}, in memory: {call:?}");
    }
    assert_eq!(subject.snapshot().await, model.snapshot().await, "seed {seed}: all that they hold");
}
