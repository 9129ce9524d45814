//! The judge: it watches banks' books and what merchants see, and says when a promise is broken. It reads
//! JSON texts with its own code and knows no type of paymux.

mod end;
mod entries;
mod limits;
mod looks;
mod seal;
mod sums;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::Value;

use super::bank::{Bank, Order};
use super::front::Ask;
use super::merchant::Merchant;
use super::payer::shown;
use super::world::World;

pub(super) use end::{Hour, check_end};

/// How many violations of one run are written down.
const VIOLATIONS_MAX: usize = 20;

/// Who watches.
#[derive(Debug, Default)]
pub(super) struct Judge(Mutex<Notes>);

/// What the judge has written down.
#[derive(Debug, Default)]
struct Notes {
    violations: Vec<String>,
    /// What merchants were promised, by kind, app and their number.
    promised: BTreeMap<(Kind, String, String), Promise>,
    /// What merchants were told, by event id.
    told: BTreeMap<String, Told>,
    /// Purchases that were exposed twice: said once.
    exposed_twice: BTreeSet<String>,
    /// Payments whose short money a person accepted.
    accepted: BTreeSet<String>,
    looks: looks::Looks,
}

/// What merchants ask for under a number of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Payment,
    Refund,
    Transfer,
}

impl Kind {
    fn number_field(self) -> &'static str {
        match self {
            Self::Payment => "order_no",
            Self::Refund => "refund_no",
            Self::Transfer => "transfer_no",
        }
    }
}

/// Something that was acknowledged.
#[derive(Debug, Clone)]
struct Promise {
    id: String,
    amount: i64,
    /// How often it was said to be new.
    news: u32,
}

/// A notice that arrived.
#[derive(Debug, Clone)]
struct Told {
    app: String,
    body: String,
    times: u32,
}

impl Judge {
    fn notes(&self) -> MutexGuard<'_, Notes> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A promise is broken.
    pub(super) fn object(&self, world: &World, what: String) {
        world.trace.line(world.ms(), || format!("VIOLATION {what}"));
        let mut notes = self.notes();
        if notes.violations.len() < VIOLATIONS_MAX {
            notes.violations.push(what);
        }
    }

    /// Everything that was broken.
    pub(super) fn violations(&self) -> Vec<String> {
        self.notes().violations.clone()
    }

    /// A create leaves its node, of an attempt in the first state and a payment in the second: nobody has given
    /// its sender up, unless by a clock that is wrong. Money that a sibling took meanwhile stops no sender.
    pub(super) fn create_leaves(&self, world: &World, number: &str, state: Option<(&str, &str)>) {
        let may_leave = matches!(state, Some(("sending", _) | ("lapsed", "succeeded")));
        if !may_leave && !world.a_clock_was_wrong() {
            self.object(world, format!("J12: the create of {number} leaves, and its attempt is {state:?}"));
        }
    }

    /// A person took less for enough.
    pub(super) fn note_accepted(&self, payment: &str) {
        self.notes().accepted.insert(payment.to_owned());
    }

    /// A merchant has an answer.
    pub(super) fn answered(
        &self,
        world: &Arc<World>,
        merchant: &Merchant,
        ask: &Ask,
        status: u16,
        text: &str,
    ) {
        let view: Value = serde_json::from_str(text).unwrap_or_default();
        let asked = match ask {
            Ask::Create(body) | Ask::CreateUnder(_, body) => Some((Kind::Payment, body)),
            Ask::Refund(_, body) => Some((Kind::Refund, body)),
            Ask::Transfer(body) => Some((Kind::Transfer, body)),
            _ => None,
        };
        if let Some((kind, body)) = asked {
            let body: Value = serde_json::from_str(body).unwrap_or_default();
            self.weigh(world, merchant, kind, &body, status, &view);
        }
        Self::count_refusal(world, &view);
        Self::count_effect(world, ask, status);
        if status == 500 {
            self.object(world, format!("J2: a broken invariant was answered: {text}"));
        }
        if matches!(status, 200 | 201) && view["object"] == "payment" {
            self.saw_payment(world, &view);
        }
    }

    /// Counts the refusals that matter to money.
    fn count_refusal(world: &World, view: &Value) {
        if let Some(
            code @ ("refund_too_large"
            | "not_refundable"
            | "transfer_too_large"
            | "already_paid"
            | "idempotency_mismatch"),
        ) = view["code"].as_str()
        {
            world.count(&format!("refused: {code}"));
        }
        if view["is_full"] == true {
            world.count("refused: no_channel, a limit leaves no room");
        }
    }

    /// Counts what was done in ways that are seldom asked for.
    fn count_effect(world: &World, ask: &Ask, status: u16) {
        let what = match (ask, status) {
            (Ask::CreateUnder(..), 200 | 201) => "state: create under a key",
            (Ask::SyncRefund(_), 200) => "state: provider asked about a refund",
            (Ask::SyncTransfer(_), 200) => "state: provider asked about a payout",
            _ => return,
        };
        world.count(what);
    }

    /// J7: one number is one thing; a repeat sees the same, and another body is refused.
    fn weigh(&self, world: &World, merchant: &Merchant, kind: Kind, body: &Value, status: u16, view: &Value) {
        let number = body[kind.number_field()].as_str().unwrap_or_default().to_owned();
        let amount = body["amount"].as_i64().unwrap_or(0);
        let key = (kind, merchant.app.to_string(), number.clone());
        let known = self.notes().promised.get(&key).cloned();
        match (status, known) {
            (200 | 201, known) => {
                let id = view["id"].as_str().unwrap_or_default().to_owned();
                if view["amount"].as_i64() != Some(amount) {
                    self.object(world, format!("J7: {number} for {amount} was answered with {view}"));
                }
                if known.as_ref().is_some_and(|known| known.id != id) {
                    self.object(world, format!("J7: {number} is {id} and was {known:?}"));
                }
                let news = known.map_or(0, |known| known.news) + u32::from(status == 201);
                if news > 1 {
                    self.object(world, format!("J7: {number} was new twice"));
                }
                self.notes().promised.insert(key, Promise { id, amount, news });
            }
            (422, Some(known)) if view["code"].as_str().is_some_and(|code| code.ends_with("_mismatch")) => {
                if known.amount == amount {
                    self.object(world, format!("J7: an equal repeat of {number} was refused: {view}"));
                } else {
                    world.count("state: repeat with another body refused");
                }
            }
            _ => {}
        }
    }

    /// J1, J9: what a merchant sees of a payment is true at the banks.
    fn saw_payment(&self, world: &World, view: &Value) {
        if let Some((bank, number)) = shown(world, view)
            && bank.note_seen(&number, world.ms())
        {
            self.check_exposure(world, &bank, &number);
        }
        if view["status"] == "succeeded" {
            self.check_success(world, view);
        }
    }

    /// J9: who is told of money has it.
    fn check_success(&self, world: &World, view: &Value) {
        let id = view["id"].as_str().unwrap_or_default();
        let received = view["amount_received"].as_i64().unwrap_or(0);
        let asked = view["amount"].as_i64().unwrap_or(0);
        let discount = view["amount_discount"].as_i64().unwrap_or(0);
        let place = (view["channel"].as_str(), view["provider_order_no"].as_str());
        let taken = match place {
            // What a close has sent back since is known later: how that ends is looked at in the end.
            (Some(channel), Some(number)) => came_at(world, channel, number),
            _ => 0,
        };
        if received <= 0 || received > taken {
            self.object(world, format!("J9: {id} succeeded with {received}, and the bank has {taken}"));
        }
        if received + discount < asked && !self.notes().accepted.contains(id) {
            self.object(world, format!("J9: {id} succeeded with {received} of {asked}, and nobody said so"));
        }
    }

    /// J1: no two orders of one purchase can take money at once.
    pub(super) fn check_exposure(&self, world: &World, bank: &Bank, number: &str) {
        let subject = bank.books().orders.get(number).map(|order| order.subject.clone());
        let Some(subject) = subject else { return };
        let now = world.ms();
        let mut exposed = Vec::new();
        for bank in &world.banks {
            let books = bank.books();
            let of_subject = |order: &&Order| order.subject == subject && order.is_exposed(bank.account, now);
            let numbers = books.orders.iter().filter(|(_, order)| of_subject(order));
            exposed.extend(numbers.map(|(number, _)| format!("{} {number}", bank.account.id)));
        }
        if exposed.len() > 1 && self.notes().exposed_twice.insert(subject.clone()) {
            self.object(world, format!("J1: {subject} can take money on {}", exposed.join(" and on ")));
        }
    }

    /// A notice arrived: J5 and J9.
    pub(super) fn told(&self, world: &World, merchant: &Merchant, seal: [&str; 3], body: &str) {
        let [id, at, signature] = seal;
        if !seal::is_valid(&merchant.key, id, at, body, signature) {
            self.object(world, format!("J5: the notice {id} is not signed by {}'s secret", merchant.app));
        }
        if !self.note_told(merchant, id, body) {
            self.object(world, format!("J5: the notice {id} changed between two deliveries"));
        }
        let notice: Value = serde_json::from_str(body).unwrap_or_default();
        let data = &notice["data"];
        if data["object"] == "payment" {
            self.saw_payment(world, data);
        }
        let kind = notice["type"].as_str().unwrap_or_default();
        let number = |field: &str| data[field].as_str().unwrap_or_default().to_owned();
        let left = match kind {
            "refund.succeeded" => left_at(world, data, &number("provider_refund_no")),
            "transfer.succeeded" => left_at(world, data, &number("provider_transfer_no")),
            _ => return,
        };
        let is_done = if data["origin"] == "reversal" { was_reversed(world, data) } else { left > 0 };
        if !is_done {
            self.object(world, format!("J5: {kind} was told, and the bank has not done it: {data}"));
        }
    }

    /// False when the same id came with another body before.
    fn note_told(&self, merchant: &Merchant, id: &str, body: &str) -> bool {
        let app = merchant.app.to_string();
        let mut notes = self.notes();
        let told = notes.told.entry(id.to_owned());
        let told = told.or_insert_with(|| Told { app: app.clone(), body: body.to_owned(), times: 0 });
        told.times += 1;
        told.body == body && told.app == app
    }
}

/// What came in at the bank on that order.
fn came_at(world: &World, channel: &str, number: &str) -> i64 {
    let came = |order: &Order| order.taken() + order.reversed();
    let bank = world.bank(channel);
    bank.and_then(|bank| bank.books().orders.get(number).map(came)).unwrap_or(0)
}

/// Whether a close at the bank sent so much back that a refund by a person's word can tell of it.
fn was_reversed(world: &World, data: &Value) -> bool {
    let amount = data["amount"].as_i64().unwrap_or(i64::MAX);
    let bank = data["channel"].as_str().and_then(|channel| world.bank(channel));
    bank.is_some_and(|bank| bank.books().orders.values().any(|order| order.reversed() >= amount))
}

/// How often the bank let money of that number go.
fn left_at(world: &World, data: &Value, number: &str) -> usize {
    let bank = data["channel"].as_str().and_then(|channel| world.bank(channel));
    bank.map_or(0, |bank| {
        let books = bank.books();
        let outgo = books.backs.get(number).or_else(|| books.payouts.get(number));
        outgo.map_or(0, |outgo| outgo.left_at.len())
    })
}
