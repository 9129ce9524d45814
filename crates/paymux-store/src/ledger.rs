//! The ledger as others see it: [`Store`] over one of two databases.

use std::future::Future;
use std::time::Duration;

use async_trait::async_trait;
use paymux_core::clock::Timestamp;
use paymux_core::ids::{AppId, ChannelId, OrderNo, PaymentId};
use paymux_core::payment::Payment;
use paymux_core::store::{
    Applied, CallbackRow, Change, DeliveryReport, DueAttempt, DueDelivery, Opened, Opening, PaymentFilter,
    Ring, Store, StoreError,
};
use sea_orm::DatabaseConnection;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::address::Address;
use crate::cache::Numbers;
use crate::error::ConnectError;
use crate::fault::Fault;
use crate::ops::apply::Apply;
use crate::ops::callbacks::KeepCallback;
use crate::ops::deliveries::{Report, TakeDeliveries};
use crate::ops::due::TakeAttempts;
use crate::ops::open::Open;
use crate::ops::ping::Ping;
use crate::ops::{Work, read};
use crate::postgres::PostgresLedger;
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
    fatal: CancellationToken,
}

#[derive(Debug)]
enum Backend {
    Sqlite(SqliteLedger),
    Postgres(PostgresLedger),
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
        Ok(Self { backend, numbers: Numbers::new(), fatal })
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
        }
    }

    /// How many commits SQLite's writer has made since the ledger was opened, for tests and benches:
    /// fewer than the writes it answered. `None` on PostgreSQL, which is not asked.
    pub fn commits(&self) -> Option<u64> {
        match &self.backend {
            Backend::Sqlite(sqlite) => Some(sqlite.commits()),
            Backend::Postgres(_) => None,
        }
    }

    async fn write<W: Work>(&self, work: W) -> Result<W::Answer, StoreError> {
        timed(W::NAME, async {
            match &self.backend {
                Backend::Sqlite(sqlite) => sqlite.write(work).await,
                Backend::Postgres(postgres) => postgres.write(work).await,
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
        };
        timed(name, async { read(db).await.map_err(Fault::not_written) }).await
    }

    async fn read_by_id(&self, id: PaymentId) -> Result<Option<Payment>, StoreError> {
        self.read("payment", async |db| read::by_id(db, id).await).await
    }

    fn remember(&self, found: Option<Payment>) -> Option<Payment> {
        found.inspect(|payment| self.numbers.remember(payment))
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

#[async_trait]
impl Store for Ledger {
    async fn open(&self, opening: Opening) -> Result<Opened, StoreError> {
        self.write(Open(opening)).await
    }

    async fn apply(&self, change: Change) -> Result<Applied, StoreError> {
        self.write(Apply(change)).await
    }

    async fn payment(&self, id: PaymentId) -> Result<Option<Payment>, StoreError> {
        self.read_by_id(id).await
    }

    async fn payment_by_order(&self, app: &AppId, order_no: &OrderNo) -> Result<Option<Payment>, StoreError> {
        if let Some(id) = self.numbers.by_order(app, order_no) {
            let found = self.read_by_id(id).await?;
            if found.as_ref().is_some_and(|payment| payment.app == *app && payment.order_no == *order_no) {
                return Ok(found);
            }
        }
        let found = self.read("payment_by_order", async |db| read::by_order(db, app, order_no).await).await?;
        Ok(self.remember(found))
    }

    async fn payment_by_number(
        &self,
        channel: &ChannelId,
        number: &str,
    ) -> Result<Option<Payment>, StoreError> {
        if let Some(id) = self.numbers.by_number(channel, number) {
            let found = self.read_by_id(id).await?;
            if found.as_ref().is_some_and(|payment| payment.attempt_by_number(channel, number).is_some()) {
                return Ok(found);
            }
        }
        let found =
            self.read("payment_by_number", async |db| read::by_number(db, channel, number).await).await?;
        Ok(self.remember(found))
    }

    async fn payments(&self, filter: &PaymentFilter) -> Result<Vec<Payment>, StoreError> {
        self.read("payments", async |db| read::list(db, filter).await).await
    }

    async fn keep_callback(&self, row: CallbackRow, ring: Ring) -> Result<(), StoreError> {
        self.write(KeepCallback { row, ring }).await
    }

    async fn take_due_attempts(
        &self,
        now: Timestamp,
        lease: Duration,
        limit: u32,
    ) -> Result<Vec<DueAttempt>, StoreError> {
        self.write(TakeAttempts { now, lease, limit }).await
    }

    async fn take_due_deliveries(
        &self,
        now: Timestamp,
        lease: Duration,
        limit: u32,
        per_app: u32,
    ) -> Result<Vec<DueDelivery>, StoreError> {
        self.write(TakeDeliveries { now, lease, limit, per_app }).await
    }

    async fn report_deliveries(&self, reports: Vec<DeliveryReport>) -> Result<(), StoreError> {
        if reports.is_empty() {
            return Ok(());
        }
        self.write(Report(reports)).await
    }

    async fn ping(&self) -> Result<(), StoreError> {
        self.write(Ping).await
    }
}
