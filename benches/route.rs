//! What does one whole routing decision cost: route, every filter, strategy? Over 3 to 10,000 channels, and over 3
//! to 101 routes with their rules?
//!
//! `plain` is what most routers do, a scan: the first route whose conditions hold, its channels through one closure
//! with the same rules, one of those that are left. It names no rules and keeps no record, as the hot way of
//! `paymux` does not: that is worked out from the same row of bits, later.
#![expect(clippy::expect_used, reason = "a bench that cannot set itself up must fail")]

mod routing;

use std::hint::black_box;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, criterion_group, criterion_main};
use paymux_core::catalog::Strategy;
use paymux_core::ids::AppId;
use paymux_core::router::{Router, Sheet};
use paymux_testkit::Want;

use routing::{catalog, channels, plain};

fn compare(c: &mut Criterion, name: &str, sizes: &[(usize, usize)], label: impl Fn(usize, usize) -> usize) {
    let mut group = c.benchmark_group(name);
    for &(routes, channels_count) in sizes {
        let channels = channels(channels_count).expect("channels of literals");
        let catalog = catalog(routes, channels, Strategy::Weighted).expect("a catalog of literals");
        let (app, want) = (AppId::new("shop").expect("a literal"), Want::new().expect("literals"));
        let ask = want.ask(&catalog, &app);
        let (router, mut sheet, mut seed) = (Router::new(&catalog), Sheet::default(), 0_u64);
        assert!(
            router.choose(&ask, &[], 7, &mut sheet).is_some() && plain(&catalog, &app, &ask, 7).is_some()
        );
        let size = label(routes, channels_count);
        let mut next = move || {
            seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
            seed
        };
        group.bench_function(BenchmarkId::new("paymux", size), |b| {
            b.iter(|| {
                router.choose(black_box(&ask), &[], next(), &mut sheet).map(|choice| &choice.channel.id)
            });
        });
        group.bench_function(BenchmarkId::new("plain", size), |b| {
            b.iter(|| plain(&catalog, &app, black_box(&ask), next()).map(|entry| &entry.id));
        });
    }
    group.finish();
}

fn by_channels(c: &mut Criterion) {
    let sizes = [3, 10, 100, 1000, 10_000].map(|channels| (1, channels));
    compare(c, "route/channels", &sizes, |_, channels| channels);
}

fn by_rules(c: &mut Criterion) {
    let sizes = [3, 21, 101].map(|routes| (routes, 3));
    compare(c, "route/rules", &sizes, |routes, _| routes);
}

/// What each strategy costs over so many channels, with all filters.
fn by_strategy(c: &mut Criterion) {
    for count in [100, 1000] {
        let mut group = c.benchmark_group(format!("route/strategies/{count}"));
        for strategy in Strategy::ALL.iter().copied() {
            let mut channels = channels(count).expect("channels of literals");
            for entry in &mut channels {
                entry.fee_bp = Some(60);
            }
            let catalog = catalog(1, channels, strategy).expect("a catalog of literals");
            let (app, want) = (AppId::new("shop").expect("a literal"), Want::new().expect("literals"));
            let ask = want.ask(&catalog, &app);
            let (router, mut sheet, mut seed) = (Router::new(&catalog), Sheet::default(), 0_u64);
            group.bench_function(strategy.word(), |b| {
                b.iter(|| {
                    seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
                    router.choose(black_box(&ask), &[], seed, &mut sheet).map(|choice| &choice.channel.id)
                });
            });
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    targets = by_channels, by_rules, by_strategy
}
criterion_main!(benches);
