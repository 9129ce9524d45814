//! Everything that the demo needs: a simulated provider, a merchant, a router over a fresh ledger, and who
//! watches what is stored.

use std::fmt::Write as _;
use std::num::NonZeroU32;
use std::sync::Arc;

use anyhow::Context as _;
use paymux::witness::Witness;
use paymux_core::store::{Change, EventKind, Opening};
use paymux_core::{AttemptId, Secret};
use paymux_sim::{Bank, Running, SimAccount, SimConfig};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{Mutex, mpsc};
use tokio::time::timeout;

use super::DRAIN;
use super::client::Client;
use super::merchant::{Merchant, Notice};
use super::teller::Teller;
use crate::config;
use crate::environment::Environment;
use crate::metrics;
use crate::node::{Node, Surroundings};
use crate::plugins::{self, Simulated};
use crate::rng::Keys;

/// Which provider takes the told payment.
pub(super) const PROVIDER: Simulated = Simulated::BeeCloud;
/// Which provider has the merchants that take turns.
pub(super) const ROTATION: Simulated = Simulated::CloudPay;
/// The told payment's accounts; the last one takes small sums only.
const ACCOUNTS: [&str; 3] = ["bee-a", "bee-b", "bee-small"];
/// The merchants that take turns.
pub(super) const MERCHANTS: [&str; 3] = ["cloud-a", "cloud-b", "cloud-c"];

/// What was stored, as far as the demo tells of it, may wait to be told.
const SEEN_MAX: usize = 4096;

/// What was stored.
#[derive(Debug)]
pub(super) enum Seen {
    /// A payment with its first attempt.
    Opened { payment: String, order_no: String, number: String, attempt: AttemptId },
    /// A payment with its events; whether a callback made it.
    Changed { payment: String, by_callback: bool, events: Vec<EventKind> },
}

/// All of it, running.
pub(super) struct Stage {
    sim: Running,
    rotation: Running,
    merchant: Merchant,
    node: Node,
    folder: TempDir,
    /// The merchant's key.
    pub(super) key: Secret,
    /// The merchant's way to the router.
    pub(super) shop: Client,
    /// The payer's way to the provider.
    pub(super) payer: Client,
    /// The payer's way to the gateway of the merchants that take turns.
    pub(super) rotation_payer: Client,
    /// What was stored.
    pub(super) seen: Mutex<mpsc::Receiver<Seen>>,
    /// What the merchant got.
    pub(super) notices: Mutex<mpsc::Receiver<Notice>>,
}

impl Stage {
    /// Sets it, and tells where everything stands.
    pub(super) async fn set(teller: &Teller) -> anyhow::Result<Self> {
        let clock = teller.clock();
        let keys = Keys::fresh()?;
        let folder = tempfile::Builder::new().prefix("paymux-demo-").tempdir()?;
        let (merchant, notices) = Merchant::open(&keys.notify_secret, clock).await?;
        let (accounts, sim) = simulate(PROVIDER, ACCOUNTS).await?;
        let (merchants, rotation) = simulate(ROTATION, MERCHANTS).await?;

        let channels = channels(PROVIDER, &accounts, &sim) + &channels(ROTATION, &merchants, &rotation);
        let text = configuration(&folder, &keys, &merchant.url()) + &channels + ROUTES;
        // By its own configuration alone: overrides are meant for a router that serves.
        let config = config::read("demo", text.into_bytes(), &Environment::default(), &plugins::providers())?;
        let (seen_sender, seen) = mpsc::channel(SEEN_MAX);
        let witnesses: Vec<Arc<dyn Witness>> = vec![Arc::new(Eyes(seen_sender))];
        let node =
            Node::start(config, Surroundings { metrics: metrics::install()?, witnesses, source: None })
                .await?;

        let api = format!("http://{}", node.http());
        let shop = Client::new(&api, Some(keys.api_key.clone()), clock)?;
        shop.get("/readyz").await?.expect(200, "GET /readyz")?;
        // Its callback addresses stand in its back office; no create names one.
        for id in MERCHANTS {
            rotation.bank().send_webhooks_to(id, &format!("{api}/notify/{id}"))?;
        }
        let payer = Client::new(&sim.base_url(), None, clock)?;
        let rotation_payer = Client::new(&rotation.base_url(), None, clock)?;
        let stage = Self {
            sim,
            rotation,
            merchant,
            node,
            folder,
            key: keys.api_key,
            shop,
            payer,
            rotation_payer,
            seen: Mutex::new(seen),
            notices: Mutex::new(notices),
        };
        stage.tell(teller);
        Ok(stage)
    }

    /// The router's address.
    pub(super) fn api(&self) -> String {
        format!("http://{}", self.node.http())
    }

    /// The record of the decision that made an attempt.
    pub(super) async fn decision(&self, attempt: AttemptId) -> anyhow::Result<Value> {
        let told = self.node.payments().decision(attempt).await?;
        told.with_context(|| format!("the ledger has no decision of {attempt}"))
    }

    /// The simulated provider's address.
    pub(super) fn provider(&self) -> String {
        self.sim.base_url()
    }

    /// The address of the simulated gateway of the merchants that take turns.
    pub(super) fn gateway(&self) -> String {
        self.rotation.base_url()
    }

    /// Where an order of that channel is paid.
    pub(super) fn till_of(&self, channel: &str) -> String {
        if MERCHANTS.contains(&channel) { self.gateway() } else { self.provider() }
    }

    /// The simulated provider's books.
    pub(super) fn bank(&self) -> &Bank {
        self.sim.bank()
    }

    /// Stops all of it in order, within a second, and removes the folder.
    pub(super) async fn clear(self) {
        self.node.stop().await;
        let others = async { tokio::join!(self.sim.stop(), self.rotation.stop(), self.merchant.close()) };
        if timeout(DRAIN / 4, others).await.is_err() {
            tracing::debug!("a simulator or the merchant was cut off");
        }
        if let Err(error) = self.folder.close() {
            tracing::warn!(%error, "the demo's folder could not be removed");
        }
    }

    fn tell(&self, teller: &Teller) {
        let (api, provider) = (self.api(), self.provider());
        let ledger = self.folder.path().join("paymux.db");
        let text = format!(
            "router on {api}, simulated {} on {provider} and {} on {}, merchant on {}, ledger in {}",
            PROVIDER.slug(),
            ROTATION.slug(),
            self.gateway(),
            self.merchant.url(),
            ledger.display()
        );
        let facts = json!({
            "api": api, "provider": provider, "gateway": self.gateway(), "merchant": self.merchant.url(),
            "ledger": ledger,
            "api_key": self.key.expose(),
        });
        teller.step("ready", &text, &facts);
    }
}

/// Starts a provider with made-up accounts of these names.
async fn simulate(provider: Simulated, names: [&str; 3]) -> anyhow::Result<(Vec<SimAccount>, Running)> {
    let named = names.into_iter().zip(1..);
    let accounts: Vec<SimAccount> = named.map(|(id, seed)| provider.account(id, seed, None)).collect();
    let config =
        SimConfig { accounts: accounts.clone(), time_scale: NonZeroU32::MIN, ..SimConfig::default() };
    Ok((accounts, provider.start(config).await?))
}

/// A configuration like one that a person would write, up to its channels.
fn configuration(folder: &TempDir, keys: &Keys, hook: &str) -> String {
    let ledger = format!("sqlite://{}", folder.path().join("paymux.db").display());
    format!(
        "[server]\nhttp = \"127.0.0.1:0\"\ntest_mode = true\n\
         [store]\nurl = {ledger}\n\
         [outbound]\nallow_private_addresses = true\n\
         [limits]\ndrain_ms = {drain}\n\
         [[apps]]\nid = \"shop\"\napi_key = {key}\nnotify_url = {hook}\nnotify_secret = {secret}\n",
        ledger = quoted(&ledger),
        drain = DRAIN.as_millis(),
        key = quoted(keys.api_key.expose()),
        hook = quoted(hook),
        secret = quoted(keys.notify_secret.expose()),
    )
}

/// The accounts of a provider as channels.
fn channels(provider: Simulated, accounts: &[SimAccount], sim: &Running) -> String {
    let mut toml = String::new();
    for account in accounts {
        let amounts = if account.key == ACCOUNTS[2] { "rules.amount_max = 1000\n" } else { "" };
        let settings: Vec<String> =
            account.settings.iter().map(|(key, value)| format!("{key} = {value}")).collect();
        let _ = write!(
            toml,
            "[[channels]]\nid = {id}\nprovider = {slug}\n{amounts}settings = {{ {settings}, base_url = {base} }}\n",
            id = quoted(&account.key),
            slug = quoted(provider.slug()),
            settings = settings.join(", "),
            base = quoted(&sim.base_url()),
        );
    }
    toml
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}

const ROUTES: &str = r#"
[[routes]]
name = "wechat"
when = { methods = ["wechat.*"] }
strategy = "random"
channels = ["bee-a", "bee-b", "bee-small"]
failover = 1
[[routes]]
name = "turns"
when = { methods = ["alipay.web", "alipay.wap", "alipay.native"] }
strategy = "smart-random"
channels = ["cloud-a", "cloud-b", "cloud-c"]
failover = 1
[[routes]]
name = "default"
strategy = "priority"
channels = ["bee-a", "bee-b"]
failover = 1
"#;

/// Passes on what was stored. Where nobody listens fast enough, the telling has gaps; the ledger has none.
struct Eyes(mpsc::Sender<Seen>);

impl Witness for Eyes {
    fn opened(&self, opening: &Opening) {
        let payment = &opening.payment;
        let Some(attempt) = payment.attempts.first() else { return };
        let _ = self.0.try_send(Seen::Opened {
            payment: payment.id.to_string(),
            order_no: payment.order_no.to_string(),
            number: attempt.number.to_string(),
            attempt: attempt.id,
        });
    }

    fn applied(&self, change: &Change) {
        let _ = self.0.try_send(Seen::Changed {
            payment: change.payment.id.to_string(),
            by_callback: change.callback.is_some(),
            events: change.events.iter().map(|event| event.kind).collect(),
        });
    }
}

/// Waits for what `take` makes of something received, with patience for ten seconds.
pub(super) async fn wait_for<T, U>(
    what: &str,
    receiver: &Mutex<mpsc::Receiver<T>>,
    take: impl Fn(T) -> Option<U>,
) -> anyhow::Result<U> {
    let mut receiver = receiver.lock().await;
    let waiting = async {
        while let Some(received) = receiver.recv().await {
            if let Some(taken) = take(received) {
                return Some(taken);
            }
        }
        None
    };
    let patience = std::time::Duration::from_secs(10);
    timeout(patience, waiting)
        .await
        .ok()
        .flatten()
        .with_context(|| format!("{what} did not come within 10 s; PAYMUX_LOG=debug shows more"))
}
