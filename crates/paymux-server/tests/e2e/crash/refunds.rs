//! The judge's part on refunds: what was acknowledged, what the ledger has of it, what the payment says,
//! what was told.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::world::World;

use super::customers::{AMOUNT, Book};
use super::judge::Told;

const REFUNDS: &str = "SELECT id || ' ' || payment || ' ' || state, amount FROM refunds";

/// Every refund in the ledger, by its id.
pub(super) struct Refunds(BTreeMap<String, Refund>);

struct Refund {
    payment: String,
    state: String,
    amount: i64,
}

impl Refunds {
    pub(super) async fn read(world: &World) -> Self {
        let rows = world.database().pairs(REFUNDS).await;
        let refund = |(text, amount): (String, i64)| {
            let [id, payment, state] = text.split(' ').collect::<Vec<_>>().try_into().unwrap();
            let (payment, state) = (str::to_owned(payment), str::to_owned(state));
            (str::to_owned(id), Refund { payment, state, amount })
        };
        Self(rows.into_iter().map(refund).collect())
    }

    /// Each acknowledged refund is there and has ended; of no payment more goes back than came in, and it
    /// says how much; each end was told once.
    pub(super) fn judge(&self, book: &Book, payments: &BTreeMap<String, Value>, told: &Told) -> Vec<String> {
        let mut faults = Vec::new();
        for (refund_no, acknowledged) in &book.refunds {
            let is_same = |stored: &Refund| {
                (&stored.payment, stored.amount) == (&acknowledged.payment, acknowledged.amount)
            };
            if !self.0.get(&acknowledged.id).is_some_and(is_same) {
                faults.push(format!("refund {refund_no}: acknowledged as {} and lost", acknowledged.id));
            }
        }
        for (id, payment) in payments {
            let back = self.back(id);
            if back > AMOUNT || payment["amount_refunded"] != back {
                faults
                    .push(format!("{id} says {} went back, the refunds {back}", payment["amount_refunded"]));
            }
        }
        for (id, refund) in &self.0 {
            let end = format!("refund.{}", refund.state);
            let kinds: Vec<&Value> = told
                .values()
                .filter(|(body, _)| body["data"]["id"] == id.as_str())
                .map(|(body, _)| &body["type"])
                .collect();
            if !matches!(refund.state.as_str(), "succeeded" | "failed") || kinds != [&Value::from(end)] {
                faults.push(format!("refund {id} is `{}` and was told as {kinds:?}", refund.state));
            }
        }
        faults
    }

    /// How much of that payment has gone back.
    fn back(&self, payment: &str) -> i64 {
        self.of(payment).filter(|refund| refund.state == "succeeded").map(|refund| refund.amount).sum()
    }

    /// The stored events of a payment's refunds are their ends.
    pub(super) fn wrong_events(&self, payment: &str, events: &BTreeMap<String, i64>) -> Option<String> {
        let mut want = BTreeMap::new();
        for refund in self.of(payment) {
            *want.entry(format!("refund.{}", refund.state)).or_default() += 1;
        }
        (want != *events).then(|| format!("{payment} has refunds {want:?} and their events {events:?}"))
    }

    fn of(&self, payment: &str) -> impl Iterator<Item = &Refund> {
        self.0.values().filter(move |refund| refund.payment == payment)
    }
}
