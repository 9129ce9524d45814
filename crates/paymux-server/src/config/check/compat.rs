//! `[compat]` and `[apps.compat]`: which protocols of providers are spoken to apps, and by which credentials each
//! app is known in them. A plugin judges its own table.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use paymux_core::acceptor::Acceptor;
use paymux_core::channel::Can;
use paymux_core::fronts::{Front, Fronts, Service};
use paymux_core::provider::Settings;
use paymux_core::{AppId, ChannelId};

use super::channels::Checked;
use super::{Check, unknown};
use crate::config::path::KeyPath;
use crate::config::raw::{self, Raw};

/// The one key of `[compat]` that is no front's.
pub(super) const ALLOW_PLAIN_HTTP: &str = "allow_plain_http";

/// The one key of a table of `[apps.compat]` that is no plugin's.
const LEGACY_CHANNEL: &str = "legacy_channel";

/// What apps have, each with the place where it stands first.
#[derive(Default)]
struct Seen {
    /// The names by which accounts are known.
    names: BTreeMap<(&'static str, String), KeyPath>,
    /// The channels in which orders of before lie, and whose they are.
    legacies: BTreeMap<ChannelId, (AppId, KeyPath)>,
}

impl Check<'_, '_> {
    pub(super) fn fronts(&mut self, raw: &Raw, http: Option<SocketAddr>, channels: &[Checked]) -> Fronts {
        let acceptors = self.acceptors();
        self.switches(raw, &acceptors, http);
        let is_on = |acceptor: &Arc<dyn Acceptor>| raw.compat.get(acceptor.slug()) == Some(&true);
        let mut seen = Seen::default();
        let mut fronts = Fronts::default();
        for acceptor in &acceptors {
            let service = if is_on(acceptor) { Service::On } else { Service::Off };
            let mut front = Front::new(acceptor.clone(), service);
            for (place, app) in raw.apps.iter().enumerate() {
                let path = KeyPath::of("apps").index(place);
                self.admit(&path, app, &mut front, &mut seen);
                self.inherit(&path, app, &mut front, channels, &mut seen);
            }
            fronts.add(front);
        }
        for (place, app) in raw.apps.iter().enumerate() {
            self.known_fronts(&KeyPath::of("apps").index(place).key("compat"), app.compat.keys(), &acceptors);
        }
        fronts
    }

    /// The protocols that can be served.
    fn acceptors(&self) -> Vec<Arc<dyn Acceptor>> {
        let acceptors = self.providers.iter().filter_map(|provider| provider.acceptor());
        acceptors.filter(|acceptor| !acceptor.trees().is_empty()).collect()
    }

    fn switches(&mut self, raw: &Raw, acceptors: &[Arc<dyn Acceptor>], http: Option<SocketAddr>) {
        let path = KeyPath::of("compat");
        let fronts = raw.compat.keys().filter(|key| *key != ALLOW_PLAIN_HTTP);
        self.known_fronts(&path, fronts, acceptors);
        let is_tls = raw.server.tls_cert.is_some();
        let is_proxied = raw.server.trusted_proxies.is_some();
        let is_open = !is_tls && !is_proxied && http.is_some_and(|http| !http.ip().is_loopback());
        let allows_plain_http = raw.compat.get(ALLOW_PLAIN_HTTP) == Some(&true);
        let served = raw.compat.iter().find(|(key, is_on)| **is_on && *key != ALLOW_PLAIN_HTTP);
        if let Some((slug, _)) = served
            && is_open
            && !allows_plain_http
        {
            let rule = "`server.http` speaks plain HTTP, and whoever listens on the way sees what is signed: write \
                        `server.tls_cert`, put it on a loopback address behind what ends TLS, name that in \
                        `server.trusted_proxies`, or write `allow_plain_http = true`";
            self.wrong(&path.key(slug), rule);
        }
    }

    fn known_fronts<'k>(
        &mut self,
        path: &KeyPath,
        keys: impl Iterator<Item = &'k String>,
        acceptors: &[Arc<dyn Acceptor>],
    ) {
        let known = || acceptors.iter().map(|acceptor| acceptor.slug());
        for key in keys.filter(|key| !known().any(|slug| slug == key.as_str())) {
            self.wrong(&path.key(key), unknown("front", key, known()));
        }
    }

    /// Lets an app in, if it has credentials in that protocol.
    fn admit(&mut self, path: &KeyPath, app: &raw::App, front: &mut Front, seen: &mut Seen) {
        let acceptor = front.acceptor().clone();
        let Some(table) = app.compat.get(acceptor.slug()) else { return };
        let path = path.key("compat").key(acceptor.slug());
        let own = table.iter().filter(|(key, _)| *key != LEGACY_CHANNEL);
        let own: Settings = own.map(|(key, value)| (key.clone(), value.clone())).collect();
        let settings = self.credentials(&path, &own, acceptor.as_ref());
        // A wrong id was told with the app.
        let id = app.id.as_deref().and_then(|id| AppId::new(id).ok());
        let (Some(settings), Some(id)) = (settings, id) else { return };
        let key = acceptor.account_key();
        let name = settings.get(key).and_then(serde_json::Value::as_str).unwrap_or_default();
        let name = (acceptor.slug(), name.to_owned());
        if let Some(first) = seen.names.get(&name) {
            let rule = format!("the same account as {first}; it says which app calls");
            self.wrong(&path.key(key), rule);
            return;
        }
        seen.names.insert(name, path.key(key));
        let admitted = front.admit(&id, settings);
        self.good(&path.key(key), admitted);
    }

    /// What a client's credentials say of channels: each is there.
    pub(super) fn front_channels(&mut self, raw: &Raw, channels: &[Checked]) {
        let acceptors = self.acceptors();
        for (place, app) in raw.apps.iter().enumerate() {
            let path = KeyPath::of("apps").index(place).key("compat");
            for acceptor in &acceptors {
                let Some(table) = app.compat.get(acceptor.slug()) else { continue };
                for key in acceptor.channel_settings() {
                    let Some(id) = table.get(*key).and_then(serde_json::Value::as_str) else { continue };
                    // What is no id at all was told with the table.
                    let is_id = paymux_core::ChannelId::new(id).is_ok();
                    let known = || channels.iter().filter_map(|channel| channel.id.as_deref());
                    if is_id && !known().any(|known| known == id) {
                        self.wrong(&path.key(acceptor.slug()).key(key), unknown("channel", id, known()));
                    }
                }
            }
        }
    }

    /// Says in which channel's account the app made orders before, if its table does.
    fn inherit(
        &mut self,
        path: &KeyPath,
        app: &raw::App,
        front: &mut Front,
        channels: &[Checked],
        seen: &mut Seen,
    ) {
        let slug = front.acceptor().slug();
        let Some(value) = app.compat.get(slug).and_then(|table| table.get(LEGACY_CHANNEL)) else { return };
        let path = path.key("compat").key(slug).key(LEGACY_CHANNEL);
        let Some(name) = value.as_str() else {
            self.wrong(&path, "write the id of a channel");
            return;
        };
        let Some(checked) = channels.iter().find(|checked| checked.id.as_deref() == Some(name)) else {
            let known = channels.iter().filter_map(|checked| checked.id.as_deref());
            self.wrong(&path, unknown("channel", name, known));
            return;
        };
        // What is wrong with the channel or the app was told there.
        let id = app.id.as_deref().and_then(|id| AppId::new(id).ok());
        let (Some(entry), Some(id)) = (&checked.entry, id) else { return };
        if !entry.channel.descriptor().can.has(Can::FIND) {
            self.wrong(&path, "its provider cannot look up orders that were not made here");
            return;
        }
        match seen.legacies.get(&entry.id) {
            Some((other, first)) if *other != id => {
                self.wrong(&path, format!("the same channel as {first}; an order there is one app's"));
            }
            _ => {
                seen.legacies.insert(entry.id.clone(), (id.clone(), path));
                front.adopt_from(&id, entry.id.clone());
            }
        }
    }

    /// The table with its secrets in their places, if the plugin finds it right.
    fn credentials(&mut self, path: &KeyPath, table: &Settings, acceptor: &dyn Acceptor) -> Option<Settings> {
        let (settings, missing) = self.resolved(path, table, acceptor.settings());
        let mut errors = acceptor.check_settings(&settings);
        errors.retain(|error| !missing.contains(&error.key.as_str()));
        let is_right = missing.is_empty() && errors.is_empty();
        self.setting_errors(path, errors);
        is_right.then_some(settings)
    }
}

/// What is allowed and looks like an oversight.
pub(super) fn remarks(fronts: &Fronts, apps: &[paymux_core::App]) -> Vec<String> {
    let is_idle =
        |front: &&Front| front.is_served() && !apps.iter().any(|app| front.account(&app.id).is_some());
    let idle = fronts.iter().filter(is_idle).map(|front| front.acceptor().slug());
    idle.map(|slug| format!("front `{slug}` is served, and no app has credentials for it")).collect()
}
