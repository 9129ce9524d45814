//! Between JSON, which the core keeps provider fields in, and protobuf's own form of it.
//!
//! There every number is a binary fraction: what is exact up to 2^53 and no more. Money never travels so.

use std::collections::BTreeMap;

use paymux_core::payment::request::InvalidField;
use prost_types::value::Kind;
use prost_types::{ListValue, Struct, Value};
use serde_json::Value as Json;

/// The largest whole number that such a number holds exactly: 2^53.
const EXACT_MAX: u64 = 1 << 53;
/// How deep lists and objects may stand in each other.
const DEPTH_MAX: usize = 32;

/// The fields of an object; none where it is absent.
pub(crate) fn fields(param: &str, object: Option<Struct>) -> Result<BTreeMap<String, Json>, InvalidField> {
    let fields = object.unwrap_or_default().fields;
    fields
        .into_iter()
        .map(|(name, value)| Ok((name.clone(), read(&format!("{param}.{name}"), value, 1)?)))
        .collect()
}

fn read(path: &str, value: Value, depth: usize) -> Result<Json, InvalidField> {
    if depth > DEPTH_MAX {
        return Err(InvalidField::new(path, format!("is nested deeper than {DEPTH_MAX} levels")));
    }
    Ok(match value.kind {
        None | Some(Kind::NullValue(_)) => Json::Null,
        Some(Kind::BoolValue(flag)) => Json::Bool(flag),
        Some(Kind::StringValue(text)) => Json::String(text),
        // Written down, a whole number has nothing but digits.
        Some(Kind::NumberValue(number)) => Json::from(whole(path, &number.to_string())?),
        Some(Kind::ListValue(list)) => {
            let each = list.values.into_iter().enumerate();
            let each = each.map(|(index, value)| read(&format!("{path}[{index}]"), value, depth + 1));
            Json::Array(each.collect::<Result<_, _>>()?)
        }
        Some(Kind::StructValue(object)) => {
            let each = object.fields.into_iter().map(|(name, value)| {
                let value = read(&format!("{path}.{name}"), value, depth + 1)?;
                Ok((name, value))
            });
            Json::Object(each.collect::<Result<_, _>>()?)
        }
    })
}

fn whole(path: &str, digits: &str) -> Result<i64, InvalidField> {
    let number = digits.parse::<i64>().ok().filter(|number| number.unsigned_abs() <= EXACT_MAX);
    number.ok_or_else(|| {
        InvalidField::new(path, "a number must be whole and at most 2^53; write others as text")
    })
}

/// The same value for a client. A whole number that would not be exact is told as text.
pub(crate) fn value(json: &Json) -> Value {
    let kind = match json {
        Json::Null => Kind::NullValue(0),
        Json::Bool(flag) => Kind::BoolValue(*flag),
        Json::String(text) => Kind::StringValue(text.clone()),
        Json::Number(number) => number_kind(number),
        Json::Array(list) => Kind::ListValue(ListValue { values: list.iter().map(value).collect() }),
        Json::Object(object) => {
            let fields = object.iter().map(|(name, json)| (name.clone(), value(json))).collect();
            Kind::StructValue(Struct { fields })
        }
    };
    Value { kind: Some(kind) }
}

fn number_kind(number: &serde_json::Number) -> Kind {
    let size = number.as_i64().map(i64::unsigned_abs).or(number.as_u64());
    match (size, number.as_f64()) {
        (Some(size), _) if size > EXACT_MAX => Kind::StringValue(number.to_string()),
        (_, Some(fraction)) => Kind::NumberValue(fraction),
        (_, None) => Kind::StringValue(number.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(json: &Json) -> Option<Struct> {
        match value(json).kind {
            Some(Kind::StructValue(object)) => Some(object),
            _ => None,
        }
    }

    #[test]
    fn what_is_exact_comes_back_the_same() {
        let json = json!({
            "a": null, "b": true, "c": "1.5", "d": [1, -2, {"e": 0}], "f": 9_007_199_254_740_992_i64, "g": {},
        });
        let back = fields("extra", object(&json)).unwrap();
        assert_eq!(Json::Object(back.into_iter().collect()), json);
        assert_eq!(fields("extra", None), Ok(BTreeMap::new()));
    }

    #[test]
    fn a_number_that_is_not_exact_is_refused_by_its_place() {
        check(json!({"a": 1.5}), "extra.a");
        check(json!({"a": {"b": [1, 0.1]}}), "extra.a.b[1]");
        check(json!({"a": 1e300}), "extra.a");

        #[track_caller]
        fn check(json: Json, param: &str) {
            assert_eq!(fields("extra", object(&json)).unwrap_err().param, param, "{json}");
        }
    }

    #[test]
    fn a_large_number_is_told_as_text() {
        let told = value(&json!(9_007_199_254_740_993_i64));
        assert_eq!(told.kind, Some(Kind::StringValue("9007199254740993".to_owned())));
    }

    #[test]
    fn depth_has_a_limit() {
        let mut json = json!(1);
        for _ in 0..DEPTH_MAX {
            json = json!([json]);
        }
        assert!(fields("extra", object(&json!({"a": json}))).is_err());
    }
}
