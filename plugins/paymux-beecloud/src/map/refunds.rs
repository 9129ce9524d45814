//! Between BeeCloud's words and ours for money that goes back, and for its lists.
//!
//! How the calls travel lives in `channel`.

use std::num::NonZeroU32;
use std::time::Duration;

use paymux_core::channel::{ListedOrder, ListedRefund, ListedTerms, OutflowAnswer, RefundOrder};
use paymux_core::ids::RefundId;
use paymux_core::{ChannelError, Currency, Money, Timestamp};
use serde_json::Value;

use super::codes::{Code, Family};
use super::extra::is_web_address;
use super::{Fees, address, unsendable};
use crate::wire::Reply;
use crate::wire::refunds::{
    self as wire, ListedBill, ListedOrigin, Made, OnlineRefund, RefundRow, TillRefund,
};

/// China's clocks are 8 h ahead of UTC all year.
const CHINA: Duration = Duration::from_hours(8);
/// How close to China's midnight nothing is sent: the day in the number would be another one there.
const MIDNIGHT_MARGIN: Duration = Duration::from_mins(1);
/// How long before that a refund that waits is not taken up any more: its call has to leave in time.
const CALL_MARGIN: Duration = Duration::from_mins(1);
const DAY: Duration = Duration::from_hours(24);
/// The groups of which no webhook tells that a refund is done, and whose state BeeCloud asks for only
/// when it is asked itself.
///
/// Source: BeeCloud V2 document, `refund/status`.
const PULLED: [&str; 4] = ["WX", "YEE", "KUAIQIAN", "BD"];

/// Whether the state of refunds has to be pulled for orders of that code.
pub(crate) fn is_pulled(code: &Code) -> bool {
    PULLED.contains(&code.group)
}

/// The calendar day in China as it begins a refund's number: `20240301`.
pub(crate) fn china_day(at: Timestamp) -> String {
    at.plus(CHINA).to_string().chars().filter(char::is_ascii_digit).take(8).collect()
}

/// How far the last and the next midnight in China are.
fn midnights(at: Timestamp) -> (Duration, Duration) {
    let day_ms = i64::try_from(DAY.as_millis()).unwrap_or(i64::MAX);
    let since = Duration::from_millis(at.plus(CHINA).ms().rem_euclid(day_ms).unsigned_abs());
    (since, DAY.saturating_sub(since))
}

/// How long a refund that waits must go on waiting; `None` = it can go.
pub(crate) fn quiet_for(at: Timestamp) -> Option<Duration> {
    let (since, left) = midnights(at);
    if since < MIDNIGHT_MARGIN {
        return Some(MIDNIGHT_MARGIN.saturating_sub(since));
    }
    (left < MIDNIGHT_MARGIN + CALL_MARGIN).then(|| left + MIDNIGHT_MARGIN)
}

/// `refund_no`: the day in China, then the last 24 digits of the refund's id, which are the most that
/// BeeCloud takes and hold all that is random in it.
///
/// Source: BeeCloud V2 document, `refund_no`.
pub(crate) fn number(id: RefundId, at: Timestamp) -> String {
    let digits = id.digits();
    format!("{}{}", china_day(at), &digits[digits.len() - 24..])
}

/// `^\d{8}[0-9A-Za-z]{3,24}$`, and the serial is not `000`.
pub(crate) fn is_refund_no(text: &str) -> bool {
    let Some((day, serial)) = text.split_at_checked(8) else { return false };
    day.bytes().all(|b| b.is_ascii_digit())
        && (3..=24).contains(&serial.len())
        && serial.bytes().all(|b| b.is_ascii_alphanumeric())
        && serial != "000"
}

/// Refuses a refund whose number could not be of today at BeeCloud: nothing is sent then.
pub(crate) fn check_day(refund: &RefundOrder, now: Timestamp) -> Result<(), ChannelError> {
    if !is_refund_no(&refund.number) {
        return Err(unsendable(
            "the refund's number: BeeCloud takes 8 digits of a day and 3 to 24 letters and digits",
        ));
    }
    if !refund.number.starts_with(&china_day(now)) {
        return Err(unsendable("the day in the refund's number has passed in China; ask for a new refund"));
    }
    let (since, left) = midnights(now);
    if since.min(left) < MIDNIGHT_MARGIN {
        return Err(unsendable(
            "less than a minute from midnight in China, whose day is part of the refund's number; ask for a new refund in two minutes",
        ));
    }
    Ok(())
}

/// A refund of an online order.
pub(crate) fn online(refund: &RefundOrder) -> Result<OnlineRefund<'_>, ChannelError> {
    Ok(OnlineRefund {
        refund_no: &refund.number,
        bill_no: refund.order.number.as_str(),
        refund_fee: fee(refund)?,
        notify_url: address("notify_url", &refund.notify_url)?,
    })
}

/// A refund of an order of the till, which has no address of its own for webhooks.
pub(crate) fn at_till(refund: &RefundOrder) -> Result<TillRefund<'_>, ChannelError> {
    Ok(TillRefund {
        refund_no: &refund.number,
        bill_no: refund.order.number.as_str(),
        refund_fee: fee(refund)?,
        refund_reason: refund.reason.trim(),
    })
}

fn fee(refund: &RefundOrder) -> Result<i64, ChannelError> {
    let (amount, received) = (refund.amount, refund.received);
    let is_cny = amount.currency() == Currency::CNY && received.currency() == Currency::CNY;
    if !is_cny || !(1..=received.minor()).contains(&amount.minor()) {
        return Err(unsendable(
            "the amount: BeeCloud takes fen of CNY, more than zero, at most what was paid",
        ));
    }
    Ok(amount.minor())
}

/// What code 0 means. It never says by itself that an online refund is done.
pub(crate) fn accepted(family: Family, reply: &Reply) -> Result<OutflowAnswer, ChannelError> {
    let reference = reply.id();
    match (family, reply.text("url")) {
        (Family::Bill, Some(url)) => Ok(OutflowAnswer::NeedsAction {
            url: is_web_address(url).then(|| url.to_owned()),
            message: "Alipay's password must be typed on the page at this address, or the money stays"
                .to_owned(),
        }),
        (Family::Bill, None) => Ok(OutflowAnswer::Pending { reference }),
        (Family::Till, _) => match reply.flag("refund_result") {
            Some(true) => Ok(OutflowAnswer::Done { reference }),
            Some(false) => Ok(OutflowAnswer::Pending { reference }),
            None => Err(ChannelError::unknown("code 0 without a Boolean `refund_result`")),
        },
    }
}

/// The records in an answer to `refunds`.
pub(crate) fn rows(reply: &Reply) -> Result<Vec<RefundRow>, ChannelError> {
    let list = reply.fields.get("refunds").and_then(Value::as_array);
    let list = list.ok_or_else(|| ChannelError::unknown("code 0 without the list `refunds`"))?;
    let mut rows: Vec<RefundRow> = Vec::new();
    for value in list {
        let row: RefundRow = wire::row(value)?;
        if row.id.is_none() || rows.iter().all(|other| other.id != row.id) {
            rows.push(row);
        }
    }
    Ok(rows)
}

/// What the records say of a refund: that of another number tells nothing.
pub(crate) fn found(refund: &RefundOrder, rows: &[RefundRow]) -> Result<OutflowAnswer, ChannelError> {
    let mut answer = OutflowAnswer::NotFound;
    for row in rows.iter().filter(|row| row.refund_no == refund.number) {
        if row.bill_no != refund.order.number.as_str() || row.refund_fee != refund.amount.minor() {
            return Err(ChannelError::unknown(
                "BeeCloud's record of that number has another order or amount; a person must look",
            ));
        }
        answer = match (answer, state(row)?) {
            (OutflowAnswer::Done { .. }, OutflowAnswer::Done { .. }) => {
                return Err(ChannelError::unknown(
                    "BeeCloud has done two refunds under that number; a person must look",
                ));
            }
            // While one record is open, its money can still go.
            (pending @ OutflowAnswer::Pending { .. }, _) | (_, pending @ OutflowAnswer::Pending { .. }) => {
                pending
            }
            (done @ OutflowAnswer::Done { .. }, _) => done,
            (_, other) => other,
        };
    }
    Ok(answer)
}

fn state(row: &RefundRow) -> Result<OutflowAnswer, ChannelError> {
    let reference = row.id.clone();
    match (row.finish, row.result) {
        (false, _) => Ok(OutflowAnswer::Pending { reference }),
        (true, Some(true)) => Ok(OutflowAnswer::Done { reference }),
        (true, Some(false)) => Ok(failed("finished", "BeeCloud's record says finished, without success")),
        (true, None) => Err(ChannelError::unknown("the refund's record is finished and has no `result`")),
    }
}

fn failed(code: &str, message: &str) -> OutflowAnswer {
    OutflowAnswer::Failed { code: code.to_owned(), message: message.to_owned() }
}

/// What the wallet's own word says; `None` for every word that is not surely an end.
pub(crate) fn pulled(reply: &Reply) -> Option<OutflowAnswer> {
    match reply.text("refund_status")? {
        "SUCCESS" => Some(OutflowAnswer::Done { reference: None }),
        "FAIL" => Some(failed("FAIL", "the wallet or bank says that the refund has failed")),
        _ => None,
    }
}

/// Whether the other refunds of an order leave no room for this one: one is under way, or as many are done as
/// the account takes.
pub(crate) fn leave_no_room(refund: &RefundOrder, rows: &[RefundRow], most: NonZeroU32) -> bool {
    let is_another =
        |row: &&RefundRow| row.bill_no == refund.order.number.as_str() && row.refund_no != refund.number;
    let others = || rows.iter().filter(is_another);
    let done = others().filter(|row| row.finish && row.result == Some(true)).count();
    others().any(|row| !row.finish) || u32::try_from(done).is_ok_and(|done| done >= most.get())
}

/// When a row of a list was made.
pub(crate) fn made_at(value: &Value) -> Result<Timestamp, ChannelError> {
    wire::row::<Made>(value).map(|made| made.at())
}

/// An order as a list tells it. Only a paid one says what came in; what was reverted is undone, paid or not.
pub(crate) fn listed_order(value: &Value) -> Result<ListedOrder, ChannelError> {
    let row: ListedBill = wire::row(value)?;
    let fees = Fees { bill: row.bill_fee, total: row.total_fee, discount: row.discount };
    Ok(ListedOrder {
        number: row.bill_no,
        amount: fees.asked().map(Money::fen),
        received: row.spay_result.then(|| Money::fen(row.total_fee)),
        reverted: row.revert_result == Some(true),
        flaw: if row.spay_result { fees.check().err() } else { None },
        created_at: Timestamp::from_ms(row.create_time),
        terms: terms(value),
    })
}

/// What a record tells of an order beside that, which is needed where the merchant made it there itself. One of a code
/// that is not offered here tells nothing.
fn terms(value: &Value) -> Option<Box<ListedTerms>> {
    let row: ListedOrigin = wire::row(value).ok()?;
    let code = Code::named(row.sub_channel.as_deref()?)?;
    Some(Box::new(ListedTerms {
        method: code.method,
        memo: code.memo(code.family),
        subject: row.title.unwrap_or_default(),
        reference: row.id,
        trade_no: row.trade_no,
        paid_at: row.success_time.filter(|ms| *ms > 0).map(Timestamp::from_ms),
        refunded: row.refund_result == Some(true),
    }))
}

/// The one record of a number among several: that of the money. Two that are paid contradict each other.
pub(crate) fn one_of(orders: Vec<ListedOrder>) -> Option<ListedOrder> {
    let has_money = |order: &ListedOrder| order.received.is_some() && !order.reverted;
    let is_twice = orders.iter().filter(|order| has_money(order)).count() > 1;
    let rank = |order: &ListedOrder| (has_money(order), !order.reverted, order.created_at);
    let mut one = orders.into_iter().max_by_key(rank)?;
    if is_twice {
        one.flaw = Some("two records of one number are paid");
    }
    Some(one)
}

/// A refund as a list tells it.
pub(crate) fn listed_refund(value: &Value) -> Result<ListedRefund, ChannelError> {
    let row: RefundRow = wire::row(value)?;
    Ok(ListedRefund {
        created_at: made_at(value)?,
        amount: Money::fen(row.refund_fee),
        done: if row.finish { row.result } else { None },
        number: row.refund_no,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn the_day_is_chinas() {
        check("2024-03-01T00:00:00Z", "20240301");
        check("2024-02-29T15:59:59.999Z", "20240229");
        check("2024-02-29T16:00:00Z", "20240301");
        check("2024-12-31T16:00:00Z", "20250101");
        check("1970-01-01T00:00:00Z", "19700101");

        #[track_caller]
        fn check(utc: &str, want: &str) {
            assert_eq!(china_day(at(utc)), want, "{utc}");
        }
    }

    #[test]
    fn midnight_is_as_far_before_as_behind() {
        check("2024-02-29T15:59:00Z", 60_000);
        check("2024-02-29T15:59:59.999Z", 1);
        check("2024-02-29T16:00:00Z", 0);
        check("2024-02-29T16:00:59Z", 59_000);
        check("2024-02-29T04:00:00Z", 43_200_000);

        #[track_caller]
        fn check(utc: &str, ms: u64) {
            let (since, left) = midnights(at(utc));
            assert_eq!((since.min(left), since + left), (Duration::from_millis(ms), DAY), "{utc}");
        }
    }

    #[test]
    fn numbers_have_beeclouds_form() {
        let id: RefundId = "rfd_018df74f840070008000000000000007".parse().unwrap();
        assert_eq!(number(id, at("2024-02-29T16:00:00Z")), "20240301840070008000000000000007");
        assert!(is_refund_no(&number(id, at("2024-02-29T16:00:00Z"))));
        for good in ["20240301017", "20240301000017", &format!("20240301{}", "z".repeat(24)), "20240301A00"] {
            assert!(is_refund_no(good), "{good}");
        }
        for bad in [
            "",
            "20240301",
            "2024030117",
            "20240301000",
            "2024030a017",
            "20240301-17",
            "20240301 17",
            "2024030１017",
            &format!("20240301{}", "z".repeat(25)),
        ] {
            assert!(!is_refund_no(bad), "{bad}");
        }
    }
}
