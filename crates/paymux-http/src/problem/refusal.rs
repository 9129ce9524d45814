//! Every way to say no, in one table: its status, the `code` that programs read, and its words. What answers and what
//! the documentation tells of answers are both made from it.

use http::StatusCode;

/// One row of the table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// The status of the answer.
    pub(crate) status: StatusCode,
    /// What programs read. Two rows may have one, where the same thing is lasting or only for now.
    pub(crate) code: &'static str,
    /// The problem's `title`.
    pub(crate) title: &'static str,
    /// When it comes to that, and what to do.
    pub(crate) when: &'static str,
}

macro_rules! refusals {
    ($($name:ident: $status:ident $code:literal, $title:literal, $when:literal;)+) => {
        /// A way to say no.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub(crate) enum Refusal { $(#[doc = $when] $name),+ }

        impl Refusal {
            /// All of them, by status.
            pub(crate) const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Its row.
            pub(crate) const fn row(self) -> Row {
                match self {
                    $(Self::$name => {
                        Row { status: StatusCode::$status, code: $code, title: $title, when: $when }
                    })+
                }
            }

            /// What it is called where each row needs a name of its own.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(Self::$name => stringify!($name)),+ }
            }
        }
    };
}

refusals! {
    InvalidRequest: BAD_REQUEST "invalid_request", "The request is not valid",
        "A field, a query key, a header field or the body as a whole breaks its rule: `param` names it.";
    Unauthorized: UNAUTHORIZED "unauthorized", "The API key is missing or wrong",
        "No key came with the request, or one that opens nothing here.";
    Forbidden: FORBIDDEN "forbidden", "The app may not do that",
        "The app's `scopes` do not list that part of the API.";
    NotFound: NOT_FOUND "not_found", "There is no such thing here",
        "There is no such thing, or it is another app's.";
    MethodNotAllowed: METHOD_NOT_ALLOWED "method_not_allowed", "The method is not allowed",
        "The path is known and the method is not: `Allow` lists those that it takes.";
    RequestTimeout: REQUEST_TIMEOUT "request_timeout", "The request took too long",
        "The body did not arrive in time: send the same request again.";
    AlreadyPaid: CONFLICT "already_paid", "The payment is paid",
        "A payment that is paid cannot be canceled: refund it.";
    InFlight: CONFLICT "in_flight", "Another request is under way",
        "Another request on the same thing is under way: look at it again in a moment.";
    NotCancelable: CONFLICT "not_cancelable", "The payment cannot be canceled",
        "The payment has ended, or nobody knows what became of it.";
    NotAdopted: CONFLICT "not_adopted", "The order cannot be taken over",
        "An order that was made at its provider elsewhere is not taken over: `detail` says why.";
    NotRefundable: CONFLICT "not_refundable", "The payment cannot be refunded",
        "No money of the payment can go back.";
    NotResolvable: CONFLICT "not_resolvable", "That word does not fit",
        "What an operator says contradicts what is known.";
    ChannelNeeded: CONFLICT "channel_needed", "The channel is still needed",
        "The channel cannot be turned off yet: `detail` says what needs it.";
    NotPayable: CONFLICT "not_payable", "The order takes no money",
        "The sandbox's order is paid or over.";
    BodyTooLarge: PAYLOAD_TOO_LARGE "body_too_large", "The body is too large",
        "The body has more bytes than `[limits]` allows.";
    OrderMismatch: UNPROCESSABLE_ENTITY "order_mismatch", "The order number belongs to another request",
        "The order number was used with other fields: send the same fields, or a new number.";
    RefundMismatch: UNPROCESSABLE_ENTITY "refund_mismatch", "The refund number belongs to another request",
        "The refund number was used with other fields: send the same fields, or a new number.";
    TransferMismatch: UNPROCESSABLE_ENTITY "transfer_mismatch", "The transfer number belongs to another request",
        "The transfer number was used with other fields: send the same fields, or a new number.";
    KeyMismatch: UNPROCESSABLE_ENTITY "idempotency_mismatch", "The key belongs to another request",
        "The `Idempotency-Key` stands for another request: use a new one.";
    NoChannel: UNPROCESSABLE_ENTITY "no_channel", "No channel can take this payment",
        "Each channel was removed by a rule, which `channels` names. Nothing was stored.";
    RefundTooLarge: UNPROCESSABLE_ENTITY "refund_too_large", "More than is left cannot go back",
        "`amount_left` says how much can still go back.";
    TransferTooLarge: UNPROCESSABLE_ENTITY "transfer_too_large", "The app may not pay out so much",
        "The sum is above what the app may pay out at once or in a day.";
    Unsupported: UNPROCESSABLE_ENTITY "unsupported", "The provider cannot do that",
        "The channel's provider has no such operation.";
    NotReloaded: UNPROCESSABLE_ENTITY "not_reloaded", "The configuration is not taken",
        "`mistakes` tells what to mend; the configuration in force stays.";
    Internal: INTERNAL_SERVER_ERROR "internal", "paymux is at fault",
        "Something that must not happen has happened. It was logged under the request's id.";
    NoChannelNow: SERVICE_UNAVAILABLE "no_channel", "No channel can take this payment",
        "The same, and at least one channel is out only for now: try again after `Retry-After`.";
    Overloaded: SERVICE_UNAVAILABLE "overloaded", "Not possible just now",
        "Too much came at once, or the ledger is away: send the same request again after `Retry-After`.";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_stand_by_status_and_each_has_its_words() {
        let rows: Vec<Row> = Refusal::ALL.iter().map(|refusal| refusal.row()).collect();
        assert!(rows.is_sorted_by_key(|row| row.status.as_u16()));
        for row in rows {
            assert!(row.status.is_client_error() || row.status.is_server_error(), "{row:?}");
            assert!(row.when.ends_with('.') && !row.title.ends_with('.'), "{row:?}");
            assert!(row.code.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'), "{row:?}");
        }
    }

    #[test]
    fn a_code_has_two_rows_only_where_they_differ_in_status() {
        for one in Refusal::ALL {
            for other in Refusal::ALL.iter().filter(|other| *other != one) {
                let (one, other) = (one.row(), other.row());
                assert!((one.status, one.code) != (other.status, other.code), "{one:?}");
            }
        }
    }
}
