//! When a refund or a payout is looked at next.

use std::time::Duration;

use crate::catalog::ChannelEntry;
use crate::channel::{Can, Descriptor};
use crate::clock::Timestamp;

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

/// How long after a person has said that money has not left its provider is still asked, where it can
/// be: a week, in which money that left all the same is found and booked.
const DOUBT: Duration = Duration::from_hours(7 * 24);

/// How long after a look at what belongs to a channel that the configuration has lost, or that is off,
/// the next one comes: it may come back.
pub(crate) const LOST_PAUSE: Duration = Duration::from_hours(1);

/// When to look next after so many looks; `None` where its provider cannot be asked, so that a callback
/// or a person ends it, and where its end at a person's word is no longer doubted. `entry` is its channel
/// unless that is off; `query` is the ability to ask.
pub(crate) fn next_look(
    entry: Option<&ChannelEntry>,
    query: Can,
    (checks, ended_at): (i32, Option<Timestamp>),
    now: Timestamp,
) -> Option<Timestamp> {
    if ended_at.is_some_and(|end| now >= end.plus(DOUBT)) {
        return None;
    }
    let Some(entry) = entry else {
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
