//! A provider plugin as the server sees it: its settings, and what it makes of them.

mod reader;
mod schema;

use std::sync::Arc;

use crate::acceptor::Acceptor;
use crate::channel::Channel;
use crate::ids::ChannelId;

pub use reader::SettingReader;
pub use schema::{Presence, SettingKey, SettingKind, sample_settings};

/// A plugin's table of settings, as read from configuration: secrets are resolved to text already.
pub type Settings = serde_json::Map<String, serde_json::Value>;

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

    /// The keys of `[channels.settings]`. What is said of a missing key, in examples and in forms comes from here.
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
