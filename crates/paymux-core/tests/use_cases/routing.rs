//! Routing: the first route that matches, the rules that remove channels, the strategies.

mod agreement;
mod figures;
mod health;
mod own;
mod records;
mod replay;
mod strategies;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use crate::world::{app, channel, endpoint};
use paymux_core::catalog::{Catalog, ChannelEntry, FailoverUnknown, Lifecycle, Route, Rules, Strategy, When};
use paymux_core::ids::{AppId, ChannelId, RouteName};
use paymux_core::payment::Payer;
use paymux_core::router::{Ask, Router};
use paymux_core::{App, Currency, Method, Money, OrderNo, Region};
use paymux_testkit::ScriptedChannel;

fn entry(id: &str) -> ChannelEntry {
    ChannelEntry::new(channel(id), Arc::new(ScriptedChannel::new(id)))
}

fn route(name: &str, when: When, strategy: Strategy, channels: &[usize]) -> Route {
    Route {
        name: RouteName::new(name).unwrap(),
        when,
        strategy,
        channels: channels.to_vec(),
        failover: 1,
        failover_unknown: FailoverUnknown::Abandon,
    }
}

fn catalog(channels: Vec<ChannelEntry>, routes: Vec<Route>) -> Catalog {
    let apps = [app(), AppId::new("other").unwrap()];
    let apps = apps.map(|id| App::new(id, &[])).into();
    Catalog::new(apps, channels, routes, endpoint("https://pay.example"))
}

fn region(code: &str) -> Region {
    Region::from_code(code).unwrap()
}

struct Want<'a> {
    app: AppId,
    order_no: OrderNo,
    amount: Money,
    method: Method,
    expires_in: Duration,
    payer: Payer,
    metadata: BTreeMap<String, String>,
    pin: Option<&'a ChannelId>,
    minute: u16,
}

impl Want<'_> {
    fn plain() -> Self {
        Self {
            app: app(),
            order_no: OrderNo::new("A1001").unwrap(),
            amount: Money::fen(1000),
            method: "wechat.native".parse().unwrap(),
            expires_in: Duration::from_mins(30),
            payer: Payer::default(),
            metadata: BTreeMap::new(),
            pin: None,
            minute: 12 * 60,
        }
    }

    fn ask<'a>(&'a self, catalog: &Catalog) -> Ask<'a> {
        Ask {
            app: catalog.app_slot(&self.app),
            order_no: &self.order_no,
            amount: self.amount,
            method: self.method,
            expires_in: self.expires_in,
            payer: &self.payer,
            metadata: &self.metadata,
            pin: self.pin,
            minute: self.minute,
            full: &[],
        }
    }
}

#[test]
fn the_first_route_that_matches_takes_it() {
    let only_other = When { apps: Some(vec![AppId::new("other").unwrap()]), ..When::default() };
    let small = When { amount_max: Some(999), ..When::default() };
    let large = When { amount_min: Some(1000), amount_max: Some(5000), ..When::default() };
    let alipay = When { methods: Some(vec!["alipay.*".parse().unwrap()]), ..When::default() };
    let dollars = When { currency: Currency::from_code("USD"), ..When::default() };
    let routes =
        [("other", only_other), ("small", small), ("large", large), ("alipay", alipay), ("usd", dollars)];
    let routes = routes.into_iter().map(|(name, when)| route(name, when, Strategy::Priority, &[0]));
    let catalog = catalog(vec![entry("a")], routes.collect());
    let usd = |minor| Money::new(minor, Currency::from_code("USD").unwrap());
    check(&catalog, |_| {}, Some("large"));
    check(&catalog, |want| want.amount = Money::fen(999), Some("small"));
    check(&catalog, |want| want.amount = Money::fen(5000), Some("large"));
    check(&catalog, |want| want.amount = Money::fen(5001), None);
    check(&catalog, |want| want.app = AppId::new("other").unwrap(), Some("other"));
    // Amounts without a currency are CNY: 10 dollars are not 1000 fen.
    check(&catalog, |want| want.amount = usd(1000), Some("usd"));
    check(
        &catalog,
        |want| (want.amount, want.method) = (Money::fen(9999), "alipay.web".parse().unwrap()),
        Some("alipay"),
    );

    #[track_caller]
    fn check(catalog: &Catalog, change: impl Fn(&mut Want<'_>), route: Option<&str>) {
        let mut want = Want::plain();
        change(&mut want);
        let found = Router::new(catalog).route(&want.ask(catalog)).map(|route| route.name.to_string());
        assert_eq!(found.as_deref(), route);
    }
}

#[test]
fn each_rule_removes_a_channel_by_its_name() {
    check(|_, _| {}, None);
    check(|entry, _| entry.state = Lifecycle::Draining, Some("state"));
    check(|entry, _| entry.state = Lifecycle::VerifyOnly, Some("state"));
    check(|entry, _| entry.state = Lifecycle::Off, Some("state"));
    check(|entry, _| entry.methods = Some(vec!["alipay.*".parse().unwrap()]), Some("method"));
    check(|entry, _| entry.methods = Some(vec!["wechat.*".parse().unwrap()]), None);
    check(|_, want| want.method = "jd.web".parse().unwrap(), Some("method"));
    check(|entry, _| entry.rules.amount_min = Some(1000), None);
    check(|entry, _| entry.rules.amount_min = Some(1001), Some("amount"));
    check(|entry, _| entry.rules.amount_max = Some(1000), None);
    check(|entry, _| entry.rules.amount_max = Some(999), Some("amount"));
    check(|_, want| want.amount = Money::new(1000, Currency::from_code("USD").unwrap()), Some("currency"));
    let yen =
        || Rules { currency: Currency::from_code("JPY").unwrap(), amount_min: Some(1), ..Rules::default() };
    check(move |entry, _| entry.rules = yen(), Some("currency"));
    let timed = |want: &mut Want<'_>, seconds| {
        (want.method, want.expires_in) = ("alipay.web".parse().unwrap(), Duration::from_secs(seconds));
    };
    check(move |_, want| timed(want, 360), Some("expiry"));
    check(move |_, want| timed(want, 361), None);
    check(|_, want| want.method = "wechat.barcode".parse().unwrap(), Some("needs"));
    let open = |entry: &mut ChannelEntry, hours: &str| {
        entry.rules.hours = Some(hours.split(' ').map(|hours| hours.parse().unwrap()).collect());
    };
    check(move |entry, _| open(entry, "06:00-12:00"), Some("hours"));
    check(move |entry, _| open(entry, "06:00-12:01"), None);
    check(move |entry, _| open(entry, "06:00-07:00 12:00-12:01"), None);
    check(move |entry, _| open(entry, "22:00-12:00"), Some("hours"));
    let only = |entry: &mut ChannelEntry| entry.rules.regions = Some(vec![region("CN-31"), region("CN-44")]);
    check(move |entry, _| only(entry), Some("region"));
    check(move |entry, want| (only(entry), want.payer.region = Some(region("CN-11"))).1, Some("region"));
    check(move |entry, want| (only(entry), want.payer.region = Some(region("CN-44"))).1, None);

    #[track_caller]
    fn check(change: impl Fn(&mut ChannelEntry, &mut Want<'_>), rule: Option<&str>) {
        let (mut entry, mut want) = (entry("a"), Want::plain());
        change(&mut entry, &mut want);
        let catalog = catalog(vec![entry], vec![route("all", When::default(), Strategy::Priority, &[0])]);
        let picked = Router::new(&catalog).pick(&want.ask(&catalog), &[], 0);
        let removed = picked.map(|_| ()).map_err(|nobody| nobody.removed[0].1.rule);
        assert_eq!(removed, rule.map_or(Ok(()), Err));
    }
}

#[test]
fn a_pin_obeys_every_rule_and_must_stand_in_the_route() {
    let mut off = entry("b");
    off.state = Lifecycle::Off;
    let routes = vec![route("all", When::default(), Strategy::Priority, &[0, 1])];
    let catalog = catalog(vec![entry("a"), off, entry("c")], routes);
    check(&catalog, "a", None);
    check(&catalog, "b", Some(("b", "state")));
    check(&catalog, "c", Some(("c", "pin")));

    #[track_caller]
    fn check(catalog: &Catalog, pin: &str, want: Option<(&str, &str)>) {
        let pin = channel(pin);
        let plain = Want { pin: Some(&pin), ..Want::plain() };
        match (Router::new(catalog).pick(&plain.ask(catalog), &[], 0), want) {
            (Ok(picked), None) => assert_eq!(picked.channel.id, pin),
            (Err(nobody), Some((id, rule))) => {
                let found = nobody.removed.iter().find(|(channel, _)| channel.as_str() == id).unwrap();
                assert_eq!(found.1.rule, rule);
            }
            (picked, _) => panic!("{pin}: {picked:?}"),
        }
    }
}

#[test]
fn a_pin_may_stand_in_any_route_that_matches() {
    let other = When { apps: Some(vec![AppId::new("other").unwrap()]), ..When::default() };
    let routes = vec![
        route("first", When::default(), Strategy::Priority, &[0]),
        route("second", When::default(), Strategy::Priority, &[1]),
        route("strange", other, Strategy::Priority, &[2]),
    ];
    let catalog = catalog(vec![entry("a"), entry("b"), entry("c")], routes);
    let (b, c) = (channel("b"), channel("c"));
    let router = Router::new(&catalog);
    let picked = router.pick(&Want { pin: Some(&b), ..Want::plain() }.ask(&catalog), &[], 0).unwrap();
    assert_eq!((picked.route.name.as_str(), &picked.channel.id), ("second", &b));
    let nobody = router.pick(&Want { pin: Some(&c), ..Want::plain() }.ask(&catalog), &[], 0).unwrap_err();
    assert!(nobody.removed.iter().any(|(id, removal)| *id == c && removal.rule == "pin"));
    let plain = router.pick(&Want::plain().ask(&catalog), &[], 0).unwrap();
    assert_eq!(plain.route.name.as_str(), "first");
}

#[test]
fn a_pin_of_a_payment_that_no_route_takes_is_named() {
    let (a, catalog) = (channel("a"), catalog(vec![entry("a")], vec![]));
    let nobody = Router::new(&catalog)
        .pick(&Want { pin: Some(&a), ..Want::plain() }.ask(&catalog), &[], 0)
        .unwrap_err();
    assert_eq!(
        nobody.removed.iter().map(|(id, r)| (id.as_str(), r.rule)).collect::<Vec<_>>(),
        [("a", "pin")]
    );
}

#[test]
fn random_is_even_and_the_seed_decides() {
    let channels = vec![entry("a"), entry("b"), entry("c")];
    let catalog = catalog(channels, vec![route("all", When::default(), Strategy::Random, &[0, 1, 2])]);
    let router = Router::new(&catalog);
    let want = Want::plain();
    let pick = |seed| router.pick(&want.ask(&catalog), &[], seed).unwrap();
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let mut rng = fastrand::Rng::with_seed(1);
    for _ in 0..3000 {
        let seed = rng.u64(..);
        let first = pick(seed);
        assert_eq!(first.decision, pick(seed).decision);
        *seen.entry(first.channel.id.to_string()).or_default() += 1;
    }
    assert_eq!(seen.len(), 3);
    // Six standard deviations of a third of 3000.
    assert!(seen.values().all(|n| n.abs_diff(1000) < 155), "{seen:?}");
}

#[test]
fn a_decision_tells_of_every_channel_of_its_route() {
    let mut full = entry("b");
    full.rules.amount_max = Some(1);
    let routes = vec![route("all", When::default(), Strategy::Priority, &[1, 0])];
    let catalog = catalog(vec![entry("a"), full], routes);
    let want = Want::plain();
    let decision = Router::new(&catalog).pick(&want.ask(&catalog), &[], 7).unwrap().decision;
    let shown = serde_json::to_value(&decision).unwrap();
    let expected = serde_json::json!({
        "route": "all", "strategy": "priority", "seed": "0000000000000007", "picked": "a",
        "candidates": [
            {"channel": "b", "eligible": false, "weight": 1, "fee_bp": null,
             "removed_by": {"rule": "amount", "detail": "1000 is outside 1 to 1 minor units"}},
            {"channel": "a", "eligible": true, "weight": 1, "fee_bp": null, "removed_by": null},
        ],
    });
    assert_eq!(shown, expected);
}

#[test]
fn a_channel_that_was_tried_is_not_picked_again() {
    let routes = vec![route("all", When::default(), Strategy::Priority, &[0, 1])];
    let catalog = catalog(vec![entry("a"), entry("b")], routes);
    let want = Want::plain();
    let router = Router::new(&catalog);
    assert_eq!(router.pick(&want.ask(&catalog), &[channel("a")], 0).unwrap().channel.id, channel("b"));
    let nobody = router.pick(&want.ask(&catalog), &[channel("a"), channel("b")], 0).unwrap_err();
    assert!(nobody.removed.iter().all(|(_, removal)| removal.rule == "tried"));
}
