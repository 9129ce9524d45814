//! The suite that every channel passes, on this one.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;

use paymux_core::acceptor::FrontFact;
use paymux_core::provider::Settings;
use paymux_core::{Method, Money, Provider, Timestamp, Verb, WireRequest, WireResponse};
use paymux_testkit::conformance::{
    self, CallbackKeys, FarSide, Inside, Key, Place, Recorded, Signing, Subject,
};
use serde_json::{Value, json};

/// What the suite must know of this plugin.
struct Plugin;

#[tokio::test(start_paused = true)]
async fn the_channel_behaves() {
    conformance::check(&Plugin).await;
}

fn table(value: Value) -> Settings {
    let Value::Object(table) = value else { panic!("settings are a table") };
    table
}

impl Subject for Plugin {
    fn provider(&self) -> Arc<dyn Provider> {
        paymux_sandbox::provider()
    }

    fn settings(&self) -> Settings {
        table(json!({"key": "canary-key-of-today", "key_previous": "canary-key-of-yesterday"}))
    }

    fn callback_keys(&self) -> CallbackKeys {
        CallbackKeys { current: "key", previous: "key_previous" }
    }

    /// A provider behind the network is `FarSide::Network`: see the other plugins.
    fn far_side(&self) -> FarSide {
        FarSide::Inside(Inside {
            pay: "pay",
            refused: |order| drop(order.metadata.insert("sandbox".to_owned(), "refused".to_owned())),
            lost: |order| drop(order.metadata.insert("sandbox".to_owned(), "unknown".to_owned())),
        })
    }

    fn methods(&self) -> Vec<Method> {
        ["wechat.native", "alipay.web", "wechat.jsapi", "any.barcode"]
            .map(|method| method.parse().unwrap())
            .to_vec()
    }

    fn callback(&self, key: Key, fact: &FrontFact, now: Timestamp) -> WireRequest {
        let key = match key {
            Key::Current => "canary-key-of-today",
            Key::Previous => "canary-key-of-yesterday",
            Key::Stranger => "a-key-of-another-account",
        };
        let credentials = table(json!({"account": "shop", "key": key}));
        conformance::notice(self.provider().acceptor().unwrap().as_ref(), credentials, fact, now)
    }

    fn signing(&self) -> Signing {
        Signing { sign: Place::Header("sandbox-sign"), covers: &[Place::Body], leaves_out: &[] }
    }

    fn acknowledgement(&self) -> WireResponse {
        WireResponse::ok("text/plain", "ok")
    }

    /// Two of the vectors are callbacks; what a create would be signed with stays in memory.
    fn recorded(&self) -> Vec<Recorded> {
        let file: Value = serde_json::from_str(include_str!("data/vectors.json")).unwrap();
        let vectors = file["vectors"].as_array().unwrap().clone();
        let callbacks = vectors.into_iter().filter(|vector| vector["first_line"] == "callback");
        callbacks.map(|vector| recorded(&vector)).collect()
    }
}

fn recorded(vector: &Value) -> Recorded {
    let text = |name: &str| vector[name].as_str().unwrap().to_owned();
    let told: Value = serde_json::from_str(&text("body")).unwrap();
    let currency = told["currency"].as_str().and_then(paymux_core::Currency::from_code).unwrap();
    Recorded::Callback {
        what: text("note"),
        settings: table(json!({"key": text("key")})),
        request: WireRequest::new(Verb::Post, "/notify")
            .header("sandbox-sign", text("digest"))
            .body("application/json", text("body")),
        number: told["number"].as_str().unwrap().to_owned(),
        received: Money::new(told["amount"].as_i64().unwrap(), currency),
    }
}
