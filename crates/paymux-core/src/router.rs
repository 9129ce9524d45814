//! Which channel takes a payment, and why: a pure function of the catalog, the payment and a seed.
//!
//! Three steps: the first route whose `when` holds; its channels through the filters; the route's
//! strategy over those that are left. Fails closed: no rule is relaxed to find a channel.
//!
//! [`Router::choose`] is the hot way: rows of bits, no lock, nothing allocated. [`Router::take`] chooses so and keeps
//! the rows for the ledger; [`Past::tell`] says them in words, whenever somebody asks. [`Router::pick`] says them at
//! once, and [`Router::explain`] without choosing. [`replay`] makes a choice again from its record.

mod bits;
mod breaker;
mod draw;
mod filter;
mod finder;
mod intervals;
mod live;
mod own;
mod rate;
mod record;
mod regions;
mod replay;
mod seed;
mod strategy;
mod table;
mod version;
mod weights;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use self::draw::Draw;
use self::filter::{Occasion, Terms};
use self::finder::Finder;
use self::live::RouteFigures;
use self::record::{Facts, Figures, Record};
use self::strategy::{Lot, Prepared};
use self::table::RouteTable;
use self::weights::Cycle;
use crate::catalog::{AppSlot, Catalog, ChannelEntry, Lifecycle, Route, Strategy, When};
use crate::clock::Timestamp;
use crate::ids::{AppId, ChannelId, OrderNo, RouteName};
use crate::method::Method;
use crate::money::Money;
use crate::payment::request::{InvalidField, NewPayment, Payer};
use crate::store::KeptDecision;

pub use breaker::{Health, HealthRules, Pulse};
pub use filter::Removal;
pub use finder::ROUTES_MAX;
pub use live::Live;
pub use own::{Contender, Contenders, OwnStrategy};
pub use record::{BYTES_MAX, RecordError};
pub use replay::{ReplayError, replay, replay_by};
pub use seed::{Seed, SeedError, Tie};
pub use table::Sheet;
pub use version::{Past, Version, VersionDigest, VersionDigestError};

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
    /// Channels that have just been found to have no room for it, whatever their figures say.
    pub full: &'a [ChannelId],
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
            full: &[],
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
                strategy: match catalog.own_strategy(&route.name) {
                    Some(own) => Prepared::own(Arc::clone(own), &entries),
                    None => Prepared::new(route.strategy, &entries, catalog.health.probe_percent),
                },
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

/// A choice half made: who may take the payment stands on the sheet.
#[derive(Debug, Clone, Copy)]
struct Sifted<'a> {
    route: &'a Route,
    strategy: &'a Prepared,
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

/// One choice, to be acted on.
#[derive(Debug, Clone)]
pub struct Taken<'a> {
    /// The route that matched.
    pub route: &'a Route,
    /// The channel that takes it.
    pub channel: &'a ChannelEntry,
    /// How it came about, as the ledger keeps it.
    pub kept: KeptDecision,
}

/// One choice, and how it came about.
#[derive(Debug, Clone)]
pub struct Picked<'a> {
    /// The route that matched.
    pub route: &'a Route,
    /// The channel that takes it.
    pub channel: &'a ChannelEntry,
    /// How it came about.
    pub decision: Decision,
    /// The same, as the ledger keeps it.
    pub kept: KeptDecision,
}

/// The record of one choice in words: told of an attempt, shown by `explain`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// The route that matched, if one did.
    pub route: Option<RouteName>,
    /// Its strategy.
    pub strategy: Option<Cow<'static, str>>,
    /// What the strategy drew from.
    pub seed: Seed,
    /// Which turn of the route it was, where its channels take turns.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn: Option<u64>,
    /// What the payment sticks to, where the strategy looks at that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sticks_to: Option<Tie>,
    /// Which percentage of payments may go anywhere, where the strategy tries channels out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub probe_percent: Option<u8>,
    /// The channel that takes it, if one may.
    pub picked: Option<ChannelId>,
    /// Every channel of the route; last, where the payment is pinned to a channel outside of it, that one.
    pub candidates: Vec<Candidate>,
}

/// One channel, as the choice saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// Which.
    pub channel: ChannelId,
    /// Whether it was left after the filters.
    pub eligible: bool,
    /// The rule that removed it.
    pub removed_by: Option<Removal>,
    /// Its weight; of a channel of the route only.
    pub weight: Option<u32>,
    /// What its provider takes, in hundredths of a percent; of a channel of the route only.
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

impl From<Decision> for NoChannel {
    /// A decision that picked nobody, told to whoever is refused.
    fn from(decision: Decision) -> Self {
        let removed = |candidate: Candidate| Some((candidate.channel, candidate.removed_by?));
        Self { route: decision.route, removed: decision.candidates.into_iter().filter_map(removed).collect() }
    }
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
        let sifted = self.sift(ask, tried, seed, sheet)?;
        self.draw(sifted, Lot { seed, turn: sifted.strategy.take_turn() }, sheet)
    }

    /// Notes on the sheet who may take it, and what the strategy picks by.
    fn sift(self, ask: &Ask<'_>, tried: &[ChannelId], seed: u64, sheet: &mut Sheet) -> Option<Sifted<'a>> {
        let place = self.route_place(ask)?;
        let route = self.catalog.routes().get(place)?;
        let Compiled { table, strategy, figures } = self.catalog.table().routes.get(place)?;
        let pin = ask.pin.and_then(|pin| self.place_of(route, pin));
        let tried = tried.iter().filter_map(|id| self.place_of(route, id));
        table.sift(ask, pin, tried, figures, sheet);
        sheet.keep_room(|set| {
            figures.keep_room(set, ask.amount.minor());
            ask.full
                .iter()
                .filter_map(|id| self.place_of(route, id))
                .for_each(|place| bits::remove(set, place));
        });
        let probes = self.probes(seed);
        sheet.keep_healthy(|set| figures.keep_healthy(set, probes));
        strategy.look(figures, ask, sheet);
        Some(Sifted { route, strategy })
    }

    /// Picks by what stands on the sheet.
    fn draw(self, sifted: Sifted<'a>, lot: Lot, sheet: &mut Sheet) -> Option<Choice<'a>> {
        let Sifted { route, strategy } = sifted;
        let picked = strategy.pick(sheet, lot)?;
        let channel = self.catalog.channels().get(*route.channels.get(picked)?)?;
        Some(Choice { route, channel, turn: lot.turn })
    }

    /// Whether a payment of that seed is one of the few that may go to channels that are probed.
    fn probes(self, seed: u64) -> bool {
        // Of another stream than the strategy's draws, so that it does not decide them.
        Draw::new(!seed).below(100) < u64::from(self.catalog.health.probe_percent)
    }

    /// As [`Self::choose`], with what the ledger keeps of it; or every channel with the rule that removed it.
    pub fn take(&self, ask: &Ask<'_>, tried: &[ChannelId], seed: u64) -> Result<Taken<'a>, NoChannel> {
        let mut sheet = Sheet::default();
        match self.choose(ask, tried, seed, &mut sheet) {
            Some(choice) => {
                let kept = self.keep(&choice, ask, seed, &sheet);
                Ok(Taken { route: choice.route, channel: choice.channel, kept })
            }
            None => Err(self.record(None, ask, tried, seed, &sheet).into()),
        }
    }

    /// As [`Self::take`], with the record in words.
    pub fn pick(&self, ask: &Ask<'_>, tried: &[ChannelId], seed: u64) -> Result<Picked<'a>, NoChannel> {
        let mut sheet = Sheet::default();
        let choice = self.choose(ask, tried, seed, &mut sheet);
        let decision = self.record(choice.as_ref(), ask, tried, seed, &sheet);
        match choice {
            Some(choice) => {
                let kept = self.keep(&choice, ask, seed, &sheet);
                Ok(Picked { route: choice.route, channel: choice.channel, decision, kept })
            }
            None => Err(decision.into()),
        }
    }

    /// What stands on the sheet of that choice, as the ledger keeps it.
    fn keep(self, choice: &Choice<'a>, ask: &Ask<'_>, seed: u64, sheet: &Sheet) -> KeptDecision {
        let (route, strategy) = (choice.route, self.strategy_of(choice.route));
        let looks_at = |at: fn(Strategy) -> bool| strategy.is_some_and(at);
        let entries: Vec<&ChannelEntry> =
            route.channels.iter().filter_map(|&i| self.catalog.channels().get(i)).collect();
        let state =
            |place: usize| entries.get(place).map_or(Lifecycle::Active, |entry| self.catalog.state(entry));
        let seen = sheet.all_seen();
        let place = |route: &Route| self.catalog.routes().iter().position(|known| std::ptr::eq(known, route));
        let record = Record {
            route: place(route).unwrap_or(usize::MAX),
            picked: self.place_of(route, &choice.channel.id).unwrap_or(usize::MAX),
            seed,
            turn: (strategy == Some(Strategy::RoundRobin)).then_some(choice.turn),
            tie: sheet.tie(),
            last_completed: looks_at(Strategy::looks_at_last_completed).then(|| sheet.last_completed()),
            outs: record::outs(sheet, entries.len(), state).into(),
            facts: Facts {
                expires_in: ask.expires_in,
                carries: ask.payer.carries(),
                minute: ask.minute,
                region: ask.payer.region,
            },
            figures: match (looks_at(Strategy::looks_at_collected), looks_at(Strategy::looks_at_rates)) {
                // Of a currency that no channel takes nothing was collected, and nothing was seen.
                _ if seen.len() != entries.len() => Figures::None,
                (true, _) => Figures::Collected(seen.into()),
                (_, true) => Figures::Rates(seen.into()),
                _ => Figures::None,
            },
        };
        KeptDecision::Compact { version: self.catalog.version().digest().clone(), record: record.write() }
    }

    /// The record that [`Self::pick`] would make now, and what it would refuse by where it would. Takes no turn.
    pub fn explain(&self, ask: &Ask<'_>, seed: u64) -> Decision {
        let mut sheet = Sheet::default();
        let choice = self.sift(ask, &[], seed, &mut sheet).and_then(|sifted| {
            let turn = sifted.strategy.next_turn();
            self.draw(sifted, Lot { seed, turn }, &mut sheet)
        });
        self.record(choice.as_ref(), ask, &[], seed, &sheet)
    }

    /// How often each channel takes such a payment in so many picks under seeds drawn from `seed`; channels that
    /// never do are not there. From pick to pick the seed and the turn move on, and no turn is taken.
    pub fn spread(&self, ask: &Ask<'_>, seed: u64, times: u32) -> BTreeMap<ChannelId, u32> {
        let (mut sheet, mut spread) = (Sheet::default(), BTreeMap::new());
        let (mut seeds, mut first) = (Draw::new(seed), None);
        for turn in 0..times {
            let seed = seeds.bits();
            // Anew for each: which channels are probed is by the seed.
            let Some(sifted) = self.sift(ask, &[], seed, &mut sheet) else { break };
            let first = *first.get_or_insert_with(|| sifted.strategy.next_turn());
            let lot = Lot { seed, turn: first.wrapping_add(turn.into()) };
            let Some(choice) = self.draw(sifted, lot, &mut sheet) else { break };
            match spread.get_mut(&choice.channel.id) {
                Some(count) => *count += 1,
                None => drop(spread.insert(choice.channel.id.clone(), 1)),
            }
        }
        spread
    }

    /// Each channel of a route, and why it was left out.
    fn removals(
        self,
        route: &Route,
        ask: &Ask<'_>,
        tried: &[ChannelId],
        sheet: &Sheet,
    ) -> impl Iterator<Item = (&'a ChannelEntry, Option<Removal>)> {
        let entries = route.channels.iter().filter_map(|&i| self.catalog.channels().get(i));
        let occasion = Occasion::of(ask);
        entries.enumerate().map(move |(place, entry)| {
            let closed = sheet.is_out_by_state(place).then(|| self.catalog.state(entry));
            (entry, filter::removal(&Terms::of(entry, ask.method), closed, &occasion, tried))
        })
    }

    fn record(
        self,
        choice: Option<&Choice<'a>>,
        ask: &Ask<'_>,
        tried: &[ChannelId],
        seed: u64,
        sheet: &Sheet,
    ) -> Decision {
        let route = choice.map(|choice| choice.route).or_else(|| self.route(ask));
        let mut candidates =
            route.map_or_else(Vec::new, |route| self.candidates(route, ask, tried, sheet).collect());
        candidates.extend(self.outsider(route, ask));
        let strategy = route.and_then(|route| self.strategy_of(route));
        let own = route.and_then(|route| self.catalog.own_strategy(&route.name));
        Decision {
            route: route.map(|route| route.name.clone()),
            strategy: own.map(|own| own.name()).or_else(|| strategy.map(Strategy::word)).map(Cow::Borrowed),
            seed: Seed::new(seed),
            turn: choice.filter(|_| strategy == Some(Strategy::RoundRobin)).map(|choice| choice.turn),
            sticks_to: sheet.tie().map(Tie),
            probe_percent: strategy
                .filter(|strategy| strategy.looks_at_rates())
                .map(|_| self.catalog.health.probe_percent),
            picked: choice.map(|choice| choice.channel.id.clone()),
            candidates,
        }
    }

    /// A route's strategy, unless it is an embedder's own.
    fn strategy_of(self, route: &Route) -> Option<Strategy> {
        self.catalog.own_strategy(&route.name).is_none().then_some(route.strategy)
    }

    fn candidates(
        self,
        route: &Route,
        ask: &Ask<'_>,
        tried: &[ChannelId],
        sheet: &Sheet,
    ) -> impl Iterator<Item = Candidate> {
        let strategy = self.strategy_of(route);
        let looks_at = move |at: fn(Strategy) -> bool| strategy.is_some_and(at);
        self.removals(route, ask, tried, sheet).enumerate().map(move |(place, (entry, removal))| {
            let by_capacity =
                || sheet.is_out_by_capacity(place).then(|| filter::by_capacity(&entry.rules, ask.amount));
            let by_health = || sheet.is_out_by_health(place).then(|| filter::by_health(&self.catalog.health));
            let removed_by = removal.or_else(by_capacity).or_else(by_health);
            let seen = |looks: bool| sheet.seen(place).filter(|_| looks);
            let is_last = || sheet.last_completed() == Some(place);
            Candidate {
                channel: entry.id.clone(),
                eligible: removed_by.is_none(),
                removed_by,
                weight: Some(entry.weight),
                fee_bp: entry.fee_bp,
                collected_today: seen(looks_at(Strategy::looks_at_collected)),
                last_completed: looks_at(Strategy::looks_at_last_completed).then(is_last),
                success_ppm: seen(looks_at(Strategy::looks_at_rates)),
            }
        })
    }

    /// A pin that stands in no channel list of the route is a reason of its own. Of the channel nothing is told: the
    /// app may have no part in it.
    fn outsider(self, route: Option<&Route>, ask: &Ask<'_>) -> Option<Candidate> {
        let pin = ask.pin?;
        let removal = match route {
            None => filter::pin_without_route(),
            Some(route) if self.place_of(route, pin).is_none() => filter::pin_outside(route),
            Some(_) => return None,
        };
        Some(Candidate {
            channel: pin.clone(),
            eligible: false,
            removed_by: Some(removal),
            weight: None,
            fee_bp: None,
            collected_today: None,
            last_completed: None,
            success_ppm: None,
        })
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

    /// Whether any channel of the matching route takes that provider field.
    pub fn takes_extra(&self, ask: &Ask<'_>, name: &str) -> bool {
        let channels = self.route(ask).into_iter().flat_map(|route| &route.channels);
        let mut entries = channels.filter_map(|&place| self.catalog.channels().get(place));
        entries.any(|entry| entry.channel.descriptor().takes_extra(name))
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
