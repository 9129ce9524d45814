//! Requests and replies, spelt exactly as BeeCloud spells them. Nothing here is seen outside.
//!
//! What the fields mean to us lives in `map`; what the server side reads and writes lives in
//! `acceptor`; refunds and lists are in `refunds`.

pub(crate) mod refunds;

use paymux_core::{ChannelError, Secret, Timestamp, Verb, WireRequest, WireResponse};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use crate::sign;

/// The media type of every body.
pub(crate) const JSON: &str = "application/json";
/// The longest `title`: ASCII counts 1, all else 2, as in GBK.
pub(crate) const TITLE_WIDTH_MAX: usize = 32;

/// Who calls, and when by the provider's clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Caller<'a> {
    /// The account.
    pub app_id: &'a str,
    /// The secret of this call.
    pub secret: &'a Secret,
    /// Milliseconds since 1970.
    pub timestamp: Timestamp,
}

/// The common fields, then those of the call.
#[derive(Serialize)]
struct Signed<'a, T> {
    app_id: &'a str,
    timestamp: i64,
    app_sign: &'a str,
    #[serde(flatten)]
    call: &'a T,
}

/// A create, online or at a till.
#[derive(Serialize)]
#[expect(clippy::struct_field_names, reason = "BeeCloud's own names")]
pub(crate) struct Bill<'a> {
    pub channel: &'static str,
    pub total_fee: i64,
    pub bill_no: &'a str,
    pub title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth_code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub openid: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub identity_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub analysis: Option<Analysis>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub return_url: Option<&'a str>,
    pub notify_url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bill_timeout: Option<u64>,
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub optional: Map<String, Value>,
    /// Fields from the allow-list of `map::extra`.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

/// What BeeCloud wants to know of the payer. It refuses keys that it does not know.
#[derive(Serialize)]
pub(crate) struct Analysis {
    pub ip: String,
}

/// A query by our number.
#[derive(Serialize)]
pub(crate) struct BillsQuery<'a> {
    pub bill_no: &'a str,
    /// The group; V1 asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<&'a str>,
}

/// Paid yet, at a till?
#[derive(Serialize)]
pub(crate) struct TillStatus<'a> {
    pub bill_no: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<&'a str>,
}

/// A revert; the number stands in the path.
#[derive(Serialize)]
pub(crate) struct Revert<'a> {
    pub channel: &'a str,
    pub method: &'static str,
}

/// The fields of an order's record that decide something.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct BillRow {
    /// The record's id; V1 has none. It decides nothing, so no form of it makes a record unreadable.
    #[serde(default, deserialize_with = "word")]
    pub id: Option<String>,
    /// The order's amount, fen.
    pub bill_fee: Option<i64>,
    /// The paid amount after a coupon, fen.
    pub total_fee: i64,
    /// What the coupon took off, fen.
    pub discount: Option<i64>,
    /// The channel's number, once paid. Like `id`.
    #[serde(default, deserialize_with = "word")]
    pub trade_no: Option<String>,
    /// Whether it is paid.
    pub spay_result: bool,
    /// Whether it was reverted.
    pub revert_result: Option<bool>,
}

/// Text that is shown and compared, never counted with.
fn word<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    Value::deserialize(from).map(|value| word_of(&value))
}

/// A non-empty text, or a whole number's digits: an independent provider may write a number where
/// BeeCloud writes its text.
fn word_of(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) if !number.is_f64() => Some(number.to_string()),
        _ => None,
    }
}

/// An answer whose `result_code` could be read.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    /// The number that decides.
    pub code: i64,
    /// Every field of the answer.
    pub fields: Map<String, Value>,
    /// The provider's clock, from the `Date` header.
    pub date: Option<Timestamp>,
}

impl Reply {
    /// A field that is a non-empty text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.fields.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// A field that is a non-empty text, or a whole number as its digits.
    pub(crate) fn word(&self, name: &str) -> Option<String> {
        self.fields.get(name).and_then(word_of)
    }

    /// A field that is true or false.
    pub(crate) fn flag(&self, name: &str) -> Option<bool> {
        self.fields.get(name).and_then(Value::as_bool)
    }

    /// Without what BeeCloud says of an error: it may repeat a field of the call.
    pub(crate) fn without_detail(mut self) -> Self {
        self.fields.remove("err_detail");
        self
    }

    /// BeeCloud's record id.
    pub(crate) fn id(&self) -> Option<String> {
        let good = |id: &&str| id.len() <= 64 && id.bytes().all(|b| b.is_ascii_graphic());
        self.text("id").filter(good).map(str::to_owned)
    }
}

/// Writes and signs a request. A GET carries its fields as one JSON object in `para`.
pub(crate) fn request<T: Serialize>(
    verb: Verb,
    path: &str,
    caller: Caller<'_>,
    call: &T,
) -> Result<WireRequest, serde_json::Error> {
    let timestamp = caller.timestamp.ms();
    let sign = sign::app_sign(caller.app_id, timestamp, caller.secret).to_hex();
    let signed = Signed { app_id: caller.app_id, timestamp, app_sign: sign.as_str(), call };
    let json = serde_json::to_string(&signed)?;
    let request = WireRequest::new(verb, path);
    Ok(match verb {
        Verb::Get => request.query(format!("para={}", utf8_percent_encode(&json, UNRESERVED))),
        _ => request.body(JSON, json),
    })
}

/// A text as one segment of a path.
pub(crate) fn segment(text: &str) -> String {
    utf8_percent_encode(text, UNRESERVED).to_string()
}

/// What may stand in a path or a query as it is.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Reads an answer. Whatever is not one JSON object with an integer `result_code` is not believed;
/// a 4xx is read, since the SDKs differ on it, but never as success.
pub(crate) fn read(response: &WireResponse) -> Result<Reply, ChannelError> {
    let status = response.status;
    if !(200..300).contains(&status) && !(400..500).contains(&status) {
        return Err(ChannelError::unknown(format!("BeeCloud answered HTTP {status}")));
    }
    let fields: Map<String, Value> = serde_json::from_slice(&response.body)
        .map_err(|_| ChannelError::unknown(format!("HTTP {status} with a body that is no JSON object")))?;
    let code = fields.get("result_code").and_then(Value::as_i64);
    let code = code.ok_or_else(|| ChannelError::unknown("the answer has no integer `result_code`"))?;
    if code == 0 && status >= 400 {
        return Err(ChannelError::unknown(format!("HTTP {status} with `result_code` 0")));
    }
    let date = response.headers.first("date").and_then(read_http_date);
    Ok(Reply { code, fields, date })
}

/// The subject as a `title`: without quotation marks, cut at a character border to what BeeCloud
/// takes; the order's number when nothing is left.
pub(crate) fn title(subject: &str, number: &str) -> String {
    let mut width = 0;
    let fits = |c: &char| {
        width += char_width(*c);
        width <= TITLE_WIDTH_MAX
    };
    let kept: String = subject.chars().filter(|c| !matches!(c, '\'' | '"')).take_while(fits).collect();
    let kept = kept.trim();
    if kept.is_empty() { number.to_owned() } else { kept.to_owned() }
}

/// How much a character counts in a `title`.
pub(crate) fn char_width(c: char) -> usize {
    if c.is_ascii() { 1 } else { 2 }
}

/// Reads a `Date` header in the form that HTTP demands today: `Sun, 06 Nov 1994 08:49:37 GMT`.
fn read_http_date(text: &str) -> Option<Timestamp> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let rest = text.trim().split_once(", ")?.1.strip_suffix(" GMT")?;
    let [day, month, year, time] = words(rest, ' ')?;
    let [hour, minute, second] = words(time, ':')?;
    let month = MONTHS.iter().position(|name| *name == month)? + 1;
    let rfc = format!("{year}-{month:02}-{day}T{hour}:{minute}:{second}Z");
    rfc.parse().ok()
}

fn words<const N: usize>(text: &str, separator: char) -> Option<[&str; N]> {
    text.split(separator).collect::<Vec<_>>().try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_fit_thirty_two_bytes_of_gbk() {
        check("Tea", "Tea");
        check(&"a".repeat(33), &"a".repeat(32));
        check(&"茶".repeat(16), &"茶".repeat(16));
        check(&"茶".repeat(17), &"茶".repeat(16));
        check(&format!("a{}", "茶".repeat(16)), &format!("a{}", "茶".repeat(15)));
        check("😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀", &"😀".repeat(16));
        check("O'Neill \"best\" tea", "ONeill best tea");
        check("'\"", "N1");
        check(&format!("{} x", "a".repeat(31)), &"a".repeat(31));

        #[track_caller]
        fn check(subject: &str, want: &str) {
            assert_eq!(title(subject, "N1"), want, "{subject}");
        }
    }

    #[test]
    fn reads_the_date_header() {
        check("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777_000));
        check("Fri, 01 Mar 2024 00:00:00 GMT", Some(1_709_251_200_000));
        for bad in [
            "",
            "GMT",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 06 Now 1994 08:49:37 GMT",
            "Sun, 99 Nov 1994 08:49:37 GMT",
            "1994-11-06T08:49:37Z",
            "Sun, 06 Nov 1994 08:49 GMT",
        ] {
            check(bad, None);
        }

        #[track_caller]
        fn check(text: &str, want: Option<i64>) {
            assert_eq!(read_http_date(text).map(Timestamp::ms), want, "{text}");
        }
    }

    #[test]
    fn only_a_whole_answer_is_read() {
        check(200, r#"{"result_code":0}"#, Some(0));
        check(200, r#"{"result_code":7,"result_msg":"x"}"#, Some(7));
        check(403, r#"{"result_code":1}"#, Some(1));
        check(403, r#"{"result_code":0}"#, None);
        check(500, r#"{"result_code":0}"#, None);
        check(502, r#"{"result_code":5}"#, None);
        check(302, r#"{"result_code":5}"#, None);
        check(200, r#"{"result_code":"0"}"#, None);
        check(200, r#"{"result_code":0.0}"#, None);
        check(200, r#"{"result_code":null}"#, None);
        check(200, "{}", None);
        check(200, "[]", None);
        check(200, "", None);
        check(200, "<html>502</html>", None);
        check(200, r#"{"result_code":0"#, None);
        check(200, r#"{"result_code":0}x"#, None);

        #[track_caller]
        fn check(status: u16, body: &'static str, want: Option<i64>) {
            let response = WireResponse::with_status(status, JSON, body);
            assert_eq!(read(&response).ok().map(|reply| reply.code), want, "{status} {body}");
        }
    }
}
