//! `paymux sim`: a provider to test against, on an address of its own.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use paymux_sim::{PayerHabit, Running, SimAccount, SimConfig};

use super::End;
use super::console;
use crate::plugins::Simulated;
use crate::stop::Signals;

/// What is simulated, and how.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Which provider.
    #[arg(long)]
    provider: Simulated,
    /// Where it listens; port 0 takes a free one.
    #[arg(long, value_name = "ADDR")]
    listen: SocketAddr,
    /// What payer pages are linked by; its own address when absent.
    #[arg(long, value_name = "URL", env = "PAYMUX_SIM_PUBLIC_URL")]
    public_url: Option<String>,
    /// Where webhooks of orders go that name no address themselves.
    #[arg(long, value_name = "URL", env = "PAYMUX_SIM_NOTIFY_URL")]
    notify_url: Option<String>,
    /// What the made-up credentials and everything random come out of.
    #[arg(long, default_value_t = 1, env = "PAYMUX_SIM_SEED")]
    seed: u64,
    /// How many times faster than real the provider's own waits pass, such as those between repeats.
    #[arg(long, value_name = "TIMES", default_value = "1", env = "PAYMUX_SIM_TIME_SCALE")]
    time_scale: NonZeroU32,
    /// How far its clock is ahead of ours.
    #[arg(long, value_name = "MS", default_value_t = 0, allow_negative_numbers = true)]
    clock_skew_ms: i64,
    /// How long a new order is missing from queries.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    rows_late_ms: u64,
    /// Payers pay by themselves so long after an order was made; absent: they wait for a click.
    #[arg(long, value_name = "MS")]
    pays_after_ms: Option<u64>,
}

/// Simulates until a signal comes.
pub(super) async fn run(options: &Options) -> End {
    match simulate(options).await {
        Ok(()) => End::Done,
        Err(error) => {
            console::error(&format!("{error:#}"));
            End::Failed
        }
    }
}

async fn simulate(options: &Options) -> anyhow::Result<()> {
    let mut signals = Signals::listen()?;
    let account = options.provider.account("main", options.seed, options.notify_url.clone());
    let config = SimConfig {
        listen: options.listen,
        public_url: options.public_url.clone(),
        accounts: vec![account.clone()],
        seed: options.seed,
        time_scale: options.time_scale,
        clock_skew_ms: options.clock_skew_ms,
        rows_late: Duration::from_millis(options.rows_late_ms),
        payer: options
            .pays_after_ms
            .map_or(PayerHabit::Waits, |ms| PayerHabit::PaysAfter(Duration::from_millis(ms))),
        ..SimConfig::default()
    };
    let running = options.provider.start(config).await?;
    tell(options, &account, &running);
    signals.came().await;
    signals.end_at_next();
    running.stop().await;
    Ok(())
}

/// The channel that calls it, ready to be pasted into a configuration.
fn tell(options: &Options, account: &SimAccount, running: &Running) {
    let (slug, addr, base_url) = (options.provider.slug(), running.addr(), running.base_url());
    console::line(&format!(
        "# {} simulated on http://{addr}, by seed {}. Payer pages: http://{addr}/sim",
        slug, options.seed
    ));
    console::line("# A channel for it:");
    console::line("[[channels]]");
    console::line(&format!("id = \"{slug}-sim\""));
    console::line(&format!("provider = \"{slug}\""));
    console::line("[channels.settings]");
    for (key, value) in &account.settings {
        console::line(&format!("{key} = {value}"));
    }
    console::line(&format!("base_url = \"{base_url}\""));
}
