//! `cargo xtask fuzz`: the targets of paymux-fuzz, built as the tests are and run. What they look at stands in their
//! own crate.

mod guided;

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result};
use clap::Args;

use crate::{
    ci::steps::{cargo, succeed},
    crash, tree,
};

/// How many inputs each target gets where nothing else is said.
const INPUTS: u64 = 1_000_000;
/// How long each target runs for every commit, in seconds.
const COMMIT_SECONDS: u64 = 3;

/// Which targets and how much of each.
#[derive(Args, Clone, Debug)]
pub(crate) struct Options {
    /// These alone: whole names, or what they begin with, such as `beecloud/`.
    targets: Vec<String>,
    /// How many inputs each gets.
    #[arg(long, default_value_t = INPUTS)]
    runs: u64,
    /// How long each runs at most.
    #[arg(long)]
    seconds: Option<u64>,
    /// What the inputs follow from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Lists the targets and runs none.
    #[arg(long)]
    list: bool,
    /// Runs them under libFuzzer, which keeps what reaches more code: one after the other, in a build of its own.
    #[arg(long, conflicts_with = "list")]
    guided: bool,
}

impl Options {
    /// So many inputs for every target.
    pub(crate) fn of(runs: u64) -> Self {
        Self { targets: Vec::new(), runs, seconds: None, seed: 1, list: false, guided: false }
    }

    /// As the program's own arguments.
    fn arguments(&self) -> Vec<String> {
        let numbers = [("--runs", Some(self.runs)), ("--seconds", self.seconds), ("--seed", Some(self.seed))];
        let numbers = numbers.into_iter().filter_map(|(name, number)| Some(format!("{name}={}", number?)));
        let list = self.list.then(|| "--list".to_owned());
        numbers.chain(list).chain(self.targets.iter().cloned()).collect()
    }
}

/// Builds the targets and runs them, as many at once as there are processors.
///
/// # Errors
/// When one fails; its input is kept beside it.
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let program = build(root)?;
    if options.guided {
        let listed =
            Command::new(&program).arg("--list").args(&options.targets).stderr(Stdio::inherit()).output();
        let listed = String::from_utf8_lossy(&listed.context("list the targets")?.stdout).into_owned();
        let Options { runs, seconds, seed, .. } = *options;
        let plan = guided::Plan { runs, seconds, seed };
        return guided::run(root, &tree::target_folder(root)?, &program, &guided::names(&listed)?, plan);
    }
    let mut program = Command::new(program);
    program.current_dir(root).args(options.arguments());
    succeed(program)
}

fn build(root: &Path) -> Result<PathBuf> {
    // Of the whole workspace, and beside something that only developers build, so that all crates have the features
    // that the tests built them with. Else they are built once more, for minutes.
    let build = ["build", "--workspace", "--bin", "paymux-fuzz", "--profile", "ci"];
    let beside = ["--example", "instructions"];
    succeed(cargo(root, build.into_iter().chain(beside).chain(crash::FEATURES)))?;
    Ok(tree::target_folder(root)?.join("ci/paymux-fuzz"))
}

/// What each commit must survive.
///
/// # Errors
/// As [`run`].
pub(crate) fn commit_tier(root: &Path) -> Result<()> {
    run(root, &Options { seconds: Some(COMMIT_SECONDS), ..Options::of(INPUTS) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_is_told_what_the_command_was_told() {
        assert_eq!(Options::of(5).arguments(), ["--runs=5", "--seed=1"]);
        let some = Options {
            targets: vec!["beecloud/".to_owned(), "sign/text".to_owned()],
            seconds: Some(3),
            seed: 7,
            list: true,
            ..Options::of(1)
        };
        let want = ["--runs=1", "--seconds=3", "--seed=7", "--list", "beecloud/", "sign/text"];
        assert_eq!(some.arguments(), want);
    }

    /// An option that the program does not know would end each run.
    #[test]
    fn the_program_knows_these_options() {
        let program = std::fs::read_to_string(crate::root().join("fuzz/src/main.rs")).unwrap();
        for option in ["targets: Vec<String>", "runs: u64", "seconds: Option<u64>", "seed: u64", "list: bool"]
        {
            assert!(program.contains(option), "{option}");
        }
    }
}
