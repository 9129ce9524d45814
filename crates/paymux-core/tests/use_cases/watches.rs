//! Orders that count as ended by our clocks alone, or by absence: they are watched, since a clock may be wrong.

use std::time::Duration;

use paymux_core::channel::{ChannelError, QueryAnswer, Receipt};
use paymux_core::payment::{AttemptState as S, Payment, Status};
use paymux_core::{Money, PaymentError};
use paymux_testkit::Script;
use paymux_testkit::channel::BARCODE;
use serde_json::json;
use tokio::task::JoinHandle;

use crate::world::{Setting, World, app, request};

const HOUR: Duration = Duration::from_hours(1);
const HOUR_MS: i64 = 3_600_000;
/// Somewhat less than a [`paymux_testkit::ScriptedChannel`]'s watch and what clocks may be apart.
const MOST_OF_A_WATCH: Duration = Duration::from_hours(25);

fn face(payment: &Payment) -> (Status, S) {
    (payment.status, payment.attempts[0].state)
}

fn paid() -> QueryAnswer {
    QueryAnswer::Paid(Receipt::of(Money::fen(1999)))
}

/// An order that ends by its provider's timer, and by ours now.
async fn over(world: &World) -> Payment {
    let payment = world.created(json!({"method": "alipay.web", "expires_in": 600})).await;
    world.pass(Duration::from_secs(1_201)).await;
    assert_eq!(face(&world.stored(&payment).await), (Status::Expired, S::Lapsed));
    payment
}

/// The clock of another node, an hour ahead, calls a timer over that has half an hour to go. The callback
/// is lost.
#[tokio::test(start_paused = true)]
async fn money_on_an_order_whose_timer_only_a_wrong_clock_calls_over_is_found() {
    let world = World::new();
    let payment = world.created(json!({"method": "alipay.web", "expires_in": 1800})).await;
    world.clock.skew(HOUR_MS);
    world.payments.sweep().await.unwrap();
    world.clock.skew(0);
    assert_eq!(face(&world.stored(&payment).await), (Status::Expired, S::Lapsed));
    world.a.finds(paid());
    world.pass(3 * HOUR).await;
    assert_eq!(face(&world.stored(&payment).await), (Status::Succeeded, S::Paid));
    assert_eq!(world.told().await, ["payment.expired", "payment.succeeded"]);
}

/// A payer at a till types a password while the clock of another node, an hour ahead, takes the sender for
/// lost and absence for proven.
async fn overtaken_at_a_till(world: &World) -> JoinHandle<Result<Payment, PaymentError>> {
    world.a.on_create(Script::Slow(Duration::from_secs(10)));
    let payments = world.payments.clone();
    let barcode = json!({"method": "wechat.barcode", "payer": {"auth_code": "134567"}, "expires_in": 7200});
    let barcode = request(barcode);
    let creating = tokio::spawn(async move { Ok(payments.create(app(), barcode).await?.payment) });
    world.clock.advance(Duration::from_secs(1)).await;
    for seconds in [0, 16] {
        world.clock.skew(HOUR_MS + seconds * 1000);
        world.payments.sweep().await.unwrap();
    }
    world.clock.skew(0);
    creating
}

#[tokio::test(start_paused = true)]
async fn money_on_an_order_whose_absence_only_a_wrong_clock_proves_is_found() {
    let a = |a: paymux_testkit::ScriptedChannel| a.that_proves_absence(BARCODE, Duration::from_mins(1));
    let world = World::with(&Setting { a, ..Setting::default() });
    world.a.finds(QueryAnswer::NotFound);
    let creating = overtaken_at_a_till(&world).await;
    let payment = creating.await.unwrap().unwrap();
    assert_eq!(face(&payment), (Status::Failed, S::Lapsed));
    world.a.finds(paid());
    world.pass(2 * HOUR).await;
    assert_eq!(face(&world.stored(&payment).await), (Status::Succeeded, S::Paid));
    assert_eq!(world.told().await, ["payment.failed", "payment.succeeded"]);
}

/// A provider calls an order closed, and its own create answer says later that a payer is typing.
#[tokio::test(start_paused = true)]
async fn an_answer_that_contradicts_an_end_has_the_order_watched_where_the_create_moves_money() {
    let world = World::new();
    world.a.on_query(Ok(QueryAnswer::Closed));
    let creating = overtaken_at_a_till(&world).await;
    assert_eq!(face(&world.store.payments()[0]), (Status::Failed, S::Closed));
    let payment = creating.await.unwrap().unwrap();
    assert_eq!(face(&payment), (Status::Failed, S::Lapsed));
    world.a.finds(paid());
    world.pass(Duration::from_mins(2)).await;
    assert_eq!(face(&world.stored(&payment).await), (Status::Succeeded, S::Paid));
}

#[tokio::test(start_paused = true)]
async fn a_watch_ends_with_an_answer_and_not_before() {
    let world = World::new();
    let payment = over(&world).await;
    let check_at = async || world.stored(&payment).await.attempts[0].check_at;
    world.pass(MOST_OF_A_WATCH).await;
    assert!(check_at().await.is_some());
    world.a.on_query(Err(ChannelError::unknown("cut")));
    world.a.on_query(Err(ChannelError::unknown("cut")));
    world.a.on_query(Err(ChannelError::unknown("cut")));
    world.pass(2 * HOUR).await;
    assert!(check_at().await.is_some(), "nobody got an answer");
    world.pass(2 * HOUR).await;
    let (asked, stored) = (world.a.asked(), world.stored(&payment).await);
    assert_eq!((face(&stored), stored.attempts[0].check_at), ((Status::Expired, S::Lapsed), None));
    world.pass(2 * HOUR).await;
    assert_eq!(world.a.asked(), asked);
}

#[tokio::test(start_paused = true)]
async fn a_watched_order_is_closed_by_its_providers_word() {
    let world = World::new();
    let payment = over(&world).await;
    world.a.finds(QueryAnswer::Closed);
    world.pass(2 * HOUR).await;
    let stored = world.stored(&payment).await;
    assert_eq!((face(&stored), stored.attempts[0].check_at), ((Status::Expired, S::Closed), None));
    assert_eq!(world.told().await, ["payment.expired"]);
}

/// Where orders live their own time, "no such order" proves nothing before that is over.
#[tokio::test(start_paused = true)]
async fn absence_is_proven_after_an_orders_own_end() {
    let a = |a: paymux_testkit::ScriptedChannel| {
        a.that_can(paymux_core::channel::Can::QUERY)
            .that_proves_absence_after_end(BARCODE, Duration::from_secs(10))
    };
    let world = World::with(&Setting { a, failover: 0, ..Setting::default() });
    world.a.on_create(Script::Lose);
    world.a.finds(QueryAnswer::NotFound);
    let barcode = json!({"method": "wechat.barcode", "payer": {"auth_code": "134567"}, "expires_in": 3600});
    let payment = world.created(barcode).await;
    world.pass(HOUR).await;
    assert_eq!(face(&world.stored(&payment).await), (Status::Processing, S::Unknown));
    // Looks come an hour apart by then.
    world.pass(HOUR + Duration::from_mins(1)).await;
    assert_eq!(world.stored(&payment).await.attempts[0].state, S::Lapsed);
}
