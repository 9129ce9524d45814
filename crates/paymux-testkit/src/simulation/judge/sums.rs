//! Sums: what the banks took and gave, beside what paymux has booked. Units of every currency are added up as
//! if they were one: no sum that is missing or there twice hides behind another, and which currency each is
//! of is compared by itself.

use std::collections::BTreeSet;

use super::end::Hour;
use crate::simulation::accounts::ASKED;
use crate::simulation::bank::{Bank, Books, Order, OutgoKind};
use crate::simulation::books::{AttemptRow, CallbackRow, Ledger, OutflowRow, PaymentRow};
use crate::simulation::world::World;

/// J3, J4, J8, J9 over every account.
pub(super) fn check(world: &World, ledger: &Ledger, hour: Hour, found: &mut Vec<String>) {
    for bank in &world.banks {
        let mut books = bank.books();
        let unbooked = orders(bank, &books, ledger, hour, found) - gone(bank, &books, ledger, hour, found);
        outflows(bank, &mut books, OutgoKind::Back, &ledger.refunds, found);
        outflows(bank, &mut books, OutgoKind::Payout, &ledger.transfers, found);
        balance(bank, &books, ledger, unbooked, found);
    }
    for payment in &ledger.payments {
        reservations(payment, &ledger.refunds, found);
        held_money(payment, ledger, found);
    }
}

/// Every sum that an order took is booked once. Returns what is not booked beside a sum that is, but waits as
/// a callback that a person must look at, or did: an order's only money is booked, whatever was made of its
/// callback.
fn orders(bank: &Bank, books: &Books, ledger: &Ledger, hour: Hour, found: &mut Vec<String>) -> i64 {
    let mut unbooked = 0;
    for (number, order) in &books.orders {
        let row = ledger.payments.iter().find_map(|payment| {
            let is_it = |a: &&AttemptRow| a.channel == bank.account.id && a.number == *number;
            payment.attempts.iter().find(is_it).map(|attempt| (payment, attempt))
        });
        let Some((payment, attempt)) = row else {
            found.push(format!("J3: the bank has order {number}, and no attempt has that number"));
            continue;
        };
        if order.amount != payment.amount {
            found.push(format!(
                "J3: {number} asks for {}, {} for {}",
                order.amount, payment.id, payment.amount
            ));
        }
        let booked = attempt.received + attempt.more.iter().map(|(amount, _)| amount).sum::<i64>();
        // What a close sent back after it was booked is looked at by itself.
        let gone = order.reversed().min(booked - order.taken()).max(0);
        let waiting = order.taken() + gone - booked;
        if waiting > 0 && booked > 0 && waits(bank, order, waiting, ledger, hour) {
            unbooked += waiting;
        } else if waiting != 0 {
            let (id, taken, state) = (&payment.id, order.taken(), attempt.state);
            let what = format!("{} {number} took {taken}, booked are {booked}", bank.account.id);
            found.push(format!("J3: {what}; {id} is {}, its attempt {state}", payment.status));
        }
        if attempt.received > 0 && !order.takes.iter().any(|take| take.currency == attempt.currency) {
            found.push(format!("J3: {} has {}, and the bank took none", attempt.id, attempt.currency));
        }
        if attempt.state == "paid" && attempt.currency != ASKED {
            found.push(format!("J9: {} succeeded with {}", payment.id, attempt.currency));
        }
        if payment.status == "succeeded" && attempt.state == "paid" && attempt.received != payment.received {
            found.push(format!(
                "J3: {} shows {}, its attempt has {}",
                payment.id, payment.received, attempt.received
            ));
        }
    }
    let paid = |payment: &&PaymentRow| payment.status == "succeeded";
    for payment in ledger.payments.iter().filter(paid) {
        if !payment.attempts.iter().any(|attempt| attempt.state == "paid") {
            found.push(format!("J9: {} succeeded, and no attempt is paid", payment.id));
        }
    }
    unbooked
}

/// What a close sent back after it was booked has been booked out, or waits for a person. Returns what is
/// in the books still.
fn gone(bank: &Bank, books: &Books, ledger: &Ledger, hour: Hour, found: &mut Vec<String>) -> i64 {
    let mut sum = 0;
    let attempts =
        ledger.payments.iter().flat_map(|payment| payment.attempts.iter().map(move |a| (payment, a)));
    for (payment, attempt) in attempts.filter(|(_, attempt)| attempt.channel == bank.account.id) {
        let Some(order) = books.orders.get(&attempt.number) else { continue };
        let booked = attempt.received + attempt.more.iter().map(|(amount, _)| amount).sum::<i64>();
        let gone = order.reversed().min(booked - order.taken()).max(0);
        let still_booked = gone - order.written_off;
        let waits = hour == Hour::Calm && ledger.queue.iter().any(|row| row.id == attempt.id);
        if still_booked != 0 && !waits {
            let id = &attempt.id;
            found.push(format!(
                "J3: {still_booked} of {id} went back with a close, and nobody is told to look"
            ));
        }
        // What came in beside is no part of what the merchant is shown.
        if attempt.state == "paid" && payment.refunded < order.written_off.min(attempt.received) {
            found.push(format!("J9: {} does not show that its money went back", payment.id));
        }
        sum += still_booked;
    }
    sum
}

/// Whether callbacks of just those sums are kept for a person.
fn waits(bank: &Bank, order: &Order, sum: i64, ledger: &Ledger, hour: Hour) -> bool {
    let queued: BTreeSet<&str> = ledger.queue.iter().map(|row| row.id.as_str()).collect();
    let kept = |row: &&CallbackRow| {
        row.channel == bank.account.id
            && row.verdict == "quarantined"
            && (hour == Hour::Resolved || queued.contains(row.id.as_str()))
    };
    let told = |trade_no: &str| {
        let field = format!("trade_no={trade_no}");
        ledger.callbacks.iter().filter(kept).any(|row| row.body.split('&').any(|pair| pair == field))
    };
    let kept_sum: i64 = order.takes.iter().filter(|take| told(&take.trade_no)).map(|take| take.amount).sum();
    kept_sum >= sum
}

/// Each number left at most once, never more than came in, and both sides agree on what became of it.
fn outflows(bank: &Bank, books: &mut Books, of: OutgoKind, rows: &[OutflowRow], found: &mut Vec<String>) {
    let promise = if of == OutgoKind::Back { "J4" } else { "J8" };
    for (number, outgo) in books.outgoes(of).iter() {
        if outgo.left_at.len() > 1 {
            found.push(format!("{promise}: {} {number} left {} times", bank.account.id, outgo.left_at.len()));
        }
        let row = rows.iter().find(|row| row.channel == bank.account.id && row.number == *number);
        let Some(row) = row else {
            found.push(format!("{promise}: {} {number} left, and no row has that number", bank.account.id));
            continue;
        };
        if row.amount != outgo.amount {
            let (asked, moved) = (row.amount, outgo.amount);
            found.push(format!("{promise}: {} is of {asked}, and the bank was told {moved}", row.id));
        }
    }
    for row in rows.iter().filter(|row| row.channel == bank.account.id) {
        let outgo = books.outgoes(of).get(&row.number);
        let left = outgo.map_or(0, |outgo| outgo.left_at.len());
        let agree = match row.state {
            // What an operator returned by another way is done, and the bank has never heard of it.
            "succeeded" if outgo.is_none() => {
                matches!(row.origin, "operator" | "reversal") && row.number == row.id
            }
            "succeeded" => left == 1,
            "failed" => left == 0,
            _ => true,
        };
        if !agree {
            found.push(format!(
                "{promise}: {} is {}, and at the bank it left {left} times",
                row.id, row.state
            ));
        }
    }
    for (number, order) in &books.orders {
        let backs = books.backs.values().filter(|back| back.order == *number);
        let left: i64 = backs.map(crate::simulation::bank::Outgo::left).sum();
        if left > order.taken() {
            found.push(format!("J4: {number} took {} and {left} went back", order.taken()));
        }
    }
}

/// What has left at the bank, while nobody here knows yet: it waits for a person.
fn unknown_out(bank: &Bank, books: &Books, ledger: &Ledger) -> i64 {
    let is_open =
        |row: &&OutflowRow| row.channel == bank.account.id && !matches!(row.state, "succeeded" | "failed");
    let rows = ledger.refunds.iter().chain(&ledger.transfers).filter(is_open);
    let outgo = |row: &OutflowRow| books.backs.get(&row.number).or_else(|| books.payouts.get(&row.number));
    rows.filter_map(|row| outgo(row).map(crate::simulation::bank::Outgo::left)).sum()
}

/// The account's balance at the bank is the balance of its postings.
fn balance(bank: &Bank, books: &Books, ledger: &Ledger, unbooked: i64, found: &mut Vec<String>) {
    let name = format!("channel:{}", bank.account.id);
    let came: i64 = books.orders.values().map(Order::taken).sum();
    let went: i64 =
        books.backs.values().chain(books.payouts.values()).map(crate::simulation::bank::Outgo::left).sum();
    let at_bank = came - went - books.outside - unbooked + unknown_out(bank, books, ledger);
    let debits: i64 = ledger.postings.iter().filter(|p| p.debit == name).map(|p| p.amount).sum();
    let credits: i64 = ledger.postings.iter().filter(|p| p.credit == name).map(|p| p.amount).sum();
    if debits - credits != at_bank {
        let booked = debits - credits;
        found.push(format!("J3: {name} has {booked} in the postings and {at_bank} at the bank"));
    }
}

/// What is set aside and has gone back is never more than came in.
fn reservations(payment: &PaymentRow, refunds: &[OutflowRow], found: &mut Vec<String>) {
    for attempt in &payment.attempts {
        let of_it = || refunds.iter().filter(|refund| refund.attempt == attempt.id);
        let done: i64 = of_it().filter(|r| r.state == "succeeded").map(|r| r.amount).sum();
        let under_way = of_it().filter(|r| !matches!(r.state, "succeeded" | "failed"));
        let under_way: i64 = under_way.map(|refund| refund.amount).sum();
        if (done, under_way) != (attempt.refunded, attempt.refunding) {
            let shown = (attempt.refunded, attempt.refunding);
            found.push(format!("J4: {} shows {shown:?}, its refunds {:?}", attempt.id, (done, under_way)));
        }
        let out = attempt.refunding + attempt.refunded;
        if attempt.refunding < 0 || attempt.refunded < 0 || out > attempt.received {
            found.push(format!("J4: attempt {} has {out} of {} out", attempt.id, attempt.received));
        }
    }
    if payment.refunded > payment.received {
        found.push(format!("J4: {} shows {} refunded", payment.id, payment.refunded));
    }
}

/// Money that is nobody's success has gone back, or waits for a person.
fn held_money(payment: &PaymentRow, ledger: &Ledger, found: &mut Vec<String>) {
    for attempt in &payment.attempts {
        let beside: i64 = attempt.more.iter().filter(|(_, settled)| !settled).map(|(amount, _)| amount).sum();
        let own = match attempt.state {
            "paid" => attempt.contested,
            _ => attempt.received - attempt.refunded,
        };
        if beside + own - attempt.refunding > 0 && !ledger.is_queued(&attempt.id) {
            found.push(format!(
                "J3: attempt {} ({}) holds {} and nobody is told to look",
                attempt.id,
                attempt.state,
                beside + own
            ));
        }
    }
}
