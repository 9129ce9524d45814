//! The plugin's own channel against the simulator: refunds, questions about them, lists.

use std::time::Duration;

use paymux_core::channel::{CallbackError, ClaimKind, Created, Evidence, OutflowAnswer, RefundOrder};
use paymux_core::ids::RefundId;
use paymux_core::{ChannelError, Money, Timestamp};
use paymux_sim::{CallFault, NoticeFault, RefundEnd, RefundHabit, RefundState, Rule, SimConfig};

use crate::channel::Bench;
use crate::support::*;

fn waiting() -> SimConfig {
    SimConfig { refunds: RefundHabit::Waits, refunds_per_order: 9, ..config() }
}

fn id(n: u128) -> RefundId {
    format!("rfd_018df74f84007000800000000000{n:04x}").parse().unwrap()
}

impl Bench {
    /// With an order that is paid, whose webhook has come.
    async fn paid(method: &str) -> Self {
        let mut bench = Self::of(method, waiting()).await;
        let created = bench.channel.create(&bench.cx(), &bench.order()).await.unwrap();
        if matches!(created, Created::Open(_)) {
            bench.sim.bank().pay(NUMBER).unwrap();
        }
        bench.webhook().await;
        bench
    }

    fn refund_order(&self, n: u128, minor: i64) -> RefundOrder {
        RefundOrder {
            number: self.channel.refund_number(id(n), self.clock.now()),
            order: self.order_ref(None),
            trade_no: None,
            received: Money::fen(1023),
            amount: Money::fen(minor),
            reason: "too sweet".to_owned(),
            reference: None,
            notify_url: self.hook.url.clone(),
            created_at: self.clock.now(),
        }
    }

    async fn refund(&self, order: &RefundOrder) -> Result<OutflowAnswer, ChannelError> {
        self.channel.refund(&self.cx(), order).await
    }

    async fn ask(&self, order: &RefundOrder) -> OutflowAnswer {
        self.channel.query_refund(&self.cx(), order).await.unwrap()
    }
}

#[tokio::test]
async fn a_pulled_refund_is_pending_until_the_wallet_says_success() {
    let bench = Bench::paid("wechat.native").await;
    let order = bench.refund_order(1, 23);
    assert_eq!(bench.ask(&order).await, OutflowAnswer::NotFound);
    let Ok(OutflowAnswer::Pending { reference }) = bench.refund(&order).await else { panic!("not pending") };
    assert_eq!(reference, Some(bench.sim.bank().refund(&order.number).unwrap().id));
    assert_eq!(bench.ask(&order).await, OutflowAnswer::Pending { reference });
    bench.sim.bank().end_refund(&order.number, None, RefundEnd::Done).unwrap();
    assert!(matches!(bench.ask(&order).await, OutflowAnswer::Done { .. }));

    let failing = bench.refund_order(2, 1000);
    bench.refund(&failing).await.unwrap();
    bench.sim.bank().end_refund(&failing.number, None, RefundEnd::Failed).unwrap();
    assert!(matches!(bench.ask(&failing).await, OutflowAnswer::Failed { .. }));
    assert!(bench.refund(&bench.refund_order(3, 1000)).await.is_ok(), "what failed counts no more");
    let Err(ChannelError::Refused(refusal)) = bench.refund(&bench.refund_order(4, 1)).await else {
        panic!("more than was paid")
    };
    assert_eq!(refusal.code, "12");
    assert_eq!(bench.sim.bank().stats().misreadings, 0);
    bench.sim.stop().await;
}

#[tokio::test]
async fn alipays_refund_needs_a_person_and_its_webhook_is_believed() {
    let mut bench = Bench::paid("alipay.web").await;
    let order = bench.refund_order(1, 400);
    let Ok(OutflowAnswer::NeedsAction { url: Some(url), .. }) = bench.refund(&order).await else {
        panic!("no page")
    };
    assert!(matches!(bench.ask(&order).await, OutflowAnswer::Pending { .. }));
    let path = url.strip_prefix(&bench.sim.base_url()).unwrap();
    request(&bench.sim, "POST", path, "application/x-www-form-urlencoded", "").await;

    let webhook = bench.webhook().await;
    let claim = bench.channel.verify_callback(&webhook).unwrap();
    assert_eq!((claim.number.as_str(), claim.kind), (order.number.as_str(), ClaimKind::Refunded));
    assert_eq!((claim.received, claim.evidence), (Money::fen(400), Evidence::Settles));
    assert!(matches!(bench.ask(&order).await, OutflowAnswer::Done { .. }));
    bench.sim.stop().await;
}

#[tokio::test]
async fn a_till_order_is_refunded_at_once_on_the_tills_path() {
    for method in ["wechat.barcode", "alipay.native"] {
        let bench = Bench::paid(method).await;
        let order = bench.refund_order(1, 1023);
        assert!(matches!(bench.refund(&order).await, Ok(OutflowAnswer::Done { .. })), "{method}");
        assert!(matches!(bench.ask(&order).await, OutflowAnswer::Done { .. }), "{method}");
        assert_eq!(bench.sim.bank().refund(&order.number).unwrap().reason, "too sweet");
        bench.sim.stop().await;
    }
}

#[tokio::test]
async fn a_lost_answer_is_unknown_and_the_question_finds_what_became_of_it() {
    for (fault, is_there) in [
        (CallFault::CloseBefore, false),
        (CallFault::CloseAfter, true),
        (CallFault::Truncated, true),
        (CallFault::Malformed, true),
        (CallFault::Code { code: 15, effect: paymux_sim::FaultEffect::Done }, true),
        (CallFault::Html502 { effect: paymux_sim::FaultEffect::None }, false),
    ] {
        let bench = Bench::paid("wechat.native").await;
        bench.sim.bank().strike_call(Rule::once(fault.clone()).on("refund")).unwrap();
        let order = bench.refund_order(1, 23);
        let lost = bench.refund(&order).await;
        assert!(matches!(lost, Err(ChannelError::Unknown(_))), "{fault:?}: {lost:?}");
        let found = bench.ask(&order).await;
        assert_eq!(matches!(found, OutflowAnswer::Pending { .. }), is_there, "{fault:?}: {found:?}");
        assert_eq!(found == OutflowAnswer::NotFound, !is_there, "{fault:?}: {found:?}");
        let stats = bench.sim.bank().stats();
        assert_eq!(stats.calls_of(&order.number, "refund"), 1, "{fault:?}: sent once");
        bench.sim.stop().await;
    }
}

#[tokio::test]
async fn a_refund_beside_one_in_progress_is_refused_and_its_own_is_not() {
    let config = SimConfig { refunds_per_order: 1, ..waiting() };
    let bench = Bench::of("wechat.native", config).await;
    bench.channel.create(&bench.cx(), &bench.order()).await.unwrap();
    bench.sim.bank().pay(NUMBER).unwrap();
    let first = bench.refund_order(1, 1);
    bench.refund(&first).await.unwrap();
    let Err(ChannelError::Refused(refusal)) = bench.refund(&bench.refund_order(2, 1)).await else {
        panic!("taken")
    };
    assert_eq!(refusal.code, "11");
    let fault = CallFault::Code { code: 11, effect: paymux_sim::FaultEffect::None };
    bench.sim.bank().strike_call(Rule::once(fault).on("refund")).unwrap();
    let own = bench.refund(&first).await;
    assert!(matches!(own, Ok(OutflowAnswer::Pending { .. })), "it is this very one: {own:?}");
    bench.sim.stop().await;
}

#[tokio::test]
async fn forged_webhooks_of_refunds_are_not_believed() {
    for fault in [NoticeFault::BadSignature, NoticeFault::RotatedSecret, NoticeFault::OtherAccount] {
        let mut bench = Bench::paid("unionpay.web").await;
        let order = bench.refund_order(1, 1);
        bench.refund(&order).await.unwrap();
        bench.sim.bank().strike_notice(Rule::once(fault.clone())).unwrap();
        bench.sim.bank().end_refund(&order.number, None, RefundEnd::Done).unwrap();
        let webhook = bench.webhook().await;
        let refused = bench.channel.verify_callback(&webhook);
        assert!(matches!(refused, Err(CallbackError::BadSign(_))), "{fault:?}: {refused:?}");
        bench.sim.stop().await;
    }
}

#[tokio::test]
async fn a_webhook_that_overtakes_the_answer_is_believed() {
    let mut bench = Bench::paid("jd.web").await;
    bench.sim.bank().strike_call(Rule::once(CallFault::RefundedBeforeAnswer)).unwrap();
    let order = bench.refund_order(1, 5);
    assert!(matches!(bench.refund(&order).await, Ok(OutflowAnswer::Pending { .. })));
    let webhook = bench.webhook().await;
    let claim = bench.channel.verify_callback(&webhook).unwrap();
    assert_eq!((claim.number.as_str(), claim.received), (order.number.as_str(), Money::fen(5)));
    assert_eq!(bench.sim.bank().refund(&order.number).unwrap().state, RefundState::Done);
    bench.sim.stop().await;
}

#[tokio::test]
async fn the_providers_books_are_listed_to_the_end() {
    let bench = Bench::of("wechat.native", SimConfig { refunds_per_order: 999, ..waiting() }).await;
    for n in 0..120 {
        assert_eq!(create(&bench.sim, &format!("LISTED{n:04}"), 100 + n).await.code(), 0);
    }
    bench.channel.create(&bench.cx(), &bench.order()).await.unwrap();
    bench.sim.bank().pay(NUMBER).unwrap();
    for n in 1..=60 {
        bench.refund(&bench.refund_order(n, 1)).await.unwrap();
    }
    let done = bench.refund_order(7, 1).number;
    bench.sim.bank().end_refund(&done, None, RefundEnd::Done).unwrap();
    bench.ask(&bench.refund_order(7, 1)).await;

    let (from, to) = (Timestamp::from_ms(START_MS - 1000), bench.clock.now().plus(Duration::from_mins(1)));
    let orders = bench.channel.list(&bench.cx(), from, to).await.unwrap();
    assert_eq!(orders.len(), 121);
    let paid: Vec<_> =
        orders.iter().filter_map(|order| Some((order.number.as_str(), order.received?))).collect();
    assert_eq!(paid, [(NUMBER, Money::fen(1023))]);
    let one = orders.iter().find(|order| order.number == "LISTED0100").unwrap();
    assert_eq!((one.amount, one.received), (Some(Money::fen(200)), None));
    let refunds = bench.channel.list_refunds(&bench.cx(), from, to).await.unwrap();
    assert_eq!(refunds.len(), 60);
    let over: Vec<_> =
        refunds.iter().filter(|one| one.done.is_some()).map(|one| one.number.as_str()).collect();
    assert_eq!(over, [done.as_str()]);
    let yesterday = bench.channel.list(&bench.cx(), Timestamp::from_ms(1), from).await.unwrap();
    assert_eq!(yesterday, []);
    bench.sim.stop().await;
}
