//! Why a use case says no. One exhaustive `match` in each front turns this into its answer.

use std::time::Duration;

use crate::catalog::Scope;
use crate::ids::ChannelId;
use crate::money::Money;
use crate::payment::request::InvalidField;
use crate::router::NoChannel;
use crate::store::StoreError;

/// How long until a client may try again when the ledger was away.
const RETRY_OVERLOADED: Duration = Duration::from_secs(1);
/// How long until a client may try again when every channel was out for now.
const RETRY_NO_CHANNEL: Duration = Duration::from_secs(30);

/// Why a use case says no.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PaymentError {
    /// A field breaks its rule; nothing was stored.
    #[error(transparent)]
    Invalid(#[from] InvalidField),
    /// No object of that id in this app.
    #[error("there is no such {0} in this app")]
    NotFound(&'static str),
    /// The order number is taken by another request.
    #[error(
        "order number `{0}` was used for a request with other fields; send the same fields or a new number"
    )]
    OrderMismatch(String),
    /// No channel may take it; nothing was stored.
    #[error("no channel can take this payment; `channels` says why for each")]
    NoChannel(NoChannel),
    /// It is paid.
    #[error("the payment is paid already; refund it instead")]
    AlreadyPaid,
    /// Another operation on it is running.
    #[error("another request on it is under way; look at it again in a moment")]
    InFlight,
    /// It cannot be canceled, with the reason.
    #[error("the payment cannot be canceled: {0}")]
    NotCancelable(String),
    /// Its order was made at a provider elsewhere and is not taken over, with the reason.
    #[error("the order was made at the provider and cannot be taken over: {0}")]
    NotAdopted(&'static str),
    /// No money of it can go back, with the reason.
    #[error("the payment cannot be refunded: {0}")]
    NotRefundable(String),
    /// More than is left shall go back.
    #[error("only {left} of the payment can still go back; refunds under way count as gone")]
    RefundTooLarge {
        /// What is left.
        left: Money,
    },
    /// The refund number is taken by another request.
    #[error(
        "refund number `{0}` was used for a request with other fields; send the same fields or a new number"
    )]
    RefundMismatch(String),
    /// The transfer number is taken by another request.
    #[error(
        "transfer number `{0}` was used for a request with other fields; send the same fields or a new number"
    )]
    TransferMismatch(String),
    /// More than the app may pay out.
    #[error("the app may pay out at most {max_minor} minor units {per}")]
    TransferTooLarge {
        /// The limit.
        max_minor: i64,
        /// What it holds for: one transfer or a day.
        per: String,
    },
    /// The `Idempotency-Key` was used for another request.
    #[error("this Idempotency-Key was used for another request; use a new key for a new request")]
    KeyMismatch,
    /// The app may not do that.
    #[error("this app may not use {0}; its `scopes` do not list it")]
    Forbidden(Scope),
    /// An operator's word does not fit, with the reason.
    #[error("this cannot be resolved so: {0}")]
    NotResolvable(String),
    /// A channel cannot be turned off yet, with the reason.
    #[error("channel `{channel}` cannot be turned off yet: {why}")]
    ChannelNeeded {
        /// Which channel.
        channel: ChannelId,
        /// Why, and what to do.
        why: String,
    },
    /// The provider cannot do it.
    #[error("channel `{channel}` cannot {operation}: its provider has no such operation")]
    Unsupported {
        /// Which channel.
        channel: ChannelId,
        /// What was asked.
        operation: &'static str,
    },
    /// The app asks for more than it may.
    #[error("this app sends more than `limits` lets it; send the request again after a pause")]
    RateLimited {
        /// How long.
        pause: Duration,
    },
    /// Too much at once, or the store is away.
    #[error("paymux cannot take this just now: {0}; try again in a moment")]
    Overloaded(String),
    /// A broken invariant: this one request is refused, the process goes on.
    #[error("paymux found something that must not be; it was logged")]
    Internal(String),
}

impl PaymentError {
    /// The word that programs read: the `code` of a problem, the `reason` of a gRPC status.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "invalid_request",
            Self::NotFound(_) => "not_found",
            Self::OrderMismatch(_) => "order_mismatch",
            Self::NoChannel(_) => "no_channel",
            Self::AlreadyPaid => "already_paid",
            Self::InFlight => "in_flight",
            Self::NotCancelable(_) => "not_cancelable",
            Self::NotAdopted(_) => "not_adopted",
            Self::NotRefundable(_) => "not_refundable",
            Self::RefundTooLarge { .. } => "refund_too_large",
            Self::RefundMismatch(_) => "refund_mismatch",
            Self::TransferMismatch(_) => "transfer_mismatch",
            Self::TransferTooLarge { .. } => "transfer_too_large",
            Self::KeyMismatch => "idempotency_mismatch",
            Self::Forbidden(_) => "forbidden",
            Self::NotResolvable(_) => "not_resolvable",
            Self::ChannelNeeded { .. } => "channel_needed",
            Self::Unsupported { .. } => "unsupported",
            Self::RateLimited { .. } => "rate_limited",
            Self::Overloaded(_) => "overloaded",
            Self::Internal(_) => "internal",
        }
    }

    /// The field of the request that is at fault, if it is one.
    pub fn param(&self) -> Option<&str> {
        match self {
            Self::Invalid(field) => Some(&field.param),
            Self::OrderMismatch(_) => Some("order_no"),
            Self::RefundMismatch(_) => Some("refund_no"),
            Self::TransferMismatch(_) => Some("transfer_no"),
            Self::KeyMismatch => Some("Idempotency-Key"),
            Self::RefundTooLarge { .. } | Self::TransferTooLarge { .. } => Some("amount"),
            _ => None,
        }
    }

    /// After how long the same request may do better; `None` where time alone changes nothing. At least a second: a
    /// front may be able to say no less.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::NoChannel(nobody) if nobody.is_temporary() => Some(RETRY_NO_CHANNEL),
            Self::RateLimited { pause } => Some((*pause).max(RETRY_OVERLOADED)),
            Self::Overloaded(_) => Some(RETRY_OVERLOADED),
            _ => None,
        }
    }

    /// What a client is told of it. What a database said may hold values: that goes to the log and no further.
    pub fn told(&self) -> String {
        match self {
            Self::Overloaded(why) => {
                tracing::error!(%why, "a request was not taken");
                "the ledger does not answer just now; send the same request again in a moment".to_owned()
            }
            Self::Internal(why) => {
                tracing::error!(%why, "a broken invariant");
                "something that must not happen has happened; it was logged under this request's id"
                    .to_owned()
            }
            told => told.to_string(),
        }
    }
}

impl From<StoreError> for PaymentError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(why) | StoreError::Unconfirmed(why) => Self::Overloaded(why),
            StoreError::Corrupt(why) => Self::Internal(why),
        }
    }
}
