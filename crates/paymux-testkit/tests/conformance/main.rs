//! The conformance suite itself: its cases are the lines of the trait's docs, a channel that is right passes, and
//! each planted fault is found by the case that is meant for it.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod bank;
mod docs;
mod faults;
mod toy;
