//! The merchant's endpoint: takes notices, checks their signs, writes them down.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use paymux_core::Clock;
use paymux_sign::{ReceivedWebhook, WebhookSecret};
use paymux_transport::SystemClock;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::child::NOTIFY_SECRET;

/// How many notices in a row are taken before one is refused, so that repeats happen.
const REFUSES_EACH: usize = 17;

#[derive(Default)]
struct Desk {
    /// By event id: what it told, and how often.
    events: BTreeMap<String, (Value, u32)>,
    faults: Vec<String>,
    seen: usize,
}

#[derive(Clone)]
pub(crate) struct Merchant {
    address: SocketAddr,
    desk: Arc<Mutex<Desk>>,
}

impl Merchant {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let merchant = Self { address: listener.local_addr().unwrap(), desk: Arc::default() };
        let router = Router::new().route("/hook", post(take)).with_state(merchant.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        merchant
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Every event that was taken, by its id, with how often it came.
    pub(crate) fn events(&self) -> BTreeMap<String, (Value, u32)> {
        self.desk.lock().unwrap().events.clone()
    }

    pub(crate) fn faults(&self) -> Vec<String> {
        self.desk.lock().unwrap().faults.clone()
    }
}

async fn take(State(merchant): State<Merchant>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let id = header("webhook-id").to_owned();
    let received = ReceivedWebhook {
        id: &id,
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
        body: &body,
    };
    let secret = WebhookSecret::parse(NOTIFY_SECRET).unwrap();
    let verified = received.verify(&[secret], SystemClock::new().now().seconds());
    let mut desk = merchant.desk.lock().unwrap();
    if let Err(refusal) = verified {
        desk.faults.push(format!("notice {id}: {refusal}"));
        return StatusCode::BAD_REQUEST;
    }
    let told: Value = serde_json::from_slice(&body).unwrap();
    let entry = desk.events.entry(id.clone()).or_insert_with(|| (told.clone(), 0));
    entry.1 += 1;
    if entry.0 != told {
        desk.faults.push(format!("notice {id} came with another body"));
    }
    desk.seen += 1;
    if desk.seen.is_multiple_of(REFUSES_EACH) {
        StatusCode::SERVICE_UNAVAILABLE
    } else {
        StatusCode::NO_CONTENT
    }
}
