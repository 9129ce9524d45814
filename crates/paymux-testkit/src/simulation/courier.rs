//! What a bank tells of its own accord: callbacks, their repeats, and those that somebody else sends in
//! its name.

use std::sync::Arc;

use super::accounts::{ASKED, Form, Sign};
use super::bank::{Bank, OutgoKind, Take, signed_callback};
use super::faults::Fault;
use super::world::World;

/// How long after one try the next one comes, in milliseconds. What nobody else would find out is told
/// each day after that.
const TRIES_MS: [i64; 8] = [1_500, 15_000, 60_000, 300_000, 1_800_000, 7_200_000, 21_600_000, 54_000_000];
const DAY_MS: i64 = 86_400_000;
/// How many tries there are at the most.
const TRIES_MAX: usize = 14;

/// A thing to tell.
#[derive(Debug, Clone)]
struct Message {
    kind: &'static str,
    number: String,
    amount: i64,
    currency: &'static str,
    trade_no: String,
    /// Who else tells of it.
    other: Other,
}

/// Who tells of a thing beside its callback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Other {
    /// A query, whenever it is made.
    Query,
    /// Nobody: the bank goes on telling.
    Nobody,
}

/// An order took money: its last sum.
pub(super) fn tell_paid(world: &Arc<World>, bank: &Arc<Bank>, number: &str) {
    let books = bank.books();
    let Some(order) = books.orders.get(number) else { return };
    let Some(take) = order.takes.last() else { return };
    let message = Message {
        kind: "paid",
        number: number.to_owned(),
        amount: take.amount,
        currency: take.currency,
        trade_no: take.trade_no.clone(),
        other: who_else_tells(world, bank, take),
    };
    drop(books);
    tell(world, bank, &message);
}

/// Who else shows that sum. No query where the bank takes money on what it called ended, or may take it
/// twice: then its callbacks are all there is.
fn who_else_tells(world: &World, bank: &Bank, take: &Take) -> Other {
    let may_come_twice = bank.account.sign == Sign::All
        && bank.account.form == Form::Qr
        && world.faults.is_on(Fault::PaysTwice);
    if !bank.account.query || take.late || may_come_twice {
        return Other::Nobody;
    }
    Other::Query
}

/// Money on its way out has ended.
pub(super) fn tell_outgo(world: &Arc<World>, bank: &Arc<Bank>, of: OutgoKind, number: &str) {
    let habit = match of {
        OutgoKind::Back => bank.account.refund,
        OutgoKind::Payout => bank.account.payout,
    };
    let outgo = bank.books().outgoes(of).get(number).cloned();
    let (Some(habit), Some(outgo)) = (habit.filter(|habit| habit.told), outgo) else { return };
    let kind = match (of, outgo.state) {
        (OutgoKind::Back, "done") => "back",
        (OutgoKind::Back, _) => "back_failed",
        (OutgoKind::Payout, "done") => "payout",
        (OutgoKind::Payout, _) => "payout_failed",
    };
    let trade_no = format!("o-{}", &number[number.len().saturating_sub(8)..]);
    let other = if habit.query { Other::Query } else { Other::Nobody };
    let (number, amount, currency) = (number.to_owned(), outgo.amount, outgo.currency);
    tell(world, bank, &Message { kind, number, amount, currency, trade_no, other });
}

fn tell(world: &Arc<World>, bank: &Arc<Bank>, message: &Message) {
    let text = written(bank, message);
    forge_beside(world, bank, message);
    let is_forgotten = message.other != Other::Nobody && world.faults.strikes(Fault::CallbackForgotten);
    match (is_forgotten, message.other) {
        (false, Other::Query) => begin(world, bank, text, Until::TriesEnd),
        (false, Other::Nobody) => begin(world, bank, text, Until::Acknowledged),
        (true, _) => {}
    }
}

/// How long the bank goes on telling.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Until {
    /// Until it is acknowledged.
    Acknowledged,
    /// As that, but not longer than its tries last.
    TriesEnd,
}

fn begin(world: &Arc<World>, bank: &Arc<Bank>, text: String, until: Until) {
    if world.faults.strikes(Fault::CallbackTwice) {
        let (world, bank, text) = (world.clone(), bank.clone(), text.clone());
        world.clone().spawn(async move {
            world.nap(50, 3_000).await;
            world.hand_callback(&bank, text).await;
        });
    }
    let (world, bank) = (world.clone(), bank.clone());
    world.clone().spawn(async move { repeat(&world, &bank, &text, until).await });
}

/// Tells it until it is acknowledged, or nobody is to be told any more.
async fn repeat(world: &Arc<World>, bank: &Arc<Bank>, text: &str, until: Until) {
    if world.faults.strikes(Fault::CallbackLate) {
        let most = world.dice.one_of(&[5_000, 120_000, 3_600_000, 6 * 3_600_000]);
        world.nap(1_000, most).await;
    } else {
        world.nap(20, TRIES_MS[0]).await;
    }
    for place in 0..TRIES_MAX {
        if place >= TRIES_MS.len() && until == Until::TriesEnd {
            return;
        }
        let lost = world.faults.strikes(Fault::CallbackLost);
        if !lost && world.hand_callback(bank, text.to_owned()).await == Some(true) {
            if bank.account.sign == Sign::NotTrade {
                forge_trade(world, bank, text);
            }
            return;
        }
        let pause = TRIES_MS.get(place).copied().unwrap_or(DAY_MS);
        world.nap(pause, pause + pause / 4).await;
    }
}

fn written(bank: &Bank, message: &Message) -> String {
    let pairs = [
        ("kind", message.kind.to_owned()),
        ("number", message.number.clone()),
        ("amount", message.amount.to_string()),
        ("currency", message.currency.to_owned()),
        ("trade_no", message.trade_no.clone()),
    ];
    signed_callback(&pairs, bank.account.sign, &bank.secret)
}

/// Somebody who has seen a true callback alters it, and does not know the secret.
fn forge_beside(world: &Arc<World>, bank: &Arc<Bank>, message: &Message) {
    let text = written(bank, message);
    if world.faults.strikes(Fault::CallbackForged) {
        send_later(world, bank, text.replace("sign=", "sign=0"));
    }
    if world.faults.strikes(Fault::CallbackAmount) {
        let other = world.dice.one_of(&[1, message.amount * 100, message.amount + 1]);
        send_later(world, bank, replaced(&text, "amount", &other.to_string()));
    }
    if bank.account.sign != Sign::NotTrade {
        forge_trade(world, bank, &text);
    }
    if world.faults.strikes(Fault::CallbackCut) {
        send_later(world, bank, text[..world.dice.place(text.len())].to_owned());
    }
    tell_of_another(world, bank, message);
}

/// The account has another user: the bank tells of an order that no paymux has made.
fn tell_of_another(world: &Arc<World>, bank: &Arc<Bank>, message: &Message) {
    if world.faults.strikes(Fault::CallbackUnknown) {
        let number = format!("other-{}", world.dice.between(1, 99_999));
        let message = Message { trade_no: format!("t-{number}"), number, ..message.clone() };
        send_later(world, bank, written(bank, &message));
    }
}

/// Where the number is not signed, only who has seen the true one arrive alters it: of two such numbers
/// the first that comes is booked, and nobody could tell which is true.
fn forge_trade(world: &Arc<World>, bank: &Arc<Bank>, text: &str) {
    if world.faults.strikes(Fault::CallbackTrade) {
        let other = format!("x{}", world.dice.between(1, 99_999));
        send_later(world, bank, replaced(text, "trade_no", &other));
    }
}

/// Somebody who wants goods without paying sends what a payment would look like.
pub(super) fn forge_paid(world: &Arc<World>, bank: &Arc<Bank>, number: &str) {
    if !world.faults.strikes(Fault::CallbackForged) {
        return;
    }
    let amount = bank.books().orders.get(number).map_or(1, |order| order.amount);
    let pairs = [
        ("kind", "paid".to_owned()),
        ("number", number.to_owned()),
        ("amount", amount.to_string()),
        ("currency", ASKED.to_owned()),
        ("trade_no", "x1".to_owned()),
    ];
    send_later(world, bank, signed_callback(&pairs, bank.account.sign, "0000000000000000"));
}

fn replaced(text: &str, name: &str, value: &str) -> String {
    let pairs = text.split('&').map(|pair| match pair.split_once('=') {
        Some((known, _)) if known == name => format!("{name}={value}"),
        _ => pair.to_owned(),
    });
    pairs.collect::<Vec<_>>().join("&")
}

fn send_later(world: &Arc<World>, bank: &Arc<Bank>, text: String) {
    let (world, bank) = (world.clone(), bank.clone());
    world.clone().spawn(async move {
        let most = world.dice.one_of(&[2_000, 60_000, 3_600_000]);
        world.nap(10, most).await;
        world.hand_callback(&bank, text).await;
    });
}
