//! What is PostgreSQL's own: several nodes on one database, and connections that come and go.

use std::sync::Arc;
use std::time::Duration;

use paymux_core::clock::Timestamp;
use paymux_core::day::Day;
use paymux_core::money::Currency;
use paymux_core::store::{
    Applied, CapacityLimits, CapacityMove, CapacitySpan, CapacityUse, Claim, Claimed, DayBook, Opened,
    Outbox, PaymentLedger, StoreError,
};
use paymux_store::{ConnectError, Ledger, Options};
use paymux_testkit::Fixtures;
use paymux_testkit::fixtures::{all_of, opening_of, paid};

use crate::support::postgres::OnPostgres;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nodes_that_start_together_migrate_once() {
    let place = OnPostgres::new().await;
    let nodes: Vec<_> = (0..6)
        .map(|_| {
            let url = place.url();
            tokio::spawn(async move {
                Ledger::connect(&url, Options { connections: 2, ..Options::default() }).await
            })
        })
        .collect();
    for node in nodes {
        node.await.unwrap().unwrap().close().await;
    }
    let alone = OnPostgres::new().await;
    alone.open().await.close().await;
    assert_eq!(steps(&place).await, steps(&alone).await);
}

async fn steps(place: &OnPostgres) -> Vec<(String,)> {
    let text = "SELECT version FROM seaql_migrations ORDER BY version";
    sqlx::query_as(text).fetch_all(&place.tool().await).await.unwrap()
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let place = OnPostgres::new().await;
    place.open().await.close().await;
    let tool = place.tool().await;
    sqlx::raw_sql("INSERT INTO seaql_migrations VALUES ('m9999_from_the_future', 1)")
        .execute(&tool)
        .await
        .unwrap();
    let refused = Ledger::connect(&place.url(), Options::default()).await.unwrap_err();
    assert!(matches!(&refused, ConnectError::Migration(why) if why.contains("m9999")), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_share_one_truth() {
    let place = OnPostgres::new().await;
    let (one, two) = (Arc::new(place.open().await), Arc::new(place.open().await));
    let fixtures = Fixtures::new(1);
    for round in 0..20 {
        let seen = fixtures.payment("shop", &format!("A{round}"));
        let (first, second) =
            tokio::join!(one.open(opening_of(seen.clone())), two.open(opening_of(seen.clone())));
        let new = [&first, &second].iter().filter(|opened| matches!(opened, Ok(Opened::New))).count();
        assert_eq!(new, 1, "{first:?} {second:?}");
        let change = paid(&fixtures, &seen);
        let (first, second) = tokio::join!(one.apply(change.clone()), two.apply(change.clone()));
        let mut answers = [first.unwrap(), second.unwrap()];
        answers.sort_by_key(|applied| *applied == Applied::Stale);
        assert_eq!(answers, [Applied::Done, Applied::Stale]);
        for node in [&one, &two] {
            assert_eq!(
                node.payment_by_order(&seen.app, &seen.order_no).await,
                Ok(Some(change.payment.clone()))
            );
        }
    }
    let lease = Duration::from_secs(9);
    let now = fixtures.now();
    let (first, second) = tokio::join!(
        one.take_due_deliveries(now, lease, 99, 99, &[]),
        two.take_due_deliveries(now, lease, 99, 99, &[])
    );
    assert_eq!(first.unwrap().len() + second.unwrap().len(), 20);
}

/// 200 openings at once from two nodes: to the last fen that fits, and not one more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_never_set_aside_a_fen_above_a_limit() {
    const MOST: i64 = 5_000;
    let place = OnPostgres::new().await;
    let nodes = [Arc::new(place.open().await), Arc::new(place.open().await)];
    let fixtures = Fixtures::new(1);
    let day = Day::from_number(19_783);
    let mut openings = tokio::task::JoinSet::new();
    for number in 0..200_usize {
        let mut opening = fixtures.opening("shop", &format!("A{number}"));
        opening.capacity = vec![CapacityMove {
            channel: opening.payment.attempts[0].channel.clone(),
            span: CapacitySpan::Day(day, Currency::CNY),
            by: CapacityUse { reserved: 50, booked: 0, count: 1 },
            within: Some(CapacityLimits { amount: Some(MOST), count: None }),
        }];
        let node = Arc::clone(&nodes[number % 2]);
        openings.spawn(async move { matches!(node.open(opening).await.unwrap(), Opened::New) });
    }
    let taken = openings.join_all().await.into_iter().filter(|is_new| *is_new).count();
    assert_eq!(taken, 100);
    let figures = nodes[0].capacity_figures(day).await.unwrap();
    assert_eq!(figures.len(), 1);
    assert_eq!(figures[0].used, CapacityUse { reserved: MOST, booked: 0, count: 100 });
}

/// Callers that go away leave no transaction behind, however far it had come.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_callers_leave_no_open_transaction() {
    let place = OnPostgres::new().await;
    let ledger = Arc::new(place.open().await);
    let fixtures = Fixtures::new(1);
    for number in 0..20 {
        ledger.open(fixtures.opening("shop", &format!("A{number}"))).await.unwrap();
    }
    let now = fixtures.now().plus(Duration::from_mins(1));
    for turns in 0..200 {
        let ledger = ledger.clone();
        let call = tokio::spawn(async move { ledger.take_due_attempts(now, Duration::ZERO, 3, &[]).await });
        for _ in 0..turns % 40 {
            tokio::task::yield_now().await;
        }
        call.abort();
    }
    ledger.ping().await.unwrap();
    ledger.close().await;
    let tool = place.tool().await;
    let open: (i64,) = sqlx::query_as(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'",
    )
    .fetch_one(&tool)
    .await
    .unwrap();
    assert_eq!(open, (0,));
    let again = place.open().await;
    assert_eq!(again.take_due_attempts(now, Duration::ZERO, 99, &[]).await.unwrap().len(), 20);
}

/// Ends every connection to the database but the tool's own.
async fn cut(tool: &sqlx::PgPool) {
    let others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
        WHERE datname = current_database() AND pid <> pg_backend_pid()";
    sqlx::raw_sql(others).execute(tool).await.unwrap();
}

#[tokio::test]
async fn lost_connections_are_told_and_replaced() {
    let place = OnPostgres::new().await;
    let ledger = place.open().await;
    let fixtures = Fixtures::new(1);
    ledger.open(fixtures.opening("shop", "A0")).await.unwrap();
    cut(&place.tool().await).await;
    let mut stored = 1;
    for number in 1..30 {
        match ledger.open(fixtures.opening("shop", &format!("A{number}"))).await {
            Ok(Opened::New) => stored += 1,
            // The connection died under the statement: maybe durable, in truth not.
            Err(StoreError::Unconfirmed(_)) => {}
            other => panic!("{other:?}"),
        }
    }
    assert!(stored >= 20, "{stored} of 30");
    assert_eq!(ledger.payments(&all_of("shop")).await.unwrap().len(), stored);
}

fn claim(digest: &str, at: i64, until: i64) -> Claim {
    let (at, until) = (Timestamp::from_ms(at), Timestamp::from_ms(until));
    Claim { scope: "shop".into(), key: "k".into(), digest: digest.into(), at, until }
}

/// Waits until so many connections wait for a lock.
async fn locked(tool: &sqlx::PgPool, count: i64) {
    let waiting = "SELECT count(*) FROM pg_stat_activity \
        WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while sqlx::query_scalar::<_, i64>(waiting).fetch_one(tool).await.unwrap() != count {
        tokio::task::yield_now().await;
    }
}

/// A node whose clock is ahead forgets the key after a claim has found it held, and before the claim has
/// read for what.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_forgotten_meanwhile_is_free() {
    let place = OnPostgres::new().await;
    let ledger = Arc::new(place.open().await);
    assert_eq!(ledger.claim(claim("one", 100, 200)).await, Ok(Claimed::New));
    let (looking, holding, forgetting) = (place.tool().await, place.tool().await, place.tool().await);
    let mut held = holding.begin().await.unwrap();
    sqlx::query("SELECT 1 FROM claims FOR UPDATE").execute(&mut *held).await.unwrap();
    let asking = tokio::spawn({
        let ledger = ledger.clone();
        async move { ledger.claim(claim("two", 150, 300)).await }
    });
    locked(&looking, 1).await;
    let forgotten = tokio::spawn(async move {
        let all = "BEGIN; LOCK TABLE claims IN ACCESS EXCLUSIVE MODE; DELETE FROM claims; COMMIT";
        sqlx::raw_sql(all).execute(&forgetting).await.unwrap();
    });
    locked(&looking, 2).await;
    held.rollback().await.unwrap();
    forgotten.await.unwrap();
    assert_eq!(asking.await.unwrap(), Ok(Claimed::New));
    assert_eq!(ledger.claim(claim("two", 150, 300)).await, Ok(Claimed::Same));
}

/// As a primary that became a standby under a running node.
#[tokio::test]
async fn a_read_only_server_fails_the_ping_and_refuses_writes() {
    let place = OnPostgres::new().await;
    let ledger = place.open().await;
    assert_eq!(ledger.ping().await, Ok(()));
    let tool = place.tool().await;
    let read_only = format!("ALTER DATABASE {} SET default_transaction_read_only = on", place.name);
    sqlx::raw_sql(sqlx::AssertSqlSafe(read_only)).execute(&tool).await.unwrap();
    cut(&tool).await;
    // Each of the old connections fails once.
    while let Err(StoreError::Unconfirmed(_)) = ledger.ping().await {}
    assert!(matches!(ledger.ping().await, Err(StoreError::Unavailable(why)) if why.contains("read-only")));
    let refused = ledger.open(Fixtures::new(1).opening("shop", "A1")).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
    assert_eq!(ledger.payments(&all_of("shop")).await, Ok(vec![]));
}

#[tokio::test]
async fn a_full_queue_refuses() {
    let place = OnPostgres::new().await;
    let options = Options { write_queue: 2, connections: 1, ..Options::default() };
    let ledger = Arc::new(Ledger::connect(&place.url(), options).await.unwrap());
    let fixtures = Fixtures::new(1);
    let open = |number: usize| {
        let (ledger, opening) = (ledger.clone(), fixtures.opening("shop", &format!("A{number}")));
        tokio::spawn(async move { ledger.open(opening).await })
    };
    let tasks: Vec<_> = (0..100).map(open).collect();
    let (mut done, mut refused) = (0, 0);
    for task in tasks {
        match task.await.unwrap() {
            Ok(_) => done += 1,
            Err(StoreError::Unavailable(why)) => refused += usize::from(why.contains("too many writes")),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(done + refused, 100);
    assert!(done >= 2 && refused > 0, "{done} done, {refused} refused");
    assert_eq!(ledger.payments(&all_of("shop")).await.unwrap().len(), done);
}

#[tokio::test]
async fn a_closed_ledger_takes_no_writes() {
    let place = OnPostgres::new().await;
    let ledger = place.open().await;
    ledger.close().await;
    let refused = ledger.open(Fixtures::new(1).opening("shop", "A1")).await;
    assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_an_error_that_says_so() {
    let options = Options { acquire: Duration::from_millis(300), ..Options::default() };
    let refused = Ledger::connect("postgres://root:hunter2@127.0.0.1:1/x", options).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Open(_)), "{refused}");
    assert!(!refused.to_string().contains("hunter2"), "{refused}");
}
