//! Everything random of one simulator, out of one seed.

use paymux_core::Rng;
use paymux_core::random::below;

use crate::guarded::Guarded;

/// A seeded source: the same seed and the same order of calls give the same run.
pub(crate) struct Dice(Guarded<fastrand::Rng>);

impl Dice {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(Guarded::new(fastrand::Rng::with_seed(seed)))
    }

    /// Whether a chance of so many in a million comes true. Draws only where both ends are open, so
    /// that a rule which always holds does not shift the numbers of those that do not.
    pub(crate) fn comes_true(&self, per_million: u32) -> bool {
        match per_million {
            0 => false,
            1_000_000.. => true,
            chance => below(self, 1_000_000) < u64::from(chance),
        }
    }

    /// A random UUID in its usual form, such as a record's id.
    pub(crate) fn uuid(&self) -> String {
        let mut bytes = [0_u8; 16];
        bytes[..8].copy_from_slice(&self.bits().to_be_bytes());
        bytes[8..].copy_from_slice(&self.bits().to_be_bytes());
        uuid::Builder::from_random_bytes(bytes).into_uuid().hyphenated().to_string()
    }

    /// `count` random decimal digits.
    pub(crate) fn digits(&self, count: usize) -> String {
        (0..count).map(|_| char::from(b'0' + u8::try_from(below(self, 10)).unwrap_or(0))).collect()
    }
}

impl Rng for Dice {
    fn bits(&self) -> u64 {
        self.0.lock().u64(..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_is_one_run() {
        let run = |seed| {
            let dice = Dice::seeded(seed);
            (dice.uuid(), dice.digits(24), dice.comes_true(500_000))
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        assert_eq!(run(7).0.len(), 36);
        assert!(run(7).1.len() == 24 && run(7).1.bytes().all(|b| b.is_ascii_digit()));
    }

    #[test]
    fn a_chance_comes_true_about_as_often_as_it_says() {
        let dice = Dice::seeded(1);
        let hits = |per_million| (0..10_000).filter(|_| dice.comes_true(per_million)).count();
        assert_eq!((hits(0), hits(1_000_000), hits(u32::MAX)), (0, 10_000, 10_000));
        assert!((2800..3200).contains(&hits(300_000)));
    }
}
