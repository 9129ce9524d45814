//! MD5 digests as values: written as hex, read from what a stranger sent, compared in constant time.
//!
//! Computing one lives in `md5_text`.

use core::fmt;

use subtle::ConstantTimeEq as _;

const HEX_LENGTH: usize = 32;

/// A digest that was computed here or received.
///
/// Has no `==`, so that it cannot be compared byte by byte by mistake; use [`Md5Digest::matches`]:
///
/// ```compile_fail,E0369
/// # use paymux_sign::Md5Text;
/// let same = Md5Text::new().digest() == Md5Text::new().digest();
/// ```
#[derive(Clone, Copy)]
pub struct Md5Digest(u128);

/// Which letters a protocol takes in a received digest. What we send is always lower case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HexCase {
    /// `a` to `f` only.
    Lower,
    /// `a` to `f` and `A` to `F`, mixed or not.
    Any,
}

/// Why a received text is no MD5 digest. Holds nothing of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MalformedMd5 {
    /// Too short or too long.
    #[error("a digest of `{length}` bytes: send exactly 32 hex digits")]
    Length {
        /// Bytes received.
        length: usize,
    },
    /// A byte that is no hex digit, or a letter in the wrong case.
    #[error("byte `{at}` of the digest: send {}", wanted(*.case))]
    Digit {
        /// Where it stands, from 0.
        at: usize,
        /// The rule that it broke.
        case: HexCase,
    },
}

fn wanted(case: HexCase) -> &'static str {
    match case {
        HexCase::Lower => "hex digits 0-9 and a-f in lower case only",
        HexCase::Any => "hex digits 0-9, a-f or A-F only",
    }
}

impl Md5Digest {
    /// The digest whose bytes that number has, the lowest first.
    #[inline]
    pub(crate) const fn from_number(number: u128) -> Self {
        Self(number)
    }

    /// Reads a received digest. Do this first: what is malformed needs no hashing to be refused.
    ///
    /// # Errors
    /// [`MalformedMd5`] unless `text` is 32 hex digits in the letter case that `case` takes.
    pub fn from_hex(text: impl AsRef<[u8]>, case: HexCase) -> Result<Self, MalformedMd5> {
        let text = text.as_ref();
        let digits: &[u8; HEX_LENGTH] =
            text.try_into().map_err(|_| MalformedMd5::Length { length: text.len() })?;
        // Without a branch for each digit, so that compilers look at many at once.
        let (mut values, mut refused) = ([0; HEX_LENGTH], 0);
        for (value, digit) in values.iter_mut().zip(digits) {
            *value = case.value(*digit);
            refused |= *value;
        }
        if refused & NO_DIGIT != 0 {
            let is_refused = |digit: &u8| case.value(*digit) & NO_DIGIT != 0;
            return Err(MalformedMd5::Digit { at: digits.iter().position(is_refused).unwrap_or(0), case });
        }
        let mut bytes = [0; HEX_LENGTH / 2];
        for (byte, [high, low]) in bytes.iter_mut().zip(values.as_chunks().0) {
            *byte = (high << 4) | low;
        }
        Ok(Self(u128::from_le_bytes(bytes)))
    }

    /// Whether both are the same digest, in a time that does not tell where they differ.
    #[must_use]
    #[inline]
    pub fn matches(self, other: Self) -> bool {
        // As one number: quicker than byte by byte, and no branch that could tell where.
        self.0.ct_eq(&other.0).into()
    }

    /// As 32 lower-case hex digits.
    #[inline]
    pub fn to_hex(self) -> Md5Hex {
        let mut hex = [0; HEX_LENGTH];
        for (pair, byte) in hex.as_chunks_mut().0.iter_mut().zip(self.0.to_le_bytes()) {
            // Both digits side by side in one number, since that is what compilers make wide registers of.
            let byte = u16::from(byte);
            let digits = (byte >> 4) | ((byte & 15) << 8);
            let letters = ((digits + 0x0606) >> 4) & 0x0101;
            *pair = (digits + 0x3030 + letters * u16::from(b'a' - b'9' - 1)).to_le_bytes();
        }
        Md5Hex(hex)
    }
}

impl fmt::Debug for Md5Digest {
    /// Hides the digest: in a log it would let a reader send the signed call again.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Md5Digest(****)")
    }
}

/// A digest as it is sent: 32 lower-case hex digits on the stack.
///
/// Neither printed nor compared by accident: no `Display`, no `==`, and `Debug` hides it.
#[derive(Clone, Copy)]
pub struct Md5Hex([u8; HEX_LENGTH]);

impl Md5Hex {
    /// The digits, for the wire; never for a log.
    #[expect(clippy::missing_panics_doc, reason = "hex digits are ASCII, so it never panics")]
    pub fn as_str(&self) -> &str {
        #[expect(clippy::expect_used, reason = "only `to_hex` makes one, and it writes hex digits")]
        core::str::from_utf8(&self.0).expect("hex digits are ASCII")
    }

    /// The digits as bytes, such as for signing them once more.
    pub fn as_bytes(&self) -> &[u8; HEX_LENGTH] {
        &self.0
    }
}

impl AsRef<[u8]> for Md5Hex {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Md5Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Md5Hex(****)")
    }
}

/// Set in what is the value of no digit.
const NO_DIGIT: u8 = 0x80;

impl HexCase {
    /// What a hex digit is worth; of any other byte something with [`NO_DIGIT`].
    #[inline]
    const fn value(self, digit: u8) -> u8 {
        let lower = match self {
            Self::Lower => digit,
            // Makes a to f of A to F and of nothing else.
            Self::Any => digit | 0x20,
        };
        let (number, letter) = (digit.wrapping_sub(b'0'), lower.wrapping_sub(b'a'));
        if number < 10 {
            number
        } else if letter < 6 {
            letter + 10
        } else {
            NO_DIGIT
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::format;
    use alloc::string::{String, ToString as _};

    use proptest::prelude::proptest;

    use super::{HexCase, MalformedMd5, Md5Digest};

    const LOWER: &str = "0123456789abcdef0123456789abcdef";
    const UPPER: &str = "0123456789ABCDEF0123456789ABCDEF";
    const MIXED: &str = "0123456789abcdEF0123456789abcdef";

    #[test]
    fn reads_thirty_two_hex_digits() {
        use HexCase::{Any, Lower};
        check(LOWER, Lower, Ok(LOWER));
        check(LOWER, Any, Ok(LOWER));
        check(UPPER, Any, Ok(LOWER));
        check(MIXED, Any, Ok(LOWER));
        check(UPPER, Lower, Err(MalformedMd5::Digit { at: 10, case: Lower }));
        check(MIXED, Lower, Err(MalformedMd5::Digit { at: 14, case: Lower }));
        check("", Any, Err(MalformedMd5::Length { length: 0 }));
        check(&LOWER[1..], Any, Err(MalformedMd5::Length { length: 31 }));
        check(&LOWER[2..], Any, Err(MalformedMd5::Length { length: 30 }));
        check(&format!("{LOWER}0"), Any, Err(MalformedMd5::Length { length: 33 }));
        check(&format!("{LOWER}{LOWER}"), Any, Err(MalformedMd5::Length { length: 64 }));
        // Each neighbour of the three accepted runs of ASCII.
        for (bad, at) in [('/', 0), (':', 1), ('@', 2), ('G', 3), ('`', 30), ('g', 31), (' ', 0), ('\0', 31)]
        {
            check(&with(at, bad), Any, Err(MalformedMd5::Digit { at, case: Any }));
        }
        // 31 characters, 32 bytes: counted in bytes, refused as no digit.
        check(&format!("{}é", &LOWER[..30]), Any, Err(MalformedMd5::Digit { at: 30, case: Any }));

        #[track_caller]
        fn check(text: &str, case: HexCase, want: Result<&str, MalformedMd5>) {
            let got = Md5Digest::from_hex(text, case).map(|digest| digest.to_hex().as_str().to_string());
            assert_eq!(got, want.map(String::from), "{text} {case:?}");
        }
    }

    #[test]
    fn errors_say_the_rule_and_not_the_text() {
        check("ab", HexCase::Lower, "a digest of `2` bytes: send exactly 32 hex digits");
        check(
            UPPER,
            HexCase::Lower,
            "byte `10` of the digest: send hex digits 0-9 and a-f in lower case only",
        );
        check(&with(0, 'x'), HexCase::Any, "byte `0` of the digest: send hex digits 0-9, a-f or A-F only");

        #[track_caller]
        fn check(text: &str, case: HexCase, want: &str) {
            assert_eq!(Md5Digest::from_hex(text, case).unwrap_err().to_string(), want);
        }
    }

    #[test]
    fn does_not_print_itself() {
        let digest = Md5Digest::from_hex(LOWER, HexCase::Lower).unwrap();
        assert_eq!(format!("{digest:?} {:?}", digest.to_hex()), "Md5Digest(****) Md5Hex(****)");
    }

    proptest! {
        #[test]
        fn hex_that_is_written_reads_back(number: u128) {
            let digest = Md5Digest::from_number(number);
            for case in [HexCase::Lower, HexCase::Any] {
                let read = Md5Digest::from_hex(digest.to_hex(), case).unwrap();
                assert_eq!(read.0, number);
            }
            let upper = digest.to_hex().as_str().to_uppercase();
            assert_eq!(Md5Digest::from_hex(upper, HexCase::Any).unwrap().0, number);
        }

        #[test]
        fn a_flipped_bit_anywhere_fails(number: u128, bit in 0_u32..128) {
            let [digest, changed] = [number, number ^ (1 << bit)].map(Md5Digest::from_number);
            assert!(digest.matches(digest));
            assert!(!digest.matches(changed) && !changed.matches(digest));
        }

        #[test]
        fn reads_exactly_what_is_hex(text in "[0-9a-f]{31,33}|[0-9a-fA-F]{32}|[0-9a-gA-G]{32}|.{0,40}") {
            let is_hex = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
            let is_lower = is_hex && !text.bytes().any(|byte| byte.is_ascii_uppercase());
            assert_eq!(Md5Digest::from_hex(&text, HexCase::Any).is_ok(), is_hex);
            assert_eq!(Md5Digest::from_hex(&text, HexCase::Lower).is_ok(), is_lower);
        }
    }

    fn with(at: usize, digit: char) -> String {
        let mut text = String::from(LOWER);
        text.replace_range(at..=at, digit.encode_utf8(&mut [0; 4]));
        text
    }
}
