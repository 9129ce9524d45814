//! What removes a channel from a choice. Each filter names its rule and says what was seen.

use serde::Serialize;

use crate::catalog::{ChannelEntry, Lifecycle, Route, Rules};
use crate::channel::{MethodSpec, Needs};
use crate::ids::ChannelId;
use crate::payment::request::Payer;
use crate::router::{Ask, HealthRules};

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
    fn lasting(rule: &'static str, detail: impl Into<String>) -> Self {
        Self { rule, detail: detail.into(), temporary: false }
    }

    fn for_now(rule: &'static str, detail: impl Into<String>) -> Self {
        Self { rule, detail: detail.into(), temporary: true }
    }
}

/// The first rule that keeps this channel from taking the payment. `closed` is its state where that kept it from
/// doing so.
pub(super) fn removal(
    entry: &ChannelEntry,
    closed: Option<Lifecycle>,
    ask: &Ask<'_>,
    tried: &[ChannelId],
) -> Option<Removal> {
    by_pin(entry, ask)
        .or_else(|| by_tried(entry, tried))
        .or_else(|| closed.map(by_state))
        .or_else(|| match spec(entry, ask) {
            Ok(spec) => by_method_rules(entry, spec, ask),
            Err(removal) => Some(removal),
        })
        .or_else(|| by_hours(&entry.rules, ask))
        .or_else(|| by_region(&entry.rules, ask))
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
pub(super) fn by_capacity(rules: &Rules, ask: &Ask<'_>) -> Removal {
    let limits = [
        rules.day_amount_max.map(|most| format!("{most} minor units a day")),
        rules.day_count_max.map(|most| format!("{most} payments a day")),
        rules.in_flight_max.map(|most| format!("{most} payments under way at once")),
    ];
    let limits = limits.into_iter().flatten().collect::<Vec<_>>().join(", ");
    let minor = ask.amount.minor();
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

fn by_pin(entry: &ChannelEntry, ask: &Ask<'_>) -> Option<Removal> {
    let pin = ask.pin?;
    (*pin != entry.id).then(|| Removal::lasting("pin", format!("the payment is pinned to `{pin}`")))
}

fn by_tried(entry: &ChannelEntry, tried: &[ChannelId]) -> Option<Removal> {
    tried.contains(&entry.id).then(|| Removal::lasting("tried", "this payment was tried here before"))
}

fn by_state(state: Lifecycle) -> Removal {
    let detail = match state {
        // It has been put back since the choice was made.
        Lifecycle::Active => "the channel took no new payments a moment ago".to_owned(),
        Lifecycle::Draining | Lifecycle::VerifyOnly | Lifecycle::Off => format!("the channel is {state}"),
    };
    Removal::lasting("state", detail)
}

fn spec<'a>(entry: &'a ChannelEntry, ask: &Ask<'_>) -> Result<&'a MethodSpec, Removal> {
    let method = ask.method;
    if entry.methods.as_ref().is_some_and(|patterns| !patterns.iter().any(|p| p.holds(method))) {
        return Err(Removal::lasting("method", format!("the channel is not configured for {method}")));
    }
    let spec = entry.channel.descriptor().method(method);
    spec.ok_or_else(|| Removal::lasting("method", format!("the provider does not offer {method}")))
}

fn by_method_rules(entry: &ChannelEntry, spec: &MethodSpec, ask: &Ask<'_>) -> Option<Removal> {
    by_currency(entry, ask)
        .or_else(|| by_amount(&entry.rules, spec, ask))
        .or_else(|| by_expiry(spec, ask))
        .or_else(|| by_needs(spec.needs, ask.payer))
}

fn by_currency(entry: &ChannelEntry, ask: &Ask<'_>) -> Option<Removal> {
    let currency = ask.amount.currency();
    if !entry.channel.descriptor().currencies.contains(&currency) {
        return Some(Removal::lasting("currency", format!("the provider takes no {currency}")));
    }
    (entry.rules.are_of_one_currency() && entry.rules.currency != currency).then(|| {
        Removal::lasting("currency", format!("the channel's amount rules are in {}", entry.rules.currency))
    })
}

fn by_amount(rules: &Rules, spec: &MethodSpec, ask: &Ask<'_>) -> Option<Removal> {
    let minor = ask.amount.minor();
    let least = rules.amount_min.unwrap_or(i64::MIN).max(*spec.amounts.start());
    let most = rules.amount_max.unwrap_or(i64::MAX).min(*spec.amounts.end());
    (!(least..=most).contains(&minor))
        .then(|| Removal::lasting("amount", format!("{minor} is outside {least} to {most} minor units")))
}

fn by_expiry(spec: &MethodSpec, ask: &Ask<'_>) -> Option<Removal> {
    let detail = || format!("the provider cannot end an order within {} s", ask.expires_in.as_secs());
    spec.end.life(ask.expires_in).is_none().then(|| Removal::lasting("expiry", detail()))
}

fn by_needs(needs: Needs, payer: &Payer) -> Option<Removal> {
    let has = |need: Needs| match need {
        Needs::AUTH_CODE => payer.auth_code.is_some(),
        Needs::OPENID => payer.openid.is_some(),
        Needs::IP => payer.ip.is_some(),
        Needs::PAYER_ID => payer.id.is_some(),
        _ => true,
    };
    let missing = Needs::FIELDS.iter().find(|(need, _)| needs.has(*need) && !has(*need));
    missing.map(|(_, field)| Removal::lasting("needs", format!("the provider needs `{field}`")))
}

fn by_hours(rules: &Rules, ask: &Ask<'_>) -> Option<Removal> {
    let hours = rules.hours.as_ref()?;
    let (hour, minute) = (ask.minute / 60, ask.minute % 60);
    let detail = || format!("{hour:02}:{minute:02} is outside {}", listed(hours));
    (!hours.iter().any(|hours| hours.hold(ask.minute))).then(|| Removal::for_now("hours", detail()))
}

fn by_region(rules: &Rules, ask: &Ask<'_>) -> Option<Removal> {
    let regions = rules.regions.as_ref()?;
    let detail = match ask.payer.region {
        Some(region) if regions.contains(&region) => return None,
        Some(region) => format!("{region} is none of {}", listed(regions)),
        None => format!("the payer's region is unknown; the channel takes {}", listed(regions)),
    };
    Some(Removal::lasting("region", detail))
}

fn listed<T: std::fmt::Display>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
