//! Refunds, payouts and lists over the books.

use std::collections::BTreeMap;
use std::time::Duration;

use paymux_core::channel::{
    Can, ListedOrder, ListedRefund, OutflowAnswer, RefundOrder, TransferOrder, TransferRef,
};
use paymux_core::clock::Clock;
use paymux_core::{ChannelError, Money, Secret};
use serde_json::{Value, json};

use crate::rig::{NUMBER, Rig};

type Answer = Result<OutflowAnswer, ChannelError>;

const REFUND: &str = "018df73e8c0070008000000000000002";
const PAYOUT: &str = "018df73e8c0070008000000000000003";

impl Rig {
    /// A rig whose order of 19.99 is paid.
    async fn paid() -> Self {
        let rig = Self::new();
        rig.create(Some("paid")).await.unwrap();
        rig
    }

    fn refund_order(&self, number: &str, minor: i64, reason: &str) -> RefundOrder {
        RefundOrder {
            number: number.to_owned(),
            order: self.order_ref(),
            trade_no: None,
            received: Money::fen(1999),
            amount: Money::fen(minor),
            reason: reason.to_owned(),
            reference: None,
            notify_url: "https://pay.example/notify/box-1".to_owned(),
            created_at: self.clock.now(),
        }
    }

    async fn refund(&self, number: &str, minor: i64, reason: &str) -> Answer {
        self.channel.refund(&self.cx(), &self.refund_order(number, minor, reason)).await
    }

    async fn query_refund(&self, number: &str) -> OutflowAnswer {
        self.channel.query_refund(&self.cx(), &self.refund_order(number, 1, "")).await.unwrap()
    }

    fn payout(&self, product: &str, minor: i64, reason: &str) -> TransferRef {
        TransferRef {
            number: PAYOUT.to_owned(),
            amount: Money::fen(minor),
            product: product.to_owned(),
            reason: reason.to_owned(),
            reference: None,
            created_at: self.clock.now(),
        }
    }

    async fn transfer(&self, product: &str, payee: &[&str], minor: i64, reason: &str) -> Answer {
        let transfer = TransferOrder {
            payout: self.payout(product, minor, reason),
            payee: payee.iter().map(|name| ((*name).to_owned(), Secret::new("x"))).collect(),
            extra: BTreeMap::new(),
            notify_url: "https://pay.example/notify/box-1".to_owned(),
        };
        self.channel.transfer(&self.cx(), &transfer).await
    }

    async fn query_transfer(&self) -> OutflowAnswer {
        self.channel.query_transfer(&self.cx(), &self.payout("wallet", 1, "")).await.unwrap()
    }

    async fn end(&self, operation: &str, body: Value) -> Result<Value, ChannelError> {
        self.channel.native(&self.cx(), operation, body).await
    }
}

/// The word of an answer.
fn word(answer: &OutflowAnswer) -> &'static str {
    match answer {
        OutflowAnswer::Pending { .. } => "pending",
        OutflowAnswer::Done { .. } => "done",
        OutflowAnswer::Failed { .. } => "failed",
        OutflowAnswer::NeedsAction { .. } => "action",
        OutflowAnswer::NotFound => "none",
    }
}

fn told(answer: &Answer) -> &str {
    match answer {
        Ok(answer) => word(answer),
        Err(ChannelError::Refused(refusal)) => &refusal.code,
        Err(ChannelError::Unknown(_)) => "unknown",
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test(start_paused = true)]
async fn every_script_of_a_refund_does_what_its_word_says() {
    // The word, what the call answers, what a query finds at once and five seconds later.
    for (script, call, then, later) in [
        ("done", "done", "done", "done"),
        ("slow", "pending", "pending", "done"),
        ("pending", "pending", "pending", "pending"),
        ("refused", "refused", "none", "none"),
        ("unknown", "unknown", "done", "done"),
        ("lost", "unknown", "none", "none"),
        ("action", "action", "action", "action"),
        ("fails", "pending", "pending", "failed"),
    ] {
        let rig = Rig::paid().await;
        assert_eq!(word(&rig.query_refund(REFUND).await), "none");
        let answer = rig.refund(REFUND, 500, &format!("sandbox:{script}")).await;
        assert_eq!(told(&answer), call, "{script}");
        assert_eq!(word(&rig.query_refund(REFUND).await), then, "{script}");
        rig.clock.advance(Duration::from_secs(5)).await;
        assert_eq!(word(&rig.query_refund(REFUND).await), later, "{script}");
        assert!(rig.transport.sent().is_empty(), "the sandbox has no network");

        let rig = Rig::new();
        let answer = rig.transfer("wallet", &["account"], 500, &format!("sandbox:{script}")).await;
        assert_eq!(told(&answer), call, "{script}");
        assert_eq!(word(&rig.query_transfer().await), then, "{script}");
        rig.clock.advance(Duration::from_secs(5)).await;
        assert_eq!(word(&rig.query_transfer().await), later, "{script}");
    }
}

#[tokio::test(start_paused = true)]
async fn metadata_and_amount_script_a_refund_too() {
    let rig = Rig::new();
    let mut order = rig.order("wechat.native", Some("paid"));
    order.amount = Money::fen(5_000_000);
    rig.channel.create(&rig.cx(), &order).await.unwrap();
    let refund = async |number: &str, minor: i64, metadata: Option<&str>| {
        let mut refund = rig.refund_order(number, minor, "a person's reason");
        refund.order.metadata =
            metadata.map(|word| ("sandbox_refund".to_owned(), word.to_owned())).into_iter().collect();
        told(&rig.channel.refund(&rig.cx(), &refund).await).to_owned()
    };
    assert_eq!(refund("r1", 1, Some("action")).await, "action");
    assert_eq!(refund("r2", 990_102, None).await, "pending");
    assert_eq!(refund("r3", 990_103, None).await, "refused");
    assert_eq!(refund("r4", 1, Some("maybe")).await, "bad_script");
    assert_eq!(refund("r5", 1, None).await, "done");
}

#[tokio::test(start_paused = true)]
async fn never_more_goes_back_than_came_in() {
    let rig = Rig::paid().await;
    assert_eq!(told(&rig.refund("r1", 1000, "").await), "done");
    assert_eq!(told(&rig.refund("r2", 1000, "").await), "too_large");
    assert_eq!(told(&rig.refund("r3", 999, "sandbox:unknown").await), "unknown");
    assert_eq!(told(&rig.refund("r4", 1, "").await), "too_large");
    assert_eq!(word(&rig.query_refund("r2").await), "none", "nothing is known of what was refused");
    assert_eq!(word(&rig.query_refund("r3").await), "done");
}

#[tokio::test(start_paused = true)]
async fn only_paid_orders_are_refunded() {
    let rig = Rig::new();
    assert_eq!(told(&rig.refund(REFUND, 1, "").await), "not_found");
    rig.create(None).await.unwrap();
    assert_eq!(told(&rig.refund(REFUND, 1, "").await), "not_paid");
    rig.pay(json!({"number": NUMBER, "amount": 1000})).await.unwrap();
    assert_eq!(
        told(&rig.refund(REFUND, 1001, "").await),
        "too_large",
        "what came in counts, not what was asked"
    );
    assert_eq!(told(&rig.refund(REFUND, 1000, "").await), "done");
}

#[tokio::test(start_paused = true)]
async fn a_number_sent_twice_goes_back_once() {
    let rig = Rig::paid().await;
    for _ in 0..2 {
        assert_eq!(told(&rig.refund(REFUND, 1500, "").await), "done");
    }
    assert_eq!(told(&rig.refund(REFUND, 1, "").await), "unknown", "another refund stands under it");
    assert_eq!(told(&rig.refund("r2", 499, "").await), "done");
}

#[tokio::test(start_paused = true)]
async fn a_person_ends_what_waits() {
    let rig = Rig::paid().await;
    let Ok(OutflowAnswer::NeedsAction { url, message }) = rig.refund(REFUND, 1999, "sandbox:action").await
    else {
        panic!("not to be acted on")
    };
    assert_eq!(url.as_deref(), Some(format!("sandbox:box-1/refund/{REFUND}").as_str()));
    assert!(message.contains("native operation"), "{message}");
    let done = rig.end("refund_done", json!({"number": REFUND})).await.unwrap();
    assert_eq!(done, json!({"number": REFUND, "state": "done"}));
    assert_eq!(word(&rig.query_refund(REFUND).await), "done");
    let error = rig.end("refund_failed", json!({"number": REFUND})).await;
    assert!(matches!(error, Err(ChannelError::Refused(refusal)) if refusal.code == "over"));

    rig.transfer("wallet", &["account"], 5, "sandbox:pending").await.unwrap();
    assert_eq!(rig.end("transfer_failed", json!({"number": PAYOUT})).await.unwrap()["state"], "failed");
    assert!(rig.end("transfer_done", json!({"number": PAYOUT})).await.is_err());
    rig.end("transfer_done", json!({"number": PAYOUT, "late": true})).await.unwrap();
    assert_eq!(word(&rig.query_transfer().await), "done", "a word of failure was wrong");

    for bad in [json!({}), json!({"number": 1}), json!({"number": REFUND, "amount": 1}), json!("x")] {
        let error = rig.end("refund_done", bad.clone()).await;
        assert!(
            matches!(error, Err(ChannelError::Refused(refusal)) if refusal.code == "bad_request"),
            "{bad}"
        );
    }
    let absent = rig.end("refund_done", json!({"number": "r9"})).await;
    assert!(matches!(absent, Err(ChannelError::Refused(refusal)) if refusal.code == "not_found"));
}

#[tokio::test(start_paused = true)]
async fn a_payout_needs_its_products_payee_and_amount() {
    let check = async |product: &str, payee: &[&str], minor: i64, want: &str| {
        let rig = Rig::new();
        let answer = rig.transfer(product, payee, minor, "").await;
        match &answer {
            Ok(answer) => assert_eq!(word(answer), want, "{product} {minor}"),
            Err(error) => assert!(error.to_string().contains(want), "{error}"),
        }
        assert_eq!(word(&rig.query_transfer().await), if answer.is_ok() { "done" } else { "none" });
    };
    check("bank_card", &["account_no", "account_name"], 1, "done").await;
    check("bank_card", &["account_no"], 1, "`payee.account_name`").await;
    check("wallet", &["account"], 5_000_000, "done").await;
    check("wallet", &["account"], 5_000_001, "takes 1 to 5000000").await;
    check("red_packet", &["openid"], 100, "done").await;
    check("red_packet", &["openid"], 99, "takes 100 to 20000").await;
    check("red_packet", &["openid"], 20_001, "takes 100 to 20000").await;
    check("red_packet", &["account"], 100, "`payee.openid`").await;
    check("cash", &["account"], 1, "write one of bank_card, wallet, red_packet").await;
}

#[tokio::test(start_paused = true)]
async fn the_descriptor_names_its_payouts_and_all_that_it_can() {
    let rig = Rig::new();
    let descriptor = rig.channel.descriptor();
    assert!(descriptor.can.has(Can::REFUND | Can::QUERY_REFUND | Can::TRANSFER | Can::QUERY_TRANSFER));
    assert!(descriptor.can.has(Can::LIST | Can::LIST_REFUNDS));
    let products: Vec<_> = descriptor.payouts.iter().map(|spec| spec.product).collect();
    assert_eq!(products, ["bank_card", "wallet", "red_packet"]);
    for spec in descriptor.payouts {
        let answer = rig.transfer(spec.product, spec.payee, spec.amount_min, "sandbox:refused").await;
        assert_eq!(told(&answer), "refused", "{}: its own fields are enough", spec.product);
    }
}

#[tokio::test(start_paused = true)]
async fn lists_tell_the_books() {
    let rig = Rig::paid().await;
    let made = rig.clock.now();
    rig.refund("r1", 500, "").await.unwrap();
    rig.refund("r2", 1, "sandbox:pending").await.unwrap();
    rig.refund("r3", 1, "sandbox:fails").await.unwrap();
    rig.clock.advance(Duration::from_secs(10)).await;
    let next = rig.clock.now();
    let orders = rig.channel.list(&rig.cx(), made, next).await.unwrap();
    let order = ListedOrder {
        number: NUMBER.to_owned(),
        amount: Some(Money::fen(1999)),
        received: Some(Money::fen(1999)),
        reverted: false,
        flaw: None,
        created_at: made,
        terms: None,
    };
    assert_eq!(orders, [order]);
    let refunds = rig.channel.list_refunds(&rig.cx(), made, next).await.unwrap();
    let refund = |number: &str, minor, done| ListedRefund {
        number: number.to_owned(),
        amount: Money::fen(minor),
        done,
        created_at: made,
    };
    assert_eq!(refunds, [refund("r1", 500, Some(true)), refund("r2", 1, None), refund("r3", 1, Some(false))]);
    assert_eq!(rig.channel.list(&rig.cx(), next, next.plus(Duration::from_secs(9))).await.unwrap(), []);
    assert_eq!(
        rig.channel.list_refunds(&rig.cx(), next, next.plus(Duration::from_secs(9))).await.unwrap(),
        []
    );
}
