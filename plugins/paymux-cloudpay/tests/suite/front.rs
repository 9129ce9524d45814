//! The server side: which creates it takes, and what it answers.

use std::sync::Arc;

use paymux_core::acceptor::{
    Acceptor, FrontAccount, FrontAccounts, FrontAnswer, FrontCall, FrontPay, FrontRead, FrontRefusal,
};
use paymux_core::{Money, NextAction, Timestamp, Verb, WireRequest, WireResponse};
use proptest::prelude::{any, prop, proptest};
use serde_json::{Value, json};

use crate::rig::{APPKEY, APPKEY_2, APPSECRET, APPSECRET_2, NUMBER, creation, encode, form, sign, vector};

/// The accounts of a host: the vectors' two.
pub(crate) struct Accounts;

impl FrontAccounts for Accounts {
    fn find(&self, key: &str, value: &str) -> Option<FrontAccount> {
        assert_eq!(key, "appkey");
        match value {
            APPKEY => Some(account(json!({}))),
            APPKEY_2 => Some(account(json!({"appkey": APPKEY_2, "appsecret": APPSECRET_2}))),
            _ => None,
        }
    }
}

/// One account alone, with other settings.
struct Only(Value);

impl FrontAccounts for Only {
    fn find(&self, _key: &str, value: &str) -> Option<FrontAccount> {
        (value == APPKEY).then(|| account(self.0.clone()))
    }
}

pub(crate) fn account(patch: Value) -> FrontAccount {
    let mut settings =
        json!({"appkey": APPKEY, "appsecret": APPSECRET, "return_url": "https://shop.example/paid"});
    settings.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
    FrontAccount { key: "shop".to_owned(), settings: settings.as_object().unwrap().clone() }
}

pub(crate) fn acceptor() -> Arc<dyn Acceptor> {
    paymux_cloudpay::provider().acceptor().unwrap()
}

pub(crate) const NOW: Timestamp = Timestamp::from_ms(1_709_251_200_999);

fn request(form: impl Into<Vec<u8>>) -> WireRequest {
    WireRequest::new(Verb::Post, "/api/cloudpay/create")
        .body("application/x-www-form-urlencoded", form.into())
}

pub(crate) fn read(form: impl Into<Vec<u8>>) -> Result<FrontRead, WireResponse> {
    acceptor().read(&Accounts, &request(form), NOW)
}

fn pay(read: FrontRead) -> FrontPay {
    match read.call {
        FrontCall::Pay(pay) => *pay,
        other => panic!("{other:?}"),
    }
}

fn body(answer: &WireResponse) -> Value {
    assert_eq!((answer.status, answer.headers.first("content-type")), (200, Some("application/json")));
    serde_json::from_slice(&answer.body).unwrap()
}

/// Refused with that code, in the words of the document, with the part at fault.
#[track_caller]
fn refused(form: impl Into<Vec<u8>>, code: i64, part: &str) {
    let answer = body(&read(form).unwrap_err());
    assert_eq!(
        (&answer["code"], &answer["time"], &answer["data"]),
        (&json!(code), &json!("1709251200"), &json!([]))
    );
    assert!(answer["msg"].as_str().unwrap().contains(part), "{part}: {answer}");
}

#[test]
fn the_vectors_creates_are_read() {
    let first = read(form("cp-s1")).unwrap();
    assert_eq!(first.account.key, "shop");
    assert_eq!(first.memo, format!("alipay {}", vector("cp-s1")["sign"].as_str().unwrap()));
    let first = pay(first);
    assert_eq!(
        (first.number.as_str(), first.amount, first.subject.as_str()),
        (NUMBER, Money::fen(1023), NUMBER)
    );
    assert_eq!((first.method.to_string().as_str(), &first.echo), ("alipay.native", &json!("user_42")));
    assert_eq!((first.return_url.as_deref(), first.notify_url), (Some("https://shop.example/paid"), None));
    assert!(first.expires_in.is_none() && first.extra.is_empty());

    let second = pay(read(form("cp-s2")).unwrap());
    assert_eq!((second.amount, &second.echo), (Money::fen(10_000), &json!("")));
    let third = pay(read(form("cp-s3")).unwrap());
    assert_eq!((third.amount, &third.echo), (Money::fen(50), &json!("张三 VIP")));
    assert_eq!(pay(read(creation(json!({"custom": null}))).unwrap()).echo, Value::Null);
}

#[test]
fn json_is_read_too() {
    let text = format!(
        r#"{{"appkey":"{APPKEY}","price":10.23,"type":"alipay","out_order_id":"{NUMBER}","custom":"user_42","sign":{}}}"#,
        vector("cp-s1")["sign"]
    );
    let read = acceptor().read(&Accounts, &request(text.clone()), NOW).unwrap();
    assert_eq!(pay(read).amount, Money::fen(1023));
    let long = text.replace("10.23,", "10.230,");
    assert!(acceptor().read(&Accounts, &request(long), NOW).is_err(), "signed as its JSON text");
}

#[test]
fn each_mistake_has_its_code() {
    let without = |name: &str| {
        let form = form("cp-s1");
        form.split('&').filter(|pair| !pair.starts_with(name)).collect::<Vec<_>>().join("&")
    };
    refused(without("appkey"), 101, "秘钥必须");
    refused("", 101, "appkey is missing");
    refused(form("cp-s1").replace(APPKEY, "0f1e"), 102, "无效的秘钥");
    refused(without("sign"), 103, "sign is missing");
    refused(without("price"), 105, "price is missing");
    refused(without("type"), 105, "type is missing");
    refused(without("out_order_id"), 105, "out_order_id is missing");
    refused(format!("{}&price=10.23", form("cp-s1")), 105, "twice");
    refused("x".repeat(70_000), 105, "65536");
    refused(
        format!("{}&notify_url=https://shop.example", form("cp-s1")),
        106,
        "notify_url is not a parameter",
    );
    refused(format!("{}&Price=1", form("cp-s1")), 106, "Price");
    refused(form("cp-s1").replace("10.23", "10.24"), 104, "无效的签名");
    refused(form("cp-s1").replace("user_42", "user_43"), 104, "sign is wrong");
    let upper = vector("cp-s1")["sign"].as_str().unwrap().to_uppercase();
    refused(creation(json!({"sign": upper})), 104, "lower-case");
    refused(form("cp-s1").replace(APPKEY, APPKEY_2), 104, "sign is wrong");
}

#[test]
fn a_signed_create_must_still_be_of_one_form() {
    for price in [
        "10",
        "10.2",
        "10.230",
        "010.23",
        "0.00",
        "-1.00",
        "+1.00",
        "1e2",
        "1,000.00",
        " 10.23",
        "100000000000.00",
    ] {
        refused(creation(json!({"price": price})), 201, "two decimals");
    }
    for price in ["0.01", "10.20", "99999999999.99"] {
        assert!(read(creation(json!({"price": price}))).is_ok(), "{price}");
    }
    for word in ["wechat", "wxpay", "Alipay", "alipay ", "alipay1", "3alipay"] {
        refused(creation(json!({"type": word})), 202, "offered: alipay");
    }
    for number in ["~1", "~", "a b", "张", "a\n", &"1".repeat(65)] {
        refused(creation(json!({"out_order_id": number})), 105, "out_order_id");
    }
    for number in ["1", "a~1", "A/1?x=&", &"1".repeat(64)] {
        assert!(read(creation(json!({"out_order_id": number}))).is_ok(), "{number}");
    }
    assert!(read(creation(json!({"custom": "x".repeat(512)}))).is_ok());
    refused(creation(json!({"custom": "x".repeat(513)})), 105, "custom");
}

#[test]
fn white_space_is_part_of_what_is_signed() {
    for custom in [" ", "a b", "\ta\r\n", "\u{3000}张三\u{3000}", " \u{a0}"] {
        let read = pay(read(creation(json!({"custom": custom}))).unwrap());
        assert_eq!(read.echo, json!(custom));
    }
    let trimmed = sign(APPKEY, &["10.23", "alipay", NUMBER, "a"], APPSECRET);
    refused(creation(json!({"custom": "a ", "sign": trimmed})), 104, "sign is wrong");
    let not_utf8 = [form("cp-s2").split("custom=").next().unwrap(), "custom=%D5&sign="].concat();
    let digest = {
        let text = [APPKEY.as_bytes(), b"100.00alipayPMX20240301000002", &[0xd5]].concat();
        crate::rig::md5(crate::rig::md5(text) + APPSECRET)
    };
    refused(not_utf8 + &digest, 105, "UTF-8");
}

/// One digest can be cut into number and `custom` in several ways. The memo has it, so that a host takes the first.
#[test]
fn creates_that_share_a_digest_share_their_memo() {
    let whole = read(creation(json!({"out_order_id": "A1B", "custom": ""}))).unwrap();
    let cut = read(creation(json!({"out_order_id": "A1", "custom": "B"}))).unwrap();
    assert_eq!(whole.memo, cut.memo);
    let other = read(creation(json!({"out_order_id": "A1C", "custom": ""}))).unwrap();
    assert_ne!(whole.memo, other.memo);
}

/// No other place of the borders is taken: price and type have one form.
#[test]
fn price_and_type_cannot_lose_a_character() {
    let vector = vector("cp-s1");
    let digest = vector["sign"].as_str().unwrap();
    for (price, word, number) in [
        ("10.2", "3alipay", NUMBER),
        ("10.23a", "lipay", NUMBER),
        ("10.23", "alipayP", &NUMBER[1..]),
        ("10.23", "alipa", "yPMX20240301000001"),
    ] {
        let pairs = [
            ("appkey", APPKEY),
            ("price", price),
            ("type", word),
            ("out_order_id", number),
            ("custom", "user_42"),
            ("sign", digest),
        ];
        assert!(read(encode(&pairs)).is_err(), "{price} {word} {number}");
    }
}

/// Vector cp-s6: its digest is also that of a create whose number begins with the product and the order's id.
#[test]
fn the_sign_of_a_foreign_way_back_is_taken_and_ours_is_not() {
    let create = |number: &str, digest: &str| {
        let values = [
            ("appkey", APPKEY),
            ("price", "10.23"),
            ("type", "alipay"),
            ("out_order_id", number),
            ("sign", digest),
        ];
        read(encode(&values))
    };
    let theirs = vector("cp-s6")["sign"].as_str().unwrap().to_owned();
    assert!(create(&format!("77880012{NUMBER}"), &theirs).is_ok(), "another gateway's product has no mark");
    let ours = crate::front_notices::way_back();
    let digest = ours.split("sign=").nth(1).unwrap();
    let field = |name: &str| WireRequest::new(Verb::Get, "/").query(ours.clone()).query_value(name).unwrap();
    let number = format!("{}{}{}", field("product_id"), field("order_id"), field("out_order_id"));
    let answer = body(&create(&number, digest).unwrap_err());
    assert_eq!(answer["code"], 105);
}

#[test]
fn a_page_is_answered_with_its_picture_and_the_parameters() {
    let read = read(form("cp-s1")).unwrap();
    let opened =
        |action| body(&acceptor().answer(&read, &FrontAnswer::Opened { id: "1".to_owned(), action }, NOW));
    let url = "https://pay.example/pay/pay_1".to_owned();
    let answer = opened(Some(NextAction::Redirect { url: url.clone() }));
    let want = json!({"code": 100, "msg": "请求成功", "time": "1709251200", "data": {
        "pay_url": url, "qrcode_url": "https://pay.example/pay/pay_1/qr.svg",
        "params": {"appkey": APPKEY, "price": "10.23", "type": "alipay", "out_order_id": NUMBER, "custom": "user_42",
            "sign": vector("cp-s1")["sign"]}}});
    assert_eq!(answer, want);
    let with_query = opened(Some(NextAction::Qr { qr: "https://pay.example/p/?a=1&b=2".to_owned() }));
    assert_eq!(with_query["data"]["qrcode_url"], "https://pay.example/p/qr.svg?a=1&b=2");
    for odd in [
        None,
        Some(NextAction::Qr { qr: "weixin://x".to_owned() }),
        Some(NextAction::Html { html: "<p>".to_owned() }),
        Some(NextAction::App { params: json!({}) }),
    ] {
        assert_eq!(opened(odd)["code"], 199);
    }
    let silent = crate::front::read(creation(json!({"custom": null}))).unwrap();
    let answer = FrontAnswer::Opened {
        id: "1".to_owned(),
        action: Some(NextAction::Redirect { url: "https://x/y".to_owned() }),
    };
    assert!(body(&acceptor().answer(&silent, &answer, NOW))["data"]["params"].get("custom").is_none());
}

#[test]
fn answers_begin_with_the_code_as_the_document_has_it() {
    let read = read(form("cp-s1")).unwrap();
    let answer = acceptor().answer(&read, &FrontAnswer::InDoubt, NOW);
    let text = String::from_utf8(answer.body.to_vec()).unwrap();
    assert!(text.starts_with("{\"code\":199,\"msg\":\"未知错误 ("), "{text}");
    assert!(text.ends_with(",\"time\":\"1709251200\",\"data\":[]}"), "{text}");
}

#[test]
fn each_word_of_a_host_has_its_code() {
    let read = read(form("cp-s1")).unwrap();
    let check = |told: FrontAnswer, code: i64| {
        let answer = body(&acceptor().answer(&read, &told, NOW));
        assert_eq!((&answer["code"], &answer["data"]), (&json!(code), &json!([])), "{answer}");
    };
    check(FrontAnswer::InDoubt, 199);
    check(FrontAnswer::Paid { id: "1".to_owned() }, 199);
    check(FrontAnswer::Count(1), 199);
    check(FrontAnswer::Refund(None), 199);
    let field = |name: &str| FrontRefusal::Field { name: name.to_owned(), rule: "x".to_owned() };
    for (refusal, code) in [
        (FrontRefusal::NumberTaken, 199),
        (FrontRefusal::MethodUnavailable, 204),
        (field("price"), 201),
        (field("type"), 202),
        (field("out_order_id"), 105),
        (FrontRefusal::Upstream("no".to_owned()), 206),
        (FrontRefusal::Code(110), 110),
        (FrontRefusal::NoSuchOrder, 199),
        (FrontRefusal::RefundTooLarge, 199),
    ] {
        check(FrontAnswer::Refused(refusal), code);
    }
}

#[test]
fn only_the_one_path_and_verb_are_served() {
    let acceptor = acceptor();
    assert_eq!(acceptor.routes().len(), 1);
    assert_eq!((acceptor.slug(), acceptor.routes()[0].path), ("cloudpay", "/api/cloudpay/create"));
    for wrong in [
        WireRequest { verb: Verb::Get, ..request(form("cp-s1")) },
        WireRequest { path: "/api/cloudpay/query".to_owned(), ..request(form("cp-s1")) },
        WireRequest { path: "/API/cloudpay/create".to_owned(), ..request(form("cp-s1")) },
    ] {
        let answer = acceptor.read(&Accounts, &wrong, NOW).unwrap_err();
        assert_eq!(answer.status, 404);
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(body["code"], 107);
    }
    let slash = WireRequest { path: "/api/cloudpay/create/".to_owned(), ..request(form("cp-s1")) };
    assert!(acceptor.read(&Accounts, &slash, NOW).is_ok());
}

#[test]
fn a_previous_secret_and_other_types_are_settings_of_the_client() {
    let read = |patch: Value, form: String| acceptor().read(&Only(patch), &request(form), NOW);
    assert!(read(json!({"appsecret": "new-one"}), form("cp-s1")).is_err());
    assert!(read(json!({"appsecret": "new-one", "appsecret_previous": APPSECRET}), form("cp-s1")).is_ok());
    let types = json!({"types": {"alipay": "alipay", "wechat": "wxpay"}});
    let wechat = read(types.clone(), creation(json!({"type": "wxpay"}))).unwrap();
    assert_eq!(wechat.memo.split(' ').next(), Some("wxpay"));
    assert_eq!(pay(wechat).method.to_string(), "wechat.native");
    assert!(read(types, creation(json!({"type": "wechat"}))).is_err());
}

#[test]
fn a_client_needs_key_and_secret_and_addresses_are_web_addresses() {
    let check = |patch: Value, want: &[&str]| {
        let mut settings = json!({"appkey": APPKEY, "appsecret": APPSECRET});
        let object = settings.as_object_mut().unwrap();
        object.extend(patch.as_object().unwrap().clone());
        object.retain(|_, value| !value.is_null());
        let errors = acceptor().check_settings(object);
        assert_eq!(errors.iter().map(|error| error.key.as_str()).collect::<Vec<_>>(), want, "{patch}");
    };
    check(json!({}), &[]);
    check(
        json!({"appsecret_previous": "x", "return_url": "https://shop.example/paid?a=1", "timeout_url": "http://x/y"}),
        &[],
    );
    check(json!({"types": ["alipay", "wechat"]}), &[]);
    check(json!({"appkey": null, "appsecret": null}), &["appkey", "appsecret"]);
    check(json!({"appkey": "a b", "appsecret": 7, "x": 1}), &["x", "appkey", "appsecret"]);
    check(json!({"appsecret_previous": ""}), &["appsecret_previous"]);
    check(
        json!({"return_url": "shop.example", "timeout_url": "javascript:x"}),
        &["return_url", "timeout_url"],
    );
    check(json!({"types": ["x"]}), &["types"]);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let answer = read(bytes).unwrap_err();
        assert_eq!(answer.status, 200);
    }

    #[test]
    fn what_is_signed_is_read_as_it_was_sent(number in "[!-}]{1,64}", custom in ".{0,60}", fen in 1_i64..100_000_000) {
        let price = Money::fen(fen).to_decimal();
        let read = pay(read(creation(json!({"price": price, "out_order_id": number, "custom": custom}))).unwrap());
        assert_eq!((read.number, read.amount, read.echo), (number, Money::fen(fen), json!(custom)));
    }
}
