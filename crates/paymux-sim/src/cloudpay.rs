//! cloudpay, simulated.
//!
//! Not here: its wire, which is the plugin's acceptor. The accounts behind the gateway (its sessions) are not played:
//! an order waits for its payer on one page, whichever session would have taken it.

use std::sync::Arc;

use md5::{Digest, Md5};
use paymux_core::acceptor::{Acceptor, FrontPay, FrontRead, FrontRefusal};
use paymux_core::provider::Settings;
use paymux_core::{Money, NextAction, WireRequest};
use percent_encoding::percent_decode_str;
use serde_json::Value;

use crate::config::{SimAccount, SimConfig, StartError};
use crate::dialect::{Dialect, Ending, RefundCourse, Seen, SeenRefund};
use crate::dice::Dice;
use crate::simulator::{Running, Simulator};

/// A simulated cloudpay gateway.
#[derive(Debug)]
pub struct CloudPaySim;

impl CloudPaySim {
    /// Starts it. It serves until [`Running::stop`], or until the handle is dropped.
    ///
    /// # Errors
    /// When the set-up is wrong or the address cannot be had.
    pub async fn start(config: SimConfig) -> Result<Running, StartError> {
        let acceptor = paymux_cloudpay::provider().acceptor().ok_or(StartError::NoAcceptor)?;
        Simulator::start(Arc::new(CloudPay { acceptor }), config).await
    }

    /// A merchant with made-up credentials: the same seed gives the same ones. `appkey` and `appsecret` of its
    /// settings go into the channel that calls it; its callback address is an account's here, as it is there.
    pub fn account(key: &str, seed: u64, notify_url: Option<String>) -> SimAccount {
        let dice = Dice::seeded(seed ^ 0x00C1_00D0);
        let mut settings = Settings::new();
        for name in ["appkey", "appsecret"] {
            settings.insert(name.to_owned(), Value::from(dice.uuid().replace('-', "")));
        }
        SimAccount { key: key.to_owned(), settings, retired: Settings::new(), notify_url }
    }
}

/// What is cloudpay's own beside its wire.
pub(crate) struct CloudPay {
    pub(crate) acceptor: Arc<dyn Acceptor>,
}

impl Dialect for CloudPay {
    fn acceptor(&self) -> Arc<dyn Acceptor> {
        self.acceptor.clone()
    }

    /// No form of a number is stated.
    fn refuses(&self, _pay: &FrontPay) -> Option<FrontRefusal> {
        None
    }

    fn action(&self, _pay: &FrontPay, _memo: &str, pay_url: &str, _dice: &Dice) -> Option<NextAction> {
        Some(NextAction::Redirect { url: pay_url.to_owned() })
    }

    fn has_code(&self, memo: &str, code: &str) -> bool {
        memo.split(' ').next() == Some(code)
    }

    /// Source: cloudpay's integration document has one call.
    fn closes(&self, _ending: Ending<'_>) -> bool {
        false
    }

    fn refund_course(&self, _order_memo: &str, _call_memo: &str) -> Option<RefundCourse> {
        None
    }

    fn shows_refunds_unasked(&self, _order_memo: &str) -> bool {
        true
    }

    fn announces_refunds(&self, _order_memo: &str) -> bool {
        false
    }

    /// 28 digits, in the form of Alipay's. No message of this protocol shows it.
    fn trade_no(&self, dice: &Dice) -> String {
        format!("2024{}", dice.digits(24))
    }

    fn retired(&self, settings: &Settings) -> Settings {
        changed(settings, &["appsecret"], "retired")
    }

    fn stranger(&self, settings: &Settings) -> Settings {
        changed(settings, &["appkey", "appsecret"], "stranger")
    }

    fn forged(&self, mut notice: WireRequest) -> WireRequest {
        let body = String::from_utf8_lossy(&notice.body).into_owned();
        let Some((fields, sign)) = body.rsplit_once("sign=") else { return notice };
        let first = if sign.starts_with('0') { "1" } else { "0" };
        notice.body = format!("{fields}sign={first}{}", sign.get(1..).unwrap_or_default()).into();
        notice
    }

    fn witness(&self, request: &WireRequest, read: &FrontRead) -> Result<Seen, String> {
        let form = Form::of(request)?;
        let text: String =
            ["appkey", "price", "type", "out_order_id", "custom"].map(|name| form.value(name)).concat();
        let inner = hex(&Md5::digest(text));
        let signs = |name: &str| {
            let secret = read.account.settings.get(name).and_then(Value::as_str).unwrap_or_default();
            !secret.is_empty() && form.value("sign") == hex(&Md5::digest(format!("{inner}{secret}")))
        };
        if !signs("appsecret") && !signs("appsecret_previous") {
            return Err("`sign` is wrong".to_owned());
        }
        let number = form.value("out_order_id");
        if number.is_empty() {
            return Err("`out_order_id` is missing".to_owned());
        }
        Ok(Seen { number, amount: Money::fen(fen(&form.value("price"))?), notify_url: None })
    }

    fn witness_refund(&self, _request: &WireRequest, _read: &FrontRead) -> Result<SeenRefund, String> {
        Err("cloudpay has no refunds".to_owned())
    }
}

/// The bank's own reading of a form.
struct Form(Vec<(String, String)>);

impl Form {
    fn of(request: &WireRequest) -> Result<Self, String> {
        let text = std::str::from_utf8(&request.body).map_err(|_| "the body is not UTF-8")?;
        let decoded = |text: &str| {
            let spaced = text.replace('+', " ");
            percent_decode_str(&spaced).decode_utf8().map(std::borrow::Cow::into_owned)
        };
        let pairs = text.split('&').map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((name.to_owned(), decoded(value).map_err(|_| format!("`{name}` is not UTF-8"))?))
        });
        pairs.collect::<Result<_, String>>().map(Self)
    }

    fn value(&self, name: &str) -> String {
        self.0.iter().find(|(own, _)| own == name).map(|(_, value)| value.clone()).unwrap_or_default()
    }
}

/// Fen of yuan with exactly two decimals.
fn fen(price: &str) -> Result<i64, String> {
    let wrong = || format!("`price` is `{price}`");
    let (yuan, rest) = price.split_once('.').ok_or_else(wrong)?;
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if rest.len() != 2 || !digits(yuan) || !digits(rest) {
        return Err(wrong());
    }
    format!("{yuan}{rest}").parse().map_err(|_| wrong())
}

/// The same account with other values for these keys, each made from the value it replaces, so that they are always
/// the same.
fn changed(settings: &Settings, names: &[&str], why: &str) -> Settings {
    let mut other = settings.clone();
    for name in names {
        let old = settings.get(*name).and_then(Value::as_str).unwrap_or_default();
        other.insert((*name).to_owned(), Value::from(hex(&Md5::digest(format!("{why}{name}{old}")))));
    }
    other
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.filter_map(|n| char::from_digit(n.into(), 16)).collect()
}

#[cfg(test)]
mod tests {
    use paymux_core::Verb;
    use paymux_core::acceptor::{FrontAccount, FrontCall};
    use serde_json::json;

    use super::*;

    fn dialect() -> CloudPay {
        CloudPay { acceptor: paymux_cloudpay::provider().acceptor().unwrap() }
    }

    #[test]
    fn made_up_accounts_are_good_accounts_and_follow_their_seed() {
        let dialect = dialect();
        let one = CloudPaySim::account("a", 1, None).settings;
        let two = CloudPaySim::account("a", 2, None).settings;
        for settings in [&one, &two, &dialect.retired(&one), &dialect.stranger(&one)] {
            assert_eq!(dialect.acceptor().check_settings(settings), []);
        }
        assert_eq!(one, CloudPaySim::account("a", 1, None).settings);
        assert_ne!(one, two);
        assert_eq!(dialect.retired(&one)["appkey"], one["appkey"]);
        assert_ne!(dialect.retired(&one)["appsecret"], one["appsecret"]);
        assert_ne!(dialect.stranger(&one)["appkey"], one["appkey"]);
    }

    /// Source: vectors cp-s1 and cp-s3.
    #[test]
    fn the_bank_reads_a_create_by_itself() {
        let first = "appkey=0f1e2d3c4b5a69788796a5b4c3d2e1f0&price=10.23&type=alipay&out_order_id=PMX20240301000001\
             &custom=user_42&sign=e1796ffba8fb24e3706479dfbdb6d8b6";
        let secret = json!({"appsecret": "s3cr3t-Of-Shop-One"});
        let seen = |number: &str, fen| {
            Ok(Seen { number: number.to_owned(), amount: Money::fen(fen), notify_url: None })
        };
        assert_eq!(witness(first, &secret), seen("PMX20240301000001", 1023));
        let previous = json!({"appsecret": "new", "appsecret_previous": "s3cr3t-Of-Shop-One"});
        assert_eq!(witness(first, &previous), seen("PMX20240301000001", 1023));
        let third = "appkey=aabbccddeeff00112233445566778899&price=0.50&type=alipay&out_order_id=PMX20240301000003\
             &custom=%E5%BC%A0%E4%B8%89+VIP&sign=335561ee3e0e62a3561e08f49fb303c8";
        assert_eq!(
            witness(third, &json!({"appsecret": "ZZ91kq0PlwmX77bbN2hT5dRv8cYu4eLo"})),
            seen("PMX20240301000003", 50)
        );
        let wrong = Err("`sign` is wrong".to_owned());
        assert_eq!(witness(first, &json!({"appsecret": "x"})), wrong);
        assert_eq!(witness(first, &json!({"appsecret": ""})), wrong);
        for (old, new) in
            [("10.23", "10.24"), ("user_42", "user_4"), ("sign=e1", "sign=E1"), ("alipay", "alipa")]
        {
            assert_eq!(witness(&first.replace(old, new), &secret), wrong, "{new}");
        }

        fn witness(form: &str, settings: &Value) -> Result<Seen, String> {
            let read = FrontRead {
                account: FrontAccount {
                    key: "main".to_owned(),
                    settings: settings.as_object().unwrap().clone(),
                },
                call: FrontCall::Query { number: String::new() },
                memo: String::new(),
            };
            let request = WireRequest::new(Verb::Post, "/api/cloudpay/create")
                .body("application/x-www-form-urlencoded", form.to_owned());
            dialect().witness(&request, &read)
        }
    }

    #[test]
    fn the_bank_reads_two_decimals_and_nothing_else() {
        check("10.23", Some(1023));
        check("0.05", Some(5));
        for bad in ["10", "10.2", "10.234", ".23", "10.", "-1.00", "1e2", "99999999999999999999.00"] {
            check(bad, None);
        }

        #[track_caller]
        fn check(price: &str, want: Option<i64>) {
            assert_eq!(fen(price).ok(), want, "{price}");
        }
    }

    #[test]
    fn there_is_neither_refund_nor_close() {
        let dialect = dialect();
        assert_eq!(dialect.refund_course("alipay x", "refund"), None);
        let now = paymux_core::Timestamp::from_ms(0);
        let ending = Ending { order: "alipay x", call: "close", age: std::time::Duration::ZERO, now };
        assert!(!dialect.closes(ending) && !dialect.announces_refunds("alipay x"));
        assert!(dialect.has_code("alipay x", "alipay") && !dialect.has_code("alipay x", "x"));
    }
}
