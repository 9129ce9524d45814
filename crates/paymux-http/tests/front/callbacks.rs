//! Callbacks in: the bytes that came are the bytes that are kept, and the provider's own words go
//! back.

use axum::body::Body;
use http::Request;
use paymux_core::store::CallbackVerdict;
use serde_json::{Value, json};

use crate::world::{SHOP, Seen, World};

#[tokio::test(start_paused = true)]
async fn a_verified_callback_settles_the_payment() {
    let world = World::new();
    let payment = world.created("A1").await;
    let seen = notify(&world, "main", &paid(&payment)).await;
    assert_eq!((seen.status.as_u16(), seen.text()), (200, "success".to_owned()));
    assert_eq!(seen.header("content-type"), "text/plain");
    let page = world.get(SHOP, "/v1/payments").await.json();
    assert_eq!(page["data"][0]["status"], "succeeded");
    assert_eq!(page["data"][0]["provider_trade_no"], "T1");
}

#[tokio::test(start_paused = true)]
async fn a_forged_callback_changes_nothing_and_is_kept() {
    let world = World::new();
    world.created("A1").await;
    let seen = notify(&world, "main", "forged").await;
    assert_eq!((seen.status.as_u16(), seen.text()), (200, "fail".to_owned()));
    let kept = world.store.callbacks();
    assert_eq!((kept.len(), kept[0].verdict), (1, CallbackVerdict::Forged));
    assert_eq!(world.get(SHOP, "/v1/payments").await.json()["data"][0]["status"], "pending");
}

#[tokio::test(start_paused = true)]
async fn what_came_is_kept_byte_for_byte() {
    let world = World::new();
    let body = b"\xFF\x00 a=1&b=%E4%BD%A0+\r\n".to_vec();
    let request = Request::post("/notify/main?x=%2F%2f&sign=a+b&x=2")
        .header("content-type", "application/x-anything; charset=gbk")
        .header("X-Odd", "one")
        .header("x-odd", "two");
    let seen = world.call(request.body(Body::from(body.clone())).unwrap()).await;
    assert_eq!(seen.text(), "fail");
    let kept = world.store.callbacks().remove(0).request;
    assert_eq!(kept.verb.as_str(), "POST");
    assert_eq!(kept.path, "/notify/main");
    assert_eq!(kept.query.as_deref(), Some("x=%2F%2f&sign=a+b&x=2"));
    assert_eq!(kept.body, body);
    let fields: Vec<_> = kept.headers.iter().collect();
    let want = [("content-type", "application/x-anything; charset=gbk"), ("x-odd", "one"), ("x-odd", "two")];
    assert_eq!(fields, want);
}

#[tokio::test(start_paused = true)]
async fn a_get_is_a_callback_and_other_verbs_are_not() {
    let world = World::new();
    let get = world.call(Request::get("/notify/main?a=1").body(Body::empty()).unwrap()).await;
    assert_eq!((get.status.as_u16(), get.text()), (200, "fail".to_owned()));
    for verb in ["PUT", "DELETE", "PATCH", "OPTIONS"] {
        let request = Request::builder().method(verb).uri("/notify/main");
        world.call(request.body(Body::empty()).unwrap()).await.problem(405, "method_not_allowed");
    }
    let head = world.call(Request::head("/notify/main").body(Body::empty()).unwrap()).await;
    assert_eq!(head.status, 405);
    assert_eq!(world.store.callbacks().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_this_node_does_not_run_is_never_acknowledged() {
    let world = World::new();
    for channel in ["nobody", "gone"] {
        let seen = notify(&world, channel, "x").await;
        seen.problem(503, "overloaded");
        assert_eq!(seen.header("retry-after"), "1");
    }
    notify(&world, "no%2Fbody", "x").await.problem(404, "not_found");
    assert!(world.store.callbacks().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_stored_is_not_acknowledged() {
    let world = World::new();
    let payment = world.created("A1").await;
    world.store.go_away();
    for body in [paid(&payment).as_str(), "forged"] {
        let seen = notify(&world, "main", body).await;
        assert_eq!((seen.status.as_u16(), seen.text()), (503, "again".to_owned()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_has_262144_bytes_and_not_one_more() {
    let world = World::new();
    for (bytes, status) in [(262_143, 200), (262_144, 200), (262_145, 413)] {
        let seen = notify(&world, "main", &"x".repeat(bytes)).await;
        assert_eq!(seen.status, status, "{bytes}");
    }
    assert_eq!(world.store.callbacks().len(), 2);
}

fn paid(payment: &Value) -> String {
    assert_eq!(payment["amount"], json!(1999));
    format!("{} 1999 CNY T1", payment["provider_order_no"].as_str().unwrap())
}

async fn notify(world: &World, channel: &str, body: &str) -> Seen {
    let request = Request::post(format!("/notify/{channel}")).body(Body::from(body.to_owned()));
    world.call(request.unwrap()).await
}
