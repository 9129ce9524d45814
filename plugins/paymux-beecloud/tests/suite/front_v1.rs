//! The server side of the first version: what it takes otherwise, and what it answers otherwise.

use paymux_core::acceptor::{
    FrontAccount, FrontAccounts, FrontAnswer, FrontCall, FrontRefundRecord, FrontRefundState, FrontRefusal,
};
use paymux_core::{Money, Timestamp, Verb, WireRequest};
use serde_json::{Value, json};

use crate::front::{Accounts, NOW, acceptor, account, as_master, ask, post, read, refused, sign};
use crate::front_answers::{answered, order};
use crate::rig::{APP_SECRET, NUMBER};

fn bill(patch: Value) -> WireRequest {
    let mut fields = json!({"channel": "WX_NATIVE", "total_fee": 1023, "bill_no": NUMBER, "title": "Tea"});
    fields.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
    post("/1/rest/bill", fields)
}

fn refund(patch: Value) -> WireRequest {
    let mut fields =
        json!({"channel": "ALI", "refund_no": "20240301000017", "bill_no": NUMBER, "refund_fee": 23});
    fields.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
    as_master(Verb::Post, "/1/rest/refund", fields)
}

/// A host whose client may move money out with the one secret that the first version has.
struct Lax;

impl FrontAccounts for Lax {
    fn find(&self, key: &str, value: &str) -> Option<FrontAccount> {
        let mut account = Accounts.find(key, value)?;
        account.settings.insert("app_secret_moves_money".to_owned(), json!(true));
        Some(account)
    }
}

#[test]
fn its_creates_and_questions_are_those_of_the_second() {
    let read = |request: &WireRequest| read(request).unwrap();
    let create = read(&bill(json!({})));
    let FrontCall::Pay(pay) = create.call else { panic!("not a create") };
    assert_eq!((pay.number.as_str(), pay.amount), (NUMBER, Money::fen(1023)));
    assert!(acceptor().has_code(&create.memo, "WX_NATIVE") && acceptor().has_code(&create.memo, "WX"));
    assert!(matches!(read(&ask("/1/rest/bills", json!({"channel": "WX"}))).call, FrontCall::List(_)));
    assert!(matches!(
        read(&ask("/1/rest/refunds", json!({"channel": "WX"}))).call,
        FrontCall::ListRefunds(_)
    ));
    assert!(matches!(read(&ask("/1/rest/bill/r1", json!({}))).call, FrontCall::List(_)));
    assert!(matches!(read(&ask("/1/rest/refund/r1", json!({}))).call, FrontCall::ListRefunds(_)));
    let status = ask("/1/rest/refund/status", json!({"channel": "WX", "refund_no": "R1"}));
    assert!(matches!(read(&status).call, FrontCall::QueryRefund { number } if number == "R1"));
    let approve = json!({"channel": "ALI", "ids": ["r1"], "agree": true});
    assert!(matches!(read(&as_master(Verb::Post, "/1/rest/approve", approve)).call, FrontCall::Approve(_)));
}

#[test]
fn it_asks_for_a_channel_where_the_second_does_not() {
    refused(ask("/1/rest/bills", json!({})), 4, "channel");
    refused(ask("/1/rest/refunds", json!({})), 4, "channel");
    refused(refund(json!({"channel": null})), 4, "channel");
    refused(refund(json!({"channel": "YEE"})), 3, "version 1 takes WX, ALI, UN here");
    let status = |group: &str| ask("/1/rest/refund/status", json!({"channel": group, "refund_no": "R1"}));
    refused(status("YEE"), 3, "version 1 takes WX here");
    assert!(read(&ask("/2/rest/bills", json!({}))).is_ok());
}

/// It has one secret, which lies in mobile apps.
#[test]
fn its_secret_moves_no_money_out_unless_that_is_allowed() {
    let by_app = || json!({"app_sign": sign(NOW.ms(), APP_SECRET)});
    refused(refund(by_app()), 1, "app_secret_moves_money");
    assert!(acceptor().read(&Lax, &refund(by_app()), NOW).is_ok());
    assert!(read(&refund(json!({}))).is_ok(), "the master secret does as ever");
    assert!(account().settings.get("app_secret_moves_money").is_none(), "off unless it is switched on");
}

#[test]
fn a_sign_is_held_to_one_version_too() {
    let sign_of = |request: &WireRequest| acceptor().sign(&read(request).unwrap(), request).unwrap();
    let first = bill(json!({}));
    let second = WireRequest { path: "/2/rest/bill".to_owned(), ..first.clone() };
    assert_eq!(sign_of(&first).key, sign_of(&second).key);
    assert_ne!(sign_of(&first).call, sign_of(&second).call);
}

#[test]
fn its_lists_have_a_count_and_its_own_name_of_the_time() {
    let list = ask("/1/rest/bills", json!({"channel": "WX"}));
    let body = answered(&list, FrontAnswer::Orders(vec![order(|_| ()), order(|_| ())]));
    assert_eq!(
        (&body["count"], &body["bills"][0]["created_time"]),
        (&json!(2), &body["bills"][0]["create_time"])
    );
    assert!(body["bills"][0]["created_time"].is_i64());
    let by_id = answered(&ask("/1/rest/bill/r1", json!({})), FrontAnswer::Orders(vec![order(|_| ())]));
    assert!(by_id["pay"]["created_time"].is_i64(), "{by_id}");
    let record = FrontRefundRecord {
        id: "rf-1".to_owned(),
        number: "20240301000018".to_owned(),
        order: order(|_| ()),
        amount: Money::fen(1),
        state: FrontRefundState::Done,
        created_at: Timestamp::from_ms(7),
        ended_at: None,
        echo: Value::Null,
    };
    let refunds = ask("/1/rest/refunds", json!({"channel": "WX"}));
    let body = answered(&refunds, FrontAnswer::Refunds(vec![record.clone()]));
    assert_eq!((&body["count"], &body["refunds"][0]["created_time"]), (&json!(1), &json!(7)));
    let one = answered(&ask("/1/rest/refund/rf-1", json!({})), FrontAnswer::Refunds(vec![record]));
    assert_eq!(one["refund"]["createdat"], 7);
    let second = answered(&ask("/2/rest/bills", json!({})), FrontAnswer::Orders(vec![order(|_| ())]));
    assert_eq!((second.get("count"), second["bills"][0].get("created_time")), (None, None));
}

#[test]
fn it_knows_no_code_above_fourteen() {
    for (answer, code, name) in [
        (FrontAnswer::Refused(FrontRefusal::NumberTaken), 7, "CHANNEL_ERROR"),
        (FrontAnswer::Refused(FrontRefusal::Code(15)), 14, "RUN_TIME_ERROR"),
        (FrontAnswer::Refused(FrontRefusal::Code(16)), 14, "RUN_TIME_ERROR"),
        (FrontAnswer::InDoubt, 14, "RUN_TIME_ERROR"),
        (FrontAnswer::Refused(FrontRefusal::MethodUnavailable), 3, "CHANNEL_INVALID"),
        (FrontAnswer::Paid { id: "r1".to_owned() }, 0, "OK"),
    ] {
        let body = answered(&bill(json!({})), answer);
        assert_eq!((&body["result_code"], &body["result_msg"]), (&json!(code), &json!(name)));
    }
}
