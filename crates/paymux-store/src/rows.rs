//! What a row means: core's shapes as column values and back, column by column in the order of
//! [`crate::entity`].
//!
//! A row that cannot be read is [`Fault::Corrupt`], never a guess. Here is what all tables share; what
//! is a table's own is in a file of its own.

mod books;
mod callbacks;
mod capacity;
mod channels;
mod decisions;
mod outbox;
mod payments;
mod refunds;
mod transfers;

use std::fmt::Display;
use std::str::FromStr;

use paymux_core::clock::Timestamp;
use paymux_core::day::Day;
use paymux_core::ids::IdError;
use paymux_core::money::{Currency, Money};
use sea_orm::{Iden, Iterable, QueryResult, TryGetable, Value};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::fault::Fault;

pub(crate) use self::books::{audit_values, income_values, posting_values, read_audit, read_day_figure};
pub(crate) use self::callbacks::{Worth, callback_values, read_callback};
pub(crate) use self::capacity::{capacity_key, capacity_values, empty_capacity_values, read_capacity_figure};
pub(crate) use self::channels::{channel_changes, channel_values, read_channel};
pub(crate) use self::decisions::{decision_values, read_decision, read_version, version_values};
pub(crate) use self::outbox::{delivery_values, event_values, read_event};
pub(crate) use self::payments::{
    attempt_changes, attempt_values, payment_changes, payment_values, read_attempt, read_payment,
};
pub(crate) use self::refunds::{read_refund, refund_changes, refund_values};
pub(crate) use self::transfers::{read_transfer, transfer_changes, transfer_values};

/// The names of all columns of a table, each after `prefix`, in the order of its entity.
pub(crate) fn columns<C: Iterable + Iden>(prefix: &str) -> String {
    C::iter().map(|column| format!("{prefix}{}", column.unquoted())).collect::<Vec<_>>().join(", ")
}

/// The column lists of all tables, made once.
pub(crate) mod names {
    use std::sync::LazyLock;

    use super::columns;
    use crate::entity::{
        attempts, audit, callbacks, channel_capacity, channel_day, channels, claims, config_versions,
        decisions, deliveries, endpoints, events, payments, postings, refunds, transfers,
    };

    pub(crate) static PAYMENTS: LazyLock<String> = LazyLock::new(|| columns::<payments::Column>(""));
    pub(crate) static ATTEMPTS: LazyLock<String> = LazyLock::new(|| columns::<attempts::Column>(""));
    pub(crate) static DECISIONS: LazyLock<String> = LazyLock::new(|| columns::<decisions::Column>(""));
    pub(crate) static CONFIG_VERSIONS: LazyLock<String> =
        LazyLock::new(|| columns::<config_versions::Column>(""));
    pub(crate) static CALLBACKS: LazyLock<String> = LazyLock::new(|| columns::<callbacks::Column>(""));
    pub(crate) static EVENTS: LazyLock<String> = LazyLock::new(|| columns::<events::Column>(""));
    pub(crate) static DELIVERIES: LazyLock<String> = LazyLock::new(|| columns::<deliveries::Column>(""));
    pub(crate) static REFUNDS: LazyLock<String> = LazyLock::new(|| columns::<refunds::Column>(""));
    pub(crate) static TRANSFERS: LazyLock<String> = LazyLock::new(|| columns::<transfers::Column>(""));
    pub(crate) static POSTINGS: LazyLock<String> = LazyLock::new(|| columns::<postings::Column>(""));
    pub(crate) static CHANNEL_DAY: LazyLock<String> = LazyLock::new(|| columns::<channel_day::Column>(""));
    pub(crate) static CHANNEL_CAPACITY: LazyLock<String> =
        LazyLock::new(|| columns::<channel_capacity::Column>(""));
    pub(crate) static CHANNELS: LazyLock<String> = LazyLock::new(|| columns::<channels::Column>(""));
    pub(crate) static CLAIMS: LazyLock<String> = LazyLock::new(|| columns::<claims::Column>(""));
    pub(crate) static ENDPOINTS: LazyLock<String> = LazyLock::new(|| columns::<endpoints::Column>(""));
    pub(crate) static AUDIT: LazyLock<String> = LazyLock::new(|| columns::<audit::Column>(""));
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

fn day(number: i64) -> Result<Day, Fault> {
    let number = i32::try_from(number).map_err(|_| Fault::Corrupt("a day that no calendar knows"))?;
    Ok(Day::from_number(number))
}

fn count(value: i64) -> Result<i32, Fault> {
    i32::try_from(value).map_err(|_| Fault::Corrupt("a count without bounds"))
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
    pub(crate) fn word<T>(&mut self, read: fn(&str) -> Option<T>) -> Result<T, Fault> {
        read(&self.next::<String>()?).ok_or(Fault::Corrupt("a word that this version does not know"))
    }

    pub(crate) fn name<T>(&mut self, read: fn(String) -> Result<T, IdError>) -> Result<T, Fault> {
        read(self.next()?).map_err(|_| Fault::Corrupt("a name that breaks its rule"))
    }

    pub(crate) fn json<T: DeserializeOwned>(&mut self) -> Result<T, Fault> {
        from_json(&self.next::<String>()?)
    }

    pub(crate) fn maybe_json<T: DeserializeOwned>(&mut self) -> Result<Option<T>, Fault> {
        self.next::<Option<String>>()?.as_deref().map(from_json).transpose()
    }

    /// Two cells: minor units and a currency.
    pub(crate) fn money(&mut self) -> Result<Money, Fault> {
        let minor = self.next()?;
        Ok(Money::new(minor, currency(&self.next::<String>()?)?))
    }

    /// Two cells, both empty or neither.
    pub(crate) fn maybe_money(&mut self) -> Result<Option<Money>, Fault> {
        let minor: Option<i64> = self.next()?;
        let code: Option<String> = self.next()?;
        match (minor, code) {
            (Some(minor), Some(code)) => Ok(Some(Money::new(minor, currency(&code)?))),
            (None, None) => Ok(None),
            _ => Err(Fault::Corrupt("an amount without a currency")),
        }
    }

    pub(crate) fn moment(&mut self) -> Result<Timestamp, Fault> {
        self.next().map(Timestamp::from_ms)
    }

    pub(crate) fn maybe_moment(&mut self) -> Result<Option<Timestamp>, Fault> {
        Ok(self.next::<Option<i64>>()?.map(Timestamp::from_ms))
    }

    /// The next cell, which has its own syntax or is empty.
    pub(crate) fn maybe_parsed<T: FromStr>(&mut self) -> Result<Option<T>, Fault> {
        let cell: Option<String> = self.next()?;
        let wrong = |_| Fault::Corrupt("a cell that breaks its syntax");
        cell.map(|text| text.parse().map_err(wrong)).transpose()
    }

    /// The next cell, which is a name or empty.
    pub(crate) fn maybe_name<T>(
        &mut self,
        read: fn(String) -> Result<T, IdError>,
    ) -> Result<Option<T>, Fault> {
        let cell: Option<String> = self.next()?;
        cell.map(read).transpose().map_err(|_| Fault::Corrupt("a name that breaks its rule"))
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
