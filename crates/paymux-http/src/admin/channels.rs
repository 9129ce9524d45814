//! Channels, as operators see them and say where each stands in its life.

use std::sync::Arc;

use axum::extract::{Extension, Request, State};
use http::{StatusCode, Uri};
use paymux_core::catalog::Lifecycle;
use paymux_core::ids::RouteName;
use paymux_core::payment::request::InvalidField;
use paymux_core::payments::desk::Operator;
use paymux_core::payments::lifecycle::{ChannelHere, ChannelStatus, LimitStatus};
use paymux_core::router::Health;
use paymux_core::store::{CapacityLimits, CapacitySpan, CapacityUse, ChannelRecord, DayFigure};
use paymux_core::{ChannelId, Currency, DayZone, PaymentError, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Admin;
use super::verdicts::note;
use crate::envelope;
use crate::json::Shape;
use crate::limits::NOTE_CHARS;
use crate::openapi::{Body, Described, Field, Group, Kind, Object, Operation, Param, Reply, samples, schema};
use crate::page::{self, CURSOR, LIMIT, PageSize};
use crate::posted::Posted;
use crate::problem::Refusal;
use crate::query::{self, Query};
use crate::routes::{Answer, InPath};

/// `GET /admin/api/channels`
pub(super) const LIST: Operation = Operation {
    title: "List channels",
    says: "Every channel that the ledger knows, and what it does.",
    query: &[LIMIT, CURSOR],
    replies: &[Reply::list("A page of them.", ChannelView::object)],
    ..Operation::get("/admin/api/channels", "listChannels", Group::Channels)
};

/// See [`LIST`].
pub(super) async fn list(State(admin): State<Arc<Admin>>, uri: Uri) -> Answer {
    let query = Query::read(&uri, LIST.query)?;
    let size = PageSize::of(&query)?;
    let after: Option<String> = query.value("cursor", page::after)?;
    let mut channels = admin.payments.channels().await?;
    channels.retain(|channel| after.as_deref().is_none_or(|after| channel.record.id.as_str() > after));
    Ok(page::page(&channels, size, ChannelView::of, |last| page::cursor_at(&last.record.id)))
}

/// `POST /admin/api/channels/{id}/state`
pub(super) const SET_STATE: Operation = Operation {
    title: "Say where a channel stands in its life",
    says: "`active`: everything. `draining`: all but new payments. `verify-only`: callbacks, queries, closes and \
           refunds. `off`: nothing. It counts on this node at once.",
    places: &[Param::needed("id", schema::name, "The channel.", "bee-main")],
    body: Body::Json(StateRequest::object),
    replies: &[Reply::json(200, "The channel.", RecordView::object)],
    refusals: &[Refusal::NotFound, Refusal::InFlight, Refusal::ChannelNeeded],
    ..Operation::post("/admin/api/channels/{id}/state", "setChannelState", Group::Channels)
};

/// See [`SET_STATE`].
pub(super) async fn set_state(
    State(admin): State<Arc<Admin>>,
    Extension(by): Extension<Operator>,
    InPath(id): InPath<String>,
    request: Request,
) -> Answer {
    let posted = Posted::read(request, admin.body()).await?;
    let (state, note) = posted.object::<StateRequest>()?.check()?;
    let id = ChannelId::new(id).map_err(|_| PaymentError::NotFound("channel"))?;
    let record = admin.payments.set_channel_state(by, id, state, note).await?;
    Ok(envelope::json(StatusCode::OK, &RecordView::of(&record)))
}

/// Where a channel shall stand in its life from now on.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StateRequest {
    state: String,
    note: String,
}

impl Shape for StateRequest {
    const FREE: &'static [&'static str] = &[];
}

impl StateRequest {
    fn check(&self) -> Result<(Lifecycle, String), InvalidField> {
        let state = query::one_of(Lifecycle::ALL, Lifecycle::word, &self.state);
        Ok((state.map_err(|rule| InvalidField::new("state", rule))?, note(&self.note)?))
    }
}

impl Described for StateRequest {
    fn object() -> Object {
        Object::of::<Self>(
            "StateRequest",
            "Where a channel shall stand in its life from now on.",
            vec![
                Field::new("state", states(), "Where."),
                Field::new("note", schema::line(NOTE_CHARS), "Why, for the audit trail."),
            ],
        )
    }

    fn sample() -> Option<Value> {
        Some(json!({"state": "draining", "note": "The contract ends this month"}))
    }
}

fn states() -> Kind {
    schema::words(Lifecycle::ALL, Lifecycle::word)
}

/// What the ledger knows of a channel. Its account is left out: at some providers a secret goes by that name.
#[derive(Serialize)]
struct RecordView<'a> {
    id: &'a ChannelId,
    object: &'static str,
    provider: &'a str,
    state: &'static str,
    since: Timestamp,
    by: Option<&'a str>,
}

impl<'a> RecordView<'a> {
    fn of(record: &'a ChannelRecord) -> Self {
        Self {
            id: &record.id,
            object: "channel",
            provider: &record.provider,
            state: record.state.word(),
            since: record.since,
            by: record.by.as_deref(),
        }
    }
}

/// A channel and what it does.
#[derive(Serialize)]
struct ChannelView<'a> {
    #[serde(flatten)]
    record: RecordView<'a>,
    configured: bool,
    livemode: Option<bool>,
    health: Option<&'static str>,
    routes: &'a [RouteName],
    today: Vec<TodayView>,
    limits: Vec<LimitView>,
    last_completed_at: Option<Timestamp>,
}

impl<'a> ChannelView<'a> {
    fn of(status: &'a ChannelStatus) -> Self {
        let here = status.here.as_ref();
        Self {
            record: RecordView::of(&status.record),
            configured: here.is_some(),
            livemode: here.map(|here| here.livemode),
            health: here.map(health),
            routes: here.map_or(&[], |here| &here.routes),
            today: status.today.iter().map(TodayView::of).collect(),
            limits: here.map_or_else(Vec::new, |here| here.limits.iter().map(LimitView::of).collect()),
            last_completed_at: status.last_completed_at,
        }
    }
}

fn health(here: &ChannelHere) -> &'static str {
    match here.health {
        Health::Well => "well",
        Health::Out => "out",
        Health::Probed => "probed",
    }
}

/// What a channel has collected today in one currency.
#[derive(Serialize)]
struct TodayView {
    currency: &'static str,
    collected: i64,
    completed: i64,
}

impl TodayView {
    fn of(figure: &DayFigure) -> Self {
        Self { currency: figure.currency.code(), collected: figure.received, completed: figure.completed }
    }
}

/// A limit, and what is used of it; amounts are in minor units of the currency.
#[derive(Serialize)]
#[serde(tag = "over", rename_all = "snake_case")]
enum LimitView {
    /// Of the attempts that were made today, in the day zone.
    Day {
        currency: &'static str,
        amount_max: Option<i64>,
        reserved: i64,
        collected: i64,
        count_max: Option<i64>,
        count: i64,
    },
    /// Of the attempts that are under way.
    InFlight { count_max: Option<i64>, count: i64 },
}

impl LimitView {
    fn of(limit: &LimitStatus) -> Self {
        let LimitStatus { span, most, used } = limit;
        match span {
            CapacitySpan::Day(_, currency) => Self::Day {
                currency: currency.code(),
                amount_max: most.amount,
                reserved: used.reserved,
                collected: used.booked,
                count_max: most.count,
                count: used.count,
            },
            CapacitySpan::Flight => Self::InFlight { count_max: most.count, count: used.count },
        }
    }
}

impl RecordView<'_> {
    fn fields() -> Vec<Field> {
        vec![
            Field::new("id", schema::name(), "Its id."),
            Field::new("object", schema::word("channel"), "What this is."),
            Field::new("provider", schema::text(), "The provider's slug."),
            Field::new("state", states(), "Where it stands in its life."),
            Field::new("since", schema::moment(), "Since when."),
            Field::new("by", schema::text(), "Which operator said so; null where the configuration did.")
                .or_null(),
        ]
    }
}

impl Described for RecordView<'_> {
    fn object() -> Object {
        Object::of::<Self>("ChannelRecord", "What the ledger knows of a channel.", Self::fields())
    }

    fn sample() -> Option<Value> {
        schema::written(&RecordView::of(&record()?))
    }
}

impl Described for ChannelView<'_> {
    fn object() -> Object {
        let mut fields = RecordView::fields();
        fields.extend([
            Field::new(
                "configured",
                schema::flag(),
                "Whether this node's configuration has it; the rest is null if not.",
            ),
            Field::new("livemode", schema::flag(), "Whether real money moves.").or_null(),
            Field::new(
                "health",
                schema::words(&["well", "out", "probed"], |word| word),
                "Whether payments go there, by how its calls have gone from this node.",
            )
            .or_null(),
            Field::new("routes", schema::list(schema::name()), "The routes that list it."),
            Field::new("today", schema::list(Kind::Of(today)), "What it has collected today, by currency."),
            Field::new("limits", schema::list(Kind::OneOf(LIMITS)), "Its limits, and what is used of each."),
            Field::new("last_completed_at", schema::moment(), "When it last made a payment a success.")
                .or_null(),
        ]);
        Object::of::<Self>("Channel", "A channel and what it does.", fields)
    }

    fn sample() -> Option<Value> {
        let status = ChannelStatus {
            record: record()?,
            here: Some(here()?),
            today: vec![figure()?],
            last_completed_at: Some(samples::after(42)),
        };
        schema::written(&ChannelView::of(&status))
    }
}

fn today() -> Object {
    Object::part(
        "ChannelToday",
        "What a channel has collected today in one currency.",
        vec![
            Field::new("currency", schema::currency(), "ISO 4217."),
            Field::new("collected", schema::number(), "How much came in, in minor units."),
            Field::new("completed", schema::count(), "How many payments it made a success."),
        ],
    )
}

/// What a limit is counted over.
const LIMITS: &[fn() -> Object] = &[day_limit, flight_limit];

fn day_limit() -> Object {
    Object::part(
        "DayLimit",
        "A limit of the attempts that were made today, in the day zone.",
        vec![
            Field::new("over", schema::word("day"), "What it is counted over."),
            Field::new("currency", schema::currency(), "ISO 4217."),
            Field::new("amount_max", schema::number(), "The most, in minor units.").or_null(),
            Field::new(
                "reserved",
                schema::number(),
                "What is set aside for attempts that may still take it.",
            ),
            Field::new("collected", schema::number(), "What came in."),
            Field::new("count_max", schema::number(), "The most attempts.").or_null(),
            Field::new("count", schema::number(), "How many there are."),
        ],
    )
}

fn flight_limit() -> Object {
    Object::part(
        "InFlightLimit",
        "A limit of the attempts that are under way.",
        vec![
            Field::new("over", schema::word("in_flight"), "What it is counted over."),
            Field::new("count_max", schema::number(), "The most attempts.").or_null(),
            Field::new("count", schema::number(), "How many there are."),
        ],
    )
}

fn record() -> Option<ChannelRecord> {
    Some(ChannelRecord {
        id: samples::channel()?,
        provider: "beecloud".to_owned(),
        account: String::new(),
        state: Lifecycle::Active,
        since: samples::BEGAN,
        by: None,
        version: 1,
    })
}

fn here() -> Option<ChannelHere> {
    let limit = |span, most, used| LimitStatus { span, most, used };
    let day = CapacitySpan::Day(DayZone::default().day(samples::BEGAN), Currency::CNY);
    let limits = vec![
        limit(
            day,
            CapacityLimits { amount: Some(5_000_000), count: None },
            CapacityUse { reserved: 1999, booked: 123_400, count: 63 },
        ),
        limit(
            CapacitySpan::Flight,
            CapacityLimits { amount: None, count: Some(50) },
            CapacityUse { count: 1, ..CapacityUse::NONE },
        ),
    ];
    Some(ChannelHere {
        livemode: true,
        health: Health::Well,
        routes: vec![RouteName::new("default").ok()?],
        limits,
    })
}

fn figure() -> Option<DayFigure> {
    Some(DayFigure {
        channel: samples::channel()?,
        currency: Currency::CNY,
        received: 123_400,
        completed: 62,
        last_completed_at: Some(samples::after(42)),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openapi::proof;

    #[test]
    fn what_is_told_of_the_request_holds() {
        proof::request(|request: StateRequest| request.check().map(drop));
    }
}
