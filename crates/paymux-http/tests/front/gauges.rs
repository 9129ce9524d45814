//! How much waits for a person, in the metrics: looked up when they are read, and not too often.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::Body;
use http::Request;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use serde_json::json;

use crate::world::World;

/// A gauge that stands at zero, and one that stands at one.
const ZERO: u64 = 0;
const ONE: u64 = 0x3ff0_0000_0000_0000;

#[tokio::test(start_paused = true)]
async fn what_waits_is_counted_by_kind_and_goes_back_to_zero() {
    let recorder = Gauges::default();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let world = World::new();
    read(&world).await;
    assert_eq!(recorder.seen().len(), 8);
    assert!(recorder.seen().values().all(|count| *count == ZERO), "{:?}", recorder.seen());

    let payment = world.unknown("A1").await;
    tokio::time::sleep(Duration::from_mins(6)).await;
    read(&world).await;
    assert_eq!(recorder.seen()["attempt_unknown"], ONE);

    let word = json!({"amount": 1999, "note": "seen at the bank"});
    let path = format!("/admin/api/payments/{}/confirm", payment["id"].as_str().unwrap());
    assert_eq!(world.admin_post(&path, &word).await.status, 200);
    read(&world).await;
    assert_eq!(recorder.seen()["attempt_unknown"], ONE, "not asked for again so soon");
    tokio::time::sleep(Duration::from_secs(5)).await;
    read(&world).await;
    assert_eq!(recorder.seen()["attempt_unknown"], ZERO);
}

#[tokio::test(start_paused = true)]
async fn the_metrics_are_shown_while_the_ledger_is_away() {
    let recorder = Gauges::default();
    let _guard = metrics::set_default_local_recorder(&recorder);
    let world = World::new();
    world.store.go_away();
    read(&world).await;
    assert!(recorder.seen().is_empty());
}

async fn read(world: &World) {
    let page = world.call(Request::get("/metrics").body(Body::empty()).unwrap()).await;
    assert_eq!((page.status.as_u16(), page.text()), (200, "paymux_up 1\n".to_owned()));
}

/// Keeps what `paymux_operator_queue` was set to, by kind: each as the bits that the gauge has.
#[derive(Default)]
struct Gauges(Mutex<BTreeMap<String, Arc<AtomicU64>>>);

impl Gauges {
    fn seen(&self) -> BTreeMap<String, u64> {
        let bits = |bits: &Arc<AtomicU64>| bits.load(Ordering::Relaxed);
        self.0.lock().unwrap().iter().map(|(kind, gauge)| (kind.clone(), bits(gauge))).collect()
    }
}

impl Recorder for Gauges {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, _: &Key, _: &Metadata<'_>) -> Counter {
        Counter::noop()
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        if key.name() != "paymux_operator_queue" {
            return Gauge::noop();
        }
        let kind = key.labels().find(|label| label.key() == "kind").unwrap().value().to_owned();
        Gauge::from_arc(Arc::clone(self.0.lock().unwrap().entry(kind).or_default()))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}
