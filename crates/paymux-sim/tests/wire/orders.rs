//! Creating, asking, paying and revoking, as BeeCloud's document says.

use std::sync::Arc;
use std::time::Duration;

use paymux_sim::{OrderState, PayError, SimConfig};
use paymux_testkit::TestClock;
use serde_json::{Value, json};

use crate::support::*;

#[tokio::test]
async fn the_documents_create_message_opens_an_order() {
    let sim = start(config()).await;
    let message = vector("bc-v1")["message"].as_str().unwrap().to_owned();
    let answer = request(&sim, "POST", "/2/rest/bill", "application/json", &message).await;

    assert_eq!(answer.status(), 200);
    let body = answer.json();
    assert_eq!(
        (&body["result_code"], &body["result_msg"], &body["err_detail"]),
        (&json!(0), &json!("OK"), &json!(""))
    );
    assert_eq!(body["code_url"], format!("{}/sim/pay/{NUMBER}", sim.base_url()));
    assert_eq!(body["id"].as_str().unwrap().len(), 36);

    let order = sim.bank().order(NUMBER).unwrap();
    assert_eq!((order.amount, order.currency, order.subject.as_str()), (1023, "CNY", "红茶 A"));
    assert_eq!((order.state, order.received, order.account.as_str()), (OrderState::Open, None, "main"));
    assert_eq!(order.echo, json!({"shop": "7"}));
    assert_eq!(order.id, body["id"].as_str().unwrap());
    assert_eq!(sim.bank().stats().misreadings, 0);
    sim.stop().await;
}

#[tokio::test]
async fn a_wrong_sign_or_account_is_code_1_and_books_nothing() {
    let sim = start(config()).await;
    let good = signed(bill(NUMBER, 1023));
    check(&sim, good.clone(), "app_sign", vector("bc-x3")["digest"].clone(), 1).await;
    check(&sim, good.clone(), "app_id", json!("00000000-3a44-4c8b-9d21-5b0e6f7a8c90"), 1).await;
    check(&sim, good.clone(), "timestamp", json!(START_MS + 1), 1).await;
    check(&sim, good.clone(), "app_sign", json!("short"), 5).await;
    check(&sim, good.clone(), "app_sign", Value::Null, 4).await;
    check(&sim, good.clone(), "total_fee", json!("1023"), 5).await;
    check(&sim, good.clone(), "total_fee", json!(0), 5).await;
    check(&sim, good.clone(), "bill_no", json!("short"), 5).await;
    check(&sim, good.clone(), "bill_no", json!("with-hyphen-1"), 5).await;
    check(&sim, good.clone(), "channel", json!("WX_SCAN"), 3).await;
    assert_eq!(sim.bank().stats().orders, 0);
    assert_eq!(post(&sim, "/2/rest/bill", &good).await.code(), 0);
    sim.stop().await;

    async fn check(sim: &paymux_sim::Running, mut call: Value, field: &str, value: Value, want: i64) {
        call[field] = value.clone();
        let answer = post(sim, "/2/rest/bill", &call).await;
        assert_eq!((answer.status(), answer.code()), (200, want), "{field} {value}: {}", answer.text());
    }
}

#[tokio::test]
async fn a_skewed_clock_refuses_by_code_1_and_shows_in_the_date() {
    check(0, 0, "Fri, 01 Mar 2024 00:00:").await;
    check(14 * 60_000, 0, "Fri, 01 Mar 2024 00:14:").await;
    check(16 * 60_000, 1, "Fri, 01 Mar 2024 00:16:").await;
    check(-16 * 60_000, 1, "Thu, 29 Feb 2024 23:44:").await;

    async fn check(clock_skew_ms: i64, want: i64, date: &str) {
        let sim = start(SimConfig { clock_skew_ms, ..config() }).await;
        let answer = create(&sim, NUMBER, 1023).await;
        assert_eq!(answer.code(), want, "{clock_skew_ms}");
        assert!(answer.header("date").unwrap().starts_with(date), "{:?}", answer.header("date"));
        sim.stop().await;
    }
}

#[tokio::test]
async fn a_number_is_never_used_twice() {
    let sim = start(config()).await;
    assert_eq!(create(&sim, NUMBER, 1023).await.code(), 0);
    for fee in [1023, 1024] {
        let again = create(&sim, NUMBER, fee).await;
        assert_eq!((again.code(), &again.json()["result_msg"]), (17, &json!("BILL_NO_DUPLICATE")));
    }
    let stats = sim.bank().stats();
    assert_eq!((stats.orders, stats.creates(NUMBER)), (1, 3));
    assert_eq!(sim.bank().order(NUMBER).unwrap().amount, 1023);
    sim.stop().await;
}

#[tokio::test]
async fn every_product_leads_to_the_payers_page() {
    let sim = start(config()).await;
    check(&sim, "WX_NATIVE", &["code_url"]).await;
    check(&sim, "BC_NATIVE", &["code_url"]).await;
    check(&sim, "ALI_WEB", &["url", "html"]).await;
    check(&sim, "ALI_WAP", &["url", "html"]).await;
    check(&sim, "UN_WEB", &["html"]).await;
    check(&sim, "YEE_WEB", &["url"]).await;
    check(&sim, "WX_WAP", &["url"]).await;
    check(&sim, "BC_ALI_WAP", &["code_url"]).await;
    check(&sim, "BC_ALI_APP", &["code_url"]).await;
    sim.stop().await;

    async fn check(sim: &paymux_sim::Running, channel: &str, fields: &[&str]) {
        let number = format!("CODE{}", channel.replace('_', ""));
        let mut call = bill(&number, 100);
        call["channel"] = json!(channel);
        call["return_url"] = json!("https://shop.example/back");
        let answer = post(sim, "/2/rest/bill", &signed(call)).await;
        let page = format!("{}/sim/pay/{number}", sim.base_url());
        for field in fields {
            let text = answer.json()[*field].as_str().unwrap_or_default().to_owned();
            assert!(text.contains(&page), "{channel} {field}: {}", answer.text());
        }
    }
}

#[tokio::test]
async fn wallets_parameters_have_their_names() {
    let sim = start(config()).await;
    let bridge = ["app_id", "package", "nonce_str", "timestamp", "pay_sign", "sign_type"];
    check(&sim, "WX_JSAPI", &bridge).await;
    check(
        &sim,
        "WX_APP",
        &["app_id", "partner_id", "package", "nonce_str", "timestamp", "pay_sign", "prepay_id"],
    )
    .await;
    check(&sim, "ALI_APP", &["order_string"]).await;
    check(&sim, "UN_APP", &["tn"]).await;
    check(&sim, "BD_APP", &["orderInfo"]).await;
    check(&sim, "BC_ALI_JSAPI", &["trade_no"]).await;
    sim.stop().await;

    async fn check(sim: &paymux_sim::Running, channel: &str, fields: &[&str]) {
        let mut call = bill(&format!("CODE{}", channel.replace('_', "")), 100);
        call["channel"] = json!(channel);
        call["openid"] = json!("o1");
        let body = post(sim, "/2/rest/bill", &signed(call)).await.json();
        assert_eq!(body["result_code"], 0, "{channel}: {body}");
        for field in fields {
            assert!(body[*field].as_str().is_some_and(|text| !text.is_empty()), "{channel} {field}: {body}");
        }
    }
}

#[tokio::test]
async fn a_barcodes_last_digit_is_its_script() {
    let sim = start(SimConfig { time_scale: 1000.try_into().unwrap(), ..config() }).await;
    check(&sim, "134567890123456780", (0, true), OrderState::Paid).await;
    check(&sim, "134567890123456781", (0, false), OrderState::Open).await;
    check(&sim, "134567890123456783", (0, false), OrderState::Paid).await;
    check(&sim, "134567890123456785", (7, false), OrderState::Closed).await;
    check(&sim, "134567890123456787", (0, false), OrderState::Open).await;

    let (number, answer) = scan(&sim, "134567890123456789").await;
    assert_eq!((answer.code(), &answer.json()["pay_result"]), (0, &json!(false)));
    let typed = sim.bank().order_when(&number, |order| order.state == OrderState::Paid);
    tokio::time::timeout(PATIENCE, typed).await.unwrap();
    assert_eq!(status(&sim, &number).await, json!(true));
    sim.stop().await;

    async fn check(sim: &paymux_sim::Running, digits: &str, want: (i64, bool), state: OrderState) {
        let (number, answer) = scan(sim, digits).await;
        let got = (answer.code(), answer.json()["pay_result"].as_bool().unwrap());
        assert_eq!(got, want, "{digits}: {}", answer.text());
        assert_eq!(sim.bank().order(&number).unwrap().state, state, "{digits}");
        assert_eq!(status(sim, &number).await, json!(state == OrderState::Paid), "{digits}");
    }

    async fn scan(sim: &paymux_sim::Running, digits: &str) -> (String, Raw) {
        let number = format!("SCAN{digits}");
        let mut call = bill(&number, 100);
        call["channel"] = json!("WX_SCAN");
        call["auth_code"] = json!(digits);
        (number, post(sim, "/2/rest/offline/bill", &signed(call)).await)
    }

    async fn status(sim: &paymux_sim::Running, number: &str) -> Value {
        let answer = post(sim, "/2/rest/offline/bill/status", &signed(json!({"bill_no": number}))).await;
        answer.json()["pay_result"].clone()
    }
}

#[tokio::test]
async fn queries_tell_what_the_books_say() {
    let sim = start(config()).await;
    let id = create(&sim, NUMBER, 1023).await.json()["id"].as_str().unwrap().to_owned();
    create(&sim, "PMX20240301000002", 5).await;
    let row = only_row(&sim).await;
    assert_eq!(
        (&row["spay_result"], &row["total_fee"], &row["id"]),
        (&json!(false), &json!(1023), &json!(id))
    );
    assert_eq!((&row["channel"], &row["sub_channel"]), (&json!("WX"), &json!("WX_NATIVE")));
    assert_eq!(row["create_time"].as_i64().unwrap() / 60_000, START_MS / 60_000);

    let paid =
        sim.bank().pay_as(NUMBER, None, paymux_sim::Pay { discount: 23, ..Default::default() }).unwrap();
    let row = only_row(&sim).await;
    assert_eq!((&row["spay_result"], &row["total_fee"]), (&json!(true), &json!(1000)));
    assert_eq!((&row["bill_fee"], &row["discount"]), (&json!(1023), &json!(23)));
    assert_eq!(row["trade_no"], paid.trade_no.unwrap());

    let by_id = get_para(&sim, &format!("/2/rest/bill/{id}"), &signed(json!({}))).await.json();
    assert_eq!(by_id["pay"]["bill_no"], NUMBER);
    for (filter, want) in [
        (json!({}), 2),
        (json!({"spay_result": true}), 1),
        (json!({"channel": "WX"}), 2),
        (json!({"channel": "WX_NATIVE"}), 2),
        (json!({"channel": "ALI"}), 0),
        (json!({"start_time": START_MS + 3_600_000}), 0),
    ] {
        let count = get_para(&sim, "/2/rest/bills/count", &signed(filter.clone())).await.json();
        assert_eq!(count["count"], want, "{filter}");
    }
    assert_eq!(sim.bank().stats().calls_of(NUMBER, "list"), 2);
    sim.stop().await;

    async fn only_row(sim: &paymux_sim::Running) -> Value {
        let answer = get_para(sim, "/2/rest/bills", &signed(json!({"bill_no": NUMBER}))).await.json();
        let rows = answer["bills"].as_array().unwrap();
        assert_eq!(rows.len(), 1, "{answer}");
        rows[0].clone()
    }
}

#[tokio::test]
async fn late_rows_are_missing_first_and_the_order_is_there() {
    let rows_late = Duration::from_hours(1);
    let sim = start(SimConfig { rows_late, ..config() }).await;
    assert_eq!(create(&sim, NUMBER, 1023).await.code(), 0);
    assert_eq!(rows(&sim).await, 0);
    assert_eq!(create(&sim, NUMBER, 1023).await.code(), 17, "it is there all the same");
    sim.stop().await;

    let rows_late = Duration::from_secs(3);
    let sim = start(SimConfig { rows_late, time_scale: 30.try_into().unwrap(), ..config() }).await;
    let begun = tokio::time::Instant::now();
    assert_eq!(create(&sim, NUMBER, 1023).await.code(), 0);
    let shown = async {
        while rows(&sim).await == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, shown).await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(100), "{:?}", begun.elapsed());
    sim.stop().await;

    async fn rows(sim: &paymux_sim::Running) -> usize {
        let answer = get_para(sim, "/2/rest/bills", &signed(json!({"bill_no": NUMBER}))).await;
        answer.json()["bills"].as_array().unwrap().len()
    }
}

#[tokio::test]
async fn a_revoked_order_takes_no_money_and_a_paid_one_is_not_revoked() {
    let sim = start(config()).await;
    for number in ["REVERT0001", "REVERT0002"] {
        let mut call = bill(number, 100);
        call["channel"] = json!("ALI_OFFLINE_QRCODE");
        assert_eq!(post(&sim, "/2/rest/offline/bill", &signed(call)).await.code(), 0);
    }
    assert_eq!(revert(&sim, "REVERT0001").await, json!(true));
    assert_eq!(sim.bank().pay("REVERT0001").unwrap_err(), PayError::Closed);
    sim.bank().pay("REVERT0002").unwrap();
    assert_eq!(revert(&sim, "REVERT0002").await, json!(false));
    assert_eq!(revert(&sim, "REVERT0003").await, json!(false));
    create(&sim, "REVERT0004", 100).await;
    assert_eq!(revert(&sim, "REVERT0004").await, json!(false), "BeeCloud does not revert WX_NATIVE");
    assert_eq!(sim.bank().pay("REVERT0004").unwrap().received, Some(100));
    sim.stop().await;

    async fn revert(sim: &paymux_sim::Running, number: &str) -> Value {
        let path = format!("/2/rest/offline/bill/{number}");
        post(sim, &path, &signed(json!({"method": "REVERT"}))).await.json()["revert_status"].clone()
    }
}

#[tokio::test]
async fn an_order_ends_with_its_bill_timeout() {
    let clock = Arc::new(TestClock::new());
    let sim = start(SimConfig { clock: clock.clone(), ..config() }).await;
    let mut call = bill(NUMBER, 100);
    call["bill_timeout"] = json!(361);
    assert_eq!(post(&sim, "/2/rest/bill", &signed(call)).await.code(), 0);
    clock.skew(361_000);
    assert_eq!(sim.bank().order(NUMBER).unwrap().state, OrderState::Expired);
    assert_eq!(sim.bank().pay(NUMBER).unwrap_err(), PayError::Expired);
    let forced = paymux_sim::Pay { force: true, ..Default::default() };
    assert_eq!(sim.bank().pay_as(NUMBER, None, forced).unwrap().received, Some(100));
    sim.stop().await;
}

#[tokio::test]
async fn payers_may_pay_by_themselves() {
    let payer = paymux_sim::PayerHabit::PaysAfter(Duration::from_secs(5));
    let sim = start(SimConfig { payer, time_scale: 1000.try_into().unwrap(), ..config() }).await;
    create(&sim, NUMBER, 1023).await;
    let paid = sim.bank().order_when(NUMBER, |order| order.state == OrderState::Paid);
    assert_eq!(tokio::time::timeout(PATIENCE, paid).await.unwrap().received, Some(1023));
    sim.stop().await;
}

#[tokio::test]
async fn what_is_no_call_is_answered_as_such() {
    let sim = start(config()).await;
    assert_eq!(get(&sim, "/").await.status(), 404);
    assert_eq!(post(&sim, "/2/rest/nothing", &json!({})).await.code(), 5);
    assert_eq!(request(&sim, "PATCH", "/2/rest/bill", "text/plain", "").await.status(), 405);
    let sized =
        async |bytes| request(&sim, "POST", "/2/rest/bill", "application/json", &"x".repeat(bytes)).await;
    assert_eq!(sized(65_537).await.code(), 5, "in the protocol's words");
    assert_eq!(sized(131_073).await.status(), 413);
    assert_eq!(request(&sim, "POST", "/2/rest/bill", "application/json", "{").await.code(), 5);
    assert_eq!(sim.bank().stats().calls, [("not_found", 2), ("unread", 2)].into_iter().collect());
    sim.stop().await;
}
