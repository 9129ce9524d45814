//! Reading a query: each key known, written once, with a value.

use http::Uri;
use paymux_core::payment::request::InvalidField;
use percent_encoding::percent_decode_str;

/// A query's pairs, decoded.
#[derive(Debug)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// Reads the query of `uri`, in which only `known` keys may stand.
    pub(crate) fn read(uri: &Uri, known: &[&str]) -> Result<Self, InvalidField> {
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

    /// Refuses any query.
    pub(crate) fn none(uri: &Uri) -> Result<(), InvalidField> {
        Self::read(uri, &[]).map(|_empty| ())
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

fn check_key(key: &str, known: &[&str], before: &[(String, String)]) -> Result<(), InvalidField> {
    let name: String = key.chars().take(80).collect();
    if !known.contains(&key) {
        let rule = if known.is_empty() {
            "unknown query key; this path takes none".to_owned()
        } else {
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
