//! What providers sent.

use std::collections::{BTreeMap, BTreeSet};

use paymux_core::clock::Timestamp;
use paymux_core::ids::{CallbackId, ChannelId};
use paymux_core::store::{CallbackRow, CallbackVerdict, Ring, StoreError};

use super::plain::plain_callback;
use super::{Books, corrupt};

/// Callbacks in the order of their coming.
#[derive(Debug, Default)]
pub(super) struct Shelf {
    rows: BTreeMap<u64, CallbackRow>,
    places: BTreeMap<CallbackId, u64>,
    next: u64,
    /// The unverified ones of each channel.
    rings: BTreeMap<ChannelId, Unverified>,
    /// Those that waited, and that a person has seen to.
    settled: BTreeSet<CallbackId>,
}

/// The ring of one channel, oldest first, and the bytes of all its bodies.
#[derive(Debug, Default)]
struct Unverified {
    rows: BTreeSet<(Timestamp, CallbackId)>,
    bytes: u64,
}

fn bytes(row: &CallbackRow) -> u64 {
    u64::try_from(row.request.body.len()).unwrap_or(u64::MAX)
}

impl Shelf {
    /// All of them, in the order of their coming.
    pub(super) fn all(&self) -> impl Iterator<Item = &CallbackRow> {
        self.rows.values()
    }

    pub(super) fn has(&self, id: CallbackId) -> bool {
        self.places.contains_key(&id)
    }

    /// Whether it waits for a person.
    pub(super) fn waits(&self, row: &CallbackRow) -> bool {
        matches!(row.verdict, CallbackVerdict::Orphan | CallbackVerdict::Quarantined)
            && !self.settled.contains(&row.id)
    }

    /// Whether it waited until now.
    pub(super) fn settle(&mut self, id: CallbackId) -> bool {
        let row = self.places.get(&id).and_then(|place| self.rows.get(place));
        row.is_some_and(|row| self.waits(row)) && self.settled.insert(id)
    }

    pub(super) fn put(&mut self, row: CallbackRow) {
        if !row.verdict.is_verified() {
            let ring = self.rings.entry(row.channel.clone()).or_default();
            ring.rows.insert((row.received_at, row.id));
            ring.bytes = ring.bytes.saturating_add(bytes(&row));
        }
        self.places.insert(row.id, self.next);
        self.rows.insert(self.next, row);
        self.next += 1;
    }

    /// Forgets the oldest unverified rows of a channel beyond the bounds.
    fn trim(&mut self, channel: &ChannelId, bounds: Ring) {
        let Some(ring) = self.rings.get_mut(channel) else { return };
        let is_over = |ring: &Unverified| {
            u32::try_from(ring.rows.len()).map_or(true, |rows| rows > bounds.rows)
                || ring.bytes > bounds.bytes
        };
        while is_over(ring) {
            let Some((_, oldest)) = ring.rows.pop_first() else { return };
            let place = self.places.remove(&oldest);
            let row = place.and_then(|place| self.rows.remove(&place));
            ring.bytes = ring.bytes.saturating_sub(row.as_ref().map_or(0, bytes));
        }
    }
}

impl Books {
    pub(super) fn keep_callback(&mut self, mut row: CallbackRow, ring: Ring) -> Result<(), StoreError> {
        if row.verdict == CallbackVerdict::Applied {
            return corrupt("an applied callback without its change");
        }
        plain_callback(&mut row);
        self.check_callback(&row)?;
        let unverified = Some(row.channel.clone()).filter(|_| !row.verdict.is_verified());
        self.callbacks.put(row);
        if let Some(channel) = unverified {
            self.callbacks.trim(&channel, ring);
        }
        Ok(())
    }

    pub(super) fn check_callback(&self, row: &CallbackRow) -> Result<(), StoreError> {
        if self.callbacks.has(row.id) {
            return corrupt("a callback's id is in use");
        }
        if row.payment.is_some_and(|payment| !self.payments.contains_key(&payment)) {
            return corrupt("a callback of a payment that is not there");
        }
        Ok(())
    }
}
