//! `cargo xtask ci`: all that a change must pass, step by step, each with its time. What a step runs stands in
//! [`steps`]; installing tools and starting PostgreSQL is `.ci/run`'s work.

pub(crate) mod steps;

use std::{
    fmt::Write,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Result, bail};
use clap::{Args, builder::PossibleValuesParser};

use steps::{STEPS, Step};

/// What to run of it.
#[derive(Args, Debug)]
pub(crate) struct Options {
    /// Runs this step alone.
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(STEPS.map(|step| step.name)))]
    only: Option<String>,
    /// Prints the steps in their order and runs none.
    #[arg(long, conflicts_with = "only")]
    list: bool,
}

/// One step that ended.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) name: &'static str,
    pub(crate) took: Duration,
    pub(crate) passed: bool,
}

/// Runs the chosen steps in the workspace at `root`.
///
/// # Errors
/// At the first step that fails; the text says how to run it alone.
#[expect(clippy::print_stdout, reason = "the steps, their times and the verdict are this command's output")]
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    if options.list {
        print!("{}", list(&STEPS));
        return Ok(());
    }
    let mut done = Vec::new();
    let outcome = chosen(options).try_for_each(|step| run_step(root, step, &mut done));
    print!("\n{}", table(&done));
    outcome?;
    println!("ci: {} of {} steps ran, all passed", done.len(), STEPS.len());
    Ok(())
}

fn chosen(options: &Options) -> impl Iterator<Item = &'static Step> {
    STEPS.iter().filter(|step| options.only.as_deref().is_none_or(|only| only == step.name))
}

#[expect(clippy::print_stdout, reason = "each step says when it starts and what it took")]
#[expect(clippy::disallowed_methods, reason = "the time that a build takes is no business of core's clock")]
fn run_step(root: &Path, step: &Step, done: &mut Vec<Done>) -> Result<()> {
    println!("\n== {}: {}", step.name, step.title);
    let start = Instant::now();
    let outcome = (step.run)(root);
    let took = start.elapsed();
    println!("== {}: {}", step.name, seconds(took));
    done.push(Done { name: step.name, took, passed: outcome.is_ok() });
    if let Err(error) = outcome {
        bail!("ci: step `{0}` failed: {error:#}; run it alone with: cargo xtask ci --only {0}", step.name);
    }
    Ok(())
}

fn list(steps: &[Step]) -> String {
    let width = steps.iter().map(|step| step.name.len()).max().unwrap_or_default();
    steps.iter().fold(String::new(), |mut text, step| {
        let _ = writeln!(text, "{:width$}  {}", step.name, step.title);
        text
    })
}

/// One line per step that ended, and their sum.
pub(crate) fn table(done: &[Done]) -> String {
    let mut text = String::from("step            time  result\n");
    for Done { name, took, passed } in done {
        let result = if *passed { "passed" } else { "FAILED" };
        let _ = writeln!(text, "{name:<12} {:>7}  {result}", seconds(*took));
    }
    let _ = writeln!(text, "{:<12} {:>7}", "all", seconds(done.iter().map(|step| step.took).sum()));
    text
}

fn seconds(took: Duration) -> String {
    format!("{}.{} s", took.as_secs(), took.subsec_millis() / 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_all_or_one() {
        let names = |only: Option<&str>| -> Vec<&str> {
            chosen(&Options { only: only.map(str::to_owned), list: false }).map(|step| step.name).collect()
        };
        assert_eq!(names(None), STEPS.map(|step| step.name));
        assert_eq!(names(Some("tidy")), ["tidy"]);
    }

    #[test]
    fn stops_at_the_step_that_fails() {
        let steps = [step("one", |_| Ok(())), step("two", |_| bail!("no server")), step("three", |_| Ok(()))];
        let mut done = Vec::new();
        let error = steps.iter().try_for_each(|step| run_step(Path::new("."), step, &mut done)).unwrap_err();

        assert_eq!(
            error.to_string(),
            "ci: step `two` failed: no server; run it alone with: cargo xtask ci --only two"
        );
        let ended: Vec<_> = done.iter().map(|done| (done.name, done.passed)).collect();
        assert_eq!(ended, [("one", true), ("two", false)]);

        fn step(name: &'static str, run: fn(&Path) -> Result<()>) -> Step {
            Step { name, title: "", run }
        }
    }

    #[test]
    fn shows_what_each_step_took() {
        let done = [
            Done { name: "clippy", took: Duration::from_millis(61_270), passed: true },
            Done { name: "tests", took: Duration::from_millis(250), passed: false },
        ];
        let want = "step            time  result\n\
                    clippy        61.2 s  passed\n\
                    tests          0.2 s  FAILED\n\
                    all           61.5 s\n";
        assert_eq!(table(&done), want);
    }

    #[test]
    fn lists_the_steps_in_their_order() {
        let listed = list(&STEPS);
        let names: Vec<_> = listed.lines().filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(names, STEPS.map(|step| step.name));
    }
}
