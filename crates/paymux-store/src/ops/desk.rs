//! What operators see beside the queue: what providers sent, who did what, and the ledger's own lines
//! for a comparison with a provider's.

use async_trait::async_trait;
use paymux_core::ids::{AuditId, CallbackId, ChannelId};
use paymux_core::outflow::OutflowState;
use paymux_core::payment::{AttemptState, Status};
use paymux_core::store::{
    AuditRow, CallbackFilter, CallbackRow, CallbackVerdict, ChannelUse, OrderLine, RefundLine, Window,
};
use sea_orm::{ConnectionTrait, QueryResult};

use super::attached::add_audit;
use super::{Guard, Work};
use crate::fault::Fault;
use crate::rows::{self, Cells, names};
use crate::script::{Script, Sql};

/// What providers sent, newest first.
pub(crate) async fn callbacks<C: ConnectionTrait>(
    db: &C,
    filter: &CallbackFilter,
) -> Result<Vec<CallbackRow>, Fault> {
    let mut sql = Sql::new(db.get_database_backend());
    sql.push("SELECT ").push(&names::CALLBACKS).push(" FROM callbacks WHERE 1 = 1");
    if let Some(payment) = filter.payment {
        sql.push(" AND payment = ").bind(payment.to_string());
    }
    if let Some(channel) = &filter.channel {
        sql.push(" AND channel = ").bind(channel.as_str().to_owned());
    }
    if let Some(verdict) = filter.verdict {
        sql.push(" AND verdict = ").bind(verdict.word().to_owned());
        // Those that are few have an index of their own, and this is how it is known.
        sql.push(if verdict == CallbackVerdict::Applied { "" } else { " AND verdict <> 'applied'" });
    }
    if let Some((at, id)) = filter.after {
        sql.push(" AND (received_at, id) < (").bind(at.ms()).push(", ").bind(id.to_string()).push(")");
    }
    sql.push(" ORDER BY received_at DESC, id DESC LIMIT ").bind(i64::from(filter.limit));
    sql.rows(db).await?.iter().map(|row| rows::read_callback(&mut Cells::new(row))).collect()
}

/// The audit trail, newest first.
pub(crate) async fn audit<C: ConnectionTrait>(
    db: &C,
    before: Option<AuditId>,
    limit: u32,
) -> Result<Vec<AuditRow>, Fault> {
    let mut sql = Sql::new(db.get_database_backend());
    sql.push("SELECT ").push(&names::AUDIT).push(" FROM audit");
    if let Some(before) = before {
        sql.push(" WHERE id < ").bind(before.to_string());
    }
    sql.push(" ORDER BY id DESC LIMIT ").bind(i64::from(limit));
    sql.rows(db).await?.iter().map(|row| rows::read_audit(&mut Cells::new(row))).collect()
}

/// The attempts that were made on a channel in a while, by number.
pub(crate) async fn order_lines<C: ConnectionTrait>(
    db: &C,
    window: &Window,
) -> Result<Vec<OrderLine>, Fault> {
    let mut sql = Sql::new(db.get_database_backend());
    sql.push(
        "SELECT x.number, x.payment, x.state, p.status, p.amount, p.currency, x.received, x.received_currency, \
         x.refunded > 0 AND EXISTS (SELECT 1 FROM refunds r WHERE r.payment = x.payment AND r.attempt = x.id \
         AND r.origin = 'reversal'), x.created_at FROM attempts x JOIN payments p ON p.id = x.payment WHERE ",
    );
    inside(&mut sql, window);
    sql.rows(db).await?.iter().map(read_order_line).collect()
}

fn read_order_line(row: &QueryResult) -> Result<OrderLine, Fault> {
    let mut cells = Cells::new(row);
    Ok(OrderLine {
        number: cells.next()?,
        payment: cells.parsed()?,
        state: cells.word(AttemptState::from_word)?,
        status: cells.word(Status::from_word)?,
        amount: cells.money()?,
        received: cells.maybe_money()?,
        reversed: cells.next()?,
        created_at: cells.moment()?,
    })
}

/// The refunds that were made on a channel in a while, by number.
pub(crate) async fn refund_lines<C: ConnectionTrait>(
    db: &C,
    window: &Window,
) -> Result<Vec<RefundLine>, Fault> {
    let mut sql = Sql::new(db.get_database_backend());
    sql.push("SELECT x.number, x.payment, x.state, x.amount, x.currency, x.created_at FROM refunds x WHERE ");
    inside(&mut sql, window);
    sql.rows(db).await?.iter().map(read_refund_line).collect()
}

fn read_refund_line(row: &QueryResult) -> Result<RefundLine, Fault> {
    let mut cells = Cells::new(row);
    Ok(RefundLine {
        number: cells.next()?,
        payment: cells.parsed()?,
        state: cells.word(OutflowState::from_word)?,
        amount: cells.money()?,
        created_at: cells.moment()?,
    })
}

/// What a channel has had to do with money.
pub(crate) async fn channel_use<C: ConnectionTrait>(
    db: &C,
    channel: &ChannelId,
) -> Result<ChannelUse, Fault> {
    let mut sql = Sql::new(db.get_database_backend());
    sql.push("SELECT ");
    unended(&mut sql, channel);
    sql.push(", (SELECT max(ends_at) FROM attempts WHERE channel = ").bind(channel.to_string()).push(")");
    let rows = sql.rows(db).await?;
    let row = rows.first().ok_or(Fault::Corrupt("a question without an answer"))?;
    let mut cells = Cells::new(row);
    Ok(ChannelUse { is_unended: cells.next()?, last_end: cells.maybe_moment()? })
}

/// Whether an attempt, a refund or a transfer of that channel is still to be looked at.
pub(crate) fn unended(sql: &mut Sql, channel: &ChannelId) {
    for (place, table) in ["attempts", "refunds", "transfers"].into_iter().enumerate() {
        sql.push(if place == 0 { "EXISTS" } else { " OR EXISTS" }).push(" (SELECT 1 FROM ").push(table);
        sql.push(" WHERE check_at IS NOT NULL AND channel = ").bind(channel.to_string()).push(")");
    }
}

/// Rows `x` of that channel and while, in the order of their numbers.
fn inside(sql: &mut Sql, window: &Window) {
    sql.push("x.channel = ").bind(window.channel.as_str().to_owned());
    sql.push(" AND x.created_at >= ").bind(window.from.ms());
    sql.push(" AND x.created_at < ").bind(window.to.ms());
    if let Some(after) = &window.after {
        sql.push(" AND x.number > ").bind(rows::text(after));
    }
    sql.push(" ORDER BY x.number LIMIT ").bind(i64::from(window.limit));
}

pub(crate) struct SettleCallback {
    pub(crate) id: CallbackId,
    pub(crate) audit: AuditRow,
}

#[async_trait]
impl Work for SettleCallback {
    type Answer = bool;
    const NAME: &'static str = "settle_callback";
    const GUARD: Guard = Guard::Itself;

    async fn run<C: ConnectionTrait>(&self, db: &C) -> Result<bool, Fault> {
        let mut script = Script::new(db.get_database_backend());
        let values = vec![("settled_at", self.audit.at.ms().into())];
        script.step(|sql| {
            sql.update("callbacks", values, self.id.to_string());
            sql.push(" AND verdict IN ('orphan', 'quarantined') AND settled_at IS NULL");
        });
        add_audit(&mut script, &self.audit)?;
        script.run(db).await
    }
}
