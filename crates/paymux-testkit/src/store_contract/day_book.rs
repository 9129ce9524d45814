//! What channels have collected day by day.

use std::sync::Arc;

use paymux_core::clock::Timestamp;
use paymux_core::day::Day;
use paymux_core::money::{Currency, Money};
use paymux_core::store::{Applied, Change, DayFigure, Income};

use super::Subject;
use super::refunds::paid_one;
use crate::fixtures::{Fixtures, change_of, channel};

fn income(id: &str, day: i32, minor: i64, completed_ms: Option<i64>) -> Income {
    Income {
        channel: channel(id),
        day: Day::from_number(day),
        money: Money::fen(minor),
        completed_at: completed_ms.map(Timestamp::from_ms),
    }
}

fn figure(id: &str, received: i64, completed: i64, last_ms: Option<i64>) -> DayFigure {
    DayFigure {
        channel: channel(id),
        currency: Currency::CNY,
        received,
        completed,
        last_completed_at: last_ms.map(Timestamp::from_ms),
    }
}

async fn on(subject: &Subject, day: i32) -> Vec<DayFigure> {
    subject.store.day_figures(Day::from_number(day)).await.unwrap()
}

/// Applies changes of one payment that bring those incomes in, one after the other.
async fn book(subject: &Subject, incomes: &[&[Income]]) {
    let mut payment = paid_one(subject, &Fixtures::new(1), "A1").await;
    for incomes in incomes {
        payment = subject.done(Change { incomes: incomes.to_vec(), ..change_of(&payment) }).await;
    }
}

pub async fn is_empty_at_first(subject: &Subject) {
    assert_eq!(on(subject, 0).await, []);
    assert_eq!(subject.store.last_completed().await, Ok(vec![]));
}

pub async fn adds_what_comes_in(subject: &Subject) {
    let first = [income("a", 19_783, 100, Some(5000))];
    let later = [income("a", 19_783, 20, None), income("b", 19_783, 7, Some(6000))];
    // What was held and is given to the merchant brings nothing in, and completes a payment.
    book(subject, &[&first, &later, &[income("a", 19_783, 0, Some(4000))]]).await;
    let want = [figure("a", 120, 2, Some(5000)), figure("b", 7, 1, Some(6000))];
    assert_eq!(on(subject, 19_783).await, want);
}

pub async fn keeps_days_channels_and_currencies_apart(subject: &Subject) {
    let yen = Money::new(9, Currency::from_code("JPY").unwrap());
    let incomes = [
        income("a", -1, i64::MAX, None),
        income("a", 0, 2, None),
        Income { money: yen, ..income("a", 0, 0, None) },
        income("a1", 0, 3, None),
    ];
    book(subject, &[&incomes]).await;
    assert_eq!(on(subject, -1).await, [figure("a", i64::MAX, 0, None)]);
    let in_yen = DayFigure { currency: yen.currency(), ..figure("a", 9, 0, None) };
    assert_eq!(on(subject, 0).await, [figure("a", 2, 0, None), in_yen, figure("a1", 3, 0, None)]);
    assert_eq!(on(subject, 1).await, []);
}

pub async fn tells_when_each_channel_last_completed_a_payment(subject: &Subject) {
    let incomes =
        [income("a", 1, 1, Some(9000)), income("a", 2, 1, Some(8000)), income("b", 1, 1, Some(7000))];
    book(subject, &[&incomes, &[income("c", 2, 1, None)]]).await;
    let want = [(channel("a"), Timestamp::from_ms(9000)), (channel("b"), Timestamp::from_ms(7000))];
    assert_eq!(subject.store.last_completed().await, Ok(want.to_vec()));
}

pub async fn adds_nothing_with_a_stale_change(subject: &Subject) {
    let seen = paid_one(subject, &Fixtures::new(1), "A1").await;
    subject.done(change_of(&seen)).await;
    let stale = Change { incomes: vec![income("a", 1, 1, Some(1))], ..change_of(&seen) };
    subject.writes_nothing(stale, Ok(Applied::Stale)).await;
    assert_eq!(on(subject, 1).await, []);
}

pub async fn refuses_less_than_nothing(subject: &Subject) {
    let seen = paid_one(subject, &Fixtures::new(1), "A1").await;
    let change = Change { incomes: vec![income("a", 1, -1, None)], ..change_of(&seen) };
    subject.writes_nothing(change, Err("corrupt")).await;
}

/// Many payments of one channel, written at the same time, lose nothing.
pub async fn adds_what_comes_in_at_once(subject: &Subject) {
    const COUNT: i64 = 32;
    let fixtures = Fixtures::new(1);
    let mut writes = tokio::task::JoinSet::new();
    for place in 0..COUNT {
        let payment = paid_one(subject, &fixtures, &format!("A{place}")).await;
        let change = Change { incomes: vec![income("a", 1, place, Some(place))], ..change_of(&payment) };
        let store = Arc::clone(&subject.store);
        writes.spawn(async move { store.apply(change).await });
    }
    assert_eq!(writes.join_all().await, vec![Ok(Applied::Done); 32]);
    assert_eq!(on(subject, 1).await, [figure("a", COUNT * (COUNT - 1) / 2, COUNT, Some(COUNT - 1))]);
}
