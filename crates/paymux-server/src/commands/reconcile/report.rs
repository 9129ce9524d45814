//! What a reconciliation came to, as a table for people and as one document for machines.

use paymux_core::Money;
use paymux_core::reconcile::compare::{Here, There};
use paymux_core::reconcile::{Comparison, DAY_ZONE, Day, Difference, Part, Records, Report, Stage};
use paymux_core::{Currency, Timestamp};
use serde_json::{Value, json};

use super::super::End;
use super::super::console::{self, Console, Tone};
use super::super::table;

/// How the command ends: not run to its end before differences, differences before a match. What cannot be
/// compared is told and is no fault, unless nothing could be.
pub(super) fn end(reports: &[Report]) -> End {
    let parts = || reports.iter().flat_map(|report| &report.parts).map(|(_, part)| part);
    let compared = || parts().filter_map(comparison);
    if parts().any(|part| matches!(part, Part::Failed(_))) || compared().next().is_none() {
        return End::NotRun;
    }
    if compared().any(|comparison| !comparison.differences.is_empty()) { End::Mistake } else { End::Done }
}

fn comparison(part: &Part) -> Option<&Comparison> {
    match part {
        Part::Compared(comparison) => Some(comparison),
        Part::NotReconcilable(_) | Part::Failed(_) => None,
    }
}

/// One document.
pub(super) fn as_json(day: Day, reports: &[Report]) -> Value {
    let channels = reports.iter().map(|report| {
        let mut told = json!({ "channel": report.channel, "provider": report.provider });
        for (records, part) in &report.parts {
            told[records.word()] = part_as_json(part);
        }
        told
    });
    json!({
        "ok": end(reports) == End::Done,
        "day": day.to_string(),
        "zone": DAY_ZONE,
        "from": day.from,
        "to": day.to,
        "channels": channels.collect::<Vec<_>>(),
    })
}

fn part_as_json(part: &Part) -> Value {
    match part {
        Part::NotReconcilable(reason) => json!({ "status": "not_reconcilable", "reason": reason }),
        Part::Failed(reason) => json!({ "status": "failed", "reason": reason }),
        Part::Compared(comparison) => {
            let counts = comparison.counts.iter().map(|(kind, count)| (kind.word().to_owned(), json!(count)));
            let moved = comparison.moved.iter().map(|(currency, moved)| {
                ((*currency).to_owned(), json!({ "here": moved.here, "there": moved.there }))
            });
            json!({
                "status": "compared",
                "counts": counts.collect::<serde_json::Map<_, _>>(),
                "moved": moved.collect::<serde_json::Map<_, _>>(),
                "differences": comparison.differences.iter().map(difference_as_json).collect::<Vec<_>>(),
            })
        }
    }
}

fn difference_as_json(difference: &Difference) -> Value {
    let side = |state: &str, amount: Option<Money>, moved: Option<Money>, created_at: Timestamp| {
        json!({
            "state": state,
            "amount": amount.map(Money::minor),
            "moved": moved.map(Money::minor),
            "currency": moved.or(amount).map(|money| money.currency().code()),
            "created_at": created_at,
        })
    };
    json!({
        "kind": difference.kind.word(),
        "number": difference.number,
        "payment": difference.payment,
        "here": difference.here.as_ref().map(|h| side(h.state, Some(h.amount), h.moved, h.created_at)),
        "there": difference.there.as_ref().map(|t| {
            let mut told = side(stage(t.stage), t.amount, t.moved, t.created_at);
            told["flaw"] = json!(t.flaw);
            told
        }),
    })
}

/// What a provider's record says of itself.
fn stage(stage: Stage) -> &'static str {
    match stage {
        Stage::Waiting => "waiting",
        Stage::Moved => "moved",
        Stage::Never => "never",
        Stage::Reverted => "reverted",
    }
}

/// Tables.
pub(super) fn as_text(day: Day, reports: &[Report], console: Console) {
    console::line(&format!("{day} in {DAY_ZONE}: {} to {}", day.from, day.to));
    for report in reports {
        let name = console.tone(Tone::Strong, report.channel.as_str());
        console::line(&format!("\n{name} ({})", report.provider));
        for (records, part) in &report.parts {
            part_as_text(*records, part, console);
        }
    }
}

fn part_as_text(records: Records, part: &Part, console: Console) {
    match part {
        Part::NotReconcilable(reason) => {
            console::line(&format!("  {records}: not reconcilable: {reason}"));
        }
        Part::Failed(reason) => {
            let failed = console.tone(Tone::Bad, "not compared");
            console::line(&format!("  {records}: {failed}: {reason}"));
        }
        Part::Compared(comparison) => {
            console::line(&format!("  {records}: {}", summary(comparison, console)));
            for line in differences_as_table(&comparison.differences) {
                console::line(&format!("    {line}"));
            }
        }
    }
}

fn summary(comparison: &Comparison, console: Console) -> String {
    let mut words: Vec<String> = Vec::new();
    for (kind, count) in &comparison.counts {
        let tone = if kind.is_difference() { Tone::Bad } else { Tone::Good };
        words.push(console.tone(tone, &format!("{count} {kind}")));
    }
    if words.is_empty() {
        words.push("none on either side".to_owned());
    }
    for (code, moved) in &comparison.moved {
        let Some(currency) = Currency::from_code(code) else { continue };
        let text = |minor| Money::new(minor, currency).to_decimal();
        words.push(format!("{} {code} here, {} {code} there", text(moved.here), text(moved.there)));
    }
    words.join(", ")
}

/// One line a difference, in columns, under a heading.
fn differences_as_table(differences: &[Difference]) -> Vec<String> {
    if differences.is_empty() {
        return Vec::new();
    }
    let heading = ["difference", "number", "here", "there", "payment"];
    table::lines(heading, differences.iter().map(row).collect())
}

fn row(difference: &Difference) -> [String; 5] {
    let none = || "-".to_owned();
    [
        difference.kind.to_string(),
        printable(&difference.number),
        difference.here.as_ref().map_or_else(none, here),
        difference.there.as_ref().map_or_else(none, there),
        difference.payment.map_or_else(none, |payment| payment.to_string()),
    ]
}

/// A provider's text does nothing to a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn here(here: &Here) -> String {
    sums(here.state, Some(here.amount), here.moved)
}

fn there(there: &There) -> String {
    let told = sums(stage(there.stage), there.amount, there.moved);
    match there.flaw {
        Some(flaw) => format!("{told} ({flaw})"),
        None => told,
    }
}

/// What has moved, of what it is for.
fn sums(state: &str, amount: Option<Money>, moved: Option<Money>) -> String {
    match (moved, amount) {
        (Some(moved), Some(amount)) if moved == amount => format!("{state} {moved}"),
        (Some(moved), Some(amount)) => format!("{state} {moved} of {amount}"),
        (Some(moved), None) => format!("{state} {moved}"),
        (None, Some(amount)) => format!("{state} 0 of {amount}"),
        (None, None) => state.to_owned(),
    }
}
