//! A provider plugin as the server sees it: its settings, and what it makes of them.

mod reader;

use std::sync::Arc;

use crate::acceptor::Acceptor;
use crate::channel::Channel;
use crate::ids::ChannelId;

pub use reader::SettingReader;

/// A plugin's table of settings, as read from configuration: secrets are resolved to text already.
pub type Settings = serde_json::Map<String, serde_json::Value>;

/// One key of a plugin's settings.
#[derive(Debug, Clone, Copy)]
pub struct SettingKey {
    /// As written in the table.
    pub name: &'static str,
    /// Whether it must be there.
    pub required: bool,
    /// Whether it is a secret: it may then be written as `{ env = ".." }` or `{ file = ".." }`.
    pub secret: bool,
    /// What it is for, its form and its default.
    pub about: &'static str,
}

impl SettingKey {
    /// One that may be absent, and is no secret.
    pub const fn new(name: &'static str, about: &'static str) -> Self {
        Self { name, required: false, secret: false, about }
    }

    /// The same as a secret.
    pub const fn secret(self) -> Self {
        Self { secret: true, ..self }
    }

    /// The same where it must be there.
    pub const fn required(self) -> Self {
        Self { required: true, ..self }
    }
}

/// A setting that breaks its rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{key}`: {rule}")]
pub struct SettingError {
    /// Which; empty for the table as a whole.
    pub key: String,
    /// What is allowed. Never holds the value of a secret.
    pub rule: String,
}

impl SettingError {
    /// That key breaks that rule.
    pub fn new(key: impl Into<String>, rule: impl Into<String>) -> Self {
        Self { key: key.into(), rule: rule.into() }
    }
}

/// Where a channel stands in the process that runs it.
#[derive(Debug, Clone)]
pub struct ChannelSite {
    /// Its id.
    pub id: ChannelId,
}

/// A kind of gateway, implemented by one plugin crate.
pub trait Provider: Send + Sync + 'static {
    /// The one slug: crate suffix, configuration, metric label, database value.
    fn slug(&self) -> &'static str;

    /// The keys of `[channels.settings]`.
    fn settings(&self) -> &'static [SettingKey];

    /// Checks the settings and makes a channel of them. Opens nothing. Every mistake is named.
    fn channel(&self, site: ChannelSite, settings: Settings) -> Result<Arc<dyn Channel>, Vec<SettingError>>;

    /// The server side of the same protocol, if the plugin has one.
    fn acceptor(&self) -> Option<Arc<dyn Acceptor>> {
        None
    }
}

/// Names every key of `settings` that `known` does not list, with the known ones.
pub fn unknown_settings(settings: &Settings, known: &[SettingKey]) -> Vec<SettingError> {
    let names = known.iter().map(|key| key.name).collect::<Vec<_>>().join(", ");
    let rule = if names.is_empty() {
        "this provider has no settings".to_owned()
    } else {
        format!("unknown key; known: {names}")
    };
    let strange = |key: &&String| !known.iter().any(|k| k.name == key.as_str());
    settings.keys().filter(strange).map(|key| SettingError::new(key.clone(), rule.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_settings_are_named_with_the_known_ones() {
        let known = [SettingKey::new("app_id", "").required()];
        let settings = serde_json::json!({"app_id": "x", "appid": "x"}).as_object().unwrap().clone();
        let errors = unknown_settings(&settings, &known);
        assert_eq!(errors, [SettingError::new("appid", "unknown key; known: app_id")]);
    }
}
