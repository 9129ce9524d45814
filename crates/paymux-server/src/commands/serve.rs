//! `paymux serve`: checks, starts, waits for the word to stop, and stops in order.

use std::path::Path;

use super::End;
use super::console;
use crate::config::{self, Config};
use crate::environment::Environment;
use crate::node::{Node, Stopped, Surroundings};
use crate::stop::Signals;
use crate::{metrics, plugins};

/// Serves what the file says until a signal comes.
pub(super) async fn run(file: &Path, environment: &Environment) -> End {
    let config = match config::load(file, environment, &plugins::providers()) {
        Ok(config) => config,
        Err(mistakes) => {
            console::error(&mistakes.to_string());
            return End::Mistake;
        }
    };
    match serve(config).await {
        Ok(end) => end,
        Err(error) => {
            console::error(&format!("{error:#}"));
            End::Failed
        }
    }
}

async fn serve(config: Config) -> anyhow::Result<End> {
    let mut signals = Signals::listen()?;
    for remark in &config.remarks {
        tracing::warn!("{remark}");
    }
    let hash = config.hash.clone();
    let surroundings = Surroundings { metrics: metrics::install()?, witnesses: Vec::new() };
    let node = Node::start(config, surroundings).await?;
    tracing::info!(http = %node.http(), admin = node.admin().map(tracing::field::display), config = hash, "paymux serves");

    let fatal = node.fatal();
    let end = tokio::select! {
        name = signals.came() => {
            tracing::info!(signal = name, "told to stop; a second signal ends at once");
            End::Done
        }
        () = fatal.cancelled() => {
            tracing::error!("the ledger's disk failed: nothing more is taken; a restart finds what is durable");
            End::Failed
        }
    };
    signals.end_at_next();
    match node.stop().await {
        Stopped::Drained => tracing::info!("paymux has stopped"),
        Stopped::Cut => {
            tracing::warn!(
                "paymux has stopped; what did not end in time is taken up again by the next start"
            );
        }
    }
    Ok(end)
}
