//! Payers coming back: a redirect or a page, and nothing believed.

use axum::body::Body;
use http::{Request, StatusCode};
use serde_json::{Value, json};

use crate::world::{SHOP, Seen, World, order_with};

#[tokio::test(start_paused = true)]
async fn a_payer_goes_on_to_the_merchants_address() {
    let world = World::new();
    let body = order_with("A1", json!({"return_url": "https://shop.example/thanks?cart=7"}));
    let payment = world.post(SHOP, "/v1/payments", &body).await.json();
    for seen in [
        come_back(&world, "GET", &path(&payment)).await,
        come_back(&world, "POST", &path(&payment)).await,
        come_back(&world, "GET", &format!("{}?trade_success=true", path(&payment))).await,
    ] {
        assert_eq!(seen.status, 303);
        assert_eq!(seen.header("location"), "https://shop.example/thanks?cart=7");
        assert_eq!(seen.header("referrer-policy"), "no-referrer");
    }
}

#[tokio::test(start_paused = true)]
async fn coming_back_is_never_a_payment() {
    let world = World::new();
    let payment = world.created("A1").await;
    let path = format!("{}?trade_success=true&amount=1999", path(&payment));
    for verb in ["GET", "POST"] {
        assert_eq!(come_back(&world, verb, &path).await.status, 200);
    }
    assert_eq!(world.get(SHOP, "/v1/payments").await.json()["data"][0]["status"], "pending");
    assert_eq!(world.main.asked(), 0);
    assert!(world.store.callbacks().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_page_says_where_the_payment_stands_in_both_languages() {
    let world = World::new();
    let payment = world.created("A1").await;
    check(&come_back(&world, "GET", &path(&payment)).await, "正在确认付款结果", "being confirmed");
    let number = payment["provider_order_no"].as_str().unwrap();
    let paid = Request::post("/notify/main").body(Body::from(format!("{number} 1999 CNY T1"))).unwrap();
    assert_eq!(world.call(paid).await.text(), "success");
    check(&come_back(&world, "GET", &path(&payment)).await, "付款成功", "Payment received");

    let other = world.created("A2").await;
    let cancel = format!("/v1/payments/{}/cancel", other["id"].as_str().unwrap());
    assert_eq!(world.post_text(SHOP, &cancel, "").await.status, 200);
    check(&come_back(&world, "GET", &path(&other)).await, "付款未完成", "not completed");
}

/// A provider that is told one address for all orders signs what the browser brings back.
#[tokio::test(start_paused = true)]
async fn a_signed_way_back_leads_to_its_payment() {
    let world = World::new();
    let payment = world.created("A1").await;
    let number = payment["provider_order_no"].as_str().unwrap();
    let back = format!("/return/main?signed={number}");
    check(&come_back(&world, "GET", &back).await, "正在确认付款结果", "being confirmed");
    let paid = Request::post("/notify/main").body(Body::from(format!("{number} 1999 CNY T1"))).unwrap();
    assert_eq!(world.call(paid).await.text(), "success");
    check(&come_back(&world, "GET", &back).await, "付款成功", "Payment received");
    for other in [
        "/return/main",
        "/return/main?signed=nobody",
        &format!("/return/sand?signed={number}"),
        &format!("/return/nobody?signed={number}"),
    ] {
        check(&come_back(&world, "GET", other).await, "正在确认付款结果", "being confirmed");
    }
    let body = order_with("A2", json!({"return_url": "https://shop.example/thanks"}));
    let other = world.post(SHOP, "/v1/payments", &body).await.json();
    let back = format!("/return/main?signed={}", other["provider_order_no"].as_str().unwrap());
    let seen = come_back(&world, "GET", &back).await;
    assert_eq!(
        (seen.status, seen.header("location")),
        (StatusCode::SEE_OTHER, "https://shop.example/thanks")
    );
}

#[tokio::test(start_paused = true)]
async fn unknown_numbers_look_like_payments_that_are_not_settled() {
    let world = World::new();
    let payment = world.created("A1").await;
    let known = come_back(&world, "GET", &path(&payment)).await;
    let nasty = "%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    for path in [
        "/return/main".to_owned(),
        "/return/nobody".to_owned(),
        "/return/main/00000000000000000000000000000000".to_owned(),
        format!("/return/main/{nasty}"),
        "/return/main/%FF".to_owned(),
        format!("/return/{nasty}/{nasty}?x={nasty}"),
        format!("/return/bare/{}", payment["provider_order_no"].as_str().unwrap()),
    ] {
        let seen = come_back(&world, "GET", &path).await;
        assert_eq!((seen.status, seen.text()), (known.status, known.text()), "{path}");
    }
    world.store.go_away();
    assert_eq!(come_back(&world, "GET", &path(&payment)).await.text(), known.text());
}

#[tokio::test(start_paused = true)]
async fn a_page_says_when_no_real_money_moves() {
    let world = World::new();
    let body = order_with("S1", json!({"amount": 777}));
    let payment = world.post(SHOP, "/v1/payments", &body).await.json();
    let seen = come_back(&world, "GET", &path(&payment).replace("main", "sand")).await;
    check(&seen, "测试", "no real money moves");
    let live = world.created("A1").await;
    assert!(!come_back(&world, "GET", &path(&live)).await.text().contains("测试"));
}

#[track_caller]
fn check(seen: &Seen, zh: &str, en: &str) {
    assert_eq!(seen.status, 200);
    assert_eq!(seen.header("content-type"), "text/html; charset=utf-8");
    assert!(seen.header("content-security-policy").starts_with("default-src 'none'"));
    assert_eq!(seen.header("cache-control"), "no-store");
    let html = seen.text();
    assert!(html.contains(zh) && html.contains(en), "{html}");
    for word in ["<script", "<link", "src=", "href=", "A1", "1999"] {
        assert!(!html.contains(word), "{word}: {html}");
    }
}

fn path(payment: &Value) -> String {
    format!("/return/main/{}", payment["provider_order_no"].as_str().unwrap())
}

async fn come_back(world: &World, verb: &str, path: &str) -> Seen {
    world.call(Request::builder().method(verb).uri(path).body(Body::empty()).unwrap()).await
}
