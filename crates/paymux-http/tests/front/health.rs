//! Probes and metrics.

use axum::body::Body;
use http::Request;
use serde_json::json;

use crate::world::{OPERATOR, Seen, World};

#[tokio::test(start_paused = true)]
async fn ready_follows_the_store_and_alive_does_not() {
    let world = World::new();
    let ready = open(&world, "/readyz").await;
    assert_eq!(ready.status, 200);
    assert_eq!(ready.json(), json!({"status": "ready", "store": "ok", "config": "c0ffee"}));

    world.store.go_away();
    let ready = open(&world, "/readyz").await;
    assert_eq!(ready.status, 503);
    assert_eq!(ready.json(), json!({"status": "not_ready", "store": "away", "config": "c0ffee"}));
    let alive = open(&world, "/healthz").await;
    assert_eq!((alive.status.as_u16(), alive.json()), (200, json!({"status": "ok"})));
}

#[tokio::test(start_paused = true)]
async fn metrics_stand_where_the_configuration_says() {
    let world = World::new();
    let page = open(&world, "/metrics").await;
    assert_eq!((page.status.as_u16(), page.text()), (200, "paymux_up 1\n".to_owned()));
    assert_eq!(page.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");

    let private = World::with_private_metrics();
    open(&private, "/metrics").await.problem(404, "not_found");
    let request = Request::get("/metrics").header("authorization", format!("Bearer {OPERATOR}"));
    let page = private.call_admin(request.body(Body::empty()).unwrap()).await;
    assert_eq!((page.status.as_u16(), page.text()), (200, "paymux_up 1\n".to_owned()));
}

async fn open(world: &World, path: &str) -> Seen {
    world.call(Request::get(path).body(Body::empty()).unwrap()).await
}
