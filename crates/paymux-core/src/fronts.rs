//! Which protocols are spoken to apps beside the native API, and by which credentials each app is known in them.
//!
//! A protocol that is not served any more, or never was, still stands here: what was begun in it is told in it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use crate::acceptor::{Acceptor, FrontAccount, FrontAccounts};
use crate::ids::{AppId, ChannelId};
use crate::provider::Settings;

/// Every protocol that this process can speak to apps, by its provider's slug.
#[derive(Clone, Default)]
pub struct Fronts(BTreeMap<&'static str, Front>);

impl Fronts {
    /// With that one too.
    pub fn add(&mut self, front: Front) {
        self.0.insert(front.acceptor.slug(), front);
    }

    /// The one of that slug.
    pub fn of(&self, slug: &str) -> Option<&Front> {
        self.0.get(slug)
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Front> {
        self.0.values()
    }

    /// The one in which orders are told that the app made in that channel's account before.
    pub fn heir(&self, app: &AppId, channel: &ChannelId) -> Option<&Front> {
        self.0.values().find(|front| front.legacy_channel(app) == Some(channel))
    }

    /// Whether the app is known in any of them.
    pub fn knows(&self, app: &AppId) -> bool {
        self.0.values().any(|front| front.accounts.contains_key(app))
    }
}

impl fmt::Debug for Fronts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// One protocol, and who is known in it.
#[derive(Clone)]
pub struct Front {
    acceptor: Arc<dyn Acceptor>,
    service: Service,
    accounts: BTreeMap<AppId, FrontAccount>,
    /// Who has which [`Acceptor::account_key`].
    names: BTreeMap<String, AppId>,
    /// Where the orders lie that an app made at a provider before it called here.
    legacy: BTreeMap<AppId, ChannelId>,
}

/// Whether a protocol is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// It is.
    On,
    /// Nothing comes in; notices of what came in before go out.
    Off,
}

/// The name of an account is another app's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it names app `{0}`")]
pub struct NameTaken(pub AppId);

impl Front {
    /// That protocol, so far without anybody.
    pub fn new(acceptor: Arc<dyn Acceptor>, service: Service) -> Self {
        Self { acceptor, service, accounts: BTreeMap::new(), names: BTreeMap::new(), legacy: BTreeMap::new() }
    }

    /// Lets an app in by credentials that [`Acceptor::check_settings`] has passed.
    ///
    /// # Errors
    /// When another app has the same name in this protocol.
    pub fn admit(&mut self, app: &AppId, settings: Settings) -> Result<(), NameTaken> {
        let name = settings.get(self.acceptor.account_key()).and_then(serde_json::Value::as_str);
        let name = name.unwrap_or_default().to_owned();
        if let Some(holder) = self.names.get(&name).filter(|holder| *holder != app) {
            return Err(NameTaken(holder.clone()));
        }
        self.names.insert(name, app.clone());
        self.accounts.insert(app.clone(), FrontAccount { key: app.to_string(), settings });
        Ok(())
    }

    /// What that app asks for here and nobody knows is looked up in that channel's account, where the app itself made
    /// orders before.
    pub fn adopt_from(&mut self, app: &AppId, channel: ChannelId) {
        self.legacy.insert(app.clone(), channel);
    }

    /// The channel in whose account that app made orders before.
    pub fn legacy_channel(&self, app: &AppId) -> Option<&ChannelId> {
        self.legacy.get(app)
    }

    /// The protocol.
    pub fn acceptor(&self) -> &Arc<dyn Acceptor> {
        &self.acceptor
    }

    /// Whether it is served.
    pub fn is_served(&self) -> bool {
        self.service == Service::On
    }

    /// The credentials of that app.
    pub fn account(&self, app: &AppId) -> Option<&FrontAccount> {
        self.accounts.get(app)
    }
}

impl FrontAccounts for Front {
    fn find(&self, key: &str, value: &str) -> Option<FrontAccount> {
        if key != self.acceptor.account_key() {
            return None;
        }
        self.names.get(value).and_then(|app| self.accounts.get(app)).cloned()
    }
}

impl fmt::Debug for Front {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Front")
            .field("slug", &self.acceptor.slug())
            .field("service", &self.service)
            .finish_non_exhaustive()
    }
}
