//! How much of channels' limits is used.
//!
//! A new attempt is looked at against the limits, and its row locked, before anything is written. What has happened
//! already is only added: no limit and no missing row keeps money from being booked.

use paymux_core::day::Day;
use paymux_core::store::{CapacityFigure, CapacityLimits, CapacityMove};
use sea_orm::ConnectionTrait;

use crate::fault::Fault;
use crate::rows::{self, Cells, names};
use crate::script::{Script, Sql};

/// Whether one of them must stay within a limit.
pub(crate) fn is_bounded(moves: &[CapacityMove]) -> bool {
    moves.iter().any(|one| one.within.is_some())
}

/// Nothing is written unless there is room. All rows are locked, in the order of the moves, so that whoever moves
/// several waits for none in a circle.
pub(crate) fn look(script: &mut Script, moves: &[CapacityMove]) {
    let looked_at = if is_bounded(moves) { moves } else { &[] };
    for one in looked_at {
        script.must_see(|sql| find(sql, one));
    }
}

/// Moves them.
pub(crate) fn write(script: &mut Script, moves: &[CapacityMove]) {
    for one in moves {
        let values = rows::capacity_values(one);
        script.step_unless(|sql| sql.insert("channel_capacity", &names::CHANNEL_CAPACITY, values), ADD);
    }
}

const ADD: &str = " ON CONFLICT (day, channel, currency) DO UPDATE SET \
    reserved = channel_capacity.reserved + excluded.reserved, \
    booked = channel_capacity.booked + excluded.booked, \
    counted = channel_capacity.counted + excluded.counted";

/// Makes the rows that [`look`] must find, empty, where they are not there: the first attempt of a day.
pub(crate) async fn begin<C: ConnectionTrait>(db: &C, moves: &[CapacityMove]) -> Result<(), Fault> {
    for one in moves {
        let mut sql = Sql::new(db.get_database_backend());
        sql.insert("channel_capacity", &names::CHANNEL_CAPACITY, rows::empty_capacity_values(one));
        sql.push(" ON CONFLICT (day, channel, currency) DO NOTHING");
        sql.execute(db).await?;
    }
    Ok(())
}

/// Whether there is room for all of them at this moment.
pub(crate) async fn has_room<C: ConnectionTrait>(db: &C, moves: &[CapacityMove]) -> Result<bool, Fault> {
    for one in moves {
        let mut sql = Sql::new(db.get_database_backend());
        sql.push("SELECT 1 ");
        find(&mut sql, one);
        if sql.rows(db).await?.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Adds `FROM` and a condition that finds the row where the move stays within its limits.
fn find(sql: &mut Sql, one: &CapacityMove) {
    let (day, currency) = rows::capacity_key(one.span);
    sql.push("FROM channel_capacity WHERE day = ").bind(day);
    sql.push(" AND channel = ").bind(one.channel.to_string());
    sql.push(" AND currency = ").bind(currency);
    let CapacityLimits { amount, count } = one.within.unwrap_or_default();
    if let Some(most) = amount {
        let room = most.saturating_sub(one.by.amount());
        sql.push(" AND reserved + booked <= ").bind(room);
    }
    if let Some(most) = count {
        sql.push(" AND counted <= ").bind(most.saturating_sub(one.by.count));
    }
}

/// What is used on that day, and under way, where it is anything.
pub(crate) async fn figures<C: ConnectionTrait>(db: &C, day: Day) -> Result<Vec<CapacityFigure>, Fault> {
    let mut sql = Sql::new(db.get_database_backend());
    sql.push("SELECT ").push(&names::CHANNEL_CAPACITY).push(" FROM channel_capacity WHERE (day = ");
    sql.bind(i64::from(day.number()));
    sql.push(" AND currency <> '' OR day = 0 AND currency = '')");
    sql.push(" AND (reserved <> 0 OR booked <> 0 OR counted <> 0) ORDER BY channel, currency");
    sql.rows(db).await?.iter().map(|row| rows::read_capacity_figure(&mut Cells::new(row))).collect()
}
