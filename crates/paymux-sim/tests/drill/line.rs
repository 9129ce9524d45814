//! The line between paymux and FuFu: it loses, cuts, delays and refuses at random points, and notes every call.
//!
//! What was sent goes on without its sender, as on a real line: FuFu works on it also when paymux has died or does
//! not wait any more.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use paymux_core::transport::{Destination, NoAnswer, NotSent, Outgoing, Undelivered};
use paymux_core::{Clock as _, Endpoint, Timestamp, Transport, WireRequest, WireResponse};
use paymux_sim::{Bank, Reply};
use paymux_testkit::TestClock;
use serde_json::Value;
use tokio::time::{sleep, timeout};

/// How many calls about one order, beside its scan, are struck at the most: each may cost a look, and a payment's
/// bound grows with it.
const STRUCK_MAX: u32 = 2;
/// How long a call or an answer is on its way, in milliseconds.
const WAY_MS: RangeInclusive<u64> = 5..=60;
/// How late a call may reach FuFu: less than the margin after which "no such order" counts.
const LATE_MS: RangeInclusive<u64> = 1000..=8900;
/// How long the answer to a scan hangs: beyond FuFu's 80 s, and for most beyond the call's own 90 s too.
const SLOW_SCAN_MS: RangeInclusive<u64> = 81_000..=130_000;
/// How long any other answer hangs: beyond a call's 15 s.
const SLOW_OTHER_MS: RangeInclusive<u64> = 16_000..=60_000;
/// When a payer who waits pays, after FuFu took the scan: for some it is too late.
const PAYER_MS: RangeInclusive<u64> = 500..=110_000;
/// How many of a hundred payers who wait leave.
const LEAVE_PERCENT: u32 = 35;

/// What befalls a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    /// No connection: not a byte left.
    NotSent,
    /// It left, and FuFu never saw it.
    LostOnTheWay,
    /// FuFu worked on it, and not a byte of its answer came.
    LostAnswer,
    /// FuFu worked on it, and its answer ends in the middle.
    CutAnswer,
    /// A gateway answers 502; FuFu never saw it.
    GatewayBefore,
    /// FuFu worked on it, and a gateway answers 502.
    GatewayAfter,
    /// FuFu worked on it at once; its answer hangs.
    SlowAnswer,
    /// It reaches FuFu seconds late.
    LateArrival,
}

/// Each with its word, and how many of a thousand scans, and of a thousand other calls, it strikes.
pub(crate) const FAULTS: [(Fault, &str, u32, u32); 8] = [
    (Fault::NotSent, "not sent", 40, 10),
    (Fault::LostOnTheWay, "lost on the way", 50, 15),
    (Fault::LostAnswer, "answer lost", 100, 15),
    (Fault::CutAnswer, "answer cut", 50, 15),
    (Fault::GatewayBefore, "502, not worked on", 40, 10),
    (Fault::GatewayAfter, "502, worked on", 50, 15),
    (Fault::SlowAnswer, "answer too slow", 100, 10),
    (Fault::LateArrival, "arrives late", 50, 0),
];

/// One call, as the line saw it.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    /// The last word of its path.
    pub(crate) operation: String,
    /// The order's number.
    pub(crate) number: String,
    /// Of a scan: what is sold, which here is the till's own number.
    pub(crate) subject: String,
    /// When it was handed over.
    pub(crate) at: Timestamp,
    /// Whether a byte of it left.
    pub(crate) left: bool,
    /// What befell it.
    pub(crate) fault: Option<Fault>,
    /// What its answer said, where a whole one came in time: `SUCCESS`, or the code of a failure.
    pub(crate) told: Option<String>,
}

impl Call {
    pub(crate) fn is_scan(&self) -> bool {
        self.operation == "order"
    }
}

/// What payers who were asked to wait did.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Payers {
    pub(crate) paid: u32,
    pub(crate) too_late: u32,
    pub(crate) left: u32,
}

/// The line. Clones are the same line.
#[derive(Clone)]
pub(crate) struct Line(Arc<Inner>);

struct Inner {
    bank: Bank,
    clock: Arc<TestClock>,
    notes: Mutex<Notes>,
}

struct Notes {
    rng: fastrand::Rng,
    calls: Vec<Call>,
    struck: BTreeMap<String, u32>,
    payers: Payers,
}

impl Line {
    pub(crate) fn new(bank: Bank, clock: Arc<TestClock>, seed: u64) -> Self {
        let rng = fastrand::Rng::with_seed(seed);
        let notes = Notes { rng, calls: Vec::new(), struck: BTreeMap::new(), payers: Payers::default() };
        Self(Arc::new(Inner { bank, clock, notes: Mutex::new(notes) }))
    }

    pub(crate) fn calls(&self) -> Vec<Call> {
        self.0.notes().calls.clone()
    }

    pub(crate) fn payers(&self) -> Payers {
        self.0.notes().payers
    }
}

impl Inner {
    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a call and what befalls it; tells its place among the notes.
    fn hand_over(&self, request: &WireRequest) -> (usize, Option<Fault>) {
        let at = self.clock.now();
        let mut call = read(request, at);
        let mut notes = self.notes();
        call.fault = notes.draw(&call);
        call.left = call.fault != Some(Fault::NotSent);
        let fault = call.fault;
        notes.calls.push(call);
        (notes.calls.len() - 1, fault)
    }

    async fn pause(&self, ms: RangeInclusive<u64>) {
        let ms = self.notes().rng.u64(ms);
        sleep(Duration::from_millis(ms)).await;
    }

    /// The payer who is asked to wait begins to wait when FuFu has the scan.
    fn begin_payer(self: &Arc<Self>, request: &WireRequest) {
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let waits = body["auth_code"].as_str().is_some_and(|code| code.ends_with('7'));
        let Some(number) = body["out_trade_no"].as_str().filter(|_| waits) else { return };
        let (leaves, after) = {
            let mut notes = self.notes();
            (notes.rng.u32(0..100) < LEAVE_PERCENT, notes.rng.u64(PAYER_MS))
        };
        if leaves {
            self.notes().payers.left += 1;
            return;
        }
        let (line, number) = (self.clone(), number.to_owned());
        tokio::spawn(async move {
            sleep(Duration::from_millis(after)).await;
            let is_paid = line.bank.pay(&number).is_ok();
            let mut notes = line.notes();
            let count = if is_paid { &mut notes.payers.paid } else { &mut notes.payers.too_late };
            *count += 1;
        });
    }
}

impl Notes {
    fn draw(&mut self, call: &Call) -> Option<Fault> {
        let mut left = self.rng.u32(0..1000);
        let struck = self.struck.get(&call.number).copied().unwrap_or(0);
        if !call.is_scan() && struck >= STRUCK_MAX {
            return None;
        }
        for (fault, _, of_scans, of_others) in FAULTS {
            let weight = if call.is_scan() { of_scans } else { of_others };
            if left < weight {
                if !call.is_scan() {
                    *self.struck.entry(call.number.clone()).or_default() += 1;
                }
                return Some(fault);
            }
            left -= weight;
        }
        None
    }
}

#[async_trait]
impl Transport for Line {
    fn check(&self, _: Destination, _: &Endpoint) -> Result<(), String> {
        Ok(())
    }

    async fn send(&self, call: Outgoing) -> Result<WireResponse, Undelivered> {
        if call.deadline.dispatch_by.left(self.0.clock.mono()).is_zero() {
            return Err(Undelivered::NotSent(NotSent::TooLate));
        }
        let (place, fault) = self.0.hand_over(&call.request);
        if fault == Some(Fault::NotSent) {
            return Err(Undelivered::NotSent(NotSent::Connect));
        }
        let path = format!("{}{}", call.endpoint.path_and_query().0, call.request.path);
        let request = WireRequest { path, ..call.request };
        let left = call.deadline.answer_by.left(self.0.clock.mono());
        let way = tokio::spawn(travel(self.0.clone(), request, fault));
        match timeout(left, way).await {
            Ok(answer) => {
                let answer = answer.unwrap();
                if let Ok(answer) = &answer {
                    self.0.notes().calls[place].told = told(answer);
                }
                answer
            }
            Err(_) => Err(Undelivered::NoAnswer(NoAnswer::TimedOut)),
        }
    }
}

/// A call's way to FuFu and its answer's way back.
async fn travel(
    line: Arc<Inner>,
    request: WireRequest,
    fault: Option<Fault>,
) -> Result<WireResponse, Undelivered> {
    let broken = || Err(Undelivered::NoAnswer(NoAnswer::Broken));
    let is_scan = request.path.ends_with("/order");
    line.pause(WAY_MS).await;
    match fault {
        Some(Fault::LostOnTheWay) => return broken(),
        Some(Fault::GatewayBefore) => return Ok(bad_gateway()),
        Some(Fault::LateArrival) => line.pause(LATE_MS).await,
        _ => {}
    }
    let reply = line.bank.answer(request.clone()).await;
    if is_scan {
        line.begin_payer(&request);
    }
    let Reply::Whole(answer) = reply else { return broken() };
    if fault == Some(Fault::SlowAnswer) {
        line.pause(if is_scan { SLOW_SCAN_MS } else { SLOW_OTHER_MS }).await;
    }
    line.pause(WAY_MS).await;
    match fault {
        Some(Fault::LostAnswer) => broken(),
        Some(Fault::GatewayAfter) => Ok(bad_gateway()),
        Some(Fault::CutAnswer) => Ok(cut(&line, answer)),
        _ => Ok(answer),
    }
}

fn bad_gateway() -> WireResponse {
    WireResponse::with_status(502, "text/html", "<html><h1>502 Bad Gateway</h1></html>")
}

/// The same answer without its end.
fn cut(line: &Inner, mut answer: WireResponse) -> WireResponse {
    let kept = line.notes().rng.usize(0..answer.body.len());
    answer.body.truncate(kept);
    answer
}

fn read(request: &WireRequest, at: Timestamp) -> Call {
    let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
    let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
    Call {
        operation: request.path.rsplit('/').next().unwrap_or_default().to_owned(),
        number: text("out_trade_no"),
        subject: text("pay_subject"),
        at,
        left: true,
        fault: None,
        told: None,
    }
}

/// `SUCCESS`, or the code of a failure at either level.
fn told(answer: &WireResponse) -> Option<String> {
    let body: Value = serde_json::from_slice(&answer.body).ok()?;
    let level = if body["result"]["return_code"] == "FAIL" { &body["result"] } else { &body["data"] };
    let name = if level["return_code"] == "SUCCESS" { "return_code" } else { "return_msg" };
    level[name].as_str().map(str::to_owned)
}
