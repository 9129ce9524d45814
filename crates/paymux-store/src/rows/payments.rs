//! Rows of `payments` and `attempts`.

use paymux_core::ids::{AppId, ChannelId, OrderNo, ProviderOrderNo, RouteName};
use paymux_core::money::Money;
use paymux_core::payment::{
    Attempt, AttemptState, Capacity, Failure, Held, NextAction, Origin, Payment, SecondSum, Status,
};
use sea_orm::Value;

use super::{Cells, count, currency, day, json, maybe_json, maybe_text, moment, plain, text, word};
use crate::fault::Fault;

/// The minor units of an amount that must be in the payment's currency: one column holds it for all.
fn minor(amount: Money, payment: &Payment) -> Result<Value, Fault> {
    if amount.currency() != payment.amount.currency() {
        return Err(Fault::Corrupt("the amounts of one payment are in two currencies"));
    }
    Ok(amount.minor().into())
}

/// A row of `payments`.
pub(crate) fn payment_values(p: &Payment) -> Result<Vec<Value>, Fault> {
    Ok(vec![
        word(p.id),
        word(&p.app),
        word(&p.order_no),
        word(p.status),
        p.amount.minor().into(),
        word(p.amount.currency()),
        minor(p.amount_received, p)?,
        minor(p.amount_discount, p)?,
        minor(p.amount_refunded, p)?,
        word(p.method),
        text(&p.subject),
        p.livemode.into(),
        p.held.map(|held| held.word().to_owned()).into(),
        maybe_json(p.next_action.as_ref())?,
        p.created_at.ms().into(),
        p.expires_at.ms().into(),
        moment(p.paid_at),
        maybe_json(p.failure.as_ref())?,
        json(&p.metadata)?,
        maybe_text(p.return_url.as_deref()),
        maybe_text(p.notify_url.as_deref()),
        word(&p.route),
        text(&p.fingerprint),
        p.version.into(),
        p.events.into(),
        p.cancel_requested.into(),
        maybe_json(p.front.as_ref())?,
        word(p.origin),
    ])
}

/// The columns of `payments` that a change may write. What was agreed at the start never changes.
pub(crate) fn payment_changes(p: &Payment) -> Result<Vec<(&'static str, Value)>, Fault> {
    Ok(vec![
        ("status", word(p.status)),
        ("amount_received", minor(p.amount_received, p)?),
        ("amount_discount", minor(p.amount_discount, p)?),
        ("amount_refunded", minor(p.amount_refunded, p)?),
        ("held", p.held.map(|held| held.word().to_owned()).into()),
        ("next_action", maybe_json(p.next_action.as_ref())?),
        ("expires_at", p.expires_at.ms().into()),
        ("paid_at", moment(p.paid_at)),
        ("failure", maybe_json(p.failure.as_ref())?),
        ("version", p.version.into()),
        ("events", p.events.into()),
        ("cancel_requested", p.cancel_requested.into()),
    ])
}

/// A row of `attempts`. What of a new one's money is set aside and what has gone back is given beside:
/// nothing, unless it begins together with a refund.
pub(crate) fn attempt_values(
    payment: &Payment,
    ordinal: usize,
    (refunding, refunded): (i64, i64),
) -> Result<Vec<Value>, Fault> {
    let a = payment.attempts.get(ordinal).ok_or(Fault::Corrupt("an attempt that is not there"))?;
    let place = i64::try_from(ordinal).map_err(|_| Fault::Corrupt("too many attempts"))?;
    Ok(vec![
        word(a.id),
        word(payment.id),
        place.into(),
        word(&a.channel),
        text(&a.provider),
        word(&a.number),
        word(a.state),
        a.fence.into(),
        text(&a.memo),
        maybe_text(a.reference.as_deref()),
        maybe_text(a.trade_no.as_deref()),
        a.received.map(Money::minor).into(),
        a.received.map(|received| received.currency().code().to_owned()).into(),
        maybe_json(a.failure.as_ref())?,
        a.created_at.ms().into(),
        a.ends_at.ms().into(),
        moment(a.check_at),
        i64::from(a.checks).into(),
        second_sums(&a.more)?,
        refunding.into(),
        refunded.into(),
        moment(a.closing_until),
        a.contested.into(),
        moment(a.said_paid_at),
        a.capacity.day.map(|day| i64::from(day.number())).into(),
        a.capacity.reserved.into(),
        a.capacity.in_flight.into(),
    ])
}

/// The columns of `attempts` that a change may write. What is set aside for refunds and what has gone back are not
/// among them: they move with refunds, wherever another refund has moved them meanwhile.
pub(crate) fn attempt_changes(a: &Attempt) -> Result<Vec<(&'static str, Value)>, Fault> {
    Ok(vec![
        ("state", word(a.state)),
        ("fence", a.fence.into()),
        ("memo", text(&a.memo)),
        ("reference", maybe_text(a.reference.as_deref())),
        ("trade_no", maybe_text(a.trade_no.as_deref())),
        ("received", a.received.map(Money::minor).into()),
        ("received_currency", a.received.map(|received| received.currency().code().to_owned()).into()),
        ("failure", maybe_json(a.failure.as_ref())?),
        ("ends_at", a.ends_at.ms().into()),
        ("check_at", moment(a.check_at)),
        ("checks", i64::from(a.checks).into()),
        ("more", second_sums(&a.more)?),
        ("closing_until", moment(a.closing_until)),
        ("contested", a.contested.into()),
        ("said_paid_at", moment(a.said_paid_at)),
        ("reserved", a.capacity.reserved.into()),
        ("in_flight", a.capacity.in_flight.into()),
    ])
}

/// The column `more`. Unlike other JSON it is taken apart in SQL, and PostgreSQL cannot read a U+0000 there.
fn second_sums(sums: &[SecondSum]) -> Result<Value, Fault> {
    let storable = |sum: &SecondSum| SecondSum { trade_no: plain(&sum.trade_no), ..sum.clone() };
    json(&sums.iter().map(storable).collect::<Vec<_>>())
}

/// Reads a row of `payments`; its attempts are read from other cells.
pub(crate) fn read_payment(cells: &mut Cells<'_>) -> Result<Payment, Fault> {
    let id = cells.parsed()?;
    let app = cells.name(AppId::new)?;
    let order_no = cells.name(OrderNo::given)?;
    let status = cells.word(Status::from_word)?;
    let amount: i64 = cells.next()?;
    let currency = currency(&cells.next::<String>()?)?;
    let money = |minor| Money::new(minor, currency);
    Ok(Payment {
        id,
        app,
        order_no,
        status,
        amount: money(amount),
        amount_received: money(cells.next()?),
        amount_discount: money(cells.next()?),
        amount_refunded: money(cells.next()?),
        method: cells.parsed()?,
        subject: cells.next()?,
        livemode: cells.next()?,
        held: read_held(cells)?,
        next_action: cells.maybe_json::<NextAction>()?,
        created_at: cells.moment()?,
        expires_at: cells.moment()?,
        paid_at: cells.maybe_moment()?,
        failure: cells.maybe_json::<Failure>()?,
        metadata: cells.json()?,
        return_url: cells.next()?,
        notify_url: cells.next()?,
        route: cells.name(RouteName::new)?,
        fingerprint: cells.next()?,
        version: cells.next()?,
        events: cells.next()?,
        cancel_requested: cells.next()?,
        front: cells.maybe_json()?,
        origin: cells.word(Origin::from_word)?,
        attempts: Vec::new(),
    })
}

fn read_held(cells: &mut Cells<'_>) -> Result<Option<Held>, Fault> {
    let unknown = Fault::Corrupt("a word that this version does not know");
    cells.next::<Option<String>>()?.map(|word| Held::from_word(&word).ok_or(unknown)).transpose()
}

/// Reads a row of `attempts`.
pub(crate) fn read_attempt(cells: &mut Cells<'_>) -> Result<Attempt, Fault> {
    let id = cells.parsed()?;
    let _payment: String = cells.next()?;
    let _ordinal: i64 = cells.next()?;
    Ok(Attempt {
        id,
        channel: cells.name(ChannelId::new)?,
        provider: cells.next()?,
        number: cells.name(ProviderOrderNo::new)?,
        state: cells.word(AttemptState::from_word)?,
        fence: cells.next()?,
        memo: cells.next()?,
        reference: cells.next()?,
        trade_no: cells.next()?,
        received: cells.maybe_money()?,
        failure: cells.maybe_json::<Failure>()?,
        created_at: cells.moment()?,
        ends_at: cells.moment()?,
        check_at: cells.maybe_moment()?,
        checks: count(cells.next()?)?,
        more: cells.json()?,
        refunding: cells.next()?,
        refunded: cells.next()?,
        closing_until: cells.maybe_moment()?,
        contested: cells.next()?,
        said_paid_at: cells.maybe_moment()?,
        capacity: Capacity {
            day: cells.next::<Option<i64>>()?.map(day).transpose()?,
            reserved: cells.next()?,
            in_flight: cells.next()?,
        },
    })
}
