//! The sandbox's callbacks: verify the raw bytes, read what they claim, and answer. Which mistake
//! explains a wrong sign is found in `diagnosis`.
//!
//! The sign covers the whole body, so a right one settles.

mod diagnosis;

use paymux_core::channel::{CallbackError, Claim, ClaimKind, Evidence, Verdict};
use paymux_core::{Currency, Money, Verb, WireRequest, WireResponse};

use crate::config::Account;
use crate::map::{AMOUNT_MAX, trade_no};
use crate::sign::{self, CALLBACK, SIGN_HEADER};
use crate::wire::{self, Callback, CallbackKind};

/// The largest callback that is read, in bytes.
const BODY_BYTES_MAX: usize = 4096;

/// Verifies a callback and reads its claim. The sign first: what is not signed is not parsed.
pub(crate) fn verify(account: &Account, request: &WireRequest) -> Result<Claim, CallbackError> {
    if request.verb != Verb::Post || request.body.len() > BODY_BYTES_MAX {
        return Err(CallbackError::Unreadable(format!(
            "a callback is a POST of at most {BODY_BYTES_MAX} bytes"
        )));
    }
    let received = request.headers.first(SIGN_HEADER);
    let received = received.ok_or_else(|| CallbackError::BadSign(format!("no header `{SIGN_HEADER}`")))?;
    let signs = |key| sign::is_signed(CALLBACK, &request.body, key, received);
    // Every key is tried, whichever fits.
    if !account.keys().fold(false, |found, key| signs(key) | found) {
        return Err(CallbackError::BadSign(diagnosis::of(account, &request.body, received)));
    }
    claim(&request.body)
}

fn claim(body: &[u8]) -> Result<Claim, CallbackError> {
    let unreadable = |what: &str| CallbackError::Unreadable(what.to_owned());
    let callback: Callback = wire::read(body).map_err(|_| {
        unreadable(
            "write {\"number\", \"amount\", \"currency\", \"time\"}, perhaps \"kind\" and \"trade_no\"",
        )
    })?;
    let currency = Currency::from_code(&callback.currency)
        .ok_or_else(|| unreadable("`currency` is no ISO 4217 code"))?;
    if !(1..=AMOUNT_MAX).contains(&callback.amount) {
        return Err(unreadable("`amount` must be minor units, more than zero"));
    }
    let trade_no_given = callback.trade_no.as_deref();
    if ![Some(callback.number.as_str()), trade_no_given].into_iter().flatten().all(is_number) {
        return Err(unreadable("`number` and `trade_no` must be 1 to 64 printable ASCII characters"));
    }
    let (kind, word) = kind(callback.kind.unwrap_or(CallbackKind::Paid));
    let own_trade_no = || (kind == ClaimKind::Paid).then(|| trade_no(&callback.number));
    Ok(Claim {
        kind,
        event_key: format!("{word}:{}", callback.number),
        order_amount: None,
        received: Money::new(callback.amount, currency),
        method: None,
        trade_no: callback.trade_no.clone().or_else(own_trade_no),
        // Given, or made from the number: both are signed.
        trade_no_is_signed: true,
        evidence: Evidence::Settles,
        number: callback.number,
    })
}

fn is_number(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// What a callback's kind is to the core, and its word in the event key.
fn kind(kind: CallbackKind) -> (ClaimKind, &'static str) {
    match kind {
        CallbackKind::Paid => (ClaimKind::Paid, "paid"),
        CallbackKind::Refunded => (ClaimKind::Refunded, "refunded"),
        CallbackKind::RefundFailed => (ClaimKind::RefundFailed, "refund_failed"),
        CallbackKind::Transferred => (ClaimKind::Transferred, "transferred"),
        CallbackKind::TransferFailed => (ClaimKind::TransferFailed, "transfer_failed"),
    }
}

/// `ok` ends the repeats; anything else asks for one.
pub(crate) fn acknowledge(verdict: Verdict) -> WireResponse {
    let (status, body) = match verdict {
        Verdict::Accepted => (200, "ok"),
        Verdict::Rejected => (400, "rejected"),
        Verdict::TryAgain => (503, "again"),
    };
    WireResponse::with_status(status, "text/plain", body)
}
