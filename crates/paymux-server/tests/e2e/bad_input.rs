//! Bad input of every kind: a clear error each, nothing stored, nothing sent, and the next good one works.

use paymux_core::{Verb, WireRequest};
use serde_json::{Value, json};

use crate::database::Kind;
use crate::http::Answer;
use crate::world::{SHOP, World, order};

#[tokio::test]
async fn is_refused_clearly_and_leaves_nothing_behind() {
    let world = World::start(Kind::Sqlite).await;
    fields(&world).await;
    bodies(&world).await;
    addresses(&world).await;

    let list = world.http.get(SHOP, "/v1/payments").await;
    assert_eq!(list.body["data"], json!([]), "nothing was stored");
    assert_eq!(world.bank().orders().len(), 0, "nothing was sent");
    let good = world.create(&order("A1001")).await;
    assert_eq!(good.status, 201, "{}", good.text);
    world.end().await;
}

/// One field of a good order is wrong.
async fn fields(world: &World) {
    check(world, json!({"amount": 0}), 400, "invalid_request", "amount").await;
    check(world, json!({"amount": "19.99"}), 400, "invalid_request", "amount").await;
    check(world, json!({"amount": 19.99}), 400, "invalid_request", "amount").await;
    check(world, json!({"order_no": "A 1"}), 400, "invalid_request", "order_no").await;
    check(world, json!({"order_no": "x".repeat(65)}), 400, "invalid_request", "order_no").await;
    check(world, json!({"currency": "RMB"}), 400, "invalid_request", "currency").await;
    check(world, json!({"method": "wechat.qr"}), 400, "invalid_request", "method").await;
    check(world, json!({"subject": ""}), 400, "invalid_request", "subject").await;
    check(world, json!({"expires_in": 0}), 400, "invalid_request", "expires_in").await;
    check(world, json!({"return_url": "javascript:alert(1)"}), 400, "invalid_request", "return_url").await;
    check(world, json!({"notify_url": "ftp://h/"}), 400, "invalid_request", "notify_url").await;
    check(world, json!({"payer": {"ip": "1.2.3"}}), 400, "invalid_request", "payer.ip").await;
    check(world, json!({"metadata": {"k": 1}}), 400, "invalid_request", "metadata.k").await;
    check(world, json!({"extra": {"app_sign": "x"}}), 400, "invalid_request", "extra.app_sign").await;
    check(world, json!({"amuont": 1}), 400, "invalid_request", "amuont").await;
    check(world, json!({"amount": 1_000_001}), 422, "no_channel", "").await;
    check(world, json!({"currency": "USD"}), 422, "no_channel", "").await;
    check(world, json!({"channel": "elsewhere"}), 422, "no_channel", "").await;

    async fn check(world: &World, patch: Value, status: u16, code: &str, param: &str) {
        let mut body = order("A1001");
        body.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        let refused = world.create(&body).await;
        problem(&refused, status, code, &patch.to_string());
        assert_eq!(refused.body["param"].as_str().unwrap_or_default(), param, "{patch}: {}", refused.text);
    }
}

/// The body itself is wrong.
async fn bodies(world: &World) {
    let without = |field: &str| {
        let mut body = order("A1001");
        body.as_object_mut().unwrap().remove(field);
        body.to_string()
    };
    let twice = order("A1001").to_string().replacen('{', "{\"amount\":1,", 1);
    let deep = format!("{}1{}", "[".repeat(100), "]".repeat(100));
    for (body, status, code) in [
        (String::new(), 400, "invalid_request"),
        ("{".to_owned(), 400, "invalid_request"),
        ("[]".to_owned(), 400, "invalid_request"),
        ("null".to_owned(), 400, "invalid_request"),
        (without("amount"), 400, "invalid_request"),
        (without("order_no"), 400, "invalid_request"),
        (twice, 400, "invalid_request"),
        (deep, 400, "invalid_request"),
        (format!("{}{}", order("A1001"), "x"), 400, "invalid_request"),
        (format!("\"{}\"", "x".repeat(70_000)), 413, "body_too_large"),
    ] {
        let refused = world.http.post(SHOP, "/v1/payments", &body).await;
        problem(&refused, status, code, &body[..body.len().min(60)]);
    }
    let form = WireRequest::new(Verb::Post, "/v1/payments").body("text/plain", order("A1001").to_string());
    let refused = world.http.send(SHOP, form).await.unwrap();
    assert!((400..500).contains(&refused.status), "{}", refused.text);
    let bytes = WireRequest::new(Verb::Post, "/v1/payments").body("application/json", vec![0xff, 0xfe]);
    problem(&world.http.send(SHOP, bytes).await.unwrap(), 400, "invalid_request", "no UTF-8");
}

/// The path, the query or the verb is wrong.
async fn addresses(world: &World) {
    problem(&world.http.get(SHOP, "/v1/payments/pay_1").await, 404, "not_found", "an id that is none");
    let unknown = "/v1/payments/pay_01a200e69d027e83a35e77e0987844ff";
    problem(&world.http.get(SHOP, unknown).await, 404, "not_found", "an id of nobody");
    problem(&world.http.get(SHOP, "/v1/nothing").await, 404, "not_found", "a path that is none");
    problem(&world.http.get(SHOP, "/v1/payments?limit=many").await, 400, "invalid_request", "limit");
    problem(
        &world.http.get(SHOP, "/v1/payments?statsu=paid").await,
        400,
        "invalid_request",
        "an unknown parameter",
    );
    let forged = world.http.post("", "/notify/bee", r#"{"signature":"x"}"#).await;
    assert!(forged.text != "success", "a callback that is not signed is not acknowledged: {}", forged.text);
    // Another node may have it: a provider must not be told to forget its callback.
    let nobody = world.http.post("", "/notify/nobody", "{}").await;
    problem(&nobody, 503, "overloaded", "a channel of nobody");
}

#[track_caller]
fn problem(answer: &Answer, status: u16, code: &str, what: &str) {
    assert_eq!(answer.status, status, "{what}: {}", answer.text);
    assert_eq!(answer.body["code"], *code, "{what}: {}", answer.text);
    assert!(
        answer.body["detail"].as_str().is_some_and(|detail| !detail.is_empty()),
        "{what}: {}",
        answer.text
    );
    assert!(answer.body["request_id"].is_string(), "{what}: {}", answer.text);
}
