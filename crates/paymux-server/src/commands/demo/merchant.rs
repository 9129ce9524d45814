//! A merchant's endpoint: takes notices over HTTP and verifies each as a merchant should.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use paymux_core::{Clock as _, Secret};
use paymux_sign::{
    ReceivedWebhook, WEBHOOK_ID_HEADER, WEBHOOK_SIGNATURE_HEADER, WEBHOOK_TIMESTAMP_HEADER, WebhookSecret,
};
use paymux_transport::SystemClock;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Notices that may wait to be told.
const WAITING_MAX: usize = 4096;

/// A running endpoint.
pub(super) struct Merchant {
    address: SocketAddr,
    shutdown: CancellationToken,
    serving: JoinHandle<paymux_http::Served>,
}

/// One notice as it came in.
#[derive(Debug)]
pub(super) struct Notice {
    /// The event's id.
    pub(super) id: String,
    /// The body.
    pub(super) body: Value,
    /// Why it is not believed.
    pub(super) refused: Option<String>,
}

#[derive(Clone)]
struct Desk {
    secrets: Arc<[WebhookSecret]>,
    clock: SystemClock,
    notices: mpsc::Sender<Notice>,
}

impl Merchant {
    /// Starts it on a free port. Notices come out of the receiver.
    pub(super) async fn open(
        secret: &Secret,
        clock: SystemClock,
    ) -> anyhow::Result<(Self, mpsc::Receiver<Notice>)> {
        let (notices, received) = mpsc::channel(WAITING_MAX);
        let secrets = [WebhookSecret::parse(secret.expose())?].into();
        let desk = Desk { secrets, clock, notices };
        let router = Router::new().route("/hook", post(take)).with_state(desk);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let shutdown = CancellationToken::new();
        let limits = paymux_http::Limits::default();
        let serving = tokio::spawn(paymux_http::serve(listener, router, limits, shutdown.clone()));
        Ok((Self { address, shutdown, serving }, received))
    }

    /// Where notices go.
    pub(super) fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    pub(super) async fn close(self) {
        self.shutdown.cancel();
        let _ = self.serving.await;
    }
}

/// Verifies the raw bytes before anything parses them. What is not believed is not acknowledged.
async fn take(State(desk): State<Desk>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let received = ReceivedWebhook {
        id: header(WEBHOOK_ID_HEADER),
        timestamp: header(WEBHOOK_TIMESTAMP_HEADER),
        signature: header(WEBHOOK_SIGNATURE_HEADER),
        body: &body,
    };
    let verdict = received.verify(&desk.secrets, desk.clock.now().seconds());
    let notice = Notice {
        id: received.id.to_owned(),
        body: serde_json::from_slice(&body).unwrap_or_default(),
        refused: verdict.err().map(|refusal| refusal.to_string()),
    };
    let status = if notice.refused.is_none() { StatusCode::NO_CONTENT } else { StatusCode::UNAUTHORIZED };
    let _ = desk.notices.send(notice).await;
    status
}
