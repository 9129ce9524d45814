//! The customers: each orders one thing after the other, repeats what was not answered, runs its
//! errands with it (see [`errands`](super::errands)), and writes down every answer.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use paymux_core::{Verb, WireRequest};
use paymux_sim::Bank;
use serde_json::{Value, json};

use crate::http::{Answer, Http};
use crate::world::SHOP;

/// How many customers there are at once.
const CUSTOMERS: u64 = 12;
/// How many of ten orders can be closed at the provider before they are paid.
const CLOSABLE_OF_TEN: u64 = 3;
/// How often a request is tried while children come and go, and how far apart.
pub(super) const TRIES: u32 = 8;
const PAUSE: Duration = Duration::from_millis(10);
/// One in so many requests that make something carries an `Idempotency-Key`.
const KEYED_EACH: u64 = 2;
/// The amount of every order, in fen.
pub(crate) const AMOUNT: i64 = 1999;

/// An acknowledged payment, by its order number.
#[derive(Debug, Clone)]
pub(crate) struct Acknowledged {
    pub(crate) id: String,
    /// The number of its order at the provider.
    pub(crate) number: String,
}

/// A refund that was acknowledged, by its number.
#[derive(Debug, Clone)]
pub(crate) struct AcknowledgedRefund {
    pub(crate) id: String,
    pub(crate) payment: String,
    pub(crate) amount: i64,
}

/// A transfer that was acknowledged, by its number.
#[derive(Debug, Clone)]
pub(crate) struct AcknowledgedTransfer {
    pub(crate) id: String,
    pub(crate) amount: i64,
}

/// All that was acknowledged.
#[derive(Debug, Default, Clone)]
pub(crate) struct Book {
    pub(crate) payments: BTreeMap<String, Acknowledged>,
    /// Orders whose payer was shown what to pay.
    pub(crate) shown: BTreeSet<String>,
    /// Orders whose payment is canceled.
    pub(crate) canceled: BTreeMap<String, Acknowledged>,
    pub(crate) refunds: BTreeMap<String, AcknowledgedRefund>,
    pub(crate) transfers: BTreeMap<String, AcknowledgedTransfer>,
    /// What must not be, seen while working.
    pub(crate) faults: Vec<String>,
}

pub(crate) struct Customers {
    http: Http,
    pub(super) bank: Bank,
    seed: u64,
    stopping: AtomicBool,
    book: Mutex<Book>,
}

/// An order as a customer places it.
pub(super) struct Basket {
    pub(super) order_no: String,
    /// Whether the provider closes it at a word.
    pub(super) is_closable: bool,
    pub(super) keyed: Keyed,
}

/// Whether what is made for an order is asked for under an `Idempotency-Key`: the number of what is made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Keyed {
    Yes,
    No,
}

impl Basket {
    fn new(order_no: String, dice: &mut fastrand::Rng) -> Self {
        let keyed = if dice.u64(0..KEYED_EACH) == 0 { Keyed::Yes } else { Keyed::No };
        Self { order_no, is_closable: dice.u64(0..10) < CLOSABLE_OF_TEN, keyed }
    }

    pub(super) fn body(&self, amount: i64) -> Value {
        let method = if self.is_closable { "alipay.native" } else { "wechat.native" };
        json!({"order_no": self.order_no, "amount": amount, "currency": "CNY", "method": method,
            "subject": "Tea", "expires_in": 7200})
    }
}

impl Customers {
    pub(crate) fn new(base: &str, bank: Bank, seed: u64) -> Self {
        let (stopping, book) = (AtomicBool::new(false), Mutex::default());
        Self { http: Http::new(base), bank, seed, stopping, book }
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
        self.book.lock().unwrap().payments.len()
    }

    pub(crate) fn book(&self) -> Book {
        self.book.lock().unwrap().clone()
    }

    /// Orders one thing after the other. What was not answered after a few tries waits for the end:
    /// a payment whose sender was killed is looked at only when its deadline is over.
    async fn customer(&self, customer: u64) {
        let mut dice = fastrand::Rng::with_seed(self.seed ^ customer);
        let mut unanswered = Vec::new();
        let mut count = 0_u32;
        while !self.stopping.load(Ordering::Relaxed) {
            count += 1;
            let basket = Basket::new(format!("c{customer}-{count}"), &mut dice);
            match self.order(&basket, TRIES).await {
                Some(payment) => self.run_errands(&basket, &payment, &mut dice).await,
                None => unanswered.push(basket),
            }
        }
        for basket in unanswered {
            match self.order(&basket, u32::MAX).await {
                Some(payment) => self.run_errands(&basket, &payment, &mut dice).await,
                None => self.fault(format!("{}: never answered", basket.order_no)),
            }
        }
    }

    /// Orders until an answer comes, so often: the same body again and again, as a merchant should.
    async fn order(&self, basket: &Basket, tries: u32) -> Option<Value> {
        let answer =
            self.make(basket.keyed, "/v1/payments", &basket.order_no, basket.body(AMOUNT), tries).await?;
        if !matches!(answer.status, 200 | 201) {
            self.fault(format!("{}: status {}: {}", basket.order_no, answer.status, answer.text));
            return None;
        }
        let (acknowledged, is_shown) =
            (Acknowledged::of(&answer.body), answer.body["next_action"].is_object());
        self.note(|book| {
            book.payments.insert(basket.order_no.clone(), acknowledged);
            book.shown.extend(is_shown.then(|| basket.order_no.clone()));
        });
        Some(answer.body)
    }

    /// Posts what makes something of that number, under it as a key if it shall have one, until an answer comes.
    pub(super) async fn make(
        &self,
        keyed: Keyed,
        path: &str,
        number: &str,
        body: impl ToString,
        tries: u32,
    ) -> Option<Answer> {
        let request = WireRequest::new(Verb::Post, path).body("application/json", body.to_string());
        self.answered(
            if keyed == Keyed::Yes { request.header("idempotency-key", number) } else { request },
            tries,
        )
        .await
    }

    /// Posts until an answer comes that acknowledges or refuses something, so often.
    pub(super) async fn post(&self, path: &str, body: impl ToString, tries: u32) -> Option<Answer> {
        let request = WireRequest::new(Verb::Post, path).body("application/json", body.to_string());
        self.answered(request, tries).await
    }

    async fn answered(&self, request: WireRequest, tries: u32) -> Option<Answer> {
        let is_keyed = request.headers.first("idempotency-key").is_some();
        for _ in 0..tries {
            match self.http.send(SHOP, request.clone()).await {
                // Nobody is there, or the ledger is closing; neither acknowledges anything.
                Ok(Answer { status: 503, .. }) | Err(_) => {}
                // Whoever hung up left the same request running under its key.
                Ok(answer) if is_keyed && answer.body["code"] == "in_flight" => {}
                Ok(answer) => return Some(answer),
            }
            tokio::time::sleep(PAUSE).await;
        }
        None
    }

    pub(super) fn note<T>(&self, write: impl FnOnce(&mut Book) -> T) {
        write(&mut self.book.lock().unwrap());
    }

    pub(super) fn fault(&self, what: String) {
        self.note(|book| book.faults.push(what));
    }
}

impl Acknowledged {
    pub(super) fn of(payment: &Value) -> Self {
        let text = |key: &str| payment[key].as_str().unwrap_or_default().to_owned();
        Self { id: text("id"), number: text("provider_order_no") }
    }
}
