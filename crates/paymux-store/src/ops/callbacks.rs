//! Callbacks that change nothing, and the ring in which those without a right sign live.

use async_trait::async_trait;
use paymux_core::store::{CallbackRow, CallbackVerdict, Ring};
use sea_orm::ConnectionTrait;

use super::{Guard, Work};
use crate::fault::Fault;
use crate::rows::{self, names};
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
        if self.row.verdict == CallbackVerdict::Applied {
            return Err(Fault::Corrupt("an applied callback without its change"));
        }
        let mut sql = Sql::new(db.get_database_backend());
        sql.insert("callbacks", &names::CALLBACKS, rows::callback_values(&self.row)?);
        sql.execute(db).await?;
        if !self.row.verdict.is_verified() {
            self.trim(db).await?;
        }
        Ok(())
    }
}

/// Deletes what stands behind the newest rows that together are within the bounds.
const TRIM: &str = "DELETE FROM callbacks WHERE id IN (\
    SELECT id FROM (\
        SELECT id, row_number() OVER newest AS place, sum(size) OVER newest AS bytes \
        FROM callbacks WHERE channel = $1 AND verdict IN ('forged', 'unreadable') \
        WINDOW newest AS (ORDER BY received_at DESC, id DESC ROWS UNBOUNDED PRECEDING)\
    ) ranked WHERE place > $2 OR bytes > $3)";

impl KeepCallback {
    async fn trim<C: ConnectionTrait>(&self, db: &C) -> Result<(), Fault> {
        let mut sql = Sql::new(db.get_database_backend());
        sql.push(TRIM).hold(self.row.channel.as_str().to_owned());
        sql.hold(i64::from(self.ring.rows)).hold(i64::try_from(self.ring.bytes).unwrap_or(i64::MAX));
        Ok(sql.execute(db).await?)
    }
}
