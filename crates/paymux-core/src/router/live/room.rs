//! How much room the limits of one route's channels leave, by their places in it.

use super::super::bits;
use super::capacity::Used;
use crate::catalog::{ChannelEntry, Rules};
use crate::sync::{AtomicI64, AtomicU64, Ordering};

/// The room of each place. Only where a limit stands: of all others there is always enough.
#[derive(Debug)]
pub(super) struct Rooms {
    rules: Box<[Rules]>,
    /// The largest payment that fits, in minor units; 0 where none does.
    room: Box<[AtomicI64]>,
    /// Those where a payment that their other rules let pass may not fit.
    tight: Box<[AtomicU64]>,
}

impl Rooms {
    /// All of it is free; `None` where no channel has a limit.
    pub(super) fn new(entries: &[&ChannelEntry]) -> Option<Self> {
        entries.iter().any(|entry| entry.rules.has_limits()).then(|| {
            let rooms = Self {
                rules: entries.iter().map(|entry| entry.rules.clone()).collect(),
                room: entries.iter().map(|_| AtomicI64::new(i64::MAX)).collect(),
                tight: (0..bits::words(entries.len())).map(|_| AtomicU64::new(0)).collect(),
            };
            (0..entries.len()).for_each(|place| rooms.uses(place, &Used::default()));
            rooms
        })
    }

    /// So much of a place is used.
    pub(super) fn uses(&self, place: usize, used: &Used) {
        let (Some(rules), Some(cell)) = (self.rules.get(place), self.room.get(place)) else { return };
        let room = used.room(rules);
        cell.store(room, Ordering::Relaxed);
        super::route::set(&self.tight, place, room < rules.amount_max.unwrap_or(i64::MAX));
    }

    /// Keeps in `set` those where a payment of that many minor units fits.
    pub(super) fn keep(&self, set: &mut [u64], minor: i64) {
        for (at, (word, tight)) in set.iter_mut().zip(&self.tight).enumerate() {
            let mut looked_at = *word & tight.load(Ordering::Relaxed);
            while looked_at != 0 {
                let bit = looked_at & looked_at.wrapping_neg();
                let place = at * bits::WORD + looked_at.trailing_zeros() as usize;
                if self.room[place].load(Ordering::Relaxed) < minor {
                    *word &= !bit;
                }
                looked_at ^= bit;
            }
        }
    }
}
