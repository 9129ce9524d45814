//! FuFu's notifications: verify the raw bytes, read what they claim, and answer.
//!
//! The sign covers the whole body but its blanks and line breaks. So numbers are taken as they stand, and none of
//! those that identify money may hold a blank.
//!
//! Source: FuFu interface 1.1.1, asynchronous notification.

use paymux_core::channel::{CallbackError, Claim, ClaimKind, Evidence, Verdict};
use paymux_core::{Currency, Money, OrderRef, Verb, WireRequest, WireResponse};
use paymux_sign::{Lineup, StampedMd5};

use crate::config::Account;
use crate::map::states;
use crate::sign;
use crate::wire::fields::Fields;
use crate::wire::{Reply, read_envelope};

/// The largest notification that is read, in bytes (64 KiB).
const BODY_BYTES_MAX: usize = 65_536;
/// What FuFu takes for "stored": these bytes and no others.
pub(crate) const ACKNOWLEDGED: &str = "SUCCESS";
/// What it gets for all else.
const NOT_ACKNOWLEDGED: &str = "FAIL";

/// Verifies a notification and reads its claim.
pub(crate) fn verify(account: &Account, request: &WireRequest) -> Result<Claim, CallbackError> {
    if request.verb != Verb::Post {
        return Err(unreadable("FuFu posts its notifications"));
    }
    if request.body.len() > BODY_BYTES_MAX {
        return Err(unreadable("more than 65536 bytes"));
    }
    check_sign(account, request)?;
    let envelope = Fields::parse(&request.body).map_err(unreadable)?;
    let data = match read_envelope(&envelope).map_err(unreadable)? {
        Reply::Done(done) => Ok(done.data),
        Reply::Failed(failed) => Err(failed.data),
    };
    let says_success = data.is_ok();
    let data = data.unwrap_or_else(|data| data);
    if !data.is_absent("busi_id") && data.text("busi_id").as_deref() != Some(account.busi_id.as_str()) {
        return Err(unreadable("`busi_id` is another merchant's"));
    }
    claim(&data, says_success)
}

fn check_sign(account: &Account, request: &WireRequest) -> Result<(), CallbackError> {
    let received = sign::received(request).map_err(CallbackError::BadSign)?;
    if sign::is_signed(received, &request.body, &account.keys) {
        return Ok(());
    }
    Err(CallbackError::BadSign(diagnosis(account, received, &request.body)))
}

/// Which known mistake explains a sign that does not fit, for a person. Nothing that is only explained counts.
fn diagnosis(account: &Account, received: StampedMd5, body: &[u8]) -> String {
    let told = Lineup::of(received.digest().to_hex().as_str()).and_then(|mut lineup| {
        for (name, digest) in sign::MISTAKES {
            for key in &account.keys {
                lineup.digest(&[name], body.len(), || digest(body, received.time_ms(), key));
            }
        }
        lineup.told()
    });
    told.map_or_else(
        || "it fits no key of this account: was the key changed at FuFu, or the body on its way?".to_owned(),
        |told| format!("it would be right with this mistake: {told}"),
    )
}

/// Whether a genuine notification tells of that order's money: another sum, or another currency, is credited to
/// nobody.
pub(crate) fn fits(claim: &Claim, order: &OrderRef) -> Result<(), &'static str> {
    if claim.received == order.amount {
        return Ok(());
    }
    Err("its `total_fee` or `fee_type` is not the order's")
}

fn claim(data: &Fields, says_success: bool) -> Result<Claim, CallbackError> {
    let number = data.text("out_trade_no").ok_or_else(|| unreadable("`out_trade_no` is missing"))?;
    let fee = data.integer("total_fee").map_err(CallbackError::Unreadable)?;
    let fee = fee.filter(|fee| *fee > 0).ok_or_else(|| unreadable("`total_fee` must be 1 or more"))?;
    let currency = currency(data)?;
    // Only where the message itself calls the order paid it settles; else FuFu is asked.
    let is_paid = data.integer("state") == Ok(Some(states::PAID));
    let trade_no = crate::map::word(data, "channel_trade_no");
    let paid = Money::new(fee, currency);
    Ok(Claim {
        event_key: format!("paid:{number}"),
        number,
        kind: ClaimKind::Paid,
        order_amount: Some(paid),
        received: paid,
        // The wallet alone may stand there, without what it was used for.
        method: None,
        trade_no_is_signed: trade_no.is_some(),
        trade_no,
        evidence: if says_success && is_paid { Evidence::Settles } else { Evidence::AskProvider },
    })
}

/// `fee_type`, CNY where it is not said.
fn currency(data: &Fields) -> Result<Currency, CallbackError> {
    if data.is_absent("fee_type") {
        return Ok(Currency::CNY);
    }
    let code = data.text("fee_type");
    code.as_deref()
        .and_then(Currency::from_code)
        .ok_or_else(|| unreadable("`fee_type` is no currency's code"))
}

fn unreadable(what: &str) -> CallbackError {
    CallbackError::Unreadable(what.to_owned())
}

/// What FuFu expects: exactly `SUCCESS` once it is stored; 400 for what is not believed.
pub(crate) fn acknowledge(verdict: Verdict) -> WireResponse {
    match verdict {
        Verdict::Accepted => answer(200, ACKNOWLEDGED),
        Verdict::Rejected => answer(400, NOT_ACKNOWLEDGED),
        Verdict::TryAgain => answer(503, NOT_ACKNOWLEDGED),
    }
}

/// A right sign with a number or an amount that is not ours: kept for a person, and not acknowledged.
pub(crate) fn misfit() -> WireResponse {
    answer(200, NOT_ACKNOWLEDGED)
}

fn answer(status: u16, body: &'static str) -> WireResponse {
    WireResponse::with_status(status, "text/plain", body)
}
