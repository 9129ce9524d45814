//! A protocol of a few words: JSON in, a line of text out.

use std::collections::BTreeMap;
use std::time::Duration;

use paymux_core::acceptor::{
    Acceptor, FrontAccount, FrontAccounts, FrontAnswer, FrontApproval, FrontApproving, FrontCall, FrontFact,
    FrontFilter, FrontOrder, FrontPay, FrontPayOut, FrontPayee, FrontPayoutFilter, FrontRead, FrontRefund,
    FrontRefundFilter, FrontRoute, FrontSign, FrontStanding,
};
use paymux_core::fronts::{Front, Service};
use paymux_core::payments::Approval;
use paymux_core::provider::{SettingError, SettingKey, Settings};
use paymux_core::{AppId, Catalog, Money, NextAction, Secret, Timestamp, Verb, WireRequest, WireResponse};
use serde_json::{Value, json};

use crate::world::World;

pub(super) const SLUG: &str = "scripted";
/// After the first try; ours goes on.
pub(super) const REPEATS: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(6)];

const SETTINGS: &[SettingKey] = &[SettingKey::new("name", "what the client calls itself").required()];

/// The protocol. `pages`: its clients pay on pages of the host's.
pub(super) struct Spoken {
    pub(super) pages: bool,
}

impl Acceptor for Spoken {
    fn slug(&self) -> &'static str {
        SLUG
    }

    fn settings(&self) -> &'static [SettingKey] {
        SETTINGS
    }

    fn check_settings(&self, _settings: &Settings) -> Vec<SettingError> {
        Vec::new()
    }

    fn routes(&self) -> &'static [FrontRoute] {
        &[]
    }

    fn trees(&self) -> &'static [&'static str] {
        &["/spoken/"]
    }

    fn read(
        &self,
        accounts: &dyn FrontAccounts,
        request: &WireRequest,
        _now: Timestamp,
    ) -> Result<FrontRead, WireResponse> {
        let fields: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let name = fields["name"].as_str().unwrap_or_default();
        let account = accounts.find("name", name).ok_or_else(|| words("nobody"))?;
        let operation = request.path.trim_start_matches("/spoken/");
        let call = call(operation, &fields).ok_or_else(|| self.not_found(request))?;
        Ok(FrontRead { account, call, memo: format!("{operation} {}", text(&fields, "code")) })
    }

    fn answer(&self, _read: &FrontRead, answer: &FrontAnswer, _now: Timestamp) -> WireResponse {
        words(&match answer {
            FrontAnswer::Opened { action, .. } => format!("open {}", shown(action.as_ref())),
            FrontAnswer::Paid { .. } => "paid".to_owned(),
            FrontAnswer::Order(None) | FrontAnswer::Refund(None) => "none".to_owned(),
            FrontAnswer::Order(Some(order)) => self::order(order),
            FrontAnswer::Orders(orders) => numbers(orders.iter().map(|order| order.number.as_str())),
            FrontAnswer::Refunds(refunds) => numbers(refunds.iter().map(|refund| refund.number.as_str())),
            FrontAnswer::Count(count) => count.to_string(),
            FrontAnswer::Canceled(is_closed) => format!("canceled {is_closed}"),
            FrontAnswer::Refund(Some(refund)) => format!("{:?} {}", refund.state, self::order(&refund.order)),
            FrontAnswer::Approved(each) => {
                format!("{:?}", each.iter().map(|one| &one.outcome).collect::<Vec<_>>())
            }
            FrontAnswer::Payouts(payouts) => {
                let told: Vec<_> =
                    payouts.iter().map(|one| format!("{} {:?}", one.number, one.standing)).collect();
                told.join(", ")
            }
            FrontAnswer::PartlyPaidOut(not_taken) => format!("not taken {not_taken:?}"),
            FrontAnswer::Native(told) => format!("native {}", Value::Object(told.clone())),
            FrontAnswer::InDoubt => "in doubt".to_owned(),
            FrontAnswer::Refused(refusal) => format!("{refusal:?}"),
        })
    }

    fn not_found(&self, _request: &WireRequest) -> WireResponse {
        words("no such call")
    }

    fn sign(&self, _read: &FrontRead, request: &WireRequest) -> Option<FrontSign> {
        let fields: Value = serde_json::from_slice(&request.body).ok()?;
        let until = fields["until"].as_i64().map(Timestamp::from_ms);
        Some(FrontSign { key: fields["sign"].as_str()?.to_owned(), call: request.body.to_vec(), until })
    }

    fn wants_page(&self) -> bool {
        self.pages
    }

    fn has_code(&self, memo: &str, code: &str) -> bool {
        memo.ends_with(code)
    }

    fn notice(&self, account: &FrontAccount, fact: &FrontFact, now: Timestamp) -> WireRequest {
        let told = match fact {
            FrontFact::Paid(order) => format!("paid {}", order.number),
            FrontFact::Refunded(refund) => format!("refunded {}", refund.number),
            FrontFact::PaidOut(payout) => format!("paid out {}", payout.number),
        };
        let body = format!("{told} to {} at {}", account.key, now.ms());
        WireRequest::new(Verb::Post, "/").query("sign=1").body("text/plain", body)
    }

    fn return_query(&self, _account: &FrontAccount, order: &FrontOrder) -> Option<String> {
        Some(format!("of={}", order.number))
    }

    fn acknowledged(&self, response: &WireResponse) -> bool {
        response.body.as_ref() == b"heard"
    }

    fn schedule(&self) -> &'static [Duration] {
        &REPEATS
    }
}

fn call(operation: &str, fields: &Value) -> Option<FrontCall> {
    let number = || text(fields, "number");
    let maybe = |name: &str| fields[name].as_str().map(str::to_owned);
    let at = |name: &str| fields[name].as_i64().map(Timestamp::from_ms);
    let bound = |name: &str, absent: u32| {
        fields[name].as_u64().and_then(|number| u32::try_from(number).ok()).unwrap_or(absent)
    };
    let amount = Money::fen(fields["amount"].as_i64().unwrap_or(1999));
    let orders = || FrontFilter {
        number: maybe("number"),
        id: maybe("id"),
        paid: fields["paid"].as_bool(),
        refunded: fields["refunded"].as_bool(),
        code: maybe("code"),
        from: at("from"),
        to: at("to"),
        skip: bound("skip", 0),
        limit: bound("limit", 100),
    };
    let refunds = || FrontRefundFilter {
        number: maybe("number"),
        order: maybe("order"),
        limit: bound("limit", 100),
        skip: bound("skip", 0),
        from: at("from"),
        to: at("to"),
        ..FrontRefundFilter::default()
    };
    let payouts = || FrontPayoutFilter {
        number: maybe("number"),
        standing: fields["standing"].as_str().map(standing),
        from: at("from"),
        to: at("to"),
        skip: bound("skip", 0),
        limit: bound("limit", 100),
    };
    Some(match operation {
        "pay" => FrontCall::Pay(Box::new(FrontPay {
            number: number(),
            amount,
            method: "wechat.native".parse().ok()?,
            subject: "Tea".to_owned(),
            expires_in: None,
            return_url: Some("https://shop.example/back".to_owned()),
            notify_url: maybe("notify_url"),
            payer_ip: None,
            payer_id: None,
            openid: None,
            auth_code: None,
            echo: fields["echo"].clone(),
            extra: BTreeMap::from([
                ("bank_name".to_owned(), json!("BOC")),
                ("only_theirs".to_owned(), json!(7)),
            ]),
        })),
        "query" => FrontCall::Query { number: number() },
        "cancel" => FrontCall::Cancel { number: number() },
        "list" => FrontCall::List(orders()),
        "count" => FrontCall::Count(orders()),
        "refund" => FrontCall::Refund(Box::new(FrontRefund {
            number: number(),
            order: text(fields, "order"),
            amount,
            reason: "too\nsweet".to_owned(),
            notify_url: maybe("notify_url"),
            approval: if fields["approval"] == true {
                FrontApproval::Needed
            } else {
                FrontApproval::NotNeeded
            },
            echo: fields["echo"].clone(),
        })),
        "query_refund" => FrontCall::QueryRefund { number: number() },
        "list_refunds" => FrontCall::ListRefunds(refunds()),
        "count_refunds" => FrontCall::CountRefunds(refunds()),
        "approve" => FrontCall::Approve(Box::new(FrontApproving {
            refunds: fields["ids"].as_array()?.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            approval: match fields["deny"].as_str() {
                Some(why) => Approval::Denied(why.to_owned()),
                None => Approval::Agreed,
            },
        })),
        "pay_out" => FrontCall::PayOut(Box::new(FrontPayOut {
            channel: maybe("channel").unwrap_or_else(|| "a".to_owned()),
            items: text(fields, "numbers").split(' ').map(|number| payee(number, amount)).collect(),
            notify_url: maybe("notify_url"),
            echo: fields["echo"].clone(),
        })),
        "list_payouts" => FrontCall::ListPayouts(payouts()),
        "count_payouts" => FrontCall::CountPayouts(payouts()),
        "native" => FrontCall::Native {
            channel: maybe("channel"),
            operation: "anything",
            fields: json!({"n": fields["n"]}),
        },
        _ => return None,
    })
}

fn standing(word: &str) -> FrontStanding {
    match word {
        "done" => FrontStanding::Done,
        "failed" => FrontStanding::Failed,
        _ => FrontStanding::UnderWay,
    }
}

/// One who receives money, with a field that no channel takes.
fn payee(number: &str, amount: Money) -> FrontPayee {
    FrontPayee {
        number: number.to_owned(),
        amount,
        product: "bank_card",
        payee: BTreeMap::from([
            ("card_no".to_owned(), Secret::new("6222020200112233")),
            ("name".to_owned(), Secret::new("Wang Wu")),
        ]),
        reason: "wages".to_owned(),
        extra: BTreeMap::from([("only_theirs".to_owned(), json!(7))]),
    }
}

fn text(fields: &Value, name: &str) -> String {
    fields[name].as_str().unwrap_or_default().to_owned()
}

fn words(text: &str) -> WireResponse {
    WireResponse::ok("text/plain", text.to_owned())
}

fn numbers<'a>(numbers: impl Iterator<Item = &'a str>) -> String {
    numbers.collect::<Vec<_>>().join(" ")
}

fn shown(action: Option<&NextAction>) -> String {
    match action {
        Some(NextAction::Qr { .. }) => "code".to_owned(),
        Some(NextAction::Redirect { url }) => url.split("/pay_").next().unwrap_or_default().to_owned(),
        Some(_) => "else".to_owned(),
        None => "nothing".to_owned(),
    }
}

fn order(order: &FrontOrder) -> String {
    let received = order.received.map(Money::minor);
    format!("{} {received:?} back {} closed {}", order.number, order.refunded.minor(), order.closed)
}

/// The shop is `tea` in this protocol.
pub(super) fn speaks(service: Service) -> impl FnOnce(&mut Catalog) {
    move |catalog: &mut Catalog| {
        let mut front = Front::new(std::sync::Arc::new(Spoken { pages: false }), service);
        let settings = json!({"name": "tea"}).as_object().cloned().unwrap();
        front.admit(&AppId::new("shop").unwrap(), settings).unwrap();
        catalog.fronts.add(front);
    }
}

impl World {
    /// What the shop's client hears.
    pub(super) async fn hear(&self, operation: &str, fields: Value) -> String {
        hear(&self.payments, operation, fields).await
    }
}

/// The same at another node.
pub(super) async fn hear(payments: &paymux_core::Payments, operation: &str, fields: Value) -> String {
    let mut body = json!({"name": "tea"});
    body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let request = WireRequest::new(Verb::Post, format!("/spoken/{operation}"))
        .body("application/json", body.to_string());
    let answer = payments.serve_front(SLUG, &request).await.expect("the front is served");
    String::from_utf8(answer.body.to_vec()).unwrap()
}
