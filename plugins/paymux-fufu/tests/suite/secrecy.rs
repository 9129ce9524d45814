//! Neither key nor sign nor a payer's code stands in a log line, an error or a `Debug`.

use paymux_core::channel::Verdict;
use paymux_core::{Verb, WireRequest, WireResponse};
use serde_json::json;

use crate::rig::{AUTH_CODE, KEY, NUMBER, Rig, channel, fails_with, sign};

#[tokio::test(start_paused = true)]
async fn a_call_shows_neither_its_sign_nor_its_body() {
    let rig = Rig::answering([fails_with("INVALID_SIGN")]);
    let error = rig.create("any.barcode").await.unwrap_err();
    let call = &rig.sent()[0];
    let sign = call.request.query_value("sign").unwrap();
    for shown in [format!("{call:?}"), format!("{error:?} {error}"), format!("{:?}", rig.cx())] {
        for secret in [&sign[..32], KEY, AUTH_CODE] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

/// A provider may repeat in its answer what it was sent.
#[tokio::test(start_paused = true)]
async fn what_a_provider_repeats_is_masked() {
    const LETTERS: &str = "PaymuxTestKeyPaymuxTestKey012345";
    let sign = sign("1709251200000", KEY, b"{}");
    for code in ["FAIL", "EXCEPTION"] {
        let said = format!("{code} sign {sign} key {KEY} {LETTERS} code {AUTH_CODE}");
        let body = json!({"result": {"return_code": "FAIL", "return_msg": said}});
        let answer = WireResponse::ok("application/json", body.to_string());
        let rig = Rig::answering([answer.clone(), answer.clone(), answer]);
        for shown in [
            rig.create("any.barcode").await.unwrap_err().to_string(),
            rig.query("any.barcode").await.unwrap_err().to_string(),
            rig.refund().await.unwrap_err().to_string(),
        ] {
            for secret in [&sign[..32], KEY, LETTERS, AUTH_CODE] {
                assert!(!shown.contains(secret), "{shown}");
            }
        }
    }
}

#[test]
fn a_refused_notification_shows_neither_its_sign_nor_the_key() {
    let body = json!({"data": {"out_trade_no": NUMBER}}).to_string();
    let wrong = sign("1709251200000", "another", body.as_bytes());
    let request = WireRequest::new(Verb::Post, "/notify/fufu-1")
        .query(format!("sign={wrong}"))
        .body("application/json", body);
    let channel = channel(json!({}));
    let error = channel.verify_callback(&request).unwrap_err();
    let answer = channel.acknowledge(Verdict::Rejected);
    for shown in [error.to_string(), format!("{request:?}"), String::from_utf8(answer.body.to_vec()).unwrap()]
    {
        assert!(!shown.contains(&wrong[..32]) && !shown.contains(KEY), "{shown}");
    }
}
