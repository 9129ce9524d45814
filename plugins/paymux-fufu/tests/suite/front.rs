//! The server side: which calls it takes, which it refuses, with which code and at which level.

use std::sync::Arc;
use std::time::Duration;

use paymux_core::acceptor::{
    Acceptor, FrontAccount, FrontAccounts, FrontCall, FrontPay, FrontRead, FrontRefund,
};
use paymux_core::provider::Settings;
use paymux_core::{Money, Timestamp, Verb, WireRequest};
use proptest::prelude::{any, prop, proptest};
use serde_json::{Value, json};

use crate::rig::{AUTH_CODE, BUSI_ID, KEY, NUMBER, baht, sign};

pub(crate) const NOW: Timestamp = Timestamp::from_ms(1_709_251_200_000);

/// A host with one client.
pub(crate) struct Accounts;

impl FrontAccounts for Accounts {
    fn find(&self, key: &str, value: &str) -> Option<FrontAccount> {
        (key == "busi_id" && value == BUSI_ID).then(account)
    }
}

pub(crate) fn account() -> FrontAccount {
    let settings: Settings =
        json!({"busi_id": BUSI_ID, "key": KEY, "key_previous": "old-key"}).as_object().unwrap().clone();
    FrontAccount { key: "shop".to_owned(), settings }
}

pub(crate) fn acceptor() -> Arc<dyn Acceptor> {
    paymux_fufu::provider().acceptor().unwrap()
}

/// The fields of each operation, all that it needs.
pub(crate) fn fields(operation: &str) -> Value {
    let desk = json!({"busi_id": BUSI_ID, "operator_id": "op1", "terminal_id": "t1", "out_trade_no": NUMBER});
    let more = match operation {
        "order" => {
            json!({"total_fee": "250", "channel_type": "1", "auth_code": AUTH_CODE, "pay_subject": "coffee",
            "fee_type": "CNY"})
        }
        "preOrder" => json!({"total_fee": 250, "channel_type": 0, "pay_subject": "tea", "fee_type": "CNY",
            "trade_type": "QRCODE", "time_expire": 10, "notifyUrl": "https://shop.example/notify/fufu"}),
        "refund" => {
            json!({"refund_fee": "50", "refund_subject": "too sweet", "out_refund_no": "R-1", "fee_type": "CNY"})
        }
        _ => json!({}),
    };
    let mut all = desk;
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    all
}

/// A call with what `patch` changes or, by null, takes away, signed at [`NOW`].
pub(crate) fn call(operation: &str, patch: Value) -> WireRequest {
    let mut all = fields(operation);
    all.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
    all.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    signed(operation, all.to_string().as_bytes(), KEY)
}

pub(crate) fn signed(operation: &str, body: &[u8], key: &str) -> WireRequest {
    WireRequest::new(Verb::Post, format!("/gateway/pay/{operation}"))
        .query(format!("sign={}", sign("1709251200000", key, body)))
        .body("application/json", body.to_vec())
}

/// Level and code of a refusal, and what it says beside.
pub(crate) fn told(answer: &paymux_core::WireResponse) -> (&'static str, String, String) {
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    if body["result"]["return_code"] == "FAIL" {
        assert_eq!(body.get("data"), None, "F35: nothing stands beside a refused request");
        return ("result", text(&body["result"]["return_msg"]), text(&body["result"]["detail"]));
    }
    assert_eq!(body["result"]["return_code"], "SUCCESS");
    assert_eq!(body["data"]["return_code"], "FAIL");
    ("data", text(&body["data"]["return_msg"]), text(&body["data"]["detail"]))
}

pub(crate) fn read(request: &WireRequest) -> Result<FrontRead, (&'static str, String, String)> {
    acceptor().read(&Accounts, request, NOW).map_err(|answer| {
        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers.first("content-type"), Some("application/json"));
        told(&answer)
    })
}

#[track_caller]
fn pay(request: &WireRequest) -> (FrontPay, String) {
    match read(request) {
        Ok(FrontRead { call: FrontCall::Pay(pay), memo, .. }) => (*pay, memo),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refund(request: &WireRequest) -> FrontRefund {
    match read(request).map(|read| read.call) {
        Ok(FrontCall::Refund(refund)) => *refund,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refused(request: &WireRequest, code: &str, detail: &str) {
    let (level, got, why) = read(request).map(|read| panic!("taken: {:?}", read.call)).unwrap_err();
    assert_eq!((level, got.as_str()), ("result", code), "{why}");
    assert!(why.contains(detail), "{why}");
}

/// Vectors ff-s1 to ff-s4: compact, pretty-printed, with blanks in values, and in Chinese.
#[test]
fn the_vectors_scans_are_read() {
    let file: Value = serde_json::from_str(include_str!("../data/vectors.json")).unwrap();
    for (vector, subject) in
        file["vectors"].as_array().unwrap().iter().zip(["coffee", "coffee", "red shoes size 42", "测试商品"])
    {
        struct Of(Value);
        impl FrontAccounts for Of {
            fn find(&self, _: &str, _: &str) -> Option<FrontAccount> {
                let settings = json!({"busi_id": BUSI_ID, "key": self.0["key"]}).as_object().unwrap().clone();
                Some(FrontAccount { key: "shop".to_owned(), settings })
            }
        }
        let request = WireRequest::new(Verb::Post, "/gateway/pay/order")
            .query(format!("sign={}", vector["sign"].as_str().unwrap()))
            .body("application/json", vector["body"].as_str().unwrap().to_owned());
        let read = acceptor().read(&Of(vector.clone()), &request, NOW).unwrap();
        assert_eq!(read.memo, "order 1 1709251200000");
        let FrontCall::Pay(pay) = read.call else { panic!("no create") };
        assert_eq!(
            (pay.number.as_str(), pay.amount, pay.subject.as_str()),
            (NUMBER, Money::fen(250), subject)
        );
        assert_eq!(pay.method.to_string(), "alipay.barcode");
        assert_eq!(pay.auth_code.unwrap().expose(), AUTH_CODE);
        assert_eq!((pay.expires_in, pay.notify_url), (Some(Duration::from_secs(80)), None));
    }
}

#[test]
fn a_pre_order_is_read() {
    let (pay, memo) =
        pay(&call("preOrder", json!({"merchant_param": "c2hvcA==", "time_zone": "Asia/Shanghai"})));
    assert_eq!((memo.as_str(), pay.method.to_string().as_str()), ("preOrder QRCODE 0", "any.native"));
    assert_eq!((pay.amount, pay.expires_in), (Money::fen(250), Some(Duration::from_mins(10))));
    assert_eq!(pay.notify_url.as_deref(), Some("https://shop.example/notify/fufu"));
    assert_eq!(
        pay.echo,
        json!({"operator_id": "op1", "terminal_id": "t1", "merchant_param": "c2hvcA==", "time_zone": "Asia/Shanghai"})
    );
    let extra: Vec<_> = pay.extra.keys().map(String::as_str).collect();
    assert_eq!(extra, ["merchant_param", "operator_id"], "F14: the till is not sent on");
}

/// F10, F12, F13, F15, and the spelling from before August 2017.
#[test]
fn defaults_and_old_spellings_are_taken() {
    let jsapi = |patch: Value| {
        let mut all =
            json!({"trade_type": null, "time_expire": null, "channel_type": 1, "openId": "2088000000000001"});
        all.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        call("preOrder", all)
    };
    let (paid, memo) = pay(&jsapi(json!({"fee_type": null})));
    assert_eq!((memo.as_str(), paid.method.to_string().as_str()), ("preOrder JSAPI 1", "alipay.jsapi"));
    assert_eq!(
        (paid.expires_in, paid.openid.as_deref()),
        (Some(Duration::from_mins(5)), Some("2088000000000001"))
    );
    assert_eq!(paid.amount, Money::fen(250));
    for name in ["subAppId", "subAppid"] {
        let (paid, _) = pay(&jsapi(json!({"channel_type": "2", name: "wx0123456789abcdef"})));
        assert_eq!(paid.extra["subAppId"], "wx0123456789abcdef");
    }
    refused(&jsapi(json!({"channel_type": 2})), "ILLEGAL_PARAMETER", "subAppId");
    refused(&jsapi(json!({"openId": null})), "ILLEGAL_PARAMETER", "openId: is missing");
    refused(&jsapi(json!({"channel_type": 0})), "ILLEGAL_PARAMETER", "QRCODE only");
    let (paid, _) = pay(&call("order", json!({"fee_type": "THB", "channel_type": 0})));
    assert_eq!((paid.amount, paid.method.to_string().as_str()), (baht(250), "any.barcode"));
}

/// F23, F31: numbers of either side; the platform's wins.
#[test]
fn orders_are_found_by_either_number() {
    let ask =
        |operation: &str, patch: Value| read(&call(operation, patch)).map(|read| (read.call, read.memo));
    for (patch, want) in [
        (json!({}), NUMBER),
        (json!({"trade_no": format!("P{NUMBER}")}), NUMBER),
        (json!({"trade_no": "PA-1", "out_trade_no": NUMBER}), "A-1"),
        (json!({"trade_no": "PA-1", "out_trade_no": null}), "A-1"),
    ] {
        let Ok((FrontCall::Query { number }, memo)) = ask("query", patch.clone()) else { panic!("{patch}") };
        assert_eq!((number.as_str(), memo.as_str()), (want, "query"));
        let Ok((FrontCall::Cancel { number }, memo)) = ask("cancel", patch.clone()) else {
            panic!("{patch}")
        };
        assert_eq!((number.as_str(), memo.as_str()), (want, "cancel"));
        assert_eq!(refund(&call("refund", patch)).order, want);
    }
    // A close knows the client's number alone.
    let Ok((FrontCall::Cancel { number }, memo)) = ask("close", json!({"trade_no": "PA-1"})) else {
        panic!()
    };
    assert_eq!((number.as_str(), memo.as_str()), (NUMBER, "close"));
    let Ok((FrontCall::QueryRefund { number }, _)) = ask("refundQuery", json!({"out_trade_no": "R-1"}))
    else {
        panic!()
    };
    assert_eq!(number, "R-1");
    let strange = read(&call("query", json!({"trade_no": "20240301100000000001"}))).unwrap_err();
    assert_eq!((strange.0, strange.1.as_str()), ("data", "CHARGE_NONEXISTENT"));
}

#[test]
fn a_refund_is_read() {
    let read = refund(&call("refund", json!({})));
    assert_eq!((read.number.as_str(), read.order.as_str(), read.amount), ("R-1", NUMBER, Money::fen(50)));
    assert_eq!(read.reason, "too sweet");
    assert_eq!(read.echo, json!({"operator_id": "op1", "terminal_id": "t1"}));
    assert_eq!(
        refund(&call("refund", json!({"fee_type": "CHY"}))).amount,
        Money::fen(50),
        "F10: the sample's slip"
    );
    refused(&call("order", json!({"fee_type": "CHY"})), "ILLEGAL_PARAMETER", "fee_type");
}

#[test]
fn whoever_calls_is_checked_first() {
    let good = call("query", json!({}));
    assert!(read(&good).is_ok());
    refused(&signed("query", b"[]", KEY), "ILLEGAL_PARAMETER", "body");
    refused(&signed("query", b"{\"busi_id\":\"1\"} x", KEY), "ILLEGAL_PARAMETER", "body");
    refused(&signed("query", b"{\"busi_id\":\"\xff\"}", KEY), "ILLEGAL_PARAMETER", "UTF-8");
    refused(&signed("query", &vec![b' '; 65_537], KEY), "ILLEGAL_PARAMETER", "65536");
    refused(&call("query", json!({"busi_id": null})), "ILLEGAL_PARAMETER", "busi_id: is missing");
    refused(&call("query", json!({"busi_id": "100000000000002"})), "UNREGISTERED_BUSI", "busi_id");
    let body = fields("query").to_string();
    refused(&signed("query", body.as_bytes(), "another-key"), "INVALID_SIGN", "MD5 of timestamp");
    assert!(read(&signed("query", body.as_bytes(), "old-key")).is_ok(), "the previous key verifies too");
    let mut without = good.clone();
    without.query = None;
    refused(&without, "INVALID_SIGN", "no `sign`");
    let mut upper = good.clone();
    upper.query = upper
        .query
        .map(|query| query.replacen("sign=", "", 1).to_uppercase())
        .map(|sign| format!("sign={sign}"));
    refused(&upper, "INVALID_SIGN", "lower case");
    // The sign is checked before the fields.
    let mut wrong = call("order", json!({"total_fee": "x"}));
    wrong.query = Some(format!("sign={}", sign("1709251200000", "k", b"{}")));
    refused(&wrong, "INVALID_SIGN", "");
}

/// F4: no window is kept; a sign of any day is taken, with its first call.
#[test]
fn a_sign_belongs_to_its_first_call() {
    let acceptor = acceptor();
    let read =
        |request: &WireRequest| acceptor.read(&Accounts, request, NOW.plus(Duration::from_hours(9999)));
    let question = call("query", json!({}));
    assert!(read(&question).is_ok() && read(&question).is_ok(), "the same call again is a repeat");
    let moved =
        |operation: &str| WireRequest { path: format!("/gateway/pay/{operation}"), ..question.clone() };
    for operation in ["cancel", "close", "refundQuery"] {
        let (level, code, why) = told(&read(&moved(operation)).unwrap_err());
        assert_eq!((level, code.as_str()), ("result", "INVALID_SIGN"), "{operation}: {why}");
        assert!(why.contains("another call"), "{why}");
    }
    let text = String::from_utf8(question.body.to_vec()).unwrap();
    let spaced = WireRequest {
        body: text.replace(NUMBER, "PMX 20240301000001").into_bytes().into(),
        ..question.clone()
    };
    assert_eq!(told(&read(&spaced).unwrap_err()).1, "INVALID_SIGN", "another number under the same digest");
    assert!(read(&question).is_ok(), "the first call keeps it");
}

#[test]
fn a_field_that_breaks_its_rule_is_named() {
    let long = "x".repeat(101);
    for (operation, patch, code, detail) in [
        ("order", json!({"total_fee": null}), "ILLEGAL_PARAMETER", "total_fee: is missing"),
        ("order", json!({"total_fee": "2.50"}), "ILLEGAL_PARAMETER", "total_fee: write a whole number"),
        ("order", json!({"total_fee": 0}), "AMT_ERROR", "total_fee"),
        ("order", json!({"total_fee": "-1"}), "AMT_ERROR", "total_fee"),
        ("order", json!({"total_fee": "10000000000000"}), "AMT_ERROR", "9999999999999"),
        ("order", json!({"channel_type": null}), "ILLEGAL_PARAMETER", "channel_type: is missing"),
        ("order", json!({"channel_type": 3}), "ILLEGAL_PARAMETER", "channel_type"),
        ("order", json!({"auth_code": null}), "ILLEGAL_PARAMETER", "auth_code: is missing"),
        ("order", json!({"auth_code": "28 1"}), "ILLEGAL_PARAMETER", "auth_code"),
        ("order", json!({"auth_code": long}), "ILLEGAL_PARAMETER", "auth_code"),
        ("order", json!({"pay_subject": null}), "ILLEGAL_PARAMETER", "pay_subject: is missing"),
        ("order", json!({"pay_subject": " "}), "ILLEGAL_PARAMETER", "pay_subject"),
        ("order", json!({"pay_subject": "a\tb"}), "ILLEGAL_PARAMETER", "one line"),
        ("order", json!({"pay_subject": long}), "ILLEGAL_PARAMETER", "1 to 100"),
        ("order", json!({"out_trade_no": null}), "ILLEGAL_PARAMETER", "out_trade_no: is missing"),
        ("order", json!({"out_trade_no": "A 1"}), "ILLEGAL_PARAMETER", "without blanks"),
        ("order", json!({"out_trade_no": "订单"}), "ILLEGAL_PARAMETER", "printable ASCII"),
        ("order", json!({"out_trade_no": "x".repeat(65)}), "ILLEGAL_PARAMETER", "1 to 64"),
        ("order", json!({"out_trade_no": {}}), "ILLEGAL_PARAMETER", "write text"),
        ("order", json!({"fee_type": "USD"}), "ILLEGAL_PARAMETER", "CNY, THB or HKD"),
        ("order", json!({"operator_id": "x".repeat(33)}), "ILLEGAL_PARAMETER", "operator_id"),
        ("order", json!({"merchant_param": "A".repeat(128)}), "ILLEGAL_PARAMETER", "merchant_param"),
        ("order", json!({"time_zone": "Mars/Olympus"}), "ILLEGAL_PARAMETER", "Asia/Shanghai or +08:00"),
        ("preOrder", json!({"trade_type": "APP"}), "ILLEGAL_PARAMETER", "QRCODE or JSAPI"),
        ("preOrder", json!({"time_expire": 0}), "ILLEGAL_PARAMETER", "1 to 1440"),
        ("preOrder", json!({"time_expire": "1441"}), "ILLEGAL_PARAMETER", "1 to 1440"),
        ("preOrder", json!({"notifyUrl": "https://h/?a=b"}), "ILLEGAL_PARAMETER", "?sign="),
        ("preOrder", json!({"notifyUrl": "ftp://h"}), "ILLEGAL_PARAMETER", "http(s)"),
        ("cancel", json!({"operator_id": null}), "ILLEGAL_PARAMETER", "operator_id: is missing"),
        ("cancel", json!({"out_trade_no": null}), "ILLEGAL_PARAMETER", "out_trade_no"),
        ("close", json!({"terminal_id": null}), "ILLEGAL_PARAMETER", "terminal_id: is missing"),
        ("refundQuery", json!({"terminal_id": null}), "ILLEGAL_PARAMETER", "terminal_id"),
        ("refund", json!({"operator_id": null}), "ILLEGAL_PARAMETER", "operator_id"),
        ("refund", json!({"refund_fee": 0}), "AMT_ERROR", "refund_fee"),
        ("refund", json!({"refund_subject": null}), "ILLEGAL_PARAMETER", "refund_subject"),
        ("refund", json!({"out_refund_no": null}), "ILLEGAL_PARAMETER", "out_refund_no"),
    ] {
        refused(&call(operation, patch), code, detail);
    }
    // F8: the samples' own numbers have 36 characters.
    let uuid = "7c9f2f1e-3a44-4c8b-9d21-5b0e6f7a8c90";
    assert_eq!(pay(&call("order", json!({"out_trade_no": uuid}))).0.number, uuid);
    assert_eq!(
        pay(&call("preOrder", json!({"time_expire": "1440"}))).0.expires_in,
        Some(Duration::from_hours(24))
    );
}

#[test]
fn what_is_not_offered_is_said_so() {
    let acceptor = acceptor();
    for (verb, path) in
        [(Verb::Post, "/gateway/pay/transfer"), (Verb::Get, "/gateway/pay/order"), (Verb::Post, "/x")]
    {
        let answer = acceptor.read(&Accounts, &WireRequest::new(verb, path), NOW).unwrap_err();
        assert_eq!(answer.status, 404);
        assert_eq!(told(&answer).1, "ILLEGAL_PARAMETER");
    }
}

#[test]
fn settings_are_checked() {
    let check = |settings: Value, want: &[&str]| {
        let errors = acceptor().check_settings(settings.as_object().unwrap());
        assert_eq!(errors.iter().map(|error| error.key.as_str()).collect::<Vec<_>>(), want, "{settings}");
    };
    check(json!({"busi_id": BUSI_ID, "key": KEY}), &[]);
    check(json!({"busi_id": BUSI_ID, "key": KEY, "key_previous": "k"}), &[]);
    check(json!({}), &["busi_id", "key"]);
    check(json!({"busi_id": "a b", "key": "a b", "key_previous": ""}), &["busi_id", "key", "key_previous"]);
    check(json!({"busi_id": BUSI_ID, "key": KEY, "mchtKey": "x"}), &["mchtKey"]);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..200), operation in 0_usize..7) {
        let acceptor = acceptor();
        let path = acceptor.routes()[operation].path;
        let request = WireRequest { path: path.to_owned(), ..signed("x", &body, KEY) };
        let _ = acceptor.read(&Accounts, &request, NOW);
    }
}

/// F4.
#[test]
fn a_host_is_told_what_to_hold_a_sign_to() {
    let of = |request: &WireRequest| {
        let acceptor = acceptor();
        let read = acceptor.read(&Accounts, request, NOW).unwrap();
        acceptor.sign(&read, request).unwrap()
    };
    let query = call("query", json!({}));
    let first = of(&query);
    assert_eq!(of(&query), first);
    assert_eq!(first.until, Some(NOW.plus(Duration::from_hours(7 * 24))));
    let blank = String::from_utf8(query.body.to_vec()).unwrap().replace(':', ": ");
    for other in [signed("close", &query.body, KEY), signed("query", blank.as_bytes(), KEY)] {
        let other = of(&other);
        assert!(other.key == first.key && other.call != first.call);
    }
}
