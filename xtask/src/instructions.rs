//! `cargo xtask instructions`: how many instructions one sign and one routing decision take, compared with bounds
//! in the repository. Clocks of shared machines move by half; these figures hardly move at all.

use std::{
    fmt::Write,
    fs,
    path::Path,
    process::{Command, Stdio},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use toml_edit::DocumentMut;

use crate::{
    ci::steps::{cargo, succeed},
    crash, tree,
};

/// Where the bounds stand.
const FILE: &str = "benches/instructions.toml";
/// How many operations the shorter of two runs makes.
const TIMES: u64 = 1000;
/// What a figure may be above the one in the file: the C library copies in other ways on other processors, and the
/// compiler inlines otherwise in a build that begins anew.
const SLACK_PERCENT: u64 = 10;

/// What to do with the figures.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Writes them into the file of bounds instead of comparing.
    #[arg(long)]
    write: bool,
}

/// Counts, and compares or writes.
///
/// # Errors
/// When a tool is missing, or an operation takes more instructions than it may.
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let counted = counted(root)?;
    if options.write {
        let file = written(&counted, &said("date", &["-u", "+%F"])?, &said("rustc", &["--version"])?);
        return fs::write(root.join(FILE), file).with_context(|| format!("write `{FILE}`"));
    }
    let how = || format!("read `{FILE}`, which `cargo xtask instructions --write` writes");
    let text = fs::read_to_string(root.join(FILE)).with_context(how)?;
    judged(&counted, &text, &said("rustc", &["--version"])?)
}

/// A step of `cargo xtask ci`.
pub(crate) fn check(root: &Path) -> Result<()> {
    run(root, &Options { write: false })
}

/// One operation and how many instructions it takes.
#[derive(Debug, PartialEq)]
struct Counted {
    operation: String,
    instructions: u64,
}

fn counted(root: &Path) -> Result<Vec<Counted>> {
    if said("valgrind", &["--version"]).is_err() {
        bail!(
            "`valgrind` is not installed; run `apt-get install valgrind`, or .ci/run, which installs what is missing"
        );
    }
    // The profile and the features of the tests, so that core is built already. The profile optimises less than a
    // release does: the figures are higher, and grow with what the code does all the same.
    let build = ["build", "--workspace", "--example", "instructions", "--profile", "ci"];
    succeed(cargo(root, build.into_iter().chain(crash::FEATURES)))?;
    let program = tree::target_folder(root)?.join("ci/examples/instructions");
    let operations = said(&program, &[])?;
    operations.lines().map(|operation| count(&program, operation)).collect()
}

/// Two runs, of which one does twice as much: what differs is the operation alone.
fn count(program: &Path, operation: &str) -> Result<Counted> {
    let (once, twice) =
        (run_counted(program, operation, TIMES)?, run_counted(program, operation, 2 * TIMES)?);
    Ok(Counted { operation: operation.to_owned(), instructions: twice.saturating_sub(once) / TIMES })
}

fn run_counted(program: &Path, operation: &str, times: u64) -> Result<u64> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    command.arg(program).args([operation, &times.to_string()]);
    let ended = command.output().context("start `valgrind`")?;
    let told = String::from_utf8_lossy(&ended.stderr);
    if !ended.status.success() {
        bail!("`{operation}` under valgrind ended with {}: {told}", ended.status);
    }
    collected(&told).with_context(|| format!("valgrind says of `{operation}` no `Collected`: {told}"))
}

/// Reads a line such as `==4358== Collected : 10564823`.
fn collected(told: &str) -> Option<u64> {
    let line = told.lines().find(|line| line.contains("Collected"))?;
    line.rsplit(':').next()?.trim().parse().ok()
}

/// What a program says, without the last line break.
fn said(program: impl AsRef<Path>, arguments: &[&str]) -> Result<String> {
    let program = program.as_ref();
    let ended = Command::new(program).args(arguments).stderr(Stdio::null()).output();
    let ended = ended.with_context(|| format!("start `{}`", program.display()))?;
    if !ended.status.success() {
        bail!("`{}` ended with {}", program.display(), ended.status);
    }
    Ok(String::from_utf8_lossy(&ended.stdout).trim_end().to_owned())
}

/// The file of bounds.
fn written(counted: &[Counted], day: &str, compiler: &str) -> String {
    let mut text = format!(
        "# Instructions for one operation, as callgrind counts them in a build of profile `ci`: what `cargo xtask ci`\n\
         # allows, and {SLACK_PERCENT} in a hundred more. Written by `cargo xtask instructions --write`: do so after a change that is\n\
         # worth what it costs, or that makes them fewer.\n\
         measured = \"{day}\"\n\
         compiler = \"{compiler}\"\n\n\
         [operations]\n"
    );
    for Counted { operation, instructions } in counted {
        let _ = writeln!(text, "\"{operation}\" = {instructions}");
    }
    text
}

/// Prints what was counted beside the bounds.
#[expect(clippy::print_stdout, reason = "the figures are this command's output")]
fn judged(counted: &[Counted], file: &str, compiler: &str) -> Result<()> {
    let bounds: DocumentMut = file.parse().with_context(|| format!("read `{FILE}`"))?;
    let bound = |operation: &str| {
        let found =
            bounds.get("operations").and_then(|all| all.get(operation)).and_then(toml_edit::Item::as_integer);
        found.and_then(|bound| u64::try_from(bound).ok())
    };
    println!("{:<24} {:>12} {:>12}", "operation", "instructions", "allowed");
    let (mut above, mut below) = (Vec::new(), Vec::new());
    for Counted { operation, instructions } in counted {
        let Some(bound) = bound(operation) else {
            bail!("`{FILE}` has no bound for `{operation}`; run `cargo xtask instructions --write`");
        };
        let allowed = bound + bound * SLACK_PERCENT / 100;
        println!("{operation:<24} {instructions:>12} {allowed:>12}");
        if *instructions < bound - bound * SLACK_PERCENT / 100 {
            below.push(operation.as_str());
        }
        if *instructions > allowed {
            above.push(format!("`{operation}` takes {instructions} instructions and may take {allowed}"));
        }
    }
    if !below.is_empty() {
        println!(
            "fewer than their bounds say: {}; `cargo xtask instructions --write` keeps it so",
            below.join(", ")
        );
    }
    if above.is_empty() {
        return Ok(());
    }
    let with = bounds.get("compiler").and_then(toml_edit::Item::as_str).unwrap_or("another");
    let hint = if with == compiler {
        "find out what they do more"
    } else {
        "the bounds are of another compiler: if nothing else has changed"
    };
    bail!(
        "{}; {hint}, or write them anew with `cargo xtask instructions --write` (bounds: {with}; here: {compiler})",
        above.join("; ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(operation: &str, instructions: u64) -> Counted {
        Counted { operation: operation.to_owned(), instructions }
    }

    #[test]
    fn reads_what_valgrind_counted() {
        assert_eq!(collected("==7== Events    : Ir\n==7== Collected : 10564823\n"), Some(10_564_823));
        assert_eq!(collected("==7== Collected : many\n"), None);
        assert_eq!(collected(""), None);
    }

    #[test]
    fn what_is_written_is_what_is_allowed() {
        let counted = [of("sign/app_sign", 1000), of("route/3 channels", 200)];
        let file = written(&counted, "2026-11-30", "rustc 1.95.0");
        assert!(file.contains("\"sign/app_sign\" = 1000\n\"route/3 channels\" = 200\n"), "{file}");
        let judge = |sign, compiler| {
            judged(&[of("sign/app_sign", sign), of("route/3 channels", 206)], &file, compiler)
        };
        assert!(judge(1100, "rustc 1.95.0").is_ok() && judge(1, "rustc 1.95.0").is_ok());
        let above = judge(1101, "rustc 1.95.0").unwrap_err().to_string();
        let want = "`sign/app_sign` takes 1101 instructions and may take 1100; find out what they do more, ";
        assert!(above.starts_with(want), "{above}");
        let other = judge(1101, "rustc 1.96.0").unwrap_err().to_string();
        assert!(other.contains("the bounds are of another compiler"), "{other}");
    }

    #[test]
    fn an_operation_without_a_bound_is_named() {
        let file = written(&[of("a", 1)], "2026-11-30", "rustc");
        let error = judged(&[of("b", 1)], &file, "rustc").unwrap_err().to_string();
        assert!(error.starts_with("`benches/instructions.toml` has no bound for `b`"), "{error}");
        assert!(judged(&[], "no toml", "rustc").is_err());
    }

    #[test]
    fn a_program_that_is_none_is_named() {
        assert_eq!(said("no-such-program", &[]).unwrap_err().to_string(), "start `no-such-program`");
        assert_eq!(said("false", &[]).unwrap_err().to_string(), "`false` ended with exit status: 1");
    }
}
