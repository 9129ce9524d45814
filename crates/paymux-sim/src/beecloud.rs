//! BeeCloud, simulated.
//!
//! Not here: its wire, which is the plugin's acceptor.

use std::sync::Arc;

use md5::{Digest, Md5};
use paymux_core::acceptor::{Acceptor, FrontPay, FrontRead, FrontRefusal};
use paymux_core::provider::Settings;
use paymux_core::{Money, NextAction, Product, WireRequest};
use serde_json::{Value, json};

use crate::config::{SimAccount, SimConfig, StartError};
use crate::dialect::{Dialect, Seen};
use crate::dice::Dice;
use crate::simulator::{Running, Simulator};

/// A simulated BeeCloud.
#[derive(Debug)]
pub struct BeeCloudSim;

impl BeeCloudSim {
    /// Starts it. It serves until [`Running::stop`], or until the handle is dropped.
    ///
    /// # Errors
    /// When the set-up is wrong or the address cannot be had.
    pub async fn start(config: SimConfig) -> Result<Running, StartError> {
        let acceptor = paymux_beecloud::provider().acceptor().ok_or(StartError::NoAcceptor)?;
        Simulator::start(Arc::new(BeeCloud { acceptor }), config).await
    }

    /// An account with made-up credentials: the same seed gives the same ones. `app_id`,
    /// `app_secret` and `master_secret` of its settings go into the channel that calls it.
    pub fn account(key: &str, seed: u64, notify_url: Option<String>) -> SimAccount {
        let dice = Dice::seeded(seed ^ 0x0BEE_C10D);
        let mut settings = Settings::new();
        for name in ["app_id", "app_secret", "master_secret"] {
            settings.insert(name.to_owned(), Value::from(dice.uuid()));
        }
        SimAccount { key: key.to_owned(), settings, retired: Settings::new(), notify_url }
    }
}

/// What is BeeCloud's own beside its wire.
pub(crate) struct BeeCloud {
    pub(crate) acceptor: Arc<dyn Acceptor>,
}

impl Dialect for BeeCloud {
    fn acceptor(&self) -> Arc<dyn Acceptor> {
        self.acceptor.clone()
    }

    /// `^[0-9A-Za-z]{8,32}$`.
    ///
    /// Source: BeeCloud V2 document, create a bill, `bill_no`. A front takes more, BeeCloud does not.
    fn refuses(&self, pay: &FrontPay) -> Option<FrontRefusal> {
        let good =
            (8..=32).contains(&pay.number.len()) && pay.number.bytes().all(|b| b.is_ascii_alphanumeric());
        let refusal = || FrontRefusal::Field {
            name: "bill_no".to_owned(),
            rule: "must be 8 to 32 letters and digits".to_owned(),
        };
        (!good).then(refusal)
    }

    fn action(&self, pay: &FrontPay, memo: &str, pay_url: &str, dice: &Dice) -> Option<NextAction> {
        match pay.method.product {
            Product::Native => Some(NextAction::Qr { qr: pay_url.to_owned() }),
            Product::Web | Product::Wap | Product::Embed | Product::Gateway | Product::Express => {
                Some(NextAction::Redirect { url: pay_url.to_owned() })
            }
            Product::App => Some(NextAction::App { params: app_params(code_in(memo), pay_url, dice) }),
            Product::Jsapi | Product::Mini => {
                Some(NextAction::Jsapi { params: bridge_params(code_in(memo), dice) })
            }
            Product::Barcode | Product::Card => None,
        }
    }

    fn has_code(&self, memo: &str, code: &str) -> bool {
        memo.split(' ').skip(1).any(|word| word == code)
    }

    /// Source: BeeCloud's API pages of 2018, revert: three codes of the till and no other.
    fn closes(&self, memo: &str) -> bool {
        matches!(code_in(memo), "WX_SCAN" | "ALI_SCAN" | "ALI_OFFLINE_QRCODE")
    }

    /// 28 digits, in the form of WeChat's.
    fn trade_no(&self, dice: &Dice) -> String {
        format!("4200{}", dice.digits(24))
    }

    fn retired(&self, settings: &Settings) -> Settings {
        changed(settings, &["app_secret", "master_secret"], "retired")
    }

    fn stranger(&self, settings: &Settings) -> Settings {
        changed(settings, &["app_id", "app_secret", "master_secret"], "stranger")
    }

    fn forged(&self, mut notice: WireRequest) -> WireRequest {
        let Ok(mut body) = serde_json::from_slice::<Value>(&notice.body) else { return notice };
        let sign = body["signature"].as_str().unwrap_or_default();
        let first = if sign.starts_with('0') { "1" } else { "0" };
        let forged = format!("{first}{}", sign.get(1..).unwrap_or_default());
        body["signature"] = Value::from(forged);
        notice.body = body.to_string().into();
        notice
    }

    fn witness(&self, request: &WireRequest, read: &FrontRead) -> Result<Seen, String> {
        let body: Value = serde_json::from_slice(&request.body).map_err(|_| "the body is not JSON")?;
        let text = |name: &str| body[name].as_str().ok_or_else(|| format!("`{name}` is not text"));
        let number =
            |name: &str| body[name].as_i64().ok_or_else(|| format!("`{name}` is not a whole number"));
        let secrets = ["app_secret", "app_secret_previous"];
        let timestamp = number("timestamp")?;
        let app_id = text("app_id")?;
        let signs = |name: &&str| {
            let secret = read.account.settings.get(*name).and_then(Value::as_str).unwrap_or_default();
            let digest = hex(&Md5::digest(format!("{app_id}{timestamp}{secret}")));
            !secret.is_empty() && text("app_sign").is_ok_and(|sign| sign.eq_ignore_ascii_case(&digest))
        };
        if !secrets.iter().any(signs) {
            return Err("`app_sign` is wrong".to_owned());
        }
        Ok(Seen {
            number: text("bill_no")?.to_owned(),
            amount: Money::fen(number("total_fee")?),
            notify_url: body["notify_url"].as_str().filter(|url| !url.is_empty()).map(str::to_owned),
        })
    }
}

fn code_in(memo: &str) -> &str {
    memo.split(' ').nth(1).unwrap_or_default()
}

/// What a wallet's SDK would get; none of it opens anything.
///
/// Source: BeeCloud V2 document, channel table, column of what each code returns.
fn app_params(code: &str, pay_url: &str, dice: &Dice) -> Value {
    match code {
        "ALI_APP" => json!({"order_string": format!("simulated={}", dice.digits(16))}),
        "BC_ALI_APP" => json!({"code_url": pay_url}),
        "UN_APP" => json!({"tn": dice.digits(21)}),
        "BD_APP" => json!({"orderInfo": format!("simulated={}", dice.digits(16))}),
        _ => json!({"app_id": "wx0000000000000000", "partner_id": dice.digits(10), "package": "Sign=WXPay",
            "nonce_str": dice.digits(16), "timestamp": "1709251200000", "pay_sign": dice.digits(32),
            "prepay_id": format!("wx{}", dice.digits(32))}),
    }
}

fn bridge_params(code: &str, dice: &Dice) -> Value {
    match code {
        "BC_ALI_JSAPI" => json!({"trade_no": dice.digits(28)}),
        _ => json!({"app_id": "wx0000000000000000", "package": format!("prepay_id=wx{}", dice.digits(32)),
            "nonce_str": dice.digits(16), "timestamp": "1709251200000", "pay_sign": dice.digits(32),
            "sign_type": "MD5"}),
    }
}

/// The same account with other values for these keys, each made from the value it replaces, so that
/// they are of its form and always the same.
fn changed(settings: &Settings, names: &[&str], why: &str) -> Settings {
    let mut other = settings.clone();
    for name in names {
        let old = settings.get(*name).and_then(Value::as_str).unwrap_or_default();
        let digits = hex(&Md5::digest(format!("{why}{name}{old}")));
        let parts = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20], &digits[20..]];
        other.insert((*name).to_owned(), Value::from(parts.join("-")));
    }
    other
}

fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .filter_map(|n| char::from_digit(n.into(), 16))
        .collect()
}

#[cfg(test)]
mod tests {
    use paymux_core::Verb;
    use paymux_core::acceptor::{FrontAccount, FrontCall};

    use super::*;

    #[test]
    fn made_up_accounts_are_good_accounts_and_follow_their_seed() {
        let acceptor = paymux_beecloud::provider().acceptor().unwrap();
        let one = BeeCloudSim::account("a", 1, None).settings;
        let two = BeeCloudSim::account("a", 2, None).settings;
        let dialect = BeeCloud { acceptor: acceptor.clone() };
        for settings in [&one, &two, &dialect.retired(&one), &dialect.stranger(&one)] {
            assert_eq!(acceptor.check_settings(settings), []);
        }
        assert_eq!(one, BeeCloudSim::account("a", 1, None).settings);
        assert_ne!(one, two);
        assert_eq!(dialect.retired(&one)["app_id"], one["app_id"]);
        assert_ne!(dialect.retired(&one)["master_secret"], one["master_secret"]);
        assert_ne!(dialect.stranger(&one)["app_id"], one["app_id"]);
    }

    /// Source: vector bc-v1.
    #[test]
    fn the_bank_reads_a_create_by_itself() {
        let app_id = "7c9f2f1e-3a44-4c8b-9d21-5b0e6f7a8c90";
        let create = json!({"app_id": app_id, "timestamp": 1_709_251_200_000_i64, "bill_no": "PMX20240301000001",
            "app_sign": "43115fee5e62264f182da1d57bcef9a2", "total_fee": 1023, "notify_url": "https://h/n"});
        let seen = witness(&create, "1f0e2d3c-4b5a-4978-8695-a4b3c2d1e0f9").unwrap();
        let want = Seen {
            number: "PMX20240301000001".to_owned(),
            amount: Money::fen(1023),
            notify_url: Some("https://h/n".to_owned()),
        };
        assert_eq!(seen, want);
        assert_eq!(
            witness(&create, "9e8d7c6b-5a49-4382-b1a0-0f1e2d3c4b5a"),
            Err("`app_sign` is wrong".to_owned())
        );
        assert_eq!(witness(&create, ""), Err("`app_sign` is wrong".to_owned()));
        for field in ["app_id", "timestamp", "app_sign", "bill_no", "total_fee"] {
            let mut without = create.clone();
            without[field] = Value::Null;
            assert!(witness(&without, "1f0e2d3c-4b5a-4978-8695-a4b3c2d1e0f9").is_err(), "{field}");
        }

        fn witness(create: &Value, app_secret: &str) -> Result<Seen, String> {
            let dialect = BeeCloud { acceptor: paymux_beecloud::provider().acceptor().unwrap() };
            let settings = json!({"app_secret": app_secret}).as_object().unwrap().clone();
            let read = FrontRead {
                account: FrontAccount { key: "main".to_owned(), settings },
                call: FrontCall::Query { number: String::new() },
                memo: String::new(),
            };
            let request =
                WireRequest::new(Verb::Post, "/2/rest/bill").body("application/json", create.to_string());
            dialect.witness(&request, &read)
        }
    }

    #[test]
    fn three_codes_can_be_revoked() {
        let dialect = BeeCloud { acceptor: paymux_beecloud::provider().acceptor().unwrap() };
        for (memo, want) in [
            ("offline WX_SCAN WX", true),
            ("offline ALI_SCAN ALI", true),
            ("bill ALI_OFFLINE_QRCODE ALI", true),
            ("offline WX_NATIVE WX", false),
            ("offline BC_WX_SCAN BC", false),
            ("bill ALI_WEB ALI", false),
            ("", false),
        ] {
            assert_eq!(dialect.closes(memo), want, "{memo}");
        }
    }

    #[test]
    fn codes_and_groups_are_words_of_the_memo() {
        let dialect = BeeCloud { acceptor: paymux_beecloud::provider().acceptor().unwrap() };
        for (code, want) in [("WX_NATIVE", true), ("WX", true), ("ALI", false), ("bill", false), ("W", false)]
        {
            assert_eq!(dialect.has_code("bill WX_NATIVE WX", code), want, "{code}");
        }
    }
}
