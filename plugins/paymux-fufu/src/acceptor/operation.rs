//! Which call a request makes.

use paymux_core::acceptor::FrontRoute;
use paymux_core::{Verb, WireRequest};

/// What stands before every operation.
pub(super) const PREFIX: &str = "/gateway/pay/";

/// What a path asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operation {
    Order,
    PreOrder,
    Query,
    Cancel,
    Close,
    Refund,
    RefundQuery,
}

impl Operation {
    const ALL: [Self; 7] = [
        Self::Order,
        Self::PreOrder,
        Self::Query,
        Self::Cancel,
        Self::Close,
        Self::Refund,
        Self::RefundQuery,
    ];

    /// As it stands in the path.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::PreOrder => "preOrder",
            Self::Query => "query",
            Self::Cancel => "cancel",
            Self::Close => "close",
            Self::Refund => "refund",
            Self::RefundQuery => "refundQuery",
        }
    }

    /// Letter case counts; one slash at the end is passed over.
    pub(super) fn of(request: &WireRequest) -> Option<Self> {
        let word = request.path.strip_prefix(PREFIX)?;
        let word = word.strip_suffix('/').unwrap_or(word);
        Self::ALL.into_iter().find(|operation| request.verb == Verb::Post && operation.word() == word)
    }
}

const fn post(path: &'static str) -> FrontRoute {
    FrontRoute { verb: Verb::Post, path }
}

/// The paths of all operations.
pub(super) const ROUTES: &[FrontRoute] = &[
    post("/gateway/pay/order"),
    post("/gateway/pay/preOrder"),
    post("/gateway/pay/query"),
    post("/gateway/pay/cancel"),
    post("/gateway/pay/close"),
    post("/gateway/pay/refund"),
    post("/gateway/pay/refundQuery"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_is_an_operation_and_the_other_way_round() {
        assert_eq!(ROUTES.len(), Operation::ALL.len());
        for (route, operation) in ROUTES.iter().zip(Operation::ALL) {
            assert_eq!(route.path, format!("{PREFIX}{}", operation.word()));
            assert_eq!(Operation::of(&WireRequest::new(Verb::Post, route.path)), Some(operation));
            let slashed = WireRequest::new(Verb::Post, format!("{}/", route.path));
            assert_eq!(Operation::of(&slashed), Some(operation));
            assert_eq!(Operation::of(&WireRequest::new(Verb::Get, route.path)), None);
        }
        for path in ["/gateway/pay/preorder", "/gateway/pay/", "/order", "/gateway/pay/order/1"] {
            assert_eq!(Operation::of(&WireRequest::new(Verb::Post, path)), None, "{path}");
        }
    }
}
