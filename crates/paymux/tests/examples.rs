//! The examples run, and what they print is what the README shows.

use std::error::Error;

#[expect(dead_code, reason = "its `main` prints what `tell` writes")]
#[path = "../examples/own_strategy_and_channel.rs"]
mod own_strategy_and_channel;
#[expect(dead_code, reason = "its `main` prints what `tell` writes")]
#[path = "../examples/payments_on_sqlite.rs"]
mod payments_on_sqlite;
#[expect(dead_code, reason = "its `main` prints what `tell` writes")]
#[path = "../examples/pure_routing.rs"]
mod pure_routing;

const README: &str = include_str!("../../../README.md");

#[test]
fn pure_routing_is_as_shown() {
    let mut out = Vec::new();
    as_shown("pure_routing", pure_routing::tell(&mut out), &out);
}

#[tokio::test]
async fn payments_on_sqlite_are_as_shown() {
    let mut out = Vec::new();
    as_shown("payments_on_sqlite", Box::pin(payments_on_sqlite::tell(&mut out)).await, &out);
}

#[tokio::test]
async fn a_strategy_and_a_channel_of_ones_own_are_as_shown() {
    let mut out = Vec::new();
    as_shown("own_strategy_and_channel", Box::pin(own_strategy_and_channel::tell(&mut out)).await, &out);
}

/// Compares what an example told with the README's block that names its command.
#[track_caller]
fn as_shown(example: &str, outcome: Result<(), Box<dyn Error>>, told: &[u8]) {
    let told = String::from_utf8_lossy(told);
    outcome.unwrap_or_else(|error| panic!("{example} failed: {error}; it had told:\n{told}"));
    let command = format!("text\n$ cargo run -p paymux --example {example}\n");
    let shown = README.split("```").find_map(|block| block.strip_prefix(command.as_str()));
    let shown = shown.unwrap_or_else(|| panic!("the README shows no run of {example}; it tells:\n{told}"));
    assert_eq!(told, shown, "{example} tells something else than the README shows");
}
