//! Where channels stand in their lives: in the ledger, which binds each to its account for ever; the configuration
//! tells only what a new one begins with.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Duration;

use serde_json::json;

use super::desk::Operator;
use super::{Obstacle, Payments};
use crate::catalog::{Catalog, ChannelEntry, Lifecycle};
use crate::clock::Timestamp;
use crate::day::Day;
use crate::error::PaymentError;
use crate::ids::{ChannelId, RouteName};
use crate::router::Health;
use crate::store::{
    AuditRow, BOUND_AT_ONCE, CapacityLimits, CapacitySpan, CapacityUse, ChannelBook, ChannelRecord,
    DayFigure, StoreError,
};

/// How often a channel is read again when somebody was faster.
const TRIES: u32 = 8;

/// How long a channel must have taken no new payments before it can be turned off: longer than any node takes to hear
/// of its state (`routing.snapshot_ms` is a minute at the most), so that whatever was routed to it is stored.
const QUIET: Duration = Duration::from_mins(2);

/// A state in the configuration that counts no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overruled {
    /// What the configuration says.
    pub configured: Lifecycle,
    /// What the ledger says.
    pub record: ChannelRecord,
}

impl fmt::Display for Overruled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ChannelRecord { id, state, since, by, .. } = &self.record;
        let by = by.as_deref().unwrap_or("the configuration that it came with");
        write!(
            f,
            "channel `{id}` stays {state}, as it is since {since} by {by}: `state` of the configuration ({}) is only \
             what a new channel begins with; an operator changes it (POST /admin/api/channels/{id}/state)",
            self.configured
        )
    }
}

/// A channel and what it does, for a person.
#[derive(Debug, Clone)]
pub struct ChannelStatus {
    /// What the ledger knows of it.
    pub record: ChannelRecord,
    /// What this node has of it; `None` where its configuration lacks the channel.
    pub here: Option<ChannelHere>,
    /// What it has collected today, one for each currency.
    pub today: Vec<DayFigure>,
    /// When it last made a payment a success, on whichever day.
    pub last_completed_at: Option<Timestamp>,
}

/// What a node has of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelHere {
    /// Whether real money moves.
    pub livemode: bool,
    /// Whether new payments go there, by how its calls have gone from here.
    pub health: Health,
    /// The routes that list it, in the order of the configuration.
    pub routes: Vec<RouteName>,
    /// Its limits and what is used of each.
    pub limits: Vec<LimitStatus>,
}

/// A limit of a channel, and what is used of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LimitStatus {
    /// What it is counted over.
    pub span: CapacitySpan,
    /// The most that may be used.
    pub most: CapacityLimits,
    /// What is used, on every node.
    pub used: CapacityUse,
}

impl Payments {
    /// Has the ledger know every channel of the configuration, and reads in which state each is. Call it before the
    /// first payment. Gives the states of the configuration that do not count, or every channel whose id or account
    /// is bound otherwise: nothing should be served then.
    pub async fn bind_channels(&self) -> Result<Result<Vec<Overruled>, Vec<Obstacle>>, PaymentError> {
        self.bind(&self.catalog()).await
    }

    /// The same for the channels of that catalog.
    pub(super) async fn bind(
        &self,
        catalog: &Catalog,
    ) -> Result<Result<Vec<Overruled>, Vec<Obstacle>>, PaymentError> {
        for _ in 0..TRIES {
            let records = self.store().channel_records().await?;
            let obstacles = bound_otherwise(&records, catalog);
            if !obstacles.is_empty() {
                return Ok(Err(obstacles));
            }
            let is_new = |entry: &&ChannelEntry| record_of(&records, &entry.id).is_none();
            let new: Vec<ChannelRecord> =
                catalog.channels().iter().filter(is_new).map(|entry| self.new_record(entry)).collect();
            if new.is_empty() {
                self.catalog().live().read_channels(&records);
                return Ok(Ok(overruled(records, catalog)));
            }
            for some in new.chunks(BOUND_AT_ONCE) {
                if !self.store().bind_channels(some.to_vec()).await? {
                    break;
                }
            }
        }
        Err(PaymentError::InFlight)
    }

    fn new_record(&self, entry: &ChannelEntry) -> ChannelRecord {
        let descriptor = entry.channel.descriptor();
        ChannelRecord {
            id: entry.id.clone(),
            provider: descriptor.provider.to_owned(),
            account: descriptor.account_key.clone(),
            state: entry.state,
            since: self.now(),
            by: None,
            version: 1,
        }
    }

    /// Reads from the ledger in which states channels are. What this node changed is known without it: call it every
    /// now and then for what other nodes change.
    pub async fn read_channels(&self) -> Result<(), PaymentError> {
        Ok(read_channels(&self.catalog(), self.store()).await?)
    }

    /// An operator gives a channel another state, which counts on this node at once and on others as soon as they
    /// have read it. The state that it has already changes nothing. Any state may follow any other, but for `off`: it
    /// needs that the channel takes no new payments for two minutes, that nothing of it is unended, and that its
    /// provider sends no more callbacks.
    pub async fn set_channel_state(
        &self,
        by: Operator,
        id: ChannelId,
        state: Lifecycle,
        note: String,
    ) -> Result<ChannelRecord, PaymentError> {
        let this = self.clone();
        self.run(async move { this.set_state_now(&by, &id, state, &note).await }).await
    }

    async fn set_state_now(
        &self,
        by: &Operator,
        id: &ChannelId,
        state: Lifecycle,
        note: &str,
    ) -> Result<ChannelRecord, PaymentError> {
        for _ in 0..TRIES {
            let records = self.store().channel_records().await?;
            let Some(record) = record_of(&records, id) else { return Err(PaymentError::NotFound("channel")) };
            if record.state == state {
                return Ok(record.clone());
            }
            if state == Lifecycle::Off
                && let Some(why) = self.why_it_is_needed(record).await?
            {
                return Err(PaymentError::ChannelNeeded { channel: id.clone(), why });
            }
            let audit = AuditRow {
                before: json!({ "state": record.state.word() }),
                after: json!({ "state": state.word() }),
                ..self.audit_line(by, "channel.state", id.to_string(), note.to_owned())
            };
            let after = ChannelRecord {
                state,
                since: audit.at,
                by: Some(audit.operator.clone()),
                version: record.version + 1,
                ..record.clone()
            };
            if self.store().move_channel(id, record.version, state, audit).await? {
                self.catalog().live().read_channels(std::slice::from_ref(&after));
                return Ok(after);
            }
        }
        Err(PaymentError::InFlight)
    }

    /// Why a channel cannot be off just now.
    async fn why_it_is_needed(&self, record: &ChannelRecord) -> Result<Option<String>, PaymentError> {
        if record.state == Lifecycle::Active {
            return Ok(Some("it is active; let it be `draining` first".to_owned()));
        }
        let quiet_from = record.since.plus(QUIET);
        if quiet_from > self.now() {
            let why =
                format!("other nodes may not know yet that it is {}; wait until {quiet_from}", record.state);
            return Ok(Some(why));
        }
        let catalog = self.catalog();
        match catalog.channel(&record.id) {
            Some(entry) => {
                Ok(self.in_use(entry).await?.map(|still| format!("{still}; leave it `verify-only`")))
            }
            None => Ok(Some(
                "the configuration of this node lacks it, so that it cannot tell how long callbacks may come"
                    .to_owned(),
            )),
        }
    }

    /// Every channel that the ledger knows, by id, byte by byte.
    pub async fn channels(&self) -> Result<Vec<ChannelStatus>, PaymentError> {
        let (catalog, store) = (self.catalog(), self.store());
        let records = store.channel_records().await?;
        let mut today: BTreeMap<ChannelId, Vec<DayFigure>> = BTreeMap::new();
        let day = catalog.day_zone.day(self.now());
        for figure in store.day_figures(day).await? {
            today.entry(figure.channel.clone()).or_default().push(figure);
        }
        let used = self.capacity_used(&catalog, day).await?;
        let last: BTreeMap<ChannelId, Timestamp> = store.last_completed().await?.into_iter().collect();
        let status = |record: ChannelRecord| ChannelStatus {
            here: catalog.channel(&record.id).map(|entry| here(&catalog, entry, day, &used)),
            today: today.remove(&record.id).unwrap_or_default(),
            last_completed_at: last.get(&record.id).copied(),
            record,
        };
        Ok(records.into_iter().map(status).collect())
    }

    /// What is used of that day's limits and under way; asks the ledger nothing where no channel has a limit.
    async fn capacity_used(&self, catalog: &Catalog, day: Day) -> Result<Used, PaymentError> {
        if !catalog.channels().iter().any(|entry| entry.rules.has_limits()) {
            return Ok(Used::new());
        }
        let figures = self.store().capacity_figures(day).await?;
        Ok(figures.into_iter().map(|figure| ((figure.channel, figure.span), figure.used)).collect())
    }
}

/// What is used of channels' limits.
type Used = HashMap<(ChannelId, CapacitySpan), CapacityUse>;

/// Reads in which states the channels of that catalog are.
pub async fn read_channels(catalog: &Catalog, book: &dyn ChannelBook) -> Result<(), StoreError> {
    let records = book.channel_records().await?;
    catalog.live().read_channels(&records);
    Ok(())
}

fn here(catalog: &Catalog, entry: &ChannelEntry, day: Day, used: &Used) -> ChannelHere {
    let lists = |place: &usize| catalog.channels().get(*place).is_some_and(|listed| listed.id == entry.id);
    let routes = catalog.routes().iter().filter(|route| route.channels.iter().any(lists));
    ChannelHere {
        livemode: entry.channel.descriptor().livemode,
        health: catalog.live().health(&entry.id),
        routes: routes.map(|route| route.name.clone()).collect(),
        limits: limits(entry, day, used),
    }
}

fn limits(entry: &ChannelEntry, day: Day, used: &Used) -> Vec<LimitStatus> {
    let rules = &entry.rules;
    let of_day = (CapacitySpan::Day(day, rules.currency), rules.day_limits());
    let in_flight = (CapacitySpan::Flight, rules.flight_limits());
    let limits =
        [of_day, in_flight].into_iter().filter(|(_, most)| most.amount.is_some() || most.count.is_some());
    let status = |(span, most)| LimitStatus {
        span,
        most,
        used: used.get(&(entry.id.clone(), span)).copied().unwrap_or_default(),
    };
    limits.map(status).collect()
}

/// Of records by id, the one of that id.
fn record_of<'a>(records: &'a [ChannelRecord], id: &ChannelId) -> Option<&'a ChannelRecord> {
    records.binary_search_by(|record| record.id.as_str().cmp(id.as_str())).ok().map(|place| &records[place])
}

/// The channels whose id is bound to another account, or whose account to another id.
fn bound_otherwise(records: &[ChannelRecord], catalog: &Catalog) -> Vec<Obstacle> {
    let mut owners: BTreeMap<(&str, &str), &ChannelId> = records
        .iter()
        .map(|record| ((record.provider.as_str(), record.account.as_str()), &record.id))
        .collect();
    let mut obstacles = Vec::new();
    for entry in catalog.channels() {
        let descriptor = entry.channel.descriptor();
        let account = (descriptor.provider, descriptor.account_key.as_str());
        let bound = record_of(records, &entry.id);
        let owner = *owners.entry(account).or_insert(&entry.id);
        let why =
            if bound.is_some_and(|record| (record.provider.as_str(), record.account.as_str()) != account) {
                BOUND.to_owned()
            } else if *owner != entry.id {
                format!("its account is that of channel `{owner}` for ever; call it by that id")
            } else {
                continue;
            };
        obstacles.push(Obstacle { channel: entry.id.clone(), why });
    }
    obstacles
}

/// Why a channel is refused whose id has another account.
pub(super) const BOUND: &str =
    "its id is bound to its account for ever; give the other account an id of its own";

/// The states of the configuration that do not count.
fn overruled(records: Vec<ChannelRecord>, catalog: &Catalog) -> Vec<Overruled> {
    let differs = |record: ChannelRecord| {
        let configured = catalog.channel(&record.id)?.state;
        (configured != record.state).then_some(Overruled { configured, record })
    };
    records.into_iter().filter_map(differs).collect()
}
