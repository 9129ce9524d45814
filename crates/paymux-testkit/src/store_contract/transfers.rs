//! Transfers: opened within a day's limit, changed, found, taken by workers.

use std::collections::BTreeMap;
use std::time::Duration;

use paymux_core::clock::Timestamp;
use paymux_core::ids::TransferId;
use paymux_core::money::{Currency, Money};
use paymux_core::outflow::OutflowState;
use paymux_core::payment::{Failure, FrontNote};
use paymux_core::posting::Cause;
use paymux_core::store::{Applied, DayLimit, EventKind, TransferChange, TransferOpened};
use paymux_core::transfer::Transfer;

use super::openings::ODD;
use super::refunds::failure;
use super::{Subject, kind};
use crate::fixtures::{
    Fixtures, add_event, add_transfer_event, app_id, change_of, channel, transfer, transfer_to,
};

const LEASE: Duration = Duration::from_millis(100);

/// A limit that nothing here reaches.
pub(super) const WIDE: DayLimit = DayLimit { from: Timestamp::from_ms(0), amount_max: i64::MAX };

/// Opens a transfer that must be new.
pub(super) async fn begun(subject: &Subject, transfer: Transfer) -> Transfer {
    within(subject, transfer.clone(), WIDE).await;
    transfer
}

async fn within(subject: &Subject, transfer: Transfer, limit: DayLimit) {
    let opened = subject.store.open_transfer(transfer, limit).await.unwrap();
    assert!(matches!(opened, TransferOpened::New), "{opened:?}");
}

async fn over(subject: &Subject, transfer: Transfer, limit: DayLimit) {
    let opened = subject.unchanged(subject.store.open_transfer(transfer, limit)).await.unwrap();
    assert!(matches!(opened, TransferOpened::OverLimit), "{opened:?}");
}

async fn is_corrupt(subject: &Subject, transfer: Transfer) {
    let refused = subject.unchanged(subject.store.open_transfer(transfer, WIDE)).await.unwrap_err();
    assert_eq!(kind(&refused), "corrupt");
}

/// Applies a change that must succeed and gives the transfer back as it is now.
pub(super) async fn done(subject: &Subject, change: TransferChange) -> Transfer {
    let id = change.transfer.id;
    assert_eq!(subject.store.apply_transfer(change).await, Ok(Applied::Done));
    subject.store.transfer(id).await.unwrap().unwrap()
}

/// Applies a change that must come to `want` and leave everything as it was.
async fn writes_nothing(subject: &Subject, change: TransferChange, want: Result<Applied, &str>) {
    let got = subject.unchanged(subject.store.apply_transfer(change)).await;
    assert_eq!(got.as_ref().map_err(kind), want.as_ref().map_err(|kind| *kind));
}

/// A transfer in which no field is what it is by default, and no two are alike.
fn full(fixtures: &Fixtures) -> Transfer {
    Transfer {
        channel: channel("bee-main"),
        provider: "beehive".to_owned(),
        number: format!("~number {ODD}"),
        amount: Money::new(1001, Currency::from_code("KWD").unwrap()),
        product: format!("product {ODD}"),
        payee_masked: BTreeMap::from([(ODD.to_owned(), ODD.to_owned()), (String::new(), "\0".to_owned())]),
        reason: format!("reason {ODD}"),
        livemode: true,
        state: OutflowState::NeedsAction,
        fence: 1002,
        action_url: Some(format!("https://a.example/{ODD}")),
        failure: Some(failure()),
        reference: Some(format!("reference {ODD}")),
        fingerprint: format!("fingerprint {ODD}"),
        events: 1003,
        created_at: Timestamp::from_ms(1004),
        ended_at: Some(Timestamp::from_ms(1005)),
        check_at: Some(Timestamp::from_ms(1006)),
        checks: 1007,
        front: Some(Box::new(FrontNote {
            notify_url: Some(format!("https://b.example/{ODD}")),
            ..FrontNote::new("beehive", ODD, &serde_json::json!({ODD: [1, null]}))
        })),
        ..fixtures.transfer("shop", "T-1_z", 1)
    }
}

pub async fn keeps_every_field(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    for transfer in [full(&fixtures), fixtures.transfer("shop", "T2", 1)] {
        let transfer = begun(subject, transfer).await;
        assert_eq!(subject.store.transfer(transfer.id).await, Ok(Some(transfer)));
    }
}

pub async fn keeps_extreme_values(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    for (place, edge) in [i64::MIN, -1, 0, i64::MAX].into_iter().enumerate() {
        let at = Timestamp::from_ms(edge);
        let transfer = Transfer {
            created_at: at,
            ended_at: Some(at),
            check_at: Some(at),
            fence: edge.max(0),
            events: edge.max(0),
            checks: if edge > 0 { i32::MAX } else { 0 },
            transfer_no: transfer(&"Z".repeat(60 + place)),
            ..fixtures.transfer("shop", "T", if edge > 0 { edge } else { 1 })
        };
        let far = DayLimit { from: Timestamp::from_ms(i64::MAX), ..WIDE };
        within(subject, transfer.clone(), far).await;
        assert_eq!(subject.store.transfer(transfer.id).await, Ok(Some(transfer)));
    }
}

/// PostgreSQL cannot hold U+0000 in text; what came with it must be kept all the same.
pub async fn keeps_no_nul(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let transfer = Transfer {
        reason: "a\0b".to_owned(),
        failure: Some(Failure { message: "a\0b".to_owned(), ..failure() }),
        ..fixtures.transfer("shop", "T1", 1)
    };
    let transfer = begun(subject, transfer).await;
    let mut change = transfer_to(&transfer, OutflowState::Sending);
    change.transfer.reference = Some("\0".to_owned());
    let stored = done(subject, change).await;
    assert_eq!(stored.reason, "a\u{fffd}b");
    assert_eq!(stored.reference.as_deref(), Some("\u{fffd}"));
    assert_eq!(stored.failure, transfer.failure);
}

pub async fn keeps_every_word(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let mut seen = begun(subject, fixtures.transfer("shop", "T1", 1)).await;
    for state in OutflowState::ALL {
        seen = done(subject, transfer_to(&seen, *state)).await;
        assert_eq!(seen.state, *state);
    }
}

pub async fn finds_the_stored_one_by_its_number(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let stored = begun(subject, fixtures.transfer("shop", "T1", 500)).await;
    let another = fixtures.transfer("shop", "T1", 7);
    let none = DayLimit { amount_max: 0, ..WIDE };
    for (again, limit) in [(stored.clone(), WIDE), (another.clone(), WIDE), (another, none)] {
        match subject.unchanged(subject.store.open_transfer(again, limit)).await.unwrap() {
            TransferOpened::Exists(found) => assert_eq!(*found, stored),
            other => panic!("one transfer number, two transfers: {other:?}"),
        }
    }
}

pub async fn shows_those_of_an_app_newest_first(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    begun(subject, fixtures.transfer("market", "T0", 1)).await;
    let app = app_id("shop");
    assert_eq!(subject.store.transfers_of_app(&app, None, u32::MAX).await, Ok(vec![]));
    let mut want = Vec::new();
    for place in 0..4 {
        want.insert(0, begun(subject, fixtures.transfer("shop", &format!("T{place}"), 1)).await);
    }
    let all = |after, limit| subject.store.transfers_of_app(&app, after, limit);
    assert_eq!(all(None, u32::MAX).await, Ok(want.clone()));
    for (place, transfer) in want.iter().enumerate() {
        let rest = want[place + 1..].to_vec();
        assert_eq!(all(Some(transfer.id), 9).await, Ok(rest.clone()));
        assert_eq!(all(Some(transfer.id), 1).await, Ok(rest.into_iter().take(1).collect()));
    }
}

pub async fn finds_by_each_number(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let one = begun(subject, fixtures.transfer("shop", "T1", 1)).await;
    let two = begun(subject, fixtures.transfer("market", "T1", 1)).await;
    let other = Transfer { channel: channel("other"), ..fixtures.transfer("shop", "t1", 1) };
    let three = begun(subject, Transfer { number: one.number.clone(), ..other }).await;
    let by_no = async |app: &str, no: &str| {
        subject.store.transfer_by_no(&app_id(app), &transfer(no)).await.unwrap().map(|found| found.id)
    };
    assert_eq!(by_no("shop", "T1").await, Some(one.id));
    assert_eq!(by_no("market", "T1").await, Some(two.id));
    assert_eq!(by_no("shop", "t1").await, Some(three.id));
    assert_eq!(by_no("shop", "T2").await, None);
    let by_number = async |on: &str, number: &str| {
        subject.store.transfer_by_number(&channel(on), number).await.unwrap().map(|found| found.id)
    };
    assert_eq!(by_number("main", &one.number).await, Some(one.id));
    assert_eq!(by_number("other", &one.number).await, Some(three.id));
    assert_eq!(by_number("main", &one.number.to_uppercase()).await, None);
    assert_eq!(by_number("main", "").await, None);
    assert_eq!(subject.store.transfer(fixtures.id(TransferId::make)).await, Ok(None));
}

pub async fn refuses_an_id_or_a_number_in_use(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let first = begun(subject, fixtures.transfer("shop", "T1", 1)).await;
    is_corrupt(subject, Transfer { id: first.id, ..fixtures.transfer("shop", "T2", 1) }).await;
    is_corrupt(subject, Transfer { number: first.number, ..fixtures.transfer("shop", "T2", 1) }).await;
}

pub async fn refuses_amounts_that_cannot_be(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    for minor in [0, -1, i64::MIN] {
        is_corrupt(subject, fixtures.transfer("shop", "T1", minor)).await;
    }
}

pub async fn keeps_the_days_limit(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let limit = DayLimit { amount_max: 1000, ..WIDE };
    over(subject, fixtures.transfer("shop", "T1", 1001), limit).await;
    within(subject, fixtures.transfer("shop", "T1", 600), limit).await;
    over(subject, fixtures.transfer("shop", "T2", 401), limit).await;
    within(subject, fixtures.transfer("shop", "T2", 400), limit).await;
    over(subject, fixtures.transfer("shop", "T3", 1), limit).await;
    over(subject, fixtures.transfer("shop", "T3", i64::MAX), WIDE).await;
    within(subject, fixtures.transfer("shop", "T3", 1), DayLimit { amount_max: 1001, ..WIDE }).await;
    over(subject, fixtures.transfer("fresh", "T1", 1), DayLimit { amount_max: 0, ..WIDE }).await;
}

pub async fn limits_one_app_and_one_currency(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let limit = DayLimit { amount_max: 1000, ..WIDE };
    within(subject, fixtures.transfer("shop", "T1", 1000), limit).await;
    within(subject, fixtures.transfer("market", "T1", 1000), limit).await;
    let dollars = Money::new(1000, Currency::from_code("USD").unwrap());
    within(subject, Transfer { amount: dollars, ..fixtures.transfer("shop", "T2", 1) }, limit).await;
    for app in ["shop", "market"] {
        over(subject, fixtures.transfer(app, "T3", 1), limit).await;
    }
}

pub async fn counts_what_was_made_in_the_day(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let made_at =
        |no: &str, ms| Transfer { created_at: Timestamp::from_ms(ms), ..fixtures.transfer("shop", no, 500) };
    let day = |from| DayLimit { from: Timestamp::from_ms(from), amount_max: 1000 };
    within(subject, made_at("T1", 99), day(0)).await;
    within(subject, made_at("T2", 100), day(0)).await;
    over(subject, made_at("T3", 300), day(99)).await;
    within(subject, made_at("T3", 300), day(100)).await;
    over(subject, made_at("T4", 300), day(100)).await;
    // A new one counts whenever it was made, against those of the day.
    over(subject, made_at("T4", 50), day(100)).await;
    within(subject, made_at("T4", 50), day(101)).await;
}

/// Whatever may have left, or still may, counts; what has surely failed does not.
pub async fn counts_all_but_failed_ones(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let limit = DayLimit { amount_max: 1000, ..WIDE };
    for state in OutflowState::ALL {
        let app = format!("app-{state}");
        let first = fixtures.transfer(&app, "T1", 1000);
        within(subject, first.clone(), limit).await;
        done(subject, transfer_to(&first, *state)).await;
        let second = fixtures.transfer(&app, "T2", 1);
        if *state == OutflowState::Failed {
            within(subject, second, limit).await;
        } else {
            over(subject, second, limit).await;
        }
    }
}

/// A change of everything: done by a callback, told, booked and noted.
fn ended(fixtures: &Fixtures, seen: &Transfer) -> TransferChange {
    let mut change = transfer_to(seen, OutflowState::Succeeded);
    change.transfer.ended_at = Some(fixtures.now());
    change.postings.push(fixtures.posting(Cause::Transfer(seen.id)));
    let event = fixtures.transfer_event(seen, EventKind::TransferSucceeded);
    add_transfer_event(&mut change, event);
    let applied = paymux_core::store::CallbackVerdict::Applied;
    let mut row = fixtures.callback(applied);
    row.event_key = Some(format!("transfer {}", seen.id));
    change.callback = Some(row);
    change.audit = Some(fixtures.audit("transfer.resolve"));
    change
}

pub async fn a_change_writes_all_of_it(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = begun(subject, fixtures.transfer("shop", "T1", 500)).await;
    let mut change = ended(&fixtures, &seen);
    change.transfer = Transfer {
        fence: 9,
        action_url: Some("https://a.example/".to_owned()),
        failure: Some(failure()),
        reference: Some("reference".to_owned()),
        check_at: None,
        checks: 3,
        ..change.transfer
    };
    let want = change.clone();
    assert_eq!(done(subject, change).await, want.transfer);
    assert_eq!(subject.look.postings().await, want.postings);
    assert_eq!(subject.look.events().await, want.events);
    assert_eq!(subject.look.callbacks().await, Vec::from_iter(want.callback));
    assert_eq!(subject.store.audit(None, 9).await, Ok(Vec::from_iter(want.audit)));
    let due = subject.store.take_due_deliveries(fixtures.now(), LEASE, 9, 9, &[]).await.unwrap();
    assert_eq!(due.into_iter().map(|due| due.event).collect::<Vec<_>>(), want.events);
}

pub async fn leaves_what_was_agreed(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = begun(subject, fixtures.transfer("shop", "T1", 500)).await;
    let mut change = transfer_to(&seen, OutflowState::Pending);
    change.transfer = Transfer {
        app: app_id("market"),
        transfer_no: transfer("T9"),
        channel: channel("another"),
        provider: "another".to_owned(),
        number: "another".to_owned(),
        amount: Money::fen(1),
        product: "another".to_owned(),
        payee_masked: BTreeMap::new(),
        reason: "another".to_owned(),
        livemode: true,
        fingerprint: "another".to_owned(),
        created_at: Timestamp::from_ms(1),
        ..change.transfer
    };
    let want = Transfer { state: OutflowState::Pending, ..seen };
    assert_eq!(done(subject, change).await, want);
    assert_eq!(subject.store.transfer_by_no(&want.app, &transfer("T9")).await, Ok(None));
    assert_eq!(subject.store.transfer_by_number(&want.channel, &want.number).await, Ok(Some(want)));
}

pub async fn is_stale_by_state_or_fence(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = begun(subject, Transfer { fence: 5, ..fixtures.transfer("shop", "T1", 500) }).await;
    for state in OutflowState::ALL.iter().copied().filter(|state| *state != seen.state) {
        let change = TransferChange { seen_state: state, ..ended(&fixtures, &seen) };
        writes_nothing(subject, change, Ok(Applied::Stale)).await;
    }
    for seen_fence in [4, 6] {
        let change = TransferChange { seen_fence, ..ended(&fixtures, &seen) };
        writes_nothing(subject, change, Ok(Applied::Stale)).await;
    }
    let never = fixtures.transfer("shop", "T2", 500);
    writes_nothing(subject, ended(&fixtures, &never), Ok(Applied::Stale)).await;
    done(subject, ended(&fixtures, &seen)).await;
}

pub async fn refuses_a_known_event_key(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let payment = subject.opened(fixtures.opening("shop", "A1")).await;
    let mut paid = change_of(&payment);
    paid.callback = Some(fixtures.applied(&payment, "key"));
    subject.done(paid).await;
    let seen = begun(subject, fixtures.transfer("shop", "T1", 500)).await;
    let mut change = ended(&fixtures, &seen);
    if let Some(row) = &mut change.callback {
        row.event_key = Some("key".to_owned());
    }
    writes_nothing(subject, change.clone(), Ok(Applied::CallbackKnown)).await;
    if let Some(row) = &mut change.callback {
        row.event_key = Some("KEY".to_owned());
    }
    done(subject, change).await;
}

pub async fn refuses_what_cannot_be_told(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = begun(subject, fixtures.transfer("shop", "T1", 500)).await;
    let never = fixtures.transfer("shop", "T2", 500);
    let seen = done(subject, ended(&fixtures, &seen)).await;
    let used = subject.look.events().await.remove(0);
    let good = fixtures.transfer_event(&seen, EventKind::TransferFailed);
    let mut stranger = good.clone();
    stranger.subject = paymux_core::store::Subject::Transfer(never.id);
    for (event, what) in [
        (paymux_core::store::Event { id: used.id, ..good.clone() }, "id"),
        (paymux_core::store::Event { sequence: 1, ..good.clone() }, "sequence"),
        (paymux_core::store::Event { sequence: 0, ..good }, "no sequence"),
        (stranger, "of nothing"),
    ] {
        let mut change = transfer_to(&seen, OutflowState::Pending);
        add_transfer_event(&mut change, event);
        let got = subject.unchanged(subject.store.apply_transfer(change)).await;
        assert_eq!(got.as_ref().map_err(kind), Err("corrupt"), "{what}");
    }
}

/// A payment and a transfer count their events apart.
pub async fn counts_its_own_events(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let payment = subject.opened(fixtures.opening("shop", "A1")).await;
    let mut seen = begun(subject, fixtures.transfer("shop", "T1", 500)).await;
    let mut change = change_of(&payment);
    let event = fixtures.event(&payment, EventKind::PaymentHeld);
    add_event(&mut change, event);
    subject.done(change).await;
    for _ in 0..2 {
        let mut change = transfer_to(&seen, OutflowState::NeedsAction);
        let event = fixtures.transfer_event(&seen, EventKind::TransferNeedsAction);
        add_transfer_event(&mut change, event);
        seen = done(subject, change).await;
    }
    let sequences: Vec<i64> = subject.look.events().await.iter().map(|event| event.sequence).collect();
    assert_eq!((sequences, seen.events), (vec![1, 1, 2], 2));
}

async fn take(subject: &Subject, ms: i64, limit: u32) -> Vec<Transfer> {
    subject.store.take_due_transfers(Timestamp::from_ms(ms), LEASE, limit).await.unwrap()
}

pub async fn takes_the_earliest_first(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let mut due = Vec::new();
    for (no, ms) in [("T1", Some(300)), ("T2", Some(100)), ("T3", None), ("T4", Some(200)), ("T5", Some(100))]
    {
        let transfer = fixtures.transfer("shop", no, 1);
        due.push(begun(subject, Transfer { check_at: ms.map(Timestamp::from_ms), ..transfer }).await.id);
    }
    let ids = async |limit| take(subject, 1000, limit).await.iter().map(|taken| taken.id).collect::<Vec<_>>();
    assert_eq!(ids(0).await, []);
    assert_eq!(ids(3).await, [due[1], due[4], due[3]]);
    assert_eq!(ids(3).await, [due[0]]);
    assert_eq!(ids(3).await, []);
}

pub async fn takes_under_a_lease(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let check_at = Some(Timestamp::from_ms(100));
    let first = begun(subject, Transfer { check_at, ..fixtures.transfer("shop", "T1", 1) }).await;
    let mut want = first.clone();
    assert_eq!(take(subject, 99, 9).await, []);
    for (now, until) in [(100, 200), (200, 300), (450, 550)] {
        want.fence += 1;
        want.check_at = Some(Timestamp::from_ms(until));
        assert_eq!(take(subject, now, 9).await, [want.clone()]);
        assert_eq!(subject.store.transfer(want.id).await, Ok(Some(want.clone())));
        assert_eq!(take(subject, until - 1, 9).await, []);
    }
    let late = transfer_to(&first, OutflowState::Sending);
    writes_nothing(subject, late, Ok(Applied::Stale)).await;
    done(subject, transfer_to(&want, OutflowState::Sending)).await;
}
