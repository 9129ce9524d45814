//! The judge's part on refunds: what was acknowledged, what the ledger and the provider have of it, what
//! the payment says, what was told.

use std::collections::{BTreeMap, BTreeSet};

use paymux_sim::{Bank, RefundState, RefundView};
use serde_json::Value;

use crate::database::Database;

use super::customers::{AMOUNT, Book};
use super::judge::{ToldOf, kinds_of};

const REFUNDS: &str =
    "SELECT id || ' ' || payment || ' ' || state || ' ' || number || ' ' || checks, amount FROM refunds";
const SET_ASIDE: &str = "SELECT payment, CAST(sum(refunding) AS BIGINT) FROM attempts GROUP BY payment";

/// Every refund in the ledger and at the provider.
pub(super) struct Refunds {
    /// By their ids.
    stored: BTreeMap<String, Refund>,
    /// Their ids by their payment's.
    by_payment: BTreeMap<String, Vec<String>>,
    /// How much each payment says that it holds back for refunds.
    set_aside: BTreeMap<String, i64>,
    /// The provider's, by their numbers.
    done: BTreeMap<String, RefundView>,
    /// How often each number was sent.
    calls: BTreeMap<String, u64>,
}

struct Refund {
    payment: String,
    state: String,
    number: String,
    /// How often it was looked at since it is in that state.
    checks: u32,
    amount: i64,
}

impl Refund {
    fn read(text: &str, amount: i64) -> (String, Self) {
        let [id, payment, state, number, checks] = text.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let [payment, state, number] = [payment, state, number].map(str::to_owned);
        (id.to_owned(), Self { payment, state, number, checks: checks.parse().unwrap(), amount })
    }

    /// What tells the merchant that it is so: only an end is told.
    fn event(&self) -> Option<String> {
        matches!(self.state.as_str(), "succeeded" | "failed").then(|| format!("refund.{}", self.state))
    }
}

impl Refunds {
    /// The ledger first: what it knows, the provider knew before.
    pub(super) async fn read(database: &Database, bank: &Bank) -> Self {
        let rows = database.pairs(REFUNDS).await;
        let rows = rows.into_iter().map(|(text, amount)| Refund::read(&text, amount));
        let stored: BTreeMap<String, Refund> = rows.collect();
        let mut by_payment = BTreeMap::<String, Vec<String>>::new();
        for (id, refund) in &stored {
            by_payment.entry(refund.payment.clone()).or_default().push(id.clone());
        }
        let set_aside = database.pairs(SET_ASIDE).await.into_iter().collect();
        let done = bank.refunds().into_iter().map(|refund| (refund.number.clone(), refund)).collect();
        let stats = bank.stats();
        let count = |number: &String| (number.clone(), stats.calls_of(number, "refund"));
        let calls = stats.numbers.keys().map(count).filter(|(_, calls)| *calls > 0).collect();
        Self { stored, by_payment, set_aside, done, calls }
    }

    /// How many stay unknown, since the provider shows nothing of them: a person ends those.
    pub(super) fn unknown(&self) -> u64 {
        self.stored.values().filter(|refund| refund.state == "unknown").count() as u64
    }

    /// Each acknowledged refund is there and as the provider has it; of no payment more goes back than came
    /// in, and it says how much; each end was told once.
    pub(super) fn judge(
        &self,
        book: &Book,
        payments: &BTreeMap<String, Value>,
        told: &ToldOf<'_>,
    ) -> Vec<String> {
        let mut faults = self.lost(book);
        for (id, payment) in payments {
            let back = self.sum(id, |refund| refund.state == "succeeded");
            if back > AMOUNT || payment["amount_refunded"] != back || self.at_provider(id) != back {
                let (says, there) = (&payment["amount_refunded"], self.at_provider(id));
                faults.push(format!("{id} says {says} went back, the refunds {back}, the provider {there}"));
            }
            let held = self.sum(id, |refund| refund.state == "unknown");
            if self.set_aside.get(id) != Some(&held) {
                let holds = self.set_aside.get(id);
                faults.push(format!("{id} holds {holds:?} back for unknown refunds of {held}"));
            }
        }
        for (id, refund) in &self.stored {
            faults.extend(self.wrong_refund(id, refund, told));
        }
        faults
    }

    /// What was acknowledged or sent and is not in the ledger, and what was sent again.
    fn lost(&self, book: &Book) -> Vec<String> {
        let mut faults = Vec::new();
        for (refund_no, acknowledged) in &book.refunds {
            let is_same = |stored: &Refund| {
                (&stored.payment, stored.amount) == (&acknowledged.payment, acknowledged.amount)
            };
            if !self.stored.get(&acknowledged.id).is_some_and(is_same) {
                faults.push(format!("refund {refund_no}: acknowledged as {} and lost", acknowledged.id));
            }
        }
        let numbers: BTreeSet<&str> = self.stored.values().map(|refund| refund.number.as_str()).collect();
        for (number, calls) in &self.calls {
            if !numbers.contains(number.as_str()) {
                faults.push(format!("refund {number} was sent and the ledger does not know it"));
            }
            if *calls != 1 {
                faults.push(format!("refund {number} was sent {calls} times"));
            }
        }
        faults
    }

    fn wrong_refund(&self, id: &str, refund: &Refund, told: &ToldOf<'_>) -> Option<String> {
        let kinds = kinds_of(told, id);
        let want: Vec<String> = refund.event().into_iter().collect();
        let there = self.done.get(&refund.number).map(|done| done.state);
        let is_right = is_right(refund, there) && kinds == want;
        let state = &refund.state;
        (!is_right).then(|| {
            format!("refund {id} is `{state}`, at the provider {there:?}, and was told as {kinds:?}")
        })
    }

    /// How much of that payment has gone back in the provider's books.
    fn at_provider(&self, payment: &str) -> i64 {
        let done = |refund: &&Refund| {
            self.done.get(&refund.number).is_some_and(|done| done.state == RefundState::Done)
        };
        self.of(payment).filter(done).map(|refund| refund.amount).sum()
    }

    fn sum(&self, payment: &str, counts: impl Fn(&Refund) -> bool) -> i64 {
        self.of(payment).filter(|refund| counts(refund)).map(|refund| refund.amount).sum()
    }

    /// The stored events of a payment's refunds are their ends.
    pub(super) fn wrong_events(&self, payment: &str, events: &BTreeMap<String, i64>) -> Option<String> {
        let mut want = BTreeMap::new();
        for kind in self.of(payment).filter_map(Refund::event) {
            *want.entry(kind).or_default() += 1;
        }
        (want != *events).then(|| format!("{payment} has refunds {want:?} and their events {events:?}"))
    }

    fn of(&self, payment: &str) -> impl Iterator<Item = &Refund> {
        let ids = self.by_payment.get(payment).into_iter().flatten();
        ids.filter_map(|id| self.stored.get(id))
    }
}

/// A refund ends as it has ended at the provider, or is refused there. One whose call was lost on the way
/// shows nowhere: that proves nothing, so it stays unknown, is asked about, and waits for a person.
fn is_right(refund: &Refund, there: Option<RefundState>) -> bool {
    match (refund.state.as_str(), there) {
        ("succeeded", Some(RefundState::Done)) | ("failed", Some(RefundState::Failed) | None) => true,
        ("unknown", None) => refund.checks > 0,
        _ => false,
    }
}
