//! Reads an account's settings key by key and gathers what is wrong, so that every plugin says the same of the same
//! mistake.

use serde_json::Value;

use super::{SettingError, SettingKey, SettingKind, Settings, unknown_settings};
use crate::wire::{Endpoint, PlainHttp};

/// The key that allows plain HTTP to a provider.
const PLAIN_KEY: &str = "allow_plain_http";

/// One account's settings, and the mistakes that were found in them so far.
#[derive(Debug)]
pub struct SettingReader<'a> {
    settings: &'a Settings,
    errors: Vec<SettingError>,
}

impl<'a> SettingReader<'a> {
    /// Begins with a mistake for each key that `known` does not list, and for each that must be there and is not.
    pub fn new(settings: &'a Settings, known: &[SettingKey]) -> Self {
        let mut errors = unknown_settings(settings, known);
        errors.extend(known.iter().filter_map(|key| key.missing(settings)));
        Self { settings, errors }
    }

    /// Every mistake of a table of which each key is judged by itself. What a flag is needs no judge; of any other
    /// `rule` says what is wrong with a value, if something is.
    pub fn check(
        settings: &'a Settings,
        known: &[SettingKey],
        rule: impl Fn(&SettingKey, &Value) -> Option<String>,
    ) -> Vec<SettingError> {
        let mut reader = Self::new(settings, known);
        for key in known {
            let Some(value) = settings.get(key.name) else { continue };
            if key.kind == SettingKind::Flag {
                reader.flag(key.name);
            } else if let Some(rule) = rule(key, value) {
                reader.mistake(SettingError::new(key.name, rule));
            }
        }
        reader.errors
    }

    /// What was written there.
    pub fn get(&self, name: &str) -> Option<&'a Value> {
        self.settings.get(name)
    }

    /// A text for which `is_good` holds; else `rule` is the mistake. That it is absent is none.
    pub fn text(&mut self, name: &str, is_good: impl Fn(&str) -> bool, rule: &str) -> Option<&'a str> {
        match self.settings.get(name)? {
            Value::String(text) if is_good(text) => Some(text),
            _ => self.refuse(name, rule),
        }
    }

    /// A flag, false when absent. Its form is complained about once, however often it is read.
    pub fn flag(&mut self, name: &str) -> bool {
        match self.settings.get(name) {
            None => false,
            Some(Value::Bool(flag)) => *flag,
            Some(_) => {
                let error = SettingError::new(name, "write true or false");
                if !self.errors.contains(&error) {
                    self.errors.push(error);
                }
                false
            }
        }
    }

    /// An address to which paths are added, written at that key. Plain HTTP beyond this machine is taken only with
    /// the flag `allow_plain_http`.
    pub fn base(&mut self, name: &str, text: &str) -> Option<Endpoint> {
        let plain = if self.flag(PLAIN_KEY) { PlainHttp::Anywhere } else { PlainHttp::LoopbackOnly };
        match Endpoint::parse(text, plain) {
            Ok(base) if base.path_and_query().1.is_some() => {
                self.refuse(name, "no ?query may stand in a base address")
            }
            Ok(base) => Some(base),
            Err(rule) => {
                let rule = rule.to_string();
                let allowed = if rule.contains("https") { "; or set allow_plain_http = true" } else { "" };
                self.refuse(name, &format!("{rule}{allowed}"))
            }
        }
    }

    /// That key breaks that rule.
    pub fn refuse<T>(&mut self, name: &str, rule: &str) -> Option<T> {
        self.mistake(SettingError::new(name, rule));
        None
    }

    /// One more mistake.
    pub fn mistake(&mut self, error: SettingError) {
        self.errors.push(error);
    }

    /// What was read, if nothing was wrong.
    ///
    /// # Errors
    /// Every mistake.
    pub fn finish<T>(self, read: Option<T>) -> Result<T, Vec<SettingError>> {
        match read {
            Some(read) if self.errors.is_empty() => Ok(read),
            _ => Err(self.errors),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const KNOWN: [SettingKey; 3] =
        [SettingKey::new("name", "it names"), SettingKey::new("base", ""), SettingKey::flag(PLAIN_KEY, "")];
    const NAMED: [SettingKey; 2] = [KNOWN[0].required(), KNOWN[2]];

    fn rules(settings: &Value, read: impl Fn(&mut SettingReader<'_>)) -> Vec<String> {
        told(settings, &KNOWN, read)
    }

    fn told(settings: &Value, known: &[SettingKey], read: impl Fn(&mut SettingReader<'_>)) -> Vec<String> {
        let settings = settings.as_object().unwrap();
        let mut reader = SettingReader::new(settings, known);
        read(&mut reader);
        reader.finish(Some(())).err().unwrap_or_default().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_mistake_is_gathered_under_its_key() {
        let name = |settings: Value| {
            told(&settings, &NAMED, |reader| {
                let _ = reader.text("name", |text| !text.is_empty(), "write a name");
            })
        };
        assert_eq!(name(json!({"name": "a"})), [""; 0]);
        assert_eq!(name(json!({"name": ""})), ["`name`: write a name"]);
        assert_eq!(name(json!({"name": 7})), ["`name`: write a name"]);
        assert_eq!(name(json!({})), ["`name`: required: it names"]);
        let unknown = name(json!({"nam": "a"}));
        assert_eq!(
            unknown,
            ["`nam`: unknown key; known: name, allow_plain_http", "`name`: required: it names"]
        );
    }

    #[test]
    fn a_table_is_judged_key_by_key() {
        let check = |settings: Value, want: &[&str]| {
            let empty = |_: &SettingKey, value: &Value| (value == "").then(|| "write a name".to_owned());
            let errors = SettingReader::check(settings.as_object().unwrap(), &NAMED, empty);
            assert_eq!(errors.iter().map(ToString::to_string).collect::<Vec<_>>(), want, "{settings}");
        };
        check(json!({"name": "a", "allow_plain_http": true}), &[]);
        check(json!({}), &["`name`: required: it names"]);
        check(json!({"name": ""}), &["`name`: write a name"]);
        check(json!({"name": "a", "allow_plain_http": ""}), &["`allow_plain_http`: write true or false"]);
    }

    #[test]
    fn plain_http_needs_its_flag() {
        let check = |settings: Value, text: &str, want: &[&str]| {
            let read = |reader: &mut SettingReader<'_>| {
                let is_read = reader.base("base", text).is_some();
                assert_eq!(is_read, want.iter().all(|rule| !rule.starts_with("`base`")), "{text}");
            };
            let seen = rules(&settings, read);
            assert_eq!(seen.len(), want.len(), "{seen:?}");
            for (seen, want) in seen.iter().zip(want) {
                assert!(seen.starts_with(want), "{seen}");
            }
        };
        check(json!({}), "https://h.example/a", &[]);
        check(json!({}), "http://127.0.0.1:1", &[]);
        check(json!({}), "https://h.example/?a", &["`base`: no ?query"]);
        check(json!({}), "http://h.example", &["`base`: "]);
        check(json!({"allow_plain_http": true}), "http://h.example", &[]);
        check(
            json!({"allow_plain_http": 1}),
            "https://h.example",
            &["`allow_plain_http`: write true or false"],
        );
    }

    #[test]
    fn a_flag_is_complained_about_once() {
        let twice = |reader: &mut SettingReader<'_>| {
            let _ = (reader.flag(PLAIN_KEY), reader.flag(PLAIN_KEY));
        };
        assert_eq!(rules(&json!({"allow_plain_http": "yes"}), twice).len(), 1);
    }

    #[test]
    fn half_of_an_account_is_none() {
        let settings = Settings::new();
        let reader = SettingReader::new(&settings, &KNOWN);
        assert_eq!(reader.finish::<()>(None), Err(vec![]));
    }
}
