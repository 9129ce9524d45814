//! Everything that a client, a provider and an operator do, well and badly; what is answered is kept.

use std::time::Duration;

use paymux_core::{Verb, WireRequest};
use paymux_sim::{CallFault, FaultEffect, NoticeFault, Rule};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use super::Haystack;
use super::scene::{Scene, Secrets};
use crate::database::in_url;
use crate::http::Answer;
use crate::process::{Ended, PATIENCE, ended, paymux};
use crate::world::{day_of, order};

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

    /// Creates that name their payer, well and badly.
    pub(super) async fn payer_deeds(&self, hay: &mut Haystack) {
        let Secrets { openid, payer_id, payer_ip, .. } = &self.secrets;
        let mut good = order("P1");
        good["method"] = json!("wechat.jsapi");
        good["payer"] = json!({"openid": openid.text, "id": payer_id.text, "ip": payer_ip.text});
        let created = self.shop("/v1/payments", &good).await;
        assert_eq!(created.status, 201, "{}", created.text);
        hay.answer(created);
        hay.answer(self.shop("/v1/payments", &good).await);
        for (field, canary) in [("openid", openid), ("id", payer_id), ("ip", payer_ip), ("region", payer_ip)]
        {
            let mut wrong = good.clone();
            wrong["payer"][field] = json!(format!("{} x", canary.text));
            let refused = self.shop("/v1/payments", &wrong).await;
            assert_eq!(refused.status, 400, "{}", refused.text);
            hay.answer(refused);
        }
        good["payer"]["openid"] = json!(format!("{}x", openid.text));
        hay.answer(self.shop("/v1/payments", &good).await);
    }

    /// Creates under a key: a new one, the same, another request, and a key that is none.
    pub(super) async fn keyed_deeds(&self, hay: &mut Haystack) {
        let key = &self.secrets.idempotency.text;
        let (long, other) = (format!("{key}{}", "x".repeat(255)), order("K2"));
        let deeds = [
            (key, order("K1"), 201),
            (key, order("K1"), 200),
            (key, other.clone(), 422),
            (&long, other, 400),
        ];
        for (key, body, status) in deeds {
            let request =
                WireRequest::new(Verb::Post, "/v1/payments").header("idempotency-key", key.as_str());
            let request = request.body("application/json", body.to_string());
            let answer = self.http.send(&self.secrets.key.text, request).await.unwrap();
            assert_eq!(answer.status, status, "{}", answer.text);
            hay.answer(answer);
        }
    }

    /// Payouts: done, lost, repeated, and with the payee in every place where it is refused.
    pub(super) async fn payout_deeds(&self, hay: &mut Haystack) {
        let payee = &self.secrets.payee.text;
        let body = |transfer_no: &str, patch: Value| {
            let mut body = json!({
                "transfer_no": transfer_no, "amount": 300, "currency": "CNY", "product": "wallet",
                "payee": {"account": payee}, "channel": "box", "reason": "sandbox:done",
            });
            body.as_object_mut().unwrap().extend(patch.as_object().unwrap().clone());
            body
        };
        let wrong = [
            ("T1", json!({"payee": {"account": format!("{payee}x")}})),
            ("T3", json!({"amount": 1001})),
            ("T4", json!({"payee": {"acount": payee}})),
            ("T4", json!({"payee": payee})),
            ("T4", json!({"payee": {"account": payee, "more": [payee]}})),
            ("T4", json!({"product": payee})),
            ("T4", json!({"channel": "bee"})),
        ];
        let good = [("T1", json!({})), ("T1", json!({})), ("T2", json!({"reason": "sandbox:lost"}))];
        for (transfer_no, patch) in good.into_iter().chain(wrong) {
            hay.answer(self.shop("/v1/transfers", &body(transfer_no, patch)).await);
        }
        let key = &self.secrets.key.text;
        let lost = self.http.get(key, "/v1/transfers?transfer_no=T2").await;
        let id = lost.body["data"][0]["id"].as_str().unwrap().to_owned();
        hay.answer(lost);
        hay.answer(self.http.get(key, &format!("/v1/transfers/{id}")).await);
        hay.answer(self.shop(&format!("/v1/transfers/{id}/sync"), &json!({})).await);
        let word = json!({"outcome": "paid", "amount": 300, "note": "seen on the bank's list"});
        let resolve = format!("/admin/api/transfers/{id}/resolve");
        hay.answer(self.admin.post(&self.secrets.admin.text, &resolve, word).await);
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

    /// What the other commands say of the ledger, of files with a mistake beside each secret, and of a database
    /// that cannot be dialled.
    pub(super) async fn commands(&self, hay: &mut Haystack) {
        let file = self.file();
        let name = file.to_str().unwrap();
        let day = self.day().await;
        // An operator's word has booked what the provider has not: that is a difference.
        for (looks, code) in [
            (&["check"][..], 0),
            (&["check", "--json"], 0),
            (&["doctor"], 0),
            (&["doctor", "--json"], 0),
            (&["reconcile", "--day", &day], 1),
            (&["reconcile", "--day", &day, "--json"], 1),
        ] {
            let arguments = looks.iter().copied().chain(["-c", name]);
            hay.ended(&looks.join(" "), ended(arguments).await, code);
        }
        let text = std::fs::read_to_string(&file).unwrap();
        let key = format!("api_key = \"{}\"", self.secrets.key.text);
        let password = &self.secrets.password.text;
        let mistakes = [
            text.replace("admin_token = \"", "admin_token = \" "),
            text.replace("api_key = \"", "api_keys = \""),
            text.replace("whsec_", "whsec-"),
            text.replace("app_secret = \"", "app_secret = 7 # \""),
            text.replace("master_secret = \"", "master_secrets = \""),
            text.replace("[[routes]]", "[[routes"),
            text.replace(&key, "api_key = { env = \"CANARY\" }"),
            text.replace(&self.store(), &format!("mysql://paymux:{}@127.0.0.1/books", in_url(password))),
        ];
        for (place, mistake) in mistakes.into_iter().enumerate() {
            assert_ne!(mistake, text, "mistake {place} was made");
            for command in ["check", "serve"] {
                self.one_more(&mistake, command, 1, hay).await;
            }
        }
        for address in ["127.0.0.1:1/books", "no-such-host.invalid/books"] {
            let away = format!("postgres://paymux:{}@{address}", in_url(password));
            let unreachable = text.replace(&self.store(), &away);
            assert_ne!(unreachable, text);
            for (command, code) in [("serve", 3), ("doctor", 2)] {
                self.one_more(&unreachable, command, code, hay).await;
            }
        }
    }

    /// Runs a command on a file with that text.
    async fn one_more(&self, text: &str, command: &str, code: i32, hay: &mut Haystack) {
        let file = self.folder.path().join("another.toml");
        std::fs::write(&file, text).unwrap();
        let mut child = paymux([command, "-c", file.to_str().unwrap()]);
        // So that what cannot be reached is all that is wrong.
        child.env("PAYMUX__SERVER__HTTP", "127.0.0.1:0").env("PAYMUX__SERVER__ADMIN", "127.0.0.1:0");
        child.env("CANARY", format!(" {} ", self.secrets.key.text));
        hay.ended(&format!("{command}` of another file, `{code}"), Ended::of(child).await, code);
    }

    /// The day in China on which all of it happens.
    async fn day(&self) -> String {
        let list = self.http.get(&self.secrets.key.text, "/v1/payments").await.body;
        day_of(&list["data"][0])
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
        let place = self.said.len();
        self.add(format!("answer {place} ({})", answer.status), answer.text);
    }

    fn ended(&mut self, command: &str, ended: Ended, code: i32) {
        assert_eq!(ended.code, Some(code), "`{command}` said: {}{}", ended.out, ended.err);
        self.add(format!("what `{command}` said"), ended.out + &ended.err);
    }
}
