//! How payments end unpaid: cancel, expiry by call, by timer, by our clock, and orphans.

use std::time::Duration;

use crate::world::{Setting, World, app, channel};
use paymux_core::catalog::FailoverUnknown;
use paymux_core::channel::{Can, CancelAnswer, ChannelError, OrderEnd, QueryAnswer, Receipt};
use paymux_core::payment::{AttemptState as S, Held, Payment, Status};
use paymux_core::{Money, PaymentError};
use paymux_testkit::Script;
use paymux_testkit::channel::{BARCODE, callback};
use paymux_testkit::memory_store::Trouble;
use serde_json::json;

fn face(payment: &Payment) -> (Status, S) {
    (payment.status, payment.attempts[0].state)
}

#[tokio::test(start_paused = true)]
async fn a_cancel_closes_at_the_provider_first_and_has_one_effect() {
    let world = World::new();
    let payment = world.created(json!({})).await;
    let canceled = world.payments.cancel(app(), payment.id).await.unwrap();
    assert_eq!((face(&canceled), canceled.next_action.clone()), ((Status::Canceled, S::Closed), None));
    assert_eq!(world.a.canceled(), 1);
    assert_eq!(world.a.asked(), 1, "a last query after the close");
    assert_eq!(world.payments.cancel(app(), payment.id).await.unwrap(), canceled);
    assert_eq!(world.a.canceled(), 1);
    assert_eq!(world.told().await, ["payment.canceled"]);
}

#[tokio::test(start_paused = true)]
async fn money_that_comes_before_the_close_counts() {
    check(|world| world.a.on_cancel(Ok(CancelAnswer::Paid(Receipt::of(Money::fen(1999)))))).await;
    check(|world| world.a.on_query(Ok(QueryAnswer::Paid(Receipt::of(Money::fen(1999)))))).await;

    async fn check(script: impl Fn(&World)) {
        let world = World::new();
        let payment = world.created(json!({})).await;
        script(&world);
        let error = world.payments.cancel(app(), payment.id).await.unwrap_err();
        assert!(matches!(error, PaymentError::AlreadyPaid), "{error}");
        assert_eq!(face(&world.stored(&payment).await), (Status::Succeeded, S::Paid));
        assert_eq!(world.payments.cancel(app(), payment.id).await.unwrap_err().code(), "already_paid");
        assert_eq!(world.told().await, ["payment.succeeded"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cancel_that_money_overtakes_does_not_reach_the_provider() {
    let world = World::new();
    let payment = world.created(json!({})).await;
    world.store.trouble(Trouble::Delayed(Duration::from_secs(1)));
    let cancel = tokio::spawn({
        let (payments, id) = (world.payments.clone(), payment.id);
        async move { payments.cancel(app(), id).await }
    });
    world.clock.advance(Duration::from_millis(500)).await;
    let paid = callback(payment.attempts[0].number.as_str(), Money::fen(1999), "T1");
    world.payments.take_callback(channel("a"), paid).await.unwrap();
    assert_eq!(cancel.await.unwrap().unwrap_err().code(), "already_paid");
    assert_eq!(world.a.canceled(), 0, "a reversal would give the money back");
    let stored = world.stored(&payment).await;
    assert_eq!((face(&stored), stored.cancel_requested), ((Status::Succeeded, S::Paid), false));
}

#[tokio::test(start_paused = true)]
async fn an_unknown_order_is_not_given_up_before_its_time() {
    let world = World::with(&Setting { failover: 0, ..Setting::default() });
    world.a.on_create(Script::Lose);
    let payment = world.created(json!({"expires_in": 300})).await;
    for _ in 0..20 {
        world.a.on_query(Ok(QueryAnswer::NotFound));
        world.a.on_cancel(Err(ChannelError::unknown("cut")));
    }
    assert_eq!(world.payments.cancel(app(), payment.id).await.unwrap_err().code(), "in_flight");
    world.pass(Duration::from_secs(290)).await;
    assert_eq!(face(&world.stored(&payment).await), (Status::Processing, S::Unknown));
    assert!(world.a.canceled() > 1);
    world.pass(Duration::from_secs(20)).await;
    assert_eq!(face(&world.stored(&payment).await), (Status::Canceled, S::Abandoned));
}

#[tokio::test(start_paused = true)]
async fn an_abandoned_order_is_closed_without_waiting_for_its_end() {
    let world = World::new();
    world.a.on_create(Script::Lose);
    let payment = world.created(json!({})).await;
    assert_eq!(payment.attempts[0].state, S::Abandoned);
    world.pass(Duration::from_secs(10)).await;
    assert_eq!((world.a.canceled(), world.b.canceled()), (1, 0));
    let stored = world.stored(&payment).await;
    let states: Vec<_> = stored.attempts.iter().map(|a| a.state).collect();
    assert_eq!((stored.status, states), (Status::Pending, vec![S::Closed, S::Open]));
}

#[tokio::test(start_paused = true)]
async fn a_refused_close_leaves_the_payment_as_it_was() {
    let world = World::new();
    let payment = world.created(json!({})).await;
    world.a.on_cancel(Ok(CancelAnswer::Refused("busy".to_owned())));
    let error = world.payments.cancel(app(), payment.id).await.unwrap_err();
    assert_eq!(error.code(), "not_cancelable");
    assert!(error.to_string().contains("busy"));
    let stored = world.stored(&payment).await;
    assert_eq!((face(&stored), stored.cancel_requested), ((Status::Pending, S::Open), false));
    assert!(stored.next_action.is_some());
}

#[tokio::test(start_paused = true)]
async fn an_unconfirmed_close_is_finished_by_the_sweep() {
    let world = World::new();
    let payment = world.created(json!({})).await;
    world.a.on_cancel(Err(ChannelError::unknown("cut")));
    assert_eq!(world.payments.cancel(app(), payment.id).await.unwrap_err().code(), "in_flight");
    let stored = world.stored(&payment).await;
    assert_eq!((face(&stored), stored.cancel_requested), ((Status::Pending, S::Open), true));
    world.pass(Duration::from_secs(40)).await;
    assert_eq!(face(&world.stored(&payment).await), (Status::Canceled, S::Closed));
}

#[tokio::test(start_paused = true)]
async fn a_close_that_a_query_does_not_show_is_no_end_but_watched() {
    let world = World::new();
    let payment = world.created(json!({})).await;
    world.a.on_query(Ok(QueryAnswer::Open));
    let canceled = world.payments.cancel(app(), payment.id).await.unwrap();
    assert_eq!(face(&canceled), (Status::Canceled, S::Lapsed));
    world.a.on_query(Ok(QueryAnswer::Paid(Receipt::of(Money::fen(1999)))));
    world.pass(Duration::from_secs(10)).await;
    assert_eq!(world.stored(&payment).await.held, Some(Held::Late));
}

#[tokio::test(start_paused = true)]
async fn a_close_that_is_shown_late_ends_the_watch() {
    let world = World::new();
    let payment = world.created(json!({})).await;
    world.a.on_query(Ok(QueryAnswer::Open));
    world.payments.cancel(app(), payment.id).await.unwrap();
    world.pass(Duration::from_secs(10)).await;
    assert_eq!(face(&world.stored(&payment).await), (Status::Canceled, S::Closed));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_canceled_says_why() {
    let world = World::new();
    check(&world, json!({"order_no": "timer", "method": "alipay.web"}), "unsupported").await;
    check(&world, json!({"order_no": "endless", "method": "alipay.wap"}), "unsupported").await;
    world.a.on_create(Script::Refuse(paymux_core::channel::Blame::Request));
    check(&world, json!({"order_no": "failed"}), "not_cancelable").await;
    assert_eq!(world.a.canceled(), 0);

    let world = World::with(&Setting { a: |a| a.that_can(Can::QUERY), ..Setting::default() });
    check(&world, json!({}), "unsupported").await;

    async fn check(world: &World, patch: serde_json::Value, code: &str) {
        let payment = world.created(patch.clone()).await;
        let error = world.payments.cancel(app(), payment.id).await.unwrap_err();
        assert_eq!(error.code(), code, "{patch}: {error}");
        assert_eq!(world.stored(&payment).await, payment, "{patch}");
    }
}

#[tokio::test(start_paused = true)]
async fn time_closes_an_order_that_ends_by_a_call() {
    let world = World::new();
    let payment = world.created(json!({"expires_in": 60})).await;
    world.pass(Duration::from_secs(58)).await;
    assert_eq!(face(&world.stored(&payment).await), (Status::Pending, S::Open));
    assert_eq!(world.a.canceled(), 0);
    world.pass(Duration::from_secs(5)).await;
    assert_eq!(face(&world.stored(&payment).await), (Status::Expired, S::Closed));
    assert_eq!(world.told().await, ["payment.expired"]);
}

#[tokio::test(start_paused = true)]
async fn a_provider_timer_counts_only_with_its_margin_and_an_unpaid_query() {
    let world = World::new();
    let payment = world.created(json!({"method": "alipay.web", "expires_in": 600})).await;
    world.pass(Duration::from_secs(1190)).await;
    assert_eq!(face(&world.stored(&payment).await), (Status::Pending, S::Open));
    world.pass(Duration::from_secs(20)).await;
    assert_eq!(face(&world.stored(&payment).await), (Status::Expired, S::Lapsed));
    assert_eq!(world.a.canceled(), 0);
}

#[tokio::test(start_paused = true)]
async fn not_found_does_not_end_an_open_order() {
    let world = World::new();
    let payment = world.created(json!({"method": "alipay.web", "expires_in": 600})).await;
    for _ in 0..50 {
        world.a.on_query(Ok(QueryAnswer::NotFound));
    }
    world.pass(Duration::from_secs(1300)).await;
    assert_eq!(face(&world.stored(&payment).await), (Status::Pending, S::Open));
}

#[tokio::test(start_paused = true)]
async fn an_order_without_an_end_lapses_by_our_clock_and_stays_watched() {
    let world = World::new();
    let payment = world.created(json!({"method": "alipay.wap", "expires_in": 60})).await;
    world.pass(Duration::from_secs(62)).await;
    assert_eq!(face(&world.stored(&payment).await), (Status::Expired, S::Lapsed));
    world.a.on_query(Ok(QueryAnswer::Paid(Receipt::of(Money::fen(1999)))));
    world.pass(Duration::from_hours(2)).await;
    assert_eq!(face(&world.stored(&payment).await), (Status::Succeeded, S::Paid));
    assert_eq!(world.told().await, ["payment.expired", "payment.succeeded"]);
}

#[tokio::test(start_paused = true)]
async fn an_orphaned_send_is_unknown_and_then_found() {
    // The process "dies" while the call is under way: its payments are dropped with the runtime's
    // task, so only a worker of another process is left.
    let world = World::with(&Setting { failover_unknown: FailoverUnknown::Never, ..Setting::default() });
    world.a.on_create(Script::Slow(Duration::from_hours(1)));
    let creating = tokio::spawn({
        let payments = world.payments.clone();
        async move { payments.create(app(), crate::world::request(json!({}))).await }
    });
    world.clock.advance(Duration::from_secs(1)).await;
    creating.abort();
    let number = world.a.orders()[0].number.clone();
    let payment = world.payments.find_by_number(&crate::world::channel("a"), number.as_str()).await.unwrap();
    world.a.on_query(Ok(QueryAnswer::NotFound));
    world.a.on_query(Ok(QueryAnswer::Paid(Receipt::of(Money::fen(1999)))));
    world.pass(Duration::from_mins(1)).await;
    assert_eq!(face(&world.stored(&payment).await), (Status::Succeeded, S::Paid));
    assert_eq!(world.a.orders().len() + world.b.orders().len(), 1, "never sent again");
}

#[tokio::test(start_paused = true)]
async fn an_expired_unknown_is_given_up_only_where_nobody_can_pay_it() {
    let world = World::with(&Setting { failover: 0, a: |a| a.that_can(Can::QUERY), ..Setting::default() });
    world.a.on_create(Script::Lose);
    let payment = world.created(json!({"method": "alipay.wap", "expires_in": 60})).await;
    for _ in 0..20 {
        world.a.on_query(Ok(QueryAnswer::NotFound));
    }
    world.pass(Duration::from_mins(2)).await;
    assert_eq!(face(&world.stored(&payment).await), (Status::Expired, S::Abandoned));

    let world = World::with(&Setting { a: |a| a.that_can(Can::QUERY), ..Setting::default() });
    world.a.on_create(Script::Lose);
    let barcode = json!({"method": "wechat.barcode", "payer": {"auth_code": "134567"}, "expires_in": 60});
    let payment = world.created(barcode).await;
    for _ in 0..60 {
        world.a.on_query(Ok(QueryAnswer::NotFound));
    }
    world.pass(Duration::from_hours(3)).await;
    assert_eq!(face(&world.stored(&payment).await), (Status::Processing, S::Unknown), "a person ends it");
}

#[tokio::test(start_paused = true)]
async fn sync_asks_the_provider_now() {
    let world = World::new();
    let payment = world.created(json!({})).await;
    assert_eq!(world.payments.sync(app(), payment.id).await.unwrap().status, Status::Pending);
    world.a.on_query(Ok(QueryAnswer::Paid(Receipt::of(Money::fen(1999)))));
    assert_eq!(world.payments.sync(app(), payment.id).await.unwrap().status, Status::Succeeded);
    assert_eq!(world.payments.sync(app(), payment.id).await.unwrap().status, Status::Succeeded);
    assert_eq!(world.a.asked(), 2);
}

/// Neither a merchant nor a worker calls a close that its provider takes only later.
#[tokio::test(start_paused = true)]
async fn a_close_waits_for_its_providers_hours() {
    const OPENS: Duration = Duration::from_mins(15);
    let a = |a: paymux_testkit::ScriptedChannel| a.that_closes_from(paymux_testkit::clock::START.plus(OPENS));
    let world = World::with(&Setting { a, ..Setting::default() });
    let payment = world.created(json!({"expires_in": 60})).await;
    let error = world.payments.cancel(app(), payment.id).await.unwrap_err();
    assert_eq!(error.code(), "not_cancelable");
    assert!(error.to_string().contains("from 2024-03-01T00:15:00.000Z on"), "{error}");
    world.pass(Duration::from_secs(15 * 60 - 1)).await;
    let stored = world.stored(&payment).await;
    assert_eq!((face(&stored), stored.attempts[0].closing_until), ((Status::Pending, S::Open), None));
    assert_eq!(world.a.canceled(), 0);
    world.pass(Duration::from_hours(1)).await;
    assert_eq!(face(&world.stored(&payment).await), (Status::Expired, S::Closed));
    assert_eq!(world.a.canceled(), 1);
}

/// Nobody at a till waits half an hour for an order that its provider ends after a minute and a half.
#[tokio::test(start_paused = true)]
async fn an_order_with_a_life_of_its_own_is_ended_by_then() {
    const END: OrderEnd = OrderEnd::Call { not_before: Duration::ZERO, lives: Some(Duration::from_secs(90)) };
    let world = World::with(&Setting { a: |a| a.that_ends(BARCODE, END), ..Setting::default() });
    let barcode = json!({"method": "wechat.barcode", "payer": {"auth_code": "134567"}, "expires_in": 1800});
    let payment = world.created(barcode).await;
    world.pass(Duration::from_secs(88)).await;
    assert_eq!((face(&world.stored(&payment).await), world.a.canceled()), ((Status::Pending, S::Open), 0));
    world.pass(Duration::from_secs(4)).await;
    assert_eq!((face(&world.stored(&payment).await), world.a.canceled()), ((Status::Expired, S::Closed), 1));
}
