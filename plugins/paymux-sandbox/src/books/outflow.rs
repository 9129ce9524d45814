//! Money on its way out in the books: refunds and payouts, each with its script.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::time::Duration;

use paymux_core::channel::ListedRefund;
use paymux_core::{Money, Timestamp};

use super::{Lateness, No};
use crate::map::outflow::OutflowScript;

/// How long after it was taken in a `slow` one is done and one that `fails` has failed.
pub(crate) const ENDS_AFTER: Duration = Duration::from_secs(5);
/// The most refunds, and the most payouts, that are kept; the oldest go first.
const KEPT_MAX: usize = 100_000;

/// What was asked for.
#[derive(Debug, Clone)]
pub(crate) struct Going {
    /// How much.
    pub amount: Money,
    /// Of which order; none for a payout.
    pub of: Option<String>,
    /// What it does by itself.
    pub script: OutflowScript,
    /// When it was asked for.
    pub made_at: Timestamp,
}

/// Where it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Taken in.
    Pending,
    /// Waits for a person.
    NeedsAction,
    /// The money has left.
    Done,
    /// It has not, and never will by itself.
    Failed,
}

/// How a person ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The money leaves.
    Done,
    /// It does not.
    Failed,
}

/// All refunds, or all payouts, of one channel.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    lines: BTreeMap<String, Line>,
    /// Numbers by the order of their coming.
    coming: VecDeque<String>,
}

#[derive(Debug, Clone)]
struct Line {
    going: Going,
    stage: Stage,
}

impl Line {
    /// Where it stands once its script has run to `now`.
    fn at(&self, now: Timestamp) -> Stage {
        let is_ripe = now >= self.going.made_at.plus(ENDS_AFTER);
        match (self.stage, self.going.script) {
            (Stage::Pending, OutflowScript::Slow) if is_ripe => Stage::Done,
            (Stage::Pending, OutflowScript::Fails) if is_ripe => Stage::Failed,
            (stage, _) => stage,
        }
    }
}

impl Ledger {
    /// What is known of that number: where it stands if all terms are the same, else a no.
    pub(super) fn known(&self, number: &str, going: &Going, now: Timestamp) -> Option<Result<Stage, No>> {
        let line = self.lines.get(number)?;
        let is_same = line.going.amount == going.amount && line.going.of == going.of;
        Some(if is_same { Ok(line.at(now)) } else { Err(No::Taken) })
    }

    /// Whether so much more can go back of what an order received. What failed counts no more.
    pub(super) fn check_room(
        &self,
        order: &str,
        amount: Money,
        received: Money,
        now: Timestamp,
    ) -> Result<(), No> {
        let counts = |line: &&Line| line.going.of.as_deref() == Some(order) && line.at(now) != Stage::Failed;
        let mut going = amount;
        for line in self.lines.values().filter(counts) {
            going = going.checked_add(line.going.amount).map_err(|_| No::TooMuch)?;
        }
        let is_room = going.currency() == received.currency() && going.minor() <= received.minor();
        if is_room { Ok(()) } else { Err(No::TooMuch) }
    }

    pub(super) fn add(&mut self, number: &str, going: Going) -> Stage {
        while self.lines.len() >= KEPT_MAX {
            let Some(oldest) = self.coming.pop_front() else { break };
            self.lines.remove(&oldest);
        }
        let stage = match going.script {
            OutflowScript::Done | OutflowScript::Unknown => Stage::Done,
            OutflowScript::Action => Stage::NeedsAction,
            _ => Stage::Pending,
        };
        self.coming.push_back(number.to_owned());
        self.lines.insert(number.to_owned(), Line { going, stage });
        stage
    }

    pub(super) fn look(&self, number: &str, now: Timestamp) -> Result<Stage, No> {
        self.lines.get(number).map(|line| line.at(now)).ok_or(No::Absent)
    }

    /// The order and the amount of a refund.
    pub(super) fn terms(&self, number: &str) -> Option<(String, Money)> {
        let going = &self.lines.get(number)?.going;
        Some((going.of.clone()?, going.amount))
    }

    /// Ends one. Ending it twice has one effect; what has failed is done only as money that left
    /// after a wrong word.
    pub(super) fn end(
        &mut self,
        number: &str,
        end: End,
        lateness: Lateness,
        now: Timestamp,
    ) -> Result<Stage, No> {
        let line = self.lines.get_mut(number).ok_or(No::Absent)?;
        let stage = match (line.at(now), end) {
            (Stage::Pending | Stage::NeedsAction | Stage::Done, End::Done) => Stage::Done,
            (Stage::Failed, End::Done) if lateness == Lateness::Taken => Stage::Done,
            (Stage::Pending | Stage::NeedsAction | Stage::Failed, End::Failed) => Stage::Failed,
            (Stage::Failed, End::Done) | (Stage::Done, End::Failed) => return Err(No::Over),
        };
        line.stage = stage;
        Ok(stage)
    }

    pub(super) fn list(&self, made: &Range<Timestamp>, now: Timestamp) -> Vec<ListedRefund> {
        let listed = |(number, line): (&String, &Line)| ListedRefund {
            number: number.clone(),
            amount: line.going.amount,
            done: match line.at(now) {
                Stage::Done => Some(true),
                Stage::Failed => Some(false),
                Stage::Pending | Stage::NeedsAction => None,
            },
            created_at: line.going.made_at,
        };
        self.lines.iter().filter(|(_, line)| made.contains(&line.going.made_at)).map(listed).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::books::Books;
    use crate::map::Script;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_ms(seconds * 1000)
    }

    /// Books with one order, paid with 10.
    fn books() -> Books {
        let books = Books::default();
        books.open("o", Money::fen(10), Script::Paid, at(0)..at(60)).unwrap();
        books
    }

    fn refund(books: &Books, number: &str, amount: i64, script: OutflowScript) -> Result<Stage, No> {
        books.refund(number, "o", Money::fen(amount), script, at(1))
    }

    #[test]
    fn parts_go_back_until_nothing_is_left_and_what_failed_counts_no_more() {
        let books = books();
        assert_eq!(refund(&books, "r1", 4, OutflowScript::Done), Ok(Stage::Done));
        assert_eq!(refund(&books, "r2", 7, OutflowScript::Done), Err(No::TooMuch));
        assert_eq!(refund(&books, "r3", 5, OutflowScript::Pending), Ok(Stage::Pending));
        assert_eq!(refund(&books, "r4", 2, OutflowScript::Action), Err(No::TooMuch));
        assert_eq!(refund(&books, "r5", 1, OutflowScript::Action), Ok(Stage::NeedsAction));
        assert_eq!(refund(&books, "r6", 1, OutflowScript::Done), Err(No::TooMuch));
        assert_eq!(books.end_refund("r3", End::Failed, Lateness::Refused, at(2)), Ok(Stage::Failed));
        assert_eq!(refund(&books, "r7", 5, OutflowScript::Done), Ok(Stage::Done));
        assert_eq!(refund(&books, "r8", 1, OutflowScript::Done), Err(No::TooMuch));
        assert_eq!(refund(&books, "r9", i64::MAX, OutflowScript::Done), Err(No::TooMuch));
    }

    #[test]
    fn only_a_paid_order_gives_money_back() {
        let books = books();
        books.open("open", Money::fen(10), Script::Open, at(0)..at(60)).unwrap();
        let of = |order| books.refund("r", order, Money::fen(1), OutflowScript::Done, at(1));
        assert_eq!(of("open"), Err(No::Unpaid));
        books.close("open", at(1));
        assert_eq!(of("open"), Err(No::Unpaid));
        assert_eq!(of("none"), Err(No::Absent));
        assert_eq!(books.look_refund("r", at(2)), Err(No::Absent));
        let dollars = Money::new(1, paymux_core::Currency::from_code("USD").unwrap());
        assert_eq!(books.refund("r", "o", dollars, OutflowScript::Done, at(1)), Err(No::TooMuch));
    }

    #[test]
    fn the_same_again_has_one_effect_and_another_under_its_number_none() {
        let books = books();
        for _ in 0..3 {
            assert_eq!(refund(&books, "r1", 6, OutflowScript::Done), Ok(Stage::Done));
        }
        assert_eq!(refund(&books, "r1", 5, OutflowScript::Done), Err(No::Taken));
        assert_eq!(refund(&books, "r2", 4, OutflowScript::Done), Ok(Stage::Done), "6 went back once");
        let pay_out = |amount| books.transfer("t", Money::fen(amount), OutflowScript::Pending, at(1));
        assert_eq!((pay_out(3), pay_out(3)), (Ok(Stage::Pending), Ok(Stage::Pending)));
        assert_eq!(pay_out(4), Err(No::Taken));
    }

    #[test]
    fn scripts_end_after_five_seconds_and_others_wait() {
        check(OutflowScript::Done, Stage::Done, Stage::Done);
        check(OutflowScript::Unknown, Stage::Done, Stage::Done);
        check(OutflowScript::Slow, Stage::Pending, Stage::Done);
        check(OutflowScript::Fails, Stage::Pending, Stage::Failed);
        check(OutflowScript::Pending, Stage::Pending, Stage::Pending);
        check(OutflowScript::Action, Stage::NeedsAction, Stage::NeedsAction);

        #[track_caller]
        fn check(script: OutflowScript, before: Stage, after: Stage) {
            let books = books();
            books.transfer("t", Money::fen(5), script, at(1)).unwrap();
            assert_eq!(books.look_transfer("t", Timestamp::from_ms(5999)), Ok(before), "{script:?}");
            assert_eq!(books.look_transfer("t", at(6)), Ok(after), "{script:?}");
        }
    }

    #[test]
    fn what_has_ended_stays_so_but_for_money_that_left_all_the_same() {
        let books = books();
        refund(&books, "r", 10, OutflowScript::Pending).unwrap();
        let end = |end, lateness| books.end_refund("r", end, lateness, at(2));
        assert_eq!(end(End::Failed, Lateness::Refused), Ok(Stage::Failed));
        assert_eq!(end(End::Failed, Lateness::Refused), Ok(Stage::Failed));
        assert_eq!(end(End::Done, Lateness::Refused), Err(No::Over));
        assert_eq!(end(End::Done, Lateness::Taken), Ok(Stage::Done));
        assert_eq!(end(End::Done, Lateness::Taken), Ok(Stage::Done));
        assert_eq!(end(End::Failed, Lateness::Taken), Err(No::Over));
        assert_eq!(books.end_refund("x", End::Done, Lateness::Refused, at(2)), Err(No::Absent));
    }

    #[test]
    fn late_money_finds_no_room_that_others_have_taken() {
        let books = books();
        refund(&books, "r1", 10, OutflowScript::Fails).unwrap();
        books.refund("r2", "o", Money::fen(1), OutflowScript::Done, at(9)).unwrap();
        assert_eq!(books.end_refund("r1", End::Done, Lateness::Taken, at(10)), Err(No::TooMuch));
        assert_eq!(books.look_refund("r1", at(10)), Ok(Stage::Failed));
    }

    #[test]
    fn lists_hold_what_was_made_in_their_time() {
        let books = books();
        books.open("p", Money::fen(7), Script::Open, at(5)..at(60)).unwrap();
        books.close("only-closed", at(5));
        books.refund("r1", "o", Money::fen(4), OutflowScript::Slow, at(10)).unwrap();
        books.refund("r2", "o", Money::fen(1), OutflowScript::Fails, at(11)).unwrap();
        let orders = books.list(at(0)..at(6), at(20));
        assert_eq!(
            orders.iter().map(|one| (one.number.as_str(), one.received)).collect::<Vec<_>>(),
            [("o", Some(Money::fen(10))), ("p", None)]
        );
        assert_eq!(orders[1].amount, Some(Money::fen(7)));
        assert_eq!(books.list(at(1)..at(5), at(20)), []);
        let done = |made: Range<Timestamp>, now| {
            let listed = books.list_refunds(&made, now);
            listed.iter().map(|one| (one.number.clone(), one.done)).collect::<Vec<_>>()
        };
        assert_eq!(done(at(10)..at(12), at(12)), [("r1".to_owned(), None), ("r2".to_owned(), None)]);
        assert_eq!(
            done(at(10)..at(12), at(20)),
            [("r1".to_owned(), Some(true)), ("r2".to_owned(), Some(false))]
        );
        assert_eq!(done(at(11)..at(12), at(20)), [("r2".to_owned(), Some(false))]);
    }

    #[test]
    fn the_oldest_go_when_the_books_are_full() {
        let books = Books::default();
        for i in 0..=KEPT_MAX {
            books.transfer(&format!("t{i}"), Money::fen(1), OutflowScript::Done, at(1)).unwrap();
        }
        assert_eq!(books.look_transfer("t0", at(1)), Err(No::Absent));
        assert_eq!(books.look_transfer("t1", at(1)), Ok(Stage::Done));
    }
}
