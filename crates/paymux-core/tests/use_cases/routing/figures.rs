//! Strategies that look at what channels have collected: `smart-random`, `even`, `least-collected`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::strategies::{DRAWS, chi_square_milli, over, picks};
use super::{Want, catalog, entry, route};
use crate::world::{Setting, World, app, channel, request};
use paymux_core::catalog::{Catalog, CatalogHandle, ChannelEntry, Lifecycle, Strategy, When};
use paymux_core::clock::Timestamp;
use paymux_core::day::Day;
use paymux_core::router::{Router, Sheet};
use paymux_core::store::{DayFigure, Income};
use paymux_core::{Currency, Money, Payments};
use paymux_testkit::channel::callback;
use serde_json::json;

const TODAY: Day = Day::from_number(20_000);

fn entries(ids: &str) -> Vec<ChannelEntry> {
    ids.chars().map(|id| entry(&id.to_string())).collect()
}

fn income(id: &str, minor: i64, completed_ms: Option<i64>) -> Income {
    Income {
        channel: channel(id),
        day: TODAY,
        money: Money::fen(minor),
        completed_at: completed_ms.map(Timestamp::from_ms),
    }
}

fn figure(id: &str, received: i64, last_ms: i64) -> DayFigure {
    DayFigure {
        channel: channel(id),
        currency: Currency::CNY,
        received,
        completed: 1,
        last_completed_at: Some(Timestamp::from_ms(last_ms)),
    }
}

/// Each of `of` is picked as often as the others, and nobody else at all.
#[track_caller]
fn check_uniform(catalog: &Catalog, of: &str) {
    let seen = picks(catalog, DRAWS);
    let names: Vec<String> = of.chars().map(String::from).collect();
    let shares: Vec<(&str, u64)> = names.iter().map(|name| (name.as_str(), 1)).collect();
    // 99.9 % of fair draws stay below 18.47 with four degrees of freedom, and lower with fewer.
    assert!(chi_square_milli(&seen, &shares) < 18_470, "{seen:?}");
    assert_eq!(seen.len(), names.len(), "{seen:?}");
}

#[test]
fn smart_random_leaves_out_the_last_completed() {
    let catalog = over(Strategy::SmartRandom, entries("abcd"));
    check_uniform(&catalog, "abcd");
    catalog.live().book(&[income("b", 100, Some(1000))]);
    check_uniform(&catalog, "acd");
    // Money that completes nothing moves it nowhere.
    catalog.live().book(&[income("c", 100, None)]);
    check_uniform(&catalog, "acd");
    // The same millisecond: the one that is told later is the last one.
    catalog.live().book(&[income("d", 100, Some(1000))]);
    check_uniform(&catalog, "abc");
    // What another node completed before that is no news.
    catalog.live().read_day(TODAY, &[figure("a", 1, 999)]);
    check_uniform(&catalog, "abc");
    catalog.live().read_day(TODAY, &[figure("a", 2, 1001)]);
    check_uniform(&catalog, "bcd");
}

#[test]
fn smart_random_takes_the_last_completed_where_it_is_the_only_one() {
    let drained = |id: &str| ChannelEntry { state: Lifecycle::Draining, ..entry(id) };
    let alone = over(Strategy::SmartRandom, vec![entry("a"), drained("b")]);
    alone.live().book(&[income("a", 1, Some(1))]);
    assert_eq!(picks(&alone, 10), BTreeMap::from([("a".into(), 10)]));
    // The last completed is no candidate: nobody is left out.
    let others = over(Strategy::SmartRandom, vec![entry("a"), drained("b"), entry("c")]);
    others.live().book(&[income("b", 1, Some(1))]);
    check_uniform(&others, "ac");
    // Nor where it is a channel of another route.
    let outside =
        catalog(entries("abc"), vec![route("all", When::default(), Strategy::SmartRandom, &[0, 1])]);
    outside.live().book(&[income("c", 1, Some(1))]);
    check_uniform(&outside, "ab");
}

#[test]
fn even_leaves_out_the_one_that_has_collected_most() {
    let catalog = over(Strategy::Even, entries("abcd"));
    check_uniform(&catalog, "abcd");
    catalog.live().book(&[income("a", 300, Some(1)), income("b", 200, None)]);
    // It does not pick the poorest: all but the richest have the same chance.
    check_uniform(&catalog, "bcd");
    catalog.live().book(&[income("c", 301, None)]);
    check_uniform(&catalog, "abd");
}

#[test]
fn of_several_richest_even_leaves_any_one_out() {
    let catalog = over(Strategy::Even, entries("abc"));
    catalog.live().book(&[income("a", 300, None), income("b", 300, None)]);
    // One of the two is left out, each half of the time, and the pick is among the other and `c`.
    let seen = picks(&catalog, DRAWS);
    assert!(chi_square_milli(&seen, &[("a", 1), ("b", 1), ("c", 2)]) < 13_820, "{seen:?}");
}

#[test]
fn even_counts_candidates_and_one_currency_alone() {
    let drained = ChannelEntry { state: Lifecycle::Draining, ..entry("d") };
    let mut channels = entries("abc");
    channels.push(drained);
    let catalog = over(Strategy::Even, channels);
    let dollars = Money::new(900, Currency::from_code("USD").unwrap());
    let in_dollars = Income { money: dollars, ..income("b", 0, None) };
    catalog.live().book(&[income("d", 500, None), in_dollars, income("a", 1, None)]);
    check_uniform(&catalog, "bc");
}

#[test]
fn even_takes_the_richest_where_it_is_the_only_one() {
    let catalog = over(Strategy::Even, entries("a"));
    catalog.live().book(&[income("a", 1, None)]);
    assert_eq!(picks(&catalog, 10), BTreeMap::from([("a".into(), 10)]));
}

#[test]
fn least_collected_takes_the_poorest_and_of_several_any() {
    let catalog = over(Strategy::LeastCollected, entries("abc"));
    check_uniform(&catalog, "abc");
    catalog.live().book(&[income("a", 300, None), income("b", 1, None)]);
    check_uniform(&catalog, "c");
    catalog.live().book(&[income("c", 1, None)]);
    check_uniform(&catalog, "bc");
}

#[test]
fn a_new_day_begins_at_nothing_and_remembers_who_completed_last() {
    let tomorrow = Day::from_number(20_001);
    let even = over(Strategy::Even, entries("abc"));
    even.live().book(&[income("a", 300, Some(5))]);
    check_uniform(&even, "bc");
    even.live().read_day(tomorrow, &[]);
    check_uniform(&even, "abc");
    // What is told of the day before changes nothing any more.
    even.live().book(&[income("b", 900, None)]);
    even.live().read_day(TODAY, &[figure("c", 900, 1)]);
    check_uniform(&even, "abc");
    assert_eq!(even.live().collected(&channel("b"), Currency::CNY), 0);

    let smart = over(Strategy::SmartRandom, entries("abc"));
    smart
        .live()
        .read_last_completed(&[(channel("a"), Timestamp::from_ms(3)), (channel("b"), Timestamp::from_ms(2))]);
    smart.live().read_day(tomorrow, &[]);
    check_uniform(&smart, "bc");
}

/// The ledger is read while this process books: neither takes anything back of what the other knows.
#[test]
fn a_days_figures_only_grow() {
    let catalog = over(Strategy::Even, entries("ab"));
    let live = catalog.live();
    live.book(&[income("a", 300, None)]);
    live.read_day(TODAY, &[figure("a", 200, 1)]);
    assert_eq!(live.collected(&channel("a"), Currency::CNY), 300);
    live.read_day(TODAY, &[figure("a", 500, 1)]);
    live.book(&[income("a", 1, None)]);
    assert_eq!(live.collected(&channel("a"), Currency::CNY), 501);
}

#[test]
fn figures_outlive_the_catalog() {
    let handle = CatalogHandle::new(over(Strategy::Even, entries("abc")));
    handle.load().live().book(&[income("b", 300, Some(7))]);
    // Other places, another strategy, a route more: the channels are the same.
    let routes = vec![
        route("even", When { amount_max: Some(1), ..When::default() }, Strategy::Even, &[0, 2]),
        route("smart", When::default(), Strategy::SmartRandom, &[2, 1, 0]),
    ];
    handle.replace(catalog(entries("xyb"), routes));
    check_uniform(&handle.load(), "xy");
    handle.load().live().book(&[income("x", 1, Some(8))]);
    check_uniform(&handle.load(), "yb");
}

/// The record says what the strategy looked at.
#[test]
fn the_record_has_the_figures_that_decided() {
    let record = |strategy, incomes: &[Income]| {
        let catalog = over(strategy, entries("ab"));
        catalog.live().book(incomes);
        let want = Want::plain();
        let decision = Router::new(&catalog).pick(&want.ask(&catalog), &[], 1).unwrap().decision;
        decision.candidates.iter().map(|c| (c.collected_today, c.last_completed)).collect::<Vec<_>>()
    };
    let incomes = [income("b", 30, Some(1))];
    assert_eq!(record(Strategy::Even, &incomes), [(Some(0), None), (Some(30), None)]);
    assert_eq!(record(Strategy::LeastCollected, &incomes), [(Some(0), None), (Some(30), None)]);
    assert_eq!(record(Strategy::SmartRandom, &incomes), [(None, Some(false)), (None, Some(true))]);
    assert_eq!(record(Strategy::Random, &incomes), [(None, None), (None, None)]);
}

/// A sheet that was used for a larger route and another strategy leaves nothing behind.
#[test]
fn a_sheet_can_be_used_again() {
    let mut sheet = Sheet::default();
    let large = over(Strategy::Even, (0..200).map(|i| entry(&format!("c{i}"))).collect());
    let small = over(Strategy::Even, entries("ab"));
    let want = Want::plain();
    small.live().book(&[income("a", 9, None)]);
    for seed in 0..100 {
        Router::new(&large).choose(&want.ask(&large), &[], seed, &mut sheet).unwrap();
        let choice = Router::new(&small).choose(&want.ask(&small), &[], seed, &mut sheet).unwrap();
        assert_eq!(choice.channel.id, channel("b"));
    }
}

fn evenly(catalog: &mut Catalog) {
    catalog.edit().1[0].strategy = Strategy::Even;
}

/// What a payment brings in counts at once where it was booked, and elsewhere once the ledger was read there.
#[tokio::test(start_paused = true)]
async fn money_moves_the_next_payment_on_this_node_and_on_others() {
    let setting = Setting::default();
    let world = World::with(&setting);
    world.reconfigure(&setting, evenly);
    let other = world.node_apart(&setting, evenly);
    let first = world.created(json!({"order_no": "A1"})).await;
    let [taker, rest] = match first.attempts[0].channel.as_str() {
        "a" => ["a", "b"],
        _ => ["b", "a"],
    };
    let number = first.attempts[0].number.as_str();
    let told = callback(number, Money::fen(1999), "T1");
    world.payments.take_callback(channel(taker), told).await.unwrap();

    let collected = |node: &Payments| {
        let catalog = node.catalog();
        [taker, rest].map(|id| catalog.live().collected(&channel(id), Currency::CNY))
    };
    assert_eq!((collected(&world.payments), collected(&other)), ([1999, 0], [0, 0]));
    other.read_figures().await.unwrap();
    assert_eq!(collected(&other), [1999, 0]);
    for (place, node) in [&world.payments, &other].into_iter().cycle().take(20).enumerate() {
        let next = node.create(app(), request(json!({"order_no": format!("B{place}")}))).await.unwrap();
        assert_eq!(next.payment.attempts[0].channel.as_str(), rest);
    }
    // A day later both have collected nothing, and money of a payment that is no success is counted too.
    world.clock.advance(Duration::from_hours(24)).await;
    other.read_figures().await.unwrap();
    assert_eq!(collected(&other), [0, 0]);
    let short = callback(number, Money::fen(100), "T2");
    world.payments.take_callback(channel(taker), short).await.unwrap();
    assert_eq!(collected(&world.payments), [100, 0]);
}

/// What another node completed in the last moment of a day is known on the next, whose figures do not tell of it.
#[tokio::test(start_paused = true)]
async fn who_completed_last_is_known_over_midnight() {
    let setting = Setting::default();
    let world = World::with(&setting);
    let by_the_last = |catalog: &mut Catalog| catalog.edit().1[0].strategy = Strategy::SmartRandom;
    world.reconfigure(&setting, by_the_last);
    let other = world.node_apart(&setting, by_the_last);
    other.read_figures().await.unwrap();
    let first = world.created(json!({"order_no": "A1"})).await;
    let attempt = &first.attempts[0];
    let told = callback(attempt.number.as_str(), Money::fen(1999), "T1");
    world.payments.take_callback(attempt.channel.clone(), told).await.unwrap();
    world.clock.advance(Duration::from_hours(24)).await;
    other.read_figures().await.unwrap();
    for place in 0..20 {
        let next = other.create(app(), request(json!({"order_no": format!("B{place}")}))).await.unwrap();
        assert_ne!(next.payment.attempts[0].channel, attempt.channel);
    }
}

/// Where no strategy looks at it, the ledger is not asked: it would fail here.
#[tokio::test(start_paused = true)]
async fn nobody_asks_for_figures_that_nobody_looks_at() {
    let world = World::new();
    world.store.go_away();
    assert!(world.payments.read_figures().await.is_ok());
    world.reconfigure(&Setting::default(), evenly);
    assert!(world.payments.read_figures().await.is_err());
}
