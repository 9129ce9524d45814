//! FuFu's return codes, one row each, and what each means for the call that got it. Two are misspelt, and
//! travel so.
//!
//! Source: FuFu interface 1.1.1, dictionary of return codes. On `order` only five are a refusal: whatever else
//! comes back, the payer may have been charged.

use paymux_core::channel::Blame;

/// One return code.
#[derive(Debug)]
pub(crate) struct CodeRow {
    /// As it travels.
    pub name: &'static str,
    /// What it means, for a person.
    pub about: &'static str,
    /// For a scan of the payer's code, which moves the money itself.
    order: Class,
    /// For an order that is paid later.
    pre_order: Class,
    /// For a question about an order.
    query: Class,
    /// For a cancel or a close.
    undo: Class,
    /// For a refund.
    refund: Class,
    /// For a question about a refund.
    ask_refund: Class,
}

/// What a code means for a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    /// A definite no: this call did nothing.
    Refused(Blame),
    /// There is no such order or refund.
    Absent,
    /// The order was cancelled and takes no money.
    Revoked,
    /// The number is in use, perhaps by this very refund: ask for it.
    AskFirst,
    /// Anything may have happened.
    Unknown,
}

/// Which call got the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// `order`
    Order,
    /// `preOrder`
    PreOrder,
    /// `query`
    Query,
    /// `cancel` or `close`
    Undo,
    /// `refund`
    Refund,
    /// `refundQuery`
    AskRefund,
}

/// What a code means for a call; a text that nobody lists is no refusal where money may have moved.
pub(crate) fn class(code: Option<&CodeRow>, step: Step) -> Class {
    let Some(row) = code else { return unlisted(step) };
    match step {
        Step::Order => row.order,
        Step::PreOrder => row.pre_order,
        Step::Query => row.query,
        Step::Undo => row.undo,
        Step::Refund => row.refund,
        Step::AskRefund => row.ask_refund,
    }
}

/// As `FAIL` on calls that end or ask, and open on calls that create or pay back.
const fn unlisted(step: Step) -> Class {
    match step {
        Step::Undo => ACCOUNT,
        Step::Order | Step::PreOrder | Step::Query | Step::Refund | Step::AskRefund => Class::Unknown,
    }
}

/// The row of that code.
pub(crate) fn row(name: &str) -> Option<&'static CodeRow> {
    CODES.iter().find(|row| row.name == name)
}

const ACCOUNT: Class = Class::Refused(Blame::Account);
const REQUEST: Class = Class::Refused(Blame::Request);
const PROVIDER: Class = Class::Refused(Blame::Provider);

/// The outcome is open, whatever was asked.
const fn open(name: &'static str, about: &'static str) -> CodeRow {
    use Class::Unknown;
    CodeRow {
        name,
        about,
        order: Unknown,
        pre_order: Unknown,
        query: Unknown,
        undo: Unknown,
        refund: Unknown,
        ask_refund: Unknown,
    }
}

/// A refusal of every call that does something; of a question it answers nothing.
const fn refused(name: &'static str, class: Class, about: &'static str) -> CodeRow {
    CodeRow { order: class, pre_order: class, undo: class, refund: class, ..open(name, about) }
}

/// The table, in the document's order.
pub(crate) const CODES: &[CodeRow] = &[
    // The table's own spelling; on the wire only SUCCESS is success, so as a code this one proves nothing.
    open("SUCESS", "success, as the document's table spells it"),
    CodeRow { order: Class::Unknown, ..refused("FAIL", ACCOUNT, "failed") },
    refused("ILLEGAL_PARAMETER", REQUEST, "a parameter is wrong"),
    refused("INVALID_SIGN", ACCOUNT, "the sign is wrong: compare busi_id and key"),
    refused("AMT_ERROR", REQUEST, "the amount is wrong, or more than is left"),
    open("DATABASE_ERROR", "FuFu's database could not be reached"),
    refused("INVALID_CONTRACT", ACCOUNT, "the merchant's contract is not in force"),
    refused("UNREGISTERED_BUSI", ACCOUNT, "the merchant is not registered"),
    open("EXCEPTION", "FuFu failed inside"),
    CodeRow {
        query: Class::Absent,
        undo: REQUEST,
        refund: REQUEST,
        ask_refund: Class::Absent,
        ..open("CHARGE_NONEXISTENT", "no such transaction")
    },
    CodeRow {
        pre_order: PROVIDER,
        undo: PROVIDER,
        ..open("SERVICE_UNAVAILABLE", "the service is not available")
    },
    open("HTTP_EXCEPTION", "FuFu's own request failed"),
    open("IO_EXCEPTION", "FuFu's input or output failed"),
    open("CREATE_SECURITY_CONNECTION_ERROR", "FuFu could not connect to the channel behind"),
    CodeRow {
        query: Class::Revoked,
        undo: Class::Revoked,
        refund: REQUEST,
        ..open("AREADY_REVOKED", "the order was cancelled already")
    },
    CodeRow { refund: Class::AskFirst, ..open("SERIAL_REPEAT", "the number is in use already") },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_class_for_every_call() {
        use Class::{Absent, AskFirst, Revoked, Unknown};
        // order, preOrder, query, cancel and close, refund, refundQuery.
        check("SUCESS", [Unknown; 6]);
        check("FAIL", [Unknown, ACCOUNT, Unknown, ACCOUNT, ACCOUNT, Unknown]);
        check("ILLEGAL_PARAMETER", [REQUEST, REQUEST, Unknown, REQUEST, REQUEST, Unknown]);
        check("INVALID_SIGN", [ACCOUNT, ACCOUNT, Unknown, ACCOUNT, ACCOUNT, Unknown]);
        check("AMT_ERROR", [REQUEST, REQUEST, Unknown, REQUEST, REQUEST, Unknown]);
        check("DATABASE_ERROR", [Unknown; 6]);
        check("INVALID_CONTRACT", [ACCOUNT, ACCOUNT, Unknown, ACCOUNT, ACCOUNT, Unknown]);
        check("UNREGISTERED_BUSI", [ACCOUNT, ACCOUNT, Unknown, ACCOUNT, ACCOUNT, Unknown]);
        check("EXCEPTION", [Unknown; 6]);
        check("CHARGE_NONEXISTENT", [Unknown, Unknown, Absent, REQUEST, REQUEST, Absent]);
        check("SERVICE_UNAVAILABLE", [Unknown, PROVIDER, Unknown, PROVIDER, Unknown, Unknown]);
        for open in ["HTTP_EXCEPTION", "IO_EXCEPTION", "CREATE_SECURITY_CONNECTION_ERROR"] {
            check(open, [Unknown; 6]);
        }
        check("AREADY_REVOKED", [Unknown, Unknown, Revoked, Revoked, REQUEST, Unknown]);
        check("SERIAL_REPEAT", [Unknown, Unknown, Unknown, Unknown, AskFirst, Unknown]);
        for unlisted in ["", "SOUNDWAVE_PARSER_FAIL", "fail", "ALREADY_REVOKED", "SUCCESS", "订单已成功"]
        {
            assert!(row(unlisted).is_none(), "{unlisted}");
            check(unlisted, [Unknown, Unknown, Unknown, ACCOUNT, Unknown, Unknown]);
        }
        assert_eq!(CODES.len(), 16);

        #[track_caller]
        fn check(name: &str, want: [Class; 6]) {
            let steps = [Step::Order, Step::PreOrder, Step::Query, Step::Undo, Step::Refund, Step::AskRefund];
            assert_eq!(steps.map(|step| class(row(name), step)), want, "{name}");
        }
    }

    /// A scan that got an answer is refused by five codes and by no other.
    #[test]
    fn five_codes_refuse_a_scan() {
        let refuses = |row: &&CodeRow| matches!(row.order, Class::Refused(_));
        let names: Vec<_> = CODES.iter().filter(refuses).map(|row| row.name).collect();
        let want =
            ["ILLEGAL_PARAMETER", "INVALID_SIGN", "AMT_ERROR", "INVALID_CONTRACT", "UNREGISTERED_BUSI"];
        assert_eq!(names, want);
    }
}
