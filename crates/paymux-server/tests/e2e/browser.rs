//! A browser to look at pages with: Chromium without a window, told what to do over the W3C's WebDriver protocol.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use paymux_core::{Verb, WireRequest};
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::http::Http;
use crate::process::PATIENCE;
use crate::world::free_address;

/// What there is to do where no browser is.
const MISSING: &str = "chromedriver does not start; on Debian `apt-get install chromium chromium-driver` gets it and \
                       its browser, and .ci/run installs what is missing";

/// Whose screen it is, and how they like it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Screen {
    /// What pictures of it are called.
    pub(crate) name: &'static str,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) kind: Kind,
    pub(crate) language: &'static str,
    pub(crate) colours: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Phone,
    Desktop,
}

/// A running browser with one page.
pub(crate) struct Browser {
    screen: Screen,
    http: Http,
    session: String,
    driver: Child,
}

impl Browser {
    pub(crate) async fn start(screen: Screen) -> Self {
        let address = free_address().await;
        let driver = Command::new("chromedriver")
            .arg(format!("--port={}", address.port()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn();
        let driver = driver.unwrap_or_else(|error| panic!("{MISSING} ({error})"));
        let http = Http::new(&format!("http://{address}"));
        let session = timeout(PATIENCE, opened(&http, &screen)).await.expect("a browser in time");
        let browser = Self { screen, http, session, driver };
        let media = json!({"features": [{"name": "prefers-color-scheme", "value": screen.colours}]});
        browser.devtools("Emulation.setEmulatedMedia", media).await;
        browser
    }

    /// Loads that page.
    pub(crate) async fn go(&self, url: &str) {
        self.post("url", json!({"url": url})).await;
    }

    /// Where it is.
    pub(crate) async fn url(&self) -> String {
        self.get("url").await.as_str().unwrap().to_owned()
    }

    /// Returns once it is there, by itself.
    pub(crate) async fn arrives(&self, url: &str) {
        let looking = async {
            while self.url().await != url {
                sleep(Duration::from_millis(50)).await;
            }
        };
        let is_there = timeout(PATIENCE, looking).await.is_ok();
        assert!(is_there, "the browser is at {} and not at {url}", self.url().await);
    }

    /// What that piece of script returns on the page.
    pub(crate) async fn tells(&self, script: &str) -> Value {
        self.post("execute/sync", json!({"script": script, "args": []})).await
    }

    /// Returns once the page says yes to that.
    pub(crate) async fn comes_to(&self, script: &str) {
        let looking = async {
            while self.tells(script).await != true {
                sleep(Duration::from_millis(50)).await;
            }
        };
        timeout(PATIENCE, looking).await.unwrap_or_else(|_| panic!("the page never comes to {script}"));
    }

    /// From now on no script of a page runs.
    pub(crate) async fn forbid_scripts(&self) {
        self.devtools("Emulation.setScriptExecutionDisabled", json!({"value": true})).await;
    }

    /// Keeps a picture of what is to be seen, for people to look at.
    pub(crate) async fn picture(&self, of: &str) {
        let png = STANDARD.decode(self.get("screenshot").await.as_str().unwrap()).unwrap();
        std::fs::create_dir_all(pictures()).unwrap();
        std::fs::write(pictures().join(format!("{of}-{}.png", self.screen.name)), png).unwrap();
    }

    /// What the browser complained of since it was last asked: forbidden loads, failed scripts.
    pub(crate) async fn complaints(&self) -> Vec<String> {
        let log = self.post("se/log", json!({"type": "browser"})).await;
        log.as_array().unwrap().iter().map(Value::to_string).collect()
    }

    /// Closes it.
    pub(crate) async fn end(mut self) {
        let close = WireRequest::new(Verb::Delete, format!("/session/{}", self.session));
        assert_eq!(self.http.send("", close).await.unwrap().status, 200);
        self.driver.kill().await.unwrap();
    }

    async fn devtools(&self, command: &str, parameters: Value) {
        let mut body = json!({"cmd": command});
        body["params"] = parameters;
        self.post("goog/cdp/execute", body).await;
    }

    async fn get(&self, what: &str) -> Value {
        let answer = self.http.get("", &format!("/session/{}/{what}", self.session)).await;
        assert_eq!(answer.status, 200, "{what}: {}", answer.text);
        answer.body["value"].clone()
    }

    async fn post(&self, what: &str, body: Value) -> Value {
        let answer = self.http.post("", &format!("/session/{}/{what}", self.session), body).await;
        assert_eq!(answer.status, 200, "{what}: {}", answer.text);
        answer.body["value"].clone()
    }
}

/// Where the pictures are.
fn pictures() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages")
}

/// A session of a driver that may not listen yet.
async fn opened(http: &Http, screen: &Screen) -> String {
    let request = || {
        let body = wanted(screen).to_string();
        WireRequest::new(Verb::Post, "/session").body("application/json", body)
    };
    loop {
        if let Ok(answer) = http.send("", request()).await {
            assert_eq!(answer.status, 200, "{}", answer.text);
            return answer.body["value"]["sessionId"].as_str().unwrap().to_owned();
        }
        sleep(Duration::from_millis(20)).await;
    }
}

fn wanted(screen: &Screen) -> Value {
    let Screen { width, height, language, .. } = screen;
    let mut options = json!({"args": [
        "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage",
        "--disable-background-networking", "--no-first-run", "--hide-scrollbars",
        format!("--accept-lang={language}"), format!("--window-size={width},{height}"),
    ]});
    if screen.kind == Kind::Phone {
        let metrics =
            json!({"width": width, "height": height, "pixelRatio": 2, "touch": true, "mobile": true});
        options["mobileEmulation"] = json!({"deviceMetrics": metrics});
    }
    json!({"capabilities": {"alwaysMatch": {
        "browserName": "chrome", "goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL"},
    }}})
}
