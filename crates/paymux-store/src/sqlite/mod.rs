//! The ledger on one SQLite file: a writer with group commit, a pool of readers, a lock.

mod lock;
mod own;
mod writer;

use std::path::{Path, PathBuf};
use std::time::Duration;

use paymux_core::store::StoreError;
use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, TryGetable};
use tokio_util::sync::CancellationToken;

use self::lock::FileLock;
use self::own::Own;
use self::writer::WriterHandle;
use crate::error::ConnectError;
use crate::fault;
use crate::ledger::Options;
use crate::migration;
use crate::ops::Work;
use crate::rows::Cells;
use crate::script::Sql;

/// How long a statement waits for a lock that only a foreign tool can hold.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct SqliteLedger {
    readers: DatabaseConnection,
    writer: WriterHandle,
}

impl SqliteLedger {
    pub(crate) async fn open(
        file: &Path,
        options: &Options,
        fatal: CancellationToken,
    ) -> Result<Self, ConnectError> {
        let file = real_path(file)?;
        let lock = FileLock::take(&file)?;
        migrate(&file).await?;
        let writing = Own::connect(&driver_options(&file, Access::Write)).await.map_err(not_open)?;
        check_durability(&writing).await?;
        let readers = connect(&file, Access::Read { connections: options.read_connections }).await?;
        Ok(Self { readers, writer: WriterHandle::start(writing, lock, options, fatal) })
    }

    /// Where reads go: they see what is committed.
    pub(crate) fn readers(&self) -> &DatabaseConnection {
        &self.readers
    }

    pub(crate) async fn write<W: Work>(&self, work: W) -> Result<W::Answer, StoreError> {
        self.writer.write(work).await
    }

    /// Lets the writer finish what it has taken, then closes everything.
    pub(crate) async fn close(&self) {
        if let Err(error) = self.readers.close_by_ref().await {
            fault::log("closing the readers failed", &error);
        }
        self.writer.close().await;
    }

    pub(crate) fn commits(&self) -> u64 {
        self.writer.commits()
    }
}

/// The file, made if it was missing, by the one path that all its names lead to: two names must
/// not mean two locks.
fn real_path(file: &Path) -> Result<PathBuf, ConnectError> {
    let fail = |source| ConnectError::File { file: file.to_owned(), source };
    std::fs::OpenOptions::new().write(true).create(true).truncate(false).open(file).map_err(fail)?;
    file.canonicalize().map_err(fail)
}

#[expect(clippy::needless_pass_by_value, reason = "so that it can be handed to `map_err`")]
fn not_open(error: DbErr) -> ConnectError {
    ConnectError::Open(error.to_string())
}

async fn migrate(file: &Path) -> Result<(), ConnectError> {
    let db = connect(file, Access::Write).await?;
    check_durability(&db).await?;
    migration::run(&db).await.map_err(|error| ConnectError::Migration(error.to_string()))?;
    db.close().await.map_err(not_open)
}

#[derive(Debug, Clone, Copy)]
enum Access {
    Write,
    Read {
        connections: u32,
    },
    /// As `Read`, and nothing is made that is not there.
    Look {
        connections: u32,
    },
}

/// Connections that look at a file which a running service may have: without its lock, and without a way
/// to write.
pub(crate) async fn look(file: &Path, options: &Options) -> Result<DatabaseConnection, ConnectError> {
    let fail = |source| ConnectError::File { file: file.to_owned(), source };
    let file = file.canonicalize().map_err(fail)?;
    connect(&file, Access::Look { connections: options.read_connections }).await
}

async fn connect(file: &Path, access: Access) -> Result<DatabaseConnection, ConnectError> {
    // The URL is a stand-in: every setting that matters is made below, on the driver's own type.
    let mut options = ConnectOptions::new("sqlite::memory:");
    let connections = match access {
        Access::Write => 1,
        Access::Read { connections } | Access::Look { connections } => connections,
    };
    options.min_connections(1).max_connections(connections.max(1));
    options.idle_timeout(None::<Duration>).max_lifetime(None::<Duration>).test_before_acquire(false);
    options.sqlx_logging(false).record_stmt_in_spans(false);
    let file = file.to_owned();
    options.map_sqlx_sqlite_opts(move |_| driver_options(&file, access));
    Database::connect(options).await.map_err(not_open)
}

fn driver_options(file: &Path, access: Access) -> SqliteConnectOptions {
    use sea_orm::sqlx::ConnectOptions as _;
    let plain = SqliteConnectOptions::new().filename(file).busy_timeout(BUSY_TIMEOUT);
    if let Access::Look { .. } = access {
        return plain.read_only(true).pragma("query_only", "ON").disable_statement_logging();
    }
    let options = plain
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        // The writer does it itself: SQLite's own checkpoints after a commit fail in silence.
        .pragma("wal_autocheckpoint", "0")
        .disable_statement_logging();
    match access {
        Access::Write => options,
        Access::Read { .. } | Access::Look { .. } => options.pragma("query_only", "ON"),
    }
}

/// Reads back what was asked for. A file on some network drives, for one, has no write-ahead log.
///
/// Source: SQLite, "PRAGMA synchronous" (2 is FULL, 3 is EXTRA), "PRAGMA journal_mode".
async fn check_durability<C: ConnectionTrait>(db: &C) -> Result<(), ConnectError> {
    let journal: String = pragma(db, "PRAGMA journal_mode").await?;
    if journal != "wal" {
        let rule = "must be `wal`; put the file on a local disk";
        return Err(ConnectError::Durability { setting: "journal_mode", value: journal, rule });
    }
    let synchronous: i64 = pragma(db, "PRAGMA synchronous").await?;
    if synchronous < 2 {
        let rule = "must be 2 (FULL) or 3 (EXTRA): less loses acknowledged payments at a loss of power";
        return Err(ConnectError::Durability {
            setting: "synchronous",
            value: synchronous.to_string(),
            rule,
        });
    }
    let foreign_keys: i64 = pragma(db, "PRAGMA foreign_keys").await?;
    if foreign_keys != 1 {
        let value = foreign_keys.to_string();
        return Err(ConnectError::Durability { setting: "foreign_keys", value, rule: "must be 1 (ON)" });
    }
    Ok(())
}

async fn pragma<T: TryGetable, C: ConnectionTrait>(db: &C, text: &str) -> Result<T, ConnectError> {
    let unreadable = || ConnectError::Open(format!("`{text}` has no readable answer"));
    let mut sql = Sql::new(DbBackend::Sqlite);
    sql.push(text);
    let rows = sql.rows(db).await.map_err(not_open)?;
    Cells::new(rows.first().ok_or_else(unreadable)?).next().map_err(|_| unreadable())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A connection with other settings than ours, on a file in a folder of its own.
    async fn with(edit: fn(SqliteConnectOptions) -> SqliteConnectOptions) -> Result<(), String> {
        let folder = tempfile::tempdir().unwrap();
        let options =
            edit(driver_options(&folder.path().join("a.db"), Access::Write).create_if_missing(true));
        let pool =
            sqlx::sqlite::SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
        check_durability(&DatabaseConnection::from(pool)).await.map_err(|refused| refused.to_string())
    }

    #[tokio::test]
    async fn settings_that_lose_acknowledged_writes_are_refused() {
        assert_eq!(with(|options| options).await, Ok(()));
        assert_eq!(with(|options| options.synchronous(SqliteSynchronous::Extra)).await, Ok(()));
        let refused = with(|options| options.synchronous(SqliteSynchronous::Normal)).await.unwrap_err();
        assert!(refused.starts_with("synchronous is `1`: must be 2 (FULL)"), "{refused}");
        let refused = with(|options| options.synchronous(SqliteSynchronous::Off)).await.unwrap_err();
        assert!(refused.starts_with("synchronous is `0`"), "{refused}");
        let refused = with(|options| options.journal_mode(SqliteJournalMode::Memory)).await.unwrap_err();
        assert!(refused.starts_with("journal_mode is `memory`: must be `wal`"), "{refused}");
        let refused = with(|options| options.foreign_keys(false)).await.unwrap_err();
        assert!(refused.starts_with("foreign_keys is `0`"), "{refused}");
    }

    #[tokio::test]
    async fn readers_cannot_write() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.db");
        std::fs::write(&file, "").unwrap();
        let writing = connect(&file, Access::Write).await.unwrap();
        migration::run(&writing).await.unwrap();
        let reading = connect(&file, Access::Read { connections: 2 }).await.unwrap();
        let mut sql = Sql::new(DbBackend::Sqlite);
        sql.push("DELETE FROM payments");
        assert!(sql.execute(&reading).await.unwrap_err().to_string().contains("readonly"));
    }
}
