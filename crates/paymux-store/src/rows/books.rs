//! Rows of `postings` and `audit`, written once and never changed, and of `channel_day`, which are added to.

use paymux_core::ids::ChannelId;
use paymux_core::posting::{Cause, Posting};
use paymux_core::store::{AuditRow, DayFigure, Income};
use sea_orm::Value;

use super::{Cells, currency, json, moment, text, word};
use crate::fault::Fault;

/// A row of `postings`.
pub(crate) fn posting_values(p: &Posting) -> Vec<Value> {
    let (payment, attempt, refund, transfer) = match p.cause {
        Cause::Attempt(payment, attempt) => (Some(payment), Some(attempt), None, None),
        Cause::Refund(payment, attempt, refund) => (Some(payment), Some(attempt), Some(refund), None),
        Cause::Transfer(transfer) => (None, None, None, Some(transfer)),
    };
    vec![
        word(p.id),
        p.at.ms().into(),
        word(p.kind),
        word(&p.debit),
        word(&p.credit),
        p.amount.minor().into(),
        word(p.amount.currency()),
        payment.map(|id| id.to_string()).into(),
        attempt.map(|id| id.to_string()).into(),
        refund.map(|id| id.to_string()).into(),
        transfer.map(|id| id.to_string()).into(),
    ]
}

/// A row of `channel_day`, as it is where nothing has come before it.
pub(crate) fn income_values(income: &Income, slot: i64) -> Vec<Value> {
    vec![
        i64::from(income.day.number()).into(),
        word(&income.channel),
        word(income.money.currency()),
        slot.into(),
        income.money.minor().into(),
        i64::from(income.completed_at.is_some()).into(),
        moment(income.completed_at),
    ]
}

/// Reads the rows of one channel, day and currency, added up.
pub(crate) fn read_day_figure(cells: &mut Cells<'_>) -> Result<DayFigure, Fault> {
    Ok(DayFigure {
        channel: cells.name(ChannelId::new)?,
        currency: currency(&cells.next::<String>()?)?,
        received: cells.next()?,
        completed: cells.next()?,
        last_completed_at: cells.maybe_moment()?,
    })
}

/// A row of `audit`.
pub(crate) fn audit_values(row: &AuditRow) -> Result<Vec<Value>, Fault> {
    Ok(vec![
        word(row.id),
        row.at.ms().into(),
        text(&row.operator),
        text(&row.action),
        text(&row.target),
        json(&row.before)?,
        json(&row.after)?,
        text(&row.note),
        text(&row.request_id),
    ])
}

/// Reads a row of `audit`.
pub(crate) fn read_audit(cells: &mut Cells<'_>) -> Result<AuditRow, Fault> {
    Ok(AuditRow {
        id: cells.parsed()?,
        at: cells.moment()?,
        operator: cells.next()?,
        action: cells.next()?,
        target: cells.next()?,
        before: cells.json()?,
        after: cells.json()?,
        note: cells.next()?,
        request_id: cells.next()?,
    })
}
