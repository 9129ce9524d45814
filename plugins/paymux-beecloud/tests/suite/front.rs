//! The server side: which calls it takes, which it refuses, with which code and in which order.

use std::sync::Arc;
use std::time::Duration;

use paymux_core::acceptor::{Acceptor, FrontAccount, FrontAccounts, FrontCall, FrontPay, FrontRead};
use paymux_core::provider::Settings;
use paymux_core::{Money, Timestamp, Verb, WireRequest};
use paymux_sign::Md5Text;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::{any, prop, proptest};
use serde_json::{Value, json};

use crate::rig::{APP_ID, APP_SECRET, MASTER_SECRET};

pub(crate) const NOW: Timestamp = Timestamp::from_ms(1_709_251_200_000);

/// A host with one client.
pub(crate) struct Accounts;

impl FrontAccounts for Accounts {
    fn find(&self, key: &str, value: &str) -> Option<FrontAccount> {
        (key == "app_id" && value == APP_ID).then(account)
    }
}

/// The same, whose client may have paid out and may have what only BeeCloud does.
pub(crate) struct Offering;

impl FrontAccounts for Offering {
    fn find(&self, key: &str, value: &str) -> Option<FrontAccount> {
        let mut account = Accounts.find(key, value)?;
        account.settings.insert("payout_channel".to_owned(), json!("payer"));
        account.settings.insert("native_channel".to_owned(), json!("bee"));
        Some(account)
    }
}

pub(crate) fn account() -> FrontAccount {
    let settings: Settings =
        json!({"app_id": APP_ID, "app_secret": APP_SECRET, "master_secret": MASTER_SECRET,
        "app_secret_previous": "old-secret"})
        .as_object()
        .unwrap()
        .clone();
    FrontAccount { key: "shop".to_owned(), settings }
}

pub(crate) fn acceptor() -> Arc<dyn Acceptor> {
    paymux_beecloud::provider().acceptor().unwrap()
}

pub(crate) fn sign(timestamp: i64, secret: &str) -> String {
    Md5Text::new().piece(APP_ID).number(timestamp).piece(secret).digest().to_hex().as_str().to_owned()
}

/// The common fields, signed at [`NOW`], with what `patch` adds or, by null, takes away.
fn fields(patch: Value) -> Value {
    let mut fields = json!({"app_id": APP_ID, "timestamp": NOW.ms(), "app_sign": sign(NOW.ms(), APP_SECRET)});
    for (key, value) in patch.as_object().unwrap() {
        if value.is_null() {
            fields.as_object_mut().unwrap().remove(key);
        } else {
            fields[key] = value.clone();
        }
    }
    fields
}

pub(crate) fn post(path: &str, patch: Value) -> WireRequest {
    WireRequest::new(Verb::Post, path).body("application/json", fields(patch).to_string())
}

/// A call that moves money out, signed with the master secret.
pub(crate) fn as_master(verb: Verb, path: &str, mut patch: Value) -> WireRequest {
    if patch.get("app_sign").is_none() {
        patch["app_sign"] = json!(sign(NOW.ms(), MASTER_SECRET));
    }
    WireRequest::new(verb, path).body("application/json", fields(patch).to_string())
}

pub(crate) fn ask(path: &str, patch: Value) -> WireRequest {
    let para = utf8_percent_encode(&fields(patch).to_string(), NON_ALPHANUMERIC).to_string();
    WireRequest::new(Verb::Get, path).query(format!("para={para}"))
}

fn bill(patch: Value) -> Value {
    let mut call =
        json!({"channel": "WX_NATIVE", "total_fee": 1023, "bill_no": "PMX20240301000001", "title": "红茶 A"});
    call.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
    call
}

pub(crate) fn read(request: &WireRequest) -> Result<FrontRead, (i64, String)> {
    acceptor().read(&Accounts, request, NOW).map_err(|answer| {
        assert_eq!(answer.status, 200);
        assert_eq!(answer.headers.first("content-type"), Some("application/json"));
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert!(body["result_msg"].is_string(), "{body}");
        (body["result_code"].as_i64().unwrap(), body["err_detail"].as_str().unwrap().to_owned())
    })
}

fn pay(request: &WireRequest) -> FrontPay {
    match read(request).map(|read| read.call) {
        Ok(FrontCall::Pay(pay)) => *pay,
        other => panic!("{other:?}"),
    }
}

#[track_caller]
pub(crate) fn refused(request: WireRequest, code: i64, detail: &str) {
    let (got, why) = read(&request).map(|read| panic!("taken: {:?}", read.call)).unwrap_err();
    assert_eq!(got, code, "{why}");
    assert!(why.contains(detail), "{why}");
}

#[test]
fn the_vectors_create_is_read() {
    let file: Value = serde_json::from_str(include_str!("../data/vectors.json")).unwrap();
    let message = file["vectors"][0]["message"].as_str().unwrap();
    let request = WireRequest::new(Verb::Post, "/2/rest/bill").body("application/json", message.to_owned());
    let read = read(&request).unwrap();
    assert_eq!((read.memo.as_str(), read.account.key.as_str()), ("bill WX_NATIVE WX", "shop"));
    let FrontCall::Pay(pay) = read.call else { panic!("not a create") };
    assert_eq!(pay.number, "PMX20240301000001");
    assert_eq!(pay.amount, Money::fen(1023));
    assert_eq!(pay.method.to_string(), "wechat.native");
    assert_eq!(pay.subject, "红茶 A");
    assert_eq!(pay.echo, json!({"shop": "7"}));
    assert!(pay.extra.is_empty());
}

#[test]
fn a_create_signed_with_the_master_secret_is_refused() {
    let file: Value = serde_json::from_str(include_str!("../data/vectors.json")).unwrap();
    let wrong = file["vectors"].as_array().unwrap().iter().find(|vector| vector["id"] == "bc-x3").unwrap();
    refused(post("/2/rest/bill", bill(json!({"app_sign": wrong["digest"]}))), 1, "app_sign is wrong");
}

#[test]
fn account_time_and_sign_are_checked_in_this_order() {
    let path = "/2/rest/bill";
    check(json!({"app_id": null, "timestamp": null, "app_sign": null}), 4, "app_id");
    check(json!({"app_id": ""}), 4, "app_id");
    check(json!({"app_id": "null"}), 4, "app_id");
    check(json!({"app_id": 7}), 5, "app_id");
    check(json!({"app_id": "7c9f2f1e", "timestamp": null}), 5, "app_id");
    check(
        json!({"app_id": "7c9f2f1e-3a44-4c8b-9d21-5b0e6f7a8c91", "timestamp": null}),
        1,
        "app_id is not known",
    );
    check(json!({"timestamp": null, "app_sign": null}), 4, "timestamp");
    check(json!({"timestamp": "1709251200000"}), 5, "timestamp");
    check(json!({"timestamp": 1_709_251_200_000.5}), 5, "timestamp");
    check(json!({"timestamp": -1_709_251_200_000_i64}), 5, "timestamp");
    check(json!({"timestamp": 17_092_512_000_000_i64}), 5, "timestamp");
    check(json!({"timestamp": 1_709_251_200, "app_sign": null}), 1, "behind this server's clock");
    check(json!({"app_sign": null, "channel": null}), 4, "app_sign");
    check(json!({"app_sign": ""}), 4, "app_sign");
    check(json!({"app_sign": "43115fee5e62264f182da1d57bcef9a"}), 5, "32 characters");
    check(json!({"app_sign": 7}), 5, "app_sign");
    check(json!({"app_sign": "4".repeat(32), "channel": null}), 1, "app_sign is wrong");
    check(json!({"app_sign": "z".repeat(32)}), 1, "app_sign is wrong");
    refused(post(path, json!({})), 4, "channel is missing");

    #[track_caller]
    fn check(patch: Value, code: i64, detail: &str) {
        refused(post("/2/rest/bill", bill(patch.clone())), code, detail);
        refused(ask("/2/rest/bills", patch), code, detail);
    }
}

#[test]
fn the_time_window_is_fifteen_minutes_either_way_and_names_the_skew() {
    let at = |ms: i64| json!({"timestamp": ms, "app_sign": sign(ms, APP_SECRET)});
    for good in [-900_000, 0, 900_000] {
        assert!(read(&post("/2/rest/bill", bill(at(NOW.ms() + good)))).is_ok(), "{good}");
    }
    refused(
        post("/2/rest/bill", bill(at(NOW.ms() - 900_001))),
        1,
        "900 s behind this server's clock, at most 900 s",
    );
    refused(post("/2/rest/bill", bill(at(NOW.ms() + 3_600_000))), 1, "3600 s ahead of this server's clock");
}

#[test]
fn a_sign_in_upper_case_and_the_previous_secret_are_taken() {
    let upper = sign(NOW.ms(), APP_SECRET).to_uppercase();
    assert!(read(&post("/2/rest/bill", bill(json!({"app_sign": upper})))).is_ok());
    assert!(read(&post("/2/rest/bill", bill(json!({"app_sign": sign(NOW.ms(), "old-secret")})))).is_ok());
    refused(post("/2/rest/bill", bill(json!({"app_sign": sign(NOW.ms(), "")}))), 1, "app_sign is wrong");
}

#[test]
fn required_fields_of_a_create_are_missing_or_wrong_by_name() {
    for name in ["channel", "total_fee", "bill_no", "title"] {
        for absent in [json!(null), json!(""), json!("null")] {
            refused(post("/2/rest/bill", bill(json!({name: absent}))), 4, name);
        }
    }
    check(json!({"channel": "WX_NATIV"}), 5, "channel");
    check(json!({"channel": "wx_native"}), 5, "channel");
    check(json!({"channel": "WX"}), 5, "channel");
    check(json!({"channel": 7}), 5, "channel");
    check(json!({"channel": "PAYPAL_LIVE"}), 3, "PAYPAL_LIVE is not offered");
    check(json!({"channel": "APPLE"}), 3, "APPLE is not offered");
    for till in ["WX_SCAN", "ALI_SCAN", "SCAN", "BC_WX_SCAN"] {
        check(json!({"channel": till}), 3, "not taken on this path");
    }
    check(json!({"total_fee": 0}), 5, "total_fee");
    check(json!({"total_fee": -1}), 5, "total_fee");
    check(json!({"total_fee": 1.5}), 5, "total_fee");
    check(json!({"total_fee": "1023"}), 5, "total_fee");
    check(json!({"total_fee": 10_000_001}), 5, "1 to 10000000 fen");
    check(json!({"total_fee": 2_147_483_648_i64, "channel": "UN_APP"}), 5, "1 to 2147483647 fen");
    check(json!({"bill_no": "a b"}), 5, "bill_no");
    check(json!({"bill_no": "x".repeat(65)}), 5, "bill_no");
    check(json!({"bill_no": 12_345_678}), 5, "bill_no");
    check(json!({"title": "茶".repeat(17)}), 5, "title");
    check(json!({"title": "a".repeat(33)}), 5, "title");
    check(json!({"title": "a\nb"}), 5, "title");
    check(json!({"optional": ""}), 5, "optional");
    check(json!({"optional": "{}"}), 5, "optional");
    check(json!({"optional": []}), 5, "optional");
    check(json!({"analysis": "x"}), 5, "analysis");
    check(json!({"analysis": {"ip": "1.2.3"}}), 5, "analysis.ip");
    check(json!({"notify_url": "shop.example"}), 5, "notify_url");
    check(json!({"notify_url": 7}), 5, "notify_url");
    check(json!({"bill_timeout": 0}), 5, "bill_timeout");
    check(json!({"bill_timeout": "300"}), 5, "bill_timeout");
    check(json!({"limit_credit": "true"}), 5, "limit_credit");
    check(json!({"store_id": "x".repeat(33)}), 5, "store_id");
    check(json!({"coupon_id": "c"}), 5, "coupon_id");
    check(json!({"channel": "WX_JSAPI"}), 4, "openid");
    check(json!({"channel": "ALI_WEB"}), 4, "return_url");
    check(json!({"channel": "ALI_QRCODE", "return_url": "http://h"}), 4, "qr_pay_mode");
    check(json!({"channel": "ALI_QRCODE", "return_url": "http://h", "qr_pay_mode": "2"}), 5, "qr_pay_mode");
    check(json!({"channel": "YEE_WAP"}), 4, "identity_id");
    check(json!({"channel": "YEE_WAP", "identity_id": "u-1"}), 5, "identity_id");
    check(json!({"channel": "YEE_NOBANKCARD", "cardno": "1", "cardpwd": "2"}), 4, "frqid");
    check(json!({"channel": "BC_GATEWAY", "return_url": "http://h"}), 4, "bank");
    check(json!({"channel": "BC_EXPRESS", "optional": {"token": "t"}}), 3, "BC_EXPRESS");
    check(json!({"channel": "BC_EXPRESS", "optional": {"phone_no": "1"}}), 3, "BC_EXPRESS");

    #[track_caller]
    fn check(patch: Value, code: i64, detail: &str) {
        refused(post("/2/rest/bill", bill(patch)), code, detail);
    }
}

#[test]
fn the_till_has_its_own_channels_and_needs() {
    check(json!({"channel": "ALI_WEB"}), 3, "not taken on this path");
    check(json!({"channel": "WX_JSAPI"}), 3, "not taken on this path");
    check(json!({"channel": "WX_SCAN"}), 4, "auth_code");
    check(json!({"channel": "WX_SCAN", "auth_code": "12 34"}), 5, "auth_code");
    check(json!({"channel": "WX_SCAN", "auth_code": 12}), 5, "auth_code");
    check(json!({"channel": "ALI_SCAN", "auth_code": "28"}), 4, "terminal_id or store_id");
    check(json!({"channel": "ALI_SCAN", "auth_code": "28", "terminal_id": "x".repeat(33)}), 5, "terminal_id");
    for (channel, memo) in [
        ("WX_NATIVE", "offline WX_NATIVE WX"),
        ("WX_SCAN", "offline WX_SCAN WX"),
        ("ALI_OFFLINE_QRCODE", "offline ALI_OFFLINE_QRCODE ALI"),
        ("ALI_SCAN", "offline ALI_SCAN ALI"),
        ("BC_ALI_SCAN", "offline BC_ALI_SCAN BC"),
        ("BC_WX_SCAN", "offline BC_WX_SCAN BC"),
        ("BC_ALI_QRCODE", "offline BC_ALI_QRCODE BC"),
        ("BC_SCAN", "offline BC_SCAN BC via:WX_SCAN"),
        ("SCAN", "offline BC_SCAN BC via:WX_SCAN"),
    ] {
        let call = bill(json!({"channel": channel, "auth_code": "134567890123456789", "terminal_id": "T1"}));
        assert_eq!(read(&post("/2/rest/offline/bill", call)).unwrap().memo, memo);
    }

    #[track_caller]
    fn check(patch: Value, code: i64, detail: &str) {
        refused(post("/2/rest/offline/bill", bill(patch)), code, detail);
    }
}

#[test]
fn both_paths_take_the_codes_of_both() {
    for channel in ["WX_NATIVE", "ALI_OFFLINE_QRCODE", "BC_ALI_QRCODE"] {
        for path in ["/2/rest/bill", "/2/rest/offline/bill"] {
            assert!(read(&post(path, bill(json!({"channel": channel})))).is_ok(), "{channel} {path}");
        }
    }
}

#[test]
fn what_every_front_must_take_is_taken() {
    let whole = fields(bill(json!({"optional": null, "openid": null})));
    let text = whole.to_string();
    let send =
        |path: &str, media: &str, body: String| pay(&WireRequest::new(Verb::Post, path).body(media, body));
    let plain = "application/json";
    send("/2/rest/bill/", plain, text.clone());
    send("/2/rest/bill", "application/json;charset=utf-8;", text.clone());
    let escaped = text.replace('红', "\\u7ea2").replace('茶', "\\u8336");
    assert_eq!(send("/2/rest/bill", plain, escaped).subject, "红茶 A");
    let url = text.replacen('{', "{\"notify_url\":\"https:\\/\\/shop.example\\/n\",", 1);
    assert_eq!(send("/2/rest/bill", plain, url).notify_url.as_deref(), Some("https://shop.example/n"));
    let nulls = text.replacen(
        '{',
        "{\"return_url\":null,\"analysis\":null,\"bill_timeout\":null,\"coupon_id\":null,",
        1,
    );
    send("/2/rest/bill", plain, nulls);
    let analysed =
        text.replacen('{', "{\"bc_analysis\":{\"sdk_version\":\"x\"},\"analysis\":{\"ip\":\"\",\"x\":1},", 1);
    send("/2/rest/bill", plain, analysed);
    // Fields of other codes, kept from an SDK's earlier calls, right or wrong.
    let leftovers = json!({"qr_pay_mode": 9, "identity_id": "-", "auth_code": 7, "bank": 1, "app_secret": "s",
        "master_secret": "m", "test_secret": "t", "toSign": "x", "refund_no": [], "token": "t"});
    let kept = pay(&post("/2/rest/bill", bill(leftovers)));
    assert!(kept.extra.is_empty() && kept.auth_code.is_none());
    assert!(!format!("{kept:?}").contains("\"m\""));
    // A blank as `+`, and a trailing slash, in a query.
    let para = fields(json!({"bill_no": "a b"})).to_string().replace(' ', "+");
    let request = WireRequest::new(Verb::Get, "/2/rest/bills/").query(format!("para={para}"));
    let FrontCall::List(filter) = read(&request).unwrap().call else { panic!("not a list") };
    assert_eq!(filter.number.as_deref(), Some("a b"));
}

#[test]
fn a_create_carries_all_that_a_host_can_use() {
    let jsapi = pay(&post(
        "/2/rest/bill",
        bill(json!({"channel": "WX_JSAPI", "openid": "o-1", "limit_credit": true,
        "bill_timeout": 1, "notify_url": "http://shop.example/n?x=1", "return_url": "x#,?",
        "analysis": {"ip": "2001:db8::1"}, "store_id": "S", "optional": {"a": {"b": 1}}, "buyer_id": "b"})),
    ));
    assert_eq!(jsapi.openid.as_deref(), Some("o-1"));
    assert_eq!(jsapi.expires_in, Some(Duration::from_secs(1)));
    assert_eq!(jsapi.notify_url.as_deref(), Some("http://shop.example/n?x=1"));
    assert_eq!(jsapi.return_url.as_deref(), Some("x#,?"), "no check of it was ever seen");
    assert_eq!(jsapi.payer_ip.as_deref(), Some("2001:db8::1"));
    assert_eq!(jsapi.echo, json!({"a": {"b": 1}}));
    assert_eq!(json!(jsapi.extra), json!({"limit_credit": true, "store_id": "S"}));

    let scan = bill(json!({"channel": "WX_SCAN", "auth_code": "134567890123456789"}));
    let scan = pay(&post("/2/rest/offline/bill", scan));
    assert!(scan.auth_code.unwrap().matches("134567890123456789"));

    let web = pay(&post(
        "/2/rest/bill",
        bill(json!({"channel": "ALI_WEB", "return_url": "https://h/",
        "optional": {"hb_fq_num": "3", "mine": 1}})),
    ));
    assert_eq!(json!(web.extra), json!({"hb_fq_num": "3"}));
    assert_eq!(web.echo, json!({"hb_fq_num": "3", "mine": 1}));

    let yee = pay(&post("/2/rest/bill", bill(json!({"channel": "YEE_WAP", "identity_id": "u1"}))));
    assert_eq!((json!(yee.extra), yee.payer_id.as_deref()), (json!({"identity_id": "u1"}), Some("u1")));
}

#[test]
fn numbers_are_taken_as_given() {
    for number in ["1", "A-1_b", "order#1", &"x".repeat(64)] {
        assert_eq!(pay(&post("/2/rest/bill", bill(json!({"bill_no": number})))).number, number);
    }
}

#[test]
fn orders_are_asked_for_and_reverted_by_number() {
    let status = read(&post("/2/rest/offline/bill/status", json!({"bill_no": "A1", "channel": 7}))).unwrap();
    assert!(matches!(status.call, FrontCall::Query { number } if number == "A1"));
    refused(post("/2/rest/offline/bill/status", json!({})), 4, "bill_no");
    let revert = read(&post("/2/rest/offline/bill/A%2D1", json!({"method": "REVERT"}))).unwrap();
    assert!(matches!(revert.call, FrontCall::Cancel { number } if number == "A-1"));
    assert!(read(&post("/2/rest/offline/bill/A1", json!({}))).is_ok(), "method was never checked");
    let by_id = read(&ask("/2/rest/bill/record-1", json!({}))).unwrap();
    assert!(matches!(by_id.call, FrontCall::List(filter) if filter.id.as_deref() == Some("record-1")));
}

#[test]
fn filters_are_strict_and_bounded() {
    let list = |patch: Value| match read(&ask("/2/rest/bills", patch)).unwrap().call {
        FrontCall::List(filter) => filter,
        other => panic!("{other:?}"),
    };
    let all = list(json!({"bill_no": "A_1", "channel": "WX_NATIVE", "spay_result": true, "start_time": 1,
        "end_time": 2, "skip": 3, "limit": 20}));
    assert_eq!(
        (all.number.as_deref(), all.code.as_deref(), all.paid),
        (Some("A_1"), Some("WX_NATIVE"), Some(true))
    );
    assert_eq!((all.from, all.to), (Some(Timestamp::from_ms(1)), Some(Timestamp::from_ms(2))));
    assert_eq!((all.skip, all.limit), (3, 20));
    for (limit, want) in [(0, 10), (9, 10), (10, 10), (50, 50), (51, 50), (i64::MAX, 50)] {
        assert_eq!(list(json!({"limit": limit})).limit, want);
    }
    assert_eq!(list(json!({})).limit, 10);
    assert_eq!(list(json!({"channel": "BC"})).code.as_deref(), Some("BC"));
    let count = read(&ask("/2/rest/bills/count", json!({"spay_result": false}))).unwrap();
    assert!(matches!(count.call, FrontCall::Count(filter) if filter.paid == Some(false)));
    for (name, bad) in [
        ("limit", json!(-1)),
        ("skip", json!(-1)),
        ("limit", json!("10")),
        ("spay_result", json!("true")),
        ("start_time", json!("1")),
        ("end_time", json!(1.5)),
        ("bill_no", json!(7)),
        ("channel", json!("XX")),
        ("need_detail", json!("true")),
        ("seller_id", json!("s")),
        ("seller_id", json!(7)),
        ("refund_result", json!("false")),
    ] {
        refused(ask("/2/rest/bills", json!({name: bad})), 5, name);
    }
    assert_eq!(list(json!({"refund_result": true})).refunded, Some(true));
    assert_eq!(list(json!({})).refunded, None);
}

#[test]
fn a_query_survives_the_fields_of_an_earlier_create() {
    let create = json!({"bill_no": "A1", "channel": "WX_NATIVE", "title": "tea", "total_fee": 1, "store_id": "S",
        "seller_id": "s", "buyer_id": "b", "optional": {"a": 1}, "return_url": "http://h", "refund_result": false});
    let FrontCall::List(filter) = read(&ask("/2/rest/bills", create.clone())).unwrap().call else {
        panic!("not a list")
    };
    assert_eq!(filter.number.as_deref(), Some("A1"));
    let FrontCall::Count(filter) = read(&ask("/2/rest/bills/count", create)).unwrap().call else {
        panic!("not a count")
    };
    assert_eq!(filter.number.as_deref(), Some("A1"));
}

#[test]
fn a_count_passes_over_what_only_a_list_has() {
    for (name, value) in [
        ("skip", json!(-1)),
        ("limit", json!("10")),
        ("need_detail", json!(7)),
        ("seller_id", json!("s")),
        ("buyer_id", json!(7)),
        ("refund_result", json!(true)),
    ] {
        assert!(read(&ask("/2/rest/bills/count", json!({name: value}))).is_ok(), "{name}");
    }
    for (name, bad) in [("spay_result", json!("true")), ("start_time", json!("1")), ("channel", json!("XX"))]
    {
        refused(ask("/2/rest/bills/count", json!({name: bad})), 5, name);
    }
}

#[test]
fn bodies_and_queries_have_a_form_and_a_limit() {
    let raw = |body: String| WireRequest::new(Verb::Post, "/2/rest/bill").body("application/json", body);
    refused(raw(String::new()), 5, "one JSON object");
    refused(raw("[]".to_owned()), 5, "one JSON object");
    refused(raw("{".to_owned()), 5, "one JSON object");
    refused(raw("{}".to_owned()), 4, "app_id");
    refused(raw(" ".repeat(65_537)), 5, "65536 bytes");
    let query = |query: &str| WireRequest::new(Verb::Get, "/2/rest/bills").query(query);
    refused(WireRequest::new(Verb::Get, "/2/rest/bills"), 4, "para");
    refused(query("x=1"), 4, "para");
    refused(query("para=%7B"), 5, "para");
    refused(query(&format!("para={}", "a".repeat(8192))), 5, "8192 bytes");
}

#[test]
fn paths_that_are_not_offered_are_named_in_json() {
    let check = |verb: Verb, path: &str, status: u16| {
        let answer = acceptor().read(&Accounts, &WireRequest::new(verb, path), NOW).unwrap_err();
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!((answer.status, body["result_code"].as_i64()), (status, Some(5)), "{path}");
        assert!(body["err_detail"].as_str().unwrap().contains(path), "{body}");
    };
    check(Verb::Get, "/2/rest/refund", 200);
    check(Verb::Put, "/2/rest/bill", 200);
    check(Verb::Put, "/1/rest/refund", 200);
    check(Verb::Post, "/1/rest/offline/bill", 200);
    check(Verb::Get, "/1/rest/bills/count", 200);
    check(Verb::Get, "/2/rest/bc_transfer", 200);
    check(Verb::Post, "/2/rest/t1express/transfer", 200);
    check(Verb::Get, "/2/rest/bill", 200);
    check(Verb::Post, "/2/rest/offline/bill//", 200);
    check(Verb::Post, "/2/plan", 200);
    check(Verb::Post, "/1/rest/nonsense", 200);
    check(Verb::Get, "/", 404);
    check(Verb::Get, "/admin", 404);
}

fn is_money_out(verb: Verb, path: &str) -> bool {
    path.ends_with("/refund") || path.contains("transfer") || path.ends_with("/approve") && verb == Verb::Post
}

/// Fields of each call that moves money out; those of the others are passed over.
fn money_out(path: &str) -> Value {
    let group = if path.ends_with("/transfer") { "WX_TRANSFER" } else { "ALI" };
    json!({"refund_no": "20240301017", "bill_no": "A1", "refund_fee": 1, "ids": ["r1"], "agree": true,
        "channel": group, "total_fee": 100, "title": "Tea", "trade_source": "OUT_PC", "bank_fullname": "Bank",
        "card_type": "DE", "account_type": "P", "account_no": "6222", "account_name": "W", "transfer_no": "T1",
        "desc": "d", "channel_user_id": "o", "batch_no": "B1", "transfer_data": [{"transfer_id": "1",
        "receiver_account": "a", "receiver_name": "b", "transfer_fee": 1}]})
}

/// Fields of each call that only BeeCloud itself has, beside those of a create.
fn at_bee_cloud(path: &str) -> Value {
    json!({"channel": if path.contains("offline") { "WX_NATIVE" } else { "WX_APP" }, "name": "W", "id_no": "1",
        "buyer_id": "u", "buyer_ids": ["u"], "bill_info": {"u": ["A1"]}, "template_id": "t", "user_id": "u"})
}

#[test]
fn every_route_is_one_that_it_reads() {
    for route in acceptor().routes() {
        let path = route.path.replace("{bill_no}", "A1").replace("{id}", "r1");
        let request = match route.verb {
            Verb::Get => ask(&path, json!({"channel": "WX", "refund_no": "r1"})),
            verb if is_money_out(verb, &path) => as_master(verb, &path, money_out(&path)),
            verb => WireRequest::new(verb, &path)
                .body("application/json", fields(bill(at_bee_cloud(&path))).to_string()),
        };
        let read = acceptor().read(&Offering, &request, NOW);
        assert!(read.is_ok(), "{} {}: {:?}", route.verb.as_str(), route.path, read.err());
    }
    let paths: Vec<_> = acceptor().routes().iter().map(|route| route.path).collect();
    let at = |path: &str| paths.iter().position(|known| *known == path).unwrap();
    assert!(at("/2/rest/offline/bill/status") < at("/2/rest/offline/bill/{bill_no}"));
    assert!(at("/2/rest/refund/status") < at("/2/rest/refund/{id}"));
}

#[test]
fn a_clients_credentials_are_checked() {
    let check = |patch: Value, want: &[&str]| {
        let mut settings = account().settings;
        settings.extend(patch.as_object().unwrap().clone());
        settings.retain(|_, value| !value.is_null());
        let errors = acceptor().check_settings(&settings);
        assert_eq!(errors.iter().map(|error| error.key.as_str()).collect::<Vec<_>>(), want, "{patch}");
    };
    check(json!({}), &[]);
    check(json!({"app_secret_previous": null}), &[]);
    check(
        json!({"app_id": null, "app_secret": null, "master_secret": null}),
        &["app_id", "app_secret", "master_secret"],
    );
    check(json!({"app_id": "shop"}), &["app_id"]);
    check(json!({"app_secret": "a b"}), &["app_secret"]);
    check(json!({"master_secret": ""}), &["master_secret"]);
    check(json!({"app_key": "x"}), &["app_key"]);
    check(json!({"master_secret_previous": "old", "app_secret_moves_money": true}), &[]);
    check(json!({"master_secret_previous": "a b"}), &["master_secret_previous"]);
    check(json!({"app_secret_moves_money": "yes"}), &["app_secret_moves_money"]);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..500), query in "[ -~]{0,200}", get: bool) {
        let verb = if get { Verb::Get } else { Verb::Post };
        for path in ["/2/rest/bill", "/2/rest/bills", "/2/rest/offline/bill/%ff", "/2/rest/bill/%", "/2/rest/refund",
            "/2/rest/refund/status", "/2/rest/offline/refund"] {
            let request = WireRequest::new(verb, path).query(query.clone()).body("application/json", body.clone());
            assert!(acceptor().read(&Accounts, &request, NOW).is_err());
        }
    }

    #[test]
    fn no_field_of_any_type_makes_it_panic(name in "[a-z_]{1,12}|channel|total_fee|title|optional|analysis|bill_timeout",
        text in ".{0,40}", number: i64, which in 0_usize..5) {
        let value = [json!(text), json!(number), json!(text.is_empty()), json!([number]), json!({"ip": text})][which].clone();
        drop(read(&post("/2/rest/bill", bill(json!({name: value})))));
    }
}

#[test]
fn a_host_is_told_what_to_hold_a_sign_to() {
    let of = |request: &WireRequest| {
        let acceptor = acceptor();
        let read = acceptor.read(&Accounts, request, NOW).unwrap();
        acceptor.sign(&read, request)
    };
    let create = post("/2/rest/bill", bill(json!({})));
    let first = of(&create).unwrap();
    assert_eq!(of(&create).as_ref(), Some(&first));
    assert_eq!(first.until, Some(NOW.plus(Duration::from_mins(15)).plus(Duration::from_millis(1))));
    let upper = json!({"app_sign": sign(NOW.ms(), APP_SECRET).to_uppercase(), "total_fee": 1});
    for other in [
        post("/2/rest/bill", bill(upper)),
        post("/2/rest/offline/bill", bill(json!({}))),
        post("/2/rest/offline/bill/12345678", json!({"channel": "WX_SCAN", "method": "REVERT"})),
    ] {
        let other = of(&other).unwrap();
        assert!(other.key == first.key && other.call != first.call);
    }
    assert_eq!(of(&ask("/2/rest/bills", json!({}))), None, "a question makes nothing");
}
