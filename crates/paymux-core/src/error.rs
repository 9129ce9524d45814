//! Why a use case says no. One exhaustive `match` in each front turns this into its answer.

use crate::ids::ChannelId;
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
    #[error("the payment is being worked on; look at it again in a moment")]
    InFlight,
    /// It cannot be canceled, with the reason.
    #[error("the payment cannot be canceled: {0}")]
    NotCancelable(String),
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
