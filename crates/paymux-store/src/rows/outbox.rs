//! Rows of `events` and `deliveries`.

use paymux_core::ids::{AppId, PaymentId, TransferId};
use paymux_core::store::{Event, EventKind, Subject};
use sea_orm::Value;

use super::{Cells, maybe_text, text, word};
use crate::fault::Fault;

/// A row of `events`.
pub(crate) fn event_values(event: &Event) -> Vec<Value> {
    let (payment, transfer) = match event.subject {
        Subject::Payment(id) => (Some(id), None),
        Subject::Transfer(id) => (None, Some(id)),
    };
    vec![
        word(event.id),
        word(&event.app),
        payment.map(|id| id.to_string()).into(),
        word(event.kind),
        event.sequence.into(),
        event.created_at.ms().into(),
        text(&event.body),
        maybe_text(event.url.as_deref()),
        transfer.map(|id| id.to_string()).into(),
    ]
}

/// A row of `deliveries`: due at once, never tried.
pub(crate) fn delivery_values(event: &Event) -> Vec<Value> {
    vec![
        word(event.id),
        word(&event.app),
        "pending".to_owned().into(),
        event.created_at.ms().into(),
        0_i64.into(),
        0_i64.into(),
        None::<i64>.into(),
        None::<String>.into(),
        event.created_at.ms().into(),
    ]
}

/// Reads a row of `events`.
pub(crate) fn read_event(cells: &mut Cells<'_>) -> Result<Event, Fault> {
    let id = cells.parsed()?;
    let app = cells.name(AppId::new)?;
    let payment: Option<PaymentId> = cells.maybe_parsed()?;
    let kind = cells.word(EventKind::from_word)?;
    let sequence = cells.next()?;
    let created_at = cells.moment()?;
    let body = cells.next()?;
    let url = cells.next()?;
    let transfer: Option<TransferId> = cells.maybe_parsed()?;
    let subject = match (payment, transfer) {
        (Some(id), None) => Subject::Payment(id),
        (None, Some(id)) => Subject::Transfer(id),
        _ => return Err(Fault::Corrupt("an event of two things or of none")),
    };
    Ok(Event { id, app, subject, kind, sequence, created_at, body, url })
}
