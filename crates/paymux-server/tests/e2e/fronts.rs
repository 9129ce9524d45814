//! Clients of other protocols at the real binary: what they send is written here, by the documents and by nothing of
//! the plugins, and their payments go to a simulated provider of another kind.

mod beecloud;
mod cloudpay;
mod fufu;
mod sdks;

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::routing::post;
use md5::{Digest, Md5};
use paymux_core::{Clock as _, Timestamp};
use paymux_server::plugins::Simulated;
use paymux_sim::{Bank, SimConfig};
use paymux_transport::SystemClock;
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::http::Http;
use crate::process::{PATIENCE, Running, paymux};
use crate::world::{SHOP, free_address, ready, settings};

/// One paymux with one front, whose payments go to one simulated provider.
struct Stand {
    http: Http,
    address: SocketAddr,
    sim: paymux_sim::Running,
    hook: Hook,
    folder: tempfile::TempDir,
    process: Option<Running>,
}

impl Stand {
    /// With that front and the shop's credentials in it.
    async fn open(
        front: &str,
        credentials: &str,
        upstream: Simulated,
        acknowledgement: &'static str,
    ) -> Self {
        let account = upstream.account("up", fastrand::u64(..), None);
        let accounts = vec![account.clone()];
        let config = SimConfig { accounts, time_scale: 100.try_into().unwrap(), ..SimConfig::default() };
        let sim = upstream.start(config).await.unwrap();
        let hook = Hook::open(acknowledgement).await;
        let folder = tempfile::tempdir().unwrap();
        let address = free_address().await;
        let text = format!(
            "[server]\nhttp = \"{address}\"\ntest_mode = true\n[store]\nurl = \"sqlite://{}/a.db\"\n\
             [outbound]\nallow_private_addresses = true\n[sweeper]\ninterval_ms = 100\n\
             [timeouts]\nrequest_ms = 1000\nanswer_ms = 4000\nnotice_ms = 2000\n\
             [notices]\nretry_ms = [1000, 1000, 1000, 1000]\n[compat]\n{front} = true\n\
             [[apps]]\nid = \"shop\"\napi_key = \"{SHOP}\"\nnotify_url = \"{}\"\n\
             scopes = [\"payments\", \"refunds\", \"transfers\"]\ntransfer_amount_max = 10000\n\
             [apps.compat.{front}]\n{credentials}\n\
             [[channels]]\nid = \"up\"\nprovider = \"{}\"\n[channels.settings]\nbase_url = \"{}\"\n{}\n\
             [[routes]]\nname = \"default\"\nstrategy = \"priority\"\nchannels = [\"up\"]\n\
             failover_unknown = \"never\"\n",
            folder.path().display(),
            hook.url(),
            upstream.slug(),
            sim.base_url(),
            settings(&account)
        );
        std::fs::write(folder.path().join("paymux.toml"), text).unwrap();
        let http = Http::new(&format!("http://{address}"));
        let mut stand = Self { http, address, sim, hook, folder, process: None };
        stand.up().await;
        stand
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

    async fn restart(&mut self) {
        self.down().await;
        self.up().await;
    }

    async fn down(&mut self) {
        assert_eq!(self.process.take().unwrap().signal("TERM").await, Some(0), "an orderly end");
    }

    fn bank(&self) -> &Bank {
        self.sim.bank()
    }

    /// The number of the only order at the provider.
    fn upstream_number(&self) -> String {
        let orders = self.bank().orders();
        assert_eq!(orders.len(), 1, "one order, however often it was asked for");
        orders[0].number.clone()
    }

    /// What the shop sees of its payment of that number, in the native API.
    async fn native(&self, order_no: &str) -> Value {
        let list = self.http.get(SHOP, &format!("/v1/payments?order_no={order_no}")).await.body;
        list["data"][0].clone()
    }

    /// Ends it; of these texts none may stand in what it logged.
    async fn close(mut self, secrets: &[&str]) {
        assert_eq!(self.bank().stats().misreadings, 0);
        self.down().await;
        let log = std::fs::read_to_string(self.file("log")).unwrap();
        assert!(log.contains("paymux_http::access"), "it logged what it did");
        for secret in secrets {
            assert!(!log.contains(secret), "a secret of a client stands in the log");
        }
        self.sim.stop().await;
    }
}

/// What a client was told.
#[derive(Debug, Clone)]
struct Told {
    query: String,
    body: String,
}

impl Told {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

/// Where a client takes notices. It ends with the test's runtime.
struct Hook {
    address: SocketAddr,
    desk: Desk,
}

#[derive(Clone)]
struct Desk {
    acknowledgement: &'static str,
    told: Arc<Mutex<Vec<Told>>>,
    /// So many are not acknowledged.
    unwilling: Arc<AtomicUsize>,
}

impl Hook {
    async fn open(acknowledgement: &'static str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let desk = Desk { acknowledgement, told: Arc::default(), unwilling: Arc::default() };
        let router = Router::new().route("/hook", post(take)).with_state(desk.clone());
        let limits = paymux_http::Limits::default();
        tokio::spawn(paymux_http::serve(listener, router, limits, CancellationToken::new()));
        Self { address, desk }
    }

    fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// The next so many are answered with a word that is no acknowledgement.
    fn refuse(&self, count: usize) {
        self.desk.unwilling.store(count, Ordering::Relaxed);
    }

    /// All that was told, once it is so many.
    async fn told(&self, count: usize) -> Vec<Told> {
        let looking = async {
            while self.desk.told.lock().unwrap().len() < count {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, looking).await.expect("the notices come");
        self.desk.told.lock().unwrap().clone()
    }
}

async fn take(State(desk): State<Desk>, RawQuery(query): RawQuery, body: Bytes) -> &'static str {
    let body = String::from_utf8(body.to_vec()).unwrap();
    desk.told.lock().unwrap().push(Told { query: query.unwrap_or_default(), body });
    let less = |left: usize| left.checked_sub(1);
    match desk.unwilling.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less) {
        Ok(_) => "ok",
        Err(_) => desk.acknowledgement,
    }
}

/// Asks until it is so.
async fn until(mut ask: impl AsyncFnMut() -> Value, is_so: impl Fn(&Value) -> bool) -> Value {
    let asking = async {
        loop {
            let answer = ask().await;
            if is_so(&answer) {
                return answer;
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, asking).await.expect("it comes to be as expected")
}

/// The time, in milliseconds; another one for each call.
fn now_ms() -> i64 {
    static CALLS: AtomicI64 = AtomicI64::new(0);
    SystemClock::new().now().ms() + CALLS.fetch_add(1, Ordering::Relaxed)
}

/// Today in China, `yyyyMMdd`.
fn china_day() -> String {
    let now: Timestamp = SystemClock::new().now();
    now.plus(Duration::from_hours(8)).to_string()[..10].replace('-', "")
}

fn md5(text: &str) -> String {
    Md5::digest(text).iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"))
}

/// Percent-encoded, all but letters and digits.
fn encoded(text: &str) -> String {
    let one = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(one).collect()
}
