//! The environment of the process, read once and handed down: overrides of configuration
//! (`PAYMUX__SECTION__KEY`) and the secrets that `{ env = ".." }` names. Nothing else reads it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;

/// What the names of overrides begin with. Between section and key stands the same `__`.
pub const PREFIX: &str = "PAYMUX__";

/// Names and values. `Debug` shows names only: secrets stand here.
#[derive(Clone, Default)]
pub struct Environment(BTreeMap<String, OsString>);

impl Environment {
    /// The environment that this process was started with. Names that are no Unicode are left out:
    /// none of ours is like that.
    pub fn of_process() -> Self {
        let unicode = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value));
        Self(std::env::vars_os().filter_map(unicode).collect())
    }

    /// These names and values.
    pub fn from_pairs<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        Self(pairs.into_iter().map(|(name, value)| (name.to_owned(), value.into())).collect())
    }

    /// The value of that name.
    ///
    /// # Errors
    /// The rule that is broken: it is not set, or not Unicode.
    pub fn text(&self, name: &str) -> Result<&str, String> {
        let value = self.0.get(name).ok_or_else(|| format!("environment variable `{name}` is not set"))?;
        value.to_str().ok_or_else(|| format!("environment variable `{name}` is not Unicode"))
    }

    /// The names of all overrides.
    pub fn overrides(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(String::as_str).filter(|name| name.starts_with(PREFIX))
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overrides_begin_with_two_underscores() {
        let environment =
            Environment::from_pairs([("PAYMUX__STORE__URL", "x"), ("PAYMUX_LOG", "y"), ("paymux__a", "z")]);
        assert_eq!(environment.overrides().collect::<Vec<_>>(), ["PAYMUX__STORE__URL"]);
    }

    #[test]
    fn what_is_missing_is_named_and_values_are_not_shown() {
        let environment = Environment::from_pairs([("KEY", "hunter2")]);
        assert_eq!(environment.text("KEY"), Ok("hunter2"));
        assert_eq!(environment.text("KEYS"), Err("environment variable `KEYS` is not set".to_owned()));
        assert_eq!(format!("{environment:?}"), "{\"KEY\"}");
    }
}
