//! What operators look at: the queue, unknown attempts, callbacks as they came, the audit trail.

use std::time::Duration;

use paymux_testkit::channel::Outgo;
use serde_json::{Value, json};

use crate::world::{SHOP, World};

#[tokio::test(start_paused = true)]
async fn the_queue_shows_what_waits_oldest_first() {
    let world = World::new();
    let payment = world.unknown("A1").await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    world.notify("main", "nobody 1999 CNY T1").await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    world.main.on_outgo(Outgo::NeedsAction);
    let paid = world.paid("A2").await;
    let refunds = format!("/v1/payments/{}/refunds", paid["id"].as_str().unwrap());
    let refund = world.post(SHOP, &refunds, &json!({"refund_no": "R1", "amount": 7})).await.json();
    assert_eq!(kinds(&queue(&world, "").await), ["callback_unmatched", "refund_needs_action"]);

    tokio::time::sleep(Duration::from_mins(6)).await;
    let page = queue(&world, "").await;
    assert_eq!(kinds(&page), ["attempt_unknown", "callback_unmatched", "refund_needs_action"]);
    let attempt = &page["data"][0];
    assert_eq!((&attempt["id"], &attempt["payment"]), (&payment["attempts"][0]["id"], &payment["id"]));
    assert_eq!((&attempt["app"], &attempt["channel"]), (&json!("shop"), &json!("main")));
    assert_eq!((&attempt["amount"], &attempt["currency"]), (&json!(1999), &json!("CNY")));
    assert_eq!(attempt["since"], "2024-03-01T00:00:00.000Z");
    assert!(attempt["detail"].is_string());
    assert_eq!((&page["data"][1]["app"], &page["data"][1]["amount"]), (&Value::Null, &Value::Null));
    assert_eq!((&page["data"][2]["id"], &page["data"][2]["amount"]), (&refund["id"], &json!(7)));

    let of_kind = queue(&world, "?kind=refund_needs_action").await;
    assert_eq!(kinds(&of_kind), ["refund_needs_action"]);
    assert_eq!(kinds(&queue(&world, "?kind=notice_dead").await), Vec::<String>::new());
    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = queue(&world, &format!("?limit=1{cursor}")).await;
        seen.extend(kinds(&page));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, kinds(&page));
}

#[tokio::test(start_paused = true)]
async fn unknown_attempts_are_listed_from_the_first_moment() {
    let world = World::new();
    world.created("A0").await;
    let first = world.unknown("A1").await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    let second = world.unknown("A2").await;
    let page = world.admin_get("/admin/api/attempts?state=unknown").await.json();
    let shown: Vec<&Value> = page["data"].as_array().unwrap().iter().map(|item| &item["id"]).collect();
    assert_eq!(shown, [&first["attempts"][0]["id"], &second["attempts"][0]["id"]]);
    let item = &page["data"][0];
    assert_eq!((&item["object"], &item["state"]), (&json!("attempt"), &json!("unknown")));
    assert_eq!((&item["payment"], &item["amount"]), (&first["id"], &json!(1999)));
    let page = world.admin_get("/admin/api/attempts?state=unknown&limit=1").await.json();
    let rest = format!("/admin/api/attempts?state=unknown&cursor={}", page["next_cursor"].as_str().unwrap());
    assert_eq!(world.admin_get(&rest).await.json()["data"][0]["id"], second["attempts"][0]["id"]);
}

#[tokio::test(start_paused = true)]
async fn the_decision_of_an_attempt_is_told() {
    let world = World::new();
    let payment = world.created("A1").await;
    let attempt = &payment["attempts"][0];
    let path = format!("/admin/api/attempts/{}/decision", attempt["id"].as_str().unwrap());
    let told = world.admin_get(&path).await.json();
    assert_eq!(told["picked"], attempt["channel"]);
    let candidates = told["candidates"].as_array().unwrap();
    let picked = candidates.iter().find(|candidate| candidate["channel"] == attempt["channel"]).unwrap();
    assert_eq!((&picked["eligible"], &picked["removed_by"]), (&json!(true), &Value::Null));
    let replayed = paymux_core::router::replay(&told).unwrap().unwrap();
    assert_eq!(attempt["channel"], replayed.as_str());
    let nobodys = "/admin/api/attempts/att_00000000000000000000000000000001/decision";
    world.admin_get(nobodys).await.problem(404, "not_found");
}

#[tokio::test(start_paused = true)]
async fn callbacks_are_shown_as_they_came_newest_first() {
    let world = World::new();
    let payment = world.created("A1").await;
    let number = payment["provider_order_no"].as_str().unwrap();
    world.notify("main", format!("{number} 1999 CNY T1")).await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    world.notify("bare", "forged").await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    world.notify("main?sign=a%2Bb", b"\xFF\x00".to_vec()).await;

    let page = world.admin_get("/admin/api/callbacks").await.json();
    let verdicts: Vec<&Value> = page["data"].as_array().unwrap().iter().map(|row| &row["verdict"]).collect();
    assert_eq!(verdicts, ["unreadable", "forged", "applied"]);
    let raw = &page["data"][0]["request"];
    assert_eq!((&raw["method"], &raw["path"]), (&json!("POST"), &json!("/notify/main")));
    assert_eq!(raw["query"], "sign=a%2Bb");
    assert_eq!((&raw["body"], &raw["body_encoding"]), (&json!("/wA="), &json!("base64")));
    let applied = &page["data"][2];
    assert_eq!((&applied["payment"], &applied["channel"]), (&payment["id"], &json!("main")));
    assert_eq!(applied["request"]["body"], format!("{number} 1999 CNY T1"));
    assert_eq!(applied["request"]["body_encoding"], "utf-8");
    assert!(applied["id"].as_str().unwrap().starts_with("cbk_") && applied["event_key"].is_string());

    let id = payment["id"].as_str().unwrap();
    for (query, want) in [
        (format!("payment={id}"), vec!["applied"]),
        ("channel=bare".to_owned(), vec!["forged"]),
        ("channel=main".to_owned(), vec!["unreadable", "applied"]),
        ("verdict=forged".to_owned(), vec!["forged"]),
        (format!("verdict=forged&payment={id}"), vec![]),
    ] {
        let page = world.admin_get(&format!("/admin/api/callbacks?{query}")).await.json();
        let seen: Vec<&Value> = page["data"].as_array().unwrap().iter().map(|row| &row["verdict"]).collect();
        assert_eq!(seen, want, "{query}");
    }
    let page = world.admin_get("/admin/api/callbacks?limit=2").await.json();
    let rest = format!("/admin/api/callbacks?cursor={}", page["next_cursor"].as_str().unwrap());
    let page = world.admin_get(&rest).await.json();
    assert_eq!((page["data"].as_array().unwrap().len(), &page["data"][0]["verdict"]), (1, &json!("applied")));
    assert_eq!(page["next_cursor"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn a_callbacks_headers_are_shown_with_repeats() {
    let world = World::new();
    let request = http::Request::post("/notify/main").header("x-odd", "one").header("x-odd", "two");
    world.call(request.body("forged".into()).unwrap()).await;
    let page = world.admin_get("/admin/api/callbacks").await.json();
    assert_eq!(page["data"][0]["request"]["headers"], json!([["x-odd", "one"], ["x-odd", "two"]]));
}

#[tokio::test(start_paused = true)]
async fn the_audit_trail_is_shown_newest_first() {
    let world = World::new();
    for order_no in ["A1", "A2", "A3"] {
        let payment = world.created(order_no).await;
        let path = format!("/admin/api/payments/{}/confirm", payment["id"].as_str().unwrap());
        let word = json!({"amount": 1999, "note": order_no});
        assert_eq!(world.admin_post(&path, &word).await.status, 200);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let page = world.admin_get("/admin/api/audit?limit=2").await.json();
    assert_eq!(notes(&page), ["A3", "A2"]);
    let line = &page["data"][0];
    assert_eq!((&line["operator"], &line["action"]), (&json!("root"), &json!("attempt.resolve")));
    assert_eq!(line["after"]["status"], "succeeded");
    assert_eq!(line["before"]["status"], "pending");
    let rest = format!("/admin/api/audit?cursor={}", page["next_cursor"].as_str().unwrap());
    let page = world.admin_get(&rest).await.json();
    assert_eq!((notes(&page), &page["next_cursor"]), (vec!["A1".to_owned()], &Value::Null));
}

#[tokio::test(start_paused = true)]
async fn bad_queries_are_named() {
    let world = World::new();
    for (path, param, says) in [
        ("queue?kind=lost", "kind", "known: attempt_unknown, money_held"),
        ("queue?state=unknown", "state", "known: kind, limit, cursor"),
        ("queue?limit=101", "limit", "1 to 100"),
        ("queue?cursor=c1", "cursor", "next_cursor"),
        ("queue?cursor=c1x.att_1", "cursor", "next_cursor"),
        ("attempts", "state", "is missing; known: unknown"),
        ("attempts?state=open", "state", "known: unknown"),
        ("attempts?state=unknown&cursor=x", "cursor", "next_cursor"),
        ("callbacks?payment=x", "payment", "`pay_`"),
        ("callbacks?channel=a%2Fb", "channel", "letters"),
        ("callbacks?verdict=good", "verdict", "known: applied, duplicate"),
        ("callbacks?cursor=c11.pay_1", "cursor", "next_cursor"),
        ("callbacks?app=shop", "app", "known: payment, channel, verdict, limit, cursor"),
        ("audit?cursor=c1evt_00000000000070008000000000000000", "cursor", "next_cursor"),
        ("audit?operator=root", "operator", "known: limit, cursor"),
    ] {
        world.admin_get(&format!("/admin/api/{path}")).await.invalid(param, says);
    }
}

async fn queue(world: &World, query: &str) -> Value {
    let seen = world.admin_get(&format!("/admin/api/queue{query}")).await;
    assert_eq!(seen.status, 200, "{seen:?}");
    seen.json()
}

fn kinds(page: &Value) -> Vec<String> {
    texts(page, "kind")
}

fn notes(page: &Value) -> Vec<String> {
    texts(page, "note")
}

fn texts(page: &Value, field: &str) -> Vec<String> {
    let data = page["data"].as_array().unwrap();
    data.iter().map(|item| item[field].as_str().unwrap().to_owned()).collect()
}
