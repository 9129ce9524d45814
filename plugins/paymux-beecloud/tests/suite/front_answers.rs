//! The server side: what it answers, what it writes into records and webhooks.

use std::time::Duration;

use paymux_core::acceptor::{FrontAnswer, FrontFact, FrontOrder, FrontRefusal};
use paymux_core::{Money, NextAction, Timestamp, Verb, WireRequest, WireResponse};
use serde_json::{Value, json};

use crate::front::{NOW, acceptor, account, ask, post, read};
use crate::rig::NUMBER;

fn create(channel: &str) -> WireRequest {
    let path = if channel.ends_with("SCAN") || channel.contains("OFFLINE") {
        "/2/rest/offline/bill"
    } else {
        "/2/rest/bill"
    };
    create_at(path, channel)
}

fn create_at(path: &str, channel: &str) -> WireRequest {
    post(
        path,
        json!({"channel": channel, "total_fee": 1023, "bill_no": NUMBER, "title": "Tea", "openid": "o",
        "return_url": "https://h/", "auth_code": "281234567890123456", "store_id": "S", "identity_id": "u",
        "cardno": "1", "cardpwd": "2", "frqid": "SZX", "bank": "BOC", "qr_pay_mode": "0"}),
    )
}

pub(crate) fn answered(request: &WireRequest, answer: FrontAnswer) -> Value {
    let read = read(request).unwrap();
    let response: WireResponse = acceptor().answer(&read, &answer, NOW);
    assert_eq!((response.status, response.headers.first("content-type")), (200, Some("application/json")));
    let body: Value = serde_json::from_slice(&response.body).unwrap();
    for (key, is) in [
        ("result_code", Value::is_i64 as fn(&Value) -> bool),
        ("result_msg", Value::is_string),
        ("err_detail", Value::is_string),
    ] {
        assert!(is(&body[key]), "{key}: {body}");
    }
    body
}

fn opened(action: NextAction) -> FrontAnswer {
    FrontAnswer::Opened { id: "r-1".to_owned(), action: Some(action) }
}

pub(crate) fn order(patch: impl FnOnce(&mut FrontOrder)) -> FrontOrder {
    let mut order = FrontOrder {
        id: "r-1".to_owned(),
        number: NUMBER.to_owned(),
        amount: Money::fen(1023),
        received: Some(Money::fen(1023)),
        discount: Money::fen(0),
        refunded: Money::fen(0),
        method: "wechat.native".parse().unwrap(),
        memo: "bill WX_NATIVE WX".to_owned(),
        subject: "红茶 A".to_owned(),
        trade_no: Some("4200".to_owned()),
        closed: false,
        created_at: Timestamp::from_ms(1_709_251_200_000),
        paid_at: Some(Timestamp::from_ms(1_709_251_260_000)),
        echo: json!({"shop": "7"}),
    };
    patch(&mut order);
    order
}

#[test]
fn what_the_payer_must_do_stands_under_the_codes_own_names() {
    let qr = || NextAction::Qr { qr: "weixin://x".to_owned() };
    let url = || NextAction::Redirect { url: "https://p.example/c?name=\"v\"&b=1".to_owned() };
    let native = answered(&create("WX_NATIVE"), opened(qr()));
    assert_eq!(
        native,
        json!({"result_code": 0, "result_msg": "OK", "err_detail": "", "id": "r-1", "code_url": "weixin://x"})
    );
    let till = answered(&create_at("/2/rest/offline/bill", "WX_NATIVE"), opened(qr()));
    assert_eq!((&till["code_url"], &till["pay_result"]), (&json!("weixin://x"), &json!(false)));
    let ali = answered(&create("ALI_OFFLINE_QRCODE"), opened(qr()));
    assert_eq!((&ali["code_url"], &ali["qr_code"]), (&json!("weixin://x"), &json!("weixin://x")));
    let led = answered(&create("ALI_OFFLINE_QRCODE"), opened(url()));
    assert_eq!((&led["code_url"], &led["qr_code"]), (&led["url"], &led["url"]));
    assert!(led["url"].is_string());
    for page in ["ALI_WEB", "UN_WEB", "WX_WAP", "JD_WEB", "KUAIQIAN_WEB", "BC_GATEWAY"] {
        let body = answered(&create(page), opened(url()));
        assert_eq!(body["url"], "https://p.example/c?name=\"v\"&b=1", "{page}");
        let html = body["html"].as_str().unwrap();
        assert!(html.contains("0;url=https://p.example/c?name=&quot;v&quot;&amp;b=1\""), "{html}");
    }
    let html = answered(&create("UN_WEB"), opened(NextAction::Html { html: "<form>".to_owned() }));
    assert_eq!((&html["html"], html.get("url")), (&json!("<form>"), None));
    assert_eq!(
        answered(&create("BC_ALI_WAP"), opened(url()))["code_url"],
        "https://p.example/c?name=\"v\"&b=1"
    );
    let bridge = json!({"appId": "wx", "timeStamp": "1", "nonceStr": "n", "package": "p", "signType": "MD5", "paySign": "s"});
    let jsapi = answered(&create("WX_JSAPI"), opened(NextAction::Jsapi { params: bridge }));
    for (name, value) in [
        ("app_id", "wx"),
        ("timestamp", "1"),
        ("nonce_str", "n"),
        ("package", "p"),
        ("sign_type", "MD5"),
        ("pay_sign", "s"),
    ] {
        assert_eq!(jsapi[name], value, "{name}");
    }
    let hostile = json!({"tn": "201", "result_code": 9, "id": "x", "err_detail": "x"});
    let app = answered(&create("UN_APP"), opened(NextAction::App { params: hostile }));
    assert_eq!((&app["tn"], &app["result_code"], &app["id"]), (&json!("201"), &json!(0), &json!("r-1")));
    let nothing =
        answered(&create("YEE_NOBANKCARD"), FrontAnswer::Opened { id: "r-1".to_owned(), action: None });
    assert_eq!(nothing, json!({"result_code": 0, "result_msg": "OK", "err_detail": "", "id": "r-1"}));
}

#[test]
fn a_barcode_is_paid_or_waits() {
    let paid = answered(&create("WX_SCAN"), FrontAnswer::Paid { id: "r-1".to_owned() });
    assert_eq!((&paid["pay_result"], &paid["id"]), (&json!(true), &json!("r-1")));
    let waits = answered(&create("WX_SCAN"), FrontAnswer::Opened { id: "r-1".to_owned(), action: None });
    assert_eq!(waits["pay_result"], false);
    let either = answered(&create("BC_SCAN"), FrontAnswer::Paid { id: "r-1".to_owned() });
    assert_eq!(either["channel_type"], "ALI_SCAN");
    let doubt = answered(&create("BC_SCAN"), FrontAnswer::InDoubt);
    assert_eq!((&doubt["channel_type"], &doubt["pay_result"]), (&json!("ALI_SCAN"), &json!(false)));
    assert_eq!(doubt.get("id"), None);
}

#[test]
fn doubt_is_never_a_refusal() {
    let online = answered(&create("WX_NATIVE"), FrontAnswer::InDoubt);
    assert_eq!((&online["result_code"], &online["result_msg"]), (&json!(14), &json!("RUNTIME_ERROR")));
    let scan = answered(&create("WX_SCAN"), FrontAnswer::InDoubt);
    assert_eq!((&scan["result_code"], &scan["pay_result"]), (&json!(0), &json!(false)));
    let status = post("/2/rest/offline/bill/status", json!({"bill_no": NUMBER}));
    assert_eq!(answered(&status, FrontAnswer::InDoubt)["pay_result"], false);
    let revert = post(&format!("/2/rest/offline/bill/{NUMBER}"), json!({}));
    assert_eq!(answered(&revert, FrontAnswer::InDoubt)["result_code"], 14);
}

#[test]
fn refusals_have_their_codes() {
    check(FrontRefusal::NumberTaken, 17, "BILL_NO_DUPLICATE");
    check(FrontRefusal::MethodUnavailable, 3, "CHANNEL_INVALID");
    check(FrontRefusal::Field { name: "openid".to_owned(), rule: "too long".to_owned() }, 5, "PARAM_INVALID");
    check(FrontRefusal::Upstream("no money".to_owned()), 7, "CHANNEL_ERROR");
    check(FrontRefusal::Code(2), 2, "PAY_FACTOR_NOT_SET");
    check(FrontRefusal::Code(16), 16, "PREREFUND_DUPLICATE");

    #[track_caller]
    fn check(refusal: FrontRefusal, code: i64, name: &str) {
        for channel in ["WX_NATIVE", "WX_SCAN"] {
            let body = answered(&create(channel), FrontAnswer::Refused(refusal.clone()));
            assert_eq!((&body["result_code"], &body["result_msg"]), (&json!(code), &json!(name)));
            assert_eq!(
                body.get("pay_result").is_some(),
                channel == "WX_SCAN",
                "Java wants it in every till answer"
            );
        }
    }
}

#[test]
fn status_and_revert_answer_booleans() {
    let status = post("/2/rest/offline/bill/status", json!({"bill_no": NUMBER}));
    let told = |order: Option<FrontOrder>| answered(&status, FrontAnswer::Order(order.map(Box::new)));
    assert_eq!(told(Some(order(|_| ())))["pay_result"], true);
    assert_eq!(told(Some(order(|order| order.received = None)))["pay_result"], false);
    let absent = told(None);
    assert_eq!((&absent["result_code"], &absent["pay_result"]), (&json!(8), &json!(false)));
    let revert = post(&format!("/2/rest/offline/bill/{NUMBER}"), json!({"method": "REVERT"}));
    let done = answered(&revert, FrontAnswer::Canceled(true));
    assert_eq!((&done["revert_status"], &done["pay_result"]), (&json!(true), &json!(false)));
    assert_eq!(answered(&revert, FrontAnswer::Canceled(false))["revert_status"], false);
    assert_eq!(answered(&revert, FrontAnswer::Order(None))["result_code"], 8);
}

#[test]
fn records_have_every_field_that_an_sdk_reads() {
    let list = ask("/2/rest/bills", json!({}));
    let body = answered(&list, FrontAnswer::Orders(vec![order(|_| ())]));
    assert_eq!(
        body["bills"],
        json!([{"id": "r-1", "bill_no": NUMBER, "title": "红茶 A", "bill_fee": 1023, "total_fee": 1023, "discount": 0,
            "coupon_id": null, "trade_no": "4200", "channel": "WX", "sub_channel": "WX_NATIVE", "buyer_id": "",
            "seller_id": "", "store_id": "", "operator_id": "", "spay_result": true, "revert_result": false,
            "refund_result": false, "create_time": 1_709_251_200_000_i64, "success_time": 1_709_251_260_000_i64,
            "optional": "{\"shop\":\"7\"}"}])
    );
    let unpaid = order(|order| {
        order.received = None;
        order.trade_no = None;
        order.paid_at = None;
        order.echo = Value::Null;
    });
    let detailed = ask("/2/rest/bills", json!({"need_detail": true}));
    let body = answered(&detailed, FrontAnswer::Orders(vec![unpaid]));
    let row = &body["bills"][0];
    assert_eq!(
        (&row["spay_result"], &row["trade_no"], &row["optional"]),
        (&json!(false), &json!(""), &json!("{}"))
    );
    assert_eq!(
        (row.get("success_time"), &row["message_detail"], &row["total_fee"]),
        (None, &json!("{}"), &json!(1023))
    );
    assert_eq!(answered(&list, FrontAnswer::Orders(Vec::new()))["bills"], json!([]));
}

#[test]
fn a_refund_shows_in_the_orders_record() {
    let refunded = order(|order| order.refunded = Money::fen(1));
    let body = answered(&ask("/2/rest/bills", json!({})), FrontAnswer::Orders(vec![refunded]));
    assert_eq!(body["bills"][0]["refund_result"], true, "true after any success");
}

#[test]
fn a_discount_shows_in_the_record() {
    let discounted = order(|order| {
        order.received = Some(Money::fen(923));
        order.discount = Money::fen(100);
    });
    let row =
        answered(&ask("/2/rest/bills", json!({})), FrontAnswer::Orders(vec![discounted]))["bills"][0].clone();
    assert_eq!(
        (&row["bill_fee"], &row["total_fee"], &row["discount"]),
        (&json!(1023), &json!(923), &json!(100))
    );
}

#[test]
fn counts_and_single_records() {
    let count = ask("/2/rest/bills/count", json!({}));
    assert_eq!(answered(&count, FrontAnswer::Count(7))["count"], 7);
    let one = ask("/2/rest/bill/r-1", json!({}));
    let by_list = answered(&one, FrontAnswer::Orders(vec![order(|_| ())]));
    let by_order = answered(&one, FrontAnswer::Order(Some(Box::new(order(|_| ())))));
    assert_eq!(by_list, by_order);
    assert_eq!(by_list["pay"]["bill_no"], NUMBER);
    for absent in [FrontAnswer::Orders(Vec::new()), FrontAnswer::Order(None)] {
        let body = answered(&one, absent);
        assert_eq!((&body["result_code"], body.get("pay")), (&json!(8), None));
    }
}

#[test]
fn an_order_that_came_another_way_still_has_a_channel() {
    let native = order(|order| order.memo = String::new());
    let row =
        answered(&ask("/2/rest/bills", json!({})), FrontAnswer::Orders(vec![native]))["bills"][0].clone();
    assert_eq!((&row["channel"], &row["sub_channel"]), (&json!("WX"), &json!("WX_NATIVE")));
}

fn notice(order: FrontOrder) -> WireRequest {
    acceptor().notice(&account(), &FrontFact::Paid(Box::new(order)), Timestamp::from_ms(1_709_251_260_000))
}

#[test]
fn the_webhook_is_signed_as_the_vector_is() {
    let request = notice(order(|_| ()));
    assert_eq!((request.verb, request.headers.first("content-type")), (Verb::Post, Some("application/json")));
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(
        body,
        json!({"signature": "2ac475a54bb32b29ae32f97b301e3def", "timestamp": 1_709_251_260_000_i64, "channel_type": "WX",
            "sub_channel_type": "WX_NATIVE", "transaction_type": "PAY", "transaction_id": NUMBER,
            "transaction_fee": 1023, "bill_fee": 1023, "discount": 0, "coupon_id": null, "trade_success": true,
            "message_detail": {"out_trade_no": NUMBER, "transaction_id": "4200", "trade_no": "4200", "total_fee": "1023"},
            "optional": {"shop": "7"}})
    );
}

#[test]
fn a_webhook_survives_a_receiver_that_decodes_it_as_a_url() {
    let request = notice(order(|order| order.echo = json!({"a": "1+1=2, 100%", "b": [1, true, null]})));
    let text = std::str::from_utf8(&request.body).unwrap();
    assert!(!text.contains('+') && !text.contains('%'), "{text}");
    let body: Value = serde_json::from_str(text).unwrap();
    assert_eq!(body["optional"]["a"], "1+1=2, 100%");
    let odd = notice(order(|order| order.echo = json!("text")));
    let body: Value = serde_json::from_slice(&odd.body).unwrap();
    assert_eq!(body["optional"], json!({}), "it is an object always");
}

#[test]
fn a_webhook_tells_what_really_came_in() {
    let request = notice(order(|order| {
        order.received = Some(Money::fen(923));
        order.discount = Money::fen(100);
    }));
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(
        (&body["transaction_fee"], &body["bill_fee"], &body["discount"]),
        (&json!(923), &json!(1023), &json!(100))
    );
}

#[test]
fn an_account_without_a_master_secret_signs_nothing() {
    let mut account = account();
    account.settings.remove("master_secret");
    let request = acceptor().notice(&account, &FrontFact::Paid(Box::new(order(|_| ()))), NOW);
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body["signature"], "");
}

#[test]
fn the_acknowledgement_is_success_trimmed() {
    for (status, body, good) in [
        (200, "success", true),
        (201, "\r\n success\n", true),
        (200, "SUCCESS", false),
        (200, "success!", false),
        (200, "", false),
        (200, "fail", false),
        (500, "success", false),
        (302, "success", false),
    ] {
        assert_eq!(
            acceptor().acknowledged(&WireResponse::with_status(status, "text/plain", body)),
            good,
            "{status} {body}"
        );
    }
    let no_text = WireResponse::with_status(200, "text/plain", vec![0xff, 0xfe]);
    assert!(!acceptor().acknowledged(&no_text));
}

#[test]
fn repeats_come_at_powers_of_two() {
    let schedule = acceptor().schedule();
    assert_eq!(schedule.len(), 17);
    assert_eq!(schedule[..3], [2, 4, 8].map(Duration::from_secs));
    assert_eq!(schedule[16], Duration::from_secs(131_072));
}
