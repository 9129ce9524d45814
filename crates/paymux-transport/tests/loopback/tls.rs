//! TLS: verification is always on, and bytes are counted below it.

use std::sync::Arc;

use paymux_core::transport::{Outgoing, Transport, Undelivered};
use paymux_core::wire::WireResponse;
use paymux_transport::{Dialler, Roots, Settings};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;

use crate::support::{
    AllAre, BROKEN, CONNECT, HandClock, Io, OK, Peer, SPAN, Server, TOO_LATE, body, dialler, open, post,
};

#[tokio::test]
async fn a_good_certificate_is_believed_and_the_connection_kept() {
    let authority = Authority::new();
    let server = serve(authority.certify("pay.example", |_| {}), answer_all).await;
    let (dialler, _clock) = dialler(&authority.believed());
    for _ in 0..3 {
        assert_eq!(body(&dialler.send(call(&server, "pay.example")).await), "ok");
    }
    assert_eq!(server.connections(), 1);
    assert!(server.received().contains(&format!("host: pay.example:{}\r\n", server.at.port())));
}

#[tokio::test]
async fn an_address_can_be_certified_too() {
    let authority = Authority::new();
    let server = serve(authority.certify("127.0.0.1", |_| {}), answer_all).await;
    assert_eq!(body(&send(&authority, &server, "127.0.0.1").await), "ok");
}

#[tokio::test]
async fn a_bad_certificate_ends_the_call_before_it_begins() {
    let authority = Authority::new();
    let expired = authority.certify("pay.example", |certificate| {
        certificate.not_before = date_time_ymd(2020, 1, 1);
        certificate.not_after = date_time_ymd(2021, 1, 1);
    });
    let not_yet =
        authority.certify("pay.example", |certificate| certificate.not_before = date_time_ymd(4000, 1, 1));
    let client_only = authority.certify("pay.example", |certificate| {
        certificate.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    });
    check(&authority, expired, "expired").await;
    check(&authority, not_yet, "not yet valid").await;
    check(&authority, client_only, "not for servers").await;
    check(&authority, authority.certify("other.example", |_| {}), "wrong host").await;
    check(&authority, authority.certify("*.pay.example", |_| {}), "wildcard below").await;
    check(&authority, Authority::new().certify("pay.example", |_| {}), "unknown authority").await;
    check(&authority, self_signed("pay.example"), "self-signed").await;
    let nobody = Settings { roots: Roots::Only(Vec::new()), ..authority.believed() };
    let server = serve(authority.certify("pay.example", |_| {}), answer_all).await;
    assert_eq!(dialler(&nobody).0.send(call(&server, "pay.example")).await, CONNECT, "no authority at all");

    async fn check(authority: &Authority, certified: Certified, what: &str) {
        let server = serve(certified, answer_all).await;
        assert_eq!(send(authority, &server, "pay.example").await, CONNECT, "{what}");
        assert_eq!((server.connections(), server.received().as_str()), (1, ""), "{what}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_not_sent_anything() {
    for answer in ["HTTP/1.1 400 Bad Request\r\n\r\n", "", "\u{15}\u{3}\u{3}\0\u{2}\u{2}("] {
        let server = Server::start(move |_, mut peer| async move {
            peer.read(100).await?;
            peer.say(answer).await
        })
        .await;
        let (dialler, _clock) = dialler(&open());
        assert_eq!(dialler.send(post(&format!("https://{}", server.at))).await, CONNECT, "{answer:?}");
        assert!(!server.received().contains("/pay"));
    }
}

#[tokio::test]
async fn only_http_1_1_is_offered() {
    let authority = Authority::new();
    let mut certified = authority.certify("pay.example", |_| {});
    certified.alpn = vec![b"h2".to_vec()];
    let server = serve(certified, answer_all).await;
    assert_eq!(send(&authority, &server, "pay.example").await, CONNECT, "a server that speaks h2 alone");
    let mut certified = authority.certify("pay.example", |_| {});
    certified.alpn = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let server = serve(certified, answer_all).await;
    assert_eq!(body(&send(&authority, &server, "pay.example").await), "ok");
}

/// The deadline passes during the handshake, unnoticed by any timer: handshake bytes have left, and
/// no byte of the request.
#[tokio::test]
async fn a_handshake_is_no_sent_request() {
    let authority = Authority::new();
    let clock = HandClock::new();
    let slow = clock.clone();
    let acceptor = acceptor(authority.certify("pay.example", |_| {}));
    let wrap = move |tcp| {
        slow.slip(SPAN);
        let acceptor = acceptor.clone();
        async move { Ok(Box::new(acceptor.accept(tcp).await?) as Box<dyn Io>) }
    };
    let server = Server::start_as(wrap, |_, mut peer| async move { peer.until_end().await }).await;
    let dialler = Dialler::new(&authority.believed(), clock).unwrap();
    assert_eq!(dialler.send(call(&server, "pay.example")).await, TOO_LATE);
    server.ended(1).await;
    assert_eq!((server.connections(), server.received().as_str()), (1, ""));
}

#[tokio::test]
async fn a_cut_answer_is_no_answer() {
    for answer in [
        "",
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no",
        // Ends by the connection's end, which TLS must announce: without that it may be cut short.
        "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nok",
    ] {
        let authority = Authority::new();
        let server = serve(authority.certify("pay.example", |_| {}), move |_, mut peer: Peer| async move {
            peer.request().await?;
            peer.say(answer).await
        })
        .await;
        assert_eq!(send(&authority, &server, "pay.example").await, BROKEN, "{answer:?}");
        assert!(server.received().starts_with("POST /pay"));
    }
}

#[tokio::test]
async fn a_garbled_record_is_a_broken_connection() {
    let authority = Authority::new();
    let acceptor = acceptor(authority.certify("pay.example", |_| {}));
    let garbling = move |tcp: TcpStream| {
        let acceptor = acceptor.clone();
        async move {
            let mut tls = acceptor.accept(tcp).await?;
            assert!(tls.read(&mut [0; 4096]).await? > 0);
            tls.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\no").await?;
            tls.flush().await?;
            let (mut tcp, _) = tls.into_inner();
            tcp.write_all(b"\x17\x03\x03\x00\x20 this is no record of this session").await?;
            while tcp.read(&mut [0; 4096]).await? > 0 {}
            Err(std::io::ErrorKind::Other.into())
        }
    };
    let server = Server::start_as(garbling, |_, _| async { Ok(()) }).await;
    assert_eq!(send(&authority, &server, "pay.example").await, BROKEN);
}

#[tokio::test]
async fn a_connection_that_died_at_rest_is_left_alone() {
    let authority = Authority::new();
    let close = Arc::new(Notify::new());
    let waiting = close.clone();
    let script = move |_, peer: Peer| peer.answer_until(waiting.clone(), "");
    let server = serve(authority.certify("pay.example", |_| {}), script).await;
    let (dialler, _clock) = dialler(&authority.believed());
    for connections in 1..=3 {
        assert_eq!(body(&dialler.send(call(&server, "pay.example")).await), "ok");
        assert_eq!(
            body(&dialler.send(call(&server, "pay.example")).await),
            "ok",
            "used again while it lives"
        );
        assert_eq!(server.connections(), connections);
        close.notify_one();
        server.ended(connections).await;
    }
}

async fn send(authority: &Authority, server: &Server, host: &str) -> Result<WireResponse, Undelivered> {
    dialler(&authority.believed()).0.send(call(server, host)).await
}

fn call(server: &Server, host: &str) -> Outgoing {
    post(&format!("https://{host}:{}", server.at.port()))
}

async fn answer_all(_: usize, mut peer: Peer) -> std::io::Result<()> {
    while !peer.request().await?.is_empty() {
        peer.say(OK).await?;
    }
    Ok(())
}

async fn serve<Script, Run>(certified: Certified, script: Script) -> Server
where
    Script: Fn(usize, Peer) -> Run + Send + 'static,
    Run: Future<Output = std::io::Result<()>> + Send + 'static,
{
    let acceptor = acceptor(certified);
    let wrap = move |tcp| {
        let acceptor = acceptor.clone();
        async move { Ok(Box::new(acceptor.accept(tcp).await?) as Box<dyn Io>) }
    };
    Server::start_as(wrap, script).await
}

fn acceptor(certified: Certified) -> TlsAcceptor {
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certified.certificate], certified.key)
        .unwrap();
    config.alpn_protocols = certified.alpn;
    TlsAcceptor::from(Arc::new(config))
}

struct Certified {
    certificate: CertificateDer<'static>,
    key: PrivateKeyDer<'static>,
    alpn: Vec<Vec<u8>>,
}

/// A certificate authority of its own.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// A certificate for `host`, changed as the test wants.
    fn certify(&self, host: &str, change: impl FnOnce(&mut CertificateParams)) -> Certified {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([host.to_owned()]).unwrap();
        change(&mut params);
        certified(params.signed_by(&key, &self.0).unwrap().der().clone(), &key)
    }

    /// Settings that believe this authority alone; every name is loopback.
    fn believed(&self) -> Settings {
        let names = Arc::new(AllAre(vec!["127.0.0.1".parse().unwrap()]));
        Settings { roots: Roots::Only(vec![self.0.der().clone()]), names, ..open() }
    }
}

fn self_signed(host: &str) -> Certified {
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new([host.to_owned()]).unwrap();
    certified(params.self_signed(&key).unwrap().der().clone(), &key)
}

fn certified(certificate: CertificateDer<'static>, key: &KeyPair) -> Certified {
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Certified { certificate, key, alpn: Vec::new() }
}
