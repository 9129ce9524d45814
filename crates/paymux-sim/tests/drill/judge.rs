//! The judge: FuFu's own books and what the line saw, against what the tills were told. It asks paymux nothing.

use std::collections::BTreeMap;
use std::time::Duration;

use paymux_core::{Status, Timestamp};
use paymux_sim::{OrderState, OrderView};

use crate::line::Call;
use crate::scene::{Purchase, Record};

/// Another account may be tried only so long after the first scan.
const FAILOVER: Duration = Duration::from_secs(10);
/// A scan's call has 90 s; a sender that has died is found 5 s later, by a worker that looks each second.
const CALL: Duration = Duration::from_secs(90 + 5 + 1);
/// How long after that the first question comes, at the latest.
const FIRST_LOOK: Duration = Duration::from_secs(10);
/// A look asks, closes and asks again, each for 15 s at the most, and it begins within a second.
const LOOK: Duration = Duration::from_secs(3 * 15 + 1);
/// How long after a look that told nothing the next one comes, at the latest.
const NEXT_LOOK: Duration = Duration::from_mins(5);
/// How long what a dead worker held waits for another.
const LEASE: Duration = Duration::from_mins(1);
/// By when a till has an answer: paymux's own 20 s, and what it takes to ask again where paymux has died.
const ANSWER: Duration = Duration::from_secs(20 + 2);

/// How soon after its scan an order may be cancelled.
const CANCEL_NOT_BEFORE: Duration = Duration::from_secs(15);
const MINUTE_MS: i64 = 60_000;
const DAY_MS: i64 = 24 * 60 * MINUTE_MS;
/// China is ahead of UTC.
const CHINA_MS: i64 = 8 * 60 * MINUTE_MS;
/// FuFu takes cancels from here to there, in milliseconds of China's day.
const CANCELS: std::ops::Range<i64> = 60 * MINUTE_MS..23 * 60 * MINUTE_MS;
/// The first minute of a day in which paymux sends them, and the first in which it does not any more.
const SENT_FROM: i64 = 61 * MINUTE_MS;
const SENT_UNTIL: i64 = (23 * 60 - 1) * MINUTE_MS;

/// The five codes of FuFu's table that refuse a scan.
///
/// Source: DECISIONS of the house, 12.
const REFUSALS: [&str; 5] =
    ["ILLEGAL_PARAMETER", "INVALID_SIGN", "AMT_ERROR", "INVALID_CONTRACT", "UNREGISTERED_BUSI"];

/// What can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A payer was charged twice for one purchase.
    ChargedTwice,
    /// FuFu has two orders for one purchase.
    OrderedTwice,
    /// One order was sent twice.
    SentTwice,
    /// Another account was asked while the first had not surely refused.
    AnotherAccount,
    /// The till was told something else than FuFu's books say.
    WrongEnd,
    /// The end that a till was told changed afterwards.
    TurnedAround,
    /// A payment did not end.
    NotEnded,
    /// It ended after its bound.
    TooLate,
    /// A till had to wait too long for its first answer.
    AnsweredLate,
    /// A cancel left less than 15 s after its scan.
    CancelTooEarly,
    /// A cancel left outside of FuFu's hours.
    CancelAtNight,
    /// FuFu's bank read a call otherwise than the plugin's own acceptor.
    Misread,
}

/// One thing that is wrong.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) kind: Kind,
    /// Whose, and what.
    #[expect(dead_code, reason = "it is read by whoever reads a failed drill")]
    pub(crate) what: String,
}

/// All that is wrong.
pub(crate) fn judge(record: &Record) -> Vec<Finding> {
    let books = record.orders_of();
    let mut sent: BTreeMap<&str, Vec<&Call>> = BTreeMap::new();
    for call in record.calls.iter().filter(|call| call.is_scan()) {
        sent.entry(call.subject.as_str()).or_default().push(call);
    }
    let mut findings = Vec::new();
    for purchase in &record.purchases {
        let orders = books.get(purchase.order_no.as_str()).cloned().unwrap_or_default();
        let scans = sent.get(purchase.order_no.as_str()).cloned().unwrap_or_default();
        money(purchase, &orders, &mut findings);
        sending(purchase, &scans, record, &mut findings);
        time(purchase, &orders, record, &mut findings);
    }
    cancels(record, &mut findings);
    if record.stats.misreadings > 0 {
        findings.push(finding(Kind::Misread, "FuFu", record.stats.misreadings));
    }
    findings
}

fn finding(kind: Kind, whose: &str, what: impl std::fmt::Display) -> Finding {
    Finding { kind, what: format!("{whose}: {what}") }
}

/// Nobody pays twice, and whoever pays is told so.
fn money(purchase: &Purchase, orders: &[&OrderView], findings: &mut Vec<Finding>) {
    let whose = purchase.order_no.as_str();
    let paid: Vec<i64> = orders.iter().filter_map(|order| order.received).collect();
    if paid.len() > 1 {
        findings.push(finding(Kind::ChargedTwice, whose, format!("{paid:?}")));
    }
    if orders.len() > 1 {
        let numbers: Vec<&str> = orders.iter().map(|order| order.number.as_str()).collect();
        findings.push(finding(Kind::OrderedTwice, whose, format!("{numbers:?}")));
    }
    let (sum, is_told) = (paid.iter().sum::<i64>(), purchase.status == Status::Succeeded);
    let is_right = if is_told { sum == purchase.amount && purchase.received == sum } else { sum == 0 };
    if !is_right {
        findings.push(finding(Kind::WrongEnd, whose, format!("{} of {sum} paid", purchase.status)));
    }
    if let Some((_, told)) = purchase.ended.filter(|(_, told)| *told != purchase.status) {
        findings.push(finding(Kind::TurnedAround, whose, format!("{told}, then {}", purchase.status)));
    }
}

/// A scan is sent once, and to another account only after a sure no.
fn sending(purchase: &Purchase, scans: &[&Call], record: &Record, findings: &mut Vec<Finding>) {
    let whose = purchase.order_no.as_str();
    for scan in scans {
        if record.stats.creates(&scan.number) > 1 {
            findings.push(finding(Kind::SentTwice, whose, &scan.number));
        }
    }
    let is_sure_no =
        |call: &Call| !call.left || call.told.as_deref().is_some_and(|code| REFUSALS.contains(&code));
    for pair in scans.windows(2) {
        if !is_sure_no(pair[0]) {
            let first = pair[0];
            findings.push(finding(
                Kind::AnotherAccount,
                whose,
                format!("{:?}, {:?}", first.fault, first.told),
            ));
        }
    }
}

fn time(purchase: &Purchase, orders: &[&OrderView], record: &Record, findings: &mut Vec<Finding>) {
    let whose = purchase.order_no.as_str();
    if purchase.answered_in > ANSWER {
        findings.push(finding(Kind::AnsweredLate, whose, format!("{:?}", purchase.answered_in)));
    }
    let bound = bound(purchase, orders, record);
    match purchase.ended {
        None => findings.push(finding(Kind::NotEnded, whose, purchase.status)),
        Some((ended, status)) if ended > bound => {
            let took = ended.since(purchase.began);
            findings.push(finding(Kind::TooLate, whose, format!("{status} after {took:?}, due by {bound}")));
        }
        Some(_) => {}
    }
}

/// By when a payment must have ended: after another account's turn, the scan's own 90 s and one look, which finds it
/// paid, ended by FuFu after 80 s, or absent, or else cancels it. Each call about the order that was struck may cost a
/// look, and each death of paymux a lease.
///
/// An order that does not end by itself ends by a cancel alone. Where its time falls into the hours in which FuFu takes
/// none, it ends one look after they are over.
fn bound(purchase: &Purchase, orders: &[&OrderView], record: &Record) -> Timestamp {
    let lost: Duration = std::iter::repeat_n(NEXT_LOOK + LOOK, struck(purchase, record)).sum();
    let by_day = purchase.began.plus(FAILOVER + CALL + FIRST_LOOK + LOOK).plus(lost);
    let by_day = by_day.plus(held_up(purchase.began, by_day, record));
    let needs_cancel =
        orders.iter().any(|order| order.expires_at.is_none() && order.state != OrderState::Expired);
    let opens = opens_after(purchase.began);
    let is_by_day = sends_cancels(purchase.began) && sends_cancels(by_day) && opens > by_day;
    if is_by_day || !needs_cancel {
        return by_day;
    }
    let by_night = opens.plus(NEXT_LOOK + LOOK).plus(lost);
    by_night.plus(held_up(purchase.began, by_night, record)).max(by_day)
}

/// How many calls about its orders were struck, beside the scans.
fn struck(purchase: &Purchase, record: &Record) -> usize {
    let scans = record.calls.iter().filter(|call| call.is_scan() && call.subject == purchase.order_no);
    let numbers: Vec<&str> = scans.map(|call| call.number.as_str()).collect();
    let of_it = |call: &&Call| !call.is_scan() && numbers.contains(&call.number.as_str());
    record.calls.iter().filter(of_it).filter(|call| call.fault.is_some()).count()
}

fn held_up(from: Timestamp, to: Timestamp, record: &Record) -> Duration {
    let deaths = record.deaths.iter().filter(|at| (from..=to).contains(*at)).count();
    std::iter::repeat_n(LEASE + LOOK, deaths).sum()
}

/// The millisecond of China's day.
fn of_day(at: Timestamp) -> i64 {
    (at.ms() + CHINA_MS).rem_euclid(DAY_MS)
}

fn sends_cancels(at: Timestamp) -> bool {
    (SENT_FROM..SENT_UNTIL).contains(&of_day(at))
}

/// The next moment from which paymux sends cancels again.
fn opens_after(at: Timestamp) -> Timestamp {
    let midnight = at.ms() - of_day(at);
    let today = midnight + SENT_FROM;
    Timestamp::from_ms(if at.ms() < today { today } else { today + DAY_MS })
}

/// Cancels leave 15 s or more after their scan, in FuFu's hours.
fn cancels(record: &Record, findings: &mut Vec<Finding>) {
    let scans = record.calls.iter().filter(|call| call.is_scan() && call.left);
    let scanned: BTreeMap<&str, Timestamp> = scans.map(|call| (call.number.as_str(), call.at)).collect();
    for call in record.calls.iter().filter(|call| call.operation == "cancel") {
        let age = scanned.get(call.number.as_str()).map(|at| call.at.since(*at));
        if age.is_none_or(|age| age < CANCEL_NOT_BEFORE) {
            findings.push(finding(Kind::CancelTooEarly, &call.number, format!("{age:?}")));
        }
        if !CANCELS.contains(&of_day(call.at)) {
            findings.push(finding(Kind::CancelAtNight, &call.number, call.at));
        }
    }
}

#[test]
fn nights_are_chinas() {
    let at = |text: &str| -> Timestamp { format!("2024-03-01T{text}+08:00").parse().unwrap() };
    let next = |text: &str| opens_after(at(text)).to_string();
    assert_eq!(next("23:30:00"), "2024-03-01T17:01:00.000Z");
    assert_eq!(next("00:30:00"), "2024-02-29T17:01:00.000Z");
    assert!(sends_cancels(at("01:01:00")) && sends_cancels(at("22:58:59")));
    assert!(!sends_cancels(at("01:00:59")) && !sends_cancels(at("22:59:00")));
    assert!(CANCELS.contains(&of_day(at("01:00:00"))) && !CANCELS.contains(&of_day(at("23:00:00"))));
}
