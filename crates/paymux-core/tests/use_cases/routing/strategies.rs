//! What each strategy promises of its picks, over a hundred thousand seeds where it draws.

use std::collections::BTreeMap;

use super::{Want, catalog, entry, route};
use paymux_core::OrderNo;
use paymux_core::catalog::{Catalog, ChannelEntry, Lifecycle, Strategy, When};
use paymux_core::router::{Router, Sheet};

pub(super) const DRAWS: u64 = 100_000;

fn weighted(id: &str, weight: u32) -> ChannelEntry {
    ChannelEntry { weight, ..entry(id) }
}

pub(super) fn over(strategy: Strategy, channels: Vec<ChannelEntry>) -> Catalog {
    let places: Vec<usize> = (0..channels.len()).collect();
    catalog(channels, vec![route("all", When::default(), strategy, &places)])
}

/// How often each channel was picked.
pub(super) fn picks(catalog: &Catalog, count: u64) -> BTreeMap<String, u64> {
    let (router, want, mut sheet) = (Router::new(catalog), Want::plain(), Sheet::default());
    let mut rng = fastrand::Rng::with_seed(3);
    let mut seen = BTreeMap::new();
    for _ in 0..count {
        let choice = router.choose(&want.ask(catalog), &[], rng.u64(..), &mut sheet).unwrap();
        *seen.entry(choice.channel.id.to_string()).or_default() += 1;
    }
    seen
}

/// The squared distances of counts from what was expected of them, in thousandths.
pub(super) fn chi_square_milli(seen: &BTreeMap<String, u64>, shares: &[(&str, u64)]) -> u64 {
    let (all, total) = (seen.values().sum::<u64>(), shares.iter().map(|(_, share)| share).sum::<u64>());
    let far = |(id, share): &(&str, u64)| {
        let want = all * share / total;
        seen.get(*id).copied().unwrap_or(0).abs_diff(want).pow(2) * 1000 / want
    };
    shares.iter().map(far).sum()
}

#[test]
fn weighted_keeps_proportions() {
    let drained = ChannelEntry { state: Lifecycle::Draining, ..weighted("d", 50) };
    let channels = vec![weighted("a", 1), weighted("b", 3), drained, weighted("c", 6)];
    let seen = picks(&over(Strategy::Weighted, channels), DRAWS);
    // 99.9 % of fair draws stay below 13.82 with two degrees of freedom.
    assert!(chi_square_milli(&seen, &[("a", 1), ("b", 3), ("c", 6)]) < 13_820, "{seen:?}");
    assert_eq!(seen.values().sum::<u64>(), DRAWS, "nobody else was picked");
}

#[test]
fn random_is_uniform_whatever_the_weights() {
    let channels = vec![weighted("a", 1), weighted("b", 100), weighted("c", 7)];
    let seen = picks(&over(Strategy::Random, channels), DRAWS);
    assert!(chi_square_milli(&seen, &[("a", 1), ("b", 1), ("c", 1)]) < 13_820, "{seen:?}");
}

#[test]
fn turns_are_exact_over_a_cycle() {
    let channels = || vec![weighted("a", 50), weighted("b", 10), weighted("c", 10)];
    let fresh = over(Strategy::RoundRobin, channels());
    let (router, want, mut sheet) = (Router::new(&fresh), Want::plain(), Sheet::default());
    let turns = |_| router.choose(&want.ask(&fresh), &[], 1, &mut sheet).unwrap().channel.id.to_string();
    assert_eq!((0..7).map(turns).collect::<String>(), "aabacaa");
    let seen = picks(&over(Strategy::RoundRobin, channels()), 7000);
    assert_eq!(seen, BTreeMap::from([("a".into(), 5000), ("b".into(), 1000), ("c".into(), 1000)]));
    let picked = router.pick(&want.ask(&fresh), &[], 1).unwrap();
    assert_eq!((picked.decision.turn, picked.channel.id.as_str()), (Some(7), "a"));
}

#[test]
fn the_cheapest_that_is_left_takes_it() {
    let at = |id: &str, fee_bp, state| ChannelEntry { fee_bp, state, ..entry(id) };
    let (active, off) = (Lifecycle::Active, Lifecycle::Off);
    let channels = vec![
        at("nobody-knows", None, active),
        at("dear", Some(90), active),
        at("cheap", Some(38), active),
        at("as-cheap", Some(38), active),
        at("free", Some(0), off),
    ];
    assert_eq!(picks(&over(Strategy::Cheapest, channels), 10), BTreeMap::from([("cheap".into(), 10)]));
}

/// Where each of many payers goes.
fn homes(catalog: &Catalog) -> Vec<String> {
    let (router, mut sheet) = (Router::new(catalog), Sheet::default());
    let home = |payer: u32| {
        let mut want = Want::plain();
        want.payer.id = Some(format!("payer-{payer}"));
        want.order_no = OrderNo::new(format!("order-{}", payer % 7)).unwrap();
        let choice = router.choose(&want.ask(catalog), &[], u64::from(payer), &mut sheet).unwrap();
        choice.channel.id.to_string()
    };
    (0..10_000).map(home).collect()
}

#[test]
fn a_channel_that_goes_moves_only_its_own_payers() {
    let channels = |ids: &[&str]| ids.iter().map(|id| entry(id)).collect::<Vec<_>>();
    let before = homes(&over(Strategy::Sticky, channels(&["a", "b", "c", "d"])));
    // Neither their order nor another seed matters.
    assert_eq!(before, homes(&over(Strategy::Sticky, channels(&["d", "b", "a", "c"]))));
    let after = homes(&over(Strategy::Sticky, channels(&["a", "b", "d"])));
    for (before, after) in before.iter().zip(&after) {
        assert!(before == after || before == "c", "{before} moved to {after}");
    }
    let mut seen: BTreeMap<String, u64> = BTreeMap::new();
    for home in before {
        *seen.entry(home).or_default() += 1;
    }
    // 16.27 with three degrees of freedom.
    assert!(chi_square_milli(&seen, &[("a", 1), ("b", 1), ("c", 1), ("d", 1)]) < 16_270, "{seen:?}");
}

#[test]
fn a_payer_without_an_id_sticks_by_the_order() {
    let catalog = over(Strategy::Sticky, (0..8).map(|i| entry(&format!("c{i}"))).collect());
    let (router, mut sheet) = (Router::new(&catalog), Sheet::default());
    let mut home = |order: &str| {
        let want = Want { order_no: OrderNo::new(order).unwrap(), ..Want::plain() };
        router.choose(&want.ask(&catalog), &[], 9, &mut sheet).unwrap().channel.id.clone()
    };
    let homes: Vec<_> = (0..50).map(|i| home(&format!("order-{i}"))).collect();
    assert_eq!(homes, (0..50).map(|i| home(&format!("order-{i}"))).collect::<Vec<_>>());
    assert!(homes.iter().any(|other| *other != homes[0]));
}
