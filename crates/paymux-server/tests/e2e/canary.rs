//! Secrets leave no trace: every secret of a running paymux is a canary, everything that can go wrong
//! does, and then all that it said anywhere is searched for them, in every dress.

mod deeds;
mod scene;
mod tap;

use std::fmt::Write as _;
use std::path::Path;

use scene::Scene;

use crate::database::{Kind, in_url};

/// A secret under its name.
struct Canary {
    name: &'static str,
    text: String,
    may_be: MayBe,
}

/// Where a canary may stand all the same.
#[derive(Clone, Copy, PartialEq, Eq)]
enum MayBe {
    Nowhere,
    InTheLedger,
}

impl Canary {
    /// That text, which may stand nowhere.
    fn of(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, text: text.into(), may_be: MayBe::Nowhere }
    }

    fn new(name: &'static str, prefix: &str) -> Self {
        let digits = std::iter::repeat_with(fastrand::alphanumeric).take(30);
        Self::of(name, format!("{prefix}{}", digits.collect::<String>()))
    }

    /// The same, and the ledger may have it.
    fn stored(name: &'static str, prefix: &str) -> Self {
        Self { may_be: MayBe::InTheLedger, ..Self::new(name, prefix) }
    }

    /// Digits, as a payer's barcode has them.
    fn digits(name: &'static str, prefix: &str) -> Self {
        let digits = std::iter::repeat_with(|| fastrand::digit(10)).take(16);
        Self::of(name, format!("{prefix}{}", digits.collect::<String>()))
    }

    /// An address as it is always written.
    fn address(name: &'static str) -> Self {
        let part = || fastrand::u16(0x1000..);
        let address = std::net::Ipv6Addr::new(0x2001, 0xdb8, part(), part(), part(), part(), part(), part());
        Self::of(name, address.to_string())
    }

    /// The key that signs notices, without its prefix.
    fn webhook(name: &'static str) -> Self {
        let bytes: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(30).collect();
        Self::of(name, base64_of(&bytes))
    }

    /// The secret as it is, in hexadecimal, as it stands in a URL, and as it looks inside of anything in base64.
    fn dresses(&self) -> Vec<String> {
        let bytes = self.text.as_bytes();
        let hex = digits_of(bytes, "");
        let escaped = digits_of(bytes, "%").to_uppercase();
        let (upper, in_url) = (hex.to_uppercase(), in_url(&self.text));
        let inside = (0..3).map(|skip| base64_of(&bytes[skip..skip + (bytes.len() - skip) / 3 * 3]));
        let urlsafe = inside.clone().map(|text| text.replace('+', "-").replace('/', "_"));
        [self.text.clone(), hex, upper, escaped, in_url]
            .into_iter()
            .chain(inside.clone())
            .chain(urlsafe)
            .collect()
    }
}

/// Each byte as two hexadecimal digits after `mark`.
fn digits_of(bytes: &[u8], mark: &str) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{mark}{byte:02x}");
        text
    })
}

/// Base64 of whole triples.
fn base64_of(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let sextets = |triple: &[u8]| {
        let word = u32::from(triple[0]) << 16 | u32::from(triple[1]) << 8 | u32::from(triple[2]);
        [18, 12, 6, 0].map(|shift| char::from(ALPHABET[usize::try_from(word >> shift & 63).unwrap()]))
    };
    bytes.chunks_exact(3).flat_map(sextets).collect()
}

#[test]
fn a_canary_is_seen_in_every_dress() {
    let canary = Canary::of("test", "a/b");
    assert!(canary.dresses().iter().any(|dress| dress == "a%2Fb"));
    let canary = Canary::of("test", "abcdefghijkl");
    let seen = |text: &str| canary.dresses().iter().any(|dress| text.contains(dress.as_str()));
    assert!(seen("x abcdefghijkl y"));
    assert!(seen("6162636465666768696a6b6c"));
    assert!(seen("%61%62%63%64%65%66%67%68%69%6A%6B%6C"));
    // "abcdefghijkl", "1abcdefghijkl" and "12abcdefghijkl" in base64.
    for text in ["YWJjZGVmZ2hpamts", "MWFiY2RlZmdoaWprbA==", "MTJhYmNkZWZnaGlqa2w="] {
        assert!(seen(text), "{text}");
    }
    assert!(!seen("abcdefghijk"));
}

/// What is searched: where it comes from, and what it says; what is no text is left out of that.
#[derive(Default)]
struct Haystack {
    said: Vec<(String, String)>,
    ledger: Vec<(String, String)>,
}

impl Haystack {
    fn add(&mut self, from: impl Into<String>, bytes: impl AsRef<[u8]>) {
        self.said.push((from.into(), String::from_utf8_lossy(bytes.as_ref()).into_owned()));
    }

    fn add_ledger(&mut self, from: String, bytes: &[u8]) {
        self.ledger.push((from, String::from_utf8_lossy(bytes).into_owned()));
    }

    fn add_file(&mut self, path: &Path) {
        self.add(path.display().to_string(), std::fs::read(path).unwrap());
    }

    fn search(&self, canaries: &[Canary]) {
        for canary in canaries {
            let ledger = self.ledger.iter().filter(|_| canary.may_be == MayBe::Nowhere);
            let places: Vec<_> = self.said.iter().chain(ledger).collect();
            for dress in canary.dresses() {
                for (from, text) in &places {
                    assert!(!text.contains(&dress), "{} stands in {from} as `{dress}`", canary.name);
                }
            }
        }
    }
}

/// What must stand in the log before a search of it proves anything: each part of a run that has something to
/// keep to itself was come by and said so.
const SAID: [&str; 17] = [
    // At every level: what the libraries below say too.
    "\"level\":\"TRACE\"",
    "\"level\":\"DEBUG\"",
    "paymux serves",
    // Who asked for what, with good keys and with bad ones.
    "\"route\":\"/v1/payments\",\"status\":201",
    "\"route\":\"/v1/payments\",\"status\":401",
    "\"route\":\"/v1/payments/{id}/refunds\",\"status\":201",
    "\"route\":\"/v1/transfers\",\"status\":201",
    "\"route\":\"/v1/transfers\",\"status\":400",
    "\"route\":\"/v1/transfers\",\"status\":422",
    "\"route\":\"/admin/api/payments/{id}/confirm\",\"status\":200",
    "\"route\":\"/admin/api/queue\",\"status\":401",
    "\"route\":\"/notify/{channel}\",\"status\":200",
    "\"route\":\"/metrics\",\"status\":200",
    // What went wrong with the provider and with the merchant.
    "a callback was not believed",
    "a query was not answered",
    "a notice was not taken",
    "told to stop",
];

#[tokio::test]
async fn no_secret_is_ever_said_on_sqlite() {
    no_secret_is_ever_said(Kind::Sqlite).await;
}

#[tokio::test]
async fn no_secret_is_ever_said_on_postgres() {
    no_secret_is_ever_said(Kind::Postgres).await;
}

async fn no_secret_is_ever_said(kind: Kind) {
    let mut hay = Haystack::default();
    let scene = Scene::open(kind).await;
    scene.merchant_deeds(&mut hay).await;
    scene.payer_deeds(&mut hay).await;
    scene.keyed_deeds(&mut hay).await;
    scene.payout_deeds(&mut hay).await;
    scene.provider_deeds(&mut hay).await;
    scene.operator_deeds(&mut hay).await;
    scene.told(&mut hay).await;
    scene.commands(&mut hay).await;
    let (log, canaries) = scene.close(&mut hay).await;
    let unsaid: Vec<&str> = SAID.into_iter().filter(|said| !log.contains(said)).collect();
    assert!(unsaid.is_empty(), "the log lacks {unsaid:#?}; it says: {log}");
    hay.search(&canaries);
}
