//! Randomness behind core's port.

use paymux_core::Rng;

/// A generator of each thread's own, seeded by the operating system: good enough for ids that nobody
/// may guess.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemRng;

impl Rng for SystemRng {
    fn bits(&self) -> u64 {
        use rand::Rng as _;
        rand::rng().next_u64()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_differ() {
        assert_ne!(SystemRng.bits(), SystemRng.bits());
    }
}
