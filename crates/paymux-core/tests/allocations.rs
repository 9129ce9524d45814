//! A routing decision allocates nothing: counted, for each strategy, few channels and many, at the first try and at
//! a failover, with a pin and with channels that are out.

#![expect(clippy::unwrap_used, reason = "a test's own values")]

use std::sync::Arc;
use std::time::Duration;

use paymux_core::catalog::{ChannelEntry, FailoverUnknown, Lifecycle, Route, Strategy, When};
use paymux_core::clock::{Mono, Timestamp};
use paymux_core::ids::{AppId, ChannelId, RouteName};
use paymux_core::router::{Ask, Pulse, Router, Sheet};
use paymux_core::store::ChannelRecord;
use paymux_core::wire::PlainHttp;
use paymux_core::{App, Catalog, Endpoint, Region};
use paymux_testkit::{ScriptedChannel, Want};

fn channel(place: usize) -> ChannelId {
    ChannelId::new(format!("c{place}")).unwrap()
}

/// That many channels with rules of every kind, one of them out and one drained.
fn catalog(strategy: Strategy, count: usize) -> Catalog {
    let entry = |place: usize| {
        let id = channel(place);
        let mut entry = ChannelEntry::new(id.clone(), Arc::new(ScriptedChannel::new(id.as_str())));
        entry.weight = 1 + u32::try_from(place % 3).unwrap();
        entry.fee_bp = Some(60);
        match place % 5 {
            1 => entry.rules.amount_max = Some(5),
            2 => entry.rules.hours = Some(vec!["06:00-23:30".parse().unwrap()]),
            3 => entry.rules.regions = Some(vec![Region::from_code("CN-31").unwrap()]),
            _ => {}
        }
        entry
    };
    let route = Route {
        name: RouteName::new("all").unwrap(),
        when: When::default(),
        strategy,
        channels: (0..count).collect(),
        failover: 1,
        failover_unknown: FailoverUnknown::Abandon,
    };
    let public_url = Endpoint::parse("https://pay.example", PlainHttp::LoopbackOnly).unwrap();
    let apps = vec![App::new(AppId::new("shop").unwrap(), &[])];
    let catalog = Catalog::new(apps, (0..count).map(entry).collect(), vec![route], public_url);
    for _ in 0..5 {
        catalog.live().hear(&channel(0), Pulse::Ill, Mono(Duration::ZERO), &catalog.health);
    }
    let drained = ChannelRecord {
        id: channel(1),
        provider: "scripted".to_owned(),
        account: "c1".to_owned(),
        state: Lifecycle::Draining,
        since: Timestamp::from_ms(1),
        by: None,
        version: 2,
    };
    catalog.live().read_channels(&[drained]);
    catalog
}

/// What a few hundred decisions allocate once the sheet has grown.
fn allocations(strategy: Strategy, count: usize, pin: Option<&ChannelId>, tried: &[ChannelId]) -> u64 {
    let catalog = catalog(strategy, count);
    let want = Want::new().unwrap();
    let ask = Ask { pin, ..want.ask(&catalog, &AppId::new("shop").unwrap()) };
    let (router, mut sheet) = (Router::new(&catalog), Sheet::default());
    router.choose(&ask, tried, 0, &mut sheet).unwrap();
    let counted = allocation_counter::measure(|| {
        for seed in 1..300 {
            assert!(router.choose(&ask, tried, seed, &mut sheet).is_some());
        }
    });
    counted.count_total
}

#[test]
fn a_decision_allocates_nothing() {
    for strategy in Strategy::ALL.iter().copied() {
        for count in [3, 100, 1000] {
            assert_eq!(allocations(strategy, count, None, &[]), 0, "{strategy} over {count}");
            assert_eq!(
                allocations(strategy, count, None, &[channel(2)]),
                0,
                "{strategy} over {count}, again"
            );
            assert_eq!(
                allocations(strategy, count, Some(&channel(2)), &[]),
                0,
                "{strategy} over {count}, pinned"
            );
        }
    }
}

/// What counts, counts: a decision with its record does allocate.
#[test]
fn the_count_is_one() {
    let counted = allocation_counter::measure(|| drop(catalog(Strategy::Random, 3)));
    assert!(counted.count_total > 0);
}
