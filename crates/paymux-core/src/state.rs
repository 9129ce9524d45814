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
    /// The create call opened an order. Where its sender no longer owns the attempt, this counts if the attempt
    /// has ended, and only where the create itself moves money: else nobody can pay what nobody was shown.
    AnswerOpen,
    /// The create call took the money. Where its sender no longer owns the attempt, this is to be asked
    /// about: the money may have gone back since.
    AnswerPaid(Sum),
    /// Nobody knows what the create call did. As [`Self::AnswerOpen`] where its sender no longer owns it.
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
    /// A query found nothing, by our clock so late that this provider says it proves absence.
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
    /// A close was confirmed, and a query shows the order open all the same.
    CloseDoubted,
    /// A close may have sent booked money back, and nobody could say for long that it is still there.
    NotConfirmed,
    /// By our clock the provider's own timer and its margin are over, and a query found it unpaid.
    TimerOver,
    /// Time is over for an order that the provider never ends.
    Lapse,
    /// Another attempt of the payment took the money.
    SiblingPaid,
    /// An operator says that the money is there.
    OperatorPaid(Sum),
    /// An operator says that no money came and none will.
    OperatorNotPaid,
    /// An operator takes what came in for the payment's success, although it is not what was asked, or
    /// says that booked money is there although a close may have sent it back.
    OperatorAccepts,
    /// An operator says that what came in went back by another way.
    OperatorReturned,
}

/// On what ground money falls: what is known of the payment beside the attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// It can be the payment's success.
    Free,
    /// Another attempt has taken the payment's money.
    SiblingPaid,
    /// Another attempt has taken the payment's money, and a close may have sent that back: nobody can say
    /// yet which of the two is the success.
    SiblingContested,
    /// The payment has ended, and its app wants a person to look at late money.
    Late,
    /// Other money has come in on this attempt before, under another trade number.
    Second,
    /// As [`Ground::Second`], and it cannot be the payment's success either.
    SecondHeld,
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
    /// Money is there: the payment has succeeded.
    Settle,
    /// Money is there, and another attempt has made the payment's success: this is a duplicate.
    Duplicate,
    /// Money is there and a person must look at it; the payment stays as it is.
    Hold(Held),
    /// The attempt took no money and never will: try the next channel, or fail.
    Next,
    /// The attempt ended unpaid after it was open: the payment is canceled or expired.
    End,
    /// A person has dealt with what came in: nothing waits any more.
    Clear,
    /// A person has seen that booked money is there: it is not contested any more.
    Uphold,
}

/// One cell of the table.
pub type Cell = (AttemptState, Effect);

/// What `happening` does to an attempt in `state`. `ground` matters to money alone.
pub fn step(state: AttemptState, happening: Happening, ground: Ground) -> Cell {
    use AttemptState as S;
    match state {
        S::Sending => sending(happening, ground),
        S::Open => open(happening, ground),
        S::Unknown => unknown(happening, ground),
        S::Abandoned | S::Lapsed => watched(state, happening, ground),
        S::Paid | S::DuplicatePaid => paid(state, happening, ground),
        S::Refused | S::NotSent | S::Closed => ended(state, happening, ground),
    }
}

/// Whether a happening is the provider's answer about where the order stands.
pub fn is_answer(happening: Happening) -> bool {
    use Happening as H;
    matches!(
        happening,
        H::QueryPaid(_)
            | H::QueryOpen
            | H::TimerOver
            | H::QueryClosed
            | H::QueryNotFound
            | H::QueryAbsent
            | H::CloseDoubted
    )
}

/// What a happening is worth to an attempt of which the create's own answer has said that money was taken.
/// Absence and time are proven by our clocks alone, and a confirmed close can be older than the money: none of
/// them ends it. A provider that calls the order closed does, or a person.
pub fn although_said_paid(happening: Happening) -> Happening {
    use Happening as H;
    match happening {
        H::QueryAbsent => H::QueryNotFound,
        H::TimerOver => H::QueryOpen,
        H::CloseDone | H::CloseDoubted => H::CloseUnknown,
        H::Lapse | H::GiveUp => H::QueryUnknown,
        other => other,
    }
}

fn sending(happening: Happening, ground: Ground) -> Cell {
    use AttemptState as S;
    use Happening as H;
    match happening {
        H::AnswerNotSent => (S::NotSent, Effect::Next),
        H::AnswerRefused => (S::Refused, Effect::Next),
        H::AnswerOpen => (S::Open, Effect::Show),
        H::AnswerUnknown | H::DispatchOver => (S::Unknown, Effect::Ask),
        H::GiveUp => (S::Abandoned, Effect::Next),
        H::AnswerPaid(sum) | H::QueryPaid(sum) | H::Callback(sum) | H::OperatorPaid(sum) => {
            money(S::Sending, sum, ground)
        }
        // Only one attempt of a payment is live; this one is closed or watched from now on.
        H::SiblingPaid => (S::Lapsed, Effect::Ask),
        // While the call is under way nothing else is sure: the order may appear a moment later.
        H::QueryOpen | H::QueryClosed | H::QueryNotFound | H::QueryAbsent | H::QueryUnknown => {
            (S::Sending, Effect::Ignore)
        }
        H::CloseDone | H::CloseRefused | H::CloseUnknown | H::CloseDoubted | H::TimerOver | H::Lapse => {
            (S::Sending, Effect::Ignore)
        }
        H::OperatorNotPaid | H::NotConfirmed => (S::Sending, Effect::Ignore),
        H::OperatorAccepts => accepted(S::Sending, ground),
        H::OperatorReturned => (S::Sending, Effect::Clear),
    }
}

fn open(happening: Happening, ground: Ground) -> Cell {
    use AttemptState as S;
    use Happening as H;
    match happening {
        H::QueryPaid(sum) | H::Callback(sum) | H::OperatorPaid(sum) => money(S::Open, sum, ground),
        H::QueryClosed | H::CloseDone | H::OperatorNotPaid => (S::Closed, Effect::End),
        // Our clock alone says so, and it may be wrong: money can still come.
        H::TimerOver => (S::Lapsed, Effect::End),
        // As it can whatever was confirmed.
        H::Lapse | H::CloseDoubted => (S::Lapsed, Effect::End),
        H::SiblingPaid => (S::Lapsed, Effect::Ask),
        // It was there: that a query does not show it proves nothing.
        H::QueryNotFound
        | H::QueryAbsent
        | H::QueryUnknown
        | H::CloseRefused
        | H::CloseUnknown
        | H::QueryOpen => (S::Open, Effect::Ask),
        H::AnswerNotSent | H::AnswerRefused | H::AnswerOpen | H::AnswerUnknown => (S::Open, Effect::Ignore),
        H::AnswerPaid(_) => (S::Open, Effect::Ask),
        H::DispatchOver | H::GiveUp | H::NotConfirmed => (S::Open, Effect::Ignore),
        H::OperatorAccepts => accepted(S::Open, ground),
        H::OperatorReturned => (S::Open, Effect::Clear),
    }
}

fn unknown(happening: Happening, ground: Ground) -> Cell {
    use AttemptState as S;
    use Happening as H;
    match happening {
        H::QueryPaid(sum) | H::Callback(sum) | H::OperatorPaid(sum) => money(S::Unknown, sum, ground),
        H::QueryOpen => (S::Open, Effect::Show),
        H::QueryClosed | H::CloseDone | H::OperatorNotPaid => (S::Closed, Effect::Next),
        // By our clock alone, as above: the payment goes on, and so does the watch.
        H::TimerOver | H::QueryAbsent => (S::Lapsed, Effect::Next),
        H::Lapse | H::CloseDoubted => (S::Lapsed, Effect::End),
        H::SiblingPaid => (S::Lapsed, Effect::Ask),
        H::GiveUp => (S::Abandoned, Effect::Next),
        H::QueryNotFound | H::QueryUnknown | H::CloseRefused | H::CloseUnknown => (S::Unknown, Effect::Ask),
        // The fencing number has moved on: an answer in hand is evidence at most, and the query finds it.
        H::AnswerPaid(_) => (S::Unknown, Effect::Ask),
        H::AnswerNotSent | H::AnswerRefused | H::AnswerOpen | H::AnswerUnknown => {
            (S::Unknown, Effect::Ignore)
        }
        H::DispatchOver | H::NotConfirmed => (S::Unknown, Effect::Ignore),
        H::OperatorAccepts => accepted(S::Unknown, ground),
        H::OperatorReturned => (S::Unknown, Effect::Clear),
    }
}

/// Given up or lapsed: only money and a confirmed end still count. What our clocks say ends no watch: only its
/// schedule does.
fn watched(state: AttemptState, happening: Happening, ground: Ground) -> Cell {
    use AttemptState as S;
    use Happening as H;
    match happening {
        H::QueryPaid(sum) | H::Callback(sum) | H::OperatorPaid(sum) => money(state, sum, ground),
        // The payment has moved on already; only the watch ends.
        H::QueryClosed | H::CloseDone | H::OperatorNotPaid => (S::Closed, Effect::Ignore),
        H::QueryOpen | H::TimerOver => (state, Effect::Ask),
        H::QueryNotFound | H::QueryAbsent | H::QueryUnknown => (state, Effect::Ask),
        H::CloseRefused | H::CloseUnknown | H::CloseDoubted => (state, Effect::Ask),
        H::SiblingPaid | H::AnswerPaid(_) => (state, Effect::Ask),
        H::AnswerNotSent | H::AnswerRefused | H::AnswerOpen | H::AnswerUnknown => (state, Effect::Ignore),
        H::DispatchOver | H::GiveUp | H::Lapse | H::NotConfirmed => (state, Effect::Ignore),
        H::OperatorAccepts => accepted(state, ground),
        H::OperatorReturned => (state, Effect::Clear),
    }
}

/// Money is booked: nothing but a person takes it back, and hearing of it again changes nothing. Other
/// money under another number is a second payment. Where the order ended "without money", a close has sent
/// back what is booked: the gravest thing that can be held.
fn paid(state: AttemptState, happening: Happening, ground: Ground) -> Cell {
    use Happening as H;
    match happening {
        H::QueryPaid(_) | H::Callback(_) | H::OperatorPaid(_)
            if matches!(ground, Ground::Second | Ground::SecondHeld) =>
        {
            (state, Effect::Hold(Held::SecondPayment))
        }
        H::CloseDone | H::QueryClosed | H::NotConfirmed => (state, Effect::Hold(Held::Reversed)),
        H::OperatorAccepts => (state, Effect::Uphold),
        H::OperatorReturned => (state, Effect::Clear),
        _ => (state, Effect::Ignore),
    }
}

/// Surely without money by the provider's word; if money comes all the same, it is booked.
fn ended(state: AttemptState, happening: Happening, ground: Ground) -> Cell {
    use Happening as H;
    match happening {
        H::QueryPaid(sum) | H::Callback(sum) | H::OperatorPaid(sum) => money(state, sum, ground),
        // The create's own answer contradicts that end, or may: the attempt is watched again.
        H::AnswerPaid(_) | H::AnswerOpen | H::AnswerUnknown => (AttemptState::Lapsed, Effect::Ask),
        H::OperatorAccepts => accepted(state, ground),
        H::OperatorReturned => (state, Effect::Clear),
        _ => (state, Effect::Ignore),
    }
}

/// Money came in on an attempt in `state`.
fn money(state: AttemptState, sum: Sum, ground: Ground) -> Cell {
    match (sum, ground) {
        (_, Ground::SecondHeld) => (state, Effect::Hold(Held::SecondPayment)),
        // What came first was not enough, or it would be booked as paid: this one settles alone.
        (Sum::Full | Sum::Over, Ground::Free | Ground::Second) => (AttemptState::Paid, Effect::Settle),
        (Sum::Full | Sum::Over, Ground::SiblingPaid) => (AttemptState::DuplicatePaid, Effect::Duplicate),
        (Sum::Full | Sum::Over, Ground::SiblingContested) => (state, Effect::Hold(Held::SecondPayment)),
        (Sum::Full | Sum::Over, Ground::Late) => (state, Effect::Hold(Held::Late)),
        (Sum::Short | Sum::Foreign, Ground::Second) => (state, Effect::Hold(Held::SecondPayment)),
        (Sum::Short, _) => (state, Effect::Hold(Held::Underpaid)),
        (Sum::Foreign, _) => (state, Effect::Hold(Held::Mismatch)),
    }
}

/// A person takes what is there for the payment's success.
fn accepted(state: AttemptState, ground: Ground) -> Cell {
    match ground {
        Ground::SiblingPaid | Ground::SiblingContested | Ground::SecondHeld => (state, Effect::Ignore),
        Ground::Free | Ground::Late | Ground::Second => (AttemptState::Paid, Effect::Settle),
    }
}

#[cfg(test)]
#[path = "state_tests.rs"]
mod tests;
