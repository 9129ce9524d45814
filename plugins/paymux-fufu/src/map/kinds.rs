//! FuFu's ways to pay, one row each, with the method of ours that each one is.
//!
//! Source: FuFu interface 1.1.1, `order`, `preOrder`, dictionary of channels.

use std::time::Duration;

use paymux_core::channel::{FinalAfter, MethodSpec, Needs, OrderEnd};
use paymux_core::money::AMOUNT_MAX;
use paymux_core::{Method, Product, Wallet};

/// How long a payer has after a scan before FuFu cancels the order by itself.
pub(crate) const SCAN_LIFE: Duration = Duration::from_secs(80);
/// How long a scan may take: longer than FuFu waits for the payer.
const SCAN_REQUEST_MIN: Duration = Duration::from_secs(90);
/// How soon after a scan FuFu takes its cancel.
pub(crate) const CANCEL_NOT_BEFORE: Duration = Duration::from_secs(15);
/// How long past an order's life "no such order" proves that there is none.
const ABSENT_MARGIN: Duration = Duration::from_secs(10);
/// How long a scan is waited for: FuFu's own time and a margin. What is neither paid nor over by then is cancelled.
const SCAN_WAIT: Duration = SCAN_LIFE.saturating_add(ABSENT_MARGIN);
/// The shortest life of a `preOrder`, and what all are whole multiples of.
pub(crate) const LIFE_STEP: Duration = Duration::from_mins(1);
/// The longest life of a `preOrder`, in steps.
pub(crate) const LIFE_STEPS_MAX: u64 = 1440;
/// The life of a `preOrder` that names none, in steps.
pub(crate) const LIFE_STEPS_DEFAULT: u64 = 5;
/// How long after an order's end it is asked about. Notifications end 20 s after the first.
const WATCH: Duration = Duration::from_hours(1);

/// One way to pay.
#[derive(Debug)]
pub(crate) struct Kind {
    /// Operation, kind of trade and channel: what is remembered of an order.
    pub memo: &'static str,
    /// What we call it.
    pub method: Method,
    /// What opens it.
    pub opening: Opening,
    /// As it travels in `channel_type`.
    pub channel_type: &'static str,
}

/// What opens an order, and with it what ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opening {
    /// `order`: the merchant scans, money moves at once; ended by `cancel`.
    Scan,
    /// `preOrder` with `QRCODE`: the payer scans; ended by `close`.
    Code,
    /// `preOrder` with `JSAPI`: the payer pays inside the wallet; ended by `close`.
    Bridge,
}

const fn kind(
    memo: &'static str,
    wallet: Wallet,
    product: Product,
    opening: Opening,
    channel_type: &'static str,
) -> Kind {
    Kind { memo, method: Method::new(wallet, product), opening, channel_type }
}

/// The table. Channel 0 lets FuFu find out; inside a wallet it cannot stand.
pub(crate) const KINDS: &[Kind] = &[
    kind("order 0", Wallet::Any, Product::Barcode, Opening::Scan, "0"),
    kind("order 1", Wallet::Alipay, Product::Barcode, Opening::Scan, "1"),
    kind("order 2", Wallet::Wechat, Product::Barcode, Opening::Scan, "2"),
    kind("preOrder QRCODE 0", Wallet::Any, Product::Native, Opening::Code, "0"),
    kind("preOrder QRCODE 1", Wallet::Alipay, Product::Native, Opening::Code, "1"),
    kind("preOrder QRCODE 2", Wallet::Wechat, Product::Native, Opening::Code, "2"),
    kind("preOrder JSAPI 1", Wallet::Alipay, Product::Jsapi, Opening::Bridge, "1"),
    kind("preOrder JSAPI 2", Wallet::Wechat, Product::Jsapi, Opening::Bridge, "2"),
];

impl Kind {
    /// The row that an order's memo names, which may have more words.
    pub(crate) fn from_memo(memo: &str) -> Option<&'static Self> {
        let names = |kind: &&Self| {
            memo.strip_prefix(kind.memo).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        };
        KINDS.iter().find(names)
    }

    /// The row of a method.
    pub(crate) fn of_method(method: Method) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.method == method)
    }

    /// The row of an operation's way to pay with that `channel_type`.
    pub(crate) fn of_call(opening: Opening, channel_type: i64) -> Option<&'static Self> {
        let channel_type = channel_type.to_string();
        KINDS.iter().find(|kind| kind.opening == opening && kind.channel_type == channel_type)
    }

    /// Whether the payer has to know a WeChat app's id.
    pub(crate) fn needs_sub_app_id(&self) -> bool {
        self.opening == Opening::Bridge && self.method.wallet == Wallet::Wechat
    }

    /// How the method works.
    pub(crate) fn spec(&self) -> MethodSpec {
        let is_scan = self.opening == Opening::Scan;
        MethodSpec {
            method: self.method,
            code: self.memo,
            amounts: 1..=AMOUNT_MAX,
            // A scan moves the money itself, and a bridge's create names the payer.
            payer_must_act: self.opening == Opening::Code,
            needs: match self.opening {
                Opening::Scan => Needs::AUTH_CODE,
                Opening::Code => Needs::nothing(),
                Opening::Bridge => Needs::OPENID,
            },
            end: self.end(),
            request_min: is_scan.then_some(SCAN_REQUEST_MIN),
            not_found_final_after: Some(if is_scan {
                FinalAfter::Creation(SCAN_WAIT)
            } else {
                FinalAfter::End(ABSENT_MARGIN)
            }),
            watch: WATCH,
        }
    }

    /// A scan is cancelled, 15 s or more after it was made; anything else is closed, at any time. Neither lives
    /// longer than FuFu lets it.
    fn end(&self) -> OrderEnd {
        match self.opening {
            Opening::Scan => OrderEnd::Call { not_before: CANCEL_NOT_BEFORE, lives: Some(SCAN_WAIT) },
            Opening::Code | Opening::Bridge => {
                let longest = Duration::from_secs(LIFE_STEP.as_secs() * LIFE_STEPS_MAX);
                OrderEnd::Call { not_before: Duration::ZERO, lives: Some(longest) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_way_has_its_operation_channel_and_method() {
        for kind in KINDS {
            assert_eq!(Kind::from_memo(kind.memo).map(|found| found.memo), Some(kind.memo));
            assert_eq!(Kind::from_memo(&format!("{} 7", kind.memo)).map(|found| found.memo), Some(kind.memo));
            assert_eq!(Kind::of_method(kind.method).map(|found| found.memo), Some(kind.memo));
            assert!(kind.memo.ends_with(kind.channel_type));
            let operation = if kind.opening == Opening::Scan { "order " } else { "preOrder " };
            assert!(kind.memo.starts_with(operation), "{}", kind.memo);
        }
        for none in ["", "order", "order 10", "preOrder JSAPI 0", "order 0x"] {
            assert!(Kind::from_memo(none).is_none(), "{none}");
        }
        assert!(Kind::of_call(Opening::Bridge, 0).is_none(), "0 is for codes alone");
        assert!(Kind::of_call(Opening::Scan, 3).is_none());
    }

    /// F11, F15, F30.
    #[test]
    fn a_scan_lives_eighty_seconds_and_a_code_its_own_life() {
        let spec = |method: &str| Kind::of_method(method.parse().unwrap()).unwrap().spec();
        let scan = spec("wechat.barcode");
        assert_eq!(scan.request_min, Some(Duration::from_secs(90)));
        assert_eq!(scan.not_found_final_after, Some(FinalAfter::Creation(Duration::from_secs(90))));
        let lives = Some(Duration::from_secs(90));
        assert_eq!(scan.end, OrderEnd::Call { not_before: Duration::from_secs(15), lives });
        assert!(!scan.payer_must_act && scan.needs == Needs::AUTH_CODE);
        let code = spec("any.native");
        assert_eq!(code.request_min, None);
        assert_eq!(code.not_found_final_after, Some(FinalAfter::End(Duration::from_secs(10))));
        let lives = Some(Duration::from_hours(24));
        assert_eq!(code.end, OrderEnd::Call { not_before: Duration::ZERO, lives });
        assert!(code.payer_must_act && code.needs == Needs::nothing());
        let bridge = spec("alipay.jsapi");
        assert!(!bridge.payer_must_act && bridge.needs == Needs::OPENID, "its create names the payer");
    }
}
