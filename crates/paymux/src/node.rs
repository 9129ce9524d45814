//! Payments with their workers: what runs until it is told to stop, and how it ends.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use paymux_core::{AppId, Payments};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::builder::Builder;
use crate::service::PaymentService;
use crate::workers::Workers;

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// It was told to stop, and all that was under way has ended.
    Drained,
    /// It was told to stop, and patience ended first. What was under way is taken up again by the next start.
    Cut,
    /// The ledger's disk failed: the process should end, since what it reads may differ from what the disk holds. A
    /// restart finds what is durable.
    LedgerFailed,
}

/// Payments over a ledger, with what works on them when nobody calls. Cheap to clone.
#[derive(Clone)]
pub struct Paymux {
    payments: Payments,
    workers: Workers,
    closer: Closer,
    drain: Duration,
}

impl Paymux {
    pub(crate) const fn new(payments: Payments, workers: Workers, closer: Closer, drain: Duration) -> Self {
        Self { payments, workers, closer, drain }
    }

    /// A set-up with nothing in it yet.
    pub fn builder() -> Builder {
        Builder::new()
    }

    /// Every use case.
    pub const fn payments(&self) -> &Payments {
        &self.payments
    }

    /// Payments of that app as a tower service.
    pub fn service(&self, app: AppId) -> PaymentService {
        PaymentService::new(self.payments.clone(), app)
    }

    /// Looks at what is due and delivers notices until `stop` is cancelled or the ledger fails; then waits for what is
    /// under way and closes the ledger. Payments are taken without it too, but nobody asks about unknown outcomes,
    /// ends what expires, or tells anybody. Run it once a process.
    pub async fn run(self, stop: CancellationToken) -> Ended {
        let fatal = self.closer.fatal();
        let ends = stop.child_token();
        let workers = self.workers.run(ends.clone());
        let until = async {
            tokio::select! {
                () = stop.cancelled() => {}
                () = fatal.cancelled() => {}
            }
            ends.cancel();
        };
        let drained = timeout_after(until, self.drain, async {
            workers.await;
            self.payments.drain().await;
        })
        .await;
        self.closer.close().await;
        match (fatal.is_cancelled(), drained) {
            (true, _) => Ended::LedgerFailed,
            (false, true) => Ended::Drained,
            (false, false) => Ended::Cut,
        }
    }
}

/// Runs `work` to its end, but no longer than `limit` after `until` has come. Whether it came to its end.
async fn timeout_after(
    until: impl Future<Output = ()>,
    limit: Duration,
    work: impl Future<Output = ()>,
) -> bool {
    let (mut until, mut work) = (std::pin::pin!(until), std::pin::pin!(work));
    tokio::select! {
        () = &mut work => return true,
        () = &mut until => {}
    }
    timeout(limit, work).await.is_ok()
}

impl fmt::Debug for Paymux {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Paymux").field("drain", &self.drain).finish_non_exhaustive()
    }
}

/// What must be told of a ledger's end, and told to it. A store of the embedder's own is closed by the embedder.
#[derive(Clone, Default)]
pub(crate) struct Closer(Option<Arc<dyn Close>>);

/// A ledger that can fail for good, and is closed in the end.
#[async_trait]
pub(crate) trait Close: Send + Sync {
    /// Cancelled when its disk has failed.
    fn fatal(&self) -> CancellationToken;

    /// Finishes what was taken and closes it.
    async fn close(&self);
}

#[cfg(feature = "sql")]
#[async_trait]
impl Close for paymux_store::Ledger {
    fn fatal(&self) -> CancellationToken {
        Self::fatal(self)
    }

    async fn close(&self) {
        Self::close(self).await;
    }
}

impl Closer {
    #[cfg(feature = "sql")]
    pub(crate) fn of(ledger: Arc<paymux_store::Ledger>) -> Self {
        Self(Some(ledger))
    }

    fn fatal(&self) -> CancellationToken {
        self.0.as_ref().map_or_else(CancellationToken::new, |ledger| ledger.fatal())
    }

    async fn close(&self) {
        if let Some(ledger) = &self.0 {
            ledger.close().await;
        }
    }
}
