//! Rows as a tool sees them, read with plain SQL so that no code of the store vouches for itself.

use std::fmt::Debug;
use std::str::FromStr;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use paymux_core::clock::Timestamp;
use paymux_core::day::Day;
use paymux_core::ids::{AppId, AttemptId, ChannelId};
use paymux_core::money::{Currency, Money};
use paymux_core::posting::{Cause, Posting, PostingKind};
use paymux_core::store::{
    CallbackRow, CallbackVerdict, CapacityFigure, CapacitySpan, CapacityUse, DayFigure, Event, EventKind,
    KeptDecision, Subject,
};
use paymux_core::wire::{Headers, Verb, WireRequest};
use paymux_testkit::memory_store::{Delivery, DeliveryState};
use paymux_testkit::store_contract::{Ids, Look};
use sqlx::{ColumnIndex, Database, Decode, Row, Type};

pub(crate) enum RowLook {
    Sqlite(sqlx::SqlitePool),
    Postgres(sqlx::PgPool),
}

const CALLBACKS: &str = "SELECT id, channel, received_at, verb, path, query, headers, body, size, verdict, \
    event_key, payment, detail, times FROM callbacks ORDER BY received_at, id";
const EVENTS: &str =
    "SELECT id, app, payment, transfer, kind, sequence, created_at, body, url FROM events ORDER BY id";
const DELIVERIES: &str = "SELECT d.event, d.app, d.state, d.next_at, d.tries, d.fence, d.delivered_at, d.detail, \
    d.created_at - e.created_at FROM deliveries d JOIN events e ON e.id = d.event ORDER BY d.event";
const POSTINGS: &str = "SELECT id, at, kind, debit, credit, amount, currency, payment, attempt, refund, transfer \
    FROM postings ORDER BY id";
const DAYS: &str = "SELECT day, channel, currency, CAST(sum(received) AS bigint), CAST(sum(completed) AS bigint), \
    max(last_completed_at) FROM channel_day GROUP BY day, channel, currency ORDER BY day, channel, currency";
const CAPACITY: &str = "SELECT day, channel, currency, reserved, booked, counted FROM channel_capacity \
    WHERE reserved <> 0 OR booked <> 0 OR counted <> 0 \
    ORDER BY CASE WHEN currency = '' THEN 0 ELSE 1 END, day, channel, currency";
const ENDPOINTS: &str = "SELECT app, url FROM endpoints ORDER BY app, url";

macro_rules! rows {
    ($look:expr, $sql:expr, $read:expr) => {
        match $look {
            RowLook::Sqlite(pool) => {
                sqlx::query($sql).fetch_all(pool).await.unwrap().iter().map($read).collect()
            }
            RowLook::Postgres(pool) => {
                sqlx::query($sql).fetch_all(pool).await.unwrap().iter().map($read).collect()
            }
        }
    };
}

#[async_trait]
impl Look for RowLook {
    async fn callbacks(&self) -> Vec<CallbackRow> {
        rows!(self, CALLBACKS, callback)
    }

    async fn events(&self) -> Vec<Event> {
        rows!(self, EVENTS, event)
    }

    async fn deliveries(&self) -> Vec<Delivery> {
        rows!(self, DELIVERIES, delivery)
    }

    async fn decision(&self, attempt: AttemptId) -> Option<KeptDecision> {
        let sql = format!("SELECT decision, version FROM decisions WHERE attempt = '{attempt}'");
        let found: Vec<(String, Option<String>)> =
            rows!(self, sqlx::AssertSqlSafe(sql.clone()), |row| (row.get(0), row.get(1)));
        let (text, version) = found.into_iter().next()?;
        Some(match version {
            Some(version) => {
                let record = STANDARD_NO_PAD.decode(text).unwrap();
                KeptDecision::Compact { version: version.parse().unwrap(), record }
            }
            None => KeptDecision::Told(serde_json::from_str(&text).unwrap()),
        })
    }

    async fn postings(&self) -> Vec<Posting> {
        rows!(self, POSTINGS, posting)
    }

    async fn days(&self) -> Vec<(Day, DayFigure)> {
        rows!(self, DAYS, day_figure)
    }

    async fn capacity(&self) -> Vec<CapacityFigure> {
        rows!(self, CAPACITY, capacity_figure)
    }

    async fn gone(&self) -> Vec<(AppId, String)> {
        let rows: Vec<(String, String)> = rows!(self, ENDPOINTS, |row| (row.get(0), row.get(1)));
        rows.into_iter().map(|(app, url)| (AppId::new(app).unwrap(), url)).collect()
    }

    async fn ids(&self) -> Ids {
        Ids {
            payments: self.ids_of("payments").await,
            refunds: self.ids_of("refunds").await,
            transfers: self.ids_of("transfers").await,
        }
    }
}

impl RowLook {
    async fn ids_of<T: FromStr<Err: Debug>>(&self, table: &str) -> Vec<T> {
        let sql = format!("SELECT id FROM {table} ORDER BY id");
        let ids: Vec<String> = rows!(self, sqlx::AssertSqlSafe(sql.clone()), |row| row.get(0));
        ids.iter().map(|id| id.parse().unwrap()).collect()
    }
}

fn day_figure<R: Cells>(row: &R) -> (Day, DayFigure)
where
    usize: ColumnIndex<R>,
    for<'r> String: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> Option<i64>: Decode<'r, R::Database> + Type<R::Database>,
{
    let figure = DayFigure {
        channel: ChannelId::new(row.get::<String, _>(1)).unwrap(),
        currency: Currency::from_code(&row.get::<String, _>(2)).unwrap(),
        received: row.get(3),
        completed: row.get(4),
        last_completed_at: row.get::<Option<i64>, _>(5).map(Timestamp::from_ms),
    };
    (Day::from_number(i32::try_from(row.get::<i64, _>(0)).unwrap()), figure)
}

fn capacity_figure<R: Cells>(row: &R) -> CapacityFigure
where
    usize: ColumnIndex<R>,
    for<'r> String: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
{
    let code = row.get::<String, _>(2);
    let span = if code.is_empty() {
        CapacitySpan::Flight
    } else {
        let day = Day::from_number(i32::try_from(row.get::<i64, _>(0)).unwrap());
        CapacitySpan::Day(day, Currency::from_code(&code).unwrap())
    };
    let used = CapacityUse { reserved: row.get(3), booked: row.get(4), count: row.get(5) };
    CapacityFigure { channel: ChannelId::new(row.get::<String, _>(1)).unwrap(), span, used }
}

fn word<T>(read: fn(&str) -> Option<T>, word: &str) -> T {
    read(word).unwrap_or_else(|| panic!("`{word}` is no word of the core"))
}

/// What a row of either database can be asked for.
trait Cells: Row<Database: Database> {}
impl Cells for sqlx::sqlite::SqliteRow {}
impl Cells for sqlx::postgres::PgRow {}

fn callback<R: Cells>(row: &R) -> CallbackRow
where
    usize: ColumnIndex<R>,
    for<'r> String: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> Option<String>: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> Vec<u8>: Decode<'r, R::Database> + Type<R::Database>,
{
    let text = |place: usize| row.get::<String, _>(place);
    let maybe = |place: usize| row.get::<Option<String>, _>(place);
    let mut headers = Headers::new();
    for (name, value) in serde_json::from_str::<Vec<(String, String)>>(&text(6)).unwrap() {
        headers.push(name, value);
    }
    let body = row.get::<Vec<u8>, _>(7);
    assert_eq!(row.get::<i64, _>(8), i64::try_from(body.len()).unwrap());
    let verb = word(Verb::from_word, &text(3));
    CallbackRow {
        id: text(0).parse().unwrap(),
        channel: ChannelId::new(text(1)).unwrap(),
        received_at: Timestamp::from_ms(row.get(2)),
        request: WireRequest {
            verb,
            path: text(4),
            query: maybe(5),
            headers,
            body: body.into(),
            sender: None,
        },
        verdict: word(CallbackVerdict::from_word, &text(9)),
        event_key: maybe(10),
        payment: maybe(11).map(|id| id.parse().unwrap()),
        detail: maybe(12),
        times: row.get::<i64, _>(13).try_into().unwrap(),
    }
}

fn event<R: Cells>(row: &R) -> Event
where
    usize: ColumnIndex<R>,
    for<'r> String: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> Option<String>: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
{
    let text = |place: usize| row.get::<String, _>(place);
    let maybe = |place: usize| row.get::<Option<String>, _>(place);
    let subject = match (maybe(2), maybe(3)) {
        (Some(id), None) => Subject::Payment(id.parse().unwrap()),
        (None, Some(id)) => Subject::Transfer(id.parse().unwrap()),
        other => panic!("{other:?} is no subject"),
    };
    Event {
        id: text(0).parse().unwrap(),
        app: AppId::new(text(1)).unwrap(),
        subject,
        kind: word(EventKind::from_word, &text(4)),
        sequence: row.get(5),
        created_at: Timestamp::from_ms(row.get(6)),
        body: text(7),
        url: row.get(8),
    }
}

fn posting<R: Cells>(row: &R) -> Posting
where
    usize: ColumnIndex<R>,
    for<'r> String: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> Option<String>: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
{
    let text = |place: usize| row.get::<String, _>(place);
    let maybe = |place: usize| row.get::<Option<String>, _>(place);
    let cause = match (maybe(7), maybe(8), maybe(9), maybe(10)) {
        (Some(payment), Some(attempt), None, None) => {
            Cause::Attempt(payment.parse().unwrap(), attempt.parse().unwrap())
        }
        (Some(payment), Some(attempt), Some(refund), None) => {
            Cause::Refund(payment.parse().unwrap(), attempt.parse().unwrap(), refund.parse().unwrap())
        }
        (None, None, None, Some(transfer)) => Cause::Transfer(transfer.parse().unwrap()),
        other => panic!("{other:?} is no cause"),
    };
    Posting {
        id: text(0).parse().unwrap(),
        at: Timestamp::from_ms(row.get(1)),
        kind: word(PostingKind::from_word, &text(2)),
        debit: text(3).parse().unwrap(),
        credit: text(4).parse().unwrap(),
        amount: Money::new(row.get(5), Currency::from_code(&text(6)).unwrap()),
        cause,
    }
}

fn delivery<R: Cells>(row: &R) -> Delivery
where
    usize: ColumnIndex<R>,
    for<'r> String: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> Option<String>: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> i64: Decode<'r, R::Database> + Type<R::Database>,
    for<'r> Option<i64>: Decode<'r, R::Database> + Type<R::Database>,
{
    let delivered_at = row.get::<Option<i64>, _>(6).map(Timestamp::from_ms);
    let state = match (row.get::<String, _>(2).as_str(), delivered_at) {
        ("pending" | "parked", None) => DeliveryState::Pending,
        ("dead", None) => DeliveryState::Dead,
        ("delivered", Some(at)) => DeliveryState::Delivered(at),
        other => panic!("{other:?} is no state of a delivery"),
    };
    assert_eq!(row.get::<i64, _>(8), 0, "a delivery begins with its event");
    Delivery {
        event: row.get::<String, _>(0).parse().unwrap(),
        app: AppId::new(row.get::<String, _>(1)).unwrap(),
        state,
        next_at: Timestamp::from_ms(row.get(3)),
        tries: u32::try_from(row.get::<i64, _>(4)).unwrap(),
        fence: row.get(5),
        detail: row.get(7),
    }
}
