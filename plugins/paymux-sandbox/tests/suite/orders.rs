//! Orders: scripts, payers, late money.

use std::time::Duration;

use paymux_core::channel::{Blame, CancelAnswer, QueryAnswer};
use paymux_core::{ChannelError, Created, Money, NextAction};
use serde_json::json;

use crate::rig::{NUMBER, Rig};

fn received(answer: &QueryAnswer) -> i64 {
    match answer {
        QueryAnswer::Paid(receipt) => receipt.received.minor(),
        other => panic!("{other:?} is not paid"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_waits_until_it_is_paid_by_number() {
    let rig = Rig::new();
    assert_eq!(rig.query().await, QueryAnswer::NotFound);
    let Created::Open(opened) = rig.create(None).await.unwrap() else { panic!("paid") };
    assert_eq!(opened.action, Some(NextAction::Qr { qr: format!("sandbox:box-1/{NUMBER}") }));
    assert_eq!(rig.query().await, QueryAnswer::Open);
    let told = rig.pay(json!({"number": NUMBER})).await.unwrap();
    assert_eq!(
        told,
        json!({"number": NUMBER, "state": "paid", "amount": 1999, "currency": "CNY", "trade_no": format!("sandbox-{NUMBER}")})
    );
    assert_eq!(received(&rig.query().await), 1999);
    assert!(matches!(rig.cancel().await, CancelAnswer::Paid(_)));
    assert!(rig.transport.sent().is_empty(), "the sandbox has no network");
}

#[tokio::test(start_paused = true)]
async fn scripts_do_what_their_words_say() {
    let paid = Rig::new();
    let Created::Paid(receipt) = paid.create(Some("paid")).await.unwrap() else { panic!("open") };
    assert_eq!(receipt.received, Money::fen(1999));
    assert_eq!(received(&paid.query().await), 1999);

    let refused = Rig::new();
    let Err(ChannelError::Refused(refusal)) = refused.create(Some("refused")).await else {
        panic!("not refused")
    };
    assert_eq!((refusal.code.as_str(), refusal.blame), ("refused", Blame::Account));
    assert_eq!(refused.query().await, QueryAnswer::NotFound);

    let unknown = Rig::new();
    assert!(matches!(unknown.create(Some("unknown")).await, Err(ChannelError::Unknown(_))));
    assert_eq!(unknown.query().await, QueryAnswer::Open);
    unknown.pay(json!({"number": NUMBER})).await.unwrap();
    assert_eq!(received(&unknown.query().await), 1999);

    let strange = Rig::new();
    let Err(ChannelError::Refused(refusal)) = strange.create(Some("maybe")).await else { panic!("taken") };
    assert!(refusal.message.contains("paid, open, refused, unknown, late"), "{}", refusal.message);
    assert_eq!(strange.query().await, QueryAnswer::NotFound);
}

#[tokio::test(start_paused = true)]
async fn late_money_comes_after_the_close() {
    let rig = Rig::new();
    assert!(matches!(rig.create(Some("late")).await, Ok(Created::Open(_))));
    assert_eq!(rig.query().await, QueryAnswer::Open);
    assert_eq!(rig.cancel().await, CancelAnswer::Closed);
    assert_eq!(rig.query().await, QueryAnswer::Closed);
    rig.clock.advance(Duration::from_millis(4999)).await;
    assert_eq!(rig.query().await, QueryAnswer::Closed);
    rig.clock.advance(Duration::from_millis(1)).await;
    assert_eq!(received(&rig.query().await), 1999);
}

#[tokio::test(start_paused = true)]
async fn late_money_comes_after_the_end_of_an_order_that_nobody_closed() {
    let rig = Rig::new();
    rig.create(Some("late")).await.unwrap();
    rig.clock.advance(Duration::from_millis(1_804_999)).await;
    assert_eq!(rig.query().await, QueryAnswer::Open);
    rig.clock.advance(Duration::from_millis(1)).await;
    assert_eq!(received(&rig.query().await), 1999);
}

#[tokio::test(start_paused = true)]
async fn a_closed_number_stays_closed() {
    let rig = Rig::new();
    assert_eq!(rig.cancel().await, CancelAnswer::Closed, "nothing is there, and nothing can come");
    assert!(matches!(rig.create(None).await, Err(ChannelError::Refused(_))));
    let Err(ChannelError::Refused(refusal)) = rig.pay(json!({"number": NUMBER})).await else {
        panic!("paid")
    };
    assert_eq!(refusal.code, "closed");
    let rig = Rig::new();
    rig.create(None).await.unwrap();
    assert_eq!(rig.cancel().await, CancelAnswer::Closed);
    assert_eq!(rig.cancel().await, CancelAnswer::Closed);
    rig.pay(json!({"number": NUMBER, "late": true})).await.unwrap();
    assert_eq!(received(&rig.query().await), 1999);
}

#[tokio::test(start_paused = true)]
async fn another_sum_can_come_in() {
    let rig = Rig::new();
    rig.create(None).await.unwrap();
    rig.pay(json!({"number": NUMBER, "amount": 1000})).await.unwrap();
    rig.pay(json!({"number": NUMBER, "amount": 5000})).await.unwrap();
    assert_eq!(received(&rig.query().await), 1000, "paying twice has one effect");
}

#[tokio::test(start_paused = true)]
async fn the_operation_pay_refuses_what_it_cannot_read() {
    let rig = Rig::new();
    rig.create(None).await.unwrap();
    for bad in [
        json!({}),
        json!({"number": 1}),
        json!({"number": NUMBER, "amount": 0}),
        json!({"number": NUMBER, "amount": "1"}),
        json!({"number": NUMBER, "sum": 1}),
        json!("x"),
    ] {
        let Err(ChannelError::Refused(refusal)) = rig.pay(bad.clone()).await else {
            panic!("{bad} was taken")
        };
        assert_eq!(refusal.code, "bad_request");
    }
    let Err(ChannelError::Refused(refusal)) = rig.pay(json!({"number": "other"})).await else {
        panic!("paid")
    };
    assert_eq!(refusal.code, "not_found");
    let other = rig.channel.native(&rig.cx(), "refund", json!({})).await;
    assert_eq!(other, Err(ChannelError::Unsupported));
    assert_eq!(rig.query().await, QueryAnswer::Open);
}

#[tokio::test(start_paused = true)]
async fn every_product_gives_its_payer_something_to_do() {
    for (method, want) in [
        ("wechat.native", "Some(Qr(..))"),
        ("alipay.web", "Some(Html(..))"),
        ("alipay.wap", "Some(Html(..))"),
        ("alipay.embed", "Some(Html(..))"),
        ("bank.gateway", "Some(Html(..))"),
        ("bank.express", "Some(Html(..))"),
        ("wechat.app", "Some(App(..))"),
        ("wechat.jsapi", "Some(Jsapi(..))"),
        ("wechat.mini", "Some(Jsapi(..))"),
        ("any.barcode", "None"),
        ("yeepay.card", "None"),
    ] {
        let rig = Rig::new();
        let Created::Open(opened) = rig.channel.create(&rig.cx(), &rig.order(method, None)).await.unwrap()
        else {
            panic!("{method} was paid")
        };
        assert_eq!(format!("{:?}", opened.action), want, "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reload_keeps_the_books_of_a_channel() {
    let provider = paymux_sandbox::provider();
    Rig::of(&provider, json!({})).create(None).await.unwrap();
    assert_eq!(Rig::of(&provider, json!({"key": "k2"})).query().await, QueryAnswer::Open);
    assert_eq!(Rig::new().query().await, QueryAnswer::NotFound, "another provider has books of its own");
}

#[tokio::test(start_paused = true)]
async fn it_says_what_it_is() {
    let rig = Rig::new();
    let descriptor = rig.channel.descriptor();
    assert_eq!(descriptor.provider, paymux_sandbox::ID);
    assert!(!descriptor.livemode);
    assert_eq!(descriptor.account_key, "box-1");
    assert_eq!(descriptor.can.names().count(), 8, "all of it");
    assert_eq!(descriptor.currencies.len(), 8);
    assert!(descriptor.extra.is_empty());
}
