//! Deliveries of events.

use std::time::Duration;

use paymux_core::clock::Timestamp;
use paymux_core::ids::{AppId, EventId};
use paymux_core::payment::Payment;
use paymux_core::store::{DeliveryOutcome, DeliveryReport, DueDelivery, Event, EventKind};

use super::Subject;
use crate::fixtures::{Fixtures, add_event, change_of};
use crate::memory_store::DeliveryState;

const LEASE: Duration = Duration::from_millis(100);

/// Stores an event that happened at that moment, of a payment of its own.
async fn event_at(subject: &Subject, fixtures: &Fixtures, app: &str, ms: i64) -> Event {
    let order_no = fixtures.now().ms().to_string();
    let seen = subject.opened(fixtures.opening(app, &order_no)).await;
    next_event(subject, fixtures, &seen, ms).await
}

async fn next_event(subject: &Subject, fixtures: &Fixtures, seen: &Payment, ms: i64) -> Event {
    let mut change = change_of(seen);
    let event = fixtures.event(seen, EventKind::PaymentExpired);
    let event = Event { created_at: Timestamp::from_ms(ms), ..event };
    add_event(&mut change, event.clone());
    subject.done(change).await;
    event
}

async fn take(subject: &Subject, ms: i64, limit: u32, per_app: u32) -> Vec<DueDelivery> {
    subject.store.take_due_deliveries(Timestamp::from_ms(ms), LEASE, limit, per_app, &[]).await.unwrap()
}

async fn report(subject: &Subject, taken: &DueDelivery, outcome: DeliveryOutcome) {
    let report = report_of(taken, outcome);
    subject.store.report_deliveries(vec![report]).await.unwrap();
}

fn report_of(taken: &DueDelivery, outcome: DeliveryOutcome) -> DeliveryReport {
    DeliveryReport { event: taken.event.id, fence: taken.fence, outcome, detail: "500 'oh\"\u{0}".to_owned() }
}

fn ids(taken: &[DueDelivery]) -> Vec<EventId> {
    taken.iter().map(|due| due.event.id).collect()
}

pub async fn takes_a_new_one_at_once(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let event = event_at(subject, &fixtures, "shop", 100).await;
    assert_eq!(ids(&take(subject, 99, 9, 9).await), []);
    let taken = take(subject, 100, 9, 9).await;
    assert_eq!(taken.len(), 1);
    assert_eq!((&taken[0].event, taken[0].tries, taken[0].fence), (&event, 0, 1));
}

pub async fn keeps_events_without_an_address(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = subject.opened(fixtures.opening("shop", "A1")).await;
    let mut change = change_of(&seen);
    let event = Event { url: None, ..fixtures.event(&seen, EventKind::PaymentFailed) };
    add_event(&mut change, event.clone());
    subject.done(change).await;
    assert_eq!(subject.look.events().await, [event]);
    assert_eq!(subject.look.deliveries().await, []);
    assert_eq!(ids(&take(subject, i64::MAX, 9, 9).await), []);
}

pub async fn takes_again_after_the_lease(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    event_at(subject, &fixtures, "shop", 100).await;
    assert_eq!(take(subject, 150, 9, 9).await[0].fence, 1);
    assert_eq!(take(subject, 249, 9, 9).await.len(), 0);
    let again = take(subject, 250, 9, 9).await;
    // A worker that was lost has tried nothing that anyone knows of.
    assert_eq!((again[0].fence, again[0].tries), (2, 0));
}

pub async fn a_delivered_one_is_over(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    event_at(subject, &fixtures, "shop", 100).await;
    let taken = take(subject, 100, 9, 9).await.remove(0);
    report(subject, &taken, DeliveryOutcome::Delivered(Timestamp::from_ms(123))).await;
    assert_eq!(ids(&take(subject, i64::MAX, 9, 9).await), []);
    let row = subject.look.deliveries().await.remove(0);
    assert_eq!((row.state, row.tries), (DeliveryState::Delivered(Timestamp::from_ms(123)), 1));
    assert_eq!(row.detail.as_deref(), Some("500 'oh\"\u{fffd}"));
}

pub async fn a_dead_one_is_over(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    event_at(subject, &fixtures, "shop", 100).await;
    let taken = take(subject, 100, 9, 9).await.remove(0);
    report(subject, &taken, DeliveryOutcome::Dead).await;
    assert_eq!(ids(&take(subject, i64::MAX, 9, 9).await), []);
    let row = subject.look.deliveries().await.remove(0);
    assert_eq!((row.state, row.tries), (DeliveryState::Dead, 1));
    assert_eq!(subject.look.events().await.len(), 1);
}

pub async fn tries_again_when_told(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let event = event_at(subject, &fixtures, "shop", 100).await;
    for tries in 0..4 {
        let now = 1000 * i64::from(tries + 1);
        assert_eq!(take(subject, now - 1, 9, 9).await.len(), usize::from(tries == 0));
        let taken = take(subject, now + 99, 9, 9).await;
        if tries == 0 {
            assert_eq!(ids(&taken), [event.id]);
        }
        let taken = taken.first().cloned().unwrap();
        assert_eq!(taken.tries, tries);
        report(subject, &taken, DeliveryOutcome::Again(Timestamp::from_ms(now + 1000))).await;
    }
}

pub async fn passes_over_old_fences_and_unknown_events(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    event_at(subject, &fixtures, "shop", 100).await;
    let late = take(subject, 100, 9, 9).await.remove(0);
    let current = take(subject, 200, 9, 9).await.remove(0);
    let mut stranger = report_of(&current, DeliveryOutcome::Dead);
    stranger.event = fixtures.id(EventId::make);
    let before = subject.look.deliveries().await;
    let reports = vec![report_of(&late, DeliveryOutcome::Dead), stranger];
    subject.store.report_deliveries(reports).await.unwrap();
    subject.store.report_deliveries(Vec::new()).await.unwrap();
    assert_eq!(subject.look.deliveries().await, before);
    report(subject, &current, DeliveryOutcome::Delivered(Timestamp::from_ms(1))).await;
    assert_ne!(subject.look.deliveries().await, before);
}

pub async fn counts_a_report_once(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    event_at(subject, &fixtures, "shop", 100).await;
    let taken = take(subject, 100, 9, 9).await.remove(0);
    let again = report_of(&taken, DeliveryOutcome::Again(Timestamp::from_ms(500)));
    subject
        .store
        .report_deliveries(vec![again.clone(), report_of(&taken, DeliveryOutcome::Dead)])
        .await
        .unwrap();
    subject.store.report_deliveries(vec![again]).await.unwrap();
    let row = subject.look.deliveries().await.remove(0);
    assert_eq!((row.tries, row.state, row.next_at), (1, DeliveryState::Pending, Timestamp::from_ms(500)));
}

pub async fn a_dead_endpoint_holds_nobody_up(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let mut dead = Vec::new();
    for ms in 0..30 {
        dead.push(event_at(subject, &fixtures, "dead", ms).await.id);
    }
    let alive = [
        event_at(subject, &fixtures, "alive", 50).await.id,
        event_at(subject, &fixtures, "zest", 40).await.id,
    ];
    let taken = ids(&take(subject, 1000, 10, 3).await);
    assert_eq!(taken, [dead[0], dead[1], dead[2], alive[1], alive[0]]);
    assert_eq!(ids(&take(subject, 1000, 2, 3).await), dead[3..5]);
    assert_eq!(ids(&take(subject, 1000, 10, 0).await), []);
    assert_eq!(ids(&take(subject, 1000, 0, 10).await), []);
}

pub async fn passes_over_busy_apps(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    for ms in 0..3 {
        event_at(subject, &fixtures, "dead", ms).await;
    }
    let alive = event_at(subject, &fixtures, "alive", 50).await.id;
    let app = |name: &str| AppId::new(name).unwrap();
    let take = async |limit, busy: &[AppId]| {
        let now = Timestamp::from_ms(1000);
        ids(&subject.store.take_due_deliveries(now, LEASE, limit, 9, busy).await.unwrap())
    };
    assert_eq!(take(9, &[app("alive"), app("dead")]).await, []);
    assert_eq!(take(1, &[app("dead")]).await, [alive]);
    assert_eq!(take(9, &[app("nobody"), app("alive")]).await.len(), 3);
}

pub async fn takes_the_earliest_first(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let mut events = Vec::new();
    for (app, ms) in [("a", 300), ("b", 100), ("a", 200), ("c", 100), ("b", 250)] {
        events.push(event_at(subject, &fixtures, app, ms).await.id);
    }
    let taken = ids(&take(subject, 1000, 4, 9).await);
    assert_eq!(taken, [events[1], events[3], events[2], events[4]]);
    assert_eq!(ids(&take(subject, 1000, 4, 9).await), [events[0]]);
}

pub async fn reports_many_at_once(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    for ms in 0..12 {
        event_at(subject, &fixtures, "shop", ms).await;
    }
    let taken = take(subject, 100, 100, 100).await;
    let outcomes = [
        DeliveryOutcome::Delivered(Timestamp::from_ms(7)),
        DeliveryOutcome::Again(Timestamp::from_ms(8)),
        DeliveryOutcome::Dead,
    ];
    let reports =
        taken.iter().zip(outcomes.iter().cycle()).map(|(due, outcome)| report_of(due, *outcome)).collect();
    subject.store.report_deliveries(reports).await.unwrap();
    let states: Vec<_> = subject.look.deliveries().await.iter().map(|row| row.state).collect();
    let count = |state: DeliveryState| states.iter().filter(|other| **other == state).count();
    let delivered = DeliveryState::Delivered(Timestamp::from_ms(7));
    assert_eq!([count(delivered), count(DeliveryState::Pending), count(DeliveryState::Dead)], [4, 4, 4]);
}
