//! BeeCloud's result codes, one row each, and what each means for the call that got it.
//!
//! The number decides, never the text. A number that is not in the table is never a refusal.
//! Codes -1, -2 and 10086 are made up inside SDKs and do not travel.
//!
//! Source: BeeCloud V2 document, table of `result_code`, and the vendor's API pages of 2018.

use paymux_core::channel::Blame;

/// One result code.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ResultRow {
    /// The number in `result_code`.
    pub code: i64,
    /// Its `result_msg`.
    pub name: &'static str,
    /// What it means, for a person.
    pub about: &'static str,
    /// For a create whose order is paid later.
    pub open: Class,
    /// For a create that moves or books the money itself.
    pub charge: Class,
    /// For a query.
    pub query: Class,
    /// For a revert.
    pub revert: Class,
}

/// What a result code means for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Done: read the rest.
    Done,
    /// A definite no.
    Refused(Blame),
    /// Failed behind BeeCloud: ask for the order, and only if there is none it is a no.
    AskFirst,
    /// There is no such order.
    Absent,
    /// Anything may have happened.
    Unknown,
}

/// Which call got the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// A create whose order is paid later.
    Open,
    /// A create that moves or books the money itself.
    Charge,
    /// A query.
    Query,
    /// A revert.
    Revert,
}

/// What `code` means for `step`.
pub(crate) fn class(code: i64, step: Step) -> Class {
    let Some(row) = row(code) else { return Class::Unknown };
    match step {
        Step::Open => row.open,
        Step::Charge => row.charge,
        Step::Query => row.query,
        Step::Revert => row.revert,
    }
}

/// The row of that number.
pub(crate) fn row(code: i64) -> Option<&'static ResultRow> {
    RESULTS.iter().find(|row| row.code == code)
}

const ACCOUNT: Class = Class::Refused(Blame::Account);
const REQUEST: Class = Class::Refused(Blame::Request);

/// The same for every call.
const fn always(code: i64, name: &'static str, class: Class, about: &'static str) -> ResultRow {
    ResultRow { code, name, about, open: class, charge: class, query: class, revert: class }
}

/// A code of refunds: no create, query or revert gets it, so there it proves nothing.
const fn refunds(code: i64, name: &'static str, about: &'static str) -> ResultRow {
    always(code, name, Class::Unknown, about)
}

/// The table.
pub(crate) const RESULTS: &[ResultRow] = &[
    always(0, "OK", Class::Done, "done, or accepted"),
    always(1, "APP_INVALID", ACCOUNT, "unknown app_id, wrong app_sign or expired timestamp"),
    always(2, "PAY_FACTOR_NOT_SET", ACCOUNT, "the account has no parameters for this channel code"),
    always(3, "CHANNEL_INVALID", ACCOUNT, "the channel code is not enabled here, or not on this path"),
    always(4, "MISS_PARAM", REQUEST, "a required field is absent"),
    always(5, "PARAM_INVALID", REQUEST, "a field has the wrong type, length or form"),
    always(6, "CERT_FILE_ERROR", ACCOUNT, "the account's certificate at the channel is bad"),
    ResultRow {
        open: Class::AskFirst,
        ..always(7, "CHANNEL_ERROR", Class::Unknown, "BeeCloud took it, the wallet or bank behind refused")
    },
    ResultRow { query: Class::Absent, revert: ACCOUNT, ..refunds(8, "NO_SUCH_BILL", "no such order") },
    refunds(9, "BILL_UNSUCCESS", "the order is not paid"),
    refunds(10, "REFUND_EXCEED_TIME", "too late for a refund"),
    refunds(11, "ALREADY_REFUNDING", "a refund of this order is in progress"),
    refunds(12, "REFUND_AMOUNT_TOO_LARGE", "more than what is left"),
    refunds(13, "NO_SUCH_REFUND", "no such refund"),
    always(14, "RUNTIME_ERROR", Class::Unknown, "BeeCloud failed inside"),
    always(15, "NETWORK_ERROR", Class::Unknown, "BeeCloud's network failed"),
    refunds(16, "PREREFUND_DUPLICATE", "this pre-refund exists already"),
    always(17, "BILL_NO_DUPLICATE", Class::Unknown, "the order number was used before: ask for the order"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_class_for_every_call() {
        use Class::{Absent, AskFirst, Done, Unknown};
        check(0, [Done; 4]);
        check(1, [ACCOUNT; 4]);
        check(2, [ACCOUNT; 4]);
        check(3, [ACCOUNT; 4]);
        check(4, [REQUEST; 4]);
        check(5, [REQUEST; 4]);
        check(6, [ACCOUNT; 4]);
        check(7, [AskFirst, Unknown, Unknown, Unknown]);
        check(8, [Unknown, Unknown, Absent, ACCOUNT]);
        for code in 9..=17 {
            check(code, [Unknown; 4]);
        }
        for unlisted in [-2, -1, 18, 99, 10086, i64::MIN, i64::MAX] {
            check(unlisted, [Unknown; 4]);
            assert!(row(unlisted).is_none());
        }

        #[track_caller]
        fn check(code: i64, want: [Class; 4]) {
            let got = [Step::Open, Step::Charge, Step::Query, Step::Revert].map(|step| class(code, step));
            assert_eq!(got, want, "{code}");
        }
    }

    #[test]
    fn numbers_run_from_0_to_17() {
        assert!(RESULTS.iter().map(|row| row.code).eq(0..=17));
    }
}
