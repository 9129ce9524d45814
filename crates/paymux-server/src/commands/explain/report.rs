//! A decision as tables for people and as one document for machines.

use paymux_core::router::{Candidate, Decision};
use paymux_core::{Catalog, Currency, Money};

use super::super::console::{self, Console, Tone};
use super::super::table;
use super::{Explained, Inquiry};

/// How long the bar of a channel is that was picked each time.
const BAR_CHARS: u32 = 40;

/// The record, on one line.
pub(super) fn as_json(explained: &Explained) -> String {
    serde_json::to_string(explained).unwrap_or_default()
}

/// What was asked and picked, then every channel, then the spread.
pub(super) fn as_text(inquiry: &Inquiry, explained: &Explained, catalog: &Catalog, console: Console) {
    let decision = &explained.decision;
    let minute = catalog.day_zone.minute_of_day(inquiry.question.at);
    let at = format!("{:02}:{:02} in {}", minute / 60, minute % 60, catalog.day_zone);
    for (name, fact) in facts(decision, at) {
        console::line(&format!("{name:<9} {fact}"));
    }
    let (tone, verdict) = match &decision.picked {
        Some(channel) => (Tone::Good, channel.as_str()),
        None => (Tone::Bad, "none: no channel may take this payment"),
    };
    console::line(&format!("{:<9} {}", "picked", console.tone(tone, verdict)));
    candidates_as_text(decision, inquiry.request.amount.currency(), console);
    spread_as_text(explained, console);
}

fn facts(decision: &Decision, at: String) -> Vec<(&'static str, String)> {
    let route = match (&decision.route, &decision.strategy) {
        (Some(route), Some(strategy)) => format!("{route}, {strategy}"),
        _ => "none takes this payment".to_owned(),
    };
    let mut facts = vec![("at", at), ("route", route), ("seed", decision.seed.to_string())];
    facts.extend(decision.turn.map(|turn| ("turn", turn.to_string())));
    facts.extend(decision.sticks_to.map(|tie| ("sticks to", tie.to_string())));
    facts.extend(decision.probe_percent.map(|percent| ("probes", format!("{percent} % of payments"))));
    facts
}

fn candidates_as_text(decision: &Decision, currency: Currency, console: Console) {
    if decision.candidates.is_empty() {
        return;
    }
    let heading = ["channel", "eligible", "weight", "fee", "collected today", "last completed", "removed by"];
    let rows = decision.candidates.iter().map(|candidate| row(candidate, currency)).collect();
    let tone = |candidate: &Candidate| if candidate.eligible { Tone::Good } else { Tone::Faint };
    let tones = std::iter::once(Tone::Strong).chain(decision.candidates.iter().map(tone));
    console::line("");
    for (line, tone) in table::lines(heading, rows).iter().zip(tones) {
        console::line(&console.tone(tone, line));
    }
}

fn row(candidate: &Candidate, currency: Currency) -> [String; 7] {
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
    let removed_by = candidate.removed_by.as_ref().map(|by| format!("{}: {}", by.rule, by.detail));
    [
        candidate.channel.to_string(),
        yes(candidate.eligible),
        or_none(candidate.weight.map(|weight| weight.to_string())),
        or_none(candidate.fee_bp.map(|bp| format!("{}.{:02} %", bp / 100, bp % 100))),
        or_none(candidate.collected_today.map(|minor| Money::new(minor, currency).to_string())),
        or_none(candidate.last_completed.map(yes)),
        removed_by.unwrap_or_default(),
    ]
}

/// A bar for each channel that no rule removed, also where the strategy never picks it.
fn spread_as_text(Explained { decision, spread }: &Explained, console: Console) {
    let Some(spread) = spread.as_ref().filter(|spread| !spread.is_empty()) else { return };
    let times: u32 = spread.values().sum();
    let left = decision.candidates.iter().filter(|candidate| candidate.eligible);
    let rows = left.map(|candidate| {
        let count = spread.get(&candidate.channel).copied().unwrap_or(0);
        [candidate.channel.to_string(), count.to_string(), percent(count, times), bar(count, times)]
    });
    let lines = table::lines(["channel", "picks", "share", ""], rows.collect());
    console::line(&format!("\n{times} picks under seeds drawn from {}", decision.seed));
    console::line(&console.tone(Tone::Strong, &lines[0]));
    lines[1..].iter().for_each(|line| console::line(line));
}

/// To one decimal.
fn percent(count: u32, of: u32) -> String {
    let (count, of) = (u64::from(count), u64::from(of));
    let tenths = (count * 1000 + of / 2) / of;
    format!("{}.{} %", tenths / 10, tenths % 10)
}

/// Whoever was picked at all has a bar.
fn bar(count: u32, of: u32) -> String {
    let (count, of) = (u64::from(count), u64::from(of));
    (0..(count * u64::from(BAR_CHARS)).div_ceil(of)).map(|_| '█').collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_rounded_and_no_pick_is_lost_from_sight() {
        check(0, 3, "0.0 %", 0);
        check(1, 3, "33.3 %", 14);
        check(2, 3, "66.7 %", 27);
        check(3, 3, "100.0 %", 40);
        check(1, 1_000_000, "0.0 %", 1);
        check(1_000_000, 1_000_000, "100.0 %", 40);

        #[track_caller]
        fn check(count: u32, of: u32, share: &str, length: usize) {
            assert_eq!((percent(count, of).as_str(), bar(count, of).chars().count()), (share, length));
        }
    }
}
