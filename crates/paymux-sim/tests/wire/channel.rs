//! The plugin's own channel against the simulator: create, QR, pay, webhook, query.

use std::sync::Arc;
use std::time::Duration;

use paymux_core::channel::{CallbackError, ClaimKind, Created, Evidence, QueryAnswer};
use paymux_core::provider::ChannelSite;
use paymux_core::transport::Deadline;
use paymux_core::{
    Channel, ChannelError, ChannelId, Clock, Cx, Method, Money, NextAction, Order, OrderRef, Payer,
    ProviderOrderNo, Secret, Transport, Verb, WireRequest,
};
use paymux_sim::{CallFault, NoticeFault, Rule, Running, SimConfig};
use paymux_transport::{Dialler, Settings};
use serde_json::json;

use crate::support::*;

pub(crate) struct Bench {
    pub(crate) sim: Running,
    pub(crate) hook: Hook,
    pub(crate) channel: Arc<dyn Channel>,
    transport: Dialler,
    pub(crate) clock: Arc<dyn Clock>,
    method: Method,
}

impl Bench {
    async fn new() -> Self {
        Self::of("wechat.native", config()).await
    }

    /// For orders of that method, against a simulator of that set-up.
    pub(crate) async fn of(method: &str, config: SimConfig) -> Self {
        let hook = Hook::new().await;
        let clock = config.clock.clone();
        let sim = start(SimConfig { time_scale: 100.try_into().unwrap(), ..config }).await;
        let settings = json!({"app_id": APP_ID, "app_secret": APP_SECRET, "master_secret": MASTER_SECRET,
            "base_url": sim.base_url()});
        let site = ChannelSite { id: ChannelId::new("bee-main").unwrap() };
        let channel =
            paymux_beecloud::provider().channel(site, settings.as_object().unwrap().clone()).unwrap();
        let transport = Dialler::new(&Settings::default(), clock.clone()).unwrap();
        Self { sim, hook, channel, transport, clock, method: method.parse().unwrap() }
    }

    pub(crate) fn cx(&self) -> Cx<'_> {
        let transport: &dyn Transport = &self.transport;
        Cx::new(transport, &*self.clock, Deadline::after(self.clock.mono(), Duration::from_secs(5)))
    }

    pub(crate) fn order(&self) -> Order {
        let method = self.method;
        Order {
            number: ProviderOrderNo::new(NUMBER).unwrap(),
            amount: Money::fen(1023),
            method,
            subject: "红茶 A".to_owned(),
            expires_at: self.clock.now().plus(Duration::from_mins(30)),
            notify_url: self.hook.url.clone(),
            return_url: "https://shop.example/back".to_owned(),
            payer: Payer { auth_code: Some(Secret::new("134567890123456787")), ..Payer::default() },
            extra: std::collections::BTreeMap::new(),
            metadata: std::collections::BTreeMap::new(),
            memo: self.channel.memo(method),
        }
    }

    pub(crate) fn order_ref(&self, reference: Option<String>) -> OrderRef {
        let order = self.order();
        OrderRef {
            number: order.number,
            amount: order.amount,
            method: order.method,
            memo: order.memo,
            reference,
            created_at: self.clock.now(),
            metadata: order.metadata,
        }
    }

    pub(crate) async fn webhook(&mut self) -> WireRequest {
        let arrived = self.hook.next().await;
        WireRequest::new(Verb::Post, arrived.path()).body("application/json", arrived.body.to_string())
    }
}

#[tokio::test]
async fn a_payment_goes_from_create_to_paid() {
    let mut bench = Bench::new().await;
    let created = bench.channel.create(&bench.cx(), &bench.order()).await.unwrap();
    let Created::Open(opened) = created else { panic!("{created:?}") };
    let Some(NextAction::Qr { qr }) = &opened.action else { panic!("{opened:?}") };
    assert_eq!(*qr, format!("{}/sim/pay/{NUMBER}", bench.sim.base_url()));
    let order = bench.order_ref(opened.reference.clone());
    assert_eq!(bench.channel.query(&bench.cx(), &order).await, Ok(QueryAnswer::Open));

    let paid = bench.sim.bank().pay(NUMBER).unwrap();
    let webhook = bench.webhook().await;
    let claim = bench.channel.verify_callback(&webhook).unwrap();
    assert_eq!(
        (claim.number.as_str(), claim.kind, claim.evidence),
        (NUMBER, ClaimKind::Paid, Evidence::Settles)
    );
    assert_eq!((claim.received, claim.order_amount), (Money::fen(1023), Some(Money::fen(1023))));

    let answer = bench.channel.query(&bench.cx(), &order).await.unwrap();
    let QueryAnswer::Paid(receipt) = answer else { panic!("{answer:?}") };
    assert_eq!((receipt.received, receipt.trade_no), (Money::fen(1023), paid.trade_no));
    let stats = bench.sim.bank().stats();
    assert_eq!((stats.creates(NUMBER), stats.orders, stats.misreadings), (1, 1, 0));
    bench.sim.stop().await;
}

#[tokio::test]
async fn forged_webhooks_are_not_believed() {
    for fault in [NoticeFault::BadSignature, NoticeFault::RotatedSecret, NoticeFault::OtherAccount] {
        let mut bench = Bench::new().await;
        bench.channel.create(&bench.cx(), &bench.order()).await.unwrap();
        bench.sim.bank().strike_notice(Rule::once(fault.clone())).unwrap();
        bench.sim.bank().pay(NUMBER).unwrap();
        let webhook = bench.webhook().await;
        let refused = bench.channel.verify_callback(&webhook);
        assert!(matches!(refused, Err(CallbackError::BadSign(_))), "{fault:?}: {refused:?}");
        bench.sim.stop().await;
    }
}

#[tokio::test]
async fn a_lost_answer_leaves_the_outcome_unknown_and_a_query_finds_the_order() {
    for fault in [CallFault::CloseAfter, CallFault::Truncated, CallFault::Malformed] {
        let bench = Bench::new().await;
        bench.sim.bank().strike_call(Rule::once(fault.clone())).unwrap();
        let lost = bench.channel.create(&bench.cx(), &bench.order()).await;
        assert!(matches!(lost, Err(ChannelError::Unknown(_))), "{fault:?}: {lost:?}");
        let found = bench.channel.query(&bench.cx(), &bench.order_ref(None)).await;
        assert_eq!(found, Ok(QueryAnswer::Open), "{fault:?}");
        assert_eq!(bench.sim.bank().stats().creates(NUMBER), 1, "{fault:?}: sent once");
        bench.sim.stop().await;
    }
}
