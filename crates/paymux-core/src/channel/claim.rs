//! What a verified callback claims, and how it is answered.

use crate::method::Method;
use crate::money::Money;

/// A callback whose sign is right. Nothing in it is believed beyond what the sign covers until the
/// core has compared it with the stored order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The number it speaks of: ours, as the provider echoes it. Of an order where it was paid, of a
    /// refund or a payout where money left.
    pub number: String,
    /// What it says happened.
    pub kind: ClaimKind,
    /// What makes it the same message when it is sent again: unique per channel and fact,
    /// made only of fields that the sign covers.
    pub event_key: String,
    /// What the order was for, where the provider says so.
    pub order_amount: Option<Money>,
    /// What really came in.
    pub received: Money,
    /// What the payer used, where the provider says so.
    pub method: Option<Method>,
    /// The wallet's or bank's own number, where the provider says so.
    pub trade_no: Option<String>,
    /// Whether the sign covers `trade_no`: only then can another number prove another payment.
    pub trade_no_is_signed: bool,
    /// Whether this alone may settle the order.
    pub evidence: Evidence,
}

/// What a callback says happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimKind {
    /// An order was paid.
    Paid,
    /// A refund was done.
    Refunded,
    /// A refund was definitely not done.
    RefundFailed,
    /// A payout was done.
    Transferred,
    /// A payout was definitely not done.
    TransferFailed,
    /// Something that does not concern the router: stored and acknowledged, no effect.
    Other,
}

/// How far a callback goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// All that matters is signed: it settles the order if number and amount agree.
    Settles,
    /// Something that matters is not signed: ask the provider, then believe the answer.
    AskProvider,
}

/// Why a callback is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallbackError {
    /// It is not a message of this protocol.
    #[error("unreadable: {0}")]
    Unreadable(String),
    /// Its sign is missing or wrong; the text says which known mistake would explain it, if any.
    #[error("the sign is wrong: {0}")]
    BadSign(String),
    /// Its sign is right, and still it cannot be meant as it stands: a field has a form that the provider never
    /// gives it. Kept for a person, as a verified one that fits nothing.
    #[error("genuine, and not to be believed: {what}")]
    Odd {
        /// What is odd about it.
        what: String,
        /// What makes it the same when it comes again, as [`Claim::event_key`].
        event_key: String,
    },
}

/// How a callback shall be answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Stored: do not send it again.
    Accepted,
    /// Not believed.
    Rejected,
    /// We could not store it just now: send it again.
    TryAgain,
}
