//! The same targets for libFuzzer, which sees which code an input reaches and keeps those that reach more. Built by
//! `cargo xtask fuzz --guided` alone, with its counters in all code; needs a C++ compiler.
//!
//! What libFuzzer is told on its command line is its own; which target it runs says the environment.

#![no_main]
#![expect(clippy::expect_used, reason = "a target that cannot set itself up must fail")]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use paymux_fuzz::{Exam, targets};

/// The whole name of the target.
const TARGET: &str = "PAYMUX_FUZZ_TARGET";

thread_local! {
    static EXAM: RefCell<Option<Exam>> = const { RefCell::new(None) };
}

fuzz_target!(|input: &[u8]| {
    EXAM.with_borrow_mut(|exam| exam.get_or_insert_with(begin)(input));
});

#[expect(clippy::disallowed_methods, reason = "libFuzzer has the command line to itself")]
fn begin() -> Exam {
    let name = std::env::var(TARGET).expect("the name of a target in PAYMUX_FUZZ_TARGET");
    let target = targets().into_iter().find(|target| target.name == name);
    (target.expect("a target of that name").begin)()
}
