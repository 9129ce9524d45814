//! BeeCloud's webhooks: verify the raw bytes, read what they claim, and answer. Which mistake
//! explains a sign that does not fit is found in `diagnosis`.
//!
//! `signature` covers account, number, type, group and amount, nothing else (see `sign`). What is
//! outside can only send the core to ask BeeCloud; it never settles anything.
//!
//! Source: BeeCloud webhook guide, and the reference of the V2 document.

mod diagnosis;

use paymux_core::channel::{CallbackError, Claim, ClaimKind, Evidence, Verdict};
use paymux_core::{Money, Secret, Verb, WireRequest, WireResponse};
use paymux_sign::{HexCase, Md5Digest};
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::config::{Account, Books};
use crate::map::codes::{Code, GROUPS};
use crate::sign::{self, Notified};

/// The largest webhook that is read, in bytes (64 KiB).
const BODY_BYTES_MAX: usize = 65_536;
/// The most digits of `transaction_fee` that are read: more than any bill has.
const FEE_DIGITS_MAX: usize = 15;

/// The fields that are read, each as its raw text. The camelCase twins that some messages carry,
/// and whatever else stands there, are passed over; a field that stands there twice is an error.
#[derive(Deserialize)]
struct Fields<'a> {
    #[serde(borrow)]
    signature: Option<&'a RawValue>,
    /// Where the scheme from before January 2017 and the test mode put their digest.
    #[serde(borrow)]
    sign: Option<&'a RawValue>,
    /// Not part of the protocol: for telling whose message it is, if it says so.
    #[serde(borrow)]
    app_id: Option<&'a RawValue>,
    #[serde(borrow, rename = "appId")]
    app_id_twin: Option<&'a RawValue>,
    #[serde(borrow)]
    timestamp: Option<&'a RawValue>,
    #[serde(borrow)]
    channel_type: Option<&'a RawValue>,
    #[serde(borrow)]
    sub_channel_type: Option<&'a RawValue>,
    #[serde(borrow)]
    transaction_type: Option<&'a RawValue>,
    #[serde(borrow)]
    transaction_id: Option<&'a RawValue>,
    #[serde(borrow)]
    transaction_fee: Option<&'a RawValue>,
    #[serde(borrow)]
    bill_fee: Option<&'a RawValue>,
    #[serde(borrow)]
    discount: Option<&'a RawValue>,
    #[serde(borrow)]
    coupon_id: Option<&'a RawValue>,
    #[serde(borrow)]
    trade_success: Option<&'a RawValue>,
    #[serde(borrow)]
    message_detail: Option<&'a RawValue>,
    /// What some messages call it.
    #[serde(borrow, rename = "messageDetail")]
    message_detail_twin: Option<&'a RawValue>,
}

/// The fields that the sign covers, each of a form that leaves the unseparated text one reading.
struct Notice<'a> {
    id: String,
    kind: Kind,
    group: &'static str,
    fee_digits: &'a str,
    fee: i64,
}

/// The known values of `transaction_type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Pay,
    Refund,
    Transfer,
    Subscription,
    Sign,
}

impl Kind {
    const ALL: [(Self, &'static str, ClaimKind); 5] = [
        (Self::Pay, "PAY", ClaimKind::Paid),
        (Self::Refund, "REFUND", ClaimKind::Refunded),
        (Self::Transfer, "TRANSFER", ClaimKind::Transferred),
        (Self::Subscription, "SUBSCRIPTION", ClaimKind::Other),
        (Self::Sign, "SIGN", ClaimKind::Other),
    ];

    fn row(self) -> (&'static str, ClaimKind) {
        Self::ALL.iter().find(|row| row.0 == self).map_or(("", ClaimKind::Other), |row| (row.1, row.2))
    }
}

/// How a message was signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scheme {
    /// With a master secret, over the transaction's fields.
    Bound,
    /// With the test secret, over account and time alone.
    TestMode,
}

/// Verifies a webhook and reads its claim.
pub(crate) fn verify(account: &Account, request: &WireRequest) -> Result<Claim, CallbackError> {
    if request.verb != Verb::Post {
        return Err(unreadable("BeeCloud posts its webhooks"));
    }
    if request.body.len() > BODY_BYTES_MAX {
        return Err(unreadable("more than 65536 bytes"));
    }
    let fields = fields(&request.body).map_err(|what| diagnosis::of_unread(account, &request.body, what))?;
    let notice = notice(&fields).map_err(|what| diagnosis::of_odd_fields(account, &fields, what))?;
    let scheme = check_sign(account, &fields, &notice)?;
    Ok(claim(&fields, &notice, scheme))
}

/// The fields of a body, or what is wrong with it. Serde would read a list as the fields in their
/// order.
fn fields(body: &[u8]) -> Result<Fields<'_>, &'static str> {
    if !body.trim_ascii_start().starts_with(b"{") {
        return Err("not a JSON object");
    }
    serde_json::from_slice(body).map_err(|_| "not a JSON object, or a field that stands there twice")
}

/// What BeeCloud expects: exactly `success`; anything else asks for a repeat.
pub(crate) fn acknowledge(verdict: Verdict) -> WireResponse {
    let (status, body) = match verdict {
        Verdict::Accepted => (200, "success"),
        Verdict::Rejected => (200, "fail"),
        Verdict::TryAgain => (503, "fail"),
    };
    WireResponse::with_status(status, "text/plain", body)
}

fn unreadable(what: &str) -> CallbackError {
    CallbackError::Unreadable(what.to_owned())
}

/// The signed fields, or which of them has a form that could be read in two ways.
fn notice<'a>(fields: &Fields<'a>) -> Result<Notice<'a>, &'static str> {
    let kind = text(fields.transaction_type).and_then(|word| Kind::ALL.iter().find(|row| row.1 == word));
    let group = text(fields.channel_type).and_then(|word| GROUPS.iter().find(|group| **group == word));
    let fee_digits = fields.transaction_fee.map(RawValue::get).filter(|raw| is_plain_number(raw));
    Ok(Notice {
        id: text(fields.transaction_id)
            .filter(|id| is_id(id))
            .ok_or("`transaction_id` must be 1 to 64 letters, digits, `_` or `-`")?,
        kind: kind
            .map(|row| row.0)
            .ok_or("`transaction_type` must be PAY, REFUND, TRANSFER, SUBSCRIPTION or SIGN")?,
        group: group
            .copied()
            .ok_or("`channel_type` must be WX, ALI, UN, KUAIQIAN, JD, BD, YEE, PAYPAL or BC")?,
        fee: fee_digits
            .and_then(|digits| digits.parse().ok())
            .ok_or("`transaction_fee` must be a JSON integer in plain digits")?,
        fee_digits: fee_digits.unwrap_or_default(),
    })
}

fn claim(fields: &Fields<'_>, notice: &Notice<'_>, scheme: Scheme) -> Claim {
    let (word, kind) = notice.kind.row();
    let sub = text(fields.sub_channel_type).unwrap_or_default();
    // The order's amount, its discount and the payment's number say nothing of a refund or a payout.
    let is_payment = notice.kind == Kind::Pay;
    let is_whole = !is_payment || says_nothing_of_a_discount(fields, notice.fee);
    let settles = scheme == Scheme::Bound && is_whole && !says_failed(fields);
    let detail = fields.message_detail.or(fields.message_detail_twin).filter(|_| is_payment);
    Claim {
        number: notice.id.clone(),
        kind,
        event_key: format!("{word}:{}", notice.id),
        order_amount: number(fields.bill_fee).filter(|_| is_payment).map(Money::fen),
        received: Money::fen(notice.fee),
        method: Code::named(&sub).map(|code| code.method),
        trade_no: trade_no(notice.group, &sub, detail),
        trade_no_is_signed: false,
        evidence: if settles { Evidence::Settles } else { Evidence::AskProvider },
    }
}

/// Whether the unsigned fields leave `transaction_fee` the whole amount of the order.
fn says_nothing_of_a_discount(fields: &Fields<'_>, fee: i64) -> bool {
    let silent = |raw: Option<&RawValue>| raw.is_none_or(|raw| matches!(raw.get(), "null" | "\"\""));
    let same_fee = silent(fields.bill_fee) || number(fields.bill_fee) == Some(fee);
    let no_discount = silent(fields.discount) || number(fields.discount) == Some(0);
    same_fee && no_discount && silent(fields.coupon_id)
}

/// `trade_success` was always true so far; if it ever is not, BeeCloud is asked.
fn says_failed(fields: &Fields<'_>) -> bool {
    fields.trade_success.is_some_and(|raw| !matches!(raw.get(), "true" | "null"))
}

/// The wallet's number, where its place in `message_detail` is documented. Never signed.
fn trade_no(group: &str, sub: &str, detail: Option<&RawValue>) -> Option<String> {
    let key = match (group, sub) {
        ("WX", _) | ("BC", "BC_NATIVE" | "BC_WX_JSAPI" | "BC_WX_WAP") => "transaction_id",
        ("ALI", _) | ("BC", "BC_ALI_QRCODE") => "trade_no",
        ("UN", _) => "queryId",
        _ => return None,
    };
    let mut detail: Value = serde_json::from_str(detail?.get()).ok()?;
    // Records have it as text of JSON, and so have some messages.
    if let Value::String(text) = &detail {
        detail = serde_json::from_str(text).ok()?;
    }
    let good = |text: &&str| (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
    detail.get(key)?.as_str().filter(good).map(str::to_owned)
}

/// Checks `signature` under each master secret that is in force. All are tried, in constant time.
fn check_sign(account: &Account, fields: &Fields<'_>, notice: &Notice<'_>) -> Result<Scheme, CallbackError> {
    let received = text(fields.signature);
    let digest = received.as_deref().and_then(|text| Md5Digest::from_hex(text, HexCase::Lower).ok());
    if let Some(digest) = digest {
        let signed = |secret: &Secret| digest.matches(bound(account, notice, secret));
        if account.master_secrets.iter().fold(false, |found, secret| signed(secret) | found) {
            return Ok(Scheme::Bound);
        }
    }
    if account.books == Books::Sandbox && has_test_sign(account, fields) {
        return Ok(Scheme::TestMode);
    }
    Err(CallbackError::BadSign(diagnosis::of_sign(account, fields, notice)))
}

fn bound(account: &Account, notice: &Notice<'_>, secret: &Secret) -> Md5Digest {
    let notified = Notified {
        transaction_id: &notice.id,
        transaction_type: notice.kind.row().0,
        channel_type: notice.group,
        transaction_fee: notice.fee_digits,
    };
    sign::notice_sign(&account.app_id, notified, secret)
}

/// Whether the test mode's scheme explains `sign` or `signature`.
fn has_test_sign(account: &Account, fields: &Fields<'_>) -> bool {
    account.test_secret.as_ref().is_some_and(|secret| is_unbound(account, fields, secret))
}

/// Whether md5(app_id + secret + timestamp) stands in `sign` or `signature`. Where no digest stands in either,
/// nothing is hashed.
fn is_unbound(account: &Account, fields: &Fields<'_>, secret: &Secret) -> bool {
    let digest = |raw| text(raw).and_then(|text| Md5Digest::from_hex(text, HexCase::Lower).ok());
    let received = [fields.sign, fields.signature].map(digest);
    let timestamp = fields.timestamp.map(RawValue::get).filter(|raw| is_plain_number(raw));
    let Some(timestamp) = timestamp.filter(|_| received.iter().any(Option::is_some)) else { return false };
    let ours = sign::unbound_sign(&account.app_id, secret, timestamp);
    received.into_iter().flatten().any(|theirs| theirs.matches(ours))
}

/// A JSON text, decoded.
fn text(raw: Option<&RawValue>) -> Option<String> {
    serde_json::from_str(raw?.get()).ok()
}

/// A JSON integer in plain digits.
fn number(raw: Option<&RawValue>) -> Option<i64> {
    raw.map(RawValue::get).filter(|raw| is_plain_number(raw))?.parse().ok()
}

/// Digits without sign, fraction, exponent or leading zero: the one way to write a number, so that
/// signed text and amount cannot differ.
fn is_plain_number(raw: &str) -> bool {
    (1..=FEE_DIGITS_MAX).contains(&raw.len())
        && raw.bytes().all(|b| b.is_ascii_digit())
        && (raw == "0" || !raw.starts_with('0'))
}

fn is_id(id: &str) -> bool {
    (1..=64).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}
