//! Time, as a port: wall time for what is signed and stored, monotonic time for what is waited.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize, Serializer};

/// A moment: milliseconds since 1970-01-01 UTC. Stored as this number, shown as RFC 3339.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From milliseconds since 1970.
    pub const fn from_ms(ms: i64) -> Self {
        Self(ms)
    }

    /// Milliseconds since 1970.
    pub const fn ms(self) -> i64 {
        self.0
    }

    /// Whole seconds since 1970, rounded down.
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Reads a date of HTTP, such as `Sun, 06 Nov 1994 08:49:37 GMT`.
    pub(crate) fn from_http_date(text: &str) -> Option<Self> {
        jiff::fmt::rfc2822::parse(text).ok().map(|at| Self(at.timestamp().as_millisecond()))
    }

    /// Later by `span`; stays at the last moment instead of overflowing.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }

    /// Earlier by `span`; stays at the first moment instead of overflowing.
    #[must_use]
    pub fn minus(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }

    /// How long after `earlier` this is; zero when it is not after.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC with milliseconds, such as `2024-03-01T00:00:00.000Z`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(at) => write!(f, "{at:.3}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

impl std::str::FromStr for Timestamp {
    type Err = jiff::Error;

    /// Reads RFC 3339 with a zone or an offset.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<jiff::Timestamp>().map(|at| Self(at.as_millisecond()))
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A moment on the monotonic clock: time since an arbitrary start. Never stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mono(pub Duration);

impl Mono {
    /// Later by `span`.
    #[must_use]
    pub fn plus(self, span: Duration) -> Self {
        Self(self.0.saturating_add(span))
    }

    /// How long from `now` until this moment; zero when it is past.
    pub fn left(self, now: Self) -> Duration {
        self.0.saturating_sub(now.0)
    }
}

/// Where time comes from.
#[async_trait]
pub trait Clock: Send + Sync + 'static {
    /// Wall time: what we sign and store. May jump.
    fn now(&self) -> Timestamp;

    /// Monotonic time: what we wait by. Never jumps back.
    fn mono(&self) -> Mono;

    /// Returns after `span` of monotonic time.
    async fn sleep(&self, span: Duration);
}

/// Runs `work` for at most `span`; `None` when the time is over, and `work` is dropped then.
pub async fn within<T>(clock: &dyn Clock, span: Duration, work: impl Future<Output = T>) -> Option<T> {
    let work = std::pin::pin!(work);
    match futures_util::future::select(work, clock.sleep(span)).await {
        futures_util::future::Either::Left((done, _)) => Some(done),
        futures_util::future::Either::Right(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_and_reads_rfc_3339() {
        let at = Timestamp::from_ms(1_709_251_200_007);
        assert_eq!(at.to_string(), "2024-03-01T00:00:00.007Z");
        assert_eq!("2024-03-01T08:00:00.007+08:00".parse::<Timestamp>().unwrap(), at);
    }

    #[test]
    fn spans_never_overflow_or_go_negative() {
        let at = Timestamp::from_ms(5);
        assert_eq!(at.plus(Duration::MAX).ms(), i64::MAX);
        assert_eq!(at.since(Timestamp::from_ms(9)), Duration::ZERO);
        assert_eq!(Timestamp::from_ms(1001).since(Timestamp::from_ms(1)), Duration::from_secs(1));
    }
}
