//! The double-entry books, held against the rows that they belong to: each line has two sides that fit its
//! kind, and every account's balance is what attempts, refunds and transfers come to.

use std::collections::BTreeMap;

use crate::simulation::books::{AttemptRow, Ledger, OutflowRow, PostingRow};

/// J10 over all postings.
pub(super) fn check(ledger: &Ledger, found: &mut Vec<String>) {
    for line in &ledger.postings {
        if line.amount <= 0 || !fits(line) {
            found.push(format!("J10: {line:?} is no such movement"));
        }
    }
    for payment in &ledger.payments {
        for attempt in &payment.attempts {
            of_attempt(attempt, ledger, found);
        }
    }
    let (booked, owed) = (balances(&ledger.postings), owed(ledger));
    for account in booked.keys().chain(owed.keys()) {
        let (has, should) = (booked.get(account).unwrap_or(&0), owed.get(account).unwrap_or(&0));
        if has != should {
            found.push(format!("J10: {account} has {has} in the postings, and its rows come to {should}"));
        }
    }
}

/// Whether money of that kind moves between such accounts.
fn fits(line: &PostingRow) -> bool {
    let room = |account: &str| account.split(':').next().unwrap_or_default().to_owned();
    let (debit, credit) = (room(&line.debit), room(&line.credit));
    match line.kind {
        "received" => debit == "channel" && credit == "app",
        "held" => debit == "channel" && credit == "held",
        "contested" => debit == "app" && credit == "held",
        "released" => debit == "held" && credit == "app",
        "refunded" => (debit == "app" || debit == "held") && credit == "channel",
        "returned_outside" => debit == "held" && credit == "channel",
        "paid_out" => debit == "app" && credit == "channel" && line.attempt.is_empty(),
        _ => false,
    }
}

/// What came in on an attempt and what left it again is in the books once.
fn of_attempt(attempt: &AttemptRow, ledger: &Ledger, found: &mut Vec<String>) {
    let lines = || ledger.postings.iter().filter(|line| line.attempt == attempt.id);
    let sum =
        |kinds: &[&str]| lines().filter(|line| kinds.contains(&line.kind)).map(|line| line.amount).sum();
    let (came, went): (i64, i64) = (sum(&["received", "held"]), sum(&["refunded", "returned_outside"]));
    let beside: i64 = attempt.more.iter().map(|(amount, _)| amount).sum();
    let gone_beside: i64 =
        attempt.more.iter().filter(|(_, settled)| *settled).map(|(amount, _)| amount).sum();
    if came != attempt.received + beside {
        found.push(format!("J10: {} booked {came}, it has {} and {beside}", attempt.id, attempt.received));
    }
    if went != attempt.refunded + gone_beside {
        found.push(format!(
            "J10: {} booked {went} out, it shows {} and {gone_beside}",
            attempt.id, attempt.refunded
        ));
    }
}

/// What each account of merchants has by its postings: what it is owed.
fn balances(postings: &[PostingRow]) -> BTreeMap<String, i64> {
    let mut sums = BTreeMap::new();
    for line in postings {
        *sums.entry(line.credit.clone()).or_default() += line.amount;
        *sums.entry(line.debit.clone()).or_default() -= line.amount;
    }
    // Those at the banks are held against the banks' own books.
    sums.retain(|account: &String, _| !account.starts_with("channel:"));
    sums
}

/// What each account of merchants should have by all rows.
fn owed(ledger: &Ledger) -> BTreeMap<String, i64> {
    let mut sums: BTreeMap<String, i64> = BTreeMap::new();
    for payment in &ledger.payments {
        let (app, held) = (format!("app:{}", payment.app), format!("held:{}", payment.app));
        for attempt in &payment.attempts {
            let rest = attempt.received - attempt.refunded;
            let beside: i64 =
                attempt.more.iter().filter(|(_, settled)| !settled).map(|(amount, _)| amount).sum();
            let own = if attempt.state == "paid" { &app } else { &held };
            *sums.entry(own.clone()).or_default() += rest;
            *sums.entry(held.clone()).or_default() += beside;
            if attempt.state == "paid" {
                *sums.entry(app.clone()).or_default() -= attempt.contested;
                *sums.entry(held.clone()).or_default() += attempt.contested;
                // What was on its way back before the payment succeeded is not the merchant's yet.
                let leaving = leaving(attempt, &ledger.refunds);
                *sums.entry(app.clone()).or_default() -= leaving;
                *sums.entry(held.clone()).or_default() += leaving;
            }
        }
    }
    for transfer in ledger.transfers.iter().filter(|transfer| transfer.state == "succeeded") {
        *sums.entry(format!("app:{}", transfer.app)).or_default() -= transfer.amount;
    }
    sums
}

/// What is on its way back of that attempt, and not by its merchant's wish.
fn leaving(attempt: &AttemptRow, refunds: &[OutflowRow]) -> i64 {
    let is_leaving = |refund: &&OutflowRow| {
        refund.attempt == attempt.id
            && refund.origin != "merchant"
            && !matches!(refund.state, "succeeded" | "failed")
    };
    refunds.iter().filter(is_leaving).map(|refund| refund.amount).sum()
}
