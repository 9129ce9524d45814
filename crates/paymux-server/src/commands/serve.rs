//! `paymux serve`: checks, starts, waits for the word to stop, and stops in order.

use std::path::Path;

use super::End;
use super::console;
use crate::config::Config;
use crate::environment::Environment;
use crate::node::{Node, Stopped, Surroundings};
use crate::reload::Source;
use crate::stop::{Reloads, Signals};
use crate::{metrics, plugins};

/// Serves what the file says until a signal comes.
pub(super) async fn run(file: &Path, environment: &Environment) -> End {
    let source =
        Source { file: file.to_owned(), environment: environment.clone(), providers: plugins::providers() };
    let config = match source.load() {
        Ok(config) => config,
        Err(mistakes) => {
            console::error(&mistakes.to_string());
            return End::Mistake;
        }
    };
    match serve(config, source).await {
        Ok(end) => end,
        Err(error) => {
            console::error(&format!("{error:#}"));
            End::Failed
        }
    }
}

async fn serve(config: Config, source: Source) -> anyhow::Result<End> {
    let mut signals = Signals::listen()?;
    for remark in &config.remarks {
        tracing::warn!("{remark}");
    }
    let hash = config.hash.clone();
    let mut reloads = Reloads::listen()?;
    let surroundings =
        Surroundings { metrics: metrics::install()?, witnesses: Vec::new(), source: Some(source) };
    let node = Node::start(config, surroundings).await?;
    tracing::info!(http = %node.http(), admin = node.admin().map(tracing::field::display), config = hash, "paymux serves");

    let fatal = node.fatal();
    let end = loop {
        tokio::select! {
            name = signals.came() => {
                tracing::info!(signal = name, "told to stop; a second signal ends at once");
                break End::Done;
            }
            () = fatal.cancelled() => {
                tracing::error!("the ledger's disk failed: nothing more is taken; a restart finds what is durable");
                break End::Failed;
            }
            () = reloads.asked_for() => node.reload().await,
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
