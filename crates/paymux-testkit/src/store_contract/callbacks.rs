//! Callbacks that change nothing.

use bytes::Bytes;
use paymux_core::store::{CallbackRow, CallbackVerdict, QueueKind, Ring};
use paymux_core::wire::{Verb, WireRequest};

use super::{Subject, kind};
use crate::fixtures::{Fixtures, channel, paid};

const WIDE: Ring = Ring { rows: 1000, bytes: 1 << 20 };

pub async fn keeps_them_byte_for_byte(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let payment = subject.opened(fixtures.opening("shop", "A1")).await;
    let queries = [None, Some(String::new()), Some("a=%00&b='+\"".to_owned()), None];
    let odd = Bytes::from_static(b"\xff\xfe\0\r\n\x80");
    let bodies = [Bytes::new(), odd, vec![0; 200_000].into(), (0..=255).collect()];
    let mut rows = Vec::new();
    for (place, (query, body)) in queries.into_iter().zip(bodies).enumerate() {
        let verb = [Verb::Get, Verb::Post, Verb::Put, Verb::Delete][place];
        let mut request = WireRequest { query, body, ..WireRequest::new(verb, "/notify/main/%2F'\"") };
        request.headers.push("x-sign", "one");
        request.headers.push("X-Sign", "two");
        request.headers.push("content-type", "text/plain; charset=\"gbk\"");
        let detail = Some("why: '茶'".to_owned());
        let row = fixtures.callback(CallbackVerdict::ALL[place + 1]);
        rows.push(CallbackRow { request, detail, payment: Some(payment.id), ..row });
    }
    for row in &rows {
        subject.store.keep_callback(row.clone(), WIDE).await.unwrap();
    }
    assert_eq!(subject.look.callbacks().await, rows);
}

const UNAPPLIED: [CallbackVerdict; 3] =
    [CallbackVerdict::Duplicate, CallbackVerdict::Orphan, CallbackVerdict::Quarantined];

/// A verified one with that key and body.
fn keyed(fixtures: &Fixtures, verdict: CallbackVerdict, key: &str, body: &str) -> CallbackRow {
    let mut row = fixtures.callback(verdict);
    row.event_key = Some(key.to_owned());
    row.request.body = body.to_owned().into();
    row
}

pub async fn keeps_unverified_ones_again(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    for verdict in [CallbackVerdict::Forged, CallbackVerdict::Unreadable] {
        for _ in 0..3 {
            subject.store.keep_callback(keyed(&fixtures, verdict, "key", "same"), WIDE).await.unwrap();
        }
    }
    assert_eq!(subject.look.callbacks().await.len(), 6);
}

pub async fn counts_a_verified_one_that_comes_again(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let mut want = Vec::new();
    for verdict in UNAPPLIED {
        let first = keyed(&fixtures, verdict, "key", "same");
        subject.store.keep_callback(first.clone(), WIDE).await.unwrap();
        for _ in 0..99 {
            let mut again = keyed(&fixtures, verdict, "key", "same");
            again.request.headers.push("x-trace", "another");
            subject.store.keep_callback(again, WIDE).await.unwrap();
        }
        want.push(CallbackRow { times: 100, ..first });
    }
    assert_eq!(subject.look.callbacks().await, want);
    let counts = subject.store.queue_counts(super::AT_ONCE).await.unwrap();
    assert_eq!(counts.get(&QueueKind::CallbackUnmatched), Some(&2));
}

pub async fn keeps_a_verified_one_that_differs(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let payment = Some(subject.opened(fixtures.opening("shop", "A1")).await.id);
    let base = || CallbackRow { payment, ..keyed(&fixtures, CallbackVerdict::Quarantined, "key", "same") };
    let mut rows = vec![base()];
    let mut add = |edit: fn(&mut CallbackRow)| {
        let mut row = base();
        edit(&mut row);
        rows.push(row);
    };
    add(|row| row.request.body = "other".to_owned().into());
    add(|row| row.request.query = Some("a=1".to_owned()));
    add(|row| row.request.path = "/other".to_owned());
    add(|row| row.request.verb = Verb::Get);
    add(|row| row.event_key = Some("other".to_owned()));
    add(|row| row.event_key = None);
    add(|row| row.event_key = None);
    add(|row| row.channel = channel("other"));
    add(|row| row.verdict = CallbackVerdict::Orphan);
    for row in &rows {
        subject.store.keep_callback(row.clone(), Ring { rows: 0, bytes: 0 }).await.unwrap();
    }
    assert_eq!(subject.look.callbacks().await, rows);
}

pub async fn keeps_the_first_of_each_key_and_a_ring_of_other_duplicates(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let ring = Ring { rows: 2, bytes: 1 << 20 };
    let payment = subject.opened(fixtures.opening("shop", "A1")).await;
    let mut change = paid(&fixtures, &payment);
    change.callback = Some(fixtures.applied(&payment, "applied"));
    subject.done(change.clone()).await;
    let keep = async |key: &str, body: &str| {
        let row = keyed(&fixtures, CallbackVerdict::Duplicate, key, body);
        subject.store.keep_callback(row.clone(), ring).await.unwrap();
        row
    };
    let mut want = vec![change.callback.unwrap(), keep("one", "a").await, keep("two", "a").await];
    for (key, body) in [("one", "b"), ("applied", "c")] {
        keep(key, body).await;
    }
    want.extend([keep("two", "d").await, keep("applied", "e").await]);
    assert_eq!(subject.look.callbacks().await, want);
}

/// Whoever has one genuine sign may write as much as they like beside what it covers.
pub async fn keeps_the_first_of_each_key_and_a_ring_of_others_of_no_payment(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let ring = Ring { rows: 2, bytes: 1 << 20 };
    let keep = async |verdict, key: &str, body: &str| {
        let row = keyed(&fixtures, verdict, key, body);
        subject.store.keep_callback(row.clone(), ring).await.unwrap();
        row
    };
    let (orphan, quarantined) = (CallbackVerdict::Orphan, CallbackVerdict::Quarantined);
    let mut want = vec![keep(orphan, "one", "a").await, keep(quarantined, "two", "a").await];
    for body in ["b", "c", "d"] {
        keep(orphan, "one", body).await;
    }
    want.extend([keep(quarantined, "two", "e").await, keep(orphan, "two", "f").await]);
    assert_eq!(subject.look.callbacks().await, want);
}

pub async fn refuses_an_applied_one(subject: &Subject) {
    let row = Fixtures::new(1).callback(CallbackVerdict::Applied);
    let refused = subject.store.keep_callback(row, WIDE).await.unwrap_err();
    assert_eq!(kind(&refused), "corrupt");
    assert_eq!(subject.look.callbacks().await, []);
}

pub async fn refuses_one_of_no_payment(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let stranger = fixtures.payment("shop", "A1").id;
    let row = CallbackRow { payment: Some(stranger), ..fixtures.callback(CallbackVerdict::Duplicate) };
    let refused = subject.store.keep_callback(row, WIDE).await.unwrap_err();
    assert_eq!(kind(&refused), "corrupt");
    assert_eq!(subject.look.callbacks().await, []);
}

pub async fn pushes_out_the_oldest_by_rows(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let ring = Ring { rows: 3, bytes: 1 << 20 };
    let mut kept = Vec::new();
    for place in 0..7 {
        let verdict = [CallbackVerdict::Forged, CallbackVerdict::Unreadable][place % 2];
        let row = fixtures.callback(verdict);
        kept.push(row.clone());
        subject.store.keep_callback(row, ring).await.unwrap();
        assert_eq!(subject.look.callbacks().await, kept[kept.len().saturating_sub(3)..]);
    }
}

pub async fn pushes_out_the_oldest_by_bytes(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let ring = Ring { rows: 100, bytes: 10 };
    // Each size, and how many rows are left after it.
    for (size, left) in [(4, 1), (4, 2), (2, 3), (1, 3), (10, 1), (0, 2), (11, 0), (3, 1)] {
        let mut row = fixtures.callback(CallbackVerdict::Forged);
        row.request.body = vec![b'x'; size].into();
        subject.store.keep_callback(row, ring).await.unwrap();
        assert_eq!(subject.look.callbacks().await.len(), left, "after {size} bytes");
    }
}

pub async fn pushes_out_no_verified_one(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let ring = Ring { rows: 0, bytes: 0 };
    let verified = CallbackVerdict::ALL.iter().copied().filter(|verdict| verdict.is_verified());
    for verdict in verified.filter(|verdict| *verdict != CallbackVerdict::Applied) {
        subject.store.keep_callback(fixtures.callback(verdict), ring).await.unwrap();
    }
    subject.store.keep_callback(fixtures.callback(CallbackVerdict::Forged), ring).await.unwrap();
    let verdicts: Vec<_> = subject.look.callbacks().await.iter().map(|row| row.verdict).collect();
    assert_eq!(verdicts, [CallbackVerdict::Duplicate, CallbackVerdict::Orphan, CallbackVerdict::Quarantined]);
}

pub async fn keeps_channels_apart(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    let ring = Ring { rows: 1, bytes: 1 << 20 };
    for on in ["one", "two", "one", "two"] {
        let row = CallbackRow { channel: channel(on), ..fixtures.callback(CallbackVerdict::Forged) };
        subject.store.keep_callback(row, ring).await.unwrap();
    }
    let left: Vec<_> = subject.look.callbacks().await.iter().map(|row| row.channel.clone()).collect();
    assert_eq!(left, [channel("one"), channel("two")]);
}
