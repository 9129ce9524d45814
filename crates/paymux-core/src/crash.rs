//! Crash points: named places beside each durable step and each call, at which a test makes the
//! process die, fail or stand still.
//!
//! Without the cargo feature `crash-points`, which no release has, [`crash_point!`](crate::crash_point)
//! is nothing, and no list of places exists.

#[cfg(feature = "crash-points")]
mod armed;

#[cfg(feature = "crash-points")]
pub use armed::{Action, Listener, Plan, PlanError, arm, hear_payouts, payout_is_called, reached};

/// A place at which a test may strike: `crash_point!("create.before_call")`, or, where the code there
/// can fail, with what it does then: `crash_point!("create.before_open" => return Err(error))`.
///
/// The name stands in [`POINTS`](crate::crash::POINTS) with what the place can do; the compiler checks it.
#[cfg(feature = "crash-points")]
#[macro_export]
macro_rules! crash_point {
    ($name:literal) => {{
        const _: () = assert!($crate::crash::is_listed($name, false), "no such place without an error");
        let _ = $crate::crash::reached($name).await;
    }};
    ($name:literal => $error:expr) => {{
        const _: () = assert!($crate::crash::is_listed($name, true), "no such place with an error");
        if $crate::crash::reached($name).await {
            $error
        }
    }};
}

/// Tells a test of a payout at the moment of its call: `payout_is_called!(&number)`. For a provider whose books
/// end with the process, so that a kill leaves nobody who knows how often it was called.
#[cfg(feature = "crash-points")]
#[macro_export]
macro_rules! payout_is_called {
    ($number:expr) => {
        $crate::crash::payout_is_called($number)
    };
}

/// Nothing: this build has no crash points.
#[cfg(not(feature = "crash-points"))]
#[macro_export]
macro_rules! payout_is_called {
    ($number:expr) => {};
}

/// Nothing: this build has no crash points.
#[cfg(not(feature = "crash-points"))]
#[macro_export]
macro_rules! crash_point {
    ($name:literal) => {{}};
    ($name:literal => $error:expr) => {{}};
}

/// Every place, and whether the code there can fail instead of going on.
#[cfg(feature = "crash-points")]
pub const POINTS: &[(&str, bool)] = &[
    // A create: the payment is stored, one call is made, its outcome is stored.
    ("create.before_open", true),
    ("create.after_open", false),
    ("create.before_call", false),
    ("create.after_call", false),
    ("create.before_outcome", false),
    ("create.after_outcome", false),
    // What is asked for under a key.
    ("key.after_claim", false),
    // A callback: what it changes is stored with it, or it is kept; then it is acknowledged.
    ("callback.before_apply", true),
    ("callback.after_apply", true),
    ("callback.before_keep", true),
    ("callback.after_keep", true),
    // What a worker, a query or a close has learnt.
    ("query.before_call", false),
    ("query.after_call", false),
    ("learn.before_store", false),
    ("learn.after_store", false),
    ("cancel.before_wish", false),
    ("cancel.after_wish", false),
    ("close.before_call", false),
    ("close.after_call", false),
    ("sweep.after_take", false),
    ("sweep.after_take_refund", false),
    ("sweep.after_take_transfer", false),
    // A refund: set aside, sent once, its outcome stored.
    ("refund.before_open", true),
    ("refund.after_open", false),
    ("refund.before_call", false),
    ("refund.after_call", false),
    ("refund.before_outcome", false),
    ("refund.after_outcome", false),
    ("refund_query.before_call", false),
    ("refund_query.after_call", false),
    // A transfer: the same.
    ("transfer.before_open", true),
    ("transfer.after_open", false),
    ("transfer.before_call", false),
    ("transfer.after_call", false),
    ("transfer.before_outcome", false),
    ("transfer.after_outcome", false),
    // A notice: taken, told, reported.
    ("notice.after_take", false),
    ("notice.after_send", false),
    ("notice.after_report", false),
    // The ledger: before and after what makes writes durable. A store that is not in use is not met.
    ("sqlite.before_commit", false),
    ("sqlite.after_commit", true),
    ("postgres.before_write", true),
    ("postgres.before_commit", false),
    ("postgres.after_write", true),
    ("migrate.before_commit", false),
    ("migrate.after_commit", false),
];

/// Whether a place of that name exists that can fail so.
#[cfg(feature = "crash-points")]
pub const fn is_listed(name: &str, can_fail: bool) -> bool {
    let mut place = 0;
    while place < POINTS.len() {
        if is_same(POINTS[place].0.as_bytes(), name.as_bytes()) {
            return POINTS[place].1 == can_fail;
        }
        place += 1;
    }
    false
}

#[cfg(feature = "crash-points")]
const fn is_same(one: &[u8], other: &[u8]) -> bool {
    let mut place = 0;
    while place < one.len() && place < other.len() {
        if one[place] != other[place] {
            return false;
        }
        place += 1;
    }
    one.len() == other.len()
}
