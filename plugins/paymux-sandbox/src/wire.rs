//! The sandbox's messages, spelt as it spells them. Nothing here is seen outside.
//!
//! Their meaning lives in `map`, `callback` and `acceptor`.

use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Serialize};

/// The media type of every body.
pub(crate) const JSON: &str = "application/json";

/// Reads a message, which is one JSON object. Serde alone would take a list as the fields in their
/// order.
pub(crate) fn read<T: DeserializeOwned>(body: &[u8]) -> serde_json::Result<T> {
    if body.trim_ascii_start().starts_with(b"{") {
        serde_json::from_slice(body)
    } else {
        Err(serde_json::Error::custom("write one JSON object"))
    }
}

/// A callback: what happened to an order, a refund or a payout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Callback {
    /// The number of the order, the refund or the payout.
    pub number: String,
    /// What came in or went out, in minor units.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
    /// When, in milliseconds since 1970.
    pub time: i64,
    /// What happened; absent = an order was paid.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<CallbackKind>,
    /// The number of the money; absent = the one that follows from the order's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trade_no: Option<String>,
}

/// What a callback tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CallbackKind {
    /// An order was paid.
    Paid,
    /// A refund is done.
    Refunded,
    /// A refund will never be done.
    RefundFailed,
    /// A payout is done.
    Transferred,
    /// A payout will never be done.
    TransferFailed,
}

/// The body of the native operation `pay`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PayOrder {
    /// The order's number.
    pub number: String,
    /// How much comes in, in minor units; absent = what was asked.
    pub amount: Option<i64>,
    /// Whether a closed order takes the money too; absent = no.
    #[serde(default)]
    pub late: bool,
}

/// The body of the native operations that end a refund or a payout.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndOutflow {
    /// The number of the refund or payout at the provider.
    pub number: String,
    /// Whether money that counts as failed leaves all the same; absent = no.
    #[serde(default)]
    pub late: bool,
}

/// A client's call to open an order.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OpenCall {
    /// Who calls.
    pub account: String,
    /// When, in milliseconds since 1970.
    pub time: i64,
    /// The client's number.
    pub number: String,
    /// How much, in minor units.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
    /// `wallet.product`
    pub method: String,
    /// What is bought.
    pub subject: String,
    /// How long it lives, in seconds.
    pub expires_in: Option<u32>,
    /// Where the payer's browser goes in the end.
    pub return_url: Option<String>,
    /// Where the callback goes.
    pub notify_url: Option<String>,
    /// The payer's address.
    pub ip: Option<String>,
    /// The payer's id inside the wallet.
    pub openid: Option<String>,
    /// The digits of the payer's barcode.
    pub auth_code: Option<String>,
}

/// A client's call about an order.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OrderCall {
    /// Who calls.
    pub account: String,
    /// When, in milliseconds since 1970.
    pub time: i64,
    /// The client's number.
    pub number: String,
}
