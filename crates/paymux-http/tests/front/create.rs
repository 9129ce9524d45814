//! Create and find: new, repeated, mismatched, and never another app's.

use axum::body::Body;
use http::Request;
use paymux_core::channel::Blame;
use paymux_testkit::Script;
use serde_json::{Value, json};

use crate::world::{RIVAL, SHOP, World, order, order_with};

#[tokio::test(start_paused = true)]
async fn answers_201_with_the_payment_and_its_place() {
    let world = World::new();
    let seen = world.post(SHOP, "/v1/payments", &order_with("A1", json!({"metadata": {"k": "v"}}))).await;
    assert_eq!(seen.status, 201);
    assert_eq!(seen.header("content-type"), "application/json");
    assert_eq!(seen.header("cache-control"), "no-store");
    let payment = seen.json();
    assert_eq!(seen.header("location"), format!("/v1/payments/{}", payment["id"].as_str().unwrap()));
    assert_eq!(payment["object"], "payment");
    assert_eq!(payment["app"], "shop");
    assert_eq!(payment["status"], "pending");
    assert_eq!(payment["amount"], 1999);
    assert_eq!(payment["channel"], "main");
    assert_eq!(payment["metadata"], json!({"k": "v"}));
    assert_eq!(payment["next_action"]["type"], "qr");
    assert_eq!(payment["attempts"][0]["state"], "open");
    assert_eq!(payment["created_at"], "2024-03-01T00:00:00.000Z");

    let found = world.get(SHOP, seen.header("location")).await;
    assert_eq!((found.status.as_u16(), found.json()), (200, payment));
}

#[tokio::test(start_paused = true)]
async fn repeats_are_answered_with_the_stored_payment() {
    let world = World::new();
    let first = world.created("A1").await;
    let again = world.post(SHOP, "/v1/payments", &order("A1")).await;
    assert_eq!((again.status.as_u16(), again.json()), (200, first));
    assert_eq!(world.main.orders().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_same_number_with_another_body_is_a_mismatch() {
    let world = World::new();
    world.created("A1").await;
    for patch in [json!({"amount": 2000}), json!({"subject": "Coffee"}), json!({"expires_in": 60})] {
        let seen = world.post(SHOP, "/v1/payments", &order_with("A1", patch)).await;
        assert_eq!(seen.problem(422, "order_mismatch")["param"], "order_no");
    }
    assert_eq!((world.count().await, world.main.orders().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn order_numbers_belong_to_one_app() {
    let world = World::new();
    let ours = world.created("A1").await;
    let theirs = world.post(RIVAL, "/v1/payments", &order("A1")).await;
    assert_eq!(theirs.status, 201);
    assert_ne!(theirs.json()["id"], ours["id"]);
}

#[tokio::test(start_paused = true)]
async fn another_apps_payment_looks_like_none_at_all() {
    let world = World::new();
    let id = world.created("A1").await["id"].as_str().unwrap().to_owned();
    let strange = "pay_00000000000070008000000000000000";
    for (method, path) in [("GET", ""), ("POST", "/cancel"), ("POST", "/sync")] {
        let foreign = call(&world, method, &format!("/v1/payments/{id}{path}")).await;
        let absent = call(&world, method, &format!("/v1/payments/{strange}{path}")).await;
        assert_eq!(without_id(foreign), without_id(absent), "{path}");
    }
    assert_eq!(world.get(SHOP, &format!("/v1/payments/{id}")).await.json()["status"], "pending");

    async fn call(world: &World, method: &str, path: &str) -> Value {
        let request = Request::builder().method(method).uri(path);
        let request = request.header("authorization", format!("Bearer {RIVAL}"));
        world.call(request.body(Body::empty()).unwrap()).await.problem(404, "not_found")
    }

    fn without_id(mut problem: Value) -> Value {
        problem.as_object_mut().unwrap().remove("request_id");
        problem
    }
}

#[tokio::test(start_paused = true)]
async fn ids_of_another_form_are_not_found() {
    let world = World::new();
    for id in ["x", "pay_", "rfd_00000000000070008000000000000000", "pay_%00", "%FF", "%"] {
        world.get(SHOP, &format!("/v1/payments/{id}")).await.problem(404, "not_found");
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_create_is_a_stored_failed_payment() {
    let world = World::new();
    world.main.on_create(Script::Refuse(Blame::Request));
    let payment = world.created("A1").await;
    assert_eq!(payment["status"], "failed");
    assert_eq!(payment["failure"], json!({"code": "refused", "message": "no", "provider_code": "NO"}));
    assert_eq!(payment["next_action"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn no_channel_lists_each_with_its_rule_and_stores_nothing() {
    let world = World::new();
    let seen = world.post(SHOP, "/v1/payments", &order_with("A1", json!({"currency": "USD"}))).await;
    let problem = seen.problem(422, "no_channel");
    // The routes of the test are for sums in CNY, so none takes it.
    assert_eq!(problem["channels"], json!([]));

    let pinned = order_with("A1", json!({"channel": "gone"}));
    let problem = world.post(SHOP, "/v1/payments", &pinned).await.problem(422, "no_channel");
    let channels = problem["channels"].as_array().unwrap();
    assert_eq!(channels.len(), 2);
    assert_eq!((&channels[0]["channel"], &channels[0]["rule"]), (&json!("main"), &json!("pin")));
    assert_eq!((&channels[1]["channel"], &channels[1]["rule"]), (&json!("gone"), &json!("state")));
    assert!(channels.iter().all(|channel| channel["detail"].is_string()));
    assert_eq!(world.count().await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_is_away_is_503_and_shows_nothing_of_itself() {
    let world = World::new();
    world.store.go_away();
    let seen = world.post(SHOP, "/v1/payments", &order("A1")).await;
    let problem = seen.problem(503, "overloaded");
    assert_eq!(seen.header("retry-after"), "1");
    assert!(!problem.to_string().contains("sent it away"), "{problem}");
    world.store.come_back();
    assert_eq!(world.count().await, 0);
    assert!(world.main.orders().is_empty());
}

#[tokio::test(start_paused = true)]
async fn sync_asks_the_provider_now() {
    let world = World::new();
    let payment = world.created("A1").await;
    let receipt = paymux_core::channel::Receipt::of(paymux_core::Money::fen(1999));
    world.main.on_query(Ok(paymux_core::channel::QueryAnswer::Paid(receipt)));
    let path = format!("/v1/payments/{}/sync", payment["id"].as_str().unwrap());
    let seen = world.post_text(SHOP, &path, "").await;
    assert_eq!((seen.status.as_u16(), &seen.json()["status"]), (200, &json!("succeeded")));

    let bare = world.post(SHOP, "/v1/payments", &order_with("A2", json!({"amount": 555}))).await.json();
    let path = format!("/v1/payments/{}/sync", bare["id"].as_str().unwrap());
    world.post_text(SHOP, &path, "").await.problem(422, "unsupported");
}

#[tokio::test(start_paused = true)]
async fn actions_take_no_body_or_an_empty_object() {
    let world = World::new();
    let path = format!("/v1/payments/{}/sync", world.created("A1").await["id"].as_str().unwrap());
    for good in ["", "{}", " {} "] {
        assert_eq!(world.post_text(SHOP, &path, good).await.status, 200, "{good}");
    }
    for bad in ["[]", "null", "{\"force\":true}", "x"] {
        world.post_text(SHOP, &path, bad).await.problem(400, "invalid_request");
    }
    let problem = world.post_text(SHOP, &path, "{\"force\":true}").await.json();
    assert_eq!(problem["param"], "force");
    let request = Request::post(&path).header("authorization", format!("Bearer {SHOP}"));
    assert_eq!(world.call(request.body(Body::empty()).unwrap()).await.status, 200);
}
