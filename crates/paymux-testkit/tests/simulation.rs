//! The seeded simulation: many seeds, one seed, and the same seed twice.
//!
//! `PAYMUX_SIM_SEEDS` says how many seeds `seeds` runs (default 200) and `PAYMUX_SIM_FROM` the first of
//! them; `PAYMUX_SIM_SEED` is the one that `one_seed` runs, and with `PAYMUX_SIM_TRACE=1` it prints all that
//! happens in it. `cargo xtask simulate` sets them.

#![expect(
    clippy::print_stdout,
    reason = "how far it is, what was hit and what broke are this harness's output"
)]

use std::time::Instant;

use paymux_testkit::simulation::{FLOORS, Keep, Run, Summary, floor_of, run, run_many};

/// How many lines of a broken seed's trace are shown.
const TAIL: usize = 60;
/// How many seeds a run must have before what it hit is held against the floors.
const SEEDS_MIN: u64 = 2_000;

#[expect(clippy::disallowed_methods, reason = "a harness is told what to run by its environment")]
fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}=`{text}`: write a number")))
}

#[expect(clippy::disallowed_methods, reason = "how long the seeds take is no business of core's clock")]
fn now() -> Instant {
    Instant::now()
}

#[test]
fn seeds() {
    let count = number("PAYMUX_SIM_SEEDS").unwrap_or(200);
    let first = number("PAYMUX_SIM_FROM").unwrap_or(1);
    let threads = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let start = now();
    let summary = run_many(first, count, threads, |so_far: &Summary| {
        if so_far.seeds.is_multiple_of(1_000) {
            println!("{} of {count} seeds, {} broken", so_far.seeds, so_far.broken_count);
        }
    });
    println!("{}", summary.stats.table());
    println!(
        "simulation: seeds {first} to {}, {} s on {threads} threads, {} broken",
        first + count - 1,
        start.elapsed().as_secs(),
        summary.broken_count
    );
    for (seed, what) in summary.broken.iter().rev() {
        println!("seed {seed}: {what:#?}");
    }
    if let Some((seed, _)) = summary.broken.first() {
        tell(&run(*seed, Keep { trace: true, calls: false }), TAIL);
        println!("replay it with: cargo xtask simulate --seed {seed} --trace");
    }
    assert_eq!(summary.broken_count, 0, "seeds that broke a promise stand above");
    assert!(count < SEEDS_MIN || is_thorough(&summary), "what was hit too seldom stands above");
}

/// Whether everything was hit as often as the floors say, for so many seeds.
fn is_thorough(summary: &Summary) -> bool {
    let floor = |(name, floor): &(&'static str, u64)| Some((*name, floor_of(*floor, summary.seeds)?));
    let floors: Vec<(&str, u64)> = FLOORS.iter().filter_map(floor).collect();
    let rare = FLOORS.iter().filter(|floor_at| floor(floor_at).is_none()).map(|(name, _)| *name);
    let rare: Vec<&str> = rare.collect();
    if !rare.is_empty() {
        println!("too rare for so few seeds, and not asked for: {}", rare.join(", "));
    }
    let below = summary.stats.below(&floors);
    for (name, floor, count) in &below {
        println!("hit too seldom: {name}: {count} times, not {floor}");
    }
    below.is_empty()
}

/// The last lines of a run, and what it broke.
fn tell(run: &Run, lines: usize) {
    let trace = run.trace.clone().unwrap_or_default();
    let all: Vec<&str> = trace.lines().collect();
    for line in &all[all.len().saturating_sub(lines)..] {
        println!("{line}");
    }
    println!("seed {}: {:#?}", run.seed, run.violations);
}

#[test]
fn one_seed() {
    let seed = number("PAYMUX_SIM_SEED").unwrap_or(1);
    let traces = number("PAYMUX_SIM_TRACE") == Some(1);
    let run = run(seed, Keep { trace: true, calls: false });
    tell(&run, if traces { usize::MAX } else { 0 });
    assert_eq!(run.violations, Vec::<String>::new());
}

#[test]
fn the_same_seed_makes_the_same_run() {
    for seed in 1..=40 {
        let keep = Keep { trace: true, calls: true };
        let (one, other) = (run(seed, keep), run(seed, keep));
        assert!(one.trace.unwrap() == other.trace.unwrap(), "seed {seed}: the traces differ");
        assert_eq!(one.stats, other.stats, "seed {seed}");
        assert_eq!(one.calls.len(), other.calls.len(), "seed {seed}");
        for (one, other) in one.calls.iter().zip(&other.calls) {
            assert_eq!(one.answer, other.answer, "seed {seed}");
        }
    }
}

#[test]
fn what_is_kept_changes_nothing() {
    for seed in 1..=20 {
        let (kept, bare) = (run(seed, Keep { trace: true, calls: true }), run(seed, Keep::default()));
        assert_eq!(kept.stats, bare.stats, "seed {seed}");
        assert_eq!(kept.violations, bare.violations, "seed {seed}");
        assert!(bare.trace.is_none() && bare.calls.is_empty());
    }
}
