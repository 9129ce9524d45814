//! `cargo xtask prove`: what breaks paymux, each with as much work as its promise names. Takes hours; what every
//! commit must pass is `cargo xtask ci`. A harness that fails stops no other.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Result, ensure};
use clap::Args;

use crate::{
    chaos,
    ci::{
        Done,
        steps::{cargo, nextest_is_installed, succeed},
        table,
    },
    crash, fuzz, schemathesis, simulate,
};

/// How much of each; lower figures are for trying the command.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Options {
    /// How many seeds the simulation takes, built as releases are.
    #[arg(long, default_value_t = 1_000_000)]
    seeds: u64,
    /// How many kills at random moments on each store.
    #[arg(long, default_value_t = 2_000)]
    kills: u32,
    /// How many connections of callers are cut.
    #[arg(long, default_value_t = 10_000)]
    cuts: u64,
    /// How often the binary is told to stop under load.
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u64).range(1..))]
    stops: u64,
    /// How many payments' refunds race, on each store.
    #[arg(long, default_value_t = 10_000)]
    races: u64,
    /// How often one of two nodes stands still.
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u64).range(1..))]
    pauses: u64,
    /// How often a migration is killed, on each store.
    #[arg(long, default_value_t = 100)]
    migrations: u64,
    /// How many changed messages each parser and verifier gets.
    #[arg(long, default_value_t = 1_000_000)]
    inputs: u64,
    /// How many requests each operation gets that are drawn from the document.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u64).range(1..))]
    requests: u64,
}

/// Runs a harness on the workspace at that place.
type Run = Box<dyn Fn(&Path) -> Result<()>>;

/// One harness.
struct Proof {
    name: &'static str,
    title: String,
    run: Run,
}

/// Runs all of it; prints what each harness says, and in the end which passed and how long it took.
///
/// # Errors
/// When one fails, after all of them have run.
#[expect(clippy::print_stdout, reason = "which harness runs and the table are this command's output")]
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    nextest_is_installed(root)?;
    let done: Vec<Done> = proofs(*options).iter().map(|proof| prove(root, proof)).collect();
    print!("\n{}", table(&done));
    let failed: Vec<&str> = done.iter().filter(|done| !done.passed).map(|done| done.name).collect();
    ensure!(failed.is_empty(), "prove: failed: {}; what each said stands above", failed.join(", "));
    println!("prove: all {} passed", done.len());
    Ok(())
}

fn proofs(options: Options) -> Vec<Proof> {
    let Options { seeds, kills, cuts, stops, races, pauses, migrations, inputs, requests } = options;
    let proof = |name, title, run| Proof { name, title, run };
    vec![
        proof(
            "simulate",
            format!("{seeds} seeds of the simulation"),
            Box::new(move |root| simulate::run(root, &simulate::Options::long_tier(seeds))),
        ),
        proof(
            "crash",
            format!("the binary, killed {kills} times on each store"),
            Box::new(move |root| crash::run(root, &crash::Options::of(kills))),
        ),
        proof(
            "chaos",
            format!("{cuts} callers cut off and {stops} stops under load"),
            Box::new(move |root| chaos::run(root, &chaos::Options::of(stops, cuts))),
        ),
        proof(
            "refunds",
            format!("refunds that race for the money of {races} payments on each store"),
            Box::new(move |root| tests(root, "ledger", REFUNDS, [("PAYMUX_REFUND_ROUNDS", races)])),
        ),
        proof(
            "nodes",
            format!("two nodes, one of which stands still {pauses} times"),
            Box::new(move |root| tests(root, "e2e", NODES, [("PAYMUX_NODE_PAUSES", pauses)])),
        ),
        proof(
            "migration",
            format!("a migration, killed {migrations} times on each store"),
            Box::new(move |root| tests(root, "e2e", MIGRATION, [("PAYMUX_MIGRATION_KILLS", migrations)])),
        ),
        proof(
            "fuzz",
            format!("{inputs} changed messages for each parser and verifier"),
            Box::new(move |root| fuzz::run(root, &fuzz::Options::of(inputs))),
        ),
        proof(
            "schemathesis",
            format!("{requests} requests for each operation, drawn from the document that is served"),
            Box::new(move |root| schemathesis::run(root, &schemathesis::Options::of(requests))),
        ),
    ]
}

const REFUNDS: &str = "binary_id(paymux-store::ledger) and test(/^refund_race::/)";
const NODES: &str = "binary_id(paymux-server::e2e) and test(/^nodes::/)";
const MIGRATION: &str = "binary_id(paymux-server::e2e) and test(/^migration::/)";

/// Tests of one binary, told by variables how much to do.
fn tests(
    root: &Path,
    binary: &str,
    filter: &str,
    told: impl IntoIterator<Item = (&'static str, u64)>,
) -> Result<()> {
    let test = ["nextest", "run", "--workspace", "--test", binary, "-E", filter];
    let how = ["--cargo-profile", "ci", "--profile", "ci", "--no-capture"];
    let mut command = cargo(root, test.into_iter().chain(crash::FEATURES).chain(how));
    command.envs(told.into_iter().map(|(name, number)| (name, number.to_string())));
    succeed(command)
}

#[expect(clippy::print_stdout, clippy::print_stderr, reason = "each says when it starts and why it failed")]
#[expect(clippy::disallowed_methods, reason = "how long a harness takes is no business of core's clock")]
fn prove(root: &Path, proof: &Proof) -> Done {
    println!("\n== {}: {}", proof.name, proof.title);
    let start = Instant::now();
    let outcome = (proof.run)(root);
    let took: Duration = start.elapsed();
    if let Err(error) = &outcome {
        eprintln!("prove: `{}` failed: {error:#}", proof.name);
    }
    Done { name: proof.name, took, passed: outcome.is_ok() }
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn a_failure_is_noted_and_told() {
        let proof =
            |run: fn(&Path) -> Result<()>| Proof { name: "x", title: String::new(), run: Box::new(run) };
        assert!(prove(Path::new("."), &proof(|_| Ok(()))).passed);
        assert!(!prove(Path::new("."), &proof(|_| bail!("no server"))).passed);
    }

    /// A variable that no test reads would prove nothing.
    #[test]
    fn the_tests_read_what_they_are_told() {
        let root = crate::root();
        for (file, name) in [
            ("crates/paymux-store/tests/ledger/refund_race.rs", "PAYMUX_REFUND_ROUNDS"),
            ("crates/paymux-server/tests/e2e/nodes.rs", "PAYMUX_NODE_PAUSES"),
            ("crates/paymux-server/tests/e2e/migration.rs", "PAYMUX_MIGRATION_KILLS"),
        ] {
            let text = std::fs::read_to_string(root.join(file)).unwrap();
            assert!(text.contains(&format!("(\"{name}\"")), "{file}: {name}");
            assert!(include_str!("prove.rs").matches(name).count() >= 2, "{name}");
        }
    }
}
