//! The pretend provider itself: orders in memory, each with its script. Money on its way out is in
//! `outflow`.
//!
//! A plugin of a real provider has no such file: its books are behind the network. Time comes in
//! with each call; nothing here reads a clock, waits or talks.

pub(crate) mod outflow;

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use paymux_core::channel::{ListedOrder, ListedRefund};
use paymux_core::{Money, Timestamp};

use self::outflow::{End, Going, Ledger, Stage};
use crate::map::Script;
use crate::map::outflow::OutflowScript;

/// How long after its end a `late` order is paid.
pub(crate) const LATE_AFTER: Duration = Duration::from_secs(5);
/// The most orders that are kept; the oldest go first.
pub(crate) const ORDERS_MAX: usize = 100_000;

/// All orders of one channel.
#[derive(Debug, Default)]
pub(crate) struct Books(Mutex<Shelf>);

#[derive(Debug, Default)]
struct Shelf {
    orders: BTreeMap<String, Entry>,
    /// Numbers by the order of their coming.
    coming: VecDeque<String>,
    refunds: Ledger,
    transfers: Ledger,
}

#[derive(Debug, Clone)]
struct Entry {
    asked: Money,
    script: Script,
    made_at: Timestamp,
    expires_at: Timestamp,
    state: State,
}

/// Where an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// Waits for its payer.
    Open,
    /// So much came in.
    Paid(Money),
    /// Closed at that moment.
    Closed(Timestamp),
}

/// Why the books do not do what is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum No {
    /// There is no such order.
    Absent,
    /// The number is in use.
    Taken,
    /// It was closed.
    Closed,
    /// It is not paid, so nothing can go back.
    Unpaid,
    /// More than what is left.
    TooMuch,
    /// It has ended the other way.
    Over,
}

/// Whether a closed order takes money.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lateness {
    /// It does not.
    Refused,
    /// It does, as money that was on its way.
    Taken,
}

impl Books {
    /// Writes an order down. A number that was ever used or closed is taken.
    pub(crate) fn open(
        &self,
        number: &str,
        asked: Money,
        script: Script,
        life: Range<Timestamp>,
    ) -> Result<State, No> {
        let state = if script == Script::Paid { State::Paid(asked) } else { State::Open };
        let (made_at, expires_at) = (life.start, life.end);
        self.shelf().add(number, Entry { asked, script, made_at, expires_at, state })?;
        Ok(state)
    }

    /// Where an order stands at `now`.
    pub(crate) fn look(&self, number: &str, now: Timestamp) -> Result<State, No> {
        let mut shelf = self.shelf();
        Ok(shelf.entry(number, now)?.state)
    }

    /// Closes an order. One that is not there can never come any more.
    pub(crate) fn close(&self, number: &str, now: Timestamp) -> State {
        let mut shelf = self.shelf();
        let closed = State::Closed(now);
        match shelf.entry(number, now) {
            Ok(entry) if entry.state == State::Open => {
                entry.state = closed;
                closed
            }
            Ok(entry) => entry.state,
            Err(_) => {
                let nothing = Money::fen(0);
                let script = Script::Open;
                let tombstone =
                    Entry { asked: nothing, script, made_at: now, expires_at: now, state: closed };
                let _ = shelf.add(number, tombstone);
                closed
            }
        }
    }

    /// Money for an order: `amount`, or what was asked. Paying twice has one effect.
    pub(crate) fn pay(
        &self,
        number: &str,
        amount: Option<i64>,
        lateness: Lateness,
        now: Timestamp,
    ) -> Result<Money, No> {
        let mut shelf = self.shelf();
        let entry = shelf.entry(number, now)?;
        match entry.state {
            State::Paid(received) => Ok(received),
            State::Closed(_) if lateness == Lateness::Refused => Err(No::Closed),
            State::Open | State::Closed(_) => {
                let minor = amount.unwrap_or(entry.asked.minor());
                let received = Money::new(minor, entry.asked.currency());
                entry.state = State::Paid(received);
                Ok(received)
            }
        }
    }

    /// Sends money of a paid order back, never more than came in. The same refund again has no
    /// second effect; another one under its number is not taken.
    pub(crate) fn refund(
        &self,
        number: &str,
        order: &str,
        amount: Money,
        script: OutflowScript,
        now: Timestamp,
    ) -> Result<Stage, No> {
        let mut shelf = self.shelf();
        let State::Paid(received) = shelf.entry(order, now)?.state else { return Err(No::Unpaid) };
        let going = Going { amount, of: Some(order.to_owned()), script, made_at: now };
        if let Some(known) = shelf.refunds.known(number, &going, now) {
            return known;
        }
        shelf.refunds.check_room(order, amount, received, now)?;
        Ok(shelf.refunds.add(number, going))
    }

    /// Where a refund stands at `now`.
    pub(crate) fn look_refund(&self, number: &str, now: Timestamp) -> Result<Stage, No> {
        self.shelf().refunds.look(number, now)
    }

    /// Ends a refund. Money that goes back after a word of failure needs its room anew.
    pub(crate) fn end_refund(
        &self,
        number: &str,
        end: End,
        lateness: Lateness,
        now: Timestamp,
    ) -> Result<Stage, No> {
        let mut shelf = self.shelf();
        if (shelf.refunds.look(number, now)?, end, lateness) == (Stage::Failed, End::Done, Lateness::Taken) {
            let (order, amount) = shelf.refunds.terms(number).ok_or(No::Absent)?;
            let State::Paid(received) = shelf.entry(&order, now)?.state else { return Err(No::Unpaid) };
            shelf.refunds.check_room(&order, amount, received, now)?;
        }
        shelf.refunds.end(number, end, lateness, now)
    }

    /// Pays out. The same payout again has no second effect; another one under its number is not
    /// taken.
    pub(crate) fn transfer(
        &self,
        number: &str,
        amount: Money,
        script: OutflowScript,
        now: Timestamp,
    ) -> Result<Stage, No> {
        let going = Going { amount, of: None, script, made_at: now };
        let mut shelf = self.shelf();
        if let Some(known) = shelf.transfers.known(number, &going, now) {
            return known;
        }
        Ok(shelf.transfers.add(number, going))
    }

    /// Where a payout stands at `now`.
    pub(crate) fn look_transfer(&self, number: &str, now: Timestamp) -> Result<Stage, No> {
        self.shelf().transfers.look(number, now)
    }

    /// Ends a payout.
    pub(crate) fn end_transfer(
        &self,
        number: &str,
        end: End,
        lateness: Lateness,
        now: Timestamp,
    ) -> Result<Stage, No> {
        self.shelf().transfers.end(number, end, lateness, now)
    }

    /// The orders that were made in that time, as they are at `now`. A number that was only closed
    /// was never an order.
    pub(crate) fn list(&self, made: Range<Timestamp>, now: Timestamp) -> Vec<ListedOrder> {
        let mut shelf = self.shelf();
        let is_listed =
            |(_, entry): &(&String, &Entry)| entry.asked.minor() > 0 && made.contains(&entry.made_at);
        let numbers: Vec<String> =
            shelf.orders.iter().filter(is_listed).map(|(number, _)| number.clone()).collect();
        numbers.iter().filter_map(|number| shelf.listed(number, now)).collect()
    }

    /// The refunds that were made in that time, as they are at `now`.
    pub(crate) fn list_refunds(&self, made: &Range<Timestamp>, now: Timestamp) -> Vec<ListedRefund> {
        self.shelf().refunds.list(made, now)
    }

    /// A panic while the lock was held leaves whole entries behind: each change is one assignment.
    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shelf {
    fn add(&mut self, number: &str, entry: Entry) -> Result<(), No> {
        if self.orders.contains_key(number) {
            return Err(No::Taken);
        }
        while self.orders.len() >= ORDERS_MAX {
            let Some(oldest) = self.coming.pop_front() else { break };
            self.orders.remove(&oldest);
        }
        self.coming.push_back(number.to_owned());
        self.orders.insert(number.to_owned(), entry);
        Ok(())
    }

    /// The order after its script has run to `now`.
    fn entry(&mut self, number: &str, now: Timestamp) -> Result<&mut Entry, No> {
        let entry = self.orders.get_mut(number).ok_or(No::Absent)?;
        let end = match entry.state {
            State::Paid(_) => None,
            State::Open => Some(entry.expires_at),
            State::Closed(at) => Some(at),
        };
        if entry.script == Script::Late && end.is_some_and(|end| now >= end.plus(LATE_AFTER)) {
            entry.state = State::Paid(entry.asked);
        }
        Ok(entry)
    }

    fn listed(&mut self, number: &str, now: Timestamp) -> Option<ListedOrder> {
        let entry = self.entry(number, now).ok()?;
        let received = if let State::Paid(received) = entry.state { Some(received) } else { None };
        let (amount, created_at) = (Some(entry.asked), entry.made_at);
        Some(ListedOrder {
            number: number.to_owned(),
            amount,
            received,
            reverted: false,
            flaw: None,
            created_at,
            terms: None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFE: Range<Timestamp> = Timestamp::from_ms(0)..Timestamp::from_ms(60_000);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_ms(seconds * 1000)
    }

    fn books(script: Script) -> Books {
        let books = Books::default();
        books.open("n", Money::fen(7), script, LIFE).unwrap();
        books
    }

    #[test]
    fn a_late_order_is_paid_after_its_end_and_not_before() {
        check(None, 59, State::Open);
        check(None, 64, State::Open);
        check(None, 65, State::Paid(Money::fen(7)));
        check(Some(10), 10, State::Closed(at(10)));
        check(Some(10), 14, State::Closed(at(10)));
        check(Some(10), 15, State::Paid(Money::fen(7)));
        check(Some(60), 64, State::Closed(at(60)));
        check(Some(60), 65, State::Paid(Money::fen(7)));

        #[track_caller]
        fn check(close: Option<i64>, look: i64, want: State) {
            let books = books(Script::Late);
            if let Some(close) = close {
                assert_eq!(books.close("n", at(close)), State::Closed(at(close)));
            }
            assert_eq!(books.look("n", at(look)), Ok(want));
        }
    }

    #[test]
    fn other_scripts_never_pay_by_themselves() {
        for script in [Script::Open, Script::Unknown] {
            let books = books(script);
            assert_eq!(books.look("n", at(99_999)), Ok(State::Open));
            books.close("n", at(1));
            assert_eq!(books.look("n", at(99_999)), Ok(State::Closed(at(1))));
        }
    }

    #[test]
    fn money_comes_once_and_after_a_close_only_when_late() {
        let books = books(Script::Open);
        assert_eq!(books.pay("m", None, Lateness::Taken, at(1)), Err(No::Absent));
        assert_eq!(books.pay("n", Some(5), Lateness::Refused, at(1)), Ok(Money::fen(5)));
        assert_eq!(books.pay("n", Some(6), Lateness::Refused, at(1)), Ok(Money::fen(5)));
        assert_eq!(books.close("n", at(2)), State::Paid(Money::fen(5)));
        books.open("o", Money::fen(7), Script::Open, LIFE).unwrap();
        books.close("o", at(2));
        assert_eq!(books.pay("o", None, Lateness::Refused, at(3)), Err(No::Closed));
        assert_eq!(books.pay("o", None, Lateness::Taken, at(3)), Ok(Money::fen(7)));
    }

    #[test]
    fn a_number_is_used_once_even_if_it_was_only_closed() {
        let books = books(Script::Open);
        assert_eq!(books.open("n", Money::fen(7), Script::Open, LIFE), Err(No::Taken));
        assert_eq!(books.close("m", at(1)), State::Closed(at(1)));
        assert_eq!(books.open("m", Money::fen(7), Script::Open, LIFE), Err(No::Taken));
        assert_eq!(books.pay("m", None, Lateness::Refused, at(2)), Err(No::Closed));
    }

    #[test]
    fn the_oldest_orders_go_when_the_books_are_full() {
        let books = Books::default();
        for i in 0..=ORDERS_MAX {
            books.open(&format!("n{i}"), Money::fen(7), Script::Open, LIFE).unwrap();
        }
        assert_eq!(books.look("n0", at(1)), Err(No::Absent));
        assert_eq!(books.look("n1", at(1)), Ok(State::Open));
        assert_eq!(books.look(&format!("n{ORDERS_MAX}"), at(1)), Ok(State::Open));
    }
}
