//! What the server side says: answers at both levels, and notifications.
//!
//! A refused request fails in `result`; what a good request asked for and did not get fails in `data`. Beside a
//! code stands `detail`, which the protocol does not have: it says which field and what to do.

use paymux_core::acceptor::{
    FrontAccount, FrontAnswer, FrontCall, FrontFact, FrontOrder, FrontPay, FrontRead, FrontRefundRecord,
    FrontRefundState, FrontRefusal,
};
use paymux_core::{NextAction, Timestamp, Wallet, WireResponse};
use serde_json::{Map, Value, json};

use super::calls::{Fault, Level, TRADE_PREFIX};
use crate::map::codes::CODES;
use crate::map::hours::{Zone, written};
use crate::map::kinds::{Kind, Opening};
use crate::map::states;
use crate::wire::{JSON, SUCCESS};

/// What is said of a sign that came with another call before, or is too old to know.
pub(super) const SIGN_USED: &str =
    "sign: it was used for another call, or long ago; sign each call anew, with the time of the call";

/// A fault as an answer.
pub(super) fn fault(fault: &Fault) -> WireResponse {
    if fault.level == Level::Business {
        return failed(fault.code, &fault.detail);
    }
    let result = json!({"return_code": "FAIL", "return_msg": fault.code, "detail": fault.detail});
    WireResponse::ok(JSON, json!({"result": result}).to_string())
}

/// The answer to a call.
pub(super) fn answer(read: &FrontRead, answer: &FrontAnswer, now: Timestamp) -> WireResponse {
    match (&read.call, answer) {
        (FrontCall::Pay(pay), answer) if pay.auth_code.is_some() => scanned(read, pay, answer, now),
        (FrontCall::Pay(pay), answer) => pre_ordered(read, pay, answer),
        (FrontCall::Query { .. }, FrontAnswer::Order(Some(order))) => done(record(order)),
        (FrontCall::Cancel { number }, FrontAnswer::Canceled(true)) => done(numbers(number)),
        (FrontCall::Cancel { .. }, FrontAnswer::Canceled(false)) => {
            failed("FAIL", "the order is paid, has ended, or cannot be ended now: query it")
        }
        (FrontCall::Refund(_), FrontAnswer::Refund(Some(refund))) => refunded(refund),
        (FrontCall::QueryRefund { .. }, FrontAnswer::Refund(Some(refund))) => refund_record(refund),
        (_, answer) => otherwise(answer),
    }
}

/// What became of a scan. Not knowing yet is no failure here: the till asks next.
fn scanned(read: &FrontRead, pay: &FrontPay, answer: &FrontAnswer, now: Timestamp) -> WireResponse {
    let is_paid = match answer {
        FrontAnswer::Paid { .. } => true,
        FrontAnswer::Opened { .. } | FrontAnswer::InDoubt => false,
        other => return otherwise(other),
    };
    let begun = read.memo.split(' ').nth(2).and_then(|ms| ms.parse().ok()).map_or(now, Timestamp::from_ms);
    let mut data = numbers(&pay.number);
    put_echo(&mut data, &pay.echo);
    put(&mut data, "channel_type", channel_type(&read.memo, pay.method.wallet));
    if let Some(auth_code) = &pay.auth_code {
        put(&mut data, "auth_code", auth_code.expose());
    }
    let zone = zone(&pay.echo);
    put(&mut data, "begin_time", written(begun, &zone));
    if is_paid {
        put(&mut data, "end_time", written(now, &zone));
    }
    put(&mut data, "total_fee", pay.amount.minor());
    put(&mut data, "fee_type", pay.amount.currency().code());
    put(&mut data, "state", if is_paid { states::PAID } else { 0 });
    done(data)
}

fn pre_ordered(read: &FrontRead, pay: &FrontPay, answer: &FrontAnswer) -> WireResponse {
    let action = match answer {
        FrontAnswer::Opened { action, .. } => action.as_ref(),
        FrontAnswer::Paid { .. } => {
            return failed("SERIAL_REPEAT", "out_trade_no: that order is paid; query it");
        }
        other => return otherwise(other),
    };
    let mut data = numbers(&pay.number);
    put_zone(&mut data, &pay.echo);
    let kind = Kind::from_memo(&read.memo);
    match (kind.map(|kind| (kind.opening, kind.method.wallet)), action) {
        (
            Some((Opening::Code, _)),
            Some(NextAction::Qr { qr: code } | NextAction::Redirect { url: code }),
        ) => {
            put(&mut data, "qr_code", code.as_str());
        }
        (Some((Opening::Bridge, Wallet::Alipay)), Some(NextAction::Jsapi { params })) => {
            let number =
                ["prePayId", "trade_no", "tradeNO"].into_iter().find_map(|name| params[name].as_str());
            match number {
                Some(number) => put(&mut data, "prePayId", number),
                None => return in_doubt(),
            }
        }
        (Some((Opening::Bridge, _)), Some(NextAction::Jsapi { params })) => {
            put(&mut data, "payInfo", params.to_string());
        }
        // What the host's provider wants of the payer has no place in this protocol.
        _ => return in_doubt(),
    }
    done(data)
}

/// An order's record.
fn record(order: &FrontOrder) -> Map<String, Value> {
    let mut data = numbers(&order.number);
    put_echo(&mut data, &order.echo);
    put(&mut data, "channel_type", channel_type(&order.memo, order.method.wallet));
    if let Some(trade_no) = &order.trade_no {
        put(&mut data, "channel_trade_no", trade_no.as_str());
    }
    let zone = zone(&order.echo);
    put(&mut data, "begin_time", written(order.created_at, &zone));
    if let Some(paid_at) = order.paid_at {
        put(&mut data, "end_time", written(paid_at, &zone));
    }
    if order.refunded.minor() > 0 {
        put(&mut data, "refund_fee", order.refunded.minor());
    }
    put(&mut data, "fee_type", order.amount.currency().code());
    put(&mut data, "state", state(order));
    data
}

/// A closed order of a till is cancelled (2), any other closed (6).
fn state(order: &FrontOrder) -> i64 {
    let is_scan = Kind::from_memo(&order.memo).is_some_and(|kind| kind.opening == Opening::Scan);
    match order.received {
        Some(_) if order.refunded.minor() <= 0 => states::PAID,
        Some(received) if order.refunded.minor() < received.minor() => 4,
        Some(_) => 5,
        None if order.closed && is_scan => 2,
        None if order.closed => 6,
        None => 0,
    }
}

/// A refund that was taken in: its end is asked for.
fn refunded(refund: &FrontRefundRecord) -> WireResponse {
    if refund.state == FrontRefundState::Failed {
        return failed("FAIL", "the wallet or bank refused the refund");
    }
    let mut data = numbers(&refund.order.number);
    put_echo(&mut data, &refund.echo);
    put(&mut data, "out_refund_no", refund.number.as_str());
    put(&mut data, "refund_no", refund.id.as_str());
    put(&mut data, "channel_type", channel_type(&refund.order.memo, refund.order.method.wallet));
    let zone = zone(&refund.echo);
    put(&mut data, "begin_time", written(refund.created_at, &zone));
    if let Some(ended_at) = refund.ended_at {
        put(&mut data, "end_time", written(ended_at, &zone));
    }
    put(&mut data, "refund_fee", refund.amount.minor());
    put(&mut data, "fee_type", refund.amount.currency().code());
    done(data)
}

/// What became of a refund; how much is said only once it is done.
fn refund_record(refund: &FrontRefundRecord) -> WireResponse {
    let mut data = Map::new();
    put_echo(&mut data, &refund.echo);
    put(&mut data, "out_trade_no", refund.number.as_str());
    put(&mut data, "trade_no", trade_no(&refund.order.number));
    let status = match refund.state {
        FrontRefundState::Done => "succ",
        FrontRefundState::Failed => "fail",
        FrontRefundState::Pending
        | FrontRefundState::AwaitsApproval
        | FrontRefundState::NeedsAction { .. } => "refunding",
    };
    put(&mut data, "trade_status", status);
    if refund.state == FrontRefundState::Done {
        put(&mut data, "refund_fee", refund.amount.minor());
        let done_at = refund.ended_at.unwrap_or(refund.created_at);
        put(&mut data, "gmt_refund_time", written(done_at, &zone(&refund.echo)));
    }
    done(data)
}

/// What is the same for every call: not there, in doubt, refused. An answer that does not fit the call is our own
/// fault, and nobody may take it for a refusal.
fn otherwise(answer: &FrontAnswer) -> WireResponse {
    match answer {
        FrontAnswer::Order(None) => failed("CHARGE_NONEXISTENT", "no such order"),
        FrontAnswer::Refund(None) => failed("CHARGE_NONEXISTENT", "no such refund"),
        FrontAnswer::Refused(refusal) => refused(refusal),
        _ => in_doubt(),
    }
}

fn in_doubt() -> WireResponse {
    failed("EXCEPTION", "the outcome is not known yet: query it, do not send it again under another number")
}

fn refused(refusal: &FrontRefusal) -> WireResponse {
    match refusal {
        FrontRefusal::NumberTaken => failed("SERIAL_REPEAT", "the number is in use: query it"),
        FrontRefusal::SignUsed => fault(&Fault::request("INVALID_SIGN", SIGN_USED)),
        FrontRefusal::MethodUnavailable => {
            failed("INVALID_CONTRACT", "this way to pay cannot be had by this merchant")
        }
        FrontRefusal::Field { name, rule }
            if matches!(name.as_str(), "total_fee" | "refund_fee" | "amount") =>
        {
            failed("AMT_ERROR", &format!("{name}: {rule}"))
        }
        FrontRefusal::Field { name, rule } => failed("ILLEGAL_PARAMETER", &format!("{name}: {rule}")),
        FrontRefusal::NoSuchOrder => failed("CHARGE_NONEXISTENT", "no such order"),
        FrontRefusal::NoSuchRefund => failed("CHARGE_NONEXISTENT", "no such refund"),
        FrontRefusal::OrderUnpaid => failed("FAIL", "the order is not paid"),
        FrontRefusal::RefundTooLate => failed("FAIL", "the order is too old for a refund"),
        FrontRefusal::RefundInProgress => failed("FAIL", "a refund of this order is in progress"),
        FrontRefusal::RefundTooLarge => failed("AMT_ERROR", "refund_fee is above what is left"),
        FrontRefusal::Upstream(why) => failed("FAIL", why),
        FrontRefusal::Told { detail, .. } => failed("FAIL", detail),
        FrontRefusal::Code(place) => {
            let row = usize::try_from(*place).ok().and_then(|place| CODES.get(place));
            failed(row.map_or("EXCEPTION", |row| row.name), "")
        }
    }
}

fn done(mut data: Map<String, Value>) -> WireResponse {
    put(&mut data, "return_code", SUCCESS);
    put(&mut data, "return_msg", "OK");
    enveloped(&Value::Object(data))
}

fn failed(code: &str, detail: &str) -> WireResponse {
    enveloped(&json!({"return_code": "FAIL", "return_msg": code, "detail": detail}))
}

fn enveloped(data: &Value) -> WireResponse {
    WireResponse::ok(JSON, envelope(data).to_string())
}

fn envelope(data: &Value) -> Value {
    json!({"result": {"return_code": SUCCESS, "return_msg": "OK"}, "data": data})
}

/// The body of a notification. Of refunds the protocol has none: what stands for one credits nobody.
pub(super) fn notice_body(account: &FrontAccount, fact: &FrontFact) -> String {
    let FrontFact::Paid(order) = fact else {
        return json!({"result": {"return_code": "FAIL", "return_msg": "FAIL"}}).to_string();
    };
    let mut data = record(order);
    let busi_id = account.settings.get("busi_id").and_then(Value::as_str).unwrap_or_default();
    put(&mut data, "busi_id", busi_id);
    // What the wallet gave the payer off is paid too: clients compare with what they asked.
    let paid = order.received.and_then(|received| received.checked_add(order.discount).ok());
    put(&mut data, "total_fee", paid.unwrap_or(order.amount).minor());
    // It tells that the order was paid, whatever has happened since.
    put(&mut data, "state", states::PAID);
    data.remove("refund_fee");
    put(&mut data, "return_code", SUCCESS);
    envelope(&Value::Object(data)).to_string()
}

/// The client's number and the platform's.
fn numbers(number: &str) -> Map<String, Value> {
    let mut data = Map::new();
    put(&mut data, "out_trade_no", number);
    put(&mut data, "trade_no", trade_no(number));
    data
}

fn trade_no(number: &str) -> String {
    format!("{TRADE_PREFIX}{number}")
}

/// As asked for, else by the wallet.
fn channel_type(memo: &str, wallet: Wallet) -> i64 {
    let asked = Kind::from_memo(memo).and_then(|kind| kind.channel_type.parse().ok());
    asked.unwrap_or(match wallet {
        Wallet::Alipay => 1,
        Wallet::Wechat => 2,
        _ => 0,
    })
}

fn put(data: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    data.insert(name.to_owned(), value.into());
}

fn put_echo(data: &mut Map<String, Value>, echo: &Value) {
    for (name, value) in echo.as_object().into_iter().flatten() {
        data.insert(name.clone(), value.clone());
    }
}

/// The clock that the client named, China's where it named none.
fn zone(echo: &Value) -> Zone {
    echo.get("time_zone").and_then(Value::as_str).and_then(Zone::read).unwrap_or_else(Zone::china)
}

fn put_zone(data: &mut Map<String, Value>, echo: &Value) {
    if let Some(zone) = echo.get("time_zone") {
        data.insert("time_zone".to_owned(), zone.clone());
    }
}
