//! A pretend bank: one account, its books in plain numbers and texts, and its side of a small protocol of
//! its own. It reads requests with its own code and knows nothing of whoever sends them.

mod desk;
mod form;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::accounts::{ASKED, Account, End, Form, Sign};
use super::dice::Dice;

pub(super) use desk::{Followup, Request};
pub(super) use form::signed_callback;

/// One account and what it has written down.
#[derive(Debug)]
pub(super) struct Bank {
    /// How it behaves.
    pub(super) account: &'static Account,
    /// What it signs with.
    pub(super) secret: String,
    dice: Dice,
    books: Mutex<Books>,
    last_reply: Mutex<Option<Bytes>>,
}

/// Everything that it has written down.
#[derive(Debug, Default)]
pub(super) struct Books {
    /// Orders by number.
    pub(super) orders: BTreeMap<String, Order>,
    /// Money given back, by number.
    pub(super) backs: BTreeMap<String, Outgo>,
    /// Money paid out, by number.
    pub(super) payouts: BTreeMap<String, Outgo>,
    /// What operators sent back past all numbers.
    pub(super) outside: i64,
    /// Numbers that were refused, or closed before they were known: they can never be used.
    buried: BTreeSet<String>,
    trades: u64,
}

/// One order.
#[derive(Debug, Clone)]
pub(super) struct Order {
    /// What it is for: the merchant's app and order number.
    pub(super) subject: String,
    /// What it should cost.
    pub(super) amount: i64,
    /// When it came.
    pub(super) opened_at: i64,
    /// When its timer runs out.
    pub(super) ends_at: Option<i64>,
    /// From when on a query shows it.
    pub(super) visible_at: i64,
    /// Since when it takes no money any more, by the bank's own word.
    pub(super) ended_at: Option<i64>,
    /// Since when a merchant has its code.
    pub(super) seen_at: Option<i64>,
    /// Whether a payer has it too.
    pub(super) is_invited: bool,
    /// Money that came in.
    pub(super) takes: Vec<Take>,
    /// How much of what a close sent back operators have had booked out.
    pub(super) written_off: i64,
    /// Whether operators paid some of it back by hand: a close sends nothing back beside that.
    pub(super) is_returned: bool,
}

/// One sum that came in.
#[derive(Debug, Clone)]
pub(super) struct Take {
    /// The bank's number of it.
    pub(super) trade_no: String,
    /// How much, in units of its currency.
    pub(super) amount: i64,
    /// Which currency.
    pub(super) currency: &'static str,
    /// How much the bank paid for the payer beside it.
    pub(super) discount: i64,
    /// Whether the order had ended before: the bank broke its word.
    pub(super) late: bool,
    /// When a close sent it back.
    pub(super) reversed_at: Option<i64>,
}

/// Money on its way out: back to a payer, or paid out.
#[derive(Debug, Clone)]
pub(super) struct Outgo {
    /// The order that it comes from; empty for a payout.
    pub(super) order: String,
    /// How much, in units of its currency.
    pub(super) amount: i64,
    /// Which currency.
    pub(super) currency: &'static str,
    /// Where it stands: `pending`, `person`, `done` or `failed`.
    pub(super) state: &'static str,
    /// When it left, each time that it did.
    pub(super) left_at: Vec<i64>,
}

/// What the bank said to somebody who wants to pay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Paid {
    /// It took the money.
    Taken,
    /// The order takes none.
    Refused,
}

impl Order {
    /// One of so much that nothing has happened to.
    pub(super) fn fresh(amount: i64) -> Self {
        Self {
            subject: String::new(),
            amount,
            opened_at: 0,
            ends_at: None,
            visible_at: 0,
            ended_at: None,
            seen_at: None,
            is_invited: false,
            takes: Vec::new(),
            written_off: 0,
            is_returned: false,
        }
    }

    /// Whether it would take money now: open, and its timer not over for longer than a payment under way
    /// may last.
    pub(super) fn is_payable(&self, account: &Account, now: i64) -> bool {
        !self.has_ended(account, now) && !self.is_paid()
    }

    /// Whether it takes no money any more, by the bank's own word.
    fn has_ended(&self, account: &Account, now: i64) -> bool {
        let grace = match account.end {
            End::Timer { margin_ms, .. } => margin_ms / 2,
            End::Call { .. } | End::Never => 0,
        };
        self.ended_at.is_some() || self.ends_at.is_some_and(|end| now > end + grace)
    }

    /// Whether it holds money.
    pub(super) fn is_paid(&self) -> bool {
        self.takes.iter().any(|take| take.reversed_at.is_none())
    }

    /// All that came in and was not sent back by a close.
    pub(super) fn taken(&self) -> i64 {
        self.takes.iter().filter(|take| take.reversed_at.is_none()).map(|take| take.amount).sum()
    }

    /// All that a close sent back.
    pub(super) fn reversed(&self) -> i64 {
        self.takes.iter().filter(|take| take.reversed_at.is_some()).map(|take| take.amount).sum()
    }

    /// Whether a payer could pay it at this very moment for the first time, and a query would show it: the payer
    /// has its code, or stands at the till.
    pub(super) fn may_be_paid_now(&self, account: &Account, now: i64) -> bool {
        let is_with_payer = account.form == Form::Barcode || self.is_invited;
        is_with_payer && self.takes.is_empty() && now >= self.visible_at && self.is_payable(account, now)
    }

    /// Whether money can move on it, or moved while it could: what no two orders of one purchase may be.
    pub(super) fn is_exposed(&self, account: &Account, now: i64) -> bool {
        let is_out = account.form == Form::Barcode || self.seen_at.is_some();
        let took = self.takes.iter().any(|take| !take.late && take.reversed_at.is_none());
        is_out && (took || self.is_payable(account, now))
    }
}

impl Take {
    /// Whether it is what was asked, or more.
    pub(super) fn covers(&self, asked: i64) -> bool {
        self.currency == ASKED && self.amount + self.discount >= asked
    }

    /// Whether it is what was asked, to the last unit and without a discount.
    pub(super) fn is_just(&self, asked: i64) -> bool {
        self.currency == ASKED && self.amount == asked
    }
}

impl Outgo {
    /// All that left.
    pub(super) fn left(&self) -> i64 {
        self.amount * i64::try_from(self.left_at.len()).unwrap_or(i64::MAX)
    }
}

impl Bank {
    /// An account without any orders.
    pub(super) fn new(account: &'static Account, seed: u64) -> Self {
        let dice = Dice::stream(seed, account.id);
        let secret = format!("{:016x}", dice.bits());
        Self { account, secret, dice, books: Mutex::default(), last_reply: Mutex::default() }
    }

    /// Its books.
    pub(super) fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The host that it answers at.
    pub(super) fn host(&self) -> String {
        format!("{}.bank.example", self.account.id)
    }

    /// Notes a reply, and gives the one before it.
    pub(super) fn swap_last(&self, reply: Bytes) -> Option<Bytes> {
        self.last_reply.lock().unwrap_or_else(PoisonError::into_inner).replace(reply)
    }

    /// A merchant has that order's code now. True the first time.
    pub(super) fn note_seen(&self, number: &str, now: i64) -> bool {
        let mut books = self.books();
        let order = books.orders.get_mut(number).filter(|order| order.seen_at.is_none());
        order.is_some_and(|order| {
            order.seen_at = Some(now);
            true
        })
    }

    /// A payer has that order's code now. True the first time.
    pub(super) fn invite(&self, number: &str) -> bool {
        let mut books = self.books();
        let order = books.orders.get_mut(number);
        order.is_some_and(|order| !std::mem::replace(&mut order.is_invited, true))
    }

    /// A payer pays so much.
    pub(super) fn pay(&self, number: &str, amount: i64, now: i64) -> Paid {
        self.pay_in(ASKED, number, amount, now)
    }

    /// A payer pays so much in that currency.
    pub(super) fn pay_in(&self, currency: &'static str, number: &str, amount: i64, now: i64) -> Paid {
        let mut books = self.books();
        let Some(order) = books.orders.get(number) else { return Paid::Refused };
        if !order.is_payable(self.account, now) {
            return Paid::Refused;
        }
        let discount = self.discount(order.amount, amount);
        books.take(self.account, number, (amount - discount, currency), discount, now);
        Paid::Taken
    }

    /// A payer pays although the order is paid or has ended, where the bank lets that happen.
    pub(super) fn pay_anyway(&self, number: &str, amount: i64, now: i64) -> Paid {
        let mut books = self.books();
        // Who signs no trade number cannot tell of a second payment, and so prevents it.
        let allows = self.account.sign == Sign::All;
        let Some(order) = books.orders.get(number) else { return Paid::Refused };
        let is_reversed = order.takes.iter().any(|take| take.reversed_at.is_some());
        if is_reversed || (order.is_paid() && !allows) {
            return Paid::Refused;
        }
        books.take(self.account, number, (amount, ASKED), 0, now);
        Paid::Taken
    }

    /// A payer pays an order that may have ended, but not one that is paid.
    pub(super) fn pay_unless_paid(&self, number: &str, amount: i64, now: i64) -> Paid {
        let is_free = self.books().orders.get(number).is_some_and(|order| order.takes.is_empty());
        if is_free { self.pay_anyway(number, amount, now) } else { Paid::Refused }
    }

    /// Ends an unpaid order of its own accord: the payer at the till gave up.
    pub(super) fn drop_order(&self, number: &str, now: i64) {
        let mut books = self.books();
        if let Some(order) = books.orders.get_mut(number).filter(|order| !order.is_paid()) {
            order.ended_at = order.ended_at.or(Some(now));
        }
    }

    /// Closes an order at the bank's own console, known there or not.
    pub(super) fn close_at_console(&self, number: &str, now: i64) {
        self.drop_order(number, now);
        let mut books = self.books();
        if !books.orders.contains_key(number) {
            books.buried.insert(number.to_owned());
        }
    }

    /// Lets an outflow that was taken in end. What it became; `None` when it had ended.
    pub(super) fn settle(&self, of: OutgoKind, number: &str, fails: bool, now: i64) -> Option<Outgo> {
        let mut books = self.books();
        let outgo = books.outgoes(of).get_mut(number)?;
        if !matches!(outgo.state, "pending" | "person") {
            return None;
        }
        outgo.state = if fails { "failed" } else { "done" };
        if !fails {
            outgo.left_at.push(now);
        }
        Some(outgo.clone())
    }

    /// Whether it can be asked about outflows of that kind.
    pub(super) fn shows(&self, of: OutgoKind) -> bool {
        let habit = match of {
            OutgoKind::Back => self.account.refund,
            OutgoKind::Payout => self.account.payout,
        };
        habit.is_some_and(|habit| habit.query)
    }

    /// Blocks an outflow at the bank's own console, if nothing has left: a request that is still under way
    /// finds its number used up.
    pub(super) fn block_at_console(&self, of: OutgoKind, number: &str) {
        let mut books = self.books();
        if !books.outgoes(of).contains_key(number) {
            books.buried.insert(number.to_owned());
        }
    }

    /// Sometimes the bank pays a part for the payer, where its queries say so.
    fn discount(&self, asked: i64, amount: i64) -> i64 {
        let gives = self.account.sign == Sign::NotAmount && asked == amount && amount > 100;
        if gives && self.dice.chance(200_000) { self.dice.between(1, amount / 10) } else { 0 }
    }
}

/// Which way money leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OutgoKind {
    /// Back to the payer.
    Back,
    /// Paid out.
    Payout,
}

impl Books {
    /// The outflows of that kind.
    pub(super) fn outgoes(&mut self, of: OutgoKind) -> &mut BTreeMap<String, Outgo> {
        match of {
            OutgoKind::Back => &mut self.backs,
            OutgoKind::Payout => &mut self.payouts,
        }
    }

    fn take(
        &mut self,
        account: &Account,
        number: &str,
        (amount, currency): (i64, &'static str),
        discount: i64,
        now: i64,
    ) {
        self.trades += 1;
        let trade_no = format!("t{}-{}", self.trades, number.get(26..).unwrap_or_default());
        if let Some(order) = self.orders.get_mut(number) {
            let late = order.has_ended(account, now);
            order.takes.push(Take { trade_no, amount, currency, discount, late, reversed_at: None });
        }
    }
}
