//! One change of one payment, in the making: what happened goes in, a [`Change`] comes out.

mod capacity;
mod crossing;
mod income;
mod money;
mod refund;

use std::collections::BTreeMap;

use crate::acceptor::FrontFact;
use crate::catalog::{App, Catalog};
use crate::channel::Receipt;
use crate::clock::Timestamp;
use crate::fronts::Front;
use crate::ids::{AttemptId, EventId};
use crate::outflow::OutflowState;
use crate::payment::{Attempt, AttemptState, Failure, Held, NextAction, Payment, Status};
use crate::posting::Posting;
use crate::random::Rng;
use crate::refund::Refund;
use crate::state::{Effect, Ground, Happening, although_said_paid, step};
use crate::store::{
    AuditRow, CallbackRow, Change, Event, EventKind, KeptDecision, RefundWrite, Subject, Touched,
};
use crate::view::{PaymentView, RefundView, Told, notice_body, refund_status};

pub(crate) use self::capacity::opening_moves;
use self::crossing::CROSSED;
pub(crate) use self::crossing::Sight;
use self::money::has_gone_back;
pub(crate) use self::money::{Entry, Queued};
pub(crate) use self::refund::RefundTurn;
use super::schedule::{self, Heard};
use super::{front_of, order_of, refund_of, site};

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
    /// How far the receipt's trade number can be relied on.
    pub(crate) trade_no: TradeNo,
    /// The provider shows that the receipt's money has gone back, or is about to.
    pub(crate) gone_back: bool,
}

impl Facts {
    /// Money that the provider named when it was asked.
    pub(crate) fn asked(receipt: Receipt) -> Self {
        let receipt = Receipt { trade_no: receipt.trade_no.map(storable), ..receipt };
        Self { receipt: Some(receipt), trade_no: TradeNo::Proven, ..Self::default() }
    }
}

/// A provider's text as every database holds it, without U+0000: what is stored is compared with what comes.
pub(crate) fn storable(text: String) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text }
}

/// How far a trade number can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum TradeNo {
    /// It is noted, and proves nothing.
    #[default]
    Told,
    /// A sign covers it, or the provider named it when it was asked: another one is other money.
    Proven,
}

/// A change in the making.
pub(crate) struct Draft<'a> {
    catalog: &'a Catalog,
    before: &'a Payment,
    after: Payment,
    now: Timestamp,
    rng: &'a dyn Rng,
    touched: BTreeMap<AttemptId, Touched>,
    added: Option<(AttemptId, KeptDecision)>,
    refund: Option<RefundWrite>,
    postings: Vec<Posting>,
    events: Vec<Notice>,
    callback: Option<CallbackRow>,
    audit: Option<AuditRow>,
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
            refund: None,
            postings: Vec::new(),
            events: Vec::new(),
            callback: None,
            audit: None,
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
        let attempt = &self.after.attempts[place];
        let seen = attempt.state;
        let gone_back = facts.gone_back && !seen.is_booked();
        let is_known = |r: &Receipt| attempt.knows_beside(r.trade_no.as_deref(), r.received);
        if facts.receipt.as_ref().is_some_and(is_known) {
            return Effect::Ignore;
        }
        let (happening, facts) = match &facts.receipt {
            Some(receipt) if has_gone_back(attempt, receipt) => match happening {
                // The provider goes on showing what came in: its order is over, and nothing waits.
                Happening::QueryPaid(_) => (Happening::QueryClosed, Facts { receipt: None, ..facts }),
                _ => return Effect::Ignore,
            },
            _ => (happening, facts),
        };
        let happening = if attempt.is_said_paid() { although_said_paid(happening) } else { happening };
        let ground = self.ground(place, happening, &facts);
        let said = facts.receipt.clone();
        let (next, effect) = step(seen, happening, ground);
        if effect == Effect::Ignore && next == seen {
            self.note_number(place, &facts);
            return effect;
        }
        self.touch(place);
        self.note(place, next, &facts);
        self.carry_out(place, effect, ground, facts);
        if gone_back && next.is_booked() {
            self.contest(place, "its provider shows that the money has gone back, or is about to");
        }
        self.plan_next_look(place, Heard::of(happening));
        if effect == Effect::Ask && matches!(happening, Happening::AnswerPaid(_)) {
            self.note_said_paid(place, said.as_ref());
        }
        effect
    }

    /// Adds the next attempt; it is live from now on.
    pub(crate) fn add(&mut self, attempt: Attempt, decision: KeptDecision) {
        self.added = Some((attempt.id, decision));
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

    /// A refund that begins, moves or ends with this change.
    pub(crate) fn write_refund(&mut self, write: RefundWrite) {
        self.refund = Some(write);
    }

    /// An event beside those that the state table calls for.
    pub(crate) fn tell(&mut self, notice: Notice) {
        self.events.push(notice);
    }

    /// The operator's action that causes this change.
    pub(crate) fn audited(&mut self, audit: AuditRow) {
        self.audit = Some(audit);
    }

    /// The callback that causes this change.
    pub(crate) fn caused_by(&mut self, callback: CallbackRow) {
        self.callback = Some(callback);
    }

    /// The change; `None` when nothing differs from before.
    pub(crate) fn into_change(mut self) -> Option<Change> {
        self.let_capacity_go();
        let is_empty = self.after == *self.before && self.refund.is_none() && self.callback.is_none();
        if is_empty && self.audit.is_none() {
            return None;
        }
        self.after.version = self.before.version + 1;
        self.after.events = self.before.events + i64::try_from(self.events.len()).unwrap_or(0);
        let (incomes, capacity) = (self.incomes(), self.capacity_moves());
        let events =
            (1..).zip(&self.events).map(|(i, notice)| self.event(notice, self.before.events + i)).collect();
        Some(Change {
            payment: self.after,
            seen_version: self.before.version,
            touched: self.touched.into_values().collect(),
            added: self.added,
            refund: self.refund,
            postings: self.postings,
            incomes,
            capacity,
            events,
            callback: self.callback,
            audit: self.audit,
        })
    }

    fn touch(&mut self, place: usize) {
        let attempt = &self.after.attempts[place];
        let seen = Touched { id: attempt.id, seen_state: attempt.state, seen_fence: attempt.fence };
        self.touched.entry(attempt.id).or_insert(seen);
    }

    /// Writes down on the attempt what is known now.
    fn note(&mut self, place: usize, next: AttemptState, facts: &Facts) {
        let attempt = &mut self.after.attempts[place];
        if next.is_booked() && attempt.crossing() != attempt.closing_until {
            // What is looked at from now on is whether a close has crossed it.
            attempt.checks = 0;
        }
        attempt.state = next;
        if facts.reference.is_some() {
            attempt.reference.clone_from(&facts.reference);
        }
        if facts.failure.is_some() {
            attempt.failure.clone_from(&facts.failure);
        }
    }

    fn carry_out(&mut self, place: usize, effect: Effect, ground: Ground, facts: Facts) {
        match effect {
            Effect::Ignore | Effect::Next => {}
            Effect::Ask => self.after.attempts[place].checks += 1,
            Effect::Show => self.show(place, facts.action),
            Effect::Settle => self.settle(place, ground, facts.receipt),
            Effect::Duplicate => {
                self.duplicate(place, facts.receipt);
                if !facts.gone_back {
                    self.give_back(place);
                }
            }
            Effect::Hold(Held::Reversed) => self.contest(place, CROSSED),
            Effect::Hold(held) => self.hold_money(place, held, ground, facts.receipt),
            Effect::End => self.end(),
            Effect::Clear => self.clear(place),
            Effect::Uphold => self.uphold(place),
        }
    }

    fn show(&mut self, place: usize, action: Option<NextAction>) {
        let attempt = &mut self.after.attempts[place];
        attempt.checks = 0;
        // What its provider said of money is what a person has to find that money by.
        if !attempt.is_said_paid() {
            attempt.failure = None;
        }
        if !self.after.status.is_over() {
            self.after.status = Status::Pending;
            // Nobody pays into what waits for a person.
            self.after.next_action = action.filter(|_| self.after.held.is_none());
        }
    }

    /// Attempts that could still take money are no longer live, and are looked at at once: a worker
    /// closes them, or watches those that cannot be closed.
    fn call_siblings_in(&mut self, paid: usize) {
        for place in (0..self.after.attempts.len()).filter(|place| *place != paid) {
            let seen = self.after.attempts[place].state;
            let (next, effect) = step(seen, Happening::SiblingPaid, Ground::SiblingPaid);
            if effect == Effect::Ask {
                self.touch(place);
                let attempt = &mut self.after.attempts[place];
                attempt.state = next;
                attempt.check_at = Some(self.now);
            }
        }
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
            self.events.push(Notice::Payment(event));
        }
    }

    /// Also while money waits for a person: more of it, or a sibling's, can still come.
    fn plan_next_look(&mut self, place: usize, heard: Heard) {
        let attempt = &self.after.attempts[place];
        let look = match site(self.catalog, &self.after, attempt) {
            Some((entry, spec)) => {
                schedule::next_look(attempt, (entry.channel.descriptor(), spec), heard, self.now)
            }
            None => schedule::look_without_site(attempt, self.now),
        };
        self.after.attempts[place].check_at = look;
    }

    /// Its provider has said that money is there: that is asked about now, and soon again. What it said is
    /// written down, for whoever has to find that money if nobody shows it.
    fn note_said_paid(&mut self, place: usize, said: Option<&Receipt>) {
        let attempt = &mut self.after.attempts[place];
        let money = said.map_or_else(|| "money".to_owned(), |receipt| receipt.received.to_string());
        let number = said.and_then(|receipt| receipt.trade_no.as_deref());
        let number = number.map_or_else(String::new, |number| format!(" (trade number {number})"));
        let message = format!(
            "its create answered after its time that {money} was taken{number}, and a query does not show it yet"
        );
        attempt.failure = Some(Failure { code: "unknown".to_owned(), message, provider_code: None });
        attempt.said_paid_at.get_or_insert(self.now);
        (attempt.checks, attempt.check_at) = (0, Some(self.now));
    }

    fn event(&self, notice: &Notice, sequence: i64) -> Event {
        let late = self.before.status.is_over();
        let previous_status = self.before.status.word();
        let (kind, body) = match notice {
            Notice::Payment(kind) => {
                let told = Told { sequence, late, previous_status };
                let cashier = self.catalog.cashier_url(self.after.id);
                let view = PaymentView::of(&self.after).with_cashier(cashier);
                (*kind, notice_body(*kind, self.now, view, told))
            }
            Notice::Refund(kind, refund, before) => {
                let told = Told { sequence, late: before.is_over(), previous_status: refund_status(*before) };
                (*kind, notice_body(*kind, self.now, RefundView::of(refund), told))
            }
        };
        Event {
            id: EventId::make(self.now, self.rng),
            app: self.after.app.clone(),
            subject: Subject::Payment(self.after.id),
            kind,
            sequence,
            created_at: self.now,
            body,
            url: if self.is_told(notice) { self.address(notice) } else { None },
        }
    }

    /// Whether the merchant has a message for that. What was asked for in a front is told in its protocol or not at
    /// all; it stands in the list of events all the same.
    fn is_told(&self, notice: &Notice) -> bool {
        if self.after.front.is_none() {
            return true;
        }
        let Some(acceptor) = front_of(self.catalog, &self.after).map(Front::acceptor) else { return false };
        match notice {
            Notice::Payment(EventKind::PaymentSucceeded) => {
                acceptor.tells(&FrontFact::Paid(Box::new(order_of(&self.after, acceptor.as_ref()))))
            }
            // Of what nobody asked for, no client knows the number.
            Notice::Refund(EventKind::RefundSucceeded, refund, _) if refund.refund_no.is_some() => {
                let record = refund_of(refund, &self.after, acceptor.as_ref());
                acceptor.tells(&FrontFact::Refunded(Box::new(record)))
            }
            Notice::Payment(_) | Notice::Refund(..) => false,
        }
    }

    /// The refund's own address, the payment's, the app's.
    fn address(&self, notice: &Notice) -> Option<String> {
        let own = match notice {
            Notice::Refund(_, refund, _) => refund.front.as_ref().and_then(|note| note.notify_url.clone()),
            Notice::Payment(_) => None,
        };
        let app = self.catalog.app(&self.after.app);
        // An app that is known in fronts alone has an address and no secret for it.
        let is_signed = |app: &&App| self.after.front.is_some() || !app.notify_secrets.is_empty();
        let of_app = || {
            let known = self.catalog.fronts.knows(&self.after.app);
            let app = app.filter(|app| is_signed(app) || !known)?;
            app.notify_url.as_ref().map(|url| url.as_str().to_owned())
        };
        own.or_else(|| self.after.notify_url.clone()).or_else(of_app)
    }
}

/// What a merchant is to be told.
#[derive(Debug, Clone)]
pub(crate) enum Notice {
    /// Of the payment.
    Payment(EventKind),
    /// Of a refund as it is now, and where it stood before.
    Refund(EventKind, Box<Refund>, OutflowState),
}

/// Whether the merchant wants a payment canceled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CancelWish {
    /// It does.
    Yes,
    /// It no longer does: the provider would not.
    No,
}
