//! `[[routes]]`: which payments go to which channels.

use std::collections::BTreeMap;

use paymux_core::catalog::{ChannelEntry, FailoverUnknown, Lifecycle, Route, Scope, Strategy, When};
use paymux_core::ids::RouteName;
use paymux_core::{App, AppId, Currency, Method, MethodPattern};

use super::channels::Checked;
use super::{Check, unknown, words};
use crate::config::later;
use crate::config::path::KeyPath;
use crate::config::raw::{self, Raw};

/// The most further channels that one payment tries.
const FAILOVER_MAX: i64 = 16;

impl Check<'_, '_> {
    pub(super) fn routes(&mut self, raw: &Raw, channels: &[Checked]) -> Vec<Route> {
        let apps: Vec<&str> = raw.apps.iter().filter_map(|app| app.id.as_deref()).collect();
        let mut names = BTreeMap::new();
        let mut routes: Vec<(KeyPath, Route)> = Vec::new();
        for (place, raw) in raw.routes.iter().enumerate() {
            let path = KeyPath::of("routes").index(place);
            let Some(route) = self.route(&path, raw, &apps, channels, &mut names) else { continue };
            let earlier = routes.iter().find(|(_, earlier)| takes_all_of(&earlier.when, &route.when));
            if let Some((_, earlier)) = earlier {
                let rule = format!("never reached: route `{}` takes all of it before", earlier.name);
                self.wrong(&path.key("when"), rule);
            }
            routes.push((path, route));
        }
        routes.into_iter().map(|(_, route)| route).collect()
    }

    fn route(
        &mut self,
        path: &KeyPath,
        raw: &raw::Route,
        apps: &[&str],
        channels: &[Checked],
        names: &mut BTreeMap<String, KeyPath>,
    ) -> Option<Route> {
        let name: Option<RouteName> = self.id(&path.key("name"), raw.name.as_deref(), names);
        let when = self.when(&path.key("when"), &raw.when, apps);
        let strategy = self.strategy(&path.key("strategy"), raw.strategy.as_deref());
        let failover = self.number(&path.key("failover"), Some(raw.failover.unwrap_or(0)), 0..=FAILOVER_MAX);
        let failover_unknown =
            self.failover_unknown(&path.key("failover_unknown"), raw.failover_unknown.as_deref());
        let places = self.route_channels(&path.key("channels"), raw.channels.as_deref(), channels);
        if let (Some(when), Some(places)) = (&when, &places) {
            self.channels_serve(&path.key("channels"), when, places, channels);
            self.one_kind_of_money(&path.key("channels"), places, channels);
        }
        Some(Route {
            name: name?,
            when: when?,
            strategy: strategy?,
            channels: in_catalog(&places?, channels),
            failover: failover?,
            failover_unknown: failover_unknown?,
        })
    }

    fn when(&mut self, path: &KeyPath, raw: &raw::When, known: &[&str]) -> Option<When> {
        let apps = self.each(&path.key("apps"), raw.apps.as_deref(), |id| {
            if known.contains(&id) {
                return AppId::new(id).map_err(|error| error.to_string());
            }
            Err(unknown("app", id, known))
        });
        let methods = self.patterns(&path.key("methods"), raw.methods.as_deref());
        let currency_path = path.key("currency");
        let currency = self.currency(&currency_path, raw.currency.as_deref());
        let amounts = self.amounts(path, raw.amount_min, raw.amount_max);
        let is_whole = |written: Option<usize>, read: Option<usize>| written == read;
        let is_right = is_whole(raw.apps.as_ref().map(Vec::len), apps.as_ref().map(Vec::len))
            && is_whole(raw.methods.as_ref().map(Vec::len), methods.as_ref().map(Vec::len))
            && raw.currency.is_some() == currency.is_some();
        let (amount_min, amount_max) = amounts?;
        is_right.then_some(When { apps, methods, amount_min, amount_max, currency })
    }

    fn strategy(&mut self, path: &KeyPath, word: Option<&str>) -> Option<Strategy> {
        let word = *self.required(path, word.as_ref())?;
        let strategy = Strategy::from_word(word);
        if strategy.is_none() {
            let rule = if later::is_strategy(word) {
                format!(
                    "strategy `{word}` is not supported by this version yet; take one of: {}",
                    words(Strategy::ALL, Strategy::word).join(", ")
                )
            } else {
                unknown("strategy", word, words(Strategy::ALL, Strategy::word))
            };
            self.wrong(path, rule);
        }
        strategy
    }

    fn failover_unknown(&mut self, path: &KeyPath, word: Option<&str>) -> Option<FailoverUnknown> {
        let Some(word) = word else { return Some(FailoverUnknown::Abandon) };
        let read = FailoverUnknown::from_word(word);
        if read.is_none() {
            self.wrong(path, unknown("word", word, words(FailoverUnknown::ALL, FailoverUnknown::word)));
        }
        read
    }

    /// The places in the list of channels, each once. `None` when there is none at all.
    fn route_channels(
        &mut self,
        path: &KeyPath,
        names: Option<&[String]>,
        channels: &[Checked],
    ) -> Option<Vec<usize>> {
        let names = self.required(path, names.as_ref())?;
        if names.is_empty() {
            self.wrong(path, "a route needs at least one channel");
            return None;
        }
        let mut places = Vec::new();
        for (i, name) in names.iter().enumerate() {
            let Some(place) = channels.iter().position(|channel| channel.id.as_ref() == Some(name)) else {
                let known = channels.iter().filter_map(|channel| channel.id.as_ref());
                self.wrong(&path.index(i), unknown("channel", name, known));
                continue;
            };
            if places.contains(&place) {
                self.wrong(&path.index(i), format!("`{name}` stands here twice"));
                continue;
            }
            places.push(place);
        }
        Some(places)
    }

    /// A channel that can take nothing of what the route takes is in the wrong route.
    fn channels_serve(&mut self, path: &KeyPath, when: &When, places: &[usize], channels: &[Checked]) {
        for (i, place) in places.iter().enumerate() {
            let Some(entry) = &channels[*place].entry else { continue };
            if methods_of(entry).any(|method| holds_any(when.methods.as_deref(), method)) {
                continue;
            }
            let offered: Vec<_> = methods_of(entry).map(|method| method.to_string()).collect();
            let rule = format!(
                "`{}` serves none of the route's methods; it serves {}",
                entry.id,
                offered.join(", ")
            );
            self.wrong(&path.index(i), rule);
        }
    }

    fn one_kind_of_money(&mut self, path: &KeyPath, places: &[usize], channels: &[Checked]) {
        let entries: Vec<&ChannelEntry> =
            places.iter().filter_map(|place| channels[*place].entry.as_ref()).collect();
        let live = |wanted: bool| entries.iter().find(|e| e.channel.descriptor().livemode == wanted);
        if let (Some(real), Some(test)) = (live(true), live(false)) {
            let rule =
                format!("`{}` moves real money and `{}` does not: a route holds one kind", real.id, test.id);
            self.wrong(path, rule);
        }
    }
}

/// What looks like an oversight in a configuration without mistakes.
pub(super) fn remarks(apps: &[App], channels: &[Checked], routes: &[Route]) -> Vec<String> {
    let mut remarks = Vec::new();
    let empty = [("apps", apps.is_empty()), ("channels", channels.is_empty()), ("routes", routes.is_empty())];
    for (section, _) in empty.iter().filter(|(_, is_empty)| *is_empty) {
        remarks.push(format!("no [[{section}]]: no payment can be made"));
    }
    remarks.extend(apps.iter().filter_map(remark_on_transfers));
    let entries = channels.iter().filter_map(|channel| channel.entry.as_ref());
    for (place, entry) in entries.enumerate() {
        let is_routed = routes.iter().any(|route| route.channels.contains(&place));
        if !is_routed && entry.state == Lifecycle::Active {
            remarks.push(format!("channel `{}` is active and stands in no route", entry.id));
        }
    }
    remarks
}

/// Paying out needs both its scope and its limit.
fn remark_on_transfers(app: &App) -> Option<String> {
    let id = &app.id;
    match (app.scopes.contains(&Scope::Transfers), app.transfer_amount_max) {
        (true, None) => {
            Some(format!("app `{id}` may use transfers and has no `transfer_amount_max`: each is refused"))
        }
        (false, Some(_)) => Some(format!("app `{id}` has a `transfer_amount_max` and no scope `transfers`")),
        _ => None,
    }
}

/// Places among the written channels as places in the catalog. The two differ only when a channel is
/// wrong, and then no catalog comes to be.
fn in_catalog(places: &[usize], channels: &[Checked]) -> Vec<usize> {
    let right_before =
        |place: usize| channels[..place].iter().filter(|channel| channel.entry.is_some()).count();
    places
        .iter()
        .filter(|place| channels[**place].entry.is_some())
        .map(|place| right_before(*place))
        .collect()
}

fn methods_of(entry: &ChannelEntry) -> impl Iterator<Item = Method> {
    let offered = entry.channel.descriptor().methods.iter().map(|spec| spec.method);
    offered.filter(|method| holds_any(entry.methods.as_deref(), *method))
}

fn holds_any(patterns: Option<&[MethodPattern]>, method: Method) -> bool {
    patterns.is_none_or(|patterns| patterns.iter().any(|pattern| pattern.holds(method)))
}

/// Whether `earlier` alone takes every payment that `later` takes.
fn takes_all_of(earlier: &When, later: &When) -> bool {
    let apps = earlier
        .apps
        .as_ref()
        .is_none_or(|all| later.apps.as_ref().is_some_and(|some| some.iter().all(|app| all.contains(app))));
    let methods = || {
        let all = paymux_core::Wallet::ALL.iter().flat_map(|wallet| {
            paymux_core::Product::ALL.iter().map(|product| Method::new(*wallet, *product))
        });
        let mut later_ones = all.filter(|method| holds_any(later.methods.as_deref(), *method));
        later_ones.all(|method| holds_any(earlier.methods.as_deref(), method))
    };
    let least = earlier.amount_min.unwrap_or(i64::MIN) <= later.amount_min.unwrap_or(i64::MIN);
    let most = earlier.amount_max.unwrap_or(i64::MAX) >= later.amount_max.unwrap_or(i64::MAX);
    let currency = currency_of(earlier).is_none_or(|currency| currency_of(later) == Some(currency));
    apps && least && most && currency && methods()
}

/// The currency that a payment must have: the one that is named, or CNY where an amount stands alone.
fn currency_of(when: &When) -> Option<Currency> {
    when.currency.or_else(|| when.amount_min.or(when.amount_max).map(|_| Currency::CNY))
}
