//! Messages as cloudpay spells them: fields in a form, a query or a JSON object, and its JSON answers. Nothing here
//! is seen outside.
//!
//! What the fields mean to us lives in `map`; which of them a sign covers lives in `sign`.

use std::borrow::Cow;
use std::fmt;

use paymux_core::money::AMOUNT_MAX;
use paymux_core::{ChannelError, Currency, Money, WireRequest, WireResponse};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

/// The path of a create, behind the base address.
pub(crate) const CREATE_PATH: &str = "/api/cloudpay/create";
/// The media type of a form.
pub(crate) const FORM: &str = "application/x-www-form-urlencoded";
/// The media type of the gateway's answers.
pub(crate) const JSON: &str = "application/json";
/// The largest message that is read, in bytes (64 KiB).
const MESSAGE_BYTES_MAX: usize = 65_536;
/// The most fields that a message may have; cloudpay's have at most 8.
const FIELDS_MAX: usize = 64;

/// The fields of one message: each name once, each value the bytes that were sent, decoded once and otherwise as
/// they are. A value need not be UTF-8: what a sign covers is bytes.
#[derive(Clone, Default)]
pub(crate) struct Fields(Vec<(String, Vec<u8>)>);

impl Fields {
    /// A form, or what stands behind the `?` of an address.
    pub(crate) fn of_form(form: &[u8]) -> Result<Self, &'static str> {
        if form.len() > MESSAGE_BYTES_MAX {
            return Err(TOO_LARGE);
        }
        let mut fields = Self::default();
        for pair in form.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let name = decoded(halves.next().unwrap_or_default());
            let name = String::from_utf8(name).map_err(|_| "the name of a field is not UTF-8")?;
            fields.add(name, decoded(halves.next().unwrap_or_default()))?;
        }
        Ok(fields)
    }

    /// The body of a message: a form, or a JSON object with the same names. A number is signed as its JSON text.
    pub(crate) fn of_body(request: &WireRequest) -> Result<Self, &'static str> {
        let body = request.body.as_ref();
        if !body.trim_ascii_start().starts_with(b"{") {
            return Self::of_form(body);
        }
        if body.len() > MESSAGE_BYTES_MAX {
            return Err(TOO_LARGE);
        }
        let Pairs(pairs) =
            serde_json::from_slice(body).map_err(|_| "neither a form nor a JSON object in UTF-8")?;
        let mut fields = Self::default();
        for (name, raw) in pairs {
            if raw.get() != "null" {
                let text = serde_json::from_str::<String>(raw.get());
                fields.add(name, text.unwrap_or_else(|_| raw.get().to_owned()).into_bytes())?;
            }
        }
        Ok(fields)
    }

    /// These fields.
    pub(crate) fn of_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let pairs = pairs.into_iter();
        Self(pairs.map(|(name, value)| (name.to_owned(), value.as_bytes().to_vec())).collect())
    }

    fn add(&mut self, name: String, value: Vec<u8>) -> Result<(), &'static str> {
        if self.has(&name) {
            return Err("a field stands there twice");
        }
        if self.0.len() >= FIELDS_MAX {
            return Err("more than 64 fields");
        }
        self.0.push((name, value));
        Ok(())
    }

    /// With that value of a field, in its place if it is there.
    #[must_use]
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        match self.0.iter_mut().find(|(own, _)| own == name) {
            Some((_, old)) => *old = value.as_bytes().to_vec(),
            None => self.0.push((name.to_owned(), value.as_bytes().to_vec())),
        }
        self
    }

    /// Whether the field is there, empty or not.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(own, _)| own == name)
    }

    /// The field's bytes; none where it is absent.
    pub(crate) fn bytes(&self, name: &str) -> &[u8] {
        self.0.iter().find(|(own, _)| own == name).map_or(&[], |(_, value)| value)
    }

    /// The field as text, if it is there, is not empty and is UTF-8.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        std::str::from_utf8(self.bytes(name)).ok().filter(|text| !text.is_empty())
    }

    /// The names, as they came.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// As a form, for a body or a query. Values that are not UTF-8 cannot be in one of ours.
    pub(crate) fn to_form(&self) -> String {
        let pairs: Vec<String> = self
            .0
            .iter()
            .map(|(name, value)| format!("{}={}", encoded(name), encoded(&String::from_utf8_lossy(value))))
            .collect();
        pairs.join("&")
    }
}

impl fmt::Debug for Fields {
    /// Shows the names alone: signs and payers' data are in the values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

const TOO_LARGE: &str = "more than 65536 bytes";

/// Percent-decoded once, `+` read as a blank.
fn decoded(text: &[u8]) -> Vec<u8> {
    let spaced: Vec<u8> = text.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    Cow::from(percent_decode(&spaced)).into_owned()
}

/// What stays as it is in a form; a blank becomes `+`.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~').remove(b' ');

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, KEPT).to_string().replace(' ', "+")
}

/// The members of a JSON object in their order, also those that stand there twice.
struct Pairs(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Pairs {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Pairs;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry()? {
                    if pairs.len() > FIELDS_MAX {
                        return Err(A::Error::custom("too many fields"));
                    }
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        from.deserialize_map(Members)
    }
}

/// Reads yuan: digits, then perhaps a dot and one or two decimals. More than zero, no leading zero, no sign: of
/// two ways to write one sum only the decimals differ, so that no digit can move in from a field before it.
pub(crate) fn yuan(text: &str) -> Option<Money> {
    let has_leading_zero = text.len() > 1 && text.starts_with('0') && !text.starts_with("0.");
    let money = Money::from_decimal(text, Currency::CNY).ok()?;
    ((1..=AMOUNT_MAX).contains(&money.minor()) && !has_leading_zero).then_some(money)
}

/// Reads yuan with exactly two decimals, as a create has it.
pub(crate) fn yuan_exact(text: &str) -> Option<Money> {
    yuan(text).filter(|money| money.to_decimal() == text)
}

/// Letters, digits, `_` and `-`, beginning with a letter, at most 32: what a `type` may be.
pub(crate) fn is_type(text: &str) -> bool {
    (1..=32).contains(&text.len())
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// Plain digits, at most 32: what `order_id` and `paytime` may be.
pub(crate) fn is_digits(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}

/// Visible ASCII without blanks, at most 64: what a client's order number may be.
pub(crate) fn is_number(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// Letters and digits, at most 32: what goes out as our own order number.
pub(crate) fn is_own_number(text: &str) -> bool {
    (1..=32).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// An answer whose `code` could be read.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    /// The number that decides.
    pub code: i64,
    /// For people; decides nothing.
    pub msg: Option<String>,
    /// What `data` is, where it is an object; empty otherwise.
    pub data: Map<String, Value>,
}

/// Reads an answer. Whatever is not HTTP 200 with one JSON object that has a `code` is not believed, nor what says one
/// thing twice. `code` is an integer, or the same digits as text; `data` may be of any shape.
pub(crate) fn read(response: &WireResponse) -> Result<Reply, ChannelError> {
    let status = response.status;
    if status != 200 {
        return Err(ChannelError::unknown(format!("cloudpay answered HTTP {status}")));
    }
    let mut fields = members(&response.body)?;
    let code = match fields.get("code") {
        Some(Value::Number(number)) => number.as_i64(),
        Some(Value::String(text)) => text.parse().ok().filter(|code: &i64| code.to_string() == *text),
        _ => None,
    };
    let code = code.ok_or_else(|| ChannelError::unknown("the answer has no integer `code`"))?;
    let msg = fields.get("msg").and_then(Value::as_str).map(str::to_owned);
    let data = match fields.remove("data") {
        Some(Value::Object(data)) => data,
        _ => Map::new(),
    };
    Ok(Reply { code, msg, data })
}

fn members(body: &[u8]) -> Result<Map<String, Value>, ChannelError> {
    let no_object = |_| ChannelError::unknown("HTTP 200 with a body that is no JSON object");
    let Pairs(pairs) = serde_json::from_slice(body).map_err(no_object)?;
    let mut fields = Map::new();
    for (name, raw) in pairs {
        let value = serde_json::from_str(raw.get()).map_err(no_object)?;
        if fields.insert(name, value).is_some() {
            return Err(ChannelError::unknown("the answer says one thing twice"));
        }
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use paymux_core::Verb;
    use proptest::prelude::{any, prop, proptest};

    use super::*;

    fn body(text: &str) -> Result<Fields, &'static str> {
        Fields::of_body(&WireRequest::new(Verb::Post, "/").body(JSON, text.to_owned()))
    }

    #[test]
    fn forms_are_decoded_once_and_kept_as_they_are() {
        check("a=1", b"1");
        check("a=%E5%BC%A0%E4%B8%89+VIP", "张三 VIP".as_bytes());
        check("a=%2B", b"+");
        check("a=%252B", b"%2B");
        check("a=+%09%0D%0A%E3%80%80+", " \t\r\n\u{3000} ".as_bytes());
        check("a=b=c", b"b=c");
        check("a=%d5%c5", &[0xd5, 0xc5]);
        check("a=%zz%", b"%zz%");
        check("a=", b"");
        check("a", b"");
        check("b=1&&a=2&", b"2");
        check("", b"");

        #[track_caller]
        fn check(form: &str, want: &[u8]) {
            assert_eq!(Fields::of_form(form.as_bytes()).unwrap().bytes("a"), want, "{form}");
        }
    }

    #[test]
    fn json_has_the_same_fields_and_numbers_keep_their_text() {
        let fields = body(r#" {"a":"\u5f20","b":10.20,"c":880012,"d":null,"e":""}"#).unwrap();
        assert_eq!(fields.text("a"), Some("张"));
        assert_eq!((fields.bytes("b"), fields.bytes("c")), (&b"10.20"[..], &b"880012"[..]));
        assert!(!fields.has("d") && fields.has("e") && fields.text("e").is_none());
    }

    #[test]
    fn what_reads_in_two_ways_or_is_too_much_is_refused() {
        assert!(Fields::of_form(b"a=1&a=1").is_err());
        assert!(Fields::of_form(b"a=1&%61=2").is_err());
        assert!(Fields::of_form(b"%ff=1").is_err());
        let many: Vec<String> = (0..65).map(|at| format!("f{at}=")).collect();
        assert!(Fields::of_form(many.join("&").as_bytes()).is_err());
        assert!(Fields::of_form("a".repeat(65_537).as_bytes()).is_err());
        for bad in [r#"{"a":1,"a":1}"#, r#"{"a":1"#, r#"{"a":1}x"#, "{", r"{1:2}"] {
            assert!(body(bad).is_err(), "{bad}");
        }
        let many: Vec<String> = (0..65).map(|at| format!("\"f{at}\":1")).collect();
        assert!(body(&format!("{{{}}}", many.join(","))).is_err());
        assert!(body(&format!("{{\"a\":\"{}\"}}", "x".repeat(65_536))).is_err());
    }

    #[test]
    fn debug_shows_names_alone() {
        assert_eq!(format!("{:?}", Fields::of_pairs([("sign", "abc")])), "{\"sign\"}");
    }

    #[test]
    fn yuan_is_read_in_one_way() {
        check("10.23", Some(1023));
        check("10.2", Some(1020));
        check("10", Some(1000));
        check("0.50", Some(50));
        check("0.01", Some(1));
        check("99999999999.99", Some(AMOUNT_MAX));
        for bad in [
            "",
            "0",
            "0.0",
            "0.00",
            "00.50",
            "010.23",
            "10.",
            ".5",
            "10.234",
            "-1",
            "+1",
            "1e2",
            "1,000",
            " 1",
            "1 ",
            "１",
            "100000000000.00",
            "9999999999999999999",
        ] {
            check(bad, None);
        }
        assert_eq!(yuan_exact("10.20"), Some(Money::fen(1020)));
        for bad in ["10.2", "10", "010.20", "10.200", "0.00"] {
            assert_eq!(yuan_exact(bad), None, "{bad}");
        }

        #[track_caller]
        fn check(text: &str, want: Option<i64>) {
            assert_eq!(yuan(text).map(Money::minor), want, "{text}");
        }
    }

    #[test]
    fn only_a_whole_answer_is_read() {
        check(200, r#"{"code":100}"#, Some(100));
        check(200, r#"{"code":"100","data":""}"#, Some(100));
        check(200, r#"{"code":204,"msg":"x","time":"1","data":[]}"#, Some(204));
        check(200, r#"{"code":204,"data":null}"#, Some(204));
        check(200, r#"{"code":204,"data":{}}"#, Some(204));
        check(200, r#"{"code":-1}"#, Some(-1));
        for (status, body) in [
            (500, r#"{"code":100}"#),
            (404, r#"{"code":204}"#),
            (201, r#"{"code":100}"#),
            (302, r#"{"code":100}"#),
            (200, r#"{"code":100.0}"#),
            (200, r#"{"code":"100 "}"#),
            (200, r#"{"code":"1e2"}"#),
            (200, r#"{"code":"0100"}"#),
            (200, r#"{"code":"+100"}"#),
            (200, r#"{"code":""}"#),
            (200, r#"{"code":100,"code":204}"#),
            (200, r#"{"code":204,"data":{"a":"\ud800"}}"#),
            (200, r#"{"code":null}"#),
            (200, r#"{"code":true}"#),
            (200, r#"{"code":100,}"#),
            (200, r#"{"code":100"#),
            (200, r#"{"code":100}x"#),
            (200, "[]"),
            (200, "{}"),
            (200, ""),
            (200, "<html>502</html>"),
        ] {
            check(status, body, None);
        }

        #[track_caller]
        fn check(status: u16, body: &str, want: Option<i64>) {
            let response = WireResponse::with_status(status, JSON, body.to_owned());
            assert_eq!(read(&response).ok().map(|reply| reply.code), want, "{status} {body}");
        }
    }

    proptest! {
        #[test]
        fn a_form_reads_what_it_writes(value in ".{0,40}", other in "[ -~]{0,20}") {
            let form = Fields::of_pairs([("a", value.as_str()), ("b", other.as_str())]).to_form();
            let read = Fields::of_form(form.as_bytes()).unwrap();
            assert_eq!((read.bytes("a"), read.bytes("b")), (value.as_bytes(), other.as_bytes()));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            drop((Fields::of_form(&bytes), Fields::of_body(&WireRequest::new(Verb::Post, "/").body(JSON, bytes))));
        }
    }
}
