//! Which call a request makes, and whose secret signs it.

use std::time::Duration;

use paymux_core::acceptor::FrontAccount;
use paymux_core::{Verb, WireRequest};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::map::codes::Family;

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
}

impl Operation {
    /// Fixed words before variables; one slash at the end is passed over.
    pub(super) fn of(request: &WireRequest) -> Option<Self> {
        let path = request.path.strip_prefix("/2/rest/")?;
        let path = path.strip_suffix('/').unwrap_or(path);
        let segments: Vec<&str> = path.split('/').collect();
        Some(match (request.verb, segments.as_slice()) {
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
            _ => return None,
        })
    }

    /// Whether it makes, ends or sends back anything.
    pub(super) fn moves(&self) -> bool {
        matches!(self, Self::Create(_) | Self::Revert(_) | Self::Refund(_) | Self::Approve)
    }

    /// Whose secret signs it.
    pub(super) const fn signer(&self) -> Signer {
        match self {
            Self::Refund(_) | Self::Approve => Signer::Master,
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

fn variable(segment: &str) -> Option<String> {
    let text = percent_decode_str(segment).decode_utf8().ok()?;
    (!text.is_empty()).then(|| text.into_owned())
}
