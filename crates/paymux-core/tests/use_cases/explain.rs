//! Explain: what a create would decide, told without doing it.

use std::collections::BTreeMap;
use std::sync::Arc;

use paymux_core::catalog::{Catalog, ChannelEntry, Lifecycle, Strategy, When};
use paymux_core::ids::RouteName;
use paymux_core::payments::{Explained, Times};
use paymux_core::router::{Ask, Router, Seed};
use paymux_core::store::{Income, PaymentLedger as _};
use paymux_core::{Clock as _, Money, PaymentError};
use paymux_testkit::ScriptedChannel;
use serde_json::{Value, json};

use crate::world::{Setting, World, app, channel, request};

fn times(count: u32) -> Times {
    count.to_string().parse().unwrap()
}

/// What a create of that request would decide under a seed.
fn explained(world: &World, patch: Value) -> Explained {
    world.payments.explain(&app(), &request(patch), Some(Seed::new(7)), None).unwrap()
}

fn spread(world: &World, seed: u64, count: u32) -> BTreeMap<String, u32> {
    let answer =
        world.payments.explain(&app(), &request(json!({})), Some(Seed::new(seed)), Some(times(count)));
    let spread = answer.unwrap().spread.unwrap();
    spread.into_iter().map(|(channel, count)| (channel.to_string(), count)).collect()
}

/// A world whose one route picks so among three channels, of which `b` has collected and completed something.
fn picking_by(strategy: Strategy) -> World {
    let world = World::new();
    world.reconfigure(&Setting::default(), |catalog| three_channels(catalog, strategy));
    let catalog = world.payments.catalog();
    catalog.live().book(&[Income {
        channel: channel("b"),
        day: catalog.day_zone.day(world.clock.now()),
        money: Money::fen(500),
        completed_at: Some(world.clock.now()),
    }]);
    world
}

fn three_channels(catalog: &mut Catalog, strategy: Strategy) {
    let (channels, routes) = catalog.edit();
    channels.push(ChannelEntry::new(channel("c"), Arc::new(ScriptedChannel::new("account-c"))));
    for (entry, (weight, fee_bp)) in channels.iter_mut().zip([(5, 60), (1, 38), (1, 55)]) {
        (entry.weight, entry.fee_bp) = (weight, Some(fee_bp));
    }
    (routes[0].channels, routes[0].strategy) = (vec![0, 1, 2], strategy);
}

#[tokio::test(start_paused = true)]
async fn says_what_the_router_would_pick_for_every_strategy() {
    for strategy in Strategy::ALL {
        let world = picking_by(*strategy);
        let told = explained(&world, json!({}));
        assert_eq!(told, explained(&world, json!({})), "{strategy}: asked twice");
        let (catalog, request) = (world.payments.catalog(), request(json!({})));
        let ask = Ask::of(&catalog, &app(), &request, world.clock.now());
        let picked = Router::new(&catalog).pick(&ask, &[], 7).unwrap();
        assert_eq!(told.decision, picked.decision, "{strategy}");
        assert_eq!(told.decision.picked.as_ref(), Some(&picked.channel.id));
    }
}

#[tokio::test(start_paused = true)]
async fn takes_no_turn() {
    let world = picking_by(Strategy::RoundRobin);
    for (turn, want) in (0_u64..).zip(["a", "a", "b", "a", "c", "a", "a"]) {
        let told = explained(&world, json!({})).decision;
        assert_eq!(
            spread(&world, 7, 70),
            BTreeMap::from([("a".into(), 50), ("b".into(), 10), ("c".into(), 10)])
        );
        assert_eq!((told.turn, told.picked), (Some(turn), Some(channel(want))));
        let made = world.created(json!({"order_no": format!("A{turn}")})).await;
        assert_eq!(made.attempts[0].channel, channel(want));
    }
}

/// The ledger is away, and no channel is called: it would answer.
#[tokio::test(start_paused = true)]
async fn asks_neither_the_ledger_nor_a_provider() {
    let world = World::new();
    world.store.go_away();
    assert_eq!(explained(&world, json!({})).decision.picked, Some(channel("a")));
    world.store.come_back();
    assert!(world.a.orders().is_empty() && world.b.orders().is_empty());
    assert!(world.store.payment_by_order(&app(), &request(json!({})).order_no).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_seed_is_drawn_where_none_is_given() {
    let world = World::new();
    let seed = || world.payments.explain(&app(), &request(json!({})), None, None).unwrap().decision.seed;
    assert_ne!(seed(), seed());
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_told_as_a_create_tells_it() {
    check(
        |_| {},
        json!({"channel": "elsewhere"}),
        Some("default"),
        &[("a", "pin"), ("b", "pin"), ("elsewhere", "pin")],
    )
    .await;
    check(closed, json!({}), Some("default"), &[("a", "state"), ("b", "state")]).await;
    check(closed, json!({"channel": "b"}), Some("default"), &[("a", "pin"), ("b", "state")]).await;
    check(not_so_small, json!({}), None, &[]).await;
    check(not_so_small, json!({"channel": "a"}), None, &[("a", "pin")]).await;

    fn closed(catalog: &mut Catalog) {
        catalog.edit().0.iter_mut().for_each(|entry| entry.state = Lifecycle::Draining);
    }

    fn not_so_small(catalog: &mut Catalog) {
        catalog.edit().1[0].when = When { amount_min: Some(5000), ..When::default() };
    }

    async fn check(change: fn(&mut Catalog), patch: Value, route: Option<&str>, removed: &[(&str, &str)]) {
        let world = World::new();
        world.reconfigure(&Setting::default(), change);
        let told = explained(&world, patch.clone()).decision;
        assert_eq!((told.picked.as_ref(), told.route.as_ref().map(RouteName::as_str)), (None, route));
        let rules = told.candidates.iter().map(|c| (c.channel.as_str(), c.removed_by.as_ref().unwrap().rule));
        assert_eq!(rules.collect::<Vec<_>>(), removed, "{patch}");
        match world.create(patch.clone()).await {
            Err(PaymentError::NoChannel(nobody)) => assert_eq!(nobody, told.into(), "{patch}"),
            answer => panic!("{patch}: {answer:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_pinned_channel_outside_nothing_is_told_but_that() {
    let world = World::new();
    world.reconfigure(&Setting::default(), |catalog| catalog.edit().1[0].channels = vec![0]);
    let told = serde_json::to_value(explained(&world, json!({"channel": "b"}))).unwrap();
    assert_eq!((&told["picked"], &told["spread"]), (&Value::Null, &Value::Null));
    let rule = "no route that takes this payment lists the channel; the first is `default`";
    assert_eq!(
        told["candidates"][1],
        json!({"channel": "b", "eligible": false, "removed_by": {"rule": "pin", "detail": rule},
            "weight": null, "fee_bp": null})
    );
}

#[tokio::test(start_paused = true)]
async fn where_no_route_matches_the_record_says_so() {
    let world = World::new();
    world.reconfigure(&Setting::default(), |catalog| catalog.edit().1.clear());
    let told =
        world.payments.explain(&app(), &request(json!({})), Some(Seed::new(7)), Some(times(9))).unwrap();
    let want = json!({"route": null, "strategy": null, "seed": "0000000000000007", "picked": null,
        "candidates": [], "spread": {}});
    assert_eq!(serde_json::to_value(told).unwrap(), want);
}

#[tokio::test(start_paused = true)]
async fn what_breaks_a_rule_is_refused_as_a_create_refuses_it() {
    let world = World::new();
    for (patch, param) in [
        (json!({"extra": {"unknown": 1}}), "extra.unknown"),
        (json!({"notify_url": "http://shop.example/hook"}), "notify_url"),
    ] {
        let told = world.payments.explain(&app(), &request(patch.clone()), None, None).unwrap_err();
        let refused = world.create(patch).await.unwrap_err();
        assert_eq!(told.to_string(), refused.to_string());
        assert!(matches!(told, PaymentError::Invalid(field) if field.param == param));
    }
}

#[tokio::test(start_paused = true)]
async fn a_spread_is_made_again_by_its_seed() {
    let world = picking_by(Strategy::Random);
    let one = spread(&world, 1, 30_000);
    assert_eq!(one, spread(&world, 1, 30_000));
    assert_ne!(one, spread(&world, 2, 30_000));
    // Six standard deviations of a third of 30000.
    assert!(one.len() == 3 && one.values().all(|count| count.abs_diff(10_000) < 490), "{one:?}");
    assert_eq!(one.values().sum::<u32>(), 30_000);
}

#[tokio::test(start_paused = true)]
async fn a_spread_has_those_alone_that_are_picked() {
    for (strategy, want) in [
        (Strategy::SmartRandom, vec!["a", "c"]),
        (Strategy::Even, vec!["a", "c"]),
        (Strategy::LeastCollected, vec!["a", "c"]),
        (Strategy::Weighted, vec!["a", "b", "c"]),
        (Strategy::Priority, vec!["a"]),
        (Strategy::Cheapest, vec!["b"]),
    ] {
        let seen = spread(&picking_by(strategy), 3, 1000);
        assert_eq!(seen.keys().map(String::as_str).collect::<Vec<_>>(), want, "{strategy}");
        assert_eq!(seen.values().sum::<u32>(), 1000);
    }
    assert_eq!(spread(&picking_by(Strategy::Sticky), 3, 1000).len(), 1, "one payment sticks to one channel");
}
