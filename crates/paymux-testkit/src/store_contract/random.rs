//! Random sequences on two stores at once: every answer must be the same.
//!
//! The seed makes the sequence; a failure names it and the step. What happens to payments is here, to
//! refunds and transfers in `outflows`, and what operators look at in `desk`.

mod desk;
mod outflows;

use std::time::Duration;

use paymux_core::clock::Timestamp;
use paymux_core::day::Day;
use paymux_core::ids::{AppId, CallbackId, EventId, PaymentId};
use paymux_core::money::{Currency, Money};
use paymux_core::payment::{AttemptState, Payment, Status};
use paymux_core::refund::Refund;
use paymux_core::store::{
    CallbackVerdict, CapacityLimits, CapacityMove, CapacitySpan, CapacityUse, Change, DeliveryOutcome,
    DeliveryReport, DueDelivery, EventKind, PaymentFilter, Ring, Store, StoreError,
};
use paymux_core::transfer::Transfer;

use super::{Subject, kind};
use crate::fixtures::{
    Fixtures, START_MS, add_attempt, add_event, app_id, change_of, channel, edit_attempt, number, order,
};

const APPS: [&str; 2] = ["market", "shop"];
const CHANNELS: [&str; 2] = ["main", "second"];
const LEASE: Duration = Duration::from_millis(40);
const RING: Ring = Ring { rows: 4, bytes: 60 };

/// Runs `steps` random operations on both stores and compares each answer, and in the end all that
/// they hold.
pub async fn compare(seed: u64, steps: u32, model: &Subject, subject: &Subject) {
    let mut run = Run {
        rng: fastrand::Rng::with_seed(seed),
        fixtures: Fixtures::new(seed),
        known: vec![],
        refunds: vec![],
        transfers: vec![],
        held: vec![],
        told: vec![],
        callbacks: vec![],
    };
    for step in 0..steps {
        let what = run.step(model.store.as_ref(), subject.store.as_ref()).await;
        if let Err(differ) = what {
            panic!("seed {seed}, step {step}: {differ}");
        }
    }
    assert_eq!(subject.snapshot().await, model.snapshot().await, "seed {seed}: all that they hold");
}

struct Run {
    rng: fastrand::Rng,
    fixtures: Fixtures,
    /// Payments as they were seen at some time: some are old by now, and so are changes of them.
    known: Vec<Payment>,
    /// Refunds and transfers, likewise.
    refunds: Vec<Refund>,
    transfers: Vec<Transfer>,
    /// Deliveries that were taken at some time.
    held: Vec<DueDelivery>,
    /// Events that a change was to tell, stale ones too.
    told: Vec<(AppId, EventId)>,
    /// Callbacks that were kept; some have been pushed out.
    callbacks: Vec<CallbackId>,
}

/// Both answers, when they are the same.
fn same<T: std::fmt::Debug>(
    what: &str,
    model: Result<T, StoreError>,
    store: Result<T, StoreError>,
) -> Result<Option<T>, String> {
    let words = |answer: &Result<T, StoreError>| match answer {
        Ok(answer) => format!("{answer:?}"),
        Err(error) => kind(error).to_owned(),
    };
    let (want, got) = (words(&model), words(&store));
    if want == got {
        return Ok(model.ok());
    }
    let why = store.err().map(|error| format!(" ({error})")).unwrap_or_default();
    Err(format!("{what}\n model: {want}\n store: {got}{why}"))
}

impl Run {
    async fn step(&mut self, model: &dyn Store, store: &dyn Store) -> Result<(), String> {
        match self.rng.u32(..160) {
            0..18 => self.open(model, store).await,
            18..55 => self.apply(model, store).await,
            55..65 => self.take_attempts(model, store).await,
            65..74 => self.take_deliveries(model, store).await,
            74..82 => self.report(model, store).await,
            82..88 => self.keep_callback(model, store).await,
            88..94 => self.read(model, store).await,
            94..100 => self.list(model, store).await,
            100..114 => self.open_refund(model, store).await,
            114..120 => self.open_transfer(model, store).await,
            120..130 => self.apply_transfer(model, store).await,
            130..138 => self.take_outflows(model, store).await,
            138..143 => self.redeliver(model, store).await,
            143..148 => self.claim(model, store).await,
            148..151 => self.settle_callback(model, store).await,
            151..154 => self.move_channel(model, store).await,
            _ => self.look_at_the_desk(model, store).await,
        }
    }

    async fn open(&mut self, model: &dyn Store, store: &dyn Store) -> Result<(), String> {
        let app = APPS[self.rng.usize(..2)];
        let mut opening = self.fixtures.opening(app, &format!("A{}", self.rng.u32(..30)));
        let attempt = &mut opening.payment.attempts[0];
        attempt.channel = channel(CHANNELS[self.rng.usize(..2)]);
        attempt.check_at = self.moment();
        if let Some(other) = self.pick().filter(|_| self.rng.u32(..10) == 0) {
            attempt.number = other.attempts[0].number.clone();
        }
        if self.rng.bool() {
            opening.capacity = vec![self.taking(&opening.payment)];
        }
        let payment = opening.payment.clone();
        let opened = same("open", model.open(opening.clone()).await, store.open(opening).await)?;
        match opened {
            Some(paymux_core::store::Opened::New) => self.known.push(payment),
            Some(paymux_core::store::Opened::Exists(stored)) => self.known.push(*stored),
            Some(paymux_core::store::Opened::Full) | None => {}
        }
        Ok(())
    }

    /// Some of a limit that is soon reached, and free again on another day.
    fn taking(&mut self, payment: &Payment) -> CapacityMove {
        let channel = payment.attempts[0].channel.clone();
        let span = CapacitySpan::Day(Day::from_number(self.rng.i32(..3)), Currency::CNY);
        let by = CapacityUse { reserved: self.rng.i64(1..50), booked: 0, count: 1 };
        let within = Some(CapacityLimits { amount: Some(100), count: Some(3) });
        CapacityMove { channel, span, by, within }
    }

    /// One of those seen, mostly a late one.
    fn pick(&mut self) -> Option<Payment> {
        let count = self.known.len();
        let back = self.rng.usize(..=count.min(8));
        let place =
            if self.rng.bool() { count.checked_sub(back) } else { Some(self.rng.usize(..count.max(1))) };
        self.known.get(place.unwrap_or(0)).cloned()
    }

    fn moment(&mut self) -> Option<Timestamp> {
        let ms = START_MS + self.rng.i64(0..800);
        Some(Timestamp::from_ms(ms)).filter(|_| self.rng.u32(..6) > 0)
    }

    async fn apply(&mut self, model: &dyn Store, store: &dyn Store) -> Result<(), String> {
        let Some(seen) = self.pick() else { return Ok(()) };
        let change = self.change(&seen);
        let want = model.apply(change.clone()).await;
        let applied = same("apply", want, store.apply(change.clone()).await)
            .map_err(|differ| format!("{differ}\n change: {change:#?}"))?;
        let now = same("payment", model.payment(seen.id).await, store.payment(seen.id).await)?;
        if applied.is_some() {
            self.known.extend(now.flatten());
        }
        let after_one = self.rng.bool();
        let after = self.rng.choice(&self.refunds).filter(|_| after_one).map(|refund| refund.id);
        let (want, got) =
            (model.refunds_of(seen.id, after, 2).await, store.refunds_of(seen.id, after, 2).await);
        same("a page of refunds", want, got)?;
        let (want, got) =
            (model.refunds_of(seen.id, None, 99).await, store.refunds_of(seen.id, None, 99).await);
        self.refunds.extend(same("refunds of", want, got)?.into_iter().flatten());
        Ok(())
    }

    fn change(&mut self, seen: &Payment) -> Change {
        let mut change = change_of(seen);
        change.payment.status = Status::ALL[self.rng.usize(..Status::ALL.len())];
        change.payment.amount_received = Money::fen(self.rng.i64(0..5000));
        change.payment.cancel_requested = self.rng.bool();
        for place in 0..seen.attempts.len() {
            if self.rng.u32(..3) > 0 {
                let state = self.attempt_state();
                let (check_at, fence) = (self.moment(), self.rng.i64(0..2));
                let received = Some(Money::fen(self.rng.i64(0..300))).filter(|_| self.rng.u32(..5) > 0);
                edit_attempt(&mut change, place, |attempt| {
                    attempt.state = state;
                    attempt.received = received;
                    attempt.check_at = check_at;
                    attempt.fence += fence;
                });
            }
        }
        if self.rng.u32(..4) == 0 && seen.attempts.len() < 5 {
            let mut attempt = self.fixtures.attempt(CHANNELS[self.rng.usize(..2)]);
            attempt.state = self.attempt_state();
            attempt.check_at = self.moment();
            add_attempt(&mut change, attempt);
        }
        for _ in 0..self.rng.u32(..3) {
            let kind = EventKind::ALL[self.rng.usize(..EventKind::ALL.len())];
            let mut event = self.fixtures.event(&change.payment, kind);
            event.url = self.url();
            self.told.push((event.app.clone(), event.id));
            add_event(&mut change, event);
        }
        self.move_money(&mut change);
        // Of two reasons against a change, either may be told: a known key with a refund's.
        if change.refund.is_none() && self.rng.u32(..3) == 0 {
            let key = format!("key {}", self.rng.u32(..40));
            change.callback = Some(self.fixtures.applied(seen, &key));
        }
        change
    }

    /// Any state, and often the one in which there is money to give back.
    fn attempt_state(&mut self) -> AttemptState {
        if self.rng.u32(..3) == 0 {
            return AttemptState::Paid;
        }
        AttemptState::ALL[self.rng.usize(..AttemptState::ALL.len())]
    }

    fn url(&mut self) -> Option<String> {
        let url = format!("https://shop.example/{}", self.rng.u32(..3));
        Some(url).filter(|_| self.rng.u32(..5) > 0)
    }

    fn now(&mut self) -> Timestamp {
        Timestamp::from_ms(START_MS + self.rng.i64(0..1500))
    }

    /// Those of them that have enough to do already: mostly none.
    fn busy(&mut self, all: [&'static str; 2]) -> impl Iterator<Item = &'static str> {
        let drawn = all.map(|name| (name, self.rng.u32(..4) == 0));
        drawn.into_iter().filter(|(_, is_busy)| *is_busy).map(|(name, _)| name)
    }

    async fn take_attempts(&mut self, model: &dyn Store, store: &dyn Store) -> Result<(), String> {
        let (now, limit, busy) = (self.now(), self.rng.u32(..5), self.busy(CHANNELS).map(channel));
        let busy: Vec<_> = busy.collect();
        let want = model.take_due_attempts(now, LEASE, limit, &busy).await;
        let taken = same("take attempts", want, store.take_due_attempts(now, LEASE, limit, &busy).await)?;
        self.known.extend(taken.into_iter().flatten().map(|due| due.payment));
        Ok(())
    }

    async fn take_deliveries(&mut self, model: &dyn Store, store: &dyn Store) -> Result<(), String> {
        let (now, limit, per_app) = (self.now(), self.rng.u32(..6), self.rng.u32(..4));
        let busy: Vec<_> = self.busy(APPS).map(app_id).collect();
        let want = model.take_due_deliveries(now, LEASE, limit, per_app, &busy).await;
        let got = store.take_due_deliveries(now, LEASE, limit, per_app, &busy).await;
        self.held.extend(same("take deliveries", want, got)?.into_iter().flatten());
        Ok(())
    }

    async fn report(&mut self, model: &dyn Store, store: &dyn Store) -> Result<(), String> {
        let mut reports = Vec::new();
        for _ in 0..self.rng.u32(..4) {
            if let Some(due) = self.rng.choice(&self.held) {
                let outcome = match self.rng.u32(..12) {
                    0 => DeliveryOutcome::Gone,
                    1..4 => DeliveryOutcome::Dead,
                    4..8 => DeliveryOutcome::Delivered(Timestamp::from_ms(self.rng.i64(..))),
                    _ => DeliveryOutcome::Again(Timestamp::from_ms(START_MS + self.rng.i64(0..1500))),
                };
                let detail = format!("seen {}", self.rng.u32(..));
                reports.push(DeliveryReport { event: due.event.id, fence: due.fence, outcome, detail });
            }
        }
        let want = model.report_deliveries(reports.clone()).await;
        same("report", want, store.report_deliveries(reports).await).map(drop)
    }

    async fn keep_callback(&mut self, model: &dyn Store, store: &dyn Store) -> Result<(), String> {
        let verdict = CallbackVerdict::ALL[self.rng.usize(..CallbackVerdict::ALL.len())];
        let mut row = self.fixtures.callback(verdict);
        row.channel = channel(CHANNELS[self.rng.usize(..2)]);
        row.received_at = Timestamp::from_ms(START_MS + self.rng.i64(0..50));
        row.request.body = vec![b'x'; self.rng.usize(..30)].into();
        row.payment = self.pick().map(|payment| payment.id);
        self.callbacks.push(row.id);
        let want = model.keep_callback(row.clone(), RING).await;
        same("keep callback", want, store.keep_callback(row, RING).await).map(drop)
    }

    async fn read(&mut self, model: &dyn Store, store: &dyn Store) -> Result<(), String> {
        let Some(seen) = self.pick() else { return Ok(()) };
        let (app, order_no) = (app_id(APPS[self.rng.usize(..2)]), order(&format!("A{}", self.rng.u32(..32))));
        let want = model.payment_by_order(&app, &order_no).await;
        same("by order", want, store.payment_by_order(&app, &order_no).await)?;
        let attempt = self.rng.choice(&seen.attempts).map(|attempt| attempt.number.clone());
        let nr = attempt.unwrap_or_else(|| number("none"));
        let on = channel(CHANNELS[self.rng.usize(..2)]);
        let want = model.payment_by_number(&on, nr.as_str()).await;
        same("by number", want, store.payment_by_number(&on, nr.as_str()).await).map(drop)
    }

    async fn list(&mut self, model: &dyn Store, store: &dyn Store) -> Result<(), String> {
        let filter = PaymentFilter {
            app: app_id(APPS[self.rng.usize(..2)]),
            order_no: Some(order(&format!("A{}", self.rng.u32(..30)))).filter(|_| self.rng.u32(..5) == 0),
            status: self.rng.choice(Status::ALL).copied().filter(|_| self.rng.bool()),
            from: Some(self.now()).filter(|_| self.rng.u32(..4) == 0),
            to: Some(self.now()).filter(|_| self.rng.u32(..4) == 0),
            after: self.after(),
            limit: self.rng.u32(..12),
        };
        same("list", model.payments(&filter).await, store.payments(&filter).await).map(drop)
    }

    fn after(&mut self) -> Option<PaymentId> {
        let payment = self.pick()?;
        Some(payment.id).filter(|_| self.rng.u32(..3) == 0)
    }
}
