//! What one route's channels look like at this moment, by their places in it: rows of numbers and bits that whoever
//! routes reads without a lock.

use super::super::breaker::Health;
use super::super::{bits, rate};
use super::capacity::Used;
use super::room::Rooms;
use crate::catalog::{ChannelEntry, Strategy};
use crate::money::Currency;
use crate::sync::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, AtomicUsize, Ordering};

/// The figures of one route. Written under the lock of [`Live`](super::Live) alone.
#[derive(Debug)]
pub(in crate::router) struct RouteFigures {
    /// What each has collected today, for each currency that one of them takes; empty where nobody looks at it.
    collected: Box<[(Currency, Box<[AtomicI64]>)]>,
    /// The place of the one that completed the last payment; [`NOBODY`] where none has.
    last_completed: AtomicUsize,
    /// When that was, in milliseconds since 1970.
    last_completed_ms: AtomicI64,
    /// How many there are.
    count: usize,
    /// Whether all of them take new payments.
    all_active: AtomicBool,
    /// Those that take new payments.
    active: Box<[AtomicU64]>,
    /// Whether all of them are well, as mostly.
    all_well: AtomicBool,
    /// Those that are well.
    well: Box<[AtomicU64]>,
    /// Those that are probed.
    probed: Box<[AtomicU64]>,
    /// How often calls of each go well; empty where nobody looks at it.
    rates: Box<[AtomicU32]>,
    /// What their limits leave; `None` where none has a limit.
    rooms: Option<Rooms>,
}

const NOBODY: usize = usize::MAX;

impl RouteFigures {
    /// Nothing collected, nothing completed, all active and well.
    pub(super) fn new(strategy: Strategy, entries: &[&ChannelEntry]) -> Self {
        let mut currencies: Vec<Currency> = Vec::new();
        if strategy.looks_at_collected() {
            currencies.extend(entries.iter().flat_map(|entry| &entry.channel.descriptor().currencies));
            currencies.sort_unstable_by_key(|currency| currency.code());
            currencies.dedup();
        }
        let row = |currency| (currency, entries.iter().map(|_| AtomicI64::new(0)).collect());
        let rated = if strategy.looks_at_rates() { entries.len() } else { 0 };
        Self {
            collected: currencies.into_iter().map(row).collect(),
            last_completed: AtomicUsize::new(NOBODY),
            last_completed_ms: AtomicI64::new(i64::MIN),
            count: entries.len(),
            all_active: AtomicBool::new(true),
            active: bits::full(entries.len()).iter().map(|word| AtomicU64::new(*word)).collect(),
            all_well: AtomicBool::new(true),
            well: bits::full(entries.len()).iter().map(|word| AtomicU64::new(*word)).collect(),
            probed: (0..bits::words(entries.len())).map(|_| AtomicU64::new(0)).collect(),
            rates: (0..rated).map(|_| AtomicU32::new(rate::BEST_PPM)).collect(),
            rooms: Rooms::new(entries),
        }
    }

    /// A place has collected so much; `sum` tells it for a currency.
    pub(super) fn collects(&self, place: usize, sum: impl Fn(Currency) -> i64) {
        for (currency, row) in &self.collected {
            row[place].store(sum(*currency), Ordering::Relaxed);
        }
    }

    /// A place completed a payment, which is the last one where `is_later` says so of it and the last one so far.
    pub(super) fn completes(&self, place: usize, at: i64, is_later: fn(&i64, &i64) -> bool) {
        if is_later(&at, &self.last_completed_ms.load(Ordering::Relaxed)) {
            self.last_completed_ms.store(at, Ordering::Relaxed);
            self.last_completed.store(place, Ordering::Relaxed);
        }
    }

    /// A place takes new payments from now on, or no longer.
    pub(super) fn opens(&self, place: usize, is_active: bool) {
        set(&self.active, place, is_active);
        self.all_active.store(self.are_all(&self.active), Ordering::Relaxed);
    }

    /// A place's health is that now.
    pub(super) fn feels(&self, place: usize, health: Health) {
        set(&self.well, place, health == Health::Well);
        set(&self.probed, place, health == Health::Probed);
        self.all_well.store(self.are_all(&self.well), Ordering::Relaxed);
    }

    /// Whether every place is in that row.
    fn are_all(&self, row: &[AtomicU64]) -> bool {
        let places: u32 = row.iter().map(|word| word.load(Ordering::Relaxed).count_ones()).sum();
        places as usize == self.count
    }

    /// A place's calls go well so often now.
    pub(super) fn fares(&self, place: usize, rate: u32) {
        if let Some(cell) = self.rates.get(place) {
            cell.store(rate, Ordering::Relaxed);
        }
    }

    /// So much of a place's limits is used now.
    pub(super) fn uses(&self, place: usize, used: &Used) {
        if let Some(rooms) = &self.rooms {
            rooms.uses(place, used);
        }
    }

    /// Keeps in `set` those where a payment of that many minor units fits.
    pub(in crate::router) fn keep_room(&self, set: &mut [u64], minor: i64) {
        if let Some(rooms) = &self.rooms {
            rooms.keep(set, minor);
        }
    }

    /// The place of the channel that completed the last payment.
    pub(in crate::router) fn last_completed(&self) -> Option<usize> {
        Some(self.last_completed.load(Ordering::Relaxed)).filter(|place| *place != NOBODY)
    }

    /// What each place has collected today in that currency; nothing where nobody looks at that.
    pub(in crate::router) fn collected(&self, currency: Currency) -> impl Iterator<Item = i64> + '_ {
        let row = self.collected.iter().find(|(known, _)| *known == currency);
        row.into_iter().flat_map(|(_, row)| row).map(|sum| sum.load(Ordering::Relaxed))
    }

    /// How often the calls of each place go well; nothing where nobody looks at that.
    pub(in crate::router) fn rates(&self) -> impl Iterator<Item = i64> + '_ {
        self.rates.iter().map(|rate| i64::from(rate.load(Ordering::Relaxed)))
    }

    /// Keeps in `set` those that take new payments.
    pub(in crate::router) fn keep_active(&self, set: &mut [u64]) {
        if self.all_active.load(Ordering::Relaxed) {
            return;
        }
        for (word, active) in set.iter_mut().zip(&self.active) {
            *word &= active.load(Ordering::Relaxed);
        }
    }

    /// Keeps in `set` those that are well, and those that are probed where this payment `probes`.
    pub(in crate::router) fn keep_healthy(&self, set: &mut [u64], probes: bool) {
        if self.all_well.load(Ordering::Relaxed) {
            return;
        }
        for (word, (well, probed)) in set.iter_mut().zip(self.well.iter().zip(&self.probed)) {
            let probed = if probes { probed.load(Ordering::Relaxed) } else { 0 };
            *word &= well.load(Ordering::Relaxed) | probed;
        }
    }
}

pub(super) fn set(row: &[AtomicU64], place: usize, is_in: bool) {
    let (word, bit) = (&row[place / bits::WORD], 1 << (place % bits::WORD));
    if is_in {
        word.fetch_or(bit, Ordering::Relaxed);
    } else {
        word.fetch_and(!bit, Ordering::Relaxed);
    }
}
