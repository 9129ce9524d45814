//! `[[channels]]`: accounts at providers. A plugin judges its own settings and makes the channel.

use std::collections::BTreeMap;
use std::sync::Arc;

use paymux_core::catalog::{ChannelEntry, FEE_BP_MAX, Lifecycle, Rules, WEIGHT_MAX};
use paymux_core::hours::HoursError;
use paymux_core::money::AMOUNT_MAX;
use paymux_core::provider::{ChannelSite, SettingError, SettingKey, Settings};
use paymux_core::{Channel, ChannelId, Currency, MethodPattern, Provider, Region};

use super::{Check, RawSecret, Told, unknown, words};
use crate::config::path::KeyPath;
use crate::config::raw;

/// The most payments that a limit can be set to.
const COUNT_MAX: i64 = 1_000_000_000;

/// A channel as far as it could be read.
pub(super) struct Checked {
    /// Its id as written: routes may name it even if the rest is wrong.
    pub(super) id: Option<String>,
    /// All of it, if all of it is right.
    pub(super) entry: Option<ChannelEntry>,
}

/// What was seen: ids and accounts, each with its place.
#[derive(Default)]
struct Seen {
    ids: BTreeMap<String, KeyPath>,
    accounts: BTreeMap<(&'static str, String), KeyPath>,
}

/// The fields of an entry beside the account itself, each `None` where it is wrong.
struct Fields {
    state: Option<Lifecycle>,
    weight: Option<u32>,
    fee_bp: Option<u32>,
    methods: Option<Vec<MethodPattern>>,
    rules: Option<Rules>,
}

impl Check<'_, '_> {
    pub(super) fn channels(&mut self, list: &[raw::Channel], test_mode: bool) -> Vec<Checked> {
        let mut seen = Seen::default();
        let mut checked = Vec::new();
        for (place, raw) in list.iter().enumerate() {
            let path = KeyPath::of("channels").index(place);
            let entry = self.channel(&path, raw, &mut seen);
            if let Some(entry) = &entry
                && !test_mode
                && !entry.channel.descriptor().livemode
            {
                let rule = "a test-mode account: it needs `server.test_mode = true`, so that test money \
                            never passes for real";
                self.wrong(&path.key("provider"), rule);
            }
            checked.push(Checked { id: raw.id.clone(), entry });
        }
        checked
    }

    fn channel(&mut self, path: &KeyPath, raw: &raw::Channel, seen: &mut Seen) -> Option<ChannelEntry> {
        let id: Option<ChannelId> = self.id(&path.key("id"), raw.id.as_deref(), &mut seen.ids);
        let provider = self.provider(&path.key("provider"), raw.provider.as_deref());
        let fields = self.fields(path, raw);
        // The id only labels what the plugin makes: with a wrong one its settings are judged all the same.
        let site = id.clone().or_else(|| ChannelId::new("unnamed").ok());
        let channel = self.account(path, raw, provider?.as_ref(), ChannelSite { id: site? }, seen);
        let request_path = path.key("request_ms");
        let request = self.milliseconds(&request_path, raw.request_ms, 1..=600_000);
        let channel = channel?;
        self.offered_methods(path, raw, fields.methods.as_deref(), channel.as_ref());
        self.rules_fit(path, fields.rules.as_ref(), channel.as_ref());
        Some(ChannelEntry {
            state: fields.state?,
            methods: fields.methods,
            rules: fields.rules?,
            weight: fields.weight?,
            fee_bp: fields.fee_bp,
            request,
            ..ChannelEntry::new(id?, channel)
        })
    }

    fn provider(&mut self, path: &KeyPath, slug: Option<&str>) -> Option<Arc<dyn Provider>> {
        let slug = *self.required(path, slug.as_ref())?;
        let found = self.providers.iter().find(|provider| provider.slug() == slug);
        if found.is_none() {
            let rule = unknown("provider", slug, self.providers.iter().map(|provider| provider.slug()));
            self.wrong(path, rule);
        }
        found.cloned()
    }

    fn fields(&mut self, path: &KeyPath, raw: &raw::Channel) -> Fields {
        Fields {
            state: self.state(&path.key("state"), raw.state.as_deref()),
            weight: self.number(&path.key("weight"), Some(raw.weight.unwrap_or(1)), 1..=WEIGHT_MAX.into()),
            fee_bp: self.number(&path.key("fee_bp"), raw.fee_bp, 0..=FEE_BP_MAX.into()),
            methods: self.patterns(&path.key("methods"), raw.methods.as_deref()),
            rules: self.rules(&path.key("rules"), &raw.rules),
        }
    }

    fn state(&mut self, path: &KeyPath, word: Option<&str>) -> Option<Lifecycle> {
        let Some(word) = word else { return Some(Lifecycle::Active) };
        let state = Lifecycle::from_word(word);
        if state.is_none() {
            self.wrong(path, unknown("state", word, words(Lifecycle::ALL, Lifecycle::word)));
        }
        state
    }

    pub(super) fn patterns(&mut self, path: &KeyPath, list: Option<&[String]>) -> Option<Vec<MethodPattern>> {
        self.each(path, list, |text| {
            text.parse().map_err(|error: paymux_core::method::MethodError| error.to_string())
        })
    }

    fn rules(&mut self, path: &KeyPath, raw: &raw::Rules) -> Option<Rules> {
        let currency = match raw.currency.as_deref() {
            Some(code) => self.currency(&path.key("currency"), Some(code)),
            None => Some(Currency::CNY),
        };
        let hours = self.whole_list(&path.key("hours"), raw.hours.as_deref(), |text| {
            text.parse().map_err(|error: HoursError| error.to_string())
        });
        let regions = self.regions(&path.key("regions"), raw.regions.as_deref());
        let amounts = self.amounts(path, raw.amount_min, raw.amount_max);
        let day_amount_max = self.number(&path.key("day_amount_max"), raw.day_amount_max, 1..=AMOUNT_MAX);
        let day_count_max = self.number(&path.key("day_count_max"), raw.day_count_max, 1..=COUNT_MAX);
        let in_flight_max = self.number(&path.key("in_flight_max"), raw.in_flight_max, 1..=COUNT_MAX);
        let (amount_min, amount_max) = amounts?;
        if let (Some(day), Some(least)) = (day_amount_max, amount_min)
            && day < least
        {
            let rule = format!("`{day}` is less than `amount_min`, {least}: no payment would fit");
            self.wrong(&path.key("day_amount_max"), rule);
        }
        Some(Rules {
            currency: currency?,
            amount_min,
            amount_max,
            day_amount_max,
            day_count_max,
            in_flight_max,
            hours: hours.ok()?,
            regions: regions.ok()?,
        })
    }

    /// A list of which each element is right; `None` where there is no list.
    pub(super) fn whole_list<T>(
        &mut self,
        path: &KeyPath,
        list: Option<&[String]>,
        judge: impl FnMut(&str) -> Result<T, String>,
    ) -> Result<Option<Vec<T>>, Told> {
        let right = self.each(path, list, judge);
        let is_whole = right.as_ref().map(Vec::len) == list.map(<[String]>::len);
        let is_right = is_whole && right.as_ref().is_none_or(|right| !right.is_empty());
        if is_right { Ok(right) } else { Err(Told) }
    }

    pub(super) fn regions(
        &mut self,
        path: &KeyPath,
        list: Option<&[String]>,
    ) -> Result<Option<Vec<Region>>, Told> {
        self.whole_list(path, list, |text| {
            Region::from_code(text).ok_or_else(|| format!("`{text}`: {}", Region::RULE))
        })
    }

    /// Both ends of a range of amounts, in minor units; `None` when one is wrong.
    pub(super) fn amounts(
        &mut self,
        path: &KeyPath,
        min: Option<i64>,
        max: Option<i64>,
    ) -> Option<(Option<i64>, Option<i64>)> {
        let least = self.number::<i64>(&path.key("amount_min"), min, 1..=AMOUNT_MAX);
        let most = self.number::<i64>(&path.key("amount_max"), max, 1..=AMOUNT_MAX);
        if let (Some(least), Some(most)) = (least, most)
            && least > most
        {
            self.wrong(&path.key("amount_max"), format!("`{most}` is less than `amount_min`, {least}"));
            return None;
        }
        (least == min && most == max).then_some((least, most))
    }

    /// The account itself, made by its plugin.
    fn account(
        &mut self,
        path: &KeyPath,
        raw: &raw::Channel,
        provider: &dyn Provider,
        site: ChannelSite,
        seen: &mut Seen,
    ) -> Option<Arc<dyn Channel>> {
        let path = path.key("settings");
        let settings = self.settings(&path, &raw.settings, provider)?;
        match provider.channel(site, settings) {
            Ok(channel) => self.own_account(&path, channel, seen),
            Err(errors) => {
                self.setting_errors(&path, errors);
                None
            }
        }
    }

    /// The settings with every secret in its place; `None` when one could not be had. The plugin is
    /// then asked about the others all the same.
    fn settings(&mut self, path: &KeyPath, raw: &Settings, provider: &dyn Provider) -> Option<Settings> {
        let (settings, missing) = self.resolved(path, raw, provider.settings());
        if missing.is_empty() {
            return Some(settings);
        }
        let site = ChannelSite { id: ChannelId::new("unnamed").ok()? };
        let mut errors = provider.channel(site, settings).err().unwrap_or_default();
        errors.retain(|error| !missing.contains(&error.key.as_str()));
        self.setting_errors(path, errors);
        None
    }

    /// A plugin's table with every secret in its place, and the names of those that could not be had: they are told,
    /// and left out.
    pub(super) fn resolved(
        &mut self,
        path: &KeyPath,
        raw: &Settings,
        keys: &[SettingKey],
    ) -> (Settings, Vec<&'static str>) {
        let mut settings = raw.clone();
        let mut missing = Vec::new();
        for key in keys {
            let Some(value) = settings.get_mut(key.name) else { continue };
            // A table of a plugin's own is its to read.
            let may_be_secret = key.secret || RawSecret::from_json(value).is_ok();
            if !value.is_object() || !may_be_secret {
                continue;
            }
            match self.setting_secret(&path.key(key.name), value, key.secret) {
                Some(secret) => *value = secret,
                None => missing.push(key.name),
            }
        }
        settings.retain(|name, _| !missing.contains(&name.as_str()));
        (settings, missing)
    }

    fn setting_secret(
        &mut self,
        path: &KeyPath,
        value: &serde_json::Value,
        is_secret: bool,
    ) -> Option<serde_json::Value> {
        if !is_secret {
            self.wrong(path, "no secret: write the value itself");
            return None;
        }
        let raw = self.good(path, RawSecret::from_json(value))?;
        Some(self.secret(path, Some(&raw))?.expose().into())
    }

    pub(super) fn setting_errors(&mut self, path: &KeyPath, errors: Vec<SettingError>) {
        for SettingError { key, rule } in errors {
            let path = if key.is_empty() { path.clone() } else { path.key(&key) };
            self.wrong(&path, rule);
        }
    }

    /// A callback must say which channel it is for: an account belongs to one channel.
    fn own_account(
        &mut self,
        path: &KeyPath,
        channel: Arc<dyn Channel>,
        seen: &mut Seen,
    ) -> Option<Arc<dyn Channel>> {
        let descriptor = channel.descriptor();
        let account = (descriptor.provider, descriptor.account_key.clone());
        if let Some(first) = seen.accounts.get(&account) {
            let rule = format!("the same account as {first}; an account belongs to one channel");
            self.wrong(path, rule);
            return None;
        }
        seen.accounts.insert(account, path.clone());
        Some(channel)
    }

    /// Each pattern must let something through.
    fn offered_methods(
        &mut self,
        path: &KeyPath,
        raw: &raw::Channel,
        patterns: Option<&[MethodPattern]>,
        channel: &dyn Channel,
    ) {
        let offered = &channel.descriptor().methods;
        let written = raw.methods.as_deref().unwrap_or_default();
        if patterns.is_none_or(|patterns| patterns.len() != written.len()) {
            return;
        }
        for (place, pattern) in patterns.into_iter().flatten().enumerate() {
            if !offered.iter().any(|spec| pattern.holds(spec.method)) {
                let names: Vec<_> = offered.iter().map(|spec| spec.method.to_string()).collect();
                let rule = format!("`{pattern}`: the provider offers {}", names.join(", "));
                self.wrong(&path.key("methods").index(place), rule);
            }
        }
    }

    fn rules_fit(&mut self, path: &KeyPath, rules: Option<&Rules>, channel: &dyn Channel) {
        let currencies = &channel.descriptor().currencies;
        let Some(rules) = rules.filter(|rules| rules.are_of_one_currency()) else {
            return;
        };
        if !currencies.contains(&rules.currency) {
            let names: Vec<_> = currencies.iter().map(ToString::to_string).collect();
            let rule = format!("`{}`: the provider takes {}", rules.currency, names.join(", "));
            self.wrong(&path.key("rules").key("currency"), rule);
        }
    }
}
