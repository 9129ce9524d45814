//! Transfers: new, repeated, refused, found, asked about, and never another app's.

use paymux_core::channel::OutflowAnswer;
use paymux_testkit::channel::Outgo;
use serde_json::{Value, json};

use crate::world::{RIVAL, SHOP, World, patched, transfer};

#[tokio::test(start_paused = true)]
async fn answers_201_with_the_transfer_and_its_place() {
    let world = World::new();
    let seen = world.post(SHOP, "/v1/transfers", &transfer_with(json!({"reason": "wages"}))).await;
    assert_eq!(seen.status, 201, "{seen:?}");
    let transfer = seen.json();
    assert_eq!(seen.header("location"), format!("/v1/transfers/{}", transfer["id"].as_str().unwrap()));
    assert!(transfer["id"].as_str().unwrap().starts_with("trf_"));
    assert_eq!((&transfer["object"], &transfer["transfer_no"]), (&json!("transfer"), &json!("T1")));
    assert_eq!((&transfer["amount"], &transfer["currency"]), (&json!(500), &json!("CNY")));
    assert_eq!((&transfer["product"], &transfer["channel"]), (&json!("bank_card"), &json!("main")));
    assert_eq!((&transfer["status"], &transfer["reason"]), (&json!("succeeded"), &json!("wages")));
    assert_eq!(transfer["payee"], json!({"card_no": "****0123", "name": "****"}));
    assert!(!seen.text().contains("6222020200010120123"));
    let found = world.get(SHOP, seen.header("location")).await;
    assert_eq!((found.status.as_u16(), found.json()), (200, transfer));
}

#[tokio::test(start_paused = true)]
async fn repeats_find_the_stored_transfer_and_others_mismatch() {
    let world = World::new();
    let first = world.post(SHOP, "/v1/transfers", &transfer("T1")).await.json();
    let again = world.post(SHOP, "/v1/transfers", &transfer("T1")).await;
    assert_eq!((again.status.as_u16(), again.json()), (200, first));
    for patch in [json!({"amount": 501}), json!({"reason": "x"}), json!({"extra": {"bank_name": "ICBC"}})] {
        let seen = world.post(SHOP, "/v1/transfers", &transfer_with(patch)).await;
        assert_eq!(seen.problem(422, "transfer_mismatch")["param"], "transfer_no");
    }
    assert_eq!(world.main.transfers().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn no_more_is_paid_out_than_the_app_may() {
    let world = World::new();
    let problem = world.post(SHOP, "/v1/transfers", &transfer_with(json!({"amount": 500_001}))).await;
    let problem = problem.problem(422, "transfer_too_large");
    assert_eq!(problem["param"], "amount");
    assert!(problem["detail"].as_str().unwrap().contains("500000"), "{problem}");
    let first = transfer_with(json!({"transfer_no": "T2", "amount": 400_000}));
    assert_eq!(world.post(SHOP, "/v1/transfers", &first).await.status, 201);
    let second = transfer_with(json!({"transfer_no": "T3", "amount": 100_001}));
    world.post(SHOP, "/v1/transfers", &second).await.problem(422, "transfer_too_large");
    let third = transfer_with(json!({"transfer_no": "T3", "amount": 100_000}));
    assert_eq!(world.post(SHOP, "/v1/transfers", &third).await.status, 201);
    assert_eq!(world.main.transfers().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_cannot_pay_out_is_said_so() {
    let world = World::new();
    let bare = transfer_with(json!({"channel": "bare"}));
    world.post(SHOP, "/v1/transfers", &bare).await.problem(422, "unsupported");
    for channel in ["nobody", "gone"] {
        let seen = world.post(SHOP, "/v1/transfers", &transfer_with(json!({"channel": channel}))).await;
        seen.invalid("channel", "pay");
    }
    assert!(world.main.transfers().is_empty() && world.store.transfers().is_empty());
}

#[tokio::test(start_paused = true)]
async fn each_way_a_transfer_can_stand_is_a_word() {
    let world = World::new();
    for (number, (outgo, status)) in [
        (Outgo::Pending, "processing"),
        (Outgo::NeedsAction, "needs_action"),
        (Outgo::Refuse, "failed"),
        (Outgo::NotSent, "failed"),
        (Outgo::Lose, "unknown"),
    ]
    .into_iter()
    .enumerate()
    {
        world.main.on_outgo(outgo);
        let body = transfer_with(json!({"transfer_no": format!("T{number}")}));
        let seen = world.post(SHOP, "/v1/transfers", &body).await;
        assert_eq!((seen.status.as_u16(), &seen.json()["status"]), (201, &json!(status)), "{outgo:?}");
    }
    assert_eq!(world.main.transfers().len(), 5);
}

#[tokio::test(start_paused = true)]
async fn sync_asks_the_provider_now() {
    let world = World::new();
    world.main.on_outgo(Outgo::Lose);
    let unknown = world.post(SHOP, "/v1/transfers", &transfer("T1")).await.json();
    assert_eq!(unknown["status"], "unknown");
    let sync = format!("/v1/transfers/{}/sync", unknown["id"].as_str().unwrap());
    let number = unknown["provider_transfer_no"].as_str().unwrap();
    world.main.settle_outgo(number, OutflowAnswer::Done { reference: None });
    for _ in 0..2 {
        let seen = world.post_text(SHOP, &sync, "").await;
        assert_eq!((seen.status.as_u16(), &seen.json()["status"]), (200, &json!("succeeded")));
    }
    assert_eq!((world.main.transfers().len(), world.main.asked_outgoes()), (1, 1));
    world.post_text(SHOP, &sync, "{\"force\": true}").await.invalid("force", "this request has none");
}

#[tokio::test(start_paused = true)]
async fn a_transfer_is_found_by_its_number_in_its_app_only() {
    let world = World::new();
    let made = world.post(SHOP, "/v1/transfers", &transfer("T1")).await.json();
    let list = world.get(SHOP, "/v1/transfers?transfer_no=T1").await.json();
    assert_eq!(list, json!({"data": [made], "next_cursor": null}));
    assert_eq!(world.get(SHOP, "/v1/transfers?transfer_no=T2").await.json()["data"], json!([]));
    assert_eq!(world.get(RIVAL, "/v1/transfers?transfer_no=T1").await.json()["data"], json!([]));
    let path = format!("/v1/transfers/{}", made["id"].as_str().unwrap());
    world.get(RIVAL, &path).await.problem(404, "not_found");
    world.post_text(RIVAL, &format!("{path}/sync"), "").await.problem(404, "not_found");
    for id in ["x", "rfd_00000000000070008000000000000000", "trf_00000000000070008000000000000000"] {
        world.get(SHOP, &format!("/v1/transfers/{id}")).await.problem(404, "not_found");
        world.post_text(SHOP, &format!("/v1/transfers/{id}/sync"), "").await.problem(404, "not_found");
    }
    // The number is free in another app.
    assert_eq!(world.post(RIVAL, "/v1/transfers", &transfer("T1")).await.status, 201);
    for (path, param, says) in [
        ("/v1/transfers", "transfer_no", "is missing"),
        ("/v1/transfers?transfer_no=a%2Fb", "transfer_no", "1 to 64"),
        ("/v1/transfers?refund_no=R1", "refund_no", "known: transfer_no"),
    ] {
        world.get(SHOP, path).await.invalid(param, says);
    }
}

#[tokio::test(start_paused = true)]
async fn fields_that_break_their_rule_are_named() {
    let world = World::new();
    for (patch, param, says) in [
        (json!({"transfer_no": "a b"}), "transfer_no", "1 to 64"),
        (json!({"transfer_no": 1}), "transfer_no", "text in quotes"),
        (json!({"amount": 0}), "amount", "from 1 to"),
        (json!({"amount": "1"}), "amount", "whole number"),
        (json!({"amount": 1.0}), "amount", "whole number"),
        (json!({"currency": "cny"}), "currency", "ISO 4217"),
        (json!({"product": ""}), "product", "bank_card"),
        (json!({"product": "bank card"}), "product", "letters"),
        (json!({"payee": {}}), "payee", "1 to 20"),
        (json!({"payee": []}), "payee", "list"),
        (json!({"payee": "x"}), "payee", "object"),
        (json!({"payee": {"card_no": 6222}}), "payee.card_no", "text in quotes"),
        (json!({"payee": {"card_no": "1\n2"}}), "payee.card_no", "control characters"),
        (json!({"channel": "a/b"}), "channel", "letters"),
        (json!({"channel": null}), "channel", "text in quotes"),
        (json!({"reason": "x".repeat(128)}), "reason", "1 to 127"),
        (json!({"extra": {"k": 0.5}}), "extra.k", "whole number"),
        (json!({"notify_url": "https://a.example"}), "notify_url", "known: transfer_no, amount"),
    ] {
        world.post(SHOP, "/v1/transfers", &transfer_with(patch)).await.invalid(param, says);
    }
    for param in ["transfer_no", "amount", "currency", "product", "payee", "channel"] {
        let mut body = transfer("T1");
        body.as_object_mut().unwrap().remove(param);
        world.post(SHOP, "/v1/transfers", &body).await.invalid(param, "is missing");
    }
    let huge = format!("{}{}", transfer("T1"), " ".repeat(65_536));
    world.post_text(SHOP, "/v1/transfers", huge).await.problem(413, "body_too_large");
    assert!(world.main.transfers().is_empty() && world.store.transfers().is_empty());
}

fn transfer_with(patch: Value) -> Value {
    patched(transfer("T1"), patch)
}
