//! The state table: what each thing that can happen does to an attempt in each state.
//!
//! Pure and total. [`step`] is the table; a cell says the attempt's next state and what the
//! payment does about it. Nothing else in paymux decides a state.
#![expect(clippy::match_same_arms, reason = "a row of the table stays a row, with its own reason")]

use crate::money::Money;
use crate::payment::{AttemptState, Held};

/// Something that happened to an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Happening {
    /// The create call was not sent.
    AnswerNotSent,
    /// The create call was refused.
    AnswerRefused,
    /// The create call opened an order.
    AnswerOpen,
    /// The create call took the money.
    AnswerPaid(Sum),
    /// Nobody knows what the create call did.
    AnswerUnknown,
    /// The sender is gone and its deadline over.
    DispatchOver,
    /// The outcome is unknown, money can move only after the payer acts on an answer that nobody
    /// has, and the route may give such an attempt up.
    GiveUp,
    /// A query found money.
    QueryPaid(Sum),
    /// A query found an unpaid order.
    QueryOpen,
    /// A query found a closed order.
    QueryClosed,
    /// A query found nothing, and that proves nothing.
    QueryNotFound,
    /// A query found nothing, so late that this provider says it proves absence.
    QueryAbsent,
    /// A query could not be answered.
    QueryUnknown,
    /// A verified callback told of money.
    Callback(Sum),
    /// A close was confirmed.
    CloseDone,
    /// A close was refused.
    CloseRefused,
    /// Nobody knows what a close did.
    CloseUnknown,
    /// The provider's own timer and its margin are over and a query found it unpaid.
    TimerOver,
    /// Time is over for an order that the provider never ends.
    Lapse,
    /// Another attempt of the payment took the money.
    SiblingPaid,
}

/// How a sum that came in compares with what was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sum {
    /// As asked.
    Full,
    /// Less.
    Short,
    /// More: the surplus is noted.
    Over,
    /// Not comparable: another currency, or paid to an order of another amount.
    Foreign,
}

impl Sum {
    /// Compares received and discount together with what was asked.
    pub fn of(asked: Money, received: Money, discount: Money) -> Self {
        use std::cmp::Ordering;
        match received.checked_add(discount).and_then(|total| total.checked_cmp(asked)) {
            Ok(Ordering::Equal) => Self::Full,
            Ok(Ordering::Less) => Self::Short,
            Ok(Ordering::Greater) => Self::Over,
            Err(_) => Self::Foreign,
        }
    }
}

/// What the payment does about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: the happening is stale or says what was known.
    Ignore,
    /// The attempt's outcome is open; ask the provider again later.
    Ask,
    /// The payer can act: show it, the payment is pending.
    Show,
    /// Money is there: the payment has succeeded, or this is a duplicate of one that has.
    Settle,
    /// Money is there and a person must look at it; the payment stays as it is.
    Hold(Held),
    /// The attempt took no money and never will: try the next channel, or fail.
    Next,
    /// The attempt ended unpaid after it was open: the payment is canceled or expired.
    End,
}

/// One cell of the table.
pub type Cell = (AttemptState, Effect);

/// What `happening` does to an attempt in `state`.
pub fn step(state: AttemptState, happening: Happening) -> Cell {
    use AttemptState as S;
    match state {
        S::Sending => sending(happening),
        S::Open => open(happening),
        S::Unknown => unknown(happening),
        S::Abandoned | S::Lapsed => watched(state, happening),
        S::Paid | S::DuplicatePaid => paid(state, happening),
        S::Refused | S::NotSent | S::Closed => ended(state, happening),
    }
}

fn sending(happening: Happening) -> Cell {
    use AttemptState as S;
    use Happening as H;
    match happening {
        H::AnswerNotSent => (S::NotSent, Effect::Next),
        H::AnswerRefused => (S::Refused, Effect::Next),
        H::AnswerOpen => (S::Open, Effect::Show),
        H::AnswerUnknown | H::DispatchOver => (S::Unknown, Effect::Ask),
        H::GiveUp => (S::Abandoned, Effect::Next),
        // A callback can overtake the answer; then the answer comes too late and is dropped.
        H::AnswerPaid(sum) | H::QueryPaid(sum) | H::Callback(sum) => money(S::Sending, sum),
        // Only one attempt of a payment is live; this one is closed or watched from now on.
        H::SiblingPaid => (S::Lapsed, Effect::Ask),
        // While the call is under way nothing else is sure: the order may appear a moment later.
        H::QueryOpen | H::QueryClosed | H::QueryNotFound | H::QueryAbsent | H::QueryUnknown => {
            (S::Sending, Effect::Ignore)
        }
        H::CloseDone | H::CloseRefused | H::CloseUnknown | H::TimerOver | H::Lapse => {
            (S::Sending, Effect::Ignore)
        }
    }
}

fn open(happening: Happening) -> Cell {
    use AttemptState as S;
    use Happening as H;
    match happening {
        H::QueryPaid(sum) | H::Callback(sum) => money(S::Open, sum),
        H::QueryClosed | H::CloseDone | H::TimerOver => (S::Closed, Effect::End),
        H::Lapse => (S::Lapsed, Effect::End),
        H::SiblingPaid => (S::Lapsed, Effect::Ask),
        // It was there: that a query does not show it proves nothing.
        H::QueryNotFound
        | H::QueryAbsent
        | H::QueryUnknown
        | H::CloseRefused
        | H::CloseUnknown
        | H::QueryOpen => (S::Open, Effect::Ask),
        H::AnswerNotSent | H::AnswerRefused | H::AnswerOpen | H::AnswerUnknown => (S::Open, Effect::Ignore),
        H::AnswerPaid(_) | H::DispatchOver | H::GiveUp => (S::Open, Effect::Ignore),
    }
}

fn unknown(happening: Happening) -> Cell {
    use AttemptState as S;
    use Happening as H;
    match happening {
        H::QueryPaid(sum) | H::Callback(sum) => money(S::Unknown, sum),
        H::QueryOpen => (S::Open, Effect::Show),
        H::QueryClosed | H::CloseDone | H::TimerOver | H::QueryAbsent => (S::Closed, Effect::Next),
        H::Lapse => (S::Lapsed, Effect::End),
        H::SiblingPaid => (S::Lapsed, Effect::Ask),
        H::GiveUp => (S::Abandoned, Effect::Next),
        H::QueryNotFound | H::QueryUnknown | H::CloseRefused | H::CloseUnknown => (S::Unknown, Effect::Ask),
        // The fencing number has moved on: an answer in hand is evidence at most, and the query finds it.
        H::AnswerNotSent | H::AnswerRefused | H::AnswerOpen | H::AnswerUnknown => {
            (S::Unknown, Effect::Ignore)
        }
        H::AnswerPaid(_) | H::DispatchOver => (S::Unknown, Effect::Ignore),
    }
}

/// Given up or lapsed: only money and a confirmed end still count.
fn watched(state: AttemptState, happening: Happening) -> Cell {
    use AttemptState as S;
    use Happening as H;
    match happening {
        H::QueryPaid(sum) | H::Callback(sum) => money(state, sum),
        // The payment has moved on already; only the watch ends.
        H::QueryClosed | H::CloseDone | H::TimerOver | H::QueryAbsent => (S::Closed, Effect::Ignore),
        H::QueryOpen | H::QueryNotFound | H::QueryUnknown | H::CloseRefused | H::CloseUnknown => {
            (state, Effect::Ask)
        }
        H::SiblingPaid => (state, Effect::Ask),
        H::AnswerNotSent | H::AnswerRefused | H::AnswerOpen | H::AnswerUnknown => (state, Effect::Ignore),
        H::AnswerPaid(_) | H::DispatchOver | H::GiveUp | H::Lapse => (state, Effect::Ignore),
    }
}

/// Money is booked: nothing takes it back, and hearing of it again changes nothing.
fn paid(state: AttemptState, _happening: Happening) -> Cell {
    (state, Effect::Ignore)
}

/// Surely without money by the provider's word; if money comes all the same, it is booked.
fn ended(state: AttemptState, happening: Happening) -> Cell {
    match happening {
        Happening::QueryPaid(sum) | Happening::Callback(sum) => money(state, sum),
        _ => (state, Effect::Ignore),
    }
}

/// Money came in on an attempt in `state`.
fn money(state: AttemptState, sum: Sum) -> Cell {
    match sum {
        Sum::Full | Sum::Over => (AttemptState::Paid, Effect::Settle),
        Sum::Short => (state, Effect::Hold(Held::Underpaid)),
        Sum::Foreign => (state, Effect::Hold(Held::Mismatch)),
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
