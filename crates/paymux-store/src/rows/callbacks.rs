//! Rows of `callbacks`.

use paymux_core::ids::ChannelId;
use paymux_core::store::{CallbackRow, CallbackVerdict};
use paymux_core::wire::{Headers, Verb, WireRequest};
use sea_orm::Value;

use super::{Cells, json, maybe_text, text, word};
use crate::fault::Fault;

/// Whether a row is evidence, or tells only what another row shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Worth {
    /// It is kept.
    Evidence,
    /// It may be pushed out.
    Spare,
}

/// A row of `callbacks`: nobody has seen to it.
pub(crate) fn callback_values(row: &CallbackRow, worth: Worth) -> Result<Vec<Value>, Fault> {
    let request = &row.request;
    let headers: Vec<(&str, &str)> = request.headers.iter().collect();
    let size = i64::try_from(request.body.len()).map_err(|_| Fault::Corrupt("a body without bounds"))?;
    Ok(vec![
        word(row.id),
        word(&row.channel),
        row.received_at.ms().into(),
        request.verb.as_str().to_owned().into(),
        text(&request.path),
        maybe_text(request.query.as_deref()),
        json(&headers)?,
        request.body.to_vec().into(),
        size.into(),
        word(row.verdict),
        maybe_text(row.event_key.as_deref()),
        row.payment.map(|payment| payment.to_string()).into(),
        maybe_text(row.detail.as_deref()),
        None::<i64>.into(),
        i64::from(row.times).into(),
        i64::from(worth == Worth::Spare).into(),
    ])
}

/// Reads a row of `callbacks`.
pub(crate) fn read_callback(cells: &mut Cells<'_>) -> Result<CallbackRow, Fault> {
    let id = cells.parsed()?;
    let channel = cells.name(ChannelId::new)?;
    let received_at = cells.moment()?;
    let request = read_request(cells)?;
    let _size: i64 = cells.next()?;
    Ok(CallbackRow {
        id,
        channel,
        received_at,
        request,
        verdict: cells.word(CallbackVerdict::from_word)?,
        event_key: cells.next()?,
        payment: cells.maybe_parsed()?,
        detail: cells.next()?,
        times: read_times(cells)?,
    })
}

/// After the time at which somebody saw to it.
fn read_times(cells: &mut Cells<'_>) -> Result<u32, Fault> {
    let _settled_at: Option<i64> = cells.next()?;
    u32::try_from(cells.next::<i64>()?).map_err(|_| Fault::Corrupt("a count without bounds"))
}

fn read_request(cells: &mut Cells<'_>) -> Result<WireRequest, Fault> {
    let verb = cells.word(Verb::from_word)?;
    let path = cells.next()?;
    let query = cells.next()?;
    let mut headers = Headers::new();
    for (name, value) in cells.json::<Vec<(String, String)>>()? {
        headers.push(name, value);
    }
    let body = cells.next::<Vec<u8>>()?.into();
    Ok(WireRequest { verb, path, query, headers, body, sender: None })
}
