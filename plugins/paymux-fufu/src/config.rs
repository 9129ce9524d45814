//! The settings of one FuFu account: as written in configuration, and as checked.

use paymux_core::provider::{SettingError, SettingKey, SettingKind, SettingReader, Settings};
use paymux_core::{Endpoint, Secret};

/// Who acts, and on which device, where the settings do not say: FuFu wants both in every call after a create.
const DESK_DEFAULT: &str = "paymux";
/// The longest `busi_id`, `operator_id`, `terminal_id` and `store_id`, in characters.
///
/// Source: FuFu interface 1.1.1, table of `order`: String(32).
pub(crate) const ID_CHARS_MAX: usize = 32;

/// The keys of `[channels.settings]`.
pub(crate) const KEYS: &[SettingKey] = &[
    SettingKey::new("busi_id", "the merchant's number at FuFu, 1 to 32 characters")
        .required()
        .such_as(BUSI_ID_EXAMPLE),
    SettingKey::new("key", "the merchant's key: signs calls, verifies notifications").secret().required(),
    SettingKey::new("key_previous", "verifies notifications too, during a change; FuFu repeats for 20 s")
        .secret(),
    SettingKey::new(BASE_URL, "what stands before /order and the other operations; https, without a query; FuFu gives each merchant its own")
        .of(SettingKind::Address)
        .required()
        .such_as("https://fufu.example.com/gateway/pay"),
    SettingKey::new("operator_id", "who acts, in FuFu's records, 1 to 32 characters").or(DESK_DEFAULT),
    SettingKey::new("terminal_id", "on which device, in FuFu's records, 1 to 32 characters").or(DESK_DEFAULT),
    SettingKey::new("store_id", "which shop, in FuFu's records, 1 to 32 characters").such_as("shop-1"),
    SettingKey::flag("allow_plain_http", "true = take an http base_url beyond this machine"),
];

const BASE_URL: &str = "base_url";

/// The form of a merchant's number, of nobody's account.
pub(crate) const BUSI_ID_EXAMPLE: &str = "100000000000001";

/// The settings of one account, every one of them checked.
#[derive(Debug)]
pub(crate) struct Account {
    /// The merchant's number.
    pub busi_id: String,
    /// Signs every call.
    pub key: Secret,
    /// Verify notifications: the current one and the previous one.
    pub keys: Vec<Secret>,
    /// Where calls go; the operation follows.
    pub base: Endpoint,
    /// Who acts.
    pub operator_id: String,
    /// On which device.
    pub terminal_id: String,
    /// In which shop.
    pub store_id: Option<String>,
}

impl Account {
    /// Checks the settings; every mistake is named.
    pub(crate) fn read(settings: &Settings) -> Result<Self, Vec<SettingError>> {
        let mut reader = SettingReader::new(settings, KEYS);
        let account = account(&mut reader);
        reader.finish(account)
    }
}

fn account(reader: &mut SettingReader<'_>) -> Option<Account> {
    let busi_id = id(reader, "busi_id");
    let key = key_of(reader, "key");
    let key_previous = key_of(reader, "key_previous");
    let base = base(reader);
    let operator_id = id(reader, "operator_id");
    let terminal_id = id(reader, "terminal_id");
    let store_id = id(reader, "store_id");
    let key = key?;
    Some(Account {
        busi_id: busi_id?,
        keys: [Some(key.clone()), key_previous].into_iter().flatten().collect(),
        key,
        base: base?,
        operator_id: operator_id.unwrap_or_else(|| DESK_DEFAULT.to_owned()),
        terminal_id: terminal_id.unwrap_or_else(|| DESK_DEFAULT.to_owned()),
        store_id,
    })
}

fn id(reader: &mut SettingReader<'_>, name: &str) -> Option<String> {
    reader.text(name, is_id, "write text of 1 to 32 characters without blanks").map(str::to_owned)
}

fn key_of(reader: &mut SettingReader<'_>, name: &str) -> Option<Secret> {
    let rule = "write the key as text, without blanks around or inside it";
    reader.text(name, is_key, rule).map(Secret::new)
}

fn base(reader: &mut SettingReader<'_>) -> Option<Endpoint> {
    let text = reader.text(BASE_URL, |_| true, "write an address as text")?;
    reader.base(BASE_URL, text)
}

/// 1 to 32 characters, none of them a blank or a control character: blanks are not signed.
pub(crate) fn is_id(text: &str) -> bool {
    (1..=ID_CHARS_MAX).contains(&text.chars().count())
        && !text.chars().any(|c| c.is_control() || c.is_whitespace())
}

/// Visible ASCII, 1 to 128 characters.
pub(crate) fn is_key(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "rows read better with values")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn read(patch: Value) -> Result<Account, Vec<SettingError>> {
        let mut settings = json!({"busi_id": "100000000000001", "key": "the-key-of-the-merchant-12345678",
            "base_url": "https://fufu.example/gateway/pay"});
        let object = settings.as_object_mut().unwrap();
        for (key, value) in patch.as_object().unwrap() {
            object.insert(key.clone(), value.clone());
        }
        object.retain(|_, value| !value.is_null());
        Account::read(object)
    }

    #[test]
    fn three_keys_make_an_account() {
        let account = read(json!({})).unwrap();
        assert_eq!(account.busi_id, "100000000000001");
        assert!(account.key.matches("the-key-of-the-merchant-12345678"));
        assert_eq!(account.keys.len(), 1);
        assert_eq!(account.base.join("/order", None), "https://fufu.example/gateway/pay/order");
        assert_eq!((account.operator_id.as_str(), account.terminal_id.as_str()), ("paymux", "paymux"));
        assert_eq!(account.store_id, None);
    }

    #[test]
    fn every_key_has_its_effect() {
        let rotated = read(json!({"key_previous": "old"})).unwrap();
        assert!(rotated.key.matches("the-key-of-the-merchant-12345678"), "the current one signs");
        assert!(rotated.keys.len() == 2 && rotated.keys[1].matches("old"));
        let desk = read(json!({"operator_id": "op1", "terminal_id": "收银机1", "store_id": "s1"})).unwrap();
        assert_eq!((desk.operator_id.as_str(), desk.terminal_id.as_str()), ("op1", "收银机1"));
        assert_eq!(desk.store_id.as_deref(), Some("s1"));
        assert!(read(json!({"base_url": "http://127.0.0.1:9000/gateway/pay"})).is_ok());
        assert!(read(json!({"base_url": "http://fufu.example", "allow_plain_http": true})).is_ok());
    }

    /// F1: an address is configuration only, and plain HTTP needs to be asked for.
    #[test]
    fn names_the_key_that_breaks_its_rule() {
        check(json!({"busi_id": null}), &["busi_id"]);
        check(json!({"busi_id": 1}), &["busi_id"]);
        check(json!({"busi_id": "1 0"}), &["busi_id"]);
        check(json!({"busi_id": "1".repeat(33)}), &["busi_id"]);
        check(json!({"key": null}), &["key"]);
        check(json!({"key": ""}), &["key"]);
        check(json!({"key": " k"}), &["key"]);
        check(json!({"key_previous": "k\n"}), &["key_previous"]);
        check(json!({"base_url": null}), &["base_url"]);
        check(json!({"base_url": ["https://a"]}), &["base_url"]);
        check(json!({"base_url": "http://fufu.example"}), &["base_url"]);
        check(json!({"base_url": "http://fufu.example", "allow_plain_http": false}), &["base_url"]);
        check(json!({"base_url": "ftp://fufu.example", "allow_plain_http": true}), &["base_url"]);
        check(json!({"base_url": "https://fufu.example/pay?sign=1"}), &["base_url"]);
        check(json!({"allow_plain_http": "yes"}), &["allow_plain_http"]);
        check(json!({"operator_id": ""}), &["operator_id"]);
        check(json!({"terminal_id": "a\tb"}), &["terminal_id"]);
        check(json!({"store_id": "x".repeat(33)}), &["store_id"]);
        check(json!({"busi_id": null, "key": null, "base_url": null}), &["busi_id", "key", "base_url"]);

        #[track_caller]
        fn check(patch: Value, want: &[&str]) {
            let errors = read(patch.clone()).unwrap_err();
            let keys: Vec<_> = errors.iter().map(|error| error.key.as_str()).collect();
            assert_eq!(keys, want, "{patch}");
        }
    }

    #[test]
    fn an_unknown_key_is_an_error_that_lists_the_known_ones() {
        let errors = read(json!({"mchtKey": "x"})).unwrap_err();
        assert_eq!(errors.len(), 1);
        assert!(errors[0].rule.contains("known: busi_id, key, key_previous, base_url"), "{}", errors[0].rule);
    }

    #[test]
    fn no_secret_stands_in_errors_or_debug() {
        let account = read(json!({"key_previous": "old-key-1"})).unwrap();
        let errors = read(json!({"key": "old key-1", "x": 1})).unwrap_err();
        for text in [format!("{account:?}"), format!("{errors:?}")] {
            assert!(!text.contains("key-1") && !text.contains("the-key"), "{text}");
        }
    }
}
