//! Money that a close may have crossed: marked before the close is called, looked at again once it is over,
//! and contested where it may be gone.
//!
//! At some providers a close of an order that has taken money sends that money back. A close and the news
//! "paid" can so cross: what is booked may be gone, and nobody was told.

use std::time::Duration;

use super::{Draft, Facts, Notice};
use crate::clock::Timestamp;
use crate::ids::AttemptId;
use crate::outflow::OutflowState;
use crate::payment::{Attempt, AttemptState, Failure, Held};
use crate::payments::schedule::{self, Heard};
use crate::payments::site;
use crate::posting::{Account, Cause, PostingKind};
use crate::refund::RefundOrigin;

/// Why booked money is contested after a close.
pub(super) const CROSSED: &str = "a close of its order may have sent the money back after it was booked";
use crate::state::Happening;
use crate::store::EventKind;

use super::Entry;

/// What a look at money saw that a close may have crossed.
#[derive(Debug, Clone)]
pub(crate) enum Sight {
    /// The provider was asked at that time, and said this.
    Told(Timestamp, Happening, Box<Facts>),
    /// The configuration has lost the channel, which may come back.
    NoSite,
    /// Such a provider answers no questions.
    Blind,
}

impl Draft<'_> {
    /// Notes that a close of an attempt's order may act for `span` from now on. Gives the moment until when,
    /// which no other close has; `None` where the payment has no such attempt.
    pub(crate) fn begin_close(&mut self, id: AttemptId, span: Duration) -> Option<Timestamp> {
        let place = self.after.attempts.iter().position(|a| a.id == id)?;
        self.touch(place);
        let attempt = &mut self.after.attempts[place];
        let own = self.now.plus(span);
        let after_others = attempt.closing_until.map(|until| until.plus(Duration::from_millis(1)));
        let until = after_others.map_or(own, |after| after.max(own));
        attempt.closing_until = Some(until);
        Some(until)
    }

    /// Looks again at booked money that a close may have crossed.
    pub(crate) fn look_back(&mut self, id: AttemptId, sight: &Sight) {
        let Some(place) = self.after.attempts.iter().position(|a| a.id == id) else { return };
        self.touch(place);
        let Some(until) = self.after.attempts[place].crossing() else {
            self.plan_next_look(place, Heard::Nothing);
            return;
        };
        match sight {
            Sight::Told(at, happening @ Happening::QueryPaid(_), facts) => {
                self.happen(id, *happening, (**facts).clone());
                self.see_it_there(place, *at, schedule::surely_closed_at(until));
            }
            Sight::Told(_, Happening::QueryClosed, _) => {
                self.happen(id, Happening::QueryClosed, Facts::default());
            }
            Sight::Told(..) | Sight::NoSite => self.see_nothing(place, until),
            Sight::Blind => {
                self.happen(id, Happening::NotConfirmed, Facts::default());
            }
        }
    }

    /// The money is there. That is the last word once no close can act any more, by whatever clock.
    fn see_it_there(&mut self, place: usize, at: Timestamp, sure_at: Timestamp) {
        let attempt = &mut self.after.attempts[place];
        if at < sure_at {
            attempt.check_at = Some(sure_at);
            return;
        }
        attempt.closing_until = None;
        attempt.check_at = None;
        if attempt.state == AttemptState::DuplicatePaid {
            self.give_back(place);
        }
    }

    /// The provider does not say so, and not otherwise: it is asked again, until a person must look.
    fn see_nothing(&mut self, place: usize, until: Timestamp) {
        let attempt = &self.after.attempts[place];
        let spec = site(self.catalog, &self.after, attempt).map(|(_, spec)| spec);
        if self.now >= schedule::crossing_asked_until(until, spec) {
            let id = attempt.id;
            self.happen(id, Happening::NotConfirmed, Facts::default());
            return;
        }
        self.after.attempts[place].checks += 1;
        self.plan_next_look(place, Heard::Nothing);
    }

    /// What is left of booked money may have gone back, for that reason: a person must look. A duplicate waits
    /// for one already, and is no reason to hold the payment.
    pub(super) fn contest(&mut self, place: usize, why: &str) {
        let attempt = &mut self.after.attempts[place];
        attempt.closing_until = None;
        if attempt.refundable().is_none_or(|left| left.minor() <= 0) {
            return;
        }
        attempt.failure =
            Some(Failure { code: "reversed".to_owned(), message: why.to_owned(), provider_code: None });
        self.set_contested(place);
        if self.after.attempts[place].state == AttemptState::Paid {
            self.hold(Held::Reversed);
        }
    }

    /// All that is left is contested; of the payment's success it is not the merchant's meanwhile.
    fn set_contested(&mut self, place: usize) {
        let attempt = &mut self.after.attempts[place];
        let Some(rest) = attempt.refundable() else { return };
        attempt.contested += rest.minor();
        if attempt.state == AttemptState::Paid {
            let debit = Account::App(self.after.app.clone());
            let credit = Account::Held(self.after.app.clone());
            let cause = Cause::Attempt(self.after.id, attempt.id);
            self.post(Entry { kind: PostingKind::Contested, debit, credit, amount: rest, cause });
        }
    }

    /// A person has seen that the money is there.
    pub(super) fn uphold(&mut self, place: usize) {
        let attempt = &mut self.after.attempts[place];
        let contested = std::mem::take(&mut attempt.contested);
        attempt.failure = None;
        if let (AttemptState::Paid, Some(left)) = (attempt.state, attempt.left()) {
            let debit = Account::Held(self.after.app.clone());
            let credit = Account::App(self.after.app.clone());
            let amount = crate::money::Money::new(contested, left.currency());
            let cause = Cause::Attempt(self.after.id, attempt.id);
            self.post(Entry { kind: PostingKind::Released, debit, credit, amount, cause });
        }
        self.end_contest();
    }

    /// A person has seen that the money of the payment's success is gone. The payment stays a success, of
    /// which its merchant sees that the money went back.
    pub(super) fn book_reversed(&mut self, place: usize) {
        self.set_contested(place);
        if let Some(done) = self.book_returned(place, RefundOrigin::Reversal) {
            self.note_refunded(done.amount);
            self.tell(Notice::Refund(EventKind::RefundSucceeded, Box::new(done), OutflowState::Queued));
        }
        self.end_contest();
    }

    /// Nothing is contested any more; money that waits for another reason still does.
    fn end_contest(&mut self) {
        let waits =
            |a: &Attempt| a.more.iter().any(|sum| !sum.settled) || (!a.state.is_booked() && a.keeps_money());
        if self.after.held == Some(Held::Reversed) {
            self.after.held = self.after.attempts.iter().any(waits).then_some(Held::SecondPayment);
        }
    }
}
