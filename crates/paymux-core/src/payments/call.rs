//! One call of a plugin: its time, its panics, and what a call that ended badly really means.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt as _;

use crate::catalog::{Catalog, ChannelEntry};
use crate::channel::{Blame, ChannelError, Cx};
use crate::clock::{Mono, within};
use crate::router::Pulse;
use crate::transport::{Deadline, NotSent};

use super::Payments;

/// How long past the deadline a plugin may tidy up before its call counts as lost.
const GRACE: Duration = Duration::from_millis(500);

impl Payments {
    /// What a call may use, with `limit` to live from `begun` on. A sender that was held up since then
    /// must not send what a worker has given up for lost meanwhile.
    pub(crate) fn cx(&self, begun: Mono, limit: Duration) -> Cx<'_> {
        let ports = self.ports();
        Cx::new(ports.transport.as_ref(), ports.clock.as_ref(), Deadline::after(begun, limit))
    }

    /// As [`Self::guarded`], and its channel's health hears how it ended: badly too where it took longer than
    /// `slow`.
    pub(crate) async fn called<T>(
        &self,
        catalog: &Catalog,
        entry: &ChannelEntry,
        slow: Option<Duration>,
        cx: &Cx<'_>,
        call: impl Future<Output = Result<T, ChannelError>>,
    ) -> Result<T, ChannelError> {
        let begun = self.clock().mono();
        let has_time = !cx.deadline().answer_by.left(begun).is_zero();
        let answer = self.guarded(cx, call).await;
        let now = self.clock().mono();
        let is_slow = slow.is_some_and(|limit| begun.plus(limit) <= now);
        if let Some(pulse) = pulse(&answer).filter(|_| has_time) {
            let pulse = if is_slow { Pulse::Ill } else { pulse };
            catalog.live().hear(&entry.id, pulse, now, &catalog.health);
        }
        answer
    }

    /// Runs a plugin's call to its deadline. A panic or a lost call is an error like any other, and
    /// a plugin's "nothing happened" does not count once a byte has left.
    pub(crate) async fn guarded<T>(
        &self,
        cx: &Cx<'_>,
        call: impl Future<Output = Result<T, ChannelError>>,
    ) -> Result<T, ChannelError> {
        let left = cx.deadline().answer_by.left(self.clock().mono());
        if left.is_zero() {
            return Err(ChannelError::NotSent(NotSent::TooLate));
        }
        let answer = match within(self.clock(), left + GRACE, AssertUnwindSafe(call).catch_unwind()).await {
            Some(Ok(answer)) => answer,
            Some(Err(_panic)) => Err(lost(cx, "the plugin panicked")),
            None => Err(lost(cx, "no answer in time")),
        };
        answer.map_err(|error| doubt(error, cx))
    }
}

/// What a call tells of its channel's health, if anything: what was never tried tells nothing.
fn pulse<T>(answer: &Result<T, ChannelError>) -> Option<Pulse> {
    match answer {
        Err(ChannelError::Refused(refusal)) if refusal.blame == Blame::Provider => Some(Pulse::Ill),
        Ok(_) | Err(ChannelError::Refused(_)) => Some(Pulse::Well),
        Err(ChannelError::Unknown(_) | ChannelError::NotSent(NotSent::Connect | NotSent::TooLate)) => {
            Some(Pulse::Ill)
        }
        Err(ChannelError::NotSent(_) | ChannelError::Unsupported) => None,
    }
}

/// What a call that ended without a word means: nothing if no byte left.
fn lost(cx: &Cx<'_>, what: &str) -> ChannelError {
    if cx.is_exposed() { ChannelError::unknown(what) } else { ChannelError::NotSent(NotSent::TooLate) }
}

/// A plugin's "nothing happened" does not count once a byte has left.
fn doubt(error: ChannelError, cx: &Cx<'_>) -> ChannelError {
    match error {
        ChannelError::NotSent(_) | ChannelError::Unsupported if cx.is_exposed() => {
            ChannelError::unknown("a request had left before the call was given up")
        }
        error => error,
    }
}
