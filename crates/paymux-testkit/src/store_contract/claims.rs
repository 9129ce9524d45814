//! Keys that stand for one request.

use std::sync::Arc;

use paymux_core::clock::Timestamp;
use paymux_core::store::{Claim, Claimed};

use super::Subject;
use super::openings::ODD;
use super::races::at_once;

fn claim(scope: &str, key: &str, digest: &str, at: i64, until: i64) -> Claim {
    Claim {
        scope: scope.to_owned(),
        key: key.to_owned(),
        digest: digest.to_owned(),
        at: Timestamp::from_ms(at),
        until: Timestamp::from_ms(until),
    }
}

async fn check(subject: &Subject, claim: Claim, want: Claimed) {
    assert_eq!(subject.store.claim(claim.clone()).await, Ok(want), "{claim:?}");
}

pub async fn a_key_stands_for_one_request(subject: &Subject) {
    for _ in 0..2 {
        let want = subject.store.claim(claim("shop", "k", "one", 100, 200)).await.unwrap();
        assert!(matches!(want, Claimed::New | Claimed::Same));
        check(subject, claim("shop", "k", "one", 100, 200), Claimed::Same).await;
        check(subject, claim("shop", "k", "two", 100, 200), Claimed::Other).await;
        check(subject, claim("shop", "k", "one", 150, 250), Claimed::Same).await;
    }
    check(subject, claim("shop", "j", "one", 100, 200), Claimed::New).await;
    check(subject, claim("shop", "j", "two", 100, 200), Claimed::Other).await;
}

pub async fn keys_are_compared_byte_for_byte(subject: &Subject) {
    let keys = [("shop", "k"), ("shop", "K"), ("Shop", "k"), ("shop", "k "), ("sho", "pk"), ("sh", "opk")];
    for (scope, key) in keys {
        check(subject, claim(scope, key, "one", 100, 200), Claimed::New).await;
    }
    for (scope, key) in keys {
        check(subject, claim(scope, key, "one", 100, 200), Claimed::Same).await;
        check(subject, claim(scope, key, "ONE", 100, 200), Claimed::Other).await;
    }
    let long = "茶".repeat(255);
    check(subject, claim(ODD, &long, ODD, 100, 200), Claimed::New).await;
    check(subject, claim(ODD, &long, ODD, 100, 200), Claimed::Same).await;
    check(subject, claim(ODD, &long[3..], ODD, 100, 200), Claimed::New).await;
}

/// PostgreSQL cannot hold U+0000 in text.
pub async fn takes_nul_too(subject: &Subject) {
    check(subject, claim("a\0b", "\0", "\0", 100, 200), Claimed::New).await;
    check(subject, claim("a\0b", "\0", "\0", 100, 200), Claimed::Same).await;
}

pub async fn a_key_is_free_once_its_time_is_over(subject: &Subject) {
    check(subject, claim("shop", "k", "one", 100, 200), Claimed::New).await;
    check(subject, claim("shop", "k", "two", 199, 300), Claimed::Other).await;
    check(subject, claim("shop", "k", "two", 200, 300), Claimed::New).await;
    check(subject, claim("shop", "k", "one", 200, 300), Claimed::Other).await;
    check(subject, claim("shop", "k", "two", 299, 900), Claimed::Same).await;
    // To be the same makes nothing last longer.
    check(subject, claim("shop", "k", "one", 300, 400), Claimed::New).await;
    check(subject, claim("shop", "k", "one", i64::MAX, i64::MAX), Claimed::New).await;
}

pub async fn of_many_at_once_one_is_new(subject: &Subject) {
    for round in 0..4 {
        let store = Arc::new(subject.store.clone());
        let answers =
            at_once(64, |place| {
                let (store, digest) = (store.clone(), format!("{}", place % 8));
                async move {
                    (digest.clone(), store.claim(claim("shop", &format!("k{round}"), &digest, 1, 9)).await)
                }
            })
            .await;
        let new: Vec<_> = answers.iter().filter(|(_, claimed)| *claimed == Ok(Claimed::New)).collect();
        assert_eq!(new.len(), 1);
        for (digest, claimed) in &answers {
            let want = if *digest == new[0].0 { Claimed::Same } else { Claimed::Other };
            assert!(*claimed == Ok(Claimed::New) || *claimed == Ok(want), "{claimed:?}");
        }
    }
}

pub async fn has_one_key_of_digests(subject: &Subject) {
    let key = subject.store.digest_key().await.unwrap();
    assert_eq!(key.expose().len(), 64);
    assert!(key.matches(subject.store.digest_key().await.unwrap().expose()));
}
