//! Why each attempt was made where it was, and the versions of the configuration that its record is read with.

use std::sync::Arc;

use paymux_core::clock::Timestamp;
use paymux_core::router::VersionDigest;
use paymux_core::store::{ConfigVersion, KeptDecision};

use super::Subject;
use super::openings::ODD;
use crate::fixtures::{Fixtures, add_attempt, change_of, edit_attempt};

fn version(content: &str, since: i64) -> ConfigVersion {
    let digest = VersionDigest::of(content);
    ConfigVersion { digest, content: content.to_owned(), since: Timestamp::from_ms(since) }
}

/// A record of that version that has every byte.
fn compact(content: &str) -> KeptDecision {
    KeptDecision::Compact { version: VersionDigest::of(content), record: (0..=u8::MAX).rev().collect() }
}

pub async fn keeps_every_field_of_a_version(subject: &Subject) {
    let long = ODD.repeat(20_000);
    for want in [version("{}", i64::MIN), version(ODD, i64::MAX), version("", 0), version(&long, 7)] {
        assert_eq!(subject.store.version(&want.digest).await, Ok(None));
        assert_eq!(subject.store.keep_version(want.clone()).await, Ok(()));
        assert_eq!(subject.store.version(&want.digest).await, Ok(Some(want)));
    }
}

pub async fn the_first_of_a_digest_stays(subject: &Subject) {
    let first = version("{}", 1);
    assert_eq!(subject.store.keep_version(first.clone()).await, Ok(()));
    for again in
        [first.clone(), version("{}", 2), ConfigVersion { content: "[]".to_owned(), ..first.clone() }]
    {
        assert_eq!(subject.store.keep_version(again).await, Ok(()));
        assert_eq!(subject.store.version(&first.digest).await, Ok(Some(first.clone())));
    }
}

/// Of many nodes that begin to route by the same at once, one keeps it, and each is told that it is kept.
pub async fn of_equal_versions_at_once_one_is_kept(subject: &Subject) {
    let mut writes = tokio::task::JoinSet::new();
    for since in 0..16 {
        let store = Arc::clone(&subject.store);
        writes.spawn(async move { store.keep_version(version("{}", since)).await });
    }
    assert!(writes.join_all().await.into_iter().all(|kept| kept == Ok(())));
    let kept = subject.store.version(&VersionDigest::of("{}")).await.unwrap().unwrap();
    assert_eq!(kept, version("{}", kept.since.ms()));
}

/// In numbers and in words, of a payment's first attempt and of the next one.
pub async fn keeps_the_decision_of_each_attempt(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let told =
        KeptDecision::Told(serde_json::json!({ "route": ODD, "seed": u64::MAX, "by": [{ "rule": "\0" }] }));
    let empty = KeptDecision::Compact { version: VersionDigest::of("{}"), record: vec![] };
    for (place, first) in [compact("{}"), told.clone(), empty].into_iter().enumerate() {
        let mut opening = fixtures.opening("shop", &format!("A{place}"));
        opening.decision = first.clone();
        let seen = subject.opened(opening).await;
        let mut change = change_of(&seen);
        edit_attempt(&mut change, 0, |attempt| attempt.state = paymux_core::AttemptState::Refused);
        add_attempt(&mut change, fixtures.attempt("second"));
        let next = change.payment.attempts[1].id;
        let second = if first == told { compact(ODD) } else { told.clone() };
        change.added = Some((next, second.clone()));
        subject.done(change).await;
        for (attempt, want) in [(seen.attempts[0].id, first), (next, second)] {
            assert_eq!(subject.store.decision(attempt).await, Ok(Some(want.clone())));
            assert_eq!(subject.look.decision(attempt).await, Some(want));
        }
    }
    assert_eq!(subject.store.decision(fixtures.attempt("main").id).await, Ok(None));
}

/// What loses against another opening leaves no decision behind.
pub async fn an_opening_that_is_known_leaves_none(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    subject.opened(fixtures.opening("shop", "A1")).await;
    let again = fixtures.opening("shop", "A1");
    let attempt = again.payment.attempts[0].id;
    subject.store.open(again).await.unwrap();
    assert_eq!(subject.store.decision(attempt).await, Ok(None));
}
