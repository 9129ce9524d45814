//! The conformance suite of channels: each behaviour line in the docs of [`Channel`](paymux_core::Channel) is one
//! case of that name here, and a test sees that the two lists are the same.
//!
//! A plugin describes itself by a [`Subject`] and runs everything by [`check`], on a runtime whose time stands:
//!
//! ```text
//! #[tokio::test(start_paused = true)]
//! async fn the_channel_behaves() {
//!     paymux_testkit::conformance::check(&Plugin).await;
//! }
//! ```
//!
//! No case is skipped. What the descriptor says the provider cannot do must be refused; a case that lacks something
//! fails and says what the subject must supply.

/// Ends a case that found something wrong.
macro_rules! ensure {
    ($holds:expr, $($why:tt)+) => {
        if !$holds {
            return Err(format!($($why)+));
        }
    };
}

mod acceptor_side;
mod callbacks;
mod calls;
mod case;
mod create;
mod descriptor;
mod ears;
mod inflow;
mod outflow;
mod place;
mod rig;
mod silence;
mod subject;

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt as _;

use self::case::Case;

pub use acceptor_side::{AcceptorSide, notice, return_request};
pub use place::Place;
pub use subject::{
    CallbackKeys, FarSide, Gateway, Inside, Key, Recorded, RefusedCreate, SeenOrder, SeenOutflow, Signing,
    Subject, WayBack,
};

/// A case that found something wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The case, as `group::name`; the group is the method of the trait, or `call` for what all calls share.
    pub case: &'static str,
    /// What is wrong, or what the subject must supply.
    pub why: String,
}

/// The names of all cases, in the order in which they run.
pub fn names() -> impl Iterator<Item = &'static str> {
    cases().map(|case| case.name)
}

/// Runs every case on a channel of its own, and says which found something wrong. Needs a runtime whose time
/// stands.
pub async fn run(subject: &dyn Subject) -> Vec<Failure> {
    let mut failures = Vec::new();
    for case in cases() {
        let outcome = AssertUnwindSafe(case.run(subject)).catch_unwind().await;
        let outcome = outcome.unwrap_or_else(|_| Err("it panicked; the text stands above".to_owned()));
        failures.extend(outcome.err().map(|why| Failure { case: case.name, why }));
    }
    failures
}

/// Runs every case and panics with all that is wrong.
///
/// # Panics
/// Where a case found something wrong.
pub async fn check(subject: &dyn Subject) {
    let failures = run(subject).await;
    let told: Vec<String> =
        failures.iter().map(|failure| format!("{}: {}", failure.case, failure.why)).collect();
    assert!(told.is_empty(), "{} of {} cases fail:\n{}", told.len(), names().count(), told.join("\n"));
}

fn cases() -> impl Iterator<Item = &'static Case> {
    [
        calls::CASES,
        silence::CASES,
        descriptor::CASES,
        create::CASES,
        inflow::CASES,
        outflow::CASES,
        callbacks::CASES,
    ]
    .into_iter()
    .flatten()
}
