//! `cargo xtask chaos`: callers that hang up and stops under load, with as many of both as the promises name.
//! What it does and proves stands in the tests of paymux-server, which make fewer on every commit.

use std::path::Path;

use anyhow::Result;
use clap::Args;

use crate::ci::steps::{cargo, nextest_is_installed, succeed};
use crate::crash::FEATURES;

/// The harness among all tests, for nextest's `-E`.
const FILTER: &str = "(binary_id(paymux-server::e2e) and test(/^chaos::callers::/))";

/// How often what breaks.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Options {
    /// How often the binary is told to stop while it has work, and must end in order within 30 s.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..))]
    stops: u64,
    /// How many connections of callers are cut in all, at any byte of a request or its answer.
    #[arg(long, default_value_t = 10_000)]
    cuts: u64,
    /// Replays the choices of a run.
    #[arg(long)]
    seed: Option<u64>,
}

impl Options {
    /// So many of both.
    pub(crate) fn of(stops: u64, cuts: u64) -> Self {
        Self { stops, cuts, seed: None }
    }
}

/// Breaks and judges.
///
/// # Errors
/// When something is left half done, lost or doubled, when a stop takes too long, or when the harness cannot run.
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    nextest_is_installed(root)?;
    // With the whole workspace, so that its crates have the features that the other tests built them with.
    let test = ["nextest", "run", "--workspace", "--test", "e2e", "-E", FILTER];
    let how = ["--cargo-profile", "ci", "--profile", "ci", "--no-capture"];
    let mut command = cargo(root, test.into_iter().chain(FEATURES).chain(how));
    command.env("PAYMUX_CHAOS_STOPS", options.stops.to_string());
    command.env("PAYMUX_CHAOS_CUTS", options.cuts.to_string());
    if let Some(seed) = options.seed {
        command.env("PAYMUX_CHAOS_SEED", seed.to_string());
    }
    succeed(command)
}
