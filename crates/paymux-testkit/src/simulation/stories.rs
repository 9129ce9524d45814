//! What merchants do in a run: purchases from their create to their refunds, and payouts.

use std::sync::Arc;

use serde_json::{Value, json};

use super::accounts::{ACCOUNTS, Form};
use super::faults::Fault;
use super::front::Ask;
use super::merchant::{Merchant, ask_once, insist};
use super::payer;
use super::world::World;

/// When a merchant looks at a payment, in milliseconds after its create.
const LOOKS_MS: [i64; 8] = [1_000, 4_000, 15_000, 60_000, 180_000, 600_000, 1_200_000, 1_900_000];

const DAY_MS: i64 = 86_400_000;

/// One purchase.
#[derive(Debug, Clone)]
struct Purchase {
    order_no: String,
    amount: i64,
    form: Form,
    expires_in_s: i64,
    pin: Option<&'static str>,
    key: Option<String>,
}

/// Lets all merchants begin.
pub(super) fn begin(world: &Arc<World>) {
    let spread = world.dice.one_of(&[5_000, 60_000, 600_000]);
    for (place, merchant) in world.merchants.iter().enumerate() {
        if world.faults.strikes(Fault::EndpointDown) {
            merchant.go_down(world.dice.between(DAY_MS, 4 * DAY_MS));
        }
        let most = if place == 0 { 6 } else { 3 };
        for number in 0..world.dice.between(1, most) {
            let purchase = purchase(world, number);
            let (world, merchant) = (world.clone(), merchant.clone());
            world.clone().spawn(async move {
                world.nap(0, spread).await;
                buy(&world, &merchant, &purchase).await;
            });
        }
        for number in 0..3 {
            if world.faults.strikes(Fault::Transfers) {
                pay_out(world, merchant, number, spread);
            }
        }
    }
}

fn purchase(world: &World, number: i64) -> Purchase {
    let form = if world.dice.chance(300_000) { Form::Barcode } else { Form::Qr };
    let of_form: Vec<&'static str> = ACCOUNTS.iter().filter(|a| a.form == form).map(|a| a.id).collect();
    Purchase {
        order_no: format!("A{number}"),
        amount: world.dice.between(1, 20_000),
        form,
        expires_in_s: world.dice.one_of(&[65, 180, 600, 1_800]),
        pin: world.dice.chance(100_000).then(|| world.dice.one_of(&of_form)),
        key: world.dice.chance(300_000).then(|| format!("key of A{number}")),
    }
}

impl Purchase {
    fn body(&self, merchant: &Merchant, amount: i64) -> String {
        let mut body = json!({
            "order_no": self.order_no,
            "amount": amount,
            "currency": "CNY",
            "method": if self.form == Form::Qr { "wechat.native" } else { "wechat.barcode" },
            "subject": format!("{}/{}", merchant.app, self.order_no),
            "expires_in": self.expires_in_s,
        });
        if self.form == Form::Barcode {
            body["payer"] = json!({"auth_code": "134567890123456789"});
        }
        if let Some(pin) = self.pin {
            body["channel"] = pin.into();
        }
        body.to_string()
    }
}

async fn buy(world: &Arc<World>, merchant: &Arc<Merchant>, purchase: &Purchase) {
    let create = |amount: i64| {
        let body = purchase.body(merchant, amount);
        match &purchase.key {
            Some(key) => Ask::CreateUnder(key.clone(), body),
            None => Ask::Create(body),
        }
    };
    let (ask, other) = (create(purchase.amount), create(purchase.amount + 1));
    if world.faults.strikes(Fault::ClientsAtOnce) {
        for _ in 0..world.dice.between(1, 3) {
            let (world, merchant, ask) = (world.clone(), merchant.clone(), ask.clone());
            world.clone().spawn(async move {
                insist(&world, &merchant, &ask, None).await;
            });
        }
    }
    let Some(view) = insist(world, merchant, &ask, Some(&other)).await else { return };
    let Some(id) = view["id"].as_str().map(str::to_owned) else { return };
    payer::look_at(world, &view);
    disturb(world, merchant, &id);
    let end = follow(world, merchant, &id).await;
    if end.is_some_and(|view| view["status"] == "succeeded") {
        give_back(world, merchant, &id, purchase.amount).await;
    }
}

/// Looks at a payment now and then until it has ended; the last view.
async fn follow(world: &Arc<World>, merchant: &Arc<Merchant>, id: &str) -> Option<Value> {
    let mut last = None;
    let mut at = 0;
    for look in LOOKS_MS {
        world.nap(look - at, look - at + 500).await;
        at = look;
        let Some(answer) = ask_once(world, merchant, Ask::Find(id.to_owned())).await else { continue };
        let view: Value = serde_json::from_str(&answer.text).unwrap_or_default();
        payer::look_at(world, &view);
        let is_over =
            matches!(view["status"].as_str(), Some("succeeded" | "failed" | "canceled" | "expired"));
        last = Some(view);
        if is_over {
            break;
        }
    }
    last
}

/// Cancels and syncs, at moments that nobody chose well.
fn disturb(world: &Arc<World>, merchant: &Arc<Merchant>, id: &str) {
    let moments = [10, 3_000, 30_000, 240_000, 1_500_000];
    let later = |ask: Ask| {
        let most = world.dice.one_of(&moments);
        let (world, merchant) = (world.clone(), merchant.clone());
        world.clone().spawn(async move {
            world.nap(0, most).await;
            ask_once(&world, &merchant, ask).await;
        });
    };
    for _ in 0..2 {
        if world.faults.strikes(Fault::Cancels) {
            later(Ask::Cancel(id.to_owned()));
        }
        if world.faults.strikes(Fault::Syncs) {
            later(Ask::Sync(id.to_owned()));
        }
    }
}

/// Gives money back: some of it, all of it, or more than there is.
async fn give_back(world: &Arc<World>, merchant: &Arc<Merchant>, id: &str, amount: i64) {
    if !world.faults.strikes(Fault::Refunds) {
        return;
    }
    let at_once = world.faults.strikes(Fault::RefundsAtOnce);
    for number in 0..world.dice.between(1, 4) {
        let part = world.dice.one_of(&[amount, amount / 2 + 1, amount / 3 + 1, amount + 1]);
        let story = refund(world.clone(), merchant.clone(), id.to_owned(), number, part);
        if at_once {
            world.spawn(story);
        } else {
            story.await;
        }
    }
}

async fn refund(world: Arc<World>, merchant: Arc<Merchant>, id: String, number: i64, amount: i64) {
    let refund_no = format!("{}-{number}", &id[id.len().saturating_sub(12)..]);
    let body = |amount: i64| json!({"refund_no": refund_no, "amount": amount}).to_string();
    let ask = Ask::Refund(id.clone(), body(amount));
    let other = Ask::Refund(id.clone(), body(amount + 7));
    let Some(view) = insist(&world, &merchant, &ask, Some(&other)).await else { return };
    let refund = view["id"].as_str().unwrap_or_default().to_owned();
    world.nap(1_000, 600_000).await;
    if world.faults.strikes(Fault::Syncs) {
        ask_once(&world, &merchant, Ask::SyncRefund(refund.clone())).await;
    }
    ask_once(&world, &merchant, Ask::FindRefund(refund)).await;
}

fn pay_out(world: &Arc<World>, merchant: &Arc<Merchant>, number: i64, spread: i64) {
    let payers: Vec<&'static str> = ACCOUNTS.iter().filter(|a| a.payout.is_some()).map(|a| a.id).collect();
    let body = |amount: i64, channel: &str| {
        json!({
            "transfer_no": format!("T{number}"),
            "amount": amount,
            "currency": "CNY",
            "product": "card",
            "payee": {"card_no": "6222000011112222"},
            "channel": channel,
        })
    };
    let (amount, channel) = (world.dice.between(1, 9_000), world.dice.one_of(&payers));
    let ask = Ask::Transfer(body(amount, channel).to_string());
    let other = Ask::Transfer(body(amount + 1, channel).to_string());
    let (world, merchant) = (world.clone(), merchant.clone());
    world.clone().spawn(async move {
        world.nap(0, spread).await;
        if world.faults.strikes(Fault::ClientsAtOnce) {
            let (world, merchant, ask) = (world.clone(), merchant.clone(), ask.clone());
            world.clone().spawn(async move {
                insist(&world, &merchant, &ask, None).await;
            });
        }
        let Some(view) = insist(&world, &merchant, &ask, Some(&other)).await else { return };
        let id = view["id"].as_str().unwrap_or_default().to_owned();
        world.nap(1_000, 900_000).await;
        if world.faults.strikes(Fault::Syncs) {
            ask_once(&world, &merchant, Ask::SyncTransfer(id.clone())).await;
        }
        ask_once(&world, &merchant, Ask::FindTransfer(id)).await;
    });
}
