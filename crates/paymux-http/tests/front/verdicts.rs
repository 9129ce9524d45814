//! Operators' words over HTTP: confirm, resolve, settle. Each needs a note and is in the audit trail.

use std::time::Duration;

use paymux_core::channel::Blame;
use paymux_core::store::EventKind;
use paymux_testkit::Script;
use paymux_testkit::channel::Outgo;
use serde_json::{Value, json};

use crate::world::{SHOP, World, patched, transfer};

#[tokio::test(start_paused = true)]
async fn a_confirmed_payment_succeeds_once_and_is_audited() {
    let world = World::new();
    let payment = world.created("A1").await;
    let word = json!({"amount": 1999, "provider_trade_no": "T9", "note": "seen at the bank"});
    for _ in 0..2 {
        let seen = world.admin_post(&confirm(&payment), &word).await;
        assert_eq!((seen.status.as_u16(), &seen.json()["status"]), (200, &json!("succeeded")), "{seen:?}");
        assert_eq!(seen.json()["provider_trade_no"], "T9");
    }
    let kinds: Vec<EventKind> = world.store.events().iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::PaymentSucceeded]);
    let audits = world.store.audits();
    let [line] = audits.as_slice() else { panic!("{audits:?}") };
    assert_eq!((line.operator.as_str(), line.action.as_str()), ("root", "attempt.resolve"));
    assert_eq!(
        (line.note.as_str(), line.after["provider_trade_no"].as_str()),
        ("seen at the bank", Some("T9"))
    );
    assert!(line.request_id.starts_with("req_"), "{line:?}");
}

#[tokio::test(start_paused = true)]
async fn a_confirm_that_does_not_fit_is_refused() {
    let world = World::new();
    let payment = world.created("A1").await;
    let word = |amount: i64| json!({"amount": amount, "note": "n"});
    world.admin_post(&confirm(&payment), &word(1998)).await.problem(409, "not_resolvable");
    for id in ["x", "pay_00000000000070008000000000000000", "att_00000000000070008000000000000000"] {
        let path = format!("/admin/api/payments/{id}/confirm");
        world.admin_post(&path, &word(1999)).await.problem(404, "not_found");
    }
    let foreign = world.created("A2").await["attempts"][0]["id"].clone();
    let word = json!({"amount": 1999, "note": "n", "attempt": foreign});
    world.admin_post(&confirm(&payment), &word).await.problem(404, "not_found");
    world.main.on_create(Script::Refuse(Blame::Request));
    let failed = world.created("A3").await;
    let word = json!({"amount": 1999, "note": "n"});
    world.admin_post(&confirm(&failed), &word).await.problem(409, "not_resolvable");
    assert!(world.store.audits().is_empty());
    let word = json!({"amount": 1999, "note": "n", "attempt": payment["attempts"][0]["id"]});
    assert_eq!(world.admin_post(&confirm(&payment), &word).await.status, 200);
}

#[tokio::test(start_paused = true)]
async fn an_unknown_attempt_is_ended_by_a_persons_word() {
    let world = World::new();
    let payment = world.unknown("A1").await;
    let path = resolve("attempts", &payment["attempts"][0]["id"]);
    let word = json!({"outcome": "not_paid", "note": "the till says no"});
    let problem = world.admin_post(&path, &word).await.problem(409, "not_resolvable");
    assert!(problem["detail"].as_str().unwrap().contains("before 2024-03-01T00:1"), "{problem}");
    tokio::time::sleep(Duration::from_mins(15)).await;
    let seen = world.admin_post(&path, &word).await;
    assert_eq!((seen.status.as_u16(), &seen.json()["status"]), (200, &json!("failed")), "{seen:?}");
    assert_eq!(seen.json()["attempts"][0]["state"], "closed");
    world.admin_post(&path, &word).await.problem(409, "not_resolvable");
}

#[tokio::test(start_paused = true)]
async fn less_money_can_be_accepted_or_said_to_be_returned() {
    let world = World::new();
    let held = underpaid(&world, "A1").await;
    let path = resolve("attempts", &held["attempts"][0]["id"]);
    let word = json!({"outcome": "accept_underpaid", "amount": 1000, "note": "agreed by phone"});
    let seen = world.admin_post(&path, &word).await;
    assert_eq!((seen.status.as_u16(), &seen.json()["status"]), (200, &json!("succeeded")), "{seen:?}");
    assert_eq!((&seen.json()["amount_received"], &seen.json()["held"]), (&json!(1000), &Value::Null));

    let held = underpaid(&world, "A2").await;
    let path = resolve("attempts", &held["attempts"][0]["id"]);
    let word = json!({"outcome": "returned_outside", "note": "paid back in the shop"});
    let seen = world.admin_post(&path, &word).await;
    assert_eq!((seen.status.as_u16(), &seen.json()["held"]), (200, &Value::Null), "{seen:?}");
    assert_eq!(seen.json()["attempts"][0]["refunded"], 1000);
}

#[tokio::test(start_paused = true)]
async fn a_refund_and_a_transfer_are_ended_by_a_persons_word() {
    let world = World::new();
    let payment = world.paid("A1").await;
    let refunds = format!("/v1/payments/{}/refunds", payment["id"].as_str().unwrap());
    world.main.on_outgo(Outgo::Lose);
    let refund = world.post(SHOP, &refunds, &json!({"refund_no": "R1", "amount": 500})).await.json();
    world.main.on_outgo(Outgo::Lose);
    let transfer = world.post(SHOP, "/v1/transfers", &transfer("T1")).await.json();
    for (kind, object) in [("refunds", &refund), ("transfers", &transfer)] {
        assert_eq!(object["status"], "unknown");
        let path = resolve(kind, &object["id"]);
        let wrong = json!({"outcome": "paid", "amount": 499, "note": "n"});
        world.admin_post(&path, &wrong).await.problem(409, "not_resolvable");
        let accept = json!({"outcome": "accept_underpaid", "note": "n"});
        world.admin_post(&path, &accept).await.problem(409, "not_resolvable");
        let word = json!({"outcome": "paid", "amount": 500, "note": "on the bank's list"});
        for _ in 0..2 {
            let seen = world.admin_post(&path, &word).await;
            assert_eq!(
                (seen.status.as_u16(), &seen.json()["status"]),
                (200, &json!("succeeded")),
                "{seen:?}"
            );
            assert_eq!(seen.json()["id"], object["id"]);
        }
    }
    let mut actions: Vec<String> = world.store.audits().into_iter().map(|line| line.action).collect();
    actions.sort_unstable();
    assert_eq!(actions, ["refund.resolve", "transfer.resolve"]);
}

#[tokio::test(start_paused = true)]
async fn unknown_ids_are_not_found() {
    let world = World::new();
    let word = json!({"outcome": "paid", "amount": 1, "note": "n"});
    for (kind, prefix) in [("attempts", "att"), ("refunds", "rfd"), ("transfers", "trf")] {
        for id in ["x".to_owned(), format!("{prefix}_00000000000070008000000000000000")] {
            let path = format!("/admin/api/{kind}/{id}/resolve");
            world.admin_post(&path, &word).await.problem(404, "not_found");
        }
    }
    for id in ["x", "cbk_00000000000070008000000000000000"] {
        let path = format!("/admin/api/callbacks/{id}/settle");
        world.admin_post(&path, &json!({"note": "n"})).await.problem(404, "not_found");
    }
    assert!(world.store.audits().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_callback_that_waited_is_settled_once() {
    let world = World::new();
    world.notify("main", "nobody 1999 CNY T1").await;
    let id = world.store.callbacks()[0].id;
    let path = format!("/admin/api/callbacks/{id}/settle");
    let seen = world.admin_post(&path, &json!({"note": "another shop's"})).await;
    assert_eq!(seen.status, 200, "{seen:?}");
    assert_eq!(seen.json(), json!({"id": id, "object": "callback", "settled": true}));
    world.admin_post(&path, &json!({"note": "again"})).await.problem(404, "not_found");
    let audits = world.store.audits();
    assert_eq!((audits.len(), audits[0].action.as_str()), (1, "callback.settle"));
    assert_eq!(audits[0].note, "another shop's");
}

#[tokio::test(start_paused = true)]
async fn fields_that_break_their_rule_are_named() {
    let world = World::new();
    let payment = world.created("A1").await;
    let attempt = resolve("attempts", &payment["attempts"][0]["id"]);
    let common = [
        (json!({"amount": 0}), "amount", "from 1 to"),
        (json!({"amount": "1999"}), "amount", "whole number"),
        (json!({"amount": 19.99}), "amount", "whole number"),
        (json!({"note": ""}), "note", "1 to 500"),
        (json!({"note": "  "}), "note", "1 to 500"),
        (json!({"note": "钱".repeat(501)}), "note", "1 to 500"),
        (json!({"note": "a\nb"}), "note", "control characters"),
        (json!({"note": 7}), "note", "text in quotes"),
        (json!({"note": null}), "note", "text in quotes"),
        (json!({"provider_trade_no": ""}), "provider_trade_no", "1 to 128"),
        (json!({"provider_trade_no": "x".repeat(129)}), "provider_trade_no", "1 to 128"),
        (json!({"provider_trade_no": 1}), "provider_trade_no", "text in quotes"),
        (json!({"force": true}), "force", "unknown field; known: "),
        (json!({"note": ["a"]}), "note", "list"),
    ];
    let (word, paid) =
        (json!({"amount": 1999, "note": "n"}), json!({"outcome": "paid", "amount": 1999, "note": "n"}));
    for (patch, param, says) in common {
        world
            .admin_post(&confirm(&payment), &patched(word.clone(), patch.clone()))
            .await
            .invalid(param, says);
        world.admin_post(&attempt, &patched(paid.clone(), patch.clone())).await.invalid(param, says);
    }
    for (patch, param, says) in [
        (json!({"attempt": "att_1"}), "attempt", "`att_`"),
        (json!({"attempt": 1}), "attempt", "text in quotes"),
        (json!({"outcome": "paid"}), "outcome", "known: amount, provider_trade_no, note, attempt"),
    ] {
        world
            .admin_post(&confirm(&payment), &patched(word.clone(), patch.clone()))
            .await
            .invalid(param, says);
    }
    for (patch, param, says) in [
        (json!({"outcome": "lost"}), "outcome", "known: paid, not_paid, accept_underpaid, returned_outside"),
        (json!({"outcome": 1}), "outcome", "text in quotes"),
        (json!({"attempt": "x"}), "attempt", "known: outcome, amount, provider_trade_no, note"),
    ] {
        world.admin_post(&attempt, &patched(paid.clone(), patch.clone())).await.invalid(param, says);
    }
    for (path, body, param) in [
        (confirm(&payment), json!({"amount": 1999}), "note"),
        (confirm(&payment), json!({"note": "n"}), "amount"),
        (attempt.clone(), json!({"outcome": "paid", "amount": 1999}), "note"),
        (attempt.clone(), json!({"amount": 1999, "note": "n"}), "outcome"),
        ("/admin/api/callbacks/x/settle".to_owned(), json!({}), "note"),
    ] {
        world.admin_post(&path, &body).await.invalid(param, "is missing");
    }
    world.admin_post(&attempt, &json!({"outcome": "paid", "note": "n"})).await.invalid("amount", "came in");
    world.admin_post(&format!("{attempt}?dry_run=1"), &paid).await.invalid("dry_run", "takes none");
    let twice = "{\"note\": \"a\", \"note\": \"b\"}";
    world.admin_post_text("/admin/api/callbacks/x/settle", twice).await.invalid("note", "twice");
    let huge = format!("{paid}{}", " ".repeat(65_536));
    world.admin_post_text(&attempt, huge).await.problem(413, "body_too_large");
    let longest = patched(paid, json!({"note": "钱".repeat(500), "amount": 1998}));
    world.admin_post(&attempt, &longest).await.problem(409, "not_resolvable");
    assert!(world.store.audits().is_empty());
}

fn confirm(payment: &Value) -> String {
    format!("/admin/api/payments/{}/confirm", payment["id"].as_str().unwrap())
}

fn resolve(kind: &str, id: &Value) -> String {
    format!("/admin/api/{kind}/{}/resolve", id.as_str().unwrap())
}

/// A payment that has received 10.00 of its 19.99.
async fn underpaid(world: &World, order_no: &str) -> Value {
    let payment = world.created(order_no).await;
    let number = payment["provider_order_no"].as_str().unwrap();
    assert_eq!(world.notify("main", format!("{number} 1000 CNY T-{order_no}")).await.text(), "success");
    let path = format!("/v1/payments/{}", payment["id"].as_str().unwrap());
    let payment = world.get(SHOP, &path).await.json();
    assert_eq!(payment["held"], "underpaid");
    payment
}
