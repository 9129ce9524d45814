//! Threads that route, hear of calls, book money, move channels and reload at the same time, in thousands of drawn orders of their
//! steps: in the end the rows that the router reads say what really happened.
//!
//! Run with `cargo test -p paymux-core --features schedules --test schedules`.

#![cfg(feature = "schedules")]
#![expect(clippy::unwrap_used, reason = "a test's own values")]

use std::sync::Arc;
use std::time::Duration;

use paymux_core::catalog::{ChannelEntry, FailoverUnknown, Lifecycle, Route, Strategy, When};
use paymux_core::clock::{Mono, Timestamp};
use paymux_core::day::Day;
use paymux_core::ids::{AppId, ChannelId, RouteName};
use paymux_core::router::{Health, Pulse, Router, Sheet};
use paymux_core::store::{ChannelRecord, Income};
use paymux_core::wire::PlainHttp;
use paymux_core::{App, Catalog, CatalogHandle, Endpoint, Money};
use paymux_testkit::{ScriptedChannel, Want};
use shuttle::thread;

/// How many orders are tried out of each.
const ORDERS: usize = 5000;

fn channel(id: &str) -> ChannelId {
    ChannelId::new(id).unwrap()
}

fn catalog(strategy: Strategy, ids: &[&str]) -> Catalog {
    let entry = |id: &&str| ChannelEntry::new(channel(id), Arc::new(ScriptedChannel::new(id)));
    let route = Route {
        name: RouteName::new("all").unwrap(),
        when: When::default(),
        strategy,
        channels: (0..ids.len()).collect(),
        failover: 1,
        failover_unknown: FailoverUnknown::Abandon,
    };
    let public_url = Endpoint::parse("https://pay.example", PlainHttp::LoopbackOnly).unwrap();
    let apps = vec![App::new(AppId::new("shop").unwrap(), &[])];
    Catalog::new(apps, ids.iter().map(entry).collect(), vec![route], public_url)
}

/// Where a payment goes under each of those seeds.
fn picks(catalog: &Catalog, seeds: std::ops::Range<u64>) -> Vec<String> {
    let want = Want::new().unwrap();
    let ask = want.ask(catalog, &AppId::new("shop").unwrap());
    let mut sheet = Sheet::default();
    let pick =
        |seed| Router::new(catalog).choose(&ask, &[], seed, &mut sheet).unwrap().channel.id.to_string();
    seeds.map(pick).collect()
}

fn at(seconds: u64) -> Mono {
    Mono(Duration::from_secs(seconds))
}

#[test]
fn the_rows_say_what_the_breakers_say() {
    let threads = || {
        let handle = CatalogHandle::new(catalog(Strategy::Random, &["a", "b", "c"]));
        let ill = |id: &'static str| {
            let catalog = handle.load();
            move || (0..5).for_each(|_| catalog.live().hear(&channel(id), Pulse::Ill, at(1), &catalog.health))
        };
        let later = {
            let catalog = handle.load();
            move || {
                catalog.live().turn(at(16));
                catalog.live().hear(&channel("a"), Pulse::Well, at(17), &catalog.health);
            }
        };
        let routes = {
            let catalog = handle.load();
            move || drop(picks(&catalog, 0..3))
        };
        let running =
            [thread::spawn(ill("a")), thread::spawn(ill("b")), thread::spawn(later), thread::spawn(routes)];
        running.into_iter().for_each(|thread| thread.join().unwrap());
        let catalog = handle.load();
        let seen = picks(&catalog, 0..60);
        for id in ["a", "b", "c"] {
            let health = catalog.live().health(&channel(id));
            let is_picked = seen.iter().any(|picked| picked == id);
            assert!(health != Health::Well || is_picked, "{id} is well: {seen:?}");
            assert!(health != Health::Out || !is_picked, "{id} is out: {seen:?}");
        }
        assert_eq!(catalog.live().health(&channel("c")), Health::Well);
    };
    shuttle::check_random(threads, ORDERS);
}

#[test]
fn a_reload_loses_no_figures() {
    let threads = || {
        let handle = CatalogHandle::new(catalog(Strategy::Even, &["a", "b"]));
        let books = {
            let handle = handle.clone();
            move || {
                for _ in 0..3 {
                    let income = Income {
                        channel: channel("a"),
                        day: Day::from_number(1),
                        money: Money::fen(100),
                        completed_at: None,
                    };
                    handle.load().live().book(&[income]);
                }
            }
        };
        let falls_ill = {
            let handle = handle.clone();
            move || {
                for _ in 0..5 {
                    let catalog = handle.load();
                    catalog.live().hear(&channel("c"), Pulse::Ill, at(1), &catalog.health);
                }
            }
        };
        let reloads = {
            let handle = handle.clone();
            move || {
                handle.replace(catalog(Strategy::Even, &["x", "a", "c"]));
                handle.replace(catalog(Strategy::Even, &["c", "b", "a", "d"]));
            }
        };
        let routes = {
            let handle = handle.clone();
            move || (0..3).for_each(|seed| drop(picks(&handle.load(), seed..seed + 1)))
        };
        let running =
            [thread::spawn(books), thread::spawn(falls_ill), thread::spawn(reloads), thread::spawn(routes)];
        running.into_iter().for_each(|thread| thread.join().unwrap());
        let catalog = handle.load();
        assert_eq!(catalog.live().collected(&channel("a"), Money::fen(1).currency()), 300);
        let seen = picks(&catalog, 0..60);
        assert!(seen.iter().all(|id| id == "b" || id == "d"), "{seen:?}");
    };
    shuttle::check_random(threads, ORDERS);
}

/// What the ledger said of a channel in that version of it.
fn said(id: &str, version: i64, state: Lifecycle) -> ChannelRecord {
    ChannelRecord {
        id: channel(id),
        provider: "scripted".to_owned(),
        account: id.to_owned(),
        state,
        since: Timestamp::from_ms(version),
        by: None,
        version,
    }
}

/// Whoever reads the ledger late brings what is old by then, and the routes of every catalog say what is newest.
#[test]
fn the_rows_say_what_the_ledger_said_last() {
    let threads = || {
        let handle = CatalogHandle::new(catalog(Strategy::Random, &["a", "b", "c"]));
        let reads = |records: Vec<ChannelRecord>| {
            let handle = handle.clone();
            thread::spawn(move || {
                for record in records {
                    handle.load().live().read_channels(&[record]);
                }
            })
        };
        let reloads = {
            let handle = handle.clone();
            move || {
                handle.replace(catalog(Strategy::Even, &["x", "a", "c"]));
                handle.replace(catalog(Strategy::Random, &["c", "b", "a"]));
            }
        };
        let routes = {
            let handle = handle.clone();
            move || (0..3).for_each(|seed| drop(picks(&handle.load(), seed..seed + 1)))
        };
        let (active, draining, closed) = (Lifecycle::Active, Lifecycle::Draining, Lifecycle::VerifyOnly);
        let running = [
            reads(vec![said("a", 1, active), said("a", 2, draining), said("b", 1, active)]),
            reads(vec![said("b", 2, closed), said("a", 1, active), said("b", 3, active)]),
            reads(vec![said("a", 3, closed), said("c", 1, active)]),
            thread::spawn(reloads),
            thread::spawn(routes),
        ];
        running.into_iter().for_each(|thread| thread.join().unwrap());
        let catalog = handle.load();
        for (id, want) in [("a", closed), ("b", active), ("c", active)] {
            assert_eq!(catalog.live().state(&channel(id)), Some(want));
        }
        let seen = picks(&catalog, 0..60);
        for (id, is_picked) in [("a", false), ("b", true), ("c", true)] {
            assert_eq!(seen.iter().any(|picked| picked == id), is_picked, "{id}: {seen:?}");
        }
    };
    shuttle::check_random(threads, ORDERS);
}

#[test]
fn turns_taken_at_once_are_all_different() {
    let threads = || {
        let handle = CatalogHandle::new(catalog(Strategy::RoundRobin, &["a", "b", "c"]));
        let takes = || {
            let catalog = handle.load();
            thread::spawn(move || picks(&catalog, 0..3))
        };
        let running = [takes(), takes(), takes()];
        let mut seen: Vec<String> = running.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
        seen.sort_unstable();
        assert_eq!(seen.concat(), "aaabbbccc");
    };
    shuttle::check_random(threads, ORDERS);
}
