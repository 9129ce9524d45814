//! Channels as operators see them, and their word on where each stands in its life.

use std::time::Duration;

use paymux_core::catalog::Rules;
use serde_json::{Value, json};

use crate::world::{SHOP, World, order_with};

/// A world whose ledger knows its channels.
async fn world() -> World {
    let world = World::new();
    world.payments.bind_channels().await.unwrap().unwrap();
    world
}

fn word(state: &str) -> Value {
    json!({"state": state, "note": "the bank asked for it"})
}

async fn listed(world: &World, query: &str) -> Value {
    let seen = world.admin_get(&format!("/admin/api/channels{query}")).await;
    assert_eq!(seen.status, 200, "{seen:?}");
    seen.json()
}

#[tokio::test(start_paused = true)]
async fn every_channel_is_shown_with_what_it_does() {
    let world = world().await;
    world.paid("A1").await;
    let page = listed(&world, "").await;
    assert_eq!(page["next_cursor"], Value::Null);
    let paid_at = "2024-03-01T00:00:00.000Z";
    let main = json!({
        "id": "main", "object": "channel", "provider": "scripted", "state": "active",
        "since": paid_at, "by": null, "configured": true, "livemode": true, "health": "well",
        "routes": ["default"], "today": [{"currency": "CNY", "collected": 1999, "completed": 1}], "limits": [],
        "last_completed_at": paid_at,
    });
    assert_eq!(page["data"][2], main);
    let sand = &page["data"][3];
    assert_eq!(
        (&sand["id"], &sand["livemode"], &sand["routes"]),
        (&json!("sand"), &json!(false), &json!(["sandbox"]))
    );
    assert_eq!((&sand["today"], &sand["last_completed_at"]), (&json!([]), &Value::Null));
    assert_eq!((&page["data"][1]["id"], &page["data"][1]["state"]), (&json!("gone"), &json!("off")));

    let (mut seen, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = listed(&world, &format!("?limit=1{cursor}")).await;
        seen.push(page["data"][0]["id"].clone());
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen, ["bare", "gone", "main", "sand"]);
}

/// Set aside with the attempt, booked when it is paid.
#[tokio::test(start_paused = true)]
async fn limits_are_shown_with_what_is_used_of_them() {
    let rules = Rules {
        day_amount_max: Some(10_000),
        day_count_max: Some(5),
        in_flight_max: Some(2),
        ..Rules::default()
    };
    let world = World::with_rules(rules);
    world.payments.bind_channels().await.unwrap().unwrap();
    let limits = |reserved: i64, collected: i64, count: i64, under_way: i64| {
        json!([
            {"over": "day", "currency": "CNY", "amount_max": 10_000, "reserved": reserved, "collected": collected,
             "count_max": 5, "count": count},
            {"over": "in_flight", "count_max": 2, "count": under_way},
        ])
    };
    assert_eq!(listed(&world, "").await["data"][2]["limits"], limits(0, 0, 0, 0));
    world.paid("A1").await;
    world.created("A2").await;
    assert_eq!(listed(&world, "").await["data"][2]["limits"], limits(1999, 1999, 2, 1));
    assert_eq!(listed(&world, "").await["data"][0]["limits"], json!([]), "`bare` has none");
}

#[tokio::test(start_paused = true)]
async fn a_drained_channel_takes_no_new_payment_until_it_is_put_back() {
    let world = world().await;
    let open = world.created("A1").await;
    let path = "/admin/api/channels/main/state";
    let seen = world.admin_post(path, &word("draining")).await;
    let since = "2024-03-01T00:00:00.000Z";
    let want = json!({"id": "main", "object": "channel", "provider": "scripted", "state": "draining",
        "since": since, "by": "root"});
    assert_eq!((seen.status.as_u16(), seen.json()), (200, want));
    assert_eq!(listed(&world, "").await["data"][2]["by"], "root");

    let refused =
        world.post(SHOP, "/v1/payments", &order_with("A2", json!({}))).await.problem(422, "no_channel");
    let removed = json!({"channel": "main", "rule": "state", "detail": "the channel is draining"});
    assert_eq!(refused["channels"][0], removed);
    let number = open["provider_order_no"].as_str().unwrap();
    assert_eq!(world.notify("main", format!("{number} 1999 CNY T1")).await.status, 200);
    let shown = world.get(SHOP, &format!("/v1/payments/{}", open["id"].as_str().unwrap())).await.json();
    assert_eq!(shown["status"], "succeeded", "what was begun goes on");

    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(world.admin_post(path, &word("active")).await.json()["state"], "active");
    world.created("A3").await;
    let audit = world.admin_get("/admin/api/audit").await.json();
    assert_eq!(audit["data"].as_array().unwrap().len(), 2);
    let line = &audit["data"][1];
    assert_eq!((&line["action"], &line["target"]), (&json!("channel.state"), &json!("main")));
    assert_eq!(
        (&line["before"], &line["after"]),
        (&json!({"state": "active"}), &json!({"state": "draining"}))
    );
    assert_eq!((&line["operator"], &line["note"]), (&json!("root"), &json!("the bank asked for it")));
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_is_needed_is_not_turned_off() {
    let world = world().await;
    let payment = world.created("A1").await;
    let path = "/admin/api/channels/main/state";
    let problem = world.admin_post(path, &word("off")).await.problem(409, "channel_needed");
    assert!(problem["detail"].as_str().unwrap().contains("let it be `draining` first"), "{problem}");
    world.admin_post(path, &word("verify-only")).await;
    tokio::time::sleep(Duration::from_mins(2)).await;
    let problem = world.admin_post(path, &word("off")).await.problem(409, "channel_needed");
    assert!(problem["detail"].as_str().unwrap().contains("have not ended"), "{problem}");

    // One that took nothing goes off, and then nobody acknowledges what comes in for it.
    let path = "/admin/api/channels/bare/state";
    world.admin_post(path, &word("draining")).await;
    tokio::time::sleep(Duration::from_mins(2)).await;
    assert_eq!(world.admin_post(path, &word("off")).await.status, 200);
    let number = payment["provider_order_no"].as_str().unwrap();
    world.notify("bare", format!("{number} 1999 CNY T1")).await.problem(503, "overloaded");
}

#[tokio::test(start_paused = true)]
async fn what_is_wrong_is_named() {
    let world = world().await;
    let path = "/admin/api/channels/main/state";
    let known = "known: active, draining, verify-only, off";
    world.admin_post(path, &word("paused")).await.invalid("state", known);
    world.admin_post(path, &json!({"note": "x"})).await.invalid("state", "missing");
    world.admin_post(path, &json!({"state": "off"})).await.invalid("note", "missing");
    world.admin_post(path, &json!({"state": "off", "note": " "})).await.invalid("note", "one line");
    world
        .admin_post(path, &json!({"state": "off", "note": "x", "force": true}))
        .await
        .invalid("force", "unknown");
    for id in ["nobody", "a%2Fb", "%20"] {
        let path = format!("/admin/api/channels/{id}/state");
        world.admin_post(&path, &word("off")).await.problem(404, "not_found");
    }
    world.admin_get("/admin/api/channels?state=off").await.invalid("state", "known: limit, cursor");
    world.admin_get("/admin/api/channels?cursor=x").await.invalid("cursor", "next_cursor");
    world.store.go_away();
    world.admin_post(path, &word("draining")).await.problem(503, "overloaded");
    world.admin_get("/admin/api/channels").await.problem(503, "overloaded");
}

/// Whatever a channel is made of, its secrets and its account stay here.
#[tokio::test(start_paused = true)]
async fn neither_secrets_nor_accounts_are_shown() {
    let world = world().await;
    for channel in listed(&world, "").await["data"].as_array().unwrap() {
        let mut keys: Vec<&str> = channel.as_object().unwrap().keys().map(String::as_str).collect();
        keys.sort_unstable();
        let want = [
            "by",
            "configured",
            "health",
            "id",
            "last_completed_at",
            "limits",
            "livemode",
            "object",
            "provider",
            "routes",
            "since",
            "state",
            "today",
        ];
        assert_eq!(keys, want);
    }
}
