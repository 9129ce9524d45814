//! Many at once, where money leaves: exactly as much as there is, and nothing is lost.

use std::sync::Arc;
use std::time::Duration;

use paymux_core::money::Money;
use paymux_core::outflow::OutflowState;
use paymux_core::payment::Payment;
use paymux_core::refund::Refund;
use paymux_core::store::{Applied, Change, DayLimit, RefundOpened, Store, TransferOpened};

use super::Subject;
use super::races::{at_once, dropped};
use super::refunds::{begun, counters, paid_one};
use super::transfers::WIDE;
use crate::fixtures::{Fixtures, change_of, edit_attempt, refund_change, step_to, transfer_to};

const MANY: usize = 64;

pub async fn refunds_at_once_take_what_is_there(subject: &Subject) {
    let fixtures = Arc::new(Fixtures::new(1));
    for (round, minor) in [(0, 100), (1, 1999), (2, 1000), (3, 31), (4, 32)] {
        let payment = paid_one(subject, &fixtures, &format!("A{round}")).await;
        let answers = at_once(MANY, |place| {
            let refund = fixtures.refund(&payment, &format!("R{round}-{place}"), minor);
            let store = subject.store.clone();
            async move { store.open_refund(refund).await.unwrap() }
        })
        .await;
        let new = answers.iter().filter(|opened| matches!(opened, RefundOpened::New)).count();
        let large = answers.iter().filter(|opened| matches!(opened, RefundOpened::TooLarge)).count();
        let most = usize::try_from(1999 / minor).unwrap().min(MANY);
        assert_eq!((new, large), (most, MANY - most), "of {minor} each");
        let set_aside = minor * i64::try_from(new).unwrap();
        assert_eq!(counters(subject, &payment).await, (set_aside, 0));
        assert_eq!(subject.store.refunds_of(payment.id, None, u32::MAX).await.unwrap().len(), new);
    }
}

pub async fn of_equal_refund_numbers_one_is_new(subject: &Subject) {
    let fixtures = Arc::new(Fixtures::new(1));
    let payment = paid_one(subject, &fixtures, "A1").await;
    let answers = at_once(MANY, |_| {
        let (store, refund) = (subject.store.clone(), fixtures.refund(&payment, "R1", 10));
        async move { (refund.id, store.open_refund(refund).await.unwrap()) }
    })
    .await;
    let new: Vec<_> = answers.iter().filter(|(_, opened)| matches!(opened, RefundOpened::New)).collect();
    assert_eq!(new.len(), 1);
    for (_, opened) in &answers {
        let found = matches!(opened, RefundOpened::Exists(found) if found.id == new[0].0);
        assert!(found || matches!(opened, RefundOpened::New), "{opened:?}");
    }
    assert_eq!(counters(subject, &payment).await, (10, 0));
}

pub async fn transfers_at_once_keep_the_days_limit(subject: &Subject) {
    let fixtures = Arc::new(Fixtures::new(1));
    let mut stored = 0;
    for (round, minor) in [(0, 100), (1, 1000), (2, 501), (3, 16)] {
        let answers = at_once(MANY, |place| {
            let transfer = fixtures.transfer(&format!("app{round}"), &format!("T{place}"), minor);
            let store = subject.store.clone();
            async move { store.open_transfer(transfer, DayLimit { amount_max: 1000, ..WIDE }).await.unwrap() }
        })
        .await;
        let new = answers.iter().filter(|opened| matches!(opened, TransferOpened::New)).count();
        let over = answers.iter().filter(|opened| matches!(opened, TransferOpened::OverLimit)).count();
        let most = usize::try_from(1000 / minor).unwrap();
        assert_eq!((new, over), (most, MANY - most), "of {minor} each");
        stored += new;
        assert_eq!(subject.look.ids().await.transfers.len(), stored);
    }
}

pub async fn of_equal_transfer_numbers_one_is_new(subject: &Subject) {
    let fixtures = Arc::new(Fixtures::new(1));
    let answers = at_once(MANY, |_| {
        let (store, transfer) = (subject.store.clone(), fixtures.transfer("shop", "T1", 10));
        async move { store.open_transfer(transfer, DayLimit { amount_max: 10, ..WIDE }).await.unwrap() }
    })
    .await;
    let new = answers.iter().filter(|opened| matches!(opened, TransferOpened::New)).count();
    let found = answers.iter().filter(|opened| matches!(opened, TransferOpened::Exists(_))).count();
    assert_eq!((new, found), (1, MANY - 1));
}

/// Does a change over and over until nobody is faster. How often it was stale.
async fn insist(store: &dyn Store, payment: &Payment, change: impl Fn(&Payment) -> Change) -> usize {
    let mut stale = 0;
    loop {
        let seen = store.payment(payment.id).await.unwrap().unwrap();
        match store.apply(change(&seen)).await.unwrap() {
            Applied::Done => return stale,
            Applied::Stale => stale += 1,
            other @ (Applied::CallbackKnown | Applied::Full) => panic!("{other:?}"),
        }
        assert!(stale < 10_000, "a change is stale for ever");
        tokio::task::yield_now().await;
    }
}

/// New refunds, steps of refunds and changes of their attempt in between: none is lost.
pub async fn refunds_and_changes_lose_nothing(subject: &Subject) {
    let fixtures = Arc::new(Fixtures::new(1));
    let payment = Arc::new(paid_one(subject, &fixtures, "A1").await);
    at_once(30, |place| {
        let (store, payment, fixtures) = (subject.store.clone(), payment.clone(), fixtures.clone());
        async move {
            let store = store.as_ref();
            if place % 2 == 0 {
                insist(store, &payment, |seen| {
                    let mut change = change_of(seen);
                    edit_attempt(&mut change, 0, |attempt| attempt.checks += 1);
                    change
                })
                .await;
                return;
            }
            let refund = fixtures.refund(&payment, &format!("R{place}"), 10);
            store.open_refund(refund.clone()).await.unwrap();
            let end = if place % 3 == 0 { OutflowState::Failed } else { OutflowState::Succeeded };
            insist(store, &payment, |seen| refund_change(seen, step_to(&refund, end))).await;
        }
    })
    .await;
    let stored = subject.stored(&payment.id).await;
    let attempt = &stored.attempts[0];
    assert_eq!(attempt.checks, 15);
    assert_eq!(stored.version, payment.version + 30);
    assert_eq!((attempt.refunding, attempt.refunded), (0, 100));
    assert_eq!(subject.store.refunds_of(payment.id, None, u32::MAX).await.unwrap().len(), 15);
}

/// The provider says that less came in while refunds begin: one of the two is refused.
pub async fn refunds_and_less_money_never_meet(subject: &Subject) {
    let fixtures = Arc::new(Fixtures::new(1));
    for round in 0..4 {
        let payment = Arc::new(paid_one(subject, &fixtures, &format!("A{round}")).await);
        let answers = at_once(24, |place| {
            let (store, payment) = (subject.store.clone(), payment.clone());
            let refund = fixtures.refund(&payment, &format!("R{round}-{place}"), 100);
            async move {
                if place == 12 {
                    let mut change = change_of(&payment);
                    edit_attempt(&mut change, 0, |attempt| attempt.received = Some(Money::fen(700)));
                    return store.apply(change).await.unwrap() == Applied::Done;
                }
                matches!(store.open_refund(refund).await.unwrap(), RefundOpened::New)
            }
        })
        .await;
        let most = if answers[12] { 700 } else { 1999 };
        let (refunding, _) = counters(subject, &payment).await;
        let begun = answers.iter().enumerate().filter(|(place, new)| *place != 12 && **new).count();
        assert_eq!(refunding, 100 * i64::try_from(begun).unwrap());
        assert!(refunding <= most && refunding > most - 100, "{refunding} of {most}");
    }
}

/// Two callbacks say the same of one refund, one that it is done and one that it failed.
pub async fn of_contradicting_steps_one_is_done(subject: &Subject) {
    let fixtures = Arc::new(Fixtures::new(1));
    let seen = paid_one(subject, &fixtures, "A1").await;
    let refund = begun(subject, fixtures.refund(&seen, "R1", 500)).await;
    let transfer = super::transfers::begun(subject, fixtures.transfer("shop", "T1", 1)).await;
    let ends = [OutflowState::Succeeded, OutflowState::Failed];
    let answers = at_once(MANY, |place| {
        let store = subject.store.clone();
        let change = refund_change(&seen, step_to(&refund, ends[place % 2]));
        let other = transfer_to(&transfer, ends[place % 2]);
        async move { (store.apply(change).await.unwrap(), store.apply_transfer(other).await.unwrap()) }
    })
    .await;
    let done = |applied: Applied| usize::from(applied == Applied::Done);
    assert_eq!(answers.iter().map(|(applied, _)| done(*applied)).sum::<usize>(), 1);
    assert_eq!(answers.iter().map(|(_, applied)| done(*applied)).sum::<usize>(), 1);
    let stored = subject.store.refund(refund.id).await.unwrap().unwrap();
    let want = if stored.state == OutflowState::Succeeded { (0, 500) } else { (0, 0) };
    assert_eq!(counters(subject, &seen).await, want);
}

pub async fn what_is_due_is_taken_by_one_worker(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let payment = paid_one(subject, &fixtures, "A1").await;
    for place in 0..40 {
        begun(subject, fixtures.refund(&payment, &format!("R{place}"), 1)).await;
        super::transfers::begun(subject, fixtures.transfer("shop", &format!("T{place}"), 1)).await;
    }
    let now = fixtures.now();
    let taken = at_once(16, |_| {
        let store = subject.store.clone();
        async move {
            let (mut refunds, mut transfers) = (Vec::new(), Vec::new());
            for _ in 0..12 {
                refunds.extend(store.take_due_refunds(now, Duration::from_secs(30), 4).await.unwrap());
                transfers.extend(store.take_due_transfers(now, Duration::from_secs(30), 4).await.unwrap());
            }
            (refunds, transfers)
        }
    })
    .await;
    let mut refunds: Vec<_> = taken.iter().flat_map(|(own, _)| own).map(|refund| refund.id).collect();
    let mut transfers: Vec<_> = taken.iter().flat_map(|(_, own)| own).map(|transfer| transfer.id).collect();
    assert_eq!((refunds.len(), transfers.len()), (40, 40));
    refunds.sort_unstable();
    refunds.dedup();
    transfers.sort_unstable();
    transfers.dedup();
    assert_eq!((refunds.len(), transfers.len()), (40, 40));
}

pub async fn a_dropped_call_is_done_wholly_or_not_at_all(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let payment = paid_one(subject, &fixtures, "A1").await;
    for place in 0..60 {
        let refund = fixtures.refund(&payment, &format!("R{place}"), 1);
        let (first, again) = (refund.clone(), refund.clone());
        dropped(subject, place, async move |store| drop(store.open_refund(first).await)).await;
        // Whatever became of it, an equal call settles it.
        subject.store.open_refund(again).await.unwrap();
        let transfer = fixtures.transfer("shop", &format!("T{place}"), 1);
        let (first, again) = (transfer.clone(), transfer.clone());
        dropped(subject, place, async move |store| drop(store.open_transfer(first, WIDE).await)).await;
        subject.store.open_transfer(again, WIDE).await.unwrap();
        settled(subject, &refund).await;
        assert_eq!(subject.store.transfer(transfer.id).await, Ok(Some(transfer)));
    }
    assert_eq!(counters(subject, &payment).await, (60, 0));
}

async fn settled(subject: &Subject, refund: &Refund) {
    assert_eq!(subject.store.refund(refund.id).await.as_ref().map(Option::as_ref), Ok(Some(refund)));
    let sum: i64 = subject
        .store
        .refunds_of(refund.payment, None, u32::MAX)
        .await
        .unwrap()
        .iter()
        .map(|other| other.amount.minor())
        .sum();
    let stored = subject.stored(&refund.payment).await;
    assert_eq!(stored.attempts[0].refunding, sum);
}
