//! What the ledger does, written once for both databases: SQL in, core's shapes out.
//!
//! Not here: transactions, queues and retries, which differ ([`crate::sqlite`],
//! [`crate::postgres`]).

pub(crate) mod apply;
mod attached;
pub(crate) mod callbacks;
pub(crate) mod capacity;
pub(crate) mod channels;
pub(crate) mod claims;
pub(crate) mod day_book;
pub(crate) mod decisions;
pub(crate) mod deliveries;
pub(crate) mod desk;
pub(crate) mod due;
pub(crate) mod events;
mod fair;
pub(crate) mod open;
pub(crate) mod outflows;
pub(crate) mod ping;
pub(crate) mod queue;
pub(crate) mod read;
pub(crate) mod refunds;
mod shift;
pub(crate) mod transfers;

#[cfg(test)]
mod plans;

use async_trait::async_trait;
use paymux_core::store::StoreError;
use sea_orm::{ConnectionTrait, DbBackend};
use serde::Serialize;

use crate::fault::{Constraint, Fault};

/// Who sees to it that an operation is done wholly or not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guard {
    /// The operation itself: its writes are one [`Script`](crate::script::Script).
    Itself,
    /// The database: the operation is one statement, which shares SQLite's batch with others and
    /// needs a savepoint there.
    Statement,
    /// Its runner: a transaction, or a savepoint in one, around several statements.
    Transaction,
}

/// An operation that may write.
#[async_trait]
pub(crate) trait Work: Send + Sync + 'static {
    /// What its caller gets.
    type Answer: Send + 'static;

    /// Its name in metrics.
    const NAME: &'static str;

    /// Who keeps it whole.
    const GUARD: Guard;

    /// Does it.
    async fn run<C: ConnectionTrait>(&self, db: &C) -> Result<Self::Answer, Fault>;

    /// What its caller gets when the schema refused a row and all of it was taken back.
    fn refused(&self, constraint: Constraint) -> Result<Self::Answer, StoreError> {
        Err(Fault::Constraint(constraint).not_written())
    }
}

/// A condition that `column` is one of the ids in a JSON list, which `placeholder` stands for: one
/// text for any number of ids, so that the statement is prepared once.
pub(crate) fn among(backend: DbBackend, column: &str, placeholder: &str) -> String {
    match backend {
        DbBackend::Postgres => {
            format!("{column} = ANY (ARRAY(SELECT jsonb_array_elements_text({placeholder}::jsonb)))")
        }
        _ => format!("{column} IN (SELECT value FROM json_each({placeholder}))"),
    }
}

/// Names or ids as a JSON list, for [`among`].
pub(crate) fn as_json<T: Serialize>(list: &[T]) -> Result<String, Fault> {
    serde_json::to_string(list).map_err(|_| Fault::Corrupt("a list does not fit into JSON"))
}
