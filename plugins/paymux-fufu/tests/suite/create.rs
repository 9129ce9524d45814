//! Creates: the calls on the wire, what is never sent, and what each ending means.

use std::time::Duration;

use paymux_core::channel::{Blame, Receipt};
use paymux_core::transport::{NotSent, Undelivered};
use paymux_core::{
    ChannelError, Created, Currency, Money, NextAction, Order, ProviderOrderNo, Secret, Verb, WireResponse,
};
use serde_json::{Value, json};

use crate::rig::{
    NUMBER, Rig, baht, done, fails_with, in_state, json_response, refusal, refused_with, unknown,
};

fn messages() -> Value {
    serde_json::from_str(include_str!("../data/messages.json")).unwrap()
}

fn vector(id: &str) -> Value {
    let file: Value = serde_json::from_str(include_str!("../data/vectors.json")).unwrap();
    file["vectors"].as_array().unwrap().iter().find(|vector| vector["id"] == id).unwrap().clone()
}

/// F6, F10, F37: the scan of vector ff-s1, byte for byte, sign and all.
#[tokio::test(start_paused = true)]
async fn a_scan_is_the_vectors_to_the_byte() {
    let rig = Rig::answering([json_response(&messages()["order_paid"])]);
    let created = rig.create("alipay.barcode").await.unwrap();
    let call = &rig.sent()[0];
    assert_eq!(call.endpoint.as_str(), "https://fufu.example/gateway/pay");
    assert_eq!((call.request.verb, call.request.path.as_str()), (Verb::Post, "/order"));
    assert_eq!(call.request.headers.first("content-type"), Some("application/json"));
    let vector = vector("ff-s1");
    assert_eq!(rig.body(0), vector["body"].as_str().unwrap());
    assert_eq!(
        call.request.query.as_deref(),
        Some(format!("sign={}", vector["sign"].as_str().unwrap()).as_str())
    );
    let want = Receipt {
        trade_no: Some("2024030122001400000000000001".to_owned()),
        reference: Some("20240301100000000001".to_owned()),
        ..Receipt::of(Money::fen(250))
    };
    assert_eq!(created, Created::Paid(want));
}

/// F13, F14, F15: what a `preOrder` carries and what it does not.
#[tokio::test(start_paused = true)]
async fn an_order_that_is_paid_later_is_as_the_document_has_it() {
    let rig =
        Rig::answering([done(json!({"out_trade_no": NUMBER, "trade_no": "T1", "qr_code": "https://q/1"}))]);
    let created = rig.create("any.native").await.unwrap();
    assert_eq!(rig.paths(), ["/preOrder"]);
    assert_eq!(
        rig.body(0),
        r#"{"busi_id":"100000000000001","operator_id":"op1","total_fee":"250","channel_type":"0","pay_subject":"coffee","out_trade_no":"PMX20240301000001","fee_type":"CNY","trade_type":"QRCODE","time_expire":30,"notifyUrl":"https://pay.example/notify/fufu-1"}"#
    );
    let Created::Open(opened) = created else { panic!("paid") };
    assert_eq!(opened.reference.as_deref(), Some("T1"));
    assert_eq!(serde_json::to_value(opened.action).unwrap(), json!({"type": "qr", "qr": "https://q/1"}));

    let rig = Rig::answering([done(json!({"out_trade_no": NUMBER, "prePayId": "2024"}))]);
    rig.create("alipay.jsapi").await.unwrap();
    let fields = rig.fields(0);
    assert_eq!(
        (&fields["trade_type"], &fields["openId"], &fields["channel_type"]),
        (&json!("JSAPI"), &json!("o-1"), &json!("1"))
    );
    for absent in ["subAppId", "auth_code", "terminal_id", "time_zone", "store_id", "merchant_param"] {
        assert_eq!(fields.get(absent), None, "{absent}");
    }
}

#[tokio::test(start_paused = true)]
async fn settings_and_extra_say_who_acts_and_where() {
    let rig = Rig::new(json!({"operator_id": null, "terminal_id": null, "store_id": "s1"}));
    rig.create("alipay.barcode").await.unwrap_err();
    let fields = rig.fields(0);
    assert_eq!((&fields["operator_id"], &fields["terminal_id"]), (&json!("paymux"), &json!("paymux")));
    assert_eq!(fields["store_id"], "s1");

    let rig = Rig::new(json!({}));
    let mut order = rig.order("alipay.barcode");
    order.extra =
        [("operator_id", "op9"), ("terminal_id", "t9"), ("store_id", "s9"), ("merchant_param", "c2hvcA==")]
            .map(|(name, text)| (name.to_owned(), json!(text)))
            .into();
    rig.channel.create(&rig.cx(), &order).await.unwrap_err();
    let fields = rig.fields(0);
    for (name, want) in
        [("operator_id", "op9"), ("terminal_id", "t9"), ("store_id", "s9"), ("merchant_param", "c2hvcA==")]
    {
        assert_eq!(fields[name], want);
    }
}

/// F4: each call is signed with its own time.
#[tokio::test(start_paused = true)]
async fn every_try_has_its_own_time() {
    let rig = Rig::answering([]);
    rig.create("any.native").await.unwrap_err();
    rig.clock.advance(Duration::from_millis(1)).await;
    rig.create("any.native").await.unwrap_err();
    let sign = |index: usize| rig.sent()[index].request.query_value("sign").unwrap();
    assert!(sign(0).ends_with(":1709251200000") && sign(1).ends_with(":1709251200001"));
}

/// F8, F9, F12, F13, F17, F33, F36.
#[tokio::test(start_paused = true)]
async fn what_fufu_would_surely_refuse_is_not_sent() {
    let check = async |method: &str, change: &dyn Fn(&mut Order), want: &str| {
        let rig = Rig::answering([in_state(json!(1))]);
        let mut order = rig.order(method);
        change(&mut order);
        let (code, blame, message) = refusal(rig.channel.create(&rig.cx(), &order).await);
        assert_eq!((code.as_str(), blame), ("invalid_request", Blame::Request));
        assert!(message.contains(want), "{message}");
        assert!(rig.sent().is_empty(), "{want}");
    };
    let number = |text: &'static str| move |o: &mut Order| o.number = ProviderOrderNo::new(text).unwrap();
    check("any.native", &number("A12345678901234567890123456789012"), "1 to 32 letters").await;
    check("any.barcode", &number("A-1"), "1 to 32 letters").await;
    for minor in [0, -1] {
        check("any.native", &|o| o.amount = Money::fen(minor), "1 or more").await;
    }
    let yen = Currency::from_code("JPY").unwrap();
    check("any.native", &|o| o.amount = Money::new(5, yen), "CNY, THB and HKD").await;
    check("any.barcode", &|o| o.payer.auth_code = None, "`payer.auth_code`").await;
    check("any.barcode", &|o| o.payer.auth_code = Some(Secret::new("28 12")), "without blanks").await;
    check("any.barcode", &|o| o.payer.auth_code = Some(Secret::new("2".repeat(101))), "1 to 100").await;
    check("alipay.jsapi", &|o| o.payer.openid = None, "`payer.openid`").await;
    check("wechat.jsapi", &|o| o.extra.clear(), "`extra.subAppId`").await;
    for bad in ["https://h/a?b", "https://h/a#b", "ftp://h/", &format!("https://h/{}", "a".repeat(256))] {
        check("any.native", &|o| o.notify_url = bad.to_owned(), "`notify_url`").await;
    }
    let extra = |name: &'static str, value: Value| {
        move |o: &mut Order| drop(o.extra.insert(name.to_owned(), value.clone()))
    };
    check("alipay.jsapi", &extra("subAppId", json!("wx1")), "does not take it").await;
    check("any.native", &extra("terminal_id", json!("t1")), "does not take it").await;
    check("any.native", &extra("merchant_param", json!("no base64!")), "standard base64").await;
    check("any.native", &extra("store_id", json!(7)), "1 to 32 characters").await;
    for reserved in
        ["busi_id", "total_fee", "out_trade_no", "notifyUrl", "channel_type", "fee_type", "auth_code"]
    {
        check("any.native", &extra(reserved, json!("1")), "does not take it").await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_with_too_little_life_is_not_sent() {
    let rig = Rig::answering([]);
    let mut order = rig.order("any.native");
    order.expires_at = paymux_core::clock::Clock::now(&rig.clock).plus(Duration::from_secs(59));
    let (code, blame, message) = refusal(rig.channel.create(&rig.cx(), &order).await);
    assert_eq!((code.as_str(), blame), ("invalid_request", Blame::Account), "another may take it");
    assert!(message.contains("less than a minute"), "{message}");
    assert!(rig.sent().is_empty());
}

/// F11: paid is what says so three times; a payer who has not finished is waited for; the rest is asked about.
#[tokio::test(start_paused = true)]
async fn a_scan_is_paid_open_or_unknown() {
    let of = async |answer: WireResponse| Rig::answering([answer]).create("alipay.barcode").await;
    for state in [json!(1), json!("1")] {
        assert!(matches!(of(in_state(state)).await, Ok(Created::Paid(_))));
    }
    for state in [json!(0), json!("0"), json!(3)] {
        let Ok(Created::Open(opened)) = of(in_state(state)).await else { panic!("not open") };
        assert_eq!((opened.action, opened.reference.as_deref()), (None, Some("20240301100000000001")));
    }
    for state in [2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15] {
        let told = unknown(of(in_state(json!(state))).await);
        assert!(told.contains(&format!("state {state}")), "{told}");
    }
    unknown(of(in_state(Value::Null)).await);
    let revoked = json!({"result": {"return_code": "SUCCESS"},
        "data": {"return_code": "FAIL", "return_msg": "AREADY_REVOKED", "state": 2}});
    unknown(of(json_response(&revoked)).await);
    // F38: only a `preOrder` may leave the code out.
    let uncoded = json!({"result": {"return_code": "SUCCESS"}, "data": {"out_trade_no": NUMBER, "trade_no": "T", "state": 1}});
    unknown(of(json_response(&uncoded)).await);
}

/// Of a scan five codes are a refusal, at either level, and everything else is open.
#[tokio::test(start_paused = true)]
async fn five_codes_refuse_a_scan_and_no_other() {
    let refusing = [
        ("ILLEGAL_PARAMETER", Blame::Request),
        ("INVALID_SIGN", Blame::Account),
        ("AMT_ERROR", Blame::Request),
        ("INVALID_CONTRACT", Blame::Account),
        ("UNREGISTERED_BUSI", Blame::Account),
    ];
    for (code, blame) in refusing {
        for answer in [fails_with(code), refused_with(code)] {
            let (got, whose, message) = refusal(Rig::answering([answer]).create("any.barcode").await);
            assert_eq!((got.as_str(), whose), (code, blame));
            assert!(message.starts_with(code), "{message}");
        }
    }
    let open = [
        "FAIL",
        "DATABASE_ERROR",
        "EXCEPTION",
        "CHARGE_NONEXISTENT",
        "SERVICE_UNAVAILABLE",
        "HTTP_EXCEPTION",
        "IO_EXCEPTION",
        "CREATE_SECURITY_CONNECTION_ERROR",
        "AREADY_REVOKED",
        "SERIAL_REPEAT",
        "SOUNDWAVE_PARSER_FAIL",
        "SUCESS",
        "",
    ];
    for code in open {
        for answer in [fails_with(code), refused_with(code)] {
            unknown(Rig::answering([answer]).create("any.barcode").await);
        }
    }
}

/// F34: the number in use means that an order is there.
#[tokio::test(start_paused = true)]
async fn a_refused_order_lets_others_try_and_an_open_one_does_not() {
    let of = async |code: &str| Rig::answering([fails_with(code)]).create("any.native").await;
    for (code, blame) in
        [("FAIL", Blame::Account), ("AMT_ERROR", Blame::Request), ("SERVICE_UNAVAILABLE", Blame::Provider)]
    {
        assert_eq!(refusal(of(code).await).1, blame, "{code}");
    }
    for code in ["SERIAL_REPEAT", "EXCEPTION", "IO_EXCEPTION", "AREADY_REVOKED", "SOUNDWAVE_PARSER_FAIL"] {
        unknown(of(code).await);
    }
}

/// F2: answers carry no sign, so what they repeat must be ours.
#[tokio::test(start_paused = true)]
async fn an_answer_about_something_else_is_not_believed() {
    let paid = |patch: Value| {
        let mut data =
            json!({"out_trade_no": NUMBER, "trade_no": "T", "total_fee": 250, "fee_type": "CNY", "state": 1});
        data.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        done(data)
    };
    let of = async |patch: Value| Rig::answering([paid(patch)]).create("any.barcode").await;
    for good in
        [json!({}), json!({"total_fee": "250"}), json!({"total_fee": null}), json!({"fee_type": null})]
    {
        assert!(matches!(of(good.clone()).await, Ok(Created::Paid(_))), "{good}");
    }
    for bad in [
        json!({"out_trade_no": "PMX20240301000002"}),
        json!({"out_trade_no": "PMX2024030100000 1"}),
        json!({"out_trade_no": " PMX20240301000001"}),
        json!({"out_trade_no": null}),
        json!({"out_trade_no": {}}),
        json!({"total_fee": 249}),
        json!({"total_fee": "2.50"}),
        json!({"total_fee": 250.0}),
        json!({"fee_type": "THB"}),
        json!({"state": "paid"}),
    ] {
        unknown(of(bad.clone()).await);
    }
}

/// The same for refusals: one that names another order refuses nothing of this one.
#[tokio::test(start_paused = true)]
async fn a_refusal_of_something_else_is_not_believed() {
    let refusing = |number: Value| {
        let data = json!({"return_code": "FAIL", "return_msg": "AMT_ERROR", "out_trade_no": number});
        json_response(&json!({"result": {"return_code": "SUCCESS"}, "data": data}))
    };
    for method in ["any.barcode", "any.native"] {
        for number in [json!(NUMBER), Value::Null] {
            assert_eq!(refusal(Rig::answering([refusing(number)]).create(method).await).0, "AMT_ERROR");
        }
        for number in [json!("PMX20240301000002"), json!("PMX2024030100000 1"), json!({})] {
            unknown(Rig::answering([refusing(number)]).create(method).await);
        }
    }
}

/// F16: text of JSON, or an object.
#[tokio::test(start_paused = true)]
async fn what_the_payer_must_do_comes_from_the_field_of_the_way_to_pay() {
    let of = async |method: &str, data: Value| {
        let mut data = data;
        data["out_trade_no"] = json!(NUMBER);
        match Rig::answering([done(data)]).create(method).await {
            Ok(Created::Open(opened)) => Ok(opened.action.unwrap()),
            Ok(other) => panic!("{other:?}"),
            Err(error) => Err(error),
        }
    };
    let bridge = json!({"appId": "wx1", "timeStamp": "1709251200000", "signType": "MD5", "package": "prepay_id=wx2",
        "callback_url": null, "nonceStr": "n", "paySign": "p", "status": "1"});
    for pay_info in [bridge.clone(), json!(bridge.to_string())] {
        let action = of("wechat.jsapi", json!({"payInfo": pay_info})).await.unwrap();
        assert_eq!(action, NextAction::Jsapi { params: bridge.clone() });
    }
    let action = of("alipay.jsapi", json!({"prePayId": "2024030122001"})).await.unwrap();
    let params = json!({"prePayId": "2024030122001", "trade_no": "2024030122001"});
    assert_eq!(action, NextAction::Jsapi { params });
    for (method, data) in [
        ("any.native", json!({})),
        ("any.native", json!({"qr_code": ""})),
        ("any.native", json!({"qr_code": "a\nb"})),
        ("alipay.native", json!({"prePayId": "1"})),
        ("alipay.jsapi", json!({"qr_code": "https://q"})),
        ("wechat.jsapi", json!({"payInfo": "no json"})),
        ("wechat.jsapi", json!({"payInfo": "[]"})),
        ("wechat.jsapi", json!({"payInfo": {}})),
        ("wechat.jsapi", json!({"payInfo": null})),
    ] {
        unknown(of(method, data.clone()).await);
    }
}

/// F38.
#[tokio::test(start_paused = true)]
async fn a_pre_order_without_its_code_needs_its_number_and_its_field() {
    let of = async |data: Value| {
        let body = json!({"result": {"return_code": "SUCCESS"}, "data": data});
        Rig::answering([json_response(&body)]).create("any.native").await
    };
    assert!(of(json!({"out_trade_no": NUMBER, "trade_no": "T1", "qr_code": "https://q"})).await.is_ok());
    unknown(of(json!({"out_trade_no": NUMBER, "qr_code": "https://q"})).await);
    unknown(of(json!({"out_trade_no": NUMBER, "trade_no": "T1"})).await);
}

/// F10, F37: the amount in its own currency is booked; what it made in CNY, and the rate, stay with it.
#[tokio::test(start_paused = true)]
async fn another_currency_keeps_its_rate_to_the_last_digit() {
    let paid = |name: &str, rate: &str| {
        WireResponse::ok(
            "application/json",
            format!(
                r#"{{"result":{{"return_code":"SUCCESS"}},"data":{{"return_code":"SUCCESS","out_trade_no":"{NUMBER}","trade_no":"T1","total_fee":"10000","fee_type":"THB","exchange_rate":{rate},"{name}":"2028","state":1}}}}"#
            ),
        )
    };
    let of = async |answer: WireResponse| {
        let rig = Rig::answering([answer]);
        let mut order = rig.order("alipay.barcode");
        order.amount = baht(10_000);
        let created = rig.channel.create(&rig.cx(), &order).await.unwrap();
        assert_eq!(
            (&rig.fields(0)["fee_type"], &rig.fields(0)["total_fee"]),
            (&json!("THB"), &json!("10000"))
        );
        let Created::Paid(receipt) = created else { panic!("open") };
        assert_eq!((receipt.received, receipt.discount), (baht(10_000), baht(0)));
        receipt.reference.unwrap()
    };
    assert_eq!(of(paid("trans_amount_cny", "\"4.93\"")).await, "T1 = 20.28 CNY at 4.93");
    assert_eq!(
        of(paid("trans_amount_cny", "4.930000000000000000001")).await,
        "T1 = 20.28 CNY at 4.930000000000000000001"
    );
    // Printed so in the document's table.
    assert_eq!(of(paid("trans_amount_cny ", "\"4.93\"")).await, "T1 = 20.28 CNY at 4.93");
    assert_eq!(of(paid("trans_amount_cny", "\"about 5\"")).await, "T1 = 20.28 CNY");
    assert_eq!(of(paid("else", "\"4.93\"")).await, "T1");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_not_surely_understood_is_unknown() {
    let good = json!({"result": {"return_code": "SUCCESS"},
        "data": {"return_code": "SUCCESS", "out_trade_no": NUMBER, "state": 1}})
    .to_string();
    let of = async |status: u16, body: Vec<u8>| {
        Rig::answering([WireResponse::with_status(status, "application/json", body)])
            .create("any.barcode")
            .await
    };
    assert!(of(200, good.clone().into_bytes()).await.is_ok());
    assert!(of(200, format!("{good} \r\n").into_bytes()).await.is_ok());
    for status in [302, 400, 403, 500, 502, 503, 504] {
        unknown(of(status, good.clone().into_bytes()).await);
    }
    for body in [
        "",
        "<html></html>",
        "null",
        &good[..good.len() - 1],
        &format!("{good}{{}}"),
        &format!("\u{feff}{good}"),
    ] {
        unknown(of(200, body.as_bytes().to_vec()).await);
    }
    unknown(of(200, [good.as_bytes(), b"\x80"].concat()).await);
    unknown(Rig::new(json!({})).then_breaks().create("any.barcode").await);
    let rig = Rig::new(json!({}));
    rig.transport.answer(Err(Undelivered::NotSent(NotSent::Connect)));
    assert_eq!(rig.create("any.barcode").await, Err(ChannelError::NotSent(NotSent::Connect)));
}
