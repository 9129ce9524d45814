//! The settings of one cloudpay merchant: as written in configuration, and as checked.
//!
//! The server side's settings of a client share their forms and live in `acceptor`.

use paymux_core::provider::{SettingError, SettingKey, SettingKind, SettingReader, Settings};
use paymux_core::{Endpoint, Secret, Wallet};
use serde_json::Value;

use crate::wire::is_type;

/// The keys of `[channels.settings]`.
pub(crate) const KEYS: &[SettingKey] = &[
    SettingKey::new("appkey", "the merchant's public key, as the gateway's back office shows it")
        .required()
        .such_as(APPKEY_EXAMPLE),
    SettingKey::new(
        "appsecret",
        "signs creates and verifies what comes back; a new login password makes a new one",
    )
    .secret()
    .required(),
    SettingKey::new(
        "appsecret_previous",
        "verifies what comes back too; keep it for a short while after a change",
    )
    .secret(),
    SettingKey::new(BASE_URL, "the gateway's address, https; the operator of the gateway gives it")
        .of(SettingKind::Address)
        .required(),
    TYPES,
    SettingKey::flag("allow_plain_http", "true = take an http base_url beyond this machine"),
];

const BASE_URL: &str = "base_url";

/// The form of a public key, of nobody's account.
pub(crate) const APPKEY_EXAMPLE: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";

/// Which wallets are offered, at both sides.
pub(crate) const TYPES: SettingKey = SettingKey::new(
    "types",
    "which wallets are offered: a list, or a table of each wallet's `type` such as { alipay = \"alipay\", wechat = \"wxpay\" }",
)
.of(SettingKind::Words)
.or("alipay")
.such_as("alipay, wechat");

/// What is wrong with a `types` that is neither.
const TYPES_RULE: &str =
    "write a list of wallets, or a table from wallet to `type` of letters, digits, _ and -, at least one";

/// The settings of one merchant, every one of them checked.
#[derive(Debug)]
pub(crate) struct Account {
    /// Which merchant.
    pub appkey: String,
    /// Signs creates, and verifies.
    pub appsecret: Secret,
    /// Verifies too.
    pub appsecret_previous: Option<Secret>,
    /// Where creates go.
    pub base: Endpoint,
    /// What is offered.
    pub types: Types,
}

impl Account {
    /// Checks the settings; every mistake is named.
    pub(crate) fn read(settings: &Settings) -> Result<Self, Vec<SettingError>> {
        let mut reader = SettingReader::new(settings, KEYS);
        let account = account(&mut reader, settings);
        reader.finish(account)
    }

    /// What verifies a message of the gateway.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        [&self.appsecret].into_iter().chain(&self.appsecret_previous)
    }
}

/// The wallets that are offered, each with the gateway's word for it, in the order in which they were written.
///
/// Source: cloudpay's integration document, create: `alipay` is the only value that is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Types(Vec<(Wallet, String)>);

impl Default for Types {
    fn default() -> Self {
        Self(vec![(Wallet::Alipay, Wallet::Alipay.word().to_owned())])
    }
}

impl Types {
    /// The setting of that name, or the default where it is absent.
    pub(crate) fn read(settings: &Settings, name: &str) -> Result<Self, SettingError> {
        let rule = || SettingError::new(name, TYPES_RULE);
        let rows: Vec<(&str, &str)> = match settings.get(name) {
            None => return Ok(Self::default()),
            Some(Value::Array(words)) => words
                .iter()
                .map(|word| word.as_str().map(|word| (word, word)))
                .collect::<Option<_>>()
                .ok_or_else(rule)?,
            Some(Value::Object(table)) => table
                .iter()
                .map(|(wallet, word)| word.as_str().map(|word| (wallet.as_str(), word)))
                .collect::<Option<_>>()
                .ok_or_else(rule)?,
            Some(_) => return Err(rule()),
        };
        let mut types: Vec<(Wallet, String)> = Vec::new();
        for (wallet, word) in rows {
            let wallet =
                Wallet::from_word(wallet).ok_or_else(|| SettingError::new(name, unknown_wallet(wallet)))?;
            if !is_type(word) {
                return Err(rule());
            }
            if types.iter().any(|(other, said)| *other == wallet || said == word) {
                return Err(SettingError::new(name, "write each wallet and each `type` once"));
            }
            types.push((wallet, word.to_owned()));
        }
        if types.is_empty() { Err(rule()) } else { Ok(Self(types)) }
    }

    /// The gateway's word for a wallet.
    pub(crate) fn word(&self, wallet: Wallet) -> Option<&str> {
        self.0.iter().find(|(own, _)| *own == wallet).map(|(_, word)| word.as_str())
    }

    /// The wallet of a gateway's word.
    pub(crate) fn wallet(&self, word: &str) -> Option<Wallet> {
        self.0.iter().find(|(_, own)| own == word).map(|(wallet, _)| *wallet)
    }

    /// The wallets.
    pub(crate) fn wallets(&self) -> impl Iterator<Item = Wallet> {
        self.0.iter().map(|(wallet, _)| *wallet)
    }
}

fn unknown_wallet(word: &str) -> String {
    let known: Vec<&str> = Wallet::ALL.iter().map(|wallet| wallet.word()).collect();
    let word: String = word.chars().take(32).collect();
    format!("unknown wallet `{word}`; known: {}", known.join(", "))
}

fn account(reader: &mut SettingReader<'_>, settings: &Settings) -> Option<Account> {
    let appkey = credential(reader, "appkey");
    let appsecret = credential(reader, "appsecret");
    let previous = credential(reader, "appsecret_previous");
    let base = base(reader);
    let types = Types::read(settings, "types").map_err(|error| reader.mistake(error)).ok();
    Some(Account {
        appkey: appkey?.to_owned(),
        appsecret: Secret::new(appsecret?),
        appsecret_previous: previous.map(Secret::new),
        base: base?,
        types: types?,
    })
}

/// Visible ASCII, so that what is configured is what is signed.
fn credential<'a>(reader: &mut SettingReader<'a>, name: &str) -> Option<&'a str> {
    reader.text(name, is_credential, CREDENTIAL_RULE)
}

fn base(reader: &mut SettingReader<'_>) -> Option<Endpoint> {
    let text = reader.text(BASE_URL, |_| true, "write an address like https://gateway.example")?;
    reader.base(BASE_URL, text)
}

/// What a key or a secret must be.
pub(crate) const CREDENTIAL_RULE: &str = "write 1 to 128 visible ASCII characters, without blanks";

/// Visible ASCII, 1 to 128 characters.
pub(crate) fn is_credential(text: &str) -> bool {
    (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

#[cfg(test)]
#[expect(clippy::needless_pass_by_value, reason = "rows read better with values")]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(patch: Value) -> Result<Account, Vec<SettingError>> {
        let mut settings = json!({"appkey": "0f1e2d3c4b5a69788796a5b4c3d2e1f0", "appsecret": "s3cr3t-Of-Shop-One",
            "base_url": "https://gateway.example"});
        let object = settings.as_object_mut().unwrap();
        object.extend(patch.as_object().unwrap().clone());
        object.retain(|_, value| !value.is_null());
        Account::read(object)
    }

    #[test]
    fn three_keys_make_an_account() {
        let account = read(json!({})).unwrap();
        assert_eq!(account.appkey, "0f1e2d3c4b5a69788796a5b4c3d2e1f0");
        assert!(account.appsecret.matches("s3cr3t-Of-Shop-One"));
        assert_eq!(account.secrets().count(), 1);
        assert_eq!(account.base.as_str(), "https://gateway.example/");
        assert_eq!(account.types, Types::default());
        assert_eq!(account.types.word(Wallet::Alipay), Some("alipay"));
        assert_eq!(account.types.word(Wallet::Wechat), None);
    }

    #[test]
    fn every_key_has_its_effect() {
        let rotated = read(json!({"appsecret_previous": "yesterday"})).unwrap();
        assert!(rotated.appsecret.matches("s3cr3t-Of-Shop-One"), "the current one signs");
        assert_eq!(rotated.secrets().count(), 2);
        let plain = json!({"base_url": "http://gateway.example/pay", "allow_plain_http": true});
        assert_eq!(read(plain).unwrap().base.as_str(), "http://gateway.example/pay");
        assert!(read(json!({"base_url": "http://127.0.0.1:8080"})).is_ok());
    }

    #[test]
    fn types_are_a_list_of_wallets_or_a_table_of_words() {
        let both = read(json!({"types": ["alipay", "wechat"]})).unwrap().types;
        assert_eq!(both.wallet("wechat"), Some(Wallet::Wechat));
        assert_eq!(both.wallets().count(), 2);
        let table = read(json!({"types": {"wechat": "wxpay"}})).unwrap().types;
        assert_eq!(
            (table.word(Wallet::Wechat), table.wallet("wxpay")),
            (Some("wxpay"), Some(Wallet::Wechat))
        );
        assert_eq!((table.wallet("alipay"), table.wallet("wechat")), (None, None));
    }

    #[test]
    fn names_the_key_that_breaks_its_rule() {
        for name in ["appkey", "appsecret", "base_url"] {
            check(json!({name: null}), &[name]);
            check(json!({name: ""}), &[name]);
            check(json!({name: 7}), &[name]);
            check(json!({name: "a b"}), &[name]);
        }
        for name in ["appkey", "appsecret", "appsecret_previous"] {
            check(json!({name: "x".repeat(129)}), &[name]);
            check(json!({name: "密"}), &[name]);
        }
        check(json!({"base_url": "http://gateway.example"}), &["base_url"]);
        check(json!({"base_url": "https://gateway.example/?a=1"}), &["base_url"]);
        check(json!({"base_url": ["https://gateway.example"]}), &["base_url"]);
        check(json!({"allow_plain_http": "yes"}), &["allow_plain_http"]);
        for bad in [
            json!("alipay"),
            json!([]),
            json!({}),
            json!([1]),
            json!({"alipay": 1}),
            json!(["alipai"]),
            json!({"alipay": "1pay"}),
            json!({"alipay": "支付宝"}),
            json!({"alipay": ""}),
            json!(["alipay", "alipay"]),
            json!({"alipay": "x", "wechat": "x"}),
        ] {
            check(json!({"types": bad}), &["types"]);
        }
        check(json!({"appid": "x"}), &["appid"]);
        check(
            json!({"appkey": null, "appsecret": null, "base_url": null}),
            &["appkey", "appsecret", "base_url"],
        );

        #[track_caller]
        fn check(patch: Value, want: &[&str]) {
            let errors = read(patch.clone()).unwrap_err();
            assert_eq!(errors.iter().map(|error| error.key.as_str()).collect::<Vec<_>>(), want, "{patch}");
        }
    }

    #[test]
    fn no_error_holds_a_secret() {
        let errors =
            read(json!({"appsecret": "s3cr3t with blanks", "appsecret_previous": "old s3cr3t"})).unwrap_err();
        assert_eq!(errors.len(), 2);
        assert!(errors.iter().all(|error| !error.to_string().contains("s3cr3t")), "{errors:?}");
    }
}
