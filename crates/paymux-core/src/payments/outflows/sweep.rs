//! The worker's looks at refunds and payouts whose time has come: what waits to be sent is sent, a lost
//! sender's outcome is unknown from then on, and the rest is asked about.
//!
//! Any number of nodes may run it; leases share the work.

use std::time::Duration;

use futures_util::future::join_all;

use super::{LOST_PAUSE, News, OutflowFacts, able, next_look, request_limit, sender_is_gone};
use crate::catalog::Catalog;
use crate::channel::Can;
use crate::error::PaymentError;
use crate::outflow::{Happening, OutflowState};
use crate::payments::Payments;
use crate::payments::outflows::How;
use crate::payments::refund::ToSend;
use crate::payments::schedule::ORPHAN_MARGIN;
use crate::refund::Refund;
use crate::transfer::Transfer;

/// How many refunds, and how many transfers, one round takes.
const BATCH: u32 = 32;
/// How long a look may take beside its one call.
const LEASE_MARGIN: Duration = Duration::from_secs(15);

impl Payments {
    /// One round over refunds: takes what is due and works on all of it at once. Returns how many
    /// there were.
    pub(crate) async fn sweep_refunds(&self) -> Result<usize, PaymentError> {
        let catalog = self.catalog();
        let due = self.store().take_due_refunds(self.now(), lease(&catalog), BATCH).await?;
        let count = due.len();
        let catalog = catalog.as_ref();
        let work = due.into_iter().map(|refund| async move {
            let id = refund.id;
            if let Err(error) = self.look_at_refund(catalog, refund).await {
                tracing::warn!(refund = %id, %error, "a look at a refund failed; it will be looked at again");
            }
        });
        join_all(work).await;
        metrics::counter!("paymux_sweeps_refunds_total").increment(count as u64);
        Ok(count)
    }

    async fn look_at_refund(&self, catalog: &Catalog, refund: Refund) -> Result<(), PaymentError> {
        crate::crash_point!("sweep.after_take_refund");
        let news = match refund.state {
            OutflowState::Queued => return self.send_queued(catalog, refund).await,
            // Its sender had until its deadline and a margin; whatever it did, only the provider knows.
            OutflowState::Sending => sender_is_gone(),
            OutflowState::Pending
            | OutflowState::NeedsAction
            | OutflowState::Unknown
            | OutflowState::Failed => {
                let payment = self.reload(refund.payment).await?;
                let asked = self.ask_refund(catalog, &payment, &refund).await;
                asked.unwrap_or_else(|| News::of(Happening::QueryUnknown))
            }
            OutflowState::Succeeded => return Ok(()),
        };
        let learnt = self.learn_refund(refund, &news).await?;
        if learnt.how == How::NoRoom { self.look_later(catalog, &learnt.now).await } else { Ok(()) }
    }

    /// What more went back than came in stays in the logs by the schedule, and not by the lease.
    async fn look_later(&self, catalog: &Catalog, refund: &Refund) -> Result<(), PaymentError> {
        let course = (refund.checks.saturating_add(1), refund.ended_at);
        let entry = catalog.open_channel(&refund.channel);
        let next = next_look(entry, Can::QUERY_REFUND, course, self.now());
        self.put_off_refund(refund, next).await
    }

    /// Sends a queued refund, if it can be sent now. After a crash in between its outcome is unknown.
    async fn send_queued(&self, catalog: &Catalog, refund: Refund) -> Result<(), PaymentError> {
        if let Some(to_send) = self.take_queued(catalog, refund).await? {
            self.send_refund(catalog, to_send).await;
        }
        Ok(())
    }

    /// Takes a queued refund for its one sending, under the fencing number that it has; where it cannot be sent now,
    /// a worker looks at it again.
    pub(in crate::payments) async fn take_queued(
        &self,
        catalog: &Catalog,
        refund: Refund,
    ) -> Result<Option<ToSend>, PaymentError> {
        let Some(entry) = able(catalog, &refund.channel, Can::REFUND) else {
            tracing::warn!(refund = %refund.id, channel = %refund.channel, "its channel cannot send it now");
            self.put_off_refund(&refund, Some(self.now().plus(LOST_PAUSE))).await?;
            return Ok(None);
        };
        if let Some(until) = entry.channel.refund_not_before(self.now()) {
            self.put_off_refund(&refund, Some(until)).await?;
            return Ok(None);
        }
        let payment = self.reload(refund.payment).await?;
        let begun = self.clock().mono();
        let sender_until = self.now().plus(request_limit(entry, &catalog.timing)).plus(ORPHAN_MARGIN);
        let facts = OutflowFacts { sender_until: Some(sender_until), ..OutflowFacts::default() };
        let taken = self.learn_refund(refund, &News::with(Happening::Take, facts)).await?;
        let is_ours = taken.how == How::Stored;
        Ok(is_ours.then_some(ToSend { payment, refund: taken.now, begun }))
    }

    /// One round over transfers, as [`Payments::sweep_refunds`].
    pub(crate) async fn sweep_transfers(&self) -> Result<usize, PaymentError> {
        let catalog = self.catalog();
        let due = self.store().take_due_transfers(self.now(), lease(&catalog), BATCH).await?;
        let count = due.len();
        let catalog = catalog.as_ref();
        let work = due.into_iter().map(|transfer| async move {
            let id = transfer.id;
            if let Err(error) = self.look_at_transfer(catalog, transfer).await {
                tracing::warn!(transfer = %id, %error, "a look at a transfer failed; it will be looked at again");
            }
        });
        join_all(work).await;
        metrics::counter!("paymux_sweeps_transfers_total").increment(count as u64);
        Ok(count)
    }

    async fn look_at_transfer(&self, catalog: &Catalog, transfer: Transfer) -> Result<(), PaymentError> {
        crate::crash_point!("sweep.after_take_transfer");
        let news = match transfer.state {
            OutflowState::Queued => {
                // Who receives was in the request alone: nobody can send it, and nothing makes one.
                tracing::error!(transfer = %transfer.id, "a transfer is queued, which must not be");
                return Ok(());
            }
            OutflowState::Sending => sender_is_gone(),
            OutflowState::Pending
            | OutflowState::NeedsAction
            | OutflowState::Unknown
            | OutflowState::Failed => {
                let asked = self.ask_transfer(catalog, &transfer).await;
                asked.unwrap_or_else(|| News::of(Happening::QueryUnknown))
            }
            OutflowState::Succeeded => return Ok(()),
        };
        self.learn_transfer(transfer, &news).await?;
        Ok(())
    }
}

/// How long a worker may hold what it has taken: longer than its call takes, and no longer, since what a
/// crashed worker held waits so long.
fn lease(catalog: &Catalog) -> Duration {
    let own = catalog.channels().iter().filter_map(|entry| entry.request);
    own.fold(catalog.timing.request, Duration::max) + LEASE_MARGIN
}
