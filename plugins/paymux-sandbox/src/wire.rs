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

/// A callback: an order was paid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Callback {
    /// The order's number.
    pub number: String,
    /// What came in, in minor units.
    pub amount: i64,
    /// ISO 4217.
    pub currency: String,
    /// When, in milliseconds since 1970.
    pub time: i64,
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
