//! The ledger as others see it: core's [`Store`](paymux_core::store::Store) over one of two databases.
//! Each part of that port has a file of its own.

mod channel_book;
mod day_book;
mod decisions;
mod desk;
mod outbox;
mod payments;
mod refunds;
mod transfers;

use std::future::Future;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use paymux_core::clock::Timestamp;
use paymux_core::store::StoreError;
use sea_orm::DatabaseConnection;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::address::Address;
use crate::cache::Numbers;
use crate::doctor;
use crate::error::ConnectError;
use crate::fault::Fault;
use crate::ops::Work;
use crate::postgres::PostgresLedger;
use crate::reader::Reader;
use crate::sqlite::SqliteLedger;

/// The numbers that a ledger works by.
#[derive(Debug, Clone)]
pub struct Options {
    /// The most writes that wait at once; one more is refused as
    /// [`StoreError::Unavailable`]. On PostgreSQL: that wait or run.
    pub write_queue: usize,
    /// SQLite: the most writes that share one commit.
    pub batch: usize,
    /// SQLite: connections that read.
    pub read_connections: u32,
    /// PostgreSQL: connections.
    pub connections: u32,
    /// PostgreSQL: how long to wait for a free connection.
    pub acquire: Duration,
    /// PostgreSQL: the server ends a statement that takes longer.
    pub statement: Duration,
    /// PostgreSQL: the server ends a transaction that idles longer; one does so only when its node
    /// is gone or stands still.
    pub idle_in_transaction: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            write_queue: 4096,
            batch: 256,
            read_connections: 4,
            connections: 16,
            acquire: Duration::from_secs(5),
            statement: Duration::from_secs(10),
            idle_in_transaction: Duration::from_secs(10),
        }
    }
}

/// The ledger: payments, attempts, callbacks and notices, durable before they are answered.
///
/// Dropping it lets taken writes finish in the background; [`Ledger::close`] waits for them.
///
/// U+0000 in free text is kept as U+FFFD, since PostgreSQL cannot hold it.
#[derive(Debug)]
pub struct Ledger {
    backend: Backend,
    numbers: Numbers,
    /// How many keys were claimed here: every so often a claim also forgets old ones.
    claims: AtomicU64,
    fatal: CancellationToken,
}

#[derive(Debug)]
enum Backend {
    Sqlite(SqliteLedger),
    Postgres(PostgresLedger),
    Reader(Reader),
}

impl Ledger {
    /// Opens the ledger at `url` and brings its schema up to date.
    ///
    /// `sqlite://name.db` is relative to the working directory, `sqlite:///path/name.db` is not;
    /// either is created. `postgres://user:password@host/db` goes over verified TLS
    /// (`sslmode=verify-full`) unless the host is this machine or the URL says `sslmode=disable`.
    ///
    /// # Errors
    /// One variant of [`ConnectError`] a cause: a wrong URL, a file that another process uses,
    /// settings of the database that would lose acknowledged writes, a schema newer than this
    /// version.
    pub async fn connect(url: &str, options: Options) -> Result<Self, ConnectError> {
        let fatal = CancellationToken::new();
        let backend = match Address::parse(url)? {
            Address::Sqlite(file) => {
                Backend::Sqlite(SqliteLedger::open(&file, &options, fatal.clone()).await?)
            }
            Address::Postgres(url) => Backend::Postgres(PostgresLedger::open(&url, &options).await?),
        };
        Ok(Self { backend, numbers: Numbers::new(), claims: AtomicU64::new(0), fatal })
    }

    /// Opens the ledger at `url` to look at it only, also while a service runs on it: takes no lock and
    /// changes nothing. Whatever would write is refused as [`StoreError::Unavailable`].
    ///
    /// # Errors
    /// As [`Ledger::connect`]; besides, where there is no ledger, or one of another version.
    pub async fn look(url: &str, options: Options) -> Result<Self, ConnectError> {
        let backend = Backend::Reader(Reader::open(&Address::parse(url)?, &options).await?);
        let (numbers, fatal) = (Numbers::new(), CancellationToken::new());
        Ok(Self { backend, numbers, claims: AtomicU64::new(0), fatal })
    }

    /// Makes every check of [`doctor`] on what the ledger holds at this moment; `begun` hears of each
    /// before it is made.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn examine(
        &self,
        now: Timestamp,
        begun: &(dyn Fn(&'static doctor::Check) + Send + Sync),
    ) -> Result<Vec<doctor::Outcome>, StoreError> {
        self.read("examine", async |db| doctor::examine(db, now, begun).await).await
    }

    /// Cancelled once a commit or a checkpoint has failed on SQLite's disk: the process must stop,
    /// since what it reads may differ from what the disk holds. A restart finds the truth. Writes
    /// are refused from then on. PostgreSQL does the same by itself.
    pub fn fatal(&self) -> CancellationToken {
        self.fatal.clone()
    }

    /// Takes no more writes, finishes those that were taken, and closes the database.
    pub async fn close(&self) {
        match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.close().await,
            Backend::Postgres(postgres) => postgres.close().await,
            Backend::Reader(reader) => reader.close().await,
        }
    }

    /// How many commits SQLite's writer has made since the ledger was opened, for tests and benches:
    /// fewer than the writes it answered. `None` on PostgreSQL, which is not asked.
    pub fn commits(&self) -> Option<u64> {
        match &self.backend {
            Backend::Sqlite(sqlite) => Some(sqlite.commits()),
            Backend::Postgres(_) | Backend::Reader(_) => None,
        }
    }

    async fn write<W: Work>(&self, work: W) -> Result<W::Answer, StoreError> {
        timed(W::NAME, async {
            match &self.backend {
                Backend::Sqlite(sqlite) => sqlite.write(work).await,
                Backend::Postgres(postgres) => postgres.write(work).await,
                Backend::Reader(_) => Reader::refuse(),
            }
        })
        .await
    }

    /// A single statement that reads. Nothing is lost when its caller goes away.
    async fn read<T>(
        &self,
        name: &'static str,
        read: impl AsyncFnOnce(&DatabaseConnection) -> Result<T, Fault>,
    ) -> Result<T, StoreError> {
        let db = match &self.backend {
            Backend::Sqlite(sqlite) => sqlite.readers(),
            Backend::Postgres(postgres) => postgres.pool(),
            Backend::Reader(reader) => reader.pool(),
        };
        timed(name, async { read(db).await.map_err(Fault::not_written) }).await
    }
}

/// Runs `work` and notes how long it took and how it ended.
async fn timed<T>(
    name: &'static str,
    work: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let begun = Instant::now();
    let outcome = work.await;
    let end = match &outcome {
        Ok(_) => "ok",
        Err(StoreError::Unavailable(_)) => "unavailable",
        Err(StoreError::Unconfirmed(_)) => "unconfirmed",
        Err(StoreError::Corrupt(_)) => "corrupt",
    };
    metrics::histogram!("paymux_store_operation_seconds", "operation" => name, "end" => end)
        .record(begun.elapsed());
    outcome
}
