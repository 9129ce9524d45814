//! The worker that looks at attempts whose time has come: orphaned sends, unknown outcomes, missed
//! callbacks, expiries. Any number of nodes may run one; leases share the work.

use std::time::Duration;

use crate::catalog::Catalog;
use crate::channel::OrderEnd;
use crate::clock::Timestamp;
use crate::error::PaymentError;
use crate::ids::AttemptId;
use crate::payment::{Attempt, AttemptState, Payment};
use crate::payments::{CloseEnd, Facts, Payments, can_ask, can_close, closable_from, may_be_given_up, site};
use crate::state::Happening;
use crate::store::DueAttempt;

/// How many attempts one round takes.
const BATCH: u32 = 32;
/// How many looks are under way at once in one process. A channel that has so many of its own gets no more
/// until some are over: a provider that hangs holds up no look at another's attempts.
const UNDER_WAY: u32 = 512;
const UNDER_WAY_PER_CHANNEL: u32 = 64;
/// How many calls one look makes at the most: ask, close, ask again.
const CALLS: u32 = 3;
/// How long past its call's deadline an unknown outcome is only asked about.
const STUCK_MARGIN: Duration = Duration::from_secs(10);
/// How long a look may take beside its calls.
const LEASE_MARGIN: Duration = Duration::from_secs(15);

impl Payments {
    /// One round: takes what is due and works on all of it at once. Returns how many there were.
    pub async fn sweep(&self) -> Result<usize, PaymentError> {
        let this = self.clone();
        self.run(async move { this.sweep_now().await }).await
    }

    async fn sweep_now(&self) -> Result<usize, PaymentError> {
        let (attempts, refunds, transfers) =
            futures_util::future::join3(self.sweep_attempts(), self.sweep_refunds(), self.sweep_transfers())
                .await;
        Ok(attempts? + refunds? + transfers?)
    }

    async fn sweep_attempts(&self) -> Result<usize, PaymentError> {
        let under_way = self.looks_under_way();
        let (room, busy) = (under_way.room(UNDER_WAY).min(BATCH), under_way.busy(UNDER_WAY_PER_CHANNEL));
        if room == 0 {
            return Ok(0);
        }
        let lease = lease(&self.catalog());
        let due = self.store().take_due_attempts(self.now(), lease, room, &busy).await?;
        let count = due.len();
        let work = due.into_iter().map(|due| async move {
            let (payment, attempt) = (due.payment.id, due.attempt);
            let channel = due.payment.attempt(attempt).map(|attempt| attempt.channel.clone());
            let _aboard = channel.map(|channel| self.looks_under_way().begin(channel));
            if let Err(error) = self.look_at(due).await {
                tracing::warn!(%payment, %attempt, %error, "a look at an attempt failed; it will be looked at again");
            }
        });
        futures_util::future::join_all(work).await;
        metrics::counter!("paymux_sweeps_attempts_total").increment(count as u64);
        Ok(count)
    }

    async fn look_at(&self, due: DueAttempt) -> Result<(), PaymentError> {
        crate::crash_point!("sweep.after_take");
        let DueAttempt { payment, attempt: id } = due;
        let Some(attempt) = payment.attempt(id).cloned() else { return Ok(()) };
        if attempt.state == AttemptState::Sending {
            // Its sender had until its deadline and a margin; whatever it did, only the provider knows.
            self.learn(payment, id, Happening::DispatchOver, &Facts::default()).await?;
            return Ok(());
        }
        if attempt.state.is_booked() {
            return self.look_back(payment, id).await;
        }
        let catalog = self.catalog();
        let payment = self.ask_if_possible(&catalog, payment, &attempt).await?;
        if only_waits_for_its_end(&catalog, &payment, &attempt) {
            self.learn(payment, id, Happening::QueryUnknown, &Facts::default()).await?;
            return Ok(());
        }
        self.end_if_due(&catalog, payment, id).await
    }

    async fn ask_if_possible(
        &self,
        catalog: &Catalog,
        payment: Payment,
        attempt: &Attempt,
    ) -> Result<Payment, PaymentError> {
        let can_ask = can_ask(catalog, &payment, attempt);
        if can_ask { self.probe(payment, attempt.id).await } else { Ok(payment) }
    }

    /// Ends an attempt that is still unpaid although its time is over, a sibling was paid, or the
    /// merchant canceled.
    async fn end_if_due(
        &self,
        catalog: &Catalog,
        payment: Payment,
        id: AttemptId,
    ) -> Result<(), PaymentError> {
        let Some(attempt) = payment.attempt(id).cloned() else { return Ok(()) };
        let ends =
            ends_now(&payment, &attempt, self.now()) || is_stuck(catalog, &payment, &attempt, self.now());
        if !ends || waits_for_a_person(&payment, &attempt) {
            return Ok(());
        }
        if has_gone_back(&attempt) {
            // Its provider goes on to call it paid, and will neither close it nor call it closed.
            self.learn(payment, id, Happening::CloseDone, &Facts::default()).await?;
            return Ok(());
        }
        if can_close(catalog, &payment, &attempt) {
            let now = self.now();
            if now < closable_from(catalog, &payment, &attempt, now) {
                return Ok(());
            }
            return match self.close(payment, id).await? {
                (_, CloseEnd::Known | CloseEnd::NotBegun) => Ok(()),
                (payment, _) => self.give_up_if_possible(catalog, payment, id).await,
            };
        }
        let lapses = site(catalog, &payment, &attempt).is_some_and(|(_, spec)| spec.end == OrderEnd::None);
        let is_over = self.now() >= attempt.ends_at;
        if lapses && is_over && attempt.state == AttemptState::Open {
            self.learn(payment, id, Happening::Lapse, &Facts::default()).await?;
            return Ok(());
        }
        self.give_up_if_possible(catalog, payment, id).await
    }

    /// An expired unknown that nobody can pay need not hold its payment open for ever.
    async fn give_up_if_possible(
        &self,
        catalog: &Catalog,
        payment: Payment,
        id: AttemptId,
    ) -> Result<(), PaymentError> {
        let Some(attempt) = payment.attempt(id) else { return Ok(()) };
        let route = catalog.route(&payment.route);
        let may = attempt.state == AttemptState::Unknown
            && self.now() >= payment.expires_at
            && route.is_some_and(|route| may_be_given_up(catalog, route, &payment, attempt));
        if may {
            self.learn(payment, id, Happening::GiveUp, &Facts::default()).await?;
        }
        Ok(())
    }
}

/// How long a worker may hold an attempt: longer than its calls take together, and no longer, since
/// what a crashed worker held waits so long.
fn lease(catalog: &Catalog) -> Duration {
    let own = catalog.channels().iter().filter_map(|entry| entry.request);
    own.fold(catalog.timing.request, Duration::max) * CALLS + LEASE_MARGIN
}

/// Whether an attempt is watched that nobody can ask about or close: its look is for what is set aside for it.
fn only_waits_for_its_end(catalog: &Catalog, payment: &Payment, attempt: &Attempt) -> bool {
    let nobody_can = !can_ask(catalog, payment, attempt) && !can_close(catalog, payment, attempt);
    attempt.state.is_watched() && attempt.capacity.reserved > 0 && nobody_can
}

/// Whether nobody knows what became of a call that itself moves money, for longer than the call and its
/// answer can have taken: a person waits at a till, and a query did not tell.
fn is_stuck(catalog: &Catalog, payment: &Payment, attempt: &Attempt, now: Timestamp) -> bool {
    let Some((entry, spec)) = site(catalog, payment, attempt) else { return false };
    let limit = entry.request_limit(payment.method, &catalog.timing);
    attempt.state == AttemptState::Unknown
        && !spec.payer_must_act
        && now >= attempt.created_at.plus(limit).plus(STUCK_MARGIN)
}

/// Whether a person has to say first what becomes of money: of this attempt's, or of another's that may
/// still be the payment's success. What is held beside a success keeps no sibling open. Where a provider
/// has said that money was taken, a person or that provider says how it ends.
fn waits_for_a_person(payment: &Payment, attempt: &Attempt) -> bool {
    attempt.keeps_money() || attempt.is_said_paid() || (payment.held.is_some() && !payment.status.is_over())
}

/// Whether an attempt took money, and a person or a refund has sent all of it back: the order is used up.
fn has_gone_back(attempt: &Attempt) -> bool {
    let is_back = attempt.received.is_some_and(|received| received.minor() == attempt.refunded);
    is_back && !attempt.holds_money()
}

/// Whether an attempt that can still take money must be ended.
fn ends_now(payment: &Payment, attempt: &Attempt, now: Timestamp) -> bool {
    let can_take_money =
        matches!(attempt.state, AttemptState::Open | AttemptState::Unknown) || attempt.state.is_watched();
    let sibling_paid = payment.attempts.iter().any(|a| a.id != attempt.id && a.state == AttemptState::Paid);
    // Nobody was shown it, and another attempt may be under way: it ends as soon as it can.
    let given_up = attempt.state == AttemptState::Abandoned;
    can_take_money && (given_up || sibling_paid || payment.cancel_requested || now >= attempt.ends_at)
}
