//! The judge: compares what was acknowledged, what the provider's books say, what the ledger says
//! and what the merchant was told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use paymux_sim::{NoticeOutcome, OrderState, OrderView};
use serde_json::Value;
use tokio::time::Instant;

use crate::merchant::Merchant;
use crate::world::{SHOP, World};

use super::customers::{AMOUNT, Acknowledged, Book, Customers};
use super::operator::Said;
use super::refunds::Refunds;
use super::transfers::Transfers;

/// What the merchant was told: by event, the body and how often it came.
pub(super) type Told = BTreeMap<String, (Value, u64)>;

/// The kinds of what the merchant was told, by the id of what it is about.
pub(super) type ToldOf<'a> = BTreeMap<&'a str, Vec<&'a str>>;

/// What a run showed.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) payments: u64,
    pub(crate) paid: u64,
    pub(crate) canceled: u64,
    pub(crate) refunds: u64,
    /// Refunds of which the provider shows nothing: they wait for a person.
    pub(crate) refunds_unknown: u64,
    pub(crate) transfers: u64,
    /// Transfers that have left.
    pub(crate) paid_out: u64,
    /// Payments of which another channel was tried before.
    pub(crate) failed_over: u64,
    pub(crate) callbacks: u64,
    pub(crate) notices: u64,
    pub(crate) repeats: u64,
    /// Everything that must not be.
    pub(crate) faults: Vec<String>,
}

impl Verdict {
    /// A run in which something did not happen proves nothing of it.
    #[track_caller]
    pub(crate) fn has_seen_all(&self) {
        let Self { payments, paid, canceled, refunds, transfers, paid_out, callbacks, notices, .. } = self;
        let seen = [payments, paid, canceled, refunds, transfers, paid_out, callbacks, notices];
        assert!(seen.iter().all(|count| **count > 0), "too little work: {self:?}");
    }
}

/// Waits until all books agree, then judges. What has not settled in time is a fault.
pub(crate) async fn settle(customers: &Customers, world: &World, span: Duration) -> Verdict {
    let until = Instant::now() + span;
    loop {
        let books = Books::read(customers, world).await;
        let verdict = books.judge(&customers.book());
        if verdict.faults.is_empty() || Instant::now() >= until {
            return verdict;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// An operator's word that was acknowledged has had its effect, and stands in the audit trail, once.
pub(super) async fn lost_words(said: &Said, world: &World) -> Vec<String> {
    let words: BTreeMap<String, i64> = world.database().pairs(WORDS).await.into_iter().collect();
    let states: BTreeMap<String, i64> = world.database().pairs(SUCCEEDED).await.into_iter().collect();
    let mut faults = said.faults.clone();
    for id in &said.transfers {
        if words.get(id) != Some(&1) || !states.contains_key(id) {
            let (words, is_done) = (words.get(id), states.contains_key(id));
            faults
                .push(format!("{id}: an operator said that it left; words kept: {words:?}, done: {is_done}"));
        }
    }
    let doubled = words.iter().filter(|(_, count)| **count > 1);
    faults.extend(doubled.map(|(id, count)| format!("{id}: {count} words of one operator")));
    faults
}

/// All that is written down anywhere but by the customers.
struct Books {
    /// What the API shows of each payment, by its id.
    payments: BTreeMap<String, Value>,
    /// The provider's orders, by number.
    orders: BTreeMap<String, OrderView>,
    /// How often each of them was sent.
    creates: BTreeMap<String, u64>,
    /// How many callbacks are stored for each number.
    callbacks: BTreeMap<String, i64>,
    /// How many events of each kind each payment has, by its id.
    events: BTreeMap<String, BTreeMap<String, i64>>,
    /// How many events each payment says that it has.
    counts: BTreeMap<String, i64>,
    refunds: Refunds,
    transfers: Transfers,
    told: Told,
    faults: Vec<String>,
}

impl Books {
    async fn read(customers: &Customers, world: &World) -> Self {
        let stats = world.bank().stats();
        let orders = world.bank().orders().into_iter().map(|order| (order.number.clone(), order));
        let orders: BTreeMap<String, OrderView> = orders.collect();
        let creates = orders.keys().map(|number| (number.clone(), stats.creates(number))).collect();
        let database = world.database();
        // In this order: what is told was stored before, and what is stored later is not missed.
        let mut faults = customers.book().faults;
        let told = told(&world.merchant, &mut faults);
        Self {
            payments: payments(world).await,
            callbacks: database.pairs(CALLBACKS).await.into_iter().collect(),
            events: by_id(database.pairs(EVENTS).await),
            counts: database.pairs("SELECT id, events FROM payments").await.into_iter().collect(),
            refunds: Refunds::read(database, world.bank()).await,
            transfers: Transfers::read(world).await,
            orders,
            creates,
            told,
            faults,
        }
    }

    fn judge(self, book: &Book) -> Verdict {
        let mut faults = self.faults.clone();
        let told_of = told_of(&self.told);
        faults.extend(self.lost_acknowledgements(book));
        faults.extend(self.refunds.judge(book, &self.payments, &told_of));
        faults.extend(self.transfers.judge(book, &told_of));
        faults.extend(self.wrong_orders());
        for payment in self.payments.values() {
            faults.extend(self.wrong_payment(payment, book));
            faults.extend(self.wrong_events(payment, &told_of));
        }
        let paid = self.orders.values().filter(|order| order.received.is_some()).count();
        Verdict {
            payments: book.payments.len() as u64,
            paid: paid as u64,
            canceled: book.canceled.len() as u64,
            refunds: book.refunds.len() as u64,
            refunds_unknown: self.refunds.unknown(),
            transfers: book.transfers.len() as u64,
            paid_out: self.transfers.succeeded(),
            failed_over: self.payments.values().filter(|payment| numbers(payment).count() > 1).count() as u64,
            callbacks: self.orders.values().map(acknowledged).sum(),
            notices: self.told.len() as u64,
            repeats: self.told.values().map(|(_, times)| times - 1).sum(),
            faults,
        }
    }

    /// What was acknowledged is in the ledger, under the same number, and as it was acknowledged.
    fn lost_acknowledgements(&self, book: &Book) -> Vec<String> {
        let mut faults = Vec::new();
        for (order_no, acknowledged) in &book.payments {
            match self.payments.get(&acknowledged.id) {
                None => faults.push(format!("{order_no}: acknowledged as {} and lost", acknowledged.id)),
                Some(payment) if payment["order_no"] != order_no.as_str() => {
                    faults.push(format!("{order_no}: became {}", payment["order_no"]));
                }
                Some(payment) if !is_same_order(payment, acknowledged, book.shown.contains(order_no)) => {
                    faults.push(format!("{order_no}: its provider number changed"));
                }
                Some(_) => {}
            }
        }
        for (order_no, canceled) in &book.canceled {
            let status = self.payments.get(&canceled.id).map(|payment| &payment["status"]);
            if status.is_none_or(|status| status != "canceled") {
                faults.push(format!("{order_no}: acknowledged as canceled and is {status:?}"));
            }
        }
        let numbers: BTreeSet<_> =
            self.payments.values().map(|payment| payment["order_no"].as_str()).collect();
        if numbers.len() != self.payments.len() {
            faults.push("two payments have one order number".to_owned());
        }
        faults
    }

    /// Every order that the provider has was stored before it was sent, and sent once; every callback
    /// that it was thanked for is stored.
    fn wrong_orders(&self) -> Vec<String> {
        let attempts: BTreeSet<&str> = self.payments.values().flat_map(numbers).collect();
        let mut faults = Vec::new();
        for (number, order) in &self.orders {
            if !attempts.contains(number.as_str()) {
                faults.push(format!("the provider has order {number}, which the ledger does not know"));
            }
            if self.creates[number] != 1 {
                faults.push(format!("order {number} was sent {} times", self.creates[number]));
            }
            let (thanked, stored) = (acknowledged(order), self.callbacks.get(number).copied().unwrap_or(0));
            if i64::try_from(thanked).unwrap() > stored {
                faults.push(format!("order {number}: {thanked} callbacks acknowledged, {stored} stored"));
            }
        }
        faults
    }

    /// A payment says what the provider's books say of its one order. One that nobody was shown may be
    /// given up, whatever the provider has of it.
    fn wrong_payment(&self, payment: &Value, book: &Book) -> Vec<String> {
        let id = payment["id"].as_str().unwrap();
        let own: Vec<&OrderView> = numbers(payment).filter_map(|number| self.orders.get(number)).collect();
        let mut faults = Vec::new();
        if own.len() > 1 {
            faults.push(format!("{id} has {} orders at the provider", own.len()));
        }
        let status = payment["status"].as_str().unwrap();
        let received = payment["amount_received"].as_i64().unwrap();
        let is_shown = book.shown.contains(payment["order_no"].as_str().unwrap());
        let order = own.first().map(|order| (order.received.is_some(), order.state));
        let is_right = match (order, status) {
            (Some((true, _)), _) => status == "succeeded",
            (Some((false, OrderState::Closed)), "canceled") => true,
            (Some((false, OrderState::Closed)), _) => status == "failed" && !is_shown,
            (_, "pending" | "processing") => true,
            (_, "failed" | "canceled") => !is_shown,
            _ => false,
        };
        let states: Vec<&Value> =
            payment["attempts"].as_array().unwrap().iter().map(|attempt| &attempt["state"]).collect();
        // Its sender is gone by now, and a worker must have found that.
        let is_stuck = states.iter().any(|state| *state == "sending");
        if !is_right || is_stuck || received != if status == "succeeded" { AMOUNT } else { 0 } {
            faults.push(format!(
                "{id} is `{status}` with {received} received, {states:?}; shown: {is_shown}; at the provider: {order:?}"
            ));
        }
        faults
    }

    /// A state and its event: none without the other, in the ledger and at the merchant.
    fn wrong_events(&self, payment: &Value, told_of: &ToldOf<'_>) -> Vec<String> {
        let id = payment["id"].as_str().unwrap();
        let status = payment["status"].as_str().unwrap();
        let end = match status {
            "succeeded" | "canceled" | "failed" | "expired" => Some(format!("payment.{status}")),
            _ => None,
        };
        let want: BTreeMap<String, i64> = end.into_iter().map(|kind| (kind, 1)).collect();
        let own = self.events.get(id).cloned().unwrap_or_default();
        let (refunds, stored): (BTreeMap<String, i64>, BTreeMap<String, i64>) =
            own.into_iter().partition(|(kind, _)| kind.starts_with("refund."));
        let mut told = BTreeMap::new();
        for kind in kinds_of(told_of, id) {
            *told.entry((*kind).to_owned()).or_default() += 1;
        }
        let mut faults = Vec::new();
        for (where_to, kinds) in [("stored", &stored), ("told", &told)] {
            if *kinds != want {
                faults.push(format!("{id} is `{status}` and its events are {where_to} as {kinds:?}"));
            }
        }
        let count = self.counts.get(id).copied().unwrap_or(-1);
        if count != stored.values().chain(refunds.values()).sum::<i64>() {
            faults.push(format!("{id} counts {count} events and has {stored:?} {refunds:?}"));
        }
        faults.extend(self.refunds.wrong_events(id, &refunds));
        faults
    }
}

const CALLBACKS: &str = "SELECT a.number, CAST(sum(c.times) AS bigint) FROM callbacks c JOIN attempts a ON a.payment = c.payment GROUP BY a.number";
const WORDS: &str = "SELECT target, count(*) FROM audit WHERE action = 'transfer.resolve' GROUP BY target";
const SUCCEEDED: &str = "SELECT id, amount FROM transfers WHERE state = 'succeeded'";
const EVENTS: &str =
    "SELECT payment || ' ' || kind, count(*) FROM events WHERE payment IS NOT NULL GROUP BY payment, kind";

/// Every payment that the ledger has, by its id.
async fn payments(world: &World) -> BTreeMap<String, Value> {
    let mut payments = BTreeMap::new();
    let mut path = "/v1/payments?limit=100".to_owned();
    loop {
        let page = world.http.get(SHOP, &path).await;
        assert_eq!(page.status, 200, "{}", page.text);
        for payment in page.body["data"].as_array().unwrap() {
            let id = payment["id"].as_str().unwrap().to_owned();
            assert!(payments.insert(id, payment.clone()).is_none(), "a payment on two pages");
        }
        match page.body["next_cursor"].as_str() {
            Some(cursor) => path = format!("/v1/payments?limit=100&cursor={cursor}"),
            None => return payments,
        }
    }
}

/// A notice keeps its body however often it comes.
fn told(merchant: &Merchant, faults: &mut Vec<String>) -> Told {
    let mut told = Told::new();
    for notice in merchant.notices() {
        let (body, times) = told.entry(notice.id.clone()).or_insert_with(|| (notice.body.clone(), 0));
        *times += 1;
        if *body != notice.body {
            faults.push(format!("notice {} came with another body", notice.id));
        }
    }
    told
}

fn told_of(told: &Told) -> ToldOf<'_> {
    let mut by_id = ToldOf::new();
    for (body, _) in told.values() {
        let (id, kind) = (body["data"]["id"].as_str(), body["type"].as_str());
        by_id.entry(id.unwrap_or_default()).or_default().push(kind.unwrap_or_default());
    }
    by_id
}

/// What was told of that id.
pub(super) fn kinds_of<'a>(told_of: &'a ToldOf<'_>, id: &str) -> &'a [&'a str] {
    told_of.get(id).map_or(&[], Vec::as_slice)
}

/// `id kind` and a count, by id.
pub(super) fn by_id(pairs: Vec<(String, i64)>) -> BTreeMap<String, BTreeMap<String, i64>> {
    let mut by_id = BTreeMap::<String, BTreeMap<String, i64>>::new();
    for (key, count) in pairs {
        let (id, kind) = key.split_once(' ').unwrap();
        by_id.entry(id.to_owned()).or_default().insert(kind.to_owned(), count);
    }
    by_id
}

/// The provider numbers of a payment's attempts.
fn numbers(payment: &Value) -> impl Iterator<Item = &str> {
    payment["attempts"].as_array().unwrap().iter().filter_map(|attempt| attempt["provider_order_no"].as_str())
}

/// Whether a payment still stands for the order that was acknowledged: the one that its payer was shown, or, where
/// nothing was shown yet, one of those that it has tried.
fn is_same_order(payment: &Value, acknowledged: &Acknowledged, is_shown: bool) -> bool {
    let number = acknowledged.number.as_str();
    payment["provider_order_no"] == number || (!is_shown && numbers(payment).any(|own| own == number))
}

/// How many of an order's callbacks were acknowledged.
fn acknowledged(order: &OrderView) -> u64 {
    order.notices.iter().filter(|one| one.outcome == NoticeOutcome::Acknowledged).count() as u64
}
