//! The channel against the server side in one process: what one writes the other reads.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use paymux_core::acceptor::{Acceptor, FrontAnswer, FrontCall, FrontFact, FrontOrder, FrontPay, FrontRead};
use paymux_core::channel::{CancelAnswer, Evidence, QueryAnswer, Verdict};
use paymux_core::clock::Clock;
use paymux_core::transport::{Deadline, Destination, Outgoing, Transport, Undelivered};
use paymux_core::{Channel, Created, Cx, Endpoint, Money, NextAction, Timestamp, WireResponse};
use paymux_testkit::TestClock;
use serde_json::json;

use crate::front::{Accounts, acceptor, account};
use crate::rig::{NUMBER, Rig, channel};

/// A host that keeps its orders in a map.
struct Host {
    acceptor: Arc<dyn Acceptor>,
    orders: Mutex<BTreeMap<String, FrontOrder>>,
    now: Timestamp,
}

impl Host {
    fn new(now: Timestamp) -> Self {
        Self { acceptor: acceptor(), orders: Mutex::default(), now }
    }

    fn pay(&self, number: &str) {
        let mut orders = self.orders.lock().unwrap();
        let order = orders.get_mut(number).unwrap();
        order.received = Some(order.amount);
        order.trade_no = Some("4200".to_owned());
        order.paid_at = Some(self.now);
    }

    fn answer(&self, read: &FrontRead) -> FrontAnswer {
        let mut orders = self.orders.lock().unwrap();
        match &read.call {
            FrontCall::Pay(pay) => {
                let order = written_down(pay, &read.memo, self.now);
                orders.insert(pay.number.clone(), order);
                FrontAnswer::Opened {
                    id: "r-1".to_owned(),
                    action: Some(NextAction::Qr { qr: "weixin://x".to_owned() }),
                }
            }
            FrontCall::Query { number } => FrontAnswer::Order(orders.get(number).cloned().map(Box::new)),
            FrontCall::List(filter) => {
                let number = filter.number.as_deref().unwrap();
                FrontAnswer::Orders(orders.get(number).cloned().into_iter().collect())
            }
            FrontCall::Cancel { number } => {
                let order = orders.get_mut(number).unwrap();
                order.closed = order.received.is_none();
                FrontAnswer::Canceled(order.closed)
            }
            other => panic!("{other:?}"),
        }
    }
}

fn written_down(pay: &FrontPay, memo: &str, now: Timestamp) -> FrontOrder {
    FrontOrder {
        id: "r-1".to_owned(),
        number: pay.number.clone(),
        amount: pay.amount,
        received: None,
        discount: Money::fen(0),
        refunded: Money::fen(0),
        method: pay.method,
        memo: memo.to_owned(),
        subject: pay.subject.clone(),
        trade_no: None,
        closed: false,
        created_at: now,
        paid_at: None,
        echo: pay.echo.clone(),
    }
}

#[async_trait]
impl Transport for Host {
    fn check(&self, _: Destination, _: &Endpoint) -> Result<(), String> {
        Ok(())
    }

    async fn send(&self, call: Outgoing) -> Result<WireResponse, Undelivered> {
        Ok(match self.acceptor.read(&Accounts, &call.request, self.now) {
            Ok(read) => self.acceptor.answer(&read, &self.answer(&read), self.now),
            Err(answer) => answer,
        })
    }
}

/// A channel that talks to a host.
struct Line {
    channel: Arc<dyn Channel>,
    clock: TestClock,
    host: Host,
    rig: Rig,
}

impl Line {
    fn new(settings: serde_json::Value) -> Self {
        let clock = TestClock::new();
        let host = Host::new(clock.now());
        Self { channel: channel(settings.clone()), clock, host, rig: Rig::new(settings) }
    }

    fn cx(&self) -> Cx<'_> {
        Cx::new(&self.host, &self.clock, Deadline::after(self.clock.mono(), Duration::from_secs(15)))
    }

    async fn query(&self, method: &str) -> QueryAnswer {
        self.channel.query(&self.cx(), &self.rig.order_ref(method)).await.unwrap()
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_goes_from_create_to_a_believed_webhook() {
    for (settings, method) in [
        (json!({}), "wechat.native"),
        (json!({"prefer_bc": true}), "wechat.native"),
        (json!({"prefer_bc": true}), "alipay.native"),
        (json!({}), "alipay.native"),
    ] {
        let line = Line::new(settings);
        assert_eq!(line.query(method).await, QueryAnswer::NotFound);
        let created = line.channel.create(&line.cx(), &line.rig.order(method)).await.unwrap();
        let Created::Open(opened) = created else { panic!("paid") };
        assert_eq!(opened.action, Some(NextAction::Qr { qr: "weixin://x".to_owned() }));
        assert_eq!(opened.reference.as_deref(), Some("r-1"));
        assert_eq!(line.query(method).await, QueryAnswer::Open);

        line.host.pay(NUMBER);
        let QueryAnswer::Paid(receipt) = line.query(method).await else { panic!("not paid") };
        assert_eq!((receipt.received, receipt.trade_no.as_deref()), (Money::fen(1023), Some("4200")));

        let order = line.host.orders.lock().unwrap()[NUMBER].clone();
        let fact = FrontFact::Paid(Box::new(order));
        let webhook = line.host.acceptor.notice(&account(), &fact, line.clock.now());
        let claim = line.channel.verify_callback(&webhook).unwrap();
        assert_eq!((claim.number.as_str(), claim.received), (NUMBER, Money::fen(1023)));
        assert_eq!(claim.evidence, Evidence::Settles);
        assert_eq!(claim.method.unwrap().to_string(), method);
        for (verdict, ends) in
            [(Verdict::Accepted, true), (Verdict::Rejected, false), (Verdict::TryAgain, false)]
        {
            assert_eq!(line.host.acceptor.acknowledged(&line.channel.acknowledge(verdict)), ends);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_unpaid_till_order_is_reverted_and_a_paid_one_is_not() {
    let line = Line::new(json!({}));
    let order_ref = line.rig.order_ref("alipay.native");
    line.channel.create(&line.cx(), &line.rig.order("alipay.native")).await.unwrap();
    assert_eq!(line.channel.cancel(&line.cx(), &order_ref).await, Ok(CancelAnswer::Closed));
    assert_eq!(line.query("alipay.native").await, QueryAnswer::Closed);

    let line = Line::new(json!({}));
    line.channel.create(&line.cx(), &line.rig.order("alipay.native")).await.unwrap();
    line.host.pay(NUMBER);
    let refused = line.channel.cancel(&line.cx(), &order_ref).await;
    assert!(matches!(refused, Ok(CancelAnswer::Refused(_))));
    assert!(matches!(line.query("alipay.native").await, QueryAnswer::Paid(_)));
}

#[tokio::test(start_paused = true)]
async fn a_server_with_another_clock_is_told_apart_and_followed() {
    let line = Line::new(json!({}));
    line.clock.skew(-3_600_000);
    let refused = line.channel.create(&line.cx(), &line.rig.order("wechat.native")).await.unwrap_err();
    assert!(refused.to_string().contains("3600 s behind this server's clock"), "{refused}");
}
