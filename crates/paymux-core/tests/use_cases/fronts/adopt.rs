//! Orders that a merchant made at its provider itself: taken over once, with their money, and told to nobody.

use std::time::Duration;

use futures_util::future::join_all;
use paymux_core::channel::{Can, ListedOrder, ListedTerms, QueryAnswer, Receipt};
use paymux_core::fronts::Service;
use paymux_core::payment::{AttemptState, Origin, Status};
use paymux_core::payments::{Adoption, Left, Wanted};
use paymux_core::posting::{Account, PostingKind};
use paymux_core::store::DayBook as _;
use paymux_core::{AppId, Clock as _, DayZone, Money, Payment, PaymentError, Timestamp};
use paymux_testkit::channel::QR;
use serde_json::json;

use super::spoken::{SLUG, speaks};
use crate::world::{Setting, World, app, channel};

fn setting() -> Setting {
    Setting {
        a: |a| a.that_can(Can::QUERY | Can::CANCEL | Can::REFUND | Can::QUERY_REFUND | Can::LIST | Can::FIND),
        ..Setting::default()
    }
}

/// A shop whose client speaks another protocol and made orders at the provider of channel `a` before.
fn world() -> World {
    let setting = setting();
    let world = World::with(&setting);
    world.reconfigure(&setting, |catalog| {
        speaks(Service::On)(catalog);
        let mut front = catalog.fronts.of(SLUG).unwrap().clone();
        front.adopt_from(&app(), channel("a"));
        catalog.fronts.add(front);
    });
    world
}

/// Two days before the world's clock.
fn before(world: &World) -> Timestamp {
    world.clock.now().minus(Duration::from_hours(48))
}

/// A record of that number, paid.
fn paid(world: &World, number: &str) -> ListedOrder {
    let at = before(world);
    ListedOrder {
        number: number.to_owned(),
        amount: Some(Money::fen(1999)),
        received: Some(Money::fen(1899)),
        reverted: false,
        flaw: None,
        created_at: at,
        terms: Some(Box::new(ListedTerms {
            method: QR,
            memo: "of before".to_owned(),
            subject: "Tea\nof old".to_owned(),
            reference: Some("r1".to_owned()),
            trade_no: Some("t1".to_owned()),
            paid_at: Some(at.plus(Duration::from_mins(1))),
            refunded: false,
        })),
    }
}

async fn adopted(world: &World, order: &ListedOrder) -> Adoption {
    world.payments.adopt(&app(), &channel("a"), order, Wanted::Paid).await.unwrap()
}

#[track_caller]
fn new(adoption: Adoption) -> Payment {
    match adoption {
        Adoption::New(payment) => *payment,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_is_taken_over_with_its_money() {
    let world = world();
    let order = paid(&world, "2019-0001");
    let payment = new(adopted(&world, &order).await);
    assert_eq!(world.stored(&payment).await, payment);
    assert_eq!((payment.origin, payment.status, payment.events), (Origin::Imported, Status::Succeeded, 0));
    assert_eq!((payment.order_no.as_str(), payment.subject.as_str()), ("2019-0001", "Tea of old"));
    assert_eq!(
        (payment.amount, payment.amount_received, payment.amount_discount),
        (Money::fen(1999), Money::fen(1899), Money::fen(100))
    );
    let paid_at = before(&world).plus(Duration::from_mins(1));
    assert_eq!((payment.created_at, payment.paid_at), (before(&world), Some(paid_at)));
    let [attempt] = payment.attempts.as_slice() else { panic!("one attempt") };
    assert_eq!((attempt.state, attempt.number.as_str()), (AttemptState::Paid, "2019-0001"));
    assert_eq!((attempt.memo.as_str(), attempt.trade_no.as_deref()), ("of before", Some("t1")));
    assert_eq!((attempt.received, attempt.check_at), (Some(Money::fen(1899)), None));

    let postings = world.store.postings();
    let [posting] = postings.as_slice() else { panic!("one line: {postings:?}") };
    assert_eq!((posting.kind, posting.amount), (PostingKind::Received, Money::fen(1899)));
    assert_eq!((&posting.debit, &posting.credit), (&Account::Channel(channel("a")), &Account::App(app())));
    let day = DayZone::default().day(paid_at);
    let figures = world.store.day_figures(day).await.unwrap();
    assert_eq!((figures.len(), figures[0].received, figures[0].completed), (1, 1899, 1), "on its own day");
    assert_eq!(world.told().await, Vec::<String>::new(), "nobody is told of history");

    // As it is now, and never twice.
    let again = ListedOrder { received: Some(Money::fen(1)), ..order };
    assert!(matches!(adopted(&world, &again).await, Adoption::Known(known) if *known == payment));
    assert_eq!(world.store.postings().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn of_many_at_once_one_takes_it_over() {
    let world = world();
    world.a.knows(paid(&world, "B1"));
    let other = world.another_node();
    let order = paid(&world, "B1");
    let (shop, a) = (app(), channel("a"));
    let by_command = (0..8).map(|place| {
        let payments = if place % 2 == 0 { &world.payments } else { &other };
        payments.adopt(&shop, &a, &order, Wanted::Paid)
    });
    let by_client = (0..8).map(|_| world.hear("query", json!({"number": "B1"})));
    let (adoptions, heard) = futures_util::future::join(join_all(by_command), join_all(by_client)).await;
    let all: Vec<Adoption> = adoptions.into_iter().map(Result::unwrap).collect();
    let new = all.iter().filter(|adoption| matches!(adoption, Adoption::New(_))).count();
    let left = all.iter().filter(|adoption| matches!(adoption, Adoption::Left(_))).count();
    assert!(new <= 1 && left == 0, "{all:?}");
    assert!(heard.iter().all(|heard| heard == "B1 Some(1899) back 0 closed false"), "{heard:?}");
    assert_eq!(world.store.postings().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_taken_over_says_why() {
    let world = world();
    let good = || paid(&world, "C1");
    let with_terms = |change: fn(&mut ListedTerms)| {
        let mut order = good();
        change(order.terms.as_mut().unwrap());
        order
    };
    let check = async |order: ListedOrder, want: Left| match adopted(&world, &order).await {
        Adoption::Left(why) => assert_eq!(why, want, "{order:?}"),
        other => panic!("{other:?}"),
    };
    check(ListedOrder { received: None, ..good() }, Left::Unpaid).await;
    check(ListedOrder { reverted: true, ..good() }, Left::Reverted).await;
    check(with_terms(|terms| terms.refunded = true), Left::Refunded).await;
    check(ListedOrder { flaw: Some("sums"), ..good() }, Left::Flawed).await;
    let yen = Money::new(1, paymux_core::Currency::from_code("JPY").unwrap());
    check(ListedOrder { received: Some(yen), ..good() }, Left::Flawed).await;
    check(ListedOrder { terms: None, ..good() }, Left::Unclear).await;
    check(with_terms(|terms| terms.method = "jd.web".parse().unwrap()), Left::Unclear).await;
    check(ListedOrder { amount: Some(Money::fen(0)), ..good() }, Left::Unclear).await;
    for number in ["", "two words", "a\0b", &"x".repeat(65)] {
        check(ListedOrder { number: number.to_owned(), ..good() }, Left::Number).await;
    }
    world.created(json!({"order_no": "C1"})).await;
    check(good(), Left::Taken).await;
    assert!(world.store.postings().is_empty());

    let nobody = AppId::new("nobody").unwrap();
    let stranger = world.payments.adopt(&nobody, &channel("a"), &paid(&world, "C2"), Wanted::Paid).await;
    assert!(matches!(stranger, Err(PaymentError::NotFound("app"))), "{stranger:?}");
}

#[tokio::test(start_paused = true)]
async fn what_was_made_here_is_known_in_the_providers_list() {
    let world = world();
    let payment = world.created(json!({})).await;
    let number = payment.attempts[0].number.to_string();
    let listed = adopted(&world, &paid(&world, &number)).await;
    assert!(matches!(listed, Adoption::Known(known) if known.id == payment.id));
    assert!(world.store.postings().is_empty());
    // And it is no order of that number for a client either: the number is not the client's.
    world.a.knows(paid(&world, &number));
    assert_eq!(world.hear("query", json!({"number": number})).await, "none");
}

#[tokio::test(start_paused = true)]
async fn a_client_finds_and_refunds_an_order_of_before() {
    let world = world();
    world.a.knows(paid(&world, "D1"));
    assert_eq!(world.hear("query", json!({"number": "D1"})).await, "D1 Some(1899) back 0 closed false");
    assert_eq!(world.hear("query", json!({"number": "D1"})).await, "D1 Some(1899) back 0 closed false");
    assert_eq!(world.hear("list", json!({"number": "D1"})).await, "D1");
    assert_eq!(world.a.looked_up(), 1, "once it is here, nobody is asked");

    world.a.knows(paid(&world, "D2"));
    let refund = json!({"number": "R1", "order": "D2", "amount": 500});
    assert_eq!(world.hear("refund", refund).await, "Done D2 Some(1899) back 500 closed false");
    let refunds = world.a.refunds();
    let [sent] = refunds.as_slice() else { panic!("one refund: {refunds:?}") };
    assert_eq!((sent.order.number.as_str(), sent.order.memo.as_str()), ("D2", "of before"));
    assert_eq!((sent.order.reference.as_deref(), sent.trade_no.as_deref()), (Some("r1"), Some("t1")));
    let too_much = json!({"number": "R2", "order": "D2", "amount": 1400});
    assert_eq!(world.hear("refund", too_much).await, "RefundTooLarge");

    assert_eq!(world.hear("query", json!({"number": "D3"})).await, "none");
    let heard = world.hear("refund", json!({"number": "R3", "order": "D3", "amount": 5})).await;
    assert_eq!(heard, "NoSuchOrder");
    let mut gone = paid(&world, "D4");
    gone.terms.as_mut().unwrap().refunded = true;
    world.a.knows(gone);
    let heard = world.hear("query", json!({"number": "D4"})).await;
    assert!(heard.starts_with("Upstream("), "{heard}");
    // The number of before is not free for another order.
    assert_eq!(world.hear("pay", json!({"number": "D1"})).await, "NumberTaken");
}

#[tokio::test(start_paused = true)]
async fn an_order_that_waits_is_looked_at_and_its_success_told() {
    let world = world();
    world.a.knows(ListedOrder { received: None, ..paid(&world, "E1") });
    assert_eq!(world.hear("query", json!({"number": "E1"})).await, "E1 None back 0 closed false");
    assert!(world.store.postings().is_empty());
    world.a.finds(QueryAnswer::Paid(Receipt::of(Money::fen(1999))));
    world.pass(Duration::from_secs(30)).await;
    assert_eq!(world.hear("query", json!({"number": "E1"})).await, "E1 Some(1999) back 0 closed false");
    assert_eq!(world.store.postings().len(), 1);
    assert_eq!(world.transport.notices().len(), 0, "until it is delivered");
    while world.payments.deliver().await.unwrap() > 0 {}
    let notices = world.transport.notices();
    assert!(!notices.is_empty(), "that is news");
    assert!(notices[0].request.body.starts_with(b"paid E1"), "in the client's protocol");
}

#[tokio::test(start_paused = true)]
async fn while_nobody_answers_no_order_is_said_to_be_absent() {
    let world = world();
    world.a.hang();
    assert_eq!(world.hear("query", json!({"number": "F1"})).await, "in doubt");
    let refund = json!({"number": "R1", "order": "F1", "amount": 5});
    assert_eq!(world.hear("refund", refund).await, "in doubt");
}
