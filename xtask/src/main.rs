//! The command line of `cargo xtask`: which command, with which options. What a command does lives in its own
//! module.

mod bench;
mod chaos;
mod ci;
mod codegen;
mod crash;
mod demo;
mod drill;
mod fuzz;
mod instructions;
mod measure;
mod new_channel;
mod prove;
mod schemathesis;
mod simulate;
mod tidy;
mod tree;
mod weight;

use std::{path::Path, process::ExitCode};

use anyhow::Result;
use clap::{Parser, Subcommand};

/// What the repository does to itself.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Checks the rules of the house that no compiler checks; prints each finding as `file:line: what; what to do`.
    Tidy,
    /// Runs everything that a change must pass, step by step; stops at the first that fails.
    Ci(ci::Options),
    /// Makes the crate of a new provider from the sandbox's, and the lines by which the rest knows of it.
    NewChannel(new_channel::Options),
    /// Writes what is made of the plugins' own words: the README's table of channels, every setting in the example.
    Codegen,
    /// Kills the real binary under work, again and again, and compares all books afterwards.
    Crash(crash::Options),
    /// Cuts callers off and stops the real binary under work, again and again, and compares all books afterwards.
    Chaos(chaos::Options),
    /// Runs the seeded simulation over many seeds, or replays one.
    Simulate(simulate::Options),
    /// Runs the harnesses with as much work as the promises name, one after the other: hours.
    Prove(prove::Options),
    /// Plants known bugs in a copy and sees whether the harnesses catch them.
    Drill(drill::Options),
    /// Throws changed messages at every parser and verifier: a million at each, or as many as are asked for.
    Fuzz(fuzz::Options),
    /// Makes requests from the document that the binary serves of itself, and holds its answers against it.
    Schemathesis(schemathesis::Options),
    /// Runs the benches and shows them in one table, beside plain versions, limits and what was saved.
    Bench(bench::Options),
    /// Counts the instructions of signs and routing decisions, and compares them with their bounds.
    Instructions(instructions::Options),
    /// Times the binary's start and reads its memory after many payments, beside the goals.
    Measure(measure::Options),
    /// Counts the crates that come with paymux where it is built in, and times clean builds, beside the goals.
    Weight(weight::Options),
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tell(&error);
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<()> {
    let root = root();
    match command {
        Command::Tidy => tidy::run(root),
        Command::Ci(options) => ci::run(root, &options),
        Command::NewChannel(options) => new_channel::run(root, &options),
        Command::Codegen => codegen::run(root),
        Command::Crash(options) => crash::run(root, &options),
        Command::Chaos(options) => chaos::run(root, &options),
        Command::Simulate(options) => simulate::run(root, &options),
        Command::Prove(options) => prove::run(root, &options),
        Command::Drill(options) => drill::run(root, &options),
        Command::Fuzz(options) => fuzz::run(root, &options),
        Command::Schemathesis(options) => schemathesis::run(root, &options),
        Command::Bench(options) => bench::run(root, &options),
        Command::Instructions(options) => instructions::run(root, &options),
        Command::Measure(options) => measure::run(root, &options),
        Command::Weight(options) => weight::run(root, &options),
    }
}

/// Without a backtrace: what failed is a command or a rule, not this program.
#[expect(clippy::print_stderr, reason = "the last word of a command line tool")]
fn tell(error: &anyhow::Error) {
    eprintln!("{error:#}");
}

/// The workspace's folder: where this crate's own folder stands.
fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own)
}
