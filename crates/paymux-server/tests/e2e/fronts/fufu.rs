//! A client of FuFu, whose payments go to BeeCloud.
//!
//! Source: FuFu interface 1.1.1.

use paymux_core::{Verb, WireRequest};
use paymux_server::plugins::Simulated;
use paymux_sim::{CallFault, NoticeFault, Rule};
use serde_json::{Value, json};

use super::{Stand, Told, md5, now_ms, until};

const BUSI_ID: &str = "100000000000007";
const KEY: &str = "0123456789abcdef0123456789abcdef";

async fn stand() -> Stand {
    let credentials = format!("busi_id = \"{BUSI_ID}\"\nkey = \"{KEY}\"");
    Stand::open("fufu", &credentials, Simulated::BeeCloud, "SUCCESS").await
}

/// Time, key, and the body without blanks and line breaks.
fn sign(body: &str, time: &str) -> String {
    format!("{}:{time}", md5(&format!("{time}{KEY}{}", body.replace([' ', '\r', '\n'], ""))))
}

/// The fields of a call, and who acts where.
fn call(own: &Value) -> Value {
    let mut fields = json!({"busi_id": BUSI_ID, "operator_id": "o1", "terminal_id": "t1"});
    fields.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
    fields
}

fn code(out_trade_no: &str) -> Value {
    json!({"out_trade_no": out_trade_no, "total_fee": 1999, "pay_subject": "A pot of tea",
        "trade_type": "QRCODE", "channel_type": 2, "time_expire": 10, "merchant_param": "table-7"})
}

impl Stand {
    async fn ask(&self, operation: &str, own: &Value) -> Value {
        let body = call(own).to_string();
        self.ask_signed(operation, &body, &sign(&body, &now_ms().to_string())).await
    }

    async fn ask_signed(&self, operation: &str, body: &str, sign: &str) -> Value {
        let request = WireRequest::new(Verb::Post, format!("/gateway/pay/{operation}"))
            .query(format!("sign={sign}"))
            .body("application/json", body.to_owned());
        let answer = self.http.send("", request).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.body
    }

    async fn state(&self, out_trade_no: &str) -> i64 {
        let order = self.ask("query", &json!({"out_trade_no": out_trade_no})).await;
        assert_eq!(order["data"]["return_code"], "SUCCESS", "{order}");
        order["data"]["state"].as_i64().unwrap()
    }
}

/// Whether a notification is FuFu's, and tells that this order was paid.
#[track_caller]
fn check_notice(told: &Told, out_trade_no: &str) {
    let received = told.query.strip_prefix("sign=").unwrap();
    let (_, time) = received.split_once(':').unwrap();
    assert_eq!(received, sign(&told.body, time), "{told:?}");
    let body = told.json();
    let data = &body["data"];
    assert_eq!(body["result"]["return_code"], "SUCCESS", "{body}");
    assert_eq!(
        (&data["out_trade_no"], &data["total_fee"], &data["state"], &data["busi_id"]),
        (&json!(out_trade_no), &json!(1999), &json!(1), &json!(BUSI_ID))
    );
}

#[tokio::test]
async fn a_code_is_shown_paid_told_of_and_paid_back() {
    let stand = stand().await;
    let mut order = code("1001/A");
    order["notifyUrl"] = json!(stand.hook.url());
    let created = stand.ask("preOrder", &order).await;
    assert_eq!(created["data"]["return_code"], "SUCCESS", "{created}");
    let number = stand.upstream_number();
    assert_eq!(created["data"]["qr_code"], json!(stand.bank().pay_url(&number).unwrap()));
    assert_eq!(stand.state("1001/A").await, 0);
    stand.bank().pay(&number).unwrap();
    check_notice(&stand.hook.told(1).await[0], "1001/A");
    assert_eq!(stand.state("1001/A").await, 1);
    let native = stand.native(&super::encoded("1001/A")).await;
    assert_eq!((&native["status"], &native["provider"]), (&json!("succeeded"), &json!("beecloud")));
    let repeat = stand.ask("preOrder", &order).await;
    assert_eq!(repeat["data"]["return_msg"], "SERIAL_REPEAT", "{repeat}");
    let none = stand.ask("query", &json!({"out_trade_no": "1001/B"})).await;
    assert_eq!(none["data"]["return_msg"], "CHARGE_NONEXISTENT", "{none}");

    let refund = json!({"out_trade_no": "1001/A", "out_refund_no": "R/1", "refund_fee": 500,
        "refund_subject": "too cold"});
    let refunded = stand.ask("refund", &refund).await;
    assert_eq!(refunded["data"]["return_code"], "SUCCESS", "{refunded}");
    let question = json!({"out_trade_no": "R/1"});
    let ask = async || stand.ask("refundQuery", &question).await;
    let done = until(ask, |answer| answer["data"]["trade_status"] == "succ").await;
    assert_eq!(done["data"]["refund_fee"], 500, "{done}");
    assert_eq!(stand.state("1001/A").await, 4, "partly refunded");
    let again = stand.ask("refund", &refund).await;
    assert_eq!(again["data"]["return_code"], "SUCCESS", "the same refund: {again}");
    assert_eq!(stand.bank().refunds().len(), 1);
    stand.close(&[KEY]).await;
}

#[tokio::test]
async fn an_open_outcome_is_never_a_refusal() {
    let stand = stand().await;
    stand.bank().strike_call(Rule::once(CallFault::CloseAfter).on("pay")).unwrap();
    let created = stand.ask("preOrder", &code("A1001")).await;
    assert_eq!(created["data"]["return_msg"], "EXCEPTION", "{created}");
    assert_eq!(stand.state("A1001").await, 0);
    stand.bank().pay(&stand.upstream_number()).unwrap();
    check_notice(&stand.hook.told(1).await[0], "A1001");
    assert_eq!(stand.state("A1001").await, 1);
    let mut other = code("A1001");
    other["total_fee"] = json!(1);
    assert_eq!(stand.ask("preOrder", &other).await["data"]["return_msg"], "SERIAL_REPEAT");
    stand.upstream_number();
    stand.close(&[KEY]).await;
}

/// The payer has paid, and nobody says so: the till is told to ask, and then the truth.
#[tokio::test]
async fn a_scan_in_doubt_is_a_success_with_an_open_state() {
    let stand = stand().await;
    // Else the webhook could be here before the answer is.
    stand.bank().strike_notice(Rule::once(NoticeFault::Lost).times(99)).unwrap();
    let auth_code = "134567890123456783";
    let order = json!({"out_trade_no": "A1001", "total_fee": 1999, "pay_subject": "A pot of tea",
        "channel_type": 2, "auth_code": auth_code});
    let created = stand.ask("order", &order).await;
    assert_eq!(created["data"]["return_code"], "SUCCESS", "{created}");
    assert_eq!(created["data"]["state"], 0, "{created}");
    let question = json!({"out_trade_no": "A1001"});
    let ask = async || stand.ask("query", &question).await;
    until(ask, |order| order["data"]["state"] == 1).await;
    stand.upstream_number();
    stand.close(&[KEY, auth_code]).await;
}

/// The sign covers neither the operation nor blanks.
#[tokio::test]
async fn a_captured_sign_fits_its_operation_and_its_bytes() {
    let mut stand = stand().await;
    stand.ask("preOrder", &code("A1001")).await;
    let body = call(&json!({"out_trade_no": "A1001"})).to_string();
    let captured = sign(&body, &now_ms().to_string());
    let order = stand.ask_signed("query", &body, &captured).await;
    assert_eq!(order["data"]["state"], 0, "{order}");
    let repeat = stand.ask_signed("query", &body, &captured).await;
    assert_eq!(repeat["data"]["state"], 0, "{repeat}");
    for _ in 0..2 {
        for (operation, body) in [("close", body.clone()), ("query", body.replace(':', ": "))] {
            let refused = stand.ask_signed(operation, &body, &captured).await;
            assert_eq!(refused["result"]["return_msg"], "INVALID_SIGN", "{operation}: {refused}");
        }
        // Another process knows it by the ledger alone.
        stand.restart().await;
    }
    let old = sign(&body, "1709251200000");
    let refused = stand.ask_signed("query", &body, &old).await;
    assert_eq!(refused["result"]["return_msg"], "INVALID_SIGN", "too old to be known: {refused}");
    let closed = stand.ask("close", &json!({"out_trade_no": "A1001"})).await;
    assert!(closed["data"]["return_code"].is_string(), "{closed}");
    stand.close(&[KEY, &captured]).await;
}
