//! Randomness, as a port. Strategies, jitter and ids draw from here, so a seed replays a run.
//! Keys and secrets are made elsewhere, by the operating system's source.

/// A source of random numbers.
pub trait Rng: Send + Sync + 'static {
    /// 64 uniformly random bits.
    fn bits(&self) -> u64;
}

/// A number in `0..bound`, uniform; 0 when `bound` is 0. Lemire's multiply-and-reject.
pub fn below(rng: &dyn Rng, bound: u64) -> u64 {
    if bound == 0 {
        return 0;
    }
    let threshold = bound.wrapping_neg() % bound;
    loop {
        let wide = u128::from(rng.bits()) * u128::from(bound);
        #[expect(clippy::cast_possible_truncation, reason = "the low half is what the method looks at")]
        let low = wide as u64;
        if low >= threshold {
            return u64::try_from(wide >> 64).unwrap_or(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// Counts up in large steps, so that the high bits move.
    struct Steps(AtomicU64);
    impl Rng for Steps {
        fn bits(&self) -> u64 {
            self.0.fetch_add(0x9E37_79B9_7F4A_7C15, Ordering::Relaxed)
        }
    }

    #[test]
    fn stays_below_its_bound_and_reaches_every_value() {
        let rng = Steps(AtomicU64::new(0));
        let mut seen = [0_u32; 7];
        for _ in 0..7000 {
            seen[usize::try_from(below(&rng, 7)).unwrap()] += 1;
        }
        assert!(seen.iter().all(|&n| (900..1100).contains(&n)), "{seen:?}");
        assert_eq!(below(&rng, 0), 0);
        assert_eq!(below(&rng, 1), 0);
    }
}
