//! Money in a change: what comes in, what waits for a person, what goes back, and the books.

use super::{Draft, Facts, Notice, TradeNo};
use crate::catalog::{DuplicatePaid, Late};
use crate::channel::{Can, Receipt};
use crate::ids::{AttemptId, PostingId, RefundId};
use crate::money::Money;
use crate::outflow::OutflowState;
use crate::payment::{Attempt, AttemptState, Held, SecondSum, Status};
use crate::payments::site;
use crate::posting::{Account, Cause, Posting, PostingKind};
use crate::refund::{Refund, RefundOrigin};
use crate::state::{Ground, Happening};
use crate::store::{EventKind, RefundWrite};

/// A movement of money in the making.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    /// Why.
    pub(crate) kind: PostingKind,
    /// The account that has more then.
    pub(crate) debit: Account,
    /// The account that has less then, or owes more.
    pub(crate) credit: Account,
    /// How much; nothing is written where it is not more than zero.
    pub(crate) amount: Money,
    /// What it belongs to.
    pub(crate) cause: Cause,
}

/// Whether a refund was queued.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Queued {
    /// A worker sends it.
    Yes,
    /// There is nothing to send back, or the provider cannot.
    Cannot,
}

impl Draft<'_> {
    /// What is known beside the attempt, where money comes in.
    pub(super) fn ground(&self, place: usize, happening: Happening, facts: &Facts) -> Ground {
        let paid = self.after.attempts.iter().enumerate().find(|(_, a)| a.state == AttemptState::Paid);
        let sibling = paid.filter(|(other, _)| *other != place).map(|(_, sibling)| sibling);
        let by_person = matches!(happening, Happening::OperatorPaid(_) | Happening::OperatorAccepts);
        let is_late = !by_person && self.holds_late_money();
        // What went back, or is on its way, belongs to what came first.
        let nothing_left = self.after.attempts[place].refunding + self.after.attempts[place].refunded == 0;
        match (self.is_second_sum(place, facts), sibling, is_late) {
            (true, None, false) if nothing_left => Ground::Second,
            (true, ..) => Ground::SecondHeld,
            (false, Some(sibling), _) if sibling.is_in_doubt() => Ground::SiblingContested,
            (false, Some(_), _) => Ground::SiblingPaid,
            (false, None, true) => Ground::Late,
            (false, None, false) => Ground::Free,
        }
    }

    fn holds_late_money(&self) -> bool {
        let policy = self.catalog.app(&self.after.app).map(|app| app.late_success).unwrap_or_default();
        match self.after.status {
            Status::Expired => policy.expired == Late::Hold,
            Status::Canceled => policy.canceled == Late::Hold,
            _ => false,
        }
    }

    /// Whether the money is surely not what was noted before: it came under another trade number, or in
    /// another currency, which what waits could not be added to. Where money is booked as paid, another
    /// currency alone contradicts it rather than adding to it.
    fn is_second_sum(&self, place: usize, facts: &Facts) -> bool {
        let attempt = &self.after.attempts[place];
        let (Some(had), Some(receipt)) = (attempt.received, facts.receipt.as_ref()) else { return false };
        if had.currency() != receipt.received.currency() && !attempt.state.is_booked() {
            return true;
        }
        let trade_no = receipt.trade_no.as_ref();
        facts.trade_no == TradeNo::Proven
            && trade_no.is_some()
            && attempt.trade_no.as_ref().is_some_and(|no| Some(no) != trade_no)
    }

    /// Notes the first number that is proven of booked money which had none: another one is other money from
    /// then on. Another sum proves nothing of that money.
    pub(super) fn note_number(&mut self, place: usize, facts: &Facts) {
        let attempt = &self.after.attempts[place];
        let Some(receipt) = &facts.receipt else { return };
        let is_its_own = attempt.state.is_booked() && attempt.received == Some(receipt.received);
        let is_first = attempt.trade_no.is_none() && receipt.trade_no.is_some();
        if is_its_own && is_first && facts.trade_no == TradeNo::Proven {
            self.touch(place);
            self.after.attempts[place].trade_no.clone_from(&receipt.trade_no);
        }
    }

    /// Money is there: the payment's success.
    pub(super) fn settle(&mut self, place: usize, ground: Ground, receipt: Option<Receipt>) {
        if ground == Ground::Second {
            self.set_first_aside(place);
        }
        self.release_held(place);
        let discount = receipt.as_ref().map(|receipt| receipt.discount);
        if let Some(receipt) = receipt {
            self.take_in(place, receipt, PostingKind::Received);
        }
        self.after.attempts[place].failure = None;
        if let Some(received) = self.after.attempts[place].received {
            self.after.amount_received = received;
        }
        if let Some(discount) = discount {
            self.after.amount_discount = discount;
        }
        self.after.status = Status::Succeeded;
        self.after.paid_at = Some(self.now);
        self.after.next_action = None;
        self.after.failure = None;
        self.clear_if_nothing_waits();
        self.events.push(Notice::Payment(EventKind::PaymentSucceeded));
        self.call_siblings_in(place);
        if ground == Ground::Second {
            self.hold(Held::SecondPayment);
        }
    }

    /// Money came although another attempt had made the payment's success.
    pub(super) fn duplicate(&mut self, place: usize, receipt: Option<Receipt>) {
        self.after.attempts[place].failure = None;
        if let Some(receipt) = receipt {
            self.take_in(place, receipt, PostingKind::Held);
        }
        self.events.push(Notice::Payment(EventKind::PaymentDuplicatePaid));
    }

    /// Has a worker send a duplicate's money back, where the app wants that and its provider can do it, and
    /// no close may have sent it back.
    pub(super) fn give_back(&mut self, place: usize) {
        let app = self.catalog.app(&self.after.app);
        let is_wanted = app.is_some_and(|app| app.duplicate_paid == DuplicatePaid::Refund);
        let attempt = &self.after.attempts[place];
        let id = attempt.id;
        let is_untouched = attempt.refunding == 0 && attempt.refunded == 0;
        if is_wanted && is_untouched && attempt.crossing().is_none() {
            self.return_money(id, id.return_id(), RefundOrigin::Duplicate);
        }
    }

    /// Queues a refund of all that an attempt holds, for a worker to send.
    pub(crate) fn return_money(&mut self, attempt: AttemptId, id: RefundId, origin: RefundOrigin) -> Queued {
        let Some(place) = self.after.attempts.iter().position(|a| a.id == attempt) else {
            return Queued::Cannot;
        };
        let attempt = &self.after.attempts[place];
        let Some((entry, _)) = site(self.catalog, &self.after, attempt) else { return Queued::Cannot };
        let amount = attempt.refundable().filter(|left| left.minor() > 0);
        let (Some(amount), true) = (amount, entry.channel.descriptor().can.has(Can::REFUND)) else {
            return Queued::Cannot;
        };
        let refund = self.refund_of(place, id, amount, origin);
        self.after.attempts[place].refunding += amount.minor();
        self.refund = Some(RefundWrite::Begin(refund));
        Queued::Yes
    }

    pub(super) fn refund_of(
        &self,
        place: usize,
        id: RefundId,
        amount: Money,
        origin: RefundOrigin,
    ) -> Refund {
        let attempt = &self.after.attempts[place];
        Refund {
            id,
            app: self.after.app.clone(),
            payment: self.after.id,
            attempt: attempt.id,
            refund_no: None,
            origin,
            channel: attempt.channel.clone(),
            number: id.to_string(),
            amount,
            reason: String::new(),
            state: OutflowState::Queued,
            fence: 0,
            action_url: None,
            failure: None,
            reference: None,
            fingerprint: String::new(),
            created_at: self.now,
            sent_at: None,
            ended_at: None,
            check_at: Some(self.now),
            checks: 0,
            front: None,
        }
    }

    /// Money is there and a person must look at it.
    pub(super) fn hold_money(&mut self, place: usize, held: Held, ground: Ground, receipt: Option<Receipt>) {
        self.after.attempts[place].checks += 1;
        let is_second = matches!(ground, Ground::Second | Ground::SecondHeld);
        match receipt {
            Some(receipt) if is_second => self.take_beside(place, &receipt),
            Some(receipt) => {
                self.take_in(place, receipt, PostingKind::Held);
                let received = self.after.attempts[place].received;
                if held == Held::Underpaid
                    && self.after.status != Status::Succeeded
                    && let Some(received) = received
                {
                    self.after.amount_received = received;
                }
            }
            None => {}
        }
        self.hold(held);
    }

    /// A person has dealt with all that waits on this attempt, outside of paymux.
    pub(super) fn clear(&mut self, place: usize) {
        for sum in std::mem::take(&mut self.after.attempts[place].more) {
            if let (false, Some(amount)) = (sum.settled, sum.money()) {
                let cause = Cause::Attempt(self.after.id, self.after.attempts[place].id);
                self.post_out(place, amount, cause);
            }
            self.after.attempts[place].more.push(SecondSum { settled: true, ..sum });
        }
        let attempt = &self.after.attempts[place];
        if attempt.state != AttemptState::Paid {
            self.book_returned(place, RefundOrigin::Operator);
        } else if attempt.contested > 0 {
            self.book_reversed(place);
        }
        self.clear_if_nothing_waits();
    }

    /// What an attempt holds has gone back outside of paymux: a refund that is done already.
    pub(super) fn book_returned(&mut self, place: usize, origin: RefundOrigin) -> Option<Refund> {
        let attempt = &mut self.after.attempts[place];
        let amount = attempt.left().filter(|left| left.minor() > 0)?;
        attempt.refunded += amount.minor();
        attempt.contested = 0;
        let id = RefundId::make(self.now, self.rng);
        let done = Refund {
            state: OutflowState::Succeeded,
            ended_at: Some(self.now),
            check_at: None,
            ..self.refund_of(place, id, amount, origin)
        };
        self.post_out(place, amount, Cause::Refund(self.after.id, done.attempt, id));
        self.refund = Some(RefundWrite::Begin(done.clone()));
        Some(done)
    }

    /// No reason to hold is left once no attempt has money that waits.
    pub(crate) fn clear_if_nothing_waits(&mut self) {
        if !self.after.attempts.iter().any(Attempt::keeps_money) {
            self.after.held = None;
        }
    }

    /// Books money that came in on an attempt, and what it adds to what was booked before.
    fn take_in(&mut self, place: usize, receipt: Receipt, kind: PostingKind) {
        let attempt = &mut self.after.attempts[place];
        let before = attempt.received;
        // A provider that now says less than before does not take booked money back.
        let received = match before {
            Some(before) if before.minor() > receipt.received.minor() => before,
            _ => receipt.received,
        };
        let added = before.map_or(Ok(received), |before| received.checked_sub(before)).unwrap_or(received);
        attempt.received = Some(received);
        attempt.trade_no = receipt.trade_no.or(attempt.trade_no.take());
        attempt.reference = receipt.reference.or(attempt.reference.take());
        let credit = match kind {
            PostingKind::Received => Account::App(self.after.app.clone()),
            _ => Account::Held(self.after.app.clone()),
        };
        let debit = Account::Channel(attempt.channel.clone());
        let cause = Cause::Attempt(self.after.id, attempt.id);
        self.post(Entry { kind, debit, credit, amount: added, cause });
    }

    /// Books money that came in beside what an attempt has received.
    fn take_beside(&mut self, place: usize, receipt: &Receipt) {
        let attempt = &mut self.after.attempts[place];
        let amount = new_beside(attempt, receipt);
        attempt.more.push(SecondSum::of(receipt.trade_no.clone(), amount));
        let debit = Account::Channel(attempt.channel.clone());
        let cause = Cause::Attempt(self.after.id, attempt.id);
        let credit = Account::Held(self.after.app.clone());
        self.post(Entry { kind: PostingKind::Held, debit, credit, amount, cause });
    }

    /// What came first waits for a person from now on: other money has settled the payment.
    fn set_first_aside(&mut self, place: usize) {
        let attempt = &mut self.after.attempts[place];
        if let Some(first) = attempt.received.take() {
            attempt.more.push(SecondSum::of(attempt.trade_no.take(), first));
        }
    }

    /// What has been held on this attempt is the merchant's from now on.
    fn release_held(&mut self, place: usize) {
        let attempt = &self.after.attempts[place];
        let Some(amount) = attempt.refundable() else { return };
        let debit = Account::Held(self.after.app.clone());
        let credit = Account::App(self.after.app.clone());
        let cause = Cause::Attempt(self.after.id, attempt.id);
        self.post(Entry { kind: PostingKind::Released, debit, credit, amount, cause });
    }

    /// Books that money which waited has left by another way.
    fn post_out(&mut self, place: usize, amount: Money, cause: Cause) {
        let credit = Account::Channel(self.after.attempts[place].channel.clone());
        let debit = Account::Held(self.after.app.clone());
        self.post(Entry { kind: PostingKind::ReturnedOutside, debit, credit, amount, cause });
    }

    pub(super) fn hold(&mut self, held: Held) {
        if self.after.held.is_some_and(|was| gravity(was) >= gravity(held)) {
            return;
        }
        self.after.held = Some(held);
        self.after.next_action = None;
        self.events.push(Notice::Payment(match held {
            Held::Underpaid => EventKind::PaymentUnderpaid,
            Held::Mismatch | Held::SecondPayment | Held::Late | Held::Reversed => EventKind::PaymentHeld,
        }));
    }

    /// A movement of money.
    pub(crate) fn post(&mut self, entry: Entry) {
        if entry.amount.minor() <= 0 {
            return;
        }
        self.postings.push(Posting {
            id: PostingId::make(self.now, self.rng),
            at: self.now,
            kind: entry.kind,
            debit: entry.debit,
            credit: entry.credit,
            amount: entry.amount,
            cause: entry.cause,
        });
    }

    /// What of a finished merchant's refund the payment shows.
    pub(crate) fn note_refunded(&mut self, amount: Money) {
        match self.after.amount_refunded.checked_add(amount) {
            Ok(sum) => self.after.amount_refunded = sum,
            Err(error) => tracing::error!(payment = %self.after.id, %error, "a refund cannot be added up"),
        }
    }
}

/// What of a sum beside what the attempt received is new. One without a trade number is all that came so:
/// what was booked of it before is no second one.
fn new_beside(attempt: &Attempt, receipt: &Receipt) -> Money {
    let received = receipt.received;
    let booked = match receipt.trade_no {
        Some(_) => None,
        None => attempt.unnumbered(received.currency()),
    };
    Money::new(received.minor().saturating_sub(booked.unwrap_or(0)), received.currency())
}

/// Whether that money was booked before, was not its payment's success, and has all gone back.
pub(super) fn has_gone_back(attempt: &Attempt, receipt: &Receipt) -> bool {
    let is_held = !attempt.state.is_booked();
    let is_booked = attempt.received.is_some_and(|received| {
        received.currency() == receipt.received.currency() && receipt.received.minor() <= received.minor()
    });
    let is_the_same = match (&attempt.trade_no, &receipt.trade_no) {
        (Some(booked), Some(told)) => booked == told,
        _ => true,
    };
    let nothing_left = attempt.refunding == 0 && attempt.refundable().is_some_and(|left| left.minor() == 0);
    is_held && is_booked && is_the_same && nothing_left
}

/// How grave a reason is: a graver one is not forgotten over a lighter one.
fn gravity(held: Held) -> u8 {
    match held {
        Held::Underpaid => 0,
        Held::Late => 1,
        Held::Mismatch => 2,
        Held::SecondPayment => 3,
        Held::Reversed => 4,
    }
}
