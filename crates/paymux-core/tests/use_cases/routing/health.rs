//! Channels that do not work: the breaker, who it hears, and `adaptive`.

use std::collections::BTreeMap;
use std::time::Duration;

use super::strategies::{DRAWS, chi_square_milli, over, picks};
use super::{Want, entry};
use crate::world::{Setting, World, channel};
use paymux_core::Payments;
use paymux_core::catalog::{Catalog, CatalogHandle, Strategy};
use paymux_core::channel::{Blame, ChannelError};
use paymux_core::clock::Mono;
use paymux_core::router::{Health, Pulse, Router};
use paymux_testkit::channel::{BARCODE, Script};
use serde_json::json;

fn at(seconds: u64) -> Mono {
    Mono(Duration::from_secs(seconds))
}

/// So many calls of that channel end so at that second.
fn hear(catalog: &Catalog, id: &str, pulse: Pulse, count: u32, second: u64) {
    for _ in 0..count {
        catalog.live().hear(&channel(id), pulse, at(second), &catalog.health);
    }
}

fn counts(shares: &[(&str, u64)]) -> BTreeMap<String, u64> {
    shares.iter().map(|(id, count)| ((*id).to_owned(), *count)).collect()
}

#[test]
fn a_channel_that_does_not_work_is_left_out_then_probed_then_back() {
    let catalog = over(Strategy::Random, ["a", "b", "c"].map(entry).into());
    hear(&catalog, "b", Pulse::Ill, 4, 1);
    assert_eq!(picks(&catalog, 1000).len(), 3);
    hear(&catalog, "b", Pulse::Ill, 1, 2);
    let seen = picks(&catalog, DRAWS);
    assert!(chi_square_milli(&seen, &[("a", 1), ("c", 1)]) < 13_820 && seen.len() == 2, "{seen:?}");
    catalog.live().turn(at(16));
    assert_eq!(picks(&catalog, 1000).len(), 2);
    catalog.live().turn(at(17));
    // One in twenty payments may go there, and does as often as to each of the others.
    let seen = picks(&catalog, DRAWS);
    assert!(chi_square_milli(&seen, &[("a", 59), ("b", 2), ("c", 59)]) < 13_820, "{seen:?}");
    hear(&catalog, "b", Pulse::Well, 1, 18);
    let seen = picks(&catalog, DRAWS);
    assert!(chi_square_milli(&seen, &[("a", 1), ("b", 1), ("c", 1)]) < 13_820, "{seen:?}");
}

#[test]
fn the_last_channel_is_never_taken_out() {
    let catalog = over(Strategy::Priority, ["a", "b"].map(entry).into());
    hear(&catalog, "a", Pulse::Ill, 5, 1);
    assert_eq!(picks(&catalog, 10), counts(&[("b", 10)]));
    let (want, pin) = (Want::plain(), channel("a"));
    let pinned = Want { pin: Some(&pin), ..Want::plain() };
    let router = Router::new(&catalog);
    assert_eq!(router.pick(&pinned.ask(&catalog), &[], 1).unwrap().channel.id, pin);
    // What was tried before is not there any more, so that the other one is the last.
    assert_eq!(router.pick(&want.ask(&catalog), &[channel("b")], 1).unwrap().channel.id, pin);
    hear(&catalog, "b", Pulse::Ill, 5, 1);
    assert_eq!(picks(&catalog, 10), counts(&[("a", 10)]));
}

#[test]
fn the_record_says_who_was_left_out_for_its_health() {
    let catalog = over(Strategy::Priority, ["a", "b"].map(entry).into());
    hear(&catalog, "a", Pulse::Ill, 5, 1);
    let decision = Router::new(&catalog).pick(&Want::plain().ask(&catalog), &[], 1).unwrap().decision;
    let removed = decision.candidates[0].removed_by.as_ref().unwrap();
    assert_eq!((decision.candidates[0].eligible, removed.rule), (false, "health"));
    assert_eq!(removed.detail, "5 of its calls went wrong within 30 s: it is left out for 15 s, then probed");
    assert!(decision.candidates[1].eligible && decision.candidates[1].removed_by.is_none());
}

#[test]
fn health_outlives_the_catalog() {
    let handle = CatalogHandle::new(over(Strategy::Priority, ["a", "b"].map(entry).into()));
    hear(&handle.load(), "a", Pulse::Ill, 5, 1);
    handle.replace(over(Strategy::Priority, ["x", "a", "y"].map(entry).into()));
    handle.replace(over(Strategy::Priority, ["a", "y"].map(entry).into()));
    assert_eq!(picks(&handle.load(), 10), counts(&[("y", 10)]));
}

#[test]
fn adaptive_goes_where_calls_go_well_and_tries_the_others_now_and_then() {
    let catalog = over(Strategy::Adaptive, ["a", "b", "c"].map(entry).into());
    let seen = picks(&catalog, DRAWS);
    assert!(chi_square_milli(&seen, &[("a", 1), ("b", 1), ("c", 1)]) < 13_820, "{seen:?}");
    hear(&catalog, "a", Pulse::Ill, 2, 1);
    let seen = picks(&catalog, DRAWS);
    // Of twenty payments nineteen go to the best two, and one to any of the three.
    assert!(chi_square_milli(&seen, &[("a", 2), ("b", 59), ("c", 59)]) < 13_820, "{seen:?}");
    hear(&catalog, "c", Pulse::Ill, 1, 1);
    let seen = picks(&catalog, DRAWS);
    assert!(chi_square_milli(&seen, &[("a", 1), ("b", 58), ("c", 1)]) < 13_820, "{seen:?}");
    hear(&catalog, "a", Pulse::Well, 40, 1);
    let seen = picks(&catalog, DRAWS);
    assert!(chi_square_milli(&seen, &[("a", 59), ("b", 59), ("c", 2)]) < 13_820, "{seen:?}");
}

#[test]
fn adaptive_says_how_often_calls_went_well() {
    let catalog = over(Strategy::Adaptive, ["a", "b"].map(entry).into());
    hear(&catalog, "a", Pulse::Ill, 1, 1);
    let decision = Router::new(&catalog).pick(&Want::plain().ask(&catalog), &[], 3).unwrap().decision;
    let rates: Vec<_> = decision.candidates.iter().map(|candidate| candidate.success_ppm).collect();
    assert_eq!(rates, [Some(937_500), Some(1_000_000)]);
}

fn health(node: &Payments) -> [Health; 2] {
    ["a", "b"].map(|id| node.catalog().live().health(&channel(id)))
}

/// Creates so many payments, for each of which `a` has that script.
async fn create(world: &World, script: Option<Script>, count: u32, name: &str) {
    for place in 0..count {
        if let Some(script) = &script {
            world.a.on_create(script.clone());
        }
        world.created(json!({"order_no": format!("{name}-{place}")})).await;
    }
}

#[tokio::test(start_paused = true)]
async fn calls_that_go_wrong_move_payments_to_another_channel() {
    for (place, script) in [Script::NotSent, Script::Lose, Script::Refuse(Blame::Provider), Script::Panic]
        .into_iter()
        .enumerate()
    {
        let world = World::new();
        create(&world, Some(script), 5, &format!("ill-{place}")).await;
        assert_eq!(health(&world.payments), [Health::Out, Health::Well], "{place}");
        let next = world.created(json!({"order_no": "next"})).await;
        assert_eq!(next.attempts[0].channel, channel("b"));
    }
}

#[tokio::test(start_paused = true)]
async fn what_payers_and_merchants_do_wrong_is_no_fault_of_the_channel() {
    for blame in [Blame::Request, Blame::Account] {
        let world = World::new();
        create(&world, Some(Script::Refuse(blame)), 20, "refused").await;
        assert_eq!(health(&world.payments), [Health::Well, Health::Well], "{blame:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_query_that_is_answered_brings_a_channel_back() {
    let world = World::new();
    create(&world, Some(Script::Lose), 5, "lost").await;
    assert_eq!(health(&world.payments)[0], Health::Out);
    world.clock.advance(Duration::from_secs(15)).await;
    // No payment has come to be a probe; the worker asks about those that are unknown.
    world.payments.sweep().await.unwrap();
    assert_eq!(health(&world.payments)[0], Health::Well);
    let next = world.created(json!({"order_no": "next"})).await;
    assert_eq!(next.attempts[0].channel, channel("a"));
}

#[tokio::test(start_paused = true)]
async fn queries_without_an_answer_count_too() {
    let world = World::new();
    create(&world, None, 5, "open").await;
    for _ in 0..5 {
        world.a.on_query(Err(ChannelError::unknown("nobody answers")));
    }
    while health(&world.payments)[0] == Health::Well {
        world.pass(Duration::from_secs(1)).await;
    }
    assert_eq!(world.a.asked(), 5);
}

#[tokio::test(start_paused = true)]
async fn slow_answers_count_where_that_is_asked_for_and_not_those_that_wait_for_a_payer() {
    let setting = Setting::default();
    let world = World::with(&setting);
    let slow = Script::Slow(Duration::from_secs(3));
    create(&world, Some(slow.clone()), 5, "slow").await;
    assert_eq!(health(&world.payments)[0], Health::Well);
    world.reconfigure(&setting, |catalog| catalog.health.slow = Some(Duration::from_secs(2)));
    create(&world, Some(Script::Slow(Duration::from_secs(1))), 5, "fast").await;
    for place in 0..5 {
        world.a.on_create(slow.clone());
        let at_the_till = json!({"order_no": format!("till-{place}"), "method": BARCODE.to_string(),
            "payer": {"auth_code": "134567890123456789"}});
        world.created(at_the_till).await;
    }
    assert_eq!(health(&world.payments)[0], Health::Well);
    create(&world, Some(slow), 5, "counted").await;
    assert_eq!(health(&world.payments)[0], Health::Out);
}
