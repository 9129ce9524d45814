//! Time as one node sees it: tokio's paused clock, a wall clock that is set wrong, and a gate at which a
//! node stands still while it is not run.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use paymux_core::clock::{Clock, Mono, Timestamp};
use tokio::sync::Notify;
use tokio::time::Instant;

use crate::clock::START;

/// A gate that everything of a node passes, and that is closed while the node is not run.
#[derive(Debug, Default)]
pub(super) struct Gate {
    closed: Mutex<bool>,
    opened: Notify,
}

impl Gate {
    /// Waits until it is open.
    pub(super) async fn pass(&self) {
        loop {
            let opened = self.opened.notified();
            if !self.is_closed() {
                return;
            }
            opened.await;
        }
    }

    /// Whether it is closed.
    pub(super) fn is_closed(&self) -> bool {
        *self.closed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Closes it. False when it was closed.
    pub(super) fn close(&self) -> bool {
        !std::mem::replace(&mut *self.closed.lock().unwrap_or_else(PoisonError::into_inner), true)
    }

    /// Opens it for all who wait.
    pub(super) fn open(&self) {
        *self.closed.lock().unwrap_or_else(PoisonError::into_inner) = false;
        self.opened.notify_waiters();
    }
}

/// One node's clock.
#[derive(Debug)]
pub(super) struct NodeClock {
    origin: Instant,
    gate: Arc<Gate>,
    hands: Mutex<Hands>,
}

/// How a clock differs from the world's.
#[derive(Debug, Default)]
struct Hands {
    /// How far wall time is off, in milliseconds.
    skew_ms: i64,
    /// How long monotonic time has stood still so far.
    lost: Duration,
    /// Since when it stands still now.
    frozen_at: Option<Duration>,
}

impl NodeClock {
    /// A clock that is right, of a node that stands at that gate.
    pub(super) fn new(origin: Instant, gate: Arc<Gate>) -> Self {
        Self { origin, gate, hands: Mutex::default() }
    }

    /// Sets wall time off by so much more.
    pub(super) fn jump(&self, ms: i64) {
        let mut hands = self.hands();
        hands.skew_ms = (hands.skew_ms + ms).clamp(-3_600_000, 3_600_000);
    }

    /// Sets wall time right.
    pub(super) fn set_right(&self) {
        self.hands().skew_ms = 0;
    }

    /// Monotonic time stands still from now on.
    pub(super) fn freeze(&self) {
        let now = self.origin.elapsed();
        self.hands().frozen_at = Some(now);
    }

    /// Monotonic time goes on from where it stood.
    pub(super) fn thaw(&self) {
        let now = self.origin.elapsed();
        let mut hands = self.hands();
        if let Some(since) = hands.frozen_at.take() {
            hands.lost += now.saturating_sub(since);
        }
    }

    fn hands(&self) -> MutexGuard<'_, Hands> {
        self.hands.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Clock for NodeClock {
    fn now(&self) -> Timestamp {
        let wall = START.plus(self.origin.elapsed());
        Timestamp::from_ms(wall.ms() + self.hands().skew_ms)
    }

    fn mono(&self) -> Mono {
        let now = self.origin.elapsed();
        let hands = self.hands();
        Mono(hands.frozen_at.unwrap_or(now).saturating_sub(hands.lost))
    }

    async fn sleep(&self, span: Duration) {
        let until = self.mono().plus(span);
        loop {
            self.gate.pass().await;
            let left = until.left(self.mono());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_frozen_clock_stands_and_a_sleeper_sleeps_on() {
        let gate = Arc::new(Gate::default());
        let clock = Arc::new(NodeClock::new(Instant::now(), gate.clone()));
        let sleeper = clock.clone();
        let slept = tokio::spawn(async move {
            sleeper.sleep(Duration::from_secs(10)).await;
            sleeper.mono()
        });
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert!(gate.close() && !gate.close());
        clock.freeze();
        tokio::time::sleep(Duration::from_mins(1)).await;
        assert_eq!(clock.mono(), Mono(Duration::from_secs(4)));
        clock.thaw();
        gate.open();
        assert_eq!(slept.await.unwrap(), Mono(Duration::from_secs(10)));
        assert_eq!(clock.now(), START.plus(Duration::from_secs(70)));
    }

    #[tokio::test(start_paused = true)]
    async fn wall_time_jumps_alone_and_by_an_hour_at_most() {
        let clock = NodeClock::new(Instant::now(), Arc::default());
        clock.jump(3_000_000);
        clock.jump(3_000_000);
        assert_eq!((clock.now().ms() - START.ms(), clock.mono()), (3_600_000, Mono(Duration::ZERO)));
        clock.set_right();
        assert_eq!(clock.now(), START);
    }
}
