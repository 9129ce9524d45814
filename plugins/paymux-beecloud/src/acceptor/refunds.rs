//! The calls about money that goes back, as a client sends them: their fields in the order in which
//! they are checked. What is answered lives in `refund_reply`.
//!
//! Source: BeeCloud V2 document and API pages of 2018: refund, approval, offline refund, refund status,
//! filters of `refunds`.

use std::time::Duration;

use paymux_core::acceptor::{FrontApproval, FrontApproving, FrontCall, FrontRefund, FrontRefundFilter};
use paymux_core::payments::Approval;
use paymux_core::{Money, Timestamp};
use serde_json::Value;

use super::create::notify_url;
use super::fields::{Fault, Fields};
use super::{bounded, checked_code, number, page};
use crate::map::codes::{Code, FEE_MAX, Family, GROUPS, OTHER_CODES};
use crate::map::refunds::{china_day, is_refund_no};

/// How long after midnight in China a refund may still bear the day before.
const DAY_GRACE: Duration = Duration::from_mins(5);
/// The groups that have refunds of online orders: PayPal's have none.
///
/// Source: BeeCloud V2 document, `refund`; BC is in the SDKs alone.
const ONLINE_GROUPS: [&str; 8] = ["WX", "ALI", "UN", "KUAIQIAN", "BD", "JD", "YEE", "BC"];
/// The groups that have orders of the till.
///
/// Source: BeeCloud V2 document, `offline/refund`; BC is in one SDK alone.
const TILL_GROUPS: [&str; 3] = ["ALI", "WX", "BC"];
/// The groups whose refunds have a state to ask for.
const STATUS_GROUPS: [&str; 4] = ["WX", "YEE", "KUAIQIAN", "BD"];
/// The most records that one approval may name.
const IDS_MAX: usize = 100;
/// The longest text of a reason or of a person's or shop's id, in characters.
const TEXT_CHARS_MAX: usize = 128;

/// A refund of an online order or of an order of the till.
pub(super) fn refund(fields: &Fields, family: Family, now: Timestamp) -> Result<(FrontCall, String), Fault> {
    if let Some(name) = fields.text("channel")? {
        group(name, groups(family))?;
    }
    let refund_no = refund_no(fields, now)?;
    let order = number("bill_no", fields.required_text("bill_no")?)?;
    let fee = fields.required_integer("refund_fee")?;
    if !(1..=FEE_MAX).contains(&fee) {
        return Err(Fault::invalid("refund_fee", &format!("must be 1 to {FEE_MAX} fen")));
    }
    let is_online = family == Family::Bill;
    let needs_approval = is_online && fields.flag("need_approval")? == Some(true);
    let reason = if is_online { None } else { till_reason(fields)? };
    if !matches!(fields.integer("refund_account", 0)?, None | Some(0 | 1)) {
        return Err(Fault::invalid("refund_account", "must be 0 or 1"));
    }
    let refund = FrontRefund {
        number: refund_no,
        order,
        amount: Money::fen(fee),
        reason: reason.unwrap_or_default().to_owned(),
        notify_url: if is_online { notify_url(fields)? } else { None },
        approval: if needs_approval { FrontApproval::Needed } else { FrontApproval::NotNeeded },
        echo: fields.map("optional")?.map_or(Value::Null, |map| Value::Object(map.clone())),
    };
    let memo = if is_online { "refund" } else { "offline_refund" };
    Ok((FrontCall::Refund(Box::new(refund)), memo.to_owned()))
}

/// What only a refund at a till carries. Who and where is checked and not kept.
fn till_reason(fields: &Fields) -> Result<Option<&str>, Fault> {
    fields.short_text("operator_id", TEXT_CHARS_MAX)?;
    fields.short_text("store_id", TEXT_CHARS_MAX)?;
    fields.short_text("refund_reason", TEXT_CHARS_MAX)
}

/// The number: its form, and a day that is today's in China, or yesterday's shortly after midnight.
fn refund_no(fields: &Fields, now: Timestamp) -> Result<String, Fault> {
    let text = fields.required_text("refund_no")?;
    if !is_refund_no(text) {
        let rule = "must be the day, yyyyMMdd, and 3 to 24 letters and digits other than 000";
        return Err(Fault::invalid("refund_no", rule));
    }
    let shortly_before =
        Timestamp::from_ms(now.ms().saturating_sub(DAY_GRACE.as_millis().try_into().unwrap_or(0)));
    if ![now, shortly_before].iter().any(|at| text.starts_with(&china_day(*at))) {
        let rule = format!("must begin with today's date in China, {}", china_day(now));
        return Err(Fault::invalid("refund_no", &rule));
    }
    Ok(text.to_owned())
}

/// The groups whose orders of that path can be refunded.
const fn groups(family: Family) -> &'static [&'static str] {
    match family {
        Family::Bill => &ONLINE_GROUPS,
        Family::Till => &TILL_GROUPS,
    }
}

/// One of these groups: 3 for a group or code that BeeCloud knows and that cannot stand here, 5 for
/// another text.
fn group(name: &str, groups: &[&str]) -> Result<(), Fault> {
    if groups.contains(&name) {
        return Ok(());
    }
    if GROUPS.contains(&name) || OTHER_CODES.contains(&name) || Code::named(name).is_some() {
        return Err(Fault::new(3, format!("channel: {name} cannot stand here; write {}", groups.join(", "))));
    }
    Err(Fault::invalid("channel", "is not a known group"))
}

/// An approval or a denial of pre-refunds.
pub(super) fn approval(fields: &Fields) -> Result<(FrontCall, String), Fault> {
    // A till has no pre-refunds.
    group(fields.required_text("channel")?, groups(Family::Bill))?;
    let ids = fields.required("ids")?.as_array();
    let ids = ids.filter(|ids| (1..=IDS_MAX).contains(&ids.len()) && ids.iter().all(Value::is_string));
    let ids =
        ids.ok_or_else(|| Fault::invalid("ids", &format!("must be a list of 1 to {IDS_MAX} Strings")))?;
    let agree = fields.flag("agree")?.ok_or_else(|| Fault::missing("agree"))?;
    // One SDK spells it in its own way.
    let reason = fields.short_text("deny_reason", TEXT_CHARS_MAX)?;
    let reason =
        reason.map_or_else(|| fields.short_text("denyReason", TEXT_CHARS_MAX), |text| Ok(Some(text)))?;
    let approval =
        if agree { Approval::Agreed } else { Approval::Denied(reason.unwrap_or_default().to_owned()) };
    let refunds = ids.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    let approving = FrontApproving { refunds, approval };
    Ok((FrontCall::Approve(Box::new(approving)), "approve".to_owned()))
}

/// A question about the state of a refund whose group has one.
pub(super) fn status(fields: &Fields) -> Result<(FrontCall, String), Fault> {
    group(fields.required_text("channel")?, &STATUS_GROUPS)?;
    let number = fields.required_text("refund_no")?.to_owned();
    fields.text("bill_update_flag")?;
    Ok((FrontCall::QueryRefund { number }, "refund_status".to_owned()))
}

/// The filters and the page of a list.
pub(super) fn list(fields: &Fields) -> Result<(FrontCall, String), Fault> {
    let detail = if fields.flag("need_detail")? == Some(true) { "refunds detail" } else { "refunds" };
    let (skip, limit) = page(fields)?;
    let filter = FrontRefundFilter { skip, limit, ..filter(fields)? };
    Ok((FrontCall::ListRefunds(filter), detail.to_owned()))
}

pub(super) fn count(fields: &Fields) -> Result<(FrontCall, String), Fault> {
    Ok((FrontCall::CountRefunds(filter(fields)?), "refund_count".to_owned()))
}

pub(super) fn record(id: String) -> (FrontCall, String) {
    let filter = FrontRefundFilter { id: Some(id), limit: bounded(1), ..FrontRefundFilter::default() };
    (FrontCall::ListRefunds(filter), "refund_record".to_owned())
}

fn filter(fields: &Fields) -> Result<FrontRefundFilter, Fault> {
    Ok(FrontRefundFilter {
        number: fields.text("refund_no")?.map(str::to_owned),
        order: fields.text("bill_no")?.map(str::to_owned),
        approval: fields.flag("need_approval")?,
        code: checked_code(fields)?.map(str::to_owned),
        from: fields.integer("start_time", 0)?.map(Timestamp::from_ms),
        to: fields.integer("end_time", 0)?.map(Timestamp::from_ms),
        ..FrontRefundFilter::default()
    })
}
