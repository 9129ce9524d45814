//! The signs that are measured: each as paymux makes it and as most code does, over one test vector.
//!
//! What is timed or counted with them lives in `sign.rs` and `instructions.rs`. Fields lie in memory, as those of an
//! account and of an order do, and the compiler does not know what they hold.

use std::fmt::Write as _;
use std::hint::black_box;

use md5::{Digest as _, Md5};
use paymux_sign::{Decimal, HexCase, Md5Digest, Md5Hex, Md5Text};

/// One scheme with one input.
pub(crate) struct Scheme {
    pub(crate) name: &'static str,
    /// How many blocks MD5 has to take in for it.
    pub(crate) blocks: usize,
    /// The sign, as hex.
    pub(crate) digest: &'static str,
    pub(crate) paymux: fn() -> Md5Hex,
    /// The whole text built, hashed and formatted, with the usual crates.
    pub(crate) plain: fn() -> String,
}

pub(crate) static SCHEMES: [Scheme; 6] = [
    Scheme {
        name: "app_sign",
        blocks: 2,
        digest: "43115fee5e62264f182da1d57bcef9a2",
        paymux: || app_sign().to_hex(),
        plain: || {
            let [app_id, secret] = seen(&ACCOUNT);
            plain(&format!("{app_id}{}{secret}", black_box(AT_MS)))
        },
    },
    Scheme {
        name: "webhook",
        blocks: 2,
        digest: "2ac475a54bb32b29ae32f97b301e3def",
        paymux: || Md5Digest::of(&seen(&WEBHOOK).map(str::as_bytes)).to_hex(),
        plain: || {
            let [app_id, number, kind, group, fee, secret] = seen(&WEBHOOK);
            plain(&format!("{app_id}{number}{kind}{group}{fee}{secret}"))
        },
    },
    Scheme {
        name: "nested",
        blocks: 3,
        digest: "e1796ffba8fb24e3706479dfbdb6d8b6",
        paymux: || nested(&CREATE).to_hex(),
        plain: || {
            let [key, price, kind, number, custom, secret] = seen(&CREATE);
            let inner = plain(&format!("{key}{price}{kind}{number}{custom}"));
            plain(&format!("{inner}{secret}"))
        },
    },
    Scheme {
        name: "nested_notice",
        blocks: 3,
        digest: "2fedbbaf573ebc85dc242f22b11727f8",
        paymux: || nested(&NOTICE).to_hex(),
        plain: || {
            let [key, id, number, price, real, kind, time, extend, secret] = seen(&NOTICE);
            let inner = plain(&format!("{key}{id}{number}{price}{real}{kind}{time}{extend}"));
            plain(&format!("{inner}{secret}"))
        },
    },
    Scheme {
        name: "body",
        blocks: 7,
        digest: "b0a077d1c4ebc62a6d9cdb94766d4140",
        paymux: || squeezed(&COMPACT).to_hex(),
        plain: || plain_squeezed(&COMPACT),
    },
    Scheme {
        name: "indented",
        blocks: 7,
        digest: "b0a077d1c4ebc62a6d9cdb94766d4140",
        paymux: || squeezed(&INDENTED).to_hex(),
        plain: || plain_squeezed(&INDENTED),
    },
];

const AT_MS: i64 = 1_709_251_200_000;
static ACCOUNT: [&str; 2] = ["7c9f2f1e-3a44-4c8b-9d21-5b0e6f7a8c90", "1f0e2d3c-4b5a-4978-8695-a4b3c2d1e0f9"];
static WEBHOOK: [&str; 6] = [
    "7c9f2f1e-3a44-4c8b-9d21-5b0e6f7a8c90",
    "PMX20240301000001",
    "PAY",
    "WX",
    "1023",
    "9e8d7c6b-5a49-4382-b1a0-0f1e2d3c4b5a",
];
static CREATE: [&str; 6] = [
    "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
    "10.23",
    "alipay",
    "PMX20240301000001",
    "user_42",
    "s3cr3t-Of-Shop-One",
];
static NOTICE: [&str; 9] = [
    "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
    "880012",
    "PMX20240301000001",
    "10.23",
    "10.23",
    "alipay",
    "1709251200",
    "user_42",
    "s3cr3t-Of-Shop-One",
];
/// Key and body.
static COMPACT: [&str; 2] = [BODY_KEY, BODY];
static INDENTED: [&str; 2] = [BODY_KEY, PRINTED];
const BODY_KEY: &str = "11111111111111111111111111111111";
/// As a client sends it: compact, with blanks in values only.
const BODY: &str = r#"{"busi_id":"100000000000001","operator_id":"op1","terminal_id":"t1","total_fee":"250","channel_type":"1","auth_code":"281234567890123456","pay_subject":"red shoes size 42","out_trade_no":"PMX20240301000001","fee_type":"CNY","notify_url":"https://pay.example.test/notify/till-1","undiscountable_amount":"0","pay_detail":"two pairs, one box","store_id":"shanghai-0042","attach":"a1b2c3d4e5f60718"}"#;
/// The same as a provider may print it.
const PRINTED: &str = r#"{
    "busi_id": "100000000000001",
    "operator_id": "op1",
    "terminal_id": "t1",
    "total_fee": "250",
    "channel_type": "1",
    "auth_code": "281234567890123456",
    "pay_subject": "red shoes size 42",
    "out_trade_no": "PMX20240301000001",
    "fee_type": "CNY",
    "notify_url": "https://pay.example.test/notify/till-1",
    "undiscountable_amount": "0",
    "pay_detail": "two pairs, one box",
    "store_id": "shanghai-0042",
    "attach": "a1b2c3d4e5f60718"
}"#;

/// Fields that the compiler does not know.
fn seen<const N: usize>(fields: &'static [&'static str; N]) -> [&'static str; N] {
    *black_box(fields)
}

pub(crate) fn app_sign() -> Md5Digest {
    let ([app_id, secret], time) = (seen(&ACCOUNT), Decimal::from(black_box(AT_MS)));
    Md5Digest::of(&[app_id.as_bytes(), time.as_bytes(), secret.as_bytes()])
}

/// A received sign read, and compared with ours.
pub(crate) fn verified() -> bool {
    let received = *black_box(&SCHEMES[0].digest);
    Md5Digest::from_hex(received, HexCase::Any).is_ok_and(|theirs| app_sign().matches(theirs))
}

/// The digest of key and fields, and once more with the secret behind it.
fn nested<const N: usize>(fields: &'static [&'static str; N]) -> Md5Digest {
    let fields = seen(fields).map(str::as_bytes);
    let inner = Md5Digest::of(&fields[..N - 1]).to_hex();
    Md5Digest::of(&[inner.as_bytes(), fields[N - 1]])
}

fn squeezed(signed: &'static [&'static str; 2]) -> Md5Digest {
    let ([key, body], time) = (seen(signed), Decimal::from(black_box(AT_MS)));
    Md5Text::new().pieces([time.as_bytes(), key.as_bytes()]).squeezed(body).digest()
}

fn plain_squeezed(signed: &'static [&'static str; 2]) -> String {
    let [key, body] = seen(signed);
    let kept: String = body.chars().filter(|c| ![' ', '\r', '\n'].contains(c)).collect();
    plain(&format!("{}{key}{kept}", black_box(AT_MS)))
}

pub(crate) fn plain(text: &str) -> String {
    Md5::digest(text).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The texts of a batch: as many webhooks, each of two blocks.
pub(crate) fn webhooks(count: u32) -> Vec<String> {
    (0..count)
        .map(|i| format!("{}PMX2024030100{:04}PAYWX{i}{}", WEBHOOK[0], i % 10_000, WEBHOOK[5]))
        .collect()
}

/// That ours and the plain version make the same sign, and that it is the vector's.
///
/// # Panics
/// When it is not: what is measured would be worth nothing.
pub(crate) fn check() {
    for scheme in &SCHEMES {
        assert_eq!((scheme.paymux)().as_str(), scheme.digest, "{}", scheme.name);
        assert_eq!((scheme.plain)(), scheme.digest, "{}", scheme.name);
    }
    assert!(verified());
}
