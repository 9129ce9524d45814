//! BeeCloud: webhooks as JSON with a signature over four fields, calls with `app_sign`, answers with `result_code`.

use std::collections::BTreeMap;

use paymux_core::channel::{Claim, ClaimKind, Evidence};
use paymux_core::{Money, Verb, WireRequest};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::{NOW, Protocol, vector};
use crate::reference::md5_hex;

const VECTORS: &str = include_str!("../../../plugins/paymux-beecloud/tests/data/vectors.json");
const ANSWERS: &str = include_str!("../../../plugins/paymux-beecloud/tests/data/refunds.json");
const APP_ID: &str = "7c9f2f1e-3a44-4c8b-9d21-5b0e6f7a8c90";
const APP_SECRET: &str = "1f0e2d3c-4b5a-4978-8695-a4b3c2d1e0f9";
const MASTER_SECRET: &str = "9e8d7c6b-5a49-4382-b1a0-0f1e2d3c4b5a";
const PREVIOUS: &str = "a-master-secret-of-yesterday";
const TEST_SECRET: &str = "00112233-4455-4677-8899-aabbccddeeff";

pub(super) fn protocol() -> Protocol {
    Protocol {
        provider: paymux_beecloud::provider(),
        settings: json!({
            "app_id": APP_ID, "app_secret": APP_SECRET, "master_secret": MASTER_SECRET,
            "master_secret_previous": PREVIOUS, "test_secret": TEST_SECRET, "refunds_per_order": 3,
            "base_url": ["https://api.beecloud.cn"],
        }),
        account: json!({
            "app_id": APP_ID, "app_secret": APP_SECRET, "app_secret_previous": "an-app-secret-of-yesterday",
            "master_secret": MASTER_SECRET, "master_secret_previous": PREVIOUS,
        }),
        found_by: ["app_id", APP_ID],
        secrets: &[APP_SECRET, MASTER_SECRET, PREVIOUS, TEST_SECRET],
        words: WORDS,
        callbacks: ["bc-v4", "bc-v5"].map(webhook).to_vec(),
        sign_callback,
        check,
        answers: answers(),
        calls: calls(),
        sign_call,
    }
}

const WORDS: &[&str] = &[
    "PAY",
    "REFUND",
    "TRANSFER",
    "SUBSCRIPTION",
    "WX",
    "ALI",
    "UN",
    "PAYPAL",
    "BC",
    "WX_NATIVE",
    "ALI_WEB",
    "BC_SCAN",
    "BC_EXPRESS",
    "ALI_SCAN",
    "\"transaction_id\":",
    "\"transaction_fee\":",
    "\"transaction_type\":",
    "\"channel_type\":",
    "\"sub_channel_type\":",
    "\"signature\":",
    "\"sign\":",
    "\"timestamp\":",
    "\"bill_fee\":",
    "\"discount\":",
    "\"coupon_id\":null,",
    "\"trade_success\":",
    "\"message_detail\":",
    "\"optional\":{},",
    "\"auth_code\":",
    "\"openid\":",
    "\"bill_timeout\":",
    "\"app_id\":",
    "\"appId\":",
    "\"result_code\":0",
    "null",
    "true",
    "false",
    "[]",
    "{}",
    "\\u0000",
    "\\ud800",
    "\\u7ea2",
    "\u{7ea2}\u{8336}",
    "weixin://x",
    "https://a.example/",
];

/// The message of a vector as BeeCloud posts it.
fn webhook(id: &str) -> WireRequest {
    post("/notify/fuzzed", vector(VECTORS, id, "message"))
}

fn post(path: &str, body: String) -> WireRequest {
    WireRequest::new(Verb::Post, path).body("application/json", body)
}

/// The fields of a body, whatever else stands in it; bytes that are no UTF-8 stand in no field that counts.
fn said(request: &WireRequest) -> BTreeMap<String, Box<RawValue>> {
    let text = String::from_utf8_lossy(&request.body);
    serde_json::from_str(&text).expect("what is believed is a JSON object")
}

/// What the document says of a webhook: MD5 of account, number, type, group, amount and a master secret.
fn check(request: &WireRequest, claim: &Claim) {
    let said = said(request);
    let text = |name: &str| -> String { serde_json::from_str(said[name].get()).expect("a signed text") };
    let [id, kind, group] = ["transaction_id", "transaction_type", "channel_type"].map(text);
    let fee = said["transaction_fee"].get();
    let signature = text("signature");
    let is_by = |secret: &str| {
        let parts = [APP_ID, &id, &kind, &group, fee, secret].map(str::as_bytes);
        md5_hex(&parts) == signature
    };
    assert!(is_by(MASTER_SECRET) || is_by(PREVIOUS), "believed without its sign");
    assert_eq!((&claim.number, &claim.event_key), (&id, &format!("{kind}:{id}")));
    assert_eq!(claim.received, Money::fen(fee.parse().expect("plain digits")));
    let is_paid = (kind == "PAY", claim.kind == ClaimKind::Paid);
    assert!(is_paid.0 == is_paid.1 && !claim.trade_no_is_signed, "{claim:?}");
    let is_whole = claim.order_amount.is_none_or(|amount| amount == claim.received);
    assert!(claim.evidence == Evidence::AskProvider || is_whole, "{claim:?}");
}

/// With the signature that BeeCloud would make of what stands there.
fn sign_callback(request: &WireRequest) -> Option<WireRequest> {
    let mut message: Map<String, Value> = serde_json::from_slice(&request.body).ok()?;
    let text = |name: &str| message.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let [id, kind, group] = ["transaction_id", "transaction_type", "channel_type"].map(text);
    let fee = message.get("transaction_fee").map(Value::to_string).unwrap_or_default();
    let parts = [APP_ID, &id, &kind, &group, &fee, MASTER_SECRET].map(str::as_bytes);
    message.insert("signature".to_owned(), md5_hex(&parts).into());
    Some(with_body(request, &message))
}

fn with_body(request: &WireRequest, message: &Map<String, Value>) -> WireRequest {
    WireRequest { body: Value::Object(message.clone()).to_string().into(), ..request.clone() }
}

/// With account, time and `app_sign`: in the body, or in `para` of a query.
fn sign_call(request: &WireRequest) -> Option<WireRequest> {
    let para = (request.verb == Verb::Get).then(|| request.query_value("para").unwrap_or_default());
    let body = para.as_ref().map_or(request.body.as_ref(), |para| para.as_bytes());
    let mut message: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let moves_money = request.verb != Verb::Get && request.path.ends_with("/refund");
    let secret = if moves_money { MASTER_SECRET } else { APP_SECRET };
    let digest = md5_hex(&[APP_ID, &NOW.ms().to_string(), secret].map(str::as_bytes));
    message.insert("app_id".to_owned(), APP_ID.into());
    message.insert("timestamp".to_owned(), NOW.ms().into());
    message.insert("app_sign".to_owned(), digest.into());
    if para.is_none() {
        return Some(with_body(request, &message));
    }
    let text = Value::Object(message).to_string();
    let query = format!("para={}", utf8_percent_encode(&text, NON_ALPHANUMERIC));
    Some(WireRequest { query: Some(query), ..request.clone() })
}

/// One call of each path, signed.
fn calls() -> Vec<WireRequest> {
    let create = vector(VECTORS, "bc-v1", "message");
    let till = r#"{"channel":"BC_SCAN","total_fee":1023,"bill_no":"PMX20240301000001","title":"tea","auth_code":"134567890123456789","analysis":{"ip":"203.0.113.7"},"optional":{"shop":"7"},"bill_timeout":360}"#;
    let refund =
        r#"{"bill_no":"PMX20240301000001","refund_no":"20240301000018","refund_fee":1,"optional":{"a":1}}"#;
    let about = r#"{"bill_no":"PMX20240301000001","channel":"WX_NATIVE"}"#;
    let list = r#"{"channel":"WX","bill_no":"PMX20240301000001","start_time":1709222400000,"end_time":1709308799999,"spay_result":true,"need_detail":true,"skip":0,"limit":50}"#;
    let posts = [
        ("/2/rest/bill", create.as_str()),
        ("/2/rest/offline/bill", till),
        ("/2/rest/offline/bill/status", about),
        ("/2/rest/offline/bill/PMX20240301000001", r#"{"channel":"WX_NATIVE","method":"REVERT"}"#),
        ("/2/rest/refund", refund),
        ("/2/rest/offline/refund", refund),
    ];
    let gets = [
        ("/2/rest/bills", list),
        ("/2/rest/bills/count", list),
        ("/2/rest/bill/880012", "{}"),
        ("/2/rest/refunds", r#"{"refund_no":"20240301000018","need_approval":false,"limit":10}"#),
        ("/2/rest/refunds/count", r#"{"bill_no":"PMX20240301000001"}"#),
        ("/2/rest/refund/880012", "{}"),
        ("/2/rest/refund/status", r#"{"channel":"WX","refund_no":"20240301000018"}"#),
    ];
    let approval = r#"{"channel":"WX","ids":["880012"],"agree":false,"deny_reason":"too late"}"#;
    let approval = WireRequest { verb: Verb::Put, ..post("/2/rest/refund", approval.to_owned()) };
    let posts = posts.map(|(path, body)| post(path, body.to_owned())).into_iter().chain([approval]);
    let gets = gets.map(|(path, para)| {
        let para = utf8_percent_encode(para, NON_ALPHANUMERIC);
        WireRequest::new(Verb::Get, path).query(format!("para={para}"))
    });
    posts.chain(gets).filter_map(|call| sign_call(&call)).collect()
}

fn answers() -> Vec<(&'static str, u16, String)> {
    let recorded: Value = serde_json::from_str(ANSWERS).expect("the answers of a plugin");
    let reply = |fields: Value| {
        let mut reply = json!({"result_code": 0, "result_msg": "OK", "err_detail": ""});
        for (name, value) in fields.as_object().into_iter().flatten() {
            reply[name] = value.clone();
        }
        reply.to_string()
    };
    let bill = json!({
        "id": "record-1", "bill_no": super::NUMBER, "title": "x", "bill_fee": 1023, "total_fee": 923, "discount": 100,
        "coupon_id": null, "trade_no": "4200", "channel": "WX", "sub_channel": "WX_NATIVE", "spay_result": true,
        "create_time": NOW.ms(), "optional": "{}", "revert_result": false, "refund_result": false,
    });
    vec![
        ("create wechat.native", 200, reply(json!({"id": "record-1", "code_url": "weixin://x"}))),
        (
            "create alipay.web",
            200,
            reply(json!({"id": "r", "url": "https://a.example/p", "html": "<form></form>"})),
        ),
        ("create wechat.barcode", 200, reply(json!({"id": "r", "pay_result": true}))),
        ("create wechat.native", 200, reply(json!({"result_code": 5, "result_msg": "PARAM_INVALID"}))),
        ("query wechat.native", 200, reply(json!({"bills": [bill]}))),
        ("query alipay.web", 200, reply(json!({"bills": [], "count": 0}))),
        ("cancel wechat.barcode", 200, reply(json!({"revert_status": true}))),
        ("refund alipay.web", 200, recorded["refund_answer_alipay"].to_string()),
        ("query_refund wechat.native", 200, recorded["refunds_answer"].to_string()),
        ("list wechat.native", 200, reply(json!({"bills": [bill]}))),
        ("find wechat.native", 200, reply(json!({"bills": [bill]}))),
        ("list_refunds wechat.native", 200, recorded["refunds_answer"].to_string()),
    ]
}
