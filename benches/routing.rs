//! What is routed: channels of every kind and routes over them, and a plain version of the choice.
//!
//! What is timed or counted with them lives in `route.rs` and `instructions.rs`.

use std::sync::Arc;

use paymux_core::catalog::{Catalog, ChannelEntry, FailoverUnknown, Lifecycle, Route, Strategy, When};
use paymux_core::ids::{AppId, ChannelId, RouteName};
use paymux_core::router::Ask;
use paymux_core::wire::{Endpoint, PlainHttp};
use paymux_core::{App, Region, Secret};
use paymux_testkit::ScriptedChannel;

type Failure = Box<dyn std::error::Error>;

/// Channels of which a quarter each is drained, closed at this hour, too small, or in another region, so that every
/// filter has something to remove; at least one in four is left.
pub(crate) fn channels(count: usize) -> Result<Vec<ChannelEntry>, Failure> {
    let entry = |i: usize| {
        let id = format!("channel-{i}");
        let mut entry = ChannelEntry::new(ChannelId::new(&id)?, Arc::new(ScriptedChannel::new(&id)));
        entry.weight = 1 + u32::try_from(i % 10)?;
        entry.rules.amount_min = Some(1 + i64::try_from(i % 7)?);
        entry.rules.amount_max = Some(1_000_000 + i64::try_from(i % 400)?);
        match i % 12 {
            3 => entry.state = Lifecycle::Draining,
            5 => entry.rules.hours = Some(vec!["18:00-06:00".parse()?]),
            7 => entry.rules.amount_max = Some(1000 + i64::try_from(i % 400)?),
            9 => entry.rules.regions = Region::from_code("CN-44").map(|region| vec![region]),
            11 => entry.rules.hours = Some(vec!["06:00-23:30".parse()?]),
            _ => {}
        }
        Ok::<_, Failure>(entry)
    };
    (0..count).map(entry).collect()
}

/// `routes` routes, each for other amounts and the last for all; each over the same channels.
pub(crate) fn catalog(
    routes: usize,
    channels: Vec<ChannelEntry>,
    strategy: Strategy,
) -> Result<Catalog, Failure> {
    let route = |i: usize| {
        let from = 10_000_000 + 1000 * i64::try_from(i)?;
        let narrow = When {
            apps: Some(vec![AppId::new("shop")?]),
            methods: Some(vec!["wechat.*".parse()?]),
            amount_min: Some(from),
            amount_max: Some(from + 999),
            ..When::default()
        };
        Ok::<_, Failure>(Route {
            name: RouteName::new(format!("route-{i}"))?,
            when: if i + 1 == routes { When::default() } else { narrow },
            strategy,
            channels: (0..channels.len()).collect(),
            failover: 1,
            failover_unknown: FailoverUnknown::Abandon,
        })
    };
    let routes = (0..routes).map(route).collect::<Result<Vec<_>, _>>()?;
    let app = App::new(AppId::new("shop")?, &[Secret::new("key")]);
    let public = Endpoint::parse("https://pay.example", PlainHttp::LoopbackOnly)?;
    Ok(Catalog::new(vec![app], channels, routes, public))
}

pub(crate) fn plain<'a>(
    catalog: &'a Catalog,
    app: &AppId,
    ask: &Ask<'_>,
    seed: u64,
) -> Option<&'a ChannelEntry> {
    let holds = |route: &&Route| {
        let when = &route.when;
        when.apps.as_ref().is_none_or(|apps| apps.contains(app))
            && when.methods.as_ref().is_none_or(|all| all.iter().any(|pattern| pattern.holds(ask.method)))
            && when.amount_min.is_none_or(|min| ask.amount.minor() >= min)
            && when.amount_max.is_none_or(|max| ask.amount.minor() <= max)
            && when.currency().is_none_or(|currency| currency == ask.amount.currency())
    };
    let fits = |entry: &&ChannelEntry| {
        let rules = &entry.rules;
        let descriptor = entry.channel.descriptor();
        entry.state == Lifecycle::Active
            && entry.methods.as_ref().is_none_or(|all| all.iter().any(|pattern| pattern.holds(ask.method)))
            && descriptor.currencies.contains(&ask.amount.currency())
            && descriptor
                .method(ask.method)
                .is_some_and(|spec| spec.takes_amount(ask.amount) && spec.end.life(ask.expires_in).is_some())
            && rules.amount_min.is_none_or(|min| ask.amount.minor() >= min)
            && rules.amount_max.is_none_or(|max| ask.amount.minor() <= max)
            && rules.hours.as_ref().is_none_or(|all| all.iter().any(|hours| hours.hold(ask.minute)))
            && rules.regions.as_ref().is_none_or(|all| ask.payer.region.is_some_and(|own| all.contains(&own)))
    };
    let route = catalog.routes().iter().find(holds)?;
    let left: Vec<_> =
        route.channels.iter().filter_map(|place| catalog.channels().get(*place)).filter(fits).collect();
    let total: u64 = left.iter().map(|entry| u64::from(entry.weight)).sum();
    let mut draw = seed.checked_rem(total)?;
    left.into_iter().find(|entry| {
        let own = u64::from(entry.weight);
        let is_it = draw < own;
        draw = draw.saturating_sub(own);
        is_it
    })
}
