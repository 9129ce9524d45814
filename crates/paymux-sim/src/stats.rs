//! Counts of what happened, so that a test can say "exactly one order" and "asked at most twice".

use std::collections::BTreeMap;

use serde::Serialize;

/// The most numbers that are counted apart; calls about further ones count in the sums only.
pub(crate) const NUMBERS_MAX: usize = 1_000_000;

/// What happened since the start.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Stats {
    /// Calls by operation: `pay`, `query`, `list`, `count`, `cancel`, `refund`, `query_refund` (the
    /// wallet is asked for its state), `list_refunds`, `count_refunds`, `native`, `unread` (sign or
    /// form refused) and `not_found` (no such path). A call counts when it was read, also where a
    /// fault then kept it from having an effect.
    pub calls: BTreeMap<&'static str, u64>,
    /// Calls by the merchant's number, of an order or of a refund, then by operation.
    pub numbers: BTreeMap<String, BTreeMap<&'static str, u64>>,
    /// Faults that came true, by their word.
    pub faults: BTreeMap<&'static str, u64>,
    /// Orders in the books.
    pub orders: u64,
    /// Orders that are paid.
    pub paid: u64,
    /// Refunds in the books.
    pub refunds: u64,
    /// Refunds that are done.
    pub refunded: u64,
    /// Webhooks that were sent; those that were made to get lost are not among them.
    pub notices_sent: u64,
    /// Webhooks that were acknowledged.
    pub notices_acknowledged: u64,
    /// Webhooks whose repeats ran out.
    pub notices_given_up: u64,
    /// Creates and refunds that the bank's own reading found other than the acceptor's. Anything but 0 is a
    /// mistake in paymux.
    pub misreadings: u64,
}

impl Stats {
    /// How many creates came in for that number.
    pub fn creates(&self, number: &str) -> u64 {
        self.calls_of(number, "pay")
    }

    /// How many calls of that operation came in for that number.
    pub fn calls_of(&self, number: &str, operation: &str) -> u64 {
        self.numbers.get(number).and_then(|by| by.get(operation)).copied().unwrap_or(0)
    }

    pub(crate) fn called(&mut self, operation: &'static str, number: Option<&str>) {
        *self.calls.entry(operation).or_default() += 1;
        let Some(number) = number else { return };
        if let Some(by) = self.numbers.get_mut(number) {
            *by.entry(operation).or_default() += 1;
        } else if self.numbers.len() < NUMBERS_MAX {
            self.numbers.insert(number.to_owned(), BTreeMap::from([(operation, 1)]));
        }
    }

    pub(crate) fn faulted(&mut self, word: &'static str) {
        *self.faults.entry(word).or_default() += 1;
    }
}
