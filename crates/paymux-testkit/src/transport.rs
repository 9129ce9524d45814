//! A transport that answers what a test says, and notes what was sent.

use std::collections::{BTreeSet, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use paymux_core::transport::{Destination, NoAnswer, Outgoing, Transport, Undelivered};
use paymux_core::wire::{Endpoint, WireResponse};

/// How long a call to a host that hangs lasts.
const HANGS: Duration = Duration::from_secs(15);

/// Answers in the order of its script, and `200` without a body when the script is over.
#[derive(Debug, Default)]
pub struct ScriptedTransport(Mutex<Tape>);

#[derive(Debug, Default)]
struct Tape {
    answers: VecDeque<Result<WireResponse, Undelivered>>,
    sent: Vec<Outgoing>,
    hanging: BTreeSet<String>,
}

impl ScriptedTransport {
    /// One that answers `200` to everything.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next call ends like this.
    pub fn answer(&self, answer: Result<WireResponse, Undelivered>) {
        self.tape().answers.push_back(answer);
    }

    /// From now on that host takes calls and answers none.
    pub fn hang(&self, host: &str) {
        self.tape().hanging.insert(host.to_owned());
    }

    /// Every call so far.
    pub fn sent(&self) -> Vec<Outgoing> {
        self.tape().sent.clone()
    }

    /// The calls to merchants so far.
    pub fn notices(&self) -> Vec<Outgoing> {
        self.sent().into_iter().filter(|call| call.destination == Destination::Merchant).collect()
    }

    fn tape(&self) -> MutexGuard<'_, Tape> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Transport for ScriptedTransport {
    /// Refuses plain http to merchants, as the real one does.
    fn check(&self, destination: Destination, endpoint: &Endpoint) -> Result<(), String> {
        match destination {
            Destination::Merchant if !endpoint.is_tls() => Err("the scheme must be https".to_owned()),
            _ => Ok(()),
        }
    }

    async fn send(&self, call: Outgoing) -> Result<WireResponse, Undelivered> {
        let hangs = {
            let mut tape = self.tape();
            let hangs = tape.hanging.contains(call.endpoint.host());
            tape.sent.push(call);
            hangs
        };
        if hangs {
            tokio::time::sleep(HANGS).await;
            return Err(Undelivered::NoAnswer(NoAnswer::TimedOut));
        }
        self.tape().answers.pop_front().unwrap_or_else(|| Ok(WireResponse::ok("text/plain", "")))
    }
}
