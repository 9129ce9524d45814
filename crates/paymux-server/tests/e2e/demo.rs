//! The demo from outside: its steps in order, its ready-made call, and its end.

use std::path::Path;
use std::time::Duration;

use paymux_core::Clock as _;
use paymux_transport::SystemClock;
use serde_json::{Value, json};

use crate::http::Http;
use crate::process::{Running, ended, paymux};

#[tokio::test]
async fn tells_one_payment_step_by_step_and_ends() {
    let ended = ended(["demo", "--once", "--json"]).await;
    assert_eq!((ended.code, ended.err.as_str()), (Some(0), ""));
    let lines: Vec<Value> = ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let steps: Vec<&str> = lines.iter().map(|line| line["step"].as_str().unwrap()).collect();
    let want = [
        "ready",
        "asked",
        "stored",
        "routed",
        "signed",
        "shown",
        "paid",
        "verified",
        "succeeded",
        "told",
        "done",
        "rotated",
    ];
    assert_eq!(steps, want);
    let step = |name: &str| lines.iter().find(|line| line["step"] == name).unwrap();
    assert_eq!(step("done")["payment"]["status"], "succeeded");
    assert_eq!(step("routed")["decision"]["route"], "wechat");
    assert_eq!(step("told")["notice"]["data"]["id"], step("done")["payment"]["id"]);
    assert!(step("routed")["text"].as_str().unwrap().contains("bee-small is out by rule amount"));
    let page = step("shown")["page"].as_str().unwrap();
    assert!(page.starts_with(step("ready")["api"].as_str().unwrap()), "{page}");
    let turns = step("rotated")["channels"].as_array().unwrap();
    assert_eq!(turns.len(), 8);
    assert!(
        turns.iter().all(|channel| ["cloud-a", "cloud-b", "cloud-c"].contains(&channel.as_str().unwrap()))
    );
    assert!(turns.windows(2).all(|pair| pair[0] != pair[1]), "{turns:?}");
    assert!(!Path::new(step("ready")["ledger"].as_str().unwrap()).exists(), "the ledger goes with it");
}

#[tokio::test]
async fn is_plain_text_without_colour_where_nobody_looks() {
    let ended = ended(["demo", "--once"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    assert!(!ended.out.contains('\x1b'), "{}", ended.out);
    assert_eq!(ended.out.lines().count(), 12, "one line a step: {}", ended.out);
}

#[tokio::test]
async fn a_crowd_is_made_paid_and_told() {
    let ended = ended(["demo", "--once", "--json", "--payments", "100"]).await;
    assert_eq!(ended.code, Some(0), "{}", ended.err);
    let last: Value = serde_json::from_str(ended.out.lines().last().unwrap()).unwrap();
    assert_eq!((&last["step"], &last["payments"]), (&json!("crowd"), &json!(100)));
}

#[tokio::test]
async fn stays_up_for_the_user_and_ends_within_a_second() {
    let mut demo = Running::start(paymux(["demo", "--json"]));
    let mut ledger = String::new();
    let up: Value = loop {
        let line: Value = serde_json::from_str(&demo.line().await.unwrap()).unwrap();
        match line["step"].as_str().unwrap() {
            "ready" => line["ledger"].as_str().unwrap().clone_into(&mut ledger),
            "up" => break line,
            _ => {}
        }
    };

    // The line that the user pastes, word by word.
    let curl = up["curl"].as_str().unwrap();
    let quoted: Vec<&str> = curl.split('\'').collect();
    let key = quoted[1].strip_prefix("Authorization: Bearer ").unwrap();
    let base = up["api"].as_str().unwrap().strip_suffix("/v1/payments").unwrap();
    assert!(curl.starts_with(&format!("curl -s {base}/v1/payments -H '")), "{curl}");
    let http = Http::new(base);
    let created = http.post(key, "/v1/payments", quoted[5]).await;
    assert_eq!(created.status, 201, "{}", created.text);
    assert!(http.get("", "/metrics").await.text.contains("paymux_creates_total"));
    assert_eq!(up["docs"], format!("{base}/docs"));
    assert!(http.get("", "/docs").await.text.contains(&format!("curl -s &#39;{base}/v1/payments&#39;")));

    let provider = Http::new(up["payer"].as_str().unwrap().strip_suffix("/sim").unwrap());
    let number = created.body["provider_order_no"].as_str().unwrap();
    assert_eq!(provider.post("", &format!("/sim/pay/{number}"), "{}").await.status, 200);
    loop {
        let line: Value = serde_json::from_str(&demo.line().await.unwrap()).unwrap();
        if line["step"] == "told" {
            assert_eq!(line["notice"]["data"]["id"], created.body["id"]);
            break;
        }
    }

    let clock = SystemClock::new();
    assert_eq!(demo.signal("INT").await, Some(0));
    assert!(clock.mono().0 < Duration::from_secs(1), "{:?}", clock.mono());
    assert!(!Path::new(&ledger).exists(), "the ledger goes with it");
}
