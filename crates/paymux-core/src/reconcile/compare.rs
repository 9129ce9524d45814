//! The comparison itself: two lists, sorted by number, in; what becomes of each number out. Pure.

use std::cmp::Ordering;

use crate::channel::{ListedOrder, ListedRefund};
use crate::clock::Timestamp;
use crate::ids::PaymentId;
use crate::money::Money;
use crate::outflow::OutflowState;
use crate::payment::{Attempt, Payment, SecondSum};
use crate::refund::Refund;
use crate::store::{OrderLine, RefundLine};
use crate::words::words;

words! {
    /// What becomes of one number.
    Kind {
        /// Both sides say the same.
        Matched = "matched",
        /// No money has moved here, and the provider does not show it: some show only what was paid.
        NotListed = "not_listed",
        /// The provider shows it, and the ledger has no such number.
        MissingHere = "missing_here",
        /// Money has moved here, and the provider does not show it.
        MissingThere = "missing_there",
        /// Both have it, with different amounts, or with amounts of the provider's that contradict themselves.
        AmountDiffers = "amount_differs",
        /// Both have it, and money has moved on one side alone.
        StateDiffers = "state_differs",
    }
}

impl Kind {
    /// Whether a person must look at it.
    pub const fn is_difference(self) -> bool {
        !matches!(self, Self::Matched | Self::NotListed)
    }
}

/// How far something has gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Nothing has moved so far.
    Waiting,
    /// Money has moved.
    Moved,
    /// Money has definitely not moved, and will not.
    Never,
    /// An order that was undone: whatever had moved has moved back.
    Reverted,
}

/// A line of the ledger: an attempt or a refund.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Here {
    /// Its number at the provider.
    pub number: String,
    /// The payment.
    pub payment: PaymentId,
    /// The word for its state.
    pub state: &'static str,
    /// What that means.
    pub stage: Stage,
    /// What it is for.
    pub amount: Money,
    /// What has moved.
    pub moved: Option<Money>,
    /// What has moved with all that came in beside, where that is more.
    pub moved_in_all: Option<Money>,
    /// Whether the provider can know it: what was never sent there is not missed there.
    pub was_sent: bool,
    /// When it was made.
    pub created_at: Timestamp,
}

impl From<OrderLine> for Here {
    fn from(line: OrderLine) -> Self {
        let stage = match line.received {
            _ if line.reversed => Stage::Reverted,
            Some(_) => Stage::Moved,
            None => Stage::Waiting,
        };
        Self {
            number: line.number,
            payment: line.payment,
            state: line.state.word(),
            stage,
            amount: line.amount,
            moved: line.received.filter(|_| stage == Stage::Moved),
            moved_in_all: None,
            was_sent: true,
            created_at: line.created_at,
        }
    }
}

impl From<RefundLine> for Here {
    fn from(line: RefundLine) -> Self {
        let stage = refund_stage(line.state);
        Self {
            number: line.number,
            payment: line.payment,
            state: line.state.word(),
            stage,
            amount: line.amount,
            moved: (stage == Stage::Moved).then_some(line.amount),
            moved_in_all: None,
            was_sent: true,
            created_at: line.created_at,
        }
    }
}

impl Here {
    /// The line of an attempt, with what came in beside.
    pub(super) fn of_attempt(payment: &Payment, attempt: &Attempt, reversed: bool) -> Self {
        let line = OrderLine {
            number: attempt.number.as_str().to_owned(),
            payment: payment.id,
            state: attempt.state,
            status: payment.status,
            amount: payment.amount,
            received: attempt.received,
            reversed,
            created_at: attempt.created_at,
        };
        let mut beside = attempt.more.iter().filter_map(SecondSum::money);
        let in_all = |received| beside.try_fold(received, |all: Money, sum| all.checked_add(sum).ok());
        let here = Self::from(line);
        Self { moved_in_all: here.moved.and_then(in_all), ..here }
    }

    /// The line of a refund. A worker that sends one raises its fencing number first and gives it its number:
    /// what has none was never sent, such as money that an operator gave back by another way.
    pub(super) fn of_refund(refund: &Refund) -> Self {
        let line = RefundLine {
            number: refund.number.clone(),
            payment: refund.payment,
            state: refund.state,
            amount: refund.amount,
            created_at: refund.created_at,
        };
        Self { was_sent: refund.fence > 0 && refund.was_taken(), ..line.into() }
    }
}

fn refund_stage(state: OutflowState) -> Stage {
    match state {
        OutflowState::Succeeded => Stage::Moved,
        OutflowState::Failed => Stage::Never,
        OutflowState::Queued
        | OutflowState::Sending
        | OutflowState::Pending
        | OutflowState::NeedsAction
        | OutflowState::Unknown => Stage::Waiting,
    }
}

/// What a provider shows under one number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct There {
    /// Our number.
    pub number: String,
    /// How far it has gone.
    pub stage: Stage,
    /// What it is for, where the provider says so.
    pub amount: Option<Money>,
    /// What has moved, and not back with a revert.
    pub moved: Option<Money>,
    /// What is wrong with the record in itself.
    pub flaw: Option<&'static str>,
    /// When the record was made.
    pub created_at: Timestamp,
}

impl From<ListedOrder> for There {
    fn from(listed: ListedOrder) -> Self {
        let stage = match listed.received {
            _ if listed.reverted => Stage::Reverted,
            Some(_) => Stage::Moved,
            None => Stage::Waiting,
        };
        Self {
            number: listed.number,
            stage,
            amount: listed.amount,
            moved: listed.received.filter(|_| stage == Stage::Moved),
            flaw: listed.flaw,
            created_at: listed.created_at,
        }
    }
}

impl From<ListedRefund> for There {
    fn from(listed: ListedRefund) -> Self {
        Self {
            number: listed.number,
            stage: match listed.done {
                Some(true) => Stage::Moved,
                Some(false) => Stage::Never,
                None => Stage::Waiting,
            },
            amount: Some(listed.amount),
            moved: (listed.done == Some(true)).then_some(listed.amount),
            flaw: None,
            created_at: listed.created_at,
        }
    }
}

/// One entry a number, sorted. A record that was listed twice, as when a page shifts under its reader,
/// counts once. Different records under one number are tries of one order: what moved is added up.
pub fn folded(mut listed: Vec<There>) -> Vec<There> {
    listed.sort_by(|a, b| a.number.cmp(&b.number).then(a.created_at.cmp(&b.created_at)));
    let mut folded: Vec<There> = Vec::with_capacity(listed.len());
    let mut group = 0;
    for place in 0..listed.len() {
        let record = &listed[place];
        if folded.last().is_none_or(|last| last.number != record.number) {
            group = place;
            folded.push(record.clone());
        } else if let Some(last) = folded.last_mut()
            && !listed[group..place].contains(record)
        {
            join(last, record);
        }
    }
    folded
}

fn join(all: &mut There, record: &There) {
    let moved = match (all.moved, record.moved) {
        (Some(sum), Some(more)) => sum.checked_add(more).ok().or(Some(sum)),
        (sum, more) => sum.or(more),
    };
    let flaw = all.flaw.or(record.flaw);
    let weight = |stage| match stage {
        Stage::Moved => 2,
        Stage::Waiting => 1,
        Stage::Never | Stage::Reverted => 0,
    };
    if weight(record.stage) > weight(all.stage) {
        *all = record.clone();
    }
    all.moved = moved;
    all.flaw = flaw;
}

/// What both sides have under one number; at least one of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pair<'a> {
    /// Both.
    Both(&'a Here, &'a There),
    /// The ledger alone.
    Here(&'a Here),
    /// The provider alone.
    There(&'a There),
}

impl Pair<'_> {
    /// What becomes of it.
    pub fn judge(self) -> Kind {
        match self {
            Self::Both(here, there) => both(here, there),
            Self::Here(here) if here.stage == Stage::Moved && here.was_sent => Kind::MissingThere,
            Self::Here(_) => Kind::NotListed,
            Self::There(_) => Kind::MissingHere,
        }
    }
}

fn both(here: &Here, there: &There) -> Kind {
    // Nothing has moved here, and all is back there.
    let is_as_if_never = (here.stage, there.stage) == (Stage::Waiting, Stage::Reverted);
    if here.stage != there.stage && !is_as_if_never {
        return Kind::StateDiffers;
    }
    let is_for_another = there.amount.is_some_and(|amount| amount != here.amount);
    let moved_the_same = there.moved == here.moved || there.moved == here.moved_in_all;
    if is_for_another || !moved_the_same || there.flaw.is_some() {
        Kind::AmountDiffers
    } else {
        Kind::Matched
    }
}

/// The pairs of two lists that are sorted by number, each number once.
pub fn pairs<'a>(here: &'a [Here], there: &'a [There]) -> Vec<Pair<'a>> {
    let (mut ours, mut theirs) = (here.iter().peekable(), there.iter().peekable());
    let mut pairs = Vec::with_capacity(here.len().max(there.len()));
    loop {
        let order = match (ours.peek(), theirs.peek()) {
            (None, None) => return pairs,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(our), Some(their)) => our.number.cmp(&their.number),
        };
        let our = if order.is_le() { ours.next() } else { None };
        let their = if order.is_ge() { theirs.next() } else { None };
        pairs.extend(match (our, their) {
            (Some(our), Some(their)) => Some(Pair::Both(our, their)),
            (Some(our), None) => Some(Pair::Here(our)),
            (None, Some(their)) => Some(Pair::There(their)),
            (None, None) => None,
        });
    }
}

#[cfg(test)]
#[path = "compare_tests.rs"]
mod tests;
