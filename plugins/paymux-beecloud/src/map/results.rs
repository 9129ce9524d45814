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
    /// For a refund.
    pub refund: Class,
    /// For a question about refunds, whose refusal says nothing of the refund.
    pub ask_refund: Class,
}

/// What a result code means for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// Done: read the rest.
    Done,
    /// A definite no.
    Refused(Blame),
    /// Not clear by itself: ask for the order or its refunds, and only what is found can make it a no.
    AskFirst,
    /// There is no such order or refund.
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
    /// A refund.
    Refund,
    /// A question about refunds.
    AskRefund,
}

/// What `code` means for `step`.
pub(crate) fn class(code: i64, step: Step) -> Class {
    let Some(row) = row(code) else { return Class::Unknown };
    match step {
        Step::Open => row.open,
        Step::Charge => row.charge,
        Step::Query => row.query,
        Step::Revert => row.revert,
        Step::Refund => row.refund,
        Step::AskRefund => row.ask_refund,
    }
}

/// The row of that number.
pub(crate) fn row(code: i64) -> Option<&'static ResultRow> {
    RESULTS.iter().find(|row| row.code == code)
}

const ACCOUNT: Class = Class::Refused(Blame::Account);
const REQUEST: Class = Class::Refused(Blame::Request);

/// The same for every call, but that a question about refunds is never answered with a refusal of
/// the refund.
const fn always(code: i64, name: &'static str, class: Class, about: &'static str) -> ResultRow {
    let ask_refund = if code == 0 { Class::Done } else { Class::Unknown };
    ResultRow {
        code,
        name,
        about,
        open: class,
        charge: class,
        query: class,
        revert: class,
        refund: class,
        ask_refund,
    }
}

/// A code of refunds: no create, query or revert gets it, so there it proves nothing.
const fn refunds(code: i64, name: &'static str, refund: Class, about: &'static str) -> ResultRow {
    ResultRow { refund, ..always(code, name, Class::Unknown, about) }
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
    ResultRow {
        query: Class::Absent,
        revert: ACCOUNT,
        ..refunds(8, "NO_SUCH_BILL", REQUEST, "no such order")
    },
    refunds(9, "BILL_UNSUCCESS", REQUEST, "the order is not paid"),
    refunds(10, "REFUND_EXCEED_TIME", REQUEST, "too late for a refund"),
    // The refund in progress can be this very one: only another one makes it a no.
    refunds(11, "ALREADY_REFUNDING", Class::AskFirst, "a refund of this order is in progress"),
    refunds(12, "REFUND_AMOUNT_TOO_LARGE", REQUEST, "more than what is left"),
    ResultRow {
        ask_refund: Class::Absent,
        ..refunds(13, "NO_SUCH_REFUND", Class::Unknown, "no such refund")
    },
    always(14, "RUNTIME_ERROR", Class::Unknown, "BeeCloud failed inside"),
    always(15, "NETWORK_ERROR", Class::Unknown, "BeeCloud's network failed"),
    refunds(16, "PREREFUND_DUPLICATE", Class::Unknown, "this pre-refund exists already"),
    always(17, "BILL_NO_DUPLICATE", Class::Unknown, "the order number was used before: ask for the order"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_class_for_every_call() {
        use Class::{Absent, AskFirst, Done, Unknown};
        // Online create, charge, query, revert, refund, question about a refund.
        check(0, [Done; 6]);
        check(1, [ACCOUNT, ACCOUNT, ACCOUNT, ACCOUNT, ACCOUNT, Unknown]);
        check(2, [ACCOUNT, ACCOUNT, ACCOUNT, ACCOUNT, ACCOUNT, Unknown]);
        check(3, [ACCOUNT, ACCOUNT, ACCOUNT, ACCOUNT, ACCOUNT, Unknown]);
        check(4, [REQUEST, REQUEST, REQUEST, REQUEST, REQUEST, Unknown]);
        check(5, [REQUEST, REQUEST, REQUEST, REQUEST, REQUEST, Unknown]);
        check(6, [ACCOUNT, ACCOUNT, ACCOUNT, ACCOUNT, ACCOUNT, Unknown]);
        check(7, [AskFirst, Unknown, Unknown, Unknown, Unknown, Unknown]);
        check(8, [Unknown, Unknown, Absent, ACCOUNT, REQUEST, Unknown]);
        check(9, [Unknown, Unknown, Unknown, Unknown, REQUEST, Unknown]);
        check(10, [Unknown, Unknown, Unknown, Unknown, REQUEST, Unknown]);
        check(11, [Unknown, Unknown, Unknown, Unknown, AskFirst, Unknown]);
        check(12, [Unknown, Unknown, Unknown, Unknown, REQUEST, Unknown]);
        check(13, [Unknown, Unknown, Unknown, Unknown, Unknown, Absent]);
        for code in 14..=17 {
            check(code, [Unknown; 6]);
        }
        for unlisted in [-2, -1, 18, 99, 10086, i64::MIN, i64::MAX] {
            check(unlisted, [Unknown; 6]);
            assert!(row(unlisted).is_none());
        }

        #[track_caller]
        fn check(code: i64, want: [Class; 6]) {
            use Step as S;
            let steps = [S::Open, S::Charge, S::Query, S::Revert, S::Refund, S::AskRefund];
            assert_eq!(steps.map(|step| class(code, step)), want, "{code}");
        }
    }

    #[test]
    fn numbers_run_from_0_to_17() {
        assert!(RESULTS.iter().map(|row| row.code).eq(0..=17));
    }
}
