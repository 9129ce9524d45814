//! Crash points under work: the process dies at each named place once, at a visit that the seed chooses.

use std::os::unix::process::ExitStatusExt as _;

use paymux_core::crash::POINTS;

use crate::database::Kind;
use crate::world::World;

/// By what `abort` ends a process.
const SIGABRT: i32 = 6;
/// Up to which visit a place strikes: some later than the first, so that work is under way elsewhere.
const VISIT_MAX: u64 = 4;

/// The places that a running paymux comes by on that store.
pub(super) fn on(kind: Kind) -> Vec<&'static str> {
    let other = match kind {
        Kind::Sqlite => "postgres.",
        Kind::Postgres => "sqlite.",
    };
    let is_met = |name: &&str| !name.starts_with(other) && !name.starts_with("migrate.");
    POINTS.iter().map(|(name, _)| *name).filter(is_met).collect()
}

/// Kills it, starts it with that point armed, and waits until it has died there.
pub(super) async fn strike(world: &mut World, name: &str, dice: &mut fastrand::Rng) {
    world.kill().await;
    let point = format!("{name}:abort:{}", dice.u64(1..=VISIT_MAX));
    let Some(status) = world.armed(&point).ended().await else { panic!("{point}: nothing came by there") };
    assert_eq!(status.signal(), Some(SIGABRT), "{point}: ended with {status}");
    world.up().await;
}
