//! All randomness of a run, from its one seed: a stream for each room, so that one room's draws do not
//! move another's.

use std::sync::{Mutex, PoisonError};

/// A stream of random numbers. Draws by shared reference, since a world runs on one thread.
#[derive(Debug)]
pub(super) struct Dice(Mutex<fastrand::Rng>);

impl Dice {
    /// The stream of that room under that seed.
    pub(super) fn stream(seed: u64, room: &str) -> Self {
        Self(Mutex::new(fastrand::Rng::with_seed(mixed(seed, room))))
    }

    /// 64 random bits.
    pub(super) fn bits(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).u64(..)
    }

    /// A number in `low..=high`; `low` where that is empty.
    pub(super) fn between(&self, low: i64, high: i64) -> i64 {
        let mut rng = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if low < high { rng.i64(low..=high) } else { low }
    }

    /// True so many times in a million.
    pub(super) fn chance(&self, ppm: u32) -> bool {
        self.between(0, 999_999) < i64::from(ppm)
    }

    /// A place in `0..count`; 0 where there is none.
    pub(super) fn place(&self, count: usize) -> usize {
        let last = i64::try_from(count).unwrap_or(i64::MAX) - 1;
        usize::try_from(self.between(0, last)).unwrap_or(0)
    }

    /// One of them. There must be one.
    pub(super) fn one_of<T: Copy>(&self, all: &[T]) -> T {
        all[self.place(all.len())]
    }

    /// The same ones in another order.
    pub(super) fn shuffled<T>(&self, mut all: Vec<T>) -> Vec<T> {
        for place in (1..all.len()).rev() {
            all.swap(place, self.place(place + 1));
        }
        all
    }
}

/// The seed of a room: FNV-1a over its name, then the finish of SplitMix64, so that neighbouring seeds
/// have nothing in common.
fn mixed(seed: u64, room: &str) -> u64 {
    let mut state = 0xCBF2_9CE4_8422_2325_u64;
    for byte in room.bytes() {
        state = (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
    }
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15).wrapping_mul(0xD6E8_FEB8_6659_FD93) ^ state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_replays_and_rooms_differ() {
        let draw = |seed, room| {
            let dice = Dice::stream(seed, room);
            [dice.bits(), dice.bits()]
        };
        assert_eq!(draw(7, "bank"), draw(7, "bank"));
        assert_ne!(draw(7, "bank"), draw(8, "bank"));
        assert_ne!(draw(7, "bank"), draw(7, "payer"));
    }

    #[test]
    fn draws_stay_in_their_range() {
        let dice = Dice::stream(1, "x");
        let mut seen = [0_u32; 5];
        for _ in 0..5000 {
            seen[dice.place(5)] += 1;
        }
        assert!(seen.iter().all(|&n| n > 800), "{seen:?}");
        assert_eq!((dice.place(0), dice.between(4, 4), dice.between(9, 3)), (0, 4, 9));
        assert!(!dice.chance(0) && dice.chance(1_000_000));
        let mut sorted = dice.shuffled(vec![1, 2, 3, 4]);
        sorted.sort_unstable();
        assert_eq!(sorted, [1, 2, 3, 4]);
    }
}
