//! What the server side sends by itself, in cloudpay's form and sign.

use std::time::Duration;

use paymux_core::acceptor::{FrontFact, FrontOrder, FrontRefundRecord, FrontRefundState};
use paymux_core::{Money, Timestamp, Verb, WireRequest, WireResponse};
use serde_json::{Map, Value, json};

use crate::front::{NOW, acceptor, account};
use crate::rig::{APPKEY, APPSECRET, NOTIFY, NUMBER, RETURN, form, sign, vector};

/// The vectors' first order, as a host keeps it.
pub(crate) fn order() -> FrontOrder {
    FrontOrder {
        id: "880012".to_owned(),
        number: NUMBER.to_owned(),
        amount: Money::fen(1023),
        received: Some(Money::fen(1023)),
        discount: Money::fen(0),
        refunded: Money::fen(0),
        method: "alipay.native".parse().unwrap(),
        memo: format!("alipay {}", vector("cp-s1")["sign"].as_str().unwrap()),
        subject: NUMBER.to_owned(),
        trade_no: None,
        closed: false,
        created_at: Timestamp::from_ms(1),
        paid_at: Some(Timestamp::from_ms(1_709_251_200_999)),
        echo: json!("user_42"),
    }
}

fn told(order: FrontOrder) -> WireRequest {
    acceptor().notice(&account(json!({})), &FrontFact::Paid(Box::new(order)), NOW)
}

/// The query of the payer's way back.
pub(crate) fn way_back() -> String {
    acceptor().return_query(&account(json!({})), &order()).unwrap()
}

/// The pairs of a form in their order.
fn pairs(form: &str) -> Vec<(String, String)> {
    let read = WireRequest::new(Verb::Get, "/").query(form.to_owned());
    let names = form.split('&').map(|pair| pair.split('=').next().unwrap().to_owned());
    names.map(|name| (name.clone(), read.query_value(&name).unwrap())).collect()
}

fn text(request: &WireRequest) -> String {
    String::from_utf8(request.body.to_vec()).unwrap()
}

#[test]
fn the_vectors_notification_is_written_byte_for_byte() {
    let notice = told(order());
    assert_eq!(text(&notice), form("cp-s4"));
    assert_eq!(notice.verb, Verb::Post);
    assert_eq!(notice.headers.first("content-type"), Some("application/x-www-form-urlencoded"));
}

#[test]
fn a_notification_says_what_came_in_and_repeats_custom() {
    let less = FrontOrder { received: Some(Money::fen(1000)), echo: json!("张三 VIP\n"), ..order() };
    let fields: Map<String, Value> =
        pairs(&text(&told(less))).into_iter().map(|(name, value)| (name, json!(value))).collect();
    assert_eq!((&fields["price"], &fields["realprice"]), (&json!("10.23"), &json!("10.00")));
    assert_eq!(fields["extend"], "张三 VIP\n");
    let values: Vec<&str> = NOTIFY.iter().map(|name| fields[*name].as_str().unwrap()).collect();
    assert_eq!(fields["sign"], sign(APPKEY, &values, APPSECRET));
    let silent = FrontOrder { echo: Value::Null, ..order() };
    assert!(text(&told(silent)).contains("&extend=&"));
}

/// Clients read `order_id` as an integer.
#[test]
fn a_record_id_of_any_form_becomes_a_number() {
    for id in ["pay_018df74f840070008000000000000001", "65e1c0a9-f1b2-4c8b-9d21-5b0e6f7a8c90"] {
        let notice = text(&told(FrontOrder { id: id.to_owned(), ..order() }));
        let (_, number) = pairs(&notice).into_iter().find(|(name, _)| name == "order_id").unwrap();
        assert!(number.parse::<i64>().unwrap() > 0);
        assert_eq!(
            text(&told(FrontOrder { id: id.to_owned(), ..order() })),
            notice,
            "the same one each time"
        );
        assert!(
            acceptor()
                .return_query(&account(json!({})), &FrontOrder { id: id.to_owned(), ..order() })
                .unwrap()
                .contains(&number)
        );
    }
}

#[test]
fn the_way_back_is_signed_over_its_own_fields() {
    let pairs = pairs(&way_back());
    let names: Vec<&str> = pairs.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, [&RETURN[..], &["sign"]].concat());
    let values: Vec<&str> = pairs[..5].iter().map(|(_, value)| value.as_str()).collect();
    assert_eq!(values, ["10.23", "alipay", "~880012", "880012", NUMBER]);
    assert_eq!(pairs[5].1, sign(APPKEY, &values, APPSECRET));
}

#[test]
fn only_the_very_bytes_acknowledge() {
    let check = |status: u16, body: &'static str, want: bool| {
        let answer = WireResponse::with_status(status, "text/html", body);
        assert_eq!(acceptor().acknowledged(&answer), want, "{status} {body:?}");
    };
    check(200, "success", true);
    for body in ["success\n", " success", "\"success\"", "SUCCESS", "\u{feff}success", "fail", "ok", ""] {
        check(200, body, false);
    }
    for status in [201, 204, 302, 404, 500] {
        check(status, "success", false);
    }
}

/// The document promises one try; what comes after that is the host's.
#[test]
fn no_repeat_is_promised_and_a_refund_is_not_told() {
    assert_eq!(acceptor().schedule(), <[Duration; 0]>::default());
    let refund = FrontRefundRecord {
        id: "2".to_owned(),
        number: "R1".to_owned(),
        order: order(),
        amount: Money::fen(99),
        state: FrontRefundState::Done,
        created_at: NOW,
        ended_at: Some(NOW),
        echo: Value::Null,
    };
    assert!(!acceptor().tells(&FrontFact::Refunded(Box::new(refund.clone()))));
    assert!(acceptor().tells(&FrontFact::Paid(Box::new(order()))));
    let asked = acceptor().notice(&account(json!({})), &FrontFact::Refunded(Box::new(refund)), NOW);
    assert_eq!(text(&asked), form("cp-s4"), "whoever asks all the same repeats what is true");
}
