//! Create: idempotence, failover, and what an unknown outcome allows.

use std::time::Duration;

use crate::world::{Setting, World, app, channel};
use paymux_core::catalog::FailoverUnknown;
use paymux_core::channel::{Blame, QueryAnswer, Receipt};
use paymux_core::payment::{AttemptState as S, NextAction, Payment, Status};
use paymux_core::store::PaymentLedger as _;
use paymux_core::{Money, PaymentError};
use paymux_testkit::Script;
use paymux_testkit::memory_store::Trouble;
use serde_json::json;

fn states(payment: &Payment) -> Vec<S> {
    payment.attempts.iter().map(|a| a.state).collect()
}

#[tokio::test(start_paused = true)]
async fn an_open_order_shows_its_code_and_is_stored() {
    let world = World::new();
    let answer = world.create(json!({})).await.unwrap();
    assert!(answer.is_new);
    let payment = answer.payment;
    assert_eq!(payment.status, Status::Pending);
    assert_eq!(states(&payment), [S::Open]);
    let number = payment.attempts[0].number.to_string();
    assert_eq!(payment.next_action, Some(NextAction::Qr { qr: format!("qr:{number}") }));
    assert_eq!(world.stored(&payment).await, payment);
    let order = &world.a.orders()[0];
    assert_eq!(order.number.as_str(), number);
    assert_eq!(order.notify_url, "https://pay.example/notify/a");
    assert_eq!(order.return_url, format!("https://pay.example/return/a/{number}"));
}

#[tokio::test(start_paused = true)]
async fn the_attempt_is_stored_before_a_byte_leaves() {
    let world = World::new();
    world.a.on_create(Script::Slow(Duration::from_secs(3)));
    let creating = tokio::spawn({
        let payments = world.payments.clone();
        async move { payments.create(app(), crate::world::request(json!({}))).await }
    });
    world.clock.advance(Duration::from_secs(1)).await;
    assert_eq!(world.transport.sent().len(), 1);
    let number = world.a.orders()[0].number.clone();
    let stored = world.store.payment_by_number(&channel("a"), number.as_str()).await.unwrap().unwrap();
    assert_eq!((stored.status, states(&stored)), (Status::Processing, vec![S::Sending]));
    assert_eq!(stored.next_action, None);
    assert_eq!(creating.await.unwrap().unwrap().payment.status, Status::Pending);
}

#[tokio::test(start_paused = true)]
async fn the_same_request_again_finds_the_same_payment() {
    let world = World::new();
    let first = world.create(json!({})).await.unwrap();
    let again = world.create(json!({})).await.unwrap();
    assert!(first.is_new && !again.is_new);
    assert_eq!(first.payment, again.payment);
    assert_eq!(world.a.orders().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn many_equal_requests_at_once_make_one_order() {
    let world = World::new();
    world.a.on_create(Script::Slow(Duration::from_secs(2)));
    let requests = (0..64).map(|_| world.create(json!({})));
    let answers = futures_util::future::join_all(requests).await;
    let payments: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    assert_eq!(payments.iter().filter(|answer| answer.is_new).count(), 1);
    assert!(payments.iter().all(|answer| answer.payment == payments[0].payment));
    assert_eq!(payments[0].payment.status, Status::Pending);
    assert_eq!(world.a.orders().len() + world.b.orders().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_same_number_with_another_field_is_refused() {
    let world = World::new();
    world.created(json!({})).await;
    for patch in [json!({"amount": 2000}), json!({"subject": "Coffee"}), json!({"metadata": {"a": "b"}})] {
        let error = world.create(patch.clone()).await.unwrap_err();
        assert_eq!(error.code(), "order_mismatch", "{patch}");
    }
    assert_eq!(world.a.orders().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_refusal_goes_on_to_the_next_channel_only_if_another_may_fare_better() {
    check(Script::Refuse(Blame::Account), &[S::Refused, S::Open], Status::Pending).await;
    check(Script::Refuse(Blame::Provider), &[S::Refused, S::Open], Status::Pending).await;
    check(Script::Refuse(Blame::Request), &[S::Refused], Status::Failed).await;
    check(Script::NotSent, &[S::NotSent, S::Open], Status::Pending).await;

    async fn check(script: Script, want: &[S], status: Status) {
        let world = World::new();
        world.a.on_create(script.clone());
        let payment = world.created(json!({})).await;
        assert_eq!((states(&payment).as_slice(), payment.status), (want, status), "{script:?}");
        assert_eq!(world.stored(&payment).await, payment);
        let numbers: std::collections::BTreeSet<_> =
            payment.attempts.iter().map(|a| a.number.as_str()).collect();
        assert_eq!(numbers.len(), payment.attempts.len(), "each attempt has its own number");
    }
}

#[tokio::test(start_paused = true)]
async fn a_payment_that_everyone_refused_has_failed_and_says_why() {
    let world = World::new();
    world.a.on_create(Script::NotSent);
    world.b.on_create(Script::Refuse(Blame::Account));
    let payment = world.created(json!({})).await;
    assert_eq!((payment.status, states(&payment)), (Status::Failed, vec![S::NotSent, S::Refused]));
    let failure = payment.failure.unwrap();
    assert_eq!((failure.code.as_str(), failure.provider_code.as_deref()), ("refused", Some("NO")));
    assert_eq!(world.told().await, ["payment.failed"]);
}

#[tokio::test(start_paused = true)]
async fn failover_goes_no_further_than_the_route_says_and_not_past_a_pin() {
    let world = World::with(&Setting { failover: 0, ..Setting::default() });
    world.a.on_create(Script::NotSent);
    assert_eq!(states(&world.created(json!({})).await), [S::NotSent]);

    let world = World::new();
    world.a.on_create(Script::NotSent);
    let payment = world.created(json!({"channel": "a"})).await;
    assert_eq!((payment.status, states(&payment)), (Status::Failed, vec![S::NotSent]));
    assert!(world.b.orders().is_empty());
}

#[tokio::test(start_paused = true)]
async fn failover_does_not_start_after_its_budget() {
    check(Duration::from_secs(9), &[S::Refused, S::Open]).await;
    check(Duration::from_secs(11), &[S::Refused]).await;

    async fn check(slow: Duration, want: &[S]) {
        let world = World::new();
        world.a.on_create(Script::SlowRefusal(slow));
        assert_eq!(states(&world.created(json!({})).await), want, "{slow:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_that_nobody_can_act_on_is_abandoned_for_the_next_channel() {
    let world = World::new();
    world.a.on_create(Script::Lose);
    let payment = world.created(json!({})).await;
    assert_eq!((payment.status, states(&payment)), (Status::Pending, vec![S::Abandoned, S::Open]));
    let code = payment.next_action.unwrap();
    assert_eq!(code, NextAction::Qr { qr: format!("qr:{}", payment.attempts[1].number) });
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_stays_unknown_where_money_may_have_moved_or_the_route_forbids_it() {
    let barcode = json!({"method": "wechat.barcode", "payer": {"auth_code": "134567890123456789"}});
    check(&Setting::default(), barcode).await;
    check(&Setting { failover_unknown: FailoverUnknown::Never, ..Setting::default() }, json!({})).await;
    check(&Setting { failover: 0, ..Setting::default() }, json!({})).await;
    check(&Setting::default(), json!({"channel": "a"})).await;

    async fn check(setting: &Setting, patch: serde_json::Value) {
        let world = World::with(setting);
        world.a.on_create(Script::Lose);
        let payment = world.created(patch.clone()).await;
        assert_eq!((payment.status, states(&payment)), (Status::Processing, vec![S::Unknown]), "{patch}");
        assert!(world.b.orders().is_empty(), "{patch}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_plugin_that_lies_or_panics_after_sending_leaves_the_outcome_unknown() {
    for script in [Script::Lie, Script::Panic] {
        let world = World::with(&Setting { failover_unknown: FailoverUnknown::Never, ..Setting::default() });
        world.a.on_create(script.clone());
        let payment = world.created(json!({})).await;
        assert_eq!(states(&payment), [S::Unknown], "{script:?}");
        assert!(world.b.orders().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_create_is_found_paid_by_the_query_loop() {
    let world = World::with(&Setting { failover_unknown: FailoverUnknown::Never, ..Setting::default() });
    world.a.on_create(Script::Lose);
    let payment = world.created(json!({})).await;
    world.a.on_query(Ok(QueryAnswer::NotFound));
    world.a.on_query(Ok(QueryAnswer::Paid(Receipt::of(Money::fen(1999)))));
    world.pass(Duration::from_mins(1)).await;
    let payment = world.stored(&payment).await;
    assert_eq!((payment.status, states(&payment)), (Status::Succeeded, vec![S::Paid]));
    assert_eq!(world.told().await, ["payment.succeeded"]);
}

#[tokio::test(start_paused = true)]
async fn a_slow_provider_is_answered_as_processing_and_finishes_later() {
    let world = World::with(&Setting { answer: Duration::from_secs(5), ..Setting::default() });
    world.a.on_create(Script::Slow(Duration::from_secs(10)));
    let payment = world.created(json!({})).await;
    assert_eq!((payment.status, states(&payment)), (Status::Processing, vec![S::Sending]));
    world.pass(Duration::from_secs(10)).await;
    assert_eq!(world.stored(&payment).await.status, Status::Pending);
}

#[tokio::test(start_paused = true)]
async fn a_barcode_can_be_paid_at_once_and_is_believed_only_in_full() {
    let barcode = json!({"method": "wechat.barcode", "payer": {"auth_code": "134567890123456789"}});
    let world = World::new();
    world.a.on_create(Script::Paid(Money::fen(1999)));
    let payment = world.created(barcode.clone()).await;
    assert_eq!((payment.status, payment.amount_received), (Status::Succeeded, Money::fen(1999)));
    assert_eq!(world.told().await, ["payment.succeeded"]);

    let world = World::new();
    world.a.on_create(Script::Paid(Money::fen(1998)));
    let payment = world.created(barcode).await;
    assert_eq!(payment.status, Status::Processing);
    assert_eq!(payment.held.map(paymux_core::payment::Held::word), Some("underpaid"));
    assert_eq!(world.told().await, ["payment.underpaid"]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_stored_when_no_channel_may_take_it() {
    let world = World::new();
    check(&world, json!({"method": "jd.web"}), "method").await;
    check(&world, json!({"currency": "USD"}), "currency").await;
    check(&world, json!({"method": "alipay.web", "expires_in": 360}), "expiry").await;
    check(&world, json!({"channel": "elsewhere"}), "pin").await;

    async fn check(world: &World, patch: serde_json::Value, rule: &str) {
        let error = world.create(patch.clone()).await.unwrap_err();
        let PaymentError::NoChannel(nobody) = &error else { panic!("{patch}: {error}") };
        let rules: Vec<_> = nobody.removed.iter().map(|(_, removal)| removal.rule).collect();
        assert!(rules.contains(&rule), "{patch}: {rules:?}");
        let order_no = crate::world::request(json!({})).order_no;
        assert_eq!(world.store.payment_by_order(&app(), &order_no).await.unwrap(), None, "{patch}");
    }
}

#[tokio::test(start_paused = true)]
async fn extra_fields_and_notice_addresses_are_checked_before_anything_is_stored() {
    let world = World::new();
    check(&world, json!({"extra": {"app_id": "x"}}), "extra.app_id").await;
    check(&world, json!({"notify_url": "http://shop.example/"}), "notify_url").await;

    async fn check(world: &World, patch: serde_json::Value, param: &str) {
        match world.create(patch).await.unwrap_err() {
            PaymentError::Invalid(field) => assert_eq!(field.param, param),
            error => panic!("{error}"),
        }
        assert!(world.a.orders().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn an_app_without_a_notice_secret_cannot_name_a_notice_address() {
    let world = World::new();
    let other = paymux_core::AppId::new("other").unwrap();
    let request = crate::world::request(json!({"notify_url": "https://other.example/"}));
    let error = world.payments.create(other, request).await.unwrap_err();
    assert!(error.to_string().contains("notify_secret"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn one_app_never_sees_the_payments_of_another() {
    let world = World::new();
    let payment = world.created(json!({})).await;
    let other = paymux_core::AppId::new("other").unwrap();
    assert_eq!(world.payments.find(&other, payment.id).await.unwrap_err().code(), "not_found");
    assert_eq!(world.payments.sync(other.clone(), payment.id).await.unwrap_err().code(), "not_found");
    assert_eq!(world.payments.cancel(other, payment.id).await.unwrap_err().code(), "not_found");
    assert_eq!(world.a.canceled() + world.a.asked(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_sender_held_up_past_its_time_sends_nothing() {
    let world = World::new();
    world.store.trouble(Trouble::AnsweredLate(Duration::from_secs(25)));
    let creating = tokio::spawn({
        let payments = world.payments.clone();
        async move { payments.create(app(), crate::world::request(json!({}))).await }
    });
    world.pass(Duration::from_secs(24)).await;
    let payment = world.store.payments().remove(0);
    assert_eq!(states(&payment), [S::Unknown], "a worker has given its sender up");
    let answer = creating.await.unwrap().unwrap().payment;
    world.clock.advance(Duration::from_secs(1)).await;
    assert!(world.a.orders().is_empty() && world.b.orders().is_empty());
    assert_eq!(answer.next_action, None);
}

#[tokio::test(start_paused = true)]
async fn a_lost_commit_answer_costs_no_payment() {
    let world = World::new();
    world.store.trouble(Trouble::AnswerLost);
    let answer = world.create(json!({})).await.unwrap();
    assert_eq!((answer.is_new, answer.payment.status), (true, Status::Pending));
    assert_eq!(answer.payment, world.stored(&answer.payment).await);
}

#[tokio::test(start_paused = true)]
async fn a_lost_commit_answer_does_not_forget_which_channel_was_tried() {
    let world = World::new();
    for channel in [&world.a, &world.b] {
        channel.on_create(Script::Refuse(Blame::Account));
    }
    let payment = {
        let creating = world.create(json!({}));
        // The opening goes well; the outcome's answer is lost.
        world.store.trouble(Trouble::Delayed(Duration::ZERO));
        world.store.trouble(Trouble::AnswerLost);
        creating.await.unwrap().payment
    };
    assert_eq!((world.a.orders().len(), world.b.orders().len()), (1, 1));
    assert_eq!((states(&payment), payment.status), (vec![S::Refused, S::Refused], Status::Failed));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_for_a_payment_that_cannot_be_read_back() {
    let world = World::new();
    world.store.trouble(Trouble::Lost);
    assert_eq!(world.create(json!({})).await.unwrap_err().code(), "overloaded");
    assert!(world.a.orders().is_empty());
    assert!(world.create(json!({})).await.unwrap().is_new);
}
