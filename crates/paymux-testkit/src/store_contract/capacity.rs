//! How much of channels' limits is used.

use std::sync::Arc;

use paymux_core::day::Day;
use paymux_core::money::Currency;
use paymux_core::payment::{AttemptState, Payment};
use paymux_core::store::{
    Applied, CapacityFigure, CapacityLimits, CapacityMove, CapacitySpan, CapacityUse, Change, Opened,
    Opening, Touched,
};

use super::Subject;
use crate::fixtures::{Fixtures, add_attempt, change_of, channel, opening_of};

const TODAY: CapacitySpan = CapacitySpan::Day(Day::from_number(19_783), Currency::CNY);
const ANY: CapacityLimits = CapacityLimits { amount: None, count: None };

fn limits(amount: Option<i64>, count: Option<i64>) -> CapacityLimits {
    CapacityLimits { amount, count }
}

fn used(reserved: i64, booked: i64, count: i64) -> CapacityUse {
    CapacityUse { reserved, booked, count }
}

/// One more attempt of that much, within those limits.
fn takes(id: &str, span: CapacitySpan, minor: i64, within: CapacityLimits) -> CapacityMove {
    CapacityMove { channel: channel(id), span, by: used(minor, 0, 1), within: Some(within) }
}

/// What has happened already.
fn moves(id: &str, span: CapacitySpan, by: CapacityUse) -> CapacityMove {
    CapacityMove { channel: channel(id), span, by, within: None }
}

fn figure(id: &str, span: CapacitySpan, used: CapacityUse) -> CapacityFigure {
    CapacityFigure { channel: channel(id), span, used }
}

fn taking(opening: Opening, capacity: Vec<CapacityMove>) -> Opening {
    Opening { capacity, ..opening }
}

async fn today(subject: &Subject) -> Vec<CapacityFigure> {
    subject.store.capacity_figures(Day::from_number(19_783)).await.unwrap()
}

/// Opens a payment that takes that, and says whether there was room.
async fn has_room(subject: &Subject, fixtures: &Fixtures, order_no: &str, one: CapacityMove) -> bool {
    match subject.store.open(taking(fixtures.opening("shop", order_no), vec![one])).await.unwrap() {
        Opened::New => true,
        Opened::Full => false,
        Opened::Exists(stored) => panic!("{stored:?}"),
    }
}

pub async fn is_empty_at_first(subject: &Subject) {
    assert_eq!(today(subject).await, []);
}

pub async fn an_attempt_keeps_what_it_takes(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let mut payment = fixtures.payment("shop", "A1");
    let capacity = &mut payment.attempts[0].capacity;
    (capacity.day, capacity.reserved, capacity.in_flight) = (Some(Day::from_number(-3)), 1999, true);
    let seen = subject.opened(opening_of(payment.clone())).await;
    assert_eq!(subject.stored(&seen.id).await, payment);

    let mut change = change_of(&seen);
    let attempt = &mut change.payment.attempts[0];
    // The day is what was agreed at the start.
    (attempt.capacity.day, attempt.capacity.reserved, attempt.capacity.in_flight) = (None, 0, false);
    change.touched =
        vec![Touched { id: attempt.id, seen_state: AttemptState::Sending, seen_fence: attempt.fence }];
    let left = subject.done(change).await.attempts[0].capacity;
    assert_eq!((left.day, left.reserved, left.in_flight), (Some(Day::from_number(-3)), 0, false));
}

pub async fn an_opening_takes_up_to_the_last_of_it(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let within = limits(Some(1000), Some(3));
    for (order_no, minor, fits) in [
        ("A1", 600, true),
        ("A2", 401, false),
        ("A3", 400, true),
        ("A4", 1, false),
        ("A5", 0, true),
        ("A6", 0, false),
    ] {
        let got = has_room(subject, &fixtures, order_no, takes("a", TODAY, minor, within)).await;
        assert_eq!(got, fits, "{order_no}");
    }
    assert_eq!(today(subject).await, [figure("a", TODAY, used(1000, 0, 3))]);
}

pub async fn an_opening_without_room_writes_nothing(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let one = takes("a", TODAY, 5, limits(Some(4), None));
    let opening = taking(fixtures.opening("shop", "A1"), vec![one]);
    let opened = subject.unchanged(subject.store.open(opening)).await;
    assert!(matches!(opened, Ok(Opened::Full)), "{opened:?}");
    assert_eq!(today(subject).await, []);
}

pub async fn of_several_limits_each_must_have_room(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let both = |minor, count| {
        let flight = CapacityMove {
            by: used(0, 0, 1),
            ..takes("a", CapacitySpan::Flight, 0, limits(None, Some(count)))
        };
        vec![flight, takes("a", TODAY, minor, limits(Some(10), None))]
    };
    let open =
        |order_no: &str, capacity| subject.store.open(taking(fixtures.opening("shop", order_no), capacity));
    assert!(matches!(open("A1", both(6, 2)).await, Ok(Opened::New)));
    assert!(matches!(open("A2", both(5, 2)).await, Ok(Opened::Full)), "the day has no room");
    assert!(matches!(open("A3", both(4, 1)).await, Ok(Opened::Full)), "too many are under way");
    assert!(matches!(open("A4", both(4, 2)).await, Ok(Opened::New)));
    let want = [figure("a", CapacitySpan::Flight, used(0, 0, 2)), figure("a", TODAY, used(10, 0, 2))];
    assert_eq!(today(subject).await, want);
}

pub async fn a_taken_order_number_is_found_without_room(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let one = || takes("a", TODAY, 5, limits(Some(5), None));
    let stored = subject.opened(taking(fixtures.opening("shop", "A1"), vec![one()])).await;
    let again = taking(fixtures.opening("shop", "A1"), vec![one()]);
    match subject.unchanged(subject.store.open(again)).await {
        Ok(Opened::Exists(found)) => assert_eq!(*found, stored),
        other => panic!("{other:?}"),
    }
    assert_eq!(today(subject).await, [figure("a", TODAY, used(5, 0, 1))]);
}

pub async fn what_has_happened_is_booked_above_any_limit(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let one = takes("a", TODAY, 5, limits(Some(5), None));
    let seen = subject.opened(taking(fixtures.opening("shop", "A1"), vec![one])).await;
    let paid = Change { capacity: vec![moves("a", TODAY, used(-5, 900, 0))], ..change_of(&seen) };
    subject.done(paid).await;
    assert_eq!(today(subject).await, [figure("a", TODAY, used(0, 900, 1))]);
    assert!(!has_room(subject, &fixtures, "A2", takes("a", TODAY, 1, limits(Some(900), None))).await);
    assert!(has_room(subject, &fixtures, "A3", takes("a", TODAY, 1, limits(Some(901), None))).await);
}

/// Also where no row was ever made for the limit.
pub async fn money_is_booked_without_a_row(subject: &Subject) {
    let seen = subject.opened(Fixtures::new(1).opening("shop", "A1")).await;
    subject.done(Change { capacity: vec![moves("b", TODAY, used(0, 7, 1))], ..change_of(&seen) }).await;
    assert_eq!(today(subject).await, [figure("b", TODAY, used(0, 7, 1))]);
}

pub async fn what_is_given_back_can_be_taken_again(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let one = || takes("a", TODAY, 5, limits(Some(5), Some(1)));
    let seen = subject.opened(taking(fixtures.opening("shop", "A1"), vec![one()])).await;
    assert!(!has_room(subject, &fixtures, "A2", one()).await);
    subject.done(Change { capacity: vec![moves("a", TODAY, used(-5, 0, -1))], ..change_of(&seen) }).await;
    assert_eq!(today(subject).await, []);
    assert!(has_room(subject, &fixtures, "A2", one()).await);
}

/// The end of one attempt and the next one, on a channel that has room or not.
fn goes_on(fixtures: &Fixtures, seen: &Payment, within: CapacityLimits) -> Change {
    let mut change = change_of(seen);
    let attempt = &mut change.payment.attempts[0];
    change.touched = vec![Touched { id: attempt.id, seen_state: attempt.state, seen_fence: attempt.fence }];
    attempt.state = AttemptState::Refused;
    let next = fixtures.attempt("b");
    add_attempt(&mut change, next);
    change.capacity = vec![moves("a", TODAY, used(-5, 0, -1)), takes("b", TODAY, 5, within)];
    change
}

pub async fn a_failover_takes_and_gives_back_at_once(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = subject.opened(taking(fixtures.opening("shop", "A1"), vec![takes("a", TODAY, 5, ANY)])).await;
    subject.done(goes_on(&fixtures, &seen, limits(Some(5), Some(1)))).await;
    assert_eq!(today(subject).await, [figure("b", TODAY, used(5, 0, 1))]);
}

pub async fn a_failover_without_room_writes_nothing(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = subject.opened(taking(fixtures.opening("shop", "A1"), vec![takes("a", TODAY, 5, ANY)])).await;
    for within in [limits(Some(4), None), limits(None, Some(0))] {
        subject.writes_nothing(goes_on(&fixtures, &seen, within), Ok(Applied::Full)).await;
    }
    assert_eq!(today(subject).await, [figure("a", TODAY, used(5, 0, 1))]);
}

pub async fn a_stale_change_moves_nothing(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = subject.opened(taking(fixtures.opening("shop", "A1"), vec![takes("a", TODAY, 5, ANY)])).await;
    let stale = [
        Change { capacity: vec![moves("a", TODAY, used(-5, 0, -1))], ..change_of(&seen) },
        goes_on(&fixtures, &seen, ANY),
    ];
    subject.done(change_of(&seen)).await;
    for change in stale {
        subject.writes_nothing(change, Ok(Applied::Stale)).await;
    }
    assert_eq!(today(subject).await, [figure("a", TODAY, used(5, 0, 1))]);
}

pub async fn keeps_channels_days_and_currencies_apart(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let yesterday = CapacitySpan::Day(Day::from_number(19_782), Currency::CNY);
    let in_yen = CapacitySpan::Day(Day::from_number(19_783), Currency::from_code("JPY").unwrap());
    let within = limits(Some(5), Some(1));
    for (order_no, id, span) in [
        ("A1", "a", TODAY),
        ("A2", "a1", TODAY),
        ("A3", "a", yesterday),
        ("A4", "a", in_yen),
        ("A5", "a", CapacitySpan::Flight),
    ] {
        let minor = if span == CapacitySpan::Flight { 0 } else { 5 };
        assert!(has_room(subject, &fixtures, order_no, takes(id, span, minor, within)).await, "{order_no}");
    }
    let one = used(5, 0, 1);
    let want = [
        figure("a", CapacitySpan::Flight, used(0, 0, 1)),
        figure("a", TODAY, one),
        figure("a", in_yen, one),
        figure("a1", TODAY, one),
    ];
    assert_eq!(today(subject).await, want);
    let flight = figure("a", CapacitySpan::Flight, used(0, 0, 1));
    let of_yesterday = subject.store.capacity_figures(Day::from_number(19_782)).await;
    assert_eq!(of_yesterday, Ok(vec![flight, figure("a", yesterday, one)]));
}

/// Whoever comes at once, no more is taken than there is, and no less.
pub async fn openings_at_once_take_what_is_there(subject: &Subject) {
    const COUNT: i64 = 64;
    let fixtures = Fixtures::new(1);
    let mut opens = tokio::task::JoinSet::new();
    for place in 0..COUNT {
        let one = takes("a", TODAY, 10, limits(Some(10 * COUNT / 4 + 9), Some(COUNT)));
        let flight = takes("a", CapacitySpan::Flight, 0, limits(None, Some(COUNT / 4 + 1)));
        let opening = taking(fixtures.opening("shop", &format!("A{place}")), vec![flight, one]);
        let store = Arc::clone(&subject.store);
        opens.spawn(async move { matches!(store.open(opening).await.unwrap(), Opened::New) });
    }
    let taken = opens.join_all().await.into_iter().filter(|is_new| *is_new).count();
    assert_eq!(taken, 16);
    let want = [figure("a", CapacitySpan::Flight, used(0, 0, 16)), figure("a", TODAY, used(160, 0, 16))];
    assert_eq!(today(subject).await, want);
}

/// Failovers that take of each other's channels at once end all the same, and lose nothing.
pub async fn failovers_across_each_other_lose_nothing(subject: &Subject) {
    const COUNT: i64 = 24;
    let fixtures = Fixtures::new(1);
    let mut changes = tokio::task::JoinSet::new();
    for place in 0..COUNT {
        let (from, to) = if place % 2 == 0 { ("a", "b") } else { ("b", "a") };
        let opening = fixtures.opening("shop", &format!("A{place}"));
        let seen = subject.opened(taking(opening, vec![takes(from, TODAY, 5, ANY)])).await;
        let mut change = goes_on(&fixtures, &seen, limits(Some(1000), None));
        change.capacity =
            vec![moves(from, TODAY, used(-5, 0, -1)), takes(to, TODAY, 5, limits(Some(1000), None))];
        change.capacity.sort_by(|a, b| a.channel.cmp(&b.channel));
        let store = Arc::clone(&subject.store);
        changes.spawn(async move { store.apply(change).await });
    }
    assert_eq!(changes.join_all().await, vec![Ok(Applied::Done); 24]);
    let half = used(5 * COUNT / 2, 0, COUNT / 2);
    assert_eq!(today(subject).await, [figure("a", TODAY, half), figure("b", TODAY, half)]);
}
