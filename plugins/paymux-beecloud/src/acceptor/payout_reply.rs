//! What the server side says about payouts: answers, records and the webhook.
//!
//! Source: BeeCloud V2 document; the records of `transfers` are in one SDK alone.

use paymux_core::acceptor::{FrontAccount, FrontAnswer, FrontPayoutRecord, FrontRefusal, FrontStanding};
use paymux_core::{Timestamp, WireRequest, WireResponse};
use serde_json::{Map, Value, json};

use super::reply::{echoed, finish, otherwise, posted, refused, signature};

/// The answer to a payout, of one or of a batch: taken in is not paid.
pub(super) fn paid_out(answer: &FrontAnswer) -> WireResponse {
    let payouts = match answer {
        FrontAnswer::Payouts(payouts) => payouts,
        FrontAnswer::PartlyPaidOut(not_taken) => return partly(not_taken),
        // A payout's number that is taken is no order's number.
        FrontAnswer::Refused(FrontRefusal::NumberTaken) => {
            return finish(5, "the number was used before", Map::new());
        }
        FrontAnswer::Refused(why) => return refused(why, Map::new()),
        _ => {
            let detail = "what became of the payout is not known yet: ask for it, do not send it under another \
                          number";
            return finish(14, detail, Map::new());
        }
    };
    let mut fields = Map::new();
    if let [one] = payouts.as_slice() {
        if one.standing == FrontStanding::Failed {
            return finish(7, "the wallet or bank refused the payout", fields);
        }
        fields.insert("id".to_owned(), Value::from(one.id.as_str()));
    }
    // What a person must open before money moves.
    if let Some(url) = payouts.iter().find_map(|payout| payout.action_url.as_deref()) {
        fields.insert("url".to_owned(), Value::from(url));
    }
    finish(0, "", fields)
}

/// Some of a batch were not taken: with the code of the first of them, and all by their numbers.
fn partly(not_taken: &[(String, FrontRefusal)]) -> WireResponse {
    let Some((_, first)) = not_taken.first() else { return finish(14, "", Map::new()) };
    let mut response = match first {
        FrontRefusal::NumberTaken => finish(5, "the number was used before", Map::new()),
        why => refused(why, Map::new()),
    };
    let numbers: Vec<&str> = not_taken.iter().map(|(number, _)| number.as_str()).collect();
    if let Ok(mut told) = serde_json::from_slice::<Map<String, Value>>(&response.body) {
        let why = told.get("err_detail").and_then(Value::as_str).unwrap_or_default();
        let detail =
            format!("not taken: {}; the first because of this: {why}; all others are", numbers.join(", "));
        told.insert("err_detail".to_owned(), Value::from(detail));
        response.body = Value::Object(told).to_string().into();
    }
    response
}

pub(super) fn list(answer: &FrontAnswer) -> WireResponse {
    let FrontAnswer::Payouts(payouts) = answer else { return otherwise(answer, Map::new()) };
    let rows: Vec<Value> = payouts.iter().map(row).collect();
    let count = rows.len();
    let fields = [("transfers".to_owned(), Value::from(rows)), ("count".to_owned(), Value::from(count))];
    finish(0, "", Map::from_iter(fields))
}

fn row(payout: &FrontPayoutRecord) -> Value {
    let masked = |name: &str| payout.payee.get(name).map_or("", String::as_str);
    let (code, _) = code(payout);
    json!({
        "id": payout.id,
        "bill_no": payout.number,
        "title": payout.reason,
        "channel": code,
        "total_fee": payout.amount.minor(),
        "trade_no": payout.trade_no.as_deref().unwrap_or_default(),
        "spay_result": payout.standing == FrontStanding::Done,
        "transfer_status": match payout.standing {
            FrontStanding::Done => "SUCCESS",
            FrontStanding::Failed => "FAIL",
            FrontStanding::UnderWay => "PROCESSING",
        },
        "account_name": masked("account_name"),
        "account_no": if masked("account_no").is_empty() { masked("account") } else { masked("account_no") },
        "bank_fullname": masked("bank_fullname"),
        "create_time": payout.created_at.ms(),
        "optional": echoed(&payout.echo).to_string(),
    })
}

/// Code and group, as the note has them; what the native API asked for has none.
fn code(payout: &FrontPayoutRecord) -> (&str, &str) {
    let mut words = payout.memo.split(' ').skip(1);
    (words.next().unwrap_or("BC_TRANSFER"), words.next().unwrap_or("BC"))
}

/// Whether there is a webhook for it.
pub(super) fn is_told(payout: &FrontPayoutRecord) -> bool {
    code(payout).1 != "WX"
}

/// The webhook that tells of a payout that is done.
pub(super) fn notice(account: &FrontAccount, payout: &FrontPayoutRecord, now: Timestamp) -> WireRequest {
    let ((code, group), fee) = (code(payout), payout.amount.minor());
    let trade_no = payout.trade_no.as_deref().unwrap_or_default();
    posted(&json!({
        "signature": signature(&account.settings, "TRANSFER", &payout.number, group, fee),
        "timestamp": now.ms(),
        "channel_type": group,
        "sub_channel_type": code,
        "transaction_type": "TRANSFER",
        "transaction_id": payout.number,
        "transaction_fee": fee,
        "trade_success": true,
        "message_detail": {
            "out_trade_no": payout.number, "trade_no": trade_no, "trade_amount": fee.to_string(),
            "trade_status": "FINI",
        },
        "optional": echoed(&payout.echo),
    }))
}
