//! Every way in which a use case says no: a front's table of refusals is tried with all of them.

use std::time::Duration;

use paymux_core::catalog::Scope;
use paymux_core::payment::request::InvalidField;
use paymux_core::router::{NoChannel, Removal};
use paymux_core::{ChannelId, Money, PaymentError};

use crate::fixtures::channel;

/// One error of each kind, in the order of the enum; of those that differ by what is in them, one of each. What must
/// reach no client says `secret`.
pub fn every_refusal() -> Vec<PaymentError> {
    let why = || "why".to_owned();
    let all = vec![
        PaymentError::Invalid(InvalidField::new("payer.ip", "write it well")),
        PaymentError::NotFound("payment"),
        PaymentError::OrderMismatch("A1".to_owned()),
        PaymentError::NoChannel(nobody(false)),
        PaymentError::NoChannel(nobody(true)),
        PaymentError::AlreadyPaid,
        PaymentError::InFlight,
        PaymentError::NotCancelable(why()),
        PaymentError::NotAdopted("why"),
        PaymentError::NotRefundable(why()),
        PaymentError::RefundTooLarge { left: Money::fen(7) },
        PaymentError::RefundMismatch("R1".to_owned()),
        PaymentError::TransferMismatch("T1".to_owned()),
        PaymentError::TransferTooLarge { max_minor: 7, per: "a day".to_owned() },
        PaymentError::KeyMismatch,
        PaymentError::Forbidden(Scope::Transfers),
        PaymentError::NotResolvable(why()),
        PaymentError::ChannelNeeded { channel: main(), why: why() },
        PaymentError::Unsupported { channel: main(), operation: "cancel" },
        PaymentError::RateLimited { pause: Duration::from_millis(40) },
        PaymentError::Overloaded("secret".to_owned()),
        PaymentError::Internal("secret".to_owned()),
    ];
    all.iter().for_each(is_listed);
    all
}

/// Whoever adds a kind of error is led here by the compiler, to add it above as well.
const fn is_listed(error: &PaymentError) {
    match error {
        PaymentError::Invalid(_)
        | PaymentError::NotFound(_)
        | PaymentError::OrderMismatch(_)
        | PaymentError::NoChannel(_)
        | PaymentError::AlreadyPaid
        | PaymentError::InFlight
        | PaymentError::NotCancelable(_)
        | PaymentError::NotAdopted(_)
        | PaymentError::NotRefundable(_)
        | PaymentError::RefundTooLarge { .. }
        | PaymentError::RefundMismatch(_)
        | PaymentError::TransferMismatch(_)
        | PaymentError::TransferTooLarge { .. }
        | PaymentError::KeyMismatch
        | PaymentError::Forbidden(_)
        | PaymentError::NotResolvable(_)
        | PaymentError::ChannelNeeded { .. }
        | PaymentError::Unsupported { .. }
        | PaymentError::RateLimited { .. }
        | PaymentError::Overloaded(_)
        | PaymentError::Internal(_) => {}
    }
}

fn main() -> ChannelId {
    channel("main")
}

fn nobody(temporary: bool) -> NoChannel {
    let removal = Removal { rule: "state", detail: "why".to_owned(), temporary };
    NoChannel { route: None, removed: vec![(main(), removal)] }
}
