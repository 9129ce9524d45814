//! The outbox: deliveries taken under a lease, and what became of them.

use std::collections::BTreeSet;
use std::sync::LazyLock;
use std::time::Duration;

use async_trait::async_trait;
use paymux_core::clock::Timestamp;
use paymux_core::ids::AppId;
use paymux_core::store::{DeliveryOutcome, DeliveryReport, DueDelivery};
use sea_orm::{ConnectionTrait, DbBackend, QueryResult};
use serde::Serialize;

use super::fair::Fair;
use super::{Guard, Work, among, as_json};
use crate::entity::events;
use crate::fault::Fault;
use crate::rows::{self, Cells, names};
use crate::script::Sql;

pub(crate) struct TakeDeliveries {
    pub(crate) now: Timestamp,
    pub(crate) lease: Duration,
    pub(crate) limit: u32,
    pub(crate) per_app: u32,
    pub(crate) busy: Vec<AppId>,
}

/// Pending deliveries, some of each app.
const PENDING: Fair =
    Fair { table: "deliveries", group: "app", id: "event", at: "next_at", waits: "{x}.state = 'pending'" };

/// Whether the endpoint of an event is gone.
const IS_GONE: &str = "EXISTS (SELECT 1 FROM endpoints n WHERE n.app = e.app AND n.url = e.url)";

/// For PostgreSQL and for SQLite.
static TAKE: LazyLock<[String; 2]> = LazyLock::new(|| {
    let columns = rows::columns::<events::Column>("e.");
    [DbBackend::Postgres, DbBackend::Sqlite].map(|backend| {
        let (groups, from) = (PENDING.groups(), PENDING.from(backend, "$2", "$4"));
        format!(
            "{groups}SELECT {columns}, d.tries, d.fence, {IS_GONE} {from} \
             JOIN events e ON e.id = d.event ORDER BY d.next_at, d.event LIMIT $3"
        )
    })
});

#[async_trait]
impl Work for TakeDeliveries {
    type Answer = Vec<DueDelivery>;
    const NAME: &'static str = "take_due_deliveries";
    const GUARD: Guard = Guard::Transaction;

    async fn run<C: ConnectionTrait>(&self, db: &C) -> Result<Vec<DueDelivery>, Fault> {
        let mut found = self.find(db).await?;
        for _ in 0..PARKINGS_MAX {
            let gone = endpoints(&found);
            if gone.is_empty() || self.park(db, &gone).await? == 0 {
                break;
            }
            found = self.find(db).await?;
        }
        let due: Vec<_> = found.into_iter().filter(|found| !found.is_gone).map(|found| found.due).collect();
        if !due.is_empty() {
            self.take(db, &due).await?;
        }
        Ok(due)
    }
}

struct Found {
    /// The delivery as it will be once it is taken.
    due: DueDelivery,
    is_gone: bool,
}

fn read_found(row: &QueryResult) -> Result<Found, Fault> {
    let mut cells = Cells::new(row);
    let event = rows::read_event(&mut cells)?;
    let tries = u32::try_from(cells.next::<i64>()?).map_err(|_| Fault::Corrupt("a count without bounds"))?;
    let due = DueDelivery { event, tries, fence: cells.next::<i64>()? + 1 };
    Ok(Found { due, is_gone: cells.next()? })
}

/// The most times that one taking looks again after it has parked what it found.
const PARKINGS_MAX: usize = 64;

/// An address of an app that is gone.
#[derive(PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct Endpoint<'f> {
    app: &'f str,
    url: &'f str,
}

/// Those that are gone among what was found.
fn endpoints(found: &[Found]) -> BTreeSet<Endpoint<'_>> {
    let gone = found.iter().filter(|found| found.is_gone).map(|found| &found.due.event);
    gone.filter_map(|event| Some(Endpoint { app: event.app.as_str(), url: event.url.as_deref()? })).collect()
}

/// Parks all that is due at `$1` and goes to one of the endpoints in the list `$2`, so that it is not
/// found again. Whoever asks for an endpoint again takes its row: while that is under way nothing is
/// parked for it. What another worker has taken is left to that one.
const PARK: [&str; 2] = [
    "WITH gone AS MATERIALIZED (SELECT n.app, n.url FROM endpoints n \
     JOIN jsonb_to_recordset($2::jsonb) AS f(app text, url text) ON f.app = n.app AND f.url = n.url \
     FOR KEY SHARE OF n SKIP LOCKED) \
     UPDATE deliveries SET state = 'parked' WHERE event IN (SELECT x.event FROM deliveries x \
     JOIN events e ON e.id = x.event WHERE x.app IN (SELECT app FROM gone) AND x.state = 'pending' \
     AND x.next_at <= $1 AND (e.app, e.url) IN (SELECT app, url FROM gone) \
     FOR NO KEY UPDATE OF x SKIP LOCKED)",
    "WITH gone AS (SELECT value ->> 'app' AS app, value ->> 'url' AS url FROM json_each($2)) \
     UPDATE deliveries SET state = 'parked' WHERE event IN (SELECT x.event FROM deliveries x \
     JOIN events e ON e.id = x.event WHERE x.app IN (SELECT app FROM gone) AND x.state = 'pending' \
     AND x.next_at <= $1 AND (e.app, e.url) IN (SELECT app, url FROM gone))",
];

impl TakeDeliveries {
    async fn find<C: ConnectionTrait>(&self, db: &C) -> Result<Vec<Found>, Fault> {
        let [postgres, sqlite] = &*TAKE;
        let mut sql = Sql::new(db.get_database_backend());
        sql.push(if db.get_database_backend() == DbBackend::Postgres { postgres } else { sqlite });
        sql.hold(self.now.ms()).hold(i64::from(self.per_app)).hold(i64::from(self.limit));
        sql.hold(as_json(&self.busy)?);
        sql.rows(db).await?.iter().map(read_found).collect()
    }

    /// How many it parked.
    async fn park<C: ConnectionTrait>(&self, db: &C, gone: &BTreeSet<Endpoint<'_>>) -> Result<u64, Fault> {
        let list =
            serde_json::to_string(gone).map_err(|_| Fault::Corrupt("addresses do not fit into JSON"))?;
        let [postgres, sqlite] = PARK;
        let mut sql = Sql::new(db.get_database_backend());
        sql.push(if db.get_database_backend() == DbBackend::Postgres { postgres } else { sqlite });
        sql.hold(self.now.ms()).hold(list);
        Ok(sql.affected(db).await?)
    }

    async fn take<C: ConnectionTrait>(&self, db: &C, due: &[DueDelivery]) -> Result<(), Fault> {
        let ids: Vec<_> = due.iter().map(|delivery| delivery.event.id).collect();
        let list = as_json(&ids)?;
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
    gone: bool,
}

impl Line {
    fn of(report: &DeliveryReport) -> Self {
        let (state, next_at, delivered_at) = match report.outcome {
            DeliveryOutcome::Delivered(at) => ("delivered", None, Some(at.ms())),
            DeliveryOutcome::Again(at) => ("pending", Some(at.ms()), None),
            DeliveryOutcome::Dead | DeliveryOutcome::Gone => ("dead", None, None),
        };
        let detail = rows::plain(&report.detail);
        let gone = report.outcome == DeliveryOutcome::Gone;
        Self {
            event: report.event.to_string(),
            fence: report.fence,
            state,
            next_at,
            delivered_at,
            detail,
            gone,
        }
    }
}

/// The fence rises once more, so that the same report again is passed over.
const REPORT: &str = "UPDATE deliveries SET fence = deliveries.fence + 1, tries = deliveries.tries + 1, \
    state = r.state, next_at = coalesce(r.next_at, deliveries.next_at), \
    delivered_at = r.delivered_at, detail = r.detail FROM r WHERE deliveries.event = r.event \
    AND deliveries.fence = r.fence AND deliveries.state IN ('pending', 'parked')";

/// The endpoint of a delivery `d` whose report `r` says that it is gone. A report tells no time: the end
/// of the lease under which the endpoint was called comes closest.
static DISABLE: LazyLock<String> = LazyLock::new(|| {
    format!(
        "INSERT INTO endpoints ({}) SELECT e.app, e.url, d.next_at, r.detail FROM r \
         JOIN deliveries d ON d.event = r.event JOIN events e ON e.id = r.event \
         WHERE r.gone AND e.url IS NOT NULL",
        *names::ENDPOINTS
    )
});

const LINES_POSTGRES: &str = "WITH r AS (SELECT * FROM jsonb_to_recordset($1::jsonb) AS line(event text, \
    fence bigint, state text, next_at bigint, delivered_at bigint, detail text, gone boolean))";

/// The deliveries whose reports count, locked in the order of their ids: whoever locks several of them does
/// it in that order, and so nobody waits in a circle.
const LOCKED: &str = ", locked AS MATERIALIZED (SELECT d.event FROM deliveries d JOIN r ON r.event = d.event \
    AND r.fence = d.fence WHERE d.state IN ('pending', 'parked') ORDER BY d.event FOR NO KEY UPDATE OF d)";

const LINES_SQLITE: &str = "WITH r AS (SELECT value ->> 'event' AS event, value ->> 'fence' AS fence, \
    value ->> 'state' AS state, value ->> 'next_at' AS next_at, value ->> 'delivered_at' AS delivered_at, \
    value ->> 'detail' AS detail, value ->> 'gone' AS gone FROM json_each($1)) ";

#[async_trait]
impl Work for Report {
    type Answer = ();
    const NAME: &'static str = "report_deliveries";
    const GUARD: Guard = Guard::Statement;

    /// On SQLite the endpoints come first, while the fencing numbers still tell which reports count.
    async fn run<C: ConnectionTrait>(&self, db: &C) -> Result<(), Fault> {
        let lines = self.lines();
        let list = as_json(&lines)?;
        let backend = db.get_database_backend();
        let mut sql = Sql::new(backend);
        if backend == DbBackend::Postgres {
            sql.push(LINES_POSTGRES).push(LOCKED).push(", done AS (").push(REPORT);
            sql.push(
                " AND deliveries.event IN (SELECT locked.event FROM locked) RETURNING deliveries.event) ",
            );
            sql.push(&DISABLE).push(" AND EXISTS (SELECT 1 FROM done WHERE done.event = r.event)");
            sql.push(" ON CONFLICT DO NOTHING").hold(list);
            return Ok(sql.execute(db).await?);
        }
        if lines.iter().any(|line| line.gone) {
            let mut first = Sql::new(backend);
            first.push(LINES_SQLITE).push(&DISABLE);
            first.push(" AND d.fence = r.fence AND d.state IN ('pending', 'parked')");
            first.push(" ON CONFLICT DO NOTHING").hold(list.clone());
            first.execute(db).await?;
        }
        sql.push(LINES_SQLITE).push(REPORT).hold(list);
        Ok(sql.execute(db).await?)
    }
}

impl Report {
    /// The first report of each event counts; a second one under the same fence comes too late.
    fn lines(&self) -> Vec<Line> {
        let mut seen = BTreeSet::new();
        let first = |report: &&DeliveryReport| seen.insert((report.event, report.fence));
        self.0.iter().filter(first).map(Line::of).collect()
    }
}
