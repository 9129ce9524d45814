//! What each step of `cargo xtask ci` runs. All builds share the profile `ci` and one target folder, so that
//! clippy, docs and tests build proc macros and build scripts once. They have crash points on, which no release has:
//! the binary as it ships is linted and tried once more without them, in [`clippy`] and [`tests`].

use std::{
    env,
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::{crash, fuzz, instructions, new_channel, simulate, tidy, weight};

/// One thing that a change must pass.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// One word, for `--only`.
    pub(super) name: &'static str,
    /// What it proves.
    pub(super) title: &'static str,
    pub(super) run: fn(&Path) -> Result<()>,
}

/// All steps; what is quick to fail comes first.
pub(super) const STEPS: [Step; 13] = [
    Step { name: "fmt", title: "every file is as rustfmt writes it", run: fmt },
    Step { name: "tidy", title: "the rules that no compiler checks", run: tidy::run },
    Step { name: "deny", title: "licences, banned crates and sources of all dependencies", run: deny },
    Step { name: "clippy", title: "lints over every target, warnings are errors", run: clippy },
    Step { name: "docs", title: "the documentation builds and its links lead somewhere", run: docs },
    Step { name: "tests", title: "every test but the doctests and the harnesses", run: tests },
    Step {
        name: "new-channel",
        title: "a plugin made by the generator, in a copy: nothing else is touched, and its tests pass",
        run: new_channel::trial::run,
    },
    Step { name: "schedules", title: "orders in which threads can come to what they share", run: schedules },
    Step { name: "doctests", title: "every example in the documentation", run: doctests },
    Step {
        name: "instructions",
        title: "how many a sign and a routing decision take",
        run: instructions::check,
    },
    Step { name: "fuzz", title: "three seconds of changed messages for each parser", run: fuzz::commit_tier },
    Step { name: "simulate", title: "ten thousand seeds of the simulation", run: simulate::commit_tier },
    Step { name: "crash", title: "the binary, killed a hundred times under work", run: crash::commit_tier },
];

/// The facade as teams build it in, by its features.
const FACADES: [&str; 3] = ["", "fufu", "transport"];

fn fmt(root: &Path) -> Result<()> {
    succeed(cargo(root, ["fmt", "--all", "--check"]))
}

/// Fetches first: the tool reads the manifests of all platforms' crates, and must not reach for the network itself.
fn deny(root: &Path) -> Result<()> {
    installed(root, "deny", "cargo install --locked cargo-deny --version 0.20.2")?;
    succeed(cargo(root, ["fetch", "--locked"]))?;
    let checks = ["deny", "--offline", "check", "bans", "licenses", "sources"];
    let mut command = cargo(root, checks);
    if advisories_are_at_hand() {
        command.arg("advisories");
    } else {
        note(
            "no advisory database on this machine: advisories are not checked; `cargo deny fetch db` gets it",
        );
    }
    succeed(command)
}

fn clippy(root: &Path) -> Result<()> {
    let check = ["clippy", "--workspace", "--all-targets", "--profile", "ci"];
    let strict = ["--", "-D", "warnings"];
    succeed(cargo(root, check.into_iter().chain(crash::FEATURES).chain(strict)))?;
    let shipped = ["clippy", "--workspace", "--bin", "paymux", "--test", "e2e", "--profile", "ci"];
    succeed(cargo(root, shipped.into_iter().chain(strict)))?;
    // Every other build has all features of the facade, since its tests do.
    for features in FACADES {
        let alone = ["clippy", "--package", "paymux", "--lib", "--profile", "ci"];
        succeed(cargo(root, alone.into_iter().chain(weight::features(features)).chain(strict)))?;
    }
    Ok(())
}

fn docs(root: &Path) -> Result<()> {
    let mut command = cargo(root, ["doc", "--workspace", "--no-deps", "--profile", "ci"]);
    command.env("RUSTDOCFLAGS", "-D warnings");
    succeed(command)
}

fn tests(root: &Path) -> Result<()> {
    nextest_is_installed(root)?;
    browser_is_installed("chromedriver")?;
    sdk_languages_are_installed()?;
    let all_but_crash = format!("not {}", crash::FILTER);
    let run = ["nextest", "run", "--workspace", "--cargo-profile", "ci", "--profile", "ci"];
    let choice = ["-E", all_but_crash.as_str()];
    succeed(cargo(root, run.into_iter().chain(crash::FEATURES).chain(choice)))?;
    // Of the whole workspace, so that the crates of others are not built with other features once more.
    let shipped = ["--test", "e2e", "-E", crash::FILTER_WITHOUT];
    succeed(cargo(root, run.into_iter().chain(shipped)))
}

/// A build of core alone, whose locks are the explorer's.
fn schedules(root: &Path) -> Result<()> {
    let test = ["test", "--package", "paymux-core", "--profile", "ci"];
    succeed(cargo(root, test.into_iter().chain(["--features", "schedules", "--test", "schedules"])))
}

fn doctests(root: &Path) -> Result<()> {
    let test = ["test", "--doc", "--workspace", "--profile", "ci"];
    succeed(cargo(root, test.into_iter().chain(crash::FEATURES)))
}

/// What runs the tests.
///
/// # Errors
/// When it is not there; the text says how to get it.
pub(crate) fn nextest_is_installed(root: &Path) -> Result<()> {
    installed(root, "nextest", "cargo install --locked cargo-nextest --version 0.9.151")
}

/// What the tests of pages look at them with.
fn browser_is_installed(driver: &str) -> Result<()> {
    let told = Command::new(driver).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !told.is_ok_and(|status| status.success()) {
        bail!(
            "`{driver}` is not installed; on Debian run `apt-get install chromium chromium-driver`, or .ci/run, which \
             installs what is missing"
        );
    }
    Ok(())
}

/// What BeeCloud's own SDKs are installed and run with.
fn sdk_languages_are_installed() -> Result<()> {
    starts("python3", &["-c", "import ensurepip, venv"], "python3 python3-venv")?;
    starts("node", &["--version"], "nodejs")?;
    starts("npm", &["--version"], "npm")
}

fn starts(program: &str, arguments: &[&str], packages: &str) -> Result<()> {
    let told = Command::new(program).args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !told.is_ok_and(|status| status.success()) {
        bail!(
            "`{program} {}` does not work; on Debian run `apt-get install {packages}`, or .ci/run, which installs what \
             is missing",
            arguments.join(" ")
        );
    }
    Ok(())
}

pub(crate) fn cargo<'a>(root: &Path, arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = Command::new("cargo");
    command.current_dir(root).args(arguments);
    command
}

pub(crate) fn succeed(mut command: Command) -> Result<()> {
    let told = told(&command);
    let status = command.status().with_context(|| format!("start `{told}`"))?;
    if !status.success() {
        bail!("`{told}` ended with {status}");
    }
    Ok(())
}

/// The command as one would type it.
fn told(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    words.map(OsStr::to_string_lossy).collect::<Vec<_>>().join(" ")
}

fn installed(root: &Path, tool: &str, how: &str) -> Result<()> {
    let mut command = cargo(root, [tool, "--version"]);
    let status = command.stdout(Stdio::null()).stderr(Stdio::null()).status().context("start `cargo`")?;
    if !status.success() {
        bail!("`cargo {tool}` is not installed; run `{how}`, or .ci/run, which installs what is missing");
    }
    Ok(())
}

/// True if cargo-deny's database of advisories stands where the tool looks for it.
fn advisories_are_at_hand() -> bool {
    let databases = cargo_home().and_then(|home| fs::read_dir(home.join("advisory-dbs")).ok());
    databases.is_some_and(|mut entries| entries.any(|entry| entry.is_ok_and(|entry| entry.path().is_dir())))
}

#[expect(clippy::disallowed_methods, reason = "cargo's own variable, for a tool of the developer")]
fn cargo_home() -> Option<PathBuf> {
    env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| env::home_dir().map(|home| home.join(".cargo")))
}

#[expect(clippy::print_stdout, reason = "what a step leaves out must be seen")]
fn note(text: &str) {
    println!("note: {text}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_command_is_told_as_typed() {
        let error = succeed(cargo(crate::root(), ["no-such-command", "--flag"])).unwrap_err().to_string();
        assert!(error.starts_with("`cargo no-such-command --flag` ended with exit status: "), "{error}");
        assert!(succeed(cargo(crate::root(), ["--version"])).is_ok());
    }

    #[test]
    fn a_missing_tool_says_how_to_get_it() {
        let error =
            installed(crate::root(), "no-such-tool", "cargo install no-such-tool").unwrap_err().to_string();
        assert!(
            error.contains("`cargo no-such-tool` is not installed; run `cargo install no-such-tool`"),
            "{error}"
        );
        assert!(installed(crate::root(), "fmt", "").is_ok());
        let error = browser_is_installed("no-such-driver").unwrap_err().to_string();
        assert!(error.contains("apt-get install chromium chromium-driver"), "{error}");
        let error = starts("no-such-language", &["--version"], "some-package").unwrap_err().to_string();
        assert!(error.contains("apt-get install some-package"), "{error}");
    }

    #[test]
    fn every_build_shares_the_profile() {
        let source = include_str!("steps.rs");
        let builds =
            ["\"clippy\", \"--work", "\"doc\", \"--work", "\"nextest\", \"run\"", "\"test\", \"--doc\""];
        for build in builds {
            let line = source.lines().find(|line| line.contains(build)).unwrap();
            assert!(line.contains("profile\", \"ci\""), "{line}");
        }
    }
}
