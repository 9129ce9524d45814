//! Endpoints that are gone for good, and deliveries that somebody asks for once more.

use std::time::Duration;

use paymux_core::clock::Timestamp;
use paymux_core::ids::EventId;
use paymux_core::outflow::OutflowState;
use paymux_core::store::{DeliveryOutcome, DeliveryReport, DueDelivery, Event, EventKind, Redelivery};

use super::{Subject, transfers};
use crate::fixtures::{Fixtures, add_event, add_transfer_event, app_id, change_of, transfer_to};
use crate::memory_store::DeliveryState;

const LEASE: Duration = Duration::from_millis(100);
const HOOK: &str = "https://shop.example/hook";

/// Stores an event of a payment of its own that happened at that moment, for that address.
async fn told(subject: &Subject, fixtures: &Fixtures, app: &str, url: Option<&str>, ms: i64) -> Event {
    let seen = subject.opened(fixtures.opening(app, &fixtures.now().ms().to_string())).await;
    let mut change = change_of(&seen);
    let event = Event {
        url: url.map(str::to_owned),
        created_at: Timestamp::from_ms(ms),
        ..fixtures.event(&seen, EventKind::PaymentExpired)
    };
    add_event(&mut change, event.clone());
    subject.done(change).await;
    event
}

async fn take(subject: &Subject, ms: i64, limit: u32, per_app: u32) -> Vec<DueDelivery> {
    subject.store.take_due_deliveries(Timestamp::from_ms(ms), LEASE, limit, per_app, &[]).await.unwrap()
}

fn ids(taken: &[DueDelivery]) -> Vec<EventId> {
    taken.iter().map(|due| due.event.id).collect()
}

fn report_of(taken: &DueDelivery, outcome: DeliveryOutcome) -> DeliveryReport {
    DeliveryReport { event: taken.event.id, fence: taken.fence, outcome, detail: "410 Gone".to_owned() }
}

async fn report(subject: &Subject, taken: &DueDelivery, outcome: DeliveryOutcome) {
    subject.store.report_deliveries(vec![report_of(taken, outcome)]).await.unwrap();
}

async fn again(subject: &Subject, app: &str, which: Redelivery, ms: i64) -> u64 {
    subject.store.redeliver(&app_id(app), which, Timestamp::from_ms(ms)).await.unwrap()
}

fn range(from: i64, to: i64) -> Redelivery {
    Redelivery::Undelivered { from: Timestamp::from_ms(from), to: Timestamp::from_ms(to) }
}

async fn state_of(subject: &Subject, event: &Event) -> DeliveryState {
    let rows = subject.look.deliveries().await;
    rows.iter().find(|row| row.event == event.id).unwrap().state
}

pub async fn an_endpoint_that_is_gone_is_passed_over(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let first = told(subject, &fixtures, "shop", Some(HOOK), 100).await;
    let waits = told(subject, &fixtures, "shop", Some(HOOK), 300).await;
    let taken = take(subject, 200, 9, 9).await;
    assert_eq!(ids(&taken), [first.id]);
    report(subject, &taken[0], DeliveryOutcome::Gone).await;
    let later = told(subject, &fixtures, "shop", Some(HOOK), 400).await;
    assert_eq!(ids(&take(subject, i64::MAX, 9, 9).await), []);
    assert_eq!(subject.look.gone().await, [(app_id("shop"), HOOK.to_owned())]);
    let rows = subject.look.deliveries().await;
    let row = rows.iter().find(|row| row.event == first.id).unwrap();
    assert_eq!((row.state, row.tries, row.detail.as_deref()), (DeliveryState::Dead, 1, Some("410 Gone")));
    for event in [waits, later] {
        assert_eq!(state_of(subject, &event).await, DeliveryState::Pending);
    }
}

/// The address of one app: not that address of another, nor another address.
pub async fn others_are_called_all_the_same(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    told(subject, &fixtures, "shop", Some(HOOK), 100).await;
    let taken = take(subject, 100, 9, 9).await;
    report(subject, &taken[0], DeliveryOutcome::Gone).await;
    let mut others = Vec::new();
    for (app, url) in
        [("shop", "https://shop.example/hook?a=1"), ("market", HOOK), ("shop", "HTTPS://shop.example/hook")]
    {
        others.push(told(subject, &fixtures, app, Some(url), 200).await.id);
    }
    others.sort_unstable();
    assert_eq!(ids(&take(subject, 300, 9, 9).await), others);
}

/// What waits for a gone endpoint takes no place of what can be delivered.
pub async fn what_waits_there_holds_nobody_up(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    told(subject, &fixtures, "shop", Some(HOOK), 1).await;
    let taken = take(subject, 1, 9, 9).await;
    report(subject, &taken[0], DeliveryOutcome::Gone).await;
    for ms in 10..30 {
        told(subject, &fixtures, "shop", Some(HOOK), ms).await;
    }
    let alive = told(subject, &fixtures, "shop", Some("https://shop.example/new"), 100).await;
    assert_eq!(ids(&take(subject, 1000, 1, 1).await), [alive.id]);
}

pub async fn an_old_fence_makes_nothing_gone(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    told(subject, &fixtures, "shop", Some(HOOK), 100).await;
    let late = take(subject, 100, 9, 9).await.remove(0);
    let current = take(subject, 200, 9, 9).await.remove(0);
    subject.unchanged(report(subject, &late, DeliveryOutcome::Gone)).await;
    report(subject, &current, DeliveryOutcome::Delivered(Timestamp::from_ms(1))).await;
    subject.unchanged(report(subject, &current, DeliveryOutcome::Gone)).await;
}

/// Two were on their way when one of them found out: the other's report still counts.
pub async fn what_is_under_way_may_still_report(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    for ms in [100, 200, 300, 400] {
        told(subject, &fixtures, "shop", Some(HOOK), ms).await;
    }
    let taken = take(subject, 500, 9, 9).await;
    report(subject, &taken[0], DeliveryOutcome::Gone).await;
    report(subject, &taken[1], DeliveryOutcome::Delivered(Timestamp::from_ms(7))).await;
    report(subject, &taken[2], DeliveryOutcome::Again(Timestamp::from_ms(600))).await;
    report(subject, &taken[3], DeliveryOutcome::Gone).await;
    let rows = subject.look.deliveries().await;
    let states: Vec<_> = rows.iter().map(|row| (row.state, row.tries)).collect();
    let delivered = DeliveryState::Delivered(Timestamp::from_ms(7));
    let [dead, pending] = [DeliveryState::Dead, DeliveryState::Pending];
    assert_eq!(states, [(dead, 1), (delivered, 1), (pending, 1), (dead, 1)]);
    assert_eq!(ids(&take(subject, i64::MAX, 9, 9).await), []);
}

pub async fn one_is_delivered_again_whatever_became_of_it(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let outcomes = [
        DeliveryOutcome::Delivered(Timestamp::from_ms(5)),
        DeliveryOutcome::Dead,
        DeliveryOutcome::Again(Timestamp::from_ms(9_000_000)),
    ];
    for outcome in outcomes {
        let event = told(subject, &fixtures, "shop", Some(HOOK), 100).await;
        let taken = take(subject, 100, 9, 9).await.remove(0);
        report(subject, &taken, outcome).await;
        assert_eq!(again(subject, "shop", Redelivery::One(event.id), 5000).await, 1);
        assert_eq!(ids(&take(subject, 4999, 9, 9).await), []);
        let due = take(subject, 5000, 9, 9).await.remove(0);
        assert_eq!((due.event.clone(), due.tries), (event, 0), "{outcome:?}");
        assert!(due.fence > taken.fence);
        let row = subject.look.deliveries().await.pop().unwrap();
        assert_eq!(row.detail.as_deref(), Some("410 Gone"), "what was seen last stays");
        report(subject, &due, DeliveryOutcome::Delivered(Timestamp::from_ms(6))).await;
    }
}

/// It is on its way while somebody asks for it: it goes out once more, and the late report is not asked.
pub async fn who_tries_one_meanwhile_has_lost_its_lease(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let event = told(subject, &fixtures, "shop", Some(HOOK), 100).await;
    let taken = take(subject, 100, 9, 9).await.remove(0);
    assert_eq!(again(subject, "shop", Redelivery::One(event.id), 150).await, 1);
    subject.unchanged(report(subject, &taken, DeliveryOutcome::Dead)).await;
    assert_eq!(ids(&take(subject, 150, 9, 9).await), [event.id]);
}

pub async fn a_range_takes_what_was_not_delivered(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let mut events = Vec::new();
    for ms in [99, 100, 110, 120, 130, 199, 200] {
        events.push(told(subject, &fixtures, "shop", Some(HOOK), ms).await);
    }
    told(subject, &fixtures, "market", Some(HOOK), 150).await;
    told(subject, &fixtures, "shop", None, 150).await;
    let taken = take(subject, 1000, 9, 9).await;
    for due in taken {
        let outcome = match due.event.created_at.ms() {
            110 => DeliveryOutcome::Delivered(Timestamp::from_ms(5)),
            120 => DeliveryOutcome::Again(Timestamp::from_ms(9_000_000)),
            _ => DeliveryOutcome::Dead,
        };
        report(subject, &due, outcome).await;
    }
    assert_eq!(subject.unchanged(again(subject, "shop", range(200, 200), 5000)).await, 0);
    assert_eq!(subject.unchanged(again(subject, "shop", range(200, 100), 5000)).await, 0);
    assert_eq!(again(subject, "shop", range(100, 200), 5000).await, 4);
    let want: Vec<_> = [1, 3, 4, 5].map(|place: usize| events[place].id).into();
    let due = take(subject, 5000, 9, 9).await;
    assert_eq!(ids(&due), want);
    assert!(due.iter().all(|due| due.tries == 0));
}

pub async fn a_range_takes_transfers_too(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = transfers::begun(subject, fixtures.transfer("shop", "T1", 1)).await;
    let mut change = transfer_to(&seen, OutflowState::Failed);
    let event = fixtures.transfer_event(&seen, EventKind::TransferFailed);
    add_transfer_event(&mut change, event.clone());
    transfers::done(subject, change).await;
    let taken = take(subject, event.created_at.ms(), 9, 9).await;
    report(subject, &taken[0], DeliveryOutcome::Dead).await;
    assert_eq!(again(subject, "shop", range(0, i64::MAX), 5000).await, 1);
    assert_eq!(ids(&take(subject, 5000, 9, 9).await), [event.id]);
}

/// Once somebody asks for a delivery there, the endpoint is called again with all that waited.
pub async fn asking_lets_an_endpoint_be_called_again(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    for place in 0..2 {
        let app = format!("app{place}");
        let first = told(subject, &fixtures, &app, Some(HOOK), 100).await;
        let waits = told(subject, &fixtures, &app, Some(HOOK), 5000).await;
        let taken = take(subject, 100, 9, 9).await;
        report(subject, &taken[0], DeliveryOutcome::Gone).await;
        let which = if place == 0 { Redelivery::One(first.id) } else { range(0, 200) };
        assert_eq!(again(subject, &app, which, 4000).await, 1);
        assert_eq!(subject.look.gone().await, []);
        assert_eq!(ids(&take(subject, 4500, 9, 9).await), [first.id]);
        assert_eq!(ids(&take(subject, 5000, 9, 9).await), [first.id, waits.id]);
        let rest = take(subject, 6000, 9, 9).await;
        for due in rest {
            report(subject, &due, DeliveryOutcome::Delivered(Timestamp::from_ms(1))).await;
        }
    }
}

/// Asking for one endpoint's delivery leaves another one gone.
pub async fn asking_opens_only_that_endpoint(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let mut events = Vec::new();
    for (app, url) in [("shop", HOOK), ("shop", "https://shop.example/old"), ("market", HOOK)] {
        events.push(told(subject, &fixtures, app, Some(url), 100).await);
    }
    for due in take(subject, 100, 9, 9).await {
        report(subject, &due, DeliveryOutcome::Gone).await;
    }
    again(subject, "shop", Redelivery::One(events[0].id), 200).await;
    let gone = [(app_id("market"), HOOK.to_owned()), (app_id("shop"), "https://shop.example/old".to_owned())];
    assert_eq!(subject.look.gone().await, gone);
}

pub async fn asks_for_nothing_that_is_not_its_own(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let theirs = told(subject, &fixtures, "market", Some(HOOK), 100).await;
    let silent = told(subject, &fixtures, "shop", None, 100).await;
    let taken = take(subject, 100, 9, 9).await;
    report(subject, &taken[0], DeliveryOutcome::Gone).await;
    for id in [theirs.id, silent.id, fixtures.id(EventId::make)] {
        assert_eq!(subject.unchanged(again(subject, "shop", Redelivery::One(id), 200)).await, 0);
    }
    assert_eq!(subject.unchanged(again(subject, "shop", range(0, i64::MAX), 200)).await, 0);
    assert_eq!(subject.unchanged(again(subject, "nobody", range(0, i64::MAX), 200)).await, 0);
}
