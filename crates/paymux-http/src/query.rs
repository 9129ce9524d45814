//! Reading a query: each key known, written once, with a value.

use std::fmt::Display;
use std::str::FromStr;

use http::Uri;
use paymux_core::Timestamp;
use paymux_core::payment::request::InvalidField;
use percent_encoding::percent_decode_str;

use crate::openapi::Param;

/// A query's pairs, decoded.
#[derive(Debug)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads the query of `uri`, in which only `known` keys may stand: those that the operation tells of.
    pub(crate) fn read(uri: &Uri, known: &[Param]) -> Result<Self, InvalidField> {
        let mut pairs: Vec<(String, String)> = Vec::new();
        for pair in uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            let key = decoded(key).unwrap_or_else(|| key.to_owned());
            check_key(&key, known, &pairs)?;
            let value = decoded(value)
                .ok_or_else(|| InvalidField::new(key.clone(), "is not UTF-8 in percent-encoding"))?;
            if value.is_empty() {
                return Err(InvalidField::new(key, "is empty; give a value or leave the key out"));
            }
            pairs.push((key, value));
        }
        Ok(Self(pairs))
    }

    /// The value of that key, as `read` understands it.
    pub(crate) fn value<T>(
        &self,
        key: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, InvalidField> {
        let Some((_, value)) = self.0.iter().find(|(name, _)| name == key) else { return Ok(None) };
        read(value).map(Some).map_err(|rule| InvalidField::new(key, rule))
    }
}

/// Reads a word of a closed set; one that is unknown is told the known ones.
pub(crate) fn one_of<T: Copy>(all: &[T], word: impl Fn(T) -> &'static str, text: &str) -> Result<T, String> {
    let found = all.iter().copied().find(|item| word(*item) == text);
    let known = || all.iter().map(|item| word(*item)).collect::<Vec<_>>().join(", ");
    found.ok_or_else(|| format!("unknown word; known: {}", known()))
}

/// Reads an id.
pub(crate) fn id<T: FromStr>(text: &str) -> Result<T, String>
where
    T::Err: Display,
{
    text.parse().map_err(|error: T::Err| error.to_string())
}

/// Reads a moment.
pub(crate) fn moment(text: &str) -> Result<Timestamp, String> {
    let rule = "write RFC 3339, like 2024-03-01T00:00:00Z; a `+` must be written %2B";
    text.parse().map_err(|_| rule.to_owned())
}

fn check_key(key: &str, known: &[Param], before: &[(String, String)]) -> Result<(), InvalidField> {
    let name: String = key.chars().take(80).collect();
    if !known.iter().any(|param| param.name == key) {
        let rule = if known.is_empty() {
            "unknown query key; this path takes none".to_owned()
        } else {
            let known: Vec<&str> = known.iter().map(|param| param.name).collect();
            format!("unknown query key; known: {}", known.join(", "))
        };
        return Err(InvalidField::new(name, rule));
    }
    if before.iter().any(|(earlier, _)| earlier == key) {
        return Err(InvalidField::new(name, "stands there twice; write each key once"));
    }
    Ok(())
}

/// Percent-decoded, `+` read as a blank.
fn decoded(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}
