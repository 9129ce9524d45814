//! What is told of a request is held against the code that reads it: its fields, which of them may be left out, and
//! every bound on both of its sides.

use paymux_core::payment::request::InvalidField;
use serde_json::{Map, Value, json};

use super::schema::{Field, Kind, Object};
use crate::json::Shape;

/// Holds the form of `T` against `T` itself and against what is checked of it.
#[track_caller]
pub(crate) fn request<T: Shape>(check: impl Fn(T) -> Result<(), InvalidField>) {
    let (object, sample) = (T::object(), T::sample().unwrap());
    let read = |body: &Value| -> Result<(), Fault> {
        let request: T =
            serde_json::from_value(body.clone()).map_err(|error| Fault::Unread(error.to_string()))?;
        check(request).map_err(|fault| Fault::Broken(fault.param))
    };
    read(&sample).unwrap_or_else(|fault| panic!("the example of {} is refused: {fault:?}", object.name));
    assert_eq!(known::<T>(), names(&object), "the fields of {}", object.name);
    let place = Place { read: &read, sample: &sample, path: Vec::new() };
    place.object(&object);
}

/// Why a body is not taken.
#[derive(Debug, PartialEq)]
enum Fault {
    /// It does not fit the type.
    Unread(String),
    /// That field breaks its rule.
    Broken(String),
}

/// The fields that the type knows: whoever sends another one is told them.
fn known<T: Shape>() -> Vec<String> {
    let error = serde_json::from_value::<T>(json!({"?": 0})).err().unwrap().to_string();
    assert!(error.starts_with("unknown field `?`"), "{error}");
    let mut known: Vec<String> = error.split('`').skip(3).step_by(2).map(str::to_owned).collect();
    known.sort();
    known
}

fn names(object: &Object) -> Vec<String> {
    let mut names: Vec<String> = object.fields.iter().map(|field| field.name.to_owned()).collect();
    names.sort();
    names
}

/// An object in a body, by the keys that lead to it.
struct Place<'a> {
    read: &'a dyn Fn(&Value) -> Result<(), Fault>,
    sample: &'a Value,
    path: Vec<&'static str>,
}

impl Place<'_> {
    #[track_caller]
    fn object(&self, object: &Object) {
        for field in &object.fields {
            self.presence(field);
            match &field.kind {
                Kind::Leaf(schema) => self.leaf(field.name, schema),
                Kind::Of(inner) => {
                    let path = [&self.path[..], &[field.name][..]].concat();
                    Place { read: self.read, sample: self.sample, path }.object(&inner());
                }
                other => panic!("no request has a field of this kind: {other:?}"),
            }
        }
    }

    /// Whether a field may be missing, and whether it may be null.
    #[track_caller]
    fn presence(&self, field: &Field) {
        let without = (self.read)(&self.with(field.name, None));
        assert_eq!(without.is_ok(), !field.is_required, "{} is missing: {without:?}", self.param(field.name));
        let null = (self.read)(&self.with(field.name, Some(Value::Null)));
        assert_eq!(null.is_ok(), field.is_nullable, "{} is null: {null:?}", self.param(field.name));
    }

    #[track_caller]
    fn leaf(&self, name: &str, schema: &Value) {
        if let Some(words) = schema.get("enum").and_then(Value::as_array) {
            for word in words {
                self.takes(name, word.clone());
            }
            self.refuses(name, json!("no-such-word"));
        }
        for (bound, step) in [("minimum", -1), ("maximum", 1)] {
            if let Some(bound) = schema.get(bound).and_then(Value::as_i64) {
                self.takes(name, json!(bound));
                self.refuses(name, json!(bound + step));
            }
        }
        for (length, is_good) in lengths(schema, "minLength", "maxLength") {
            self.tries(name, text_of(schema, length).into(), is_good);
        }
        self.entries(name, schema);
        if let Some(pattern) = schema.get("pattern").and_then(Value::as_str) {
            self.characters(name, pattern);
        }
        if schema.get("anyOf").is_some() || schema.get("format").is_some() {
            self.refuses(name, json!("?"));
        }
    }

    /// Objects with free keys: how many there may be, and how long their values.
    #[track_caller]
    fn entries(&self, name: &str, schema: &Value) {
        let Some(values) = schema.get("additionalProperties") else { return };
        let value = if values.get("type").is_some() { json!("a") } else { json!(1) };
        for (count, is_good) in lengths(schema, "minProperties", "maxProperties") {
            let map: Map<String, Value> = (0..count).map(|n| (format!("k{n}"), value.clone())).collect();
            self.tries(name, map.into(), is_good);
        }
        for (length, is_good) in lengths(values, "minLength", "maxLength") {
            self.tries(name, json!({"k": text_of(values, length)}), is_good);
        }
        if let Some(keys) = schema.get("propertyNames") {
            self.refuses(name, json!({"é": value}));
            let longest = longest(keys["pattern"].as_str().unwrap());
            self.takes(name, json!({"k".repeat(longest): value}));
            self.refuses(name, json!({"k".repeat(longest + 1): value}));
        }
    }

    /// Of a class such as `[A-Za-z0-9_-]{1,64}`: every printable character of ASCII, in the class and outside of it.
    #[track_caller]
    fn characters(&self, name: &str, pattern: &str) {
        let class = pattern.strip_prefix("^[").and_then(|rest| rest.split_once("]{1,"));
        let Some((class, _)) = class.filter(|(class, _)| !class.contains(']')) else {
            // A form of several parts: what is no text of it at all is refused.
            return self.refuses(name, json!("\u{1}"));
        };
        for letter in (0x20..0x7f_u8).map(char::from) {
            self.tries(name, letter.to_string().into(), is_of(class, letter));
        }
        self.refuses(name, json!("é"));
    }

    #[track_caller]
    fn takes(&self, name: &str, value: Value) {
        self.tries(name, value, true);
    }

    #[track_caller]
    fn refuses(&self, name: &str, value: Value) {
        self.tries(name, value, false);
    }

    /// Whether this field is taken so, whatever another field that it goes with then lacks.
    #[track_caller]
    fn tries(&self, name: &str, value: Value, is_good: bool) {
        let param = self.param(name);
        let told = value.to_string().chars().take(100).collect::<String>();
        let fault = (self.read)(&self.with(name, Some(value))).err();
        let is_its_own = match &fault {
            None => false,
            Some(Fault::Unread(_)) => true,
            Some(Fault::Broken(broken)) => *broken == param || broken.starts_with(&format!("{param}.")),
        };
        assert_eq!(is_its_own, !is_good, "`{param}` as {told}: {fault:?}");
    }

    /// The sample with that field set, or without it.
    fn with(&self, name: &str, value: Option<Value>) -> Value {
        let mut body = self.sample.clone();
        let mut object = &mut body;
        for key in &self.path {
            if object[*key].is_null() {
                object[*key] = json!({});
            }
            object = &mut object[*key];
        }
        match value {
            Some(value) => object[name] = value,
            None => drop(object.as_object_mut().unwrap().remove(name)),
        }
        body
    }

    fn param(&self, name: &str) -> String {
        self.path.iter().copied().chain([name]).collect::<Vec<_>>().join(".")
    }
}

/// Both bounds and one step outside of each; a length below nothing is none.
fn lengths(schema: &Value, least: &str, most: &str) -> Vec<(usize, bool)> {
    let bound = |name| schema.get(name).and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
    let mut lengths = Vec::new();
    if let Some(least) = bound(least) {
        lengths.push((least, true));
        lengths.extend(least.checked_sub(1).map(|less| (less, false)));
    }
    if let Some(most) = bound(most) {
        lengths.extend([(most, true), (most + 1, false)]);
    }
    lengths
}

/// A text of that length which breaks no other rule; an address cannot be shorter than its own form.
fn text_of(schema: &Value, length: usize) -> String {
    let begin = if schema.get("format").is_some() { "https://a.example/" } else { "" };
    if length == 0 {
        String::new()
    } else {
        format!("{begin}{}", "a".repeat(length.saturating_sub(begin.len())))
    }
}

/// The second bound of `{1,40}`.
fn longest(pattern: &str) -> usize {
    pattern.split("{1,").nth(1).and_then(|rest| rest.split('}').next()).unwrap().parse().unwrap()
}

/// Whether a class such as `A-Za-z0-9_-` has that letter.
fn is_of(class: &str, letter: char) -> bool {
    let mut rest: Vec<char> = class.chars().collect();
    while !rest.is_empty() {
        let (first, last, taken) = match rest[..] {
            [first, '-', last, ..] => (first, last, 3),
            [only, ..] => (only, only, 1),
            [] => return false,
        };
        if (first..=last).contains(&letter) {
            return true;
        }
        rest.drain(..taken);
    }
    false
}

#[test]
fn classes_are_read_as_they_are_written() {
    for good in "aZ09_-".chars() {
        assert!(is_of("A-Za-z0-9_-", good), "{good}");
    }
    for bad in "@[`{ .".chars() {
        assert!(!is_of("A-Za-z0-9_-", bad), "{bad}");
    }
    assert!(is_of("!-~", '-') && !is_of("!-~", ' '));
}
