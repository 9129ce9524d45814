//! How much accounts may take at most in a run, as plain data that both the catalog and the judge read.

use super::accounts::ACCOUNTS;
use super::dice::Dice;

/// The limits of one account; `None` = any.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Limit {
    /// Of a day, in minor units: set aside and come in together.
    pub(super) amount: Option<i64>,
    /// Orders of a day.
    pub(super) count: Option<i64>,
    /// Orders under way at once.
    pub(super) in_flight: Option<i64>,
}

impl Limit {
    /// Whether it limits anything.
    pub(super) fn is_some(self) -> bool {
        self != Self::default()
    }
}

/// What the accounts may take in the run of that seed, in their order. Most runs have no limits.
pub(super) fn limits(seed: u64) -> Vec<Limit> {
    let dice = Dice::stream(seed, "limits");
    let is_limited = dice.chance(300_000);
    ACCOUNTS
        .iter()
        .map(|_| if is_limited && dice.chance(600_000) { one(&dice) } else { Limit::default() })
        .collect()
}

/// So low that a few purchases reach it.
fn one(dice: &Dice) -> Limit {
    let amount = Some(dice.one_of(&[20_000, 30_000]));
    let count = Some(dice.one_of(&[1, 2, 3]));
    let in_flight = Some(dice.one_of(&[1, 2]));
    let none = Limit::default();
    dice.one_of(&[
        Limit { amount, ..none },
        Limit { count, ..none },
        Limit { in_flight, ..none },
        Limit { amount, count, in_flight },
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_runs_have_each_and_most_have_none() {
        let runs: Vec<Vec<Limit>> = (0..200).map(limits).collect();
        let limited = runs.iter().filter(|run| run.iter().any(|limit| limit.is_some())).count();
        assert!((20..=100).contains(&limited), "{limited}");
        let any = |is_it: fn(&Limit) -> bool| runs.iter().flatten().any(is_it);
        assert!(any(|limit| limit.amount.is_some() && limit.count.is_none()));
        assert!(any(|limit| limit.count.is_some() && limit.in_flight.is_none()));
        assert!(any(|limit| limit.in_flight.is_some() && limit.amount.is_none()));
        assert_eq!(limits(7), limits(7));
    }
}
