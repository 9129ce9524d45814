//! New payments.

use std::collections::BTreeMap;

use paymux_core::clock::Timestamp;
use paymux_core::day::Day;
use paymux_core::ids::OrderNo;
use paymux_core::method::{Method, Product, Wallet};
use paymux_core::money::{AMOUNT_MAX, Currency, Money};
use paymux_core::payment::{AttemptState, Failure, FrontNote, Held, NextAction, Origin, Payment};
use paymux_core::posting::Cause;
use paymux_core::store::{Income, Opened, Opening};

use super::{Subject, kind};
use crate::fixtures::{
    Fixtures, add_attempt, app_id, change_of, channel, edit_attempt, number, opening_of, order,
};

/// Text that quotes, escapes, alphabets and lengths could break.
pub(super) const ODD: &str =
    "a'b\"c\\d\n\r\t%_$1?;--/*{}\u{1}\u{7f}\u{a0}茶𝄞e\u{301}\u{202e}\u{feff}\u{fffd}";

/// A payment in which no field is what it is by default, and no two are alike.
fn full(fixtures: &Fixtures) -> Payment {
    let mut payment = fixtures.payment("shop", "A-1_z");
    payment.order_no = OrderNo::given("~A-1_z/?").unwrap();
    payment.amount = Money::fen(1001);
    payment.amount_received = Money::fen(1002);
    payment.amount_discount = Money::fen(1003);
    payment.amount_refunded = Money::fen(1004);
    payment.method = Method::new(Wallet::Alipay, Product::Jsapi);
    payment.subject = format!("subject {ODD}");
    payment.livemode = true;
    payment.held = Some(Held::Mismatch);
    payment.next_action =
        Some(NextAction::Jsapi { params: serde_json::json!({ "a": [1, "二", null], "b": -7 }) });
    payment.created_at = Timestamp::from_ms(1005);
    payment.expires_at = Timestamp::from_ms(1006);
    payment.paid_at = Some(Timestamp::from_ms(1007));
    payment.failure = Some(failure("payment"));
    payment.metadata = BTreeMap::from([(ODD.to_owned(), ODD.to_owned()), (String::new(), "\0".to_owned())]);
    payment.return_url = Some(format!("https://r.example/{ODD}"));
    payment.notify_url = Some(format!("https://n.example/{ODD}"));
    payment.fingerprint = format!("fingerprint {ODD}");
    payment.version = 1008;
    payment.events = 1009;
    payment.cancel_requested = true;
    payment.front =
        Some(Box::new(FrontNote::new("hive", ODD, &serde_json::json!({ ODD: [1, null, "\0"], "b": ODD }))));
    payment.origin = Origin::Imported;
    let attempt = &mut payment.attempts[0];
    attempt.channel = channel("bee-main");
    attempt.provider = "beehive".to_owned();
    attempt.number = number("~N0/+=");
    attempt.fence = 1010;
    attempt.memo = format!("memo {ODD}");
    attempt.reference = Some(format!("reference {ODD}"));
    attempt.trade_no = Some(format!("trade {ODD}"));
    attempt.received = Some(Money::fen(1011));
    attempt.failure = Some(failure("attempt"));
    attempt.created_at = Timestamp::from_ms(1012);
    attempt.ends_at = Timestamp::from_ms(1013);
    attempt.check_at = Some(Timestamp::from_ms(1014));
    attempt.checks = 1015;
    attempt.closing_until = Some(Timestamp::from_ms(1016));
    attempt.said_paid_at = Some(Timestamp::from_ms(1017));
    attempt.contested = 1010;
    payment
}

fn failure(of: &str) -> Failure {
    Failure {
        code: "refused".to_owned(),
        message: format!("{of} {ODD}"),
        provider_code: Some(ODD.to_owned()),
    }
}

pub async fn keeps_every_field(subject: &Subject) {
    let payment = subject.opened(opening_of(full(&Fixtures::new(1)))).await;
    assert_eq!(subject.stored(&payment.id).await, payment);
    let plain = subject.opened(Fixtures::new(2).opening("shop", "A2")).await;
    assert_eq!(subject.stored(&plain.id).await, plain);
}

/// An order that was paid elsewhere: its money is in the books with it, or not at all.
pub async fn brings_its_money_with_it(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let imported = |order_no: &str| {
        let mut payment = fixtures.payment("shop", order_no);
        payment.origin = Origin::Imported;
        let posting = fixtures.posting(Cause::Attempt(payment.id, payment.attempts[0].id));
        let income = Income {
            channel: channel("main"),
            day: Day::from_number(19_783),
            money: posting.amount,
            completed_at: Some(Timestamp::from_ms(5000)),
        };
        Opening { postings: vec![posting], incomes: vec![income], ..opening_of(payment) }
    };
    let first = imported("A1");
    let payment = subject.opened(first.clone()).await;
    assert_eq!(subject.stored(&payment.id).await.origin, Origin::Imported);
    let again = subject.store.open(imported("A1")).await.unwrap();
    assert!(matches!(again, Opened::Exists(stored) if stored.id == payment.id));
    assert_eq!(subject.look.postings().await, first.postings, "once");
    let figures = subject.store.day_figures(Day::from_number(19_783)).await.unwrap();
    assert_eq!((figures.len(), figures[0].received, figures[0].completed), (1, 7, 1));

    let mut taken = imported("A2");
    taken.payment.attempts[0].number = payment.attempts[0].number.clone();
    assert!(subject.store.open(taken).await.is_err(), "a channel's number is taken once");
    assert_eq!(subject.look.postings().await.len(), 1, "and nothing of it is written");
    assert!(subject.store.payment_by_order(&app_id("shop"), &order("A2")).await.unwrap().is_none());
}

pub async fn keeps_extreme_values(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    for (place, edge) in [i64::MIN, -1, 0, 1, i64::MAX].into_iter().enumerate() {
        let mut payment = fixtures.payment("shop", &format!("E{place}"));
        payment.created_at = Timestamp::from_ms(edge);
        payment.expires_at = Timestamp::from_ms(edge);
        payment.paid_at = Some(Timestamp::from_ms(edge));
        payment.attempts[0].ends_at = Timestamp::from_ms(edge);
        payment.attempts[0].check_at = Some(Timestamp::from_ms(edge));
        payment.amount = Money::fen(if edge > 0 { edge } else { AMOUNT_MAX });
        payment.amount_received = Money::fen(edge.max(0));
        payment.attempts[0].received = Some(Money::fen(edge.max(0)));
        payment.version = edge.max(0);
        payment.attempts[0].fence = edge.max(0);
        payment.attempts[0].checks = if edge > 0 { i32::MAX } else { 0 };
        payment.subject = "茶".repeat(127);
        payment.next_action = Some(NextAction::Html { html: "<p>&amp;</p>".repeat(20_000) });
        payment.order_no = order(&"Z".repeat(60 + place));
        let payment = subject.opened(opening_of(payment)).await;
        assert_eq!(subject.stored(&payment.id).await, payment);
    }
    for code in ["JPY", "KWD", "USD"] {
        let currency = Currency::from_code(code).unwrap();
        let mut payment = fixtures.payment("shop", code);
        payment.amount = Money::new(7, currency);
        [payment.amount_received, payment.amount_discount, payment.amount_refunded] =
            [Money::zero(currency); 3];
        let payment = subject.opened(opening_of(payment)).await;
        assert_eq!(subject.stored(&payment.id).await, payment);
    }
}

/// PostgreSQL cannot hold U+0000 in text; what came with it must be kept all the same.
pub async fn keeps_no_nul(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let mut payment = fixtures.payment("shop", "A1");
    payment.subject = "a\0b".to_owned();
    payment.attempts[0].memo = "\0".to_owned();
    payment.failure = Some(Failure { message: "a\0b".to_owned(), ..failure("json") });
    let payment = subject.opened(opening_of(payment)).await;
    let stored = subject.stored(&payment.id).await;
    assert_eq!(stored.subject, "a\u{fffd}b");
    assert_eq!(stored.attempts[0].memo, "\u{fffd}");
    assert_eq!(stored.failure, payment.failure);
}

pub async fn finds_by_id_order_and_number(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let payment = subject.opened(fixtures.opening("shop", "A1")).await;
    let other = subject.opened(fixtures.opening("shop", "a1")).await;
    let nr = payment.attempts[0].number.as_str();
    // Twice, since the second look may come from memory.
    for _ in 0..2 {
        let by_order = async |app: &str, text: &str| {
            subject.store.payment_by_order(&app_id(app), &order(text)).await.unwrap()
        };
        assert_eq!(by_order("shop", "A1").await.as_ref(), Some(&payment));
        assert_eq!(by_order("shop", "a1").await.as_ref(), Some(&other));
        assert_eq!(by_order("Shop", "A1").await, None);
        assert_eq!(by_order("shop", "A2").await, None);
        let by_number =
            async |on: &str, text: &str| subject.store.payment_by_number(&channel(on), text).await.unwrap();
        assert_eq!(by_number("main", nr).await.as_ref(), Some(&payment));
        assert_eq!(by_number("other", nr).await, None);
        assert_eq!(by_number("main", &nr.to_uppercase()).await, None);
        assert_eq!(by_number("main", "").await, None);
        assert_eq!(by_number("main", "' OR 1=1 --").await, None);
    }
    let unknown = fixtures.payment("shop", "A3").id;
    assert_eq!(subject.store.payment(unknown).await, Ok(None));
}

pub async fn finds_by_each_attempt(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let seen = subject.opened(fixtures.opening("shop", "A1")).await;
    let other = subject.opened(fixtures.opening("shop", "A2")).await;
    let mut change = change_of(&seen);
    edit_attempt(&mut change, 0, |attempt| attempt.state = AttemptState::Refused);
    add_attempt(&mut change, fixtures.attempt("second"));
    let payment = subject.done(change).await;
    for attempt in &payment.attempts {
        assert_eq!(subject.store.payment_by_attempt(attempt.id).await, Ok(Some(payment.clone())));
    }
    assert_eq!(subject.store.payment_by_attempt(other.attempts[0].id).await, Ok(Some(other)));
    assert_eq!(subject.store.payment_by_attempt(fixtures.attempt("main").id).await, Ok(None));
}

pub async fn finds_the_stored_one_by_its_order_number(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let opening = fixtures.opening("shop", "A1");
    let stored = subject.opened(opening.clone()).await;
    let mut another = fixtures.opening("shop", "A1");
    another.payment.amount = Money::fen(5);
    for again in [opening, another.clone()] {
        match subject.store.open(again).await.unwrap() {
            Opened::Exists(found) => assert_eq!(*found, stored),
            other @ (Opened::New | Opened::Full) => panic!("{other:?}"),
        }
    }
    assert_eq!(subject.store.payment(another.payment.id).await, Ok(None));
    assert_eq!(subject.look.decision(another.payment.attempts[0].id).await, None);
}

pub async fn takes_one_order_number_once_an_app(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let one = subject.opened(fixtures.opening("shop", "A1")).await;
    let two = subject.opened(fixtures.opening("market", "A1")).await;
    assert_eq!(subject.stored(&one.id).await, one);
    assert_eq!(subject.stored(&two.id).await, two);
}

pub async fn refuses_a_number_in_use(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let first = subject.opened(fixtures.opening("shop", "A1")).await;
    let mut second = fixtures.opening("shop", "A2");
    second.payment.attempts[0].number = first.attempts[0].number.clone();
    is_corrupt(subject, second.payment.clone()).await;
    second.payment.attempts[0].channel = channel("other");
    subject.opened(second).await;
}

pub async fn refuses_an_id_in_use(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let first = subject.opened(fixtures.opening("shop", "A1")).await;
    let mut second = fixtures.payment("shop", "A2");
    second.id = first.id;
    let refused = subject.store.open(opening_of(second)).await.unwrap_err();
    assert_eq!(kind(&refused), "corrupt");
    assert_eq!(subject.stored(&first.id).await, first);
}

pub async fn refuses_another_count_of_attempts(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let mut payment = fixtures.payment("shop", "A1");
    payment.attempts.push(fixtures.attempt("other"));
    is_corrupt(subject, payment.clone()).await;
    payment.attempts.clear();
    is_corrupt(subject, payment).await;
}

pub async fn refuses_two_currencies(subject: &Subject) {
    let mut payment = Fixtures::new(1).payment("shop", "A1");
    payment.amount_received = Money::zero(Currency::from_code("USD").unwrap());
    is_corrupt(subject, payment).await;
}

pub async fn refuses_amounts_that_cannot_be(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let edits: [fn(&mut Payment); 5] = [
        |p| p.amount = Money::fen(0),
        |p| p.amount = Money::fen(-1),
        |p| p.amount_received = Money::fen(-1),
        |p| p.amount_refunded = Money::fen(-1),
        |p| p.attempts[0].received = Some(Money::fen(-1)),
    ];
    for edit in edits {
        let mut payment = fixtures.payment("shop", "A1");
        edit(&mut payment);
        is_corrupt(subject, payment).await;
    }
}

async fn is_corrupt(subject: &Subject, payment: Payment) {
    let id = payment.id;
    let refused = subject.store.open(opening_of(payment)).await.unwrap_err();
    assert_eq!(kind(&refused), "corrupt");
    assert_eq!(subject.store.payment(id).await, Ok(None));
}

pub async fn answers_a_ping(subject: &Subject) {
    assert_eq!(subject.store.ping().await, Ok(()));
}
