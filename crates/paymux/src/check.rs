//! Judges what a [`Builder`] was given and makes the parts of a catalog of it. What is wrong is told and left out,
//! and the rest is judged all the same. What breaks here breaks in a configuration file too; the server also tells of
//! routes that are never reached, and of channels whose rules contradict their routes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use paymux_core::catalog::{
    App, ChannelEntry, FAILOVER_MAX, FEE_BP_MAX, Route, Rules, Strategy, WEIGHT_MAX, When,
};
use paymux_core::ids::{ChannelId, RouteName};
use paymux_core::method::{MethodError, MethodPattern};
use paymux_core::provider::{ChannelSite, SettingError};
use paymux_core::router::{OwnStrategy, ROUTES_MAX, takes_turns};
use paymux_core::{AppId, Channel};

use crate::builder::Builder;
use crate::mistake::Mistakes;
use crate::plan::{ChannelPlan, Picks, RoutePlan, Source};

/// What a catalog is made of.
pub(crate) struct Parts {
    pub(crate) apps: Vec<App>,
    pub(crate) channels: Vec<ChannelEntry>,
    pub(crate) routes: Vec<Route>,
    pub(crate) own: Vec<(RouteName, Arc<dyn OwnStrategy>)>,
}

/// The parts of that set-up; whole only where no mistake was added.
pub(crate) fn parts(builder: &mut Builder, mistakes: &mut Mistakes) -> Parts {
    let apps = apps(std::mem::take(&mut builder.apps), mistakes);
    let plans = std::mem::take(&mut builder.channels);
    let mut check = Channels { test_mode: builder.test_mode, seen: BTreeMap::new(), mistakes };
    let channels: Vec<Option<ChannelEntry>> = plans.iter().map(|plan| check.channel(plan)).collect();
    let ids: Vec<&str> = plans.iter().map(|plan| plan.id.as_str()).collect();

    let app_ids: BTreeSet<&AppId> = apps.iter().map(|app| &app.id).collect();
    let mut check =
        Routes { ids: &ids, channels: &channels, apps: &app_ids, seen: BTreeSet::new(), mistakes };
    let plans = std::mem::take(&mut builder.routes);
    let mut own = Vec::new();
    let routes = check.routes(&plans, &mut own);
    Parts { apps, channels: channels.into_iter().flatten().collect(), routes, own }
}

fn apps(given: Vec<Result<App, String>>, mistakes: &mut Mistakes) -> Vec<App> {
    let mut apps: Vec<App> = Vec::new();
    for app in given {
        match app {
            Err(rule) => mistakes.add("app", rule),
            Ok(app) if apps.iter().any(|earlier| earlier.id == app.id) => {
                mistakes.add(format!("app `{}`", app.id), "is there twice");
            }
            Ok(app) => apps.push(app),
        }
    }
    apps
}

/// What judging channels needs.
struct Channels<'a> {
    test_mode: bool,
    /// The accounts of the channels so far.
    seen: BTreeMap<(&'static str, String), ChannelId>,
    mistakes: &'a mut Mistakes,
}

impl Channels<'_> {
    fn channel(&mut self, plan: &ChannelPlan) -> Option<ChannelEntry> {
        let place = format!("channel `{}`", plan.id);
        let id = self.mistakes.good(&place, ChannelId::new(&plan.id).map_err(|error| error.rule))?;
        let channel = self.account(&place, &id, &plan.source)?;
        self.is_one(&place, &id, channel.as_ref());
        self.numbers(&place, plan);
        let methods = self.methods(&place, plan.methods.as_deref(), channel.as_ref());
        self.rules(&place, &plan.rules, channel.as_ref());
        Some(ChannelEntry {
            state: plan.state,
            methods,
            rules: plan.rules.clone(),
            weight: plan.weight,
            fee_bp: plan.fee_bp,
            request: plan.request,
            ..ChannelEntry::new(id, channel)
        })
    }

    fn account(&mut self, place: &str, id: &ChannelId, source: &Source) -> Option<Arc<dyn Channel>> {
        match source {
            Source::Own(channel) => Some(Arc::clone(channel)),
            Source::Plugin(provider, settings) => {
                let made = provider.channel(ChannelSite { id: id.clone() }, settings.clone());
                let told = |errors: Vec<SettingError>| {
                    for error in errors {
                        self.mistakes.add(format!("{place}, settings"), error.to_string());
                    }
                };
                made.map_err(told).ok()
            }
        }
    }

    /// A callback must say which channel it is for: an account belongs to one channel, and a name too. Test money
    /// never passes for real.
    fn is_one(&mut self, place: &str, id: &ChannelId, channel: &dyn Channel) {
        let descriptor = channel.descriptor();
        if self.seen.values().any(|earlier| earlier == id) {
            self.mistakes.add(place, "is there twice");
        }
        let account = (descriptor.provider, descriptor.account_key.clone());
        if let Some(first) = self.seen.get(&account).filter(|first| *first != id) {
            let rule = format!("the same account as channel `{first}`; an account belongs to one channel");
            self.mistakes.add(place, rule);
        }
        self.seen.insert(account, id.clone());
        if !self.test_mode && !descriptor.livemode {
            self.mistakes.add(place, "moves no real money: it needs `test_mode`");
        }
    }

    fn numbers(&mut self, place: &str, plan: &ChannelPlan) {
        if !(1..=WEIGHT_MAX).contains(&plan.weight) {
            self.mistakes.add(place, format!("weight {}: give 1 to {WEIGHT_MAX}", plan.weight));
        }
        if let Some(fee) = plan.fee_bp.filter(|fee| *fee > FEE_BP_MAX) {
            self.mistakes.add(place, format!("fee_bp {fee}: give 0 to {FEE_BP_MAX}"));
        }
    }

    /// Each pattern must let something through.
    fn methods(
        &mut self,
        place: &str,
        written: Option<&[String]>,
        channel: &dyn Channel,
    ) -> Option<Vec<MethodPattern>> {
        let written = written?;
        if written.is_empty() {
            self.mistakes.add(place, "methods: name at least one, or none at all");
        }
        let offered = &channel.descriptor().methods;
        let mut patterns = Vec::new();
        for text in written {
            let parsed = text.parse::<MethodPattern>().map_err(|error: MethodError| error.to_string());
            let Some(pattern) = self.mistakes.good(place, parsed) else { continue };
            if !offered.iter().any(|spec| pattern.holds(spec.method)) {
                let names: Vec<_> = offered.iter().map(|spec| spec.method.to_string()).collect();
                let rule = format!("method `{text}`: the provider offers {}", names.join(", "));
                self.mistakes.add(place, rule);
            }
            patterns.push(pattern);
        }
        Some(patterns)
    }

    fn rules(&mut self, place: &str, rules: &Rules, channel: &dyn Channel) {
        let currencies = &channel.descriptor().currencies;
        if rules.are_of_one_currency() && !currencies.contains(&rules.currency) {
            let names: Vec<_> = currencies.iter().map(ToString::to_string).collect();
            let rule = format!("rules in {}: the provider takes {}", rules.currency, names.join(", "));
            self.mistakes.add(place, rule);
        }
        if let Some((min, max)) = rules.amount_min.zip(rules.amount_max).filter(|(min, max)| min > max) {
            self.mistakes.add(place, format!("amount_min {min} is above amount_max {max}"));
        }
    }
}

/// What judging routes needs.
struct Routes<'a> {
    /// The channels' names as they were written.
    ids: &'a [&'a str],
    /// The channels, in the same order, each `None` where it is wrong.
    channels: &'a [Option<ChannelEntry>],
    apps: &'a BTreeSet<&'a AppId>,
    seen: BTreeSet<RouteName>,
    mistakes: &'a mut Mistakes,
}

impl<'a> Routes<'a> {
    fn routes(
        &mut self,
        plans: &[RoutePlan],
        own: &mut Vec<(RouteName, Arc<dyn OwnStrategy>)>,
    ) -> Vec<Route> {
        if plans.len() > ROUTES_MAX {
            self.mistakes.add("routes", format!("{} of them; the most are {ROUTES_MAX}", plans.len()));
        }
        let mut routes = Vec::new();
        for plan in plans {
            let Some(route) = self.route(plan) else { continue };
            if let Picks::Own(strategy) = &plan.picks {
                own.push((route.name.clone(), Arc::clone(strategy)));
            }
            routes.push(route);
        }
        routes
    }

    fn route(&mut self, plan: &RoutePlan) -> Option<Route> {
        let place = format!("route `{}`", plan.name);
        let name = self.mistakes.good(&place, RouteName::new(&plan.name).map_err(|error| error.rule))?;
        if !self.seen.insert(name.clone()) {
            self.mistakes.add(&place, "is there twice");
        }
        if plan.failover > FAILOVER_MAX {
            self.mistakes.add(&place, format!("failover {}: give 0 to {FAILOVER_MAX}", plan.failover));
        }
        self.apps(&place, &plan.when);
        let channels = self.places(&place, &plan.channels);
        self.one_kind_of_money(&place, &channels);
        self.serve(&place, &plan.when, &channels);
        Some(Route {
            name,
            when: plan.when.clone(),
            strategy: self.strategy(&place, &plan.picks, &channels),
            channels,
            failover: plan.failover,
            failover_unknown: plan.failover_unknown,
        })
    }

    fn apps(&mut self, place: &str, when: &When) {
        for app in when.apps.iter().flatten().filter(|app| !self.apps.contains(app)) {
            let known: Vec<&str> = self.apps.iter().map(|app| app.as_str()).collect();
            self.mistakes.add(place, unknown("app", app.as_str(), &known));
        }
    }

    /// The places in the list of channels, each once.
    fn places(&mut self, place: &str, names: &[String]) -> Vec<usize> {
        if names.is_empty() {
            self.mistakes.add(place, "a route needs at least one channel");
        }
        let mut places = Vec::new();
        for name in names {
            match self.ids.iter().position(|id| id == name) {
                None => self.mistakes.add(place, unknown("channel", name, self.ids)),
                Some(found) if places.contains(&found) => {
                    self.mistakes.add(place, format!("channel `{name}` stands here twice"));
                }
                Some(found) => places.push(found),
            }
        }
        places
    }

    fn entries(&self, places: &[usize]) -> Vec<&'a ChannelEntry> {
        places.iter().filter_map(|place| self.channels.get(*place)?.as_ref()).collect()
    }

    fn one_kind_of_money(&mut self, place: &str, places: &[usize]) {
        let entries = self.entries(places);
        let kind = |live: bool| entries.iter().find(|e| e.channel.descriptor().livemode == live);
        if let (Some(real), Some(test)) = (kind(true), kind(false)) {
            let rule =
                format!("`{}` moves real money and `{}` does not: a route holds one kind", real.id, test.id);
            self.mistakes.add(place, rule);
        }
    }

    /// A channel that can take nothing of what the route takes is in the wrong route.
    fn serve(&mut self, place: &str, when: &When, places: &[usize]) {
        let holds = |patterns: Option<&Vec<MethodPattern>>, method| {
            patterns.is_none_or(|patterns| patterns.iter().any(|pattern| pattern.holds(method)))
        };
        let serves = |entry: &ChannelEntry| {
            let mut offered = entry.channel.descriptor().methods.iter().map(|spec| spec.method);
            offered
                .any(|method| holds(entry.methods.as_ref(), method) && holds(when.methods.as_ref(), method))
        };
        let idle: Vec<String> = self
            .entries(places)
            .into_iter()
            .filter(|entry| !serves(entry))
            .map(|entry| format!("`{}` serves none of the route's methods", entry.id))
            .collect();
        for rule in idle {
            self.mistakes.add(place, rule);
        }
    }

    /// What a strategy must know of each channel. Where an embedder's own picks, ours is of no account.
    fn strategy(&mut self, place: &str, picks: &Picks, places: &[usize]) -> Strategy {
        let strategy = match picks {
            Picks::Ours(strategy) => *strategy,
            Picks::Own(own) => {
                if Strategy::from_word(own.name()).is_some() {
                    self.mistakes
                        .add(place, format!("`{}` is a strategy of ours: name it otherwise", own.name()));
                }
                return Strategy::Random;
            }
        };
        let entries = self.entries(places);
        let without_fee = entries.iter().find(|entry| entry.fee_bp.is_none()).map(|entry| entry.id.clone());
        let weights: Vec<u32> = entries.iter().map(|entry| entry.weight).collect();
        if let (Strategy::Cheapest, Some(id)) = (strategy, without_fee) {
            self.mistakes
                .add(place, format!("`cheapest` needs the `fee_bp` of each channel; `{id}` has none"));
        }
        if strategy == Strategy::RoundRobin && !takes_turns(&weights) {
            let rule =
                "the weights make too long a cycle: give them a larger common divisor, like 10, 20, 50";
            self.mistakes.add(place, rule);
        }
        strategy
    }
}

fn unknown(kind: &str, name: &str, known: &[&str]) -> String {
    if known.is_empty() {
        return format!("unknown {kind} `{name}`; there is none");
    }
    format!("unknown {kind} `{name}`; known: {}", known.join(", "))
}

#[cfg(test)]
mod tests {
    use paymux_core::provider::Settings;
    use paymux_core::router::Contenders;
    use paymux_testkit::ScriptedChannel;

    use super::*;

    /// A channel of its own account.
    fn channel(id: &str) -> ChannelPlan {
        ChannelPlan::own(id, ScriptedChannel::new(id))
    }

    fn route(channels: &[&str]) -> RoutePlan {
        RoutePlan::new("all", Strategy::Random, channels.iter().copied())
    }

    fn two() -> Builder {
        Builder::new().app("shop").channel(channel("a")).channel(channel("b"))
    }

    #[track_caller]
    fn check(builder: Builder, want: &[&str]) {
        let told = builder.catalog().map_or_else(|mistakes| mistakes.to_string(), |_| String::new());
        assert_eq!(told.lines().collect::<Vec<_>>(), want);
    }

    #[test]
    fn what_is_right_becomes_a_catalog() {
        let catalog = two().route(route(&["b", "a"]).failover(16)).catalog().unwrap();
        assert_eq!(catalog.routes()[0].channels, [1, 0]);
        assert_eq!(catalog.channels()[1].id.as_str(), "b");
        assert!(catalog.app(&AppId::new("shop").unwrap()).is_some());
        check(Builder::new(), &[]);
    }

    #[test]
    fn names_stand_once_and_are_names() {
        check(Builder::new().app("a b"), &["app: `a b`: a name is 1 to 64 letters, digits, `-` or `_`"]);
        check(Builder::new().app("a").app("a"), &["app `a`: is there twice"]);
        check(two().channel(channel("a")), &["channel `a`: is there twice"]);
        check(two().channel(channel("")), &["channel ``: a name is 1 to 64 letters, digits, `-` or `_`"]);
        check(two().route(route(&["a"])).route(route(&["b"])), &["route `all`: is there twice"]);
    }

    #[test]
    fn an_account_belongs_to_one_channel() {
        let twin = ChannelPlan::own("c", ScriptedChannel::new("a"));
        check(
            two().channel(twin),
            &["channel `c`: the same account as channel `a`; an account belongs to one channel"],
        );
    }

    #[test]
    fn test_money_is_let_in_by_name_and_never_mixed() {
        let bank = crate::sandbox::provider();
        let test = |settings| two().channel(ChannelPlan::of("test", &bank, settings));
        let unnamed = "channel `test`: moves no real money: it needs `test_mode`";
        check(test(Settings::new()), &[unnamed]);
        check(test(Settings::new()).test_mode(), &[]);
        check(
            test(Settings::new()).test_mode().route(route(&["a", "test"])),
            &["route `all`: `a` moves real money and `test` does not: a route holds one kind"],
        );
        let strange = [("kee".to_owned(), "x".into())].into_iter().collect();
        check(
            test(strange).test_mode(),
            &["channel `test`, settings: `kee`: unknown key; known: key, key_previous"],
        );
    }

    #[test]
    fn a_channel_keeps_its_bounds() {
        check(two().channel(channel("c").weight(0)), &["channel `c`: weight 0: give 1 to 10000"]);
        check(two().channel(channel("c").weight(10_001)), &["channel `c`: weight 10001: give 1 to 10000"]);
        check(two().channel(channel("c").fee_bp(10_001)), &["channel `c`: fee_bp 10001: give 0 to 10000"]);
        check(two().channel(channel("c").weight(10_000).fee_bp(10_000)), &[]);
        let rules = Rules { amount_min: Some(5), amount_max: Some(4), ..Rules::default() };
        check(two().channel(channel("c").rules(rules)), &["channel `c`: amount_min 5 is above amount_max 4"]);
        check(two().channel(channel("c").methods(["wechat.*"])), &[]);
        let none: [&str; 0] = [];
        check(
            two().channel(channel("c").methods(none)),
            &["channel `c`: methods: name at least one, or none at all"],
        );
        let told = two().channel(channel("c").methods(["paypal.*"])).catalog().unwrap_err().to_string();
        assert!(
            told.starts_with("channel `c`: method `paypal.*`: the provider offers wechat.native"),
            "{told}"
        );
    }

    #[test]
    fn a_route_names_channels_that_are_there_once() {
        check(two().route(route(&[])), &["route `all`: a route needs at least one channel"]);
        check(two().route(route(&["c"])), &["route `all`: unknown channel `c`; known: a, b"]);
        check(two().route(route(&["a", "a"])), &["route `all`: channel `a` stands here twice"]);
        check(two().route(route(&["a"]).failover(17)), &["route `all`: failover 17: give 0 to 16"]);
        let apps = Some(vec![AppId::new("gone").unwrap()]);
        let when = When { apps, ..When::default() };
        check(two().route(route(&["a"]).when(when)), &["route `all`: unknown app `gone`; known: shop"]);
        let methods = Some(vec!["paypal.*".parse().unwrap()]);
        let when = When { methods, ..When::default() };
        check(
            two().route(route(&["a"]).when(when)),
            &["route `all`: `a` serves none of the route's methods"],
        );
    }

    #[test]
    fn a_strategy_knows_what_it_looks_at() {
        let cheapest = RoutePlan::new("all", Strategy::Cheapest, ["a", "b"]);
        check(
            two().route(cheapest),
            &["route `all`: `cheapest` needs the `fee_bp` of each channel; `a` has none"],
        );

        #[derive(Debug)]
        struct First(&'static str);
        impl OwnStrategy for First {
            fn name(&self) -> &'static str {
                self.0
            }
            fn pick(&self, _: &Contenders<'_>, _: u64) -> usize {
                0
            }
        }
        check(two().route(RoutePlan::own("all", First("first"), ["a"])), &[]);
        check(
            two().route(RoutePlan::own("all", First("random"), ["a"])),
            &["route `all`: `random` is a strategy of ours: name it otherwise"],
        );
    }

    #[test]
    fn every_mistake_is_told_at_once() {
        check(
            two().channel(channel("c").weight(0)).route(route(&["d"])).public_url("nowhere"),
            &[
                &Builder::new().public_url("nowhere").catalog().unwrap_err().to_string(),
                "channel `c`: weight 0: give 1 to 10000",
                "route `all`: unknown channel `d`; known: a, b, c",
            ],
        );
    }
}
