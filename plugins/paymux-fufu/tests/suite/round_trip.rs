//! The channel against the server side in one process: what one writes the other reads.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use paymux_core::acceptor::{
    Acceptor, FrontAnswer, FrontCall, FrontFact, FrontOrder, FrontRead, FrontRefundRecord, FrontRefundState,
};
use paymux_core::channel::{CancelAnswer, Evidence, OutflowAnswer, QueryAnswer, Verdict};
use paymux_core::clock::Clock;
use paymux_core::transport::{Deadline, Destination, Outgoing, Transport, Undelivered};
use paymux_core::{Channel, Created, Cx, Endpoint, Money, NextAction, Timestamp, WireRequest, WireResponse};
use paymux_testkit::TestClock;
use serde_json::json;

use crate::front::{Accounts, acceptor, account};
use crate::rig::{NUMBER, Rig, channel};

/// A host that keeps its orders in a map.
struct Host {
    acceptor: Arc<dyn Acceptor>,
    orders: Mutex<BTreeMap<String, FrontOrder>>,
    refunds: Mutex<BTreeMap<String, FrontRefundRecord>>,
    now: Timestamp,
}

impl Host {
    fn new(now: Timestamp) -> Self {
        Self { acceptor: acceptor(), orders: Mutex::default(), refunds: Mutex::default(), now }
    }

    fn pay(&self) {
        let mut orders = self.orders.lock().unwrap();
        let order = orders.get_mut(NUMBER).unwrap();
        order.received = Some(order.amount);
        order.trade_no = Some("4200".to_owned());
        order.paid_at = Some(self.now);
    }

    fn open(&self, read: &FrontRead) -> FrontAnswer {
        let FrontCall::Pay(pay) = &read.call else { panic!("no create") };
        let order = FrontOrder {
            id: "r-1".to_owned(),
            number: pay.number.clone(),
            amount: pay.amount,
            received: None,
            discount: Money::fen(0),
            refunded: Money::fen(0),
            method: pay.method,
            memo: read.memo.clone(),
            subject: pay.subject.clone(),
            trade_no: None,
            closed: false,
            created_at: self.now,
            paid_at: None,
            echo: pay.echo.clone(),
        };
        self.orders.lock().unwrap().insert(pay.number.clone(), order);
        if pay.auth_code.is_some() {
            self.pay();
            return FrontAnswer::Paid { id: "r-1".to_owned() };
        }
        FrontAnswer::Opened {
            id: "r-1".to_owned(),
            action: Some(NextAction::Qr { qr: "weixin://x".to_owned() }),
        }
    }

    fn answer(&self, read: &FrontRead) -> FrontAnswer {
        match &read.call {
            FrontCall::Pay(_) => self.open(read),
            FrontCall::Query { number } => {
                FrontAnswer::Order(self.orders.lock().unwrap().get(number).cloned().map(Box::new))
            }
            FrontCall::Cancel { number } => {
                let mut orders = self.orders.lock().unwrap();
                let order = orders.get_mut(number).unwrap();
                order.closed = order.received.is_none();
                FrontAnswer::Canceled(order.closed)
            }
            FrontCall::Refund(refund) => {
                let record = FrontRefundRecord {
                    id: "rr-1".to_owned(),
                    number: refund.number.clone(),
                    order: self.orders.lock().unwrap()[&refund.order].clone(),
                    amount: refund.amount,
                    state: FrontRefundState::Pending,
                    created_at: self.now,
                    ended_at: None,
                    echo: refund.echo.clone(),
                };
                self.refunds.lock().unwrap().insert(refund.number.clone(), record.clone());
                FrontAnswer::Refund(Some(Box::new(record)))
            }
            FrontCall::QueryRefund { number } => {
                FrontAnswer::Refund(self.refunds.lock().unwrap().get(number).cloned().map(Box::new))
            }
            other => panic!("{other:?}"),
        }
    }
}

#[async_trait]
impl Transport for Host {
    fn check(&self, _: Destination, _: &Endpoint) -> Result<(), String> {
        Ok(())
    }

    /// The base address of a channel ends where the operation begins.
    async fn send(&self, call: Outgoing) -> Result<WireResponse, Undelivered> {
        let path = format!("{}{}", call.endpoint.path_and_query().0, call.request.path);
        let request = WireRequest { path, ..call.request };
        Ok(match self.acceptor.read(&Accounts, &request, self.now) {
            Ok(read) => self.acceptor.answer(&read, &self.answer(&read), self.now),
            Err(refused) => refused,
        })
    }
}

struct Pair {
    rig: Rig,
    host: Host,
    clock: TestClock,
    channel: Arc<dyn Channel>,
}

impl Pair {
    fn new() -> Self {
        let clock = TestClock::new();
        let host = Host::new(clock.now());
        Self { rig: Rig::new(json!({})), host, clock, channel: channel(json!({})) }
    }

    fn cx(&self) -> Cx<'_> {
        Cx::new(&self.host, &self.clock, Deadline::after(self.clock.mono(), Duration::from_secs(90)))
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_is_opened_paid_told_of_and_refunded() {
    let pair = Pair::new();
    let order = pair.rig.order("any.native");
    let mut known = pair.rig.order_ref("any.native");
    assert_eq!(pair.channel.query(&pair.cx(), &known).await, Ok(QueryAnswer::NotFound));
    let Created::Open(opened) = pair.channel.create(&pair.cx(), &order).await.unwrap() else {
        panic!("paid")
    };
    assert_eq!(opened.action, Some(NextAction::Qr { qr: "weixin://x".to_owned() }));
    known.reference = opened.reference;
    assert_eq!(pair.channel.query(&pair.cx(), &known).await, Ok(QueryAnswer::Open));

    pair.host.pay();
    let QueryAnswer::Paid(receipt) = pair.channel.query(&pair.cx(), &known).await.unwrap() else {
        panic!("unpaid")
    };
    assert_eq!((receipt.received, receipt.trade_no.as_deref()), (order.amount, Some("4200")));

    let stored = pair.host.orders.lock().unwrap()[NUMBER].clone();
    let notice = pair.host.acceptor.notice(&account(), &FrontFact::Paid(Box::new(stored)), pair.host.now);
    let claim = pair.channel.verify_callback(&notice).unwrap();
    assert_eq!(
        (claim.number.as_str(), claim.received, claim.evidence),
        (NUMBER, order.amount, Evidence::Settles)
    );
    assert_eq!((claim.trade_no.as_deref(), claim.trade_no_is_signed), (Some("4200"), true));
    assert!(pair.host.acceptor.acknowledged(&pair.channel.acknowledge(Verdict::Accepted)));
    assert!(!pair.host.acceptor.acknowledged(&pair.channel.acknowledge_misfit()));
    assert!(matches!(pair.channel.cancel(&pair.cx(), &known).await, Ok(CancelAnswer::Paid(_))));

    let refund = pair.rig.refund_order();
    assert_eq!(pair.channel.query_refund(&pair.cx(), &refund).await, Ok(OutflowAnswer::NotFound));
    let answer = pair.channel.refund(&pair.cx(), &refund).await;
    assert_eq!(answer, Ok(OutflowAnswer::Pending { reference: Some("rr-1".to_owned()) }));
    assert!(matches!(
        pair.channel.query_refund(&pair.cx(), &refund).await,
        Ok(OutflowAnswer::Pending { .. })
    ));
    pair.host.refunds.lock().unwrap().get_mut(&refund.number).unwrap().state = FrontRefundState::Done;
    assert!(matches!(pair.channel.query_refund(&pair.cx(), &refund).await, Ok(OutflowAnswer::Done { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_scan_is_paid_at_once() {
    let pair = Pair::new();
    let created = pair.channel.create(&pair.cx(), &pair.rig.order("wechat.barcode")).await.unwrap();
    let Created::Paid(receipt) = created else { panic!("open") };
    assert_eq!(receipt.received, Money::fen(250));
    assert_eq!(receipt.reference, Some(format!("P{NUMBER}")));
}

#[tokio::test(start_paused = true)]
async fn an_unpaid_order_is_closed() {
    let pair = Pair::new();
    pair.channel.create(&pair.cx(), &pair.rig.order("any.native")).await.unwrap();
    let known = pair.rig.order_ref("any.native");
    // Each call must have a time of its own: one sign is good for one call.
    let ended = pair.channel.cancel(&pair.cx(), &known).await;
    assert_eq!(ended, Ok(CancelAnswer::Closed));
}
