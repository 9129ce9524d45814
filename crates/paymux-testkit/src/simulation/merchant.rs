//! A merchant: its endpoint for notices, which is not always well, and its way of asking, which does not
//! always wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paymux_core::AppId;
use paymux_core::wire::{WireRequest, WireResponse};
use serde_json::Value;

use super::dice::Dice;
use super::faults::Fault;
use super::front::{Answer, Ask};
use super::setup::app_id;
use super::world::World;

/// How long a client waits that does not give up, in seconds.
const PATIENCE_S: u64 = 60;
/// How often a client asks for the same before it lets it be.
const TRIES: usize = 8;

/// One merchant.
#[derive(Debug)]
pub(super) struct Merchant {
    /// Its app.
    pub(super) app: AppId,
    /// What its notices are signed with.
    pub(super) key: [u8; 32],
    is_gone: AtomicBool,
    down_until: AtomicI64,
}

impl Merchant {
    /// A merchant of that name.
    pub(super) fn new(name: &str, seed: u64) -> Self {
        let dice = Dice::stream(seed, name);
        let mut key = [0; 32];
        for part in key.chunks_mut(8) {
            part.copy_from_slice(&dice.bits().to_be_bytes());
        }
        Self { app: app_id(name), key, is_gone: AtomicBool::new(false), down_until: AtomicI64::new(0) }
    }

    /// The host of its endpoint.
    pub(super) fn host(&self) -> String {
        format!("{}.merchant.example", self.app)
    }

    /// Its secret as it is configured.
    pub(super) fn secret_text(&self) -> String {
        format!("whsec_{}", STANDARD.encode(self.key))
    }

    /// Its endpoint answers nobody until then.
    pub(super) fn go_down(&self, until: i64) {
        self.down_until.store(until, Ordering::Relaxed);
    }

    /// Whether its endpoint answers nobody now.
    pub(super) fn is_down(&self, now: i64) -> bool {
        now < self.down_until.load(Ordering::Relaxed)
    }

    /// Its endpoint is there again.
    pub(super) fn come_back(&self) {
        self.is_gone.store(false, Ordering::Relaxed);
    }
}

/// A notice arrives at a merchant's endpoint. `None` when the connection breaks.
pub(super) async fn receive(
    world: &Arc<World>,
    merchant: &Merchant,
    request: &WireRequest,
) -> Option<WireResponse> {
    let answer = |status| Some(WireResponse::with_status(status, "text/plain", ""));
    if merchant.is_down(world.ms()) {
        return None;
    }
    if world.faults.strikes(Fault::EndpointGone) {
        merchant.is_gone.store(true, Ordering::Relaxed);
    }
    if merchant.is_gone.load(Ordering::Relaxed) {
        return answer(410);
    }
    if world.faults.strikes(Fault::EndpointBusy) {
        let seconds = world.dice.between(1, 3_600).to_string();
        return answer(429).map(|mut answer| {
            answer.headers.push("retry-after", seconds);
            answer
        });
    }
    let fails = world.faults.strikes(Fault::EndpointFails);
    // Some fail before they have noted it, some after: those hear of it again.
    if fails && world.dice.chance(500_000) {
        return answer(world.dice.one_of(&[500, 301, 404]));
    }
    note(world, merchant, request);
    if world.faults.strikes(Fault::EndpointSlow) {
        world.nap(2_000, 40_000).await;
    }
    if fails { None } else { answer(204) }
}

fn note(world: &Arc<World>, merchant: &Merchant, request: &WireRequest) {
    let header = |name| request.headers.first(name).unwrap_or_default();
    let body = String::from_utf8_lossy(&request.body);
    world.trace.line(world.ms(), || format!("{} is told: {body}", merchant.app));
    let (id, at, signature) =
        (header("webhook-id"), header("webhook-timestamp"), header("webhook-signature"));
    world.judge.told(world, merchant, [id, at, signature], &body);
}

/// One question, for as long as the client waits. `None` when it has no answer.
pub(super) async fn ask_once(world: &Arc<World>, merchant: &Arc<Merchant>, ask: Ask) -> Option<Answer> {
    let patience = if world.faults.strikes(Fault::ClientGivesUp) {
        Duration::from_millis(u64::try_from(world.dice.between(5, 9_000)).unwrap_or(0))
    } else {
        Duration::from_secs(PATIENCE_S)
    };
    let answer = tokio::time::timeout(patience, world.ask(merchant, ask.clone())).await.ok().flatten();
    if let Some(answer) = &answer {
        world.judge.answered(world, merchant, &ask, answer.status, &answer.text);
    }
    answer
}

/// Asks for the same until there is an answer that says yes or no. With `other`, asks for that in between.
pub(super) async fn insist(
    world: &Arc<World>,
    merchant: &Arc<Merchant>,
    ask: &Ask,
    other: Option<&Ask>,
) -> Option<Value> {
    for _ in 0..TRIES {
        if let Some(other) = other
            && world.faults.strikes(Fault::ClientOtherBody)
        {
            ask_once(world, merchant, other.clone()).await;
        }
        match ask_once(world, merchant, ask.clone()).await {
            Some(answer) if matches!(answer.status, 200 | 201) => {
                return serde_json::from_str(&answer.text).ok();
            }
            Some(answer) if matches!(answer.status, 400 | 404 | 422) => return None,
            Some(answer) if answer.status == 409 && !answer.text.contains("in_flight") => return None,
            // Too much, in flight, broken, or nobody there: again after a while.
            Some(_) | None => world.nap(100, 8_000).await,
        }
    }
    world.count("state: client gave up for good");
    None
}
