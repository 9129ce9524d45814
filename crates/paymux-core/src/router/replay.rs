//! A choice made again from its record alone: no catalog, no figures, no clock. What a record says was left is
//! believed; what the strategy then does with it is worked out anew, by the code that did it then.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use super::own::{Own, OwnStrategy};
use super::seed::{Seed, Tie};
use super::strategy::{Lot, Member, Prepared};
use super::table::Sheet;
use crate::catalog::Strategy;
use crate::ids::ChannelId;

/// Why a record cannot be replayed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("this is no record of a decision that can be replayed: {0}")]
pub struct ReplayError(String);

/// A record, as far as a pick depends on it.
#[derive(Deserialize)]
struct Record {
    strategy: Option<String>,
    seed: Seed,
    turn: Option<u64>,
    sticks_to: Option<Tie>,
    probe_percent: Option<u8>,
    candidates: Vec<Row>,
}

#[derive(Deserialize)]
struct Row {
    channel: ChannelId,
    eligible: bool,
    weight: Option<u32>,
    fee_bp: Option<u32>,
    collected_today: Option<i64>,
    last_completed: Option<bool>,
    success_ppm: Option<i64>,
}

/// The channel that the choice of that record picked; `None` where it picked none. The record's own `picked` is
/// not looked at.
///
/// # Errors
/// When it is no record, or lacks what its strategy looked at.
pub fn replay(record: &Value) -> Result<Option<ChannelId>, ReplayError> {
    let record = Record::deserialize(record).map_err(|error| ReplayError(error.to_string()))?;
    if record.candidates.iter().all(|row| !row.eligible) {
        return Ok(None);
    }
    let strategy = record.strategy()?;
    let turn = match strategy {
        Strategy::RoundRobin => record.turn.ok_or_else(|| missing("turn"))?,
        _ => 0,
    };
    let probe_percent = match strategy {
        Strategy::Adaptive => record.probe_percent.ok_or_else(|| missing("probe_percent"))?,
        _ => 0,
    };
    let prepared = Prepared::over(strategy, &record.members(strategy)?, probe_percent);
    let mut sheet = record.sheet(strategy)?;
    let place = prepared.pick(&mut sheet, Lot { seed: record.seed.number(), turn });
    Ok(place.and_then(|place| record.candidates.get(place)).map(|row| row.channel.clone()))
}

/// As [`replay`], of a record that a strategy of an embedder's own made.
///
/// # Errors
/// When it is no record, or one of another strategy.
pub fn replay_by(record: &Value, own: Arc<dyn OwnStrategy>) -> Result<Option<ChannelId>, ReplayError> {
    let record = Record::deserialize(record).map_err(|error| ReplayError(error.to_string()))?;
    if record.strategy.as_deref() != Some(own.name()) {
        return Err(ReplayError(format!("its strategy is not `{}`", own.name())));
    }
    let members: Vec<Member<'_>> = record.plain_members().collect();
    let left = Sheet::of_record(record.candidates.len(), record.left());
    let place = Own::new(own, &members).pick(left.left(), record.seed.number());
    Ok(place.and_then(|place| record.candidates.get(place)).map(|row| row.channel.clone()))
}

impl Record {
    /// The places of those that were left.
    fn left(&self) -> impl Iterator<Item = usize> {
        self.candidates.iter().enumerate().filter(|(_, row)| row.eligible).map(|(place, _)| place)
    }

    fn plain_members(&self) -> impl Iterator<Item = Member<'_>> {
        self.candidates.iter().map(|row| Member {
            id: &row.channel,
            weight: row.weight.unwrap_or(1),
            fee_bp: row.fee_bp,
        })
    }

    fn strategy(&self) -> Result<Strategy, ReplayError> {
        let word = self.strategy.as_deref().ok_or_else(|| missing("strategy"))?;
        let known = || Strategy::ALL.iter().map(|strategy| strategy.word()).collect::<Vec<_>>().join(", ");
        Strategy::from_word(word)
            .ok_or_else(|| ReplayError(format!("unknown strategy `{word}`; known: {}", known())))
    }

    fn members(&self, strategy: Strategy) -> Result<Vec<Member<'_>>, ReplayError> {
        let weighs = matches!(strategy, Strategy::Weighted | Strategy::RoundRobin);
        let member = |row: &Row| match row.weight.filter(|weight| *weight > 0) {
            None if weighs => Err(missing_of(row, "weight")),
            weight => Ok((weight.unwrap_or(1), row.fee_bp)),
        };
        let members = self.candidates.iter().map(|row| {
            let (weight, fee_bp) = member(row)?;
            Ok(Member { id: &row.channel, weight, fee_bp })
        });
        members.collect()
    }

    fn sheet(&self, strategy: Strategy) -> Result<Sheet, ReplayError> {
        let rows = || self.candidates.iter();
        let mut sheet = Sheet::of_record(self.candidates.len(), self.left());
        if strategy.looks_at_collected() {
            let sum = |row: &Row| row.collected_today.ok_or_else(|| missing_of(row, "collected_today"));
            let sums: Vec<i64> = rows().map(sum).collect::<Result<_, _>>()?;
            sheet.look_at(sums.into_iter());
        }
        if strategy.looks_at_rates() {
            let rate = |row: &Row| row.success_ppm.ok_or_else(|| missing_of(row, "success_ppm"));
            let rates: Vec<i64> = rows().map(rate).collect::<Result<_, _>>()?;
            sheet.look_at(rates.into_iter());
        }
        if strategy.looks_at_last_completed() {
            let is_last = |row: &Row| row.last_completed.ok_or_else(|| missing_of(row, "last_completed"));
            let marks: Vec<bool> = rows().map(is_last).collect::<Result<_, _>>()?;
            sheet.look_at_last_completed(marks.iter().position(|is_last| *is_last));
        }
        if strategy == Strategy::Sticky {
            let tie = self.sticks_to.ok_or_else(|| missing("sticks_to"))?;
            sheet.look_at_tie(tie.0);
        }
        Ok(sheet)
    }
}

fn missing(field: &str) -> ReplayError {
    ReplayError(format!("`{field}` is missing"))
}

fn missing_of(row: &Row, field: &str) -> ReplayError {
    ReplayError(format!("`{field}` of channel `{}` is missing", row.channel))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A record of two channels that are left, with some fields set otherwise.
    fn record(strategy: &str, patch: &Value, row: &Value) -> Value {
        let candidate = |id: &str| {
            let mut candidate = json!({"channel": id, "eligible": true, "removed_by": null, "weight": 1});
            candidate.as_object_mut().unwrap().extend(row.as_object().unwrap().clone());
            candidate
        };
        let mut record = json!({"route": "all", "strategy": strategy, "seed": "0000000000000007",
            "candidates": [candidate("a"), candidate("b")]});
        record.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        record
    }

    #[test]
    fn a_record_must_have_what_its_strategy_looked_at() {
        check("priority", json!({}), json!({}), Ok(Some("a")));
        check("priority", json!({"candidates": []}), json!({}), Ok(None));
        check("priority", json!({}), json!({"eligible": false}), Ok(None));
        check("priority", json!({"seed": 7}), json!({}), Err("expected a string"));
        check("priority", json!({"seed": "7"}), json!({}), Err("`7` is not 16 hexadecimal digits"));
        check("priority", json!({"candidates": 7}), json!({}), Err("expected a sequence"));
        check("priority", json!({"strategy": null}), json!({}), Err("`strategy` is missing"));
        check("dice", json!({}), json!({}), Err("unknown strategy `dice`; known: random, "));
        check("round-robin", json!({"turn": 3}), json!({}), Ok(Some("b")));
        check("round-robin", json!({}), json!({}), Err("`turn` is missing"));
        check("weighted", json!({}), json!({"weight": null}), Err("`weight` of channel `a` is missing"));
        check("weighted", json!({}), json!({"weight": 0}), Err("`weight` of channel `a` is missing"));
        check("even", json!({}), json!({}), Err("`collected_today` of channel `a` is missing"));
        check("least-collected", json!({}), json!({}), Err("`collected_today` of channel `a` is missing"));
        check("smart-random", json!({}), json!({}), Err("`last_completed` of channel `a` is missing"));
        check("adaptive", json!({}), json!({}), Err("`probe_percent` is missing"));
        check(
            "adaptive",
            json!({"probe_percent": 5}),
            json!({}),
            Err("`success_ppm` of channel `a` is missing"),
        );
        check("sticky", json!({}), json!({}), Err("`sticks_to` is missing"));

        #[track_caller]
        #[expect(clippy::needless_pass_by_value, reason = "rows write their patches in place")]
        fn check(strategy: &str, patch: Value, row: Value, want: Result<Option<&str>, &str>) {
            match (replay(&record(strategy, &patch, &row)), want) {
                (Ok(picked), Ok(want)) => assert_eq!(picked.as_ref().map(ChannelId::as_str), want),
                (Err(error), Err(says)) => assert!(error.to_string().contains(says), "{error}"),
                (seen, want) => panic!("{strategy}: {seen:?} instead of {want:?}"),
            }
        }
    }
}
