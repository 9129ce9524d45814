//! How much of channels' limits is used.

use std::collections::BTreeMap;

use paymux_core::day::Day;
use paymux_core::ids::ChannelId;
use paymux_core::store::{CapacityFigure, CapacityMove, CapacitySpan, CapacityUse};

use super::Books;

/// By channel, and by day and currency code: neither for what is under way.
pub(super) type Uses = BTreeMap<(ChannelId, Option<(Day, &'static str)>), CapacityFigure>;

fn key(one: &CapacityMove) -> (ChannelId, Option<(Day, &'static str)>) {
    let span = match one.span {
        CapacitySpan::Day(day, currency) => Some((day, currency.code())),
        CapacitySpan::Flight => None,
    };
    (one.channel.clone(), span)
}

impl Books {
    /// Whether each of them stays within its limits.
    pub(super) fn has_room(&self, moves: &[CapacityMove]) -> bool {
        moves.iter().all(|one| {
            let used = self.capacity.get(&key(one)).map_or(CapacityUse::NONE, |figure| figure.used);
            one.within.is_none_or(|limits| limits.hold(used.plus(one.by)))
        })
    }

    pub(super) fn use_capacity(&mut self, moves: &[CapacityMove]) {
        for one in moves {
            let fresh =
                CapacityFigure { channel: one.channel.clone(), span: one.span, used: CapacityUse::NONE };
            let figure = self.capacity.entry(key(one)).or_insert(fresh);
            figure.used = figure.used.plus(one.by);
        }
    }

    pub(super) fn capacity_of(&self, day: Day) -> Vec<CapacityFigure> {
        let is_asked = |figure: &&CapacityFigure| match figure.span {
            CapacitySpan::Day(of, _) => of == day,
            CapacitySpan::Flight => true,
        };
        self.used().filter(is_asked).cloned().collect()
    }

    pub(super) fn whole_capacity(&self) -> Vec<CapacityFigure> {
        let mut all: Vec<CapacityFigure> = self.used().cloned().collect();
        all.sort_by_key(|figure| {
            let span = match figure.span {
                CapacitySpan::Day(day, currency) => Some((day, currency.code())),
                CapacitySpan::Flight => None,
            };
            (span.map(|(day, _)| day), figure.channel.clone(), span)
        });
        all
    }

    fn used(&self) -> impl Iterator<Item = &CapacityFigure> {
        self.capacity.values().filter(|figure| figure.used != CapacityUse::NONE)
    }
}
