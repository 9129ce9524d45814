//! Creates: the call on the wire, what is never sent, and what each ending means.

use std::time::Duration;

use paymux_core::channel::Blame;
use paymux_core::transport::{NoAnswer, NotSent, Undelivered};
use paymux_core::{
    ChannelError, Created, Currency, Money, NextAction, Order, ProviderOrderNo, Verb, WireResponse,
};
use serde_json::{Value, json};

use crate::rig::{APP_ID, APP_SECRET, MASTER_SECRET, NUMBER, Rig, TEST_SECRET, reply};

fn qr() -> WireResponse {
    reply(0, json!({"id": "record-1", "code_url": "weixin://x"}))
}

#[tokio::test(start_paused = true)]
async fn the_body_is_as_the_document_has_it() {
    let rig = Rig::new(json!({})).answers([qr()]);
    rig.create("wechat.native").await.unwrap();
    let call = &rig.sent()[0];
    assert_eq!(call.endpoint.as_str(), "https://api.beecloud.cn/");
    assert_eq!((call.request.verb, call.request.path.as_str()), (Verb::Post, "/2/rest/bill"));
    assert_eq!(call.request.headers.first("content-type"), Some("application/json"));
    assert_eq!(
        std::str::from_utf8(&call.request.body).unwrap(),
        r#"{"app_id":"7c9f2f1e-3a44-4c8b-9d21-5b0e6f7a8c90","timestamp":1709251200000,"app_sign":"43115fee5e62264f182da1d57bcef9a2","channel":"WX_NATIVE","total_fee":1023,"bill_no":"PMX20240301000001","title":"红茶 A","notify_url":"https://pay.example/notify/bee-main","bill_timeout":1800}"#
    );
}

#[tokio::test(start_paused = true)]
async fn the_till_has_its_own_path() {
    let rig = Rig::new(json!({})).answers([reply(0, json!({"pay_result": true, "id": "r"}))]);
    let created = rig.create("wechat.barcode").await.unwrap();
    let call = &rig.sent()[0];
    assert_eq!(
        std::str::from_utf8(&call.request.body).unwrap(),
        r#"{"app_id":"7c9f2f1e-3a44-4c8b-9d21-5b0e6f7a8c90","timestamp":1709251200000,"app_sign":"43115fee5e62264f182da1d57bcef9a2","channel":"WX_SCAN","total_fee":1023,"bill_no":"PMX20240301000001","title":"红茶 A","auth_code":"134567890123456789","notify_url":"https://pay.example/notify/bee-main"}"#
    );
    let Created::Paid(receipt) = created else { panic!("open") };
    assert_eq!((receipt.received, receipt.reference.as_deref()), (Money::fen(1023), Some("r")));
}

#[tokio::test(start_paused = true)]
async fn test_mode_signs_with_its_own_secret_and_opens_pages() {
    let settings =
        json!({"sandbox": true, "test_secret": TEST_SECRET, "app_secret": null, "master_secret": null});
    let rig =
        Rig::new(settings).answers([reply(0, json!({"id": "r", "url": "https://api.beecloud.cn/pay?id=1"}))]);
    rig.clock.skew(7);
    let Created::Open(opened) = rig.create("wechat.native").await.unwrap() else { panic!("paid") };
    assert_eq!(rig.paths(), ["/2/rest/sandbox/bill"]);
    assert_eq!(rig.fields(0)["app_sign"], "f64966ce52acabd93cb8bc4b1617482b", "vector bc-v3");
    let action = serde_json::to_value(opened.action).unwrap();
    assert_eq!(action, json!({"type": "redirect", "url": "https://api.beecloud.cn/pay?id=1"}));
}

#[tokio::test(start_paused = true)]
async fn version_one_has_its_own_paths_and_no_timer() {
    let rig = Rig::new(json!({"api_version": "v1"})).answers([qr()]);
    rig.create("wechat.native").await.unwrap();
    assert_eq!(rig.paths(), ["/1/rest/bill"]);
    assert_eq!(rig.fields(0).get("bill_timeout"), None);
}

#[tokio::test(start_paused = true)]
async fn a_remembered_code_is_used_whatever_the_settings_say_today() {
    let rig = Rig::new(json!({"prefer_bc": true})).answers([qr()]);
    let mut order = rig.order("wechat.native");
    order.memo = "bill WX_NATIVE WX".to_owned();
    rig.channel.create(&rig.cx(), &order).await.unwrap();
    assert_eq!(rig.fields(0)["channel"], "WX_NATIVE");
}

#[tokio::test(start_paused = true)]
async fn what_beecloud_would_surely_refuse_is_not_sent() {
    let check = async |method: &str, change: &dyn Fn(&mut Order), want: &str| {
        let rig = Rig::new(json!({})).answers([qr()]);
        let mut order = rig.order(method);
        change(&mut order);
        let Err(error) = rig.channel.create(&rig.cx(), &order).await else { panic!("{want}: was sent") };
        let ChannelError::Refused(refusal) = &error else { panic!("{want}: {error}") };
        assert_eq!((refusal.code.as_str(), refusal.blame), ("invalid_request", Blame::Request));
        assert!(refusal.message.contains(want), "{}", refusal.message);
        assert!(rig.sent().is_empty(), "{want}");
    };
    let number =
        |text: &'static str| move |order: &mut Order| order.number = ProviderOrderNo::new(text).unwrap();
    check("wechat.native", &number("A123456"), "8 to 32").await;
    check("wechat.native", &number("A-12345678"), "8 to 32").await;
    check("wechat.native", &number("A12345678901234567890123456789012"), "8 to 32").await;
    check("wechat.native", &|o| o.amount = Money::fen(0), "1 to 10000000 fen").await;
    check("wechat.native", &|o| o.amount = Money::fen(10_000_001), "1 to 10000000 fen").await;
    check("alipay.web", &|o| o.amount = Money::fen(2_147_483_648), "1 to 2147483647 fen").await;
    let yen = Currency::from_code("JPY").unwrap();
    check("alipay.web", &|o| o.amount = Money::new(5, yen), "fen of CNY").await;
    for bad in ["https://h/a?b", "https://h/a#b", "https://h/a,b", "ftp://h/"] {
        check("alipay.web", &|o| o.return_url = bad.to_owned(), "`return_url`").await;
        check("wechat.native", &|o| o.notify_url = bad.to_owned(), "`notify_url`").await;
    }
    check("wechat.jsapi", &|o| o.payer.openid = None, "`payer.openid`").await;
    check("wechat.wap", &|o| o.payer.ip = None, "`payer.ip`").await;
    check("wechat.barcode", &|o| o.payer.auth_code = None, "`payer.auth_code`").await;
    check("yeepay.wap", &|o| o.payer.id = None, "`payer.id`").await;
    check("yeepay.wap", &|o| o.payer.id = Some("u-77".to_owned()), "1 to 50 letters and digits").await;
    check("alipay.embed", &|_| (), "`extra.qr_pay_mode`: ALI_QRCODE needs it").await;
    check("alipay.barcode", &|_| (), "`extra.terminal_id`").await;
    check("bank.gateway", &|_| (), "`extra.bank`").await;
    check("yeepay.card", &|_| (), "`extra.cardno`").await;
    let extra = |name: &'static str, value: Value| {
        move |o: &mut Order| drop(o.extra.insert(name.to_owned(), value.clone()))
    };
    check("alipay.embed", &extra("qr_pay_mode", json!("2")), "write one of 0, 1, 3").await;
    check("wechat.native", &extra("bank", json!("BOC")), "WX_NATIVE does not take it").await;
    check("alipay.web", &extra("limit_credit", json!(true)), "ALI_WEB does not take it").await;
    for reserved in [
        "app_id",
        "app_sign",
        "timestamp",
        "total_fee",
        "bill_no",
        "notify_url",
        "return_url",
        "channel",
        "title",
        "openid",
        "optional",
        "analysis",
        "coupon_id",
        "buyer_id",
        "bill_timeout",
        "token",
    ] {
        check("wechat.native", &extra(reserved, json!("x")), "does not take it").await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_with_too_little_life_is_not_sent() {
    let life = async |method: &str, ms: u64| {
        let rig = Rig::new(json!({})).answers([qr()]);
        let mut order = rig.order(method);
        order.expires_at = paymux_core::clock::Clock::now(&rig.clock).plus(Duration::from_millis(ms));
        let created = rig.channel.create(&rig.cx(), &order).await;
        (created.is_ok(), rig.sent().first().map(|_| rig.fields(0)["bill_timeout"].clone()))
    };
    assert_eq!(life("wechat.native", 361_000).await, (true, Some(json!(361))));
    assert_eq!(life("wechat.native", 361_999).await, (true, Some(json!(361))));
    assert_eq!(life("wechat.native", 360_999).await, (false, None));
    assert_eq!(life("wechat.native", 2_592_000_000).await, (true, Some(json!(2_592_000))));
    assert_eq!(life("alipay.native", 1000).await, (true, Some(Value::Null)));
}

#[tokio::test(start_paused = true)]
async fn every_result_code_of_an_online_create_has_its_class() {
    let account = Some(Blame::Account);
    let request = Some(Blame::Request);
    for (code, refused) in
        [(1, account), (2, account), (3, account), (4, request), (5, request), (6, account)]
            .into_iter()
            .chain((8..=17).map(|code| (code, None)))
            .chain([(-1, None), (18, None), (10086, None)])
    {
        let rig = Rig::new(json!({})).answers([reply(code, json!({}))]);
        check(&rig, "wechat.native", code, refused).await;
        assert_eq!(rig.sent().len(), 1, "{code}");
        let till = Rig::new(json!({})).answers([reply(code, json!({}))]);
        check(&till, "wechat.barcode", code, refused).await;
    }

    async fn check(rig: &Rig, method: &str, code: i64, refused: Option<Blame>) {
        match (rig.create(method).await, refused) {
            (Err(ChannelError::Refused(refusal)), Some(blame)) => {
                assert_eq!((refusal.code, refusal.blame), (code.to_string(), blame));
            }
            (Err(ChannelError::Unknown(what)), None) => assert!(what.contains(&code.to_string()), "{what}"),
            (got, want) => panic!("code {code}: {got:?}, not {want:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn code_seven_is_a_refusal_only_when_the_order_is_not_there() {
    let seven = || reply(7, json!({"err_detail": "openid is wrong"}));
    let bills = |rows: Value| reply(0, json!({"bills": rows}));
    let row = |paid: bool| json!({"id": "r", "bill_no": NUMBER, "bill_fee": 1023, "total_fee": 1023, "discount": 0, "spay_result": paid});

    let absent = Rig::new(json!({})).answers([seven(), bills(json!([]))]);
    let Err(ChannelError::Refused(refusal)) = absent.create("wechat.jsapi").await else {
        panic!("not refused")
    };
    assert_eq!((refusal.code.as_str(), refusal.blame), ("7", Blame::Account));
    assert!(refusal.message.contains("openid is wrong"), "{}", refusal.message);
    assert_eq!(absent.paths(), ["/2/rest/bill", "/2/rest/bills"]);

    let there = Rig::new(json!({})).answers([seven(), bills(json!([row(false)]))]);
    assert!(matches!(there.create("wechat.native").await, Err(ChannelError::Unknown(_))));

    let paid = Rig::new(json!({})).answers([seven(), bills(json!([row(true)]))]);
    assert!(matches!(paid.create("wechat.native").await, Ok(Created::Paid(_))));

    let no_answer = Rig::new(json!({})).answers([seven(), reply(14, json!({}))]);
    assert!(matches!(no_answer.create("wechat.native").await, Err(ChannelError::Unknown(_))));

    let cut_off = Rig::new(json!({})).answers([seven()]).fails(Undelivered::NotSent(NotSent::Connect));
    assert!(matches!(cut_off.create("wechat.native").await, Err(ChannelError::Unknown(_))));

    for method in ["wechat.barcode", "bank.express"] {
        let moves = Rig::new(json!({})).answers([seven(), bills(json!([]))]);
        assert!(matches!(moves.create(method).await, Err(ChannelError::Unknown(_))), "{method}");
        assert_eq!(moves.sent().len(), 1, "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_cannot_be_trusted_is_unknown() {
    for (status, body) in [
        (500, r#"{"result_code":5}"#),
        (502, "<html>Bad Gateway</html>"),
        (200, "<html>OK</html>"),
        (200, ""),
        (200, r#"{"result_code":0"#),
        (200, r#"{"result_msg":"OK"}"#),
        (200, r#"{"result_code":"5"}"#),
        (302, r#"{"result_code":5}"#),
        (404, r#"{"result_code":0,"code_url":"weixin://x"}"#),
    ] {
        let rig = Rig::new(json!({})).answers([WireResponse::with_status(status, "application/json", body)]);
        let created = rig.create("wechat.native").await;
        assert!(matches!(created, Err(ChannelError::Unknown(_))), "{status} {body}: {created:?}");
        assert_eq!(rig.sent().len(), 1, "nothing is sent twice");
    }
    let lost = Rig::new(json!({})).fails(Undelivered::NoAnswer(NoAnswer::TimedOut));
    assert!(matches!(lost.create("wechat.native").await, Err(ChannelError::Unknown(_))));
}

#[tokio::test(start_paused = true)]
async fn a_wallets_time_may_come_as_a_number() {
    let fields = json!({"app_id": "wx", "package": "p", "nonce_str": "n", "timestamp": 1_709_251_200_000_i64,
        "pay_sign": "s", "sign_type": "MD5", "partner_id": "1", "prepay_id": "wx1"});
    let rig = Rig::new(json!({})).answers([reply(0, fields.clone()), reply(0, fields)]);
    let Ok(Created::Open(opened)) = rig.create("wechat.jsapi").await else { panic!("not open") };
    let Some(NextAction::Jsapi { params }) = opened.action else { panic!("{opened:?}") };
    assert_eq!(params["timeStamp"], "1709251200000", "the bridge wants text");
    assert!(matches!(rig.create("wechat.app").await, Ok(Created::Open(_))));
}

#[tokio::test(start_paused = true)]
async fn a_page_may_not_lead_into_a_script() {
    for bad in ["javascript:alert(1)", "data:text/html,x", "https://h/a b", "//h/", ""] {
        let rig = Rig::new(json!({})).answers([reply(0, json!({"url": bad}))]);
        assert!(matches!(rig.create("wechat.wap").await, Err(ChannelError::Unknown(_))), "{bad}");
    }
    for good in ["https://h/a", "weixin://wap/pay?x=1", "alipays://platformapi/startapp"] {
        let rig = Rig::new(json!({})).answers([reply(0, json!({"url": good}))]);
        assert!(rig.create("wechat.wap").await.is_ok(), "{good}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_next_address_is_tried_only_when_nothing_was_sent() {
    let two = || Rig::new(json!({"base_url": ["https://a.example", "https://b.example/x"]}));
    let hosts = |rig: &Rig| rig.sent().iter().map(|call| call.endpoint.host().to_owned()).collect::<Vec<_>>();

    let first = two().answers([qr()]);
    first.create("wechat.native").await.unwrap();
    assert_eq!(hosts(&first), ["a.example"]);

    for why in [NotSent::Connect, NotSent::Closed] {
        let second = two().fails(Undelivered::NotSent(why)).answers([qr()]);
        second.create("wechat.native").await.unwrap();
        assert_eq!(hosts(&second), ["a.example", "b.example"]);
    }

    let lost = two().fails(Undelivered::NoAnswer(NoAnswer::Broken)).answers([qr()]);
    assert!(matches!(lost.create("wechat.native").await, Err(ChannelError::Unknown(_))));
    assert_eq!(hosts(&lost), ["a.example"]);

    let late = two().fails(Undelivered::NotSent(NotSent::TooLate)).answers([qr()]);
    assert!(matches!(late.create("wechat.native").await, Err(ChannelError::NotSent(NotSent::TooLate))));
    assert_eq!(hosts(&late), ["a.example"]);

    let neither =
        two().fails(Undelivered::NotSent(NotSent::Connect)).fails(Undelivered::NotSent(NotSent::Connect));
    assert!(matches!(neither.create("wechat.native").await, Err(ChannelError::NotSent(NotSent::Connect))));
    assert_eq!(hosts(&neither).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_refused_sign_tells_the_clocks_apart_and_the_next_one_is_in_beeclouds_time() {
    let dated = |date: &str| {
        let mut answer = reply(1, json!({}));
        answer.headers.push("date", date);
        answer
    };
    let told = async |answers: Vec<WireResponse>| {
        let rig = Rig::new(json!({})).answers(answers);
        let Err(ChannelError::Refused(refusal)) = rig.create("wechat.native").await else {
            panic!("not refused")
        };
        let next = rig.create("wechat.native").await;
        assert!(next.is_ok());
        (refusal.message, rig.fields(1)["timestamp"].as_i64().unwrap())
    };
    let (message, next) = told(vec![dated("Fri, 01 Mar 2024 00:20:00 GMT"), qr()]).await;
    assert!(message.contains("our clock is 1200 s behind BeeCloud's"), "{message}");
    assert_eq!(next, 1_709_251_200_000 + 1_200_000);
    let (message, next) = told(vec![dated("Thu, 29 Feb 2024 23:58:00 GMT"), qr()]).await;
    assert!(message.contains("our clock is 120 s ahead of BeeCloud's"), "{message}");
    assert_eq!(next, 1_709_251_200_000 - 120_000);
    let (message, next) = told(vec![dated("Fri, 01 Mar 2024 00:00:30 GMT"), qr()]).await;
    assert!(message.contains("the clocks agree, so compare app_id and the secret"), "{message}");
    assert_eq!(next, 1_709_251_200_000);
    let (message, next) = told(vec![reply(1, json!({})), qr()]).await;
    assert!(message.contains("compare the clocks before the keys"), "{message}");
    assert_eq!(next, 1_709_251_200_000);
}

#[tokio::test(start_paused = true)]
async fn no_secret_sign_or_card_stands_in_an_error() {
    let sign = "43115fee5e62264f182da1d57bcef9a2";
    let echo = format!("{APP_SECRET} {MASTER_SECRET} {sign} 6200000000000000001 134567890123456789 {APP_ID}");
    for code in [1, 4, 5, 7, 14, 99] {
        let rig = Rig::new(json!({}))
            .answers([reply(code, json!({"err_detail": echo})), reply(0, json!({"bills": []}))]);
        let error = rig.create("wechat.native").await.unwrap_err();
        for text in [error.to_string(), format!("{error:?}"), format!("{:?}", rig.sent())] {
            for secret in [APP_SECRET, MASTER_SECRET, sign, "6200000000000000001", "134567890123456789"] {
                assert!(!text.contains(secret), "{text}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn of_a_card_nothing_is_repeated() {
    let rig = Rig::new(json!({})).answers([reply(5, json!({"err_detail": "cardpwd pw-secret is wrong"}))]);
    let mut order = rig.order("yeepay.card");
    order.extra =
        serde_json::from_value(json!({"cardno": "12", "cardpwd": "pw-secret", "frqid": "SZX"})).unwrap();
    let error = rig.channel.create(&rig.cx(), &order).await.unwrap_err().to_string();
    assert!(error.contains("PARAM_INVALID") && !error.contains("pw-secret"), "{error}");
}
