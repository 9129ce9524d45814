//! The simulated FuFu: driven by requests that are written and signed here, and by the plugin's own channel.

use std::sync::Arc;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use paymux_core::channel::{
    CallbackError, CancelAnswer, Created, Evidence, OutflowAnswer, QueryAnswer, RefundOrder,
};
use paymux_core::provider::ChannelSite;
use paymux_core::transport::Deadline;
use paymux_core::{
    Channel, ChannelError, ChannelId, Clock, Cx, Method, Money, NextAction, Order, OrderRef, Payer,
    ProviderOrderNo, Secret, Transport, Verb, WireRequest,
};
use paymux_sim::{CallFault, FufuSim, NoticeFault, Rule, Running, SimAccount, SimConfig};
use paymux_testkit::TestClock;
use paymux_transport::{Dialler, Settings};
use serde_json::{Value, json};

use crate::support::{Hook, NUMBER, Raw, START_MS, md5_of, request};

const BUSI_ID: &str = "100000000000001";
const KEY: &str = "11111111111111111111111111111111";

fn config() -> SimConfig {
    let settings = json!({"busi_id": BUSI_ID, "key": KEY}).as_object().unwrap().clone();
    let account =
        SimAccount { key: "main".to_owned(), settings, retired: serde_json::Map::new(), notify_url: None };
    SimConfig {
        accounts: vec![account],
        clock: Arc::new(TestClock::new()),
        time_scale: 100.try_into().unwrap(),
        ..SimConfig::default()
    }
}

/// Makes each call's time its own: a sign is good for one call.
static CALLS: AtomicI64 = AtomicI64::new(START_MS);

/// Posts a call, signed here.
async fn call(sim: &Running, operation: &str, fields: Value) -> Raw {
    let time = CALLS.fetch_add(1, Relaxed);
    let mut all = json!({"busi_id": BUSI_ID, "operator_id": "op1", "terminal_id": "t1"});
    all.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let body = all.to_string();
    let digest = md5_of(&[&time.to_string(), KEY, &body.replace([' ', '\r', '\n'], "")]);
    let target = format!("/gateway/pay/{operation}?sign={digest}:{time}");
    request(sim, "POST", &target, "application/json", &body).await
}

/// The fields of an order that the payer scans.
fn pre_order(number: &str) -> Value {
    json!({"total_fee": "250", "channel_type": 0, "pay_subject": "tea", "out_trade_no": number, "fee_type": "CNY",
        "trade_type": "QRCODE", "time_expire": 10})
}

fn scan(number: &str, auth_code: &str) -> Value {
    json!({"total_fee": 250, "channel_type": "0", "pay_subject": "tea", "out_trade_no": number, "fee_type": "CNY",
        "auth_code": auth_code})
}

#[track_caller]
fn code(answer: &Raw) -> String {
    let body = answer.json();
    let level = if body["result"]["return_code"] == "FAIL" { &body["result"] } else { &body["data"] };
    if level["return_code"] == "SUCCESS" {
        "SUCCESS".to_owned()
    } else {
        level["return_msg"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_hand_written_client_is_served() {
    let mut hook = Hook::answering(&["SUCCESS\n", "SUCCESS"]).await;
    let sim = FufuSim::start(config()).await.unwrap();
    let mut order = pre_order(NUMBER);
    order["notifyUrl"] = json!(hook.url);
    let opened = call(&sim, "preOrder", order.clone()).await.json();
    assert!(opened["data"]["qr_code"].as_str().unwrap().ends_with(&format!("/sim/pay/{NUMBER}")), "{opened}");
    assert_eq!(code(&call(&sim, "preOrder", order).await), "SERIAL_REPEAT");
    let state =
        async || call(&sim, "query", json!({"out_trade_no": NUMBER})).await.json()["data"]["state"].clone();
    assert_eq!(state().await, 0);
    assert_eq!(code(&call(&sim, "query", json!({"out_trade_no": "A1"})).await), "CHARGE_NONEXISTENT");

    sim.bank().pay(NUMBER).unwrap();
    assert_eq!(state().await, 1);
    // The first answer has a byte too many, so the notification comes again.
    for _ in 0..2 {
        let arrived = hook.next().await;
        let sign = arrived.path().split_once("?sign=").unwrap().1;
        let (digest, time) = sign.split_once(':').unwrap();
        assert_eq!(digest, md5_of(&[time, KEY, &arrived.body.to_string().replace(' ', "")]));
        let data = &arrived.body["data"];
        assert_eq!(
            (&data["out_trade_no"], &data["total_fee"], &data["state"]),
            (&json!(NUMBER), &json!(250), &json!(1))
        );
    }
    sim.bank().order_when(NUMBER, paymux_sim::OrderView::is_acknowledged).await;

    let refund = |number: &str, fee: i64| {
        json!({"out_trade_no": NUMBER, "out_refund_no": number, "refund_fee": fee,
        "refund_subject": "back", "fee_type": "CNY"})
    };
    assert_eq!(code(&call(&sim, "refund", refund("R1", 100)).await), "SUCCESS");
    assert_eq!(code(&call(&sim, "refund", refund("R1", 100)).await), "SERIAL_REPEAT");
    sim.bank().refund_when("R1", |refund| refund.state == paymux_sim::RefundState::Done).await;
    assert_eq!(
        call(&sim, "refundQuery", json!({"out_trade_no": "R1"})).await.json()["data"]["trade_status"],
        "succ"
    );
    assert_eq!(code(&call(&sim, "refund", refund("R2", 151)).await), "AMT_ERROR");
    assert_eq!(state().await, 4);
    assert_eq!(code(&call(&sim, "refund", refund("R3", 150)).await), "SUCCESS");
    sim.bank().refund_when("R3", |refund| refund.state == paymux_sim::RefundState::Done).await;
    assert_eq!(state().await, 5);
    assert!(hook.is_quiet(), "nothing tells of a refund");
    assert_eq!(sim.bank().stats().misreadings, 0);
    sim.stop().await;
}

/// The payer's code is the script; of a scan no notification tells.
#[tokio::test]
async fn scans_go_as_their_codes_say() {
    let mut hook = Hook::answering(&[]).await;
    let mut config = config();
    config.accounts[0].notify_url = Some(hook.url.clone());
    let sim = FufuSim::start(config).await.unwrap();
    for (place, (digit, state_or_code)) in
        [("8", json!(1)), ("7", json!(0)), ("1", json!(0)), ("3", json!(0)), ("5", json!("FAIL"))]
            .into_iter()
            .enumerate()
    {
        let answer =
            call(&sim, "order", scan(&format!("A{place}"), &format!("28123456789012345{digit}"))).await;
        let data = &answer.json()["data"];
        let got = if data["return_code"] == "SUCCESS" { &data["state"] } else { &data["return_msg"] };
        assert_eq!(*got, state_or_code, "{digit}");
    }
    let query = async |number: &str| {
        call(&sim, "query", json!({"out_trade_no": number})).await.json()["data"]["state"].clone()
    };
    assert_eq!((query("A0").await, query("A3").await, query("A4").await), (json!(1), json!(1), json!(2)));
    assert!(hook.is_quiet());
    sim.stop().await;
}

/// A cancel waits for its order's age; an order's own time ends it too.
#[tokio::test]
async fn an_unpaid_scan_ends_by_its_time_and_a_cancel_comes_not_too_early() {
    let clock = Arc::new(TestClock::new());
    let sim = FufuSim::start(SimConfig { clock: clock.clone(), ..config() }).await.unwrap();
    let ask =
        async |operation: &str, number: &str| call(&sim, operation, json!({"out_trade_no": number})).await;
    for number in ["A1", "A2"] {
        assert_eq!(call(&sim, "order", scan(number, "281234567890123457")).await.json()["data"]["state"], 0);
    }
    assert_eq!(code(&ask("cancel", "A1").await), "FAIL");
    assert_eq!(code(&ask("close", "A1").await), "FAIL", "a till is cancelled");
    clock.skew(16_000);
    assert_eq!(code(&ask("cancel", "A1").await), "SUCCESS");
    assert_eq!(ask("query", "A1").await.json()["data"]["state"], 2);
    assert_eq!(ask("query", "A2").await.json()["data"]["state"], 0);
    clock.skew(81_000);
    assert_eq!(ask("query", "A2").await.json()["data"]["state"], 2, "80 s are over");
    assert!(sim.bank().pay("A2").is_err());
    sim.stop().await;
}

#[tokio::test]
async fn a_wrong_sign_or_a_used_one_is_refused() {
    let sim = FufuSim::start(config()).await.unwrap();
    let body = json!({"busi_id": BUSI_ID, "operator_id": "op1", "terminal_id": "t1", "out_trade_no": "A1"})
        .to_string();
    let digest = md5_of(&[&START_MS.to_string(), KEY, &body]);
    let post = async |operation: &str, digest: &str| {
        let target = format!("/gateway/pay/{operation}?sign={digest}:{START_MS}");
        code(&request(&sim, "POST", &target, "application/json", &body).await)
    };
    assert_eq!(post("query", &md5_of(&["x"])).await, "INVALID_SIGN");
    assert_eq!(post("query", &digest).await, "CHARGE_NONEXISTENT");
    assert_eq!(post("cancel", &digest).await, "INVALID_SIGN", "the sign was a question's");
    assert_eq!(post("query", &digest).await, "CHARGE_NONEXISTENT");
    sim.stop().await;
}

struct Bench {
    sim: Running,
    hook: Hook,
    channel: Arc<dyn Channel>,
    transport: Dialler,
    clock: Arc<dyn Clock>,
    method: Method,
}

impl Bench {
    async fn of(method: &str) -> Self {
        let hook = Hook::answering(&["SUCCESS"; 20]).await;
        let config = config();
        let clock = config.clock.clone();
        let sim = FufuSim::start(config).await.unwrap();
        let settings = json!({"busi_id": BUSI_ID, "key": KEY, "base_url": sim.base_url()});
        let site = ChannelSite { id: ChannelId::new("fufu-1").unwrap() };
        let channel = paymux_fufu::provider().channel(site, settings.as_object().unwrap().clone()).unwrap();
        let transport = Dialler::new(&Settings::default(), clock.clone()).unwrap();
        Self { sim, hook, channel, transport, clock, method: method.parse().unwrap() }
    }

    fn cx(&self) -> Cx<'_> {
        let transport: &dyn Transport = &self.transport;
        Cx::new(transport, &*self.clock, Deadline::after(self.clock.mono(), Duration::from_secs(90)))
    }

    fn order(&self, auth_code: &str) -> Order {
        let extra = [("subAppId".to_owned(), json!("wx1"))].into();
        Order {
            number: ProviderOrderNo::new(NUMBER).unwrap(),
            amount: Money::fen(250),
            method: self.method,
            subject: "red tea, hot".to_owned(),
            expires_at: self.clock.now().plus(Duration::from_mins(30)),
            notify_url: self.hook.url.clone(),
            return_url: String::new(),
            payer: Payer {
                auth_code: Some(Secret::new(auth_code)),
                openid: Some("o-1".to_owned()),
                ..Payer::default()
            },
            extra: if self.method.to_string() == "wechat.jsapi" {
                extra
            } else {
                std::collections::BTreeMap::new()
            },
            metadata: std::collections::BTreeMap::new(),
            memo: self.channel.memo(self.method),
        }
    }

    fn known(&self, reference: Option<String>) -> OrderRef {
        let order = self.order("1");
        OrderRef {
            number: order.number,
            amount: order.amount,
            method: order.method,
            memo: order.memo,
            reference,
            created_at: self.clock.now(),
            metadata: order.metadata,
        }
    }

    async fn create(&self, auth_code: &str) -> Result<Created, ChannelError> {
        self.channel.create(&self.cx(), &self.order(auth_code)).await
    }

    async fn query(&self) -> Result<QueryAnswer, ChannelError> {
        self.channel.query(&self.cx(), &self.known(None)).await
    }
}

#[tokio::test]
async fn the_channel_goes_from_create_to_refund() {
    let mut bench = Bench::of("any.native").await;
    let Created::Open(opened) = bench.create("").await.unwrap() else { panic!("paid") };
    let Some(NextAction::Qr { qr }) = &opened.action else { panic!("{opened:?}") };
    assert_eq!(*qr, format!("http://{}/sim/pay/{NUMBER}", bench.sim.addr()));
    let known = bench.known(opened.reference.clone());
    assert_eq!(bench.channel.query(&bench.cx(), &known).await, Ok(QueryAnswer::Open));

    let paid = bench.sim.bank().pay(NUMBER).unwrap();
    let arrived = bench.hook.next().await;
    let (path, query) = arrived.path().split_once('?').unwrap();
    let notice =
        WireRequest::new(Verb::Post, path).query(query).body("application/json", arrived.body.to_string());
    let claim = bench.channel.verify_callback(&notice).unwrap();
    assert_eq!(
        (claim.number.as_str(), claim.received, claim.evidence),
        (NUMBER, Money::fen(250), Evidence::Settles)
    );
    assert_eq!(claim.trade_no, paid.trade_no);
    let QueryAnswer::Paid(receipt) = bench.channel.query(&bench.cx(), &known).await.unwrap() else {
        panic!("unpaid")
    };
    assert_eq!(receipt.trade_no, paid.trade_no);

    let refund = RefundOrder {
        number: "R1".to_owned(),
        order: known,
        trade_no: paid.trade_no,
        received: Money::fen(250),
        amount: Money::fen(100),
        reason: String::new(),
        reference: None,
        notify_url: bench.hook.url.clone(),
        created_at: bench.clock.now(),
    };
    let answer = bench.channel.refund(&bench.cx(), &refund).await;
    assert!(matches!(answer, Ok(OutflowAnswer::Pending { reference: Some(_) })), "{answer:?}");
    bench.sim.bank().refund_when("R1", |refund| refund.state == paymux_sim::RefundState::Done).await;
    assert_eq!(
        bench.channel.query_refund(&bench.cx(), &refund).await,
        Ok(OutflowAnswer::Done { reference: None })
    );
    assert_eq!(bench.sim.bank().stats().misreadings, 0);
    bench.sim.stop().await;
}

#[tokio::test]
async fn the_channel_closes_what_is_unpaid() {
    for method in ["any.native", "alipay.jsapi", "wechat.jsapi"] {
        let bench = Bench::of(method).await;
        let Created::Open(opened) = bench.create("").await.unwrap() else { panic!("paid") };
        assert!(opened.action.is_some());
        assert_eq!(
            bench.channel.cancel(&bench.cx(), &bench.known(None)).await,
            Ok(CancelAnswer::Closed),
            "{method}"
        );
        assert_eq!(bench.query().await, Ok(QueryAnswer::Closed));
        bench.sim.stop().await;
    }
}

/// The code that the payer shows decides: paid, waiting, or unknown and then known by a question.
#[tokio::test]
async fn the_channel_scans() {
    for (code, created, asked) in
        [("8", "paid", "paid"), ("7", "open", "open"), ("3", "open", "paid"), ("5", "unknown", "closed")]
    {
        let bench = Bench::of("any.barcode").await;
        let got = match bench.create(&format!("28123456789012345{code}")).await {
            Ok(Created::Paid(_)) => "paid",
            Ok(Created::Open(_)) => "open",
            Err(ChannelError::Unknown(_)) => "unknown",
            Err(other) => panic!("{other}"),
        };
        assert_eq!(got, created, "{code}");
        let found = match bench.query().await.unwrap() {
            QueryAnswer::Paid(_) => "paid",
            QueryAnswer::Returned(_) | QueryAnswer::Returning(_) => "gone back",
            QueryAnswer::Open => "open",
            QueryAnswer::Closed => "closed",
            QueryAnswer::NotFound => "absent",
        };
        assert_eq!(found, asked, "{code}");
        bench.sim.stop().await;
    }
}

#[tokio::test]
async fn a_lost_answer_to_a_scan_is_unknown_and_found_by_a_question() {
    for fault in [CallFault::CloseAfter, CallFault::Truncated, CallFault::Malformed] {
        let bench = Bench::of("alipay.barcode").await;
        bench.sim.bank().strike_call(Rule::once(fault.clone())).unwrap();
        let lost = bench.create("281234567890123458").await;
        assert!(matches!(lost, Err(ChannelError::Unknown(_))), "{fault:?}: {lost:?}");
        let found = bench.query().await;
        assert!(matches!(found, Ok(QueryAnswer::Paid(_))), "{fault:?}: {found:?}");
        assert_eq!(bench.sim.bank().stats().creates(NUMBER), 1, "{fault:?}: sent once");
        bench.sim.stop().await;
    }
}

#[tokio::test]
async fn a_forged_notification_is_not_believed() {
    for fault in [NoticeFault::BadSignature, NoticeFault::RotatedSecret, NoticeFault::OtherAccount] {
        let mut bench = Bench::of("any.native").await;
        bench.create("").await.unwrap();
        bench.sim.bank().strike_notice(Rule::once(fault.clone())).unwrap();
        bench.sim.bank().pay(NUMBER).unwrap();
        let arrived = bench.hook.next().await;
        let (path, query) = arrived.path().split_once('?').unwrap();
        let notice = WireRequest::new(Verb::Post, path)
            .query(query)
            .body("application/json", arrived.body.to_string());
        let refused = bench.channel.verify_callback(&notice);
        assert!(matches!(refused, Err(CallbackError::BadSign(_))), "{fault:?}: {refused:?}");
        bench.sim.stop().await;
    }
}
