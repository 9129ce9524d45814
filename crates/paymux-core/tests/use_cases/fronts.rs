//! Fronts: what clients of another protocol are told, whatever becomes of their orders.

mod adopt;
mod money_out;
mod spoken;

use std::time::Duration;

use paymux_core::catalog::{FailoverUnknown, Scope};
use paymux_core::channel::{Blame, Can, OutflowAnswer};
use paymux_core::fronts::{Front, Service};
use paymux_core::store::PaymentLedger as _;
use paymux_core::wire::WireResponse;
use paymux_core::{Clock as _, Money, NextAction, OrderNo, Payment, Verb, WireRequest};
use paymux_testkit::channel::callback;
use paymux_testkit::{Outgo, Script};
use serde_json::{Value, json};

use self::spoken::{REPEATS, SLUG, Spoken, hear, speaks};
use crate::world::{Setting, World, app, channel};

/// A shop that speaks the protocol, at channels that can refund; what is unknown stays so.
fn setting() -> Setting {
    Setting {
        a: |a| a.that_can(Can::QUERY | Can::CANCEL | Can::REFUND | Can::QUERY_REFUND | Can::TRANSFER),
        failover_unknown: FailoverUnknown::Never,
        ..Setting::default()
    }
}

fn world() -> World {
    world_with(&setting())
}

fn world_with(setting: &Setting) -> World {
    let world = World::with(setting);
    world.reconfigure(setting, speaks(Service::On));
    world
}

async fn payment(world: &World, number: &str) -> Payment {
    let number = OrderNo::given(number).unwrap();
    world.store.payment_by_order(&app(), &number).await.unwrap().unwrap()
}

/// The provider tells that the order of that number is paid.
async fn pay(world: &World, number: &str) {
    let payment = payment(world, number).await;
    let text = callback(payment.attempts[0].number.as_str(), Money::fen(1999), "T1");
    world.payments.take_callback(channel("a"), text).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_order_is_opened_once_and_paid() {
    let world = world();
    for _ in 0..2 {
        assert_eq!(world.hear("pay", json!({"number": "1001/A", "echo": {"t": 7}})).await, "open code");
    }
    assert_eq!(world.a.orders().len(), 1);
    let stored = payment(&world, "1001/A").await;
    let note = stored.front.as_ref().unwrap();
    assert_eq!((note.slug.as_str(), note.memo.as_str(), &note.echo), (SLUG, "pay ", &json!({"t": 7})));
    assert_eq!(world.hear("query", json!({"number": "1001/A"})).await, "1001/A None back 0 closed false");
    pay(&world, "1001/A").await;
    assert_eq!(
        world.hear("query", json!({"number": "1001/A"})).await,
        "1001/A Some(1999) back 0 closed false"
    );
    assert_eq!(world.hear("pay", json!({"number": "1001/A", "echo": {"t": 7}})).await, "paid");
    for other in [json!({"number": "1001/A"}), json!({"number": "1001/A", "echo": {"t": 7}, "amount": 1})] {
        assert_eq!(world.hear("pay", other).await, "NumberTaken");
    }
    assert_eq!(world.hear("query", json!({"number": "1001/B"})).await, "none");
    assert_eq!(world.hear("native", json!({})).await, "MethodUnavailable");
    let request = WireRequest::new(Verb::Post, "/spoken/query").body("application/json", "{\"name\":\"x\"}");
    let stranger = world.payments.serve_front(SLUG, &request).await.unwrap();
    assert_eq!(stranger.body.as_ref(), b"nobody");
    assert!(world.payments.serve_front("another", &request).await.is_none());
}

/// While the outcome is open, nobody hears a refusal.
#[tokio::test(start_paused = true)]
async fn an_open_outcome_is_in_doubt_until_it_is_known() {
    let world = world();
    world.a.on_create(Script::Lose);
    assert_eq!(world.hear("pay", json!({"number": "A1"})).await, "in doubt");
    assert_eq!(world.hear("query", json!({"number": "A1"})).await, "A1 None back 0 closed false");
    let back = json!({"number": "R1", "order": "A1"});
    assert_eq!(world.hear("refund", back).await, "in doubt", "there may be money");
    pay(&world, "A1").await;
    assert_eq!(world.hear("pay", json!({"number": "A1"})).await, "paid");

    world.a.on_create(Script::Slow(Duration::from_secs(21)));
    let first = world.hear("pay", json!({"number": "A2"}));
    let repeat = async {
        world.clock.advance(Duration::from_secs(10)).await;
        world.hear("pay", json!({"number": "A2"})).await
    };
    let (first, repeat) = futures_util::future::join(first, repeat).await;
    assert_eq!(first, "in doubt", "the answer's time is over");
    assert_ne!(repeat, "NumberTaken");
    assert_eq!(world.a.orders().len(), 2);

    world.store.go_away();
    assert_eq!(world.hear("pay", json!({"number": "A3"})).await, "in doubt");
    assert_eq!(world.hear("query", json!({"number": "A1"})).await, "in doubt");
    world.store.come_back();
}

#[tokio::test(start_paused = true)]
async fn a_definite_no_is_told() {
    let world = world();
    world.a.on_create(Script::Refuse(Blame::Request));
    let heard = world.hear("pay", json!({"number": "A1"})).await;
    assert!(heard.starts_with("Upstream("), "{heard}");
    assert_eq!(world.hear("pay", json!({"number": "A1"})).await, heard, "the same for its repeat");
    let plain = json!({"number": "A2", "notify_url": "http://shop.example/hook"});
    let heard = world.hear("pay", plain).await;
    assert!(heard.starts_with("Field { name: \"notify_url\""), "{heard}");
    let heard = world.hear("pay", json!({"number": "A3", "amount": 0})).await;
    assert!(heard.starts_with("Field { name: \"amount\""), "{heard}");

    let setting = Setting { app: |app| app.scopes = vec![Scope::Payments], ..setting() };
    let narrow = world_with(&setting);
    assert_eq!(narrow.hear("query_refund", json!({"number": "R1"})).await, "MethodUnavailable");
    assert_eq!(narrow.hear("query", json!({"number": "A1"})).await, "none");
}

/// A client that wants a code can show the address of our page as one.
#[tokio::test(start_paused = true)]
async fn a_page_in_the_place_of_a_code_is_ours() {
    let world = world();
    world.a.on_create(Script::Ask(|| NextAction::Html { html: "<form></form>".to_owned() }));
    assert_eq!(world.hear("pay", json!({"number": "A1"})).await, "open https://pay.example/pay");
}

/// A client sends all of its protocol's fields, wherever its payment goes.
#[tokio::test(start_paused = true)]
async fn fields_that_no_channel_takes_are_passed_over() {
    let world = world();
    assert_eq!(world.hear("pay", json!({"number": "A1"})).await, "open code");
    let names: Vec<String> = world.a.orders()[0].extra.keys().cloned().collect();
    assert_eq!(names, ["bank_name"]);
}

#[tokio::test(start_paused = true)]
async fn a_sign_is_held_to_its_first_call_by_all_nodes() {
    let world = world();
    let call = json!({"number": "A1", "sign": "s1"});
    assert_eq!(world.hear("pay", call.clone()).await, "open code");
    let other = json!({"number": "A2", "sign": "s1"});
    let another_node = world.another_node();
    assert_eq!(hear(&another_node, "pay", other.clone()).await, "SignUsed");
    assert_eq!(hear(&another_node, "pay", call.clone()).await, "open code");
    assert_eq!(world.hear("pay", json!({"number": "A2", "sign": "s2"})).await, "open code");
    world.clock.advance(Duration::from_hours(24 * 365)).await;
    assert_eq!(world.hear("pay", other).await, "SignUsed", "for ever");
    assert_eq!(world.a.orders().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_sign_whose_time_is_over_fits_nothing() {
    let world = world();
    let until = world.clock.now().plus(Duration::from_mins(15)).ms();
    let call = |number: &str| json!({"number": number, "sign": "s1", "until": until});
    assert_eq!(world.hear("pay", call("A1")).await, "open code");
    for span in [Duration::from_mins(14), Duration::from_mins(2), Duration::from_hours(24)] {
        world.clock.advance(span).await;
        assert_eq!(world.hear("pay", call("A2")).await, "SignUsed");
    }
    assert_eq!(world.hear("pay", call("A1")).await, "SignUsed", "its own call too");
}

#[tokio::test(start_paused = true)]
async fn an_order_is_closed_unless_it_is_paid() {
    let world = world();
    world.hear("pay", json!({"number": "A1"})).await;
    assert_eq!(world.hear("cancel", json!({"number": "A1"})).await, "canceled true");
    assert_eq!(world.hear("cancel", json!({"number": "A1"})).await, "canceled true");
    assert_eq!(world.hear("query", json!({"number": "A1"})).await, "A1 None back 0 closed true");
    assert_eq!(world.hear("pay", json!({"number": "A1"})).await, "NumberTaken", "it has ended");
    world.hear("pay", json!({"number": "A2"})).await;
    pay(&world, "A2").await;
    assert_eq!(world.hear("cancel", json!({"number": "A2"})).await, "canceled false");
    assert_eq!(world.hear("cancel", json!({"number": "A3"})).await, "none");
}

#[tokio::test(start_paused = true)]
async fn lists_show_what_was_made_in_their_protocol() {
    let world = world();
    let mut moments = Vec::new();
    for number in ["A1", "A2", "A3"] {
        let code = if number == "A2" { "odd" } else { "even" };
        world.hear("pay", json!({"number": number, "code": code})).await;
        moments.push(payment(&world, number).await.created_at.ms());
        world.clock.advance(Duration::from_secs(1)).await;
    }
    world.created(json!({"order_no": "native"})).await;
    pay(&world, "A1").await;
    check(&world, json!({}), "A3 A2 A1").await;
    check(&world, json!({"paid": true}), "A1").await;
    check(&world, json!({"paid": false}), "A3 A2").await;
    check(&world, json!({"refunded": true}), "").await;
    check(&world, json!({"code": "even"}), "A3 A1").await;
    check(&world, json!({"from": moments[1]}), "A3 A2").await;
    check(&world, json!({"to": moments[1]}), "A2 A1").await;
    check(&world, json!({"number": "A2"}), "A2").await;
    check(&world, json!({"number": "A2", "paid": true}), "").await;
    check(&world, json!({"number": "native"}), "native").await;
    check(&world, json!({"id": payment(&world, "A3").await.id}), "A3").await;
    check(&world, json!({"id": "A3"}), "").await;
    assert_eq!(world.hear("list", json!({"skip": 1, "limit": 1})).await, "A2");
    assert_eq!(world.hear("list", json!({"skip": 3})).await, "");

    async fn check(world: &World, filter: Value, want: &str) {
        assert_eq!(world.hear("list", filter.clone()).await, want, "{filter}");
        let count = want.split_whitespace().count().to_string();
        assert_eq!(world.hear("count", filter.clone()).await, count, "{filter}");
    }
}

#[tokio::test(start_paused = true)]
async fn money_goes_back_once_and_is_listed() {
    let world = world();
    assert_eq!(world.hear("refund", json!({"number": "R1", "order": "A1"})).await, "NoSuchOrder");
    world.hear("pay", json!({"number": "A1"})).await;
    assert_eq!(world.hear("refund", json!({"number": "R1", "order": "A1"})).await, "OrderUnpaid");
    pay(&world, "A1").await;
    let part = json!({"number": "R/1", "order": "A1", "amount": 500, "echo": {"t": 7}});
    for _ in 0..2 {
        assert_eq!(world.hear("refund", part.clone()).await, "Done A1 Some(1999) back 500 closed false");
    }
    assert_eq!(world.a.refunds().len(), 1);
    let other = json!({"number": "R/1", "order": "A1", "amount": 501});
    assert_eq!(world.hear("refund", other).await, "NumberTaken");
    let rest = json!({"number": "R2", "order": "A1", "amount": 1500});
    assert_eq!(world.hear("refund", rest).await, "RefundTooLarge");

    world.a.on_outgo(Outgo::Lose);
    world.clock.advance(Duration::from_secs(1)).await;
    let lost = json!({"number": "R3", "order": "A1", "amount": 100});
    assert_eq!(world.hear("refund", lost.clone()).await, "in doubt");
    assert_eq!(
        world.hear("query_refund", json!({"number": "R3"})).await,
        "Pending A1 Some(1999) back 500 closed false"
    );
    world.pass(Duration::from_mins(30)).await;
    assert_eq!(world.hear("refund", lost).await, "Done A1 Some(1999) back 600 closed false");
    assert_eq!(world.hear("query_refund", json!({"number": "R4"})).await, "none");
    for (filter, want) in [
        (json!({}), "R3 R/1"),
        (json!({"number": "R/1"}), "R/1"),
        (json!({"order": "A1"}), "R3 R/1"),
        (json!({"order": "A2"}), ""),
        (json!({"number": "R3", "order": "A2"}), ""),
        (json!({"limit": 1}), "R3"),
        (json!({"skip": 1}), "R/1"),
        (json!({"to": 1}), ""),
        (json!({"from": i64::MAX}), ""),
    ] {
        assert_eq!(world.hear("list_refunds", filter.clone()).await, want, "{filter}");
    }
    assert_eq!(world.hear("count_refunds", json!({})).await, "2");
}

#[tokio::test(start_paused = true)]
async fn a_refund_under_way_ends_and_one_that_failed_is_told_so() {
    let world = world();
    world.hear("pay", json!({"number": "A1"})).await;
    pay(&world, "A1").await;
    world.a.on_outgo(Outgo::Pending);
    let refund = json!({"number": "R1", "order": "A1", "amount": 500});
    assert!(world.hear("refund", refund).await.starts_with("Pending "));
    let number = world.a.refunds()[0].number.clone();
    world.a.settle_outgo(&number, OutflowAnswer::Done { reference: None });
    world.pass(Duration::from_mins(30)).await;
    assert!(world.hear("query_refund", json!({"number": "R1"})).await.starts_with("Done "));
    world.a.on_outgo(Outgo::Refuse);
    let refused = json!({"number": "R2", "order": "A1", "amount": 500});
    assert!(world.hear("refund", refused).await.starts_with("Failed "));
}

/// The bodies of what was told so far.
fn bodies(world: &World) -> Vec<String> {
    let text = |body: &[u8]| String::from_utf8(body.to_vec()).unwrap();
    world.transport.notices().iter().map(|call| text(&call.request.body)).collect()
}

fn heard() -> WireResponse {
    WireResponse::ok("text/plain", "heard")
}

#[tokio::test(start_paused = true)]
async fn notices_are_in_the_protocol_and_by_its_schedule_first() {
    let world = world();
    world.hear("pay", json!({"number": "A1"})).await;
    pay(&world, "A1").await;
    let first = world.clock.now();
    let mut moments = Vec::new();
    for _ in 0..4000 {
        if world.payments.deliver().await.unwrap() > 0 {
            moments.push(world.clock.now().since(first));
        }
        world.clock.advance(Duration::from_millis(100)).await;
    }
    // "200" is no acknowledgement; ours is due 305 s after the first try.
    assert_eq!(moments.len(), 4, "{moments:?}");
    for (moment, repeat) in moments[1..].iter().zip(REPEATS) {
        assert!(moment.abs_diff(repeat) < Duration::from_millis(500), "{moments:?}");
    }
    assert!(moments[3] >= Duration::from_mins(5), "{moments:?}");
    let told = bodies(&world);
    let unlike: std::collections::BTreeSet<_> = told.iter().collect();
    assert!(told.iter().all(|body| body.starts_with("paid A1 to shop at ")), "{told:?}");
    assert_eq!(unlike.len(), told.len(), "each with the time of its try");
    let call = &world.transport.notices()[0];
    assert_eq!(
        (call.request.path.as_str(), call.request.query.as_deref()),
        ("/hook", Some("from=paymux&sign=1"))
    );

    world.transport.answer(Ok(heard()));
    for _ in 0..2 {
        world.clock.advance(Duration::from_hours(48)).await;
        while world.payments.deliver().await.unwrap() > 0 {}
    }
    assert_eq!(bodies(&world).len(), 5, "heard, and over");
}

#[tokio::test(start_paused = true)]
async fn only_what_the_protocol_has_a_word_for_is_told() {
    let world = world();
    let own = json!({"number": "A1", "notify_url": "https://own.example/n"});
    world.hear("pay", own).await;
    world.hear("pay", json!({"number": "A2"})).await;
    world.hear("cancel", json!({"number": "A2"})).await;
    pay(&world, "A1").await;
    let refund =
        json!({"number": "R1", "order": "A1", "amount": 500, "notify_url": "https://refunds.example/r"});
    world.hear("refund", refund).await;
    world.transport.answer(Ok(heard()));
    world.transport.answer(Ok(heard()));
    while world.payments.deliver().await.unwrap() > 0 {}
    let calls = world.transport.notices();
    let mut hosts: Vec<_> = calls.iter().map(|call| call.endpoint.host().to_owned()).collect();
    hosts.sort_unstable();
    assert_eq!(hosts, ["own.example", "refunds.example"]);
    let kinds: Vec<_> = world.store.events().iter().map(|event| event.kind.word()).collect();
    assert!(kinds.contains(&"payment.canceled"), "it is in the list of events all the same: {kinds:?}");
}

/// Switched off, it takes nothing; what came in before is told in it.
#[tokio::test(start_paused = true)]
async fn a_front_that_is_off_still_tells() {
    let world = world();
    world.hear("pay", json!({"number": "A1"})).await;
    world.reconfigure(&setting(), speaks(Service::Off));
    let request = WireRequest::new(Verb::Post, "/spoken/query").body("application/json", "{}");
    assert!(world.payments.serve_front(SLUG, &request).await.is_none());
    pay(&world, "A1").await;
    world.transport.answer(Ok(heard()));
    while world.payments.deliver().await.unwrap() > 0 {}
    assert_eq!(bodies(&world).len(), 1);
    assert!(bodies(&world)[0].starts_with("paid A1"));
}

#[tokio::test(start_paused = true)]
async fn a_protocol_of_pages_shows_ours_and_signs_the_way_on() {
    let world = World::with(&setting());
    world.reconfigure(&setting(), |catalog| {
        let mut front = Front::new(std::sync::Arc::new(Spoken { pages: true }), Service::On);
        front.admit(&app(), json!({"name": "tea"}).as_object().cloned().unwrap()).unwrap();
        catalog.fronts.add(front);
    });
    assert_eq!(world.hear("pay", json!({"number": "A1"})).await, "open https://pay.example/pay");
    let open = payment(&world, "A1").await;
    assert_eq!(world.payments.way_on(&open).as_deref(), Some("https://shop.example/back"));
    pay(&world, "A1").await;
    let paid = payment(&world, "A1").await;
    assert_eq!(world.payments.way_on(&paid).as_deref(), Some("https://shop.example/back?of=A1"));
    assert_eq!(world.payments.way_out(&paid), None);
}

#[test]
fn no_two_apps_have_one_name() {
    let mut front = Front::new(std::sync::Arc::new(Spoken { pages: false }), Service::On);
    let name = || json!({"name": "tea"}).as_object().cloned().unwrap();
    assert!(front.admit(&app(), name()).is_ok() && front.admit(&app(), name()).is_ok());
    let other = paymux_core::AppId::new("other").unwrap();
    assert_eq!(front.admit(&other, name()).unwrap_err().0, app());
    assert!(front.account(&other).is_none());
}
