//! The fields of one JSON object as they came: each by its own raw text, so that a number keeps all its digits
//! and may be a number or a text.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The most digits of a number that are read: more than any amount has.
const DIGITS_MAX: usize = 15;
/// The longest decimal text that is kept, in characters.
const DECIMAL_CHARS_MAX: usize = 40;

/// The fields of an object. `null` and the empty text count as absent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Fields(BTreeMap<String, Box<RawValue>>);

impl Fields {
    /// Reads a whole body: UTF-8 from end to end, one object, nothing behind it but white space, no name twice.
    ///
    /// # Errors
    /// What it is instead.
    pub(crate) fn parse(body: &[u8]) -> Result<Self, &'static str> {
        let text = std::str::from_utf8(body).map_err(|_| "not UTF-8 from end to end")?;
        serde_json::from_str(text).map_err(|_| "not one JSON object with nothing behind it and no name twice")
    }

    /// Whether nothing is said there.
    pub(crate) fn is_absent(&self, name: &str) -> bool {
        self.0.get(name).is_none_or(|raw| matches!(raw.get(), "null" | "\"\""))
    }

    /// A text, or a whole number's digits.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        let raw = self.0.get(name)?.get();
        // Some numbers of 20 and more digits are written without quotation marks.
        let is_digits = raw.bytes().all(|b| b.is_ascii_digit()) || is_integer(raw);
        let text = if is_digits { raw.to_owned() } else { serde_json::from_str(raw).ok()? };
        (!text.is_empty()).then_some(text)
    }

    /// A whole number, written as number or as text; `Ok(None)` where it is absent.
    ///
    /// # Errors
    /// Where something else stands there.
    pub(crate) fn integer(&self, name: &'static str) -> Result<Option<i64>, String> {
        if self.is_absent(name) {
            return Ok(None);
        }
        let text = self.text(name).filter(|text| is_integer(text));
        let number = text.and_then(|text| text.parse().ok());
        number.map(Some).ok_or_else(|| format!("`{name}` is no whole number"))
    }

    /// A decimal number as its own text, every digit of it. What has another form is passed over.
    pub(crate) fn decimal(&self, name: &str) -> Option<String> {
        let raw = self.0.get(name)?.get();
        let text = raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')).unwrap_or(raw);
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
        let good = match text.split_once('.') {
            Some((whole, part)) => digits(whole) && digits(part),
            None => digits(text),
        };
        (good && text.len() <= DECIMAL_CHARS_MAX).then(|| text.to_owned())
    }

    /// An object; `Ok(None)` where it is absent.
    ///
    /// # Errors
    /// Where something else stands there.
    pub(crate) fn object(&self, name: &str) -> Result<Option<Self>, &'static str> {
        if self.is_absent(name) {
            return Ok(None);
        }
        let raw = self.0.get(name).map_or("null", |raw| raw.get());
        serde_json::from_str(raw)
            .map(Some)
            .map_err(|_| "a level that is no object, or in which a name stands twice")
    }

    /// The JSON text that stands there.
    pub(crate) fn raw(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|raw| raw.get())
    }
}

/// Digits without a fraction, an exponent or a needless zero in front, perhaps below zero.
fn is_integer(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    (1..=DIGITS_MAX).contains(&digits.len())
        && digits.bytes().all(|b| b.is_ascii_digit())
        && (digits == "0" || !digits.starts_with('0'))
}

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    if fields.insert(name, value).is_some() {
                        return Err(A::Error::custom("a name stands twice"));
                    }
                }
                Ok(Fields(fields))
            }
        }
        from.deserialize_map(Object)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(value: &str) -> Fields {
        Fields::parse(format!("{{\"x\":{value}}}").as_bytes()).unwrap()
    }

    /// F6.
    #[test]
    fn whole_numbers_come_as_numbers_and_as_text() {
        check("250", Ok(Some(250)));
        check("\"250\"", Ok(Some(250)));
        check("0", Ok(Some(0)));
        check("\"0\"", Ok(Some(0)));
        check("-1", Ok(Some(-1)));
        check("null", Ok(None));
        check("\"\"", Ok(None));
        for bad in [
            "250.0",
            "\"250.0\"",
            "2.5e2",
            "\"+250\"",
            "\"0250\"",
            "\" 250\"",
            "\"2 50\"",
            "true",
            "[]",
            "{}",
        ] {
            check(bad, Err("`x` is no whole number"));
        }
        check("1234567890123456", Err("`x` is no whole number"));
        assert_eq!(field("1").integer("y"), Ok(None));

        #[track_caller]
        fn check(value: &str, want: Result<Option<i64>, &str>) {
            assert_eq!(field(value).integer("x"), want.map_err(str::to_owned), "{value}");
        }
    }

    /// F37: a rate keeps every digit.
    #[test]
    fn decimals_keep_every_digit() {
        check("\"4.93\"", Some("4.93"));
        check("4.930000000000000000001", Some("4.930000000000000000001"));
        check("\"4\"", Some("4"));
        check("4", Some("4"));
        for bad in ["\"4.\"", "\".5\"", "\"-4.93\"", "\"4,93\"", "4e1", "null", "\"\"", "{}", "\"4.93 \""] {
            check(bad, None);
        }
        check(&format!("\"0.{}\"", "1".repeat(39)), None);

        #[track_caller]
        fn check(value: &str, want: Option<&str>) {
            assert_eq!(field(value).decimal("x").as_deref(), want, "{value}");
        }
    }

    #[test]
    fn texts_are_texts_or_digits() {
        assert_eq!(field("\"a b\"").text("x").as_deref(), Some("a b"), "never trimmed or squeezed");
        assert_eq!(field("20240301100000000001").text("x").as_deref(), Some("20240301100000000001"));
        assert_eq!(field("\"\\u6536\"").text("x").as_deref(), Some("收"));
        for none in ["null", "\"\"", "true", "1.5", "{}", "[]"] {
            assert_eq!(field(none).text("x"), None, "{none}");
        }
    }

    #[test]
    fn one_object_and_nothing_behind_it() {
        for good in ["{}", " {} \r\n\t", "{\"a\":{\"a\":1}}"] {
            assert!(Fields::parse(good.as_bytes()).is_ok(), "{good}");
        }
        for bad in [
            "",
            "null",
            "[]",
            "{}{}",
            "{} x",
            "{}\0",
            "\u{feff}{}",
            "{\"a\":1,\"a\":1}",
            "{\"a\":1,\"\\u0061\":2}",
            "{'a':1}",
        ] {
            assert!(Fields::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
        assert!(Fields::parse(b"{\"a\":\"\xff\"}").is_err());
        assert!(Fields::parse(b"{}\x80").is_err());
    }
}
