//! Whole payments: what a code does to failover and health, what a notification books and whom it is told, and how
//! a payment ends where nothing can be asked.

use std::time::Duration;

use paymux_core::catalog::Strategy;
use paymux_core::channel::Blame::{self, Account, Provider, Request};
use paymux_core::payment::{AttemptState as S, Held, Payment, Status};
use paymux_core::payments::desk::{Operator, Outcome, Resolution};
use paymux_core::router::Health;
use paymux_core::store::{CallbackVerdict as V, QueueKind};
use paymux_core::{AppId, ChannelId, Money};
use serde_json::{Value, json};

use crate::world::{Mishap, World, fail, merchants, success};

/// Two merchants, the second where the first does not.
async fn pair() -> World {
    World::start(Strategy::Priority, merchants(&["cloud-a", "cloud-b"])).await
}

/// One merchant alone.
async fn alone() -> World {
    World::start(Strategy::Priority, merchants(&["cloud-a"])).await
}

fn states(payment: &Payment) -> Vec<S> {
    payment.attempts.iter().map(|attempt| attempt.state).collect()
}

fn number(payment: &Payment, attempt: usize) -> &str {
    payment.attempts[attempt].number.as_str()
}

/// Why something waits for a person.
async fn waiting(world: &World) -> Vec<QueueKind> {
    world.payments.queue(None, None, 100).await.unwrap().into_iter().map(|item| item.kind).collect()
}

fn verdicts(world: &World) -> Vec<V> {
    world.store.callbacks().iter().map(|row| row.verdict).collect()
}

fn root() -> Operator {
    Operator { id: "root".to_owned(), request_id: "req".to_owned() }
}

fn says(outcome: Outcome, amount: Option<i64>) -> Resolution {
    let provider_trade_no = amount.map(|_| "880000".to_owned());
    Resolution { outcome, amount, provider_trade_no, note: "seen in the bill".to_owned() }
}

/// Five creates that are answered with that code.
async fn answered(code: i64) -> (World, Vec<Payment>) {
    let (world, mut payments) = (pair().await, Vec::new());
    for place in 0..5 {
        world.gateway.strike(Mishap::Code(code));
        payments.push(world.create(json!({"order_no": format!("A{place}")})).await.unwrap());
    }
    (world, payments)
}

/// Refused for the order's sake, no other merchant is tried. Refused otherwise, the next one is; the breaker hears of
/// what is the gateway's own fault, and of nothing that somebody here has to mend.
#[tokio::test(start_paused = true)]
async fn a_refusal_does_to_failover_and_health_what_its_class_says() {
    for (code, blame) in (101..=110).chain(201..=209).zip([
        Request, Account, Account, Account, Request, Request, Provider, Account, Account, Provider, Request,
        Request, Provider, Provider, Provider, Provider, Provider, Provider, Account,
    ]) {
        let (world, payments) = answered(code).await;
        for payment in &payments {
            let (status, want) = match blame {
                Request => (Status::Failed, &[S::Refused][..]),
                Account | Provider => (Status::Pending, &[S::Refused, S::Open][..]),
            };
            assert_eq!((payment.status, states(payment).as_slice()), (status, want), "{code}");
            let failure = payment.attempts[0].failure.as_ref().unwrap();
            assert_eq!(failure.provider_code.as_deref(), Some(code.to_string().as_str()));
        }
        check_health(&world, code, blame == Provider);
        let made = if blame == Blame::Request { 0 } else { 5 };
        assert_eq!(world.gateway.count(), made, "{code}");
    }
}

/// Whether the first merchant is out after five such answers in a row.
#[track_caller]
fn check_health(world: &World, code: i64, is_out: bool) {
    let health = |id| world.payments.catalog().live().health(&ChannelId::new(id).unwrap());
    let want = if is_out { Health::Out } else { Health::Well };
    assert_eq!((health("cloud-a"), health("cloud-b")), (want, Health::Well), "{code}");
}

/// Nobody holds a page of it, so it is given up, and another merchant is tried under another number.
#[tokio::test(start_paused = true)]
async fn an_unknown_code_gives_the_attempt_up_and_the_breaker_hears_of_it() {
    for code in [199, 0, 111, 200, 300] {
        let (world, payments) = answered(code).await;
        for payment in &payments {
            assert_eq!((payment.status, states(payment)), (Status::Pending, vec![S::Abandoned, S::Open]));
            assert_ne!(number(payment, 0), number(payment, 1));
        }
        check_health(&world, code, true);
    }
}

#[tokio::test(start_paused = true)]
async fn what_really_came_in_is_booked_and_told() {
    check("10.23", Status::Succeeded, None, &["payment.succeeded"]).await;
    check("10.24", Status::Succeeded, None, &["payment.succeeded"]).await;
    check("99", Status::Succeeded, None, &["payment.succeeded"]).await;
    check("10.22", Status::Pending, Some(Held::Underpaid), &["payment.underpaid"]).await;
    check("0.01", Status::Pending, Some(Held::Underpaid), &["payment.underpaid"]).await;

    async fn check(realprice: &str, status: Status, held: Option<Held>, events: &[&str]) {
        let world = pair().await;
        let payment = world.create(json!({})).await.unwrap();
        let came = Money::from_decimal(realprice, paymux_core::Currency::CNY).unwrap();
        for _ in 0..3 {
            assert_eq!(world.told(number(&payment, 0), json!({"realprice": realprice})).await, success());
        }
        let stored = world.stored(&payment).await;
        assert_eq!((stored.status, stored.held), (status, held), "{realprice}");
        assert_eq!(stored.attempts[0].received, Some(came), "{realprice}");
        assert_eq!(stored.attempts[0].trade_no.as_deref(), Some("880000"));
        if status == Status::Succeeded {
            assert_eq!(stored.amount_received, came, "a surplus is noted");
        }
        assert_eq!(world.events(), events, "{realprice}: once, however often it comes");
        let waits: &[QueueKind] = if held.is_some() { &[QueueKind::MoneyHeld] } else { &[] };
        assert_eq!(waiting(&world).await, waits, "{realprice}");
        assert_eq!(verdicts(&world)[0], V::Applied);
    }
}

/// A person can let goods go for less.
#[tokio::test(start_paused = true)]
async fn less_than_the_price_is_enough_where_a_person_says_so() {
    let world = pair().await;
    let payment = world.create(json!({})).await.unwrap();
    world.told(number(&payment, 0), json!({"realprice": "10.00"})).await;
    let id = payment.attempts[0].id;
    let word = says(Outcome::AcceptUnderpaid, None);
    let accepted = world.payments.resolve_attempt(root(), id, word).await.unwrap();
    assert_eq!((accepted.status, accepted.amount_received), (Status::Succeeded, Money::fen(1000)));
    assert_eq!(world.events(), ["payment.underpaid", "payment.succeeded"]);
    assert_eq!(waiting(&world).await, []);
}

/// A wrong price, a wrong type, shifted borders, another order: none of it credits anything, each is answered `fail`,
/// and each waits for a person.
#[tokio::test(start_paused = true)]
async fn what_is_genuine_and_does_not_fit_credits_nothing_and_waits() {
    let world = pair().await;
    let payment = world.create(json!({})).await.unwrap();
    let number = number(&payment, 0).to_owned();
    let (longer, shorter) = (format!("0{number}"), &number[1..]);
    let wrong: [Value; 10] = [
        json!({"price": "10.24", "realprice": "10.24"}),
        json!({"price": "10.2", "realprice": "310.23"}),
        json!({"realprice": "10.2", "type": "3alipay"}),
        json!({"realprice": "0.00"}),
        json!({"realprice": "10.230"}),
        json!({"type": "wechat"}),
        json!({"order_id": "88000", "out_order_id": longer}),
        json!({"order_id": format!("880000{}", &number[..1]), "out_order_id": shorter}),
        json!({"order_id": "x880000"}),
        json!({"paytime": "now"}),
    ];
    for patch in &wrong {
        assert_eq!(world.told(&number, patch.clone()).await, fail(), "{patch}");
        assert_eq!(world.stored(&payment).await, payment, "{patch}");
    }
    assert_eq!(waiting(&world).await, vec![QueueKind::CallbackUnmatched; wrong.len()]);
    assert_eq!((world.events(), world.store.postings().len()), (vec![], 0));
    // The true one finds its order as it was.
    assert_eq!(world.told(&number, json!({})).await, success());
    assert_eq!(world.stored(&payment).await.status, Status::Succeeded);
}

/// The gateway's number is the order's: under another one it is more money.
#[tokio::test(start_paused = true)]
async fn another_number_of_the_gateways_is_a_second_payment() {
    let world = pair().await;
    let payment = world.create(json!({})).await.unwrap();
    for order_id in ["880000", "880000", "880001", "880001"] {
        assert_eq!(world.told(number(&payment, 0), json!({"order_id": order_id})).await, success());
    }
    let stored = world.stored(&payment).await;
    assert_eq!((stored.status, stored.amount_received), (Status::Succeeded, Money::fen(1023)));
    assert_eq!((stored.held, stored.attempts[0].more.len()), (Some(Held::SecondPayment), 1));
    assert_eq!(world.events(), ["payment.succeeded", "payment.held"]);
    assert_eq!(verdicts(&world), [V::Applied, V::Duplicate, V::Applied, V::Duplicate]);
    // Another sum under the first number contradicts what is booked.
    assert_eq!(world.told(number(&payment, 0), json!({"realprice": "5.00"})).await, fail());
}

/// Its money comes all the same: by the first page, which the gateway had made, and by the second.
#[tokio::test(start_paused = true)]
async fn a_lost_create_is_given_up_and_its_money_is_booked_whenever_it_comes() {
    let world = pair().await;
    world.gateway.strike(Mishap::Lost);
    let payment = world.create(json!({})).await.unwrap();
    assert_eq!(states(&payment), [S::Abandoned, S::Open]);
    assert_eq!(world.told(number(&payment, 1), json!({})).await, success());
    assert_eq!(world.told(number(&payment, 0), json!({})).await, success());
    let stored = world.stored(&payment).await;
    assert_eq!((stored.status, states(&stored)), (Status::Succeeded, vec![S::DuplicatePaid, S::Paid]));
    assert_eq!(world.events(), ["payment.succeeded", "payment.duplicate_paid"]);
    assert_eq!(waiting(&world).await, [QueueKind::MoneyHeld]);

    world.gateway.strike(Mishap::Lost);
    let other = world.create(json!({"order_no": "A1002"})).await.unwrap();
    assert_eq!(world.told(number(&other, 0), json!({})).await, success());
    assert_eq!(world.stored(&other).await.status, Status::Succeeded);
}

/// Where no other merchant is left a lost create waits: for its notification, or for a person's word.
#[tokio::test(start_paused = true)]
async fn a_lost_create_of_the_only_merchant_waits_for_news_or_a_person() {
    let world = alone().await;
    for order_no in ["A1", "A2"] {
        world.gateway.strike(Mishap::Lost);
        let payment = world.create(json!({"order_no": order_no})).await.unwrap();
        assert_eq!((payment.status, states(&payment)), (Status::Processing, vec![S::Unknown]));
        assert_eq!(payment.next_action, None);
    }
    assert_eq!(waiting(&world).await, []);
    world.clock.advance(Duration::from_mins(6)).await;
    world.payments.sweep().await.unwrap();
    assert_eq!(waiting(&world).await, [QueueKind::AttemptUnknown; 2]);
    assert_eq!(world.gateway.count(), 2, "nothing was sent again");

    let [first, second] = <[Payment; 2]>::try_from(world.store.payments()).unwrap();
    assert_eq!(world.told(number(&first, 0), json!({})).await, success());
    let word = says(Outcome::Paid, Some(1023));
    for _ in 0..2 {
        let said = world.payments.confirm(root(), second.id, None, word.clone()).await.unwrap();
        assert_eq!(said.status, Status::Succeeded);
    }
    assert_eq!(world.stored(&first).await.status, Status::Succeeded);
    assert_eq!((waiting(&world).await, world.store.audits().len()), (vec![], 1));
    let short = says(Outcome::Paid, Some(1022));
    assert!(world.payments.confirm(root(), second.id, None, short).await.is_err());
}

/// No life time is known: the payment ends by our clock, and money that comes after is late and no error.
#[tokio::test(start_paused = true)]
async fn an_order_ends_by_our_clock_alone_and_late_money_is_booked() {
    let world = pair().await;
    let mut late = Vec::new();
    for order_no in ["A1", "A2"] {
        late.push(world.create(json!({"order_no": order_no})).await.unwrap());
    }
    world.clock.advance(Duration::from_mins(30)).await;
    world.pass(Duration::from_mins(1)).await;
    for payment in &late {
        let stored = world.stored(payment).await;
        assert_eq!((stored.status, states(&stored)), (Status::Expired, vec![S::Lapsed]));
        assert_eq!(stored.next_action, None);
    }
    assert_eq!(world.told(number(&late[0], 0), json!({})).await, success());
    // Also long after nobody watches it any more.
    world.clock.advance(Duration::from_hours(24 * 30)).await;
    world.pass(Duration::from_mins(1)).await;
    assert_eq!(world.told(number(&late[1], 0), json!({})).await, success());
    for payment in &late {
        assert_eq!(world.stored(payment).await.status, Status::Succeeded);
    }
    let told = ["payment.expired", "payment.expired", "payment.succeeded", "payment.succeeded"];
    assert_eq!(world.events(), told);
}

#[tokio::test(start_paused = true)]
async fn a_cancel_is_unsupported_and_nothing_is_sent() {
    let world = pair().await;
    let payment = world.create(json!({})).await.unwrap();
    let shop = AppId::new("shop").unwrap();
    let refused = world.payments.cancel(shop, payment.id).await.unwrap_err();
    assert_eq!(refused.code(), "unsupported");
    assert!(refused.to_string().contains("cloud-a"), "{refused}");
    assert_eq!((world.stored(&payment).await, world.gateway.count()), (payment, 1));
}
