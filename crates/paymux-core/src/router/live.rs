//! What changes while payments are routed: where each channel stands in its life, what it has collected today, which
//! completed the last payment, and which do not work. One for a process, whatever becomes of its catalog.
//!
//! Who writes holds a lock and carries each figure to the routes that look at it. Who routes reads numbers there,
//! and takes no lock.

mod capacity;
mod room;
mod route;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, Weak};

use self::capacity::Used;
use super::breaker::{Breaker, Health, HealthRules, Pulse};
use super::rate;
use crate::catalog::{ChannelEntry, Lifecycle, Strategy};
use crate::clock::{Mono, Timestamp};
use crate::day::Day;
use crate::ids::ChannelId;
use crate::money::Currency;
use crate::store::{CapacityFigure, CapacityMove, CapacitySpan, ChannelRecord, DayFigure, Income};
use crate::sync::{AtomicI64, AtomicU64, Mutex, MutexGuard, Ordering};

pub(super) use self::route::RouteFigures;

/// The figures of all channels.
#[derive(Debug)]
pub struct Live {
    figures: Mutex<Figures>,
    /// When time alone next changes one, in milliseconds on the monotonic clock; [`NEVER`] where it does not.
    turns_at_ms: AtomicU64,
    /// The number of the day that the figures are of; [`NO_DAY`] at first.
    day: AtomicI64,
}

const NO_DAY: i64 = i64::MIN;
const NEVER: u64 = u64::MAX;

impl Default for Live {
    fn default() -> Self {
        Self { figures: Mutex::default(), turns_at_ms: AtomicU64::new(NEVER), day: AtomicI64::new(NO_DAY) }
    }
}

#[derive(Debug, Default)]
struct Figures {
    /// The day that what was collected is of.
    day: Option<Day>,
    channels: BTreeMap<ChannelId, ChannelFigures>,
    /// Whether the ledger has said since the day began when channels last completed a payment.
    knows_last_completed: bool,
}

#[derive(Debug)]
struct ChannelFigures {
    /// What the ledger says of its state, and by which version of it.
    state: Option<(i64, Lifecycle)>,
    /// By the currency's code, in its minor units.
    collected: BTreeMap<&'static str, i64>,
    last_completed: Option<Timestamp>,
    used: Used,
    breaker: Breaker,
    /// How often its calls go well, in parts of a million.
    rate: u32,
    /// The routes that look at it, and its place in each.
    followers: Vec<(Weak<RouteFigures>, usize)>,
}

impl Default for ChannelFigures {
    fn default() -> Self {
        Self {
            state: None,
            collected: BTreeMap::new(),
            last_completed: None,
            used: Used::default(),
            breaker: Breaker::default(),
            rate: rate::BEST_PPM,
            followers: Vec::new(),
        }
    }
}

impl Live {
    /// What a change of this process brought in is known at once.
    pub fn book(&self, incomes: &[Income]) {
        if incomes.is_empty() {
            return;
        }
        let mut figures = self.lock();
        for income in incomes {
            let is_today = self.turns_to(&mut figures, income.day);
            let channel = figures.channel(&income.channel);
            if is_today {
                let collected = channel.collected.entry(income.money.currency().code()).or_default();
                *collected = collected.saturating_add(income.money.minor());
            }
            channel.carry();
            // Of two in the same millisecond the later told is the last one.
            if let Some(at) = income.completed_at {
                channel.completes(at, i64::ge);
            }
        }
    }

    /// What the ledger says of that day. What this process has booked meanwhile is not forgotten: a day's figures
    /// only grow.
    pub fn read_day(&self, day: Day, rows: &[DayFigure]) {
        let mut figures = self.lock();
        if !self.turns_to(&mut figures, day) {
            return;
        }
        for row in rows {
            let channel = figures.channel(&row.channel);
            let collected = channel.collected.entry(row.currency.code()).or_default();
            if *collected < row.received {
                *collected = row.received;
                channel.carry();
            }
            if let Some(at) = row.last_completed_at {
                channel.completes(at, i64::gt);
            }
        }
    }

    /// It is that day now. Cheap where it was before.
    pub fn begins(&self, day: Day) {
        if self.day.load(Ordering::Relaxed) < i64::from(day.number()) {
            self.turns_to(&mut self.lock(), day);
        }
    }

    /// What a change of this process takes and gives back of limits is known at once.
    pub fn take(&self, moves: &[CapacityMove]) {
        if moves.is_empty() {
            return;
        }
        let mut figures = self.lock();
        for CapacityMove { channel, span, by, .. } in moves {
            let counts = match span {
                CapacitySpan::Day(day, _) => self.turns_to(&mut figures, *day),
                CapacitySpan::Flight => true,
            };
            if counts {
                let channel = figures.channel(channel);
                channel.used.add(*span, *by);
                channel.carry_room();
            }
        }
    }

    /// What the ledger says is used on that day and under way. It takes the place of what was known: what changes
    /// meanwhile is known again with the next reading, and the ledger itself lets nothing above a limit.
    pub fn read_capacity(&self, day: Day, rows: &[CapacityFigure]) {
        let mut figures = self.lock();
        if !self.turns_to(&mut figures, day) {
            return;
        }
        figures.channels.values_mut().for_each(|channel| channel.used = Used::default());
        for row in rows {
            figures.channel(&row.channel).used.add(row.span, row.used);
        }
        figures.channels.values().for_each(ChannelFigures::carry_room);
    }

    /// When channels last completed a payment, on whichever day.
    pub fn read_last_completed(&self, rows: &[(ChannelId, Timestamp)]) {
        let mut figures = self.lock();
        figures.knows_last_completed = true;
        for (id, at) in rows {
            figures.channel(id).completes(*at, i64::gt);
        }
    }

    /// Whether [`Self::read_last_completed`] was called since the day began.
    pub fn knows_last_completed(&self) -> bool {
        self.lock().knows_last_completed
    }

    /// What a channel has collected today in that currency, in its minor units.
    pub fn collected(&self, id: &ChannelId, currency: Currency) -> i64 {
        let figures = self.lock();
        let channel = figures.channels.get(id);
        channel.and_then(|channel| channel.collected.get(currency.code())).copied().unwrap_or(0)
    }

    /// The figures that a route's strategy looks at, kept up to date from now on.
    pub(super) fn follow(&self, strategy: Strategy, entries: &[&ChannelEntry]) -> Arc<RouteFigures> {
        let route = Arc::new(RouteFigures::new(strategy, entries));
        let mut figures = self.lock();
        for (place, entry) in entries.iter().enumerate() {
            let channel = figures.channel(&entry.id);
            channel.followers.retain(|(route, _)| route.strong_count() > 0);
            channel.followers.push((Arc::downgrade(&route), place));
            channel.carry_to(&route, place);
            route.uses(place, &channel.used);
            let state = channel.state.map_or(entry.state, |(_, state)| state);
            route.opens(place, state == Lifecycle::Active);
            route.feels(place, channel.breaker.health());
            route.fares(place, channel.rate);
            if let Some(at) = channel.last_completed {
                route.completes(place, at.ms(), i64::gt);
            }
        }
        route
    }

    /// What the ledger says of channels. What was read before and comes later changes nothing.
    pub fn read_channels(&self, records: &[ChannelRecord]) {
        let mut figures = self.lock();
        for record in records {
            figures.channel(&record.id).turns(record);
        }
    }

    /// Where a channel stands in its life, as far as the ledger has said.
    pub fn state(&self, id: &ChannelId) -> Option<Lifecycle> {
        self.lock().channels.get(id).and_then(|channel| channel.state).map(|(_, state)| state)
    }

    /// A call to a channel has ended.
    pub fn hear(&self, id: &ChannelId, pulse: Pulse, now: Mono, rules: &HealthRules) {
        let mut figures = self.lock();
        let channel = figures.channel(id);
        let was = channel.breaker.health();
        channel.breaker.hear(pulse, now, rules);
        let is = channel.breaker.health();
        let rate = rate::after(channel.rate, pulse);
        if rate != channel.rate {
            channel.rate = rate;
            channel.routes().for_each(|(route, place)| route.fares(place, rate));
        }
        if is != was {
            channel.feels(id, is);
            self.note_next_turn(&figures);
        }
    }

    /// It is that late now: who has been out for long enough is probed. Cheap where nothing changes.
    pub fn turn(&self, now: Mono) {
        if now.0.as_millis() < u128::from(self.turns_at_ms.load(Ordering::Relaxed)) {
            return;
        }
        let mut figures = self.lock();
        for (id, channel) in &mut figures.channels {
            let was = channel.breaker.health();
            channel.breaker.turn(now);
            if channel.breaker.health() != was {
                channel.feels(id, channel.breaker.health());
            }
        }
        self.note_next_turn(&figures);
    }

    /// Whether new payments go to a channel.
    pub fn health(&self, id: &ChannelId) -> Health {
        self.lock().channels.get(id).map_or(Health::Well, |channel| channel.breaker.health())
    }

    fn note_next_turn(&self, figures: &Figures) {
        let next = figures.channels.values().filter_map(|channel| channel.breaker.turns_at()).min();
        // Rounded up: who looks at that millisecond finds it turned.
        let ms = next.map(|at| u64::try_from(at.0.as_micros().div_ceil(1000)).unwrap_or(NEVER));
        self.turns_at_ms.store(ms.unwrap_or(NEVER), Ordering::Relaxed);
    }

    /// Begins that day, if it is later than the one before. Whether it is the day now.
    fn turns_to(&self, figures: &mut Figures, day: Day) -> bool {
        if figures.day < Some(day) {
            figures.day = Some(day);
            // Another node may have completed one after this one last looked at the day that is over.
            figures.knows_last_completed = false;
            self.day.store(day.number().into(), Ordering::Relaxed);
            for channel in figures.channels.values_mut() {
                channel.collected.clear();
                channel.used.clear_day();
                channel.carry();
                channel.carry_room();
            }
        }
        figures.day == Some(day)
    }

    fn lock(&self) -> MutexGuard<'_, Figures> {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Figures {
    fn channel(&mut self, id: &ChannelId) -> &mut ChannelFigures {
        self.channels.entry(id.clone()).or_default()
    }
}

impl ChannelFigures {
    /// Tells every route what was collected.
    fn carry(&self) {
        for (route, place) in self.routes() {
            self.carry_to(&route, place);
        }
    }

    fn carry_to(&self, route: &RouteFigures, place: usize) {
        route.collects(place, |currency| self.collected.get(currency.code()).copied().unwrap_or(0));
    }

    /// Tells every route what its limits leave.
    fn carry_room(&self) {
        self.routes().for_each(|(route, place)| route.uses(place, &self.used));
    }

    /// Tells every route and the log where it stands in its life, where that is news.
    fn turns(&mut self, record: &ChannelRecord) {
        let ChannelRecord { id, state, since, version, .. } = record;
        if self.state.is_some_and(|(known, _)| known >= *version) {
            return;
        }
        if self.state.is_some() {
            tracing::warn!(channel = %id, %state, %since, "the state of a channel has changed");
        }
        self.state = Some((*version, *state));
        self.routes().for_each(|(route, place)| route.opens(place, *state == Lifecycle::Active));
    }

    /// Tells every route, the metrics and the log how it does.
    fn feels(&self, id: &ChannelId, health: Health) {
        metrics::gauge!("paymux_channel_healthy", "channel" => id.to_string())
            .set(u8::from(health == Health::Well));
        self.routes().for_each(|(route, place)| route.feels(place, health));
        tracing::warn!(channel = %id, ?health, "the health of a channel has changed");
    }

    /// It completed a payment at that moment, which is the last one where `is_later` says so of it and the last
    /// one so far.
    fn completes(&mut self, at: Timestamp, is_later: fn(&i64, &i64) -> bool) {
        self.last_completed = self.last_completed.max(Some(at));
        for (route, place) in self.routes() {
            route.completes(place, at.ms(), is_later);
        }
    }

    fn routes(&self) -> impl Iterator<Item = (Arc<RouteFigures>, usize)> + '_ {
        self.followers.iter().filter_map(|(route, place)| Some((route.upgrade()?, *place)))
    }
}
