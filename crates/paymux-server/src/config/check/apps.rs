//! `[[apps]]`: who may call and what for, where their notices go, and what becomes of money that nobody
//! expected.

use std::collections::BTreeMap;
use std::str::FromStr;

use paymux_core::catalog::{DuplicatePaid, Late, LateSuccess, Scope};
use paymux_core::ids::IdError;
use paymux_core::money::AMOUNT_MAX;
use paymux_core::wire::PlainHttp;
use paymux_core::{App, AppId, Endpoint, Secret};
use paymux_sign::WebhookSecret;
use paymux_transport::Guard;

use super::{Check, unknown, words};
use crate::config::path::KeyPath;
use crate::config::raw;

/// The shortest API key, in characters.
const KEY_MIN: usize = 24;

/// What is allowed of notices as a whole.
#[derive(Clone, Copy)]
pub(super) struct Notices {
    pub(super) allow_private_addresses: bool,
}

/// Ids and keys that were seen, each with the place where it stands. Keys never leave this file.
#[derive(Default)]
struct Seen {
    ids: BTreeMap<String, KeyPath>,
    keys: Vec<(Secret, KeyPath)>,
}

impl Check<'_, '_> {
    pub(super) fn apps(&mut self, list: &[raw::App], notices: Notices) -> Vec<App> {
        let mut seen = Seen::default();
        let each = list.iter().enumerate();
        each.filter_map(|(i, raw)| self.app(&KeyPath::of("apps").index(i), raw, notices, &mut seen)).collect()
    }

    fn app(&mut self, path: &KeyPath, raw: &raw::App, notices: Notices, seen: &mut Seen) -> Option<App> {
        let id: Option<AppId> = self.id(&path.key("id"), raw.id.as_deref(), &mut seen.ids);
        let keys = self.api_keys(path, raw, seen);
        let notify_url = self.notify_url(path, raw, notices);
        let timeout_url = raw.timeout_url.as_deref();
        let timeout_url =
            timeout_url.and_then(|text| self.address(&path.key("timeout_url"), text, PlainHttp::Anywhere));
        let notify_secrets = self.notify_secrets(path, raw);
        let scopes = self.scopes(&path.key("scopes"), raw.scopes.as_deref());
        let duplicate_paid = self.duplicate_paid(&path.key("duplicate_paid"), raw.duplicate_paid.as_deref());
        let late_success = self.late_success(&path.key("late_success"), &raw.late_success);
        let transfer_amount_max =
            self.number(&path.key("transfer_amount_max"), raw.transfer_amount_max, 1..=AMOUNT_MAX);
        let mut app = App::new(id?, &keys);
        app.notify_url = notify_url;
        app.timeout_url = timeout_url;
        app.notify_secrets = notify_secrets;
        app.allow_http_notify = raw.allow_http_notify.unwrap_or_default() || notices.allow_private_addresses;
        app.scopes = scopes.unwrap_or(app.scopes);
        app.duplicate_paid = duplicate_paid.unwrap_or(app.duplicate_paid);
        app.late_success = late_success;
        app.transfer_amount_max = transfer_amount_max;
        Some(app)
    }

    /// A name that no other element of the list has.
    pub(super) fn id<T: FromStr<Err = IdError>>(
        &mut self,
        path: &KeyPath,
        text: Option<&str>,
        seen: &mut BTreeMap<String, KeyPath>,
    ) -> Option<T> {
        let text = self.required(path, text.as_ref())?;
        let id = self.good(path, text.parse())?;
        if let Some(first) = seen.get(*text) {
            self.wrong(path, format!("`{text}` is taken by {first}; names are unique"));
            return None;
        }
        seen.insert((*text).to_owned(), path.clone());
        Some(id)
    }

    fn api_keys(&mut self, path: &KeyPath, raw: &raw::App, seen: &mut Seen) -> Vec<Secret> {
        let current = path.key("api_key");
        self.required(&current, raw.api_key.as_ref());
        let keys = [(current, &raw.api_key), (path.key("api_key_previous"), &raw.api_key_previous)];
        keys.into_iter().filter_map(|(path, raw)| self.api_key(path, raw.as_ref(), seen)).collect()
    }

    fn api_key(&mut self, path: KeyPath, raw: Option<&super::RawSecret>, seen: &mut Seen) -> Option<Secret> {
        let key = self.secret(&path, raw);
        let key = self.key_text(&path, key, KEY_MIN)?;
        let first = seen.keys.iter().find(|(known, _)| known.matches(key.expose()));
        if let Some((_, first)) = first {
            let rule = format!("the same key as {first}; a key says which app calls");
            self.wrong(&path, rule);
            return None;
        }
        seen.keys.push((key.clone(), path));
        Some(key)
    }

    fn notify_url(&mut self, path: &KeyPath, raw: &raw::App, notices: Notices) -> Option<Endpoint> {
        let (url_path, text) = (path.key("notify_url"), raw.notify_url.as_deref()?);
        // What goes to a client of a front is signed as its protocol says.
        if raw.notify_secret.is_none() && raw.compat.is_empty() {
            self.wrong(&path.key("notify_secret"), "required where `notify_url` is set: notices are signed");
        }
        let url = self.address(&url_path, text, PlainHttp::Anywhere)?;
        let guard = Guard {
            allow_private_addresses: notices.allow_private_addresses,
            allow_plain_http: raw.allow_http_notify.unwrap_or_default(),
        };
        self.good(&url_path, guard.check(&url))?;
        Some(url)
    }

    fn notify_secrets(&mut self, path: &KeyPath, raw: &raw::App) -> Vec<WebhookSecret> {
        let previous = path.key("notify_secret_previous");
        if raw.notify_secret.is_none() && raw.notify_secret_previous.is_some() {
            self.wrong(&previous, "a previous secret needs a current one: write `notify_secret`");
        }
        let secrets =
            [(path.key("notify_secret"), &raw.notify_secret), (previous, &raw.notify_secret_previous)];
        let read = |(path, raw): (KeyPath, &Option<super::RawSecret>)| {
            let secret = self.secret(&path, raw.as_ref())?;
            self.good(&path, WebhookSecret::parse(secret.expose()))
        };
        secrets.into_iter().filter_map(read).collect()
    }

    fn scopes(&mut self, path: &KeyPath, list: Option<&[String]>) -> Option<Vec<Scope>> {
        let mut seen = Vec::new();
        self.each(path, list, |word| {
            let scope = Scope::from_word(word);
            let scope = scope.ok_or_else(|| unknown("scope", word, words(Scope::ALL, Scope::word)))?;
            if seen.contains(&scope) {
                return Err(format!("`{word}` stands here twice"));
            }
            seen.push(scope);
            Ok(scope)
        })
    }

    fn duplicate_paid(&mut self, path: &KeyPath, word: Option<&str>) -> Option<DuplicatePaid> {
        let word = word?;
        let read = DuplicatePaid::from_word(word);
        if read.is_none() {
            self.wrong(path, unknown("word", word, words(DuplicatePaid::ALL, DuplicatePaid::word)));
        }
        read
    }

    fn late_success(&mut self, path: &KeyPath, raw: &raw::LateSuccess) -> LateSuccess {
        let default = LateSuccess::default();
        LateSuccess {
            expired: self.late(&path.key("expired"), raw.expired.as_deref()).unwrap_or(default.expired),
            canceled: self.late(&path.key("canceled"), raw.canceled.as_deref()).unwrap_or(default.canceled),
        }
    }

    fn late(&mut self, path: &KeyPath, word: Option<&str>) -> Option<Late> {
        let word = word?;
        let read = Late::from_word(word);
        if read.is_none() {
            self.wrong(path, unknown("word", word, words(Late::ALL, Late::word)));
        }
        read
    }
}
