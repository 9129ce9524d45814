//! How often a channel's calls go well, as a number that forgets: what `adaptive` picks by.

use super::breaker::Pulse;

/// All calls go well, in parts of a million: where every channel begins.
pub(super) const BEST_PPM: u32 = 1_000_000;
/// Each call counts for so much of what is known: after sixteen calls two thirds of it are theirs.
const WEIGHT: u32 = 16;
/// Two rates that differ by no more than this are the same: chance alone makes them differ by as much.
const STEP_PPM: i64 = 20_000;

/// The rate after one more call.
pub(super) fn after(rate: u32, pulse: Pulse) -> u32 {
    match pulse {
        // Rounded up, so that the best is reached again.
        Pulse::Well => rate + (BEST_PPM - rate).div_ceil(WEIGHT),
        Pulse::Ill => rate - rate / WEIGHT,
    }
}

/// What rates are compared by.
pub(super) fn rank(rate: i64) -> i64 {
    (rate + STEP_PPM - 1) / STEP_PPM
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after_all(rate: u32, pulse: Pulse, count: u32) -> u32 {
        (0..count).fold(rate, |rate, _| after(rate, pulse))
    }

    #[test]
    fn it_falls_with_faults_and_comes_back_with_answers() {
        assert_eq!(after(BEST_PPM, Pulse::Well), BEST_PPM);
        assert_eq!(after(BEST_PPM, Pulse::Ill), 937_500);
        let bad = after_all(BEST_PPM, Pulse::Ill, 16);
        assert!((340_000..370_000).contains(&bad), "{bad}");
        assert_eq!(after_all(BEST_PPM, Pulse::Ill, 1000), 15, "it never falls below nothing");
        assert_eq!(after_all(bad, Pulse::Well, 400), BEST_PPM);
    }

    #[test]
    fn what_is_nearly_as_good_is_as_good() {
        let best = i64::from(BEST_PPM);
        assert_eq!(rank(best), rank(best - STEP_PPM + 1));
        assert!(rank(best) > rank(best - STEP_PPM));
        assert!(rank(i64::from(after(BEST_PPM, Pulse::Ill))) < rank(best));
    }
}
