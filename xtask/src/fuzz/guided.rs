//! Targets under libFuzzer: all code is built once more with counters in it, in a folder of its own, and what reaches
//! more of it is kept for the next run. Works on a stable compiler, since it looks for no broken memory: our code is
//! safe.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};

use crate::ci::steps::{cargo, succeed};

/// What puts the counters in. Sums that overflow must panic, as they do in tests.
///
/// Source: cargo-fuzz, the flags of `cargo fuzz build --sanitizer none`.
const FLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1 -Cdebug-assertions --cfg fuzzing";
/// Which target it is. Read by the program.
const TARGET: &str = "PAYMUX_FUZZ_TARGET";

/// What libFuzzer is told of how long.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) runs: u64,
    pub(super) seconds: Option<u64>,
    pub(super) seed: u64,
}

/// Runs each of these targets. `plain` is the program that knows what they take.
///
/// # Errors
/// When one fails; its input is kept with those that failed before.
#[expect(clippy::print_stdout, reason = "libFuzzer does not say which target it runs")]
pub(super) fn run(root: &Path, folder: &Path, plain: &Path, names: &[&str], plan: Plan) -> Result<()> {
    let folder = folder.join("guided");
    let program = build(root, &folder)?;
    for name in names {
        println!("\n== {name}");
        let (corpus, found) = (folder.join("corpus"), root.join("fuzz/found").join(name));
        let mut seeds = Command::new(plain);
        seeds.arg("--seeds").arg(&corpus).arg(name);
        succeed(seeds)?;
        fs::create_dir_all(&found).with_context(|| format!("make `{}`", found.display()))?;
        let mut command = Command::new(&program);
        command.env(TARGET, name).args(arguments(plan, &found)).arg(corpus.join(name)).arg(&found);
        let outcome = succeed(command);
        keep(&found)?;
        outcome.with_context(|| format!("`{name}` failed; its input is in `{}`", found.display()))?;
    }
    Ok(())
}

fn build(root: &Path, folder: &Path) -> Result<std::path::PathBuf> {
    let host = host()?;
    // With a target named, build scripts and macros have no counters in them.
    let build = ["build", "--package", "paymux-fuzz", "--bin", "guided", "--features", "guided", "--release"];
    let mut command = cargo(root, build.into_iter().chain(["--target", host.as_str()]));
    command.env("RUSTFLAGS", FLAGS).env("CARGO_TARGET_DIR", folder);
    succeed(command).context("build it; libFuzzer is C++: on Debian or Ubuntu, apt-get install g++")?;
    Ok(folder.join(host).join("release/guided"))
}

/// What this machine is to the compiler.
fn host() -> Result<String> {
    let said = Command::new("rustc").arg("-vV").stderr(Stdio::null()).output().context("start `rustc`")?;
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("`rustc -vV` names no host")
}

fn arguments(plan: Plan, found: &Path) -> Vec<String> {
    let time = plan.seconds.map(|seconds| format!("-max_total_time={seconds}"));
    let all = [
        format!("-runs={}", plan.runs),
        format!("-seed={}", plan.seed),
        format!("-artifact_prefix={}/", found.display()),
        "-max_len=70000".to_owned(),
        "-timeout=20".to_owned(),
        "-verbosity=0".to_owned(),
        "-print_final_stats=1".to_owned(),
    ];
    all.into_iter().chain(time).collect()
}

/// Names what libFuzzer kept as all inputs are named that once failed, and leaves no empty folder.
fn keep(found: &Path) -> Result<()> {
    let mut count = 0;
    for entry in fs::read_dir(found)? {
        let path = entry?.path();
        count += 1;
        if path.extension().is_none() {
            fs::rename(&path, path.with_extension("input"))?;
        }
    }
    if count == 0 {
        fs::remove_dir(found)?;
    }
    Ok(())
}

/// The names in the list of the program.
///
/// # Errors
/// When there are none.
pub(super) fn names(listed: &str) -> Result<Vec<&str>> {
    let names: Vec<&str> = listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
    if names.is_empty() {
        bail!("no target was chosen");
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_first_words_of_a_list() {
        assert_eq!(names("a/b  what it is\nc/d  more\n").unwrap(), ["a/b", "c/d"]);
        assert!(names("").is_err());
    }

    #[test]
    fn libfuzzer_is_told_how_much_and_where_to_keep_what_fails() {
        let plan = Plan { runs: 7, seconds: Some(3), seed: 5 };
        let told = arguments(plan, Path::new("found/a"));
        for want in ["-runs=7", "-seed=5", "-max_total_time=3", "-artifact_prefix=found/a/"] {
            assert!(told.iter().any(|one| one == want), "{want}: {told:?}");
        }
        assert!(
            !arguments(Plan { seconds: None, ..plan }, Path::new("x"))
                .iter()
                .any(|one| one.contains("time=3"))
        );
    }

    #[test]
    fn this_machine_has_a_name() {
        assert!(host().unwrap().contains('-'));
    }

    #[test]
    fn the_program_reads_what_it_is_told() {
        let program = fs::read_to_string(crate::root().join("fuzz/src/guided.rs")).unwrap();
        assert!(program.contains(&format!("\"{TARGET}\"")));
    }
}
