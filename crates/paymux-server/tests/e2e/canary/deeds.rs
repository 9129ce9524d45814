//! Everything that a client, a provider and an operator do, well and badly; what is answered is kept.

use std::time::Duration;

use paymux_core::{Verb, WireRequest};
use paymux_sim::{CallFault, FaultEffect, NoticeFault, Rule};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::Haystack;
use super::scene::Scene;
use crate::http::Answer;
use crate::process::{Ended, PATIENCE, ended, paymux};
use crate::world::order;

impl Scene {
    /// Creates, repeats and reads, with what is wrong in each place where a secret can stand.
    pub(super) async fn merchant_deeds(&self, hay: &mut Haystack) {
        let secrets = &self.secrets;
        let mut barcode = order("A2");
        barcode["method"] = json!("wechat.barcode");
        barcode["payer"] = json!({"auth_code": secrets.barcode.text});
        let mut wrong = barcode.clone();
        wrong["payer"]["auth_code"] = json!(format!("{} ", secrets.barcode.text));
        let mut unknown = barcode.clone();
        unknown["auth_code"] = json!("x");
        for body in [barcode.clone(), barcode, wrong, unknown, json!([secrets.key.text.len()])] {
            hay.answer(self.http.post(&secrets.key.text, "/v1/payments", body).await);
        }
        for (key, order_no) in
            [(&secrets.old_key, "A3"), (&secrets.wrong_key, "A4"), (&secrets.wrong_key, "A4")]
        {
            hay.answer(self.http.post(&key.text, "/v1/payments", order(order_no)).await);
        }
        for path in ["/v1/payments", "/v1/events", "/v1/payments?cursor=x"] {
            hay.answer(self.http.get(&secrets.key.text, path).await);
        }
    }

    /// A payment paid and told of in every wrong way before the right one, its refund, and a call whose
    /// answer is lost.
    pub(super) async fn provider_deeds(&self, hay: &mut Haystack) {
        let bank = self.sim.bank();
        for bytes in ["{}", "not json", "{\"sign\":\"0\",\"transaction_id\":\"x\"}"] {
            let callback = WireRequest::new(Verb::Post, "/notify/bee").body("application/json", bytes);
            hay.answer(self.http.send("", callback).await.unwrap());
        }
        for fault in
            [NoticeFault::BadSignature, NoticeFault::RotatedSecret, NoticeFault::WrongAmount { amount: None }]
        {
            bank.strike_notice(Rule::once(fault)).unwrap();
        }
        let payment = self.paid("B1", hay).await;
        let path = format!("/v1/payments/{}", payment["id"].as_str().unwrap());
        for (refund_no, amount) in [("R1", 1), ("R2", 1_000_000)] {
            let body = json!({"refund_no": refund_no, "amount": amount});
            hay.answer(self.shop(&format!("{path}/refunds"), &body).await);
        }
        hay.answer(self.shop(&format!("{path}/cancel"), &json!({})).await);
        // The create's answer is lost, and so is that of the question after it.
        bank.strike_call(Rule::once(CallFault::Malformed).on("pay")).unwrap();
        let lost = self.shop("/v1/payments", &order("B2")).await;
        bank.strike_call(Rule::once(CallFault::Http500 { effect: FaultEffect::None }).on("list")).unwrap();
        let sync = format!("/v1/payments/{}/sync", lost.body["id"].as_str().unwrap());
        hay.answer(lost);
        hay.answer(self.shop(&sync, &json!({})).await);
        bank.clear_faults();
    }

    /// Looks and words with the operator's token and with another one.
    pub(super) async fn operator_deeds(&self, hay: &mut Haystack) {
        let secrets = &self.secrets;
        let unpaid = self.shop("/v1/payments", &order("C1")).await.body;
        let confirm = format!("/admin/api/payments/{}/confirm", unpaid["id"].as_str().unwrap());
        for amount in [1, 1999] {
            let word = json!({"amount": amount, "note": "seen on the bank's list"});
            hay.answer(self.admin.post(&secrets.admin.text, &confirm, word).await);
        }
        for token in [&secrets.wrong_key, &secrets.key, &secrets.admin] {
            for path in ["queue", "attempts?state=unknown", "callbacks", "audit"] {
                hay.answer(self.admin.get(&token.text, &format!("/admin/api/{path}")).await);
            }
            hay.answer(self.admin.get(&token.text, "/metrics").await);
        }
        hay.answer(self.http.get("", "/metrics").await);
    }

    /// The merchant's notices, one of which it refuses at first.
    pub(super) async fn told(&self, hay: &mut Haystack) {
        for notice in self.merchant.notices_once(3).await {
            hay.add("a notice", notice.body.to_string());
        }
    }

    /// What the other commands say of the ledger and of files with a mistake beside each secret.
    pub(super) async fn commands(&self, hay: &mut Haystack) {
        let file = self.file();
        let name = file.to_str().unwrap();
        for looks in [
            &["check"][..],
            &["doctor"],
            &["doctor", "--json"],
            &["reconcile", "--day", "2026-11-21"],
            &["explain", "--app", "shop", "--method", "wechat.native", "--amount", "5"],
        ] {
            let arguments = looks.iter().copied().chain(["-c", name]);
            hay.ended(&looks.join(" "), ended(arguments).await);
        }
        let text = std::fs::read_to_string(&file).unwrap();
        let key = format!("api_key = \"{}\"", self.secrets.key.text);
        let mistakes = [
            text.replace("admin_token = \"", "admin_token = \" "),
            text.replace("api_key = \"", "api_keys = \""),
            text.replace("whsec_", "whsec-"),
            text.replace("app_secret = \"", "app_secret = 7 # \""),
            text.replace("master_secret = \"", "master_secrets = \""),
            text.replace("[[routes]]", "[[routes"),
            text.replace(&key, "api_key = { env = \"CANARY\" }"),
        ];
        for (place, mistake) in mistakes.into_iter().enumerate() {
            assert_ne!(mistake, text, "mistake {place} was made");
            std::fs::write(&file, &mistake).unwrap();
            for command in ["check", "serve"] {
                let mut command = paymux([command, "-c", name]);
                command.env("CANARY", format!(" {} ", self.secrets.key.text));
                hay.ended(&format!("of mistake {place}"), Ended::of(command).await);
            }
        }
    }

    async fn shop(&self, path: &str, body: &Value) -> Answer {
        self.http.post(&self.secrets.key.text, path, body).await
    }

    /// A payment once its money is booked.
    async fn paid(&self, order_no: &str, hay: &mut Haystack) -> Value {
        let created = self.shop("/v1/payments", &order(order_no)).await;
        assert_eq!(created.status, 201, "{}", created.text);
        self.sim.bank().pay(created.body["provider_order_no"].as_str().unwrap()).unwrap();
        let path = format!("/v1/payments/{}", created.body["id"].as_str().unwrap());
        hay.answer(created);
        let paid = async {
            loop {
                let answer = self.http.get(&self.secrets.key.text, &path).await;
                if answer.body["status"] == "succeeded" {
                    return answer;
                }
                sleep(Duration::from_millis(10)).await;
            }
        };
        let paid = timeout(PATIENCE, paid).await.expect("paid");
        let payment = paid.body.clone();
        hay.answer(paid);
        payment
    }
}

impl Haystack {
    fn answer(&mut self, answer: Answer) {
        let place = self.0.len();
        self.add(format!("answer {place} ({})", answer.status), answer.text);
    }

    fn ended(&mut self, command: &str, ended: Ended) {
        self.add(format!("what `{command}` said"), ended.out + &ended.err);
    }
}
