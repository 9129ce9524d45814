//! The server side: what it answers at both levels, and what its notifications say.

use std::time::Duration;

use paymux_core::acceptor::{
    FrontAnswer, FrontFact, FrontOrder, FrontRefundRecord, FrontRefundState, FrontRefusal,
};
use paymux_core::{Money, NextAction, Timestamp, Verb, WireResponse};
use serde_json::{Value, json};

use crate::front::{Accounts, NOW, acceptor, account, call, told};
use crate::rig::{AUTH_CODE, BUSI_ID, KEY, NUMBER, sign};

fn answered(operation: &str, patch: Value, answer: &FrontAnswer) -> WireResponse {
    let acceptor = acceptor();
    let read = acceptor.read(&Accounts, &call(operation, patch), NOW).unwrap();
    acceptor.answer(&read, answer, NOW.plus(Duration::from_secs(4)))
}

#[track_caller]
fn data(answer: &WireResponse) -> Value {
    assert_eq!(answer.status, 200);
    let body: Value = serde_json::from_slice(&answer.body).unwrap();
    assert_eq!(body["result"], json!({"return_code": "SUCCESS", "return_msg": "OK"}));
    body["data"].clone()
}

fn order(memo: &str) -> FrontOrder {
    FrontOrder {
        id: "r-1".to_owned(),
        number: NUMBER.to_owned(),
        amount: Money::fen(250),
        received: None,
        discount: Money::fen(0),
        refunded: Money::fen(0),
        method: "alipay.native".parse().unwrap(),
        memo: memo.to_owned(),
        subject: "tea".to_owned(),
        trade_no: None,
        closed: false,
        created_at: NOW,
        paid_at: None,
        echo: json!({"operator_id": "op1", "merchant_param": "c2hvcA=="}),
    }
}

fn paid(memo: &str) -> FrontOrder {
    FrontOrder {
        received: Some(Money::fen(250)),
        trade_no: Some("W1".to_owned()),
        paid_at: Some(NOW.plus(Duration::from_secs(9))),
        ..order(memo)
    }
}

fn refund(state: FrontRefundState) -> FrontRefundRecord {
    FrontRefundRecord {
        id: "rr-1".to_owned(),
        number: "R-1".to_owned(),
        order: paid("preOrder QRCODE 1"),
        amount: Money::fen(50),
        state,
        created_at: NOW,
        ended_at: Some(NOW.plus(Duration::from_mins(1))),
        echo: json!({"operator_id": "op1", "terminal_id": "t1"}),
    }
}

fn opened(action: NextAction) -> FrontAnswer {
    FrontAnswer::Opened { id: "r-1".to_owned(), action: Some(action) }
}

fn id() -> String {
    "r-1".to_owned()
}

/// F7: times are China's.
#[test]
fn a_paid_scan_has_state_one() {
    let data =
        data(&answered("order", json!({"merchant_param": "c2hvcA=="}), &FrontAnswer::Paid { id: id() }));
    let want = json!({"return_code": "SUCCESS", "return_msg": "OK", "channel_type": 1, "out_trade_no": NUMBER,
        "trade_no": format!("P{NUMBER}"), "auth_code": AUTH_CODE, "operator_id": "op1", "terminal_id": "t1",
        "merchant_param": "c2hvcA==", "begin_time": "20240301080000", "end_time": "20240301080004", "total_fee": 250,
        "fee_type": "CNY", "state": 1});
    assert_eq!(data, want);
}

/// F7: by the clock that the client names.
#[test]
fn times_are_the_clients_own() {
    let bangkok = json!({"time_zone": "Asia/Bangkok"});
    let scan = data(&answered("order", bangkok.clone(), &FrontAnswer::Paid { id: id() }));
    assert_eq!((&scan["begin_time"], &scan["time_zone"]), (&json!("20240301070000"), &json!("Asia/Bangkok")));
    let order = FrontOrder { echo: bangkok.clone(), ..paid("preOrder QRCODE 1") };
    let record = data(&answered("query", json!({}), &FrontAnswer::Order(Some(Box::new(order)))));
    assert_eq!(
        (&record["end_time"], &record["time_zone"]),
        (&json!("20240301070009"), &json!("Asia/Bangkok"))
    );
    let back = FrontRefundRecord { echo: bangkok, ..refund(FrontRefundState::Done) };
    let back = FrontAnswer::Refund(Some(Box::new(back)));
    assert_eq!(data(&answered("refund", json!({}), &back))["end_time"], "20240301070100");
    assert_eq!(data(&answered("refundQuery", json!({}), &back))["gmt_refund_time"], "20240301070100");
}

/// An unknown outcome is never answered as a refusal: of a scan it is state 0, elsewhere `EXCEPTION`.
#[test]
fn not_knowing_is_no_refusal() {
    for answer in [FrontAnswer::InDoubt, FrontAnswer::Opened { id: id(), action: None }] {
        let data = data(&answered("order", json!({}), &answer));
        assert_eq!((&data["return_code"], &data["state"]), (&json!("SUCCESS"), &json!(0)));
        assert_eq!(data.get("end_time"), None);
    }
    for operation in ["preOrder", "query", "cancel", "close", "refund", "refundQuery"] {
        // What does not fit the call is our own fault, and tells the client nothing either.
        for answer in [FrontAnswer::InDoubt, FrontAnswer::Count(1)] {
            let (level, code, _) = told(&answered(operation, json!({}), &answer));
            assert_eq!((level, code.as_str()), ("data", "EXCEPTION"), "{operation}");
        }
    }
}

/// F16: text of JSON, whatever the host's provider gave.
#[test]
fn a_pre_order_says_what_its_payer_must_do() {
    let qr = data(&answered(
        "preOrder",
        json!({"time_zone": "+08:00"}),
        &opened(NextAction::Qr { qr: "weixin://q".to_owned() }),
    ));
    let want = json!({"return_code": "SUCCESS", "return_msg": "OK", "out_trade_no": NUMBER,
        "trade_no": format!("P{NUMBER}"), "time_zone": "+08:00", "qr_code": "weixin://q"});
    assert_eq!(qr, want);
    let page = NextAction::Redirect { url: "https://pay.example/1".to_owned() };
    assert_eq!(data(&answered("preOrder", json!({}), &opened(page)))["qr_code"], "https://pay.example/1");

    let alipay = json!({"trade_type": "JSAPI", "channel_type": 1, "openId": "2088000000000001"});
    for params in [json!({"prePayId": "A1"}), json!({"trade_no": "A1"}), json!({"tradeNO": "A1"})] {
        let answer = answered("preOrder", alipay.clone(), &opened(NextAction::Jsapi { params }));
        assert_eq!(data(&answer)["prePayId"], "A1");
    }
    let wechat = json!({"trade_type": "JSAPI", "channel_type": 2, "openId": "o", "subAppId": "wx1"});
    let params = json!({"appId": "wx1", "package": "prepay_id=1"});
    let answer = answered("preOrder", wechat.clone(), &opened(NextAction::Jsapi { params: params.clone() }));
    let pay_info = data(&answer)["payInfo"].as_str().unwrap().to_owned();
    assert_eq!(serde_json::from_str::<Value>(&pay_info).unwrap(), params);

    for (patch, action) in [
        (json!({}), NextAction::Html { html: "<p>".to_owned() }),
        (json!({}), NextAction::Jsapi { params: json!({}) }),
        (alipay, NextAction::Jsapi { params: json!({}) }),
        (wechat, NextAction::Qr { qr: "q".to_owned() }),
    ] {
        assert_eq!(told(&answered("preOrder", patch, &opened(action))).1, "EXCEPTION");
    }
    let repeat = answered("preOrder", json!({}), &FrontAnswer::Paid { id: id() });
    assert_eq!(told(&repeat).1, "SERIAL_REPEAT");
}

#[test]
fn a_question_is_answered_with_the_record() {
    let of =
        |order: FrontOrder| data(&answered("query", json!({}), &FrontAnswer::Order(Some(Box::new(order)))));
    let want = json!({"return_code": "SUCCESS", "return_msg": "OK", "channel_type": 1, "out_trade_no": NUMBER,
        "trade_no": format!("P{NUMBER}"), "channel_trade_no": "W1", "operator_id": "op1", "merchant_param": "c2hvcA==",
        "begin_time": "20240301080000", "end_time": "20240301080009", "fee_type": "CNY", "state": 1});
    assert_eq!(of(paid("preOrder QRCODE 1")), want);

    let back = |fen: i64| FrontOrder { refunded: Money::fen(fen), ..paid("preOrder QRCODE 1") };
    let closed = |memo: &str| FrontOrder { closed: true, ..order(memo) };
    for (order, state) in [
        (order("preOrder QRCODE 1"), 0),
        (order("order 1 1709251200000"), 0),
        (closed("preOrder JSAPI 2"), 6),
        (closed("order 1 1709251200000"), 2),
        (closed("made elsewhere"), 6),
        (back(50), 4),
        (back(250), 5),
    ] {
        let memo = order.memo.clone();
        assert_eq!(of(order)["state"], state, "{memo}");
    }
    assert_eq!(of(back(50))["refund_fee"], 50);
    assert_eq!(of(order("made elsewhere"))["channel_type"], 1, "by its wallet");
    let none = told(&answered("query", json!({}), &FrontAnswer::Order(None)));
    assert_eq!((none.0, none.1.as_str()), ("data", "CHARGE_NONEXISTENT"));
}

#[test]
fn cancels_and_closes_say_whether_it_is_over() {
    for operation in ["cancel", "close"] {
        let done = data(&answered(operation, json!({}), &FrontAnswer::Canceled(true)));
        assert_eq!((&done["return_code"], &done["out_trade_no"]), (&json!("SUCCESS"), &json!(NUMBER)));
        assert_eq!(told(&answered(operation, json!({}), &FrontAnswer::Canceled(false))).1, "FAIL");
        assert_eq!(told(&answered(operation, json!({}), &FrontAnswer::Order(None))).1, "CHARGE_NONEXISTENT");
    }
}

#[test]
fn a_refund_is_accepted_and_its_end_is_asked_for() {
    use FrontRefundState as S;
    let of = |operation: &str, state: S| {
        answered(
            operation,
            json!({"out_trade_no": if operation == "refund" { NUMBER } else { "R-1" }}),
            &FrontAnswer::Refund(Some(Box::new(refund(state)))),
        )
    };
    let want = json!({"return_code": "SUCCESS", "return_msg": "OK", "out_trade_no": NUMBER,
        "trade_no": format!("P{NUMBER}"), "out_refund_no": "R-1", "refund_no": "rr-1", "operator_id": "op1",
        "terminal_id": "t1", "channel_type": 1, "begin_time": "20240301080000", "end_time": "20240301080100",
        "refund_fee": 50, "fee_type": "CNY"});
    let action = || S::NeedsAction { url: "https://h".to_owned() };
    for state in [S::Pending, S::Done, S::AwaitsApproval, action()] {
        assert_eq!(data(&of("refund", state)), want);
    }
    assert_eq!(told(&of("refund", S::Failed)).1, "FAIL");

    let done = data(&of("refundQuery", S::Done));
    assert_eq!((&done["out_trade_no"], &done["trade_status"]), (&json!("R-1"), &json!("succ")));
    assert_eq!((&done["refund_fee"], &done["gmt_refund_time"]), (&json!(50), &json!("20240301080100")));
    for (state, word) in [
        (S::Failed, "fail"),
        (S::Pending, "refunding"),
        (S::AwaitsApproval, "refunding"),
        (action(), "refunding"),
    ] {
        let data = data(&of("refundQuery", state));
        assert_eq!(data["trade_status"], word);
        assert_eq!(data.get("refund_fee"), None, "only once it is done");
    }
    let none = answered("refundQuery", json!({}), &FrontAnswer::Refund(None));
    assert_eq!(told(&none).1, "CHARGE_NONEXISTENT");
}

#[test]
fn each_refusal_has_its_code() {
    let field = |name: &str| FrontRefusal::Field { name: name.to_owned(), rule: "at least 1".to_owned() };
    for (refusal, code) in [
        (FrontRefusal::NumberTaken, "SERIAL_REPEAT"),
        (FrontRefusal::MethodUnavailable, "INVALID_CONTRACT"),
        (field("total_fee"), "AMT_ERROR"),
        (field("refund_fee"), "AMT_ERROR"),
        (field("pay_subject"), "ILLEGAL_PARAMETER"),
        (FrontRefusal::NoSuchOrder, "CHARGE_NONEXISTENT"),
        (FrontRefusal::NoSuchRefund, "CHARGE_NONEXISTENT"),
        (FrontRefusal::OrderUnpaid, "FAIL"),
        (FrontRefusal::RefundTooLate, "FAIL"),
        (FrontRefusal::RefundInProgress, "FAIL"),
        (FrontRefusal::RefundTooLarge, "AMT_ERROR"),
        (FrontRefusal::Upstream("too little money".to_owned()), "FAIL"),
        (FrontRefusal::Code(0), "SUCESS"),
        (FrontRefusal::Code(8), "EXCEPTION"),
        (FrontRefusal::Code(15), "SERIAL_REPEAT"),
        (FrontRefusal::Code(16), "EXCEPTION"),
        (FrontRefusal::Code(-1), "EXCEPTION"),
    ] {
        for operation in ["order", "preOrder", "refund"] {
            let (level, got, _) =
                told(&answered(operation, json!({}), &FrontAnswer::Refused(refusal.clone())));
            assert_eq!((level, got.as_str()), ("data", code), "{refusal:?}");
        }
    }
}

#[test]
fn a_notification_is_signed_in_its_address() {
    let acceptor = acceptor();
    let notice = acceptor.notice(&account(), &FrontFact::Paid(Box::new(paid("preOrder QRCODE 1"))), NOW);
    assert_eq!((notice.verb, notice.path.as_str()), (Verb::Post, "/"));
    assert_eq!(notice.query, Some(format!("sign={}", sign("1709251200000", KEY, &notice.body))));
    let body: Value = serde_json::from_slice(&notice.body).unwrap();
    assert_eq!(body["result"]["return_code"], "SUCCESS");
    let want = json!({"return_code": "SUCCESS", "busi_id": BUSI_ID, "channel_type": 1, "out_trade_no": NUMBER,
        "trade_no": format!("P{NUMBER}"), "channel_trade_no": "W1", "operator_id": "op1", "merchant_param": "c2hvcA==",
        "begin_time": "20240301080000", "end_time": "20240301080009", "total_fee": 250, "fee_type": "CNY", "state": 1});
    assert_eq!(body["data"], want);

    let later = FrontOrder { refunded: Money::fen(50), ..paid("preOrder QRCODE 1") };
    let told: Value =
        serde_json::from_slice(&acceptor.notice(&account(), &FrontFact::Paid(Box::new(later)), NOW).body)
            .unwrap();
    assert_eq!((&told["data"]["state"], told["data"].get("refund_fee")), (&json!(1), None));
    let cheaper =
        FrontOrder { received: Some(Money::fen(240)), discount: Money::fen(10), ..paid("preOrder QRCODE 1") };
    let told: Value =
        serde_json::from_slice(&acceptor.notice(&account(), &FrontFact::Paid(Box::new(cheaper)), NOW).body)
            .unwrap();
    assert_eq!(told["data"]["total_fee"], 250, "what the client asked for is paid");

    let mut nobody = account();
    nobody.settings.clear();
    assert_eq!(acceptor.notice(&nobody, &FrontFact::Paid(Box::new(paid("x"))), NOW).query, None);
    let ancient = acceptor.notice(&account(), &FrontFact::Paid(Box::new(paid("x"))), Timestamp::from_ms(0));
    assert_eq!(ancient.query, None, "a time that no sign can carry");
}

/// Only orders that a payer acts on are told of.
#[test]
fn scans_and_refunds_are_told_of_by_nobody() {
    let acceptor = acceptor();
    let tells = |memo: &str| acceptor.tells(&FrontFact::Paid(Box::new(paid(memo))));
    assert!(tells("preOrder QRCODE 1") && tells("preOrder JSAPI 2") && tells("made elsewhere"));
    assert!(!tells("order 1 1709251200000"));
    let back = FrontFact::Refunded(Box::new(refund(FrontRefundState::Done)));
    assert!(!acceptor.tells(&back));
    let body = acceptor.notice(&account(), &back, NOW).body;
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body, json!({"result": {"return_code": "FAIL", "return_msg": "FAIL"}}), "credits nobody");
}

/// F19: five tries in all; exactly seven bytes with status 200 end them.
#[test]
fn five_tries_five_seconds_apart() {
    let acceptor = acceptor();
    let moments: Vec<_> = acceptor.schedule().iter().map(Duration::as_secs).collect();
    assert_eq!(moments, [5, 10, 15, 20]);
    for (status, body, ends) in [
        (200, "SUCCESS", true),
        (200, "SUCCESS\n", false),
        (200, " SUCCESS", false),
        (200, "success", false),
        (200, "\"SUCCESS\"", false),
        (200, "", false),
        (201, "SUCCESS", false),
        (500, "SUCCESS", false),
    ] {
        let answer = WireResponse::with_status(status, "text/plain", body);
        assert_eq!(acceptor.acknowledged(&answer), ends, "{status} {body:?}");
    }
}
