//! The one writer of a SQLite file. It takes all requests that wait, runs each in a savepoint of
//! one transaction, commits, and only then answers: many requests share one write to the disk.
//!
//! - A request that fails is rolled back alone, and only its own caller hears of it.
//! - If the transaction itself is lost before `COMMIT`, nothing was written and all are told so.
//! - If `COMMIT` fails, nobody knows what the disk holds. All are told so, and the writer stops for
//!   good and raises `fatal`: what is read now may differ from what a restart finds.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use paymux_core::store::StoreError;
use sea_orm::DbErr;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::lock::FileLock;
use super::own::Own;
use crate::fault::{self, Fault};
use crate::ledger::Options;
use crate::ops::Work;

/// Requests between two checkpoints: about a thousand pages, as SQLite itself would take. A log that
/// grows makes each write to it slower.
const REQUESTS_PER_CHECKPOINT: usize = 200;

/// Where requests are handed in.
#[derive(Debug)]
pub(super) struct WriterHandle {
    queue: mpsc::Sender<Box<dyn Request>>,
    closing: CancellationToken,
    tasks: TaskTracker,
    commits: Arc<AtomicU64>,
}

impl WriterHandle {
    /// Starts the writer on a connection that is its own.
    pub(super) fn start(db: Own, lock: FileLock, options: &Options, fatal: CancellationToken) -> Self {
        let (queue, requests) = mpsc::channel(options.write_queue.max(1));
        let closing = CancellationToken::new();
        let commits = Arc::new(AtomicU64::new(0));
        let writer = Writer {
            db,
            requests,
            batch_max: options.batch.max(1),
            closing: closing.clone(),
            fatal,
            commits: commits.clone(),
            since_checkpoint: 0,
            _lock: lock,
        };
        let tasks = TaskTracker::new();
        tasks.spawn(writer.run());
        tasks.close();
        Self { queue, closing, tasks, commits }
    }

    /// Does the work in the next batch and answers once it is on the disk. A caller that goes away
    /// takes nothing back.
    pub(super) async fn write<W: Work>(&self, work: W) -> Result<W::Answer, StoreError> {
        if self.closing.is_cancelled() {
            return Err(closed());
        }
        let (caller, answer) = oneshot::channel();
        let request = Box::new(Pending { work, outcome: None, caller });
        self.queue.try_send(request).map_err(|refused| match refused {
            mpsc::error::TrySendError::Full(_) => {
                metrics::counter!("paymux_store_overloads_total").increment(1);
                StoreError::Unavailable("too many writes are waiting; try again".into())
            }
            mpsc::error::TrySendError::Closed(_) => closed(),
        })?;
        answer.await.unwrap_or_else(|_| Err(StoreError::Unconfirmed("the writer ended".into())))
    }

    /// Takes no more, finishes what was taken, and waits until the file is closed.
    pub(super) async fn close(&self) {
        self.closing.cancel();
        self.tasks.wait().await;
    }

    /// How many commits there were.
    pub(super) fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("the ledger is closed".into())
}

/// Begins a request inside the batch, where exactly one savepoint is open at any time: what the last
/// request wrote stays, what this one writes can be taken back.
const BEGIN_REQUEST: &str = "RELEASE request; SAVEPOINT request";

/// How a batch ended.
enum End {
    /// Its commit is on the disk.
    Durable,
    /// It was taken back before its commit.
    TakenBack,
    /// Its commit failed.
    Unconfirmed,
}

/// One request whose answer's type only its caller knows.
#[async_trait]
trait Request: Send {
    /// Does its work inside the batch's transaction.
    ///
    /// # Errors
    /// The transaction itself is lost.
    async fn run(&mut self, db: &Own) -> Result<(), DbErr>;

    /// Tells its caller.
    fn answer(self: Box<Self>, end: &End);
}

struct Pending<W: Work> {
    work: W,
    outcome: Option<Result<W::Answer, StoreError>>,
    caller: oneshot::Sender<Result<W::Answer, StoreError>>,
}

#[async_trait]
impl<W: Work> Request for Pending<W> {
    async fn run(&mut self, db: &Own) -> Result<(), DbErr> {
        // Before the work, whatever it is: one that fails before its first statement must take back
        // nothing of the request before it, which is answered as written.
        db.run(BEGIN_REQUEST).await?;
        let outcome = match self.work.run(db).await {
            Ok(answer) => Ok(answer),
            Err(fault) => {
                // Works only while the transaction lives: some failures make SQLite take all of it
                // back, and what followed would then commit by itself.
                db.run("ROLLBACK TO request").await?;
                match fault {
                    Fault::Constraint(constraint) => self.work.refused(constraint),
                    other => Err(other.not_written()),
                }
            }
        };
        self.outcome = Some(outcome);
        Ok(())
    }

    fn answer(self: Box<Self>, end: &End) {
        let outcome = match (end, self.outcome) {
            (End::Durable, Some(outcome)) => outcome,
            // Its own failure wrote nothing, whatever became of the others.
            (End::Unconfirmed, Some(Err(own))) => Err(own),
            (End::Unconfirmed, _) => Err(StoreError::Unconfirmed("a commit failed".into())),
            (End::Durable | End::TakenBack, _) => {
                Err(StoreError::Unavailable("the batch was taken back".into()))
            }
        };
        // A caller that went away has its work done all the same.
        let _ = self.caller.send(outcome);
    }
}

struct Writer {
    db: Own,
    requests: mpsc::Receiver<Box<dyn Request>>,
    batch_max: usize,
    closing: CancellationToken,
    fatal: CancellationToken,
    commits: Arc<AtomicU64>,
    since_checkpoint: usize,
    _lock: FileLock,
}

/// The writer cannot go on.
struct Stopped;

/// A number for a metric.
fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

impl Writer {
    async fn run(mut self) {
        // Raised also if this task panics; an orderly end takes it back.
        let alarm = self.fatal.clone().drop_guard();
        match self.serve().await {
            Ok(()) => {
                alarm.disarm();
                self.finish().await;
            }
            Err(Stopped) => drop(alarm),
        }
        self.requests.close();
        while let Some(request) = self.requests.recv().await {
            request.answer(&End::TakenBack);
        }
        if let Err(error) = self.db.close().await {
            fault::log("closing the database failed", &error);
        }
    }

    /// Writes batch after batch until there is nothing left to come.
    async fn serve(&mut self) -> Result<(), Stopped> {
        while let Some(first) = self.next().await {
            // Callers that the last batch woke hand in their next request now, before this one starts.
            tokio::task::yield_now().await;
            let batch = self.gather(first);
            self.write(batch).await?;
            self.checkpoint_if_due().await?;
        }
        Ok(())
    }

    async fn next(&mut self) -> Option<Box<dyn Request>> {
        tokio::select! {
            biased;
            request = self.requests.recv() => request,
            () = self.closing.cancelled(), if !self.requests.is_closed() => {
                self.requests.close();
                self.requests.recv().await
            }
        }
    }

    fn gather(&mut self, first: Box<dyn Request>) -> Vec<Box<dyn Request>> {
        let mut batch = vec![first];
        while batch.len() < self.batch_max
            && let Ok(request) = self.requests.try_recv()
        {
            batch.push(request);
        }
        metrics::histogram!("paymux_store_batch_requests").record(count(batch.len()));
        metrics::gauge!("paymux_store_queue_requests").set(count(self.requests.len()));
        batch
    }

    async fn write(&mut self, mut batch: Vec<Box<dyn Request>>) -> Result<(), Stopped> {
        let begun = Instant::now();
        let end = match self.run_batch(&mut batch).await {
            Ok(()) => self.commit().await,
            Err(error) => {
                fault::log("a batch was taken back", &error);
                // What the transaction was may be gone already; this ends what is left of it.
                let _ = self.db.run("ROLLBACK").await;
                End::TakenBack
            }
        };
        metrics::histogram!("paymux_store_commit_seconds").record(begun.elapsed());
        self.since_checkpoint += batch.len();
        for request in batch {
            request.answer(&end);
        }
        if matches!(end, End::Unconfirmed) { Err(Stopped) } else { Ok(()) }
    }

    /// Takes the write lock at once: a transaction that takes it later fails at once when somebody
    /// else was faster, whatever the busy timeout says.
    async fn run_batch(&self, batch: &mut [Box<dyn Request>]) -> Result<(), DbErr> {
        self.db.run("BEGIN IMMEDIATE; SAVEPOINT request").await?;
        for request in batch {
            request.run(&self.db).await?;
        }
        Ok(())
    }

    async fn commit(&self) -> End {
        paymux_core::crash_point!("sqlite.before_commit");
        match self.db.run("COMMIT").await {
            Ok(()) => {
                paymux_core::crash_point!("sqlite.after_commit" => return End::Unconfirmed);
                self.commits.fetch_add(1, Ordering::Relaxed);
                metrics::counter!("paymux_store_commits_total").increment(1);
                End::Durable
            }
            Err(error) => {
                fault::log("a commit failed; the ledger stops", &error);
                End::Unconfirmed
            }
        }
    }

    /// Moves the log into the database. A failed write there is as bad as a failed commit: the log
    /// must not be reused, and who knows what the system still has in memory.
    async fn checkpoint_if_due(&mut self) -> Result<(), Stopped> {
        if self.since_checkpoint < REQUESTS_PER_CHECKPOINT {
            return Ok(());
        }
        self.since_checkpoint = 0;
        match self.db.run("PRAGMA wal_checkpoint(PASSIVE)").await {
            Ok(()) => Ok(()),
            Err(error) if fault::is_disk_full(&error) => {
                fault::log("a checkpoint found the disk full", &error);
                Ok(())
            }
            Err(error) => {
                fault::log("a checkpoint failed; the ledger stops", &error);
                Err(Stopped)
            }
        }
    }

    async fn finish(&self) {
        if let Err(error) = self.db.run("PRAGMA wal_checkpoint(TRUNCATE)").await {
            fault::log("the last checkpoint failed; the log is kept", &error);
        }
    }
}
