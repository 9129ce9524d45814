//! Transfers: a new one within its app's limit, and a change of one if nobody was faster.

use async_trait::async_trait;
use paymux_core::store::{Applied, DayLimit, StoreError, TransferChange, TransferOpened};
use paymux_core::transfer::Transfer;
use sea_orm::{ConnectionTrait, DbBackend};

use super::attached::{self, Attached};
use super::{Guard, Work, outflows};
use crate::fault::{Constraint, Fault};
use crate::rows::{self, names};
use crate::script::{Script, Sql};

pub(crate) struct OpenTransfer {
    pub(crate) transfer: Transfer,
    pub(crate) limit: DayLimit,
}

#[async_trait]
impl Work for OpenTransfer {
    type Answer = TransferOpened;
    const NAME: &'static str = "open_transfer";
    const GUARD: Guard = Guard::Transaction;

    async fn run<C: ConnectionTrait>(&self, db: &C) -> Result<TransferOpened, Fault> {
        check(&self.transfer)?;
        self.queue_up(db).await?;
        if self.insert(db).await? {
            return Ok(TransferOpened::New);
        }
        let new = &self.transfer;
        let stored = outflows::by_no::<Transfer, C>(db, &new.app, new.transfer_no.as_str()).await?;
        if let Some(stored) = stored {
            return Ok(TransferOpened::Exists(Box::new(stored)));
        }
        // The limit is the likely reason. An id or a number that is in use is none that may be hidden.
        if outflows::is_taken::<Transfer, C>(db, new.id.to_string(), &new.channel, &new.number).await? {
            return Err(Fault::Corrupt("a new transfer whose id or number is in use"));
        }
        Ok(TransferOpened::OverLimit)
    }
}

impl OpenTransfer {
    /// On PostgreSQL the new transfers of one app come one after another: each one's sum is taken by a
    /// statement that begins when those before it are durable. SQLite has one writer.
    async fn queue_up<C: ConnectionTrait>(&self, db: &C) -> Result<(), Fault> {
        if db.get_database_backend() != DbBackend::Postgres {
            return Ok(());
        }
        let mut sql = Sql::new(DbBackend::Postgres);
        sql.push("SELECT 1 FROM pg_advisory_xact_lock(('x' || left(md5('paymux transfers of ' || ");
        sql.bind(self.transfer.app.as_str().to_owned()).push("), 16))::bit(64)::bigint)");
        sql.rows(db).await?;
        Ok(())
    }

    async fn insert<C: ConnectionTrait>(&self, db: &C) -> Result<bool, Fault> {
        let Self { transfer, limit } = self;
        let mut sql = Sql::new(db.get_database_backend());
        sql.insert("transfers", &names::TRANSFERS, rows::transfer_values(transfer)?);
        sql.push(" AND (SELECT coalesce(sum(amount), 0) FROM transfers WHERE state <> 'failed' AND app = ");
        sql.bind(transfer.app.as_str().to_owned());
        sql.push(" AND currency = ").bind(transfer.amount.currency().code().to_owned());
        sql.push(" AND created_at >= ").bind(limit.from.ms());
        sql.push(") <= ").bind(limit.amount_max.saturating_sub(transfer.amount.minor()));
        sql.push(" ON CONFLICT DO NOTHING RETURNING 1");
        Ok(!sql.rows(db).await?.is_empty())
    }
}

/// What the schema would refuse in a transfer: said before anything is looked for.
fn check(transfer: &Transfer) -> Result<(), Fault> {
    let counts_hold = transfer.fence >= 0 && transfer.checks >= 0 && transfer.events >= 0;
    if transfer.amount.minor() <= 0 || !counts_hold {
        return Err(Fault::Corrupt("a transfer's number that cannot be"));
    }
    Ok(())
}

pub(crate) struct ApplyTransfer(pub(crate) TransferChange);

#[async_trait]
impl Work for ApplyTransfer {
    type Answer = Applied;
    const NAME: &'static str = "apply_transfer";
    const GUARD: Guard = Guard::Itself;

    async fn run<C: ConnectionTrait>(&self, db: &C) -> Result<Applied, Fault> {
        let done = self.script(db)?.run(db).await?;
        Ok(if done { Applied::Done } else { Applied::Stale })
    }

    fn refused(&self, constraint: Constraint) -> Result<Applied, StoreError> {
        attached::refused(constraint)
    }
}

impl ApplyTransfer {
    fn script<C: ConnectionTrait>(&self, db: &C) -> Result<Script, Fault> {
        let TransferChange { transfer, seen_state, seen_fence, .. } = &self.0;
        check(transfer)?;
        let id = transfer.id.to_string();
        let values = rows::transfer_changes(transfer)?;
        let mut script = Script::new(db.get_database_backend());
        script.must_see(|sql| {
            sql.push("FROM transfers WHERE id = ").bind(id.clone());
            sql.push(" AND state = ").bind(seen_state.word().to_owned());
            sql.push(" AND fence = ").bind(*seen_fence);
        });
        script.step(|sql| sql.update("transfers", values, id));
        let TransferChange { callback, postings, events, audit, .. } = &self.0;
        Attached { callback, postings, events, audit }.write(&mut script)?;
        Ok(script)
    }
}
