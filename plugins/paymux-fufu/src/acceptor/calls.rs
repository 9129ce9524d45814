//! The fields of each call, in the order in which they are checked.
//!
//! Integers may be numbers or texts. What a call does not define is passed over.

use std::collections::BTreeMap;
use std::time::Duration;

use paymux_core::acceptor::{FrontApproval, FrontCall, FrontPay, FrontRefund};
use paymux_core::money::AMOUNT_MAX;
use paymux_core::{Currency, Money, Secret, Timestamp};
use serde_json::{Map, Value};

use super::operation::Operation;
use crate::config::ID_CHARS_MAX;
use crate::map::extra::{PARAM_CHARS_MAX, is_param};
use crate::map::hours::Zone;
use crate::map::kinds::{Kind, LIFE_STEP, LIFE_STEPS_DEFAULT, LIFE_STEPS_MAX, Opening, SCAN_LIFE};
use crate::wire::fields::Fields;

/// The longest number that a client may give: more than FuFu's own 32 to 50, since samples have 36.
const NUMBER_BYTES_MAX: usize = 64;
/// The longest `pay_subject` and `refund_subject`, in characters.
const SUBJECT_CHARS_MAX: usize = 100;
/// The longest `auth_code`, in characters.
const AUTH_CODE_CHARS_MAX: usize = 100;
/// The longest `time_zone`, in characters.
const ZONE_CHARS_MAX: usize = 64;
/// The longest `openId`, `subAppId` and `notifyUrl`, in bytes: the document's ten hold none of them.
const TEXT_BYTES_MAX: usize = 256;
/// What the platform's number of an order begins with; the client's own follows, so that a call by either finds
/// the order whoever hosts it.
pub(super) const TRADE_PREFIX: &str = "P";

/// Why a call is not taken.
#[derive(Debug)]
pub(super) struct Fault {
    /// Whether the request itself was refused, or what it asked for.
    pub level: Level,
    /// A code of the dictionary.
    pub code: &'static str,
    /// Which field, and what to do.
    pub detail: String,
}

/// At which level of an answer a failure stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// `result`: the request itself.
    Request,
    /// `data`: what it asked for.
    Business,
}

impl Fault {
    pub(super) fn request(code: &'static str, detail: impl Into<String>) -> Self {
        Self { level: Level::Request, code, detail: detail.into() }
    }

    /// A field that breaks its rule.
    pub(super) fn field(name: &str, rule: &str) -> Self {
        Self::request("ILLEGAL_PARAMETER", format!("{name}: {rule}"))
    }
}

/// The fields of one call.
pub(super) struct Call<'a>(pub(super) &'a Fields);

impl Call<'_> {
    /// What is asked, and what the answer needs to know of it.
    pub(super) fn read(&self, operation: Operation, now: Timestamp) -> Result<(FrontCall, String), Fault> {
        let word = operation.word().to_owned();
        Ok(match operation {
            // Its answer tells when it began.
            Operation::Order => {
                self.pay(Opening::Scan).map(|(call, memo)| (call, format!("{memo} {}", now.ms())))?
            }
            Operation::PreOrder => self.pay(self.opening()?)?,
            Operation::Query => (FrontCall::Query { number: self.order_number()? }, word),
            Operation::Cancel => {
                self.desk()?;
                (FrontCall::Cancel { number: self.order_number()? }, word)
            }
            Operation::Close => {
                self.desk()?;
                (FrontCall::Cancel { number: self.number("out_trade_no")? }, word)
            }
            Operation::Refund => (FrontCall::Refund(Box::new(self.refund()?)), word),
            Operation::RefundQuery => {
                self.desk()?;
                (FrontCall::QueryRefund { number: self.number("out_trade_no")? }, word)
            }
        })
    }

    fn pay(&self, opening: Opening) -> Result<(FrontCall, String), Fault> {
        let kind = self.kind(opening)?;
        let amount = self.amount("total_fee", self.currency()?)?;
        let number = self.number("out_trade_no")?;
        let subject = self.required_line("pay_subject", SUBJECT_CHARS_MAX)?;
        let is_scan = opening == Opening::Scan;
        let is_bridge = opening == Opening::Bridge;
        let pay = FrontPay {
            number,
            amount,
            method: kind.method,
            subject,
            expires_in: Some(if is_scan { SCAN_LIFE } else { self.life()? }),
            return_url: None,
            notify_url: if is_scan { None } else { self.notify_url()? },
            payer_ip: None,
            payer_id: None,
            openid: if is_bridge { Some(self.token("openId", TEXT_BYTES_MAX)?) } else { None },
            auth_code: if is_scan {
                Some(Secret::new(self.token("auth_code", AUTH_CODE_CHARS_MAX)?))
            } else {
                None
            },
            echo: self.echo()?,
            extra: self.extra(kind)?,
        };
        Ok((FrontCall::Pay(Box::new(pay)), kind.memo.to_owned()))
    }

    /// Inside a wallet, unless the client wants a code.
    fn opening(&self) -> Result<Opening, Fault> {
        match self.0.text("trade_type").as_deref() {
            Some("QRCODE") => Ok(Opening::Code),
            Some("JSAPI") => Ok(Opening::Bridge),
            None if self.0.is_absent("trade_type") => Ok(Opening::Bridge),
            _ => Err(Fault::field("trade_type", "write QRCODE or JSAPI")),
        }
    }

    fn kind(&self, opening: Opening) -> Result<&'static Kind, Fault> {
        let channel_type = self.integer("channel_type")?;
        let rule = match opening {
            Opening::Bridge => "write 1 (Alipay) or 2 (WeChat); 0 finds out with QRCODE only",
            Opening::Scan | Opening::Code => "write 0 (found out), 1 (Alipay) or 2 (WeChat)",
        };
        Kind::of_call(opening, channel_type).ok_or_else(|| Fault::field("channel_type", rule))
    }

    fn refund(&self) -> Result<FrontRefund, Fault> {
        self.desk()?;
        Ok(FrontRefund {
            amount: self.amount("refund_fee", self.refund_currency()?)?,
            reason: self.required_line("refund_subject", SUBJECT_CHARS_MAX)?,
            order: self.order_number()?,
            number: self.number("out_refund_no")?,
            notify_url: None,
            approval: FrontApproval::NotNeeded,
            echo: self.echo()?,
        })
    }

    /// Who acts and where, which every call after a create must say.
    fn desk(&self) -> Result<(), Fault> {
        for name in ["operator_id", "terminal_id"] {
            self.required(name)?;
            self.short(name, ID_CHARS_MAX)?;
        }
        Ok(())
    }

    /// The client's number of the order, from the platform's where it is given: that one wins.
    fn order_number(&self) -> Result<String, Fault> {
        let Some(trade_no) = self.0.text("trade_no") else { return self.number("out_trade_no") };
        trade_no.strip_prefix(TRADE_PREFIX).filter(|rest| is_number(rest)).map(str::to_owned).ok_or_else(
            || Fault {
                level: Level::Business,
                code: "CHARGE_NONEXISTENT",
                detail: "trade_no: no such order here".to_owned(),
            },
        )
    }

    /// A client's number, as given: blanks are not signed, so none may stand in it.
    fn number(&self, name: &str) -> Result<String, Fault> {
        let text = self.required(name)?;
        if is_number(&text) {
            return Ok(text);
        }
        Err(Fault::field(name, "write 1 to 64 printable ASCII characters without blanks"))
    }

    fn amount(&self, name: &'static str, currency: Currency) -> Result<Money, Fault> {
        let minor = self.integer(name)?;
        if !(1..=AMOUNT_MAX).contains(&minor) {
            let rule = format!("{name}: write hundredths from 1 to {AMOUNT_MAX}");
            return Err(Fault::request("AMT_ERROR", rule));
        }
        Ok(Money::new(minor, currency))
    }

    /// `fee_type`, CNY where it is not said.
    fn currency(&self) -> Result<Currency, Fault> {
        if self.0.is_absent("fee_type") {
            return Ok(Currency::CNY);
        }
        let code = self.0.text("fee_type").unwrap_or_default();
        let known = crate::map::currencies().into_iter().find(|currency| currency.code() == code);
        known.ok_or_else(|| Fault::field("fee_type", "write CNY, THB or HKD"))
    }

    /// The same of a refund, where the document's own sample misspells it.
    fn refund_currency(&self) -> Result<Currency, Fault> {
        if self.0.text("fee_type").as_deref() == Some("CHY") {
            return Ok(Currency::CNY);
        }
        self.currency()
    }

    /// `time_expire`, minutes.
    fn life(&self) -> Result<Duration, Fault> {
        if self.0.is_absent("time_expire") {
            return Ok(steps(LIFE_STEPS_DEFAULT));
        }
        let minutes = u64::try_from(self.integer("time_expire")?).ok();
        let minutes = minutes.filter(|minutes| (1..=LIFE_STEPS_MAX).contains(minutes));
        minutes.map(steps).ok_or_else(|| Fault::field("time_expire", "write minutes from 1 to 1440"))
    }

    fn notify_url(&self) -> Result<Option<String>, Fault> {
        if self.0.is_absent("notifyUrl") {
            return Ok(None);
        }
        let url = self.token("notifyUrl", TEXT_BYTES_MAX)?;
        let is_web = url.starts_with("https://") || url.starts_with("http://");
        if !is_web || url.contains(['?', '#']) {
            let rule = "write an http(s) address without ? and #: ?sign= is added to it";
            return Err(Fault::field("notifyUrl", rule));
        }
        Ok(Some(url))
    }

    /// What comes back in answers and notifications.
    fn echo(&self) -> Result<Value, Fault> {
        let mut echo = Map::new();
        let limits = [
            ("operator_id", ID_CHARS_MAX),
            ("terminal_id", ID_CHARS_MAX),
            ("merchant_param", PARAM_CHARS_MAX),
            ("time_zone", ZONE_CHARS_MAX),
        ];
        for (name, max) in limits {
            if let Some(text) = self.short(name, max)? {
                if name == "time_zone" && Zone::read(&text).is_none() {
                    return Err(Fault::field(name, "write a zone like Asia/Shanghai or +08:00"));
                }
                echo.insert(name.to_owned(), Value::from(text));
            }
        }
        Ok(Value::Object(echo))
    }

    /// The provider's own fields, by their names. `subAppId` had another spelling before August 2017.
    fn extra(&self, kind: &Kind) -> Result<BTreeMap<String, Value>, Fault> {
        let mut extra = BTreeMap::new();
        let mut put = |name: &str, text: String| drop(extra.insert(name.to_owned(), Value::from(text)));
        if kind.needs_sub_app_id() {
            let name = if self.0.is_absent("subAppId") { "subAppid" } else { "subAppId" };
            if self.0.is_absent(name) {
                return Err(Fault::field("subAppId", "is missing: JSAPI with channel_type 2 needs it"));
            }
            put("subAppId", self.token(name, TEXT_BYTES_MAX)?);
        }
        let desk: &[&'static str] = match kind.opening {
            Opening::Scan => &["operator_id", "terminal_id", "store_id"],
            Opening::Code | Opening::Bridge => &["operator_id", "store_id"],
        };
        for name in desk {
            if let Some(text) = self.short(name, ID_CHARS_MAX)? {
                put(name, text);
            }
        }
        if let Some(text) = self.0.text("merchant_param").filter(|text| is_param(text)) {
            put("merchant_param", text);
        }
        Ok(extra)
    }

    /// A text that must be there.
    pub(super) fn required(&self, name: &str) -> Result<String, Fault> {
        if self.0.is_absent(name) {
            return Err(Fault::field(name, "is missing"));
        }
        self.0.text(name).ok_or_else(|| Fault::field(name, "write text"))
    }

    /// A whole number that must be there.
    fn integer(&self, name: &'static str) -> Result<i64, Fault> {
        match self.0.integer(name) {
            Ok(Some(number)) => Ok(number),
            Ok(None) => Err(Fault::field(name, "is missing")),
            Err(_) => Err(Fault::field(name, "write a whole number, as number or text")),
        }
    }

    /// A text of one line.
    fn required_line(&self, name: &str, max: usize) -> Result<String, Fault> {
        let text = self.required(name)?;
        if text.chars().count() > max || text.trim().is_empty() || text.chars().any(char::is_control) {
            return Err(Fault::field(name, &format!("write one line of 1 to {max} characters")));
        }
        Ok(text)
    }

    /// A text that may be absent.
    fn short(&self, name: &str, max: usize) -> Result<Option<String>, Fault> {
        if self.0.is_absent(name) {
            return Ok(None);
        }
        let good = |text: &String| text.chars().count() <= max && !text.chars().any(char::is_control);
        let text = self.0.text(name).filter(good);
        text.map(Some).ok_or_else(|| Fault::field(name, &format!("write text of at most {max} characters")))
    }

    /// Visible ASCII that must be there.
    fn token(&self, name: &str, max: usize) -> Result<String, Fault> {
        let text = self.required(name)?;
        if text.len() <= max && text.bytes().all(|b| b.is_ascii_graphic()) {
            return Ok(text);
        }
        Err(Fault::field(name, &format!("write 1 to {max} printable ASCII characters without blanks")))
    }
}

fn steps(count: u64) -> Duration {
    Duration::from_secs(LIFE_STEP.as_secs() * count)
}

fn is_number(text: &str) -> bool {
    (1..=NUMBER_BYTES_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}
