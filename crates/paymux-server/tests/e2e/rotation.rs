//! Rotation over simulated cloudpay merchants, with the binary itself: what strategies look at stands in the ledger, so
//! it is right after every restart, and on two nodes. How the picks spread is tested in paymux-cloudpay, over ten
//! thousand payments for each strategy.

use std::net::SocketAddr;
use std::time::Duration;

use paymux_core::{Clock as _, Timestamp};
use paymux_server::plugins::Simulated;
use paymux_sim::{Pay, SimAccount, SimConfig};
use paymux_transport::SystemClock;
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::database::{Database, Kind};
use crate::http::Http;
use crate::process::{PATIENCE, Running, paymux};
use crate::world::{SHOP, free_address, ready, settings};

const MERCHANTS: [&str; 3] = ["cloud-a", "cloud-b", "cloud-c"];
/// How many payments are made.
const PAYMENTS: i64 = 28;
/// After how many of them a node alone is ended, and how.
const RESTARTS: [(i64, &str); 2] = [(9, "TERM"), (18, "KILL")];

/// What the ledger must show of each merchant.
#[derive(Debug, Default)]
struct Books {
    collected: [i64; 3],
    last_completed: Option<usize>,
}

impl Books {
    /// Whether a record shows that.
    fn are_in(&self, record: &Value) -> bool {
        let is_even = record["strategy"] == "even";
        (0..MERCHANTS.len()).all(|who| {
            let shown = &record["candidates"][who];
            if is_even {
                shown["collected_today"] == self.collected[who]
            } else {
                shown["last_completed"] == (self.last_completed == Some(who))
            }
        })
    }

    /// Whom the strategy of a record leaves out for sure.
    fn left_out(&self, record: &Value) -> Option<usize> {
        if record["strategy"] == "smart-random" {
            return self.last_completed;
        }
        let most = self.collected.iter().max()?;
        let mut richest = (0..MERCHANTS.len()).filter(|who| self.collected[*who] == *most);
        richest.next().filter(|_| richest.next().is_none())
    }
}

/// One paymux of several on the same ledger.
struct Node {
    file: String,
    http: Http,
    process: Option<Running>,
}

impl Node {
    async fn up(&mut self) {
        let mut process = Running::start(paymux(["serve", "-c", &self.file]));
        ready(&mut process, &self.http).await;
        self.process = Some(process);
    }

    async fn down(&mut self, signal: &str) {
        let ended = self.process.take().unwrap().signal(signal).await;
        assert_eq!(ended, (signal == "TERM").then_some(0), "{signal}");
    }
}

/// Nodes on one ledger, over a gateway with three merchants.
struct Street {
    nodes: Vec<Node>,
    sim: paymux_sim::Running,
    books: Books,
    database: Database,
    _folder: tempfile::TempDir,
}

impl Street {
    async fn start(kind: Kind, nodes: usize) -> Self {
        let (database, folder) = (Database::create(kind).await, tempfile::tempdir().unwrap());
        let listen = free_address().await;
        let mut addresses = Vec::new();
        for _ in 0..nodes {
            addresses.push(free_address().await);
        }
        let mut merchants =
            Vec::from(MERCHANTS.map(|id| Simulated::CloudPay.account(id, fastrand::u64(..), None)));
        let mut made = Vec::new();
        for (place, address) in addresses.iter().enumerate() {
            let file = folder.path().join(format!("{place}.toml")).to_str().unwrap().to_owned();
            std::fs::write(&file, configuration(*address, &database, listen, &merchants)).unwrap();
            let http = Http::new(&format!("http://{address}"));
            made.push(Node { file, http, process: None });
        }
        // Each merchant's notifications go to one node, which another one than creates the payments may be.
        for (merchant, address) in merchants.iter_mut().zip(addresses.iter().cycle()) {
            merchant.notify_url = Some(format!("http://{address}/notify/{}", merchant.key));
        }
        let config = SimConfig { listen, accounts: merchants, ..SimConfig::default() };
        let sim = Simulated::CloudPay.start(config).await.unwrap();
        let mut street = Self { nodes: made, sim, books: Books::default(), database, _folder: folder };
        for node in &mut street.nodes {
            node.up().await;
        }
        street
    }

    /// The record of the choice that a node would make, once it knows what the ledger must show. A node alone knows it
    /// at once.
    async fn record(&self, node: &Node, order: &Value) -> Value {
        let looking = async {
            loop {
                let record = node.http.post(SHOP, "/v1/routes/explain", order).await.body;
                if self.books.are_in(&record) {
                    return record;
                }
                assert!(self.nodes.len() > 1, "{:?} is not what it shows: {record}", self.books);
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, looking).await.expect("a node learns what the other has booked")
    }

    /// One payment from create to notification, on that node. In turns small and large; some are never paid, and of
    /// some a fen is missing.
    async fn pay(&mut self, place: i64) {
        let node = &self.nodes[usize::try_from(place).unwrap() % self.nodes.len()];
        let amount = if place % 2 == 0 { 1000 + place } else { 20_000 + place };
        let order = json!({"order_no": format!("A{place}"), "amount": amount, "currency": "CNY",
            "method": "alipay.wap", "subject": "Tea"});
        let record = self.record(node, &order).await;
        let created = node.http.post(SHOP, "/v1/payments", &order).await;
        assert_eq!(created.status, 201, "{}", created.text);
        let channel = created.body["channel"].as_str().unwrap();
        let who = MERCHANTS.iter().position(|id| *id == channel).unwrap();
        assert_ne!(Some(who), self.books.left_out(&record), "{record}");
        if place % 5 == 4 {
            return;
        }
        let came = if place % 7 == 3 { amount - 1 } else { amount };
        let number = created.body["provider_order_no"].as_str().unwrap();
        let pay = Pay { amount: Some(came), ..Pay::default() };
        self.sim.bank().pay_as(number, None, pay).unwrap();
        let told = self.sim.bank().order_when(number, |order| !order.notices.is_empty());
        timeout(PATIENCE, told).await.expect("a notification");
        self.books.collected[who] += came;
        if came == amount {
            self.books.last_completed = Some(who);
        }
    }

    async fn end(mut self) {
        for node in &mut self.nodes {
            node.down("TERM").await;
        }
        assert_eq!(self.sim.bank().stats().misreadings, 0);
        self.sim.stop().await;
        self.database.drop().await;
    }
}

fn configuration(
    address: SocketAddr,
    database: &Database,
    gateway: SocketAddr,
    merchants: &[SimAccount],
) -> String {
    let channel = |merchant: &SimAccount| {
        let (id, settings) = (&merchant.key, settings(merchant));
        format!(
            "[[channels]]\nid = \"{id}\"\nprovider = \"cloudpay\"\n[channels.settings]\n\
             base_url = \"http://{gateway}\"\n{settings}\n"
        )
    };
    let channels = merchants.iter().map(channel).collect::<Vec<_>>().concat();
    let (store, zone) = (database.url(), zone_far_from_midnight(SystemClock::new().now()));
    format!(
        "[server]\nhttp = \"{address}\"\n[store]\nurl = \"{store}\"\n\
         [routing]\nday_zone = \"{zone}\"\nsnapshot_ms = 50\n\
         [[apps]]\nid = \"shop\"\napi_key = \"{SHOP}\"\n{channels}\
         [[routes]]\nname = \"small\"\nwhen = {{ amount_max = 10000 }}\nstrategy = \"smart-random\"\n\
         channels = [\"cloud-a\", \"cloud-b\", \"cloud-c\"]\n\
         [[routes]]\nname = \"large\"\nstrategy = \"even\"\nchannels = [\"cloud-a\", \"cloud-b\", \"cloud-c\"]\n"
    )
}

/// A day that ends while the test runs would begin with nothing.
fn zone_far_from_midnight(now: Timestamp) -> &'static str {
    let hour = now.ms().div_euclid(3_600_000).rem_euclid(24);
    if (6..18).contains(&hour) { "Etc/UTC" } else { "Etc/GMT-12" }
}

#[tokio::test]
async fn a_restart_forgets_nothing_that_a_strategy_looks_at() {
    let mut street = Street::start(Kind::Sqlite, 1).await;
    for place in 0..PAYMENTS {
        if let Some((_, signal)) = RESTARTS.iter().find(|(at, _)| *at == place) {
            street.nodes[0].down(signal).await;
            street.nodes[0].up().await;
        }
        street.pay(place).await;
    }
    street.end().await;
}

#[tokio::test]
async fn two_nodes_take_turns_by_what_both_have_booked() {
    let mut street = Street::start(Kind::Postgres, 2).await;
    for place in 0..PAYMENTS {
        if place == PAYMENTS / 2 {
            street.nodes[1].down("KILL").await;
            street.nodes[1].up().await;
        }
        street.pay(place).await;
    }
    street.end().await;
}
