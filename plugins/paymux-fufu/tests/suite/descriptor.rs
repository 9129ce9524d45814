//! What an account is and can do.

use std::time::Duration;

use paymux_core::channel::Can;
use serde_json::json;

use crate::rig::{BUSI_ID, channel};

#[test]
fn an_account_is_its_merchant_number() {
    let channel = channel(json!({}));
    let descriptor = channel.descriptor();
    assert_eq!((descriptor.provider, descriptor.account_key.as_str()), ("fufu", BUSI_ID));
    assert!(descriptor.livemode);
    assert!(descriptor.can == Can::QUERY | Can::CANCEL | Can::REFUND | Can::QUERY_REFUND);
    assert_eq!(descriptor.refunds_per_order, None, "F21: only the order's money bounds them");
    let currencies: Vec<_> = descriptor.currencies.iter().map(|currency| currency.code()).collect();
    assert_eq!(currencies, ["CNY", "THB", "HKD"]);
}

#[test]
fn eight_ways_to_pay() {
    let channel = channel(json!({}));
    let methods: Vec<_> = channel
        .descriptor()
        .methods
        .iter()
        .map(|spec| format!("{} {}", spec.method, channel.memo(spec.method)))
        .collect();
    let want = [
        "any.barcode order 0",
        "alipay.barcode order 1",
        "wechat.barcode order 2",
        "any.native preOrder QRCODE 0",
        "alipay.native preOrder QRCODE 1",
        "wechat.native preOrder QRCODE 2",
        "alipay.jsapi preOrder JSAPI 1",
        "wechat.jsapi preOrder JSAPI 2",
    ];
    assert_eq!(methods, want);
}

/// F22: 5 s, doubling, at most 5 minutes.
#[test]
fn looks_come_after_five_seconds_and_then_ever_later() {
    let looks: Vec<_> = channel(json!({})).descriptor().looks.iter().map(Duration::as_secs).collect();
    assert_eq!(looks, [5, 10, 20, 40, 80, 160, 300]);
}

/// F25: a cancel waits for its hours; a close has none.
#[test]
fn only_a_till_has_hours() {
    let channel = channel(json!({}));
    let at = |time: &str| format!("2024-03-01T{time}+08:00").parse::<paymux_core::Timestamp>().unwrap();
    let opens = |method: &str, time: &str| channel.cancel_not_before(method.parse().unwrap(), at(time));
    let next: paymux_core::Timestamp = "2024-03-02T01:01:00+08:00".parse().unwrap();
    for method in ["any.barcode", "alipay.barcode", "wechat.barcode"] {
        assert_eq!(opens(method, "23:30:00"), Some(next), "{method}");
        assert_eq!(opens(method, "12:00:00"), None, "{method}");
    }
    for method in ["any.native", "alipay.jsapi", "wechat.jsapi"] {
        assert_eq!(opens(method, "23:30:00"), None, "{method}");
    }
}
