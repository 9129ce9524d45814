//! Every state and every happening: one cell each, written out once more by hand.

use super::*;
use AttemptState as S;
use Happening as H;

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
        H::TimerOver,
        H::Lapse,
        H::SiblingPaid,
    ];
    let money = SUMS.into_iter().flat_map(|sum| [H::AnswerPaid(sum), H::QueryPaid(sum), H::Callback(sum)]);
    plain.into_iter().chain(money).collect()
}

/// The table as text: a row for each happening without money, a column for each state.
/// `state!effect`, or `.` where nothing changes and nothing is done.
const TABLE: &str = "
                sending         open        unknown      abandoned     lapsed        paid dup refused not_sent closed
AnswerNotSent   not_sent!Next   .           .            .             .             .    .   .       .        .
AnswerRefused   refused!Next    .           .            .             .             .    .   .       .        .
AnswerOpen      open!Show       .           .            .             .             .    .   .       .        .
AnswerUnknown   unknown!Ask     .           .            .             .             .    .   .       .        .
GiveUp          abandoned!Next  .           abandoned!Next .             .             .    .   .       .        .
DispatchOver    unknown!Ask     .           .            .             .             .    .   .       .        .
QueryOpen       .               open!Ask    open!Show    abandoned!Ask lapsed!Ask    .    .   .       .        .
QueryClosed     .               closed!End  closed!Next  closed!Ignore closed!Ignore .    .   .       .        .
QueryNotFound   .               open!Ask    unknown!Ask  abandoned!Ask lapsed!Ask    .    .   .       .        .
QueryAbsent     .               open!Ask    closed!Next  closed!Ignore closed!Ignore .    .   .       .        .
QueryUnknown    .               open!Ask    unknown!Ask  abandoned!Ask lapsed!Ask    .    .   .       .        .
CloseDone       .               closed!End  closed!Next  closed!Ignore closed!Ignore .    .   .       .        .
CloseRefused    .               open!Ask    unknown!Ask  abandoned!Ask lapsed!Ask    .    .   .       .        .
CloseUnknown    .               open!Ask    unknown!Ask  abandoned!Ask lapsed!Ask    .    .   .       .        .
TimerOver       .               closed!End  closed!Next  closed!Ignore closed!Ignore .    .   .       .        .
Lapse           .               lapsed!End  lapsed!End   .             .             .    .   .       .        .
SiblingPaid     lapsed!Ask      lapsed!Ask  lapsed!Ask   abandoned!Ask lapsed!Ask    .    .   .       .        .
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
            let want = words.next().unwrap();
            let got = step(state, happening);
            let shown = format!("{}!{:?}", got.0, got.1);
            let quiet = (state, Effect::Ignore);
            assert!(shown == want || (want == "." && got == quiet), "{state} x {name}: {shown}, want {want}");
        }
        assert_eq!(words.next(), None, "{name}");
        rows += 1;
    }
    assert_eq!(rows + SUMS.len() * 3, happenings().len());
    assert_eq!(COLUMNS.len(), S::ALL.len());
}

#[test]
fn money_is_booked_whatever_the_state() {
    for state in COLUMNS {
        for sum in SUMS {
            for happening in [H::QueryPaid(sum), H::Callback(sum)] {
                let want = match (state, sum) {
                    (S::Paid | S::DuplicatePaid, _) => (state, Effect::Ignore),
                    (_, Sum::Full | Sum::Over) => (S::Paid, Effect::Settle),
                    (_, Sum::Short) => (state, Effect::Hold(Held::Underpaid)),
                    (_, Sum::Foreign) => (state, Effect::Hold(Held::Mismatch)),
                };
                assert_eq!(step(state, happening), want, "{state} x {happening:?}");
            }
        }
    }
}

#[test]
fn an_answer_with_money_counts_only_while_its_sender_owns_the_attempt() {
    for state in COLUMNS {
        let want = if state == S::Sending { (S::Paid, Effect::Settle) } else { (state, Effect::Ignore) };
        assert_eq!(step(state, H::AnswerPaid(Sum::Full)), want, "{state}");
    }
    assert_eq!(step(S::Sending, H::AnswerPaid(Sum::Short)), (S::Sending, Effect::Hold(Held::Underpaid)));
    assert_eq!(step(S::Sending, H::AnswerPaid(Sum::Foreign)), (S::Sending, Effect::Hold(Held::Mismatch)));
}

#[test]
fn nothing_leads_back_to_sending_or_out_of_booked_money() {
    for state in COLUMNS {
        for happening in happenings() {
            let (next, effect) = step(state, happening);
            assert!(next != S::Sending || state == S::Sending, "{state} x {happening:?}");
            if matches!(state, S::Paid | S::DuplicatePaid) {
                assert_eq!((next, effect), (state, Effect::Ignore), "{happening:?}");
            }
            let no_money_seen = matches!(effect, Effect::Next | Effect::End);
            assert!(!no_money_seen || !matches!(next, S::Paid | S::DuplicatePaid), "{state} x {happening:?}");
        }
    }
}

#[test]
fn only_a_sure_end_lets_another_channel_try() {
    for state in COLUMNS {
        for happening in happenings() {
            let (next, effect) = step(state, happening);
            if effect == Effect::Next {
                let sure = matches!(next, S::NotSent | S::Refused | S::Closed | S::Abandoned);
                assert!(sure, "{state} x {happening:?} -> {next}");
            }
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
