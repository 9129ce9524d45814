//! How a route picks among the channels that are left. Each strategy is a pure function of them
//! and of the seed.

use crate::catalog::{ChannelEntry, Strategy};

/// One of `left`, or none when nothing is left.
pub(super) fn pick<'a>(strategy: Strategy, left: &[&'a ChannelEntry], seed: u64) -> Option<&'a ChannelEntry> {
    match strategy {
        Strategy::Priority => left.first().copied(),
        Strategy::Random => left.get(place(seed, left.len())).copied(),
    }
}

/// A place in `0..count` that the seed decides: its high bits, scaled. For at most 2^16 channels
/// the share of each differs from the even one by less than 1 in 2^48.
fn place(seed: u64, count: usize) -> usize {
    let scaled = (u128::from(seed) * count as u128) >> 64;
    usize::try_from(scaled).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_spread_evenly_over_places() {
        let mut seen = [0_u32; 3];
        for i in 0..3000_u64 {
            seen[place(i.wrapping_mul(0x9E37_79B9_7F4A_7C15), 3)] += 1;
        }
        assert!(seen.iter().all(|n| (950..1050).contains(n)), "{seen:?}");
        assert_eq!(place(u64::MAX, 3), 2);
        assert_eq!(place(0, 3), 0);
        assert_eq!(place(u64::MAX, 0), 0);
    }
}
