//! The channels of one route as rows of bits, one for each condition, so that a choice is a handful of ANDs.
//!
//! What a row says is said once more, in words, in [`super::filter`]: the two are held together by a test over
//! drawn catalogs.

use super::finder::holds_any;
use super::intervals::{Intervals, Span};
use super::live::RouteFigures;
use super::regions::Regions;
use super::{Ask, bits};
use crate::catalog::{ChannelEntry, Route};
use crate::channel::{MethodSpec, Needs, OrderEnd};
use crate::hours::Hours;
use crate::method::Method;
use crate::money::Currency;

/// What removes channels, in the order in which it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Pin,
    Tried,
    State,
    Method,
    Currency,
    Amount,
    Expiry,
    Needs,
    Hours,
    Region,
    Capacity,
    Health,
}

impl Stage {
    /// How many there are.
    const COUNT: usize = Self::ALL.len();

    /// All of them, in that order.
    pub(super) const ALL: [Self; 12] = [
        Self::Pin,
        Self::Tried,
        Self::State,
        Self::Method,
        Self::Currency,
        Self::Amount,
        Self::Expiry,
        Self::Needs,
        Self::Hours,
        Self::Region,
        Self::Capacity,
        Self::Health,
    ];

    /// The rule by which it is told.
    pub(super) const fn rule(self) -> &'static str {
        match self {
            Self::Pin => "pin",
            Self::Tried => "tried",
            Self::State => "state",
            Self::Method => "method",
            Self::Currency => "currency",
            Self::Amount => "amount",
            Self::Expiry => "expiry",
            Self::Needs => "needs",
            Self::Hours => "hours",
            Self::Region => "region",
            Self::Capacity => "cap",
            Self::Health => "health",
        }
    }
}

/// Who is left after each stage: where a decision is worked out. May be used again and again, and grows to
/// the largest route.
#[derive(Debug, Default)]
pub struct Sheet {
    words: usize,
    /// A set of all channels, then one a stage, then one to pick from.
    sets: Vec<u64>,
    /// What the strategy saw of each channel; empty where it looks at nothing that changes.
    seen: Vec<i64>,
    /// Which channel had completed the last payment when the strategy looked at that.
    last_completed: Option<usize>,
    /// The number of what the payment sticks to, where the strategy looks at that.
    tie: Option<u64>,
}

impl Sheet {
    /// A sheet of `count` channels on which those are left that a record says were.
    pub(super) fn of_record(count: usize, left: impl Iterator<Item = usize>) -> Self {
        let mut sheet = Self::default();
        sheet.begin(&bits::full(count));
        let from = Stage::COUNT * sheet.words;
        left.for_each(|place| bits::insert(&mut sheet.sets[from..from + sheet.words], place));
        sheet
    }

    fn begin(&mut self, all: &[u64]) {
        self.words = all.len();
        self.sets.resize(all.len() * (Stage::COUNT + 2), 0);
        self.sets[..all.len()].copy_from_slice(all);
        self.seen.clear();
        self.last_completed = None;
        self.tie = None;
    }

    /// What was left before a stage, copied for it to take away from.
    fn stage(&mut self, stage: Stage) -> &mut [u64] {
        let from = stage as usize * self.words;
        self.sets.copy_within(from..from + self.words, from + self.words);
        &mut self.sets[from + self.words..][..self.words]
    }

    /// Nobody is left after the first of these stages.
    fn nobody(&mut self, stages: &[Stage]) {
        for stage in stages {
            self.stage(*stage).fill(0);
        }
    }

    /// The places in the route that were left after the last decision.
    pub fn places(&self) -> impl Iterator<Item = usize> + '_ {
        bits::all(self.left())
    }

    /// What is left after all stages.
    pub(super) fn left(&self) -> &[u64] {
        &self.sets[Stage::COUNT * self.words..][..self.words]
    }

    /// The set to pick from, as what is left, and what the strategy saw of each place.
    pub(super) fn pool(&mut self) -> (&mut [u64], &[i64]) {
        let from = Stage::COUNT * self.words;
        self.sets.copy_within(from..from + self.words, from + self.words);
        (&mut self.sets[from + self.words..][..self.words], &self.seen)
    }

    /// Takes out who is not well, but never the last one.
    pub(super) fn keep_healthy(&mut self, keep: impl FnOnce(&mut [u64])) {
        let set = self.stage(Stage::Health);
        keep(set);
        if bits::first(set).is_none() {
            self.stage(Stage::Health);
        }
    }

    /// Takes out who has no room left.
    pub(super) fn keep_room(&mut self, keep: impl FnOnce(&mut [u64])) {
        keep(self.stage(Stage::Capacity));
    }

    /// Whether a place was left until that stage, and no longer.
    fn is_out_by(&self, stage: Stage, place: usize) -> bool {
        let from = stage as usize * self.words;
        let (before, after) = self.sets[from..from + 2 * self.words].split_at(self.words);
        bits::has(before, place) && !bits::has(after, place)
    }

    /// The places that were left until that stage, and no longer.
    pub(super) fn out_by(&self, stage: Stage) -> impl Iterator<Item = usize> + '_ {
        let from = stage as usize * self.words;
        let (before, after) = self.sets[from..from + 2 * self.words].split_at(self.words);
        bits::without(before, after)
    }

    /// Whether a place was left until its state was looked at, and no longer.
    pub(super) fn is_out_by_state(&self, place: usize) -> bool {
        self.is_out_by(Stage::State, place)
    }

    /// Whether a place was left until its health was looked at, and no longer.
    pub(super) fn is_out_by_health(&self, place: usize) -> bool {
        self.is_out_by(Stage::Health, place)
    }

    /// Whether a place was left until its room was looked at, and no longer.
    pub(super) fn is_out_by_capacity(&self, place: usize) -> bool {
        self.is_out_by(Stage::Capacity, place)
    }

    /// Notes what the strategy sees of each place.
    pub(super) fn look_at(&mut self, figures: impl Iterator<Item = i64>) {
        self.seen.extend(figures);
    }

    /// Notes which place completed the last payment.
    pub(super) fn look_at_last_completed(&mut self, place: Option<usize>) {
        self.last_completed = place;
    }

    /// Notes the number of what the payment sticks to.
    pub(super) fn look_at_tie(&mut self, number: u64) {
        self.tie = Some(number);
    }

    /// What the strategy saw of each place; nothing where it looks at nothing that changes.
    pub(super) fn all_seen(&self) -> &[i64] {
        &self.seen
    }

    /// What the strategy saw of a place.
    pub(super) fn seen(&self, place: usize) -> Option<i64> {
        self.seen.get(place).copied()
    }

    /// Which place had completed the last payment when the strategy looked at that.
    pub(super) fn last_completed(&self) -> Option<usize> {
        self.last_completed
    }

    /// The number of what the payment sticks to, where the strategy looks at that.
    pub(super) fn tie(&self) -> Option<u64> {
        self.tie
    }
}

/// The table of one route.
#[derive(Debug)]
pub(super) struct RouteTable {
    all: Box<[u64]>,
    /// Which of `methods` a method has, by its index.
    method_of: Box<[Option<u8>]>,
    methods: Box<[MethodTable]>,
    hours: Option<Intervals>,
    regions: Option<Regions>,
}

/// What holds for one method.
#[derive(Debug)]
struct MethodTable {
    takes: Box<[u64]>,
    currencies: Box<[(Currency, CurrencyTable)]>,
    /// How long an order may live, in milliseconds; `None` where any life will do.
    lives: Option<Intervals>,
    /// A row for each set of fields that a payment can carry.
    needs: Box<[u64]>,
}

#[derive(Debug)]
struct CurrencyTable {
    takes: Box<[u64]>,
    amounts: Intervals,
}

impl RouteTable {
    pub(super) fn new(route: &Route, channels: &[ChannelEntry]) -> Self {
        let entries: Vec<&ChannelEntry> = route.channels.iter().filter_map(|&i| channels.get(i)).collect();
        let mut method_of = vec![None; Method::COUNT];
        let mut methods = Vec::new();
        for method in Method::all().filter(|method| holds_any(route.when.methods.as_deref(), *method)) {
            if let Some(table) = MethodTable::new(&entries, method) {
                method_of[method.index()] = u8::try_from(methods.len()).ok();
                methods.push(table);
            }
        }
        let regions: Vec<_> = entries.iter().map(|entry| entry.rules.regions.as_deref()).collect();
        Self {
            all: bits::full(entries.len()),
            method_of: method_of.into(),
            methods: methods.into(),
            hours: hours(&entries),
            regions: Regions::new(&regions),
        }
    }

    /// Works out who of the route's channels may take it. `tried` and `pin` are places in the route.
    pub(super) fn sift(
        &self,
        ask: &Ask<'_>,
        pin: Option<usize>,
        tried: impl Iterator<Item = usize>,
        figures: &RouteFigures,
        sheet: &mut Sheet,
    ) {
        sheet.begin(&self.all);
        let set = sheet.stage(Stage::Pin);
        if ask.pin.is_some() {
            set.fill(0);
            if let Some(place) = pin {
                bits::insert(set, place);
            }
        }
        let set = sheet.stage(Stage::Tried);
        for place in tried {
            bits::remove(set, place);
        }
        figures.keep_active(sheet.stage(Stage::State));
        match self.method_of[ask.method.index()].and_then(|at| self.methods.get(usize::from(at))) {
            Some(table) => table.sift(ask, sheet),
            None => {
                sheet.nobody(&[Stage::Method, Stage::Currency, Stage::Amount, Stage::Expiry, Stage::Needs]);
            }
        }
        let set = sheet.stage(Stage::Hours);
        if let Some(hours) = &self.hours {
            hours.retain(set, i64::from(ask.minute));
        }
        let set = sheet.stage(Stage::Region);
        if let Some(regions) = &self.regions {
            regions.retain(set, ask.payer.region);
        }
    }
}

impl MethodTable {
    /// `None` where no channel takes the method.
    fn new(entries: &[&ChannelEntry], method: Method) -> Option<Self> {
        let specs: Vec<Option<&MethodSpec>> = entries.iter().map(|entry| spec(entry, method)).collect();
        if specs.iter().all(Option::is_none) {
            return None;
        }
        let mut currencies: Vec<Currency> =
            entries.iter().flat_map(|entry| entry.channel.descriptor().currencies.iter().copied()).collect();
        currencies.sort_unstable_by_key(|currency| currency.code());
        currencies.dedup();
        let currencies =
            currencies.into_iter().map(|currency| (currency, CurrencyTable::new(entries, &specs, currency)));
        let needs = (0..1 << Needs::FIELDS.len()).flat_map(|given| {
            set_of(&specs, |spec| spec.is_some_and(|spec| Needs::from_bits(given).has(spec.needs)))
        });
        Some(Self {
            takes: set_of(&specs, Option::is_some),
            currencies: currencies.collect(),
            lives: lives(&specs),
            needs: needs.collect(),
        })
    }

    fn sift(&self, ask: &Ask<'_>, sheet: &mut Sheet) {
        bits::retain(sheet.stage(Stage::Method), &self.takes);
        let currency = ask.amount.currency();
        match self.currencies.iter().find(|(known, _)| *known == currency) {
            Some((_, table)) => {
                bits::retain(sheet.stage(Stage::Currency), &table.takes);
                table.amounts.retain(sheet.stage(Stage::Amount), ask.amount.minor());
            }
            None => sheet.nobody(&[Stage::Currency, Stage::Amount]),
        }
        let set = sheet.stage(Stage::Expiry);
        if let Some(lives) = &self.lives {
            lives.retain(set, i64::try_from(ask.expires_in.as_millis()).unwrap_or(i64::MAX - 1));
        }
        let set = sheet.stage(Stage::Needs);
        bits::retain(set, &self.needs[ask.payer.carries().to_bits() * set.len()..][..set.len()]);
    }
}

impl CurrencyTable {
    fn new(entries: &[&ChannelEntry], specs: &[Option<&MethodSpec>], currency: Currency) -> Self {
        let takes = set_of(entries, |entry| {
            entry.channel.descriptor().currencies.contains(&currency)
                && (!entry.rules.are_of_one_currency() || entry.rules.currency == currency)
        });
        let span = |(place, (entry, spec)): (usize, (&&ChannelEntry, Option<&MethodSpec>))| {
            let amounts = &spec?.amounts;
            let least = entry.rules.amount_min.unwrap_or(i64::MIN).max(*amounts.start());
            let most = entry.rules.amount_max.unwrap_or(i64::MAX).min(*amounts.end());
            Some(Span { place, values: least..most.saturating_add(1) })
        };
        let spans: Vec<Span> =
            entries.iter().zip(specs.iter().copied()).enumerate().filter_map(span).collect();
        Self { takes, amounts: Intervals::new(entries.len(), &spans) }
    }
}

/// The channel's method, if the channel is configured for it and its provider offers it.
pub(super) fn spec(entry: &ChannelEntry, method: Method) -> Option<&MethodSpec> {
    let spec = entry.channel.descriptor().method(method)?;
    holds_any(entry.methods.as_deref(), method).then_some(spec)
}

/// The lives that an order can have; `None` where all channels take any.
fn lives(specs: &[Option<&MethodSpec>]) -> Option<Intervals> {
    let least = |spec: &MethodSpec| match spec.end {
        OrderEnd::ProviderTimer { min, max, step, .. } => {
            // A life is rounded down to whole steps, and shortened to the longest.
            let step = step.as_millis().max(1);
            let whole = min.as_millis().div_ceil(step) * step;
            (min <= max).then(|| i64::try_from(whole).unwrap_or(i64::MAX))
        }
        OrderEnd::Call { .. } | OrderEnd::None => Some(i64::MIN),
    };
    let span =
        |(place, spec): (usize, Option<&MethodSpec>)| Some(Span { place, values: least(spec?)?..i64::MAX });
    let spans: Vec<Span> = specs.iter().copied().enumerate().filter_map(span).collect();
    let any = spans.iter().filter(|span| span.values.start == i64::MIN).count();
    (any != specs.iter().flatten().count()).then(|| Intervals::new(specs.len(), &spans))
}

/// The minutes of the day; `None` where no channel has a rule.
fn hours(entries: &[&ChannelEntry]) -> Option<Intervals> {
    if entries.iter().all(|entry| entry.rules.hours.is_none()) {
        return None;
    }
    let any = || "00:00-24:00".parse::<Hours>().into_iter().collect();
    let spans = entries.iter().enumerate().flat_map(|(place, entry)| {
        let hours: Vec<Hours> = entry.rules.hours.clone().unwrap_or_else(any);
        hours.into_iter().flat_map(Hours::spans).map(move |values| Span { place, values })
    });
    Some(Intervals::new(entries.len(), &spans.collect::<Vec<_>>()))
}

fn set_of<T>(places: &[T], holds: impl Fn(&T) -> bool) -> Box<[u64]> {
    let mut set = vec![0; bits::words(places.len())];
    for (place, _) in places.iter().enumerate().filter(|(_, item)| holds(item)) {
        bits::insert(&mut set, place);
    }
    set.into()
}
