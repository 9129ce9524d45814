//! Rows of `postings` and `audit`: written once, never changed.

use paymux_core::posting::{Cause, Posting};
use paymux_core::store::AuditRow;
use sea_orm::Value;

use super::{Cells, json, text, word};
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
