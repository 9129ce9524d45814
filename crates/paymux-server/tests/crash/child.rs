//! The real binary as a child: where it stands, started, killed, told to stop.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use paymux_core::provider::Settings;
use tokio::net::TcpListener;
use tokio::process::Command;

use crate::customers::Http;

/// The merchant's key at paymux.
pub(crate) const API_KEY: &str = "pmx_crash_harness_0123456789abcdef";
/// What paymux signs its notices with.
pub(crate) const NOTIFY_SECRET: &str = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=";

/// Where every child of a run stands: one port, one ledger, one configuration.
pub(crate) struct Site {
    address: SocketAddr,
    config: PathBuf,
    _folder: tempfile::TempDir,
}

impl Site {
    pub(crate) async fn new(store_url: &str, provider: &str, account: &Settings, notify_url: &str) -> Self {
        let address = free_address().await;
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("paymux.toml");
        let text = |key: &str| account.get(key).and_then(|value| value.as_str()).unwrap().to_owned();
        let file = format!(
            r#"
[server]
http = "{address}"
public_url = "http://{address}"

[store]
url = "{store_url}"

[outbound]
allow_private_addresses = true

[timeouts]
request_ms = 2000
answer_ms = 4000
notice_ms = 2000

[sweeper]
interval_ms = 200

[[apps]]
id = "shop"
api_key = "{API_KEY}"
notify_url = "{notify_url}"
notify_secret = "{NOTIFY_SECRET}"
allow_http_notify = true

[[channels]]
id = "bee"
provider = "beecloud"
[channels.settings]
app_id = "{}"
app_secret = "{}"
master_secret = "{}"
base_url = "{provider}"

[[routes]]
name = "default"
strategy = "priority"
channels = ["bee"]
"#,
            text("app_id"),
            text("app_secret"),
            text("master_secret"),
        );
        std::fs::write(&config, file).unwrap();
        Self { address, config, _folder: folder }
    }

    pub(crate) fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// A port that nobody has now; children come and go on it, so it cannot be 0.
async fn free_address() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    listener.local_addr().unwrap()
}

/// A running paymux.
pub(crate) struct Child(tokio::process::Child);

impl Child {
    /// Starts it and waits until it is ready.
    pub(crate) async fn start(site: &Site) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_paymux"))
            .args(["serve", "--config"])
            .arg(&site.config)
            .env("PAYMUX_LOG", "error")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let ready = async {
            let http = Http::new(&site.base_url());
            while http.get("/readyz").await.is_none_or(|(status, _)| status != 200) {
                if let Some(status) = child.try_wait().unwrap() {
                    panic!("paymux ended before it was ready: {status}");
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), ready).await.expect("ready within 20 s");
        Self(child)
    }

    /// `SIGKILL`.
    pub(crate) async fn kill(mut self) {
        self.0.kill().await.unwrap();
    }

    /// `SIGTERM`, and an orderly end.
    pub(crate) async fn terminate(mut self) {
        let id = self.0.id().unwrap().to_string();
        let sent = Command::new("kill").args(["-TERM", &id]).status().await.unwrap();
        assert!(sent.success());
        let ended = tokio::time::timeout(Duration::from_secs(35), self.0.wait()).await;
        assert!(
            ended.expect("an end within the drain limit").unwrap().success(),
            "an orderly end is a success"
        );
    }
}
