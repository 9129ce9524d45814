//! The same loop over TLS: what it speaks, what it does not wait for, and another certificate while it runs.

use std::sync::Arc;
use std::time::Duration;

use paymux_http::{Identity, Limits, Served, Tls};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, RootCertStore, SupportedProtocolVersion};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::peer::{ALIVE, HTTP2_HELLO, LONG, Peer, Service, create};

/// The limit under test; every other one is long.
const SHORT: Duration = Duration::from_millis(300);

/// A certificate that was made just now, and what believes it.
struct Made {
    certificate: CertificateDer<'static>,
    identity: Identity,
}

impl Made {
    fn new() -> Self {
        let made = rcgen::generate_simple_self_signed(["pay.example".to_owned()]).unwrap();
        let key = made.signing_key.serialize_pem();
        let identity = Identity::from_pem(made.cert.pem().as_bytes(), key.as_bytes()).unwrap();
        Self { certificate: made.cert.der().clone(), identity }
    }

    fn tls(&self) -> Tls {
        Tls::new(self.identity.clone())
    }

    /// A client that believes this certificate alone.
    fn client(&self, versions: &[&'static SupportedProtocolVersion], protocols: &[&str]) -> TlsConnector {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).unwrap();
        let mut config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        TlsConnector::from(Arc::new(config))
    }

    async fn shaken(&self, service: &Service) -> std::io::Result<TlsStream<TcpStream>> {
        shake(&self.client(&[&TLS13], &["http/1.1"]), service).await
    }
}

async fn shake(client: &TlsConnector, service: &Service) -> std::io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(service.address).await.unwrap();
    let name = ServerName::try_from("pay.example").unwrap();
    timeout(LONG, client.connect(name, stream)).await.expect("a handshake ends")
}

fn patient() -> Limits {
    Limits { first_byte: LONG * 3, header: LONG * 3, body: LONG * 3, idle: LONG * 3, ..Limits::default() }
}

#[tokio::test]
async fn both_versions_of_both_protocols_are_spoken() {
    let made = Made::new();
    let service = Service::start_tls(patient(), made.tls()).await;
    for (place, version) in [&TLS12, &TLS13].into_iter().enumerate() {
        let stream = shake(&made.client(&[version], &["http/1.1"]), &service).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
        let mut peer = Peer::over(stream);
        peer.send(create(&format!("A{place}"))).await;
        assert_eq!(peer.answer().await.status, 201);
        peer.send(ALIVE).await;
        assert_eq!(peer.answer().await.status, 200);

        let stream = shake(&made.client(&[version], &["http/1.1", "h2"]), &service).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]), "the better one");
        let mut peer = Peer::over(stream);
        peer.send(HTTP2_HELLO).await;
        // A frame's length has three bytes; SETTINGS are type 4 (RFC 9113, section 6.5).
        assert_eq!(peer.some().await[3], 4);
    }
    assert!(shake(&made.client(&[&TLS13], &["smtp"]), &service).await.is_err(), "nothing in common");
}

#[tokio::test]
async fn a_client_that_says_nothing_is_dropped_in_time() {
    let made = Made::new();
    let service = Service::start_tls(Limits { first_byte: SHORT, ..patient() }, made.tls()).await;
    let began = Instant::now();
    assert_eq!(service.connect().await.rest().await, "", "no handshake");
    let mut half = service.connect().await;
    // A record that begins a handshake of 512 bytes, and no more.
    half.send([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3]).await;
    assert_eq!(half.rest().await, "", "half a handshake");
    let stream = made.shaken(&service).await.unwrap();
    assert_eq!(Peer::over(stream).rest().await, "", "a handshake, and then nothing");
    assert!((SHORT..LONG).contains(&began.elapsed()), "{:?}", began.elapsed());
}

#[tokio::test]
async fn plain_http_is_hung_up_on() {
    let made = Made::new();
    let service = Service::start_tls(patient(), made.tls()).await;
    for plain in [ALIVE.to_owned(), create("A1"), "\r\n".to_owned() + ALIVE] {
        let mut peer = service.connect().await;
        peer.send(plain).await;
        let rest = peer.rest().await;
        assert!(!rest.contains("HTTP/") && rest.len() < 16, "an alert at most: {rest:?}");
    }
    assert!(service.payment("A1").await.is_none());
    let mut peer = Peer::over(made.shaken(&service).await.unwrap());
    peer.send(ALIVE).await;
    assert_eq!(peer.answer().await.status, 200, "others are served");
}

#[tokio::test]
async fn another_certificate_counts_for_new_connections_and_cuts_none() {
    let (old, new) = (Made::new(), Made::new());
    let tls = old.tls();
    let service = Service::start_tls(patient(), tls.clone()).await;
    let mut kept = Peer::over(old.shaken(&service).await.unwrap());
    kept.send(ALIVE).await;
    assert_eq!(kept.answer().await.status, 200);

    tls.replace(new.identity.clone());
    let stream = new.shaken(&service).await.unwrap();
    assert_eq!(stream.get_ref().1.peer_certificates().unwrap(), std::slice::from_ref(&new.certificate));
    let mut fresh = Peer::over(stream);
    fresh.send(ALIVE).await;
    assert_eq!(fresh.answer().await.status, 200);
    assert!(old.shaken(&service).await.is_err(), "the old one is shown to nobody");
    kept.send(create("A1")).await;
    assert_eq!(kept.answer().await.status, 201, "what was open goes on");
}

#[tokio::test]
async fn the_end_waits_for_no_handshake() {
    let made = Made::new();
    let service = Service::start_tls(patient(), made.tls()).await;
    let mut silent = service.connect().await;
    let mut kept = Peer::over(made.shaken(&service).await.unwrap());
    kept.send(ALIVE).await;
    assert_eq!(kept.answer().await.status, 200);
    let began = Instant::now();
    service.shutdown.cancel();
    assert_eq!(timeout(LONG, service.served).await.unwrap().unwrap(), Served::Drained);
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert_eq!((silent.rest().await, kept.rest().await), (String::new(), String::new()));
}
