//! Callbacks that change nothing.

use bytes::Bytes;
use paymux_core::store::{CallbackRow, CallbackVerdict, Ring};
use paymux_core::wire::{Verb, WireRequest};

use super::{Subject, kind};
use crate::fixtures::{Fixtures, channel};

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

pub async fn keeps_the_same_one_again(subject: &Subject) {
    let fixtures = Fixtures::new(1);
    for verdict in CallbackVerdict::ALL.iter().copied().filter(|verdict| *verdict != CallbackVerdict::Applied)
    {
        for _ in 0..3 {
            let row = CallbackRow { event_key: Some("key".to_owned()), ..fixtures.callback(verdict) };
            subject.store.keep_callback(row, WIDE).await.unwrap();
        }
    }
    assert_eq!(subject.look.callbacks().await.len(), 15);
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
