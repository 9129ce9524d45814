//! Callbacks in: what is believed, what is kept, what is answered.

use std::time::Duration;

use crate::world::{Setting, World, app, channel};
use paymux_core::catalog::Late;
use paymux_core::channel::{ChannelError, OrderEnd, QueryAnswer, Receipt};
use paymux_core::payment::{AttemptState as S, Held, Payment, Status};
use paymux_core::store::CallbackVerdict as V;
use paymux_core::{App, Money, WireRequest};
use paymux_testkit::Script;
use paymux_testkit::channel::{BARCODE, MISFIT, UNSIGNED, UNSIGNED_NUMBER, callback};
use serde_json::json;

async fn take(world: &World, request: WireRequest) -> (u16, String) {
    let answer = world.payments.take_callback(channel("a"), request).await.unwrap();
    (answer.status, String::from_utf8(answer.body.to_vec()).unwrap())
}

fn accepted() -> (u16, String) {
    (200, "success".to_owned())
}

fn paid(payment: &Payment, fen: i64, trade_no: &str) -> WireRequest {
    callback(payment.attempts[0].number.as_str(), Money::fen(fen), trade_no)
}

fn verdicts(world: &World) -> Vec<V> {
    world.store.callbacks().iter().map(|row| row.verdict).collect()
}

/// What is kept, and how often each came.
fn came(world: &World) -> Vec<(V, u32)> {
    world.store.callbacks().iter().map(|row| (row.verdict, row.times)).collect()
}

/// A message that only its sender's repeats would add to the table and to what waits for a person.
#[tokio::test(start_paused = true)]
async fn what_comes_again_and_again_waits_for_a_person_once() {
    let world = World::new();
    let payment = world.created(json!({})).await;
    for _ in 0..500 {
        assert_eq!(take(&world, callback("nobody", Money::fen(1999), "T1")).await, accepted());
    }
    take(&world, paid(&payment, 1999, "T1")).await;
    for _ in 0..500 {
        assert_eq!(take(&world, paid(&payment, 1999, "T1")).await, accepted());
    }
    assert_eq!(came(&world), [(V::Orphan, 500), (V::Applied, 1), (V::Duplicate, 500)]);
    assert_eq!(world.waiting().await.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_good_callback_settles_the_payment_once() {
    let world = World::new();
    let payment = world.created(json!({})).await;
    assert_eq!(take(&world, paid(&payment, 1999, "T1")).await, accepted());
    let stored = world.stored(&payment).await;
    assert_eq!((stored.status, stored.amount_received), (Status::Succeeded, Money::fen(1999)));
    assert_eq!(stored.attempts[0].trade_no.as_deref(), Some("T1"));
    assert_eq!(stored.next_action, None);
    for _ in 0..3 {
        assert_eq!(take(&world, paid(&payment, 1999, "T1")).await, accepted());
    }
    assert_eq!(world.stored(&payment).await, stored);
    assert_eq!(came(&world), [(V::Applied, 1), (V::Duplicate, 3)]);
    assert_eq!(world.told().await, ["payment.succeeded"]);
}

#[tokio::test(start_paused = true)]
async fn many_copies_at_once_settle_once() {
    let world = World::new();
    let payment = world.created(json!({})).await;
    let copies = (0..64).map(|_| take(&world, paid(&payment, 1999, "T1")));
    let answers = futures_util::future::join_all(copies).await;
    assert!(answers.iter().all(|answer| *answer == accepted()));
    assert_eq!(world.told().await, ["payment.succeeded"]);
    assert_eq!(came(&world), [(V::Applied, 1), (V::Duplicate, 63)]);
}

/// It is genuine, so its plugin alone can tell that it is not of this order: nothing is booked, and a person looks.
#[tokio::test(start_paused = true)]
async fn what_does_not_fit_its_order_books_nothing_and_waits() {
    let world = World::new();
    let payment = world.created(json!({})).await;
    let misfit = WireRequest { path: MISFIT.to_owned(), ..paid(&payment, 1999, "T1") };
    assert_eq!(take(&world, misfit.clone()).await, accepted());
    assert_eq!(take(&world, misfit.clone()).await, accepted());
    assert_eq!(world.stored(&payment).await, payment);
    let row = &world.store.callbacks()[0];
    assert_eq!((row.verdict, row.times, row.payment), (V::Quarantined, 2, Some(payment.id)));
    assert_eq!(row.detail.as_deref(), Some("it does not fit"));
    assert_eq!(world.waiting().await.len(), 1);
    // The true one is no repeat of it.
    assert_eq!(take(&world, paid(&payment, 1999, "T1")).await, accepted());
    assert_eq!(world.stored(&payment).await.status, Status::Succeeded);
    assert_eq!(take(&world, misfit).await, accepted());
    assert_eq!(world.told().await, ["payment.succeeded"]);
}

/// A provider may want to hear that its message fits nothing; what was applied or known it hears as ever.
#[tokio::test(start_paused = true)]
async fn what_fits_nothing_is_answered_in_the_providers_words_for_it() {
    let world = World::new();
    world.a.refuse_misfits();
    let no = || (200, "fail".to_owned());
    let payment = world.created(json!({})).await;
    assert_eq!(take(&world, callback("nobody", Money::fen(1999), "T1")).await, no());
    let misfit = WireRequest { path: MISFIT.to_owned(), ..paid(&payment, 1999, "T1") };
    assert_eq!(take(&world, misfit).await, no());
    assert_eq!(take(&world, paid(&payment, 1999, "T1")).await, accepted());
    assert_eq!(take(&world, paid(&payment, 1999, "T1")).await, accepted());
    assert_eq!(take(&world, paid(&payment, 1998, "T1")).await, no(), "another sum than is booked");
    assert_eq!(verdicts(&world), [V::Orphan, V::Quarantined, V::Applied, V::Duplicate, V::Quarantined]);
}

/// What is genuine and cannot be meant as it stands waits for a person. No forgery takes its place, and whoever
/// has one genuine sign fills no table with it.
#[tokio::test(start_paused = true)]
async fn what_is_genuine_and_odd_waits_and_nothing_takes_its_place() {
    let world = World::new();
    world.a.refuse_misfits();
    world.reconfigure(&Setting::default(), |catalog| catalog.callback_ring.rows = 3);
    let post = |body: String| WireRequest::new(paymux_core::Verb::Post, "/notify").body("text/plain", body);
    for _ in 0..2 {
        assert_eq!(take(&world, post("odd".to_owned())).await, (200, "fail".to_owned()));
    }
    for place in 0..9 {
        take(&world, post("forged".to_owned())).await;
        take(&world, post(format!("odd and more {place}"))).await;
    }
    let rows = world.store.callbacks();
    let count = |verdict| rows.iter().filter(|row| row.verdict == verdict).count();
    assert_eq!((rows.len(), count(V::Quarantined), count(V::Forged)), (7, 4, 3));
    assert_eq!(
        (rows[0].times, rows[0].request.body.as_ref(), rows[0].detail.as_deref()),
        (2, &b"odd"[..], Some("genuine, and not to be believed: it says so itself"))
    );
    assert_eq!(world.waiting().await.len(), 4);
}

#[tokio::test(start_paused = true)]
async fn a_signed_way_back_finds_its_payment_and_settles_nothing() {
    let world = World::new();
    let payment = world.created(json!({})).await;
    let back = |query: &str| WireRequest::new(paymux_core::Verb::Get, "/return/a").query(query);
    let signed = back(&format!("signed={}", payment.attempts[0].number));
    assert_eq!(world.payments.find_returned(&channel("a"), &signed).await.map(|p| p.id), Some(payment.id));
    for (id, request) in
        [("a", back("signed=nobody")), ("a", back("x=1")), ("b", signed.clone()), ("c", signed)]
    {
        assert_eq!(world.payments.find_returned(&channel(id), &request).await, None, "{id}");
    }
    assert_eq!(world.stored(&payment).await, payment);
    assert!(world.store.callbacks().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_not_verified_changes_nothing_and_is_kept() {
    let world = World::new();
    let payment = world.created(json!({})).await;
    let forged = WireRequest::new(paymux_core::Verb::Post, "/notify").body("text/plain", "forged");
    let soup = WireRequest::new(paymux_core::Verb::Post, "/notify").body("text/plain", vec![0xff, 0xfe]);
    assert_eq!(take(&world, forged).await, (200, "fail".to_owned()));
    assert_eq!(take(&world, soup).await, (200, "fail".to_owned()));
    assert_eq!(verdicts(&world), [V::Forged, V::Unreadable]);
    assert_eq!(world.stored(&payment).await, payment);
}

#[tokio::test(start_paused = true)]
async fn a_forged_callback_does_not_claim_the_place_of_the_true_one() {
    let world = World::new();
    let payment = world.created(json!({})).await;
    let forged = WireRequest::new(paymux_core::Verb::Post, "/notify").body("text/plain", "forged");
    take(&world, forged).await;
    assert_eq!(take(&world, paid(&payment, 1999, "T1")).await, accepted());
    assert_eq!(verdicts(&world), [V::Forged, V::Applied]);
    assert_eq!(world.told().await, ["payment.succeeded"]);
}

#[tokio::test(start_paused = true)]
async fn an_order_that_is_not_ours_is_acknowledged_and_kept() {
    let world = World::new();
    let payment = world.created(json!({})).await;
    assert_eq!(take(&world, callback("nobody", Money::fen(1999), "T1")).await, accepted());
    // The right number on the wrong channel is not ours either.
    let answer = world.payments.take_callback(channel("b"), paid(&payment, 1999, "T1")).await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(verdicts(&world), [V::Orphan, V::Orphan]);
    assert_eq!(world.stored(&payment).await, payment);
    assert!(world.payments.take_callback(channel("nowhere"), paid(&payment, 1999, "T1")).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn another_sum_or_currency_never_settles() {
    check(Money::fen(1998), Held::Underpaid, "payment.underpaid").await;
    check(Money::new(1999, paymux_core::Currency::from_code("USD").unwrap()), Held::Mismatch, "payment.held")
        .await;

    async fn check(money: Money, held: Held, told: &str) {
        let world = World::new();
        let payment = world.created(json!({})).await;
        let number = payment.attempts[0].number.to_string();
        assert_eq!(take(&world, callback(&number, money, "T1")).await, accepted());
        assert_eq!(take(&world, callback(&number, money, "T1")).await, accepted());
        let stored = world.stored(&payment).await;
        assert_eq!(
            (stored.status, stored.held, stored.next_action.clone()),
            (Status::Pending, Some(held), None)
        );
        assert_eq!(stored.attempts[0].received, Some(money));
        let shown = if held == Held::Underpaid { money } else { Money::fen(0) };
        assert_eq!(stored.amount_received, shown);
        assert_eq!(world.told().await, [told]);
        // A person decides: no clock ends it, but more money may come, and so it is asked about.
        world.pass(Duration::from_mins(40)).await;
        assert_eq!(world.a.canceled(), 0);
        assert!((5..12).contains(&world.a.asked()), "{}", world.a.asked());
        let later = world.stored(&payment).await;
        assert_eq!((later.status, later.held, later.events), (stored.status, stored.held, stored.events));
        assert_eq!((later.attempts[0].state, later.attempts[0].received), (S::Open, Some(money)));
        assert!(later.attempts[0].check_at.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn money_for_an_order_of_another_amount_never_settles() {
    check("1999", None, Status::Succeeded).await;
    check("2000", Some(Held::Mismatch), Status::Pending).await;

    async fn check(order_fen: &str, held: Option<Held>, status: Status) {
        let world = World::new();
        let payment = world.created(json!({})).await;
        let text = format!("{} 1999 CNY T1 {order_fen}", payment.attempts[0].number);
        let request = WireRequest::new(paymux_core::Verb::Post, "/notify").body("text/plain", text);
        assert_eq!(take(&world, request).await, accepted());
        let stored = world.stored(&payment).await;
        assert_eq!((stored.status, stored.held), (status, held), "{order_fen}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_rest_of_an_underpaid_sum_is_no_repeat_of_its_first_part() {
    let world = World::new();
    let payment = world.created(json!({})).await;
    take(&world, paid(&payment, 1000, "T1")).await;
    take(&world, paid(&payment, 999, "T2")).await;
    let stored = world.stored(&payment).await;
    assert_eq!((stored.status, stored.held), (Status::Pending, Some(Held::SecondPayment)));
    assert_eq!(stored.attempts[0].received, Some(Money::fen(1000)), "what was booked stays booked");
    assert_eq!(verdicts(&world), [V::Applied, V::Applied]);
    // The same sum once more, under a third number: more money again.
    world.clock.advance(Duration::from_secs(1)).await;
    take(&world, paid(&payment, 999, "T3")).await;
    take(&world, paid(&payment, 999, "T2")).await;
    assert_eq!(verdicts(&world)[2..], [V::Applied, V::Duplicate]);
    assert_eq!(world.stored(&payment).await.attempts[0].more.len(), 2);
    // A query that still sees the first part takes nothing back.
    world.a.on_query(Ok(QueryAnswer::Paid(Receipt::of(Money::fen(1000)))));
    world.pass(Duration::from_mins(1)).await;
    assert_eq!(world.stored(&payment).await.held, Some(Held::SecondPayment));
    assert_eq!(world.told().await, ["payment.underpaid", "payment.held"]);
}

#[tokio::test(start_paused = true)]
async fn a_full_sum_after_a_short_one_settles_and_a_second_number_is_told() {
    check("T1", None, &["payment.underpaid", "payment.succeeded"]).await;
    check("T2", Some(Held::SecondPayment), &["payment.underpaid", "payment.succeeded", "payment.held"]).await;

    async fn check(trade_no: &str, held: Option<Held>, told: &[&str]) {
        let world = World::new();
        let payment = world.created(json!({})).await;
        take(&world, paid(&payment, 1, "T1")).await;
        take(&world, paid(&payment, 1999, trade_no)).await;
        let stored = world.stored(&payment).await;
        assert_eq!((stored.status, stored.held), (Status::Succeeded, held), "{trade_no}");
        assert_eq!(stored.amount_received, Money::fen(1999));
        assert_eq!(world.told().await, told, "{trade_no}");
    }
}

#[tokio::test(start_paused = true)]
async fn money_held_on_one_attempt_neither_blinds_nor_is_forgotten_over_its_sibling() {
    let world = World::new();
    world.a.on_create(Script::Lose);
    let payment = world.created(json!({})).await;
    take(&world, paid(&payment, 1000, "T1")).await;
    assert_eq!(world.stored(&payment).await.held, Some(Held::Underpaid));
    // No callback comes for the sibling: only a look at it finds its money.
    for _ in 0..3 {
        world.b.on_query(Ok(QueryAnswer::Open));
    }
    world.b.on_query(Ok(QueryAnswer::Paid(Receipt::of(Money::fen(1999)))));
    world.pass(Duration::from_mins(5)).await;
    let stored = world.stored(&payment).await;
    assert_eq!((stored.status, stored.held), (Status::Succeeded, Some(Held::Underpaid)));
    assert_eq!(stored.attempts[1].state, S::Paid);
}

#[tokio::test(start_paused = true)]
async fn too_little_before_the_answer_does_not_leave_the_attempt_unlooked_at() {
    let world = World::new();
    world.a.on_create(Script::Slow(Duration::from_secs(5)));
    let creating = tokio::spawn({
        let payments = world.payments.clone();
        async move { payments.create(app(), crate::world::request(json!({}))).await }
    });
    world.clock.advance(Duration::from_secs(1)).await;
    let number = world.a.orders()[0].number.to_string();
    take(&world, callback(&number, Money::fen(1), "T1")).await;
    let payment = creating.await.unwrap().unwrap().payment;
    assert_eq!(payment.next_action, None, "nobody may pay into a held payment");
    world.pass(Duration::from_mins(1)).await;
    let stored = world.stored(&payment).await;
    assert_ne!(stored.attempts[0].state, S::Sending);
    assert!(stored.attempts[0].check_at.is_some());
}

#[tokio::test(start_paused = true)]
async fn more_than_asked_settles_and_is_booked_as_received() {
    let world = World::new();
    let payment = world.created(json!({})).await;
    take(&world, paid(&payment, 2500, "T1")).await;
    let stored = world.stored(&payment).await;
    assert_eq!((stored.status, stored.amount_received), (Status::Succeeded, Money::fen(2500)));
}

#[tokio::test(start_paused = true)]
async fn a_callback_that_overtakes_the_answer_wins_and_the_answer_is_dropped() {
    let world = World::new();
    world.a.on_create(Script::Slow(Duration::from_secs(5)));
    let creating = tokio::spawn({
        let payments = world.payments.clone();
        async move { payments.create(app(), crate::world::request(json!({}))).await }
    });
    world.clock.advance(Duration::from_secs(1)).await;
    let number = world.a.orders()[0].number.to_string();
    assert_eq!(take(&world, callback(&number, Money::fen(1999), "T1")).await, accepted());
    let payment = creating.await.unwrap().unwrap().payment;
    assert_eq!((payment.status, payment.next_action.clone()), (Status::Succeeded, None));
    assert_eq!(world.told().await, ["payment.succeeded"]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_acknowledged_that_was_not_stored() {
    let world = World::new();
    let payment = world.created(json!({})).await;
    world.store.go_away();
    assert_eq!(take(&world, paid(&payment, 1999, "T1")).await.0, 503);
    assert_eq!(
        take(&world, WireRequest::new(paymux_core::Verb::Post, "/").body("text/plain", "forged")).await.0,
        503
    );
    world.store.come_back();
    assert_eq!(world.stored(&payment).await, payment);
    assert_eq!(take(&world, paid(&payment, 1999, "T1")).await, accepted());
    assert_eq!(world.stored(&payment).await.status, Status::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn late_money_turns_an_unpaid_end_into_success_and_says_so() {
    let world = World::new();
    let payment = world.created(json!({"expires_in": 60})).await;
    world.pass(Duration::from_secs(90)).await;
    assert_eq!(world.stored(&payment).await.status, Status::Expired);
    world.a.on_query(Ok(QueryAnswer::Paid(Receipt::of(Money::fen(1999)))));
    take(&world, paid(&payment, 1999, "T1")).await;
    assert_eq!(world.stored(&payment).await.status, Status::Succeeded);
    let told = world.delivered().await;
    assert_eq!(
        told.iter().map(|(kind, _)| kind.as_str()).collect::<Vec<_>>(),
        ["payment.expired", "payment.succeeded"]
    );
    let data = &told[1].1["data"];
    assert_eq!(
        (&data["late"], &data["previous_status"], &data["sequence"]),
        (&json!(true), &json!("expired"), &json!(2))
    );
}

#[tokio::test(start_paused = true)]
async fn money_on_an_abandoned_attempt_beside_a_paid_one_is_a_duplicate() {
    let world = World::new();
    world.a.on_create(Script::Lose);
    let payment = world.created(json!({})).await;
    let second = callback(payment.attempts[1].number.as_str(), Money::fen(1999), "T2");
    world.payments.take_callback(channel("b"), second).await.unwrap();
    assert_eq!(take(&world, paid(&payment, 1999, "T1")).await, accepted());
    let stored = world.stored(&payment).await;
    let states: Vec<_> = stored.attempts.iter().map(|a| a.state).collect();
    assert_eq!(states, [S::DuplicatePaid, S::Paid]);
    assert_eq!((stored.status, stored.amount_received), (Status::Succeeded, Money::fen(1999)));
    assert_eq!(world.told().await, ["payment.succeeded", "payment.duplicate_paid"]);
}

#[tokio::test(start_paused = true)]
async fn money_on_an_abandoned_attempt_settles_and_calls_the_open_sibling_in() {
    let world = World::new();
    world.a.on_create(Script::Lose);
    let payment = world.created(json!({})).await;
    take(&world, paid(&payment, 1999, "T1")).await;
    let stored = world.stored(&payment).await;
    assert_eq!((stored.status, stored.next_action.clone()), (Status::Succeeded, None));
    world.pass(Duration::from_secs(3)).await;
    assert_eq!(world.b.canceled(), 1);
    let states: Vec<_> = world.stored(&payment).await.attempts.iter().map(|a| a.state).collect();
    assert_eq!(states, [S::Paid, S::Closed]);
    assert_eq!(world.told().await, ["payment.succeeded"]);
}

#[tokio::test(start_paused = true)]
async fn a_missed_callback_is_made_good_by_a_query() {
    let world = World::new();
    let payment = world.created(json!({})).await;
    world.a.on_query(Ok(QueryAnswer::Open));
    world.a.on_query(Ok(QueryAnswer::Paid(Receipt::of(Money::fen(1999)))));
    world.pass(Duration::from_secs(30)).await;
    assert_eq!(world.stored(&payment).await.status, Status::Succeeded);
    assert_eq!(take(&world, paid(&payment, 1999, "T1")).await, accepted());
    assert_eq!(world.told().await, ["payment.succeeded"]);
}

/// What is booked without a number is known by its first proven one, so that another is other money.
#[tokio::test(start_paused = true)]
async fn the_first_signed_number_of_booked_money_is_noted() {
    let world = World::new();
    let payment = world.created(json!({})).await;
    world.a.on_query(Ok(QueryAnswer::Paid(Receipt::of(Money::fen(1999)))));
    world.payments.sync(app(), payment.id).await.unwrap();
    assert_eq!(world.stored(&payment).await.attempts[0].trade_no, None);
    // Another sum is no number of that money, nor is a number that nobody signed.
    take(&world, paid(&payment, 1998, "T0")).await;
    let mut unsigned = paid(&payment, 1999, "T0");
    unsigned.path = UNSIGNED_NUMBER.to_owned();
    take(&world, unsigned).await;
    assert_eq!(world.stored(&payment).await.attempts[0].trade_no, None);
    for trade_no in ["T1", "T1", "T2", "T2"] {
        assert_eq!(take(&world, paid(&payment, 1999, trade_no)).await, accepted());
        assert_eq!(world.stored(&payment).await.attempts[0].trade_no.as_deref(), Some("T1"));
    }
    assert_eq!(
        came(&world),
        [
            (V::Quarantined, 1),
            (V::Duplicate, 1),
            (V::Applied, 1),
            (V::Duplicate, 1),
            (V::Applied, 1),
            (V::Duplicate, 1)
        ]
    );
    let stored = world.stored(&payment).await;
    assert_eq!((stored.status, stored.held), (Status::Succeeded, Some(Held::SecondPayment)));
    assert_eq!(stored.attempts[0].more.len(), 1);
    assert_eq!(world.told().await, ["payment.succeeded", "payment.held"]);
}

/// No database holds that character, and what is stored has to be what the next message is compared with.
#[tokio::test(start_paused = true)]
async fn a_number_with_a_nul_is_known_when_it_comes_again() {
    let world = World::new();
    let payment = world.created(json!({})).await;
    let named = |no: &str| Receipt { trade_no: Some(no.to_owned()), ..Receipt::of(Money::fen(1999)) };
    for trade_no in ["T\0", "T\0", "U\0", "U\0"] {
        take(&world, paid(&payment, 1999, trade_no)).await;
        let mut unsigned = paid(&payment, 1999, trade_no);
        unsigned.path = UNSIGNED_NUMBER.to_owned();
        world.a.on_query(Ok(QueryAnswer::Paid(named(trade_no))));
        take(&world, unsigned).await;
    }
    let attempt = &world.stored(&payment).await.attempts[0];
    assert_eq!((attempt.trade_no.as_deref(), attempt.received), (Some("T\u{fffd}"), Some(Money::fen(1999))));
    let more: Vec<_> = attempt.more.iter().map(|sum| sum.trade_no.as_str()).collect();
    assert_eq!(more, ["U\u{fffd}"]);
}

#[tokio::test(start_paused = true)]
async fn money_that_is_not_signed_is_believed_only_as_the_provider_confirms_it() {
    let paid = |fen| Ok(QueryAnswer::Paid(Receipt::of(Money::fen(fen))));
    check(paid(1999), accepted(), Status::Succeeded, &[V::Applied]).await;
    check(Ok(QueryAnswer::Open), accepted(), Status::Pending, &[V::Quarantined]).await;
    check(Ok(QueryAnswer::NotFound), accepted(), Status::Pending, &[V::Quarantined]).await;
    // Nobody knows: it is to come again, and is not acknowledged.
    let again = (503, "again".to_owned());
    check(Err(ChannelError::unknown("cut")), again, Status::Pending, &[]).await;

    async fn check(
        answer: Result<QueryAnswer, ChannelError>,
        want: (u16, String),
        status: Status,
        kept: &[V],
    ) {
        let world = World::new();
        // It fits its order: what is only not confirmed is no misfit.
        world.a.refuse_misfits();
        let payment = world.created(json!({})).await;
        world.a.on_query(answer);
        let mut request = self::paid(&payment, 1999, "T1");
        request.path = UNSIGNED.to_owned();
        assert_eq!(take(&world, request).await, want);
        assert_eq!(world.stored(&payment).await.status, status);
        assert_eq!(verdicts(&world), kept);
    }
}

#[tokio::test(start_paused = true)]
async fn money_that_a_close_may_have_sent_back_is_believed_only_as_the_provider_confirms_it() {
    let paid = Ok(QueryAnswer::Paid(Receipt::of(Money::fen(1999))));
    check(paid, accepted(), Status::Succeeded, &[V::Applied]).await;
    check(Ok(QueryAnswer::Closed), accepted(), Status::Processing, &[V::Quarantined]).await;
    // Not yet, or nobody knows: who acknowledges it now may never hear of the money again.
    for unsure in [Ok(QueryAnswer::Open), Ok(QueryAnswer::NotFound), Err(ChannelError::unknown("cut"))] {
        check(unsure, (503, "again".to_owned()), Status::Processing, &[]).await;
    }

    async fn check(
        answer: Result<QueryAnswer, ChannelError>,
        want: (u16, String),
        status: Status,
        kept: &[V],
    ) {
        let world = World::new();
        world.a.on_create(Script::Lose);
        let payer = json!({"auth_code": "134567890123456789"});
        let payment = world.created(json!({"method": "wechat.barcode", "payer": payer})).await;
        world.a.on_query(answer);
        assert_eq!(take(&world, self::paid(&payment, 1999, "T1")).await, want);
        assert_eq!(world.stored(&payment).await.status, status);
        assert_eq!(verdicts(&world), kept);
    }
}

/// Where the payer acts first, only a close that was called can have sent money back.
#[tokio::test(start_paused = true)]
async fn money_older_than_a_close_is_believed_only_as_the_provider_confirms_it() {
    let paid = Ok(QueryAnswer::Paid(Receipt::of(Money::fen(1999))));
    check(paid, accepted(), Status::Succeeded, &[V::Applied]).await;
    check(Ok(QueryAnswer::Closed), accepted(), Status::Expired, &[V::Quarantined]).await;
    for unsure in [Ok(QueryAnswer::Open), Err(ChannelError::unknown("cut"))] {
        check(unsure, (503, "again".to_owned()), Status::Expired, &[]).await;
    }

    async fn check(
        answer: Result<QueryAnswer, ChannelError>,
        want: (u16, String),
        status: Status,
        kept: &[V],
    ) {
        let world = World::new();
        let payment = world.created(json!({"expires_in": 60})).await;
        world.pass(Duration::from_secs(90)).await;
        assert_eq!((world.stored(&payment).await.status, world.a.canceled()), (Status::Expired, 1));
        world.a.on_query(answer);
        assert_eq!(take(&world, self::paid(&payment, 1999, "T1")).await, want);
        assert_eq!(world.stored(&payment).await.status, status);
        assert_eq!(verdicts(&world), kept);
    }
}

/// An ended order was paid twice, and the provider shows the other sum than the one that it tells of.
#[tokio::test(start_paused = true)]
async fn a_signed_number_beside_the_one_that_the_provider_shows_is_more_money() {
    for (late, status) in [(Late::Accept, Status::Succeeded), (Late::Hold, Status::Expired)] {
        let app: fn(&mut App) = match late {
            Late::Accept => |_| {},
            Late::Hold => |app| app.late_success.expired = Late::Hold,
        };
        let world = World::with(&Setting { app, ..Setting::default() });
        let payment = world.created(json!({"expires_in": 60})).await;
        world.pass(Duration::from_secs(90)).await;
        let shown = Receipt { trade_no: Some("T1".to_owned()), ..Receipt::of(Money::fen(1999)) };
        world.a.finds(QueryAnswer::Paid(shown));
        for trade_no in ["T2", "T1", "T2"] {
            assert_eq!(take(&world, paid(&payment, 1999, trade_no)).await, accepted());
        }
        let stored = world.stored(&payment).await;
        assert_eq!((stored.status, stored.held), (status, Some(Held::SecondPayment)));
        let attempt = &stored.attempts[0];
        assert_eq!((attempt.trade_no.as_deref(), attempt.received), (Some("T1"), Some(Money::fen(1999))));
        let more: Vec<_> = attempt.more.iter().map(|sum| (sum.trade_no.as_str(), sum.amount)).collect();
        assert_eq!(more, [("T2", 1999)]);
    }
}

#[tokio::test(start_paused = true)]
async fn money_that_no_close_can_send_back_is_believed_at_once() {
    let setting = Setting { a: |a| a.that_ends(BARCODE, OrderEnd::None), ..Setting::default() };
    let world = World::with(&setting);
    world.a.on_create(Script::Lose);
    let payer = json!({"auth_code": "134567890123456789"});
    let payment = world.created(json!({"method": "wechat.barcode", "payer": payer})).await;
    assert_eq!(take(&world, self::paid(&payment, 1999, "T1")).await, accepted());
    assert_eq!((world.stored(&payment).await.status, world.a.asked()), (Status::Succeeded, 0));
}

/// How old an order is rests on our clocks, and one of them may be an hour wrong.
#[tokio::test(start_paused = true)]
async fn signed_money_is_not_put_aside_because_of_our_clocks() {
    let setting = Setting { a: |a| a.that_proves_absence(BARCODE, Duration::ZERO), ..Setting::default() };
    let world = World::with(&setting);
    world.a.on_create(Script::Lose);
    let payer = json!({"auth_code": "134567890123456789"});
    let payment = world.created(json!({"method": "wechat.barcode", "payer": payer})).await;
    world.a.on_query(Ok(QueryAnswer::NotFound));
    assert_eq!(take(&world, self::paid(&payment, 1999, "T1")).await, (503, "again".to_owned()));
    assert_eq!(verdicts(&world), []);
    world.a.on_query(Ok(QueryAnswer::Paid(Receipt::of(Money::fen(1999)))));
    assert_eq!(take(&world, self::paid(&payment, 1999, "T1")).await, accepted());
    assert_eq!(world.stored(&payment).await.status, Status::Succeeded);
}
