//! cloudpay: forms or JSON with a nested sign that has no borders, and one call whose answer is a page.

use std::collections::BTreeMap;

use paymux_core::channel::{Claim, ClaimKind, Evidence};
use paymux_core::{Currency, Money, Verb, WireRequest};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode, percent_encode};
use serde_json::json;
use serde_json::value::RawValue;

use super::{Protocol, vector};
use crate::reference::md5_hex;

const VECTORS: &str = include_str!("../../../plugins/paymux-cloudpay/tests/data/vectors.json");
const APPKEY: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
const APPSECRET: &str = "s3cr3t-Of-Shop-One";
const PREVIOUS: &str = "s3cr3t-of-yesterday";
const FORM: &str = "application/x-www-form-urlencoded";
/// The signed fields of each message, in their order.
const CREATE: &[&str] = &["price", "type", "out_order_id", "custom"];
const NOTIFY: &[&str] = &["order_id", "out_order_id", "price", "realprice", "type", "paytime", "extend"];
const RETURN: &[&str] = &["price", "type", "product_id", "order_id", "out_order_id"];

pub(super) fn protocol() -> Protocol {
    Protocol {
        provider: paymux_cloudpay::provider(),
        settings: json!({
            "appkey": APPKEY, "appsecret": APPSECRET, "appsecret_previous": PREVIOUS,
            "base_url": "https://gateway.example",
        }),
        account: json!({
            "appkey": APPKEY, "appsecret": APPSECRET, "appsecret_previous": PREVIOUS,
            "return_url": "https://shop.example/paid",
        }),
        found_by: ["appkey", APPKEY],
        secrets: &[APPSECRET, PREVIOUS],
        words: WORDS,
        callbacks: callbacks(),
        sign_callback,
        check,
        answers: answers(),
        calls: ["cp-s1", "cp-s3"]
            .map(|id| create(&form(id)))
            .into_iter()
            .filter_map(|call| sign_call(&call))
            .collect(),
        sign_call,
    }
}

const WORDS: &[&str] = &[
    "order_id=",
    "out_order_id=",
    "price=",
    "realprice=",
    "type=",
    "paytime=",
    "extend=",
    "custom=",
    "sign=",
    "appkey=",
    "product_id=",
    "&",
    "=",
    "%",
    "%00",
    "%26",
    "%3D",
    "%2B",
    "%E7%BA%A2",
    "%D5%C5",
    "%zz",
    "+",
    "~",
    "alipay",
    "wxpay",
    "10.23",
    "0.01",
    "0.00",
    "\"code\":100",
    "\"code\":\"100\"",
    "\"data\":[]",
    "\"pay_url\":",
    "\"price\":10.20,",
    "null",
    "https://pay.example.test/",
    "javascript:alert(1)",
];

fn form(id: &str) -> String {
    vector(VECTORS, id, "form")
}

fn create(form: &str) -> WireRequest {
    WireRequest::new(Verb::Post, "/api/cloudpay/create").body(FORM, form.to_owned())
}

/// A notification as a form and as JSON, and a browser's way back.
fn callbacks() -> Vec<WireRequest> {
    let notify =
        |media_type, body: String| WireRequest::new(Verb::Post, "/notify/fuzzed").body(media_type, body);
    let json = r#"{"order_id":880012,"out_order_id":"PMX20240301000001","price":10.23,"realprice":"10.23","type":"alipay","paytime":1709251200,"extend":"user_42"}"#;
    let signed = [notify(FORM, form("cp-s4")), notify("application/json", json.to_owned())];
    let back = WireRequest::new(Verb::Get, "/return/fuzzed").query(form("cp-s6"));
    signed.into_iter().chain([back]).filter_map(|request| sign_callback(&request)).collect()
}

/// The fields of a message, each the bytes that are signed.
type Fields = BTreeMap<String, Vec<u8>>;

/// Those of a body or a query; `None` where a name stands there twice or the body is neither form nor JSON.
fn fields(request: &WireRequest) -> Option<Fields> {
    if request.verb == Verb::Get {
        return of_form(request.query.as_deref().unwrap_or_default().as_bytes());
    }
    if request.body.trim_ascii_start().starts_with(b"{") {
        of_json(&request.body)
    } else {
        of_form(&request.body)
    }
}

fn of_form(form: &[u8]) -> Option<Fields> {
    let mut fields = Fields::new();
    for pair in form.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let border = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        let (name, value) = (&pair[..border], pair.get(border + 1..).unwrap_or_default());
        let decoded = |text: &[u8]| -> Vec<u8> {
            let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
            percent_decode(&spaced).collect()
        };
        if fields.insert(String::from_utf8(decoded(name)).ok()?, decoded(value)).is_some() {
            return None;
        }
    }
    Some(fields)
}

fn of_json(body: &[u8]) -> Option<Fields> {
    let members: BTreeMap<String, Box<RawValue>> = serde_json::from_slice(body).ok()?;
    let bytes = |raw: &RawValue| {
        let text = serde_json::from_str::<String>(raw.get());
        text.unwrap_or_else(|_| raw.get().to_owned()).into_bytes()
    };
    let members = members.into_iter().filter(|(_, raw)| raw.get() != "null");
    Some(members.map(|(name, raw)| (name, bytes(&raw))).collect())
}

/// What the document says of a sign: MD5 of the secret behind the MD5 of key and fields.
fn sign(names: &[&str], fields: &Fields, secret: &str) -> String {
    let values = names.iter().map(|name| fields.get(*name).map_or(&[][..], Vec::as_slice));
    let inner: Vec<&[u8]> = [APPKEY.as_bytes()].into_iter().chain(values).collect();
    md5_hex(&[md5_hex(&inner).as_bytes(), secret.as_bytes()])
}

fn check(request: &WireRequest, claim: &Claim) {
    let fields = fields(request).expect("what is believed has fields");
    let text = |name: &str| std::str::from_utf8(&fields[name]).expect("a field that is read is text");
    let is_by = |secret: &str| sign(NOTIFY, &fields, secret) == text("sign");
    assert!(is_by(APPSECRET) || is_by(PREVIOUS), "believed without its sign");
    assert_eq!(claim.number, text("out_order_id"));
    assert_eq!(claim.event_key, format!("PAID:{}", claim.number));
    let money = |name: &str| Money::from_decimal(text(name), Currency::CNY).expect("an amount");
    assert_eq!((claim.order_amount, claim.received), (Some(money("price")), money("realprice")));
    assert_eq!((claim.kind, claim.evidence), (ClaimKind::Paid, Evidence::Settles));
}

/// Signed as cloudpay would: a query as a way back, a body as a notification.
fn sign_callback(request: &WireRequest) -> Option<WireRequest> {
    let names = if request.verb == Verb::Get { RETURN } else { NOTIFY };
    Some(signed(request, names, fields(request)?))
}

fn sign_call(request: &WireRequest) -> Option<WireRequest> {
    let mut fields = fields(request)?;
    fields.insert("appkey".to_owned(), APPKEY.into());
    Some(signed(request, CREATE, fields))
}

/// The same fields with their sign, as a form.
fn signed(request: &WireRequest, names: &[&str], mut fields: Fields) -> WireRequest {
    let digest = sign(names, &fields, APPSECRET);
    fields.insert("sign".to_owned(), digest.into_bytes());
    let encoded = |bytes: &[u8]| percent_encode(bytes, NON_ALPHANUMERIC).to_string();
    let pairs = fields.iter().map(|(name, value)| format!("{}={}", encoded(name.as_bytes()), encoded(value)));
    let form = pairs.collect::<Vec<_>>().join("&");
    if request.verb == Verb::Get {
        WireRequest { query: Some(form), ..request.clone() }
    } else {
        WireRequest { body: form.into(), ..request.clone() }
    }
}

fn answers() -> Vec<(&'static str, u16, String)> {
    let data = json!({
        "pay_url": "https://pay.example.test/pay/api?id=65e1c0a9f1b2c&type=alipay",
        "qrcode_url": "https://pay.example.test/qr",
        "params": {"out_order_id": super::NUMBER},
    });
    let reply = |code: i64| json!({"code": code, "msg": "x", "time": "1709251200", "data": data}).to_string();
    vec![
        ("create alipay.native", 200, reply(100)),
        ("create alipay.web", 200, reply(100)),
        ("create alipay.wap", 200, json!({"code": 204, "msg": "x", "time": "1", "data": []}).to_string()),
    ]
}
