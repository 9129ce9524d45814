//! Payouts as a client asks for them: their fields in the order in which they are checked. Who receives is handed on
//! under names that several providers have.
//!
//! Source: BeeCloud V2 document, `bc_transfer`, `transfer` and `transfers`; the filters of `transfers` are in one SDK
//! alone.

use std::collections::BTreeMap;

use paymux_core::acceptor::{
    FrontAccount, FrontCall, FrontPayOut, FrontPayee, FrontPayoutFilter, FrontStanding,
};
use paymux_core::{Money, Secret, Timestamp};
use serde_json::{Map, Value};

use super::create::{notify_url, title};
use super::fields::{Fault, Fields};
use super::operation::Payout;
use super::{PAYOUT_CHANNEL, channel_of, number, page};
use crate::map::codes::FEE_MAX;

/// The most payouts of one batch.
const BATCH_MAX: usize = 1000;
/// The longest text of a person's or an account's name, in characters.
const TEXT_CHARS_MAX: usize = 128;
/// The most fen of a WeChat red packet, and the least of what goes to WeChat.
const RED_PACKET_MAX: i64 = 20_000;
const WECHAT_MIN: i64 = 100;
/// The products, by names that several providers have.
const BANK_CARD: &str = "bank_card";
const WALLET: &str = "wallet";
const RED_PACKET: &str = "red_packet";

/// A call that pays out. The note of it keeps its code and its group.
pub(super) fn pay_out(
    account: &FrontAccount,
    fields: &Fields,
    kind: Payout,
) -> Result<(FrontCall, String), Fault> {
    let Some(channel) = channel_of(account, PAYOUT_CHANNEL) else {
        let why = "no payout is offered to this app: its configuration names no `payout_channel`";
        return Err(Fault::new(3, why));
    };
    let (items, code) = match kind {
        Payout::Bank => (vec![to_bank(fields)?], "BC_TRANSFER BC"),
        Payout::Wallet => to_wallet(fields)?,
        Payout::Batch => (batch(fields)?, "ALI_TRANSFER ALI"),
    };
    let asked = FrontPayOut {
        channel,
        items,
        notify_url: notify_url(fields)?,
        echo: fields.map("optional")?.map_or(Value::Null, |map| Value::Object(map.clone())),
    };
    Ok((FrontCall::PayOut(Box::new(asked)), format!("payout {code}")))
}

fn to_bank(fields: &Fields) -> Result<FrontPayee, Fault> {
    let amount = fee(fields, "total_fee", 1..=FEE_MAX)?;
    let number = number("bill_no", fields.required_text("bill_no")?)?;
    let reason = title(fields.required_text("title")?)?;
    one_of(fields, "trade_source", &["OUT_PC"])?;
    let mut payee = BTreeMap::new();
    for name in ["bank_fullname", "card_type", "account_type", "account_no", "account_name"] {
        let allowed: &[&str] = match name {
            "card_type" => &["DE", "CR"],
            "account_type" => &["P", "C"],
            _ => &[],
        };
        let text = if allowed.is_empty() { short(fields, name)? } else { one_of(fields, name, allowed)? };
        payee.insert(name.to_owned(), Secret::new(text));
    }
    if let Some(mobile) = fields.short_text("mobile", TEXT_CHARS_MAX)? {
        payee.insert("mobile".to_owned(), Secret::new(mobile));
    }
    Ok(FrontPayee { number, amount, product: BANK_CARD, payee, reason, extra: BTreeMap::new() })
}

fn to_wallet(fields: &Fields) -> Result<(Vec<FrontPayee>, &'static str), Fault> {
    let channel = one_of(fields, "channel", &["ALI_TRANSFER", "WX_TRANSFER", "WX_REDPACK"])?;
    let number = number("transfer_no", fields.required_text("transfer_no")?)?;
    let (product, code, fees) = match channel {
        "ALI_TRANSFER" => (WALLET, "ALI_TRANSFER ALI", 1..=FEE_MAX),
        "WX_TRANSFER" => (WALLET, "WX_TRANSFER WX", WECHAT_MIN..=FEE_MAX),
        _ => (RED_PACKET, "WX_REDPACK WX", WECHAT_MIN..=RED_PACKET_MAX),
    };
    let amount = fee(fields, "total_fee", fees)?;
    let reason = short(fields, "desc")?.to_owned();
    let receiver = short(fields, "channel_user_id")?;
    let (mut payee, mut extra) = (BTreeMap::new(), BTreeMap::new());
    let mut put = |name: &str, text: &str| drop(payee.insert(name.to_owned(), Secret::new(text)));
    if channel == "ALI_TRANSFER" {
        put("account", receiver);
        put("account_name", short(fields, "channel_user_name")?);
        put("wallet", "alipay");
        extra.insert("payer_name".to_owned(), Value::from(short(fields, "account_name")?));
    } else {
        put("account", receiver);
        put("openid", receiver);
        put("wallet", "wechat");
    }
    if channel == "WX_REDPACK" {
        let info = fields.map("redpack_info")?.ok_or_else(|| Fault::missing("redpack_info"))?;
        extra.extend(red_packet(info)?);
    }
    Ok((vec![FrontPayee { number, amount, product, payee, reason, extra }], code))
}

fn red_packet(info: &Map<String, Value>) -> Result<BTreeMap<String, Value>, Fault> {
    let mut kept = BTreeMap::new();
    for (name, max) in [("send_name", 32), ("wishing", 128), ("act_name", 32)] {
        let path = format!("redpack_info.{name}");
        let text = info.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let text = text.ok_or_else(|| Fault::missing(&path))?;
        if text.chars().count() > max {
            return Err(Fault::invalid(&path, &format!("at most {max} characters")));
        }
        kept.insert(name.to_owned(), Value::from(text));
    }
    Ok(kept)
}

/// Each row is a payout of its own, under the batch's number and its own.
fn batch(fields: &Fields) -> Result<Vec<FrontPayee>, Fault> {
    one_of(fields, "channel", &["ALI"])?;
    let batch_no = number("batch_no", fields.required_text("batch_no")?)?;
    let payer = short(fields, "account_name")?;
    let rows = fields.required("transfer_data")?.as_array();
    let rows = rows.filter(|rows| (1..=BATCH_MAX).contains(&rows.len()));
    let rule = || Fault::invalid("transfer_data", &format!("must be a list of 1 to {BATCH_MAX} Maps"));
    let rows = rows.ok_or_else(rule)?;
    let row = |(place, row): (usize, &Value)| {
        let row = row.as_object().ok_or_else(rule)?;
        batch_row(&batch_no, payer, &Fields::of(row))
            .map_err(|fault| Fault::new(fault.code, format!("transfer_data[{place}].{}", fault.detail)))
    };
    let items: Vec<FrontPayee> = rows.iter().enumerate().map(row).collect::<Result<_, _>>()?;
    let mut numbers: Vec<&str> = items.iter().map(|item| item.number.as_str()).collect();
    numbers.sort_unstable();
    match numbers.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(_) => Err(Fault::invalid("transfer_data", "each transfer_id must be there once")),
        None => Ok(items),
    }
}

fn batch_row(batch_no: &str, payer: &str, row: &Fields) -> Result<FrontPayee, Fault> {
    let id = row.required_text("transfer_id")?;
    let number = number("transfer_id", &format!("{batch_no}-{id}"))
        .map_err(|_| Fault::invalid("transfer_id", "must be printable, at most 63 with batch_no"))?;
    let payee = BTreeMap::from([
        ("account".to_owned(), Secret::new(short(row, "receiver_account")?)),
        ("account_name".to_owned(), Secret::new(short(row, "receiver_name")?)),
        ("wallet".to_owned(), Secret::new("alipay")),
    ]);
    Ok(FrontPayee {
        number,
        amount: fee(row, "transfer_fee", 1..=FEE_MAX)?,
        product: WALLET,
        payee,
        reason: row.short_text("transfer_note", TEXT_CHARS_MAX)?.unwrap_or_default().to_owned(),
        extra: BTreeMap::from([("payer_name".to_owned(), Value::from(payer))]),
    })
}

/// Which banks there are is not kept here: whoever pays out knows.
pub(super) fn banks(fields: &Fields) -> Fault {
    match one_of(fields, "type", &["P_DE", "P_CR", "C"]) {
        Ok(_) => Fault::new(3, "no list of banks is kept here: ask whoever pays out for this app"),
        Err(fault) => fault,
    }
}

/// A list; one SDK asks for a batch payout with the same verb and path, and no GET pays out.
pub(super) fn list(fields: &Fields) -> Result<(FrontCall, String), Fault> {
    let filter = filter(fields)?;
    let (skip, limit) = page(fields)?;
    Ok((FrontCall::ListPayouts(FrontPayoutFilter { skip, limit, ..filter }), "payouts".to_owned()))
}

pub(super) fn count(fields: &Fields) -> Result<(FrontCall, String), Fault> {
    Ok((FrontCall::CountPayouts(filter(fields)?), "payout_count".to_owned()))
}

fn filter(fields: &Fields) -> Result<FrontPayoutFilter, Fault> {
    if fields.value("transfer_data").is_some() {
        return Err(Fault::invalid(
            "transfer_data",
            "nothing is paid out on a GET: POST it, nothing was done",
        ));
    }
    let standing = match fields.text("transfer_status")? {
        None => None,
        Some("SUCCESS") => Some(FrontStanding::Done),
        Some("FAIL") => Some(FrontStanding::Failed),
        Some("PROCESSING") => Some(FrontStanding::UnderWay),
        Some(_) => {
            return Err(Fault::invalid("transfer_status", "must be SUCCESS, FAIL or PROCESSING"));
        }
    };
    fields.flag("need_detail")?;
    Ok(FrontPayoutFilter {
        number: fields.text("bill_no")?.map(str::to_owned),
        standing,
        from: fields.integer("start_time", 0)?.map(Timestamp::from_ms),
        to: fields.integer("end_time", 0)?.map(Timestamp::from_ms),
        ..FrontPayoutFilter::default()
    })
}

fn fee(fields: &Fields, name: &str, allowed: std::ops::RangeInclusive<i64>) -> Result<Money, Fault> {
    let fee = fields.required_integer(name)?;
    if !allowed.contains(&fee) {
        let rule = format!("must be {} to {} fen", allowed.start(), allowed.end());
        return Err(Fault::invalid(name, &rule));
    }
    Ok(Money::fen(fee))
}

/// A short text that must be there.
fn short<'a>(fields: &'a Fields, name: &str) -> Result<&'a str, Fault> {
    fields.required(name)?;
    fields.short_text(name, TEXT_CHARS_MAX)?.ok_or_else(|| Fault::missing(name))
}

/// One of these words, which must be there.
fn one_of<'a>(fields: &'a Fields, name: &str, words: &[&str]) -> Result<&'a str, Fault> {
    let word = fields.required_text(name)?;
    if words.contains(&word) {
        return Ok(word);
    }
    Err(Fault::invalid(name, &format!("must be one of {}", words.join(", "))))
}
