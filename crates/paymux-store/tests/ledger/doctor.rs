//! `Ledger::examine`: a ledger that the core has driven is sound, and each rule finds what breaks it.

mod drive;
mod planted;

use std::collections::BTreeSet;
use std::sync::Arc;

use paymux_core::clock::Timestamp;
use paymux_core::store::{PaymentLedger as _, StoreError};
use paymux_store::{ConnectError, Ledger, Options, doctor};
use paymux_testkit::Fixtures;
use sqlx::{AssertSqlSafe, Connection as _, Executor as _};

use crate::support::OnSqlite;
use crate::support::postgres::{OnPostgres, server};
use drive::Drive;
use planted::{FAULTS, Planted};

/// What the ledger at that place breaks.
async fn broken(url: &str, now: Timestamp) -> Vec<doctor::Outcome> {
    let ledger = Ledger::look(url, Options::default()).await.unwrap();
    let outcomes = ledger.examine(now, &|_| {}).await.unwrap();
    ledger.close().await;
    assert_eq!(outcomes.len(), doctor::checks().len());
    outcomes.into_iter().filter(|outcome| outcome.count > 0).collect()
}

/// Drives a ledger through what is rare, then at random, and looks at it now and then, while it is open.
async fn drive(ledger: Arc<Ledger>, url: &str, seed: u64, rounds: u32) -> Timestamp {
    let mut drive = Drive::over(ledger, seed);
    drive.rare().await;
    for round in 0..rounds {
        drive.steps(200).await;
        drive.settle().await;
        assert_eq!(broken(url, drive.now()).await, [], "seed {seed}, round {round}");
    }
    drive.now()
}

#[tokio::test]
async fn what_the_core_does_is_sound_on_sqlite() {
    for seed in 0..4 {
        let place = OnSqlite::new();
        drive(Arc::new(place.open().await), &place.url(), seed, 2).await;
    }
}

#[tokio::test]
async fn what_the_core_does_is_sound_on_postgresql() {
    for seed in 4..6 {
        let place = OnPostgres::new().await;
        drive(Arc::new(place.open().await), &place.url(), seed, 2).await;
    }
}

#[test]
fn there_is_a_fault_for_every_rule() {
    let planted: Vec<&str> = FAULTS.iter().map(|fault| fault.check).collect();
    let checks: Vec<&str> = doctor::checks().map(|check| check.name).collect();
    assert_eq!(planted.iter().collect::<BTreeSet<_>>(), checks.iter().collect::<BTreeSet<_>>());
    assert_eq!(planted.len(), checks.len());
}

/// What was found of a fault: its own rule, and nothing else.
#[track_caller]
fn check_found(fault: &Planted, found: &[doctor::Outcome]) {
    let names: Vec<&str> = found.iter().map(|outcome| outcome.check.name).collect();
    assert_eq!(names, [fault.check], "{found:?}");
    let outcome = &found[0];
    assert!((1..=3).contains(&outcome.count) && outcome.ids.len() as u64 == outcome.count, "{outcome:?}");
}

/// Writes a fault by way of `tool`; each of its statements must change something.
macro_rules! plant {
    ($fault:expr, $tool:expr, $which:expr) => {{
        let unguard = $fault.unguard[$which];
        if !unguard.is_empty() {
            $tool.execute(AssertSqlSafe(unguard)).await.unwrap();
        }
        for sql in $fault.statements() {
            let done = $tool.execute(AssertSqlSafe(sql.clone())).await;
            let done = done.unwrap_or_else(|error| panic!("{}: {error}: {sql}", $fault.check));
            assert!(done.rows_affected() > 0, "{}: nothing was changed by {sql}", $fault.check);
        }
    }};
}

#[tokio::test]
async fn every_planted_fault_is_found_by_its_rule_on_sqlite() {
    let place = OnSqlite::new();
    let ledger = Arc::new(place.open().await);
    let now = drive(ledger.clone(), &place.url(), 1, 8).await;
    ledger.close().await;
    for fault in FAULTS {
        let copy = OnSqlite::new();
        std::fs::copy(place.file(), copy.file()).unwrap();
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(copy.file());
        let mut tool = sqlx::SqliteConnection::connect_with(&options).await.unwrap();
        plant!(fault, tool, 0);
        tool.close().await.unwrap();
        check_found(fault, &broken(&copy.url(), now).await);
    }
}

#[tokio::test]
async fn every_planted_fault_is_found_by_its_rule_on_postgresql() {
    let place = OnPostgres::new().await;
    let ledger = Arc::new(place.open().await);
    let now = drive(ledger.clone(), &place.url(), 1, 8).await;
    ledger.close().await;
    for (number, fault) in FAULTS.iter().enumerate() {
        let copy = copied(&place, number).await;
        let mut tool = sqlx::PgConnection::connect(&copy.url()).await.unwrap();
        plant!(fault, tool, 1);
        tool.close().await.unwrap();
        check_found(fault, &broken(&copy.url(), now).await);
    }
}

/// A database with the same rows.
async fn copied(place: &OnPostgres, number: usize) -> OnPostgres {
    let copy = OnPostgres { name: format!("{}_copy_{number}", place.name) };
    let mut tool = sqlx::PgConnection::connect(&server()).await.unwrap();
    for sql in [
        format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", copy.name),
        format!("CREATE DATABASE {} TEMPLATE {}", copy.name, place.name),
    ] {
        tool.execute(AssertSqlSafe(sql)).await.unwrap();
    }
    tool.close().await.unwrap();
    copy
}

#[tokio::test]
async fn all_are_counted_and_few_are_shown() {
    let place = OnSqlite::new();
    let ledger = place.open().await;
    let fixtures = Fixtures::new(1);
    for number in 0..25 {
        ledger.open(fixtures.opening("shop", &format!("A{number}"))).await.unwrap();
    }
    let tool = place.tool().await;
    sqlx::raw_sql("UPDATE payments SET events = 1").execute(&tool).await.unwrap();
    tool.close().await;
    let found = broken(&place.url(), fixtures.now()).await;
    assert_eq!((found[0].check.name, found[0].count, found[0].ids.len()), ("events_are_gapless", 25, 20));
    assert_eq!(found.len(), 1);
}

async fn cannot_write(url: &str) {
    let ledger = Ledger::look(url, Options::default()).await.unwrap();
    let fixtures = Fixtures::new(2);
    let refused = ledger.open(fixtures.opening("shop", "A1")).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert!(ledger.ping().await.is_err());
    let payment = fixtures.payment("shop", "A1");
    assert_eq!(ledger.payment(payment.id).await, Ok(None));
    ledger.close().await;
}

#[tokio::test]
async fn a_look_changes_nothing_and_holds_nobody_up_on_sqlite() {
    let place = OnSqlite::new();
    let ledger = place.open().await;
    cannot_write(&place.url()).await;
    assert!(ledger.open(Fixtures::new(1).opening("shop", "A2")).await.is_ok());
    ledger.close().await;
    cannot_write(&place.url()).await;
    let again = place.open().await;
    assert!(again.ping().await.is_ok());
}

#[tokio::test]
async fn a_look_changes_nothing_and_holds_nobody_up_on_postgresql() {
    let place = OnPostgres::new().await;
    let ledger = place.open().await;
    cannot_write(&place.url()).await;
    assert!(ledger.open(Fixtures::new(1).opening("shop", "A2")).await.is_ok());
    ledger.close().await;
}

#[tokio::test]
async fn what_is_no_ledger_of_this_version_is_not_looked_at() {
    let place = OnSqlite::new();
    let look = async || Ledger::look(&place.url(), Options::default()).await.unwrap_err();
    assert!(matches!(look().await, ConnectError::File { .. }));
    assert!(!place.file().exists(), "a look makes no file");
    std::fs::write(place.file(), "").unwrap();
    let none = look().await;
    assert!(matches!(none, ConnectError::Schema(_)), "{none}");

    place.open().await.close().await;
    let tool = place.tool().await;
    for (sql, why) in [
        (
            "DELETE FROM seaql_migrations WHERE version LIKE 'm0002%'",
            "start the service of this version once",
        ),
        ("INSERT INTO seaql_migrations VALUES ('m9999_later', 1)", "`m9999_later` of a newer version"),
    ] {
        sqlx::raw_sql(sql).execute(&tool).await.unwrap();
        let refused = look().await.to_string();
        assert!(refused.contains(why), "{refused}");
    }
    tool.close().await;
}
