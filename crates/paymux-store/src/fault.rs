//! What can go wrong inside, and how it is told.
//!
//! A database's own error text can hold values, and so it goes nowhere: callers get our words, the
//! log gets the error's code and the names involved.

use paymux_core::store::StoreError;
use sea_orm::{DbErr, RuntimeErr};

/// Why an operation did not do its work.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The database refused a row.
    Constraint(Constraint),
    /// A row or a request that must not be.
    Corrupt(&'static str),
    /// The database takes no writes.
    ReadOnly,
    /// Anything else that the database says.
    Database(DbErr),
}

/// Which rule of the schema a row broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Constraint {
    /// A payment has a live attempt already.
    Live,
    /// A callback with this event key was applied already.
    EventKey,
    /// A channel of that id, or of that account, is there already.
    Account,
    /// Any other.
    Other,
}

impl From<DbErr> for Fault {
    fn from(error: DbErr) -> Self {
        match constraint(&error) {
            Some(constraint) => {
                if constraint == Constraint::Other {
                    log("refused by the schema", &error);
                }
                Self::Constraint(constraint)
            }
            None => Self::Database(error),
        }
    }
}

impl Fault {
    /// As a caller hears it when surely nothing was written.
    pub(crate) fn not_written(self) -> StoreError {
        match self {
            Self::Constraint(_) => StoreError::Corrupt("the schema refused a row".into()),
            Self::Corrupt(what) => {
                tracing::error!(what, "the ledger met something unexpected");
                StoreError::Corrupt(what.into())
            }
            Self::ReadOnly => StoreError::Unavailable("the database is read-only".into()),
            Self::Database(error) => {
                log("an operation failed", &error);
                StoreError::Unavailable("the database refused or did not answer".into())
            }
        }
    }

    /// As a caller hears it when a single statement that commits by itself failed: unless the
    /// database itself said no, the commit may have happened.
    pub(crate) fn of_autocommit(self) -> StoreError {
        match self {
            Self::Database(error) if !is_refusal(&error) => unconfirmed(&error),
            other => other.not_written(),
        }
    }
}

/// As a caller hears it when the answer to a commit was lost.
pub(crate) fn unconfirmed(error: &DbErr) -> StoreError {
    log("a commit was not confirmed", error);
    StoreError::Unconfirmed("the answer to a commit was lost".into())
}

/// Logs the code and the names of an error, and nothing of its text that may hold a value.
pub(crate) fn log(what: &'static str, error: &DbErr) {
    match sqlx_error(error) {
        Some(sqlx::Error::Database(inner)) => tracing::error!(
            code = inner.code().as_deref().unwrap_or("none"),
            table = inner.table().unwrap_or("none"),
            constraint = inner.constraint().unwrap_or("none"),
            "{what}"
        ),
        Some(sqlx::Error::Io(inner)) => tracing::error!(kind = %inner.kind(), "{what}: connection"),
        Some(sqlx::Error::PoolTimedOut) => tracing::error!("{what}: no connection became free in time"),
        _ => tracing::error!(kind = kind(error), "{what}"),
    }
}

fn kind(error: &DbErr) -> &'static str {
    match error {
        DbErr::ConnectionAcquire(_) => "connection acquire",
        DbErr::Conn(_) => "connection",
        DbErr::Exec(_) => "execution",
        DbErr::Query(_) => "query",
        DbErr::Type(_) | DbErr::TryIntoErr { .. } => "type",
        _ => "other",
    }
}

fn sqlx_error(error: &DbErr) -> Option<&sqlx::Error> {
    match error {
        DbErr::Conn(RuntimeErr::SqlxError(inner))
        | DbErr::Exec(RuntimeErr::SqlxError(inner))
        | DbErr::Query(RuntimeErr::SqlxError(inner)) => Some(inner.as_ref()),
        _ => None,
    }
}

/// The rule that a row broke, if that is what the error says.
fn constraint(error: &DbErr) -> Option<Constraint> {
    let sqlx::Error::Database(inner) = sqlx_error(error)? else { return None };
    let code = inner.code()?;
    // SQLite names the columns, PostgreSQL the index.
    // Source: SQLite result codes, "SQLITE_CONSTRAINT" (19 in the low byte); PostgreSQL error
    // codes, class 23.
    let is_sqlite = code.parse::<u32>().is_ok_and(|code| code & 0xff == 19) && code.len() < 5;
    if !is_sqlite && !code.starts_with("23") {
        return None;
    }
    let name = inner.constraint().unwrap_or(inner.message());
    Some(match name {
        "attempts_live" | "UNIQUE constraint failed: attempts.payment" => Constraint::Live,
        "callbacks_applied" | "UNIQUE constraint failed: callbacks.channel, callbacks.event_key" => {
            Constraint::EventKey
        }
        // An id's own constraint has no name on SQLite, and the database's own on PostgreSQL.
        "channels_account"
        | "channels_pkey"
        | "UNIQUE constraint failed: channels.provider, channels.account"
        | "UNIQUE constraint failed: channels.id" => Constraint::Account,
        _ => Constraint::Other,
    })
}

/// Whether PostgreSQL itself answered that it rolled back.
///
/// Source: PostgreSQL error codes: class 08 is a lost connection, 57P the server's own end, during
/// which a commit may have taken place, and 40003 says so in its name.
fn is_refusal(error: &DbErr) -> bool {
    match sqlx_error(error) {
        Some(sqlx::Error::Database(inner)) => inner
            .code()
            .is_some_and(|code| !code.starts_with("08") && !code.starts_with("57P") && code != "40003"),
        // No connection, so nothing was sent.
        _ => matches!(error, DbErr::ConnectionAcquire(_) | DbErr::Conn(_)),
    }
}

/// Whether SQLite's disk is full: the one failure of a checkpoint that time can mend.
///
/// Source: SQLite result codes, "SQLITE_FULL" (13).
pub(crate) fn is_disk_full(error: &DbErr) -> bool {
    match sqlx_error(error) {
        Some(sqlx::Error::Database(inner)) => inner.code().as_deref() == Some("13"),
        _ => false,
    }
}
