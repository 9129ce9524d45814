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
use paymux_core::store::{CapacitySpan, ChannelRecord, DayFigure};
use paymux_core::{ChannelId, PaymentError, Timestamp};
use serde::{Deserialize, Serialize};

use super::Admin;
use super::verdicts::note;
use crate::envelope;
use crate::json::Shape;
use crate::page::{self, PageSize};
use crate::posted::Posted;
use crate::query::{self, Query};
use crate::routes::{Answer, InPath};

/// `GET /admin/api/channels`
pub(super) async fn list(State(admin): State<Arc<Admin>>, uri: Uri) -> Answer {
    let query = Query::read(&uri, &["limit", "cursor"])?;
    let size = PageSize::of(&query)?;
    let after: Option<String> = query.value("cursor", page::after)?;
    let mut channels = admin.payments.channels().await?;
    channels.retain(|channel| after.as_deref().is_none_or(|after| channel.record.id.as_str() > after));
    Ok(page::page(&channels, size, ChannelView::of, |last| page::cursor_at(&last.record.id)))
}

/// `POST /admin/api/channels/{id}/state`
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
    fn check(self) -> Result<(Lifecycle, String), InvalidField> {
        let state = query::one_of(Lifecycle::ALL, Lifecycle::word, &self.state);
        Ok((state.map_err(|rule| InvalidField::new("state", rule))?, note(&self.note)?))
    }
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
