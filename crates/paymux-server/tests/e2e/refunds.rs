//! Money on its way out, on either database: parts of a payment go back and no more than came in, each
//! with its notice; a payout; an operator's word; and all of it kept over a restart.
//!
//! The sandbox plays the provider: what a refund does stands in its `reason`.

use std::net::SocketAddr;
use std::time::Duration;

use paymux_core::{Verb, WireRequest};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::database::{Database, Kind};
use crate::http::{Answer, Http};
use crate::merchant::{Merchant, Notice};
use crate::process::{PATIENCE, Running, paymux};
use crate::world::{NOTIFY_SECRET, OTHER, SHOP, free_address, order, ready};

/// The operator's token.
const OPERATOR: &str = "operator-0123456789abcdef";

#[tokio::test]
async fn go_back_in_parts_and_never_above_what_came_in_on_sqlite() {
    parts(Kind::Sqlite).await;
}

#[tokio::test]
async fn go_back_in_parts_and_never_above_what_came_in_on_postgres() {
    parts(Kind::Postgres).await;
}

async fn parts(kind: Kind) {
    let mut stage = Stage::start(kind).await;
    let payment = stage.paid("A1001").await;

    let first = stage.refund(&payment, "R1", 700, "sandbox:done").await;
    assert_eq!((first.status, &first.body["status"]), (201, &json!("succeeded")), "{}", first.text);
    let second = stage.refund(&payment, "R2", 300, "sandbox:unknown").await;
    assert_eq!((second.status, &second.body["status"]), (201, &json!("unknown")), "{}", second.text);
    let second = stage.synced(&second).await;
    let third = stage.refund(&payment, "R3", 1000, "sandbox:done").await;
    assert_eq!((third.status, &third.body["code"]), (422, &json!("refund_too_large")), "{}", third.text);
    assert_eq!(third.body["amount_left"], 999);

    let waiting = stage.refund(&payment, "R4", 900, "sandbox:pending").await;
    assert_eq!((waiting.status, &waiting.body["status"]), (201, &json!("pending")), "{}", waiting.text);
    let fifth = stage.refund(&payment, "R5", 100, "sandbox:done").await;
    assert_eq!((fifth.status, &fifth.body["amount_left"]), (422, &json!(99)), "{}", fifth.text);
    stage.operator_says("refunds", &waiting.body, "paid", 900).await;

    let seen = stage.http.get(SHOP, &path(&payment)).await.body;
    assert_eq!((&seen["status"], &seen["amount"]), (&json!("succeeded"), &json!(1999)));
    assert_eq!((&seen["amount_refunded"], &seen["attempts"][0]["refunded"]), (&json!(1900), &json!(1900)));
    let list = stage.http.get(SHOP, &format!("{}/refunds", path(&payment))).await.body;
    let numbers: Vec<&Value> = list["data"].as_array().unwrap().iter().map(|r| &r["refund_no"]).collect();
    assert_eq!(numbers, ["R1", "R2", "R4"], "what was too large was never stored");
    assert_eq!(list["data"][1], second);

    let notices = stage.merchant.notices_once(4).await;
    check_notices(&notices, &payment);
    check_events(&stage, &notices).await;
    strangers(&stage, &payment, &first.body).await;
    stage.restart().await;
    kept(&stage, &payment, &first.body, &list).await;
    stage.end().await;
}

/// One notice for the payment and for each refund that is done, each told once, in a sequence.
fn check_notices(notices: &[Notice], payment: &Value) {
    let mut told: Vec<(i64, String, Value)> = notices
        .iter()
        .map(|notice| {
            let (kind, data) = (notice.body["type"].as_str().unwrap(), &notice.body["data"]);
            (data["sequence"].as_i64().unwrap(), kind.to_owned(), data["refund_no"].clone())
        })
        .collect();
    told.sort_by_key(|(sequence, ..)| *sequence);
    let refund = |sequence, no: &str| (sequence, "refund.succeeded".to_owned(), json!(no));
    let want =
        [(1, "payment.succeeded".to_owned(), Value::Null), refund(2, "R1"), refund(3, "R2"), refund(4, "R4")];
    assert_eq!(told, want);
    let refunds = notices.iter().filter(|notice| notice.body["type"] == "refund.succeeded");
    for Notice { body, .. } in refunds {
        assert_eq!(
            (&body["data"]["payment"], &body["data"]["status"]),
            (&payment["id"], &json!("succeeded"))
        );
    }
}

/// The list of events tells the same as the notices, and that they were taken.
async fn check_events(stage: &Stage, notices: &[Notice]) {
    let looking = async {
        loop {
            let list = stage.http.get(SHOP, "/v1/events").await.body;
            let events = list["data"].as_array().unwrap().clone();
            if events.len() == 4 && events.iter().all(|event| event["delivery"]["state"] == "delivered") {
                return events;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    let events = timeout(PATIENCE, looking).await.expect("all notices are noted as taken");
    for event in events {
        let notice = notices.iter().find(|notice| event["id"] == notice.id.as_str()).unwrap();
        assert_eq!((&event["type"], &event["data"]), (&notice.body["type"], &notice.body["data"]));
        assert_eq!(event["delivery"]["tries"], 1);
    }
}

/// Another app sees nothing of it.
async fn strangers(stage: &Stage, payment: &Value, refund: &Value) {
    let found = format!("/v1/refunds/{}", refund["id"].as_str().unwrap());
    let of_payment = format!("{}/refunds", path(payment));
    for path in [&found, &of_payment] {
        let answer = stage.http.get(OTHER, path).await;
        assert_eq!((answer.status, &answer.body["code"]), (404, &json!("not_found")), "{}", answer.text);
    }
    assert_eq!(stage.http.get(OTHER, "/v1/refunds?refund_no=R1").await.body["data"], json!([]));
    assert_eq!(stage.http.get(OTHER, "/v1/events").await.body["data"], json!([]));
}

/// After a restart: the same refunds, the same answers to repeats, the same keys.
async fn kept(stage: &Stage, payment: &Value, first: &Value, list: &Value) {
    assert_eq!(stage.http.get(SHOP, &format!("{}/refunds", path(payment))).await.body, *list);
    let again = stage.refund(payment, "R1", 700, "sandbox:done").await;
    assert_eq!((again.status, &again.body), (200, first), "{}", again.text);
    let other = stage.refund(payment, "R1", 701, "sandbox:done").await;
    assert_eq!((other.status, &other.body["code"]), (422, &json!("refund_mismatch")), "{}", other.text);
    let audit = stage.operator.get(OPERATOR, "/admin/api/audit").await.body;
    assert_eq!(
        (&audit["data"][0]["operator"], &audit["data"][0]["action"]),
        (&json!("root"), &json!("refund.resolve"))
    );
    assert_eq!(audit["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_payout_is_made_once_and_an_operator_ends_an_unknown_one_on_sqlite() {
    payouts(Kind::Sqlite).await;
}

#[tokio::test]
async fn a_payout_is_made_once_and_an_operator_ends_an_unknown_one_on_postgres() {
    payouts(Kind::Postgres).await;
}

async fn payouts(kind: Kind) {
    let mut stage = Stage::start(kind).await;
    let made = stage.transfer("T1", 300, "sandbox:done").await;
    assert_eq!((made.status, &made.body["status"]), (201, &json!("succeeded")), "{}", made.text);
    assert_eq!(made.body["payee"], json!({"account": "****2345"}));
    let lost = stage.transfer("T2", 400, "sandbox:lost").await;
    assert_eq!((lost.status, &lost.body["status"]), (201, &json!("unknown")), "{}", lost.text);
    let above = stage.transfer("T3", 1001, "sandbox:done").await;
    assert_eq!((above.status, &above.body["code"]), (422, &json!("transfer_too_large")), "{}", above.text);
    stage.operator_says("transfers", &lost.body, "paid", 400).await;
    let kinds: Vec<Value> =
        stage.merchant.notices_once(2).await.iter().map(|notice| notice.body["type"].clone()).collect();
    assert_eq!(kinds, ["transfer.succeeded", "transfer.succeeded"]);

    stage.restart().await;
    let again = stage.transfer("T1", 300, "sandbox:done").await;
    assert_eq!((again.status, &again.body), (200, &made.body), "{}", again.text);
    stage.end().await;
}

#[tokio::test]
async fn a_key_stands_for_its_request_over_a_restart_on_sqlite() {
    keys(Kind::Sqlite).await;
}

#[tokio::test]
async fn a_key_stands_for_its_request_over_a_restart_on_postgres() {
    keys(Kind::Postgres).await;
}

async fn keys(kind: Kind) {
    let mut stage = Stage::start(kind).await;
    let first = stage.keyed("k1", &order("A1001")).await;
    assert_eq!(first.status, 201, "{}", first.text);
    stage.restart().await;
    let again = stage.keyed("k1", &order("A1001")).await;
    assert_eq!((again.status, &again.body["id"]), (200, &first.body["id"]), "{}", again.text);
    let other = stage.keyed("k1", &order("A1002")).await;
    assert_eq!((other.status, &other.body["code"]), (422, &json!("idempotency_mismatch")), "{}", other.text);
    assert_eq!(stage.http.get(SHOP, "/v1/payments").await.body["data"].as_array().unwrap().len(), 1);
    stage.end().await;
}

/// A paymux with a sandbox, a merchant who takes notices, and an operator.
struct Stage {
    merchant: Merchant,
    database: Database,
    folder: tempfile::TempDir,
    http: Http,
    operator: Http,
    paymux: Option<Running>,
}

impl Stage {
    async fn start(kind: Kind) -> Self {
        let merchant = Merchant::open(NOTIFY_SECRET).await;
        let database = Database::create(kind).await;
        let folder = tempfile::tempdir().unwrap();
        let (address, admin) = (free_address().await, free_address().await);
        let text = configuration(address, admin, &database.url(), &merchant.url());
        std::fs::write(folder.path().join("paymux.toml"), text).unwrap();
        let http = Http::new(&format!("http://{address}"));
        let operator = Http::new(&format!("http://{admin}"));
        let mut stage = Self { merchant, database, folder, http, operator, paymux: None };
        stage.up().await;
        stage
    }

    async fn up(&mut self) {
        let file = self.folder.path().join("paymux.toml");
        let mut command = paymux(["serve", "-c", file.to_str().unwrap()]);
        command.env("PAYMUX_LOG", "off");
        let mut process = Running::start(command);
        ready(&mut process, &self.http).await;
        self.paymux = Some(process);
    }

    async fn down(&mut self) {
        let process = self.paymux.take().unwrap();
        assert_eq!(process.signal("TERM").await, Some(0), "an orderly end");
    }

    async fn restart(&mut self) {
        self.down().await;
        self.up().await;
    }

    async fn end(mut self) {
        self.down().await;
        self.database.drop().await;
    }

    /// A payment of 19.99 that has its money.
    async fn paid(&self, order_no: &str) -> Value {
        let created = self.http.post(SHOP, "/v1/payments", order(order_no)).await;
        assert_eq!(created.status, 201, "{}", created.text);
        let path = format!("/sandbox/box/pay/{}", created.body["provider_order_no"].as_str().unwrap());
        let paid = self.operator.post(OPERATOR, &path, "").await;
        assert_eq!((paid.status, &paid.body["status"]), (200, &json!("succeeded")), "{}", paid.text);
        paid.body
    }

    async fn refund(&self, payment: &Value, refund_no: &str, amount: i64, reason: &str) -> Answer {
        let body = json!({"refund_no": refund_no, "amount": amount, "reason": reason});
        self.http.post(SHOP, &format!("{}/refunds", path(payment)), body).await
    }

    /// The refund after its provider was asked for it.
    async fn synced(&self, refund: &Answer) -> Value {
        let path = format!("/v1/refunds/{}/sync", refund.body["id"].as_str().unwrap());
        let synced = self.http.post(SHOP, &path, "").await;
        assert_eq!((synced.status, &synced.body["status"]), (200, &json!("succeeded")), "{}", synced.text);
        synced.body
    }

    async fn transfer(&self, transfer_no: &str, amount: i64, reason: &str) -> Answer {
        let body = json!({
            "transfer_no": transfer_no, "amount": amount, "currency": "CNY", "product": "wallet",
            "payee": {"account": "ada-lovelace-12345"}, "channel": "box", "reason": reason,
        });
        self.http.post(SHOP, "/v1/transfers", body).await
    }

    /// An operator's word, twice: it has one effect.
    async fn operator_says(&self, kind: &str, object: &Value, outcome: &str, amount: i64) {
        let path = format!("/admin/api/{kind}/{}/resolve", object["id"].as_str().unwrap());
        let word = json!({"outcome": outcome, "amount": amount, "note": "seen on the bank's list"});
        for _ in 0..2 {
            let said = self.operator.post(OPERATOR, &path, &word).await;
            assert_eq!((said.status, &said.body["status"]), (200, &json!("succeeded")), "{}", said.text);
        }
    }

    /// A create under an `Idempotency-Key`.
    async fn keyed(&self, key: &str, body: &Value) -> Answer {
        let request = WireRequest::new(Verb::Post, "/v1/payments").body("application/json", body.to_string());
        self.http.send(SHOP, request.header("idempotency-key", key)).await.unwrap()
    }
}

fn path(payment: &Value) -> String {
    format!("/v1/payments/{}", payment["id"].as_str().unwrap())
}

fn configuration(address: SocketAddr, admin: SocketAddr, store: &str, hook: &str) -> String {
    format!(
        r#"
[server]
http = "{address}"
admin = "{admin}"
admin_token = "{OPERATOR}"
test_mode = true
[store]
url = "{store}"
[outbound]
allow_private_addresses = true
[sweeper]
interval_ms = 100
[[apps]]
id = "shop"
api_key = "{SHOP}"
notify_url = "{hook}"
notify_secret = "{NOTIFY_SECRET}"
scopes = ["payments", "refunds", "transfers"]
transfer_amount_max = 1000
[[apps]]
id = "other"
api_key = "{OTHER}"
[[channels]]
id = "box"
provider = "sandbox"
[[routes]]
name = "test"
strategy = "priority"
channels = ["box"]
"#
    )
}
