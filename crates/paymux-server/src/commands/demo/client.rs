//! The demo as somebody outside: HTTP calls to the router as a merchant, to the simulator as a payer.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use paymux_core::transport::{Deadline, Destination, Outgoing, Transport as _};
use paymux_core::wire::PlainHttp;
use paymux_core::{Clock as _, Endpoint, Secret, Verb, WireRequest};
use paymux_transport::{CallsMax, Dialler, Settings, SystemClock};
use serde_json::Value;

/// How long one call may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// The largest answer that is read.
const ANSWER_BYTES_MAX: usize = 1024 * 1024;

/// Calls one address.
pub(super) struct Client {
    dialler: Dialler,
    clock: SystemClock,
    base: Endpoint,
    key: Option<Secret>,
}

/// An answer: status and JSON, null where it is none.
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Value,
}

impl Client {
    /// Calls `base`, with `key` as a merchant does.
    pub(super) fn new(base: &str, key: Option<Secret>, clock: SystemClock) -> anyhow::Result<Self> {
        let calls = CallsMax { total: 256, per_origin: 256 };
        let settings = Settings { provider_calls: calls, ..Settings::default() };
        Ok(Self {
            dialler: Dialler::new(&settings, Arc::new(clock))?,
            clock,
            base: Endpoint::parse(base, PlainHttp::LoopbackOnly)?,
            key,
        })
    }

    pub(super) async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.call(WireRequest::new(Verb::Get, path)).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        self.call(WireRequest::new(Verb::Post, path).body("application/json", body.to_string())).await
    }

    async fn call(&self, mut request: WireRequest) -> anyhow::Result<Answer> {
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {}", key.expose()));
        }
        let what = format!("{} {}{}", request.verb.as_str(), self.base, request.path.trim_start_matches('/'));
        let call = Outgoing {
            // The demo's own servers stand on loopback, where a merchant's address may not be.
            destination: Destination::Provider,
            endpoint: self.base.clone(),
            request,
            deadline: Deadline::after(self.clock.mono(), PATIENCE),
            response_bytes_max: ANSWER_BYTES_MAX,
        };
        let answer = self.dialler.send(call).await.with_context(|| what)?;
        let body = serde_json::from_slice(&answer.body).unwrap_or_default();
        Ok(Answer { status: answer.status, body })
    }
}

impl Answer {
    /// The body, if the status is `wanted`.
    pub(super) fn expect(self, wanted: u16, what: &str) -> anyhow::Result<Value> {
        if self.status == wanted {
            return Ok(self.body);
        }
        anyhow::bail!("{what} was answered with {} instead of {wanted}: {}", self.status, self.body)
    }
}
