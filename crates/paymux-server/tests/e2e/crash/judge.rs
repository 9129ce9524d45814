//! The judge: compares what was acknowledged, what the provider's books say, what the ledger says
//! and what the merchant was told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use paymux_sim::{Bank, OrderView};
use serde_json::Value;
use tokio::time::Instant;

use crate::merchant::Merchant;
use crate::world::{SHOP, World};

use super::customers::{AMOUNT, Customers};

/// What the merchant was told: by event, the body and how often it came.
type Told = BTreeMap<String, (Value, u64)>;

/// What a run showed.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) payments: u64,
    pub(crate) paid: u64,
    pub(crate) notices: u64,
    pub(crate) repeats: u64,
    /// Everything that must not be.
    pub(crate) faults: Vec<String>,
}

/// Waits until every paid order is a success of which the merchant was told, then judges. What has
/// not settled in time is a fault.
pub(crate) async fn settle(customers: &Customers, world: &World, span: Duration) -> Verdict {
    let until = Instant::now() + span;
    loop {
        let ledger = ledger(world).await;
        let verdict = judge(customers, world, &ledger);
        if verdict.faults.is_empty() || Instant::now() >= until {
            return verdict;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Every payment that the ledger has, by its id.
async fn ledger(world: &World) -> BTreeMap<String, Value> {
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

fn judge(customers: &Customers, world: &World, ledger: &BTreeMap<String, Value>) -> Verdict {
    let bank = world.bank();
    let orders: BTreeMap<String, OrderView> =
        bank.orders().into_iter().map(|order| (order.number.clone(), order)).collect();
    let mut verdict = Verdict {
        payments: customers.book().len() as u64,
        paid: orders.values().filter(|order| order.received.is_some()).count() as u64,
        faults: customers.faults(),
        ..Verdict::default()
    };
    let told = told(&world.merchant, &mut verdict.faults);
    verdict.notices = told.len() as u64;
    verdict.repeats = told.values().map(|(_, times)| times - 1).sum();
    verdict.faults.extend(lost_acknowledgements(customers, ledger));
    verdict.faults.extend(wrong_orders(bank, &orders, ledger));
    for payment in ledger.values() {
        verdict.faults.extend(wrong_payment(payment, &orders));
        verdict.faults.extend(wrong_notices(payment, &told));
    }
    verdict
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

/// What was acknowledged is in the ledger, under the same number.
fn lost_acknowledgements(customers: &Customers, ledger: &BTreeMap<String, Value>) -> Vec<String> {
    let mut faults = Vec::new();
    for (order_no, acknowledged) in customers.book() {
        match ledger.get(&acknowledged.id) {
            None => faults.push(format!("{order_no}: acknowledged as {} and lost", acknowledged.id)),
            Some(payment) if payment["order_no"] != order_no.as_str() => {
                faults.push(format!("{order_no}: became {}", payment["order_no"]));
            }
            Some(payment) if payment["provider_order_no"] != acknowledged.number.as_str() => {
                faults.push(format!("{order_no}: its provider number changed"));
            }
            Some(_) => {}
        }
    }
    let numbers: BTreeSet<_> = ledger.values().map(|payment| payment["order_no"].as_str()).collect();
    if numbers.len() != ledger.len() {
        faults.push("two payments have one order number".to_owned());
    }
    faults
}

/// Every order that the provider has was stored before it was sent, and sent once.
fn wrong_orders(
    bank: &Bank,
    orders: &BTreeMap<String, OrderView>,
    ledger: &BTreeMap<String, Value>,
) -> Vec<String> {
    let attempts: BTreeSet<&str> = ledger
        .values()
        .flat_map(|payment| payment["attempts"].as_array().unwrap())
        .filter_map(|attempt| attempt["provider_order_no"].as_str())
        .collect();
    let mut faults = Vec::new();
    for number in orders.keys() {
        if !attempts.contains(number.as_str()) {
            faults.push(format!("the provider has order {number}, which the ledger does not know"));
        }
        let creates = bank.stats().creates(number);
        if creates != 1 {
            faults.push(format!("order {number} was sent {creates} times"));
        }
    }
    faults
}

/// A payment says what the provider's books say of its one order.
fn wrong_payment(payment: &Value, orders: &BTreeMap<String, OrderView>) -> Vec<String> {
    let id = payment["id"].as_str().unwrap();
    let attempts = payment["attempts"].as_array().unwrap();
    let numbers = attempts.iter().filter_map(|attempt| attempt["provider_order_no"].as_str());
    let own: Vec<&OrderView> = numbers.filter_map(|number| orders.get(number)).collect();
    let paid = own.iter().any(|order| order.received.is_some());
    let mut faults = Vec::new();
    if own.len() > 1 {
        faults.push(format!("{id} has {} orders at the provider", own.len()));
    }
    let status = payment["status"].as_str().unwrap();
    let received = payment["amount_received"].as_i64().unwrap();
    let right = if paid {
        status == "succeeded" && received == AMOUNT
    } else {
        matches!(status, "pending" | "processing") && received == 0
    };
    if !right {
        faults.push(format!("{id} is `{status}` with {received} received; paid at the provider: {paid}"));
    }
    faults
}

/// A success was told, as one event.
fn wrong_notices(payment: &Value, told: &Told) -> Option<String> {
    let of_payment = |(body, _): &&(Value, u64)| body["data"]["id"] == payment["id"];
    let kinds: Vec<&str> =
        told.values().filter(of_payment).filter_map(|(body, _)| body["type"].as_str()).collect();
    let want: &[&str] = if payment["status"] == "succeeded" { &["payment.succeeded"] } else { &[] };
    (kinds != want).then(|| format!("{} is `{}` and was told as {kinds:?}", payment["id"], payment["status"]))
}
