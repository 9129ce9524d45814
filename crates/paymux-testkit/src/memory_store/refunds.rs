//! Refunds, and what of an attempt's money they set aside.

use std::time::Duration;

use async_trait::async_trait;
use paymux_core::clock::Timestamp;
use paymux_core::ids::{AppId, ChannelId, PaymentId, RefundId, RefundNo};
use paymux_core::money::Money;
use paymux_core::outflow::OutflowState;
use paymux_core::payment::{Attempt, AttemptState};
use paymux_core::refund::Refund;
use paymux_core::store::{RefundLedger, RefundOpened, RefundWrite, StoreError};

use super::plain::plain_refund;
use super::{Books, MemoryStore, corrupt};

#[async_trait]
impl RefundLedger for MemoryStore {
    async fn open_refund(&self, refund: Refund) -> Result<RefundOpened, StoreError> {
        self.troubled(|books| books.open_refund(refund)).await
    }

    async fn refund(&self, id: RefundId) -> Result<Option<Refund>, StoreError> {
        Ok(self.books()?.refunds.one(id).cloned())
    }

    async fn refund_by_no(&self, app: &AppId, refund_no: &RefundNo) -> Result<Option<Refund>, StoreError> {
        Ok(self.books()?.refunds.by_no(app, refund_no).cloned())
    }

    async fn refund_by_number(
        &self,
        channel: &ChannelId,
        number: &str,
    ) -> Result<Option<Refund>, StoreError> {
        Ok(self.books()?.refunds.by_number(channel, number).cloned())
    }

    async fn refunds_of(
        &self,
        payment: PaymentId,
        after: Option<RefundId>,
        limit: u32,
    ) -> Result<Vec<Refund>, StoreError> {
        Ok(self.books()?.refunds_of(payment, after, limit))
    }

    async fn refunds_of_app(
        &self,
        app: &AppId,
        after: Option<RefundId>,
        limit: u32,
    ) -> Result<Vec<Refund>, StoreError> {
        Ok(self.books()?.refunds_of_app(app, after, limit))
    }

    async fn take_due_refunds(
        &self,
        now: Timestamp,
        lease: Duration,
        limit: u32,
    ) -> Result<Vec<Refund>, StoreError> {
        Ok(self.books()?.refunds.take_due(now, lease, limit))
    }
}

impl Books {
    fn open_refund(&mut self, mut refund: Refund) -> Result<RefundOpened, StoreError> {
        plain_refund(&mut refund);
        check_refund(&refund)?;
        let stored = refund.refund_no.as_ref().and_then(|no| self.refunds.by_no(&refund.app, no));
        if let Some(stored) = stored {
            return Ok(RefundOpened::Exists(Box::new(stored.clone())));
        }
        self.refunds.check_new(&refund)?;
        let Some(mut payment) = self.payments.get(&refund.payment).cloned() else {
            return Ok(RefundOpened::TooLarge);
        };
        let is_it = |a: &&mut Attempt| a.id == refund.attempt && is_surely_paid(a);
        let attempt = payment.attempts.iter_mut().find(is_it);
        let shift = RefundWrite::Begin(refund.clone()).shift();
        if !attempt.is_some_and(|attempt| move_money(attempt, refund.amount, shift)) {
            return Ok(RefundOpened::TooLarge);
        }
        self.put(payment);
        self.put_refund(refund);
        Ok(RefundOpened::New)
    }

    /// Writes a refund, new or changed.
    pub(super) fn put_refund(&mut self, refund: Refund) {
        self.refunds_of.entry(refund.payment).or_default().insert((refund.created_at, refund.id));
        self.refunds.put(refund);
    }

    fn refunds_of_app(&self, app: &AppId, after: Option<RefundId>, limit: u32) -> Vec<Refund> {
        let mut of_app: Vec<_> = self.refunds.all().filter(|refund| refund.app == *app).cloned().collect();
        of_app.reverse();
        of_app.retain(|refund| after.is_none_or(|after| refund.id < after));
        of_app.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        of_app
    }

    fn refunds_of(&self, payment: PaymentId, after: Option<RefundId>, limit: u32) -> Vec<Refund> {
        let place = |id| self.refunds.one(id).map(|refund| (refund.created_at, refund.id));
        let comes = |key: &(Timestamp, RefundId)| match after {
            None => true,
            Some(after) => place(after).is_some_and(|after| *key > after),
        };
        let of_payment = self.refunds_of.get(&payment).into_iter().flatten().filter(|key| comes(key));
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        of_payment.take(limit).filter_map(|(_, id)| self.refunds.one(*id)).cloned().collect()
    }
}

/// Whether the money is the merchant's: no close has sent it back, as a look has shown.
fn is_surely_paid(attempt: &Attempt) -> bool {
    attempt.state == AttemptState::Paid && attempt.contested == 0 && attempt.closing_until.is_none()
}

/// What the schema of a database checks.
pub(super) fn check_refund(refund: &Refund) -> Result<(), StoreError> {
    if refund.amount.minor() <= 0 || refund.fence < 0 || refund.checks < 0 {
        return corrupt("a refund's number that cannot be");
    }
    Ok(())
}

/// Moves what an attempt has set aside and given back by `shift` times `amount`. `false`, and nothing
/// is moved, where the attempt has not received so much in that currency.
pub(super) fn move_money(attempt: &mut Attempt, amount: Money, shift: (i64, i64)) -> bool {
    let Some(received) = attempt.received.filter(|money| money.currency() == amount.currency()) else {
        return false;
    };
    let moved = |count: i64, by: i64| count.checked_add(amount.minor().checked_mul(by)?);
    let (Some(refunding), Some(refunded)) =
        (moved(attempt.refunding, shift.0), moved(attempt.refunded, shift.1))
    else {
        return false;
    };
    let out = refunding.checked_add(refunded).and_then(|out| out.checked_add(attempt.contested));
    let fits = out.is_some_and(|out| out <= received.minor());
    if fits && refunding >= 0 && refunded >= 0 {
        attempt.refunding = refunding;
        attempt.refunded = refunded;
        return true;
    }
    false
}

/// What a step may write of a refund. What was agreed at the start never changes, and its number at the
/// provider only where it was queued until now.
pub(super) fn write_refund(stored: &mut Refund, wanted: &Refund) {
    if stored.state == OutflowState::Queued {
        stored.number.clone_from(&wanted.number);
    }
    stored.state = wanted.state;
    stored.fence = wanted.fence;
    stored.action_url.clone_from(&wanted.action_url);
    stored.failure.clone_from(&wanted.failure);
    stored.reference.clone_from(&wanted.reference);
    stored.sent_at = wanted.sent_at;
    stored.ended_at = wanted.ended_at;
    stored.check_at = wanted.check_at;
    stored.checks = wanted.checks;
}
