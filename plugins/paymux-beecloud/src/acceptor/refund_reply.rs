//! What the server side says about money that goes back: answers, records and webhooks.
//!
//! Source: BeeCloud V2 document and API pages of 2018.

use paymux_core::acceptor::{
    FrontAccount, FrontAnswer, FrontApproved, FrontRefundRecord, FrontRefundState as State, FrontRefusal,
};
use paymux_core::{Timestamp, WireRequest, WireResponse};
use serde_json::{Map, Value, json};

use super::reply::{Detail, code_of, echoed, finish, otherwise, posted, signature, wallets_words};

/// The answer to a refund: accepted is not done, but at a till.
pub(super) fn refund(answer: &FrontAnswer, is_till: bool) -> WireResponse {
    let mut fields = Map::new();
    if is_till {
        // Java wants a Boolean `pay_result` in every answer of a till.
        fields.insert("pay_result".to_owned(), Value::from(false));
        fields.insert("refund_result".to_owned(), Value::from(false));
    }
    let FrontAnswer::Refund(Some(refund)) = answer else { return none_or(answer, fields) };
    fields.insert("id".to_owned(), Value::from(refund.id.as_str()));
    match &refund.state {
        State::NeedsAction { url } => drop(fields.insert("url".to_owned(), Value::from(url.as_str()))),
        State::Done if is_till => drop(fields.insert("refund_result".to_owned(), Value::from(true))),
        State::Failed => return finish(7, "the wallet or bank refused the refund", fields),
        State::Done | State::Pending | State::AwaitsApproval => {}
    }
    finish(0, "", fields)
}

/// What became of an approval. .NET wants `result_map` to be there.
pub(super) fn approved(answer: &FrontAnswer) -> WireResponse {
    let mut fields = Map::from_iter([("result_map".to_owned(), json!({}))]);
    let FrontAnswer::Approved(each) = answer else { return none_or(answer, fields) };
    let word = |one: &FrontApproved| match &one.outcome {
        Ok(_) => Value::from("OK"),
        Err(why) => Value::from(why.as_str()),
    };
    let results: Map<String, Value> = each.iter().map(|one| (one.id.clone(), word(one))).collect();
    fields.insert("result_map".to_owned(), Value::Object(results));
    // One page for all of them, as BeeCloud has it: the last.
    let mut pages = each.iter().rev().filter_map(|one| one.outcome.as_ref().ok()?.as_deref());
    if let Some(url) = pages.next() {
        fields.insert("url".to_owned(), Value::from(url));
    }
    finish(0, "", fields)
}

/// The wallet's word on a refund.
pub(super) fn status(answer: &FrontAnswer) -> WireResponse {
    let FrontAnswer::Refund(Some(refund)) = answer else { return none_or(answer, Map::new()) };
    let word = match refund.state {
        State::Done => "SUCCESS",
        State::Failed => "FAIL",
        State::AwaitsApproval | State::NeedsAction { .. } | State::Pending => "PROCESSING",
    };
    finish(0, "", Map::from_iter([("refund_status".to_owned(), Value::from(word))]))
}

pub(super) fn list(answer: &FrontAnswer, detail: Detail) -> WireResponse {
    let FrontAnswer::Refunds(refunds) = answer else { return none_or(answer, Map::new()) };
    let rows: Vec<Value> = refunds.iter().map(|refund| row(refund, detail)).collect();
    finish(0, "", Map::from_iter([("refunds".to_owned(), Value::from(rows))]))
}

pub(super) fn record(answer: &FrontAnswer) -> WireResponse {
    let refund = match answer {
        FrontAnswer::Refund(Some(refund)) => Some(refund.as_ref()),
        FrontAnswer::Refunds(refunds) => refunds.first(),
        other => return none_or(other, Map::new()),
    };
    match refund {
        Some(refund) => finish(0, "", Map::from_iter([("refund".to_owned(), row(refund, Detail::Given))])),
        None => none_or(&FrontAnswer::Refund(None), Map::new()),
    }
}

/// What is no refund's answer: there is none, or what is the same for every call.
fn none_or(answer: &FrontAnswer, fields: Map<String, Value>) -> WireResponse {
    match answer {
        FrontAnswer::Refund(None) => finish(13, "no such refund", fields),
        // A refund's number that is taken is no order's number.
        FrontAnswer::Refused(FrontRefusal::NumberTaken) => finish(5, "refund_no: was used before", fields),
        other => otherwise(other, fields),
    }
}

/// A refund's record. No Boolean in it is null; `result` means something once it is finished.
fn row(refund: &FrontRefundRecord, detail: Detail) -> Value {
    let (order, code) = (&refund.order, code_of(&refund.order));
    let mut row = json!({
        "id": refund.id,
        "bill_no": order.number,
        "refund_no": refund.number,
        "title": order.subject,
        "channel": code.map_or("", |code| code.group),
        "sub_channel": code.map_or("", |code| code.name),
        "total_fee": order.received.unwrap_or(order.amount).minor(),
        "refund_fee": refund.amount.minor(),
        "finish": matches!(refund.state, State::Done | State::Failed),
        "result": refund.state == State::Done,
        "optional": echoed(&refund.echo).to_string(),
        "create_time": refund.created_at.ms(),
    });
    if detail == Detail::Given {
        row["message_detail"] = Value::from(wallets_words(order).to_string());
    }
    row
}

/// The webhook that tells of a refund that is done.
pub(super) fn notice(account: &FrontAccount, refund: &FrontRefundRecord, now: Timestamp) -> WireRequest {
    let code = code_of(&refund.order);
    let (group, fee) = (code.map_or("BC", |code| code.group), refund.amount.minor());
    posted(&json!({
        "signature": signature(&account.settings, "REFUND", &refund.number, group, fee),
        "timestamp": now.ms(),
        "channel_type": group,
        "sub_channel_type": code.map_or("", |code| code.name),
        "transaction_type": "REFUND",
        "transaction_id": refund.number,
        "transaction_fee": fee,
        "trade_success": true,
        "message_detail": {},
        "optional": echoed(&refund.echo),
    }))
}
