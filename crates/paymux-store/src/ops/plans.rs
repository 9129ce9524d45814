//! How the databases carry the operations out: by an index each, on tables of 200,000 rows.

use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use paymux_core::catalog::Lifecycle;
use paymux_core::clock::Timestamp;
use paymux_core::outflow::OutflowState;
use paymux_core::payment::{AttemptState, Payment, Status};
use paymux_core::posting::Cause;
use paymux_core::refund::Refund;
use paymux_core::store::{
    Applied, CallbackFilter, CallbackVerdict, ChannelRecord, Claim, Claimed, DayLimit, DeliveryOutcome,
    DeliveryReport, DueDelivery, EventFilter, EventKind, Patience, PaymentFilter, QueueFilter, QueueKind,
    Redelivery, RefundOpened, RefundWrite, Ring, Subject, TransferOpened, Window,
};
use paymux_core::transfer::Transfer;
use paymux_testkit::Fixtures;
use paymux_testkit::fixtures::{
    START_MS, add_attempt, add_transfer_event, all_of, edit_attempt, opening_of, paid, refund_change,
    step_to, transfer_to,
};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, ExecResult, QueryResult, Statement};

use super::apply::Apply;
use super::callbacks::KeepCallback;
use super::channels::{Bind, Move};
use super::claims::{Claiming, Tidy};
use super::deliveries::{Report, TakeDeliveries};
use super::desk::SettleCallback;
use super::due::TakeAttempts;
use super::events::Redeliver;
use super::open::Open;
use super::outflows::TakeOutflows;
use super::refunds::OpenRefund;
use super::transfers::{ApplyTransfer, OpenTransfer};
use super::{Work, channels, decisions, desk, events, outflows, queue, read};
use crate::test_postgres::OnPostgres;

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

/// Copies of one payment with its attempt, callback, event, delivery, refund and posting, of a transfer
/// and of an operator's line. One in a hundred is due, one in a thousand waits for a person. A remainder
/// stands in brackets: SQLite joins texts before it divides, PostgreSQL after.
const SEED: [&str; 12] = [
    "INSERT INTO payments SELECT 'pay_' || {id}, app, 'seed-' || n, status, amount, currency, amount_received, \
     amount_discount, amount_refunded, method, subject, livemode, held, next_action, created_at - 200001 + n, \
     expires_at, paid_at, failure, metadata, return_url, notify_url, route, fingerprint, version, events, \
     cancel_requested, front, origin FROM payments CROSS JOIN {numbers}",
    "INSERT INTO attempts SELECT 'att_' || {id}, 'pay_' || {id}, 0, channel, provider, {id}, \
     CASE n % 1000 WHEN 1 THEN 'unknown' WHEN 2 THEN 'duplicate_paid' WHEN 3 THEN 'lapsed' \
     WHEN 4 THEN 'open' ELSE state END, fence, memo, reference, trade_no, \
     CASE WHEN n % 1000 NOT IN (1, 3, 4) THEN received END, \
     CASE WHEN n % 1000 NOT IN (1, 3, 4) THEN received_currency END, failure, created_at - 200001 + n, ends_at, \
     CASE WHEN n % 100 = 0 THEN n END, checks, more, 0, 0, NULL, 0, CASE WHEN n % 1000 = 3 THEN n END, \
     limits_day, reserved, in_flight FROM attempts CROSS JOIN {numbers}",
    "INSERT INTO decisions SELECT 'att_' || {id}, decision, version FROM decisions CROSS JOIN {numbers}",
    "INSERT INTO callbacks SELECT 'cbk_' || {id}, 'main' || (n % 20), received_at - 200001 + n, verb, path, query, \
     headers, body, size, CASE n % 1000 WHEN 1 THEN 'orphan' WHEN 2 THEN 'duplicate' ELSE 'applied' END, \
     'seed' || n, 'pay_' || {id}, detail, NULL, 1, 0 FROM callbacks CROSS JOIN {numbers}",
    "INSERT INTO events SELECT 'evt_' || {id}, 'app' || (n % 50), 'pay_' || {id}, kind, sequence, \
     created_at - 200001 + n, body, 'https://' || (n % 50) || '.example/', NULL FROM events CROSS JOIN {numbers}",
    "INSERT INTO deliveries SELECT 'evt_' || {id}, 'app' || (n % 50), \
     CASE WHEN n % 100 = 0 THEN 'pending' WHEN n % 1000 = 1 THEN 'dead' WHEN n % 1000 = 2 THEN 'parked' \
     ELSE 'delivered' END, n, tries, fence, delivered_at, detail, created_at - 200001 + n \
     FROM deliveries CROSS JOIN {numbers}",
    "INSERT INTO refunds SELECT 'rfd_' || {id}, app, 'pay_' || {id}, 'att_' || {id}, 'seed-' || n, origin, channel, \
     {id}, amount, currency, reason, CASE n % 1000 WHEN 1 THEN 'unknown' WHEN 2 THEN 'needs_action' \
     WHEN 3 THEN 'pending' ELSE 'succeeded' END, fence, action_url, failure, reference, fingerprint, \
     created_at - 200001 + n, ended_at, \
     CASE WHEN n % 100 = 0 THEN n END, checks, sent_at, front FROM refunds CROSS JOIN {numbers}",
    "INSERT INTO transfers SELECT 'trf_' || {id}, 'app' || (n % 50), 'seed-' || n, channel, provider, {id}, amount, \
     currency, product, payee_masked, reason, livemode, CASE n % 1000 WHEN 1 THEN 'unknown' \
     WHEN 2 THEN 'needs_action' WHEN 3 THEN 'pending' ELSE 'succeeded' END, fence, action_url, failure, \
     reference, fingerprint, events, \
     created_at - 200001 + n, ended_at, CASE WHEN n % 100 = 0 THEN n END, checks, front \
     FROM transfers CROSS JOIN {numbers}",
    "INSERT INTO postings SELECT 'pst_' || {id}, at, kind, debit, credit, amount, currency, 'pay_' || {id}, \
     'att_' || {id}, 'rfd_' || {id}, NULL FROM postings CROSS JOIN {numbers}",
    "INSERT INTO audit SELECT 'aud_' || {id}, at, operator, action, target, before, after, note, request_id \
     FROM audit CROSS JOIN {numbers}",
    "INSERT INTO claims SELECT scope, 'seed-' || n, digest, at, n FROM claims CROSS JOIN {numbers}",
    "INSERT INTO endpoints SELECT 'app' || (n % 50), 'https://seed-' || n || '.example/', n, 'gone' FROM {numbers}",
];

/// Fills a ledger with one of each kind of its own and 200,000 copies of it.
async fn seed(db: &DatabaseConnection, fixtures: &Fixtures) -> Payment {
    let payment = fixtures.payment("shop", "first");
    begin(db).await;
    Open(opening_of(payment.clone())).run(db).await.unwrap();
    let mut change = paid(fixtures, &payment);
    change.callback = Some(fixtures.applied(&payment, "key"));
    let refund = fixtures.refund(&change.payment, "first", 9);
    let cause = Cause::Refund(payment.id, payment.attempts[0].id, refund.id);
    change.postings.push(fixtures.posting(cause));
    change.audit = Some(fixtures.audit("first"));
    change.refund = Some(RefundWrite::Begin(refund));
    let applied = Apply(change.clone()).run(db).await.unwrap();
    assert_eq!(applied, Applied::Done);
    open_transfer(fixtures, "first").run(db).await.unwrap();
    Claiming { claim: claim("first"), tidy: Tidy::No }.run(db).await.unwrap();
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
    change.payment.attempts[0].refunding = 9;
    change.payment
}

fn open_transfer(fixtures: &Fixtures, transfer_no: &str) -> OpenTransfer {
    let transfer = fixtures.transfer("app7", transfer_no, 50);
    OpenTransfer { transfer, limit: DayLimit { from: Timestamp::from_ms(START_MS), amount_max: i64::MAX } }
}

fn claim(key: &str) -> Claim {
    let (at, until) = (Timestamp::from_ms(1000), Timestamp::from_ms(1001));
    Claim { scope: "keys of app".into(), key: key.into(), digest: "digest".into(), at, until }
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
    changes(&db, &fixtures).await;
    outflows(&db, &fixtures, &first).await;
    reads(&db, &first).await;
    desk(&db, &fixtures, &first).await;
    channels_move(&db, &fixtures, &first).await;
    takes(&db).await;
    outbox(&db, &fixtures).await;
    for (tidy, want) in [(Tidy::Yes, Claimed::New), (Tidy::No, Claimed::Same)] {
        let key = "second".to_owned();
        let until = Timestamp::from_ms(2000);
        let claim = Claim { key, until, ..claim("") };
        assert_eq!(Claiming { claim, tidy }.run(&db).await.unwrap(), want);
    }
    let row = fixtures.callback(CallbackVerdict::Forged);
    let ring = Ring { rows: 9, bytes: 999 };
    KeepCallback { row, ring }.run(&db).await.unwrap();
    for body in ["first", "first", "second"] {
        let mut row = fixtures.callback(CallbackVerdict::Duplicate);
        (row.event_key, row.request.body) = (Some("key".to_owned()), body.into());
        KeepCallback { row, ring }.run(&db).await.unwrap();
    }
    db.plans.into_inner().unwrap()
}

async fn changes(db: &Explained<'_>, fixtures: &Fixtures) {
    let opening = fixtures.opening("shop", "second");
    let second = opening.payment.clone();
    Open(opening.clone()).run(db).await.unwrap();
    Open(opening).run(db).await.unwrap();
    let mut change = paid(fixtures, &second);
    change.touched.clear();
    change.callback = Some(fixtures.applied(&second, "another key"));
    edit_attempt(&mut change, 0, |attempt| attempt.state = AttemptState::Refused);
    change.touched[0].seen_state = second.attempts[0].state;
    add_attempt(&mut change, fixtures.attempt("other"));
    let refund = fixtures.refund(&change.payment, "second", 9);
    let cause = Cause::Refund(second.id, second.attempts[0].id, refund.id);
    change.postings.push(fixtures.posting(cause));
    change.audit = Some(fixtures.audit("second"));
    change.refund = Some(RefundWrite::Begin(refund.clone()));
    assert_eq!(Apply(change.clone()).run(db).await.unwrap(), Applied::Done);
    let step = refund_change(&change.payment, step_to(&refund, OutflowState::Succeeded));
    assert_eq!(Apply(step).run(db).await.unwrap(), Applied::Done);
}

async fn outflows(db: &Explained<'_>, fixtures: &Fixtures, first: &Payment) {
    let refund = fixtures.refund(first, "third", 9);
    for want in ["New", "Exists"] {
        let opened = OpenRefund::new(refund.clone()).run(db).await.unwrap();
        assert!(format!("{opened:?}").starts_with(want), "{opened:?}");
    }
    let opened = OpenRefund::new(fixtures.refund(first, "fourth", 9999)).run(db).await.unwrap();
    assert!(matches!(opened, RefundOpened::TooLarge));
    let stored = outflows::by_id::<Refund, _>(db, refund.id.to_string()).await.unwrap();
    assert_eq!(stored.as_ref(), Some(&refund));
    assert_eq!(outflows::by_number(db, &refund.channel, &refund.number).await.unwrap(), stored);
    assert_eq!(outflows::of_app::<Refund, _>(db, &refund.app, None, 2).await.unwrap().len(), 2);
    let rest = outflows::of_app::<Refund, _>(db, &refund.app, Some(refund.id.to_string()), 2).await.unwrap();
    assert!(rest.iter().all(|rest| rest.id < refund.id), "{rest:?}");
    let pages = [outflows::of_payment(db, first.id, None, 1).await.unwrap()];
    let after = Some(pages[0][0].id);
    assert_eq!(outflows::of_payment(db, first.id, after, 9).await.unwrap().len(), 1);

    let opening = open_transfer(fixtures, "second");
    let transfer = opening.transfer.clone();
    assert!(matches!(opening.run(db).await.unwrap(), TransferOpened::New));
    assert!(matches!(opening.run(db).await.unwrap(), TransferOpened::Exists(_)));
    let mut change = transfer_to(&transfer, OutflowState::Succeeded);
    let event = fixtures.transfer_event(&transfer, EventKind::TransferSucceeded);
    add_transfer_event(&mut change, event);
    change.postings.push(fixtures.posting(Cause::Transfer(transfer.id)));
    assert_eq!(ApplyTransfer(change).run(db).await.unwrap(), Applied::Done);
    assert_eq!(outflows::of_app::<Transfer, _>(db, &transfer.app, None, 2).await.unwrap().len(), 2);
    let after = Some(transfer.id.to_string());
    let rest = outflows::of_app::<Transfer, _>(db, &transfer.app, after, 2).await.unwrap();
    assert!(rest.iter().all(|rest| rest.id < transfer.id), "{rest:?}");
    let (channel, number) = (&transfer.channel, &transfer.number);
    assert!(outflows::by_number::<Transfer, _>(db, channel, number).await.unwrap().is_some());
    let of_transfer = EventFilter {
        app: transfer.app.clone(),
        subject: Some(Subject::Transfer(transfer.id)),
        after: None,
        limit: 20,
    };
    assert_eq!(events::list(db, &of_transfer).await.unwrap().len(), 1);
}

/// All that can wait does.
fn patience(fixtures: &Fixtures) -> Patience {
    let now = fixtures.now();
    Patience { unknown_before: now, ended_before: now.plus(Duration::from_hours(1)), sent_before: now }
}

async fn desk(db: &Explained<'_>, fixtures: &Fixtures, first: &Payment) {
    let filter = QueueFilter { kind: None, patience: patience(fixtures), after: None, limit: 20 };
    let items = queue::list(db, &filter).await.unwrap();
    assert_eq!(items.len(), 20);
    for kind in QueueKind::ALL {
        let after = Some((Timestamp::from_ms(1), "first".to_owned()));
        let filter = QueueFilter { kind: Some(*kind), after, ..filter.clone() };
        assert_eq!(queue::list(db, &filter).await.unwrap().len(), 20, "{kind}");
    }
    let counts = queue::counts(db, patience(fixtures)).await.unwrap();
    assert!(counts.len() == 8 && counts.values().all(|count| *count >= 199), "{counts:?}");

    let all = CallbackFilter { payment: None, channel: None, verdict: None, after: None, limit: 20 };
    let main = paymux_testkit::fixtures::channel("main7");
    let filters = [
        CallbackFilter { payment: Some(first.id), ..all.clone() },
        CallbackFilter { channel: Some(main.clone()), ..all.clone() },
        CallbackFilter { verdict: Some(CallbackVerdict::Applied), ..all.clone() },
        CallbackFilter { verdict: Some(CallbackVerdict::Orphan), ..all.clone() },
        CallbackFilter {
            after: Some((fixtures.now(), fixtures.callback(CallbackVerdict::Forged).id)),
            ..all.clone()
        },
        all,
    ];
    for filter in filters {
        assert!(!desk::callbacks(db, &filter).await.unwrap().is_empty(), "{filter:?}");
    }
    let orphan = CallbackFilter {
        payment: None,
        channel: None,
        verdict: Some(CallbackVerdict::Orphan),
        after: None,
        limit: 1,
    };
    let orphan = desk::callbacks(db, &orphan).await.unwrap().remove(0);
    let settle = SettleCallback { id: orphan.id, audit: fixtures.audit("settle") };
    assert!(settle.run(db).await.unwrap());
    let newest = desk::audit(db, None, 20).await.unwrap().remove(0);
    assert!(!desk::audit(db, Some(newest.id), 20).await.unwrap().is_empty());
    let window = Window {
        channel: first.attempts[0].channel.clone(),
        from: Timestamp::from_ms(START_MS - 1000),
        to: fixtures.now(),
        after: None,
        limit: 20,
    };
    let after = Window { after: Some("0000".to_owned()), ..window.clone() };
    for window in [window, after] {
        assert_eq!(desk::order_lines(db, &window).await.unwrap().len(), 20);
        assert_eq!(desk::refund_lines(db, &window).await.unwrap().len(), 20);
    }
}

/// A channel with orders that have not ended is bound, refused to be off, and drained.
async fn channels_move(db: &Explained<'_>, fixtures: &Fixtures, first: &Payment) {
    let record = ChannelRecord {
        id: first.attempts[0].channel.clone(),
        provider: "scripted".to_owned(),
        account: "account".to_owned(),
        state: Lifecycle::Active,
        since: fixtures.now(),
        by: None,
        version: 1,
    };
    assert!(Bind(vec![record.clone()]).run(db).await.unwrap());
    assert_eq!(channels::list(db).await.unwrap(), std::slice::from_ref(&record));
    for (state, is_done) in [(Lifecycle::Off, false), (Lifecycle::Draining, true)] {
        let audit = fixtures.audit("channel.state");
        let step = Move { id: record.id.clone(), seen_version: 1, state, audit };
        assert_eq!(step.run(db).await.unwrap(), is_done, "{state}");
    }
}

async fn takes(db: &Explained<'_>) {
    let (now, lease) = (Timestamp::from_ms(150_000), Duration::from_secs(9));
    let busy = paymux_testkit::fixtures::channel("elsewhere");
    assert_eq!(TakeAttempts { now, lease, limit: 50, busy: vec![busy] }.run(db).await.unwrap().len(), 50);
    assert_eq!(TakeOutflows::<Refund>::new(now, lease, 50).run(db).await.unwrap().len(), 50);
    assert_eq!(TakeOutflows::<Transfer>::new(now, lease, 50).run(db).await.unwrap().len(), 50);
}

/// Takes, reports that one endpoint is gone, parks what else goes there, and asks for it again.
async fn outbox(db: &Explained<'_>, fixtures: &Fixtures) {
    let (now, lease) = (Timestamp::from_ms(150_000), Duration::from_secs(9));
    let busy = paymux_core::AppId::new("app48").unwrap();
    let take = TakeDeliveries { now, lease, limit: 50, per_app: 5, busy: vec![busy] };
    let due = take.run(db).await.unwrap();
    assert_eq!(due.len(), 5, "of those whose number is even and every fiftieth");
    let report = |due: &DueDelivery| DeliveryReport {
        event: due.event.id,
        fence: due.fence,
        outcome: DeliveryOutcome::Gone,
        detail: String::new(),
    };
    Report(due.iter().map(report).collect()).run(db).await.unwrap();
    assert!(take.run(db).await.unwrap().is_empty(), "all others go there too");
    let app = due[0].event.app.clone();
    let redeliver = |which| Redeliver { app: app.clone(), which, now };
    assert_eq!(redeliver(Redelivery::One(due[0].event.id)).run(db).await.unwrap(), 1);
    assert_eq!(take.run(db).await.unwrap().len(), 5);
    let range = Redelivery::Undelivered { from: Timestamp::from_ms(START_MS - 1000), to: fixtures.now() };
    assert!(redeliver(range).run(db).await.unwrap() > 10);
    let listed = EventFilter { app, subject: None, after: Some(due[0].event.id), limit: 20 };
    assert_eq!(events::list(db, &listed).await.unwrap().len(), 20);
}

async fn reads(db: &Explained<'_>, first: &Payment) {
    assert_eq!(read::by_id(db, first.id).await.unwrap().unwrap().id, first.id);
    assert!(read::by_order(db, &first.app, &first.order_no).await.unwrap().is_some());
    let attempt = &first.attempts[0];
    assert!(read::by_number(db, &attempt.channel, attempt.number.as_str()).await.unwrap().is_some());
    assert!(read::by_attempt(db, attempt.id).await.unwrap().is_some());
    assert!(decisions::of_attempt(db, attempt.id).await.unwrap().is_some());
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
    // What nobody reads after a crash need not be safe from one.
    db.execute_unprepared("PRAGMA synchronous = OFF; PRAGMA cache_size = -262144").await.unwrap();
    crate::migration::run(&db).await.unwrap();
    for plan in plans(&db).await {
        // What the plan itself made before may be read to its end.
        let is_made = |name: &str| {
            ["CO-ROUTINE", "MATERIALIZE"].iter().any(|word| plan.contains(&format!("{word} {name}")))
        };
        // A table that the statement does not name refers to the one it writes. SQLite looks there only
        // while a foreign key is broken, which in a batch is never (its source, `fkScanChildren`).
        for line in plan.lines().skip(1).filter(|line| line.contains("SCAN ") && !line.contains("USING")) {
            let name = line.split("SCAN ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap();
            let is_named = plan.lines().next().is_some_and(|sql| sql.contains(name));
            assert!(!is_named || is_made(name) || MADE.contains(&name), "{line} in\n{plan}");
        }
    }
}

/// Names in the statements that are no tables: lists of ids, of reports and of groups, and rows of
/// constants.
const MADE: [&str; 5] = ["json_each", "all_groups", "r", "CONSTANT", "ranked"];

const TABLES: [&str; 12] = [
    "payments",
    "attempts",
    "decisions",
    "callbacks",
    "events",
    "deliveries",
    "refunds",
    "transfers",
    "postings",
    "audit",
    "claims",
    "endpoints",
];

#[tokio::test]
async fn postgresql_reads_no_table_from_end_to_end() {
    let place = OnPostgres::new().await;
    let mut options = sea_orm::ConnectOptions::new(place.url());
    options.max_connections(1).sqlx_logging(false);
    let db = sea_orm::Database::connect(options).await.unwrap();
    crate::migration::run(&db).await.unwrap();
    for plan in plans(&db).await {
        for table in TABLES {
            assert!(!plan.contains(&format!("Seq Scan on {table}")), "{plan}");
        }
    }
    db.close().await.unwrap();
}
