//! Which channels there are, and where each stands in its life.

use async_trait::async_trait;
use paymux_core::catalog::Lifecycle;
use paymux_core::ids::ChannelId;
use paymux_core::store::{AuditRow, BOUND_AT_ONCE, ChannelRecord, StoreError};
use sea_orm::ConnectionTrait;

use super::attached::add_audit;
use super::{Guard, Work, desk};
use crate::fault::{Constraint, Fault};
use crate::rows::{self, Cells, names};
use crate::script::{Script, Sql};

/// Every channel that was ever bound, by id.
pub(crate) async fn list<C: ConnectionTrait>(db: &C) -> Result<Vec<ChannelRecord>, Fault> {
    let mut sql = Sql::new(db.get_database_backend());
    sql.push("SELECT ").push(&names::CHANNELS).push(" FROM channels ORDER BY id");
    sql.rows(db).await?.iter().map(|row| rows::read_channel(&mut Cells::new(row))).collect()
}

pub(crate) struct Bind(pub(crate) Vec<ChannelRecord>);

#[async_trait]
impl Work for Bind {
    type Answer = bool;
    const NAME: &'static str = "bind_channels";
    const GUARD: Guard = Guard::Statement;

    async fn run<C: ConnectionTrait>(&self, db: &C) -> Result<bool, Fault> {
        if self.0.is_empty() {
            return Ok(true);
        }
        if self.0.len() > BOUND_AT_ONCE || self.0.iter().any(|record| record.version != 1) {
            return Err(Fault::Corrupt("too many new channels at once, or one that was changed before"));
        }
        let mut sql = Sql::new(db.get_database_backend());
        sql.push("INSERT INTO channels (").push(&names::CHANNELS).push(") VALUES ");
        for (place, record) in self.0.iter().enumerate() {
            sql.push(if place == 0 { "(" } else { ", (" });
            for (place, value) in rows::channel_values(record).into_iter().enumerate() {
                sql.push(if place == 0 { "" } else { ", " }).bind(value);
            }
            sql.push(")");
        }
        sql.execute(db).await?;
        Ok(true)
    }

    /// An id or an account is bound already.
    fn refused(&self, constraint: Constraint) -> Result<bool, StoreError> {
        match constraint {
            Constraint::Account => Ok(false),
            other => Err(Fault::Constraint(other).not_written()),
        }
    }
}

pub(crate) struct Move {
    pub(crate) id: ChannelId,
    pub(crate) seen_version: i64,
    pub(crate) state: Lifecycle,
    pub(crate) audit: AuditRow,
}

#[async_trait]
impl Work for Move {
    type Answer = bool;
    const NAME: &'static str = "move_channel";
    const GUARD: Guard = Guard::Itself;

    async fn run<C: ConnectionTrait>(&self, db: &C) -> Result<bool, Fault> {
        let Self { id, seen_version, state, audit } = self;
        let version = seen_version.checked_add(1).ok_or(Fault::Corrupt("a count without bounds"))?;
        let mut script = Script::new(db.get_database_backend());
        let values = rows::channel_changes(*state, audit.at.ms(), &audit.operator, version);
        script.step(|sql| {
            sql.update("channels", values, id.to_string());
            sql.push(" AND version = ").bind(*seen_version);
            if *state == Lifecycle::Off {
                sql.push(" AND NOT (");
                desk::unended(sql, id);
                sql.push(")");
            }
        });
        add_audit(&mut script, audit)?;
        script.run(db).await
    }
}
