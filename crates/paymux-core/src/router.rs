//! Which channel takes a payment, and why: a pure function of the catalog, the payment and a seed.
//!
//! Three steps: the first route whose `when` holds; its channels through the filters; the route's
//! strategy over those that are left. Fails closed: no rule is relaxed to find a channel.

mod filter;
mod strategy;

use std::time::Duration;

use serde::Serialize;

use crate::catalog::{Catalog, ChannelEntry, Route};
use crate::ids::{AppId, ChannelId, RouteName};
use crate::method::Method;
use crate::money::Money;
use crate::payment::request::{InvalidField, NewPayment, Payer};

pub use filter::Removal;

/// What the router looks at of a payment.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// Whose it is.
    pub app: &'a AppId,
    /// How much.
    pub amount: Money,
    /// What the payer uses.
    pub method: Method,
    /// How long it may live.
    pub expires_in: Duration,
    /// What is known of the payer.
    pub payer: &'a Payer,
    /// The one channel that may take it.
    pub pin: Option<&'a ChannelId>,
}

impl<'a> Ask<'a> {
    /// What the router looks at of that request.
    pub fn of(app: &'a AppId, request: &'a NewPayment) -> Self {
        Self {
            app,
            amount: request.amount,
            method: request.method,
            expires_in: request.expires_in,
            payer: &request.payer,
            pin: request.channel.as_ref(),
        }
    }
}

/// One choice.
#[derive(Debug, Clone)]
pub struct Picked<'a> {
    /// The route that matched.
    pub route: &'a Route,
    /// The channel that takes it.
    pub channel: &'a ChannelEntry,
    /// How it came about.
    pub decision: Decision,
}

/// The record of one choice: kept with the attempt, shown by `explain`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// The route that matched.
    pub route: RouteName,
    /// Its strategy.
    pub strategy: &'static str,
    /// What the strategy drew from: the same seed makes the same choice. A text, since it may
    /// exceed what JSON readers keep exact.
    pub seed: String,
    /// The channel that takes it.
    pub picked: Option<ChannelId>,
    /// Every channel of the route.
    pub candidates: Vec<Candidate>,
}

/// One channel of the route, as the choice saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// Which.
    pub channel: ChannelId,
    /// Whether it was left after the filters.
    pub eligible: bool,
    /// The rule that removed it.
    pub removed_by: Option<Removal>,
    /// Its weight.
    pub weight: u32,
}

/// No channel may take the payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoChannel {
    /// The route that matched, if one did.
    pub route: Option<RouteName>,
    /// Every channel of it, with the rule that removed it.
    pub removed: Vec<(ChannelId, Removal)>,
}

impl NoChannel {
    /// Whether one of them was out only for now, so that a later try may succeed.
    pub fn is_temporary(&self) -> bool {
        self.removed.iter().any(|(_, removal)| removal.temporary)
    }
}

/// Picks channels by a catalog.
#[derive(Debug, Clone, Copy)]
pub struct Router<'a> {
    catalog: &'a Catalog,
}

impl<'a> Router<'a> {
    /// A router by that catalog.
    pub fn new(catalog: &'a Catalog) -> Self {
        Self { catalog }
    }

    /// The first route that takes such a payment; for a pinned one, the first of those that lists
    /// the channel, if one does.
    pub fn route(&self, ask: &Ask<'_>) -> Option<&'a Route> {
        let holds = |route: &&Route| route.when.holds(ask.app, ask.method, ask.amount);
        let lists_pin = |route: &&Route| {
            let ids =
                route.channels.iter().filter_map(|&i| self.catalog.channels.get(i)).map(|entry| &entry.id);
            ask.pin.is_some_and(|pin| ids.into_iter().any(|id| id == pin))
        };
        let mut matching = self.catalog.routes.iter().filter(holds);
        let first = matching.clone().next();
        matching.find(lists_pin).or(first)
    }

    /// The channel that takes it, leaving out those that were tried before.
    pub fn pick(&self, ask: &Ask<'_>, tried: &[ChannelId], seed: u64) -> Result<Picked<'a>, NoChannel> {
        let Some(route) = self.route(ask) else {
            let pin = ask.pin.map(|pin| (pin.clone(), filter::pin_without_route()));
            return Err(NoChannel { route: None, removed: pin.into_iter().collect() });
        };
        let entries: Vec<&ChannelEntry> =
            route.channels.iter().filter_map(|&i| self.catalog.channels.get(i)).collect();
        let removals: Vec<Option<Removal>> =
            entries.iter().map(|entry| filter::removal(entry, ask, tried)).collect();
        let left: Vec<&ChannelEntry> = entries
            .iter()
            .zip(&removals)
            .filter(|(_, removal)| removal.is_none())
            .map(|(entry, _)| *entry)
            .collect();
        let Some(channel) = strategy::pick(route.strategy, &left, seed) else {
            return Err(no_channel(route, ask, &entries, removals));
        };
        let decision = record(route, seed, channel, &entries, removals);
        Ok(Picked { route, channel, decision })
    }

    /// Refuses provider fields that no channel of the matching route takes.
    pub fn check_extra(&self, ask: &Ask<'_>, request: &NewPayment) -> Result<(), InvalidField> {
        let Some(route) = self.route(ask) else { return Ok(()) };
        let channels = || route.channels.iter().filter_map(|&i| self.catalog.channels.get(i));
        for name in request.extra.keys() {
            if !channels().any(|entry| entry.channel.descriptor().takes_extra(name)) {
                return Err(InvalidField::new(format!("extra.{name}"), unknown_extra(channels())));
            }
        }
        Ok(())
    }
}

fn unknown_extra<'a>(channels: impl Iterator<Item = &'a ChannelEntry>) -> String {
    let mut known: Vec<&str> =
        channels.flat_map(|entry| entry.channel.descriptor().extra.iter().map(|field| field.name)).collect();
    known.sort_unstable();
    known.dedup();
    if known.is_empty() {
        return "the channels of this route take no extra fields".to_owned();
    }
    format!("unknown field; the channels of this route take: {}", known.join(", "))
}

/// A pin that stands in no channel list of the route is a reason of its own.
fn no_channel(
    route: &Route,
    ask: &Ask<'_>,
    entries: &[&ChannelEntry],
    removals: Vec<Option<Removal>>,
) -> NoChannel {
    let mut removed: Vec<_> = entries
        .iter()
        .zip(removals)
        .filter_map(|(entry, removal)| Some((entry.id.clone(), removal?)))
        .collect();
    if let Some(pin) = ask.pin
        && !entries.iter().any(|entry| entry.id == *pin)
    {
        removed.push((pin.clone(), filter::pin_outside(route)));
    }
    NoChannel { route: Some(route.name.clone()), removed }
}

fn record(
    route: &Route,
    seed: u64,
    picked: &ChannelEntry,
    entries: &[&ChannelEntry],
    removals: Vec<Option<Removal>>,
) -> Decision {
    let candidates = entries.iter().zip(removals).map(|(entry, removed_by)| Candidate {
        channel: entry.id.clone(),
        eligible: removed_by.is_none(),
        removed_by,
        weight: entry.weight,
    });
    Decision {
        route: route.name.clone(),
        strategy: route.strategy.word(),
        seed: format!("{seed:016x}"),
        picked: Some(picked.id.clone()),
        candidates: candidates.collect(),
    }
}
