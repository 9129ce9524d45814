//! Events in lists.

use std::time::Duration;

use paymux_core::clock::Timestamp;
use paymux_core::outflow::OutflowState;
use paymux_core::payment::Payment;
use paymux_core::store::{
    DeliveryOutcome, DeliveryReport, DeliveryState, Event, EventFilter, EventKind, ListedEvent, Subject as Of,
};

use super::{Subject, transfers};
use crate::fixtures::{Fixtures, add_event, add_transfer_event, app_id, change_of, transfer_to};

const LEASE: Duration = Duration::from_millis(100);

fn all_of(app: &str) -> EventFilter {
    EventFilter { app: app_id(app), subject: None, after: None, limit: 1000 }
}

async fn list(subject: &Subject, filter: EventFilter) -> Vec<Event> {
    subject.store.events(&filter).await.unwrap().into_iter().map(|listed| listed.event).collect()
}

/// Tells one thing more of a payment.
async fn tell(subject: &Subject, fixtures: &Fixtures, seen: &Payment) -> (Payment, Event) {
    let mut change = change_of(seen);
    let event = fixtures.event(seen, EventKind::PaymentHeld);
    add_event(&mut change, event.clone());
    (subject.done(change).await, event)
}

/// Two events of one payment, one of another, one of a transfer, and one of another app, in turn.
async fn five(subject: &Subject, fixtures: &Fixtures) -> (Vec<Event>, [Of; 3]) {
    let one = subject.opened(fixtures.opening("shop", "A1")).await;
    let two = subject.opened(fixtures.opening("shop", "A2")).await;
    let theirs = subject.opened(fixtures.opening("market", "A1")).await;
    let transfer = transfers::begun(subject, fixtures.transfer("shop", "T1", 1)).await;
    let (one, first) = tell(subject, fixtures, &one).await;
    let (two, second) = tell(subject, fixtures, &two).await;
    tell(subject, fixtures, &theirs).await;
    let mut change = transfer_to(&transfer, OutflowState::Failed);
    let third = fixtures.transfer_event(&transfer, EventKind::TransferFailed);
    add_transfer_event(&mut change, third.clone());
    transfers::done(subject, change).await;
    let (one, fourth) = tell(subject, fixtures, &one).await;
    let subjects = [Of::Payment(one.id), Of::Payment(two.id), Of::Transfer(transfer.id)];
    (vec![first, second, third, fourth], subjects)
}

pub async fn shows_the_oldest_first(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let (events, _) = five(subject, &fixtures).await;
    assert_eq!(list(subject, all_of("shop")).await, events);
    assert_eq!(list(subject, all_of("market")).await.len(), 1);
    assert_eq!(list(subject, all_of("nobody")).await, []);
}

pub async fn filters(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let (events, [one, two, transfer]) = five(subject, &fixtures).await;
    let check = async |filter: EventFilter, want: &[usize]| {
        let want: Vec<_> = want.iter().map(|place| events[*place].clone()).collect();
        assert_eq!(list(subject, filter.clone()).await, want, "{filter:?}");
    };
    let all = all_of("shop");
    check(EventFilter { subject: Some(one), ..all.clone() }, &[0, 3]).await;
    check(EventFilter { subject: Some(two), ..all.clone() }, &[1]).await;
    check(EventFilter { subject: Some(transfer), ..all.clone() }, &[2]).await;
    check(EventFilter { after: Some(events[1].id), ..all.clone() }, &[2, 3]).await;
    check(EventFilter { after: Some(events[0].id), limit: 1, subject: Some(one), ..all.clone() }, &[3]).await;
    check(EventFilter { after: Some(events[3].id), ..all.clone() }, &[]).await;
    check(EventFilter { limit: 0, ..all.clone() }, &[]).await;
    check(EventFilter { limit: 3, ..all.clone() }, &[0, 1, 2]).await;
    // A cursor of another app's stands between ours.
    let theirs = list(subject, all_of("market")).await.remove(0);
    check(EventFilter { after: Some(theirs.id), ..all }, &[2, 3]).await;
    assert_eq!(list(subject, EventFilter { subject: Some(one), ..all_of("market") }).await, []);
}

pub async fn pages_without_gaps_or_repeats(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let mut seen = subject.opened(fixtures.opening("shop", "A1")).await;
    let mut want = Vec::new();
    for _ in 0..23 {
        let (now, event) = tell(subject, &fixtures, &seen).await;
        seen = now;
        want.push(event);
    }
    for limit in [1, 2, 5, 23, 24] {
        let (mut got, mut after) = (Vec::new(), None);
        loop {
            let page = list(subject, EventFilter { limit, after, ..all_of("shop") }).await;
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            got.extend(page);
            assert!(got.len() <= want.len(), "a page repeats what came before");
        }
        assert_eq!(got, want, "{limit} at a time");
    }
}

pub async fn tells_how_deliveries_stand(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let mut want = Vec::new();
    let outcomes = [
        (Some(DeliveryOutcome::Delivered(Timestamp::from_ms(5))), DeliveryState::Delivered),
        (Some(DeliveryOutcome::Again(Timestamp::from_ms(i64::MAX))), DeliveryState::Pending),
        (Some(DeliveryOutcome::Dead), DeliveryState::Dead),
        (Some(DeliveryOutcome::Gone), DeliveryState::Dead),
        (None, DeliveryState::Pending),
    ];
    for (place, (outcome, state)) in outcomes.into_iter().enumerate() {
        let seen = subject.opened(fixtures.opening("shop", &format!("A{place}"))).await;
        let (_, event) = tell(subject, &fixtures, &seen).await;
        if let Some(outcome) = outcome {
            let due = subject
                .store
                .take_due_deliveries(event.created_at, LEASE, 9, 9, &[])
                .await
                .unwrap()
                .remove(0);
            let detail = format!("seen {place}");
            let report = DeliveryReport { event: event.id, fence: due.fence, outcome, detail };
            subject.store.report_deliveries(vec![report]).await.unwrap();
        }
        let tries = u32::from(outcome.is_some());
        let detail = outcome.map(|_| format!("seen {place}"));
        want.push(ListedEvent { event, state: Some(state), tries, detail });
    }
    let seen = subject.opened(fixtures.opening("shop", "A9")).await;
    let mut change = change_of(&seen);
    let event = Event { url: None, ..fixtures.event(&seen, EventKind::PaymentFailed) };
    add_event(&mut change, event.clone());
    subject.done(change).await;
    want.push(ListedEvent { event, state: None, tries: 0, detail: None });
    assert_eq!(subject.store.events(&all_of("shop")).await, Ok(want));
}
