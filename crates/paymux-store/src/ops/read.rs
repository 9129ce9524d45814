//! Payments with their attempts, each read by one statement: what is read together was true
//! together.

use std::sync::LazyLock;

use paymux_core::ids::{AppId, AttemptId, ChannelId, OrderNo, PaymentId};
use paymux_core::payment::Payment;
use paymux_core::secret::Secret;
use paymux_core::store::PaymentFilter;
use sea_orm::{ConnectionTrait, DbBackend, QueryResult};

use super::among;
use crate::entity::{attempts, payments};
use crate::fault::Fault;
use crate::rows::{self, Cells};
use crate::script::Sql;

/// `SELECT` and all columns of `payments p` and `attempts a`.
static SELECT: LazyLock<String> = LazyLock::new(|| {
    format!(
        "SELECT {}, {} ",
        rows::columns::<payments::Column>("p."),
        rows::columns::<attempts::Column>("a.")
    )
});

const FROM: &str = "FROM payments p LEFT JOIN attempts a ON a.payment = p.id ";

pub(crate) async fn by_id<C: ConnectionTrait>(db: &C, id: PaymentId) -> Result<Option<Payment>, Fault> {
    let mut sql = start(db);
    sql.push(FROM).push("WHERE p.id = ").bind(id.to_string());
    one(db, sql).await
}

pub(crate) async fn by_order<C: ConnectionTrait>(
    db: &C,
    app: &AppId,
    order_no: &OrderNo,
) -> Result<Option<Payment>, Fault> {
    let mut sql = start(db);
    sql.push(FROM).push("WHERE p.app = ").bind(app.as_str().to_owned());
    sql.push(" AND p.order_no = ").bind(order_no.as_str().to_owned());
    one(db, sql).await
}

pub(crate) async fn by_number<C: ConnectionTrait>(
    db: &C,
    channel: &ChannelId,
    number: &str,
) -> Result<Option<Payment>, Fault> {
    let mut sql = start(db);
    sql.push(FROM).push("WHERE p.id = (SELECT n.payment FROM attempts n WHERE n.channel = ");
    sql.bind(channel.as_str().to_owned()).push(" AND n.number = ").bind(rows::text(number)).push(")");
    one(db, sql).await
}

pub(crate) async fn by_attempt<C: ConnectionTrait>(db: &C, id: AttemptId) -> Result<Option<Payment>, Fault> {
    let mut sql = start(db);
    sql.push(FROM).push("WHERE p.id = (SELECT n.payment FROM attempts n WHERE n.id = ");
    sql.bind(id.to_string()).push(")");
    one(db, sql).await
}

/// The payments with those ids, in the order of their ids.
pub(crate) async fn by_ids<C: ConnectionTrait>(db: &C, ids: &[PaymentId]) -> Result<Vec<Payment>, Fault> {
    let list = serde_json::to_string(ids).map_err(|_| Fault::Corrupt("ids do not fit into JSON"))?;
    let backend = db.get_database_backend();
    let mut sql = start(db);
    sql.push(FROM).push("WHERE ");
    let text = among(backend, "p.id", "$1");
    sql.hold(list).push(&text).push(" ORDER BY p.id, a.ordinal");
    gather(&sql.rows(db).await?)
}

/// Newest first: ids begin with the time of their making.
pub(crate) async fn list<C: ConnectionTrait>(db: &C, filter: &PaymentFilter) -> Result<Vec<Payment>, Fault> {
    let mut sql = start(db);
    sql.push("FROM (SELECT * FROM payments WHERE app = ").bind(filter.app.as_str().to_owned());
    if let Some(order_no) = &filter.order_no {
        sql.push(" AND order_no = ").bind(order_no.as_str().to_owned());
    }
    if let Some(status) = filter.status {
        sql.push(" AND status = ").bind(status.word().to_owned());
    }
    if let Some(from) = filter.from {
        sql.push(" AND created_at >= ").bind(from.ms());
    }
    if let Some(to) = filter.to {
        sql.push(" AND created_at < ").bind(to.ms());
    }
    if let Some(after) = filter.after {
        sql.push(" AND id < ").bind(after.to_string());
    }
    sql.push(" ORDER BY id DESC LIMIT ").bind(i64::from(filter.limit));
    sql.push(") p LEFT JOIN attempts a ON a.payment = p.id ORDER BY p.id DESC, a.ordinal");
    gather(&sql.rows(db).await?)
}

fn start<C: ConnectionTrait>(db: &C) -> Sql {
    let mut sql = Sql::new(db.get_database_backend());
    sql.push(&SELECT);
    sql
}

async fn one<C: ConnectionTrait>(db: &C, mut sql: Sql) -> Result<Option<Payment>, Fault> {
    sql.push(" ORDER BY a.ordinal");
    Ok(gather(&sql.rows(db).await?)?.pop())
}

/// Puts the rows of a join together: those of one payment follow each other.
fn gather(joined: &[QueryResult]) -> Result<Vec<Payment>, Fault> {
    let mut payments: Vec<Payment> = Vec::new();
    for row in joined {
        let mut cells = Cells::new(row);
        let payment = rows::read_payment(&mut cells)?;
        if payments.last().is_none_or(|last| last.id != payment.id) {
            payments.push(payment);
        }
        if !cells.is_missing()?
            && let Some(last) = payments.last_mut()
        {
            last.attempts.push(rows::read_attempt(&mut cells)?);
        }
    }
    Ok(payments)
}

/// What a `SELECT` for update says on that database: SQLite has one writer and needs nothing.
pub(crate) fn for_update(backend: DbBackend) -> &'static str {
    if backend == DbBackend::Postgres { " FOR NO KEY UPDATE SKIP LOCKED" } else { "" }
}

/// The key of digests, which was drawn when the table was made.
pub(crate) async fn digest_key<C: ConnectionTrait>(db: &C) -> Result<Secret, Fault> {
    let mut sql = Sql::new(db.get_database_backend());
    sql.push("SELECT value FROM settings WHERE name = 'digest_key'");
    let rows = sql.rows(db).await?;
    let key: String = Cells::new(rows.first().ok_or(Fault::Corrupt("no key of digests"))?).next()?;
    Ok(Secret::new(key))
}
