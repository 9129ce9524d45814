//! What does one sign cost, against the same text hashed the plain way, and against MD5's blocks alone?
//!
//! `plain` builds the whole text, hashes it with `md-5` and formats the digest, as most SDKs do. `limit` is the
//! compression of as many blocks, one after the other and nothing else: no sign can be quicker. In `block` that
//! compression itself is measured: `plain` is `md-5`'s, `limit` the chain of 288 operations that MD5 makes of a
//! block, of which none can begin before the last has ended. In `batch` `limit` is one text after the other.

mod signs;

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use paymux_sign::{Md5Batch, Md5Text, compress_blocks};

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
    group.bench_function("limit", |b| {
        b.iter(|| (0..100 * 288 / 2).fold(black_box(1_u32), |chain, i| chain.wrapping_add(i).rotate_left(7)));
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
                black_box(Md5Text::new().piece(text).digest());
            }
        });
    });
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default().warm_up_time(Duration::from_millis(300)).measurement_time(Duration::from_secs(1));
    targets = block, schemes, verify, batch
}
criterion_main!(benches);
