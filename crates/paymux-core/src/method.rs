//! What the payer uses: `wallet.product`, such as `wechat.native`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize, Serializer};

use crate::words::words;

words! {
    /// Whose money moves.
    Wallet {
        /// Alipay (支付宝).
        Alipay = "alipay",
        /// WeChat Pay (微信支付).
        Wechat = "wechat",
        /// UnionPay (银联).
        Unionpay = "unionpay",
        /// JD Pay (京东支付).
        Jd = "jd",
        /// Yeepay (易宝).
        Yeepay = "yeepay",
        /// 99Bill (快钱).
        Kuaiqian = "kuaiqian",
        /// Baidu Wallet (百度钱包).
        Baidu = "baidu",
        /// PayPal.
        Paypal = "paypal",
        /// A bank, through a gateway.
        Bank = "bank",
        /// Whichever wallet the payer's code belongs to.
        Any = "any",
    }
}

words! {
    /// How the payer and the merchant meet.
    Product {
        /// Inside the merchant's native app.
        App = "app",
        /// A page on a desktop browser.
        Web = "web",
        /// A page on a mobile browser.
        Wap = "wap",
        /// The merchant shows a QR code that the payer scans.
        Native = "native",
        /// A page inside an iframe.
        Embed = "embed",
        /// A page inside the wallet's own browser; needs `payer.openid`.
        Jsapi = "jsapi",
        /// A mini program inside the wallet; needs `payer.openid`.
        Mini = "mini",
        /// The merchant scans the payer's code; needs `payer.auth_code`.
        Barcode = "barcode",
        /// A bank gateway.
        Gateway = "gateway",
        /// Quick payment with a card.
        Express = "express",
        /// A prepaid card.
        Card = "card",
    }
}

/// A wallet and a product.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Method {
    /// Whose money moves.
    pub wallet: Wallet,
    /// How payer and merchant meet.
    pub product: Product,
}

/// Why a text is not a method.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MethodError {
    /// No dot.
    #[error("`{0}`: write a method as wallet.product, like wechat.native")]
    Form(String),
    /// The part before the dot.
    #[error("unknown wallet `{0}`; known: {known}", known = known(Wallet::ALL.iter().map(|w| w.word())))]
    Wallet(String),
    /// The part after the dot.
    #[error("unknown product `{0}`; known: {known}", known = known(Product::ALL.iter().map(|p| p.word())))]
    Product(String),
}

fn known(words: impl Iterator<Item = &'static str>) -> String {
    words.collect::<Vec<_>>().join(", ")
}

impl Method {
    /// A wallet and a product.
    pub const fn new(wallet: Wallet, product: Product) -> Self {
        Self { wallet, product }
    }

    /// How many there are.
    pub(crate) const COUNT: usize = Wallet::ALL.len() * Product::ALL.len();

    /// All of them, in the order of their indexes.
    pub fn all() -> impl Iterator<Item = Self> {
        Wallet::ALL.iter().flat_map(|wallet| Product::ALL.iter().map(|product| Self::new(*wallet, *product)))
    }

    /// A number below [`Self::COUNT`], for tables of this process; it means nothing outside of it.
    pub(crate) const fn index(self) -> usize {
        self.wallet as usize * Product::ALL.len() + self.product as usize
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.wallet, self.product)
    }
}

impl fmt::Debug for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Method {
    type Err = MethodError;

    fn from_str(text: &str) -> Result<Self, MethodError> {
        let (wallet, product) = text.split_once('.').ok_or_else(|| MethodError::Form(text.to_owned()))?;
        Ok(Self {
            wallet: Wallet::from_word(wallet).ok_or_else(|| MethodError::Wallet(wallet.to_owned()))?,
            product: Product::from_word(product).ok_or_else(|| MethodError::Product(product.to_owned()))?,
        })
    }
}

impl Serialize for Method {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Method {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// One method, or all of a wallet: `alipay.web`, `wechat.*`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MethodPattern {
    wallet: Wallet,
    /// `None` is the star.
    product: Option<Product>,
}

impl MethodPattern {
    /// Whether `method` is one of these.
    pub fn holds(self, method: Method) -> bool {
        self.wallet == method.wallet && self.product.is_none_or(|p| p == method.product)
    }
}

impl FromStr for MethodPattern {
    type Err = MethodError;

    fn from_str(text: &str) -> Result<Self, MethodError> {
        if let Some(wallet) = text.strip_suffix(".*") {
            let wallet = Wallet::from_word(wallet).ok_or_else(|| MethodError::Wallet(wallet.to_owned()))?;
            return Ok(Self { wallet, product: None });
        }
        text.parse().map(|m: Method| Self { wallet: m.wallet, product: Some(m.product) })
    }
}

impl fmt::Display for MethodPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.product {
            Some(product) => write!(f, "{}.{product}", self.wallet),
            None => write!(f, "{}.*", self.wallet),
        }
    }
}

impl Serialize for MethodPattern {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for MethodPattern {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_prints() {
        for &wallet in Wallet::ALL {
            for &product in Product::ALL {
                let method = Method::new(wallet, product);
                assert_eq!(method.to_string().parse(), Ok(method));
            }
        }
    }

    #[test]
    fn refuses_unknown_words_and_lists_the_known() {
        check("wechat", "write a method as wallet.product");
        check("wecha.native", "unknown wallet `wecha`; known: alipay, wechat");
        check("wechat.qr", "unknown product `qr`; known: app, web, wap, native");
        check("WECHAT.native", "unknown wallet `WECHAT`");
        check("wechat.native.x", "unknown product `native.x`");
        check("wechat.*", "unknown product `*`");

        #[track_caller]
        fn check(text: &str, want: &str) {
            let error = text.parse::<Method>().unwrap_err().to_string();
            assert!(error.contains(want), "{error}");
        }
    }

    #[test]
    fn star_holds_every_product_of_its_wallet_only() {
        let all: MethodPattern = "wechat.*".parse().unwrap();
        let one: MethodPattern = "alipay.web".parse().unwrap();
        assert!(all.holds("wechat.native".parse().unwrap()));
        assert!(!all.holds("alipay.native".parse().unwrap()));
        assert!(one.holds("alipay.web".parse().unwrap()));
        assert!(!one.holds("alipay.wap".parse().unwrap()));
        assert!("*.native".parse::<MethodPattern>().is_err());
    }
}
