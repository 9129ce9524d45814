//! One channel's breaker: out of the way after so many faults within a while, and let back in by a call that goes
//! well. Pure: it is told of calls and of time.

use std::collections::VecDeque;
use std::time::Duration;

use crate::clock::Mono;

/// `[health]`: when a channel is left out for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HealthRules {
    /// After so many faults; 0 = never.
    pub errors: u32,
    /// Within that time.
    pub window: Duration,
    /// So long it is left out altogether.
    pub cooldown: Duration,
    /// Then this percentage of new payments may go there, until a call has gone well.
    pub probe_percent: u8,
    /// An answer that took longer is a fault too; `None` = however long it takes.
    pub slow: Option<Duration>,
}

impl Default for HealthRules {
    fn default() -> Self {
        Self {
            errors: 5,
            window: Duration::from_secs(30),
            cooldown: Duration::from_secs(15),
            probe_percent: 5,
            slow: None,
        }
    }
}

/// What a call tells of its channel. A definite answer is a good one, whatever it says: that a payer's code is
/// wrong, or that an account is over its limit, is no fault of network or provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pulse {
    /// It answered.
    Well,
    /// It could not be reached, did not answer, or said itself that it does not work.
    Ill,
}

/// Whether new payments go to a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// They do.
    Well,
    /// They do not.
    Out,
    /// A few do.
    Probed,
}

/// The breaker.
#[derive(Debug, Default)]
pub(super) struct Breaker(State);

#[derive(Debug)]
enum State {
    /// Well; when the last faults were, the oldest first.
    Closed(VecDeque<Mono>),
    /// Out until then.
    Open(Mono),
    /// Probed.
    HalfOpen,
}

impl Default for State {
    fn default() -> Self {
        Self::Closed(VecDeque::new())
    }
}

impl Breaker {
    pub(super) fn health(&self) -> Health {
        match self.0 {
            State::Closed(_) => Health::Well,
            State::Open(_) => Health::Out,
            State::HalfOpen => Health::Probed,
        }
    }

    /// When time alone changes it.
    pub(super) fn turns_at(&self) -> Option<Mono> {
        match self.0 {
            State::Open(until) => Some(until),
            State::Closed(_) | State::HalfOpen => None,
        }
    }

    /// It is that late now.
    pub(super) fn turn(&mut self, now: Mono) {
        if self.turns_at().is_some_and(|until| until <= now) {
            self.0 = State::HalfOpen;
        }
    }

    /// A call has ended. While the channel is out nothing that ends counts: it was begun before.
    pub(super) fn hear(&mut self, pulse: Pulse, now: Mono, rules: &HealthRules) {
        self.turn(now);
        match (&mut self.0, pulse) {
            (State::Open(_), _) | (State::Closed(_), Pulse::Well) => {}
            (State::HalfOpen, Pulse::Well) => self.0 = State::default(),
            (State::HalfOpen, Pulse::Ill) => self.0 = State::Open(now.plus(rules.cooldown)),
            (State::Closed(faults), Pulse::Ill) => {
                let is_old = |at: &Mono| at.plus(rules.window) <= now;
                while faults.front().is_some_and(is_old) {
                    faults.pop_front();
                }
                faults.push_back(now);
                if rules.errors > 0 && faults.len() >= places(rules.errors) {
                    self.0 = State::Open(now.plus(rules.cooldown));
                } else if faults.len() > places(rules.errors) {
                    faults.pop_front();
                }
            }
        }
    }
}

fn places(count: u32) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: HealthRules = HealthRules {
        errors: 3,
        window: Duration::from_secs(30),
        cooldown: Duration::from_secs(15),
        probe_percent: 5,
        slow: None,
    };

    fn at(seconds: u64) -> Mono {
        Mono(Duration::from_secs(seconds))
    }

    /// What a new breaker comes to after pulses at those seconds.
    fn after(pulses: &[(u64, Pulse)]) -> Breaker {
        let mut breaker = Breaker::default();
        for (second, pulse) in pulses {
            breaker.hear(*pulse, at(*second), &RULES);
        }
        breaker
    }

    #[test]
    fn so_many_faults_within_the_window_open_it() {
        use Pulse::{Ill, Well};
        let check = |pulses: &[(u64, Pulse)], want| assert_eq!(after(pulses).health(), want, "{pulses:?}");
        check(&[], Health::Well);
        check(&[(0, Ill), (1, Ill)], Health::Well);
        check(&[(0, Ill), (1, Ill), (2, Ill)], Health::Out);
        // What goes well in between takes no fault away: half of all calls failing is bad enough.
        check(&[(0, Ill), (1, Well), (2, Ill), (3, Well), (4, Ill)], Health::Out);
        check(&[(0, Ill), (1, Ill), (29, Ill)], Health::Out);
        check(&[(0, Ill), (1, Ill), (30, Ill)], Health::Well);
        check(&[(0, Ill), (1, Ill), (30, Ill), (30, Ill)], Health::Out);
    }

    #[test]
    fn after_the_cool_down_one_call_decides() {
        use Pulse::{Ill, Well};
        let open = || after(&[(0, Ill), (1, Ill), (2, Ill)]);
        assert_eq!(open().turns_at(), Some(at(17)));
        let mut breaker = open();
        breaker.hear(Well, at(16), &RULES);
        assert_eq!(breaker.health(), Health::Out, "what ends now was begun before");
        breaker.turn(at(17));
        assert_eq!((breaker.health(), breaker.turns_at()), (Health::Probed, None));
        breaker.hear(Ill, at(20), &RULES);
        assert_eq!((breaker.health(), breaker.turns_at()), (Health::Out, Some(at(35))));
        // Nobody turned it: the call finds out by itself.
        breaker.hear(Well, at(40), &RULES);
        assert_eq!(breaker.health(), Health::Well);
        // The faults from before are forgotten.
        breaker.hear(Ill, at(41), &RULES);
        breaker.hear(Ill, at(41), &RULES);
        assert_eq!(breaker.health(), Health::Well);
    }

    #[test]
    fn without_a_number_of_errors_it_never_opens() {
        let rules = HealthRules { errors: 0, ..RULES };
        let mut breaker = Breaker::default();
        for second in 0..1000 {
            breaker.hear(Pulse::Ill, at(second), &rules);
        }
        assert_eq!(breaker.health(), Health::Well);
        assert!(matches!(&breaker.0, State::Closed(faults) if faults.len() <= 1), "it keeps no list");
    }
}
