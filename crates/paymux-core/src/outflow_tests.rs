//! Every state of money on its way out and every happening: one cell each, written out once more by hand.

use super::*;
use Happening as H;
use OutflowState as S;

const COLUMNS: [S; 7] =
    [S::Queued, S::Sending, S::Pending, S::NeedsAction, S::Unknown, S::Succeeded, S::Failed];

/// One row a happening, one column a state, in the order of [`COLUMNS`]. `.` = nothing changes.
const TABLE: &str = "
Take              sending:Send       .                   .                   .                   .                   .                  .
AnswerPending     .                  pending:Ask         .                   .                   .                   .                  .
AnswerDone        .                  succeeded:Book      succeeded:Book      succeeded:Book      succeeded:Book      .                  succeeded:Reclaim
AnswerFailed      .                  failed:Release      .                   .                   .                   .                  .
AnswerNotSent     .                  failed:Release      .                   .                   .                   .                  .
AnswerNeedsAction .                  needs_action:Act    .                   .                   .                   .                  .
AnswerUnknown     .                  unknown:Ask         .                   .                   .                   .                  .
DispatchOver      .                  unknown:Ask         .                   .                   .                   .                  .
QueryPending      .                  .                   pending:Ask         needs_action:Ask    pending:Ask         .                  failed:Ask
QueryDone         .                  .                   succeeded:Book      succeeded:Book      succeeded:Book      .                  succeeded:Reclaim
QueryFailed       .                  .                   failed:Release      failed:Release      failed:Release      succeeded:Contradict failed:Rest
QueryNeedsAction  .                  .                   needs_action:Act    needs_action:Ask    needs_action:Act    .                  failed:Ask
QueryNotFound     .                  .                   pending:Ask         needs_action:Ask    unknown:Ask         .                  failed:Ask
QueryUnknown      .                  .                   pending:Ask         needs_action:Ask    unknown:Ask         .                  failed:Ask
CallbackDone      succeeded:Book     succeeded:Book      succeeded:Book      succeeded:Book      succeeded:Book      .                  succeeded:Reclaim
CallbackFailed    .                  failed:Release      failed:Release      failed:Release      failed:Release      succeeded:Contradict .
OperatorDone      succeeded:Book     .                   succeeded:Book      succeeded:Book      succeeded:Book      .                  succeeded:Reclaim
OperatorNotDone   failed:Release      .                   failed:Trust        failed:Trust        failed:Trust        .                  .
Denied            failed:Release      .                   .                   .                   .                   .                  .
";

#[test]
fn every_cell_is_as_written() {
    let rows: Vec<&str> = TABLE.lines().filter(|line| !line.is_empty()).collect();
    assert_eq!(rows.len(), Happening::ALL.len());
    for (row, happening) in rows.into_iter().zip(Happening::ALL) {
        let mut words = row.split_whitespace();
        assert_eq!(words.next().map(str::to_owned), Some(format!("{happening:?}")));
        for state in COLUMNS {
            let want = words.next().unwrap();
            let (next, effect) = step(state, happening);
            let got = format!("{next}:{effect:?}");
            let quiet = want == "." && (next, effect) == (state, Effect::Ignore);
            assert!(quiet || got == want, "{state} x {happening:?}: {got}, want {want}");
        }
        assert_eq!(words.next(), None, "{happening:?}");
    }
}

#[test]
fn it_is_sent_once_and_never_again() {
    for state in COLUMNS {
        for happening in H::ALL {
            let (next, effect) = step(state, happening);
            if effect == Effect::Send || (next == S::Sending && state != S::Sending) {
                assert_eq!((state, happening), (S::Queued, H::Take));
            }
            assert!(next != S::Queued || state == S::Queued, "{state} x {happening:?}");
        }
    }
}

#[test]
fn what_is_set_aside_is_given_back_or_booked_exactly_once() {
    for state in COLUMNS {
        for happening in H::ALL {
            let (next, effect) = step(state, happening);
            let want = match (state.reserves(), next.reserves(), next) {
                (true, false, S::Succeeded) => Effect::Book,
                (true, false, _) if happening == H::OperatorNotDone && state != S::Queued => Effect::Trust,
                (true, false, _) => Effect::Release,
                (false, _, S::Succeeded) if state == S::Failed => Effect::Reclaim,
                _ => {
                    assert!(!matches!(
                        effect,
                        Effect::Book | Effect::Release | Effect::Trust | Effect::Reclaim
                    ));
                    continue;
                }
            };
            assert_eq!(effect, want, "{state} x {happening:?}");
        }
    }
}

#[test]
fn booked_money_stays_booked() {
    assert!(H::ALL.iter().all(|happening| step(S::Succeeded, *happening).0 == S::Succeeded));
}

#[test]
fn not_found_ends_nothing() {
    assert!(COLUMNS.iter().all(|state| step(*state, H::QueryNotFound).0 == *state));
}

#[test]
fn what_has_ended_for_good_is_not_looked_at_anew() {
    for happening in H::ALL {
        let (next, effect) = step(S::Failed, happening);
        let is_look = next == S::Failed && effect != Effect::Ignore;
        assert!(is_idle((next, effect), false) || effect == Effect::Reclaim, "{happening:?}");
        assert_eq!(is_idle((next, effect), true), !is_look && effect != Effect::Reclaim, "{happening:?}");
        assert!(!is_idle(step(S::Pending, H::QueryPending), false));
    }
}
