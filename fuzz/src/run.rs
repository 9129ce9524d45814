//! One target run many times: first what once failed, then what it takes as it is, then changed inputs. A panic is
//! a failure; its input is made shorter for as long as it fails.
//!
//! What counts as a failure beyond a panic says each target, by asserting it. Printing and keeping is `main`'s.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use fastrand::Rng;

use crate::mutate::changed;
use crate::{Exam, Seen, Target};

/// The most inputs that are kept for further changes, beside the target's own.
const KEPT_MAX: usize = 500;
/// How often the clock is looked at.
const LOOKS: u64 = 64;
/// How many shorter inputs are tried for one that fails.
const SHORTENINGS_MAX: usize = 2000;

/// How much of it.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// At most so many inputs.
    pub runs: u64,
    /// And no more of them after this time.
    pub time: Option<Duration>,
    /// What the inputs follow from.
    pub seed: u64,
}

/// What came of a run without a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    /// How many inputs there were.
    pub runs: u64,
    /// How many of them the target took.
    pub taken: u64,
}

/// An input with which a target fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// As short as was found.
    pub input: Vec<u8>,
    /// The how many-th input it was, from 1.
    pub run: u64,
    /// What the panic said.
    pub why: String,
    /// Whether it fails alone. Else it needs those before it: the same seed makes them again.
    pub fails_alone: bool,
}

/// The input under way, for whoever watches that it ends.
#[derive(Debug, Default)]
pub struct Current(Mutex<(u64, Vec<u8>)>);

impl Current {
    /// Its number, from 1, and its bytes; number 0 before the first and after the last.
    pub fn look(&self) -> (u64, Vec<u8>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set(&self, number: u64, input: &[u8]) {
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        current.0 = number;
        current.1.clear();
        current.1.extend_from_slice(input);
    }
}

thread_local! {
    /// What the last panic of this thread said, where [`keep_panics`] was called.
    static WHY: RefCell<String> = const { RefCell::new(String::new()) };
}

/// From now on a panic prints nothing, and [`Failure::why`] says where it was.
pub fn keep_panics() {
    set_hook(Box::new(|panic| WHY.with_borrow_mut(|why| *why = panic.to_string())));
}

/// Runs a target. `found` are inputs with which it once failed: they come first, and count.
///
/// # Errors
/// At the first failure.
pub fn run(target: &Target, found: &[Vec<u8>], plan: Plan, current: &Current) -> Result<Tally, Failure> {
    #[expect(clippy::disallowed_methods, reason = "how long it runs is no business of core's clock")]
    let start = Instant::now();
    let mut exam = (target.begin)();
    let mut rng = Rng::with_seed(plan.seed);
    let mut inputs = target.seeds.clone();
    let mut tally = Tally { runs: 0, taken: 0 };
    let mut given = found.iter().chain(&target.seeds);
    while tally.runs < plan.runs {
        let is_over = plan.time.is_some_and(|time| start.elapsed() >= time);
        if tally.runs.is_multiple_of(LOOKS) && is_over {
            break;
        }
        let next = given.next();
        let input = next.cloned().unwrap_or_else(|| changed(&mut rng, &inputs, target.words));
        tally.runs += 1;
        current.set(tally.runs, &input);
        let seen =
            examine(&mut exam, &input).map_err(|why| failure(target, input.clone(), tally.runs, why))?;
        if seen == Seen::Taken {
            tally.taken += 1;
            keep(&mut rng, &mut inputs, target.seeds.len(), input);
        }
    }
    current.set(0, &[]);
    Ok(tally)
}

/// Keeps what was taken, in the place of another once there are many; never in that of the target's own.
fn keep(rng: &mut Rng, inputs: &mut Vec<Vec<u8>>, own: usize, input: Vec<u8>) {
    if inputs.len() < own + KEPT_MAX {
        inputs.push(input);
    } else if let Some(place) = inputs.get_mut(own + rng.usize(..KEPT_MAX)) {
        *place = input;
    }
}

fn examine(exam: &mut Exam, input: &[u8]) -> Result<Seen, String> {
    catch_unwind(AssertUnwindSafe(|| exam(input))).map_err(|panic| {
        let said = WHY.with_borrow_mut(std::mem::take);
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked");
        if said.is_empty() { text.to_owned() } else { said }
    })
}

/// Tries it alone, and shorter.
fn failure(target: &Target, input: Vec<u8>, run: u64, why: String) -> Failure {
    let fails = |input: &[u8]| examine(&mut (target.begin)(), input).is_err();
    if !fails(&input) {
        return Failure { input, run, why, fails_alone: false };
    }
    let input = shortened(input, fails);
    let why = examine(&mut (target.begin)(), &input).err().unwrap_or(why);
    Failure { input, run, why, fails_alone: true }
}

/// Leaves out parts, from halves down to single bytes, for as long as it still fails.
fn shortened(mut input: Vec<u8>, fails: impl Fn(&[u8]) -> bool) -> Vec<u8> {
    let mut tries = 0;
    let mut length = input.len().div_ceil(2);
    while length > 0 {
        let mut start = 0;
        while start < input.len() && tries < SHORTENINGS_MAX {
            let mut shorter = input.clone();
            shorter.drain(start..input.len().min(start + length));
            tries += 1;
            if fails(&shorter) {
                input = shorter;
            } else {
                start += length;
            }
        }
        length /= 2;
    }
    input
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAN: Plan = Plan { runs: 100_000, time: None, seed: 1 };

    /// Panics at an amount that only a changed input has.
    fn flawed(input: &[u8]) -> Seen {
        let text = std::str::from_utf8(input).unwrap_or_default();
        let Some(amount) = text.strip_prefix("amount=") else { return Seen::Refused };
        let Ok(amount) = amount.parse::<u64>() else { return Seen::Refused };
        assert!(amount < 1_000_000, "a planted bug");
        Seen::Taken
    }

    fn target(run: fn(&[u8]) -> Seen) -> Target {
        Target::plain("planted", "a planted bug", vec![b"amount=1023".to_vec()], &[], run)
    }

    #[test]
    fn a_planted_bug_is_found_and_its_input_made_short() {
        let failure = run(&target(flawed), &[], PLAN, &Current::default()).unwrap_err();
        assert!(failure.fails_alone && failure.why.contains("a planted bug"), "{failure:?}");
        assert!(failure.input.starts_with(b"amount=") && failure.input.len() == 14, "{failure:?}");
        let again = run(&target(flawed), &[], PLAN, &Current::default()).unwrap_err();
        assert_eq!(again, failure, "the same seed");
    }

    #[test]
    fn what_once_failed_comes_first() {
        let found = [b"amount=1".to_vec(), b"amount=9999999".to_vec()];
        let failure = run(&target(flawed), &found, PLAN, &Current::default()).unwrap_err();
        assert_eq!(failure.run, 2);
    }

    #[test]
    fn a_failure_that_needs_those_before_it_is_told_so() {
        let begin = || -> Exam {
            let mut count = 0;
            Box::new(move |_| {
                count += 1;
                assert!(count < 5, "the fifth");
                Seen::Taken
            })
        };
        let target = Target { begin: Box::new(begin), ..target(flawed) };
        let failure = run(&target, &[], PLAN, &Current::default()).unwrap_err();
        assert_eq!((failure.run, failure.fails_alone, failure.why.as_str()), (5, false, "the fifth"));
    }

    #[test]
    fn it_ends_by_count_and_by_time_and_says_what_was_taken() {
        let harmless = |input: &[u8]| if input.len() < 20 { Seen::Taken } else { Seen::Refused };
        let current = Current::default();
        let tally = run(&target(harmless), &[], PLAN, &current).unwrap();
        assert_eq!(tally.runs, PLAN.runs);
        assert!(tally.taken > 1000 && tally.taken < tally.runs, "{tally:?}");
        assert_eq!(current.look().0, 0);
        let plan = Plan { runs: u64::MAX, time: Some(Duration::from_millis(50)), ..PLAN };
        assert!(run(&target(harmless), &[], plan, &current).unwrap().runs > 0);
    }
}
