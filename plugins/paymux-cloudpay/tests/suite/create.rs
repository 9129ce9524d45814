//! Creates: what goes out, byte for byte, and what its answers mean.

use paymux_core::channel::{Blame, Opened};
use paymux_core::transport::{NoAnswer, NotSent, Undelivered};
use paymux_core::{ChannelError, Created, Money, NextAction, Order, ProviderOrderNo, WireResponse};
use serde_json::{Value, json};

use crate::rig::{APPKEY_2, APPSECRET_2, PAGE, Rig, form, page, reply};

/// The body that goes out for an order.
async fn sent(settings: Value, change: impl FnOnce(&mut Order)) -> String {
    let rig = Rig::new(settings).answers(page());
    let mut order = rig.order("alipay.web");
    change(&mut order);
    drop(rig.create(&order).await);
    rig.body()
}

fn custom(order: &mut Order, text: &str) {
    order.extra.insert("custom".to_owned(), json!(text));
}

#[tokio::test(start_paused = true)]
async fn the_vectors_creates_go_out_byte_for_byte() {
    assert_eq!(sent(json!({}), |order| custom(order, "user_42")).await, form("cp-s1"));
    let second = |order: &mut Order| {
        order.number = ProviderOrderNo::new("PMX20240301000002").unwrap();
        order.amount = Money::fen(10_000);
    };
    assert_eq!(sent(json!({}), second).await, form("cp-s2"));
    let third = |order: &mut Order| {
        order.number = ProviderOrderNo::new("PMX20240301000003").unwrap();
        order.amount = Money::fen(50);
        custom(order, "张三 VIP");
    };
    assert_eq!(sent(json!({"appkey": APPKEY_2, "appsecret": APPSECRET_2}), third).await, form("cp-s3"));
}

#[tokio::test(start_paused = true)]
async fn one_form_goes_to_the_one_path_below_the_base_address() {
    let rig = Rig::new(json!({"base_url": "https://gateway.example/pay/"})).answers(page());
    rig.create(&rig.order("alipay.web")).await.unwrap();
    let call = &rig.transport.sent()[0];
    assert_eq!(
        call.endpoint.join(&call.request.path, None),
        "https://gateway.example/pay/api/cloudpay/create"
    );
    assert_eq!(call.request.verb.as_str(), "POST");
    assert_eq!(call.request.query, None);
    assert_eq!(call.request.headers.first("content-type"), Some("application/x-www-form-urlencoded"));
}

/// Neither addresses nor anything of payer and merchant goes out: an unlisted parameter is refused with 106.
#[tokio::test(start_paused = true)]
async fn exactly_the_listed_parameters_are_sent() {
    let body = sent(json!({}), |_| {}).await;
    let names: Vec<&str> = body.split('&').filter_map(|pair| Some(pair.split_once('=')?.0)).collect();
    assert_eq!(names, ["appkey", "price", "type", "out_order_id", "custom", "sign"]);
}

#[tokio::test(start_paused = true)]
async fn prices_have_two_decimals_whatever_the_amount() {
    for (fen, want) in
        [(1, "0.01"), (50, "0.50"), (100, "1.00"), (1020, "10.20"), (9_999_999_999_999, "99999999999.99")]
    {
        let body = sent(json!({}), |order| order.amount = Money::fen(fen)).await;
        assert!(body.contains(&format!("&price={want}&")), "{fen}: {body}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_type_is_the_word_that_the_order_remembers() {
    let types = json!({"types": {"alipay": "ali_h5", "wechat": "wxpay"}});
    assert!(sent(types.clone(), |_| {}).await.contains("&type=ali_h5&"));
    let rig = Rig::new(types.clone()).answers(page());
    rig.create(&rig.order("wechat.native")).await.unwrap();
    assert!(rig.body().contains("&type=wxpay&"));
    // The settings have changed between a create's storing and its sending.
    assert!(sent(types, |order| order.memo = "alipay".to_owned()).await.contains("&type=alipay&"));
    assert!(sent(json!({}), |order| order.memo.clear()).await.contains("&type=alipay&"));
}

#[tokio::test(start_paused = true)]
async fn the_page_is_opened_or_drawn_as_a_code() {
    for (method, action) in [
        ("alipay.web", NextAction::Redirect { url: PAGE.to_owned() }),
        ("alipay.wap", NextAction::Redirect { url: PAGE.to_owned() }),
        ("alipay.native", NextAction::Qr { qr: PAGE.to_owned() }),
    ] {
        let rig = Rig::new(json!({})).answers(page());
        let created = rig.create(&rig.order(method)).await;
        assert_eq!(created, Ok(Created::Open(Opened { action: Some(action), reference: None })), "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_a_page_of_this_order_leaves_the_outcome_unknown() {
    let odd = |data: Value| reply(100, data);
    for answer in [
        odd(json!(null)),
        odd(json!([])),
        odd(json!("")),
        odd(json!({})),
        odd(json!({"pay_url": ""})),
        odd(json!({"pay_url": 7})),
        odd(json!({"pay_url": "javascript:alert(1)"})),
        odd(json!({"pay_url": "/pay/api?id=1"})),
        odd(json!({"qrcode_url": PAGE})),
        odd(json!({"pay_url": PAGE, "params": {"out_order_id": "PMX20240301000002"}})),
        odd(json!({"pay_url": PAGE, "params": {"out_order_id": 1}})),
    ] {
        check(answer).await;
    }

    async fn check(answer: WireResponse) {
        let rig = Rig::new(json!({})).answers(answer.clone());
        let created = rig.create(&rig.order("alipay.web")).await;
        assert!(matches!(created, Err(ChannelError::Unknown(_))), "{:?}: {created:?}", answer.body);
    }
}

#[tokio::test(start_paused = true)]
async fn what_the_answer_says_beside_the_page_decides_nothing() {
    for data in [
        json!({"pay_url": PAGE}),
        json!({"pay_url": PAGE, "qrcode_url": null, "params": null}),
        json!({"pay_url": PAGE, "qrcode_url": "javascript:alert(1)", "params": []}),
        json!({"pay_url": PAGE, "params": {"price": "99.99", "sign": "x"}, "more": {}}),
    ] {
        let rig = Rig::new(json!({})).answers(reply(100, data.clone()));
        assert!(rig.create(&rig.order("alipay.web")).await.is_ok(), "{data}");
    }
    // Slashes may be escaped, and the code may be text.
    let body = r#"{"code":"100","msg":"请求成功","data":{"pay_url":"https:\/\/pay.example.test\/p"}}"#;
    let rig = Rig::new(json!({})).answers(WireResponse::ok("text/html", body));
    let Ok(Created::Open(opened)) = rig.create(&rig.order("alipay.web")).await else { panic!("not open") };
    assert_eq!(opened.action, Some(NextAction::Redirect { url: "https://pay.example.test/p".to_owned() }));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_right_anywhere_is_not_sent() {
    for (what, change) in [
        ("custom", (|order| custom(order, "")) as fn(&mut Order)),
        ("custom", |order| custom(order, &"x".repeat(129))),
        ("custom", |order| custom(order, "a\nb")),
        ("custom", |order| drop(order.extra.insert("custom".to_owned(), json!(7)))),
        ("extra.notify_url", |order| drop(order.extra.insert("notify_url".to_owned(), json!("https://x")))),
        ("order number", |order| order.number = ProviderOrderNo::new("A-1").unwrap()),
        ("order number", |order| order.number = ProviderOrderNo::new("1".repeat(33)).unwrap()),
        ("currency", |order| {
            order.amount = Money::new(1, paymux_core::Currency::from_code("JPY").unwrap());
        }),
    ] {
        let rig = Rig::new(json!({}));
        let mut order = rig.order("alipay.web");
        change(&mut order);
        let refused = rig.create(&order).await.unwrap_err();
        let ChannelError::Refused(refusal) = &refused else { panic!("{what}: {refused:?}") };
        assert_eq!((refusal.code.as_str(), refusal.blame), ("invalid_request", Blame::Request));
        assert!(refusal.message.contains(what), "{refusal:?}");
        assert!(rig.transport.sent().is_empty(), "{what}");
    }
    let longest = sent(json!({}), |order| custom(order, &"张".repeat(128))).await;
    assert!(longest.contains("%E5%BC%A0"));
    let rig = Rig::new(json!({}));
    for method in ["wechat.native", "alipay.app", "alipay.barcode"] {
        let order = Order { memo: String::new(), ..rig.order(method) };
        assert_eq!(rig.create(&order).await, Err(ChannelError::Unsupported), "{method}");
    }
    assert!(rig.transport.sent().is_empty());
}

#[tokio::test(start_paused = true)]
async fn nothing_is_sent_twice() {
    for failure in [
        Undelivered::NotSent(NotSent::Connect),
        Undelivered::NotSent(NotSent::Closed),
        Undelivered::NoAnswer(NoAnswer::TimedOut),
        Undelivered::NoAnswer(NoAnswer::Broken),
        Undelivered::NoAnswer(NoAnswer::TooLarge),
    ] {
        let rig = Rig::new(json!({})).fails(failure.clone());
        let lost = rig.create(&rig.order("alipay.web")).await.unwrap_err();
        let is_unknown = matches!(lost, ChannelError::Unknown(_));
        assert_eq!(is_unknown, matches!(failure, Undelivered::NoAnswer(_)), "{failure:?}: {lost:?}");
        assert_eq!(rig.transport.sent().len(), 1, "{failure:?}");
    }
}
