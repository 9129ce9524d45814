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
use crate::dialect::{Dialect, Ending, RefundCourse, Seen, SeenRefund};
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
    fn closes(&self, ending: Ending<'_>) -> bool {
        matches!(code_in(ending.order), "WX_SCAN" | "ALI_SCAN" | "ALI_OFFLINE_QRCODE")
    }

    /// The path family that made the order takes its refund; codes of both paths are taken by both.
    /// Alipay online wants a password on a page; a till refunds at once.
    ///
    /// Source: BeeCloud V2 document, refund and offline refund; reading B12 of the reference.
    fn refund_course(&self, order_memo: &str, call_memo: &str) -> Option<RefundCourse> {
        let is_till_call = call_memo == "offline_refund";
        let is_till_order = order_memo.starts_with("offline ");
        let on_both = matches!(code_in(order_memo), "WX_NATIVE" | "ALI_OFFLINE_QRCODE" | "BC_ALI_QRCODE");
        match (is_till_call, group_in(order_memo)) {
            _ if is_till_call != is_till_order && !on_both => None,
            (true, _) => Some(RefundCourse::AtOnce),
            (false, "ALI") => Some(RefundCourse::Page),
            (false, _) => Some(RefundCourse::Later),
        }
    }

    /// Source: BeeCloud V2 document, `refund/status`.
    fn shows_refunds_unasked(&self, order_memo: &str) -> bool {
        !matches!(group_in(order_memo), "WX" | "YEE" | "KUAIQIAN" | "BD")
    }

    /// Source: BeeCloud V2 document, `refund/status`, and reading B13 of the reference.
    fn announces_refunds(&self, order_memo: &str) -> bool {
        matches!(group_in(order_memo), "ALI" | "UN" | "JD")
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
        let body = Body::signed(request, read, &["app_secret", "app_secret_previous"])?;
        Ok(Seen {
            number: body.text("bill_no")?,
            amount: Money::fen(body.number("total_fee")?),
            notify_url: body.notify_url(),
        })
    }

    fn witness_refund(&self, request: &WireRequest, read: &FrontRead) -> Result<SeenRefund, String> {
        let master = ["master_secret", "master_secret_previous"];
        let any = ["master_secret", "master_secret_previous", "app_secret", "app_secret_previous"];
        let app_may = read.account.settings.get("app_secret_moves_money") == Some(&Value::Bool(true));
        let body = Body::signed(request, read, if app_may { &any } else { &master })?;
        let is_online = !request.path.contains("/offline/");
        Ok(SeenRefund {
            number: body.text("refund_no")?,
            order: body.text("bill_no")?,
            amount: Money::fen(body.number("refund_fee")?),
            notify_url: body.notify_url().filter(|_| is_online),
        })
    }
}

/// The bank's own reading of a call's body.
struct Body(Value);

impl Body {
    /// A body whose `app_sign` one of these secrets made.
    fn signed(request: &WireRequest, read: &FrontRead, secrets: &[&str]) -> Result<Self, String> {
        let body = serde_json::from_slice(&request.body).map_err(|_| "the body is not JSON")?;
        let body = Self(body);
        let (app_id, timestamp) = (body.text("app_id")?, body.number("timestamp")?);
        let signs = |name: &&str| {
            let secret = read.account.settings.get(*name).and_then(Value::as_str).unwrap_or_default();
            let digest = hex(&Md5::digest(format!("{app_id}{timestamp}{secret}")));
            !secret.is_empty() && body.text("app_sign").is_ok_and(|sign| sign.eq_ignore_ascii_case(&digest))
        };
        if secrets.iter().any(signs) { Ok(body) } else { Err("`app_sign` is wrong".to_owned()) }
    }

    fn text(&self, name: &str) -> Result<String, String> {
        self.0[name].as_str().map(str::to_owned).ok_or_else(|| format!("`{name}` is not text"))
    }

    fn number(&self, name: &str) -> Result<i64, String> {
        self.0[name].as_i64().ok_or_else(|| format!("`{name}` is not a whole number"))
    }

    fn notify_url(&self) -> Option<String> {
        self.0["notify_url"].as_str().filter(|url| !url.is_empty()).map(str::to_owned)
    }
}

fn group_in(memo: &str) -> &str {
    memo.split(' ').nth(2).unwrap_or_default()
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

    /// Source: vector bc-v2.
    #[test]
    fn the_bank_reads_a_refund_by_itself() {
        let refund = json!({"app_id": "7c9f2f1e-3a44-4c8b-9d21-5b0e6f7a8c90", "timestamp": 1_709_254_800_500_i64,
            "app_sign": "04a982812e7daeb3b30bf08e7fb7fca0", "bill_no": "PMX20240301000001",
            "refund_no": "20240301000017", "refund_fee": 23, "notify_url": "https://h/n"});
        let master = "9e8d7c6b-5a49-4382-b1a0-0f1e2d3c4b5a";
        let seen = witness("/2/rest/refund", &refund, master).unwrap();
        let want = SeenRefund {
            number: "20240301000017".to_owned(),
            order: "PMX20240301000001".to_owned(),
            amount: Money::fen(23),
            notify_url: Some("https://h/n".to_owned()),
        };
        assert_eq!(seen, want);
        assert_eq!(witness("/2/rest/offline/refund", &refund, master).unwrap().notify_url, None);
        let app_secret = "1f0e2d3c-4b5a-4978-8695-a4b3c2d1e0f9";
        assert_eq!(witness("/2/rest/refund", &refund, app_secret), Err("`app_sign` is wrong".to_owned()));
        for field in ["app_id", "timestamp", "app_sign", "bill_no", "refund_no", "refund_fee"] {
            let mut without = refund.clone();
            without[field] = Value::Null;
            assert!(witness("/2/rest/refund", &without, master).is_err(), "{field}");
        }

        fn witness(path: &str, refund: &Value, master_secret: &str) -> Result<SeenRefund, String> {
            let dialect = BeeCloud { acceptor: paymux_beecloud::provider().acceptor().unwrap() };
            let settings = json!({"master_secret": master_secret, "app_secret": "x"});
            let read = FrontRead {
                account: FrontAccount {
                    key: "main".to_owned(),
                    settings: settings.as_object().unwrap().clone(),
                },
                call: FrontCall::Query { number: String::new() },
                memo: String::new(),
            };
            let request = WireRequest::new(Verb::Post, path).body("application/json", refund.to_string());
            dialect.witness_refund(&request, &read)
        }
    }

    #[test]
    fn a_refund_goes_the_way_of_its_order() {
        check("bill WX_NATIVE WX", "refund", Some(RefundCourse::Later));
        check("bill WX_NATIVE WX", "offline_refund", Some(RefundCourse::AtOnce));
        check("bill WX_APP WX", "offline_refund", None);
        check("bill ALI_WEB ALI", "refund", Some(RefundCourse::Page));
        check("bill ALI_WEB ALI", "offline_refund", None);
        check("offline ALI_SCAN ALI", "offline_refund", Some(RefundCourse::AtOnce));
        check("offline ALI_SCAN ALI", "refund", None);
        check("offline ALI_OFFLINE_QRCODE ALI", "offline_refund", Some(RefundCourse::AtOnce));
        check("bill BC_NATIVE BC", "refund", Some(RefundCourse::Later));
        check("bill UN_WEB UN", "refund", Some(RefundCourse::Later));

        #[track_caller]
        fn check(order: &str, call: &str, want: Option<RefundCourse>) {
            let dialect = BeeCloud { acceptor: paymux_beecloud::provider().acceptor().unwrap() };
            assert_eq!(dialect.refund_course(order, call), want, "{order} {call}");
        }
    }

    #[test]
    fn groups_differ_in_who_tells_of_a_refund() {
        let dialect = BeeCloud { acceptor: paymux_beecloud::provider().acceptor().unwrap() };
        for (group, shows, announces) in [
            ("WX", false, false),
            ("YEE", false, false),
            ("KUAIQIAN", false, false),
            ("BD", false, false),
            ("BC", true, false),
            ("ALI", true, true),
            ("UN", true, true),
            ("JD", true, true),
        ] {
            let memo = format!("bill X {group}");
            let is = (dialect.shows_refunds_unasked(&memo), dialect.announces_refunds(&memo));
            assert_eq!(is, (shows, announces), "{group}");
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
            let now = paymux_core::Timestamp::from_ms(0);
            let ending = Ending { order: memo, call: "revert", age: std::time::Duration::ZERO, now };
            assert_eq!(dialect.closes(ending), want, "{memo}");
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
