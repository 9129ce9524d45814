//! Provider fields that a merchant may pass in `extra`: an allow-list, one row each with its form.
//!
//! Account, sign, amount, number and addresses are not on it, so nothing here can replace what the router decided.

use paymux_core::channel::{ExtraField, Privacy};
use paymux_core::{ChannelError, Order};
use serde_json::Value;

use super::kinds::{Kind, Opening};
use super::unsendable;
use crate::config::is_id;

/// The longest `merchant_param`, encoded.
///
/// Source: FuFu interface 1.1.1, table of `order`: String(127), base64.
pub(crate) const PARAM_CHARS_MAX: usize = 127;

const fn plain(name: &'static str, about: &'static str) -> ExtraField {
    ExtraField { name, about, privacy: Privacy::Plain }
}

/// The list for the descriptor.
pub(crate) static EXTRA: [ExtraField; 5] = [
    plain("subAppId", "wechat.jsapi, required: id of the WeChat app that knows `payer.openid`"),
    plain("operator_id", "who acts, at most 32 characters without blanks; instead of the setting"),
    plain(
        "terminal_id",
        "till only: on which device, at most 32 characters without blanks; instead of the setting",
    ),
    plain("store_id", "in which shop, at most 32 characters without blanks; instead of the setting"),
    plain(
        "merchant_param",
        "comes back in FuFu's records: standard base64 with padding, at most 127 characters",
    ),
];

/// The text of a field that was checked.
pub(super) fn text<'a>(order: &'a Order, name: &str) -> Option<&'a str> {
    order.extra.get(name).and_then(Value::as_str)
}

/// Whether every field is one that this way to pay takes, in its form, and those that it needs are there.
pub(super) fn check(kind: &Kind, order: &Order) -> Result<(), ChannelError> {
    if kind.needs_sub_app_id() && !order.extra.contains_key("subAppId") {
        return Err(unsendable(format!("`extra.subAppId`: {} needs it", kind.memo)));
    }
    for (name, value) in &order.extra {
        let is_taken = match name.as_str() {
            "subAppId" => kind.needs_sub_app_id(),
            "terminal_id" => kind.opening == Opening::Scan,
            name => EXTRA.iter().any(|field| field.name == name),
        };
        if !is_taken {
            return Err(unsendable(format!("`extra.{name}`: {} does not take it", kind.memo)));
        }
        check_form(name, value.as_str().unwrap_or_default())
            .map_err(|rule| unsendable(format!("`extra.{name}`: {rule}")))?;
    }
    Ok(())
}

fn check_form(name: &str, text: &str) -> Result<(), &'static str> {
    let (good, rule) = match name {
        "merchant_param" => {
            (is_param(text), "write standard base64 with padding, at most 127 characters, as text")
        }
        "subAppId" => (
            (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic()),
            "write the app's id as text without blanks",
        ),
        _ => (is_id(text), "write text of 1 to 32 characters without blanks"),
    };
    if good { Ok(()) } else { Err(rule) }
}

/// Standard base64 with padding, of at most 93 bytes.
pub(crate) fn is_param(text: &str) -> bool {
    let digits = text.strip_suffix("==").or_else(|| text.strip_suffix('=')).unwrap_or(text);
    (1..=PARAM_CHARS_MAX).contains(&text.len())
        && text.len().is_multiple_of(4)
        && digits.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'+' || b == b'/')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// F36.
    #[test]
    fn forms_are_strict() {
        check("merchant_param", "c2hvcD03", "shop=7");
        check("merchant_param", "c2hvcD0=", "c2hvcD0");
        check("merchant_param", "c2hvcA==", "c2hvc===");
        check("merchant_param", "+/+/", "-_-_");
        check("merchant_param", &"A".repeat(124), &"A".repeat(128));
        check("operator_id", "店员1", "a b");
        check("store_id", &"s".repeat(32), &"s".repeat(33));
        check("subAppId", "wx0123456789abcdef", "");

        #[track_caller]
        fn check(name: &str, good: &str, bad: &str) {
            assert_eq!(check_form(name, good), Ok(()), "{name} {good}");
            assert!(check_form(name, bad).is_err(), "{name} {bad}");
        }
    }

    #[test]
    fn nothing_that_the_router_decides_is_on_the_list() {
        let reserved = [
            "busi_id",
            "sign",
            "key",
            "total_fee",
            "out_trade_no",
            "pay_subject",
            "fee_type",
            "channel_type",
            "auth_code",
            "openId",
            "notifyUrl",
            "trade_type",
            "time_expire",
            "time_zone",
        ];
        assert!(EXTRA.iter().all(|field| !reserved.contains(&field.name)));
    }
}
