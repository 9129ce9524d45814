//! BeeCloud's own SDKs, as their registries have them, whose payments go to FuFu. Of each only the host is another: the
//! one for Python takes any address; the one for Node knows TLS alone, so what ends TLS stands before paymux, and Node
//! is told whom to believe.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use paymux_server::plugins::Simulated;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::Stand;
use super::beecloud::{APP_ID, APP_SECRET, MASTER_SECRET};

/// How long an SDK may take to be installed: it is, once for a target folder.
const INSTALL: Duration = Duration::from_mins(3);
/// How long a client may take from its first call to its last.
const COURSE: Duration = Duration::from_mins(1);
/// The barcode in both clients.
const AUTH_CODE: &str = "134567890123456782";

/// What there is to do where something is missing.
const NO_PYTHON: &str = "python3 with its module venv is needed; on Debian `apt-get install python3 python3-venv` gets \
                         them, and .ci/run installs what is missing";
const NO_NODE: &str = "node and npm are needed; on Debian `apt-get install nodejs npm` gets them, and .ci/run installs \
                       what is missing";

#[tokio::test]
async fn the_sdk_for_python_works_with_another_host() {
    let folder = installed("python", "beecloud==3.6.0", NO_PYTHON, async |folder, package| {
        run(NO_PYTHON, Command::new("python3").args(["-m", "venv"]).arg(folder)).await;
        let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", package];
        run("pip installs the SDK from its registry", Command::new(python(folder)).args(pip)).await;
    })
    .await;
    let stand = stand("").await;
    let mut client = Command::new(python(&folder));
    client.arg(script("sdk_client.py")).arg(format!("http://{}", stand.address));
    serves(stand, client, "PYTHON20240301").await;
}

/// It signs all that it sends with the app secret, refunds too, and it sends all secrets along.
#[tokio::test]
async fn the_sdk_for_node_works_with_another_host() {
    let folder = installed("node", "beecloud-node-sdk@0.6.4", NO_NODE, async |folder, package| {
        let install = ["install", "--silent", "--no-audit", "--no-fund", "--prefix"];
        run(NO_NODE, Command::new("npm").args(install).arg(folder).arg(package)).await;
    })
    .await;
    let stand = stand("app_secret_moves_money = true").await;
    let tls = Tls::before(stand.address, &stand.file("authority.pem")).await;
    let mut client = Command::new("node");
    client.env("NODE_EXTRA_CA_CERTS", stand.file("authority.pem")).arg(script("sdk_client.js"));
    client.arg(folder.join("node_modules/beecloud-node-sdk")).arg(format!("localhost:{}", tls.port()));
    serves(stand, client, "NODE2024030100").await;
}

async fn stand(more: &str) -> Stand {
    let credentials = format!(
        "app_id = \"{APP_ID}\"\napp_secret = \"{APP_SECRET}\"\nmaster_secret = \"{MASTER_SECRET}\"\n{more}\n"
    );
    Stand::open("beecloud", &credentials, Simulated::Fufu, "success").await
}

/// Lets the client run its course: it pays, asks, sends back and scans, and every call of it succeeds.
async fn serves(stand: Stand, mut client: Command, bill_no: &str) {
    client.args([APP_ID, APP_SECRET, MASTER_SECRET]);
    client.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    let mut client = client.spawn().unwrap();
    let mut lines = BufReader::new(client.stdout.take().unwrap()).lines();
    let course = async {
        let mut told: Vec<(String, Value)> = Vec::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            let mut said: Value = serde_json::from_str(&line).unwrap();
            told.push((said["step"].as_str().unwrap().to_owned(), said["result"].take()));
            if told.len() == 1 {
                stand.bank().pay(&stand.upstream_number()).unwrap();
                client.stdin.take().unwrap().write_all(b"paid\n").await.unwrap();
            }
        }
        told
    };
    let told = timeout(COURSE, course).await.expect("a client that comes to its end");
    let ended = client.wait_with_output().await.unwrap();
    assert!(ended.status.success(), "{told:?} {}", String::from_utf8_lossy(&ended.stderr));
    check(&told, bill_no);
    let native = stand.native(bill_no).await;
    assert_eq!((&native["status"], &native["provider"]), (&json!("succeeded"), &json!("fufu")), "{native}");
    assert_eq!(native["amount_refunded"], 500, "{native}");
    stand.close(&[APP_SECRET, MASTER_SECRET, AUTH_CODE]).await;
}

fn check(told: &[(String, Value)], bill_no: &str) {
    let steps: Vec<&str> = told.iter().map(|(step, _)| step.as_str()).collect();
    let want = [
        "pay",
        "query",
        "count",
        "by_id",
        "refund",
        "refund_status",
        "refunds",
        "refunds_count",
        "refund_by_id",
        "offline_pay",
        "offline_status",
    ];
    assert_eq!(steps, want);
    for (step, result) in told {
        assert_eq!(
            (&result["result_code"], &result["result_msg"]),
            (&json!(0), &json!("OK")),
            "{step}: {result}"
        );
    }
    let of = |step: &str| &told.iter().find(|(told, _)| told == step).unwrap().1;
    assert!(of("pay")["code_url"].is_string(), "{}", of("pay"));
    let bill = &of("query")["bills"][0];
    assert_eq!((&bill["spay_result"], &bill["total_fee"]), (&json!(true), &json!(1999)), "{bill}");
    assert_eq!((&of("count")["count"], &of("refunds_count")["count"]), (&json!(1), &json!(1)));
    assert_eq!(of("by_id")["pay"]["bill_no"], bill_no);
    assert_eq!(of("refund_status")["refund_status"], "SUCCESS");
    let refund = &of("refunds")["refunds"][0];
    assert_eq!(
        (&refund["finish"], &refund["result"], &refund["refund_fee"]),
        (&json!(true), &json!(true), &json!(500))
    );
    assert_eq!(of("refund_by_id")["refund"]["bill_no"], bill_no);
    assert!(of("offline_pay")["pay_result"].is_boolean(), "{}", of("offline_pay"));
    assert_eq!(of("offline_status")["pay_result"], true);
}

/// The folder with that package, which is installed where it is not there whole.
async fn installed(
    name: &str,
    package: &str,
    missing: &str,
    install: impl AsyncFnOnce(&Path, &str),
) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("sdks").join(name);
    // Written last.
    let mark = folder.join("installed");
    if std::fs::read_to_string(&mark).is_ok_and(|there| there == package) {
        return folder;
    }
    if folder.exists() {
        std::fs::remove_dir_all(&folder).unwrap();
    }
    std::fs::create_dir_all(&folder).unwrap();
    timeout(INSTALL, install(&folder, package))
        .await
        .unwrap_or_else(|_| panic!("{package} in time; {missing}"));
    std::fs::write(mark, package).unwrap();
    folder
}

/// Runs it to its end, which must be a good one.
async fn run(needs: &str, command: &mut Command) {
    let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await;
    let output = output.unwrap_or_else(|error| panic!("{needs} ({error})"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{needs} ({}: {said})", output.status);
}

fn python(folder: &Path) -> PathBuf {
    folder.join("bin/python")
}

fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/data").join(name)
}

/// What ends TLS before paymux, as `localhost`.
struct Tls(SocketAddr);

impl Tls {
    /// Writes down whom to believe.
    async fn before(paymux: SocketAddr, authority_pem: &Path) -> Self {
        let acceptor = TlsAcceptor::from(Arc::new(certified(authority_pem)));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // A side that hangs up ends the other.
                    if let Ok(mut outside) = acceptor.accept(tcp).await
                        && let Ok(mut inside) = TcpStream::connect(paymux).await
                    {
                        drop(copy_bidirectional(&mut outside, &mut inside).await);
                    }
                });
            }
        });
        Self(address)
    }

    fn port(&self) -> u16 {
        self.0.port()
    }
}

fn certified(authority_pem: &Path) -> ServerConfig {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // By one name with the certificate that it signs, that would pass for its own signer.
    authority.distinguished_name.push(DnType::CommonName, "authority of a test");
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    std::fs::write(authority_pem, authority.pem()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, &authority).unwrap();
    let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap()
}
