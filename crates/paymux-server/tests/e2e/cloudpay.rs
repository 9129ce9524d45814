//! Payments over a simulated cloudpay: nothing can be asked there, so the notification tells, and where none comes
//! nobody knows.

use std::time::Duration;

use paymux_core::{Verb, WireRequest};
use paymux_server::plugins::Simulated;
use paymux_sign::Md5Text;
use paymux_sim::{Bank, CallFault, NoticeFault, NoticeOutcome, OrderView, Pay, Rule, SimAccount, SimConfig};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::http::Answer;
use crate::process::PATIENCE;
use crate::world::{SHOP, Sandbox, free_address, settings};

const FORM: &str = "application/x-www-form-urlencoded";

/// One gateway with two merchants, and a paymux whose channels they are.
pub(crate) struct Gateway {
    pub(crate) paymux: Sandbox,
    sim: paymux_sim::Running,
    merchants: [SimAccount; 2],
}

impl Gateway {
    pub(crate) async fn start() -> Self {
        Self::start_for("").await
    }

    /// With more in the table of the app, in which ADDRESS stands for where paymux listens.
    pub(crate) async fn start_for(app: &str) -> Self {
        // Each side has to know where the other will be.
        let listen = free_address().await;
        let mut merchants =
            ["cloud-a", "cloud-b"].map(|id| Simulated::CloudPay.account(id, fastrand::u64(..), None));
        let channels = merchants.each_ref().map(|merchant| {
            format!(
                "[[channels]]\nid = \"{}\"\nprovider = \"cloudpay\"\n[channels.settings]\n\
                 base_url = \"http://{listen}\"\n{}\n",
                merchant.key,
                settings(merchant)
            )
        });
        let text = format!(
            "[server]\nhttp = \"ADDRESS\"\n{}[[routes]]\nname = \"default\"\nstrategy = \"priority\"\n\
             channels = [\"cloud-a\", \"cloud-b\"]\nfailover = 1\n",
            channels.concat()
        );
        let paymux = Sandbox::start_for(&text, app).await;
        for merchant in &mut merchants {
            merchant.notify_url = Some(format!("http://{}/notify/{}", paymux.address, merchant.key));
            let back = format!("http://{}/return/{}", paymux.address, merchant.key);
            merchant.settings.insert("return_url".to_owned(), json!(back));
        }
        let config = SimConfig { listen, accounts: merchants.to_vec(), ..SimConfig::default() };
        let sim = Simulated::CloudPay.start(config).await.unwrap();
        Self { paymux, sim, merchants }
    }

    pub(crate) fn bank(&self) -> &Bank {
        self.sim.bank()
    }

    async fn create(&self, order_no: &str) -> Value {
        self.create_as(json!({"order_no": order_no})).await
    }

    /// With these fields set otherwise.
    pub(crate) async fn create_as(&self, patch: Value) -> Value {
        let mut order = json!({"amount": 1999, "currency": "CNY", "method": "alipay.native",
            "subject": "A pot of tea", "extra": {"custom": "table 7"}});
        let Value::Object(patch) = patch else { panic!("a patch is an object") };
        order.as_object_mut().unwrap().extend(patch);
        let created = self.paymux.http.post(SHOP, "/v1/payments", order).await;
        assert_eq!(created.status, 201, "{}", created.text);
        created.body
    }

    async fn payment(&self, created: &Value) -> Value {
        self.paymux.http.get(SHOP, &path_of(created, "")).await.body
    }

    /// The order of a payment's only attempt, once a notification of it was tried.
    pub(crate) async fn told(&self, created: &Value) -> OrderView {
        let number = created["provider_order_no"].as_str().unwrap();
        let told = self.bank().order_when(number, |order| !order.notices.is_empty());
        timeout(PATIENCE, told).await.expect("a notification")
    }

    /// A setting of the first merchant.
    fn text(&self, name: &str) -> &str {
        self.merchants[0].settings[name].as_str().unwrap()
    }

    /// A notification with these fields, signed here with the secret of the first merchant.
    async fn notify(&self, fields: [&str; 7]) -> Answer {
        self.notify_under(self.text("appsecret"), fields).await
    }

    /// The same under another secret.
    async fn notify_under(&self, secret: &str, fields: [&str; 7]) -> Answer {
        let inner = md5(&[&[self.text("appkey")][..], &fields[..]].concat());
        let sign = md5(&[&inner, secret]);
        let names = ["order_id", "out_order_id", "price", "realprice", "type", "paytime", "extend", "sign"];
        let pairs = names.iter().zip(fields.into_iter().chain([sign.as_str()]));
        let form: Vec<String> = pairs.map(|(name, value)| format!("{name}={value}")).collect();
        let request = WireRequest::new(Verb::Post, "/notify/cloud-a").body(FORM, form.join("&"));
        self.paymux.http.send("", request).await.unwrap()
    }

    /// Writes another secret into the file, and what stood before it; returns once that is in force.
    async fn change_secret(&self, current: &str, more: &str) {
        let config = async || self.paymux.http.get("", "/readyz").await.body["config"].clone();
        let before = config().await;
        let text = std::fs::read_to_string(&self.paymux.file).unwrap();
        let line = text.lines().find(|line| line.starts_with("appsecret = ")).unwrap();
        let is_rest = |line: &&str| !line.starts_with("appsecret_previous");
        let changed = text.replacen(line, &format!("appsecret = \"{current}\""), 1);
        let changed: Vec<&str> = changed.lines().filter(is_rest).collect();
        let changed = changed.join("\n");
        let (head, rest) = changed.split_once("[channels.settings]\n").unwrap();
        std::fs::write(&self.paymux.file, format!("{head}[channels.settings]\n{more}{rest}\n")).unwrap();
        self.paymux.process().send("HUP").await;
        let taken = async {
            while config().await == before {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, taken).await.expect("the file is taken");
    }

    pub(crate) async fn end(self) {
        assert_eq!(self.bank().stats().misreadings, 0);
        self.paymux.end().await;
        self.sim.stop().await;
    }
}

fn path_of(payment: &Value, more: &str) -> String {
    format!("/v1/payments/{}{more}", payment["id"].as_str().unwrap())
}

fn md5(parts: &[&str]) -> String {
    Md5Text::new().piece(parts.concat()).digest().to_hex().as_str().to_owned()
}

#[tokio::test]
async fn a_payment_is_opened_told_booked_and_led_back() {
    let gateway = Gateway::start().await;
    let created = gateway.create("A1001").await;
    let number = created["provider_order_no"].as_str().unwrap();
    assert_eq!((&created["status"], &created["channel"]), (&json!("pending"), &json!("cloud-a")));
    assert_eq!(created["next_action"], json!({"type": "qr", "qr": gateway.bank().pay_url(number).unwrap()}));
    let order = gateway.bank().order(number).unwrap();
    assert_eq!((order.amount, &order.echo), (1999, &json!("table 7")));

    gateway.bank().pay(number).unwrap();
    let told = gateway.told(&created).await;
    assert_eq!(told.notices[0].outcome, NoticeOutcome::Acknowledged, "exactly `success`");
    let paid = gateway.payment(&created).await;
    assert_eq!((&paid["status"], &paid["amount_received"]), (&json!("succeeded"), &json!(1999)));

    // The gateway's page leads on to ours, which shows what the ledger says.
    let page = gateway.bank().pay_url(number).unwrap();
    let page = page.strip_prefix(&gateway.sim.base_url()).unwrap();
    let page = crate::http::Http::new(&gateway.sim.base_url()).get("", page).await.text;
    let back = page.split("href=\"").nth(1).unwrap().split('"').next().unwrap().replace("&amp;", "&");
    let back = back.strip_prefix(&format!("http://{}", gateway.paymux.address)).unwrap();
    assert!(gateway.paymux.http.get("", back).await.text.contains("Payment received"));
    let forged = back.replace("sign=", "sign=0");
    assert!(gateway.paymux.http.get("", &forged).await.text.contains("being confirmed"));
    gateway.end().await;
}

#[tokio::test]
async fn what_really_came_in_is_booked() {
    for (amount, status, held) in [(1998, "pending", json!("underpaid")), (2000, "succeeded", Value::Null)] {
        let gateway = Gateway::start().await;
        let created = gateway.create("A1001").await;
        let pay = Pay { amount: Some(amount), ..Pay::default() };
        gateway.bank().pay_as(created["provider_order_no"].as_str().unwrap(), None, pay).unwrap();
        assert_eq!(gateway.told(&created).await.notices[0].outcome, NoticeOutcome::Acknowledged);
        let payment = gateway.payment(&created).await;
        assert_eq!((&payment["status"], &payment["held"]), (&json!(status), &held), "{payment}");
        assert_eq!(payment["attempts"][0]["received"], json!(amount), "{payment}");
        gateway.end().await;
    }
}

/// A new password of the back office makes a new secret: it is taken while everything runs, and what the old one has
/// signed is believed for as long as it is kept.
#[tokio::test]
async fn a_new_secret_is_taken_without_a_restart() {
    let gateway = Gateway::start().await;
    let mut numbers = Vec::new();
    for order_no in ["A1", "A2", "A3"] {
        let created = gateway.create(order_no).await;
        numbers.push((created["provider_order_no"].as_str().unwrap().to_owned(), created));
    }
    let tell = async |place: usize, secret: &str| {
        let (number, created) = &numbers[place];
        let fields = ["88001", number.as_str(), "19.99", "19.99", "alipay", "1709251200", ""];
        let answer = gateway.notify_under(secret, fields).await;
        (answer.text, gateway.payment(created).await["status"].as_str().unwrap().to_owned())
    };
    let told = |answer: &str, status: &str| (answer.to_owned(), status.to_owned());
    let (old, new) = (gateway.text("appsecret").to_owned(), "the-new-secret");
    assert_eq!(tell(0, new).await, told("fail", "pending"));
    gateway.change_secret(new, &format!("appsecret_previous = \"{old}\"\n")).await;
    assert_eq!(tell(0, &old).await, told("success", "succeeded"));
    assert_eq!(tell(1, new).await, told("success", "succeeded"));
    gateway.change_secret(new, "").await;
    assert_eq!(tell(2, &old).await, told("fail", "pending"));
    assert_eq!(tell(2, new).await, told("success", "succeeded"));
    gateway.end().await;
}

#[tokio::test]
async fn forged_shifted_and_foreign_notifications_book_nothing() {
    let gateway = Gateway::start().await;
    let created = gateway.create("A1001").await;
    let number = created["provider_order_no"].as_str().unwrap();
    for fault in [NoticeFault::BadSignature, NoticeFault::RotatedSecret, NoticeFault::OtherAccount] {
        gateway.bank().strike_notice(Rule::once(fault)).unwrap();
        let other = gateway.create(&format!("B{}", gateway.bank().orders().len())).await;
        gateway.bank().pay(other["provider_order_no"].as_str().unwrap()).unwrap();
        let told = gateway.told(&other).await;
        assert_eq!(told.notices[0].outcome, NoticeOutcome::NotAcknowledged { status: 200 });
        assert_eq!(gateway.payment(&other).await["status"], "pending");
    }
    let (first, rest) = number.split_at(1);
    let (longer, shorter) = (format!("2{number}"), format!("880012{first}"));
    for fields in [
        ["880012", number, "19.98", "19.98", "alipay", "1709251200", "table 7"],
        ["880012", number, "19.9", "919.99", "alipay", "1709251200", ""],
        ["880012", number, "19.99", "19.9", "9alipay", "1709251200", ""],
        ["880012", number, "19.99", "19.99", "wechat", "1709251200", ""],
        ["88001", longer.as_str(), "19.99", "19.99", "alipay", "1709251200", ""],
        ["880012", "00000000000000000000000000000000", "19.99", "19.99", "alipay", "1709251200", ""],
        [shorter.as_str(), rest, "19.99", "19.99", "alipay", "1709251200", ""],
    ] {
        let answer = gateway.notify(fields).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, "fail"), "{fields:?}");
        assert_eq!(gateway.payment(&created).await["status"], "pending", "{fields:?}");
    }
    for _ in 0..2 {
        let right = ["880012", number, "19.99", "19.99", "alipay", "1709251200", "anything"];
        assert_eq!(gateway.notify(right).await.text, "success");
    }
    let paid = gateway.payment(&created).await;
    assert_eq!((&paid["status"], &paid["amount_received"]), (&json!("succeeded"), &json!(1999)));
    assert_eq!(paid["provider_trade_no"], "880012");
    gateway.end().await;
}

/// Nobody holds the page of a create whose answer was lost, and nothing can be asked: the next merchant takes the
/// payment under another number. Money that comes for the first all the same is booked.
#[tokio::test]
async fn a_lost_create_is_given_up_and_its_late_money_is_booked() {
    let gateway = Gateway::start().await;
    gateway.bank().strike_call(Rule::once(CallFault::CloseAfter).on("pay")).unwrap();
    let created = gateway.create("A1001").await;
    assert_eq!(
        (&created["status"], &created["channel"]),
        (&json!("pending"), &json!("cloud-b")),
        "{created}"
    );
    let states =
        created["attempts"].as_array().unwrap().iter().map(|attempt| attempt["state"].as_str().unwrap());
    assert_eq!(states.collect::<Vec<_>>(), ["abandoned", "open"]);
    let numbers: Vec<&str> = created["attempts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|attempt| attempt["provider_order_no"].as_str().unwrap())
        .collect();
    assert_ne!(numbers[0], numbers[1]);
    gateway.bank().pay(numbers[0]).unwrap();
    let paid = async {
        while gateway.payment(&created).await["status"] != "succeeded" {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, paid).await.expect("the late money is booked");
    gateway.end().await;
}

#[tokio::test]
async fn a_refusal_of_one_merchant_lets_the_next_one_try_and_one_of_the_order_does_not() {
    for (code, channel, status) in
        [(204, "cloud-b", "pending"), (104, "cloud-b", "pending"), (201, "cloud-a", "failed")]
    {
        let gateway = Gateway::start().await;
        let fault = CallFault::Code { code, effect: paymux_sim::FaultEffect::None };
        gateway.bank().strike_call(Rule::once(fault).on("pay")).unwrap();
        let created = gateway.create("A1001").await;
        assert_eq!(
            (&created["status"], &created["channel"]),
            (&json!(status), &json!(channel)),
            "{code}: {created}"
        );
        if status == "failed" {
            assert_eq!(created["failure"]["provider_code"], code.to_string());
        }
        gateway.end().await;
    }
}

#[tokio::test]
async fn what_the_gateway_has_not_is_said() {
    let gateway = Gateway::start().await;
    let created = gateway.create("A1001").await;
    let canceled = gateway.paymux.http.post(SHOP, &path_of(&created, "/cancel"), "").await;
    assert_eq!((canceled.status, &canceled.body["code"]), (422, &json!("unsupported")), "{}", canceled.text);
    gateway.bank().pay(created["provider_order_no"].as_str().unwrap()).unwrap();
    gateway.told(&created).await;
    let refund = json!({"refund_no": "R1", "amount": 1, "reason": "too sweet"});
    let refused = gateway.paymux.http.post(SHOP, &path_of(&created, "/refunds"), refund).await;
    assert_eq!((refused.status, &refused.body["code"]), (422, &json!("unsupported")), "{}", refused.text);
    gateway.end().await;
}
