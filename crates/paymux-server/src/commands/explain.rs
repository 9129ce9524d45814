//! `paymux explain`: which channel would take a payment, and why. Opens no listener, calls nobody, stores nothing.

mod report;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::str::FromStr;

use paymux::SystemRng;
use paymux_core::catalog::Scope;
use paymux_core::hours::minute_of_day;
use paymux_core::payment::request::{PayerRequest, PaymentRequest};
use paymux_core::payments::{Explained, Question, Times, read_channels, read_figures};
use paymux_core::router::{Ask, Router, Seed};
use paymux_core::{AppId, Catalog, Clock as _, Method, NewPayment, Product, Rng as _, Timestamp};
use paymux_store::{ConnectError, Ledger, Options as StoreOptions};
use paymux_transport::SystemClock;

use super::check::Form;
use super::console::{self, Console};
use super::{End, configured};
use crate::config::Config;
use crate::environment::Environment;

/// What its exit codes mean.
pub(super) const CODES: &str = "\
Exit codes:
  0    a channel takes it
  1    no channel may take it
  2    it could not be told: a mistake on the command line or in the configuration";

/// What it is asked.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The configuration file.
    #[arg(short, long, value_name = "FILE")]
    config: PathBuf,
    /// Whose payment it is.
    #[arg(long, value_name = "APP")]
    app: AppId,
    /// What the payer uses, such as wechat.native.
    #[arg(long, value_name = "METHOD")]
    method: String,
    /// How much, in minor units: 1999 for 19.99 CNY.
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    amount: i64,
    /// Its currency.
    #[arg(long, value_name = "CODE", default_value = "CNY")]
    currency: String,
    /// The merchant's number of it.
    #[arg(long, value_name = "NO", default_value = "EXPLAIN")]
    order_no: String,
    /// The merchant's own id of the payer.
    #[arg(long, value_name = "ID")]
    payer_id: Option<String>,
    /// The payer's address.
    #[arg(long, value_name = "IP")]
    payer_ip: Option<String>,
    /// Where the payer is, such as CN-31.
    #[arg(long, value_name = "REGION")]
    region: Option<String>,
    /// The merchant's own data; once for each.
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    metadata: Vec<(String, String)>,
    /// A channel that must take it.
    #[arg(long, value_name = "CHANNEL")]
    channel: Option<String>,
    /// Seconds until it expires.
    #[arg(long, value_name = "SECONDS")]
    expires_in: Option<u32>,
    /// When it comes instead of now: RFC 3339, or HH:MM of today in the day zone. What channels have collected is
    /// that day's.
    #[arg(long, value_name = "TIME")]
    at: Option<At>,
    /// What the choice draws from: a whole number, or the seed of a record. Drawn by chance when absent.
    #[arg(long, value_name = "SEED")]
    seed: Option<Seed>,
    /// Picks so often for the same payment, each time under another seed, and shows how the picks spread.
    #[arg(long, value_name = "N")]
    times: Option<Times>,
    /// Writes the record as JSON instead of text.
    #[arg(long)]
    json: bool,
}

/// When the payment comes.
#[derive(Debug, Clone, Copy)]
enum At {
    Moment(Timestamp),
    /// A minute of today.
    Minute(u16),
}

impl FromStr for At {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let minute = minute_of_day(text).map(Self::Minute);
        let moment = || text.parse().ok().map(Self::Moment);
        minute.or_else(moment).ok_or("write HH:MM, like 20:00, or RFC 3339, like 2026-11-21T20:00:00+08:00")
    }
}

fn pair(text: &str) -> Result<(String, String), &'static str> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// Tells what was asked.
pub(super) async fn run(options: &Options, environment: &Environment) -> End {
    let Some(config) = configured(&options.config, environment) else { return End::NotRun };
    match Inquiry::of(options, &config.catalog) {
        Ok(inquiry) => {
            let explained = inquiry.answer(&config).await;
            match Form::of(options.json) {
                Form::Json => console::line(&report::as_json(&explained)),
                Form::Text => report::as_text(&inquiry, &explained, &config.catalog, Console::of_process()),
            }
            if explained.decision.picked.is_some() { End::Done } else { End::Mistake }
        }
        Err(mistake) => {
            console::error(&format!("{mistake:#}"));
            End::NotRun
        }
    }
}

/// A payment that nobody makes, and what is asked about it.
struct Inquiry {
    app: AppId,
    request: NewPayment,
    question: Question,
}

impl Inquiry {
    fn of(options: &Options, catalog: &Catalog) -> anyhow::Result<Self> {
        check_app(catalog, &options.app)?;
        let request = NewPayment::check(&options.request()?)?;
        let now = SystemClock::new().now();
        let at = match options.at {
            None => now,
            Some(At::Moment(at)) => at,
            Some(At::Minute(minute)) => catalog.day_zone.at_minute(now, minute),
        };
        let seed = options.seed.unwrap_or_else(|| Seed::new(SystemRng.bits()));
        Ok(Self { app: options.app.clone(), request, question: Question { at, seed, times: options.times } })
    }

    async fn answer(&self, config: &Config) -> Explained {
        let looks_at_figures = self.looks_at_figures(&config.catalog);
        let at = looks_at_figures.then_some(self.question.at);
        if let Err(error) = read_ledger(config, at).await
            && (looks_at_figures || !is_of_no_ledger(&error))
        {
            let figures = "what channels have collected, what is used of their limits and who completed the last payment \
                           count as nothing, and ";
            let what = if looks_at_figures { figures } else { "" };
            let what = format!("{what}channels are in the states that the configuration gives them");
            console::error(&format!("the ledger could not be looked at, so {what}: {error:#}"));
        }
        Explained::of(&config.catalog, &self.app, &self.request, self.question)
    }

    /// Whether the route that takes the payment looks at what the ledger knows.
    fn looks_at_figures(&self, catalog: &Catalog) -> bool {
        let ask = Ask::of(catalog, &self.app, &self.request, self.question.at);
        Router::new(catalog).route(&ask).is_some_and(|route| {
            let mut entries = route.channels.iter().filter_map(|place| catalog.channels().get(*place));
            route.strategy.looks_at_figures() || entries.any(|entry| entry.rules.has_limits())
        })
    }
}

/// A create of an app that is unknown, or has no part in payments, would not come as far as a route.
fn check_app(catalog: &Catalog, id: &AppId) -> anyhow::Result<()> {
    let Some(app) = catalog.app(id) else {
        let known: Vec<&str> = catalog.apps().map(|app| app.id.as_str()).collect();
        anyhow::bail!("unknown app `{id}`; known: {}", known.join(", "));
    };
    anyhow::ensure!(
        app.scopes.contains(&Scope::Payments),
        "app `{id}` may make no payment: its `scopes` do not list payments"
    );
    Ok(())
}

/// Reads in which states channels are, and the figures of that moment.
async fn read_ledger(config: &Config, figures_at: Option<Timestamp>) -> anyhow::Result<()> {
    let ledger = Ledger::look(config.settings.store_url.expose(), StoreOptions::default()).await?;
    let mut read = read_channels(&config.catalog, &ledger).await;
    if let (Ok(()), Some(at)) = (&read, figures_at) {
        read = read_figures(&config.catalog, &ledger, at).await;
    }
    ledger.close().await;
    Ok(read?)
}

/// Whether no service was ever started there: what a new channel begins with counts then.
fn is_of_no_ledger(error: &anyhow::Error) -> bool {
    match error.downcast_ref() {
        Some(ConnectError::File { source, .. }) => source.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}

impl Options {
    /// The request that a merchant would send.
    fn request(&self) -> anyhow::Result<PaymentRequest> {
        let method: Method = self.method.parse().map_err(|error| anyhow::anyhow!("`method`: {error}"))?;
        Ok(PaymentRequest {
            order_no: self.order_no.clone(),
            amount: self.amount,
            currency: self.currency.clone(),
            method: self.method.clone(),
            subject: "explain".to_owned(),
            expires_in: self.expires_in,
            return_url: None,
            notify_url: None,
            payer: Some(self.payer(method.product)),
            metadata: self.metadata()?,
            channel: self.channel.clone(),
            extra: BTreeMap::new(),
        })
    }

    fn metadata(&self) -> anyhow::Result<BTreeMap<String, String>> {
        let mut map = BTreeMap::new();
        for (key, value) in &self.metadata {
            let earlier = map.insert(key.clone(), value.clone());
            anyhow::ensure!(earlier.is_none(), "`metadata.{key}`: is given twice; give each key once");
        }
        Ok(map)
    }

    /// The payer. What no payment of that product is without, and no route looks into, is made up.
    fn payer(&self, product: Product) -> PayerRequest {
        let made_up = |is_needed: bool| is_needed.then(|| "0".to_owned());
        PayerRequest {
            ip: self.payer_ip.clone(),
            region: self.region.clone(),
            id: self.payer_id.clone(),
            openid: made_up(matches!(product, Product::Jsapi | Product::Mini)),
            auth_code: made_up(product == Product::Barcode),
        }
    }
}
