//! Between the sandbox's words and ours: scripts, methods, what a payer gets, and refusals.
//!
//! What the books keep lives in `books`; refunds and payouts are in `outflow`.

pub(crate) mod outflow;

use std::collections::BTreeMap;
use std::time::Duration;

use paymux_core::channel::{Blame, MethodSpec, Needs, OrderEnd, QueryAnswer, Receipt, Refusal};
use paymux_core::{ChannelError, Method, Money, NextAction, Order, Product, Wallet};
use serde_json::json;

use crate::books::{No, State};

/// The key of the merchant's `metadata` that scripts a payment.
pub(crate) const SCRIPT_KEY: &str = "sandbox";
/// How long after its end an order can still be paid by a script or by hand.
const WATCH: Duration = Duration::from_hours(1);
/// The largest amount, in minor units.
pub(crate) const AMOUNT_MAX: i64 = paymux_core::money::AMOUNT_MAX;

/// What an order does by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Script {
    /// Waits for its payer.
    Open,
    /// Is paid by its create.
    Paid,
    /// Is refused.
    Refused,
    /// Exists, though its create gave no answer.
    Unknown,
    /// Waits, and is paid when it has ended.
    Late,
}

/// The words of `metadata.sandbox`, and the amount in minor units that says the same.
pub(crate) const SCRIPTS: &[(&str, i64, Script)] = &[
    ("paid", 990_001, Script::Paid),
    ("open", 990_002, Script::Open),
    ("refused", 990_003, Script::Refused),
    ("unknown", 990_004, Script::Unknown),
    ("late", 990_005, Script::Late),
];

/// The script of an order: its metadata, else its amount, else `open`.
pub(crate) fn script(metadata: &BTreeMap<String, String>, amount: Money) -> Result<Script, ChannelError> {
    if let Some(word) = metadata.get(SCRIPT_KEY) {
        let row = SCRIPTS.iter().find(|(known, _, _)| known == word);
        return row.map(|(_, _, script)| *script).ok_or_else(unknown_script);
    }
    let row = SCRIPTS.iter().find(|(_, minor, _)| *minor == amount.minor());
    Ok(row.map_or(Script::Open, |(_, _, script)| *script))
}

fn unknown_script() -> ChannelError {
    let known: Vec<_> = SCRIPTS.iter().map(|(word, _, _)| *word).collect();
    let message = format!("`metadata.sandbox`: write one of {}", known.join(", "));
    refused("bad_script", &message, Blame::Request)
}

/// The refusal that was asked for. It names the account, so that another channel gets its try.
pub(crate) fn scripted_refusal() -> ChannelError {
    refused("refused", "`metadata.sandbox` or the amount asked for a refusal", Blame::Account)
}

/// The books' no as a refusal.
pub(crate) fn refusal(no: No) -> ChannelError {
    match no {
        No::Absent => refused("not_found", "nothing of that number is in the books", Blame::Request),
        No::Taken => refused("number_taken", "the number was used before", Blame::Request),
        No::Closed => {
            refused("closed", "the order was closed; `late` = true pays it all the same", Blame::Request)
        }
        No::Unpaid => refused("not_paid", "the order is not paid", Blame::Request),
        No::TooMuch => refused("too_large", "more than what can still go back", Blame::Request),
        No::Over => {
            refused("over", "it has ended; `late` = true sends money that had failed to go", Blame::Request)
        }
    }
}

/// A request that the books never see.
pub(crate) fn bad_request(message: &str) -> ChannelError {
    refused("bad_request", message, Blame::Request)
}

fn refused(code: &str, message: &str, blame: Blame) -> ChannelError {
    ChannelError::Refused(Refusal { code: code.to_owned(), message: message.to_owned(), blame })
}

/// Every method of every wallet.
pub(crate) fn methods() -> Vec<MethodSpec> {
    let products = |wallet: &Wallet| {
        let wallet = *wallet;
        Product::ALL.iter().map(move |product| spec(Method::new(wallet, *product)))
    };
    Wallet::ALL.iter().flat_map(products).collect()
}

fn spec(method: Method) -> MethodSpec {
    MethodSpec {
        method,
        code: method.product.word(),
        amounts: 1..=AMOUNT_MAX,
        payer_must_act: payer_must_act(method.product),
        needs: needs(method.product),
        end: OrderEnd::Call { not_before: Duration::ZERO, lives: None },
        request_min: None,
        // The books are gone after a restart, and other nodes have their own: absence proves nothing.
        not_found_final_after: None,
        watch: WATCH,
    }
}

/// Not where the create names the payer, or would move or book the money at a real provider.
fn payer_must_act(product: Product) -> bool {
    matches!(
        product,
        Product::App | Product::Web | Product::Wap | Product::Native | Product::Embed | Product::Gateway
    )
}

fn needs(product: Product) -> Needs {
    match product {
        Product::Barcode => Needs::AUTH_CODE,
        Product::Jsapi | Product::Mini => Needs::OPENID,
        _ => Needs::nothing(),
    }
}

/// What the payer gets. Nobody can pay with it: the native operation `pay` does.
pub(crate) fn action(channel: &str, order: &Order) -> Option<NextAction> {
    let number = order.number.as_str();
    let params = json!({"sandbox": channel, "number": number});
    match order.method.product {
        Product::Native => Some(NextAction::Qr { qr: format!("sandbox:{channel}/{number}") }),
        Product::App => Some(NextAction::App { params }),
        Product::Jsapi | Product::Mini => Some(NextAction::Jsapi { params }),
        Product::Web | Product::Wap | Product::Embed | Product::Gateway | Product::Express => {
            Some(NextAction::Html { html: page(channel, number, order.amount) })
        }
        Product::Barcode | Product::Card => None,
    }
}

/// A channel's id, an order number and an amount need no escaping but for the number's few signs.
fn page(channel: &str, number: &str, amount: Money) -> String {
    let number = number.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    format!(
        "<!DOCTYPE html><html><head><meta charset=\"utf-8\"><title>sandbox</title></head><body>\
         <p>Order {number} of {amount}: no real money. It is paid by POST /sandbox/{channel}/pay/{number} \
         on the admin listener.</p></body></html>"
    )
}

/// The sandbox's own number of a transaction.
pub(crate) fn trade_no(number: &str) -> String {
    format!("sandbox-{number}")
}

/// What came in for an order.
pub(crate) fn receipt(number: &str, received: Money) -> Receipt {
    Receipt { trade_no: Some(trade_no(number)), reference: Some(number.to_owned()), ..Receipt::of(received) }
}

/// What the books say to a query.
pub(crate) fn answer(number: &str, looked: Result<State, No>) -> QueryAnswer {
    match looked {
        Ok(State::Paid(received)) => QueryAnswer::Paid(receipt(number, received)),
        Ok(State::Open) => QueryAnswer::Open,
        Ok(State::Closed(_)) => QueryAnswer::Closed,
        Err(_) => QueryAnswer::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_scripts_before_the_amount_does() {
        check(None, 1999, Ok(Script::Open));
        check(Some("paid"), 1999, Ok(Script::Paid));
        check(Some("open"), 990_001, Ok(Script::Open));
        check(Some("refused"), 1, Ok(Script::Refused));
        check(Some("unknown"), 1, Ok(Script::Unknown));
        check(Some("late"), 1, Ok(Script::Late));
        check(None, 990_001, Ok(Script::Paid));
        check(None, 990_003, Ok(Script::Refused));
        check(None, 990_004, Ok(Script::Unknown));
        check(None, 990_005, Ok(Script::Late));
        check(None, 990_000, Ok(Script::Open));
        check(None, 990_006, Ok(Script::Open));
        check(Some("Paid"), 1, Err("write one of paid, open, refused, unknown, late"));
        check(Some(""), 1, Err("write one of"));

        #[track_caller]
        fn check(word: Option<&str>, minor: i64, want: Result<Script, &str>) {
            let metadata = word.map(|word| (SCRIPT_KEY.to_owned(), word.to_owned())).into_iter().collect();
            match (script(&metadata, Money::fen(minor)), want) {
                (Ok(got), Ok(want)) => assert_eq!(got, want),
                (Err(error), Err(want)) => assert!(error.to_string().contains(want), "{error}"),
                (got, want) => panic!("{got:?}, not {want:?}"),
            }
        }
    }

    #[test]
    fn every_method_is_offered_and_abandoned_only_where_the_payer_must_act() {
        let methods = methods();
        assert_eq!(methods.len(), Wallet::ALL.len() * Product::ALL.len());
        for spec in &methods {
            let named =
                matches!(spec.method.product.word(), "jsapi" | "mini" | "barcode" | "express" | "card");
            assert_eq!(spec.payer_must_act, !named, "{}", spec.method);
        }
    }
}
