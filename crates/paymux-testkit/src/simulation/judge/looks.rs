//! J11: what has not ended is looked at again, and never later than a day after the look before.

use std::collections::BTreeMap;

use super::Judge;
use crate::simulation::bank::OutgoKind;
use crate::simulation::books::{Ledger, OutflowRow, is_live};
use crate::simulation::world::World;

/// How long nobody may look at a live attempt while nodes run.
const GAP_MS_MAX: i64 = 24 * 3_600_000;

/// When workers looked at attempts, from the moment on from which nothing goes wrong any more.
#[derive(Debug, Default)]
pub(super) struct Looks {
    since: Option<i64>,
    last: BTreeMap<String, i64>,
}

impl Looks {
    /// Since when nobody has looked at that attempt, if nodes run.
    fn gap(&self, attempt: &str, now: i64) -> Option<i64> {
        let since = self.since?;
        Some(now - self.last.get(attempt).copied().unwrap_or(since))
    }

    fn is_too_late(&self, attempt: &str, now: i64) -> bool {
        self.gap(attempt, now).is_some_and(|gap| gap > GAP_MS_MAX)
    }
}

impl Judge {
    /// From now on nothing keeps workers from their looks.
    pub(in crate::simulation) fn expect_looks(&self, now: i64) {
        self.notes().looks.since = Some(now);
    }

    /// A worker looks at that attempt, which is in that state.
    pub(in crate::simulation) fn looked(&self, world: &World, attempt: &str, state: &str) {
        let now = world.ms();
        let is_too_late = is_live(state) && self.notes().looks.is_too_late(attempt, now);
        if is_too_late {
            self.object(world, late(attempt));
        }
        self.notes().looks.last.insert(attempt.to_owned(), now);
    }

    /// Looks at what is on its way while nothing goes wrong.
    pub(in crate::simulation) fn watch(&self, world: &World, ledger: &Ledger) {
        let mut found = Vec::new();
        check(&self.notes().looks, world, ledger, &mut found);
        for what in found {
            self.object(world, what);
        }
    }
}

fn late(attempt: &str) -> String {
    format!("J11: nobody has looked at attempt {attempt} for more than a day")
}

/// Whatever is live has its next look, or itself waits for a person, and its last look is not long ago.
pub(super) fn check(looks: &Looks, world: &World, ledger: &Ledger, found: &mut Vec<String>) {
    let attempts = ledger.payments.iter().flat_map(|payment| &payment.attempts);
    for attempt in attempts.filter(|attempt| attempt.is_live()) {
        if !attempt.is_looked_at && !ledger.is_queued(&attempt.id) {
            found.push(format!("J11: attempt {} is {} in silence", attempt.id, attempt.state));
        }
        if looks.is_too_late(&attempt.id, world.ms()) {
            found.push(late(&attempt.id));
        }
    }
    outflows(world, ledger, OutgoKind::Back, &ledger.refunds, found);
    outflows(world, ledger, OutgoKind::Payout, &ledger.transfers, found);
}

fn outflows(world: &World, ledger: &Ledger, of: OutgoKind, rows: &[OutflowRow], found: &mut Vec<String>) {
    for row in rows.iter().filter(|row| !matches!(row.state, "succeeded" | "failed")) {
        // The end of what a bank has taken in and does not show is told by a callback alone.
        let is_told = row.state == "pending" && world.bank(&row.channel).is_some_and(|bank| !bank.shows(of));
        if !row.is_looked_at && !is_told && !ledger.is_queued(&row.id) {
            found.push(format!("J11: {} is {} in silence", row.id, row.state));
        }
    }
}
