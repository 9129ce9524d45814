//! What operators see beside the queue: callbacks, the audit trail, and the ledger's own lines.

use paymux_core::clock::Timestamp;
use paymux_core::ids::{AuditId, CallbackId};
use paymux_core::money::Money;
use paymux_core::outflow::OutflowState;
use paymux_core::payment::{AttemptState, Payment, Status};
use paymux_core::refund::{Refund, RefundOrigin};
use paymux_core::store::{
    AuditRow, CallbackFilter, CallbackRow, CallbackVerdict, ChannelUse, OrderLine, RefundLine, Ring, Window,
};
use paymux_core::transfer::Transfer;

use super::openings::ODD;
use super::refunds::{begun, paid_one};
use super::{Subject, kind};
use crate::fixtures::{
    Fixtures, change_of, channel, edit_attempt, number, opening_of, paid, refund_change, step_to,
};

const WIDE: Ring = Ring { rows: 1000, bytes: 1 << 20 };

fn all() -> CallbackFilter {
    CallbackFilter { payment: None, channel: None, verdict: None, after: None, limit: 1000 }
}

async fn list(subject: &Subject, filter: &CallbackFilter) -> Vec<CallbackRow> {
    subject.store.callbacks(filter).await.unwrap()
}

/// Eight callbacks, oldest first, two and two of one moment.
async fn eight(subject: &Subject) -> (Vec<CallbackRow>, [Payment; 2]) {
    let fixtures = Fixtures::new(1);
    let one = subject.opened(fixtures.opening("shop", "A1")).await;
    let two = subject.opened(fixtures.opening("market", "A2")).await;
    let mut change = paid(&fixtures, &one);
    let applied = CallbackRow { received_at: Timestamp::from_ms(100), ..fixtures.applied(&one, "key") };
    change.callback = Some(applied.clone());
    subject.done(change).await;
    let mut rows = vec![applied];
    for place in 1..8 {
        let row = CallbackRow {
            received_at: Timestamp::from_ms(100 + i64::try_from(place / 2).unwrap()),
            channel: channel(["main", "second"][place % 2]),
            payment: [None, Some(one.id), Some(two.id)][place % 3],
            detail: Some(ODD.to_owned()),
            ..fixtures.callback(CallbackVerdict::ALL[1 + place % 5])
        };
        subject.store.keep_callback(row.clone(), WIDE).await.unwrap();
        rows.push(row);
    }
    (rows, [one, two])
}

pub async fn shows_callbacks_newest_first(subject: &Subject) {
    let (mut rows, _) = eight(subject).await;
    rows.reverse();
    assert_eq!(list(subject, &all()).await, rows);
}

pub async fn filters_callbacks(subject: &Subject) {
    let (rows, payments) = eight(subject).await;
    let check = async |filter: CallbackFilter, want: &dyn Fn(&CallbackRow) -> bool| {
        let want: Vec<_> = rows.iter().rev().filter(|row| want(row)).cloned().collect();
        let all: Vec<_> = list(subject, &CallbackFilter { limit: 1000, ..filter.clone() }).await;
        assert_eq!(all, want, "{filter:?}");
        let some = usize::try_from(filter.limit).unwrap().min(want.len());
        assert_eq!(list(subject, &filter).await, want[..some], "{filter:?}");
    };
    for limit in [0, 1, 2, 1000] {
        let all = CallbackFilter { limit, ..all() };
        for payment in &payments {
            let id = Some(payment.id);
            check(CallbackFilter { payment: id, ..all.clone() }, &|row| row.payment == id).await;
        }
        for on in ["main", "second", "none"] {
            let on = Some(channel(on));
            let filter = CallbackFilter { channel: on.clone(), ..all.clone() };
            check(filter, &|row| on.as_ref() == Some(&row.channel)).await;
        }
        for verdict in CallbackVerdict::ALL {
            let filter = CallbackFilter { verdict: Some(*verdict), ..all.clone() };
            check(filter, &|row| row.verdict == *verdict).await;
        }
        for after in &rows {
            let after = (after.received_at, after.id);
            let filter = CallbackFilter { after: Some(after), ..all.clone() };
            check(filter, &|row| (row.received_at, row.id) < after).await;
        }
        let (id, after) = (Some(payments[0].id), (rows[6].received_at, rows[6].id));
        let filter =
            CallbackFilter { payment: id, channel: Some(channel("main")), after: Some(after), ..all.clone() };
        let fits = |row: &CallbackRow| row.payment == id && row.channel == channel("main");
        check(filter, &|row| fits(row) && (row.received_at, row.id) < after).await;
    }
}

pub async fn settles_what_waits_and_once(subject: &Subject) {
    let (rows, _) = eight(subject).await;
    let fixtures = Fixtures::new(7);
    let mut lines = Vec::new();
    for row in &rows {
        let waits = matches!(row.verdict, CallbackVerdict::Orphan | CallbackVerdict::Quarantined);
        let audit = fixtures.audit("callback.settle");
        if waits {
            assert_eq!(subject.store.settle_callback(row.id, audit.clone()).await, Ok(true));
            lines.push(audit);
        }
        let again = subject.store.settle_callback(row.id, fixtures.audit("again"));
        assert_eq!(subject.unchanged(again).await, Ok(false), "{:?}", row.verdict);
    }
    assert!(!lines.is_empty());
    lines.reverse();
    assert_eq!(subject.store.audit(None, 99).await, Ok(lines));
    let stranger = fixtures.id(CallbackId::make);
    let nothing = subject.store.settle_callback(stranger, fixtures.audit("none"));
    assert_eq!(subject.unchanged(nothing).await, Ok(false));
    // The callbacks themselves stay as they came.
    assert_eq!(subject.look.callbacks().await, rows);
}

pub async fn a_line_of_the_trail_has_its_own_id(subject: &Subject) {
    let (rows, [_, two]) = eight(subject).await;
    let fixtures = Fixtures::new(7);
    let waits = |row: &&CallbackRow| row.verdict == CallbackVerdict::Orphan;
    let id = rows.iter().find(waits).unwrap().id;
    let mut change = change_of(&two);
    let used = fixtures.audit("payment.confirm");
    change.audit = Some(used.clone());
    subject.done(change.clone()).await;
    let refused = subject.unchanged(subject.store.settle_callback(id, used)).await.unwrap_err();
    assert_eq!(kind(&refused), "corrupt");
    let two = subject.stored(&two.id).await;
    let again = paymux_core::store::Change { audit: change.audit, ..change_of(&two) };
    subject.writes_nothing(again, Err("corrupt")).await;
    assert_eq!(subject.store.settle_callback(id, fixtures.audit("fresh")).await, Ok(true));
}

pub async fn shows_the_trail_newest_first(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let mut seen = subject.opened(fixtures.opening("shop", "A1")).await;
    let mut want: Vec<AuditRow> = Vec::new();
    for place in 0..7 {
        let odd = AuditRow {
            // Its time says nothing of its place.
            at: Timestamp::from_ms([i64::MAX, 0, i64::MIN][place % 3]),
            operator: format!("operator {ODD}"),
            target: format!("target {ODD}"),
            before: serde_json::json!({ "a": [1, ODD, null, "\0"] }),
            after: serde_json::Value::Null,
            note: format!("note {ODD}"),
            request_id: format!("request {ODD}"),
            ..fixtures.audit(&format!("action {ODD}"))
        };
        let mut change = change_of(&seen);
        change.audit = Some(odd.clone());
        seen = subject.done(change).await;
        want.insert(0, odd);
    }
    assert_eq!(subject.store.audit(None, 99).await, Ok(want.clone()));
    for limit in 0..9 {
        let some = usize::try_from(limit).unwrap().min(7);
        assert_eq!(subject.store.audit(None, limit).await, Ok(want[..some].to_vec()));
    }
    for place in 0..7 {
        let older = subject.store.audit(Some(want[place].id), 2).await.unwrap();
        assert_eq!(older, want[place + 1..].iter().take(2).cloned().collect::<Vec<_>>());
    }
    assert_eq!(subject.store.audit(Some(fixtures.id(AuditId::make)), 99).await, Ok(want));
}

fn window(on: &str, from: i64, to: i64) -> Window {
    let [from, to] = [from, to].map(Timestamp::from_ms);
    Window { channel: channel(on), from, to, after: None, limit: 1000 }
}

/// Numbers that alphabets and letter cases could sort in another way.
const NUMBERS: [&str; 8] = ["a1", "A1", "B", "b", "Z~", "1", "10", "2"];

/// Pages through a window by `lines` and checks that all of `want` comes, by number.
async fn pages<T: Clone + PartialEq + std::fmt::Debug>(
    whole: Window,
    mut want: Vec<T>,
    number_of: impl Fn(&T) -> &str,
    lines: impl AsyncFn(Window) -> Vec<T>,
) {
    want.sort_by(|one, other| number_of(one).cmp(number_of(other)));
    assert_eq!(lines(whole.clone()).await, want, "{whole:?}");
    for limit in [1, 3] {
        let (mut got, mut after) = (Vec::new(), None);
        loop {
            let page = lines(Window { after, limit, ..whole.clone() }).await;
            let Some(last) = page.last() else { break };
            assert!(page.len() <= usize::try_from(limit).unwrap());
            after = Some(number_of(last).to_owned());
            got.extend(page);
            assert!(got.len() <= want.len(), "a page repeats what came before");
        }
        assert_eq!(got, want, "{limit} at a time");
    }
    let none = lines(Window { limit: 0, ..whole }).await;
    assert_eq!(none, []);
}

pub async fn shows_the_orders_of_a_while(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let mut made = Vec::new();
    for (place, text) in NUMBERS.into_iter().enumerate() {
        for on in ["main", "second"] {
            let mut payment = fixtures.payment("shop", &format!("{on}-{place}"));
            let attempt = &mut payment.attempts[0];
            attempt.channel = channel(on);
            attempt.number = number(text);
            attempt.created_at = Timestamp::from_ms(100 + i64::try_from(place).unwrap());
            let mut seen = subject.opened(opening_of(payment)).await;
            if place == 3 {
                seen = subject.done(paid(&fixtures, &seen)).await;
            }
            made.push(seen);
        }
    }
    let line = |payment: &Payment| {
        let attempt = &payment.attempts[0];
        OrderLine {
            number: attempt.number.as_str().to_owned(),
            payment: payment.id,
            state: attempt.state,
            status: payment.status,
            amount: payment.amount,
            received: attempt.received,
            reversed: false,
            created_at: attempt.created_at,
        }
    };
    let paid = line(&made[6]);
    assert_eq!((paid.state, paid.status), (AttemptState::Paid, Status::Succeeded));
    assert_eq!((paid.received, paid.number.as_str()), (Some(Money::fen(1999)), "b"));
    let lines = async |window: Window| subject.store.order_lines(&window).await.unwrap();
    for (from, to) in [(100, 108), (0, i64::MAX), (101, 104), (103, 104), (104, 104), (105, 101)] {
        let inside = |payment: &&Payment| {
            let attempt = &payment.attempts[0];
            attempt.channel == channel("main") && (from..to).contains(&attempt.created_at.ms())
        };
        let want: Vec<_> = made.iter().filter(inside).map(line).collect();
        pages(window("main", from, to), want, |line| &line.number, lines).await;
    }
    assert_eq!(lines(window("none", 0, i64::MAX)).await, []);
}

/// Money that a person has found sent back by a close; what went back otherwise is none such.
pub async fn shows_what_a_close_has_sent_back(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let mut want = Vec::new();
    for origin in RefundOrigin::ALL {
        let payment = paid_one(subject, &fixtures, origin.word()).await;
        let refund = Refund { origin: *origin, ..fixtures.refund(&payment, origin.word(), 1999) };
        let refund = begun(subject, refund).await;
        subject.done(refund_change(&payment, step_to(&refund, OutflowState::Succeeded))).await;
        want.push((payment.attempts[0].number.to_string(), *origin == RefundOrigin::Reversal));
    }
    want.sort();
    let lines = subject.store.order_lines(&window("main", 0, i64::MAX)).await.unwrap();
    assert_eq!(lines.into_iter().map(|line| (line.number, line.reversed)).collect::<Vec<_>>(), want);
}

/// Every attempt is an order of its own.
pub async fn shows_each_attempt_of_a_payment(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = subject.opened(fixtures.opening("shop", "A1")).await;
    let mut change = change_of(&seen);
    edit_attempt(&mut change, 0, |attempt| attempt.state = AttemptState::Refused);
    crate::fixtures::add_attempt(&mut change, fixtures.attempt("main"));
    let seen = subject.done(change).await;
    let lines = subject.store.order_lines(&window("main", 0, i64::MAX)).await.unwrap();
    let got: Vec<_> = lines.iter().map(|line| (line.number.as_str(), line.state)).collect();
    let mut want: Vec<_> = seen.attempts.iter().map(|a| (a.number.as_str(), a.state)).collect();
    want.sort_unstable();
    assert_eq!(got, want);
}

pub async fn shows_the_refunds_of_a_while(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let mut seen = paid_one(subject, &fixtures, "A1").await;
    let mut made = Vec::new();
    for (place, text) in NUMBERS.into_iter().enumerate() {
        for on in ["main", "second"] {
            let mut refund = begun(
                subject,
                Refund {
                    channel: channel(on),
                    number: format!("{text}茶"),
                    created_at: Timestamp::from_ms(100 + i64::try_from(place).unwrap()),
                    ..fixtures.refund(&seen, &format!("{on}-{place}"), 7)
                },
            )
            .await;
            if place == 3 {
                seen = subject.done(refund_change(&seen, step_to(&refund, OutflowState::Succeeded))).await;
                refund.state = OutflowState::Succeeded;
            }
            made.push(refund);
        }
    }
    let line = |refund: &Refund| RefundLine {
        number: refund.number.clone(),
        payment: refund.payment,
        state: refund.state,
        amount: refund.amount,
        created_at: refund.created_at,
    };
    let lines = async |window: Window| subject.store.refund_lines(&window).await.unwrap();
    for (from, to) in [(100, 108), (0, i64::MAX), (101, 104), (103, 104), (104, 104), (105, 101)] {
        let inside = |refund: &&Refund| {
            refund.channel == channel("main") && (from..to).contains(&refund.created_at.ms())
        };
        let want: Vec<_> = made.iter().filter(inside).map(line).collect();
        pages(window("main", from, to), want, |line| &line.number, lines).await;
    }
    assert_eq!(lines(window("none", 0, i64::MAX)).await, []);
}

pub async fn tells_what_a_channel_has_had_to_do_with_money(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let use_of = async |id: &str| subject.store.channel_use(&channel(id)).await.unwrap();
    assert_eq!(use_of("main").await, ChannelUse::default());
    let mut opening = fixtures.opening("shop", "A1");
    opening.payment.attempts[0].check_at = Some(Timestamp::from_ms(1));
    opening.payment.attempts[0].ends_at = Timestamp::from_ms(5000);
    let seen = subject.opened(opening).await;
    let want = |is_unended, ms| ChannelUse { is_unended, last_end: Some(Timestamp::from_ms(ms)) };
    assert_eq!(use_of("main").await, want(true, 5000));
    assert_eq!(use_of("second").await, ChannelUse::default());
    let mut change = change_of(&seen);
    edit_attempt(&mut change, 0, |attempt| {
        attempt.state = AttemptState::Closed;
        attempt.check_at = None;
    });
    subject.done(change).await;
    assert_eq!(use_of("main").await, want(false, 5000));
    // The end of an order that was made before can come later.
    let mut shorter = fixtures.opening("shop", "A2");
    shorter.payment.attempts[0].check_at = None;
    shorter.payment.attempts[0].ends_at = Timestamp::from_ms(4000);
    subject.opened(shorter).await;
    assert_eq!(use_of("main").await, want(false, 5000));
    // Money on its way out keeps a channel in use that has no orders.
    let paid = paid_one(subject, &fixtures, "A3").await;
    let refund = Refund {
        channel: channel("refunds"),
        check_at: Some(Timestamp::from_ms(1)),
        ..fixtures.refund(&paid, "R1", 7)
    };
    begun(subject, refund).await;
    let transfer = Transfer {
        channel: channel("transfers"),
        check_at: Some(Timestamp::from_ms(1)),
        ..fixtures.transfer("shop", "T1", 1)
    };
    super::transfers::begun(subject, transfer).await;
    for id in ["refunds", "transfers"] {
        assert_eq!(use_of(id).await, ChannelUse { is_unended: true, last_end: None }, "{id}");
    }
}
