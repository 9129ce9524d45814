//! Keys that were used for a request.

use async_trait::async_trait;
use paymux_core::store::{Claim, Claimed};
use sea_orm::ConnectionTrait;

use super::{Guard, Work};
use crate::fault::Fault;
use crate::rows::{self, Cells, names};
use crate::script::Sql;

/// The most claims that one call forgets.
const FORGOTTEN_MAX: i64 = 256;

/// How often a key is tried for that others forget just when it is found to be held.
const TRIES: u32 = 8;

/// Whether a call also forgets claims whose time is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tidy {
    Yes,
    No,
}

pub(crate) struct Claiming {
    pub(crate) claim: Claim,
    pub(crate) tidy: Tidy,
}

#[async_trait]
impl Work for Claiming {
    type Answer = Claimed;
    const NAME: &'static str = "claim";
    const GUARD: Guard = Guard::Statement;

    /// What is forgotten is forgotten before the claim itself: once that is durable, nothing may fail.
    async fn run<C: ConnectionTrait>(&self, db: &C) -> Result<Claimed, Fault> {
        if self.tidy == Tidy::Yes {
            self.forget(db).await?;
        }
        for _ in 0..TRIES {
            if self.take(db).await? {
                return Ok(Claimed::New);
            }
            if let Some(holder) = self.holder(db).await? {
                let same = holder == rows::plain(&self.claim.digest);
                return Ok(if same { Claimed::Same } else { Claimed::Other });
            }
        }
        Err(Fault::Corrupt("a claim that is neither free nor held"))
    }
}

impl Claiming {
    /// Whether the key was free, or its time over.
    async fn take<C: ConnectionTrait>(&self, db: &C) -> Result<bool, Fault> {
        let claim = &self.claim;
        let mut sql = Sql::new(db.get_database_backend());
        let values = vec![
            rows::text(&claim.scope),
            rows::text(&claim.key),
            rows::text(&claim.digest),
            claim.at.ms().into(),
            claim.until.ms().into(),
        ];
        sql.insert("claims", &names::CLAIMS, values);
        sql.push(
            " ON CONFLICT (scope, key) DO UPDATE SET digest = excluded.digest, at = excluded.at, \
             until = excluded.until WHERE claims.until <= excluded.at RETURNING 1",
        );
        Ok(!sql.rows(db).await?.is_empty())
    }

    /// The digest for which the key stands, unless another node has just forgotten it.
    async fn holder<C: ConnectionTrait>(&self, db: &C) -> Result<Option<String>, Fault> {
        let mut sql = Sql::new(db.get_database_backend());
        sql.push("SELECT digest FROM claims WHERE scope = ").bind(rows::text(&self.claim.scope));
        sql.push(" AND key = ").bind(rows::text(&self.claim.key));
        sql.rows(db).await?.first().map(|row| Cells::new(row).next()).transpose()
    }

    async fn forget<C: ConnectionTrait>(&self, db: &C) -> Result<(), Fault> {
        let mut sql = Sql::new(db.get_database_backend());
        sql.push("DELETE FROM claims WHERE (scope, key) IN (SELECT scope, key FROM claims WHERE until <= ");
        sql.bind(self.claim.at.ms()).push(" ORDER BY until LIMIT ").bind(FORGOTTEN_MAX);
        sql.push(super::read::for_update(db.get_database_backend())).push(")");
        Ok(sql.execute(db).await?)
    }
}
