//! What does one sign cost, against the same text hashed the plain way, and against MD5's blocks alone?
//!
//! `plain` builds the whole text, hashes it with `md-5` and formats the digest, as most SDKs do. `limit` is the
//! compression of as many blocks, one after the other and nothing else: no sign can be quicker. In `block` that
//! compression itself is measured: `plain` is `md-5`'s, `limit` the chain of 288 operations that MD5 makes of a
//! block, of which none can begin before the last has ended. In `batch` `limit` is one text after the other. In
//! `standard_webhook` `plain` is HMAC from the bare key into a new text, `limit` the compression of SHA-256.

#![expect(clippy::expect_used, reason = "a bench that cannot set itself up must fail")]

mod signs;

use std::hint::black_box;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use hmac::{Hmac, KeyInit as _, Mac as _};
use paymux_sign::{Md5Batch, Md5Digest, WebhookMessage, WebhookSecret, compress_blocks};
use sha2::Sha256;
use sha2::block_api::compress256;

fn blocks(count: usize) -> Vec<[u8; 64]> {
    let bytes: Vec<u8> = (0..=255).cycle().take(64 * count).collect();
    bytes.as_chunks().0.to_vec()
}

fn schemes(c: &mut Criterion) {
    signs::check();
    for scheme in &signs::SCHEMES {
        let mut group = c.benchmark_group(format!("sign/{}", scheme.name));
        group.bench_function("paymux", |b| b.iter(scheme.paymux));
        group.bench_function("plain", |b| b.iter(scheme.plain));
        let blocks = blocks(scheme.blocks);
        group.bench_function("limit", |b| b.iter(|| chained(black_box(&blocks))));
        group.finish();
    }
}

/// Reads what was received, and compares it with ours.
fn verify(c: &mut Criterion) {
    let mut group = c.benchmark_group("sign/verify");
    group.bench_function("paymux", |b| b.iter(signs::verified));
    let plain = signs::SCHEMES[0].plain;
    group.bench_function("plain", |b| {
        b.iter(|| plain().eq_ignore_ascii_case(black_box(signs::SCHEMES[0].digest)));
    });
    let blocks = blocks(signs::SCHEMES[0].blocks);
    group.bench_function("limit", |b| b.iter(|| chained(black_box(&blocks))));
    group.finish();
}

fn chained(blocks: &[[u8; 64]]) -> [u32; 4] {
    let mut state = [1, 2, 3, 4];
    compress_blocks(&mut state, blocks);
    state
}

fn block(c: &mut Criterion) {
    let many = blocks(100);
    let mut group = c.benchmark_group("sign/block");
    group.throughput(Throughput::Elements(100));
    group.bench_function("paymux", |b| b.iter(|| chained(black_box(&many))));
    group.bench_function("plain", |b| {
        b.iter(|| {
            let mut state = [1, 2, 3, 4];
            md5::block_api::compress(&mut state, black_box(&many));
            state
        });
    });
    // A sum and a rotation wait for each other, as the steps do; a sum with the count too would take longer.
    let added = black_box(0x1234_5677_u32);
    group.bench_function("limit", |b| {
        b.iter(|| {
            (0..100 * 288 / 2).fold(black_box(1_u32), |chain, _| chain.wrapping_add(added).rotate_left(7))
        });
    });
    group.finish();
}

fn batch(c: &mut Criterion) {
    let texts = signs::webhooks(256);
    let mut group = c.benchmark_group("sign/batch");
    group.throughput(Throughput::Elements(256));
    let mut batch = Md5Batch::new();
    group.bench_function("paymux", |b| {
        b.iter(|| {
            batch.clear();
            for text in black_box(&texts) {
                let _ = batch.text().piece(text);
            }
            batch.digests().len()
        });
    });
    group.bench_function("plain", |b| {
        b.iter(|| black_box(&texts).iter().map(|text| signs::plain(text).len()).sum::<usize>());
    });
    group.bench_function("limit", |b| {
        b.iter(|| {
            for text in black_box(&texts) {
                black_box(Md5Digest::of(&[text.as_bytes()]));
            }
        });
    });
    group.finish();
}

/// A notice to a merchant: id, time, body and the dots between them are 342 bytes, six blocks with their padding, and
/// one more around their digest.
fn standard_webhook(c: &mut Criterion) {
    const AT: i64 = 1_709_251_200;
    let (key, id) = ([7; 32], "evt_018df74f840070008000000000000001");
    let body = vec![b'x'; 294];
    let secret = WebhookSecret::from_key(&key).expect("a key of 24 to 64 bytes");
    let ours =
        || WebhookMessage::new(black_box(id), AT, black_box(&body)).map(|it| it.signature(&secret, None));
    let plain = || {
        let mut mac = Hmac::<Sha256>::new_from_slice(black_box(&key)).expect("a key of any length");
        mac.update(
            format!("{}.{AT}.{}", black_box(id), String::from_utf8_lossy(black_box(&body))).as_bytes(),
        );
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    };
    assert!(ours().is_ok_and(|signature| signature.as_str() == plain()));
    let mut group = c.benchmark_group("sign/standard_webhook");
    group.bench_function("paymux", |b| b.iter(ours));
    group.bench_function("plain", |b| b.iter(plain));
    let blocks = blocks(7);
    group.bench_function("limit", |b| {
        b.iter(|| {
            let mut state = [1, 2, 3, 4, 5, 6, 7, 8];
            compress256(&mut state, black_box(&blocks));
            state
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    targets = block, schemes, verify, batch, standard_webhook
}
criterion_main!(benches);
