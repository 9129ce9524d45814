//! What the server side sends by itself: the notification of a paid order, and the query with which the payer's
//! browser goes on to the client.
//!
//! Source: cloudpay's integration document, asynchronous and synchronous notification.

use paymux_core::acceptor::{FrontAccount, FrontOrder};
use paymux_core::{Secret, Verb, WireRequest};
use paymux_sign::Md5Text;
use serde_json::Value;

use super::{OWN_MARK, secret};
use crate::sign::{self, Message, SIGN};
use crate::wire::{FORM, Fields};

/// The asynchronous notification; path and query are the receiver's.
pub(super) fn paid(account: &FrontAccount, order: &FrontOrder) -> WireRequest {
    let paid_at = order.paid_at.unwrap_or(order.created_at).seconds().to_string();
    let fields = Fields::of_pairs([
        ("order_id", order_id(&order.id).as_str()),
        ("out_order_id", &order.number),
        ("price", &order.amount.to_decimal()),
        ("realprice", &order.received.unwrap_or(order.amount).to_decimal()),
        ("type", word(order)),
        ("paytime", &paid_at),
        ("extend", order.echo.as_str().unwrap_or_default()),
    ]);
    WireRequest::new(Verb::Post, "/").body(FORM, signed(Message::Notify, account, fields).to_form())
}

/// The synchronous one.
pub(super) fn way_back(account: &FrontAccount, order: &FrontOrder) -> String {
    let number = order_id(&order.id);
    let fields = Fields::of_pairs([
        ("price", order.amount.to_decimal().as_str()),
        ("type", word(order)),
        ("product_id", &format!("{OWN_MARK}{number}")),
        ("order_id", &number),
        ("out_order_id", &order.number),
    ]);
    signed(Message::Return, account, fields).to_form()
}

fn signed(message: Message, account: &FrontAccount, fields: Fields) -> Fields {
    let appkey = account.settings.get("appkey").and_then(Value::as_str).unwrap_or_default();
    let appsecret = secret(account, "appsecret").unwrap_or_else(|| Secret::new(""));
    let digest = sign::sign(message, appkey, &fields, &appsecret).to_hex();
    fields.with(SIGN, digest.as_str())
}

/// The `type` of the create: the first word of what was remembered.
fn word(order: &FrontOrder) -> &str {
    order.memo.split(' ').next().unwrap_or_default()
}

/// The host's record id as the plain digits that clients expect, at most 19 so that 64 bits hold them: the id itself
/// where it is such a number, else 63 bits of its MD5. The same id always gives the same number.
fn order_id(id: &str) -> String {
    let is_number =
        (1..=18).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_digit()) && !id.starts_with('0');
    if is_number {
        return id.to_owned();
    }
    let digest = Md5Text::new().piece(id).digest().to_hex();
    let digits = digest.as_str().get(..16).and_then(|half| u64::from_str_radix(half, 16).ok());
    (digits.unwrap_or_default() & (u64::MAX >> 1)).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn record_ids_become_plain_numbers_of_64_bits() {
        check("880012", "880012");
        check("999999999999999999", "999999999999999999");
        for id in ["pay_1", "0880012", "1000000000000000000", "", "65e1c0a9-f1b2"] {
            let number: i64 = order_id(id).parse().unwrap();
            assert!(number > 0 && order_id(id) == order_id(id), "{id}");
            assert_ne!(order_id(id), order_id(&format!("{id}x")));
        }

        #[track_caller]
        fn check(id: &str, want: &str) {
            assert_eq!(order_id(id), want);
        }
    }
}
