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
    /// The verified ones of each event key.
    by_key: BTreeMap<(ChannelId, String), BTreeSet<(Timestamp, CallbackId)>>,
    /// The unverified ones of each channel, and the spare ones.
    rings: BTreeMap<(ChannelId, Kept), Lot>,
    /// Those that waited, and that a person has seen to.
    settled: BTreeSet<CallbackId>,
}

/// Which ring a callback lives in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kept {
    Unverified,
    /// Duplicates, and those of no payment, whose key is known by another one.
    Spare,
}

/// The ring of one channel, oldest first, and the bytes of all its bodies.
#[derive(Debug, Default)]
struct Lot {
    rows: BTreeSet<(Timestamp, CallbackId)>,
    bytes: u64,
}

fn bytes(row: &CallbackRow) -> u64 {
    u64::try_from(row.request.body.len()).unwrap_or(u64::MAX)
}

/// By what a verified one is known when it comes again.
fn key_of(row: &CallbackRow) -> Option<(ChannelId, String)> {
    let key = row.event_key.clone().filter(|_| row.verdict.is_verified())?;
    Some((row.channel.clone(), key))
}

/// Whether they tell the same, byte for byte but for their headers.
fn is_same(kept: &CallbackRow, row: &CallbackRow) -> bool {
    let query = |row: &CallbackRow| row.request.query.clone().unwrap_or_default();
    let (one, other) = (&kept.request, &row.request);
    kept.verdict == row.verdict
        && (one.verb, &one.path, &one.body) == (other.verb, &other.path, &other.body)
        && query(kept) == query(row)
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

    /// Puts one that is evidence.
    pub(super) fn put(&mut self, row: CallbackRow) {
        self.put_into(row, None);
    }

    fn put_into(&mut self, row: CallbackRow, ring: Option<Kept>) {
        if let Some(kept) = ring {
            let lot = self.rings.entry((row.channel.clone(), kept)).or_default();
            lot.rows.insert((row.received_at, row.id));
            lot.bytes = lot.bytes.saturating_add(bytes(&row));
        }
        if let Some(key) = key_of(&row) {
            self.by_key.entry(key).or_default().insert((row.received_at, row.id));
        }
        self.places.insert(row.id, self.next);
        self.rows.insert(self.next, row);
        self.next += 1;
    }

    /// Which ring it would live in.
    fn ring_of(&self, row: &CallbackRow) -> Option<Kept> {
        if !row.verdict.is_verified() {
            return Some(Kept::Unverified);
        }
        let is_known = key_of(row).is_some_and(|key| self.by_key.contains_key(&key));
        let proves_nothing = row.verdict == CallbackVerdict::Duplicate || row.payment.is_none();
        (proves_nothing && is_known).then_some(Kept::Spare)
    }

    /// Counts it where the same is kept already; false where it is not.
    fn count(&mut self, row: &CallbackRow) -> bool {
        let known = key_of(row).and_then(|key| self.by_key.get(&key)).into_iter().flatten();
        let places: Vec<u64> = known.filter_map(|(_, id)| self.places.get(id)).copied().collect();
        let same =
            places.into_iter().find(|place| self.rows.get(place).is_some_and(|kept| is_same(kept, row)));
        match same.and_then(|place| self.rows.get_mut(&place)) {
            Some(kept) => kept.times += 1,
            None => return false,
        }
        true
    }

    /// Forgets the oldest rows of a ring beyond the bounds.
    fn trim(&mut self, channel: &ChannelId, kept: Kept, bounds: Ring) {
        let Some(ring) = self.rings.get_mut(&(channel.clone(), kept)) else { return };
        let is_over = |ring: &Lot| {
            u32::try_from(ring.rows.len()).map_or(true, |rows| rows > bounds.rows)
                || ring.bytes > bounds.bytes
        };
        while is_over(ring) {
            let Some((at, oldest)) = ring.rows.pop_first() else { return };
            let place = self.places.remove(&oldest);
            let row = place.and_then(|place| self.rows.remove(&place));
            ring.bytes = ring.bytes.saturating_sub(row.as_ref().map_or(0, bytes));
            let of_key = row.as_ref().and_then(key_of).and_then(|key| self.by_key.get_mut(&key));
            of_key.map(|ids| ids.remove(&(at, oldest)));
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
        if self.callbacks.count(&row) {
            return Ok(());
        }
        let (channel, kept) = (row.channel.clone(), self.callbacks.ring_of(&row));
        self.callbacks.put_into(row, kept);
        if let Some(kept) = kept {
            self.callbacks.trim(&channel, kept, ring);
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
