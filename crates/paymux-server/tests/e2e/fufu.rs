//! Payments over a simulated FuFu: codes and scans, notifications that are lost or wrong, a paymux that is down for a
//! while, money that goes back; and what of all that stands in the log.

use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use paymux_core::{Verb, WireRequest};
use paymux_server::plugins::Simulated;
use paymux_sign::Md5Text;
use paymux_sim::{Bank, CallFault, NoticeFault, NoticeOutcome, OrderState, Rule, SimAccount, SimConfig};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::http::{Answer, Http};
use crate::process::{PATIENCE, Running, paymux};
use crate::world::{SHOP, free_address, ready, settings};

/// A payer's code that pays at once.
const AUTH_CODE: &str = "281234567890123458";

/// A FuFu whose waits are short, and a paymux with an account there, which logs all it can.
struct Shop {
    http: Http,
    sim: paymux_sim::Running,
    account: SimAccount,
    folder: tempfile::TempDir,
    process: Option<Running>,
}

impl Shop {
    async fn open() -> Self {
        let account = Simulated::Fufu.account("fufu-a", fastrand::u64(..), None);
        let accounts = vec![account.clone()];
        let config = SimConfig { accounts, time_scale: 100.try_into().unwrap(), ..SimConfig::default() };
        let sim = Simulated::Fufu.start(config).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let address = free_address().await;
        let text = format!(
            "[server]\nhttp = \"{address}\"\n[store]\nurl = \"sqlite://{}/a.db\"\n[sweeper]\ninterval_ms = 100\n\
             [[apps]]\nid = \"shop\"\napi_key = \"{SHOP}\"\n\
             [[channels]]\nid = \"fufu-a\"\nprovider = \"fufu\"\n[channels.settings]\nbase_url = \"{}\"\n{}\n\
             [[routes]]\nname = \"default\"\nstrategy = \"priority\"\nchannels = [\"fufu-a\"]\n",
            folder.path().display(),
            sim.base_url(),
            settings(&account)
        );
        std::fs::write(folder.path().join("paymux.toml"), text).unwrap();
        let http = Http::new(&format!("http://{address}"));
        let mut shop = Self { http, sim, account, folder, process: None };
        shop.up().await;
        shop
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn up(&mut self) {
        let mut command = paymux(["serve", "-c", self.file("paymux.toml").to_str().unwrap()]);
        let log = File::options().create(true).append(true).open(self.file("log")).unwrap();
        command.env("PAYMUX_LOG", "trace").stderr(log);
        let mut process = Running::start(command);
        ready(&mut process, &self.http).await;
        self.process = Some(process);
    }

    async fn down(&mut self) {
        let process = self.process.take().unwrap();
        assert_eq!(process.signal("TERM").await, Some(0), "an orderly end");
    }

    fn bank(&self) -> &Bank {
        self.sim.bank()
    }

    async fn create(&self, patch: Value) -> Value {
        let mut order = json!({"order_no": "A1001", "amount": 1999, "currency": "CNY", "method": "any.native",
            "subject": "A pot of tea"});
        order.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
        let created = self.http.post(SHOP, "/v1/payments", order).await;
        assert_eq!(created.status, 201, "{}", created.text);
        created.body
    }

    /// The payment once it is so.
    async fn payment_when(&self, created: &Value, is_so: impl Fn(&Value) -> bool) -> Value {
        let path = format!("/v1/payments/{}", created["id"].as_str().unwrap());
        self.when(&path, is_so).await
    }

    async fn when(&self, path: &str, is_so: impl Fn(&Value) -> bool) -> Value {
        let looking = async {
            loop {
                let body = self.http.get(SHOP, path).await.body;
                if is_so(&body) {
                    return body;
                }
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, looking).await.expect("it comes to be as expected")
    }

    /// A notification with that body, signed here.
    async fn notify(&self, body: &Value) -> Answer {
        let body = body.to_string();
        let key = self.account.settings["key"].as_str().unwrap();
        let squeezed = body.replace([' ', '\r', '\n'], "");
        let digest = Md5Text::new().piece("1709251200000").piece(key).piece(squeezed).digest().to_hex();
        let request = WireRequest::new(Verb::Post, "/notify/fufu-a")
            .query(format!("sign={}:1709251200000", digest.as_str()))
            .body("application/json", body);
        self.http.send("", request).await.unwrap()
    }

    /// Ends it, and looks at what it logged: much, and nothing that is worth anything.
    async fn close(mut self) {
        assert_eq!(self.bank().stats().misreadings, 0);
        self.down().await;
        let log = std::fs::read_to_string(self.file("log")).unwrap();
        assert!(log.contains("paymux_http::access"), "it logged what it did");
        let key = self.account.settings["key"].as_str().unwrap();
        assert!(!log.contains(key) && !log.contains(AUTH_CODE), "neither the key nor a payer's code");
        assert!(!log.contains("sign="), "no address with its query");
        self.sim.stop().await;
    }
}

fn number(payment: &Value) -> &str {
    payment["provider_order_no"].as_str().unwrap()
}

/// The `data` of a notification of that order.
fn notice(number: &str, patch: &Value) -> Value {
    let mut data = json!({"out_trade_no": number, "trade_no": "F1", "channel_trade_no": "W1", "total_fee": 1999,
        "fee_type": "CNY", "state": 1});
    data.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
    json!({"result": {"return_code": "SUCCESS", "return_msg": "OK"}, "data": data})
}

#[tokio::test]
async fn a_code_is_shown_paid_told_of_and_paid_back() {
    let shop = Shop::open().await;
    let created = shop.create(json!({})).await;
    assert_eq!(created["status"], "pending", "{created}");
    assert_eq!(
        created["next_action"],
        json!({"type": "qr", "qr": shop.bank().pay_url(number(&created)).unwrap()})
    );
    shop.bank().pay(number(&created)).unwrap();
    let paid = shop.payment_when(&created, |payment| payment["status"] == "succeeded").await;
    let order = shop.bank().order_when(number(&created), |order| !order.notices.is_empty()).await;
    assert_eq!(order.notices[0].outcome, NoticeOutcome::Acknowledged, "exactly `SUCCESS`");
    assert_eq!(
        (&paid["amount_received"], &paid["provider_trade_no"]),
        (&json!(1999), &json!(order.trade_no))
    );

    let path = format!("/v1/payments/{}/refunds", paid["id"].as_str().unwrap());
    let refund = shop.http.post(SHOP, &path, json!({"refund_no": "R1", "amount": 500})).await;
    assert_eq!((refund.status, &refund.body["status"]), (201, &json!("pending")), "{}", refund.text);
    let refund = format!("/v1/refunds/{}", refund.body["id"].as_str().unwrap());
    shop.when(&refund, |refund| refund["status"] == "succeeded").await;
    shop.close().await;
}

/// FuFu falls silent after five tries: the question finds what they told.
#[tokio::test]
async fn money_is_found_although_every_notification_is_lost() {
    let shop = Shop::open().await;
    shop.bank().strike_notice(Rule::once(NoticeFault::Lost).times(5)).unwrap();
    let created = shop.create(json!({})).await;
    shop.bank().pay(number(&created)).unwrap();
    shop.payment_when(&created, |payment| payment["status"] == "succeeded").await;
    let silent = shop.bank().order_when(number(&created), |order| order.notices.len() == 5);
    timeout(PATIENCE, silent).await.expect("five tries");
    assert_eq!(shop.bank().stats().notices_sent, 0);
    shop.close().await;
}

/// All five tries come while nobody is there.
#[tokio::test]
async fn money_that_came_while_paymux_was_down_is_found() {
    let mut shop = Shop::open().await;
    let created = shop.create(json!({})).await;
    shop.down().await;
    shop.bank().pay(number(&created)).unwrap();
    let silent = shop.bank().order_when(number(&created), |order| order.notices.len() == 5);
    let order = timeout(PATIENCE, silent).await.expect("five tries");
    assert!(!order.is_acknowledged());
    shop.up().await;
    shop.payment_when(&created, |payment| payment["status"] == "succeeded").await;
    shop.close().await;
}

#[tokio::test]
async fn a_notification_of_another_sum_number_or_sender_books_nothing() {
    let shop = Shop::open().await;
    let created = shop.create(json!({})).await;
    let number = number(&created);
    for (patch, status) in [
        (json!({"total_fee": 1998}), 200),
        (json!({"total_fee": 2000}), 200),
        (json!({"fee_type": "THB"}), 200),
        (json!({"out_trade_no": "00000000000000000000000000000000"}), 200),
        (json!({"busi_id": "100000000000009"}), 400),
        (json!({"total_fee": null}), 400),
    ] {
        let answer = shop.notify(&notice(number, &patch)).await;
        assert_eq!((answer.status, answer.text.as_str()), (status, "FAIL"), "{patch}");
    }
    // Genuine and not paid, as FuFu itself says when it is asked: stored, and nothing more.
    let answer = shop.notify(&notice(number, &json!({"state": 0}))).await;
    assert_eq!((answer.status, answer.text.as_str()), (200, "SUCCESS"));
    let still = shop.payment_when(&created, |_| true).await;
    assert_eq!((&still["status"], &still["amount_received"]), (&json!("pending"), &json!(0)));
    for _ in 0..2 {
        let answer = shop.notify(&notice(number, &json!({}))).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, "SUCCESS"));
    }
    let paid = shop.payment_when(&created, |_| true).await;
    assert_eq!((&paid["status"], &paid["amount_received"]), (&json!("succeeded"), &json!(1999)));
    shop.close().await;
}

/// The till gets `processing`, and then the truth; FuFu saw one scan.
#[tokio::test]
async fn a_scan_whose_answer_is_lost_is_asked_about_and_never_sent_again() {
    let shop = Shop::open().await;
    shop.bank().strike_call(Rule::once(CallFault::CloseAfter).on("pay")).unwrap();
    let created = shop.create(json!({"method": "any.barcode", "payer": {"auth_code": AUTH_CODE}})).await;
    assert_eq!(
        (&created["status"], &created["attempts"][0]["state"]),
        (&json!("processing"), &json!("unknown"))
    );
    let paid = shop.payment_when(&created, |payment| payment["status"] == "succeeded").await;
    assert_eq!((&paid["amount_received"], paid["attempts"].as_array().unwrap().len()), (&json!(1999), 1));
    assert_eq!((shop.bank().orders().len(), shop.bank().stats().creates(number(&created))), (1, 1));
    let order = json!({"order_no": "A1001", "amount": 1999, "currency": "CNY", "method": "any.barcode",
        "subject": "A pot of tea", "payer": {"auth_code": AUTH_CODE}});
    let repeat = shop.http.post(SHOP, "/v1/payments", order).await;
    assert_eq!((repeat.status, &repeat.body), (200, &paid), "{}", repeat.text);
    assert_eq!(shop.bank().orders().len(), 1);
    shop.close().await;
}

#[tokio::test]
async fn what_nobody_pays_is_closed() {
    let shop = Shop::open().await;
    let created = shop.create(json!({})).await;
    let path = format!("/v1/payments/{}/cancel", created["id"].as_str().unwrap());
    let canceled = shop.http.post(SHOP, &path, "").await;
    assert_eq!((canceled.status, &canceled.body["status"]), (200, &json!("canceled")), "{}", canceled.text);
    assert_eq!(shop.bank().order(number(&created)).unwrap().state, OrderState::Closed);
    shop.close().await;
}
