#![doc = include_str!("../README.md")]

mod acceptor;
mod books;
mod callback;
mod channel;
mod config;
mod map;
mod sign;
mod wire;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use paymux_core::acceptor::Acceptor;
use paymux_core::provider::{ChannelSite, SettingError, SettingKey, Settings};
use paymux_core::{Channel, ChannelId, Provider};

/// The provider's slug: crate suffix, configuration, metric label, database value.
pub const ID: &str = "sandbox";

/// The plugin, for the server's list and for embedders. Each has its own books.
pub fn provider() -> Arc<dyn Provider> {
    Arc::new(SandboxProvider::default())
}

/// Keeps the books of each channel by its id, so that a reload of the configuration loses none.
#[derive(Default)]
struct SandboxProvider(Mutex<BTreeMap<ChannelId, Arc<books::Books>>>);

impl Provider for SandboxProvider {
    fn slug(&self) -> &'static str {
        ID
    }

    fn settings(&self) -> &'static [SettingKey] {
        config::KEYS
    }

    fn channel(&self, site: ChannelSite, settings: Settings) -> Result<Arc<dyn Channel>, Vec<SettingError>> {
        let account = config::Account::read(&settings)?;
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let books = Arc::clone(all.entry(site.id.clone()).or_default());
        Ok(Arc::new(channel::SandboxChannel::new(&site.id, account, books)))
    }

    fn acceptor(&self) -> Option<Arc<dyn Acceptor>> {
        Some(Arc::new(acceptor::SandboxAcceptor))
    }
}
