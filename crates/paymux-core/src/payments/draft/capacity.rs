//! What a change takes and gives back of channels' limits.

use super::Draft;
use crate::catalog::{Catalog, Rules};
use crate::ids::AttemptId;
use crate::payment::{Attempt, AttemptState, Payment};
use crate::posting::{Cause, Posting, PostingKind};
use crate::store::{CapacityLimits, CapacityMove, CapacitySpan, CapacityUse};

/// What a new payment's first attempt takes.
pub(crate) fn opening_moves(catalog: &Catalog, payment: &Payment) -> Vec<CapacityMove> {
    moves(catalog, None, payment, &[])
}

impl Draft<'_> {
    /// What is set aside for an attempt is free again once money came in, or none can any more: one that is watched
    /// keeps it until its watch is over.
    pub(super) fn let_capacity_go(&mut self) {
        for attempt in &mut self.after.attempts {
            if !self.touched.contains_key(&attempt.id) {
                continue;
            }
            if has_money(attempt) || takes_none(attempt) {
                attempt.capacity.reserved = 0;
            }
            attempt.capacity.in_flight &= is_under_way(attempt.state);
        }
    }

    /// One for each limit that this change moves.
    pub(super) fn capacity_moves(&self) -> Vec<CapacityMove> {
        moves(self.catalog, Some(self.before), &self.after, &self.postings)
    }
}

fn moves(
    catalog: &Catalog,
    before: Option<&Payment>,
    after: &Payment,
    postings: &[Posting],
) -> Vec<CapacityMove> {
    let mut moves = Vec::new();
    for attempt in &after.attempts {
        let was = before.and_then(|before| before.attempt(attempt.id));
        let rules = catalog.channel(&attempt.channel).map(|entry| &entry.rules).filter(|_| was.is_none());
        let mut add = |span, by, limits: fn(&Rules) -> CapacityLimits| {
            if by != CapacityUse::NONE {
                let (channel, within) = (attempt.channel.clone(), rules.map(limits));
                moves.push(CapacityMove { channel, span, by, within });
            }
        };
        if let Some(day) = attempt.capacity.day {
            let held = |attempt: &Attempt| CapacityUse {
                reserved: attempt.capacity.reserved,
                booked: 0,
                count: attempt.counts_in_its_day().into(),
            };
            let booked = income(attempt.id, after, postings);
            let by = CapacityUse { booked, ..held(attempt).minus(was.map(held).unwrap_or_default()) };
            add(CapacitySpan::Day(day, after.amount.currency()), by, Rules::day_limits);
        }
        let flight = |attempt: &Attempt| i64::from(attempt.capacity.in_flight);
        let count = flight(attempt) - was.map_or(0, flight);
        add(CapacitySpan::Flight, CapacityUse { count, ..CapacityUse::NONE }, Rules::flight_limits);
    }
    // In one order for all writers, so that none waits in a circle.
    moves.sort_by(|a, b| a.channel.cmp(&b.channel));
    moves
}

/// How much comes in on an attempt, in the payment's own currency.
fn income(attempt: AttemptId, payment: &Payment, postings: &[Posting]) -> i64 {
    let came_in = postings.iter().filter(|posting| {
        matches!(posting.kind, PostingKind::Received | PostingKind::Held)
            && posting.amount.currency() == payment.amount.currency()
            && posting.cause == Cause::Attempt(payment.id, attempt)
    });
    came_in.map(|posting| posting.amount.minor()).fold(0, i64::saturating_add)
}

fn has_money(attempt: &Attempt) -> bool {
    attempt.received.is_some() || !attempt.more.is_empty()
}

/// Whether no money can come in any more, as far as anybody waits for it.
fn takes_none(attempt: &Attempt) -> bool {
    use AttemptState as S;
    match attempt.state {
        S::Refused | S::NotSent | S::Closed => true,
        S::Abandoned | S::Lapsed => attempt.check_at.is_none(),
        S::Sending | S::Open | S::Unknown | S::Paid | S::DuplicatePaid => false,
    }
}

fn is_under_way(state: AttemptState) -> bool {
    use AttemptState as S;
    matches!(state, S::Sending | S::Open | S::Unknown)
}
