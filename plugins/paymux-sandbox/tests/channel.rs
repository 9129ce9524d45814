//! The sandbox through the door that everybody uses: its provider, its channels, its acceptor.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(clippy::needless_pass_by_value, reason = "rows read better with values")]

use std::sync::Arc;
use std::time::Duration;

use paymux_core::acceptor::{
    Acceptor, FrontAccount, FrontAccounts, FrontAnswer, FrontCall, FrontFact, FrontOrder, FrontRefusal,
};
use paymux_core::channel::{Blame, CallbackError, CancelAnswer, Evidence, QueryAnswer, Verdict};
use paymux_core::clock::Clock;
use paymux_core::provider::{ChannelSite, Settings};
use paymux_core::transport::Deadline;
use paymux_core::{
    Channel, ChannelError, ChannelId, Created, Currency, Cx, Money, NextAction, Order, OrderRef, Payer,
    Provider, ProviderOrderNo, Timestamp, Verb, WireRequest, WireResponse,
};
use paymux_testkit::{ScriptedTransport, TestClock};
use proptest::prelude::{any, prop, proptest};
use serde_json::{Value, json};

const NUMBER: &str = "018df73e8c0070008000000000000001";

/// A channel with a clock and a transport that must stay silent.
struct Rig {
    channel: Arc<dyn Channel>,
    clock: TestClock,
    transport: ScriptedTransport,
}

impl Rig {
    fn new() -> Self {
        Self::of(&paymux_sandbox::provider(), json!({}))
    }

    fn of(provider: &Arc<dyn Provider>, settings: Value) -> Self {
        let Value::Object(settings) = settings else { panic!("settings are a table") };
        let site = ChannelSite { id: ChannelId::new("box-1").unwrap() };
        let channel = provider.channel(site, settings).unwrap();
        Self { channel, clock: TestClock::new(), transport: ScriptedTransport::new() }
    }

    fn cx(&self) -> Cx<'_> {
        let deadline = Deadline::after(self.clock.mono(), Duration::from_secs(15));
        Cx::new(&self.transport, &self.clock, deadline)
    }

    fn order(&self, method: &str, script: Option<&str>) -> Order {
        Order {
            number: ProviderOrderNo::new(NUMBER).unwrap(),
            amount: Money::fen(1999),
            method: method.parse().unwrap(),
            subject: "Tea".to_owned(),
            expires_at: self.clock.now().plus(Duration::from_mins(30)),
            notify_url: "https://pay.example/notify/box-1".to_owned(),
            return_url: "https://pay.example/return/box-1".to_owned(),
            payer: Payer::default(),
            extra: std::collections::BTreeMap::new(),
            metadata: script.map(|word| ("sandbox".to_owned(), word.to_owned())).into_iter().collect(),
            memo: String::new(),
        }
    }

    fn order_ref(&self) -> OrderRef {
        OrderRef {
            number: ProviderOrderNo::new(NUMBER).unwrap(),
            amount: Money::fen(1999),
            method: "wechat.native".parse().unwrap(),
            memo: String::new(),
            reference: None,
            created_at: self.clock.now(),
            metadata: std::collections::BTreeMap::new(),
        }
    }

    async fn create(&self, script: Option<&str>) -> Result<Created, ChannelError> {
        self.channel.create(&self.cx(), &self.order("wechat.native", script)).await
    }

    async fn query(&self) -> QueryAnswer {
        self.channel.query(&self.cx(), &self.order_ref()).await.unwrap()
    }

    async fn cancel(&self) -> CancelAnswer {
        self.channel.cancel(&self.cx(), &self.order_ref()).await.unwrap()
    }

    async fn pay(&self, body: Value) -> Result<Value, ChannelError> {
        self.channel.native(&self.cx(), "pay", body).await
    }
}

fn received(answer: &QueryAnswer) -> i64 {
    match answer {
        QueryAnswer::Paid(receipt) => receipt.received.minor(),
        other => panic!("{other:?} is not paid"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_order_waits_until_it_is_paid_by_number() {
    let rig = Rig::new();
    assert_eq!(rig.query().await, QueryAnswer::NotFound);
    let Created::Open(opened) = rig.create(None).await.unwrap() else { panic!("paid") };
    assert_eq!(opened.action, Some(NextAction::Qr { qr: format!("sandbox:box-1/{NUMBER}") }));
    assert_eq!(rig.query().await, QueryAnswer::Open);
    let told = rig.pay(json!({"number": NUMBER})).await.unwrap();
    assert_eq!(
        told,
        json!({"number": NUMBER, "state": "paid", "amount": 1999, "currency": "CNY", "trade_no": format!("sandbox-{NUMBER}")})
    );
    assert_eq!(received(&rig.query().await), 1999);
    assert!(matches!(rig.cancel().await, CancelAnswer::Paid(_)));
    assert!(rig.transport.sent().is_empty(), "the sandbox has no network");
}

#[tokio::test(start_paused = true)]
async fn scripts_do_what_their_words_say() {
    let paid = Rig::new();
    let Created::Paid(receipt) = paid.create(Some("paid")).await.unwrap() else { panic!("open") };
    assert_eq!(receipt.received, Money::fen(1999));
    assert_eq!(received(&paid.query().await), 1999);

    let refused = Rig::new();
    let Err(ChannelError::Refused(refusal)) = refused.create(Some("refused")).await else {
        panic!("not refused")
    };
    assert_eq!((refusal.code.as_str(), refusal.blame), ("refused", Blame::Account));
    assert_eq!(refused.query().await, QueryAnswer::NotFound);

    let unknown = Rig::new();
    assert!(matches!(unknown.create(Some("unknown")).await, Err(ChannelError::Unknown(_))));
    assert_eq!(unknown.query().await, QueryAnswer::Open);
    unknown.pay(json!({"number": NUMBER})).await.unwrap();
    assert_eq!(received(&unknown.query().await), 1999);

    let strange = Rig::new();
    let Err(ChannelError::Refused(refusal)) = strange.create(Some("maybe")).await else { panic!("taken") };
    assert!(refusal.message.contains("paid, open, refused, unknown, late"), "{}", refusal.message);
    assert_eq!(strange.query().await, QueryAnswer::NotFound);
}

#[tokio::test(start_paused = true)]
async fn late_money_comes_after_the_close() {
    let rig = Rig::new();
    assert!(matches!(rig.create(Some("late")).await, Ok(Created::Open(_))));
    assert_eq!(rig.query().await, QueryAnswer::Open);
    assert_eq!(rig.cancel().await, CancelAnswer::Closed);
    assert_eq!(rig.query().await, QueryAnswer::Closed);
    rig.clock.advance(Duration::from_millis(4999)).await;
    assert_eq!(rig.query().await, QueryAnswer::Closed);
    rig.clock.advance(Duration::from_millis(1)).await;
    assert_eq!(received(&rig.query().await), 1999);
}

#[tokio::test(start_paused = true)]
async fn late_money_comes_after_the_end_of_an_order_that_nobody_closed() {
    let rig = Rig::new();
    rig.create(Some("late")).await.unwrap();
    rig.clock.advance(Duration::from_millis(1_804_999)).await;
    assert_eq!(rig.query().await, QueryAnswer::Open);
    rig.clock.advance(Duration::from_millis(1)).await;
    assert_eq!(received(&rig.query().await), 1999);
}

#[tokio::test(start_paused = true)]
async fn a_closed_number_stays_closed() {
    let rig = Rig::new();
    assert_eq!(rig.cancel().await, CancelAnswer::Closed, "nothing is there, and nothing can come");
    assert!(matches!(rig.create(None).await, Err(ChannelError::Refused(_))));
    let Err(ChannelError::Refused(refusal)) = rig.pay(json!({"number": NUMBER})).await else {
        panic!("paid")
    };
    assert_eq!(refusal.code, "closed");
    let rig = Rig::new();
    rig.create(None).await.unwrap();
    assert_eq!(rig.cancel().await, CancelAnswer::Closed);
    assert_eq!(rig.cancel().await, CancelAnswer::Closed);
    rig.pay(json!({"number": NUMBER, "late": true})).await.unwrap();
    assert_eq!(received(&rig.query().await), 1999);
}

#[tokio::test(start_paused = true)]
async fn another_sum_can_come_in() {
    let rig = Rig::new();
    rig.create(None).await.unwrap();
    rig.pay(json!({"number": NUMBER, "amount": 1000})).await.unwrap();
    rig.pay(json!({"number": NUMBER, "amount": 5000})).await.unwrap();
    assert_eq!(received(&rig.query().await), 1000, "paying twice has one effect");
}

#[tokio::test(start_paused = true)]
async fn the_operation_pay_refuses_what_it_cannot_read() {
    let rig = Rig::new();
    rig.create(None).await.unwrap();
    for bad in [
        json!({}),
        json!({"number": 1}),
        json!({"number": NUMBER, "amount": 0}),
        json!({"number": NUMBER, "amount": "1"}),
        json!({"number": NUMBER, "sum": 1}),
        json!("x"),
    ] {
        let Err(ChannelError::Refused(refusal)) = rig.pay(bad.clone()).await else {
            panic!("{bad} was taken")
        };
        assert_eq!(refusal.code, "bad_request");
    }
    let Err(ChannelError::Refused(refusal)) = rig.pay(json!({"number": "other"})).await else {
        panic!("paid")
    };
    assert_eq!(refusal.code, "not_found");
    let other = rig.channel.native(&rig.cx(), "refund", json!({})).await;
    assert_eq!(other, Err(ChannelError::Unsupported));
    assert_eq!(rig.query().await, QueryAnswer::Open);
}

#[tokio::test(start_paused = true)]
async fn every_product_gives_its_payer_something_to_do() {
    for (method, want) in [
        ("wechat.native", "Some(Qr(..))"),
        ("alipay.web", "Some(Html(..))"),
        ("alipay.wap", "Some(Html(..))"),
        ("alipay.embed", "Some(Html(..))"),
        ("bank.gateway", "Some(Html(..))"),
        ("bank.express", "Some(Html(..))"),
        ("wechat.app", "Some(App(..))"),
        ("wechat.jsapi", "Some(Jsapi(..))"),
        ("wechat.mini", "Some(Jsapi(..))"),
        ("any.barcode", "None"),
        ("yeepay.card", "None"),
    ] {
        let rig = Rig::new();
        let Created::Open(opened) = rig.channel.create(&rig.cx(), &rig.order(method, None)).await.unwrap()
        else {
            panic!("{method} was paid")
        };
        assert_eq!(format!("{:?}", opened.action), want, "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reload_keeps_the_books_of_a_channel() {
    let provider = paymux_sandbox::provider();
    Rig::of(&provider, json!({})).create(None).await.unwrap();
    assert_eq!(Rig::of(&provider, json!({"key": "k2"})).query().await, QueryAnswer::Open);
    assert_eq!(Rig::new().query().await, QueryAnswer::NotFound, "another provider has books of its own");
}

#[tokio::test(start_paused = true)]
async fn it_says_what_it_is() {
    let rig = Rig::new();
    let descriptor = rig.channel.descriptor();
    assert_eq!(descriptor.provider, "sandbox");
    assert!(!descriptor.livemode);
    assert_eq!(descriptor.account_key, "box-1");
    assert_eq!(descriptor.can.names().collect::<Vec<_>>(), ["query", "cancel"]);
    assert_eq!(descriptor.currencies.len(), 8);
    assert!(descriptor.extra.is_empty());
}

/// The accounts of a host.
struct Accounts;

impl FrontAccounts for Accounts {
    fn find(&self, key: &str, value: &str) -> Option<FrontAccount> {
        (key == "account" && value == "shop").then(account)
    }
}

fn account() -> FrontAccount {
    let settings: Settings = json!({"account": "shop", "key": "k-9f2c"}).as_object().unwrap().clone();
    FrontAccount { key: "shop".to_owned(), settings }
}

fn acceptor() -> Arc<dyn Acceptor> {
    paymux_sandbox::provider().acceptor().unwrap()
}

fn paid_order() -> FrontOrder {
    FrontOrder {
        id: "1".to_owned(),
        number: NUMBER.to_owned(),
        amount: Money::fen(1999),
        received: Some(Money::fen(1999)),
        discount: Money::fen(0),
        method: "wechat.native".parse().unwrap(),
        memo: String::new(),
        subject: "Tea".to_owned(),
        trade_no: None,
        closed: false,
        created_at: Timestamp::from_ms(1),
        paid_at: Some(Timestamp::from_ms(1_709_251_200_000)),
        echo: Value::Null,
    }
}

fn notice() -> WireRequest {
    acceptor().notice(&account(), &FrontFact::Paid(Box::new(paid_order())), Timestamp::from_ms(5))
}

#[tokio::test(start_paused = true)]
async fn a_callback_is_believed_as_it_was_signed_and_not_otherwise() {
    let rig = Rig::of(&paymux_sandbox::provider(), json!({"key": "k-9f2c"}));
    let good = notice();
    let claim = rig.channel.verify_callback(&good).unwrap();
    assert_eq!(claim.number, NUMBER);
    assert_eq!(claim.received, Money::fen(1999));
    assert_eq!(claim.event_key, format!("paid:{NUMBER}"));
    assert_eq!(claim.evidence, Evidence::Settles);

    let sign = good.headers.first("sandbox-sign").unwrap().to_owned();
    let with = |sign: &str, body: &[u8]| {
        WireRequest::new(Verb::Post, "/").header("sandbox-sign", sign).body("application/json", body.to_vec())
    };
    for at in 0..good.body.len() {
        let mut body = good.body.to_vec();
        body[at] ^= 1;
        let error = rig.channel.verify_callback(&with(&sign, &body)).unwrap_err();
        assert!(matches!(error, CallbackError::BadSign(_)), "byte {at}: {error}");
    }
    check(&rig, with(&sign.to_uppercase(), &good.body), "lower case");
    check(&rig, with("", &good.body), "md5(");
    check(&rig, WireRequest::new(Verb::Post, "/").body("application/json", good.body.clone()), "no header");
    check(&rig, WireRequest { verb: Verb::Get, ..good.clone() }, "a POST");
    check(&rig, with(&sign, &[b' '; 4097]), "at most 4096 bytes");
    check(&Rig::new(), good, "md5(");

    #[track_caller]
    fn check(rig: &Rig, request: WireRequest, want: &str) {
        let error = rig.channel.verify_callback(&request).unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_signed_callback_must_still_be_a_whole_one() {
    let rig = Rig::new();
    for body in [
        r#"{"number":"n","amount":0,"currency":"CNY","time":1}"#,
        r#"{"number":"n","amount":1.5,"currency":"CNY","time":1}"#,
        r#"{"number":"n","amount":1,"currency":"yuan","time":1}"#,
        r#"{"number":"","amount":1,"currency":"CNY","time":1}"#,
        r#"{"number":"n","amount":1,"currency":"CNY"}"#,
        r#"{"number":"n","amount":1,"currency":"CNY","time":1,"x":1}"#,
        r#"["n",1,"CNY",1]"#,
        "",
    ] {
        let text = format!("callback\n{body}\nsandbox");
        let sign = paymux_sign::Md5Text::new().piece(text).digest().to_hex();
        let request = WireRequest::new(Verb::Post, "/")
            .header("sandbox-sign", sign.as_str())
            .body("application/json", body);
        let error = rig.channel.verify_callback(&request).unwrap_err();
        assert!(matches!(error, CallbackError::Unreadable(_)), "{body}: {error}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_acknowledgement_is_exact() {
    let rig = Rig::new();
    for (verdict, status, body) in [
        (Verdict::Accepted, 200, "ok"),
        (Verdict::Rejected, 400, "rejected"),
        (Verdict::TryAgain, 503, "again"),
    ] {
        let answer = rig.channel.acknowledge(verdict);
        assert_eq!((answer.status, answer.body.as_ref()), (status, body.as_bytes()));
        assert_eq!(acceptor().acknowledged(&answer), verdict == Verdict::Accepted);
    }
}

fn call(path: &str, body: &str, key: &str) -> WireRequest {
    let sign = paymux_sign::Md5Text::new().piece(format!("{path}\n{body}\n{key}")).digest().to_hex();
    WireRequest::new(Verb::Post, path)
        .header("sandbox-sign", sign.as_str())
        .body("application/json", body.to_owned())
}

const NOW: Timestamp = Timestamp::from_ms(1_709_251_200_000);

#[test]
fn the_server_side_reads_signed_calls() {
    let acceptor = acceptor();
    let body = r#"{"account":"shop","time":1709251200000,"number":"A1","amount":5,"currency":"JPY","method":"wechat.native","subject":"Tea","expires_in":60}"#;
    let read = acceptor.read(&Accounts, &call("/sandbox/create", body, "k-9f2c"), NOW).unwrap();
    let FrontCall::Pay(pay) = read.call else { panic!("not a create") };
    assert_eq!(pay.amount, Money::new(5, Currency::from_code("JPY").unwrap()));
    assert_eq!(pay.expires_in, Some(Duration::from_mins(1)));

    let about = r#"{"account":"shop","time":1709251200000,"number":"A1"}"#;
    let query = acceptor.read(&Accounts, &call("/sandbox/query", about, "k-9f2c"), NOW).unwrap();
    assert!(matches!(query.call, FrontCall::Query { number } if number == "A1"));
    let cancel = acceptor.read(&Accounts, &call("/sandbox/cancel", about, "k-9f2c"), NOW).unwrap();
    assert!(matches!(cancel.call, FrontCall::Cancel { number } if number == "A1"));
}

#[test]
fn the_server_side_refuses_the_rest_by_name() {
    let about = r#"{"account":"shop","time":1709251200000,"number":"A1"}"#;
    let right = call("/sandbox/query", about, "k-9f2c");
    check(call("/sandbox/query", about, "other"), 401, "bad_sign");
    check(call("/sandbox/query", &about.replace("shop", "shod"), "k-9f2c"), 401, "bad_sign");
    check(WireRequest { path: "/sandbox/cancel".to_owned(), ..right.clone() }, 401, "bad_sign");
    check(WireRequest { body: about.replace("A1", "A2").into(), ..right.clone() }, 401, "bad_sign");
    check(WireRequest { verb: Verb::Get, ..right.clone() }, 404, "no_such_call");
    check(WireRequest { path: "/sandbox/refund".to_owned(), ..right }, 404, "no_such_call");
    check(call("/sandbox/query", "{}", "k-9f2c"), 400, "unreadable");
    check(call("/sandbox/query", r#"["shop",1709251200000,"A1"]"#, "k-9f2c"), 400, "unreadable");
    check(call("/sandbox/query", &about.replace("1709251200000", "1709250899999"), "k-9f2c"), 401, "stale");
    let create = r#"{"account":"shop","time":1709251200000,"number":"A1","amount":0,"currency":"CNY","method":"wechat.native","subject":"Tea"}"#;
    check(call("/sandbox/create", create, "k-9f2c"), 400, "invalid_field");
    check(
        call("/sandbox/create", &create.replace(":0", ":1").replace("native", "qr"), "k-9f2c"),
        400,
        "invalid_field",
    );
    check(
        call("/sandbox/create", &create.replace(":0", ":1").replace("CNY", "cny"), "k-9f2c"),
        400,
        "invalid_field",
    );

    #[track_caller]
    fn check(request: WireRequest, status: u16, error: &str) {
        let answer = acceptor().read(&Accounts, &request, NOW).unwrap_err();
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!((answer.status, body["error"].as_str().unwrap()), (status, error), "{body}");
    }
}

#[test]
fn the_server_side_answers_each_thing_that_a_host_says() {
    let about = r#"{"account":"shop","time":1709251200000,"number":"A1"}"#;
    let read = acceptor().read(&Accounts, &call("/sandbox/query", about, "k-9f2c"), NOW).unwrap();
    let check = |told: FrontAnswer, status: u16, want: Value| {
        let answer: WireResponse = acceptor().answer(&read, &told, NOW);
        let body: Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer.status, status, "{body}");
        for (key, value) in want.as_object().unwrap() {
            assert_eq!(&body[key], value, "{body}");
        }
    };
    let id = || "7".to_owned();
    check(
        FrontAnswer::Opened { id: id(), action: None },
        200,
        json!({"outcome": "open", "id": "7", "action": null}),
    );
    check(FrontAnswer::Paid { id: id() }, 200, json!({"outcome": "paid", "id": "7"}));
    check(FrontAnswer::InDoubt, 202, json!({"outcome": "unknown"}));
    check(FrontAnswer::Order(Some(Box::new(paid_order()))), 200, json!({"state": "paid", "received": 1999}));
    check(FrontAnswer::Order(None), 404, json!({"error": "not_found"}));
    check(FrontAnswer::Canceled(true), 200, json!({"state": "closed"}));
    check(FrontAnswer::Canceled(false), 409, json!({"error": "not_closed"}));
    check(FrontAnswer::Refused(FrontRefusal::NumberTaken), 422, json!({"error": "number_taken"}));
    check(FrontAnswer::Refused(FrontRefusal::MethodUnavailable), 422, json!({"error": "method_unavailable"}));
}

#[test]
fn an_account_of_the_server_side_needs_name_and_key() {
    let check = |settings: Value, want: &[&str]| {
        let errors = acceptor().check_settings(settings.as_object().unwrap());
        assert_eq!(errors.iter().map(|error| error.key.as_str()).collect::<Vec<_>>(), want, "{settings}");
    };
    check(json!({"account": "shop", "key": "k"}), &[]);
    check(json!({}), &["account", "key"]);
    check(json!({"account": "a b", "key": 1, "x": 1}), &["x", "account", "key"]);
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(body in prop::collection::vec(any::<u8>(), 0..300), sign in ".{0,40}") {
        let provider = paymux_sandbox::provider();
        let site = ChannelSite { id: ChannelId::new("box-1").unwrap() };
        let channel = provider.channel(site, Settings::new()).unwrap();
        let request = WireRequest::new(Verb::Post, "/sandbox/create").header("sandbox-sign", sign).body("x", body);
        assert!(channel.verify_callback(&request).is_err());
        assert!(acceptor().read(&Accounts, &request, NOW).is_err());
    }
}
