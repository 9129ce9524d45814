//! Randomness that a seed replays.

use std::sync::{Mutex, PoisonError};

use paymux_core::Rng;

/// The same seed makes the same numbers.
#[derive(Debug)]
pub struct SeededRng(Mutex<fastrand::Rng>);

impl SeededRng {
    /// A source from that seed.
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new(fastrand::Rng::with_seed(seed)))
    }
}

impl Rng for SeededRng {
    fn bits(&self) -> u64 {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).u64(..)
    }
}
