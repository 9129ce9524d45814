//! What is SQLite's own: one process a file, shared commits, and what happens when they fail.

use std::sync::Arc;

use paymux_core::store::{Applied, Opened, Opening, Outbox, PaymentLedger, Store, StoreError};
use paymux_store::{ConnectError, Ledger, Options};
use paymux_testkit::Fixtures;
use paymux_testkit::fixtures::{all_of, change_of, opening_of, paid};

use crate::support::OnSqlite;

/// Opens that many payments at once, each from a task of its own.
async fn open_at_once(ledger: &Arc<Ledger>, openings: Vec<Opening>) -> Vec<Result<Opened, StoreError>> {
    let open = |opening| {
        let ledger = ledger.clone();
        tokio::spawn(async move { ledger.open(opening).await })
    };
    let tasks: Vec<_> = openings.into_iter().map(open).collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}

fn openings(fixtures: &Fixtures, count: usize) -> Vec<Opening> {
    (0..count).map(|place| fixtures.opening("shop", &format!("A{place}"))).collect()
}

async fn stored(store: &dyn Store) -> usize {
    store.payments(&all_of("shop")).await.unwrap().len()
}

async fn run(place: &OnSqlite, sql: &'static str) {
    let tool = place.tool().await;
    sqlx::raw_sql(sql).execute(&tool).await.unwrap();
    tool.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_writes_share_a_commit() {
    let place = OnSqlite::new();
    let ledger = Arc::new(place.open().await);
    let before = ledger.commits().unwrap();
    let answers = open_at_once(&ledger, openings(&Fixtures::new(1), 512)).await;
    assert!(answers.iter().all(|answer| matches!(answer, Ok(Opened::New))));
    let commits = ledger.commits().unwrap() - before;
    assert!((2..=128).contains(&commits), "{commits} commits for 512 writes");
    assert_eq!(stored(&*ledger).await, 512);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_has_a_limit() {
    let place = OnSqlite::new();
    let options = Options { batch: 4, ..Options::default() };
    let ledger = Arc::new(Ledger::connect(&place.url(), options).await.unwrap());
    let before = ledger.commits().unwrap();
    open_at_once(&ledger, openings(&Fixtures::new(1), 64)).await;
    assert!(ledger.commits().unwrap() - before >= 16);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_write_hurts_no_other_in_its_batch() {
    let place = OnSqlite::new();
    let ledger = Arc::new(place.open().await);
    run(&place, "CREATE TRIGGER t AFTER INSERT ON attempts WHEN NEW.memo = 'bad' BEGIN SELECT RAISE(ABORT, 'no'); END").await;
    let mut openings = openings(&Fixtures::new(1), 60);
    let taken = openings[0].payment.attempts[0].number.clone();
    for opening in openings.iter_mut().skip(1).step_by(3) {
        opening.payment.attempts[0].number = taken.clone();
    }
    for opening in openings.iter_mut().skip(2).step_by(3) {
        opening.payment.attempts[0].memo = "bad".to_owned();
    }
    let before = ledger.commits().unwrap();
    let answers = open_at_once(&ledger, openings.clone()).await;
    assert!(ledger.commits().unwrap() - before < 60);
    for (place, (answer, opening)) in answers.iter().zip(&openings).enumerate() {
        let found = ledger.payment(opening.payment.id).await.unwrap();
        match place % 3 {
            // One of those that share a number is first; which one, nobody knows.
            0 | 1 => assert_eq!(answer.is_ok(), found.is_some()),
            _ => assert!(matches!(answer, Err(StoreError::Corrupt(_))) && found.is_none(), "{answer:?}"),
        }
    }
    assert_eq!(stored(&*ledger).await, 20);
}

#[tokio::test]
async fn a_write_that_fails_before_its_first_statement_hurts_no_other_in_its_batch() {
    let place = OnSqlite::new();
    let ledger = Arc::new(place.open().await);
    let mut openings = openings(&Fixtures::new(1), 60);
    for opening in openings.iter_mut().skip(1).step_by(2) {
        opening.payment.attempts.clear();
    }
    let answers = open_at_once(&ledger, openings.clone()).await;
    for (place, (answer, opening)) in answers.iter().zip(&openings).enumerate() {
        assert_eq!(answer.is_ok(), place % 2 == 0, "{answer:?}");
        assert_eq!(ledger.payment(opening.payment.id).await.unwrap().is_some(), answer.is_ok());
    }
    assert_eq!(stored(&*ledger).await, 30);
}

#[tokio::test]
async fn a_transaction_lost_before_its_commit_writes_nothing_and_is_survived() {
    let place = OnSqlite::new();
    let ledger = Arc::new(place.open().await);
    let trap = "CREATE TRIGGER t AFTER INSERT ON attempts WHEN NEW.memo = 'trap' BEGIN SELECT RAISE(ROLLBACK, 'gone'); END";
    run(&place, trap).await;
    let mut openings = openings(&Fixtures::new(1), 9);
    openings[4].payment.attempts[0].memo = "trap".to_owned();
    let answers = open_at_once(&ledger, openings.clone()).await;
    assert!(matches!(answers[4], Err(StoreError::Unavailable(_))), "{:?}", answers[4]);
    for (answer, opening) in answers.iter().zip(&openings) {
        let found = ledger.payment(opening.payment.id).await.unwrap();
        assert_eq!(answer.is_ok(), found.is_some(), "{answer:?}");
        assert!(matches!(answer, Ok(Opened::New) | Err(StoreError::Unavailable(_))), "{answer:?}");
    }
    assert!(!ledger.fatal().is_cancelled());
    openings.remove(4);
    assert!(open_at_once(&ledger, openings).await.iter().all(Result::is_ok));
    assert_eq!(stored(&*ledger).await, 8);
}

/// A constraint that is only looked at by `COMMIT` makes it fail, as a broken disk would.
const UNCOMMITTABLE: &str = "CREATE TABLE t (p TEXT REFERENCES payments (id) DEFERRABLE INITIALLY DEFERRED);
    CREATE TRIGGER t AFTER INSERT ON attempts WHEN NEW.memo = 'trap' BEGIN INSERT INTO t VALUES ('nobody'); END";

#[tokio::test]
async fn a_failed_commit_is_unconfirmed_for_all_and_stops_the_ledger() {
    let place = OnSqlite::new();
    let ledger = Arc::new(place.open().await);
    run(&place, UNCOMMITTABLE).await;
    let fixtures = Fixtures::new(1);
    let mut openings = openings(&fixtures, 9);
    openings[0].payment.attempts[0].memo = "trap".to_owned();
    let shared = openings[1].payment.attempts[0].number.clone();
    openings[2].payment.attempts[0].number = shared;
    let answers = open_at_once(&ledger, openings.clone()).await;
    for (place, answer) in answers.iter().enumerate() {
        // Its own refusal is sure whatever became of the others.
        let is_told = match place {
            2 => matches!(answer, Err(StoreError::Corrupt(_))),
            _ => matches!(answer, Err(StoreError::Unconfirmed(_))),
        };
        assert!(is_told, "{place}: {answer:?}");
    }
    ledger.fatal().cancelled().await;
    let after = ledger.open(fixtures.opening("shop", "later")).await;
    assert!(matches!(after, Err(StoreError::Unavailable(_))), "{after:?}");
    assert!(matches!(ledger.ping().await, Err(StoreError::Unavailable(_))));
    ledger.close().await;
    let again = place.open().await;
    assert_eq!(stored(&again).await, 0);
    assert!(matches!(again.open(fixtures.opening("shop", "again")).await, Ok(Opened::New)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_refuses_and_stores_nothing_of_what_it_refused() {
    let place = OnSqlite::new();
    let options = Options { write_queue: 4, batch: 2, ..Options::default() };
    let ledger = Arc::new(Ledger::connect(&place.url(), options).await.unwrap());
    let openings = openings(&Fixtures::new(1), 400);
    let answers = open_at_once(&ledger, openings.clone()).await;
    for (answer, opening) in answers.iter().zip(&openings) {
        let found = ledger.payment(opening.payment.id).await.unwrap();
        match answer {
            Ok(Opened::New) => assert!(found.is_some()),
            Err(StoreError::Unavailable(why)) => {
                assert!(why.contains("too many writes") && found.is_none(), "{why}");
            }
            other => panic!("{other:?}"),
        }
    }
    let refused = answers.iter().filter(|answer| answer.is_err()).count();
    assert!((1..400).contains(&refused), "{refused} of 400 were refused");
    assert_eq!(ledger.ping().await, Ok(()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closing_finishes_what_was_taken_and_takes_no_more() {
    let place = OnSqlite::new();
    let ledger = Arc::new(place.open().await);
    let fixtures = Fixtures::new(1);
    let (writes, ()) = tokio::join!(open_at_once(&ledger, openings(&fixtures, 300)), async {
        tokio::task::yield_now().await;
        ledger.close().await;
    });
    let late = ledger.open(fixtures.opening("shop", "late")).await;
    assert!(matches!(late, Err(StoreError::Unavailable(_))), "{late:?}");
    assert!(!ledger.fatal().is_cancelled());
    let again = place.open().await;
    assert_eq!(stored(&again).await, writes.iter().filter(|answer| answer.is_ok()).count());
    let refused = writes.iter().filter_map(|answer| answer.as_ref().err());
    assert!(refused.into_iter().all(|error| matches!(error, StoreError::Unavailable(_))));
}

#[tokio::test]
async fn a_closed_ledger_leaves_one_file_and_no_log() {
    let place = OnSqlite::new();
    let ledger = place.open().await;
    ledger.open(Fixtures::new(1).opening("shop", "A1")).await.unwrap();
    ledger.close().await;
    let mut names: Vec<_> =
        std::fs::read_dir(place.folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["paymux.db", "paymux.db-lock"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_stays_small() {
    let place = OnSqlite::new();
    let ledger = Arc::new(place.open().await);
    let fixtures = Fixtures::new(1);
    for round in 0..10 {
        let openings = (0..200).map(|n| fixtures.opening("shop", &format!("A{round}-{n}"))).collect();
        open_at_once(&ledger, openings).await;
    }
    let log = std::fs::metadata(place.folder.path().join("paymux.db-wal")).unwrap().len();
    assert!(log < 16 << 20, "the log has {log} bytes");
}

#[tokio::test]
async fn reopening_finds_everything() {
    let place = OnSqlite::new();
    let fixtures = Fixtures::new(1);
    let ledger = place.open().await;
    let first = fixtures.payment("shop", "A1");
    ledger.open(opening_of(first.clone())).await.unwrap();
    let mut change = paid(&fixtures, &first);
    change.callback = Some(fixtures.applied(&first, "key"));
    assert_eq!(ledger.apply(change.clone()).await, Ok(Applied::Done));
    ledger.close().await;

    let ledger = place.open().await;
    assert_eq!(ledger.payment(first.id).await, Ok(Some(change.payment.clone())));
    let due = ledger.take_due_deliveries(fixtures.now(), std::time::Duration::ZERO, 9, 9, &[]).await.unwrap();
    assert_eq!(due.iter().map(|due| due.event.clone()).collect::<Vec<_>>(), change.events);
    let mut again = change_of(&change.payment);
    again.callback = Some(fixtures.applied(&first, "key"));
    assert_eq!(ledger.apply(again).await, Ok(Applied::CallbackKnown));
}

#[tokio::test]
async fn a_second_holder_of_the_file_is_refused_by_any_of_its_names() {
    let place = OnSqlite::new();
    let ledger = place.open().await;
    let link = place.folder.path().join("other-name.db");
    std::os::unix::fs::symlink(place.file(), &link).unwrap();
    let dotted = place.folder.path().join("./paymux.db");
    for name in [place.file(), link, dotted] {
        let second =
            Ledger::connect(&format!("sqlite://{}", name.display()), Options::default()).await.unwrap_err();
        assert!(matches!(second, ConnectError::InUse { .. }), "{second}");
        let text = second.to_string();
        assert!(text.contains(&format!("another process ({})", std::process::id())), "{text}");
    }
    assert!(matches!(ledger.open(Fixtures::new(1).opening("shop", "A1")).await, Ok(Opened::New)));
    ledger.close().await;
    place.open().await.close().await;
}

#[tokio::test]
async fn each_ledger_has_a_key_of_digests_of_its_own_and_keeps_it() {
    let (one, other) = (OnSqlite::new(), OnSqlite::new());
    let mut keys = Vec::new();
    for place in [&one, &one, &other] {
        let ledger = place.open().await;
        keys.push(ledger.digest_key().await.unwrap());
        ledger.close().await;
    }
    assert!(keys[0].matches(keys[1].expose()) && !keys[0].matches(keys[2].expose()));
}

#[tokio::test]
async fn migrating_again_changes_nothing() {
    let place = OnSqlite::new();
    place.open().await.close().await;
    let schema = async || {
        let tool = place.tool().await;
        let rows: Vec<(String,)> =
            sqlx::query_as("SELECT coalesce(sql, name) FROM sqlite_master ORDER BY name")
                .fetch_all(&tool)
                .await
                .unwrap();
        let steps: Vec<(String, i64)> =
            sqlx::query_as("SELECT * FROM seaql_migrations").fetch_all(&tool).await.unwrap();
        tool.close().await;
        (rows, steps)
    };
    let before = schema().await;
    assert!(before.1.len() > 1, "{before:?}");
    place.open().await.close().await;
    assert_eq!(schema().await, before);
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let place = OnSqlite::new();
    place.open().await.close().await;
    run(&place, "INSERT INTO seaql_migrations VALUES ('m9999_from_the_future', 1)").await;
    let refused = Ledger::connect(&place.url(), Options::default()).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Migration(_)), "{refused}");
    assert!(refused.to_string().contains("m9999_from_the_future"), "{refused}");
}

#[tokio::test]
async fn files_that_cannot_be_are_named() {
    let place = OnSqlite::new();
    let missing = place.folder.path().join("no-such-folder/paymux.db");
    let refused =
        Ledger::connect(&format!("sqlite://{}", missing.display()), Options::default()).await.unwrap_err();
    assert!(matches!(&refused, ConnectError::File { file, .. } if *file == missing), "{refused}");

    std::fs::write(place.file(), "this is no database, but it is longer than a header of one would be")
        .unwrap();
    let refused = Ledger::connect(&place.url(), Options::default()).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Open(_)), "{refused}");
}

/// What the schema refuses, whatever the code did.
#[tokio::test]
async fn the_schema_itself_refuses_what_must_not_be() {
    let place = OnSqlite::new();
    let ledger = place.open().await;
    let fixtures = Fixtures::new(1);
    let seen = fixtures.payment("shop", "A1");
    ledger.open(opening_of(seen.clone())).await.unwrap();
    ledger.apply(paid(&fixtures, &seen)).await.unwrap();
    let tool = place.tool().await;
    for (sql, why) in [
        ("DELETE FROM payments", "FOREIGN KEY"),
        ("DELETE FROM attempts", "FOREIGN KEY"),
        ("UPDATE payments SET amount = 0", "CHECK"),
        ("UPDATE payments SET amount = 'much'", "cannot store TEXT"),
        ("UPDATE attempts SET received = NULL", "CHECK"),
        ("UPDATE attempts SET contested = -1", "CHECK"),
        ("UPDATE attempts SET contested = received + 1", "CHECK"),
        ("UPDATE deliveries SET state = 'lost'", "CHECK"),
        (
            "INSERT INTO attempts SELECT 'x', payment, 7, channel, provider, 'y', 'open', fence, memo, reference, trade_no, \
          received, received_currency, failure, created_at, ends_at, check_at, checks, more, 0, 0, NULL, 0, NULL, \
          NULL, 0, 0 FROM attempts",
            "UNIQUE",
        ),
    ] {
        let refused = sqlx::raw_sql(sql).execute(&tool).await.unwrap_err().to_string();
        assert!(refused.contains(why), "{sql}: {refused}");
    }
    tool.close().await;
}
