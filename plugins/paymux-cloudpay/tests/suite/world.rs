//! Whole payments over cloudpay merchants: the core over a ledger in memory, and a gateway that reads and signs by
//! itself, so that nothing here trusts the plugin's own server side.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use paymux_core::catalog::{
    Catalog, CatalogHandle, ChannelEntry, FailoverUnknown, Route, Rules, Strategy, When,
};
use paymux_core::ids::RouteName;
use paymux_core::payment::PaymentRequest;
use paymux_core::payments::Ports;
use paymux_core::provider::ChannelSite;
use paymux_core::store::PaymentLedger as _;
use paymux_core::transport::{Destination, NoAnswer, Outgoing, Transport, Undelivered};
use paymux_core::wire::PlainHttp;
use paymux_core::{
    App, AppId, ChannelId, Endpoint, NewPayment, Payment, PaymentError, Payments, Secret, Verb, WireRequest,
    WireResponse,
};
use paymux_testkit::{MemoryStore, SeededRng, TestClock};
use serde_json::{Value, json};

use crate::rig::{CREATE, NOTIFY, encode, post, reply, settings, sign};

/// A merchant at the gateway, and what it may collect. Its id is its channel's.
pub(crate) type Merchant = (&'static str, Rules);

/// Merchants that may collect anything.
pub(crate) fn merchants(ids: &[&'static str]) -> Vec<Merchant> {
    ids.iter().map(|id| (*id, Rules::default())).collect()
}

fn appkey(merchant: &str) -> String {
    format!("key-of-{merchant}")
}

fn appsecret(merchant: &str) -> String {
    format!("secret-of-{merchant}")
}

/// An order as the gateway keeps it.
#[derive(Debug, Clone)]
struct Placed {
    merchant: String,
    price: String,
    word: String,
    custom: String,
    id: String,
}

/// What befalls a create.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Mishap {
    /// It is answered with that code, and no page is made.
    Code(i64),
    /// The page is made, and nobody hears of it.
    Lost,
}

/// The gateway with all of its merchants.
#[derive(Default)]
pub(crate) struct Gateway {
    orders: Mutex<BTreeMap<String, Placed>>,
    mishaps: Mutex<VecDeque<Mishap>>,
}

impl Gateway {
    /// The next create ends so.
    pub(crate) fn strike(&self, mishap: Mishap) {
        self.mishaps.lock().unwrap().push_back(mishap);
    }

    /// How many orders it has.
    pub(crate) fn count(&self) -> usize {
        self.orders.lock().unwrap().len()
    }

    /// Takes a create in and answers it with a page.
    fn place(&self, request: &WireRequest) -> WireResponse {
        assert_eq!((request.verb, request.path.as_str()), (Verb::Post, "/api/cloudpay/create"));
        let form = String::from_utf8(request.body.to_vec()).unwrap();
        let read = WireRequest::new(Verb::Get, "/").query(form);
        let value = |name: &str| read.query_value(name).unwrap_or_default();
        let merchant = value("appkey").strip_prefix("key-of-").unwrap().to_owned();
        let values = CREATE.map(value);
        let signed = sign(&appkey(&merchant), &values.each_ref().map(String::as_str), &appsecret(&merchant));
        assert_eq!(read.query_value("sign"), Some(signed));
        let [price, word, number, custom] = values;
        let mut orders = self.orders.lock().unwrap();
        let id = (880_000 + orders.len()).to_string();
        let placed = Placed { merchant, price, word, custom, id };
        assert!(orders.insert(number.clone(), placed).is_none(), "{number} was sent before");
        let page = format!("https://pay.example.test/pay/api?id={number}");
        reply(100, json!({"pay_url": page, "params": {"out_order_id": number}}))
    }

    /// Whose order that is, and the gateway's notification of it: its price came in, unless `patch` says otherwise.
    pub(crate) fn notice(&self, number: &str, patch: &Value) -> (ChannelId, WireRequest) {
        let Placed { merchant, price, word, custom, id } = self.orders.lock().unwrap()[number].clone();
        let mut fields = json!({"order_id": id, "out_order_id": number, "price": price, "realprice": price,
            "type": word, "paytime": "1709251200", "extend": custom});
        fields.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        let values = NOTIFY.map(|name| fields[name].as_str().unwrap());
        let signed = sign(&appkey(&merchant), &values, &appsecret(&merchant));
        let pairs: Vec<(&str, &str)> =
            NOTIFY.into_iter().zip(values).chain([("sign", signed.as_str())]).collect();
        (ChannelId::new(&merchant).unwrap(), post(encode(&pairs)))
    }
}

#[async_trait]
impl Transport for Gateway {
    fn check(&self, _destination: Destination, _endpoint: &Endpoint) -> Result<(), String> {
        Ok(())
    }

    async fn send(&self, call: Outgoing) -> Result<WireResponse, Undelivered> {
        let mishap = self.mishaps.lock().unwrap().pop_front();
        match mishap {
            Some(Mishap::Code(code)) => Ok(reply(code, json!([]))),
            Some(Mishap::Lost) => {
                self.place(&call.request);
                Err(Undelivered::NoAnswer(NoAnswer::TimedOut))
            }
            None => Ok(self.place(&call.request)),
        }
    }
}

/// A router over merchants at one gateway.
pub(crate) struct World {
    pub(crate) payments: Payments,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) clock: Arc<TestClock>,
    ports: Ports,
    strategy: Strategy,
    merchants: Vec<Merchant>,
}

impl World {
    /// Over these merchants, with one route for all payments.
    pub(crate) async fn start(strategy: Strategy, merchants: Vec<Merchant>) -> Self {
        let (store, gateway) = (Arc::new(MemoryStore::new()), Arc::new(Gateway::default()));
        let clock = Arc::new(TestClock::new());
        let ports = Ports {
            store: store.clone(),
            transport: gateway.clone(),
            clock: clock.clone(),
            rng: Arc::new(SeededRng::new(8)),
        };
        let payments = started(&ports, strategy, &merchants).await;
        Self { payments, store, gateway, clock, ports, strategy, merchants }
    }

    /// A process that knows nothing but what stands in the ledger.
    pub(crate) async fn node(&self) -> Payments {
        started(&self.ports, self.strategy, &self.merchants).await
    }

    pub(crate) async fn create(&self, patch: Value) -> Result<Payment, PaymentError> {
        create(&self.payments, patch).await
    }

    /// Tells of an order's money; how that was answered.
    pub(crate) async fn told(&self, number: &str, patch: Value) -> (u16, String) {
        told(&self.payments, &self.gateway, number, &patch).await
    }

    /// The payment as the ledger has it.
    pub(crate) async fn stored(&self, payment: &Payment) -> Payment {
        self.store.payment(payment.id).await.unwrap().unwrap()
    }

    /// Lets so much time pass, sweeping each second as a server does.
    pub(crate) async fn pass(&self, span: Duration) {
        for _ in 0..span.as_secs() {
            self.clock.advance(Duration::from_secs(1)).await;
            self.payments.sweep().await.unwrap();
        }
    }

    /// What merchants are told, in the order of its happening.
    pub(crate) fn events(&self) -> Vec<&'static str> {
        // Those of one moment have ids in no order.
        let mut events = self.store.events();
        events.sort_by_key(|event| event.sequence);
        events.iter().map(|event| event.kind.word()).collect()
    }
}

pub(crate) async fn create(node: &Payments, patch: Value) -> Result<Payment, PaymentError> {
    let mut body = json!({"order_no": "A1001", "amount": 1023, "currency": "CNY", "method": "alipay.wap",
        "subject": "Tea"});
    body.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
    let request: PaymentRequest = serde_json::from_value(body).unwrap();
    let answer = node.create(AppId::new("shop").unwrap(), NewPayment::check(&request).unwrap()).await?;
    Ok(answer.payment)
}

pub(crate) async fn told(node: &Payments, gateway: &Gateway, number: &str, patch: &Value) -> (u16, String) {
    let (channel, notice) = gateway.notice(number, patch);
    let answer = node.take_callback(channel, notice).await.unwrap();
    (answer.status, String::from_utf8(answer.body.to_vec()).unwrap())
}

/// What a provider hears of a notification that was taken, and of one that was not.
pub(crate) fn success() -> (u16, String) {
    (200, "success".to_owned())
}

pub(crate) fn fail() -> (u16, String) {
    (200, "fail".to_owned())
}

async fn started(ports: &Ports, strategy: Strategy, merchants: &[Merchant]) -> Payments {
    let catalog = CatalogHandle::new(catalog(strategy, merchants));
    let payments = Payments::new(ports.clone(), catalog);
    payments.bind_channels().await.unwrap().unwrap();
    payments.read_figures().await.unwrap();
    payments
}

fn catalog(strategy: Strategy, merchants: &[Merchant]) -> Catalog {
    let provider = paymux_cloudpay::provider();
    let entry = |(id, rules): &Merchant| {
        let channel = ChannelId::new(id).unwrap();
        let own = settings(json!({"appkey": appkey(id), "appsecret": appsecret(id)}));
        let account = provider.channel(ChannelSite { id: channel.clone() }, own).unwrap();
        ChannelEntry { rules: rules.clone(), ..ChannelEntry::new(channel, account) }
    };
    let route = Route {
        name: RouteName::new("all").unwrap(),
        when: When::default(),
        strategy,
        channels: (0..merchants.len()).collect(),
        failover: 2,
        failover_unknown: FailoverUnknown::Abandon,
    };
    let shop = App::new(AppId::new("shop").unwrap(), &[Secret::new("shop-key")]);
    let public = Endpoint::parse("https://pay.example", PlainHttp::LoopbackOnly).unwrap();
    Catalog::new(vec![shop], merchants.iter().map(entry).collect(), vec![route], public)
}
