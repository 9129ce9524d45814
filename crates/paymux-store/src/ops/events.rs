//! Events and what became of their deliveries, and deliveries that are made once more.

use async_trait::async_trait;
use paymux_core::clock::Timestamp;
use paymux_core::ids::AppId;
use paymux_core::store::{DeliveryState, EventFilter, ListedEvent, Redelivery, Subject};
use sea_orm::{ConnectionTrait, DbBackend, QueryResult};

use super::{Guard, Work, among, as_json};
use crate::entity::events;
use crate::fault::Fault;
use crate::rows::{self, Cells};
use crate::script::Sql;

/// Oldest first: ids begin with the time of their making.
pub(crate) async fn list<C: ConnectionTrait>(
    db: &C,
    filter: &EventFilter,
) -> Result<Vec<ListedEvent>, Fault> {
    let mut sql = Sql::new(db.get_database_backend());
    sql.push("SELECT ").push(&rows::columns::<events::Column>("e.")).push(", d.state, d.tries, d.detail ");
    sql.push("FROM events e LEFT JOIN deliveries d ON d.event = e.id WHERE e.app = ");
    sql.bind(filter.app.as_str().to_owned());
    match filter.subject {
        None => {}
        Some(Subject::Payment(id)) => {
            sql.push(" AND e.payment = ").bind(id.to_string());
        }
        Some(Subject::Transfer(id)) => {
            sql.push(" AND e.transfer = ").bind(id.to_string());
        }
    }
    if let Some(after) = filter.after {
        sql.push(" AND e.id > ").bind(after.to_string());
    }
    sql.push(" ORDER BY e.id LIMIT ").bind(i64::from(filter.limit));
    sql.rows(db).await?.iter().map(read_listed).collect()
}

fn read_listed(row: &QueryResult) -> Result<ListedEvent, Fault> {
    let mut cells = Cells::new(row);
    let event = rows::read_event(&mut cells)?;
    let state = cells.next::<Option<String>>()?.as_deref().map(delivery_state).transpose()?;
    let tries = cells.next::<Option<i64>>()?.unwrap_or(0);
    let tries = u32::try_from(tries).map_err(|_| Fault::Corrupt("a count without bounds"))?;
    Ok(ListedEvent { event, state, tries, detail: cells.next()? })
}

/// What is parked is pending to everybody else.
fn delivery_state(word: &str) -> Result<DeliveryState, Fault> {
    let word = if word == "parked" { DeliveryState::Pending.word() } else { word };
    DeliveryState::from_word(word).ok_or(Fault::Corrupt("a word that this version does not know"))
}

pub(crate) struct Redeliver {
    pub(crate) app: AppId,
    pub(crate) which: Redelivery,
    pub(crate) now: Timestamp,
}

#[async_trait]
impl Work for Redeliver {
    type Answer = u64;
    const NAME: &'static str = "redeliver";
    const GUARD: Guard = Guard::Transaction;

    /// The deliveries in the order of their ids, then their endpoints, as a report takes them: who locks in
    /// one order never waits in a circle. What a worker parks before it lets an endpoint's row go is found
    /// afterwards.
    async fn run<C: ConnectionTrait>(&self, db: &C) -> Result<u64, Fault> {
        let list = as_json(&self.urls(db).await?)?;
        if db.get_database_backend() == DbBackend::Postgres {
            self.lock(db, list.clone()).await?;
        }
        if self.enable(db, list.clone()).await? > 0 {
            self.unpark(db, list).await?;
        }
        let mut sql = Sql::new(db.get_database_backend());
        sql.push(
            "UPDATE deliveries SET state = 'pending', tries = 0, fence = fence + 1, delivered_at = NULL",
        );
        sql.push(", next_at = ").bind(self.now.ms()).push(" WHERE ");
        self.pick(&mut sql);
        Ok(sql.affected(db).await?)
    }
}

impl Redeliver {
    /// The condition for a row of `deliveries`.
    fn pick(&self, sql: &mut Sql) {
        sql.push("deliveries.app = ").bind(self.app.as_str().to_owned());
        match &self.which {
            Redelivery::One(event) => {
                sql.push(" AND deliveries.event = ").bind(event.to_string());
            }
            Redelivery::Undelivered { from, to } => {
                sql.push(" AND deliveries.state <> 'delivered' AND deliveries.created_at >= ")
                    .bind(from.ms());
                sql.push(" AND deliveries.created_at < ").bind(to.ms());
            }
        }
    }

    /// Where they go.
    async fn urls<C: ConnectionTrait>(&self, db: &C) -> Result<Vec<String>, Fault> {
        let mut sql = Sql::new(db.get_database_backend());
        sql.push("WITH picked AS (SELECT deliveries.event FROM deliveries WHERE ");
        self.pick(&mut sql);
        sql.push(") SELECT DISTINCT e.url FROM picked JOIN events e ON e.id = picked.event");
        sql.push(" WHERE e.url IS NOT NULL");
        sql.rows(db).await?.iter().map(|row| Cells::new(row).next()).collect()
    }

    /// Locks them, and what is parked and goes to the same places.
    async fn lock<C: ConnectionTrait>(&self, db: &C, urls: String) -> Result<(), Fault> {
        let mut sql = Sql::new(db.get_database_backend());
        sql.push(
            "SELECT o.event FROM deliveries o WHERE o.event IN (SELECT deliveries.event FROM deliveries",
        );
        sql.push(" WHERE ");
        self.pick(&mut sql);
        sql.push(" UNION ");
        self.parked(&mut sql, db.get_database_backend(), urls);
        sql.push(") ORDER BY o.event FOR NO KEY UPDATE");
        Ok(sql.execute(db).await?)
    }

    /// What is parked and goes to one of those places.
    fn parked(&self, sql: &mut Sql, backend: DbBackend, urls: String) {
        sql.push("SELECT x.event FROM deliveries x JOIN events e ON e.id = x.event WHERE x.state = 'parked'");
        sql.push(" AND x.app = ").bind(self.app.as_str().to_owned());
        let among = among(backend, "e.url", &sql.next_place());
        sql.push(" AND ").push(&among).hold(urls);
    }

    async fn enable<C: ConnectionTrait>(&self, db: &C, urls: String) -> Result<u64, Fault> {
        let mut sql = Sql::new(db.get_database_backend());
        sql.push("DELETE FROM endpoints WHERE app = ").bind(self.app.as_str().to_owned());
        let among = among(db.get_database_backend(), "url", "$2");
        sql.push(" AND ").push(&among).hold(urls);
        Ok(sql.affected(db).await?)
    }

    /// What else waited for these endpoints goes on where it was. What is locked here is being reported on,
    /// and waits no longer by that.
    async fn unpark<C: ConnectionTrait>(&self, db: &C, urls: String) -> Result<(), Fault> {
        let mut sql = Sql::new(db.get_database_backend());
        sql.push("UPDATE deliveries SET state = 'pending' WHERE event IN (");
        self.parked(&mut sql, db.get_database_backend(), urls);
        if db.get_database_backend() == DbBackend::Postgres {
            sql.push(" FOR NO KEY UPDATE OF x SKIP LOCKED");
        }
        sql.push(")");
        Ok(sql.execute(db).await?)
    }
}
