//! When an attempt is looked at next.

use std::time::Duration;

use crate::channel::{Can, Descriptor, MethodSpec, OrderEnd};
use crate::clock::Timestamp;
use crate::payment::{Attempt, AttemptState};

/// How long after one look the next one comes, by how many there were: quick while a payer or a
/// till waits, then slower; an hour at the most, for as long as the attempt is open.
const LOOKS: [Duration; 8] = [
    Duration::from_secs(5),
    Duration::from_secs(15),
    Duration::from_secs(30),
    Duration::from_mins(1),
    Duration::from_mins(2),
    Duration::from_mins(5),
    Duration::from_mins(15),
    Duration::from_hours(1),
];

/// How long past its deadline a sender is given before its attempt counts as orphaned.
pub(super) const ORPHAN_MARGIN: Duration = Duration::from_secs(5);

/// How long until the next look after `checks` of them.
fn pause(checks: i32) -> Duration {
    let place = usize::try_from(checks).unwrap_or(0).min(LOOKS.len() - 1);
    LOOKS[place]
}

/// The moment from which an unpaid order may be ended.
pub(super) fn end_due_at(attempt: &Attempt, spec: &MethodSpec) -> Timestamp {
    match spec.end {
        OrderEnd::ProviderTimer { margin, .. } => attempt.ends_at.plus(margin),
        OrderEnd::Call { .. } | OrderEnd::None => attempt.ends_at,
    }
}

/// When to look next at an attempt that is in `attempt.state` now; `None` when nothing can come
/// any more, or only a callback can.
pub(super) fn next_look(
    attempt: &Attempt,
    descriptor: &Descriptor,
    spec: &MethodSpec,
    now: Timestamp,
) -> Option<Timestamp> {
    let can_ask = descriptor.can.has(Can::QUERY);
    let by_pause = now.plus(pause(attempt.checks));
    let end = end_due_at(attempt, spec);
    match attempt.state {
        AttemptState::Open | AttemptState::Unknown if end > now => {
            Some(if can_ask { by_pause.min(end) } else { end })
        }
        AttemptState::Open | AttemptState::Unknown => Some(by_pause),
        AttemptState::Abandoned | AttemptState::Lapsed => {
            let watched_until = attempt.ends_at.plus(spec.watch);
            (can_ask && by_pause <= watched_until).then_some(by_pause)
        }
        _ => None,
    }
}
