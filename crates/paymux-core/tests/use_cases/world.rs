//! A small world for use cases: one app, two scripted channels, a store in memory, time that
//! nobody waits for.

use std::sync::Arc;
use std::time::Duration;

use paymux_core::catalog::{App, Catalog, ChannelEntry, FailoverUnknown, Route, Strategy, When};
use paymux_core::ids::{AppId, ChannelId, RouteName};
use paymux_core::payment::{NewPayment, PaymentRequest};
use paymux_core::payments::desk::{Operator, Outcome, Resolution};
use paymux_core::payments::{CreateAnswer, Ports};
use paymux_core::store::{PaymentLedger as _, QueueKind};
use paymux_core::wire::{Endpoint, PlainHttp};
use paymux_core::{CatalogHandle, Clock, Payment, PaymentError, Payments, Secret};
use paymux_sign::WebhookSecret;
use paymux_testkit::{MemoryStore, ScriptedChannel, ScriptedTransport, SeededRng, TestClock};
use serde_json::{Value, json};

pub(crate) const NOTIFY_KEY: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";
pub(crate) const OLD_NOTIFY_KEY: &str = "whsec_YWJjZGVmZ2hpamtsbW5vcHFyc3R1dnd4eXphYmNkZWY=";

pub(crate) struct World {
    pub(crate) payments: Payments,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) transport: Arc<ScriptedTransport>,
    pub(crate) clock: Arc<TestClock>,
    pub(crate) a: Arc<ScriptedChannel>,
    pub(crate) b: Arc<ScriptedChannel>,
    ports: Ports,
    catalog: CatalogHandle,
}

pub(crate) fn app() -> AppId {
    AppId::new("shop").unwrap()
}

pub(crate) fn channel(id: &str) -> ChannelId {
    ChannelId::new(id).unwrap()
}

pub(crate) fn endpoint(url: &str) -> Endpoint {
    Endpoint::parse(url, PlainHttp::LoopbackOnly).unwrap()
}

/// An operator who may say everything.
pub(crate) fn root() -> Operator {
    Operator { id: "root".to_owned(), request_id: "req".to_owned() }
}

/// That word, and nothing beside it.
pub(crate) fn says(outcome: Outcome) -> Resolution {
    Resolution { outcome, amount: None, provider_trade_no: None, note: "seen at the bank".to_owned() }
}

/// What a test may set otherwise.
#[derive(Clone)]
pub(crate) struct Setting {
    pub(crate) failover: u32,
    pub(crate) failover_unknown: FailoverUnknown,
    pub(crate) answer: Duration,
    pub(crate) a: fn(ScriptedChannel) -> ScriptedChannel,
    pub(crate) app: fn(&mut App),
}

impl Default for Setting {
    fn default() -> Self {
        Self {
            failover: 1,
            failover_unknown: FailoverUnknown::Abandon,
            answer: Duration::from_secs(20),
            a: |a| a,
            app: |_| {},
        }
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(&Setting::default())
    }

    pub(crate) fn with(setting: &Setting) -> Self {
        let a = Arc::new((setting.a)(ScriptedChannel::new("account-a")));
        let b = Arc::new(ScriptedChannel::new("account-b"));
        let store = Arc::new(MemoryStore::new());
        let transport = Arc::new(ScriptedTransport::new());
        let clock = Arc::new(TestClock::new());
        let ports = Ports {
            store: store.clone(),
            transport: transport.clone(),
            clock: clock.clone(),
            rng: Arc::new(SeededRng::new(7)),
        };
        let catalog = CatalogHandle::new(catalog(setting, &a, &b));
        let payments = Payments::new(ports.clone(), catalog.clone());
        Self { payments, store, transport, clock, a, b, ports, catalog }
    }

    /// Another process over the same store, beside this one or after its death.
    pub(crate) fn another_node(&self) -> Payments {
        Payments::new(self.ports.clone(), self.catalog.clone())
    }

    /// A node of its own over the same store: what this one knows beside that, it does not know.
    pub(crate) fn node_apart(&self, setting: &Setting, change: impl FnOnce(&mut Catalog)) -> Payments {
        Payments::new(self.ports.clone(), CatalogHandle::new(self.catalog_apart(setting, change)))
    }

    /// The catalog of `setting`, with a change.
    pub(crate) fn catalog_apart(&self, setting: &Setting, change: impl FnOnce(&mut Catalog)) -> Catalog {
        let mut catalog = catalog(setting, &self.a, &self.b);
        change(&mut catalog);
        catalog
    }

    /// The process dies wherever it stands, and another one takes its place.
    pub(crate) fn crash(&mut self) {
        self.payments.halt();
        self.payments = self.another_node();
    }

    /// Another configuration from now on: that of `setting`, with a change.
    pub(crate) fn reconfigure(&self, setting: &Setting, change: impl FnOnce(&mut Catalog)) {
        self.catalog.replace(self.catalog_apart(setting, change));
    }

    pub(crate) async fn create(&self, patch: Value) -> Result<CreateAnswer, PaymentError> {
        self.payments.create(app(), request(patch)).await
    }

    /// Creates and expects a payment.
    pub(crate) async fn created(&self, patch: Value) -> Payment {
        self.create(patch).await.unwrap().payment
    }

    /// The payment as the store has it.
    pub(crate) async fn stored(&self, payment: &Payment) -> Payment {
        self.store.payment(payment.id).await.unwrap().unwrap()
    }

    /// What waits for a person: why, and which.
    pub(crate) async fn waiting(&self) -> Vec<(QueueKind, String)> {
        let items = self.payments.queue(None, None, 100).await.unwrap();
        items.into_iter().map(|item| (item.kind, item.id)).collect()
    }

    /// Lets so much time pass, sweeping each second as the server does.
    pub(crate) async fn pass(&self, span: Duration) {
        let until = self.clock.mono().plus(span);
        while self.clock.mono() < until {
            self.clock.advance(Duration::from_secs(1)).await;
            self.payments.sweep().await.unwrap();
        }
    }

    /// The kinds of all notices that were delivered with their bodies, in the order of their
    /// sequence: deliveries have none.
    pub(crate) async fn delivered(&self) -> Vec<(String, Value)> {
        while self.payments.deliver().await.unwrap() > 0 {}
        let calls = self.transport.notices();
        let mut bodies: Vec<Value> =
            calls.iter().map(|call| serde_json::from_slice(&call.request.body).unwrap()).collect();
        bodies.sort_by_key(|body| body["data"]["sequence"].as_i64());
        bodies.into_iter().map(|body| (body["type"].as_str().unwrap().to_owned(), body)).collect()
    }

    /// Only the kinds.
    pub(crate) async fn told(&self) -> Vec<String> {
        self.delivered().await.into_iter().map(|(kind, _)| kind).collect()
    }
}

#[expect(clippy::needless_pass_by_value, reason = "its callers write the patch in place")]
pub(crate) fn request(patch: Value) -> NewPayment {
    let mut body = json!({"order_no": "A1001", "amount": 1999, "currency": "CNY",
        "method": "wechat.native", "subject": "Tea"});
    body.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
    let request: PaymentRequest = serde_json::from_value(body).unwrap();
    NewPayment::check(&request).unwrap()
}

fn catalog(setting: &Setting, a: &Arc<ScriptedChannel>, b: &Arc<ScriptedChannel>) -> Catalog {
    let mut shop = App::new(app(), &[Secret::new("shop-key")]);
    shop.notify_url = Some(endpoint("https://shop.example/hook?from=paymux"));
    shop.notify_secrets =
        [NOTIFY_KEY, OLD_NOTIFY_KEY].iter().map(|key| WebhookSecret::parse(key).unwrap()).collect();
    (setting.app)(&mut shop);
    let other = App::new(AppId::new("other").unwrap(), &[Secret::new("other-key")]);
    let channels =
        vec![ChannelEntry::new(channel("a"), a.clone()), ChannelEntry::new(channel("b"), b.clone())];
    let route = Route {
        name: RouteName::new("default").unwrap(),
        when: When::default(),
        strategy: Strategy::Priority,
        channels: vec![0, 1],
        failover: setting.failover,
        failover_unknown: setting.failover_unknown,
    };
    let mut catalog = Catalog::new(vec![shop, other], channels, vec![route], endpoint("https://pay.example"));
    catalog.timing.answer = setting.answer;
    catalog
}
