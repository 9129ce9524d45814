//! A request for a payment: as written, and as checked. Parsed once, at the edge.

mod front;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::channel::Needs;
use crate::ids::{ChannelId, OrderNo};
use crate::method::{Method, Product};
use crate::money::{AMOUNT_MAX, Currency, Money};
use crate::payment::FrontNote;
use crate::region::Region;
use crate::secret::Secret;
use crate::wire::{Endpoint, PlainHttp};

/// The longest subject, in characters.
pub const SUBJECT_CHARS_MAX: usize = 127;
/// The longest URL, in bytes.
pub const URL_BYTES_MAX: usize = 512;
/// The most metadata entries.
pub const METADATA_KEYS_MAX: usize = 50;
/// The longest metadata key, in bytes.
pub const METADATA_KEY_BYTES_MAX: usize = 40;
/// The longest metadata value, in characters.
pub const METADATA_VALUE_CHARS_MAX: usize = 500;
/// The most provider fields, and the most bytes of them all as JSON.
pub const EXTRA_KEYS_MAX: usize = 50;
/// The most bytes of all provider fields together, written as JSON.
pub const EXTRA_BYTES_MAX: usize = 8192;
/// The life of a payment whose request names none, in seconds.
pub const EXPIRES_IN_DEFAULT: u32 = 1800;
/// The longest life of a payment, in seconds (30 days).
pub const EXPIRES_IN_MAX: u32 = 2_592_000;

/// The longest id of a payer, in characters.
pub const PAYER_ID_CHARS_MAX: usize = 64;
/// The longest id of a payer inside a wallet, in characters.
pub const OPENID_CHARS_MAX: usize = 128;
/// The longest barcode of a payer, in characters.
pub const AUTH_CODE_CHARS_MAX: usize = 64;

/// A request for a payment, as it is written in JSON. [`NewPayment::check`] makes it true.
#[derive(Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PaymentRequest {
    /// The merchant's number: 1 to 64 letters, digits, `-` or `_`, unique in the app for ever.
    pub order_no: String,
    /// Minor units, more than zero.
    pub amount: i64,
    /// ISO 4217, such as `CNY`.
    pub currency: String,
    /// `wallet.product`, such as `wechat.native`.
    pub method: String,
    /// What is bought, in one line.
    pub subject: String,
    /// Seconds until it expires; 1800 when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in: Option<u32>,
    /// Where the payer's browser goes in the end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub return_url: Option<String>,
    /// Where the notices of this payment go instead of the app's own address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify_url: Option<String>,
    /// What is known of the payer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub payer: Option<PayerRequest>,
    /// The merchant's own data.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// A channel that must take it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// Provider fields by the provider's own names.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub extra: BTreeMap<String, serde_json::Value>,
}

impl PaymentRequest {
    /// One with the fields that every request has; the others can be set on it.
    pub fn new(order_no: &str, amount: i64, currency: &str, method: &str, subject: &str) -> Self {
        Self {
            order_no: order_no.to_owned(),
            amount,
            currency: currency.to_owned(),
            method: method.to_owned(),
            subject: subject.to_owned(),
            expires_in: None,
            return_url: None,
            notify_url: None,
            payer: None,
            metadata: BTreeMap::new(),
            channel: None,
            extra: BTreeMap::new(),
        }
    }
}

/// What is known of the payer, as it is written in JSON.
#[derive(Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PayerRequest {
    /// The payer's address, version 4 or 6.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip: Option<String>,
    /// ISO 3166-2, such as `CN-31`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The merchant's own stable id of the payer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The payer's id inside the wallet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub openid: Option<String>,
    /// The digits of the payer's barcode. Passed on once, never stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_code: Option<String>,
}

/// What is known of the payer, checked. Lives in memory only: nothing of it is stored.
#[derive(Debug, Clone, Default)]
pub struct Payer {
    /// The payer's address.
    pub ip: Option<IpAddr>,
    /// Where the payer is.
    pub region: Option<Region>,
    /// The merchant's own stable id of the payer.
    pub id: Option<String>,
    /// The payer's id inside the wallet.
    pub openid: Option<String>,
    /// The digits of the payer's barcode.
    pub auth_code: Option<Secret>,
}

impl Payer {
    /// Which of the fields that a method can need are there.
    pub(crate) fn carries(&self) -> Needs {
        let given = [
            (self.auth_code.is_some(), Needs::AUTH_CODE),
            (self.openid.is_some(), Needs::OPENID),
            (self.ip.is_some(), Needs::IP),
            (self.id.is_some(), Needs::PAYER_ID),
        ];
        let given = given.into_iter().filter(|(is_given, _)| *is_given);
        given.fold(Needs::nothing(), |all, (_, need)| all | need)
    }
}

/// A request for a payment in which every field is true.
#[derive(Debug, Clone)]
pub struct NewPayment {
    /// The merchant's number.
    pub order_no: OrderNo,
    /// How much, more than zero.
    pub amount: Money,
    /// What the payer uses.
    pub method: Method,
    /// What is bought.
    pub subject: String,
    /// How long it lives.
    pub expires_in: Duration,
    /// Where the payer's browser goes in the end.
    pub return_url: Option<String>,
    /// Where its notices go.
    pub notify_url: Option<Endpoint>,
    /// What is known of the payer.
    pub payer: Payer,
    /// The merchant's own data.
    pub metadata: BTreeMap<String, String>,
    /// A channel that must take it.
    pub channel: Option<ChannelId>,
    /// Provider fields.
    pub extra: BTreeMap<String, serde_json::Value>,
    /// What is remembered of it where a client of a front asks for it.
    pub front: Option<Box<FrontNote>>,
    /// SHA-256 over the request as it was written, without `extra` and `payer.auth_code`.
    written: [u8; 32],
}

/// A field that breaks its rule.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{param}`: {rule}")]
pub struct InvalidField {
    /// Which, as a path such as `payer.ip`.
    pub param: String,
    /// What is allowed, and what was given where that helps.
    pub rule: String,
}

impl InvalidField {
    /// That field breaks that rule.
    pub fn new(param: impl Into<String>, rule: impl Into<String>) -> Self {
        Self { param: param.into(), rule: rule.into() }
    }
}

impl NewPayment {
    /// Checks every field; the first that breaks its rule is the answer.
    pub fn check(request: &PaymentRequest) -> Result<Self, InvalidField> {
        let method: Method = request.method.parse().map_err(|e| named("method", &e))?;
        Ok(Self {
            order_no: OrderNo::new(&request.order_no).map_err(|e| InvalidField::new("order_no", e.rule))?,
            amount: amount(request)?,
            method,
            subject: subject(&request.subject)?,
            expires_in: expires_in(request.expires_in)?,
            return_url: request.return_url.as_deref().map(return_url).transpose()?,
            notify_url: request.notify_url.as_deref().map(notify_url).transpose()?,
            payer: payer(request.payer.as_ref(), method.product)?,
            metadata: metadata(&request.metadata)?,
            channel: request.channel.as_deref().map(channel).transpose()?,
            extra: extra(&request.extra)?,
            front: None,
            written: written(request),
        })
    }

    /// A digest by which a repeat is known: the same order number with another one is another
    /// request. Covers every field as it was written, but of what must leave no trace (the payer's
    /// barcode, and provider fields that are secret by `is_secret`) only whether it is there: even
    /// a digest of a card's few digits would tell them to whoever tries all. Of what a client of a front wants, a
    /// provider's fields do not count: which of them any channel takes is the configuration's word, and changes.
    pub fn fingerprint(&self, is_secret: impl Fn(&str) -> bool) -> String {
        if self.front.is_some() {
            return hex(&self.written);
        }
        let mut digest = Sha256::new_with_prefix(self.written);
        for (name, value) in &self.extra {
            let value = if is_secret(name) { "?".to_owned() } else { value.to_string() };
            let field = serde_json::json!([name, value]);
            digest.update(field.to_string());
        }
        hex(&digest.finalize())
    }
}

fn named(param: &str, error: &dyn std::fmt::Display) -> InvalidField {
    InvalidField::new(param, error.to_string())
}

fn amount(request: &PaymentRequest) -> Result<Money, InvalidField> {
    let currency = Currency::from_code(&request.currency)
        .ok_or_else(|| InvalidField::new("currency", "write an ISO 4217 code in upper case, like CNY"))?;
    if !(1..=AMOUNT_MAX).contains(&request.amount) {
        let rule = format!("write minor units from 1 to {AMOUNT_MAX}, like 1999 for 19.99 CNY");
        return Err(InvalidField::new("amount", rule));
    }
    Ok(Money::new(request.amount, currency))
}

fn subject(text: &str) -> Result<String, InvalidField> {
    one_line("subject", text, SUBJECT_CHARS_MAX)
}

/// One line of 1 to `chars_max` characters, without the blanks around it.
pub(crate) fn one_line(param: &str, text: &str, chars_max: usize) -> Result<String, InvalidField> {
    let trimmed = text.trim();
    let length = trimmed.chars().count();
    if !(1..=chars_max).contains(&length) || trimmed.chars().any(char::is_control) {
        let rule = format!("write one line of 1 to {chars_max} characters without control characters");
        return Err(InvalidField::new(param, rule));
    }
    Ok(trimmed.to_owned())
}

fn expires_in(seconds: Option<u32>) -> Result<Duration, InvalidField> {
    let seconds = seconds.unwrap_or(EXPIRES_IN_DEFAULT);
    if !(1..=EXPIRES_IN_MAX).contains(&seconds) {
        return Err(InvalidField::new("expires_in", format!("write seconds from 1 to {EXPIRES_IN_MAX}")));
    }
    Ok(Duration::from_secs(seconds.into()))
}

fn url(param: &str, text: &str) -> Result<Endpoint, InvalidField> {
    if text.len() > URL_BYTES_MAX {
        return Err(InvalidField::new(param, format!("at most {URL_BYTES_MAX} bytes")));
    }
    Endpoint::parse(text, PlainHttp::Anywhere).map_err(|e| named(param, &e))
}

fn return_url(text: &str) -> Result<String, InvalidField> {
    url("return_url", text).map(|url| url.as_str().to_owned())
}

pub(crate) fn notify_url(text: &str) -> Result<Endpoint, InvalidField> {
    url("notify_url", text)
}

fn channel(text: &str) -> Result<ChannelId, InvalidField> {
    ChannelId::new(text).map_err(|e| InvalidField::new("channel", e.rule))
}

fn payer(request: Option<&PayerRequest>, product: Product) -> Result<Payer, InvalidField> {
    let empty = PayerRequest::default();
    let request = request.unwrap_or(&empty);
    let payer = Payer {
        ip: request.ip.as_deref().map(ip).transpose()?,
        region: request.region.as_deref().map(region).transpose()?,
        id: request.id.as_deref().map(|text| printable("payer.id", text, PAYER_ID_CHARS_MAX)).transpose()?,
        openid: request
            .openid
            .as_deref()
            .map(|text| printable("payer.openid", text, OPENID_CHARS_MAX))
            .transpose()?,
        auth_code: request.auth_code.as_deref().map(auth_code).transpose()?,
    };
    let missing = |param, what| Err(InvalidField::new(param, format!("`{product}` needs {what}")));
    match product {
        Product::Barcode if payer.auth_code.is_none() => {
            missing("payer.auth_code", "the digits of the payer's barcode")
        }
        Product::Jsapi | Product::Mini if payer.openid.is_none() => {
            missing("payer.openid", "the payer's id inside the wallet")
        }
        _ => Ok(payer),
    }
}

fn ip(text: &str) -> Result<IpAddr, InvalidField> {
    text.parse().map_err(|_| InvalidField::new("payer.ip", "write an IPv4 or IPv6 address, like 203.0.113.7"))
}

fn region(text: &str) -> Result<Region, InvalidField> {
    Region::from_code(text).ok_or_else(|| InvalidField::new("payer.region", Region::RULE))
}

fn printable(param: &str, text: &str, chars_max: usize) -> Result<String, InvalidField> {
    if (1..=chars_max).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(text.to_owned());
    }
    Err(InvalidField::new(param, format!("write 1 to {chars_max} printable ASCII characters without blanks")))
}

fn auth_code(text: &str) -> Result<Secret, InvalidField> {
    if (1..=AUTH_CODE_CHARS_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Ok(Secret::new(text));
    }
    let rule = format!("write 1 to {AUTH_CODE_CHARS_MAX} digits or letters, as scanned");
    Err(InvalidField::new("payer.auth_code", rule))
}

fn metadata(map: &BTreeMap<String, String>) -> Result<BTreeMap<String, String>, InvalidField> {
    if map.len() > METADATA_KEYS_MAX {
        return Err(InvalidField::new("metadata", format!("at most {METADATA_KEYS_MAX} entries")));
    }
    for (key, value) in map {
        let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.');
        if !(1..=METADATA_KEY_BYTES_MAX).contains(&key.len()) || !key.bytes().all(good) {
            let rule = format!("a key is 1 to {METADATA_KEY_BYTES_MAX} letters, digits, `-`, `_` or `.`");
            return Err(InvalidField::new("metadata", rule));
        }
        if value.chars().count() > METADATA_VALUE_CHARS_MAX || value.contains('\0') {
            let rule = format!("at most {METADATA_VALUE_CHARS_MAX} characters, none of them NUL");
            return Err(InvalidField::new(format!("metadata.{key}"), rule));
        }
    }
    Ok(map.clone())
}

pub(crate) fn extra(
    map: &BTreeMap<String, serde_json::Value>,
) -> Result<BTreeMap<String, serde_json::Value>, InvalidField> {
    let bytes: usize = map.iter().map(|(key, value)| key.len() + value.to_string().len()).sum();
    if map.len() > EXTRA_KEYS_MAX || bytes > EXTRA_BYTES_MAX {
        let rule = format!("at most {EXTRA_KEYS_MAX} fields and {EXTRA_BYTES_MAX} bytes");
        return Err(InvalidField::new("extra", rule));
    }
    Ok(map.clone())
}

/// SHA-256 over the request written as JSON in one fixed order. What is left to a default is the
/// same as what names it.
fn written(request: &PaymentRequest) -> [u8; 32] {
    let mut request = request.clone();
    request.extra.clear();
    request.expires_in.get_or_insert(EXPIRES_IN_DEFAULT);
    request.payer.get_or_insert_default();
    if let Some(payer) = &mut request.payer {
        payer.auth_code = payer.auth_code.take().map(|_| "?".to_owned());
    }
    Sha256::digest(serde_json::to_vec(&request).unwrap_or_default()).into()
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::needless_pass_by_value, reason = "rows write their patch in place")]

    use serde_json::json;

    use super::*;

    fn request(patch: serde_json::Value) -> PaymentRequest {
        let mut body = json!({"order_no": "A1001", "amount": 1999, "currency": "CNY",
            "method": "wechat.native", "subject": "Tea"});
        body.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        serde_json::from_value(body).unwrap()
    }

    #[test]
    fn a_new_one_has_what_every_request_has() {
        let new = PaymentRequest::new("A1001", 1999, "CNY", "wechat.native", "Tea");
        let written = request(json!({}));
        assert_eq!(serde_json::to_value(new).unwrap(), serde_json::to_value(written).unwrap());
    }

    #[test]
    fn takes_a_plain_request() {
        let payment = NewPayment::check(&request(json!({}))).unwrap();
        assert_eq!(payment.amount, Money::fen(1999));
        assert_eq!(payment.expires_in, Duration::from_mins(30));
    }

    #[test]
    fn names_the_field_that_breaks_its_rule() {
        check(json!({"order_no": ""}), "order_no");
        check(json!({"order_no": "订单"}), "order_no");
        check(json!({"amount": 0}), "amount");
        check(json!({"amount": -1}), "amount");
        check(json!({"amount": AMOUNT_MAX + 1}), "amount");
        check(json!({"currency": "cny"}), "currency");
        check(json!({"currency": "YUAN"}), "currency");
        check(json!({"method": "wechat.qr"}), "method");
        check(json!({"subject": "  "}), "subject");
        check(json!({"subject": "a\nb"}), "subject");
        check(json!({"subject": "茶".repeat(128)}), "subject");
        check(json!({"expires_in": 0}), "expires_in");
        check(json!({"expires_in": EXPIRES_IN_MAX + 1}), "expires_in");
        check(json!({"return_url": "javascript:alert(1)"}), "return_url");
        check(json!({"notify_url": "https://u:p@h/"}), "notify_url");
        check(json!({"notify_url": format!("https://h/{}", "x".repeat(512))}), "notify_url");
        check(json!({"payer": {"ip": "1.2.3"}}), "payer.ip");
        check(json!({"payer": {"region": "cn-31"}}), "payer.region");
        check(json!({"payer": {"id": "a b"}}), "payer.id");
        check(json!({"payer": {"auth_code": "12 34"}}), "payer.auth_code");
        check(json!({"method": "wechat.barcode"}), "payer.auth_code");
        check(json!({"method": "wechat.jsapi"}), "payer.openid");
        check(json!({"metadata": {"": "x"}}), "metadata");
        check(json!({"metadata": {"k": "x".repeat(501)}}), "metadata.k");
        check(json!({"channel": "a/b"}), "channel");
        check(json!({"extra": {"k": "x".repeat(EXTRA_BYTES_MAX)}}), "extra");

        #[track_caller]
        fn check(patch: serde_json::Value, param: &str) {
            let error = NewPayment::check(&request(patch.clone())).unwrap_err();
            assert_eq!(error.param, param, "{patch}: {error}");
        }
    }

    fn fingerprint(patch: serde_json::Value) -> String {
        NewPayment::check(&request(patch)).unwrap().fingerprint(|name| name == "cardpwd")
    }

    #[test]
    fn every_field_counts_in_the_fingerprint() {
        let base = fingerprint(json!({}));
        assert_eq!((base.as_str(), base.len()), (fingerprint(json!({})).as_str(), 64));
        for patch in [
            json!({"amount": 2000}),
            json!({"subject": "Tea "}),
            json!({"expires_in": 1801}),
            json!({"metadata": {"a": "b"}}),
            json!({"extra": {"a": 1}}),
            json!({"extra": {"a": "1"}}),
            json!({"extra": {"cardpwd": "1"}}),
            json!({"payer": {"auth_code": "1"}}),
            json!({"payer": {"openid": "1"}}),
        ] {
            assert_ne!(base, fingerprint(patch.clone()), "{patch}");
        }
        for same in [json!({"expires_in": 1800}), json!({"payer": {}}), json!({"extra": {}})] {
            assert_eq!(base, fingerprint(same.clone()), "{same}");
        }
        assert_ne!(fingerprint(json!({"extra": {"a": 1}})), fingerprint(json!({"extra": {"a": 2}})));
    }

    #[test]
    fn a_fingerprint_tells_nothing_of_a_barcode_or_a_card() {
        let card = |pwd| fingerprint(json!({"extra": {"cardpwd": pwd}}));
        let barcode = |code| fingerprint(json!({"payer": {"auth_code": code}}));
        assert_eq!(card("1234"), card("4321"));
        assert_eq!(barcode("134567890123456789"), barcode("280000000000000000"));
    }
}
