//! Judges the written tables and makes the checked ones of them. A part that is wrong is told and left
//! out, and the rest is judged all the same.

mod apps;
mod channels;
mod compat;
mod routes;
mod server;
mod tls;

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use paymux_core::wire::{Endpoint, PlainHttp};
use paymux_core::{Catalog, Currency, Provider, Secret};

use super::Config;
use super::mistake::Gathering;
use super::path::KeyPath;
use super::raw::Raw;
use super::secret::RawSecret;
use crate::environment::Environment;

pub(crate) use server::scheme;

/// Checks a whole configuration; `None` when a part without which there is none is wrong.
pub(super) fn whole(
    raw: &Raw,
    environment: &Environment,
    providers: &[Arc<dyn Provider>],
    mistakes: &mut Gathering<'_>,
) -> Option<Config> {
    let mut check = Check { environment, providers, mistakes };
    let server = check.server(raw);
    let test_mode = raw.server.test_mode.unwrap_or_default();
    let notices =
        apps::Notices { allow_private_addresses: raw.outbound.allow_private_addresses.unwrap_or_default() };
    let apps = check.apps(&raw.apps, notices);
    let channels = check.channels(&raw.channels, test_mode);
    let routes = check.routes(raw, &channels);
    let fronts = check.fronts(raw, server.as_ref().map(|(settings, _)| settings.http), &channels);
    check.front_channels(raw, &channels);

    let (settings, site) = server?;
    let mut remarks = routes::remarks(&apps, &channels, &routes);
    remarks.extend(compat::remarks(&fronts, &apps));
    let entries = channels.into_iter().filter_map(|channel| channel.entry).collect();
    let mut catalog = Catalog::new(apps, entries, routes, site.public_url);
    catalog.timing = site.timing;
    catalog.health = site.health;
    catalog.day_zone = site.day_zone;
    catalog.notice_schedule = site.notice_schedule;
    catalog.callback_ring = site.callback_ring;
    catalog.fronts = fronts;
    Some(Config { settings, catalog, remarks, hash: String::new() })
}

/// What judging needs, and where it tells what is wrong.
struct Check<'a, 'p> {
    environment: &'a Environment,
    providers: &'a [Arc<dyn Provider>],
    mistakes: &'a mut Gathering<'p>,
}

/// A mistake that was told.
struct Told;

impl Check<'_, '_> {
    fn wrong(&mut self, path: &KeyPath, rule: impl Into<String>) {
        self.mistakes.add(path, rule);
    }

    /// The value, or a mistake when there is none.
    fn required<'v, T>(&mut self, path: &KeyPath, value: Option<&'v T>) -> Option<&'v T> {
        if value.is_none() {
            self.wrong(path, "required");
        }
        value
    }

    /// The value, or a mistake that carries the error's text.
    fn good<T>(&mut self, path: &KeyPath, result: Result<T, impl ToString>) -> Option<T> {
        result.map_err(|error| self.wrong(path, error.to_string())).ok()
    }

    fn secret(&mut self, path: &KeyPath, raw: Option<&RawSecret>) -> Option<Secret> {
        let resolved = raw?.resolve(self.environment);
        self.good(path, resolved)
    }

    /// A number inside of `range`; a key that is absent is no mistake.
    fn number<N: TryFrom<i64>>(
        &mut self,
        path: &KeyPath,
        value: Option<i64>,
        range: RangeInclusive<i64>,
    ) -> Option<N> {
        let value = value?;
        let inside = range.contains(&value).then(|| N::try_from(value).ok()).flatten();
        if inside.is_none() {
            self.wrong(path, format!("`{value}`: write a number from {} to {}", range.start(), range.end()));
        }
        inside
    }

    fn milliseconds(
        &mut self,
        path: &KeyPath,
        value: Option<i64>,
        range: RangeInclusive<i64>,
    ) -> Option<Duration> {
        self.number(path, value, range).map(Duration::from_millis)
    }

    fn currency(&mut self, path: &KeyPath, code: Option<&str>) -> Option<Currency> {
        let code = code?;
        let currency = Currency::from_code(code);
        if currency.is_none() {
            self.wrong(path, format!("`{code}`: write an ISO 4217 code in capitals, like CNY"));
        }
        currency
    }

    fn address(&mut self, path: &KeyPath, text: &str, plain: PlainHttp) -> Option<Endpoint> {
        let endpoint = Endpoint::parse(text, plain);
        self.good(path, endpoint)
    }

    /// Judges each element of a list of texts; those that are wrong are left out.
    fn each<T>(
        &mut self,
        path: &KeyPath,
        list: Option<&[String]>,
        mut judge: impl FnMut(&str) -> Result<T, String>,
    ) -> Option<Vec<T>> {
        let list = list?;
        if list.is_empty() {
            self.wrong(path, "name at least one, or remove the key");
        }
        let each = list.iter().enumerate();
        Some(each.filter_map(|(i, text)| self.good(&path.index(i), judge(text))).collect())
    }
}

/// A rule that lists the names that are known.
fn unknown(kind: &str, name: &str, known: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let mut known: Vec<String> = known.into_iter().map(|name| name.as_ref().to_owned()).collect();
    known.dedup();
    if known.is_empty() {
        return format!("unknown {kind} `{name}`; there is none");
    }
    format!("unknown {kind} `{name}`; known: {}", known.join(", "))
}

/// The words of a closed set.
fn words<T: Copy>(all: &'static [T], word: impl Fn(T) -> &'static str) -> Vec<&'static str> {
    all.iter().map(|each| word(*each)).collect()
}
