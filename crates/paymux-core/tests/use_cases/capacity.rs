//! Limits of a channel's day and of what is under way: what is set aside, what is booked, what is given back.

use std::time::Duration;

use paymux_core::catalog::{Catalog, Rules};
use paymux_core::channel::{Blame, Can, ChannelError, OrderEnd, QueryAnswer, Receipt};
use paymux_core::day::Day;
use paymux_core::money::Currency;
use paymux_core::payment::{AttemptState as S, Payment, Status};
use paymux_core::payments::desk::{Outcome, Resolution};
use paymux_core::payments::read_figures;
use paymux_core::router::{Ask, Router};
use paymux_core::store::{CapacitySpan, CapacityUse, DayBook as _};
use paymux_core::{Clock as _, Money, PaymentError, Payments};
use paymux_testkit::channel::{ENDLESS, QR};
use paymux_testkit::{Script, ScriptedChannel};
use serde_json::{Value, json};

use crate::world::{Setting, World, app, channel, request, root, says};

const TODAY: i32 = 19_783;

/// Channel `a` has those limits, `b` has none; `a` comes first.
fn limited(rules: Rules) -> impl Fn(&mut Catalog) {
    move |catalog| catalog.edit().0[0].rules = rules.clone()
}

fn a_day(amount: Option<i64>, count: Option<i64>) -> Rules {
    Rules { day_amount_max: amount, day_count_max: count, ..Rules::default() }
}

fn in_flight(most: i64) -> Rules {
    Rules { in_flight_max: Some(most), ..Rules::default() }
}

fn world(rules: Rules) -> World {
    with(&Setting::default(), rules)
}

fn with(setting: &Setting, rules: Rules) -> World {
    let world = World::with(setting);
    world.reconfigure(setting, limited(rules));
    world
}

fn order(number: u32, amount: i64) -> Value {
    json!({"order_no": format!("A{number}"), "amount": amount})
}

/// Which channel took it.
async fn taker(world: &World, number: u32, amount: i64) -> String {
    world.created(order(number, amount)).await.attempts[0].channel.to_string()
}

/// What is used of that day of `a`.
async fn used_on(world: &World, day: i32) -> CapacityUse {
    let day = Day::from_number(day);
    let figures = world.store.capacity_figures(day).await.unwrap();
    let span = CapacitySpan::Day(day, Currency::CNY);
    let of_a = figures.into_iter().find(|figure| figure.span == span && figure.channel == channel("a"));
    of_a.map_or(CapacityUse::NONE, |figure| figure.used)
}

async fn used(world: &World) -> (i64, i64, i64) {
    let used = used_on(world, TODAY).await;
    (used.reserved, used.booked, used.count)
}

/// How many are under way on `a`.
async fn under_way(world: &World) -> i64 {
    let figures = world.store.capacity_figures(Day::from_number(TODAY)).await.unwrap();
    figures.iter().find(|figure| figure.span == CapacitySpan::Flight).map_or(0, |figure| figure.used.count)
}

async fn pays(world: &World, payment: &Payment, fen: i64) -> Payment {
    world.a.on_query(Ok(QueryAnswer::Paid(Receipt::of(Money::fen(fen)))));
    world.payments.sync(app(), payment.id).await.unwrap()
}

/// That word, of that much.
fn says_of(outcome: Outcome, fen: i64) -> Resolution {
    Resolution { amount: Some(fen), ..says(outcome) }
}

#[tokio::test(start_paused = true)]
async fn a_day_takes_as_much_as_fits_and_the_next_channel_takes_the_rest() {
    let world = world(a_day(Some(1000), None));
    for (number, amount, want) in [(1, 600, "a"), (2, 401, "b"), (3, 400, "a"), (4, 1, "b")] {
        assert_eq!(taker(&world, number, amount).await, want, "{number}");
    }
    assert_eq!(used(&world).await, (1000, 0, 2));
}

#[tokio::test(start_paused = true)]
async fn a_day_takes_so_many_payments() {
    let world = world(a_day(None, Some(2)));
    let takers = [taker(&world, 1, 5).await, taker(&world, 2, 5).await, taker(&world, 3, 5).await];
    assert_eq!(takers, ["a", "a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn where_no_channel_has_room_it_is_refused_for_now_and_nothing_is_stored() {
    let world = world(a_day(Some(1000), None));
    let pinned = |number, amount| {
        let mut order = order(number, amount);
        order["channel"] = json!("a");
        order
    };
    world.created(pinned(1, 1000)).await;
    let refused = world.create(pinned(2, 1)).await;
    let Err(PaymentError::NoChannel(no)) = refused else { panic!("{refused:?}") };
    assert!(no.is_temporary());
    let (id, removal) = &no.removed[0];
    assert_eq!((id.as_str(), removal.rule), ("a", "cap"));
    assert_eq!(removal.detail, "no room is left for 1 minor units; it takes at most 1000 minor units a day");
    assert_eq!(world.store.payments().len(), 1);
    // Its own repeat is answered all the same.
    assert!(!world.create(pinned(1, 1000)).await.unwrap().is_new);
}

#[tokio::test(start_paused = true)]
async fn what_is_paid_is_booked_as_it_came() {
    for (fen, want) in [(700, (0, 700, 1)), (650, (0, 650, 1)), (5000, (0, 5000, 1))] {
        let world = world(a_day(Some(1000), None));
        let payment = world.created(order(1, 700)).await;
        assert_eq!(used(&world).await, (700, 0, 1));
        pays(&world, &payment, fen).await;
        assert_eq!(used(&world).await, want);
        // Asked again, it is no other money.
        pays(&world, &payment, fen).await;
        assert_eq!(used(&world).await, want);
        let left = 1000 - fen;
        if left > 0 {
            assert_eq!(taker(&world, 2, left).await, "a");
        }
        assert_eq!(taker(&world, 3, 1).await, "b");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_refused_or_never_sent_gives_its_room_back_at_once() {
    for script in [Script::Refuse(Blame::Account), Script::NotSent] {
        let world = world(a_day(Some(1000), None));
        world.a.on_create(script);
        let payment = world.created(order(1, 1000)).await;
        assert_eq!(payment.attempts[1].channel, channel("b"));
        assert_eq!(used(&world).await, (0, 0, 0));
        assert_eq!(taker(&world, 2, 1000).await, "a");
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_that_its_provider_closed_gives_its_room_back() {
    let world = world(a_day(Some(1000), Some(1)));
    let payment = world.created(order(1, 1000)).await;
    world.pass(Duration::from_mins(31)).await;
    assert_eq!(world.stored(&payment).await.attempts[0].state, S::Closed);
    assert_eq!(used(&world).await, (0, 0, 0));
    assert_eq!(taker(&world, 2, 1000).await, "a");
    // Money that came all the same is booked above the limit.
    let paid = says_of(Outcome::Paid, 1000);
    world.payments.resolve_attempt(root(), payment.attempts[0].id, paid).await.unwrap();
    assert_eq!(used(&world).await, (1000, 1000, 2));
    assert_eq!(taker(&world, 3, 1).await, "b");
}

/// What may still take money keeps its room while it is watched, whether or not anybody can be asked.
#[tokio::test(start_paused = true)]
async fn what_is_watched_keeps_its_room_until_the_watch_is_over() {
    for can in [Can::QUERY, Can::LIST] {
        let setting = if can.has(Can::QUERY) {
            Setting { a: |a| a.that_can(Can::QUERY), ..Setting::default() }
        } else {
            Setting { a: |a| a.that_can(Can::LIST), ..Setting::default() }
        };
        let world = with(&setting, a_day(Some(1000), None));
        let mut lapses = order(1, 1000);
        lapses["method"] = json!(ENDLESS.to_string());
        let payment = world.created(lapses).await;
        let mut elsewhere = order(2, 1);
        elsewhere["method"] = json!(ENDLESS.to_string());
        world.clock.advance(Duration::from_mins(31)).await;
        world.payments.sweep().await.unwrap();
        assert_eq!(world.stored(&payment).await.attempts[0].state, S::Lapsed);
        assert_eq!(used(&world).await, (1000, 0, 1));
        assert_eq!(world.created(elsewhere).await.attempts[0].channel, channel("b"));

        for _ in 0..27 {
            world.clock.advance(Duration::from_hours(1)).await;
            world.payments.sweep().await.unwrap();
        }
        assert_eq!(world.stored(&payment).await.attempts[0].check_at, None, "nobody looks at it any more");
        assert_eq!(used(&world).await, (0, 0, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_given_up_unseen_keeps_its_room_until_it_is_closed() {
    let world = world(a_day(Some(1000), None));
    world.a.on_create(Script::Lose);
    let payment = world.created(order(1, 1000)).await;
    assert_eq!(payment.attempts[0].state, S::Abandoned);
    assert_eq!(used(&world).await, (1000, 0, 1));
    world.pass(Duration::from_mins(1)).await;
    assert_eq!(world.stored(&payment).await.attempts[0].state, S::Closed);
    assert_eq!(used(&world).await, (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn what_a_person_says_moves_it_too() {
    let setting = Setting { a: |a| a.that_can(Can::LIST), failover: 0, ..Setting::default() };
    let barcode = |number: u32| {
        let mut order = order(number, 1000);
        order["method"] = json!("wechat.barcode");
        order["payer"] = json!({"auth_code": "134567"});
        order
    };
    let words = [(says_of(Outcome::Paid, 1000), (0, 1000, 1)), (says(Outcome::NotPaid), (0, 0, 0))];
    for (word, want) in words {
        let world = with(&setting, a_day(Some(1000), None));
        world.a.on_create(Script::Lose);
        let payment = world.created(barcode(1)).await;
        assert_eq!((payment.attempts[0].state, used(&world).await), (S::Unknown, (1000, 0, 1)));
        world.clock.advance(Duration::from_mins(15)).await;
        let attempt = payment.attempts[0].id;
        world.payments.resolve_attempt(root(), attempt, word).await.unwrap();
        assert_eq!(used(&world).await, want);
    }
}

#[tokio::test(start_paused = true)]
async fn a_failover_goes_to_a_channel_that_has_room() {
    let setting = Setting { failover: 1, ..Setting::default() };
    let world = World::with(&setting);
    world.reconfigure(&setting, |catalog| {
        let (channels, routes) = catalog.edit();
        channels[0].rules = a_day(Some(1000), None);
        routes[0].channels = vec![1, 0];
    });
    world.b.on_create(Script::NotSent);
    let first = world.created(order(1, 600)).await;
    assert_eq!((first.attempts[1].channel.clone(), used(&world).await), (channel("a"), (600, 0, 1)));
    world.b.on_create(Script::NotSent);
    let second = world.created(order(2, 401)).await;
    assert_eq!((second.status, second.attempts.len()), (Status::Failed, 1), "nobody else has room");
    assert_eq!(used(&world).await, (600, 0, 1));
}

/// This node believes that there is room; the ledger knows better.
#[tokio::test(start_paused = true)]
async fn a_failover_finds_out_that_there_is_no_room() {
    let setting = Setting::default();
    let change = |catalog: &mut Catalog| {
        let (channels, routes) = catalog.edit();
        channels[0].rules = a_day(Some(1000), None);
        routes[0].channels = vec![1, 0];
    };
    let world = World::with(&setting);
    world.reconfigure(&setting, change);
    let apart = world.node_apart(&setting, change);
    world.b.on_create(Script::NotSent);
    world.created(order(1, 600)).await;
    world.b.on_create(Script::NotSent);
    let failed = apart.create(app(), request(order(2, 401))).await.unwrap().payment;
    assert_eq!((failed.status, failed.attempts.len()), (Status::Failed, 1));
    assert_eq!(used(&world).await, (600, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn as_many_are_under_way_as_the_channel_takes() {
    let world = world(in_flight(1));
    let first = world.created(order(1, 5)).await;
    assert_eq!((taker(&world, 2, 5).await.as_str(), under_way(&world).await), ("b", 1));
    pays(&world, &first, 5).await;
    assert_eq!(under_way(&world).await, 0);
    assert_eq!((taker(&world, 3, 5).await.as_str(), under_way(&world).await), ("a", 1));
    world.pass(Duration::from_mins(31)).await;
    assert_eq!((taker(&world, 4, 5).await.as_str(), under_way(&world).await), ("a", 1));
    // One whose outcome is unknown is under way too.
    world.pass(Duration::from_mins(31)).await;
    world.a.on_create(Script::Lose);
    world.a.on_query(Err(ChannelError::Unknown("busy".to_owned())));
    let mut barcode = order(5, 5);
    barcode["method"] = json!("wechat.barcode");
    barcode["payer"] = json!({"auth_code": "134567"});
    assert_eq!(world.created(barcode).await.attempts[0].state, S::Unknown);
    assert_eq!((taker(&world, 6, 5).await.as_str(), under_way(&world).await), ("b", 1));
}

#[tokio::test(start_paused = true)]
async fn a_day_begins_with_all_of_its_room() {
    let world = world(a_day(Some(1000), None));
    let late = world.created(order(1, 1000)).await;
    assert_eq!(taker(&world, 2, 1).await, "b");
    // The day zone's midnight is at 16:00 UTC.
    world.clock.advance(Duration::from_hours(16)).await;
    assert_eq!(taker(&world, 3, 1000).await, "a");
    assert_eq!(used_on(&world, TODAY + 1).await, CapacityUse { reserved: 1000, booked: 0, count: 1 });
    // Money of yesterday's order counts in yesterday.
    pays(&world, &late, 1000).await;
    assert_eq!(used_on(&world, TODAY).await, CapacityUse { reserved: 0, booked: 1000, count: 1 });
    assert_eq!(used_on(&world, TODAY + 1).await, CapacityUse { reserved: 1000, booked: 0, count: 1 });
}

#[tokio::test(start_paused = true)]
async fn another_node_that_has_read_the_figures_does_not_try_what_is_full() {
    let setting = Setting::default();
    let world = with(&setting, a_day(Some(1000), None));
    let apart = world.node_apart(&setting, limited(a_day(Some(1000), None)));
    world.created(order(1, 1000)).await;
    let catalog = apart.catalog();
    let request = request(order(2, 1));
    let removed_by = || {
        let ask = Ask::of(&catalog, &app(), &request, world.clock.now());
        let decision = Router::new(&catalog).explain(&ask, 7);
        decision.candidates[0].removed_by.as_ref().map(|removal| removal.rule)
    };
    assert_eq!(removed_by(), None);
    apart.read_figures().await.unwrap();
    assert_eq!(removed_by(), Some("cap"));
    // What is given back is known with the next reading.
    world.pass(Duration::from_mins(31)).await;
    apart.read_figures().await.unwrap();
    assert_eq!(removed_by(), None);
}

/// The record says why, also where the ledger alone knew.
#[tokio::test(start_paused = true)]
async fn a_node_that_knows_nothing_finds_out_and_goes_on() {
    let setting = Setting::default();
    let world = with(&setting, a_day(Some(1000), None));
    let apart = world.node_apart(&setting, limited(a_day(Some(1000), None)));
    world.created(order(1, 1000)).await;
    let payment = apart.create(app(), request(order(2, 1))).await.unwrap().payment;
    assert_eq!(payment.attempts[0].channel, channel("b"));
    let decision = world.payments.decision(payment.attempts[0].id).await.unwrap().unwrap();
    assert_eq!(decision["candidates"][0]["removed_by"]["rule"], "cap");
    assert_eq!(used(&world).await, (1000, 0, 1));
}

/// 200 at once from two nodes that know nothing of each other.
#[tokio::test(start_paused = true)]
async fn two_nodes_never_set_aside_a_fen_above_a_limit() {
    const MOST: i64 = 5_003;
    let setting = Setting { failover: 0, ..Setting::default() };
    let world = with(&setting, a_day(Some(MOST), None));
    let apart = world.node_apart(&setting, limited(a_day(Some(MOST), None)));
    let mut creates = tokio::task::JoinSet::new();
    for number in 0..200 {
        let payments: Payments = if number % 2 == 0 { world.payments.clone() } else { apart.clone() };
        let amount = 50 + i64::from(number % 3);
        creates.spawn(async move { payments.create(app(), request(order(number, amount))).await });
    }
    let mut on_a = 0;
    for created in creates.join_all().await {
        let payment = created.unwrap().payment;
        on_a += if payment.attempts[0].channel == channel("a") { payment.amount.minor() } else { 0 };
    }
    let (reserved, booked, _) = used(&world).await;
    assert_eq!((reserved, booked), (on_a, 0));
    assert!((MOST - 49..=MOST).contains(&reserved), "{reserved}");
}

#[tokio::test(start_paused = true)]
async fn a_limit_counts_from_the_moment_it_is_set_and_no_longer_than_it_stands() {
    let world = World::new();
    let before = world.created(order(1, 900)).await;
    world.reconfigure(&Setting::default(), limited(a_day(Some(1000), None)));
    assert_eq!(taker(&world, 2, 1000).await, "a");
    pays(&world, &before, 900).await;
    assert_eq!(used(&world).await, (1000, 0, 1));
    world.reconfigure(&Setting::default(), |_| {});
    assert_eq!(taker(&world, 3, 1000).await, "a");
    assert_eq!(used(&world).await, (1000, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_payment_in_another_currency_is_not_taken_where_a_day_has_a_limit() {
    let world = world(Rules { currency: Currency::from_code("USD").unwrap(), ..a_day(None, Some(5)) });
    assert_eq!(taker(&world, 1, 5).await, "b");
}

#[tokio::test(start_paused = true)]
async fn without_limits_the_ledger_is_not_asked() {
    let world = World::new();
    world.created(order(1, 5)).await;
    assert_eq!(world.store.capacity_figures(Day::from_number(TODAY)).await.unwrap(), []);
    world.store.go_away();
    read_figures(&world.payments.catalog(), world.store.as_ref(), world.clock.now()).await.unwrap();
    let limited = world.node_apart(&Setting::default(), limited(in_flight(1)));
    assert!(limited.read_figures().await.is_err());
}

/// A method whose order only our clock ends, at a channel that closes: a close frees the room at once.
#[tokio::test(start_paused = true)]
async fn a_cancel_gives_the_room_back() {
    let a = |a: ScriptedChannel| a.that_ends(QR, OrderEnd::Call { not_before: Duration::ZERO, lives: None });
    let world = with(&Setting { a, ..Setting::default() }, a_day(Some(1000), None));
    let payment = world.created(order(1, 1000)).await;
    world.payments.cancel(app(), payment.id).await.unwrap();
    assert_eq!(used(&world).await, (0, 0, 0));
    assert_eq!(taker(&world, 2, 1000).await, "a");
}
