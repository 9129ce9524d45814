//! Refunds: new, repeated, refused, found, listed, asked about, and never another app's.

use paymux_core::channel::{Blame, OutflowAnswer};
use paymux_core::store::EventKind;
use paymux_testkit::Script;
use paymux_testkit::channel::Outgo;
use serde_json::{Value, json};

use crate::world::{RIVAL, SHOP, Seen, World, order_with};

#[tokio::test(start_paused = true)]
async fn answers_201_with_the_refund_and_its_place() {
    let world = World::new();
    let payment = world.paid("A1").await;
    let body = json!({"refund_no": "R1", "amount": 500, "reason": "broken cup"});
    let seen = world.post(SHOP, &refunds_of(&payment), &body).await;
    assert_eq!(seen.status, 201, "{seen:?}");
    assert_eq!(seen.header("cache-control"), "no-store");
    let refund = seen.json();
    assert_eq!(seen.header("location"), format!("/v1/refunds/{}", refund["id"].as_str().unwrap()));
    assert!(refund["id"].as_str().unwrap().starts_with("rfd_"));
    assert_eq!((&refund["object"], &refund["payment"]), (&json!("refund"), &payment["id"]));
    assert_eq!((&refund["refund_no"], &refund["reason"]), (&json!("R1"), &json!("broken cup")));
    assert_eq!((&refund["amount"], &refund["currency"]), (&json!(500), &json!("CNY")));
    assert_eq!((&refund["status"], &refund["failure"]), (&json!("succeeded"), &Value::Null));
    assert_eq!(refund["attempt"], payment["attempts"][0]["id"]);
    assert_eq!(refund["origin"], "merchant");

    let found = world.get(SHOP, seen.header("location")).await;
    assert_eq!((found.status.as_u16(), found.json()), (200, refund));
    let payment = world.get(SHOP, &path(&payment)).await.json();
    assert_eq!((&payment["amount_refunded"], &payment["status"]), (&json!(500), &json!("succeeded")));
    assert_eq!(payment["attempts"][0]["refunded"], 500);
}

#[tokio::test(start_paused = true)]
async fn repeats_are_answered_with_the_stored_refund() {
    let world = World::new();
    let payment = world.paid("A1").await;
    let first = refund(&world, &payment, "R1", 500).await.json();
    let again = refund(&world, &payment, "R1", 500).await;
    assert_eq!((again.status.as_u16(), again.json()), (200, first));
    assert_eq!(world.main.refunds().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_same_number_with_another_body_is_a_mismatch() {
    let world = World::new();
    let (payment, other) = (world.paid("A1").await, world.paid("A2").await);
    assert_eq!(refund(&world, &payment, "R1", 500).await.status, 201);
    for (payment, amount) in [(&payment, 501), (&other, 500)] {
        let seen = refund(&world, payment, "R1", amount).await;
        assert_eq!(seen.problem(422, "refund_mismatch")["param"], "refund_no");
    }
    let with_reason = json!({"refund_no": "R1", "amount": 500, "reason": "late"});
    world.post(SHOP, &refunds_of(&payment), &with_reason).await.problem(422, "refund_mismatch");
    assert_eq!(world.main.refunds().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn more_than_is_left_is_too_large_and_says_what_is_left() {
    let world = World::new();
    let payment = world.paid("A1").await;
    let problem = refund(&world, &payment, "R0", 2000).await.problem(422, "refund_too_large");
    assert_eq!((&problem["param"], &problem["amount_left"]), (&json!("amount"), &json!(1999)));
    assert_eq!(refund(&world, &payment, "R1", 1200).await.status, 201);
    world.main.on_outgo(Outgo::Pending);
    assert_eq!(refund(&world, &payment, "R2", 700).await.json()["status"], "pending");
    let problem = refund(&world, &payment, "R3", 100).await.problem(422, "refund_too_large");
    assert_eq!(problem["amount_left"], 99);
    assert_eq!(refund(&world, &payment, "R4", 99).await.status, 201);
    assert_eq!(world.main.refunds().len(), 3);
}

#[tokio::test(start_paused = true)]
async fn an_unpaid_payment_is_not_refundable() {
    let world = World::new();
    let open = world.created("A1").await;
    refund(&world, &open, "R1", 1).await.problem(409, "not_refundable");
    world.main.on_create(Script::Refuse(Blame::Request));
    let failed = world.created("A2").await;
    refund(&world, &failed, "R1", 1).await.problem(409, "not_refundable");
    assert!(world.main.refunds().is_empty() && world.store.refunds().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_provider_that_cannot_answers_unsupported() {
    let world = World::new();
    let bare = world.post(SHOP, "/v1/payments", &order_with("A1", json!({"amount": 555}))).await.json();
    let number = bare["provider_order_no"].as_str().unwrap();
    assert_eq!(world.notify("bare", format!("{number} 555 CNY T1")).await.text(), "success");
    let problem = refund(&world, &bare, "R1", 5).await.problem(422, "unsupported");
    assert!(problem["detail"].as_str().unwrap().contains("bare"), "{problem}");
}

#[tokio::test(start_paused = true)]
async fn each_way_a_refund_can_stand_is_a_word() {
    let world = World::new();
    let payment = world.paid("A1").await;
    for (number, (outgo, status)) in [
        (Outgo::Pending, "pending"),
        (Outgo::NeedsAction, "needs_action"),
        (Outgo::Refuse, "failed"),
        (Outgo::NotSent, "failed"),
        (Outgo::Lose, "unknown"),
    ]
    .into_iter()
    .enumerate()
    {
        world.main.on_outgo(outgo);
        let seen = refund(&world, &payment, &format!("R{number}"), 10).await;
        assert_eq!((seen.status.as_u16(), &seen.json()["status"]), (201, &json!(status)), "{outgo:?}");
        assert_eq!(seen.json()["action_url"].is_string(), status == "needs_action", "{outgo:?}");
        assert_eq!(seen.json()["failure"].is_object(), status != "pending", "{outgo:?}: {}", seen.text());
    }
}

#[tokio::test(start_paused = true)]
async fn sync_asks_the_provider_now() {
    let world = World::new();
    let payment = world.paid("A1").await;
    world.main.on_outgo(Outgo::Pending);
    let pending = refund(&world, &payment, "R1", 500).await.json();
    let sync = format!("/v1/refunds/{}/sync", pending["id"].as_str().unwrap());
    assert_eq!(world.post_text(SHOP, &sync, "").await.json()["status"], "pending");
    let number = pending["provider_refund_no"].as_str().unwrap();
    world.main.settle_outgo(number, OutflowAnswer::Done { reference: Some("B7".to_owned()) });
    for _ in 0..2 {
        let seen = world.post_text(SHOP, &sync, "{}").await;
        assert_eq!((seen.status.as_u16(), &seen.json()["status"]), (200, &json!("succeeded")));
    }
    assert_eq!(world.main.asked_outgoes(), 2);
    // Of one millisecond: in no order.
    let kinds: Vec<EventKind> = world.store.events().iter().map(|event| event.kind).collect();
    assert_eq!(kinds.len(), 2, "{kinds:?}");
    assert!(kinds.contains(&EventKind::PaymentSucceeded) && kinds.contains(&EventKind::RefundSucceeded));
}

#[tokio::test(start_paused = true)]
async fn a_payments_refunds_are_listed_oldest_first_and_in_pages() {
    let world = World::new();
    let (payment, other) = (world.paid("A1").await, world.paid("A2").await);
    assert_eq!(refund(&world, &other, "X", 1).await.status, 201);
    for number in ["R1", "R2", "R3"] {
        assert_eq!(refund(&world, &payment, number, 10).await.status, 201);
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
    let list = refunds_of(&payment);
    let page = world.get(SHOP, &list).await.json();
    assert_eq!((names(&page), &page["next_cursor"]), (vec!["R1", "R2", "R3"], &Value::Null));
    let page = world.get(SHOP, &format!("{list}?limit=2")).await.json();
    assert_eq!(names(&page), ["R1", "R2"]);
    let rest = format!("{list}?limit=2&cursor={}", page["next_cursor"].as_str().unwrap());
    let page = world.get(SHOP, &rest).await.json();
    assert_eq!((names(&page), &page["next_cursor"]), (vec!["R3"], &Value::Null));
    let none = world.created("A3").await;
    assert_eq!(world.get(SHOP, &refunds_of(&none)).await.json()["data"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn a_refund_is_found_by_its_number() {
    let world = World::new();
    let payment = world.paid("A1").await;
    let made = refund(&world, &payment, "R1", 10).await.json();
    let list = world.get(SHOP, "/v1/refunds?refund_no=R1").await.json();
    assert_eq!(list, json!({"data": [made], "next_cursor": null}));
    assert_eq!(world.get(SHOP, "/v1/refunds?refund_no=R2").await.json()["data"], json!([]));
    assert_eq!(world.get(RIVAL, "/v1/refunds?refund_no=R1").await.json()["data"], json!([]));
}

#[tokio::test(start_paused = true)]
async fn another_apps_refund_looks_like_none_at_all() {
    let world = World::new();
    let payment = world.paid("A1").await;
    let made = refund(&world, &payment, "R1", 10).await.json();
    let refund = format!("/v1/refunds/{}", made["id"].as_str().unwrap());
    let body = json!({"refund_no": "R1", "amount": 10});
    world.get(RIVAL, &refund).await.problem(404, "not_found");
    world.post_text(RIVAL, &format!("{refund}/sync"), "").await.problem(404, "not_found");
    world.get(RIVAL, &refunds_of(&payment)).await.problem(404, "not_found");
    world.post(RIVAL, &refunds_of(&payment), &body).await.problem(404, "not_found");
    let body = json!({"refund_no": "R2", "amount": 10});
    for id in ["x", "pay_00000000000070008000000000000000", "rfd_00000000000070008000000000000000"] {
        world.get(SHOP, &format!("/v1/refunds/{id}")).await.problem(404, "not_found");
        world.post_text(SHOP, &format!("/v1/refunds/{id}/sync"), "").await.problem(404, "not_found");
        world.get(SHOP, &format!("/v1/payments/{id}/refunds")).await.problem(404, "not_found");
        world.post(SHOP, &format!("/v1/payments/{id}/refunds"), &body).await.problem(404, "not_found");
    }
    assert_eq!(world.main.refunds().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn fields_that_break_their_rule_are_named() {
    let world = World::new();
    let payment = world.paid("A1").await;
    for (patch, param, says) in [
        (json!({"refund_no": ""}), "refund_no", "1 to 64"),
        (json!({"refund_no": "a b"}), "refund_no", "1 to 64"),
        (json!({"refund_no": 1}), "refund_no", "text in quotes"),
        (json!({"refund_no": null}), "refund_no", "text in quotes"),
        (json!({"amount": 0}), "amount", "from 1 to"),
        (json!({"amount": -1}), "amount", "from 1 to"),
        (json!({"amount": "1"}), "amount", "whole number"),
        (json!({"amount": 1.5}), "amount", "whole number"),
        (json!({"amount": [1]}), "amount", "list"),
        (json!({"reason": "x".repeat(128)}), "reason", "1 to 127"),
        (json!({"reason": "a\nb"}), "reason", "control characters"),
        (json!({"reason": 7}), "reason", "text in quotes"),
        (json!({"currency": "CNY"}), "currency", "known: refund_no, amount, reason"),
    ] {
        let mut body = json!({"refund_no": "R1", "amount": 10});
        body.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        world.post(SHOP, &refunds_of(&payment), &body).await.invalid(param, says);
    }
    for (body, param) in [(json!({"amount": 10}), "refund_no"), (json!({"refund_no": "R1"}), "amount")] {
        world.post(SHOP, &refunds_of(&payment), &body).await.invalid(param, "is missing");
    }
    let twice = "{\"refund_no\": \"R1\", \"amount\": 1, \"amount\": 2}";
    world.post_text(SHOP, &refunds_of(&payment), twice).await.invalid("amount", "twice");
    let query = format!("{}?dry_run=1", refunds_of(&payment));
    world.post(SHOP, &query, &json!({"refund_no": "R1", "amount": 1})).await.invalid("dry_run", "unknown");
    let huge = format!("{{\"refund_no\": \"R1\", \"amount\": 10}}{}", " ".repeat(65_536));
    world.post_text(SHOP, &refunds_of(&payment), huge).await.problem(413, "body_too_large");
    assert!(world.main.refunds().is_empty() && world.store.refunds().is_empty());
}

#[tokio::test(start_paused = true)]
async fn bad_queries_are_named() {
    let world = World::new();
    let payment = world.paid("A1").await;
    let made = refund(&world, &payment, "R1", 10).await.json();
    let found = format!("/v1/refunds/{}", made["id"].as_str().unwrap());
    let theirs = refund(&world, &world.paid("A2").await, "R2", 10).await.json();
    let foreign = format!("{}?cursor=c1{}", refunds_of(&payment), theirs["id"].as_str().unwrap());
    let unknown = format!("{}?cursor=c1rfd_{}", refunds_of(&payment), "0".repeat(32));
    for (path, param, says) in [
        ("/v1/refunds".to_owned(), "refund_no", "is missing"),
        ("/v1/refunds?refund_no=a%20b".to_owned(), "refund_no", "1 to 64"),
        ("/v1/refunds?limit=1".to_owned(), "limit", "known: refund_no"),
        (format!("{}?limit=0", refunds_of(&payment)), "limit", "1 to 100"),
        (format!("{}?cursor=c1pay_0", refunds_of(&payment)), "cursor", "next_cursor"),
        (foreign, "cursor", "no refund of this payment"),
        (unknown, "cursor", "no refund of this payment"),
        (format!("{}?status=pending", refunds_of(&payment)), "status", "known: limit, cursor"),
        (format!("{found}?expand=payment"), "expand", "takes none"),
    ] {
        world.get(SHOP, &path).await.invalid(param, says);
    }
    let seen = world.post_text(SHOP, &format!("{found}/sync"), "{\"force\": true}").await;
    seen.invalid("force", "this request has none");
}

#[tokio::test(start_paused = true)]
async fn a_ledger_that_is_away_is_503_and_nothing_is_sent() {
    let world = World::new();
    let payment = world.paid("A1").await;
    world.store.go_away();
    refund(&world, &payment, "R1", 10).await.problem(503, "overloaded");
    assert!(world.main.refunds().is_empty());
    world.store.come_back();
    assert_eq!(refund(&world, &payment, "R1", 10).await.status, 201);
}

fn path(payment: &Value) -> String {
    format!("/v1/payments/{}", payment["id"].as_str().unwrap())
}

fn refunds_of(payment: &Value) -> String {
    format!("{}/refunds", path(payment))
}

fn names(page: &Value) -> Vec<&str> {
    let data = page["data"].as_array().unwrap();
    data.iter().map(|refund| refund["refund_no"].as_str().unwrap()).collect()
}

async fn refund(world: &World, payment: &Value, refund_no: &str, amount: i64) -> Seen {
    let body = json!({"refund_no": refund_no, "amount": amount});
    world.post(SHOP, &refunds_of(payment), &body).await
}
