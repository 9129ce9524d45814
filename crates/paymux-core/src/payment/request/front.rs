//! A request that a client of a front makes: the acceptor has checked its form, and what paymux keeps is checked here.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::{
    EXPIRES_IN_DEFAULT, EXPIRES_IN_MAX, InvalidField, NewPayment, PayerRequest, SUBJECT_CHARS_MAX, extra,
    notify_url, one_line, payer, return_url,
};
use crate::acceptor::FrontPay;
use crate::ids::OrderNo;
use crate::money::AMOUNT_MAX;
use crate::payment::FrontNote;
use crate::secret::Secret;

impl NewPayment {
    /// Checks what a client of that front wants paid; the first field that breaks its rule is the answer.
    ///
    /// An address to come back to that no browser of ours could follow is passed over: providers do not look at it
    /// either.
    pub fn of_front(slug: &str, memo: &str, pay: &FrontPay) -> Result<Self, InvalidField> {
        if !(1..=AMOUNT_MAX).contains(&pay.amount.minor()) {
            return Err(InvalidField::new("amount", format!("write minor units from 1 to {AMOUNT_MAX}")));
        }
        let asked = PayerRequest {
            ip: pay.payer_ip.clone().filter(|ip| ip.parse::<IpAddr>().is_ok()),
            id: pay.payer_id.clone(),
            openid: pay.openid.clone(),
            auth_code: pay.auth_code.as_ref().map(|code| code.expose().to_owned()),
            ..PayerRequest::default()
        };
        Ok(Self {
            order_no: OrderNo::given(&pay.number).map_err(|e| InvalidField::new("order_no", e.rule))?,
            amount: pay.amount,
            method: pay.method,
            subject: one_line("subject", &pay.subject, SUBJECT_CHARS_MAX)?,
            expires_in: life(pay.expires_in),
            return_url: pay.return_url.as_deref().and_then(|text| return_url(text).ok()),
            notify_url: pay.notify_url.as_deref().map(notify_url).transpose()?,
            payer: payer(Some(&asked), pay.method.product)?,
            metadata: BTreeMap::new(),
            channel: None,
            extra: extra(&pay.extra)?,
            front: Some(Box::new(FrontNote::new(slug, memo, &pay.echo))),
            written: written(slug, pay),
        })
    }
}

/// As long as was asked, within what paymux keeps open.
fn life(asked: Option<Duration>) -> Duration {
    let most = Duration::from_secs(EXPIRES_IN_MAX.into());
    let asked = asked.unwrap_or(Duration::from_secs(EXPIRES_IN_DEFAULT.into()));
    asked.clamp(Duration::from_secs(1), most)
}

/// SHA-256 over what makes an order this order and no other. Not the address to come back to, which the configuration
/// may name, nor the payer's, nor the digits of a barcode: a cashier scans again what was read badly.
fn written(slug: &str, pay: &FrontPay) -> [u8; 32] {
    let order = serde_json::json!([
        slug,
        pay.number,
        pay.amount.minor(),
        pay.amount.currency().code(),
        pay.method.to_string(),
        pay.subject,
        life(pay.expires_in).as_secs(),
        pay.notify_url,
        pay.payer_id,
        pay.openid,
        pay.auth_code.as_ref().map(Secret::is_empty),
        pay.echo,
    ]);
    Sha256::digest(order.to_string()).into()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::method::{Method, Product, Wallet};
    use crate::money::Money;

    fn pay() -> FrontPay {
        FrontPay {
            number: "1001/A".to_owned(),
            amount: Money::fen(1999),
            method: Method::new(Wallet::Wechat, Product::Native),
            subject: "Tea".to_owned(),
            expires_in: None,
            return_url: None,
            notify_url: None,
            payer_ip: None,
            payer_id: None,
            openid: None,
            auth_code: None,
            echo: json!({"a": 1}),
            extra: BTreeMap::new(),
        }
    }

    fn fingerprint(pay: &FrontPay) -> String {
        NewPayment::of_front("x", "memo", pay).unwrap().fingerprint(|_| false)
    }

    #[test]
    fn takes_what_the_native_api_does_not() {
        let request = NewPayment::of_front("x", "memo", &pay()).unwrap();
        assert_eq!(request.order_no.as_str(), "1001/A");
        assert_eq!(request.expires_in, Duration::from_mins(30));
        let note = request.front.unwrap();
        assert_eq!((note.slug.as_str(), note.memo.as_str(), &note.echo), ("x", "memo", &json!({"a": 1})));
        let odd = FrontPay {
            return_url: Some("javascript:alert(1)".to_owned()),
            payer_ip: Some("here".to_owned()),
            expires_in: Some(Duration::from_hours(24 * 365)),
            ..pay()
        };
        let request = NewPayment::of_front("x", "memo", &odd).unwrap();
        assert_eq!((request.return_url, request.payer.ip), (None, None));
        assert_eq!(request.expires_in.as_secs(), u64::from(EXPIRES_IN_MAX));
    }

    #[test]
    fn names_the_field_that_breaks_its_rule() {
        check(FrontPay { number: "a b".to_owned(), ..pay() }, "order_no");
        check(FrontPay { amount: Money::fen(0), ..pay() }, "amount");
        check(FrontPay { subject: "a\nb".to_owned(), ..pay() }, "subject");
        check(FrontPay { notify_url: Some("ftp://h/".to_owned()), ..pay() }, "notify_url");
        check(FrontPay { method: Method::new(Wallet::Wechat, Product::Barcode), ..pay() }, "payer.auth_code");

        #[track_caller]
        #[expect(clippy::needless_pass_by_value, reason = "rows write their order in place")]
        fn check(pay: FrontPay, param: &str) {
            assert_eq!(NewPayment::of_front("x", "memo", &pay).unwrap_err().param, param);
        }
    }

    #[test]
    fn a_repeat_is_known_by_what_makes_the_order() {
        let same = fingerprint(&pay());
        let code = |digits: &str| {
            let method = Method::new(Wallet::Wechat, Product::Barcode);
            fingerprint(&FrontPay { method, auth_code: Some(Secret::new(digits)), ..pay() })
        };
        assert_eq!(code("134567890123456789"), code("280000000000000000"));
        for other in [
            FrontPay { number: "1002/A".to_owned(), ..pay() },
            FrontPay { amount: Money::fen(2000), ..pay() },
            FrontPay { method: Method::new(Wallet::Alipay, Product::Native), ..pay() },
            FrontPay { subject: "Coffee".to_owned(), ..pay() },
            FrontPay { expires_in: Some(Duration::from_mins(5)), ..pay() },
            FrontPay { notify_url: Some("https://h/n".to_owned()), ..pay() },
            FrontPay { payer_id: Some("u1".to_owned()), ..pay() },
            FrontPay { echo: Value::Null, ..pay() },
        ] {
            assert_ne!(fingerprint(&other), same, "{other:?}");
        }
        let elsewhere = FrontPay {
            return_url: Some("https://h/r".to_owned()),
            payer_ip: Some("203.0.113.7".to_owned()),
            extra: BTreeMap::from([("bank".to_owned(), json!("BOC"))]),
            expires_in: Some(Duration::from_mins(30)),
            ..pay()
        };
        assert_eq!(fingerprint(&elsewhere), same);
        assert_ne!(NewPayment::of_front("y", "memo", &pay()).unwrap().fingerprint(|_| false), same);
    }
}
