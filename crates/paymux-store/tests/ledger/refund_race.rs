//! Refunds that race for one payment's money: what is accepted is all that fits, and never more.
//!
//! `PAYMUX_REFUND_ROUNDS` says how many payments are raced for.

use std::sync::Arc;

use paymux_core::Refund;
use paymux_core::outflow::OutflowState;
use paymux_core::payment::Payment;
use paymux_core::store::{Applied, PaymentLedger, RefundLedger, RefundOpened, RefundWrite};
use paymux_store::{Ledger, Options};
use paymux_testkit::Fixtures;
use paymux_testkit::fixtures::{opening_of, paid, refund_change, step_to};
use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::support::OnSqlite;
use crate::support::postgres::OnPostgres;

const TASKS: usize = 64;
/// Of 1999: twenty of them fit, and 59 are left over.
const AMOUNT: i64 = 97;
const FIT: i64 = 20;
const ROUNDS: usize = 1000;
/// Rounds that run side by side, each with its own tasks and payment: what one row makes wait for the disk
/// leaves the disk to another.
const LANES: usize = 4;
/// Rounds in which refunds end while others begin, for each hundred of the others.
const MIXED_PER_HUNDRED: usize = 10;

fn rounds() -> usize {
    #[expect(clippy::disallowed_methods, reason = "a test has no configuration to read it from")]
    let rounds = std::env::var("PAYMUX_REFUND_ROUNDS");
    rounds.map_or(ROUNDS, |text| {
        text.parse().unwrap_or_else(|_| panic!("PAYMUX_REFUND_ROUNDS is a number of rounds"))
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_sqlite_all_that_fits_is_accepted_and_no_more() {
    let place = OnSqlite::new();
    let ledger = Arc::new(place.open().await);
    race(&ledger, "SQLite").await;
    let wrong: i64 = sqlx::query_scalar(WRONG).fetch_one(&place.tool().await).await.unwrap();
    assert_eq!(wrong, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgresql_all_that_fits_is_accepted_and_no_more() {
    let place = OnPostgres::new().await;
    let options = Options { connections: 32, ..Options::default() };
    let ledger = Arc::new(Ledger::connect(&place.url(), options).await.unwrap());
    race(&ledger, "PostgreSQL").await;
    let wrong: i64 = sqlx::query_scalar(WRONG).fetch_one(&place.tool().await).await.unwrap();
    assert_eq!(wrong, 0);
    ledger.close().await;
}

/// Attempts whose sums are not those of their refunds, by a way of counting that shares nothing with the
/// ledger's own.
const WRONG: &str = "SELECT count(*) FROM attempts a LEFT JOIN (SELECT attempt, \
    CAST(sum(CASE WHEN state NOT IN ('succeeded', 'failed') THEN amount ELSE 0 END) AS bigint) AS refunding, \
    CAST(sum(CASE WHEN state = 'succeeded' THEN amount ELSE 0 END) AS bigint) AS refunded \
    FROM refunds GROUP BY attempt) r ON r.attempt = a.id \
    WHERE a.refunding <> coalesce(r.refunding, 0) OR a.refunded <> coalesce(r.refunded, 0) \
    OR a.refunding + a.refunded > coalesce(a.received, 0)";

async fn race(ledger: &Arc<Ledger>, database: &str) {
    let fixtures = Arc::new(Fixtures::new(1));
    let rounds = rounds();
    let mixed = (rounds * MIXED_PER_HUNDRED).div_ceil(100);
    let begun = Instant::now();
    let mut lanes = JoinSet::new();
    for lane in 0..LANES {
        let (ledger, fixtures) = (ledger.clone(), fixtures.clone());
        lanes.spawn(async move {
            for round in (lane..rounds).step_by(LANES) {
                open_round(&ledger, &fixtures, round).await;
            }
            for round in (lane..mixed).step_by(LANES) {
                mixed_round(&ledger, &fixtures, round).await;
            }
        });
    }
    lanes.join_all().await;
    #[expect(clippy::print_stdout, reason = "how long it took is told")]
    {
        println!(
            "{database}: {TASKS} tasks raced {rounds} rounds, and {mixed} in which refunds ended, in {:.1?}",
            begun.elapsed()
        );
    }
}

/// All that fits is accepted.
async fn open_round(ledger: &Arc<Ledger>, fixtures: &Arc<Fixtures>, round: usize) {
    let seen = paid_one(ledger, fixtures, &format!("A{round}")).await;
    let accepted = open_at_once(ledger, fixtures, &seen).await;
    assert_eq!(accepted, FIT, "round {round}");
    assert_eq!(counted(ledger, &seen).await, (FIT * AMOUNT, 0), "round {round}");
}

/// Of what is done and what has failed, nothing stays set aside.
async fn mixed_round(ledger: &Arc<Ledger>, fixtures: &Arc<Fixtures>, round: usize) {
    let seen = paid_one(ledger, fixtures, &format!("B{round}")).await;
    mix_at_once(ledger, fixtures, &seen).await;
    let (refunding, refunded) = counted(ledger, &seen).await;
    assert_eq!(refunding, 0, "round {round}: all have ended");
    assert!(refunded <= FIT * AMOUNT && refunded % AMOUNT == 0, "round {round}: {refunded}");
}

async fn paid_one(ledger: &Ledger, fixtures: &Fixtures, order_no: &str) -> Payment {
    let seen = fixtures.payment("shop", order_no);
    ledger.open(opening_of(seen.clone())).await.unwrap();
    let change = paid(fixtures, &seen);
    let after = change.payment.clone();
    assert_eq!(ledger.apply(change).await, Ok(Applied::Done));
    after
}

/// Every task asks for the same amount under a number of its own. How many are accepted.
async fn open_at_once(ledger: &Arc<Ledger>, fixtures: &Arc<Fixtures>, seen: &Payment) -> i64 {
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let refund = fixtures.refund(seen, &format!("{}-{task}", seen.order_no), AMOUNT);
        let ledger = ledger.clone();
        tasks.spawn(async move {
            match ledger.open_refund(refund).await.unwrap() {
                RefundOpened::New => 1,
                RefundOpened::TooLarge => 0,
                RefundOpened::Exists(stored) => panic!("{stored:?}"),
            }
        });
    }
    tasks.join_all().await.into_iter().sum()
}

/// As before, and each one that is accepted ends at once: every second is done, the others have failed and
/// leave room for more.
async fn mix_at_once(ledger: &Arc<Ledger>, fixtures: &Arc<Fixtures>, seen: &Payment) {
    let mut tasks = JoinSet::new();
    for task in 0..TASKS {
        let refund = fixtures.refund(seen, &format!("{}-{task}", seen.order_no), AMOUNT);
        let ledger = ledger.clone();
        tasks.spawn(async move {
            if matches!(ledger.open_refund(refund.clone()).await.unwrap(), RefundOpened::New) {
                let end = if task % 2 == 0 { OutflowState::Succeeded } else { OutflowState::Failed };
                step(&ledger, &refund, end).await;
            }
        });
    }
    tasks.join_all().await;
}

/// Reads again as long as others are faster, as every writer does.
async fn step(ledger: &Ledger, refund: &Refund, end: OutflowState) {
    for _ in 0..10 * TASKS {
        let seen = ledger.payment(refund.payment).await.unwrap().unwrap();
        let write: RefundWrite = step_to(refund, end);
        match ledger.apply(refund_change(&seen, write)).await.unwrap() {
            Applied::Done => return,
            Applied::Stale => {}
            other @ (Applied::CallbackKnown | Applied::Full) => panic!("{other:?}"),
        }
    }
    panic!("others were faster all the time");
}

/// What the attempt says, which must be what its refunds say.
async fn counted(ledger: &Ledger, seen: &Payment) -> (i64, i64) {
    let stored = ledger.payment(seen.id).await.unwrap().unwrap();
    let refunds = ledger.refunds_of(seen.id, None, u32::MAX).await.unwrap();
    let sum = |is: fn(OutflowState) -> bool| -> i64 {
        refunds.iter().filter(|refund| is(refund.state)).map(|refund| refund.amount.minor()).sum()
    };
    let attempt = &stored.attempts[0];
    let counters = (attempt.refunding, attempt.refunded);
    assert_eq!(counters, (sum(OutflowState::reserves), sum(|state| state == OutflowState::Succeeded)));
    counters
}
