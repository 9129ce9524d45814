//! A ledger of the first step, with rows, is brought up to date: also when that is cut off in the middle.

use std::path::Path;
use std::time::Duration;

use paymux_core::ids::PaymentId;
use paymux_core::store::{
    DecisionBook, DeliveryState, EventFilter, KeptDecision, Outbox, PaymentLedger, RefundLedger, RefundOpened,
};
use paymux_testkit::Fixtures;
use paymux_testkit::fixtures::app_id;
use sea_orm::{Iden, Iterable};

use super::*;
use crate::entity::{
    attempts, audit, callbacks, channel_capacity, channel_day, channels, claims, config_versions, decisions,
    deliveries, endpoints, events, payments, postings, refunds, transfers,
};
use crate::ledger::{Ledger, Options};
use crate::rows::{Cells, columns};
use crate::script::Sql;
use crate::test_postgres::OnPostgres;

/// One of everything that the first step could hold: a paid payment with a refused attempt before, one
/// that was never paid, callbacks of both kinds, events that were delivered, wait, and go nowhere.
const ROWS: &str = "
INSERT INTO payments VALUES ('pay_00000000000000000000000000000001', 'shop', 'A1', 'succeeded', 1999, 'CNY', 1999,
    0, 0, 'wechat.native', 'tea', TRUE, NULL, NULL, 1000, 2000, 1500, NULL, '{}', NULL, NULL, 'default', 'f', 3, 2,
    FALSE);
INSERT INTO payments VALUES ('pay_00000000000000000000000000000002', 'shop', 'A2', 'pending', 5, 'CNY', 0, 0, 0,
    'wechat.native', 'tea', TRUE, NULL, NULL, 1001, 2001, NULL, NULL, '{}', NULL, NULL, 'default', 'f', 2, 0,
    FALSE);
INSERT INTO attempts VALUES ('att_00000000000000000000000000000001', 'pay_00000000000000000000000000000001', 0,
    'main', 'p', 'n1', 'refused', 1, '', NULL, NULL, NULL, NULL, NULL, 1000, 2000, NULL, 0);
INSERT INTO attempts VALUES ('att_00000000000000000000000000000002', 'pay_00000000000000000000000000000001', 1,
    'main', 'p', 'n2', 'paid', 2, 'memo', 'r', 't', 1999, 'CNY', NULL, 1001, 2000, NULL, 1);
INSERT INTO attempts VALUES ('att_00000000000000000000000000000003', 'pay_00000000000000000000000000000002', 0,
    'main', 'p', 'n3', 'open', 1, '', NULL, NULL, NULL, NULL, NULL, 1002, 2000, 1700, 0);
INSERT INTO decisions VALUES ('att_00000000000000000000000000000002', '{}');
INSERT INTO callbacks VALUES ('cbk_00000000000000000000000000000001', 'main', 1500, 'POST', '/notify/main', NULL,
    '[]', 'a', 1, 'applied', 'key', 'pay_00000000000000000000000000000001', NULL);
INSERT INTO callbacks VALUES ('cbk_00000000000000000000000000000002', 'main', 1501, 'POST', '/notify/main', NULL,
    '[]', 'b', 1, 'orphan', 'other', NULL, 'no such order');
INSERT INTO events VALUES ('evt_00000000000000000000000000000001', 'shop', 'pay_00000000000000000000000000000001',
    'payment.succeeded', 1, 1500, '{}', 'https://shop.example/hook');
INSERT INTO events VALUES ('evt_00000000000000000000000000000002', 'shop', 'pay_00000000000000000000000000000001',
    'payment.held', 2, 1501, '{}', 'https://shop.example/hook');
INSERT INTO events VALUES ('evt_00000000000000000000000000000003', 'shop', 'pay_00000000000000000000000000000001',
    'payment.held', 3, 1502, '{}', NULL);
INSERT INTO deliveries VALUES ('evt_00000000000000000000000000000001', 'shop', 'delivered', 1600, 1, 2, 1510,
    'status 200');
INSERT INTO deliveries VALUES ('evt_00000000000000000000000000000002', 'shop', 'pending', 1601, 2, 3, NULL, NULL);
";

/// A ledger as the first step left it, with rows.
async fn old(url: &str) {
    let db = connect(url).await;
    let tx = db.begin_with_options(immediate()).await.unwrap();
    Migrator::up(&tx, Some(1)).await.unwrap();
    let rows = match db.get_database_backend() {
        DbBackend::Postgres => ROWS.to_owned(),
        // A strict table holds bytes as bytes.
        _ => ROWS.replace("'[]', 'a'", "'[]', X'61'").replace("'[]', 'b'", "'[]', X'62'"),
    };
    tx.execute_unprepared(&rows).await.unwrap();
    tx.commit().await.unwrap();
    db.close().await.unwrap();
}

async fn connect(url: &str) -> DatabaseConnection {
    let mut options = sea_orm::ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    sea_orm::Database::connect(options).await.unwrap()
}

fn sqlite(folder: &Path) -> String {
    format!("sqlite://{}", folder.join("a.db").display())
}

/// Opens it as a service would, and finds all that was there before, fit for what is new.
async fn check(url: &str) {
    let ledger = Ledger::connect(url, Options { connections: 2, ..Options::default() }).await.unwrap();
    let id: PaymentId = "pay_00000000000000000000000000000001".parse().unwrap();
    let paid = ledger.payment(id).await.unwrap().unwrap();
    assert_eq!((paid.version, paid.events, paid.attempts.len()), (3, 2, 2));
    assert_eq!(paid.attempts[1].refundable().unwrap().minor(), 1999);
    assert!(paid.attempts[1].more.is_empty());
    let decision = ledger.decision(paid.attempts[1].id).await.unwrap();
    assert_eq!(decision, Some(KeptDecision::Told(serde_json::json!({}))));
    let filter = EventFilter { app: app_id("shop"), subject: None, after: None, limit: 9 };
    let listed = ledger.events(&filter).await.unwrap();
    let states: Vec<_> =
        listed.iter().map(|listed| (listed.event.sequence, listed.state, listed.tries)).collect();
    assert_eq!(
        states,
        [(1, Some(DeliveryState::Delivered), 1), (2, Some(DeliveryState::Pending), 2), (3, None, 0)]
    );
    let fixtures = Fixtures::new(1);
    let mut refund = fixtures.refund(&paid, "R1", 1999);
    refund.attempt = paid.attempts[1].id;
    assert!(matches!(ledger.open_refund(refund.clone()).await, Ok(RefundOpened::New)));
    refund = paymux_core::Refund { refund_no: None, amount: paymux_core::Money::fen(1), ..refund };
    refund.id = fixtures.id(paymux_core::RefundId::make);
    refund.number = "other".to_owned();
    assert!(matches!(ledger.open_refund(refund).await, Ok(RefundOpened::TooLarge)));
    let due = ledger.take_due_deliveries(fixtures.now(), Duration::from_secs(1), 9, 9, &[]).await.unwrap();
    assert_eq!(due.iter().map(|due| (due.event.sequence, due.fence)).collect::<Vec<_>>(), [(2, 4)]);
    ledger.close().await;
}

/// What the new schema takes from nobody.
const REFUSED: [&str; 4] = [
    "DELETE FROM events",
    "UPDATE events SET transfer = payment",
    "UPDATE events SET payment = NULL",
    "UPDATE callbacks SET event_key = NULL",
];

#[tokio::test]
async fn an_old_ledger_on_sqlite_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    old(&(sqlite(folder.path()) + "?mode=rwc")).await;
    check(&sqlite(folder.path())).await;
    let db = connect(&sqlite(folder.path())).await;
    let broken = texts(&db, "SELECT \"table\" FROM pragma_foreign_key_check").await;
    assert!(broken.is_empty(), "{broken:?}");
    assert_eq!(texts(&db, "SELECT * FROM pragma_integrity_check").await, ["ok"]);
    let lax = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND strict = 0 AND name NOT LIKE 'sqlite_%'";
    assert_eq!(texts(&db, lax).await, ["seaql_migrations"]);
    for sql in REFUSED {
        assert!(db.execute_unprepared(sql).await.is_err(), "{sql}");
    }
}

#[tokio::test]
async fn an_old_ledger_on_postgresql_is_brought_up_to_date() {
    let place = OnPostgres::new().await;
    old(&place.url()).await;
    check(&place.url()).await;
    let db = connect(&place.url()).await;
    for sql in REFUSED {
        assert!(db.execute_unprepared(sql).await.is_err(), "{sql}");
    }
    db.close().await.unwrap();
}

async fn texts(db: &DatabaseConnection, text: &str) -> Vec<String> {
    let mut sql = Sql::new(db.get_database_backend());
    sql.push(text);
    sql.rows(db).await.unwrap().iter().map(|row| Cells::new(row).next().unwrap()).collect()
}

/// What is on the disk in the middle of the step is what a kill leaves there: a copy of it is opened.
#[tokio::test]
async fn sqlite_that_was_killed_in_the_middle_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let url = sqlite(folder.path());
    old(&(url.clone() + "?mode=rwc")).await;
    let db = connect(&url).await;
    // So that each statement writes its pages out, long before the commit.
    db.execute_unprepared("PRAGMA journal_mode = WAL; PRAGMA cache_size = 1; PRAGMA cache_spill = 1")
        .await
        .unwrap();
    let tx = db.begin_with_options(immediate()).await.unwrap();
    let log = folder.path().join("a.db-wal");
    let mut written = std::fs::read(&log).unwrap();
    for part in m0002_money::parts(DbBackend::Sqlite) {
        for statement in part.split(";\n") {
            tx.execute_unprepared(statement).await.unwrap();
            eprintln!(
                "{} after {}",
                std::fs::metadata(&log).unwrap().len(),
                &statement[..statement.len().min(60)]
            );
        }
        // Its bytes and not its length: a page that is written out twice takes the place of its first copy.
        let now = std::fs::read(&log).unwrap();
        assert!(now != written, "nothing of it reached the disk");
        written = now;
        let copy = tempfile::tempdir().unwrap();
        for name in ["a.db", "a.db-wal"] {
            std::fs::copy(folder.path().join(name), copy.path().join(name)).unwrap();
        }
        check(&sqlite(copy.path())).await;
    }
    tx.rollback().await.unwrap();
    db.close().await.unwrap();
    check(&url).await;
}

/// A lock that somebody else holds stops the step in its middle, where its connection is cut.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgresql_that_was_cut_off_in_the_middle_is_brought_up_to_date() {
    let place = OnPostgres::new().await;
    old(&place.url()).await;
    let db = connect(&place.url()).await;
    let other = db.begin().await.unwrap();
    other.execute_unprepared("LOCK TABLE deliveries IN ACCESS EXCLUSIVE MODE").await.unwrap();
    let url = place.url();
    let start = tokio::spawn(async move { Ledger::connect(&url, Options::default()).await });
    let is_cut = tokio::time::timeout(Duration::from_secs(20), cut_off(&place.url())).await;
    is_cut.expect("nothing waits for the lock");
    let refused = start.await.unwrap().unwrap_err();
    assert!(matches!(refused, crate::ConnectError::Migration(_)), "{refused}");
    other.rollback().await.unwrap();
    db.close().await.unwrap();
    check(&place.url()).await;
}

/// Waits until a connection waits for a lock, and ends it. Looks from outside of any transaction: in one,
/// `pg_stat_activity` stays for ever what it was at the first look.
async fn cut_off(url: &str) {
    let looking = connect(url).await;
    let cut = "SELECT count(pg_terminate_backend(pid))::text FROM pg_stat_activity \
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while texts(&looking, cut).await == ["0"] {
        tokio::task::yield_now().await;
    }
    looking.close().await.unwrap();
}

/// Refunds of the second step: a merchant's that is unknown, an operator's that is too, and one that waits.
const SENT_REFUNDS: &str = "
INSERT INTO refunds VALUES ('rfd_1', 'shop', '{payment}', '{attempt}', 'R1', 'merchant', 'main', '1', 1, 'CNY', '',
    'unknown', 1, NULL, NULL, NULL, 'f', 1000, NULL, 9000, 1);
INSERT INTO refunds VALUES ('rfd_2', 'shop', '{payment}', '{attempt}', NULL, 'operator', 'main', '2', 1, 'CNY', '',
    'unknown', 1, NULL, NULL, NULL, '', 1000, NULL, 9000, 1);
INSERT INTO refunds VALUES ('rfd_3', 'shop', '{payment}', '{attempt}', NULL, 'operator', 'main', '3', 1, 'CNY', '',
    'queued', 0, NULL, NULL, NULL, '', 1000, NULL, 1000, 0);
INSERT INTO claims VALUES ('idempotency:shop', 'k1', 'a digest without a key', 1000, 2000);
";

#[tokio::test]
async fn what_was_sent_before_is_never_counted_from_too_early_a_moment() {
    let folder = tempfile::tempdir().unwrap();
    check(&(sqlite(folder.path()) + "?mode=rwc")).await;
    check(&OnPostgres::new().await.url()).await;

    async fn check(url: &str) {
        old(url).await;
        let db = connect(url).await;
        let tx = db.begin_with_options(immediate()).await.unwrap();
        let steps = Migrator::migrations();
        let place = steps.iter().position(|step| step.name() == "m0002_money").unwrap();
        Migrator::up(&tx, Some(u32::try_from(place).unwrap())).await.unwrap();
        let rows = SENT_REFUNDS
            .replace("{payment}", "pay_00000000000000000000000000000001")
            .replace("{attempt}", "att_00000000000000000000000000000002");
        tx.execute_unprepared(&rows).await.unwrap();
        tx.commit().await.unwrap();
        run(&db).await.unwrap();
        let sent = "SELECT coalesce(CAST(sent_at AS text), '-') FROM refunds ORDER BY id";
        assert_eq!(texts(&db, sent).await, ["1000", "9000", "-"]);
        assert!(texts(&db, "SELECT key FROM claims").await.is_empty());
        let key = texts(&db, "SELECT value FROM settings WHERE name = 'digest_key'").await;
        assert!(key[0].len() == 64 && key[0].bytes().all(|b| b.is_ascii_hexdigit()), "{key:?}");
        db.close().await.unwrap();
    }
}

#[tokio::test]
async fn the_entities_are_the_tables() {
    let folder = tempfile::tempdir().unwrap();
    let db = connect(&(sqlite(folder.path()) + "?mode=rwc")).await;
    run(&db).await.unwrap();
    check::<payments::Column>(&db, "payments").await;
    check::<attempts::Column>(&db, "attempts").await;
    check::<decisions::Column>(&db, "decisions").await;
    check::<config_versions::Column>(&db, "config_versions").await;
    check::<callbacks::Column>(&db, "callbacks").await;
    check::<events::Column>(&db, "events").await;
    check::<deliveries::Column>(&db, "deliveries").await;
    check::<refunds::Column>(&db, "refunds").await;
    check::<transfers::Column>(&db, "transfers").await;
    check::<postings::Column>(&db, "postings").await;
    check::<audit::Column>(&db, "audit").await;
    check::<channel_capacity::Column>(&db, "channel_capacity").await;
    check::<channel_day::Column>(&db, "channel_day").await;
    check::<channels::Column>(&db, "channels").await;
    check::<claims::Column>(&db, "claims").await;
    check::<endpoints::Column>(&db, "endpoints").await;

    async fn check<C: Iterable + Iden>(db: &DatabaseConnection, table: &str) {
        let mut sql = Sql::new(DbBackend::Sqlite);
        sql.push("SELECT name FROM pragma_table_info(").bind(table).push(") ORDER BY cid");
        let rows = sql.rows(db).await.unwrap();
        let names: Vec<String> = rows.iter().map(|row| Cells::new(row).next().unwrap()).collect();
        assert_eq!(names.join(", "), columns::<C>(""), "{table}");
    }
}
