//! Callbacks that change nothing. What comes again is counted; what proves nothing lives in a ring.

use async_trait::async_trait;
use paymux_core::store::{CallbackRow, CallbackVerdict, Ring};
use sea_orm::ConnectionTrait;

use super::{Guard, Work};
use crate::fault::Fault;
use crate::rows::{self, Worth, names};
use crate::script::Sql;

pub(crate) struct KeepCallback {
    pub(crate) row: CallbackRow,
    pub(crate) ring: Ring,
}

#[async_trait]
impl Work for KeepCallback {
    type Answer = ();
    const NAME: &'static str = "keep_callback";
    const GUARD: Guard = Guard::Transaction;

    async fn run<C: ConnectionTrait>(&self, db: &C) -> Result<(), Fault> {
        let verdict = self.row.verdict;
        if verdict == CallbackVerdict::Applied {
            return Err(Fault::Corrupt("an applied callback without its change"));
        }
        if verdict.is_verified() && self.count(db).await? {
            return Ok(());
        }
        let worth = self.worth(db).await?;
        let mut sql = Sql::new(db.get_database_backend());
        sql.insert("callbacks", &names::CALLBACKS, rows::callback_values(&self.row, worth)?);
        sql.execute(db).await?;
        match (verdict.is_verified(), worth) {
            (false, _) => self.trim(db, UNVERIFIED).await,
            (true, Worth::Spare) => self.trim(db, SPARE).await,
            (true, Worth::Evidence) => Ok(()),
        }
    }
}

/// The rows of each ring, as its index says it.
const UNVERIFIED: &str = "verdict IN ('forged', 'unreadable')";
const SPARE: &str = "spare = 1";

/// The verified rows that changed nothing, as their index says it.
const UNAPPLIED: &str = "verdict IN ('duplicate', 'orphan', 'quarantined')";

impl KeepCallback {
    /// Counts it where the same is kept already; false where it is not.
    async fn count<C: ConnectionTrait>(&self, db: &C) -> Result<bool, Fault> {
        let Some(key) = &self.row.event_key else { return Ok(false) };
        let request = &self.row.request;
        let mut sql = Sql::new(db.get_database_backend());
        sql.push("UPDATE callbacks SET times = times + 1 WHERE id = (SELECT x.id FROM callbacks x WHERE x.");
        sql.push(UNAPPLIED).push(" AND x.channel = ").bind(self.row.channel.as_str().to_owned());
        sql.push(" AND x.event_key = ").bind(rows::text(key));
        sql.push(" AND x.verdict = ").bind(self.row.verdict.word().to_owned());
        sql.push(" AND x.verb = ").bind(request.verb.as_str().to_owned());
        sql.push(" AND x.path = ").bind(rows::text(&request.path));
        sql.push(" AND coalesce(x.query, '') = ")
            .bind(rows::text(request.query.as_deref().unwrap_or_default()));
        sql.push(" AND x.body = ").bind(request.body.to_vec());
        sql.push(" ORDER BY x.received_at, x.id LIMIT 1)");
        Ok(sql.affected(db).await? > 0)
    }

    /// A duplicate, or one of no payment of ours, is spare where its key is known by another row.
    async fn worth<C: ConnectionTrait>(&self, db: &C) -> Result<Worth, Fault> {
        let proves_nothing = self.row.verdict == CallbackVerdict::Duplicate || self.row.payment.is_none();
        let key = self.row.event_key.as_ref().filter(|_| self.row.verdict.is_verified() && proves_nothing);
        let Some(key) = key else { return Ok(Worth::Evidence) };
        let mut sql = Sql::new(db.get_database_backend());
        for (word, which) in [("SELECT 1 WHERE EXISTS", "verdict = 'applied'"), (" OR EXISTS", UNAPPLIED)] {
            sql.push(word).push(" (SELECT 1 FROM callbacks WHERE ").push(which);
            sql.push(" AND channel = ").bind(self.row.channel.as_str().to_owned());
            sql.push(" AND event_key = ").bind(rows::text(key)).push(")");
        }
        let is_known = !sql.rows(db).await?.is_empty();
        Ok(if is_known { Worth::Spare } else { Worth::Evidence })
    }

    /// Deletes what stands behind the newest rows of a ring that together are within the bounds.
    async fn trim<C: ConnectionTrait>(&self, db: &C, ring: &str) -> Result<(), Fault> {
        let mut sql = Sql::new(db.get_database_backend());
        sql.push(
            "DELETE FROM callbacks WHERE id IN (SELECT id FROM (\
             SELECT id, row_number() OVER newest AS place, sum(size) OVER newest AS bytes \
             FROM callbacks WHERE channel = $1 AND ",
        );
        sql.push(ring).push(
            " WINDOW newest AS (ORDER BY received_at DESC, id DESC ROWS UNBOUNDED PRECEDING)) ranked \
             WHERE place > $2 OR bytes > $3)",
        );
        sql.hold(self.row.channel.as_str().to_owned());
        sql.hold(i64::from(self.ring.rows)).hold(i64::try_from(self.ring.bytes).unwrap_or(i64::MAX));
        Ok(sql.execute(db).await?)
    }
}
