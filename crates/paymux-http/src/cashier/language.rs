//! In which of the two languages a page speaks.

use http::{HeaderMap, header};
use paymux_core::Wallet;

/// A language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Language {
    Chinese,
    English,
}

impl Language {
    /// The first of the two that the browser names: browsers name what they like best first. Chinese where it names
    /// neither, as most who pay by these wallets read it.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let named = headers.get_all(header::ACCEPT_LANGUAGE).iter().filter_map(|value| value.to_str().ok());
        named.flat_map(|value| value.split(',')).find_map(Self::of_range).unwrap_or(Self::Chinese)
    }

    /// Of one entry such as `en-US;q=0.8`.
    fn of_range(range: &str) -> Option<Self> {
        let tag = range.split(';').next().unwrap_or_default().trim();
        let tag = tag.split('-').next().unwrap_or_default();
        if tag.eq_ignore_ascii_case("zh") {
            Some(Self::Chinese)
        } else if tag.eq_ignore_ascii_case("en") {
            Some(Self::English)
        } else {
            None
        }
    }

    /// As HTML names it.
    pub(super) const fn tag(self) -> &'static str {
        self.says("zh-CN", "en")
    }

    /// What is said in it.
    pub(super) const fn says(self, chinese: &'static str, english: &'static str) -> &'static str {
        match self {
            Self::Chinese => chinese,
            Self::English => english,
        }
    }

    /// What a wallet is called; nothing where it may be any.
    pub(super) const fn wallet(self, wallet: Wallet) -> Option<&'static str> {
        Some(match wallet {
            Wallet::Alipay => self.says("支付宝", "Alipay"),
            Wallet::Wechat => self.says("微信", "WeChat"),
            Wallet::Unionpay => self.says("云闪付", "UnionPay"),
            Wallet::Jd => self.says("京东", "JD"),
            Wallet::Yeepay => self.says("易宝", "Yeepay"),
            Wallet::Kuaiqian => self.says("快钱", "99Bill"),
            Wallet::Baidu => self.says("百度", "Baidu"),
            Wallet::Paypal => "PayPal",
            Wallet::Bank => self.says("银行", "your bank"),
            Wallet::Any => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn the_browser_says_which_language_it_is() {
        use Language::{Chinese, English};
        check(&[], Chinese);
        check(&["zh-CN,zh;q=0.9,en;q=0.8"], Chinese);
        check(&["en-US,en;q=0.9,zh;q=0.8"], English);
        check(&["EN"], English);
        check(&["zh-Hant-TW"], Chinese);
        check(&["fr-FR, de;q=0.8, en;q=0.5, zh;q=0.4"], English);
        check(&["fr", "en"], English);
        check(&["fr"], Chinese);
        check(&["english,zhuang"], Chinese);
        check(&["*"], Chinese);
        check(&[",;, -;q=,en"], English);

        #[track_caller]
        fn check(values: &[&'static str], want: Language) {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::ACCEPT_LANGUAGE, HeaderValue::from_static(value));
            }
            assert_eq!(Language::of(&headers), want, "{values:?}");
        }
    }
}
