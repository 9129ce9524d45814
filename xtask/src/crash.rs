//! `cargo xtask crash`: the crash harness of paymux-server with a number of kills and a seed. What it does and
//! proves stands in its own tests.

use std::path::Path;

use anyhow::Result;
use clap::Args;

use crate::ci::steps::{cargo, nextest_is_installed, succeed};

/// The harness among all tests, for nextest's `-E`.
pub(crate) const FILTER: &str = "(binary_id(paymux-server::e2e) and test(/^crash::/))";

/// What only a build without crash points can show.
pub(crate) const FILTER_WITHOUT: &str = "binary_id(paymux-server::e2e) and test(=crash_points::a_build_without_crash_points_ignores_the_variable)";

/// What every build of tests has on: places at which the binary dies when told to. All steps that build have the
/// same features, so that CI builds the workspace once.
pub(crate) const FEATURES: [&str; 2] = ["--features", "paymux-server/crash-points"];

/// How long and how.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Options {
    /// How many kills at random moments on each store, beside one at each crash point.
    #[arg(long, default_value_t = 100)]
    kills: u32,
    /// Replays the choices of a run.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl Options {
    /// So many kills.
    pub(crate) fn of(kills: u32) -> Self {
        Self { kills, seed: 1 }
    }
}

/// Kills and judges; needs a PostgreSQL server as all tests do.
///
/// # Errors
/// When something that was acknowledged is lost or doubled, or the harness cannot run.
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    nextest_is_installed(root)?;
    // With the whole workspace, so that its crates have the features that the other tests built them with.
    let test = ["nextest", "run", "--workspace", "--test", "e2e", "-E", FILTER];
    let how = ["--cargo-profile", "ci", "--profile", "ci", "--no-capture"];
    let mut command = cargo(root, test.into_iter().chain(FEATURES).chain(how));
    command.env("PAYMUX_CRASH_KILLS", options.kills.to_string());
    command.env("PAYMUX_CRASH_SEED", options.seed.to_string());
    succeed(command)
}

/// What each commit must survive.
///
/// # Errors
/// As [`run`].
pub(crate) fn commit_tier(root: &Path) -> Result<()> {
    run(root, &Options::of(100))
}

#[cfg(test)]
mod tests {
    use crate::tree::Tree;

    #[test]
    fn no_release_has_crash_points() {
        let tree = Tree::read(crate::root()).unwrap();
        let manifests = tree.files.iter().filter(|file| file.path.ends_with("Cargo.toml"));
        let mut lines: Vec<(&str, &str)> = manifests
            .flat_map(|file| file.text.lines().map(|line| (file.path.as_str(), line)))
            .filter(|(_, line)| line.contains("crash-points"))
            .collect();
        lines.sort_unstable();
        // Defined and passed on; in no `default`, and no dependency asks for them.
        let want = [
            ("crates/paymux-core/Cargo.toml", "crash-points = []"),
            ("crates/paymux-server/Cargo.toml", "crash-points = [\"paymux-core/crash-points\"]"),
        ];
        assert_eq!(lines, want);
    }
}
