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
            // Whoever has no workers left, since they died, still ends only when told.
            tokio::join!(workers, ends.cancelled());
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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

    use paymux_core::NewPayment;
    use paymux_core::catalog::Strategy;
    use paymux_core::payment::PaymentRequest;
    use paymux_testkit::{MemoryStore, Script, ScriptedChannel, ScriptedTransport, TestClock};

    use super::*;
    use crate::plan::{ChannelPlan, RoutePlan};

    /// A ledger whose disk fails when it is told to.
    #[derive(Default)]
    struct Disk {
        fatal: CancellationToken,
        is_closed: AtomicBool,
    }

    #[async_trait]
    impl Close for Disk {
        fn fatal(&self) -> CancellationToken {
            self.fatal.clone()
        }

        async fn close(&self) {
            self.is_closed.store(true, SeqCst);
        }
    }

    async fn paymux(disk: &Arc<Disk>, channel: ScriptedChannel) -> Paymux {
        let opened = Paymux::builder()
            .app("shop")
            .channel(ChannelPlan::own("main", channel))
            .route(RoutePlan::new("default", Strategy::Priority, ["main"]))
            .public_url("https://pay.example.com")
            .store(Arc::new(MemoryStore::new()))
            .clock(Arc::new(TestClock::new()))
            .transport(Arc::new(ScriptedTransport::new()))
            .drain(Duration::from_secs(5))
            .open()
            .await
            .unwrap();
        Paymux { closer: Closer(Some(disk.clone())), ..opened }
    }

    #[tokio::test(start_paused = true)]
    async fn runs_until_it_is_told_and_closes_the_ledger() {
        let (disk, stop) = (Arc::<Disk>::default(), CancellationToken::new());
        let paymux = paymux(&disk, ScriptedChannel::new("main")).await;
        let running = tokio::spawn(paymux.run(stop.clone()));
        tokio::time::sleep(Duration::from_hours(1)).await;
        assert!(!running.is_finished() && !disk.is_closed.load(SeqCst));
        stop.cancel();
        assert_eq!(running.await.unwrap(), Ended::Drained);
        assert!(disk.is_closed.load(SeqCst));
    }

    #[tokio::test(start_paused = true)]
    async fn a_ledger_that_fails_ends_it() {
        let disk = Arc::<Disk>::default();
        let paymux = paymux(&disk, ScriptedChannel::new("main")).await;
        let running = tokio::spawn(paymux.run(CancellationToken::new()));
        disk.fatal.cancel();
        assert_eq!(running.await.unwrap(), Ended::LedgerFailed);
        assert!(disk.is_closed.load(SeqCst));
    }

    #[tokio::test(start_paused = true)]
    async fn patience_ends() {
        let (disk, stop) = (Arc::<Disk>::default(), CancellationToken::new());
        let channel = ScriptedChannel::new("main");
        channel.on_create(Script::Slow(Duration::from_secs(12)));
        let paymux = paymux(&disk, channel).await;
        let running = tokio::spawn(paymux.clone().run(stop.clone()));
        let tea = PaymentRequest::new("A1001", 1999, "CNY", "wechat.native", "Tea");
        let tea = NewPayment::check(&tea).unwrap();
        let app = AppId::new("shop").unwrap();
        let creating = tokio::spawn(async move { paymux.payments().create(app, tea).await });
        tokio::time::sleep(Duration::from_secs(1)).await;
        stop.cancel();
        assert_eq!(running.await.unwrap(), Ended::Cut);
        assert!(disk.is_closed.load(SeqCst));
        assert!(
            creating.await.unwrap().unwrap().payment.next_action.is_some(),
            "it ran to its end all the same"
        );
    }
}
