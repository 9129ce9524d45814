//! The suite that every channel passes, on this one.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;
use std::time::Duration;

use paymux_core::acceptor::FrontFact;
use paymux_core::channel::Blame;
use paymux_core::provider::Settings;
use paymux_core::{Method, Money, Order, Provider, Secret, Timestamp, Verb, WireRequest, WireResponse};
use paymux_testkit::conformance::{
    self, AcceptorSide, CallbackKeys, FarSide, Key, Place, Recorded, RefusedCreate, Signing, Subject,
};
use serde_json::{Value, json};

/// What the suite must know of this plugin.
struct Plugin;

#[tokio::test(start_paused = true)]
async fn the_channel_behaves() {
    conformance::check(&Plugin).await;
}

const BUSI_ID: &str = "100000000000001";
const BASE_URL: &str = "https://fufu.example/gateway/pay";

fn table(value: Value) -> Settings {
    let Value::Object(table) = value else { panic!("settings are a table") };
    table
}

/// The account as the far side knows it.
fn credentials(key: Key) -> Settings {
    let (busi_id, key) = match key {
        Key::Current => (BUSI_ID, "canary-key-of-today"),
        Key::Previous => (BUSI_ID, "canary-key-of-yesterday"),
        Key::Stranger => ("100000000000002", "a-key-of-another-shop"),
    };
    table(json!({"busi_id": busi_id, "key": key}))
}

/// An answer that fails in `result`.
fn refused(code: &str) -> WireResponse {
    let body = json!({"result": {"return_code": "FAIL", "return_msg": code}, "data": null});
    WireResponse::ok("application/json", body.to_string())
}

/// An answer that fails in `data`.
fn failed(code: &str) -> WireResponse {
    let body = json!({"result": {"return_code": "SUCCESS", "return_msg": "OK"},
        "data": {"return_code": "FAIL", "return_msg": code}});
    WireResponse::ok("application/json", body.to_string())
}

impl Subject for Plugin {
    fn provider(&self) -> Arc<dyn Provider> {
        paymux_fufu::provider()
    }

    fn settings(&self) -> Settings {
        table(
            json!({"busi_id": BUSI_ID, "key": "canary-key-of-today", "key_previous": "canary-key-of-yesterday",
            "base_url": BASE_URL}),
        )
    }

    fn callback_keys(&self) -> CallbackKeys {
        CallbackKeys { current: "key", previous: "key_previous" }
    }

    fn far_side(&self) -> FarSide {
        let refusals = vec![
            RefusedCreate { code: "INVALID_SIGN", answer: refused("INVALID_SIGN"), blame: Blame::Account },
            RefusedCreate {
                code: "INVALID_CONTRACT",
                answer: failed("INVALID_CONTRACT"),
                blame: Blame::Account,
            },
            RefusedCreate { code: "AMT_ERROR", answer: failed("AMT_ERROR"), blame: Blame::Request },
            RefusedCreate {
                code: "SERVICE_UNAVAILABLE",
                answer: failed("SERVICE_UNAVAILABLE"),
                blame: Blame::Provider,
            },
        ];
        let acceptor = self.provider().acceptor().unwrap();
        let side = AcceptorSide::new(acceptor, credentials(Key::Current), refusals, failed("A_NEW_CODE"));
        // The document's table of a query has no amount.
        FarSide::Network(Arc::new(side.whose_queries_tell_no_amount()))
    }

    fn methods(&self) -> Vec<Method> {
        ["any.native", "alipay.native", "alipay.jsapi", "any.barcode"]
            .map(|method| method.parse().unwrap())
            .to_vec()
    }

    fn callback(&self, key: Key, fact: &FrontFact, now: Timestamp) -> WireRequest {
        conformance::notice(self.provider().acceptor().unwrap().as_ref(), credentials(key), fact, now)
    }

    /// The sign covers the body but for blanks and line breaks, of which the message has none.
    fn signing(&self) -> Signing {
        Signing { sign: Place::Query("sign"), covers: &[Place::Body], leaves_out: &[] }
    }

    fn acknowledgement(&self) -> WireResponse {
        WireResponse::ok("text/plain", "SUCCESS")
    }

    fn recorded(&self) -> Vec<Recorded> {
        let file: Value = serde_json::from_str(include_str!("data/vectors.json")).unwrap();
        let vectors = file["vectors"].as_array().unwrap().clone();
        let vector = |id: &str| vectors.iter().find(|vector| vector["id"] == id).unwrap();
        vec![scan(vector("ff-s1")), notification(vector("ff-s5"))]
    }
}

fn text(vector: &Value, name: &str) -> String {
    vector[name].as_str().unwrap().to_owned()
}

fn scan(vector: &Value) -> Recorded {
    Recorded::Create {
        what: text(vector, "id"),
        settings: table(json!({"busi_id": BUSI_ID, "key": text(vector, "key"), "operator_id": "op1",
            "terminal_id": "t1", "base_url": BASE_URL})),
        order: |order: &mut Order| {
            order.method = "alipay.barcode".parse().unwrap();
            order.amount = Money::fen(250);
            "coffee".clone_into(&mut order.subject);
            order.payer.auth_code = Some(Secret::new("281234567890123456"));
        },
        after: Duration::ZERO,
        place: Place::Query("sign"),
        sign: text(vector, "sign"),
    }
}

fn notification(vector: &Value) -> Recorded {
    Recorded::Callback {
        what: text(vector, "id"),
        settings: table(json!({"busi_id": BUSI_ID, "key": text(vector, "key"), "base_url": BASE_URL})),
        request: WireRequest::new(Verb::Post, "/notify")
            .query(format!("sign={}", text(vector, "sign")))
            .body("application/json", text(vector, "body")),
        number: "PMX20240301000007".to_owned(),
        received: Money::fen(1),
    }
}
