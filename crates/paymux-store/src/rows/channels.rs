//! Rows of `channels`.

use paymux_core::catalog::Lifecycle;
use paymux_core::ids::ChannelId;
use paymux_core::store::ChannelRecord;
use sea_orm::Value;

use super::{Cells, maybe_text, text, word};
use crate::fault::Fault;

/// A row of `channels`.
pub(crate) fn channel_values(record: &ChannelRecord) -> Vec<Value> {
    vec![
        word(&record.id),
        text(&record.provider),
        text(&record.account),
        word(record.state),
        record.since.ms().into(),
        maybe_text(record.by.as_deref()),
        record.version.into(),
    ]
}

/// What of a row changes with its state.
pub(crate) fn channel_changes(
    state: Lifecycle,
    since_ms: i64,
    by: &str,
    version: i64,
) -> Vec<(&'static str, Value)> {
    vec![
        ("state", word(state)),
        ("since", since_ms.into()),
        ("changed_by", text(by)),
        ("version", version.into()),
    ]
}

/// Reads a row of `channels`.
pub(crate) fn read_channel(cells: &mut Cells<'_>) -> Result<ChannelRecord, Fault> {
    Ok(ChannelRecord {
        id: cells.name(ChannelId::new)?,
        provider: cells.next()?,
        account: cells.next()?,
        state: cells.word(Lifecycle::from_word)?,
        since: cells.moment()?,
        by: cells.next()?,
        version: cells.next()?,
    })
}
