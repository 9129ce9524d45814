//! What must hold once nothing goes wrong any more: every promise has come to an end, everything that
//! moved is booked, and everybody knows.

use std::collections::{BTreeMap, BTreeSet};

use super::{Kind, Notes};
use super::{entries, limits, looks, sums};
use crate::simulation::books::{EventRow, Ledger, OutflowRow, PaymentRow};
use crate::simulation::world::World;

/// When the judge looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::simulation) enum Hour {
    /// After days of calm, before any operator has looked: what is not at its end waits for one.
    Calm,
    /// After operators have dealt with all that waited: nothing does.
    Resolved,
}

/// Looks at everything; each broken promise is written down.
pub(in crate::simulation) fn check_end(world: &World, ledger: &Ledger, hour: Hour) {
    let mut found = Vec::new();
    {
        let notes = world.judge.notes();
        promises(&notes, ledger, &mut found);
        notices(&notes, ledger, hour, &mut found);
        looks::check(&notes.looks, world, ledger, &mut found);
    }
    endings(ledger, hour, &mut found);
    one_of_each(ledger, &mut found);
    seen(ledger, &mut found);
    sums::check(world, ledger, hour, &mut found);
    entries::check(ledger, &mut found);
    if hour == Hour::Resolved {
        limits::check(ledger, &mut found);
    }
    for what in found {
        world.judge.object(world, format!("{what} ({hour:?})"));
    }
}

/// J2: what was acknowledged is there, as it was acknowledged.
fn promises(notes: &Notes, ledger: &Ledger, found: &mut Vec<String>) {
    for ((kind, app, number), promise) in &notes.promised {
        let outflow = |rows: &[OutflowRow]| {
            let mut rows = rows.iter();
            rows.any(|row| {
                row.id == promise.id
                    && row.app == *app
                    && row.own_no == *number
                    && row.amount == promise.amount
            })
        };
        let is_there = match kind {
            Kind::Payment => ledger.payments.iter().any(|row| {
                row.id == promise.id
                    && row.app == *app
                    && row.order_no == *number
                    && row.amount == promise.amount
            }),
            Kind::Refund => outflow(&ledger.refunds),
            Kind::Transfer => outflow(&ledger.transfers),
        };
        if !is_there {
            found.push(format!("J2: {kind:?} {app} {number} was acknowledged and is not there: {promise:?}"));
        }
    }
}

/// J2, J6: everything has ended, or itself waits for a person.
fn endings(ledger: &Ledger, hour: Hour, found: &mut Vec<String>) {
    let parked = |waits: bool| hour == Hour::Resolved || !waits;
    for payment in &ledger.payments {
        let is_over = matches!(payment.status, "succeeded" | "failed" | "canceled" | "expired");
        if !is_over && parked(ledger.waits(payment)) {
            found.push(format!("J6: {} {} is {} for ever", payment.app, payment.order_no, payment.status));
        }
        for attempt in &payment.attempts {
            if attempt.is_live() && parked(ledger.may_stay(payment, attempt)) {
                found.push(format!("J6: attempt {} is {} for ever", attempt.id, attempt.state));
            }
            if attempt.is_crossed {
                found.push(format!("J6: nobody says for ever whether {} went back", attempt.id));
            }
        }
        if payment.held.is_some() && hour == Hour::Resolved {
            found.push(format!("J6: {} still holds money: {:?}", payment.id, payment.held));
        }
    }
    for outflow in ledger.refunds.iter().chain(&ledger.transfers) {
        if !matches!(outflow.state, "succeeded" | "failed") && parked(ledger.is_queued(&outflow.id)) {
            found.push(format!("J6: {} of {} is {} for ever", outflow.id, outflow.channel, outflow.state));
        }
    }
    if hour == Hour::Resolved {
        for row in &ledger.queue {
            found.push(format!("J6: {} {} still waits for a person", row.kind, row.id));
        }
    }
}

/// J6: what waits for a person says whose it is, and is in the metric that calls one.
fn seen(ledger: &Ledger, found: &mut Vec<String>) {
    let mut kinds: BTreeMap<&str, u64> = BTreeMap::new();
    for row in &ledger.queue {
        *kinds.entry(row.kind).or_default() += 1;
        let apps = ledger.payments.iter().filter(|payment| payment.id == row.payment);
        let is_known = row.payment.is_empty() || apps.map(|payment| &payment.app).any(|app| *app == row.app);
        let is_named = !row.channel.is_empty() || row.kind == "notice_dead";
        if !is_known || !is_named {
            found.push(format!("J6: {} {} does not say whose it is: {row:?}", row.kind, row.id));
        }
    }
    let counts: BTreeMap<&str, u64> = ledger.waiting.iter().map(|(kind, count)| (*kind, *count)).collect();
    if counts != kinds {
        found.push(format!("J6: the metric says {counts:?} wait, the queue has {kinds:?}"));
    }
}

/// J7: one number of a merchant made one thing.
fn one_of_each(ledger: &Ledger, found: &mut Vec<String>) {
    let mut seen = BTreeSet::new();
    for payment in &ledger.payments {
        if !seen.insert((&payment.app, &payment.order_no)) {
            found.push(format!("J7: {} {} is two payments", payment.app, payment.order_no));
        }
    }
    for outflows in [&ledger.refunds, &ledger.transfers] {
        let mut seen = BTreeSet::new();
        for outflow in outflows.iter().filter(|outflow| !outflow.own_no.is_empty()) {
            if !seen.insert((&outflow.app, &outflow.own_no)) {
                found.push(format!("J7: {} {} is there twice", outflow.app, outflow.own_no));
            }
        }
    }
}

/// J5: every event was taken by its merchant, in sequences without a gap, and the last of them tells how
/// things stand.
fn notices(notes: &Notes, ledger: &Ledger, hour: Hour, found: &mut Vec<String>) {
    let mut sequences: BTreeMap<&str, Vec<&EventRow>> = BTreeMap::new();
    for event in &ledger.events {
        sequences.entry(&event.subject).or_default().push(event);
        let told = notes.told.get(&event.id);
        if told.is_some_and(|told| told.body != event.body || told.app != event.app) {
            found.push(format!("J5: {} was told otherwise than it stands", event.id));
        }
        let is_settled = event.delivery == "delivered" || (hour == Hour::Calm && event.delivery == "dead");
        if !is_settled || (event.delivery == "delivered" && told.is_none()) {
            found.push(format!("J5: {} {} is {} and was not told", event.kind, event.id, event.delivery));
        }
    }
    for id in notes.told.keys() {
        if !ledger.events.iter().any(|event| event.id == *id) {
            found.push(format!("J5: {id} was told and is not there"));
        }
    }
    for (subject, events) in &mut sequences {
        events.sort_by_key(|event| event.sequence);
        let is_gapless = (1..).zip(events.iter()).all(|(place, event)| event.sequence == place);
        if !is_gapless {
            found.push(format!("J5: the events of {subject} have gaps"));
        }
    }
    for payment in &ledger.payments {
        last_word(payment, sequences.get(payment.id.as_str()), found);
    }
    for outflow in ledger.refunds.iter().chain(&ledger.transfers) {
        outflow_told(outflow, ledger, found);
    }
}

/// The last event about the payment's status tells the status that it has.
fn last_word(payment: &PaymentRow, events: Option<&Vec<&EventRow>>, found: &mut Vec<String>) {
    let none = Vec::new();
    let events = events.unwrap_or(&none);
    if i64::try_from(events.len()) != Ok(payment.events) {
        found.push(format!("J5: {} has {} events, not {}", payment.id, events.len(), payment.events));
    }
    let ends = ["payment.succeeded", "payment.failed", "payment.canceled", "payment.expired"];
    let last = events.iter().rev().find(|event| ends.contains(&event.kind));
    let want = format!("payment.{}", payment.status);
    let is_over = ends.contains(&want.as_str());
    if is_over && last.is_none_or(|event| event.kind != want) {
        found.push(format!("J5: {} is {} and the last word was {last:?}", payment.id, payment.status));
    }
    let told = |kinds: &[&str]| events.iter().any(|event| kinds.contains(&event.kind));
    let duplicates = payment.attempts.iter().filter(|attempt| attempt.state == "duplicate_paid").count();
    if duplicates > events.iter().filter(|event| event.kind == "payment.duplicate_paid").count() {
        found.push(format!("J5: {} was paid twice, and its merchant was not told", payment.id));
    }
    if payment.held.is_some() && !told(&["payment.held", "payment.underpaid"]) {
        found.push(format!("J5: {} holds money, and its merchant was not told", payment.id));
    }
}

/// A merchant's refund or transfer that has ended was told so.
fn outflow_told(outflow: &OutflowRow, ledger: &Ledger, found: &mut Vec<String>) {
    if outflow.origin != "merchant" || !matches!(outflow.state, "succeeded" | "failed") {
        return;
    }
    let what = if outflow.attempt.is_empty() { "transfer" } else { "refund" };
    let want = format!("{what}.{}", outflow.state);
    let of_it = |event: &&EventRow| event.body.contains(&format!("\"id\":\"{}\"", outflow.id));
    let last = ledger.events.iter().filter(of_it).max_by_key(|event| event.sequence);
    if last.is_none_or(|event| event.kind != want) {
        found.push(format!("J5: {} is {} and the last word was {last:?}", outflow.id, outflow.state));
    }
}
