//! How a transfer ends: by its call, by a query, by a callback, by a person.

use std::time::Duration;

use paymux_core::catalog::Lifecycle;
use paymux_core::channel::{Can, ClaimKind, OutflowAnswer};
use paymux_core::outflow::OutflowState as S;
use paymux_core::payments::desk::Outcome;
use paymux_core::store::{CallbackVerdict as V, QueueKind};
use paymux_core::{ChannelError, Clock as _, Money, PaymentError, Transfer, WireRequest};
use paymux_testkit::Outgo;
use paymux_testkit::channel::{UNSIGNED, outgo_callback};
use serde_json::json;

use super::{booked, books, may_pay_out, setting, stored, transferred, world};
use crate::world::{Setting, World, app, channel, root, says};

fn cannot_be_asked() -> World {
    World::with(&Setting {
        a: |a| a.that_can(Can::QUERY | Can::TRANSFER),
        app: may_pay_out,
        ..Setting::default()
    })
}

async fn asked(world: &World, outgo: Outgo) -> Transfer {
    world.a.on_outgo(outgo);
    transferred(world, json!({})).await
}

async fn take(world: &World, request: WireRequest) -> u16 {
    world.payments.take_callback(channel("a"), request).await.unwrap().status
}

fn about(kind: ClaimKind, transfer: &Transfer) -> WireRequest {
    outgo_callback(kind, &transfer.number, transfer.amount)
}

fn verdicts(world: &World) -> Vec<V> {
    world.store.callbacks().iter().map(|row| row.verdict).collect()
}

#[tokio::test(start_paused = true)]
async fn a_call_is_judged_by_what_may_have_happened() {
    check(Outgo::Done, S::Succeeded, None, &["transfer.succeeded"]).await;
    check(Outgo::Pending, S::Pending, None, &[]).await;
    check(Outgo::NeedsAction, S::NeedsAction, Some("needs_action"), &["transfer.needs_action"]).await;
    check(Outgo::Refuse, S::Failed, Some("refused"), &["transfer.failed"]).await;
    check(Outgo::NotSent, S::Failed, Some("not_sent"), &["transfer.failed"]).await;
    check(Outgo::Lose, S::Unknown, Some("unknown"), &[]).await;
    check(Outgo::Panic, S::Unknown, Some("unknown"), &[]).await;
    check(Outgo::Slow(Duration::from_mins(1)), S::Unknown, Some("unknown"), &[]).await;

    async fn check(outgo: Outgo, state: S, code: Option<&str>, told: &[&str]) {
        let world = world();
        let transfer = asked(&world, outgo).await;
        let failure = transfer.failure.as_ref().map(|failure| failure.code.as_str());
        assert_eq!((transfer.state, failure), (state, code), "{outgo:?}");
        assert_eq!(world.told().await, *told, "{outgo:?}");
        assert_eq!(
            world.a.transfers().len() + world.b.transfers().len(),
            1,
            "never tried elsewhere: {outgo:?}"
        );
        assert_eq!(books(&world).len(), usize::from(state == S::Succeeded), "{outgo:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unknown_transfer_is_asked_about_and_never_sent_again() {
    let world = world();
    let transfer = asked(&world, Outgo::Lose).await;
    world.a.settle_outgo(&transfer.number, OutflowAnswer::NotFound);
    for (pass, asked) in [(29, 0), (2, 1), (118, 1), (2, 2), (598, 2), (2, 3)] {
        world.pass(Duration::from_secs(pass)).await;
        assert_eq!(world.a.asked_outgoes(), asked, "after {pass} s more");
    }
    world.pass(Duration::from_hours(30)).await;
    assert_eq!((stored(&world, &transfer).await.state, world.a.transfers().len()), (S::Unknown, 1));
    assert_eq!(world.waiting().await, [(QueueKind::TransferUnknown, transfer.id.to_string())]);
    world.a.settle_outgo(&transfer.number, OutflowAnswer::Done { reference: Some("X".to_owned()) });
    world.pass(Duration::from_hours(25)).await;
    let transfer = stored(&world, &transfer).await;
    assert_eq!(
        (transfer.state, transfer.reference.as_deref(), transfer.check_at),
        (S::Succeeded, Some("X"), None)
    );
    assert_eq!((world.told().await, books(&world)), (vec!["transfer.succeeded".to_owned()], booked(20_000)));
}

#[tokio::test(start_paused = true)]
async fn events_of_a_transfer_are_counted_and_tell_what_was_before() {
    let world = world();
    let transfer = asked(&world, Outgo::NeedsAction).await;
    assert_eq!(transfer.action_url, Some(format!("https://provider.example/approve/{}", transfer.number)));
    assert_eq!(world.waiting().await, [(QueueKind::TransferNeedsAction, transfer.id.to_string())]);
    let failed = OutflowAnswer::Failed { code: "E1".to_owned(), message: "no such card".to_owned() };
    world.a.settle_outgo(&transfer.number, failed);
    world.pass(Duration::from_secs(31)).await;
    take(&world, about(ClaimKind::Transferred, &transfer)).await;
    let told = world.delivered().await;
    let gist: Vec<_> = told
        .iter()
        .map(|(kind, body)| {
            (
                kind.as_str(),
                &body["data"]["sequence"],
                &body["data"]["previous_status"],
                &body["data"]["late"],
            )
        })
        .collect();
    let want = [
        ("transfer.needs_action", &json!(1), &json!("processing"), &json!(false)),
        ("transfer.failed", &json!(2), &json!("needs_action"), &json!(false)),
        ("transfer.succeeded", &json!(3), &json!("failed"), &json!(true)),
    ];
    assert_eq!(gist, want);
    assert_eq!(books(&world), booked(20_000));
}

#[tokio::test(start_paused = true)]
async fn a_channel_that_is_gone_is_looked_for_hourly_and_one_that_cannot_be_asked_not_at_all() {
    let world = world();
    let transfer = asked(&world, Outgo::Pending).await;
    world.reconfigure(&setting(), |catalog| catalog.edit().0[0].state = Lifecycle::Off);
    world.pass(Duration::from_secs(40)).await;
    let wait = stored(&world, &transfer).await.check_at.unwrap().since(world.clock.now());
    assert!(wait > Duration::from_mins(58) && wait <= Duration::from_hours(1), "{wait:?}");
    assert_eq!(world.a.asked_outgoes(), 0);

    let world = cannot_be_asked();
    let transfer = asked(&world, Outgo::Lose).await;
    assert_eq!((transfer.state, transfer.check_at), (S::Unknown, None));
    world.pass(Duration::from_mins(6)).await;
    assert_eq!(world.waiting().await, [(QueueKind::TransferUnknown, transfer.id.to_string())]);
}

#[tokio::test(start_paused = true)]
async fn sync_asks_the_provider_now_or_says_that_nobody_can() {
    let world = world();
    let transfer = asked(&world, Outgo::Pending).await;
    assert_eq!(world.payments.sync_transfer(app(), transfer.id).await.unwrap().state, S::Pending);
    world.a.settle_outgo(&transfer.number, OutflowAnswer::Done { reference: None });
    assert_eq!(world.payments.sync_transfer(app(), transfer.id).await.unwrap().state, S::Succeeded);
    assert_eq!(world.payments.sync_transfer(app(), transfer.id).await.unwrap().state, S::Succeeded);
    assert_eq!(world.a.asked_outgoes(), 2);

    let world = cannot_be_asked();
    let transfer = asked(&world, Outgo::Pending).await;
    let error = world.payments.sync_transfer(app(), transfer.id).await.unwrap_err();
    assert!(matches!(error, PaymentError::Unsupported { operation: "query_transfer", .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_callback_is_believed_where_number_amount_and_currency_agree() {
    let world = world();
    let transfer = asked(&world, Outgo::Pending).await;
    take(&world, outgo_callback(ClaimKind::Transferred, &transfer.number, Money::fen(1))).await;
    take(&world, outgo_callback(ClaimKind::Transferred, "nobody", transfer.amount)).await;
    take(&world, about(ClaimKind::Refunded, &transfer)).await;
    world.payments.take_callback(channel("b"), about(ClaimKind::Transferred, &transfer)).await.unwrap();
    assert_eq!(stored(&world, &transfer).await, transfer);
    let copies = (0..64).map(|_| take(&world, about(ClaimKind::Transferred, &transfer)));
    assert!(futures_util::future::join_all(copies).await.iter().all(|status| *status == 200));
    take(&world, about(ClaimKind::TransferFailed, &transfer)).await;
    let verdicts = verdicts(&world);
    assert_eq!(verdicts[..4], [V::Quarantined, V::Orphan, V::Orphan, V::Orphan]);
    assert_eq!(verdicts.iter().filter(|v| **v == V::Applied).count(), 1);
    let repeats: u32 =
        world.store.callbacks().iter().filter(|row| row.verdict == V::Duplicate).map(|row| row.times).sum();
    assert_eq!(repeats, 63);
    assert_eq!(verdicts.last(), Some(&V::Quarantined), "what is booked is not taken back");
    assert_eq!(stored(&world, &transfer).await.state, S::Succeeded);
    assert_eq!((world.told().await, books(&world)), (vec!["transfer.succeeded".to_owned()], booked(20_000)));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_signed_counts_only_as_the_provider_says_when_asked() {
    let done = OutflowAnswer::Done { reference: None };
    check(Some(Ok(done)), 200, &[V::Applied], S::Succeeded).await;
    check(Some(Ok(OutflowAnswer::NotFound)), 200, &[V::Quarantined], S::Pending).await;
    check(Some(Err(ChannelError::unknown("cut"))), 503, &[], S::Pending).await;
    check(None, 200, &[V::Quarantined], S::Pending).await;

    /// `None` = a provider that cannot be asked.
    async fn check(answer: Option<Result<OutflowAnswer, ChannelError>>, status: u16, want: &[V], state: S) {
        let world = if answer.is_some() { world() } else { cannot_be_asked() };
        let transfer = asked(&world, Outgo::Pending).await;
        if let Some(answer) = answer.clone() {
            world.a.on_outgo_query(answer);
        }
        let claim = WireRequest { path: UNSIGNED.to_owned(), ..about(ClaimKind::Transferred, &transfer) };
        assert_eq!(take(&world, claim).await, status, "{answer:?}");
        assert_eq!(
            (verdicts(&world).as_slice(), stored(&world, &transfer).await.state),
            (want, state),
            "{answer:?}"
        );
    }
}

#[tokio::test(start_paused = true)]
async fn an_operator_ends_what_nobody_else_can_and_says_it_once() {
    check(Outcome::Paid, S::Succeeded, "transfer.succeeded").await;
    check(Outcome::NotPaid, S::Failed, "transfer.failed").await;

    async fn check(word: Outcome, state: S, told: &str) {
        let world = world();
        let transfer = asked(&world, Outgo::Lose).await;
        world.a.settle_outgo(&transfer.number, OutflowAnswer::NotFound);
        world.pass(Duration::from_mins(11)).await;
        for _ in 0..2 {
            let resolved = world.payments.resolve_transfer(root(), transfer.id, says(word)).await.unwrap();
            assert_eq!((resolved.state, resolved.check_at.is_some()), (state, word == Outcome::NotPaid));
        }
        let audits = world.store.audits();
        let [audit] = audits.as_slice() else { panic!("{audits:?}") };
        assert_eq!(
            (&audit.before["status"], &audit.after["status"]),
            (&json!("unknown"), &json!(state.word()))
        );
        assert_eq!(world.told().await, [told]);
        assert_eq!(books(&world).len(), usize::from(state == S::Succeeded));
        let other = if word == Outcome::Paid { Outcome::NotPaid } else { Outcome::Paid };
        let reversed = world.payments.resolve_transfer(root(), transfer.id, says(other)).await;
        match word {
            Outcome::Paid => assert_eq!(reversed.unwrap_err().code(), "not_resolvable"),
            _ => assert_eq!(reversed.unwrap().state, S::Succeeded, "late money is booked"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_payout_that_left_in_spite_of_a_persons_word_is_booked() {
    let world = world();
    let transfer = asked(&world, Outgo::Lose).await;
    world.a.settle_outgo(&transfer.number, OutflowAnswer::NotFound);
    world.pass(Duration::from_mins(11)).await;
    let word = says(Outcome::NotPaid);
    let failed = world.payments.resolve_transfer(root(), transfer.id, word).await.unwrap();
    world.a.settle_outgo(&transfer.number, OutflowAnswer::Pending { reference: None });
    world.pass(Duration::from_hours(1)).await;
    let waiting = stored(&world, &transfer).await;
    assert_eq!((waiting.state, waiting.failure), (S::Failed, failed.failure));
    world.a.settle_outgo(&transfer.number, OutflowAnswer::Done { reference: None });
    world.pass(Duration::from_hours(4)).await;
    assert_eq!(stored(&world, &transfer).await.state, S::Succeeded);
    assert_eq!(books(&world).len(), 1);
    assert_eq!(world.told().await, ["transfer.failed", "transfer.succeeded"]);
}
