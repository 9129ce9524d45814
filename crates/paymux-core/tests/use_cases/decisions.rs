//! Why an attempt went where it went can be told ever after: its record and its version are in the ledger.

use std::time::Duration;

use paymux_core::channel::Blame;
use paymux_core::router::{VersionDigest, replay};
use paymux_core::store::{KeptDecision, PaymentLedger as _};
use paymux_core::{AttemptId, Clock as _, PaymentError, Payments};
use paymux_testkit::{Fixtures, Script};
use serde_json::{Value, json};

use crate::world::{Setting, World, app, channel, request};

async fn decision(payments: &Payments, attempt: AttemptId) -> Value {
    payments.decision(attempt).await.unwrap().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_version_is_kept_once_for_each_content() {
    let setting = Setting::default();
    let world = World::with(&setting);
    assert_eq!(world.store.versions(), []);
    let since = world.clock.now();
    let first = world.created(json!({"order_no": "A1"})).await.attempts[0].id;
    let told = decision(&world.payments, first).await;
    let kept = world.store.versions();
    assert_eq!((kept.len(), kept[0].since), (1, since));
    world.clock.advance(Duration::from_secs(1)).await;
    world.created(json!({"order_no": "A2"})).await;
    // Nodes of the same configuration keep it again, and a reload without a change does not.
    world.node_apart(&setting, |_| {}).create(app(), request(json!({"order_no": "A3"}))).await.unwrap();
    world.reconfigure(&setting, |_| {});
    world.created(json!({"order_no": "A4"})).await;
    assert_eq!(world.store.versions(), kept);

    world.reconfigure(&setting, |catalog| catalog.edit().0[0].weight = 7);
    let second = world.created(json!({"order_no": "A5"})).await.attempts[0].id;
    assert_eq!(world.store.versions().len(), 2);
    assert_eq!(decision(&world.payments, first).await, told, "as it was then");
    let weight = |told: &Value| told["candidates"][0]["weight"].clone();
    assert_eq!((weight(&told), weight(&decision(&world.payments, second).await)), (json!(1), json!(7)));
}

#[tokio::test(start_paused = true)]
async fn each_attempt_has_its_own() {
    let world = World::new();
    world.a.on_create(Script::Refuse(Blame::Account));
    let payment = world.created(json!({})).await;
    let [first, second] = [0, 1].map(|place| payment.attempts[place].id);
    let told = [decision(&world.payments, first).await, decision(&world.payments, second).await];
    assert_eq!((&told[0]["picked"], &told[1]["picked"]), (&json!("a"), &json!("b")));
    let removed = json!({"rule": "tried", "detail": "this payment was tried here before"});
    assert_eq!(
        (&told[0]["candidates"][0]["removed_by"], &told[1]["candidates"][0]["removed_by"]),
        (&Value::Null, &removed)
    );
    assert_eq!(replay(&told[1]), Ok(Some(channel("b"))));
    let nobodys = "att_00000000000000000000000000000001".parse().unwrap();
    assert_eq!(world.payments.decision(nobodys).await.unwrap(), None);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_opened_by_a_version_that_is_not_kept() {
    let world = World::new();
    world.store.go_away();
    let refused = world.create(json!({})).await.unwrap_err();
    assert!(matches!(refused, PaymentError::Overloaded(_)), "{refused:?}");
    world.store.come_back();
    assert_eq!((world.store.payments(), world.store.versions()), (vec![], vec![]));
    let payment = world.created(json!({})).await;
    assert_eq!(decision(&world.payments, payment.attempts[0].id).await["picked"], "a");
}

#[tokio::test(start_paused = true)]
async fn what_an_older_version_wrote_in_words_is_told_as_it_is() {
    let (world, fixtures) = (World::new(), Fixtures::new(1));
    let words = json!({"route": "gone", "strategy": "random", "anything": [1, null]});
    let mut opening = fixtures.opening("shop", "A1");
    opening.decision = KeptDecision::Told(words.clone());
    let attempt = opening.payment.attempts[0].id;
    world.store.open(opening).await.unwrap();
    assert_eq!(decision(&world.payments, attempt).await, words);
}

#[tokio::test(start_paused = true)]
async fn a_version_that_is_gone_is_named() {
    let (world, fixtures) = (World::new(), Fixtures::new(1));
    let mut opening = fixtures.opening("shop", "A1");
    let version = VersionDigest::of("gone");
    opening.decision = KeptDecision::Compact { version: version.clone(), record: vec![1] };
    let attempt = opening.payment.attempts[0].id;
    world.store.open(opening).await.unwrap();
    match world.payments.decision(attempt).await {
        Err(PaymentError::Internal(why)) => assert!(why.contains(version.as_str()), "{why}"),
        other => panic!("{other:?}"),
    }
}
