//! What does one routing decision cost, with its record, over 3, 100 and 1,000 channels?
//!
//! `plain` is the least that any router does: keep the channels that take the method and amount,
//! pick one; no rules named, no record.
#![expect(clippy::expect_used, reason = "a bench that cannot set itself up must fail")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use paymux_core::catalog::{Catalog, ChannelEntry, FailoverUnknown, Route, Strategy, When};
use paymux_core::ids::{AppId, ChannelId, RouteName};
use paymux_core::payment::Payer;
use paymux_core::router::{Ask, Router};
use paymux_core::wire::{Endpoint, PlainHttp};
use paymux_core::{Money, Secret};
use paymux_testkit::ScriptedChannel;

fn catalog(count: usize) -> Result<Catalog, Box<dyn std::error::Error>> {
    let entry = |i: usize| {
        let id = format!("channel-{i}");
        Ok::<_, Box<dyn std::error::Error>>(ChannelEntry::new(
            ChannelId::new(&id)?,
            Arc::new(ScriptedChannel::new(&id)),
        ))
    };
    let channels = (0..count).map(entry).collect::<Result<Vec<_>, _>>()?;
    let route = Route {
        name: RouteName::new("all")?,
        when: When::default(),
        strategy: Strategy::Random,
        channels: (0..count).collect(),
        failover: 1,
        failover_unknown: FailoverUnknown::Abandon,
    };
    let app = paymux_core::App::new(AppId::new("shop")?, &[Secret::new("key")]);
    let public = Endpoint::parse("https://pay.example", PlainHttp::LoopbackOnly)?;
    Ok(Catalog::new(vec![app], channels, vec![route], public))
}

fn plain<'a>(catalog: &'a Catalog, ask: &Ask<'_>, seed: u64) -> Option<&'a ChannelEntry> {
    let fits = |entry: &&ChannelEntry| {
        entry.channel.descriptor().method(ask.method).is_some_and(|spec| spec.takes_amount(ask.amount))
    };
    let left: Vec<_> = catalog.channels.iter().filter(fits).collect();
    let place = usize::try_from(seed).ok()?.checked_rem(left.len())?;
    left.get(place).copied()
}

fn route(c: &mut Criterion) {
    let mut group = c.benchmark_group("route");
    for count in [3, 100, 1000] {
        let catalog = catalog(count).expect("a catalog of literals");
        let app = AppId::new("shop").expect("a literal name");
        let payer = Payer::default();
        let ask = Ask {
            app: &app,
            amount: Money::fen(1999),
            method: paymux_testkit::channel::QR,
            expires_in: Duration::from_mins(30),
            payer: &payer,
            pin: None,
        };
        let router = Router::new(&catalog);
        assert!(router.pick(&ask, &[], 7).is_ok() && plain(&catalog, &ask, 7).is_some());
        group.bench_function(BenchmarkId::new("paymux", count), |b| {
            b.iter(|| router.pick(black_box(&ask), &[], 7));
        });
        group.bench_function(BenchmarkId::new("plain", count), |b| {
            b.iter(|| plain(&catalog, black_box(&ask), 7).map(|entry| &entry.id));
        });
    }
    group.finish();
}

criterion_group!(benches, route);
criterion_main!(benches);
