//! The settings of one BeeCloud account: as written in configuration, and as checked.
//!
//! Which path and secret a call takes follows from them, so that is said here too. What goes
//! into a call does not live here.

use std::num::NonZeroU32;

use paymux_core::provider::{SettingError, SettingKey, SettingKind, SettingReader, Settings};
use paymux_core::{Endpoint, Secret};
use serde_json::Value;

/// Where calls go when the settings do not say.
pub(crate) const BASE_URL_DEFAULT: &str = "https://api.beecloud.cn";

/// How many refunds of one order may succeed when the settings do not say.
///
/// Source: BeeCloud V1 beta document, refund; the V2 document only says that some channels take no parts or
/// a single refund.
const REFUNDS_DEFAULT: NonZeroU32 = NonZeroU32::MIN;
/// The most that the settings may say.
const REFUNDS_MAX: u32 = 100;

/// The keys of `[channels.settings]`.
pub(crate) const KEYS: &[SettingKey] = &[
    SettingKey::new("app_id", "the account's id in BeeCloud's console, a UUID")
        .required()
        .such_as(APP_ID_EXAMPLE),
    SettingKey::new("app_secret", "signs creates and queries").secret().required_unless(SANDBOX),
    SettingKey::new("master_secret", "signs refunds and verifies webhooks").secret().required_unless(SANDBOX),
    SettingKey::new(
        "master_secret_previous",
        "verifies webhooks too; keep it 37 h after a change, repeats come that late",
    )
    .secret(),
    SettingKey::new("test_secret", "signs everything in test mode").secret().required_with(SANDBOX),
    SettingKey::flag(SANDBOX, "true = BeeCloud's test mode, no real money"),
    SettingKey::new(
        "api_version",
        "which document is followed; \"v1\" has create and query of WX, ALI and UN only",
    )
    .of(SettingKind::Choice { words: &["v2", "v1"] })
    .or("v2"),
    SettingKey::new(
        BASE_URL,
        "an address or a list of addresses, https; the next one only when nothing was sent",
    )
    .of(SettingKind::Addresses)
    .or(BASE_URL_DEFAULT)
    .such_as("https://apibj.beecloud.cn, https://apihz.beecloud.cn"),
    SettingKey::flag("prefer_bc", "true = the BC_* codes (BeeCloud's own contract) where both exist"),
    SettingKey::new("refunds_per_order", "how many refunds of one order may succeed, 1 to 100")
        .of(SettingKind::Count { min: 1, max: REFUNDS_MAX })
        .or("1"),
    SettingKey::flag("allow_plain_http", "true = take an http base_url beyond this machine"),
];

const BASE_URL: &str = "base_url";
const SANDBOX: &str = "sandbox";

/// The form of an account's id, of nobody's account.
pub(crate) const APP_ID_EXAMPLE: &str = "7c9f2f1e-3a44-4c8b-9d21-5b0e6f7a8c90";

/// The settings of one account, every one of them checked.
#[derive(Debug)]
pub(crate) struct Account {
    /// The account's id.
    pub app_id: String,
    /// Signs every call of the pay path: the app secret, or the test secret in test mode.
    pub call_secret: Secret,
    /// The app secret, where it is known: tells old and mistaken webhooks apart, never believed.
    pub app_secret: Option<Secret>,
    /// Verify webhooks: the current and the previous one.
    pub master_secrets: Vec<Secret>,
    /// Signs the webhooks of test mode.
    pub test_secret: Option<Secret>,
    /// Which books the account's calls reach.
    pub books: Books,
    /// In the order in which they are tried.
    pub bases: Vec<Endpoint>,
    /// Which of two codes for one method is taken.
    pub contract: Contract,
    /// How many refunds of one order may succeed.
    pub refunds_per_order: NonZeroU32,
}

/// Which paths the calls take, and whether money is real.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Books {
    /// `/2/rest`
    V2,
    /// `/1/rest`: create and query only, groups WX, ALI and UN.
    V1,
    /// `/2/rest/sandbox`
    Sandbox,
}

impl Books {
    /// What stands before every path.
    pub(crate) const fn prefix(self) -> &'static str {
        match self {
            Self::V2 => "/2/rest",
            Self::V1 => "/1/rest",
            Self::Sandbox => "/2/rest/sandbox",
        }
    }
}

/// Whose contract with the wallet is used where BeeCloud has a code for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Contract {
    /// The merchant's own.
    Merchant,
    /// BeeCloud's: the codes that begin with `BC_`.
    BeeCloud,
}

impl Account {
    /// Checks the settings; every mistake is named.
    pub(crate) fn read(settings: &Settings) -> Result<Self, Vec<SettingError>> {
        let mut reader = SettingReader::new(settings, KEYS);
        let account = account(&mut reader);
        reader.finish(account)
    }
}

impl Account {
    /// What signs calls that move money out; `None` where the account has no such calls: the test mode
    /// has none, and of V1 only the pay path is spoken.
    pub(crate) fn money_secret(&self) -> Option<&Secret> {
        self.master_secrets.first().filter(|_| self.books == Books::V2)
    }
}

fn account(reader: &mut SettingReader<'_>) -> Option<Account> {
    let app_id = reader.text("app_id", is_app_id, "write the UUID of 36 characters that the console shows");
    let app_secret = secret(reader, "app_secret");
    let master_secret = secret(reader, "master_secret");
    let master_secret_previous = secret(reader, "master_secret_previous");
    let test_secret = secret(reader, "test_secret");
    let books = books(reader);
    let bases = bases(reader);
    let contract = if reader.flag("prefer_bc") { Contract::BeeCloud } else { Contract::Merchant };
    let refunds_per_order = refunds_per_order(reader);
    let call_secret = if books == Books::Sandbox { test_secret.clone() } else { app_secret.clone() };
    Some(Account {
        app_id: app_id?.to_owned(),
        call_secret: call_secret?,
        app_secret,
        master_secrets: [master_secret, master_secret_previous].into_iter().flatten().collect(),
        test_secret,
        books,
        bases,
        contract,
        refunds_per_order: refunds_per_order?,
    })
}

fn secret(reader: &mut SettingReader<'_>, name: &str) -> Option<Secret> {
    let rule = "write the secret as text, without blanks around or inside it";
    reader.text(name, is_secret, rule).map(Secret::new)
}

fn books(reader: &mut SettingReader<'_>) -> Books {
    let version = match reader.get("api_version").map(|value| value.as_str()) {
        None | Some(Some("v2")) => Books::V2,
        Some(Some("v1")) => Books::V1,
        Some(_) => reader.refuse("api_version", "write \"v2\" or \"v1\"").unwrap_or(Books::V2),
    };
    if !reader.flag(SANDBOX) {
        return version;
    }
    if version == Books::V1 {
        reader.mistake(SettingError::new(SANDBOX, "the test mode exists in \"v2\" only"));
    }
    Books::Sandbox
}

fn bases(reader: &mut SettingReader<'_>) -> Vec<Endpoint> {
    let texts = match reader.get(BASE_URL) {
        None => vec![BASE_URL_DEFAULT],
        Some(Value::String(text)) => vec![text.as_str()],
        Some(Value::Array(list)) if !list.is_empty() && list.iter().all(Value::is_string) => {
            list.iter().filter_map(Value::as_str).collect()
        }
        Some(_) => {
            let rule = "write an address, or a list of at least one address";
            return reader.refuse(BASE_URL, rule).unwrap_or_default();
        }
    };
    texts.into_iter().filter_map(|text| reader.base(BASE_URL, text)).collect()
}

fn refunds_per_order(reader: &mut SettingReader<'_>) -> Option<NonZeroU32> {
    let Some(value) = reader.get("refunds_per_order") else { return Some(REFUNDS_DEFAULT) };
    let count = value.as_u64().and_then(|count| u32::try_from(count).ok());
    match count.filter(|count| *count <= REFUNDS_MAX).and_then(NonZeroU32::new) {
        Some(count) => Some(count),
        None => reader.refuse("refunds_per_order", "write a whole number from 1 to 100"),
    }
}

/// 8-4-4-4-12 hexadecimal digits.
pub(crate) fn is_app_id(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    parts.iter().map(|part| part.len()).eq([8, 4, 4, 4, 12])
        && parts.iter().all(|part| part.bytes().all(|b| b.is_ascii_hexdigit()))
}

/// Visible ASCII, 1 to 128 characters.
pub(crate) fn is_secret(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "rows read better with values")]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(patch: Value) -> Result<Account, Vec<SettingError>> {
        let mut settings = json!({"app_id": "7c9f2f1e-3a44-4c8b-9d21-5b0e6f7a8c90",
            "app_secret": "app-secret-1", "master_secret": "master-secret-1"});
        let object = settings.as_object_mut().unwrap();
        for (key, value) in patch.as_object().unwrap() {
            object.insert(key.clone(), value.clone());
        }
        object.retain(|_, value| !value.is_null());
        Account::read(object)
    }

    #[test]
    fn three_keys_make_a_live_account() {
        let account = read(json!({})).unwrap();
        assert_eq!(account.books, Books::V2);
        assert!(account.money_secret().unwrap().matches("master-secret-1"));
        assert_eq!(account.bases[0].as_str(), "https://api.beecloud.cn/");
        assert!(account.call_secret.matches("app-secret-1"));
        assert_eq!(account.master_secrets.len(), 1);
        assert_eq!(account.contract, Contract::Merchant);
        assert_eq!(account.refunds_per_order.get(), 1);
    }

    #[test]
    fn every_key_has_its_effect() {
        let v1 = read(json!({"api_version": "v1"})).unwrap();
        assert_eq!((v1.books, v1.money_secret().is_none()), (Books::V1, true));
        assert_eq!(read(json!({"api_version": "v2"})).unwrap().books, Books::V2);
        assert_eq!(read(json!({"prefer_bc": true})).unwrap().contract, Contract::BeeCloud);
        let rotated = read(json!({"master_secret_previous": "old"})).unwrap();
        assert_eq!(rotated.master_secrets.len(), 2);
        assert!(rotated.money_secret().unwrap().matches("master-secret-1"), "the current one signs");
        assert_eq!(read(json!({"base_url": ["https://a", "https://b/x"]})).unwrap().bases.len(), 2);
        assert_eq!(read(json!({"base_url": "http://127.0.0.1:8080"})).unwrap().bases.len(), 1);
        for count in [1, 2, 100] {
            let account = read(json!({"refunds_per_order": count})).unwrap();
            assert_eq!(account.refunds_per_order.get(), count);
        }
        let plain = json!({"base_url": "http://gateway.example", "allow_plain_http": true});
        assert_eq!(read(plain).unwrap().bases.len(), 1);
    }

    #[test]
    fn test_mode_needs_its_secret_alone() {
        let account =
            read(json!({"sandbox": true, "test_secret": "t", "app_secret": null, "master_secret": null}));
        let account = account.unwrap();
        assert_eq!(account.books, Books::Sandbox);
        assert!(account.call_secret.matches("t"));
        assert!(account.money_secret().is_none());
        let both = read(json!({"sandbox": true, "test_secret": "t"})).unwrap();
        assert!(both.money_secret().is_none(), "no refund in test mode, whatever else is known");
    }

    #[test]
    fn names_the_key_that_breaks_its_rule() {
        check(json!({"app_id": null}), &["app_id"]);
        check(json!({"app_id": "7c9f2f1e3a444c8b9d215b0e6f7a8c90"}), &["app_id"]);
        check(json!({"app_id": 7}), &["app_id"]);
        check(json!({"app_secret": null}), &["app_secret"]);
        check(json!({"app_secret": "a b"}), &["app_secret"]);
        check(json!({"app_secret": ""}), &["app_secret"]);
        check(json!({"master_secret": null}), &["master_secret"]);
        check(json!({"master_secret_previous": " x"}), &["master_secret_previous"]);
        check(json!({"sandbox": true}), &["test_secret"]);
        check(json!({"sandbox": "yes"}), &["sandbox"]);
        check(json!({"sandbox": true, "test_secret": "t", "api_version": "v1"}), &["sandbox"]);
        check(json!({"api_version": "2"}), &["api_version"]);
        check(json!({"api_version": 2}), &["api_version"]);
        check(json!({"prefer_bc": 1}), &["prefer_bc"]);
        check(json!({"allow_plain_http": "no"}), &["allow_plain_http"]);
        for bad in [json!(0), json!(101), json!(-1), json!(1.0), json!("1"), json!(true)] {
            check(json!({"refunds_per_order": bad}), &["refunds_per_order"]);
        }
        check(json!({"base_url": "http://gateway.example"}), &["base_url"]);
        check(json!({"base_url": []}), &["base_url"]);
        check(json!({"base_url": [1]}), &["base_url"]);
        check(json!({"base_url": "https://h/?a=b"}), &["base_url"]);
        check(json!({"base_url": ["https://a", "ftp://b"]}), &["base_url"]);
        check(
            json!({"app_id": "x", "app_secret": null, "prefer_bc": "x"}),
            &["app_secret", "app_id", "prefer_bc"],
        );

        #[track_caller]
        fn check(patch: Value, want: &[&str]) {
            let errors = read(patch.clone()).unwrap_err();
            let keys: Vec<_> = errors.iter().map(|error| error.key.as_str()).collect();
            assert_eq!(keys, want, "{patch}");
        }
    }

    #[test]
    fn keys_without_effect_are_unknown_and_the_known_are_listed() {
        for strange in ["payouts", "refund_per_order", "appid", "app_key"] {
            let errors = read(json!({strange: true})).unwrap_err();
            assert_eq!(errors.len(), 1);
            assert_eq!(errors[0].key, strange);
            assert!(
                errors[0].rule.contains("known: app_id, app_secret, master_secret"),
                "{}",
                errors[0].rule
            );
        }
    }

    #[test]
    fn no_secret_stands_in_errors_or_debug() {
        let account = read(json!({"test_secret": "test-secret-1"})).unwrap();
        let errors = read(json!({"app_secret": "app secret 1", "x": 1})).unwrap_err();
        for text in [format!("{account:?}"), format!("{errors:?}")] {
            assert!(!text.contains("secret-1") && !text.contains("secret 1"), "{text}");
        }
    }
}
