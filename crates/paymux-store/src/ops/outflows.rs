//! Money on its way out: what refunds and transfers share. How each one begins and moves on is in
//! [`super::refunds`] and [`super::transfers`].

use std::marker::PhantomData;
use std::time::Duration;

use async_trait::async_trait;
use paymux_core::clock::Timestamp;
use paymux_core::ids::{AppId, ChannelId, PaymentId, RefundId};
use paymux_core::refund::Refund;
use paymux_core::transfer::Transfer;
use sea_orm::ConnectionTrait;

use super::read::for_update;
use super::{Guard, Work, among};
use crate::fault::Fault;
use crate::rows::{self, Cells, names};
use crate::script::Sql;

/// A row of `refunds` or `transfers`.
pub(crate) trait Outflow: Sized + Send + Sync + 'static {
    /// The table.
    const TABLE: &'static str;
    /// The column of the merchant's number.
    const NO: &'static str;
    /// What taking them is called in metrics.
    const TAKE: &'static str;

    fn columns() -> &'static str;
    fn read(cells: &mut Cells<'_>) -> Result<Self, Fault>;
    fn key(&self) -> String;
    /// As it is once a worker has taken it.
    fn taken(self, until: Timestamp) -> Self;
}

impl Outflow for Refund {
    const TABLE: &'static str = "refunds";
    const NO: &'static str = "refund_no";
    const TAKE: &'static str = "take_due_refunds";

    fn columns() -> &'static str {
        &names::REFUNDS
    }

    fn read(cells: &mut Cells<'_>) -> Result<Self, Fault> {
        rows::read_refund(cells)
    }

    fn key(&self) -> String {
        self.id.to_string()
    }

    fn taken(self, until: Timestamp) -> Self {
        Self { fence: self.fence + 1, check_at: Some(until), ..self }
    }
}

impl Outflow for Transfer {
    const TABLE: &'static str = "transfers";
    const NO: &'static str = "transfer_no";
    const TAKE: &'static str = "take_due_transfers";

    fn columns() -> &'static str {
        &names::TRANSFERS
    }

    fn read(cells: &mut Cells<'_>) -> Result<Self, Fault> {
        rows::read_transfer(cells)
    }

    fn key(&self) -> String {
        self.id.to_string()
    }

    fn taken(self, until: Timestamp) -> Self {
        Self { fence: self.fence + 1, check_at: Some(until), ..self }
    }
}

/// `SELECT` all columns `FROM` its table `WHERE `.
fn select<T: Outflow, C: ConnectionTrait>(db: &C) -> Sql {
    let mut sql = Sql::new(db.get_database_backend());
    sql.push("SELECT ").push(T::columns()).push(" FROM ").push(T::TABLE).push(" WHERE ");
    sql
}

async fn all<T: Outflow, C: ConnectionTrait>(db: &C, sql: Sql) -> Result<Vec<T>, Fault> {
    sql.rows(db).await?.iter().map(|row| T::read(&mut Cells::new(row))).collect()
}

async fn one<T: Outflow, C: ConnectionTrait>(db: &C, sql: Sql) -> Result<Option<T>, Fault> {
    Ok(all(db, sql).await?.pop())
}

pub(crate) async fn by_id<T: Outflow, C: ConnectionTrait>(db: &C, id: String) -> Result<Option<T>, Fault> {
    let mut sql = select::<T, C>(db);
    sql.push("id = ").bind(id);
    one(db, sql).await
}

/// By the merchant's number.
pub(crate) async fn by_no<T: Outflow, C: ConnectionTrait>(
    db: &C,
    app: &AppId,
    no: &str,
) -> Result<Option<T>, Fault> {
    let mut sql = select::<T, C>(db);
    sql.push("app = ").bind(app.as_str().to_owned());
    sql.push(" AND ").push(T::NO).push(" = ").bind(no.to_owned());
    one(db, sql).await
}

/// By the number at the provider.
pub(crate) async fn by_number<T: Outflow, C: ConnectionTrait>(
    db: &C,
    channel: &ChannelId,
    number: &str,
) -> Result<Option<T>, Fault> {
    let mut sql = select::<T, C>(db);
    sql.push("channel = ").bind(channel.as_str().to_owned());
    sql.push(" AND number = ").bind(rows::text(number));
    one(db, sql).await
}

/// So many of an app, the greatest id first, after that one.
pub(crate) async fn of_app<T: Outflow, C: ConnectionTrait>(
    db: &C,
    app: &AppId,
    after: Option<String>,
    limit: u32,
) -> Result<Vec<T>, Fault> {
    let mut sql = select::<T, C>(db);
    sql.push("app = ").bind(app.as_str().to_owned());
    if let Some(after) = after {
        sql.push(" AND id < ").bind(after);
    }
    sql.push(" ORDER BY id DESC LIMIT ").bind(i64::from(limit));
    all(db, sql).await
}

/// So many of a payment, oldest first, after that one.
pub(crate) async fn of_payment<C: ConnectionTrait>(
    db: &C,
    payment: PaymentId,
    after: Option<RefundId>,
    limit: u32,
) -> Result<Vec<Refund>, Fault> {
    let mut sql = select::<Refund, C>(db);
    sql.push("payment = ").bind(payment.to_string());
    if let Some(after) = after {
        sql.push(" AND (created_at, id) > (SELECT created_at, id FROM refunds WHERE id = ");
        sql.bind(after.to_string()).push(")");
    }
    sql.push(" ORDER BY created_at, id LIMIT ").bind(i64::from(limit));
    all(db, sql).await
}

/// Takes those whose time has come.
pub(crate) struct TakeOutflows<T> {
    pub(crate) now: Timestamp,
    pub(crate) lease: Duration,
    pub(crate) limit: u32,
    kind: PhantomData<T>,
}

impl<T> TakeOutflows<T> {
    pub(crate) fn new(now: Timestamp, lease: Duration, limit: u32) -> Self {
        Self { now, lease, limit, kind: PhantomData }
    }
}

#[async_trait]
impl<T: Outflow> Work for TakeOutflows<T> {
    type Answer = Vec<T>;
    const NAME: &'static str = T::TAKE;
    const GUARD: Guard = Guard::Transaction;

    async fn run<C: ConnectionTrait>(&self, db: &C) -> Result<Vec<T>, Fault> {
        let mut sql = select::<T, C>(db);
        sql.push("check_at IS NOT NULL AND check_at <= ").bind(self.now.ms());
        sql.push(" ORDER BY check_at, id LIMIT ").bind(i64::from(self.limit));
        sql.push(for_update(db.get_database_backend()));
        let due: Vec<T> = all(db, sql).await?;
        let until = self.now.plus(self.lease);
        if !due.is_empty() {
            self.take(db, &due, until).await?;
        }
        Ok(due.into_iter().map(|row| row.taken(until)).collect())
    }
}

impl<T: Outflow> TakeOutflows<T> {
    async fn take<C: ConnectionTrait>(&self, db: &C, due: &[T], until: Timestamp) -> Result<(), Fault> {
        let ids: Vec<String> = due.iter().map(T::key).collect();
        let list = serde_json::to_string(&ids).map_err(|_| Fault::Corrupt("ids do not fit into JSON"))?;
        let mut sql = Sql::new(db.get_database_backend());
        sql.push("UPDATE ").push(T::TABLE).push(" SET fence = fence + 1, check_at = ").bind(until.ms());
        let among = among(db.get_database_backend(), "id", "$2");
        sql.push(" WHERE ").push(&among).hold(list);
        Ok(sql.execute(db).await?)
    }
}

/// Whether its id or its number at the provider is taken.
pub(crate) async fn is_taken<T: Outflow, C: ConnectionTrait>(
    db: &C,
    id: String,
    channel: &ChannelId,
    number: &str,
) -> Result<bool, Fault> {
    Ok(by_id::<T, C>(db, id).await?.is_some() || by_number::<T, C>(db, channel, number).await?.is_some())
}
