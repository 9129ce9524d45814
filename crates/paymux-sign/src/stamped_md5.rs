//! The sign that travels with the time that it covers: `digest:timestamp`, as in the query of an URL.
//!
//! Only its form lives here. Which text is hashed, and how old a time may be, is the plugin's to say.

use core::fmt;
use core::ops::RangeInclusive;

use crate::{Decimal, HexCase, MalformedMd5, Md5Digest};

/// 32 digits, a colon, 13 digits.
const LENGTH: usize = 32 + 1 + TIME_LENGTH;
const TIME_LENGTH: usize = 13;
/// What 13 digits without a leading zero can say: September 2001 to November 2286.
const TIMES_MS: RangeInclusive<i64> = 1_000_000_000_000..=9_999_999_999_999;

/// A digest and the milliseconds since 1970 (UTC) that are part of what it covers.
///
/// ```
/// use paymux_sign::{HexCase, Md5Text, StampedMd5};
///
/// let at_ms = 1_709_251_200_000;
/// let digest = Md5Text::new().number(at_ms).piece("key").squeezed("{ \"a\": 1 }\r\n").digest();
/// let sign = StampedMd5::new(digest, at_ms)?.to_text();
///
/// let received = StampedMd5::parse(sign.as_str(), HexCase::Lower)?;
/// assert_eq!(received.time_ms(), at_ms);
/// let ours = Md5Text::new().number(received.time_ms()).piece("key").squeezed("{\"a\":1}").digest();
/// assert!(ours.matches(received.digest()));
/// # Ok::<(), paymux_sign::MalformedStamp>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct StampedMd5 {
    digest: Md5Digest,
    time_ms: i64,
}

/// Why a text is no `digest:timestamp`, or a time cannot stand in one. Holds nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MalformedStamp {
    /// There is no colon.
    #[error("a sign without a colon: send the digest, a colon and the time in milliseconds")]
    Colon,
    /// What stands before the colon is no digest.
    #[error("before the colon: {0}")]
    Digest(#[from] MalformedMd5),
    /// What stands behind the colon is no time.
    #[error("the time behind the colon: send exactly 13 digits, milliseconds since 1970, the first not 0")]
    Time,
    /// The time to be written needs fewer or more than 13 digits.
    #[error("`{0}` ms is no time that a sign can carry: take one of 13 digits, 2001 to 2286")]
    TimeRange(i64),
}

impl StampedMd5 {
    /// Joins a digest and its time.
    ///
    /// # Errors
    /// [`MalformedStamp::TimeRange`] where the time has not exactly 13 digits.
    pub fn new(digest: Md5Digest, time_ms: i64) -> Result<Self, MalformedStamp> {
        if TIMES_MS.contains(&time_ms) {
            Ok(Self { digest, time_ms })
        } else {
            Err(MalformedStamp::TimeRange(time_ms))
        }
    }

    /// Reads a received sign, after URL decoding. Do this first: what is malformed needs no hashing to
    /// be refused.
    ///
    /// A leading zero is refused, so that a time has one spelling: the number of [`Self::time_ms`] is
    /// the text that was signed, byte for byte.
    ///
    /// # Errors
    /// [`MalformedStamp`], of which only the first is told.
    pub fn parse(text: impl AsRef<[u8]>, case: HexCase) -> Result<Self, MalformedStamp> {
        let text = text.as_ref();
        let colon = text.iter().position(|&byte| byte == b':').ok_or(MalformedStamp::Colon)?;
        let (digest, time) = (&text[..colon], &text[colon + 1..]);
        let digest = Md5Digest::from_hex(digest, case)?;
        if time.len() != TIME_LENGTH || !time.iter().all(u8::is_ascii_digit) {
            return Err(MalformedStamp::Time);
        }
        let time_ms = time.iter().fold(0, |sum, digit| sum * 10 + i64::from(digit - b'0'));
        Self::new(digest, time_ms).map_err(|_| MalformedStamp::Time)
    }

    /// The digest, for [`Md5Digest::matches`].
    pub fn digest(self) -> Md5Digest {
        self.digest
    }

    /// Milliseconds since 1970, UTC; 13 digits.
    pub fn time_ms(self) -> i64 {
        self.time_ms
    }

    /// As it is sent: the digest in lower case, a colon, the time.
    pub fn to_text(self) -> StampedText {
        let (digest, time) = (self.digest.to_hex(), Decimal::from(self.time_ms));
        let parts = digest.as_bytes().iter().chain(b":").chain(time.as_bytes());
        let mut text = [0; LENGTH];
        text.iter_mut().zip(parts).for_each(|(byte, part)| *byte = *part);
        StampedText(text)
    }
}

/// A sign as it is sent: `digest:timestamp`, 46 bytes of ASCII on the stack.
///
/// Neither printed nor compared by accident: no `Display`, no `==`, and `Debug` hides it.
#[derive(Clone, Copy)]
pub struct StampedText([u8; LENGTH]);

impl StampedText {
    /// The text, for the wire; never for a log.
    #[expect(clippy::missing_panics_doc, reason = "hex, a colon and digits are ASCII, so it never panics")]
    pub fn as_str(&self) -> &str {
        #[expect(clippy::expect_used, reason = "only `to_text` makes one, and it writes ASCII")]
        core::str::from_utf8(&self.0).expect("hex, a colon and digits are ASCII")
    }
}

impl AsRef<[u8]> for StampedText {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for StampedText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StampedText(****)")
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::{String, ToString as _};

    use proptest::prelude::proptest;

    use super::*;
    use crate::Md5Text;

    const DIGEST: &str = "e25401af2683d1387346dfc25298da2f";

    fn reads(text: &str, case: HexCase) -> Result<(String, i64), MalformedStamp> {
        StampedMd5::parse(text, case)
            .map(|stamped| (stamped.digest().to_hex().as_str().to_string(), stamped.time_ms()))
    }

    #[test]
    fn reads_a_digest_a_colon_and_thirteen_digits() {
        use HexCase::{Any, Lower};
        let upper = DIGEST.to_uppercase();
        check(&format!("{DIGEST}:1709251200000"), Lower, Ok(1_709_251_200_000));
        check(&format!("{DIGEST}:1000000000000"), Lower, Ok(1_000_000_000_000));
        check(&format!("{DIGEST}:9999999999999"), Lower, Ok(9_999_999_999_999));
        check(&format!("{upper}:1709251200000"), Any, Ok(1_709_251_200_000));

        let digit = Err(MalformedStamp::Digest(MalformedMd5::Digit { at: 0, case: Lower }));
        check(&format!("{upper}:1709251200000"), Lower, digit);
        let short = |length| Err(MalformedStamp::Digest(MalformedMd5::Length { length }));
        check(":1709251200000", Lower, short(0));
        check(&format!("{}:1709251200000", &DIGEST[1..]), Lower, short(31));
        check(&format!("{DIGEST} :1709251200000"), Lower, short(33));
        check("", Lower, Err(MalformedStamp::Colon));
        check(DIGEST, Lower, Err(MalformedStamp::Colon));
        check(&format!("{DIGEST}%3A1709251200000"), Lower, Err(MalformedStamp::Colon));

        #[track_caller]
        fn check(text: &str, case: HexCase, want: Result<i64, MalformedStamp>) {
            let want = want.map(|time_ms| (DIGEST.to_string(), time_ms));
            assert_eq!(reads(text, case), want, "{text} {case:?}");
        }
    }

    #[test]
    fn a_time_has_one_spelling() {
        for time in [
            "",
            "170925120000",
            "17092512000000",
            "0709251200000",
            "+709251200000",
            "-709251200000",
            "170925120000a",
            " 709251200000",
            "1709251200000 ",
            "1709251200000:",
            ":1709251200000",
            "170925120000\u{0661}",
        ] {
            let text = format!("{DIGEST}:{time}");
            assert_eq!(reads(&text, HexCase::Lower), Err(MalformedStamp::Time), "{text}");
        }
    }

    #[test]
    fn writes_only_times_of_thirteen_digits() {
        let digest = Md5Text::new().digest();
        for time in [i64::MIN, -1, 0, 999_999_999_999, 10_000_000_000_000, i64::MAX] {
            assert_eq!(StampedMd5::new(digest, time).unwrap_err(), MalformedStamp::TimeRange(time));
        }
    }

    #[test]
    fn errors_say_the_rule_and_not_the_text() {
        check(
            MalformedStamp::Colon,
            "a sign without a colon: send the digest, a colon and the time in milliseconds",
        );
        check(
            MalformedStamp::Digest(MalformedMd5::Length { length: 3 }),
            "before the colon: a digest of `3` bytes: send exactly 32 hex digits",
        );
        check(
            MalformedStamp::Time,
            "the time behind the colon: send exactly 13 digits, milliseconds since 1970, the first not 0",
        );
        check(
            MalformedStamp::TimeRange(7),
            "`7` ms is no time that a sign can carry: take one of 13 digits, 2001 to 2286",
        );

        #[track_caller]
        fn check(error: MalformedStamp, want: &str) {
            assert_eq!(error.to_string(), want);
        }
    }

    #[test]
    fn does_not_print_itself() {
        let stamped = StampedMd5::parse(format!("{DIGEST}:1709251200000"), HexCase::Lower).unwrap();
        assert_eq!(
            format!("{stamped:?} {:?}", stamped.to_text()),
            "StampedMd5 { digest: Md5Digest(****), time_ms: 1709251200000 } StampedText(****)"
        );
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(number: u128, time_ms in TIMES_MS) {
            let digest = Md5Digest::from_number(number);
            let text = StampedMd5::new(digest, time_ms).unwrap().to_text();
            let want = format!("{}:{time_ms}", digest.to_hex().as_str());
            assert_eq!(text.as_str(), want);
            assert_eq!(text.as_ref(), want.as_bytes());
            let read = StampedMd5::parse(text, HexCase::Lower).unwrap();
            assert!(read.digest().matches(digest) && read.time_ms() == time_ms);
        }

        #[test]
        fn any_other_text_is_refused_or_is_what_it_writes(text in "[0-9a-f]{31,33}[:;]{0,2}[0-9]{12,14}|.{0,60}") {
            if let Ok(stamped) = StampedMd5::parse(&text, HexCase::Lower) {
                assert_eq!(stamped.to_text().as_str(), text);
            }
        }
    }
}
