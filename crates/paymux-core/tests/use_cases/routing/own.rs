//! A strategy of an embedder's own.

use std::sync::Arc;

use paymux_core::Router;
use paymux_core::catalog::{Catalog, Lifecycle, Strategy, When};
use paymux_core::ids::RouteName;
use paymux_core::router::{Contenders, OwnStrategy, replay, replay_by};
use serde_json::{Value, json};

use super::{Want, catalog, entry, route};

/// The one of that rank.
#[derive(Debug)]
struct Rank(usize);

impl OwnStrategy for Rank {
    fn name(&self) -> &'static str {
        "rank"
    }

    fn pick(&self, left: &Contenders<'_>, _seed: u64) -> usize {
        assert_eq!(left.iter().count(), left.len());
        self.0
    }
}

/// Whichever the seed says.
#[derive(Debug)]
struct BySeed;

impl OwnStrategy for BySeed {
    fn name(&self) -> &'static str {
        "by-seed"
    }

    fn pick(&self, left: &Contenders<'_>, seed: u64) -> usize {
        usize::try_from(seed).unwrap() % left.len()
    }
}

/// Four channels, of which `b` is drained.
fn picking_by(strategy: Arc<dyn OwnStrategy>) -> Catalog {
    let mut channels: Vec<_> = ["a", "b", "c", "d"].map(entry).into();
    channels[1].state = Lifecycle::Draining;
    let all = route("all", When::default(), Strategy::RoundRobin, &[0, 1, 2, 3]);
    let mut catalog = catalog(channels, vec![all]);
    catalog.pick_by(&RouteName::new("all").unwrap(), strategy);
    catalog
}

#[test]
fn it_picks_among_those_that_are_left_and_no_others() {
    for (rank, want) in [(0, "a"), (1, "c"), (2, "d"), (3, "d"), (usize::MAX, "d")] {
        let (catalog, asked) = (picking_by(Arc::new(Rank(rank))), Want::plain());
        let picked = Router::new(&catalog).pick(&asked.ask(&catalog), &[], 0).unwrap();
        assert_eq!(picked.channel.id.as_str(), want, "{rank}");
    }
}

#[test]
fn it_is_not_asked_where_nobody_is_left() {
    let mut catalog = picking_by(Arc::new(Rank(0)));
    catalog.edit().0.iter_mut().for_each(|entry| entry.state = Lifecycle::Off);
    let asked = Want::plain();
    assert!(Router::new(&catalog).pick(&asked.ask(&catalog), &[], 0).is_err());
}

#[test]
fn its_record_names_it_and_is_replayed_by_it() {
    let (catalog, asked) = (picking_by(Arc::new(BySeed)), Want::plain());
    for seed in 0..12 {
        let picked = Router::new(&catalog).pick(&asked.ask(&catalog), &[], seed).unwrap();
        let record: Value = serde_json::to_value(&picked.decision).unwrap();
        assert_eq!(record["strategy"], "by-seed");
        assert_eq!(
            (&record["turn"], &record["candidates"][0]["last_completed"]),
            (&Value::Null, &Value::Null)
        );
        assert_eq!(replay_by(&record, Arc::new(BySeed)), Ok(Some(picked.channel.id.clone())));
        let error = replay(&record).unwrap_err().to_string();
        assert!(error.contains("unknown strategy `by-seed`"), "{error}");
        let error = replay_by(&record, Arc::new(Rank(0))).unwrap_err().to_string();
        assert!(error.ends_with("its strategy is not `rank`"), "{error}");
    }
    let nobody = json!({"strategy": "rank", "seed": "0000000000000000", "candidates": []});
    assert_eq!(replay_by(&nobody, Arc::new(Rank(0))), Ok(None));
}
