//! The customers: they create payments, repeat what was not answered, pay, and write down every
//! answer.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use paymux_core::transport::{Deadline, Destination, Outgoing};
use paymux_core::wire::{Endpoint, PlainHttp, Verb, WireRequest};
use paymux_core::{Clock, Transport};
use paymux_sim::Bank;
use paymux_transport::{Dialler, Settings, SystemClock};
use serde_json::{Value, json};

use crate::child::API_KEY;

/// How many customers there are at once.
const CUSTOMERS: u64 = 6;
/// How many of ten orders are paid.
const PAID_OF_TEN: u64 = 7;
/// How often an order is tried while children come and go, and how far apart.
const TRIES: u32 = 30;
const PAUSE: Duration = Duration::from_millis(10);
/// The amount of every order, in fen.
pub(crate) const AMOUNT: i64 = 1999;

/// A client of paymux. An answer that did not come whole is `None`.
pub(crate) struct Http {
    dialler: Dialler,
    clock: Arc<dyn Clock>,
    base: Endpoint,
}

impl Http {
    pub(crate) fn new(base: &str) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let dialler = Dialler::new(&Settings::default(), clock.clone()).unwrap();
        Self { dialler, clock, base: Endpoint::parse(base, PlainHttp::LoopbackOnly).unwrap() }
    }

    pub(crate) async fn get(&self, path: &str) -> Option<(u16, Value)> {
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let mut request = WireRequest::new(Verb::Get, path);
        request.query = query.map(str::to_owned);
        self.send(request).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Option<(u16, Value)> {
        self.send(WireRequest::new(Verb::Post, path).body("application/json", body.to_string())).await
    }

    async fn send(&self, request: WireRequest) -> Option<(u16, Value)> {
        let call = Outgoing {
            destination: Destination::Provider,
            endpoint: self.base.clone(),
            request: request.header("authorization", format!("Bearer {API_KEY}")),
            deadline: Deadline::after(self.clock.mono(), Duration::from_secs(10)),
            response_bytes_max: 4 << 20,
        };
        let answer = self.dialler.send(call).await.ok()?;
        Some((answer.status, serde_json::from_slice(&answer.body).unwrap_or(Value::Null)))
    }
}

/// An acknowledged payment, by its order number.
#[derive(Debug, Clone)]
pub(crate) struct Acknowledged {
    pub(crate) id: String,
    /// The number of its order at the provider.
    pub(crate) number: String,
}

pub(crate) struct Customers {
    pub(crate) http: Http,
    bank: Bank,
    seed: u64,
    stopping: AtomicBool,
    acknowledged: Mutex<BTreeMap<String, Acknowledged>>,
    /// What must not be, seen while working.
    faults: Mutex<Vec<String>>,
}

impl Customers {
    pub(crate) fn new(base: &str, bank: Bank, seed: u64) -> Self {
        Self {
            http: Http::new(base),
            bank,
            seed,
            stopping: AtomicBool::new(false),
            acknowledged: Mutex::default(),
            faults: Mutex::default(),
        }
    }

    /// Works until it is told to stop; then each customer ends the order that it has begun.
    pub(crate) async fn work(self: Arc<Self>) {
        let customers = (0..CUSTOMERS).map(|customer| {
            let this = self.clone();
            tokio::spawn(async move { this.customer(customer).await })
        });
        for customer in customers.collect::<Vec<_>>() {
            customer.await.unwrap();
        }
    }

    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.acknowledged.lock().unwrap().len()
    }

    pub(crate) fn book(&self) -> BTreeMap<String, Acknowledged> {
        self.acknowledged.lock().unwrap().clone()
    }

    pub(crate) fn faults(&self) -> Vec<String> {
        self.faults.lock().unwrap().clone()
    }

    /// Orders one thing after the other. What was not answered after a few tries waits for the end:
    /// a payment whose sender was killed is looked at only when its deadline is over.
    async fn customer(&self, customer: u64) {
        let mut dice = fastrand::Rng::with_seed(self.seed ^ customer);
        let mut unanswered = Vec::new();
        let mut count = 0_u32;
        while !self.stopping.load(Ordering::Relaxed) {
            count += 1;
            let order_no = format!("c{customer}-{count}");
            match self.order(&order_no, TRIES).await {
                Some(payment) => self.take(&order_no, &payment, &mut dice),
                None => unanswered.push(order_no),
            }
        }
        for order_no in unanswered {
            match self.order(&order_no, u32::MAX).await {
                Some(payment) => self.take(&order_no, &payment, &mut dice),
                None => self.fault(format!("{order_no}: never answered")),
            }
        }
    }

    /// Writes the answer down, and pays most of what can be paid.
    fn take(&self, order_no: &str, payment: &Value, dice: &mut fastrand::Rng) {
        self.note(order_no, payment);
        let code = payment["next_action"]["qr"].as_str();
        if dice.u64(0..10) < PAID_OF_TEN
            && let Some(number) = code.and(payment["provider_order_no"].as_str())
            && let Err(error) = self.bank.pay(number)
        {
            self.fault(format!("{order_no}: its code was shown but cannot be paid: {error}"));
        }
    }

    /// Orders until an answer comes, so often: the same body again and again, as a merchant should.
    async fn order(&self, order_no: &str, tries: u32) -> Option<Value> {
        let body = json!({"order_no": order_no, "amount": AMOUNT, "currency": "CNY",
            "method": "wechat.native", "subject": "Tea", "expires_in": 7200});
        for _ in 0..tries {
            match self.http.post("/v1/payments", &body).await {
                Some((200 | 201, payment)) => return Some(payment),
                // Nobody is there, or the ledger is closing; neither acknowledges anything.
                Some((503, _)) | None => tokio::time::sleep(PAUSE).await,
                Some((status, answer)) => {
                    self.fault(format!("{order_no}: status {status}: {answer}"));
                    return None;
                }
            }
        }
        None
    }

    fn note(&self, order_no: &str, payment: &Value) {
        let text = |key: &str| payment[key].as_str().unwrap_or_default().to_owned();
        let acknowledged = Acknowledged { id: text("id"), number: text("provider_order_no") };
        self.acknowledged.lock().unwrap().insert(order_no.to_owned(), acknowledged);
    }

    fn fault(&self, what: String) {
        self.faults.lock().unwrap().push(what);
    }
}
