//! The server side: which calls it takes, and what it answers.

use std::sync::Arc;
use std::time::Duration;

use paymux_core::acceptor::{
    Acceptor, FrontAccount, FrontAccounts, FrontAnswer, FrontCall, FrontFact, FrontOrder, FrontRefundRecord,
    FrontRefundState, FrontRefusal,
};
use paymux_core::provider::{ChannelSite, Settings};
use paymux_core::{ChannelId, Currency, Money, Timestamp, Verb, WireRequest, WireResponse};
use proptest::prelude::{any, prop, proptest};
use serde_json::{Value, json};

use crate::rig::NUMBER;

/// The accounts of a host.
struct Accounts;

impl FrontAccounts for Accounts {
    fn find(&self, key: &str, value: &str) -> Option<FrontAccount> {
        (key == "account" && value == "shop").then(account)
    }
}

pub(crate) fn account() -> FrontAccount {
    let settings: Settings = json!({"account": "shop", "key": "k-9f2c"}).as_object().unwrap().clone();
    FrontAccount { key: "shop".to_owned(), settings }
}

pub(crate) fn acceptor() -> Arc<dyn Acceptor> {
    paymux_sandbox::provider().acceptor().unwrap()
}

pub(crate) fn paid_order() -> FrontOrder {
    FrontOrder {
        id: "1".to_owned(),
        number: NUMBER.to_owned(),
        amount: Money::fen(1999),
        received: Some(Money::fen(1999)),
        discount: Money::fen(0),
        refunded: Money::fen(0),
        method: "wechat.native".parse().unwrap(),
        memo: String::new(),
        subject: "Tea".to_owned(),
        trade_no: None,
        closed: false,
        created_at: Timestamp::from_ms(1),
        paid_at: Some(Timestamp::from_ms(1_709_251_200_000)),
        echo: Value::Null,
    }
}

pub(crate) fn notice() -> WireRequest {
    acceptor().notice(&account(), &FrontFact::Paid(Box::new(paid_order())), Timestamp::from_ms(5))
}

/// The refund of the vectors' order, done.
pub(crate) fn refunded_notice() -> WireRequest {
    let refund = FrontRefundRecord {
        id: "2".to_owned(),
        number: "R1".to_owned(),
        order: paid_order(),
        amount: Money::fen(99),
        state: FrontRefundState::Done,
        created_at: Timestamp::from_ms(1),
        ended_at: Some(Timestamp::from_ms(1_709_251_200_000)),
        echo: Value::Null,
    };
    acceptor().notice(&account(), &FrontFact::Refunded(Box::new(refund)), Timestamp::from_ms(5))
}

fn call(path: &str, body: &str, key: &str) -> WireRequest {
    let sign = paymux_sign::Md5Text::new().piece(format!("{path}\n{body}\n{key}")).digest().to_hex();
    WireRequest::new(Verb::Post, path)
        .header("sandbox-sign", sign.as_str())
        .body("application/json", body.to_owned())
}

const NOW: Timestamp = Timestamp::from_ms(1_709_251_200_000);

#[test]
fn the_server_side_reads_signed_calls() {
    let acceptor = acceptor();
    let body = r#"{"account":"shop","time":1709251200000,"number":"A1","amount":5,"currency":"JPY","method":"wechat.native","subject":"Tea","expires_in":60}"#;
    let read = acceptor.read(&Accounts, &call("/sandbox/create", body, "k-9f2c"), NOW).unwrap();
    let FrontCall::Pay(pay) = read.call else { panic!("not a create") };
    assert_eq!(pay.amount, Money::new(5, Currency::from_code("JPY").unwrap()));
    assert_eq!(pay.expires_in, Some(Duration::from_mins(1)));

    let about = r#"{"account":"shop","time":1709251200000,"number":"A1"}"#;
    let query = acceptor.read(&Accounts, &call("/sandbox/query", about, "k-9f2c"), NOW).unwrap();
    assert!(matches!(query.call, FrontCall::Query { number } if number == "A1"));
    let cancel = acceptor.read(&Accounts, &call("/sandbox/cancel", about, "k-9f2c"), NOW).unwrap();
    assert!(matches!(cancel.call, FrontCall::Cancel { number } if number == "A1"));
}

#[test]
fn the_server_side_refuses_the_rest_by_name() {
    let about = r#"{"account":"shop","time":1709251200000,"number":"A1"}"#;
    let right = call("/sandbox/query", about, "k-9f2c");
    check(call("/sandbox/query", about, "other"), 401, "bad_sign");
    check(call("/sandbox/query", &about.replace("shop", "shod"), "k-9f2c"), 401, "bad_sign");
    check(WireRequest { path: "/sandbox/cancel".to_owned(), ..right.clone() }, 401, "bad_sign");
    check(WireRequest { body: about.replace("A1", "A2").into(), ..right.clone() }, 401, "bad_sign");
    check(WireRequest { verb: Verb::Get, ..right.clone() }, 404, "no_such_call");
    check(WireRequest { path: "/sandbox/refund".to_owned(), ..right }, 404, "no_such_call");
    check(call("/sandbox/query", "{}", "k-9f2c"), 400, "unreadable");
    check(call("/sandbox/query", r#"["shop",1709251200000,"A1"]"#, "k-9f2c"), 400, "unreadable");
    check(call("/sandbox/query", &about.replace("1709251200000", "1709250899999"), "k-9f2c"), 401, "stale");
    let create = r#"{"account":"shop","time":1709251200000,"number":"A1","amount":0,"currency":"CNY","method":"wechat.native","subject":"Tea"}"#;
    check(call("/sandbox/create", create, "k-9f2c"), 400, "invalid_field");
    check(
        call("/sandbox/create", &create.replace(":0", ":1").replace("native", "qr"), "k-9f2c"),
        400,
        "invalid_field",
    );
    check(
        call("/sandbox/create", &create.replace(":0", ":1").replace("CNY", "cny"), "k-9f2c"),
        400,
        "invalid_field",
    );

    #[track_caller]
    fn check(request: WireRequest, status: u16, error: &str) {
        let answer = acceptor().read(&Accounts, &request, NOW).unwrap_err();
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!((answer.status, body["error"].as_str().unwrap()), (status, error), "{body}");
    }
}

#[test]
fn the_server_side_answers_each_thing_that_a_host_says() {
    let about = r#"{"account":"shop","time":1709251200000,"number":"A1"}"#;
    let read = acceptor().read(&Accounts, &call("/sandbox/query", about, "k-9f2c"), NOW).unwrap();
    let check = |told: FrontAnswer, status: u16, want: Value| {
        let answer: WireResponse = acceptor().answer(&read, &told, NOW);
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer.status, status, "{body}");
        for (key, value) in want.as_object().unwrap() {
            assert_eq!(&body[key], value, "{body}");
        }
    };
    let id = || "7".to_owned();
    check(
        FrontAnswer::Opened { id: id(), action: None },
        200,
        json!({"outcome": "open", "id": "7", "action": null}),
    );
    check(FrontAnswer::Paid { id: id() }, 200, json!({"outcome": "paid", "id": "7"}));
    check(FrontAnswer::InDoubt, 202, json!({"outcome": "unknown"}));
    check(FrontAnswer::Order(Some(Box::new(paid_order()))), 200, json!({"state": "paid", "received": 1999}));
    check(FrontAnswer::Order(None), 404, json!({"error": "not_found"}));
    check(FrontAnswer::Canceled(true), 200, json!({"state": "closed"}));
    check(FrontAnswer::Canceled(false), 409, json!({"error": "not_closed"}));
    check(FrontAnswer::Refused(FrontRefusal::NumberTaken), 422, json!({"error": "number_taken"}));
    check(FrontAnswer::Refused(FrontRefusal::MethodUnavailable), 422, json!({"error": "method_unavailable"}));
    check(FrontAnswer::Refund(None), 500, json!({"error": "no_such_answer"}));
    for (refusal, status, error) in [
        (FrontRefusal::NoSuchOrder, 404, "not_found"),
        (FrontRefusal::NoSuchRefund, 404, "not_found"),
        (FrontRefusal::OrderUnpaid, 409, "not_paid"),
        (FrontRefusal::RefundTooLate, 422, "too_late"),
        (FrontRefusal::RefundInProgress, 409, "in_progress"),
        (FrontRefusal::RefundTooLarge, 422, "too_large"),
    ] {
        check(FrontAnswer::Refused(refusal), status, json!({"error": error}));
    }
}

#[test]
fn an_account_of_the_server_side_needs_name_and_key() {
    let check = |settings: Value, want: &[&str]| {
        let errors = acceptor().check_settings(settings.as_object().unwrap());
        assert_eq!(errors.iter().map(|error| error.key.as_str()).collect::<Vec<_>>(), want, "{settings}");
    };
    check(json!({"account": "shop", "key": "k"}), &[]);
    check(json!({}), &["account", "key"]);
    check(json!({"account": "a b", "key": 1, "x": 1}), &["x", "account", "key"]);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..300), sign in ".{0,40}") {
        let provider = paymux_sandbox::provider();
        let site = ChannelSite { id: ChannelId::new("box-1").unwrap() };
        let channel = provider.channel(site, Settings::new()).unwrap();
        let request = WireRequest::new(Verb::Post, "/sandbox/create").header("sandbox-sign", sign).body("x", body);
        assert!(channel.verify_callback(&request).is_err());
        assert!(acceptor().read(&Accounts, &request, NOW).is_err());
    }
}
