//! `paymux demo`: everything in one process, one payment told step by step, merchants that take turns, then a router to
//! play with.
//!
//! Nothing is acted: the steps are real HTTP calls between the merchant, the router and the simulated
//! provider, and each line is told when what it says was seen.

mod client;
mod crowd;
mod merchant;
mod qr;
mod rotation;
mod stage;
mod story;
mod teller;

use std::time::Duration;

use super::End;
use super::console::{self, Console};
use crate::stop::Signals;
use stage::Stage;
use teller::Teller;

/// How the demo goes.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Ends after the told payment instead of staying up.
    #[arg(long)]
    once: bool,
    /// Writes each step as a line of JSON.
    #[arg(long)]
    json: bool,
    /// Makes and pays so many payments more after the told one, and tells how long they took.
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    payments: u32,
}

/// How long stopping may take: what is under way here is over in a moment.
const DRAIN: Duration = Duration::from_millis(700);

/// Runs the demo until it is over or a signal comes.
pub(super) async fn run(options: &Options) -> End {
    match play(options).await {
        Ok(end) => end,
        Err(error) => {
            console::error(&format!("the demo failed: {error:#}"));
            End::Failed
        }
    }
}

async fn play(options: &Options) -> anyhow::Result<End> {
    let mut signals = Signals::listen()?;
    let teller = Teller::new(Console::of_process(), options.json);
    let stage = Stage::set(&teller).await?;
    let told = tokio::select! {
        told = tell(options, &stage, &teller) => told,
        _ = signals.came() => Ok(()),
    };
    signals.end_at_next();
    stage.clear().await;
    told.map(|()| End::Done)
}

/// The whole of it. Without `--once` it never ends by itself.
async fn tell(options: &Options, stage: &Stage, teller: &Teller) -> anyhow::Result<()> {
    story::one_payment(stage, teller).await?;
    rotation::turns(stage, teller).await?;
    if options.payments > 0 {
        crowd::payments(stage, teller, options.payments).await?;
    }
    if options.once {
        return Ok(());
    }
    story::invite(stage, teller);
    story::follow(stage, teller).await
}
