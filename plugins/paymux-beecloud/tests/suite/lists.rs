//! Lists for reconciliation: paged to the end, each record once.

use paymux_core::channel::{ListedOrder, ListedRefund};
use paymux_core::{ChannelError, Money, Timestamp, WireResponse};
use serde_json::{Value, json};

use crate::rig::{Rig, TEST_SECRET, reply};

const FROM: Timestamp = Timestamp::from_ms(1_709_222_400_000);
const TO: Timestamp = Timestamp::from_ms(1_709_308_800_000);

fn bill(n: usize) -> Value {
    json!({"id": format!("b-{n}"), "bill_no": format!("N{n:07}"), "bill_fee": 100, "total_fee": 90, "discount": 10,
        "spay_result": true, "create_time": FROM.ms() + i64::try_from(n).unwrap()})
}

fn refund(n: usize) -> Value {
    json!({"id": format!("r-{n}"), "bill_no": "N1", "refund_no": format!("2024030100{n:04}"), "refund_fee": 7,
        "total_fee": 90, "finish": true, "result": true, "create_time": FROM.ms() + i64::try_from(n).unwrap()})
}

fn bills(rows: impl IntoIterator<Item = Value>) -> WireResponse {
    reply(0, json!({"bills": rows.into_iter().collect::<Vec<_>>()}))
}

async fn list(pages: Vec<WireResponse>) -> (Rig, Result<Vec<ListedOrder>, ChannelError>) {
    let count = pages.len();
    let rig = Rig::new(json!({})).answers(pages);
    let listed = rig.channel.list(&rig.cx(), FROM, TO).await;
    assert_eq!(rig.sent().len(), count);
    (rig, listed)
}

#[tokio::test(start_paused = true)]
async fn a_list_is_paged_to_its_end() {
    let pages = vec![bills((0..50).map(bill)), bills((50..100).map(bill)), bills((100..109).map(bill))];
    let (rig, listed) = list(pages).await;
    let listed = listed.unwrap();
    assert_eq!(listed.len(), 109);
    assert_eq!(
        listed[108],
        ListedOrder {
            number: "N0000108".to_owned(),
            amount: Some(Money::fen(100)),
            received: Some(Money::fen(90)),
            reverted: false,
            flaw: None,
            created_at: Timestamp::from_ms(FROM.ms() + 108),
            terms: None,
        }
    );
    for (page, skip) in [0, 50, 100].into_iter().enumerate() {
        let asked = rig.fields(page);
        assert_eq!((&asked["skip"], &asked["limit"]), (&json!(skip), &json!(50)));
        assert_eq!(
            (&asked["start_time"], &asked["end_time"]),
            (&json!(FROM.ms()), &json!(TO.ms() - 1)),
            "the end stands still, and is included there"
        );
        assert_eq!((asked.get("channel"), asked.get("spay_result")), (None, None));
    }
    assert_eq!(rig.paths(), ["/2/rest/bills"; 3]);
}

#[tokio::test(start_paused = true)]
async fn a_server_with_smaller_pages_is_read_to_the_end_too() {
    let (rig, listed) = list(vec![bills((0..10).map(bill)), bills((10..20).map(bill)), bills([])]).await;
    assert_eq!(listed.unwrap().len(), 20);
    assert_eq!(rig.fields(2)["skip"], 20);
    let (_, none) = list(vec![bills([])]).await;
    assert_eq!(none.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn rows_that_come_twice_count_once_and_other_days_not_at_all() {
    let (_, listed) = list(vec![bills((0..50).map(bill)), bills((48..55).map(bill))]).await;
    assert_eq!(listed.unwrap().len(), 55);
    let mut early = bill(1);
    early["create_time"] = json!(FROM.ms() - 1);
    let mut late = bill(2);
    late["create_time"] = json!(TO.ms());
    let (_, listed) = list(vec![bills([early, late, bill(3)])]).await;
    assert_eq!(listed.unwrap().len(), 1);
    let mut nameless = bill(4);
    nameless.as_object_mut().unwrap().remove("id");
    let mut other = nameless.clone();
    other["bill_no"] = json!("OTHER0001");
    let (_, listed) = list(vec![bills([nameless.clone(), other, nameless])]).await;
    assert_eq!(listed.unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_does_not_end_is_no_list() {
    let (_, listed) = list(vec![bills((0..50).map(bill)), bills((0..50).map(bill))]).await;
    assert!(matches!(listed, Err(ChannelError::Unknown(why)) if why.contains("repeats itself")));
}

#[tokio::test(start_paused = true)]
async fn only_paid_orders_say_what_came_in() {
    let mut unpaid = bill(1);
    unpaid["spay_result"] = json!(false);
    let mut bare = bill(2);
    bare["bill_fee"] = Value::Null;
    let (_, listed) = list(vec![bills([unpaid, bare])]).await;
    let listed = listed.unwrap();
    assert_eq!((listed[0].amount, listed[0].received), (Some(Money::fen(100)), None));
    assert_eq!((listed[1].amount, listed[1].received), (Some(Money::fen(100)), Some(Money::fen(90))));
}

/// A record with every field that the document lists.
fn whole(patch: Value) -> Value {
    let mut row = json!({"id": "b-1", "bill_no": "PMX20240301000001", "title": "红茶 A", "bill_fee": 1023,
        "total_fee": 1023, "discount": 0, "coupon_id": null, "trade_no": "4200", "channel": "WX",
        "sub_channel": "WX_SCAN", "buyer_id": "", "seller_id": "", "store_id": "", "operator_id": "",
        "spay_result": true, "create_time": FROM.ms(), "success_time": FROM.ms() + 1, "optional": "{}",
        "revert_result": false, "refund_result": false});
    row.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
    row
}

#[tokio::test(start_paused = true)]
async fn an_order_that_was_reverted_is_told_as_that() {
    async fn check(patch: Value, reverted: bool, received: Option<i64>) {
        let (_, listed) = list(vec![bills([whole(patch.clone())])]).await;
        let [order] = &listed.unwrap()[..] else { panic!("{patch}") };
        assert_eq!((order.reverted, order.received), (reverted, received.map(Money::fen)), "{patch}");
        assert_eq!((order.amount, order.flaw), (Some(Money::fen(1023)), None), "{patch}");
    }
    check(json!({"spay_result": false, "revert_result": true}), true, None).await;
    check(json!({"revert_result": true}), true, Some(1023)).await;
    check(json!({"revert_result": null}), false, Some(1023)).await;
    check(json!({"revert_result": false, "refund_result": true}), false, Some(1023)).await;
}

#[tokio::test(start_paused = true)]
async fn sums_that_cannot_be_are_told_with_their_record() {
    async fn check(patch: Value, is_sound: bool) {
        let (_, listed) = list(vec![bills([whole(patch.clone()), bill(2)])]).await;
        let [order, other] = &listed.unwrap()[..] else { panic!("{patch}") };
        assert_eq!(order.flaw.is_none(), is_sound, "{patch}: {:?}", order.flaw);
        assert_eq!(other.flaw, None, "one record spoils no other");
    }
    check(json!({}), true).await;
    check(json!({"total_fee": 923, "discount": 100}), true).await;
    // Less than was asked came in: that is between the ledger and the record.
    check(json!({"total_fee": 923}), true).await;
    check(json!({"total_fee": 923, "discount": 99}), false).await;
    check(json!({"discount": 100}), false).await;
    check(json!({"total_fee": 1123, "discount": -100}), false).await;
    check(json!({"total_fee": -1}), false).await;
    check(json!({"bill_fee": null, "total_fee": i64::MAX, "discount": 1}), false).await;
    // What an unpaid order says of its payment is nobody's money.
    check(json!({"spay_result": false, "total_fee": 0, "discount": 100}), true).await;
}

#[tokio::test(start_paused = true)]
async fn an_unreadable_page_is_never_a_short_list() {
    for (field, value) in [
        ("bill_no", json!(7)),
        ("total_fee", json!("90")),
        ("spay_result", json!(null)),
        ("revert_result", json!("true")),
        ("create_time", json!("1")),
        ("create_time", json!(null)),
    ] {
        let mut row = bill(1);
        row[field] = value;
        let (_, listed) = list(vec![bills([row])]).await;
        assert!(matches!(listed, Err(ChannelError::Unknown(_))), "{field}");
    }
    for code in 1..=17 {
        let (_, listed) = list(vec![bills((0..50).map(bill)), reply(code, json!({"bills": []}))]).await;
        assert!(listed.is_err(), "{code}");
    }
    for bad in [json!({}), json!({"bills": null}), json!({"refunds": []})] {
        let (_, listed) = list(vec![reply(0, bad)]).await;
        assert!(matches!(listed, Err(ChannelError::Unknown(_))));
    }
}

#[tokio::test(start_paused = true)]
async fn refunds_are_listed_with_their_end() {
    let mut open = refund(2);
    open["finish"] = json!(false);
    let mut failed = refund(3);
    failed["result"] = json!(false);
    let page = reply(0, json!({"refunds": [refund(1), open, failed]}));
    let rig = Rig::new(json!({})).answers([page]);
    let listed = rig.channel.list_refunds(&rig.cx(), FROM, TO).await.unwrap();
    let want = |n: i64, done| ListedRefund {
        number: format!("2024030100{n:04}"),
        amount: Money::fen(7),
        done,
        created_at: Timestamp::from_ms(FROM.ms() + n),
    };
    assert_eq!(listed, [want(1, Some(true)), want(2, None), want(3, Some(false))]);
    assert_eq!(rig.paths(), ["/2/rest/refunds"]);
}

#[tokio::test(start_paused = true)]
async fn test_mode_lists_its_own_books() {
    let rig = Rig::new(json!({"sandbox": true, "test_secret": TEST_SECRET})).answers([bills([bill(1)])]);
    assert_eq!(rig.channel.list(&rig.cx(), FROM, TO).await.unwrap().len(), 1);
    assert_eq!(rig.paths(), ["/2/rest/sandbox/bills"]);
}

/// The record of an order that the merchant made at BeeCloud itself.
fn foreign(id: &str, patch: Value) -> Value {
    let mut row = json!({"id": id, "bill_no": "OLD0001", "title": "A pot of tea", "bill_fee": 100, "total_fee": 90,
        "discount": 10, "channel": "WX", "sub_channel": "WX_NATIVE", "trade_no": "T1", "spay_result": true,
        "revert_result": false, "refund_result": false, "create_time": FROM.ms(), "success_time": FROM.ms() + 5});
    row.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
    row
}

async fn find(rows: Vec<Value>) -> Option<ListedOrder> {
    let rig = Rig::new(json!({})).answers(vec![bills(rows)]);
    let found = rig.channel.find(&rig.cx(), "OLD0001").await.unwrap();
    assert_eq!(rig.fields(0)["bill_no"], "OLD0001");
    found
}

#[tokio::test(start_paused = true)]
async fn an_order_of_others_is_found_with_its_terms() {
    let found = find(vec![bill(1), foreign("b-1", json!({}))]).await.unwrap();
    assert_eq!((found.number.as_str(), found.amount), ("OLD0001", Some(Money::fen(100))));
    assert_eq!((found.received, found.reverted, found.flaw), (Some(Money::fen(90)), false, None));
    let terms = found.terms.unwrap();
    assert_eq!(
        (terms.method.to_string().as_str(), terms.memo.as_str()),
        ("wechat.native", "bill WX_NATIVE WX")
    );
    assert_eq!((terms.subject.as_str(), terms.reference.as_deref()), ("A pot of tea", Some("b-1")));
    assert_eq!((terms.trade_no.as_deref(), terms.refunded), (Some("T1"), false));
    assert_eq!(terms.paid_at, Some(Timestamp::from_ms(FROM.ms() + 5)));

    assert_eq!(find(vec![bill(1)]).await, None);
    let unknown = find(vec![foreign("b-1", json!({"sub_channel": "MOON"}))]).await.unwrap();
    assert_eq!(unknown.terms, None, "a code that is not offered here");
    let refunded = find(vec![foreign("b-1", json!({"refund_result": true}))]).await.unwrap();
    assert!(refunded.terms.unwrap().refunded);
}

#[tokio::test(start_paused = true)]
async fn of_several_records_of_a_number_the_paid_one_counts() {
    let unpaid = || foreign("b-2", json!({"spay_result": false, "create_time": FROM.ms() + 9}));
    let reverted = || foreign("b-3", json!({"revert_result": true, "create_time": FROM.ms() + 10}));
    let found = find(vec![unpaid(), foreign("b-1", json!({})), reverted()]).await.unwrap();
    assert_eq!((found.terms.unwrap().reference.as_deref(), found.flaw), (Some("b-1"), None));
    let found = find(vec![reverted(), unpaid()]).await.unwrap();
    assert_eq!((found.received, found.reverted), (None, false));
    let twice = vec![foreign("b-1", json!({})), foreign("b-4", json!({})), foreign("b-1", json!({}))];
    assert_eq!(find(twice).await.unwrap().flaw, Some("two records of one number are paid"));
    let repeated = vec![foreign("b-1", json!({})), foreign("b-1", json!({}))];
    assert_eq!(find(repeated).await.unwrap().flaw, None, "the same record twice is one");
}
