//! Money on its way out, refunds and payouts alike: the states it can be in and what each thing that
//! can happen does to it.
//!
//! Pure and total, as [`crate::state`]. A call that moves money is made once: whatever became of it
//! is learnt by asking, from a callback, or from a person.
#![expect(clippy::match_same_arms, reason = "a row of the table stays a row, with its own reason")]

use crate::words::words;

words! {
    /// Where a refund or a payout stands.
    OutflowState {
        /// Stored; a worker is to send it, where nobody has to approve it first.
        Queued = "queued",
        /// Stored; the call is about to go out or is under way.
        Sending = "sending",
        /// The provider has taken it in.
        Pending = "pending",
        /// The provider waits for a person.
        NeedsAction = "needs_action",
        /// It may have been done; only queries follow, never a second call.
        Unknown = "unknown",
        /// The money has left.
        Succeeded = "succeeded",
        /// Surely not done.
        Failed = "failed",
    }
}

impl OutflowState {
    /// Whether its amount is set aside: it has left, or still may.
    pub const fn reserves(self) -> bool {
        matches!(self, Self::Queued | Self::Sending | Self::Pending | Self::NeedsAction | Self::Unknown)
    }

    /// Whether its call is over and a query may tell more: also of what has failed, in spite of that.
    pub const fn may_be_asked_about(self) -> bool {
        matches!(self, Self::Pending | Self::NeedsAction | Self::Unknown | Self::Failed)
    }

    /// Whether nothing more is expected. A verified success can still correct a failure.
    pub const fn is_over(self) -> bool {
        !self.reserves()
    }
}

/// Something that happened to a refund or a payout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// A worker begins to send it.
    Take,
    /// The call was taken in.
    AnswerPending,
    /// The call did it.
    AnswerDone,
    /// The call was definitely refused.
    AnswerFailed,
    /// The call was not sent.
    AnswerNotSent,
    /// The call needs a person.
    AnswerNeedsAction,
    /// Nobody knows what the call did.
    AnswerUnknown,
    /// The sender is gone and its deadline over.
    DispatchOver,
    /// A query found it under way.
    QueryPending,
    /// A query found it done.
    QueryDone,
    /// A query found that it definitely failed.
    QueryFailed,
    /// A query found that a person is needed.
    QueryNeedsAction,
    /// A query found nothing, which never proves anything here.
    QueryNotFound,
    /// A query could not be answered.
    QueryUnknown,
    /// A verified callback says it is done.
    CallbackDone,
    /// A verified callback says it failed.
    CallbackFailed,
    /// An operator says it is done.
    OperatorDone,
    /// An operator says it is not done and never will be.
    OperatorNotDone,
    /// Whoever has to approve it says no.
    Denied,
}

impl Happening {
    /// Every one of them.
    pub const ALL: [Self; 19] = [
        Self::Take,
        Self::AnswerPending,
        Self::AnswerDone,
        Self::AnswerFailed,
        Self::AnswerNotSent,
        Self::AnswerNeedsAction,
        Self::AnswerUnknown,
        Self::DispatchOver,
        Self::QueryPending,
        Self::QueryDone,
        Self::QueryFailed,
        Self::QueryNeedsAction,
        Self::QueryNotFound,
        Self::QueryUnknown,
        Self::CallbackDone,
        Self::CallbackFailed,
        Self::OperatorDone,
        Self::OperatorNotDone,
        Self::Denied,
    ];
}

/// What is done about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: the happening is stale or says what was known.
    Ignore,
    /// The taker sends it now.
    Send,
    /// Ask the provider again later.
    Ask,
    /// Tell that a person is needed, and ask again later.
    Act,
    /// Book it: what was set aside has left.
    Book,
    /// Give back what was set aside.
    Release,
    /// Give back what was set aside, at a person's word alone: its provider is asked for a while longer.
    Trust,
    /// Book it although it had been given back: a word of failure was wrong.
    Reclaim,
    /// Nothing is asked any more: its provider says too that it failed.
    Rest,
    /// It contradicts what is booked: a person must look.
    Contradict,
}

/// One cell of the table.
pub type Cell = (OutflowState, Effect);

/// Whether a cell leaves all as it is. `is_looked_at` tells whether a worker looks again: what has ended
/// for good is not looked at anew because somebody asked.
pub(crate) fn is_idle((next, effect): Cell, is_looked_at: bool) -> bool {
    let is_look = matches!(effect, Effect::Ask | Effect::Rest);
    effect == Effect::Ignore || (is_look && next.is_over() && !is_looked_at)
}

/// What `happening` does to a refund or a payout in `state`.
pub fn step(state: OutflowState, happening: Happening) -> Cell {
    use OutflowState as S;
    match state {
        S::Queued => queued(happening),
        S::Sending => sending(happening),
        S::Pending | S::NeedsAction | S::Unknown => waiting(state, happening),
        S::Succeeded => succeeded(happening),
        S::Failed => failed(happening),
    }
}

/// Nothing has left us yet, and only a taker may change that.
fn queued(happening: Happening) -> Cell {
    use Happening as H;
    use OutflowState as S;
    match happening {
        H::Take => (S::Sending, Effect::Send),
        H::OperatorDone | H::CallbackDone => (S::Succeeded, Effect::Book),
        H::OperatorNotDone | H::Denied => (S::Failed, Effect::Release),
        _ => (S::Queued, Effect::Ignore),
    }
}

fn sending(happening: Happening) -> Cell {
    use Happening as H;
    use OutflowState as S;
    match happening {
        H::AnswerPending => (S::Pending, Effect::Ask),
        // A callback can overtake the answer.
        H::AnswerDone | H::CallbackDone => (S::Succeeded, Effect::Book),
        H::AnswerFailed | H::AnswerNotSent | H::CallbackFailed => (S::Failed, Effect::Release),
        H::AnswerNeedsAction => (S::NeedsAction, Effect::Act),
        H::AnswerUnknown | H::DispatchOver => (S::Unknown, Effect::Ask),
        // While the call is under way nothing else is sure, not even for a person.
        H::Take | H::OperatorDone | H::OperatorNotDone | H::Denied => (S::Sending, Effect::Ignore),
        H::QueryPending
        | H::QueryDone
        | H::QueryFailed
        | H::QueryNeedsAction
        | H::QueryNotFound
        | H::QueryUnknown => (S::Sending, Effect::Ignore),
    }
}

fn waiting(state: OutflowState, happening: Happening) -> Cell {
    use Happening as H;
    use OutflowState as S;
    match happening {
        // However late its sender hears it, money that has left has left.
        H::AnswerDone | H::QueryDone | H::CallbackDone | H::OperatorDone => (S::Succeeded, Effect::Book),
        H::QueryFailed | H::CallbackFailed => (S::Failed, Effect::Release),
        H::OperatorNotDone => (S::Failed, Effect::Trust),
        // What waits for a person goes on waiting while the provider says "under way".
        H::QueryPending if state == S::NeedsAction => (S::NeedsAction, Effect::Ask),
        H::QueryPending => (S::Pending, Effect::Ask),
        H::QueryNeedsAction if state == S::NeedsAction => (S::NeedsAction, Effect::Ask),
        H::QueryNeedsAction => (S::NeedsAction, Effect::Act),
        H::QueryNotFound | H::QueryUnknown => (state, Effect::Ask),
        // What was approved and sent is not denied any more.
        H::Denied => (state, Effect::Ignore),
        // The fencing number has moved on: any other answer in hand is evidence at most, and the query finds it.
        H::Take | H::DispatchOver => (state, Effect::Ignore),
        H::AnswerPending | H::AnswerFailed | H::AnswerNotSent | H::AnswerNeedsAction | H::AnswerUnknown => {
            (state, Effect::Ignore)
        }
    }
}

/// Booked: nothing takes it back. Whoever says that it failed contradicts what is booked.
fn succeeded(happening: Happening) -> Cell {
    use Happening as H;
    let effect = match happening {
        H::QueryFailed | H::CallbackFailed => Effect::Contradict,
        _ => Effect::Ignore,
    };
    (OutflowState::Succeeded, effect)
}

/// Given back. If the money has left all the same, that is booked; where only a person has said that it
/// has not, its provider is asked for a while whether that is so.
fn failed(happening: Happening) -> Cell {
    use Happening as H;
    use OutflowState as S;
    match happening {
        H::AnswerDone | H::QueryDone | H::CallbackDone | H::OperatorDone => (S::Succeeded, Effect::Reclaim),
        H::QueryFailed => (S::Failed, Effect::Rest),
        H::QueryPending | H::QueryNeedsAction | H::QueryNotFound | H::QueryUnknown => {
            (S::Failed, Effect::Ask)
        }
        _ => (S::Failed, Effect::Ignore),
    }
}

#[cfg(test)]
#[path = "outflow_tests.rs"]
mod tests;
