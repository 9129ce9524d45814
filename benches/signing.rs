//! What does one BeeCloud-shaped sign cost, against the same text hashed the plain way?
//!
//! Input: the text of test vector bc-v1 (85 bytes, two MD5 blocks). `plain` builds the whole text,
//! hashes it and formats the digest, as most SDKs do.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use md5::{Digest, Md5};
use paymux_sign::{HexCase, Md5Digest, Md5Text};

const APP_ID: &str = "7c9f2f1e-3a44-4c8b-9d21-5b0e6f7a8c90";
const TIMESTAMP: i64 = 1_709_251_200_000;
const SECRET: &str = "1f0e2d3c-4b5a-4978-8695-a4b3c2d1e0f9";
const SIGN: &str = "43115fee5e62264f182da1d57bcef9a2";

fn pieces(app_id: &str, timestamp: i64, secret: &str) -> Md5Digest {
    Md5Text::new().piece(app_id).number(timestamp).piece(secret).digest()
}

fn plain(app_id: &str, timestamp: i64, secret: &str) -> String {
    use std::fmt::Write as _;
    let digest = Md5::digest(format!("{app_id}{timestamp}{secret}"));
    digest.iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn sign(c: &mut Criterion) {
    assert_eq!(pieces(APP_ID, TIMESTAMP, SECRET).to_hex().as_str(), SIGN);
    assert_eq!(plain(APP_ID, TIMESTAMP, SECRET), SIGN);
    let mut group = c.benchmark_group("app_sign");
    group.bench_function("pieces", |b| {
        b.iter(|| pieces(black_box(APP_ID), black_box(TIMESTAMP), black_box(SECRET)).to_hex());
    });
    group.bench_function("plain", |b| {
        b.iter(|| plain(black_box(APP_ID), black_box(TIMESTAMP), black_box(SECRET)));
    });
    group.finish();
}

fn verify(c: &mut Criterion) {
    c.bench_function("app_sign/verify", |b| {
        b.iter(|| {
            let ours = pieces(black_box(APP_ID), black_box(TIMESTAMP), black_box(SECRET));
            Md5Digest::from_hex(black_box(SIGN), HexCase::Any).is_ok_and(|theirs| ours.matches(theirs))
        });
    });
}

criterion_group!(benches, sign, verify);
criterion_main!(benches);
