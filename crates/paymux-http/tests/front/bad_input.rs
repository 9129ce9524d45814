//! Bad input of every kind: a clear error that names the field, and nothing stored.

use axum::body::Body;
use bytes::Bytes;
use http::Request;
use http_body_util::StreamBody;
use hyper::body::Frame;
use serde_json::{Value, json};

use crate::world::{SHOP, Seen, World, order, order_with};

#[tokio::test(start_paused = true)]
async fn fields_that_break_their_rule_are_named() {
    let world = World::new();
    for (patch, param, says) in [
        (json!({"amount": "1999"}), "amount", "whole number"),
        (json!({"amount": 19.99}), "amount", "whole number"),
        (json!({"amount": 1999.0}), "amount", "whole number"),
        (json!({"amount": 1e3}), "amount", "whole number"),
        (json!({"amount": 0}), "amount", "from 1 to"),
        (json!({"amount": -1}), "amount", "from 1 to"),
        (json!({"amount": null}), "amount", "whole number"),
        (json!({"amount": u64::MAX}), "amount", "whole number"),
        (json!({"amount": true}), "amount", "whole number"),
        (json!({"amount": [1]}), "amount", "list"),
        (json!({"amount": {"minor": 1}}), "amount", "whole number"),
        (json!({"order_no": ""}), "order_no", "1 to 64"),
        (json!({"order_no": "订单"}), "order_no", "1 to 64"),
        (json!({"order_no": 1}), "order_no", "text in quotes"),
        (json!({"order_no": "x".repeat(65)}), "order_no", "1 to 64"),
        (json!({"currency": "RMB"}), "currency", "ISO 4217"),
        (json!({"currency": "cny"}), "currency", "ISO 4217"),
        (json!({"method": "wechat"}), "method", "wallet.product"),
        (json!({"method": "wechat.qr"}), "method", "known: app, web"),
        (json!({"subject": " "}), "subject", "1 to 127"),
        (json!({"subject": "a\u{0}b"}), "subject", "control characters"),
        (json!({"expires_in": 0}), "expires_in", "seconds"),
        (json!({"expires_in": -1}), "expires_in", "not negative"),
        (json!({"expires_in": 4_294_967_296_u64}), "expires_in", "at most 9 digits"),
        (json!({"return_url": "javascript:alert(1)"}), "return_url", "https"),
        (json!({"notify_url": "http://shop.example/hook"}), "notify_url", "notify_secret"),
        (json!({"payer": {"ip": "999.1.1.1"}}), "payer.ip", "IPv4 or IPv6"),
        (json!({"payer": {"ip": 7}}), "payer.ip", "text in quotes"),
        (json!({"payer": {"phone": "1"}}), "payer.phone", "known: ip, region, id, openid, auth_code"),
        (json!({"payer": ["203.0.113.7"]}), "payer", "list"),
        (json!({"payer": "x"}), "payer", "object"),
        (json!({"method": "wechat.barcode"}), "payer.auth_code", "barcode"),
        (json!({"metadata": {"k": 1}}), "metadata.k", "text in quotes"),
        (json!({"metadata": {"k": "x".repeat(501)}}), "metadata.k", "500"),
        (json!({"metadata": null}), "metadata", "object"),
        (json!({"metadata": []}), "metadata", "list"),
        (json!({"extra": {"subAppId": "x"}}), "extra.subAppId", "this route take: bank_name"),
        (json!({"extra": {"k": 0.1}}), "extra.k", "whole number"),
        (json!({"extra": {"k": [1, 1e20]}}), "extra.k[1]", "whole number"),
        (json!({"channel": "a/b"}), "channel", "letters"),
        (json!({"ammount": 1}), "ammount", "known: order_no, amount, currency, method, subject"),
    ] {
        let seen = world.post(SHOP, "/v1/payments", &order_with("A1", patch.clone())).await;
        check(&seen, Some(param), says, &patch.to_string());
    }
    assert_nothing_stored(&world).await;
}

#[tokio::test(start_paused = true)]
async fn missing_fields_are_named() {
    let world = World::new();
    for param in ["order_no", "amount", "currency", "method", "subject"] {
        let mut body = order("A1");
        body.as_object_mut().unwrap().remove(param);
        let seen = world.post(SHOP, "/v1/payments", &body).await;
        check(&seen, Some(param), "is missing", param);
    }
    assert_nothing_stored(&world).await;
}

#[tokio::test(start_paused = true)]
async fn a_whole_number_that_is_too_long_is_called_too_long() {
    let world = World::new();
    let body = order("A1").to_string().replace("1999", "18446744073709551616");
    let seen = world.post_text(SHOP, "/v1/payments", body.clone().into_bytes()).await;
    check(&seen, Some("amount"), "at most 19 digits", &body);
    assert_nothing_stored(&world).await;
}

#[tokio::test(start_paused = true)]
async fn bodies_that_are_not_one_json_object_are_refused() {
    let world = World::new();
    let good = order("A1").to_string();
    let as_list = "[\"A1\", 1999, \"CNY\", \"wechat.native\", \"Tea\"]".to_owned();
    for (body, says) in [
        (Vec::new(), "JSON"),
        (b"x".to_vec(), "JSON"),
        (b"null".to_vec(), "must be a JSON object"),
        (b"\"text\"".to_vec(), "must be a JSON object"),
        (b"7".to_vec(), "must be a JSON object"),
        (as_list.into_bytes(), "must be a JSON object"),
        (good.as_bytes()[..good.len() - 1].to_vec(), "not one JSON object"),
        (format!("{good}x").into_bytes(), "trailing characters"),
        (format!("{good}{good}").into_bytes(), "trailing characters"),
        (good.replace("Tea", "\u{1}").into_bytes(), "control character"),
        (good.replace("1999", "01999").into_bytes(), "number"),
        (good.replace("1999", "NaN").into_bytes(), "not one JSON object"),
        (good.replace("Tea", "\\ud800").into_bytes(), "not one JSON object"),
        (good.replace("\"Tea\"", "'Tea'").into_bytes(), "not one JSON object"),
        ([b"\xEF\xBB\xBF", good.as_bytes()].concat(), "not one JSON object"),
        ([&good.as_bytes()[..20], b"\xFF", &good.as_bytes()[20..]].concat(), "not UTF-8"),
    ] {
        let label = String::from_utf8_lossy(&body).into_owned();
        let seen = world.post_text(SHOP, "/v1/payments", body).await;
        check(&seen, None, says, &label);
    }
    assert_nothing_stored(&world).await;
}

#[tokio::test(start_paused = true)]
async fn keys_that_stand_twice_are_named_wherever_they_stand() {
    let world = World::new();
    for (tail, param) in [
        ("\"amount\": 1999", "amount"),
        ("\"\\u0061mount\": 1999", "amount"),
        ("\"metadata\": {\"k\": \"a\", \"k\": \"b\"}", "metadata.k"),
        ("\"payer\": {\"ip\": \"203.0.113.7\", \"ip\": \"203.0.113.8\"}", "payer.ip"),
        ("\"extra\": {\"a\": {\"b\": 1, \"b\": 2}}", "extra.a.b"),
        ("\"extra\": {\"a\": [{}, {\"b\": 1, \"b\": 2}]}", "extra.a[1].b"),
    ] {
        let body = order("A1").to_string().replacen('{', &format!("{{{tail}, "), 1);
        let seen = world.post_text(SHOP, "/v1/payments", body).await;
        check(&seen, Some(param), "twice", tail);
    }
    assert_nothing_stored(&world).await;
}

#[tokio::test(start_paused = true)]
async fn a_body_nests_32_levels_and_not_33() {
    let world = World::new();
    let nested = |lists: usize| {
        let value: Value = (0..lists).fold(json!(1), |inner, _| json!([inner]));
        order_with("A1", json!({"extra": {"k": value}}))
    };
    // The body and `extra` are two levels. What nests rightly comes as far as the route's rules.
    let deep = world.post(SHOP, "/v1/payments", &nested(30)).await;
    check(&deep, Some("extra.k"), "unknown field", "32 levels");
    let deeper = world.post(SHOP, "/v1/payments", &nested(31)).await;
    check(&deeper, None, "deeper than 32 levels", "33 levels");
    let abyss = format!("{{\"extra\":{{\"k\":{}", "[".repeat(60_000));
    check(&world.post_text(SHOP, "/v1/payments", abyss).await, None, "deeper than 32 levels", "abyss");
    assert_nothing_stored(&world).await;
}

#[tokio::test(start_paused = true)]
async fn only_plain_json_is_read() {
    let world = World::new();
    for (name, value, says) in [
        ("content-type", "text/plain", "content-type: application/json"),
        ("content-type", "application/x-www-form-urlencoded", "content-type: application/json"),
        ("content-type", "application/json-patch+json", "content-type: application/json"),
        ("content-type", "application/json; charset=gbk", "must be UTF-8"),
        ("content-type", "application/json; v=1; Charset=\"latin1\"", "must be UTF-8"),
        ("x-other", "1", "content-type: application/json"),
    ] {
        check(&send(&world, &[(name, value)]).await, None, says, value);
    }
    let gzip = [("content-type", "application/json"), ("content-encoding", "gzip")];
    check(&send(&world, &gzip).await, None, "compressed", "gzip");
    assert_nothing_stored(&world).await;
    for (number, good) in
        ["Application/JSON; charset=utf-8", "application/json;charset=\"UTF-8\"", "application/json;"]
            .into_iter()
            .enumerate()
    {
        let want = if number == 0 { 201 } else { 200 };
        assert_eq!(send(&world, &[("content-type", good)]).await.status, want, "{good}");
    }

    async fn send(world: &World, headers: &[(&str, &str)]) -> Seen {
        let mut request = Request::post("/v1/payments").header("authorization", format!("Bearer {SHOP}"));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        world.call(request.body(Body::from(order("A1").to_string())).unwrap()).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_has_65536_bytes_and_not_one_more() {
    let world = World::new();
    for (bytes, status) in [(65_535, 201), (65_536, 201), (65_537, 413), (2_000_000, 413)] {
        for chunked in [false, true] {
            let order_no = format!("A{bytes}-{chunked}");
            let body = padded(&order_no, bytes);
            let body = if chunked { in_chunks(&body) } else { Body::from(body) };
            let seen = world.post_text(SHOP, "/v1/payments", body).await;
            assert_eq!(seen.status, status, "{order_no}: {seen:?}");
            if status == 413 {
                let problem = seen.problem(413, "body_too_large");
                assert!(problem["detail"].as_str().unwrap().contains("65536"), "{problem}");
            }
        }
    }
    assert_eq!(world.count().await, 4);
}

#[tokio::test(start_paused = true)]
async fn unknown_queries_are_named_everywhere() {
    let world = World::new();
    let id = world.created("A1").await["id"].as_str().unwrap().to_owned();
    for path in
        ["/v1/payments".to_owned(), format!("/v1/payments/{id}/sync"), format!("/v1/payments/{id}/cancel")]
    {
        let seen = world.post(SHOP, &format!("{path}?dry_run=1"), &json!({})).await;
        assert!(seen.status == 400, "{path}: {seen:?}");
    }
    let seen = world.get(SHOP, &format!("/v1/payments/{id}?expand=all")).await;
    check(&seen, Some("expand"), "unknown query key", "find");
    assert_eq!(world.count().await, 1);
}

#[tokio::test(start_paused = true)]
async fn what_is_said_back_is_bounded() {
    let world = World::new();
    let name = "x".repeat(50_000);
    let seen = world.post(SHOP, "/v1/payments", &order_with("A1", json!({ name: 1 }))).await;
    seen.problem(400, "invalid_request");
    assert!(seen.body.len() < 2_000, "{} bytes", seen.body.len());
}

#[track_caller]
fn check(seen: &Seen, param: Option<&str>, says: &str, input: &str) {
    assert_eq!(seen.status, 400, "{input}: {seen:?}");
    let problem = seen.problem(400, "invalid_request");
    assert_eq!(problem["param"].as_str(), param, "{input}: {problem}");
    assert!(problem["detail"].as_str().unwrap().contains(says), "{input}: {problem}");
}

async fn assert_nothing_stored(world: &World) {
    assert_eq!(world.count().await, 0);
    assert!(world.main.orders().is_empty());
}

/// A good order with blanks behind it.
fn padded(order_no: &str, bytes: usize) -> Vec<u8> {
    let mut body = order(order_no).to_string().into_bytes();
    body.resize(bytes, b' ');
    body
}

/// A body that does not say how long it is.
fn in_chunks(body: &[u8]) -> Body {
    let chunks: Vec<Result<Frame<Bytes>, std::convert::Infallible>> =
        body.chunks(4096).map(|chunk| Ok(Frame::data(Bytes::copy_from_slice(chunk)))).collect();
    Body::new(StreamBody::new(futures_util::stream::iter(chunks)))
}
