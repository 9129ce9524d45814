//! One front with three apps and four channels, and a way to call it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use paymux_core::catalog::{
    App, Catalog, CatalogHandle, ChannelEntry, FailoverUnknown, Route, Rules, Scope, Strategy, When,
};
use paymux_core::channel::{Can, Channel};
use paymux_core::fronts::Fronts;
use paymux_core::ids::{AppId, ChannelId, RouteName};
use paymux_core::payments::Ports;
use paymux_core::provider::{ChannelSite, Settings};
use paymux_core::store::PaymentLedger;
use paymux_core::wire::{Endpoint, PlainHttp};
use paymux_core::{Money, Payments, Secret};
use paymux_http::admin::{self, Admin, NotReloaded, Reload, Reloaded};
use paymux_http::{Front, FrontConfig, Limits, MetricsPage, MetricsPlace, Readiness, Ready};
use paymux_testkit::{MemoryStore, Script, ScriptedChannel, ScriptedTransport, SeededRng, TestClock};
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use tower::ServiceExt as _;

use crate::contract::Contract;

/// The key of app `shop`.
pub(crate) const SHOP: &str = "key-of-shop";
/// The key that app `shop` had before, which opens as well.
pub(crate) const PREVIOUS: &str = "previous-key-of-shop";
/// A key that app `shop` had once, and that was taken away while the router ran.
pub(crate) const REVOKED: &str = "revoked-key-of-shop";
/// The key of app `rival`.
pub(crate) const RIVAL: &str = "key-of-rival";
/// The key of app `narrow`, whose `scopes` are empty.
pub(crate) const NARROW: &str = "key-of-narrow";
/// The operator's token.
pub(crate) const OPERATOR: &str = "token-of-the-operator";

/// A front, an admin listener, and what stands behind them.
pub(crate) struct World {
    pub(crate) front: Router,
    pub(crate) admin: Router,
    pub(crate) payments: Payments,
    pub(crate) store: Arc<MemoryStore>,
    /// The channel `main`, which can do everything.
    pub(crate) main: Arc<ScriptedChannel>,
    pub(crate) ready_panics: Arc<AtomicBool>,
    contract: OnceCell<Contract>,
    admin_contract: OnceCell<Contract>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(FrontConfig::default())
    }

    pub(crate) fn with(config: FrontConfig) -> Self {
        Self::of(config, Rules::default(), Fronts::default())
    }

    /// A front whose channel `main` has rules.
    pub(crate) fn with_rules(rules: Rules) -> Self {
        Self::of(FrontConfig::default(), rules, Fronts::default())
    }

    /// A front that speaks those protocols too.
    pub(crate) fn with_fronts(config: FrontConfig, fronts: Fronts) -> Self {
        Self::of(config, Rules::default(), fronts)
    }

    fn of(config: FrontConfig, rules: Rules, fronts: Fronts) -> Self {
        let store = Arc::new(MemoryStore::new());
        let can = Can::QUERY | Can::CANCEL | Can::REFUND | Can::QUERY_REFUND;
        let can = can | Can::TRANSFER | Can::QUERY_TRANSFER;
        let main = Arc::new(ScriptedChannel::new("main").that_can(can));
        let ports = Ports {
            store: Arc::clone(&store) as _,
            transport: Arc::new(ScriptedTransport::new()),
            clock: Arc::new(TestClock::new()),
            rng: Arc::new(SeededRng::new(7)),
        };
        let its = Arc::clone(&main);
        let shown = move |keys: &[&str]| {
            let mut catalog = catalog(&its, rules.clone(), keys);
            catalog.fronts = fronts.clone();
            catalog
        };
        let handle = CatalogHandle::new(shown(&[SHOP, PREVIOUS, REVOKED]));
        let payments = Payments::new(ports, handle.clone());
        handle.replace(shown(&[SHOP, PREVIOUS]));
        let ready_panics = Arc::new(AtomicBool::new(false));
        let ready = StoreReady { store: Arc::clone(&store), panics: Arc::clone(&ready_panics) };
        let metrics: MetricsPage = Arc::new(|| "paymux_up 1\n".to_owned());
        let admin = admin::router(Admin {
            limits: Limits::default(),
            payments: payments.clone(),
            token: Secret::new(OPERATOR),
            metrics: Arc::clone(&metrics),
            reload: Arc::new(NoFile),
        });
        let front = Front::new(config, payments.clone(), Arc::new(ready), metrics).router();
        let (contract, admin_contract) = (OnceCell::new(), OnceCell::new());
        Self { front, admin, payments, store, main, ready_panics, contract, admin_contract }
    }

    /// A front whose metrics are on the admin listener only.
    pub(crate) fn with_private_metrics() -> Self {
        Self::with(FrontConfig { metrics: MetricsPlace::Admin, ..FrontConfig::default() })
    }

    /// Calls the main listener. The answer must be as its documentation says.
    pub(crate) async fn call(&self, request: Request<Body>) -> Seen {
        let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
        let seen = seen(&self.front, request).await;
        self.contract.get_or_init(|| self.contract()).await.check(&method, &path, &seen);
        seen
    }

    /// Calls in another protocol, of which our documentation says nothing.
    pub(crate) async fn speak(&self, request: Request<Body>) -> Seen {
        seen(&self.front, request).await
    }

    /// Calls the admin listener. The answer must be as its documentation says.
    pub(crate) async fn call_admin(&self, request: Request<Body>) -> Seen {
        let (method, path) = (request.method().to_string(), request.uri().path().to_owned());
        let seen = seen(&self.admin, request).await;
        self.admin_contract.get_or_init(|| self.admin_contract()).await.check(&method, &path, &seen);
        seen
    }

    /// What the main listener says of itself.
    pub(crate) async fn contract(&self) -> Contract {
        let request = Request::get("/openapi.json").body(Body::empty()).unwrap();
        Contract::new(seen(&self.front, request).await.json())
    }

    /// What the admin listener says of itself.
    pub(crate) async fn admin_contract(&self) -> Contract {
        let request = with_key(OPERATOR, Request::get("/admin/openapi.json")).body(Body::empty()).unwrap();
        Contract::new(seen(&self.admin, request).await.json())
    }

    pub(crate) async fn get(&self, key: &str, path: &str) -> Seen {
        self.call(with_key(key, Request::get(path)).body(Body::empty()).unwrap()).await
    }

    /// Posts a JSON body.
    pub(crate) async fn post(&self, key: &str, path: &str, body: &Value) -> Seen {
        self.post_text(key, path, body.to_string()).await
    }

    /// Posts a body that need not be JSON, as JSON.
    pub(crate) async fn post_text(&self, key: &str, path: &str, body: impl Into<Body>) -> Seen {
        let request = with_key(key, Request::post(path)).header("content-type", "application/json");
        self.call(request.body(body.into()).unwrap()).await
    }

    /// Posts with an `Idempotency-Key`.
    pub(crate) async fn post_keyed(&self, key: &str, path: &str, idempotency_key: &str, body: &str) -> Seen {
        let request = with_key(key, Request::post(path)).header("content-type", "application/json");
        let request = request.header("idempotency-key", idempotency_key);
        self.call(request.body(Body::from(body.to_owned())).unwrap()).await
    }

    /// Gets as the operator.
    pub(crate) async fn admin_get(&self, path: &str) -> Seen {
        self.call_admin(with_key(OPERATOR, Request::get(path)).body(Body::empty()).unwrap()).await
    }

    /// Posts a JSON body as the operator.
    pub(crate) async fn admin_post(&self, path: &str, body: &Value) -> Seen {
        self.admin_post_text(path, body.to_string()).await
    }

    /// Posts a body that need not be JSON, as JSON and as the operator.
    pub(crate) async fn admin_post_text(&self, path: &str, body: impl Into<Body>) -> Seen {
        let request = with_key(OPERATOR, Request::post(path)).header("content-type", "application/json");
        self.call_admin(request.body(body.into()).unwrap()).await
    }

    /// Creates a payment for `shop` that is paid at once.
    pub(crate) async fn paid(&self, order_no: &str) -> Value {
        self.main.on_create(Script::Paid(Money::fen(1999)));
        let payment = self.created(order_no).await;
        assert_eq!(payment["status"], "succeeded");
        payment
    }

    /// Creates a payment for `shop` at a till, of which nobody knows anything.
    pub(crate) async fn unknown(&self, order_no: &str) -> Value {
        self.main.on_create(Script::Lose);
        let barcode = json!({"method": "wechat.barcode", "payer": {"auth_code": "134567890123456789"}});
        let payment = self.post(SHOP, "/v1/payments", &order_with(order_no, barcode)).await.json();
        assert_eq!(payment["attempts"][0]["state"], "unknown");
        payment
    }

    /// What a provider sends to that channel.
    pub(crate) async fn notify(&self, channel: &str, body: impl Into<Body>) -> Seen {
        self.call(Request::post(format!("/notify/{channel}")).body(body.into()).unwrap()).await
    }

    /// Creates a payment for `shop` that must be new.
    pub(crate) async fn created(&self, order_no: &str) -> Value {
        let seen = self.post(SHOP, "/v1/payments", &order(order_no)).await;
        assert_eq!(seen.status, 201, "{seen:?}");
        seen.json()
    }

    /// How many payments `shop` has.
    pub(crate) async fn count(&self) -> usize {
        self.get(SHOP, "/v1/payments?limit=100").await.json()["data"].as_array().unwrap().len()
    }
}

/// A request that is right in every field.
pub(crate) fn order(order_no: &str) -> Value {
    json!({"order_no": order_no, "amount": 1999, "currency": "CNY", "method": "wechat.native", "subject": "Tea"})
}

/// The same with some fields set otherwise.
pub(crate) fn order_with(order_no: &str, patch: Value) -> Value {
    patched(order(order_no), patch)
}

/// A request for a transfer that is right in every field.
pub(crate) fn transfer(transfer_no: &str) -> Value {
    json!({
        "transfer_no": transfer_no, "amount": 500, "currency": "CNY", "product": "bank_card",
        "payee": {"card_no": "6222020200010120123", "name": "Li Lei"}, "channel": "main",
    })
}

/// A body with some fields set otherwise.
pub(crate) fn patched(mut body: Value, patch: Value) -> Value {
    let Value::Object(patch) = patch else { panic!("a patch is an object") };
    body.as_object_mut().unwrap().extend(patch);
    body
}

fn with_key(key: &str, request: http::request::Builder) -> http::request::Builder {
    request.header("authorization", format!("Bearer {key}"))
}

async fn seen(router: &Router, request: Request<Body>) -> Seen {
    let response = router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    Seen { status: parts.status, headers: parts.headers, body }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Seen {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {:?}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Asserts that one field or query key broke its rule, and that the answer says so.
    #[track_caller]
    pub(crate) fn invalid(&self, param: &str, says: &str) {
        let problem = self.problem(400, "invalid_request");
        assert_eq!(problem["param"], param, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(says), "{problem}");
    }

    /// Asserts that this is a problem with that status and code; gives its body.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(self.header("cache-control"), "no-store");
        let body = self.json();
        assert_eq!(body["code"], code, "{body}");
        assert_eq!(body["status"], status, "{body}");
        assert_eq!(body["type"], format!("urn:paymux:error:{code}"), "{body}");
        assert!(body["title"].is_string() && body["detail"].is_string(), "{body}");
        assert_eq!(body["request_id"], self.header("x-request-id"), "{body}");
        body
    }
}

/// Four channels: `main` can do everything, `gone` is off, `bare` can neither query nor cancel,
/// `sand` is a sandbox. The sum says which route takes a payment.
fn catalog(main: &Arc<ScriptedChannel>, rules: Rules, keys_of_shop: &[&str]) -> Catalog {
    let bare = Arc::new(ScriptedChannel::new("bare").that_can(Can::nothing_more()));
    let entry = |id: &str, channel: Arc<dyn Channel>| ChannelEntry::new(ChannelId::new(id).unwrap(), channel);
    let sandbox = entry("sand", sandbox_channel());
    let mut gone = entry("gone", Arc::new(ScriptedChannel::new("gone")));
    gone.state = paymux_core::catalog::Lifecycle::Off;
    let mut main = entry("main", Arc::clone(main) as _);
    main.rules = rules;
    let channels = vec![main, gone, entry("bare", bare), sandbox];
    let route = |name: &str, when: When, channels: Vec<usize>| Route {
        name: RouteName::new(name).unwrap(),
        when,
        strategy: Strategy::Priority,
        channels,
        failover: 0,
        failover_unknown: FailoverUnknown::Abandon,
    };
    let sums = |min, max| When { amount_min: Some(min), amount_max: Some(max), ..When::default() };
    let routes = vec![
        route("sandbox", sums(777, 777), vec![3]),
        route("bare", sums(555, 555), vec![2]),
        route("default", sums(1000, 9_999_999), vec![0, 1]),
    ];
    let public_url = Endpoint::parse("https://pay.example", PlainHttp::LoopbackOnly).unwrap();
    Catalog::new(apps(keys_of_shop).into(), channels, routes, public_url)
}

/// `shop` has an address for its notices and may do all; `rival` may do all; `narrow` may do nothing.
fn apps(keys_of_shop: &[&str]) -> [App; 3] {
    let app = |id: &str, keys: &[&str], scopes: &[Scope]| {
        let keys: Vec<Secret> = keys.iter().copied().map(Secret::new).collect();
        let mut app = App::new(AppId::new(id).unwrap(), &keys);
        app.scopes = scopes.to_vec();
        app.transfer_amount_max = Some(500_000);
        app
    };
    let mut shop = app("shop", keys_of_shop, Scope::ALL);
    shop.notify_url = Some(Endpoint::parse("https://shop.example/hook", PlainHttp::LoopbackOnly).unwrap());
    shop.timeout_url = Some(Endpoint::parse("https://shop.example/late", PlainHttp::LoopbackOnly).unwrap());
    [shop, app("rival", &[RIVAL], Scope::ALL), app("narrow", &[NARROW], &[])]
}

fn sandbox_channel() -> Arc<dyn Channel> {
    let site = ChannelSite { id: ChannelId::new("sand").unwrap() };
    paymux_sandbox::provider().channel(site, Settings::new()).unwrap()
}

struct StoreReady {
    store: Arc<MemoryStore>,
    panics: Arc<AtomicBool>,
}

#[async_trait]
impl Ready for StoreReady {
    async fn look(&self) -> Readiness {
        assert!(!self.panics.load(Ordering::Relaxed), "the test asked for a panic with a secret: hunter2");
        let store = PaymentLedger::ping(self.store.as_ref()).await.map_err(|error| error.to_string());
        Readiness { store, config: "c0ffee".to_owned() }
    }
}

/// Nothing to reload: there is no file here.
struct NoFile;

#[async_trait]
impl Reload for NoFile {
    async fn reload(&self) -> Result<Reloaded, NotReloaded> {
        Err(NotReloaded::Refused(vec!["no file".to_owned()]))
    }
}
