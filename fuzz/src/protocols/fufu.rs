//! FuFu: JSON bodies whose sign stands in the address, over the body without blanks and line breaks; answers carry
//! none.

use std::collections::BTreeMap;

use paymux_core::channel::{Claim, ClaimKind, Evidence};
use paymux_core::{Verb, WireRequest};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{NUMBER, Protocol};
use crate::reference::md5_hex;

const BUSI_ID: &str = "100000000000001";
const KEY: &str = "k-51d0-of-the-merchant-at-fufu";
const PREVIOUS: &str = "k-of-yesterday-at-fufu";
/// When all of it is signed, in milliseconds.
const TIME: &str = "1709251200000";

pub(super) fn protocol() -> Protocol {
    Protocol {
        provider: paymux_fufu::provider(),
        settings: json!({
            "busi_id": BUSI_ID, "key": KEY, "key_previous": PREVIOUS,
            "base_url": "https://fufu.example/gateway/pay",
        }),
        account: json!({"busi_id": BUSI_ID, "key": KEY, "key_previous": PREVIOUS}),
        found_by: ["busi_id", BUSI_ID],
        secrets: &[KEY, PREVIOUS],
        words: WORDS,
        callbacks: callbacks(),
        sign_callback: |request| Some(signed(request)),
        check,
        answers: answers(),
        calls: calls(),
        sign_call: |request| Some(signed(request)),
    }
}

const WORDS: &[&str] = &[
    "\"result\":{",
    "\"data\":{",
    "\"return_code\":\"SUCCESS\"",
    "\"return_code\":\"FAIL\"",
    "\"return_msg\":\"SERIAL_REPEAT\"",
    "\"out_trade_no\":",
    "\"total_fee\":",
    "\"fee_type\":",
    "\"state\":1",
    "\"state\":\"4\"",
    "\"channel_type\":",
    "\"channel_trade_no\":",
    "\"auth_code\":",
    "\"trade_type\":\"QRCODE\"",
    "\"payInfo\":",
    "\"cny_rate\":",
    "/gateway/pay/cancel",
    "sign=",
    ":1709251200000",
    "CNY",
    "JPY",
    "THB",
    "null",
    "\"\"",
    " ",
    "\\r\\n",
    "\\u3000",
    "\u{3000}",
    "\t",
];

fn posted(path: &str, body: String) -> WireRequest {
    signed(&WireRequest::new(Verb::Post, path).body("application/json", body))
}

/// The document's older notification, whose numbers are texts, and the newer one.
fn callbacks() -> Vec<WireRequest> {
    let of = |data: Value| {
        let body = json!({"result": {"return_code": "SUCCESS", "return_msg": "OK"}, "data": data});
        posted("/notify/fuzzed", body.to_string())
    };
    vec![
        of(json!({"return_code": "SUCCESS", "channel_type": "1", "out_trade_no": NUMBER, "trade_no": "T1",
            "channel_trade_no": "W1", "total_fee": "250", "fee_type": "CNY", "state": "1"})),
        of(json!({"busi_id": BUSI_ID, "channel_trade_no": "W1", "out_trade_no": NUMBER, "total_fee": 1023,
            "fee_type": "JPY", "credit": "balance", "state": 5, "channel_type": 1})),
    ]
}

fn calls() -> Vec<WireRequest> {
    let order = json!({"total_fee": "250", "channel_type": "1", "auth_code": "281234567890123456",
        "pay_subject": "coffee", "fee_type": "CNY"});
    let code = json!({"total_fee": 250, "channel_type": 0, "pay_subject": "tea", "fee_type": "CNY",
        "trade_type": "QRCODE", "time_expire": 10, "notifyUrl": "https://shop.example/notify/fufu"});
    let refund =
        json!({"refund_fee": "50", "refund_subject": "cold", "out_refund_no": "R-1", "fee_type": "CNY"});
    let calls = [
        ("order", order),
        ("preOrder", code),
        ("refund", refund),
        ("query", json!({})),
        ("cancel", json!({})),
    ];
    let call = |(operation, more): (&str, Value)| {
        let mut body =
            json!({"busi_id": BUSI_ID, "operator_id": "op1", "terminal_id": "t1", "out_trade_no": NUMBER});
        if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
            body.extend(more);
        }
        posted(&format!("/gateway/pay/{operation}"), body.to_string())
    };
    calls.map(call).to_vec()
}

fn answers() -> Vec<(&'static str, u16, String)> {
    let told = |data: Value| {
        json!({"result": {"return_code": "SUCCESS", "return_msg": "OK"}, "data": data}).to_string()
    };
    let paid = || {
        told(json!({"return_code": "SUCCESS", "out_trade_no": NUMBER, "trade_no": "T1", "channel_type": "1",
            "channel_trade_no": "W1", "total_fee": 1023, "fee_type": "CNY", "state": "1"}))
    };
    let refused = told(json!({"return_code": "FAIL", "return_msg": "ILLEGAL_PARAMETER"}));
    let code =
        told(json!({"return_code": "SUCCESS", "out_trade_no": NUMBER, "qr_code": "https://q.example/1"}));
    vec![
        ("create alipay.barcode", 200, paid()),
        ("create alipay.barcode", 200, refused),
        ("create any.native", 200, code),
        ("query alipay.barcode", 200, paid()),
    ]
}

/// What the document says of a sign: MD5 of the time, the key, and the body without blanks and line breaks.
fn digest(time: &str, key: &str, body: &[u8]) -> String {
    let squeezed: Vec<u8> = body.iter().copied().filter(|byte| !b" \r\n".contains(byte)).collect();
    md5_hex(&[time.as_bytes(), key.as_bytes(), &squeezed])
}

/// With the sign of its body in the place of whatever query it had.
fn signed(request: &WireRequest) -> WireRequest {
    let sign = format!("sign={}:{TIME}", digest(TIME, KEY, &request.body));
    WireRequest { query: Some(sign), ..request.clone() }
}

/// The members of an object, each as it is written.
type Level = BTreeMap<String, Box<RawValue>>;

/// A text, or a number as it is written; `None` where nothing is said.
fn said(level: &Level, name: &str) -> Option<String> {
    let raw = level.get(name)?.get();
    let text = serde_json::from_str::<String>(raw).unwrap_or_else(|_| raw.to_owned());
    (!text.is_empty() && raw != "null").then_some(text)
}

fn level(of: &Level, name: &str) -> Option<Level> {
    serde_json::from_str(of.get(name)?.get()).ok()
}

fn check(request: &WireRequest, claim: &Claim) {
    let sign = request.query_value("sign").expect("what is believed has a sign");
    let (hex, time) = sign.split_once(':').expect("a digest and a time");
    let is_by = |key: &str| digest(time, key, &request.body) == hex;
    assert!(is_by(KEY) || is_by(PREVIOUS), "believed without its sign");

    let body: Level = serde_json::from_slice(&request.body).expect("what is believed is JSON");
    let data = level(&body, "data").expect("what is believed has data");
    assert_eq!(said(&data, "out_trade_no").as_deref(), Some(claim.number.as_str()));
    assert_eq!(claim.event_key, format!("paid:{}", claim.number));
    let fee = said(&data, "total_fee").and_then(|fee| fee.parse::<i64>().ok());
    assert_eq!((fee, claim.order_amount), (Some(claim.received.minor()), Some(claim.received)));
    let currency = said(&data, "fee_type").unwrap_or_else(|| "CNY".to_owned());
    assert_eq!((claim.received.currency().code(), claim.kind), (currency.as_str(), ClaimKind::Paid));
    if claim.evidence == Evidence::Settles {
        let result = level(&body, "result").expect("what settles has a result");
        assert_eq!(said(&result, "return_code").as_deref(), Some("SUCCESS"));
        assert_eq!(said(&data, "state").as_deref(), Some("1"));
    }
}
