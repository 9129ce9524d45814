//! Whether the database answers and would take a write.

use async_trait::async_trait;
use sea_orm::{ConnectionTrait, DbBackend};

use super::{Guard, Work};
use crate::fault::Fault;
use crate::rows::Cells;
use crate::script::Sql;

pub(crate) struct Ping;

#[async_trait]
impl Work for Ping {
    type Answer = ();
    const NAME: &'static str = "ping";
    const GUARD: Guard = Guard::Statement;

    /// On SQLite, coming here is the answer: the batch that this is part of holds the write lock.
    async fn run<C: ConnectionTrait>(&self, db: &C) -> Result<(), Fault> {
        let mut sql = Sql::new(db.get_database_backend());
        sql.push(match db.get_database_backend() {
            DbBackend::Postgres => "SELECT current_setting('transaction_read_only')",
            _ => "SELECT 'off'",
        });
        let rows = sql.rows(db).await?;
        let read_only: String =
            Cells::new(rows.first().ok_or(Fault::Corrupt("no answer to a ping"))?).next()?;
        if read_only == "off" { Ok(()) } else { Err(Fault::ReadOnly) }
    }
}
