//! What the server side says: answers, records and webhooks, with every field that an SDK needs.
//!
//! Source: BeeCloud V2 document, and what the SDKs of five languages read.

use paymux_core::acceptor::{FrontAccount, FrontAnswer, FrontOrder, FrontRead, FrontRefusal};
use paymux_core::provider::Settings;
use paymux_core::{NextAction, Secret, Timestamp, Verb, WireRequest, WireResponse};
use serde_json::{Map, Value, json};

use super::fields::Fault;
use super::{payout_reply, refund_reply};
use crate::config::{Books, Contract};
use crate::map::BRIDGE;
use crate::map::codes::{self, Code, Family, Reply};
use crate::map::results;
use crate::sign::{self, Notified};
use crate::wire::JSON;

/// Fields that no answer of a wallet may replace.
const COMMON: [&str; 6] = ["result_code", "result_msg", "err_detail", "id", "errMsg", "pay_result"];

/// Fields of every answer, which are always our own.
const SPOKEN: [&str; 3] = ["result_code", "result_msg", "err_detail"];

/// A fault as an answer; a front answers 200 to all that it understands.
pub(super) fn fault(fault: &Fault) -> WireResponse {
    finish(fault.code, &fault.detail, Map::new())
}

/// The answer to a call.
pub(super) fn answer(read: &FrontRead, answer: &FrontAnswer) -> WireResponse {
    let mut words = read.memo.split(' ');
    match words.next().unwrap_or_default() {
        "status" => status(answer),
        "revert" => revert(answer),
        "bills" => bills(answer, detail(words.next())),
        "count" | "refund_count" | "payout_count" => count(answer),
        "record" => record(answer),
        "refund" => refund_reply::refund(answer, false),
        "offline_refund" => refund_reply::refund(answer, true),
        "approve" => refund_reply::approved(answer),
        "refund_status" => refund_reply::status(answer),
        "refunds" => refund_reply::list(answer, detail(words.next())),
        "refund_record" => refund_reply::record(answer),
        "payout" => payout_reply::paid_out(answer),
        "payouts" => payout_reply::list(answer),
        "native" => native(answer, words.next() == Some("auth")),
        _ => create(read, answer),
    }
}

fn create(read: &FrontRead, answer: &FrontAnswer) -> WireResponse {
    let Some((code, family)) = codes::from_memo(&read.memo) else {
        return refused(&FrontRefusal::Code(14), Map::new());
    };
    let mut fields = Map::new();
    let (id, paid) = match answer {
        FrontAnswer::Opened { id, action } => {
            if let Some(action) = action {
                carry(code, action, &mut fields);
            }
            (Some(id), false)
        }
        FrontAnswer::Paid { id } => (Some(id), true),
        // At a till "not paid yet" is a good answer: the cashier asks for the status next.
        FrontAnswer::InDoubt if code.reply == Reply::Scan => (None, false),
        other => return otherwise(other, till_fields(family, "pay_result")),
    };
    if let Some(id) = id {
        fields.insert("id".to_owned(), Value::from(id.as_str()));
    }
    if family == Family::Till {
        fields.insert("pay_result".to_owned(), Value::from(paid));
    }
    if let Some(wallet) = read.memo.split(" via:").nth(1) {
        fields.insert("channel_type".to_owned(), Value::from(wallet));
    }
    finish(0, "", fields)
}

/// Java wants a Boolean `pay_result` in every answer of a till.
fn till_fields(family: Family, name: &str) -> Map<String, Value> {
    let mut fields = Map::new();
    if family == Family::Till {
        fields.insert(name.to_owned(), Value::from(false));
    }
    fields
}

/// Puts what the payer must do under the names that the code's product has.
fn carry(code: &Code, action: &NextAction, fields: &mut Map<String, Value>) {
    let mut put = |name: &str, text: &str| fields.insert(name.to_owned(), Value::from(text));
    let names: &[&str] =
        if code.name == "ALI_OFFLINE_QRCODE" { &["code_url", "qr_code"] } else { &["code_url"] };
    match action {
        NextAction::Qr { qr } => {
            for name in names {
                put(name, qr);
            }
        }
        NextAction::Redirect { url } => {
            put("url", url);
            put("html", &redirecting_page(url));
            if matches!(code.reply, Reply::Qr | Reply::Link) {
                for name in names {
                    put(name, url);
                }
            }
        }
        NextAction::Html { html } => {
            put("html", html);
        }
        NextAction::App { params } | NextAction::Jsapi { params } => {
            for (name, value) in params.as_object().into_iter().flatten() {
                let theirs = BRIDGE
                    .iter()
                    .find(|(_, bridges)| bridges == name)
                    .map_or(name.as_str(), |(theirs, _)| theirs);
                if !COMMON.contains(&theirs) {
                    fields.insert(theirs.to_owned(), value.clone());
                }
            }
        }
    }
}

/// A page that goes to an address at once: for clients that print `html` and know no `url`.
fn redirecting_page(url: &str) -> String {
    let url = url
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;");
    format!(
        "<!DOCTYPE html><html><head><meta charset=\"utf-8\"><meta http-equiv=\"refresh\" content=\"0;url={url}\"></head>\
         <body><a href=\"{url}\">continue</a></body></html>"
    )
}

fn status(answer: &FrontAnswer) -> WireResponse {
    let paid = |paid: bool| Map::from_iter([("pay_result".to_owned(), Value::from(paid))]);
    match answer {
        FrontAnswer::Order(Some(order)) => finish(0, "", paid(order.received.is_some())),
        FrontAnswer::InDoubt => finish(0, "", paid(false)),
        other => otherwise(other, paid(false)),
    }
}

fn revert(answer: &FrontAnswer) -> WireResponse {
    let mut fields = till_fields(Family::Till, "pay_result");
    let FrontAnswer::Canceled(closed) = answer else {
        fields.insert("revert_status".to_owned(), Value::from(false));
        return otherwise(answer, fields);
    };
    fields.insert("revert_status".to_owned(), Value::from(*closed));
    finish(0, "", fields)
}

/// Whether `message_detail` was asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    Left,
    Given,
}

fn detail(word: Option<&str>) -> Detail {
    if word == Some("detail") { Detail::Given } else { Detail::Left }
}

fn bills(answer: &FrontAnswer, detail: Detail) -> WireResponse {
    let rows: Vec<Value> = match answer {
        FrontAnswer::Orders(orders) => orders.iter().map(|order| row(order, detail)).collect(),
        FrontAnswer::Order(order) => order.iter().map(|order| row(order, detail)).collect(),
        other => return otherwise(other, Map::new()),
    };
    finish(0, "", Map::from_iter([("bills".to_owned(), Value::from(rows))]))
}

fn count(answer: &FrontAnswer) -> WireResponse {
    match answer {
        FrontAnswer::Count(count) => {
            finish(0, "", Map::from_iter([("count".to_owned(), Value::from(*count))]))
        }
        other => otherwise(other, Map::new()),
    }
}

fn record(answer: &FrontAnswer) -> WireResponse {
    let order = match answer {
        FrontAnswer::Order(Some(order)) => Some(order.as_ref()),
        FrontAnswer::Orders(orders) => orders.first(),
        FrontAnswer::Order(None) => None,
        other => return otherwise(other, Map::new()),
    };
    match order {
        Some(order) => finish(0, "", Map::from_iter([("pay".to_owned(), row(order, Detail::Given))])),
        None => otherwise(&FrontAnswer::Order(None), Map::new()),
    }
}

/// What BeeCloud itself answered, in its own names. .NET reads `errMsg` where a check or a call about buyers failed.
fn native(answer: &FrontAnswer, is_auth: bool) -> WireResponse {
    if let FrontAnswer::Native(told) = answer {
        let kept = told.iter().filter(|(name, _)| !SPOKEN.contains(&name.as_str()));
        return finish(0, "", kept.map(|(name, value)| (name.clone(), value.clone())).collect());
    }
    let mut fields = Map::new();
    if is_auth {
        fields.insert("auth_result".to_owned(), Value::from(false));
    }
    let mut response = otherwise(answer, fields);
    if let Ok(mut told) = serde_json::from_slice::<Map<String, Value>>(&response.body) {
        let detail = told.get("err_detail").cloned().unwrap_or_default();
        told.insert("errMsg".to_owned(), detail);
        response.body = Value::Object(told).to_string().into();
    }
    response
}

/// What is the same for every call: not found, in doubt, refused.
pub(super) fn otherwise(answer: &FrontAnswer, fields: Map<String, Value>) -> WireResponse {
    match answer {
        FrontAnswer::Order(None) => finish(8, "no such order", fields),
        FrontAnswer::Refused(refusal) => refused(refusal, fields),
        // An answer that does not fit the call is our own fault: the client asks again.
        _ => finish(14, "the outcome is not known yet: query the order, do not send it again", fields),
    }
}

pub(super) fn refused(refusal: &FrontRefusal, fields: Map<String, Value>) -> WireResponse {
    match refusal {
        FrontRefusal::NumberTaken => finish(17, "bill_no was used before", fields),
        FrontRefusal::SignUsed => finish(1, "timestamp already used; send again with a fresh one", fields),
        FrontRefusal::NoSuchOrder => finish(8, "no such order", fields),
        FrontRefusal::OrderUnpaid => finish(9, "the order is not paid", fields),
        FrontRefusal::RefundTooLate => finish(10, "the order is too old for a refund", fields),
        FrontRefusal::RefundInProgress => finish(11, "a refund of this order is in progress", fields),
        FrontRefusal::RefundTooLarge => finish(12, "refund_fee is above what is left", fields),
        FrontRefusal::NoSuchRefund => finish(13, "no such refund", fields),
        FrontRefusal::MethodUnavailable => finish(3, "this channel is not enabled", fields),
        FrontRefusal::Field { name, rule } => finish(5, &format!("{name}: {rule}"), fields),
        FrontRefusal::Upstream(why) => finish(7, why, fields),
        FrontRefusal::Told { code, detail } => finish(*code, detail, fields),
        FrontRefusal::Code(code) => finish(*code, "", fields),
    }
}

pub(super) fn finish(code: i64, detail: &str, mut fields: Map<String, Value>) -> WireResponse {
    let name = results::row(code).map_or("RUNTIME_ERROR", |row| row.name);
    fields.insert("result_code".to_owned(), Value::from(code));
    fields.insert("result_msg".to_owned(), Value::from(name));
    fields.insert("err_detail".to_owned(), Value::from(detail));
    WireResponse::ok(JSON, Value::Object(fields).to_string())
}

/// The code of an order: as it was asked for, else what its method is called here.
pub(super) fn code_of(order: &FrontOrder) -> Option<&'static Code> {
    codes::from_memo(&order.memo)
        .map(|(code, _)| code)
        .or_else(|| Code::for_method(order.method, Books::V2, Contract::Merchant))
}

/// An order's record. .NET wants `trade_no`, `bill_fee`, `discount`, `revert_result` and
/// `refund_result` to be there, and `optional` as JSON text.
fn row(order: &FrontOrder, detail: Detail) -> Value {
    let code = code_of(order);
    let mut row = json!({
        "id": order.id,
        "bill_no": order.number,
        "title": order.subject,
        "bill_fee": order.amount.minor(),
        "total_fee": order.received.unwrap_or(order.amount).minor(),
        "discount": order.discount.minor(),
        "coupon_id": null,
        "trade_no": order.trade_no.as_deref().unwrap_or_default(),
        "channel": code.map_or("", |code| code.group),
        "sub_channel": code.map_or("", |code| code.name),
        "buyer_id": "",
        "seller_id": "",
        "store_id": "",
        "operator_id": "",
        "spay_result": order.received.is_some(),
        "revert_result": order.closed,
        "refund_result": order.refunded.minor() > 0,
        "create_time": order.created_at.ms(),
        "optional": echoed(&order.echo).to_string(),
    });
    if let Some(paid_at) = order.paid_at {
        row["success_time"] = Value::from(paid_at.ms());
    }
    if detail == Detail::Given {
        row["message_detail"] = Value::from(wallets_words(order).to_string());
    }
    row
}

/// `optional` is an object always.
pub(super) fn echoed(echo: &Value) -> Value {
    if echo.is_object() { echo.clone() } else { json!({}) }
}

/// What the wallet said, as far as a host knows it: numbers and amount under the wallet's names.
pub(super) fn wallets_words(order: &FrontOrder) -> Value {
    let Some(received) = order.received else { return json!({}) };
    let trade_no = order.trade_no.as_deref().unwrap_or_default();
    match code_of(order).map_or("", |code| code.group) {
        "ALI" => {
            json!({"out_trade_no": order.number, "trade_no": trade_no, "total_fee": received.to_decimal()})
        }
        "UN" => json!({"orderId": order.number, "queryId": trade_no, "txnAmt": received.minor().to_string()}),
        _ => json!({"out_trade_no": order.number, "transaction_id": trade_no, "trade_no": trade_no,
            "total_fee": received.minor().to_string()}),
    }
}

/// The webhook that tells of a paid order.
pub(super) fn notice(account: &FrontAccount, order: &FrontOrder, now: Timestamp) -> WireRequest {
    let code = code_of(order);
    let fee = order.received.unwrap_or(order.amount).minor();
    let group = code.map_or("BC", |code| code.group);
    posted(&json!({
        "signature": signature(&account.settings, "PAY", &order.number, group, fee),
        "timestamp": now.ms(),
        "channel_type": group,
        "sub_channel_type": code.map_or("", |code| code.name),
        "transaction_type": "PAY",
        "transaction_id": order.number,
        "transaction_fee": fee,
        "bill_fee": order.amount.minor(),
        "discount": order.discount.minor(),
        "coupon_id": null,
        "trade_success": true,
        "message_detail": wallets_words(order),
        "optional": echoed(&order.echo),
    }))
}

/// A webhook with that body. A receiver in the field decodes it as if it came in a URL; outside of
/// texts there is neither of the two characters that this would change.
pub(super) fn posted(body: &Value) -> WireRequest {
    let text = body.to_string().replace('+', "\\u002b").replace('%', "\\u0025");
    WireRequest::new(Verb::Post, "/").body(JSON, text)
}

/// Empty when the account has no master secret: a sign without a secret would be anybody's.
pub(super) fn signature(settings: &Settings, kind: &str, number: &str, group: &str, fee: i64) -> String {
    let text = |key: &str| settings.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let (Some(app_id), Some(secret)) = (text("app_id"), text("master_secret")) else { return String::new() };
    let notified = Notified {
        transaction_id: number,
        transaction_type: kind,
        channel_type: group,
        transaction_fee: &fee.to_string(),
    };
    sign::notice_sign(app_id, notified, &Secret::new(secret)).to_hex().as_str().to_owned()
}
