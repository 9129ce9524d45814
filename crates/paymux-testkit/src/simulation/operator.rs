//! Operators: they look at what waits for a person, look at the bank's own console, and say what is so.

use std::sync::Arc;

use paymux_core::Payments;
use paymux_core::clock::Timestamp;
use paymux_core::error::PaymentError;
use paymux_core::payments::desk::{Operator, Outcome, Resolution};

use super::bank::{Bank, Outgo, OutgoKind};
use super::books::{self, AttemptRow, Ledger, OutflowRow, PaymentRow, QueueRow};
use super::faults::Fault;
use super::front::Ask;
use super::world::World;
use crate::clock::START;

/// How old something must be before an operator touches it while nodes still work on it: what nobody knows
/// may be under way for ten minutes, and for so long no word on it is taken.
const UNKNOWN_AGE_MS_MIN: i64 = 720_000;
/// As that, where it is known what happened.
const KNOWN_AGE_MS_MIN: i64 = 60_000;

/// How long an operator waits before he looks again what became of his word, in milliseconds.
const MINUTE_MS: i64 = 60_000;

/// An operator's word.
#[derive(Debug, Clone)]
pub(super) enum Word {
    /// On an attempt: what became of it, how much, and under which trade number.
    Attempt(String, Outcome, Option<i64>, Option<String>),
    /// On a refund: whether it is done.
    Refund(String, bool),
    /// On a transfer: whether it is done.
    Transfer(String, bool),
    /// A callback was looked at.
    Callback(String),
}

impl Word {
    /// Its kind, for the counts.
    fn told(&self) -> String {
        let end = |is_done: &bool| if *is_done { "done" } else { "not done" };
        match self {
            Self::Attempt(_, outcome, ..) => format!("attempt {outcome}"),
            Self::Refund(_, is_done) => format!("refund {}", end(is_done)),
            Self::Transfer(_, is_done) => format!("transfer {}", end(is_done)),
            Self::Callback(_) => "callback seen to".to_owned(),
        }
    }
}

/// Gives the word to a node.
pub(super) async fn resolve(payments: &Payments, by: Operator, word: Word) -> Result<(), PaymentError> {
    let resolution = |outcome, amount, provider_trade_no| Resolution {
        outcome,
        amount,
        provider_trade_no,
        note: "looked at the bank's console".to_owned(),
    };
    let done = |is_done| if is_done { Outcome::Paid } else { Outcome::NotPaid };
    match word {
        Word::Attempt(id, outcome, amount, trade_no) => {
            payments.resolve_attempt(by, id_of(&id)?, resolution(outcome, amount, trade_no)).await.map(drop)
        }
        Word::Refund(id, is_done) => {
            payments.resolve_refund(by, id_of(&id)?, resolution(done(is_done), None, None)).await.map(drop)
        }
        Word::Transfer(id, is_done) => {
            payments.resolve_transfer(by, id_of(&id)?, resolution(done(is_done), None, None)).await.map(drop)
        }
        Word::Callback(id) => payments.settle_callback(by, id_of(&id)?, "seen to".to_owned()).await,
    }
}

fn id_of<T: std::str::FromStr>(text: &str) -> Result<T, PaymentError> {
    text.parse().map_err(|_| PaymentError::NotFound("object"))
}

/// One round: every item that waits is looked at once. Returns how many there were.
pub(super) async fn round(world: &Arc<World>) -> usize {
    let now = Timestamp::from_ms(START.ms() + world.ms());
    let ledger = books::read(&world.disk.store, now).await;
    err(world, &ledger).await;
    let mut count = 0;
    for row in &ledger.queue {
        let least = if row.kind.ends_with("_unknown") { UNKNOWN_AGE_MS_MIN } else { KNOWN_AGE_MS_MIN };
        if now.ms() - row.since_ms < least && !world.faults.is_calm() {
            continue;
        }
        count += 1;
        work_on(world, &ledger, row).await;
    }
    count
}

async fn work_on(world: &Arc<World>, ledger: &Ledger, row: &QueueRow) {
    world.count(&format!("queue: {}", row.kind));
    match row.kind {
        "attempt_unknown" | "money_held" => {
            let found = ledger.payments.iter().find_map(|payment| {
                let attempt = payment.attempts.iter().find(|attempt| attempt.id == row.id)?;
                Some((payment, attempt))
            });
            let Some((payment, attempt)) = found else { return };
            let Some(bank) = world.bank(&attempt.channel) else { return };
            if row.kind == "attempt_unknown" {
                unknown_attempt(world, &bank, payment, attempt).await;
            } else {
                held_money(world, &bank, payment, attempt).await;
            }
        }
        "refund_unknown" | "refund_needs_action" => {
            outflow(world, &ledger.refunds, OutgoKind::Back, &row.id).await;
        }
        "transfer_unknown" | "transfer_needs_action" => {
            outflow(world, &ledger.transfers, OutgoKind::Payout, &row.id).await;
        }
        "callback_unmatched" => unmatched_callback(world, ledger, row).await,
        // The merchant asks for it again once its endpoint is well.
        _ => {}
    }
}

/// What became of a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    Taken,
    Refused,
    /// The answer was lost, or it was none: the ledger shows what became of it.
    Unsure,
}

/// Says it to some node.
async fn say(world: &Arc<World>, word: Word) -> Heard {
    let clerk = world.merchants[0].clone();
    let told = word.told();
    let answer = world.ask(&clerk, Ask::Resolve(word)).await;
    let heard = match answer.map(|answer| answer.status) {
        Some(200) => Heard::Taken,
        Some(400..500) => Heard::Refused,
        Some(_) | None => Heard::Unsure,
    };
    // What is said while everything else goes on is what can cross it.
    let hour = if world.faults.is_calm() { "" } else { " under way" };
    world.count(&format!("operator{hour}: {told}"));
    let end = if heard == Heard::Taken { "taken" } else { "refused" };
    world.count(&format!("state: operator's word {end}{hour}"));
    heard
}

/// What the console shows of an order is so; what it shows as unpaid is closed there first, so that it
/// stays so.
async fn unknown_attempt(world: &Arc<World>, bank: &Arc<Bank>, payment: &PaymentRow, attempt: &AttemptRow) {
    bank.close_at_console(&attempt.number, world.ms());
    let order = bank.books().orders.get(&attempt.number).cloned();
    let take = order.as_ref().and_then(|order| order.takes.iter().find(|take| take.reversed_at.is_none()));
    let holds = attempt.received > 0 || attempt.more.iter().any(|(_, settled)| !settled);
    let word = match take {
        Some(take) if take.is_just(payment.amount) && attempt.received == 0 => Word::Attempt(
            attempt.id.clone(),
            Outcome::Paid,
            Some(payment.amount),
            Some(take.trade_no.clone()),
        ),
        // Only what was asked can be confirmed; the bank's own word tells of more, or of a discount.
        Some(take) if take.covers(payment.amount) && attempt.received == 0 => return,
        Some(_) => return held_money(world, bank, payment, attempt).await,
        None if holds => return held_money(world, bank, payment, attempt).await,
        None => Word::Attempt(attempt.id.clone(), Outcome::NotPaid, None, None),
    };
    say(world, word).await;
}

/// Money that is not its payment's success: taken for enough, sent back by the bank, or past it.
async fn held_money(world: &Arc<World>, bank: &Arc<Bank>, payment: &PaymentRow, attempt: &AttemptRow) {
    let is_alone = attempt.more.iter().all(|(_, settled)| *settled);
    let is_short = payment.held == Some("underpaid") && payment.status != "succeeded";
    let can_return = bank.account.refund.is_some() && is_alone;
    let id = attempt.id.clone();
    let gone = gone(bank, attempt);
    if gone > 0 {
        return_outside(world, bank, attempt).await;
    } else if attempt.contested > 0 {
        // The console shows that the close took nothing back.
        say(world, Word::Attempt(id, Outcome::Paid, Some(attempt.received), None)).await;
    } else if is_short && is_alone && world.dice.chance(500_000) {
        world.judge.note_accepted(&payment.id);
        say(world, Word::Attempt(id, Outcome::AcceptUnderpaid, None, None)).await;
    } else if payment.held == Some("late") && is_alone && world.dice.chance(300_000) {
        let amount = Some(attempt.received);
        say(world, Word::Attempt(id, Outcome::Paid, amount, None)).await;
    } else if can_return && attempt.state != "paid" && world.dice.chance(500_000) {
        say(world, Word::Attempt(id, Outcome::Refund, None, None)).await;
    } else {
        return_outside(world, bank, attempt).await;
    }
}

async fn return_outside(world: &Arc<World>, bank: &Arc<Bank>, attempt: &AttemptRow) {
    let beside: i64 = attempt.more.iter().filter(|(_, settled)| !settled).map(|(amount, _)| amount).sum();
    let own = if attempt.state == "paid" { attempt.contested } else { attempt.received - attempt.refunded };
    // What a close has sent back is gone already; the rest is paid back by hand.
    let gone = gone(bank, attempt).min(beside + own);
    let word = Word::Attempt(attempt.id.clone(), Outcome::ReturnedOutside, None, None);
    let is_taken = match say(world, word).await {
        Heard::Taken => true,
        Heard::Refused => false,
        Heard::Unsure => is_booked_out(world, attempt, own > 0).await,
    };
    if is_taken {
        let mut books = bank.books();
        books.outside += beside + own - gone;
        if let Some(order) = books.orders.get_mut(&attempt.number) {
            order.written_off += gone;
            order.is_returned |= gone < beside + own;
        }
    }
}

/// Whether the word was taken although its answer was lost: the ledger shows it after a while. Where only what
/// came in beside was to go back, a refund of the rest is no sign of it.
async fn is_booked_out(world: &Arc<World>, before: &AttemptRow, is_own_too: bool) -> bool {
    world.nap(MINUTE_MS, MINUTE_MS).await;
    let ledger = books::read(&world.disk.store, Timestamp::from_ms(START.ms() + world.ms())).await;
    let mut attempts = ledger.payments.iter().flat_map(|payment| &payment.attempts);
    let settled = |a: &AttemptRow| {
        let beside: i64 = a.more.iter().filter(|(_, settled)| *settled).map(|(sum, _)| sum).sum();
        beside + if is_own_too { a.refunded } else { 0 }
    };
    attempts.any(|now| now.id == before.id && now.refunding == 0 && settled(now) > settled(before))
}

/// Somebody reads the console wrong, and calls a payout not done that may well be. Never a refund: the room
/// that a wrong word gives away can be used by another one.
async fn err(world: &Arc<World>, ledger: &Ledger) {
    let may_be_done = |row: &&OutflowRow| {
        let is_shown = world.bank(&row.channel).is_some_and(|bank| bank.shows(OutgoKind::Payout));
        is_shown && matches!(row.state, "pending" | "unknown")
    };
    for row in ledger.transfers.iter().filter(may_be_done) {
        if world.faults.strikes(Fault::OperatorErrs) {
            say(world, Word::Transfer(row.id.clone(), false)).await;
        }
    }
}

/// How much of an order's money a close has sent back that is still in paymux's books.
fn gone(bank: &Bank, attempt: &AttemptRow) -> i64 {
    let books = bank.books();
    let Some(order) = books.orders.get(&attempt.number) else { return 0 };
    let booked = attempt.received + attempt.more.iter().map(|(amount, _)| amount).sum::<i64>();
    order.reversed().min(booked - order.taken()).max(0) - order.written_off
}

/// What the console shows of an outflow is so; what waits there for a person is opened first.
async fn outflow(world: &Arc<World>, rows: &[OutflowRow], of: OutgoKind, id: &str) {
    let Some(row) = rows.iter().find(|row| row.id == id) else { return };
    let Some(bank) = world.bank(&row.channel) else { return };
    let fails = world.dice.chance(300_000);
    bank.settle(of, &row.number, fails, world.ms());
    // Where clocks are right, no word is taken while a request can still be under way.
    if world.a_clock_was_wrong() {
        bank.block_at_console(of, &row.number);
    }
    let outgo = bank.books().outgoes(of).get(&row.number).cloned();
    let is_done = outgo.is_some_and(|outgo: Outgo| !outgo.left_at.is_empty());
    let id = row.id.clone();
    let word = match of {
        OutgoKind::Back => Word::Refund(id, is_done),
        OutgoKind::Payout => Word::Transfer(id, is_done),
    };
    say(world, word).await;
}

/// A callback that fits nothing. Where the console shows money of that order that is not booked, that is said
/// of its attempt first.
async fn unmatched_callback(world: &Arc<World>, ledger: &Ledger, row: &QueueRow) {
    let Some(bank) = world.bank(&row.channel) else { return };
    let Some(callback) = ledger.callbacks.iter().find(|callback| callback.id == row.id) else { return };
    if let Some((payment, attempt)) = unbooked(ledger, &bank, &callback.body) {
        unknown_attempt(world, &bank, payment, attempt).await;
    }
    if say(world, Word::Callback(row.id.clone())).await == Heard::Taken {
        world
            .trace
            .line(world.ms(), || format!("operator: {} at {}: {}", row.id, bank.account.id, callback.body));
    }
}

/// The attempt that a callback names, where its order holds money and none of it is booked.
fn unbooked<'l>(ledger: &'l Ledger, bank: &Bank, body: &str) -> Option<(&'l PaymentRow, &'l AttemptRow)> {
    let number = body.split('&').find_map(|pair| pair.strip_prefix("number="))?;
    let is_its = |attempt: &&AttemptRow| attempt.channel == bank.account.id && attempt.number == number;
    let (payment, attempt) =
        ledger.payments.iter().find_map(|payment| Some((payment, payment.attempts.iter().find(is_its)?)))?;
    let is_paid = bank.books().orders.get(number).is_some_and(|order| order.taken() > 0);
    (is_paid && attempt.received == 0 && attempt.more.is_empty()).then_some((payment, attempt))
}
