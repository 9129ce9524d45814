//! The sandbox: JSON bodies that a header signs whole, together with what the message is for. Its other end is in
//! memory, so no answers of it are read.

use paymux_core::channel::{Claim, Evidence};
use paymux_core::{Verb, WireRequest};
use serde_json::{Value, json};

use super::{NOW, Protocol};
use crate::reference::md5_hex;

const KEY: &str = "k-9f2c-of-the-sandbox";
const SIGN: &str = "sandbox-sign";

pub(super) fn protocol() -> Protocol {
    Protocol {
        provider: paymux_sandbox::provider(),
        settings: json!({"key": KEY, "key_previous": "k-of-yesterday-in-the-sandbox"}),
        account: json!({"account": "shop", "key": KEY}),
        found_by: ["account", "shop"],
        secrets: &[KEY, "k-of-yesterday-in-the-sandbox"],
        words: WORDS,
        callbacks: callbacks(),
        sign_callback: |request| Some(signed(request, "callback")),
        check,
        answers: Vec::new(),
        calls: calls(),
        sign_call: |request| Some(signed(request, &request.path)),
    }
}

const WORDS: &[&str] = &[
    "\"number\":",
    "\"amount\":",
    "\"currency\":",
    "\"time\":",
    "\"kind\":",
    "\"trade_no\":",
    "\"account\":",
    "\"method\":",
    "\"subject\":",
    "\"expires_in\":",
    "\"auth_code\":",
    "\"refunded\"",
    "\"refund_failed\"",
    "\"transferred\"",
    "\"paid\"",
    "CNY",
    "JPY",
    "KWD",
    "null",
    "sandbox-sign: ",
    "\\ud800",
];

fn callbacks() -> Vec<WireRequest> {
    let bodies = [
        r#"{"number":"018df73e8c0070008000000000000001","amount":1999,"currency":"CNY","time":1709251200000}"#,
        r#"{"number":"A1","amount":1,"currency":"JPY","time":1709251200000,"kind":"refunded","trade_no":"T1"}"#,
    ];
    let post =
        |body: &str| WireRequest::new(Verb::Post, "/notify/fuzzed").body("application/json", body.to_owned());
    bodies.map(|body| signed(&post(body), "callback")).to_vec()
}

fn calls() -> Vec<WireRequest> {
    let create = r#"{"account":"shop","time":1709251200000,"number":"A1","amount":5,"currency":"JPY","method":"wechat.native","subject":"Tea","expires_in":60}"#;
    let about = r#"{"account":"shop","time":1709251200000,"number":"A1"}"#;
    let calls = [("/sandbox/create", create), ("/sandbox/query", about), ("/sandbox/cancel", about)];
    let post =
        |path: &str, body: &str| WireRequest::new(Verb::Post, path).body("application/json", body.to_owned());
    calls.map(|(path, body)| signed(&post(path, body), path)).to_vec()
}

fn digest(first_line: &str, body: &[u8]) -> String {
    md5_hex(&[first_line.as_bytes(), b"\n", body, b"\n", KEY.as_bytes()])
}

/// With the sign of its body in the place of whatever sign it had.
fn signed(request: &WireRequest, first_line: &str) -> WireRequest {
    let mut signed = WireRequest::new(request.verb, request.path.clone());
    signed = signed.header(SIGN, digest(first_line, &request.body));
    for (name, value) in request.headers.iter().filter(|(name, _)| *name != SIGN) {
        signed = signed.header(name, value);
    }
    WireRequest { query: request.query.clone(), body: request.body.clone(), ..signed }
}

fn check(request: &WireRequest, claim: &Claim) {
    assert_eq!(
        request.headers.first(SIGN),
        Some(digest("callback", &request.body).as_str()),
        "without its sign"
    );
    let said: Value = serde_json::from_slice(&request.body).expect("what is believed is JSON");
    assert_eq!(said["number"], claim.number.as_str());
    assert_eq!(said["amount"], claim.received.minor());
    assert_eq!(said["currency"], claim.received.currency().code());
    let kind = said["kind"].as_str().unwrap_or("paid");
    assert_eq!(claim.event_key, format!("{kind}:{}", claim.number));
    assert!(claim.evidence == Evidence::Settles && said["time"].is_i64(), "{NOW} {claim:?}");
}
