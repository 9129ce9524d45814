//! How a route picks among the channels that are left. Each strategy is a pure function of them, of what was
//! prepared of the route, and of the seed; taking turns also of how often turns were taken before.

use std::sync::atomic::{AtomicU64, Ordering};

use super::draw::{Draw, mixed};
use super::weights::{Cycle, Weights};
use super::{Ask, bits};
use crate::catalog::{ChannelEntry, Strategy};

/// A strategy with what it needs to know of its route's channels.
#[derive(Debug)]
pub(super) enum Prepared {
    Random,
    Priority,
    Weighted(Weights),
    /// The turns, and how many were taken. On this node alone: nodes take turns beside each other.
    RoundRobin(Cycle, AtomicU64),
    /// All places, the cheapest first.
    Cheapest(Box<[usize]>),
    /// A number for each channel that its id alone decides.
    Sticky(Box<[u64]>),
}

impl Prepared {
    pub(super) fn new(strategy: Strategy, entries: &[&ChannelEntry]) -> Self {
        let weights = || entries.iter().map(|entry| entry.weight).collect::<Vec<u32>>();
        match strategy {
            Strategy::Random => Self::Random,
            Strategy::Priority => Self::Priority,
            Strategy::Weighted => Self::Weighted(Weights::new(&weights())),
            Strategy::RoundRobin => match Cycle::new(&weights()) {
                Some(cycle) => Self::RoundRobin(cycle, AtomicU64::new(0)),
                // The configuration refuses such weights; for an embedder they keep their proportions.
                None => Self::Weighted(Weights::new(&weights())),
            },
            Strategy::Cheapest => Self::Cheapest(by_fee(entries)),
            Strategy::Sticky => Self::Sticky(entries.iter().map(|entry| hash(entry.id.as_str())).collect()),
        }
    }

    /// The number of the turn that is taken now, where turns are taken.
    pub(super) fn turn(&self) -> u64 {
        match self {
            Self::RoundRobin(_, taken) => taken.fetch_add(1, Ordering::Relaxed),
            _ => 0,
        }
    }

    /// One of `left`, or none when nothing is left.
    pub(super) fn pick(&self, left: &[u64], ask: &Ask<'_>, seed: u64, turn: u64) -> Option<usize> {
        let mut draw = Draw::new(seed);
        match self {
            Self::Random => bits::nth(left, draw.place(bits::count(left))),
            Self::Priority => bits::first(left),
            Self::Weighted(weights) => weights.draw(left, &mut draw),
            Self::RoundRobin(cycle, _) => cycle.turn(left, turn),
            Self::Cheapest(order) => order.iter().copied().find(|place| bits::has(left, *place)),
            Self::Sticky(channels) => {
                let payer = hash(ask.sticks_to());
                bits::all(left).max_by_key(|place| channels.get(*place).map(|channel| mixed(channel ^ payer)))
            }
        }
    }
}

/// The cheapest first; of equals the one that the route lists first. What a channel costs nobody knows comes last.
fn by_fee(entries: &[&ChannelEntry]) -> Box<[usize]> {
    let mut order: Vec<usize> = (0..entries.len()).collect();
    order.sort_by_key(|place| (entries[*place].fee_bp.is_none(), entries[*place].fee_bp));
    order.into()
}

/// A number of a text that never changes: which channel a payer sticks to must not depend on the process or the
/// version (FNV-1a, then mixed).
fn hash(text: &str) -> u64 {
    let byte = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
    mixed(text.bytes().fold(0xCBF2_9CE4_8422_2325, byte))
}
