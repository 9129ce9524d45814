//! How a route picks among the channels that are left. Each strategy is a pure function of them, of what was
//! prepared of the route, and of the seed; taking turns also of how often turns were taken before.

use std::sync::Arc;

use super::draw::{Draw, mixed};
use super::live::RouteFigures;
use super::own::{Own, OwnStrategy};
use super::table::Sheet;
use super::weights::{Cycle, Weights};
use super::{Ask, bits, rate};
use crate::catalog::{ChannelEntry, Strategy};
use crate::ids::ChannelId;
use crate::sync::{AtomicU64, Ordering};

/// A strategy with what it needs to know of its route's channels.
#[derive(Debug)]
pub(super) enum Prepared {
    Random,
    SmartRandom,
    Even,
    LeastCollected,
    /// Which percentage of payments goes anywhere.
    Adaptive(u8),
    Priority,
    Weighted(Weights),
    /// The turns, and how many were taken. On this node alone: nodes take turns beside each other.
    RoundRobin(Cycle, AtomicU64),
    /// All places, the cheapest first.
    Cheapest(Box<[usize]>),
    /// A number for each channel that its id alone decides.
    Sticky(Box<[u64]>),
    /// An embedder's.
    Own(Own),
}

/// What never changes of a channel, as far as a strategy looks at it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Member<'a> {
    pub(super) id: &'a ChannelId,
    pub(super) weight: u32,
    pub(super) fee_bp: Option<u32>,
}

impl<'a> Member<'a> {
    fn of(entry: &'a ChannelEntry) -> Self {
        Self { id: &entry.id, weight: entry.weight, fee_bp: entry.fee_bp }
    }
}

/// What decides where chance or a turn does.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lot {
    pub(super) seed: u64,
    pub(super) turn: u64,
}

impl Prepared {
    /// `probe_percent` is what `adaptive` tries out.
    pub(super) fn new(strategy: Strategy, entries: &[&ChannelEntry], probe_percent: u8) -> Self {
        let members: Vec<Member<'_>> = entries.iter().map(|entry| Member::of(entry)).collect();
        Self::over(strategy, &members, probe_percent)
    }

    /// An embedder's strategy.
    pub(super) fn own(strategy: Arc<dyn OwnStrategy>, entries: &[&ChannelEntry]) -> Self {
        let members: Vec<Member<'_>> = entries.iter().map(|entry| Member::of(entry)).collect();
        Self::Own(Own::new(strategy, &members))
    }

    /// As [`Self::new`], over what a record or a route tells of the channels.
    pub(super) fn over(strategy: Strategy, members: &[Member<'_>], probe_percent: u8) -> Self {
        let weights = || members.iter().map(|member| member.weight).collect::<Vec<u32>>();
        match strategy {
            Strategy::Random => Self::Random,
            Strategy::SmartRandom => Self::SmartRandom,
            Strategy::Even => Self::Even,
            Strategy::LeastCollected => Self::LeastCollected,
            Strategy::Adaptive => Self::Adaptive(probe_percent),
            Strategy::Priority => Self::Priority,
            Strategy::Weighted => Self::Weighted(Weights::new(&weights())),
            Strategy::RoundRobin => match Cycle::new(&weights()) {
                Some(cycle) => Self::RoundRobin(cycle, AtomicU64::new(0)),
                // The configuration refuses such weights; for an embedder they keep their proportions.
                None => Self::Weighted(Weights::new(&weights())),
            },
            Strategy::Cheapest => Self::Cheapest(by_fee(members)),
            Strategy::Sticky => Self::Sticky(members.iter().map(|member| hash(member.id.as_str())).collect()),
        }
    }

    /// Takes a turn, where turns are taken: its number.
    pub(super) fn take_turn(&self) -> u64 {
        match self {
            Self::RoundRobin(_, taken) => taken.fetch_add(1, Ordering::Relaxed),
            _ => 0,
        }
    }

    /// The number of the turn that would be taken next. It is left to whoever takes it.
    pub(super) fn next_turn(&self) -> u64 {
        match self {
            Self::RoundRobin(_, taken) => taken.load(Ordering::Relaxed),
            _ => 0,
        }
    }

    /// Notes on the sheet what it picks by beside its channels: what is noted there decides.
    pub(super) fn look(&self, figures: &RouteFigures, ask: &Ask<'_>, sheet: &mut Sheet) {
        match self {
            Self::SmartRandom => sheet.look_at_last_completed(figures.last_completed()),
            Self::Even | Self::LeastCollected => sheet.look_at(figures.collected(ask.amount.currency())),
            Self::Adaptive(_) => sheet.look_at(figures.rates()),
            Self::Sticky(_) => sheet.look_at_tie(hash(ask.sticks_to())),
            _ => {}
        }
    }

    /// One of those that are left, or none when nothing is left.
    pub(super) fn pick(&self, sheet: &mut Sheet, lot: Lot) -> Option<usize> {
        let mut draw = Draw::new(lot.seed);
        let left = sheet.left();
        match self {
            Self::Random => uniform(left, &mut draw),
            Self::SmartRandom => {
                let last = sheet.last_completed();
                let (pool, _) = sheet.pool();
                leave_out(pool, last);
                uniform(pool, &mut draw)
            }
            Self::Even => {
                let (pool, collected) = sheet.pool();
                let richest = most(pool, |place| seen(collected, place), &mut draw);
                leave_out(pool, richest);
                uniform(pool, &mut draw)
            }
            Self::LeastCollected => {
                let (pool, collected) = sheet.pool();
                most(pool, |place| seen(collected, place).saturating_neg(), &mut draw)
            }
            Self::Adaptive(probe_percent) => {
                if draw.below(100) < u64::from(*probe_percent) {
                    return uniform(left, &mut draw);
                }
                let (pool, rates) = sheet.pool();
                most(pool, |place| rate::rank(seen(rates, place)), &mut draw)
            }
            Self::Priority => bits::first(left),
            Self::Weighted(weights) => weights.draw(left, &mut draw),
            Self::RoundRobin(cycle, _) => cycle.turn(left, lot.turn),
            Self::Cheapest(order) => order.iter().copied().find(|place| bits::has(left, *place)),
            Self::Own(own) => own.pick(left, lot.seed),
            Self::Sticky(channels) => {
                let tie = sheet.tie()?;
                bits::all(left).max_by_key(|place| channels.get(*place).map(|channel| mixed(channel ^ tie)))
            }
        }
    }
}

/// One of the set, each as likely as the other.
fn uniform(set: &[u64], draw: &mut Draw) -> Option<usize> {
    bits::nth(set, draw.place(bits::count(set)))
}

/// Takes a place out of the set, unless nothing would be left.
fn leave_out(set: &mut [u64], place: Option<usize>) {
    if let Some(place) = place
        && bits::count(set) > 1
    {
        bits::remove(set, place);
    }
}

/// One of the set that have most of `key`, each of those as likely as the other.
fn most(set: &[u64], key: impl Fn(usize) -> i64, draw: &mut Draw) -> Option<usize> {
    let top = bits::all(set).map(&key).max()?;
    let is_top = |place: &usize| key(*place) == top;
    let rank = draw.place(bits::all(set).filter(is_top).count());
    bits::all(set).filter(is_top).nth(rank)
}

fn seen(figures: &[i64], place: usize) -> i64 {
    figures.get(place).copied().unwrap_or(0)
}

/// The cheapest first; of equals the one that the route lists first. What a channel costs nobody knows comes last.
fn by_fee(members: &[Member<'_>]) -> Box<[usize]> {
    let mut order: Vec<usize> = (0..members.len()).collect();
    order.sort_by_key(|place| (members[*place].fee_bp.is_none(), members[*place].fee_bp));
    order.into()
}

/// A number of a text that never changes: which channel a payer sticks to must not depend on the process or the
/// version (FNV-1a, then mixed).
fn hash(text: &str) -> u64 {
    let byte = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
    mixed(text.bytes().fold(0xCBF2_9CE4_8422_2325, byte))
}
