//! Between FuFu's words and ours for money that goes back.
//!
//! An accepted refund is not a done one: only the question about it, by the refund's own number, tells its end.

use paymux_core::ChannelError;
use paymux_core::channel::{OutflowAnswer, RefundOrder};

use super::codes::{self, Class, Step};
use super::{check_amount, check_echo, converted, done, fee, integer, join, number, unsendable, word};
use crate::config::Account;
use crate::wire::fields::Fields;
use crate::wire::{Refund, Reply};

/// The longest reason that is sent, in characters. The document names no limit.
const REASON_CHARS_MAX: usize = 100;
/// What stands for a reason that nobody gave: FuFu wants one.
const REASON_DEFAULT: &str = "refund";

/// The call of a refund. By our number of the order alone: FuFu's own would win over it, and it came unsigned.
pub(crate) fn refund<'a>(account: &'a Account, refund: &'a RefundOrder) -> Result<Refund<'a>, ChannelError> {
    let is_covered = refund.amount.currency() == refund.received.currency()
        && refund.amount.minor() <= refund.received.minor();
    if !is_covered {
        return Err(unsendable("the amount: no more than the order received, in its currency"));
    }
    let reason: String = refund.reason.chars().filter(|c| !c.is_control()).take(REASON_CHARS_MAX).collect();
    let reason = reason.trim();
    Ok(Refund {
        busi_id: &account.busi_id,
        operator_id: &account.operator_id,
        terminal_id: &account.terminal_id,
        refund_fee: fee(refund.amount)?,
        refund_subject: if reason.is_empty() { REASON_DEFAULT } else { reason }.to_owned(),
        out_trade_no: number(refund.order.number.as_str())?,
        out_refund_no: number(&refund.number)?,
        fee_type: refund.amount.currency().code(),
    })
}

/// Whether the refund's number is in use, perhaps by this very refund.
pub(crate) fn asks_first(reply: &Reply) -> bool {
    matches!(reply, Reply::Failed(failed) if codes::class(failed.code, Step::Refund) == Class::AskFirst)
}

/// What an answer to a refund means: accepted at the most.
pub(crate) fn accepted(refund: &RefundOrder, reply: Reply) -> Result<OutflowAnswer, ChannelError> {
    if let Reply::Failed(failed) = &reply {
        check_echo(&failed.data, "out_refund_no", &refund.number)?;
    }
    let done = done(reply, Step::Refund, refund.order.number.as_str())?;
    check_echo(&done.data, "out_trade_no", refund.order.number.as_str())?;
    check_echo(&done.data, "out_refund_no", &refund.number)?;
    check_amount(&done.data, "refund_fee", refund.amount)?;
    Ok(OutflowAnswer::Pending { reference: reference(refund, &done.data) })
}

/// What a question about a refund found.
pub(crate) fn found(refund: &RefundOrder, reply: Reply) -> Result<OutflowAnswer, ChannelError> {
    let done = match reply {
        Reply::Failed(failed) if codes::class(failed.code, Step::AskRefund) == Class::Absent => {
            check_echo(&failed.data, "out_trade_no", &refund.number)?;
            return Ok(OutflowAnswer::NotFound);
        }
        reply => done(reply, Step::AskRefund, &refund.number)?,
    };
    if done.data.is_absent("out_trade_no") {
        return Err(ChannelError::unknown("the answer names no `out_trade_no`, and carries no sign"));
    }
    check_echo(&done.data, "out_trade_no", &refund.number)?;
    // Only where it is done FuFu says how much; what stands there otherwise is not looked at.
    match done.data.text("trade_status").as_deref() {
        Some("succ") => {
            if integer(&done.data, "refund_fee")?.is_some_and(|fee| fee != refund.amount.minor()) {
                return Err(ChannelError::unknown("the answer's `refund_fee` is not what was asked"));
            }
            Ok(OutflowAnswer::Done { reference: None })
        }
        Some("fail") => Ok(OutflowAnswer::Failed {
            code: "fail".to_owned(),
            message: "FuFu says that the refund failed".to_owned(),
        }),
        Some("refunding") => Ok(OutflowAnswer::Pending { reference: None }),
        _ => Err(ChannelError::unknown("`trade_status` is none of succ, fail and refunding")),
    }
}

/// FuFu's number of the refund, and what it said of the conversion.
fn reference(refund: &RefundOrder, data: &Fields) -> Option<String> {
    join(word(data, "refund_no"), converted(data, "refund_amount_cny", refund.amount.currency()))
}
