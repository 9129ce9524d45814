//! The command line: which command, with which options. What a command does lives in its own module.

mod check;
mod console;
mod demo;
mod doctor;
mod explain;
mod import;
mod keys;
mod progress;
mod reconcile;
mod serve;
mod sim;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{self, Config};
use crate::environment::Environment;
use crate::{crash, logs, plugins};

/// What every command's exit code means, in its help too.
const CODES: &str = "\
Exit codes:
  0    done
  1    a mistake in the configuration, or a check that failed
  2    a mistake on the command line
  3    could not start, or could not go on
  130  told to stop a second time, and ended at once

Environment:
  PAYMUX__SECTION__KEY  goes over the same key of the file, such as PAYMUX__SERVER__HTTP
  PAYMUX_LOG            what is logged to standard error: a level, or target=level";

/// A payment router: one API, many providers, never twice.
#[derive(Debug, Parser)]
#[command(name = "paymux", version, after_help = CODES, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Routes, pays and tells one payment before your eyes, then stays up for you to play with.
    ///
    /// The router, a simulated provider, a merchant that takes notices, and a ledger in a folder that
    /// goes with it: all in this process, on free ports of this machine. No real money moves.
    #[command(after_help = CODES)]
    Demo(demo::Options),
    /// Serves payments until it is told to stop by SIGTERM or Ctrl-C.
    #[command(after_help = CODES)]
    Serve {
        #[command(flatten)]
        file: File,
    },
    /// Tells every mistake in a configuration, each with its line.
    #[command(after_help = CODES)]
    Check {
        #[command(flatten)]
        file: File,
        /// Writes JSON instead of text.
        #[arg(long)]
        json: bool,
    },
    /// Tells which channel would take a payment, and why. Does nothing of it, also while the service runs.
    ///
    /// Every channel of the route that matches is listed, with the rule that removes it where one does. What a
    /// payment of the method is never without (a barcode, a payer's openid) is made up. How well calls go, only a
    /// running service knows: here every channel works. Ask that service by POST /v1/routes/explain.
    #[command(after_help = explain::CODES)]
    Explain(explain::Options),
    /// Proves on the ledger that its money adds up. Reads only, also while the service runs.
    ///
    /// Each rule that must hold of every ledger is checked by one look at all of it, as it is at one moment.
    #[command(after_help = doctor::CODES)]
    Doctor {
        #[command(flatten)]
        file: File,
        /// Writes JSON instead of text.
        #[arg(long)]
        json: bool,
    },
    /// Compares one day of the ledger with the providers' own records. Reads only, also while the service
    /// runs.
    ///
    /// A line matches where both sides know its number, its amount and whether money has moved. Every other
    /// one is listed: missing here, missing there, amount differs, state differs.
    #[command(after_help = reconcile::CODES)]
    Reconcile(reconcile::Options),
    /// Takes over the paid orders that an app made at its provider before paymux stood between: so that they can be
    /// refunded and asked for here.
    ///
    /// Each becomes a payment under its own number, with its money in the books; nobody is told of it. What is known
    /// already is passed over, so it can be run again. An SQLite ledger is written by one process: stop the service
    /// meanwhile. On PostgreSQL it can run beside.
    #[command(after_help = import::CODES)]
    Import(import::Options),
    /// Simulates a provider on an address of its own.
    #[command(after_help = CODES)]
    Sim(sim::Options),
    /// Makes keys for an app.
    Keys {
        #[command(subcommand)]
        command: Keys,
    },
}

impl Command {
    /// A demo tells its own story; in between only what is wrong is of use.
    fn log_default(&self) -> &'static str {
        match self {
            Self::Serve { .. } => "info,sea_orm_migration=warn,hyper=warn,h2=warn",
            _ => "warn",
        }
    }
}

#[derive(Debug, Subcommand)]
enum Keys {
    /// Prints a fresh API key and a fresh notice secret, from the operating system's random source.
    #[command(after_help = CODES)]
    New {
        /// Writes JSON instead of text.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, clap::Args)]
struct File {
    /// The configuration file; `config/default.toml` of the repository lists every key.
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Done,
    /// The configuration is wrong, or a check failed.
    Mistake,
    /// What was asked cannot be asked.
    Usage,
    /// A comparison or an examination could not be made.
    NotRun,
    /// It could not start, or could not go on.
    Failed,
}

impl From<End> for ExitCode {
    fn from(end: End) -> Self {
        Self::from(match end {
            End::Done => 0,
            End::Mistake => 1,
            End::Usage | End::NotRun => 2,
            End::Failed => 3,
        })
    }
}

/// Reads the command line of this process and does what it says.
pub fn run() -> ExitCode {
    let command = Cli::parse().command;
    let environment = Environment::of_process();
    // One provider of cryptography for the whole process, before anything speaks TLS. A second call
    // would change nothing.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let _logging = match logs::install(&environment, command.log_default()) {
        Ok(logging) => logging,
        Err(mistake) => {
            console::error(&mistake);
            return End::Usage.into();
        }
    };
    if let Err(mistake) = crash::arm(&environment) {
        console::error(&mistake);
        return End::Usage.into();
    }
    let end = match command {
        Command::Demo(options) => on_runtime(demo::run(&options)),
        Command::Serve { file } => on_runtime(serve::run(&file.config, &environment)),
        Command::Check { file, json } => check::run(&file.config, &environment, check::Form::of(json)),
        Command::Explain(options) => on_runtime(explain::run(&options, &environment)),
        Command::Doctor { file, json } => {
            on_runtime(doctor::run(&file.config, &environment, check::Form::of(json)))
        }
        Command::Reconcile(options) => on_runtime(reconcile::run(&options, &environment)),
        Command::Import(options) => on_runtime(import::run(&options, &environment)),
        Command::Sim(options) => on_runtime(sim::run(&options)),
        Command::Keys { command: Keys::New { json } } => keys::new(json),
    };
    end.into()
}

/// What that file says; its mistakes are told, and then there is nothing.
fn configured(file: &Path, environment: &Environment) -> Option<Config> {
    let read = config::load(file, environment, &plugins::providers());
    read.map_err(|mistakes| console::error(&mistakes.to_string())).ok()
}

fn on_runtime(work: impl Future<Output = End>) -> End {
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => {
            console::error(&format!("no runtime: {error}"));
            End::Failed
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_help_tells_the_exit_codes() {
        for name in ["demo", "serve", "check", "sim"] {
            let mut command = Cli::command();
            let help = command.find_subcommand_mut(name).unwrap().render_long_help().to_string();
            assert!(help.contains("1    a mistake in the configuration"), "{name}: {help}");
        }
        for (name, found) in [
            ("doctor", "something breaks a rule"),
            ("explain", "no channel may take it"),
            ("reconcile", "there are differences"),
            ("import", "some are left for a person"),
        ] {
            let mut command = Cli::command();
            let help = command.find_subcommand_mut(name).unwrap().render_long_help().to_string();
            assert!(help.contains(&format!("1    {found}")), "{name}: {help}");
        }
    }

    #[test]
    fn reads_what_the_contract_says() {
        for line in [
            "demo",
            "demo --once --json",
            "serve -c f.toml",
            "serve --config f.toml",
            "check -c f.toml --json",
            "explain -c f.toml --app shop --method wechat.native --amount 1999",
            "explain -c f.toml --app shop --method wechat.native --amount 1999 --at 20:00 --region CN-31 --times 10",
            "explain -c f.toml --app shop --method any.app --amount 1 --at 2026-11-21T20:00:00+08:00 --seed 7 --json",
            "explain -c f.toml --app shop --method any.app --amount 1 --currency USD --order-no A1 --payer-id u1 \
             --payer-ip 203.0.113.7 --metadata a=1 --metadata b=x=y --channel bee-main --expires-in 60",
            "doctor -c f.toml",
            "doctor -c f.toml --json",
            "reconcile -c f.toml --day 2026-11-21",
            "reconcile -c f.toml --day 2026-11-21 --channel bee-main --json",
            "import -c f.toml --channel bee-main --from 2026-01-01 --to 2026-03-31",
            "import -c f.toml --channel bee-main --app shop --from 2026-01-01 --to 2026-01-01 --json",
            "import -c f.toml --channel bee-main --csv orders.csv",
            "sim --provider beecloud --listen 127.0.0.1:0",
            "sim --provider cloudpay --listen 127.0.0.1:0 --notify-url http://127.0.0.1:1/notify/cloud-a",
            "sim --provider fufu --listen 127.0.0.1:0",
            "keys new",
        ] {
            let words = std::iter::once("paymux").chain(line.split(' '));
            assert!(Cli::try_parse_from(words).is_ok(), "{line}");
        }
        for line in [
            "",
            "serve",
            "check",
            "doctor",
            "reconcile -c f.toml",
            "reconcile -c f.toml --day 21.11.2026",
            "reconcile -c f.toml --day 2026-11-21 --channel a/b",
            "import -c f.toml --channel bee-main",
            "import -c f.toml --channel bee-main --from 2026-01-01",
            "import -c f.toml --channel bee-main --to 2026-01-01",
            "import -c f.toml --from 2026-01-01 --to 2026-01-01",
            "import -c f.toml --channel bee-main --from 2026-01-01 --to 2026-01-01 --csv orders.csv",
            "sim",
            "sim --provider beeclod --listen 127.0.0.1:0",
            "explain",
            "explain -c f.toml --app shop --method any.app",
            "explain -c f.toml --app a/b --method any.app --amount 1",
            "explain -c f.toml --app shop --method any.app --amount 1 --at 24:00",
            "explain -c f.toml --app shop --method any.app --amount 1 --at 2026-11-21",
            "explain -c f.toml --app shop --method any.app --amount 1 --seed x",
            "explain -c f.toml --app shop --method any.app --amount 1 --times 0",
            "explain -c f.toml --app shop --method any.app --amount 1 --times 1000001",
            "explain -c f.toml --app shop --method any.app --amount 1 --metadata k",
            "keys",
        ] {
            let words = std::iter::once("paymux").chain(line.split(' ').filter(|word| !word.is_empty()));
            assert!(Cli::try_parse_from(words).is_err(), "{line}");
        }
    }
}
