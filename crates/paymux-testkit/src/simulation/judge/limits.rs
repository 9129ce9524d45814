//! J13: what may come in on an account, or came in while it could, never exceeds its limits. By the bank's own
//! books: an order that it still keeps open takes its part of a day's limit, whatever anybody else believes.

use std::collections::BTreeMap;

use super::Judge;
use crate::simulation::accounts::{ASKED, Account};
use crate::simulation::bank::{Bank, Order, Take};
use crate::simulation::books::{self, Ledger};
use crate::simulation::world::World;

impl Judge {
    /// A new order came to be. All of a run's orders are of one day.
    pub(in crate::simulation) fn check_limits(&self, world: &World, bank: &Bank) {
        let limit = world.limit(bank);
        if !limit.is_some() {
            return;
        }
        let now = world.ms();
        let state_of =
            |number: &str| books::state_of(&world.disk.store, number).map_or("", |(state, _)| state);
        let used = Used::of(bank.account, &bank.books().orders, now, state_of);
        world.count("state: order under a limit");
        let checks = [
            ("minor units", used.amount, limit.amount),
            ("orders", used.count, limit.count),
            ("orders at once", used.in_flight, limit.in_flight),
        ];
        for (what, used, most) in checks {
            if most == Some(used) {
                world.count("state: a limit is used up");
            }
            if most.is_some_and(|most| used > most) {
                self.object(
                    world,
                    format!("J13: {} may take {most:?} {what}, and has {used}", bank.account.id),
                );
            }
        }
    }
}

/// Nothing is under way any more, and what is set aside is so for an order that is still watched.
pub(super) fn check(ledger: &Ledger, found: &mut Vec<String>) {
    let attempts = || ledger.payments.iter().flat_map(|payment| &payment.attempts);
    for row in &ledger.limits {
        let is_watched = attempts().any(|attempt| attempt.channel == row.channel && attempt.is_looked_at);
        let is_free = if row.is_of_day { row.reserved == 0 || is_watched } else { row.count == 0 };
        if !is_free {
            found.push(format!("J13: {} has something set aside for ever: {row:?}", row.channel));
        }
    }
}

/// What orders use of a limit.
#[derive(Debug, Default)]
struct Used {
    amount: i64,
    count: i64,
    in_flight: i64,
}

impl Used {
    fn of(
        account: &Account,
        orders: &BTreeMap<String, Order>,
        now: i64,
        state_of: impl Fn(&str) -> &'static str,
    ) -> Self {
        let mut used = Self::default();
        for (number, order) in orders {
            let is_payable = order.is_payable(account, now);
            let state = state_of(number);
            // What came when the order had ended, and what came beside the first sum, is booked whatever the limit
            // says; so is more than was asked. Less than was asked leaves room, and so does another currency, and
            // what a close sent back before the ledger had heard of it.
            let is_unheard = |take: &Take| take.reversed_at.is_some() && !books::is_booked(state);
            let first = order.takes.first().filter(|take| !take.late && !is_unheard(take));
            let of_it = |take: &Take| if take.currency == ASKED { take.amount.min(order.amount) } else { 0 };
            let taken = first.map(of_it);
            let Some(amount) = taken.or(is_payable.then_some(order.amount)) else { continue };
            used.amount += amount;
            used.count += 1;
            // One that was given up is under way no more, although it may still be paid.
            used.in_flight += i64::from(is_payable && books::is_live(state));
        }
        used
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::accounts::ACCOUNTS;

    #[test]
    fn what_may_come_and_what_came_in_time_counts() {
        let paid_in = |currency, amount, late| {
            let mut order = Order::fresh(100);
            let trade_no = "t".to_owned();
            order.takes.push(Take { trade_no, amount, currency, discount: 0, late, reversed_at: None });
            order
        };
        let paid = |amount, late| paid_in("CNY", amount, late);
        let ended = || Order { ended_at: Some(1), ..Order::fresh(100) };
        let reversed = || {
            let mut order = Order { ended_at: Some(1), ..paid(100, false) };
            order.takes[0].reversed_at = Some(1);
            order
        };
        let check = |order: Order, state: &'static str, want: (i64, i64, i64)| {
            let orders = BTreeMap::from([("n".to_owned(), order)]);
            let used = Used::of(&ACCOUNTS[0], &orders, 5, |number| if number == "n" { state } else { "" });
            assert_eq!((used.amount, used.count, used.in_flight), want);
        };
        check(Order::fresh(100), "open", (100, 1, 1));
        check(Order::fresh(100), "abandoned", (100, 1, 0));
        check(ended(), "open", (0, 0, 0));
        check(paid(100, false), "open", (100, 1, 0));
        check(paid(70, false), "open", (70, 1, 0));
        check(paid(130, false), "open", (100, 1, 0));
        check(paid(100, true), "closed", (0, 0, 0));
        check(paid_in("USD", 100, false), "open", (0, 1, 0));
        check(reversed(), "closed", (0, 0, 0));
        check(reversed(), "paid", (100, 1, 0));
        check(reversed(), "duplicate_paid", (100, 1, 0));
    }
}
