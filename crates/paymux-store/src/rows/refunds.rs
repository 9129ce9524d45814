//! Rows of `refunds`.

use paymux_core::ids::{AppId, ChannelId, RefundNo};
use paymux_core::outflow::OutflowState;
use paymux_core::payment::Failure;
use paymux_core::refund::{Refund, RefundOrigin};
use sea_orm::Value;

use super::{Cells, count, maybe_json, maybe_text, moment, text, word};
use crate::fault::Fault;

/// A row of `refunds`.
pub(crate) fn refund_values(r: &Refund) -> Result<Vec<Value>, Fault> {
    Ok(vec![
        word(r.id),
        word(&r.app),
        word(r.payment),
        word(r.attempt),
        r.refund_no.as_ref().map(|no| no.as_str().to_owned()).into(),
        word(r.origin),
        word(&r.channel),
        text(&r.number),
        r.amount.minor().into(),
        word(r.amount.currency()),
        text(&r.reason),
        word(r.state),
        r.fence.into(),
        maybe_text(r.action_url.as_deref()),
        maybe_json(r.failure.as_ref())?,
        maybe_text(r.reference.as_deref()),
        text(&r.fingerprint),
        r.created_at.ms().into(),
        moment(r.ended_at),
        moment(r.check_at),
        i64::from(r.checks).into(),
        moment(r.sent_at),
        maybe_json(r.front.as_ref())?,
    ])
}

/// The columns of `refunds` that a change may write. What was asked at the start never changes, and its
/// number at the provider only where it was queued until now.
pub(crate) fn refund_changes(r: &Refund, seen: OutflowState) -> Result<Vec<(&'static str, Value)>, Fault> {
    let number = (seen == OutflowState::Queued).then(|| ("number", text(&r.number)));
    let course = [
        ("state", word(r.state)),
        ("fence", r.fence.into()),
        ("action_url", maybe_text(r.action_url.as_deref())),
        ("failure", maybe_json(r.failure.as_ref())?),
        ("reference", maybe_text(r.reference.as_deref())),
        ("ended_at", moment(r.ended_at)),
        ("check_at", moment(r.check_at)),
        ("checks", i64::from(r.checks).into()),
        ("sent_at", moment(r.sent_at)),
    ];
    Ok(number.into_iter().chain(course).collect())
}

/// Reads a row of `refunds`.
pub(crate) fn read_refund(cells: &mut Cells<'_>) -> Result<Refund, Fault> {
    Ok(Refund {
        id: cells.parsed()?,
        app: cells.name(AppId::new)?,
        payment: cells.parsed()?,
        attempt: cells.parsed()?,
        refund_no: cells.maybe_name(RefundNo::given)?,
        origin: cells.word(RefundOrigin::from_word)?,
        channel: cells.name(ChannelId::new)?,
        number: cells.next()?,
        amount: cells.money()?,
        reason: cells.next()?,
        state: cells.word(OutflowState::from_word)?,
        fence: cells.next()?,
        action_url: cells.next()?,
        failure: cells.maybe_json::<Failure>()?,
        reference: cells.next()?,
        fingerprint: cells.next()?,
        created_at: cells.moment()?,
        ended_at: cells.maybe_moment()?,
        check_at: cells.maybe_moment()?,
        checks: count(cells.next()?)?,
        sent_at: cells.maybe_moment()?,
        front: cells.maybe_json()?,
    })
}
