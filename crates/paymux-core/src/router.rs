//! Which channel takes a payment, and why: a pure function of the catalog, the payment and a seed.
//!
//! Three steps: the first route whose `when` holds; its channels through the filters; the route's
//! strategy over those that are left. Fails closed: no rule is relaxed to find a channel.
//!
//! [`Router::choose`] is the hot way: rows of bits, no lock, nothing allocated. [`Router::pick`] chooses so and
//! then says why in words, for the record and for whoever is refused.

mod bits;
mod breaker;
mod draw;
mod filter;
mod finder;
mod intervals;
mod live;
mod rate;
mod regions;
mod strategy;
mod table;
mod weights;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use self::draw::Draw;
use self::finder::Finder;
use self::live::RouteFigures;
use self::strategy::Prepared;
use self::table::RouteTable;
use self::weights::Cycle;
use crate::catalog::{AppSlot, Catalog, ChannelEntry, Route, Strategy, When};
use crate::clock::Timestamp;
use crate::ids::{AppId, ChannelId, OrderNo, RouteName};
use crate::method::Method;
use crate::money::Money;
use crate::payment::request::{InvalidField, NewPayment, Payer};

pub use breaker::{Health, HealthRules, Pulse};
pub use filter::Removal;
pub use finder::ROUTES_MAX;
pub use live::Live;
pub use table::Sheet;

/// What the router looks at of a payment.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// Whose it is.
    pub app: AppSlot,
    /// The merchant's number.
    pub order_no: &'a OrderNo,
    /// How much.
    pub amount: Money,
    /// What the payer uses.
    pub method: Method,
    /// How long it may live.
    pub expires_in: Duration,
    /// What is known of the payer.
    pub payer: &'a Payer,
    /// The merchant's own data.
    pub metadata: &'a BTreeMap<String, String>,
    /// The one channel that may take it.
    pub pin: Option<&'a ChannelId>,
    /// The minute of the day in the day zone, from midnight.
    pub minute: u16,
}

impl<'a> Ask<'a> {
    /// What the router looks at of that request at that time.
    pub fn of(catalog: &Catalog, app: &AppId, request: &'a NewPayment, at: Timestamp) -> Self {
        Self {
            app: catalog.app_slot(app),
            order_no: &request.order_no,
            amount: request.amount,
            method: request.method,
            expires_in: request.expires_in,
            payer: &request.payer,
            metadata: &request.metadata,
            pin: request.channel.as_ref(),
            minute: catalog.day_zone.minute_of_day(at),
        }
    }

    /// What a payment sticks to: its payer, or itself where the payer has no id.
    fn sticks_to(&self) -> &'a str {
        self.payer.id.as_deref().unwrap_or(self.order_no.as_str())
    }
}

/// Routes and channels as the router reads them.
#[derive(Debug)]
pub(crate) struct Table {
    finder: Finder,
    routes: Box<[Compiled]>,
}

/// One route as the router reads it.
#[derive(Debug)]
struct Compiled {
    table: RouteTable,
    strategy: Prepared,
    figures: Arc<RouteFigures>,
}

impl Table {
    pub(crate) fn new(catalog: &Catalog) -> Self {
        let slots = |when: &When| {
            when.apps.as_ref().map(|apps| {
                let slots = apps.iter().map(|app| catalog.app_slot(app));
                slots.filter(|slot| *slot != AppSlot::UNKNOWN).collect()
            })
        };
        let route = |route: &Route| {
            let entries: Vec<&ChannelEntry> =
                route.channels.iter().filter_map(|&i| catalog.channels().get(i)).collect();
            Compiled {
                table: RouteTable::new(route, catalog.channels()),
                strategy: Prepared::new(route.strategy, &entries, catalog.health.probe_percent),
                figures: catalog.live().follow(route.strategy, &entries),
            }
        };
        Self {
            finder: Finder::new(catalog.routes(), catalog.app_count(), slots),
            routes: catalog.routes().iter().map(route).collect(),
        }
    }
}

/// Whether channels of these weights can take turns: their cycle is not too long to be prepared.
pub fn takes_turns(weights: &[u32]) -> bool {
    Cycle::new(weights).is_some()
}

/// One choice, in places.
#[derive(Debug, Clone, Copy)]
pub struct Choice<'a> {
    /// The route that matched.
    pub route: &'a Route,
    /// The channel that takes it.
    pub channel: &'a ChannelEntry,
    /// Which turn of the route it was, where its channels take turns.
    pub turn: u64,
}

/// One choice.
#[derive(Debug, Clone)]
pub struct Picked<'a> {
    /// The route that matched.
    pub route: &'a Route,
    /// The channel that takes it.
    pub channel: &'a ChannelEntry,
    /// How it came about.
    pub decision: Decision,
}

/// The record of one choice: kept with the attempt, shown by `explain`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// The route that matched.
    pub route: RouteName,
    /// Its strategy.
    pub strategy: &'static str,
    /// What the strategy drew from: the same seed makes the same choice. A text, since it may
    /// exceed what JSON readers keep exact.
    pub seed: String,
    /// Which turn of the route it was, where its channels take turns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn: Option<u64>,
    /// The channel that takes it.
    pub picked: Option<ChannelId>,
    /// Every channel of the route.
    pub candidates: Vec<Candidate>,
}

/// One channel of the route, as the choice saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// Which.
    pub channel: ChannelId,
    /// Whether it was left after the filters.
    pub eligible: bool,
    /// The rule that removed it.
    pub removed_by: Option<Removal>,
    /// Its weight.
    pub weight: u32,
    /// What its provider takes, in hundredths of a percent.
    pub fee_bp: Option<u32>,
    /// What it had collected that day, in minor units of the payment's currency, where the strategy looks at that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub collected_today: Option<i64>,
    /// Whether it had completed the route's last payment, where the strategy looks at that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_completed: Option<bool>,
    /// How often its calls went well of late, in parts of a million, where the strategy looks at that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub success_ppm: Option<i64>,
}

/// No channel may take the payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoChannel {
    /// The route that matched, if one did.
    pub route: Option<RouteName>,
    /// Every channel of it, with the rule that removed it.
    pub removed: Vec<(ChannelId, Removal)>,
}

impl NoChannel {
    /// Whether one of them was out only for now, so that a later try may succeed.
    pub fn is_temporary(&self) -> bool {
        self.removed.iter().any(|(_, removal)| removal.temporary)
    }
}

/// Picks channels by a catalog.
#[derive(Debug, Clone, Copy)]
pub struct Router<'a> {
    catalog: &'a Catalog,
}

impl<'a> Router<'a> {
    /// A router by that catalog.
    pub fn new(catalog: &'a Catalog) -> Self {
        Self { catalog }
    }

    /// The first route that takes such a payment; for a pinned one, the first of those that lists
    /// the channel, if one does.
    pub fn route(&self, ask: &Ask<'_>) -> Option<&'a Route> {
        self.catalog.routes().get(self.route_place(ask)?)
    }

    fn route_place(self, ask: &Ask<'_>) -> Option<usize> {
        let routes = self.catalog.routes();
        let matching = self.catalog.table().finder.matching(routes, ask);
        let first = bits::first(&matching)?;
        let Some(pin) = ask.pin else { return Some(first) };
        let lists_pin =
            |place: &usize| routes.get(*place).is_some_and(|route| self.place_of(route, pin).is_some());
        bits::all(&matching).find(lists_pin).or(Some(first))
    }

    /// The place of a channel in a route.
    fn place_of(self, route: &Route, id: &ChannelId) -> Option<usize> {
        let channels = self.catalog.channels();
        route.channels.iter().position(|&i| channels.get(i).is_some_and(|entry| entry.id == *id))
    }

    /// The channel that takes it, leaving out those that were tried before; `None` where none may. Takes no lock,
    /// and allocates nothing once `sheet` has grown to the route.
    pub fn choose(
        &self,
        ask: &Ask<'_>,
        tried: &[ChannelId],
        seed: u64,
        sheet: &mut Sheet,
    ) -> Option<Choice<'a>> {
        let place = self.route_place(ask)?;
        let route = self.catalog.routes().get(place)?;
        let Compiled { table, strategy, figures } = self.catalog.table().routes.get(place)?;
        let pin = ask.pin.and_then(|pin| self.place_of(route, pin));
        table.sift(ask, pin, tried.iter().filter_map(|id| self.place_of(route, id)), sheet);
        let probes = self.probes(seed);
        sheet.keep_healthy(|set| figures.keep_healthy(set, probes));
        strategy.look(figures, ask, sheet);
        let turn = strategy.turn();
        let picked = strategy.pick(sheet, ask, seed, turn)?;
        let channel = self.catalog.channels().get(*route.channels.get(picked)?)?;
        Some(Choice { route, channel, turn })
    }

    /// Whether a payment of that seed is one of the few that may go to channels that are probed.
    fn probes(self, seed: u64) -> bool {
        // Of another stream than the strategy's draws, so that it does not decide them.
        Draw::new(!seed).below(100) < u64::from(self.catalog.health.probe_percent)
    }

    /// As [`Self::choose`], with the record of it; or every channel with the rule that removed it.
    pub fn pick(&self, ask: &Ask<'_>, tried: &[ChannelId], seed: u64) -> Result<Picked<'a>, NoChannel> {
        let mut sheet = Sheet::default();
        match self.choose(ask, tried, seed, &mut sheet) {
            Some(choice) => {
                let decision = self.record(&choice, ask, tried, seed, &sheet);
                Ok(Picked { route: choice.route, channel: choice.channel, decision })
            }
            None => Err(self.no_channel(ask, tried)),
        }
    }

    /// Each channel of a route, and why it was left out.
    fn removals(
        self,
        route: &Route,
        ask: &Ask<'_>,
        tried: &[ChannelId],
    ) -> impl Iterator<Item = (&'a ChannelEntry, Option<Removal>)> {
        let entries = route.channels.iter().filter_map(|&i| self.catalog.channels().get(i));
        entries.map(move |entry| (entry, filter::removal(entry, ask, tried)))
    }

    /// A pin that stands in no channel list of the route is a reason of its own.
    fn no_channel(self, ask: &Ask<'_>, tried: &[ChannelId]) -> NoChannel {
        let Some(route) = self.route(ask) else {
            let pin = ask.pin.map(|pin| (pin.clone(), filter::pin_without_route()));
            return NoChannel { route: None, removed: pin.into_iter().collect() };
        };
        let removals = self.removals(route, ask, tried);
        let mut removed: Vec<_> =
            removals.filter_map(|(entry, removal)| Some((entry.id.clone(), removal?))).collect();
        if let Some(pin) = ask.pin
            && self.place_of(route, pin).is_none()
        {
            removed.push((pin.clone(), filter::pin_outside(route)));
        }
        NoChannel { route: Some(route.name.clone()), removed }
    }

    fn record(
        self,
        choice: &Choice<'_>,
        ask: &Ask<'_>,
        tried: &[ChannelId],
        seed: u64,
        sheet: &Sheet,
    ) -> Decision {
        let route = choice.route;
        let strategy = route.strategy;
        let candidate = |(place, (entry, removal)): (usize, (&ChannelEntry, Option<Removal>))| {
            let by_health = || sheet.is_out_by_health(place).then(|| filter::by_health(&self.catalog.health));
            let removed_by = removal.or_else(by_health);
            let seen = |looks: bool| sheet.seen(place).filter(|_| looks);
            Candidate {
                channel: entry.id.clone(),
                eligible: removed_by.is_none(),
                removed_by,
                weight: entry.weight,
                fee_bp: entry.fee_bp,
                collected_today: seen(strategy.looks_at_collected()),
                last_completed: strategy
                    .looks_at_last_completed()
                    .then(|| sheet.last_completed() == Some(place)),
                success_ppm: seen(strategy.looks_at_rates()),
            }
        };
        let candidates = self.removals(route, ask, tried).enumerate().map(candidate);
        Decision {
            route: route.name.clone(),
            strategy: route.strategy.word(),
            seed: format!("{seed:016x}"),
            turn: (route.strategy == Strategy::RoundRobin).then_some(choice.turn),
            picked: Some(choice.channel.id.clone()),
            candidates: candidates.collect(),
        }
    }

    /// Refuses provider fields that no channel of the matching route takes.
    pub fn check_extra(&self, ask: &Ask<'_>, request: &NewPayment) -> Result<(), InvalidField> {
        let Some(route) = self.route(ask) else { return Ok(()) };
        let channels = || route.channels.iter().filter_map(|&i| self.catalog.channels().get(i));
        for name in request.extra.keys() {
            if !channels().any(|entry| entry.channel.descriptor().takes_extra(name)) {
                return Err(InvalidField::new(format!("extra.{name}"), unknown_extra(channels())));
            }
        }
        Ok(())
    }
}

fn unknown_extra<'a>(channels: impl Iterator<Item = &'a ChannelEntry>) -> String {
    let mut known: Vec<&str> =
        channels.flat_map(|entry| entry.channel.descriptor().extra.iter().map(|field| field.name)).collect();
    known.sort_unstable();
    known.dedup();
    if known.is_empty() {
        return "the channels of this route take no extra fields".to_owned();
    }
    format!("unknown field; the channels of this route take: {}", known.join(", "))
}
