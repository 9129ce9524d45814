//! Reading a JSON body strictly: one object, no deeper than the limit, no key twice, no number that
//! is not whole, nothing unknown, nothing after it. What is wrong is named by its path.
//!
//! The body is walked once before it is read into its type, since serde alone would take a list
//! for an object, and the last of two equal keys of a map.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt;

use http::{HeaderMap, header};
use paymux_core::payment::PaymentRequest;
use paymux_core::payment::request::InvalidField;
use serde::Deserialize;
use serde::de::{DeserializeOwned, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_path_to_error::{Path, Segment};

use crate::limits::JSON_DEPTH;
use crate::openapi::Described;
use crate::problem::Problem;

/// Said of a number that could not be kept as it is written.
const NOT_KEPT: &str = "a number must be a whole number of at most 19 digits, without decimals or exponent";

/// The longest path or name that is said back, in characters.
const ECHO_CHARS: usize = 120;

/// A type that a body is read into.
pub(crate) trait Shape: DeserializeOwned + Described {
    /// The fields whose content is free: lists may stand there, and nowhere else.
    const FREE: &'static [&'static str];
}

impl Shape for PaymentRequest {
    const FREE: &'static [&'static str] = &["extra"];
}

/// The body of a request that needs none: nothing, or an empty object.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// Reads a body that must be there.
pub(crate) fn read<T: Shape>(headers: &HeaderMap, body: &[u8]) -> Result<T, Problem> {
    read_as(headers, body, T::FREE)
}

fn read_as<T: DeserializeOwned>(
    headers: &HeaderMap,
    body: &[u8],
    free: &'static [&'static str],
) -> Result<T, Problem> {
    check_media_type(headers)?;
    let text = std::str::from_utf8(body).map_err(|error| {
        Problem::invalid(format!("the body is not UTF-8: byte {} fits no character", error.valid_up_to()))
    })?;
    walk(text, free)?;
    let mut reader = serde_json::Deserializer::from_str(text);
    serde_path_to_error::deserialize(&mut reader)
        .map_err(|error| Problem::from(fault_of(error.path(), &error.inner().to_string())))
}

/// Reads a body that has nothing to say.
pub(crate) fn read_nothing(headers: &HeaderMap, body: &[u8]) -> Result<(), Problem> {
    if body.is_empty() {
        return Ok(());
    }
    read_as(headers, body, &[]).map(|Nothing {}| ())
}

fn check_media_type(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    let mut words = text(header::CONTENT_TYPE).unwrap_or_default().split(';').map(str::trim);
    if !words.next().is_some_and(|word| word.eq_ignore_ascii_case("application/json")) {
        return Err(Problem::invalid("the body must be JSON: send `content-type: application/json`"));
    }
    if words.any(names_other_charset) {
        return Err(Problem::invalid("the body must be UTF-8: leave `charset` out of `content-type`"));
    }
    if text(header::CONTENT_ENCODING).is_some_and(|word| !word.eq_ignore_ascii_case("identity")) {
        return Err(Problem::invalid("the body must not be compressed: leave `content-encoding` out"));
    }
    Ok(())
}

/// JSON is UTF-8 (RFC 8259, section 8.1). Who says otherwise might send bytes that mean one text there and another
/// here.
fn names_other_charset(parameter: &str) -> bool {
    let charset = parameter.split_once('=').filter(|(name, _)| name.trim().eq_ignore_ascii_case("charset"));
    charset.is_some_and(|(_, value)| !value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8"))
}

/// What is wrong, and with which field; `None` where it is the body as a whole.
struct Fault {
    param: Option<String>,
    rule: String,
}

impl Fault {
    fn at(path: &str, rule: impl Into<String>) -> Self {
        Self { param: (!path.is_empty()).then(|| cut(path)), rule: rule.into() }
    }
}

impl From<Fault> for Problem {
    fn from(fault: Fault) -> Self {
        match fault.param {
            Some(param) => Self::invalid_field(InvalidField::new(param, fault.rule)),
            None => Self::invalid(fault.rule),
        }
    }
}

/// Goes through the whole text and looks at what serde lets pass.
fn walk(text: &str, free: &'static [&'static str]) -> Result<(), Problem> {
    let fault = RefCell::new(None);
    let root = Place { parent: None, step: Step::Root };
    let mut reader = serde_json::Deserializer::from_str(text);
    let walked = Walk { place: &root, depth: 0, free, fault: &fault }.deserialize(&mut reader);
    match walked.and_then(|()| reader.end()) {
        Ok(()) => Ok(()),
        Err(error) => Err(fault.take().map_or_else(|| not_json(&error), Problem::from)),
    }
}

fn not_json(error: &serde_json::Error) -> Problem {
    Problem::invalid(format!("the body is not one JSON object: {error}"))
}

/// A value's place in the body. A chain instead of a text: only a fault is written down.
struct Place<'a> {
    parent: Option<&'a Place<'a>>,
    step: Step<'a>,
}

enum Step<'a> {
    Root,
    Key(&'a str),
    Index(usize),
}

impl Place<'_> {
    fn path(&self) -> String {
        let above = self.parent.map(Place::path).unwrap_or_default();
        match self.step {
            Step::Root => above,
            Step::Key(key) => joined(&above, key),
            Step::Index(index) => format!("{above}[{index}]"),
        }
    }

    /// The field of the body that this is or stands in.
    fn field(&self) -> Option<&str> {
        match (self.parent, &self.step) {
            (Some(Place { parent: None, .. }), Step::Key(key)) => Some(key),
            (parent, _) => parent.and_then(Place::field),
        }
    }
}

fn joined(above: &str, key: &str) -> String {
    if above.is_empty() { key.to_owned() } else { format!("{above}.{key}") }
}

struct Walk<'a> {
    place: &'a Place<'a>,
    depth: usize,
    free: &'static [&'static str],
    fault: &'a RefCell<Option<Fault>>,
}

impl Walk<'_> {
    fn inside<'b>(&'b self, place: &'b Place<'b>) -> Walk<'b> {
        Walk { place, depth: self.depth + 1, free: self.free, fault: self.fault }
    }

    /// Notes what is wrong and stops; the error itself is only the way out.
    fn stop<E: serde::de::Error>(&self, path: &str, rule: impl Into<String>) -> E {
        *self.fault.borrow_mut() = Some(Fault::at(path, rule));
        E::custom("stopped")
    }

    /// Numbers that are not whole, or too long to be kept exactly, have no visit below, so that none
    /// is ever rounded. serde then complains of them without saying where: here it is known.
    fn placed<E: serde::de::Error>(&self, place: &Place<'_>, error: E) -> E {
        if self.fault.borrow().is_none() && error.to_string().starts_with("invalid type: floating point") {
            return self.stop(&place.path(), NOT_KEPT);
        }
        error
    }

    fn check_depth<E: serde::de::Error>(&self) -> Result<(), E> {
        if self.depth < JSON_DEPTH {
            return Ok(());
        }
        Err(self.stop("", format!("the body is nested deeper than {JSON_DEPTH} levels")))
    }

    fn check_list<E: serde::de::Error>(&self) -> Result<(), E> {
        match self.place.field() {
            None => Err(self.not_an_object()),
            Some(field) if self.free.contains(&field) => Ok(()),
            Some(_) => Err(self.stop(&self.place.path(), "must not be a list")),
        }
    }

    fn plain<E: serde::de::Error>(&self) -> Result<(), E> {
        if self.depth == 0 { Err(self.not_an_object()) } else { Ok(()) }
    }

    fn not_an_object<E: serde::de::Error>(&self) -> E {
        self.stop("", "the body must be a JSON object, like {\"order_no\": \"A1001\"}")
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<(), E> {
        self.plain()
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<(), E> {
        self.plain()
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<(), E> {
        self.plain()
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<(), E> {
        self.plain()
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.plain()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        self.check_depth()?;
        self.check_list()?;
        for index in 0.. {
            let place = Place { parent: Some(self.place), step: Step::Index(index) };
            let element = list.next_element_seed(self.inside(&place));
            if element.map_err(|error| self.placed(&place, error))?.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<(), A::Error> {
        self.check_depth()?;
        let mut seen = BTreeSet::new();
        while let Some(key) = object.next_key::<String>()? {
            let place = Place { parent: Some(self.place), step: Step::Key(&key) };
            if seen.contains(&key) {
                return Err(self.stop(&place.path(), "stands there twice; write each key once"));
            }
            let value = object.next_value_seed(self.inside(&place));
            value.map_err(|error| self.placed(&place, error))?;
            seen.insert(key);
        }
        Ok(())
    }
}

/// Turns serde's words into ours. The rows of the tests pin its wording.
fn fault_of(path: &Path, message: &str) -> Fault {
    let message = message.rsplit_once(" at line ").map_or(message, |(text, _place)| text);
    let above = written(path);
    if let Some(rest) = message.strip_prefix("missing field ") {
        return Fault::at(&joined(&above, unquoted(rest)), "is missing");
    }
    if let Some(rest) = message.strip_prefix("unknown field ") {
        let name = unquoted(rest);
        let path = if ends_with(&above, name) { above } else { joined(&above, name) };
        return Fault::at(&path, unknown_rule(rest));
    }
    match message.rsplit_once(", expected ") {
        Some((_given, expected)) => Fault::at(&above, format!("must be {}", friendly(expected))),
        None => Fault::at(&above, message),
    }
}

fn written(path: &Path) -> String {
    path.iter().fold(String::new(), |above, segment| match segment {
        Segment::Map { key } => joined(&above, key),
        Segment::Seq { index } => format!("{above}[{index}]"),
        Segment::Enum { .. } | Segment::Unknown => above,
    })
}

fn ends_with(path: &str, name: &str) -> bool {
    path.strip_suffix(name).is_some_and(|above| above.is_empty() || above.ends_with('.'))
}

/// The name between the first two backticks.
fn unquoted(text: &str) -> &str {
    text.split('`').nth(1).unwrap_or(text)
}

/// The message of an unknown field lists the known ones in backticks after the first.
fn unknown_rule(text: &str) -> String {
    let known: Vec<&str> = text.split('`').skip(3).step_by(2).collect();
    if known.is_empty() {
        return "unknown field; this request has none".to_owned();
    }
    format!("unknown field; known: {}", known.join(", "))
}

/// What serde expected, for a person.
fn friendly(expected: &str) -> String {
    match expected {
        "i64" => "a whole number, like 1999, without quotes or decimals".to_owned(),
        "u32" => {
            "a whole number, not negative and of at most 9 digits, without quotes or decimals".to_owned()
        }
        "a string" => "a text in quotes".to_owned(),
        "a map" => "an object".to_owned(),
        other if other.starts_with("struct ") => "an object".to_owned(),
        other => other.to_owned(),
    }
}

fn cut(text: &str) -> String {
    match text.char_indices().nth(ECHO_CHARS) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
