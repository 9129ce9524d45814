//! One paymux with all that stands around it: a simulated provider, a merchant, a ledger, a file.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use paymux_core::Timestamp;
use paymux_server::plugins::Simulated;
use paymux_sim::{Bank, SimAccount, SimConfig};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use crate::database::{Database, Kind};
use crate::http::{Answer, Http};
use crate::lines::{Addresses, Lines};
use crate::merchant::Merchant;
use crate::process::{PATIENCE, Running, paymux};

/// The key of the app `shop`.
pub(crate) const SHOP: &str = "pmx_shop_0123456789abcdefghij";
/// The key of the app `other`.
pub(crate) const OTHER: &str = "pmx_other_0123456789abcdefghij";
/// The operators' token, where they have an address.
pub(crate) const ADMIN_TOKEN: &str = "adm_0123456789abcdefghijklmnopqrst";
pub(crate) const NOTIFY_SECRET: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

const HASTE: &str =
    "[timeouts]\nrequest_ms = 1000\nanswer_ms = 4000\nnotice_ms = 2000\n[desk]\npatience_ms = 200\n";

/// All of it.
pub(crate) struct World {
    sim: paymux_sim::Running,
    account: SimAccount,
    pub(crate) merchant: Merchant,
    database: Database,
    folder: tempfile::TempDir,
    address: SocketAddr,
    admin: SocketAddr,
    pub(crate) http: Http,
    paymux: Option<Running>,
}

impl World {
    /// A running paymux on that kind of ledger, whose app `shop` takes notices on this machine.
    pub(crate) async fn start(kind: Kind) -> Self {
        Self::build(kind, SimConfig::default(), direct, str::to_owned).await.0
    }

    /// The same with more apps; private addresses are refused then, the shop's own too.
    pub(crate) async fn start_with(kind: Kind, more: &str) -> Self {
        Self::build(kind, SimConfig::default(), direct, |text| strict(text) + more).await.0
    }

    /// The same with a provider of one's own making, and with short limits: what a killed process
    /// leaves behind is taken up again soon.
    pub(crate) async fn start_hasty(kind: Kind, sim: SimConfig) -> Self {
        Self::build(kind, sim, direct, hasty).await.0
    }

    /// The same with a channel beside the provider's that nobody answers for: half of the payments fail over.
    pub(crate) async fn start_with_failover(kind: Kind, sim: SimConfig) -> Self {
        Self::build(kind, sim, direct, |text| failing_over(&hasty(text))).await.0
    }

    /// The same with a proxy in each line out, and with `shape` for the file's text.
    pub(crate) async fn start_frail(
        kind: Kind,
        sim: SimConfig,
        shape: impl Fn(&str) -> String,
    ) -> (Self, Lines) {
        Self::build(kind, sim, Lines::lay, |text| shape(&hasty(text))).await
    }

    async fn build<L>(
        kind: Kind,
        sim: SimConfig,
        lay: impl AsyncFnOnce(Addresses) -> (Addresses, L),
        shape: impl Fn(&str) -> String,
    ) -> (Self, L) {
        let account = Simulated::BeeCloud.account("bee", fastrand::u64(..), None);
        let accounts = [account.clone()].into_iter().chain(sim.accounts).collect();
        let settings = format!("{}\nrefunds_per_order = {}", settings(&account), sim.refunds_per_order);
        let config = SimConfig { accounts, ..sim };
        let sim = Simulated::BeeCloud.start(config).await.unwrap();
        let merchant = Merchant::open(NOTIFY_SECRET).await;
        let database = Database::create(kind).await;
        let folder = tempfile::tempdir().unwrap();
        let (address, admin) = (free_address().await, free_address().await);
        let known = Addresses { provider: sim.base_url(), merchant: merchant.url(), store: database.url() };
        let (addresses, lines) = lay(known).await;
        let text = configuration(address, &addresses, &settings);
        std::fs::write(folder.path().join("paymux.toml"), shape(&text).replace(ADMIN, &admin.to_string()))
            .unwrap();
        let http = Http::new(&format!("http://{address}"));
        let mut world = Self { sim, account, merchant, database, folder, address, admin, http, paymux: None };
        world.up().await;
        (world, lines)
    }

    /// The file that it was started with.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("paymux.toml")
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens to operators, in a hasty world.
    pub(crate) fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// Where the ledger stands.
    pub(crate) fn database(&self) -> &Database {
        &self.database
    }

    /// Whose money the provider takes, with its secrets.
    pub(crate) fn account(&self) -> &SimAccount {
        &self.account
    }

    /// The provider's books.
    pub(crate) fn bank(&self) -> &Bank {
        self.sim.bank()
    }

    /// Stops it by `SIGTERM` and starts it again on the same ledger.
    pub(crate) async fn restart(&mut self) {
        self.down().await;
        self.up().await;
    }

    /// Stops all of it; paymux must end in order.
    pub(crate) async fn end(mut self) {
        self.down().await;
        self.database.drop().await;
        self.sim.stop().await;
    }

    /// Starts it, after it ended.
    pub(crate) async fn up(&mut self) {
        let mut process = Running::start(self.serve());
        ready(&mut process, &self.http).await;
        self.paymux = Some(process);
    }

    /// How it is started.
    pub(crate) fn serve(&self) -> Command {
        let mut command = paymux(["serve", "-c", self.file().to_str().unwrap()]);
        command.env("PAYMUX_LOG", "error").env("PAYMUX_CRASH_PAYOUTS", self.payouts());
        command
    }

    /// Where the pretend provider's calls for payouts are written down, a number a line, in a build with crash
    /// points: its own books end with the process.
    pub(crate) fn payouts(&self) -> PathBuf {
        self.folder.path().join("payouts")
    }

    /// Starts it, after it ended, with that crash point armed; a build without any ignores it.
    pub(crate) async fn up_armed(&mut self, point: &str) {
        let mut process = self.armed(point);
        ready(&mut process, &self.http).await;
        self.paymux = Some(process);
    }

    /// Starts it, after it ended, with that crash point armed; it may die before it is ready.
    pub(crate) fn armed(&self, point: &str) -> Running {
        let mut command = self.serve();
        command.env("PAYMUX_CRASH_POINT", point);
        Running::start(command)
    }

    /// A second paymux with the same file but for its addresses, on the same ledger.
    pub(crate) async fn another(&self) -> Running {
        let (address, admin) = (free_address().await, free_address().await);
        let text = std::fs::read_to_string(self.file()).unwrap();
        let text = text.replace(&self.address.to_string(), &address.to_string());
        let file = self.folder.path().join("another.toml");
        std::fs::write(&file, text.replace(&self.admin.to_string(), &admin.to_string())).unwrap();
        let mut command = paymux(["serve", "-c", file.to_str().unwrap()]);
        command.env("PAYMUX_LOG", "error").env("PAYMUX_CRASH_PAYOUTS", self.payouts());
        let mut process = Running::start(command);
        ready(&mut process, &Http::new(&format!("http://{address}"))).await;
        process
    }

    /// Starts it anew, with a log that is full of everything and that nobody reads.
    pub(crate) async fn restart_unread(&mut self) {
        self.down().await;
        let mut command = paymux(["serve", "-c", self.file().to_str().unwrap()]);
        command.env("PAYMUX_LOG", "info").stderr(std::process::Stdio::piped());
        let mut process = Running::start(command);
        ready(&mut process, &self.http).await;
        self.paymux = Some(process);
    }

    /// `SIGKILL`.
    pub(crate) async fn kill(&mut self) {
        assert_eq!(self.take_process().signal("KILL").await, None, "ended by the signal");
    }

    pub(crate) async fn down(&mut self) {
        assert_eq!(self.take_process().signal("TERM").await, Some(0), "an orderly end");
    }

    /// The running process.
    pub(crate) fn process(&self) -> &Running {
        self.paymux.as_ref().unwrap()
    }

    /// The same, taken away: the test ends it.
    pub(crate) fn take_process(&mut self) -> Running {
        self.paymux.take().unwrap()
    }

    /// A create by the app `shop`.
    pub(crate) async fn create(&self, body: &Value) -> Answer {
        self.http.post(SHOP, "/v1/payments", body).await
    }

    /// The payment of that id once `holds`, as the app `shop` sees it.
    pub(crate) async fn payment_once(&self, id: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let looking = async {
            loop {
                let payment = self.http.get(SHOP, &format!("/v1/payments/{id}")).await.body;
                if holds(&payment) {
                    return payment;
                }
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(PATIENCE, looking).await.expect("the payment comes to be as expected")
    }

    /// Returns once the merchant has so many notices.
    pub(crate) async fn notices_once(&self, count: usize) -> Vec<crate::merchant::Notice> {
        self.merchant.notices_once(count).await
    }
}

/// A paymux without the rest of the world: one app, and what the text says.
pub(crate) struct Sandbox {
    pub(crate) http: Http,
    /// Where it listens.
    pub(crate) address: SocketAddr,
    pub(crate) file: String,
    process: Running,
    _folder: tempfile::TempDir,
}

impl Sandbox {
    /// With `text`, in which ADDRESS stands for where it listens.
    pub(crate) async fn start(text: &str) -> Self {
        Self::start_for(text, "").await
    }

    /// The same with more in the table of its app.
    pub(crate) async fn start_for(text: &str, app: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = free_address().await;
        let file = folder.path().join("paymux.toml").to_str().unwrap().to_owned();
        let store = format!("[store]\nurl = \"sqlite://{}/a.db\"\n", folder.path().display());
        let app = format!("[[apps]]\nid = \"shop\"\napi_key = \"{SHOP}\"\n{app}");
        let text = text.to_owned() + &store + &app;
        std::fs::write(&file, text.replace("ADDRESS", &address.to_string())).unwrap();
        let mut process = Running::start(paymux(["serve", "-c", &file]));
        let http = Http::new(&format!("http://{address}"));
        ready(&mut process, &http).await;
        Self { http, address, file, process, _folder: folder }
    }

    /// The running process.
    pub(crate) fn process(&self) -> &Running {
        &self.process
    }

    pub(crate) async fn end(self) {
        assert_eq!(self.process.signal("TERM").await, Some(0), "an orderly end");
    }
}

/// Returns once it serves.
pub(crate) async fn ready(process: &mut Running, http: &Http) {
    let asking = async {
        loop {
            assert_eq!(process.has_ended(), None, "paymux ended before it was ready");
            let request = paymux_core::WireRequest::new(paymux_core::Verb::Get, "/readyz");
            if http.send("", request).await.is_ok_and(|answer| answer.status == 200) {
                return;
            }
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, asking).await.expect("ready in time");
}

/// A good create's body.
pub(crate) fn order(order_no: &str) -> Value {
    json!({
        "order_no": order_no, "amount": 1999, "currency": "CNY", "method": "wechat.native",
        "subject": "A pot of tea", "metadata": {"table": "7"},
    })
}

/// The day in China on which a payment was made.
pub(crate) fn day_of(payment: &Value) -> String {
    let at: Timestamp = payment["created_at"].as_str().unwrap().parse().unwrap();
    at.plus(Duration::from_hours(8)).to_string()[..10].to_owned()
}

/// A port that nobody has now; paymux comes and goes on it, so it cannot be 0. Below those that the
/// system hands out by itself (32768 and up), or another test's connection could take it meanwhile.
pub(crate) async fn free_address() -> SocketAddr {
    loop {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, fastrand::u16(15_000..32_000)));
        if TcpListener::bind(address).await.is_ok() {
            return address;
        }
    }
}

/// No proxy.
async fn direct(addresses: Addresses) -> (Addresses, ()) {
    (addresses, ())
}

/// The lines of a channel's settings that name that account.
pub(crate) fn settings(account: &SimAccount) -> String {
    let lines: Vec<String> = account.settings.iter().map(|(key, value)| format!("{key} = {value}")).collect();
    lines.join("\n")
}

fn configuration(address: SocketAddr, others: &Addresses, settings: &str) -> String {
    let Addresses { provider, merchant: hook, store } = others;
    format!(
        r#"
[server]
http = "{address}"
[store]
url = "{store}"
[outbound]
allow_private_addresses = true
[sweeper]
interval_ms = 100
[[apps]]
id = "shop"
api_key = "{SHOP}"
notify_url = "{hook}"
notify_secret = "{NOTIFY_SECRET}"
[[apps]]
id = "other"
api_key = "{OTHER}"
[[channels]]
id = "bee"
provider = "beecloud"
rules.amount_max = 1000000
[channels.settings]
base_url = "{provider}"
{settings}
[[routes]]
name = "default"
strategy = "priority"
channels = ["bee"]
"#
    )
}

/// Stands for the address that operators call.
const ADMIN: &str = "ADMIN-ADDRESS";

/// With short limits, with a channel that pays out what the shop asks for, and with operators.
fn hasty(text: &str) -> String {
    let shop = "id = \"shop\"\nscopes = [\"payments\", \"refunds\", \"transfers\"]\n\
                transfer_amount_max = 1000000000\n";
    let server =
        format!("[server]\ntest_mode = true\nadmin = \"{ADMIN}\"\nadmin_token = \"{ADMIN_TOKEN}\"\n");
    let text = text.replace("[server]\n", &server).replace("id = \"shop\"\n", shop);
    text + HASTE + "[[channels]]\nid = \"box\"\nprovider = \"sandbox\"\n"
}

/// With a second channel on the route, which refuses every connection.
fn failing_over(text: &str) -> String {
    let account = Simulated::BeeCloud.account("gone", fastrand::u64(..), None);
    let gone = format!(
        "[[channels]]\nid = \"gone\"\nprovider = \"beecloud\"\n[channels.settings]\n\
         base_url = \"http://127.0.0.1:1\"\n{}\n",
        settings(&account)
    );
    let route = "strategy = \"random\"\nfailover = 1\nchannels = [\"gone\", \"bee\"]";
    text.replace("strategy = \"priority\"\nchannels = [\"bee\"]", route) + &gone
}

/// Without notices to this machine.
fn strict(text: &str) -> String {
    let is_kept =
        |line: &&str| !line.starts_with("notify_url") && !line.starts_with("allow_private_addresses");
    text.lines().filter(is_kept).flat_map(|line| [line, "\n"]).collect()
}
