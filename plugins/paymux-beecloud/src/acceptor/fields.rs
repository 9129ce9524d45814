//! A call's fields as they came: presence, type and form, with BeeCloud's code for what is wrong.
//!
//! Which fields a call has lives in `acceptor`.

use paymux_core::{Verb, WireRequest};
use serde_json::{Map, Value};

use crate::map::extra::Form;

/// The longest query that is read, in bytes (8 KiB).
const QUERY_BYTES_MAX: usize = 8192;
/// The longest body that is read, in bytes (64 KiB).
const BODY_BYTES_MAX: usize = 65_536;
/// Keys that some SDKs send along and nobody may keep.
const SECRETS: [&str; 5] = ["app_secret", "app_key", "master_secret", "test_secret", "toSign"];

/// Why a call is not taken, in BeeCloud's words.
#[derive(Debug)]
pub(super) struct Fault {
    /// `result_code`
    pub code: i64,
    /// `err_detail`
    pub detail: String,
}

impl Fault {
    pub(super) fn new(code: i64, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into() }
    }

    /// Code 4.
    pub(super) fn missing(name: &str) -> Self {
        Self::new(4, format!("{name} is missing"))
    }

    /// Code 5.
    pub(super) fn invalid(name: &str, rule: &str) -> Self {
        Self::new(5, format!("{name}: {rule}"))
    }
}

/// The fields of one call. `null` counts as absent: some SDKs send what is not set.
pub(super) struct Fields(Map<String, Value>);

impl Fields {
    /// The one JSON object of a call: the body, or `para` of a GET.
    pub(super) fn parse(request: &WireRequest) -> Result<Self, Fault> {
        let mut fields: Map<String, Value> = match request.verb {
            Verb::Get => {
                if request.query.as_ref().is_some_and(|query| query.len() > QUERY_BYTES_MAX) {
                    return Err(Fault::invalid("para", "at most 8192 bytes"));
                }
                let para = request.query_value("para").ok_or_else(|| Fault::missing("para"))?;
                serde_json::from_str(&para).map_err(|_| Fault::invalid("para", "must be one JSON object"))?
            }
            _ if request.body.len() > BODY_BYTES_MAX => {
                return Err(Fault::invalid("body", "at most 65536 bytes"));
            }
            _ => serde_json::from_slice(&request.body)
                .map_err(|_| Fault::invalid("body", "must be one JSON object in UTF-8"))?,
        };
        fields.retain(|name, value| !value.is_null() && !SECRETS.contains(&name.as_str()));
        Ok(Self(fields))
    }

    /// The fields of a map inside a call.
    pub(super) fn of(map: &Map<String, Value>) -> Self {
        let there = map.iter().filter(|(_, value)| !value.is_null());
        Self(there.map(|(name, value)| (name.clone(), value.clone())).collect())
    }

    /// The field, if it is there.
    pub(super) fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// The field, which must be there: neither empty nor the text `null`.
    pub(super) fn required(&self, name: &str) -> Result<&Value, Fault> {
        let there = |value: &&Value| !matches!(value.as_str(), Some("" | "null"));
        self.value(name).filter(there).ok_or_else(|| Fault::missing(name))
    }

    /// A text that must be there.
    pub(super) fn required_text(&self, name: &str) -> Result<&str, Fault> {
        self.required(name)?.as_str().ok_or_else(|| Fault::invalid(name, "must be a String"))
    }

    /// An integer that must be there.
    pub(super) fn required_integer(&self, name: &str) -> Result<i64, Fault> {
        let value = self.required(name)?;
        value.as_i64().ok_or_else(|| Fault::invalid(name, "must be an Integer"))
    }

    /// A text; an empty one counts as absent.
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, Fault> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
            Some(_) => Err(Fault::invalid(name, "must be a String")),
        }
    }

    /// A text of at most so many characters.
    pub(super) fn short_text(&self, name: &str, max: usize) -> Result<Option<&str>, Fault> {
        match self.text(name)? {
            Some(text) if text.chars().count() > max => {
                Err(Fault::invalid(name, &format!("at most {max} characters")))
            }
            text => Ok(text),
        }
    }

    /// An integer of at least `min`.
    pub(super) fn integer(&self, name: &str, min: i64) -> Result<Option<i64>, Fault> {
        let Some(value) = self.value(name) else { return Ok(None) };
        let number = value.as_i64().filter(|number| *number >= min);
        number.map(Some).ok_or_else(|| Fault::invalid(name, &format!("must be an Integer of at least {min}")))
    }

    /// A flag.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Fault> {
        let Some(value) = self.value(name) else { return Ok(None) };
        value.as_bool().map(Some).ok_or_else(|| Fault::invalid(name, "must be a Boolean"))
    }

    /// A map.
    pub(super) fn map(&self, name: &str) -> Result<Option<&Map<String, Value>>, Fault> {
        let Some(value) = self.value(name) else { return Ok(None) };
        value.as_object().map(Some).ok_or_else(|| Fault::invalid(name, "must be a Map"))
    }

    /// A field of that form.
    pub(super) fn formed(&self, name: &str, form: Form) -> Result<Option<&Value>, Fault> {
        let Some(value) = self.value(name).filter(|value| value.as_str() != Some("")) else {
            return Ok(None);
        };
        form.check(value).map_err(|rule| Fault::invalid(name, &rule))?;
        Ok(Some(value))
    }
}
