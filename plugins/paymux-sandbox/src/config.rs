//! The settings of a sandbox channel: as written in configuration, and as checked.
//!
//! What the key signs lives in `sign`.

use paymux_core::Secret;
use paymux_core::provider::{SettingError, SettingKey, Settings, unknown_settings};
use serde_json::Value;

/// Signs callbacks where no key is set. Everybody knows it: there is no real money here.
const KEY_DEFAULT: &str = "sandbox";

/// The keys of `[channels.settings]`.
pub(crate) const KEYS: &[SettingKey] = &[SettingKey {
    name: "key",
    required: false,
    secret: true,
    about: "signs callbacks: 1 to 128 visible ASCII characters; default `sandbox`",
}];

/// The settings of one channel, every one of them checked.
#[derive(Debug)]
pub(crate) struct Account {
    /// Signs callbacks.
    pub key: Secret,
}

impl Account {
    /// Checks the settings; every mistake is named.
    pub(crate) fn read(settings: &Settings) -> Result<Self, Vec<SettingError>> {
        let mut errors = unknown_settings(settings, KEYS);
        let key = match settings.get("key") {
            None => Some(Secret::new(KEY_DEFAULT)),
            Some(Value::String(text)) if is_key(text) => Some(Secret::new(text)),
            Some(_) => {
                errors.push(SettingError::new("key", "write 1 to 128 visible ASCII characters"));
                None
            }
        };
        match key {
            Some(key) if errors.is_empty() => Ok(Self { key }),
            _ => Err(errors),
        }
    }
}

/// Whether a text can be a key.
pub(crate) fn is_key(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(settings: &Value) -> Result<Account, Vec<SettingError>> {
        Account::read(settings.as_object().unwrap())
    }

    #[test]
    fn no_settings_are_good_settings() {
        assert!(read(&json!({})).unwrap().key.matches("sandbox"));
        assert!(read(&json!({"key": "k1"})).unwrap().key.matches("k1"));
    }

    #[test]
    fn names_the_key_that_breaks_its_rule() {
        check(json!({"key": ""}), "key", "visible ASCII");
        check(json!({"key": "a b"}), "key", "visible ASCII");
        check(json!({"key": 1}), "key", "visible ASCII");
        check(json!({"app_id": "x"}), "app_id", "known: key");

        #[track_caller]
        #[expect(clippy::needless_pass_by_value, reason = "rows read better with values")]
        fn check(settings: Value, key: &str, rule: &str) {
            let errors = read(&settings).unwrap_err();
            assert_eq!(errors.len(), 1);
            assert_eq!(errors[0].key, key);
            assert!(errors[0].rule.contains(rule), "{}", errors[0].rule);
        }
    }

    #[test]
    fn the_key_stands_in_no_debug() {
        let account = read(&json!({"key": "hunter2"})).unwrap();
        assert!(!format!("{account:?}").contains("hunter2"));
    }
}
