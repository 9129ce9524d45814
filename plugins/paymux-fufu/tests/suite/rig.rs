//! A channel with a clock that stands and a transport that answers what a test says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use paymux_core::channel::{CancelAnswer, OutflowAnswer, QueryAnswer, RefundOrder};
use paymux_core::clock::Clock;
use paymux_core::provider::ChannelSite;
use paymux_core::transport::{Deadline, NoAnswer, Outgoing, Undelivered};
use paymux_core::{
    Channel, ChannelError, ChannelId, Created, Currency, Cx, Money, Order, OrderRef, Payer, ProviderOrderNo,
    Secret, WireResponse,
};
use paymux_sign::Md5Text;
use paymux_testkit::{ScriptedTransport, TestClock};
use serde_json::{Map, Value, json};

pub(crate) const BUSI_ID: &str = "100000000000001";
/// The key of vector ff-s1.
pub(crate) const KEY: &str = "11111111111111111111111111111111";
/// The number of the vectors' order.
pub(crate) const NUMBER: &str = "PMX20240301000001";
pub(crate) const REFUND_NO: &str = "0123456789abcdef0123456789abcdef";
pub(crate) const AUTH_CODE: &str = "281234567890123456";

pub(crate) struct Rig {
    pub channel: Arc<dyn Channel>,
    pub clock: TestClock,
    pub transport: ScriptedTransport,
}

/// The vectors' account, with what `patch` adds or, by null, takes away.
pub(crate) fn settings(patch: Value) -> Map<String, Value> {
    let mut settings = json!({"busi_id": BUSI_ID, "key": KEY, "operator_id": "op1", "terminal_id": "t1",
        "base_url": "https://fufu.example/gateway/pay"});
    let settings = settings.as_object_mut().unwrap();
    settings.extend(patch.as_object().unwrap().clone());
    settings.retain(|_, value| !value.is_null());
    settings.clone()
}

pub(crate) fn channel(patch: Value) -> Arc<dyn Channel> {
    let site = ChannelSite { id: ChannelId::new("fufu-1").unwrap() };
    paymux_fufu::provider().channel(site, settings(patch)).unwrap()
}

pub(crate) fn json_response(body: &Value) -> WireResponse {
    WireResponse::ok("application/json", body.to_string())
}

/// An answer that says SUCCESS at both levels, with those fields in `data`.
pub(crate) fn done(data: Value) -> WireResponse {
    let mut all = json!({"return_code": "SUCCESS", "return_msg": "OK"});
    all.as_object_mut().unwrap().extend(data.as_object().unwrap().clone());
    all.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    json_response(&json!({"result": {"return_code": "SUCCESS", "return_msg": "OK"}, "data": all}))
}

/// An answer whose `data` fails with that code.
pub(crate) fn fails_with(code: &str) -> WireResponse {
    json_response(&json!({"result": {"return_code": "SUCCESS", "return_msg": "OK"},
        "data": {"return_code": "FAIL", "return_msg": code}}))
}

/// An answer whose `result` fails with that code.
pub(crate) fn refused_with(code: &str) -> WireResponse {
    json_response(&json!({"result": {"return_code": "FAIL", "return_msg": code}, "data": null}))
}

/// The record of the vectors' order in that state.
pub(crate) fn in_state(state: Value) -> WireResponse {
    done(json!({"out_trade_no": NUMBER, "trade_no": "20240301100000000001", "channel_type": "1",
        "channel_trade_no": "2024030122001400000000000001", "fee_type": "CNY", "state": state}))
}

/// The sign of a body, made by hand.
pub(crate) fn sign(timestamp: &str, key: &str, body: &[u8]) -> String {
    let squeezed: Vec<u8> = body.iter().copied().filter(|byte| !b" \r\n".contains(byte)).collect();
    let digest = Md5Text::new().piece(timestamp).piece(key).piece(squeezed).digest().to_hex();
    format!("{}:{timestamp}", digest.as_str())
}

pub(crate) fn baht(minor: i64) -> Money {
    Money::new(minor, Currency::from_code("THB").unwrap())
}

impl Rig {
    /// Needs a runtime whose time stands.
    pub(crate) fn new(patch: Value) -> Self {
        Self { channel: channel(patch), clock: TestClock::new(), transport: ScriptedTransport::new() }
    }

    pub(crate) fn answering(answers: impl IntoIterator<Item = WireResponse>) -> Self {
        let rig = Self::new(json!({}));
        answers.into_iter().for_each(|answer| rig.transport.answer(Ok(answer)));
        rig
    }

    pub(crate) fn then_answers(self, answer: WireResponse) -> Self {
        self.transport.answer(Ok(answer));
        self
    }

    pub(crate) fn then_breaks(self) -> Self {
        self.transport.answer(Err(Undelivered::NoAnswer(NoAnswer::TimedOut)));
        self
    }

    /// Wall time is that moment; monotonic time does not notice.
    pub(crate) fn at(self, moment: &str) -> Self {
        let wanted: paymux_core::Timestamp = moment.parse().unwrap();
        self.clock.skew(wanted.ms() - paymux_testkit::clock::START.ms());
        self
    }

    pub(crate) fn cx(&self) -> Cx<'_> {
        Cx::new(&self.transport, &self.clock, Deadline::after(self.clock.mono(), Duration::from_secs(90)))
    }

    /// The vectors' order with every field of the payer that a way to pay may need.
    pub(crate) fn order(&self, method: &str) -> Order {
        let mut extra = BTreeMap::new();
        if method == "wechat.jsapi" {
            extra.insert("subAppId".to_owned(), json!("wx0123456789abcdef"));
        }
        Order {
            number: ProviderOrderNo::new(NUMBER).unwrap(),
            amount: Money::fen(250),
            method: method.parse().unwrap(),
            subject: "coffee".to_owned(),
            expires_at: self.clock.now().plus(Duration::from_mins(30)),
            notify_url: "https://pay.example/notify/fufu-1".to_owned(),
            return_url: "https://pay.example/return/fufu-1".to_owned(),
            payer: Payer {
                openid: Some("o-1".to_owned()),
                auth_code: Some(Secret::new(AUTH_CODE)),
                ..Payer::default()
            },
            extra,
            metadata: [("kept".to_owned(), "here".to_owned())].into(),
            memo: self.channel.memo(method.parse().unwrap()),
        }
    }

    pub(crate) fn order_ref(&self, method: &str) -> OrderRef {
        OrderRef {
            number: ProviderOrderNo::new(NUMBER).unwrap(),
            amount: Money::fen(250),
            method: method.parse().unwrap(),
            memo: self.channel.memo(method.parse().unwrap()),
            reference: None,
            created_at: self.clock.now(),
            metadata: BTreeMap::new(),
        }
    }

    pub(crate) async fn create(&self, method: &str) -> Result<Created, ChannelError> {
        self.channel.create(&self.cx(), &self.order(method)).await
    }

    pub(crate) async fn query(&self, method: &str) -> Result<QueryAnswer, ChannelError> {
        self.channel.query(&self.cx(), &self.order_ref(method)).await
    }

    pub(crate) async fn cancel(&self, order: &OrderRef) -> Result<CancelAnswer, ChannelError> {
        self.channel.cancel(&self.cx(), order).await
    }

    pub(crate) fn refund_order(&self) -> RefundOrder {
        RefundOrder {
            number: REFUND_NO.to_owned(),
            order: self.order_ref("alipay.native"),
            trade_no: Some("2024030122001400000000000001".to_owned()),
            received: Money::fen(250),
            amount: Money::fen(50),
            reason: "too sweet".to_owned(),
            reference: None,
            notify_url: "https://pay.example/notify/fufu-1".to_owned(),
            created_at: self.clock.now(),
        }
    }

    pub(crate) async fn refund(&self) -> Result<OutflowAnswer, ChannelError> {
        self.channel.refund(&self.cx(), &self.refund_order()).await
    }

    pub(crate) async fn query_refund(&self) -> Result<OutflowAnswer, ChannelError> {
        self.channel.query_refund(&self.cx(), &self.refund_order()).await
    }

    pub(crate) fn sent(&self) -> Vec<Outgoing> {
        self.transport.sent()
    }

    /// The operations that were called.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.sent().iter().map(|call| call.request.path.clone()).collect()
    }

    pub(crate) fn body(&self, index: usize) -> String {
        String::from_utf8(self.sent()[index].request.body.to_vec()).unwrap()
    }

    pub(crate) fn fields(&self, index: usize) -> Value {
        serde_json::from_str(&self.body(index)).unwrap()
    }
}

/// The text of a refusal; anything else fails.
#[track_caller]
pub(crate) fn refusal<T: std::fmt::Debug>(
    answer: Result<T, ChannelError>,
) -> (String, paymux_core::channel::Blame, String) {
    match answer {
        Err(ChannelError::Refused(refusal)) => (refusal.code, refusal.blame, refusal.message),
        other => panic!("{other:?}"),
    }
}

/// The text of an unknown outcome; anything else fails.
#[track_caller]
pub(crate) fn unknown<T: std::fmt::Debug>(answer: Result<T, ChannelError>) -> String {
    match answer {
        Err(ChannelError::Unknown(what)) => what,
        other => panic!("{other:?}"),
    }
}
