//! What clients of another protocol let go: refunds that they approve first, payouts, and what is not routed.

use paymux_core::catalog::{App, FailoverUnknown, Scope};
use paymux_core::channel::{Blame, Can, ChannelError, Refusal};
use paymux_core::fronts::Service;
use paymux_core::ids::{RefundNo, TransferNo};
use paymux_core::outflow::OutflowState;
use paymux_core::payments::Approval;
use paymux_core::store::{RefundLedger as _, TransferLedger as _};
use paymux_core::{PaymentError, Refund, Transfer};
use paymux_testkit::Outgo;
use serde_json::{Value, json};
use std::time::Duration;

use super::spoken::{hear, speaks};
use super::{bodies, heard, pay};
use crate::world::{Setting, World, app};

/// The most that the shop may pay out in one payout and in a day.
const LIMIT: i64 = 5000;

fn setting() -> Setting {
    Setting {
        a: |a| a.that_can(Can::QUERY | Can::REFUND | Can::QUERY_REFUND | Can::TRANSFER | Can::QUERY_TRANSFER),
        failover_unknown: FailoverUnknown::Never,
        app: |app: &mut App| {
            app.scopes = vec![Scope::Payments, Scope::Refunds, Scope::Transfers];
            app.transfer_amount_max = Some(LIMIT);
        },
        ..Setting::default()
    }
}

fn world() -> World {
    let world = World::with(&setting());
    world.reconfigure(&setting(), speaks(Service::On));
    world
}

async fn refund(world: &World, number: &str) -> Refund {
    let number = RefundNo::given(number).unwrap();
    world.store.refund_by_no(&app(), &number).await.unwrap().unwrap()
}

async fn payout(world: &World, number: &str) -> Option<Transfer> {
    world.store.transfer_by_no(&app(), &TransferNo::given(number).unwrap()).await.unwrap()
}

/// A paid order of 1999, and a refund of 500 of it that waits.
async fn waiting(world: &World) -> Refund {
    world.hear("pay", json!({"number": "A1"})).await;
    pay(world, "A1").await;
    let asked = json!({"number": "R1", "order": "A1", "amount": 500, "approval": true});
    for _ in 0..2 {
        let told = world.hear("refund", asked.clone()).await;
        assert_eq!(told, "AwaitsApproval A1 Some(1999) back 0 closed false");
    }
    refund(world, "R1").await
}

#[tokio::test(start_paused = true)]
async fn a_refund_waits_for_its_approval_and_holds_its_money() {
    let world = world();
    let waits = waiting(&world).await;
    assert_eq!((waits.state, waits.check_at, waits.sent_at), (OutflowState::Queued, None, None));
    world.pass(Duration::from_hours(3)).await;
    assert_eq!(world.a.refunds().len(), 0, "nobody sends it by himself");
    let rest = json!({"number": "R2", "order": "A1", "amount": 1500});
    assert_eq!(world.hear("refund", rest).await, "RefundTooLarge", "its amount is set aside");
    let plain = json!({"number": "R1", "order": "A1", "amount": 500});
    assert_eq!(
        world.hear("refund", plain).await,
        "NumberTaken",
        "without the approval it is another request"
    );
    let view = serde_json::to_value(paymux_core::view::RefundView::of(&waits)).unwrap();
    assert_eq!(view["status"], "needs_action", "its merchant is the person that it waits for");

    let approve = json!({"ids": [waits.id, "nonsense"]});
    assert_eq!(world.hear("approve", approve.clone()).await, "[Ok(None), Err(\"no such refund\")]");
    assert_eq!(world.a.refunds().len(), 1);
    assert_eq!(refund(&world, "R1").await.state, OutflowState::Succeeded);
    assert_eq!(
        world.hear("approve", approve).await,
        "[Ok(None), Err(\"no such refund\")]",
        "again is no error"
    );
    assert_eq!(world.a.refunds().len(), 1, "and sends nothing");
    let late = world.hear("approve", json!({"ids": [waits.id], "deny": "no"})).await;
    assert_eq!(late, "[Err(\"the refund was approved before\")]");
}

#[tokio::test(start_paused = true)]
async fn a_refund_that_is_denied_gives_its_money_back() {
    let world = world();
    let waits = waiting(&world).await;
    let deny = json!({"ids": [waits.id], "deny": "too late"});
    for _ in 0..2 {
        assert_eq!(world.hear("approve", deny.clone()).await, "[Ok(None)]");
    }
    let denied = refund(&world, "R1").await;
    assert_eq!(denied.state, OutflowState::Failed);
    assert_eq!(denied.failure.unwrap().message, "too late");
    let late = world.hear("approve", json!({"ids": [waits.id]})).await;
    assert_eq!(late, "[Err(\"the refund was denied\")]");
    let all = json!({"number": "R2", "order": "A1", "amount": 1999});
    assert!(world.hear("refund", all).await.starts_with("Done "));
    assert_eq!(world.a.refunds().len(), 1);
}

/// Of many words at once one is heard, and money moves once.
#[tokio::test(start_paused = true)]
async fn of_words_at_once_one_is_heard() {
    let world = world();
    let waits = waiting(&world).await;
    let other = world.another_node();
    let agree = json!({"ids": [waits.id]});
    let deny = json!({"ids": [waits.id], "deny": "no"});
    let (first, second, third) = tokio::join!(
        world.hear("approve", agree.clone()),
        hear(&other, "approve", agree),
        hear(&other, "approve", deny),
    );
    let after = refund(&world, "R1").await;
    let sent = world.a.refunds().len();
    match after.state {
        OutflowState::Succeeded => assert_eq!(sent, 1, "{first} {second} {third}"),
        OutflowState::Failed => assert_eq!((sent, third.as_str()), (0, "[Ok(None)]"), "{first} {second}"),
        state => panic!("{state}: {first} {second} {third}"),
    }
}

#[tokio::test(start_paused = true)]
async fn an_approved_refund_may_be_refused_or_lost() {
    let world = world();
    let waits = waiting(&world).await;
    world.a.on_outgo(Outgo::Refuse);
    let told = world.hear("approve", json!({"ids": [waits.id]})).await;
    assert!(told.starts_with("[Err("), "{told}");
    let asked = json!({"number": "R2", "order": "A1", "amount": 500, "approval": true});
    world.hear("refund", asked).await;
    let lost = refund(&world, "R2").await;
    world.a.on_outgo(Outgo::Lose);
    assert_eq!(world.hear("approve", json!({"ids": [lost.id]})).await, "[Ok(None)]", "it goes its way");
    assert_eq!(refund(&world, "R2").await.state, OutflowState::Unknown);
    world.pass(Duration::from_mins(30)).await;
    assert_eq!(refund(&world, "R2").await.state, OutflowState::Succeeded);
    assert_eq!(world.a.refunds().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn only_what_waited_can_be_approved() {
    let world = world();
    world.hear("pay", json!({"number": "A1"})).await;
    pay(&world, "A1").await;
    world.hear("refund", json!({"number": "R1", "order": "A1", "amount": 500})).await;
    let id = refund(&world, "R1").await.id;
    let no = world.payments.approve_refund(app(), id, Approval::Agreed).await;
    assert!(matches!(no, Err(PaymentError::NotRefundable(_))), "{no:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_pays_out_once_and_asks() {
    let world = world();
    for _ in 0..2 {
        assert_eq!(world.hear("pay_out", json!({"numbers": "T/1", "amount": 700})).await, "T/1 Done");
    }
    let orders = world.a.transfers();
    assert_eq!(orders.len(), 1);
    assert_eq!((orders[0].payout.amount.minor(), orders[0].payout.product.as_str()), (700, "bank_card"));
    assert!(orders[0].payee["card_no"].matches("6222020200112233") && orders[0].extra.is_empty());
    let other = json!({"numbers": "T/1", "amount": 701});
    assert_eq!(world.hear("pay_out", other).await, "NumberTaken");
    world.a.on_outgo(Outgo::Lose);
    world.clock.advance(Duration::from_secs(1)).await;
    assert_eq!(world.hear("pay_out", json!({"numbers": "T2", "amount": 1})).await, "in doubt");
    world.a.on_outgo(Outgo::Refuse);
    world.clock.advance(Duration::from_secs(1)).await;
    assert_eq!(world.hear("pay_out", json!({"numbers": "T3", "amount": 1})).await, "T3 Failed");
    for (filter, want) in [
        (json!({}), "T3 Failed, T2 UnderWay, T/1 Done"),
        (json!({"standing": "done"}), "T/1 Done"),
        (json!({"standing": "failed"}), "T3 Failed"),
        (json!({"standing": "open"}), "T2 UnderWay"),
        (json!({"number": "T2"}), "T2 UnderWay"),
        (json!({"number": "T4"}), ""),
        (json!({"to": 1}), ""),
        (json!({"from": i64::MAX}), ""),
        (json!({"skip": 1, "limit": 1}), "T2 UnderWay"),
    ] {
        assert_eq!(world.hear("list_payouts", filter.clone()).await, want, "{filter}");
    }
    assert_eq!(world.hear("count_payouts", json!({})).await, "3");
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_paid_out_is_told() {
    let world = world();
    let too_much = world.hear("pay_out", json!({"numbers": "T1", "amount": LIMIT + 1})).await;
    assert!(too_much.starts_with("Field { name: \"amount\""), "{too_much}");
    let none = json!({"numbers": "T1", "amount": 1, "channel": "b"});
    assert_eq!(world.hear("pay_out", none).await, "MethodUnavailable", "it pays nothing out");
    let gone = json!({"numbers": "T1", "amount": 1, "channel": "gone"});
    assert_eq!(world.hear("pay_out", gone).await, "MethodUnavailable");
    let plain = json!({"numbers": "T1", "amount": 1, "notify_url": "http://shop.example/n"});
    assert!(world.hear("pay_out", plain).await.starts_with("Field { name: \"notify_url\""));
    assert!(payout(&world, "T1").await.is_none());

    let narrow = Setting { app: |app| app.scopes = vec![Scope::Payments, Scope::Refunds], ..setting() };
    let world = World::with(&narrow);
    world.reconfigure(&narrow, speaks(Service::On));
    for operation in ["pay_out", "list_payouts", "count_payouts"] {
        assert_eq!(world.hear(operation, json!({"numbers": "T1", "amount": 1})).await, "MethodUnavailable");
    }
    assert_eq!(world.a.transfers().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn many_are_looked_at_before_any_is_sent() {
    let world = world();
    let numbers: Vec<String> = (0..20).map(|n| format!("B1-{n}")).collect();
    let numbers = numbers.join(" ");
    let bad = json!({"numbers": format!("{numbers} a\u{7}b"), "amount": 1});
    assert!(world.hear("pay_out", bad).await.starts_with("Field {"));
    assert_eq!(world.a.transfers().len(), 0);
    for _ in 0..2 {
        let told = world.hear("pay_out", json!({"numbers": numbers, "amount": 1})).await;
        assert_eq!(told.matches(" Done").count(), 20, "{told}");
    }
    assert_eq!(world.a.transfers().len(), 20);
    // 4 x 1500 are above the day's limit: what fits is paid out, the rest is named.
    let told = world.hear("pay_out", json!({"numbers": "C1 C2 C3 C4", "amount": 1500})).await;
    assert_eq!(told.matches("(\"C").count(), 1, "{told}");
    assert!(told.starts_with("not taken"), "{told}");
    assert_eq!(world.a.transfers().len(), 23);
}

#[tokio::test(start_paused = true)]
async fn a_payout_is_told_in_its_protocol() {
    let world = world();
    let own = json!({"numbers": "T1", "amount": 1, "notify_url": "https://own.example/n", "echo": {"a": 1}});
    world.hear("pay_out", own).await;
    world.a.on_outgo(Outgo::Refuse);
    world.clock.advance(Duration::from_secs(1)).await;
    world.hear("pay_out", json!({"numbers": "T2", "amount": 1})).await;
    world.transport.answer(Ok(heard()));
    while world.payments.deliver().await.unwrap() > 0 {}
    let told = bodies(&world);
    assert_eq!(told.len(), 1, "what failed is not told in it: {told:?}");
    assert!(told[0].starts_with("paid out T1 to shop at "), "{told:?}");
    assert_eq!(world.transport.notices()[0].endpoint.host(), "own.example");
    assert_eq!(payout(&world, "T1").await.unwrap().front.unwrap().echo, json!({"a": 1}));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_routed_goes_to_the_channel_that_is_named() {
    let world = world();
    let call = json!({"channel": "a", "n": 7});
    assert_eq!(world.hear("native", json!({})).await, "MethodUnavailable");
    assert_eq!(world.hear("native", json!({"channel": "gone"})).await, "MethodUnavailable");
    assert_eq!(world.hear("native", call.clone()).await, "MethodUnavailable", "it cannot do that");
    world.a.on_native(Ok(json!({"card_id": "c1"})));
    assert_eq!(world.hear("native", call.clone()).await, "native {\"card_id\":\"c1\"}");
    let refusal = |code: &str, blame| {
        let (code, message) = (code.to_owned(), "no".to_owned());
        Err(ChannelError::Refused(Refusal { code, message, blame }))
    };
    for (answer, want) in [
        (refusal("5", Blame::Request), "Told { code: 5, detail: \"no\" }"),
        (refusal("1", Blame::Account), "Upstream(\"the provider behind refused\")"),
        (Err(ChannelError::unknown("lost")), "in doubt"),
        (Ok(Value::Null), "in doubt"),
    ] {
        world.a.on_native(answer);
        assert_eq!(world.hear("native", call.clone()).await, want);
    }
}
