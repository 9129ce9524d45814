//! A create as a client sends it: its fields in the order in which they are checked.
//!
//! Source: BeeCloud V2 document, `bill` and `offline/bill`; the vendor's own test sheet of 2016 for the codes.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use paymux_core::acceptor::{FrontCall, FrontPay};
use paymux_core::channel::Needs;
use paymux_core::{Money, Secret};
use serde_json::{Map, Value};

use super::fields::{Fault, Fields};
use super::number;
use crate::map::codes::{CODES, Code, Family, OTHER_CODES, Page};
use crate::map::extra::{self, EVERYWHERE, Place};
use crate::wire::{TITLE_WIDTH_MAX, char_width};

pub(super) fn create(fields: &Fields, family: Family) -> Result<(FrontCall, String), Fault> {
    let code = code(fields.required_text("channel")?, family)?;
    let amount = total_fee(fields, code)?;
    let number = number("bill_no", fields.required_text("bill_no")?)?;
    let subject = title(fields.required_text("title")?)?;
    let echo = fields.map("optional")?;
    refuse_card_session(code, fields, echo)?;
    if fields.text("coupon_id")?.is_some() {
        return Err(Fault::invalid("coupon_id", "coupons are not offered here"));
    }
    let auth_code = needed(fields, code, Needs::AUTH_CODE, "auth_code")?;
    if auth_code.is_some_and(|digits| digits.len() > 64 || !digits.bytes().all(|b| b.is_ascii_digit())) {
        return Err(Fault::invalid("auth_code", "must be the digits of the payer's code"));
    }
    let pay = FrontPay {
        number,
        amount,
        method: code.method,
        subject,
        expires_in: fields
            .integer("bill_timeout", 1)?
            .map(|seconds| Duration::from_secs(seconds.unsigned_abs())),
        return_url: return_url(fields, code)?,
        notify_url: notify_url(fields)?,
        payer_ip: payer_ip(fields)?,
        openid: needed(fields, code, Needs::OPENID, "openid")?.map(str::to_owned),
        auth_code: auth_code.map(Secret::new),
        echo: echo.map_or(Value::Null, |map| Value::Object(map.clone())),
        extra: extra_fields(fields, code, echo)?,
        payer_id: needed(fields, code, Needs::PAYER_ID, "identity_id")?.map(str::to_owned),
    };
    let via = auth_code
        .filter(|_| code.name == "BC_SCAN")
        .and_then(wallet_of)
        .map_or(String::new(), |w| format!(" via:{w}"));
    let memo = code.memo(family) + &via;
    Ok((FrontCall::Pay(Box::new(pay)), memo))
}

/// The row of a `channel`: 5 for a text that BeeCloud does not know, 3 for one that it knows and
/// this path does not take.
fn code(name: &str, family: Family) -> Result<&'static Code, Fault> {
    let known_as = match name {
        "SCAN" => "BC_SCAN",
        "BC_WX_NATIVE" => "BC_NATIVE",
        name => name,
    };
    let refused = |why: &str| Err(Fault::new(3, format!("channel: {name} {why}")));
    match CODES.iter().find(|code| code.name == known_as) {
        Some(code) if code.is_taken_by(family) => Ok(code),
        Some(_) => refused("is not taken on this path"),
        None if OTHER_CODES.contains(&name) => refused("is not offered here"),
        None => Err(Fault::invalid("channel", "is not a known code")),
    }
}

fn total_fee(fields: &Fields, code: &Code) -> Result<Money, Fault> {
    let fee = fields.required_integer("total_fee")?;
    if !(1..=code.fee_max()).contains(&fee) {
        return Err(Fault::invalid("total_fee", &format!("must be 1 to {} fen", code.fee_max())));
    }
    Ok(Money::fen(fee))
}

/// 32 bytes counted as in GBK.
pub(super) fn title(text: &str) -> Result<String, Fault> {
    let width: usize = text.chars().map(char_width).sum();
    if width > TITLE_WIDTH_MAX || text.trim().is_empty() || text.chars().any(char::is_control) {
        return Err(Fault::invalid("title", "must be one line of at most 32 bytes, or 16 Han characters"));
    }
    Ok(text.to_owned())
}

/// Paying by a card's stored session moves card data, which nobody may pass through here.
fn refuse_card_session(
    code: &Code,
    fields: &Fields,
    optional: Option<&Map<String, Value>>,
) -> Result<(), Fault> {
    let held = ["token", "phone_no", "id_no", "customer_name", "card_no"];
    let session = held.iter().any(|name| optional.is_some_and(|map| map.contains_key(*name)));
    if code.name == "BC_EXPRESS" && (session || fields.value("token").is_some()) {
        return Err(Fault::new(3, "channel: BC_EXPRESS with card data in optional is not offered here"));
    }
    Ok(())
}

/// A field that the code needs; of other codes it is not read.
fn needed<'a>(fields: &'a Fields, code: &Code, need: Needs, name: &str) -> Result<Option<&'a str>, Fault> {
    if code.needs.has(need) { fields.required_text(name).map(Some) } else { Ok(None) }
}

/// Any address is taken: BeeCloud was never seen to check one.
fn return_url(fields: &Fields, code: &Code) -> Result<Option<String>, Fault> {
    if code.page == Page::MustReturn {
        return fields.required_text("return_url").map(|url| Some(url.to_owned()));
    }
    Ok(fields.text("return_url")?.map(str::to_owned))
}

pub(super) fn notify_url(fields: &Fields) -> Result<Option<String>, Fault> {
    match fields.text("notify_url")? {
        Some(url) if !extra::is_web_address(url) => {
            Err(Fault::invalid("notify_url", "must begin with http:// or https://"))
        }
        url => Ok(url.map(str::to_owned)),
    }
}

/// `analysis.ip`, which no code has to carry here.
fn payer_ip(fields: &Fields) -> Result<Option<String>, Fault> {
    let Some(ip) = fields.map("analysis")?.and_then(|analysis| analysis.get("ip")).filter(|ip| !ip.is_null())
    else {
        return Ok(None);
    };
    match ip.as_str() {
        Some("") => Ok(None),
        Some(text) if text.parse::<IpAddr>().is_ok() => Ok(Some(text.to_owned())),
        _ => Err(Fault::invalid("analysis.ip", "must be an IPv4 or IPv6 address")),
    }
}

/// The code's own fields. What other codes define is passed over, right or wrong: an SDK sends the
/// fields of all its earlier calls again.
fn extra_fields(
    fields: &Fields,
    code: &Code,
    optional: Option<&Map<String, Value>>,
) -> Result<BTreeMap<String, Value>, Fault> {
    let mut taken = BTreeMap::new();
    for name in code.wants.iter().chain(code.takes).chain(EVERYWHERE) {
        let Some(field) = extra::field(name) else { continue };
        let value = match field.place {
            Place::Top => fields.formed(name, field.form)?,
            Place::Optional => {
                optional.and_then(|map| map.get(*name)).filter(|value| field.form.check(value).is_ok())
            }
        };
        match value {
            Some(value) => drop(taken.insert((*name).to_owned(), value.clone())),
            None if code.wants.contains(name) => return Err(Fault::missing(name)),
            None => {}
        }
    }
    if code.name == "ALI_SCAN" && !taken.contains_key("terminal_id") && !taken.contains_key("store_id") {
        return Err(Fault::new(4, "terminal_id or store_id is missing"));
    }
    if let Some(id) = needed(fields, code, Needs::PAYER_ID, "identity_id")? {
        if id.len() > 50 || !id.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(Fault::invalid("identity_id", "must be 1 to 50 letters and digits"));
        }
        taken.insert("identity_id".to_owned(), Value::from(id));
    }
    fields.short_text("buyer_id", 64)?;
    Ok(taken)
}

/// Whose code a payer shows: WeChat's begin with 10 to 15, Alipay's with 25 to 30.
///
/// Source: the two wallets' own documents of their barcode payments.
fn wallet_of(auth_code: &str) -> Option<&'static str> {
    match auth_code.get(..2)?.parse::<u8>().ok()? {
        10..=15 => Some("WX_SCAN"),
        25..=30 => Some("ALI_SCAN"),
        _ => None,
    }
}
