//! Why a use case says no. One exhaustive `match` in each front turns this into its answer.

use crate::catalog::Scope;
use crate::ids::ChannelId;
use crate::money::Money;
use crate::payment::request::InvalidField;
use crate::router::NoChannel;
use crate::store::StoreError;

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
            Self::Overloaded(_) => "overloaded",
            Self::Internal(_) => "internal",
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
