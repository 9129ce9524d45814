//! What removes a channel from a choice. Each filter names its rule and says what was seen.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde::Serialize;

use super::Ask;
use super::table::Stage;
use crate::catalog::{ChannelEntry, Lifecycle, Route, Rules};
use crate::channel::{MethodSpec, Needs, OrderEnd};
use crate::ids::ChannelId;
use crate::method::{Method, MethodPattern};
use crate::money::{Currency, Money};
use crate::region::Region;
use crate::router::HealthRules;

/// Why a channel is left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Removal {
    /// The rule: `state`, `method`, `currency`, `amount`, `expiry`, `needs`, `hours`, `region`, `pin`,
    /// `tried`, `cap`, `health`.
    pub rule: &'static str,
    /// What was seen, for a person.
    pub detail: String,
    /// Whether a later try may fare better.
    #[serde(skip)]
    pub temporary: bool,
}

impl Removal {
    pub(super) fn lasting(rule: &'static str, detail: impl Into<String>) -> Self {
        Self { rule, detail: detail.into(), temporary: false }
    }

    fn for_now(rule: &'static str, detail: impl Into<String>) -> Self {
        Self { rule, detail: detail.into(), temporary: true }
    }
}

/// What the filters look at of a payment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Occasion<'a> {
    pub(super) amount: Money,
    pub(super) method: Method,
    pub(super) expires_in: Duration,
    /// Which of the fields that a method can need it has.
    pub(super) carries: Needs,
    pub(super) region: Option<Region>,
    pub(super) pin: Option<&'a ChannelId>,
    /// The minute of the day in the day zone.
    pub(super) minute: u16,
}

impl<'a> Occasion<'a> {
    pub(super) fn of(ask: &Ask<'a>) -> Self {
        Self {
            amount: ask.amount,
            method: ask.method,
            expires_in: ask.expires_in,
            carries: ask.payer.carries(),
            region: ask.payer.region,
            pin: ask.pin,
            minute: ask.minute,
        }
    }
}

/// What the filters look at of a channel, for one method.
#[derive(Debug, Clone)]
pub(super) struct Terms<'a> {
    pub(super) id: &'a ChannelId,
    pub(super) methods: Option<&'a [MethodPattern]>,
    pub(super) rules: &'a Rules,
    /// What the provider takes money in.
    pub(super) currencies: &'a [Currency],
    /// What the provider offers of the method, if it does.
    pub(super) offer: Option<Offer>,
}

/// What a provider offers of one method.
#[derive(Debug, Clone)]
pub(super) struct Offer {
    pub(super) amounts: RangeInclusive<i64>,
    pub(super) needs: Needs,
    pub(super) end: OrderEnd,
}

impl Offer {
    pub(super) fn of(spec: &MethodSpec) -> Self {
        Self { amounts: spec.amounts.clone(), needs: spec.needs, end: spec.end }
    }
}

impl<'a> Terms<'a> {
    pub(super) fn of(entry: &'a ChannelEntry, method: Method) -> Self {
        let descriptor = entry.channel.descriptor();
        Self {
            id: &entry.id,
            methods: entry.methods.as_deref(),
            rules: &entry.rules,
            currencies: &descriptor.currencies,
            offer: descriptor.method(method).map(Offer::of),
        }
    }
}

/// The first rule that keeps this channel from taking the payment, of those that no figure decides. `closed` is its
/// state where that kept it from doing so.
pub(super) fn removal(
    terms: &Terms<'_>,
    closed: Option<Lifecycle>,
    occasion: &Occasion<'_>,
    tried: &[ChannelId],
) -> Option<Removal> {
    by_pin(terms, occasion)
        .or_else(|| tried.contains(terms.id).then(by_tried))
        .or_else(|| closed.map(by_state))
        .or_else(|| by_method(terms, occasion))
        .or_else(|| by_currency(terms, occasion))
        .or_else(|| by_amount(terms, occasion))
        .or_else(|| by_expiry(terms, occasion))
        .or_else(|| by_needs(terms, occasion))
        .or_else(|| by_hours(terms.rules, occasion))
        .or_else(|| by_region(terms.rules, occasion))
}

/// What a stage that is known to have removed the channel says of it; `None` where it would not remove it.
pub(super) fn removal_by(
    (stage, closed): (Stage, Option<Lifecycle>),
    terms: &Terms<'_>,
    occasion: &Occasion<'_>,
    health: &HealthRules,
) -> Option<Removal> {
    match stage {
        Stage::Pin => by_pin(terms, occasion),
        Stage::Tried => Some(by_tried()),
        Stage::State => closed.map(by_state),
        Stage::Method => by_method(terms, occasion),
        Stage::Currency => by_currency(terms, occasion),
        Stage::Amount => by_amount(terms, occasion),
        Stage::Expiry => by_expiry(terms, occasion),
        Stage::Needs => by_needs(terms, occasion),
        Stage::Hours => by_hours(terms.rules, occasion),
        Stage::Region => by_region(terms.rules, occasion),
        Stage::Capacity => Some(by_capacity(terms.rules, occasion.amount)),
        Stage::Health => Some(by_health(health)),
    }
}

/// A pinned channel that the matching route does not list.
pub(super) fn pin_outside(route: &Route) -> Removal {
    Removal::lasting(
        "pin",
        format!("no route that takes this payment lists the channel; the first is `{}`", route.name),
    )
}

/// A pinned channel of a payment that no route takes.
pub(super) fn pin_without_route() -> Removal {
    Removal::lasting("pin", "no route takes this payment")
}

/// What was taken before leaves too little of the channel's limits.
pub(super) fn by_capacity(rules: &Rules, amount: Money) -> Removal {
    let limits = [
        rules.day_amount_max.map(|most| format!("{most} minor units a day")),
        rules.day_count_max.map(|most| format!("{most} payments a day")),
        rules.in_flight_max.map(|most| format!("{most} payments under way at once")),
    ];
    let limits = limits.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let minor = amount.minor();
    Removal::for_now("cap", format!("no room is left for {minor} minor units; it takes at most {limits}"))
}

/// Calls of the channel have gone wrong, and the payment is none of those that probe it.
pub(super) fn by_health(rules: &HealthRules) -> Removal {
    let (errors, window, cooldown) = (rules.errors, rules.window.as_secs(), rules.cooldown.as_secs());
    Removal::for_now(
        "health",
        format!(
            "{errors} of its calls went wrong within {window} s: it is left out for {cooldown} s, then probed"
        ),
    )
}

fn by_pin(terms: &Terms<'_>, occasion: &Occasion<'_>) -> Option<Removal> {
    let pin = occasion.pin?;
    (pin != terms.id).then(|| Removal::lasting("pin", format!("the payment is pinned to `{pin}`")))
}

fn by_tried() -> Removal {
    Removal::lasting("tried", "this payment was tried here before")
}

fn by_state(state: Lifecycle) -> Removal {
    let detail = match state {
        // It has been put back since the choice was made.
        Lifecycle::Active => "the channel took no new payments a moment ago".to_owned(),
        Lifecycle::Draining | Lifecycle::VerifyOnly | Lifecycle::Off => format!("the channel is {state}"),
    };
    Removal::lasting("state", detail)
}

fn by_method(terms: &Terms<'_>, occasion: &Occasion<'_>) -> Option<Removal> {
    let method = occasion.method;
    if terms.methods.is_some_and(|patterns| !patterns.iter().any(|pattern| pattern.holds(method))) {
        return Some(Removal::lasting("method", format!("the channel is not configured for {method}")));
    }
    let is_offered = terms.offer.is_some();
    (!is_offered).then(|| Removal::lasting("method", format!("the provider does not offer {method}")))
}

fn by_currency(terms: &Terms<'_>, occasion: &Occasion<'_>) -> Option<Removal> {
    let (rules, currency) = (terms.rules, occasion.amount.currency());
    if !terms.currencies.contains(&currency) {
        return Some(Removal::lasting("currency", format!("the provider takes no {currency}")));
    }
    (rules.are_of_one_currency() && rules.currency != currency).then(|| {
        Removal::lasting("currency", format!("the channel's amount rules are in {}", rules.currency))
    })
}

fn by_amount(terms: &Terms<'_>, occasion: &Occasion<'_>) -> Option<Removal> {
    let (rules, amounts) = (terms.rules, &terms.offer.as_ref()?.amounts);
    let minor = occasion.amount.minor();
    let least = rules.amount_min.unwrap_or(i64::MIN).max(*amounts.start());
    let most = rules.amount_max.unwrap_or(i64::MAX).min(*amounts.end());
    (!(least..=most).contains(&minor))
        .then(|| Removal::lasting("amount", format!("{minor} is outside {least} to {most} minor units")))
}

fn by_expiry(terms: &Terms<'_>, occasion: &Occasion<'_>) -> Option<Removal> {
    let (end, expires_in) = (terms.offer.as_ref()?.end, occasion.expires_in);
    let detail = || format!("the provider cannot end an order within {} s", expires_in.as_secs());
    end.life(expires_in).is_none().then(|| Removal::lasting("expiry", detail()))
}

fn by_needs(terms: &Terms<'_>, occasion: &Occasion<'_>) -> Option<Removal> {
    let needs = terms.offer.as_ref()?.needs;
    let missing = Needs::FIELDS.iter().find(|(need, _)| needs.has(*need) && !occasion.carries.has(*need));
    missing.map(|(_, field)| Removal::lasting("needs", format!("the provider needs `{field}`")))
}

fn by_hours(rules: &Rules, occasion: &Occasion<'_>) -> Option<Removal> {
    let (hours, minute) = (rules.hours.as_ref()?, occasion.minute);
    let detail = || format!("{:02}:{:02} is outside {}", minute / 60, minute % 60, listed(hours));
    (!hours.iter().any(|hours| hours.hold(minute))).then(|| Removal::for_now("hours", detail()))
}

fn by_region(rules: &Rules, occasion: &Occasion<'_>) -> Option<Removal> {
    let regions = rules.regions.as_ref()?;
    let detail = match occasion.region {
        Some(region) if regions.contains(&region) => return None,
        Some(region) => format!("{region} is none of {}", listed(regions)),
        None => format!("the payer's region is unknown; the channel takes {}", listed(regions)),
    };
    Some(Removal::lasting("region", detail))
}

fn listed<T: std::fmt::Display>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
