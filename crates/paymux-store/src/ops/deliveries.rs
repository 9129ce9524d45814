//! The outbox: deliveries taken under a lease, and what became of them.

use std::sync::LazyLock;
use std::time::Duration;

use async_trait::async_trait;
use paymux_core::clock::Timestamp;
use paymux_core::store::{DeliveryOutcome, DeliveryReport, DueDelivery};
use sea_orm::{ConnectionTrait, DbBackend, QueryResult};
use serde::Serialize;

use super::{Guard, Work, among};
use crate::entity::events;
use crate::fault::Fault;
use crate::rows::{self, Cells};
use crate::script::Sql;

pub(crate) struct TakeDeliveries {
    pub(crate) now: Timestamp,
    pub(crate) lease: Duration,
    pub(crate) limit: u32,
    pub(crate) per_app: u32,
}

/// Every app that has something pending, found by one step on the index each, so that the backlog
/// of one app costs nothing when others are looked at.
const APPS: &str = "WITH RECURSIVE apps(app) AS (\
    SELECT min(app) FROM deliveries WHERE state = 'pending' \
    UNION ALL \
    SELECT (SELECT min(d.app) FROM deliveries d WHERE d.state = 'pending' AND d.app > apps.app) \
    FROM apps WHERE apps.app IS NOT NULL) ";

/// The first `$2` of each app that are due at `$1`.
const OF_APP: &str = "FROM deliveries x WHERE x.app = apps.app AND x.state = 'pending' AND x.next_at <= $1 \
    ORDER BY x.next_at, x.event LIMIT $2";

/// The same search twice: SQLite has no `LATERAL`, and PostgreSQL would try every pair of an
/// app and a delivery for the other way of saying it.
static TAKE: LazyLock<[String; 2]> = LazyLock::new(|| {
    let columns = rows::columns::<events::Column>("e.");
    let tail = "ORDER BY d.next_at, d.event LIMIT $3";
    [
        format!(
            "{APPS}SELECT {columns}, d.tries, d.fence FROM apps \
             CROSS JOIN LATERAL (SELECT x.event, x.next_at, x.tries, x.fence {OF_APP} FOR UPDATE SKIP LOCKED) d \
             JOIN events e ON e.id = d.event {tail}"
        ),
        format!(
            "{APPS}SELECT {columns}, d.tries, d.fence FROM apps \
             JOIN deliveries d ON d.event IN (SELECT x.event {OF_APP}) \
             JOIN events e ON e.id = d.event {tail}"
        ),
    ]
});

#[async_trait]
impl Work for TakeDeliveries {
    type Answer = Vec<DueDelivery>;
    const NAME: &'static str = "take_due_deliveries";
    const GUARD: Guard = Guard::Transaction;

    async fn run<C: ConnectionTrait>(&self, db: &C) -> Result<Vec<DueDelivery>, Fault> {
        let [postgres, sqlite] = &*TAKE;
        let mut sql = Sql::new(db.get_database_backend());
        sql.push(if db.get_database_backend() == DbBackend::Postgres { postgres } else { sqlite });
        sql.hold(self.now.ms()).hold(i64::from(self.per_app)).hold(i64::from(self.limit));
        let due = sql.rows(db).await?.iter().map(read_due).collect::<Result<Vec<_>, _>>()?;
        if !due.is_empty() {
            self.take(db, &due).await?;
        }
        Ok(due)
    }
}

/// A delivery as it will be once it is taken.
fn read_due(row: &QueryResult) -> Result<DueDelivery, Fault> {
    let mut cells = Cells::new(row);
    let event = rows::read_event(&mut cells)?;
    let tries = u32::try_from(cells.next::<i64>()?).map_err(|_| Fault::Corrupt("a count without bounds"))?;
    Ok(DueDelivery { event, tries, fence: cells.next::<i64>()? + 1 })
}

impl TakeDeliveries {
    async fn take<C: ConnectionTrait>(&self, db: &C, due: &[DueDelivery]) -> Result<(), Fault> {
        let ids: Vec<_> = due.iter().map(|delivery| delivery.event.id).collect();
        let list = serde_json::to_string(&ids).map_err(|_| Fault::Corrupt("ids do not fit into JSON"))?;
        let mut sql = Sql::new(db.get_database_backend());
        sql.push("UPDATE deliveries SET fence = fence + 1, next_at = ").bind(self.now.plus(self.lease).ms());
        let among = among(db.get_database_backend(), "event", "$2");
        sql.push(" WHERE ").push(&among).hold(list);
        Ok(sql.execute(db).await?)
    }
}

pub(crate) struct Report(pub(crate) Vec<DeliveryReport>);

/// A report as the statement below reads it.
#[derive(Serialize)]
struct Line {
    event: String,
    fence: i64,
    state: &'static str,
    next_at: Option<i64>,
    delivered_at: Option<i64>,
    detail: String,
}

impl Line {
    fn of(report: &DeliveryReport) -> Self {
        let (state, next_at, delivered_at) = match report.outcome {
            DeliveryOutcome::Delivered(at) => ("delivered", None, Some(at.ms())),
            DeliveryOutcome::Again(at) => ("pending", Some(at.ms()), None),
            DeliveryOutcome::Dead => ("dead", None, None),
        };
        let detail = rows::plain(&report.detail);
        Self { event: report.event.to_string(), fence: report.fence, state, next_at, delivered_at, detail }
    }
}

/// The fence rises once more, so that the same report again is passed over.
const REPORT: &str = " UPDATE deliveries SET fence = deliveries.fence + 1, tries = deliveries.tries + 1, \
    state = r.state, next_at = coalesce(r.next_at, deliveries.next_at), \
    delivered_at = r.delivered_at, detail = r.detail FROM r \
    WHERE deliveries.event = r.event AND deliveries.fence = r.fence AND deliveries.state = 'pending'";

const LINES_POSTGRES: &str = "WITH r AS (SELECT * FROM jsonb_to_recordset($1::jsonb) AS \
    line(event text, fence bigint, state text, next_at bigint, delivered_at bigint, detail text))";

const LINES_SQLITE: &str = "WITH r AS (SELECT value ->> 'event' AS event, value ->> 'fence' AS fence, \
    value ->> 'state' AS state, value ->> 'next_at' AS next_at, \
    value ->> 'delivered_at' AS delivered_at, value ->> 'detail' AS detail FROM json_each($1))";

#[async_trait]
impl Work for Report {
    type Answer = ();
    const NAME: &'static str = "report_deliveries";
    const GUARD: Guard = Guard::Statement;

    async fn run<C: ConnectionTrait>(&self, db: &C) -> Result<(), Fault> {
        let lines = self.lines();
        let list =
            serde_json::to_string(&lines).map_err(|_| Fault::Corrupt("reports do not fit into JSON"))?;
        let backend = db.get_database_backend();
        let mut sql = Sql::new(backend);
        sql.push(if backend == DbBackend::Postgres { LINES_POSTGRES } else { LINES_SQLITE });
        sql.push(REPORT).hold(list);
        Ok(sql.execute(db).await?)
    }
}

impl Report {
    /// The first report of each event counts; a second one under the same fence comes too late.
    fn lines(&self) -> Vec<Line> {
        let mut seen = std::collections::BTreeSet::new();
        let first = |report: &&DeliveryReport| seen.insert((report.event, report.fence));
        self.0.iter().filter(first).map(Line::of).collect()
    }
}
