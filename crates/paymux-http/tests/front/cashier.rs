//! The page on which payers pay: what it shows, what its script is told, and where it leads. How it looks and works in
//! a browser is tested in paymux-server.

use axum::body::Body;
use http::Request;
use paymux_core::payment::NextAction;
use paymux_testkit::Script;
use serde_json::{Value, json};

use crate::world::{SHOP, Seen, World, order_with};

async fn get(world: &World, path: &str, language: &str) -> Seen {
    let request = Request::get(path).header("accept-language", language);
    world.call(request.body(Body::empty()).unwrap()).await
}

/// The path of a payment's page, as its view names it.
fn page_of(payment: &Value) -> String {
    let url = payment["cashier_url"].as_str().unwrap();
    assert_eq!(url, format!("https://pay.example/pay/{}", payment["id"].as_str().unwrap()));
    url.strip_prefix("https://pay.example").unwrap().to_owned()
}

async fn state(world: &World, page: &str) -> Value {
    let seen = get(world, &format!("{page}/state"), "en").await;
    assert_eq!((seen.status.as_u16(), seen.header("cache-control")), (200, "no-store"));
    seen.json()
}

async fn pay(world: &World, payment: &Value, minor: i64) {
    let number = payment["provider_order_no"].as_str().unwrap();
    assert_eq!(world.notify("main", format!("{number} {minor} CNY T1")).await.text(), "success");
}

/// Nothing but our own style and script may come with a page.
#[track_caller]
fn check_page(seen: &Seen, status: u16) -> String {
    assert_eq!((seen.status.as_u16(), seen.header("content-type")), (status, "text/html; charset=utf-8"));
    let policy = seen.header("content-security-policy");
    for rule in ["default-src 'none'", "script-src 'self'", "style-src 'self'", "frame-ancestors 'none'"] {
        assert!(policy.contains(rule), "{policy}");
    }
    assert!(!policy.contains("unsafe"), "{policy}");
    assert_eq!((seen.header("cache-control"), seen.header("referrer-policy")), ("no-store", "no-referrer"));
    assert_eq!(seen.header("x-content-type-options"), "nosniff");
    let html = seen.text();
    assert_eq!(html.matches("<script").count(), 1, "{html}");
    assert!(html.contains("<script src=\"cashier.js\" defer></script>"), "{html}");
    html
}

#[tokio::test(start_paused = true)]
async fn a_page_shows_what_is_to_be_paid_in_the_browsers_language() {
    let world = World::new();
    let page = page_of(&world.created("A1").await);
    for (language, lang, words) in [
        ("en-US,en;q=0.9", "en", ["Scan with WeChat to pay", "Time left"]),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-CN", ["请用微信扫码付款", "剩余时间"]),
        ("fr", "zh-CN", ["请用微信扫码付款", "剩余时间"]),
    ] {
        let html = check_page(&get(&world, &page, language).await, 200);
        assert!(html.contains(&format!("<html lang=\"{lang}\">")), "{html}");
        for part in [&words[..], &["<svg ", "Tea", "¥19.99", ">30:00<"][..]].concat() {
            assert!(html.contains(part), "{part}: {html}");
        }
    }
    assert_eq!(state(&world, &page).await, json!({"stage": "waiting", "step": 3, "seconds_left": 1800}));
}

#[tokio::test(start_paused = true)]
async fn once_paid_it_leads_to_the_payments_own_address_or_says_it() {
    let world = World::new();
    let body = order_with("A1", json!({"return_url": "https://shop.example/thanks?cart=7"}));
    let payment = world.post(SHOP, "/v1/payments", &body).await.json();
    let page = page_of(&payment);
    pay(&world, &payment, 1999).await;
    assert_eq!(state(&world, &page).await["stage"], "paid");
    let seen = get(&world, &page, "en").await;
    assert_eq!((seen.status.as_u16(), seen.header("location")), (303, "https://shop.example/thanks?cart=7"));

    let other = world.created("A2").await;
    pay(&world, &other, 1999).await;
    let html = check_page(&get(&world, &page_of(&other), "en").await, 200);
    assert!(
        html.contains("Payment received") && !html.contains("<svg") && !html.contains("data-state"),
        "{html}"
    );
}

#[tokio::test(start_paused = true)]
async fn once_it_has_ended_unpaid_it_leads_to_the_apps_address_or_says_it() {
    let world = World::new();
    let body = order_with("A1", json!({"return_url": "https://shop.example/thanks"}));
    for (key, location) in [(SHOP, Some("https://shop.example/late")), (crate::world::RIVAL, None)] {
        let payment = world.post(key, "/v1/payments", &body).await.json();
        let page = page_of(&payment);
        let cancel = format!("/v1/payments/{}/cancel", payment["id"].as_str().unwrap());
        assert_eq!(world.post_text(key, &cancel, "").await.status, 200);
        assert_eq!(state(&world, &page).await["stage"], "unpaid");
        let seen = get(&world, &page, "en").await;
        if let Some(location) = location {
            assert_eq!((seen.status.as_u16(), seen.header("location")), (303, location));
        } else {
            let html = check_page(&seen, 200);
            assert!(html.contains("not completed") && html.contains("Back to the shop"), "{html}");
            assert!(
                html.contains("href=\"https://shop.example/thanks\"") && !html.contains("<svg"),
                "{html}"
            );
        }
    }
}

/// Whoever paid too little must not be asked to pay once more.
#[tokio::test(start_paused = true)]
async fn money_that_is_looked_at_is_not_asked_for_again() {
    let world = World::new();
    let payment = world.created("A1").await;
    pay(&world, &payment, 1998).await;
    let page = page_of(&payment);
    assert_eq!(state(&world, &page).await["stage"], "checking");
    let html = check_page(&get(&world, &page, "zh").await, 200);
    assert!(html.contains("正在核对付款") && html.contains("data-state") && !html.contains("<svg"), "{html}");
}

#[tokio::test(start_paused = true)]
async fn a_payment_without_anything_to_do_yet_is_waited_for() {
    let world = World::new();
    let page = page_of(&world.unknown("A1").await);
    let html = check_page(&get(&world, &page, "en").await, 200);
    assert!(html.contains("Confirm the payment on your phone") && html.contains("data-state"), "{html}");
    assert_eq!(state(&world, &page).await["stage"], "preparing");
}

#[tokio::test(start_paused = true)]
async fn a_providers_own_page_runs_apart_and_only_while_it_takes_money() {
    const FORM: &str = "<form action=\"https://bank.example/\"><script>document.forms[0].submit()</script>";
    let world = World::new();
    world.main.on_create(Script::Ask(|| NextAction::Html { html: FORM.to_owned() }));
    let payment = world.created("A1").await;
    let page = page_of(&payment);
    let html = check_page(&get(&world, &page, "en").await, 200);
    let link = format!("href=\"{}/form\"", payment["id"].as_str().unwrap());
    assert!(html.contains(&link) && !html.contains("bank.example"), "{html}");
    let seen = get(&world, &format!("{page}/form"), "en").await;
    assert_eq!((seen.status.as_u16(), seen.text().as_str()), (200, FORM));
    let apart = "sandbox allow-forms allow-scripts allow-top-navigation";
    assert_eq!(seen.header("content-security-policy"), apart);
    pay(&world, &payment, 1999).await;
    let seen = get(&world, &format!("{page}/form"), "en").await;
    assert_eq!((seen.status.as_u16(), seen.header("location")), (303, format!("..{}", &page[4..]).as_str()));
}

#[tokio::test(start_paused = true)]
async fn the_pages_own_address_is_drawn_as_a_picture() {
    let world = World::new();
    let page = page_of(&world.created("A1").await);
    let seen = get(&world, &format!("{page}/qr.svg"), "en").await;
    assert_eq!((seen.status.as_u16(), seen.header("content-type")), (200, "image/svg+xml"));
    assert_eq!(seen.header("content-security-policy"), "default-src 'none'");
    let (picture, html) = (seen.text(), get(&world, &page, "en").await.text());
    assert!(picture.starts_with("<svg xmlns=") && !html.contains(&picture), "the code to pay is another one");
}

#[tokio::test(start_paused = true)]
async fn style_and_script_are_ours() {
    let world = World::new();
    for (path, media_type) in [
        ("/pay/cashier.js", "text/javascript; charset=utf-8"),
        ("/pay/cashier.css", "text/css; charset=utf-8"),
    ] {
        let seen = get(&world, path, "en").await;
        assert_eq!((seen.status.as_u16(), seen.header("content-type")), (200, media_type));
        assert!(!seen.text().contains("http"), "nothing is fetched from elsewhere");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_is_not_there() {
    let world = World::new();
    let known = world.created("A1").await["id"].as_str().unwrap().to_owned();
    let other = known.replace(&known[known.len() - 4..], "0000");
    let nasty = "%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    for id in [other.as_str(), "x", "%FF", nasty, &known[1..], &known.to_uppercase()] {
        let html = check_page(&get(&world, &format!("/pay/{id}"), "en").await, 404);
        assert!(html.contains("no such payment") && !html.contains("alert"), "{html}");
        for more in ["state", "qr.svg", "form"] {
            get(&world, &format!("/pay/{id}/{more}"), "en").await.problem(404, "not_found");
        }
    }
    world.store.go_away();
    let seen = get(&world, &format!("/pay/{known}"), "en").await;
    assert!(check_page(&seen, 503).contains("cannot be shown just now"));
    get(&world, &format!("/pay/{known}/state"), "en").await.problem(503, "overloaded");
}
