//! The suite that every channel passes, on this one.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;
use std::time::Duration;

use paymux_core::acceptor::{FrontFact, FrontOrder};
use paymux_core::channel::Blame;
use paymux_core::provider::Settings;
use paymux_core::{
    Method, Money, Order, Provider, ProviderOrderNo, Timestamp, Verb, WireRequest, WireResponse,
};
use paymux_testkit::conformance::{
    self, AcceptorSide, CallbackKeys, FarSide, Key, Place, Recorded, RefusedCreate, Signing, Subject, WayBack,
};
use serde_json::{Value, json};

/// What the suite must know of this plugin.
struct Plugin;

#[tokio::test(start_paused = true)]
async fn the_channel_behaves() {
    conformance::check(&Plugin).await;
}

const APPKEY: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";

fn table(value: Value) -> Settings {
    let Value::Object(table) = value else { panic!("settings are a table") };
    table
}

/// The account as the far side knows it.
fn credentials(key: Key) -> Settings {
    let (appkey, appsecret) = match key {
        Key::Current => (APPKEY, "canary-secret-of-today"),
        Key::Previous => (APPKEY, "canary-secret-of-yesterday"),
        Key::Stranger => ("aabbccddeeff00112233445566778899", "a-secret-of-another-shop"),
    };
    table(json!({"appkey": appkey, "appsecret": appsecret}))
}

/// An answer of the gateway's that is no success.
fn failure(code: i64) -> WireResponse {
    let body = json!({"code": code, "msg": "x", "time": "1709251200", "data": []});
    WireResponse::ok("application/json", body.to_string())
}

impl Subject for Plugin {
    fn provider(&self) -> Arc<dyn Provider> {
        paymux_cloudpay::provider()
    }

    fn settings(&self) -> Settings {
        table(json!({"appkey": APPKEY, "appsecret": "canary-secret-of-today",
            "appsecret_previous": "canary-secret-of-yesterday", "base_url": "https://gateway.example"}))
    }

    fn callback_keys(&self) -> CallbackKeys {
        CallbackKeys { current: "appsecret", previous: "appsecret_previous" }
    }

    fn far_side(&self) -> FarSide {
        let refused = |code, number, blame| RefusedCreate { code, answer: failure(number), blame };
        let refusals = vec![
            refused("102", 102, Blame::Account),
            refused("201", 201, Blame::Request),
            refused("204", 204, Blame::Provider),
        ];
        let acceptor = self.provider().acceptor().unwrap();
        FarSide::Network(Arc::new(AcceptorSide::new(
            acceptor,
            credentials(Key::Current),
            refusals,
            failure(150),
        )))
    }

    fn methods(&self) -> Vec<Method> {
        ["alipay.web", "alipay.wap", "alipay.native"].map(|method| method.parse().unwrap()).to_vec()
    }

    fn callback(&self, key: Key, fact: &FrontFact, now: Timestamp) -> WireRequest {
        conformance::notice(self.provider().acceptor().unwrap().as_ref(), credentials(key), fact, now)
    }

    fn signing(&self) -> Signing {
        Signing {
            sign: Place::Form("sign"),
            covers: &[
                Place::Form("order_id"),
                Place::Form("out_order_id"),
                Place::Form("price"),
                Place::Form("realprice"),
                Place::Form("type"),
                Place::Form("paytime"),
                Place::Form("extend"),
            ],
            leaves_out: &[],
        }
    }

    fn acknowledgement(&self) -> WireResponse {
        WireResponse::ok("text/html", "success")
    }

    fn way_back(&self, key: Key, order: &FrontOrder) -> Option<WayBack> {
        let acceptor = self.provider().acceptor().unwrap();
        let request = conformance::return_request(acceptor.as_ref(), credentials(key), order)?;
        let covers = &[
            Place::Query("price"),
            Place::Query("type"),
            Place::Query("product_id"),
            Place::Query("order_id"),
            Place::Query("out_order_id"),
        ];
        Some(WayBack { request, signing: Signing { sign: Place::Query("sign"), covers, leaves_out: &[] } })
    }

    fn recorded(&self) -> Vec<Recorded> {
        let file: Value = serde_json::from_str(include_str!("data/vectors.json")).unwrap();
        let vectors = file["vectors"].as_array().unwrap().clone();
        vectors.iter().filter_map(recorded).collect()
    }
}

/// A vector as the message that it is; the synchronous ones are no callbacks.
fn recorded(vector: &Value) -> Option<Recorded> {
    let text = |name: &str| vector[name].as_str().unwrap().to_owned();
    let settings = table(json!({"appkey": text("appkey"), "appsecret": text("appsecret"),
        "base_url": "https://gateway.example"}));
    let fields = &vector["fields"];
    match vector["kind"].as_str().unwrap() {
        "create" => Some(Recorded::Create {
            what: text("id"),
            settings,
            order: order_of(&text("id")),
            after: Duration::ZERO,
            place: Place::Form("sign"),
            sign: text("sign"),
        }),
        "async" => Some(Recorded::Callback {
            what: text("id"),
            settings,
            request: WireRequest::new(Verb::Post, "/notify")
                .body("application/x-www-form-urlencoded", text("form")),
            number: fields["out_order_id"].as_str().unwrap().to_owned(),
            received: Money::from_decimal(fields["realprice"].as_str().unwrap(), paymux_core::Currency::CNY)
                .unwrap(),
        }),
        _ => None,
    }
}

/// The orders of the vectors' creates.
fn order_of(id: &str) -> fn(&mut Order) {
    match id {
        "cp-s1" => |order| is(order, "PMX20240301000001", 1023, Some("user_42")),
        "cp-s2" => |order| is(order, "PMX20240301000002", 10_000, None),
        "cp-s3" => |order| is(order, "PMX20240301000003", 50, Some("张三 VIP")),
        other => panic!("write down the order of vector {other}"),
    }
}

fn is(order: &mut Order, number: &str, fen: i64, custom: Option<&str>) {
    order.number = ProviderOrderNo::new(number).unwrap();
    order.amount = Money::fen(fen);
    order.extra = custom.map(|text| ("custom".to_owned(), json!(text))).into_iter().collect();
}
