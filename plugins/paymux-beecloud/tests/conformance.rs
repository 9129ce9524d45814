//! The suite that every channel passes, on this one.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::sync::Arc;
use std::time::Duration;

use paymux_core::acceptor::FrontFact;
use paymux_core::channel::Blame;
use paymux_core::provider::Settings;
use paymux_core::{Method, Money, Provider, Timestamp, Verb, WireRequest, WireResponse};
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

const APP_ID: &str = "7c9f2f1e-3a44-4c8b-9d21-5b0e6f7a8c90";

fn table(value: Value) -> Settings {
    let Value::Object(table) = value else { panic!("settings are a table") };
    table
}

/// The account as the far side knows it.
fn credentials(key: Key) -> Settings {
    let (app_id, master_secret) = match key {
        Key::Current => (APP_ID, "canary-master-secret-of-today"),
        Key::Previous => (APP_ID, "canary-master-secret-of-yesterday"),
        Key::Stranger => ("00000000-3a44-4c8b-9d21-5b0e6f7a8c90", "a-master-secret-of-another-shop"),
    };
    table(json!({"app_id": app_id, "app_secret": "canary-app-secret", "master_secret": master_secret}))
}

/// An answer of BeeCloud's that is no success.
fn failure(code: i64) -> WireResponse {
    let body = json!({"result_code": code, "result_msg": "x", "err_detail": ""});
    WireResponse::ok("application/json", body.to_string())
}

impl Subject for Plugin {
    fn provider(&self) -> Arc<dyn Provider> {
        paymux_beecloud::provider()
    }

    fn settings(&self) -> Settings {
        table(json!({"app_id": APP_ID, "app_secret": "canary-app-secret",
            "master_secret": "canary-master-secret-of-today",
            "master_secret_previous": "canary-master-secret-of-yesterday", "test_secret": "canary-test-secret"}))
    }

    fn callback_keys(&self) -> CallbackKeys {
        CallbackKeys { current: "master_secret", previous: "master_secret_previous" }
    }

    fn far_side(&self) -> FarSide {
        let refused = |code, number, blame| RefusedCreate { code, answer: failure(number), blame };
        let refusals = vec![
            refused("1", 1, Blame::Account),
            refused("2", 2, Blame::Account),
            refused("3", 3, Blame::Account),
            refused("4", 4, Blame::Request),
            refused("5", 5, Blame::Request),
            refused("6", 6, Blame::Account),
        ];
        let acceptor = self.provider().acceptor().unwrap();
        FarSide::Network(Arc::new(AcceptorSide::new(
            acceptor,
            credentials(Key::Current),
            refusals,
            failure(99),
        )))
    }

    fn methods(&self) -> Vec<Method> {
        ["wechat.native", "alipay.native", "alipay.web", "jd.web"]
            .map(|method| method.parse().unwrap())
            .to_vec()
    }

    fn callback(&self, key: Key, fact: &FrontFact, now: Timestamp) -> WireRequest {
        conformance::notice(self.provider().acceptor().unwrap().as_ref(), credentials(key), fact, now)
    }

    fn signing(&self) -> Signing {
        Signing {
            sign: Place::Json("signature"),
            covers: &[
                Place::Json("transaction_id"),
                Place::Json("transaction_type"),
                Place::Json("channel_type"),
                Place::Json("transaction_fee"),
            ],
            leaves_out: &[
                Place::Json("timestamp"),
                Place::Json("sub_channel_type"),
                Place::Json("bill_fee"),
                Place::Json("discount"),
                Place::Json("coupon_id"),
                Place::Json("trade_success"),
            ],
        }
    }

    fn acknowledgement(&self) -> WireResponse {
        WireResponse::ok("text/plain", "success")
    }

    fn recorded(&self) -> Vec<Recorded> {
        let file: Value = serde_json::from_str(include_str!("data/vectors.json")).unwrap();
        let vectors = file["vectors"].as_array().unwrap().clone();
        let vector = |id: &str| vectors.iter().find(|vector| vector["id"] == id).unwrap();
        vec![create(vector("bc-v1")), webhook(vector("bc-v4"))]
    }
}

fn account(app_secret: &str, master_secret: &str) -> Settings {
    table(json!({"app_id": APP_ID, "app_secret": app_secret, "master_secret": master_secret}))
}

/// The sign covers account and time alone; the time of the vector is the suite's first moment.
fn create(vector: &Value) -> Recorded {
    Recorded::Create {
        what: "bc-v1".to_owned(),
        settings: account(vector["inputs"]["secret"].as_str().unwrap(), "canary-master-secret"),
        order: |_| (),
        after: Duration::ZERO,
        place: Place::Json("app_sign"),
        sign: vector["digest"].as_str().unwrap().to_owned(),
    }
}

fn webhook(vector: &Value) -> Recorded {
    Recorded::Callback {
        what: "bc-v4".to_owned(),
        settings: account("canary-app-secret", vector["inputs"]["master_secret"].as_str().unwrap()),
        request: WireRequest::new(Verb::Post, "/notify")
            .body("application/json", vector["message"].as_str().unwrap().to_owned()),
        number: vector["inputs"]["transaction_id"].as_str().unwrap().to_owned(),
        received: Money::fen(vector["inputs"]["transaction_fee"].as_i64().unwrap()),
    }
}
