//! The signs that are measured: each as paymux makes it and as most code does, over one test vector.
//!
//! What is timed or counted with them lives in `sign.rs` and `instructions.rs`.

use std::fmt::Write as _;
use std::hint::black_box;

use md5::{Digest as _, Md5};
use paymux_sign::{HexCase, Md5Digest, Md5Hex, Md5Text};

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

pub(crate) const SCHEMES: [Scheme; 5] = [
    Scheme {
        name: "app_sign",
        blocks: 2,
        digest: "43115fee5e62264f182da1d57bcef9a2",
        paymux: || app_sign().to_hex(),
        plain: || plain(&format!("{}{}{}", seen(APP_ID), black_box(AT_MS), seen(APP_SECRET))),
    },
    Scheme {
        name: "webhook",
        blocks: 2,
        digest: "2ac475a54bb32b29ae32f97b301e3def",
        paymux: || {
            let fields = ["PMX20240301000001", "PAY", "WX", "1023"].map(seen);
            Md5Text::new().piece(seen(APP_ID)).pieces(fields).piece(seen(MASTER_SECRET)).digest().to_hex()
        },
        plain: || {
            let [number, kind, group, fee] = ["PMX20240301000001", "PAY", "WX", "1023"].map(seen);
            plain(&format!("{}{number}{kind}{group}{fee}{}", seen(APP_ID), seen(MASTER_SECRET)))
        },
    },
    Scheme {
        name: "nested",
        blocks: 3,
        digest: "e1796ffba8fb24e3706479dfbdb6d8b6",
        paymux: || {
            let inner =
                Md5Text::new().piece(seen(NESTED[0])).pieces(NESTED[1..5].iter().map(|field| seen(field)));
            inner.nested().piece(seen(NESTED[5])).digest().to_hex()
        },
        plain: || {
            let [key, price, kind, number, custom, secret] = NESTED.map(seen);
            let inner = plain(&format!("{key}{price}{kind}{number}{custom}"));
            plain(&format!("{inner}{secret}"))
        },
    },
    Scheme {
        name: "body",
        blocks: 7,
        digest: "b0a077d1c4ebc62a6d9cdb94766d4140",
        paymux: || squeezed(BODY).to_hex(),
        plain: || plain_squeezed(BODY),
    },
    Scheme {
        name: "indented",
        blocks: 7,
        digest: "b0a077d1c4ebc62a6d9cdb94766d4140",
        paymux: || squeezed(INDENTED).to_hex(),
        plain: || plain_squeezed(INDENTED),
    },
];

const APP_ID: &str = "7c9f2f1e-3a44-4c8b-9d21-5b0e6f7a8c90";
const AT_MS: i64 = 1_709_251_200_000;
const APP_SECRET: &str = "1f0e2d3c-4b5a-4978-8695-a4b3c2d1e0f9";
const MASTER_SECRET: &str = "9e8d7c6b-5a49-4382-b1a0-0f1e2d3c4b5a";
const NESTED: [&str; 6] = [
    "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
    "10.23",
    "alipay",
    "PMX20240301000001",
    "user_42",
    "s3cr3t-Of-Shop-One",
];
const BODY_KEY: &str = "11111111111111111111111111111111";
/// As a client sends it: compact, with blanks in values only.
const BODY: &str = r#"{"busi_id":"100000000000001","operator_id":"op1","terminal_id":"t1","total_fee":"250","channel_type":"1","auth_code":"281234567890123456","pay_subject":"red shoes size 42","out_trade_no":"PMX20240301000001","fee_type":"CNY","notify_url":"https://pay.example.test/notify/till-1","undiscountable_amount":"0","pay_detail":"two pairs, one box","store_id":"shanghai-0042","attach":"a1b2c3d4e5f60718"}"#;
/// The same as a provider may print it.
const INDENTED: &str = r#"{
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

/// A text that the compiler does not know.
fn seen(text: &str) -> &str {
    black_box(text)
}

pub(crate) fn app_sign() -> Md5Digest {
    Md5Text::new().piece(seen(APP_ID)).number(black_box(AT_MS)).piece(seen(APP_SECRET)).digest()
}

/// A received sign read, and compared with ours.
pub(crate) fn verified() -> bool {
    Md5Digest::from_hex(seen(SCHEMES[0].digest), HexCase::Any).is_ok_and(|theirs| app_sign().matches(theirs))
}

fn squeezed(body: &str) -> Md5Digest {
    Md5Text::new().number(black_box(AT_MS)).piece(seen(BODY_KEY)).squeezed(seen(body)).digest()
}

fn plain_squeezed(body: &str) -> String {
    let kept: String = seen(body).chars().filter(|c| ![' ', '\r', '\n'].contains(c)).collect();
    plain(&format!("{}{}{kept}", black_box(AT_MS), seen(BODY_KEY)))
}

pub(crate) fn plain(text: &str) -> String {
    Md5::digest(text).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The texts of a batch: as many webhooks, each of two blocks.
pub(crate) fn webhooks(count: u32) -> Vec<String> {
    (0..count).map(|i| format!("{APP_ID}PMX2024030100{:04}PAYWX{i}{MASTER_SECRET}", i % 10_000)).collect()
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
