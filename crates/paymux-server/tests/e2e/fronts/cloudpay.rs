//! A client of cloudpay, whose payments go to BeeCloud.
//!
//! Source: cloudpay's integration document.

use std::collections::BTreeMap;

use paymux_core::{Verb, WireRequest};
use paymux_server::plugins::Simulated;
use paymux_sim::{CallFault, Rule};
use serde_json::{Value, json};

use super::{Stand, encoded, md5};

const APPKEY: &str = "k8Zq2mT4";
const APPSECRET: &str = "s3cretOfTheShop0123456789";

async fn stand() -> Stand {
    let credentials = format!(
        "appkey = \"{APPKEY}\"\nappsecret = \"{APPSECRET}\"\nreturn_url = \"https://shop.example/paid\"\n\
         timeout_url = \"https://shop.example/late\""
    );
    Stand::open("cloudpay", &credentials, Simulated::BeeCloud, "success").await
}

/// The digest over those fields with nothing between them.
fn sign(fields: &[&str]) -> String {
    md5(&format!("{}{APPSECRET}", md5(&format!("{APPKEY}{}", fields.concat()))))
}

impl Stand {
    async fn create(&self, price: &str, out_order_id: &str, custom: &str) -> Value {
        let sign = sign(&[price, "alipay", out_order_id, custom]);
        self.create_signed([price, "alipay", out_order_id, custom, &sign]).await
    }

    async fn create_signed(&self, fields: [&str; 5]) -> Value {
        let names = ["price", "type", "out_order_id", "custom", "sign"];
        let pairs = names.iter().zip(fields).map(|(name, value)| format!("{name}={}", encoded(value)));
        let form: Vec<String> = std::iter::once(format!("appkey={APPKEY}")).chain(pairs).collect();
        let request = WireRequest::new(Verb::Post, "/api/cloudpay/create")
            .body("application/x-www-form-urlencoded", form.join("&"));
        let answer = self.http.send("", request).await.unwrap();
        assert_eq!(answer.status, 200, "{}", answer.text);
        answer.body
    }
}

/// The fields of a form.
fn read(form: &str) -> BTreeMap<String, String> {
    let decoded = |text: &str| {
        let mut bytes = text.bytes();
        let mut out = Vec::new();
        while let Some(byte) = bytes.next() {
            out.push(match byte {
                b'+' => b' ',
                b'%' => {
                    let pair = [bytes.next().unwrap(), bytes.next().unwrap()];
                    u8::from_str_radix(std::str::from_utf8(&pair).unwrap(), 16).unwrap()
                }
                byte => byte,
            });
        }
        String::from_utf8(out).unwrap()
    };
    let pair = |pair: &str| {
        let (name, value) = pair.split_once('=').unwrap();
        (decoded(name), decoded(value))
    };
    form.split('&').map(pair).collect()
}

/// Whether a notification is cloudpay's: seven fields, nothing between them, and the secret.
#[track_caller]
fn check_notice(form: &str, out_order_id: &str, custom: &str) {
    let fields = read(form);
    let names = ["order_id", "out_order_id", "price", "realprice", "type", "paytime", "extend"];
    let values: Vec<&str> = names.iter().map(|name| fields[*name].as_str()).collect();
    assert_eq!(fields["sign"], sign(&values), "{form}");
    assert_eq!(
        (values[1], values[2], values[3], values[4], values[6]),
        (out_order_id, "19.99", "19.99", "alipay", custom)
    );
}

#[tokio::test]
async fn an_order_has_a_page_is_paid_and_told_of() {
    let stand = stand().await;
    stand.hook.refuse(1);
    let created = stand.create("19.99", "1001/A", "table 7").await;
    assert_eq!(created["code"], 100, "{created}");
    assert_eq!(created["data"]["params"]["out_order_id"], "1001/A");
    let page = created["data"]["pay_url"].as_str().unwrap().to_owned();
    assert_eq!(created["data"]["qrcode_url"], json!(format!("{page}/qr.svg")));
    let path = page.strip_prefix(&format!("http://{}", stand.address)).unwrap();
    for path in [path, &format!("{path}/qr.svg")] {
        assert_eq!(stand.http.get("", path).await.status, 200, "{path}");
    }
    stand.bank().pay(&stand.upstream_number()).unwrap();
    for told in &stand.hook.told(2).await {
        check_notice(&told.body, "1001/A", "table 7");
    }
    assert_eq!(stand.http.get("", path).await.status, 303, "the browser goes on");
    let native = stand.native(&encoded("1001/A")).await;
    assert_eq!((&native["status"], &native["provider"]), (&json!("succeeded"), &json!("beecloud")));
    let repeat = stand.create("19.99", "1001/A", "table 7").await;
    assert_eq!(repeat["code"], 199, "paid is no refusal: {repeat}");
    stand.close(&[APPSECRET]).await;
}

#[tokio::test]
async fn an_open_outcome_is_never_a_refusal() {
    let stand = stand().await;
    stand.bank().strike_call(Rule::once(CallFault::CloseAfter).on("pay")).unwrap();
    let created = stand.create("19.99", "A1001", "").await;
    assert_eq!(created["code"], 199, "{created}");
    stand.bank().pay(&stand.upstream_number()).unwrap();
    check_notice(&stand.hook.told(1).await[0].body, "A1001", "");
    let taken = stand.create("0.01", "A1001", "").await;
    assert_eq!(taken["code"], 199, "{taken}");
    stand.upstream_number();
    stand.close(&[APPSECRET]).await;
}

/// Nothing stands between the signed fields: another number with another `custom` has the same digest.
#[tokio::test]
async fn a_captured_sign_fits_one_number() {
    let mut stand = stand().await;
    let captured = sign(&["19.99", "alipay", "A1001", "table"]);
    let created = stand.create_signed(["19.99", "alipay", "A1001", "table", &captured]).await;
    assert_eq!(created["code"], 100, "{created}");
    for _ in 0..2 {
        for (number, custom) in [("A1001t", "able"), ("A100", "1table"), ("A1001table", "")] {
            let refused = stand.create_signed(["19.99", "alipay", number, custom, &captured]).await;
            assert_eq!(refused["code"], 104, "{number}: {refused}");
        }
        let repeat = stand.create_signed(["19.99", "alipay", "A1001", "table", &captured]).await;
        assert_eq!((&repeat["code"], &repeat["data"]), (&json!(100), &created["data"]), "{repeat}");
        stand.restart().await;
    }
    stand.upstream_number();
    stand.close(&[APPSECRET, &captured]).await;
}
