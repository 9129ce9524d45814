//! The merchant's endpoint: takes notices and keeps them as they came, verified.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use paymux_core::Clock as _;
use paymux_sign::{ReceivedWebhook, WebhookSecret};
use paymux_transport::SystemClock;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::process::PATIENCE;

/// A notice whose signature was valid.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Notice {
    pub(crate) id: String,
    pub(crate) body: Value,
}

#[derive(Clone)]
struct Desk {
    secret: WebhookSecret,
    notices: Arc<Mutex<Vec<Notice>>>,
    refusals: Arc<Mutex<Vec<String>>>,
    /// Every so manieth good notice is taken and refused all the same; 0: none.
    unwilling: Arc<AtomicUsize>,
}

/// A running endpoint. It ends with the test's runtime.
pub(crate) struct Merchant {
    address: SocketAddr,
    desk: Desk,
}

impl Merchant {
    pub(crate) async fn open(secret: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let desk = Desk {
            secret: WebhookSecret::parse(secret).unwrap(),
            notices: Arc::default(),
            refusals: Arc::default(),
            unwilling: Arc::default(),
        };
        let router = Router::new().route("/hook", post(take)).with_state(desk.clone());
        let limits = paymux_http::Limits::default();
        tokio::spawn(paymux_http::serve(listener, router, limits, CancellationToken::new()));
        Self { address, desk }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// From now on every so manieth good notice is refused, so that it comes again.
    pub(crate) fn refuse_each(&self, count: usize) {
        self.desk.unwilling.store(count, Ordering::Relaxed);
    }

    /// Returns once so many came.
    pub(crate) async fn notices_once(&self, count: usize) -> Vec<Notice> {
        let looking = async {
            while self.notices().len() < count {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, looking).await.expect("the notices come");
        self.notices()
    }

    /// All that came, each with a valid signature.
    pub(crate) fn notices(&self) -> Vec<Notice> {
        let refusals = self.desk.refusals.lock().unwrap();
        assert!(refusals.is_empty(), "{refusals:?}");
        self.desk.notices.lock().unwrap().clone()
    }
}

async fn take(State(desk): State<Desk>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let received = ReceivedWebhook {
        id: header("webhook-id"),
        timestamp: header("webhook-timestamp"),
        signature: header("webhook-signature"),
        body: &body,
    };
    match received.verify(std::slice::from_ref(&desk.secret), SystemClock::new().now().seconds()) {
        Ok(()) => {
            let body = serde_json::from_slice(&body).unwrap();
            let mut notices = desk.notices.lock().unwrap();
            notices.push(Notice { id: received.id.to_owned(), body });
            let each = desk.unwilling.load(Ordering::Relaxed);
            if each > 0 && notices.len().is_multiple_of(each) {
                return StatusCode::SERVICE_UNAVAILABLE;
            }
            StatusCode::NO_CONTENT
        }
        Err(refusal) => {
            desk.refusals.lock().unwrap().push(refusal.to_string());
            StatusCode::UNAUTHORIZED
        }
    }
}
