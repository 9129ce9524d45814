//! What a row means: core's shapes as column values and back, column by column in the order of
//! [`crate::entity`].
//!
//! A row that cannot be read is [`Fault::Corrupt`], never a guess.

use std::fmt::Display;
use std::str::FromStr;

use paymux_core::clock::Timestamp;
use paymux_core::ids::{AppId, ChannelId, IdError, OrderNo, ProviderOrderNo, RouteName};
use paymux_core::money::{Currency, Money};
use paymux_core::payment::{Attempt, AttemptState, Failure, Held, NextAction, Payment, Status};
use paymux_core::store::{CallbackRow, Event, EventKind};
use sea_orm::{Iden, Iterable, QueryResult, TryGetable, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::fault::Fault;

/// The names of all columns of a table, each after `prefix`, in the order of its entity.
pub(crate) fn columns<C: Iterable + Iden>(prefix: &str) -> String {
    C::iter().map(|column| format!("{prefix}{}", column.unquoted())).collect::<Vec<_>>().join(", ")
}

/// The column lists of all tables, made once.
pub(crate) mod names {
    use std::sync::LazyLock;

    use super::columns;
    use crate::entity::{attempts, callbacks, decisions, deliveries, events, payments};

    pub(crate) static PAYMENTS: LazyLock<String> = LazyLock::new(|| columns::<payments::Column>(""));
    pub(crate) static ATTEMPTS: LazyLock<String> = LazyLock::new(|| columns::<attempts::Column>(""));
    pub(crate) static DECISIONS: LazyLock<String> = LazyLock::new(|| columns::<decisions::Column>(""));
    pub(crate) static CALLBACKS: LazyLock<String> = LazyLock::new(|| columns::<callbacks::Column>(""));
    pub(crate) static EVENTS: LazyLock<String> = LazyLock::new(|| columns::<events::Column>(""));
    pub(crate) static DELIVERIES: LazyLock<String> = LazyLock::new(|| columns::<deliveries::Column>(""));
}

/// Free text. PostgreSQL cannot hold U+0000, so it is kept as U+FFFD everywhere: a provider that
/// sends one must not keep a payment from being booked.
pub(crate) fn text(text: &str) -> Value {
    plain(text).into()
}

pub(crate) fn plain(text: &str) -> String {
    text.replace('\0', "\u{fffd}")
}

fn maybe_text(value: Option<&str>) -> Value {
    value.map(plain).into()
}

fn word(word: impl Display) -> Value {
    word.to_string().into()
}

fn json<T: Serialize + ?Sized>(value: &T) -> Result<Value, Fault> {
    serde_json::to_string(value)
        .map(Value::from)
        .map_err(|_| Fault::Corrupt("a value does not fit into JSON"))
}

fn maybe_json<T: Serialize>(value: Option<&T>) -> Result<Value, Fault> {
    value.map_or(Ok(Value::from(None::<String>)), json)
}

fn moment(at: Option<Timestamp>) -> Value {
    at.map(Timestamp::ms).into()
}

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

/// A row of `attempts`.
pub(crate) fn attempt_values(payment: &Payment, ordinal: usize) -> Result<Vec<Value>, Fault> {
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
    ])
}

/// The columns of `attempts` that a change may write.
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
    ])
}

/// A row of `decisions`.
pub(crate) fn decision_values(attempt: &Attempt, decision: &serde_json::Value) -> Result<Vec<Value>, Fault> {
    Ok(vec![word(attempt.id), json(decision)?])
}

/// A row of `callbacks`.
pub(crate) fn callback_values(row: &CallbackRow) -> Result<Vec<Value>, Fault> {
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
    ])
}

/// A row of `events`.
pub(crate) fn event_values(event: &Event) -> Vec<Value> {
    vec![
        word(event.id),
        word(&event.app),
        word(event.payment),
        word(event.kind),
        event.sequence.into(),
        event.created_at.ms().into(),
        text(&event.body),
        maybe_text(event.url.as_deref()),
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
    ]
}

/// A row being read, cell after cell.
pub(crate) struct Cells<'r> {
    row: &'r QueryResult,
    at: usize,
}

impl<'r> Cells<'r> {
    pub(crate) fn new(row: &'r QueryResult) -> Self {
        Self { row, at: 0 }
    }

    /// The next cell as it is.
    pub(crate) fn next<T: TryGetable>(&mut self) -> Result<T, Fault> {
        let cell =
            self.row.try_get_by_index(self.at).map_err(|_| Fault::Corrupt("a cell of another type"))?;
        self.at += 1;
        Ok(cell)
    }

    /// The next cell, which has its own syntax.
    pub(crate) fn parsed<T: FromStr>(&mut self) -> Result<T, Fault> {
        self.next::<String>()?.parse().map_err(|_| Fault::Corrupt("a cell that breaks its syntax"))
    }

    /// The next cell, which is one of a closed set of words.
    fn word<T>(&mut self, read: fn(&str) -> Option<T>) -> Result<T, Fault> {
        read(&self.next::<String>()?).ok_or(Fault::Corrupt("a word that this version does not know"))
    }

    fn name<T>(&mut self, read: fn(String) -> Result<T, IdError>) -> Result<T, Fault> {
        read(self.next()?).map_err(|_| Fault::Corrupt("a name that breaks its rule"))
    }

    fn json<T: DeserializeOwned>(&mut self) -> Result<T, Fault> {
        from_json(&self.next::<String>()?)
    }

    fn maybe_json<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Fault> {
        self.next::<Option<String>>()?.as_deref().map(from_json).transpose()
    }

    fn moment(&mut self) -> Result<Timestamp, Fault> {
        self.next().map(Timestamp::from_ms)
    }

    fn maybe_moment(&mut self) -> Result<Option<Timestamp>, Fault> {
        Ok(self.next::<Option<i64>>()?.map(Timestamp::from_ms))
    }

    /// Whether the row ends in nothing but NULL from here on, as an outer join's missing side does.
    pub(crate) fn is_missing(&self) -> Result<bool, Fault> {
        let next: Option<String> =
            self.row.try_get_by_index(self.at).map_err(|_| Fault::Corrupt("a cell of another type"))?;
        Ok(next.is_none())
    }
}

fn from_json<T: DeserializeOwned>(text: &str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(|_| Fault::Corrupt("JSON that this version cannot read"))
}

fn currency(code: &str) -> Result<Currency, Fault> {
    Currency::from_code(code).ok_or(Fault::Corrupt("a currency that this version does not know"))
}

/// Reads a row of `payments`; its attempts are read from other cells.
pub(crate) fn read_payment(cells: &mut Cells<'_>) -> Result<Payment, Fault> {
    let id = cells.parsed()?;
    let app = cells.name(AppId::new)?;
    let order_no = cells.name(OrderNo::new)?;
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
        received: read_received(cells)?,
        failure: cells.maybe_json::<Failure>()?,
        created_at: cells.moment()?,
        ends_at: cells.moment()?,
        check_at: cells.maybe_moment()?,
        checks: i32::try_from(cells.next::<i64>()?).map_err(|_| Fault::Corrupt("a count without bounds"))?,
    })
}

fn read_received(cells: &mut Cells<'_>) -> Result<Option<Money>, Fault> {
    let minor: Option<i64> = cells.next()?;
    let code: Option<String> = cells.next()?;
    match (minor, code) {
        (Some(minor), Some(code)) => Ok(Some(Money::new(minor, currency(&code)?))),
        (None, None) => Ok(None),
        _ => Err(Fault::Corrupt("an amount without a currency")),
    }
}

/// Reads a row of `events`.
pub(crate) fn read_event(cells: &mut Cells<'_>) -> Result<Event, Fault> {
    Ok(Event {
        id: cells.parsed()?,
        app: cells.name(AppId::new)?,
        payment: cells.parsed()?,
        kind: cells.word(EventKind::from_word)?,
        sequence: cells.next()?,
        created_at: cells.moment()?,
        body: cells.next()?,
        url: cells.next()?,
    })
}
