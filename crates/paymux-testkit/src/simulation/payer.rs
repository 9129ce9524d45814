//! Payers: they pay what they are shown, when they like, sometimes twice, sometimes too late, sometimes
//! another sum.

use std::sync::Arc;

use serde_json::Value;

use super::accounts::{ASKED, End, FOREIGN, Form};
use super::bank::{Bank, Followup, Paid};
use super::faults::Fault;
use super::world::World;

/// A payer sees a payment: what its code says, a payer can scan.
pub(super) fn look_at(world: &Arc<World>, view: &Value) {
    let Some((bank, number)) = shown(world, view) else { return };
    // The judge has noted that it was seen; the first sight brings the payer.
    if !bank.invite(&number) {
        return;
    }
    if !world.dice.chance(750_000) {
        return;
    }
    let amount = view["amount"].as_i64().unwrap_or(0);
    let late = world.faults.strikes(Fault::PaysLate);
    let world = world.clone();
    world.clone().spawn(async move {
        let most = world.dice.one_of(&[2_000, 30_000, 300_000, 1_700_000]);
        world.nap(500, most).await;
        if late {
            world.nap(600_000, 20 * 3_600_000).await;
        }
        pay(&world, &bank, &number, amount, late).await;
    });
}

/// The account and number of the code that a view shows.
pub(super) fn shown(world: &World, view: &Value) -> Option<(Arc<Bank>, String)> {
    let mut words = view["next_action"]["qr"].as_str()?.split(':');
    match (words.next(), words.next(), words.next(), words.next()) {
        (Some("qr"), Some(account), Some(number), None) => Some((world.bank(account)?, number.to_owned())),
        _ => None,
    }
}

async fn pay(world: &Arc<World>, bank: &Arc<Bank>, number: &str, asked: i64, late: bool) {
    let amount = if asked > 1 && world.faults.strikes(Fault::PaysShort) {
        world.dice.between(1, asked - 1)
    } else if world.faults.strikes(Fault::PaysOver) {
        asked + world.dice.between(1, 500)
    } else {
        asked
    };
    let is_foreign = bank.account.takes_foreign && world.faults.strikes(Fault::PaysForeign);
    let currency = if is_foreign { FOREIGN } else { ASKED };
    let mut paid = bank.pay_in(currency, number, amount, world.ms());
    let has_ended = paid == Paid::Refused && late;
    if has_ended {
        paid = bank.pay_anyway(number, amount, world.ms());
    }
    let what = format!("{amount} {currency} on {} {number}", bank.account.id);
    world.trace.line(world.ms(), || format!("payer: {what}: {paid:?}"));
    if paid == Paid::Refused {
        return;
    }
    if has_ended {
        world.count("state: bank takes money on an ended order");
    } else if late && bank.account.end == End::Never {
        world.count("state: payer pays a lapsed order");
    }
    world.follow_up(bank, Followup::Took(number.to_owned()));
    if world.faults.strikes(Fault::PaysTwice) {
        world.nap(100, 120_000).await;
        let again = bank.pay_anyway(number, amount, world.ms());
        world.trace.line(world.ms(), || format!("payer: {amount} on {number} once more: {again:?}"));
        if again == Paid::Taken {
            world.follow_up(bank, Followup::Took(number.to_owned()));
        }
    }
}

/// A payer finds an order in the wallet's own list that no merchant has shown, and pays it.
pub(super) fn find_unseen(world: &Arc<World>, bank: &Arc<Bank>, number: &str) {
    if bank.account.form != Form::Qr || !world.faults.strikes(Fault::PaysUnseen) {
        return;
    }
    let (world, bank, number) = (world.clone(), bank.clone(), number.to_owned());
    world.clone().spawn(async move {
        let most = world.dice.one_of(&[5_000, 60_000, 1_200_000]);
        world.nap(100, most).await;
        let order = bank.books().orders.get(&number).cloned();
        let unseen = order.filter(|order| order.seen_at.is_none());
        let Some(order) = unseen else { return };
        let paid = bank.pay(&number, order.amount, world.ms());
        world.trace.line(world.ms(), || format!("payer: finds {number} unshown: {paid:?}"));
        if paid == Paid::Taken {
            world.follow_up(&bank, Followup::Took(number));
        }
    });
}

/// A payer has two orders of one purchase in the wallet's own list, and pays both: the second one is money
/// that nobody asked for.
pub(super) fn pay_beside(world: &Arc<World>, bank: &Arc<Bank>, number: &str) {
    for (bank, number) in superseded(world, bank, number) {
        if !world.faults.strikes(Fault::PaysBeside) {
            continue;
        }
        let world = world.clone();
        world.clone().spawn(async move {
            let most = world.dice.one_of(&[2_000, 60_000, 1_200_000, 10 * 3_600_000]);
            world.nap(100, most).await;
            let amount = bank.books().orders.get(&number).map_or(0, |order| order.amount);
            let paid = bank.pay_unless_paid(&number, amount, world.ms());
            world.trace.line(world.ms(), || format!("payer: pays {number} beside: {paid:?}"));
            if paid == Paid::Taken {
                world.follow_up(&bank, Followup::Took(number));
            }
        });
    }
}

/// Of the purchase of that order: every code without money on it, if money is on another one.
fn superseded(world: &World, bank: &Bank, number: &str) -> Vec<(Arc<Bank>, String)> {
    let subject = bank.books().orders.get(number).map(|order| order.subject.clone());
    let Some(subject) = subject else { return Vec::new() };
    let (mut is_paid, mut unpaid) = (false, Vec::new());
    for bank in &world.banks {
        for (number, order) in bank.books().orders.iter().filter(|(_, order)| order.subject == subject) {
            is_paid |= order.is_paid();
            if bank.account.form == Form::Qr && order.takes.is_empty() {
                unpaid.push((bank.clone(), number.clone()));
            }
        }
    }
    if is_paid { unpaid } else { Vec::new() }
}

/// The payer at the till types a password, or gives up.
pub(super) fn type_at_till(world: &Arc<World>, bank: &Arc<Bank>, number: String) {
    let (world, bank) = (world.clone(), bank.clone());
    world.clone().spawn(async move {
        world.nap(2_000, 45_000).await;
        let amount = bank.books().orders.get(&number).map_or(0, |order| order.amount);
        if !world.dice.chance(700_000) {
            bank.drop_order(&number, world.ms());
            return;
        }
        let paid = bank.pay(&number, amount, world.ms());
        world.trace.line(world.ms(), || format!("payer: types at {}: {paid:?}", bank.account.id));
        if paid == Paid::Taken {
            world.follow_up(&bank, Followup::Took(number));
        }
    });
}
