//! Refunds over the wire: what is taken, how each ends, who is told, and what the books keep.

use std::time::Duration;

use paymux_sim::{
    CallFault, FaultEffect, NoticeFault, RefundEnd, RefundHabit, RefundState, RefundView, Rule, Running,
    SimConfig,
};
use serde_json::{Value, json};

use crate::support::*;

const REFUND: &str = "20240301000018";

fn waiting() -> SimConfig {
    SimConfig { refunds: RefundHabit::Waits, time_scale: 100.try_into().unwrap(), ..config() }
}

/// A paid order of that create code.
async fn paid(sim: &Running, number: &str, channel: &str, fee: i64) {
    let mut call = bill(number, fee);
    call["channel"] = json!(channel);
    call["return_url"] = json!("https://h/");
    call["auth_code"] = json!("134567890123456787");
    call["store_id"] = json!("S");
    let path = if channel.ends_with("SCAN") { "/2/rest/offline/bill" } else { "/2/rest/bill" };
    assert_eq!(post(sim, path, &signed(call)).await.code(), 0, "{channel}");
    sim.bank().pay(number).unwrap();
}

fn refund(refund_no: &str, bill_no: &str, fee: i64) -> Value {
    json!({"refund_no": refund_no, "bill_no": bill_no, "refund_fee": fee})
}

async fn ask_back(sim: &Running, fields: Value) -> Raw {
    post(sim, "/2/rest/refund", &as_master(fields)).await
}

async fn records(sim: &Running, filter: Value) -> Vec<Value> {
    let answer = get_para(sim, "/2/rest/refunds", &signed(filter)).await.json();
    assert_eq!(answer["result_code"], 0, "{answer}");
    answer["refunds"].as_array().unwrap().clone()
}

async fn state_of(sim: &Running, group: &str, refund_no: &str) -> Value {
    let asked = json!({"channel": group, "refund_no": refund_no, "bill_update_flag": "1"});
    get_para(sim, "/2/rest/refund/status", &signed(asked)).await.json()
}

async fn refund_when(sim: &Running, refund_no: &str, is_so: impl Fn(&RefundView) -> bool) -> RefundView {
    let waits = sim.bank().refund_when(refund_no, is_so);
    tokio::time::timeout(PATIENCE, waits).await.expect("the refund is so in time")
}

#[tokio::test]
async fn the_vectors_refund_is_taken() {
    let sim = start(waiting()).await;
    paid(&sim, NUMBER, "WX_NATIVE", 1023).await;
    // bc-v2 is signed an hour later than bc-v1: outside of the window of money that goes out.
    let late = vector("bc-v2")["message"].as_str().unwrap().to_owned();
    let raw = request(&sim, "POST", "/2/rest/refund", "application/json", &late).await;
    assert_eq!(raw.code(), 1);
    assert!(raw.json()["err_detail"].as_str().unwrap().contains("3600 s ahead"));
    sim.stop().await;

    let ahead = SimConfig { clock_skew_ms: 3_600_500, ..waiting() };
    let sim = start(ahead).await;
    let mut create = bill(NUMBER, 1023);
    create["app_id"] = json!(APP_ID);
    create["timestamp"] = json!(START_MS + 3_600_500);
    create["app_sign"] = json!(md5_of(&[APP_ID, &(START_MS + 3_600_500).to_string(), APP_SECRET]));
    assert_eq!(post(&sim, "/2/rest/bill", &create).await.code(), 0);
    sim.bank().pay(NUMBER).unwrap();
    let raw = request(&sim, "POST", "/2/rest/refund", "application/json", &late).await;
    assert_eq!(raw.code(), 0, "{}", raw.text());
    let booked = sim.bank().refund("20240301000017").unwrap();
    assert_eq!((booked.order.as_str(), booked.amount, booked.state), (NUMBER, 23, RefundState::Processing));
    assert_eq!(raw.json()["id"], booked.id);
    sim.stop().await;
}

#[tokio::test]
async fn what_cannot_go_back_is_refused_with_its_code() {
    let sim = start(SimConfig { refunds_per_order: 2, ..waiting() }).await;
    assert_eq!(ask_back(&sim, refund(REFUND, NUMBER, 1)).await.code(), 8);
    create(&sim, NUMBER, 1000).await;
    assert_eq!(ask_back(&sim, refund(REFUND, NUMBER, 1)).await.code(), 9);
    sim.bank().pay(NUMBER).unwrap();
    assert_eq!(ask_back(&sim, refund(REFUND, NUMBER, 1001)).await.code(), 12);
    assert_eq!(ask_back(&sim, refund("20240229000018", NUMBER, 1)).await.code(), 5, "yesterday's number");
    let app_signed = post(&sim, "/2/rest/refund", &signed(refund(REFUND, NUMBER, 1))).await;
    assert_eq!(app_signed.code(), 1, "{}", app_signed.text());
    let till = post(&sim, "/2/rest/offline/refund", &as_master(refund(REFUND, NUMBER, 1))).await;
    assert_eq!(till.json()["refund_result"], true, "WX_NATIVE is taken by both");
    assert_eq!(ask_back(&sim, refund(REFUND, NUMBER, 1)).await.code(), 5, "a number is used once");
    assert_eq!(ask_back(&sim, refund("20240301000019", NUMBER, 1000)).await.code(), 12);
    assert_eq!(ask_back(&sim, refund("20240301000019", NUMBER, 999)).await.code(), 0);
    assert_eq!(ask_back(&sim, refund("20240301000020", NUMBER, 1)).await.code(), 11);
    let sums: i64 = sim.bank().refunds().iter().map(|one| one.amount).sum();
    assert_eq!(sums, 1000);
    assert_eq!(sim.bank().stats().misreadings, 0);
    sim.stop().await;
}

#[tokio::test]
async fn one_refund_of_an_order_may_succeed() {
    let sim = start(waiting()).await;
    paid(&sim, NUMBER, "WX_NATIVE", 1000).await;
    assert_eq!(ask_back(&sim, refund(REFUND, NUMBER, 1)).await.code(), 0);
    assert_eq!(ask_back(&sim, refund("20240301000019", NUMBER, 1)).await.code(), 11);
    sim.bank().end_refund(REFUND, None, RefundEnd::Failed).unwrap();
    assert_eq!(ask_back(&sim, refund("20240301000019", NUMBER, 1)).await.code(), 0);
    sim.bank().end_refund("20240301000019", None, RefundEnd::Done).unwrap();
    assert_eq!(ask_back(&sim, refund("20240301000020", NUMBER, 1)).await.code(), 12);
    sim.stop().await;
}

#[tokio::test]
async fn alipay_wants_a_person_on_a_page() {
    let mut hook = Hook::new().await;
    let sim = start(waiting()).await;
    paid(&sim, NUMBER, "ALI_WEB", 1000).await;
    let mut call = refund(REFUND, NUMBER, 400);
    call["notify_url"] = json!(hook.url);
    call["optional"] = json!({"why": "a+b"});
    let answer = ask_back(&sim, call).await.json();
    let url = answer["url"].as_str().unwrap();
    assert_eq!(url, format!("{}/sim/refund/{REFUND}", sim.base_url()));
    assert_eq!(sim.bank().refund(REFUND).unwrap().state, RefundState::NeedsAction);

    let path = url.strip_prefix(&sim.base_url()).unwrap();
    assert!(get(&sim, path).await.text().contains("<button>send back</button>"));
    assert!(hook.is_quiet());
    let sent = request(&sim, "POST", path, "application/x-www-form-urlencoded", "").await;
    assert_eq!((sent.status(), sent.header("location")), (303, Some(url)));

    let arrived = hook.next().await;
    assert!(arrived.is_genuine());
    let want = [
        ("transaction_type", json!("REFUND")),
        ("transaction_id", json!(REFUND)),
        ("transaction_fee", json!(400)),
        ("channel_type", json!("ALI")),
        ("sub_channel_type", json!("ALI_WEB")),
        ("trade_success", json!(true)),
        ("optional", json!({"why": "a+b"})),
    ];
    for (field, value) in want {
        assert_eq!(arrived.body[field], value, "{field}");
    }
    assert_eq!(arrived.body.get("bill_fee"), None);
    let told = refund_when(&sim, REFUND, |one| !one.notices.is_empty()).await;
    assert_eq!((told.state, told.notices.len()), (RefundState::Done, 1));
    let row = &records(&sim, json!({"refund_no": REFUND})).await[0];
    assert_eq!(
        (&row["finish"], &row["result"], &row["refund_fee"]),
        (&json!(true), &json!(true), &json!(400))
    );
    let order = get_para(&sim, "/2/rest/bills", &signed(json!({"bill_no": NUMBER}))).await.json();
    assert_eq!(order["bills"][0]["refund_result"], true);
    let again = request(&sim, "POST", path, "application/x-www-form-urlencoded", "").await;
    assert_eq!(again.status(), 409);
    sim.stop().await;
}

#[tokio::test]
async fn groups_without_a_webhook_show_their_end_when_their_state_is_asked_for() {
    for (channel, group) in
        [("WX_NATIVE", "WX"), ("BD_WAP", "BD"), ("YEE_WEB", "YEE"), ("KUAIQIAN_WEB", "KUAIQIAN")]
    {
        let mut hook = Hook::new().await;
        let sim = start(waiting()).await;
        paid(&sim, NUMBER, channel, 1000).await;
        let mut call = refund(REFUND, NUMBER, 400);
        call["notify_url"] = json!(hook.url);
        let answer = ask_back(&sim, call).await.json();
        assert_eq!((&answer["result_code"], answer.get("url")), (&json!(0), None), "{channel}");
        assert_eq!(state_of(&sim, group, REFUND).await["refund_status"], "PROCESSING");
        sim.bank().end_refund(REFUND, None, RefundEnd::Done).unwrap();
        let row = &records(&sim, json!({"refund_no": REFUND})).await[0];
        assert_eq!((&row["finish"], &row["result"]), (&json!(false), &json!(false)), "{channel}");
        assert_eq!(state_of(&sim, group, REFUND).await["refund_status"], "SUCCESS");
        let row = &records(&sim, json!({"refund_no": REFUND})).await[0];
        assert_eq!((&row["finish"], &row["result"]), (&json!(true), &json!(true)), "{channel}");
        sim.stop().await;
        assert!(hook.is_quiet(), "{channel}");
    }
}

#[tokio::test]
async fn a_failed_refund_is_finished_without_a_result() {
    let sim = start(waiting()).await;
    paid(&sim, NUMBER, "WX_NATIVE", 1000).await;
    ask_back(&sim, refund(REFUND, NUMBER, 1)).await;
    let ended = post(&sim, &format!("/sim/refund/{REFUND}"), &json!({"outcome": "failed"})).await;
    assert_eq!((ended.status(), &ended.json()["state"]), (200, &json!("failed")));
    assert_eq!(state_of(&sim, "WX", REFUND).await["refund_status"], "FAIL");
    let row = &records(&sim, json!({"refund_no": REFUND})).await[0];
    assert_eq!((&row["finish"], &row["result"]), (&json!(true), &json!(false)));
    assert_eq!(state_of(&sim, "WX", "20240301999").await["result_code"], 13);
    sim.stop().await;
}

#[tokio::test]
async fn a_till_refunds_at_once_and_on_its_own_path() {
    let sim = start(waiting()).await;
    paid(&sim, NUMBER, "ALI_SCAN", 1000).await;
    let wrong = ask_back(&sim, refund(REFUND, NUMBER, 1)).await;
    assert_eq!(wrong.code(), 3, "{}", wrong.text());
    let mut call = refund(REFUND, NUMBER, 1000);
    call["refund_reason"] = json!("too sweet");
    let answer = post(&sim, "/2/rest/offline/refund", &as_master(call)).await.json();
    assert_eq!((&answer["result_code"], &answer["refund_result"]), (&json!(0), &json!(true)));
    let booked = sim.bank().refund(REFUND).unwrap();
    assert_eq!((booked.state, booked.reason.as_str()), (RefundState::Done, "too sweet"));
    sim.stop().await;
}

#[tokio::test]
async fn refunds_end_by_themselves_after_a_while() {
    for (end, state) in [(RefundEnd::Done, RefundState::Done), (RefundEnd::Failed, RefundState::Failed)] {
        let habit = RefundHabit::EndsAfter(Duration::from_secs(1), end);
        let sim = start(SimConfig { refunds: habit, ..waiting() }).await;
        paid(&sim, NUMBER, "UN_WEB", 1000).await;
        assert_eq!(ask_back(&sim, refund(REFUND, NUMBER, 7)).await.code(), 0);
        assert_eq!(refund_when(&sim, REFUND, |one| one.state == state).await.state, state);
        sim.stop().await;
    }
}

#[tokio::test]
async fn a_pre_refund_moves_only_when_it_is_approved() {
    let sim = start(SimConfig { refunds_per_order: 9, ..waiting() }).await;
    paid(&sim, NUMBER, "ALI_WEB", 1000).await;
    let mut ids = Vec::new();
    for number in ["20240301001", "20240301002"] {
        let mut call = refund(number, NUMBER, 1);
        call["need_approval"] = json!(true);
        let answer = ask_back(&sim, call).await.json();
        assert_eq!((&answer["result_code"], answer.get("url")), (&json!(0), None));
        ids.push(answer["id"].clone());
    }
    assert_eq!(ask_back(&sim, refund("20240301003", NUMBER, 1)).await.code(), 0);
    let ended = post(&sim, "/sim/refund/20240301001", &json!({})).await;
    assert_eq!(ended.status(), 409, "only an approval moves it");
    assert_eq!(records(&sim, json!({"need_approval": true})).await.len(), 2);
    assert_eq!(records(&sim, json!({"need_approval": false})).await.len(), 1);

    let approve =
        |ids: Vec<Value>, agree: bool| as_master(json!({"channel": "ALI", "ids": ids, "agree": agree}));
    let put = async |call: Value| {
        request(&sim, "PUT", "/2/rest/refund", "application/json", &call.to_string()).await.json()
    };
    let first = ids[0].as_str().unwrap().to_owned();
    let agreed = put(approve(vec![ids[0].clone(), json!("nobody")], true)).await;
    assert_eq!(agreed["result_map"][&first], "OK");
    assert_eq!(agreed["result_map"]["nobody"], "no such refund");
    assert_eq!(agreed["url"], format!("{}/sim/refund/20240301001", sim.base_url()));
    assert_eq!(sim.bank().refund("20240301001").unwrap().state, RefundState::NeedsAction);
    let again = put(approve(vec![ids[0].clone()], true)).await;
    assert_ne!(again["result_map"][&first], "OK");
    let denied = put(approve(vec![ids[1].clone()], false)).await;
    assert_eq!(denied["result_code"], 0);
    let row = &records(&sim, json!({"refund_no": "20240301002"})).await[0];
    assert_eq!((&row["finish"], &row["result"]), (&json!(true), &json!(false)));
    sim.stop().await;
}

#[tokio::test]
async fn refunds_are_listed_counted_and_paged() {
    let sim = start(SimConfig { refunds_per_order: 99, ..waiting() }).await;
    paid(&sim, NUMBER, "UN_WEB", 1000).await;
    paid(&sim, "OTHER0001", "WX_NATIVE", 1000).await;
    for n in 1..=25 {
        assert_eq!(ask_back(&sim, refund(&format!("20240301{n:04}"), NUMBER, n)).await.code(), 0);
    }
    ask_back(&sim, refund("20240301A00", "OTHER0001", 5)).await;
    let page = |skip: i64| json!({"bill_no": NUMBER, "skip": skip, "limit": 20});
    let (first, second) = (records(&sim, page(0)).await, records(&sim, page(20)).await);
    assert_eq!((first.len(), second.len()), (20, 5));
    let mut all: Vec<_> = first.iter().chain(&second).map(|row| row["refund_no"].clone()).collect();
    all.sort_by_key(Value::to_string);
    all.dedup();
    assert_eq!(all.len(), 25);
    assert_eq!(records(&sim, json!({"channel": "WX"})).await.len(), 1);
    assert_eq!(records(&sim, json!({"channel": "UN_WEB", "limit": 50})).await.len(), 25);
    let count = get_para(&sim, "/2/rest/refunds/count", &signed(json!({"bill_no": NUMBER}))).await;
    assert_eq!(count.json()["count"], 25);
    let id = sim.bank().refund("20240301A00").unwrap().id;
    let one = get_para(&sim, &format!("/2/rest/refund/{id}"), &signed(json!({}))).await.json();
    assert_eq!(one["refund"]["refund_no"], "20240301A00");
    let none = get_para(&sim, "/2/rest/refund/nobody", &signed(json!({}))).await;
    assert_eq!(none.code(), 13);
    sim.stop().await;
}

#[tokio::test]
async fn faults_meet_refunds_as_they_meet_payments() {
    // The fault, whether the refund is booked all the same.
    for (fault, is_booked) in [
        (CallFault::CloseBefore, false),
        (CallFault::CloseAfter, true),
        (CallFault::Http500 { effect: FaultEffect::None }, false),
        (CallFault::Http500 { effect: FaultEffect::Done }, true),
        (CallFault::Html502 { effect: FaultEffect::Done }, true),
        (CallFault::Malformed, true),
        (CallFault::Truncated, true),
        (CallFault::Code { code: 14, effect: FaultEffect::Done }, true),
        (CallFault::Code { code: 7, effect: FaultEffect::None }, false),
        (CallFault::Latency { ms: 50 }, true),
        (CallFault::Hang { ms: 50 }, true),
    ] {
        let sim = start(waiting()).await;
        paid(&sim, NUMBER, "WX_NATIVE", 1000).await;
        sim.bank().strike_call(Rule::once(fault.clone()).on("refund")).unwrap();
        ask_back(&sim, refund(REFUND, NUMBER, 1)).await;
        assert_eq!(sim.bank().refund(REFUND).is_some(), is_booked, "{fault:?}");
        let stats = sim.bank().stats();
        assert_eq!((stats.calls_of(REFUND, "refund"), stats.refunds), (1, u64::from(is_booked)), "{fault:?}");
        assert_eq!(stats.faults.values().sum::<u64>(), 1);
        sim.stop().await;
    }
}

#[tokio::test]
async fn a_webhook_can_overtake_its_answer_and_meets_faults() {
    let mut hook = Hook::new().await;
    let sim = start(waiting()).await;
    paid(&sim, NUMBER, "ALI_WEB", 1000).await;
    sim.bank().strike_call(Rule::once(CallFault::RefundedBeforeAnswer)).unwrap();
    let mut call = refund(REFUND, NUMBER, 400);
    call["notify_url"] = json!(hook.url);
    sim.bank().strike_notice(Rule::once(NoticeFault::WrongAmount { amount: None }).of(REFUND)).unwrap();
    assert!(ask_back(&sim, call).await.json()["url"].is_string(), "the answer was written before");
    assert_eq!(sim.bank().refund(REFUND).unwrap().notices.len(), 1, "and sent after the webhook");
    let wrong = hook.next().await;
    assert!(wrong.is_genuine());
    assert_eq!(wrong.body["transaction_fee"], 399);
    sim.stop().await;
}

#[tokio::test]
async fn webhooks_of_refunds_are_repeated_until_they_are_acknowledged() {
    let mut hook = Hook::answering(&["success", "fail", "no"]).await;
    let accounts = vec![account(Some(hook.url.clone()))];
    let sim = start(SimConfig { accounts, ..waiting() }).await;
    paid(&sim, NUMBER, "UN_WEB", 1000).await;
    assert_eq!(hook.next().await.body["transaction_type"], "PAY");
    ask_back(&sim, refund(REFUND, NUMBER, 400)).await;
    sim.bank().end_refund(REFUND, None, RefundEnd::Done).unwrap();
    for _ in 0..3 {
        let arrived = hook.next().await;
        assert_eq!(arrived.body["transaction_id"], REFUND, "to the account's address, as it has none");
    }
    refund_when(&sim, REFUND, |one| one.notices.len() == 3).await;
    sim.stop().await;
}

#[tokio::test]
async fn the_books_of_refunds_are_open() {
    let sim = start(waiting()).await;
    paid(&sim, NUMBER, "WX_NATIVE", 1000).await;
    ask_back(&sim, refund(REFUND, NUMBER, 1)).await;
    let books = get(&sim, "/sim/refunds").await.json();
    assert_eq!(books["refunds"][0]["number"], REFUND);
    assert_eq!(get(&sim, "/sim/refunds?limit=x").await.status(), 400);
    let one = get(&sim, &format!("/sim/refunds/{REFUND}")).await.json();
    assert_eq!(
        (&one["state"], &one["order"], &one["amount"]),
        (&json!("processing"), &json!(NUMBER), &json!(1))
    );
    assert_eq!(get(&sim, "/sim/refunds/nobody").await.status(), 404);
    assert_eq!(get(&sim, "/sim/refund/nobody").await.status(), 404);
    let bad = post(&sim, &format!("/sim/refund/{REFUND}"), &json!({"outcome": "lost"})).await;
    assert_eq!(bad.status(), 400);
    let stats = get(&sim, "/sim/stats").await.json();
    assert_eq!(
        (&stats["calls"]["refund"], &stats["refunds"], &stats["refunded"]),
        (&json!(1), &json!(1), &json!(0))
    );
    sim.stop().await;
}

#[tokio::test]
async fn rows_of_refunds_can_show_late() {
    let late = SimConfig { rows_late: Duration::from_hours(1), ..waiting() };
    let sim = start(late).await;
    paid(&sim, NUMBER, "UN_WEB", 1000).await;
    ask_back(&sim, refund(REFUND, NUMBER, 1)).await;
    assert_eq!(records(&sim, json!({"refund_no": REFUND})).await, Vec::<Value>::new());
    assert!(sim.bank().refund(REFUND).is_some());
    sim.stop().await;
}
