//! The customers: they create payments, repeat what was not answered, pay, and write down every
//! answer.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use paymux_core::{Verb, WireRequest};
use paymux_sim::Bank;
use serde_json::{Value, json};

use crate::http::Http;
use crate::world::SHOP;

/// How many customers there are at once.
const CUSTOMERS: u64 = 12;
/// How many of ten orders are paid.
const PAID_OF_TEN: u64 = 7;
/// How often an order is tried while children come and go, and how far apart.
const TRIES: u32 = 8;
const PAUSE: Duration = Duration::from_millis(10);
/// The amount of every order, in fen.
pub(crate) const AMOUNT: i64 = 1999;

/// An acknowledged payment, by its order number.
#[derive(Debug, Clone)]
pub(crate) struct Acknowledged {
    pub(crate) id: String,
    /// The number of its order at the provider.
    pub(crate) number: String,
}

pub(crate) struct Customers {
    http: Http,
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
            let request = WireRequest::new(Verb::Post, "/v1/payments");
            let request = request.body("application/json", body.to_string());
            match self.http.send(SHOP, request).await {
                Ok(answer) if matches!(answer.status, 200 | 201) => return Some(answer.body),
                Ok(answer) if answer.status != 503 => {
                    self.fault(format!("{order_no}: status {}: {}", answer.status, answer.text));
                    return None;
                }
                // Nobody is there, or the ledger is closing; neither acknowledges anything.
                Ok(_) | Err(_) => tokio::time::sleep(PAUSE).await,
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
