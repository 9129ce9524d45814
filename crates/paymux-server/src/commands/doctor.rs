//! `paymux doctor`: proves on the ledger as it is that its money adds up.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use paymux_core::{Clock as _, Timestamp};
use paymux_store::doctor::{Check, Outcome, checks};
use paymux_store::{Ledger, Options as StoreOptions};
use paymux_transport::SystemClock;
use serde_json::json;

use super::check::Form;
use super::console::{self, Console, Tone};
use super::progress::Bar;
use super::{End, configured, table};
use crate::config::Config;
use crate::environment::Environment;

/// What its exit codes mean.
pub(super) const CODES: &str = "\
Exit codes:
  0    every rule holds
  1    something breaks a rule
  2    it could not run: a mistake on the command line or in the configuration, or no ledger to look at";

/// Examines the ledger that the file names.
pub(super) async fn run(file: &Path, environment: &Environment, form: Form) -> End {
    let Some(config) = configured(file, environment) else { return End::NotRun };
    let now = SystemClock::new().now();
    match examine(&config, now).await {
        Ok(outcomes) => {
            match form {
                Form::Json => console::line(&as_json(now, &outcomes).to_string()),
                Form::Text => as_text(&outcomes, Console::of_process()),
            }
            if is_sound(&outcomes) { End::Done } else { End::Mistake }
        }
        Err(error) => {
            console::error(&format!("{error:#}"));
            End::NotRun
        }
    }
}

async fn examine(config: &Config, now: Timestamp) -> anyhow::Result<Vec<Outcome>> {
    let url = config.settings.store_url.expose();
    let ledger = Ledger::look(url, StoreOptions::default()).await?;
    let bar = Bar::of(checks().len());
    let outcomes = ledger.examine(now, &shown_on(bar.clone())).await;
    bar.end();
    ledger.close().await;
    Ok(outcomes?)
}

/// Shows each check as it begins: only those before it are done by then.
fn shown_on(bar: Bar) -> impl Fn(&'static Check) + Send + Sync {
    let begun = AtomicU64::new(0);
    move |check| {
        bar.doing(check.name);
        bar.at(begun.fetch_add(1, Ordering::Relaxed));
    }
}

fn is_sound(outcomes: &[Outcome]) -> bool {
    outcomes.iter().all(|outcome| outcome.count == 0)
}

fn as_json(now: Timestamp, outcomes: &[Outcome]) -> serde_json::Value {
    let checks = outcomes.iter().map(|Outcome { check, count, ids }| {
        json!({
            "name": check.name,
            "rule": check.rule,
            "why": check.why,
            "todo": check.todo,
            "found": count,
            "ids": ids,
        })
    });
    json!({ "ok": is_sound(outcomes), "at": now, "checks": checks.collect::<Vec<_>>() })
}

/// A table of all rules, then what is to be known of each that does not hold.
fn as_text(outcomes: &[Outcome], console: Console) {
    let rows = outcomes.iter().map(row).collect();
    let tones = std::iter::once(Tone::Strong).chain(outcomes.iter().map(tone));
    for (line, tone) in table::lines(["check", "found", "rule"], rows).iter().zip(tones) {
        console::line(&console.tone(tone, line));
    }
    for outcome in outcomes.iter().filter(|outcome| outcome.count > 0) {
        let Outcome { check, .. } = outcome;
        console::line(&format!("\n{}: {}", console.tone(Tone::Bad, check.name), listed(outcome)));
        console::line(&format!("  why: {}", check.why));
        console::line(&format!("  do:  {}", check.todo));
    }
    let broken = outcomes.iter().filter(|outcome| outcome.count > 0).count();
    let verdict = match broken {
        0 => console.tone(Tone::Good, "the ledger is sound"),
        _ => console.tone(Tone::Bad, &format!("{broken} of them do not hold")),
    };
    console::line(&format!("\n{} rules: {verdict}", outcomes.len()));
}

fn row(outcome: &Outcome) -> [String; 3] {
    let Outcome { check, count, .. } = outcome;
    [check.name.to_owned(), count.to_string(), check.rule.to_owned()]
}

fn tone(outcome: &Outcome) -> Tone {
    if outcome.count == 0 { Tone::Good } else { Tone::Bad }
}

fn listed(outcome: &Outcome) -> String {
    let rest = outcome.count.saturating_sub(outcome.ids.len() as u64);
    let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    outcome.ids.join(", ") + &more
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_check_is_not_done_when_it_begins() {
        let bar = Bar::of(checks().len());
        let begins = shown_on(bar.clone());
        for (before, check) in (0..).zip(checks()) {
            begins(check);
            assert_eq!(bar.done(), before, "{}", check.name);
        }
    }
}
