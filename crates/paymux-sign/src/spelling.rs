//! Other spellings of one text, as senders and proxies make them: another character set, white
//! space, another way to write a number.
//!
//! For telling which mistake was made (see `lineup`), never for believing anything.

use alloc::borrow::{Cow, ToOwned as _};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use encoding_rs::GBK;

/// The longest text of a number that gets other spellings.
const NUMBER_MAX: usize = 24;

/// The bytes of a text in GBK. `None` where they are those of UTF-8, or GBK has no such character.
pub fn gbk(text: &str) -> Option<Vec<u8>> {
    if text.is_ascii() {
        return None;
    }
    let (bytes, _, lacks) = GBK.encode(text);
    (!lacks).then(|| bytes.into_owned())
}

/// The text of bytes in GBK. `None` where they are UTF-8, or are not GBK either.
pub fn from_gbk(bytes: &[u8]) -> Option<String> {
    if core::str::from_utf8(bytes).is_ok() {
        return None;
    }
    GBK.decode_without_bom_handling_and_without_replacement(bytes).map(Cow::into_owned)
}

/// Without white space at both ends. `None` where there is none.
pub fn trimmed(bytes: &[u8]) -> Option<&[u8]> {
    let trimmed = bytes.trim_ascii();
    (trimmed.len() != bytes.len()).then_some(trimmed)
}

/// Without any white space. `None` where there is none.
pub fn without_blanks(bytes: &[u8]) -> Option<Vec<u8>> {
    let kept: Vec<u8> = bytes.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    (kept.len() != bytes.len()).then_some(kept)
}

/// JSON without white space between its tokens; texts stay as they are. `None` where there is none.
pub fn compact_json(bytes: &[u8]) -> Option<Vec<u8>> {
    let (mut in_text, mut escaped) = (false, false);
    let mut kept = Vec::with_capacity(bytes.len());
    for &byte in bytes {
        if !in_text && byte.is_ascii_whitespace() {
            continue;
        }
        kept.push(byte);
        let opens_or_closes = byte == b'"' && !escaped;
        escaped = in_text && byte == b'\\' && !escaped;
        in_text ^= opens_or_closes;
    }
    (kept.len() != bytes.len()).then_some(kept)
}

/// One way to write a number, and what to call it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberSpelling {
    /// What is other about it.
    pub name: &'static str,
    /// The number so written.
    pub text: String,
}

/// Other ways to write the amount that stands in a message as `raw`, a JSON number or a JSON text
/// of one: never `raw` itself, none twice, at most ten. Empty where `raw` is no decimal number.
pub fn number_spellings(raw: &str) -> Vec<NumberSpelling> {
    let Some(Number { whole, cents }) = Number::read(raw) else { return Vec::new() };
    let mut all: Vec<NumberSpelling> = Vec::new();
    let mut add = |name, text: String| {
        if text != raw && all.iter().all(|other| other.text != text) {
            all.push(NumberSpelling { name, text });
        }
    };
    let unquoted = raw.trim_matches('"');
    add("the amount without its quotation marks", unquoted.to_owned());
    if cents == "00" {
        add("the amount as a plain integer", whole.to_owned());
        add("the amount with one decimal", format!("{whole}.0"));
    }
    add("the amount with two decimals", format!("{whole}.{cents}"));
    let hundredfold = format!("{whole}{cents}");
    add("the amount in hundredths", plain(&hundredfold).to_owned());
    if cents == "00" {
        let padded = format!("{whole:0>3}");
        let (units, rest) = padded.split_at(padded.len() - 2);
        add("the amount in hundreds, with two decimals", format!("{units}.{rest}"));
        let short = format!("{units}.{rest}");
        let short = short.trim_end_matches('0').trim_end_matches('.');
        add("the amount in hundreds, without last zeros", short.to_owned());
    }
    add("the amount with a leading zero", format!("0{unquoted}"));
    add("the amount in quotation marks", format!("\"{unquoted}\""));
    all
}

/// A decimal number: its digits before the point without leading zeros, and two after it.
struct Number<'a> {
    whole: &'a str,
    cents: String,
}

impl<'a> Number<'a> {
    fn read(raw: &'a str) -> Option<Self> {
        let text = raw.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(raw);
        let text = text.trim();
        if text.is_empty() || text.len() > NUMBER_MAX {
            return None;
        }
        let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let more = fraction.get(2..).unwrap_or_default();
        if whole.is_empty() || !digits(whole) || !digits(fraction) || more.bytes().any(|byte| byte != b'0') {
            return None;
        }
        let cents = format!("{:0<2}", fraction.get(..2).unwrap_or(fraction));
        Some(Self { whole: plain(whole), cents })
    }
}

/// Without leading zeros.
fn plain(digits: &str) -> &str {
    let kept = digits.trim_start_matches('0');
    if kept.is_empty() { &digits[digits.len() - 1..] } else { kept }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, prop, proptest};

    use super::*;

    /// 红茶 in both character sets: `printf 红茶 | iconv -t GBK | xxd -p`.
    const TEA_GBK: [u8; 4] = [0xba, 0xec, 0xb2, 0xe8];

    #[test]
    fn gbk_and_back() {
        assert_eq!(gbk("红茶").unwrap(), TEA_GBK);
        assert_eq!(from_gbk(&TEA_GBK).unwrap(), "红茶");
        assert_eq!(gbk("tea"), None, "nothing differs");
        assert_eq!(gbk("😀"), None, "GBK has none");
        assert_eq!(from_gbk("红茶".as_bytes()), None, "it is UTF-8");
        assert_eq!(from_gbk(&[0xba]), None);
        assert_eq!(from_gbk(&[0xff, 0xff]), None);
    }

    #[test]
    fn blanks_go_at_the_ends_everywhere_or_between_tokens() {
        assert_eq!(trimmed(b" a b\r\n").unwrap(), b"a b");
        assert_eq!(trimmed(b"a b"), None);
        assert_eq!(without_blanks(b" a b\r\n").unwrap(), b"ab");
        assert_eq!(without_blanks(b"ab"), None);
        let json = b" { \"a \\\" b\" :\t[1, 2],\n\"c\\\\\" : \" \" }\n";
        assert_eq!(compact_json(json).unwrap(), b"{\"a \\\" b\":[1,2],\"c\\\\\":\" \"}");
        assert_eq!(compact_json(b"{\"a b\":1}"), None);
    }

    #[test]
    fn numbers_are_written_in_the_ways_of_the_field() {
        check("1023", &["1023.0", "1023.00", "102300", "10.23", "01023", "\"1023\""]);
        check("1000", &["1000.0", "1000.00", "100000", "10.00", "10", "01000", "\"1000\""]);
        check("5", &["5.0", "5.00", "500", "0.05", "05", "\"5\""]);
        check("0", &["0.0", "0.00", "00", "\"0\""]);
        check("\"1023\"", &["1023", "1023.0", "1023.00", "102300", "10.23", "01023"]);
        check("1023.0", &["1023", "1023.00", "102300", "10.23", "01023.0", "\"1023.0\""]);
        check("10.23", &["1023", "010.23", "\"10.23\""]);
        check("10.2", &["10.20", "1020", "010.2", "\"10.2\""]);
        check("007", &["7", "7.0", "7.00", "700", "0.07", "0007", "\"007\""]);
        for none in ["", "\"\"", "x", "-1", "+1", "1e3", "1.234", ".5", "1.2.3", "null", "１"] {
            check(none, &[]);
        }
        check(&"9".repeat(25), &[]);

        #[track_caller]
        fn check(raw: &str, want: &[&str]) {
            let all = number_spellings(raw);
            for text in want {
                assert!(all.iter().any(|one| one.text == *text), "{raw}: {text} not in {all:?}");
            }
            assert_eq!(all.is_empty(), want.is_empty(), "{raw}: {all:?}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[0-9.\" +-]{0,30}|.{0,30}", bytes in prop::collection::vec(any::<u8>(), 0..100)) {
            let all = number_spellings(&text);
            assert!(all.len() <= 10 && all.iter().all(|one| one.text != text));
            for (i, one) in all.iter().enumerate() {
                assert!(all[..i].iter().all(|other| other.text != one.text));
            }
            drop((gbk(&text), from_gbk(&bytes), compact_json(&bytes), without_blanks(&bytes)));
        }

        #[test]
        fn what_gbk_can_say_reads_back(text in "[一-龥]{1,20}") {
            let bytes = gbk(&text).unwrap();
            // Some characters' bytes are UTF-8 of another one; those are not told apart.
            assert_eq!(from_gbk(&bytes).is_some(), core::str::from_utf8(&bytes).is_err());
            assert!(from_gbk(&bytes).is_none_or(|read| read == text));
        }
    }
}
