//! The main listener over TLS: a payment, another certificate while it runs, and a wrong one that changes nothing.

use std::net::SocketAddr;
use std::path::PathBuf;

use paymux_core::{Verb, WireRequest};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::http::{Answer, Http};
use crate::process::{PATIENCE, Running, ended, paymux};
use crate::world::{ADMIN_TOKEN, SHOP, free_address, order, ready};

/// A paymux that speaks TLS, and its files.
struct Node {
    folder: tempfile::TempDir,
    address: SocketAddr,
    operator: Http,
    process: Running,
    /// Believes the certificate with which it began.
    http: Http,
}

impl Node {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (address, admin) = (free_address().await, free_address().await);
        let place = folder.path().display();
        let text = format!(
            "[server]\nhttp = \"{address}\"\nadmin = \"{admin}\"\nadmin_token = \"{ADMIN_TOKEN}\"\ntest_mode = true\n\
             tls_cert = \"{place}/cert.pem\"\ntls_key = \"{place}/key.pem\"\n\
             [store]\nurl = \"sqlite://{place}/a.db\"\n\
             [[apps]]\nid = \"shop\"\napi_key = \"{SHOP}\"\n\
             [[channels]]\nid = \"box\"\nprovider = \"sandbox\"\n\
             [[routes]]\nname = \"default\"\nstrategy = \"priority\"\nchannels = [\"box\"]\n"
        );
        std::fs::write(folder.path().join("paymux.toml"), text).unwrap();
        let certificate = certify(&folder);
        let http = Http::believing(&format!("https://{address}"), certificate);
        let file = folder.path().join("paymux.toml");
        let mut process = Running::start(paymux(["serve", "-c", file.to_str().unwrap()]));
        ready(&mut process, &http).await;
        let operator = Http::new(&format!("http://{admin}"));
        Self { folder, address, operator, process, http }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    async fn reload(&self) -> Answer {
        self.operator.post(ADMIN_TOKEN, "/admin/api/reload", "").await
    }

    /// A client without open connections that believes that certificate alone.
    fn client(&self, certificate: Vec<u8>) -> Http {
        Http::believing(&format!("https://{}", self.address), certificate)
    }

    /// Whether such a client gets through.
    async fn shows(&self, certificate: &[u8]) -> bool {
        let request = WireRequest::new(Verb::Get, "/healthz");
        self.client(certificate.to_vec()).send("", request).await.is_ok_and(|answer| answer.status == 200)
    }
}

/// Writes a certificate for this machine with its key, made just now; what a client believes it by.
fn certify(folder: &tempfile::TempDir) -> Vec<u8> {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(folder.path().join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.path().join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    made.cert.der().to_vec()
}

#[tokio::test]
async fn a_payment_is_taken_and_its_addresses_are_https() {
    let node = Node::start().await;
    let created = node.http.post(SHOP, "/v1/payments", order("A1001")).await;
    assert_eq!(created.status, 201, "{}", created.text);
    let page = format!("https://{}/pay/{}", node.address, created.body["id"].as_str().unwrap());
    assert_eq!(created.body["cashier_url"], page);
    assert_eq!(node.process.signal("TERM").await, Some(0), "an orderly end");
}

#[tokio::test]
async fn plain_http_gets_no_answer_and_hurts_nobody() {
    let node = Node::start().await;
    let mut stream = TcpStream::connect(node.address).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: h\r\n\r\n").await.unwrap();
    let mut rest = Vec::new();
    timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("it is hung up").unwrap();
    assert!(!rest.windows(5).any(|bytes| bytes == b"HTTP/"), "{rest:?}");
    assert_eq!(node.http.get("", "/healthz").await.status, 200);
    assert_eq!(node.process.signal("TERM").await, Some(0), "an orderly end");
}

#[tokio::test]
async fn another_certificate_counts_without_a_restart_and_a_wrong_one_changes_nothing() {
    let node = Node::start().await;
    // A connection that is open all the while.
    let old = std::fs::read_to_string(node.file("cert.pem")).unwrap();
    assert_eq!(node.http.get("", "/healthz").await.status, 200);

    let new = certify(&node.folder);
    let reloaded = node.reload().await;
    assert_eq!((reloaded.status, &reloaded.body["at_next_start"]), (200, &json!([])), "{}", reloaded.text);
    assert_eq!(node.http.get("", "/healthz").await.status, 200, "what was open goes on");
    assert!(node.shows(&new).await, "new connections see the new one");

    // The key of another.
    std::fs::write(node.file("cert.pem"), &old).unwrap();
    let refused = node.reload().await;
    assert_eq!((refused.status, &refused.body["code"]), (422, &json!("not_reloaded")), "{}", refused.text);
    let mistakes = refused.body["mistakes"].as_array().unwrap();
    let told = |mistake: &Value| mistake.as_str().unwrap().contains("server.tls_key: file `");
    assert!(mistakes.len() == 1 && mistakes.iter().all(told), "{}", refused.text);
    assert!(node.shows(&new).await, "the one in force stays");
    let file = node.file("paymux.toml");
    let checked = ended(["check", "-c", file.to_str().unwrap()]).await;
    assert_eq!(checked.code, Some(1), "{}", checked.err);
    assert!(checked.err.contains("the key is not that of the first certificate"), "{}", checked.err);

    // By signal, as well.
    let third = certify(&node.folder);
    node.process.send("HUP").await;
    let shown = async {
        while !node.shows(&third).await {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    timeout(PATIENCE, shown).await.expect("the signal is heard");
    assert!(!node.shows(&new).await);
    assert_eq!(node.process.signal("TERM").await, Some(0), "an orderly end");
}
