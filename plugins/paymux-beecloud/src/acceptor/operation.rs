//! Which call a request makes, and whose secret signs it.

use std::time::Duration;

use paymux_core::acceptor::FrontAccount;
use paymux_core::{Verb, WireRequest};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::map::codes::Family;
use crate::native::table::{self, Operation as Native};

/// The setting that lets the app secret sign calls that move money out.
pub(super) const APP_SECRET_MOVES_MONEY: &str = "app_secret_moves_money";

/// How far a call's `timestamp` may be from our clock, either way; many callers use a browser's.
const WINDOW: Duration = Duration::from_mins(15);
/// The same for calls that move money out: a captured sign of one is worth more.
const MONEY_OUT_WINDOW: Duration = Duration::from_mins(5);

/// What a path and verb ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Operation {
    Create(Family),
    Status,
    Revert(String),
    Bills,
    Count,
    Record(String),
    Refund(Family),
    Approve,
    RefundStatus,
    Refunds,
    RefundCount,
    RefundRecord(String),
    Payout(Payout),
    Payouts,
    PayoutCount,
    Banks,
    /// With the id in the path, where there is one.
    Native(&'static Native, Option<String>),
}

/// A call that pays out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Payout {
    /// To a bank card or account.
    Bank,
    /// To one person's wallet.
    Wallet,
    /// To many people's Alipay.
    Batch,
}

/// Which version of the protocol a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// `/1/`
    V1,
    /// `/2/`
    V2,
}

impl Version {
    /// The note of a call, with its version where that is not the usual one.
    pub(super) fn marked(self, memo: String) -> String {
        match self {
            Self::V1 => memo + V1_MARK,
            Self::V2 => memo,
        }
    }
}

/// What ends the note of a call of the first version.
pub(super) const V1_MARK: &str = " v1";

impl Operation {
    /// Fixed words before variables; one slash at the end is passed over.
    pub(super) fn of(request: &WireRequest) -> Option<(Version, Self)> {
        let path = request.path.strip_suffix('/').unwrap_or(&request.path);
        if let Some(rest) = path.strip_prefix("/1/rest/") {
            return Some((Version::V1, Self::of_v1(request.verb, &segments(rest))?));
        }
        let operation = match path.strip_prefix("/2/rest/") {
            Some(rest) => Self::of_v2(request.verb, &segments(rest))?,
            None if path == "/2/auth" && request.verb == Verb::Post => Self::Native(&table::AUTH, None),
            None => return None,
        };
        Some((Version::V2, operation))
    }

    /// Source: BeeCloud V1 beta document; by id, approval and batch payout are on API pages of 2018.
    fn of_v1(verb: Verb, segments: &[&str]) -> Option<Self> {
        match (verb, segments) {
            (Verb::Post, ["approve"]) => Some(Self::Approve),
            (Verb::Post, ["bill" | "refund" | "transfers"])
            | (Verb::Get, ["bills" | "refunds"] | ["bill" | "refund", _]) => Self::of_v2(verb, segments),
            _ => None,
        }
    }

    fn of_v2(verb: Verb, segments: &[&str]) -> Option<Self> {
        Some(match (verb, segments) {
            (Verb::Post, ["bill"]) => Self::Create(Family::Bill),
            (Verb::Post, ["offline", "bill"]) => Self::Create(Family::Till),
            (Verb::Post, ["offline", "bill", "status"]) => Self::Status,
            (Verb::Post, ["offline", "bill", number]) => Self::Revert(variable(number)?),
            (Verb::Get, ["bills"]) => Self::Bills,
            (Verb::Get, ["bills", "count"]) => Self::Count,
            (Verb::Get, ["bill", id]) => Self::Record(variable(id)?),
            (Verb::Post, ["refund"]) => Self::Refund(Family::Bill),
            (Verb::Post, ["offline", "refund"]) => Self::Refund(Family::Till),
            (Verb::Put, ["refund"]) => Self::Approve,
            (Verb::Get, ["refund", "status"]) => Self::RefundStatus,
            (Verb::Get, ["refunds"]) => Self::Refunds,
            (Verb::Get, ["refunds", "count"]) => Self::RefundCount,
            (Verb::Get, ["refund", id]) => Self::RefundRecord(variable(id)?),
            (Verb::Post, ["bc_transfer"]) => Self::Payout(Payout::Bank),
            (Verb::Post, ["transfer"]) => Self::Payout(Payout::Wallet),
            (Verb::Post, ["transfers"]) => Self::Payout(Payout::Batch),
            (Verb::Get, ["transfers"]) => Self::Payouts,
            (Verb::Get, ["transfers", "count"]) => Self::PayoutCount,
            (Verb::Get, ["bc_transfer", "banks"]) => Self::Banks,
            _ => return Self::native(verb, segments),
        })
    }

    fn native(verb: Verb, segments: &[&str]) -> Option<Self> {
        let (native, id) = match (verb, segments) {
            (Verb::Post, ["user"]) => (&table::ADD_USER, None),
            (Verb::Post, ["users"]) => (&table::ADD_USERS, None),
            (Verb::Get, ["users"]) => (&table::USERS, None),
            // One SDK posts it.
            (Verb::Put | Verb::Post, ["history_bills"]) => (&table::HISTORY_BILLS, None),
            (Verb::Post, ["coupon"]) => (&table::ISSUE_COUPON, None),
            (Verb::Get, ["coupon"]) => (&table::COUPONS, None),
            (Verb::Get, ["coupon", "template"]) => (&table::COUPON_TEMPLATES, None),
            (Verb::Get, ["coupon", "template", id]) => (&table::COUPON_TEMPLATE, Some(variable(id)?)),
            (Verb::Get, ["coupon", id]) => (&table::COUPON, Some(variable(id)?)),
            _ => return None,
        };
        Some(Self::Native(native, id))
    }

    /// Whether it makes, ends, sends back or pays out anything, or costs something.
    pub(super) fn moves(&self) -> bool {
        match self {
            Self::Create(_) | Self::Revert(_) | Self::Refund(_) | Self::Approve | Self::Payout(_) => true,
            Self::Native(native, _) => native.verb != Verb::Get,
            Self::Status
            | Self::Bills
            | Self::Count
            | Self::Record(_)
            | Self::RefundStatus
            | Self::Refunds
            | Self::RefundCount
            | Self::RefundRecord(_)
            | Self::Payouts
            | Self::PayoutCount
            | Self::Banks => false,
        }
    }

    /// Whose secret signs it.
    pub(super) const fn signer(&self) -> Signer {
        match self {
            Self::Refund(_) | Self::Approve | Self::Payout(_) => Signer::Master,
            _ => Signer::App,
        }
    }
}

/// Which secret signs a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signer {
    /// It moves no money out.
    App,
    /// It does.
    Master,
}

impl Signer {
    pub(super) const fn window(self) -> Duration {
        match self {
            Self::App => WINDOW,
            Self::Master => MONEY_OUT_WINDOW,
        }
    }

    /// The settings that hold its secrets.
    pub(super) fn secrets(self, account: &FrontAccount) -> &'static [&'static str] {
        let app_moves_money =
            account.settings.get(APP_SECRET_MOVES_MONEY).and_then(Value::as_bool) == Some(true);
        match self {
            Self::App => &["app_secret", "app_secret_previous"],
            Self::Master if app_moves_money => {
                &["master_secret", "master_secret_previous", "app_secret", "app_secret_previous"]
            }
            Self::Master => &["master_secret", "master_secret_previous"],
        }
    }
}

fn segments(path: &str) -> Vec<&str> {
    path.split('/').collect()
}

fn variable(segment: &str) -> Option<String> {
    let text = percent_decode_str(segment).decode_utf8().ok()?;
    (!text.is_empty()).then(|| text.into_owned())
}
