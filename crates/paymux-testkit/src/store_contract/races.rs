//! Many at once: exactly one of them, and nothing in between.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use paymux_core::clock::Timestamp;
use paymux_core::payment::Status;
use paymux_core::store::{
    Applied, DeliveryOutcome, DeliveryReport, DueDelivery, KeptDecision, Opened, Redelivery, Store,
};

use super::Subject;
use crate::fixtures::{Fixtures, change_of, edit_attempt, paid};

const MANY: usize = 64;

/// Runs `work` in that many tasks and gathers what they come to.
pub(super) async fn at_once<T, F>(many: usize, work: impl Fn(usize) -> F) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    let tasks: Vec<_> = (0..many).map(|place| tokio::spawn(work(place))).collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}

pub async fn of_equal_openings_one_is_new(subject: &Subject) {
    let fixtures = Arc::new(Fixtures::new(1));
    for round in 0..4 {
        let answers = at_once(MANY, |_| {
            let (store, opening) = (subject.store.clone(), fixtures.opening("shop", &format!("A{round}")));
            async move { (opening.payment.id, store.open(opening).await.unwrap()) }
        })
        .await;
        let new: Vec<_> = answers.iter().filter(|(_, opened)| matches!(opened, Opened::New)).collect();
        assert_eq!(new.len(), 1);
        for (_, opened) in &answers {
            assert!(matches!(opened, Opened::New) || matches!(opened, Opened::Exists(p) if p.id == new[0].0));
        }
    }
}

pub async fn of_equal_changes_one_is_done(subject: &Subject) {
    let fixtures = Arc::new(Fixtures::new(1));
    let seen = Arc::new(subject.opened(fixtures.opening("shop", "A1")).await);
    let answers = at_once(MANY, |place| {
        let (store, fixtures, seen) = (subject.store.clone(), fixtures.clone(), seen.clone());
        let mut change = paid(&fixtures, &seen);
        change.callback = Some(fixtures.applied(&seen, &format!("key {place}")));
        async move { store.apply(change).await.unwrap() }
    })
    .await;
    assert_eq!(answers.iter().filter(|applied| **applied == Applied::Done).count(), 1);
    assert_eq!(answers.iter().filter(|applied| **applied == Applied::Stale).count(), MANY - 1);
    assert_eq!(subject.stored(&seen.id).await.version, seen.version + 1);
    assert_eq!(subject.look.events().await.len(), 1);
    assert_eq!(subject.look.callbacks().await.len(), 1);
}

pub async fn of_equal_event_keys_one_is_done(subject: &Subject) {
    let fixtures = Arc::new(Fixtures::new(1));
    let mut payments = Vec::new();
    for place in 0..MANY {
        payments.push(subject.opened(fixtures.opening("shop", &format!("A{place}"))).await);
    }
    let answers = at_once(MANY, |place| {
        let (store, fixtures) = (subject.store.clone(), fixtures.clone());
        let mut change = paid(&fixtures, &payments[place]);
        change.callback = Some(fixtures.applied(&payments[place], "one key"));
        async move { store.apply(change).await.unwrap() }
    })
    .await;
    assert_eq!(answers.iter().filter(|applied| **applied == Applied::Done).count(), 1);
    assert_eq!(answers.iter().filter(|applied| **applied == Applied::CallbackKnown).count(), MANY - 1);
    assert_eq!(subject.look.events().await.len(), 1);
}

pub async fn an_attempt_is_taken_by_one_worker(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    for place in 0..40 {
        subject.opened(fixtures.opening("shop", &format!("A{place}"))).await;
    }
    let now = fixtures.now().plus(Duration::from_mins(1));
    let taken = at_once(16, |_| {
        let store = subject.store.clone();
        async move {
            let mut own = Vec::new();
            for _ in 0..8 {
                own.extend(store.take_due_attempts(now, Duration::from_secs(30), 3, &[]).await.unwrap());
            }
            own
        }
    })
    .await;
    let mut count = BTreeMap::new();
    for due in taken.iter().flatten() {
        *count.entry(due.attempt).or_insert(0) += 1;
        assert_eq!(due.payment.attempt(due.attempt).unwrap().fence, 2);
    }
    assert_eq!(count.len(), 40);
    assert!(count.values().all(|times| *times == 1), "{count:?}");
}

pub async fn a_delivery_is_taken_by_one_worker(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    for place in 0..40 {
        let app = format!("app{}", place % 3);
        let seen = subject.opened(fixtures.opening(&app, &format!("A{place}"))).await;
        subject.done(paid(&fixtures, &seen)).await;
    }
    let now = fixtures.now();
    let taken = at_once(16, |_| {
        let store = subject.store.clone();
        async move {
            let mut own = Vec::new();
            for _ in 0..12 {
                own.extend(store.take_due_deliveries(now, Duration::from_secs(30), 4, 2, &[]).await.unwrap());
            }
            own
        }
    })
    .await;
    let mut events: Vec<_> = taken.iter().flatten().map(|due| due.event.id).collect();
    events.sort_unstable();
    events.dedup();
    assert_eq!((events.len(), taken.iter().flatten().count()), (40, 40));
}

/// A report names its deliveries in any order, and is made while they are asked for again.
pub async fn a_report_and_a_redelivery_both_end(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let app = fixtures.payment("shop", "A").app;
    for place in 0..60 {
        let payment = subject.opened(fixtures.opening("shop", &format!("A{place}"))).await;
        subject.done(paid(&fixtures, &payment)).await;
    }
    let lease = Duration::from_secs(30);
    for round in 1..=15 {
        let now = fixtures.now().plus(lease * round);
        let due = subject.store.take_due_deliveries(now, lease, 60, 60, &[]).await.unwrap();
        assert_eq!(due.len(), 60);
        let report = |due: &DueDelivery| DeliveryReport {
            event: due.event.id,
            fence: due.fence,
            outcome: DeliveryOutcome::Again(now),
            detail: String::new(),
        };
        let reports: Vec<_> = due.iter().rev().map(report).collect();
        let which = Redelivery::Undelivered { from: Timestamp::from_ms(0), to: now };
        let (reported, redelivered) =
            tokio::join!(subject.store.report_deliveries(reports), subject.store.redeliver(&app, which, now));
        assert_eq!((reported, redelivered), (Ok(()), Ok(60)), "round {round}");
    }
}

pub async fn a_dropped_call_is_done_wholly_or_not_at_all(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    for place in 0..60 {
        let opening = fixtures.opening("shop", &format!("A{place}"));
        let payment = opening.payment.clone();
        dropped(subject, place, async move |store| drop(store.open(opening).await)).await;
        // Whatever became of it, an equal call settles it.
        let (again, decision) = (payment.clone(), KeptDecision::Told(serde_json::Value::Null));
        subject.store.open(paymux_core::store::Opening::new(again, decision, vec![])).await.unwrap();
        assert_eq!(subject.stored(&payment.id).await, payment);
        let change = paid(&fixtures, &payment);
        let want = change.clone();
        dropped(subject, place, async move |store| drop(store.apply(change).await)).await;
        let again = subject.store.apply(want.clone()).await.unwrap();
        assert!(matches!(again, Applied::Done | Applied::Stale), "{again:?}");
        assert_eq!(subject.stored(&payment.id).await, want.payment);
        assert!(subject.look.events().await.contains(&want.events[0]));
    }
    assert_eq!(subject.look.events().await.len(), 60);
}

/// Starts a call and lets go of it after `polls` turns of the scheduler.
pub(super) async fn dropped<F>(subject: &Subject, polls: usize, call: F)
where
    F: AsyncFnOnce(Arc<dyn Store>),
{
    let call = std::pin::pin!(call(subject.store.clone()));
    let patience = async {
        for _ in 0..polls {
            tokio::task::yield_now().await;
        }
    };
    futures_util::future::select(call, std::pin::pin!(patience)).await;
}

/// The status and the attempt's state change together, and so they are read together.
pub async fn reads_see_payment_and_attempts_of_one_moment(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let mut seen = subject.opened(fixtures.opening("shop", "A1")).await;
    let (store, id, shop) = (subject.store.clone(), seen.id, seen.app.clone());
    let reader = tokio::spawn(async move {
        let mut versions = Vec::new();
        while versions.last() != Some(&101) {
            let one = store.payment(id).await.unwrap().unwrap();
            let filter = crate::fixtures::all_of(shop.as_str());
            let listed = store.payments(&filter).await.unwrap().remove(0);
            for payment in [one, listed] {
                assert_eq!(i64::from(payment.attempts[0].checks), payment.version - 1);
                assert_eq!(payment.status == Status::Pending, payment.version % 2 == 0);
                versions.push(payment.version);
            }
        }
        assert!(versions.is_sorted(), "{versions:?}");
    });
    for _ in 0..100 {
        let mut change = change_of(&seen);
        edit_attempt(&mut change, 0, |attempt| {
            attempt.checks += 1;
            attempt.check_at = Some(Timestamp::from_ms(0));
        });
        change.payment.status =
            if change.payment.version % 2 == 0 { Status::Pending } else { Status::Processing };
        seen = subject.done(change).await;
    }
    reader.await.unwrap();
}
