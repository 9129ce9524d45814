//! One change of one payment, in the making: what happened goes in, a [`Change`] comes out.

use std::collections::BTreeMap;

use crate::catalog::Catalog;
use crate::channel::Receipt;
use crate::clock::Timestamp;
use crate::ids::{AttemptId, EventId};
use crate::payment::{Attempt, AttemptState, Failure, Held, NextAction, Payment, Status};
use crate::random::Rng;
use crate::router::Decision;
use crate::state::{Effect, Happening, step};
use crate::store::{CallbackRow, Change, Event, EventKind, Touched};
use crate::view::{NoticeData, NoticeView, PaymentView};

use super::{schedule, site};

/// What is known beside the happening itself.
#[derive(Debug, Clone, Default)]
pub(crate) struct Facts {
    /// The money.
    pub(crate) receipt: Option<Receipt>,
    /// What the payer must do.
    pub(crate) action: Option<NextAction>,
    /// The provider's record id.
    pub(crate) reference: Option<String>,
    /// How it went wrong.
    pub(crate) failure: Option<Failure>,
}

/// A change in the making.
pub(crate) struct Draft<'a> {
    catalog: &'a Catalog,
    before: &'a Payment,
    after: Payment,
    now: Timestamp,
    rng: &'a dyn Rng,
    touched: BTreeMap<AttemptId, Touched>,
    added: Option<(AttemptId, serde_json::Value)>,
    events: Vec<EventKind>,
    callback: Option<CallbackRow>,
}

impl<'a> Draft<'a> {
    pub(super) fn new(catalog: &'a Catalog, before: &'a Payment, now: Timestamp, rng: &'a dyn Rng) -> Self {
        let after = before.clone();
        Self {
            catalog,
            before,
            after,
            now,
            rng,
            touched: BTreeMap::new(),
            added: None,
            events: Vec::new(),
            callback: None,
        }
    }

    /// The payment as it would be.
    pub(crate) fn payment(&self) -> &Payment {
        &self.after
    }

    /// Lets something happen to an attempt, by the state table.
    ///
    /// [`Effect::Next`] leaves the payment without a live attempt: the caller then adds one with
    /// [`Draft::add`] or ends the payment with [`Draft::conclude`], in this same change.
    pub(crate) fn happen(&mut self, id: AttemptId, happening: Happening, facts: Facts) -> Effect {
        let Some(place) = self.after.attempts.iter().position(|a| a.id == id) else {
            tracing::error!(attempt = %id, "an attempt that its payment does not have");
            return Effect::Ignore;
        };
        let seen = self.after.attempts[place].state;
        let (next, effect) = step(seen, happening);
        if effect == Effect::Ignore && next == seen {
            return effect;
        }
        self.touch(place);
        let is_second = self.is_second_sum(place, &facts);
        if is_second && matches!(effect, Effect::Hold(_)) {
            // What came first stays booked; the callback that told of the rest is kept beside it.
            self.hold(Held::SecondPayment);
            self.plan_next_look(place);
            return effect;
        }
        self.note(place, next, &facts);
        self.carry_out(place, effect, facts);
        if is_second {
            self.hold(Held::SecondPayment);
        }
        self.plan_next_look(place);
        effect
    }

    /// Adds the next attempt; it is live from now on.
    pub(crate) fn add(&mut self, attempt: Attempt, decision: &Decision) {
        self.added = Some((attempt.id, serde_json::to_value(decision).unwrap_or_default()));
        self.after.status = Status::Processing;
        self.after.attempts.push(attempt);
    }

    /// Ends a payment that has no live attempt and gets no other.
    pub(crate) fn conclude(&mut self) {
        let failure = self.after.attempts.last().and_then(|a| a.failure.clone());
        let (status, event) = if self.after.cancel_requested {
            (Status::Canceled, EventKind::PaymentCanceled)
        } else if self.now >= self.after.expires_at {
            (Status::Expired, EventKind::PaymentExpired)
        } else {
            (Status::Failed, EventKind::PaymentFailed)
        };
        if status == Status::Failed {
            self.after.failure = failure;
        }
        self.end_as(status, event);
    }

    /// Notes that the merchant wants it canceled, or no longer does.
    pub(crate) fn request_cancel(&mut self, wanted: CancelWish) {
        self.after.cancel_requested = wanted == CancelWish::Yes;
    }

    /// The callback that causes this change.
    pub(crate) fn caused_by(&mut self, callback: CallbackRow) {
        self.callback = Some(callback);
    }

    /// The change; `None` when nothing differs from before.
    pub(crate) fn into_change(mut self) -> Option<Change> {
        if self.after == *self.before && self.callback.is_none() {
            return None;
        }
        self.after.version = self.before.version + 1;
        self.after.events = self.before.events + i64::try_from(self.events.len()).unwrap_or(0);
        let events =
            (1..).zip(&self.events).map(|(i, kind)| self.event(*kind, self.before.events + i)).collect();
        Some(Change {
            payment: self.after,
            seen_version: self.before.version,
            touched: self.touched.into_values().collect(),
            added: self.added,
            events,
            callback: self.callback,
        })
    }

    fn touch(&mut self, place: usize) {
        let attempt = &self.after.attempts[place];
        let seen = Touched { id: attempt.id, seen_state: attempt.state, seen_fence: attempt.fence };
        self.touched.entry(attempt.id).or_insert(seen);
    }

    /// Whether the money is not what was noted before: it came under another trade number.
    fn is_second_sum(&self, place: usize, facts: &Facts) -> bool {
        let attempt = &self.after.attempts[place];
        let trade_no = facts.receipt.as_ref().and_then(|receipt| receipt.trade_no.as_ref());
        attempt.received.is_some()
            && trade_no.is_some()
            && attempt.trade_no.as_ref().is_some_and(|no| Some(no) != trade_no)
    }

    /// Writes down on the attempt what is known now.
    fn note(&mut self, place: usize, next: AttemptState, facts: &Facts) {
        let attempt = &mut self.after.attempts[place];
        attempt.state = next;
        if facts.reference.is_some() {
            attempt.reference.clone_from(&facts.reference);
        }
        if facts.failure.is_some() {
            attempt.failure.clone_from(&facts.failure);
        }
        if let Some(receipt) = &facts.receipt {
            attempt.received = Some(receipt.received);
            attempt.trade_no = receipt.trade_no.clone().or(attempt.trade_no.take());
            attempt.reference = receipt.reference.clone().or(attempt.reference.take());
        }
    }

    fn carry_out(&mut self, place: usize, effect: Effect, facts: Facts) {
        match effect {
            Effect::Ignore | Effect::Next => {}
            Effect::Ask => self.after.attempts[place].checks += 1,
            Effect::Show => self.show(place, facts.action),
            Effect::Settle => self.settle(place, facts.receipt),
            Effect::Hold(held) => {
                self.after.attempts[place].checks += 1;
                if held == Held::Underpaid
                    && self.after.status != Status::Succeeded
                    && let Some(receipt) = facts.receipt
                {
                    self.after.amount_received = receipt.received;
                }
                self.hold(held);
            }
            Effect::End => self.end(),
        }
    }

    fn show(&mut self, place: usize, action: Option<NextAction>) {
        self.after.attempts[place].checks = 0;
        self.after.attempts[place].failure = None;
        if !self.after.status.is_over() {
            self.after.status = Status::Pending;
            self.after.next_action = action;
        }
    }

    /// Money is there: the payment's success, or a duplicate of it.
    fn settle(&mut self, place: usize, receipt: Option<Receipt>) {
        let paid_before = self.before.attempts.iter().any(|a| a.state == AttemptState::Paid);
        self.after.attempts[place].failure = None;
        if paid_before {
            self.after.attempts[place].state = AttemptState::DuplicatePaid;
            self.events.push(EventKind::PaymentDuplicatePaid);
            return;
        }
        if let Some(receipt) = receipt {
            self.after.amount_received = receipt.received;
            self.after.amount_discount = receipt.discount;
        }
        self.after.status = Status::Succeeded;
        self.after.paid_at = Some(self.now);
        self.after.next_action = None;
        self.after.failure = None;
        // Money on another attempt that settled nothing still waits for a person.
        let is_settled = |a: &Attempt| matches!(a.state, AttemptState::Paid | AttemptState::DuplicatePaid);
        if !self.after.attempts.iter().any(|a| a.received.is_some() && !is_settled(a)) {
            self.after.held = None;
        }
        self.events.push(EventKind::PaymentSucceeded);
        self.call_siblings_in(place);
    }

    /// Attempts that could still take money are no longer live, and are looked at at once: a worker
    /// closes them, or watches those that cannot be closed.
    fn call_siblings_in(&mut self, paid: usize) {
        for place in (0..self.after.attempts.len()).filter(|place| *place != paid) {
            let seen = self.after.attempts[place].state;
            let (next, effect) = step(seen, Happening::SiblingPaid);
            if effect == Effect::Ask {
                self.touch(place);
                let attempt = &mut self.after.attempts[place];
                attempt.state = next;
                attempt.check_at = Some(self.now);
            }
        }
    }

    fn hold(&mut self, held: Held) {
        if self.after.held.is_some_and(|was| gravity(was) >= gravity(held)) {
            return;
        }
        self.after.held = Some(held);
        self.after.next_action = None;
        self.events.push(match held {
            Held::Underpaid => EventKind::PaymentUnderpaid,
            Held::Mismatch | Held::SecondPayment => EventKind::PaymentHeld,
        });
    }

    /// An open attempt ended unpaid.
    fn end(&mut self) {
        if self.after.cancel_requested {
            self.end_as(Status::Canceled, EventKind::PaymentCanceled);
        } else {
            self.end_as(Status::Expired, EventKind::PaymentExpired);
        }
    }

    fn end_as(&mut self, status: Status, event: EventKind) {
        if !self.after.status.is_over() {
            self.after.status = status;
            self.after.next_action = None;
            self.events.push(event);
        }
    }

    /// Also while money waits for a person: more of it, or a sibling's, can still come.
    fn plan_next_look(&mut self, place: usize) {
        let attempt = &self.after.attempts[place];
        let look = match site(self.catalog, &self.after, attempt) {
            Some((entry, spec)) => schedule::next_look(attempt, entry.channel.descriptor(), spec, self.now),
            None => schedule::look_without_site(attempt, self.now),
        };
        self.after.attempts[place].check_at = look;
    }

    fn event(&self, kind: EventKind, sequence: i64) -> Event {
        let app = self.catalog.app(&self.after.app);
        let default_url = || app.and_then(|app| app.notify_url.as_ref()).map(|url| url.as_str().to_owned());
        let notice = NoticeView {
            r#type: kind.word(),
            timestamp: self.now,
            data: NoticeData {
                payment: PaymentView::of(&self.after),
                sequence,
                late: self.before.status.is_over(),
                previous_status: self.before.status.word(),
            },
        };
        Event {
            id: EventId::make(self.now, self.rng),
            app: self.after.app.clone(),
            payment: self.after.id,
            kind,
            sequence,
            created_at: self.now,
            body: serde_json::to_string(&notice).unwrap_or_default(),
            url: self.after.notify_url.clone().or_else(default_url),
        }
    }
}

/// How grave a reason is: a graver one is not forgotten over a lighter one.
fn gravity(held: Held) -> u8 {
    match held {
        Held::Underpaid => 0,
        Held::Mismatch => 1,
        Held::SecondPayment => 2,
    }
}

/// Whether the merchant wants a payment canceled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CancelWish {
    /// It does.
    Yes,
    /// It no longer does: the provider would not.
    No,
}
