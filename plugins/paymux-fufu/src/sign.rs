//! What FuFu signs: the body of a message, with the time and the merchant's key in front of it, and what that
//! leaves open.
//!
//! How MD5 is fed and compared lives in paymux-sign.
//!
//! Not covered: the operation (a sign of one call fits every other), blanks and line breaks wherever they stand,
//! also inside values, and answers, which carry no sign at all. The key stands in front, so that whoever sees a
//! signed body can append to it and knows the new digest: what they append is not UTF-8, so a body must be that
//! from end to end (see `wire`).

use paymux_core::{Secret, Timestamp, WireRequest};
use paymux_sign::{HexCase, MalformedStamp, Md5Digest, Md5Text, StampedMd5, StampedText};

/// The parameter of an address that holds a sign.
pub(crate) const PARAMETER: &str = "sign";

/// The digest of a body, as it travels, at that time.
///
/// Source: FuFu interface 1.1.1, signature: timestamp, key, body without blanks and line breaks.
fn digest(body: &[u8], time_ms: i64, key: &Secret) -> Md5Digest {
    Md5Text::new().number(time_ms).piece(key.expose()).squeezed(body).digest()
}

/// A mistake that a sender of signs may make: its name, and the digest that it gives.
pub(crate) type Mistake = (&'static str, fn(&[u8], i64, &Secret) -> Md5Digest);

/// Known mistakes, to explain a sign that is not believed. None of these digests ever counts.
pub(crate) const MISTAKES: [Mistake; 3] = [
    ("TABs are left out too", |body, time_ms, key| {
        let kept: Vec<u8> = body.iter().copied().filter(|byte| *byte != b'\t').collect();
        digest(&kept, time_ms, key)
    }),
    ("blanks and line breaks are not left out", |body, time_ms, key| {
        Md5Text::new().number(time_ms).piece(key.expose()).piece(body).digest()
    }),
    ("the key stands behind the body", |body, time_ms, key| {
        Md5Text::new().number(time_ms).squeezed(body).piece(key.expose()).digest()
    }),
];

/// The sign of a body: digest, colon, time.
///
/// # Errors
/// Where the clock shows a time that has not 13 digits.
pub(crate) fn sign(body: &[u8], at: Timestamp, key: &Secret) -> Result<StampedText, MalformedStamp> {
    StampedMd5::new(digest(body, at.ms(), key), at.ms()).map(StampedMd5::to_text)
}

/// The query that carries a sign. The colon may stand there as it is.
pub(crate) fn query(sign: StampedText) -> String {
    format!("{PARAMETER}={}", sign.as_str())
}

/// The sign in the query of a request.
///
/// # Errors
/// What is wrong with its form; nothing of it is repeated.
pub(crate) fn received(request: &WireRequest) -> Result<StampedMd5, String> {
    let pairs = request.query.as_deref().unwrap_or_default().split('&');
    let named = pairs.filter(|pair| pair.split('=').next() == Some(PARAMETER)).count();
    match (named, request.query_value(PARAMETER)) {
        (1, Some(text)) => StampedMd5::parse(text, HexCase::Lower).map_err(|error| error.to_string()),
        (0 | 1, _) => Err("no `sign` in the query".to_owned()),
        _ => Err("`sign` stands twice in the query".to_owned()),
    }
}

/// Whether one of these keys made the sign. All are tried, each in constant time.
pub(crate) fn is_signed<'k>(
    sign: StampedMd5,
    body: &[u8],
    keys: impl IntoIterator<Item = &'k Secret>,
) -> bool {
    let matches = |key: &Secret| digest(body, sign.time_ms(), key).matches(sign.digest());
    keys.into_iter().fold(false, |signed, key| matches(key) | signed)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn vectors() -> Vec<Value> {
        let file: Value = serde_json::from_str(include_str!("../tests/data/vectors.json")).unwrap();
        file["vectors"].as_array().unwrap().clone()
    }

    struct Vector {
        id: String,
        at: Timestamp,
        key: Secret,
        body: String,
        sign: String,
    }

    impl Vector {
        fn of(value: &Value) -> Self {
            let text = |name: &str| value[name].as_str().unwrap().to_owned();
            Self {
                id: text("id"),
                at: Timestamp::from_ms(text("timestamp").parse().unwrap()),
                key: Secret::new(text("key")),
                body: text("body"),
                sign: text("sign"),
            }
        }

        fn is_signed(&self, sign: &str, body: &[u8]) -> bool {
            StampedMd5::parse(sign, HexCase::Lower).is_ok_and(|sign| is_signed(sign, body, [&self.key]))
        }
    }

    #[test]
    fn every_vector_is_reproduced() {
        let mut seen = Vec::new();
        for value in vectors() {
            let vector = Vector::of(&value);
            let made = sign(vector.body.as_bytes(), vector.at, &vector.key).unwrap();
            assert_eq!(made.as_str(), vector.sign, "{}", vector.id);
            assert!(vector.is_signed(&vector.sign, vector.body.as_bytes()), "{}", vector.id);
            let input = value["signed_input"].as_str().unwrap();
            let plain = Md5Text::new().piece(input).digest().to_hex();
            assert_eq!(plain.as_str(), value["md5"], "{}", vector.id);
            seen.push(vector.id);
        }
        assert_eq!(seen, ["ff-s1", "ff-s2", "ff-s3", "ff-s4", "ff-s5", "ff-s6"]);
    }

    /// Blanks, CR and LF are not signed (F3); every other byte of the body is, and the time and the key.
    #[test]
    fn every_signed_byte_counts() {
        let mut flips = 0;
        for value in vectors() {
            let vector = Vector::of(&value);
            let body = vector.body.as_bytes();
            for at in 0..body.len() {
                let mut changed = body.to_vec();
                changed[at] ^= 1;
                let was_signed = !b" \r\n".contains(&body[at]);
                if was_signed || !b" \r\n".contains(&changed[at]) {
                    assert!(!vector.is_signed(&vector.sign, &changed), "{} {at}", vector.id);
                    flips += 1;
                }
            }
            let later = format!("{}:{}", &vector.sign[..32], vector.at.ms() + 1);
            assert!(!vector.is_signed(&later, body), "{} another time", vector.id);
            let other = Vector { key: Secret::new("another"), ..Vector::of(&value) };
            assert!(!other.is_signed(&vector.sign, body), "{} another key", vector.id);
            let padded =
                Vector { key: Secret::new(format!("{} ", vector.key.expose())), ..Vector::of(&value) };
            assert!(!padded.is_signed(&vector.sign, body), "{} a blank behind the key", vector.id);
        }
        assert!(flips > 1000, "{flips}");
    }

    /// F3: TAB, wide and no-break blanks and the escapes of JSON stay in the signed text.
    #[test]
    fn only_three_bytes_are_left_out() {
        let key = Secret::new("k");
        let at = Timestamp::from_ms(1_709_251_200_000);
        let signed = |body: &str| sign(body.as_bytes(), at, &key).unwrap().as_str().to_owned();
        for same in ["{\"a\":\"b c\"}", "{\r\n\"a\":\"bc\"}\r\n", " { \"a\" : \"b\nc\" } "] {
            assert_eq!(signed(same), signed("{\"a\":\"bc\"}"), "{same:?}");
        }
        let others =
            ["\t", "\u{b}", "\u{c}", "\u{3000}", "\u{a0}", "\u{2028}", "\\n", "\\r", "\\t", "\\u0020"];
        for other in others {
            assert_ne!(signed(&format!("{{\"a\":\"b{other}c\"}}")), signed("{\"a\":\"bc\"}"), "{other:?}");
        }
    }

    #[test]
    fn one_sign_of_the_one_form_is_taken() {
        let good = "e25401af2683d1387346dfc25298da2f:1709251200000";
        check(Some(&format!("sign={good}")), Ok(()));
        check(Some(&format!("sign={}", good.replace(':', "%3A"))), Ok(()));
        check(Some(&format!("sign={}", good.replace(':', "%3a"))), Ok(()));
        check(Some(&format!("a=b&sign={good}")), Ok(()));
        check(None, Err("no `sign`"));
        check(Some("sign"), Err("without a colon"));
        check(Some("sign="), Err("without a colon"));
        check(Some(&format!("Sign={good}")), Err("no `sign`"));
        check(Some(&format!("sign={good}&sign={good}")), Err("twice"));
        check(Some(&format!("sign={}", good.to_uppercase())), Err("lower case"));
        check(Some(&format!("sign={}", &good[1..])), Err("31"));
        check(Some("sign=e25401af2683d1387346dfc25298da2f"), Err("without a colon"));
        check(Some("sign=e25401af2683d1387346dfc25298da2f:170925120000"), Err("13 digits"));
        check(Some("sign=e25401af2683d1387346dfc25298da2f:17092512000000"), Err("13 digits"));

        #[track_caller]
        fn check(query: Option<&str>, want: Result<(), &str>) {
            let mut request = WireRequest::new(paymux_core::Verb::Post, "/");
            request.query = query.map(str::to_owned);
            match (received(&request), want) {
                (Ok(_), Ok(())) => {}
                (Err(told), Err(want)) => {
                    assert!(told.contains(want), "{query:?}: {told}");
                    assert!(!told.contains("e25401af"), "{told}");
                }
                (got, want) => panic!("{query:?}: {got:?}, not {want:?}"),
            }
        }
    }
}
