//! `paymux import`: takes over what a merchant was paid at its provider before paymux stood between.

mod csv;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use paymux::witness::Witnessed;
use paymux_core::channel::ListedOrder;
use paymux_core::payments::{Adoption, Left, Wanted};
use paymux_core::reconcile::{DAY_ZONE, Day};
use paymux_core::{AppId, CatalogHandle, ChannelId, Currency, Money, Payments};
use paymux_store::{Ledger, Options as StoreOptions};
use serde_json::{Value, json};

use super::End;
use super::check::Form;
use super::console::{self, Console, Tone};
use super::progress::Bar;
use super::table;
use crate::config::{self, Config};
use crate::environment::Environment;
use crate::{node, plugins};

/// What its exit codes mean.
pub(super) const CODES: &str = "\
Exit codes:
  0    every paid order is in the ledger
  1    some are left for a person to see to
  2    it could not run, or not to its end: a mistake on the command line, in the configuration or in the
       table, no ledger to write to, or a provider that gave no list; what was taken over stays";

/// What it is asked.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The configuration file.
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// The channel in whose account the orders were made.
    #[arg(long, value_name = "CHANNEL")]
    channel: ChannelId,
    /// Whose they are: by default the app that has the channel as its `legacy_channel`, or the only app.
    #[arg(long, value_name = "APP")]
    app: Option<AppId>,
    /// The first day, in China, whose orders the provider is asked for.
    #[arg(long, value_name = "YYYY-MM-DD", requires = "to", required_unless_present = "csv")]
    from: Option<Day>,
    /// The last day.
    #[arg(long, value_name = "YYYY-MM-DD", requires = "from")]
    to: Option<Day>,
    /// Paid orders from this table instead: number, amount (in minor units), method and created_at, and if you
    /// like received, currency, paid_at, trade_no, reference and subject.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["from", "to"])]
    csv: Option<PathBuf>,
    /// Writes JSON instead of text.
    #[arg(long)]
    json: bool,
}

/// What came of it.
#[derive(Debug, Default)]
struct Tally {
    new: u64,
    known: u64,
    /// What was booked, by currency.
    booked: BTreeMap<&'static str, i64>,
    /// How many are left, by reason.
    left: BTreeMap<Left, u64>,
    /// Those that a person must see to.
    open: Vec<(String, Left)>,
}

/// Takes over what was asked, and prints what came of it.
pub(super) async fn run(options: &Options, environment: &Environment) -> End {
    let config = match config::load(&options.config, environment, &plugins::providers()) {
        Ok(config) => config,
        Err(mistakes) => {
            console::error(&mistakes.to_string());
            return End::NotRun;
        }
    };
    match import(config, options).await {
        Ok((app, tally)) => {
            match Form::of(options.json) {
                Form::Json => console::line(&as_json(options, &app, &tally).to_string()),
                Form::Text => as_text(options, &app, &tally, Console::of_process()),
            }
            tally.end()
        }
        Err(error) => {
            console::error(&format!("{error:#}"));
            End::NotRun
        }
    }
}

async fn import(config: Config, options: &Options) -> anyhow::Result<(AppId, Tally)> {
    let app = owner(&config, options)?;
    let table = options.csv.as_deref().map(csv::read).transpose()?;
    let ledger =
        Arc::new(Ledger::connect(config.settings.store_url.expose(), StoreOptions::default()).await?);
    let ports = node::ports(&config.settings, Witnessed::new(ledger.clone(), Vec::new()))?;
    let payments = Payments::new(ports, CatalogHandle::new(config.catalog));
    let tally = take_over(&payments, &app, options, table).await;
    ledger.close().await;
    Ok((app, tally?))
}

async fn take_over(
    payments: &Payments,
    app: &AppId,
    options: &Options,
    table: Option<Vec<ListedOrder>>,
) -> anyhow::Result<Tally> {
    if let Err(obstacles) = payments.bind_channels().await? {
        let lines: Vec<String> = obstacles.iter().map(ToString::to_string).collect();
        anyhow::bail!("{}", lines.join("\n"));
    }
    let orders = match table {
        Some(orders) => orders,
        None => listed(payments, options).await?,
    };
    let bar = Bar::of(orders.len());
    let mut tally = Tally::default();
    for order in &orders {
        bar.doing(printable(&order.number));
        let adoption = payments.adopt(app, &options.channel, order, Wanted::Paid).await;
        tally.add(order, adoption.map_err(|error| stopped(&tally, &error))?);
        bar.step();
    }
    bar.end();
    Ok(tally)
}

fn stopped(tally: &Tally, error: &paymux_core::PaymentError) -> anyhow::Error {
    anyhow::anyhow!("{error}; {} were taken over, and a second run goes on behind them", tally.new)
}

/// Whose the orders are.
fn owner(config: &Config, options: &Options) -> anyhow::Result<AppId> {
    let catalog = &config.catalog;
    if catalog.channel(&options.channel).is_none() {
        let known: Vec<&str> = catalog.channels().iter().map(|entry| entry.id.as_str()).collect();
        anyhow::bail!("unknown channel `{}`; known: {}", options.channel, known.join(", "));
    }
    let apps = || catalog.apps().map(|app| &app.id);
    let known = || apps().map(AppId::as_str).collect::<Vec<_>>().join(", ");
    if let Some(app) = &options.app {
        if catalog.app(app).is_none() {
            anyhow::bail!("unknown app `{app}`; known: {}", known());
        }
        return Ok(app.clone());
    }
    let heir = apps().find(|app| catalog.fronts.heir(app, &options.channel).is_some());
    let mut all = apps();
    match (heir, all.next(), all.next()) {
        (Some(app), ..) | (None, Some(app), None) => Ok(app.clone()),
        _ => anyhow::bail!("say whose the orders are by --app; known: {}", known()),
    }
}

async fn listed(payments: &Payments, options: &Options) -> anyhow::Result<Vec<ListedOrder>> {
    let (Some(from), Some(to)) = (options.from, options.to) else {
        anyhow::bail!("say which days by --from and --to, or which table by --csv");
    };
    if from.from > to.from {
        anyhow::bail!("{from} is after {to}: write the first day, then the last");
    }
    let listed = payments.orders_at_provider(&options.channel, from.from, to.to).await?;
    listed.map_err(|error| anyhow::anyhow!("channel `{}` gave no list: {error}", options.channel))
}

impl Tally {
    fn add(&mut self, order: &ListedOrder, adoption: Adoption) {
        match adoption {
            Adoption::New(payment) => {
                self.new += 1;
                let sum = self.booked.entry(payment.amount.currency().code()).or_default();
                *sum = sum.saturating_add(payment.amount_received.minor());
            }
            Adoption::Known(_) => self.known += 1,
            Adoption::Left(why) => {
                *self.left.entry(why).or_default() += 1;
                if why.needs_a_person() {
                    self.open.push((order.number.clone(), why));
                }
            }
        }
    }

    fn end(&self) -> End {
        if self.open.is_empty() { End::Done } else { End::Mistake }
    }
}

fn as_json(options: &Options, app: &AppId, tally: &Tally) -> Value {
    let left = tally.left.iter().map(|(why, count)| (why.word().to_owned(), json!(count)));
    let open = tally.open.iter().map(|(number, why)| json!({ "number": number, "why": why.word() }));
    json!({
        "ok": tally.end() == End::Done,
        "channel": options.channel,
        "app": app.as_str(),
        "taken_over": tally.new,
        "known": tally.known,
        "booked": tally.booked,
        "left": left.collect::<serde_json::Map<_, _>>(),
        "to_see_to": open.collect::<Vec<_>>(),
    })
}

fn as_text(options: &Options, app: &AppId, tally: &Tally, console: Console) {
    let name = console.tone(Tone::Strong, options.channel.as_str());
    let time = match (options.from, options.to) {
        (Some(from), Some(to)) => format!(", {from} to {to} in {DAY_ZONE}"),
        _ => String::new(),
    };
    console::line(&format!("{name} for {app}{time}"));
    let booked = tally.booked.iter().filter_map(|(code, minor)| {
        Some(format!(", {} {code}", Money::new(*minor, Currency::from_code(code)?).to_decimal()))
    });
    let taken = format!("{} taken over{}", tally.new, booked.collect::<String>());
    console::line(&format!("  {}, {} known before", console.tone(Tone::Good, &taken), tally.known));
    if !tally.left.is_empty() {
        let left: Vec<String> = tally.left.iter().map(|(why, count)| format!("{count} {why}")).collect();
        console::line(&format!("  left: {}", left.join(", ")));
    }
    if !tally.open.is_empty() {
        console::line(&format!("  {}", console.tone(Tone::Bad, "to see to:")));
        let rows = tally.open.iter().map(|(number, why)| [printable(number), why.about().to_owned()]);
        for line in table::lines(["number", "why"], rows.collect()) {
            console::line(&format!("    {line}"));
        }
    }
}

/// A provider's text does nothing to a terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
