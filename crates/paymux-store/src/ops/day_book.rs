//! What channels have collected day by day.

use paymux_core::clock::Timestamp;
use paymux_core::day::Day;
use paymux_core::ids::{ChannelId, PaymentId};
use paymux_core::store::{DayFigure, Income};
use sea_orm::{ConnectionTrait, DbBackend};

use crate::fault::Fault;
use crate::rows::{self, Cells, names};
use crate::script::{Script, Sql};

/// Over how many rows PostgreSQL spreads what a channel collects on one day: its writers run beside each other, and
/// each holds a row until its commit is on the disk.
const SLOTS: u32 = 8;

/// Adds what came in to the day of its channel.
pub(crate) fn add(script: &mut Script, backend: DbBackend, payment: PaymentId, income: &Income) {
    let values = rows::income_values(income, slot(backend, payment));
    script.step_unless(|sql| sql.insert("channel_day", &names::CHANNEL_DAY, values), ADD);
}

const ADD: &str = " ON CONFLICT (day, channel, currency, slot) DO UPDATE SET \
    received = channel_day.received + excluded.received, \
    completed = channel_day.completed + excluded.completed, \
    last_completed_at = CASE WHEN channel_day.last_completed_at >= excluded.last_completed_at \
        OR excluded.last_completed_at IS NULL THEN channel_day.last_completed_at \
        ELSE excluded.last_completed_at END";

/// Which row a payment adds to.
fn slot(backend: DbBackend, payment: PaymentId) -> i64 {
    match backend {
        DbBackend::Postgres => {
            let digit = payment.digits().pop().and_then(|digit| digit.to_digit(16));
            i64::from(digit.unwrap_or(0) % SLOTS)
        }
        // One writer at a time.
        _ => 0,
    }
}

/// What came in on that day, by channel and currency.
pub(crate) async fn day_figures<C: ConnectionTrait>(db: &C, day: Day) -> Result<Vec<DayFigure>, Fault> {
    let mut sql = Sql::new(db.get_database_backend());
    // A sum of whole numbers is one of another type on PostgreSQL.
    sql.push(
        "SELECT channel, currency, CAST(sum(received) AS bigint), CAST(sum(completed) AS bigint), \
         max(last_completed_at) FROM channel_day WHERE day = ",
    );
    sql.bind(i64::from(day.number())).push(" GROUP BY channel, currency ORDER BY channel, currency");
    sql.rows(db).await?.iter().map(|row| rows::read_day_figure(&mut Cells::new(row))).collect()
}

/// When each channel last completed a payment. Looks through all days.
pub(crate) async fn last_completed<C: ConnectionTrait>(db: &C) -> Result<Vec<(ChannelId, Timestamp)>, Fault> {
    let mut sql = Sql::new(db.get_database_backend());
    sql.push("SELECT channel, max(last_completed_at) FROM channel_day ");
    sql.push("WHERE last_completed_at IS NOT NULL GROUP BY channel ORDER BY channel");
    let read = |row| {
        let mut cells = Cells::new(row);
        Ok((cells.name(ChannelId::new)?, cells.moment()?))
    };
    sql.rows(db).await?.iter().map(read).collect()
}
