//! What the ledger keeps of a decision is small, and tells later what was told when it was made.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::agreement::Dice;
use super::replay::book;
use super::{Want, catalog, entry, route};
use crate::world::channel;
use paymux_core::catalog::{Catalog, ChannelEntry, Lifecycle, Strategy, When};
use paymux_core::channel::{Needs, OrderEnd};
use paymux_core::ids::{ChannelId, RouteName};
use paymux_core::router::{
    BYTES_MAX, Contenders, Decision, OwnStrategy, Past, Picked, RecordError, Router, replay, replay_by,
};
use paymux_core::store::{Income, KeptDecision};
use paymux_core::{Method, Money, Region};
use paymux_testkit::ScriptedChannel;

/// What was kept, told by its version as the ledger has that.
fn told(catalog: &Catalog, kept: &KeptDecision, want: &Want<'_>) -> Decision {
    let record = record_of(catalog, kept);
    let past = Past::read(catalog.version().content()).unwrap();
    past.tell(record, want.amount, want.method).unwrap()
}

fn record_of<'a>(catalog: &Catalog, kept: &'a KeptDecision) -> &'a [u8] {
    match kept {
        KeptDecision::Compact { version, record } => {
            assert_eq!(version, catalog.version().digest());
            record
        }
        KeptDecision::Told(record) => panic!("{record} is in words"),
    }
}

/// A provider whose orders need nothing and end by no timer.
fn easy(id: &ChannelId) -> ScriptedChannel {
    Method::all().fold(ScriptedChannel::new(id.as_str()), |channel, method| {
        channel.that_ends(method, OrderEnd::None).that_needs(method, Needs::nothing())
    })
}

/// Some channels are of another provider, some stand elsewhere in their lives, some have limits.
fn vary(dice: &mut Dice, catalog: &mut Catalog) {
    let (channels, _) = catalog.edit();
    for entry in channels {
        if dice.0.u8(..3) == 0 {
            entry.channel = Arc::new(easy(&entry.id));
        }
        if dice.0.u8(..8) == 0 {
            entry.state = Lifecycle::ALL[dice.0.usize(..Lifecycle::ALL.len())];
        }
        entry.rules.in_flight_max = (dice.0.u8(..3) == 0).then_some(7);
    }
}

#[test]
fn a_record_tells_later_what_was_told_at_the_time() {
    let mut dice = Dice(fastrand::Rng::with_seed(8));
    let (mut rules, mut strategies, mut count) = (BTreeSet::new(), BTreeSet::new(), 0);
    for _ in 0..600 {
        let mut catalog = dice.catalog();
        vary(&mut dice, &mut catalog);
        book(&mut dice, &catalog);
        let ids: Vec<ChannelId> = catalog.channels().iter().map(|entry| entry.id.clone()).collect();
        for _ in 0..40 {
            let mut want = dice.want();
            want.pin = (dice.0.u8(..6) == 0).then(|| &ids[dice.0.usize(..ids.len())]);
            let mut some = || vec![channel(&format!("c{}", dice.0.usize(..9)))];
            let (tried, full) = (some(), some());
            let ask = paymux_core::router::Ask { full: &full, ..want.ask(&catalog) };
            let Ok(picked) = Router::new(&catalog).pick(&ask, &tried, dice.0.u64(..)) else { continue };
            let told = told(&catalog, &picked.kept, &want);
            assert_eq!(told, picked.decision);
            let words = serde_json::to_value(&told).unwrap();
            assert_eq!(words, serde_json::to_value(&picked.decision).unwrap());
            assert_eq!(replay(&words), Ok(Some(picked.channel.id.clone())));
            let removed = told.candidates.iter().filter_map(|candidate| candidate.removed_by.as_ref());
            rules.extend(removed.map(|removal| removal.rule));
            strategies.insert(picked.route.strategy.word());
            count += 1;
        }
    }
    assert!(count > 500, "{count}");
    assert_eq!(strategies.len(), Strategy::ALL.len(), "{strategies:?}");
    let all = ["amount", "cap", "currency", "expiry", "health", "hours", "method", "needs", "pin", "region"];
    assert_eq!(rules.into_iter().collect::<Vec<_>>(), [&all[..], &["state", "tried"]].concat());
}

#[test]
fn what_is_taken_is_kept_as_what_is_picked() {
    let mut dice = Dice(fastrand::Rng::with_seed(9));
    let mut count = 0;
    for _ in 0..1000 {
        let (catalog, want, seed) = (dice.catalog(), dice.want(), dice.0.u64(..));
        let ask = want.ask(&catalog);
        let router = Router::new(&catalog);
        match (router.pick(&ask, &[], seed), router.take(&ask, &[], seed)) {
            // Each takes a turn of its own.
            (Ok(Picked { route, .. }), Ok(_)) if route.strategy == Strategy::RoundRobin => {}
            (Ok(picked), Ok(taken)) => {
                assert_eq!((&taken.channel.id, &taken.kept), (&picked.channel.id, &picked.kept));
                count += 1;
            }
            (picked, taken) => assert_eq!(picked.unwrap_err(), taken.unwrap_err()),
        }
    }
    assert!(count > 20, "{count}");
}

/// The last one that is left.
#[derive(Debug)]
struct Last;

impl OwnStrategy for Last {
    fn name(&self) -> &'static str {
        "last"
    }

    fn pick(&self, left: &Contenders<'_>, _seed: u64) -> usize {
        left.len() - 1
    }
}

#[test]
fn an_embedders_strategy_is_told_by_its_name() {
    let all = route("all", When::default(), Strategy::RoundRobin, &[0, 1]);
    let mut catalog = catalog(["a", "b"].map(entry).into(), vec![all]);
    catalog.pick_by(&RouteName::new("all").unwrap(), Arc::new(Last));
    let want = Want::plain();
    let picked = Router::new(&catalog).pick(&want.ask(&catalog), &[], 7).unwrap();
    let told = told(&catalog, &picked.kept, &want);
    assert_eq!((&told, told.strategy.as_deref()), (&picked.decision, Some("last")));
    let words = serde_json::to_value(&told).unwrap();
    assert_eq!(replay_by(&words, Arc::new(Last)), Ok(Some(channel("b"))));
}

/// Ten thousand channels of which many are out, each by one of three rules.
fn many(strategy: Strategy, change: impl Fn(usize, &mut ChannelEntry)) -> Catalog {
    let mut channels: Vec<ChannelEntry> = (0..10_000).map(|place| entry(&format!("c{place}"))).collect();
    channels.iter_mut().enumerate().for_each(|(place, entry)| change(place, entry));
    let places: Vec<usize> = (0..channels.len()).collect();
    catalog(channels, vec![route("all", When::default(), strategy, &places)])
}

fn out_by_turns(place: usize, entry: &mut ChannelEntry) {
    match place % 7 {
        0 => entry.rules.amount_min = Some(5_000),
        2 => entry.rules.hours = Some(vec!["22:00-06:00".parse().unwrap()]),
        4 => entry.rules.regions = Some(vec![Region::from_code("CN-31").unwrap()]),
        _ => {}
    }
}

#[test]
fn a_choice_among_ten_thousand_channels_is_kept_in_a_few_kilobytes() {
    let want = Want::plain();
    let size = |catalog: &Catalog| {
        let picked = Router::new(catalog).pick(&want.ask(catalog), &[], 7).unwrap();
        assert_eq!(told(catalog, &picked.kept, &want), picked.decision);
        let words = serde_json::to_string(&picked.decision).unwrap();
        assert!(words.len() > 700_000, "{}", words.len());
        record_of(catalog, &picked.kept).len()
    };
    // No rule, and rules of which no two neighbours have the same.
    assert!(size(&many(Strategy::Random, |_, _| {})) < 40);
    let mixed = size(&many(Strategy::Random, out_by_turns));
    assert!(mixed <= BYTES_MAX + 10_000, "{mixed}");
    // Where figures decide, all that were seen are in it.
    let even = many(Strategy::Even, out_by_turns);
    let income = |(place, entry): (usize, &ChannelEntry)| Income {
        channel: entry.id.clone(),
        day: paymux_core::day::Day::from_number(20_000),
        money: Money::fen(i64::try_from(place).unwrap() * 997),
        completed_at: None,
    };
    let incomes: Vec<Income> = even.channels().iter().enumerate().map(income).collect();
    even.live().book(&incomes);
    let even = size(&even);
    assert!(even < 50_000, "{even}");
    let adaptive = size(&many(Strategy::Adaptive, |_, _| {}));
    assert!(adaptive < 50, "{adaptive}");
}

#[test]
fn what_many_channels_offer_is_kept_once() {
    let one = many(Strategy::Random, |_, _| {});
    let content = one.version().content();
    assert!(content.len() < 1_500_000, "{}", content.len());
    assert_eq!(content.matches("\"wechat.native\"").count(), 1);
    // Where a channel stands in its life is none of it; what it may collect is.
    assert_eq!(
        many(Strategy::Random, |_, entry| entry.state = Lifecycle::Off).version().digest(),
        one.version().digest()
    );
    let other = many(Strategy::Random, |place, entry| entry.weight = if place == 9_999 { 2 } else { 1 });
    assert_ne!(other.version().digest(), one.version().digest());
}

/// A record of one version is not told by another, unless that has the same routes.
#[test]
fn a_record_of_another_version_is_refused() {
    let want = Want::plain();
    let two = catalog(
        ["a", "b"].map(entry).into(),
        vec![route("all", When::default(), Strategy::Priority, &[0, 1])],
    );
    let picked = Router::new(&two).pick(&want.ask(&two), &[channel("a")], 7).unwrap();
    let record = record_of(&two, &picked.kept);
    let none = catalog(["a", "b"].map(entry).into(), vec![]);
    let one = catalog(vec![entry("a")], vec![route("all", When::default(), Strategy::Priority, &[0])]);
    for other in [none, one] {
        let past = Past::read(other.version().content()).unwrap();
        let refused: Result<Decision, RecordError> = past.tell(record, want.amount, want.method);
        assert!(refused.is_err(), "{refused:?}");
    }
}
