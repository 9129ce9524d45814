//! The way out of a node, and everything that can befall a message on it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::{Either, select};
use paymux_core::clock::Clock;
use paymux_core::transport::{Destination, NoAnswer, NotSent, Outgoing, Transport, Undelivered};
use paymux_core::wire::{Endpoint, Verb, WireRequest, WireResponse};
use tokio::sync::oneshot;

use super::accounts::PROMISE_MS_MAX;
use super::bank::{Bank, Request};
use super::books;
use super::faults::Fault;
use super::node::Life;
use super::time::NodeClock;
use super::world::World;

/// How long a message is under way where nothing is wrong, in milliseconds.
const WAY_MS: (i64, i64) = (3, 120);
/// How long it is under way where it is late.
const LATE_MS: (i64, i64) = (14_000, 600_000);
/// How long an answer may be slower than others.
const SLOW_MS_MAX: i64 = 6_000;

/// One node's way out, for one life of its process.
pub(super) struct NodeTransport {
    world: Arc<World>,
    life: Arc<Life>,
    clock: Arc<NodeClock>,
}

type Outcome = Result<WireResponse, Undelivered>;

impl NodeTransport {
    /// The way out of that life.
    pub(super) fn new(world: Arc<World>, life: Arc<Life>, clock: Arc<NodeClock>) -> Self {
        Self { world, life, clock }
    }

    /// Connects, and looks at the clock once more before the first byte.
    async fn connect(&self, call: &Outgoing) -> Result<(), Undelivered> {
        self.life.pass().await;
        self.life.may_crash(&self.world, "before a call", &call.request.path).await;
        self.world.nap(1, WAY_MS.1).await;
        self.life.pass().await;
        if self.world.faults.strikes(Fault::ConnectRefused) {
            return Err(Undelivered::NotSent(NotSent::Connect));
        }
        if self.clock.mono() >= call.deadline.dispatch_by {
            self.world.count("state: zombie sender stopped by its deadline");
            return Err(Undelivered::NotSent(NotSent::TooLate));
        }
        Ok(())
    }

    fn tell_judge(&self, request: &WireRequest) {
        let body = String::from_utf8_lossy(&request.body);
        let number = body.split('&').find_map(|pair| pair.strip_prefix("number="));
        if let (Verb::Post, "/orders", Some(number)) = (request.verb, request.path.as_str(), number) {
            let state = books::state_of(&self.world.disk.store, number);
            self.world.judge.create_leaves(&self.world, number, state);
        }
    }
}

#[async_trait]
impl Transport for NodeTransport {
    fn check(&self, _: Destination, endpoint: &Endpoint) -> Result<(), String> {
        if endpoint.is_tls() { Ok(()) } else { Err("the scheme must be https".to_owned()) }
    }

    async fn send(&self, call: Outgoing) -> Outcome {
        self.connect(&call).await?;
        self.tell_judge(&call.request);
        let (sender, receiver) = oneshot::channel();
        let (world, request, host) =
            (self.world.clone(), call.request.clone(), call.endpoint.host().to_owned());
        self.world.spawn(async move { carry(&world, &host, request, sender).await });
        self.life.may_crash(&self.world, "after a call has left", &call.request.path).await;
        let left = call.deadline.answer_by.left(self.clock.mono());
        let answer = match select(receiver, self.clock.sleep(left)).await {
            Either::Left((Ok(answer), _)) => answer,
            // Nobody will ever answer, and nothing says so.
            Either::Left((Err(_), silence)) => {
                silence.await;
                Err(Undelivered::NoAnswer(NoAnswer::TimedOut))
            }
            Either::Right(_) => Err(Undelivered::NoAnswer(NoAnswer::TimedOut)),
        };
        self.life.pass().await;
        self.life.may_crash(&self.world, "after an answer came", &call.request.path).await;
        answer
    }
}

/// Takes a request to where it goes, and the answer back.
async fn carry(world: &Arc<World>, host: &str, request: WireRequest, back: oneshot::Sender<Outcome>) {
    if let Some(bank) = world.bank_at(host) {
        return to_bank(world, bank, request, back).await;
    }
    world.nap(WAY_MS.0, WAY_MS.1).await;
    let Some(merchant) = world.merchant_at(host) else {
        let _ = back.send(Err(Undelivered::NoAnswer(NoAnswer::Broken)));
        return;
    };
    let answer = super::merchant::receive(world, &merchant, &request).await;
    world.nap(WAY_MS.0, WAY_MS.1).await;
    let _ = back.send(answer.ok_or(Undelivered::NoAnswer(NoAnswer::Broken)));
}

async fn to_bank(world: &Arc<World>, bank: Arc<Bank>, request: WireRequest, back: oneshot::Sender<Outcome>) {
    let request = read(&request);
    if world.faults.strikes(Fault::RequestLost) {
        world.trace.line(world.ms(), || format!("{}: {} is lost", bank.account.id, request.path));
        return lose(world, back).await;
    }
    let late = world.faults.strikes(Fault::RequestLate);
    let (least, most) = if late { (LATE_MS.0, late_most(&bank)) } else { WAY_MS };
    if repeats(&bank, &request) && world.faults.strikes(Fault::RequestTwice) {
        let (world, bank, request) = (world.clone(), bank.clone(), request.clone());
        world.clone().spawn(async move {
            world.nap(least, most + 2_000).await;
            arrive(&world, &bank, &request);
        });
    }
    world.nap(least, most).await;
    if world.faults.strikes(Fault::ServerErrorBefore) {
        return answer(world, status(502), back).await;
    }
    let reply = arrive(world, &bank, &request);
    if world.faults.strikes(Fault::AnswerLost) {
        return lose(world, back).await;
    }
    let reply = if world.faults.strikes(Fault::ServerErrorAfter) { status(500) } else { reply };
    let reply = spoil(world, &bank, reply);
    answer(world, reply, back).await;
}

/// A bank that promises when absence is final takes nothing that was under way for longer.
fn late_most(bank: &Bank) -> i64 {
    if bank.account.absent_after_ms.is_some() { PROMISE_MS_MAX } else { LATE_MS.1 }
}

/// Whether the network may deliver it twice: where the bank would move money twice for it, nothing between
/// the two repeats a request.
fn repeats(bank: &Bank, request: &Request) -> bool {
    let habit = match request.path.as_str() {
        "/backs" => bank.account.refund,
        "/payouts" => bank.account.payout,
        _ => return true,
    };
    request.verb == "GET" || habit.is_some_and(|habit| habit.idempotent)
}

/// The request is at the bank.
fn arrive(world: &Arc<World>, bank: &Arc<Bank>, request: &Request) -> WireResponse {
    let reply = bank.handle(request, &world.faults, world.ms());
    world.trace.line(world.ms(), || {
        let (id, verb, path) = (bank.account.id, request.verb, &request.path);
        format!("{id}: {verb} {path} {} -> {}", request.text, reply.text)
    });
    for next in reply.next {
        world.follow_up(bank, next);
    }
    WireResponse::with_status(reply.status, "text/plain", reply.text)
}

/// What the network or a broken server makes of an answer.
fn spoil(world: &World, bank: &Bank, mut reply: WireResponse) -> WireResponse {
    if world.faults.strikes(Fault::AnswerGarbled) {
        let mut body = reply.body.to_vec();
        let at = world.dice.place(body.len());
        if world.dice.chance(500_000) {
            body.truncate(at);
        } else if let Some(byte) = body.get_mut(at) {
            *byte = byte.wrapping_add(1);
        }
        reply.body = body.into();
        return reply;
    }
    let last = bank.swap_last(reply.body.clone());
    match last {
        // An older answer about the same order is one that nobody could tell from the true one.
        Some(body)
            if number_of(&body) != number_of(&reply.body) && world.faults.strikes(Fault::AnswerCrossed) =>
        {
            WireResponse { body, ..reply }
        }
        _ => reply,
    }
}

/// Which order or outflow an answer is about.
fn number_of(body: &[u8]) -> Option<&[u8]> {
    body.split(|byte| *byte == b'&').find(|pair| pair.starts_with(b"number="))
}

async fn answer(world: &World, reply: WireResponse, back: oneshot::Sender<Outcome>) {
    if world.faults.strikes(Fault::AnswerLate) {
        world.nap(LATE_MS.0, LATE_MS.1).await;
    } else if world.faults.strikes(Fault::AnswerSlow) {
        world.nap(WAY_MS.1, SLOW_MS_MAX).await;
    } else {
        world.nap(WAY_MS.0, WAY_MS.1).await;
    }
    let _ = back.send(Ok(reply));
}

/// The connection breaks after a while, or says nothing for ever.
async fn lose(world: &World, back: oneshot::Sender<Outcome>) {
    if world.dice.chance(500_000) {
        world.nap(1, 8_000).await;
        let _ = back.send(Err(Undelivered::NoAnswer(NoAnswer::Broken)));
    }
}

fn status(status: u16) -> WireResponse {
    WireResponse::with_status(status, "text/html", "<h1>Bad Gateway</h1>")
}

fn read(request: &WireRequest) -> Request {
    let (verb, text) = match request.verb {
        Verb::Get => ("GET", request.query.clone().unwrap_or_default()),
        _ => ("POST", String::from_utf8_lossy(&request.body).into_owned()),
    };
    Request { verb, path: request.path.clone(), text }
}

/// A span of so many milliseconds.
pub(super) fn span(ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}
