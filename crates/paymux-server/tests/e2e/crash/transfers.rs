//! The judge's part on transfers: what was acknowledged, what the ledger has of it, for what the pretend provider
//! was called, what was told.

use std::collections::{BTreeMap, BTreeSet};

use crate::world::World;

use super::customers::Book;
use super::judge::{ToldOf, by_id, kinds_of};

const TRANSFERS: &str = "SELECT id || ' ' || transfer_no || ' ' || state || ' ' || number || ' ' || checks, amount FROM transfers";
const EVENTS: &str =
    "SELECT transfer || ' ' || kind, count(*) FROM events WHERE transfer IS NOT NULL GROUP BY transfer, kind";
const POSTINGS: &str =
    "SELECT transfer, CAST(sum(amount) AS BIGINT) FROM postings WHERE transfer IS NOT NULL GROUP BY transfer";

/// Every transfer in the ledger, and what left for each.
pub(super) struct Transfers {
    /// By their ids.
    stored: BTreeMap<String, Transfer>,
    /// How many events of each kind each has, by its id.
    events: BTreeMap<String, BTreeMap<String, i64>>,
    /// How much the books say has left for each, by its id.
    left: BTreeMap<String, i64>,
    /// How often the provider was called, by number; nothing in a build without crash points.
    calls: BTreeMap<String, u64>,
}

struct Transfer {
    /// The merchant's number.
    own_no: String,
    state: String,
    number: String,
    /// How often it was looked at since it is in that state.
    checks: u32,
    amount: i64,
}

impl Transfer {
    fn read(text: &str, amount: i64) -> (String, Self) {
        let [id, own_no, state, number, checks] = text.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let [own_no, state, number] = [own_no, state, number].map(str::to_owned);
        (id.to_owned(), Self { own_no, state, number, checks: checks.parse().unwrap(), amount })
    }

    /// What tells the merchant that it is so: only an end is told.
    fn event(&self) -> Option<String> {
        matches!(self.state.as_str(), "succeeded" | "failed").then(|| format!("transfer.{}", self.state))
    }
}

impl Transfers {
    /// The calls last: each was stored before it was made.
    pub(super) async fn read(world: &World) -> Self {
        let database = world.database();
        let events = by_id(database.pairs(EVENTS).await);
        let left = database.pairs(POSTINGS).await.into_iter().collect();
        let rows = database.pairs(TRANSFERS).await;
        let stored = rows.into_iter().map(|(text, amount)| Transfer::read(&text, amount)).collect();
        let mut calls = BTreeMap::new();
        for number in std::fs::read_to_string(world.payouts()).unwrap_or_default().lines() {
            *calls.entry(number.to_owned()).or_default() += 1;
        }
        Self { stored, events, left, calls }
    }

    /// How many have left.
    pub(super) fn succeeded(&self) -> u64 {
        self.stored.values().filter(|transfer| transfer.state == "succeeded").count() as u64
    }

    /// Each acknowledged transfer is there; each was sent once at the most, after it was stored; what has left is
    /// in the books, and each end was told once.
    pub(super) fn judge(&self, book: &Book, told: &ToldOf<'_>) -> Vec<String> {
        let mut faults = self.lost(book);
        let numbers: BTreeSet<&str> = self.stored.values().map(|transfer| transfer.number.as_str()).collect();
        for (number, calls) in &self.calls {
            if !numbers.contains(number.as_str()) {
                faults.push(format!("transfer {number} was sent and the ledger does not know it"));
            }
            if *calls != 1 {
                faults.push(format!("transfer {number} was sent {calls} times"));
            }
        }
        let merchants: BTreeSet<&str> =
            self.stored.values().map(|transfer| transfer.own_no.as_str()).collect();
        if merchants.len() != self.stored.len() || numbers.len() != self.stored.len() {
            faults.push("two transfers have one number".to_owned());
        }
        faults.extend(self.stored.iter().filter_map(|(id, transfer)| self.wrong(id, transfer, told)));
        faults
    }

    /// What was acknowledged and is not in the ledger, or not as it was acknowledged.
    fn lost(&self, book: &Book) -> Vec<String> {
        let is_there = |(own_no, id, amount): (&String, &String, i64)| {
            let stored = self.stored.get(id);
            stored.is_some_and(|stored| (&stored.own_no, stored.amount) == (own_no, amount))
        };
        let lost = book.transfers.iter().filter(|(no, known)| !is_there((no, &known.id, known.amount)));
        lost.map(|(no, known)| format!("transfer {no}: acknowledged as {} and lost", known.id)).collect()
    }

    fn wrong(&self, id: &str, transfer: &Transfer, told: &ToldOf<'_>) -> Option<String> {
        let want: Vec<String> = transfer.event().into_iter().collect();
        let stored = self.events.get(id).cloned().unwrap_or_default();
        let counted: BTreeMap<String, i64> = want.iter().map(|kind| (kind.clone(), 1)).collect();
        let left = self.left.get(id).copied().unwrap_or(0);
        let was_called = self.calls.contains_key(&transfer.number);
        let kinds = kinds_of(told, id);
        let is_right = kinds == want && stored == counted && is_right(transfer, left, was_called);
        let state = &transfer.state;
        (!is_right).then(|| {
            format!(
                "transfer {id} is `{state}`, called: {was_called}, left: {left}, stored as {stored:?}, told as {kinds:?}"
            )
        })
    }
}

/// What has left was sent and is in the books. What nobody can say of since the provider's books are gone stays
/// unknown and waits for a person; a sender that is gone must have been found by now.
fn is_right(transfer: &Transfer, left: i64, was_called: bool) -> bool {
    match transfer.state.as_str() {
        "succeeded" => left == transfer.amount && (was_called || cfg!(not(feature = "crash-points"))),
        "failed" | "pending" => left == 0,
        "unknown" => left == 0 && transfer.checks > 0,
        _ => false,
    }
}
