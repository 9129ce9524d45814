//! When a refund or a payout is looked at next.

use std::time::Duration;

use crate::catalog::{ChannelEntry, Lifecycle};
use crate::channel::{Can, Descriptor};
use crate::clock::Timestamp;
use crate::outflow::OutflowState;

/// How long after one look the next one comes, by how many there were: money goes back in minutes
/// or in days. The last one repeats for as long as the end is not known.
const LOOKS: [Duration; 9] = [
    Duration::from_secs(30),
    Duration::from_mins(2),
    Duration::from_mins(10),
    Duration::from_mins(30),
    Duration::from_hours(1),
    Duration::from_hours(3),
    Duration::from_hours(6),
    Duration::from_hours(12),
    Duration::from_hours(24),
];

/// How long after a look at what belongs to a channel that the configuration has lost, or that is off,
/// the next one comes: it may come back.
pub(crate) const LOST_PAUSE: Duration = Duration::from_hours(1);

/// When to look next at what is in `state` now; `None` where its end is known, or where its provider
/// cannot be asked: then a callback or a person ends it. `query` is the ability to ask.
pub(crate) fn next_look(
    entry: Option<&ChannelEntry>,
    query: Can,
    state: OutflowState,
    checks: i32,
    now: Timestamp,
) -> Option<Timestamp> {
    if state.is_over() {
        return None;
    }
    let Some(entry) = entry.filter(|entry| entry.state != Lifecycle::Off) else {
        return Some(now.plus(LOST_PAUSE));
    };
    let descriptor = entry.channel.descriptor();
    descriptor.can.has(query).then(|| now.plus(pause(descriptor, checks)))
}

fn pause(descriptor: &Descriptor, checks: i32) -> Duration {
    let looks = if descriptor.looks.is_empty() { &LOOKS[..] } else { descriptor.looks };
    let place = usize::try_from(checks).unwrap_or(0);
    looks.get(place).or(looks.last()).copied().unwrap_or(LOST_PAUSE)
}
