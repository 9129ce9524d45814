//! A channel with a clock that stands and a transport that answers what a test says; the vectors; and a signer of
//! its own, so that nothing here trusts the plugin's.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use paymux_core::clock::Clock;
use paymux_core::provider::ChannelSite;
use paymux_core::transport::{Deadline, Undelivered};
use paymux_core::{
    Channel, ChannelError, ChannelId, Created, Cx, Money, Order, OrderRef, Payer, ProviderOrderNo, Verb,
    WireRequest, WireResponse,
};
use paymux_sign::Md5Text;
use paymux_testkit::{ScriptedTransport, TestClock};
use serde_json::{Map, Value, json};

pub(crate) const APPKEY: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
pub(crate) const APPSECRET: &str = "s3cr3t-Of-Shop-One";
/// The second key pair of the vectors.
pub(crate) const APPKEY_2: &str = "aabbccddeeff00112233445566778899";
pub(crate) const APPSECRET_2: &str = "ZZ91kq0PlwmX77bbN2hT5dRv8cYu4eLo";
/// The number of the vectors' first order.
pub(crate) const NUMBER: &str = "PMX20240301000001";

pub(crate) const CREATE: [&str; 4] = ["price", "type", "out_order_id", "custom"];
pub(crate) const NOTIFY: [&str; 7] =
    ["order_id", "out_order_id", "price", "realprice", "type", "paytime", "extend"];
pub(crate) const RETURN: [&str; 5] = ["price", "type", "product_id", "order_id", "out_order_id"];

/// The vector of that id.
pub(crate) fn vector(id: &str) -> Value {
    let file: Value = serde_json::from_str(include_str!("../data/vectors.json")).unwrap();
    let vectors = file["vectors"].as_array().unwrap().clone();
    vectors.into_iter().find(|vector| vector["id"] == id).unwrap()
}

/// Its form as it travels.
pub(crate) fn form(id: &str) -> String {
    vector(id)["form"].as_str().unwrap().to_owned()
}

pub(crate) fn md5(text: impl AsRef<[u8]>) -> String {
    Md5Text::new().piece(text).digest().to_hex().as_str().to_owned()
}

/// The sign over those values, as the document says it.
pub(crate) fn sign(appkey: &str, values: &[&str], secret: &str) -> String {
    md5(md5(format!("{appkey}{}", values.concat())) + secret)
}

/// Pairs as a form. Every byte of a value is escaped.
pub(crate) fn encode(pairs: &[(&str, &str)]) -> String {
    let escape = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<Vec<_>>().concat();
    pairs.iter().map(|(name, value)| format!("{name}={}", escape(value))).collect::<Vec<_>>().join("&")
}

/// The fields of vector cp-s4 with changed ones, signed anew with the vectors' first secret; null takes one away.
pub(crate) fn notify(patch: Value) -> String {
    signed("cp-s4", &NOTIFY, patch)
}

/// The same of vector cp-s6, a query.
pub(crate) fn way_back(patch: Value) -> String {
    signed("cp-s6", &RETURN, patch)
}

/// The same of vector cp-s1, a create.
pub(crate) fn creation(patch: Value) -> String {
    signed("cp-s1", &CREATE, patch)
}

fn signed(id: &str, order: &[&str], patch: Value) -> String {
    let vector = vector(id);
    let mut fields = vector["fields"].as_object().unwrap().clone();
    fields.extend(patch.as_object().unwrap().clone());
    fields.retain(|_, value| !value.is_null());
    let value = |name: &str| fields.get(name).and_then(Value::as_str).unwrap_or_default();
    let values: Vec<&str> = order.iter().map(|name| value(name)).collect();
    let digest = sign(APPKEY, &values, APPSECRET);
    let mut pairs: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap())).collect();
    if !fields.contains_key("sign") {
        pairs.push(("sign", &digest));
    }
    if id == "cp-s1" {
        pairs.insert(0, ("appkey", APPKEY));
    }
    encode(&pairs)
}

/// The vectors' account, with what `patch` adds or, by null, takes away.
pub(crate) fn settings(patch: Value) -> Map<String, Value> {
    let mut settings =
        json!({"appkey": APPKEY, "appsecret": APPSECRET, "base_url": "https://gateway.example"});
    let settings = settings.as_object_mut().unwrap();
    settings.extend(patch.as_object().unwrap().clone());
    settings.retain(|_, value| !value.is_null());
    settings.clone()
}

pub(crate) fn channel(patch: Value) -> Arc<dyn Channel> {
    let site = ChannelSite { id: ChannelId::new("cloud-a").unwrap() };
    paymux_cloudpay::provider().channel(site, settings(patch)).unwrap()
}

/// A notification as it comes in.
pub(crate) fn post(form: impl Into<Vec<u8>>) -> WireRequest {
    WireRequest::new(Verb::Post, "/notify/cloud-a").body("application/x-www-form-urlencoded", form.into())
}

/// A browser as it comes back.
pub(crate) fn get(query: impl Into<String>) -> WireRequest {
    WireRequest::new(Verb::Get, "/return/cloud-a").query(query)
}

/// An answer of the gateway's.
pub(crate) fn reply(code: i64, data: Value) -> WireResponse {
    let body = json!({"code": code, "msg": "x", "time": "1709251200", "data": data});
    WireResponse::ok("application/json", body.to_string())
}

pub(crate) const PAGE: &str = "https://pay.example.test/pay/api?id=65e1c0a9f1b2c&type=alipay";

/// The answer of a create that went well.
pub(crate) fn page() -> WireResponse {
    reply(
        100,
        json!({"pay_url": PAGE, "qrcode_url": "https://pay.example.test/qr", "params": {"out_order_id": NUMBER}}),
    )
}

pub(crate) struct Rig {
    pub channel: Arc<dyn Channel>,
    pub clock: TestClock,
    pub transport: ScriptedTransport,
}

impl Rig {
    /// Needs a runtime whose time stands.
    pub(crate) fn new(patch: Value) -> Self {
        Self { channel: channel(patch), clock: TestClock::new(), transport: ScriptedTransport::new() }
    }

    pub(crate) fn answers(self, answer: WireResponse) -> Self {
        self.transport.answer(Ok(answer));
        self
    }

    pub(crate) fn fails(self, failure: Undelivered) -> Self {
        self.transport.answer(Err(failure));
        self
    }

    pub(crate) fn cx(&self) -> Cx<'_> {
        Cx::new(&self.transport, &self.clock, Deadline::after(self.clock.mono(), Duration::from_secs(15)))
    }

    /// The vectors' first order, without its `custom`.
    pub(crate) fn order(&self, method: &str) -> Order {
        Order {
            number: ProviderOrderNo::new(NUMBER).unwrap(),
            amount: Money::fen(1023),
            method: method.parse().unwrap(),
            subject: "红茶 A".to_owned(),
            expires_at: self.clock.now().plus(Duration::from_mins(30)),
            notify_url: "https://pay.example/notify/cloud-a".to_owned(),
            return_url: "https://pay.example/return/cloud-a".to_owned(),
            payer: Payer::default(),
            extra: BTreeMap::new(),
            metadata: [("kept".to_owned(), "here".to_owned())].into(),
            memo: self.channel.memo(method.parse().unwrap()),
        }
    }

    pub(crate) async fn create(&self, order: &Order) -> Result<Created, ChannelError> {
        self.channel.create(&self.cx(), order).await
    }

    /// The body of the only call.
    pub(crate) fn body(&self) -> String {
        let sent = self.transport.sent();
        assert_eq!(sent.len(), 1, "one call");
        String::from_utf8(sent[0].request.body.to_vec()).unwrap()
    }
}

/// The vectors' first order as it is stored.
pub(crate) fn stored(amount: i64, memo: &str) -> OrderRef {
    OrderRef {
        number: ProviderOrderNo::new(NUMBER).unwrap(),
        amount: Money::fen(amount),
        method: "alipay.web".parse().unwrap(),
        memo: memo.to_owned(),
        reference: None,
        created_at: TestClock::new().now(),
        metadata: BTreeMap::new(),
    }
}
