//! `paymux check`: every mistake at once, or a short account of what is configured.

use std::path::Path;

use paymux_core::catalog::{ChannelEntry, Route};
use serde_json::json;

use super::End;
use super::console::{self, Console, Tone};
use crate::config::{self, Config, Mistakes};
use crate::environment::Environment;
use crate::plugins;

/// For whom it writes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Form {
    Text,
    Json,
}

impl Form {
    pub(super) fn of(json: bool) -> Self {
        if json { Self::Json } else { Self::Text }
    }
}

/// Checks the file and prints what it found.
pub(super) fn run(file: &Path, environment: &Environment, form: Form) -> End {
    let result = config::load(file, environment, &plugins::providers());
    match form {
        Form::Json => console::line(&as_json(&result).to_string()),
        Form::Text => as_text(file, &result, Console::of_process()),
    }
    if result.is_ok() { End::Done } else { End::Mistake }
}

fn as_json(result: &Result<Config, Mistakes>) -> serde_json::Value {
    match result {
        Err(mistakes) => json!({ "ok": false, "mistakes": mistakes.to_json() }),
        Ok(config) => json!({
            "ok": true,
            "mistakes": [],
            "remarks": config.remarks,
            "config": config.hash,
            "channels": config.catalog.channels().iter().map(channel_as_json).collect::<Vec<_>>(),
            "routes": config.catalog.routes().iter().map(|route| route_as_json(config, route)).collect::<Vec<_>>(),
        }),
    }
}

fn channel_as_json(entry: &ChannelEntry) -> serde_json::Value {
    let descriptor = entry.channel.descriptor();
    json!({
        "id": entry.id.as_str(),
        "provider": descriptor.provider,
        "state": entry.state.word(),
        "livemode": descriptor.livemode,
    })
}

fn route_as_json(config: &Config, route: &Route) -> serde_json::Value {
    json!({
        "name": route.name.as_str(),
        "strategy": route.strategy.word(),
        "channels": names(config, route),
    })
}

fn as_text(file: &Path, result: &Result<Config, Mistakes>, console: Console) {
    match result {
        Err(mistakes) => {
            console::error(&mistakes.to_string());
            let count = mistakes.list().len();
            let s = if count == 1 { "" } else { "s" };
            console::error(&format!("{count} mistake{s}; nothing would start"));
        }
        Ok(config) => {
            let verdict = console.tone(Tone::Good, "ok");
            console::line(&format!("{}: {verdict} (configuration {})", file.display(), config.hash));
            config.catalog.channels().iter().for_each(|entry| console::line(&told_channel(entry)));
            config.catalog.routes().iter().for_each(|route| console::line(&told_route(config, route)));
            config.remarks.iter().for_each(|remark| console::line(&format!("remark: {remark}")));
        }
    }
}

fn told_channel(entry: &ChannelEntry) -> String {
    let descriptor = entry.channel.descriptor();
    let money = if descriptor.livemode { "real money" } else { "test money" };
    format!("channel {}: {}, {}, {money}", entry.id, descriptor.provider, entry.state)
}

fn told_route(config: &Config, route: &Route) -> String {
    format!("route {}: {} over {}", route.name, route.strategy, names(config, route).join(", "))
}

fn names<'a>(config: &'a Config, route: &Route) -> Vec<&'a str> {
    let entries = route.channels.iter().filter_map(|place| config.catalog.channels().get(*place));
    entries.map(|entry| entry.id.as_str()).collect()
}
