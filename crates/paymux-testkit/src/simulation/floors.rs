//! How often each fault and each state must be hit in the commit tier, at the least: without that, a run
//! without a violation says little.

/// For how many seeds the floors hold.
pub const FLOORS_SEEDS: u64 = 10_000;

/// Name and least count, each well below what those seeds really hit.
pub const FLOORS: &[(&str, u64)] = &[];
