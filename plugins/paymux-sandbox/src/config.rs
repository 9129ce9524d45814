//! The settings of a sandbox channel: as written in configuration, and as checked.
//!
//! What the key signs lives in `sign`.

use paymux_core::Secret;
use paymux_core::provider::{SettingError, SettingKey, SettingReader, Settings};

/// Signs callbacks where no key is set. Everybody knows it: there is no real money here.
pub(crate) const KEY_DEFAULT: &str = "sandbox";

/// The keys of `[channels.settings]`.
pub(crate) const KEYS: &[SettingKey] = &[
    SettingKey::new("key", "signs callbacks: 1 to 128 visible ASCII characters").secret().or(KEY_DEFAULT),
    SettingKey::new(
        "key_previous",
        "the key before: callbacks signed with it are taken too, during a change",
    )
    .secret(),
];

/// The settings of one channel, every one of them checked.
#[derive(Debug)]
pub(crate) struct Account {
    /// Signs callbacks.
    pub key: Secret,
    /// Verifies them too.
    pub key_previous: Option<Secret>,
}

impl Account {
    /// Checks the settings; every mistake is named.
    pub(crate) fn read(settings: &Settings) -> Result<Self, Vec<SettingError>> {
        let mut reader = SettingReader::new(settings, KEYS);
        let key = secret(&mut reader, "key").unwrap_or_else(|| Secret::new(KEY_DEFAULT));
        let key_previous = secret(&mut reader, "key_previous");
        reader.finish(Some(Self { key, key_previous }))
    }

    /// The keys that are in force, the newest first.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Secret> {
        std::iter::once(&self.key).chain(&self.key_previous)
    }
}

fn secret(reader: &mut SettingReader<'_>, name: &str) -> Option<Secret> {
    reader.text(name, is_key, "write 1 to 128 visible ASCII characters").map(Secret::new)
}

/// Whether a text can be a key.
pub(crate) fn is_key(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(settings: &Value) -> Result<Account, Vec<SettingError>> {
        Account::read(settings.as_object().unwrap())
    }

    #[test]
    fn no_settings_are_good_settings() {
        assert!(read(&json!({})).unwrap().key.matches("sandbox"));
        assert!(read(&json!({"key": "k1"})).unwrap().key.matches("k1"));
        let rotated = read(&json!({"key": "k2", "key_previous": "k1"})).unwrap();
        assert!(rotated.keys().map(Secret::expose).eq(["k2", "k1"]));
    }

    #[test]
    fn names_the_key_that_breaks_its_rule() {
        check(json!({"key": ""}), "key", "visible ASCII");
        check(json!({"key": "a b"}), "key", "visible ASCII");
        check(json!({"key": 1}), "key", "visible ASCII");
        check(json!({"key_previous": ""}), "key_previous", "visible ASCII");
        check(json!({"app_id": "x"}), "app_id", "known: key, key_previous");

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
