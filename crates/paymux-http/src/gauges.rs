//! How much waits for a person, as gauges: looked up when the metrics are read, since nothing in this
//! process is told when another node adds to it.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use paymux_core::clock::Mono;
use paymux_core::store::{QueueCounts, QueueKind};
use paymux_core::{PaymentError, Payments};
use tokio::time::timeout;

use crate::limits::QUEUE_LOOK_EVERY;

/// `paymux_operator_queue{kind}`: every node shows the same figures, those of the ledger.
pub(crate) struct WaitingGauges {
    payments: Payments,
    looked_at: Mutex<Option<Mono>>,
}

impl WaitingGauges {
    pub(crate) fn new(payments: Payments) -> Self {
        Self { payments, looked_at: Mutex::new(None) }
    }

    /// Looks the figures up if it is time to. While the ledger does not answer `within` that time they
    /// stay as they are: the metrics of all else are needed then most of all.
    pub(crate) async fn refresh(&self, within: Duration) {
        if !self.is_time() {
            return;
        }
        let late = || PaymentError::Overloaded("no answer in time".to_owned());
        match timeout(within, self.payments.queue_counts()).await.unwrap_or_else(|_| Err(late())) {
            Ok(counts) => show(&counts),
            Err(error) => tracing::warn!(%error, "how much waits for a person could not be looked up"),
        }
    }

    fn is_time(&self) -> bool {
        let now = self.payments.clock().mono();
        let mut looked_at = self.looked_at.lock().unwrap_or_else(PoisonError::into_inner);
        let is_time = looked_at.is_none_or(|at| now >= at.plus(QUEUE_LOOK_EVERY));
        if is_time {
            *looked_at = Some(now);
        }
        is_time
    }
}

/// All kinds, so that one of which nothing is left goes back to zero.
fn show(counts: &QueueCounts) {
    for kind in QueueKind::ALL {
        let count = counts.get(kind).copied().unwrap_or(0);
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        metrics::gauge!("paymux_operator_queue", "kind" => kind.word()).set(count);
    }
}
