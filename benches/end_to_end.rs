//! What does one payment cost from the merchant's bytes to the durable answer, and one callback from the provider's
//! bytes to its acknowledgement? One at a time, and 64 at once; in this process, over real sockets, on SQLite with
//! `synchronous=FULL`, with a provider that answers at once.
//!
//! `paymux` is a whole node as `paymux serve` starts it: front, router, plugin, transport, ledger, books, events.
//! `plain` is the bare pipeline of `bare.rs`: parse, write, call, write, answer, and nothing else. `limit` is the
//! same writes alone, without a socket: two durable commits for a create, one for a callback, shared by all that
//! wait. Notices are off, and the sweeper sleeps: neither is part of the answer.
#![expect(clippy::expect_used, reason = "a bench that cannot set itself up must fail")]

mod bare;
mod caller;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use criterion::{BenchmarkId, Criterion, SamplingMode, criterion_group, criterion_main};
use futures_util::future::join_all;
use paymux_server::environment::Environment;
use paymux_server::node::{Node, Surroundings};
use paymux_server::{config, plugins};
use serde_json::Value;
use tokio::runtime::Runtime;

use bare::{APP_ID, MASTER_SECRET, Write, Writer};
use caller::{Caller, Failure};

const KEY: &str = "pmx_bench_0123456789abcdefghij";
/// How many at once.
const AT_ONCE: [usize; 2] = [1, 64];
const AMOUNT: i64 = 1999;

/// Every number once, whoever asks.
static NEXT: AtomicU64 = AtomicU64::new(1);

fn number() -> String {
    format!("PMX{:013}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// What is compared.
struct Stage {
    runtime: Runtime,
    folder: tempfile::TempDir,
    node: Node,
    plain: SocketAddr,
    writer: Writer,
}

impl Stage {
    fn set() -> Result<Self, Failure> {
        // One provider of cryptography for the process; a second call would change nothing.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let runtime = Runtime::new()?;
        let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
        let writer = Writer::open(&folder.path().join("bare.db"))?;
        let (node, plain) = runtime.block_on(async {
            let provider = bare::provider().await?;
            let node = node(&folder.path().join("paymux.db"), provider).await?;
            Ok::<_, Failure>((node, bare::pipeline(provider, writer.clone()).await?))
        })?;
        Ok(Self { runtime, folder, node, plain, writer })
    }

    fn strike(self) {
        let _ = self.runtime.block_on(self.node.stop());
        drop(self.folder);
    }

    fn callers(&self, address: SocketAddr, at_once: usize) -> Vec<Caller> {
        let authorization = format!("Bearer {KEY}");
        let all =
            async { join_all((0..at_once).map(|_| Caller::connect(address, Some(&authorization)))).await };
        let all = self.runtime.block_on(all);
        all.into_iter().map(|caller| caller.expect("a server that listens")).collect()
    }
}

async fn node(ledger: &Path, provider: SocketAddr) -> Result<Node, Failure> {
    let text = format!(
        r#"
[server]
http = "127.0.0.1:0"
[store]
url = "sqlite://{}"
[sweeper]
interval_ms = 600000
[[apps]]
id = "shop"
api_key = "{KEY}"
[[channels]]
id = "bee"
provider = "beecloud"
settings = {{ app_id = "{APP_ID}", app_secret = "s-of-the-bench", master_secret = "{MASTER_SECRET}", base_url = "http://{provider}" }}
[[routes]]
name = "all"
strategy = "weighted"
channels = ["bee"]
"#,
        ledger.display()
    );
    let config = config::read("bench", text.into_bytes(), &Environment::default(), &plugins::providers());
    let config = config.map_err(|mistakes| mistakes.to_string())?;
    let surroundings =
        Surroundings { metrics: paymux_server::metrics::install()?, witnesses: Vec::new(), source: None };
    Ok(Node::start(config, surroundings).await?)
}

/// Shares `count` errands among the callers and waits for all.
async fn all_of<C>(callers: &mut [C], count: u64, errand: impl AsyncFn(&mut C, u64)) {
    let next = AtomicU64::new(0);
    let work = callers.iter_mut().map(async |caller| {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= count {
                return;
            }
            errand(caller, at).await;
        }
    });
    join_all(work).await;
}

/// Creates a payment, and gives the number under which the provider knows it.
async fn create(caller: &mut Caller, path: &str) -> String {
    let body = format!(
        r#"{{"order_no":"{}","amount":{AMOUNT},"currency":"CNY","method":"wechat.native","subject":"Tea"}}"#,
        number()
    );
    let (status, answer) = caller.post(path, body.into()).await.expect("an answer to a create");
    let answer: Value = serde_json::from_slice(&answer).expect("an answer in JSON");
    assert!(matches!(status, 200 | 201) && answer["status"] == "pending", "{status} {answer}");
    answer["provider_order_no"].as_str().expect("a number at the provider").to_owned()
}

async fn call_back(caller: &mut Caller, path: &str, body: Bytes) {
    let answer = caller.post(path, body).await.expect("an answer to a callback");
    assert_eq!((answer.0, answer.1.as_ref()), (200, &b"success"[..]));
}

#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn now() -> Instant {
    Instant::now()
}

fn creates(c: &mut Criterion, stage: &Stage) {
    let mut group = c.benchmark_group("end_to_end/create");
    group.sampling_mode(SamplingMode::Flat);
    for at_once in AT_ONCE {
        for (name, address, path) in
            [("paymux", stage.node.http(), "/v1/payments"), ("plain", stage.plain, "/payments")]
        {
            let mut callers = stage.callers(address, at_once);
            group.bench_function(BenchmarkId::new(name, at_once), |b| {
                b.iter_custom(|count| {
                    let start = now();
                    stage.runtime.block_on(all_of(&mut callers, count, async |caller, _| {
                        create(caller, path).await;
                    }));
                    start.elapsed()
                });
            });
        }
        group.bench_function(BenchmarkId::new("limit", at_once), |b| {
            b.iter_custom(|count| {
                let start = now();
                let mut writers = vec![stage.writer.clone(); at_once];
                stage.runtime.block_on(all_of(&mut writers, count, async |writer, _| {
                    let (number, action) = (number(), "weixin://wxpay/bizpayurl?pr=x".to_owned());
                    let open = Write::Open { number: number.clone(), amount: AMOUNT };
                    writer.write(open).await.expect("a durable write");
                    writer.write(Write::Opened { number, action }).await.expect("a durable write");
                }));
                start.elapsed()
            });
        });
    }
    group.finish();
}

/// The payments are made first, and their time does not count.
fn callbacks(c: &mut Criterion, stage: &Stage) {
    let mut group = c.benchmark_group("end_to_end/callback");
    group.sampling_mode(SamplingMode::Flat);
    for at_once in AT_ONCE {
        for (name, address, [payments, notify]) in [
            ("paymux", stage.node.http(), ["/v1/payments", "/notify/bee"]),
            ("plain", stage.plain, ["/payments", "/notify"]),
        ] {
            let mut makers = stage.callers(address, 64);
            let mut callers = stage.callers(address, at_once);
            group.bench_function(BenchmarkId::new(name, at_once), |b| {
                b.iter_custom(|count| {
                    let bodies = stage.runtime.block_on(opened(&mut makers, count, payments));
                    let start = now();
                    stage.runtime.block_on(all_of(&mut callers, count, async |caller, at| {
                        call_back(caller, notify, one(&bodies, at)).await;
                    }));
                    start.elapsed()
                });
            });
        }
        group.bench_function(BenchmarkId::new("limit", at_once), |b| {
            b.iter_custom(|count| {
                let numbers: Vec<String> = (0..count).map(|_| number()).collect();
                let write = |at_once, what: fn(String) -> Write| {
                    let mut writers = vec![stage.writer.clone(); at_once];
                    stage.runtime.block_on(all_of(&mut writers, count, async |writer, at| {
                        writer.write(what(one(&numbers, at))).await.expect("a durable write");
                    }));
                };
                write(64, |number| Write::Open { number, amount: AMOUNT });
                let start = now();
                write(at_once, |number| Write::Paid { number, received: AMOUNT });
                start.elapsed()
            });
        });
    }
    group.finish();
}

fn one<T: Clone>(all: &[T], at: u64) -> T {
    usize::try_from(at).ok().and_then(|at| all.get(at)).cloned().expect("one for each errand")
}

/// Makes so many payments, and the callback of each.
async fn opened(makers: &mut [Caller], count: u64, path: &str) -> Vec<Bytes> {
    let made = tokio::sync::Mutex::new(Vec::new());
    all_of(makers, count, async |caller, _| {
        let number = create(caller, path).await;
        made.lock().await.push(Bytes::from(bare::callback(&number, AMOUNT)));
    })
    .await;
    made.into_inner()
}

fn end_to_end(c: &mut Criterion) {
    let stage = Stage::set().expect("a node, a bare pipeline and a provider");
    creates(c, &stage);
    callbacks(c, &stage);
    stage.strike();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2));
    targets = end_to_end
}
criterion_main!(benches);
