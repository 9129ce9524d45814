//! A running paymux whose every secret is a canary, with a provider and a merchant beside it, and with all that
//! it prints kept.

use std::fs::File;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use paymux_core::{Verb, WireRequest};
use paymux_server::plugins::Simulated;
use paymux_sim::{SimAccount, SimConfig};
use tokio::process::Child;
use tokio::time::{sleep, timeout};

use super::tap::Tap;
use super::{Canary, Haystack};
use crate::database::{Database, Kind};
use crate::http::Http;
use crate::merchant::Merchant;
use crate::process::{PATIENCE, paymux};
use crate::world::{free_address, settings};

/// Every so manieth notice is refused, so that the log tells of it.
const REFUSED_EACH: usize = 2;

pub(super) struct Scene {
    pub(super) http: Http,
    pub(super) admin: Http,
    pub(super) sim: paymux_sim::Running,
    pub(super) merchant: Merchant,
    pub(super) secrets: Secrets,
    tap: Tap,
    pub(super) folder: tempfile::TempDir,
    database: Database,
    process: Child,
}

pub(super) struct Secrets {
    pub(super) key: Canary,
    pub(super) old_key: Canary,
    pub(super) admin: Canary,
    pub(super) wrong_key: Canary,
    pub(super) barcode: Canary,
    /// To whom a payout goes.
    pub(super) payee: Canary,
    /// With what the database is dialled, where it is one that is dialled.
    pub(super) password: Canary,
    pub(super) openid: Canary,
    pub(super) payer_id: Canary,
    pub(super) payer_ip: Canary,
    /// A merchant's `Idempotency-Key`: the ledger has it, to know it again.
    pub(super) idempotency: Canary,
    /// The merchant's own and the one before, without their prefix.
    notify: Canary,
    old_notify: Canary,
    /// Further keys of the provider's account under the names of their settings.
    further: [(&'static str, Canary); 2],
    /// The provider's account's.
    account: Vec<Canary>,
}

impl Secrets {
    fn of(account: &SimAccount) -> Self {
        let secrets = account.settings.iter().filter(|(key, _)| key.contains("secret"));
        let text = |value: &serde_json::Value| value.as_str().expect("a secret is text").to_owned();
        let account: Vec<Canary> =
            secrets.map(|(_, value)| Canary::of("a provider's secret", text(value))).collect();
        assert!(account.len() >= 2, "the account has secrets");
        let further = |name| (name, Canary::new(name, ""));
        Self {
            key: Canary::new("api_key", "pmx_"),
            old_key: Canary::new("api_key_previous", "pmx_"),
            admin: Canary::new("admin_token", "adm_"),
            wrong_key: Canary::new("a key that is not ours", "pmx_"),
            barcode: Canary::digits("auth_code", "13"),
            payee: Canary::new("a payee", "ada-"),
            // So that it must be escaped in a URL.
            password: Canary::new("the database's password", "p/@:+"),
            openid: Canary::new("payer.openid", "o"),
            payer_id: Canary::new("payer.id", "u"),
            payer_ip: Canary::address("payer.ip"),
            idempotency: Canary::stored("Idempotency-Key", "key-"),
            notify: Canary::webhook("notify_secret"),
            old_notify: Canary::webhook("notify_secret_previous"),
            further: ["master_secret_previous", "test_secret"].map(further),
            account,
        }
    }

    fn all(self) -> Vec<Canary> {
        let Self { key, old_key, admin, wrong_key, barcode, payee, password, openid, payer_id, .. } = self;
        let Self { payer_ip, idempotency, notify, old_notify, further, account, .. } = self;
        let own = [
            key,
            old_key,
            admin,
            wrong_key,
            barcode,
            payee,
            password,
            openid,
            payer_id,
            payer_ip,
            idempotency,
            notify,
            old_notify,
        ];
        own.into_iter().chain(further.map(|(_, canary)| canary)).chain(account).collect()
    }
}

impl Scene {
    pub(super) async fn open(kind: Kind) -> Self {
        let account = Simulated::BeeCloud.account("bee", fastrand::u64(..), None);
        let config = SimConfig {
            accounts: vec![account.clone()],
            time_scale: 100.try_into().unwrap(),
            ..SimConfig::default()
        };
        let sim = Simulated::BeeCloud.start(config).await.unwrap();
        let secrets = Secrets::of(&account);
        let merchant = Merchant::open(&format!("whsec_{}", secrets.notify.text)).await;
        merchant.refuse_each(REFUSED_EACH);
        let folder = tempfile::tempdir().unwrap();
        let database = Database::create_owned(kind, &secrets.password.text).await;
        let (address, admin) = (free_address().await, free_address().await);
        let tap = Tap::before(&sim.base_url()).await;
        let place = Place { store: database.url(), address, admin, hook: merchant.url(), bank: tap.url() };
        std::fs::write(file(&folder), place.file(&secrets, &settings(&account))).unwrap();
        let mut process = loud(&folder);
        let http = Http::new(&format!("http://{address}"));
        ready(&mut process, &http).await;
        let admin = Http::new(&format!("http://{admin}"));
        Self { http, admin, sim, merchant, secrets, tap, folder, database, process }
    }

    /// Where its file stands.
    pub(super) fn file(&self) -> PathBuf {
        file(&self.folder)
    }

    /// Where its ledger stands, as its file says it.
    pub(super) fn store(&self) -> String {
        self.database.url()
    }

    /// Stops it and adds all that it wrote, the ledger too; returns its log, and what must not stand anywhere.
    pub(super) async fn close(self, hay: &mut Haystack) -> (String, Vec<Canary>) {
        let Self { mut process, folder, database, sim, secrets, tap, .. } = self;
        let pid = process.id().unwrap().to_string();
        assert!(std::process::Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
        timeout(PATIENCE, process.wait()).await.expect("an end in time").unwrap();
        sim.stop().await;
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|end| end != "toml") {
                hay.add_file(&path);
            }
        }
        let ledger = database.contents().await;
        assert!(
            ledger.iter().any(|(_, bytes)| bytes.windows(4).any(|part| part == b"pay_")),
            "a full ledger"
        );
        for (name, bytes) in ledger {
            hay.add_ledger(name, &bytes);
        }
        database.drop().await;
        let log = std::fs::read_to_string(folder.path().join("err.log")).unwrap();
        assert!(tap.heard().contains(&secrets.openid.text), "the provider is told who pays");
        let signatures = tap.signatures();
        assert!(signatures.len() > 3, "{} signatures were sent", signatures.len());
        (log, secrets.all().into_iter().chain(signatures).collect())
    }
}

/// Where all stands.
struct Place {
    store: String,
    address: SocketAddr,
    admin: SocketAddr,
    hook: String,
    bank: String,
}

impl Place {
    fn file(&self, secrets: &Secrets, settings: &str) -> String {
        let Self { store, address, admin, hook, bank } = self;
        let [token, key, old_key] = [&secrets.admin, &secrets.key, &secrets.old_key].map(|s| &s.text);
        let [notify, old_notify] = [&secrets.notify, &secrets.old_notify].map(|s| &s.text);
        let further =
            secrets.further.each_ref().map(|(name, canary)| format!("{name} = \"{}\"", canary.text));
        let further = further.join("\n");
        format!(
            r#"
[server]
http = "{address}"
admin = "{admin}"
admin_token = "{token}"
test_mode = true
[store]
url = "{store}"
[outbound]
allow_private_addresses = true
[sweeper]
interval_ms = 100
[timeouts]
request_ms = 1000
answer_ms = 4000
[[apps]]
id = "shop"
api_key = "{key}"
api_key_previous = "{old_key}"
notify_url = "{hook}"
notify_secret = "whsec_{notify}"
notify_secret_previous = "whsec_{old_notify}"
scopes = ["payments", "refunds", "transfers"]
transfer_amount_max = 1000
[[channels]]
id = "box"
provider = "sandbox"
[[channels]]
id = "bee"
provider = "beecloud"
[channels.settings]
base_url = "{bank}"
{settings}
{further}
[[routes]]
name = "default"
strategy = "priority"
channels = ["bee"]
"#
        )
    }
}

fn file(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("paymux.toml")
}

/// A paymux that logs all it can.
fn loud(folder: &tempfile::TempDir) -> Child {
    let mut command = paymux(["serve", "-c", file(folder).to_str().unwrap()]);
    command.env("PAYMUX_LOG", "trace");
    let kept = |name: &str| Stdio::from(File::create(folder.path().join(name)).unwrap());
    command.stdout(kept("out.log")).stderr(kept("err.log"));
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
