//! `paymux reconcile`: one day of the ledger against the providers' own records.

mod report;

use std::path::PathBuf;

use paymux_core::reconcile::{DAY_ZONE, Day, Report, Step};
use paymux_core::{CatalogHandle, ChannelId, Payments};
use paymux_store::{Ledger, Options as StoreOptions};

use super::check::Form;
use super::console::{self, Console};
use super::progress::Bar;
use super::{End, configured};
use crate::config::Config;
use crate::environment::Environment;
use crate::node;

/// What its exit codes mean.
pub(super) const CODES: &str = "\
Exit codes:
  0    every line of both sides matches
  1    there are differences
  2    it could not run, or not to its end: a mistake on the command line or in the configuration, no
       ledger to look at, a provider that gave no list, or no channel that can be reconciled";

/// What it is asked.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The configuration file.
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// The day, in the zone Asia/Shanghai.
    #[arg(long, value_name = "YYYY-MM-DD")]
    day: Day,
    /// Only this channel.
    #[arg(long, value_name = "CHANNEL")]
    channel: Option<ChannelId>,
    /// Writes JSON instead of text.
    #[arg(long)]
    json: bool,
}

/// Compares what was asked, and prints what it found.
pub(super) async fn run(options: &Options, environment: &Environment) -> End {
    let Some(config) = configured(&options.config, environment) else { return End::NotRun };
    match reconcile(config, options).await {
        Ok(reports) => {
            match Form::of(options.json) {
                Form::Json => console::line(&report::as_json(options.day, &reports).to_string()),
                Form::Text => report::as_text(options.day, &reports, Console::of_process()),
            }
            report::end(&reports)
        }
        Err(error) => {
            console::error(&format!("{error:#}"));
            End::NotRun
        }
    }
}

async fn reconcile(config: Config, options: &Options) -> anyhow::Result<Vec<Report>> {
    let channels = wanted(&config, options.channel.as_ref())?;
    let ledger = Ledger::look(config.settings.store_url.expose(), StoreOptions::default()).await?;
    let ports = node::ports(&config.settings, ledger)?;
    let now = ports.clock.now();
    if options.day.from > now {
        anyhow::bail!("{} has not begun in {DAY_ZONE}; name a day that is over", options.day);
    }
    if options.day.to > now {
        console::error(&format!(
            "{} is not over in {DAY_ZONE}: what is under way may still differ",
            options.day
        ));
    }
    let payments = Payments::new(ports, CatalogHandle::new(config.catalog));
    let bar = Bar::of(channels.len());
    let mut reports = Vec::new();
    for channel in &channels {
        let heard = bar.clone();
        let listener = move |records, step| heard.doing(format!("{channel}: {records}: {}", told(step)));
        reports.push(payments.reconcile(channel, options.day, &listener).await?);
        bar.step();
    }
    bar.end();
    Ok(reports)
}

/// The channels that are compared, in the order of the configuration.
fn wanted(config: &Config, only: Option<&ChannelId>) -> anyhow::Result<Vec<ChannelId>> {
    let all = config.catalog.channels().iter().map(|entry| entry.id.clone());
    let Some(only) = only else { return Ok(all.collect()) };
    if config.catalog.channel(only).is_some() {
        return Ok(vec![only.clone()]);
    }
    let known: Vec<String> = all.map(|id| id.to_string()).collect();
    anyhow::bail!("unknown channel `{only}`; known: {}", known.join(", "))
}

fn told(step: Step) -> String {
    match step {
        Step::Read(lines) => format!("{lines} lines of the ledger read"),
        Step::Asking => "the provider is listing".to_owned(),
        Step::LookedAgain(done, of) => format!("{done} of {of} differences looked at again"),
    }
}
