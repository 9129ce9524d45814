//! What the gateway sends us: the asynchronous notification, which settles, and the payer's way back, which is shown
//! and no more. Which mistake explains a sign that does not fit is found in `diagnosis`.
//!
//! The sign covers every field that is read here, but not where one ends and the next begins (see `sign`). So each
//! field must have its one form, and what was verified must fit the stored order: number, price and type. With these
//! three as they were sent, and no leading zeros, the text has one reading.
//!
//! Source: cloudpay's integration document, asynchronous and synchronous notification.

mod diagnosis;

use paymux_core::channel::{CallbackError, Claim, ClaimKind, Evidence, Verdict};
use paymux_core::{OrderRef, Verb, WireRequest, WireResponse};

use crate::config::Account;
use crate::map;
use crate::sign::{Message, SIGN, is_signed};
use crate::wire::{Fields, is_digits, is_own_number, is_type, yuan};

/// Verifies a notification and reads its claim.
pub(crate) fn verify(account: &Account, request: &WireRequest) -> Result<Claim, CallbackError> {
    if request.verb != Verb::Post {
        return Err(unreadable("cloudpay posts its notifications"));
    }
    let fields = Fields::of_body(request).map_err(unreadable)?;
    let is_genuine = is_signed(Message::Notify, &account.appkey, &fields, account.secrets());
    let notice = Notice::read(&fields).map_err(|what| refused(what, is_genuine, &fields))?;
    if !is_genuine {
        return Err(CallbackError::BadSign(diagnosis::of_sign(account, &fields)));
    }
    Ok(notice.claim())
}

/// Whether a genuine notification is of that order: characters that moved over a border are found out here.
pub(crate) fn fits(
    account: &Account,
    request: &WireRequest,
    claim: &Claim,
    order: &OrderRef,
) -> Result<(), &'static str> {
    if claim.order_amount != Some(order.amount) {
        return Err("its `price` is not the order's: characters may have moved from one field to the next");
    }
    let fields = Fields::of_body(request)?;
    if fields.text("type") != map::type_of(&account.types, &order.memo, order.method) {
        return Err("its `type` is not the order's: characters may have moved from one field to the next");
    }
    Ok(())
}

/// What cloudpay expects: exactly these bytes, as a page. After `success` its own page leads the payer back.
pub(crate) fn acknowledge(verdict: Verdict) -> WireResponse {
    let (status, body) = match verdict {
        Verdict::Accepted => (200, "success"),
        Verdict::Rejected => (200, "fail"),
        Verdict::TryAgain => (503, "fail"),
    };
    WireResponse::with_status(status, "text/html", body)
}

/// Verifies what a payer's browser brought back, and reads the order's number. The payer can send it as often as
/// they like: it says which page to show.
pub(crate) fn verify_return(account: &Account, request: &WireRequest) -> Result<String, CallbackError> {
    if request.verb != Verb::Get {
        return Err(unreadable("cloudpay sends browsers back by GET"));
    }
    let query = request.query.as_deref().unwrap_or_default();
    let fields = Fields::of_form(query.as_bytes()).map_err(unreadable)?;
    let is_genuine = is_signed(Message::Return, &account.appkey, &fields, account.secrets());
    let number = returned_number(&fields).map_err(|what| refused(what, is_genuine, &fields))?;
    if !is_genuine {
        return Err(CallbackError::BadSign("`sign` fits neither secret of this account".to_owned()));
    }
    Ok(number.to_owned())
}

fn returned_number(fields: &Fields) -> Result<&str, &'static str> {
    fields.text("price").and_then(yuan).ok_or(PRICE_RULE)?;
    fields.text("type").filter(|word| is_type(word)).ok_or(TYPE_RULE)?;
    fields.text("order_id").filter(|id| is_digits(id)).ok_or(ORDER_ID_RULE)?;
    fields.text("out_order_id").filter(|number| is_own_number(number)).ok_or(NUMBER_RULE)
}

/// A notification whose every field has its one form.
struct Notice<'a> {
    order_id: &'a str,
    out_order_id: &'a str,
    price: paymux_core::Money,
    realprice: paymux_core::Money,
}

const ORDER_ID_RULE: &str = "`order_id` must be 1 to 32 digits";
const NUMBER_RULE: &str = "`out_order_id` must be 1 to 32 letters and digits, as every number of ours is";
const PRICE_RULE: &str = "`price` must be yuan, more than zero, in digits with at most two decimals and no leading zero, like 10.23";
const REALPRICE_RULE: &str = "`realprice` must be yuan, more than zero, in digits with at most two decimals and no leading zero, like 10.23";
const TYPE_RULE: &str = "`type` must be 1 to 32 letters, digits, `_` or `-`, the first a letter";

impl<'a> Notice<'a> {
    /// Reads what is required; `extend` may be anything or nothing.
    fn read(fields: &'a Fields) -> Result<Self, &'static str> {
        fields.text("type").filter(|word| is_type(word)).ok_or(TYPE_RULE)?;
        fields.text("paytime").filter(|at| is_digits(at)).ok_or("`paytime` must be 1 to 32 digits")?;
        Ok(Self {
            order_id: fields.text("order_id").filter(|id| is_digits(id)).ok_or(ORDER_ID_RULE)?,
            out_order_id: fields
                .text("out_order_id")
                .filter(|number| is_own_number(number))
                .ok_or(NUMBER_RULE)?,
            price: fields.text("price").and_then(yuan).ok_or(PRICE_RULE)?,
            realprice: fields.text("realprice").and_then(yuan).ok_or(REALPRICE_RULE)?,
        })
    }

    /// `paytime` and `extend` are not in it: they decide nothing. The method is the order's own business, since
    /// `type` does not tell one page from another.
    fn claim(&self) -> Claim {
        Claim {
            number: self.out_order_id.to_owned(),
            kind: ClaimKind::Paid,
            event_key: format!("PAID:{}", self.out_order_id),
            order_amount: Some(self.price),
            received: self.realprice,
            method: None,
            trade_no: Some(self.order_id.to_owned()),
            // With the number as it was sent, what stands before it cannot have lost or won a digit.
            trade_no_is_signed: true,
            evidence: Evidence::Settles,
        }
    }
}

fn unreadable(what: &str) -> CallbackError {
    CallbackError::Unreadable(what.to_owned())
}

/// A field of another form than it must have. Where the sign is right all the same, it waits for a person: money may
/// have come in.
fn refused(what: &str, is_genuine: bool, fields: &Fields) -> CallbackError {
    if !is_genuine {
        return unreadable(what);
    }
    CallbackError::Odd {
        what: format!("{what}; characters may have moved from one field to the next"),
        event_key: format!("ODD:{}", fields.text(SIGN).unwrap_or_default()),
    }
}
