//! Rows of `transfers`.

use paymux_core::ids::{AppId, ChannelId, TransferNo};
use paymux_core::outflow::OutflowState;
use paymux_core::payment::Failure;
use paymux_core::transfer::Transfer;
use sea_orm::Value;

use super::{Cells, count, json, maybe_json, maybe_text, moment, text, word};
use crate::fault::Fault;

/// A row of `transfers`.
pub(crate) fn transfer_values(t: &Transfer) -> Result<Vec<Value>, Fault> {
    Ok(vec![
        word(t.id),
        word(&t.app),
        word(&t.transfer_no),
        word(&t.channel),
        text(&t.provider),
        text(&t.number),
        t.amount.minor().into(),
        word(t.amount.currency()),
        text(&t.product),
        json(&t.payee_masked)?,
        text(&t.reason),
        t.livemode.into(),
        word(t.state),
        t.fence.into(),
        maybe_text(t.action_url.as_deref()),
        maybe_json(t.failure.as_ref())?,
        maybe_text(t.reference.as_deref()),
        text(&t.fingerprint),
        t.events.into(),
        t.created_at.ms().into(),
        moment(t.ended_at),
        moment(t.check_at),
        i64::from(t.checks).into(),
        maybe_json(t.front.as_ref())?,
    ])
}

/// The columns of `transfers` that a change may write. What was asked at the start never changes.
pub(crate) fn transfer_changes(t: &Transfer) -> Result<Vec<(&'static str, Value)>, Fault> {
    Ok(vec![
        ("state", word(t.state)),
        ("fence", t.fence.into()),
        ("action_url", maybe_text(t.action_url.as_deref())),
        ("failure", maybe_json(t.failure.as_ref())?),
        ("reference", maybe_text(t.reference.as_deref())),
        ("events", t.events.into()),
        ("ended_at", moment(t.ended_at)),
        ("check_at", moment(t.check_at)),
        ("checks", i64::from(t.checks).into()),
    ])
}

/// Reads a row of `transfers`.
pub(crate) fn read_transfer(cells: &mut Cells<'_>) -> Result<Transfer, Fault> {
    Ok(Transfer {
        id: cells.parsed()?,
        app: cells.name(AppId::new)?,
        transfer_no: cells.name(TransferNo::given)?,
        channel: cells.name(ChannelId::new)?,
        provider: cells.next()?,
        number: cells.next()?,
        amount: cells.money()?,
        product: cells.next()?,
        payee_masked: cells.json()?,
        reason: cells.next()?,
        livemode: cells.next()?,
        state: cells.word(OutflowState::from_word)?,
        fence: cells.next()?,
        action_url: cells.next()?,
        failure: cells.maybe_json::<Failure>()?,
        reference: cells.next()?,
        fingerprint: cells.next()?,
        events: cells.next()?,
        created_at: cells.moment()?,
        ended_at: cells.maybe_moment()?,
        check_at: cells.maybe_moment()?,
        checks: count(cells.next()?)?,
        front: cells.maybe_json()?,
    })
}
