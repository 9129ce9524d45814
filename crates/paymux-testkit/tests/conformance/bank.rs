//! The far side of the toy: a bank that reads and signs by itself, and its callbacks.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use paymux_core::acceptor::FrontOrder;
use paymux_core::channel::Blame;
use paymux_core::{Currency, Money, Timestamp, Verb, WireRequest, WireResponse};
use paymux_sign::Md5Text;
use paymux_testkit::conformance::{Gateway, Key, RefusedCreate, SeenOrder, SeenOutflow};
use serde_json::{Value, json};

pub(crate) const ACCOUNT: &str = "shop-1";
pub(crate) const KEY: &str = "toy-key-current-1";
pub(crate) const KEY_PREVIOUS: &str = "toy-key-previous-0";
pub(crate) const KEY_OF_ANOTHER: &str = "toy-key-of-another-shop";
/// The header with the sign of a callback.
pub(crate) const SIGN: &str = "toy-sign";
/// A header that no sign covers.
pub(crate) const NOTE: &str = "toy-note";

pub(crate) fn md5(text: &str) -> String {
    Md5Text::new().piece(text).digest().to_hex().as_str().to_owned()
}

/// The sign of a call: some of its fields, a line each, and the key.
pub(crate) fn call_sign(call: &Value, key: &str) -> String {
    let text = |name: &str| call[name].as_str().map_or_else(|| call[name].to_string(), str::to_owned);
    let fields = ["account", "op", "number", "amount", "time"].map(text);
    md5(&format!("{}\n{key}", fields.join("\n")))
}

/// The sign of a callback: its whole body, and the key.
pub(crate) fn callback_sign(body: &str, key: &str) -> String {
    md5(&format!("callback\n{body}\n{key}"))
}

/// The bank's callback of an order's money.
pub(crate) fn callback(key: Key, order: &FrontOrder, now: Timestamp) -> WireRequest {
    let (account, key) = match key {
        Key::Current => (ACCOUNT, KEY),
        Key::Previous => (ACCOUNT, KEY_PREVIOUS),
        Key::Stranger => ("shop-2", KEY_OF_ANOTHER),
    };
    let received = order.received.unwrap_or(order.amount);
    let body = format!(
        r#"{{"account":"{account}","number":"{}","asked":{},"amount":{},"currency":"{}","time":{}}}"#,
        order.number,
        order.amount.minor(),
        received.minor(),
        received.currency(),
        now.ms()
    );
    let sign = callback_sign(&body, key);
    WireRequest::new(Verb::Post, "/notify")
        .header(SIGN, sign)
        .header(NOTE, order.number.clone())
        .body("application/json", body)
}

/// Books of orders and refunds.
#[derive(Default)]
pub(crate) struct Bank(Mutex<Books>);

#[derive(Default)]
struct Books {
    orders: BTreeMap<String, Order>,
    refunds: BTreeMap<String, SeenOutflow>,
}

struct Order {
    seen: SeenOrder,
    made_at: Timestamp,
    received: Option<Money>,
    is_closed: bool,
}

impl Order {
    fn told(&self, number: &str) -> Value {
        let state = match (self.received, self.is_closed) {
            (Some(_), _) => "paid",
            (None, true) => "closed",
            (None, false) => "open",
        };
        json!({"number": number, "state": state, "amount": self.seen.amount.minor(),
            "received": self.received.map(Money::minor), "made_at": self.made_at.ms()})
    }
}

fn answer(code: &str, fields: Value) -> WireResponse {
    let mut body = json!({"code": code});
    if let (Some(body), Value::Object(fields)) = (body.as_object_mut(), fields) {
        body.extend(fields);
    }
    WireResponse::ok("application/json", body.to_string())
}

impl Bank {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Books {
    fn create(&mut self, number: &str, call: &Value, now: Timestamp) -> WireResponse {
        if let Some(known) = self.orders.get_mut(number) {
            known.seen.asked += 1;
            return answer("number_taken", json!({}));
        }
        let currency = call["currency"].as_str().and_then(Currency::from_code).unwrap_or(Currency::CNY);
        let amount = Money::new(call["amount"].as_i64().unwrap_or_default(), currency);
        let life = call["life"].as_u64().map(Duration::from_secs);
        let seen = SeenOrder { amount, life, asked: 1 };
        let order = Order { seen, made_at: now, received: None, is_closed: false };
        self.orders.insert(number.to_owned(), order);
        answer("ok", json!({"number": number, "url": "https://bank.example/pay"}))
    }

    fn cancel(&mut self, number: &str) -> WireResponse {
        let Some(order) = self.orders.get_mut(number) else { return answer("absent", json!({})) };
        order.is_closed |= order.received.is_none();
        answer("ok", order.told(number))
    }

    fn refund(&mut self, number: &str, call: &Value) -> WireResponse {
        if let Some(known) = self.refunds.get_mut(number) {
            known.asked += 1;
            return answer("number_taken", json!({}));
        }
        let order = call["order"].as_str().and_then(|order| self.orders.get(order));
        let Some(received) = order.and_then(|order| order.received) else {
            return answer("not_paid", json!({}));
        };
        let amount = Money::new(call["amount"].as_i64().unwrap_or_default(), received.currency());
        self.refunds.insert(number.to_owned(), SeenOutflow { amount, asked: 1 });
        answer("ok", json!({"number": number}))
    }

    fn list(&self, call: &Value) -> WireResponse {
        let (from, to) = (call["from"].as_i64().unwrap_or(0), call["to"].as_i64().unwrap_or(0));
        let rows = self.orders.iter().filter(|(_, order)| (from..to).contains(&order.made_at.ms()));
        let rows: Vec<Value> = rows.map(|(number, order)| order.told(number)).collect();
        answer("ok", json!({"rows": rows}))
    }
}

impl Gateway for Bank {
    fn answer(&self, request: &WireRequest, now: Timestamp) -> WireResponse {
        let call: Value = serde_json::from_slice(&request.body).unwrap();
        let is_own = call["account"] == ACCOUNT && request.path == "/toy/call";
        if !is_own || call["sign"].as_str() != Some(call_sign(&call, KEY).as_str()) {
            return answer("bad_sign", json!({}));
        }
        let number = call["number"].as_str().unwrap_or_default();
        let mut books = self.books();
        match call["op"].as_str().unwrap_or_default() {
            "create" => books.create(number, &call, now),
            "query" => match books.orders.get(number) {
                Some(order) => answer("ok", order.told(number)),
                None => answer("absent", json!({})),
            },
            "cancel" => books.cancel(number),
            "refund" => books.refund(number, &call),
            "query_refund" if books.refunds.contains_key(number) => answer("ok", json!({"number": number})),
            "query_refund" => answer("absent", json!({})),
            "list" => books.list(&call),
            _ => answer("no_such_call", json!({})),
        }
    }

    fn pay(&self, number: &str, _now: Timestamp) -> Result<(), String> {
        let mut books = self.books();
        let order = books.orders.get_mut(number).ok_or("there is no such order")?;
        if order.is_closed {
            return Err("the order is closed".to_owned());
        }
        order.received = Some(order.seen.amount);
        Ok(())
    }

    fn order(&self, number: &str) -> Option<SeenOrder> {
        self.books().orders.get(number).map(|order| order.seen)
    }

    fn refund(&self, number: &str) -> Option<SeenOutflow> {
        self.books().refunds.get(number).copied()
    }

    fn refusals(&self) -> Vec<RefusedCreate> {
        vec![
            RefusedCreate {
                code: "account_blocked",
                answer: answer("account_blocked", json!({})),
                blame: Blame::Account,
            },
            RefusedCreate {
                code: "bad_field",
                answer: answer("bad_field", json!({})),
                blame: Blame::Request,
            },
        ]
    }

    fn unlisted(&self) -> WireResponse {
        answer("a_new_code", json!({}))
    }
}
