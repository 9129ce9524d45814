//! `[[routes]]`: which payments go to which channels.

use std::collections::BTreeMap;

use paymux_core::catalog::{
    ChannelEntry, FAILOVER_MAX, FailoverUnknown, Lifecycle, Route, Rules, Scope, Strategy, When,
};
use paymux_core::ids::RouteName;
use paymux_core::method::MethodError;
use paymux_core::router::{ROUTES_MAX, takes_turns};
use paymux_core::{App, AppId, Currency, Method, MethodPattern};

use super::channels::Checked;
use super::{Check, unknown, words};
use crate::config::path::KeyPath;
use crate::config::raw::{self, Raw};

impl Check<'_, '_> {
    pub(super) fn routes(&mut self, raw: &Raw, channels: &[Checked]) -> Vec<Route> {
        let apps: Vec<&str> = raw.apps.iter().filter_map(|app| app.id.as_deref()).collect();
        if raw.routes.len() > ROUTES_MAX {
            self.wrong(
                &KeyPath::of("routes"),
                format!("{} of them; the most are {ROUTES_MAX}", raw.routes.len()),
            );
        }
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
        let failover =
            self.number(&path.key("failover"), Some(raw.failover.unwrap_or(0)), 0..=FAILOVER_MAX.into());
        let failover_unknown =
            self.failover_unknown(&path.key("failover_unknown"), raw.failover_unknown.as_deref());
        let places = self.route_channels(&path.key("channels"), raw.channels.as_deref(), channels);
        if let (Some(when), Some(places)) = (&when, &places) {
            self.channels_serve(&path.key("channels"), when, places, channels);
            self.channels_fit(&path.key("channels"), when, places, channels);
            self.one_kind_of_money(&path.key("channels"), places, channels);
        }
        if let (Some(strategy), Some(places)) = (strategy, &places) {
            self.strategy_fits(path, strategy, places, channels);
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
        let apps = self.whole_list(&path.key("apps"), raw.apps.as_deref(), |id| {
            if known.contains(&id) {
                return AppId::new(id).map_err(|error| error.to_string());
            }
            Err(unknown("app", id, known))
        });
        let methods = self.whole_list(&path.key("methods"), raw.methods.as_deref(), |text| {
            text.parse().map_err(|error: MethodError| error.to_string())
        });
        let currency = self.currency(&path.key("currency"), raw.currency.as_deref());
        let amounts = self.amounts(path, raw.amount_min, raw.amount_max);
        let metadata = self.metadata(&path.key("metadata"), raw.metadata.as_ref());
        let payers = self.whole_list(&path.key("payers"), raw.payers.as_deref(), |id| Ok(id.to_owned()));
        let regions = self.regions(&path.key("regions"), raw.regions.as_deref());
        let (amount_min, amount_max) = amounts?;
        let when = When {
            apps: apps.ok()?,
            methods: methods.ok()?,
            amount_min,
            amount_max,
            currency,
            metadata: metadata?,
            payers: payers.ok()?,
            regions: regions.ok()?,
        };
        (raw.currency.is_some() == currency.is_some()).then_some(when)
    }

    fn metadata(
        &mut self,
        path: &KeyPath,
        fields: Option<&BTreeMap<String, raw::Values>>,
    ) -> Option<BTreeMap<String, Vec<String>>> {
        let Some(fields) = fields else { return Some(BTreeMap::new()) };
        let mut read = BTreeMap::new();
        for (name, values) in fields {
            let values =
                self.whole_list(&path.key(name), Some(values.as_slice()), |value| Ok(value.to_owned()));
            read.insert(name.clone(), values.ok()??);
        }
        Some(read)
    }

    fn strategy(&mut self, path: &KeyPath, word: Option<&str>) -> Option<Strategy> {
        let word = *self.required(path, word.as_ref())?;
        let strategy = Strategy::from_word(word);
        if strategy.is_none() {
            self.wrong(path, unknown("strategy", word, words(Strategy::ALL, Strategy::word)));
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

    /// Rules of a channel that contradict what its route takes: no payment could ever go there.
    fn channels_fit(&mut self, path: &KeyPath, when: &When, places: &[usize], channels: &[Checked]) {
        for (i, place) in places.iter().enumerate() {
            let Some(entry) = &channels[*place].entry else { continue };
            if let Some(why) = contradiction(when, &entry.rules) {
                self.wrong(
                    &path.index(i),
                    format!("`{}` can take none of the route's payments: {why}", entry.id),
                );
            }
        }
    }

    /// What a strategy must know of each channel.
    fn strategy_fits(&mut self, path: &KeyPath, strategy: Strategy, places: &[usize], channels: &[Checked]) {
        let entries = || places.iter().filter_map(|place| channels[*place].entry.as_ref());
        let without_fee = entries().find(|entry| entry.fee_bp.is_none());
        if let (Strategy::Cheapest, Some(entry)) = (strategy, without_fee) {
            let rule = format!("`cheapest` needs the `fee_bp` of each channel; `{}` has none", entry.id);
            self.wrong(&path.key("strategy"), rule);
        }
        let weights: Vec<u32> = entries().map(|entry| entry.weight).collect();
        if strategy == Strategy::RoundRobin && !takes_turns(&weights) {
            let rule =
                "the weights make too long a cycle: give them a larger common divisor, like 10, 20, 50";
            self.wrong(&path.key("strategy"), rule);
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
    remarks.extend(routes.iter().filter_map(remark_on_strategy));
    for (place, entry) in entries.enumerate() {
        let is_routed = routes.iter().any(|route| route.channels.contains(&place));
        if !is_routed && entry.state == Lifecycle::Active {
            remarks.push(format!("channel `{}` is active and stands in no route", entry.id));
        }
        remarks.extend(remark_on_limits(entry));
    }
    remarks
}

/// A choice among one is none.
fn remark_on_strategy(route: &Route) -> Option<String> {
    let is_alone = route.channels.len() == 1 && route.strategy != Strategy::Priority;
    let (name, strategy) = (&route.name, route.strategy);
    is_alone.then(|| format!("route `{name}` has one channel: `{strategy}` has nothing to choose from"))
}

/// A limit that another one always reaches first.
fn remark_on_limits(entry: &ChannelEntry) -> Option<String> {
    let ChannelEntry { id, rules, .. } = entry;
    let (most, day, count) = (rules.amount_max?, rules.day_amount_max?, rules.day_count_max?);
    (most.saturating_mul(count) <= day).then(|| {
        format!(
            "channel `{id}` never comes to its `day_amount_max`, {day}: `day_count_max` times `amount_max` is no more"
        )
    })
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

/// Why no payment that the route takes is one that the rules let through.
fn contradiction(when: &When, rules: &Rules) -> Option<String> {
    let is_other = |currency: &Currency| rules.are_of_one_currency() && *currency != rules.currency;
    if let Some(currency) = when.currency().filter(is_other) {
        return Some(format!("its amount rules are in {}, the route takes {currency}", rules.currency));
    }
    let is_below = |max: Option<i64>, min: Option<i64>| max.zip(min).is_some_and(|(max, min)| max < min);
    if is_below(rules.day_amount_max, when.amount_min) {
        return Some("each of the route's amounts is above its `day_amount_max`".to_owned());
    }
    if is_below(rules.amount_max, when.amount_min) || is_below(when.amount_max, rules.amount_min) {
        return Some("its amounts are all outside of the route's".to_owned());
    }
    let (own, asked) = (rules.regions.as_ref()?, when.regions.as_ref()?);
    let none = !own.iter().any(|region| asked.contains(region));
    none.then(|| "its regions are all outside of the route's".to_owned())
}

/// Whether `earlier` alone takes every payment that `later` takes.
fn takes_all_of(earlier: &When, later: &When) -> bool {
    let methods = || {
        let mut later_ones = Method::all().filter(|method| holds_any(later.methods.as_deref(), *method));
        later_ones.all(|method| holds_any(earlier.methods.as_deref(), method))
    };
    let least = earlier.amount_min.unwrap_or(i64::MIN) <= later.amount_min.unwrap_or(i64::MIN);
    let most = earlier.amount_max.unwrap_or(i64::MAX) >= later.amount_max.unwrap_or(i64::MAX);
    let currency = earlier.currency().is_none_or(|currency| later.currency() == Some(currency));
    let metadata = earlier.metadata.iter().all(|(name, all)| holds_all(Some(all), later.metadata.get(name)));
    holds_all(earlier.apps.as_ref(), later.apps.as_ref())
        && holds_all(earlier.payers.as_ref(), later.payers.as_ref())
        && holds_all(earlier.regions.as_ref(), later.regions.as_ref())
        && least
        && most
        && currency
        && metadata
        && methods()
}

/// Whether a list, where there is one, has all that another one has.
fn holds_all<T: PartialEq>(list: Option<&Vec<T>>, other: Option<&Vec<T>>) -> bool {
    list.is_none_or(|list| other.is_some_and(|other| other.iter().all(|item| list.contains(item))))
}
