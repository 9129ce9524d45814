//! The simulated cloudpay: driven by forms that are written and signed here, then by the plugin's own channel.

use std::sync::Arc;
use std::time::Duration;

use paymux_core::channel::{CallbackError, Created};
use paymux_core::provider::ChannelSite;
use paymux_core::transport::Deadline;
use paymux_core::{
    Channel, ChannelError, ChannelId, Clock, Cx, Money, NextAction, Order, Payer, ProviderOrderNo, Transport,
    Verb, WireRequest,
};
use paymux_sim::{
    CallFault, CloudPaySim, NoticeFault, OrderState, Pay, Rule, Running, SimAccount, SimConfig,
};
use paymux_testkit::TestClock;
use paymux_transport::{Dialler, Settings};
use serde_json::{Value, json};

use crate::support::*;

const APPKEY: &str = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
const APPSECRET: &str = "s3cr3t-Of-Shop-One";
const CREATE: &str = "/api/cloudpay/create";
const FORM: &str = "application/x-www-form-urlencoded";

/// The form of vector cp-s1.
fn first_create() -> String {
    let file: Value = serde_json::from_str(include_str!("../data/vectors_cloudpay.json")).unwrap();
    file["vectors"][0]["form"].as_str().unwrap().to_owned()
}

/// A create without `custom`, signed here.
fn create_form(number: &str, price: &str) -> String {
    let inner = md5_of(&[APPKEY, price, "alipay", number]);
    let sign = md5_of(&[&inner, APPSECRET]);
    format!("appkey={APPKEY}&price={price}&type=alipay&out_order_id={number}&sign={sign}")
}

async fn start(hook: Option<&Hook>) -> Running {
    let settings =
        json!({"appkey": APPKEY, "appsecret": APPSECRET, "return_url": "https://shop.example/paid?a=1"});
    let account = SimAccount {
        key: "main".to_owned(),
        settings: settings.as_object().unwrap().clone(),
        retired: serde_json::Map::new(),
        notify_url: hook.map(|hook| hook.url.clone()),
    };
    let config = SimConfig {
        accounts: vec![account],
        clock: Arc::new(TestClock::new()),
        time_scale: 100.try_into().unwrap(),
        ..SimConfig::default()
    };
    CloudPaySim::start(config).await.unwrap()
}

async fn send(sim: &Running, form: &str) -> Raw {
    request(sim, "POST", CREATE, FORM, form).await
}

/// The decoded fields of a form that arrived.
fn field(form: &str, name: &str) -> String {
    WireRequest::new(Verb::Get, "/").query(form).query_value(name).unwrap()
}

#[tokio::test]
async fn a_vectors_create_is_paid_told_and_led_back() {
    let mut hook = Hook::new().await;
    let sim = start(Some(&hook)).await;
    let answer = send(&sim, &first_create()).await;
    assert_eq!((answer.status(), answer.json()["code"].as_i64()), (200, Some(100)));
    assert_eq!(answer.json()["time"], "1709251200");
    let page = answer.json()["data"]["pay_url"].as_str().unwrap().to_owned();
    assert_eq!(page, format!("{}/sim/pay/{NUMBER}", sim.base_url()));
    let picture = answer.json()["data"]["qrcode_url"]
        .as_str()
        .unwrap()
        .strip_prefix(&sim.base_url())
        .unwrap()
        .to_owned();
    let picture = get(&sim, &picture).await;
    assert_eq!((picture.status(), picture.header("content-type")), (200, Some("image/svg+xml")));
    assert!(picture.text().starts_with("<svg"));
    assert_eq!(answer.json()["data"]["params"]["custom"], "user_42");

    sim.bank().pay(NUMBER).unwrap();
    let arrived = hook.next().await;
    assert!(arrived.head.to_ascii_lowercase().contains(&format!("content-type: {FORM}")), "{}", arrived.head);
    let form = arrived.body.as_str().unwrap();
    let names = ["order_id", "out_order_id", "price", "realprice", "type", "paytime", "extend"];
    let values = names.map(|name| field(form, name));
    assert_eq!(values[1..], [NUMBER, "10.23", "10.23", "alipay", "1709251200", "user_42"]);
    assert!(values[0].parse::<u64>().is_ok());
    let inner = md5_of(&[&[APPKEY], &values.each_ref().map(String::as_str)[..]].concat());
    assert_eq!(field(form, "sign"), md5_of(&[&inner, APPSECRET]));

    sim.bank().order_when(NUMBER, |order| !order.notices.is_empty()).await;
    let page = get(&sim, &format!("/sim/pay/{NUMBER}")).await.text().to_owned();
    let back = page.split("href=\"").nth(1).unwrap().split('"').next().unwrap().replace("&amp;", "&");
    let query = back.strip_prefix("https://shop.example/paid?a=1&").unwrap();
    let names = ["price", "type", "product_id", "order_id", "out_order_id"];
    let values = names.map(|name| field(query, name));
    assert_eq!((values[0].as_str(), values[1].as_str(), values[4].as_str()), ("10.23", "alipay", NUMBER));
    let inner = md5_of(&[&[APPKEY], &values.each_ref().map(String::as_str)[..]].concat());
    assert_eq!(field(query, "sign"), md5_of(&[&inner, APPSECRET]));
    assert_eq!(sim.bank().stats().misreadings, 0);
    sim.stop().await;
}

/// Addresses stand in the back office, which a merchant can write in at any time.
#[tokio::test]
async fn another_address_in_the_back_office_is_for_orders_from_then_on() {
    let (mut old, mut new) = (Hook::new().await, Hook::new().await);
    let sim = start(Some(&old)).await;
    send(&sim, &create_form("A1", "1.00")).await;
    sim.bank().send_webhooks_to("main", &new.url).unwrap();
    send(&sim, &create_form("A2", "2.00")).await;
    for number in ["A1", "A2"] {
        sim.bank().pay(number).unwrap();
    }
    for (hook, number) in [(&mut old, "A1"), (&mut new, "A2")] {
        assert_eq!(field(hook.next().await.body.as_str().unwrap(), "out_order_id"), number);
        assert!(hook.is_quiet());
    }
    assert!(sim.bank().send_webhooks_to("main", "ftp://x").is_err());
    assert!(sim.bank().send_webhooks_to("other", &new.url).is_err());
    sim.stop().await;
}

#[tokio::test]
async fn one_try_is_made_and_without_success_nobody_is_led_back() {
    for answer in ["fail", "success\n", "SUCCESS"] {
        let mut hook = Hook::answering(&[answer]).await;
        let sim = start(Some(&hook)).await;
        send(&sim, &first_create()).await;
        sim.bank().pay(NUMBER).unwrap();
        hook.next().await;
        let order = sim.bank().order_when(NUMBER, |order| !order.notices.is_empty()).await;
        assert_eq!((order.state, order.notices.len()), (OrderState::Paid, 1), "{answer}");
        assert!(!get(&sim, &format!("/sim/pay/{NUMBER}")).await.text().contains("href="), "{answer}");
        assert!(hook.is_quiet());
        sim.stop().await;
    }
}

#[tokio::test]
async fn what_is_wrong_has_its_code_and_books_nothing() {
    let sim = start(None).await;
    for (form, code) in [
        (first_create().replace("10.23", "10.24"), 104),
        (first_create().replace("e1796f", "E1796F"), 104),
        (first_create().replace(APPKEY, "x"), 102),
        (format!("{}&sandbox=1", first_create()), 106),
        (create_form("A1", "10.2"), 201),
        (create_form("~1", "10.20"), 105),
        (String::new(), 101),
    ] {
        let answer = send(&sim, &form).await;
        assert_eq!((answer.status(), answer.json()["code"].as_i64()), (200, Some(code)), "{form}");
    }
    assert_eq!(sim.bank().stats().orders, 0);
    assert_eq!(request(&sim, "GET", CREATE, FORM, "").await.status(), 404);
    assert_eq!(send(&sim, &create_form("A1", "10.20")).await.json()["code"], 100);
    assert_eq!(send(&sim, &create_form("A1", "10.20")).await.json()["code"], 199, "a number is used once");
    assert_eq!(get(&sim, "/sim/pay/A2/qr.svg").await.status(), 404);
    sim.stop().await;
}

/// The plugin's channel with a way out of its own.
struct Bench {
    sim: Running,
    hook: Hook,
    channel: Arc<dyn Channel>,
    transport: Dialler,
    clock: Arc<dyn Clock>,
}

impl Bench {
    async fn new() -> Self {
        let hook = Hook::new().await;
        let sim = start(Some(&hook)).await;
        let settings = json!({"appkey": APPKEY, "appsecret": APPSECRET, "base_url": sim.base_url()});
        let site = ChannelSite { id: ChannelId::new("cloud-a").unwrap() };
        let channel =
            paymux_cloudpay::provider().channel(site, settings.as_object().unwrap().clone()).unwrap();
        let clock: Arc<dyn Clock> = Arc::new(TestClock::new());
        let transport = Dialler::new(&Settings::default(), clock.clone()).unwrap();
        Self { sim, hook, channel, transport, clock }
    }

    async fn create(&self) -> Result<Created, ChannelError> {
        let method = "alipay.native".parse().unwrap();
        let order = Order {
            number: ProviderOrderNo::new(NUMBER).unwrap(),
            amount: Money::fen(1023),
            method,
            subject: "红茶 A".to_owned(),
            expires_at: self.clock.now().plus(Duration::from_mins(30)),
            notify_url: "https://pay.example/notify/cloud-a".to_owned(),
            return_url: "https://pay.example/return/cloud-a".to_owned(),
            payer: Payer::default(),
            extra: [("custom".to_owned(), json!("张三 & co"))].into(),
            metadata: std::collections::BTreeMap::new(),
            memo: self.channel.memo(method),
        };
        let transport: &dyn Transport = &self.transport;
        let cx = Cx::new(transport, &*self.clock, Deadline::after(self.clock.mono(), Duration::from_secs(5)));
        self.channel.create(&cx, &order).await
    }

    async fn webhook(&mut self) -> WireRequest {
        let arrived = self.hook.next().await;
        WireRequest::new(Verb::Post, arrived.path()).body(FORM, arrived.body.as_str().unwrap().to_owned())
    }
}

#[tokio::test]
async fn the_channel_opens_a_page_and_believes_its_notification() {
    for (amount, received) in [(None, 1023), (Some(1022), 1022), (Some(1024), 1024)] {
        let mut bench = Bench::new().await;
        let created = bench.create().await.unwrap();
        let Created::Open(opened) = created else { panic!("{created:?}") };
        let page = format!("{}/sim/pay/{NUMBER}", bench.sim.base_url());
        assert_eq!(opened.action, Some(NextAction::Qr { qr: page }));
        bench.sim.bank().pay_as(NUMBER, None, Pay { amount, ..Pay::default() }).unwrap();
        let webhook = bench.webhook().await;
        let claim = bench.channel.verify_callback(&webhook).unwrap();
        assert_eq!((claim.number.as_str(), claim.order_amount), (NUMBER, Some(Money::fen(1023))));
        assert_eq!(claim.received, Money::fen(received));
        let stats = bench.sim.bank().stats();
        assert_eq!((stats.creates(NUMBER), stats.orders, stats.misreadings), (1, 1, 0));
        bench.sim.stop().await;
    }
}

#[tokio::test]
async fn the_channel_believes_no_forged_notification() {
    for fault in [NoticeFault::BadSignature, NoticeFault::RotatedSecret, NoticeFault::OtherAccount] {
        let mut bench = Bench::new().await;
        bench.create().await.unwrap();
        bench.sim.bank().strike_notice(Rule::once(fault.clone())).unwrap();
        bench.sim.bank().pay(NUMBER).unwrap();
        let webhook = bench.webhook().await;
        let refused = bench.channel.verify_callback(&webhook);
        assert!(matches!(refused, Err(CallbackError::BadSign(_))), "{fault:?}: {refused:?}");
        bench.sim.stop().await;
    }
}

#[tokio::test]
async fn a_lost_or_odd_answer_leaves_the_outcome_unknown_and_a_code_is_a_refusal() {
    for fault in [CallFault::CloseAfter, CallFault::Truncated, CallFault::Malformed] {
        let bench = Bench::new().await;
        bench.sim.bank().strike_call(Rule::once(fault.clone())).unwrap();
        let lost = bench.create().await;
        assert!(matches!(lost, Err(ChannelError::Unknown(_))), "{fault:?}: {lost:?}");
        assert_eq!(bench.sim.bank().stats().creates(NUMBER), 1, "{fault:?}: sent once");
        bench.sim.stop().await;
    }
    for (code, is_refused) in [(204, true), (104, true), (199, false), (777, false)] {
        let bench = Bench::new().await;
        let fault = CallFault::Code { code, effect: paymux_sim::FaultEffect::None };
        bench.sim.bank().strike_call(Rule::once(fault)).unwrap();
        let answer = bench.create().await;
        assert_eq!(matches!(answer, Err(ChannelError::Refused(_))), is_refused, "{code}: {answer:?}");
        assert_eq!(bench.sim.bank().stats().orders, 0, "{code}");
        bench.sim.stop().await;
    }
}
