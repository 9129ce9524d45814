//! Reads an account's settings key by key and gathers what is wrong, so that every plugin says the same of the same
//! mistake.

use serde_json::Value;

use super::{SettingError, SettingKey, Settings, unknown_settings};
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
    /// Begins with a mistake for each key that `known` does not list.
    pub fn new(settings: &'a Settings, known: &[SettingKey]) -> Self {
        Self { settings, errors: unknown_settings(settings, known) }
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

    /// A mistake where it is absent.
    pub fn require(&mut self, name: &str, why: &str) {
        if !self.settings.contains_key(name) {
            self.errors.push(SettingError::new(name, format!("required: {why}")));
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
        [SettingKey::new("name", ""), SettingKey::new("base", ""), SettingKey::new(PLAIN_KEY, "")];

    fn rules(settings: &Value, read: impl Fn(&mut SettingReader<'_>)) -> Vec<String> {
        let settings = settings.as_object().unwrap();
        let mut reader = SettingReader::new(settings, &KNOWN);
        read(&mut reader);
        reader.finish(Some(())).err().unwrap_or_default().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn every_mistake_is_gathered_under_its_key() {
        let name = |reader: &mut SettingReader<'_>| {
            let _ = reader.text("name", |text| !text.is_empty(), "write a name");
            reader.require("name", "it names");
        };
        assert_eq!(rules(&json!({"name": "a"}), name), [""; 0]);
        assert_eq!(rules(&json!({"name": ""}), name), ["`name`: write a name"]);
        assert_eq!(rules(&json!({"name": 7}), name), ["`name`: write a name"]);
        assert_eq!(rules(&json!({}), name), ["`name`: required: it names"]);
        let unknown = rules(&json!({"nam": "a"}), name);
        assert_eq!(unknown.len(), 2, "{unknown:?}");
        assert!(unknown[0].starts_with("`nam`: unknown key"), "{unknown:?}");
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
