//! Secrets leave no trace: every secret of a running paymux is a canary, everything that can go wrong
//! does, and then all that it said anywhere is searched for them, in every dress.

use std::fmt::Write as _;
use std::fs::File;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use paymux_core::{Verb, WireRequest};
use paymux_server::plugins::Simulated;
use paymux_sim::SimConfig;
use serde_json::json;
use tokio::process::Child;
use tokio::time::{sleep, timeout};

use crate::http::Http;
use crate::merchant::Merchant;
use crate::process::{PATIENCE, ended, paymux};
use crate::world::{free_address, order};

/// A secret under its name.
struct Canary {
    name: &'static str,
    text: String,
}

impl Canary {
    fn new(name: &'static str, prefix: &str) -> Self {
        let digits = std::iter::repeat_with(fastrand::alphanumeric).take(30);
        Self { name, text: format!("{prefix}{}", digits.collect::<String>()) }
    }

    /// Digits, as a payer's barcode has them.
    fn digits(name: &'static str, prefix: &str) -> Self {
        let digits = std::iter::repeat_with(|| fastrand::digit(10)).take(16);
        Self { name, text: format!("{prefix}{}", digits.collect::<String>()) }
    }

    /// The secret as it is, in hexadecimal, and as it looks inside of anything in base64.
    fn dresses(&self) -> Vec<String> {
        let bytes = self.text.as_bytes();
        let hex = digits_of(bytes, "");
        let escaped = digits_of(bytes, "%").to_uppercase();
        let upper = hex.to_uppercase();
        let inside = (0..3).map(|skip| base64_of(&bytes[skip..skip + (bytes.len() - skip) / 3 * 3]));
        let urlsafe = inside.clone().map(|text| text.replace('+', "-").replace('/', "_"));
        [self.text.clone(), hex, upper, escaped].into_iter().chain(inside.clone()).chain(urlsafe).collect()
    }
}

/// Each byte as two hexadecimal digits after `mark`.
fn digits_of(bytes: &[u8], mark: &str) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{mark}{byte:02x}");
        text
    })
}

/// Base64 of whole triples.
fn base64_of(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let sextets = |triple: &[u8]| {
        let word = u32::from(triple[0]) << 16 | u32::from(triple[1]) << 8 | u32::from(triple[2]);
        [18, 12, 6, 0].map(|shift| char::from(ALPHABET[usize::try_from(word >> shift & 63).unwrap()]))
    };
    bytes.chunks_exact(3).flat_map(sextets).collect()
}

#[test]
fn a_canary_is_seen_in_every_dress() {
    let canary = Canary { name: "test", text: "abcdefghijkl".to_owned() };
    let seen = |text: &str| canary.dresses().iter().any(|dress| text.contains(dress.as_str()));
    assert!(seen("x abcdefghijkl y"));
    assert!(seen("6162636465666768696a6b6c"));
    assert!(seen("%61%62%63%64%65%66%67%68%69%6A%6B%6C"));
    // "abcdefghijkl", "1abcdefghijkl" and "12abcdefghijkl" in base64.
    for text in ["YWJjZGVmZ2hpamts", "MWFiY2RlZmdoaWprbA==", "MTJhYmNkZWZnaGlqa2w="] {
        assert!(seen(text), "{text}");
    }
    assert!(!seen("abcdefghijk"));
}

/// What is searched: where it comes from, and its bytes.
#[derive(Default)]
struct Haystack(Vec<(String, Vec<u8>)>);

impl Haystack {
    fn add(&mut self, from: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.0.push((from.into(), bytes.into()));
    }

    fn add_file(&mut self, path: &Path) {
        self.add(path.display().to_string(), std::fs::read(path).unwrap());
    }

    fn search(&self, canaries: &[Canary]) {
        for canary in canaries {
            for dress in canary.dresses() {
                for (from, bytes) in &self.0 {
                    let found = bytes.windows(dress.len()).any(|window| window == dress.as_bytes());
                    assert!(!found, "{} stands in {from} as `{dress}`", canary.name);
                }
            }
        }
    }
}

struct Secrets {
    key: Canary,
    old_key: Canary,
    admin: Canary,
    wrong_key: Canary,
    barcode: Canary,
    others: Vec<Canary>,
}

#[tokio::test]
async fn no_secret_is_ever_said() {
    let secrets = Secrets {
        key: Canary::new("api_key", "pmx_"),
        old_key: Canary::new("api_key_previous", "pmx_"),
        admin: Canary::new("admin_token", "adm_"),
        wrong_key: Canary::new("a key that is not ours", "pmx_"),
        barcode: Canary::digits("auth_code", "13"),
        others: Vec::new(),
    };
    run(secrets).await;
}

async fn run(mut secrets: Secrets) {
    let folder = tempfile::tempdir().unwrap();
    let account = Simulated::BeeCloud.account("bee", fastrand::u64(..), None);
    let settings: Vec<String> =
        account.settings.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    for (key, value) in &account.settings {
        if key.contains("secret") {
            let text = value.as_str().expect("a secret is text").to_owned();
            secrets.others.push(Canary { name: "a provider's secret", text });
        }
    }
    assert!(secrets.others.len() >= 2, "the account has secrets");
    let sim = Simulated::BeeCloud
        .start(SimConfig { accounts: vec![account.clone()], ..SimConfig::default() })
        .await
        .unwrap();
    let key_bytes: Vec<u8> = std::iter::repeat_with(|| fastrand::u8(..)).take(30).collect();
    let notify = base64_of(&key_bytes);
    let merchant = Merchant::open(&format!("whsec_{notify}")).await;
    secrets.others.push(Canary { name: "notify_secret", text: notify.clone() });

    let address = free_address().await;
    let admin_address = free_address().await;
    let file = folder.path().join("paymux.toml");
    let text = format!(
        r#"
[server]
http = "{address}"
admin = "{admin_address}"
admin_token = "{}"
[store]
url = "sqlite://{}/books.db"
[outbound]
allow_private_addresses = true
[sweeper]
interval_ms = 100
[[apps]]
id = "shop"
api_key = "{}"
api_key_previous = "{}"
notify_url = "{}"
notify_secret = "whsec_{notify}"
[[channels]]
id = "bee"
provider = "beecloud"
[channels.settings]
base_url = "{}"
{}
[[routes]]
name = "default"
strategy = "priority"
channels = ["bee"]
"#,
        secrets.admin.text,
        folder.path().display(),
        secrets.key.text,
        secrets.old_key.text,
        merchant.url(),
        sim.base_url(),
        settings.join("\n"),
    );
    std::fs::write(&file, &text).unwrap();

    let mut hay = Haystack::default();
    let (out, err) = (folder.path().join("out.log"), folder.path().join("err.log"));
    let mut process = loud(&file, &out, &err);
    let http = Http::new(&format!("http://{address}"));
    let admin = Http::new(&format!("http://{admin_address}"));
    ready(&mut process, &http).await;
    use_and_misuse(&http, &admin, &secrets, &sim, &mut hay).await;
    let told = async {
        while merchant.notices().is_empty() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, told).await.expect("the merchant is told");
    for notice in merchant.notices() {
        hay.add("a notice", notice.body.to_string());
    }
    stop(process).await;
    bad_files(&file, &text, &mut hay).await;

    let log = std::fs::read_to_string(&err).unwrap() + &std::fs::read_to_string(&out).unwrap();
    assert!(log.contains("DEBUG") && log.len() > 10_000, "the log says much: {} bytes", log.len());
    hay.add_file(&out);
    hay.add_file(&err);
    hay.add_file(&folder.path().join("books.db"));
    let Secrets { key, old_key, admin, wrong_key, barcode, others } = secrets;
    let all: Vec<Canary> = [key, old_key, admin, wrong_key, barcode].into_iter().chain(others).collect();
    hay.search(&all);
    sim.stop().await;
}

/// Everything that a client, a provider and an operator do, well and badly.
async fn use_and_misuse(
    http: &Http,
    admin: &Http,
    secrets: &Secrets,
    sim: &paymux_sim::Running,
    hay: &mut Haystack,
) {
    let key = secrets.key.text.as_str();
    let good = http.post(key, "/v1/payments", order("A1")).await;
    assert_eq!(good.status, 201, "{}", good.text);
    let number = good.body["provider_order_no"].as_str().unwrap().to_owned();
    let id = good.body["id"].as_str().unwrap().to_owned();
    let mut barcode = order("A2");
    barcode["method"] = json!("wechat.barcode");
    barcode["payer"] = json!({"auth_code": secrets.barcode.text});
    let mut wrong = barcode.clone();
    wrong["payer"]["auth_code"] = json!(format!("{} ", secrets.barcode.text));
    let mut unknown = barcode.clone();
    unknown["auth_code"] = json!("x");
    let mut answers = vec![good];
    for body in [barcode.clone(), barcode, wrong, unknown, json!([secrets.key.text.len()])] {
        answers.push(http.post(key, "/v1/payments", body).await);
    }
    answers.push(http.post(&secrets.old_key.text, "/v1/payments", order("A1")).await);
    answers.push(http.post(&secrets.wrong_key.text, "/v1/payments", order("A3")).await);
    answers.push(http.post(&secrets.wrong_key.text, "/v1/payments", order("A3")).await);
    answers.push(admin.get(&secrets.wrong_key.text, "/admin/api/queue").await);
    answers.push(admin.get(&secrets.admin.text, "/admin/api/queue").await);
    answers.push(admin.get(&secrets.admin.text, "/metrics").await);
    for bytes in ["{}", "not json", "{\"sign\":\"0\",\"transaction_id\":\"x\"}"] {
        let callback = WireRequest::new(Verb::Post, "/notify/bee").body("application/json", bytes);
        answers.push(http.send("", callback).await.unwrap());
    }
    sim.bank().pay(&number).unwrap();
    let paid = async {
        loop {
            let answer = http.get(key, &format!("/v1/payments/{id}")).await;
            if answer.body["status"] == "succeeded" {
                return answer;
            }
            sleep(Duration::from_millis(10)).await;
        }
    };
    answers.push(timeout(PATIENCE, paid).await.expect("paid"));
    let refund = json!({"refund_no": "R1", "amount": 1});
    answers.push(http.post(key, &format!("/v1/payments/{id}/refunds"), refund).await);
    answers.push(http.post(key, &format!("/v1/payments/{id}/cancel"), json!({})).await);
    answers.push(http.get(key, "/v1/payments").await);
    answers.push(http.get("", "/metrics").await);
    for (place, answer) in answers.into_iter().enumerate() {
        hay.add(format!("answer {place} ({})", answer.status), answer.text);
    }
}

/// Files with a mistake beside each secret: what `check` says of them quotes no secret.
async fn bad_files(file: &Path, text: &str, hay: &mut Haystack) {
    let mistakes = [
        text.replace("admin_token = \"", "admin_token = \" "),
        text.replace("api_key = \"", "api_keys = \""),
        text.replace("whsec_", "whsec-"),
        text.replace("app_secret = \"", "app_secret = 7 # \""),
        text.replace("master_secret = \"", "master_secrets = \""),
        text.replace("[[routes]]", "[[routes"),
    ];
    for (place, mistake) in mistakes.into_iter().enumerate() {
        std::fs::write(file, &mistake).unwrap();
        let end = ended(["check", "-c", file.to_str().unwrap()]).await;
        hay.add(format!("what `check` said of mistake {place}"), end.out + &end.err);
    }
}

/// A paymux that logs all it can.
fn loud(file: &Path, out: &Path, err: &Path) -> Child {
    let mut command = paymux(["serve", "-c", file.to_str().unwrap()]);
    command.env("PAYMUX_LOG", "trace");
    command.stdout(Stdio::from(File::create(out).unwrap()));
    command.stderr(Stdio::from(File::create(err).unwrap()));
    command.spawn().unwrap()
}

async fn ready(process: &mut Child, http: &Http) {
    let asking = async {
        loop {
            assert_eq!(process.try_wait().unwrap(), None, "paymux ended before it was ready");
            let request = WireRequest::new(Verb::Get, "/readyz");
            if http.send("", request).await.is_ok_and(|answer| answer.status == 200) {
                return;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, asking).await.expect("ready in time");
}

async fn stop(mut process: Child) {
    let pid = process.id().unwrap().to_string();
    assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    timeout(PATIENCE, process.wait()).await.expect("an end in time").unwrap();
}
