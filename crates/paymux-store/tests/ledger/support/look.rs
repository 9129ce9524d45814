//! Rows as a tool sees them, read with plain SQL so that no code of the store vouches for itself.

use async_trait::async_trait;
use paymux_core::clock::Timestamp;
use paymux_core::ids::{AppId, AttemptId, ChannelId};
use paymux_core::store::{CallbackRow, CallbackVerdict, Event, EventKind};
use paymux_core::wire::{Headers, Verb, WireRequest};
use paymux_testkit::memory_store::{Delivery, DeliveryState};
use paymux_testkit::store_contract::Look;
use sqlx::{ColumnIndex, Database, Decode, Row, Type};

pub(crate) enum RowLook {
    Sqlite(sqlx::SqlitePool),
    Postgres(sqlx::PgPool),
}

const CALLBACKS: &str = "SELECT id, channel, received_at, verb, path, query, headers, body, size, verdict, \
    event_key, payment, detail FROM callbacks ORDER BY received_at, id";
const EVENTS: &str = "SELECT id, app, payment, kind, sequence, created_at, body, url FROM events ORDER BY id";
const DELIVERIES: &str =
    "SELECT event, app, state, next_at, tries, fence, delivered_at, detail FROM deliveries ORDER BY event";

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

    async fn decision(&self, attempt: AttemptId) -> Option<serde_json::Value> {
        let sql = format!("SELECT decision FROM decisions WHERE attempt = '{attempt}'");
        let found: Vec<String> = rows!(self, sqlx::AssertSqlSafe(sql.clone()), |row| row.get(0));
        found.first().map(|text| serde_json::from_str(text).unwrap())
    }
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
        request: WireRequest { verb, path: text(4), query: maybe(5), headers, body: body.into() },
        verdict: word(CallbackVerdict::from_word, &text(9)),
        event_key: maybe(10),
        payment: maybe(11).map(|id| id.parse().unwrap()),
        detail: maybe(12),
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
    Event {
        id: text(0).parse().unwrap(),
        app: AppId::new(text(1)).unwrap(),
        payment: text(2).parse().unwrap(),
        kind: word(EventKind::from_word, &text(3)),
        sequence: row.get(4),
        created_at: Timestamp::from_ms(row.get(5)),
        body: text(6),
        url: row.get(7),
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
        ("pending", None) => DeliveryState::Pending,
        ("dead", None) => DeliveryState::Dead,
        ("delivered", Some(at)) => DeliveryState::Delivered(at),
        other => panic!("{other:?} is no state of a delivery"),
    };
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
