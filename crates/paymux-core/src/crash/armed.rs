//! The one point that is armed in this process, if any, and what it does when its turn comes.

use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::clock::Clock;

use super::POINTS;

static ARMED: OnceLock<(Armed, Arc<dyn Clock>)> = OnceLock::new();

/// Hears of payouts.
pub type Listener = Box<dyn Fn(&str) + Send + Sync>;

static LISTENER: OnceLock<Listener> = OnceLock::new();

/// Which place strikes, how, and at which visit: `create.before_call:abort:3`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    name: &'static str,
    action: Action,
    /// Counted from 1.
    visit: u64,
}

/// What happens at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    /// The process dies on the spot, as by `SIGKILL`: nothing is tidied up.
    Abort,
    /// The place answers with an error.
    Error,
    /// Whoever came there waits; others go on.
    Delay(Duration),
}

/// Why a text is no [`Plan`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// Not of the form.
    #[error(
        "`{0}`: write `name:action:n`, like `create.before_call:abort:3`; actions are abort, error, delay-MS"
    )]
    Form(String),
    /// No such place.
    #[error("there is no crash point `{name}`; there are {known}")]
    Name {
        /// What was asked for.
        name: String,
        /// All names.
        known: String,
    },
    /// The place has no error to answer with.
    #[error("crash point `{0}` cannot fail; its actions are abort and delay-MS")]
    CannotFail(&'static str),
}

impl FromStr for Plan {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let form = || PlanError::Form(text.to_owned());
        let [name, action, visit] = text.split(':').collect::<Vec<_>>().try_into().map_err(|_| form())?;
        let visit = visit.parse().ok().filter(|visit| *visit > 0).ok_or_else(form)?;
        let action = match (action, action.strip_prefix("delay-").map(str::parse)) {
            ("abort", _) => Action::Abort,
            ("error", _) => Action::Error,
            (_, Some(Ok(ms))) => Action::Delay(Duration::from_millis(ms)),
            _ => return Err(form()),
        };
        let known = || POINTS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let (name, can_fail) = *POINTS
            .iter()
            .find(|(known, _)| *known == name)
            .ok_or_else(|| PlanError::Name { name: name.to_owned(), known: known() })?;
        if action == Action::Error && !can_fail {
            return Err(PlanError::CannotFail(name));
        }
        Ok(Self { name, action, visit })
    }
}

/// Arms that point for the rest of this process's life. Only the first call counts.
pub fn arm(plan: Plan, clock: Arc<dyn Clock>) {
    let _ = ARMED.set((Armed::new(plan), clock));
}

/// Somebody came to that place: whether it shall fail.
pub async fn reached(name: &str) -> bool {
    let Some((armed, clock)) = ARMED.get() else { return false };
    match armed.visit(name) {
        None => false,
        Some(Action::Abort) => std::process::abort(),
        Some(Action::Error) => true,
        Some(Action::Delay(span)) => {
            clock.sleep(span).await;
            false
        }
    }
}

/// Who hears the number of each payout that a provider in this process is called for. Only the first call counts.
pub fn hear_payouts(listener: Listener) {
    let _ = LISTENER.set(listener);
}

/// A provider in this process is called for that payout.
pub fn payout_is_called(number: &str) {
    if let Some(listener) = LISTENER.get() {
        listener(number);
    }
}

struct Armed {
    plan: Plan,
    visits: AtomicU64,
}

impl Armed {
    fn new(plan: Plan) -> Self {
        Self { plan, visits: AtomicU64::new(0) }
    }

    /// What happens at this visit.
    fn visit(&self, name: &str) -> Option<Action> {
        let is_here = self.plan.name == name;
        let is_turn = is_here && self.visits.fetch_add(1, Ordering::Relaxed) + 1 == self.plan.visit;
        is_turn.then_some(self.plan.action)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_plan_is_a_name_an_action_and_a_visit() {
        check("create.before_call:abort:1", Ok(("create.before_call", Action::Abort, 1)));
        check("create.before_open:error:20", Ok(("create.before_open", Action::Error, 20)));
        let delay = Action::Delay(Duration::from_millis(250));
        check("sweep.after_take:delay-250:3", Ok(("sweep.after_take", delay, 3)));
        for text in ["", "a", "create.before_call", "create.before_call:abort", "create.before_call:abort:0"]
        {
            check(text, Err("write `name:action:n`"));
        }
        for text in
            ["create.before_call:die:1", "create.before_call:delay-:1", "create.before_call:abort:1:2"]
        {
            check(text, Err("write `name:action:n`"));
        }
        check(
            "create.before:abort:1",
            Err("there is no crash point `create.before`; there are create.before_open"),
        );
        check("create.before_call:error:1", Err("crash point `create.before_call` cannot fail"));

        #[track_caller]
        fn check(text: &str, want: Result<(&str, Action, u64), &str>) {
            match (text.parse::<Plan>(), want) {
                (Ok(plan), Ok(want)) => assert_eq!((plan.name, plan.action, plan.visit), want),
                (Err(error), Err(why)) => assert!(error.to_string().contains(why), "{error}"),
                (got, want) => panic!("{text}: {got:?}, want {want:?}"),
            }
        }
    }

    #[test]
    fn strikes_at_its_visit_and_at_no_other() {
        let armed = Armed::new("create.before_open:error:2".parse().unwrap());
        let visits = ["create.after_open", "create.before_open", "create.after_open", "create.before_open"]
            .map(|name| armed.visit(name));
        assert_eq!(visits, [None, None, None, Some(Action::Error)]);
        assert_eq!(armed.visit("create.before_open"), None);
    }

    #[tokio::test]
    async fn an_unarmed_process_passes_every_point() {
        for (name, _) in POINTS {
            assert!(!reached(name).await, "{name}");
        }
    }

    #[test]
    fn names_are_unique_and_know_what_they_can() {
        let names: BTreeSet<&str> = POINTS.iter().map(|(name, _)| *name).collect();
        assert_eq!(names.len(), POINTS.len());
        check("create.before_open", true, true);
        check("create.before_open", false, false);
        check("create.before_call", false, true);
        check("create.before_cal", false, false);
        check("create.before_calls", false, false);

        #[track_caller]
        fn check(name: &str, can_fail: bool, want: bool) {
            assert_eq!(super::super::is_listed(name, can_fail), want, "{name}");
        }
    }
}
