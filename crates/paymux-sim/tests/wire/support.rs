//! A hand-written BeeCloud client, a webhook receiver, and the account of the provider's vectors.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use md5::{Digest, Md5};
use paymux_sim::{BeeCloudSim, Running, SimAccount, SimConfig};
use paymux_testkit::TestClock;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::Instant;

pub(crate) const APP_ID: &str = "7c9f2f1e-3a44-4c8b-9d21-5b0e6f7a8c90";
pub(crate) const APP_SECRET: &str = "1f0e2d3c-4b5a-4978-8695-a4b3c2d1e0f9";
pub(crate) const MASTER_SECRET: &str = "9e8d7c6b-5a49-4382-b1a0-0f1e2d3c4b5a";
/// The `timestamp` of vector bc-v1, and the first moment of the test clock.
pub(crate) const START_MS: i64 = 1_709_251_200_000;
/// The `bill_no` of vector bc-v1 and the `transaction_id` of bc-v4.
pub(crate) const NUMBER: &str = "PMX20240301000001";
/// Longer than anything here takes; only a failure waits for it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// The account of the vectors.
pub(crate) fn account(notify_url: Option<String>) -> SimAccount {
    let settings = json!({"app_id": APP_ID, "app_secret": APP_SECRET, "master_secret": MASTER_SECRET});
    SimAccount {
        key: "main".to_owned(),
        settings: settings.as_object().unwrap().clone(),
        retired: serde_json::Map::new(),
        notify_url,
    }
}

/// A set-up whose clock starts at the moment of bc-v1.
pub(crate) fn config() -> SimConfig {
    SimConfig { accounts: vec![account(None)], clock: Arc::new(TestClock::new()), ..SimConfig::default() }
}

pub(crate) async fn start(config: SimConfig) -> Running {
    BeeCloudSim::start(config).await.unwrap()
}

pub(crate) fn vector(id: &str) -> Value {
    let file: Value = serde_json::from_str(include_str!("../data/vectors.json")).unwrap();
    file["vectors"].as_array().unwrap().iter().find(|vector| vector["id"] == id).unwrap().clone()
}

/// Lower-case hex MD5 over the parts with nothing between them.
pub(crate) fn md5_of(parts: &[&str]) -> String {
    let mut hex = String::new();
    for byte in Md5::digest(parts.concat()) {
        write!(hex, "{byte:02x}").unwrap();
    }
    hex
}

/// A call's fields with account, time and sign.
pub(crate) fn signed(fields: Value) -> Value {
    signed_as(APP_ID, APP_SECRET, fields)
}

pub(crate) fn signed_as(app_id: &str, secret: &str, mut fields: Value) -> Value {
    fields["app_id"] = json!(app_id);
    fields["timestamp"] = json!(START_MS);
    fields["app_sign"] = json!(md5_of(&[app_id, &START_MS.to_string(), secret]));
    fields
}

/// The fields of a create by WeChat's QR code.
pub(crate) fn bill(number: &str, fee: i64) -> Value {
    json!({"channel": "WX_NATIVE", "total_fee": fee, "bill_no": number, "title": "tea"})
}

/// What came back on a connection until it was closed.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) bytes: Vec<u8>,
    pub(crate) took: Duration,
}

impl Raw {
    fn split(&self) -> (&str, &[u8]) {
        let at = self.bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("an HTTP head");
        (std::str::from_utf8(&self.bytes[..at]).unwrap(), &self.bytes[at + 4..])
    }

    pub(crate) fn status(&self) -> u16 {
        self.split().0.split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.split().0.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub(crate) fn body(&self) -> &[u8] {
        self.split().1
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(self.body()).unwrap()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(self.body()).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn code(&self) -> i64 {
        self.json()["result_code"].as_i64().unwrap()
    }
}

/// Sends these bytes on a new connection and reads until the other side closes it.
pub(crate) async fn exchange(addr: SocketAddr, bytes: &[u8]) -> Raw {
    let begun = Instant::now();
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut got = Vec::new();
    // A reset is an end like any other; what came before it counts.
    let read = stream.read_to_end(&mut got);
    let _ = tokio::time::timeout(PATIENCE, read).await.expect("the connection is closed in time");
    Raw { bytes: got, took: begun.elapsed() }
}

pub(crate) fn http(verb: &str, target: &str, kind: &str, body: &str) -> Vec<u8> {
    format!(
        "{verb} {target} HTTP/1.1\r\nhost: sim\r\nconnection: close\r\ncontent-type: {kind}\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

pub(crate) async fn request(sim: &Running, verb: &str, target: &str, kind: &str, body: &str) -> Raw {
    exchange(sim.addr(), &http(verb, target, kind, body)).await
}

/// POSTs JSON.
pub(crate) async fn post(sim: &Running, path: &str, body: &Value) -> Raw {
    request(sim, "POST", path, "application/json", &body.to_string()).await
}

pub(crate) async fn get(sim: &Running, target: &str) -> Raw {
    request(sim, "GET", target, "application/json", "").await
}

/// GETs with the fields as one JSON object in `para`.
pub(crate) async fn get_para(sim: &Running, path: &str, fields: &Value) -> Raw {
    let mut target = format!("{path}?para=");
    for byte in fields.to_string().bytes() {
        write!(target, "%{byte:02X}").unwrap();
    }
    get(sim, &target).await
}

pub(crate) async fn create(sim: &Running, number: &str, fee: i64) -> Raw {
    post(sim, "/2/rest/bill", &signed(bill(number, fee))).await
}

/// A call that moves money out, signed with the master secret.
pub(crate) fn as_master(fields: Value) -> Value {
    signed_as(APP_ID, MASTER_SECRET, fields)
}

/// A webhook that arrived.
#[derive(Debug)]
pub(crate) struct Arrived {
    pub(crate) head: String,
    pub(crate) body: Value,
    pub(crate) at: Instant,
}

impl Arrived {
    /// Whether the signature is BeeCloud's for this account, computed here.
    pub(crate) fn is_signed_by(&self, app_id: &str, master_secret: &str) -> bool {
        let text = |name: &str| self.body[name].as_str().unwrap().to_owned();
        let fee = self.body["transaction_fee"].as_i64().unwrap().to_string();
        let parts = [
            app_id.to_owned(),
            text("transaction_id"),
            text("transaction_type"),
            text("channel_type"),
            fee,
            master_secret.to_owned(),
        ];
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        self.body["signature"] == md5_of(&parts)
    }

    pub(crate) fn is_genuine(&self) -> bool {
        self.is_signed_by(APP_ID, MASTER_SECRET)
    }

    pub(crate) fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }
}

/// A merchant's server that takes webhooks.
pub(crate) struct Hook {
    pub(crate) url: String,
    seen: mpsc::UnboundedReceiver<Arrived>,
    answers: Arc<Mutex<VecDeque<&'static str>>>,
}

impl Hook {
    /// Answers the first webhooks with these bodies, then with `success`.
    pub(crate) async fn answering(answers: &[&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let answers = Arc::new(Mutex::new(answers.iter().copied().collect()));
        let (tell, seen) = mpsc::unbounded_channel();
        tokio::spawn(receive(listener, answers.clone(), tell));
        Self { url, seen, answers }
    }

    pub(crate) async fn new() -> Self {
        Self::answering(&[]).await
    }

    pub(crate) async fn next(&mut self) -> Arrived {
        tokio::time::timeout(PATIENCE, self.seen.recv()).await.expect("a webhook in time").unwrap()
    }

    /// Whether nothing has come beyond what was taken.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.seen.try_recv().is_err()
    }

    pub(crate) fn unused_answers(&self) -> usize {
        self.answers.lock().unwrap().len()
    }
}

async fn receive(
    listener: TcpListener,
    answers: Arc<Mutex<VecDeque<&'static str>>>,
    tell: mpsc::UnboundedSender<Arrived>,
) {
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let (head, body) = read_request(&mut stream).await;
        let answer = answers.lock().unwrap().pop_front().unwrap_or("success");
        let _ = tell.send(Arrived { head, body, at: Instant::now() });
        let reply = format!(
            "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{answer}",
            answer.len()
        );
        stream.write_all(reply.as_bytes()).await.unwrap();
    }
}

async fn read_request(stream: &mut TcpStream) -> (String, Value) {
    let mut bytes = Vec::new();
    loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..at].to_vec()).unwrap();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
            if bytes.len() >= at + 4 + length.parse::<usize>().unwrap() {
                // A form is kept as its text.
                let text = || Value::from(String::from_utf8(bytes[at + 4..].to_vec()).unwrap());
                return (head, serde_json::from_slice(&bytes[at + 4..]).unwrap_or_else(|_| text()));
            }
        }
        assert_ne!(stream.read_buf(&mut bytes).await.unwrap(), 0, "the webhook is cut");
    }
}
