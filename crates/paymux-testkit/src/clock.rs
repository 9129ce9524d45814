//! A clock that follows tokio's time: paused and advanced in tests, so that nothing really waits.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use paymux_core::clock::{Clock, Mono, Timestamp};
use tokio::time::Instant;

/// 2024-03-01 00:00:00 UTC, the first moment of a fresh [`TestClock`].
pub const START: Timestamp = Timestamp::from_ms(1_709_251_200_000);

/// Starts at [`START`] and runs with tokio's clock, which `start_paused` stops.
#[derive(Debug)]
pub struct TestClock {
    origin: Instant,
    /// How far wall time was set off from the monotonic clock, in milliseconds.
    skew_ms: AtomicI64,
}

impl TestClock {
    /// A clock at [`START`]. Needs a tokio runtime.
    #[expect(clippy::new_without_default, reason = "it reads tokio's clock, which a default should not do")]
    pub fn new() -> Self {
        Self { origin: Instant::now(), skew_ms: AtomicI64::new(0) }
    }

    /// Moves time on, letting every task that was waiting run.
    pub async fn advance(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }

    /// Sets wall time off by so many milliseconds; monotonic time does not notice.
    pub fn skew(&self, ms: i64) {
        self.skew_ms.store(ms, Ordering::Relaxed);
    }
}

#[async_trait]
impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        let wall = START.plus(self.mono().0);
        Timestamp::from_ms(wall.ms() + self.skew_ms.load(Ordering::Relaxed))
    }

    fn mono(&self) -> Mono {
        Mono(self.origin.elapsed())
    }

    async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}
