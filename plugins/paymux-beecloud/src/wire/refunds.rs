//! Refunds and lists, spelt exactly as BeeCloud spells them.
//!
//! Source: BeeCloud V2 document and API pages of 2018: refund, offline refund, refund status, filters
//! of `bills` and `refunds`, record of a refund.

use paymux_core::{ChannelError, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::word;

/// A refund of an online order. `channel` is optional in V2 and left out; so is `need_approval`, whose
/// null was once answered with 14.
#[derive(Serialize)]
pub(crate) struct OnlineRefund<'a> {
    pub refund_no: &'a str,
    pub bill_no: &'a str,
    pub refund_fee: i64,
    pub notify_url: &'a str,
}

/// A refund of an order of the till.
#[derive(Serialize)]
pub(crate) struct TillRefund<'a> {
    pub refund_no: &'a str,
    pub bill_no: &'a str,
    pub refund_fee: i64,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub refund_reason: &'a str,
}

/// A query of refunds, by our number or of one order.
#[derive(Serialize, Default)]
pub(crate) struct RefundsQuery<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refund_no: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bill_no: Option<&'a str>,
}

/// Has BeeCloud ask the wallet or bank for a refund's state.
#[derive(Serialize)]
pub(crate) struct RefundStatus<'a> {
    /// The group.
    pub channel: &'a str,
    pub refund_no: &'a str,
    /// `"1"`, or the order's refund totals are not brought up to date.
    pub bill_update_flag: &'static str,
}

/// One page of a list. The times are those of a record's creation, both ends included.
#[derive(Serialize)]
pub(crate) struct Page {
    pub start_time: i64,
    pub end_time: i64,
    pub skip: usize,
    pub limit: usize,
}

/// The fields of a refund's record that decide something.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct RefundRow {
    /// The record's id. It decides nothing, so no form of it makes a record unreadable.
    #[serde(default, deserialize_with = "word")]
    pub id: Option<String>,
    pub bill_no: String,
    pub refund_no: String,
    /// Fen.
    pub refund_fee: i64,
    /// Whether it is over.
    pub finish: bool,
    /// Whether it succeeded; means something once it is over.
    pub result: Option<bool>,
}

/// The fields of an order's record that a list tells.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ListedBill {
    pub bill_no: String,
    /// The order's amount, fen.
    pub bill_fee: Option<i64>,
    /// The paid amount after a coupon, fen.
    pub total_fee: i64,
    /// What the coupon took off, fen.
    pub discount: Option<i64>,
    /// Whether it was paid, also where it was reverted afterwards.
    pub spay_result: bool,
    /// Whether it was reverted: closed, or what was paid sent back.
    pub revert_result: Option<bool>,
    pub create_time: i64,
}

/// The fields of an order's record that tell what it was for.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct ListedOrigin {
    #[serde(default, deserialize_with = "word")]
    pub id: Option<String>,
    /// The create code.
    #[serde(default, deserialize_with = "word")]
    pub sub_channel: Option<String>,
    #[serde(default, deserialize_with = "word")]
    pub title: Option<String>,
    /// The channel's number, once paid.
    #[serde(default, deserialize_with = "word")]
    pub trade_no: Option<String>,
    /// When it was paid; older pages lack it.
    #[serde(default)]
    pub success_time: Option<i64>,
    /// Whether any of it was refunded.
    #[serde(default)]
    pub refund_result: Option<bool>,
}

/// When a record was made.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Made {
    create_time: i64,
}

impl Made {
    pub(crate) fn at(&self) -> Timestamp {
        Timestamp::from_ms(self.create_time)
    }
}

/// A row of a list as one of these.
pub(crate) fn row<T: for<'de> Deserialize<'de>>(value: &Value) -> Result<T, ChannelError> {
    T::deserialize(value)
        .map_err(|_| ChannelError::unknown("a record in BeeCloud's list has fields of a wrong type"))
}
