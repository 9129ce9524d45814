//! Webhooks: their fields and signature, their repeats, and what can go wrong with them.

use std::time::Duration;

use paymux_sim::{CallFault, NoticeFault, NoticeOutcome, Rule, Running, SimConfig};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::*;

async fn sim_for(hook: &Hook, time_scale: u32) -> Running {
    let accounts = vec![account(Some(hook.url.clone()))];
    start(SimConfig { accounts, time_scale: time_scale.try_into().unwrap(), ..config() }).await
}

/// A paid order of the vectors' number and amount, with that fault on its first webhook.
async fn paid_under(hook: &Hook, fault: NoticeFault) -> Running {
    let sim = sim_for(hook, 100).await;
    sim.bank().strike_notice(Rule::once(fault)).unwrap();
    create(&sim, NUMBER, 1023).await;
    sim.bank().pay(NUMBER).unwrap();
    sim
}

async fn acknowledged(sim: &Running) -> paymux_sim::OrderView {
    let order = sim.bank().order_when(NUMBER, paymux_sim::OrderView::is_acknowledged);
    tokio::time::timeout(PATIENCE, order).await.expect("acknowledged in time")
}

#[tokio::test]
async fn a_paid_order_is_told_with_the_documents_signature() {
    let mut hook = Hook::new().await;
    let sim = sim_for(&hook, 1).await;
    let message = vector("bc-v1")["message"].as_str().unwrap().to_owned();
    request(&sim, "POST", "/2/rest/bill", "application/json", &message).await;
    sim.bank().pay(NUMBER).unwrap();

    let arrived = hook.next().await;
    assert!(arrived.head.starts_with("POST /hook HTTP/1.1\r\n"), "{}", arrived.head);
    assert!(arrived.head.contains("content-type: application/json"));
    assert_eq!(arrived.body["signature"], vector("bc-v4")["digest"]);
    assert!(arrived.is_genuine());
    let want: Value = serde_json::from_str(vector("bc-v4")["message"].as_str().unwrap()).unwrap();
    for field in [
        "channel_type",
        "sub_channel_type",
        "transaction_type",
        "transaction_id",
        "transaction_fee",
        "bill_fee",
        "discount",
        "coupon_id",
        "trade_success",
        "optional",
    ] {
        assert_eq!(arrived.body[field], want[field], "{field}");
    }
    assert_eq!(arrived.body["message_detail"]["out_trade_no"], NUMBER);
    assert_eq!(arrived.body["timestamp"].as_i64().unwrap() / 60_000, START_MS / 60_000);

    let order = acknowledged(&sim).await;
    assert_eq!(order.notices.len(), 1);
    sim.stop().await;
    assert!(hook.is_quiet());
}

#[tokio::test]
async fn repeats_follow_the_scaled_schedule_and_end_with_success() {
    let mut hook = Hook::answering(&["fail", "SUCCESS", "{\"ok\":true}", "\r\n success \n"]).await;
    let sim = sim_for(&hook, 20).await;
    create(&sim, NUMBER, 1023).await;
    let paid = Instant::now();
    sim.bank().pay(NUMBER).unwrap();
    for offset_s in [0, 2, 4, 8] {
        let arrived = hook.next().await;
        let earliest = Duration::from_secs(offset_s) / 20;
        assert!(arrived.at - paid >= earliest, "{offset_s} s came after {:?}", arrived.at - paid);
        assert!(arrived.is_genuine());
    }
    let order = acknowledged(&sim).await;
    let outcomes: Vec<_> = order.notices.iter().map(|tried| (tried.repeat, tried.outcome.clone())).collect();
    let refused = || NoticeOutcome::NotAcknowledged { status: 200 };
    assert_eq!(outcomes, [(0, refused()), (1, refused()), (2, refused()), (3, NoticeOutcome::Acknowledged)]);
    // The next repeat would come 8 s / 20 after the last.
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert!(hook.is_quiet());
    assert_eq!(hook.unused_answers(), 0);
    sim.stop().await;
}

#[tokio::test]
async fn seventeen_repeats_are_the_last() {
    let mut hook = Hook::answering(&["no"; 40]).await;
    // 2^17 s become about 0.13 s.
    let sim = sim_for(&hook, 1_000_000).await;
    create(&sim, NUMBER, 1023).await;
    sim.bank().pay(NUMBER).unwrap();
    for _ in 0..18 {
        hook.next().await;
    }
    let given_up = async {
        while sim.bank().stats().notices_given_up == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, given_up).await.unwrap();
    let stats = sim.bank().stats();
    assert_eq!((stats.notices_sent, stats.notices_acknowledged, stats.notices_given_up), (18, 0, 1));
    assert!(hook.is_quiet());
    sim.stop().await;
}

#[tokio::test]
async fn an_orders_own_address_comes_before_the_accounts() {
    let (mut own, mut default) = (Hook::new().await, Hook::new().await);
    let sim = sim_for(&default, 1).await;
    let mut call = bill(NUMBER, 1023);
    call["notify_url"] = json!(format!("{}/bee?a=1", own.url));
    assert_eq!(post(&sim, "/2/rest/bill", &signed(call)).await.code(), 0);
    sim.bank().pay(NUMBER).unwrap();
    assert_eq!(own.next().await.path(), "/hook/bee?a=1");
    acknowledged(&sim).await;
    assert!(default.is_quiet());
    sim.stop().await;
}

#[tokio::test]
async fn an_order_without_an_address_tells_nobody() {
    let sim = start(config()).await;
    create(&sim, NUMBER, 1023).await;
    assert_eq!(sim.bank().pay(NUMBER).unwrap().notify_url, None);
    sim.bank().strike_call(Rule::once(CallFault::PaidBeforeAnswer)).unwrap();
    assert_eq!(create(&sim, "PMX20240301000002", 1).await.code(), 0, "nobody is waited for");
    assert_eq!(sim.bank().stats().notices_sent, 0);
    sim.stop().await;
}

#[tokio::test]
async fn a_receiver_that_is_not_there_is_tried_again() {
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = format!("http://{closed}/hook");
    let sim = start(SimConfig {
        accounts: vec![account(Some(url))],
        time_scale: 1000.try_into().unwrap(),
        ..config()
    })
    .await;
    create(&sim, NUMBER, 1023).await;
    sim.bank().pay(NUMBER).unwrap();
    let tried = sim.bank().order_when(NUMBER, |order| order.notices.len() == 3);
    let order = tokio::time::timeout(PATIENCE, tried).await.unwrap();
    assert!(
        order.notices.iter().all(
            |tried| matches!(&tried.outcome, NoticeOutcome::Undelivered { why } if why.contains("not sent"))
        ),
        "{:?}",
        order.notices
    );
    sim.stop().await;
}

#[tokio::test]
async fn a_lost_webhook_is_repeated() {
    let mut hook = Hook::new().await;
    let sim = paid_under(&hook, NoticeFault::Lost).await;
    assert!(hook.next().await.is_genuine());
    let order = acknowledged(&sim).await;
    assert_eq!(order.notices[0].outcome, NoticeOutcome::Lost);
    assert_eq!((order.notices.len(), order.notices[0].fault), (2, Some("lost")));
    sim.stop().await;
}

#[tokio::test]
async fn a_duplicate_comes_although_the_first_was_acknowledged() {
    let mut hook = Hook::new().await;
    let sim = paid_under(&hook, NoticeFault::Duplicate).await;
    let (first, second) = (hook.next().await, hook.next().await);
    assert!(first.is_genuine() && second.is_genuine());
    assert_eq!(first.body["transaction_id"], second.body["transaction_id"]);
    sim.stop().await;
    assert!(hook.is_quiet());
}

#[tokio::test]
async fn a_late_webhook_waits_in_the_providers_time() {
    let mut hook = Hook::new().await;
    let begun = Instant::now();
    // 10 s at a hundredfold speed.
    let sim = paid_under(&hook, NoticeFault::Late { ms: 10_000 }).await;
    assert!(hook.next().await.at - begun >= Duration::from_millis(100));
    sim.stop().await;
}

#[tokio::test]
async fn a_forged_signature_differs_and_nothing_else_does() {
    let mut hook = Hook::answering(&["fail"]).await;
    let sim = paid_under(&hook, NoticeFault::BadSignature).await;
    let (forged, good) = (hook.next().await, hook.next().await);
    assert!(!forged.is_genuine() && good.is_genuine());
    assert_eq!(forged.body["signature"].as_str().unwrap().len(), 32);
    assert_eq!(
        without(&forged.body, &["signature", "timestamp"]),
        without(&good.body, &["signature", "timestamp"])
    );
    sim.stop().await;
}

#[tokio::test]
async fn a_wrong_amount_is_rightly_signed() {
    for (asked, told) in [(None, 1022), (Some(5), 5)] {
        let mut hook = Hook::answering(&["fail"]).await;
        let sim = paid_under(&hook, NoticeFault::WrongAmount { amount: asked }).await;
        let (wrong, right) = (hook.next().await, hook.next().await);
        assert!(wrong.is_genuine() && right.is_genuine());
        assert_eq!(
            (&wrong.body["transaction_fee"], &right.body["transaction_fee"]),
            (&json!(told), &json!(1023))
        );
        assert_eq!(sim.bank().order(NUMBER).unwrap().received, Some(1023), "the books know better");
        sim.stop().await;
    }
}

#[tokio::test]
async fn camel_twins_stand_beside_genuine_fields() {
    let mut hook = Hook::new().await;
    let sim = paid_under(&hook, NoticeFault::CamelTwins).await;
    let arrived = hook.next().await;
    assert!(arrived.is_genuine());
    for (snake, camel) in [
        ("transaction_id", "transactionId"),
        ("transaction_fee", "transactionFee"),
        ("trade_success", "tradeSuccess"),
        ("sub_channel_type", "subChannelType"),
    ] {
        assert_eq!(arrived.body[camel], arrived.body[snake]);
    }
    sim.stop().await;
}

#[tokio::test]
async fn a_minute_cut_time_is_a_whole_minute() {
    let mut hook = Hook::new().await;
    let sim = start(SimConfig {
        accounts: vec![account(Some(hook.url.clone()))],
        clock_skew_ms: 45_678,
        ..config()
    })
    .await;
    sim.bank().strike_notice(Rule::once(NoticeFault::MinuteCut)).unwrap();
    create(&sim, NUMBER, 1023).await;
    sim.bank().pay(NUMBER).unwrap();
    let arrived = hook.next().await;
    assert_eq!(arrived.body["timestamp"], START_MS);
    assert!(arrived.is_genuine());
    sim.stop().await;
}

#[tokio::test]
async fn a_rotated_secret_is_the_one_before_or_a_made_up_one() {
    let old = "0ld0ld00-5a49-4382-b1a0-0f1e2d3c4b5a";
    for has_old in [true, false] {
        let mut hook = Hook::answering(&["fail"]).await;
        let mut account = account(Some(hook.url.clone()));
        if has_old {
            account.retired.insert("master_secret".to_owned(), json!(old));
        }
        let sim =
            start(SimConfig { accounts: vec![account], time_scale: 100.try_into().unwrap(), ..config() })
                .await;
        sim.bank().strike_notice(Rule::once(NoticeFault::RotatedSecret)).unwrap();
        create(&sim, NUMBER, 1023).await;
        sim.bank().pay(NUMBER).unwrap();
        let (rotated, good) = (hook.next().await, hook.next().await);
        assert!(!rotated.is_genuine() && good.is_genuine());
        assert_eq!(rotated.is_signed_by(APP_ID, old), has_old);
        sim.stop().await;
    }
}

#[tokio::test]
async fn another_accounts_webhook_is_signed_by_that_account() {
    let mut hook = Hook::answering(&["fail", "fail"]).await;
    let other = paymux_sim::BeeCloudSim::account("other", 1, None);
    let text = |name: &str| other.settings[name].as_str().unwrap().to_owned();
    let (other_id, other_secret) = (text("app_id"), text("master_secret"));
    let accounts = vec![account(Some(hook.url.clone())), other];
    let sim = start(SimConfig { accounts, time_scale: 100.try_into().unwrap(), ..config() }).await;
    sim.bank().strike_notice(Rule::once(NoticeFault::OtherAccount)).unwrap();
    create(&sim, NUMBER, 1023).await;
    sim.bank().pay(NUMBER).unwrap();
    let (foreign, own) = (hook.next().await, hook.next().await);
    assert!(foreign.is_signed_by(&other_id, &other_secret) && !foreign.is_genuine());
    assert!(own.is_genuine());
    sim.stop().await;
}

#[tokio::test]
async fn a_webhook_may_come_before_the_answer_to_the_create() {
    let mut hook = Hook::new().await;
    let sim = sim_for(&hook, 1).await;
    sim.bank().strike_call(Rule::once(CallFault::PaidBeforeAnswer)).unwrap();
    let answer = create(&sim, NUMBER, 1023).await;
    // Nothing is awaited: by the time of the answer the webhook was acknowledged.
    assert!(sim.bank().order(NUMBER).unwrap().is_acknowledged());
    assert!(hook.next().await.is_genuine());
    assert_eq!(answer.code(), 0);
    assert!(answer.json()["code_url"].is_string(), "the answer is that of an open order");
    sim.stop().await;
}

fn without(body: &Value, names: &[&str]) -> Value {
    let mut rest = body.as_object().unwrap().clone();
    rest.retain(|name, _| !names.contains(&name.as_str()));
    Value::Object(rest)
}
