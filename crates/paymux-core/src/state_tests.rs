//! Every state and every happening: one cell each, written out once more by hand.

use super::*;
use AttemptState as S;
use Happening as H;

const GROUNDS: [Ground; 6] = [
    Ground::Free,
    Ground::SiblingPaid,
    Ground::SiblingContested,
    Ground::Late,
    Ground::Second,
    Ground::SecondHeld,
];
const SUMS: [Sum; 4] = [Sum::Full, Sum::Short, Sum::Over, Sum::Foreign];

/// All happenings with every sum.
fn happenings() -> Vec<Happening> {
    let plain = [
        H::AnswerNotSent,
        H::AnswerRefused,
        H::AnswerOpen,
        H::AnswerUnknown,
        H::GiveUp,
        H::DispatchOver,
        H::QueryOpen,
        H::QueryClosed,
        H::QueryNotFound,
        H::QueryAbsent,
        H::QueryUnknown,
        H::CloseDone,
        H::CloseRefused,
        H::CloseUnknown,
        H::CloseDoubted,
        H::NotConfirmed,
        H::TimerOver,
        H::Lapse,
        H::SiblingPaid,
        H::OperatorNotPaid,
        H::OperatorAccepts,
        H::OperatorReturned,
    ];
    let money = SUMS
        .into_iter()
        .flat_map(|sum| [H::AnswerPaid(sum), H::QueryPaid(sum), H::Callback(sum), H::OperatorPaid(sum)]);
    plain.into_iter().chain(money).collect()
}

/// The table as text: a row for each happening without money, a column for each state.
/// `state!effect`, or `.` where nothing changes and nothing is done.
const TABLE: &str = "
                sending         open        unknown      abandoned     lapsed        paid dup refused not_sent closed
AnswerNotSent   not_sent!Next   .           .            .             .             .    .   .       .        .
AnswerRefused   refused!Next    .           .            .             .             .    .   .       .        .
AnswerOpen      open!Show       .           .            .             .             .    .   lapsed!Ask lapsed!Ask lapsed!Ask
AnswerUnknown   unknown!Ask     .           .            .             .             .    .   lapsed!Ask lapsed!Ask lapsed!Ask
GiveUp          abandoned!Next  .           abandoned!Next .             .             .    .   .       .        .
DispatchOver    unknown!Ask     .           .            .             .             .    .   .       .        .
QueryOpen       .               open!Ask    open!Show    abandoned!Ask lapsed!Ask    .    .   .       .        .
QueryClosed     .               closed!End  closed!Next  closed!Ignore closed!Ignore CONTRA CONTRA . . .
QueryNotFound   .               open!Ask    unknown!Ask  abandoned!Ask lapsed!Ask    .    .   .       .        .
QueryAbsent     .               open!Ask    lapsed!Next  abandoned!Ask lapsed!Ask    .    .   .       .        .
QueryUnknown    .               open!Ask    unknown!Ask  abandoned!Ask lapsed!Ask    .    .   .       .        .
CloseDone       .               closed!End  closed!Next  closed!Ignore closed!Ignore CONTRA CONTRA . . .
CloseRefused    .               open!Ask    unknown!Ask  abandoned!Ask lapsed!Ask    .    .   .       .        .
CloseUnknown    .               open!Ask    unknown!Ask  abandoned!Ask lapsed!Ask    .    .   .       .        .
CloseDoubted    .               lapsed!End  lapsed!End   abandoned!Ask lapsed!Ask    .    .   .       .        .
NotConfirmed    .               .           .            .             .             CONTRA CONTRA . . .
TimerOver       .               lapsed!End  lapsed!Next  abandoned!Ask lapsed!Ask    .    .   .       .        .
Lapse           .               lapsed!End  lapsed!End   .             .             .    .   .       .        .
SiblingPaid     lapsed!Ask      lapsed!Ask  lapsed!Ask   abandoned!Ask lapsed!Ask    .    .   .       .        .
OperatorNotPaid .               closed!End  closed!Next  closed!Ignore closed!Ignore .    .   .       .        .
OperatorAccepts paid!Settle     paid!Settle paid!Settle  paid!Settle   paid!Settle   paid!Uphold duplicate_paid!Uphold paid!Settle paid!Settle paid!Settle
OperatorReturned sending!Clear  open!Clear  unknown!Clear abandoned!Clear lapsed!Clear paid!Clear duplicate_paid!Clear refused!Clear not_sent!Clear closed!Clear
";

const COLUMNS: [S; 10] = [
    S::Sending,
    S::Open,
    S::Unknown,
    S::Abandoned,
    S::Lapsed,
    S::Paid,
    S::DuplicatePaid,
    S::Refused,
    S::NotSent,
    S::Closed,
];

#[test]
fn every_cell_without_money_is_as_written() {
    let mut rows = 0;
    for line in TABLE.lines().skip(2) {
        let mut words = line.split_whitespace();
        let name = words.next().unwrap();
        let happening = happenings().into_iter().find(|h| format!("{h:?}") == name).unwrap();
        for state in COLUMNS {
            let want = words.next().unwrap().replace("CONTRA", &format!("{state}!Hold(Reversed)"));
            let got = step(state, happening, Ground::Free);
            let shown = format!("{}!{:?}", got.0, got.1);
            let quiet = (state, Effect::Ignore);
            assert!(shown == want || (want == "." && got == quiet), "{state} x {name}: {shown}, want {want}");
        }
        assert_eq!(words.next(), None, "{name}");
        rows += 1;
    }
    assert_eq!(rows + SUMS.len() * 4, happenings().len());
    assert_eq!(COLUMNS.len(), S::ALL.len());
}

/// What money does, by its sum and the ground that it falls on, in a state that holds none yet.
fn booked(state: S, sum: Sum, ground: Ground) -> Cell {
    match (ground, sum) {
        (Ground::Free | Ground::Second, Sum::Full | Sum::Over) => (S::Paid, Effect::Settle),
        (Ground::SiblingPaid, Sum::Full | Sum::Over) => (S::DuplicatePaid, Effect::Duplicate),
        (Ground::SiblingContested, Sum::Full | Sum::Over) => (state, Effect::Hold(Held::SecondPayment)),
        (Ground::Late, Sum::Full | Sum::Over) => (state, Effect::Hold(Held::Late)),
        (Ground::Second | Ground::SecondHeld, _) => (state, Effect::Hold(Held::SecondPayment)),
        (_, Sum::Short) => (state, Effect::Hold(Held::Underpaid)),
        (_, Sum::Foreign) => (state, Effect::Hold(Held::Mismatch)),
    }
}

#[test]
fn money_is_booked_whatever_the_state_and_the_ground() {
    for state in COLUMNS {
        for (sum, ground) in SUMS.into_iter().flat_map(|sum| GROUNDS.map(|ground| (sum, ground))) {
            for happening in [H::QueryPaid(sum), H::Callback(sum), H::OperatorPaid(sum)] {
                let is_second = matches!(ground, Ground::Second | Ground::SecondHeld);
                let want = match state {
                    S::Paid | S::DuplicatePaid if is_second => (state, Effect::Hold(Held::SecondPayment)),
                    S::Paid | S::DuplicatePaid => (state, Effect::Ignore),
                    _ => booked(state, sum, ground),
                };
                assert_eq!(step(state, happening, ground), want, "{state} x {happening:?} on {ground:?}");
            }
        }
    }
}

#[test]
fn an_answer_with_money_counts_only_while_its_sender_owns_the_attempt_and_is_asked_about_else() {
    for (sum, ground) in SUMS.into_iter().flat_map(|sum| GROUNDS.map(|ground| (sum, ground))) {
        for state in COLUMNS {
            let want = match state {
                S::Sending => booked(state, sum, ground),
                S::Open | S::Unknown | S::Abandoned | S::Lapsed => (state, Effect::Ask),
                // Said to have ended without money, which is not so: watched again.
                S::Closed | S::Refused | S::NotSent => (S::Lapsed, Effect::Ask),
                S::Paid | S::DuplicatePaid => (state, Effect::Ignore),
            };
            assert_eq!(step(state, H::AnswerPaid(sum), ground), want, "{state} x {sum:?} on {ground:?}");
        }
    }
}

#[test]
fn without_money_the_ground_changes_nothing_but_what_a_person_accepts() {
    let is_money =
        |h: &H| matches!(h, H::AnswerPaid(_) | H::QueryPaid(_) | H::Callback(_) | H::OperatorPaid(_));
    for state in COLUMNS {
        for happening in happenings().into_iter().filter(|h| !is_money(h)) {
            for ground in GROUNDS {
                use Ground::{SecondHeld, SiblingContested, SiblingPaid};
                let sibling = matches!(ground, SiblingPaid | SiblingContested | SecondHeld);
                let want = match happening {
                    H::OperatorAccepts if sibling && !state.is_booked() => (state, Effect::Ignore),
                    _ => step(state, happening, Ground::Free),
                };
                assert_eq!(step(state, happening, ground), want, "{state} x {happening:?} on {ground:?}");
            }
        }
    }
}

#[test]
fn what_is_said_to_be_paid_ends_by_money_by_a_closed_order_or_by_a_person_alone() {
    for state in [S::Open, S::Unknown, S::Abandoned, S::Lapsed] {
        for happening in happenings() {
            let (next, effect) = step(state, although_said_paid(happening), Ground::Free);
            let may_end = matches!(
                happening,
                H::QueryPaid(_)
                    | H::Callback(_)
                    | H::OperatorPaid(_)
                    | H::OperatorAccepts
                    | H::QueryClosed
                    | H::OperatorNotPaid
            );
            let goes_on = matches!(effect, Effect::Ignore | Effect::Ask | Effect::Show | Effect::Clear)
                && matches!(next, S::Open | S::Unknown | S::Abandoned | S::Lapsed);
            assert!(may_end || goes_on, "{state} x {happening:?} -> {next}, {effect:?}");
        }
    }
}

#[test]
fn nothing_leads_back_to_sending_or_out_of_booked_money() {
    for state in COLUMNS {
        for (happening, ground) in happenings().into_iter().flat_map(|h| GROUNDS.map(|g| (h, g))) {
            let (next, effect) = step(state, happening, ground);
            assert!(next != S::Sending || state == S::Sending, "{state} x {happening:?}");
            if matches!(state, S::Paid | S::DuplicatePaid) {
                let kept =
                    matches!(effect, Effect::Ignore | Effect::Hold(_) | Effect::Clear | Effect::Uphold);
                assert!(next == state && kept, "{state} x {happening:?}");
            }
            let no_money_seen = matches!(effect, Effect::Next | Effect::End);
            assert!(!no_money_seen || !matches!(next, S::Paid | S::DuplicatePaid), "{state} x {happening:?}");
        }
    }
}

/// What our clocks alone call over ends its payment too, and is watched: it is learnt by a worker, who has no
/// payer's data to begin another attempt with.
#[test]
fn only_a_sure_end_lets_another_channel_try() {
    for state in COLUMNS {
        for happening in happenings() {
            let (next, effect) = step(state, happening, Ground::Free);
            if effect == Effect::Next {
                let by_our_clock = matches!(happening, H::QueryAbsent | H::TimerOver) && next == S::Lapsed;
                let sure = matches!(next, S::NotSent | S::Refused | S::Closed | S::Abandoned);
                assert!(sure || by_our_clock, "{state} x {happening:?} -> {next}");
            }
        }
    }
}

#[test]
fn nothing_but_a_providers_word_or_a_persons_closes_an_attempt() {
    for state in COLUMNS.into_iter().filter(|state| *state != S::Closed) {
        for happening in happenings() {
            let (next, _) = step(state, happening, Ground::Free);
            let is_a_word = matches!(happening, H::QueryClosed | H::CloseDone | H::OperatorNotPaid);
            assert!(next != S::Closed || is_a_word, "{state} x {happening:?}");
        }
    }
}

#[test]
fn sums_compare_received_and_discount_with_what_was_asked() {
    use crate::money::Currency;
    let fen = Money::fen;
    let yen = Money::new(10, Currency::from_code("JPY").unwrap());
    assert_eq!(Sum::of(fen(10), fen(10), fen(0)), Sum::Full);
    assert_eq!(Sum::of(fen(10), fen(8), fen(2)), Sum::Full);
    assert_eq!(Sum::of(fen(10), fen(9), fen(0)), Sum::Short);
    assert_eq!(Sum::of(fen(10), fen(11), fen(0)), Sum::Over);
    assert_eq!(Sum::of(fen(10), yen, fen(0)), Sum::Foreign);
    assert_eq!(Sum::of(fen(10), fen(i64::MAX), fen(1)), Sum::Foreign);
}
