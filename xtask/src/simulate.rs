//! `cargo xtask simulate`: the seeded simulation of paymux-testkit, over many seeds or one. What it does and
//! proves stands in its own module.

use std::path::Path;

use anyhow::Result;
use clap::Args;

use crate::{
    ci::steps::{cargo, nextest_is_installed, succeed},
    crash,
};

/// How many seeds each commit must survive.
const COMMIT_TIER: u64 = 10_000;

/// Which seeds and how.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Options {
    /// How many seeds.
    #[arg(long, default_value_t = COMMIT_TIER)]
    seeds: u64,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// Runs this seed alone.
    #[arg(long, conflicts_with_all = ["seeds", "from"])]
    seed: Option<u64>,
    /// Prints all that happens in it.
    #[arg(long, requires = "seed")]
    trace: bool,
    /// Builds it as releases are built: half as fast again, and a build of its own.
    #[arg(long)]
    release: bool,
}

impl Options {
    /// So many seeds, in the faster build.
    pub(crate) fn long_tier(seeds: u64) -> Self {
        Self { seeds, from: 1, seed: None, trace: false, release: true }
    }
}

/// Runs the seeds; prints how often each fault and each state was hit.
///
/// # Errors
/// When a seed breaks a promise (the output names it and how to replay it), when something is hit too seldom
/// to prove anything, or when the simulation cannot be built.
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    nextest_is_installed(root)?;
    let test = if options.seed.is_some() { "one_seed" } else { "seeds" };
    let filter = format!("binary_id(paymux-testkit::simulation) and test(/^{test}$/)");
    let how = ["--test", "simulation", "--profile", "ci", "--no-capture", "-E", &filter];
    let how = ["nextest", "run"].into_iter().chain(how);
    let mut command = if options.release {
        cargo(root, how.chain(["--package", "paymux-testkit", "--cargo-profile", "release"]))
    } else {
        // With the whole workspace, so that its crates have the features that the other tests built them with.
        cargo(root, how.chain(["--workspace", "--cargo-profile", "ci"]).chain(crash::FEATURES))
    };
    command.env("PAYMUX_SIM_SEEDS", options.seeds.to_string());
    command.env("PAYMUX_SIM_FROM", options.from.to_string());
    if let Some(seed) = options.seed {
        command.env("PAYMUX_SIM_SEED", seed.to_string());
        command.env("PAYMUX_SIM_TRACE", u8::from(options.trace).to_string());
    }
    succeed(command)
}

/// What each commit must survive.
///
/// # Errors
/// As [`run`].
pub(crate) fn commit_tier(root: &Path) -> Result<()> {
    run(root, &Options { seeds: COMMIT_TIER, from: 1, seed: None, trace: false, release: false })
}
