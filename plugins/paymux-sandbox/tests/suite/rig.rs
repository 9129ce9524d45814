//! A channel with a clock that stands and a transport that must stay silent.

use std::sync::Arc;
use std::time::Duration;

use paymux_core::channel::{CancelAnswer, QueryAnswer};
use paymux_core::clock::Clock;
use paymux_core::provider::ChannelSite;
use paymux_core::transport::Deadline;
use paymux_core::{
    Channel, ChannelError, ChannelId, Created, Cx, Money, Order, OrderRef, Payer, Provider, ProviderOrderNo,
};
use paymux_testkit::{ScriptedTransport, TestClock};
use serde_json::{Value, json};

pub(crate) const NUMBER: &str = "018df73e8c0070008000000000000001";

/// A channel with a clock and a transport that must stay silent.
pub(crate) struct Rig {
    pub(crate) channel: Arc<dyn Channel>,
    pub(crate) clock: TestClock,
    pub(crate) transport: ScriptedTransport,
}

impl Rig {
    pub(crate) fn new() -> Self {
        Self::of(&paymux_sandbox::provider(), json!({}))
    }

    pub(crate) fn of(provider: &Arc<dyn Provider>, settings: Value) -> Self {
        let Value::Object(settings) = settings else { panic!("settings are a table") };
        let site = ChannelSite { id: ChannelId::new("box-1").unwrap() };
        let channel = provider.channel(site, settings).unwrap();
        Self { channel, clock: TestClock::new(), transport: ScriptedTransport::new() }
    }

    pub(crate) fn cx(&self) -> Cx<'_> {
        let deadline = Deadline::after(self.clock.mono(), Duration::from_secs(15));
        Cx::new(&self.transport, &self.clock, deadline)
    }

    pub(crate) fn order(&self, method: &str, script: Option<&str>) -> Order {
        Order {
            number: ProviderOrderNo::new(NUMBER).unwrap(),
            amount: Money::fen(1999),
            method: method.parse().unwrap(),
            subject: "Tea".to_owned(),
            expires_at: self.clock.now().plus(Duration::from_mins(30)),
            notify_url: "https://pay.example/notify/box-1".to_owned(),
            return_url: "https://pay.example/return/box-1".to_owned(),
            payer: Payer::default(),
            extra: std::collections::BTreeMap::new(),
            metadata: script.map(|word| ("sandbox".to_owned(), word.to_owned())).into_iter().collect(),
            memo: String::new(),
        }
    }

    pub(crate) fn order_ref(&self) -> OrderRef {
        OrderRef {
            number: ProviderOrderNo::new(NUMBER).unwrap(),
            amount: Money::fen(1999),
            method: "wechat.native".parse().unwrap(),
            memo: String::new(),
            reference: None,
            created_at: self.clock.now(),
            metadata: std::collections::BTreeMap::new(),
        }
    }

    pub(crate) async fn create(&self, script: Option<&str>) -> Result<Created, ChannelError> {
        self.channel.create(&self.cx(), &self.order("wechat.native", script)).await
    }

    pub(crate) async fn query(&self) -> QueryAnswer {
        self.channel.query(&self.cx(), &self.order_ref()).await.unwrap()
    }

    pub(crate) async fn cancel(&self) -> CancelAnswer {
        self.channel.cancel(&self.cx(), &self.order_ref()).await.unwrap()
    }

    pub(crate) async fn pay(&self, body: Value) -> Result<Value, ChannelError> {
        self.channel.native(&self.cx(), "pay", body).await
    }
}
