//! Between the sandbox's words and ours for money on its way out: scripts, products, answers.

use std::collections::BTreeMap;

use paymux_core::channel::{Blame, OutflowAnswer, PayoutSpec, TransferOrder};
use paymux_core::{ChannelError, Money};

use super::{AMOUNT_MAX, bad_request, refused};
use crate::books::No;
use crate::books::outflow::Stage;

/// The key of the merchant's `metadata` that scripts the refunds of a payment.
pub(crate) const REFUND_SCRIPT_KEY: &str = "sandbox_refund";
/// What stands before the word in a `reason` that scripts a refund or a payout.
pub(crate) const REASON_PREFIX: &str = "sandbox:";

/// What a refund or a payout does by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OutflowScript {
    /// Is done by its call.
    Done,
    /// Is taken in, and done a little later.
    Slow,
    /// Is taken in and waits for an operation.
    Pending,
    /// Is refused.
    Refused,
    /// Is done, though its call gave no answer.
    Unknown,
    /// Gave no answer and was never there.
    Lost,
    /// Waits for a person.
    Action,
    /// Is taken in, and fails a little later.
    Fails,
}

/// The words, and the amount in minor units that says the same.
pub(crate) const SCRIPTS: &[(&str, i64, OutflowScript)] = &[
    ("done", 990_101, OutflowScript::Done),
    ("pending", 990_102, OutflowScript::Pending),
    ("refused", 990_103, OutflowScript::Refused),
    ("unknown", 990_104, OutflowScript::Unknown),
    ("lost", 990_105, OutflowScript::Lost),
    ("action", 990_106, OutflowScript::Action),
    ("slow", 990_107, OutflowScript::Slow),
    ("fails", 990_108, OutflowScript::Fails),
];

/// The products that it pays out by.
pub(crate) const PAYOUTS: &[PayoutSpec] = &[
    PayoutSpec {
        product: "bank_card",
        payee: &["account_no", "account_name"],
        amount_min: 1,
        amount_max: AMOUNT_MAX,
    },
    PayoutSpec { product: "wallet", payee: &["account"], amount_min: 1, amount_max: 5_000_000 },
    PayoutSpec { product: "red_packet", payee: &["openid"], amount_min: 100, amount_max: 20_000 },
];

/// The script: the reason's word, else that of the payment's metadata, else the amount's, else
/// `done`.
pub(crate) fn script(
    reason: &str,
    metadata: &BTreeMap<String, String>,
    amount: Money,
) -> Result<OutflowScript, ChannelError> {
    let word = reason.strip_prefix(REASON_PREFIX).map(str::trim);
    if let Some(word) = word.or(metadata.get(REFUND_SCRIPT_KEY).map(String::as_str)) {
        let row = SCRIPTS.iter().find(|(known, _, _)| *known == word);
        return row.map(|(_, _, script)| *script).ok_or_else(unknown_script);
    }
    let row = SCRIPTS.iter().find(|(_, minor, _)| *minor == amount.minor());
    Ok(row.map_or(OutflowScript::Done, |(_, _, script)| *script))
}

fn unknown_script() -> ChannelError {
    let known: Vec<_> = SCRIPTS.iter().map(|(word, _, _)| *word).collect();
    let message = format!(
        "`reason` behind `{REASON_PREFIX}`, or `metadata.{REFUND_SCRIPT_KEY}`: write one of {}",
        known.join(", ")
    );
    refused("bad_script", &message, Blame::Request)
}

/// Refuses a payout that no product takes.
pub(crate) fn check_payout(transfer: &TransferOrder) -> Result<(), ChannelError> {
    let product = &transfer.payout.product;
    let spec = PAYOUTS.iter().find(|spec| spec.product == product);
    let Some(spec) = spec else {
        let known: Vec<_> = PAYOUTS.iter().map(|spec| spec.product).collect();
        return Err(bad_request(&format!("`product`: write one of {}", known.join(", "))));
    };
    if !(spec.amount_min..=spec.amount_max).contains(&transfer.payout.amount.minor()) {
        let (min, max) = (spec.amount_min, spec.amount_max);
        return Err(bad_request(&format!("`amount`: `{product}` takes {min} to {max} minor units")));
    }
    let lacks = |name: &&&str| transfer.payee.get(**name).is_none_or(|value| value.expose().is_empty());
    match spec.payee.iter().find(lacks) {
        Some(missing) => Err(bad_request(&format!("`payee.{missing}`: `{product}` needs it"))),
        None => Ok(()),
    }
}

/// What the books say to a call that moves money.
pub(crate) fn answer(place: &str, number: &str, stage: Stage) -> OutflowAnswer {
    let reference = Some(number.to_owned());
    match stage {
        Stage::Pending => OutflowAnswer::Pending { reference },
        Stage::Done => OutflowAnswer::Done { reference },
        Stage::NeedsAction => OutflowAnswer::NeedsAction {
            url: Some(format!("{place}/{number}")),
            message: "no real money: a person ends it by the native operation".to_owned(),
        },
        Stage::Failed => {
            OutflowAnswer::Failed { code: "failed".to_owned(), message: "its script, or a person".to_owned() }
        }
    }
}

/// What the books say to a query.
pub(crate) fn found(
    place: &str,
    number: &str,
    looked: Result<Stage, No>,
) -> Result<OutflowAnswer, ChannelError> {
    match looked {
        Ok(stage) => Ok(answer(place, number, stage)),
        Err(No::Absent) => Ok(OutflowAnswer::NotFound),
        Err(no) => Err(ChannelError::unknown(format!("the books say {no:?} to a question"))),
    }
}

/// The books' no to a call that moves money. A number that stands for another one proves nothing of
/// what is there.
pub(crate) fn refusal(no: No) -> ChannelError {
    match no {
        No::Taken => ChannelError::unknown("the number stands for another refund or payout"),
        no => super::refusal(no),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_scripts_before_metadata_and_amount() {
        let both = Some("pending");
        check("sandbox:refused", both, 990_101, Ok(OutflowScript::Refused));
        check("sandbox: lost ", both, 1, Ok(OutflowScript::Lost));
        check("too large", both, 990_101, Ok(OutflowScript::Pending));
        check("", None, 1999, Ok(OutflowScript::Done));
        check("sandbox", None, 1999, Ok(OutflowScript::Done));
        for (word, minor, script) in SCRIPTS {
            check(&format!("sandbox:{word}"), None, 1, Ok(*script));
            check("", Some(word), 1, Ok(*script));
            check("", None, *minor, Ok(*script));
        }
        let known = "write one of done, pending, refused, unknown, lost, action, slow, fails";
        check("sandbox:", None, 1, Err(known));
        check("sandbox:Done", None, 1, Err(known));
        check("", Some("paid"), 1, Err(known));

        #[track_caller]
        fn check(reason: &str, metadata: Option<&str>, minor: i64, want: Result<OutflowScript, &str>) {
            let metadata =
                metadata.map(|word| (REFUND_SCRIPT_KEY.to_owned(), word.to_owned())).into_iter().collect();
            match (script(reason, &metadata, Money::fen(minor)), want) {
                (Ok(got), Ok(want)) => assert_eq!(got, want, "{reason}"),
                (Err(error), Err(want)) => assert!(error.to_string().contains(want), "{error}"),
                (got, want) => panic!("{reason}: {got:?}, not {want:?}"),
            }
        }
    }
}
