//! A channel with a clock that stands and a transport that answers what a test says.

use std::sync::Arc;
use std::time::Duration;

use paymux_core::channel::{CancelAnswer, OutflowAnswer, QueryAnswer, RefundOrder};
use paymux_core::clock::Clock;
use paymux_core::provider::ChannelSite;
use paymux_core::transport::{Deadline, Outgoing, Undelivered};
use paymux_core::{
    Channel, ChannelError, ChannelId, Created, Cx, Money, Order, OrderRef, Payer, ProviderOrderNo, Secret,
    WireResponse,
};
use paymux_testkit::{ScriptedTransport, TestClock};
use serde_json::{Map, Value, json};

pub(crate) const APP_ID: &str = "7c9f2f1e-3a44-4c8b-9d21-5b0e6f7a8c90";
pub(crate) const APP_SECRET: &str = "1f0e2d3c-4b5a-4978-8695-a4b3c2d1e0f9";
pub(crate) const MASTER_SECRET: &str = "9e8d7c6b-5a49-4382-b1a0-0f1e2d3c4b5a";
pub(crate) const TEST_SECRET: &str = "00112233-4455-4677-8899-aabbccddeeff";
/// The number of the vectors' order.
pub(crate) const NUMBER: &str = "PMX20240301000001";

/// The number of vector bc-v2's refund.
pub(crate) const REFUND_NO: &str = "20240301000017";

pub(crate) struct Rig {
    pub channel: Arc<dyn Channel>,
    pub clock: TestClock,
    pub transport: ScriptedTransport,
}

/// The vectors' account, with what `patch` adds or, by null, takes away.
pub(crate) fn settings(patch: Value) -> Map<String, Value> {
    let mut settings = json!({"app_id": APP_ID, "app_secret": APP_SECRET, "master_secret": MASTER_SECRET});
    let settings = settings.as_object_mut().unwrap();
    settings.extend(patch.as_object().unwrap().clone());
    settings.retain(|_, value| !value.is_null());
    settings.clone()
}

pub(crate) fn channel(patch: Value) -> Arc<dyn Channel> {
    let site = ChannelSite { id: ChannelId::new("bee-main").unwrap() };
    paymux_beecloud::provider().channel(site, settings(patch)).unwrap()
}

/// An answer of BeeCloud's with that code and those fields.
pub(crate) fn reply(code: i64, fields: Value) -> WireResponse {
    let mut body = json!({"result_code": code, "result_msg": "x", "err_detail": ""});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    WireResponse::ok("application/json", body.to_string())
}

impl Rig {
    /// Needs a runtime whose time stands.
    pub(crate) fn new(patch: Value) -> Self {
        Self { channel: channel(patch), clock: TestClock::new(), transport: ScriptedTransport::new() }
    }

    pub(crate) fn answers(self, answers: impl IntoIterator<Item = WireResponse>) -> Self {
        answers.into_iter().for_each(|answer| self.transport.answer(Ok(answer)));
        self
    }

    pub(crate) fn fails(self, failure: Undelivered) -> Self {
        self.transport.answer(Err(failure));
        self
    }

    pub(crate) fn cx(&self) -> Cx<'_> {
        Cx::new(&self.transport, &self.clock, Deadline::after(self.clock.mono(), Duration::from_secs(15)))
    }

    /// The vectors' order with every field of the payer that a code may need.
    pub(crate) fn order(&self, method: &str) -> Order {
        Order {
            number: ProviderOrderNo::new(NUMBER).unwrap(),
            amount: Money::fen(1023),
            method: method.parse().unwrap(),
            subject: "红茶 A".to_owned(),
            expires_at: self.clock.now().plus(Duration::from_mins(30)),
            notify_url: "https://pay.example/notify/bee-main".to_owned(),
            return_url: "https://pay.example/return/bee-main".to_owned(),
            payer: Payer {
                ip: Some("203.0.113.7".parse().unwrap()),
                region: None,
                id: Some("u77".to_owned()),
                openid: Some("o-1".to_owned()),
                auth_code: Some(Secret::new("134567890123456789")),
            },
            extra: std::collections::BTreeMap::new(),
            metadata: [("kept".to_owned(), "here".to_owned())].into(),
            memo: self.channel.memo(method.parse().unwrap()),
        }
    }

    pub(crate) fn order_ref(&self, method: &str) -> OrderRef {
        OrderRef {
            number: ProviderOrderNo::new(NUMBER).unwrap(),
            amount: Money::fen(1023),
            method: method.parse().unwrap(),
            memo: self.channel.memo(method.parse().unwrap()),
            reference: None,
            created_at: self.clock.now(),
            metadata: std::collections::BTreeMap::new(),
        }
    }

    pub(crate) async fn create(&self, method: &str) -> Result<Created, ChannelError> {
        self.channel.create(&self.cx(), &self.order(method)).await
    }

    pub(crate) async fn query(&self, method: &str) -> Result<QueryAnswer, ChannelError> {
        self.channel.query(&self.cx(), &self.order_ref(method)).await
    }

    pub(crate) async fn cancel(&self, method: &str) -> Result<CancelAnswer, ChannelError> {
        self.channel.cancel(&self.cx(), &self.order_ref(method)).await
    }

    /// A refund of the vectors' order, under the number of vector bc-v2.
    pub(crate) fn refund_order(&self, method: &str) -> RefundOrder {
        RefundOrder {
            number: REFUND_NO.to_owned(),
            order: self.order_ref(method),
            trade_no: Some("4200".to_owned()),
            received: Money::fen(1023),
            amount: Money::fen(23),
            reason: "too sweet".to_owned(),
            reference: None,
            notify_url: "https://pay.example/notify/bee-main".to_owned(),
            created_at: self.clock.now(),
        }
    }

    pub(crate) async fn refund(&self, method: &str) -> Result<OutflowAnswer, ChannelError> {
        self.channel.refund(&self.cx(), &self.refund_order(method)).await
    }

    pub(crate) async fn query_refund(&self, method: &str) -> Result<OutflowAnswer, ChannelError> {
        self.channel.query_refund(&self.cx(), &self.refund_order(method)).await
    }

    pub(crate) fn sent(&self) -> Vec<Outgoing> {
        self.transport.sent()
    }

    /// The whole addresses that were called.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.sent().iter().map(|call| call.request.path.clone()).collect()
    }

    /// The fields of a call: its body, or `para`.
    pub(crate) fn fields(&self, index: usize) -> Value {
        let request = self.sent()[index].request.clone();
        match request.query_value("para") {
            Some(para) => serde_json::from_str(&para).unwrap(),
            None => serde_json::from_slice(&request.body).unwrap(),
        }
    }
}
