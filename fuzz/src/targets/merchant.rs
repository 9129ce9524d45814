//! paymux-http: requests of merchants, providers and browsers, as far behind hyper as ours begins, over a ledger in
//! memory.
//!
//! Every answer that is no success is a problem with a code, none is our own fault, and none tells a key. What a
//! created payment says is what its request said, read by other code.

use std::sync::Arc;

use async_trait::async_trait;
use axum::Router;
use axum::body::Body;
use http::Request;
use http_body_util::BodyExt as _;
use paymux_core::catalog::{
    App, Catalog, CatalogHandle, ChannelEntry, FailoverUnknown, Route, Scope, Strategy, When,
};
use paymux_core::channel::{Can, Channel};
use paymux_core::ids::RouteName;
use paymux_core::payments::Ports;
use paymux_core::provider::{ChannelSite, Settings};
use paymux_core::wire::PlainHttp;
use paymux_core::{AppId, ChannelId, Endpoint, Money, Payments, Secret, Verb, WireRequest};
use paymux_http::{Front, FrontConfig, MetricsPage, Readiness, Ready};
use paymux_testkit::{MemoryStore, Script, ScriptedChannel, ScriptedTransport, SeededRng, TestClock};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tower::ServiceExt as _;

use crate::spelt::{bytes_of, request_of};
use crate::{Exam, Seen, Target};

const KEY: &str = "pmx_key-of-the-shop";
/// Stands in addresses for the id of a payment that is paid.
const PAID: &str = "{paid}";
/// After so many inputs the ledger is thrown away.
const INPUTS: u32 = 512;

pub(super) fn targets() -> Vec<Target> {
    vec![Target {
        name: "http/merchant".to_owned(),
        about: "requests to the main listener: a success or a problem with a code, never our fault",
        seeds: seeds().iter().map(bytes_of).collect(),
        words: WORDS,
        begin: Box::new(begin),
    }]
}

const WORDS: &[&str] = &[
    "/v1/payments",
    "/v1/refunds",
    "/v1/transfers",
    "/v1/events",
    "/v1/routes/explain",
    "/notify/",
    "/return/",
    "/cancel",
    "/sync",
    "/refunds",
    "/redeliver",
    PAID,
    "?limit=",
    "&cursor=",
    "?order_no=",
    "authorization: Bearer ",
    "content-type: application/json\n",
    "idempotency-key: ",
    "\"order_no\":",
    "\"amount\":",
    "\"currency\":",
    "\"method\":",
    "\"subject\":",
    "\"expires_in\":",
    "\"payer\":",
    "\"extra\":{}",
    "\"metadata\":",
    "\"channel\":",
    "\"replaces\":",
    "\"refund_no\":",
    "\"reason\":",
    "wechat.native",
    "alipay.*",
    "CNY",
    "JPY",
    "null",
    "true",
    "[",
    "{",
    "\\u0000",
    "\\ud800",
    "%00",
    "%2F",
    "..",
    "\u{7ea2}",
];

fn seeds() -> Vec<WireRequest> {
    let create = r#"{"order_no":"A1001","amount":1999,"currency":"CNY","method":"wechat.native","subject":"Tea","expires_in":600,"payer":{"ip":"203.0.113.7","region":"CN-31"},"metadata":{"shop":"7"}}"#;
    let refund = r#"{"refund_no":"R1","amount":1,"reason":"too sweet"}"#;
    let transfer = r#"{"transfer_no":"T1","amount":500,"currency":"CNY","product":"bank_card","payee":{"card_no":"6222020200010120123","name":"Li Lei"},"channel":"main"}"#;
    let posts = [
        ("/v1/payments", create),
        ("/v1/payments/{paid}/refunds", refund),
        ("/v1/payments/{paid}/sync", ""),
        ("/v1/transfers", transfer),
        ("/v1/routes/explain?seed=7&times=10", create),
    ];
    let gets = [
        "/v1/payments?limit=10",
        "/v1/payments/{paid}",
        "/v1/payments?order_no=P1",
        "/v1/events",
        "/healthz",
    ];
    let with_key = |request: WireRequest| request.header("authorization", format!("Bearer {KEY}"));
    let posts = posts.map(|(path, body)| {
        let request = with_key(request(Verb::Post, path)).header("idempotency-key", "k-1");
        request.body("application/json", body.to_owned())
    });
    let gets = gets.map(|path| with_key(request(Verb::Get, path)));
    posts.into_iter().chain(gets).collect()
}

fn request(verb: Verb, address: &str) -> WireRequest {
    let (path, query) = address.split_once('?').map_or((address, None), |(path, query)| (path, Some(query)));
    let mut request = WireRequest::new(verb, path);
    request.query = query.map(str::to_owned);
    request
}

fn begin() -> Exam {
    let runtime = Builder::new_current_thread().enable_time().start_paused(true).build();
    let runtime = runtime.expect("a runtime of one thread");
    let (mut host, mut left) = (Host::new(&runtime), INPUTS);
    Box::new(move |input| {
        let Some(request) = request_of(input) else { return Seen::Refused };
        if left == 0 {
            (host, left) = (Host::new(&runtime), INPUTS);
        }
        left -= 1;
        runtime.block_on(host.look(&request))
    })
}

/// A front, and a payment that is paid.
struct Host {
    front: Router,
    paid: String,
}

impl Host {
    fn new(runtime: &Runtime) -> Self {
        runtime.block_on(async {
            let can = Can::QUERY | Can::CANCEL | Can::REFUND | Can::QUERY_REFUND;
            let channel = ScriptedChannel::new("main").that_can(can | Can::TRANSFER | Can::QUERY_TRANSFER);
            channel.on_create(Script::Paid(Money::fen(1999)));
            let ports = Ports {
                store: Arc::new(MemoryStore::new()),
                transport: Arc::new(ScriptedTransport::new()),
                clock: Arc::new(TestClock::new()),
                rng: Arc::new(SeededRng::new(7)),
            };
            let payments = Payments::new(ports, CatalogHandle::new(catalog(Arc::new(channel))));
            let metrics: MetricsPage = Arc::new(String::new);
            let front = Front::new(FrontConfig::default(), payments, Arc::new(Always), metrics).router();
            let mut host = Self { front, paid: String::new() };
            let body = r#"{"order_no":"P1","amount":1999,"currency":"CNY","method":"wechat.native","subject":"Tea"}"#;
            let create = request(Verb::Post, "/v1/payments").header("authorization", format!("Bearer {KEY}"));
            let (_, answer) = host.answer(&create.body("application/json", body)).await.expect("a good request");
            answer["id"].as_str().expect("a payment has an id").clone_into(&mut host.paid);
            host
        })
    }

    async fn look(&self, request: &WireRequest) -> Seen {
        let Some((status, answer)) = self.answer(request).await else { return Seen::Refused };
        let is_create = request.verb == Verb::Post && request.path == "/v1/payments";
        if is_create && (status == 201 || status == 200) {
            let said: Value = serde_json::from_slice(&request.body).expect("what was taken is JSON");
            for name in ["order_no", "amount", "currency", "method", "subject"] {
                assert_eq!(said[name], answer[name], "`{name}` of a payment is another than was asked");
            }
        }
        Seen::taken_if(status < 400)
    }

    /// Status and body; `None` where it is no request that hyper would hand on.
    async fn answer(&self, request: &WireRequest) -> Option<(u16, Value)> {
        let query = request.query.as_ref().map(|query| format!("?{query}")).unwrap_or_default();
        let uri = format!("{}{query}", request.path).replace(PAID, &self.paid);
        let mut asked = Request::builder().method(request.verb.as_str()).uri(uri);
        for (name, value) in request.headers.iter() {
            asked = asked.header(name, value);
        }
        let asked = asked.body(Body::from(request.body.clone())).ok()?;
        let is_api = asked.uri().path().starts_with("/v1/");
        let is_callback = asked.uri().path().starts_with("/notify/");
        let Ok(response) = self.front.clone().oneshot(asked).await;
        let status = response.status().as_u16();
        let media_type = response.headers().get("content-type").cloned();
        let body = response.into_body().collect().await.expect("a body of ours ends").to_bytes();
        // Another node may run the channel of a callback: the provider is to try again.
        let is_well = (200..500).contains(&status) || (is_callback && status == 503);
        assert!(is_well, "status {status} with {}", body.escape_ascii());
        assert!(!body.windows(KEY.len()).any(|window| window == KEY.as_bytes()), "an answer tells a key");
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        if is_api && status >= 400 {
            assert!(
                media_type.is_some_and(|media_type| media_type == "application/problem+json"),
                "{status}"
            );
            assert!(answer["code"].is_string() && answer["status"] == status, "{answer}");
        }
        Some((status, answer))
    }
}

struct Always;

#[async_trait]
impl Ready for Always {
    async fn look(&self) -> Readiness {
        Readiness { store: Ok(()), config: "c0ffee".to_owned() }
    }
}

/// One app; a channel that does as told, and a sandbox for callbacks.
fn catalog(channel: Arc<dyn Channel>) -> Catalog {
    let mut app = App::new(AppId::new("shop").expect("a literal"), &[Secret::new(KEY)]);
    app.scopes = Scope::ALL.to_vec();
    app.transfer_amount_max = Some(500_000);
    let id = |text: &str| ChannelId::new(text).expect("a literal");
    let sandbox = paymux_sandbox::provider().channel(ChannelSite { id: id("sand") }, Settings::new());
    let sandbox = sandbox.expect("settings that are right");
    let channels = vec![ChannelEntry::new(id("main"), channel), ChannelEntry::new(id("sand"), sandbox)];
    let route = Route {
        name: RouteName::new("all").expect("a literal"),
        when: When::default(),
        strategy: Strategy::Priority,
        channels: vec![0],
        failover: 0,
        failover_unknown: FailoverUnknown::Abandon,
    };
    let public = Endpoint::parse("https://pay.example", PlainHttp::LoopbackOnly).expect("a literal");
    Catalog::new(vec![app], channels, vec![route], public)
}
