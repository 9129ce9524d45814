//! Where the log goes: standard error, as text for a person at a terminal, as JSON for everything else.

use std::io::IsTerminal as _;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::environment::Environment;

/// The variable that says what is logged, such as `info,paymux_core=debug`.
pub const VARIABLE: &str = "PAYMUX_LOG";

/// Begins logging what the variable says, or `default` where it says nothing.
///
/// # Errors
/// When the variable holds no filter.
pub fn install(environment: &Environment, default: &str) -> Result<(), String> {
    let text = environment.text(VARIABLE).unwrap_or(default);
    let filter = EnvFilter::builder().parse(text).map_err(|error| {
        format!("environment variable `{VARIABLE}`: {error}; write a level or target=level, like info,paymux_core=debug")
    })?;
    let registry = tracing_subscriber::registry().with(filter);
    let to_stderr = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let installed = if std::io::stderr().is_terminal() {
        registry.with(to_stderr).try_init()
    } else {
        registry.with(to_stderr.json().flatten_event(true)).try_init()
    };
    installed.map_err(|error| error.to_string())
}
