#![doc = include_str!("../README.md")]

mod acceptor;
mod callback;
mod channel;
mod config;
mod map;
pub mod native;
pub mod sign;
mod wire;

use std::sync::Arc;

use paymux_core::acceptor::Acceptor;
use paymux_core::provider::{ChannelSite, SettingError, SettingKey, Settings};
use paymux_core::{Channel, Provider};

/// The provider's slug: crate suffix, configuration, metric label, database value.
pub const ID: &str = "beecloud";

/// The plugin, for the server's list and for embedders.
pub fn provider() -> Arc<dyn Provider> {
    Arc::new(BeeCloudProvider)
}

struct BeeCloudProvider;

impl Provider for BeeCloudProvider {
    fn slug(&self) -> &'static str {
        ID
    }

    fn settings(&self) -> &'static [SettingKey] {
        config::KEYS
    }

    fn channel(&self, _site: ChannelSite, settings: Settings) -> Result<Arc<dyn Channel>, Vec<SettingError>> {
        let account = config::Account::read(&settings)?;
        Ok(Arc::new(channel::BeeCloud::new(account)))
    }

    fn acceptor(&self) -> Option<Arc<dyn Acceptor>> {
        Some(Arc::new(acceptor::BeeCloudAcceptor))
    }
}
