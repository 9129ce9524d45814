//! FuFu, simulated.
//!
//! Not here: its wire, which is the plugin's acceptor.

use std::sync::Arc;
use std::time::Duration;

use md5::{Digest, Md5};
use paymux_core::acceptor::{Acceptor, FrontPay, FrontRead, FrontRefusal};
use paymux_core::provider::Settings;
use paymux_core::{Currency, Money, NextAction, Product, Wallet, WireRequest};
use serde_json::{Value, json};

use crate::books::refunds::REFUNDS_MAX;
use crate::config::{SimAccount, SimConfig, StartError};
use crate::dialect::{Dialect, Ending, RefundCourse, Seen, SeenRefund};
use crate::dice::Dice;
use crate::simulator::{Running, Simulator};

/// How soon after it was made an order of a till can be cancelled.
const CANCEL_NOT_BEFORE: Duration = Duration::from_secs(15);
/// The hours of China in which one can be cancelled, from and to.
const CANCEL_HOURS: std::ops::Range<i64> = 1..23;
const HOUR_MS: i64 = 3_600_000;
/// How far China's clocks are ahead of UTC, in hours.
const CHINA_HOURS: i64 = 8;

/// A simulated FuFu.
#[derive(Debug)]
pub struct FufuSim;

impl FufuSim {
    /// Starts it. It serves until [`Running::stop`], or until the handle is dropped. As many refunds of one
    /// order may succeed as its money allows, whatever the set-up says.
    ///
    /// # Errors
    /// When the set-up is wrong or the address cannot be had.
    pub async fn start(config: SimConfig) -> Result<Running, StartError> {
        let acceptor = paymux_fufu::provider().acceptor().ok_or(StartError::NoAcceptor)?;
        let config = SimConfig { refunds_per_order: REFUNDS_MAX, ..config };
        Simulator::start(Arc::new(Fufu { acceptor }), config).await
    }

    /// An account with made-up credentials: the same seed gives the same ones. `busi_id` and `key` of its
    /// settings go into the channel that calls it.
    pub fn account(key: &str, seed: u64, notify_url: Option<String>) -> SimAccount {
        let dice = Dice::seeded(seed ^ 0xF0F0);
        let mut settings = Settings::new();
        settings.insert("busi_id".to_owned(), Value::from(format!("1{}", dice.digits(14))));
        settings.insert("key".to_owned(), Value::from(dice.uuid().replace('-', "")));
        SimAccount { key: key.to_owned(), settings, retired: Settings::new(), notify_url }
    }
}

/// What is FuFu's own beside its wire.
pub(crate) struct Fufu {
    pub(crate) acceptor: Arc<dyn Acceptor>,
}

impl Dialect for Fufu {
    fn acceptor(&self) -> Arc<dyn Acceptor> {
        self.acceptor.clone()
    }

    /// Its calls append the operation alone.
    fn base_path(&self) -> &'static str {
        "/gateway/pay"
    }

    /// At most 32 characters at a till, 50 elsewhere.
    ///
    /// Source: FuFu interface 1.1.1, tables of `order` and `preOrder`, `out_trade_no`. A front takes more.
    fn refuses(&self, pay: &FrontPay) -> Option<FrontRefusal> {
        let most = if pay.auth_code.is_some() { 32 } else { 50 };
        let refusal = || FrontRefusal::Field {
            name: "out_trade_no".to_owned(),
            rule: format!("must be at most {most} characters"),
        };
        (pay.number.len() > most).then(refusal)
    }

    /// What a wallet's bridge would get opens nothing.
    fn action(&self, pay: &FrontPay, _memo: &str, pay_url: &str, dice: &Dice) -> Option<NextAction> {
        match (pay.method.product, pay.method.wallet) {
            (Product::Native, _) => Some(NextAction::Qr { qr: pay_url.to_owned() }),
            (Product::Jsapi, Wallet::Alipay) => {
                Some(NextAction::Jsapi { params: json!({"prePayId": dice.digits(28)}) })
            }
            (Product::Jsapi, _) => Some(NextAction::Jsapi {
                params: json!({"appId": "wx0000000000000000", "timeStamp": "1709251200000", "status": "1",
                    "signType": "MD5", "package": format!("prepay_id=wx{}", dice.digits(32)), "callback_url": null,
                    "nonceStr": dice.digits(16), "paySign": dice.digits(32)}),
            }),
            _ => None,
        }
    }

    /// It lists nothing.
    fn has_code(&self, _memo: &str, _code: &str) -> bool {
        false
    }

    /// A `cancel` ends orders of a till, 15 s or more after they were made and from 01:00 to 23:00 in China; a
    /// `close` ends the others, at any time.
    ///
    /// Source: FuFu interface 1.1.1, `cancel` and `close`.
    fn closes(&self, ending: Ending<'_>) -> bool {
        let is_till = ending.order.starts_with("order ");
        let hour = (ending.now.ms().div_euclid(HOUR_MS) + CHINA_HOURS).rem_euclid(24);
        match ending.call {
            "cancel" => is_till && ending.age >= CANCEL_NOT_BEFORE && CANCEL_HOURS.contains(&hour),
            "close" => !is_till,
            _ => false,
        }
    }

    /// An order that is not paid in its time is cancelled by itself.
    fn tells_expired_as_closed(&self) -> bool {
        true
    }

    /// A refund is accepted, and its end is asked for.
    fn refund_course(&self, _order_memo: &str, _call_memo: &str) -> Option<RefundCourse> {
        Some(RefundCourse::Later)
    }

    fn shows_refunds_unasked(&self, _order_memo: &str) -> bool {
        true
    }

    /// Nothing tells of a refund.
    fn announces_refunds(&self, _order_memo: &str) -> bool {
        false
    }

    /// 28 digits, in the form of WeChat's.
    fn trade_no(&self, dice: &Dice) -> String {
        format!("4200{}", dice.digits(24))
    }

    fn retired(&self, settings: &Settings) -> Settings {
        with_key(settings, "retired")
    }

    fn stranger(&self, settings: &Settings) -> Settings {
        let mut other = with_key(settings, "stranger");
        let busi_id = settings.get("busi_id").and_then(Value::as_str).unwrap_or_default();
        let turned: String = busi_id.chars().rev().collect();
        other.insert("busi_id".to_owned(), Value::from(format!("2{turned}").get(..15).unwrap_or("2")));
        other
    }

    fn forged(&self, mut notice: WireRequest) -> WireRequest {
        let Some(sign) = notice.query.as_deref().and_then(|query| query.strip_prefix("sign=")) else {
            return notice;
        };
        let first = if sign.starts_with('0') { "1" } else { "0" };
        notice.query = Some(format!("sign={first}{}", sign.get(1..).unwrap_or_default()));
        notice
    }

    fn witness(&self, request: &WireRequest, read: &FrontRead) -> Result<Seen, String> {
        let body = Body::signed(request, read)?;
        let is_till = request.path.ends_with("/order");
        Ok(Seen {
            number: body.text("out_trade_no")?,
            amount: body.money("total_fee")?,
            notify_url: body.text("notifyUrl").ok().filter(|url| !is_till && !url.is_empty()),
        })
    }

    /// By the platform's number, where one is given: it is the client's own behind one letter.
    fn witness_refund(&self, request: &WireRequest, read: &FrontRead) -> Result<SeenRefund, String> {
        let body = Body::signed(request, read)?;
        let order = match body.text("trade_no") {
            Ok(trade_no) if !trade_no.is_empty() => trade_no.chars().skip(1).collect(),
            _ => body.text("out_trade_no")?,
        };
        Ok(SeenRefund {
            number: body.text("out_refund_no")?,
            order,
            amount: body.money("refund_fee")?,
            notify_url: None,
        })
    }
}

/// The bank's own reading of a call's body.
struct Body(Value);

impl Body {
    /// A body whose sign, in the query, one of the account's keys made.
    fn signed(request: &WireRequest, read: &FrontRead) -> Result<Self, String> {
        let sign = request.query_value("sign").ok_or("there is no `sign`")?;
        let (digest, timestamp) = sign.split_once(':').ok_or("`sign` has no colon")?;
        let squeezed: Vec<u8> =
            request.body.iter().copied().filter(|byte| ![b' ', b'\r', b'\n'].contains(byte)).collect();
        let signs = |name: &str| {
            let key = read.account.settings.get(name).and_then(Value::as_str).unwrap_or_default();
            let text = [timestamp.as_bytes(), key.as_bytes(), &squeezed].concat();
            !key.is_empty() && hex(&Md5::digest(text)) == digest
        };
        if !["key", "key_previous"].into_iter().any(signs) {
            return Err("`sign` is wrong".to_owned());
        }
        serde_json::from_slice(&request.body).map(Self).map_err(|_| "the body is not JSON".to_owned())
    }

    /// A text, or a number's digits.
    fn text(&self, name: &str) -> Result<String, String> {
        match &self.0[name] {
            Value::String(text) => Ok(text.clone()),
            Value::Number(number) => Ok(number.to_string()),
            _ => Err(format!("`{name}` is not text")),
        }
    }

    fn money(&self, name: &str) -> Result<Money, String> {
        let minor = self.text(name)?.parse().map_err(|_| format!("`{name}` is not a whole number"))?;
        let code = self.text("fee_type").ok().filter(|code| !code.is_empty() && code != "CHY");
        let currency = Currency::from_code(code.as_deref().unwrap_or("CNY"));
        Ok(Money::new(minor, currency.ok_or("`fee_type` is no currency")?))
    }
}

/// The same account with another key, made from the one that it replaces, so that it is of its form and always
/// the same.
fn with_key(settings: &Settings, why: &str) -> Settings {
    let mut other = settings.clone();
    let old = settings.get("key").and_then(Value::as_str).unwrap_or_default();
    other.insert("key".to_owned(), Value::from(hex(&Md5::digest(format!("{why}{old}")))));
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

    fn dialect() -> Fufu {
        Fufu { acceptor: paymux_fufu::provider().acceptor().unwrap() }
    }

    #[test]
    fn made_up_accounts_are_good_accounts_and_follow_their_seed() {
        let dialect = dialect();
        let one = FufuSim::account("a", 1, None).settings;
        let two = FufuSim::account("a", 2, None).settings;
        for settings in [&one, &two, &dialect.retired(&one), &dialect.stranger(&one)] {
            assert_eq!(dialect.acceptor.check_settings(settings), []);
        }
        assert_eq!(one, FufuSim::account("a", 1, None).settings);
        assert_ne!(one, two);
        assert_eq!(dialect.retired(&one)["busi_id"], one["busi_id"]);
        assert_ne!(dialect.retired(&one)["key"], one["key"]);
        assert_ne!(dialect.stranger(&one)["busi_id"], one["busi_id"]);
    }

    fn read_by(key: &str) -> FrontRead {
        FrontRead {
            account: FrontAccount {
                key: "main".to_owned(),
                settings: json!({"key": key}).as_object().unwrap().clone(),
            },
            call: FrontCall::Query { number: String::new() },
            memo: String::new(),
        }
    }

    /// Source: vectors ff-s1 and ff-s3.
    #[test]
    fn the_bank_reads_a_create_by_itself() {
        let body = |subject: &str| {
            format!(
                r#"{{"busi_id":"100000000000001","operator_id":"op1","terminal_id":"t1","total_fee":"250","channel_type":"1","auth_code":"281234567890123456","pay_subject":"{subject}","out_trade_no":"PMX20240301000001","fee_type":"CNY"}}"#
            )
        };
        let check = |subject: &str, sign: &str, key: &str| {
            let request = WireRequest::new(Verb::Post, "/gateway/pay/order")
                .query(format!("sign={sign}"))
                .body("application/json", body(subject));
            dialect().witness(&request, &read_by(key))
        };
        let want = Seen { number: "PMX20240301000001".to_owned(), amount: Money::fen(250), notify_url: None };
        let one = "e25401af2683d1387346dfc25298da2f:1709251200000";
        assert_eq!(check("coffee", one, "11111111111111111111111111111111"), Ok(want.clone()));
        let three = "c8d039ada0e2d8d1e98fdd1f846ccac5:1709251200002";
        assert_eq!(check("red shoes size 42", three, "9f86d081884c7d659a2feaa0c55ad015"), Ok(want));
        for (subject, sign, key) in [
            ("coffe", one, "11111111111111111111111111111111"),
            ("coffee", one, "9f86d081884c7d659a2feaa0c55ad015"),
            ("coffee", one, ""),
            ("coffee", "e25401af2683d1387346dfc25298da2f", "11111111111111111111111111111111"),
            ("coffee", "E25401AF2683D1387346DFC25298DA2F:1709251200000", "11111111111111111111111111111111"),
        ] {
            assert!(check(subject, sign, key).is_err(), "{subject} {sign}");
        }
    }

    #[test]
    fn the_bank_reads_a_refund_by_itself() {
        let refund = |patch: Value| {
            let mut body =
                json!({"out_trade_no": "A1", "out_refund_no": "R1", "refund_fee": "50", "fee_type": "THB"});
            body.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
            let body = body.to_string();
            let digest = hex(&Md5::digest(format!("1709251200000k{body}")));
            let request = WireRequest::new(Verb::Post, "/gateway/pay/refund")
                .query(format!("sign={digest}:1709251200000"))
                .body("application/json", body);
            dialect().witness_refund(&request, &read_by("k"))
        };
        let seen = refund(json!({})).unwrap();
        let baht = Currency::from_code("THB").unwrap();
        assert_eq!(
            (seen.number.as_str(), seen.order.as_str(), seen.amount),
            ("R1", "A1", Money::new(50, baht))
        );
        assert_eq!(refund(json!({"trade_no": "PB2"})).unwrap().order, "B2", "the platform's number wins");
        assert_eq!(refund(json!({"refund_fee": 50, "fee_type": null})).unwrap().amount, Money::fen(50));
        for bad in [json!({"out_refund_no": null}), json!({"refund_fee": "x"}), json!({"fee_type": "x"})] {
            assert!(refund(bad.clone()).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_till_is_cancelled_in_its_hours_and_the_rest_is_closed() {
        let check = |order: &str, call: &str, seconds: u64, time: &str, want: bool| {
            let now = format!("2024-03-01T{time}+08:00").parse().unwrap();
            let ending = Ending { order, call, age: Duration::from_secs(seconds), now };
            assert_eq!(dialect().closes(ending), want, "{order} {call} {seconds} {time}");
        };
        check("order 1 1709251200000", "cancel", 15, "12:00:00", true);
        check("order 1 1709251200000", "cancel", 14, "12:00:00", false);
        check("order 1 1709251200000", "cancel", 60, "01:00:00", true);
        check("order 1 1709251200000", "cancel", 60, "00:59:59", false);
        check("order 1 1709251200000", "cancel", 60, "22:59:59", true);
        check("order 1 1709251200000", "cancel", 60, "23:00:00", false);
        check("order 1 1709251200000", "close", 60, "12:00:00", false);
        check("preOrder QRCODE 0", "close", 0, "23:30:00", true);
        check("preOrder QRCODE 0", "cancel", 60, "12:00:00", false);
    }

    #[test]
    fn a_forged_notice_has_another_sign_of_the_same_form() {
        let notice = |sign: &str| WireRequest::new(Verb::Post, "/").query(format!("sign={sign}"));
        let forged = |sign: &str| dialect().forged(notice(sign)).query.unwrap();
        assert_eq!(forged("e2:1"), "sign=02:1");
        assert_eq!(forged("02:1"), "sign=12:1");
    }
}
