//! Transfers: who may pay out how much and where, that each is sent once, and what is told of it.

mod endings;
mod faults;

use std::time::Duration;

use paymux_core::catalog::{App, Lifecycle, Scope};
use paymux_core::channel::Can;
use paymux_core::outflow::OutflowState as S;
use paymux_core::payments::{IdempotencyKey, RequestDigest, TransferAnswer};
use paymux_core::store::TransferLedger as _;
use paymux_core::transfer::TransferRequest;
use paymux_core::{AppId, Clock as _, Money, NewTransfer, PaymentError, Transfer};
use paymux_testkit::Outgo;
use serde_json::{Value, json};

use crate::world::{Setting, World, app};

/// The most that the app may pay out at once and in a day.
const LIMIT: i64 = 50_000;

fn may_pay_out(app: &mut App) {
    app.scopes.push(Scope::Transfers);
    app.transfer_amount_max = Some(LIMIT);
}

/// A channel that pays out and can be asked about it, and one that does neither.
fn setting() -> Setting {
    Setting {
        a: |a| a.that_can(Can::QUERY | Can::TRANSFER | Can::QUERY_TRANSFER),
        app: may_pay_out,
        ..Setting::default()
    }
}

fn world() -> World {
    World::with(&setting())
}

#[expect(clippy::needless_pass_by_value, reason = "its callers write the patch in place")]
pub(crate) fn request(patch: Value) -> NewTransfer {
    let mut body = json!({"transfer_no": "T1", "amount": 20_000, "currency": "CNY", "product": "bank_card",
        "payee": {"card_no": "6222020200112233", "name": "Wang Wu"}, "channel": "a", "reason": "wages"});
    body.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
    let request: TransferRequest = serde_json::from_value(body).unwrap();
    NewTransfer::check(&request).unwrap()
}

async fn transfer(world: &World, patch: Value) -> Result<TransferAnswer, PaymentError> {
    world.payments.transfer(app(), request(patch)).await
}

/// Asks for a transfer and expects one.
async fn transferred(world: &World, patch: Value) -> Transfer {
    transfer(world, patch).await.unwrap().transfer
}

async fn stored(world: &World, transfer: &Transfer) -> Transfer {
    world.store.transfer(transfer.id).await.unwrap().unwrap()
}

/// What was booked: from where, to where, how much.
fn books(world: &World) -> Vec<(String, String, i64)> {
    let postings = world.store.postings();
    let line = |posting: &paymux_core::posting::Posting| {
        (posting.credit.to_string(), posting.debit.to_string(), posting.amount.minor())
    };
    postings.iter().map(line).collect()
}

fn booked(minor: i64) -> Vec<(String, String, i64)> {
    vec![("channel:a".to_owned(), "app:shop".to_owned(), minor)]
}

#[tokio::test(start_paused = true)]
async fn money_is_paid_out_and_booked_and_told() {
    let world = world();
    let answer = transfer(&world, json!({})).await.unwrap();
    assert!(answer.is_new);
    let transfer = answer.transfer;
    assert_eq!(
        (transfer.state, transfer.amount, transfer.livemode),
        (S::Succeeded, Money::fen(20_000), true)
    );
    assert_eq!((transfer.check_at, transfer.ended_at), (None, Some(world.clock.now())));
    assert_eq!(transfer.reference, Some(format!("ref-{}", transfer.number)));
    assert_eq!(stored(&world, &transfer).await, transfer);
    assert_eq!(books(&world), booked(20_000));
    let told = world.delivered().await;
    let [(kind, body)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((kind.as_str(), &body["data"]["sequence"]), ("transfer.succeeded", &json!(1)));
    assert_eq!(
        (&body["data"]["late"], &body["data"]["previous_status"]),
        (&json!(false), &json!("processing"))
    );
}

#[tokio::test(start_paused = true)]
async fn the_provider_is_told_who_receives_and_nobody_else_is() {
    let world = world();
    let extra = json!({"extra": {"bank_name": "ICBC", "card_pin": "918273"}});
    let transfer = transferred(&world, extra).await;
    let orders = world.a.transfers();
    let [order] = orders.as_slice() else { panic!("{orders:?}") };
    assert_eq!(
        (order.payout.number.as_str(), transfer.number.as_str()),
        (&*transfer.id.digits(), &*transfer.id.digits())
    );
    assert_eq!((order.payout.amount, order.payout.product.as_str()), (Money::fen(20_000), "bank_card"));
    assert_eq!(
        (order.payout.reason.as_str(), order.notify_url.as_str()),
        ("wages", "https://pay.example/notify/a")
    );
    assert_eq!(
        (order.payee["card_no"].expose(), order.payee["name"].expose()),
        ("6222020200112233", "Wang Wu")
    );
    assert_eq!((&order.extra["bank_name"], &order.extra["card_pin"]), (&json!("ICBC"), &json!("918273")));
    let shown = format!("{:?} {:?}", stored(&world, &transfer).await, world.store.events());
    for secret in ["6222020200112233", "Wang", "ICBC", "918273"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
    assert_eq!(transfer.payee_masked["card_no"], "****2233");
}

#[tokio::test(start_paused = true)]
async fn it_is_stored_before_a_byte_leaves() {
    let world = world();
    world.a.on_outgo(Outgo::Slow(Duration::from_secs(3)));
    let asking = tokio::spawn({
        let payments = world.payments.clone();
        async move { payments.transfer(app(), request(json!({}))).await }
    });
    world.clock.advance(Duration::from_secs(1)).await;
    assert_eq!(world.transport.sent().len(), 1);
    assert_eq!(world.store.transfers()[0].state, S::Sending);
    assert_eq!(asking.await.unwrap().unwrap().transfer.state, S::Succeeded);
}

#[tokio::test(start_paused = true)]
async fn a_request_that_its_channel_does_not_take_names_the_field_and_the_rule() {
    let world = world();
    check(&world, json!({"channel": "elsewhere"}), "channel", "those that pay out: a").await;
    check(&world, json!({"product": "cash"}), "product", "pays out by: bank_card, wallet").await;
    check(&world, json!({"currency": "USD"}), "currency", "no USD").await;
    let wallet = json!({"product": "wallet", "payee": {"account": "wang@example.com"}, "amount": 20_001});
    check(&world, wallet, "amount", "`wallet` takes 100 to 20000").await;
    check(&world, json!({"payee": {"name": "Wang Wu"}}), "payee", "also needs: card_no").await;
    check(&world, json!({"payee": {"bank": "ICBC"}}), "payee", "also needs: card_no, name").await;
    check(&world, json!({"extra": {"appid": "x"}}), "extra.appid", "takes: bank_name, card_pin").await;
    for state in [Lifecycle::VerifyOnly, Lifecycle::Off] {
        world.reconfigure(&setting(), |catalog| catalog.edit().0[0].state = state);
        check(&world, json!({}), "channel", state.word()).await;
    }

    async fn check(world: &World, patch: Value, param: &str, rule: &str) {
        let error = transfer(world, patch.clone()).await.unwrap_err();
        let PaymentError::Invalid(field) = &error else { panic!("{patch}: {error}") };
        assert!(field.param == param && field.rule.contains(rule), "{patch}: {error}");
        assert!(world.store.transfers().is_empty() && world.a.transfers().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_pays_nothing_out_says_so() {
    let world = world();
    let error = transfer(&world, json!({"channel": "b"})).await.unwrap_err();
    let PaymentError::Unsupported { channel, operation } = &error else { panic!("{error}") };
    assert_eq!((channel.as_str(), *operation), ("b", "transfer"));
}

#[tokio::test(start_paused = true)]
async fn an_app_needs_the_scope_and_a_limit_and_sees_its_own_transfers_only() {
    let world = world();
    let paid_out = transferred(&world, json!({})).await;
    let no = paid_out.transfer_no.clone();
    let found = world.payments.find_transfer(&app(), paid_out.id).await.unwrap();
    assert_eq!(found, world.payments.find_transfer_by_no(&app(), &no).await.unwrap());
    assert_eq!(found, paid_out);
    check(&world, "other", &paid_out).await;
    world.reconfigure(&Setting { app: |app| app.transfer_amount_max = Some(LIMIT), ..setting() }, |_| {});
    check(&world, "shop", &paid_out).await;
    world.reconfigure(&Setting { app: |app| app.scopes.push(Scope::Transfers), ..setting() }, |_| {});
    let error = transfer(&world, json!({"transfer_no": "T2"})).await.unwrap_err();
    assert_eq!(error.code(), "forbidden", "no limit, no transfer");
    assert_eq!(transferred(&world, json!({})).await, paid_out, "a repeat asks for no new one");

    async fn check(world: &World, app: &str, transfer: &Transfer) {
        let (app, payments) = (AppId::new(app).unwrap(), &world.payments);
        let errors = [
            payments
                .transfer(app.clone(), request(json!({"transfer_no": "T2"})))
                .await
                .map(drop)
                .unwrap_err(),
            payments.find_transfer(&app, transfer.id).await.map(drop).unwrap_err(),
            payments.find_transfer_by_no(&app, &transfer.transfer_no).await.map(drop).unwrap_err(),
            payments.sync_transfer(app.clone(), transfer.id).await.map(drop).unwrap_err(),
        ];
        assert!(errors.iter().all(|error| error.code() == "forbidden"), "{app}: {errors:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn another_apps_transfer_is_not_found() {
    let world = world();
    let paid_out = transferred(&world, json!({})).await;
    // Another app that may pay out too.
    let stall: fn(&mut App) = |app| {
        may_pay_out(app);
        app.id = AppId::new("stall").unwrap();
    };
    world.reconfigure(&Setting { app: stall, ..setting() }, |_| {});
    let stall = AppId::new("stall").unwrap();
    let by_id = world.payments.find_transfer(&stall, paid_out.id).await.unwrap_err();
    let by_no = world.payments.find_transfer_by_no(&stall, &paid_out.transfer_no).await.unwrap_err();
    let sync = world.payments.sync_transfer(stall.clone(), paid_out.id).await.unwrap_err();
    assert_eq!([by_id.code(), by_no.code(), sync.code()], ["not_found"; 3]);
    // The same number is another app's own.
    assert!(world.payments.transfer(stall, request(json!({}))).await.unwrap().is_new);
}

#[tokio::test(start_paused = true)]
async fn an_app_pays_out_no_more_than_its_limit_at_once_and_in_a_day() {
    let world = world();
    too_large(&world, "T0", LIMIT + 1, "in one transfer").await;
    transferred(&world, json!({"amount": 30_000})).await;
    world.a.on_outgo(Outgo::Refuse);
    transferred(&world, json!({"transfer_no": "T2", "amount": 20_000})).await;
    too_large(&world, "T3", 20_001, "in one day").await;
    world.a.on_outgo(Outgo::Lose);
    transferred(&world, json!({"transfer_no": "T3", "amount": 20_000})).await;
    too_large(&world, "T4", 1, "in one day").await;
    // It is 08:00 in Shanghai, whose day counts.
    world.clock.advance(Duration::from_secs(16 * 3600 - 1)).await;
    too_large(&world, "T4", 1, "in one day (Asia/Shanghai)").await;
    world.clock.advance(Duration::from_secs(1)).await;
    transferred(&world, json!({"transfer_no": "T4", "amount": LIMIT})).await;

    async fn too_large(world: &World, no: &str, amount: i64, limit: &str) {
        let sent = world.a.transfers().len();
        let error = transfer(world, json!({"transfer_no": no, "amount": amount})).await.unwrap_err();
        let PaymentError::TransferTooLarge { max_minor, per } = &error else { panic!("{no}: {error}") };
        assert!(*max_minor == LIMIT && per.contains(limit), "{no}: {error}");
        assert_eq!(world.a.transfers().len(), sent);
    }
}

#[tokio::test(start_paused = true)]
async fn many_transfers_at_once_keep_the_days_limit() {
    let world = world();
    for _ in 0..64 {
        world.a.on_outgo(Outgo::Slow(Duration::from_secs(1)));
    }
    let ask = |n: usize| transfer(&world, json!({"transfer_no": format!("T{n}"), "amount": 3000}));
    let answers = futures_util::future::join_all((0..64).map(ask)).await;
    let done = answers.iter().flatten().filter(|answer| answer.transfer.state == S::Succeeded).count();
    let too_large = answers.iter().filter(|a| a.as_ref().is_err_and(|e| e.code() == "transfer_too_large"));
    assert_eq!((done, too_large.count(), world.a.transfers().len()), (16, 48, 16));
}

#[tokio::test(start_paused = true)]
async fn the_same_request_again_finds_the_same_transfer() {
    let world = world();
    let first = transfer(&world, json!({"amount": LIMIT})).await.unwrap();
    let again = transfer(&world, json!({"amount": LIMIT})).await.unwrap();
    assert!(first.is_new && !again.is_new, "although the day's limit is reached");
    assert_eq!(first.transfer, again.transfer);
    world.reconfigure(&setting(), |catalog| catalog.edit().0[0].state = Lifecycle::Off);
    let again = transfer(&world, json!({"amount": LIMIT})).await.unwrap();
    assert_eq!(first.transfer, again.transfer, "although the channel is off");
    assert_eq!(world.a.transfers().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_same_number_with_another_field_is_refused() {
    let world = world();
    transferred(&world, json!({"extra": {"card_pin": "918273"}})).await;
    for patch in [
        json!({"amount": 20_001}),
        json!({"amount": LIMIT + 1}),
        json!({"product": "wallet", "payee": {"account": "wang@example.com"}}),
        json!({"payee": {"card_no": "6222020200112234", "name": "Wang Wu"}}),
        json!({"channel": "elsewhere"}),
        json!({"reason": null}),
        json!({"extra": {}}),
        json!({"extra": {"card_pin": "000000"}}),
        json!({"extra": {"bank_name": "ICBC", "card_pin": "918273"}}),
    ] {
        let mut body = json!({"extra": {"card_pin": "918273"}});
        body.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        let error = transfer(&world, body).await.unwrap_err();
        assert_eq!(error.code(), "transfer_mismatch", "{patch}: {error}");
    }
    assert_eq!(world.a.transfers().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn another_payee_that_looks_the_same_when_masked_is_another_request() {
    let world = world();
    transferred(&world, json!({})).await;
    for patch in [
        json!({"payee": {"card_no": "6222020999992233", "name": "Wang Wu"}}),
        json!({"payee": {"card_no": "6222020200112233", "name": "Li Si"}}),
        json!({"extra": {"card_pin": "1234"}}),
    ] {
        let error = transfer(&world, patch.clone()).await.unwrap_err();
        assert_eq!(error.code(), "transfer_mismatch", "{patch}");
    }
    let pin = |pin: &str| json!({"transfer_no": "T2", "extra": {"card_pin": pin}});
    transferred(&world, pin("1234")).await;
    assert_eq!(transfer(&world, pin("4321")).await.unwrap_err().code(), "transfer_mismatch");
    assert!(!transfer(&world, pin("1234")).await.unwrap().is_new);
    assert_eq!(world.a.transfers().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_restart_keeps_the_key_of_digests_and_its_loss_pays_nothing_twice() {
    let mut world = world();
    transferred(&world, json!({})).await;
    world.crash();
    assert!(!transfer(&world, json!({})).await.unwrap().is_new);
    world.store.lose_digest_key();
    world.crash();
    assert_eq!(transfer(&world, json!({})).await.unwrap_err().code(), "transfer_mismatch");
    assert_eq!((world.a.transfers().len(), world.store.transfers().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn an_idempotency_key_stands_for_a_keyed_digest() {
    let mut world = world();
    claimed(&world).await.unwrap();
    world.crash();
    claimed(&world).await.unwrap();
    assert_eq!(world.store.claimed_digests().len(), 1);
    world.store.lose_digest_key();
    world.crash();
    assert_eq!(claimed(&world).await.unwrap_err().code(), "idempotency_mismatch");

    async fn claimed(world: &World) -> Result<(), PaymentError> {
        let key = IdempotencyKey::new("k1").unwrap();
        let digest = RequestDigest::of("POST", "/v1/transfers", b"{}");
        world.payments.under_key(app(), key, digest, async { Ok(()) }).await
    }
}

#[tokio::test(start_paused = true)]
async fn many_equal_requests_at_once_make_one_call() {
    let world = world();
    world.a.on_outgo(Outgo::Slow(Duration::from_secs(2)));
    let answers =
        futures_util::future::join_all((0..64).map(|_| transfer(&world, json!({"amount": LIMIT})))).await;
    let answers: Vec<_> = answers.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers.iter().filter(|answer| answer.is_new).count(), 1);
    assert!(answers.iter().all(|answer| answer.transfer == answers[0].transfer));
    assert_eq!((answers[0].transfer.state, world.a.transfers().len()), (S::Succeeded, 1));
}

#[tokio::test(start_paused = true)]
async fn the_answer_comes_in_time_and_a_repeat_waits_for_the_call() {
    let world = World::with(&Setting { answer: Duration::from_secs(5), ..setting() });
    world.a.on_outgo(Outgo::Slow(Duration::from_secs(9)));
    let begun = world.clock.mono();
    let first = transferred(&world, json!({})).await;
    assert_eq!(world.clock.mono().0.checked_sub(begun.0), Some(Duration::from_secs(5)));
    let shown = serde_json::to_value(paymux_core::view::TransferView::of(&first)).unwrap();
    assert_eq!((first.state, &shown["status"]), (S::Sending, &json!("processing")));
    let again = transfer(&world, json!({})).await.unwrap();
    assert_eq!((again.is_new, again.transfer.state), (false, S::Succeeded));
    world.a.on_outgo(Outgo::Slow(Duration::from_secs(14)));
    transferred(&world, json!({"transfer_no": "T2"})).await;
    assert_eq!(transfer(&world, json!({"transfer_no": "T2"})).await.unwrap_err().code(), "in_flight");
    assert_eq!(world.a.transfers().len(), 2);
}
