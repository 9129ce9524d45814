//! A client of BeeCloud, whose payments go to FuFu.
//!
//! Source: BeeCloud V2 document and webhook guide.

use std::net::Ipv4Addr;

use axum::{Json, Router};
use paymux_core::{Verb, WireRequest};
use paymux_server::plugins::Simulated;
use paymux_sim::{CallFault, Rule};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::{Stand, china_day, encoded, md5, now_ms, until};

pub(super) const APP_ID: &str = "7c9f2f1e-3a44-4c8b-9d21-5b0e6f7a8c90";
pub(super) const APP_SECRET: &str = "1f0e2d3c-4b5a-4978-8695-a4b3c2d1e0f9";
pub(super) const MASTER_SECRET: &str = "9e8d7c6b-5a49-4382-b1a0-0f1e2d3c4b5a";

async fn stand() -> Stand {
    stand_with("").await
}

/// With more of its credentials, and what comes after them in the file.
async fn stand_with(more: &str) -> Stand {
    let credentials = format!(
        "app_id = \"{APP_ID}\"\napp_secret = \"{APP_SECRET}\"\nmaster_secret = \"{MASTER_SECRET}\"\n{more}"
    );
    Stand::open("beecloud", &credentials, Simulated::Fufu, " success\n").await
}

/// The common fields of a call, and those of its own.
fn signed(secret: &str, own: &Value) -> Value {
    let timestamp = now_ms();
    let mut fields = json!({"app_id": APP_ID, "timestamp": timestamp,
        "app_sign": md5(&format!("{APP_ID}{timestamp}{secret}"))});
    fields.as_object_mut().unwrap().extend(own.as_object().unwrap().clone());
    fields
}

fn bill(bill_no: &str) -> Value {
    json!({"channel": "WX_NATIVE", "total_fee": 1999, "bill_no": bill_no, "title": "A pot of tea",
        "optional": {"table": "7"}})
}

/// A till's order, paid with that code.
fn scan(bill_no: &str, auth_code: &str) -> Value {
    json!({"channel": "WX_SCAN", "total_fee": 1999, "bill_no": bill_no, "title": "A pot of tea",
        "auth_code": auth_code})
}

impl Stand {
    /// Posts to a path of version 2; whatever comes back is JSON with status 200.
    async fn bee_post(&self, path: &str, body: &Value) -> Value {
        told(self.http.post("", &format!("/2/rest/{path}"), body).await)
    }

    async fn bee_get(&self, path: &str, own: &Value) -> Value {
        let para = encoded(&signed(APP_SECRET, own).to_string());
        told(self.http.get("", &format!("/2/rest/{path}?para={para}")).await)
    }

    /// The record of that order.
    async fn bee_bill(&self, bill_no: &str) -> Value {
        let list = self.bee_get("bills", &json!({"bill_no": bill_no})).await;
        assert_eq!(list["result_code"], 0, "{list}");
        list["bills"][0].clone()
    }
}

fn told(answer: crate::http::Answer) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(answer.body["result_code"].is_i64(), "{}", answer.text);
    assert!(answer.body["result_msg"].is_string() && answer.body["err_detail"].is_string());
    answer.body
}

/// Whether a webhook is BeeCloud's: five fields and the master secret.
#[track_caller]
fn check_webhook(webhook: &Value, kind: &str, number: &str, fee: i64) {
    let group = webhook["channel_type"].as_str().unwrap();
    let sign = md5(&format!("{APP_ID}{number}{kind}{group}{fee}{MASTER_SECRET}"));
    assert_eq!(webhook["signature"], sign, "{webhook}");
    assert_eq!(
        (&webhook["transaction_type"], &webhook["transaction_id"], &webhook["transaction_fee"]),
        (&json!(kind), &json!(number), &json!(fee))
    );
    assert_eq!((group, &webhook["trade_success"]), ("WX", &json!(true)), "{webhook}");
}

#[tokio::test]
async fn an_order_is_opened_paid_told_of_and_paid_back() {
    let stand = stand().await;
    stand.hook.refuse(1);
    let created = stand.bee_post("bill", &signed(APP_SECRET, &bill("2024-1001/A"))).await;
    assert_eq!(created["result_code"], 0, "{created}");
    let number = stand.upstream_number();
    assert_eq!(created["code_url"], json!(stand.bank().pay_url(&number).unwrap()));
    let unpaid = stand.bee_bill("2024-1001/A").await;
    assert_eq!((&unpaid["spay_result"], &unpaid["id"]), (&json!(false), &created["id"]), "{unpaid}");

    stand.bank().pay(&number).unwrap();
    let notices = stand.hook.told(2).await;
    let [first, second] = [notices[0].json(), notices[1].json()];
    for webhook in [&first, &second] {
        check_webhook(webhook, "PAY", "2024-1001/A", 1999);
        assert_eq!((&webhook["optional"], &webhook["bill_fee"]), (&json!({"table": "7"}), &json!(1999)));
    }
    assert!(first["timestamp"].as_i64() < second["timestamp"].as_i64(), "a fresh time for each try");
    let paid = stand.bee_bill("2024-1001/A").await;
    assert_eq!((&paid["spay_result"], &paid["sub_channel"]), (&json!(true), &json!("WX_NATIVE")), "{paid}");
    let by_id = stand.bee_get(&format!("bill/{}", paid["id"].as_str().unwrap()), &json!({})).await;
    assert_eq!(by_id["pay"]["bill_no"], "2024-1001/A", "{by_id}");
    for (filter, count) in [
        (json!({}), 1),
        (json!({"channel": "WX", "spay_result": true}), 1),
        (json!({"channel": "ALI"}), 0),
        (json!({"spay_result": false}), 0),
        (json!({"end_time": 1}), 0),
    ] {
        let counted = stand.bee_get("bills/count", &filter).await;
        assert_eq!(counted["count"], count, "{filter}: {counted}");
    }
    let native = stand.native(&encoded("2024-1001/A")).await;
    assert_eq!((&native["status"], &native["provider"]), (&json!("succeeded"), &json!("fufu")), "{native}");

    let refund_no = format!("{}001", china_day());
    let refund = json!({"bill_no": "2024-1001/A", "refund_no": refund_no, "refund_fee": 500});
    let unauthorised = stand.bee_post("refund", &signed(APP_SECRET, &refund)).await;
    assert_eq!(unauthorised["result_code"], 1, "{unauthorised}");
    let refunded = stand.bee_post("refund", &signed(MASTER_SECRET, &refund)).await;
    assert_eq!(refunded["result_code"], 0, "{refunded}");
    let status = json!({"channel": "WX", "refund_no": refund_no});
    let ask = async || stand.bee_get("refund/status", &status).await;
    until(ask, |status| status["refund_status"] == "SUCCESS").await;
    check_webhook(&stand.hook.told(3).await[2].json(), "REFUND", &refund_no, 500);
    let list = stand.bee_get("refunds", &json!({"channel": "WX"})).await;
    assert_eq!(list["refunds"].as_array().map(Vec::len), Some(1), "{list}");
    let row = &list["refunds"][0];
    assert_eq!(
        (&row["refund_no"], &row["finish"], &row["result"]),
        (&json!(refund_no), &json!(true), &json!(true))
    );
    let too_much = json!({"bill_no": "2024-1001/A", "refund_no": format!("{}002", china_day()),
        "refund_fee": 1500});
    let refused = stand.bee_post("refund", &signed(MASTER_SECRET, &too_much)).await;
    assert_eq!(refused["result_code"], 12, "{refused}");
    stand.close(&[APP_SECRET, MASTER_SECRET]).await;
}

/// Its provider's answer is lost: 14, and the truth when it is known. A till is told "not paid yet".
#[tokio::test]
async fn an_open_outcome_is_never_a_refusal() {
    let stand = stand().await;
    stand.bank().strike_call(Rule::once(CallFault::CloseAfter).on("pay")).unwrap();
    let created = stand.bee_post("bill", &signed(APP_SECRET, &bill("A1001"))).await;
    assert_eq!(created["result_code"], 14, "{created}");
    stand.bank().pay(&stand.upstream_number()).unwrap();
    check_webhook(&stand.hook.told(1).await[0].json(), "PAY", "A1001", 1999);
    assert_eq!(stand.bee_bill("A1001").await["spay_result"], true);
    let repeat = stand.bee_post("bill", &signed(APP_SECRET, &bill("A1001"))).await;
    assert_eq!(repeat["result_code"], 0, "{repeat}");
    let other = json!({"channel": "WX_NATIVE", "total_fee": 1, "bill_no": "A1001", "title": "A pot of tea"});
    assert_eq!(stand.bee_post("bill", &signed(APP_SECRET, &other)).await["result_code"], 17);
    stand.upstream_number();
    stand.close(&[APP_SECRET, MASTER_SECRET]).await;
}

#[tokio::test]
async fn a_till_whose_scan_is_in_doubt_asks_and_is_told() {
    let stand = stand().await;
    stand.bank().strike_call(Rule::once(CallFault::CloseAfter).on("pay")).unwrap();
    let auth_code = "134567890123456782";
    let created = stand.bee_post("offline/bill", &signed(APP_SECRET, &scan("A1001", auth_code))).await;
    assert_eq!((&created["result_code"], &created["pay_result"]), (&json!(0), &json!(false)), "{created}");
    let question = json!({"bill_no": "A1001", "channel": "WX_SCAN"});
    let ask = async || stand.bee_post("offline/bill/status", &signed(APP_SECRET, &question)).await;
    until(ask, |status| status["pay_result"] == true).await;
    stand.upstream_number();
    stand.close(&[APP_SECRET, MASTER_SECRET, auth_code]).await;
}

/// `app_sign` covers no field but the time.
#[tokio::test]
async fn a_captured_sign_fits_the_one_call_that_it_came_with() {
    let mut stand = stand().await;
    let body = signed(APP_SECRET, &bill("A1001"));
    let created = stand.bee_post("bill", &body).await;
    let mut forged = body.clone();
    forged["bill_no"] = json!("A1002");
    forged["total_fee"] = json!(1);
    for _ in 0..2 {
        let refused = stand.bee_post("bill", &forged).await;
        assert_eq!(refused["result_code"], 1, "{refused}");
        assert!(refused["err_detail"].as_str().unwrap().contains("timestamp already used"), "{refused}");
        assert_eq!(stand.bee_post("offline/bill", &body).await["result_code"], 1, "another path");
        let repeat = stand.bee_post("bill", &body).await;
        assert_eq!((&repeat["result_code"], &repeat["id"]), (&json!(0), &created["id"]), "{repeat}");
        stand.restart().await;
    }
    stand.upstream_number();
    stand.close(&[APP_SECRET, MASTER_SECRET]).await;
}

/// An order of that number that is paid.
async fn paid(stand: &Stand, bill_no: &str) {
    let created = stand.bee_post("bill", &signed(APP_SECRET, &bill(bill_no))).await;
    assert_eq!(created["result_code"], 0, "{created}");
    stand.bank().pay(&stand.upstream_number()).unwrap();
    until(async || stand.bee_bill(bill_no).await, |row| row["spay_result"] == true).await;
}

#[tokio::test]
async fn a_pre_refund_goes_once_it_is_approved() {
    let mut stand = stand().await;
    paid(&stand, "A1001").await;
    let number = |serial: &str| format!("{}{serial}", china_day());
    let ask = |serial: &str| json!({"bill_no": "A1001", "refund_no": number(serial), "refund_fee": 500, "need_approval": true});
    let mut ids = Vec::new();
    for serial in ["001", "002"] {
        let asked = stand.bee_post("refund", &signed(MASTER_SECRET, &ask(serial))).await;
        assert_eq!(asked["result_code"], 0, "{asked}");
        ids.push(asked["id"].as_str().unwrap().to_owned());
    }
    stand.restart().await;
    let waiting = stand.bee_get("refunds", &json!({"need_approval": true})).await;
    assert_eq!(waiting["refunds"].as_array().map(Vec::len), Some(2), "{waiting}");
    assert_eq!(stand.native("A1001").await["amount_refunded"], 0);
    let decide = async |fields: Value| {
        let request = WireRequest::new(Verb::Put, "/2/rest/refund")
            .body("application/json", signed(MASTER_SECRET, &fields).to_string());
        told(stand.http.send("", request).await.unwrap())
    };
    let agreed = decide(json!({"channel": "WX", "ids": [ids[0]], "agree": true})).await;
    assert_eq!(
        (&agreed["result_code"], &agreed["result_map"][&ids[0]]),
        (&json!(0), &json!("OK")),
        "{agreed}"
    );
    let denied =
        decide(json!({"channel": "WX", "ids": [ids[1], "x"], "agree": false, "deny_reason": "no"})).await;
    assert_eq!(denied["result_map"], json!({(&ids[1]): "OK", "x": "no such refund"}), "{denied}");
    let status = async |serial: &str| {
        stand.bee_get("refund/status", &json!({"channel": "WX", "refund_no": number(serial)})).await
    };
    until(async || status("001").await, |told| told["refund_status"] == "SUCCESS").await;
    assert_eq!(status("002").await["refund_status"], "FAIL");
    assert_eq!(stand.native("A1001").await["amount_refunded"], 500);
    stand.close(&[APP_SECRET, MASTER_SECRET]).await;
}

/// They go to the channel that the app names, whoever that is.
#[tokio::test]
async fn payouts_are_made_once_and_told_of() {
    let purse = "payout_channel = \"purse\"\n[[channels]]\nid = \"purse\"\nprovider = \"sandbox\"\n";
    let stand = stand_with(purse).await;
    let payout = json!({"total_fee": 700, "bill_no": "PAYOUT20240301", "title": "wages", "trade_source": "OUT_PC",
        "bank_fullname": "中国银行", "card_type": "DE", "account_type": "P", "account_no": "6222020200112233",
        "account_name": "王五", "optional": {"run": "7"}});
    let by_app = stand.bee_post("bc_transfer", &signed(APP_SECRET, &payout)).await;
    assert_eq!(by_app["result_code"], 1, "{by_app}");
    let made = stand.bee_post("bc_transfer", &signed(MASTER_SECRET, &payout)).await;
    assert_eq!(made["result_code"], 0, "{made}");
    let again = stand.bee_post("bc_transfer", &signed(MASTER_SECRET, &payout)).await;
    assert_eq!((&again["result_code"], &again["id"]), (&json!(0), &made["id"]), "{again}");
    let webhook = stand.hook.told(1).await[0].json();
    let sign = md5(&format!("{APP_ID}PAYOUT20240301TRANSFERBC700{MASTER_SECRET}"));
    assert_eq!(
        (&webhook["signature"], &webhook["optional"]),
        (&json!(sign), &json!({"run": "7"})),
        "{webhook}"
    );

    let batch = json!({"channel": "ALI", "batch_no": "BATCH202403", "account_name": "Tea Ltd", "transfer_data": [
        {"transfer_id": "1", "receiver_account": "w@example.com", "receiver_name": "W", "transfer_fee": 10},
        {"transfer_id": "2", "receiver_account": "x@example.com", "receiver_name": "X", "transfer_fee": 20}]});
    let on_a_get = stand.bee_get("transfers", &batch).await;
    assert_eq!(on_a_get["result_code"], 5, "{on_a_get}");
    let made = stand.bee_post("transfers", &signed(MASTER_SECRET, &batch)).await;
    assert_eq!(made["result_code"], 0, "{made}");
    let list = stand.bee_get("transfers", &json!({"transfer_status": "SUCCESS"})).await;
    let rows = list["transfers"].as_array().unwrap();
    let numbers: Vec<_> = rows.iter().map(|row| row["bill_no"].as_str().unwrap()).collect();
    assert_eq!(numbers.len(), 3, "{list}");
    assert!(numbers.contains(&"PAYOUT20240301") && numbers.contains(&"BATCH202403-2"), "{list}");
    let too_much = json!({"channel": "ALI_TRANSFER", "transfer_no": "T1", "total_fee": 10_001, "desc": "d",
        "channel_user_id": "w@example.com", "channel_user_name": "W", "account_name": "Tea Ltd"});
    let refused = stand.bee_post("transfer", &signed(MASTER_SECRET, &too_much)).await;
    assert_eq!(refused["result_code"], 5, "{refused}");
    stand.close(&[APP_SECRET, MASTER_SECRET, "6222020200112233"]).await;
}

#[tokio::test]
async fn the_first_version_is_spoken_too() {
    let stand = stand().await;
    let post =
        async |path: &str, body: Value| told(stand.http.post("", &format!("/1/rest/{path}"), &body).await);
    let created = post("bill", signed(APP_SECRET, &bill("A1001"))).await;
    assert_eq!(created["result_code"], 0, "{created}");
    stand.bank().pay(&stand.upstream_number()).unwrap();
    let ask = async |own: Value| {
        let para = encoded(&signed(APP_SECRET, &own).to_string());
        told(stand.http.get("", &format!("/1/rest/bills?para={para}")).await)
    };
    let filter = json!({"channel": "WX", "bill_no": "A1001"});
    let list =
        until(async || ask(filter.clone()).await, |list| list["bills"][0]["spay_result"] == true).await;
    assert_eq!((&list["count"], list["bills"][0]["created_time"].is_i64()), (&json!(1), true), "{list}");
    assert_eq!(ask(json!({})).await["result_code"], 4, "a channel is asked for");
    let refund = json!({"channel": "WX", "bill_no": "A1001", "refund_no": format!("{}001", china_day()),
        "refund_fee": 500});
    let refused = post("refund", signed(APP_SECRET, &refund)).await;
    assert_eq!(refused["result_code"], 1, "{refused}");
    assert!(refused["err_detail"].as_str().unwrap().contains("app_secret_moves_money"), "{refused}");
    stand.close(&[APP_SECRET, MASTER_SECRET]).await;
}

/// A person's check goes to the account at BeeCloud that the app names, and leaves no trace here.
#[tokio::test]
async fn what_only_beecloud_does_goes_to_beecloud() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let answer = |Json(asked): Json<Value>| async move {
        assert_eq!((&asked["name"], &asked["id_no"]), (&json!("王五"), &json!("11010519491231002X")));
        assert_ne!(asked["app_id"], APP_ID, "our account there is another");
        Json(
            json!({"result_code": 0, "result_msg": "OK", "err_detail": "", "auth_result": true, "auth_msg": "ok"}),
        )
    };
    let limits = paymux_http::Limits::default();
    let router = Router::new().route("/2/auth", axum::routing::post(answer));
    tokio::spawn(paymux_http::serve(listener, router, limits, CancellationToken::new()));
    let bee = format!(
        "native_channel = \"bee\"\n[[channels]]\nid = \"bee\"\nprovider = \"beecloud\"\n[channels.settings]\n\
         app_id = \"00000000-3a44-4c8b-9d21-5b0e6f7a8c90\"\napp_secret = \"s\"\nmaster_secret = \"m\"\n\
         base_url = \"http://{address}\"\n"
    );
    let stand = stand_with(&bee).await;
    let check = signed(APP_SECRET, &json!({"name": "王五", "id_no": "11010519491231002X"}));
    let checked = told(stand.http.post("", "/2/auth", &check).await);
    assert_eq!((&checked["result_code"], &checked["auth_result"]), (&json!(0), &json!(true)), "{checked}");
    let incomplete =
        told(stand.http.post("", "/2/auth", &signed(APP_SECRET, &json!({"name": "王五"}))).await);
    assert_eq!(incomplete["result_code"], 4, "{incomplete}");
    stand.close(&[APP_SECRET, MASTER_SECRET, "11010519491231002X", "王五"]).await;
}

/// One SDK puts all secrets into every body; whatever is wrong, its answer is JSON with status 200.
#[tokio::test]
async fn everything_below_its_paths_is_answered_in_its_words() {
    let stand = stand().await;
    let mut careless = signed(APP_SECRET, &bill("A1001"));
    careless["app_secret"] = json!(APP_SECRET);
    careless["master_secret"] = json!(MASTER_SECRET);
    assert_eq!(stand.bee_post("bill", &careless).await["result_code"], 0);
    for path in ["/2/rest/nonsense", "/1/rest/bill", "/2/", "/1/pay/x"] {
        let answer = told(stand.http.post("", path, "{}").await);
        assert_ne!(answer["result_code"], 0, "{path}: {answer}");
    }
    let bad = told(stand.http.post("", "/2/rest/bill", "{\"a\":").await);
    assert_eq!(bad["result_code"], 5, "{bad}");
    let huge = format!("{{\"a\": \"{}\"}}", "x".repeat(70_000));
    let huge = told(stand.http.post("", "/2/rest/bill", huge).await);
    assert_eq!(huge["result_code"], 5, "{huge}");
    let request = WireRequest::new(Verb::Delete, "/2/rest/bill");
    assert_ne!(told(stand.http.send("", request).await.unwrap())["result_code"], 0);
    let other = stand.http.post("", "/api/cloudpay/create", "").await;
    assert_eq!(other.status, 404, "a front that is not served: {}", other.text);
    stand.close(&[APP_SECRET, MASTER_SECRET]).await;
}
