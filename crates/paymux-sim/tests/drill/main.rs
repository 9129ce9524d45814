//! The barcode drill: a thousand scans at tills, through paymux's core and the FuFu plugin to the simulated FuFu, in
//! time that passes by itself, over a line that loses, cuts, delays and refuses at random points.
//!
//! `scene` plays the tills, their payers and a paymux that dies now and then; `line` is the line; `judge` compares
//! FuFu's own books and what the line saw with what the tills were told; `plants` are bugs that the judge must find.
//!
//! What it shows: nobody is charged twice, every payment ends, and each within its bound (see `judge::bound`).

#![expect(
    clippy::unwrap_used,
    reason = "clippy lets tests unwrap, and does not see that these are helpers of tests"
)]

mod judge;
mod line;
mod plants;
mod scene;

use std::collections::BTreeSet;
use std::time::Duration;

use crate::judge::{Kind, judge};
use crate::plants::Plant;
use crate::scene::{Group, Plan, run};

const MINUTE: u64 = 60;

/// A thousand tills: 600 in an hour of the morning, 300 around the hours in which FuFu takes no cancels, most of them
/// at the two borders, and 100 the next noon. Times are China's.
fn a_thousand(seed: u64) -> Plan {
    let waves = vec![
        vec![Group::new("2024-03-01T09:00:00+08:00", 60 * MINUTE, 600)],
        vec![
            Group::new("2024-03-01T22:56:00+08:00", 6 * MINUTE, 100),
            Group::new("2024-03-01T23:02:00+08:00", 115 * MINUTE, 80),
            Group::new("2024-03-02T00:57:00+08:00", 6 * MINUTE, 120),
        ],
        vec![Group::new("2024-03-02T12:00:00+08:00", 10 * MINUTE, 100)],
    ];
    Plan { seed, waves, deaths: 6, plant: Plant::None, patience: Duration::from_hours(4) }
}

/// A morning of few tills, with a bug.
fn a_morning(seed: u64, plant: Plant) -> Plan {
    let waves = vec![vec![Group::new("2024-03-01T09:00:00+08:00", 15 * MINUTE, 150)]];
    Plan { seed, waves, deaths: 1, plant, patience: Duration::from_mins(40) }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_scans_are_charged_once_and_end_in_time() {
    let seed = 20_240_301;
    let record = run(&a_thousand(seed)).await;
    let findings = judge(&record);
    println!("seed {seed}\n{}", record.told());
    assert_eq!(record.purchases.len(), 1000);
    assert!(
        findings.is_empty(),
        "seed {seed}: {} findings: {:#?}",
        findings.len(),
        &findings[..findings.len().min(20)]
    );
    for (what, count, least) in record.floors() {
        assert!(count >= least, "seed {seed}: {what}: {count} times only, not {least}");
    }
}

/// A failure prints its seed, and that seed plays the same again.
#[tokio::test(start_paused = true)]
async fn a_seed_plays_the_same_again() {
    let trace = async |seed| run(&a_morning(seed, Plant::None)).await.trace();
    let first = trace(7).await;
    assert_eq!(first, trace(7).await);
    assert_ne!(first, trace(8).await);
}

/// What the judge finds in a morning with that bug.
async fn found(plant: Plant) -> BTreeSet<Kind> {
    let record = run(&a_morning(3, plant)).await;
    judge(&record).into_iter().map(|finding| finding.kind).collect()
}

#[tokio::test(start_paused = true)]
async fn the_judge_is_content_without_a_bug() {
    assert_eq!(found(Plant::None).await, BTreeSet::new());
}

#[tokio::test(start_paused = true)]
async fn an_unknown_scan_that_is_sent_again_is_found() {
    let kinds = found(Plant::ResendsUnknown).await;
    assert!(kinds.contains(&Kind::ChargedTwice) && kinds.contains(&Kind::OrderedTwice), "{kinds:?}");
}

#[tokio::test(start_paused = true)]
async fn an_unknown_scan_that_counts_as_refused_is_found() {
    let kinds = found(Plant::TakesUnknownForRefused).await;
    assert!(kinds.contains(&Kind::AnotherAccount) && kinds.contains(&Kind::WrongEnd), "{kinds:?}");
}

#[tokio::test(start_paused = true)]
async fn a_cancel_before_fifteen_seconds_is_found() {
    let kinds = found(Plant::CancelsAtOnce).await;
    assert!(kinds.contains(&Kind::CancelTooEarly), "{kinds:?}");
}

#[tokio::test(start_paused = true)]
async fn a_scan_that_nobody_asks_about_is_found() {
    let kinds = found(Plant::NeverAsks).await;
    assert!(kinds.contains(&Kind::NotEnded), "{kinds:?}");
}
