//! Chance that a seed decides: the same seed draws the same numbers, on every machine and in every version.

/// A stream of numbers from one seed (SplitMix64, by Guy Steele, Doug Lea and Christine Flood, 2014).
#[derive(Debug, Clone)]
pub(super) struct Draw(u64);

impl Draw {
    /// The stream of that seed.
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub(super) fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mixed(self.0)
    }

    /// A number below `count`, each as likely as the other to within 1 in 2^64 of `count`; 0 below 0.
    pub(super) fn below(&mut self, count: u64) -> u64 {
        let scaled = (u128::from(self.bits()) * u128::from(count)) >> 64;
        u64::try_from(scaled).unwrap_or(0)
    }

    /// A place below `count`.
    pub(super) fn place(&mut self, count: usize) -> usize {
        usize::try_from(self.below(count as u64)).unwrap_or(0)
    }
}

/// Spreads what differs in any bit over all bits.
pub(super) const fn mixed(bits: u64) -> u64 {
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first numbers of seed 1234567, as the authors' own Java `SplittableRandom` draws them.
    #[test]
    fn draws_the_published_numbers() {
        let mut draw = Draw::new(1_234_567);
        let want = [6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423];
        assert_eq!([draw.bits(), draw.bits(), draw.bits()], want);
    }

    #[test]
    fn every_place_is_drawn() {
        let mut draw = Draw::new(0);
        let mut seen = [0_u32; 3];
        for _ in 0..30_000 {
            seen[draw.place(3)] += 1;
        }
        assert!(seen.iter().all(|n| (9_700..10_300).contains(n)), "{seen:?}");
        assert_eq!(draw.place(0), 0);
    }
}
