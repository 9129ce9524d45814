//! `paymux-fuzz`: runs targets, as many at once as there are processors, and keeps the inputs with which one fails.
//! What a target is stands in the library; `cargo xtask fuzz` builds this and calls it.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, exit};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use clap::Parser;
use paymux_fuzz::run::{Current, Failure, Plan, Tally, keep_panics, run};
use paymux_fuzz::{Target, targets};
use paymux_sign::Md5Digest;

/// An input that is looked at for longer than this, and twice at most, hangs.
const HANGS: Duration = Duration::from_secs(20);

/// Bytes from strangers against every parser and verifier.
#[derive(Debug, Parser)]
struct Cli {
    /// Runs these alone: whole names, or what they begin with, such as `beecloud/`.
    targets: Vec<String>,
    /// How many inputs each gets.
    #[arg(long, default_value_t = 1_000_000)]
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
    /// Writes what each target takes into a folder of this one and runs none: something to begin with for others.
    #[arg(long, value_name = "FOLDER", conflicts_with = "list")]
    seeds: Option<PathBuf>,
}

#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "what came of each target is what was asked for"
)]
fn main() -> ExitCode {
    let cli = Cli::parse();
    let chosen = match chosen(targets(), &cli.targets) {
        Ok(chosen) => chosen,
        Err(unknown) => {
            eprintln!("no target is called `{unknown}` or begins so; `--list` shows all");
            return ExitCode::FAILURE;
        }
    };
    if cli.list {
        for target in &chosen {
            println!("{:<22} {}", target.name, target.about);
        }
        return ExitCode::SUCCESS;
    }
    if let Some(folder) = &cli.seeds {
        if let Err(error) =
            chosen.iter().try_for_each(|target| write_seeds(target, &folder.join(&target.name)))
        {
            eprintln!("cannot write below `{}`: {error}", folder.display());
            return ExitCode::FAILURE;
        }
        return ExitCode::SUCCESS;
    }
    let plan = Plan { runs: cli.runs, time: cli.seconds.map(Duration::from_secs), seed: cli.seed };
    keep_panics();
    let failed = run_all(&chosen, plan);
    if failed > 0 {
        println!("{failed} of {} targets failed", chosen.len());
        return ExitCode::FAILURE;
    }
    println!("{} targets, seed {}: none failed", chosen.len(), cli.seed);
    ExitCode::SUCCESS
}

/// All targets where none is named.
///
/// # Errors
/// The first name that fits none.
fn chosen(mut all: Vec<Target>, names: &[String]) -> Result<Vec<Target>, String> {
    if let Some(unknown) = names.iter().find(|name| !all.iter().any(|target| target.name.starts_with(*name)))
    {
        return Err(unknown.clone());
    }
    all.retain(|target| names.is_empty() || names.iter().any(|name| target.name.starts_with(name)));
    Ok(all)
}

fn write_seeds(target: &Target, folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    target.seeds.iter().try_for_each(|seed| fs::write(folder.join(name_of(seed)), seed))
}

/// How many failed.
fn run_all(all: &[Target], plan: Plan) -> usize {
    let (next, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let threads = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(target) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    failed.fetch_add(usize::from(!passes(target, plan)), Ordering::Relaxed);
                }
            });
        }
    });
    failed.into_inner()
}

/// Runs one target, says what came of it, and keeps the input with which it failed.
#[expect(clippy::print_stdout, reason = "what came of it is what was asked for")]
#[expect(clippy::disallowed_methods, reason = "how long it runs is no business of core's clock")]
fn passes(target: &Target, plan: Plan) -> bool {
    let name = &target.name;
    let found = match target.found() {
        Ok(found) => found,
        Err(error) => {
            println!("{name:<22} FAILED: cannot read `{}`: {error}", target.folder().display());
            return false;
        }
    };
    let (start, current, done) = (Instant::now(), Current::default(), AtomicBool::new(false));
    let outcome = thread::scope(|scope| {
        let watch = scope.spawn(|| watch(target, &current, &done));
        let outcome = run(target, &found, plan, &current);
        done.store(true, Ordering::Release);
        watch.thread().unpark();
        outcome
    });
    let took = start.elapsed();
    match outcome {
        Ok(Tally { runs, taken: 0 }) => {
            println!("{name:<22} FAILED: took none of {runs} inputs, so it has tried nothing");
            false
        }
        Ok(Tally { runs, taken }) => {
            let seconds = format!("{}.{}", took.as_secs(), took.subsec_millis() / 100);
            println!("{name:<22} {runs:>8} inputs, {taken:>8} taken, {seconds:>6} s");
            true
        }
        Err(failure) => {
            println!("{name:<22} FAILED {}", told(target, plan, &failure));
            false
        }
    }
}

/// Where it failed, and how to see it again.
fn told(target: &Target, plan: Plan, failure: &Failure) -> String {
    let Failure { input, run, why, fails_alone } = failure;
    let again = if *fails_alone {
        format!("{}; it runs first from now on, so keep it with the repair", kept(target, input))
    } else {
        format!("its input alone does not fail; `--seed {} {}` does again", plan.seed, target.name)
    };
    format!("at input {run}, of {} bytes when shortened: {why}\n    {again}", input.len())
}

/// Keeps an input, and says where.
fn kept(target: &Target, input: &[u8]) -> String {
    match keep(target, input) {
        Ok(path) => format!("kept in `{}`", path.display()),
        Err(error) => format!("not kept ({error}): {}", input.escape_ascii()),
    }
}

fn keep(target: &Target, input: &[u8]) -> io::Result<PathBuf> {
    fs::create_dir_all(target.folder())?;
    let path = target.folder().join(name_of(input));
    fs::write(&path, input)?;
    Ok(path)
}

/// The same input has the same name.
fn name_of(input: &[u8]) -> String {
    let digest = Md5Digest::of(&[input]).to_hex();
    format!("{}.input", digest.as_str().get(..16).unwrap_or_default())
}

/// Ends the process when an input never ends: there is no other way out of it.
#[expect(clippy::print_stdout, reason = "what hangs must be said before everything ends")]
fn watch(target: &Target, current: &Current, done: &AtomicBool) {
    let mut last = 0;
    while !done.load(Ordering::Acquire) {
        thread::park_timeout(HANGS);
        let (number, input) = current.look();
        if number != 0 && number == last && !done.load(Ordering::Acquire) {
            println!("{:<22} FAILED: hangs at input {number}; {}", target.name, kept(target, &input));
            exit(1);
        }
        last = number;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_chosen_by_how_their_names_begin() {
        let names = |chosen: Result<Vec<Target>, String>| -> Vec<String> {
            chosen.unwrap().into_iter().map(|target| target.name).collect()
        };
        let all = names(chosen(targets(), &[]));
        assert!(all.len() > 15, "{all:?}");
        let some = names(chosen(targets(), &["sandbox/".to_owned(), "sign/text".to_owned()]));
        assert!(some.contains(&"sandbox/callback".to_owned()) && some.contains(&"sign/text".to_owned()));
        assert!(some.len() < 8, "{some:?}");
        assert_eq!(chosen(targets(), &["nothing".to_owned()]).unwrap_err(), "nothing");
    }
}
