//! The work that nobody calls for: attempts whose time has come are looked at, notices are delivered.
//!
//! What one round does is core's ([`Payments::sweep`], [`Payments::deliver`]); when rounds begin is said
//! here.

use std::sync::Arc;
use std::time::Duration;

use paymux_core::{PaymentError, Payments};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// How many rounds of one worker run at once. A round lasts as long as its slowest call, and others must
/// not wait for that: leases see to it that no two rounds take the same. So many that it is core which
/// says how much is under way, in all and for one endpoint or provider.
const ROUNDS_MAX: usize = 512;
/// How long after an idle round the next look for notices comes. One that was made in this process wakes
/// the worker; this finds repeats, and what other nodes left.
const NOTICE_PAUSE: Duration = Duration::from_millis(200);
/// How long a worker rests after the store failed.
const FAILURE_PAUSE: Duration = Duration::from_secs(1);

/// How often what nobody tells is looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Intervals {
    /// Due attempts, refunds and transfers.
    pub sweep: Duration,
    /// In which states channels are and what they have collected, for what other nodes change.
    pub snapshot: Duration,
}

impl Default for Intervals {
    /// Every second, and twice a second.
    fn default() -> Self {
        Self { sweep: Duration::from_secs(1), snapshot: Duration::from_millis(500) }
    }
}

/// All the workers of one node. Any number of nodes may run them over one ledger: leases share the work.
#[derive(Debug, Clone)]
pub struct Workers {
    payments: Payments,
    intervals: Intervals,
    wake: Arc<Notify>,
}

impl Workers {
    /// Of those payments. `wake` is told when a notice waits, as a witness of their store
    /// ([`Witnessed`](crate::witness::Witnessed)).
    pub fn new(payments: Payments, intervals: Intervals, wake: Arc<Notify>) -> Self {
        Self { payments, intervals, wake }
    }

    /// Works until `shutdown`. What is under way then is waited for by [`Payments::drain`]. One worker that dies is
    /// told and takes no other with it.
    pub async fn run(self, shutdown: CancellationToken) {
        let Self { payments, intervals, wake } = self;
        let mut workers = JoinSet::new();
        workers.spawn(sweep(payments.clone(), intervals.sweep, shutdown.clone()));
        workers.spawn(follow_channels(payments.clone(), intervals.snapshot, shutdown.clone()));
        workers.spawn(deliver(payments, wake, shutdown));
        while let Some(ended) = workers.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a worker died; its work waits for a restart or another node");
            }
        }
    }
}

/// Looks at due attempts, every `interval` and at once again while there is more, until `shutdown`.
async fn sweep(payments: Payments, interval: Duration, shutdown: CancellationToken) {
    let pace = Pace { name: "sweeper", pause: interval, wake: Arc::new(Notify::new()) };
    rounds(pace, shutdown, move || {
        let payments = payments.clone();
        async move { payments.sweep().await }
    })
    .await;
}

/// Delivers due notices: at once after `wake`, else by and by, until `shutdown`.
async fn deliver(payments: Payments, wake: Arc<Notify>, shutdown: CancellationToken) {
    let pace = Pace { name: "notices", pause: NOTICE_PAUSE, wake };
    rounds(pace, shutdown, move || {
        let payments = payments.clone();
        async move { payments.deliver().await }
    })
    .await;
}

/// Reads in which states channels are and what they have collected, every `interval` until `shutdown`.
async fn follow_channels(payments: Payments, interval: Duration, shutdown: CancellationToken) {
    while shutdown.run_until_cancelled(sleep(interval)).await.is_some() {
        if let Err(error) = payments.read_channels().await {
            tracing::error!(%error, "the states of channels could not be read; it is tried again");
        }
        read_figures(&payments).await;
    }
}

/// Reads what channels have collected. Without an answer, what was known before goes on to count.
pub async fn read_figures(payments: &Payments) {
    if let Err(error) = payments.read_figures().await {
        tracing::error!(%error, "what channels have collected could not be read; it is tried again");
    }
}

/// When a worker's rounds begin.
struct Pace {
    name: &'static str,
    /// After a round that found nothing, or beside one that lasts.
    pause: Duration,
    /// Ends a pause early.
    wake: Arc<Notify>,
}

/// Runs rounds until `shutdown`. Those under way then are waited for by [`Payments::drain`]: each runs in a
/// task of its own.
async fn rounds<W>(pace: Pace, shutdown: CancellationToken, round: impl Fn() -> W)
where
    W: Future<Output = Result<usize, PaymentError>> + Send + 'static,
{
    let mut running = JoinSet::new();
    while !shutdown.is_cancelled() {
        if running.len() < ROUNDS_MAX {
            running.spawn(round());
        }
        let pause = tokio::select! {
            ended = running.join_next() => pause_after(&pace, ended),
            () = sleep(pace.pause) => Duration::ZERO,
            () = shutdown.cancelled() => Duration::ZERO,
        };
        if pause.is_zero() {
            continue;
        }
        tokio::select! {
            () = sleep(pause) => {}
            () = pace.wake.notified() => {}
            () = shutdown.cancelled() => {}
        }
    }
}

/// None after a round that found something: there may be more.
fn pause_after(
    pace: &Pace,
    ended: Option<Result<Result<usize, PaymentError>, tokio::task::JoinError>>,
) -> Duration {
    match ended {
        Some(Ok(Ok(0))) | None => pace.pause,
        Some(Ok(Ok(_))) => Duration::ZERO,
        Some(Ok(Err(error))) => {
            tracing::error!(worker = pace.name, %error, "a round failed; the next one comes after a pause");
            FAILURE_PAUSE.max(pace.pause)
        }
        Some(Err(error)) => {
            tracing::error!(worker = pace.name, %error, "a round died; the next one comes after a pause");
            FAILURE_PAUSE.max(pace.pause)
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

    use super::*;

    /// Runs rounds that find what `found` says, for `span`; returns how many began.
    async fn begun(span: Duration, pause: Duration, found: impl Fn(usize) -> (Duration, usize)) -> usize {
        let count = Arc::new(AtomicUsize::new(0));
        let pace = Pace { name: "test", pause, wake: Arc::new(Notify::new()) };
        let shutdown = CancellationToken::new();
        let work = rounds(pace, shutdown.clone(), || {
            let (lasts, found) = found(count.fetch_add(1, SeqCst));
            async move {
                sleep(lasts).await;
                Ok(found)
            }
        });
        tokio::join!(work, async {
            sleep(span).await;
            shutdown.cancel();
        });
        count.load(SeqCst)
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn an_idle_worker_looks_once_a_pause() {
        let looks = begun(SECOND * 10, SECOND, |_| (Duration::ZERO, 0)).await;
        assert!((10..=11).contains(&looks), "{looks}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_busy_worker_does_not_pause() {
        let looks = begun(SECOND * 5, SECOND, |n| (Duration::ZERO, usize::from(n < 100))).await;
        assert!((104..=107).contains(&looks), "{looks}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_round_that_lasts_holds_no_other_up_and_they_are_few() {
        let looks = begun(SECOND * 600, SECOND, |_| (SECOND * 6000, 0)).await;
        assert_eq!(looks, ROUNDS_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn a_wake_up_ends_a_pause() {
        let wake = Arc::new(Notify::new());
        let pace = Pace { name: "test", pause: SECOND * 3600, wake: wake.clone() };
        let count = Arc::new(AtomicUsize::new(0));
        let shutdown = CancellationToken::new();
        let work = rounds(pace, shutdown.clone(), || {
            count.fetch_add(1, SeqCst);
            async { Ok(0) }
        });
        tokio::join!(work, async {
            for _ in 0..3 {
                sleep(SECOND).await;
                wake.notify_one();
            }
            sleep(SECOND).await;
            shutdown.cancel();
        });
        assert_eq!(count.load(SeqCst), 4);
    }
}
