//! How the databases carry the operations out: by an index each, on tables of 200,000 rows.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use paymux_core::clock::Timestamp;
use paymux_core::payment::{AttemptState, Payment, Status};
use paymux_core::store::{CallbackVerdict, DeliveryOutcome, DeliveryReport, PaymentFilter, Ring};
use paymux_testkit::Fixtures;
use paymux_testkit::fixtures::{add_attempt, all_of, edit_attempt, opening_of, paid};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, Statement};

use super::apply::Apply;
use super::callbacks::KeepCallback;
use super::deliveries::{Report, TakeDeliveries};
use super::due::TakeAttempts;
use super::open::Open;
use super::{Work, read};

#[expect(dead_code, reason = "not all of these helpers are used here")]
#[path = "../../tests/ledger/support/postgres.rs"]
mod postgres;

/// A connection that asks how each statement will be carried out before it runs it.
struct Explained<'a> {
    db: &'a DatabaseConnection,
    plans: Mutex<Vec<String>>,
}

impl Explained<'_> {
    async fn explain(&self, statement: &Statement) -> Result<(), DbErr> {
        let postgres = self.db.get_database_backend() == DbBackend::Postgres;
        let (word, column) = if postgres { ("EXPLAIN (COSTS off)", 0) } else { ("EXPLAIN QUERY PLAN", 3) };
        // SQLite explains one statement at a time; savepoints have no plan.
        for part in statement.sql.split("; ").filter(|part| postgres || part.contains(' ')) {
            if part.starts_with("RELEASE") || part.starts_with("SAVEPOINT") {
                continue;
            }
            let explain = Statement { sql: format!("{word} {part}"), ..statement.clone() };
            let rows = self.db.query_all_raw(explain).await?;
            let lines = rows.iter().map(|row| row.try_get_by_index::<String>(column));
            let plan = lines.collect::<Result<Vec<_>, _>>()?.join("\n");
            self.plans.lock().unwrap().push(format!("{part}\n{plan}"));
        }
        Ok(())
    }
}

#[async_trait]
impl ConnectionTrait for Explained<'_> {
    fn get_database_backend(&self) -> DbBackend {
        self.db.get_database_backend()
    }

    async fn execute_raw(&self, statement: Statement) -> Result<ExecResult, DbErr> {
        self.explain(&statement).await?;
        self.db.execute_raw(statement).await
    }

    async fn execute_unprepared(&self, sql: &str) -> Result<ExecResult, DbErr> {
        self.db.execute_unprepared(sql).await
    }

    async fn query_one_raw(&self, statement: Statement) -> Result<Option<QueryResult>, DbErr> {
        Ok(self.query_all_raw(statement).await?.into_iter().next())
    }

    async fn query_all_raw(&self, statement: Statement) -> Result<Vec<QueryResult>, DbErr> {
        self.explain(&statement).await?;
        self.db.query_all_raw(statement).await
    }
}

/// Copies of one payment with its attempt, callback, event and delivery. One in a hundred is due.
const SEED: [&str; 6] = [
    "INSERT INTO payments SELECT 'pay_' || {id}, app, 'seed-' || n, status, amount, currency, amount_received, \
     amount_discount, amount_refunded, method, subject, livemode, held, next_action, created_at - 200001 + n, \
     expires_at, paid_at, failure, metadata, return_url, notify_url, route, fingerprint, version, events, \
     cancel_requested FROM payments CROSS JOIN {numbers}",
    "INSERT INTO attempts SELECT 'att_' || {id}, 'pay_' || {id}, 0, channel, provider, {id}, state, fence, memo, \
     reference, trade_no, received, received_currency, failure, created_at, ends_at, \
     CASE WHEN n % 100 = 0 THEN n END, checks FROM attempts CROSS JOIN {numbers}",
    "INSERT INTO decisions SELECT 'att_' || {id}, decision FROM decisions CROSS JOIN {numbers}",
    "INSERT INTO callbacks SELECT 'cbk_' || {id}, channel, received_at, verb, path, query, headers, body, size, \
     'duplicate', 'seed', 'pay_' || {id}, detail FROM callbacks CROSS JOIN {numbers}",
    "INSERT INTO events SELECT 'evt_' || {id}, app, 'pay_' || {id}, kind, sequence, created_at, body, url \
     FROM events CROSS JOIN {numbers}",
    "INSERT INTO deliveries SELECT 'evt_' || {id}, 'app' || n % 50, CASE WHEN n % 100 = 0 THEN 'pending' \
     ELSE 'delivered' END, n, tries, fence, delivered_at, detail FROM deliveries CROSS JOIN {numbers}",
];

/// Fills a ledger with one payment of its own and 200,000 copies of it.
async fn seed(db: &DatabaseConnection, fixtures: &Fixtures) -> Payment {
    let payment = fixtures.payment("shop", "first");
    begin(db).await;
    Open(opening_of(payment.clone())).run(db).await.unwrap();
    let mut change = paid(fixtures, &payment);
    change.callback = Some(fixtures.applied(&payment, "key"));
    Apply(change.clone()).run(db).await.unwrap();
    let (id, numbers) = match db.get_database_backend() {
        DbBackend::Postgres => ("lpad(to_hex(n), 32, '0')", "generate_series(1, 200000) AS numbers(n)"),
        _ => (
            "printf('%032x', n)",
            "(WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 200000) SELECT n FROM c)",
        ),
    };
    for statement in SEED {
        let statement = statement.replace("{id}", id).replace("{numbers}", numbers);
        db.execute_unprepared(&statement).await.unwrap();
    }
    if db.get_database_backend() == DbBackend::Sqlite {
        db.execute_unprepared("COMMIT").await.unwrap();
    }
    db.execute_unprepared("ANALYZE").await.unwrap();
    begin(db).await;
    change.payment
}

/// What the writer does before its first request.
async fn begin(db: &DatabaseConnection) {
    if db.get_database_backend() == DbBackend::Sqlite {
        db.execute_unprepared("BEGIN IMMEDIATE; SAVEPOINT request").await.unwrap();
    }
}

/// Runs every operation and gives back the plans.
async fn plans(db: &DatabaseConnection) -> Vec<String> {
    let fixtures = Fixtures::new(1);
    let first = seed(db, &fixtures).await;
    let db = Explained { db, plans: Mutex::default() };
    let opening = fixtures.opening("shop", "second");
    let second = opening.payment.clone();
    Open(opening.clone()).run(&db).await.unwrap();
    Open(opening).run(&db).await.unwrap();
    let mut change = paid(&fixtures, &second);
    change.touched.clear();
    change.callback = Some(fixtures.applied(&second, "another key"));
    edit_attempt(&mut change, 0, |attempt| attempt.state = AttemptState::Refused);
    change.touched[0].seen_state = second.attempts[0].state;
    add_attempt(&mut change, fixtures.attempt("other"));
    Apply(change).run(&db).await.unwrap();
    reads(&db, &first).await;
    let (now, lease) = (Timestamp::from_ms(150_000), Duration::from_secs(9));
    TakeAttempts { now, lease, limit: 50 }.run(&db).await.unwrap();
    let due = TakeDeliveries { now, lease, limit: 50, per_app: 5 }.run(&db).await.unwrap();
    assert_eq!(due.len(), 1 + 4, "one app of those whose number is even and every fiftieth");
    let report = |due: &paymux_core::store::DueDelivery| DeliveryReport {
        event: due.event.id,
        fence: due.fence,
        outcome: DeliveryOutcome::Dead,
        detail: String::new(),
    };
    Report(due.iter().map(report).collect()).run(&db).await.unwrap();
    let row = fixtures.callback(CallbackVerdict::Forged);
    KeepCallback { row, ring: Ring { rows: 9, bytes: 999 } }.run(&db).await.unwrap();
    db.plans.into_inner().unwrap()
}

async fn reads(db: &Explained<'_>, first: &Payment) {
    assert_eq!(read::by_id(db, first.id).await.unwrap().unwrap(), *first);
    assert!(read::by_order(db, &first.app, &first.order_no).await.unwrap().is_some());
    let attempt = &first.attempts[0];
    assert!(read::by_number(db, &attempt.channel, attempt.number.as_str()).await.unwrap().is_some());
    let page = PaymentFilter { limit: 20, ..all_of("shop") };
    let pages = [
        page.clone(),
        PaymentFilter { after: Some(first.id), ..page.clone() },
        PaymentFilter { status: Some(Status::Succeeded), ..page.clone() },
        PaymentFilter { from: Some(first.created_at), ..page.clone() },
    ];
    for filter in pages {
        assert!(!read::list(db, &filter).await.unwrap().is_empty());
    }
    let nothing = [
        PaymentFilter { status: Some(Status::Pending), ..page.clone() },
        PaymentFilter { to: Some(Timestamp::from_ms(1)), ..page.clone() },
        PaymentFilter { order_no: Some(paymux_testkit::fixtures::order("none")), ..page },
    ];
    for filter in nothing {
        assert!(read::list(db, &filter).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn sqlite_reads_no_table_from_end_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite://{}?mode=rwc", folder.path().join("a.db").display());
    let mut options = sea_orm::ConnectOptions::new(url);
    options.max_connections(1).idle_timeout(None::<Duration>).sqlx_logging(false);
    let db = sea_orm::Database::connect(options).await.unwrap();
    crate::migration::run(&db).await.unwrap();
    for plan in plans(&db).await {
        // What the plan itself made before may be read to its end.
        let is_made = |name: &str| {
            ["CO-ROUTINE", "MATERIALIZE"].iter().any(|word| plan.contains(&format!("{word} {name}")))
        };
        for line in plan.lines().skip(1).filter(|line| line.contains("SCAN ") && !line.contains("USING")) {
            let name = line.split("SCAN ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
            assert!(is_made(name) || MADE.contains(&name), "{line} in\n{plan}");
        }
    }
}

/// Names in the statements that are no tables: lists of ids, of reports and of apps, and rows of
/// constants.
const MADE: [&str; 5] = ["json_each", "apps", "r", "CONSTANT", "ranked"];

#[tokio::test]
async fn postgresql_reads_no_table_from_end_to_end() {
    let place = postgres::OnPostgres::new().await;
    let mut options = sea_orm::ConnectOptions::new(place.url());
    options.max_connections(1).sqlx_logging(false);
    let db = sea_orm::Database::connect(options).await.unwrap();
    crate::migration::run(&db).await.unwrap();
    for plan in plans(&db).await {
        for table in ["payments", "attempts", "decisions", "callbacks", "events", "deliveries"] {
            assert!(!plan.contains(&format!("Seq Scan on {table}")), "{plan}");
        }
    }
    db.close().await.unwrap();
}
