//! The sandbox's callbacks: verify the raw bytes, read what they claim, and answer.
//!
//! The sign covers the whole body, so a right one settles.

use paymux_core::channel::{CallbackError, Claim, ClaimKind, Evidence, Verdict};
use paymux_core::{Currency, Money, Secret, Verb, WireRequest, WireResponse};

use crate::map::{AMOUNT_MAX, trade_no};
use crate::sign::{self, CALLBACK, SIGN_HEADER};
use crate::wire::{self, Callback};

/// The largest callback that is read, in bytes.
const BODY_BYTES_MAX: usize = 4096;

/// Verifies a callback and reads its claim. The sign first: what is not signed is not parsed.
pub(crate) fn verify(key: &Secret, request: &WireRequest) -> Result<Claim, CallbackError> {
    if request.verb != Verb::Post || request.body.len() > BODY_BYTES_MAX {
        return Err(CallbackError::Unreadable(format!(
            "a callback is a POST of at most {BODY_BYTES_MAX} bytes"
        )));
    }
    let received = request.headers.first(SIGN_HEADER);
    let received = received.ok_or_else(|| CallbackError::BadSign(format!("no header `{SIGN_HEADER}`")))?;
    if !sign::is_signed(CALLBACK, &request.body, key, received) {
        return Err(CallbackError::BadSign(diagnosis(key, request, received).to_owned()));
    }
    claim(&request.body)
}

/// Which known mistake explains a sign that is not believed.
fn diagnosis(key: &Secret, request: &WireRequest, received: &str) -> &'static str {
    if sign::is_signed(CALLBACK, &request.body, key, &received.to_ascii_lowercase()) {
        return "it is right but for its letters: it must be in lower case";
    }
    "it is md5(\"callback\", newline, body, newline, key) in lower-case hex"
}

fn claim(body: &[u8]) -> Result<Claim, CallbackError> {
    let unreadable = |what: &str| CallbackError::Unreadable(what.to_owned());
    let callback: Callback = wire::read(body)
        .map_err(|_| unreadable("write {\"number\", \"amount\", \"currency\", \"time\"} and nothing else"))?;
    let currency = Currency::from_code(&callback.currency)
        .ok_or_else(|| unreadable("`currency` is no ISO 4217 code"))?;
    if !(1..=AMOUNT_MAX).contains(&callback.amount) {
        return Err(unreadable("`amount` must be minor units, more than zero"));
    }
    if !(1..=64).contains(&callback.number.len()) || !callback.number.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(unreadable("`number` must be 1 to 64 printable ASCII characters"));
    }
    Ok(Claim {
        kind: ClaimKind::Paid,
        event_key: format!("paid:{}", callback.number),
        order_amount: None,
        received: Money::new(callback.amount, currency),
        method: None,
        trade_no: Some(trade_no(&callback.number)),
        evidence: Evidence::Settles,
        number: callback.number,
    })
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
