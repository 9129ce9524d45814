//! What waits for a person: of each kind one that does, and its neighbours that do not.

use paymux_core::clock::Timestamp;
use paymux_core::ids::PaymentId;
use paymux_core::money::Money;
use paymux_core::outflow::OutflowState;
use paymux_core::payment::{Attempt, AttemptState, Failure, Payment, SecondSum};
use paymux_core::refund::Refund;
use paymux_core::store::{
    CallbackRow, CallbackVerdict, DeliveryOutcome, DeliveryReport, Event, EventKind, Patience, QueueCounts,
    QueueFilter, QueueItem, QueueKind, RefundWrite, Ring,
};
use paymux_core::transfer::Transfer;

use super::{Subject, transfers};
use crate::fixtures::{
    Fixtures, add_event, add_transfer_event, app_id, change_of, channel, edit_attempt, opening_of,
    refund_change, step_to, transfer_to,
};

/// From when on what may still end by itself waits.
const PATIENCE: Patience = Patience {
    unknown_before: Timestamp::from_ms(1000),
    ended_before: Timestamp::from_ms(2000),
    sent_before: Timestamp::from_ms(500),
};
const WIDE: Ring = Ring { rows: 1000, bytes: 1 << 20 };

fn all() -> QueueFilter {
    QueueFilter { kind: None, patience: PATIENCE, after: None, limit: 1000 }
}

/// Checks the queue, its counts, and that a kind can be asked for alone.
async fn check(subject: &Subject, want: &[QueueItem]) {
    assert_eq!(subject.store.queue(&all()).await.as_deref(), Ok(want));
    let mut counts = QueueCounts::new();
    for item in want {
        *counts.entry(item.kind).or_default() += 1;
    }
    assert_eq!(subject.store.queue_counts(PATIENCE).await, Ok(counts));
    for kind in QueueKind::ALL {
        let of_kind: Vec<_> = want.iter().filter(|item| item.kind == *kind).cloned().collect();
        let filter = QueueFilter { kind: Some(*kind), ..all() };
        assert_eq!(subject.store.queue(&filter).await, Ok(of_kind), "{kind}");
    }
}

fn failure(message: &str) -> Failure {
    Failure { code: "unknown".to_owned(), message: message.to_owned(), provider_code: None }
}

/// A payment whose attempt was made at that moment and then came to what `edit` says.
async fn attempt(
    subject: &Subject,
    fixtures: &Fixtures,
    ms: i64,
    edit: impl FnOnce(&mut Attempt),
) -> Payment {
    let mut payment = fixtures.payment("shop", &fixtures.now().ms().to_string());
    payment.attempts[0].created_at = Timestamp::from_ms(ms);
    let seen = subject.opened(opening_of(payment)).await;
    let mut change = change_of(&seen);
    edit_attempt(&mut change, 0, edit);
    subject.done(change).await
}

fn item_of(payment: &Payment, kind: QueueKind, minor: i64) -> QueueItem {
    let attempt = &payment.attempts[0];
    QueueItem {
        kind,
        id: attempt.id.to_string(),
        app: Some(app_id("shop")),
        payment: Some(payment.id),
        channel: Some(channel("main")),
        amount: Some(Money::fen(minor)),
        since: attempt.created_at,
        detail: attempt.failure.as_ref().map(|failure| failure.message.clone()),
    }
}

pub async fn is_empty_at_first(subject: &Subject) {
    check(subject, &[]).await;
    let fixtures = Fixtures::new(1);
    let mut payment = fixtures.payment("shop", "A1");
    payment.attempts[0].created_at = Timestamp::from_ms(1);
    subject.opened(opening_of(payment)).await;
    check(subject, &[]).await;
}

pub async fn an_attempt_that_is_unknown_for_long(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let mut want = Vec::new();
    for state in AttemptState::ALL {
        for ms in [999, 1000] {
            let payment = attempt(subject, &fixtures, ms, |attempt| {
                attempt.state = *state;
                attempt.failure = Some(failure("茶 'x'"));
            })
            .await;
            if *state == AttemptState::Unknown && ms == 999 {
                want.push(item_of(&payment, QueueKind::AttemptUnknown, 1999));
            }
        }
    }
    check(subject, &want).await;
}

/// What its provider has said to be paid waits like what is unknown, until that money is shown or its end.
pub async fn an_attempt_that_is_said_to_be_paid_for_long(subject: &Subject) {
    use AttemptState::{Abandoned, Lapsed, Open, Unknown};
    let fixtures = Fixtures::new(1);
    let mut want = Vec::new();
    for state in AttemptState::ALL {
        for (ms, received) in [(999, None), (999, Some(7)), (1000, None)] {
            let payment = attempt(subject, &fixtures, ms, |attempt| {
                attempt.state = *state;
                attempt.said_paid_at = Some(Timestamp::from_ms(ms));
                attempt.received = received.map(Money::fen);
            })
            .await;
            let is_said_paid = matches!(state, Open | Unknown | Abandoned | Lapsed) && received.is_none();
            if ms == 999 && (is_said_paid || *state == Unknown) {
                want.push(item_of(&payment, QueueKind::AttemptUnknown, received.unwrap_or(1999)));
            } else if received.is_some() && *state != AttemptState::Paid {
                want.push(item_of(&payment, QueueKind::MoneyHeld, 7));
            }
        }
    }
    check(subject, &want).await;
}

/// An order that should have ended, and of which nobody knows more, waits; one with money waits for that.
pub async fn an_attempt_that_is_open_long_after_its_end(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let mut want = Vec::new();
    for state in AttemptState::ALL {
        for (ends_at, received, said_paid) in
            [(1999, None, false), (1999, Some(7), false), (1999, None, true), (2000, None, false)]
        {
            let mut payment = fixtures.payment("shop", &fixtures.now().ms().to_string());
            payment.attempts[0].created_at = Timestamp::from_ms(999);
            payment.attempts[0].ends_at = Timestamp::from_ms(ends_at);
            let seen = subject.opened(opening_of(payment)).await;
            let mut change = change_of(&seen);
            edit_attempt(&mut change, 0, |attempt| {
                attempt.state = *state;
                attempt.received = received.map(Money::fen);
                attempt.said_paid_at = said_paid.then_some(Timestamp::from_ms(1));
            });
            let payment = subject.done(change).await;
            let attempt = &payment.attempts[0];
            let is_overdue = *state == AttemptState::Open && ends_at == 1999 && received.is_none();
            if is_overdue || *state == AttemptState::Unknown || attempt.is_said_paid() {
                want.push(item_of(&payment, QueueKind::AttemptUnknown, received.unwrap_or(1999)));
            } else if received.is_some() && *state != AttemptState::Paid {
                want.push(item_of(&payment, QueueKind::MoneyHeld, 7));
            }
        }
    }
    check(subject, &want).await;
}

pub async fn money_that_is_no_success(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let mut want = Vec::new();
    for state in AttemptState::ALL {
        for received in [None, Some(0), Some(7)] {
            let payment = attempt(subject, &fixtures, 1000, |attempt| {
                attempt.state = *state;
                attempt.received = received.map(Money::fen);
            })
            .await;
            if *state != AttemptState::Paid && received == Some(7) {
                want.push(item_of(&payment, QueueKind::MoneyHeld, 7));
            }
        }
    }
    check(subject, &want).await;
}

/// A success counts with what of it is contested, any other money with all that is left.
pub async fn money_that_may_have_gone_back(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let mut want = Vec::new();
    for (state, held) in [(AttemptState::Paid, 7), (AttemptState::DuplicatePaid, 1999)] {
        for contested in [0, 7] {
            let payment = attempt(subject, &fixtures, 1000, |attempt| {
                attempt.state = state;
                attempt.received = Some(Money::fen(1999));
                attempt.contested = contested;
            })
            .await;
            if contested > 0 || state == AttemptState::DuplicatePaid {
                want.push(item_of(&payment, QueueKind::MoneyHeld, held));
            }
        }
    }
    check(subject, &want).await;
}

pub async fn money_that_came_beside(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let sum = |amount, currency: &str, settled| SecondSum {
        // A number that looks like the stored form of what is looked for.
        trade_no: "\"settled\":false".to_owned(),
        amount,
        currency: currency.to_owned(),
        settled,
    };
    let cases = [
        (vec![], None),
        (vec![sum(5, "CNY", true)], None),
        (vec![sum(5, "CNY", false)], Some(5)),
        (vec![sum(5, "CNY", true), sum(6, "CNY", false)], Some(6)),
        (vec![sum(5, "CNY", false), sum(6, "USD", false), sum(7, "CNY", false)], Some(12)),
    ];
    let mut want = Vec::new();
    for (more, held) in cases {
        let payment = attempt(subject, &fixtures, 1000, |attempt| {
            attempt.state = AttemptState::Paid;
            attempt.received = Some(Money::fen(1999));
            attempt.more = more.clone();
        })
        .await;
        assert_eq!(payment.attempts[0].more, more);
        want.extend(held.map(|minor| item_of(&payment, QueueKind::MoneyHeld, minor)));
    }
    let both = attempt(subject, &fixtures, 1000, |attempt| {
        attempt.state = AttemptState::Lapsed;
        attempt.received = Some(Money::fen(100));
        attempt.more = vec![sum(5, "CNY", false)];
    })
    .await;
    want.push(item_of(&both, QueueKind::MoneyHeld, 105));
    check(subject, &want).await;
}

/// What is unknown and holds money waits once: as unknown from the moment on at which that counts.
pub async fn nothing_waits_under_two_kinds(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let mut want = Vec::new();
    for (ms, kind) in [(999, QueueKind::AttemptUnknown), (1000, QueueKind::MoneyHeld)] {
        let payment = attempt(subject, &fixtures, ms, |attempt| {
            attempt.state = AttemptState::Unknown;
            attempt.received = Some(Money::fen(7));
        })
        .await;
        want.push(item_of(&payment, kind, 7));
    }
    check(subject, &want).await;
}

/// Money on its way back waits for nobody, unless that fails; money that has gone back neither.
pub async fn money_that_goes_back(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = attempt(subject, &fixtures, 1000, |attempt| {
        attempt.state = AttemptState::DuplicatePaid;
        attempt.received = Some(Money::fen(70));
    })
    .await;
    let part = Refund { refund_no: None, ..fixtures.refund(&seen, "none", 20) };
    let mut rest = Refund { refund_no: None, ..fixtures.refund(&seen, "none", 50) };
    let seen = subject.done(refund_change(&seen, RefundWrite::Begin(part.clone()))).await;
    check(subject, &[item_of(&seen, QueueKind::MoneyHeld, 50)]).await;
    let seen = subject.done(refund_change(&seen, RefundWrite::Begin(rest.clone()))).await;
    check(subject, &[]).await;
    let seen = subject.done(refund_change(&seen, step_to(&part, OutflowState::Succeeded))).await;
    let seen = subject.done(refund_change(&seen, step_to(&rest, OutflowState::Failed))).await;
    check(subject, &[item_of(&seen, QueueKind::MoneyHeld, 50)]).await;
    rest.state = OutflowState::Failed;
    let seen = subject.done(refund_change(&seen, step_to(&rest, OutflowState::Succeeded))).await;
    check(subject, &[]).await;
    assert_eq!(seen.attempts[0].refunded, 70);
}

pub async fn a_refund_that_is_unknown_or_needs_action(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let mut seen = super::refunds::paid_one(subject, &fixtures, "A1").await;
    let mut want = Vec::new();
    for state in OutflowState::ALL {
        for (ms, sent_ms) in [(499, None), (499, Some(499)), (499, Some(500)), (500, None), (1000, None)] {
            let refund = Refund {
                state: *state,
                created_at: Timestamp::from_ms(ms),
                sent_at: sent_ms.map(Timestamp::from_ms),
                failure: Some(failure("why")),
                ..fixtures.refund(&seen, &format!("R-{state}-{ms}-{sent_ms:?}").replace(['(', ')'], ""), 3)
            };
            seen = subject.done(refund_change(&seen, RefundWrite::Begin(refund.clone()))).await;
            let kind = match state {
                OutflowState::Unknown if ms < 1000 => QueueKind::RefundUnknown,
                OutflowState::Pending if ms == 499 && sent_ms != Some(500) => QueueKind::RefundUnknown,
                OutflowState::NeedsAction => QueueKind::RefundNeedsAction,
                _ => continue,
            };
            want.push(QueueItem {
                kind,
                id: refund.id.to_string(),
                app: Some(app_id("shop")),
                payment: Some(seen.id),
                channel: Some(channel("main")),
                amount: Some(Money::fen(3)),
                since: refund.created_at,
                detail: Some("why".to_owned()),
            });
        }
    }
    want.sort_by(|one, other| (one.since, &one.id).cmp(&(other.since, &other.id)));
    check(subject, &want).await;
}

pub async fn a_transfer_that_is_unknown_or_needs_action(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let mut want = Vec::new();
    for state in OutflowState::ALL {
        for ms in [499, 500, 999, 1000] {
            let transfer = Transfer {
                state: *state,
                created_at: Timestamp::from_ms(ms),
                ..fixtures.transfer("shop", &format!("T-{state}-{ms}"), 3)
            };
            let transfer = transfers::begun(subject, transfer).await;
            let kind = match state {
                OutflowState::Unknown if ms < 1000 => QueueKind::TransferUnknown,
                OutflowState::Pending if ms == 499 => QueueKind::TransferUnknown,
                OutflowState::NeedsAction => QueueKind::TransferNeedsAction,
                _ => continue,
            };
            want.push(QueueItem {
                kind,
                id: transfer.id.to_string(),
                app: Some(app_id("shop")),
                payment: None,
                channel: Some(channel("main")),
                amount: Some(Money::fen(3)),
                since: transfer.created_at,
                detail: None,
            });
        }
    }
    want.sort_by(|one, other| (one.since, &one.id).cmp(&(other.since, &other.id)));
    check(subject, &want).await;
}

fn callback_item(row: &CallbackRow) -> QueueItem {
    QueueItem {
        kind: QueueKind::CallbackUnmatched,
        id: row.id.to_string(),
        app: row.payment.map(|_| app_id("shop")),
        payment: row.payment,
        channel: Some(row.channel.clone()),
        amount: None,
        since: row.received_at,
        detail: row.detail.clone(),
    }
}

pub async fn a_callback_that_fits_nothing(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let payment = subject.opened(fixtures.opening("shop", "A1")).await;
    let mut want = Vec::new();
    for verdict in CallbackVerdict::ALL.iter().copied().filter(|verdict| *verdict != CallbackVerdict::Applied)
    {
        for of in [None, Some(payment.id)] {
            let row = CallbackRow {
                payment: of,
                detail: of.map(|_| "another amount".to_owned()),
                channel: channel("bee"),
                ..fixtures.callback(verdict)
            };
            subject.store.keep_callback(row.clone(), WIDE).await.unwrap();
            if matches!(verdict, CallbackVerdict::Orphan | CallbackVerdict::Quarantined) {
                want.push(callback_item(&row));
            }
        }
    }
    check(subject, &want).await;
    let settled = want.remove(1);
    let audit = fixtures.audit("callback.settle");
    let id = settled.id.parse().unwrap();
    assert_eq!(subject.store.settle_callback(id, audit).await, Ok(true));
    check(subject, &want).await;
}

pub async fn a_notice_that_nobody_took(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let mut want = Vec::new();
    let outcomes = [
        None,
        Some(DeliveryOutcome::Delivered(Timestamp::from_ms(5))),
        Some(DeliveryOutcome::Again(Timestamp::from_ms(i64::MAX))),
        Some(DeliveryOutcome::Dead),
        Some(DeliveryOutcome::Gone),
    ];
    for (place, outcome) in outcomes.into_iter().enumerate() {
        for of_transfer in [false, true] {
            let (event, payment) = told(subject, &fixtures, place, of_transfer).await;
            let Some(outcome) = outcome else { continue };
            take_and_report(subject, &event, outcome).await;
            if matches!(outcome, DeliveryOutcome::Dead | DeliveryOutcome::Gone) {
                want.push(QueueItem {
                    kind: QueueKind::NoticeDead,
                    id: event.id.to_string(),
                    app: Some(event.app.clone()),
                    payment,
                    channel: None,
                    amount: None,
                    since: event.created_at,
                    detail: Some("503".to_owned()),
                });
            }
        }
    }
    check(subject, &want).await;
}

/// An event for an address of its own, of a payment or of a transfer.
async fn told(
    subject: &Subject,
    fixtures: &Fixtures,
    place: usize,
    of_transfer: bool,
) -> (Event, Option<PaymentId>) {
    let url = Some(format!("https://shop.example/{place}/{of_transfer}"));
    if of_transfer {
        let seen = transfers::begun(subject, fixtures.transfer("shop", &format!("T{place}"), 1)).await;
        let mut change = transfer_to(&seen, OutflowState::Failed);
        let event = Event { url, ..fixtures.transfer_event(&seen, EventKind::TransferFailed) };
        add_transfer_event(&mut change, event.clone());
        transfers::done(subject, change).await;
        return (event, None);
    }
    let seen = subject.opened(fixtures.opening("shop", &format!("A{place}"))).await;
    let mut change = change_of(&seen);
    let event = Event { url, ..fixtures.event(&seen, EventKind::PaymentFailed) };
    add_event(&mut change, event.clone());
    subject.done(change).await;
    (event, Some(seen.id))
}

async fn take_and_report(subject: &Subject, event: &Event, outcome: DeliveryOutcome) {
    let lease = std::time::Duration::from_hours(1);
    let now = event.created_at;
    let due = subject.store.take_due_deliveries(now, lease, 99, 99, &[]).await.unwrap();
    let fence = due.iter().find(|due| due.event.id == event.id).unwrap().fence;
    let report = DeliveryReport { event: event.id, fence, outcome, detail: "503".to_owned() };
    subject.store.report_deliveries(vec![report]).await.unwrap();
}

/// Things of all kinds that wait since the same few moments.
async fn mixed(subject: &Subject, fixtures: &Fixtures) {
    let mut seen = super::refunds::paid_one(subject, fixtures, "A1").await;
    for place in 0..12 {
        let at = Timestamp::from_ms(100 + place % 3);
        attempt(subject, fixtures, at.ms(), |attempt| {
            attempt.state = AttemptState::Unknown;
            attempt.received = (place % 2 == 0).then_some(Money::fen(1));
        })
        .await;
        attempt(subject, fixtures, at.ms(), |attempt| attempt.received = Some(Money::fen(2))).await;
        let state = [OutflowState::Unknown, OutflowState::NeedsAction][usize::from(place % 2 == 0)];
        let refund = fixtures.refund(&seen, &format!("R{place}"), 1);
        let begin = RefundWrite::Begin(Refund { state, created_at: at, ..refund });
        seen = subject.done(refund_change(&seen, begin)).await;
        let transfer = fixtures.transfer("shop", &format!("T{place}"), 1);
        transfers::begun(subject, Transfer { state, created_at: at, ..transfer }).await;
        let row = CallbackRow { received_at: at, ..fixtures.callback(CallbackVerdict::Orphan) };
        subject.store.keep_callback(row, WIDE).await.unwrap();
    }
}

pub async fn pages_without_gaps_or_repeats(subject: &Subject) {
    let fixtures = Fixtures::new(3);
    mixed(subject, &fixtures).await;
    let whole = subject.store.queue(&all()).await.unwrap();
    assert_eq!(whole.len(), 60);
    assert!(whole.is_sorted_by(|one, next| (one.since, &one.id) < (next.since, &next.id)));
    for kind in QueueKind::ALL.iter().copied().map(Some).chain([None]) {
        let want: Vec<_> = whole.iter().filter(|item| kind.is_none_or(|kind| item.kind == kind)).collect();
        for limit in [1, 2, 7, 60, 61] {
            let (mut got, mut after) = (Vec::new(), None);
            loop {
                let page = subject.store.queue(&QueueFilter { kind, after, limit, ..all() }).await.unwrap();
                let Some(last) = page.last() else { break };
                assert!(page.len() <= usize::try_from(limit).unwrap());
                after = Some((last.since, last.id.clone()));
                got.extend(page);
                assert!(got.len() <= want.len(), "a page repeats what came before");
            }
            assert_eq!(got.iter().collect::<Vec<_>>(), want, "{kind:?}, {limit} at a time");
        }
    }
    assert_eq!(subject.store.queue(&QueueFilter { limit: 0, ..all() }).await, Ok(vec![]));
}

pub async fn counts_what_it_lists(subject: &Subject) {
    let fixtures = Fixtures::new(3);
    mixed(subject, &fixtures).await;
    for ms in [i64::MIN, 100, 101, 102, 103, i64::MAX] {
        let before = Timestamp::from_ms(ms);
        let patience = Patience { unknown_before: before, ended_before: before, sent_before: before };
        let mut want = QueueCounts::new();
        for item in subject.store.queue(&QueueFilter { patience, ..all() }).await.unwrap() {
            *want.entry(item.kind).or_default() += 1;
        }
        assert_eq!(subject.store.queue_counts(patience).await, Ok(want), "before {ms}");
    }
}
