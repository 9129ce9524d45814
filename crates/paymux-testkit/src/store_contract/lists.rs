//! Payments in lists.

use paymux_core::clock::Timestamp;
use paymux_core::ids::PaymentId;
use paymux_core::payment::{AttemptState, Payment, Status};
use paymux_core::store::PaymentFilter;

use super::Subject;
use crate::fixtures::{Fixtures, add_attempt, all_of, change_of, edit_attempt, order, paid};

/// Five payments of `shop`, oldest first, one of which has two attempts and one of which is paid;
/// and one of another app.
async fn six(subject: &Subject) -> Vec<Payment> {
    let fixtures = Fixtures::new(1);
    let mut payments = Vec::new();
    for place in 0..5 {
        let mut payment = subject.opened(fixtures.opening("shop", &format!("A{place}"))).await;
        if place == 1 {
            let mut change = change_of(&payment);
            edit_attempt(&mut change, 0, |attempt| attempt.state = AttemptState::NotSent);
            add_attempt(&mut change, fixtures.attempt("second"));
            payment = subject.done(change).await;
        }
        if place == 2 {
            payment = subject.done(paid(&fixtures, &payment)).await;
        }
        payments.push(payment);
    }
    subject.opened(fixtures.opening("market", "A0")).await;
    payments
}

async fn list(subject: &Subject, filter: PaymentFilter) -> Vec<Payment> {
    subject.store.payments(&filter).await.unwrap()
}

fn ids(payments: &[Payment]) -> Vec<PaymentId> {
    payments.iter().map(|payment| payment.id).collect()
}

pub async fn shows_the_newest_first(subject: &Subject) {
    let mut payments = six(subject).await;
    payments.reverse();
    assert_eq!(list(subject, all_of("shop")).await, payments);
}

pub async fn shows_one_app_only(subject: &Subject) {
    six(subject).await;
    assert_eq!(list(subject, all_of("market")).await.len(), 1);
    assert_eq!(list(subject, all_of("nobody")).await, []);
    let theirs = PaymentFilter { order_no: Some(order("A1")), ..all_of("market") };
    assert_eq!(list(subject, theirs).await, []);
}

pub async fn shows_no_more_than_asked(subject: &Subject) {
    let payments = six(subject).await;
    for limit in 0..7 {
        let got = ids(&list(subject, PaymentFilter { limit, ..all_of("shop") }).await);
        let want: Vec<_> = ids(&payments).into_iter().rev().take(usize::try_from(limit).unwrap()).collect();
        assert_eq!(got, want);
    }
}

pub async fn pages_without_gaps_or_repeats(subject: &Subject) {
    let fixtures = Fixtures::new(9);
    let mut want = Vec::new();
    for place in 0..23 {
        want.push(subject.opened(fixtures.opening("shop", &format!("A{place}"))).await.id);
    }
    want.reverse();
    for limit in [1, 2, 5, 23, 24] {
        let (mut got, mut after) = (Vec::new(), None);
        loop {
            let page = ids(&list(subject, PaymentFilter { limit, after, ..all_of("shop") }).await);
            let Some(last) = page.last() else { break };
            after = Some(*last);
            got.extend(page);
            // What comes in meanwhile is newer, and so on no later page.
            let order_no = format!("new-{limit}-{}", got.len());
            subject.opened(fixtures.opening("shop", &order_no)).await;
        }
        let got: Vec<_> = got.into_iter().filter(|id| want.contains(id)).collect();
        assert_eq!(got, want, "{limit} at a time");
    }
}

pub async fn filters(subject: &Subject) {
    let payments = six(subject).await;
    let check = async |filter: PaymentFilter, want: &[usize]| {
        let got = ids(&list(subject, filter.clone()).await);
        let want: Vec<_> = want.iter().map(|place| payments[*place].id).collect();
        assert_eq!(got, want, "{filter:?}");
    };
    let at = |place: usize| Some(payments[place].created_at);
    let all = all_of("shop");
    check(PaymentFilter { order_no: Some(order("A3")), ..all.clone() }, &[3]).await;
    check(PaymentFilter { order_no: Some(order("a3")), ..all.clone() }, &[]).await;
    check(PaymentFilter { status: Some(Status::Succeeded), ..all.clone() }, &[2]).await;
    check(PaymentFilter { status: Some(Status::Processing), ..all.clone() }, &[4, 3, 1, 0]).await;
    check(PaymentFilter { status: Some(Status::Failed), ..all.clone() }, &[]).await;
    check(PaymentFilter { from: at(3), ..all.clone() }, &[4, 3]).await;
    check(PaymentFilter { to: at(3), ..all.clone() }, &[2, 1, 0]).await;
    check(PaymentFilter { from: at(1), to: at(3), ..all.clone() }, &[2, 1]).await;
    check(PaymentFilter { from: at(3), to: at(3), ..all.clone() }, &[]).await;
    check(PaymentFilter { from: Some(Timestamp::from_ms(i64::MAX)), ..all.clone() }, &[]).await;
    check(PaymentFilter { after: Some(payments[3].id), ..all.clone() }, &[2, 1, 0]).await;
    check(PaymentFilter { after: Some(payments[0].id), ..all.clone() }, &[]).await;
    let status = Some(Status::Processing);
    check(PaymentFilter { status, from: at(1), to: at(4), limit: 1, ..all.clone() }, &[3]).await;
    check(PaymentFilter { status, after: Some(payments[3].id), limit: 1, ..all }, &[1]).await;
}
