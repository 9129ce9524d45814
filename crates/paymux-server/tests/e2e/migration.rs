//! A ledger of the first version under this one: killed at random moments while it brings the schema up
//! to date, it starts afterwards and has lost nothing. `PAYMUX_MIGRATION_KILLS` says how often it is killed on each
//! store (default 8).

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::database::{Database, Kind};
use crate::http::Http;
use crate::process::{Running, paymux};
use crate::told::number;
use crate::world::{SHOP, free_address, ready};

/// How many payments the old ledger has: enough for its migration to take a while.
const PAYMENTS: u32 = 8_000;
/// The steps of the first version.
const FIRST: &str = "m0001_spine";

#[tokio::test]
async fn a_migration_that_is_killed_starts_again_on_sqlite() {
    killed_again_and_again(Kind::Sqlite).await;
}

#[tokio::test]
async fn a_migration_that_is_killed_starts_again_on_postgresql() {
    killed_again_and_again(Kind::Postgres).await;
}

async fn killed_again_and_again(kind: Kind) {
    let old = Database::create(kind).await;
    old.execute(&first_version(kind)).await;
    let seed = fastrand::u64(..);
    let mut dice = fastrand::Rng::with_seed(seed);
    let unharmed = old.copy().await;
    let took = start_and_look(&unharmed).await;
    unharmed.drop().await;
    let took_us = u64::try_from(took.as_micros()).unwrap();
    let mut cut = 0;
    let kills = number("PAYMUX_MIGRATION_KILLS", 8);
    for _ in 0..kills {
        let ledger = old.copy().await;
        let place = Place::new(&ledger).await;
        let process = Running::start(place.serve());
        sleep(Duration::from_micros(dice.u64(0..=took_us))).await;
        process.signal("KILL").await;
        cut += u32::from(steps(&ledger).await == [FIRST]);
        start_and_look(&ledger).await;
        ledger.drop().await;
    }
    // A kill that always comes too late, or never, proves nothing.
    assert!(cut > 0, "seed {seed}: no kill came before the end");
    println!("{kind:?}, seed {seed}: {cut} of {kills} kills came before the new schema was there");
    at_its_points(&old).await;
    old.drop().await;
}

/// Right before and right after the commit.
#[cfg(feature = "crash-points")]
async fn at_its_points(old: &Database) {
    for (point, is_new) in [("migrate.before_commit", false), ("migrate.after_commit", true)] {
        let ledger = old.copy().await;
        let place = Place::new(&ledger).await;
        let mut command = place.serve();
        command.env("PAYMUX_CRASH_POINT", format!("{point}:abort:1"));
        Running::start(command).ended().await.expect("it dies there");
        assert_eq!(steps(&ledger).await.len() > 1, is_new, "{point}");
        start_and_look(&ledger).await;
        ledger.drop().await;
    }
}

/// This build has none.
#[cfg(not(feature = "crash-points"))]
#[expect(clippy::unused_async, reason = "the other build waits")]
async fn at_its_points(_: &Database) {}

/// Starts it, looks at what it shows of the old payments, and stops it; how long the start took.
async fn start_and_look(ledger: &Database) -> Duration {
    let place = Place::new(ledger).await;
    let begun = Instant::now();
    let mut process = Running::start(place.serve());
    ready(&mut process, &place.http).await;
    let took = begun.elapsed();
    for order_no in ["A1".to_owned(), format!("A{PAYMENTS}")] {
        let list = place.http.get(SHOP, &format!("/v1/payments?order_no={order_no}")).await;
        let payment = &list.body["data"][0];
        assert_eq!(payment["status"], "succeeded", "{}", list.text);
        assert_eq!(
            (&payment["amount_received"], &payment["attempts"][0]["state"]),
            (&1999.into(), &"paid".into())
        );
    }
    let first = "/v1/payments?limit=1";
    assert_ne!(place.http.get(SHOP, first).await.body["next_cursor"], Value::Null);
    assert_eq!(process.signal("TERM").await, Some(0), "an orderly end");
    assert!(steps(ledger).await.len() > 1, "the schema is up to date");
    for table in ["payments", "attempts", "decisions", "callbacks", "events", "deliveries"] {
        let count = ledger.pairs(&format!("SELECT '{table}', count(*) FROM {table}")).await;
        assert_eq!(count, [(table.to_owned(), PAYMENTS.into())]);
    }
    took
}

async fn steps(ledger: &Database) -> Vec<String> {
    let steps = ledger.pairs("SELECT version, applied_at FROM seaql_migrations ORDER BY version").await;
    steps.into_iter().map(|(version, _)| version).collect()
}

/// A file that serves that ledger.
struct Place {
    folder: tempfile::TempDir,
    http: Http,
}

impl Place {
    async fn new(ledger: &Database) -> Self {
        let (folder, address) = (tempfile::tempdir().unwrap(), free_address().await);
        let text = format!(
            "[server]\nhttp = \"{address}\"\ntest_mode = true\n[store]\nurl = \"{}\"\n\
             [[apps]]\nid = \"shop\"\napi_key = \"{SHOP}\"\n\
             [[channels]]\nid = \"box\"\nprovider = \"sandbox\"\n\
             [[routes]]\nname = \"default\"\nstrategy = \"priority\"\nchannels = [\"box\"]\n",
            ledger.url()
        );
        std::fs::write(folder.path().join("paymux.toml"), text).unwrap();
        Self { folder, http: Http::new(&format!("http://{address}")) }
    }

    fn serve(&self) -> tokio::process::Command {
        let mut command = paymux(["serve", "-c", self.folder.path().join("paymux.toml").to_str().unwrap()]);
        command.env("PAYMUX_LOG", "error");
        command
    }
}

/// All statements that make it.
fn first_version(kind: Kind) -> String {
    let numbers = format!(
        "(WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {PAYMENTS}) SELECT i FROM n) AS n"
    );
    let names = match kind {
        Kind::Sqlite => [
            ("{text}", "TEXT"),
            ("{int}", "INTEGER"),
            ("{bool}", "INTEGER"),
            ("{bytes}", "BLOB"),
            ("{strict}", " STRICT"),
            ("{varchar}", "varchar"),
            ("{hex}", "printf('%012x', i)"),
            ("{true}", "1"),
            ("{false}", "0"),
            ("{empty}", "x''"),
        ],
        Kind::Postgres => [
            ("{text}", "text COLLATE \"C\""),
            ("{int}", "bigint"),
            ("{bool}", "boolean"),
            ("{bytes}", "bytea"),
            ("{strict}", ""),
            ("{varchar}", "varchar"),
            ("{hex}", "lpad(to_hex(i), 12, '0')"),
            ("{true}", "true"),
            ("{false}", "false"),
            ("{empty}", "''"),
        ],
    };
    let text = include_str!("data/first_version.sql").replace("{numbers}", &numbers);
    names.iter().fold(text, |text, (mark, name)| text.replace(mark, name))
}
