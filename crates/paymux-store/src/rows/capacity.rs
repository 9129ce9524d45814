//! Rows of `channel_capacity`, which are added to.

use paymux_core::ids::ChannelId;
use paymux_core::store::{CapacityFigure, CapacityMove, CapacitySpan, CapacityUse};
use sea_orm::Value;

use super::{Cells, currency, day, word};
use crate::fault::Fault;

/// The day and the currency under which a limit stands: none of either for what is under way.
pub(crate) fn capacity_key(span: CapacitySpan) -> (i64, String) {
    match span {
        CapacitySpan::Day(day, currency) => (day.number().into(), currency.code().to_owned()),
        CapacitySpan::Flight => (0, String::new()),
    }
}

/// A row, as it is where nothing has come before the move.
pub(crate) fn capacity_values(one: &CapacityMove) -> Vec<Value> {
    values(one, one.by)
}

/// The row that the move is added to, before anything was.
pub(crate) fn empty_capacity_values(one: &CapacityMove) -> Vec<Value> {
    values(one, CapacityUse::NONE)
}

fn values(one: &CapacityMove, used: CapacityUse) -> Vec<Value> {
    let (day, currency) = capacity_key(one.span);
    let sums = [used.reserved, used.booked, used.count];
    [day.into(), word(&one.channel), currency.into()].into_iter().chain(sums.map(Value::from)).collect()
}

/// Reads a row.
pub(crate) fn read_capacity_figure(cells: &mut Cells<'_>) -> Result<CapacityFigure, Fault> {
    let number: i64 = cells.next()?;
    let channel = cells.name(ChannelId::new)?;
    let code: String = cells.next()?;
    let span = match code.as_str() {
        "" => CapacitySpan::Flight,
        code => CapacitySpan::Day(day(number)?, currency(code)?),
    };
    let used = CapacityUse { reserved: cells.next()?, booked: cells.next()?, count: cells.next()? };
    Ok(CapacityFigure { channel, span, used })
}
