//! What an account is and can do, and what it can't.

use paymux_core::channel::{Can, CancelAnswer, Needs, OrderEnd, RefundOrder};
use paymux_core::{ChannelError, Clock, Currency, Method, Money};
use serde_json::json;

use crate::rig::{APPKEY, Rig, channel, stored};

#[test]
fn an_account_offers_the_three_products_of_each_of_its_types() {
    let names = |settings| {
        let methods = channel(settings).descriptor().methods.clone();
        methods.iter().map(|spec| spec.method.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names(json!({})), ["alipay.web", "alipay.wap", "alipay.native"]);
    assert_eq!(names(json!({"types": ["wechat"]})), ["wechat.web", "wechat.wap", "wechat.native"]);
    assert_eq!(names(json!({"types": ["alipay", "wechat"]})).len(), 6);
    assert_eq!(channel(json!({})).memo("alipay.wap".parse::<Method>().unwrap()), "alipay");
    assert_eq!(channel(json!({"types": {"wechat": "wxpay"}})).memo("wechat.web".parse().unwrap()), "wxpay");
}

#[test]
fn the_descriptor_says_what_the_core_must_know() {
    let channel = channel(json!({}));
    let descriptor = channel.descriptor();
    assert_eq!((descriptor.provider, descriptor.account_key.as_str()), ("cloudpay", APPKEY));
    assert_eq!(descriptor.can, Can::nothing_more());
    assert_eq!(descriptor.currencies, [Currency::CNY]);
    assert!(descriptor.livemode && descriptor.payouts.is_empty());
    assert!(descriptor.takes_extra("custom") && !descriptor.takes_extra("out_order_id"));
    for spec in &descriptor.methods {
        // An attempt whose answer was lost may be given up: nobody holds its page.
        assert!(spec.payer_must_act);
        assert_eq!(
            (spec.needs, spec.end, spec.not_found_final_after),
            (Needs::nothing(), OrderEnd::None, None)
        );
        assert!(spec.takes_amount(Money::fen(1)) && spec.takes_amount(Money::fen(9_999_999_999_999)));
        assert!(!spec.takes_amount(Money::fen(0)) && !spec.takes_amount(Money::fen(10_000_000_000_000)));
    }
}

/// The core refuses all of these before it calls; whoever calls all the same is told, and nothing is sent.
#[tokio::test(start_paused = true)]
async fn what_the_gateway_has_not_is_unsupported() {
    let rig = Rig::new(json!({}));
    let order = stored(1023, "alipay");
    let refund = RefundOrder {
        number: "R1".to_owned(),
        order: order.clone(),
        trade_no: None,
        received: Money::fen(1023),
        amount: Money::fen(1),
        reason: String::new(),
        reference: None,
        notify_url: String::new(),
        created_at: rig.clock.now(),
    };
    let (channel, now) = (&rig.channel, rig.clock.now());
    assert_eq!(channel.query(&rig.cx(), &order).await, Err(ChannelError::Unsupported));
    let canceled: Result<CancelAnswer, _> = channel.cancel(&rig.cx(), &order).await;
    assert_eq!(canceled, Err(ChannelError::Unsupported));
    assert_eq!(channel.refund(&rig.cx(), &refund).await, Err(ChannelError::Unsupported));
    assert_eq!(channel.query_refund(&rig.cx(), &refund).await, Err(ChannelError::Unsupported));
    assert_eq!(channel.list(&rig.cx(), now, now).await, Err(ChannelError::Unsupported));
    assert_eq!(channel.native(&rig.cx(), "login", json!({})).await, Err(ChannelError::Unsupported));
    assert!(rig.transport.sent().is_empty());
    assert_eq!(ChannelError::Unsupported.to_string(), "the provider of this channel cannot do that");
}
