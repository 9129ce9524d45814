//! Random refunds, transfers, redeliveries and claims.

use paymux_core::clock::Timestamp;
use paymux_core::day::Day;
use paymux_core::ids::{EventId, RefundId};
use paymux_core::money::Money;
use paymux_core::outflow::OutflowState;
use paymux_core::payment::{AttemptState, Payment};
use paymux_core::posting::Cause;
use paymux_core::refund::Refund;
use paymux_core::store::{
    Change, Claim, DayLimit, EventKind, Income, Redelivery, RefundOpened, RefundWrite, Store, TransferChange,
    TransferOpened,
};
use paymux_core::transfer::Transfer;

use super::{APPS, CHANNELS, LEASE, Run, same};
use crate::fixtures::{START_MS, add_transfer_event, app_id, channel, step_to, transfer_to};

impl Run {
    fn outflow_state(&mut self) -> OutflowState {
        OutflowState::ALL[self.rng.usize(..OutflowState::ALL.len())]
    }

    /// A new refund of one of the payment's attempts, of which there may be less, or of none.
    fn refund_of(&mut self, seen: &Payment) -> Refund {
        let (no, minor) = (format!("R{}", self.rng.u32(..40)), self.rng.i64(1..80));
        let mut refund = self.fixtures.refund(seen, &no, minor);
        let any = self.rng.usize(..seen.attempts.len());
        let paid = seen.attempts.iter().find(|attempt| attempt.state == AttemptState::Paid);
        let attempt = paid.filter(|_| self.rng.u32(..6) > 0).unwrap_or(&seen.attempts[any]);
        refund.attempt = attempt.id;
        refund.channel = channel(CHANNELS[self.rng.usize(..2)]);
        refund.created_at = Timestamp::from_ms(START_MS + self.rng.i64(0..800));
        refund.check_at = self.moment();
        refund
    }

    /// One of the payments seen, mostly one that has money to give back.
    fn pick_paid(&mut self) -> Option<Payment> {
        let has_money = |payment: &Payment| {
            let paid = payment.attempts.iter().find(|attempt| attempt.state == AttemptState::Paid);
            paid.is_some_and(|attempt| attempt.received.is_some())
        };
        let picks: Vec<Payment> = (0..8).filter_map(|_| self.pick()).collect();
        picks.iter().find(|payment| has_money(payment)).or(picks.last()).cloned()
    }

    pub(super) async fn open_refund(&mut self, model: &dyn Store, store: &dyn Store) -> Result<(), String> {
        let Some(seen) = self.pick_paid() else { return Ok(()) };
        let refund = self.refund_of(&seen);
        let want = model.open_refund(refund.clone()).await;
        match same("open refund", want, store.open_refund(refund.clone()).await)? {
            Some(RefundOpened::New) => self.refunds.push(refund),
            Some(RefundOpened::Exists(stored)) => self.refunds.push(*stored),
            Some(RefundOpened::TooLarge) | None => {}
        }
        let (want, got) = (model.payment(seen.id).await, store.payment(seen.id).await);
        same("payment of the refund", want, got).map(drop)
    }

    /// A refund that begins or moves with a change, and what is booked with it.
    pub(super) fn move_money(&mut self, change: &mut Change) {
        let seen = change.payment.clone();
        let of_payment: Vec<Refund> =
            self.refunds.iter().rev().filter(|refund| refund.payment == seen.id).cloned().collect();
        let known = self.rng.choice(of_payment.iter().take(4)).cloned();
        match (self.rng.u32(..6), known) {
            (0, _) => {
                let state = self.outflow_state();
                let refund = Refund { refund_no: None, state, ..self.refund_of(&seen) };
                change.refund = Some(RefundWrite::Begin(refund));
            }
            (1..4, Some(known)) => {
                let mut step = step_to(&known, self.outflow_state());
                if let RefundWrite::Step { refund, seen_fence, .. } = &mut step {
                    refund.check_at = self.moment();
                    refund.sent_at = self.moment();
                    if self.rng.u32(..3) == 0 {
                        refund.number = self.fixtures.id(RefundId::make).digits();
                    }
                    refund.fence += self.rng.i64(0..2);
                    *seen_fence += i64::from(self.rng.u32(..12) == 0);
                }
                change.refund = Some(step);
            }
            _ => {}
        }
        for _ in 0..self.rng.u32(..3) {
            let cause = Cause::Attempt(seen.id, seen.attempts[0].id);
            change.postings.push(self.fixtures.posting(cause));
        }
        for id in CHANNELS {
            if self.rng.u32(..3) == 0 {
                let completed_at = self.moment();
                change.incomes.push(Income {
                    channel: channel(id),
                    day: Day::from_number(self.rng.i32(0..3)),
                    money: Money::fen(self.rng.i64(0..100)),
                    completed_at,
                });
            }
        }
        change.audit = Some(self.fixtures.audit("attempt.resolve")).filter(|_| self.rng.u32(..5) == 0);
    }

    pub(super) async fn open_transfer(&mut self, model: &dyn Store, store: &dyn Store) -> Result<(), String> {
        let (app, no) = (APPS[self.rng.usize(..2)], format!("T{}", self.rng.u32(..30)));
        let mut transfer = self.fixtures.transfer(app, &no, self.rng.i64(1..100));
        transfer.channel = channel(CHANNELS[self.rng.usize(..2)]);
        transfer.created_at = Timestamp::from_ms(START_MS + self.rng.i64(0..800));
        transfer.check_at = self.moment();
        let from = Timestamp::from_ms(START_MS + self.rng.i64(0..800));
        let limit = DayLimit { from, amount_max: self.rng.i64(0..400) };
        let want = model.open_transfer(transfer.clone(), limit).await;
        match same("open transfer", want, store.open_transfer(transfer.clone(), limit).await)? {
            Some(TransferOpened::New) => self.transfers.push(transfer),
            Some(TransferOpened::Exists(stored)) => self.transfers.push(*stored),
            Some(TransferOpened::OverLimit) | None => {}
        }
        Ok(())
    }

    pub(super) async fn apply_transfer(
        &mut self,
        model: &dyn Store,
        store: &dyn Store,
    ) -> Result<(), String> {
        let late = self.transfers.len().saturating_sub(6);
        let from = if self.rng.bool() { late } else { 0 };
        let Some(seen) = self.rng.choice(&self.transfers[from..]).cloned() else { return Ok(()) };
        let change = self.transfer_change(&seen);
        let want = model.apply_transfer(change.clone()).await;
        same("apply transfer", want, store.apply_transfer(change).await)?;
        let now = same("transfer", model.transfer(seen.id).await, store.transfer(seen.id).await)?;
        self.transfers.extend(now.flatten());
        Ok(())
    }

    fn transfer_change(&mut self, seen: &Transfer) -> TransferChange {
        let mut change = transfer_to(seen, self.outflow_state());
        change.transfer.check_at = self.moment();
        // A new owner each time: two writers who saw the same never both write.
        change.transfer.fence += 1;
        if self.rng.bool() {
            let kind = EventKind::ALL[self.rng.usize(..EventKind::ALL.len())];
            let mut event = self.fixtures.transfer_event(seen, kind);
            event.url = self.url();
            self.told.push((event.app.clone(), event.id));
            add_transfer_event(&mut change, event);
        }
        if self.rng.bool() {
            change.postings.push(self.fixtures.posting(Cause::Transfer(seen.id)));
        }
        change
    }

    pub(super) async fn take_outflows(&mut self, model: &dyn Store, store: &dyn Store) -> Result<(), String> {
        let (now, limit) = (self.now(), self.rng.u32(..5));
        if self.rng.bool() {
            let want = model.take_due_refunds(now, LEASE, limit).await;
            let taken = same("take refunds", want, store.take_due_refunds(now, LEASE, limit).await)?;
            self.refunds.extend(taken.into_iter().flatten());
        } else {
            let want = model.take_due_transfers(now, LEASE, limit).await;
            let taken = same("take transfers", want, store.take_due_transfers(now, LEASE, limit).await)?;
            self.transfers.extend(taken.into_iter().flatten());
        }
        Ok(())
    }

    pub(super) async fn redeliver(&mut self, model: &dyn Store, store: &dyn Store) -> Result<(), String> {
        let now = self.now();
        let (mut app, one) = match self.rng.choice(&self.told).cloned() {
            Some(told) => told,
            None => (app_id(APPS[0]), self.fixtures.id(EventId::make)),
        };
        if self.rng.u32(..8) == 0 {
            app = app_id(APPS[self.rng.usize(..2)]);
        }
        let which = if self.rng.u32(..4) > 0 {
            Redelivery::One(one)
        } else {
            let from = self.fixtures.now().ms() - self.rng.i64(0..300);
            Redelivery::Undelivered {
                from: Timestamp::from_ms(from),
                to: Timestamp::from_ms(from + self.rng.i64(0..200)),
            }
        };
        let want = model.redeliver(&app, which.clone(), now).await;
        same("redeliver", want, store.redeliver(&app, which, now).await).map(drop)
    }

    pub(super) async fn claim(&mut self, model: &dyn Store, store: &dyn Store) -> Result<(), String> {
        let at = self.now();
        let claim = Claim {
            scope: APPS[self.rng.usize(..2)].to_owned(),
            key: format!("key {}", self.rng.u32(..5)),
            digest: format!("digest {}", self.rng.u32(..3)),
            at,
            until: Timestamp::from_ms(at.ms() + self.rng.i64(0..600)),
        };
        let want = model.claim(claim.clone()).await;
        same("claim", want, store.claim(claim).await).map(drop)
    }
}
