//! Where the log goes: standard error, as text for a person at a terminal, as JSON for everything else.
//!
//! A thread of its own writes it. Whoever reads the log may stall: then lines wait, and beyond
//! 16,384 of them are lost, but no payment and no shutdown ever waits for a log.

use std::io::IsTerminal as _;

use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::environment::Environment;

/// The variable that says what is logged, such as `info,paymux_core=debug`.
pub const VARIABLE: &str = "PAYMUX_LOG";

/// How many lines wait for a stalled reader at the most.
const LINES_WAITING: usize = 16_384;

/// Keeps the log's thread at work; when dropped, what waits is written within a second or lost.
#[must_use = "the log ends when this is dropped"]
pub struct Logging(#[expect(dead_code, reason = "dropping it ends the log")] WorkerGuard);

/// Begins logging what the variable says, or `default` where it says nothing.
///
/// # Errors
/// When the variable holds no filter.
pub fn install(environment: &Environment, default: &str) -> Result<Logging, String> {
    let text = environment.text(VARIABLE).unwrap_or(default);
    let filter = EnvFilter::builder().parse(text).map_err(|error| {
        format!("environment variable `{VARIABLE}`: {error}; write a level or target=level, like info,paymux_core=debug")
    })?;
    let registry = tracing_subscriber::registry().with(filter);
    let writer = NonBlockingBuilder::default().lossy(true).buffered_lines_limit(LINES_WAITING);
    let (writer, guard) = writer.thread_name("paymux-log").finish(std::io::stderr());
    let to_stderr = tracing_subscriber::fmt::layer().with_writer(writer);
    let installed = if std::io::stderr().is_terminal() {
        registry.with(to_stderr.with_ansi(true)).try_init()
    } else {
        registry.with(to_stderr.with_ansi(false).json().flatten_event(true)).try_init()
    };
    installed.map_err(|error| error.to_string())?;
    Ok(Logging(guard))
}
