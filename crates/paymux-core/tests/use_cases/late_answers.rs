//! Answers that come when somebody else has moved the payment: what a sender still owns it keeps, and
//! a provider's own word that money is there is never lost.

use std::time::Duration;

use paymux_core::catalog::FailoverUnknown;
use paymux_core::channel::{Can, CancelAnswer, ChannelError, QueryAnswer, Receipt};
use paymux_core::payment::{AttemptState as S, NextAction, Payment, Status};
use paymux_core::{Money, PaymentError};
use paymux_testkit::Script;
use paymux_testkit::channel::BARCODE;
use paymux_testkit::memory_store::Trouble;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::world::{Setting, World, app, request};

type Creating = JoinHandle<Result<paymux_core::payments::CreateAnswer, PaymentError>>;

const TEN: Duration = Duration::from_secs(10);

fn barcode() -> Value {
    json!({"method": "wechat.barcode", "payer": {"auth_code": "134567890123456789"}})
}

fn paid() -> QueryAnswer {
    QueryAnswer::Paid(Receipt::of(Money::fen(1999)))
}

fn begin(world: &World, patch: Value) -> Creating {
    let payments = world.payments.clone();
    tokio::spawn(async move { payments.create(app(), request(patch)).await })
}

/// The store goes away after a second, and comes back after that time.
async fn away(world: &World, span: Duration) {
    world.clock.advance(Duration::from_secs(1)).await;
    world.store.go_away();
    world.clock.advance(span).await;
    world.store.come_back();
}

fn face(payment: &Payment) -> (Status, Vec<S>) {
    (payment.status, payment.attempts.iter().map(|a| a.state).collect())
}

/// A create at a till that takes the money and answers after ten seconds. Meanwhile the clock of another
/// node is so far ahead that it counts the sender for lost, and looks so often at the attempt.
async fn overtaken(setting: &Setting, looks: u32, script: impl Fn(&World)) -> (World, Creating) {
    let world = World::with(setting);
    world.a.on_create(Script::SlowPaid(TEN, Money::fen(1999)));
    let creating = begin(&world, barcode());
    world.clock.advance(Duration::from_secs(1)).await;
    script(&world);
    for look in 0..=looks {
        world.clock.skew(95_000 + 16_000 * i64::from(look));
        world.payments.sweep().await.unwrap();
    }
    world.clock.skew(0);
    (world, creating)
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_says_paid_is_looked_into_although_its_sender_was_counted_for_lost() {
    check(0, |_| {}, S::Unknown).await;
    check(1, |world| world.a.on_query(Ok(QueryAnswer::Closed)), S::Closed).await;

    async fn check(looks: u32, script: fn(&World), state: S) {
        let (world, creating) = overtaken(&Setting::default(), looks, script).await;
        assert_eq!(world.store.payments()[0].attempts[0].state, state);
        world.a.on_query(Ok(paid()));
        let answer = creating.await.unwrap().unwrap().payment;
        assert_eq!(face(&answer), (Status::Succeeded, vec![S::Paid]), "{state}");
        assert_eq!(answer, world.stored(&answer).await);
        assert_eq!(world.told().await.last().map(String::as_str), Some("payment.succeeded"), "{state}");
    }
}

#[tokio::test(start_paused = true)]
async fn where_the_provider_is_silent_at_first_it_is_asked_again() {
    let closed: fn(&World) = |world| world.a.on_query(Ok(QueryAnswer::Closed));
    let (world, creating) = overtaken(&Setting::default(), 1, closed).await;
    world.a.on_query(Err(ChannelError::unknown("cut")));
    world.a.on_query(Ok(paid()));
    let answer = creating.await.unwrap().unwrap().payment;
    assert_eq!(face(&answer), (Status::Failed, vec![S::Lapsed]));
    world.pass(Duration::from_secs(20)).await;
    assert_eq!(face(&world.stored(&answer).await), (Status::Succeeded, vec![S::Paid]));
}

fn proving_absence() -> Setting {
    Setting { a: |a| a.that_proves_absence(BARCODE, Duration::from_mins(1)), ..Setting::default() }
}

/// Neither a provider that lags nor a clock that is ahead takes back that money was said to be there.
#[tokio::test(start_paused = true)]
async fn what_was_said_to_be_paid_is_asked_about_until_its_provider_shows_it() {
    let (world, creating) = overtaken(&proving_absence(), 0, |_| {}).await;
    world.a.finds(QueryAnswer::NotFound);
    let answer = creating.await.unwrap().unwrap().payment;
    assert_eq!(face(&answer), (Status::Processing, vec![S::Unknown]));
    let id = answer.id;
    let refused = world.payments.cancel(app(), id).await.unwrap_err();
    assert_eq!(refused.code(), "not_cancelable");
    world.pass(Duration::from_hours(30)).await;
    let asked = world.stored(&answer).await;
    assert_eq!((face(&asked), world.a.canceled()), ((Status::Processing, vec![S::Unknown]), 0));
    let waits = world.payments.queue(None, None, 9).await.unwrap();
    assert_eq!(waits.iter().map(|item| item.payment).collect::<Vec<_>>(), [Some(id)]);
    let detail = waits[0].detail.clone().unwrap();
    let detail = detail.as_str();
    assert!(detail.contains("19.99 CNY was taken"), "{detail}");
    world.a.finds(QueryAnswer::Open);
    world.pass(Duration::from_hours(2)).await;
    let waits = world.payments.queue(None, None, 9).await.unwrap();
    assert_eq!(waits[0].detail.as_deref(), Some(detail), "also where a query finds it open");
    world.a.finds(paid());
    world.pass(Duration::from_hours(2)).await;
    assert_eq!(face(&world.stored(&answer).await), (Status::Succeeded, vec![S::Paid]));
    assert!(world.payments.queue(None, None, 9).await.unwrap().is_empty());
}

/// The same of an attempt that counted for closed: its watch has no end but the provider's word, or a person's.
#[tokio::test(start_paused = true)]
async fn the_watch_over_what_was_said_to_be_paid_ends_by_the_providers_word_alone() {
    let closed: fn(&World) = |world| world.a.on_query(Ok(QueryAnswer::Closed));
    let (world, creating) = overtaken(&proving_absence(), 1, closed).await;
    world.a.finds(QueryAnswer::NotFound);
    let answer = creating.await.unwrap().unwrap().payment;
    world.pass(Duration::from_hours(30)).await;
    assert_eq!(face(&world.stored(&answer).await), (Status::Failed, vec![S::Lapsed]));
    world.a.finds(QueryAnswer::Closed);
    world.pass(Duration::from_hours(2)).await;
    assert_eq!(face(&world.stored(&answer).await), (Status::Failed, vec![S::Closed]));
    assert!(world.payments.queue(None, None, 9).await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn money_that_has_gone_back_since_is_not_booked() {
    let closed: fn(&World) = |world| {
        world.a.on_query(Ok(QueryAnswer::NotFound));
        world.a.on_cancel(Ok(CancelAnswer::Closed));
        world.a.on_query(Ok(QueryAnswer::Closed));
    };
    let (world, creating) = overtaken(&Setting::default(), 1, closed).await;
    assert_eq!(world.store.payments()[0].attempts[0].state, S::Closed);
    world.a.on_query(Ok(QueryAnswer::Closed));
    let answer = creating.await.unwrap().unwrap().payment;
    assert_eq!(face(&answer), (Status::Failed, vec![S::Closed]));
    assert!(world.store.postings().is_empty());
}

#[tokio::test(start_paused = true)]
async fn where_nobody_can_be_asked_the_answer_itself_is_booked() {
    let setting = Setting { a: |a| a.that_can(Can::nothing_more()), ..Setting::default() };
    let (world, creating) = overtaken(&setting, 1, |_| {}).await;
    assert_eq!(world.store.payments()[0].attempts[0].state, S::Unknown);
    let answer = creating.await.unwrap().unwrap().payment;
    assert_eq!(face(&answer), (Status::Succeeded, vec![S::Paid]));
    assert_eq!(world.a.asked(), 0);
}

/// Its sender waits for the store as long as it takes; nobody else may ever say it.
#[tokio::test(start_paused = true)]
async fn a_store_that_is_away_for_minutes_does_not_lose_that_money_is_there() {
    let world = World::new();
    world.a.on_create(Script::SlowPaid(Duration::from_secs(2), Money::fen(1999)));
    let creating = begin(&world, barcode());
    away(&world, Duration::from_mins(3)).await;
    assert_eq!(creating.await.unwrap().unwrap_err().code(), "overloaded");
    world.clock.advance(Duration::from_secs(1)).await;
    assert_eq!(face(&world.store.payments()[0]), (Status::Succeeded, vec![S::Paid]));
}

/// Looks at an abandoned attempt move the payment on, and take nothing from the one that is being sent.
#[tokio::test(start_paused = true)]
async fn a_look_at_a_sibling_does_not_cost_a_good_answer() {
    let world = World::new();
    world.a.on_create(Script::Lose);
    world.b.on_create(Script::Slow(TEN));
    let creating = begin(&world, json!({}));
    world.pass(TEN).await;
    assert!(world.a.asked() > 0, "the abandoned one was looked at");
    let payment = creating.await.unwrap().unwrap().payment;
    assert_eq!(face(&payment), (Status::Pending, vec![S::Closed, S::Open]));
    let code = NextAction::Qr { qr: format!("qr:{}", payment.attempts[1].number) };
    assert_eq!(payment.next_action, Some(code));
    assert_eq!(payment, world.stored(&payment).await);
}

/// As long as no worker counts the sender for lost, its outcome is offered again.
#[tokio::test(start_paused = true)]
async fn a_store_in_trouble_for_seconds_costs_no_answer() {
    let world = World::new();
    world.a.on_create(Script::Slow(Duration::from_secs(2)));
    let creating = begin(&world, json!({}));
    away(&world, TEN).await;
    let payment = creating.await.unwrap().unwrap().payment;
    assert_eq!(face(&payment), (Status::Pending, vec![S::Open]));
}

/// An action that is learnt when the attempt is no longer its sender's is never shown.
#[tokio::test(start_paused = true)]
async fn a_code_that_comes_after_a_worker_has_taken_the_attempt_is_not_shown() {
    let setting = Setting { failover_unknown: FailoverUnknown::Never, ..Setting::default() };
    let world = World::with(&setting);
    world.a.on_create(Script::Slow(TEN));
    let creating = begin(&world, json!({}));
    world.clock.advance(Duration::from_secs(1)).await;
    world.clock.skew(95_000);
    world.payments.sweep().await.unwrap();
    world.clock.skew(0);
    let payment = creating.await.unwrap().unwrap().payment;
    assert_eq!((face(&payment), payment.next_action), ((Status::Processing, vec![S::Unknown]), None));
}

/// An outcome that was stored although nobody said so is not stored twice, and its next attempt goes out.
#[tokio::test(start_paused = true)]
async fn an_outcome_whose_commit_was_not_confirmed_is_found() {
    let world = World::new();
    world.a.on_create(Script::Lose);
    world.store.trouble(Trouble::Delayed(Duration::ZERO));
    world.store.trouble(Trouble::AnswerLost);
    let payment = world.created(json!({})).await;
    assert_eq!(face(&payment), (Status::Pending, vec![S::Abandoned, S::Open]));
    assert_eq!((world.a.orders().len(), world.b.orders().len()), (1, 1));
}
