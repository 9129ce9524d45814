//! `paymux doctor`: what must hold of every ledger, each rule as one statement that finds what breaks it.
//!
//! Reads only, and sees one moment: on SQLite one read transaction beside a running service, on
//! PostgreSQL one that is read-only and repeatable. The rules themselves are in the files below, by what
//! they are about. They are said in SQL on purpose: whoever wrote the rows did so in other words.

mod books;
mod outbox;
mod outflows;
mod payments;
mod rows;

use std::sync::LazyLock;

use paymux_core::clock::Timestamp;
use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, IsolationLevel,
    TransactionTrait,
};

use crate::fault::Fault;
use crate::rows::Cells;
use crate::script::Sql;

/// The most ids of one rule that are shown; all are counted.
pub const SHOWN_MAX: u32 = 20;
/// How late a worker may be, in milliseconds, before it counts as stuck: an hour.
const LATE_MS: i64 = 3_600_000;

/// Something that must hold of every ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check {
    /// Its name; never changes.
    pub name: &'static str,
    /// What must hold.
    pub rule: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// What to do when it does not hold.
    pub todo: &'static str,
    /// Finds the ids of what breaks it, in one column. `{words}` in braces are replaced, see [`Words`].
    sql: &'static str,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Which.
    pub check: &'static Check,
    /// How much breaks it.
    pub count: u64,
    /// The first ids of that, [`SHOWN_MAX`] at the most.
    pub ids: Vec<String>,
}

/// Every check, in the order in which they are made.
pub fn checks() -> impl ExactSizeIterator<Item = &'static Check> {
    static ALL: LazyLock<Vec<&'static Check>> = LazyLock::new(|| {
        let lists = [payments::CHECKS, outflows::CHECKS, books::CHECKS, outbox::CHECKS, rows::CHECKS];
        lists.into_iter().flatten().collect()
    });
    ALL.iter().copied()
}

/// Makes every check on what the database holds at this moment; `begun` hears of each before it is made.
pub(crate) async fn examine(
    db: &DatabaseConnection,
    now: Timestamp,
    begun: &(dyn Fn(&'static Check) + Send + Sync),
) -> Result<Vec<Outcome>, Fault> {
    let tx = begin(db).await?;
    let words = Words::of(db.get_database_backend(), now);
    let mut outcomes = Vec::new();
    for check in checks() {
        begun(check);
        outcomes.push(make(&tx, check, &words).await?);
    }
    tx.rollback().await?;
    Ok(outcomes)
}

/// A transaction that sees one moment. SQLite's is one from its first read on.
async fn begin(db: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    if db.get_database_backend() != DbBackend::Postgres {
        return db.begin().await;
    }
    let tx = db.begin_with_config(Some(IsolationLevel::RepeatableRead), Some(AccessMode::ReadOnly)).await?;
    // A check reads whole tables, and may take longer than any statement of the day's work.
    tx.execute_unprepared("SET LOCAL statement_timeout = 0").await?;
    Ok(tx)
}

async fn make(tx: &DatabaseTransaction, check: &'static Check, words: &Words) -> Result<Outcome, Fault> {
    let mut sql = Sql::new(tx.get_database_backend());
    sql.push("WITH found(id) AS (").push(&words.put_into(check.sql));
    sql.push(") SELECT id, count(*) OVER () FROM found ORDER BY id LIMIT ").bind(i64::from(SHOWN_MAX));
    let mut outcome = Outcome { check, count: 0, ids: Vec::new() };
    for row in sql.rows(tx).await? {
        let mut cells = Cells::new(&row);
        outcome.ids.push(cells.next()?);
        let count: i64 = cells.next()?;
        outcome.count = count.unsigned_abs();
    }
    Ok(outcome)
}

/// What stands for the `{words}` of a check.
struct Words(Vec<(&'static str, String)>);

impl Words {
    fn of(backend: DbBackend, now: Timestamp) -> Self {
        let (beside, told) = if backend == DbBackend::Postgres {
            (BESIDE_POSTGRES, TOLD_POSTGRES)
        } else {
            (BESIDE_SQLITE, TOLD_SQLITE)
        };
        Self(vec![
            ("{live}", LIVE.to_owned()),
            ("{reserving}", RESERVING.to_owned()),
            ("{over}", OVER.to_owned()),
            ("{doubted}", DOUBTED.to_owned()),
            ("{beside}", beside.to_owned()),
            ("{told}", told.to_owned()),
            ("{late}", now.ms().saturating_sub(LATE_MS).to_string()),
        ])
    }

    fn put_into(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, (word, with)| text.replace(word, with))
    }
}

/// The states of an attempt of which a payment has one at most. This and the two below are written out, not asked
/// of the code that is judged by them: a state that changes sides there is found by a test.
const LIVE: &str = "'sending', 'open', 'paid', 'unknown'";
/// The states of an outflow whose amount is set aside.
const RESERVING: &str = "'queued', 'sending', 'pending', 'needs_action', 'unknown'";
/// The states in which an outflow has ended.
const OVER: &str = "'succeeded', 'failed'";

/// Whether it is an outflow that has failed at a person's word alone. A quote inside of a text of JSON is
/// escaped, so that this one stands nowhere else.
const DOUBTED: &str = r#"state = 'failed' AND failure LIKE '%"code":"not_done"%'"#;

/// The sums that came in beside what an attempt received, one row each: attempt, currency, amount, and
/// whether a person has settled it.
const BESIDE_SQLITE: &str = "(SELECT a.id AS attempt, m.value ->> 'currency' AS currency, \
    m.value ->> 'amount' AS amount, m.value ->> 'settled' AS settled \
    FROM attempts a, json_each(a.more) m WHERE a.more <> '[]')";
const BESIDE_POSTGRES: &str = "(SELECT a.id AS attempt, m.value ->> 'currency' AS currency, \
    (m.value ->> 'amount')::bigint AS amount, (m.value ->> 'settled')::boolean::int AS settled \
    FROM attempts a CROSS JOIN LATERAL json_array_elements(a.more::json) AS m(value) WHERE a.more <> '[]')";

/// The id of the object that event `e` tells of.
const TOLD_SQLITE: &str = "e.body ->> '$.data.id'";
const TOLD_POSTGRES: &str = "e.body::json #>> '{data,id}'";

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use paymux_core::outflow::OutflowState;
    use paymux_core::payment::AttemptState;

    use super::*;

    /// Whoever changes what a state means must say it here too.
    #[test]
    fn the_rules_and_the_code_mean_the_same_states() {
        check(LIVE, AttemptState::ALL, AttemptState::is_live, AttemptState::word);
        check(RESERVING, OutflowState::ALL, OutflowState::reserves, OutflowState::word);
        check(OVER, OutflowState::ALL, OutflowState::is_over, OutflowState::word);

        #[track_caller]
        fn check<S: Copy>(rule: &str, all: &[S], holds: fn(S) -> bool, word: fn(S) -> &'static str) {
            let code: BTreeSet<String> = all
                .iter()
                .filter(|state| holds(**state))
                .map(|state| format!("'{}'", word(*state)))
                .collect();
            assert_eq!(rule.split(", ").map(str::to_owned).collect::<BTreeSet<_>>(), code);
        }
    }

    #[test]
    fn every_check_has_a_name_of_its_own_and_says_what_to_do() {
        let names: BTreeSet<&str> = checks().map(|check| check.name).collect();
        assert_eq!(names.len(), checks().len());
        for check in checks() {
            assert!(check.name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{}", check.name);
            for text in [check.rule, check.why, check.todo] {
                assert!(text.ends_with('.') && text.len() > 20, "{}: {text}", check.name);
            }
        }
    }

    #[test]
    fn no_word_is_left_in_braces() {
        for backend in [DbBackend::Sqlite, DbBackend::Postgres] {
            let words = Words::of(backend, Timestamp::from_ms(LATE_MS));
            for check in checks() {
                let text = words.put_into(check.sql).replace("'{data,id}'", "");
                assert!(!text.contains(['{', '}']), "{}: {text}", check.name);
            }
        }
        let words = Words::of(DbBackend::Sqlite, Timestamp::from_ms(LATE_MS + 5));
        assert_eq!(words.put_into("{live} {late}"), "'sending', 'open', 'paid', 'unknown' 5");
    }
}
