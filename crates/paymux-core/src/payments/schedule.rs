//! When an attempt is looked at next.

use std::time::Duration;

use crate::channel::{Can, Descriptor, MethodSpec, OrderEnd};
use crate::clock::Timestamp;
use crate::payment::{Attempt, AttemptState};
use crate::state::{Happening, is_answer};

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

/// How far apart the clocks of two nodes may be: each may be wrong by an hour.
const CLOCKS_APART: Duration = Duration::from_hours(2);

/// How long money that a close may have crossed is asked about where the configuration has lost what says it.
const WATCH: Duration = Duration::from_hours(24);

/// How long past its deadline a sender is given before its attempt counts as orphaned.
pub(super) const ORPHAN_MARGIN: Duration = Duration::from_secs(5);

/// How long until the next look after `checks` of them, by the provider's own schedule or ours.
pub(super) fn pause(descriptor: Option<&Descriptor>, checks: i32) -> Duration {
    let own = descriptor.map_or(&[][..], |descriptor| descriptor.looks);
    let looks = if own.is_empty() { &LOOKS[..] } else { own };
    let place = usize::try_from(checks).unwrap_or(0);
    looks.get(place).or(looks.last()).copied().unwrap_or(LOOKS[0])
}

/// The moment from which an unpaid order may be ended.
pub(super) fn end_due_at(attempt: &Attempt, spec: &MethodSpec) -> Timestamp {
    match spec.end {
        OrderEnd::ProviderTimer { margin, .. } => attempt.ends_at.plus(margin),
        OrderEnd::Call { .. } | OrderEnd::None => attempt.ends_at,
    }
}

/// When to look next at an attempt whose channel, or method there, the configuration has lost:
/// it may come back.
pub(super) fn look_without_site(attempt: &Attempt, now: Timestamp) -> Option<Timestamp> {
    let may_change =
        matches!(attempt.state, AttemptState::Sending | AttemptState::Open | AttemptState::Unknown);
    let is_looked_at = may_change || attempt.state.is_watched() || attempt.crossing().is_some();
    is_looked_at.then(|| now.plus(LOOKS[LOOKS.len() - 1]))
}

/// When nothing can be under way any more of a close that may act until `until`, whoever looks: the clock
/// that wrote `until` may be behind, and that of the node that looks ahead.
pub(super) fn surely_closed_at(until: Timestamp) -> Timestamp {
    until.plus(CLOCKS_APART)
}

/// How long money that a close may have crossed is asked about before a person must look.
pub(super) fn crossing_asked_until(until: Timestamp, spec: Option<&MethodSpec>) -> Timestamp {
    surely_closed_at(until).plus(spec.map_or(WATCH, |spec| spec.watch))
}

/// What has just been heard of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Heard {
    /// Its provider has said where it stands.
    Answer,
    /// Nothing of that.
    Nothing,
}

impl Heard {
    /// What a happening tells.
    pub(super) fn of(happening: Happening) -> Self {
        if is_answer(happening) { Self::Answer } else { Self::Nothing }
    }
}

/// When to look next at an attempt that is in `attempt.state` now; `None` when nothing can come
/// any more, or only a callback can.
pub(super) fn next_look(
    attempt: &Attempt,
    (descriptor, spec): (&Descriptor, &MethodSpec),
    heard: Heard,
    now: Timestamp,
) -> Option<Timestamp> {
    let can_ask = descriptor.can.has(Can::QUERY);
    let by_pause = now.plus(pause(Some(descriptor), attempt.checks));
    let end = end_due_at(attempt, spec);
    match attempt.state {
        AttemptState::Open | AttemptState::Unknown if end > now => {
            Some(if can_ask { by_pause.min(end) } else { end })
        }
        AttemptState::Open | AttemptState::Unknown => Some(by_pause),
        // Nothing but the provider's word, or a person's, ends the watch.
        AttemptState::Abandoned | AttemptState::Lapsed if attempt.is_said_paid() => {
            can_ask.then_some(by_pause)
        }
        AttemptState::Abandoned | AttemptState::Lapsed => {
            let watched_until = watched_until(attempt, spec);
            if now >= watched_until {
                return last_look(attempt, descriptor, heard, now);
            }
            // A close that failed is tried again, even where nothing can be asked.
            let can_close = descriptor.can.has(Can::CANCEL) && matches!(spec.end, OrderEnd::Call { .. });
            if can_ask || can_close {
                return Some(by_pause.min(watched_until));
            }
            // Nothing comes of a look, save that what is set aside for it is free again afterwards.
            (attempt.capacity.reserved > 0).then_some(watched_until)
        }
        // Money can come before the answer; the worker still looks whether its sender is gone.
        AttemptState::Sending => attempt.check_at,
        // Once more after a close that its money may have crossed.
        AttemptState::Paid | AttemptState::DuplicatePaid => {
            attempt.closing_until.map(|until| if now < until { until } else { by_pause })
        }
        AttemptState::Refused | AttemptState::NotSent | AttemptState::Closed => None,
    }
}

/// Until when an attempt that counts as over is watched: the clock that wrote its end may have been behind,
/// and that of the node that looks be ahead.
fn watched_until(attempt: &Attempt, spec: &MethodSpec) -> Timestamp {
    attempt.ends_at.plus(spec.watch).plus(CLOCKS_APART)
}

/// A watch whose time is over goes on until its provider has answered once more, where it can be asked; a
/// watch that has ended does not begin anew.
fn last_look(attempt: &Attempt, descriptor: &Descriptor, heard: Heard, now: Timestamp) -> Option<Timestamp> {
    let goes_on = descriptor.can.has(Can::QUERY) && heard == Heard::Nothing && attempt.check_at.is_some();
    goes_on.then(|| now.plus(pause(Some(descriptor), i32::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::Needs;
    use crate::ids::{AttemptId, ChannelId};
    use crate::method::{Method, Product, Wallet};
    use crate::payment::Capacity;
    use crate::random::Rng;

    struct Zero;

    impl Rng for Zero {
        fn bits(&self) -> u64 {
            0
        }
    }

    const SECOND: i64 = 1000;
    const ENDS: i64 = 1800 * SECOND;

    fn attempt(state: AttemptState, checks: i32) -> Attempt {
        let id = AttemptId::make(Timestamp::from_ms(0), &Zero);
        Attempt {
            id,
            channel: ChannelId::new("a").unwrap(),
            provider: "scripted".to_owned(),
            number: id.order_number(),
            state,
            fence: 1,
            memo: String::new(),
            reference: None,
            trade_no: None,
            received: None,
            more: Vec::new(),
            refunding: 0,
            refunded: 0,
            failure: None,
            created_at: Timestamp::from_ms(0),
            ends_at: Timestamp::from_ms(ENDS),
            check_at: Some(Timestamp::from_ms(7)),
            checks,
            closing_until: None,
            contested: 0,
            said_paid_at: None,
            capacity: Capacity::default(),
        }
    }

    fn look(state: AttemptState, checks: i32, can: Can, now: i64) -> Option<i64> {
        next(&attempt(state, checks), can, now)
    }

    fn next(attempt: &Attempt, can: Can, now: i64) -> Option<i64> {
        next_after(Heard::Answer, attempt, can, now)
    }

    fn next_after(heard: Heard, attempt: &Attempt, can: Can, now: i64) -> Option<i64> {
        let spec = MethodSpec {
            method: Method::new(Wallet::Wechat, Product::Native),
            code: "TEST",
            amounts: 1..=1,
            payer_must_act: true,
            needs: Needs::nothing(),
            end: OrderEnd::None,
            request_min: None,
            not_found_final_after: None,
            watch: Duration::from_mins(30),
        };
        let descriptor = Descriptor {
            provider: "scripted",
            account_key: String::new(),
            livemode: true,
            can,
            refunds_per_order: None,
            currencies: Vec::new(),
            methods: Vec::new(),
            payouts: &[],
            looks: &[],
            extra: &[],
        };
        next_look(attempt, (&descriptor, &spec), heard, Timestamp::from_ms(now)).map(Timestamp::ms)
    }

    #[test]
    fn a_watch_ends_with_a_look_and_not_before() {
        use AttemptState::{Abandoned, Lapsed};
        let over = ENDS + (1800 + 2 * 3600) * SECOND;
        for state in [Abandoned, Lapsed] {
            assert_eq!(look(state, 0, Can::QUERY, ENDS), Some(ENDS + 5 * SECOND));
            // The pause of an hour would reach past the watch of half an hour and what clocks may be apart.
            assert_eq!(look(state, 9, Can::QUERY, over - 1800 * SECOND), Some(over));
            assert_eq!(look(state, 9, Can::QUERY, over - 1), Some(over));
            assert_eq!(look(state, 9, Can::QUERY, over), None);
            assert_eq!(look(state, 0, Can::nothing_more(), ENDS), None);
        }
    }

    #[test]
    fn a_watch_whose_last_look_nobody_answered_goes_on() {
        let over = ENDS + (1800 + 2 * 3600) * SECOND;
        for state in [AttemptState::Abandoned, AttemptState::Lapsed] {
            let check = |attempt: &Attempt, can, want| {
                let got = next_after(Heard::Nothing, attempt, can, over);
                assert_eq!(got, want, "{state} {can:?} {:?}", attempt.check_at);
            };
            check(&attempt(state, 0), Can::QUERY, Some(over + 3600 * SECOND));
            check(&attempt(state, 0), Can::CANCEL, None);
            let ended = Attempt { check_at: None, ..attempt(state, 0) };
            check(&ended, Can::QUERY, None);
        }
    }

    #[test]
    fn a_watch_over_what_was_said_to_be_paid_has_no_end() {
        let long_over = ENDS + 99 * 3600 * SECOND;
        for state in [AttemptState::Abandoned, AttemptState::Lapsed] {
            let attempt = Attempt { said_paid_at: Some(Timestamp::from_ms(1)), ..attempt(state, 9) };
            let look = |can| next(&attempt, can, long_over);
            assert_eq!(look(Can::QUERY), Some(long_over + 3600 * SECOND), "{state}");
            assert_eq!(look(Can::nothing_more()), None, "{state}");
        }
    }

    #[test]
    fn what_is_open_is_looked_at_for_ever_and_at_its_end() {
        use AttemptState::{Open, Unknown};
        for state in [Open, Unknown] {
            assert_eq!(look(state, 9, Can::QUERY, ENDS - 1), Some(ENDS));
            assert_eq!(look(state, 0, Can::nothing_more(), 0), Some(ENDS));
            assert_eq!(look(state, 9, Can::QUERY, ENDS), Some(ENDS + 3600 * SECOND));
        }
    }

    #[test]
    fn what_is_being_sent_keeps_its_look_and_what_has_ended_has_none() {
        use AttemptState::{Closed, DuplicatePaid, NotSent, Paid, Refused, Sending};
        assert_eq!(look(Sending, 0, Can::QUERY, 0), Some(7));
        for state in [Paid, DuplicatePaid, Refused, NotSent, Closed] {
            assert_eq!(look(state, 0, Can::QUERY, 0), None);
            assert_eq!(look_without_site(&attempt(state, 0), Timestamp::from_ms(0)), None);
        }
    }

    #[test]
    fn money_that_a_close_may_have_crossed_is_looked_at_once_that_is_over() {
        let until = Timestamp::from_ms(ENDS);
        for state in [AttemptState::Paid, AttemptState::DuplicatePaid] {
            let attempt = Attempt { closing_until: Some(until), ..attempt(state, 0) };
            let look = |now| next(&attempt, Can::QUERY, now);
            assert_eq!((look(0), look(ENDS)), (Some(ENDS), Some(ENDS + 5 * SECOND)), "{state}");
            assert!(look_without_site(&attempt, until).is_some());
        }
        assert!(surely_closed_at(until) < crossing_asked_until(until, None));
    }

    #[test]
    fn a_channel_that_the_configuration_lost_is_looked_for_again() {
        use AttemptState::{Abandoned, Lapsed, Open, Sending, Unknown};
        for state in [Sending, Open, Unknown, Abandoned, Lapsed] {
            let at = look_without_site(&attempt(state, 0), Timestamp::from_ms(0));
            assert_eq!(at.map(Timestamp::ms), Some(3600 * SECOND), "{state}");
        }
    }
}
