//! A plain HTTP client for the tests: one call, status and JSON.

use std::sync::Arc;
use std::time::Duration;

use paymux_core::transport::{Deadline, Destination, Outgoing, Transport as _, Undelivered};
use paymux_core::wire::PlainHttp;
use paymux_core::{Clock as _, Endpoint, Verb, WireRequest};
use paymux_transport::{Dialler, Roots, Settings, SystemClock};
use serde_json::Value;

/// Calls one address, as one app or as nobody.
pub(crate) struct Http {
    dialler: Dialler,
    clock: SystemClock,
    base: Endpoint,
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
    /// Null where it is no JSON.
    pub(crate) body: Value,
}

impl Http {
    pub(crate) fn new(base: &str) -> Self {
        Self::with(base, &Settings::default())
    }

    /// Believes that certificate alone.
    pub(crate) fn believing(base: &str, certificate: Vec<u8>) -> Self {
        let roots = Roots::Only(vec![certificate.into()]);
        Self::with(base, &Settings { roots, ..Settings::default() })
    }

    fn with(base: &str, settings: &Settings) -> Self {
        let clock = SystemClock::new();
        let dialler = Dialler::new(settings, Arc::new(clock)).unwrap();
        Self { dialler, clock, base: Endpoint::parse(base, PlainHttp::LoopbackOnly).unwrap() }
    }

    pub(crate) async fn get(&self, key: &str, path: &str) -> Answer {
        self.send(key, request(Verb::Get, path)).await.unwrap()
    }

    pub(crate) async fn post(&self, key: &str, path: &str, body: impl ToString) -> Answer {
        let request = request(Verb::Post, path).body("application/json", body.to_string());
        self.send(key, request).await.unwrap()
    }

    /// Sends the request with that key, or with none where it is empty.
    pub(crate) async fn send(&self, key: &str, mut request: WireRequest) -> Result<Answer, Undelivered> {
        if !key.is_empty() {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let call = Outgoing {
            destination: Destination::Provider,
            endpoint: self.base.clone(),
            request,
            deadline: Deadline::after(self.clock.mono(), Duration::from_secs(30)),
            response_bytes_max: 4 * 1024 * 1024,
        };
        let answer = self.dialler.send(call).await?;
        Ok(Answer {
            status: answer.status,
            text: String::from_utf8_lossy(&answer.body).into_owned(),
            body: serde_json::from_slice(&answer.body).unwrap_or_default(),
        })
    }
}

/// A request to that path, which may have a query.
fn request(verb: Verb, path: &str) -> WireRequest {
    match path.split_once('?') {
        Some((path, query)) => WireRequest::new(verb, path).query(query),
        None => WireRequest::new(verb, path),
    }
}
