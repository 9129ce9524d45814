//! Queries and reverts.

use paymux_core::channel::{CancelAnswer, QueryAnswer};
use paymux_core::transport::{NoAnswer, NotSent, Undelivered};
use paymux_core::{ChannelError, Money, Verb, WireResponse};
use serde_json::{Value, json};

use crate::rig::{NUMBER, Rig, TEST_SECRET, reply};

fn row(patch: Value) -> Value {
    let mut row = json!({"id": "record-1", "bill_no": NUMBER, "title": "x", "bill_fee": 1023, "total_fee": 1023,
        "discount": 0, "coupon_id": null, "trade_no": "4200", "channel": "WX", "sub_channel": "WX_NATIVE",
        "spay_result": true, "create_time": 1_709_251_200_000_i64, "optional": "{}", "revert_result": false,
        "refund_result": false});
    row.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
    row
}

fn bills(rows: &[Value]) -> WireResponse {
    reply(0, json!({"bills": rows}))
}

fn money(answer: Result<QueryAnswer, ChannelError>) -> (i64, i64) {
    match answer {
        Ok(QueryAnswer::Paid(receipt)) => (receipt.received.minor(), receipt.discount.minor()),
        other => panic!("{other:?} is not paid"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_query_asks_by_our_number_in_para() {
    let rig = Rig::new(json!({})).answers([bills(&[row(json!({}))])]);
    let answer = rig.query("wechat.native").await.unwrap();
    let QueryAnswer::Paid(receipt) = answer else { panic!("{answer:?}") };
    assert_eq!(receipt.received, Money::fen(1023));
    assert_eq!(receipt.trade_no.as_deref(), Some("4200"));
    assert_eq!(receipt.reference.as_deref(), Some("record-1"));
    let call = &rig.sent()[0].request;
    assert_eq!((call.verb, call.path.as_str()), (Verb::Get, "/2/rest/bills"));
    assert!(call.body.is_empty());
    assert_eq!(
        call.query.as_deref(),
        Some(
            "para=%7B%22app_id%22%3A%227c9f2f1e-3a44-4c8b-9d21-5b0e6f7a8c90%22%2C%22timestamp%22%3A1709251200000%2C\
             %22app_sign%22%3A%2243115fee5e62264f182da1d57bcef9a2%22%2C%22bill_no%22%3A%22PMX20240301000001%22%7D"
        )
    );
}

#[tokio::test(start_paused = true)]
async fn paid_is_only_what_the_record_says_is_paid() {
    let ask = async |rows: &[Value]| Rig::new(json!({})).answers([bills(rows)]).query("wechat.native").await;
    assert_eq!(money(ask(&[row(json!({"total_fee": 923, "discount": 100}))]).await), (923, 100));
    assert_eq!(
        money(ask(&[row(json!({"total_fee": 923}))]).await),
        (923, 0),
        "the core sees that it is short"
    );
    assert_eq!(ask(&[row(json!({"spay_result": false}))]).await, Ok(QueryAnswer::Open));
    assert_eq!(ask(&[]).await, Ok(QueryAnswer::NotFound));
    assert_eq!(ask(&[row(json!({"bill_no": "PMX20240301000002"}))]).await, Ok(QueryAnswer::NotFound));
    assert!(ask(&[row(json!({"spay_result": "true"}))]).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn what_decides_nothing_makes_no_record_unreadable() {
    for (field, value, trade_no, reference) in [
        ("trade_no", json!(4200), Some("4200"), Some("record-1")),
        ("trade_no", json!(null), None, Some("record-1")),
        ("trade_no", json!([1]), None, Some("record-1")),
        ("id", json!(7), Some("4200"), Some("7")),
        ("id", json!(""), Some("4200"), None),
        ("id", json!({}), Some("4200"), None),
        ("optional", json!({"a": 1}), Some("4200"), Some("record-1")),
        ("create_time", json!("x"), Some("4200"), Some("record-1")),
        ("message_detail", json!({}), Some("4200"), Some("record-1")),
    ] {
        let rig = Rig::new(json!({})).answers([bills(&[row(json!({field: value}))])]);
        let Ok(QueryAnswer::Paid(receipt)) = rig.query("wechat.native").await else {
            panic!("{field} {value}")
        };
        assert_eq!(receipt.received, Money::fen(1023), "{field} {value}");
        assert_eq!(
            (receipt.trade_no.as_deref(), receipt.reference.as_deref()),
            (trade_no, reference),
            "{field} {value}"
        );
    }
    let nameless = [row(json!({"id": "", "spay_result": false})), row(json!({"id": ""}))];
    let rig = Rig::new(json!({})).answers([bills(&nameless)]);
    assert_eq!(
        money(rig.query("wechat.native").await),
        (1023, 0),
        "records without an id are not one record"
    );
}

#[tokio::test(start_paused = true)]
async fn older_and_test_books_have_their_own_paths() {
    let v1 = Rig::new(json!({"api_version": "v1"})).answers([reply(
        0,
        json!({"count": 1, "bills": [{"bill_no": NUMBER, "total_fee": 1023, "channel": "WX", "title": "x",
            "spay_result": true, "created_time": 1}]}),
    )]);
    assert_eq!(money(v1.query("wechat.native").await), (1023, 0));
    assert_eq!(v1.paths(), ["/1/rest/bills"]);
    assert_eq!(v1.fields(0)["channel"], "WX");
    let test = Rig::new(json!({"sandbox": true, "test_secret": TEST_SECRET})).answers([bills(&[])]);
    test.query("wechat.native").await.unwrap();
    assert_eq!(test.paths(), ["/2/rest/sandbox/bills"]);
}

const RECORD: &str = "/2/rest/bills";
const STATUS: &str = "/2/rest/offline/bill/status";

/// What a query of a till order makes of these answers, all of which it must have asked for.
async fn till(answers: Vec<WireResponse>) -> Result<QueryAnswer, ChannelError> {
    let order = [RECORD, STATUS, RECORD];
    let asked = &order[..answers.len()];
    let rig = Rig::new(json!({})).answers(answers);
    let answer = rig.query("wechat.barcode").await;
    assert_eq!(rig.paths(), asked);
    answer
}

fn status(paid: bool) -> WireResponse {
    reply(0, json!({"pay_result": paid}))
}

#[tokio::test(start_paused = true)]
async fn a_till_orders_record_comes_first() {
    assert_eq!(money(till(vec![bills(&[row(json!({}))])]).await), (1023, 0));
    let discounted = row(json!({"total_fee": 1000, "discount": 23}));
    assert_eq!(money(till(vec![bills(&[discounted])]).await), (1000, 23));
    for code in [14, 15] {
        assert!(matches!(till(vec![reply(code, json!({}))]).await, Err(ChannelError::Unknown(_))), "{code}");
    }
    let unpaid = || row(json!({"spay_result": false}));
    assert_eq!(till(vec![bills(&[unpaid()]), status(false)]).await, Ok(QueryAnswer::Open));
    assert_eq!(till(vec![bills(&[]), status(false)]).await, Ok(QueryAnswer::NotFound));
    assert_eq!(till(vec![bills(&[]), reply(8, json!({}))]).await, Ok(QueryAnswer::NotFound));
    assert_eq!(till(vec![bills(&[unpaid()]), reply(14, json!({}))]).await, Ok(QueryAnswer::Open));
    assert_eq!(till(vec![bills(&[unpaid()]), reply(0, json!({}))]).await, Ok(QueryAnswer::Open));
    let reverted = row(json!({"spay_result": false, "revert_result": true}));
    assert_eq!(till(vec![bills(&[reverted]), status(false)]).await, Ok(QueryAnswer::Closed));
    // The record knows of the money and that it went back: no status says more than that.
    let taken_back = row(json!({"revert_result": true}));
    assert_eq!(till(vec![bills(&[taken_back])]).await, Ok(QueryAnswer::Closed));

    let rig = Rig::new(json!({})).answers([bills(&[unpaid()]), status(false)]);
    rig.query("wechat.barcode").await.unwrap();
    let asked = rig.fields(1);
    assert_eq!((asked["bill_no"].as_str(), asked["channel"].as_str()), (Some(NUMBER), Some("WX_SCAN")));
}

#[tokio::test(start_paused = true)]
async fn a_paid_status_makes_the_record_be_read_again_for_the_amount() {
    let unpaid = || row(json!({"spay_result": false}));
    let paid = async |after: WireResponse| till(vec![bills(&[unpaid()]), status(true), after]).await;
    let discounted = row(json!({"total_fee": 1000, "discount": 23}));
    assert_eq!(money(paid(bills(&[discounted])).await), (1000, 23));
    assert_eq!(money(paid(bills(&[])).await), (1023, 0));
    assert_eq!(money(paid(bills(&[unpaid()])).await), (1023, 0));
    let other_sum = row(json!({"spay_result": false, "total_fee": 5, "bill_fee": 5}));
    assert_eq!(money(paid(bills(&[other_sum])).await), (5, 0), "the record knows another amount");
    for refused in [1, 5, 14, 15] {
        assert!(matches!(paid(reply(refused, json!({}))).await, Err(ChannelError::Unknown(_))), "{refused}");
    }
    let reverted = row(json!({"spay_result": false, "revert_result": true}));
    let contradiction = paid(bills(&[reverted])).await;
    assert!(matches!(contradiction, Err(ChannelError::Unknown(_))), "paid and reverted: {contradiction:?}");
    let taken_back = row(json!({"revert_result": true}));
    assert_eq!(paid(bills(&[taken_back])).await, Ok(QueryAnswer::Closed));
}

#[tokio::test(start_paused = true)]
async fn the_status_of_beeclouds_own_codes_names_no_channel() {
    let rig =
        Rig::new(json!({"prefer_bc": true})).answers([bills(&[]), reply(0, json!({"pay_result": false}))]);
    rig.query("wechat.barcode").await.unwrap();
    assert_eq!((rig.fields(1)["bill_no"].as_str(), rig.fields(1).get("channel")), (Some(NUMBER), None));
}

#[tokio::test(start_paused = true)]
async fn every_result_code_of_a_query_has_its_class() {
    for code in (1..=17).chain([-1, 18]) {
        let rig = Rig::new(json!({})).answers([reply(code, json!({"bills": []}))]);
        let answer = rig.query("wechat.native").await;
        match code {
            1..=6 => assert!(matches!(answer, Err(ChannelError::Refused(_))), "{code}"),
            8 => assert_eq!(answer, Ok(QueryAnswer::NotFound)),
            _ => assert!(matches!(answer, Err(ChannelError::Unknown(_))), "{code}"),
        }
    }
    let lost = Rig::new(json!({})).fails(Undelivered::NoAnswer(NoAnswer::TimedOut));
    assert!(matches!(lost.query("wechat.native").await, Err(ChannelError::Unknown(_))));
    let unsent = Rig::new(json!({})).fails(Undelivered::NotSent(NotSent::Connect));
    assert!(matches!(unsent.query("wechat.native").await, Err(ChannelError::NotSent(_))));
}

#[tokio::test(start_paused = true)]
async fn three_till_codes_can_be_reverted() {
    for (method, code) in [
        ("wechat.barcode", "WX_SCAN"),
        ("alipay.barcode", "ALI_SCAN"),
        ("alipay.native", "ALI_OFFLINE_QRCODE"),
    ] {
        let rig = Rig::new(json!({})).answers([reply(0, json!({"revert_status": true}))]);
        assert_eq!(rig.cancel(method).await, Ok(CancelAnswer::Closed));
        assert_eq!(rig.paths(), [format!("/2/rest/offline/bill/{NUMBER}")]);
        let fields = rig.fields(0);
        assert_eq!((fields["method"].as_str(), fields["channel"].as_str()), (Some("REVERT"), Some(code)));
        assert_eq!(fields.get("bill_no"), None, "it stands in the path only");
    }
    for method in ["wechat.native", "alipay.web", "any.barcode"] {
        let rig = Rig::new(json!({}));
        assert_eq!(rig.cancel(method).await, Err(ChannelError::Unsupported), "{method}");
        assert!(rig.sent().is_empty());
    }
}

/// What a revert leaves that took money back.
#[tokio::test(start_paused = true)]
async fn a_reverted_order_takes_no_money_any_more() {
    for method in ["wechat.barcode", "alipay.barcode", "alipay.native"] {
        let reverted = bills(&[row(json!({"revert_result": true}))]);
        let rig = Rig::new(json!({})).answers([reply(0, json!({"revert_status": true})), reverted]);
        assert_eq!(rig.cancel(method).await, Ok(CancelAnswer::Closed));
        assert_eq!(rig.query(method).await, Ok(QueryAnswer::Closed));
    }
}

#[tokio::test(start_paused = true)]
async fn a_number_that_was_paid_twice_is_for_a_person() {
    let other = json!({"id": "record-2", "trade_no": "4201"});
    for rows in [[row(json!({})), row(other.clone())], [row(other), row(json!({}))]] {
        let rig = Rig::new(json!({})).answers([bills(&rows)]);
        let answer = rig.query("wechat.native").await;
        let Err(ChannelError::Unknown(why)) = answer else { panic!("{answer:?}") };
        assert!(why.contains("a person must look"), "{why}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_revert_is_believed_only_when_it_is_confirmed() {
    let revert = async |code: i64, fields: Value| {
        Rig::new(json!({})).answers([reply(code, fields)]).cancel("wechat.barcode").await
    };
    assert!(matches!(revert(0, json!({"revert_status": false})).await, Ok(CancelAnswer::Refused(_))));
    assert!(matches!(revert(0, json!({})).await, Err(ChannelError::Unknown(_))));
    assert!(matches!(revert(0, json!({"revert_status": "true"})).await, Err(ChannelError::Unknown(_))));
    for code in [1, 2, 3, 4, 5, 6, 8] {
        assert!(
            matches!(revert(code, json!({"revert_status": true})).await, Ok(CancelAnswer::Refused(_))),
            "{code}"
        );
    }
    for code in [7, 9, 10, 14, 15, 17, 18, -1] {
        assert!(
            matches!(revert(code, json!({"revert_status": true})).await, Err(ChannelError::Unknown(_))),
            "{code}"
        );
    }
}
