//! The machine's clock behind core's port: the one place where paymux reads the time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use paymux_core::clock::{Clock, Mono, Timestamp};

/// Wall time from the operating system, monotonic time and sleep from tokio.
#[derive(Debug, Clone, Copy)]
pub struct SystemClock {
    start: tokio::time::Instant,
}

impl SystemClock {
    /// A clock whose monotonic time starts at zero, now.
    pub fn new() -> Self {
        Self { start: tokio::time::Instant::now() }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

#[async_trait]
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the clock that everything else reads")]
    fn now(&self) -> Timestamp {
        // A machine whose clock stands before 1970 reads as 1970: signed times are then refused by
        // every provider, which is the clear failure.
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_ms(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
    }

    fn mono(&self) -> Mono {
        Mono(self.start.elapsed())
    }

    async fn sleep(&self, span: Duration) {
        tokio::time::sleep(span).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn monotonic_time_passes_at_least_as_long_as_a_sleep() {
        let clock = SystemClock::new();
        let before = clock.mono();
        clock.sleep(Duration::from_millis(5)).await;
        assert!(clock.mono() >= before.plus(Duration::from_millis(5)));
    }

    #[test]
    fn wall_time_is_of_this_age() {
        let year_2024 = Timestamp::from_ms(1_704_067_200_000);
        let year_2200 = Timestamp::from_ms(7_258_118_400_000);
        let now = SystemClock::new().now();
        assert!(year_2024 < now && now < year_2200, "{now}");
    }
}
