//! What surrounds every answer: ids, header fields, unknown paths, and handlers that panic.

use std::io::Write;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use http::Request;
use tracing_subscriber::fmt::MakeWriter;

use crate::world::{SHOP, Seen, World};

#[tokio::test(start_paused = true)]
async fn a_clients_request_id_comes_back_and_a_bad_one_is_replaced() {
    let world = World::new();
    for (given, kept) in
        [("abc-1_2", true), (&"x".repeat(64), true), (&"x".repeat(65), false), ("a b", false)]
    {
        let seen = named(&world, "/v1/payments", given).await;
        let id = seen.header("x-request-id");
        assert_eq!(id == given, kept, "{given}: {id}");
        assert!(kept || id.starts_with("req_"), "{id}");
        assert_eq!(seen.problem(401, "unauthorized")["request_id"], id);
    }
    let (one, two) = (named(&world, "/healthz", "").await, named(&world, "/healthz", "").await);
    assert_ne!(one.header("x-request-id"), two.header("x-request-id"));
}

#[tokio::test(start_paused = true)]
async fn unknown_paths_and_methods_are_problems_too() {
    let world = World::new();
    for path in
        ["/", "/v1", "/v1/payment", "/v1/payments/", "/notify", "/notify/", "/admin", "/sandbox/x/pay/y"]
    {
        let seen = named(&world, path, "r1").await;
        assert_eq!(seen.problem(404, "not_found")["request_id"], "r1", "{path}");
    }
    for (method, path, allow) in [
        ("POST", "/healthz", "GET,HEAD"),
        ("DELETE", "/notify/main", "GET,HEAD,POST"),
        ("PUT", "/return/main", "GET,HEAD,POST"),
    ] {
        let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
        let seen = world.call(request).await;
        seen.problem(405, "method_not_allowed");
        assert_eq!(seen.header("allow"), allow, "{method} {path}");
    }
    let request = Request::delete("/v1/payments").header("authorization", format!("Bearer {SHOP}"));
    let seen = world.call(request.body(Body::empty()).unwrap()).await;
    seen.problem(405, "method_not_allowed");
    assert_eq!(seen.header("allow"), "GET,HEAD,POST");
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_panics_is_a_problem_without_its_words() {
    let world = World::new();
    world.ready_panics.store(true, Ordering::Relaxed);
    let seen = named(&world, "/readyz", "r1").await;
    let problem = seen.problem(500, "internal");
    assert_eq!(problem["request_id"], "r1");
    assert!(!seen.text().contains("hunter2") && !seen.text().contains(".rs"), "{}", seen.text());
    assert_eq!(named(&world, "/healthz", "").await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn every_answer_forbids_sniffing() {
    let world = World::new();
    for path in ["/healthz", "/metrics", "/return/main", "/nowhere", "/v1/payments", "/notify/main"] {
        let seen = named(&world, path, "").await;
        assert_eq!(seen.header("x-content-type-options"), "nosniff", "{path}");
        assert!(!seen.header("x-request-id").is_empty(), "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_log_holds_no_key_no_query_and_no_body() {
    let lines = Lines::default();
    let log = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_ansi(false)
        .with_writer(lines.clone());
    let _guard = tracing::subscriber::set_default(log.finish());
    let world = World::new();
    let canary = "canary7c0ffee";
    let key = format!("Bearer {canary}");
    for (method, path, body) in [
        ("GET", format!("/v1/payments?order_no={canary}"), String::new()),
        ("POST", "/v1/payments".to_owned(), format!("{{\"{canary}\": 1}}")),
        ("POST", format!("/notify/main?sign={canary}"), canary.to_owned()),
        ("POST", format!("/return/main/{canary}?sign={canary}"), canary.to_owned()),
        ("GET", format!("/{canary}"), String::new()),
    ] {
        for key in [key.as_str(), &format!("Bearer {SHOP}")] {
            let request = Request::builder().method(method).uri(&path).header("authorization", key);
            let request = request.header("content-type", "application/json").header("x-request-id", "r1");
            world.call(request.body(Body::from(body.clone())).unwrap()).await;
        }
    }
    let log = lines.text();
    assert!(log.contains("route=\"/return/{channel}/{number}\"") && log.contains("status=401"), "{log}");
    assert!(log.contains("route=\"unmatched\"") && log.contains("request_id=\"r1\""), "{log}");
    assert!(!log.contains(canary) && !log.contains(SHOP), "{log}");
}

/// What was logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

async fn named(world: &World, path: &str, id: &str) -> Seen {
    let request = Request::get(path).header("x-request-id", id);
    world.call(request.body(Body::empty()).unwrap()).await
}
